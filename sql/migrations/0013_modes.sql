-- Modes: a kept relation may be a table or a materialized view, and changes from one to the other, or its columns, without its
-- readers noticing.

-- --- what needs a relation ----------------------------------------------------------------------------------------------------

CREATE TABLE chime.replaced (
    name        name PRIMARY KEY,
    view_schema name NOT NULL,
    relation    name NOT NULL,
    replaced_at timestamptz NOT NULL DEFAULT clock_timestamp(),
    FOREIGN KEY (view_schema, relation) REFERENCES chime.view ON DELETE CASCADE
);
COMMENT ON TABLE chime.replaced IS
    'relations of schema chime that a view had before: whoever found them by a function''s old body may still read them for a moment';

-- Constants as functions, so that a test can replace them.
CREATE FUNCTION chime.replaced_kept() RETURNS interval LANGUAGE sql IMMUTABLE RETURN interval '1 minute';
CREATE FUNCTION chime.exchange_turns() RETURNS integer LANGUAGE sql IMMUTABLE RETURN 100;

CREATE FUNCTION chime.relation_kind(p_relation regclass) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog
RETURN (SELECT CASE c.relkind WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'v' THEN 'VIEW' ELSE 'TABLE' END FROM pg_class c WHERE c.oid = p_relation);

CREATE FUNCTION chime.live_of(p_view chime.view) RETURNS regclass
LANGUAGE sql STABLE SET search_path = pg_catalog
RETURN to_regclass(format('%I.%I', p_view.view_schema, p_view.relation || '__live'));

CREATE FUNCTION chime.kept_of(p_view chime.view) RETURNS regclass
LANGUAGE sql STABLE SET search_path = pg_catalog
RETURN to_regclass(format('%I.%I', p_view.view_schema, p_view.relation));

CREATE FUNCTION chime.plain_of(p_view chime.plain_view) RETURNS regclass
LANGUAGE sql STABLE SET search_path = pg_catalog
RETURN to_regclass(format('%I.%I', p_view.view_schema, p_view.relation));

-- What would go with a relation, or stand in its way: what reads it or returns its rows, and what somebody hung on it.
CREATE FUNCTION chime.dependents(p_relation oid) RETURNS TABLE (class oid, object oid, sub integer)
LANGUAGE sql STABLE SET search_path = pg_catalog
BEGIN ATOMIC
    SELECT DISTINCT CASE WHEN w.oid IS NULL THEN d.classid ELSE 'pg_class'::regclass::oid END, coalesce(w.ev_class, d.objid),
           CASE WHEN w.oid IS NULL THEN d.objsubid ELSE 0 END
    FROM pg_class c LEFT JOIN pg_type t ON t.oid = c.reltype
    JOIN pg_depend d ON (d.refclassid = 'pg_class'::regclass AND d.refobjid = c.oid)
                     OR (d.refclassid = 'pg_type'::regclass AND d.refobjid IN (t.oid, t.typarray))
    LEFT JOIN pg_rewrite w ON d.classid = 'pg_rewrite'::regclass AND w.oid = d.objid
    LEFT JOIN pg_trigger g ON d.classid = 'pg_trigger'::regclass AND g.oid = d.objid
    WHERE c.oid = p_relation AND w.ev_class IS DISTINCT FROM c.oid
      AND (d.deptype = 'n' OR d.classid IN ('pg_trigger'::regclass, 'pg_policy'::regclass, 'pg_publication_rel'::regclass,
                                            'pg_statistic_ext'::regclass))
      AND NOT (g.oid IS NOT NULL AND (g.tgisinternal OR g.tgfoid::regproc::text ~ '^chime\.capture_\d+$'));
END;

-- Those that nothing of ours made, in words; NULL: none.
CREATE FUNCTION chime.foreign_dependents(p_relation regclass) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog
RETURN (
    SELECT string_agg(o.words, ', ' ORDER BY o.words)
    FROM (SELECT i.type || ' ' || i.identity AS words
          FROM chime.dependents(p_relation) AS d CROSS JOIN LATERAL pg_identify_object(d.class, d.object, d.sub) AS i
          WHERE NOT EXISTS (SELECT FROM chime.plugin_function f WHERE d.class = 'pg_proc'::regclass AND chime.routine(f.signature) = d.object)
            AND NOT EXISTS (SELECT FROM chime.view v WHERE d.class = 'pg_class'::regclass AND d.object IN (chime.live_of(v), chime.kept_of(v)))
            AND NOT EXISTS (SELECT FROM chime.plain_view p WHERE d.class = 'pg_class'::regclass AND d.object = chime.plain_of(p))
            AND NOT EXISTS (SELECT FROM chime.plugin_channel n, chime.channel_triggers(n) AS c JOIN pg_trigger t
                                                 ON t.tgrelid = c.relation AND t.tgname = c.trigger
                            WHERE d.class = 'pg_trigger'::regclass AND d.object = t.oid)
            AND NOT EXISTS (SELECT FROM chime.replaced r WHERE d.class = 'pg_class'::regclass AND d.object = to_regclass('chime.' || r.name))
          UNION ALL
          SELECT 'row security' FROM pg_class c WHERE c.oid = p_relation AND c.relrowsecurity) AS o);

