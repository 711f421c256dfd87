-- SPDX-License-Identifier: PostgreSQL
-- Views kept by SQL: chime.keep_view and its like, for whoever has a connection and no file of the daemon's machine.
--
-- What administrators declare (docs/adr/0038-kept-by-sql.md) goes through chime.install_view and chime.install_keys, as
-- a plugin's does: it is evaluated as the daemon's role. Calls come through chime.job_call, so they act as that role
-- whichever administrator calls. What any other role declares is that role's (docs/adr/0041-views-of-roles.md): the
-- functions at the end of this file choose by who calls.

CREATE OR REPLACE FUNCTION chime.require_keeper(p_caller name) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NOT chime.is_administrator(p_caller) THEN
        RAISE EXCEPTION 'role % may not keep views', p_caller USING ERRCODE = 'insufficient_privilege',
            HINT = format('a definition is evaluated as role %s, so only that role and superusers keep views: let one of them call it', current_user);
    END IF;
END $$;
COMMENT ON FUNCTION chime.require_keeper IS 'raises where the caller may not keep views by SQL';

-- As the rules of a plugin's declaration have it (core/plugin/check_names.c).
CREATE OR REPLACE FUNCTION chime.check_relation_name(p_name text) RETURNS name
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF p_name COLLATE "C" !~ '^[a-z_][a-z0-9_]{0,55}$' THEN
        RAISE EXCEPTION '"%" is no name for a view', left(p_name, 80) USING ERRCODE = 'invalid_name',
            HINT = 'write 1 to 56 of a-z, 0-9 and _, not beginning with a digit; its schema is another argument, view_schema';
    END IF;
    RETURN p_name;
END $$;
COMMENT ON FUNCTION chime.check_relation_name IS 'the name of a relation to be kept; raises where it is none';

-- What jobs take: a number and a unit (core/base/duration.c).
CREATE OR REPLACE FUNCTION chime.check_target_lag(p_target text) RETURNS text
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF p_target IN ('none', 'downstream') THEN
        RETURN p_target;
    ELSIF p_target COLLATE "C" !~ '^[0-9]{1,9} ?(ms|s|min|h|d)$' THEN
        RAISE EXCEPTION 'target_lag cannot be "%"', left(p_target, 80) USING ERRCODE = 'invalid_parameter_value',
            HINT = 'write a number and ms, s, min, h or d, such as ''1s''; or downstream, or none';
    ELSIF p_target::interval NOT BETWEEN interval '50 ms' AND interval '365 d' THEN
        RAISE EXCEPTION 'target_lag "%" is outside 50ms to 365d', p_target USING ERRCODE = 'invalid_parameter_value', HINT = 'write one between these';
    END IF;
    RETURN p_target;
END $$;
COMMENT ON FUNCTION chime.check_target_lag IS 'a target_lag; raises where it is none';

CREATE OR REPLACE FUNCTION chime.kept_by_sql(p_name text, OUT view chime.view, OUT plugin chime.plugin)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    view := chime.find_view(p_name);
    SELECT * INTO STRICT plugin FROM chime.plugin p WHERE p.name = view.plugin FOR UPDATE;
    IF NOT plugin.by_sql THEN
        RAISE EXCEPTION 'view %.% is of plugin %, and not made by chime.keep_view', view.view_schema, view.relation, view.plugin
            USING ERRCODE = 'wrong_object_type', HINT = 'edit the file that declares it, and run pgchime reload';
    END IF;
END $$;
COMMENT ON FUNCTION chime.kept_by_sql IS 'a view that chime.keep_view made, and its row among the plugins, locked; raises where it is another''s';

-- Its first refresh belongs to it: what cannot be filled is not kept. Nothing of that is left where it fails.
CREATE OR REPLACE FUNCTION chime.declare_view(p_plugin chime.plugin, p_declared jsonb) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_relation name := p_declared ->> 'name';
    v_view chime.view;
    v_done record;
