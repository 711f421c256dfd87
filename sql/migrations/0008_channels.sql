-- Channels whose notifications wake a job.

ALTER TABLE chime.job ADD COLUMN channels text[] NOT NULL DEFAULT '{}';
COMMENT ON COLUMN chime.job.channels IS 'a notification on one of them wakes the job, beside its schedule; names as in pg_notify';

-- A catalog of any size comes in parts, each a transaction, and chime.switch_off_others ends it. A job's options come as far
-- as they differ from p_defaults, {"command": {...}, "refresh": {...}}. A part that is known already changes no row: not
-- even a lock is taken on one. A job without "channels" has none.
CREATE OR REPLACE FUNCTION chime.sync_jobs(p_token uuid, p_jobs jsonb, p_defaults jsonb,
                                           p_now timestamptz DEFAULT clock_timestamp())
RETURNS TABLE (name text, job_id bigint, version integer, last_slot timestamptz, last_outcome chime.run_state,
               last_duration_us bigint, outcome_at timestamptz, last_end timestamptz, cursor_skipped boolean,
               consecutive_failures integer, suspended boolean)
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
#variable_conflict use_column
BEGIN
    PERFORM chime.require_leader(p_token);
    -- Known jobs are looked up one by one (that is what OFFSET 0 does): a join may read all jobs for each part. One that
    -- wakes up or changes its schedule restarts from p_now, as a new one starts: nothing was due before, and what was due by
    -- its old schedule the leader has decided up to then. Other channels change no slot. Options that a row
    -- lacks are older than their names and had the values given here.
    CREATE TEMP TABLE chime_catalog ON COMMIT DROP AS
    SELECT d.name, d.origin, d.plugin, d.active, d.schedule, d.command, d.views, d.after, o.channels, o.options, j.job_id,
           (d.origin, d.plugin, d.active, d.schedule, d.command, d.views, d.after, o.channels, o.options)
           IS DISTINCT FROM (j.origin, j.plugin, j.active, j.schedule, j.command, j.views, j.after, j.channels, j.options)
           AS changes,
           (d.active AND NOT j.active) OR d.schedule <> j.schedule
           OR (d.schedule <> '' AND o.options IS DISTINCT FROM j.options
               AND (o.options ->> 'timezone', o.options ->> 'dst_gap', o.options ->> 'dst_overlap')
                   IS DISTINCT FROM (coalesce(j.options ->> 'timezone', 'UTC'), coalesce(j.options ->> 'dst_gap', 'run'),
                                     coalesce(j.options ->> 'dst_overlap', 'first'))) AS restarts
    FROM jsonb_to_recordset(p_jobs) AS d (name text, origin text, plugin text, active boolean, schedule text,
                                          command text, views text[], after text[], channels text[], options jsonb)
    CROSS JOIN LATERAL (SELECT coalesce(d.channels, '{}') AS channels,
                               (p_defaults -> CASE WHEN d.command = '' THEN 'refresh' ELSE 'command' END) || d.options
                               AS options) o
    LEFT JOIN LATERAL (SELECT * FROM chime.job k WHERE k.name = d.name AND k.owner = current_user OFFSET 0) j ON true;
    UPDATE chime.job_state s SET last_slot = greatest(s.last_slot, p_now), cursor_skipped = false
      FROM pg_temp.chime_catalog d WHERE s.job_id = d.job_id AND d.restarts;
    UPDATE chime.job j
       SET origin = d.origin, plugin = d.plugin, active = d.active, schedule = d.schedule, command = d.command,
           views = d.views, after = d.after, channels = d.channels, options = d.options, version = j.version + 1,
           updated_at = clock_timestamp()
      FROM pg_temp.chime_catalog d WHERE j.job_id = d.job_id AND d.changes;
    WITH made AS (
        INSERT INTO chime.job (name, owner, origin, plugin, active, schedule, command, views, after, channels, options)
        SELECT d.name, current_user, d.origin, d.plugin, d.active, d.schedule, d.command, d.views, d.after, d.channels,
               d.options
        FROM pg_temp.chime_catalog d WHERE d.job_id IS NULL
        RETURNING job_id
    )
    INSERT INTO chime.job_state (job_id, last_slot) SELECT m.job_id, p_now FROM made m;
    -- A suspension that nobody has granted yet holds from the start: the first heartbeat does what was asked for.
    RETURN QUERY
    SELECT d.name, k.job_id, k.version, k.last_slot, k.last_outcome, k.last_duration_us, k.outcome_at, k.last_end,
           k.cursor_skipped, k.consecutive_failures,
           k.suspended_at IS NOT NULL
           OR EXISTS (SELECT FROM chime.request q WHERE q.job_id = k.job_id AND q.verb = 'suspend')
    FROM pg_temp.chime_catalog d
    CROSS JOIN LATERAL (SELECT j.version, s.* FROM chime.job j JOIN chime.job_state s ON s.job_id = j.job_id
                        WHERE j.name = d.name AND j.owner = current_user OFFSET 0) k;
END $$;
COMMENT ON FUNCTION chime.sync_jobs IS 'brings these jobs to the leader''s catalog and returns what a schedule needs to start from';

CREATE OR REPLACE VIEW chime.job_status WITH (security_invoker = true) AS
SELECT j.job_id, j.name, j.owner, j.origin, j.plugin, j.active, j.schedule, j.views, j.after, s.last_slot, s.last_start,
       s.last_end, s.last_success, s.last_outcome, s.last_duration_us, s.consecutive_failures,
       EXISTS (SELECT FROM chime.run r WHERE r.job_id = j.job_id) AS live, s.outcome_at, s.suspended_at, s.suspended_by,
       s.suspended_until, s.suspend_reason, s.runs, s.successes, s.failures, s.skips,
       (SELECT q.verb FROM chime.request q WHERE q.job_id = j.job_id AND q.verb IN ('suspend', 'resume')
        ORDER BY q.request_id DESC LIMIT 1) AS wish,
       j.channels, nullif(j.options ->> 'target_lag', 'none') AS target_lag
FROM chime.job j JOIN chime.job_state s USING (job_id);
COMMENT ON COLUMN chime.job_status.channels IS 'a notification on one of them wakes the job, beside its schedule';
COMMENT ON COLUMN chime.job_status.target_lag IS
    'how far behind their sources its views may be, as configured (''250ms'', ''5s''); NULL: no limit, changes do not wake it';

-- Procedures too, which "ALL FUNCTIONS" of earlier migrations left out.
REVOKE ALL ON ALL ROUTINES IN SCHEMA chime FROM PUBLIC;