CREATE FUNCTION chime.refuse_dependents(p_relation regclass) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog AS $$
DECLARE v_foreign text := chime.foreign_dependents(p_relation);
BEGIN
    IF v_foreign IS NOT NULL THEN
        RAISE EXCEPTION '% has to be made anew, and there is what would be lost with it: %', p_relation, v_foreign
            USING ERRCODE = 'dependent_objects_still_exist',
                  HINT = 'drop what is named, run pgchime reload, then make it again';
    END IF;
END $$;

-- --- one relation in the place of another -------------------------------------------------------------------------------------

-- Out of the way, with its indexes, so that all their names are free. Triggers of channels go: nobody writes to it any more, and
-- their functions would have to stay; channels are installed last. Whoever reads it is waited for in short turns, since readers
-- who come later queue behind the attempt.
CREATE FUNCTION chime.set_aside(p_relation regclass, p_view chime.view) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog SET lock_timeout = '200ms' AS $$
DECLARE
    v_kind text := chime.relation_kind(p_relation);
    v_name name := 'replaced_' || p_relation::oid;
    v_index regclass;
    v_trigger name;
BEGIN
    FOR v_turn IN 1 .. chime.exchange_turns() LOOP
        BEGIN
            EXECUTE format('ALTER %s %s RENAME TO %I', v_kind, p_relation, v_name);
            EXIT;
        EXCEPTION WHEN lock_not_available THEN
            IF v_turn = chime.exchange_turns() THEN
                RAISE EXCEPTION 'readers of % did not end in time', p_relation USING ERRCODE = 'lock_not_available',
                    HINT = 'see who they are in pg_locks; then pgchime reload';
            END IF;
            PERFORM pg_sleep(0.1);
        END;
    END LOOP;
    FOR v_index IN SELECT i.indexrelid::regclass FROM pg_index i WHERE i.indrelid = p_relation LOOP
        EXECUTE format('ALTER INDEX %s RENAME TO %I', v_index, 'replaced_' || v_index::oid);
    END LOOP;
    EXECUTE format('ALTER %s %s SET SCHEMA chime', v_kind, p_relation);
    FOR v_trigger IN SELECT t.tgname FROM pg_trigger t, chime.plugin_channel c CROSS JOIN unnest(c.routines) AS r (signature)
                     WHERE t.tgrelid = p_relation AND t.tgfoid = to_regprocedure(r.signature) LOOP
        EXECUTE format('DROP TRIGGER %I ON %s', v_trigger, p_relation);
    END LOOP;
    INSERT INTO chime.replaced (name, view_schema, relation) VALUES (v_name, p_view.view_schema, p_view.relation);
END $$;

-- The newest first: it may read an older one.
CREATE FUNCTION chime.drop_replaced() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog SET lock_timeout = '50ms' AS $$
DECLARE v_old record;
BEGIN
    FOR v_old IN SELECT r.name, to_regclass('chime.' || r.name) AS relation FROM chime.replaced r
                 WHERE r.replaced_at < clock_timestamp() - chime.replaced_kept() ORDER BY r.replaced_at DESC LOOP
        BEGIN
            IF v_old.relation IS NOT NULL THEN
                EXECUTE format('DROP %s %s', chime.relation_kind(v_old.relation), v_old.relation);
            END IF;
            DELETE FROM chime.replaced r WHERE r.name = v_old.name;
        EXCEPTION WHEN lock_not_available OR dependent_objects_still_exist THEN
            NULL; -- another time
        END;
    END LOOP;
END $$;

-- Makes RELATION__live: in place where columns were at most added at the end, else anew.
CREATE FUNCTION chime.define_live(p_view chime.view) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE
    v_old regclass := chime.live_of(p_view);
    v_statement text := format('CREATE OR REPLACE VIEW %I.%I AS %s', p_view.view_schema, p_view.relation || '__live', p_view.definition);
BEGIN
    BEGIN
        PERFORM set_config('search_path', p_view.search_path, true);
        EXECUTE v_statement;
        PERFORM set_config('search_path', 'pg_catalog', true);
        RETURN;
    EXCEPTION WHEN invalid_table_definition THEN
        IF v_old IS NULL THEN
            RAISE;
        END IF;
    END;
    PERFORM chime.refuse_dependents(v_old);
    PERFORM chime.set_aside(v_old, p_view);
    PERFORM set_config('search_path', p_view.search_path, true);
    EXECUTE v_statement;
    PERFORM set_config('search_path', 'pg_catalog', true);
    PERFORM chime.copy_privileges(v_old, chime.live_of(p_view));
    PERFORM chime.rebind(v_old);
END $$;

-- A function whose text goes with the new relation as it is keeps its identity; one that returns other columns now is made anew,
-- and one whose text does not go with them is left to its own plugin, which is installed next.
CREATE FUNCTION chime.define_function(p_function chime.plugin_function) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE
    v_name text := p_function.signature;
    v_grants text[] := ARRAY(
        SELECT format('GRANT EXECUTE ON FUNCTION %s TO %s', p_function.signature,
                      CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END)
        FROM pg_proc p, aclexplode(coalesce(p.proacl, acldefault('f', p.proowner))) AS a WHERE p.oid = chime.routine(p_function.signature) AND a.grantee <> p.proowner);
    v_grant text;
