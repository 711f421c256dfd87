-- SPDX-License-Identifier: PostgreSQL
-- Modes: a kept relation changes from a table to a materialized view or back, or its columns, without its readers
-- noticing.

-- --- one relation in the place of another ----------------------------------------------------------------------------

-- A relation to itself until the end of the transaction, and what somebody hung on it until then. Whoever reads it is
-- waited for in short turns, since readers who come later queue behind the attempt.
CREATE OR REPLACE FUNCTION chime.hold_alone(p_relation regclass) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET lock_timeout = '200ms' AS $$
DECLARE
    v_kind text := chime.relation_kind(p_relation);
    v_schema name := (SELECT n.nspname FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.oid = p_relation);
BEGIN
    FOR v_turn IN 1 .. chime.exchange_turns() LOOP
        BEGIN
            EXECUTE format('ALTER %s %s SET SCHEMA %I', v_kind, p_relation, v_schema); -- where it is: for the lock, which LOCK has not of every kind
            EXIT;
        EXCEPTION WHEN lock_not_available THEN
            IF v_turn = chime.exchange_turns() THEN
                RAISE EXCEPTION 'readers of % did not end in time', p_relation USING ERRCODE = 'lock_not_available',
                    HINT = 'see who they are in pg_locks; then pgchime reload';
            END IF;
            PERFORM pg_sleep(0.1);
        END;
    END LOOP;
    PERFORM chime.refuse_dependents(p_relation);
END $$;
COMMENT ON ROUTINE chime.hold_alone IS 'waits for readers of a relation in short turns, and keeps others out; refuses where somebody hung something on it';

-- Out of the way, with its indexes, so that all their names are free. Triggers of channels go: nobody writes to it any
-- more, and their functions would have to stay; channels are installed last.
CREATE OR REPLACE FUNCTION chime.set_aside(p_relation regclass, p_view chime.view) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET lock_timeout = '200ms' AS $$
DECLARE
    v_kind text := chime.relation_kind(p_relation);
    v_was text := p_relation;
    v_name name := 'replaced_' || p_relation::oid;
    v_index regclass;
    v_trigger name;
BEGIN
    PERFORM chime.hold_alone(p_relation);
    EXECUTE format('ALTER %s %s RENAME TO %I', v_kind, p_relation, v_name);
    FOR v_index IN SELECT i.indexrelid::regclass FROM pg_index i WHERE i.indrelid = p_relation LOOP
        EXECUTE format('ALTER INDEX %s RENAME TO %I', v_index, 'replaced_' || v_index::oid);
    END LOOP;
    EXECUTE format('ALTER %s %s SET SCHEMA chime', v_kind, p_relation);
    FOR v_trigger IN SELECT t.tgname FROM pg_trigger t, chime.plugin_channel c CROSS JOIN unnest(c.routines) AS r (signature)
                     WHERE t.tgrelid = p_relation AND t.tgfoid = to_regprocedure(r.signature) LOOP
        EXECUTE format('DROP TRIGGER %I ON %s', v_trigger, p_relation);
    END LOOP;
    INSERT INTO chime.replaced (name, view_schema, relation) VALUES (v_name, p_view.view_schema, p_view.relation);
    PERFORM chime.tell(format('%s was set aside as chime.%s, to be dropped after %s', v_was, v_name, chime.replaced_kept()));
END $$;
COMMENT ON ROUTINE chime.set_aside IS 'moves a kept relation out of the way, its names free, when nobody reads it';

-- The newest first: it may read an older one.
CREATE OR REPLACE FUNCTION chime.drop_replaced() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET lock_timeout = '50ms' AS $$
DECLARE v_old record;
BEGIN
    FOR v_old IN SELECT r.name, r.view_schema, r.relation AS view, chime.replaced_of(r) AS relation FROM chime.replaced r
                 WHERE r.replaced_at < clock_timestamp() - chime.replaced_kept() ORDER BY r.replaced_at DESC LOOP
        BEGIN
            IF v_old.relation IS NOT NULL THEN
                EXECUTE format('DROP %s %s', chime.relation_kind(v_old.relation), v_old.relation);
                PERFORM chime.tell(format('%s was dropped: it was replaced as %s.%s', v_old.relation, v_old.view_schema, v_old.view));
            ELSIF to_regclass('chime.' || v_old.name) IS NOT NULL THEN
                PERFORM chime.tell(format('chime.%s stays: it is not what was replaced as %s.%s', v_old.name, v_old.view_schema, v_old.view));
            END IF;
            DELETE FROM chime.replaced r WHERE r.name = v_old.name;
        EXCEPTION WHEN lock_not_available OR dependent_objects_still_exist THEN
            NULL; -- another time
        END;
    END LOOP;
