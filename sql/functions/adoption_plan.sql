-- SPDX-License-Identifier: PostgreSQL
-- Adoption, the plan: what is in the way of a plugin's relation taking the place of one that its database has already,
-- and what would be done. adopt.sql does it.

CREATE OR REPLACE FUNCTION chime.spare_name(p_schema name, p_name name) RETURNS name
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT c.candidate::name
    FROM generate_series(1, 99) AS n CROSS JOIN generate_series(char_length(p_name), 1, -1) AS length
    CROSS JOIN LATERAL (SELECT left(p_name::text, length) || '_before_adoption' || CASE WHEN n > 1 THEN n::text ELSE '' END AS candidate) c
    WHERE octet_length(c.candidate) < 64
      AND NOT EXISTS (SELECT FROM pg_class o WHERE o.relname = c.candidate::name AND o.relnamespace = to_regnamespace(quote_ident(p_schema)))
    ORDER BY n, length DESC LIMIT 1;
END;
COMMENT ON ROUTINE chime.spare_name IS 'a name like this one that no relation of the schema has';

CREATE OR REPLACE FUNCTION chime.adoption_kind(p_relation oid) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN (SELECT CASE c.relkind WHEN 'm' THEN 'materialized view' WHEN 'v' THEN 'view' WHEN 'f' THEN 'foreign table'
                              WHEN 'r' THEN 'table' WHEN 'p' THEN 'table' END FROM pg_class c WHERE c.oid = p_relation);
COMMENT ON ROUTINE chime.adoption_kind IS 'what a relation that is to be adopted is, in words; NULL: nothing that can be';

CREATE OR REPLACE FUNCTION chime.json_names(p_names jsonb) RETURNS name[]
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
RETURN ARRAY(SELECT n::name FROM jsonb_array_elements_text(p_names) WITH ORDINALITY AS u (n, place) ORDER BY place);
COMMENT ON ROUTINE chime.json_names IS 'a JSON list of names as an array';

CREATE OR REPLACE FUNCTION chime.foreign_relations(p_plugin jsonb) RETURNS SETOF chime.foreign_relation
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    WITH wanted AS (
        SELECT 3 * w.n AS place, w.v ->> 'relation' AS name, w.v AS declared, 'kept' AS use
        FROM jsonb_array_elements(p_plugin -> 'views') WITH ORDINALITY AS w (v, n)
        UNION ALL
        SELECT 3 * w.n + 1, (w.v ->> 'relation') || '__live', w.v, 'live'
        FROM jsonb_array_elements(p_plugin -> 'views') WITH ORDINALITY AS w (v, n)
        UNION ALL
        SELECT 1000000 + w.n, w.v ->> 'relation', w.v, 'plain'
        FROM jsonb_array_elements(p_plugin -> 'plain_views') WITH ORDINALITY AS w (v, n))
    SELECT w.place, c.relname, c.oid, w.declared, w.use
    FROM wanted w JOIN pg_class c ON c.relname = w.name::name AND c.relnamespace = to_regnamespace(quote_ident(p_plugin ->> 'view_schema'))
    WHERE chime.own_relation((p_plugin ->> 'view_schema')::name, c.relname, w.use) IS NULL
    ORDER BY w.place;
END;
COMMENT ON ROUTINE chime.foreign_relations IS 'relations with names that a plugin wants and that pgchime did not make';

