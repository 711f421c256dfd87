-- What the leader writes of jobs that are made by SQL (0018_sql_jobs.sql), beside what it writes of any job.

-- A job that is new, woke up or has another schedule starts anew: nothing was due before. What was, by its old schedule, the leader has put on
-- record. p_job NULL, as it begins to lead: each from when its schedule counts.
CREATE FUNCTION chime.restart_jobs(p_token uuid, p_job bigint[], p_at timestamptz[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
BEGIN
    PERFORM chime.require_leader(p_token);
    IF p_job IS NULL THEN
        UPDATE chime.job_state s SET last_slot = j.since, cursor_skipped = false
          FROM chime.job j
         WHERE j.job_id = s.job_id AND j.origin = 'sql' AND j.removed_at IS NULL AND s.last_slot < j.since;
    ELSE
        UPDATE chime.job_state s SET last_slot = w.at, cursor_skipped = false
          FROM unnest(p_job, p_at) AS w (job_id, at)
         WHERE s.job_id = w.job_id AND s.last_slot < w.at;
    END IF;
END $$;
COMMENT ON FUNCTION chime.restart_jobs IS 'no slot of them up to then is due any more; a cursor never goes back';

CREATE FUNCTION chime.note_next_slots(p_token uuid, p_job bigint[], p_slots text[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
BEGIN
    PERFORM chime.require_leader(p_token);
    DELETE FROM chime.next_slots n USING unnest(p_job, p_slots) AS w (job_id, slots) WHERE n.job_id = w.job_id AND w.slots IS NULL;
    INSERT INTO chime.next_slots AS n (job_id, slots)
    SELECT w.job_id, w.slots::timestamptz[] FROM unnest(p_job, p_slots) AS w (job_id, slots)
    WHERE w.slots IS NOT NULL AND EXISTS (SELECT FROM chime.job j WHERE j.job_id = w.job_id)
    ORDER BY w.job_id
    ON CONFLICT (job_id) DO UPDATE SET slots = excluded.slots, written_at = excluded.written_at WHERE n.slots <> excluded.slots;
END $$;
COMMENT ON FUNCTION chime.note_next_slots IS 'p_slots: one array each, as text, in order; NULL: no slot of the job is known. Each job at most once in a call';

-- Nobody's transaction is waited for: a job that somebody edits just now is another version, and looked at as such.
CREATE FUNCTION chime.job_done(p_token uuid, p_job bigint[], p_version integer[]) RETURNS SETOF bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
BEGIN
    PERFORM chime.require_leader(p_token);
    RETURN QUERY
    UPDATE chime.job j SET active = false
      FROM (SELECT k.job_id FROM unnest(p_job, p_version) AS w (job_id, version)
            JOIN chime.job k ON k.job_id = w.job_id AND k.version = w.version
            WHERE k.origin = 'sql' AND k.active AND NOT EXISTS (SELECT FROM chime.run r WHERE r.job_id = k.job_id)
            FOR NO KEY UPDATE OF k SKIP LOCKED) k
     WHERE j.job_id = k.job_id
    RETURNING j.job_id;
END $$;
COMMENT ON FUNCTION chime.job_done IS 'jobs for one slot (@at) that was decided and has run are active no more; those that it switched off';

REVOKE ALL ON ALL ROUTINES IN SCHEMA chime FROM PUBLIC;
