-- SPDX-License-Identifier: PostgreSQL
-- Runs: claimed, run, ended, skipped, missed, repeated. Claims and ends count, and mind suspensions; leadership.sql
-- says how these functions are written.

-- Beside those of leadership.sql, which need none of the columns above.
-- chime.claim and chime.finish index their arrays: unnest would put every column of a batch in a store of its own,
-- which is a tenth of what a run costs.

-- As chime.job_state.recent has it. Without SET it becomes part of the plan.
CREATE OR REPLACE FUNCTION chime.outcome_code(p_state chime.run_state) RETURNS bigint
LANGUAGE sql IMMUTABLE
RETURN CASE p_state WHEN 'succeeded' THEN 1 WHEN 'failed' THEN 2 WHEN 'timed_out' THEN 3 WHEN 'cancelled' THEN 4
                    WHEN 'skipped' THEN 5 WHEN 'missed' THEN 6 ELSE 7 END;
COMMENT ON FUNCTION chime.outcome_code IS 'of an outcome, in chime.job_state.recent';

-- Of many slots at once.
CREATE OR REPLACE FUNCTION chime.add_outcomes(p_recent bigint, p_older bigint, p_state chime.run_state, p_slots bigint,
                                   OUT recent bigint, OUT recent_older bigint)
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    recent := p_recent;
    recent_older := p_older;
    FOR n IN 1 .. least(p_slots, 32) LOOP
        recent_older := (recent_older << 4) | ((recent >> 60) & 15);
        recent := (recent << 4) | chime.outcome_code(p_state);
    END LOOP;
END $$;
COMMENT ON FUNCTION chime.add_outcomes IS 'chime.job_state.recent and recent_older after so many slots of one outcome';

-- Claims runs for named sessions. At most one run of a job in a call. Grants a row with job_id and run_id; a job whose
-- version, activity or cursor is not the expected one is left out, and the caller looks at it again. One that is
-- suspended is refused whatever the kind, unless somebody asked for that run in spite of it, with a row that says by
-- whom and why: the caller may not have heard of it yet. A slot that ran already while the clock was ahead is decided
-- by it, without a run and with a row that has `ahead`. Nobody asks for runs of kind event (a notification, whose
-- payload is $1 of the text) and change (the sources of a view changed): the leader alone knows what woke them, so they
-- have no row in chime.request, leave the cursor where it is, and have to find the job active.
CREATE OR REPLACE FUNCTION chime.claim(p_token uuid, p_job bigint[], p_version integer[], p_kind chime.run_kind[],
                            p_slot timestamptz[], p_cursor timestamptz[], p_pid integer[],
                            p_backend_start timestamptz[])
RETURNS TABLE (job_id bigint, run_id bigint, suspended bigint, reason text, ahead bigint)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_nestloop = off
SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
DECLARE
    v_epoch bigint := chime.require_leader(p_token);
    v_granted bigint;
BEGIN
    RETURN QUERY
    WITH wanted AS (
        SELECT w.job_id, p_version[n] AS version, p_kind[n] AS kind, p_slot[n] AS slot, p_cursor[n] AS cursor,
               p_pid[n] AS pid, p_backend_start[n] AS backend_start,
               p_kind[n] = 'schedule' OR p_kind[n] = 'dependency' AS moves,
               p_kind[n] = 'event' OR p_kind[n] = 'change' AS wakes
        FROM unnest(p_job) WITH ORDINALITY AS w (job_id, n)
    ), granted AS (
        UPDATE chime.job_state s
           SET last_slot = CASE WHEN w.moves THEN w.slot ELSE s.last_slot END,
               cursor_skipped = s.cursor_skipped AND NOT w.moves, last_start = clock_timestamp()
          FROM wanted w JOIN chime.job j ON j.job_id = w.job_id AND j.version = w.version
         WHERE s.job_id = ANY (p_job) AND j.job_id = ANY (p_job) AND s.job_id = w.job_id
           AND CASE WHEN s.suspended_at IS NULL THEN true
                    ELSE (SELECT bool_or(q.forced) FROM chime.request q
                          WHERE q.job_id = w.job_id AND q.kind = w.kind AND q.slot = w.slot) END
           AND (j.active OR NOT (w.moves OR w.wakes)) AND (s.last_slot = w.cursor OR NOT w.moves)
        RETURNING 'run' AS verb, w.job_id, w.kind, w.slot, w.pid, w.backend_start, w.moves OR w.wakes AS unasked,
                  w.kind = 'schedule' AND w.slot <@ s.ahead AS ahead
    ), asked AS (
        DELETE FROM chime.request q USING granted g
         WHERE q.job_id = ANY (p_job) AND NOT g.unasked AND q.job_id = g.job_id AND q.verb = g.verb AND q.kind = g.kind AND q.slot = g.slot
        RETURNING q.job_id, q.run_id
    )
    INSERT INTO chime.run AS r (run_id, job_id, kind, slot, token, epoch, pid, backend_start)
    SELECT coalesce(a.run_id, nextval('chime.run_id')), g.job_id, g.kind, g.slot, p_token, v_epoch, g.pid, g.backend_start
    FROM granted g LEFT JOIN asked a ON a.job_id = g.job_id
    WHERE NOT g.ahead AND (g.unasked OR a.job_id IS NOT NULL)
    RETURNING r.job_id, r.run_id, NULL::bigint, NULL::text, NULL::bigint;
    GET DIAGNOSTICS v_granted = ROW_COUNT;
    IF v_granted < cardinality(p_job) THEN
        RETURN QUERY
        SELECT NULL::bigint, NULL::bigint, s.job_id, chime.told('suspended', s.suspended_by, s.suspend_reason), NULL::bigint
        FROM chime.job_state s WHERE s.job_id = ANY (p_job) AND s.suspended_at IS NOT NULL
        UNION ALL
        SELECT NULL, NULL, NULL, NULL, s.job_id
        FROM unnest(p_job, p_kind, p_slot) AS w (job_id, kind, slot) JOIN chime.job_state s ON s.job_id = w.job_id
        WHERE s.job_id = ANY (p_job) AND w.kind = 'schedule' AND s.last_slot = w.slot AND w.slot <@ s.ahead;
    END IF;
