-- The ledger's statements, as functions: the daemon calls these and nothing else.
--
-- Times are instants (timestamptz); arrays of one call run in parallel and have the same length. SQLSTATEs of our own:
--   CH001 the token is not the leader's any more      CH003 a run is not (or no longer) this leader's
-- enable_seqscan is off because a plan made while `run` was nearly empty stays cached, and fell from tens of thousands of
-- runs a second to 1,300 once thousands were due.

CREATE FUNCTION chime.backend_alive(p_pid integer, p_backend_start timestamptz) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog
RETURN EXISTS (SELECT FROM pg_stat_activity a
               WHERE a.pid = p_pid AND (a.backend_start IS NULL OR a.backend_start = p_backend_start));
COMMENT ON FUNCTION chime.backend_alive IS
    'whether that very session is still there; another role''s session without pg_read_all_stats counts as the same';

-- A session shows that its client lives by each thing it does. Nothing shows while it works, but where it only waits for a client that takes
-- nothing any more: no timeout ends that.
CREATE FUNCTION chime.leader_sign() RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog
BEGIN ATOMIC
    SELECT a.state_change::text FROM chime.leader l
    JOIN pg_stat_activity a ON a.pid = l.pid AND a.backend_start = l.backend_start
    WHERE l.token IS NOT NULL AND (a.state <> 'active' OR a.wait_event = 'ClientWrite');
END;
COMMENT ON FUNCTION chime.leader_sign IS 'sign of life of the session that holds the seat; NULL while it works, or is gone';

CREATE FUNCTION chime.end_silent(p_token uuid, p_sign text) RETURNS boolean
LANGUAGE sql SET search_path = pg_catalog
BEGIN ATOMIC
    SELECT pg_terminate_backend(l.pid) FROM chime.leader l WHERE l.token = p_token AND chime.leader_sign() = p_sign;
END;

