-- SPDX-License-Identifier: PostgreSQL
-- The way back from an adoption (adopt.sql): the old relations get their names again, with the rows that they have.

-- What has the names of adopted relations now, as far as it is ours.
CREATE OR REPLACE FUNCTION chime.adopted_relations(p_plugin text) RETURNS TABLE (view_schema name, relation name, aside name, oid oid, old oid)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT a.view_schema, a.relation, a.aside, to_regclass(format('%I.%I', a.view_schema, a.relation))::oid,
           to_regclass(format('%I.%I', a.view_schema, a.aside))::oid
    FROM chime.adoption a WHERE a.plugin = p_plugin;
END;
COMMENT ON ROUTINE chime.adopted_relations IS 'what has the names of adopted relations now';

-- With a kept relation its live view goes, too, and the plugin's functions and plain views, which may read it, and what
-- was replaced.
CREATE OR REPLACE FUNCTION chime.relations_to_go(p_plugin text) RETURNS oid[]
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    WITH adopted AS MATERIALIZED (
        SELECT v.view_schema, v.relation FROM chime.view v
        WHERE v.plugin = p_plugin AND EXISTS (SELECT FROM chime.adoption a WHERE a.view_schema = v.view_schema
                                              AND a.relation IN (v.relation, v.relation || '__live') AND a.plugin = p_plugin)),
    own AS MATERIALIZED (
        SELECT ARRAY(
            SELECT n.oid FROM (
                SELECT chime.own_relation(v.view_schema, v.relation, 'kept')::oid FROM adopted v
                UNION ALL
                SELECT chime.own_relation(v.view_schema, v.relation || '__live', 'live')::oid FROM adopted v
                UNION ALL
                SELECT chime.own_relation(v.view_schema, v.relation || '__now', 'now')::oid FROM adopted v
                UNION ALL
                SELECT chime.replaced_of(r)::oid FROM adopted v JOIN chime.replaced r USING (view_schema, relation)
                UNION ALL
                SELECT chime.plain_of(p)::oid FROM chime.plain_view p WHERE p.plugin = p_plugin) AS n (oid)
            WHERE n.oid IS NOT NULL) AS relations)
    SELECT o.relations || chime.replaced_needing(o.relations) FROM own o;
END;
COMMENT ON ROUTINE chime.relations_to_go IS 'what of a plugin goes when its adopted relations are put back';

CREATE OR REPLACE FUNCTION chime.rollback_lines(p_plugin text) RETURNS SETOF chime.adoption_line
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_go oid[] := chime.relations_to_go(p_plugin);
    v_functions oid[] := ARRAY(SELECT chime.routine(f.signature)::oid FROM chime.plugin_function f WHERE f.plugin = p_plugin);
    v_gone text[] := ARRAY(
        SELECT a.attrelid || '.' || a.attname FROM chime.adopted_relations(p_plugin) AS r
        JOIN pg_attribute a ON a.attrelid = r.oid AND a.attnum > 0 AND NOT a.attisdropped
        WHERE NOT EXISTS (SELECT FROM pg_attribute o WHERE o.attrelid = r.old AND o.attname = a.attname AND NOT o.attisdropped));