END $$;
COMMENT ON ROUTINE chime.claim IS 'the leader makes runs live, each for a named session; returns those that were granted';

-- The runs of backfills among those that chime.finish ends: nothing of their job's state follows from them, so that no
-- alert, no suspension and no job that comes after is about what was long ago. All of them go to the history.
CREATE OR REPLACE FUNCTION chime.finish_backfilled(p_token uuid, p_job bigint[], p_kind chime.run_kind[], p_slot timestamptz[], p_state chime.run_state[],
                                        p_started timestamptz[], p_finished timestamptz[], p_rows bigint[], p_sqlstate text[], p_message text[],
                                        p_reason text[])
RETURNS TABLE (job_id bigint, state chime.run_state)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
#variable_conflict use_column
DECLARE
    v_run chime.run;
BEGIN
    FOR n IN 1 .. cardinality(p_job) LOOP
        CONTINUE WHEN p_kind[n] <> 'backfill';
        DELETE FROM chime.run r WHERE r.job_id = p_job[n] AND r.kind = 'backfill' AND r.slot = p_slot[n] AND r.token = p_token RETURNING r.* INTO v_run;
        CONTINUE WHEN NOT FOUND;
        job_id := p_job[n];
        state := CASE WHEN v_run.done_at IS NULL THEN p_state[n] ELSE 'succeeded' END;
        INSERT INTO chime.run_history (run_id, job_id, kind, slot, state, attempt, pid, epoch, claimed_at, started_at, finished_at, rows, sqlstate, message, reason)
        VALUES (v_run.run_id, v_run.job_id, v_run.kind, v_run.slot, state, v_run.attempt, v_run.pid, v_run.epoch, v_run.claimed_at, p_started[n],
                p_finished[n], p_rows[n], p_sqlstate[n], p_message[n], p_reason[n])
        ON CONFLICT (job_id, kind, slot) DO NOTHING;
        PERFORM chime.count_backfilled(job_id, state);
        RETURN NEXT;
    END LOOP;
END $$;
COMMENT ON FUNCTION chime.finish_backfilled IS 'moves runs of backfills that ended into the history, and counts them in their backfill';

-- Ends runs that the daemon watched to their end. Returns those that were this leader's, and as what they ended: what
-- was committed succeeded, whatever the daemon heard. p_log: what of it goes to the
-- history, as the option log_runs says; everything is counted. p_outcome_at: when each outcome came about for those
-- that come after it, as the leader decided: when the run ended, unless the clock was stepped back since. Then it is
-- later than all that was decided before.
CREATE OR REPLACE FUNCTION chime.finish(p_token uuid, p_job bigint[], p_kind chime.run_kind[], p_slot timestamptz[],
                             p_state chime.run_state[], p_started timestamptz[], p_finished timestamptz[],
                             p_rows bigint[], p_sqlstate text[], p_message text[], p_reason text[], p_log text[],
                             p_outcome_at timestamptz[] DEFAULT NULL)
RETURNS TABLE (job_id bigint, state chime.run_state)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_nestloop = off
SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
DECLARE
    v_first timestamptz := (SELECT min(x) FROM unnest(p_slot) AS x);
    v_log text[];
    v_jobs bigint[];
    v_states chime.run_state[];
