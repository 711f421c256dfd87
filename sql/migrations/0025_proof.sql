-- SPDX-License-Identifier: PostgreSQL
-- Proof: that a view can be refreshed by its groups is read off a plan, not believed (docs/adr/0022-keyed-by-proof.md).
--
-- PostgreSQL pushes a restriction into a query only where that keeps its meaning. So the definition is planned for one
-- group, and every scan of every source must be restricted: by the group's key, or by a column of a scan that is so
-- restricted. Then a row that changed can concern no other groups than those that the same conditions lead to from it,
-- before or after the change. In doubt: full.

-- --- conditions, as EXPLAIN writes them ------------------------------------------------------------------------------

-- PL/pgSQL where it is called often, since that keeps its plans.

-- Literals and quoted names are tokens of their own, so that nothing in them counts. depth: of brackets, behind the
-- token.
CREATE FUNCTION chime.condition_tokens(p_text text) RETURNS TABLE (n bigint, token text, depth bigint)
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT m.n, m.t[1], sum(CASE m.t[1] WHEN '(' THEN 1 WHEN ')' THEN -1 ELSE 0 END) OVER (ORDER BY m.n)
    FROM regexp_matches(p_text, '(''(?:[^'']|'''')*''|"(?:[^"]|"")*"| AND | = | OPERATOR\((?:"(?:[^"]|"")*"|\w+)\.=\) |[^''"() ]+|[\s\S])', 'g') WITH ORDINALITY AS m (t, n);
END $$;

CREATE FUNCTION chime.without_brackets(p_text text) RETURNS text
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE v_text text := btrim(p_text);
BEGIN
    WHILE v_text LIKE '(%)' AND (SELECT bool_and(t.depth > 0) FROM chime.condition_tokens(left(v_text, -1)) AS t) LOOP
        v_text := btrim(substr(v_text, 2, length(v_text) - 2));
    END LOOP;
    RETURN v_text;
END $$;

-- What stands between separators (' AND ', ' = ', ' OPERATOR(ext.=) ') outside of brackets.
CREATE FUNCTION chime.condition_parts(p_text text, p_separator text) RETURNS SETOF text
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT chime.without_brackets(string_agg(s.token, '' ORDER BY s.n))
    FROM (SELECT t.n, t.token, t.depth, count(*) FILTER (WHERE t.token = p_separator AND t.depth = 0) OVER (ORDER BY t.n) AS part
          FROM chime.condition_tokens(chime.without_brackets(p_text)) AS t) AS s
    WHERE NOT (s.token = p_separator AND s.depth = 0)
    GROUP BY s.part ORDER BY s.part;
END $$;

-- The columns that an expression names, as alias and name. What it calls is followed by a bracket. An error of
-- parse_ident cannot be: these are names.
CREATE FUNCTION chime.columns_named(p_expression text) RETURNS TABLE (alias text, name name)
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT DISTINCT (parse_ident(m.t[1]))[1], (parse_ident(m.t[2]))[1]::name
    FROM regexp_matches(regexp_replace(p_expression, '''(?:[^'']|'''')*''', '''''', 'g'),
                        '("(?:[^"]|"")+"|[[:alpha:]_][\w$]*)\.("(?:[^"]|"")+"|[[:alpha:]_][\w$]*)(\(?)', 'g') AS m (t)
    WHERE m.t[3] = '';
END;

-- Whether an expression is made of nothing but columns of one scan, and of at least one: no parameters, no subqueries,
-- no whole rows, no `= ANY (...)`, which PostgreSQL 18 makes of ORs. What an aggregate, a window or a set-returning
-- function gives is shown as if it were computed of one row, too: any of that name will do to refuse it.
CREATE FUNCTION chime.is_of_scan(p_expression text, p_alias text) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN regexp_replace(p_expression, '''(?:[^'']|'''')*''|"(?:[^"]|"")*"', '', 'g') !~ '\$\d|SubPlan|InitPlan|\.\*|\mROW\(|\m(ANY|ALL) \('
    AND coalesce((SELECT bool_and(c.alias = p_alias) FROM chime.columns_named(p_expression) AS c), false)
    AND NOT EXISTS (SELECT FROM regexp_matches(regexp_replace(p_expression, '''(?:[^'']|'''')*''', '''''', 'g'),
                                               '("(?:[^"]|"")+"|[[:alpha:]_][\w$]*)\(', 'g') AS f (t)
                    JOIN pg_proc p ON p.proname = (parse_ident(f.t[1]))[1] AND (p.prokind <> 'f' OR p.proretset));

