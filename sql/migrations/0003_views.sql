-- Views: what plugins installed, and the one function that refreshes a kept relation.
--
-- A view is two relations: RELATION__live, a plain view of the definition (always true, maybe slow), and RELATION, a table
-- (fast) that equals it after each refresh. A refresh changes only the rows that differ, in one transaction, so readers
-- see the old rows or the new ones and are never blocked.

CREATE TABLE chime.plugin (
    name          text PRIMARY KEY,
    version       text NOT NULL,
    summary       text NOT NULL DEFAULT '',
    view_schema   name NOT NULL,
    source_schema name NOT NULL,
    state         text NOT NULL CHECK (state IN ('installed', 'dormant', 'failed', 'removed')),
    reason        text,
    settings      jsonb NOT NULL DEFAULT '{}',
    changed_at    timestamptz NOT NULL DEFAULT clock_timestamp()
);
COMMENT ON COLUMN chime.plugin.state IS
    'dormant: a source is missing (reason says which); removed: its file is gone, its data stays';

CREATE TABLE chime.view (
    view_schema    name NOT NULL,
    relation       name NOT NULL,
    plugin         text NOT NULL REFERENCES chime.plugin,
    key            name[] NOT NULL CHECK (cardinality(key) > 0),
    stamps         name[] NOT NULL,
    grain          name[] NOT NULL,
    mode           text NOT NULL,
    rejected_query text,
    revisit_query  text,
    definition     text NOT NULL,
    search_path    text NOT NULL,
    refresh_full   text NOT NULL,
    PRIMARY KEY (view_schema, relation)
);
COMMENT ON COLUMN chime.view.refresh_full IS 'generated: the statement that makes the table equal the live definition';

CREATE TABLE chime.plugin_function (
    plugin      text NOT NULL REFERENCES chime.plugin,
    signature   text NOT NULL,
    definition  text NOT NULL,
    search_path text NOT NULL,
    PRIMARY KEY (plugin, signature)
);
COMMENT ON TABLE chime.plugin_function IS 'functions of the read API; they go before a relation they read is made anew';
COMMENT ON COLUMN chime.plugin_function.signature IS
    'as regprocedure shows it with search_path = pg_catalog; not of that type, since pg_upgrade refuses tables that have it';

-- NULL: there is none, also where a type among its arguments is gone, which PostgreSQL before 16 takes for an error.
CREATE FUNCTION chime.routine(p_signature text) RETURNS regprocedure
LANGUAGE plpgsql STABLE SET search_path = pg_catalog AS $$
BEGIN
    RETURN to_regprocedure(p_signature);
EXCEPTION WHEN undefined_object OR invalid_schema_name THEN
    RETURN NULL;
END $$;

-- Apart from chime.view, because it changes with every refresh.
CREATE TABLE chime.view_refresh (
    view_schema  name NOT NULL,
    relation     name NOT NULL,
    refreshed_at timestamptz,
    changed_at   timestamptz,
    method       text,
    duration_us  bigint,
    rows         bigint,
    inserted     bigint,
    updated      bigint,
    deleted      bigint,
    rejected     bigint,
    refreshes    bigint NOT NULL DEFAULT 0,
    PRIMARY KEY (view_schema, relation),
    FOREIGN KEY (view_schema, relation) REFERENCES chime.view ON DELETE CASCADE
) WITH (fillfactor = 50);
COMMENT ON COLUMN chime.view_refresh.refreshed_at IS 'start of the transaction that refreshed last: the rows are as of then';
COMMENT ON COLUMN chime.view_refresh.rejected IS 'source values left out as malformed; NULL where a view has no such notion';

CREATE FUNCTION chime.as_of() RETURNS timestamptz
LANGUAGE sql STABLE PARALLEL SAFE
RETURN coalesce(nullif(current_setting('chime.as_of', true), '')::timestamptz, now());
COMMENT ON FUNCTION chime.as_of IS 'the instant that definitions count time from: the setting chime.as_of, else now()';

