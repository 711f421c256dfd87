-- SPDX-License-Identifier: PostgreSQL
-- Views that roles keep: refresh, and what people call. All of it runs as the view's owner, in a session of its own.

-- The groups that marks lead to: a query with the marks as $1, {number of the source: [mark, ...]}.
CREATE OR REPLACE FUNCTION chime.role_view_groups(p_view chime.role_view) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN (
    SELECT string_agg(CASE WHEN s.map IS NULL THEN format('SELECT DISTINCT %s FROM %s', g.grain, m.rows)
                           ELSE format('SELECT DISTINCT %s FROM (WITH marks AS (SELECT * FROM %s) SELECT * FROM (%s) AS mapped) AS x (%1$s)', g.grain, m.rows, s.map) END, ' UNION ')
    FROM chime.role_view_sources(p_view) AS s
    CROSS JOIN (SELECT string_agg(quote_ident(u), ', ') AS grain FROM unnest(p_view.grain) AS u) AS g
    CROSS JOIN LATERAL (
        SELECT format('jsonb_to_recordset($1 -> %L) AS chime_row (%s)', s.number,
                      string_agg(format('%I %s%s', a.attname, format_type(a.atttypid, NULL), chime.collation_of(a.attrelid, a.attname)), ', ')) AS rows
        FROM pg_attribute a WHERE a.attrelid = s.source AND a.attname = ANY (s.captured) AND NOT a.attisdropped) AS m);
COMMENT ON FUNCTION chime.role_view_groups IS 'the query for the groups that marks lead to';

-- Takes all marks that are committed; a later statement recomputes, so that nothing is lost and at most repeated.
-- whole: marks do not tell which groups changed, for that reason.
CREATE OR REPLACE FUNCTION chime.take_role_marks(p_view chime.role_view, OUT marks jsonb, OUT whole text)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    v_source record;
    v_taken jsonb;
    v_count bigint;
    v_whole boolean;
BEGIN
    marks := '{}';
    FOR v_source IN SELECT s.*, (SELECT string_agg(quote_ident(c), ', ') FROM unnest(s.captured) AS c) AS columns FROM chime.role_view_sources(p_view) AS s LOOP
        EXECUTE format('LOCK TABLE %s IN ROW EXCLUSIVE MODE', v_source.marks);
        IF chime.owned_relation(p_view.view_schema, p_view.relation || '__m' || v_source.number) IS NULL THEN
            whole := format('the marks of %s are another role''s', v_source.source::regclass);
            CONTINUE;
        END IF;
        IF pg_relation_size(v_source.marks::regclass) >= 67108864 THEN
            whole := format('the marks of %s were full', v_source.source::regclass);
            BEGIN
                EXECUTE format('LOCK TABLE %s IN ACCESS EXCLUSIVE MODE NOWAIT', v_source.marks);
                EXECUTE format('TRUNCATE %s', v_source.marks);
            EXCEPTION WHEN lock_not_available THEN NULL; -- with the next refresh
            END;
            CONTINUE;
        END IF;
        EXECUTE format('WITH taken AS (DELETE FROM %s RETURNING *), marks AS (SELECT DISTINCT %s, chime_whole FROM taken LIMIT %s)'
                       ' SELECT jsonb_agg(to_jsonb(e)), count(*), bool_or(e.chime_whole) FROM marks AS e',
                       v_source.marks, v_source.columns, chime.keys_limit() + 1) INTO v_taken, v_count, v_whole;
        IF v_whole THEN
            whole := format('%s was truncated or altered', v_source.source::regclass);
        ELSIF v_count > chime.keys_limit() THEN
            whole := format('more than %s different (%s) of %s changed', chime.keys_limit(), v_source.columns, v_source.source::regclass);
        ELSIF v_count > 0 THEN
            marks := marks || jsonb_build_object(v_source.number::text, v_taken);
        END IF;
    END LOOP;
END $$;
COMMENT ON FUNCTION chime.take_role_marks IS 'takes the marks of a view that the caller keeps';

