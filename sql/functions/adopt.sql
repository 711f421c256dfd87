-- SPDX-License-Identifier: PostgreSQL
-- Adoption: a plugin's relation takes the place of one that its database has already, made by somebody's own script.
--
-- The old relation keeps its rows under another name, so that there is a way back. The new one is built and filled
-- aside, and takes the name in the same transaction: readers wait for a moment at most, and find one relation or the
-- other, never none. What reads the old relation is bound to the new one, or named as what stands in the way.

CREATE OR REPLACE FUNCTION chime.making_name(p_old oid) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
RETURN 'chime.adopting_' || p_old::text;
COMMENT ON ROUTINE chime.making_name IS 'the name under which the successor of a relation is made';

-- The new kept relation, filled and indexed, where nobody looks.
CREATE OR REPLACE FUNCTION chime.build_adopted(p_plugin jsonb, p_view jsonb, p_old oid) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off SET row_security = off AS $$
DECLARE
    v_path text := format('%I, %I, pg_temp', p_plugin ->> 'view_schema', p_plugin ->> 'source_schema');
    v_name text := chime.making_name(p_old);
    v_key text := (SELECT string_agg(quote_ident(k), ', ') FROM unnest(chime.json_names(p_view -> 'key')) AS k);
    v_index record;
BEGIN
    PERFORM chime.vet_query('view ' || (p_view ->> 'relation'), v_path, p_view ->> 'definition', NULL, NULL);
    PERFORM set_config('search_path', v_path, true);
    EXECUTE format('CREATE TABLE %s WITH (fillfactor = 80, autovacuum_vacuum_scale_factor = 0.05) AS %s', v_name, p_view ->> 'definition');
    EXECUTE format('ALTER TABLE %s REPLICA IDENTITY FULL', v_name);
    PERFORM set_config('search_path', 'pg_catalog, pg_temp', true);
    PERFORM chime.keep_private(v_name::regclass);
    PERFORM chime.note_made(v_name::regclass, format('kept %s.%s', p_plugin ->> 'view_schema', p_view ->> 'relation'), NULL);
    EXECUTE format('CREATE UNIQUE INDEX %s ON %s (%s) NULLS NOT DISTINCT',
                   chime.index_name(p_plugin ->> 'view_schema', p_view ->> 'key_index', p_old), v_name, v_key);
    FOR v_index IN SELECT chime.index_name(p_plugin ->> 'view_schema', i.name, p_old) AS name, i.columns, i."where"
                   FROM jsonb_to_recordset(p_view -> 'indexes') AS i (name name, columns text, "where" text) LOOP
        EXECUTE format('CREATE INDEX %s ON %s (%s)%s', v_index.name, v_name, v_index.columns, coalesce(' WHERE ' || v_index."where", ''));
    END LOOP;
    EXECUTE format('ANALYZE %s', v_name);
EXCEPTION WHEN unique_violation THEN
    RAISE EXCEPTION 'the definition of % gives the same key twice', p_view ->> 'relation' USING ERRCODE = 'cardinality_violation',
        HINT = format('its key is (%s)', v_key);
END $$;
COMMENT ON ROUTINE chime.build_adopted IS 'makes the new kept relation, filled and indexed, where nobody looks';

-- As chime.install_view finds it out. The view by which that is done is not seen by anybody.
CREATE OR REPLACE FUNCTION chime.adopted_key(p_plugin jsonb, p_view jsonb) RETURNS name[]
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_path text := format('%I, %I, pg_temp', p_plugin ->> 'view_schema', p_plugin ->> 'source_schema');
    v_live text := format('chime.%I', left(p_view ->> 'relation', 40) || '_' || pg_backend_pid() || '__live');
    v_key name[] := chime.json_names(p_view -> 'key');
    v_hint text;
BEGIN
    IF cardinality(v_key) > 0 THEN
        RETURN v_key;
    END IF;
    PERFORM chime.require_one_statement(v_path, p_view ->> 'definition');
    PERFORM set_config('search_path', v_path, true);
    EXECUTE format('CREATE VIEW %s AS %s', v_live, p_view ->> 'definition');
    PERFORM set_config('search_path', 'pg_catalog, pg_temp', true);
    v_key := chime.derived_key(v_live::regclass);
    EXECUTE 'DROP VIEW ' || v_live;
    RETURN v_key;