BEGIN
    IF 'backfill' = ANY (p_kind) THEN
        RETURN QUERY SELECT f.job_id, f.state
        FROM chime.finish_backfilled(p_token, p_job, p_kind, p_slot, p_state, p_started, p_finished, p_rows, p_sqlstate, p_message, p_reason) AS f;
    END IF;
    LOOP
        BEGIN
            WITH ended AS (
                SELECT e.job_id, p_kind[n] AS kind, p_slot[n] AS slot, p_state[n] AS state, p_started[n] AS started_at,
                       p_finished[n] AS finished_at, p_rows[n] AS rows, p_sqlstate[n] AS sqlstate, p_message[n] AS message,
                       p_reason[n] AS reason, p_log[n] AS log, coalesce(p_outcome_at[n], p_finished[n]) AS outcome_at
                FROM unnest(p_job) WITH ORDINALITY AS e (job_id, n)
            ), taken AS (
                DELETE FROM chime.run r USING ended e
                 WHERE r.job_id = ANY (p_job) AND r.slot >= v_first AND r.job_id = e.job_id AND r.kind = e.kind AND r.slot = e.slot
                   AND r.token = p_token
                RETURNING r.run_id, r.job_id, r.kind, r.slot,
                          CASE WHEN r.done_at IS NULL THEN e.state ELSE 'succeeded' END AS state, r.attempt, r.pid, r.epoch,
                          r.claimed_at, e.started_at, e.finished_at, e.rows, e.sqlstate, e.message, e.reason, e.log, e.outcome_at,
                          date_part('epoch', e.finished_at - e.started_at) * 1000000 AS took -- extract would count in numeric
            ), kept AS (
                INSERT INTO chime.run_history (run_id, job_id, kind, slot, state, attempt, pid, epoch, claimed_at, started_at,
                                               finished_at, rows, sqlstate, message, reason)
                SELECT t.run_id, t.job_id, t.kind, t.slot, t.state, t.attempt, t.pid, t.epoch, t.claimed_at, t.started_at,
                       t.finished_at, t.rows, t.sqlstate, t.message, t.reason
                FROM taken t
                WHERE t.log = 'all' OR (t.log = 'errors' AND t.state <> 'succeeded')
            ), counted AS (
                UPDATE chime.job_state s
                   SET last_end = t.finished_at, last_outcome = t.state, outcome_at = t.outcome_at,
                       missed_after = t.kind = 'schedule' AND s.missed_at > t.slot
                                      AND EXISTS (SELECT FROM chime.missed m
                                                  WHERE m.job_id = t.job_id AND m.first_slot > t.slot AND m.first_slot <= t.finished_at),
                       last_duration_us = t.took,
                       last_success = CASE WHEN t.state = 'succeeded' THEN t.finished_at ELSE s.last_success END,
                       consecutive_failures = CASE WHEN t.state = 'succeeded' THEN 0
                                                   WHEN t.state IN ('failed', 'timed_out', 'lost') THEN s.consecutive_failures + 1
                                                   ELSE s.consecutive_failures END,
                       runs = s.runs + 1,
                       successes = s.successes + CASE WHEN t.state = 'succeeded' THEN 1 ELSE 0 END,
                       failures = s.failures + CASE WHEN t.state IN ('failed', 'timed_out', 'lost') THEN 1 ELSE 0 END,
                       skips = s.skips + CASE WHEN t.state = 'skipped' THEN 1 ELSE 0 END,
                       skipped_in_a_row = CASE WHEN t.state = 'skipped' THEN s.skipped_in_a_row + 1 ELSE 0 END,
                       last_rows = CASE WHEN t.state = 'succeeded' THEN t.rows ELSE s.last_rows END,
                       typical_us = CASE WHEN t.state = 'succeeded'
                                         THEN coalesce(s.typical_us + (t.took - s.typical_us) / 8, t.took, s.typical_us) ELSE s.typical_us END,
                       spread_us = CASE WHEN t.state = 'succeeded'
                                        THEN coalesce(s.spread_us + (abs(t.took - s.typical_us) - s.spread_us) / 4, s.spread_us, 0)
                                        ELSE s.spread_us END,
                       recent = (s.recent << 4) | chime.outcome_code(t.state),
                       recent_older = (s.recent_older << 4) | ((s.recent >> 60) & 15)
                  FROM taken t
                 WHERE s.job_id = ANY (p_job) AND s.job_id = t.job_id
                RETURNING s.job_id, t.state
            )
            SELECT array_agg(c.job_id), array_agg(c.state) INTO v_jobs, v_states FROM counted c;
            EXIT;
        EXCEPTION WHEN unique_violation THEN
            -- A slot ran already, while the clock was ahead: the row that the history has of it stays. That is rare.
            -- With ON CONFLICT each row would cost 48 bytes of WAL more.
            v_log := ARRAY(SELECT CASE WHEN EXISTS (SELECT FROM chime.run_history h
                                                    WHERE h.job_id = w.job_id AND h.kind = p_kind[n] AND h.slot = p_slot[n] OFFSET 0)
                                       THEN 'off' ELSE p_log[n] END
                           FROM unnest(p_job) WITH ORDINALITY AS w (job_id, n) ORDER BY n);
            IF v_log = p_log THEN
                RAISE;
            END IF;
            p_log := v_log;
        END;
    END LOOP;
    RETURN QUERY SELECT c.job_id, v_states[c.n] FROM unnest(v_jobs) WITH ORDINALITY AS c (job_id, n);
END $$;
COMMENT ON ROUTINE chime.finish IS 'the leader moves runs that ended into the history, with state, rows and message';