END $$;
COMMENT ON ROUTINE chime.drop_replaced IS 'drops replaced relations that nobody can want any more';

-- Those that need one of these relations, directly or by one another, whichever plugin's they are: they go with it.
CREATE OR REPLACE FUNCTION chime.replaced_needing(p_relations oid[]) RETURNS oid[]
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    WITH RECURSIVE needing AS (
        SELECT r AS oid FROM unnest(p_relations) AS r
        UNION
        SELECT d.object FROM needing n CROSS JOIN LATERAL chime.dependents(n.oid) AS d
        JOIN chime.replaced x ON d.class = 'pg_class'::regclass AND d.object = chime.replaced_of(x))
    SELECT ARRAY(SELECT n.oid FROM needing n WHERE n.oid <> ALL (p_relations));
END;
COMMENT ON ROUTINE chime.replaced_needing IS 'replaced relations that need one of these';

-- In the view's environment: a literal, such as a timestamptz without a zone, is read when the view is made.
CREATE OR REPLACE FUNCTION chime.make_live(p_view chime.view) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp
SET "TimeZone" = 'UTC' SET "DateStyle" = 'ISO, YMD' SET "IntervalStyle" = 'postgres' SET extra_float_digits = 1
SET lc_monetary = 'C' SET lc_numeric = 'C' SET lc_time = 'C' SET bytea_output = 'hex' SET xmlbinary = 'base64' SET quote_all_identifiers = off AS $$
DECLARE
    v_name text := format('%I.%I', p_view.view_schema, p_view.relation || '__live');
    v_is_new boolean := to_regclass(v_name) IS NULL;
BEGIN
    PERFORM chime.require_one_statement(p_view.search_path, p_view.definition);
    PERFORM set_config('search_path', p_view.search_path, true), set_config('TimeZone', p_view.timezone, true);
    EXECUTE format('CREATE OR REPLACE VIEW %s AS %s', v_name, p_view.definition);
    PERFORM set_config('search_path', 'pg_catalog, pg_temp', true);
    PERFORM chime.keep_private(v_name::regclass) WHERE v_is_new;
    PERFORM chime.note_made(v_name::regclass, format('live %s.%s__live', p_view.view_schema, p_view.relation), format('the definition of %s: always true, maybe slow', p_view.relation));
END $$;
COMMENT ON ROUTINE chime.make_live IS 'makes RELATION__live, or gives it another definition with columns at most added at the end';

-- Makes RELATION__live: in place where columns were at most added at the end, else anew.
CREATE OR REPLACE FUNCTION chime.define_live(p_view chime.view) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE v_old regclass := chime.live_of(p_view);
BEGIN
    BEGIN
        PERFORM chime.make_live(p_view);
        RETURN;
    EXCEPTION WHEN invalid_table_definition THEN
        IF v_old IS NULL THEN
            RAISE;
        END IF;
    END;
    PERFORM chime.set_aside(v_old, p_view);
    PERFORM chime.make_live(p_view);
    PERFORM chime.copy_privileges(v_old, chime.live_of(p_view));
    PERFORM chime.rebind(v_old);
END $$;
COMMENT ON ROUTINE chime.define_live IS 'makes RELATION__live, in place where columns were at most added at the end';

-- A function whose text goes with the new relation as it is keeps its identity; one that returns other columns now is
-- made anew, and one whose text does not go with them is left to its own plugin, which is installed next.
CREATE OR REPLACE FUNCTION chime.define_function(p_function chime.plugin_function) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
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
    PERFORM set_config('search_path', 'pg_catalog, pg_temp', true);
    PERFORM chime.keep_routine_private(v_name::regprocedure);
    FOREACH v_grant IN ARRAY v_grants LOOP
        EXECUTE v_grant;
    END LOOP;
    INSERT INTO chime.plugin_function SELECT p_function.*;
EXCEPTION WHEN syntax_error_or_access_rule_violation THEN
    PERFORM chime.tell(format('function %s was dropped, since it does not go with the new columns: %s', v_name, SQLERRM));
    EXECUTE format('DROP FUNCTION %s', v_name);
    DELETE FROM chime.plugin_function f WHERE f.signature = p_function.signature;
END $$;
COMMENT ON ROUTINE chime.define_function IS 'makes a plugin''s function as its text says, keeping its identity where it can';

