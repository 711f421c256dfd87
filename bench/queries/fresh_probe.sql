-- SPDX-License-Identifier: PostgreSQL
-- A probe writes a row and waits until each view's last committed refresh has consumed it: from the commit of the write
-- to that of the refresh, in ms. One after the other, so that a slow refresh is not counted once for every write that
-- waits for it.
CREATE SCHEMA bench;
CREATE TABLE bench.fresh (relation text NOT NULL, ms double precision NOT NULL);
CREATE PROCEDURE bench.probe(p_statement text, p_views text[], p_seconds double precision)
LANGUAGE plpgsql AS $$
DECLARE
    v_end timestamptz := clock_timestamp() + p_seconds * interval '1 second';
    v_left text[];
    v_done text[];
    v_id xid8;
    v_start timestamptz;
BEGIN
    WHILE clock_timestamp() < v_end LOOP
        EXECUTE p_statement;
        v_id := pg_current_xact_id();
        COMMIT;
        v_start := clock_timestamp();
        v_left := p_views;
        WHILE cardinality(v_left) > 0 LOOP
            SELECT coalesce(array_agg(r.relation::text), '{}') INTO v_done FROM chime.view_refresh r
             WHERE r.relation::text = ANY (v_left) AND pg_visible_in_snapshot(v_id, r.seen);
            INSERT INTO bench.fresh SELECT d, extract(epoch FROM clock_timestamp() - v_start) * 1000 FROM unnest(v_done) AS d;
            v_left := ARRAY(SELECT l FROM unnest(v_left) AS l WHERE l <> ALL (v_done));
            COMMIT;
            IF clock_timestamp() > v_start + interval '60 s' THEN
                RAISE EXCEPTION 'not fresh after 60 s: %', v_left;
            END IF;
            PERFORM pg_sleep(0.001);
        END LOOP;
        PERFORM pg_sleep(0.05 * random()); -- not in step with the looks
    END LOOP;
END $$;

-- A row like one of the first hundred, made now, with a key of its own.
CREATE FUNCTION bench.copy(p_table anyelement) RETURNS SETOF anyelement
LANGUAGE plpgsql AS $$
BEGIN
    RETURN QUERY EXECUTE format(
        'SELECT (jsonb_populate_record(s.original, CASE jsonb_typeof(to_jsonb(s.original) -> ''id'')
            WHEN ''number'' THEN jsonb_build_object(''id'', 1000000000000 + floor(random() * 1e15)::bigint)
            ELSE jsonb_build_object(''id'', gen_random_uuid()) END
            || CASE WHEN to_jsonb(s.original) ? ''created_at'' THEN jsonb_build_object(''created_at'', clock_timestamp())
                    ELSE jsonb_build_object(''createdAt'', clock_timestamp()) END)).*
         FROM (SELECT t AS original FROM %s AS t OFFSET floor(random() * 100) LIMIT 1) AS s', pg_typeof(p_table));
END $$;
