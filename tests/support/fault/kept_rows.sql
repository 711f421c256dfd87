-- SPDX-License-Identifier: PostgreSQL
-- The oracle of tests/faults/test_kept_rows.c: what ought to be there, and whether it is, once and with its exact
-- values. STABLE: all that a look reads is of one snapshot.
CREATE SCHEMA proof;
GRANT USAGE ON SCHEMA proof TO PUBLIC;

-- Rows of event tables, as their writers left them; rows past the cold limit may be gone.
CREATE TABLE proof.wanted (source text, id bigint, body jsonb NOT NULL, PRIMARY KEY (source, id));
-- Tables that are nobody's but an administrator's, wherever they are and whatever they are called.
CREATE TABLE proof.stranger (oid oid PRIMARY KEY, content text NOT NULL);
-- Columns that an administrator gave to a kept relation, and the groups for which he wrote something into them: no
-- group ever ends.
CREATE TABLE proof.added (oid oid PRIMARY KEY, shops integer[] NOT NULL);
-- Partitions and other tables of event rows that an administrator renamed.
CREATE SEQUENCE proof.number;

CREATE TABLE public.shop_sales (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, shop integer NOT NULL, amount integer NOT NULL);
CREATE INDEX ON public.shop_sales (shop);
INSERT INTO public.shop_sales (shop, amount) SELECT n % 20, n FROM generate_series(1, 200) AS n;

CREATE FUNCTION proof.content(p_relation oid) RETURNS text LANGUAGE plpgsql STABLE AS $$
DECLARE v_content text;
BEGIN
    EXECUTE format('SELECT md5(string_agg(t::text, '' '' ORDER BY t::text)) FROM %s AS t', p_relation::regclass) INTO v_content;
    RETURN v_content;
END $$;

-- Rows of an event table wherever they are: hot, cold, or in a cold table that somebody renamed.
CREATE FUNCTION proof.there(p_source text) RETURNS TABLE (id bigint, body jsonb) LANGUAGE plpgsql STABLE AS $$
DECLARE v_relation regclass;
BEGIN
    FOR v_relation IN
        SELECT c.oid FROM pg_class c WHERE c.oid = to_regclass(format('public.%I', p_source))
           OR (c.relkind = 'r' AND c.relnamespace = to_regnamespace('analytics') AND c.relname ~ format('^(cold|archive_\d+)_%s$', p_source)
               AND c.oid NOT IN (SELECT s.oid FROM proof.stranger s)) LOOP
        RETURN QUERY EXECUTE format('SELECT t.id, jsonb_strip_nulls(to_jsonb(t)) FROM %s AS t', v_relation);
    END LOOP;
END $$;

CREATE FUNCTION proof.wrong_rows(p_source text) RETURNS SETOF text LANGUAGE sql STABLE AS $$
    WITH there AS MATERIALIZED (SELECT * FROM proof.there(p_source)),
    wanted AS MATERIALIZED (SELECT w.id, jsonb_strip_nulls(w.body) AS body FROM proof.wanted w WHERE w.source = p_source)
    (SELECT format('%s %s is lost: %s', p_source, w.id, w.body) FROM wanted w
     WHERE NOT EXISTS (SELECT FROM there t WHERE t.id = w.id) AND (w.body ->> 'created_at')::timestamptz > now() - interval '80 days' LIMIT 5)
    UNION ALL
    (SELECT format('%s %s is there %s times', p_source, t.id, count(*)) FROM there t GROUP BY t.id HAVING count(*) > 1 LIMIT 5)
    UNION ALL
    (SELECT format('%s %s is %s, expected %s', p_source, t.id, t.body, w.body) FROM there t LEFT JOIN wanted w USING (id)
     WHERE t.body IS DISTINCT FROM w.body LIMIT 5)
$$;

CREATE FUNCTION proof.wrong_notes(p_added proof.added) RETURNS text LANGUAGE plpgsql STABLE AS $$
DECLARE v_lost text;
BEGIN
    IF NOT EXISTS (SELECT FROM pg_attribute t WHERE t.attrelid = p_added.oid AND t.attname = 'note' AND NOT t.attisdropped) THEN
        RETURN format('column note of %s is gone', p_added.oid);
    END IF;
    EXECUTE format('SELECT string_agg(s::text, '', '') FROM unnest($1) AS s WHERE NOT EXISTS (SELECT FROM %s t WHERE t.shop = s AND t.note = ''n'' || s)',
                   p_added.oid::regclass) INTO v_lost USING p_added.shops;
    RETURN format('notes of %s are lost for shops ', p_added.oid::regclass) || v_lost;
