-- Capture for less: what a trigger costs the statement that most applications send, one that changes one row.
--
-- Of what capture cost such a statement about half was not the mark: three SET clauses (each call sets and resets them, and
-- search_path throws the namespace cache away twice), a DISTINCT over one row, the difference of two bags of one row each, and the two
-- stat() calls of pg_relation_size.

CREATE FUNCTION chime.capture_columns(p_columns name[], p_prefix text) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog
RETURN (SELECT string_agg(p_prefix || quote_ident(c), ', ' ORDER BY n) FROM unnest(p_columns) WITH ORDINALITY AS u (c, n));

-- As chime.comparable_columns, for a function without a search_path: format's %L calls the type's output function, never a cast,
-- which the owner of a type could have made, and tells NULL from every text.
CREATE FUNCTION chime.captured_values(p_source integer, p_columns name[]) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog
RETURN (
    SELECT string_agg(CASE WHEN chime.comparing_cast(k.known) = '' THEN quote_ident(k.name)
                           ELSE format('pg_catalog.format(%L, %I)', '%L', k.name) END, ', ' ORDER BY c.n)
    FROM unnest(p_columns) WITH ORDINALITY AS c (name, n) JOIN chime.source_columns(p_source) AS k ON k.name = c.name);

-- The SET clauses that a source's trigger function cannot do without. The operators of a type from elsewhere may be functions that
-- look names up; and a writer's own extra_float_digits could make different texts of floats equal.
CREATE FUNCTION chime.capture_settings(p_source integer) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog
RETURN (
    SELECT concat_ws(' ', CASE WHEN bool_or(greatest(k.known, k.now) >= 16384) THEN 'SET search_path = pg_catalog' END, -- FirstNormalObjectId
                     CASE WHEN bool_or(chime.comparing_cast(k.known) <> '') THEN 'SET extra_float_digits = 1' END)
    FROM chime.source_columns(p_source) AS k);

-- The trigger function of a source, which writes to its head. SECURITY DEFINER: writers have no rights here. Without a search_path of
-- its own, so every name and operator in it is qualified, and nothing in it looks an operator up unseen, as IS DISTINCT FROM, IN and
-- CASE do. new_rows and old_rows go before every relation of that name.
-- Their columns come from chime.known_rows, which has them all: "n.score" of a table whose score was renamed would be a call of the
-- writer's function score(n).
--
-- One row: the first statement of a branch marks it and tells by its row count whether there are more (then the first two may be
-- marks of one key). Its LIMIT also keeps the plan's
-- cost low: one made while the transition tables were large would else be compiled for each single row after it, for which the
-- branch of many rows turns jit off while it is planned. One row before and after an UPDATE is compared by its bytes: that calls no
-- function of the type, and sees 1.0 become 1.00. An UPDATE that moves a row between partitions may have lost its new row to a
-- trigger; it is never the other way round.
-- Many rows: the transition tables of an UPDATE are not paired, so what differs is found as the difference of two bags: in one
-- pass, since EXCEPT ALL both ways takes twice as long.
-- The setting chime.room_N tells which part had room when the session last looked. It looks again at its first statement, after
-- many rows, after a part that was full, and now and then. A mark is left out only where the part has just been seen full, so who
-- forges the setting adds to the log at most.
CREATE OR REPLACE FUNCTION chime.write_capture(p_source integer) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog AS $$
DECLARE
    v_source chime.source;
    v_keys text;
    v_both name[];
