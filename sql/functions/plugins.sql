-- SPDX-License-Identifier: PostgreSQL
-- What plugins installed: schemas, functions of the read API, and which sources are missing.

-- NULL: there is no such function, or the type of an argument is gone (PostgreSQL before 16 raises an error then).
CREATE OR REPLACE FUNCTION chime.routine(p_signature text) RETURNS regprocedure
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN to_regprocedure(p_signature);
EXCEPTION WHEN undefined_object OR invalid_schema_name THEN
    RETURN NULL;
END $$;
COMMENT ON ROUTINE chime.routine IS 'the function of a signature; NULL: there is none';

CREATE OR REPLACE FUNCTION chime.as_of() RETURNS timestamptz
LANGUAGE sql STABLE PARALLEL SAFE
RETURN coalesce(nullif(current_setting('chime.as_of', true), '')::timestamptz, now());
COMMENT ON FUNCTION chime.as_of IS 'the instant that definitions count time from: the setting chime.as_of, else now()';

-- For arguments that are one of a few words: none of them finds nothing, and says nothing.
CREATE OR REPLACE FUNCTION chime.one_of(p_value text, p_name text, VARIADIC p_words text[]) RETURNS text
LANGUAGE plpgsql IMMUTABLE PARALLEL SAFE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF p_value = ANY (p_words) THEN
        RETURN p_value;
    END IF;
    RAISE EXCEPTION '% cannot be %', p_name, coalesce(quote_literal(p_value), 'NULL') USING ERRCODE = 'invalid_parameter_value',
        HINT = 'it is one of ' || (SELECT string_agg(quote_literal(w), ', ' ORDER BY n) FROM unnest(p_words) WITH ORDINALITY AS u (w, n));
END $$;
COMMENT ON FUNCTION chime.one_of IS 'the value, if it is one of the words; else an error that lists them';

CREATE OR REPLACE FUNCTION chime.refuse_foreign(p_schema name, p_relation name, p_use text) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE v_owner name;
BEGIN
    SELECT pg_get_userbyid(c.relowner) INTO v_owner
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = p_schema AND c.relname = p_relation;
    IF FOUND AND chime.own_relation(p_schema, p_relation, p_use) IS NULL THEN
        RAISE EXCEPTION 'relation %.% exists already, is owned by % and was not made by pgchime', p_schema, p_relation, v_owner
            USING ERRCODE = 'duplicate_table',
                  HINT = format('pgchime plugins adopt takes it over; or rename it, or set view_schema of this plugin to another schema than "%s"', p_schema);
    END IF;
END $$;
COMMENT ON ROUTINE chime.refuse_foreign IS 'raises when a relation of that name is there and was not made by pgchime';

-- Of rows that were written before, too: their lock keeps others from the name.
CREATE OR REPLACE FUNCTION chime.require_kept(p_view chime.view) RETURNS regclass
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE v_kept regclass := chime.kept_of(p_view);
BEGIN
    IF v_kept IS NULL THEN
        PERFORM chime.refuse_foreign(p_view.view_schema, p_view.relation, 'kept');
    ELSIF chime.live_of(p_view) IS NULL THEN
        PERFORM chime.refuse_foreign(p_view.view_schema, p_view.relation || '__live', 'live');
    END IF;
    RETURN v_kept;
END $$;
COMMENT ON FUNCTION chime.require_kept IS 'the kept relation of a view; NULL: there is none; raises where another relation has its name, or its live view''s';

CREATE OR REPLACE FUNCTION chime.install_schema(p_schema name) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET client_min_messages = warning AS $$
BEGIN
    PERFORM chime.recognize_made();
    IF to_regnamespace(quote_ident(p_schema)) IS NULL THEN
        EXECUTE format('CREATE SCHEMA %I', p_schema);
        PERFORM chime.take_back(format('SCHEMA %I', p_schema), n.nspowner, n.nspacl) FROM pg_namespace n WHERE n.nspname = p_schema;
    END IF;
    IF to_regrole('analytics_reader') IS NOT NULL
       AND NOT has_schema_privilege('analytics_reader', p_schema, 'USAGE') THEN
        EXECUTE format('GRANT USAGE ON SCHEMA %I TO analytics_reader', p_schema);
    END IF;
    PERFORM chime.install_freshness(p_schema);
EXCEPTION WHEN insufficient_privilege THEN
    RAISE EXCEPTION 'this role may not make or share schema %', p_schema USING ERRCODE = 'insufficient_privilege',
        HINT = format('let a DBA run: CREATE SCHEMA %I AUTHORIZATION %I', p_schema, current_user);