-- What of ours needs a relation that was set aside gets the one that has its name now. A view whose definition does not
-- go with that one goes: the plugin it belongs to is installed next and makes it again, or its refreshes say what is
-- missing.
CREATE OR REPLACE FUNCTION chime.rebind(p_old regclass) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_view chime.view;
    v_plain chime.plain_view;
    v_function chime.plugin_function;
BEGIN
    FOR v_view IN SELECT v.* FROM chime.view v JOIN chime.dependents(p_old) AS d ON d.class = 'pg_class'::regclass AND d.object = chime.live_of(v) LOOP
        BEGIN
            PERFORM chime.define_live(v_view);
        EXCEPTION WHEN syntax_error_or_access_rule_violation THEN
            PERFORM chime.tell(format('the definition of %s.%s does not go with the new columns: %s', v_view.view_schema, v_view.relation, SQLERRM));
            PERFORM chime.set_aside(chime.live_of(v_view), v_view);
        END;
    END LOOP;
    FOR v_plain IN SELECT p.* FROM chime.plain_view p JOIN chime.dependents(p_old) AS d ON d.class = 'pg_class'::regclass AND d.object = chime.plain_of(p) LOOP
        BEGIN
            PERFORM chime.make_plain_view(v_plain, 'CREATE OR REPLACE VIEW');
        EXCEPTION WHEN syntax_error_or_access_rule_violation THEN
            PERFORM chime.tell(format('the definition of %s.%s does not go with the new columns: %s', v_plain.view_schema, v_plain.relation, SQLERRM));
            PERFORM chime.drop_functions(v_plain.plugin);
            EXECUTE format('DROP VIEW %s', chime.plain_of(v_plain));
            PERFORM chime.tell(format('plain view %s.%s was dropped', v_plain.view_schema, v_plain.relation));
        END;
    END LOOP;
    FOR v_function IN SELECT f.* FROM chime.plugin_function f JOIN chime.dependents(p_old) AS d ON d.class = 'pg_proc'::regclass AND d.object = chime.routine(f.signature) LOOP
        PERFORM chime.define_function(v_function);
    END LOOP;
END $$;
COMMENT ON ROUTINE chime.rebind IS 'what of ours read a relation that was set aside reads the one that has its name now';

-- The privileges of one relation are the other's, no more and no less; as granted by the owner.
CREATE OR REPLACE FUNCTION chime.copy_privileges(p_from regclass, p_to regclass) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE v_statement text;
BEGIN
    PERFORM chime.keep_private(p_to);
    FOR v_statement IN
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
COMMENT ON ROUTINE chime.copy_privileges IS 'privileges of one relation become those of the other, no more and no less';

-- On its columns and its indexes; its own is the plugin's.
CREATE OR REPLACE FUNCTION chime.copy_comments(p_from regclass, p_to regclass) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE v_statement text;
BEGIN
    FOR v_statement IN
        SELECT format('COMMENT ON COLUMN %s.%I IS %L', p_to, n.attname, d.description)
        FROM pg_description d JOIN pg_attribute o ON o.attrelid = d.objoid AND o.attnum = d.objsubid AND NOT o.attisdropped
        JOIN pg_attribute n ON n.attrelid = p_to AND n.attname = o.attname AND NOT n.attisdropped
        WHERE d.classoid = 'pg_class'::regclass AND d.objoid = p_from
        UNION ALL
        SELECT format('COMMENT ON INDEX %s IS %L', i.new, obj_description(i.old, 'pg_class'))
        FROM chime.same_indexes(p_from, p_to) AS i WHERE obj_description(i.old, 'pg_class') IS NOT NULL LOOP
        EXECUTE v_statement;
    END LOOP;
END $$;
COMMENT ON ROUTINE chime.copy_comments IS 'comments of columns and indexes go along to the new relation';

CREATE OR REPLACE FUNCTION chime.same_indexes(p_from regclass, p_to regclass) RETURNS TABLE (old regclass, new regclass)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT o.indexrelid::regclass, n.indexrelid::regclass
    FROM pg_index o JOIN pg_class oc ON oc.oid = o.indexrelid
    JOIN pg_class nc ON nc.relname = oc.relname JOIN pg_index n ON n.indexrelid = nc.oid
    WHERE o.indrelid = p_from AND n.indrelid = p_to;
END;
COMMENT ON ROUTINE chime.same_indexes IS 'indexes of two relations that have the same names';

