-- Why a view is not keyed, in words of its definition, and the index that would make it so (0025_proof.sql asks whether it is).

-- That of a group without a NULL.
CREATE FUNCTION chime.first_plan(p_view chime.view) RETURNS jsonb
LANGUAGE sql SET search_path = pg_catalog, pg_temp
RETURN chime.group_plan(p_view.view_schema, p_view.relation, p_view.grain,
                        (SELECT m FROM chime.grain_matches(chime.kept_of(p_view), p_view.grain, 'chime_key', 'v') AS m LIMIT 1));

-- The scans of that plan, as proven as every index would make them: a condition on two tables stands at one of them or at a join, whichever way
-- the planner goes without an index, and counts here for both.
CREATE FUNCTION chime.joined_scans(p_plan jsonb, p_view chime.view) RETURNS SETOF chime.group_scan
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_kept regclass := chime.kept_of(p_view);
    v_collated boolean := chime.says_collate(p_view);
    v_equal jsonb := chime.equal_columns(p_plan);
    v_joined text[] := ARRAY(
        SELECT DISTINCT c FROM chime.plan_nodes(p_plan) AS n
        CROSS JOIN LATERAL unnest(ARRAY[n.node ->> 'Join Filter', n.node ->> 'Hash Cond', n.node ->> 'Merge Cond', n.node ->> 'Index Cond', n.node ->> 'Filter']) AS j (text)
        CROSS JOIN LATERAL chime.condition_parts(j.text, ' AND ') AS c
        WHERE (SELECT count(DISTINCT m.alias) = 2 FROM chime.columns_named(c) AS m WHERE m.alias <> 'chime_key'));
    v_scans chime.group_scan[] := ARRAY(SELECT s FROM chime.group_scans(p_plan) AS s);
BEGIN
    FOR i IN 1..cardinality(v_scans) LOOP
        v_scans[i].conditions := v_scans[i].conditions || v_joined;
        v_scans[i] := chime.read_conditions(v_scans[i], NULL, v_kept, v_equal, v_collated);
    END LOOP;
    RETURN QUERY SELECT * FROM unnest(chime.prove_scans(ARRAY(SELECT s FROM unnest(v_scans) AS s WHERE s.alias IS NOT NULL), p_view.grain, '{}'));
END $$;

-- Whether an index may hold an expression over a table's columns: only of IMMUTABLE functions.
CREATE FUNCTION chime.is_indexable(p_relation regclass, p_expression text) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE v_found boolean;
BEGIN
    EXECUTE format('CREATE VIEW chime.closing AS SELECT %s AS one FROM %s', p_expression, p_relation);
    SELECT bool_and(p.provolatile = 'i') INTO v_found
      FROM chime.functions_called('chime.closing') AS f (oid) JOIN pg_proc p ON p.oid = f.oid;
    DROP VIEW chime.closing;
    RETURN coalesce(v_found, true);
END $$;

-- What an index holds to find the rows that a scan is after: what the group's key is compared with, in the order of the grain, behind what
-- joins the scan to the one that leads there. Of a table's own column only its name, with its collation where the grain has another one.
CREATE FUNCTION chime.index_parts(p_scan chime.group_scan, p_kept regclass, p_grain name[]) RETURNS SETOF text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    WITH parts AS (
        SELECT l.value AS expression, NULL::name AS grain, 0 AS n
        FROM jsonb_each(p_scan.links) AS a CROSS JOIN LATERAL jsonb_each_text(a.value) AS l
        WHERE strpos(p_scan.joins[1], format(' AS %I ON ', a.key)) > 0
        UNION ALL
        SELECT p_scan.keys ->> g.name::text, g.name, g.n FROM unnest(p_grain) WITH ORDINALITY AS g (name, n) WHERE p_scan.keys ? g.name::text
        UNION ALL -- of a literal, what the definition itself compares with one
        SELECT o.own, NULL, 0 FROM unnest(p_scan.conditions) AS c CROSS JOIN LATERAL (SELECT array_agg(s) AS sides FROM chime.condition_parts(c, ' = ') AS s) AS d
        CROSS JOIN LATERAL (VALUES (d.sides[1], d.sides[2]), (d.sides[2], d.sides[1])) AS o (own, other)
        WHERE cardinality(d.sides) = 2 AND chime.is_constant(o.other) AND chime.is_of_scan(o.own, p_scan.alias)
          AND (SELECT bool_and(chime.is_constant(k.value)) FROM jsonb_each_text(p_scan.keys) AS k)),
    placed AS (
        SELECT p.n, (array_agg(p.expression))[1] AS expression, min(p.grain) AS grain FROM parts p WHERE NOT chime.is_constant(p.expression)
        GROUP BY p.n, CASE WHEN p.n = 0 THEN p.expression END)
    SELECT CASE WHEN c.name IS NULL THEN format('(%s)', chime.over_alias(p.expression, p_scan.alias, quote_ident(r.relname)))
                ELSE quote_ident(c.name) || CASE WHEN k.collation <> chime.collation_of(p_scan.relation, c.name) THEN k.collation ELSE '' END END
    FROM placed p JOIN pg_class r ON r.oid = p_scan.relation
    LEFT JOIN LATERAL (SELECT m.name FROM chime.columns_named(p.expression) AS m WHERE p.expression = format('%I.%I', p_scan.alias, m.name)) AS c ON true
    CROSS JOIN LATERAL (SELECT CASE WHEN p.grain IS NULL THEN chime.collation_of(p_scan.relation, c.name) ELSE chime.collation_of(p_kept, p.grain) END AS collation) AS k
    ORDER BY p.n, p.expression;
