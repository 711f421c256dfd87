-- SPDX-License-Identifier: PostgreSQL
-- Proof: that a view can be refreshed by its groups is read off a plan, not believed (docs/adr/0022-keyed-by-proof.md).
--
-- PostgreSQL pushes a restriction into a query only where that keeps its meaning. So the definition is planned for one
-- group, and every scan of every source must be restricted: by the group's key, or by a column of a scan that is so
-- restricted. Then a row that changed can concern no other groups than those that the same conditions lead to from it,
-- before or after the change. In doubt: full.

-- branches: where the scan is one of several of which EXPLAIN shows only the first above (UNION ALL, set operations):
-- nothing outside of that branch may take its columns for the result's. Partitions of one table are no such branches.
-- nulled: above it, its columns can be NULL without a row of it, by an outer join or grouping sets.
CREATE OR REPLACE FUNCTION chime.group_scans(p_plan jsonb) RETURNS SETOF chime.group_scan
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    WITH nodes AS MATERIALIZED (SELECT * FROM chime.plan_nodes(p_plan)),
    conditions AS MATERIALIZED (
        SELECT n.path, c.text, CASE WHEN NOT n.node ? 'Relation Name' THEN chime.compares_constant(c.text) ELSE false END AS about_all
        FROM nodes n CROSS JOIN LATERAL chime.node_conditions(n.node) AS c (text)
        WHERE n.node ?| '{Index Cond,Recheck Cond,Filter,One-Time Filter}'),
    forks AS (
        SELECT f.path FROM nodes f
        WHERE f.node ->> 'Node Type' IN ('Append', 'Merge Append', 'Recursive Union', 'SetOp')
          AND (SELECT count(DISTINCT coalesce(chime.root_table(chime.scanned_table(c.node)), 0))
                      > 1 OR bool_or(NOT c.node ? 'Relation Name')
               FROM nodes c WHERE c.path[:cardinality(c.path) - 1] = f.path AND cardinality(c.path) = cardinality(f.path) + 1))
    SELECT s.node ->> 'Alias', chime.root_table(chime.scanned_table(s.node)), s.path,
           (SELECT s.path[:max(cardinality(f.path)) + 1] FROM forks f WHERE s.path[:cardinality(f.path)] = f.path AND s.path <> f.path),
           EXISTS (SELECT FROM nodes j JOIN nodes c ON c.path = s.path[:cardinality(j.path) + 1] AND c.path <> j.path
                   WHERE s.path[:cardinality(j.path)] = j.path
                     AND (j.node ? 'Grouping Sets' OR (j.node ->> 'Join Type', c.node ->> 'Parent Relationship')
                                                      IN (('Left', 'Inner'), ('Right', 'Outer'), ('Full', 'Inner'), ('Full', 'Outer')))),
           ARRAY(SELECT c.text FROM conditions c WHERE c.path = s.path OR c.about_all AND s.path[:cardinality(c.path)] = c.path),
           '{}'::jsonb, '{}'::jsonb, false, '{}'::jsonb, '{}'::text[], '{}'::name[]
    FROM nodes s
    WHERE s.node ? 'Relation Name' AND s.node ->> 'Node Type' <> 'Sample Scan'
      AND NOT EXISTS (SELECT FROM conditions c WHERE s.path[:cardinality(c.path)] = c.path AND c.text = 'false'); -- never run
END $$;
COMMENT ON ROUTINE chime.group_scans IS 'the scans of tables in the plan of one group';

-- Whether an expression is one column, as it is or cast.
CREATE OR REPLACE FUNCTION chime.is_column(p_expression text) RETURNS boolean
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
RETURN p_expression ~ '^\(?("([^"]|"")+"|[[:alpha:]_][\w$]*)\.("([^"]|"")+"|[[:alpha:]_][\w$]*)(\)::[\w ."]+)?$';
COMMENT ON ROUTINE chime.is_column IS 'whether an expression is one column, as it is or cast';