EXCEPTION WHEN invalid_parameter_value THEN
    GET STACKED DIAGNOSTICS v_hint = PG_EXCEPTION_HINT;
    RAISE EXCEPTION 'nothing in its definition shows which columns of view %.% tell its rows apart', p_plugin ->> 'view_schema', p_view ->> 'relation'
        USING ERRCODE = 'invalid_parameter_value', HINT = v_hint;
END $$;
COMMENT ON ROUTINE chime.adopted_key IS 'the key of a view that is to be adopted: as it is declared, else from its definition';

-- Readers that come while the lock is waited for queue behind it: so it is asked for in short turns.
CREATE OR REPLACE FUNCTION chime.rename_relation(p_relation regclass, p_name name) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET lock_timeout = '200ms' AS $$
BEGIN
    FOR v_turn IN 1 .. 100 LOOP
        BEGIN
            EXECUTE format('ALTER %s %s RENAME TO %I', chime.adoption_kind(p_relation), p_relation, p_name);
            RETURN;
        EXCEPTION WHEN lock_not_available THEN
            PERFORM pg_sleep(0.1);
        END;
    END LOOP;
    RAISE EXCEPTION 'readers of % did not end in time', p_relation USING ERRCODE = 'lock_not_available',
        HINT = 'see who they are in pg_locks; then try again: nothing was done';
END $$;
COMMENT ON ROUTINE chime.rename_relation IS 'renames, asking for the lock in short turns';

-- Index names are taken where the plugin has one of the same name.
CREATE OR REPLACE FUNCTION chime.set_aside_foreign(p_plugin jsonb, p_relation name, p_old oid) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_schema name := p_plugin ->> 'view_schema';
    v_aside name := chime.spare_name(v_schema, p_relation);
    v_indexes jsonb := '{}';
    v_index record;
BEGIN
    PERFORM chime.rename_relation(p_old, v_aside);
    FOR v_index IN SELECT c.oid::regclass AS oid, c.relname, chime.spare_name(v_schema, c.relname) AS spare
                   FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
                   WHERE i.indrelid = p_old AND c.relname IN (
                       SELECT (v ->> 'key_index')::name FROM jsonb_array_elements(p_plugin -> 'views') AS v
                       UNION ALL SELECT (x ->> 'name')::name FROM jsonb_array_elements(p_plugin -> 'views') AS v,
                                                                  jsonb_array_elements(v -> 'indexes') AS x) LOOP
        EXECUTE format('ALTER INDEX %s RENAME TO %I', v_index.oid, v_index.spare);
        v_indexes := v_indexes || jsonb_build_object(v_index.spare, v_index.relname);
    END LOOP;
    INSERT INTO chime.adoption AS a (view_schema, relation, plugin, aside, indexes)
    VALUES (v_schema, p_relation, p_plugin ->> 'name', v_aside, v_indexes)
    ON CONFLICT (view_schema, relation) DO UPDATE
       SET plugin = excluded.plugin, aside = excluded.aside, indexes = excluded.indexes, adopted_at = excluded.adopted_at;
END $$;
COMMENT ON ROUTINE chime.set_aside_foreign IS 'gives an adopted relation its other name';

CREATE OR REPLACE FUNCTION chime.place_adopted(p_plugin jsonb, p_view jsonb, p_old oid) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    EXECUTE format('ALTER TABLE %s RENAME TO %I', chime.making_name(p_old), p_view ->> 'relation');
    EXECUTE format('ALTER TABLE chime.%I SET SCHEMA %I', p_view ->> 'relation', p_plugin ->> 'view_schema');
    INSERT INTO chime.view (view_schema, relation, plugin, key, stamps, grain, mode, definition, search_path, refresh_full)
    VALUES (p_plugin ->> 'view_schema', p_view ->> 'relation', p_plugin ->> 'name', chime.json_names(p_view -> 'key'),
            chime.json_names(p_view -> 'stamps'), chime.json_names(p_view -> 'grain'), p_view ->> 'mode', '', '', '')
    ON CONFLICT (view_schema, relation) DO NOTHING; -- whose relation gave its name up to another
END $$;
COMMENT ON ROUTINE chime.place_adopted IS 'gives the new relation its name';

-- As the daemon installs it, and never empty.
CREATE OR REPLACE FUNCTION chime.install_adopted(p_plugin jsonb, p_view jsonb) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_schema name := p_plugin ->> 'view_schema';
    v_relation name := p_view ->> 'relation';
    v_rows bigint;