-- Statements that give a relation the storage of another, and to columns of the same name what was set for them.
-- Of a column's options only those of people: PostgreSQL 15.20, for one, keeps a number of its own there, pg_attver.
CREATE OR REPLACE FUNCTION chime.storage_statements(p_from regclass, p_to regclass) RETURNS SETOF text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT format('ALTER %s %s SET (%s)', chime.relation_kind(p_to), p_to, string_agg(format('%s = %L', w.name, w.value), ', '))
    FROM (SELECT r.option_name AS name, r.option_value AS value FROM pg_class c, pg_options_to_table(c.reloptions) AS r WHERE c.oid = p_from
          UNION ALL
          SELECT 'toast.' || r.option_name, r.option_value
          FROM pg_class c JOIN pg_class t ON t.oid = c.reltoastrelid, pg_options_to_table(t.reloptions) AS r
          WHERE c.oid = p_from AND EXISTS (SELECT FROM pg_class n WHERE n.oid = p_to AND n.reltoastrelid <> 0)) AS w
    HAVING count(*) > 0
    UNION ALL
    SELECT format('ALTER %s %s ALTER COLUMN %I %s', chime.relation_kind(p_to), p_to, n.attname, w.clause)
    FROM pg_attribute o JOIN pg_attribute n ON n.attrelid = p_to AND n.attname = o.attname AND NOT n.attisdropped
    CROSS JOIN LATERAL (SELECT array_to_string(ARRAY(SELECT u FROM unnest(o.attoptions) AS u WHERE u LIKE 'n\_distinct%'), ', ')) AS p (options)
    CROSS JOIN LATERAL (VALUES
        (coalesce(o.attstattarget, -1) <> -1, format('SET STATISTICS %s', o.attstattarget)),
        (o.attstorage <> n.attstorage AND o.atttypid = n.atttypid,
         format('SET STORAGE %s', CASE o.attstorage WHEN 'p' THEN 'PLAIN' WHEN 'e' THEN 'EXTERNAL' WHEN 'm' THEN 'MAIN' ELSE 'EXTENDED' END)),
        (o.attcompression::text <> '' AND o.atttypid = n.atttypid,
         format('SET COMPRESSION %s', CASE o.attcompression::text WHEN 'p' THEN 'pglz' ELSE 'lz4' END)),
        (p.options <> '', format('SET (%s)', p.options)),
        (o.attnotnull AND chime.relation_kind(p_to) = 'TABLE', 'SET NOT NULL')) AS w (applies, clause)
    WHERE o.attrelid = p_from AND o.attnum > 0 AND NOT o.attisdropped AND w.applies
    UNION ALL
    SELECT format('ALTER INDEX %s ALTER COLUMN %s SET STATISTICS %s', i.new, a.attnum, a.attstattarget)
    FROM chime.same_indexes(p_from, p_to) AS i JOIN pg_attribute a ON a.attrelid = i.old WHERE coalesce(a.attstattarget, -1) <> -1
    UNION ALL
    SELECT format('ALTER INDEX %s SET TABLESPACE %I', i.new, s.spcname)
    FROM chime.same_indexes(p_from, p_to) AS i JOIN pg_class c ON c.oid = i.old JOIN pg_tablespace s ON s.oid = c.reltablespace
    UNION ALL
    SELECT format('ALTER %s %s CLUSTER ON %I', chime.relation_kind(p_to), p_to, (SELECT c.relname FROM pg_class c WHERE c.oid = i.new))
    FROM chime.same_indexes(p_from, p_to) AS i JOIN pg_index x ON x.indexrelid = i.old WHERE x.indisclustered
    UNION ALL
    SELECT format('ALTER %s %s SET TABLESPACE %I', chime.relation_kind(p_to), p_to, s.spcname)
    FROM pg_class c JOIN pg_tablespace s ON s.oid = c.reltablespace WHERE c.oid = p_from
    UNION ALL
    SELECT format('ALTER TABLE %s SET UNLOGGED', p_to)
    FROM pg_class c WHERE c.oid = p_from AND c.relpersistence = 'u' AND chime.relation_kind(p_to) = 'TABLE';
END;
COMMENT ON ROUTINE chime.storage_statements IS 'the statements for that';

-- An instruction that does not go with the new columns is told, and left.
CREATE OR REPLACE FUNCTION chime.copy_storage(p_from regclass, p_to regclass) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE v_statement text;
BEGIN
    FOR v_statement IN SELECT chime.storage_statements(p_from, p_to) LOOP
        BEGIN
            EXECUTE v_statement;
        EXCEPTION WHEN syntax_error_or_access_rule_violation OR invalid_parameter_value OR feature_not_supported OR not_null_violation
                       OR object_not_in_prerequisite_state THEN
            PERFORM chime.tell(format('%s was set before, and does not go with what was made anew: %s', v_statement, SQLERRM));
        END;
    END LOOP;