-- The full refresh of one view, as a statement. Rows are matched by key (NULL equals NULL) and compared without stamps.
-- Each join has two arms: keys without a NULL join by equality (hashable), the few with one by a nested loop.
CREATE FUNCTION chime.refresh_full_statement(p_schema name, p_relation name, p_key name[], p_stamps name[]) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog AS $$
DECLARE
    v_kept text := format('%I.%I', p_schema, p_relation);
    v_live text := format('%I.%I', p_schema, p_relation || '__live');
    v_all text; v_differs text; v_set text; v_key text; v_equal text; v_same text; v_null text;
BEGIN
    SELECT string_agg(format('%I', a.attname), ', ' ORDER BY a.attnum),
           string_agg(format('l.%1$I IS DISTINCT FROM k.%1$I', a.attname), ' OR ' ORDER BY a.attnum)
               FILTER (WHERE a.attname <> ALL (p_stamps || p_key)),
           string_agg(format('%1$I = excluded.%1$I', a.attname), ', ' ORDER BY a.attnum)
               FILTER (WHERE a.attname <> ALL (p_key))
      INTO v_all, v_differs, v_set
      FROM pg_attribute a WHERE a.attrelid = v_kept::regclass AND a.attnum > 0 AND NOT a.attisdropped;
    SELECT string_agg(format('%I', c), ', '), string_agg(format('l.%1$I = k.%1$I', c), ' AND '),
           string_agg(format('l.%1$I IS NOT DISTINCT FROM k.%1$I', c), ' AND '), string_agg(format('@.%I IS NULL', c), ' OR ')
      INTO v_key, v_equal, v_same, v_null FROM unnest(p_key) AS c;
    RETURN format($f$
        WITH live AS MATERIALIZED (SELECT %1$s FROM %3$s),
        gone AS (
            DELETE FROM %2$s t WHERE t.ctid IN (
                SELECT k.ctid FROM %2$s k WHERE NOT (%7$s) AND NOT EXISTS (SELECT FROM live l WHERE %5$s)
                UNION ALL
                SELECT k.ctid FROM %2$s k WHERE (%7$s) AND NOT EXISTS (SELECT FROM live l WHERE %6$s))
            RETURNING 1
        ),
        differing AS (
            SELECT l.* FROM live l LEFT JOIN %2$s k ON %5$s WHERE NOT (%8$s) AND (k.ctid IS NULL OR %9$s)
            UNION ALL
            SELECT l.* FROM live l LEFT JOIN %2$s k ON %6$s WHERE (%8$s) AND (k.ctid IS NULL OR %9$s)
        ),
        put AS (
            INSERT INTO %2$s AS t (%1$s) SELECT %1$s FROM differing
            ON CONFLICT (%4$s) DO %10$s
            RETURNING (t.xmax = 0) AS fresh
        )
        SELECT (SELECT count(*) FROM live), (SELECT count(*) FROM put WHERE fresh),
               (SELECT count(*) FROM put WHERE NOT fresh), (SELECT count(*) FROM gone)$f$,
        v_all, v_kept, v_live, v_key, v_equal, v_same, replace(v_null, '@', 'k'), replace(v_null, '@', 'l'),
        coalesce(v_differs, 'false'), coalesce('UPDATE SET ' || v_set, 'NOTHING'));
END $$;

CREATE FUNCTION chime.refuse_foreign(p_schema name, p_relation name) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog AS $$
DECLARE v_owner name;
BEGIN
    SELECT pg_get_userbyid(c.relowner) INTO v_owner
      FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = p_schema AND c.relname = p_relation;
    IF FOUND THEN
        RAISE EXCEPTION 'relation %.% exists already, is owned by % and was not made by pgchime', p_schema, p_relation, v_owner
            USING ERRCODE = 'duplicate_table',
                  HINT = format('pgchime plugins adopt takes it over; or rename or drop it, or set view_schema of this plugin to another schema than "%s"', p_schema);
    END IF;
END $$;

CREATE FUNCTION chime.install_schema(p_schema name) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog SET client_min_messages = warning AS $$
BEGIN
    IF to_regnamespace(quote_ident(p_schema)) IS NULL THEN
        EXECUTE format('CREATE SCHEMA %I', p_schema);
    END IF;
    IF to_regrole('analytics_reader') IS NOT NULL
       AND NOT has_schema_privilege('analytics_reader', p_schema, 'USAGE') THEN
        EXECUTE format('GRANT USAGE ON SCHEMA %I TO analytics_reader', p_schema);
    END IF;
