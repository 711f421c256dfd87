-- SPDX-License-Identifier: PostgreSQL
-- Random definitions over three tables (test_keyed_generated.c), their writer and their judge. Over keyed_corpus.sql,
-- of which the random words are taken; random() decides all of it, so that a seed repeats it.
--
-- Every relation of the grammar has the columns id, a, b (whole numbers), t (text) and n (numeric), so that each stands
-- where any other can.

CREATE TABLE app.r (id integer PRIMARY KEY, a integer, b integer, t text, n numeric);
CREATE TABLE app.s (id integer PRIMARY KEY, a bigint, b smallint, t varchar(3), n integer);
CREATE TABLE app.u (id integer, a integer, b integer, t text, n numeric) PARTITION BY LIST (a);
CREATE TABLE app.u_1 PARTITION OF app.u FOR VALUES IN (1, 2, 3);
CREATE TABLE app.u_2 PARTITION OF app.u DEFAULT;
CREATE INDEX ON app.r (a); CREATE INDEX ON app.r (b); CREATE INDEX ON app.r (t); CREATE INDEX ON app.r (a, b);
CREATE INDEX ON app.s (a); CREATE INDEX ON app.s (b); CREATE INDEX ON app.s (t);
CREATE INDEX ON app.u (id); CREATE INDEX ON app.u (a); CREATE INDEX ON app.u (b);

-- Soundness is what is tried: where only an index is missing, a view is keyed here.
CREATE OR REPLACE FUNCTION chime.unrestricted_scans(p_schema name, p_relation name, p_grain name[]) RETURNS SETOF text
LANGUAGE sql AS 'SELECT NULL::text WHERE false';

CREATE TABLE app.generated (
    name name PRIMARY KEY, grain name[] NOT NULL, key name[] NOT NULL, definition text NOT NULL, verdict text, reason text);

-- --- the grammar -----------------------------------------------------------------------------------------------------

CREATE FUNCTION app.all_of_row(p_alias text) RETURNS text LANGUAGE sql IMMUTABLE
RETURN replace('%.id, %.a, %.b, %.t, %.n', '%', p_alias);

CREATE FUNCTION app.some_column(p_alias text) RETURNS text LANGUAGE sql VOLATILE
RETURN p_alias || '.' || app.one('id', 'a', 'a', 'a', 'b', 'b');

CREATE FUNCTION app.some_number(p_alias text) RETURNS text LANGUAGE sql VOLATILE
RETURN format(app.one('%1$s', '%1$s', '%1$s', 'coalesce(%1$s, 0)', 'coalesce(%1$s, %2$s)', '%1$s + 1', '%1$s %% 3', 'nullif(%1$s, 2)', 'abs(%1$s)',
                      'CASE WHEN %3$s.t = ''x'' THEN %1$s ELSE %2$s END', 'greatest(%1$s, %2$s)', '12 / %1$s', '%1$s::integer'),
              app.some_column(p_alias), app.some_column(p_alias), p_alias);

CREATE FUNCTION app.some_text(p_alias text) RETURNS text LANGUAGE sql VOLATILE
RETURN format(app.one('%1$s.t', '%1$s.t', 'upper(%1$s.t)', 'coalesce(%1$s.t, ''none'')', '%1$s.t::varchar(3)', '%1$s.a::text', '%1$s.t || %1$s.b'), p_alias);

CREATE FUNCTION app.some_filter(p_alias text) RETURNS text LANGUAGE sql VOLATILE
RETURN format(app.one('%1$s = 2', '%1$s > 2', '%1$s IS NULL', '%1$s IS NOT NULL', '%1$s IN (1, 2, 5)', '%1$s = %2$s', '%1$s <> 0', '%3$s.t = ''x''',
                      '%3$s.t IS NULL', '%3$s.n > 1', '(%1$s = 1 OR %2$s = 3)', 'NOT (%1$s = 4)', '%1$s IS DISTINCT FROM %2$s', '%2$s <> 0 AND 12 / %2$s > 3'),
              app.some_number(p_alias), app.some_column(p_alias), p_alias);