-- Whether an expression is one literal: the same for every row.
CREATE FUNCTION chime.is_constant(p_expression text) RETURNS boolean
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
RETURN regexp_replace(p_expression, '''(?:[^'']|'''')*''', '''''', 'g') ~ '^(''''(::[\w ."]+(\(\d+(,\d+)?\))?)?|-?\d+(\.\d+)?|true|false)$';

-- Whether a condition is about a literal, and so is met by all rows below a node or by none.
CREATE FUNCTION chime.compares_constant(p_condition text) RETURNS boolean
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
RETURN (SELECT count(*) = 2 AND bool_or(chime.is_constant(s)) FROM chime.condition_parts(p_condition, ' = ') AS s);

-- The same expression over columns of something else.
CREATE FUNCTION chime.over_alias(p_expression text, p_alias text, p_other text) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
RETURN (SELECT string_agg(CASE WHEN t.token = quote_ident(p_alias) AND t.next LIKE '.%' THEN p_other ELSE t.token END, '' ORDER BY t.n)
        FROM (SELECT m.n, m.t[1] AS token, lead(m.t[1]) OVER (ORDER BY m.n) AS next
              FROM regexp_matches(p_expression, '(''(?:[^'']|'''')*''|"(?:[^"]|"")*"|[[:alpha:]_][\w$]*|\.(?:"(?:[^"]|"")*"|[\w$]+)|[\s\S])',
                                  'g') WITH ORDINALITY AS m (t, n)) AS t);

-- A column behind a cast that changes no value, (o.name)::text of a varchar or one of a domain to its type, is that
-- column.
CREATE FUNCTION chime.without_relabel(p_side text, p_alias text, p_relation oid) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF p_side NOT LIKE '(%)::%' THEN
        RETURN p_side;
    END IF;
    RETURN coalesce((SELECT format('%I.%I', c.alias, c.name)
                 FROM chime.columns_named(p_side) AS c JOIN pg_attribute a ON a.attrelid = p_relation AND a.attname = c.name
                 CROSS JOIN LATERAL (SELECT chime.without_domain(a.atttypid) AS type) AS b
                 WHERE c.alias = p_alias AND p_side IN (
                     format('(%I.%I)::%s', c.alias, c.name, format_type(b.type, NULL)),
                     CASE WHEN b.type = 'varchar'::regtype THEN format('(%I.%I)::text', c.alias, c.name) END)), p_side);
END $$;

-- --- the scans of one group ------------------------------------------------------------------------------------------

CREATE TYPE chime.group_scan AS (
    alias text, relation oid, path integer[], branches integer[], nulled boolean, conditions text[],
    keys jsonb, links jsonb, proven boolean, grain jsonb, joins text[], captured name[]);

-- The table that a partition or child belongs to.
CREATE FUNCTION chime.root_table(p_relation oid) RETURNS oid
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    WITH RECURSIVE up AS (
        SELECT p_relation AS relation, 0 AS n
        UNION ALL
        SELECT i.inhparent, u.n + 1 FROM up u JOIN pg_inherits i ON i.inhrelid = u.relation AND i.inhseqno = 1)
    SELECT u.relation FROM up u ORDER BY u.n DESC LIMIT 1;
END;