EXCEPTION WHEN insufficient_privilege THEN
    RAISE EXCEPTION 'this role may not make or share schema %', p_schema USING ERRCODE = 'insufficient_privilege',
        HINT = format('let a DBA run: CREATE SCHEMA %I AUTHORIZATION %I', p_schema, current_user);
END $$;

CREATE FUNCTION chime.record_plugin(p_name text, p_version text, p_summary text, p_view_schema name, p_source_schema name,
                                    p_state text, p_reason text, p_settings jsonb) RETURNS void
LANGUAGE sql SET search_path = pg_catalog
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

-- Plugins that the leader's catalog does not have. What they installed stays as it is.
CREATE FUNCTION chime.retire_plugins(p_kept text[]) RETURNS void
LANGUAGE sql SET search_path = pg_catalog
BEGIN ATOMIC
    UPDATE chime.plugin
       SET state = 'removed', reason = 'its file is gone, refused or disabled; its data stays', changed_at = clock_timestamp()
     WHERE state <> 'removed' AND name <> ALL (p_kept);
END;

-- Makes or brings up to date one view of a plugin. Restartable: each call is one transaction, and a second one changes nothing.
-- p_indexes: [{"name": ..., "columns": ..., "where": ...}]. Returns true when the kept relation is new or was made anew.
CREATE FUNCTION chime.install_view(p_plugin text, p_schema name, p_source_schema name, p_relation name, p_definition text,
                                   p_key name[], p_key_index name, p_grain name[], p_mode text, p_stamps name[],
                                   p_revisit text, p_rejected text, p_indexes jsonb, p_comment text)
RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog SET jit = off AS $$
DECLARE
    v_live name := p_relation || '__live';
    v_path text := format('%I, %I, pg_temp', p_schema, p_source_schema); -- pg_catalog comes first unsaid
    v_known chime.view;
    v_fresh boolean := false;
    v_index record;
    v_function record;
    v_same boolean;
    v_kept regclass;
