-- SPDX-License-Identifier: PostgreSQL
-- Why a view is not keyed (proof.sql proves that it may be): in words of its definition, with the index that would make
-- it so, and what no plan shows.

-- That of a group without a NULL.
CREATE OR REPLACE FUNCTION chime.first_plan(p_view chime.view) RETURNS jsonb
LANGUAGE sql SET search_path = pg_catalog, pg_temp
RETURN chime.group_plan(p_view, p_view.grain,
                        (SELECT m FROM chime.grain_matches(chime.kept_of(p_view), p_view.grain, 'chime_key', 'v') AS m LIMIT 1));
COMMENT ON ROUTINE chime.first_plan IS 'the plan of a group without a NULL';

-- The scans of that plan, as proven as every index would make them: a condition on two tables stands at one of them or
-- at a join, whichever way the planner goes without an index, and counts here for both.
CREATE OR REPLACE FUNCTION chime.joined_scans(p_plan jsonb, p_view chime.view) RETURNS SETOF chime.group_scan
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
COMMENT ON ROUTINE chime.joined_scans IS 'the scans of one group as they would be with every index that their joins could use';

-- Whether an index may hold an expression over a table's columns: only of IMMUTABLE functions.
CREATE OR REPLACE FUNCTION chime.is_indexable(p_relation regclass, p_expression text) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE v_found boolean;
BEGIN
    EXECUTE format('CREATE VIEW chime.closing AS SELECT %s AS one FROM %s', p_expression, p_relation);
    SELECT bool_and(p.provolatile = 'i') INTO v_found
      FROM chime.functions_called('chime.closing') AS f (oid) JOIN pg_proc p ON p.oid = f.oid;
    DROP VIEW chime.closing;
    RETURN coalesce(v_found, true);
END $$;
COMMENT ON ROUTINE chime.is_indexable IS 'whether an index may hold an expression';

-- What an index holds to find the rows that a scan is after: what the group's key is compared with, in the order of the
-- grain, behind what joins the scan to the one that leads there. Of a table's own column only its name, with its
-- collation where the grain has another one.
CREATE OR REPLACE FUNCTION chime.index_parts(p_scan chime.group_scan, p_kept regclass, p_grain name[]) RETURNS SETOF text
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
COMMENT ON ROUTINE chime.index_parts IS 'what an index holds to find the rows that a scan is after';

-- Whether a table has an index that begins with such a part.
CREATE OR REPLACE FUNCTION chime.begins_index(p_relation regclass, p_part text) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN EXISTS (
    SELECT FROM pg_class c JOIN pg_index i ON i.indrelid = c.oid AND i.indisvalid AND i.indpred IS NULL
    WHERE c.oid = p_relation AND chime.without_brackets(pg_get_indexdef(i.indexrelid, 1, false))
                                 = chime.without_brackets(replace(p_part, quote_ident(c.relname) || '.', '')));
COMMENT ON ROUTINE chime.begins_index IS 'whether a table has an index that begins with a column or expression';

-- The indexes without which one group cannot be found, as statements: of each scan that no index condition of its own
-- leads to the group. NULL: no index can hold what leads there. No rows: an index would not help.
CREATE OR REPLACE FUNCTION chime.missing_indexes(p_view chime.view) RETURNS TABLE (relation regclass, statement text)
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
COMMENT ON ROUTINE chime.missing_indexes IS 'the indexes without which one group of a view cannot be found, as statements';

-- Why no index finds one group in some tables (as schema.table), with the statements that mend it. NULL for the tables:
-- in whichever there is none, and NULL where an index would not help.
CREATE OR REPLACE FUNCTION chime.index_words(p_view chime.view, p_tables text[]) RETURNS text
LANGUAGE sql SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    WITH missing AS MATERIALIZED (SELECT DISTINCT m.* FROM chime.missing_indexes(p_view) AS m),
    tables AS (
        SELECT coalesce(string_agg(t, ', ' ORDER BY t), (SELECT string_agg(DISTINCT m.relation::text, ', ') FROM missing m)) AS names FROM unnest(p_tables) AS t)
    SELECT CASE WHEN (SELECT count(*) FILTER (WHERE m.statement IS NULL) > 0 FROM missing m)
                THEN format('no index can find one group in %s: %s made there by what is not IMMUTABLE, such as a time of day or text that depends on the session (AT TIME ZONE ''UTC'' makes a day that does not)',
                            t.names, array_to_string(p_view.grain, ', ') || CASE cardinality(p_view.grain) WHEN 1 THEN ' is' ELSE ' are' END)
                ELSE format('no index finds one group in %s%s', t.names,
                            (SELECT ': ' || string_agg(m.statement, '; ' ORDER BY m.statement) || CASE count(*) WHEN 1 THEN ' makes' ELSE ' make' END || ' it keyed' FROM missing m HAVING count(*) > 0)) END
    FROM tables t WHERE t.names IS NOT NULL;
