-- SPDX-License-Identifier: PostgreSQL
-- Rules of alerts: the standard ones, those of a configuration, and the conditions that are queries.

-- way_out: what mends it, with %1$s for the subject as a word of a shell; NULL where `status` and `doctor` have a
-- finding of their own, with its own way out.
CREATE OR REPLACE FUNCTION chime.standard_rules() RETURNS TABLE (name text, about text, severity text, hold interval, words text, way_out text)
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT v.name, v.about, v.severity, v.hold::interval, v.words, v.way_out FROM (VALUES
    ('job-failed', 'job', 'warning', '0', 'a run failed, timed out or was lost', NULL),
    ('job-failure-rate', 'job', 'warning', '0', 'more than 20 % of 20 runs or more within an hour failed',
     'pgchime runs %1$s --state failed,timed_out,lost lists its failures'),
    ('job-late', 'job', 'warning', '15 s', 'it was due more than a minute ago and has not started',
     'pgchime why %1$s says what it waits for; more sessions (pool_size) or a larger pool, if others hold them for long'),
    ('job-overdue', 'job', 'warning', '0', 'it has not succeeded for longer than expect_success_within',
     'pgchime why %1$s says what keeps it from succeeding; pgchime run %1$s tries it now'),
    ('job-slow', 'job', 'warning', '0', 'a run takes longer than expect_duration; without one, far longer than runs of it do',
     'pgchime why %1$s says what it waits for; pgchime cancel ends the run; a longer expect_duration, if it may take so long'),
    ('job-quick', 'job', 'warning', '0', 'its last run succeeded in less than expect_min_duration',
     'see what its text finds to do; then pgchime run %1$s; a shorter expect_min_duration, if it may take so little'),
    ('job-rows', 'job', 'warning', '0', 'its last run succeeded with fewer rows than expect_rows',
     'see what its text reads; then pgchime run %1$s; a smaller expect_rows, if there may be so few'),
    ('job-skipped', 'job', 'warning', '0', '5 slots or more in a row were skipped',
     'pgchime why %1$s says what it waits for, pgchime runs %1$s --state skipped why each was; if its runs only take too long: a longer period, or overlap_policy = "buffer_one"'),
    ('job-missed', 'job', 'warning', '0', 'slots passed while nothing led, and are not caught up',
     'pgchime run %1$s does now what was missed; with catchup = "all" it does so by itself'),
    ('job-suspended', 'job', 'critical', '0', 'it failed so often that it suspended itself', NULL),
    ('job-refused', 'job', 'warning', '0', 'the leader cannot run it', NULL),
    ('view-late', 'view', 'info', '25 s', 'it lacks changes older than warn_after', NULL),
    ('view-stale', 'view', 'warning', '25 s', 'it lacks changes older than error_after', NULL),
    ('view-refresh-slow', 'view', 'warning', '0', 'its last refresh took more than 5 s',
     'ANALYZE the tables that it reads, and give them an index for what it looks up; pgchime views says whether it is keyed, and why not;'
     ' pgchime refresh %1$s tries it now'),
    ('live-view-refresh-slow', 'view', 'warning', '5 min', 'with a target_lag of 5 s at most: its refreshes take more than 2 s',
     'ANALYZE the tables that it reads; pgchime views says whether it is keyed, and why not; pgchime refresh %1$s tries it now; else give its job a'
     ' longer target_lag'),
    ('view-refresh-failing', 'job', 'critical', '0', 'more than 3 refreshes failed one after the other', NULL),
    ('view-differs', 'view', 'critical', '0', 'a verification found other rows than its definition has',
     'pgchime verify --repair %1$s puts it right, and compares it again'),
    ('plugin-failed', 'plugin', 'warning', '0', 'it could not be installed, or one of its views not be filled', NULL),
    ('tile-slow', 'tile', 'warning', '0', 'three answers in a row took longer than its bound',
     'EXPLAIN its query (chime.tile has it), and keep what it reads in a view; pgchime tiles %1$s reads it now; a longer bound in its plugin, if it may take'
     ' so long'),
    ('tile-broken', 'tile', 'warning', '25 s', 'its query cannot be read, or would run code of an owner whom nobody trusts', NULL),
    ('view-unfilled', 'view', 'warning', '25 s', 'it was never filled, and nothing will fill it', NULL),
    ('view-unverified', 'view', 'warning', '0', 'its last verification came to no end', NULL),
    ('history-partition', 'database', 'critical', '0', 'the history has no partition for today or tomorrow', NULL),
    ('ledger-unlogged', 'table', 'warning', '0', 'a crash of the server empties a table of the ledger', NULL),
    ('follower-differs', 'daemon', 'warning', '5 min', 'who would lead next goes by another configuration', NULL),
    ('quota-full', 'role', 'info', '0', 'it has as many jobs as it may have', NULL),
    ('sessions', 'limit', 'warning', '0', 'more than 80 % of the server''s or the role''s sessions are in use; critical from 90 %',
     'SELECT usename, application_name, count(*) FROM pg_stat_activity GROUP BY 1, 2 says who has them: end those that nobody needs, or raise'
     ' max_connections or the role''s limit'),
    ('events-unheard', 'database', 'warning', '25 s', 'the leader hears no notifications', NULL),
    ('queue-full', 'server', 'warning', '0', 'the queue of notifications is more than half full',
     'SELECT pid, xact_start FROM pg_stat_activity WHERE state LIKE ''idle in%%'' ORDER BY 2 says which transactions hold it up: end the oldest'),
    ('horizon', 'session', 'warning', '0', 'a transaction of more than an hour keeps change logs from shrinking',
     'end that transaction by COMMIT or ROLLBACK (COMMIT PREPARED or ROLLBACK PREPARED); SELECT pg_terminate_backend(...) ends a session that nobody'
     ' answers for'),
    ('ledger-bloat', 'table', 'info', '10 min', 'ten times as many dead rows as live ones',
     'VACUUM %1$s; where it stays, pgchime alerts says by rule horizon who keeps it'),
    ('unled', 'database', 'critical', '0', 'nobody led for more than a minute; told by who leads next',
     'a second daemon, on another machine, leads when this one does not: pgchime serve'),
    ('clock-ahead', 'job', 'warning', '0', 'it is decided up to a time to come: the clock was ahead', NULL),
    ('sink-failing', 'sink', 'warning', '0', 'what it was to be told has not been delivered for more than 5 minutes',
     'pgchime alerts test %1$s says what it answers'),
    ('ping-failing', 'job', 'warning', '0', 'a ping to the address in its ping_file does not arrive',
     'curl from the daemon''s machine shows what the address answers; mend it, or the job''s ping_file, and pgchime run %1$s pings again'),
    ('condition-broken', 'condition', 'warning', '25 s', 'the condition of an alert fails, or says nothing that can be read',
     'mend alert %1$s, or what its condition names; then pgchime reload'),
    ('alerts-failing', 'database', 'critical', '25 s', 'the leader cannot look for alerts: no other one fires or is resolved',
     'mend what it says; where the leader gets no session, raise max_connections or the limit of its role, or lower pool_size'))
    AS v (name, about, severity, hold, words, way_out);
