-- SPDX-License-Identifier: PostgreSQL
-- Conditions and scans of a plan, as EXPLAIN writes them.

-- PL/pgSQL where it is called often, since that keeps its plans.

-- Literals and quoted names are tokens of their own, so that nothing in them counts. depth: of brackets, behind the
-- token.
CREATE OR REPLACE FUNCTION chime.condition_tokens(p_text text) RETURNS TABLE (n bigint, token text, depth bigint)
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
BEGIN
    RETURN QUERY
    SELECT m.n, m.t[1], sum(CASE m.t[1] WHEN '(' THEN 1 WHEN ')' THEN -1 ELSE 0 END) OVER (ORDER BY m.n)
    FROM regexp_matches(p_text, '(''(?:[^'']|'''')*''|"(?:[^"]|"")*"| AND | = | OPERATOR\((?:"(?:[^"]|"")*"|\w+)\.=\) |[^''"() ]+|[\s\S])', 'g') WITH ORDINALITY AS m (t, n);
END $$;
COMMENT ON ROUTINE chime.condition_tokens IS 'a condition in pieces, with the depth of brackets';

CREATE OR REPLACE FUNCTION chime.without_brackets(p_text text) RETURNS text
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE v_text text := btrim(p_text);
BEGIN
    WHILE v_text LIKE '(%)' AND (SELECT bool_and(t.depth > 0) FROM chime.condition_tokens(left(v_text, -1)) AS t) LOOP
        v_text := btrim(substr(v_text, 2, length(v_text) - 2));
    END LOOP;
    RETURN v_text;
END $$;
COMMENT ON ROUTINE chime.without_brackets IS 'a condition without brackets around all of it';

-- What stands between separators (' AND ', ' = ', ' OPERATOR(ext.=) ') outside of brackets.
CREATE OR REPLACE FUNCTION chime.condition_parts(p_text text, p_separator text) RETURNS SETOF text
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
COMMENT ON ROUTINE chime.condition_parts IS 'what stands between separators outside of brackets';

-- The columns that an expression names, as alias and name. What it calls is followed by a bracket. An error of
-- parse_ident cannot be: these are names.
CREATE OR REPLACE FUNCTION chime.columns_named(p_expression text) RETURNS TABLE (alias text, name name)
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT DISTINCT (parse_ident(m.t[1]))[1], (parse_ident(m.t[2]))[1]::name
    FROM regexp_matches(regexp_replace(p_expression, '''(?:[^'']|'''')*''', '''''', 'g'),
                        '("(?:[^"]|"")+"|[[:alpha:]_][\w$]*)\.("(?:[^"]|"")+"|[[:alpha:]_][\w$]*)(\(?)', 'g') AS m (t)
    WHERE m.t[3] = '';
END;
COMMENT ON ROUTINE chime.columns_named IS 'columns that an expression names';

-- Whether an expression is made of nothing but columns of one scan, and of at least one: no parameters, no subqueries,
-- no whole rows, no `= ANY (...)`, which PostgreSQL 18 makes of ORs. What an aggregate, a window or a set-returning
-- function gives is shown as if it were computed of one row, too: any of that name will do to refuse it.
CREATE OR REPLACE FUNCTION chime.is_of_scan(p_expression text, p_alias text) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN regexp_replace(p_expression, '''(?:[^'']|'''')*''|"(?:[^"]|"")*"', '', 'g') !~ '\$\d|SubPlan|InitPlan|\.\*|\mROW\(|\m(ANY|ALL) \('
    AND coalesce((SELECT bool_and(c.alias = p_alias) FROM chime.columns_named(p_expression) AS c), false)
    AND NOT EXISTS (SELECT FROM regexp_matches(regexp_replace(p_expression, '''(?:[^'']|'''')*''', '''''', 'g'),
                                               '("(?:[^"]|"")+"|[[:alpha:]_][\w$]*)\(', 'g') AS f (t)
                    JOIN pg_proc p ON p.proname = (parse_ident(f.t[1]))[1] AND (p.prokind <> 'f' OR p.proretset));
COMMENT ON ROUTINE chime.is_of_scan IS 'whether an expression is made of columns of one scan';

-- Whether an expression is one literal: the same for every row.
CREATE OR REPLACE FUNCTION chime.is_constant(p_expression text) RETURNS boolean
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
RETURN regexp_replace(p_expression, '''(?:[^'']|'''')*''', '''''', 'g') ~ '^(''''(::[\w ."]+(\(\d+(,\d+)?\))?)?|-?\d+(\.\d+)?|true|false)$';
COMMENT ON ROUTINE chime.is_constant IS 'whether an expression is one literal';

-- Whether a condition is about a literal, and so is met by all rows below a node or by none.
CREATE OR REPLACE FUNCTION chime.compares_constant(p_condition text) RETURNS boolean
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
RETURN (SELECT count(*) = 2 AND bool_or(chime.is_constant(s)) FROM chime.condition_parts(p_condition, ' = ') AS s);
COMMENT ON ROUTINE chime.compares_constant IS 'whether a condition is about a literal';

-- The same expression over columns of something else.
CREATE OR REPLACE FUNCTION chime.over_alias(p_expression text, p_alias text, p_other text) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
RETURN (SELECT string_agg(CASE WHEN t.token = quote_ident(p_alias) AND t.next LIKE '.%' THEN p_other ELSE t.token END, '' ORDER BY t.n)
        FROM (SELECT m.n, m.t[1] AS token, lead(m.t[1]) OVER (ORDER BY m.n) AS next
              FROM regexp_matches(p_expression, '(''(?:[^'']|'''')*''|"(?:[^"]|"")*"|[[:alpha:]_][\w$]*|\.(?:"(?:[^"]|"")*"|[\w$]+)|[\s\S])',
                                  'g') WITH ORDINALITY AS m (t, n)) AS t);