CREATE FUNCTION app.some_match(p_left text, p_right text) RETURNS text LANGUAGE sql VOLATILE
RETURN format(app.one('%1$s = %2$s', '%1$s = %2$s', '%1$s = %2$s', '%1$s = %2$s', '%1$s = %2$s', '%3$s = %2$s', '%1$s = %4$s', '%3$s = %4$s',
                      '%5$s.t = %6$s.t', '%5$s.a = %6$s.a AND %5$s.b = %6$s.b', '%5$s.a = %6$s.a AND %7$s',
                      '%1$s = %2$s AND %8$s', '%1$s IS NOT DISTINCT FROM %2$s', '(%5$s.a = %6$s.a OR %5$s.b = %6$s.b)',
                      '%1$s < %2$s', '%1$s IN (%2$s, %6$s.b)', '(%5$s.a, %5$s.t) = (%6$s.a, %6$s.t)'),
              app.some_column(p_left), app.some_column(p_right), app.some_number(p_left), app.some_number(p_right), p_left, p_right,
              app.some_filter(p_left), app.some_filter(p_right));

-- One row of two.
CREATE FUNCTION app.some_row(p_left text, p_right text) RETURNS text LANGUAGE sql VOLATILE
RETURN (SELECT string_agg(format(app.one('%1$s.%3$s', '%1$s.%3$s', '%2$s.%3$s', '%2$s.%3$s', 'coalesce(%1$s.%3$s, %2$s.%3$s)') || ' AS %3$s',
                                 p_left, p_right, c), ', ' ORDER BY n) FROM unnest(ARRAY['id', 'a', 'b', 't', 'n']) WITH ORDINALITY AS u (c, n));

CREATE FUNCTION app.some_window(p_alias text) RETURNS text LANGUAGE sql VOLATILE
RETURN format(app.one('row_number()', 'rank()', 'count(*)', 'lag(%1$s.a)', 'first_value(%1$s.id)', 'max(%1$s.b)') || ' OVER ('
              || app.one('PARTITION BY %1$s.a ', 'PARTITION BY %1$s.a ', 'PARTITION BY %1$s.a, %1$s.t ', 'PARTITION BY %1$s.b ', '')
              || app.one('ORDER BY %2$s', 'ORDER BY %2$s', 'ORDER BY %1$s.n, %2$s ROWS 1 PRECEDING') || ')', p_alias, app.all_of_row(p_alias));

-- A FROM item: a table, or a query in brackets. p_depth: of queries in it at most; it also keeps aliases apart.
CREATE FUNCTION app.some_relation(p_depth integer) RETURNS text LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    x text := 'x' || p_depth;
    y text := 'y' || p_depth;
    z text := 'z' || p_depth;
    v_from text;
    v_all text := app.all_of_row(x);