-- What a scan's conditions say: keys, the expression that each column of the grain is compared with; links, {alias:
-- {expression of that scan: expression}}. p_keys: those of the same scan where no column of the group is NULL; there `x
-- IS NULL` stands for `x = k`. p_equal: of chime.equal_columns. p_collated: the definition has a COLLATE, of which a
-- plan does not show where it is; then only columns count. Returns NULL where a condition is never met: the scan finds
-- nothing, whatever changes.
CREATE OR REPLACE FUNCTION chime.read_conditions(p_scan chime.group_scan, p_keys jsonb, p_kept oid, p_equal jsonb, p_collated boolean) RETURNS chime.group_scan
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_scan chime.group_scan := p_scan;
    v_condition text;
    v_equality text;
    v_sides text[];
    v_other record;
BEGIN
    FOREACH v_condition IN ARRAY p_scan.conditions LOOP
        IF v_condition LIKE '% IS NULL' AND p_keys IS NOT NULL THEN
            SELECT v_scan.keys || jsonb_object_agg(k.key, k.value) INTO v_scan.keys FROM jsonb_each(p_keys) AS k
             WHERE k.value #>> '{}' = chime.without_relabel(chime.without_brackets(left(v_condition, -8)), p_scan.alias, p_scan.relation)
            HAVING count(*) > 0;
            v_scan.keys := coalesce(v_scan.keys, p_scan.keys);
        END IF;
        v_equality := coalesce((SELECT t.token FROM chime.condition_tokens(v_condition) AS t WHERE t.token LIKE ' OPERATOR(%' LIMIT 1), ' = ');
        v_sides := ARRAY(SELECT chime.without_relabel(chime.without_relabel(s, p_scan.alias, p_scan.relation), 'chime_key', p_kept)
                         FROM chime.condition_parts(v_condition, v_equality) AS s);
        CONTINUE WHEN v_equality <> ' = ' AND NOT EXISTS ( -- counts only where it is that of a column of the group
            SELECT FROM unnest(v_sides) AS s CROSS JOIN LATERAL chime.columns_named(s) AS c
            WHERE s = 'chime_key.' || quote_ident(c.name) AND chime.key_equality(p_kept, c.name) = btrim(v_equality));
        CONTINUE WHEN cardinality(v_sides) <> 2;
        v_sides := ARRAY(SELECT coalesce(p_equal ->> s, s) FROM unnest(v_sides) WITH ORDINALITY AS u (s, n) ORDER BY n);
        IF 'NULL' = ANY (v_sides) THEN
            RETURN NULL;
        END IF;
        FOR v_other IN SELECT o.own, o.side, c.alias, min(c.name) AS name
                       FROM (VALUES (v_sides[1], v_sides[2]), (v_sides[2], v_sides[1])) AS o (own, side)
                       CROSS JOIN LATERAL chime.columns_named(o.side) AS c
                       WHERE c.alias <> p_scan.alias AND chime.is_of_scan(o.side, c.alias)
                         AND (NOT p_collated OR (chime.is_column(o.own) OR chime.is_constant(o.own)) AND chime.is_column(o.side))
                         AND (chime.is_of_scan(o.own, p_scan.alias) OR (c.alias = 'chime_key' AND chime.is_constant(o.own)))
                       GROUP BY o.own, o.side, c.alias LOOP
            IF v_other.alias <> 'chime_key' THEN
                v_scan.links := v_scan.links || jsonb_build_object(v_other.alias, coalesce(v_scan.links -> v_other.alias, '{}')
                                                                                  || jsonb_build_object(v_other.side, v_other.own));
            ELSIF v_other.side = 'chime_key.' || quote_ident(v_other.name) THEN
                v_scan.keys := jsonb_build_object(v_other.name, v_other.own) || v_scan.keys;
            END IF;
        END LOOP;
    END LOOP;
    RETURN v_scan;
END $$;
COMMENT ON ROUTINE chime.read_conditions IS 'what a scan''s conditions compare with the group''s key and with other scans';