END $$;

CREATE FUNCTION proof.wrong() RETURNS SETOF text LANGUAGE sql STABLE AS $$
    SELECT proof.wrong_rows('agent_queries') UNION ALL SELECT proof.wrong_rows('chat_telemetry')
    UNION ALL
    SELECT format('the stranger %s is gone', s.oid) FROM proof.stranger s WHERE NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = s.oid)
    UNION ALL
    SELECT format('the stranger %s has other rows', s.oid::regclass) FROM proof.stranger s JOIN pg_class c USING (oid)
     WHERE proof.content(s.oid) IS DISTINCT FROM s.content
    UNION ALL
    SELECT w FROM proof.added a CROSS JOIN LATERAL proof.wrong_notes(a) AS w WHERE w IS NOT NULL
$$;

-- --- what an administrator does --------------------------------------------------------------------------------------

CREATE FUNCTION proof.next_name(p_prefix text) RETURNS text LANGUAGE sql AS $$ SELECT p_prefix || '_' || nextval('proof.number') $$;

-- A relation gives its name up: renamed, moved to another schema, or, where it is not a stranger, dropped.
CREATE FUNCTION proof.clear(p_name text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    v_old regclass := to_regclass('analytics.' || p_name);
    v_new text := proof.next_name(p_name);
    v_kind text;
BEGIN
    IF v_old IS NULL THEN
        RETURN 'nothing';
    END IF;
    SELECT CASE relkind WHEN 'm' THEN 'MATERIALIZED VIEW' WHEN 'v' THEN 'VIEW' ELSE 'TABLE' END INTO v_kind FROM pg_class WHERE oid = v_old;
    IF random() < 0.3 AND NOT EXISTS (SELECT FROM proof.stranger s WHERE s.oid = v_old) THEN
        DELETE FROM proof.added a WHERE a.oid = v_old;
        EXECUTE format('DROP %s %s', v_kind, v_old);
        RETURN 'dropped';
    END IF;
    EXECUTE format('ALTER %s %s RENAME TO %I', v_kind, v_old, v_new);
    IF random() < 0.3 THEN
        EXECUTE format('ALTER %s analytics.%I SET SCHEMA public', v_kind, v_new);
    END IF;
    RETURN 'renamed';
END $$;

-- A table or a materialized view of somebody's own script under a name that pgchime wants, sometimes with the very
-- columns.
CREATE FUNCTION proof.squat(p_name text) RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    v_cleared text := proof.clear(p_name);
    v_kind text := CASE WHEN random() < 0.3 THEN 'MATERIALIZED VIEW' ELSE 'TABLE' END;
BEGIN
    EXECUTE format('CREATE %s analytics.%I AS SELECT n AS shop, 5::bigint AS n, (random() * 1000000)::bigint AS total FROM generate_series(1, 9) AS n',
                   v_kind, p_name);
    EXECUTE format('ALTER %s analytics.%I OWNER TO pgchime', v_kind, p_name);
    INSERT INTO proof.stranger SELECT c, proof.content(c) FROM to_regclass('analytics.' || p_name) AS c;
    RETURN v_cleared;
END $$;

CREATE FUNCTION proof.add_column() RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    IF EXISTS (SELECT FROM proof.stranger s WHERE s.oid = to_regclass('analytics.shop_totals')) THEN
        RETURN 'none: it is a stranger, whose content is noted';
    END IF;
    ALTER TABLE analytics.shop_totals ADD COLUMN note text DEFAULT 'mine';
    UPDATE analytics.shop_totals SET note = 'n' || shop;
    INSERT INTO proof.added SELECT to_regclass('analytics.shop_totals'), coalesce(array_agg(t.shop), '{}') FROM analytics.shop_totals t;
    RETURN 'added';
END $$;

CREATE FUNCTION proof.take_columns() RETURNS bigint LANGUAGE plpgsql AS $$
DECLARE v_oid oid; v_count bigint := 0;
BEGIN
    FOR v_oid IN DELETE FROM proof.added RETURNING oid LOOP
        EXECUTE format('ALTER TABLE %s DROP COLUMN note', v_oid::regclass);
        v_count := v_count + 1;
    END LOOP;
    RETURN v_count;
END $$;

-- He does what hints ask for: takes his columns away, drops what he renamed and what still reads the live view, and
-- moves his relation off the name.
CREATE FUNCTION proof.heed() RETURNS text LANGUAGE plpgsql AS $$
DECLARE
    v_columns bigint := proof.take_columns();
    v_view regclass;
    v_dropped text;
BEGIN
    FOR v_view IN SELECT c.oid FROM pg_class c
                  WHERE c.relkind = 'm' AND c.relname ~ '^shop_totals_\d+$' AND pg_get_viewdef(c.oid) ~ 'shop_totals__live'
                    AND c.oid NOT IN (SELECT s.oid FROM proof.stranger s) LOOP
        EXECUTE format('DROP MATERIALIZED VIEW %s', v_view);
        v_dropped := concat_ws(', ', v_dropped, v_view::text);
    END LOOP;
    IF EXISTS (SELECT FROM proof.stranger s WHERE s.oid = to_regclass('analytics.shop_totals')) THEN
        PERFORM proof.clear('shop_totals');
    END IF;
    RETURN format('columns %s, dropped %s', v_columns, v_dropped);
END $$;

CREATE FUNCTION proof.archive(p_source text) RETURNS text LANGUAGE plpgsql AS $$
BEGIN
    IF to_regclass('analytics.cold_' || p_source) IS NULL OR EXISTS (
        SELECT FROM proof.stranger s WHERE s.oid = to_regclass('analytics.cold_' || p_source)) THEN
        RETURN NULL;
    END IF;
    EXECUTE format('ALTER TABLE analytics.%I RENAME TO %I', 'cold_' || p_source, format('archive_%s_%s', nextval('proof.number'), p_source));
    RETURN 'archived';
END $$;

-- The administrator's own changes: none of them may cost a row.
CREATE FUNCTION proof.administer(p_choice integer) RETURNS text LANGUAGE plpgsql SET lock_timeout = '2s' AS $$
BEGIN
    RETURN CASE p_choice
        WHEN 0 THEN 'squat: ' || proof.squat('shop_totals')
        WHEN 1 THEN 'column: ' || proof.add_column()
        WHEN 2 THEN 'columns taken: ' || proof.take_columns()
        WHEN 3 THEN 'clear: ' || proof.clear('shop_totals')
        WHEN 4 THEN 'archive: ' || coalesce(proof.archive('chat_telemetry'), proof.archive('agent_queries'), 'nothing')
        ELSE proof.define(p_choice)
        END;
END $$;

CREATE FUNCTION proof.define(p_choice integer) RETURNS text LANGUAGE plpgsql AS $$
DECLARE v_name text := proof.next_name('extra');
BEGIN
    IF p_choice = 5 THEN
        EXECUTE format('ALTER TABLE chat_telemetry ADD COLUMN %I integer', v_name);
    ELSIF p_choice = 6 THEN
        EXECUTE format('CREATE INDEX %I ON analytics.shop_totals (total)', v_name);
        COMMENT ON COLUMN analytics.shop_totals.total IS 'mine';
    ELSIF p_choice = 7 THEN
        REASSIGN OWNED BY pgchime TO ann;
        REASSIGN OWNED BY ann TO pgchime;
    ELSIF p_choice = 8 THEN
        EXECUTE format('CREATE TABLE analytics.%I (LIKE analytics.shop_totals INCLUDING ALL)', v_name);
        EXECUTE format('INSERT INTO analytics.%I SELECT * FROM analytics.shop_totals', v_name);
        INSERT INTO proof.stranger SELECT c, proof.content(c) FROM to_regclass(format('analytics.%I', v_name)) AS c;
    ELSE
        EXECUTE 'ALTER TABLE analytics.shop_totals__live RENAME TO ' || v_name;
        EXECUTE format('ALTER VIEW analytics.%I RENAME TO shop_totals__live', v_name);
    END IF;
    RETURN format('definition %s', p_choice);
END $$;