BEGIN
    SELECT * INTO v_known FROM chime.view WHERE view_schema = p_schema AND relation = p_relation FOR UPDATE;
    IF FOUND AND v_known.plugin <> p_plugin THEN
        RAISE EXCEPTION 'relation %.% belongs to plugin %', p_schema, p_relation, v_known.plugin USING ERRCODE = 'duplicate_table',
            HINT = 'two plugins cannot keep the same relation: rename one, or give one of them another view_schema';
    ELSIF NOT FOUND THEN
        PERFORM chime.refuse_foreign(p_schema, p_relation), chime.refuse_foreign(p_schema, v_live);
    END IF;
    IF v_known.definition IS DISTINCT FROM p_definition OR v_known.search_path IS DISTINCT FROM v_path
       OR to_regclass(format('%I.%I', p_schema, v_live)) IS NULL THEN
        EXECUTE format('DROP VIEW IF EXISTS %I.%I', p_schema, v_live);
        PERFORM set_config('search_path', v_path, true);
        EXECUTE format('CREATE VIEW %I.%I AS %s', p_schema, v_live, p_definition);
        PERFORM set_config('search_path', 'pg_catalog', true);
    END IF;
    IF to_regclass(format('%I.%I', p_schema, p_relation)) IS NOT NULL THEN
        SELECT array_agg((a.attname, a.atttypid, a.atttypmod)::text ORDER BY a.attnum) FILTER (WHERE c.relname = p_relation)
               = array_agg((a.attname, a.atttypid, a.atttypmod)::text ORDER BY a.attnum) FILTER (WHERE c.relname = v_live)
          INTO v_same
          FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped
         WHERE c.relnamespace = to_regnamespace(quote_ident(p_schema)) AND c.relname IN (p_relation, v_live);
        IF NOT v_same THEN
            FOR v_function IN DELETE FROM chime.plugin_function f USING pg_proc p
                              WHERE f.plugin = p_plugin AND p.oid = chime.routine(f.signature) RETURNING f.signature LOOP
                EXECUTE format('DROP FUNCTION %s', v_function.signature);
            END LOOP;
            EXECUTE format('DROP TABLE %I.%I', p_schema, p_relation);
        END IF;
    END IF;
    IF to_regclass(format('%I.%I', p_schema, p_relation)) IS NULL THEN
        EXECUTE format('CREATE TABLE %1$I.%2$I WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05) AS '
                       'TABLE %1$I.%3$I WITH NO DATA', p_schema, p_relation, v_live);
        v_fresh := true;
    END IF;
    -- What is there as wanted is not touched: even a statement that changes nothing takes locks that wait for a refresh.
    IF NOT v_fresh AND v_known.key IS DISTINCT FROM p_key THEN
        EXECUTE format('DROP INDEX IF EXISTS %I.%I', p_schema, p_key_index);
    END IF;
    IF to_regclass(format('%I.%I', p_schema, p_key_index)) IS NULL THEN
        EXECUTE format('CREATE UNIQUE INDEX %I ON %I.%I (%s) NULLS NOT DISTINCT', p_key_index, p_schema, p_relation,
                       (SELECT string_agg(quote_ident(k), ', ') FROM unnest(p_key) AS k));
    END IF;
    FOR v_index IN SELECT * FROM jsonb_to_recordset(p_indexes) AS i (name text, columns text, "where" text) LOOP
        IF to_regclass(format('%I.%I', p_schema, v_index.name)) IS NULL THEN
            EXECUTE format('CREATE INDEX %I ON %I.%I (%s)%s', v_index.name, p_schema, p_relation, v_index.columns,
                           coalesce(' WHERE ' || v_index."where", ''));
        END IF;
    END LOOP;
    v_kept := to_regclass(format('%I.%I', p_schema, p_relation));
    IF obj_description(v_kept, 'pg_class') IS DISTINCT FROM p_comment THEN
        EXECUTE format('COMMENT ON TABLE %I.%I IS %L', p_schema, p_relation, p_comment);
    END IF;
    IF to_regrole('analytics_reader') IS NOT NULL AND NOT has_table_privilege('analytics_reader', v_kept, 'SELECT') THEN
        EXECUTE format('GRANT SELECT ON %I.%I TO analytics_reader', p_schema, p_relation);
    END IF;
    INSERT INTO chime.view (view_schema, relation, plugin, key, stamps, grain, mode, rejected_query, revisit_query, definition,
                            search_path, refresh_full)
    VALUES (p_schema, p_relation, p_plugin, p_key, p_stamps, p_grain, p_mode, p_rejected, p_revisit, p_definition, v_path,
            chime.refresh_full_statement(p_schema, p_relation, p_key, p_stamps))
    ON CONFLICT (view_schema, relation) DO UPDATE
        SET key = excluded.key, stamps = excluded.stamps, grain = excluded.grain, mode = excluded.mode,
            rejected_query = excluded.rejected_query, revisit_query = excluded.revisit_query,
            definition = excluded.definition, search_path = excluded.search_path, refresh_full = excluded.refresh_full;
    INSERT INTO chime.view_refresh AS r (view_schema, relation) VALUES (p_schema, p_relation)
    ON CONFLICT (view_schema, relation) DO UPDATE SET refreshed_at = NULL WHERE v_fresh; -- so that it is filled again
    RETURN v_fresh;
END $$;

-- One function of a plugin's read API. One that is there as it should be is left alone; one whose result changed is made anew.
CREATE FUNCTION chime.install_function(p_plugin text, p_schema name, p_source_schema name, p_signature text, p_definition text)
RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE
    v_path text := format('%I, %I, pg_temp', p_schema, p_source_schema);
    v_reader regrole := to_regrole('analytics_reader');
    v_routine regprocedure;