CREATE OR REPLACE FUNCTION chime.refuse_role_doubles(p_view chime.role_view, p_live bigint, p_held bigint, p_inserted bigint, p_deleted bigint) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF p_live <> p_held - p_deleted + p_inserted THEN
        RAISE EXCEPTION 'the definition of %.% gives the same key twice', p_view.view_schema, p_view.relation USING ERRCODE = 'cardinality_violation',
            HINT = format('its key is (%1$s); see which: SELECT %1$s FROM %2$I.%3$I GROUP BY %1$s HAVING count(*) > 1',
                          array_to_string(p_view.key, ', '), p_view.view_schema, p_view.relation || '__live');
    END IF;
END $$;
COMMENT ON FUNCTION chime.refuse_role_doubles IS 'raises where counts tell of two rows with one key';

-- Queries from marks to groups name tables. In an old snapshot a table that was renamed since has its name still, and
-- another relation may have it by now.
CREATE OR REPLACE FUNCTION chime.refuse_other_names(p_view chime.role_view) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_other text := (SELECT string_agg(format('%I.%I', n.nspname, c.relname), ', ')
                     FROM chime.tables_read(chime.live_of(chime.as_view(p_view))) AS t JOIN pg_class c ON c.oid = t JOIN pg_namespace n ON n.oid = c.relnamespace
                     WHERE to_regclass(format('%I.%I', n.nspname, c.relname)) IS DISTINCT FROM t::regclass);
BEGIN
    IF v_other IS NOT NULL THEN
        RAISE EXCEPTION '% was renamed or replaced since this transaction began', v_other USING ERRCODE = 'object_not_in_prerequisite_state',
            HINT = 'begin the transaction anew';
    END IF;
END $$;
COMMENT ON FUNCTION chime.refuse_other_names IS 'raises where a table that a view of the caller''s reads has another name than in this snapshot';

-- The groups of some marks. reason: it did nothing, and everything is to be done.
CREATE OR REPLACE FUNCTION chime.refresh_role_groups(p_view chime.role_view, p_marks jsonb, p_last chime.role_view_refresh, OUT reason text, OUT keys bigint,
                                          OUT inserted bigint, OUT updated bigint, OUT deleted bigint)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET max_parallel_workers_per_gather = 0 AS $$
DECLARE
    v_kept regclass := chime.owned_relation(p_view.view_schema, p_view.relation);
    v_groups text := chime.role_view_groups(p_view);
    v_live bigint;
    v_held bigint;
BEGIN
    inserted := 0; updated := 0; deleted := 0; keys := 0;
    IF p_marks = '{}' THEN
        RETURN;
    END IF;
    PERFORM chime.refuse_other_names(p_view);
    EXECUTE format('SELECT count(*) FROM (%s) AS g', v_groups) INTO keys USING p_marks;
    IF keys > chime.keys_limit() OR p_last.floor_us + keys * p_last.key_us > p_last.full_us THEN
        reason := format('%s groups changed, which would take longer than everything', keys);
        RETURN;
    END IF;
    EXECUTE format('WITH groups AS MATERIALIZED (%s), %s', v_groups, chime.difference_statement(
        v_kept, p_view.key, '{}',
        chime.rows_of_groups(v_kept, format('%I.%I', p_view.view_schema, p_view.relation || '__live'), chime.column_list(v_kept), p_view.grain, 'true'),
        chime.rows_of_groups(v_kept, format('%I.%I', p_view.view_schema, p_view.relation), 'v.ctid AS chime_row_id, v.*', p_view.grain, 'true'), true))
       INTO v_live, v_held, inserted, updated, deleted USING p_marks;
    PERFORM chime.refuse_role_doubles(p_view, v_live, v_held, inserted, deleted);
EXCEPTION WHEN data_exception THEN -- of a row that the definition as a whole leaves out
    reason := 'recomputed group by group it fails: ' || SQLERRM;
    inserted := 0; updated := 0; deleted := 0;
END $$;
COMMENT ON FUNCTION chime.refresh_role_groups IS 'recomputes the groups that marks lead to, of a view that the caller keeps';

CREATE OR REPLACE FUNCTION chime.refresh_role_whole(p_view chime.role_view, OUT rows bigint, OUT inserted bigint, OUT updated bigint, OUT deleted bigint)
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
    v_kept regclass := chime.owned_relation(p_view.view_schema, p_view.relation);
    v_held bigint;