BEGIN
    IF p_depth = 0 OR app.below(8) = 0 THEN
        RETURN app.one('r', 'r', 's', 's', 'u');
    END IF;
    v_from := app.some_relation(p_depth - 1) || ' ' || x;
    RETURN '(' || CASE app.below(22)
        WHEN 0 THEN format('SELECT %s FROM %s WHERE %s', v_all, v_from, app.some_filter(x))
        WHEN 1 THEN format('SELECT %s.id, %s AS a, %s AS b, %s AS t, %1$s.n FROM %5$s', x, app.some_number(x), app.some_number(x), app.some_text(x), v_from)
        WHEN 2 THEN app.some_join(p_depth, v_from, 'JOIN')
        WHEN 3 THEN app.some_join(p_depth, v_from, 'LEFT JOIN')
        WHEN 4 THEN app.some_join(p_depth, v_from, app.one('RIGHT JOIN', 'FULL JOIN'))
        WHEN 5 THEN app.some_join(p_depth, app.some_join_item(p_depth, v_from), app.one('JOIN', 'LEFT JOIN', 'LEFT JOIN'))
        WHEN 6 THEN format('SELECT %s FROM %s %s', app.some_row(x, y), v_from, app.some_lateral(p_depth))
        WHEN 7 THEN format('SELECT %1$s.id, %1$s.a, (SELECT %2$s FROM %3$s %4$s WHERE %5$s) AS b, %1$s.t, %1$s.n FROM %6$s', x,
                           format(app.one('max(%1$s)', 'min(%1$s)', 'count(*)', 'count(DISTINCT %1$s)'), app.some_number(z)),
                           app.some_relation(p_depth - 1), z, app.some_match(x, z), v_from)
        WHEN 8 THEN format('SELECT %s FROM %s WHERE %sEXISTS (SELECT FROM %s %s WHERE %s)', v_all, v_from, app.one('', 'NOT '),
                           app.some_relation(p_depth - 1), z, app.some_match(x, z))
        WHEN 9 THEN format('SELECT %s FROM %s WHERE %s %s (SELECT %s FROM %s %s%s)', v_all, v_from, app.some_number(x),
                           app.one('IN', 'IN', 'NOT IN', '= ANY', '>= ALL'), app.some_number(z), app.some_relation(p_depth - 1), z,
                           app.one('', ' WHERE ' || app.some_filter(z), ' WHERE ' || app.some_match(x, z)))
        WHEN 10 THEN format('SELECT %1$s.id, %1$s.a, %2$s AS b, %1$s.t, %1$s.n FROM %3$s', x, app.some_window(x), v_from)
        WHEN 11 THEN format('SELECT DISTINCT %1$s, %2$s.a, %3$s AS b, %2$s.t, %4$s FROM %5$s', app.one('0 AS id', x || '.id'), x, app.some_number(x),
                            app.one('1 AS n', x || '.n'), v_from)
        WHEN 12 THEN format('SELECT DISTINCT ON (%1$s) %2$s FROM %3$s ORDER BY %1$s, %2$s', format(app.one('%s.a', '%1$s.t', '%1$s.a, %1$s.b'), x), v_all, v_from)
        WHEN 13 THEN format('SELECT %1$s(%2$s.id) AS id, %2$s.a, %3$s AS b, %2$s.t, sum(%2$s.n)%4$s AS n FROM %5$s GROUP BY %2$s.a, %2$s.t%6$s',
                            app.one('min', 'max', 'count'), x, format(app.one('max(%s)', 'count(DISTINCT %s)', 'min(%s)'), app.some_number(x)),
                            app.one('', ' FILTER (WHERE ' || app.some_filter(x) || ')'), v_from, app.one('', format(' HAVING count(%s.b) > 1', x)))
        WHEN 14 THEN format('SELECT count(*) AS id, %1$s.a, %1$s.b, max(%1$s.t) AS t, sum(%1$s.n) AS n FROM %2$s GROUP BY ' || app.one(
                            'ROLLUP (%1$s.a, %1$s.b)', 'CUBE (%1$s.a, %1$s.b)', '%1$s.a, GROUPING SETS ((%1$s.b), ())', 'GROUPING SETS ((%1$s.a, %1$s.b), (%1$s.a))'),
                            x, v_from)
        WHEN 15 THEN format('SELECT %s FROM %s %s SELECT %s FROM %s %s', v_all, v_from,
                            app.one('UNION ALL', 'UNION ALL', 'UNION', 'EXCEPT', 'EXCEPT ALL', 'INTERSECT', 'INTERSECT ALL'), app.all_of_row(y),
                            app.some_relation(p_depth - 1), y)
        WHEN 16 THEN format('SELECT %1$s FROM %2$s ORDER BY %3$s%1$s %4$s', v_all, v_from, app.one('', x || '.n DESC, ', x || '.t, '),
                            app.one('LIMIT 3', 'LIMIT 5 OFFSET 1', 'OFFSET 2', 'OFFSET 0'))
        WHEN 17 THEN format('SELECT %1$s.id, %1$s.a, g%2$s AS b, %1$s.t, %1$s.n FROM %3$s CROSS JOIN LATERAL %4$s AS g%2$s', x, p_depth, v_from,
                            format(app.one('generate_series(1, (%s.b %% 3)::integer)', 'unnest(ARRAY[%s.a, %1$s.b])'), x))
        WHEN 18 THEN format('SELECT %1$s.id, unnest(ARRAY[%1$s.a, %1$s.b]) AS a, %1$s.b, %1$s.t, %1$s.n FROM %2$s', x, v_from)
        WHEN 19 THEN format('WITH c%1$s AS %2$s(SELECT %3$s FROM %4$s) SELECT %5$s FROM c%1$s %6$s %7$s c%1$s %8$s ON %9$s', p_depth,
                            app.one('', 'MATERIALIZED ', 'NOT MATERIALIZED '), v_all, v_from, app.some_row(x, y), x, app.one('JOIN', 'LEFT JOIN'), y,
                            app.some_match(x, y))
        WHEN 20 THEN format('WITH RECURSIVE c%1$s AS (SELECT %2$s.id::bigint, %2$s.a::bigint, %2$s.b::bigint, %2$s.t::text, %2$s.n::numeric FROM %3$s UNION '
                            'SELECT y.id, %4$s, y.b, c%1$s.t, c%1$s.n FROM c%1$s JOIN %5$s y ON y.%6$s = c%1$s.%7$s) SELECT * FROM c%1$s', p_depth, x, v_from,
                            app.one('y.a', format('c%s.a', p_depth)), app.one('r', 's'), app.one('a', 'b', 'id'), app.one('a', 'b', 'id'))
        ELSE format('SELECT %s FROM %s JOIN (VALUES (1, 2, 3, ''x''::text, 1::numeric), (2, 1, NULL, NULL, 2)) AS %s (id, a, b, t, n) ON %s',
                    app.some_row(x, y), v_from, y, app.some_match(x, y))
        END || ')';