BEGIN
    PERFORM set_config('search_path', v_path, true);
    v_routine := to_regprocedure(p_signature);
    PERFORM set_config('search_path', 'pg_catalog', true);
    IF NOT EXISTS (SELECT FROM chime.plugin_function f WHERE f.plugin = p_plugin AND f.signature = v_routine::text
                   AND f.definition = p_definition AND f.search_path = v_path) THEN
        PERFORM set_config('search_path', v_path, true);
        BEGIN
            EXECUTE p_definition;
        EXCEPTION WHEN invalid_function_definition THEN
            EXECUTE format('DROP FUNCTION %s', p_signature);
            EXECUTE p_definition;
        END;
        v_routine := p_signature::regprocedure;
        PERFORM set_config('search_path', 'pg_catalog', true);
        EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', v_routine);
        INSERT INTO chime.plugin_function AS f (plugin, signature, definition, search_path)
        VALUES (p_plugin, v_routine::text, p_definition, v_path)
        ON CONFLICT (plugin, signature) DO UPDATE SET definition = excluded.definition, search_path = excluded.search_path;
    END IF;
    IF v_reader IS NOT NULL AND NOT has_function_privilege(v_reader, v_routine, 'EXECUTE') THEN
        EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO %s', v_routine, v_reader);
    END IF;
END $$;

-- Which declared sources are missing: [{"table": ..., "columns": [...]}] in; one line a missing thing out. A source may
-- be another plugin's view, so the view schema is looked at as definitions see it: first.
CREATE FUNCTION chime.missing_sources(p_view_schema name, p_source_schema name, p_sources jsonb) RETURNS SETOF text
LANGUAGE sql STABLE SET search_path = pg_catalog
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

-- The view that a name means: "relation", or "schema.relation" where the relation alone is not unique.
CREATE FUNCTION chime.find_view(p_view text) RETURNS chime.view
LANGUAGE plpgsql STABLE SET search_path = pg_catalog AS $$
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

-- Makes a kept relation equal to its live definition. Everyone refreshes through here: runs, psql, verify.
-- "full" is what every refresh is until a view's changes are captured; it is an argument so that callers need not change then.
CREATE FUNCTION chime.refresh(p_view text, p_full boolean DEFAULT false)
RETURNS TABLE (method text, rows bigint, inserted bigint, updated bigint, deleted bigint, rejected bigint)
LANGUAGE plpgsql SET search_path = pg_catalog SET jit = off SET row_security = off AS $$
#variable_conflict use_variable
DECLARE
    v_view chime.view := chime.find_view(p_view);
    v_start timestamptz := clock_timestamp();
BEGIN
    -- One refresh of a view at a time: the row is the lock, since any role may take advisory keys.
    PERFORM FROM chime.view_refresh r
     WHERE r.view_schema = v_view.view_schema AND r.relation = v_view.relation FOR UPDATE;
    method := 'full';
    BEGIN
        EXECUTE v_view.refresh_full INTO rows, inserted, updated, deleted;
    EXCEPTION WHEN cardinality_violation THEN
        RAISE EXCEPTION 'the definition of %.% gives the same key twice', v_view.view_schema, v_view.relation
            USING ERRCODE = 'cardinality_violation',
                  HINT = format('its key is (%s); see which: SELECT %1$s FROM %I.%I GROUP BY %1$s HAVING count(*) > 1',
                                (SELECT string_agg(quote_ident(k), ', ') FROM unnest(v_view.key) AS k),
                                v_view.view_schema, v_view.relation || '__live');
    END;
    IF v_view.rejected_query IS NOT NULL THEN
        PERFORM set_config('search_path', v_view.search_path, true);
        EXECUTE v_view.rejected_query INTO rejected;
        PERFORM set_config('search_path', 'pg_catalog', true);
    END IF;
    UPDATE chime.view_refresh r
       SET refreshed_at = now(), method = method, rows = rows, inserted = inserted, updated = updated, deleted = deleted,
           rejected = rejected, refreshes = r.refreshes + 1,
           changed_at = CASE WHEN inserted + updated + deleted > 0 THEN now() ELSE r.changed_at END,
           duration_us = extract(epoch FROM clock_timestamp() - v_start) * 1000000
     WHERE r.view_schema = v_view.view_schema AND r.relation = v_view.relation;
    RETURN NEXT;
END $$;
COMMENT ON FUNCTION chime.refresh IS 'one transaction, one view; "rows" is how many the view holds now';