-- What needs relations, by themselves or by their row types, but for what goes with them. columns: those that it reads.
CREATE OR REPLACE FUNCTION chime.adoption_dependents(p_relations oid[])
RETURNS TABLE (class oid, object oid, sub integer, by_type boolean, needs text, columns text[])
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    WITH needed AS (
        SELECT 'pg_class'::regclass::oid AS class, r.oid AS needed, r.oid AS relation, false AS by_type FROM unnest(p_relations) AS r (oid)
        UNION ALL
        SELECT 'pg_type'::regclass, t.oid, c.oid, true
        FROM pg_class c JOIN pg_type t ON c.reltype <> 0 AND (t.oid = c.reltype OR t.typelem = c.reltype) WHERE c.oid = ANY (p_relations))
    SELECT CASE WHEN w.oid IS NULL THEN d.classid ELSE 'pg_class'::regclass::oid END, coalesce(w.ev_class, d.objid),
           CASE WHEN w.oid IS NULL THEN d.objsubid ELSE 0 END, bool_or(n.by_type),
           string_agg(DISTINCT n.relation::regclass::text, ', '),
           array_agg(DISTINCT n.relation || '.' || a.attname) FILTER (WHERE a.attname IS NOT NULL)
    FROM needed n JOIN pg_depend d ON d.refclassid = n.class AND d.refobjid = n.needed AND d.deptype = 'n'
    LEFT JOIN pg_rewrite w ON d.classid = 'pg_rewrite'::regclass AND w.oid = d.objid
    LEFT JOIN pg_trigger g ON d.classid = 'pg_trigger'::regclass AND g.oid = d.objid
    LEFT JOIN pg_constraint x ON d.classid = 'pg_constraint'::regclass AND x.oid = d.objid
    LEFT JOIN pg_policy p ON d.classid = 'pg_policy'::regclass AND p.oid = d.objid
    LEFT JOIN pg_attribute a ON NOT n.by_type AND a.attrelid = n.relation AND a.attnum = d.refobjsubid AND a.attnum > 0
    WHERE coalesce(w.ev_class, g.tgrelid, nullif(x.conrelid, 0), p.polrelid,
                   CASE WHEN d.classid = 'pg_class'::regclass THEN d.objid ELSE 0 END) <> ALL (p_relations)
    GROUP BY 1, 2, 3;
END;
COMMENT ON ROUTINE chime.adoption_dependents IS 'what needs these relations, by themselves or by their row types';

-- How a dependent is bound to whatever has the name by then: a statement, to be made while the old relation still has
-- it. NULL: it cannot be, for what it is or because it is somebody else's.
CREATE OR REPLACE FUNCTION chime.rebinding(p_class oid, p_object oid, p_by_type boolean) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF p_class = 'pg_class'::regclass AND NOT p_by_type THEN
        RETURN (SELECT format('CREATE OR REPLACE VIEW %s%s AS %s', c.oid::regclass,
                              ' WITH (' || array_to_string(c.reloptions, ', ') || ')', pg_get_viewdef(c.oid))
                FROM pg_class c WHERE c.oid = p_object AND c.relkind = 'v' AND pg_has_role(current_user, c.relowner, 'USAGE'));
    ELSIF p_class = 'pg_proc'::regclass AND NOT p_by_type THEN
        RETURN (SELECT pg_get_functiondef(p.oid) FROM pg_proc p
                WHERE p.oid = p_object AND p.prosqlbody IS NOT NULL AND pg_has_role(current_user, p.proowner, 'USAGE'));
    END IF;
    RETURN NULL;
END $$;
COMMENT ON ROUTINE chime.rebinding IS 'the statement that binds a dependent to whatever has the name by then; NULL: it cannot be';

-- Functions that write to a relation or refresh it, by their texts: itself named after such words, or such a function.
CREATE OR REPLACE FUNCTION chime.write_pattern(p_schema name, p_relation name) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
RETURN format('\m(refresh\s+materialized\s+view(\s+concurrently)?|insert\s+into|merge\s+into|update(\s+only)?|delete\s+from(\s+only)?'
              '|truncate(\s+table)?(\s+only)?)\s+("?%s"?\s*\.\s*)?"?%s"?(\W|$)',
              regexp_replace(p_schema, '(\W)', '\\\1', 'g'), regexp_replace(p_relation, '(\W)', '\\\1', 'g'));
COMMENT ON ROUTINE chime.write_pattern IS 'a pattern of texts that write to a relation or refresh it';

CREATE OR REPLACE FUNCTION chime.call_pattern(p_function name) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
RETURN format('\m%s"?\s*\(', regexp_replace(p_function, '(\W)', '\\\1', 'g'));
COMMENT ON ROUTINE chime.call_pattern IS 'a pattern of texts that call a function';

