-- SPDX-License-Identifier: PostgreSQL
-- The ledger's statements, as functions: the daemon calls these and nothing else.
--
-- Times are instants (timestamptz); arrays of one call run in parallel and have the same length. What a cursor, an
-- outcome or a time to come is compared with, the leader passes: p_at, p_now and the like are by its clock, which is
-- nearly the database's. A function that read a clock there would decide a second time
-- (tests/integration/test_ledger_clock.c). SQLSTATEs of our own:
--   CH001 the token is not the leader's any more      CH003 a run is not (or no longer) this leader's
-- Each statement has one plan, whatever the statistics said when it was made: plans stay cached, and statistics of a
-- table that was empty, tiny or huge are old a moment later (tests/integration/test_plans.c). Hence enable_seqscan =
-- off everywhere, in functions of language sql too: from PostgreSQL 18 on, their plans stay as well.
-- Of rows that an array names, each table is read by `key = ANY (array)` and joined by hash (enable_nestloop = off): a
-- nested loop may go through the array once for each row of the table. Rows that are looked up one by one stand in
-- LATERAL (... OFFSET 0). No condition of a partial index is written beside the key of another, or the planner may take
-- the wrong one. plan_cache_mode: a batch of one run would be planned anew every time, at two to three times its cost.
-- Claims, ends and skips, which count and mind suspensions, are in 0004_policies.sql.

CREATE FUNCTION chime.backend_alive(p_pid integer, p_backend_start timestamptz) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN EXISTS (SELECT FROM pg_stat_activity a
               WHERE a.pid = p_pid AND (a.backend_start IS NULL OR a.backend_start = p_backend_start));
COMMENT ON FUNCTION chime.backend_alive IS
    'whether that very session is still there; another role''s session without pg_read_all_stats counts as the same';

-- --- which database this ledger belongs to (docs/adr/0021) -----------------------------------------------------------

CREATE FUNCTION chime.system_identifier() RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (SELECT s.system_identifier FROM pg_control_system() s);
EXCEPTION WHEN insufficient_privilege OR undefined_function OR feature_not_supported THEN
    RETURN NULL;
END $$;
COMMENT ON FUNCTION chime.system_identifier IS 'the same for a server and its standbys; NULL where the server does not tell';

CREATE FUNCTION chime.database_number() RETURNS oid
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN (SELECT d.oid FROM pg_database d WHERE d.datname = current_database());
COMMENT ON FUNCTION chime.database_number IS 'the OID of this database';

UPDATE chime.leader SET system = chime.system_identifier(), database = chime.database_number(), database_name = current_database(),
                        relation = 'chime.leader'::pg_catalog.regclass;

-- pg_upgrade and failover keep both numbers, a dump or CREATE DATABASE ... TEMPLATE brings them to where they are not
-- true. Restored in place is what came back to its server by a dump, into its database or into one that took its place
-- and its name.
CREATE FUNCTION chime.copy_of() RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_led record;
    v_here oid := chime.database_number();
    v_same_server boolean;
    v_original name;