BEGIN
    IF chime.install_view(p_plugin ->> 'name', v_schema, p_plugin ->> 'source_schema', v_relation, p_view ->> 'definition',
                          chime.json_names(p_view -> 'key'), p_view ->> 'key_index', chime.json_names(p_view -> 'grain'), p_view ->> 'mode',
                          chime.json_names(p_view -> 'stamps'), p_view ->> 'revisit', p_view ->> 'rejected', p_view -> 'indexes',
                          p_view ->> 'comment', p_view ->> 'timezone', p_view ->> 'frozen') THEN
        PERFORM chime.refresh(v_schema || '.' || v_relation, true);
    END IF;
    EXECUTE format('SELECT count(*) FROM %I.%I', v_schema, v_relation) INTO v_rows;
    UPDATE chime.view_refresh r
       SET refreshed_at = now(), changed_at = now(), method = 'full', reason = 'it was adopted', rows = v_rows, inserted = v_rows, updated = 0,
           deleted = 0
     WHERE r.view_schema = v_schema AND r.relation = v_relation AND r.refreshed_at IS NULL;
END $$;
COMMENT ON ROUTINE chime.install_adopted IS 'installs the view whose relation has been placed';

CREATE OR REPLACE FUNCTION chime.carry_grants(p_from oid, p_to regclass) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE v_grant record;
BEGIN
    FOR v_grant IN SELECT g.* FROM chime.carried_grants(p_from, p_to::text) AS g
                   WHERE g.carried AND (g."column" IS NULL OR EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = p_to
                                                                       AND a.attname = g."column" AND NOT a.attisdropped)) LOOP
        EXECUTE v_grant.statement;
    END LOOP;
END $$;
COMMENT ON ROUTINE chime.carry_grants IS 'grants these privileges on the new relation';

