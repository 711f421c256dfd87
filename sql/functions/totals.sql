-- SPDX-License-Identifier: PostgreSQL
-- Totals of runs. The leader counts the runs that the ledger has recorded, and adds the counts here at most once a
-- second, together with a batch of ends. No run is counted twice: a leader that loses its session discards the counts
-- that it has not added yet. The next leader records that gap (chime.note_gap). Also the pulse: state that only the
-- leader has.

-- Each place of the arrays is one minute, kind and outcome. When a lock or a full disk prevents the addition, it
-- returns false: the ends of the same batch are still recorded, and the caller adds the counts with its next call.
CREATE OR REPLACE FUNCTION chime.add_totals(p_token uuid, p_minute timestamptz[], p_kind chime.run_kind[], p_state chime.run_state[],
                                 p_runs bigint[], p_busy bigint[], p_late bigint[], p_late_max bigint[], p_durations text[], p_delays text[])
RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET lock_timeout = '100ms'
SET plan_cache_mode = force_generic_plan AS $$
BEGIN
    PERFORM chime.require_leader(p_token);
    FOR n IN 1 .. cardinality(p_minute) LOOP
        INSERT INTO chime.minute AS m (minute, state, runs, busy_us, late_us, late_max_us)
        VALUES (p_minute[n], p_state[n], p_runs[n], p_busy[n], p_late[n], p_late_max[n])
        ON CONFLICT (minute, state) DO UPDATE
           SET runs = m.runs + excluded.runs, busy_us = m.busy_us + excluded.busy_us, late_us = m.late_us + excluded.late_us,
               late_max_us = greatest(m.late_max_us, excluded.late_max_us);
        INSERT INTO chime.tally AS t (kind, state, runs, busy_us, late_us, durations, delays)
        VALUES (p_kind[n], p_state[n], p_runs[n], p_busy[n], p_late[n], p_durations[n]::bigint[], p_delays[n]::bigint[])
        ON CONFLICT (kind, state) DO UPDATE
           SET runs = t.runs + excluded.runs, busy_us = t.busy_us + excluded.busy_us, late_us = t.late_us + excluded.late_us,
               durations = ARRAY(SELECT a + b FROM unnest(t.durations, excluded.durations) AS u (a, b)),
               delays = ARRAY(SELECT a + b FROM unnest(t.delays, excluded.delays) AS u (a, b));
    END LOOP;
    RETURN true;
EXCEPTION
    WHEN SQLSTATE 'CH001' THEN
        RAISE;
    WHEN OTHERS THEN
        RAISE LOG 'totals of runs could not be added: %', SQLERRM;
        RETURN false;
END $$;
COMMENT ON FUNCTION chime.add_totals IS 'adds to chime.tally and chime.minute; false: not now, and nothing of it was added';

-- Of a leader that did not resign, and so may have known of ends that it had not added yet.
CREATE OR REPLACE FUNCTION chime.note_gap(p_until timestamptz) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET lock_timeout = '100ms' AS $$
BEGIN
    UPDATE chime.totals SET gaps = gaps + 1, gap_at = p_until;
    INSERT INTO chime.minute AS m (minute, state, runs, busy_us, late_us, late_max_us, partial)
    VALUES (date_trunc('minute', p_until, 'UTC'), 'succeeded', 0, 0, 0, 0, true)
    ON CONFLICT (minute, state) DO NOTHING;
    UPDATE chime.minute m SET partial = true WHERE m.minute = date_trunc('minute', p_until, 'UTC');
EXCEPTION WHEN lock_not_available THEN
    RAISE LOG 'totals of runs are not marked as partial around %: chime.totals or chime.minute is locked', p_until;
END $$;
COMMENT ON FUNCTION chime.note_gap IS 'marks the minute in which a leader was heard of last as partial';

-- --- days ------------------------------------------------------------------------------------------------------------

-- One slice of jobs of the next day that is to be summed up, and of the day before once more: a run may have ended, or
-- a slot been recorded as missed, after the night in which it was summed up first. A day begins an hour after it is
-- over. Slots of before a clock was set, or of a time without a leader, beyond what the history keeps, are passed
-- over.
CREATE OR REPLACE FUNCTION chime.sum_days(p_token uuid, p_limit integer, p_from bigint) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET "TimeZone" = 'UTC' SET enable_seqscan = off SET enable_hashjoin = off
SET enable_mergejoin = off SET jit = off SET lock_timeout = '100ms' AS $$
DECLARE
    v_today date := (now() - interval '1 hour')::date;
    v_day date;
    v_jobs bigint[];
