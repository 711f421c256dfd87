-- SPDX-License-Identifier: PostgreSQL
-- The judge of test_keyed_property.c: in one snapshot, every key of a view without a pending mark equals the
-- definition, computed here by other statements than the views'.

SELECT app.install_event_total();
SELECT app.install_kind_total();
SELECT app.install('shop_sum',
    'SELECT o.shop, sum(i.quantity) AS quantity, e.points FROM orders o JOIN items i ON i.order_id = o.id'
    ' LEFT JOIN event_total e ON e.shop = o.shop GROUP BY o.shop, e.points', '{shop}',
    '[{"table": "orders", "columns": ["id", "shop"], "capture": ["shop"]},
      {"table": "items", "columns": ["order_id", "quantity"], "capture": ["order_id"],
       "map": "SELECT o.shop FROM marks m JOIN orders o ON o.id = m.order_id"},
      {"table": "event_total", "columns": ["shop", "points"], "capture": ["shop"]}]');

-- How refreshes went.
CREATE TABLE app.told (relation name, reason text, duration_us bigint);
CREATE FUNCTION app.tell() RETURNS trigger LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO app.told VALUES (NEW.relation, NEW.reason, NEW.duration_us);
    RETURN NULL;
END $$;
CREATE TRIGGER tell AFTER UPDATE ON chime.view_refresh FOR EACH ROW EXECUTE FUNCTION app.tell();

-- Parts are begun and dropped all the time, and are full now and then.
CREATE OR REPLACE FUNCTION chime.part_size() RETURNS bigint LANGUAGE sql IMMUTABLE RETURN 16384;
CREATE OR REPLACE FUNCTION chime.part_limit() RETURNS bigint LANGUAGE sql IMMUTABLE RETURN 1000000;
CREATE OR REPLACE FUNCTION chime.room_for() RETURNS interval LANGUAGE sql IMMUTABLE RETURN '1 second'::interval;
SELECT chime.write_capture(source_id), chime.give_room(source_id, '-infinity') FROM chime.source;

INSERT INTO app.orders (shop, kind, extra) SELECT i % 400, chr(97 + i % 5), json_build_object('v', i) FROM generate_series(1, 3000) i;
INSERT INTO app.items (order_id, quantity) SELECT 1 + i % 3000, i FROM generate_series(1, 3000) i;
INSERT INTO app.events SELECT i % 400, i % 20, i FROM generate_series(1, 3000) i;

CREATE FUNCTION app.pending(p_table text) RETURNS text LANGUAGE sql AS $$
    SELECT format('%s c WHERE NOT pg_visible_in_snapshot(c.chime_xid, $1)', chime.log_name(source_id))
    FROM chime.source WHERE source_table = p_table
$$;

CREATE TABLE app.judged (relation text, sources text[], live text, kept text, marks text);
INSERT INTO app.judged VALUES
    ('event_total', '{events}',
     'SELECT ROW(e.shop)::text AS key, ROW(sum(e.points), (array_agg(e.day ORDER BY e.day DESC))[1])::text AS value
      FROM (SELECT * FROM app.events OFFSET 0) e GROUP BY ROW(e.shop)::text',
     'SELECT ROW(shop)::text AS key, ROW(points, day)::text AS value FROM kept.event_total',
     'SELECT ROW(c.shop)::text AS key FROM ' || app.pending('events')),
    ('kind_total', '{orders}',
     'SELECT DISTINCT ON (o.shop, o.kind) ROW(o.shop, o.kind)::text AS key,
             ROW(count(*) OVER w, max(o.extra ->> ''v'') OVER w)::text AS value
      FROM app.orders o WINDOW w AS (PARTITION BY o.shop, o.kind)',
     'SELECT ROW(shop, kind)::text AS key, ROW(n, v)::text AS value FROM kept.kind_total',
     'SELECT ROW(c.shop, c.kind)::text AS key FROM ' || app.pending('orders')),
    ('shop_sum', '{orders,items,event_total}',
     'SELECT ROW(o.shop)::text AS key,
             ROW(sum((SELECT sum(i.quantity) FROM app.items i WHERE i.order_id = o.id)),
                 (SELECT e.points FROM kept.event_total e WHERE e.shop = o.shop))::text AS value
      FROM app.orders o WHERE EXISTS (SELECT FROM app.items i WHERE i.order_id = o.id) GROUP BY o.shop',
     'SELECT ROW(shop)::text AS key, ROW(quantity, points)::text AS value FROM kept.shop_sum',
     'SELECT ROW(c.shop)::text AS key FROM ' || app.pending('orders') ||
     ' UNION SELECT ROW(c.shop)::text FROM ' || app.pending('event_total') ||
     ' UNION SELECT ROW(o.shop)::text FROM app.orders o WHERE o.id IN (SELECT c.order_id FROM ' || app.pending('items') || ')');

-- Whether all of a view counts as marked.
CREATE FUNCTION app.all_is_pending(p_view app.judged) RETURNS boolean LANGUAGE plpgsql AS $$
DECLARE
    r chime.view_refresh;
    v_table text;
    v_whole boolean;
BEGIN
    SELECT * INTO STRICT r FROM chime.view_refresh WHERE relation = p_view.relation;
    IF r.seen IS NULL OR r.fingerprint IS DISTINCT FROM chime.view_fingerprint('kept', p_view.relation)
       OR chime.uncaptured_sources('kept', p_view.relation) IS NOT NULL OR chime.flooded('kept', p_view.relation) THEN
        RETURN true;
    END IF;
    FOREACH v_table IN ARRAY p_view.sources LOOP
        EXECUTE format('SELECT EXISTS (SELECT FROM %s AND c.chime_whole IS NOT NULL)', app.pending(v_table)) INTO v_whole USING r.seen;
        IF v_whole THEN
            RETURN true;
        END IF;
    END LOOP;
    RETURN false;
