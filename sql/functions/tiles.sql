-- SPDX-License-Identifier: PostgreSQL
-- Tiles: the leader writes them down and vets them (docs/adr/0035); whoever shows them only reads.

-- Whether a query is what it was is asked at each use (chime.condition_reach). Only the leader, who may write, parses
-- it again.
CREATE OR REPLACE FUNCTION chime.tile_probe(p_query text) RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
RETURN regexp_replace(p_query, '\$1(?!\d)', '(NULL::pg_catalog.text)', 'g');
COMMENT ON FUNCTION chime.tile_probe IS 'a query as a view can have it, which knows no parameters';

-- Numbers that a reader of JSON would not have exactly are texts; so is all that JSON has no form for, JSON too.
CREATE OR REPLACE FUNCTION chime.tile_cell(p_column name, p_type regtype) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN CASE
    WHEN p_type IN ('smallint'::regtype, 'integer', 'boolean', 'timestamptz', 'timestamp', 'date') THEN format('pg_catalog.to_json(q.%I)', p_column)
    WHEN p_type IN ('bigint'::regtype, 'real', 'double precision', 'numeric')
    THEN format('CASE WHEN q.%1$I BETWEEN -1000000000000000::%2$s AND 1000000000000000::%2$s THEN pg_catalog.to_json(q.%1$I)'
                ' ELSE pg_catalog.to_json(q.%1$I::pg_catalog.text) END', p_column, p_type)
    ELSE format('pg_catalog.to_json(chime.sendable(pg_catalog.left(q.%I::pg_catalog.text, 4000)))', p_column) END;
COMMENT ON FUNCTION chime.tile_cell IS 'the expression that makes JSON of a column';

CREATE OR REPLACE FUNCTION chime.tile_type(p_type regtype) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN CASE WHEN p_type IN ('smallint'::regtype, 'integer', 'bigint', 'real', 'double precision', 'numeric') THEN 'number'
            WHEN p_type IN ('timestamptz'::regtype, 'timestamp', 'date') THEN 'instant'
            WHEN p_type = 'boolean'::regtype THEN 'boolean' ELSE 'text' END;
COMMENT ON FUNCTION chime.tile_type IS 'what a column is to whoever draws it: number, instant, boolean or text';

CREATE OR REPLACE FUNCTION chime.tile_columns(p_search_path text, p_query text, OUT columns json, OUT cells text)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE v_parsed text := 'chime.vetting_' || pg_backend_pid();
BEGIN
    PERFORM set_config('search_path', p_search_path, true);
    EXECUTE format(E'CREATE VIEW %s AS SELECT q.* FROM (%s\n) AS q', v_parsed, chime.tile_probe(p_query));
    PERFORM set_config('search_path', 'pg_catalog, pg_temp', true);
    SELECT json_agg(json_build_object('name', a.attname, 'type', chime.tile_type(a.atttypid)) ORDER BY a.attnum),
           string_agg(chime.tile_cell(a.attname, a.atttypid), ', ' ORDER BY a.attnum)
      INTO columns, cells FROM pg_attribute a WHERE a.attrelid = v_parsed::regclass AND a.attnum > 0;
    EXECUTE format('DROP VIEW %s', v_parsed);
END $$;
COMMENT ON FUNCTION chime.tile_columns IS 'the columns of a query now, and what makes JSON of them';

-- As chime.vet_condition: what is written down is what was there before the look.
CREATE OR REPLACE FUNCTION chime.vet_tile(p_tile chime.tile) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_path text := format('%I, pg_temp', p_tile.view_schema);
    v_query text := rtrim(p_tile.query, E'; \n\t');
    v_made record;
    v_statements text[];
    v_named text[];
    v_before text := chime.condition_reach(p_tile.named);