CREATE OR REPLACE FUNCTION chime.writing_functions(p_schema name, p_relation name) RETURNS SETOF oid
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    WITH RECURSIVE candidate AS MATERIALIZED (
        SELECT p.oid, p.proname, p.prosrc FROM pg_proc p JOIN pg_language l ON l.oid = p.prolang JOIN pg_namespace n ON n.oid = p.pronamespace
        WHERE l.lanname IN ('sql', 'plpgsql') AND n.nspname NOT IN ('pg_catalog', 'information_schema', 'chime')
          AND NOT EXISTS (SELECT FROM chime.plugin_function f WHERE chime.routine(f.signature) = p.oid)),
    writer AS (
        SELECT c.oid, c.proname FROM candidate c WHERE c.prosrc ~* chime.write_pattern(p_schema, p_relation)
        UNION
        SELECT c.oid, c.proname FROM writer w JOIN candidate c ON c.prosrc ~* chime.call_pattern(w.proname))
    SELECT w.oid FROM writer w;
END;
COMMENT ON ROUTINE chime.writing_functions IS 'functions that write to a relation or refresh it, themselves or by others';

-- Columns that a definition gives. A view of it is made and dropped: only the server knows.
CREATE OR REPLACE FUNCTION chime.definition_columns(p_search_path text, p_definition text) RETURNS TABLE (name name, type text)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM set_config('search_path', p_search_path, true);
    EXECUTE 'CREATE VIEW chime.adoption_shape AS ' || p_definition;
    PERFORM set_config('search_path', 'pg_catalog, pg_temp', true);
    RETURN QUERY SELECT a.attname, format_type(a.atttypid, a.atttypmod) FROM pg_attribute a
                 WHERE a.attrelid = to_regclass('chime.adoption_shape') AND a.attnum > 0 ORDER BY a.attnum;
    DROP VIEW chime.adoption_shape;
END $$;
COMMENT ON ROUTINE chime.definition_columns IS 'names and types of the columns that a definition gives';