BEGIN
    EXECUTE 'WITH ' || chime.difference_statement(
        v_kept, p_view.key, '{}',
        format('SELECT %s FROM %s', chime.column_list(v_kept), chime.staged(chime.live_of(chime.as_view(p_view)))),
        format('SELECT t.ctid AS chime_row_id, t.* FROM %I.%I t', p_view.view_schema, p_view.relation)) INTO rows, v_held, inserted, updated, deleted;
    PERFORM chime.refuse_role_doubles(p_view, rows, v_held, inserted, deleted);
EXCEPTION WHEN cardinality_violation THEN
    PERFORM chime.refuse_role_doubles(p_view, 1, 0, 0, 0);
END $$;
COMMENT ON FUNCTION chime.refresh_role_whole IS 'recomputes all of a view that the caller keeps';

-- The relations that a refresh writes and reads are the caller's, of the kinds that it made, and stay so until it ends:
-- the owner of the schema might else drop one and put a table with a trigger in its place. A view is locked by parsing
-- a query on it, which plans and runs nothing: LOCK would ask for SELECT on all columns of the tables below. What
-- cannot be locked is no relation of the caller's.
CREATE OR REPLACE FUNCTION chime.require_role_relations(p_view chime.role_view) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE v_wrong text;
BEGIN
    BEGIN
        EXECUTE format('LOCK TABLE %I.%I IN ROW EXCLUSIVE MODE', p_view.view_schema, p_view.relation);
        PERFORM chime.parse_definition('', format('SELECT FROM %I.%I', p_view.view_schema, p_view.relation || '__live'));
    EXCEPTION WHEN undefined_table OR invalid_schema_name OR insufficient_privilege OR wrong_object_type THEN
        NULL; -- what follows tells
    END;
    SELECT string_agg(format('%s %I.%I', w.kind, p_view.view_schema, w.name), ', ') INTO v_wrong
      FROM (VALUES ('table', p_view.relation, 'r'), ('view', p_view.relation || '__live', 'v')) AS w (kind, name, relkind)
     WHERE NOT EXISTS (SELECT FROM pg_class c WHERE c.oid = chime.owned_relation(p_view.view_schema, w.name) AND c.relkind = w.relkind::"char");
    IF v_wrong IS NOT NULL THEN
        RAISE EXCEPTION 'role % has no % any more', current_user, v_wrong USING ERRCODE = 'object_not_in_prerequisite_state',
            HINT = 'give it back its name and owner; or chime.drop_view, and chime.keep_view';
    END IF;
END $$;
COMMENT ON FUNCTION chime.require_role_relations IS 'raises where the relations of a view are not the caller''s any more';

-- Queries from marks to groups are texts: while their tables stay what they are, so does what they mean.
CREATE OR REPLACE FUNCTION chime.hold_role_sources(p_view chime.role_view) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE v_tables text := (SELECT string_agg(s.source::regclass::text, ', ') FROM chime.role_view_sources(p_view) AS s);
BEGIN
    IF v_tables IS NOT NULL THEN
        EXECUTE format('LOCK TABLE %s IN ACCESS SHARE MODE', v_tables);
    END IF;
END $$;
COMMENT ON FUNCTION chime.hold_role_sources IS 'locks the sources of a view that the caller keeps, so that nobody alters them meanwhile';

-- Proves a view anew, where what its proof rests on is another.
CREATE OR REPLACE FUNCTION chime.judge_role_view(p_view chime.role_view, p_key name[]) RETURNS chime.role_view
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_view chime.view := chime.as_view(p_view);
    v_proven record;
    v_judged chime.role_view;
BEGIN
    v_view.key := p_key;
    SELECT * INTO v_proven FROM chime.prove_role_view(v_view);
    IF jsonb_strip_nulls(v_proven.sources) <> jsonb_strip_nulls(p_view.sources) THEN -- job_call leaves NULLs out
        PERFORM chime.silence_role_view(p_view);
    END IF;
    v_judged := jsonb_populate_record(NULL::chime.role_view, chime.call_for_view('role_view_proof', jsonb_build_object(
        'name', p_view.view_schema || '.' || p_view.relation, 'key', p_key, 'grain', v_proven.grain, 'reason', v_proven.reason,
        'sources', v_proven.sources, 'asked', chime.outlook(v_view))) -> 'view');
    IF v_judged.full_reason IS NULL THEN
        PERFORM chime.make_role_now(v_judged);
    END IF;
    RETURN v_judged;
END $$;
COMMENT ON FUNCTION chime.judge_role_view IS 'asks by which columns a view of the caller''s can be computed, and has the ledger write it down';

