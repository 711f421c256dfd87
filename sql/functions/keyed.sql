-- SPDX-License-Identifier: PostgreSQL
-- Keyed refresh: what a refresh costs follows the groups that changed.
--
-- A view with a grain is recomputed group by group: statement 1 takes the marks (capture_log.sql) with its snapshot,
-- statement 2, with a later one, recomputes. What is committed in between keeps its mark, so nothing is lost and at
-- most repeated; the other order would lose writes.

CREATE OR REPLACE FUNCTION chime.keys_limit() RETURNS integer LANGUAGE sql IMMUTABLE RETURN 20000;
COMMENT ON FUNCTION chime.keys_limit IS 'with more changed groups than this a refresh does everything without asking what they cost';

CREATE OR REPLACE FUNCTION chime.marks_limit() RETURNS integer LANGUAGE sql IMMUTABLE RETURN 200000;
COMMENT ON FUNCTION chime.marks_limit IS
    'where a query leads from what was marked to groups: with more different marks than this, which a refresh holds in memory, it does everything; few groups may have many';

-- The operator that is a column's equality, that of GROUP BY and of an index: a type from elsewhere (citext, ltree) has
-- one of its own where it is itself. All statements here run with a search_path of pg_catalog.
CREATE OR REPLACE FUNCTION chime.key_equality(p_kept regclass, p_column name) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$ -- keeps its plan: asked of each column of each grain
BEGIN
    RETURN coalesce((
        SELECT format('OPERATOR(%I.%s)', n.nspname, o.oprname)
        FROM pg_attribute a
        JOIN pg_opclass c ON c.opcintype = chime.without_domain(a.atttypid) AND c.opcdefault
        JOIN pg_am m ON m.oid = c.opcmethod AND m.amname = 'btree'
        JOIN pg_amop p ON p.amopfamily = c.opcfamily AND p.amoplefttype = c.opcintype AND p.amoprighttype = c.opcintype AND p.amopstrategy = 3
        JOIN pg_operator o ON o.oid = p.amopopr JOIN pg_namespace n ON n.oid = o.oprnamespace
        WHERE a.attrelid = p_kept AND a.attname = p_column AND NOT a.attisdropped AND n.nspname <> 'pg_catalog'), '=');
END $$;
COMMENT ON ROUTINE chime.key_equality IS 'the operator that is a column''s equality, with its schema where its type is from elsewhere';

-- Every way in which grain columns can hold NULL: "p.a = q.a AND p.b IS NULL AND q.b IS NULL". Apart from each other,
-- since IS NOT DISTINCT FROM uses no index.
CREATE OR REPLACE FUNCTION chime.grain_matches(p_kept regclass, p_grain name[], p_left text, p_right text) RETURNS SETOF text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT string_agg(format(CASE WHEN nulls >> (g.n::integer - 1) & 1 = 1 THEN '%1$s.%3$I IS NULL AND %2$s.%3$I IS NULL'
                                  ELSE '%1$s.%3$I %4$s %2$s.%3$I' END, p_left, p_right, g.name, g.equality), ' AND ' ORDER BY g.n)
    FROM generate_series(0, (1 << cardinality(p_grain)) - 1) AS nulls,
         (SELECT u.*, chime.key_equality(p_kept, u.name) AS equality FROM unnest(p_grain) WITH ORDINALITY AS u (name, n)) AS g
    GROUP BY nulls ORDER BY nulls;
END;
COMMENT ON ROUTINE chime.grain_matches IS 'conditions by which groups match, one for each way in which columns may be NULL';