BEGIN
    IF octet_length(p_declared ->> 'definition') > 1048576 THEN
        RAISE EXCEPTION 'the definition has % bytes, more than 1048576', octet_length(p_declared ->> 'definition')
            USING ERRCODE = 'program_limit_exceeded', HINT = 'make a view or a function of parts of it';
    END IF;
    PERFORM chime.one_of(p_declared ->> 'mode', 'mode', 'auto', 'keyed', 'strict', 'full', 'matview');
    PERFORM chime.require_one_statement(format('%I, %I, pg_temp', p_plugin.view_schema, p_plugin.source_schema), p_declared ->> 'definition');
    PERFORM chime.install_view(p_plugin.name, p_plugin.view_schema, p_plugin.source_schema, v_relation, p_declared ->> 'definition',
                               CASE WHEN p_declared ? 'key' THEN ARRAY(SELECT k::name FROM jsonb_array_elements_text(p_declared -> 'key') AS k) END,
                               v_relation || '_key', NULL, p_declared ->> 'mode', '{}', nullif(p_declared ->> 'revisit', 'none'), NULL, '[]',
                               coalesce(p_declared ->> 'comment', 'kept by chime.keep_view'), p_declared ->> 'timezone', nullif(p_declared ->> 'frozen', ''));
    PERFORM chime.install_keys(p_plugin.view_schema, p_plugin.source_schema, v_relation, NULL);
    SELECT * INTO STRICT v_view FROM chime.view v WHERE v.plugin = p_plugin.name;
    SELECT * INTO v_done FROM chime.refresh(v_view.view_schema || '.' || v_view.relation);
    RETURN CASE WHEN v_view.full_reason IS NULL THEN format('%s rows; keyed by %s', v_done.rows, array_to_string(v_view.grain, ', '))
                ELSE format('%s rows; refreshed as a whole: %s', v_done.rows, v_view.full_reason) END;
END $$;
COMMENT ON FUNCTION chime.declare_view IS 'makes a view as it is declared by SQL, or brings it up to date, and fills it; what became of it, in words';

-- target_lag 1s where neither is said: whoever names a schedule alone wants that, also of a view that is there. Each is
-- taken away by 'none'.
CREATE OR REPLACE FUNCTION chime.refresh_starts(p_declared jsonb, OUT schedule text, OUT options jsonb)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE v_target text := chime.check_target_lag(p_declared ->> 'target_lag');
BEGIN
    schedule := coalesce(nullif(p_declared ->> 'schedule', 'none'), '');
    options := CASE WHEN v_target IS NOT NULL THEN jsonb_build_object('target_lag', v_target) WHEN schedule = '' THEN '{"target_lag": "1s"}' ELSE '{}' END;
    IF schedule <> '' THEN
        PERFORM chime.check_schedule(schedule);
    ELSIF v_target = 'none' THEN
        RAISE EXCEPTION 'with neither a schedule nor a target_lag nothing would refresh view %', p_declared ->> 'name'
            USING ERRCODE = 'invalid_parameter_value', HINT = 'give it one of them, such as schedule => ''@hourly'' or target_lag => ''1s''';
    END IF;
END $$;
COMMENT ON FUNCTION chime.refresh_starts IS 'the schedule and the options of the job that refreshes a view made by SQL; raises where nothing would start it';

-- A plugin's name has no dot: so none takes the place of this one.
CREATE OR REPLACE FUNCTION chime.keep_view_for(p_caller name, p_declared jsonb) RETURNS jsonb
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_name text;
    v_plugin chime.plugin;
    v_words text;
    v_starts record;