-- One refresh. p_if_due: by its job; it also makes triggers that are missing, and then does nothing else, so that
-- writers do not wait for what a refresh takes. As chime.refresh has it, in one environment whoever asks; but policies
-- of row-level security hold, and choose what the owner may see.
CREATE OR REPLACE FUNCTION chime.refresh_role_view(p_name text, p_whole boolean, p_if_due boolean) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET jit = off
SET "TimeZone" = 'UTC' SET "DateStyle" = 'ISO, YMD' SET "IntervalStyle" = 'postgres' SET extra_float_digits = 1
SET lc_monetary = 'C' SET lc_numeric = 'C' SET lc_time = 'C' SET bytea_output = 'hex' SET xmlbinary = 'base64' SET quote_all_identifiers = off AS $$
DECLARE
    v_start timestamptz := clock_timestamp();
    v_told jsonb := chime.call_for_view('role_view_look', jsonb_build_object('name', p_name, 'if_due', p_if_due));
    v_view chime.role_view := jsonb_populate_record(NULL::chime.role_view, v_told -> 'view');
    v_last chime.role_view_refresh := jsonb_populate_record(NULL::chime.role_view_refresh, v_told -> 'last');
    v_looks text;
    v_taken record;
    v_done record;
    v_method text := 'full';
    v_reason text;
    v_rows bigint;
BEGIN
    PERFORM set_config('citus.enable_ddl_propagation', 'off', true);
    IF v_told ? 'words' THEN
        RETURN v_told ->> 'words';
    END IF;
    PERFORM chime.require_role_relations(v_view);
    PERFORM chime.hold_role_sources(v_view);
    PERFORM set_config('TimeZone', v_view.timezone, true);
    IF v_view.asked IS DISTINCT FROM chime.outlook(chime.as_view(v_view)) THEN
        v_view := chime.judge_role_view(v_view, v_view.key);
        v_last.fingerprint := NULL;
    END IF;
    IF v_view.full_reason IS NULL THEN
        v_looks := chime.role_view_looks(v_view);
        IF v_looks IS NULL AND p_if_due THEN
            BEGIN
                PERFORM chime.follow_role_view(v_view);
                RETURN 'its triggers were made';
            EXCEPTION
                WHEN lock_not_available OR deadlock_detected THEN
                    NULL; -- writers go first: with the next look
                WHEN insufficient_privilege OR duplicate_table OR duplicate_function OR wrong_object_type THEN
                    v_view.full_reason := 'its marks cannot be made: ' || SQLERRM;
            END;
        END IF;
    END IF;
    IF v_view.full_reason IS NOT NULL AND NOT p_whole THEN
        PERFORM chime.refuse_full(chime.as_view(v_view));
    END IF;
    v_reason := coalesce(v_view.full_reason, CASE WHEN p_whole THEN 'asked for' WHEN v_looks IS NULL THEN 'changes are not captured yet'
                                                  WHEN v_last.fingerprint IS NULL THEN 'the first time'
                                                  WHEN v_looks <> v_last.fingerprint THEN 'something may have changed without a mark'
                                                  WHEN p_if_due AND (v_start BETWEEN v_last.compared_at AND v_last.compared_at + interval '1 day') IS NOT TRUE
                                                      THEN 'it is compared with its definition once a day' END);
    IF v_looks IS NOT NULL THEN
        SELECT * INTO v_taken FROM chime.take_role_marks(v_view);
        v_reason := coalesce(v_reason, v_taken.whole);
    END IF;
    IF v_reason IS NULL THEN
        SELECT * INTO v_done FROM chime.refresh_role_groups(v_view, v_taken.marks, v_last);
        v_reason := v_done.reason;
        v_method := 'keyed';
        v_rows := v_last.rows + v_done.inserted - v_done.deleted;
    END IF;
    IF v_reason IS NOT NULL THEN
        v_method := 'full';
        SELECT NULL::bigint AS keys, w.* INTO v_done FROM chime.refresh_role_whole(v_view) AS w;
        v_rows := v_done.rows;
    END IF;
    PERFORM chime.require_role_relations(v_view);
    PERFORM chime.call_for_view('role_view_refresh', jsonb_build_object(
        'name', v_view.view_schema || '.' || v_view.relation, 'method', v_method, 'reason', v_reason, 'keys', v_done.keys, 'rows', v_rows, 'inserted', v_done.inserted,
        'updated', v_done.updated, 'deleted', v_done.deleted, 'fingerprint', v_looks,
        'duration_us', (extract(epoch FROM clock_timestamp() - v_start) * 1000000)::bigint));
    RETURN format('%s.%s: %s, %s rows, %s inserted, %s updated, %s deleted', v_view.view_schema, v_view.relation,
                  CASE v_method WHEN 'keyed' THEN format('keyed, %s groups', v_done.keys) ELSE format('full (%s)', v_reason) END,
                  v_rows, v_done.inserted, v_done.updated, v_done.deleted);