END;

-- Whether a table has an index that begins with such a part.
CREATE FUNCTION chime.begins_index(p_relation regclass, p_part text) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN EXISTS (
    SELECT FROM pg_class c JOIN pg_index i ON i.indrelid = c.oid AND i.indisvalid AND i.indpred IS NULL
    WHERE c.oid = p_relation AND chime.without_brackets(pg_get_indexdef(i.indexrelid, 1, false))
                                 = chime.without_brackets(replace(p_part, quote_ident(c.relname) || '.', '')));

-- The indexes without which one group cannot be found, as statements: of each scan that no index condition of its own leads to the group.
-- NULL: no index can hold what leads there. No rows: an index would not help.
CREATE FUNCTION chime.missing_indexes(p_view chime.view) RETURNS TABLE (relation regclass, statement text)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_plan jsonb := chime.first_plan(p_view);
    v_scans chime.group_scan[] := ARRAY(SELECT s FROM chime.joined_scans(v_plan, p_view) AS s);
    v_scan chime.group_scan;
    v_parts text[];
BEGIN
    IF EXISTS (SELECT FROM unnest(v_scans) AS s WHERE NOT s.proven) THEN
        RETURN;
    END IF;
    FOREACH v_scan IN ARRAY v_scans LOOP
        v_parts := ARRAY(SELECT p FROM chime.index_parts(v_scan, chime.kept_of(p_view), p_view.grain) AS p);
        CONTINUE WHEN v_parts = '{}' OR chime.begins_index(v_scan.relation, v_parts[1]);
        relation := v_scan.relation;
        statement := CASE WHEN (SELECT bool_and(p NOT LIKE '(%' OR chime.is_indexable(v_scan.relation, p)) FROM unnest(v_parts) AS p)
                          THEN format('CREATE INDEX ON %s (%s)', v_scan.relation::regclass, array_to_string(v_parts, ', ')) END;
        RETURN NEXT;
    END LOOP;
END $$;

-- Why no index finds one group in some tables (as schema.table), with the statements that mend it. NULL for the tables: in whichever there is none,
-- and NULL where an index would not help.
CREATE FUNCTION chime.index_words(p_view chime.view, p_tables text[]) RETURNS text
LANGUAGE sql SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    WITH missing AS MATERIALIZED (SELECT DISTINCT m.* FROM chime.missing_indexes(p_view) AS m),
    tables AS (
        SELECT coalesce(string_agg(t, ', ' ORDER BY t), (SELECT string_agg(DISTINCT m.relation::text, ', ') FROM missing m)) AS names FROM unnest(p_tables) AS t)
    SELECT CASE WHEN (SELECT count(*) FILTER (WHERE m.statement IS NULL) > 0 FROM missing m)
                THEN format('no index can find one group in %s: %s made there by what is not IMMUTABLE, such as a time of day or text that depends on the session',
                            t.names, array_to_string(p_view.grain, ', ') || CASE cardinality(p_view.grain) WHEN 1 THEN ' is' ELSE ' are' END)
                ELSE format('no index finds one group in %s%s', t.names,
                            (SELECT ': ' || string_agg(m.statement, '; ' ORDER BY m.statement) || CASE count(*) WHEN 1 THEN ' makes' ELSE ' make' END || ' it keyed' FROM missing m HAVING count(*) > 0)) END
    FROM tables t WHERE t.names IS NOT NULL;