END $$;

CREATE FUNCTION app.some_join_item(p_depth integer, p_from text) RETURNS text LANGUAGE sql VOLATILE
RETURN format('%s %s %s w%s ON %s', p_from, app.one('JOIN', 'LEFT JOIN', 'LEFT JOIN'), app.some_relation(p_depth - 1), p_depth,
              app.some_match('x' || p_depth, 'w' || p_depth));

CREATE FUNCTION app.some_join(p_depth integer, p_from text, p_join text) RETURNS text LANGUAGE sql VOLATILE
RETURN format('SELECT %s FROM %s %s %s y%s ON %s', app.some_row('x' || p_depth, 'y' || p_depth), p_from, p_join, app.some_relation(p_depth - 1), p_depth,
              CASE WHEN p_join = 'FULL JOIN' THEN format('x%s.a = y%1$s.b', p_depth)
                   ELSE app.some_match(CASE WHEN strpos(p_from, ' w' || p_depth || ' ON') > 0 AND app.below(3) > 0 THEN 'w' ELSE 'x' END || p_depth, 'y' || p_depth) END);

CREATE FUNCTION app.some_lateral(p_depth integer) RETURNS text LANGUAGE sql VOLATILE
RETURN format(app.one('CROSS JOIN LATERAL (%s) y%s', 'LEFT JOIN LATERAL (%s) y%s ON true'),
              format(app.one('SELECT %2$s FROM %1$s z%4$s WHERE %3$s', 'SELECT %2$s FROM %1$s z%4$s WHERE %3$s ORDER BY %2$s LIMIT 1',
                             'SELECT max(z%4$s.id) AS id, max(z%4$s.a) AS a, count(*) AS b, min(z%4$s.t) AS t, sum(z%4$s.n) AS n FROM %1$s z%4$s WHERE %3$s'),
                     app.some_relation(p_depth - 1), app.all_of_row('z' || p_depth), app.some_match('x' || p_depth, 'z' || p_depth), p_depth), p_depth);

-- A definition whose rows its key tells apart: they are grouped, or distinct.
CREATE FUNCTION app.some_definition(p_depth integer, OUT definition text, OUT grain name[], OUT key name[]) LANGUAGE plpgsql VOLATILE AS $$
DECLARE
    v_from text := app.some_relation(p_depth) || ' v';
    v_first text := CASE WHEN app.below(4) = 0 THEN app.some_number('v') ELSE app.some_column('v') END;
    v_second text := app.one('v.t', 'v.t', 'v.b', app.some_text('v'), 'v.n');
BEGIN
    grain := CASE app.below(4) WHEN 0 THEN '{g,h}' WHEN 1 THEN '{h}' ELSE '{g}' END;
    CASE app.below(4)
        WHEN 0 THEN
            definition := format('SELECT %s AS g, %s AS h, v.id, v.b AS x, v.n, count(*) AS c FROM %s GROUP BY 1, 2, 3, 4, 5', v_first, v_second, v_from);
            key := '{g,h,id,x,n}';
        WHEN 1 THEN
            definition := format('SELECT DISTINCT %s AS g, %s AS h, v.id, %s AS w FROM %s', v_first, v_second, app.some_window('v'), v_from);
            key := '{g,h,id,w}';
        ELSE
            definition := format('SELECT %s AS g, %s AS h, count(*) AS c, sum(v.n) AS n, %s AS x FROM %s GROUP BY 1, 2%s', v_first, v_second,
                                 app.one('max(v.b)', 'string_agg(v.t, '','' ORDER BY v.t)', 'count(DISTINCT v.b)', 'count(*) FILTER (WHERE v.a > 1)'), v_from,
                                 app.one('', '', ' HAVING count(*) > 1'));
            key := '{g,h}';
            IF app.below(2) = 0 THEN -- one column, the other among what it is grouped by no more
                definition := replace(replace(definition, format(', %s AS h', v_second), ''), 'GROUP BY 1, 2', 'GROUP BY 1');
                grain := '{g}'; key := '{g}';
            END IF;
    END CASE;