END;
COMMENT ON FUNCTION chime.standard_rules IS 'rules that every database has; the configuration may switch one off, or give it another severity and hold';

CREATE OR REPLACE FUNCTION chime.rule_hash(p_name text, p_about text, p_plugin text, p_view_schema name, p_condition text, p_severity text, p_hold interval,
                                           p_enabled boolean) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
RETURN md5(jsonb_build_array(p_name, p_about, p_plugin, p_view_schema, p_condition, p_severity, extract(epoch FROM p_hold), p_enabled)::text);
COMMENT ON FUNCTION chime.rule_hash IS 'another one for another rule: by it a rule is found that somebody else than the leader changed';

-- [{"name", "plugin", "view_schema", "condition", "severity", "hold", "enabled"}]: rules of plugins and the
-- configuration, and, without a condition, what the configuration says of a rule that is there; the catalog refuses
-- what it says of others (core/catalog/alert_check.c). Of rules with one name the standard one counts, then the
-- plugin's.
CREATE OR REPLACE FUNCTION chime.set_alert_rules(p_token uuid, p_rules jsonb) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM chime.require_leader(p_token);
    WITH given AS MATERIALIZED (
        SELECT * FROM jsonb_to_recordset(p_rules) AS g (name text, plugin text, view_schema name, condition text, severity text, hold interval,
                                                        enabled boolean)),
    base AS (
        SELECT DISTINCT ON (b.name) b.*
        FROM (SELECT s.name, s.about, NULL AS plugin, NULL::name AS view_schema, NULL AS condition, s.severity, s.hold, true AS enabled, 1 AS turn
              FROM chime.standard_rules() AS s
              UNION ALL
              SELECT g.name, 'subject', g.plugin, g.view_schema, g.condition, coalesce(g.severity, 'warning'), coalesce(g.hold, interval '0'),
                     coalesce(g.enabled, true), CASE WHEN g.plugin IS NULL THEN 2 ELSE 3 END
              FROM given g WHERE g.condition IS NOT NULL) AS b
        ORDER BY b.name, b.turn, b.plugin),
    rules AS MATERIALIZED (
        SELECT b.name, b.about, b.plugin, b.view_schema, b.condition, coalesce(o.severity, b.severity) AS severity, coalesce(o.hold, b.hold) AS hold,
               coalesce(o.enabled, b.enabled) AS enabled
        FROM base b LEFT JOIN given o ON o.name = b.name AND o.condition IS NULL),
    gone AS (
        DELETE FROM chime.alert_rule r WHERE NOT EXISTS (SELECT FROM rules x WHERE x.name = r.name))
    INSERT INTO chime.alert_rule AS r (name, about, plugin, view_schema, condition, severity, hold, enabled, written)
    SELECT x.name, x.about, x.plugin, x.view_schema, x.condition, x.severity, x.hold, x.enabled,
           chime.rule_hash(x.name, x.about, x.plugin, x.view_schema, x.condition, x.severity, x.hold, x.enabled) FROM rules x
    ON CONFLICT (name) DO UPDATE
       SET about = excluded.about, plugin = excluded.plugin, view_schema = excluded.view_schema, condition = excluded.condition,
           severity = excluded.severity, hold = excluded.hold, enabled = excluded.enabled, written = excluded.written, named = NULL, vetted = NULL
     WHERE r IS DISTINCT FROM excluded;