END $$;
COMMENT ON ROUTINE chime.install_schema IS 'makes the schema for views where it is missing, readable by analytics_reader';

CREATE OR REPLACE FUNCTION chime.record_plugin(p_name text, p_version text, p_summary text, p_view_schema name, p_source_schema name,
                                    p_state text, p_reason text, p_settings jsonb) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    INSERT INTO chime.plugin AS p (name, version, summary, view_schema, source_schema, state, reason, settings)
    VALUES (p_name, p_version, p_summary, p_view_schema, p_source_schema, p_state, p_reason, p_settings)
    ON CONFLICT (name) DO UPDATE
       SET version = excluded.version, summary = excluded.summary, view_schema = excluded.view_schema,
           source_schema = excluded.source_schema, state = excluded.state, reason = excluded.reason,
           settings = excluded.settings, changed_at = clock_timestamp()
     WHERE (p.version, p.summary, p.view_schema, p.source_schema, p.state, p.reason, p.settings)
           IS DISTINCT FROM (excluded.version, excluded.summary, excluded.view_schema, excluded.source_schema,
                             excluded.state, excluded.reason, excluded.settings);
END;
COMMENT ON ROUTINE chime.record_plugin IS 'writes down that a plugin is there, with its version, schemas, state and settings';

CREATE OR REPLACE FUNCTION chime.plugin_is_present(p_name text) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN EXISTS (SELECT FROM chime.view v WHERE v.plugin = p_name) OR EXISTS (SELECT FROM chime.plugin_channel c WHERE c.plugin = p_name)
    OR EXISTS (SELECT FROM chime.plugin p WHERE p.name = p_name AND p.state IN ('installed', 'failed'));
COMMENT ON ROUTINE chime.plugin_is_present IS 'whether something of a plugin is here: a view, a channel, or all of it by the record';