-- The plan that recomputes one group. Rows are said to be dear, so that what can be found by an index is, however small
-- tables are now; constraint_exclusion, so that one that cannot be (NULL where that is excluded) reads nothing.
-- p_match: in which of its columns it has NULL, one of chime.grain_matches().
CREATE FUNCTION chime.group_plan(p_schema name, p_relation name, p_grain name[], p_match text) RETURNS jsonb
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
SET max_parallel_workers_per_gather = 0 SET cpu_tuple_cost = 10 SET cpu_index_tuple_cost = 10 SET constraint_exclusion = on SET enable_memoize = off SET row_security = off
SET "TimeZone" = 'UTC' SET "DateStyle" = 'ISO, YMD' SET "IntervalStyle" = 'postgres' SET extra_float_digits = 1
SET lc_monetary = 'C' SET lc_numeric = 'C' SET lc_time = 'C' SET bytea_output = 'hex' SET xmlbinary = 'base64' SET quote_all_identifiers = off AS $$ -- constants are written as refreshes will read them
DECLARE v_plan jsonb;
BEGIN
    PERFORM set_config('TimeZone', v.timezone, true) FROM chime.view v WHERE v.view_schema = p_schema AND v.relation = p_relation;
    EXECUTE format(
        'EXPLAIN (FORMAT JSON, VERBOSE) SELECT v.* FROM unnest(%s) AS chime_key (%s) CROSS JOIN LATERAL (SELECT * FROM %I.%I v WHERE %s OFFSET 0) v',
        (SELECT string_agg(format('NULL::%s[]', format_type(a.atttypid, a.atttypmod)), ', ' ORDER BY g.n)
         FROM unnest(p_grain) WITH ORDINALITY AS g (name, n)
         JOIN pg_attribute a ON a.attrelid = format('%I.%I', p_schema, p_relation)::regclass AND a.attname = g.name),
        (SELECT string_agg(quote_ident(g), ', ') FROM unnest(p_grain) AS g), p_schema, p_relation || '__live', p_match) INTO v_plan;
    RETURN v_plan -> 0 -> 'Plan';
END $$;

CREATE FUNCTION chime.plan_nodes(p_plan jsonb) RETURNS TABLE (path integer[], node jsonb)
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    WITH RECURSIVE nodes AS (
        SELECT '{}'::integer[] AS path, p_plan AS node
        UNION ALL
        SELECT n.path || c.n::integer, c.node FROM nodes n CROSS JOIN LATERAL jsonb_array_elements(n.node -> 'Plans') WITH ORDINALITY AS c (node, n))
    SELECT n.path, n.node - 'Plans' FROM nodes n;
END;

CREATE FUNCTION chime.scanned_table(p_node jsonb) RETURNS regclass
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN CASE WHEN p_node ? 'Relation Name' THEN to_regclass(format('%I.%I', p_node ->> 'Schema', p_node ->> 'Relation Name')) END;

CREATE FUNCTION chime.node_conditions(p_node jsonb) RETURNS SETOF text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT c FROM unnest(ARRAY[p_node ->> 'Index Cond', p_node ->> 'Recheck Cond', p_node ->> 'Filter', p_node ->> 'One-Time Filter']) AS k (text)
    CROSS JOIN LATERAL chime.condition_parts(k.text, ' AND ') AS c WHERE k.text IS NOT NULL;
END;

-- Columns of VALUES lists and functions that a plan restricts to a column of the group, {column: column of the group},
-- or to NULL, {column: "NULL"}. Not those of one of several branches, whose names stand for all branches above them.
CREATE FUNCTION chime.equal_columns(p_plan jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (WITH nodes AS MATERIALIZED (SELECT * FROM chime.plan_nodes(p_plan)),
    conditions AS (
        SELECT n.node ->> 'Alias' AS alias, c.text, ARRAY(SELECT s FROM chime.condition_parts(c.text, ' = ') AS s) AS sides
        FROM nodes n CROSS JOIN LATERAL chime.node_conditions(n.node) AS c (text)
        WHERE n.node ->> 'Node Type' IN ('Values Scan', 'Function Scan')
          AND NOT EXISTS (SELECT FROM nodes f WHERE n.path[:cardinality(f.path)] = f.path
                          AND f.node ->> 'Node Type' IN ('Append', 'Merge Append', 'Recursive Union', 'SetOp'))),
    equal AS (
        SELECT o.own, o.other FROM conditions d
        CROSS JOIN LATERAL (VALUES (d.sides[1], d.sides[2]), (d.sides[2], d.sides[1]),
                                   (chime.without_brackets(left(d.text, -8)), CASE WHEN d.text LIKE '% IS NULL' THEN 'NULL' END)) AS o (own, other)
        WHERE chime.is_of_scan(o.own, d.alias) AND (o.other = 'NULL' OR cardinality(d.sides) = 2 AND o.other LIKE 'chime_key.%'))
    SELECT coalesce(jsonb_object_agg(e.own, e.other), '{}') FROM equal e);
END $$;

-- branches: where the scan is one of several of which EXPLAIN shows only the first above (UNION ALL, set operations):
-- nothing outside of that branch may take its columns for the result's. Partitions of one table are no such branches.
-- nulled: above it, its columns can be NULL without a row of it, by an outer join or grouping sets.
CREATE FUNCTION chime.group_scans(p_plan jsonb) RETURNS SETOF chime.group_scan
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

-- Whether an expression is one column, as it is or cast.
CREATE FUNCTION chime.is_column(p_expression text) RETURNS boolean
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
RETURN p_expression ~ '^\(?("([^"]|"")+"|[[:alpha:]_][\w$]*)\.("([^"]|"")+"|[[:alpha:]_][\w$]*)(\)::[\w ."]+)?$';

-- What a scan's conditions say: keys, the expression that each column of the grain is compared with; links, {alias:
-- {expression of that scan: expression}}. p_keys: those of the same scan where no column of the group is NULL; there `x
-- IS NULL` stands for `x = k`. p_equal: of chime.equal_columns. p_collated: the definition has a COLLATE, of which a
-- plan does not show where it is; then only columns count. Returns NULL where a condition is never met: the scan finds
-- nothing, whatever changes.
CREATE FUNCTION chime.read_conditions(p_scan chime.group_scan, p_keys jsonb, p_kept oid, p_equal jsonb, p_collated boolean) RETURNS chime.group_scan
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

