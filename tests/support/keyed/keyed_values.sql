-- SPDX-License-Identifier: PostgreSQL
-- Values that their type takes for equal and a definition tells apart (test_keyed_values.c). For each type a plain and
-- a partitioned table with two views: `by` has as grain what tells them apart, `of` shows it of each id. Over
-- keyed.sql.

CREATE SCHEMA ext;
CREATE EXTENSION citext SCHEMA ext;
CREATE COLLATION ext.caseless (provider = icu, locale = 'und-u-ks-level2', deterministic = false);

CREATE TABLE app.kind (name text PRIMARY KEY, type text, told text, equal text[], other text);
INSERT INTO app.kind VALUES
('numeric', 'numeric', 'v::text', '{1.0,1.00,1.000}', '2'),
('float', 'float8', 'v::text', '{0,-0}', '3'),
('interval', 'interval', 'extract(day FROM v)', '{1 day,24 hours}', '3 days'),
('jsonb', 'jsonb', 'v ->> ''a''', ARRAY['{"a": 1.0}', '{"a": 1.00}'], '{"a": 2}'),
('array', 'numeric[]', 'v[1]::text', '{"{1.0}","{1.00}"}', '{7}'),
('range', 'numrange', 'lower(v)::text', '{"[1.0,9)","[1.00,9)"}', '[2,9)'),
('padded', 'bpchar', 'octet_length(v)', '{"a","a  "}', 'bc'),
('turkish', 'text COLLATE "tr-x-icu"', 'lower(v)', '{I,i}', E'\u0131'),
('collated', 'text COLLATE ext.caseless', 'v COLLATE "C"', '{one,ONE,One}', 'two'),
('citext', 'ext.citext', 'v::text', '{one,ONE,One}', 'two');

CREATE FUNCTION app.make_values(k app.kind) RETURNS void LANGUAGE plpgsql AS $$
DECLARE v_table text;
BEGIN
    EXECUTE format('CREATE TABLE app.%1$I (id integer, v %2$s); CREATE TABLE app.%3$I (id integer, v %2$s) PARTITION BY RANGE (id);'
                   'CREATE TABLE app.%4$I PARTITION OF app.%3$I FOR VALUES FROM (0) TO (5); CREATE TABLE app.%5$I PARTITION OF app.%3$I DEFAULT',
                   k.name || '_one', k.type, k.name || '_parts', k.name || '_parts_1', k.name || '_parts_2');
    FOREACH v_table IN ARRAY ARRAY[k.name || '_one', k.name || '_parts'] LOOP
        EXECUTE format('CREATE INDEX ON app.%1$I (id); CREATE INDEX ON app.%1$I ((%2$s))', v_table, k.told);
        PERFORM app.install(('by_' || v_table)::name, format('SELECT %s AS told, count(*) AS n FROM %I GROUP BY 1', k.told, v_table), '{told}',
                            jsonb_build_array(jsonb_build_object('table', v_table, 'columns', '["id", "v"]'::jsonb))),
                app.install(('of_' || v_table)::name, format('SELECT id, count(*) AS n, string_agg((%1$s)::text, '','' ORDER BY (%1$s)::text) AS told FROM %2$I GROUP BY 1',
                                                             k.told, v_table), '{id}',
                            jsonb_build_array(jsonb_build_object('table', v_table, 'columns', '["id", "v"]'::jsonb)));
    END LOOP;
END $$;
SELECT app.make_values(k) FROM app.kind k;

CREATE FUNCTION app.any_value(k app.kind) RETURNS text LANGUAGE sql VOLATILE
RETURN CASE WHEN random() < 0.2 THEN k.other ELSE k.equal[1 + floor(random() * cardinality(k.equal))] END;

-- One statement on each table: of many rows or of one.
CREATE FUNCTION app.write_values() RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    k app.kind;
    v_table text;
BEGIN
    FOR k IN SELECT * FROM app.kind LOOP
        FOREACH v_table IN ARRAY ARRAY[k.name || '_one', k.name || '_parts'] LOOP
            EXECUTE format(replace((ARRAY[
                'INSERT INTO app.%1$I SELECT floor(random() * 9), VALUE FROM generate_series(1, 5), LATERAL (SELECT $1) k (k)',
                'INSERT INTO app.%1$I SELECT floor(random() * 9), VALUE FROM (SELECT $1) k (k)',
                'UPDATE app.%1$I SET v = VALUE FROM (SELECT $1) k (k)',
                'UPDATE app.%1$I SET v = n.v FROM (SELECT VALUE AS v FROM (SELECT $1) k (k) OFFSET 0) n WHERE id IN (2, 3, 6)',
                'UPDATE app.%1$I SET v = VALUE FROM (SELECT $1) k (k) WHERE (id, v::text) = (SELECT id, v::text FROM app.%1$I LIMIT 1)',
                'UPDATE app.%1$I SET id = floor(random() * 9), v = VALUE FROM (SELECT $1) k (k) WHERE id = floor(random() * 9)',
                'DELETE FROM app.%1$I USING (SELECT $1) k (k) WHERE id = floor(random() * 9)'])[1 + floor(random() * 7)],
                'VALUE', 'app.any_value(k)::' || split_part(k.type, ' ', 1)), v_table) USING k;
        END LOOP;
    END LOOP;