BEGIN
    PERFORM chime.require_leader(p_token);
    UPDATE chime.totals SET next_day = least(greatest(next_day, v_today - 40), v_today) WHERE next_day NOT BETWEEN v_today - 40 AND v_today + 1;
    SELECT t.next_day INTO v_day FROM chime.totals t;
    IF v_day >= v_today THEN
        RETURN NULL;
    END IF;
    v_jobs := ARRAY(SELECT j.job_id FROM chime.job j WHERE j.job_id > p_from ORDER BY j.job_id LIMIT p_limit);
    DELETE FROM chime.job_day d WHERE d.job_id = ANY (v_jobs) AND d.day < v_today - 400;
    INSERT INTO chime.job_day AS d (job_id, day, runs, succeeded, failed, skipped, missed, busy_us, p50_us, p95_us, max_us, late_p95_us)
    SELECT w.job_id, w.day, coalesce(h.runs, 0), coalesce(h.succeeded, 0), coalesce(h.failed, 0), coalesce(h.skipped, 0),
           coalesce(m.missed, 0), coalesce(h.busy_us, 0), h.took[1], h.took[2], h.max_us, h.late_p95_us
    FROM (SELECT j.job_id, v_day - n AS day FROM unnest(v_jobs) AS j (job_id) CROSS JOIN generate_series(0, 1) AS n) w
    CROSS JOIN LATERAL (
        SELECT count(*) FILTER (WHERE o.state <> 'skipped') AS runs, count(*) FILTER (WHERE o.state = 'succeeded') AS succeeded,
               count(*) FILTER (WHERE o.state IN ('failed', 'timed_out', 'lost')) AS failed, count(*) FILTER (WHERE o.state = 'skipped') AS skipped,
               sum(o.took)::bigint AS busy_us, percentile_disc(ARRAY[0.5, 0.95]) WITHIN GROUP (ORDER BY o.took) AS took, max(o.took) AS max_us,
               percentile_disc(0.95) WITHIN GROUP (ORDER BY o.late) AS late_p95_us
        FROM (SELECT x.state, (extract(epoch FROM x.finished_at - x.started_at) * 1000000)::bigint AS took,
                     CASE WHEN x.kind = 'schedule' AND x.attempt = 1
                          THEN greatest((extract(epoch FROM x.started_at - x.slot) * 1000000)::bigint, 0) END AS late
              FROM chime.run_history x WHERE x.job_id = w.job_id AND x.slot >= w.day::timestamptz AND x.slot < (w.day + 1)::timestamptz) o) h
    CROSS JOIN LATERAL (
        SELECT sum(s.slots)::bigint AS missed FROM chime.missed s
         WHERE s.job_id = w.job_id AND s.last_slot >= w.day::timestamptz AND s.last_slot < (w.day + 1)::timestamptz) m
    WHERE h.runs > 0 OR h.skipped > 0 OR m.missed > 0
    ON CONFLICT (job_id, day) DO UPDATE
       SET runs = excluded.runs, succeeded = excluded.succeeded, failed = excluded.failed, skipped = excluded.skipped, missed = excluded.missed,
           busy_us = excluded.busy_us, p50_us = excluded.p50_us, p95_us = excluded.p95_us, max_us = excluded.max_us, late_p95_us = excluded.late_p95_us
     WHERE (excluded.runs + excluded.skipped + excluded.missed) > (d.runs + d.skipped + d.missed); -- a job may keep its history for less
    IF cardinality(v_jobs) = p_limit THEN
        RETURN v_jobs[p_limit];
    END IF;
    UPDATE chime.totals SET next_day = v_day + 1;
    RETURN CASE WHEN v_day + 1 < v_today THEN 0 END;
END $$;
COMMENT ON FUNCTION chime.sum_days IS 'sums days up into chime.job_day, p_limit jobs at a time; from which job there is more to do, or NULL';

-- --- what the leader alone knows -------------------------------------------------------------------------------------

CREATE OR REPLACE FUNCTION chime.is_watched() RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$ -- keeps its plan: the leader asks it each second
BEGIN
    RETURN EXISTS (SELECT FROM pg_stat_get_activity(NULL) AS a WHERE a.application_name = 'pgchime web' AND a.datid = chime.database_number());
END $$;
COMMENT ON FUNCTION chime.is_watched IS 'whether a session of `pgchime web` is there';

-- p_pulse: the columns of chime.pulse but for epoch and at.
CREATE OR REPLACE FUNCTION chime.note_pulse(p_token uuid, p_pulse jsonb) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET lock_timeout = '50ms' AS $$
DECLARE v_epoch bigint := chime.require_leader(p_token);
BEGIN
    PERFORM chime.commit_locally();
    UPDATE chime.pulse p
       SET at = clock_timestamp(), epoch = v_epoch, jobs = g.jobs, waiting = g.waiting, oldest_due = g.oldest_due, waits = g.waits,
           sessions = g.sessions, sessions_most = g.sessions_most, pools = g.pools, next_slots = g.next_slots, loop_lag_us = g.loop_lag_us,
           cpu_us = g.cpu_us, resident_bytes = g.resident_bytes, started_at = g.started_at
      FROM jsonb_populate_record(NULL::chime.pulse, p_pulse) AS g
     WHERE p.only_row;
END $$;
COMMENT ON FUNCTION chime.note_pulse IS 'what the leader alone knows, as it is now';