END $$;
COMMENT ON ROUTINE chime.copy_storage IS 'storage options, statistics targets and NOT NULL go along to the new relation, where they fit';

-- Indexes that somebody made beside ours, where they go with the new columns.
CREATE OR REPLACE FUNCTION chime.copy_indexes(p_from regclass, p_to regclass) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE v_index record;
BEGIN
    FOR v_index IN SELECT c.relname, pg_get_indexdef(c.oid) AS definition FROM pg_index i JOIN pg_class c ON c.oid = i.indexrelid
                   WHERE i.indrelid = p_from AND NOT EXISTS (SELECT FROM pg_index o JOIN pg_class n ON n.oid = o.indexrelid
                                                             WHERE o.indrelid = p_to AND (n.relname = c.relname OR (i.indisunique AND
                                                                   substring(pg_get_indexdef(n.oid) FROM ' USING .*')
                                                                   = substring(pg_get_indexdef(c.oid) FROM ' USING .*')))) LOOP
        BEGIN
            EXECUTE replace(v_index.definition, format(' ON %s USING ', p_from), format(' ON %s USING ', p_to));
        EXCEPTION WHEN syntax_error_or_access_rule_violation OR unique_violation THEN
            PERFORM chime.tell(format('index %s does not go with the new columns: %s', v_index.relname, SQLERRM));
        END;
    END LOOP;
END $$;
COMMENT ON ROUTINE chime.copy_indexes IS 'indexes that somebody made go along to the new relation, where they fit';

-- --- a kept relation made anew ---------------------------------------------------------------------------------------

-- Made and filled aside; the only moment at which a reader waits is the exchange. What was made on the old relation
-- until nobody could any more comes along, and privileges last: GRANT and REVOKE wait for no lock but that of what was
-- renamed.
CREATE OR REPLACE FUNCTION chime.remake_kept(p_kept regclass, p_view chime.view, p_key_index name, p_indexes jsonb, p_comment text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_start timestamptz := clock_timestamp();
    v_made regclass;
    v_rows bigint;
BEGIN
    PERFORM chime.refuse_dependents(p_kept); -- before it is filled in vain
    v_made := chime.make_kept('chime.made_' || p_view.view_id, p_view);
    v_rows := chime.fill_kept(v_made, p_view) + chime.carry_frozen(p_kept, v_made, p_view);
    PERFORM chime.dress_kept(v_made, p_view, p_key_index, p_indexes, p_comment);
    PERFORM chime.copy_indexes(p_kept, v_made);
    PERFORM chime.copy_storage(p_kept, v_made);
    PERFORM chime.hold_alone(p_kept);
    PERFORM chime.copy_indexes(p_kept, v_made);
    PERFORM chime.copy_comments(p_kept, v_made);
    PERFORM chime.set_aside(p_kept, p_view);
    PERFORM chime.copy_privileges(p_kept, v_made);
    PERFORM chime.let_readers(v_made);
    EXECUTE format('ALTER %s %s SET SCHEMA %I', chime.relation_kind(v_made), v_made, p_view.view_schema);
    EXECUTE format('ALTER %s %s RENAME TO %I', chime.relation_kind(v_made), v_made, p_view.relation);
    PERFORM chime.rebind(p_kept);
    UPDATE chime.view_refresh r
       SET refreshed_at = now(), changed_at = now(), reason = 'it was made anew', rows = v_rows, keys = NULL, inserted = NULL,
           updated = NULL, deleted = NULL, method = CASE WHEN p_view.mode = 'matview' THEN 'matview' ELSE 'full' END,
           duration_us = (extract(epoch FROM clock_timestamp() - v_start) * 1000000)::bigint
     WHERE r.view_schema = p_view.view_schema AND r.relation = p_view.relation;
END $$;
COMMENT ON ROUTINE chime.remake_kept IS 'makes a kept relation anew aside, and exchanges the two';

-- No refresh of a view, or of one that reads it, while they are made anew: refreshes begin with this row, so that
-- neither waits for the other within.
CREATE OR REPLACE FUNCTION chime.hold_refreshes(p_view chime.view) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT FROM chime.view_refresh r JOIN chime.view v USING (view_schema, relation)
    WHERE v.view_id = p_view.view_id
       OR chime.live_of(v) IN (SELECT d.object FROM chime.dependents(chime.kept_of(p_view)) AS d
                               UNION ALL SELECT d.object FROM chime.dependents(chime.live_of(p_view)) AS d)
    ORDER BY r.view_schema, r.relation FOR UPDATE OF r;
END;
COMMENT ON ROUTINE chime.hold_refreshes IS 'keeps refreshes of a view and of its readers out while they are made anew';
