-- SPDX-License-Identifier: PostgreSQL
-- Definitions of every kind (test_keyed_corpus.c): each is keyed and equal to itself after each refresh, or full with
-- its reason; none is keyed and wrong. Over keyed.sql.

CREATE TABLE app.ord (
    id integer PRIMARY KEY, shop integer, kind text, agent text, amount numeric, at timestamptz, parent integer, done boolean);
CREATE INDEX ON app.ord (shop, kind);
CREATE INDEX ON app.ord (kind);
CREATE INDEX ON app.ord (agent);
CREATE INDEX ON app.ord (lower(agent));
CREATE INDEX ON app.ord (at);
CREATE INDEX ON app.ord (((at AT TIME ZONE 'UTC')::date));
CREATE INDEX ON app.ord (parent);
CREATE INDEX ON app.ord (amount);
CREATE INDEX ON app.ord (done);
CREATE TABLE app.itm (item integer PRIMARY KEY, ord integer, product integer, quantity integer);
CREATE INDEX ON app.itm (ord);
CREATE INDEX ON app.itm (product);
CREATE INDEX ON app.itm ((12 / quantity)) WHERE quantity <> 0;
CREATE TABLE app.shp (shop integer PRIMARY KEY, name text, region text);
CREATE INDEX ON app.shp (region);
CREATE INDEX ON app.shp (name);
CREATE TABLE app.prt (shop integer, day integer, points integer) PARTITION BY RANGE (day);
CREATE TABLE app.prt_1 PARTITION OF app.prt FOR VALUES FROM (0) TO (10);
CREATE TABLE app.prt_2 PARTITION OF app.prt FOR VALUES FROM (10) TO (20);
CREATE INDEX ON app.prt (shop);

CREATE SEQUENCE app.corpus_name;
CREATE TABLE app.corpus (
    n integer GENERATED ALWAYS AS IDENTITY PRIMARY KEY,
    name text NOT NULL UNIQUE DEFAULT 'd_' || nextval('app.corpus_name'),
    expected text CHECK (expected IN ('keyed', 'full')),
    grain name[] NOT NULL,
    definition text NOT NULL,
    captures jsonb NOT NULL DEFAULT '{}', -- {"table": ["column", ...]}
    maps jsonb NOT NULL DEFAULT '{}',     -- {"table": "SELECT ..."}
    revisit text,
    verdict text);

-- What a plugin would declare of the tables that a definition names.
CREATE FUNCTION app.declared(p app.corpus) RETURNS jsonb LANGUAGE sql AS $$
    SELECT jsonb_agg(jsonb_build_object('table', c.relname, 'columns',
                         (SELECT jsonb_agg(a.attname) FROM pg_attribute a WHERE a.attrelid = c.oid AND a.attnum > 0),
                         'capture', coalesce(p.captures -> c.relname::text, '[]'), 'map', p.maps -> c.relname::text))
    FROM pg_class c WHERE c.relnamespace = 'app'::regnamespace AND c.relname IN ('ord', 'itm', 'shp', 'prt')
$$;

-- The grain where that tells rows apart, else all columns.
CREATE FUNCTION app.key_of(p app.corpus) RETURNS name[] LANGUAGE plpgsql AS $$
DECLARE v_key name[];
BEGIN
    SET LOCAL search_path = app;
    EXECUTE format('CREATE TEMP VIEW probe AS %s', p.definition);
    SELECT array_agg(a.attname ORDER BY a.attnum) INTO v_key FROM pg_attribute a WHERE a.attrelid = 'pg_temp.probe'::regclass;
    EXECUTE (SELECT format('SELECT CASE WHEN count(*) = count(DISTINCT (%s)) THEN $1 ELSE $2 END FROM pg_temp.probe',
                           'ROW(' || string_agg(quote_ident(g), ', ') || ')') FROM unnest(p.grain) AS g) INTO v_key USING p.grain, v_key;
    DROP VIEW pg_temp.probe;
    RESET search_path;
    RETURN v_key;
END $$;

CREATE FUNCTION app.install_corpus(p_name text DEFAULT NULL) RETURNS void LANGUAGE plpgsql AS $$
DECLARE c app.corpus;
BEGIN
    FOR c IN SELECT * FROM app.corpus WHERE name = coalesce(p_name, name) ORDER BY n LOOP
        UPDATE app.corpus SET verdict = coalesce(app.install(c.name::name, c.definition, c.grain, app.declared(c), app.key_of(c), c.revisit), 'keyed')
         WHERE n = c.n;
    END LOOP;
END $$;

CREATE FUNCTION app.below(p_limit integer) RETURNS integer LANGUAGE sql VOLATILE RETURN floor(random() * p_limit)::integer;
CREATE FUNCTION app.one(VARIADIC p_words text[]) RETURNS text LANGUAGE sql VOLATILE
RETURN p_words[1 + app.below(cardinality(p_words))];

