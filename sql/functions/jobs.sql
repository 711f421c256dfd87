-- SPDX-License-Identifier: PostgreSQL
-- Jobs of the leader's configuration: writes them to chime.job. A job whose schedule did not change keeps its cursor.

-- Quotes a word for the shell, for commands that hints show: a job may have any name. The same as core/base/shell.h.
CREATE OR REPLACE FUNCTION chime.shell_word(p_word text) RETURNS text
LANGUAGE sql IMMUTABLE STRICT SET search_path = pg_catalog, pg_temp
RETURN CASE WHEN p_word COLLATE "C" ~ '^[A-Za-z0-9_./:@%+,][A-Za-z0-9_./:@%+,=-]*$' THEN p_word
            ELSE '''' || replace(p_word, '''', '''\''''') || '''' END;
COMMENT ON FUNCTION chime.shell_word IS 'the word as a shell takes it: quoted where it is not plain';

-- --- the catalog -----------------------------------------------------------------------------------------------------

-- Cursors that somebody set by hand to before their schedules count, or deleted: no claim would ever be granted. What
-- is to expire yet will move its cursor itself.
CREATE OR REPLACE FUNCTION chime.mend_cursors(p_jobs jsonb, p_now timestamptz) RETURNS TABLE (job_id bigint, mended text)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH astray AS (
        SELECT k.* FROM jsonb_to_recordset(p_jobs) AS d (name text)
        CROSS JOIN LATERAL (SELECT j.job_id, j.since, s.last_slot FROM chime.job j LEFT JOIN chime.job_state s ON s.job_id = j.job_id
                            WHERE j.name = d.name AND j.origin <> 'sql' OFFSET 0) k
        WHERE k.last_slot IS NULL
           OR (k.last_slot < k.since AND NOT EXISTS (SELECT FROM chime.expired_schedule e WHERE e.job_id = k.job_id OFFSET 0))
    ), written AS (
        INSERT INTO chime.job_state AS s (job_id, last_slot)
        SELECT a.job_id, CASE WHEN a.last_slot IS NULL THEN p_now ELSE a.since END FROM astray a
        ON CONFLICT (job_id) DO UPDATE SET last_slot = excluded.last_slot
    )
    SELECT a.job_id, CASE WHEN a.last_slot IS NULL THEN 'its cursor was gone: it begins anew'
                          ELSE format('its cursor was before its schedule began to count, at %s UTC: it begins from there',
                                      to_char(a.since AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS')) END
    FROM astray a;
END $$;
COMMENT ON FUNCTION chime.mend_cursors IS 'of these jobs of configurations and plugins, those whose cursors were astray, and in words how';

-- Up to p_at: a clock that was ahead for a while left records of slots to come.
CREATE OR REPLACE FUNCTION chime.missed_after(p_job bigint, p_slot timestamptz, p_at timestamptz) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET enable_seqscan = off
RETURN EXISTS (SELECT FROM chime.missed m WHERE m.job_id = p_job AND m.first_slot > p_slot AND m.first_slot <= p_at);
COMMENT ON FUNCTION chime.missed_after IS 'whether slots of the job after p_slot are on record as missed';

-- --- cursors in the future -------------------------------------------------------------------------------------------
-- A clock that was ahead for a while leaves cursors there: nothing is due until then, and what lies between is on
-- record.
CREATE OR REPLACE FUNCTION chime.ran_ahead(p_job bigint, p_at timestamptz) RETURNS tstzmultirange
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET enable_seqscan = off
RETURN (SELECT coalesce(range_agg(tstzrange(h.slot, h.slot, '[]')), '{}') FROM chime.run_history h
        WHERE h.job_id = p_job AND h.kind = 'schedule' AND h.slot > p_at);
COMMENT ON FUNCTION chime.ran_ahead IS 'slots of the job after p_at that the history has';

CREATE OR REPLACE FUNCTION chime.begin_anew(p_job bigint) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
BEGIN
    PERFORM chime.refuse_unknown(p_job);
    INSERT INTO chime.request (job_id, verb, kind, slot)
    SELECT s.job_id, 'begin', NULL, NULL FROM chime.job_state s JOIN chime.job j ON j.job_id = s.job_id
    WHERE s.job_id = p_job AND j.schedule <> '' AND s.last_slot > clock_timestamp()
      AND NOT EXISTS (SELECT FROM chime.request q WHERE q.job_id = p_job AND q.verb = 'begin');
    RETURN FOUND;
END $$;
COMMENT ON FUNCTION chime.begin_anew IS
    'asks the leader to let a job whose cursor is in the future begin from now. What was recorded as missed there is due again in its time; what ran there does not run again. True when that changes something';

-- p_at: now. Where slots to come were recorded as missed, the cursor goes back to before the first of them, and these
-- records go: the leader decides those that have passed, as after an outage, and the others are due in their time. All
-- others up to where the cursor was have run or were skipped one by one; of a job that keeps all its runs the history
-- tells from where on.
CREATE OR REPLACE FUNCTION chime.begin_jobs(p_token uuid, p_job bigint[], p_at timestamptz)
RETURNS TABLE (job_id bigint, last_slot timestamptz)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
#variable_conflict use_column
BEGIN
    PERFORM chime.require_leader(p_token);
    DELETE FROM chime.request q WHERE q.verb = 'begin' AND q.job_id = ANY (p_job);
    RETURN QUERY
    WITH stuck AS (
        SELECT s.job_id, s.last_slot AS until, least(p_at, m.first_slot - interval '1 microsecond') AS start,
               coalesce(m.slots, '{}') AS missed,
               CASE WHEN s.runs + s.skips = 0 OR j.schedule ILIKE '@after%' THEN s.last_slot
                    WHEN coalesce(j.options ->> 'log_runs', 'all') = 'all'
                    THEN coalesce(lower(chime.ran_ahead(s.job_id, p_at)) - interval '1 microsecond', s.last_slot)
                    ELSE p_at END AS ran_from
        FROM chime.job_state s JOIN chime.job j ON j.job_id = s.job_id
        CROSS JOIN LATERAL (SELECT min(x.first_slot) AS first_slot, range_agg(tstzrange(x.first_slot, x.last_slot, '[]')) AS slots
                            FROM chime.missed x WHERE x.job_id = s.job_id AND x.last_slot > p_at) m
        WHERE s.job_id = ANY (p_job) AND s.last_slot > p_at AND j.schedule <> ''
    ), reopened AS (
        DELETE FROM chime.missed x USING stuck k WHERE x.job_id = k.job_id AND x.last_slot > p_at
    ), begun AS (
        UPDATE chime.job j SET since = p_at FROM stuck k WHERE j.job_id = k.job_id AND j.since > p_at
    )
    UPDATE chime.job_state s
       SET last_slot = k.start, last_end = least(s.last_end, p_at),
           ahead = s.ahead + (tstzmultirange(tstzrange(least(k.ran_from, k.until), k.until, '(]')) - k.missed)
      FROM stuck k WHERE s.job_id = k.job_id
    RETURNING s.job_id, s.last_slot;
END $$;
COMMENT ON FUNCTION chime.begin_jobs IS 'begin_anew, as the leader does it: the jobs whose cursors were in the future, and where they are now';

-- A catalog of any size comes in parts, each a transaction, and chime.remove_others ends it. A job's options come as
-- far as they differ from p_defaults, {"command": {...}, "refresh": {...}}. A part that is known already changes no
-- row: not even a lock is taken on one. A job without "channels" has none. Jobs are known by their names, whatever role
-- the daemon had before.
-- A job that wakes up or changes its schedule restarts from p_now, as a new one starts: nothing was due before by what
-- it is now. What was due by its old schedule the leader has decided (p_decided: it had the old catalog, too), or it
-- follows from what chime.expire_schedule keeps: then the cursor moves once that is on record. Other channels change no
-- slot. Options that a row lacks are older than their names and had the values given here.
-- One by one, each looked up by its key (that is what OFFSET 0 does): a join may read all jobs for each part.
CREATE OR REPLACE FUNCTION chime.sync_jobs(p_token uuid, p_jobs jsonb, p_defaults jsonb, p_now timestamptz, p_decided boolean)
RETURNS TABLE (name text, job_id bigint, version integer, last_slot timestamptz, last_outcome chime.run_state,
               last_duration_us bigint, outcome_at timestamptz, last_end timestamptz, cursor_skipped boolean,
               consecutive_failures integer, suspended boolean, missed_at timestamptz, missed_after boolean, mended text)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
#variable_conflict use_column
DECLARE
    v_mended jsonb;
    v_new record;
    v_old chime.job;
    v_wakes boolean;
    v_restarts boolean;
    v_job chime.job;
    v_made chime.job[] := '{}';
BEGIN
    PERFORM chime.require_leader(p_token);
    FOR v_new IN
        SELECT d.name, d.origin, d.plugin, d.active, d.schedule, d.command, d.views, d.after, o.channels, o.options, k.old
        FROM jsonb_to_recordset(p_jobs) AS d (name text, origin text, plugin text, active boolean, schedule text,
                                              command text, views text[], after text[], channels text[], options jsonb)
        CROSS JOIN LATERAL (SELECT coalesce(d.channels, '{}') AS channels,
                                   (p_defaults -> CASE WHEN d.command = '' THEN 'refresh' ELSE 'command' END) || d.options
                                   AS options) o
        LEFT JOIN LATERAL (SELECT j AS old FROM chime.job j WHERE j.name = d.name AND j.origin <> 'sql' OFFSET 0) k ON true
        WHERE (current_user, d.origin, d.plugin, d.active, d.schedule, d.command, d.views, d.after, o.channels, o.options)
              IS DISTINCT FROM ((k.old).owner, (k.old).origin, (k.old).plugin, (k.old).active, (k.old).schedule, (k.old).command,
                                (k.old).views, (k.old).after, (k.old).channels, (k.old).options)
           OR (k.old).removed_at IS NOT NULL
    LOOP
        v_old := v_new.old;
        IF v_old.job_id IS NULL THEN
            v_job.name := v_new.name; v_job.origin := v_new.origin; v_job.plugin := v_new.plugin; v_job.active := v_new.active;
            v_job.schedule := v_new.schedule; v_job.command := v_new.command; v_job.views := v_new.views; v_job.after := v_new.after;
            v_job.channels := v_new.channels; v_job.options := v_new.options;
            v_made := v_made || v_job;
            CONTINUE;
        END IF;
        v_wakes := v_new.active AND NOT v_old.active;
        v_restarts := v_wakes OR v_new.schedule <> v_old.schedule
                      OR (v_new.schedule <> '' AND v_new.options <> v_old.options
                          AND (v_new.options ->> 'timezone', v_new.options ->> 'dst_gap', v_new.options ->> 'dst_overlap')
                              IS DISTINCT FROM (coalesce(v_old.options ->> 'timezone', 'UTC'), coalesce(v_old.options ->> 'dst_gap', 'run'),
                                                coalesce(v_old.options ->> 'dst_overlap', 'first')));
        -- From a cursor in the future nothing was due either.
        UPDATE chime.job_state s
           SET last_slot = CASE WHEN s.last_slot > p_now + interval '1 minute' THEN p_now ELSE greatest(s.last_slot, p_now) END,
               cursor_skipped = false,
               ahead = CASE WHEN s.last_slot > p_now THEN s.ahead + chime.ran_ahead(s.job_id, p_now) ELSE s.ahead END
         WHERE s.job_id = v_old.job_id AND v_restarts AND (p_decided OR s.last_slot > p_now + interval '1 minute');
        IF NOT FOUND AND (v_restarts OR (v_old.active AND NOT v_new.active)) THEN
            PERFORM chime.expire_schedule(v_old, p_now);
        END IF;
        UPDATE chime.job j
           SET owner = current_user, origin = v_new.origin, plugin = v_new.plugin, active = v_new.active, schedule = v_new.schedule,
               command = v_new.command, views = v_new.views, after = v_new.after, channels = v_new.channels,
               options = v_new.options, version = j.version + 1, removed_at = NULL, updated_at = p_now,
               since = CASE WHEN v_restarts THEN p_now ELSE j.since END
         WHERE j.job_id = v_old.job_id;
    END LOOP;
    -- In one statement: beginning one on these tables, with their constraints and triggers, costs more than a row does.
    WITH made AS (
        INSERT INTO chime.job (name, origin, plugin, active, schedule, command, views, after, channels, options, since)
        SELECT m.name, m.origin, m.plugin, m.active, m.schedule, m.command, m.views, m.after, m.channels, m.options, p_now
        FROM unnest(v_made) AS m
        RETURNING job_id
    )
    INSERT INTO chime.job_state (job_id, last_slot) SELECT m.job_id, p_now FROM made m;
    SELECT jsonb_object_agg(m.job_id, m.mended) INTO v_mended FROM chime.mend_cursors(p_jobs, p_now) m;
    -- A suspension that nobody has granted yet holds from the start: the first heartbeat does what was asked for.
    RETURN QUERY
    SELECT d.name, k.job_id, k.version, greatest(k.last_slot, k.since), k.last_outcome, k.last_duration_us, k.outcome_at, k.last_end,
           k.cursor_skipped AND k.last_slot >= k.since, k.consecutive_failures,
           k.suspended_at IS NOT NULL
           OR EXISTS (SELECT FROM chime.request q WHERE q.job_id = k.job_id AND q.verb = 'suspend'), k.missed_at, k.missed_after,
           v_mended ->> k.job_id::text
    FROM jsonb_to_recordset(p_jobs) AS d (name text)
    CROSS JOIN LATERAL (SELECT j.version, j.since, s.* FROM chime.job j JOIN chime.job_state s ON s.job_id = j.job_id
                        WHERE j.name = d.name AND j.origin <> 'sql' OFFSET 0) k;
END $$;
COMMENT ON FUNCTION chime.sync_jobs IS 'brings these jobs to the leader''s catalog and returns what a schedule needs to start from; mended: in words, when its cursor was astray';

-- In batches: true when there may be more.
-- plan_cache_mode: the array is hashed only where the planner sees it; a join, for the few rows that it expects of a
-- table without statistics, would go through the array once for each job.
CREATE OR REPLACE FUNCTION chime.remove_others(p_token uuid, p_job bigint[], p_now timestamptz, p_decided boolean) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET plan_cache_mode = force_custom_plan SET enable_seqscan = off AS $$
DECLARE
    v_old chime.job;
    v_count integer := 0;
BEGIN
    PERFORM chime.require_leader(p_token);
    FOR v_old IN SELECT * FROM chime.job j
                 WHERE j.origin <> 'sql' AND j.removed_at IS NULL AND j.job_id <> ALL (p_job) LIMIT 2000
    LOOP
        v_count := v_count + 1;
        IF v_old.active AND NOT p_decided THEN
            PERFORM chime.expire_schedule(v_old, p_now);
        END IF;
        UPDATE chime.job j SET active = false, removed_at = p_now, version = j.version + 1, updated_at = p_now
         WHERE j.job_id = v_old.job_id;
    END LOOP;
    RETURN v_count = 2000;
END $$;
COMMENT ON FUNCTION chime.remove_others IS
    'p_job: all jobs of the leader''s catalog; others that plugins and configurations defined are in none any more, and kept for their history';

-- --- what people read ------------------------------------------------------------------------------------------------
CREATE OR REPLACE VIEW chime.job_status WITH (security_invoker = true) AS
SELECT j.job_id, j.name, j.owner, j.origin, j.plugin, j.active, j.schedule, j.views, j.after, s.last_slot, s.last_start,
       s.last_end, s.last_success, s.last_outcome, s.last_duration_us, s.consecutive_failures,
       EXISTS (SELECT FROM chime.run r WHERE r.job_id = j.job_id) AS live, s.outcome_at, s.suspended_at, s.suspended_by,
       s.suspended_until, s.suspend_reason, s.runs, s.successes, s.failures, s.skips,
       (SELECT q.verb FROM chime.request q WHERE q.job_id = j.job_id AND q.verb IN ('suspend', 'resume')
        ORDER BY q.request_id DESC LIMIT 1) AS request,
       j.channels, nullif(j.options ->> 'target_lag', 'none') AS target_lag
FROM chime.job j JOIN chime.job_state s USING (job_id);
COMMENT ON VIEW chime.job_status IS 'jobs with the state of their last run';
COMMENT ON COLUMN chime.job_status.request IS 'suspend or resume, while the leader has not done it';
COMMENT ON COLUMN chime.job_status.channels IS 'a notification on one of them wakes the job, beside its schedule';
COMMENT ON COLUMN chime.job_status.target_lag IS
    'how far behind their sources its views may be, as configured (''250ms'', ''5s'', ''downstream'': as views need that read them); NULL: no limit, changes do not wake it';