BEGIN
    FOR v_look IN 1..2 LOOP
        SELECT * INTO v_made FROM chime.tile_columns(v_path, v_query);
        v_statements := ARRAY[
            format(E'SELECT pg_catalog.json_build_array(%s)::pg_catalog.text AS cells FROM (SELECT * FROM (%s\n) AS q LIMIT 501) AS q', v_made.cells, v_query),
            CASE WHEN p_tile.choices IS NOT NULL
                 THEN format(E'SELECT chime.sendable(pg_catalog.left(q.value::pg_catalog.text, 255)) AS value,'
                             ' chime.sendable(pg_catalog.left(q.label::pg_catalog.text, 255)) AS label FROM (%s\n) AS q (value, label)',
                             rtrim(p_tile.choices, E'; \n\t')) END];
        v_named := ARRAY(SELECT DISTINCT n FROM unnest(v_statements) AS s CROSS JOIN LATERAL chime.vet_parsed(
                             format('tile %s/%s', p_tile.plugin, p_tile.tile), chime.parse_query(v_path, chime.tile_probe(s), NULL, NULL)) AS f
                         CROSS JOIN LATERAL unnest(f.named) AS n WHERE s IS NOT NULL ORDER BY n);
        EXIT WHEN v_named = p_tile.named;
        p_tile.named := v_named;
        v_before := CASE v_look WHEN 1 THEN chime.condition_reach(v_named) END;
    END LOOP;
    UPDATE chime.tile t
       SET columns = v_made.columns, statement = v_statements[1], choices_statement = v_statements[2],
           named = v_named, vetted = v_before, problem = NULL
     WHERE t.plugin = p_tile.plugin AND t.tile = p_tile.tile;
END $$;
COMMENT ON FUNCTION chime.vet_tile IS 'refuses a tile that reaches code of an owner whom nobody trusts, or whose queries cannot be read; else it can be shown';

-- By the leader, once plugins are installed and at each look for alerts.
CREATE OR REPLACE FUNCTION chime.vet_tiles() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE v_tile chime.tile;
BEGIN
    FOR v_tile IN SELECT t.* FROM chime.tile t JOIN chime.plugin p ON p.name = t.plugin
                  WHERE p.state = 'installed' AND (t.vetted IS NULL OR t.vetted <> chime.condition_reach(t.named)) ORDER BY t.plugin, t.tile LOOP
        BEGIN
            PERFORM chime.vet_tile(v_tile);
        EXCEPTION WHEN OTHERS THEN
            UPDATE chime.tile t SET vetted = NULL, problem = left(SQLERRM, 1000)
             WHERE t.plugin = v_tile.plugin AND t.tile = v_tile.tile AND (t.vetted IS NOT NULL OR t.problem IS DISTINCT FROM left(SQLERRM, 1000));
        END;
    END LOOP;
END $$;
COMMENT ON FUNCTION chime.vet_tiles IS 'vets the tiles that look otherwise than when they were vetted, and writes down why one cannot be shown';

-- [{"title", "query", "draw", "warn", "critical", "choices", "state", "bound", "note"}]; bound as an interval.
CREATE OR REPLACE FUNCTION chime.install_tiles(p_plugin text, p_schema name, p_tiles jsonb) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    DELETE FROM chime.tile t WHERE t.plugin = p_plugin AND t.tile >= jsonb_array_length(p_tiles);
    INSERT INTO chime.tile AS t (plugin, tile, title, query, draw, warn, critical, choices, state, bound, note, view_schema)
    SELECT p_plugin, g.place - 1, g.title, g.query, g.draw, g.warn, g.critical, g.choices, g.state, g.bound, g.note, p_schema
    FROM ROWS FROM (jsonb_to_recordset(p_tiles) AS (title text, query text, draw text, warn text, critical text, choices text, state text, bound interval,
                                                    note text)) WITH ORDINALITY
         AS g (title, query, draw, warn, critical, choices, state, bound, note, place)
    ON CONFLICT (plugin, tile) DO UPDATE
       SET title = excluded.title, query = excluded.query, draw = excluded.draw, warn = excluded.warn, critical = excluded.critical,
           choices = excluded.choices, state = excluded.state, bound = excluded.bound, note = excluded.note, view_schema = excluded.view_schema,
           columns = NULL, statement = NULL, choices_statement = NULL, named = NULL, vetted = NULL, problem = NULL, slow_us = NULL, slow_at = NULL
     WHERE (t.title, t.query, t.draw, t.warn, t.critical, t.choices, t.state, t.bound, t.note, t.view_schema)
           IS DISTINCT FROM (excluded.title, excluded.query, excluded.draw, excluded.warn, excluded.critical, excluded.choices, excluded.state,
                             excluded.bound, excluded.note, excluded.view_schema);
END $$;
COMMENT ON FUNCTION chime.install_tiles IS 'writes down the tiles of a plugin, instead of those that it had';

-- --- while somebody looks --------------------------------------------------------------------------------------------