-- Slots of a schedule and decisions of joins that a policy decided against: one history row each unless p_log says off,
-- and the cursor moves past them. A job's rows join one to the next: the smallest p_cursor is where its cursor must
-- stand, the largest slot where it moves to. p_at: when that was decided.
CREATE OR REPLACE FUNCTION chime.skip(p_token uuid, p_job bigint[], p_kind chime.run_kind[], p_cursor timestamptz[],
                           p_slot timestamptz[], p_at timestamptz[], p_reason text[], p_outcome boolean[], p_log text[])
RETURNS TABLE (job_id bigint)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_nestloop = off
SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
DECLARE v_epoch bigint := chime.require_leader(p_token);
BEGIN
    RETURN QUERY
    WITH passed AS (
        SELECT * FROM unnest(p_job, p_kind, p_cursor, p_slot, p_at, p_reason, p_outcome, p_log)
               AS p (job_id, kind, cursor, slot, at, reason, outcome, log)
    ), jump AS (
        SELECT p.job_id, min(p.cursor) AS cursor, max(p.slot) AS slot, bool_or(p.kind = 'dependency') AS joins,
               max(p.at) FILTER (WHERE p.outcome) AS outcome_at, count(*) AS slots
        FROM passed p GROUP BY p.job_id
    ), moved AS (
        UPDATE chime.job_state s
           SET last_slot = j.slot, cursor_skipped = s.cursor_skipped OR j.joins, skips = s.skips + j.slots,
               skipped_in_a_row = s.skipped_in_a_row + j.slots,
               (recent, recent_older) = (SELECT o.recent, o.recent_older FROM chime.add_outcomes(s.recent, s.recent_older, 'skipped', j.slots) AS o),
               last_outcome = CASE WHEN j.outcome_at IS NOT NULL THEN 'skipped' ELSE s.last_outcome END,
               outcome_at = coalesce(j.outcome_at, s.outcome_at), missed_after = s.missed_after AND j.outcome_at IS NULL
          FROM jump j WHERE s.job_id = ANY (p_job) AND s.job_id = j.job_id AND s.last_slot = j.cursor
        RETURNING s.job_id
    ), kept AS (
        INSERT INTO chime.run_history (run_id, job_id, kind, slot, state, attempt, epoch, finished_at, reason)
        SELECT nextval('chime.run_id'), p.job_id, p.kind, p.slot, 'skipped', 0, v_epoch, p.at, p.reason
        FROM passed p JOIN moved m ON m.job_id = p.job_id
        WHERE p.log <> 'off'
        ON CONFLICT (job_id, kind, slot) DO NOTHING -- it ran already, while the clock was ahead
    )
    SELECT m.job_id FROM moved m;
END $$;
COMMENT ON FUNCTION chime.skip IS 'p_outcome: the skip counts as the job''s outcome for those that come after it';

-- Takes unfinished runs over: those that are done go to the history as succeeded; of the others, p_again is true for
-- those that get another attempt (p_retry_at), false for those whose outcome cannot be known. A run that was only
-- waiting for its retry keeps its attempt. What is kept of them, the job's log_runs says. p_at: when the leader decided
-- that; p_outcome_at: when those that come after got to know each outcome (NULL: at p_at). The history says when a run
-- was done.
CREATE OR REPLACE FUNCTION chime.adopt(p_token uuid, p_job bigint[], p_run bigint[], p_again boolean[], p_retry_at timestamptz[],
                            p_reason text[], p_at timestamptz, p_outcome_at timestamptz[] DEFAULT NULL)
RETURNS TABLE (run_id bigint, ended chime.run_state, kind chime.run_kind, slot timestamptz, attempt smallint, started_at timestamptz,
               finished_at timestamptz)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_nestloop = off
SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
DECLARE v_epoch bigint := chime.require_leader(p_token);
BEGIN
    RETURN QUERY
    WITH verdict AS (
        SELECT v.*, r.job_id, coalesce(j.options ->> 'log_runs', 'all') AS log
        FROM unnest(p_run, p_again, p_retry_at, p_reason, p_outcome_at) AS v (run_id, again, retry_at, reason, outcome_at)
        JOIN (SELECT o.run_id, o.job_id FROM chime.run o WHERE o.job_id = ANY (p_job) OFFSET 0) r ON r.run_id = v.run_id -- in no other order
        LEFT JOIN (SELECT k.job_id, k.options FROM chime.job k WHERE k.job_id = ANY (p_job)) j ON j.job_id = r.job_id
    ), noted AS (
        INSERT INTO chime.attempt (job_id, kind, slot, attempt, run_id, state, pid, epoch, finished_at, message)
        SELECT r.job_id, r.kind, r.slot, r.attempt, r.run_id, 'lost', r.pid, r.epoch, p_at, v.reason
        FROM chime.run r JOIN verdict v USING (run_id)
        WHERE r.job_id = ANY (p_job) AND v.again AND r.pid IS NOT NULL AND r.done_at IS NULL AND v.log <> 'off'
    ), again AS (
        UPDATE chime.run r
           SET token = p_token, epoch = v_epoch, retry_at = v.retry_at, pid = NULL, backend_start = NULL,
               attempt = r.attempt + CASE WHEN r.pid IS NULL THEN 0 ELSE 1 END
          FROM verdict v WHERE r.job_id = ANY (p_job) AND r.run_id = v.run_id AND v.again AND r.done_at IS NULL
        RETURNING r.run_id
    ), ended AS (
        DELETE FROM chime.run r USING verdict v
         WHERE r.job_id = ANY (p_job) AND r.run_id = v.run_id AND (NOT v.again OR r.done_at IS NOT NULL)
        RETURNING r.*, v.reason, v.log, coalesce(v.outcome_at, p_at) AS outcome_at, coalesce(r.done_at, p_at) AS finished_at,
                  (CASE WHEN r.done_at IS NULL THEN 'lost' ELSE 'succeeded' END)::chime.run_state AS state
    ), kept AS (
        INSERT INTO chime.run_history (run_id, job_id, kind, slot, state, attempt, pid, epoch, claimed_at, started_at,
                                       finished_at, rows, message, reason)
        SELECT e.run_id, e.job_id, e.kind, e.slot, e.state, e.attempt, e.pid, e.epoch, e.claimed_at, e.started_at,
               e.finished_at, e.rows, e.message, CASE WHEN e.done_at IS NULL THEN e.reason END
        FROM ended e
        WHERE e.log = 'all' OR (e.log = 'errors' AND e.state <> 'succeeded')
        ON CONFLICT (job_id, kind, slot) DO NOTHING
    ), state AS (
        UPDATE chime.job_state s
           SET last_end = p_at, last_outcome = e.state,
               outcome_at = greatest(e.outcome_at, s.missed_at + interval '1 microsecond'),
               missed_after = e.kind = 'schedule' AND s.missed_at > e.slot AND chime.missed_after(e.job_id, e.slot, p_at),
               last_success = CASE WHEN e.state = 'succeeded' THEN e.finished_at ELSE s.last_success END,
               consecutive_failures = CASE WHEN e.state = 'succeeded' THEN 0 ELSE s.consecutive_failures + 1 END,
               runs = s.runs + 1,
               successes = s.successes + CASE WHEN e.state = 'succeeded' THEN 1 ELSE 0 END,
               failures = s.failures + CASE WHEN e.state = 'succeeded' THEN 0 ELSE 1 END,
               recent = (s.recent << 4) | chime.outcome_code(e.state), recent_older = (s.recent_older << 4) | ((s.recent >> 60) & 15)
          FROM ended e WHERE s.job_id = ANY (p_job) AND s.job_id = e.job_id AND e.kind <> 'backfill'
    ), backfilled AS (
        UPDATE chime.slot_backfill b
           SET done = b.done + CASE e.state WHEN 'succeeded' THEN 1 ELSE 0 END, failed = b.failed + CASE e.state WHEN 'succeeded' THEN 0 ELSE 1 END
          FROM ended e WHERE e.kind = 'backfill' AND b.job_id = e.job_id AND b.ended_at IS NULL
    )
    SELECT a.run_id, NULL::chime.run_state, NULL::chime.run_kind, NULL::timestamptz, NULL::smallint, NULL::timestamptz, NULL::timestamptz FROM again a
    UNION ALL SELECT e.run_id, e.state, e.kind, e.slot, e.attempt, e.started_at, e.finished_at FROM ended e;
END $$;
COMMENT ON FUNCTION chime.adopt IS
    'what became of each run: its final state, NULL when it has another attempt; a run that was committed meanwhile succeeded';

-- A further attempt of live runs, for named sessions. Returns the jobs granted, and their runs.
CREATE OR REPLACE FUNCTION chime.reclaim(p_token uuid, p_job bigint[], p_kind chime.run_kind[], p_slot timestamptz[],
                              p_pid integer[], p_backend_start timestamptz[])
RETURNS TABLE (job_id bigint, run_id bigint)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_nestloop = off
SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
BEGIN
    PERFORM chime.require_leader(p_token);
    RETURN QUERY
    UPDATE chime.run r
       SET pid = w.pid, backend_start = w.backend_start, retry_at = NULL, claimed_at = clock_timestamp()
      FROM unnest(p_job, p_kind, p_slot, p_pid, p_backend_start) AS w (job_id, kind, slot, pid, backend_start)
     WHERE r.job_id = ANY (p_job) AND r.job_id = w.job_id AND r.kind = w.kind AND r.slot = w.slot AND r.token = p_token AND r.done_at IS NULL
    RETURNING r.job_id, r.run_id;
END $$;
COMMENT ON ROUTINE chime.reclaim IS 'a further attempt of live runs, for named sessions; returns the jobs granted and their runs';