-- Privileges of a relation as they would be granted on another one. Nobody but pgchime writes to a kept relation: only
-- what reads is carried over. An owner had all of them without a grant.
CREATE OR REPLACE FUNCTION chime.carried_grants(p_from oid, p_to text)
RETURNS TABLE (carried boolean, grantee text, privilege text, "column" name, statement text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT g.privilege_type = 'SELECT', r.role, g.privilege_type || coalesce(' (' || quote_ident(g.attname) || ')', ''), g.attname,
           format('GRANT %s%s ON %s TO %s%s', g.privilege_type, coalesce(' (' || quote_ident(g.attname) || ')', ''), p_to, r.role,
                  CASE WHEN g.is_grantable AND g.grantee <> 0 THEN ' WITH GRANT OPTION' ELSE '' END)
    FROM (SELECT x.grantee, x.privilege_type, bool_or(x.is_grantable) AS is_grantable, NULL::name AS attname
          FROM pg_class c CROSS JOIN LATERAL aclexplode(coalesce(c.relacl, acldefault('r', c.relowner))) AS x
          WHERE c.oid = p_from AND (x.grantee <> c.relowner OR (x.privilege_type = 'SELECT' AND pg_get_userbyid(c.relowner) <> current_user))
          GROUP BY x.grantee, x.privilege_type
          UNION ALL
          SELECT x.grantee, x.privilege_type, bool_or(x.is_grantable), a.attname
          FROM pg_class c JOIN pg_attribute a ON a.attrelid = c.oid AND NOT a.attisdropped CROSS JOIN LATERAL aclexplode(a.attacl) AS x
          WHERE c.oid = p_from AND x.grantee <> c.relowner GROUP BY x.grantee, x.privilege_type, a.attname) AS g
    CROSS JOIN LATERAL (SELECT CASE g.grantee WHEN 0 THEN 'PUBLIC' ELSE g.grantee::regrole::text END AS role) r;
END;
COMMENT ON ROUTINE chime.carried_grants IS 'privileges to read of a relation, as they would be granted on another';

-- What makes one relation impossible to set aside.
CREATE OR REPLACE FUNCTION chime.aside_obstacles(p_relation oid) RETURNS SETOF chime.adoption_line
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT 0, 'block', coalesce(chime.adoption_kind(c.oid), i.type), i.identity, pg_get_userbyid(c.relowner)::text, NULL::bigint, o.statement,
           o.reason
    FROM pg_class c CROSS JOIN LATERAL pg_identify_object('pg_class'::regclass, c.oid, 0) AS i
    CROSS JOIN LATERAL (VALUES
        (chime.adoption_kind(c.oid) IS NULL, format('-- rename this %s', i.type), 'has the name of a relation of the plugin'),
        (chime.adoption_kind(c.oid) IS NOT NULL AND NOT pg_has_role(current_user, c.relowner, 'USAGE'),
         format('ALTER %s %s OWNER TO %I; GRANT SELECT ON %2$s TO %4$s', upper(chime.adoption_kind(c.oid)), i.identity, current_user,
                c.relowner::regrole),
         format('belongs to %s', c.relowner::regrole)),
        (NOT has_schema_privilege(c.relnamespace, 'CREATE'),
         format('GRANT CREATE ON SCHEMA %s TO %I', c.relnamespace::regnamespace, current_user), 'nothing can be renamed in its schema'),
        (c.relrowsecurity, format('-- see who may read which rows of %s, then: ALTER TABLE %1$s DISABLE ROW LEVEL SECURITY', i.identity),
         'has row-level security: who reads some of its rows would read all'),
        ((SELECT bool_or(p.option_value::boolean) FROM pg_options_to_table(c.reloptions) AS p WHERE p.option_name = 'security_invoker'),
         format('-- see who may read what %s reads, then: ALTER VIEW %1$s RESET (security_invoker)', i.identity),
         'asks for its readers'' own rights: they would need none any more'),
        (c.relispartition, format('-- ALTER TABLE ... DETACH PARTITION %s', i.identity), 'is a partition')) AS o (applies, statement, reason)
    WHERE c.oid = p_relation AND o.applies;
END;
COMMENT ON ROUTINE chime.aside_obstacles IS 'what makes one relation impossible to set aside';

-- Triggers on tables that would fail with what they write to or refresh, and writes with them; what else would miss it.
CREATE OR REPLACE FUNCTION chime.writer_lines(p_schema name, p_relation name, p_relations oid[]) RETURNS SETOF chime.adoption_line
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_functions oid[] := ARRAY(SELECT chime.writing_functions(p_schema, p_relation));
    v_calls text[] := ARRAY(SELECT chime.call_pattern(p.proname) FROM pg_proc p WHERE p.oid = ANY (v_functions));
    v_name text := format('%I.%I', p_schema, p_relation);
BEGIN
    RETURN QUERY
        SELECT 0, 'block', 'trigger', format('%I ON %s', t.tgname, t.tgrelid::regclass), pg_get_userbyid(c.relowner)::text, NULL::bigint,
               format('ALTER TABLE %s DISABLE TRIGGER %I', t.tgrelid::regclass, t.tgname),
               format('refreshes or writes %s: once that is pgchime''s, every write to %s would fail', v_name, t.tgrelid::regclass)
        FROM pg_trigger t JOIN pg_class c ON c.oid = t.tgrelid
        WHERE t.tgfoid = ANY (v_functions) AND NOT t.tgisinternal AND t.tgenabled <> 'D' AND t.tgrelid <> ALL (p_relations);
    RETURN QUERY
        SELECT 6, 'note', 'function', p.oid::regprocedure::text, pg_get_userbyid(p.proowner)::text, NULL::bigint,
               format('DROP ROUTINE %s', p.oid::regprocedure), format('refreshes or writes %s: it will fail', v_name)
        FROM pg_proc p WHERE p.oid = ANY (v_functions) AND p.prorettype <> 'trigger'::regtype;
    IF has_schema_privilege((SELECT n.oid FROM pg_namespace n WHERE n.nspname = 'cron'), 'USAGE')
       AND has_table_privilege(to_regclass('cron.job')::oid, 'SELECT') THEN
        RETURN QUERY EXECUTE
            'SELECT 6, ''note'', ''pg_cron job'', coalesce(to_jsonb(j) ->> ''jobname'', j.jobid::text), to_jsonb(j) ->> ''username'','
            ' NULL::bigint, format(''SELECT cron.unschedule(%s)'', j.jobid), format(''refreshes or writes %s: it will fail'', $3)'
            ' FROM cron.job j WHERE j.command ~* $1 OR j.command ~* ANY ($2)'
            USING chime.write_pattern(p_schema, p_relation), v_calls, v_name;
    END IF;
END $$;
COMMENT ON ROUTINE chime.writer_lines IS 'triggers and functions that write to or refresh what is to be adopted';

-- How the columns of a relation and of what takes its place differ.
CREATE OR REPLACE FUNCTION chime.column_lines(p_relation oid, p_search_path text, p_definition text) RETURNS SETOF chime.adoption_line
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN QUERY
        SELECT 5, 'note', 'column', format('%s.%I', p_relation::regclass, a.attname), NULL::text, NULL::bigint, NULL::text,
               CASE WHEN n.name IS NULL THEN 'the plugin''s has no such column'
                    ELSE format('is %s, will be %s', format_type(a.atttypid, a.atttypmod), n.type) END
        FROM pg_attribute a LEFT JOIN chime.definition_columns(p_search_path, p_definition) AS n ON n.name = a.attname
        WHERE a.attrelid = p_relation AND a.attnum > 0 AND NOT a.attisdropped
          AND n.type IS DISTINCT FROM format_type(a.atttypid, a.atttypmod) ORDER BY a.attnum;
EXCEPTION WHEN undefined_table OR undefined_column OR undefined_function THEN
    RETURN NEXT (5, 'note', 'columns', p_relation::regclass::text, NULL, NULL, NULL, 'are not compared: ' || SQLERRM)::chime.adoption_line;
END $$;
COMMENT ON ROUTINE chime.column_lines IS 'how the columns of a relation and of what takes its place differ';

-- The plugin for which pgchime made a live view, a plain view or a function, which it makes again when it installs that
-- plugin the next time; NULL: nobody's, or something else needs it.
CREATE OR REPLACE FUNCTION chime.remaking_plugin(p_class oid, p_object oid) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF p_class = 'pg_class'::regclass AND NOT EXISTS (SELECT FROM chime.adoption_dependents(ARRAY[p_object])) THEN
        RETURN (SELECT u.plugin
                FROM (SELECT v.plugin, v.view_schema, v.relation || '__live' FROM chime.view v
                      UNION ALL SELECT v.plugin, v.view_schema, v.relation FROM chime.plain_view v) AS u (plugin, view_schema, name)
                JOIN pg_class c ON c.oid = to_regclass(format('%I.%I', u.view_schema, u.name))
                WHERE c.oid = p_object AND c.relkind = 'v' AND pg_has_role(current_user, c.relowner, 'USAGE'));
    ELSIF p_class = 'pg_proc'::regclass THEN
        RETURN (SELECT f.plugin FROM chime.plugin_function f JOIN pg_proc p ON p.oid = chime.routine(f.signature)
                WHERE p.oid = p_object AND pg_has_role(current_user, p.proowner, 'USAGE')
                  AND NOT EXISTS (SELECT FROM pg_depend d WHERE d.refclassid = p_class AND d.refobjid = p_object AND d.deptype = 'n'));
    END IF;
    RETURN NULL;
END $$;
COMMENT ON ROUTINE chime.remaking_plugin IS 'the plugin that makes an object again when it is installed the next time; NULL: none does';

-- What reads these relations: made again later, bound anew, or in the way. p_gone: columns ("oid.name") that the new
-- relations lack. p_own: what the caller does away with.
CREATE OR REPLACE FUNCTION chime.dependent_lines(p_relations oid[], p_gone text[], p_own oid[]) RETURNS SETOF chime.adoption_line
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT CASE f.action WHEN 'remake' THEN 3 WHEN 'rebind' THEN 4 ELSE 0 END, f.action, i.type, i.identity,
           pg_get_userbyid(coalesce(c.relowner, p.proowner))::text, NULL::bigint,
           CASE WHEN f.action = 'rebind' THEN f.rebinding
                WHEN x.oid IS NOT NULL THEN format('ALTER TABLE %s DROP CONSTRAINT %I', x.conrelid::regclass, x.conname)
                WHEN c.relkind IN ('v', 'm') OR p.oid IS NOT NULL THEN format('DROP %s %s', upper(i.type), i.identity)
                ELSE format('-- see %s %s', i.type, i.identity) END,
           CASE WHEN f.action = 'remake'
                THEN format('reads %s, and is made again with plugin %s, at the next reload that finds what it reads', d.needs, f.plugin)
                WHEN f.action = 'rebind' THEN 'reads ' || d.needs
                WHEN f.rebinding IS NOT NULL
                THEN format('reads %s, which has no %s any more', d.needs,
                            (SELECT string_agg(split_part(u, '.', 2), ', ' ORDER BY u) FROM unnest(d.columns) AS u WHERE u = ANY (p_gone)))
                WHEN c.relkind = 'v' THEN format('reads %s, and belongs to %s, who has to make it again afterwards', d.needs, c.relowner::regrole)
                ELSE format('needs %s, and cannot be bound to another relation: make it again afterwards', d.needs) END
    FROM chime.adoption_dependents(p_relations) AS d CROSS JOIN LATERAL pg_identify_object(d.class, d.object, d.sub) AS i
    LEFT JOIN pg_class c ON d.class = 'pg_class'::regclass AND c.oid = d.object
    LEFT JOIN pg_proc p ON d.class = 'pg_proc'::regclass AND p.oid = d.object
    LEFT JOIN pg_constraint x ON d.class = 'pg_constraint'::regclass AND x.oid = d.object AND x.conrelid <> 0
    CROSS JOIN LATERAL (SELECT chime.remaking_plugin(d.class, d.object) AS plugin,
                               chime.rebinding(d.class, d.object, d.by_type) AS rebinding) r
    CROSS JOIN LATERAL (SELECT r.plugin, r.rebinding,
                               CASE WHEN r.plugin IS NOT NULL AND c.relname LIKE '%\_\_live' THEN 'remake' -- no reader reads those
                                    WHEN r.rebinding IS NOT NULL AND NOT coalesce(d.columns && p_gone, false) THEN 'rebind'
                                    WHEN r.plugin IS NOT NULL THEN 'remake'
                                    ELSE 'block' END AS action) f
    WHERE d.object <> ALL (p_own);
END;
COMMENT ON ROUTINE chime.dependent_lines IS 'the plan for what reads these relations';

-- How many rows stand in a table or materialized view; NULL where that is not ours to count: another role's, or under
-- policies, whose code would run.
CREATE OR REPLACE FUNCTION chime.rows_held(p_relation oid) RETURNS bigint
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE v_rows bigint;
BEGIN
    IF EXISTS (SELECT FROM pg_class c WHERE c.oid = p_relation AND c.relkind IN ('r', 'm') AND c.relispopulated AND NOT c.relrowsecurity
                                        AND pg_has_role(current_user, c.relowner, 'USAGE')) THEN
        EXECUTE format('SELECT count(*) FROM %s', p_relation::regclass) INTO v_rows;
    END IF;
    RETURN v_rows;
END $$;
COMMENT ON FUNCTION chime.rows_held IS 'counted; NULL: neither a table nor a filled materialized view, of another role, or with row-level security';

-- Everything about one relation but its dependents.
CREATE OR REPLACE FUNCTION chime.aside_lines(p_schema name, p_relation name, p_oid oid) RETURNS SETOF chime.adoption_line
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT 1, 'aside', chime.adoption_kind(c.oid), c.oid::regclass::text, pg_get_userbyid(c.relowner)::text,
           chime.rows_held(c.oid),
           format('ALTER %s %s RENAME TO %I', upper(chime.adoption_kind(c.oid)), c.oid::regclass, chime.spare_name(p_schema, p_relation)),
           'gives its name up, keeps its rows'
    FROM pg_class c WHERE c.oid = p_oid AND chime.adoption_kind(c.oid) IS NOT NULL
    UNION ALL
    SELECT 2, 'aside', 'index', i.indexrelid::regclass::text, pg_get_userbyid(c.relowner)::text, NULL, NULL, 'goes with ' || c.oid::regclass
    FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid WHERE c.oid = p_oid
    UNION ALL
    SELECT 2, 'aside', 'trigger', format('%I ON %s', t.tgname, t.tgrelid::regclass), NULL, NULL, NULL, 'goes with ' || t.tgrelid::regclass
    FROM pg_trigger t WHERE t.tgrelid = p_oid AND NOT t.tgisinternal
    UNION ALL
    SELECT 3, CASE WHEN g.carried THEN 'grant' ELSE 'leave' END, 'privilege', format('%s of %s on %s', g.privilege, g.grantee, p_oid::regclass),
           NULL, NULL, CASE WHEN g.carried THEN g.statement END,
           CASE WHEN NOT g.carried THEN 'nobody else writes what pgchime keeps' END
    FROM chime.carried_grants(p_oid, format('%I.%I', p_schema, p_relation)) AS g;
END;
COMMENT ON ROUTINE chime.aside_lines IS 'the plan for one relation, without its dependents';

CREATE OR REPLACE FUNCTION chime.adoption_lines(p_plugin jsonb) RETURNS SETOF chime.adoption_line
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_schema name := p_plugin ->> 'view_schema';
    v_path text := format('%I, %I, pg_temp', p_plugin ->> 'view_schema', p_plugin ->> 'source_schema');
    v_all oid[] := ARRAY(SELECT f.oid FROM chime.foreign_relations(p_plugin) AS f);
    v_replaced oid[] := chime.replaced_needing(v_all);
    v_columns chime.adoption_line[] := '{}';
    v_old record;
BEGIN
    RETURN QUERY
        SELECT 1, 'drop', chime.adoption_kind(c.oid), c.oid::regclass::text, pg_get_userbyid(c.relowner)::text, NULL::bigint,
               format('DROP %s %s', upper(chime.adoption_kind(c.oid)), c.oid::regclass), 'was replaced, and needs what goes'
        FROM pg_class c WHERE c.oid = ANY (v_replaced);
    FOR v_old IN SELECT * FROM chime.foreign_relations(p_plugin) LOOP
        RETURN QUERY SELECT * FROM chime.aside_obstacles(v_old.oid);
        RETURN QUERY SELECT * FROM chime.aside_lines(v_schema, v_old.relation, v_old.oid);
        RETURN QUERY SELECT * FROM chime.writer_lines(v_schema, v_old.relation, v_all);
        v_columns := v_columns || ARRAY(SELECT l FROM chime.column_lines(v_old.oid, v_path, v_old.declared ->> 'definition') AS l);
    END LOOP;
    RETURN QUERY SELECT * FROM unnest(v_columns);
    RETURN QUERY SELECT * FROM chime.dependent_lines(v_all, ARRAY(
        SELECT a.attrelid || '.' || a.attname FROM unnest(v_columns) AS l
        JOIN pg_attribute a ON a.attrelid = ANY (v_all) AND l.object = format('%s.%I', a.attrelid::regclass, a.attname)
        WHERE l.reason NOT LIKE 'is %'), v_replaced);
END $$;
COMMENT ON ROUTINE chime.adoption_lines IS 'the plan of an adoption, a line for each thing that is done, or in the way';

-- digest: of the whole plan but its row counts, for chime.adopt_relations to see that it does what was shown.
CREATE OR REPLACE FUNCTION chime.plan_digest(p_lines chime.adoption_line[]) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
RETURN (SELECT md5(string_agg(concat_ws('|', l.place, l.action, l.object, l.owner, l.statement, l.reason), E'\n'
                              ORDER BY l.place, l.object COLLATE "C", l.statement COLLATE "C", l.reason COLLATE "C"))
        FROM unnest(p_lines) AS l);
COMMENT ON ROUTINE chime.plan_digest IS 'a digest of a plan, so that what is done is what was shown';

CREATE OR REPLACE FUNCTION chime.refuse_plan(p_lines chime.adoption_line[], p_digest text, p_plugin text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF chime.plan_digest(p_lines) IS DISTINCT FROM p_digest THEN
        RAISE EXCEPTION 'the database changed meanwhile: nothing was done' USING ERRCODE = 'CH009',
            HINT = format('look again: pgchime plugins adopt %s --dry-run', p_plugin);
    ELSIF EXISTS (SELECT FROM unnest(p_lines) AS l WHERE l.action = 'block') THEN
        RAISE EXCEPTION 'something stands in the way: nothing was done' USING ERRCODE = 'CH009',
            HINT = format('see the lines that say "block": pgchime plugins adopt %s --dry-run', p_plugin);
    END IF;
END $$;
COMMENT ON ROUTINE chime.refuse_plan IS 'raises when a plan is blocked, or is not the one that was shown';