CREATE FUNCTION chime.follow(p_instance text, p_configuration text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    DELETE FROM chime.follower f WHERE NOT chime.backend_alive(f.pid, f.backend_start);
    INSERT INTO chime.follower AS f (pid, backend_start, instance, configuration)
    SELECT a.pid, a.backend_start, p_instance, p_configuration FROM pg_stat_activity a WHERE a.pid = pg_backend_pid()
    ON CONFLICT (pid) DO UPDATE SET instance = excluded.instance, configuration = excluded.configuration;
END $$;

CREATE FUNCTION chime.take_over(p_seen uuid, p_instance text, p_configuration text, p_system text, p_timeline integer)
RETURNS TABLE (epoch bigint, token uuid)
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
#variable_conflict use_column
BEGIN
    -- token = p_seen is what a concurrent taker is rechecked against.
    RETURN QUERY
    UPDATE chime.leader l
       SET epoch = l.epoch + 1, token = gen_random_uuid(), instance = p_instance, pid = pg_backend_pid(),
           backend_start = (SELECT a.backend_start FROM pg_stat_activity a WHERE a.pid = pg_backend_pid()),
           since = clock_timestamp(), configuration = p_configuration, system = p_system, timeline = p_timeline
     WHERE l.token IS NOT DISTINCT FROM p_seen AND NOT chime.backend_alive(l.pid, l.backend_start)
    RETURNING l.epoch, l.token;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    INSERT INTO chime.leadership AS s (epoch, instance, pid, since)
    SELECT l.epoch, l.instance, l.pid, l.since FROM chime.leader l
    ON CONFLICT (epoch) DO UPDATE SET instance = excluded.instance, pid = excluded.pid, since = excluded.since;
    DELETE FROM chime.follower f WHERE f.pid = pg_backend_pid() OR NOT chime.backend_alive(f.pid, f.backend_start);
    IF current_setting('application_name') = 'pgchime follower' THEN
        PERFORM set_config('application_name', 'pgchime leader', false);
    END IF;
END $$;
COMMENT ON FUNCTION chime.take_over IS 'one row when this session now leads, none when another does or the seat moved on';

CREATE FUNCTION chime.resign(p_token uuid) RETURNS boolean
LANGUAGE sql SET search_path = pg_catalog
BEGIN ATOMIC
    WITH left_seat AS (UPDATE chime.leader SET token = NULL, pid = NULL, backend_start = NULL
                       WHERE token = p_token RETURNING true)
    SELECT EXISTS (SELECT FROM left_seat);
END;

CREATE FUNCTION chime.require_leader(p_token uuid) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE v_epoch bigint;
BEGIN
    SELECT epoch INTO v_epoch FROM chime.leader WHERE token = p_token FOR SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'leadership of this database is over' USING ERRCODE = 'CH001';
    END IF;
    RETURN v_epoch;
END $$;
COMMENT ON FUNCTION chime.require_leader IS 'the epoch; holds the leader row until the end of the transaction; CH001 when the token is not the leader''s';

-- Brings chime.job to the leader's catalog and returns what a schedule needs to start from. A job's options come as far
-- as they differ from p_defaults, {"command": {...}, "refresh": {...}}.
CREATE FUNCTION chime.sync_jobs(p_token uuid, p_jobs jsonb, p_defaults jsonb)
RETURNS TABLE (name text, job_id bigint, version integer, last_slot timestamptz, last_outcome chime.run_state,
               last_duration_us bigint)
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
#variable_conflict use_column
BEGIN
    PERFORM chime.require_leader(p_token);
    CREATE TEMP TABLE chime_catalog ON COMMIT DROP AS
    SELECT d.name, d.origin, d.plugin, d.active, d.schedule, d.command, d.views, d.after,
           (p_defaults -> CASE WHEN d.command = '' THEN 'refresh' ELSE 'command' END) || d.options AS options
    FROM jsonb_to_recordset(p_jobs) AS d (name text, origin text, plugin text, active boolean, schedule text,
                                          command text, views text[], after text[], options jsonb);
    -- A job that is new, wakes up or changes its schedule starts from now: nothing was due before.
    INSERT INTO chime.job_state AS s (job_id, last_slot)
    SELECT j.job_id, clock_timestamp()
    FROM chime.job j JOIN pg_temp.chime_catalog d ON d.name = j.name
    WHERE j.owner = current_user AND ((d.active AND NOT j.active) OR d.schedule <> j.schedule)
    ON CONFLICT (job_id) DO UPDATE SET last_slot = greatest(s.last_slot, excluded.last_slot);
    INSERT INTO chime.job AS j (name, owner, origin, plugin, active, schedule, command, views, after, options)
    SELECT d.name, current_user, d.origin, d.plugin, d.active, d.schedule, d.command, d.views, d.after, d.options
    FROM pg_temp.chime_catalog d
    ON CONFLICT (name, owner) DO UPDATE
       SET origin = excluded.origin, plugin = excluded.plugin, active = excluded.active, schedule = excluded.schedule,
           command = excluded.command, views = excluded.views, after = excluded.after, options = excluded.options,
           version = j.version + 1, updated_at = clock_timestamp()
     WHERE (j.origin, j.plugin, j.active, j.schedule, j.command, j.views, j.after, j.options)
           IS DISTINCT FROM (excluded.origin, excluded.plugin, excluded.active, excluded.schedule, excluded.command,
                             excluded.views, excluded.after, excluded.options);
    UPDATE chime.job j SET active = false, version = j.version + 1, updated_at = clock_timestamp()
     WHERE j.owner = current_user AND j.origin IN ('plugin', 'config') AND j.active
       AND NOT EXISTS (SELECT FROM pg_temp.chime_catalog d WHERE d.name = j.name);
    INSERT INTO chime.job_state (job_id, last_slot)
    SELECT j.job_id, clock_timestamp() FROM chime.job j JOIN pg_temp.chime_catalog d ON d.name = j.name
    WHERE j.owner = current_user
    ON CONFLICT (job_id) DO NOTHING;
    RETURN QUERY
    SELECT j.name, j.job_id, j.version, s.last_slot, s.last_outcome, s.last_duration_us
    FROM chime.job j JOIN chime.job_state s USING (job_id)
    JOIN pg_temp.chime_catalog d ON d.name = j.name
    WHERE j.owner = current_user;
END $$;

-- Claims runs for named sessions. At most one run of a job in a call. Returns those granted: a job whose version, activity
-- or cursor is not the expected one is left out, and the caller looks at it again.
CREATE FUNCTION chime.claim(p_token uuid, p_job bigint[], p_version integer[], p_kind chime.run_kind[],
                            p_slot timestamptz[], p_cursor timestamptz[], p_pid integer[],
                            p_backend_start timestamptz[])
RETURNS TABLE (job_id bigint, run_id bigint)
LANGUAGE plpgsql SET search_path = pg_catalog SET enable_seqscan = off AS $$
#variable_conflict use_column
DECLARE v_epoch bigint := chime.require_leader(p_token);
BEGIN
    RETURN QUERY
    WITH wanted AS (
        SELECT * FROM unnest(p_job, p_version, p_kind, p_slot, p_cursor, p_pid, p_backend_start)
               AS w (job_id, version, kind, slot, cursor, pid, backend_start)
    ), granted AS (
        UPDATE chime.job_state s
           SET last_slot = CASE WHEN w.kind = 'schedule' THEN w.slot ELSE s.last_slot END,
               last_start = clock_timestamp()
          FROM wanted w JOIN chime.job j ON j.job_id = w.job_id AND j.version = w.version
         WHERE s.job_id = w.job_id AND (w.kind <> 'schedule' OR (s.last_slot = w.cursor AND j.active))
        RETURNING w.job_id, w.kind, w.slot, w.pid, w.backend_start
    ), asked AS (
        DELETE FROM chime.request q USING granted g
         WHERE g.kind <> 'schedule' AND q.job_id = g.job_id AND q.kind = g.kind AND q.slot = g.slot
        RETURNING q.job_id
    )
    INSERT INTO chime.run AS r (job_id, kind, slot, token, epoch, pid, backend_start)
    SELECT g.job_id, g.kind, g.slot, p_token, v_epoch, g.pid, g.backend_start FROM granted g
    WHERE g.kind = 'schedule' OR EXISTS (SELECT FROM asked a WHERE a.job_id = g.job_id)
    RETURNING r.job_id, r.run_id;
END $$;

-- A further attempt of live runs, for named sessions. Returns the jobs granted.
CREATE FUNCTION chime.reclaim(p_token uuid, p_job bigint[], p_kind chime.run_kind[], p_slot timestamptz[],
                              p_pid integer[], p_backend_start timestamptz[])
RETURNS TABLE (job_id bigint)
LANGUAGE plpgsql SET search_path = pg_catalog SET enable_seqscan = off AS $$
#variable_conflict use_column
BEGIN
    PERFORM chime.require_leader(p_token);
    RETURN QUERY
    UPDATE chime.run r
       SET pid = w.pid, backend_start = w.backend_start, retry_at = NULL, claimed_at = clock_timestamp()
      FROM unnest(p_job, p_kind, p_slot, p_pid, p_backend_start) AS w (job_id, kind, slot, pid, backend_start)
     WHERE r.job_id = w.job_id AND r.kind = w.kind AND r.slot = w.slot AND r.token = p_token AND r.done_at IS NULL
    RETURNING r.job_id;
END $$;

-- Claimed runs whose text never went out are let go: they wait for a session, ours or the next leader's.
CREATE FUNCTION chime.release(p_token uuid, p_job bigint[], p_kind chime.run_kind[], p_slot timestamptz[]) RETURNS void
LANGUAGE sql SET search_path = pg_catalog
BEGIN ATOMIC
    UPDATE chime.run r SET pid = NULL, backend_start = NULL, retry_at = clock_timestamp()
      FROM unnest(p_job, p_kind, p_slot) AS w (job_id, kind, slot)
     WHERE r.job_id = w.job_id AND r.kind = w.kind AND r.slot = w.slot AND r.token = p_token AND r.done_at IS NULL;
END;

-- Ends runs that the daemon watched to their end. Returns those that were this leader's.
CREATE FUNCTION chime.finish(p_token uuid, p_job bigint[], p_kind chime.run_kind[], p_slot timestamptz[],
                             p_state chime.run_state[], p_started timestamptz[], p_finished timestamptz[],
                             p_rows bigint[], p_sqlstate text[], p_message text[], p_reason text[])
RETURNS TABLE (job_id bigint)
LANGUAGE plpgsql SET search_path = pg_catalog SET enable_seqscan = off AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH ended AS (
        SELECT * FROM unnest(p_job, p_kind, p_slot, p_state, p_started, p_finished, p_rows, p_sqlstate, p_message, p_reason)
               AS e (job_id, kind, slot, state, started_at, finished_at, rows, sqlstate, message, reason)
    ), taken AS (
        DELETE FROM chime.run r USING ended e
         WHERE r.job_id = e.job_id AND r.kind = e.kind AND r.slot = e.slot AND r.token = p_token
        RETURNING r.run_id, r.job_id, r.kind, r.slot,
                  CASE WHEN r.done_at IS NULL THEN e.state ELSE 'succeeded' END AS state, r.attempt, r.pid, r.epoch, r.claimed_at, e.started_at,
                  e.finished_at, e.rows, e.sqlstate, e.message, e.reason
    ), kept AS (
        INSERT INTO chime.run_history (run_id, job_id, kind, slot, state, attempt, pid, epoch, claimed_at, started_at,
                                       finished_at, rows, sqlstate, message, reason)
        SELECT * FROM taken
        ON CONFLICT (job_id, kind, slot) DO NOTHING
    )
    UPDATE chime.job_state s
       SET last_end = t.finished_at, last_outcome = t.state,
           last_duration_us = extract(epoch FROM t.finished_at - t.started_at) * 1000000,
           last_success = CASE WHEN t.state = 'succeeded' THEN t.finished_at ELSE s.last_success END,
           consecutive_failures = CASE WHEN t.state = 'succeeded' THEN 0 ELSE s.consecutive_failures + 1 END
      FROM taken t
     WHERE s.job_id = t.job_id
    RETURNING s.job_id;
END $$;

-- Marks a run as succeeded in the transaction that did its work; raises when the run is not ours, so that nothing of it is
-- committed. The leader moves it to the history with its next batch, whichever leader that is: a batch costs a tenth of
-- what moving it here would.
CREATE FUNCTION chime.finish_own(p_token uuid, p_job bigint, p_kind chime.run_kind, p_slot timestamptz,
                                 p_started timestamptz, p_rows bigint, p_message text)
RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog SET enable_seqscan = off AS $$
BEGIN
    UPDATE chime.run r SET started_at = p_started, done_at = clock_timestamp(), rows = p_rows, message = p_message
     WHERE r.job_id = p_job AND r.kind = p_kind AND r.slot = p_slot AND r.token = p_token AND r.done_at IS NULL;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'run of job % at % is not this leader''s', p_job, p_slot USING ERRCODE = 'CH003';
    END IF;
    RETURN true;
END $$;

-- A transactional text and its end, as one statement and so as one transaction: the text cannot leave it (the server
-- refuses transaction commands here), and it is bound, so that no open comment of its own can swallow the end.
-- p_reads: the text is one query, whose rows are counted and dropped as they come instead of being collected.
-- No SET clause: the text sees the role's own settings; hence the qualified names and operators behind it.
-- `residue`: the session is left with what only DISCARD ALL removes, or without what the daemon prepared in it.
-- Calls are assignments because PL/pgSQL then evaluates them without a query of their own.
CREATE FUNCTION chime.perform(p_token uuid, p_job bigint, p_kind chime.run_kind, p_slot timestamptz, p_lock_timeout text,
                              p_text text, p_reads boolean, OUT rows bigint, OUT residue boolean)
LANGUAGE plpgsql AS $$
DECLARE
    v_start timestamptz := pg_catalog.clock_timestamp();
    v_user name := session_user;
    v_row record;
    v_done boolean;
BEGIN
    IF p_lock_timeout IS NOT NULL THEN
        PERFORM pg_catalog.set_config('lock_timeout', p_lock_timeout, true);
    END IF;
    rows := 0;
    IF p_reads THEN
        FOR v_row IN EXECUTE p_text LOOP
            rows := rows OPERATOR(pg_catalog.+) 1;
        END LOOP;
    ELSE
        EXECUTE p_text;
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

-- Attempts that failed and will be followed by another. Returns the jobs whose run was this leader's.
CREATE FUNCTION chime.retry(p_token uuid, p_job bigint[], p_kind chime.run_kind[], p_slot timestamptz[],
                            p_state chime.run_state[], p_started timestamptz[], p_finished timestamptz[],
                            p_sqlstate text[], p_message text[], p_retry_at timestamptz[])
RETURNS TABLE (job_id bigint)
LANGUAGE plpgsql SET search_path = pg_catalog SET enable_seqscan = off AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH failed AS (
        SELECT * FROM unnest(p_job, p_kind, p_slot, p_state, p_started, p_finished, p_sqlstate, p_message, p_retry_at)
               AS f (job_id, kind, slot, state, started_at, finished_at, sqlstate, message, retry_at)
    ), noted AS (
        INSERT INTO chime.attempt (job_id, kind, slot, attempt, run_id, state, pid, epoch, started_at, finished_at,
                                   sqlstate, message)
        SELECT r.job_id, r.kind, r.slot, r.attempt, r.run_id, f.state, r.pid, r.epoch, f.started_at, f.finished_at,
               f.sqlstate, f.message
        FROM chime.run r JOIN failed f ON r.job_id = f.job_id AND r.kind = f.kind AND r.slot = f.slot
        WHERE r.token = p_token AND r.done_at IS NULL
    )
    UPDATE chime.run r SET attempt = r.attempt + 1, pid = NULL, backend_start = NULL, retry_at = f.retry_at
      FROM failed f
     WHERE r.job_id = f.job_id AND r.kind = f.kind AND r.slot = f.slot AND r.token = p_token AND r.done_at IS NULL
    RETURNING r.job_id;
END $$;

-- Slots that a policy decided against: one history row each, and the cursor moves past them. A job's rows join one to
-- the next: the smallest p_cursor is where its cursor must stand, the largest slot where it moves to.
CREATE FUNCTION chime.skip(p_token uuid, p_job bigint[], p_cursor timestamptz[], p_slot timestamptz[], p_reason text[],
                           p_outcome boolean[])
RETURNS TABLE (job_id bigint)
LANGUAGE plpgsql SET search_path = pg_catalog SET enable_seqscan = off AS $$
#variable_conflict use_column
DECLARE v_epoch bigint := chime.require_leader(p_token);
BEGIN
    RETURN QUERY
    WITH passed AS (
        SELECT * FROM unnest(p_job, p_cursor, p_slot, p_reason, p_outcome) AS p (job_id, cursor, slot, reason, outcome)
    ), jump AS (
        SELECT p.job_id, min(p.cursor) AS cursor, max(p.slot) AS slot, bool_or(p.outcome) AS outcome
        FROM passed p GROUP BY p.job_id
    ), moved AS (
        UPDATE chime.job_state s
           SET last_slot = j.slot, last_outcome = CASE WHEN j.outcome THEN 'skipped' ELSE s.last_outcome END
          FROM jump j WHERE s.job_id = j.job_id AND s.last_slot = j.cursor
        RETURNING s.job_id
    ), kept AS (
        INSERT INTO chime.run_history (run_id, job_id, kind, slot, state, attempt, epoch, finished_at, reason)
        SELECT nextval('chime.run_id'), p.job_id, 'schedule', p.slot, 'skipped', 0, v_epoch, clock_timestamp(), p.reason
        FROM passed p JOIN moved m ON m.job_id = p.job_id
    )
    SELECT m.job_id FROM moved m;
END $$;
COMMENT ON FUNCTION chime.skip IS 'p_outcome: the skip counts as the job''s outcome for those that come after it';

-- Slots that passed while nothing led: one row for each reason of a job; joined as in chime.skip.
CREATE FUNCTION chime.miss(p_token uuid, p_job bigint[], p_cursor timestamptz[], p_first timestamptz[],
                           p_last timestamptz[], p_slots bigint[], p_reason text[])
RETURNS TABLE (job_id bigint)
LANGUAGE plpgsql SET search_path = pg_catalog SET enable_seqscan = off AS $$
#variable_conflict use_column
DECLARE v_epoch bigint := chime.require_leader(p_token);
BEGIN
    RETURN QUERY
    WITH gap AS (
        SELECT * FROM unnest(p_job, p_cursor, p_first, p_last, p_slots, p_reason)
               AS g (job_id, cursor, first_slot, last_slot, slots, reason)
    ), jump AS (
        SELECT g.job_id, min(g.cursor) AS cursor, max(g.last_slot) AS slot FROM gap g GROUP BY g.job_id
    ), moved AS (
        UPDATE chime.job_state s SET last_slot = j.slot
          FROM jump j WHERE s.job_id = j.job_id AND s.last_slot = j.cursor
        RETURNING s.job_id
    ), kept AS (
        INSERT INTO chime.missed (job_id, first_slot, last_slot, slots, reason, epoch)
        SELECT g.job_id, g.first_slot, g.last_slot, g.slots, g.reason, v_epoch FROM gap g JOIN moved m USING (job_id)
    )
    SELECT m.job_id FROM moved m;
END $$;

-- Live runs that no session of this leader works on: claimed by an earlier leader, or for a session that is gone. A
-- session of an earlier leader that is still there is ended (or, without the right to, waited for): until it is `gone`
-- nothing may be said of its run. p_known: sessions this leader holds.
CREATE FUNCTION chime.orphans(p_token uuid, p_known integer[])
RETURNS TABLE (run_id bigint, job_id bigint, kind chime.run_kind, slot timestamptz, attempt smallint, waits boolean,
               retry_at timestamptz, gone boolean, own boolean, done boolean)
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
#variable_conflict use_column
DECLARE v_run record;
BEGIN
    PERFORM chime.require_leader(p_token);
    FOR v_run IN SELECT * FROM chime.run r
                 WHERE r.token <> p_token OR (r.pid IS NOT NULL AND r.pid <> ALL (p_known))
    LOOP
        run_id := v_run.run_id; job_id := v_run.job_id; kind := v_run.kind; slot := v_run.slot; attempt := v_run.attempt;
        waits := v_run.pid IS NULL; retry_at := v_run.retry_at; own := v_run.token = p_token;
        done := v_run.done_at IS NOT NULL;
        gone := done OR waits OR NOT chime.backend_alive(v_run.pid, v_run.backend_start);
        IF NOT gone THEN
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
END $$;

-- Takes orphans over: those that are done go to the history as succeeded; of the others, p_again is true for those that
-- get another attempt (p_retry_at), false for those whose outcome cannot be known. A run that was only waiting for its
-- retry keeps its attempt.
CREATE FUNCTION chime.adopt(p_token uuid, p_run bigint[], p_again boolean[], p_retry_at timestamptz[], p_reason text[])
RETURNS TABLE (run_id bigint, ended chime.run_state)
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
#variable_conflict use_column
DECLARE v_epoch bigint := chime.require_leader(p_token);
BEGIN
    RETURN QUERY
    WITH verdict AS (
        SELECT * FROM unnest(p_run, p_again, p_retry_at, p_reason) AS v (run_id, again, retry_at, reason)
    ), noted AS (
        INSERT INTO chime.attempt (job_id, kind, slot, attempt, run_id, state, pid, epoch, finished_at, message)
        SELECT r.job_id, r.kind, r.slot, r.attempt, r.run_id, 'lost', r.pid, r.epoch, clock_timestamp(), v.reason
        FROM chime.run r JOIN verdict v USING (run_id) WHERE v.again AND r.pid IS NOT NULL AND r.done_at IS NULL
    ), again AS (
        UPDATE chime.run r
           SET token = p_token, epoch = v_epoch, retry_at = v.retry_at, pid = NULL, backend_start = NULL,
               attempt = r.attempt + CASE WHEN r.pid IS NULL THEN 0 ELSE 1 END
          FROM verdict v WHERE r.run_id = v.run_id AND v.again AND r.done_at IS NULL
        RETURNING r.run_id
    ), ended AS (
        DELETE FROM chime.run r USING verdict v
         WHERE r.run_id = v.run_id AND (NOT v.again OR r.done_at IS NOT NULL)
        RETURNING r.*, v.reason, (CASE WHEN r.done_at IS NULL THEN 'lost' ELSE 'succeeded' END)::chime.run_state AS state
    ), kept AS (
        INSERT INTO chime.run_history (run_id, job_id, kind, slot, state, attempt, pid, epoch, claimed_at, started_at,
                                       finished_at, rows, message, reason)
        SELECT e.run_id, e.job_id, e.kind, e.slot, e.state, e.attempt, e.pid, e.epoch, e.claimed_at, e.started_at,
               coalesce(e.done_at, clock_timestamp()), e.rows, e.message, CASE WHEN e.done_at IS NULL THEN e.reason END
        FROM ended e
        ON CONFLICT (job_id, kind, slot) DO NOTHING
    ), state AS (
        UPDATE chime.job_state s
           SET last_end = coalesce(e.done_at, clock_timestamp()), last_outcome = e.state,
               last_success = CASE WHEN e.done_at IS NULL THEN s.last_success ELSE e.done_at END,
               consecutive_failures = CASE WHEN e.done_at IS NULL THEN s.consecutive_failures + 1 ELSE 0 END
          FROM ended e WHERE s.job_id = e.job_id
    )
    SELECT a.run_id, NULL::chime.run_state FROM again a UNION ALL SELECT e.run_id, e.state FROM ended e;
END $$;
COMMENT ON FUNCTION chime.adopt IS
    'what became of each run: its final state, NULL when it has another attempt; a run that was committed meanwhile succeeded';

-- Asks for the first refresh of every view that has none yet, once.
CREATE FUNCTION chime.request_population(p_token uuid) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE v_count bigint;
BEGIN
    PERFORM chime.require_leader(p_token);
    INSERT INTO chime.request (job_id, kind)
    SELECT j.job_id, 'install' FROM chime.job j
    WHERE j.active
      AND EXISTS (SELECT FROM chime.view_refresh v
                  WHERE v.refreshed_at IS NULL AND v.view_schema || '.' || v.relation = ANY (j.views))
      AND NOT EXISTS (SELECT FROM chime.request q WHERE q.job_id = j.job_id AND q.kind = 'install')
      AND NOT EXISTS (SELECT FROM chime.run r WHERE r.job_id = j.job_id);
    GET DIAGNOSTICS v_count = ROW_COUNT;
    RETURN v_count;
END $$;

CREATE FUNCTION chime.cancel_backend(p_pid integer, p_backend_start timestamptz, p_terminate boolean) RETURNS boolean
LANGUAGE sql SET search_path = pg_catalog
RETURN chime.backend_alive(p_pid, p_backend_start)
       AND CASE WHEN p_terminate THEN pg_terminate_backend(p_pid) ELSE pg_cancel_backend(p_pid) END;

-- History partitions: today's and a week ahead are made, those whose slots are all older than p_keep are dropped.
CREATE FUNCTION chime.keep_history(p_token uuid, p_keep interval DEFAULT '30 days')
RETURNS TABLE (made integer, dropped integer)
LANGUAGE plpgsql SET search_path = pg_catalog SET "TimeZone" = 'UTC' SET lock_timeout = '2s' AS $$
DECLARE
    v_day date;
    v_name text;
    v_old record;
BEGIN
    PERFORM chime.require_leader(p_token);
    made := 0; dropped := 0;
    FOR v_day IN SELECT current_date + n FROM generate_series(-1, 7) AS n LOOP
        v_name := 'run_history_' || to_char(v_day, 'YYYYMMDD');
        IF to_regclass(format('chime.%I', v_name)) IS NULL
           AND NOT EXISTS (SELECT FROM chime.run_history_other o WHERE o.slot >= v_day AND o.slot < v_day + 1) THEN
            EXECUTE format('CREATE TABLE chime.%I PARTITION OF chime.run_history FOR VALUES FROM (%L) TO (%L)',
                           v_name, v_day, v_day + 1);
            made := made + 1;
        END IF;
    END LOOP;
    FOR v_old IN SELECT c.relname FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid
                 WHERE i.inhparent = 'chime.run_history'::regclass AND c.relname ~ '^run_history_[0-9]{8}$'
                   AND to_date(substr(c.relname, 13), 'YYYYMMDD') + 1 <= (now() - p_keep)::date
    LOOP
        EXECUTE format('DROP TABLE chime.%I', v_old.relname);
        dropped := dropped + 1;
    END LOOP;
    -- Bounded: this runs on the session that also carries the heartbeat.
    DELETE FROM chime.run_history_other o WHERE o.ctid = ANY (ARRAY(
        SELECT x.ctid FROM chime.run_history_other x WHERE x.finished_at < now() - p_keep LIMIT 5000));
    DELETE FROM chime.attempt a WHERE a.ctid = ANY (ARRAY(
        SELECT x.ctid FROM chime.attempt x WHERE x.finished_at < now() - p_keep ORDER BY x.finished_at LIMIT 5000));
    DELETE FROM chime.missed m WHERE m.ctid = ANY (ARRAY(
        SELECT x.ctid FROM chime.missed x WHERE x.recorded_at < now() - p_keep ORDER BY x.recorded_at LIMIT 5000));
    RETURN NEXT;
END $$;

-- What people read.
CREATE VIEW chime.leader_status WITH (security_invoker = true) AS
SELECT l.instance, l.epoch, l.since, l.token IS NOT NULL AND chime.backend_alive(l.pid, l.backend_start) AS alive,
       (SELECT clock_timestamp() - a.state_change FROM pg_stat_activity a
        WHERE l.token IS NOT NULL AND a.pid = l.pid AND a.backend_start = l.backend_start) AS heartbeat_age,
       l.configuration, l.timeline, f.followers, f.differing
FROM chime.leader l CROSS JOIN LATERAL (
    SELECT coalesce(array_agg(f.instance ORDER BY f.since), '{}') AS followers,
           coalesce(array_agg(f.instance ORDER BY f.since) FILTER (WHERE f.configuration <> l.configuration), '{}') AS differing
    FROM chime.follower f WHERE chime.backend_alive(f.pid, f.backend_start) AND f.pid IS DISTINCT FROM l.pid) f;
COMMENT ON VIEW chime.leader_status IS 'who leads, and who follows; heartbeat_age: since the leader''s session was last heard of';
COMMENT ON COLUMN chime.leader_status.differing IS 'followers whose configuration is not the leader''s';

CREATE VIEW chime.runs WITH (security_invoker = true) AS
SELECT h.run_id, j.name AS job, h.kind, h.slot, h.state::text AS state, h.attempt, h.started_at, h.finished_at,
       h.rows, h.sqlstate, h.message, h.reason, h.pid, h.epoch, l.instance
FROM chime.run_history h JOIN chime.job j USING (job_id) LEFT JOIN chime.leadership l USING (epoch)
UNION ALL
SELECT r.run_id, j.name, r.kind, r.slot,
       CASE WHEN r.done_at IS NOT NULL THEN 'succeeded' WHEN r.pid IS NULL THEN 'retrying' ELSE 'running' END, r.attempt,
       coalesce(r.started_at, r.claimed_at), r.done_at, r.rows, NULL, r.message, CASE WHEN r.pid IS NULL THEN 'next attempt at ' || r.retry_at END, r.pid, r.epoch, l.instance
FROM chime.run r JOIN chime.job j USING (job_id) LEFT JOIN chime.leadership l USING (epoch);
COMMENT ON VIEW chime.runs IS 'finished and live runs with the names of their jobs and instances';

CREATE VIEW chime.job_status WITH (security_invoker = true) AS
SELECT j.job_id, j.name, j.owner, j.origin, j.plugin, j.active, j.schedule, j.views, j.after, s.last_slot, s.last_start,
       s.last_end, s.last_success, s.last_outcome, s.last_duration_us, s.consecutive_failures,
       EXISTS (SELECT FROM chime.run r WHERE r.job_id = j.job_id) AS live
FROM chime.job j JOIN chime.job_state s USING (job_id);
COMMENT ON VIEW chime.job_status IS 'jobs with the state of their last run';

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA chime FROM PUBLIC;
