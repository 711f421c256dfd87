-- SPDX-License-Identifier: PostgreSQL
-- What the leader writes of jobs that are edited by others (0018_sql_jobs.sql), beside what it writes of any job.

-- By key, so that each page costs the same however many there are. `cursor`: from there on slots are not on record (for
-- a delay, from the end of the last run).
CREATE FUNCTION chime.expired_schedules(p_token uuid, p_job bigint, p_version integer, p_of bigint[] DEFAULT NULL)
RETURNS TABLE (job_id bigint, version integer, name text, schedule text, options jsonb, "cursor" timestamptz, last_end timestamptz,
               until timestamptz)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_sort = off AS $$
BEGIN
    PERFORM chime.require_leader(p_token);
    RETURN QUERY
    SELECT e.job_id, e.version, k.name, e.schedule, e.options, greatest(k.last_slot, e.since), k.last_end, e.until
    FROM ((SELECT x.* FROM chime.expired_schedule x WHERE p_of IS NULL AND (x.job_id, x.version) > (p_job, p_version)
           ORDER BY x.job_id, x.version LIMIT 1000)
          UNION ALL
          (SELECT x.* FROM unnest(p_of) AS o
           CROSS JOIN LATERAL (SELECT s.* FROM chime.expired_schedule s
                               WHERE s.job_id = o AND (s.job_id, s.version) > (p_job, p_version)
                               ORDER BY s.job_id, s.version LIMIT 1000) x
           ORDER BY x.job_id, x.version LIMIT 1000)) e
    CROSS JOIN LATERAL (SELECT j.name, s.last_slot, s.last_end FROM chime.job j LEFT JOIN chime.job_state s ON s.job_id = j.job_id
                        WHERE j.job_id = e.job_id OFFSET 0) k
    ORDER BY e.job_id, e.version;
END $$;
COMMENT ON FUNCTION chime.expired_schedules IS
    'of these jobs, or of all, the 1,000 that follow the given key, by job and in the order in which they expired';

-- p_slots of each, from p_first to p_last, were due and did not run; 0: none. p_until: no slot up to then is due any
-- more; NULL: that is known. p_at: when that was decided. What was missed is later than any outcome that the job has:
-- those that come after it have no success to go by.
-- One by one: each statement looks a key up, whatever the tables were like when it was planned.
CREATE FUNCTION chime.end_schedules(p_token uuid, p_job bigint[], p_version integer[], p_until timestamptz[], p_first timestamptz[],
                                    p_last timestamptz[], p_slots bigint[], p_at timestamptz) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
DECLARE v_epoch bigint := chime.require_leader(p_token);
BEGIN
    INSERT INTO chime.missed (job_id, first_slot, last_slot, slots, reason, epoch)
    SELECT w.job_id, w.first_slot, w.last_slot, w.slots, 'the job was edited, switched off or removed before this leader heard of it', v_epoch
    FROM unnest(p_job, p_first, p_last, p_slots) AS w (job_id, first_slot, last_slot, slots) WHERE w.slots > 0;
    FOR i IN 1 .. cardinality(p_job) LOOP
        UPDATE chime.job_state s SET last_slot = p_until[i], cursor_skipped = false
         WHERE s.job_id = p_job[i] AND s.last_slot < p_until[i];
        UPDATE chime.job_state s SET missed_at = greatest(s.missed_at, p_at, s.outcome_at + interval '1 microsecond')
         WHERE s.job_id = p_job[i] AND p_slots[i] > 0;
        DELETE FROM chime.expired_schedule e WHERE e.job_id = p_job[i] AND e.version = p_version[i];
    END LOOP;
END $$;
COMMENT ON FUNCTION chime.end_schedules IS 'expired schedules that were looked at, with what was due by them';

-- The database's zone is part of the schedule of each job that names none: where it is another one than the last
-- leader's, what was due by that until p_now expired. One by one, and only then: another zone is rare.
CREATE FUNCTION chime.follow_zone(p_token uuid, p_timezone text, p_now timestamptz) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
DECLARE
    v_last text;
    v_job chime.job;
BEGIN
    PERFORM chime.require_leader(p_token);
    SELECT l.timezone INTO v_last FROM chime.leader l;
    UPDATE chime.leader l SET timezone = p_timezone WHERE v_last IS DISTINCT FROM p_timezone;
    FOR v_job IN SELECT * FROM chime.job j
                 WHERE j.origin = 'sql' AND j.removed_at IS NULL AND v_last <> p_timezone
                   AND j.active AND j.schedule <> '' AND j.options ->> 'timezone' IS NULL
    LOOP
        v_job.options := v_job.options || jsonb_build_object('timezone', v_last);
        PERFORM chime.expire_schedule(v_job, p_now);
        UPDATE chime.job j SET since = p_now, version = j.version + 1, changed = pg_current_xact_id() WHERE j.job_id = v_job.job_id;
    END LOOP;
END $$;
COMMENT ON FUNCTION chime.follow_zone IS 'p_timezone: of this database, by the leader''s configuration';

-- A job that is new, woke up or has another schedule starts anew: nothing was due before. What was, by its old
-- schedule, the leader has put on record.
CREATE FUNCTION chime.restart_jobs(p_token uuid, p_job bigint[], p_at timestamptz[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
BEGIN
    PERFORM chime.require_leader(p_token);
    FOR i IN 1 .. cardinality(p_job) LOOP
        INSERT INTO chime.job_state AS s (job_id, last_slot) SELECT j.job_id, p_at[i] FROM chime.job j WHERE j.job_id = p_job[i]
        ON CONFLICT (job_id) DO UPDATE
           SET last_slot = p_at[i], cursor_skipped = false,
               ahead = CASE WHEN s.last_slot > p_at[i] THEN s.ahead + chime.ran_ahead(s.job_id, p_at[i]) ELSE s.ahead END
         WHERE s.last_slot <> p_at[i];
    END LOOP;
END $$;
COMMENT ON FUNCTION chime.restart_jobs IS 'no slot of them up to then is due any more; a cursor goes back only from the future, and one that somebody deleted is there again';

CREATE FUNCTION chime.note_next_slots(p_token uuid, p_job bigint[], p_slots text[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_nestloop = off
SET plan_cache_mode = force_generic_plan AS $$
BEGIN
    PERFORM chime.commit_locally();
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
        WHERE j.job_id = ANY (p_job) AND j.origin NOT IN ('plugin', 'config') AND j.active -- = 'sql' is what an index of other use has
          AND j.job_id NOT IN (SELECT r.job_id FROM chime.run r WHERE r.job_id = ANY (p_job))
        FOR NO KEY UPDATE OF j SKIP LOCKED);
    UPDATE chime.job j SET active = false WHERE j.job_id = ANY (v_done);
    RETURN QUERY SELECT unnest(v_done);
END $$;
COMMENT ON FUNCTION chime.job_done IS 'jobs for one slot (@at) that was decided and has run are active no more; those that it switched off';

REVOKE ALL ON ALL ROUTINES IN SCHEMA chime FROM PUBLIC;
