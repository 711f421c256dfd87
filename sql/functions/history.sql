-- SPDX-License-Identifier: PostgreSQL
-- How long history is kept: one step each, on the session that also carries the heartbeat.

-- History partitions: those of yesterday, today and a week ahead are made, those whose slots are all older than p_keep
-- are dropped. One at a time, in a transaction of its own: what is locked for one is free before the next.
CREATE OR REPLACE FUNCTION chime.history_work(p_keep interval) RETURNS TABLE (key integer, day date, name text, makes boolean)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET "TimeZone" = 'UTC'
BEGIN ATOMIC
    SELECT n + 2, day, 'run_history_' || to_char(day, 'YYYYMMDD'), true
    FROM generate_series(-1, 7) AS n, LATERAL (SELECT current_date + n) AS d (day)
    WHERE to_regclass('chime.run_history_' || to_char(day, 'YYYYMMDD')) IS NULL
      AND NOT EXISTS (SELECT FROM chime.run_history_other o WHERE o.slot >= day AND o.slot < day + 1)
    UNION ALL
    SELECT day - DATE '1970-01-01', day, c.relname::text, false
    FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid,
         LATERAL (SELECT to_date(substr(c.relname, 13), 'YYYYMMDD')) AS d (day)
    WHERE i.inhparent = 'chime.run_history'::regclass AND c.relname ~ '^run_history_[0-9]{8}$'
      AND day + 1 <= (now() - p_keep)::date;
END;
COMMENT ON FUNCTION chime.history_work IS
    'partitions of the history to be made, then those to be dropped; keys grow in that order, and are the same whenever it is asked';

-- Readers wait behind a lock that is waited for: for that of the whole history 200 ms, and then nothing else is waited
-- for.
CREATE OR REPLACE FUNCTION chime.keep_history(p_token uuid, p_from bigint DEFAULT 0, p_keep interval DEFAULT '30 days')
RETURNS TABLE (more bigint, problem text)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET lock_timeout = '200ms' AS $$
DECLARE v_work record;
BEGIN
    PERFORM chime.require_leader(p_token);
    SELECT * INTO v_work FROM chime.history_work(p_keep) w WHERE w.key > p_from ORDER BY w.key LIMIT 1;
    IF NOT FOUND THEN
        RETURN NEXT;
        RETURN;
    END IF;
    BEGIN
        LOCK TABLE ONLY chime.run_history IN ACCESS EXCLUSIVE MODE;
        EXECUTE format('LOCK TABLE ONLY chime.%I IN ACCESS EXCLUSIVE MODE NOWAIT',
                       CASE WHEN v_work.makes THEN 'run_history_other' ELSE v_work.name END);
        IF v_work.makes THEN
            EXECUTE format('CREATE TABLE chime.%I PARTITION OF chime.run_history FOR VALUES FROM (%L) TO (%L)',
                           v_work.name, v_work.day || ' 00:00:00Z', v_work.day + 1 || ' 00:00:00Z');
            PERFORM chime.keep_private(format('chime.%I', v_work.name)::regclass);
        ELSE
            EXECUTE format('DROP TABLE chime.%I', v_work.name);
        END IF;
    EXCEPTION WHEN OTHERS THEN -- another one may go
        problem := format('%s could not be %s: %s', v_work.name, CASE WHEN v_work.makes THEN 'made' ELSE 'dropped' END,
                          SQLERRM);
    END;
    SELECT v_work.key INTO more FROM chime.history_work(p_keep) w WHERE w.key > v_work.key LIMIT 1;
    RETURN NEXT;
END $$;
COMMENT ON ROUTINE chime.keep_history IS
    'makes one partition of the history for the days to come, or drops one that is older than what is kept; from where there is more to do, or NULL';