-- The conditions of a scan on another's columns that count. An expression over columns that can be NULL without a row
-- may be another value than NULL there, such as coalesce(o.id, 0), and no row of the other leads to it; `=` of such a
-- column itself finds nothing.
CREATE FUNCTION chime.links_to(p_scan chime.group_scan, p_by chime.group_scan) RETURNS TABLE (side text, own text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT l.key, l.value FROM jsonb_each_text(p_scan.links -> p_by.alias) AS l
    WHERE NOT p_by.nulled OR l.key IN (SELECT format('%I.%I', c.alias, c.name) FROM chime.columns_named(l.key) AS c);
END;

-- Proves a scan by its own conditions, or by another's that is proven; as it was where neither does. grain: what each
-- column of the group is made of, over the aliases of joins and, for the scan's own columns, its own alias.
CREATE FUNCTION chime.prove_scan(p_scan chime.group_scan, p_by chime.group_scan, p_grain name[]) RETURNS chime.group_scan
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

-- All scans of one plan, proven as far as that goes by others.
CREATE FUNCTION chime.prove_by_others(p_scans chime.group_scan[], p_grain name[]) RETURNS chime.group_scan[]
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

-- All scans of one plan, proven as far as that goes. p_nulls: columns of the grain that are NULL in the group of this
-- plan: where nothing else shows which groups a change concerns, it may concern that one.
CREATE FUNCTION chime.prove_scans(p_scans chime.group_scan[], p_grain name[], p_nulls name[]) RETURNS chime.group_scan[]
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

-- The query from marks of a scan's table to groups. Values are given the type of the kept column, as marks have no
-- modifiers.
CREATE FUNCTION chime.map_of_scan(p_scan chime.group_scan, p_grain name[], p_kept regclass) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN (SELECT 'SELECT ' || string_agg(format('(%s)::%s%s AS %I', chime.over_alias(p_scan.grain ->> g.name::text, p_scan.alias, 'chime_mark'),
                                              format_type(a.atttypid, NULL), chime.collation_of(p_kept, g.name), g.name), ', ' ORDER BY g.n)
        FROM unnest(p_grain) WITH ORDINALITY AS g (name, n) JOIN pg_attribute a ON a.attrelid = p_kept AND a.attname = g.name)
    || ' FROM marks AS chime_mark' || coalesce((SELECT string_agg(' ' || chime.over_alias(j.text, p_scan.alias, 'chime_mark'), '' ORDER BY j.n)
                                  FROM unnest(p_scan.joins) WITH ORDINALITY AS j (text, n)), '');

-- What the plans of one group prove, a row for each table that they read.
-- map: NULL where the captured columns are the grain.
CREATE FUNCTION chime.prove_keys(p_schema name, p_relation name, p_grain name[]) RETURNS SETOF chime.key_proof
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off AS $$
DECLARE
    v_kept regclass := format('%I.%I', p_schema, p_relation);
    v_match text;
    v_keys jsonb; -- of the first plan, where no column is NULL: {alias: keys}
    v_plan jsonb;
    v_equal jsonb;
    v_collated boolean := (SELECT chime.says_collate(v) FROM chime.view v WHERE v.view_schema = p_schema AND v.relation = p_relation);
    v_scans chime.group_scan[];
    v_all chime.group_scan[] := '{}';
BEGIN
    FOR v_match IN SELECT chime.grain_matches(v_kept, p_grain, 'chime_key', 'v') LOOP
        v_plan := chime.group_plan(p_schema, p_relation, p_grain, v_match);
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

COMMENT ON ROUTINE chime.is_column IS 'whether an expression is one column, as it is or cast';
COMMENT ON TYPE chime.group_scan IS 'one scan of a table in the plan of one group, and what restricts it';
COMMENT ON TYPE chime.key_proof IS 'what leads from a change of a table to the groups that it concerns, and whether that is all';
COMMENT ON ROUTINE chime.condition_tokens IS 'a condition in pieces, with the depth of brackets';
COMMENT ON ROUTINE chime.without_brackets IS 'a condition without brackets around all of it';
COMMENT ON ROUTINE chime.condition_parts IS 'what stands between separators outside of brackets';
COMMENT ON ROUTINE chime.columns_named IS 'columns that an expression names';
COMMENT ON ROUTINE chime.is_of_scan IS 'whether an expression is made of columns of one scan';
COMMENT ON ROUTINE chime.is_constant IS 'whether an expression is one literal';
COMMENT ON ROUTINE chime.compares_constant IS 'whether a condition is about a literal';
COMMENT ON ROUTINE chime.node_conditions IS 'what a node of a plan lets through';
COMMENT ON ROUTINE chime.equal_columns IS 'columns of VALUES lists and functions that are a column of the group, or NULL';
COMMENT ON ROUTINE chime.over_alias IS 'an expression over columns of something else';
COMMENT ON ROUTINE chime.without_relabel IS 'a column without a cast that changes no value';
COMMENT ON ROUTINE chime.root_table IS 'the table that a partition or child belongs to';
COMMENT ON ROUTINE chime.group_plan IS 'the plan that recomputes one group';
COMMENT ON ROUTINE chime.plan_nodes IS 'the nodes of a plan, and where they stand in it';
COMMENT ON ROUTINE chime.scanned_table IS 'the table that a node of a plan scans';
COMMENT ON ROUTINE chime.group_scans IS 'the scans of tables in the plan of one group';
COMMENT ON ROUTINE chime.read_conditions IS 'what a scan''s conditions compare with the group''s key and with other scans';
COMMENT ON ROUTINE chime.links_to IS 'conditions of a scan on another''s columns';
COMMENT ON ROUTINE chime.prove_scan IS 'whether a scan reads only what leads to the group, by itself or by another scan';
COMMENT ON ROUTINE chime.prove_by_others IS 'scans of one plan, proven as far as that goes by those that are';
COMMENT ON ROUTINE chime.prove_scans IS 'all scans of one plan, proven as far as that goes';
COMMENT ON ROUTINE chime.map_of_scan IS 'the query from marks of a scan''s table to groups';
COMMENT ON ROUTINE chime.prove_keys IS 'what the plans of one group prove, a row for each table that they read';

-- Not of all functions in the schema: some of those before are granted to PUBLIC.
REVOKE ALL ON FUNCTION chime.condition_tokens, chime.without_brackets, chime.condition_parts, chime.columns_named, chime.is_of_scan,
    chime.is_constant, chime.compares_constant, chime.over_alias, chime.without_relabel, chime.root_table, chime.group_plan, chime.plan_nodes,
    chime.scanned_table, chime.node_conditions, chime.equal_columns, chime.group_scans, chime.is_column, chime.read_conditions, chime.links_to,
    chime.prove_scan, chime.prove_by_others, chime.prove_scans, chime.map_of_scan, chime.prove_keys FROM PUBLIC;