-- Plugins that the leader's catalog does not have. What they installed stays as it is, but notifies nobody any more. A
-- table that is busy just now keeps its trigger until the next look at all plugins.
CREATE OR REPLACE FUNCTION chime.retire_plugins(p_kept text[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE v_plugin text;
BEGIN
    UPDATE chime.plugin
       SET state = 'removed', reason = 'its file is gone, refused or disabled; its data stays', changed_at = clock_timestamp()
     WHERE state NOT IN ('removed', 'available') AND NOT by_sql AND name <> ALL (p_kept);
    DELETE FROM chime.plugin WHERE state = 'available' AND name <> ALL (p_kept);
    PERFORM chime.install_kept_by_sql();
    DELETE FROM chime.tile t WHERE t.plugin <> ALL (p_kept);
    FOR v_plugin IN SELECT DISTINCT c.plugin FROM chime.plugin_channel c
                    WHERE c.plugin <> ALL (p_kept) AND c.definition <> '' LOOP
        BEGIN
            PERFORM chime.remove_channels(v_plugin, '{}');
        EXCEPTION WHEN lock_not_available THEN
            RAISE WARNING 'channels of plugin % still notify: %', v_plugin, SQLERRM;
        END;
    END LOOP;
END $$;
COMMENT ON ROUTINE chime.retire_plugins IS 'plugins that are not among these are removed: their jobs stop, their tiles go, their data stays';

-- One function of a plugin's read API. One that is there as it should be is left alone; one whose result changed is
-- made anew. analytics_reader reads, and no more: whoever is to call a function that is VOLATILE, such as one that
-- refreshes, is granted EXECUTE by the owner; CREATE OR REPLACE keeps that.
CREATE OR REPLACE FUNCTION chime.install_function(p_plugin text, p_schema name, p_source_schema name, p_signature text, p_definition text)
RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_path text := format('%I, %I, pg_temp', p_schema, p_source_schema);
    v_reader regrole := to_regrole('analytics_reader');
    v_routine regprocedure;
    v_is_new boolean;
BEGIN
    PERFORM set_config('search_path', v_path, true);
    v_routine := to_regprocedure(p_signature);
    v_is_new := v_routine IS NULL;
    PERFORM set_config('search_path', 'pg_catalog, pg_temp', true);
    IF NOT EXISTS (SELECT FROM chime.plugin_function f WHERE f.plugin = p_plugin AND f.signature = v_routine::text
                   AND f.definition = p_definition AND f.search_path = v_path) THEN
        PERFORM set_config('search_path', v_path, true);
        BEGIN
            EXECUTE p_definition;
        EXCEPTION WHEN invalid_function_definition THEN
            EXECUTE format('DROP FUNCTION %s', p_signature);
            EXECUTE p_definition;
            v_is_new := true;
        END;
        v_routine := p_signature::regprocedure;
        PERFORM set_config('search_path', 'pg_catalog, pg_temp', true);
        PERFORM chime.refuse_untrusted('function ' || v_routine, 'pg_proc'::regclass, v_routine);
        PERFORM chime.keep_routine_private(v_routine) WHERE v_is_new;
        INSERT INTO chime.plugin_function AS f (plugin, signature, definition, search_path)
        VALUES (p_plugin, v_routine::text, p_definition, v_path)
        ON CONFLICT (plugin, signature) DO UPDATE SET definition = excluded.definition, search_path = excluded.search_path;
    END IF;
    IF v_reader IS NOT NULL AND NOT has_function_privilege(v_reader, v_routine, 'EXECUTE')
       AND (SELECT p.provolatile FROM pg_proc p WHERE p.oid = v_routine) <> 'v' THEN
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO %s', v_routine, v_reader);
    END IF;
END $$;
COMMENT ON ROUTINE chime.install_function IS 'makes one function of a plugin, executable by analytics_reader unless it is volatile';

CREATE OR REPLACE FUNCTION chime.drop_functions(p_plugin text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_signature text;
BEGIN
    FOR v_signature IN DELETE FROM chime.plugin_function f USING pg_proc p
                       WHERE f.plugin = p_plugin AND p.oid = chime.routine(f.signature) RETURNING f.signature LOOP
        EXECUTE format('DROP FUNCTION %s', v_signature);
        PERFORM chime.tell(format('function %s was dropped, to be made again', v_signature));
    END LOOP;
END $$;
COMMENT ON FUNCTION chime.drop_functions IS 'before a relation that they may read is made anew; the installation makes them again';

-- Which declared sources are missing: [{"table": ..., "columns": [...]}] in; one line a missing thing out. A source may
-- be another plugin's view, so the view schema is looked at as definitions see it: first.
CREATE OR REPLACE FUNCTION chime.missing_sources(p_view_schema name, p_source_schema name, p_sources jsonb) RETURNS SETOF text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT CASE WHEN c.oid IS NULL THEN format('table %I.%I', p_source_schema, s."table")
                ELSE format('column %I.%I.%I', c.nspname, s."table", col.name) END
    FROM jsonb_to_recordset(p_sources) AS s ("table" text, columns text[])
    LEFT JOIN LATERAL (
        SELECT r.oid, n.nspname FROM pg_class r JOIN pg_namespace n ON n.oid = r.relnamespace
        WHERE n.nspname IN (p_view_schema, p_source_schema) AND r.relname = s."table" AND r.relkind IN ('r', 'p', 'v', 'm', 'f')
        ORDER BY n.nspname = p_view_schema DESC LIMIT 1) c ON true
    LEFT JOIN LATERAL unnest(s.columns) AS col (name) ON c.oid IS NOT NULL
    WHERE c.oid IS NULL
       OR (col.name IS NOT NULL AND NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = col.name
                                                AND a.attnum > 0 AND NOT a.attisdropped));
END;
COMMENT ON ROUTINE chime.missing_sources IS 'which of a plugin''s declared tables and columns are missing, one line each';

-- The view that a name means: "relation", or "schema.relation" where the relation alone is not unique.
CREATE OR REPLACE FUNCTION chime.find_view(p_view text) RETURNS chime.view
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_view chime.view;
    v_count bigint;
BEGIN
    SELECT count(*) INTO v_count FROM chime.view v WHERE p_view IN (v.relation, v.view_schema || '.' || v.relation);
    IF v_count = 0 THEN
        RAISE EXCEPTION 'there is no view "%"', p_view USING ERRCODE = 'undefined_table', HINT = 'see: SELECT * FROM chime.view_status';
    ELSIF v_count > 1 THEN
        RAISE EXCEPTION 'view "%" exists in several schemas', p_view USING ERRCODE = 'ambiguous_alias', HINT = 'name it as schema.relation';
    END IF;
    SELECT * INTO v_view FROM chime.view v WHERE p_view IN (v.relation, v.view_schema || '.' || v.relation);
    RETURN v_view;
END $$;
COMMENT ON ROUTINE chime.find_view IS 'the view of a name, with its schema where the relation alone is not unique';