-- By an administrator (doctor's history-other): a day whose runs went to run_history_other has no partition from the
-- leader, which may move nothing while it holds others up. Who writes or reads run_history_other waits meanwhile.
CREATE OR REPLACE FUNCTION chime.make_partition(p_day date) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET "TimeZone" = 'UTC' SET lock_timeout = '10s' AS $$
DECLARE
    v_name text := 'run_history_' || to_char(p_day, 'YYYYMMDD');
    v_moved bigint;
BEGIN
    IF to_regclass('chime.' || v_name) IS NOT NULL THEN
        RAISE EXCEPTION 'chime.% is there already', v_name USING ERRCODE = 'duplicate_table', HINT = 'if it is no partition of chime.run_history, give it another name first';
    END IF;
    LOCK TABLE ONLY chime.run_history IN SHARE UPDATE EXCLUSIVE MODE;
    LOCK TABLE chime.run_history_other IN ACCESS EXCLUSIVE MODE;
    EXECUTE format('CREATE TABLE chime.%I (LIKE chime.run_history INCLUDING ALL)', v_name);
    EXECUTE format('WITH moved AS (DELETE FROM chime.run_history_other o WHERE o.slot >= %1$L::timestamptz AND o.slot < %2$L::timestamptz RETURNING o.*)'
                   ' INSERT INTO chime.%3$I SELECT * FROM moved', p_day || ' 00:00:00Z', p_day + 1 || ' 00:00:00Z', v_name);
    GET DIAGNOSTICS v_moved = ROW_COUNT;
    EXECUTE format('ALTER TABLE chime.run_history ATTACH PARTITION chime.%I FOR VALUES FROM (%L) TO (%L)', v_name, p_day || ' 00:00:00Z',
                   p_day + 1 || ' 00:00:00Z');
    PERFORM chime.keep_private(format('chime.%I', v_name)::regclass);
    RETURN v_moved;
END $$;
COMMENT ON FUNCTION chime.make_partition IS 'makes the partition of the history for a day (UTC), and moves runs of that day there from run_history_other; how many these were';

-- --- upkeep: one step each, on the session that also carries the heartbeat -------------------------------------------
--
-- A step does at most p_limit rows, waits for nobody, and returns from where there is more to do (0: the same again),
-- NULL: nothing is left.
CREATE OR REPLACE FUNCTION chime.forget_rows(p_token uuid, p_limit integer, p_table name, p_time name, p_keep interval DEFAULT '30 days') RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET lock_timeout = '100ms' AS $$
DECLARE v_count bigint;
BEGIN
    PERFORM chime.require_leader(p_token);
    EXECUTE format('DELETE FROM chime.%1$I o WHERE o.ctid = ANY (ARRAY('
                   'SELECT x.ctid FROM chime.%1$I x WHERE x.%2$I < $1 ORDER BY x.%2$I LIMIT $2))', p_table, p_time)
        USING now() - p_keep, p_limit;
    GET DIAGNOSTICS v_count = ROW_COUNT;
    RETURN CASE WHEN v_count = p_limit THEN 0 END;
END $$;
COMMENT ON ROUTINE chime.forget_rows IS 'removes the oldest rows of a table of the history that are older than what is kept';

-- Of the epochs in the history one ended after it was kept from.
CREATE OR REPLACE FUNCTION chime.forget_leaderships(p_token uuid, p_limit integer, p_keep interval DEFAULT '30 days') RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET lock_timeout = '100ms' AS $$
DECLARE v_count bigint;
BEGIN
    PERFORM chime.require_leader(p_token);
    DELETE FROM chime.leadership l WHERE l.epoch = ANY (ARRAY(
        SELECT o.epoch FROM (SELECT x.epoch, lead(x.since) OVER (ORDER BY x.epoch) AS until
                             FROM (SELECT y.epoch, y.since FROM chime.leadership y ORDER BY y.epoch LIMIT p_limit + 1) x) o
         WHERE o.until < now() - p_keep));
    GET DIAGNOSTICS v_count = ROW_COUNT;
    RETURN CASE WHEN v_count = p_limit THEN 0 END;
END $$;
COMMENT ON ROUTINE chime.forget_leaderships IS 'removes leaderships that ended before any run in the history';

-- --- upkeep of jobs made by SQL: steps as in history.sql -----------------------------------------------

-- Some jobs at a time, from p_from on: each costs a look into every partition. What is found is deleted by where it
-- lies: a join with the history may be planned as a walk through all of it.
CREATE OR REPLACE FUNCTION chime.forget_runs(p_token uuid, p_limit integer, p_from bigint) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_sort = off SET enable_mergejoin = off
SET enable_hashjoin = off SET lock_timeout = '100ms' AS $$
DECLARE
    v_job record;
    v_part record;
    v_left bigint := p_limit;
    v_last bigint;
    v_jobs bigint := greatest(p_limit / 50, 1);
BEGIN
    PERFORM chime.require_leader(p_token);
    FOR v_job IN SELECT j.job_id, now() - j.keep AS since FROM chime.job j WHERE j.keep IS NOT NULL AND j.job_id >= p_from
                 ORDER BY j.job_id LIMIT v_jobs + 1 LOOP
        IF v_jobs = 0 OR v_left = 0 THEN
            RETURN v_job.job_id;
        END IF;
        FOR v_part IN SELECT o.tableoid::regclass AS name, array_agg(o.ctid) AS rows
                      FROM (SELECT x.tableoid, x.ctid FROM chime.run_history x
                            WHERE x.job_id = v_job.job_id AND x.slot < v_job.since
                            ORDER BY x.job_id, x.kind, x.slot LIMIT v_left FOR UPDATE SKIP LOCKED) o
                      GROUP BY o.tableoid LOOP
            EXECUTE format('DELETE FROM %s h WHERE h.ctid = ANY ($1)', v_part.name) USING v_part.rows;
            v_left := v_left - cardinality(v_part.rows);
        END LOOP;
        v_last := v_job.job_id;
        v_jobs := v_jobs - 1;
    END LOOP;
    RETURN CASE WHEN v_left = 0 THEN v_last END;
END $$;
COMMENT ON FUNCTION chime.forget_runs IS 'runs older than their job keeps them';

CREATE OR REPLACE FUNCTION chime.forget_jobs(p_token uuid, p_limit integer, p_keep interval DEFAULT '30 days') RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET lock_timeout = '100ms' AS $$
DECLARE v_count bigint;
BEGIN
    PERFORM chime.require_leader(p_token);
    DELETE FROM chime.job j WHERE j.job_id = ANY (ARRAY(
        SELECT x.job_id FROM chime.job x
         WHERE x.removed_at < now() - p_keep - interval '1 day' AND NOT EXISTS (SELECT FROM chime.run r WHERE r.job_id = x.job_id OFFSET 0)
         ORDER BY x.removed_at LIMIT p_limit FOR UPDATE SKIP LOCKED));
    GET DIAGNOSTICS v_count = ROW_COUNT;
    RETURN CASE WHEN v_count = p_limit THEN 0 END;
END $$;
COMMENT ON FUNCTION chime.forget_jobs IS 'jobs that were unscheduled, or left the configuration, before p_keep and a day, when their history is gone';