END $$;

-- --- writer ----------------------------------------------------------------------------------------------------------

CREATE FUNCTION app.put_generated(p_count integer) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO app.r SELECT app.below(16), nullif(app.below(7), 6), nullif(app.below(9), 8), app.one('x', 'y', 'X', NULL), nullif(app.below(6), 5)
    FROM generate_series(1, p_count) ON CONFLICT DO NOTHING;
    INSERT INTO app.s SELECT app.below(16), CASE app.below(20) WHEN 0 THEN 3000000000 WHEN 1 THEN NULL ELSE app.below(7) END, nullif(app.below(9), 8),
                             app.one('x', 'y', 'X', NULL), nullif(app.below(6), 5)
    FROM generate_series(1, p_count) ON CONFLICT DO NOTHING;
    INSERT INTO app.u SELECT app.below(16), nullif(app.below(7), 6), nullif(app.below(9), 8), app.one('x', 'y', 'X', NULL), nullif(app.below(6), 5)
    FROM generate_series(1, p_count);
END $$;

-- One statement.
CREATE FUNCTION app.write_generated() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    v_table text := app.one('r', 's', 'u');
    v_id integer := app.below(16);
    v_value text := coalesce(nullif(app.below(8), 7)::text, 'NULL');
BEGIN
    IF app.below(60) = 0 THEN
        EXECUTE 'TRUNCATE app.' || v_table;
    END IF;
    CASE app.below(10)
        WHEN 0 THEN PERFORM app.put_generated(1);
        WHEN 1 THEN EXECUTE format('DELETE FROM app.%s WHERE id = %s', v_table, v_id);
        WHEN 2 THEN EXECUTE format('UPDATE app.%s SET a = %s WHERE id = %s', v_table, v_value, v_id);
        WHEN 3 THEN EXECUTE format('UPDATE app.%s SET b = %s WHERE id BETWEEN %s AND %s', v_table, v_value, v_id, v_id + 2);
        WHEN 4 THEN EXECUTE format('UPDATE app.%s SET t = %L, n = %s WHERE id = %s', v_table, app.one('x', 'y', 'X', NULL), v_value, v_id);
        WHEN 5 THEN EXECUTE format('UPDATE app.%s SET a = b, b = a WHERE id = %s AND coalesce(a, 0) < 30000', v_table, v_id);
        WHEN 6 THEN EXECUTE format('UPDATE app.%1$s SET id = %2$s WHERE id = %3$s AND NOT EXISTS (SELECT FROM app.%1$s WHERE id = %2$s)',
                                   v_table, app.below(18), v_id);
        WHEN 7 THEN EXECUTE format('DELETE FROM app.%s WHERE b = %s AND id > %s', v_table, v_value, v_id);
        WHEN 8 THEN EXECUTE format('MERGE INTO app.%1$s AS t USING (SELECT WHERE NOT EXISTS (SELECT FROM app.%1$s WHERE id = %2$s)) AS v ON t.id = %3$s '
                                   'WHEN MATCHED THEN UPDATE SET id = %2$s, a = %4$s', v_table, app.below(18), v_id, v_value);
        ELSE EXECUTE format('MERGE INTO app.%1$s AS t USING (SELECT * FROM (VALUES (%2$s, %3$s::integer), (%4$s, NULL)) AS v (id, a) WHERE EXISTS (SELECT)) AS v '
                            'ON t.id = v.id WHEN MATCHED AND t.b = 1 THEN DELETE WHEN MATCHED THEN UPDATE SET a = v.a '
                            'WHEN NOT MATCHED THEN INSERT (id, a, b, t) VALUES (v.id, v.a, 2, ''x'')', v_table, v_id, v_value, (v_id + 7) % 16);
    END CASE;
END $$;

-- --- judge -----------------------------------------------------------------------------------------------------------

