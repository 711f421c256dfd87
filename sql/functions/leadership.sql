-- SPDX-License-Identifier: PostgreSQL
-- Who leads, who follows, and the leader's token.
--
-- Here, in jobs, runs, requests and history, stand the ledger's statements as functions: the daemon calls these and
-- nothing else.
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

CREATE OR REPLACE FUNCTION chime.led() RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$ -- keeps its plan, as view_freshness()
BEGIN
    RETURN EXISTS (SELECT FROM chime.leader l
                   WHERE CASE WHEN pg_is_in_recovery() THEN l.pid IS NOT NULL ELSE chime.backend_alive(l.pid, l.backend_start) END AND chime.copy_of() IS NULL);
END $$;
COMMENT ON FUNCTION chime.led IS 'whether the session that holds the leader lock is there, or, on a standby, which does not see it, has not resigned; who leads its original leads no copy';

-- A session shows that its client lives by each thing it does. Nothing shows while it works, but where it only waits
-- for a client that takes nothing any more: no timeout ends that.
CREATE OR REPLACE FUNCTION chime.leader_sign() RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$ -- keeps its plan: each follower asks it four times a second
BEGIN
    RETURN (SELECT a.state_change::text FROM chime.leader l CROSS JOIN LATERAL pg_stat_get_activity(l.pid) AS a
            WHERE l.token IS NOT NULL AND a.pid = l.pid AND a.backend_start = l.backend_start AND (a.state <> 'active' OR a.wait_event = 'ClientWrite'));
END $$;
COMMENT ON FUNCTION chime.leader_sign IS 'sign of life of the session that holds the leader lock; NULL while it works, or is gone';

CREATE OR REPLACE FUNCTION chime.end_silent(p_token uuid, p_sign text) RETURNS boolean
LANGUAGE sql SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT pg_terminate_backend(l.pid) FROM chime.leader l WHERE l.token = p_token AND chime.leader_sign() = p_sign;
END;
COMMENT ON ROUTINE chime.end_silent IS 'ends the session of a leader that has shown no new sign of life';

-- What only tells people how things are need not be safe on a standby: for the transaction under way.
CREATE OR REPLACE FUNCTION chime.commit_locally() RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT set_config('synchronous_commit', 'local', true);
END;
COMMENT ON FUNCTION chime.commit_locally IS 'this transaction waits for no standby when it commits';

-- A commit that waits for a standby goes on when its client gives it up, and so does its session. Whoever may not act
-- as the ledger's owner is no daemon, whatever its session calls itself.
CREATE OR REPLACE FUNCTION chime.commits_wait() RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$ -- as above
DECLARE v_names text := current_setting('synchronous_standby_names');
BEGIN
    IF v_names = '' THEN
        RETURN NULL;
    END IF;
    RETURN (SELECT format('commits wait for a synchronous standby (synchronous_standby_names = ''%s''), as of pid %s',
                          v_names, string_agg(a.pid::text, ', ' ORDER BY a.pid))
            FROM pg_stat_activity a JOIN pg_class c ON c.oid = 'chime.leader'::regclass
            WHERE a.datname = current_database() AND a.application_name LIKE 'pgchime %' AND a.wait_event = 'SyncRep'
              AND pg_has_role(a.usesysid, c.relowner, 'MEMBER') AND a.state_change < clock_timestamp() - interval '2 seconds'
            HAVING count(*) > 0);
END $$;
COMMENT ON FUNCTION chime.commits_wait IS 'that sessions of daemons wait for a synchronous standby, in words; NULL: none does';

CREATE OR REPLACE FUNCTION chime.follow(p_instance text, p_configuration text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM chime.commit_locally();
    DELETE FROM chime.follower f WHERE NOT chime.backend_alive(f.pid, f.backend_start);
    INSERT INTO chime.follower AS f (pid, backend_start, instance, configuration)
    SELECT a.pid, a.backend_start, p_instance, p_configuration FROM pg_stat_activity a WHERE a.pid = pg_backend_pid()
    ON CONFLICT (pid) DO UPDATE SET instance = excluded.instance, configuration = excluded.configuration;
END $$;
COMMENT ON ROUTINE chime.follow IS 'writes down that an instance follows, with the fingerprint of its configuration';

-- By the end of an index, and of no more live runs than a leader usually has: a takeover does not wait for a table to
-- be read.
CREATE OR REPLACE FUNCTION chime.last_written() RETURNS timestamptz
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET enable_seqscan = off
BEGIN ATOMIC
    SELECT greatest((SELECT l.since FROM chime.leader l),
                    (SELECT max(h.finished_at) FROM (SELECT x.finished_at FROM chime.run_history x ORDER BY x.slot DESC LIMIT 20) h),
                    (SELECT max(r.claimed_at) FROM (SELECT x.claimed_at FROM chime.run x LIMIT 500) r));
END;
COMMENT ON FUNCTION chime.last_written IS 'an instant at which a leader wrote to this ledger, of the latest there are';

CREATE OR REPLACE FUNCTION chime.take_over(p_seen uuid, p_instance text, p_configuration text, p_system text, p_timeline integer)
RETURNS TABLE (epoch bigint, token uuid)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    v_heard timestamptz := chime.last_written();
    v_until timestamptz;
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
      FROM chime.leader l WHERE s.epoch = l.epoch - 1 AND s.until IS NULL
    RETURNING s.until INTO v_until;
    IF FOUND THEN
        PERFORM chime.note_gap(v_until);
    END IF;
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

CREATE OR REPLACE FUNCTION chime.resign(p_token uuid) RETURNS boolean
LANGUAGE sql SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    WITH released AS (UPDATE chime.leader SET token = NULL, pid = NULL, backend_start = NULL
                       WHERE token = p_token RETURNING epoch),
    ended AS (UPDATE chime.leadership s SET until = clock_timestamp(), resigned = true
                FROM released r WHERE s.epoch = r.epoch)
    SELECT EXISTS (SELECT FROM released);
END;
COMMENT ON ROUTINE chime.resign IS 'gives the leader lock up; false when the token is not the leader''s any more';

-- Of instants in no leadership.
CREATE OR REPLACE FUNCTION chime.unled_words(p_at timestamptz) RETURNS text
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

CREATE OR REPLACE FUNCTION chime.require_leader(p_token uuid) RETURNS bigint
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

-- What people read.
CREATE OR REPLACE VIEW chime.leader_status WITH (security_invoker = true) AS
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