BEGIN
    SELECT l.database, l.relation, l.system, l.database_name, l.since INTO v_led FROM chime.leader l;
    IF v_led.database IS NULL OR (v_led.database = v_here AND v_led.relation = 'chime.leader'::regclass) THEN
        RETURN NULL;
    END IF;
    v_same_server := v_led.system = chime.system_identifier();
    IF v_same_server THEN
        SELECT d.datname INTO v_original FROM pg_database d WHERE d.oid = v_led.database;
        IF v_led.database = v_here OR (v_original IS NULL AND v_led.database_name = current_database()) THEN
            RETURN NULL;
        END IF;
    END IF;
    RETURN format('this is a copy of database %s', coalesce(v_original, v_led.database_name))
           || CASE v_same_server WHEN true THEN ' on this server' WHEN false THEN ' on another server' ELSE '' END
           || coalesce(', made about ' || to_char(
                  greatest(v_led.since, (SELECT max(s.last_end) FROM chime.job_state s), (SELECT max(r.claimed_at) FROM chime.run r))
                  AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI "UTC"'), '');
END $$;
COMMENT ON FUNCTION chime.copy_of IS
    'in words, when a dump or a template brought this ledger here from another database: nothing leads a copy until chime.adopt_copy; NULL: it is none';

CREATE FUNCTION chime.led() RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT EXISTS (SELECT FROM chime.leader l WHERE chime.backend_alive(l.pid, l.backend_start) AND chime.copy_of() IS NULL);
END;
COMMENT ON FUNCTION chime.led IS 'whether the session that holds the leader lock is there; who leads its original leads no copy';

-- A session shows that its client lives by each thing it does. Nothing shows while it works, but where it only waits
-- for a client that takes nothing any more: no timeout ends that.
CREATE FUNCTION chime.leader_sign() RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT a.state_change::text FROM chime.leader l
    JOIN pg_stat_activity a ON a.pid = l.pid AND a.backend_start = l.backend_start
    WHERE l.token IS NOT NULL AND (a.state <> 'active' OR a.wait_event = 'ClientWrite');
END;
COMMENT ON FUNCTION chime.leader_sign IS 'sign of life of the session that holds the leader lock; NULL while it works, or is gone';

CREATE FUNCTION chime.end_silent(p_token uuid, p_sign text) RETURNS boolean
LANGUAGE sql SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT pg_terminate_backend(l.pid) FROM chime.leader l WHERE l.token = p_token AND chime.leader_sign() = p_sign;
END;

-- What only tells people how things are need not be safe on a standby: for the transaction under way.
CREATE FUNCTION chime.commit_locally() RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT set_config('synchronous_commit', 'local', true);
END;
COMMENT ON FUNCTION chime.commit_locally IS 'this transaction waits for no standby when it commits';

-- A commit that waits for a standby goes on when its client gives it up, and so does its session. Whoever may not act
-- as the ledger's owner is no daemon, whatever its session calls itself.
CREATE FUNCTION chime.commits_wait() RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN (SELECT format('commits wait for a synchronous standby (synchronous_standby_names = ''%s''), as of pid %s',
                      current_setting('synchronous_standby_names'), string_agg(a.pid::text, ', ' ORDER BY a.pid))
        FROM pg_stat_activity a JOIN pg_class c ON c.oid = 'chime.leader'::regclass
        WHERE a.datname = current_database() AND a.application_name LIKE 'pgchime %' AND a.wait_event = 'SyncRep'
          AND pg_has_role(a.usesysid, c.relowner, 'MEMBER') AND a.state_change < clock_timestamp() - interval '2 seconds'
        HAVING count(*) > 0);
COMMENT ON FUNCTION chime.commits_wait IS 'that sessions of daemons wait for a synchronous standby, in words; NULL: none does';

CREATE FUNCTION chime.follow(p_instance text, p_configuration text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM chime.commit_locally();
    DELETE FROM chime.follower f WHERE NOT chime.backend_alive(f.pid, f.backend_start);
    INSERT INTO chime.follower AS f (pid, backend_start, instance, configuration)
    SELECT a.pid, a.backend_start, p_instance, p_configuration FROM pg_stat_activity a WHERE a.pid = pg_backend_pid()
    ON CONFLICT (pid) DO UPDATE SET instance = excluded.instance, configuration = excluded.configuration;
END $$;

-- By the ends of indexes: a takeover does not wait for a table to be read.
CREATE FUNCTION chime.last_written() RETURNS timestamptz
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET enable_seqscan = off
BEGIN ATOMIC
    SELECT greatest((SELECT l.since FROM chime.leader l),
                    (SELECT max(h.finished_at) FROM (SELECT x.finished_at FROM chime.run_history x ORDER BY x.slot DESC LIMIT 20) h),
                    (SELECT max(r.claimed_at) FROM (SELECT x.claimed_at FROM chime.run x ORDER BY x.run_id DESC LIMIT 20) r));
END;
COMMENT ON FUNCTION chime.last_written IS 'an instant at which a leader wrote to this ledger, of the latest there are';

CREATE FUNCTION chime.take_over(p_seen uuid, p_instance text, p_configuration text, p_system text, p_timeline integer)
RETURNS TABLE (epoch bigint, token uuid)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    v_heard timestamptz := chime.last_written();
BEGIN
    -- token = p_seen is what a concurrent taker is rechecked against.
    RETURN QUERY
    UPDATE chime.leader l
       SET epoch = l.epoch + 1, token = gen_random_uuid(), instance = p_instance, pid = pg_backend_pid(),
           backend_start = (SELECT a.backend_start FROM pg_stat_activity a WHERE a.pid = pg_backend_pid()),
           since = clock_timestamp(), configuration = p_configuration, system = p_system, timeline = p_timeline,
           database = chime.database_number(), database_name = current_database(), relation = 'chime.leader'::regclass
     WHERE l.token IS NOT DISTINCT FROM p_seen AND NOT chime.backend_alive(l.pid, l.backend_start) AND chime.copy_of() IS NULL
    RETURNING l.epoch, l.token;
    IF NOT FOUND THEN
        RETURN;
    END IF;
    UPDATE chime.leadership s SET until = greatest(v_heard, s.since)
      FROM chime.leader l WHERE s.epoch = l.epoch - 1 AND s.until IS NULL;
    INSERT INTO chime.leadership AS s (epoch, instance, pid, since)
    SELECT l.epoch, l.instance, l.pid, l.since FROM chime.leader l
    ON CONFLICT (epoch) DO UPDATE SET instance = excluded.instance, pid = excluded.pid, since = excluded.since, until = NULL,
                                      resigned = false;
    DELETE FROM chime.follower f WHERE f.pid = pg_backend_pid() OR NOT chime.backend_alive(f.pid, f.backend_start);
    IF current_setting('application_name') = 'pgchime follower' THEN
        PERFORM set_config('application_name', 'pgchime leader', false);
    END IF;
END $$;
COMMENT ON FUNCTION chime.take_over IS 'one row when this session now leads, none when another does or the leader lock moved on';

CREATE FUNCTION chime.resign(p_token uuid) RETURNS boolean
LANGUAGE sql SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    WITH released AS (UPDATE chime.leader SET token = NULL, pid = NULL, backend_start = NULL
                       WHERE token = p_token RETURNING epoch),
    ended AS (UPDATE chime.leadership s SET until = clock_timestamp(), resigned = true
                FROM released r WHERE s.epoch = r.epoch)
    SELECT EXISTS (SELECT FROM released);
END;

-- Of instants in no leadership.
CREATE FUNCTION chime.unled_words(p_at timestamptz) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET enable_seqscan = off
BEGIN ATOMIC
    SELECT CASE WHEN n.since IS NULL THEN format('nobody leads since %s', t.since) ELSE format('nobody led from %s to %s', t.since, t.until) END
           || CASE WHEN l.resigned THEN '' ELSE ' or less long: the leader before did not resign, and that is the last it is known to have written' END
    FROM (SELECT * FROM chime.leadership x WHERE x.since <= p_at ORDER BY x.since DESC LIMIT 1) l
    LEFT JOIN LATERAL (SELECT x.since FROM chime.leadership x WHERE x.since > p_at ORDER BY x.since LIMIT 1) n ON true
    CROSS JOIN LATERAL (SELECT coalesce(l.until, CASE WHEN n.since IS NULL AND NOT chime.led() THEN chime.last_written() END) AS until) e
    CROSS JOIN LATERAL (SELECT to_char(e.until AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS"Z"') AS since,
                               to_char(n.since AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS"Z"') AS until) t
    WHERE e.until <= p_at;
END;
COMMENT ON FUNCTION chime.unled_words IS 'from when to when nobody led, around an instant; NULL: somebody led then';

CREATE FUNCTION chime.advance_numbers() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_of record;
BEGIN
    FOR v_of IN
        SELECT d.objid::regclass AS numbers, d.refobjid::regclass AS relation, a.attname AS number
        FROM pg_class c JOIN pg_depend d ON d.classid = 'pg_class'::regclass AND d.objid = c.oid AND d.deptype = 'i'
        JOIN pg_attribute a ON a.attrelid = d.refobjid AND a.attnum = d.refobjsubid
        WHERE c.relkind = 'S' AND c.relnamespace = 'chime'::regnamespace
        UNION ALL
        SELECT 'chime.run_id', r, 'run_id' FROM unnest('{chime.run,chime.run_history,chime.attempt,chime.request}'::regclass[]) AS r
    LOOP
        EXECUTE format('SELECT setval(%L, r.last) FROM (SELECT max(%I) AS last FROM %s) r, %s n WHERE n.last_value <= r.last',
                       v_of.numbers, v_of.number, v_of.relation, v_of.numbers);
    END LOOP;
END $$;
COMMENT ON FUNCTION chime.advance_numbers IS
    'no sequence gives a number that a row has: logical replication brings rows to a subscriber, and leaves its sequences where they are';

-- Leads for the length of this transaction: what was live in the original ends here as with any leader. Slots since are
-- the original's: jobs wake as from a suspension, which writes them down as missed. What was asked of the original is
-- not done here.
CREATE FUNCTION chime.adopt_copy() RETURNS TABLE (original text, lost_runs bigint)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_token uuid;
    v_runs bigint[];
BEGIN
    PERFORM FROM chime.leader FOR UPDATE;
    original := chime.copy_of();
    IF original IS NULL THEN
        RETURN;
    END IF;
    PERFORM chime.advance_numbers();
    UPDATE chime.leader l SET token = NULL, pid = NULL, backend_start = NULL, database = NULL;
    DELETE FROM chime.follower;
    UPDATE chime.listener w SET state = 'off', reason = NULL, pid = NULL, backend_start = NULL;
    SELECT t.token INTO v_token FROM chime.take_over(NULL, 'pgchime adopt-copy', NULL, chime.system_identifier(), NULL) t;
    SELECT coalesce(array_agg(r.run_id), '{}'), count(*) FILTER (WHERE r.done_at IS NULL) INTO v_runs, lost_runs FROM chime.run r;
    PERFORM chime.adopt(v_token, v_runs, array_fill(false, ARRAY[cardinality(v_runs)]),
                        array_fill(NULL::timestamptz, ARRAY[cardinality(v_runs)]),
                        array_fill('it was live in the database that this is a copy of'::text, ARRAY[cardinality(v_runs)]),
                        clock_timestamp());
    DELETE FROM chime.request q WHERE q.verb IN ('run', 'cancel');
    WITH woken AS (
        UPDATE chime.job_state s SET suspended_at = clock_timestamp(), suspended_by = NULL, suspend_reason = original
          FROM chime.job j
         WHERE j.job_id = s.job_id AND j.active AND NOT (SELECT w.suspended FROM chime.suspension(j.job_id) w)
        RETURNING s.job_id
    )
    INSERT INTO chime.request (job_id, verb, kind, slot, reason)
    SELECT w.job_id, 'resume', NULL, NULL, replace(original, 'this is', 'this was') FROM woken w;
    PERFORM chime.resign(v_token);
    RETURN NEXT;
END $$;
COMMENT ON FUNCTION chime.adopt_copy IS
    'lets the jobs of a copy run here; what was live in the original is lost, slots since are missed. One row: what it was a copy of; none: it is no copy';

CREATE FUNCTION chime.require_leader(p_token uuid) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE v_epoch bigint;
BEGIN
    SELECT epoch INTO v_epoch FROM chime.leader WHERE token = p_token FOR SHARE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'leadership of this database is over' USING ERRCODE = 'CH001';
    END IF;
    RETURN v_epoch;
END $$;
COMMENT ON FUNCTION chime.require_leader IS 'the epoch; holds the leader row until the end of the transaction; CH001 when the token is not the leader''s';

-- A further attempt of live runs, for named sessions. Returns the jobs granted.
CREATE FUNCTION chime.reclaim(p_token uuid, p_job bigint[], p_kind chime.run_kind[], p_slot timestamptz[],
                              p_pid integer[], p_backend_start timestamptz[])
RETURNS TABLE (job_id bigint)
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
    RETURNING r.job_id;
END $$;

-- Claimed runs whose text never went out are let go: they wait for a session, ours or the next leader's, from p_at on.
CREATE FUNCTION chime.release(p_token uuid, p_job bigint[], p_kind chime.run_kind[], p_slot timestamptz[], p_at timestamptz)
RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_nestloop = off
BEGIN ATOMIC
    UPDATE chime.run r SET pid = NULL, backend_start = NULL, retry_at = p_at
      FROM unnest(p_job, p_kind, p_slot) AS w (job_id, kind, slot)
     WHERE r.job_id = ANY (p_job) AND r.job_id = w.job_id AND r.kind = w.kind AND r.slot = w.slot AND r.token = p_token AND r.done_at IS NULL;
END;

-- Marks a run as succeeded in the transaction that did its work; raises when the run is not ours, so that nothing of it
-- is committed. The leader moves it to the history with its next batch, whichever leader that is: a batch costs a tenth
-- of what moving it here would.
CREATE FUNCTION chime.finish_own(p_token uuid, p_job bigint, p_kind chime.run_kind, p_slot timestamptz,
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

-- A transactional text and its end, as one statement and so as one transaction: the text cannot leave it (the server
-- refuses transaction commands here), and it is bound, so that no open comment of its own can swallow the end.
-- p_reads: the text is one query, whose rows are counted and dropped as they come instead of being collected.
-- p_payload: $1 of the text, in each of its statements; a text that has no use for it is none the wiser.
-- No SET clause: the text sees the role's own settings; hence the qualified names and operators behind it.
-- `residue`: the session is left with what only DISCARD ALL removes, or without what the daemon prepared in it.
-- Calls are assignments because PL/pgSQL then evaluates them without a query of their own.
CREATE FUNCTION chime.perform(p_token uuid, p_job bigint, p_kind chime.run_kind, p_slot timestamptz, p_lock_timeout text,
                              p_text text, p_reads boolean, p_payload text, OUT rows bigint, OUT residue boolean)
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
    IF p_reads THEN
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

-- Attempts that failed and will be followed by another; noted unless p_log says off. Returns the jobs whose run was
-- this leader's.
CREATE FUNCTION chime.retry(p_token uuid, p_job bigint[], p_kind chime.run_kind[], p_slot timestamptz[],
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

-- One row for each stretch and reason of a job; joined as in chime.skip. p_at: when that was decided.
CREATE FUNCTION chime.miss(p_token uuid, p_job bigint[], p_cursor timestamptz[], p_first timestamptz[],
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
        SELECT g.job_id, min(g.cursor) AS cursor, max(g.last_slot) AS slot, max(g.at) AS at FROM gap g GROUP BY g.job_id
    ), moved AS (
        UPDATE chime.job_state s SET last_slot = j.slot, missed_at = j.at
          FROM jump j WHERE s.job_id = ANY (p_job) AND s.job_id = j.job_id AND s.last_slot = j.cursor
        RETURNING s.job_id
    ), kept AS (
        INSERT INTO chime.missed (job_id, first_slot, last_slot, slots, reason, epoch)
        SELECT g.job_id, g.first_slot, g.last_slot, g.slots, g.reason, v_epoch FROM gap g JOIN moved m USING (job_id)
    )
    SELECT m.job_id FROM moved m;
END $$;

-- --- cursors in the future -------------------------------------------------------------------------------------------
-- A clock that was ahead for a while leaves cursors there: nothing is due until then, and what lies between is on
-- record.

CREATE FUNCTION chime.ran_ahead(p_job bigint, p_at timestamptz) RETURNS tstzmultirange
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET enable_seqscan = off
RETURN (SELECT coalesce(range_agg(tstzrange(h.slot, h.slot, '[]')), '{}') FROM chime.run_history h
        WHERE h.job_id = p_job AND h.kind = 'schedule' AND h.slot > p_at);
COMMENT ON FUNCTION chime.ran_ahead IS 'slots of the job after p_at that the history has';

CREATE FUNCTION chime.begin_anew(p_job bigint) RETURNS boolean
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
CREATE FUNCTION chime.begin_jobs(p_token uuid, p_job bigint[], p_at timestamptz)
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

-- Up to p_at: a clock that was ahead for a while left records of slots to come.
CREATE FUNCTION chime.missed_after(p_job bigint, p_slot timestamptz, p_at timestamptz) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET enable_seqscan = off
RETURN EXISTS (SELECT FROM chime.missed m WHERE m.job_id = p_job AND m.first_slot > p_slot AND m.first_slot <= p_at);
COMMENT ON FUNCTION chime.missed_after IS 'whether slots of the job after p_slot are on record as missed';

-- Live runs that no session of this leader works on: claimed by an earlier leader, or for a session that is gone. A
-- session of an earlier leader that is still there is ended (or, without the right to, waited for): until it is `gone`
-- nothing may be said of its run. p_known: sessions this leader holds.
-- A page: of the p_limit live runs that follow run p_from. Where more may follow, a last row has the run_id to go on
-- from, and no job.
CREATE FUNCTION chime.unfinished_runs(p_token uuid, p_known integer[], p_from bigint DEFAULT 0, p_limit integer DEFAULT 1000)
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
                 FROM (SELECT * FROM chime.run o WHERE o.run_id > p_from ORDER BY o.run_id LIMIT p_limit) r
                 LEFT JOIN pg_stat_activity a ON a.pid = r.pid AND (a.backend_start IS NULL OR a.backend_start = r.backend_start)
    LOOP
        v_seen := v_seen + 1;
        v_last := greatest(v_last, v_run.run_id);
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
    IF v_seen = p_limit THEN
        run_id := v_last; job_id := NULL;
        RETURN NEXT;
    END IF;
END $$;

CREATE FUNCTION chime.cancel_backend(p_pid integer, p_backend_start timestamptz, p_terminate boolean) RETURNS boolean
LANGUAGE sql SET search_path = pg_catalog, pg_temp
RETURN chime.backend_alive(p_pid, p_backend_start)
       AND CASE WHEN p_terminate THEN pg_terminate_backend(p_pid) ELSE pg_cancel_backend(p_pid) END;

-- Once a wait was given up, pg_blocking_pids says nothing of it any more: so the locks themselves are asked. Those on
-- tables keep whole tables from being written; one who holds rows shows only as somebody who began to write before and
-- has not ended. A prepared transaction has no session: its locks name no pid, and pg_blocking_pids says 0.
CREATE FUNCTION chime.lock_holders(p_pid integer) RETURNS TABLE (pid integer, words text, surely boolean)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    WITH held AS (
        SELECT DISTINCT ON (l.pid, l.virtualtransaction) l.pid, l.virtualtransaction AS id, l.mode, l.relation,
               l.mode NOT LIKE 'Row%' OR coalesce(l.pid, 0) = ANY (pg_blocking_pids(p_pid)) AS surely
        FROM pg_locks l JOIN pg_class c ON c.oid = l.relation JOIN pg_namespace n ON n.oid = c.relnamespace
        WHERE n.nspname = 'chime' AND l.granted AND l.pid IS DISTINCT FROM p_pid
          AND l.database = (SELECT d.oid FROM pg_database d WHERE d.datname = current_database())
          AND l.mode IN ('ShareLock', 'ShareRowExclusiveLock', 'ExclusiveLock', 'AccessExclusiveLock', 'RowShareLock',
                         'RowExclusiveLock')
        ORDER BY l.pid, l.virtualtransaction, l.mode LIKE 'Row%', c.relkind NOT IN ('r', 'p'), c.relispartition, l.relation
    ), holder AS (
        SELECT h.pid, h.mode, h.relation, h.surely, a.xact_start AS since, coalesce(a.state, 'idle in transaction') AS state,
               format('pid %s (role %s, %s, %s)', h.pid, a.usename,
                      CASE a.application_name WHEN '' THEN 'no application name' ELSE coalesce(a.application_name, 'hidden') END,
                      coalesce(a.state, 'hidden')) AS name
        FROM held h JOIN pg_stat_activity a ON a.pid = h.pid
        UNION ALL
        SELECT NULL, h.mode, h.relation, h.surely, x.prepared, 'idle in transaction', format('prepared transaction %L (role %s)', x.gid, x.owner)
        FROM held h JOIN pg_locks l ON l.virtualtransaction = h.id AND l.pid IS NULL AND l.locktype = 'transactionid'
             JOIN pg_prepared_xacts x ON x.transaction = l.transactionid
        WHERE h.pid IS NULL
    ), told AS (
        SELECT h.pid, format('%s holds %s on %s since %s', h.name, h.mode, h.relation::regclass,
                             coalesce(to_char(h.since AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS"Z"'), 'an unknown time')) AS words,
               h.surely
        FROM holder h
        WHERE coalesce(h.since < clock_timestamp() - interval '1 second', true)
          AND (h.surely OR h.state LIKE 'idle in transaction%')
    )
    SELECT t.pid, t.words, t.surely FROM told t
    WHERE t.surely OR NOT EXISTS (SELECT FROM told o WHERE o.surely)
    ORDER BY t.pid, t.words;
END;
COMMENT ON FUNCTION chime.lock_holders IS
    'who keeps that session from writing to the ledger, in words; NOT surely: one who may, since a row may be locked; a prepared transaction has no pid';

-- History partitions: those of yesterday, today and a week ahead are made, those whose slots are all older than p_keep
-- are dropped. One at a time, in a transaction of its own: what is locked for one is free before the next.
CREATE FUNCTION chime.history_work(p_keep interval) RETURNS TABLE (key integer, day date, name text, makes boolean)
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
CREATE FUNCTION chime.keep_history(p_token uuid, p_from bigint DEFAULT 0, p_keep interval DEFAULT '30 days')
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

-- --- upkeep: one step each, on the session that also carries the heartbeat -------------------------------------------
--
-- A step does at most p_limit rows, waits for nobody, and returns from where there is more to do (0: the same again),
-- NULL: nothing is left.

CREATE FUNCTION chime.forget_rows(p_token uuid, p_limit integer, p_table name, p_time name, p_keep interval DEFAULT '30 days') RETURNS bigint
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

-- Of the epochs in the history one ended after it was kept from.
CREATE FUNCTION chime.forget_leaderships(p_token uuid, p_limit integer, p_keep interval DEFAULT '30 days') RETURNS bigint
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

-- What people read.
CREATE VIEW chime.leader_status WITH (security_invoker = true) AS
SELECT l.instance, l.epoch, l.since, h.led AS alive,
       (SELECT clock_timestamp() - a.state_change FROM pg_stat_activity a
        WHERE h.led AND a.pid = l.pid AND a.backend_start = l.backend_start) AS heartbeat_age,
       l.configuration, l.timeline, f.followers, f.differing
FROM chime.leader l CROSS JOIN (SELECT chime.led()) h (led) CROSS JOIN LATERAL (
    SELECT coalesce(array_agg(f.instance ORDER BY f.since), '{}') AS followers,
           coalesce(array_agg(f.instance ORDER BY f.since) FILTER (WHERE f.configuration <> l.configuration), '{}') AS differing
    FROM chime.follower f WHERE chime.backend_alive(f.pid, f.backend_start) AND f.pid IS DISTINCT FROM l.pid) f;
COMMENT ON VIEW chime.leader_status IS 'who leads, and who follows; heartbeat_age: since the leader''s session was last heard of';
COMMENT ON COLUMN chime.leader_status.differing IS 'followers whose configuration is not the leader''s';

-- The history is joined outside of the union, so that "ORDER BY slot DESC LIMIT n" reads the ends of indexes, not every
-- run.
CREATE VIEW chime.runs WITH (security_invoker = true) AS
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

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA chime FROM PUBLIC;