END;

-- Why nothing shows which groups a change of a table concerns: what is above the first scan of it that nothing restricts.
CREATE FUNCTION chime.unproven_words(p_view chime.view, p_tables regclass[]) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_plan jsonb := chime.first_plan(p_view);
    v_why text;
    v_tables text := array_to_string(p_tables, ', ');
BEGIN
    WITH scans AS MATERIALIZED (SELECT s.* FROM chime.joined_scans(v_plan, p_view) AS s),
    above AS (
        SELECT s.relation::regclass AS source, n.path, n.node, n.node ->> 'Node Type' AS type, s.path AS scan
        FROM scans s JOIN chime.plan_nodes(v_plan) AS n ON n.path = s.path[:cardinality(n.path)] AND n.path <> s.path
        WHERE NOT s.proven AND s.relation = ANY (p_tables))
    SELECT CASE
               WHEN a.node ->> 'Subplan Name' LIKE 'CTE %' AND a.type <> 'Recursive Union' THEN format('its query "%s" (WITH) is computed over all rows of %s', substr(a.node ->> 'Subplan Name', 5), a.source)
               WHEN a.type = 'Recursive Union' THEN format('its recursive query starts from all rows of %s', a.source)
               WHEN a.type = 'WindowAgg' THEN format('its window function is computed over all rows of %s', a.source)
               WHEN a.type = 'Limit' THEN format('its LIMIT takes rows out of all of %s', a.source)
               WHEN a.type = 'Unique' THEN format('its DISTINCT picks from all rows of %s', a.source)
               WHEN a.type = 'Aggregate' THEN format('a total is computed over all rows of %s', a.source)
               WHEN a.node ->> 'Subplan Name' LIKE 'InitPlan%' THEN format('a subquery reads all rows of %s', a.source)
           END
      INTO v_why
      FROM above a
     WHERE a.type IN ('WindowAgg', 'Limit', 'Unique', 'Recursive Union') OR a.node ? 'Subplan Name' AND a.node ->> 'Subplan Name' NOT LIKE 'SubPlan%'
        OR a.type = 'Aggregate' AND a.node ->> 'Strategy' = 'Plain' AND NOT a.node ? 'Grouping Sets' -- Group Key is absent, too, where it is a constant
     ORDER BY a.scan, cardinality(a.path) DESC LIMIT 1;
    RETURN format('%s, so a group in %s cannot be computed alone', coalesce(v_why, CASE
        WHEN chime.says_collate(p_view) THEN format('its COLLATE hides from PostgreSQL''s plan how rows of %s belong to groups', v_tables)
        ELSE format('no condition "column = column" leads from a row of %s to its group', v_tables) END), array_to_string(p_view.grain, ', '));
END $$;

COMMENT ON ROUTINE chime.first_plan IS 'the plan of a group without a NULL';
COMMENT ON ROUTINE chime.index_words IS 'why no index finds one group, with the statements that mend it';
COMMENT ON ROUTINE chime.joined_scans IS 'the scans of one group as they would be with every index that their joins could use';
COMMENT ON ROUTINE chime.is_indexable IS 'whether an index may hold an expression';
COMMENT ON ROUTINE chime.index_parts IS 'what an index holds to find the rows that a scan is after';
COMMENT ON ROUTINE chime.begins_index IS 'whether a table has an index that begins with a column or expression';
COMMENT ON ROUTINE chime.missing_indexes IS 'the indexes without which one group of a view cannot be found, as statements';
COMMENT ON ROUTINE chime.unproven_words IS 'what in a definition keeps a group from being computed alone';
REVOKE ALL ON FUNCTION chime.first_plan, chime.index_words, chime.joined_scans, chime.is_indexable, chime.index_parts, chime.begins_index, chime.missing_indexes, chime.unproven_words FROM PUBLIC;