-- No two amounts are equal and look different: of 1 and 1.0 max() may give either, and rows are compared by their
-- bytes.
CREATE FUNCTION app.put_rows(p_count integer) RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO app.ord SELECT app.below(200), nullif(app.below(12), 0), app.one('a', 'b', 'c', NULL), app.one('Ann', 'ann', 'BOB', 'bob', 'eve'),
                               app.one('1', '2', '5', '7.5', NULL)::numeric,
                               timestamptz '2026-01-01 00:00Z' + app.below(200) * interval '1 hour', nullif(app.below(200), 0), app.below(2) = 0
    FROM generate_series(1, p_count) ON CONFLICT DO NOTHING;
    INSERT INTO app.itm SELECT app.below(400), app.below(220), nullif(app.below(9), 0), app.below(5) FROM generate_series(1, p_count)
    ON CONFLICT DO NOTHING;
    INSERT INTO app.shp SELECT app.below(14), app.one('x', 'y', 'z'), app.one('n', 's', NULL) FROM generate_series(1, p_count / 10)
    ON CONFLICT DO NOTHING;
    INSERT INTO app.prt SELECT nullif(app.below(12), 0), app.below(20), app.below(9) FROM generate_series(1, p_count);
END $$;

-- A few changes of any kind.
CREATE FUNCTION app.write() RETURNS void LANGUAGE plpgsql AS $$
DECLARE v_id integer;
BEGIN
    FOR i IN 1..1 + app.below(5) LOOP
        v_id := app.below(200);
        CASE app.below(16)
            WHEN 0 THEN PERFORM app.put_rows(2);
            WHEN 1 THEN DELETE FROM app.ord WHERE id = v_id;
            WHEN 2 THEN UPDATE app.ord SET shop = nullif(app.below(12), 0) WHERE id = v_id;
            WHEN 3 THEN UPDATE app.ord SET kind = app.one('a', 'b', 'c', NULL) WHERE id BETWEEN v_id AND v_id + 3;
            WHEN 4 THEN UPDATE app.ord SET amount = app.below(9), agent = app.one('Ann', 'ann', 'BOB', 'bob', 'eve') WHERE id = v_id;
            WHEN 5 THEN UPDATE app.ord SET at = at + interval '30 hours', done = NOT done WHERE id = v_id;
            WHEN 6 THEN UPDATE app.ord SET parent = nullif(app.below(200), 0) WHERE id = v_id;
            WHEN 7 THEN DELETE FROM app.itm WHERE ord = v_id;
            WHEN 8 THEN UPDATE app.itm SET ord = app.below(220) WHERE item = v_id;
            WHEN 9 THEN UPDATE app.itm SET quantity = app.below(5), product = nullif(app.below(9), 0) WHERE item = v_id;
            WHEN 10 THEN DELETE FROM app.shp WHERE shop = app.below(14);
            WHEN 11 THEN UPDATE app.shp SET region = app.one('n', 's', NULL), name = app.one('x', 'y', 'z') WHERE shop = app.below(14);
            WHEN 12 THEN DELETE FROM app.prt WHERE shop = app.below(12) AND day = app.below(20);
            WHEN 13 THEN UPDATE app.prt SET day = (day + 10) % 20, shop = nullif(app.below(12), 0) WHERE points = app.below(9) AND shop = app.below(12);
            WHEN 14 THEN DELETE FROM app.ord WHERE id = v_id; DELETE FROM app.itm WHERE ord = v_id;
            ELSE UPDATE app.ord SET id = 200 + app.below(20) WHERE id = v_id AND NOT EXISTS (SELECT FROM app.ord WHERE id >= 200);
        END CASE;
    END LOOP;
END $$;

-- Refreshes all, and names those that then differ from their definitions.
CREATE FUNCTION app.wrong_ones() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    c app.corpus;
    r record;
    d record;
    v_wrong text;
BEGIN
    FOR c IN SELECT * FROM app.corpus WHERE verdict = 'keyed' ORDER BY n LOOP
        SELECT * INTO r FROM chime.refresh('kept.' || c.name);
        SELECT * INTO d FROM chime.difference('kept.' || c.name);
        IF d.missing + d.surplus > 0 THEN
            v_wrong := concat_ws(', ', v_wrong, format('%s (%s, %s groups)', c.name, r.method, r.keys));
            UPDATE app.corpus SET verdict = 'WRONG' WHERE n = c.n;
        END IF;
    END LOOP;
    RETURN v_wrong;
END $$;

-- --- the traps: once keyed, fresh and wrong --------------------------------------------------------------------------
INSERT INTO app.corpus (name, expected, grain, definition, captures, maps, revisit) VALUES
('trap_rank', 'full', '{shop}', 'SELECT shop, sum(amount) AS total, rank() OVER (ORDER BY sum(amount) DESC NULLS LAST) AS r FROM ord GROUP BY shop',
 '{"ord": ["shop"]}', '{}', NULL),
('trap_share', 'full', '{shop}', 'SELECT shop, sum(amount) / nullif((SELECT sum(amount) FROM ord WHERE amount > 0), 0) AS share FROM ord GROUP BY shop',
 '{"ord": ["shop"]}', '{}', NULL),
('trap_share_of_max', 'full', '{shop}', 'SELECT shop, sum(amount) / (SELECT max(amount) FROM ord) AS share FROM ord GROUP BY shop',
 '{"ord": ["shop"]}', '{}', NULL),
('trap_top', 'full', '{shop}', 'SELECT shop, amount, id FROM ord ORDER BY amount DESC NULLS LAST, id LIMIT 5', '{"ord": ["shop"]}', '{}', NULL),
('trap_self_join', NULL, '{shop}', 'SELECT a.shop, count(*) AS n FROM ord a JOIN ord b ON b.parent = a.id GROUP BY a.shop',
 '{"ord": ["shop"]}', '{}', NULL),