-- Claimed runs whose text never went out are let go: they wait for a session, ours or the next leader's, from p_at on.
CREATE OR REPLACE FUNCTION chime.release(p_token uuid, p_job bigint[], p_kind chime.run_kind[], p_slot timestamptz[], p_at timestamptz)
RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_nestloop = off
BEGIN ATOMIC
    UPDATE chime.run r SET pid = NULL, backend_start = NULL, retry_at = p_at
      FROM unnest(p_job, p_kind, p_slot) AS w (job_id, kind, slot)
     WHERE r.job_id = ANY (p_job) AND r.job_id = w.job_id AND r.kind = w.kind AND r.slot = w.slot AND r.token = p_token AND r.done_at IS NULL;
END;
COMMENT ON ROUTINE chime.release IS 'claimed runs whose text never went out wait for a session again';

-- Marks a run as succeeded in the transaction that did its work; raises when the run is not ours, so that nothing of it
-- is committed. The leader moves it to the history with its next batch, whichever leader that is: a batch costs a tenth
-- of what moving it here would.
CREATE OR REPLACE FUNCTION chime.finish_own(p_token uuid, p_job bigint, p_kind chime.run_kind, p_slot timestamptz,
                                 p_started timestamptz, p_rows bigint, p_message text)
RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
BEGIN
    UPDATE chime.run r SET started_at = p_started, done_at = clock_timestamp(), rows = p_rows, message = p_message
     WHERE r.job_id = p_job AND r.kind = p_kind AND r.slot = p_slot AND r.token = p_token AND r.done_at IS NULL;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'run of job % at % is not this leader''s', p_job, p_slot USING ERRCODE = 'CH003';
    END IF;
    RETURN true;
END $$;
COMMENT ON ROUTINE chime.finish_own IS 'marks a run as succeeded in the transaction that did its work; raises when the run is not ours';

-- The text of a run that has a use for its slot, for chime.perform, which explains the arguments. Returns its rows.
-- As there, no SET clause: the settings and the text are the session's.
CREATE OR REPLACE FUNCTION chime.perform_slot(p_text text, p_reads boolean, p_payload text, p_slot_values text[]) RETURNS bigint
LANGUAGE plpgsql AS $$
DECLARE
    v_names pg_catalog.text[] := ARRAY['slot', 'previous_slot', 'interval_start', 'interval_end', 'run_id', 'attempt', 'payload'];
    v_values pg_catalog.text[] := pg_catalog.array_append(p_slot_values, p_payload);
    v_slot pg_catalog.timestamptz := p_slot_values[1];
    v_previous_slot pg_catalog.timestamptz := p_slot_values[2];
    v_interval_start pg_catalog.timestamptz := p_slot_values[3];
    v_interval_end pg_catalog.timestamptz := p_slot_values[4];
    v_run_id bigint := p_slot_values[5];
    v_attempt integer := p_slot_values[6];
    v_rows bigint := 0;
    v_row record;
BEGIN
    FOR n IN 1 .. 7 LOOP
        PERFORM pg_catalog.set_config(pg_catalog.concat('chime.', v_names[n]), coalesce(v_values[n], ''), true);
    END LOOP;
    IF p_reads THEN
        FOR v_row IN EXECUTE p_text USING p_payload, v_slot, v_previous_slot, v_interval_start, v_interval_end, v_run_id, v_attempt LOOP
            v_rows := v_rows OPERATOR(pg_catalog.+) 1;
        END LOOP;
    ELSE
        EXECUTE p_text USING p_payload, v_slot, v_previous_slot, v_interval_start, v_interval_end, v_run_id, v_attempt;
        GET DIAGNOSTICS v_rows = ROW_COUNT;
    END IF;
    RETURN v_rows;
END $$;
COMMENT ON ROUTINE chime.perform_slot IS 'runs the text of a transactional run that has a use for its slot; returns its rows';

-- A transactional text and its end, as one statement and so as one transaction: the text cannot leave it (the server
-- refuses transaction commands here), and it is bound, so that no open comment of its own can swallow the end.
-- p_reads: the text is one query, whose rows are counted and dropped as they come instead of being collected.
-- p_payload: $1 of the text, in each of its statements; a text that has no use for it is none the wiser.
-- p_slot_values: $2 to $7 of the text, where it has a use for them: slot, previous_slot, interval_start, interval_end,
-- run_id, attempt. They and the payload are settings then, too, until the transaction ends.
-- No SET clause: the text sees the role's own settings; hence the qualified names and operators behind it.
-- `residue`: the session is left with what only DISCARD ALL removes, or without what the daemon prepared in it.
-- Calls are assignments because PL/pgSQL then evaluates them without a query of their own.
CREATE OR REPLACE FUNCTION chime.perform(p_token uuid, p_job bigint, p_kind chime.run_kind, p_slot timestamptz, p_lock_timeout text,
                              p_text text, p_reads boolean, p_payload text, p_slot_values text[] DEFAULT NULL,
                              OUT rows bigint, OUT residue boolean)
LANGUAGE plpgsql AS $$
DECLARE
    v_start timestamptz := pg_catalog.clock_timestamp();
    v_user pg_catalog.name := session_user;
    v_row record;
    v_done boolean;