BEGIN
    RETURN QUERY
        SELECT 0, 'block', 'relation', format('%I.%I', r.view_schema, r.aside), NULL::text, NULL::bigint,
               format('DELETE FROM chime.adoption WHERE (view_schema, relation) = (%L, %L)', r.view_schema, r.relation),
               'is gone: there is nothing to put back'
        FROM chime.adopted_relations(p_plugin) AS r WHERE r.old IS NULL
        UNION ALL
        SELECT 0, 'block', chime.adoption_kind(r.oid), r.oid::regclass::text, pg_get_userbyid(c.relowner)::text, NULL::bigint,
               format('ALTER %s %s RENAME TO ...', upper(chime.adoption_kind(r.oid)), r.oid::regclass), 'has the name by now, and is not pgchime''s'
        FROM chime.adopted_relations(p_plugin) AS r JOIN pg_class c ON c.oid = r.oid WHERE r.oid <> ALL (v_go)
        UNION ALL
        SELECT 0, 'block', chime.adoption_kind(c.oid), c.oid::regclass::text, pg_get_userbyid(c.relowner)::text, NULL::bigint,
               format('ALTER %s %s OWNER TO %I', upper(chime.adoption_kind(c.oid)), c.oid::regclass, current_user), 'belongs to another role by now'
        FROM pg_class c WHERE c.oid = ANY (v_go || ARRAY(SELECT r.old FROM chime.adopted_relations(p_plugin) AS r))
                          AND NOT pg_has_role(current_user, c.relowner, 'USAGE')
        UNION ALL
        SELECT 0, 'block', chime.adoption_kind(c.oid), c.oid::regclass::text, pg_get_userbyid(c.relowner)::text, NULL::bigint,
               format('ALTER TABLE %s RENAME TO ...', c.oid::regclass), a.reason
        FROM chime.added_to_any(v_go) AS a JOIN pg_class c USING (oid)
        UNION ALL
        SELECT 1, 'drop', chime.adoption_kind(c.oid), c.oid::regclass::text, pg_get_userbyid(c.relowner)::text, chime.rows_held(c.oid),
               format('DROP %s %s', upper(chime.adoption_kind(c.oid)), c.oid::regclass), NULL
        FROM pg_class c WHERE c.oid = ANY (v_go)
        UNION ALL
        SELECT 1, 'drop', 'function', p.oid::regprocedure::text, pg_get_userbyid(p.proowner)::text, NULL::bigint,
               format('DROP FUNCTION %s', p.oid::regprocedure), NULL
        FROM pg_proc p WHERE p.oid = ANY (v_functions)
        UNION ALL
        SELECT 2, 'back', chime.adoption_kind(c.oid), c.oid::regclass::text, pg_get_userbyid(c.relowner)::text, chime.rows_held(c.oid),
               format('ALTER %s %s RENAME TO %I', upper(chime.adoption_kind(c.oid)), c.oid::regclass, r.relation),
               'with the rows that it has, however old'
        FROM chime.adopted_relations(p_plugin) AS r JOIN pg_class c ON c.oid = r.old;
    RETURN QUERY SELECT * FROM chime.dependent_lines(v_go, v_gone, v_functions);
END $$;
COMMENT ON ROUTINE chime.rollback_lines IS 'the plan of the way back';

-- Who may read the old relation again: whoever might, and whom somebody let read the new one meanwhile; not whom
-- somebody took it from, nor analytics_reader, whom pgchime itself lets read what it keeps.
CREATE OR REPLACE FUNCTION chime.return_grants(p_new regclass, p_old regclass) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE v_grant record;
BEGIN
    FOR v_grant IN
        SELECT g.statement FROM chime.carried_grants(p_new, p_old::text) AS g
        WHERE g.carried AND g.grantee <> 'analytics_reader'
          AND (g."column" IS NULL OR EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = p_old AND a.attname = g."column" AND NOT a.attisdropped))
        UNION ALL
        SELECT format('REVOKE SELECT ON %s FROM %s', p_old, o.grantee)
        FROM chime.carried_grants(p_old, p_new::text) AS o
        WHERE o.carried AND o."column" IS NULL AND NOT EXISTS (
            SELECT FROM chime.carried_grants(p_new, p_old::text) AS n WHERE n.carried AND n."column" IS NULL AND n.grantee = o.grantee)
    LOOP
        EXECUTE v_grant.statement;
    END LOOP;
END $$;
COMMENT ON FUNCTION chime.return_grants IS 'privileges of the old relation when an adoption is rolled back';

CREATE OR REPLACE FUNCTION chime.put_back(p_adoption chime.adoption) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_new regclass := to_regclass(format('%I.%I', p_adoption.view_schema, p_adoption.relation));
    v_old regclass := format('%I.%I', p_adoption.view_schema, p_adoption.aside);
