-- SPDX-License-Identifier: PostgreSQL
-- What pgchime views explain says: by what a view is keyed and what its writers pay, or why it is full and which index
-- would change that; also of a definition that is not installed.

-- What PostgreSQL expects to read: all rows, and those of one group; in its units.
CREATE OR REPLACE FUNCTION chime.expected_costs(p_view chime.view, OUT everything double precision, OUT one_group double precision)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off SET row_security = off AS $$
DECLARE v_plan jsonb;
BEGIN
    EXECUTE format('EXPLAIN (FORMAT JSON) SELECT * FROM %s', chime.live_of(p_view)) INTO v_plan;
    everything := (v_plan #>> '{0,Plan,Total Cost}')::double precision;
    EXECUTE format('EXPLAIN (FORMAT JSON) SELECT v.* FROM unnest(%s) AS k (%s) CROSS JOIN LATERAL (SELECT * FROM %s v WHERE %s OFFSET 0) v',
                   (SELECT string_agg(format('ARRAY[NULL::%s]', format_type(a.atttypid, a.atttypmod)), ', ' ORDER BY g.n)
                    FROM unnest(p_view.grain) WITH ORDINALITY AS g (name, n)
                    JOIN pg_attribute a ON a.attrelid = chime.live_of(p_view) AND a.attname = g.name),
                   (SELECT string_agg(quote_ident(g), ', ') FROM unnest(p_view.grain) AS g), chime.live_of(p_view),
                   (SELECT m FROM chime.grain_matches(chime.kept_of(p_view), p_view.grain, 'k', 'v') AS m LIMIT 1)) INTO v_plan;
    one_group := (v_plan #>> '{0,Plan,Plans,1,Total Cost}')::double precision;
END $$;
COMMENT ON ROUTINE chime.expected_costs IS 'what PostgreSQL expects it to cost to compute all of a view, and one group';

CREATE OR REPLACE FUNCTION chime.explain_cost(p_view chime.view) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_last chime.view_refresh;
    v_cost record;
BEGIN
    SELECT * INTO v_last FROM chime.view_refresh r WHERE r.view_schema = p_view.view_schema AND r.relation = p_view.relation ORDER BY r.refreshes DESC LIMIT 1;
    IF v_last.full_us IS NOT NULL AND (p_view.full_reason IS NOT NULL OR v_last.key_us IS NOT NULL) THEN
        RETURN 'a refresh:  ' || concat_ws('; ',
            CASE WHEN p_view.full_reason IS NULL
                 THEN format('%s ms and %s ms for each group that changed', round((v_last.floor_us / 1000)::numeric, 1), round((v_last.key_us / 1000)::numeric, 3)) END,
            format('everything took %s ms', round(v_last.full_us / 1000.0, 1)));
    END IF;
    IF chime.reads_distributed(chime.live_of(p_view)) THEN
        RETURN 'a refresh:  how long it takes is known after the first';
    END IF;
    SELECT * INTO v_cost FROM chime.expected_costs(p_view);
    RETURN 'a refresh:  ' || concat_ws(', ', CASE WHEN p_view.full_reason IS NULL THEN format('PostgreSQL expects a cost of %s for one group', round(v_cost.one_group::numeric)) END,
                                       format(CASE WHEN p_view.full_reason IS NULL THEN 'and %s for everything' ELSE 'PostgreSQL expects a cost of %s, each time' END, round(v_cost.everything::numeric)));
END $$;
COMMENT ON ROUTINE chime.explain_cost IS 'what a refresh costs, as measured, else as PostgreSQL expects it, in words';

-- What a write to each source costs.
CREATE OR REPLACE FUNCTION chime.explain_writes(p_view chime.view) RETURNS SETOF text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT line FROM (
        SELECT s.source_id, 1 AS n,
               format('writes to %s:  INSERT, DELETE and UPDATE of %s leave a small mark (%s); any other UPDATE none', chime.source_oid(s.source_id),
                      (SELECT string_agg(d, ', ') FROM unnest(s.declared) AS d),
                      CASE WHEN s.captured = '{}' THEN 'that something changed' ELSE array_to_string(s.captured, ', ') END) AS line
        FROM chime.view_source s WHERE s.view_schema = p_view.view_schema AND s.relation = p_view.relation
        UNION ALL
        SELECT s.source_id, 2, format('    which leads to %s by:  %s%s', array_to_string(p_view.grain, ', '), left(regexp_replace(s.map_query, '\s+', ' ', 'g'), 160),
                                      CASE WHEN length(s.map_query) > 160 THEN ' ...' END)
        FROM chime.view_source s WHERE s.view_schema = p_view.view_schema AND s.relation = p_view.relation AND s.map_query IS NOT NULL) AS l
    ORDER BY l.source_id, l.n;
END;
COMMENT ON ROUTINE chime.explain_writes IS 'what a write to each source of a keyed view leaves, in words';

CREATE OR REPLACE FUNCTION chime.explain_view(p_view chime.view) RETURNS SETOF text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF p_view.full_reason IS NULL THEN
        RETURN NEXT format('keyed by:   %s', array_to_string(p_view.grain, ', '));
    ELSE
        RETURN NEXT format('full:       %s', CASE WHEN p_view.full_reason LIKE 'no index finds one group%: CREATE INDEX %'
                                                  THEN split_part(p_view.full_reason, ': CREATE INDEX', 1) ELSE p_view.full_reason END);
    END IF;
    RETURN NEXT format('unique by:  %s', array_to_string(p_view.key, ', '));
    RETURN QUERY SELECT format('frozen:     %s', p_view.frozen) WHERE p_view.frozen IS NOT NULL;
    IF p_view.full_reason IS NULL THEN
        RETURN QUERY SELECT * FROM chime.explain_writes(p_view);
    ELSE
        RETURN NEXT 'writes:     cost nothing more';
        RETURN QUERY SELECT format('to be keyed:  %s', m.statement)
                     FROM (SELECT DISTINCT m.statement FROM chime.missing_indexes(p_view) AS m WHERE p_view.full_reason LIKE 'no index finds one group%' AND m.statement IS NOT NULL) AS m
                     ORDER BY m.statement;
    END IF;
    IF chime.reads_distributed(chime.live_of(p_view)) THEN
        RETURN NEXT coalesce('computed:   here, of rows that each refresh fetches: ' || chime.why_fetched(chime.live_of(p_view)), 'computed:   by the workers');
    END IF;
    RETURN NEXT chime.explain_cost(p_view);
    RETURN QUERY SELECT * FROM chime.explain_lag(p_view);
END $$;
COMMENT ON ROUTINE chime.explain_view(chime.view) IS 'by what a view is keyed and what its writers pay, or why it is full and which index would change that: some lines for people';

-- As if it were installed, under a name that nobody has, and nothing of it stays: no lock on a source but that of
-- reading it. NULL stands for what chime.install_view finds out by itself.
CREATE OR REPLACE FUNCTION chime.explain_definition(p_schema name, p_source_schema name, p_relation name, p_definition text, p_key name[] DEFAULT NULL,
                                         p_grain name[] DEFAULT NULL, p_mode text DEFAULT 'auto', p_stamps name[] DEFAULT '{}',
                                         p_revisit text DEFAULT NULL, p_timezone text DEFAULT NULL, p_frozen text DEFAULT NULL) RETURNS SETOF text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET client_min_messages = warning AS $$
DECLARE
    v_name name := left(p_relation, 40) || '_explained_' || pg_backend_pid();
    v_lines text[];
    v_message text;
    v_hint text;
BEGIN
    BEGIN
        PERFORM chime.install_schema(p_schema);
        PERFORM chime.record_plugin(v_name, '0', '', p_schema, p_source_schema, 'installed', NULL, '{}');
        PERFORM chime.install_view(v_name, p_schema, p_source_schema, v_name, p_definition, p_key, v_name || '_pk', p_grain, p_mode, p_stamps, p_revisit, NULL, '[]', NULL, p_timezone, p_frozen);
        PERFORM chime.judge_view(p_schema, p_source_schema, v_name, NULL, true);
        SELECT ARRAY(SELECT l FROM chime.explain_view(v) AS l) INTO v_lines FROM chime.view v WHERE v.view_schema = p_schema AND v.relation = v_name;
        RAISE EXCEPTION USING ERRCODE = 'CH000', MESSAGE = 'undone';
    EXCEPTION
        WHEN SQLSTATE 'CH000' THEN NULL;
        WHEN OTHERS THEN
            GET STACKED DIAGNOSTICS v_message = MESSAGE_TEXT, v_hint = PG_EXCEPTION_HINT;
            RAISE EXCEPTION USING ERRCODE = SQLSTATE, MESSAGE = replace(v_message, v_name, p_relation), HINT = replace(v_hint, v_name, p_relation);
    END;
    RETURN QUERY SELECT replace(l, v_name, p_relation) FROM unnest(v_lines) AS l;
END $$;
COMMENT ON ROUTINE chime.explain_definition IS 'what chime.explain_view would say of a definition once it were installed; nothing stays';