BEGIN
    IF p_lock_timeout IS NOT NULL THEN
        PERFORM pg_catalog.set_config('lock_timeout', p_lock_timeout, true);
    END IF;
    rows := 0;
    IF p_slot_values IS NOT NULL THEN
        rows := chime.perform_slot(p_text, p_reads, p_payload, p_slot_values);
    ELSIF p_reads THEN
        FOR v_row IN EXECUTE p_text USING p_payload LOOP
            rows := rows OPERATOR(pg_catalog.+) 1;
        END LOOP;
    ELSE
        EXECUTE p_text USING p_payload;
        GET DIAGNOSTICS rows = ROW_COUNT;
    END IF;
    IF current_user OPERATOR(pg_catalog.<>) v_user THEN
        SET SESSION AUTHORIZATION DEFAULT; -- the text took another role, which has no business in the ledger
    END IF;
    v_done := chime.finish_own(p_token, p_job, p_kind, p_slot, v_start, rows, NULL);
    v_done := pg_catalog.pg_advisory_unlock_all() IS NULL;
    UNLISTEN *;
    DISCARD SEQUENCES;
    residue := pg_catalog.pg_my_temp_schema() OPERATOR(pg_catalog.<>) 0
               OR (SELECT pg_catalog.bool_or(NOT pg_catalog.starts_with(s.name, 'chime_'))
                          OR NOT pg_catalog.bool_or(s.name OPERATOR(pg_catalog.=) 'chime_perform')
                   FROM pg_catalog.pg_prepared_statement() s) IS DISTINCT FROM false
               OR EXISTS (SELECT FROM pg_catalog.pg_cursor() c WHERE c.is_holdable);
END $$;
COMMENT ON ROUTINE chime.perform IS 'runs a transactional job and writes its end down, as one statement';

-- Attempts that failed and will be followed by another; noted unless p_log says off. Returns the jobs whose run was
-- this leader's.
CREATE OR REPLACE FUNCTION chime.retry(p_token uuid, p_job bigint[], p_kind chime.run_kind[], p_slot timestamptz[],
                            p_state chime.run_state[], p_started timestamptz[], p_finished timestamptz[],
                            p_sqlstate text[], p_message text[], p_retry_at timestamptz[], p_log text[])
RETURNS TABLE (job_id bigint)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_nestloop = off
SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH failed AS (
        SELECT * FROM unnest(p_job, p_kind, p_slot, p_state, p_started, p_finished, p_sqlstate, p_message, p_retry_at, p_log)
               AS f (job_id, kind, slot, state, started_at, finished_at, sqlstate, message, retry_at, log)
    ), noted AS (
        INSERT INTO chime.attempt (job_id, kind, slot, attempt, run_id, state, pid, epoch, started_at, finished_at,
                                   sqlstate, message)
        SELECT r.job_id, r.kind, r.slot, r.attempt, r.run_id, f.state, r.pid, r.epoch, f.started_at, f.finished_at,
               f.sqlstate, f.message
        FROM chime.run r JOIN failed f ON r.job_id = f.job_id AND r.kind = f.kind AND r.slot = f.slot
        WHERE r.job_id = ANY (p_job) AND r.token = p_token AND r.done_at IS NULL AND f.log <> 'off'
    )
    UPDATE chime.run r SET attempt = r.attempt + 1, pid = NULL, backend_start = NULL, retry_at = f.retry_at
      FROM failed f
     WHERE r.job_id = ANY (p_job) AND r.job_id = f.job_id AND r.kind = f.kind AND r.slot = f.slot AND r.token = p_token AND r.done_at IS NULL
    RETURNING r.job_id;
END $$;
COMMENT ON ROUTINE chime.retry IS 'an attempt failed and another is to follow: writes the attempt down, and when the next one may begin';

-- One row for each stretch and reason of a job; joined as in chime.skip. p_at: when that was decided.
CREATE OR REPLACE FUNCTION chime.miss(p_token uuid, p_job bigint[], p_cursor timestamptz[], p_first timestamptz[],
                           p_last timestamptz[], p_slots bigint[], p_reason text[], p_at timestamptz[])
RETURNS TABLE (job_id bigint)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_nestloop = off
SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
DECLARE v_epoch bigint := chime.require_leader(p_token);
BEGIN
    RETURN QUERY
    WITH gap AS (
        SELECT * FROM unnest(p_job, p_cursor, p_first, p_last, p_slots, p_reason, p_at)
               AS g (job_id, cursor, first_slot, last_slot, slots, reason, at)
    ), jump AS (
        SELECT g.job_id, min(g.cursor) AS cursor, max(g.last_slot) AS slot, max(g.at) AS at, sum(g.slots)::bigint AS slots
        FROM gap g GROUP BY g.job_id
    ), moved AS (
        UPDATE chime.job_state s
           SET last_slot = j.slot, missed_at = j.at,
               (recent, recent_older) = (SELECT o.recent, o.recent_older FROM chime.add_outcomes(s.recent, s.recent_older, 'missed', j.slots) AS o)
          FROM jump j WHERE s.job_id = ANY (p_job) AND s.job_id = j.job_id AND s.last_slot = j.cursor
        RETURNING s.job_id
    ), kept AS (
        INSERT INTO chime.missed (job_id, first_slot, last_slot, slots, reason, epoch)
        SELECT g.job_id, g.first_slot, g.last_slot, g.slots, g.reason, v_epoch FROM gap g JOIN moved m USING (job_id)
    )
    SELECT m.job_id FROM moved m;