BEGIN
    BEGIN
        PERFORM set_config('search_path', p_function.search_path, true);
        EXECUTE p_function.definition;
        RETURN;
    EXCEPTION WHEN syntax_error_or_access_rule_violation THEN
        DELETE FROM chime.plugin_function f WHERE f.signature = p_function.signature;
    END;
    EXECUTE format('DROP FUNCTION %s', v_name);
    PERFORM set_config('search_path', p_function.search_path, true);
    EXECUTE p_function.definition;
    PERFORM set_config('search_path', 'pg_catalog', true);
    EXECUTE format('REVOKE ALL ON FUNCTION %s FROM PUBLIC', v_name);
    FOREACH v_grant IN ARRAY v_grants LOOP
        EXECUTE v_grant;
    END LOOP;
    INSERT INTO chime.plugin_function SELECT p_function.*;
EXCEPTION WHEN syntax_error_or_access_rule_violation THEN
    RAISE WARNING 'function % does not go with the new columns: %', v_name, SQLERRM;
    EXECUTE format('DROP FUNCTION %s', v_name);
    DELETE FROM chime.plugin_function f WHERE f.signature = p_function.signature;
END $$;

-- What of ours needs a relation that was set aside gets the one that has its name now. A view whose definition does not go
-- with that one goes: the plugin it belongs to is installed next and makes it again, or its refreshes say what is missing.
CREATE FUNCTION chime.rebind(p_old regclass) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE
    v_view chime.view;
    v_plain chime.plain_view;
    v_function chime.plugin_function;
BEGIN
    FOR v_view IN SELECT v.* FROM chime.view v JOIN chime.dependents(p_old) AS d ON d.class = 'pg_class'::regclass AND d.object = chime.live_of(v) LOOP
        BEGIN
            PERFORM chime.define_live(v_view);
        EXCEPTION WHEN syntax_error_or_access_rule_violation THEN
            RAISE WARNING 'the definition of %.% does not go with the new columns: %', v_view.view_schema, v_view.relation, SQLERRM;
            PERFORM chime.refuse_dependents(chime.live_of(v_view));
            PERFORM chime.set_aside(chime.live_of(v_view), v_view);
        END;
    END LOOP;
    FOR v_plain IN SELECT p.* FROM chime.plain_view p JOIN chime.dependents(p_old) AS d ON d.class = 'pg_class'::regclass AND d.object = chime.plain_of(p) LOOP
        BEGIN
            PERFORM chime.make_plain_view(v_plain, 'CREATE OR REPLACE VIEW');
        EXCEPTION WHEN syntax_error_or_access_rule_violation THEN
            RAISE WARNING 'the definition of %.% does not go with the new columns: %', v_plain.view_schema, v_plain.relation, SQLERRM;
            PERFORM chime.drop_functions(v_plain.plugin);
            EXECUTE format('DROP VIEW %s', chime.plain_of(v_plain));
        END;
    END LOOP;
    FOR v_function IN SELECT f.* FROM chime.plugin_function f JOIN chime.dependents(p_old) AS d ON d.class = 'pg_proc'::regclass AND d.object = chime.routine(f.signature) LOOP
        PERFORM chime.define_function(v_function);
    END LOOP;
END $$;