-- 500 rows and 256 KiB at most. No row: there is no such tile. Of the choices the first 500, and the one that counts:
-- p_choice, else the first; what is not among all of them is refused. The transaction may write nothing from then on.
-- The query runs as the role that vetted it, whoever asks: so no temporary object of the asking session may take the
-- place of a relation or a type that is missing.
CREATE OR REPLACE FUNCTION chime.tile_rows(p_plugin text, p_tile integer, p_choice text)
RETURNS TABLE (tile chime.tile, choice text, choices json, rows json, more boolean, took_us bigint)
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET jit = off AS $$
#variable_conflict use_column
DECLARE
    v_cells text;
    v_rows text[] := '{}';
    v_bytes bigint := 0;
    v_begun timestamptz := clock_timestamp();
    v_there boolean;
BEGIN
    IF pg_my_temp_schema() <> 0 AND current_user <> session_user THEN
        RAISE EXCEPTION 'a session that made temporary objects is shown no tiles' USING ERRCODE = 'insufficient_privilege', HINT = 'ask in a new session';
    END IF;
    SELECT t.* INTO tile FROM chime.tile t JOIN chime.plugin p ON p.name = t.plugin
     WHERE t.plugin = p_plugin AND t.tile = p_tile AND p.state = 'installed';
    IF NOT FOUND THEN
        RETURN;
    ELSIF tile.problem IS NOT NULL THEN
        RAISE EXCEPTION 'its query cannot be read' USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'pgchime doctor says why';
    ELSIF tile.vetted IS NULL OR tile.vetted <> chime.condition_reach(tile.named) THEN
        RAISE EXCEPTION 'what it reads was changed, and the leader has not looked at it since' USING ERRCODE = 'object_not_in_prerequisite_state',
            HINT = 'the leader looks every 10 s; pgchime status says who leads';
    END IF;
    PERFORM set_config('transaction_read_only', 'on', true);
    PERFORM set_config('search_path', format('%I, pg_temp', tile.view_schema), true);
    more := false;
    IF tile.choices_statement IS NOT NULL THEN
        EXECUTE format('SELECT pg_catalog.json_agg(pg_catalog.json_build_object(''value'', c.value, ''label'', c.label)), (pg_catalog.array_agg(c.value))[1]'
                       ' FROM (SELECT * FROM (%s) AS a LIMIT 500) AS c', tile.choices_statement) INTO choices, choice;
        IF p_choice IS NOT NULL THEN
            EXECUTE format('SELECT EXISTS (SELECT FROM (%s) AS c WHERE c.value OPERATOR(pg_catalog.=) $1)', tile.choices_statement) INTO v_there USING p_choice;
            IF NOT v_there THEN
                RAISE EXCEPTION 'there is no such choice' USING ERRCODE = 'no_data_found', HINT = 'without choice= the answer lists the choices';
            END IF;
            choice := p_choice;
        END IF;
    ELSIF p_choice IS NOT NULL THEN
        RAISE EXCEPTION 'this tile has no choices' USING ERRCODE = 'no_data_found', HINT = 'ask without choice=';
    END IF;
    IF tile.choices_statement IS NULL OR choice IS NOT NULL THEN
        FOR v_cells IN EXECUTE tile.statement USING choice LOOP
            v_bytes := v_bytes + octet_length(v_cells) + 1;
            more := cardinality(v_rows) >= 500 OR v_bytes > 262144;
            EXIT WHEN more;
            v_rows := v_rows || v_cells;
        END LOOP;
    END IF;
    PERFORM set_config('search_path', 'pg_catalog, pg_temp', true);
    rows := '[' || array_to_string(v_rows, ',') || ']';
    took_us := extract(epoch FROM clock_timestamp() - v_begun) * 1000000;
    RETURN NEXT;
END $$;
COMMENT ON FUNCTION chime.tile_rows IS 'what a tile shows now';

CREATE OR REPLACE FUNCTION chime.note_tile(p_plugin text, p_tile integer, p_took_us bigint) RETURNS void
LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    UPDATE chime.tile t SET slow_us = p_took_us, slow_at = clock_timestamp()
     WHERE t.plugin = p_plugin AND t.tile = p_tile AND p_took_us * interval '1 us' > t.bound;
END;
COMMENT ON FUNCTION chime.note_tile IS 'that the last three answers of a tile took longer than its bound: alert tile-slow, for 5 minutes; less than its bound is not noted';