END $$;

-- --- grains of types from elsewhere ----------------------------------------------------------------------------------

CREATE EXTENSION ltree SCHEMA ext;
CREATE EXTENSION hstore SCHEMA ext;
CREATE EXTENSION cube SCHEMA ext;
CREATE EXTENSION seg SCHEMA ext;
CREATE EXTENSION isn SCHEMA ext;
CREATE DOMAIN ext.handle AS ext.citext CHECK (VALUE IS NOT NULL);
CREATE TABLE app.grain (name text PRIMARY KEY, type text, known text[]);
INSERT INTO app.grain VALUES
('g_citext', 'ext.citext', '{one,two,three,NULL}'), ('g_handle', 'ext.handle', '{one,two,three}'), ('g_ltree', 'ext.ltree', '{a,a.b,a.b.c,NULL}'),
('g_hstore', 'ext.hstore', '{"a=>1","b=>2","a=>1,b=>2"}'), ('g_cube', 'ext.cube', '{"(1,2)","(3)","(1,2),(3,4)"}'),
('g_seg', 'ext.seg', '{"1 .. 2","5","~7"}'), ('g_isn', 'ext.ean13', '{978-0-11-000533-1,978-0-14-143951-8}');

CREATE FUNCTION app.make_grain(k app.grain) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    EXECUTE format('CREATE TABLE app.%1$I (id integer, v %2$s) PARTITION BY RANGE (id); CREATE INDEX ON app.%1$I (v); CREATE TABLE app.%3$I '
                   'PARTITION OF app.%1$I FOR VALUES FROM (0) TO (5); CREATE TABLE app.%4$I PARTITION OF app.%1$I DEFAULT', k.name, k.type,
                   k.name || '_1', k.name || '_2');
    PERFORM app.install(('by_' || k.name)::name, format('SELECT v, count(*) AS n, sum(id) AS total FROM %I GROUP BY v', k.name), '{v}',
                        jsonb_build_array(jsonb_build_object('table', k.name, 'columns', '["id", "v"]'::jsonb)));
END $$;
SELECT app.make_grain(k) FROM app.grain k;

-- All rows of one group look the same, or the definition would give either.
CREATE FUNCTION app.write_grains() RETURNS void LANGUAGE plpgsql AS $$
DECLARE k app.grain;
BEGIN
    FOR k IN SELECT * FROM app.grain LOOP
        EXECUTE format(replace((ARRAY[
            'INSERT INTO app.%1$I SELECT floor(random() * 9), NEW FROM generate_series(1, 4) AS g, LATERAL (SELECT k.known[1 + floor(random() * cardinality(k.known) + 0 * g)]::%2$s AS v FROM (SELECT ($1).*) AS k) AS n',
            'UPDATE app.%1$I SET v = NEW FROM (SELECT k.known[1 + floor(random() * cardinality(k.known))]::%2$s AS v FROM (SELECT ($1).*) AS k OFFSET 0) AS n WHERE id = floor(random() * 9)',
            'UPDATE app.%1$I SET id = floor(random() * 9) FROM (SELECT $1) AS k WHERE id = floor(random() * 9)',
            'UPDATE app.%1$I SET v = upper(v::text)::%2$s FROM (SELECT $1) AS k WHERE v::text ~* ''^(one|three)$''',
            'UPDATE app.%1$I SET v = initcap(v::text)::%2$s FROM (SELECT $1) AS k WHERE v::text ~* ''^(one|two)$''',
            'DELETE FROM app.%1$I USING (SELECT $1) AS k WHERE id = floor(random() * 9)'])[1 + floor(random() * 6)],
            'NEW', 'coalesce((SELECT o.v FROM app.%1$I AS o WHERE o.v OPERATOR(ext.=) n.v LIMIT 1), n.v)'), k.name, k.type) USING k;
    END LOOP;
END $$;

CREATE FUNCTION app.wrong_views() RETURNS text LANGUAGE sql AS $$
    SELECT string_agg(v.relation || ' ' || l, E'\n' ORDER BY v.relation)
    FROM chime.view v CROSS JOIN LATERAL app.look(v.relation) AS l WHERE l ~ 'WRONG|full: (?!the first time)'
$$;