-- The conditions of a scan on another's columns that count. An expression over columns that can be NULL without a row
-- may be another value than NULL there, such as coalesce(o.id, 0), and no row of the other leads to it; `=` of such a
-- column itself finds nothing.
CREATE OR REPLACE FUNCTION chime.links_to(p_scan chime.group_scan, p_by chime.group_scan) RETURNS TABLE (side text, own text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT l.key, l.value FROM jsonb_each_text(p_scan.links -> p_by.alias) AS l
    WHERE NOT p_by.nulled OR l.key IN (SELECT format('%I.%I', c.alias, c.name) FROM chime.columns_named(l.key) AS c);
END;
COMMENT ON ROUTINE chime.links_to IS 'conditions of a scan on another''s columns';

-- Proves a scan by its own conditions, or by another's that is proven; as it was where neither does. grain: what each
-- column of the group is made of, over the aliases of joins and, for the scan's own columns, its own alias.
CREATE OR REPLACE FUNCTION chime.prove_scan(p_scan chime.group_scan, p_by chime.group_scan, p_grain name[]) RETURNS chime.group_scan
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE v_scan chime.group_scan := p_scan;
BEGIN
    v_scan.grain := coalesce(p_by.grain, '{}') || p_scan.keys;
    v_scan.proven := v_scan.grain ?& p_grain::text[] AND (p_by.alias IS NULL OR EXISTS (SELECT FROM chime.links_to(p_scan, p_by)))
        AND (p_by.branches IS NULL OR p_scan.path[:cardinality(p_by.branches)] = p_by.branches);
    IF NOT coalesce(v_scan.proven, false) THEN
        RETURN p_scan;
    END IF;
    IF p_by.alias IS NOT NULL THEN
        v_scan.joins := format('JOIN %s AS %I ON %s', p_by.relation::regclass, p_by.alias,
                               (SELECT string_agg(l.side || ' = ' || l.own, ' AND ' ORDER BY l.side)
                                FROM chime.links_to(p_scan, p_by) AS l)) || p_by.joins;
    END IF;
    v_scan.captured := ARRAY(
        SELECT DISTINCT c.name FROM (SELECT k.value FROM jsonb_each_text(p_scan.keys) AS k
                                     UNION ALL SELECT l.own FROM chime.links_to(p_scan, p_by) AS l) AS e (value)
        CROSS JOIN LATERAL chime.columns_named(e.value) AS c ORDER BY 1);
    RETURN v_scan;
END $$;
COMMENT ON ROUTINE chime.prove_scan IS 'whether a scan reads only what leads to the group, by itself or by another scan';

-- All scans of one plan, proven as far as that goes by others.
CREATE OR REPLACE FUNCTION chime.prove_by_others(p_scans chime.group_scan[], p_grain name[]) RETURNS chime.group_scan[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_scans chime.group_scan[] := p_scans;
    v_more boolean := true;
    v_by chime.group_scan;
    v_tried chime.group_scan;
BEGIN
    WHILE v_more LOOP
        v_more := false;
        FOR i IN 1..cardinality(v_scans) LOOP
            CONTINUE WHEN v_scans[i].proven;
            FOR v_by IN SELECT * FROM unnest(v_scans) AS s WHERE s.proven ORDER BY cardinality(s.joins), s.path LOOP
                v_tried := chime.prove_scan(v_scans[i], v_by, p_grain);
                CONTINUE WHEN NOT v_tried.proven;
                v_scans[i] := v_tried;
                v_more := true;
                EXIT;
            END LOOP;
        END LOOP;
    END LOOP;
    RETURN v_scans;
END $$;
COMMENT ON ROUTINE chime.prove_by_others IS 'scans of one plan, proven as far as that goes by those that are';

-- All scans of one plan, proven as far as that goes. p_nulls: columns of the grain that are NULL in the group of this
-- plan: where nothing else shows which groups a change concerns, it may concern that one.
CREATE OR REPLACE FUNCTION chime.prove_scans(p_scans chime.group_scan[], p_grain name[], p_nulls name[]) RETURNS chime.group_scan[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE v_scans chime.group_scan[];
BEGIN
    v_scans := chime.prove_by_others(ARRAY(SELECT chime.prove_scan(s, NULL, p_grain) FROM unnest(p_scans) AS s), p_grain);
    IF cardinality(p_nulls) > 0 THEN
        FOR i IN 1..cardinality(v_scans) LOOP
            IF NOT v_scans[i].proven THEN
                v_scans[i].keys := (SELECT jsonb_object_agg(n, 'NULL') FROM unnest(p_nulls) AS n) || v_scans[i].keys;
                v_scans[i] := chime.prove_scan(v_scans[i], NULL, p_grain);
            END IF;
        END LOOP;
        v_scans := chime.prove_by_others(v_scans, p_grain);
    END IF;
    RETURN v_scans;
END $$;
COMMENT ON ROUTINE chime.prove_scans IS 'all scans of one plan, proven as far as that goes';

-- The query from marks of a scan's table to groups. Values are given the type of the kept column, as marks have no
-- modifiers.
CREATE OR REPLACE FUNCTION chime.map_of_scan(p_scan chime.group_scan, p_grain name[], p_kept regclass) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN (SELECT 'SELECT ' || string_agg(format('(%s)::%s%s AS %I', chime.over_alias(p_scan.grain ->> g.name::text, p_scan.alias, 'chime_mark'),
                                              format_type(a.atttypid, NULL), chime.collation_of(p_kept, g.name), g.name), ', ' ORDER BY g.n)
        FROM unnest(p_grain) WITH ORDINALITY AS g (name, n) JOIN pg_attribute a ON a.attrelid = p_kept AND a.attname = g.name)
    || ' FROM marks AS chime_mark' || coalesce((SELECT string_agg(' ' || chime.over_alias(j.text, p_scan.alias, 'chime_mark'), '' ORDER BY j.n)
                                  FROM unnest(p_scan.joins) WITH ORDINALITY AS j (text, n)), '');
COMMENT ON ROUTINE chime.map_of_scan IS 'the query from marks of a scan''s table to groups';

-- What the plans of one group prove, a row for each table that they read.
-- map: NULL where the captured columns are the grain.
CREATE OR REPLACE FUNCTION chime.prove_keys(p_view chime.view, p_grain name[]) RETURNS SETOF chime.key_proof
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off AS $$
DECLARE
    v_kept regclass := format('%I.%I', p_view.view_schema, p_view.relation);
    v_match text;
    v_keys jsonb; -- of the first plan, where no column is NULL: {alias: keys}
    v_plan jsonb;
    v_equal jsonb;
    v_collated boolean := chime.says_collate(p_view);
    v_scans chime.group_scan[];
    v_all chime.group_scan[] := '{}';
BEGIN
    FOR v_match IN SELECT chime.grain_matches(v_kept, p_grain, 'chime_key', 'v') LOOP
        v_plan := chime.group_plan(p_view, p_grain, v_match);
        v_equal := chime.equal_columns(v_plan);
        v_scans := ARRAY(SELECT c.scan FROM chime.group_scans(v_plan) AS s
                         CROSS JOIN LATERAL (SELECT chime.read_conditions(s, v_keys -> s.alias, v_kept, v_equal, v_collated) AS scan OFFSET 0) AS c
                         WHERE (c.scan).alias IS NOT NULL);
        v_scans := chime.prove_scans(v_scans, p_grain, ARRAY(SELECT g FROM unnest(p_grain) AS g
                                                             WHERE strpos(v_match, format('v.%I IS NULL', g)) > 0));
        IF v_keys IS NULL THEN
            SELECT coalesce(jsonb_object_agg(s.alias, s.keys), '{}') INTO v_keys FROM unnest(v_scans) AS s;
        END IF;
        v_all := v_all || v_scans;
    END LOOP;
    RETURN QUERY
    WITH maps AS (
        SELECT DISTINCT s.relation, chime.map_of_scan(s, p_grain, v_kept) AS map,
               cardinality(s.joins) = 0 AND NOT EXISTS (SELECT FROM unnest(p_grain) AS g
                                                        WHERE s.grain ->> g::text <> quote_ident(s.alias) || '.' || quote_ident(g)) AS is_identity
        FROM unnest(v_all) AS s WHERE s.proven)
    SELECT r.relation,
           ARRAY(SELECT DISTINCT c FROM unnest(v_all) AS s CROSS JOIN LATERAL unnest(s.captured) AS c WHERE s.relation = r.relation ORDER BY c),
           (SELECT CASE WHEN NOT bool_and(m.is_identity) THEN string_agg(m.map, ' UNION ' ORDER BY m.map) END FROM maps m WHERE m.relation = r.relation),
           EXISTS (SELECT FROM unnest(v_all) AS s WHERE s.relation = r.relation AND NOT s.proven)
    FROM (SELECT DISTINCT s.relation FROM unnest(v_all) AS s) AS r;
END $$;
COMMENT ON ROUTINE chime.prove_keys IS 'what the plans of one group prove, a row for each table that they read';