BEGIN
    PERFORM chime.require_keeper(p_caller);
    IF NOT p_declared ?& '{name,definition,mode,view_schema,source_schema}' THEN
        RAISE EXCEPTION 'a view needs a name, a definition, a mode, a view_schema and a source_schema, and one of these is NULL'
            USING ERRCODE = 'null_value_not_allowed', HINT = 'leave out what is to be as usual';
    ELSIF p_declared ->> 'view_schema' ~ '^(pg_|chime$|cron$|information_schema$)' THEN
        RAISE EXCEPTION 'views are not kept in schema %', p_declared ->> 'view_schema' USING ERRCODE = 'invalid_schema_name',
            HINT = 'name another as view_schema: it is made where it is missing';
    END IF;
    v_name := format('%s.%s', p_declared ->> 'view_schema', chime.check_relation_name(p_declared ->> 'name'));
    v_starts := chime.refresh_starts(p_declared);
    PERFORM chime.release_role_view((p_declared ->> 'view_schema')::name, (p_declared ->> 'name')::name);
    INSERT INTO chime.plugin (name, version, summary, view_schema, source_schema, state, by_sql, settings)
    VALUES (v_name, '1', 'kept by SQL', p_declared ->> 'view_schema', p_declared ->> 'source_schema', 'installed', true, p_declared)
    ON CONFLICT (name) DO NOTHING RETURNING * INTO v_plugin;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'there is a view % already', v_name USING ERRCODE = 'duplicate_table',
            HINT = 'chime.alter_view changes one that you keep; else give yours another name';
    END IF;
    PERFORM chime.install_schema(v_plugin.view_schema);
    v_words := chime.declare_view(v_plugin, p_declared);
    BEGIN
        INSERT INTO chime.job (origin, plugin, job_name, schedule, views, options)
        VALUES ('sql', v_name, p_declared ->> 'name', v_starts.schedule, ARRAY[v_name], v_starts.options);
    EXCEPTION WHEN unique_violation THEN
        RAISE EXCEPTION 'role % has a job "%" already, which is what the view''s is to be called', current_user, p_declared ->> 'name'
            USING ERRCODE = 'duplicate_object', HINT = 'give the view, or that job, another name';
    END;
    RETURN jsonb_build_object('words', v_words);
END $$;
COMMENT ON FUNCTION chime.keep_view_for IS 'makes a view that is declared by SQL, and its job';

CREATE OR REPLACE FUNCTION chime.alter_view_for(p_caller name, p_declared jsonb) RETURNS jsonb
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_plugin chime.plugin;
    v_declared jsonb;
    v_starts record;
BEGIN
    PERFORM chime.require_keeper(p_caller);
    v_plugin := (chime.kept_by_sql(p_declared ->> 'name')).plugin;
    v_declared := v_plugin.settings || (p_declared - 'name');
    v_starts := chime.refresh_starts(v_declared);
    UPDATE chime.plugin p SET settings = v_declared, state = 'installed', reason = NULL, changed_at = clock_timestamp() WHERE p.name = v_plugin.name;
    UPDATE chime.job j SET schedule = v_starts.schedule, options = j.options - 'target_lag' || v_starts.options
     WHERE j.plugin = v_plugin.name AND j.origin = 'sql' AND j.removed_at IS NULL;
    RETURN jsonb_build_object('words', chime.declare_view(v_plugin, v_declared));
END $$;
COMMENT ON FUNCTION chime.alter_view_for IS 'changes what is said of a view that is declared by SQL';

-- What somebody gave its relation, or built on it, is named, and nothing is dropped. Triggers on sources that nobody
-- else follows stay, since only a table's owner drops them, and do nothing.
CREATE OR REPLACE FUNCTION chime.drop_view_for(p_caller name, p_declared jsonb) RETURNS jsonb
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET lock_timeout = '10s' SET client_min_messages = warning AS $$
DECLARE
    v_view chime.view;
    v_relations regclass[];
    v_relation regclass;
    v_sources integer[];
    v_foreign text;