END $$;
COMMENT ON FUNCTION chime.set_alert_rules IS 'what the leader''s configuration and plugins look for';

-- VOLATILE: it sees what the statement that calls it has written.
CREATE OR REPLACE FUNCTION chime.alert_rules_mark() RETURNS text
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
RETURN (SELECT md5(string_agg(concat_ws(E'\x1f', r.name, r.about, r.plugin, r.view_schema, r.condition, r.severity, r.hold, r.enabled), E'\x1e' ORDER BY r.name))
        FROM chime.alert_rule r);
COMMENT ON FUNCTION chime.alert_rules_mark IS 'changes when somebody else than the leader changes the rules; NULL: there are none';

CREATE OR REPLACE FUNCTION chime.alert_conditions() RETURNS SETOF text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT r.name FROM chime.alert_rule r LEFT JOIN chime.plugin p ON p.name = r.plugin
    WHERE r.condition IS NOT NULL AND r.enabled AND (r.plugin IS NULL OR p.state = 'installed') ORDER BY r.name;
END;
COMMENT ON FUNCTION chime.alert_conditions IS 'rules that have a condition to be looked at now';

CREATE OR REPLACE FUNCTION chime.condition_reach(p_named text[]) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN chime.reach_of(chime.oids_named(p_named)) || chime.names_reach();
COMMENT ON FUNCTION chime.condition_reach IS 'what roles that are not trusted could have changed of what a condition runs';

