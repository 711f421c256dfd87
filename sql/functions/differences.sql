-- SPDX-License-Identifier: PostgreSQL
-- How a kept relation and its live definition differ. To learn whether a view is wrong, and not only behind, the
-- caller refreshes it first in the same REPEATABLE READ transaction, compares, and rolls back.

-- Whether two values differ in no more than last digits, which depend on the order in which a sum was made.
CREATE OR REPLACE FUNCTION chime.is_rounded(p_left double precision, p_right double precision, p_part double precision DEFAULT 1e-12) RETURNS boolean
LANGUAGE sql IMMUTABLE
RETURN CASE WHEN p_left IS NULL OR p_right IS NULL THEN p_left IS NULL AND p_right IS NULL
            WHEN p_left = p_right THEN true
            WHEN sign(p_left) <> sign(p_right) OR greatest(abs(p_left), abs(p_right)) >= 'infinity' THEN false -- NaN is above
            ELSE abs(p_left - p_right) <= p_part * greatest(abs(p_left), abs(p_right)) END;
COMMENT ON ROUTINE chime.is_rounded IS 'whether two floats differ in no more than last digits';

-- A condition: two rows are the same bytes, but for last digits of floats. real has seven of them.
CREATE OR REPLACE FUNCTION chime.alike_condition(p_relation regclass, p_columns name[], p_left text, p_right text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN (
    SELECT concat_ws(' AND ',
               format('record_image_eq(ROW(%s), ROW(%s))', string_agg(format('%s.%I', p_left, a.attname), ', ' ORDER BY a.attnum) FILTER (WHERE NOT f.is_float),
                      string_agg(format('%s.%I', p_right, a.attname), ', ' ORDER BY a.attnum) FILTER (WHERE NOT f.is_float)),
               string_agg(format('chime.is_rounded(%1$s.%3$I, %2$s.%3$I%4$s)', p_left, p_right, a.attname,
                                 CASE WHEN a.atttypid = 'real'::regtype THEN ', 1e-6' END), ' AND ') FILTER (WHERE f.is_float))
    FROM pg_attribute a CROSS JOIN LATERAL (SELECT a.atttypid IN ('real'::regtype, 'double precision'::regtype) AS is_float) AS f
    WHERE a.attrelid = p_relation AND a.attname = ANY (p_columns));
COMMENT ON ROUTINE chime.alike_condition IS 'the condition that two rows are the same, but for last digits of floats';

CREATE OR REPLACE FUNCTION chime.compared_columns(p_view chime.view) RETURNS name[]
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN ARRAY(SELECT a.attname FROM pg_attribute a
             WHERE a.attrelid = chime.kept_of(p_view) AND a.attnum > 0 AND NOT a.attisdropped AND a.attname <> ALL (p_view.stamps)
               AND EXISTS (SELECT FROM pg_attribute l WHERE l.attrelid = chime.live_of(p_view) AND l.attname = a.attname)
             ORDER BY a.attnum);
COMMENT ON ROUTINE chime.compared_columns IS 'columns of a view in which its rows are compared: not its stamps';

-- Begins a statement: `kept` and `live`, each read once and without stamps; `missing` and `surplus`, the rows that only
-- one of them has, compared by their bytes; `rounded`, keys of such pairs that differ in last digits of floats.
-- chime_texts tells values apart that an operator takes for equal. Rows with a cast, since without PostgreSQL would ask
-- for the operator of each column. p_arrays: of some groups only, an expression for each grain column. Frozen rows are
-- in neither.
CREATE OR REPLACE FUNCTION chime.comparison_statement(p_view chime.view, p_arrays text DEFAULT NULL) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_kept regclass := format('%I.%I', p_view.view_schema, p_view.relation);
    v_live text := chime.staged(format('%I.%I', p_view.view_schema, p_view.relation || '__live')::regclass);
    v_columns name[] := chime.compared_columns(p_view);
    v_rows text[] := ARRAY(
        SELECT CASE WHEN p_arrays IS NULL THEN format('(SELECT * FROM %s WHERE %s) AS v', r, chime.unfrozen(p_view))
                    ELSE format('(%s) AS v', chime.rows_of_groups(v_kept, r, chime.column_list(v_kept), p_view.grain, chime.unfrozen(p_view))) END
        FROM unnest(ARRAY[format('%I.%I', p_view.view_schema, p_view.relation), v_live]) AS r);
    v_texts text := (SELECT string_agg(quote_ident(a.attname) || '::text', ', ' ORDER BY a.attnum)
                     FROM pg_attribute a LEFT JOIN pg_collation l ON l.oid = a.attcollation
                     WHERE a.attrelid = v_kept AND a.attname = ANY (v_columns)
                       AND NOT (chime.equal_is_same(a.atttypid) AND coalesce(l.collisdeterministic, true)));
    v_keys text[] := ARRAY(SELECT string_agg(format('%s.%I', t, k), ', ' ORDER BY n)
                           FROM unnest('{m,s,r}'::text[]) AS t CROSS JOIN unnest(p_view.key) WITH ORDINALITY AS u (k, n) GROUP BY t ORDER BY t);
BEGIN
    PERFORM chime.require_kept(p_view);
    RETURN chime.fill_template($f$
        {{groups}}
        kept AS MATERIALIZED (SELECT {{columns}}, ARRAY[{{texts}}]::text[] AS chime_texts FROM {{kept}}),
        live AS MATERIALIZED (SELECT {{columns}}, ARRAY[{{texts}}]::text[] AS chime_texts FROM {{live}}),
        other_live AS MATERIALIZED (SELECT * FROM live EXCEPT ALL SELECT * FROM kept),
        other_kept AS MATERIALIZED (SELECT * FROM kept EXCEPT ALL SELECT * FROM live),
        rounded AS MATERIALIZED (SELECT {{missing_key}} FROM other_live m JOIN other_kept s ON ROW({{missing_key}})::record *= ROW({{surplus_key}})::record WHERE {{alike}}),
        missing AS (SELECT m.* FROM other_live m WHERE NOT EXISTS (SELECT FROM rounded r WHERE ROW({{missing_key}})::record *= ROW({{rounded_key}})::record)),
        surplus AS (SELECT s.* FROM other_kept s WHERE NOT EXISTS (SELECT FROM rounded r WHERE ROW({{surplus_key}})::record *= ROW({{rounded_key}})::record))$f$, jsonb_build_object(
        'columns', chime.comparable_columns(v_kept, v_columns),
        'groups', CASE WHEN p_arrays IS NULL THEN 'WITH ' ELSE chime.groups_statement(p_arrays, p_view.grain) END,
        'kept', v_rows[1],
        'live', v_rows[2],
        'texts', v_texts,
        'missing_key', v_keys[1],
        'rounded_key', v_keys[2],
        'surplus_key', v_keys[3],
        'alike', chime.alike_condition(v_kept, v_columns, 'm', 's')));
END $$;
COMMENT ON ROUTINE chime.comparison_statement IS 'the beginning of a statement that compares what is kept with what is defined';

CREATE OR REPLACE FUNCTION chime.difference(p_view text) RETURNS TABLE (rows bigint, missing bigint, surplus bigint, rounded bigint)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off SET row_security = off
SET "TimeZone" = 'UTC' SET "DateStyle" = 'ISO, YMD' SET "IntervalStyle" = 'postgres' SET extra_float_digits = 1
SET lc_monetary = 'C' SET lc_numeric = 'C' SET lc_time = 'C' SET bytea_output = 'hex' SET xmlbinary = 'base64' SET quote_all_identifiers = off AS $$
DECLARE
    v_view chime.view := chime.find_view(p_view);
BEGIN
    PERFORM chime.refuse_untrusted('view ' || p_view, 'pg_class'::regclass, chime.live_of(v_view));
    PERFORM set_config('TimeZone', v_view.timezone, true);
    RETURN QUERY EXECUTE chime.comparison_statement(v_view)
        || ' SELECT (SELECT count(*) FROM kept), (SELECT count(*) FROM missing), (SELECT count(*) FROM surplus), (SELECT count(*) FROM rounded)';
END $$;
COMMENT ON FUNCTION chime.difference IS
    'how many rows the kept relation has beside frozen ones, and how many only the live definition or only the kept relation has; rounded: that both have, but for last digits of floats; takes as long as the definition';

-- A row that has other values than it should is there twice: as it is kept, then as it should be.
CREATE OR REPLACE FUNCTION chime.differences(p_view text, p_limit integer DEFAULT 10) RETURNS TABLE (side text, line jsonb)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off SET row_security = off
SET "TimeZone" = 'UTC' SET "DateStyle" = 'ISO, YMD' SET "IntervalStyle" = 'postgres' SET extra_float_digits = 1
SET lc_monetary = 'C' SET lc_numeric = 'C' SET lc_time = 'C' SET bytea_output = 'hex' SET xmlbinary = 'base64' SET quote_all_identifiers = off AS $$
DECLARE
    v_view chime.view := chime.find_view(p_view);
BEGIN
    PERFORM chime.refuse_untrusted('view ' || p_view, 'pg_class'::regclass, chime.live_of(v_view));
    PERFORM set_config('TimeZone', v_view.timezone, true);
    RETURN QUERY EXECUTE chime.comparison_statement(v_view) || format(
        $f$ SELECT d.side, d.line FROM (SELECT 'missing' AS side, to_jsonb(chime_row) - 'chime_texts' AS line FROM missing chime_row
                                        UNION ALL SELECT 'surplus', to_jsonb(chime_row) - 'chime_texts' FROM surplus chime_row) AS d
            ORDER BY %s, d.side DESC LIMIT $1$f$,
        (SELECT string_agg(format('d.line ->> %L', k), ', ' ORDER BY n) FROM unnest(v_view.key) WITH ORDINALITY AS u (k, n)))
    USING p_limit;
END $$;
COMMENT ON FUNCTION chime.differences IS
    'rows that only the live definition has (side missing) or only the kept relation (surplus), by the view''s key';

-- Constants as functions, so that a test can replace them.
CREATE OR REPLACE FUNCTION chime.watch_share() RETURNS double precision LANGUAGE sql IMMUTABLE RETURN 0.05;
COMMENT ON FUNCTION chime.watch_share IS 'of the time that a view''s keyed refreshes take, how much may go into comparing groups that nothing marked';

-- One page of a table, drawn at random: rows from low up to before high.
CREATE OR REPLACE FUNCTION chime.random_page(p_relation regclass, OUT low tid, OUT high tid)
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE v_page bigint := floor(random() * pg_relation_size(p_relation) / current_setting('block_size')::bigint);
BEGIN
    low := format('(%s,0)', v_page);
    high := format('(%s,0)', v_page + 1);
END $$;
COMMENT ON ROUTINE chime.random_page IS 'one page of a table, drawn at random';

-- A partition with rows of its own that may be read; NULL: there is none.
CREATE OR REPLACE FUNCTION chime.random_leaf(p_relation regclass) RETURNS regclass
LANGUAGE sql VOLATILE SET search_path = pg_catalog, pg_temp
RETURN (SELECT c.oid FROM chime.inheritance_tree(p_relation) AS t JOIN pg_class c ON c.oid = t
        WHERE c.relkind = 'r' AND has_table_privilege(c.oid, 'SELECT') AND NOT row_security_active(c.oid) ORDER BY random() LIMIT 1);
COMMENT ON ROUTINE chime.random_leaf IS 'a partition that may be read, drawn at random';

-- Queries that draw one group from a page: of the kept relation, or of a source, from whose row the map leads to it. So
-- one that the kept relation lacks may be found, too. Of a partitioned table from one of its partitions, chime_leaf.
CREATE OR REPLACE FUNCTION chime.draws(p_view chime.view) RETURNS TABLE (relation regclass, is_tree boolean, query text)
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    WITH grain AS (SELECT string_agg(quote_ident(g), ', ' ORDER BY n) AS names FROM unnest(p_view.grain) WITH ORDINALITY AS u (g, n)),
    page AS (SELECT ' FROM %s AS s WHERE s.ctid >= %s AND s.ctid < %s ORDER BY random() LIMIT 1' AS rows)
    SELECT chime.kept_of(p_view), false, format('SELECT %s' || p.rows, g.names, chime.kept_of(p_view), 'chime_low', 'chime_high') FROM grain g, page p
    UNION ALL
    SELECT c.oid::regclass, t.is_tree,
           format('SELECT %1$s FROM (WITH marks AS (%2$s) SELECT * FROM (%3$s) AS mapped) AS x (%1$s) LIMIT 1', g.names,
                  format('SELECT %s' || p.rows, m.columns, CASE WHEN t.is_tree THEN 'chime_leaf' ELSE c.oid::regclass::text END,
                         CASE WHEN t.is_tree THEN '$1' ELSE 'chime_low' END, CASE WHEN t.is_tree THEN '$2' ELSE 'chime_high' END),
                  coalesce(s.map_query, format('SELECT %s FROM marks', g.names)))
    FROM chime.view_source s JOIN pg_class c ON c.oid = chime.source_oid(s.source_id)
    CROSS JOIN LATERAL (SELECT c.relkind = 'p' AS is_tree) AS t
    CROSS JOIN LATERAL (SELECT string_agg(format('s.%1$I::%2$s AS %1$I', a.attname, format_type(a.atttypid, a.atttypmod)), ', ' ORDER BY a.attnum) AS columns
                        FROM pg_attribute a WHERE a.attrelid = chime.log_name(s.source_id)::regclass AND a.attname = ANY (s.captured)) AS m
    CROSS JOIN grain g CROSS JOIN page p
    WHERE s.view_schema = p_view.view_schema AND s.relation = p_view.relation
      AND has_table_privilege(c.oid, 'SELECT') AND NOT row_security_active(c.oid);
END;
COMMENT ON ROUTINE chime.draws IS 'queries that draw a group from a page';

-- The function that draws a group and gives its columns where kept rows and definition differ by more than last digits
-- of floats. STABLE: all of it is seen with the snapshot of the calling statement, which takes the marks.
CREATE OR REPLACE FUNCTION chime.write_watched(p_view chime.view) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_declared text; v_into text; v_arrays text; v_draws text;
BEGIN
    SELECT string_agg(format('d_%s %s;', c.n, c.type), ' ' ORDER BY c.n), string_agg('d_' || c.n, ', ' ORDER BY c.n),
           string_agg(format('ARRAY[d_%s]', c.n), ', ' ORDER BY c.n)
      INTO v_declared, v_into, v_arrays FROM chime.grain_columns(p_view) AS c;
    SELECT string_agg(chime.fill_template(CASE WHEN d.is_tree THEN $branch$
            WHEN {{number}} THEN
                chime_leaf := chime.random_leaf({{relation}});
                IF chime_leaf IS NULL THEN
                    RETURN NULL;
                END IF;
                SELECT * INTO chime_low, chime_high FROM chime.random_page(chime_leaf);
                FOR {{columns}} IN EXECUTE replace({{query_text}}, 'chime_leaf', chime_leaf::text) USING chime_low, chime_high LOOP END LOOP;$branch$
                ELSE $branch$
            WHEN {{number}} THEN
                SELECT * INTO chime_low, chime_high FROM chime.random_page({{relation}});
                SELECT * INTO {{columns}} FROM ({{query}}) AS d;$branch$ END, jsonb_build_object(
                'number', d.n,
                'relation', quote_literal(d.relation),
                'columns', v_into,
                'query', d.query,
                'query_text', quote_literal(d.query))), '' ORDER BY d.n)
      INTO v_draws FROM (SELECT row_number() OVER () - 1 AS n, w.* FROM chime.draws(p_view) AS w) AS d;
    EXECUTE format($f$
        CREATE OR REPLACE FUNCTION chime.watched_%s() RETURNS jsonb
        LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET jit = off SET row_security = off SET enable_seqscan = off
        SET max_parallel_workers_per_gather = 0 SET plan_cache_mode = force_generic_plan AS %L$f$, p_view.view_id, chime.fill_template($body$
        #variable_conflict use_column
        DECLARE
            v_draw integer := CASE WHEN random() < 0.5 THEN 0 ELSE floor(random() * {{draw_count}}) END;
            chime_leaf regclass; chime_low tid; chime_high tid; v_found jsonb;
            {{declared}}
        BEGIN
            CASE v_draw
            {{draws}}
            END CASE;
            IF FOUND THEN
                {{groups}} SELECT to_jsonb(chime_group) INTO v_found FROM groups chime_group
                WHERE EXISTS (SELECT FROM missing) OR EXISTS (SELECT FROM surplus);
            END IF;
            RETURN v_found;
        EXCEPTION WHEN data_exception THEN
            RETURN NULL; -- as in a keyed refresh, where it would not be watched
        END $body$, jsonb_build_object(
        'declared', v_declared,
        'draw_count', (SELECT count(*) FROM chime.draws(p_view)),
        'draws', v_draws,
        'groups', chime.comparison_statement(p_view, v_arrays))));
    PERFORM chime.keep_routine_private(format('chime.watched_%s()', p_view.view_id)::regprocedure);
END $$;
COMMENT ON ROUTINE chime.write_watched IS 'writes the function that draws one group and compares it';

CREATE OR REPLACE FUNCTION chime.wrong_words(p_group jsonb) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN format('the group %s was not as its definition says at %s, and no mark led to it',
              (SELECT string_agg(g.key || ' = ' || coalesce(g.value, 'NULL'), ', ') FROM jsonb_each_text(p_group) AS g),
              to_char(clock_timestamp() AT TIME ZONE 'UTC', 'YYYY-MM-DD HH24:MI:SS"Z"'));
COMMENT ON ROUTINE chime.wrong_words IS 'which group was wrong, and when, in words';

-- Until its definition or its sources are declared otherwise, or somebody refreshes it in full. One that is made anew
-- just now is passed over: what does so waits for its refreshes.
CREATE OR REPLACE FUNCTION chime.note_wrong(p_view chime.view, p_wrong text) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    UPDATE chime.view v SET found_wrong = p_wrong, full_reason = coalesce(p_wrong, 'it was refreshed in full, and is asked again within 10 s'), asked = ''
     WHERE v.view_id = (SELECT o.view_id FROM chime.view o WHERE o.view_id = p_view.view_id FOR NO KEY UPDATE SKIP LOCKED);
END;
COMMENT ON ROUTINE chime.note_wrong IS 'a view is full from now on, since a group was wrong; NULL: it is asked again';