BEGIN
    PERFORM chime.require_keeper(p_caller);
    v_view := (chime.kept_by_sql(p_declared ->> 'name')).view;
    PERFORM chime.require_kept(v_view);
    v_relations := array_remove(ARRAY[chime.now_of(v_view), chime.kept_of(v_view), chime.live_of(v_view)], NULL);
    PERFORM chime.hold_columns(ARRAY(SELECT r::oid FROM unnest(v_relations) AS r));
    SELECT coalesce(string_agg(chime.foreign_dependents(r), ', '),
                    (SELECT string_agg(format('view %s.%s', o.view_schema, o.relation), ', ') FROM chime.view o
                     WHERE o.view_id <> v_view.view_id
                       AND EXISTS (SELECT FROM chime.tables_read(chime.live_of(o)) AS t (relation) WHERE t.relation = chime.kept_of(v_view))))
      INTO v_foreign FROM unnest(v_relations) AS r;
    IF v_foreign IS NOT NULL THEN
        RAISE EXCEPTION 'view %.% stays: something needs it: %', v_view.view_schema, v_view.relation, v_foreign
            USING ERRCODE = 'dependent_objects_still_exist', HINT = 'take away what is named, once what it says or holds is safe elsewhere';
    END IF;
    v_sources := ARRAY(SELECT s.source_id FROM chime.view_source s WHERE s.view_schema = v_view.view_schema AND s.relation = v_view.relation
                       AND NOT EXISTS (SELECT FROM chime.view_source o WHERE o.source_id = s.source_id
                                       AND (o.view_schema, o.relation) <> (s.view_schema, s.relation)));
    UPDATE chime.job j SET active = false, removed_at = clock_timestamp() WHERE j.plugin = v_view.plugin AND j.origin = 'sql' AND j.removed_at IS NULL;
    FOREACH v_relation IN ARRAY v_relations LOOP
        EXECUTE format('DROP %s %s', chime.relation_kind(v_relation), v_relation);
    END LOOP;
    EXECUTE format('DROP FUNCTION IF EXISTS chime.keyed_%s(pg_snapshot, text, boolean, bigint, double precision, double precision, boolean)', v_view.view_id);
    EXECUTE format('DROP FUNCTION IF EXISTS chime.watched_%1$s(), chime.now_%1$s(), chime.kept_%1$s()', v_view.view_id);
    DELETE FROM chime.view v WHERE v.view_id = v_view.view_id;
    DELETE FROM chime.plugin p WHERE p.name = v_view.plugin;
    PERFORM chime.silence_source(s) FROM unnest(v_sources) AS s;
    RETURN jsonb_build_object('done', true);
END $$;
COMMENT ON FUNCTION chime.drop_view_for IS 'drops a view that is declared by SQL, and its job; raises where somebody built on it';

CREATE OR REPLACE FUNCTION chime.refresh_view_for(p_caller name, p_declared jsonb) RETURNS jsonb
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE v_done record;
BEGIN
    PERFORM chime.require_keeper(p_caller);
    SELECT * INTO v_done FROM chime.refresh(p_declared ->> 'name', coalesce((p_declared ->> 'whole')::boolean, false));
    RETURN jsonb_build_object('words', chime.refresh_words(p_declared ->> 'name', v_done));
END $$;
COMMENT ON FUNCTION chime.refresh_view_for IS 'refreshes a view in the caller''s transaction';

CREATE OR REPLACE FUNCTION chime.explain_view_for(p_caller name, p_declared jsonb) RETURNS jsonb
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM chime.require_keeper(p_caller);
    RETURN jsonb_build_object('lines', to_jsonb(ARRAY(SELECT chime.explain_view(chime.find_view(p_declared ->> 'name')))));
END $$;
COMMENT ON FUNCTION chime.explain_view_for IS 'what chime.explain_view says of a view, for an administrator';

-- By a leader that begins, after its plugins: generated functions may be of another version.
CREATE OR REPLACE FUNCTION chime.install_kept_by_sql() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE v_plugin chime.plugin;
BEGIN
    PERFORM chime.recognize_made() WHERE EXISTS (SELECT FROM chime.plugin p WHERE p.by_sql);
    FOR v_plugin IN SELECT * FROM chime.plugin p WHERE p.by_sql ORDER BY p.name LOOP
        BEGIN
            PERFORM chime.install_keys(v.view_schema, v_plugin.source_schema, v.relation, NULL) FROM chime.view v WHERE v.plugin = v_plugin.name;
            UPDATE chime.plugin p SET state = 'installed', reason = NULL WHERE p.name = v_plugin.name AND p.state <> 'installed';
        EXCEPTION
            WHEN lock_not_available OR deadlock_detected THEN
                NULL; -- it stays as it is; asked again with the next start or reload
            WHEN OTHERS THEN
                UPDATE chime.plugin p SET state = 'failed', reason = SQLERRM, changed_at = clock_timestamp() WHERE p.name = v_plugin.name;
        END;
    END LOOP;
END $$;
COMMENT ON FUNCTION chime.install_kept_by_sql IS 'writes anew how views that are declared by SQL follow their sources';

-- --- what people call ------------------------------------------------------------------------------------------------
CREATE OR REPLACE FUNCTION chime.call_for_view(p_verb text, p_declared jsonb) RETURNS jsonb
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE v_answer jsonb;
BEGIN
    INSERT INTO chime.job_call (verb, arguments) VALUES (p_verb, p_declared) RETURNING answer INTO v_answer;
    RETURN v_answer;
END $$;
COMMENT ON FUNCTION chime.call_for_view IS 'asks the ledger''s owner for a view';