-- Makes p_kept's rows p_kept_rows (with chime_row_id, their ctid) equal to p_live_rows. Rows are matched by key (NULL
-- equals NULL) and compared by their bytes, as REFRESH MATERIALIZED VIEW CONCURRENTLY does (1.0 is not 1.00), without
-- stamps. p_once: of two rows with one key it puts one, and the caller finds that by the counts; else it fails on them,
-- or puts neither. Each join has two arms: keys without a NULL join by equality (hashable), the few with one by a
-- nested loop.
CREATE OR REPLACE FUNCTION chime.difference_statement(p_kept regclass, p_key name[], p_stamps name[], p_live_rows text, p_kept_rows text,
                                           p_once boolean DEFAULT false) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_differs text; v_set text; v_key text; v_equal text; v_same text; v_live_null text; v_kept_null text;
BEGIN
    SELECT format('record_image_ne(ROW(%s), ROW(%s))', string_agg(format('l.%I', c), ', ' ORDER BY n) FILTER (WHERE c <> ALL (p_stamps)),
                  string_agg(format('k.%I', c), ', ' ORDER BY n) FILTER (WHERE c <> ALL (p_stamps))),
           string_agg(format('%1$I = excluded.%1$I', c), ', ' ORDER BY n)
      INTO v_differs, v_set FROM unnest(chime.kept_columns(p_kept)) WITH ORDINALITY AS u (c, n);
    SELECT string_agg(quote_ident(c), ', '), string_agg(format('l.%1$I %2$s k.%1$I', c, e), ' AND '),
           string_agg(format('(l.%1$I %2$s k.%1$I OR l.%1$I IS NULL AND k.%1$I IS NULL)', c, e), ' AND '),
           string_agg(format('l.%I IS NULL', c), ' OR '), string_agg(format('k.%I IS NULL', c), ' OR ')
      INTO v_key, v_equal, v_same, v_live_null, v_kept_null
      FROM unnest(p_key) AS c CROSS JOIN LATERAL chime.key_equality(p_kept, c) AS e;
    RETURN chime.fill_template($f$
        live AS MATERIALIZED ({{live_rows}}),
        kept AS ({{kept_rows}}),
        gone AS (
            DELETE FROM {{relation}} t WHERE t.ctid IN (
                SELECT k.chime_row_id FROM kept k WHERE NOT ({{kept_has_null}}) AND NOT EXISTS (SELECT FROM live l WHERE {{equal_keys}})
                UNION ALL
                SELECT k.chime_row_id FROM kept k WHERE ({{kept_has_null}}) AND NOT EXISTS (SELECT FROM live l WHERE {{same_keys}}))
            RETURNING 1
        ),
        differing AS (
            SELECT l.* FROM live l LEFT JOIN kept k ON {{equal_keys}} WHERE NOT ({{live_has_null}}) AND (k.chime_row_id IS NULL OR {{differs}})
            UNION ALL
            SELECT l.* FROM live l LEFT JOIN kept k ON {{same_keys}} WHERE ({{live_has_null}}) AND (k.chime_row_id IS NULL OR {{differs}})
        ),
        put AS (
            INSERT INTO {{relation}} AS t ({{columns}}) SELECT {{once}}{{columns}} FROM differing
            ON CONFLICT ({{key}}) DO UPDATE SET {{assignments}}
            RETURNING (t.xmax = 0) AS fresh
        )
        SELECT (SELECT count(*) FROM live) AS live, (SELECT count(*) FROM kept) AS held, (SELECT count(*) FROM put WHERE fresh) AS inserted,
               (SELECT count(*) FROM put WHERE NOT fresh) AS updated, (SELECT count(*) FROM gone) AS deleted$f$, jsonb_build_object(
        'relation', p_kept,
        'columns', chime.column_list(p_kept),
        'live_rows', p_live_rows,
        'kept_rows', p_kept_rows,
        'key', v_key,
        'equal_keys', v_equal,
        'same_keys', v_same,
        'kept_has_null', v_kept_null,
        'live_has_null', v_live_null,
        'differs', v_differs,
        'assignments', v_set,
        'once', CASE WHEN p_once THEN format('DISTINCT ON (%s) ', v_key) END));