BEGIN
    SELECT * INTO STRICT v_source FROM chime.source WHERE source_id = p_source;
    v_keys := chime.capture_columns(v_source.captured, '');
    v_both := v_source.captured || v_source.declared;
    EXECUTE format($f$
        CREATE OR REPLACE FUNCTION chime.capture_%1$s() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER %13$s AS $body$
        #variable_conflict use_column
        DECLARE
            v_rows pg_catalog.int8;
            v_many pg_catalog.bool := false;
            v_jit pg_catalog.text;
        BEGIN
            IF coalesce(pg_catalog.current_setting('chime.room_%1$s', true), '') OPERATOR(pg_catalog.<>) %3$L
               OR pg_catalog.date_part('microseconds', pg_catalog.clock_timestamp())::pg_catalog.int4
                  OPERATOR(pg_catalog.%%) 16 OPERATOR(pg_catalog.=) 0 THEN
                IF pg_catalog.pg_relation_size(%3$L::pg_catalog.regclass) OPERATOR(pg_catalog.>=) %14$s THEN
                    PERFORM pg_catalog.set_config('chime.room_%1$s', '', false);
                    RETURN NULL; -- everything will be done instead
                END IF;
                PERFORM pg_catalog.set_config('chime.room_%1$s', %3$L, false);
            END IF;
            IF TG_OP OPERATOR(pg_catalog.=) 'INSERT' THEN
                INSERT INTO %2$s (%4$s) SELECT %4$s FROM %15$s LIMIT 2;
                GET DIAGNOSTICS v_rows = ROW_COUNT;
                v_many := v_rows OPERATOR(pg_catalog.=) 2;
            ELSIF TG_OP OPERATOR(pg_catalog.=) 'UPDATE' THEN
                INSERT INTO %2$s (%4$s)
                SELECT %7$s FROM %16$s CROSS JOIN %15$s
                WHERE NOT EXISTS (SELECT FROM old_rows OFFSET 1)
                  AND pg_catalog.record_image_eq(ROW(%7$s), ROW(%8$s))
                  AND pg_catalog.record_image_ne(ROW(%9$s), ROW(%10$s)) LIMIT 1;
                GET DIAGNOSTICS v_rows = ROW_COUNT;
                IF v_rows OPERATOR(pg_catalog.=) 0 THEN
                    PERFORM FROM %16$s LEFT JOIN %15$s ON true
                    WHERE EXISTS (SELECT FROM old_rows OFFSET 1) OR NOT EXISTS (SELECT FROM new_rows)
                       OR pg_catalog.record_image_ne(ROW(%11$s), ROW(%12$s)) LIMIT 1;
                    v_many := FOUND;
                END IF;
            ELSIF TG_OP OPERATOR(pg_catalog.=) 'DELETE' THEN
                INSERT INTO %2$s (%4$s) SELECT %4$s FROM %16$s LIMIT 2;
                GET DIAGNOSTICS v_rows = ROW_COUNT;
                v_many := v_rows OPERATOR(pg_catalog.=) 2;
            ELSE
                INSERT INTO %2$s (whole) VALUES (true);
            END IF;
            IF NOT v_many THEN
                RETURN NULL;
            END IF;
            v_jit := pg_catalog.current_setting('jit');
            PERFORM pg_catalog.set_config('jit', 'off', true);
            IF TG_OP OPERATOR(pg_catalog.=) 'INSERT' THEN
                INSERT INTO %2$s (%4$s) SELECT DISTINCT %4$s FROM (SELECT %4$s FROM %15$s OFFSET 2) AS d;
            ELSIF TG_OP OPERATOR(pg_catalog.=) 'DELETE' THEN
                INSERT INTO %2$s (%4$s) SELECT DISTINCT %4$s FROM (SELECT %4$s FROM %16$s OFFSET 2) AS d;
            ELSE
                INSERT INTO %2$s (%4$s)
                SELECT DISTINCT %4$s
                FROM (SELECT %4$s, %5$s, 1 FROM %15$s UNION ALL SELECT %4$s, %5$s, -1 FROM %16$s) AS d (%6$s, compared_0)
                GROUP BY %6$s HAVING pg_catalog.sum(compared_0) OPERATOR(pg_catalog.<>) 0;
            END IF;
            PERFORM pg_catalog.set_config('jit', v_jit, true), pg_catalog.set_config('chime.room_%1$s', '', false);
            RETURN NULL;
        END $body$;$f$,
        p_source, chime.part_name(p_source, v_source.head), chime.part_name(p_source, v_source.head), v_keys,
        chime.captured_values(p_source, v_source.declared),
        v_keys || (SELECT string_agg(', compared_' || n, '') FROM generate_series(1, cardinality(v_source.declared)) AS n),
        chime.capture_columns(v_source.captured, 'new_rows.'), chime.capture_columns(v_source.captured, 'old_rows.'),
        chime.capture_columns(v_source.declared, 'new_rows.'), chime.capture_columns(v_source.declared, 'old_rows.'),
        chime.capture_columns(v_both, 'new_rows.'), chime.capture_columns(v_both, 'old_rows.'),
        chime.capture_settings(p_source), chime.part_limit(), chime.known_rows(p_source, 'new_rows'), chime.known_rows(p_source, 'old_rows'));
    EXECUTE format('REVOKE ALL ON FUNCTION chime.capture_%s() FROM PUBLIC', p_source);
END $$;

SELECT chime.write_capture(source_id) FROM chime.source WHERE chime.source_oid(source_id) IS NOT NULL;
REVOKE ALL ON ALL FUNCTIONS IN SCHEMA chime FROM PUBLIC;