('trap_lower', NULL, '{agent}', 'SELECT lower(agent) AS agent, count(*) AS n FROM ord GROUP BY lower(agent)', '{"ord": ["agent"]}', '{}', NULL),
('trap_map_of_now', NULL, '{shop}', 'SELECT o.shop, sum(i.quantity) AS n FROM ord o JOIN itm i ON i.ord = o.id GROUP BY o.shop',
 '{"ord": ["shop"], "itm": ["item"]}', '{"itm": "SELECT o.shop FROM marks m JOIN itm i ON i.item = m.item JOIN ord o ON o.id = i.ord"}', NULL),
('trap_null_group', NULL, '{region}', 'SELECT s.region, count(*) AS n FROM ord o LEFT JOIN shp s ON s.shop = o.shop GROUP BY s.region',
 '{"ord": ["shop"], "shp": ["region"]}', '{"ord": "SELECT s.region FROM marks m JOIN shp s ON s.shop = m.shop"}', NULL),
('trap_now', 'full', '{shop}', 'SELECT shop, count(*) FILTER (WHERE now() - at > interval ''1 hour'') AS n FROM ord GROUP BY shop', '{"ord": ["shop"]}', '{}', NULL),
('trap_current_date', 'full', '{shop}', 'SELECT shop, count(*) FILTER (WHERE at::date < CURRENT_DATE) AS n FROM ord GROUP BY shop', '{"ord": ["shop"]}', '{}', NULL),
('trap_as_of', 'full', '{shop}', 'SELECT shop, count(*) FILTER (WHERE chime.as_of() > at) AS n FROM ord GROUP BY shop', '{"ord": ["shop"]}', '{}', NULL),
('trap_system_column', 'full', '{id}', 'SELECT id, xmin::text AS x FROM ord', '{"ord": ["id"]}', '{}', NULL),
('trap_leaf', 'full', '{place}', 'SELECT tableoid::regclass::text AS place, count(*) AS n FROM prt GROUP BY 1', '{"prt": ["day"]}', '{}', NULL),
('trap_nulled', 'full', '{shop}', 'SELECT o.shop, count(s.name) AS n FROM ord o LEFT JOIN itm i ON i.ord = o.id LEFT JOIN shp s ON s.shop = coalesce(i.product, 1) GROUP BY o.shop',
 '{"ord": ["shop"]}', '{}', NULL),
('trap_nulled_by_set', 'full', '{shop}', 'SELECT o.shop, max(s.name) AS n FROM (SELECT shop, parent FROM ord GROUP BY shop, GROUPING SETS ((parent), ())) o JOIN shp s ON s.shop = coalesce(o.parent, 1) GROUP BY o.shop',
 '{"ord": ["shop"]}', '{}', NULL),
('trap_by_maximum', 'full', '{shop}', 'SELECT o.shop, sum(i.quantity) AS n FROM (SELECT shop, max(id) AS id FROM ord GROUP BY shop) o JOIN itm i ON i.ord = o.id GROUP BY o.shop',
 '{"ord": ["shop"]}', '{}', NULL),
('trap_by_window', 'full', '{shop}', 'SELECT o.shop, sum(i.quantity) AS n FROM (SELECT shop, lag(id) OVER (PARTITION BY shop ORDER BY id) AS id FROM ord) o JOIN itm i ON i.ord = o.id GROUP BY o.shop',
 '{"ord": ["shop"]}', '{}', NULL),
('trap_by_set', 'full', '{shop}', 'SELECT o.shop, sum(i.quantity) AS n FROM (SELECT shop, unnest(ARRAY[id, parent]) AS id FROM ord) o JOIN itm i ON i.ord = o.id GROUP BY o.shop',
 '{"ord": ["shop"]}', '{}', NULL),
('trap_error', 'keyed', '{part}', 'SELECT 12 / quantity AS part, count(*) AS n FROM itm WHERE quantity <> 0 GROUP BY 1', '{"itm": ["quantity"]}', '{}', NULL),
('trap_random', 'full', '{shop}', 'SELECT shop, max(random()) AS n FROM ord GROUP BY shop', '{"ord": ["shop"]}', '{}', NULL),
('trap_function', 'full', '{shop}', 'SELECT shop, app.all_of(shop) AS n FROM ord GROUP BY shop', '{"ord": ["shop"]}', '{}', NULL);