END $$;
COMMENT ON ROUTINE chime.miss IS 'writes slots that nobody is to run: one row for each stretch and reason of a job';

-- Live runs that no session of this leader works on: claimed by an earlier leader, or for a session that is gone. A
-- session of an earlier leader that is still there is ended (or, without the right to, waited for): until it is `gone`
-- nothing may be said of its run. p_known: sessions this leader holds.
-- A page: the live runs of the jobs that follow job p_from, p_limit runs and what else the last of these jobs has.
-- Where more may follow, a last row has the job_id to go on from, and no run.
CREATE OR REPLACE FUNCTION chime.unfinished_runs(p_token uuid, p_known integer[], p_from bigint DEFAULT 0, p_limit integer DEFAULT 1000)
RETURNS TABLE (run_id bigint, job_id bigint, kind chime.run_kind, slot timestamptz, attempt smallint, waits boolean,
               retry_at timestamptz, gone boolean, own boolean, done boolean, missed_after boolean)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_nestloop = off SET enable_sort = off
SET plan_cache_mode = force_generic_plan AS $$
#variable_conflict use_column
DECLARE
    v_run record;
    v_seen integer := 0;
    v_last bigint := p_from;
    v_told integer[] := '{}';
BEGIN
    PERFORM chime.require_leader(p_token);
    FOR v_run IN SELECT r.*, a.pid IS NOT NULL AS alive
                 FROM (SELECT * FROM chime.run o WHERE o.job_id > p_from ORDER BY o.job_id FETCH FIRST (p_limit) ROWS WITH TIES) r
                 LEFT JOIN pg_stat_activity a ON a.pid = r.pid AND (a.backend_start IS NULL OR a.backend_start = r.backend_start)
    LOOP
        v_seen := v_seen + 1;
        v_last := greatest(v_last, v_run.job_id);
        CONTINUE WHEN v_run.token = p_token AND (v_run.pid IS NULL OR v_run.pid = ANY (p_known));
        run_id := v_run.run_id; job_id := v_run.job_id; kind := v_run.kind; slot := v_run.slot; attempt := v_run.attempt;
        waits := v_run.pid IS NULL; retry_at := v_run.retry_at; own := v_run.token = p_token;
        done := v_run.done_at IS NOT NULL;
        gone := done OR waits OR NOT v_run.alive;
        missed_after := kind = 'schedule' AND chime.missed_after(job_id, slot, 'infinity');
        IF NOT gone AND v_run.pid <> ALL (v_told) THEN
            v_told := v_told || v_run.pid;
            BEGIN
                -- Only what is certainly that session: a hidden start may be another's.
                PERFORM pg_terminate_backend(a.pid) FROM pg_stat_activity a
                  WHERE a.pid = v_run.pid AND a.backend_start = v_run.backend_start;
            EXCEPTION WHEN insufficient_privilege THEN
                NULL; -- its own timeouts end it
            END;
        END IF;
        RETURN NEXT;
    END LOOP;
    IF v_seen >= p_limit THEN
        run_id := NULL; job_id := v_last;
        RETURN NEXT;
    END IF;
END $$;
COMMENT ON ROUTINE chime.unfinished_runs IS 'live runs that no session of this leader works on; ends sessions of earlier leaders';

-- The history is joined outside of the union, so that "ORDER BY slot DESC LIMIT n" reads the ends of indexes, not every
-- run.
CREATE OR REPLACE VIEW chime.runs WITH (security_invoker = true) AS
SELECT r.run_id, j.name AS job, r.kind, r.slot, r.state, r.attempt, r.started_at, r.finished_at, r.rows, r.sqlstate, r.message,
       r.reason, r.pid, r.epoch, l.instance, r.job_id, r.claimed_at
FROM (SELECT h.run_id, h.job_id, h.kind, h.slot, h.state::text AS state, h.attempt, h.claimed_at, h.started_at,
             h.finished_at, h.rows, h.sqlstate, h.message, h.reason, h.pid, h.epoch
      FROM chime.run_history h
      UNION ALL
      SELECT w.run_id, w.job_id, w.kind, w.slot,
             CASE WHEN w.done_at IS NOT NULL THEN 'succeeded' WHEN w.pid IS NULL THEN 'retrying' ELSE 'running' END,
             w.attempt, w.claimed_at, coalesce(w.started_at, w.claimed_at), w.done_at, w.rows, NULL, w.message,
             CASE WHEN w.pid IS NULL THEN 'next attempt at ' || w.retry_at END, w.pid, w.epoch
      FROM chime.run w) r
JOIN chime.job j ON j.job_id = r.job_id LEFT JOIN chime.leadership l ON l.epoch = r.epoch;
COMMENT ON VIEW chime.runs IS 'finished and live runs with the names of their jobs and instances';