CREATE FUNCTION app.declared_generated() RETURNS jsonb LANGUAGE sql
RETURN (SELECT jsonb_agg(jsonb_build_object('table', x, 'columns', '["id", "a", "b", "t", "n"]'::jsonb, 'capture', '[]'::jsonb)) FROM unnest('{r,s,u}'::text[]) AS x);

-- Whether the definition by itself fails, too.
CREATE FUNCTION app.fails_by_itself(p_name name) RETURNS boolean LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('SELECT string_agg(l::text, '''') FROM kept.%I l', p_name || '__live');
    RETURN false;
EXCEPTION WHEN OTHERS THEN
    RETURN true;
END $$;

CREATE FUNCTION app.generate(p_count integer) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    TRUNCATE app.r, app.s, app.u, app.generated;
    PERFORM app.put_generated(20);
    FOR i IN 1..p_count LOOP
        INSERT INTO app.generated SELECT 'g_' || i, d.grain, d.key, d.definition FROM app.some_definition(1 + app.below(2) + app.below(2)) AS d;
    END LOOP;
END $$;

-- Verdicts: keyed, full; invalid: PostgreSQL refuses it, as types of random expressions may not fit; ERROR: what is
-- ours failed.
CREATE FUNCTION app.install_generated() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    g app.generated;
    v_unproven boolean;
BEGIN
    FOR g IN SELECT * FROM app.generated LOOP
        BEGIN
            PERFORM chime.install_view('test', 'kept', 'app', g.name, g.definition, g.key, g.name || '_pk', g.grain, 'auto', '{}', NULL, NULL, '[]', 'a test');
        EXCEPTION WHEN OTHERS THEN
            UPDATE app.generated SET verdict = 'invalid', reason = SQLERRM WHERE name = g.name;
            CONTINUE;
        END;
        BEGIN -- by itself, which takes less than installing it
            v_unproven := (SELECT bool_or(k.unproven) FROM chime.view v CROSS JOIN LATERAL chime.prove_keys(v, g.grain) AS k
                           WHERE v.view_schema = 'kept' AND v.relation = g.name);
        EXCEPTION WHEN data_exception THEN
            v_unproven := false; -- 12 / 0, planned: to be a reason below
        END;
        BEGIN
            g.reason := CASE WHEN v_unproven THEN 'unproven'
                             ELSE chime.install_keys('kept', 'app', g.name, app.declared_generated()) END;
            UPDATE app.generated SET verdict = CASE WHEN g.reason IS NULL THEN 'keyed' ELSE 'full' END, reason = g.reason WHERE name = g.name;
        EXCEPTION WHEN OTHERS THEN
            UPDATE app.generated SET verdict = 'ERROR', reason = SQLERRM WHERE name = g.name;
        END;
    END LOOP;
END $$;

-- Refreshes what is keyed, and compares. `fails`: the definition by itself does, now.
CREATE FUNCTION app.judge_generated() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    g app.generated;
    r record;
    d record;
BEGIN
    FOR g IN SELECT * FROM app.generated WHERE verdict = 'keyed' LOOP
        BEGIN
            SELECT * INTO r FROM chime.refresh('kept.' || g.name);
            SELECT * INTO d FROM chime.difference('kept.' || g.name);
            IF d.missing + d.surplus > 0 THEN
                UPDATE app.generated SET verdict = 'WRONG', reason = format('%s, %s groups: %s missing, %s surplus', r.method, r.keys, d.missing, d.surplus)
                 WHERE name = g.name;
            END IF;
        EXCEPTION WHEN OTHERS THEN
            UPDATE app.generated SET verdict = CASE WHEN app.fails_by_itself(g.name) THEN 'fails' ELSE 'ERROR' END, reason = SQLERRM WHERE name = g.name;
        END;
    END LOOP;
END $$;

CREATE FUNCTION app.drop_generated() RETURNS void LANGUAGE plpgsql AS $$
DECLARE v chime.view;
BEGIN
    FOR v IN DELETE FROM chime.view WHERE relation LIKE 'g\_%' RETURNING * LOOP
        EXECUTE format('DROP TABLE kept.%I', v.relation);
        EXECUTE format('DROP VIEW kept.%I', v.relation || '__live');
        EXECUTE format('DROP FUNCTION IF EXISTS chime.keyed_%s', v.view_id);
    END LOOP;
END $$;