-- --- everything else -------------------------------------------------------------------------------------------------
INSERT INTO app.corpus (expected, grain, definition) VALUES
-- one table
('keyed', '{shop}', 'SELECT shop, count(*) AS n FROM ord GROUP BY shop'),
('keyed', '{shop}', 'SELECT shop, sum(amount) AS total, max(at) AS latest FROM ord WHERE done GROUP BY shop'),
('keyed', '{shop,kind}', 'SELECT shop, kind, count(*) AS n FROM ord GROUP BY shop, kind'),
('keyed', '{shop,kind}', 'SELECT kind, shop, count(DISTINCT agent) AS n FROM ord GROUP BY kind, shop'),
('keyed', '{shop}', 'SELECT shop, string_agg(kind, '','' ORDER BY id) AS kinds FROM ord GROUP BY shop'),
('keyed', '{shop}', 'SELECT shop, percentile_cont(0.5) WITHIN GROUP (ORDER BY amount::float8) AS p FROM ord GROUP BY shop'),
('keyed', '{shop}', 'SELECT shop, count(*) FILTER (WHERE kind = ''a'') AS n FROM ord GROUP BY shop HAVING count(*) > 2'),
('keyed', '{id}', 'SELECT id, shop, amount * 2 AS twice FROM ord'),
('keyed', '{id}', 'SELECT id, shop FROM ord WHERE amount > 1 AND kind IS NOT NULL'),
('keyed', '{kind}', 'SELECT kind, count(*) AS n, avg(amount) AS a FROM ord GROUP BY kind'),
('keyed', '{kind}', 'SELECT DISTINCT kind FROM ord'),
('keyed', '{shop,kind}', 'SELECT DISTINCT shop, kind FROM ord'),
('keyed', '{agent}', 'SELECT agent, min(id) AS first FROM ord GROUP BY agent'),
('keyed', '{day}', 'SELECT (at AT TIME ZONE ''UTC'')::date AS day, count(*) AS n FROM ord GROUP BY 1'),
('keyed', '{who}', 'SELECT lower(agent) AS who, count(*) AS n FROM ord GROUP BY 1'),
(NULL, '{who}', 'SELECT upper(agent) AS who, count(*) AS n FROM ord GROUP BY 1'),
(NULL, '{bucket}', 'SELECT id / 10 AS bucket, count(*) AS n FROM ord GROUP BY 1'),
(NULL, '{pair}', 'SELECT shop + parent AS pair, count(*) AS n FROM ord GROUP BY 1'),
(NULL, '{word}', 'SELECT CASE WHEN amount > 1 THEN ''large'' ELSE ''small'' END AS word, count(*) AS n FROM ord GROUP BY 1'),
(NULL, '{word}', 'SELECT coalesce(kind, ''none'') AS word, count(*) AS n FROM ord GROUP BY 1'),
(NULL, '{at}', 'SELECT at, count(*) AS n FROM ord GROUP BY at'),
('keyed', '{amount}', 'SELECT amount, count(*) AS n FROM ord GROUP BY amount'),
(NULL, '{done}', 'SELECT done, count(*) AS n FROM ord GROUP BY done'),
(NULL, '{shop,kind}', 'SELECT shop, kind, count(*) AS n FROM ord WHERE shop = 3 GROUP BY shop, kind'),
(NULL, '{shop}', 'SELECT shop, count(*) AS n FROM ord WHERE shop IS NOT NULL GROUP BY shop'),
(NULL, '{shop}', 'SELECT shop, count(*) AS n FROM ord WHERE shop IS NULL GROUP BY shop'),
('keyed', '{shop}', 'SELECT shop, sum(n) AS n FROM (SELECT shop, kind, count(*) AS n FROM ord GROUP BY shop, kind) k GROUP BY shop'),
('keyed', '{shop}', 'SELECT s.shop, s.n FROM (SELECT shop, count(*) AS n FROM ord GROUP BY shop) s WHERE s.n > 1'),
('keyed', '{shop}', 'WITH s AS (SELECT shop, count(*) AS n FROM ord GROUP BY shop) SELECT shop, n FROM s'),
('full', '{shop}', 'WITH s AS MATERIALIZED (SELECT shop, count(*) AS n FROM ord GROUP BY shop) SELECT shop, n FROM s'),
('full', '{shop}', 'WITH s AS (SELECT shop, count(*) AS n FROM ord GROUP BY shop) SELECT a.shop, a.n, b.n AS more FROM s a JOIN s b ON b.shop = a.shop + 1'),
-- windows
('keyed', '{shop}', 'SELECT id, shop, rank() OVER (PARTITION BY shop ORDER BY amount, id) AS r FROM ord'),
('keyed', '{shop}', 'SELECT id, shop, sum(amount) OVER (PARTITION BY shop ORDER BY id) AS upto FROM ord'),
('full', '{shop}', 'SELECT id, shop, rank() OVER (ORDER BY amount, id) AS r FROM ord'),
('full', '{shop}', 'SELECT id, shop, lag(amount) OVER (ORDER BY id) AS before FROM ord'),
('full', '{shop}', 'SELECT shop, count(*) AS n, sum(count(*)) OVER () AS all_n FROM ord GROUP BY shop'),
('full', '{shop}', 'SELECT shop, count(*) AS n, count(*) / sum(count(*)) OVER () AS share FROM ord GROUP BY shop'),
('full', '{id}', 'SELECT id, row_number() OVER (PARTITION BY shop ORDER BY id) AS r FROM ord'),
('full', '{shop}', 'SELECT id, shop, row_number() OVER (PARTITION BY kind ORDER BY id) AS r FROM ord'),
(NULL, '{shop}', 'SELECT id, shop, row_number() OVER (PARTITION BY shop, kind ORDER BY id) AS r FROM ord'),
('full', '{shop}', 'SELECT shop, n FROM (SELECT shop, count(*) AS n, row_number() OVER (ORDER BY count(*) DESC, shop) AS r FROM ord GROUP BY shop) t WHERE r <= 3'),
('keyed', '{shop}', 'SELECT id, shop FROM (SELECT id, shop, row_number() OVER (PARTITION BY shop ORDER BY id) AS r FROM ord) t WHERE r <= 2'),
('full', '{shop}', 'SELECT shop, ntile(4) OVER (ORDER BY sum(amount), shop) AS q FROM ord GROUP BY shop'),
('full', '{shop}', 'SELECT shop, first_value(kind) OVER (ORDER BY id) AS k, id FROM ord'),
-- top and distinct on
('keyed', '{shop}', 'SELECT DISTINCT ON (shop) shop, id, amount FROM ord ORDER BY shop, id'),
('full', '{kind}', 'SELECT DISTINCT ON (shop) shop, kind, id FROM ord ORDER BY shop, id'),
('full', '{shop}', 'SELECT id, shop FROM ord ORDER BY id LIMIT 10'),
('full', '{shop}', 'SELECT id, shop FROM ord ORDER BY id OFFSET 10'),
('full', '{shop}', 'SELECT shop, n FROM (SELECT shop, count(*) AS n FROM ord GROUP BY shop ORDER BY 2 DESC, 1 FETCH FIRST 4 ROWS ONLY) t'),
('keyed', '{shop}', 'SELECT s.shop, o.id FROM shp s CROSS JOIN LATERAL (SELECT id FROM ord WHERE ord.shop = s.shop ORDER BY id LIMIT 2) o'),
(NULL, '{shop}', 'SELECT s.shop, o.id FROM shp s LEFT JOIN LATERAL (SELECT id FROM ord WHERE ord.shop = s.shop ORDER BY id LIMIT 2) o ON true'),
('full', '{shop}', 'SELECT s.shop, o.id FROM shp s CROSS JOIN LATERAL (SELECT id FROM ord ORDER BY id LIMIT 2) o'),
-- inner joins
('keyed', '{shop}', 'SELECT o.shop, sum(i.quantity) AS n FROM ord o JOIN itm i ON i.ord = o.id GROUP BY o.shop'),
('keyed', '{shop,kind}', 'SELECT o.shop, o.kind, sum(i.quantity) AS n FROM ord o JOIN itm i ON i.ord = o.id GROUP BY o.shop, o.kind'),
('keyed', '{product}', 'SELECT i.product, count(*) AS n, sum(o.amount) AS total FROM itm i JOIN ord o ON o.id = i.ord GROUP BY i.product'),
('keyed', '{region}', 'SELECT s.region, count(*) AS n FROM shp s JOIN ord o ON o.shop = s.shop GROUP BY s.region'),
('keyed', '{region}', 'SELECT s.region, sum(i.quantity) AS n FROM shp s JOIN ord o ON o.shop = s.shop JOIN itm i ON i.ord = o.id GROUP BY s.region'),
('keyed', '{shop}', 'SELECT o.shop, s.name, count(*) AS n FROM ord o JOIN shp s ON s.shop = o.shop GROUP BY o.shop, s.name'),
('keyed', '{shop}', 'SELECT o.shop, max(s.name) AS name, sum(i.quantity) AS n FROM ord o JOIN shp s USING (shop) JOIN itm i ON i.ord = o.id GROUP BY o.shop'),
('keyed', '{id}', 'SELECT o.id, s.name, s.region FROM ord o JOIN shp s ON s.shop = o.shop'),
('keyed', '{item}', 'SELECT i.item, o.shop, s.region FROM itm i JOIN ord o ON o.id = i.ord JOIN shp s ON s.shop = o.shop'),
('keyed', '{shop}', 'SELECT a.shop, count(*) AS n FROM ord a JOIN ord b ON b.parent = a.id GROUP BY a.shop'),
('keyed', '{shop}', 'SELECT a.shop, count(*) AS n FROM ord a JOIN ord b ON b.id = a.parent GROUP BY a.shop'),
('keyed', '{shop}', 'SELECT a.shop, count(*) AS n FROM ord a JOIN ord b ON b.id = a.parent JOIN ord c ON c.id = b.parent GROUP BY a.shop'),
('keyed', '{kind}', 'SELECT b.kind, count(*) AS n FROM ord a JOIN ord b ON b.id = a.parent GROUP BY b.kind'),
('full', '{shop}', 'SELECT a.shop, count(*) AS n FROM ord a CROSS JOIN shp s GROUP BY a.shop'),
('full', '{shop}', 'SELECT a.shop, count(*) AS n FROM ord a JOIN ord b ON b.amount > a.amount GROUP BY a.shop'),
(NULL, '{shop}', 'SELECT o.shop, sum(i.quantity) AS n FROM ord o JOIN itm i ON i.ord = o.id AND i.quantity > o.amount GROUP BY o.shop'),
(NULL, '{shop,product}', 'SELECT o.shop, i.product, count(*) AS n FROM ord o JOIN itm i ON i.ord = o.id GROUP BY o.shop, i.product'),
(NULL, '{shop}', 'SELECT o.shop, count(*) AS n FROM ord o JOIN itm i ON i.ord = o.id + 1 GROUP BY o.shop'),
(NULL, '{shop}', 'SELECT o.shop, count(*) AS n FROM ord o JOIN itm i ON i.ord IN (o.id, o.parent) GROUP BY o.shop'),
(NULL, '{shop}', 'SELECT o.shop, count(*) AS n FROM ord o JOIN itm i ON i.ord = o.id OR i.product = o.shop GROUP BY o.shop'),
(NULL, '{region}', 'SELECT s.region, sum(o.n) AS n FROM shp s JOIN (SELECT shop, count(*) AS n FROM ord GROUP BY shop) o ON o.shop = s.shop GROUP BY s.region'),
(NULL, '{shop}', 'SELECT o.shop, sum(i.n) AS n FROM ord o JOIN (SELECT ord, sum(quantity) AS n FROM itm GROUP BY ord) i ON i.ord = o.id GROUP BY o.shop'),
-- outer joins
('keyed', '{shop}', 'SELECT o.shop, count(i.item) AS n FROM ord o LEFT JOIN itm i ON i.ord = o.id GROUP BY o.shop'),
('keyed', '{id}', 'SELECT o.id, s.name FROM ord o LEFT JOIN shp s ON s.shop = o.shop'),
('keyed', '{shop}', 'SELECT s.shop, s.name, count(o.id) AS n FROM shp s LEFT JOIN ord o ON o.shop = s.shop GROUP BY s.shop, s.name'),
(NULL, '{region}', 'SELECT s.region, count(*) AS n FROM ord o LEFT JOIN shp s ON s.shop = o.shop GROUP BY s.region'),
(NULL, '{name}', 'SELECT s.name, count(*) AS n FROM ord o LEFT JOIN shp s ON s.shop = o.shop AND o.done GROUP BY s.name'),
(NULL, '{shop}', 'SELECT o.shop, count(*) AS n FROM shp s RIGHT JOIN ord o ON o.shop = s.shop GROUP BY o.shop'),
(NULL, '{shop}', 'SELECT coalesce(o.shop, s.shop) AS shop, count(*) AS n FROM ord o FULL JOIN shp s ON s.shop = o.shop GROUP BY 1'),
(NULL, '{shop}', 'SELECT shop, count(*) AS n FROM ord FULL JOIN shp USING (shop) GROUP BY shop'),
(NULL, '{shop}', 'SELECT o.shop, max(p.amount) AS p FROM ord o LEFT JOIN ord p ON p.id = o.parent GROUP BY o.shop'),
(NULL, '{shop}', 'SELECT o.shop, count(p.id) AS p, count(i.item) AS i FROM ord o LEFT JOIN ord p ON p.id = o.parent LEFT JOIN itm i ON i.ord = p.id GROUP BY o.shop'),
(NULL, '{region}', 'SELECT s.region, count(*) AS n FROM itm i LEFT JOIN (ord o JOIN shp s ON s.shop = o.shop) ON o.id = i.ord GROUP BY s.region'),
-- semi- and anti-joins, subqueries
('keyed', '{shop}', 'SELECT shop, count(*) AS n FROM ord o WHERE EXISTS (SELECT FROM itm i WHERE i.ord = o.id) GROUP BY shop'),
('keyed', '{shop}', 'SELECT shop, count(*) AS n FROM ord o WHERE NOT EXISTS (SELECT FROM itm i WHERE i.ord = o.id) GROUP BY shop'),
(NULL, '{shop}', 'SELECT shop, count(*) AS n FROM ord o WHERE id IN (SELECT ord FROM itm) GROUP BY shop'),
('full', '{shop}', 'SELECT shop, count(*) AS n FROM ord o WHERE id NOT IN (SELECT ord FROM itm WHERE ord IS NOT NULL) GROUP BY shop'),
(NULL, '{shop}', 'SELECT shop, count(*) AS n FROM ord o WHERE id = ANY (SELECT ord FROM itm WHERE quantity > 1) GROUP BY shop'),
('full', '{shop}', 'SELECT shop, count(*) AS n FROM ord o WHERE amount > (SELECT avg(amount) FROM ord) GROUP BY shop'),
(NULL, '{shop}', 'SELECT shop, count(*) AS n FROM ord o WHERE amount >= (SELECT avg(a.amount) FROM ord a WHERE a.shop = o.shop) GROUP BY shop'),
('full', '{shop}', 'SELECT shop, count(*) AS n FROM ord o WHERE amount >= (SELECT avg(a.amount) FROM ord a WHERE a.amount < o.amount) GROUP BY shop'),
('keyed', '{id}', 'SELECT id, (SELECT sum(quantity) FROM itm i WHERE i.ord = o.id) AS n FROM ord o'),
('keyed', '{shop}', 'SELECT shop, name, (SELECT count(*) FROM ord o WHERE o.shop = s.shop) AS n FROM shp s'),
(NULL, '{shop}', 'SELECT shop, (SELECT max(name) FROM shp s WHERE s.shop = o.shop) AS name, count(*) AS n FROM ord o GROUP BY shop'),
(NULL, '{id}', 'SELECT id, ARRAY(SELECT item FROM itm i WHERE i.ord = o.id ORDER BY item) AS items FROM ord o'),
(NULL, '{id}', 'SELECT id, EXISTS (SELECT FROM itm i WHERE i.ord = o.id) AS has FROM ord o'),
('full', '{id}', 'SELECT id, (SELECT count(*) FROM shp) AS n FROM ord o'),
('full', '{id}', 'SELECT id, amount = (SELECT max(amount) FROM ord) AS best FROM ord o'),
(NULL, '{id}', 'SELECT id, amount = (SELECT max(a.amount) FROM ord a WHERE a.kind = o.kind) AS best FROM ord o'),
(NULL, '{id}', 'SELECT id, (SELECT max(a.amount) FROM ord a JOIN itm i ON i.ord = a.id WHERE a.parent = o.id) AS best FROM ord o'),
-- set operations
('keyed', '{shop}', 'SELECT shop, count(*) AS n FROM ord GROUP BY shop UNION ALL SELECT shop, -1 FROM shp WHERE name = ''none'' '),
('keyed', '{shop}', 'SELECT shop, sum(n) AS n FROM (SELECT shop, 1 AS n FROM ord UNION ALL SELECT shop, 100 FROM shp) u GROUP BY shop'),
('keyed', '{shop}', 'SELECT shop FROM ord UNION SELECT shop FROM shp'),
('keyed', '{shop}', 'SELECT shop FROM ord INTERSECT SELECT shop FROM shp'),
(NULL, '{shop}', 'SELECT shop FROM ord EXCEPT SELECT shop FROM shp'),
(NULL, '{shop}', 'SELECT shop FROM shp EXCEPT SELECT shop FROM ord'),
(NULL, '{shop,what}', 'SELECT shop, ''o'' AS what, count(*) AS n FROM ord GROUP BY shop UNION ALL SELECT shop, ''s'', 1 FROM shp'),
(NULL, '{x}', 'SELECT u.x, count(*) AS n FROM (SELECT shop AS x, id FROM ord UNION ALL SELECT product, ord FROM itm) u JOIN ord o ON o.id = u.id GROUP BY u.x'),
(NULL, '{shop}', 'SELECT o.shop, count(*) AS n FROM ord o JOIN (SELECT ord AS id FROM itm UNION ALL SELECT parent FROM ord) u ON u.id = o.id GROUP BY o.shop'),
(NULL, '{kind}', 'SELECT o.kind, count(*) AS n FROM (SELECT ord AS id, product FROM itm UNION ALL SELECT parent, shop FROM ord) u JOIN ord o ON o.id = u.id JOIN shp s ON s.shop = u.product GROUP BY o.kind'),
(NULL, '{shop}', 'SELECT u.shop, count(s.name) AS n FROM (SELECT shop, id FROM ord WHERE done UNION ALL SELECT shop, points FROM prt) u LEFT JOIN shp s ON s.shop = u.id GROUP BY u.shop'),
(NULL, '{shop}', 'SELECT u.shop, count(i.item) AS n FROM (SELECT shop, id FROM ord WHERE done UNION SELECT shop, shop FROM shp) u JOIN itm i ON i.ord = u.id GROUP BY u.shop'),
-- recursive
('full', '{root}', 'WITH RECURSIVE t AS (SELECT id AS root, id FROM ord WHERE parent IS NULL UNION SELECT t.root, o.id FROM t JOIN ord o ON o.parent = t.id) SELECT root, count(*) AS n FROM t GROUP BY root'),
(NULL, '{shop}', 'SELECT s.shop, r.n FROM shp s CROSS JOIN LATERAL (WITH RECURSIVE t AS (SELECT o.id FROM ord o WHERE o.shop = s.shop UNION SELECT c.id FROM t JOIN ord c ON c.parent = t.id) SELECT count(*) AS n FROM t) r'),
-- grouping sets, lateral, series, values
('full', '{shop}', 'SELECT shop, kind, count(*) AS n, grouping(shop, kind) AS g FROM ord GROUP BY ROLLUP (shop, kind)'),
(NULL, '{shop}', 'SELECT shop, kind, count(*) AS n, grouping(kind) AS g FROM ord GROUP BY GROUPING SETS ((shop, kind), (shop))'),
(NULL, '{shop}', 'SELECT g.shop, count(o.id) AS n FROM generate_series(1, 9) AS g (shop) LEFT JOIN ord o ON o.shop = g.shop GROUP BY g.shop'),
(NULL, '{shop}', 'SELECT v.shop, count(o.id) AS n FROM (VALUES (1), (2), (NULL)) AS v (shop) LEFT JOIN ord o ON o.shop = v.shop GROUP BY v.shop'),
(NULL, '{n}', 'SELECT g.n, count(*) AS c FROM ord o CROSS JOIN LATERAL generate_series(1, o.shop) AS g (n) GROUP BY g.n'),
(NULL, '{shop}', 'SELECT DISTINCT shop, unnest(ARRAY[kind, agent]) AS w FROM ord WHERE id < 20'),
(NULL, '{w}', 'SELECT unnest(ARRAY[kind, agent]) AS w, count(*) AS n FROM ord GROUP BY 1'),
(NULL, '{what}', 'SELECT ''all'' AS what, count(*) AS n FROM ord'),
(NULL, '{shop}', 'SELECT shop, x.n FROM shp CROSS JOIN LATERAL (SELECT count(*) AS n FROM ord WHERE ord.shop > shp.shop) x'),
-- literals, and columns of what is no table
('keyed', '{what}', 'SELECT ''a'' AS what, count(*) AS n FROM ord WHERE kind = ''a'''),
('keyed', '{what,shop}', 'SELECT ''o'' AS what, shop, count(*) AS n FROM ord GROUP BY shop UNION ALL SELECT ''p'', shop, sum(points) FROM prt GROUP BY shop'),
('keyed', '{what}', 'SELECT ''a'' AS what, count(*) AS n FROM ord WHERE kind = ''a'' UNION ALL SELECT ''i'', count(*) FROM itm WHERE product = 3'),
('keyed', '{what}', 'SELECT v.what, x.n FROM (VALUES (''a''), (''i''), (''none'')) AS v (what) CROSS JOIN LATERAL (SELECT count(*) AS n FROM (SELECT ''a'' AS what FROM ord WHERE kind = ''a'' UNION ALL SELECT ''i'' FROM itm WHERE product = 3) u WHERE u.what = v.what) x'),
('keyed', '{n}', 'SELECT g.n, x.c FROM generate_series(1, 9) AS g (n) CROSS JOIN LATERAL (SELECT count(*) AS c, min(id) AS first FROM ord o WHERE o.shop = g.n) x'),
('keyed', '{n,kind}', 'SELECT g.n, x.kind, x.c FROM generate_series(1, 9) AS g (n) CROSS JOIN LATERAL (SELECT o.kind, count(*) AS c FROM ord o WHERE o.shop = g.n GROUP BY o.kind) x'),
('full', '{n}', 'SELECT g.n, x.c FROM generate_series(1, 9) AS g (n) CROSS JOIN LATERAL (SELECT count(*) AS c FROM ord o WHERE o.shop < g.n) x'),
('full', '{n}', 'SELECT u.n, x.c FROM (SELECT n FROM generate_series(1, 3) AS g (n) UNION ALL VALUES (2), (7)) u CROSS JOIN LATERAL (SELECT count(*) AS c FROM ord o WHERE o.shop = u.n + 1) x'),
(NULL, '{n}', 'SELECT u.n, x.c FROM (SELECT n FROM generate_series(1, 3) AS g (n) UNION ALL VALUES (2), (7), (NULL)) u CROSS JOIN LATERAL (SELECT count(*) AS c FROM ord o WHERE o.shop = u.n) x'),
(NULL, '{n}', 'SELECT g.n, count(o.id) AS c FROM generate_series(1, 9) AS g (n) LEFT JOIN LATERAL (SELECT id FROM ord o WHERE o.shop = g.n LIMIT 3) o ON true GROUP BY g.n'),
(NULL, '{n}', 'SELECT nullif(g.n, 5) AS n, x.c FROM generate_series(1, 9) AS g (n) CROSS JOIN LATERAL (SELECT count(*) AS c FROM ord o WHERE o.shop = g.n) x'),
(NULL, '{n}', 'SELECT v.n, x.c FROM (VALUES (1), (NULL), (4)) AS v (n) CROSS JOIN LATERAL (SELECT count(*) AS c FROM ord o WHERE o.shop IS NOT DISTINCT FROM v.n) x'),
(NULL, '{what}', 'SELECT CASE WHEN count(*) > 50 THEN ''many'' ELSE ''few'' END AS what, count(*) AS n FROM ord WHERE kind = ''a'''),
(NULL, '{what}', 'SELECT ''a'' AS what, count(*) AS n, (SELECT count(*) FROM itm WHERE product = 3) AS i FROM ord WHERE kind = ''a'''),
-- partitions
('keyed', '{shop}', 'SELECT shop, sum(points) AS n FROM prt GROUP BY shop'),
('keyed', '{shop}', 'SELECT shop, sum(points) AS n FROM prt WHERE day < 10 GROUP BY shop'),
(NULL, '{day}', 'SELECT day, sum(points) AS n FROM prt GROUP BY day'),
('keyed', '{shop}', 'SELECT s.shop, sum(p.points) AS n FROM shp s JOIN prt p ON p.shop = s.shop GROUP BY s.shop'),
(NULL, '{region}', 'SELECT s.region, sum(p.points) AS n FROM shp s JOIN prt p ON p.shop = s.shop GROUP BY s.region'),
(NULL, '{shop}', 'SELECT p.shop, count(o.id) AS n FROM prt p JOIN ord o ON o.id = p.points GROUP BY p.shop'),
(NULL, '{shop}', 'SELECT p.shop, count(o.id) AS n FROM prt p LEFT JOIN ord o ON o.id = p.points GROUP BY p.shop'),
(NULL, '{shop}', 'SELECT p.shop, max(q.points) AS n FROM prt p JOIN prt q ON q.shop = p.points GROUP BY p.shop'),
-- steady and not
('full', '{id}', 'SELECT id, at < statement_timestamp() AS past FROM ord'),
('full', '{id}', 'SELECT id, age(at) AS age FROM ord'),
('full', '{id}', 'SELECT id, clock_timestamp() AS made FROM ord'),
('full', '{id}', 'SELECT id, gen_random_uuid() AS u FROM ord'),
('full', '{id}', 'SELECT id, CURRENT_USER::text AS who FROM ord'),
('full', '{id}', 'SELECT id, current_setting(''work_mem'') AS m FROM ord'),
('full', '{shop}', 'SELECT shop, count(*) AS n FROM ord TABLESAMPLE BERNOULLI (50) GROUP BY shop'),
('full', '{id}', 'SELECT id, pg_size_pretty(pg_relation_size(''app.ord'')) AS s FROM ord'),
('keyed', '{id}', 'SELECT id, ''now()'' AS word, to_char(at, ''YYYY'') AS y FROM ord'),
('full', '{shop}', 'SELECT o.shop, count(*) AS n FROM ord o JOIN pg_class c ON c.relname = o.kind GROUP BY o.shop'),
-- odd names
('keyed', '{"the group"}', 'SELECT "my alias".shop AS "the group", count(*) AS n FROM ord AS "my alias" GROUP BY 1'),
('keyed', '{shop}', 'SELECT chime_key.shop, sum(i.quantity) AS n FROM ord chime_key JOIN itm i ON i.ord = chime_key.id GROUP BY chime_key.shop'),
('keyed', '{shop}', 'SELECT marks.shop, sum(i.quantity) AS n FROM ord marks JOIN itm i ON i.ord = marks.id GROUP BY marks.shop');