-- The privileges of one relation are the other's, no more and no less; as granted by the owner.
CREATE FUNCTION chime.copy_privileges(p_from regclass, p_to regclass) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE v_statement text;
BEGIN
    FOR v_statement IN
        SELECT format('REVOKE ALL ON %s FROM %s', p_to, CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END)
        FROM pg_class c, aclexplode(c.relacl) AS a WHERE c.oid = p_to AND a.grantee <> c.relowner
        UNION ALL
        SELECT format('GRANT %s%s ON %s TO %s%s', a.privilege_type, a.columns, p_to,
                      CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END,
                      CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
        FROM (SELECT x.*, '' AS columns, c.relowner FROM pg_class c, aclexplode(c.relacl) AS x WHERE c.oid = p_from
              UNION ALL
              SELECT x.*, format(' (%I)', o.attname), c.relowner
              FROM pg_class c JOIN pg_attribute o ON o.attrelid = c.oid
              JOIN pg_attribute n ON n.attrelid = p_to AND n.attname = o.attname AND NOT n.attisdropped, aclexplode(o.attacl) AS x
              WHERE c.oid = p_from AND NOT o.attisdropped) AS a
        WHERE a.grantee <> a.relowner LOOP
        EXECUTE v_statement;
    END LOOP;
END $$;

CREATE FUNCTION chime.copy_comments(p_from regclass, p_to regclass) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE v_statement text;
BEGIN
    FOR v_statement IN
        SELECT format('COMMENT ON COLUMN %s.%I IS %L', p_to, n.attname, d.description)
        FROM pg_description d JOIN pg_attribute o ON o.attrelid = d.objoid AND o.attnum = d.objsubid AND NOT o.attisdropped
        JOIN pg_attribute n ON n.attrelid = p_to AND n.attname = o.attname AND NOT n.attisdropped
        WHERE d.classoid = 'pg_class'::regclass AND d.objoid = p_from LOOP
        EXECUTE v_statement;
    END LOOP;
END $$;

-- Indexes that somebody made beside ours, where they go with the new columns.
CREATE FUNCTION chime.copy_indexes(p_from regclass, p_to regclass) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE v_index record;
BEGIN
    FOR v_index IN SELECT c.relname, pg_get_indexdef(c.oid) AS definition FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
                   WHERE i.indrelid = p_from AND NOT EXISTS (SELECT FROM pg_index o JOIN pg_class n ON n.oid = o.indexrelid
                                                             WHERE o.indrelid = p_to AND n.relname = c.relname) LOOP
        BEGIN
            EXECUTE replace(v_index.definition, format(' ON %s USING ', p_from), format(' ON %s USING ', p_to));
        EXCEPTION WHEN syntax_error_or_access_rule_violation OR unique_violation THEN
            RAISE WARNING 'index % does not go with the new columns: %', v_index.relname, SQLERRM;
        END;
    END LOOP;
END $$;

-- --- kept relations -----------------------------------------------------------------------------------------------------------

-- Empty. A materialized view reads RELATION__live and not the definition: that view is bound anew, in place, when a relation below
-- it is, and the materialized view stays as it is.
CREATE FUNCTION chime.make_kept(p_name text, p_view chime.view) RETURNS regclass
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
BEGIN
    EXECUTE format(CASE WHEN p_view.mode = 'matview'
                        THEN 'CREATE MATERIALIZED VIEW %s WITH (autovacuum_vacuum_scale_factor = 0.05) AS SELECT * FROM %s WITH NO DATA'
                        ELSE 'CREATE TABLE %s WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05) AS TABLE %s WITH NO DATA' END,
                   p_name, chime.live_of(p_view));
    RETURN p_name::regclass;
END $$;

CREATE FUNCTION chime.fill_kept(p_kept regclass, p_view chime.view) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog SET jit = off SET row_security = off AS $$
DECLARE v_rows bigint;
BEGIN
    IF p_view.mode = 'matview' THEN
        EXECUTE format('REFRESH MATERIALIZED VIEW %s', p_kept);
        EXECUTE format('SELECT count(*) FROM %s', p_kept) INTO v_rows;
    ELSE
        EXECUTE format('INSERT INTO %1$s (%2$s) SELECT %2$s FROM %3$s', p_kept, chime.column_list(p_kept), chime.live_of(p_view));
        GET DIAGNOSTICS v_rows = ROW_COUNT;
    END IF;
    EXECUTE format('ANALYZE %s', p_kept);
    RETURN v_rows;
END $$;

-- Indexes, comment, and readers. What is there as wanted is not touched: even a statement that changes nothing takes locks that
-- wait for a refresh.
CREATE FUNCTION chime.dress_kept(p_kept regclass, p_view chime.view, p_key_index name, p_indexes jsonb, p_comment text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE
    v_schema name := (SELECT n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = p_kept);
    v_index record;
BEGIN
    IF to_regclass(format('%I.%I', v_schema, p_key_index)) IS NULL THEN
        EXECUTE format('CREATE UNIQUE INDEX %I ON %s (%s) NULLS NOT DISTINCT', p_key_index, p_kept,
                       (SELECT string_agg(quote_ident(k), ', ') FROM unnest(p_view.key) AS k));
    END IF;
    FOR v_index IN SELECT * FROM jsonb_to_recordset(p_indexes) AS i (name text, columns text, "where" text) LOOP
        IF to_regclass(format('%I.%I', v_schema, v_index.name)) IS NULL THEN
            EXECUTE format('CREATE INDEX %I ON %s (%s)%s', v_index.name, p_kept, v_index.columns,
                           coalesce(' WHERE ' || v_index."where", ''));
        END IF;
    END LOOP;
    IF obj_description(p_kept, 'pg_class') IS DISTINCT FROM p_comment THEN
        EXECUTE format('COMMENT ON %s %s IS %L', chime.relation_kind(p_kept), p_kept, p_comment);
    END IF;
    IF to_regrole('analytics_reader') IS NOT NULL AND NOT has_table_privilege('analytics_reader', p_kept, 'SELECT') THEN
        EXECUTE format('GRANT SELECT ON %s TO analytics_reader', p_kept);
    END IF;
END $$;

-- Whether a kept relation is of another kind than its mode wants, or has other columns than its definition.
CREATE FUNCTION chime.is_outdated(p_kept regclass, p_view chime.view) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog
RETURN (chime.relation_kind(p_kept) = 'MATERIALIZED VIEW') <> (p_view.mode = 'matview') OR (
    SELECT array_agg((a.attname, a.atttypid, a.atttypmod)::text ORDER BY a.attnum) FILTER (WHERE a.attrelid = p_kept)
           IS DISTINCT FROM
           array_agg((a.attname, a.atttypid, a.atttypmod)::text ORDER BY a.attnum) FILTER (WHERE a.attrelid <> p_kept)
    FROM pg_attribute a WHERE a.attrelid IN (p_kept, chime.live_of(p_view)) AND a.attnum > 0 AND NOT a.attisdropped);

-- Made and filled aside; the only moment at which a reader waits is the exchange.
CREATE FUNCTION chime.remake_kept(p_kept regclass, p_view chime.view, p_key_index name, p_indexes jsonb, p_comment text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE
    v_start timestamptz := clock_timestamp();
    v_made regclass;
    v_rows bigint;
BEGIN
    PERFORM chime.refuse_dependents(p_kept);
    v_made := chime.make_kept('chime.made_' || p_view.view_id, p_view);
    v_rows := chime.fill_kept(v_made, p_view);
    PERFORM chime.copy_privileges(p_kept, v_made);
    PERFORM chime.dress_kept(v_made, p_view, p_key_index, p_indexes, p_comment);
    PERFORM chime.copy_indexes(p_kept, v_made), chime.copy_comments(p_kept, v_made);
    PERFORM chime.set_aside(p_kept, p_view);
    EXECUTE format('ALTER %s %s SET SCHEMA %I', chime.relation_kind(v_made), v_made, p_view.view_schema);
    EXECUTE format('ALTER %s %s RENAME TO %I', chime.relation_kind(v_made), v_made, p_view.relation);
    PERFORM chime.rebind(p_kept);
    UPDATE chime.view_refresh r
       SET refreshed_at = now(), changed_at = now(), reason = 'it was made anew', rows = v_rows, keys = NULL, inserted = NULL,
           updated = NULL, deleted = NULL, method = CASE WHEN p_view.mode = 'matview' THEN 'matview' ELSE 'full' END,
           duration_us = (extract(epoch FROM clock_timestamp() - v_start) * 1000000)::bigint
     WHERE r.view_schema = p_view.view_schema AND r.relation = p_view.relation;
END $$;

-- No refresh of a view, or of one that reads it, while they are made anew: refreshes begin with this row, so that neither waits for
-- the other within.
CREATE FUNCTION chime.hold_refreshes(p_view chime.view) RETURNS void
LANGUAGE sql SET search_path = pg_catalog
BEGIN ATOMIC
    SELECT FROM chime.view_refresh r JOIN chime.view v USING (view_schema, relation)
    WHERE v.view_id = p_view.view_id
       OR chime.live_of(v) IN (SELECT d.object FROM chime.dependents(chime.kept_of(p_view)) AS d
                               UNION ALL SELECT d.object FROM chime.dependents(chime.live_of(p_view)) AS d)
    ORDER BY r.view_schema, r.relation FOR UPDATE OF r;
END;

CREATE FUNCTION chime.claim_view(p_plugin text, p_schema name, p_relation name) RETURNS chime.view
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE v_known chime.view;
BEGIN
    SELECT * INTO v_known FROM chime.view WHERE view_schema = p_schema AND relation = p_relation FOR NO KEY UPDATE; -- a refresh may check that it is there
    IF FOUND AND v_known.plugin <> p_plugin THEN
        RAISE EXCEPTION 'relation %.% belongs to plugin %', p_schema, p_relation, v_known.plugin USING ERRCODE = 'duplicate_table',
            HINT = 'two plugins cannot keep the same relation: rename one, or give one of them another view_schema';
    ELSIF NOT FOUND THEN
        PERFORM chime.refuse_foreign(p_schema, p_relation), chime.refuse_foreign(p_schema, p_relation || '__live');
    END IF;
    RETURN v_known;
END $$;

-- As in 0003_views.sql: one transaction, and a second call changes nothing. True: the kept relation is new or was made anew.
CREATE OR REPLACE FUNCTION chime.install_view(p_plugin text, p_schema name, p_source_schema name, p_relation name, p_definition text,
                                              p_key name[], p_key_index name, p_grain name[], p_mode text, p_stamps name[],
                                              p_revisit text, p_rejected text, p_indexes jsonb, p_comment text)
RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog SET jit = off AS $$
DECLARE
    v_path text := format('%I, %I, pg_temp', p_schema, p_source_schema); -- pg_catalog comes first unsaid
    v_known chime.view := chime.claim_view(p_plugin, p_schema, p_relation);
    v_view chime.view;
    v_kept regclass;
BEGIN
    INSERT INTO chime.view AS v (view_schema, relation, plugin, key, stamps, grain, mode, rejected_query, revisit_query, definition,
                                 search_path, refresh_full)
    VALUES (p_schema, p_relation, p_plugin, p_key, p_stamps, p_grain, p_mode, NULL, NULL, p_definition, v_path, '')
    ON CONFLICT (view_schema, relation) DO UPDATE
        SET key = excluded.key, stamps = excluded.stamps, grain = excluded.grain, mode = excluded.mode,
            definition = excluded.definition, search_path = excluded.search_path
    RETURNING * INTO v_view;
    INSERT INTO chime.view_refresh (view_schema, relation)
    SELECT p_schema, p_relation WHERE NOT EXISTS (SELECT FROM chime.view_refresh r WHERE r.view_schema = p_schema AND r.relation = p_relation);
    IF v_known.definition IS DISTINCT FROM p_definition OR v_known.search_path IS DISTINCT FROM v_path OR chime.live_of(v_view) IS NULL THEN
        PERFORM chime.hold_refreshes(v_view);
        PERFORM chime.define_live(v_view);
    END IF;
    v_kept := chime.kept_of(v_view);
    IF v_kept IS NOT NULL AND chime.is_outdated(v_kept, v_view) THEN
        PERFORM chime.hold_refreshes(v_view);
        PERFORM chime.remake_kept(v_kept, v_view, p_key_index, p_indexes, p_comment);
    ELSE
        IF v_kept IS NULL THEN
            PERFORM chime.make_kept(format('%I.%I', p_schema, p_relation), v_view);
            UPDATE chime.view_refresh r SET refreshed_at = NULL WHERE r.view_schema = p_schema AND r.relation = p_relation; -- to be filled
        ELSIF v_known.key IS DISTINCT FROM p_key THEN
            EXECUTE format('DROP INDEX IF EXISTS %I.%I', p_schema, p_key_index);
        END IF;
        PERFORM chime.dress_kept(chime.kept_of(v_view), v_view, p_key_index, p_indexes, p_comment);
    END IF;
    UPDATE chime.view v
       SET below = chime.views_below(v), refresh_full = chime.refresh_full_statement(p_schema, p_relation, p_key, p_stamps),
           rejected_query = chime.closed_query(v_path, p_rejected), revisit_query = chime.closed_query(v_path, p_revisit)
     WHERE v.view_id = v_view.view_id;
    RETURN v_kept IS DISTINCT FROM chime.kept_of(v_view);
END $$;

-- As in 0006_keyed.sql. A view that lets go of a source begins with everything when it comes back: nobody kept marks for it.
CREATE OR REPLACE FUNCTION chime.install_keys(p_schema name, p_source_schema name, p_relation name, p_sources jsonb) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog SET lock_timeout = '200ms' AS $$
DECLARE
    v_view chime.view;
    v_kept regclass := format('%I.%I', p_schema, p_relation);
    v_source record;
    v_id integer;
    v_ids integer[] := '{}';
    v_reason text;
BEGIN
    SELECT * INTO STRICT v_view FROM chime.view WHERE view_schema = p_schema AND relation = p_relation FOR NO KEY UPDATE;
    IF v_view.mode IN ('auto', 'keyed') AND cardinality(v_view.grain) BETWEEN 1 AND 4 THEN
        FOR v_source IN
            SELECT c.oid, n.nspname, c.relname, s.columns, s.capture, s.map
            FROM jsonb_to_recordset(p_sources) AS s ("table" text, columns name[], capture name[], map text)
            CROSS JOIN LATERAL (SELECT r.* FROM pg_class r JOIN pg_namespace x ON x.oid = r.relnamespace
                                WHERE r.relname = s."table" AND x.nspname IN (p_schema, p_source_schema)
                                ORDER BY x.nspname = p_schema DESC LIMIT 1) c
            JOIN pg_namespace n ON n.oid = c.relnamespace
            WHERE c.relkind IN ('r', 'p') AND cardinality(s.capture) > 0 AND (s.map IS NOT NULL OR v_view.grain <@ s.capture)
              AND c.oid IN (SELECT chime.tables_read(format('%I.%I', p_schema, p_relation || '__live')))
              AND NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attname = ANY (s.capture) AND NOT a.attisdropped
                              AND NOT chime.can_be_marked(a.atttypid))
        LOOP
            v_id := chime.install_source(v_source.nspname, v_source.relname, v_source.columns, v_source.capture);
            v_ids := v_ids || v_id;
            INSERT INTO chime.view_source AS s (view_schema, relation, source_id, declared, captured, map_query)
            VALUES (p_schema, p_relation, v_id, v_source.columns, v_source.capture,
                    chime.closed_query(v_view.search_path, v_source.map, chime.log_name(v_id)::regclass, v_source.capture))
            ON CONFLICT (view_schema, relation, source_id) DO UPDATE
               SET declared = excluded.declared, captured = excluded.captured, map_query = excluded.map_query;
        END LOOP;
    END IF;
    DELETE FROM chime.view_source s WHERE s.view_schema = p_schema AND s.relation = p_relation AND s.source_id <> ALL (v_ids);
    IF FOUND THEN
        UPDATE chime.view_refresh r SET seen = NULL WHERE r.view_schema = p_schema AND r.relation = p_relation;
    END IF;
    v_reason := chime.obstacle(p_schema, p_relation, v_view.grain, v_view.mode);
    IF v_reason IS NULL THEN
        IF NOT chime.has_grain_index(v_kept, v_view.grain) THEN
            EXECUTE format('CREATE INDEX ON %s (%s)', v_kept, (SELECT string_agg(quote_ident(g), ', ') FROM unnest(v_view.grain) AS g));
        END IF;
        PERFORM chime.write_keyed(p_schema, p_relation);
    END IF;
    UPDATE chime.view v SET full_reason = v_reason
     WHERE v.view_schema = p_schema AND v.relation = p_relation AND v.full_reason IS DISTINCT FROM v_reason;
    RETURN v_reason;
END $$;

-- --- refresh ------------------------------------------------------------------------------------------------------------------

-- Readers go on meanwhile. Only whether rows changed is known: the server counts a changed row as one deleted and one inserted.
CREATE FUNCTION chime.refresh_matview(p_view chime.view, OUT rows bigint, OUT changed boolean, OUT rejected bigint)
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE
    v_kept regclass := chime.kept_of(p_view);
    v_populated boolean := (SELECT c.relispopulated FROM pg_class c WHERE c.oid = v_kept);
    v_before bigint := pg_stat_get_xact_tuples_inserted(v_kept) + pg_stat_get_xact_tuples_deleted(v_kept);
BEGIN
    BEGIN
        EXECUTE format('REFRESH MATERIALIZED VIEW %s%s', CASE WHEN v_populated THEN 'CONCURRENTLY ' ELSE '' END, v_kept);
    EXCEPTION WHEN cardinality_violation OR unique_violation THEN
        RAISE EXCEPTION 'the definition of %.% gives the same key twice', p_view.view_schema, p_view.relation
            USING ERRCODE = 'cardinality_violation',
                  HINT = format('its key is (%s); see which: SELECT %1$s FROM %s GROUP BY %1$s HAVING count(*) > 1',
                                (SELECT string_agg(quote_ident(k), ', ') FROM unnest(p_view.key) AS k), chime.live_of(p_view));
    END;
    changed := NOT v_populated OR NOT current_setting('track_counts')::boolean
        OR pg_stat_get_xact_tuples_inserted(v_kept) + pg_stat_get_xact_tuples_deleted(v_kept) > v_before;
    EXECUTE format('SELECT count(*) FROM %s', v_kept) INTO rows;
    IF p_view.rejected_query IS NOT NULL THEN
        EXECUTE p_view.rejected_query INTO rejected;
    END IF;
END $$;

-- One refresh of a view at a time: the row is the lock, since any role may take advisory keys.
CREATE FUNCTION chime.begin_refresh(p_view chime.view) RETURNS chime.view_refresh
LANGUAGE plpgsql SET search_path = pg_catalog SET enable_seqscan = off SET enable_bitmapscan = off AS $$
DECLARE v_last chime.view_refresh;
BEGIN
    SELECT * INTO v_last FROM chime.view_refresh r
     WHERE r.view_schema = p_view.view_schema AND r.relation = p_view.relation ORDER BY r.refreshes DESC LIMIT 1 FOR UPDATE;
    RETURN v_last;
END $$;

CREATE FUNCTION chime.views_below(p_view chime.view) RETURNS text[]
LANGUAGE sql STABLE SET search_path = pg_catalog
RETURN ARRAY(SELECT v.view_schema || '.' || v.relation FROM chime.view v
             WHERE v.plugin = p_view.plugin AND v.view_id <> p_view.view_id
               AND chime.kept_of(v)::oid IN (SELECT chime.tables_read(chime.live_of(p_view))) ORDER BY v.view_id);

-- As in 0006_keyed.sql, and materialized views. Views below that one job refreshes together with this one go first, unless this
-- transaction has done so: such a view alone would be older than its refresh says.
CREATE OR REPLACE FUNCTION chime.refresh(p_view text, p_full boolean DEFAULT false, p_revisit boolean DEFAULT true)
RETURNS TABLE (method text, reason text, keys bigint, rows bigint, inserted bigint, updated bigint, deleted bigint, rejected bigint)
LANGUAGE plpgsql SET search_path = pg_catalog SET jit = off SET row_security = off AS $$
#variable_conflict use_variable
DECLARE
    v_view chime.view := chime.find_view(p_view);
    v_start timestamptz := clock_timestamp();
    v_last chime.view_refresh;
    v_now record;
    v_seen pg_snapshot; -- NULL where it is not keyed
    v_fingerprint text;
    v_all record;
BEGIN
    PERFORM chime.refresh(b.name, p_full, p_revisit) FROM unnest(v_view.below) AS b (name)
     WHERE EXISTS (SELECT FROM chime.job j WHERE j.views @> ARRAY[b.name, v_view.view_schema || '.' || v_view.relation])
       AND (SELECT r.refreshed_at IS DISTINCT FROM now() FROM chime.begin_refresh(chime.find_view(b.name)) AS r);
    v_last := chime.begin_refresh(v_view);
    v_view := chime.find_view(p_view); -- it may have been made anew meanwhile, and have no triggers yet or any more
    IF v_view.full_reason IS NULL AND chime.relation_kind(chime.kept_of(v_view)) = 'MATERIALIZED VIEW' THEN
        v_view.full_reason := 'it is a materialized view';
    END IF;
    reason := coalesce(v_view.full_reason, CASE WHEN p_full THEN 'asked for' END);
    IF v_view.full_reason IS NULL THEN
        EXECUTE format('SELECT * FROM chime.keyed_%s($1, $2, $3, $4, $5)', v_view.view_id) INTO v_now
          USING CASE WHEN NOT p_full THEN v_last.seen END, v_last.fingerprint, p_revisit, v_last.full_us, v_last.key_us;
        reason := coalesce(reason, v_now.reason);
        v_seen := v_now.seen;
        v_fingerprint := v_now.fingerprint;
    END IF;
    IF reason IS NULL THEN
        method := 'keyed';
        keys := v_now.keys;
        rows := v_last.rows + v_now.inserted - v_now.deleted;
        inserted := v_now.inserted; updated := v_now.updated; deleted := v_now.deleted; rejected := v_last.rejected;
    ELSIF chime.relation_kind(chime.kept_of(v_view)) = 'MATERIALIZED VIEW' THEN
        method := 'matview';
        SELECT * INTO v_all FROM chime.refresh_matview(v_view);
        rows := v_all.rows; rejected := v_all.rejected;
        UPDATE chime.view_refresh r SET changed_at = now()
         WHERE v_all.changed AND (r.view_schema, r.relation, r.refreshes) = (v_last.view_schema, v_last.relation, v_last.refreshes);
    ELSE
        method := 'full';
        SELECT * INTO v_all FROM chime.refresh_all(v_view);
        rows := v_all.rows; rejected := v_all.rejected;
        inserted := v_all.inserted; updated := v_all.updated; deleted := v_all.deleted;
        IF v_view.full_reason IS NULL THEN -- what it did before it gave up
            inserted := inserted + v_now.inserted; updated := updated + v_now.updated; deleted := deleted + v_now.deleted;
        END IF;
    END IF;
    PERFORM chime.note_refresh(v_last, method, reason, keys, rows, inserted, updated, deleted, rejected, v_seen, v_fingerprint,
                               (extract(epoch FROM clock_timestamp() - v_start) * 1000000)::bigint);
    RETURN NEXT;
END $$;
COMMENT ON FUNCTION chime.refresh IS
    'one transaction, one view; "rows" is how many the view holds now, "reason" why everything was done; inserted, updated and deleted are NULL, not known, for a materialized view; p_revisit: also groups that change as time passes';

CREATE FUNCTION chime.refresh_words(p_view text, p_done record) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog AS $$
BEGIN
    RETURN format('%s: %s, %s rows', p_view,
                  CASE p_done.method WHEN 'keyed' THEN format('keyed, %s groups', p_done.keys)
                                     WHEN 'matview' THEN 'materialized view'
                                     ELSE format('%s (%s)', p_done.method, p_done.reason) END, p_done.rows)
        || CASE WHEN p_done.inserted IS NULL THEN ''
                ELSE format(', %s inserted, %s updated, %s deleted', p_done.inserted, p_done.updated, p_done.deleted) END
        || CASE WHEN p_done.method = 'keyed' OR p_done.rejected IS NULL THEN ''
                ELSE format(', %s source values rejected', p_done.rejected) END;
END $$;

-- A refresh job and its end, as one statement and so as one transaction. One for a change does what changed; groups that change as
-- time passes are for the schedule.
CREATE OR REPLACE FUNCTION chime.perform_refresh(p_token uuid, p_job bigint, p_kind chime.run_kind, p_slot timestamptz,
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
        SELECT * INTO v_done FROM chime.refresh(v_view, false, p_kind::text <> 'change');
        rows := rows + coalesce(v_done.inserted + v_done.updated + v_done.deleted, 0);
        message := concat_ws('; ', message, chime.refresh_words(v_view, v_done));
    END LOOP;
    PERFORM chime.finish_own(p_token, p_job, p_kind, p_slot, v_start, rows, message);
    RETURN NEXT;
END $$;

-- As in 0005_capture.sql, and: logs follow their sources' columns, what was replaced goes.
CREATE OR REPLACE PROCEDURE chime.tend_capture(INOUT p_problem text DEFAULT NULL)
LANGUAGE plpgsql AS $$
DECLARE
    v_source integer;
    v_wanted record;
BEGIN
    PERFORM chime.drop_replaced();
    COMMIT;
    FOR v_source IN SELECT s.source_id FROM chime.source s LOOP
        PERFORM chime.rotate_log(v_source);
        COMMIT;
        BEGIN
            IF chime.needs_following(v_source) THEN
                PERFORM chime.follow_source(v_source);
            END IF;
        EXCEPTION WHEN OTHERS THEN
            p_problem := pg_catalog.concat_ws('; ', p_problem,
                                              pg_catalog.format('columns of %s: %s', chime.source_oid(v_source), SQLERRM));
        END;
        COMMIT;
    END LOOP;
    FOR v_wanted IN SELECT * FROM chime.triggers_wanted() LOOP
        BEGIN
            PERFORM chime.install_triggers(v_wanted.source_id, v_wanted.relation);
        EXCEPTION WHEN OTHERS THEN -- a foreign table among the partitions, say
            p_problem := pg_catalog.concat_ws('; ', p_problem, pg_catalog.format('triggers on %s: %s', v_wanted.relation, SQLERRM));
        END;
        COMMIT;
    END LOOP;
END $$;

REVOKE ALL ON ALL FUNCTIONS IN SCHEMA chime FROM PUBLIC;
DO $$
BEGIN
    IF to_regrole('analytics_reader') IS NOT NULL THEN
        GRANT EXECUTE ON FUNCTION chime.as_of() TO analytics_reader;
    END IF;
END $$;