-- A refresh job and its end, as one statement and so as one transaction.
CREATE FUNCTION chime.perform_refresh(p_token uuid, p_job bigint, p_kind chime.run_kind, p_slot timestamptz,
                                      p_lock_timeout text, p_views text[])
RETURNS TABLE (rows bigint, message text)
LANGUAGE plpgsql SET search_path = pg_catalog SET jit = off SET row_security = off AS $$
DECLARE
    v_start timestamptz := clock_timestamp();
    v_view text;
    v_done record;
BEGIN
    IF p_lock_timeout IS NOT NULL THEN
        PERFORM set_config('lock_timeout', p_lock_timeout, true);
    END IF;
    rows := 0;
    FOREACH v_view IN ARRAY p_views LOOP
        SELECT * INTO v_done FROM chime.refresh(v_view);
        rows := rows + v_done.inserted + v_done.updated + v_done.deleted;
        message := concat_ws('; ', message,
            format('%s: %s, %s rows, %s inserted, %s updated, %s deleted', v_view, v_done.method, v_done.rows, v_done.inserted,
                   v_done.updated, v_done.deleted) || coalesce(format(', %s source values rejected', v_done.rejected), ''));
    END LOOP;
    PERFORM chime.finish_own(p_token, p_job, p_kind, p_slot, v_start, rows, message);
    RETURN NEXT;
END $$;

-- How kept relation and live definition differ now: rows only in one of them, without stamps. Takes as long as the definition.
CREATE FUNCTION chime.difference(p_view text) RETURNS TABLE (missing bigint, surplus bigint)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog SET jit = off SET row_security = off AS $$
DECLARE
    v_view chime.view := chime.find_view(p_view);
    v_columns text;
BEGIN
    SELECT string_agg(format('%I', a.attname), ', ') INTO v_columns
      FROM pg_attribute a
     WHERE a.attrelid = format('%I.%I', v_view.view_schema, v_view.relation)::regclass AND a.attnum > 0
       AND NOT a.attisdropped AND a.attname <> ALL (v_view.stamps);
    RETURN QUERY EXECUTE format(
        'SELECT (SELECT count(*) FROM (SELECT %1$s FROM %2$I.%4$I EXCEPT ALL SELECT %1$s FROM %2$I.%3$I) d),
                (SELECT count(*) FROM (SELECT %1$s FROM %2$I.%3$I EXCEPT ALL SELECT %1$s FROM %2$I.%4$I) d)',
        v_columns, v_view.view_schema, v_view.relation, v_view.relation || '__live');
END $$;

CREATE VIEW chime.view_status WITH (security_invoker = true) AS
SELECT v.view_schema, v.relation, v.plugin, p.state AS plugin_state, v.mode, r.method, r.refreshed_at, r.changed_at,
       clock_timestamp() - r.refreshed_at AS age, r.duration_us, r.rows, r.inserted, r.updated, r.deleted, r.rejected, r.refreshes,
       pg_total_relation_size(to_regclass(format('%I.%I', v.view_schema, v.relation))) AS bytes
FROM chime.view v JOIN chime.view_refresh r USING (view_schema, relation) JOIN chime.plugin p ON p.name = v.plugin;
COMMENT ON VIEW chime.view_status IS 'what each view''s last refresh did, and when';

-- Readers get the kept relations and the read API, no source table. The role is the DBA's to make where ours may not.
DO $$
BEGIN
    IF to_regrole('analytics_reader') IS NULL THEN
        CREATE ROLE analytics_reader NOLOGIN;
    END IF;
EXCEPTION
    WHEN insufficient_privilege THEN
        RAISE NOTICE 'role analytics_reader was not made: this role may not create roles';
    WHEN duplicate_object OR unique_violation THEN
        NULL; -- made by another database of the cluster a moment ago
END $$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA chime FROM PUBLIC;
DO $$
BEGIN
    IF to_regrole('analytics_reader') IS NOT NULL THEN
        GRANT USAGE ON SCHEMA chime TO analytics_reader;
        GRANT EXECUTE ON FUNCTION chime.as_of() TO analytics_reader;
    END IF;
END $$;