-- In an order in which each may go: plain views may read each other and kept relations, a materialized view reads its
-- live one.
CREATE OR REPLACE FUNCTION chime.drop_in_order(p_relations oid[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_left oid[] := p_relations;
    v_next oid;
BEGIN
    WHILE cardinality(v_left) > 0 LOOP
        v_next := coalesce((SELECT r FROM unnest(v_left) AS r WHERE NOT EXISTS (SELECT FROM chime.adoption_dependents(ARRAY[r])) LIMIT 1),
                           v_left[1]); -- to fail with what needs it
        EXECUTE format('DROP %s %s', chime.adoption_kind(v_next), v_next::regclass);
        v_left := array_remove(v_left, v_next);
    END LOOP;
END $$;
COMMENT ON ROUTINE chime.drop_in_order IS 'drops relations in an order in which each may go';

CREATE OR REPLACE FUNCTION chime.perform_rebinding(p_object text, p_statement text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET check_function_bodies = on AS $$
BEGIN
    EXECUTE p_statement;
EXCEPTION WHEN syntax_error_or_access_rule_violation THEN
    RAISE EXCEPTION '% cannot be kept with the new columns: %', p_object, SQLERRM
        USING ERRCODE = 'dependent_objects_still_exist', HINT = 'drop it, then try again, and make it again afterwards; nothing was done';
END $$;
COMMENT ON ROUTINE chime.perform_rebinding IS 'runs such a statement; its failure names the dependent';

-- Whoever began to read an old relation a moment ago would read it for ever.
CREATE OR REPLACE FUNCTION chime.refuse_left(p_relations oid[], p_own oid[]) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE v_left text;
BEGIN
    SELECT string_agg(i.type || ' ' || i.identity, ', ') INTO v_left
      FROM chime.adoption_dependents(p_relations) AS d CROSS JOIN LATERAL pg_identify_object(d.class, d.object, d.sub) AS i
     WHERE d.object <> ALL (p_own);
    IF v_left IS NOT NULL THEN
        RAISE EXCEPTION 'the database changed meanwhile, and now has %: nothing was done', v_left USING ERRCODE = 'CH009', HINT = 'try again';
    END IF;
END $$;
COMMENT ON ROUTINE chime.refuse_left IS 'raises when something still needs a relation that is left behind';

-- One transaction: all relations of a plugin whose names others have, and the plugin's other views with them, since a
-- plain view may read them. Keys, functions and jobs are for the leader, as at every installation.
CREATE OR REPLACE FUNCTION chime.adopt_relations(p_plugin jsonb, p_digest text) RETURNS TABLE (relation name, aside name, rows bigint)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    v_schema name := p_plugin ->> 'view_schema';
    v_lines chime.adoption_line[] := ARRAY(SELECT l FROM chime.adoption_lines(p_plugin) AS l);
    v_old record;
    v_view jsonb;
    v_line chime.adoption_line;
    v_foreign chime.foreign_relation[] := ARRAY(SELECT f FROM chime.foreign_relations(p_plugin) AS f);
    v_all oid[] := ARRAY(SELECT f.oid FROM unnest(v_foreign) AS f);
BEGIN
    PERFORM chime.refuse_plan(v_lines, p_digest, p_plugin ->> 'name');
    p_plugin := jsonb_set(p_plugin, '{views}', (
        SELECT coalesce(jsonb_agg(v || jsonb_build_object('key', chime.adopted_key(p_plugin, v)) ORDER BY n), '[]')
        FROM jsonb_array_elements(p_plugin -> 'views') WITH ORDINALITY AS v (v, n)));
    v_foreign := ARRAY(SELECT f FROM chime.foreign_relations(p_plugin) AS f);
    INSERT INTO chime.plugin AS p (name, version, summary, view_schema, source_schema, state, reason, settings)
    VALUES (p_plugin ->> 'name', p_plugin ->> 'version', p_plugin ->> 'summary', v_schema, p_plugin ->> 'source_schema', 'failed', '',
            p_plugin -> 'settings')
    ON CONFLICT (name) DO NOTHING;
    UPDATE chime.plugin p SET state = 'failed', reason = 'its relations are adopted; the rest is installed when pgchime serve starts or reloads'
     WHERE p.name = p_plugin ->> 'name';
    PERFORM chime.drop_in_order(chime.replaced_needing(v_all));
    -- One that reads another of them is built once that one is there.
    PERFORM chime.build_adopted(p_plugin, f.declared, f.oid) FROM unnest(v_foreign) f
      WHERE f.use = 'kept' AND NOT EXISTS (SELECT FROM unnest(v_foreign) o WHERE o.oid <> f.oid AND o.use = 'kept'
                                           AND f.declared ->> 'definition' ~ ('\m' || o.relation || '\M'));
    FOR v_old IN SELECT * FROM unnest(v_foreign) ORDER BY place LOOP
        PERFORM chime.set_aside_foreign(p_plugin, v_old.relation, v_old.oid);
        IF v_old.use = 'kept' THEN
            IF to_regclass(chime.making_name(v_old.oid)) IS NULL THEN
                PERFORM chime.build_adopted(p_plugin, v_old.declared, v_old.oid);
            END IF;
            PERFORM chime.place_adopted(p_plugin, v_old.declared, v_old.oid);
        END IF;
    END LOOP;
    FOR v_view IN SELECT v FROM jsonb_array_elements(p_plugin -> 'views') AS v LOOP
        PERFORM chime.install_adopted(p_plugin, v_view);
    END LOOP;
    FOR v_view IN SELECT v FROM jsonb_array_elements(p_plugin -> 'plain_views') AS v LOOP
        PERFORM chime.install_plain_view(p_plugin ->> 'name', v_schema, p_plugin ->> 'source_schema', v_view ->> 'relation',
                                         v_view ->> 'definition', v_view ->> 'comment');
    END LOOP;
    PERFORM chime.carry_grants(f.oid, to_regclass(format('%I.%I', v_schema, f.relation))) FROM unnest(v_foreign) f;
    FOREACH v_line IN ARRAY v_lines LOOP
        IF v_line.action IN ('remake', 'rebind') THEN
            PERFORM chime.perform_rebinding(v_line.kind || ' ' || v_line.object, v_line.statement);
        END IF;
    END LOOP;
    PERFORM chime.refuse_left(v_all, '{}');
    RETURN QUERY SELECT a.relation, a.aside, r.rows
                 FROM unnest(v_foreign) f JOIN chime.adoption a ON a.view_schema = v_schema AND a.relation = f.relation
                 LEFT JOIN chime.view_refresh r ON r.view_schema = v_schema AND r.relation = f.relation ORDER BY f.place;
END $$;
COMMENT ON FUNCTION chime.adopt_relations IS 'what pgchime plugins adopt does, in one transaction';