END $$;
COMMENT ON FUNCTION chime.refresh_role_view IS 'refreshes a view that the caller keeps; what it did';

CREATE OR REPLACE FUNCTION chime.refresh_if_due(name text) RETURNS text
LANGUAGE sql SET search_path = pg_catalog, pg_temp
RETURN chime.refresh_role_view(name, false, true);
COMMENT ON FUNCTION chime.refresh_if_due IS 'what the job of a view that a role keeps runs: a refresh where there are changes, or where the view is due; what it did';

-- --- what chime.keep_view and its like do for roles ------------------------------------------------------------------

CREATE OR REPLACE FUNCTION chime.role_view_words(p_name text) RETURNS text
LANGUAGE sql SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT format('%s rows; ', k.rows) || CASE WHEN k.full_reason IS NULL THEN 'keyed by ' || array_to_string(k.grain, ', ') ELSE 'refreshed as a whole: ' || k.full_reason END
    FROM chime.kept_views k WHERE k.view_schema || '.' || k.relation = p_name;
END;
COMMENT ON FUNCTION chime.role_view_words IS 'what became of a view that the caller keeps';

CREATE OR REPLACE FUNCTION chime.keep_role_view(p_declared jsonb) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_view chime.role_view := jsonb_populate_record(NULL::chime.role_view, chime.call_for_view('role_view_begin', p_declared) -> 'view');
    v_name text := v_view.view_schema || '.' || v_view.relation;
BEGIN
    PERFORM chime.define_role_view(v_view, 'CREATE VIEW');
    v_view.key := coalesce(ARRAY(SELECT jsonb_array_elements_text(nullif(p_declared -> 'key', 'null'))), '{}');
    IF v_view.key = '{}' THEN
        v_view.key := chime.derived_key(chime.live_of(chime.as_view(v_view)));
    END IF;
    PERFORM chime.make_role_view(v_view);
    PERFORM chime.judge_role_view(v_view, v_view.key);
    PERFORM chime.refresh_role_view(v_name, false, false);
    RETURN chime.role_view_words(v_name);
END $$;
COMMENT ON FUNCTION chime.keep_role_view IS 'keeps a view for the role that calls';

CREATE OR REPLACE FUNCTION chime.alter_role_view(p_declared jsonb) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_view chime.role_view := jsonb_populate_record(NULL::chime.role_view, chime.call_for_view('role_view_change', p_declared) -> 'view');
    v_name text := v_view.view_schema || '.' || v_view.relation;
    v_key name[] := ARRAY(SELECT jsonb_array_elements_text(nullif(p_declared -> 'key', 'null')));
    v_grants text[] := '{}';
    v_grant text;
BEGIN
    PERFORM chime.require_role_relations(v_view);
    IF p_declared ->> 'definition' IS NOT NULL THEN
        BEGIN
            PERFORM chime.define_role_view(v_view, 'CREATE OR REPLACE VIEW');
        EXCEPTION WHEN invalid_table_definition THEN
            EXECUTE format('DROP VIEW %I.%I', v_view.view_schema, v_view.relation || '__live');
            PERFORM chime.define_role_view(v_view, 'CREATE VIEW');
        END;
    END IF;
    IF v_key <> '{}' THEN
        v_view.key := v_key;
    ELSIF p_declared ->> 'definition' IS NOT NULL AND NOT v_view.key <@ ARRAY(
            SELECT a.attname FROM pg_attribute a WHERE a.attrelid = chime.live_of(chime.as_view(v_view)) AND a.attnum > 0) THEN
        v_view.key := chime.derived_key(chime.live_of(chime.as_view(v_view)));
    END IF;
    IF NOT chime.role_view_fits(v_view) THEN
        v_grants := chime.drop_role_now(v_view);
        PERFORM chime.remake_role_view(v_view);
    ELSIF p_declared ->> 'comment' IS NOT NULL THEN
        EXECUTE format('COMMENT ON TABLE %I.%I IS %L', v_view.view_schema, v_view.relation, v_view.comment);
    END IF;
    PERFORM chime.judge_role_view(v_view, v_view.key);
    FOREACH v_grant IN ARRAY CASE WHEN (chime.role_now_of(v_view)).relation IS NULL THEN '{}' ELSE v_grants END LOOP
        EXECUTE v_grant;
    END LOOP;
    PERFORM chime.refresh_role_view(v_name, false, false);
    RETURN chime.role_view_words(v_name);