END;
COMMENT ON ROUTINE chime.index_words IS 'why no index finds one group, with the statements that mend it';

-- Why nothing shows which groups a change of a table concerns: what is above the first scan of it that nothing
-- restricts.
CREATE OR REPLACE FUNCTION chime.unproven_words(p_view chime.view, p_tables regclass[]) RETURNS text
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
COMMENT ON ROUTINE chime.unproven_words IS 'what in a definition keeps a group from being computed alone';

-- Everything that the planner means to do for a definition, without columns that tell when a row was made.
CREATE OR REPLACE FUNCTION chime.definition_plan(p_view chime.view) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off SET row_security = off AS $$
DECLARE v_plan jsonb;
BEGIN
    EXECUTE format('EXPLAIN (FORMAT JSON, VERBOSE) SELECT %s FROM %s',
                   (SELECT string_agg(quote_ident(a.attname), ', ') FROM pg_attribute a
                    WHERE a.attrelid = chime.live_of(p_view) AND a.attnum > 0 AND a.attname <> ALL (p_view.stamps)), chime.live_of(p_view)) INTO v_plan;
    RETURN (SELECT string_agg(s #>> '{}', E'\n') FROM jsonb_path_query(v_plan, 'strict $.**') AS s WHERE jsonb_typeof(s) = 'string');
END $$;
COMMENT ON ROUTINE chime.definition_plan IS 'the plan of a definition, without stamps';

-- Why rows may change, or be others, without a change of any source; NULL: they do not. Stable functions of PostgreSQL
-- that read more than their arguments go by their names.
CREATE OR REPLACE FUNCTION chime.unsteady(p_view chime.view) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_plan text := chime.definition_plan(p_view);
    v_bare text := regexp_replace(v_plan, '''(?:[^'']|'''')*''', '', 'g');
    v_found text;
BEGIN
    SELECT string_agg(DISTINCT p.oid::regprocedure::text, ', ') INTO v_found
      FROM chime.functions_called(chime.live_of(p_view)) AS f (oid) JOIN pg_proc p ON p.oid = f.oid
     WHERE p.oid >= 16384 AND p.provolatile <> 'i' AND p.oid <> 'chime.as_of()'::regprocedure; -- FirstNormalObjectId
    IF v_found IS NOT NULL THEN
        RETURN format('it calls %s, which is not IMMUTABLE and may read what leaves no mark', v_found);
    END IF;
    SELECT string_agg(DISTINCT m.t[1], ', ') INTO v_found
      FROM regexp_matches(v_bare, '([.\w"]?)\m([[:alpha:]_][\w$]*)\(', 'g') AS c (t) CROSS JOIN LATERAL (SELECT c.t[2:2] WHERE c.t[1] = '') AS m (t)
      JOIN pg_proc p ON p.proname = m.t[1] AND p.pronamespace = 'pg_catalog'::regnamespace AND p.prokind = 'f'
     WHERE p.provolatile = 'v' OR (p.provolatile = 's' AND p.proname <> 'pg_typeof' AND p.proname ~
               '^(pg_|txid_|has_|to_reg|inet_|(obj|col|shobj)_description$|current_|(query|table|schema|database|cursor)_to_xml|row_security)'
               AND NOT (p.proname = 'current_setting' AND strpos(v_plan, 'chime.as_of') > 0));
    v_found := concat_ws(', ', v_found, (
        SELECT string_agg(DISTINCT m.t[1], ', ')
        FROM regexp_matches(v_bare, '\m(CURRENT_ROLE|CURRENT_USER|SESSION_USER|CURRENT_CATALOG|CURRENT_SCHEMA)\M', 'g') AS m (t)),
        CASE WHEN v_plan ~ '\mSample Scan\M' THEN 'TABLESAMPLE' END);
    IF v_found <> '' THEN
        RETURN format('it uses %s, which is another value each time or depends on who asks', v_found);
    END IF;
    SELECT string_agg(DISTINCT format('%s.%I', r.relation::regclass, a.attname), ', ') INTO v_found
      FROM chime.columns_read(chime.live_of(p_view)) AS r JOIN pg_attribute a ON a.attrelid = r.relation AND a.attnum = r."column" AND a.attnum < 0;
    IF v_found IS NOT NULL THEN
        RETURN format('it reads %s, which is the server''s own and changes without a mark', v_found);
    END IF;
    IF p_view.revisit_query IS NULL AND (
            strpos(v_plan, 'chime.as_of') > 0
            OR v_bare ~ '\m(now|transaction_timestamp|statement_timestamp)\(|\m(CURRENT_TIMESTAMP|CURRENT_DATE|CURRENT_TIME|LOCALTIMESTAMP|LOCALTIME)\M'
            OR EXISTS (SELECT FROM chime.functions_called(chime.live_of(p_view)) AS f (oid)
                       WHERE f.oid IN ('age(timestamptz)'::regprocedure, 'age(timestamp)'::regprocedure))) THEN
        RETURN 'it changes as time passes, and declares no revisit';
    END IF;
    RETURN NULL;
END $$;
COMMENT ON ROUTINE chime.unsteady IS 'why rows may change without a change of any source';

-- Why columns of a grain cannot be compared as the definition does: a type from elsewhere, or a collation, may have an
-- equality of its own.
CREATE OR REPLACE FUNCTION chime.grain_problem(p_kept regclass, p_grain name[]) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN (SELECT string_agg(format('%I is of type %s', a.attname, format_type(a.atttypid, a.atttypmod) || coalesce(' COLLATE ' || l.collname, '')),
                          ', ' ORDER BY a.attnum) || ', whose equality is one of its own'
        FROM pg_attribute a JOIN pg_type t ON t.oid = chime.without_domain(a.atttypid)
        LEFT JOIN pg_collation l ON l.oid = a.attcollation AND NOT l.collisdeterministic
        WHERE a.attrelid = p_kept AND a.attname = ANY (p_grain)
          AND (l.oid IS NOT NULL OR (t.oid >= 16384 AND t.typtype <> 'e' AND chime.key_equality(p_kept, a.attname) = '=')));
COMMENT ON ROUTINE chime.grain_problem IS 'why columns of a grain cannot be compared';

-- Columns whose changes may leave no mark, since the plugin does not declare that its view reads them. Which table's
-- row is meant by a whole one (`to_jsonb(o)`) is not known: all of them count.
CREATE OR REPLACE FUNCTION chime.undeclared_columns(p_view chime.view) RETURNS text
LANGUAGE sql SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    WITH read AS MATERIALIZED (SELECT * FROM chime.columns_read(chime.live_of(p_view)) AS r),
    whole AS MATERIALIZED (SELECT chime.definition_plan(p_view) ~ '\.\*' AS row)
    SELECT string_agg(DISTINCT format('%s.%I', s.relation, a.attname), ', ')
    FROM (SELECT v.declared || v.captured AS columns, chime.source_oid(v.source_id) AS relation FROM chime.view_source v
          WHERE v.view_schema = p_view.view_schema AND v.relation = p_view.relation) AS s
    JOIN pg_attribute a ON a.attrelid = s.relation AND a.attnum > 0 AND NOT a.attisdropped AND a.attname <> ALL (s.columns)
    JOIN read r ON r.relation = s.relation AND (r."column" = a.attnum OR (SELECT w.row FROM whole w));
END;
COMMENT ON ROUTINE chime.undeclared_columns IS 'columns that a view reads and the plugin does not declare';

-- Columns that a trigger has no value of, from PostgreSQL 18 on; NULL: none. What they are computed of, the definition
-- does not say.
CREATE OR REPLACE FUNCTION chime.unseen_columns(p_view chime.view) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN (SELECT string_agg(DISTINCT format('%s.%I', a.attrelid::regclass, a.attname), ', ')
               || ' is computed when it is read (VIRTUAL), so changes of it leave no mark'
        FROM chime.view_source v JOIN pg_attribute a ON a.attrelid = chime.source_oid(v.source_id) AND a.attname = ANY (v.declared)
        WHERE v.view_schema = p_view.view_schema AND v.relation = p_view.relation AND a.attgenerated = 'v');
COMMENT ON ROUTINE chime.unseen_columns IS 'columns that a view reads and a trigger has no value of';

-- Why changes of a table leave no marks that a view could trust, or must leave none; NULL: they can be captured.
CREATE OR REPLACE FUNCTION chime.uncapturable(p_relation regclass) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN nullif(concat_ws('; ',
    (SELECT format('%s is written by a subscription, which fires no statement triggers', p_relation)
     WHERE EXISTS (SELECT FROM pg_subscription_rel r WHERE r.srrelid IN (SELECT chime.inheritance_tree(p_relation)))),
    (SELECT string_agg(c.oid::regclass::text, ', ') || ' is UNLOGGED: a crash empties it without a trace'
     FROM pg_class c WHERE c.oid IN (SELECT chime.inheritance_tree(p_relation)) AND c.relpersistence = 'u'),
    (SELECT format('%s is a distributed table, whose rows change on other servers', p_relation) WHERE chime.is_distributed(p_relation)),
    chime.foreign_leaves(p_relation) || ' is a foreign table: its changes leave no mark, and triggers on what it belongs to would make writes fail'),
    '');
COMMENT ON ROUTINE chime.uncapturable IS 'why changes of a table cannot be captured; NULL: they can';

-- Why columns of a table cannot be those of marks; NULL: they can.
CREATE OR REPLACE FUNCTION chime.unmarkable(p_relation regclass, p_captured name[]) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN (
    SELECT string_agg(format(CASE WHEN a.attname LIKE 'chime\_%' THEN '%s.%I has a name that begins with chime_, as only columns of pgchime itself do'
                                  ELSE '%s.%I is of type %s, which has no equality' END, p_relation, a.attname, a.atttypid::regtype),
                      ', ' ORDER BY a.attnum)
    FROM pg_attribute a WHERE a.attrelid = p_relation AND a.attname = ANY (p_captured) AND NOT a.attisdropped
                          AND (a.attname LIKE 'chime\_%' OR NOT chime.can_be_marked(a.atttypid)));
COMMENT ON ROUTINE chime.unmarkable IS 'why columns of a table cannot be those of marks; NULL: they can';

-- Why it would not help to capture changes of a view's sources; NULL: it may.
CREATE OR REPLACE FUNCTION chime.unkeyable(p_view chime.view) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF p_view.mode NOT IN ('auto', 'keyed', 'strict') THEN
        RETURN 'its mode is ' || p_view.mode;
    ELSIF cardinality(p_view.grain) = 0 THEN
        RETURN 'it has no grain';
    ELSIF cardinality(p_view.grain) > 4 THEN
        RETURN 'its grain has more than 4 columns';
    END IF;
    RETURN coalesce(chime.grain_problem(chime.kept_of(p_view), p_view.grain),
                    (SELECT string_agg(chime.uncapturable(t), '; ' ORDER BY t) FROM chime.tables_read(chime.live_of(p_view)) AS t),
                    chime.unsteady(p_view));
END $$;
COMMENT ON ROUTINE chime.unkeyable IS 'why it would not help to capture changes';

-- The tables that a plugin declares, of those that a view reads.
CREATE OR REPLACE FUNCTION chime.declared_sources(p_view chime.view, p_source_schema name, p_sources jsonb)
RETURNS TABLE (source oid, columns name[], capture name[], map text, trust boolean)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT c.oid, s.columns, s.capture, s.map, coalesce(s.trust, false)
    FROM jsonb_to_recordset(p_sources) AS s (schema name, "table" text, columns name[], capture name[], map text, trust boolean)
    CROSS JOIN LATERAL (SELECT r.oid, r.relkind FROM pg_class r JOIN pg_namespace x ON x.oid = r.relnamespace
                        WHERE r.relname = s."table" AND x.nspname IN (coalesce(s.schema, p_view.view_schema), coalesce(s.schema, p_source_schema))
                        ORDER BY x.nspname = p_view.view_schema DESC LIMIT 1) AS c
    WHERE c.relkind IN ('r', 'p') AND c.oid IN (SELECT chime.tables_read(chime.live_of(p_view)));
END;
COMMENT ON ROUTINE chime.declared_sources IS 'tables that a plugin declares, of those that a view reads';

-- What is captured of a view's sources and what leads from there to groups: as proven, or as declared where that is to
-- be trusted. None where any of it is neither, since all of it is needed.
CREATE OR REPLACE FUNCTION chime.sources_of(p_view chime.view, p_source_schema name, p_sources jsonb, p_proven chime.key_proof[])
RETURNS TABLE (source oid, columns name[], captured name[], map text, trusted boolean)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    WITH chosen AS (
        SELECT d.source, d.columns, CASE WHEN d.trust THEN d.capture ELSE k.captured END AS captured,
               CASE WHEN d.trust THEN d.map ELSE k.map END AS map, d.trust -- its author may mean less on purpose, and have revisit do the rest
        FROM chime.declared_sources(p_view, p_source_schema, p_sources) AS d LEFT JOIN unnest(p_proven) AS k ON k.relation = d.source
        WHERE d.trust OR NOT k.unproven)
    SELECT c.* FROM chosen c
    WHERE chime.unmarkable(c.source, c.captured) IS NULL
      AND NOT EXISTS (SELECT FROM unnest(p_proven) AS k WHERE k.unproven AND k.relation NOT IN (SELECT o.source FROM chosen o));
END;
COMMENT ON ROUTINE chime.sources_of IS 'what is captured of a view''s sources, and what leads from there to groups';

-- Why a declaration cannot be right that is not to be trusted: changes of other columns lead to groups, too. NULL: it
-- can.
CREATE OR REPLACE FUNCTION chime.contradiction(p_view chime.view, p_source_schema name, p_sources jsonb, p_proven chime.key_proof[]) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN (SELECT string_agg(format('its plugin captures %s of %s, but changes of %s lead to groups, too: leave "capture" and "map" out, or say trust = "true"',
                                 array_to_string(d.capture, ', '), d.source::regclass,
                                 (SELECT string_agg(c, ', ') FROM unnest(k.captured) AS c WHERE c <> ALL (d.capture))), '; ' ORDER BY d.source)
        FROM chime.declared_sources(p_view, p_source_schema, p_sources) AS d JOIN unnest(p_proven) AS k ON k.relation = d.source
        WHERE NOT d.trust AND NOT k.unproven AND cardinality(d.capture) > 0 AND NOT k.captured <@ d.capture);
COMMENT ON ROUTINE chime.contradiction IS 'why a declaration of what is captured cannot be right; NULL: it can';

-- Why a view cannot be refreshed by its grain though it would help to capture changes; NULL: it can. p_proven: of
-- chime.prove_keys.
CREATE OR REPLACE FUNCTION chime.obstacle(p_view chime.view, p_source_schema name, p_sources jsonb, p_proven chime.key_proof[]) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_tables text;
    v_unproven regclass[];
    v_reason text;
BEGIN
    SELECT array_agg(k.relation::regclass ORDER BY k.relation::regclass::text) INTO v_unproven
      FROM unnest(p_proven) AS k
     WHERE k.unproven AND NOT EXISTS (SELECT FROM chime.view_source s WHERE s.view_schema = p_view.view_schema AND s.relation = p_view.relation
                                      AND s.trusted AND chime.source_oid(s.source_id) = k.relation);
    IF v_unproven IS NOT NULL THEN
        RETURN coalesce(chime.index_words(p_view, NULL), chime.unproven_words(p_view, v_unproven));
    END IF;
    v_reason := coalesce((SELECT string_agg(chime.unmarkable(k.relation, k.captured), ', ') FROM unnest(p_proven) AS k),
                         chime.contradiction(p_view, p_source_schema, p_sources, p_proven));
    IF v_reason IS NOT NULL THEN
        RETURN v_reason;
    END IF;
    SELECT string_agg(t::regclass::text, ', ' ORDER BY t::regclass::text) INTO v_tables
      FROM (SELECT chime.tables_read(chime.live_of(p_view)) -- which catalogs that nothing depends on are not among
            UNION SELECT k.relation FROM unnest(p_proven) AS k) AS u (t)
     WHERE NOT EXISTS (SELECT FROM chime.view_source s WHERE s.view_schema = p_view.view_schema AND s.relation = p_view.relation
                       AND chime.source_oid(s.source_id) = t);
    IF v_tables IS NOT NULL THEN
        RETURN 'changes of ' || v_tables || ' are not captured';
    END IF;
    v_tables := chime.undeclared_columns(p_view);
    IF v_tables IS NOT NULL THEN
        RETURN format('it reads %s, which its plugin does not declare', v_tables);
    END IF;
    RETURN coalesce(chime.unseen_columns(p_view), (
        SELECT chime.index_words(p_view, array_agg(u)) FROM chime.unrestricted_scans(p_view.view_schema, p_view.relation, p_view.grain) AS u HAVING count(*) > 0),
        (SELECT v.found_wrong FROM chime.view v WHERE v.view_id = p_view.view_id));
END $$;
COMMENT ON ROUTINE chime.obstacle IS 'why a view cannot be refreshed by its grain; NULL: it can';