BEGIN
    IF v_new IS NOT NULL THEN
        PERFORM chime.rename_relation(v_new, chime.spare_name(p_adoption.view_schema, 'adopted'));
        PERFORM chime.return_grants(v_new, v_old);
    END IF;
    PERFORM chime.rename_relation(v_old, p_adoption.relation);
END $$;
COMMENT ON ROUTINE chime.put_back IS 'gives an adopted relation its name back';

CREATE OR REPLACE FUNCTION chime.drop_adopted(p_plugin text, p_relations oid[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE v_view integer;
BEGIN
    PERFORM chime.drop_in_order(p_relations);
    DELETE FROM chime.plain_view v WHERE v.plugin = p_plugin;
    FOR v_view IN DELETE FROM chime.view v USING chime.adoption a
                  WHERE v.plugin = p_plugin AND a.plugin = p_plugin AND a.view_schema = v.view_schema
                    AND a.relation IN (v.relation, v.relation || '__live') RETURNING v.view_id LOOP
        EXECUTE format('DROP FUNCTION IF EXISTS chime.keyed_%s(pg_snapshot, text, boolean, bigint, double precision, double precision, boolean)', v_view);
        EXECUTE format('DROP FUNCTION IF EXISTS chime.watched_%1$s(), chime.now_%1$s(), chime.kept_%1$s()', v_view);
    END LOOP;
END $$;
COMMENT ON ROUTINE chime.drop_adopted IS 'drops what a plugin put in the place of adopted relations, and what is noted about it';

CREATE OR REPLACE FUNCTION chime.roll_adoption_back(p_plugin text, p_digest text) RETURNS TABLE (relation name, aside name, rows bigint)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    v_lines chime.adoption_line[];
    v_go oid[] := chime.relations_to_go(p_plugin);
    v_adoptions chime.adoption[] := ARRAY(SELECT a FROM chime.adoption a WHERE a.plugin = p_plugin ORDER BY a);
    v_adoption chime.adoption;
    v_line chime.adoption_line;
    v_index record;
BEGIN
    PERFORM chime.hold_columns(v_go);
    v_lines := ARRAY(SELECT l FROM chime.rollback_lines(p_plugin) AS l);
    PERFORM chime.refuse_plan(v_lines, p_digest, p_plugin || ' --rollback');
    PERFORM chime.drop_functions(p_plugin);
    FOREACH v_adoption IN ARRAY v_adoptions LOOP
        PERFORM chime.put_back(v_adoption);
    END LOOP;
    FOREACH v_line IN ARRAY v_lines LOOP
        IF v_line.action IN ('remake', 'rebind') THEN
            PERFORM chime.perform_rebinding(v_line.kind || ' ' || v_line.object, v_line.statement);
        END IF;
    END LOOP;
    PERFORM chime.refuse_left(v_go, '{}');
    PERFORM chime.drop_adopted(p_plugin, v_go);
    FOREACH v_adoption IN ARRAY v_adoptions LOOP
        FOR v_index IN SELECT key AS name, value AS before FROM jsonb_each_text(v_adoption.indexes)
                       WHERE to_regclass(format('%I.%I', v_adoption.view_schema, key)) IS NOT NULL
                         AND to_regclass(format('%I.%I', v_adoption.view_schema, value)) IS NULL LOOP -- else another relation has it
            EXECUTE format('ALTER INDEX %I.%I RENAME TO %I', v_adoption.view_schema, v_index.name, v_index.before);
        END LOOP;
    END LOOP;
    DELETE FROM chime.adoption a WHERE a.plugin = p_plugin;
    RETURN QUERY SELECT a.relation, a.aside, NULL::bigint FROM unnest(v_adoptions) AS a;
END $$;
COMMENT ON FUNCTION chime.roll_adoption_back IS 'what pgchime plugins adopt --rollback does, in one transaction';