END $$;

CREATE FUNCTION app.judge(OUT wrong bigint, OUT mixed bigint, OUT everything bigint, OUT detail text) LANGUAGE plpgsql AS $$
DECLARE
    v app.judged;
    r record;
BEGIN
    wrong := 0; mixed := 0; everything := 0;
    FOR v IN SELECT * FROM app.judged LOOP
        IF app.all_is_pending(v) THEN
            everything := everything + 1;
            CONTINUE;
        END IF;
        EXECUTE format($f$
            WITH live AS MATERIALIZED (%s), kept AS MATERIALIZED (%s), marks AS MATERIALIZED (%s),
            keys AS (SELECT key, l.value AS live, k.value AS kept, EXISTS (SELECT FROM marks m WHERE m.key = b.key) AS marked
                     FROM (SELECT key FROM live UNION SELECT key FROM kept) b
                     LEFT JOIN live l USING (key) LEFT JOIN kept k USING (key))
            SELECT count(*) FILTER (WHERE NOT marked AND live IS DISTINCT FROM kept) AS wrong, count(*) FILTER (WHERE marked) AS marked,
                   count(*) FILTER (WHERE NOT marked) AS unmarked,
                   (array_agg(concat_ws(' ', key, 'is', coalesce(kept, 'absent'), 'not', coalesce(live, 'absent')))
                    FILTER (WHERE NOT marked AND live IS DISTINCT FROM kept))[1:3] AS examples
            FROM keys$f$, v.live, v.kept, v.marks) INTO r
          USING (SELECT seen FROM chime.view_refresh WHERE relation = v.relation);
        wrong := wrong + r.wrong;
        mixed := mixed + (r.marked > 0 AND r.unmarked > 0)::integer;
        IF r.wrong > 0 THEN
            detail := concat_ws('; ', detail, v.relation || ': ' || r.examples::text);
        END IF;
    END LOOP;
END $$;

-- RELATION__now against the same definitions, in one snapshot for each view: "" or which differ. kept_too: those in
-- which some rows are the kept ones and some are not.
CREATE FUNCTION app.judge_now(OUT wrong text, OUT kept_too bigint) LANGUAGE plpgsql AS $$
DECLARE
    v app.judged;
    r record;
BEGIN
    wrong := ''; kept_too := 0;
    LOCK TABLE app.orders, app.items, app.events, kept.event_total IN SHARE UPDATE EXCLUSIVE MODE;
    FOR v IN SELECT * FROM app.judged LOOP
        EXECUTE format($f$
            WITH live AS MATERIALIZED (%s), now AS MATERIALIZED (%s), kept AS MATERIALIZED (%s)
            SELECT (SELECT string_agg(concat_ws(' ', key, 'is', coalesce(n.value, 'absent'), 'not', coalesce(l.value, 'absent')), '; ')
                    FROM live l FULL JOIN now n USING (key) WHERE n.value IS DISTINCT FROM l.value) AS wrong,
                   EXISTS (SELECT FROM now n LEFT JOIN kept k USING (key) WHERE k.value IS DISTINCT FROM n.value)
                   AND EXISTS (SELECT FROM now n JOIN kept k USING (key) WHERE k.value = n.value) AS mixed$f$,
            v.live, regexp_replace(v.kept, 'FROM kept\.(\w+)', 'FROM kept.\1__now'), v.kept) INTO r;
        wrong := wrong || coalesce(v.relation || ': ' || left(r.wrong, 200) || E'\n', '');
        kept_too := kept_too + r.mixed::integer;
    END LOOP;
END $$;

-- For a writer, amid its own transaction.
CREATE FUNCTION app.check_now() RETURNS void LANGUAGE plpgsql AS $$
DECLARE v_wrong text := (SELECT wrong FROM app.judge_now());
BEGIN
    IF v_wrong <> '' THEN
        RAISE 'in a transaction that wrote %', v_wrong USING ERRCODE = 'CH999';
    END IF;
END $$;

-- As upkeep does: that a source was altered is no reason to compute everything any more.
CREATE FUNCTION app.vet() RETURNS void LANGUAGE plpgsql AS $$
BEGIN
    PERFORM chime.note_vetted(view_schema, relation) FROM chime.view;
END $$;

-- How many rows of all views are not as they should be, now.
CREATE FUNCTION app.differences() RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE
    v app.judged;
    n bigint;
    total bigint := 0;
BEGIN
    FOR v IN SELECT * FROM app.judged LOOP
        EXECUTE format('SELECT count(*) FROM (%s) l FULL JOIN (%s) k USING (key, value) WHERE l.key IS NULL OR k.key IS NULL',
                       v.live, v.kept) INTO n;
        total := total + n;
    END LOOP;
    RETURN total;
END $$;

-- The same function with the marks taken last.
CREATE FUNCTION app.take_last(p_view text) RETURNS void LANGUAGE plpgsql AS $$
DECLARE
    v_function regprocedure := (SELECT format('chime.keyed_%s(pg_snapshot, text, boolean, bigint, double precision, double precision, boolean)', view_id)
                                FROM chime.view WHERE relation = p_view)::regprocedure;
    v_wrong text := regexp_replace(pg_get_functiondef(v_function), 'END \$(\w+)\$\s*$',
                                   E'PERFORM pg_sleep(0.03); seen := chime.snapshot_to_keep(); END \$\\1\$');
BEGIN
    IF v_wrong = pg_get_functiondef(v_function) THEN
        RAISE 'its text has another form';
    END IF;
    EXECUTE v_wrong;
END $$;