-- A condition runs as the daemon's role, as a definition does, and so is vetted as one: see chime.note_vetted.
CREATE OR REPLACE FUNCTION chime.vet_condition(p_rule chime.alert_rule, p_search_path text, p_condition text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_before text := chime.condition_reach(p_rule.named);
    v_named text[];
BEGIN
    IF p_rule.vetted = v_before THEN
        RETURN;
    END IF;
    FOR v_look IN 1..2 LOOP
        SELECT f.named INTO v_named
          FROM chime.vet_parsed(format('alert %s', p_rule.name), chime.parse_query(p_search_path, p_condition, NULL, NULL)) AS f;
        EXIT WHEN v_named = p_rule.named;
        p_rule.named := v_named;
        v_before := CASE v_look WHEN 1 THEN chime.condition_reach(v_named) END;
    END LOOP;
    UPDATE chime.alert_rule r SET named = v_named, vetted = v_before WHERE r.name = p_rule.name;
END $$;
COMMENT ON FUNCTION chime.vet_condition IS 'refuses a condition that reaches code of an owner whom nobody trusts, where that looks otherwise than when it was vetted';

-- One row of a condition. Whose table it reads may write anything into it: so here it is cut, and a value is none that
-- no double precision can be.
CREATE OR REPLACE FUNCTION chime.condition_found(p_rule text, p_holds json, p_row json) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_value numeric := CASE json_typeof(p_row -> 'value') WHEN 'number' THEN (p_row ->> 'value')::numeric END;
BEGIN
    IF json_typeof(p_holds) <> 'boolean' THEN
        RAISE EXCEPTION 'its first column is a %, not a boolean', json_typeof(p_holds)
            USING ERRCODE = 'datatype_mismatch', HINT = 'the first column says whether it holds: SELECT depth > 100, ... FROM ...';
    END IF;
    RETURN jsonb_build_object('rule', p_rule, 'subject', chime.sendable(left(p_row ->> 'subject', 255)),
                              'summary', chime.sendable(left(p_row ->> 'summary', 1000)), 'value', CASE WHEN v_value = 0 OR abs(v_value) BETWEEN 1e-300 AND 1e300 THEN v_value END);
END $$;
COMMENT ON FUNCTION chime.condition_found IS 'what a row of a condition finds, as chime.note_alerts takes it';

-- Raises what the condition raises: its rule is broken then. The first column decides; subject, value and summary go by
-- their names. Rows that say no are left out where they are read, however many they are.
CREATE OR REPLACE FUNCTION chime.evaluate_condition(p_rule text) RETURNS jsonb
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off AS $$
DECLARE
    v_rule chime.alert_rule;
    v_path text;
    v_condition text;
    v_found jsonb[];
    v_hint text;
BEGIN
    SELECT * INTO v_rule FROM chime.alert_rule r WHERE r.name = p_rule;
    v_path := format('%I, pg_temp', v_rule.view_schema);
    v_condition := rtrim(v_rule.condition, E'; \n\t');
    PERFORM chime.vet_condition(v_rule, v_path, v_condition);
    PERFORM set_config('transaction_read_only', 'on', true);
    PERFORM set_config('search_path', v_path, true);
    EXECUTE format(E'SELECT pg_catalog.array_agg(chime.condition_found(%L, r.holds, r.row)) FROM ('
                   'SELECT pg_catalog.to_json(q.pgchime_holds) AS holds, pg_catalog.row_to_json(q) AS row FROM (%s\n) AS q (pgchime_holds)'
                   ' WHERE pg_catalog.to_json(q.pgchime_holds)::pg_catalog.text OPERATOR(pg_catalog.<>) ''false'' LIMIT 10000) AS r',
                   p_rule, v_condition) INTO v_found;
    PERFORM set_config('search_path', 'pg_catalog, pg_temp', true);
    RETURN (SELECT jsonb_agg(t.found) FROM (SELECT f.found FROM unnest(v_found) AS f (found) ORDER BY f.found ->> 'subject' LIMIT 100) AS t);
EXCEPTION WHEN OTHERS THEN -- in words that may quote what it read
    GET STACKED DIAGNOSTICS v_hint = PG_EXCEPTION_HINT;
    RAISE EXCEPTION USING MESSAGE = left(SQLERRM, 1000), ERRCODE = SQLSTATE, HINT = left(v_hint, 1000);
END $$;
COMMENT ON FUNCTION chime.evaluate_condition IS 'where a condition of a plugin or of the configuration holds now, as chime.note_alerts takes it';