END $$;
COMMENT ON ROUTINE chime.difference_statement IS 'the statement that makes rows equal to others by key, without stamps';

-- p_only: the condition of the rows that a refresh may change (chime.unfrozen).
CREATE OR REPLACE FUNCTION chime.refresh_full_statement(p_schema name, p_relation name, p_key name[], p_stamps name[], p_only text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN 'WITH ' || chime.difference_statement(
    format('%I.%I', p_schema, p_relation)::regclass, p_key, p_stamps,
    format('SELECT %s FROM %I.%I WHERE %s', chime.column_list(format('%I.%I', p_schema, p_relation)::regclass), p_schema, p_relation || '__live', p_only),
    format('SELECT t.ctid AS chime_row_id, t.* FROM %I.%I t WHERE %s', p_schema, p_relation, p_only));
COMMENT ON ROUTINE chime.refresh_full_statement IS 'the statement of a full refresh';

-- Rows of a relation in `groups`, of which a condition holds. OFFSET 0 keeps the planner from turning the join into one
-- over everything.
CREATE OR REPLACE FUNCTION chime.rows_of_groups(p_kept regclass, p_relation text, p_columns text, p_grain name[], p_only text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN (SELECT string_agg(format('SELECT v.* FROM groups k CROSS JOIN LATERAL (SELECT %s FROM %s v WHERE %s AND %s OFFSET 0) v', p_columns, p_relation, m, p_only),
                          ' UNION ALL ') FROM chime.grain_matches(p_kept, p_grain, 'k', 'v') AS m);
COMMENT ON ROUTINE chime.rows_of_groups IS 'the query for rows of a relation in some groups, of which a condition holds';

CREATE OR REPLACE FUNCTION chime.groups_statement(p_arrays text, p_grain name[]) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN format('WITH groups AS MATERIALIZED (SELECT * FROM unnest(%s) AS g (%s)), ', p_arrays,
              (SELECT string_agg(quote_ident(g), ', ') FROM unnest(p_grain) AS g));
COMMENT ON ROUTINE chime.groups_statement IS 'begins a statement over some groups';

-- The groups are those of p_arrays, an expression for each grain column. p_live_rows: what the definition gives for
-- them, where there is a better way than group by group. Frozen rows are in neither.
CREATE OR REPLACE FUNCTION chime.refresh_keyed_statement(p_view chime.view, p_arrays text, p_live_rows text DEFAULT NULL) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN (
    SELECT chime.groups_statement(p_arrays, p_view.grain)
        || chime.difference_statement(
            r.kept, p_view.key, p_view.stamps,
            coalesce(p_live_rows, chime.rows_of_groups(r.kept, format('%I.%I', p_view.view_schema, p_view.relation || '__live'), chime.column_list(r.kept),
                                                       p_view.grain, chime.unfrozen(p_view))),
            chime.rows_of_groups(r.kept, r.name, 'v.ctid AS chime_row_id, v.*', p_view.grain, chime.unfrozen(p_view)), true)
    FROM (SELECT n AS name, n::regclass AS kept FROM format('%I.%I', p_view.view_schema, p_view.relation) AS n) AS r);
COMMENT ON ROUTINE chime.refresh_keyed_statement IS 'the statement of a refresh of some groups';

-- " COLLATE x" of a relation's column; '' where its type has none. By that go lower() and what is distinct.
CREATE OR REPLACE FUNCTION chime.collation_of(p_relation regclass, p_column name) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN coalesce((SELECT format(' COLLATE %I.%I', n.nspname, l.collname)
                 FROM pg_attribute a JOIN pg_collation l ON l.oid = a.attcollation JOIN pg_namespace n ON n.oid = l.collnamespace
                 WHERE a.attrelid = p_relation AND a.attname = p_column), '');
COMMENT ON ROUTINE chime.collation_of IS 'COLLATE and the collation of a column';

-- The captured columns as a map sees them: marks have no collations, their source's columns do.
CREATE OR REPLACE FUNCTION chime.collated_marks(p_source chime.view_source) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN (SELECT string_agg(format('%1$I%2$s AS %1$I', c.name, chime.collation_of(chime.source_oid(p_source.source_id), c.name)), ', ' ORDER BY c.n)
        FROM unnest(p_source.captured) WITH ORDINALITY AS c (name, n));
COMMENT ON ROUTINE chime.collated_marks IS 'captured columns as a map sees them, with the collations of their source';

-- The function that takes the marks of one view and recomputes their groups. `reason`: it stopped, and everything is to
-- be done instead, for that reason; what it changed until then stays.
CREATE OR REPLACE FUNCTION chime.write_keyed(p_schema name, p_relation name) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_view chime.view;
    v_grain text; v_arrays text; v_declared text := ''; v_taken text := ''; v_into text := ''; v_using text := ''; v_checks text := '';
    v_keys text := ''; v_late text := ''; v_slices text; v_collated text; v_nothing text := '';
    v_freezes boolean;
    v_source record;
    v_marks text;
    v_parts jsonb;
BEGIN
    SELECT * INTO STRICT v_view FROM chime.view WHERE view_schema = p_schema AND relation = p_relation;
    v_freezes := chime.freezes_groups(v_view);
    SELECT string_agg(quote_ident(g), ', ' ORDER BY n), string_agg(format('array_agg(k.%I)', g), ', ' ORDER BY n),
           string_agg(format('g_%s[v_from:v_from + v_batch - 1]', n), ', ' ORDER BY n),
           string_agg(quote_ident(g) || chime.collation_of(chime.kept_of(v_view), g), ', ' ORDER BY n)
      INTO v_grain, v_arrays, v_slices, v_collated FROM unnest(v_view.grain) WITH ORDINALITY AS u (g, n);
    SELECT string_agg(format('    g_%s %s[];', u.n, format_type(a.atttypid, a.atttypmod)), E'\n' ORDER BY u.n)
      INTO v_declared
      FROM unnest(v_view.grain) WITH ORDINALITY AS u (g, n)
      JOIN pg_attribute a ON a.attrelid = format('%I.%I', p_schema, p_relation)::regclass AND a.attname = u.g;
    FOR v_source IN SELECT s.*, o.source_schema, o.source_table, row_number() OVER (ORDER BY s.source_id) AS n,
                           (SELECT string_agg(quote_ident(c), ', ') FROM unnest(s.captured) AS c) AS columns,
                           chime.collated_marks(s) AS collated,
                           CASE WHEN chime.telling_texts(s.source_id, s.captured) <> '' OR NOT s.captured <@ v_view.grain
                                THEN 'DISTINCT ' ELSE '' END AS more_than_groups,
                           CASE WHEN s.map_query IS NULL THEN chime.keys_limit() ELSE chime.marks_limit() END AS most
                    FROM chime.view_source s JOIN chime.source o USING (source_id)
                    WHERE s.view_schema = p_schema AND s.relation = p_relation ORDER BY s.source_id LOOP
        v_marks := chime.log_name(v_source.source_id);
        v_declared := v_declared || format(E'\n    m_%s %s[];', v_source.n, v_marks);
        v_taken := v_taken || format($f$,
           chime.take_marks(m_%s, %L, v_xmax, v_xip)$f$, v_source.n, chime.fill_template(
            'SELECT array_agg(m.mark) FROM (SELECT DISTINCT ON ((u.mark).chime_whole{{columns}}) u.mark FROM ('
            'SELECT chime_mark AS mark FROM {{log}} chime_mark WHERE chime_xid >= $1 UNION ALL '
            'SELECT chime_mark FROM {{log}} chime_mark WHERE chime_xid = ANY ($2)) u{{in_order}} LIMIT {{limit}}) m', jsonb_build_object(
            'log', v_marks,
            'in_order', CASE WHEN v_freezes THEN (
                SELECT format(' ORDER BY (u.mark).chime_whole%s, (u.mark).chime_gone NULLS FIRST',
                              string_agg(', (u.mark).' || quote_ident(c), '') || chime.telling_texts(v_source.source_id, v_source.captured, '(u.mark).%1$I'))
                FROM unnest(v_source.captured) AS c) END,
            'columns', (SELECT string_agg(', (u.mark).' || quote_ident(c), '') FROM unnest(v_source.captured) AS c)
                || chime.telling_texts(v_source.source_id, v_source.captured, '(u.mark).%1$I'),
            'limit', v_source.most + 1)));
        v_into := v_into || ', m_' || v_source.n;
        v_nothing := v_nothing || format('m_%s IS NULL AND ', v_source.n);
        v_using := concat_ws(', ', nullif(v_using, ''), 'm_' || v_source.n);
        v_checks := v_checks || chime.fill_template($f$
                       WHEN EXISTS (SELECT FROM unnest({{marks}}) AS m WHERE m.chime_whole) THEN {{truncated}}
                       WHEN EXISTS (SELECT FROM unnest({{marks}}) AS m WHERE NOT m.chime_whole) THEN {{altered}}
                       WHEN cardinality({{marks}}) > {{most}} THEN {{too_many}}$f$, jsonb_build_object(
            'marks', 'm_' || v_source.n,
            'truncated', quote_literal(format('%I.%I was truncated', v_source.source_schema, v_source.source_table)),
            'altered', quote_literal(format('a column of %I.%I was altered', v_source.source_schema, v_source.source_table)
                || CASE WHEN chime.moves(v_source.source_id) IS NULL THEN ''
                        ELSE ', or a row moved to another partition with a key that is known only there' END),
            'most', v_source.most,
            'too_many', quote_literal(CASE WHEN v_source.map_query IS NULL THEN format('more than %s groups changed', v_source.most)
                ELSE format('more than %s different (%s) of %I.%I changed', v_source.most, v_source.columns, v_source.source_schema,
                            v_source.source_table) END)));
        v_keys := concat_ws(' UNION ', nullif(v_keys, ''), CASE WHEN v_source.map_query IS NULL
            THEN format('SELECT %s%s FROM unnest($%s) AS m', v_source.more_than_groups, v_grain, v_source.n)
            ELSE format('SELECT DISTINCT %s FROM (WITH marks AS (SELECT %s FROM unnest($%s) AS m) SELECT * FROM (%s) AS mapped) AS x (%s)',
                        v_collated, v_source.collated, v_source.n, v_source.map_query, v_grain) END);
        v_late := concat_ws(' UNION ', nullif(v_late, ''), CASE WHEN v_source.map_query IS NULL
            THEN format('SELECT DISTINCT %s FROM unnest($%s) AS m WHERE m.chime_gone IS NULL', v_grain, v_source.n)
            ELSE format('SELECT DISTINCT %s FROM (WITH marks AS (SELECT %s FROM unnest($%s) AS m WHERE m.chime_gone IS NULL) SELECT * FROM (%s) AS mapped) AS x (%s)',
                        v_collated, v_source.collated, v_source.n, v_source.map_query, v_grain) END);
    END LOOP;
    v_late := format('SELECT count(*) FROM (%s) AS k WHERE %s', v_late, chime.frozen_test(v_view));
    PERFORM chime.write_watched(v_view);
    IF v_view.revisit_query IS NOT NULL THEN
        v_keys := v_keys || format(' UNION SELECT * FROM (%s) AS r (%s) WHERE $%s', v_view.revisit_query, v_grain,
                                   (SELECT count(*) + 1 FROM chime.view_source s
                                     WHERE s.view_schema = p_schema AND s.relation = p_relation));
        v_using := v_using || ', p_revisit';
    END IF;
    v_parts := jsonb_build_object(
        'view', v_view.view_id,
        'declared', v_declared,
        'schema', quote_literal(p_schema),
        'relation', quote_literal(p_relation),
        'take_marks', v_taken,
        'into_marks', v_into,
        'reasons_of_marks', v_checks,
        'list_groups', quote_literal(format('SELECT %s FROM (%s) AS k', v_arrays, v_keys) || CASE WHEN v_freezes THEN ' WHERE ' || chime.unfrozen(v_view) ELSE '' END),
        'count_late', CASE WHEN v_freezes THEN format('EXECUTE %L INTO v_late USING %s;', v_late, v_using)
                                               || format('PERFORM chime.note_late(%L, %L, v_late) WHERE v_late > 0;', p_schema, p_relation) END,
        'into_groups', (SELECT string_agg('g_' || n, ', ' ORDER BY n) FROM generate_series(1, cardinality(v_view.grain)) AS n),
        'marks', v_using,
        'keys_limit', chime.keys_limit(),
        'recompute', chime.refresh_keyed_statement(v_view, v_slices),
        'nothing_marked', v_nothing || CASE WHEN v_view.revisit_query IS NULL THEN 'true' ELSE 'NOT p_revisit' END,
        'groups', (SELECT string_agg('g_' || n, ', ' ORDER BY n) FROM generate_series(1, cardinality(v_view.grain)) AS n),
        'grain', v_grain,
        'sources', (SELECT string_agg(chime.source_oid(s.source_id)::text, ', ' ORDER BY s.source_id) FROM chime.view_source s WHERE s.view_schema = p_schema AND s.relation = p_relation),
        'kept', format('%I.%I', p_schema, p_relation),
        'same_group', (SELECT string_agg(m, ' OR ') FROM chime.grain_matches(chime.kept_of(v_view), v_view.grain, 'k', 'v') AS m),
        'revisited', (SELECT format(' UNION ALL SELECT * FROM (%s) AS r', v_view.revisit_query) WHERE v_view.revisit_query IS NOT NULL));
    -- enable_seqscan: the planner guesses wildly at the marks, and compiled for a look that takes microseconds.
    -- Workers would take longer to start than the look. Each arm of the look is one range of the index (xip is below
    -- xmax). The statement that recomputes keeps its plan: to plan it takes as long as some hundred rows. A plan of its
    -- own for each number of groups would be no better, but look so. What holds marks is planned each time: a log may
    -- get a column. Batches grow, so that groups that are dearer than they were are found out by the first few.
    -- A schema may be called anything, so no dollar quote is safe around its name.
    EXECUTE format($f$
        CREATE OR REPLACE FUNCTION chime.keyed_%s(
            p_seen pg_snapshot, p_fingerprint text, p_revisit boolean, p_full_us bigint, p_floor_us double precision, p_key_us double precision,
            p_watch boolean, OUT seen pg_snapshot, OUT fingerprint text, OUT reason text, OUT keys bigint, OUT rows bigint, OUT inserted bigint,
            OUT updated bigint, OUT deleted bigint, OUT wrong text, OUT watch_us bigint)
        LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off SET row_security = off SET enable_seqscan = off
        SET max_parallel_workers_per_gather = 0 SET plan_cache_mode = force_generic_plan AS %L$f$, v_view.view_id, chime.fill_template($body$
        #variable_conflict use_column
        DECLARE
            v_xmax xid8 := pg_snapshot_xmax(p_seen);
            v_xip xid8[] := ARRAY(SELECT pg_snapshot_xip(p_seen));
            v_began timestamptz := clock_timestamp();
            v_asked timestamptz;
            v_from bigint := 1;
            v_batch bigint := 10;
            v_uncaptured text;
            v_wrong jsonb; -- the group that is watched, where it differs: as it should where a mark leads to it
            v_live bigint; v_held bigint; v_inserted bigint; v_updated bigint; v_deleted bigint; v_late bigint;
        {{declared}}
        BEGIN
            IF p_watch THEN
                LOCK TABLE {{sources}} IN ACCESS SHARE MODE; -- TRUNCATE shows through a snapshot that is older than it, its mark does not
                v_asked := clock_timestamp();
            END IF;
            SELECT chime.snapshot_to_keep(), chime.view_fingerprint({{schema}}, {{relation}}), chime.uncaptured_sources({{schema}}, {{relation}}),
                   CASE WHEN p_watch THEN chime.watched_{{view}}() END{{take_marks}}
              INTO seen, fingerprint, v_uncaptured, v_wrong{{into_marks}};
            IF p_watch THEN
                watch_us := extract(epoch FROM clock_timestamp() - v_asked) * 1000000;
            END IF;
            reason := CASE WHEN p_seen IS NULL THEN 'the first time'
                           WHEN v_uncaptured IS NOT NULL THEN format('changes of %s are not captured', v_uncaptured)
                           {{reasons_of_marks}}
                           WHEN fingerprint IS DISTINCT FROM p_fingerprint THEN chime.fingerprint_reason({{schema}}, {{relation}})
                           WHEN chime.flooded({{schema}}, {{relation}}) THEN 'the log of a source was full' END;
            keys := 0; rows := 0; inserted := 0; updated := 0; deleted := 0;
            IF reason IS NOT NULL OR (v_wrong IS NULL AND {{nothing_marked}}) THEN
                RETURN;
            END IF;
            BEGIN
                EXECUTE {{list_groups}} INTO {{into_groups}} USING {{marks}};
                keys := coalesce(cardinality(g_1), 0);
                {{count_late}}
                IF v_wrong IS NOT NULL AND NOT EXISTS (
                        SELECT FROM (SELECT * FROM unnest({{groups}}) AS g{{revisited}}) AS k ({{grain}}), jsonb_populate_record(NULL::{{kept}}, v_wrong) AS v WHERE {{same_group}}) THEN
                    wrong := chime.wrong_words(v_wrong);
                    reason := wrong;
                    RETURN;
                END IF;
                IF keys > {{keys_limit}} OR p_floor_us + keys * p_key_us > p_full_us THEN
                    reason := format('%s groups changed, which would take longer than everything', keys);
                    RETURN;
                END IF;
                WHILE v_from <= keys LOOP
                    IF v_from > 1 AND extract(epoch FROM clock_timestamp() - v_began) * 1000000 > p_full_us THEN
                        reason := format('%s of %s groups took as long as everything', v_from - 1, keys);
                        RETURN;
                    END IF;
                    {{recompute}}
                    INTO v_live, v_held, v_inserted, v_updated, v_deleted;
                    IF v_live <> v_held - v_deleted + v_inserted THEN
                        PERFORM chime.refuse_doubles({{schema}}, {{relation}});
                    END IF;
                    rows := rows + v_live; inserted := inserted + v_inserted; updated := updated + v_updated;
                    deleted := deleted + v_deleted;
                    v_from := v_from + v_batch;
                    v_batch := least(v_batch * 10, 1000);
                END LOOP;
            EXCEPTION WHEN data_exception THEN -- of a row that the definition as a whole leaves out: `12 / n` where n <> 0
                reason := 'recomputed group by group it fails: ' || SQLERRM;
                keys := 0; rows := 0; inserted := 0; updated := 0; deleted := 0;
            END;
        END $body$, v_parts));
    PERFORM chime.keep_routine_private(format('chime.keyed_%s(pg_snapshot, text, boolean, bigint, double precision, double precision, boolean)', v_view.view_id)::regprocedure);
    PERFORM chime.write_now(v_view, v_parts);
END $$;
COMMENT ON ROUTINE chime.write_keyed IS
    'writes the function that takes the marks of one view and recomputes their groups, and with the same parts RELATION__now';