END $$;
COMMENT ON FUNCTION chime.alter_role_view IS 'changes a view that the caller keeps';

-- Triggers on tables of others stay, and never fire; so do their functions. What the owner may not reach any more, or
-- what was given to another role, is left, too.
CREATE OR REPLACE FUNCTION chime.unfollow_role_view(p_view chime.role_view) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET client_min_messages = warning SET lock_timeout = '10s' AS $$
DECLARE
    v_marks record;
    v_source record;
    v_event chime.capture_event;
BEGIN
    FOR v_marks IN SELECT * FROM chime.role_view_marks(p_view) LOOP
        IF v_marks.marking IS NOT NULL THEN
            EXECUTE format('CREATE OR REPLACE FUNCTION %s() RETURNS trigger LANGUAGE plpgsql AS $f$ BEGIN RETURN NULL; END $f$', v_marks.marks);
        END IF;
        FOR v_source IN SELECT c.oid::regclass AS name, pg_has_role(c.relowner, 'USAGE') AS owned FROM pg_class c
                        WHERE c.oid IN (SELECT t.tgrelid FROM pg_trigger t WHERE t.tgfoid = v_marks.marking) LOOP
            BEGIN
                IF v_source.owned THEN
                    FOR v_event IN SELECT * FROM chime.capture_events() LOOP
                        EXECUTE format('DROP TRIGGER IF EXISTS chime_kept_%s_%s ON %s', p_view.view_id, v_event.event, v_source.name);
                    END LOOP;
                ELSE
                    PERFORM chime.mark_triggers(p_view, v_source.name, v_marks.marks, false);
                END IF;
            EXCEPTION WHEN insufficient_privilege THEN
                NULL;
            END;
        END LOOP;
        BEGIN
            IF v_marks.marking IS NOT NULL THEN
                EXECUTE format('DROP FUNCTION %s()', v_marks.marks);
            END IF;
        EXCEPTION WHEN dependent_objects_still_exist THEN
            NULL; -- with its triggers, which are the table's owner's to drop
        END;
        IF v_marks.kept IS NOT NULL THEN
            EXECUTE format('DROP TABLE %s', v_marks.marks);
        END IF;
    END LOOP;
END $$;
COMMENT ON FUNCTION chime.unfollow_role_view IS 'takes away what captures changes for a view that the caller keeps, as far as it may';

CREATE OR REPLACE FUNCTION chime.drop_role_view(p_name text) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET client_min_messages = warning AS $$
DECLARE v_view chime.role_view := jsonb_populate_record(NULL::chime.role_view, chime.call_for_view('role_view_end', jsonb_build_object('name', p_name)) -> 'view');
BEGIN
    IF NOT EXISTS (SELECT FROM pg_namespace n WHERE n.nspname = v_view.view_schema AND has_schema_privilege(n.oid, 'USAGE')) THEN
        RETURN true;
    END IF;
    PERFORM chime.unfollow_role_view(v_view), chime.drop_role_now(v_view);
    IF chime.owned_relation(v_view.view_schema, v_view.relation) IS NOT NULL THEN
        EXECUTE format('DROP TABLE %I.%I', v_view.view_schema, v_view.relation);
    END IF;
    IF chime.owned_relation(v_view.view_schema, v_view.relation || '__live') IS NOT NULL THEN
        EXECUTE format('DROP VIEW %I.%I', v_view.view_schema, v_view.relation || '__live');
    END IF;
    RETURN true;
END $$;
COMMENT ON FUNCTION chime.drop_role_view IS 'drops a view that the caller keeps, with its relations and its job';