CREATE OR REPLACE FUNCTION chime.keep_view(name text, definition text, key text[] DEFAULT NULL, target_lag text DEFAULT NULL,
                                schedule text DEFAULT NULL, mode text DEFAULT 'auto', view_schema text DEFAULT 'analytics',
                                source_schema text DEFAULT 'public', timezone text DEFAULT NULL, comment text DEFAULT NULL,
                                frozen text DEFAULT NULL, revisit text DEFAULT NULL) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_declared jsonb := jsonb_build_object('name', name, 'definition', definition, 'key', to_jsonb(key), 'target_lag', target_lag, 'schedule', schedule,
            'mode', mode, 'view_schema', view_schema, 'source_schema', source_schema,
            'timezone', timezone, 'comment', comment, 'frozen', frozen, 'revisit', revisit);
BEGIN
    PERFORM set_config('citus.enable_ddl_propagation', 'off', true); -- what is made stays here (citus.sql)
    RETURN CASE WHEN chime.is_administrator(current_user) THEN chime.call_for_view('keep_view', v_declared) ->> 'words'
                ELSE chime.keep_role_view(v_declared) END;
END $$;
COMMENT ON FUNCTION chime.keep_view IS
    'keeps a view of a SELECT, fills it, and follows its sources within target_lag (1s where neither that nor a schedule is said); with the rights of whoever calls, of an administrator with those of the daemon''s role. What became of it';

CREATE OR REPLACE FUNCTION chime.alter_view(name text, definition text DEFAULT NULL, key text[] DEFAULT NULL, target_lag text DEFAULT NULL,
                                 schedule text DEFAULT NULL, mode text DEFAULT NULL, timezone text DEFAULT NULL, comment text DEFAULT NULL,
                                 frozen text DEFAULT NULL, revisit text DEFAULT NULL) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_declared jsonb := jsonb_build_object('name', name, 'definition', definition, 'key', to_jsonb(key), 'target_lag', target_lag, 'schedule', schedule,
            'mode', mode, 'timezone', timezone, 'comment', comment, 'frozen', frozen, 'revisit', revisit);
BEGIN
    PERFORM set_config('citus.enable_ddl_propagation', 'off', true); -- what is made stays here (citus.sql)
    RETURN CASE WHEN chime.is_administrator(current_user) THEN chime.call_for_view('alter_view', v_declared) ->> 'words'
                ELSE chime.alter_role_view(v_declared) END;
END $$;
COMMENT ON FUNCTION chime.alter_view IS
    'changes a view that chime.keep_view made; what is NULL stays as it is; '''' as frozen freezes nothing, and a schedule, target_lag or revisit of ''none'' goes. What became of it';

CREATE OR REPLACE FUNCTION chime.drop_view(name text) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM set_config('citus.enable_ddl_propagation', 'off', true); -- what is made stays here (citus.sql)
    RETURN CASE WHEN chime.is_administrator(current_user) THEN (chime.call_for_view('drop_view', jsonb_build_object('name', name)) ->> 'done')::boolean
                ELSE chime.drop_role_view(name) END;
END $$;
COMMENT ON FUNCTION chime.drop_view IS 'drops a view that chime.keep_view made, with its relations and its job';

CREATE OR REPLACE FUNCTION chime.explain_view(name text) RETURNS SETOF text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN QUERY SELECT jsonb_array_elements_text(chime.call_for_view(
        CASE WHEN chime.is_administrator(current_user) THEN 'explain_view' ELSE 'role_view_explain' END, jsonb_build_object('name', name)) -> 'lines');
END $$;
COMMENT ON FUNCTION chime.explain_view(text) IS 'by what a view is keyed and what its writers pay, or why it is full: as pgchime views explain, for whoever keeps it';

CREATE OR REPLACE FUNCTION chime.refresh_view(name text, whole boolean DEFAULT false) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN CASE WHEN chime.is_administrator(current_user) THEN chime.call_for_view('refresh_view', jsonb_build_object('name', name, 'whole', whole)) ->> 'words'
                ELSE chime.refresh_role_view(name, whole, false) END;
END $$;
COMMENT ON FUNCTION chime.refresh_view IS 'refreshes a view now, in this transaction: what changed, or all of it. What it did';
