-- What the leader writes of jobs that are made by SQL (0018_sql_jobs.sql), beside what it writes of any job.

-- Schedules by which slots may have been due that are not on record, from `cursor` on (for a delay, from the end of the last run).
CREATE FUNCTION chime.former_schedules(p_token uuid)
RETURNS TABLE (job_id bigint, name text, schedule text, options jsonb, "cursor" timestamptz, last_end timestamptz, until timestamptz)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
BEGIN
    PERFORM chime.require_leader(p_token);
    RETURN QUERY
    SELECT f.job_id, j.name, f.schedule, f.options, greatest(s.last_slot, f.since), s.last_end, f.until
    FROM chime.former_schedule f JOIN chime.job j ON j.job_id = f.job_id JOIN chime.job_state s ON s.job_id = f.job_id
    WHERE s.last_slot < f.until ORDER BY f.job_id, f.until LIMIT 1000;
END $$;
COMMENT ON FUNCTION chime.former_schedules IS 'the first 1,000 by job, each job''s in order; what is left when these have ended is for the next call';

-- p_slots of each, from p_first to p_last, were due and did not run; 0: none.
CREATE FUNCTION chime.end_schedules(p_token uuid, p_job bigint[], p_until timestamptz[], p_first timestamptz[], p_last timestamptz[],
                                    p_slots bigint[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
DECLARE v_epoch bigint := chime.require_leader(p_token);
BEGIN
    INSERT INTO chime.missed (job_id, first_slot, last_slot, slots, reason, epoch)
    SELECT w.job_id, w.first_slot, w.last_slot, w.slots, 'the job was edited, switched off or unscheduled while nothing led', v_epoch
    FROM unnest(p_job, p_first, p_last, p_slots) AS w (job_id, first_slot, last_slot, slots) WHERE w.slots > 0;
    UPDATE chime.job_state s SET last_slot = w.until, cursor_skipped = false
      FROM (SELECT u.job_id, max(u.until) AS until FROM unnest(p_job, p_until) AS u (job_id, until) GROUP BY u.job_id) w
     WHERE s.job_id = w.job_id AND s.last_slot < w.until;
    DELETE FROM chime.former_schedule f USING unnest(p_job, p_until) AS w (job_id, until)
     WHERE f.job_id = w.job_id AND f.until = w.until;
END $$;
COMMENT ON FUNCTION chime.end_schedules IS 'former schedules that were looked at, with what was due by them';

-- A job that is new, woke up or has another schedule starts anew: nothing was due before. What was, by its old schedule, the leader has put on
-- record. p_job NULL, as it begins to lead: each from when its schedule counts, unless an old one is still to be looked at; the answer is
-- whether there is one.
CREATE FUNCTION chime.restart_jobs(p_token uuid, p_job bigint[], p_at timestamptz[]) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
BEGIN
    PERFORM chime.require_leader(p_token);
    IF p_job IS NULL THEN
        UPDATE chime.job_state s SET last_slot = j.since, cursor_skipped = false
          FROM chime.job j
         WHERE j.job_id = s.job_id AND j.origin = 'sql' AND j.removed_at IS NULL AND s.last_slot < j.since
           AND NOT EXISTS (SELECT FROM chime.former_schedule f WHERE f.job_id = j.job_id AND f.until > s.last_slot);
    ELSE
        UPDATE chime.job_state s SET last_slot = w.at, cursor_skipped = false
          FROM unnest(p_job, p_at) AS w (job_id, at)
         WHERE s.job_id = w.job_id AND s.last_slot < w.at;
    END IF;
    DELETE FROM chime.former_schedule f USING chime.job_state s
     WHERE s.job_id = f.job_id AND s.last_slot >= f.until AND (p_job IS NULL OR f.job_id = ANY (p_job));
    RETURN p_job IS NULL AND EXISTS (SELECT FROM chime.former_schedule f JOIN chime.job_state s USING (job_id) WHERE s.last_slot < f.until);
END $$;
COMMENT ON FUNCTION chime.restart_jobs IS 'no slot of them up to then is due any more; a cursor never goes back';

CREATE FUNCTION chime.note_next_slots(p_token uuid, p_job bigint[], p_slots text[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_nestloop = off
SET plan_cache_mode = force_generic_plan AS $$
BEGIN
    PERFORM chime.require_leader(p_token);
    DELETE FROM chime.next_slots n
     WHERE n.job_id = ANY (ARRAY(SELECT w.job_id FROM unnest(p_job, p_slots) AS w (job_id, slots) WHERE w.slots IS NULL));
    INSERT INTO chime.next_slots AS n (job_id, slots)
    SELECT w.job_id, w.slots::timestamptz[] FROM unnest(p_job, p_slots) AS w (job_id, slots)
    WHERE w.slots IS NOT NULL AND w.job_id IN (SELECT j.job_id FROM chime.job j WHERE j.job_id = ANY (p_job))
    ORDER BY w.job_id
    ON CONFLICT (job_id) DO UPDATE SET slots = excluded.slots, written_at = excluded.written_at WHERE n.slots <> excluded.slots;
END $$;
COMMENT ON FUNCTION chime.note_next_slots IS 'p_slots: one array each, as text, in order; NULL: no slot of the job is known. Each job at most once in a call';

-- Nobody's transaction is waited for: a job that somebody edits just now is another version, and looked at as such.
CREATE FUNCTION chime.job_done(p_token uuid, p_job bigint[], p_version integer[]) RETURNS SETOF bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_nestloop = off
SET plan_cache_mode = force_generic_plan AS $$
DECLARE v_done bigint[];
BEGIN
    PERFORM chime.require_leader(p_token);
    v_done := ARRAY(
        SELECT j.job_id FROM chime.job j JOIN unnest(p_job, p_version) AS w (job_id, version) ON j.job_id = w.job_id AND j.version = w.version
        WHERE j.job_id = ANY (p_job) AND j.active AND j.job_id NOT IN (SELECT r.job_id FROM chime.run r WHERE r.job_id = ANY (p_job))
        FOR NO KEY UPDATE OF j SKIP LOCKED);
    UPDATE chime.job j SET active = false WHERE j.job_id = ANY (v_done);
    DELETE FROM chime.former_schedule f WHERE f.job_id = ANY (v_done); -- nothing was due by it that is not on record
    RETURN QUERY SELECT unnest(v_done);
END $$;
COMMENT ON FUNCTION chime.job_done IS 'jobs for one slot (@at) that was decided and has run are active no more; those that it switched off';

REVOKE ALL ON ALL ROUTINES IN SCHEMA chime FROM PUBLIC;
