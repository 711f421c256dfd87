-- SPDX-License-Identifier: PostgreSQL
-- Derivation: what a declaration leaves out follows from the definition. All forms of a view (a plugin's .so or .sql,
-- conf.d, chime.keep_view) end in chime.install_view and chime.install_keys, and those call this file:
--
--   chime.install_view(... p_key => NULL ...)      the key: columns that the definition's own parse shows to be unique
--   chime.install_view(... p_grain => NULL ...)    the grain: found by the proof, each time that the view is asked;
--                                                  '{}' is another thing: the view is recomputed as a whole
--   chime.install_keys(..., p_sources => NULL)     the sources: the tables that the definition reads, and their columns
--
-- Before a view is made:
--
--   chime.require_one_statement(search_path, definition)
--                                                  raises where a definition is anything but one SELECT
--   chime.missing_of(search_path, definition)      the table or column that it names and that is not there; NULL: none
--
-- Nothing here plans or runs a definition but chime.choose_grain, which comes after chime.refuse_untrusted.

-- --- before there is a view ------------------------------------------------------------------------------------------

-- Opened as a cursor, EXPLAIN is parsed and never run. PostgreSQL opens none for several statements, whatever comments,
-- quotes and encodings hide them.
CREATE OR REPLACE FUNCTION chime.parse_definition(p_search_path text, p_definition text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET "DateStyle" = 'ISO, YMD' AS $$
DECLARE
    v_text text := 'EXPLAIN ' || p_definition;
    v_parsed refcursor;
BEGIN
    PERFORM set_config('search_path', p_search_path, true);
    OPEN v_parsed FOR EXECUTE v_text;
    CLOSE v_parsed;
END $$;
COMMENT ON ROUTINE chime.parse_definition IS 'parses a definition, and neither plans nor runs it; raises 34000 where it is several statements';

CREATE OR REPLACE FUNCTION chime.require_one_statement(p_search_path text, p_definition text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF p_definition !~* '^(\s|\(|--[^\n]*(\n|$)|/\*([^*]|\*+[^*/])*\*+/)*(SELECT|WITH|VALUES|TABLE)\M' THEN
        RAISE EXCEPTION 'a definition is one SELECT, and this one begins with "%"', left(split_part(btrim(p_definition, E' \n\t\r'), E'\n', 1), 40)
            USING ERRCODE = 'syntax_error', HINT = 'begin it with SELECT or WITH';
    END IF;
    PERFORM chime.parse_definition(p_search_path, p_definition);
EXCEPTION WHEN invalid_cursor_definition THEN
    RAISE EXCEPTION 'a definition is one SELECT, and this one has several statements' USING ERRCODE = 'syntax_error',
        HINT = 'leave out what stands after the first ";", or keep a view for each';
END $$;
COMMENT ON ROUTINE chime.require_one_statement IS 'raises where a definition is anything but one SELECT; also where it names what is not there, as CREATE VIEW would';

-- p_search_path: of chime.view.
CREATE OR REPLACE FUNCTION chime.missing_of(p_search_path text, p_definition text) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM chime.parse_definition(p_search_path, p_definition);
    RETURN NULL;
EXCEPTION
    WHEN undefined_table OR undefined_column OR invalid_schema_name THEN
        RETURN SQLERRM;
    WHEN OTHERS THEN
        RETURN NULL; -- to be told by whoever makes the view
END $$;
COMMENT ON ROUTINE chime.missing_of IS 'the table or column that a definition names and that is not there, in the server''s words; NULL: none';

-- --- a rule as pg_rewrite has it -------------------------------------------------------------------------------------

-- {NAME :field value ...} as {"field": "value"}. Values are texts, with the nodes and lists within them as they are
-- written; a word of a name has its backslashes still.
CREATE OR REPLACE FUNCTION chime.node_fields(p_node text) RETURNS jsonb
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN (
        WITH tokens AS (
            SELECT m.n, m.t[1] AS token, sum(CASE WHEN m.t[1] IN ('{', '(') THEN 1 WHEN m.t[1] IN ('}', ')') THEN -1 ELSE 0 END) OVER (ORDER BY m.n) AS depth
            FROM regexp_matches(p_node, '(\\.| :\w+(?= )|[{}()]|[^\\{}() ]+| )', 'g') WITH ORDINALITY AS m (t, n)),
        fields AS (SELECT t.*, t.depth = 1 AND t.token LIKE ' :%' AS begins, count(*) FILTER (WHERE t.depth = 1 AND t.token LIKE ' :%') OVER (ORDER BY t.n) AS field
                   FROM tokens t WHERE t.depth > 0)
        SELECT jsonb_object_agg(v.name, v.value)
        FROM (SELECT max(substr(f.token, 3)) FILTER (WHERE f.begins) AS name, btrim(coalesce(string_agg(f.token, '' ORDER BY f.n) FILTER (WHERE NOT f.begins), '')) AS value
              FROM fields f WHERE f.field > 0 GROUP BY f.field) AS v);
END $$;
COMMENT ON ROUTINE chime.node_fields IS 'the fields of a node of pg_node_tree';

-- Of ({...} {...}) each node; none of "<>", which is an empty list.
CREATE OR REPLACE FUNCTION chime.node_items(p_list text) RETURNS SETOF text
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN QUERY
    WITH tokens AS (
        SELECT m.n, m.t[1] AS token, sum(CASE WHEN m.t[1] IN ('{', '(') THEN 1 WHEN m.t[1] IN ('}', ')') THEN -1 ELSE 0 END) OVER (ORDER BY m.n) AS depth
        FROM regexp_matches(p_list, '(\\.|[{}()]|[^\\{}()]+)', 'g') WITH ORDINALITY AS m (t, n)),
    items AS (SELECT t.*, count(*) FILTER (WHERE t.depth = 2 AND t.token = '{') OVER (ORDER BY t.n) AS item FROM tokens t)
    SELECT string_agg(i.token, '' ORDER BY i.n) FROM items i
    WHERE i.item > 0 AND (i.depth >= 2 OR i.depth = 1 AND i.token = '}') GROUP BY i.item ORDER BY i.item;
END $$;
COMMENT ON ROUTINE chime.node_items IS 'the nodes of a list of pg_node_tree';

-- --- the key ---------------------------------------------------------------------------------------------------------

-- The places of output columns by which entries of a GROUP BY, DISTINCT or PARTITION BY go; NULL: one of them is no
-- output column, or there is no entry. p_targets: the fields of each entry of a target list.
CREATE OR REPLACE FUNCTION chime.clause_columns(p_clause text, p_targets jsonb[]) RETURNS integer[]
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT CASE WHEN count(*) > 0 AND bool_and(o.place IS NOT NULL) THEN array_agg(DISTINCT o.place ORDER BY o.place) END
    FROM chime.node_items(p_clause) AS c
    LEFT JOIN LATERAL (SELECT min((t ->> 'resno')::integer) AS place FROM unnest(p_targets) AS t
                       WHERE t ->> 'resjunk' = 'false' AND t ->> 'ressortgroupref' = chime.node_fields(c) ->> 'tleSortGroupRef') AS o ON true;
END;
COMMENT ON ROUTINE chime.clause_columns IS 'the places of output columns by which a GROUP BY, DISTINCT or PARTITION BY goes; NULL: not all of it is among them';

-- Columns by number. Not of a table with children: an index knows nothing of their rows.
CREATE OR REPLACE FUNCTION chime.unique_columns_of_table(p_table oid) RETURNS TABLE (columns integer[])
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT k.columns
    FROM pg_index i JOIN pg_class c ON c.oid = i.indrelid
    CROSS JOIN LATERAL (SELECT array_agg(u.attnum::integer) AS columns, bool_and(a.attnotnull) AS never_null
                        FROM unnest(i.indkey::smallint[]) WITH ORDINALITY AS u (attnum, n)
                        JOIN pg_attribute a ON a.attrelid = i.indrelid AND a.attnum = u.attnum WHERE u.n <= i.indnkeyatts) AS k
    WHERE i.indrelid = p_table AND i.indisunique AND i.indisvalid AND i.indpred IS NULL AND i.indexprs IS NULL
      AND (k.never_null OR i.indnullsnotdistinct)
      AND (c.relkind = 'p' OR NOT EXISTS (SELECT FROM pg_inherits h WHERE h.inhparent = p_table))
    ORDER BY i.indisprimary DESC, cardinality(k.columns), i.indexrelid;
END;
COMMENT ON ROUTINE chime.unique_columns_of_table IS 'columns that are unique in a table, by its indexes, the primary key first';

-- What tells the rows of a query's only table or subquery apart, as places of the query's own output.
-- p_scopes: the WITH queries that can be seen, [{"name": query}], the nearest first.
CREATE OR REPLACE FUNCTION chime.unique_columns_below(p_query jsonb, p_targets jsonb[], p_scopes jsonb) RETURNS integer[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_from text[] := ARRAY(SELECT f FROM chime.node_items(chime.node_fields(p_query ->> 'jointree') ->> 'fromlist') AS f);
    v_index text := substring(v_from[1] FROM '^\{RANGETBLREF :rtindex (\d+)\}$');
    v_entry jsonb;
    v_level integer;
    v_found integer[];
    v_places integer[];
BEGIN
    IF cardinality(v_from) <> 1 OR v_index IS NULL THEN
        RETURN NULL;
    END IF;
    SELECT chime.node_fields(e.node) INTO v_entry FROM chime.node_items(p_query ->> 'rtable') WITH ORDINALITY AS e (node, n) WHERE e.n = v_index::integer;
    v_level := coalesce((v_entry ->> 'ctelevelsup')::integer, 0);
    FOR v_found IN
        SELECT u.columns FROM chime.unique_columns_of_table((v_entry ->> 'relid')::oid) AS u WHERE v_entry ->> 'rtekind' = '0' -- RTE_RELATION
        UNION ALL
        SELECT chime.unique_columns(chime.view_query((v_entry ->> 'relid')::oid), '[]') WHERE v_entry ->> 'rtekind' = '0' AND v_entry ->> 'relkind' = 'v'
        UNION ALL
        SELECT chime.unique_columns(v_entry ->> 'subquery', p_scopes) WHERE v_entry ->> 'rtekind' = '1' -- RTE_SUBQUERY
        UNION ALL
        SELECT chime.unique_columns(p_scopes -> v_level ->> (v_entry ->> 'ctename'),
                                    (SELECT coalesce(jsonb_agg(s.scope ORDER BY s.n), '[]') FROM jsonb_array_elements(p_scopes) WITH ORDINALITY AS s (scope, n) WHERE s.n > v_level))
        WHERE v_entry ->> 'rtekind' = '6' AND v_entry ->> 'self_reference' = 'false' -- RTE_CTE
    LOOP
        SELECT array_agg(o.place ORDER BY o.place) INTO v_places FROM unnest(v_found) AS f (attnum)
        LEFT JOIN LATERAL (SELECT min((t ->> 'resno')::integer) AS place FROM unnest(p_targets) AS t
                           WHERE t ->> 'resjunk' = 'false'
                             AND t ->> 'expr' ~ format('^\{VAR :varno %s :varattno %s :[^{}]* :varlevelsup 0 ', v_index, f.attnum)) AS o ON true;
        IF array_position(v_places, NULL) IS NULL THEN
            RETURN v_places;
        END IF;
    END LOOP;
    RETURN NULL;
END $$;
COMMENT ON ROUTINE chime.unique_columns_below IS 'what tells the rows of a query''s only table or subquery apart, as places of its output; NULL: unknown';

-- Places of output columns by which no two rows of a query are the same. NULL: its parse does not show any. A plain
-- DISTINCT, which goes by all columns, comes last.
CREATE OR REPLACE FUNCTION chime.unique_columns(p_query text, p_scopes jsonb) RETURNS integer[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_query jsonb := chime.node_fields(p_query);
    v_targets jsonb[] := ARRAY(SELECT chime.node_fields(t) FROM chime.node_items(v_query ->> 'targetList') AS t);
    v_all integer[] := ARRAY(SELECT (t ->> 'resno')::integer FROM unnest(v_targets) AS t WHERE t ->> 'resjunk' = 'false');
    v_repeats boolean := v_query ->> 'hasTargetSRFs' = 'true' OR v_query ->> 'groupingSets' <> '<>';
    v_grouped boolean := v_query ->> 'groupClause' <> '<>' OR v_query ->> 'hasAggs' = 'true' OR v_query ->> 'havingQual' <> '<>';
    v_set jsonb := chime.node_fields(nullif(v_query ->> 'setOperations', '<>'));
    v_distinct integer[] := chime.clause_columns(v_query ->> 'distinctClause', v_targets);
    v_found integer[];
BEGIN
    IF v_query ->> 'commandType' IS DISTINCT FROM '1' THEN
        RETURN NULL;
    ELSIF v_set IS NOT NULL THEN
        RETURN CASE WHEN v_set ->> 'all' = 'false' THEN v_all END;
    ELSIF v_query ->> 'hasDistinctOn' = 'true' THEN
        v_found := v_distinct;
    END IF;
    IF v_found IS NOT NULL OR v_repeats THEN
        NULL;
    ELSIF v_grouped THEN
        v_found := CASE WHEN v_query ->> 'groupClause' = '<>' THEN v_all[1:1] -- one row
                        ELSE chime.clause_columns(v_query ->> 'groupClause', v_targets) END;
    ELSE
        v_found := chime.unique_columns_below(v_query, v_targets, jsonb_build_array(
            (SELECT coalesce(jsonb_object_agg(c.fields ->> 'ctename', c.fields ->> 'ctequery'), '{}')
             FROM chime.node_items(v_query ->> 'cteList') AS n CROSS JOIN LATERAL chime.node_fields(n) AS c (fields))) || p_scopes);
    END IF;
    RETURN coalesce(v_found, v_distinct);
END $$;
COMMENT ON ROUTINE chime.unique_columns IS 'places of output columns by which no two rows of a query are the same, as its parse shows; NULL: it shows none';

CREATE OR REPLACE FUNCTION chime.view_query(p_view regclass) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN (SELECT substr(w.ev_action::text, 2, length(w.ev_action::text) - 2) FROM pg_rewrite w WHERE w.ev_class = p_view AND w.ev_type = '1');
COMMENT ON ROUTINE chime.view_query IS 'the query of a view, as pg_rewrite has it; NULL: it is no view';

-- The fields of each entry of a view's target list.
CREATE OR REPLACE FUNCTION chime.output_entries(p_live regclass) RETURNS SETOF jsonb
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT chime.node_fields(t) FROM chime.node_items(chime.node_fields(chime.view_query(p_live)) ->> 'targetList') AS t;
END;
COMMENT ON ROUTINE chime.output_entries IS 'the entries of a view''s target list';

-- Columns of a view that hold a key of a table that it reads: one to suggest.
CREATE OR REPLACE FUNCTION chime.likely_key(p_live regclass) RETURNS name[]
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN (
    WITH targets AS MATERIALIZED (SELECT o AS fields FROM chime.output_entries(p_live) AS o)
    SELECT array_agg(a.attname ORDER BY a.attnum)
    FROM (SELECT o.fields ->> 'resorigtbl' AS origin FROM targets o WHERE o.fields ->> 'resorigtbl' <> '0' GROUP BY 1 ORDER BY min((o.fields ->> 'resno')::integer)) AS t
    CROSS JOIN LATERAL (SELECT u.columns FROM chime.unique_columns_of_table(t.origin::oid) AS u LIMIT 1) AS u
    CROSS JOIN LATERAL unnest(u.columns) AS k (attnum)
    JOIN targets o ON o.fields ->> 'resorigtbl' = t.origin AND o.fields ->> 'resorigcol' = k.attnum::text AND o.fields ->> 'resjunk' = 'false'
    JOIN pg_attribute a ON a.attrelid = p_live AND a.attnum = (o.fields ->> 'resno')::integer);
COMMENT ON ROUTINE chime.likely_key IS 'columns of a view that are keys of the tables that it reads; NULL: none';

-- Columns by which no two rows of a view are the same, by its definition's GROUP BY, DISTINCT, or the key of its only
-- table; p_live: RELATION__live, or any view. Raises where the parse does not show any, and names what there is.
CREATE OR REPLACE FUNCTION chime.derived_key(p_live regclass) RETURNS name[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_places integer[] := chime.unique_columns(chime.view_query(p_live), '[]');
    v_key name[];
BEGIN
    IF v_places IS NULL THEN
        RAISE EXCEPTION 'the key of view % does not follow from its definition',
            regexp_replace(p_live::text, '__live("?)$', '\1') USING ERRCODE = 'invalid_parameter_value',
            HINT = concat_ws('; ', 'name them as its key' || coalesce(', such as "' || array_to_string(chime.likely_key(p_live), ', ') || '"', ''),
                             CASE WHEN chime.node_fields(chime.view_query(p_live)) ->> 'groupClause' <> '<>' THEN 'or select all columns that it is grouped by' END,
                             'its columns are ' || (SELECT string_agg(a.attname, ', ' ORDER BY a.attnum) FROM pg_attribute a WHERE a.attrelid = p_live AND a.attnum > 0 AND NOT a.attisdropped));
    END IF;
    SELECT array_agg(a.attname ORDER BY u.n) INTO v_key FROM unnest(v_places) WITH ORDINALITY AS u (place, n)
      JOIN pg_attribute a ON a.attrelid = p_live AND a.attnum = u.place;
    RETURN v_key;
END $$;
COMMENT ON ROUTINE chime.derived_key IS 'columns by which no two rows of a view are the same, as its definition shows; raises where it does not';

-- --- sources and grain -----------------------------------------------------------------------------------------------

-- The tables that a definition reads, through other views too, in the form that chime.install_keys takes:
-- [{"schema": ..., "table": ..., "columns": [...]}]. Of a whole row (`to_jsonb(o)`) all columns count, and since a plan
-- does not say whose row it is, of every table. One that is only counted has one column, which marks need.
CREATE OR REPLACE FUNCTION chime.derived_sources(p_view chime.view) RETURNS jsonb
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE v_whole boolean := chime.definition_plan(p_view) ~ '\.\*';
BEGIN
    RETURN (
        SELECT coalesce(jsonb_agg(jsonb_build_object('schema', n.nspname, 'table', c.relname, 'columns', to_jsonb(
                   CASE WHEN t.columns = '{}' THEN chime.some_column(c.oid, t.every) ELSE t.columns END)) ORDER BY n.nspname, c.relname), '[]')
        FROM (SELECT r.relation,
                     ARRAY(SELECT a.attname FROM pg_attribute a WHERE a.attrelid = r.relation AND a.attnum > 0 AND NOT a.attisdropped
                             AND (v_whole OR a.attnum = ANY (array_agg(r."column"))) ORDER BY a.attnum) AS columns,
                     ARRAY(SELECT a.attname FROM pg_attribute a WHERE a.attrelid = r.relation AND a.attnum > 0 AND NOT a.attisdropped) AS every
              FROM chime.columns_read(chime.live_of(p_view)) AS r GROUP BY r.relation) AS t
        JOIN pg_class c ON c.oid = t.relation JOIN pg_namespace n ON n.oid = c.relnamespace WHERE c.relkind IN ('r', 'p'));
END $$;
COMMENT ON ROUTINE chime.derived_sources IS 'the tables that a view reads with the columns that it reads of them, as chime.install_keys takes them';

-- What may be the grain, the finest first: the key, parts of it, and then single columns of a source, since a window or
-- a DISTINCT below may go by one of them.
CREATE OR REPLACE FUNCTION chime.grain_candidates(p_view chime.view) RETURNS TABLE (grain name[])
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    WITH parts AS (
        SELECT ARRAY(SELECT k.name FROM unnest(p_view.key) WITH ORDINALITY AS k (name, n) WHERE b >> (k.n::integer - 1) & 1 = 1 ORDER BY k.n) AS part
        FROM generate_series(1, (1 << least(cardinality(p_view.key), 4)) - 1) AS b),
    found AS (
        SELECT p_view.key AS grain, 0 AS n
        UNION ALL SELECT p.part, 5 - cardinality(p.part) FROM parts p
        UNION ALL SELECT ARRAY[a.attname], 5 FROM chime.output_entries(chime.live_of(p_view)) AS o (fields)
                  JOIN pg_attribute a ON a.attrelid = chime.live_of(p_view) AND a.attnum = (o.fields ->> 'resno')::integer
                  WHERE o.fields ->> 'resjunk' = 'false' AND o.fields ->> 'resorigtbl' <> '0')
    SELECT f.grain FROM found f WHERE cardinality(f.grain) BETWEEN 1 AND 4 GROUP BY f.grain ORDER BY min(f.n), f.grain LIMIT 24;
END;
COMMENT ON ROUTINE chime.grain_candidates IS 'columns that may be the grain of a view, the finest first';

-- The first grain by which a view can be refreshed. Where there is none the first that an index would make one, and
-- else the key: the reason why a view is full is then said of that. The view is there already, with its key.
CREATE OR REPLACE FUNCTION chime.choose_grain(p_view chime.view) RETURNS name[]
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_view chime.view := p_view;
    v_indexed name[];
    v_proven boolean;
BEGIN
    v_view.grain := p_view.key[1:4];
    IF chime.unkeyable(v_view) IS NOT NULL AND chime.grain_problem(chime.kept_of(v_view), v_view.grain) IS NULL THEN
        RETURN v_view.grain; -- whatever the grain
    END IF;
    FOR v_view.grain IN SELECT c.grain FROM chime.grain_candidates(p_view) AS c LOOP
        CONTINUE WHEN chime.grain_problem(chime.kept_of(v_view), v_view.grain) IS NOT NULL;
        BEGIN
            v_proven := NOT EXISTS (SELECT FROM chime.prove_keys(v_view, v_view.grain) AS k WHERE k.unproven);
            IF v_proven AND NOT EXISTS (SELECT FROM chime.unrestricted_scans(v_view.view_schema, v_view.relation, v_view.grain)) THEN
                RETURN v_view.grain;
            ELSIF v_indexed IS NULL AND EXISTS (SELECT FROM chime.missing_indexes(v_view)) THEN
                v_indexed := v_view.grain;
            END IF;
        EXCEPTION WHEN data_exception THEN
            NULL; -- it cannot be planned for one group
        END;
    END LOOP;
    RETURN coalesce(v_indexed, p_view.key[1:4]);
END $$;
COMMENT ON ROUTINE chime.choose_grain IS 'the finest grain by which a view can be refreshed, as the proof shows; where there is none, of which its reason is said';