COMMENT ON ROUTINE chime.over_alias IS 'an expression over columns of something else';

-- A column behind a cast that changes no value, (o.name)::text of a varchar or one of a domain to its type, is that
-- column.
CREATE OR REPLACE FUNCTION chime.without_relabel(p_side text, p_alias text, p_relation oid) RETURNS text
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
COMMENT ON ROUTINE chime.without_relabel IS 'a column without a cast that changes no value';

-- The table that a partition or child belongs to.
CREATE OR REPLACE FUNCTION chime.root_table(p_relation oid) RETURNS oid
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    WITH RECURSIVE up AS (
        SELECT p_relation AS relation, 0 AS n
        UNION ALL
        SELECT i.inhparent, u.n + 1 FROM up u JOIN pg_inherits i ON i.inhrelid = u.relation AND i.inhseqno = 1)
    SELECT u.relation FROM up u ORDER BY u.n DESC LIMIT 1;
END;
COMMENT ON ROUTINE chime.root_table IS 'the table that a partition or child belongs to';

-- The plan that recomputes one group. Rows are said to be dear, so that what can be found by an index is, however small
-- tables are now; constraint_exclusion, so that one that cannot be (NULL where that is excluded) reads nothing.
-- p_match: in which of its columns it has NULL, one of chime.grain_matches().
CREATE OR REPLACE FUNCTION chime.group_plan(p_view chime.view, p_grain name[], p_match text) RETURNS jsonb
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off SET enable_seqscan = off SET enable_hashjoin = off SET enable_mergejoin = off
SET max_parallel_workers_per_gather = 0 SET cpu_tuple_cost = 10 SET cpu_index_tuple_cost = 10 SET constraint_exclusion = on SET enable_memoize = off SET row_security = off
SET "TimeZone" = 'UTC' SET "DateStyle" = 'ISO, YMD' SET "IntervalStyle" = 'postgres' SET extra_float_digits = 1
SET lc_monetary = 'C' SET lc_numeric = 'C' SET lc_time = 'C' SET bytea_output = 'hex' SET xmlbinary = 'base64' SET quote_all_identifiers = off AS $$ -- constants are written as refreshes will read them
DECLARE v_plan jsonb;
BEGIN
    PERFORM set_config('TimeZone', p_view.timezone, true);
    EXECUTE format(
        'EXPLAIN (FORMAT JSON, VERBOSE) SELECT v.* FROM unnest(%s) AS chime_key (%s) CROSS JOIN LATERAL (SELECT * FROM %I.%I v WHERE %s OFFSET 0) v',
        (SELECT string_agg(format('NULL::%s[]', format_type(a.atttypid, a.atttypmod)), ', ' ORDER BY g.n)
         FROM unnest(p_grain) WITH ORDINALITY AS g (name, n)
         JOIN pg_attribute a ON a.attrelid = format('%I.%I', p_view.view_schema, p_view.relation)::regclass AND a.attname = g.name),
        (SELECT string_agg(quote_ident(g), ', ') FROM unnest(p_grain) AS g), p_view.view_schema, p_view.relation || '__live', p_match) INTO v_plan;
    RETURN v_plan -> 0 -> 'Plan';
END $$;
COMMENT ON ROUTINE chime.group_plan IS 'the plan that recomputes one group';

CREATE OR REPLACE FUNCTION chime.plan_nodes(p_plan jsonb) RETURNS TABLE (path integer[], node jsonb)
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    WITH RECURSIVE nodes AS (
        SELECT '{}'::integer[] AS path, p_plan AS node
        UNION ALL
        SELECT n.path || c.n::integer, c.node FROM nodes n CROSS JOIN LATERAL jsonb_array_elements(n.node -> 'Plans') WITH ORDINALITY AS c (node, n))
    SELECT n.path, n.node - 'Plans' FROM nodes n;
END;
COMMENT ON ROUTINE chime.plan_nodes IS 'the nodes of a plan, and where they stand in it';

CREATE OR REPLACE FUNCTION chime.scanned_table(p_node jsonb) RETURNS regclass
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN CASE WHEN p_node ? 'Relation Name' THEN to_regclass(format('%I.%I', p_node ->> 'Schema', p_node ->> 'Relation Name')) END;
COMMENT ON ROUTINE chime.scanned_table IS 'the table that a node of a plan scans';

CREATE OR REPLACE FUNCTION chime.node_conditions(p_node jsonb) RETURNS SETOF text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT c FROM unnest(ARRAY[p_node ->> 'Index Cond', p_node ->> 'Recheck Cond', p_node ->> 'Filter', p_node ->> 'One-Time Filter']) AS k (text)
    CROSS JOIN LATERAL chime.condition_parts(k.text, ' AND ') AS c WHERE k.text IS NOT NULL;
END;
COMMENT ON ROUTINE chime.node_conditions IS 'what a node of a plan lets through';

-- Columns of VALUES lists and functions that a plan restricts to a column of the group, {column: column of the group},
-- or to NULL, {column: "NULL"}. Not those of one of several branches, whose names stand for all branches above them.
CREATE OR REPLACE FUNCTION chime.equal_columns(p_plan jsonb) RETURNS jsonb
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
COMMENT ON ROUTINE chime.equal_columns IS 'columns of VALUES lists and functions that are a column of the group, or NULL';
