-- SPDX-License-Identifier: PostgreSQL
-- RELATION__now: a view that is always true, of the kept rows of groups without pending marks, and of what the
-- definition gives for the others. Frozen rows are always as they are kept.
--
-- It needs two functions, and no relation, so that a kept relation is renamed, dropped and made anew as if there were
-- no such view. chime.now_N gives the marked groups and their rows, as the ledger's owner, who may read marks and
-- sources. chime.kept_N is a query on the kept relation that the planner takes into the statement that reads the view:
-- so conditions find rows by an index, and who reads the view needs SELECT on the kept relation itself. All is read in
-- one snapshot, since both are STABLE.

CREATE OR REPLACE FUNCTION chime.now_of(p_view chime.view) RETURNS regclass
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN chime.own_relation(p_view.view_schema, p_view.relation || '__now', 'now');
END $$;
COMMENT ON ROUTINE chime.now_of IS 'RELATION__now of a view; NULL: there is none';

-- Policies of a kept relation choose rows for each reader; what chime.now_N computes, they would not reach.
CREATE OR REPLACE FUNCTION chime.refuse_policies(p_view chime.view) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE v_kept regclass := chime.require_kept(p_view);
BEGIN
    IF (SELECT c.relrowsecurity FROM pg_class c WHERE c.oid = v_kept) THEN
        RAISE EXCEPTION 'row-level security of % does not hold for what is computed live', v_kept
            USING ERRCODE = 'insufficient_privilege', HINT = format('read %s; chime.wait_fresh waits until it holds what was committed', v_kept);
    END IF;
END $$;
COMMENT ON FUNCTION chime.refuse_policies IS 'raises where a kept relation has row-level security';

-- Of a snapshot that is older than the leader's last look: marks that it shows may be gone.
CREATE OR REPLACE FUNCTION chime.has_lost_part(p_schema name, p_relation name) RETURNS boolean
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$ -- keeps its plan
BEGIN
    RETURN EXISTS (SELECT FROM chime.view_source s JOIN chime.change_part c USING (source_id)
                   WHERE s.view_schema = p_schema AND s.relation = p_relation AND to_regclass(chime.part_name(c.source_id, c.part)) IS NULL);
END $$;
COMMENT ON FUNCTION chime.has_lost_part IS 'whether a part of a log that this snapshot shows was dropped since';

-- The columns of a kept relation as chime.now_N gives them: of p_from those of the grain, NULL for the others.
CREATE OR REPLACE FUNCTION chime.now_columns(p_kept regclass, p_grain name[], p_from text) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN (SELECT string_agg(format(CASE WHEN a.attname = ANY (p_grain) THEN '%1$s.%2$I::%3$s' ELSE 'NULL::%3$s' END, p_from, a.attname, format_type(a.atttypid, -1)), ', ' ORDER BY u.n)
        FROM unnest(chime.kept_columns(p_kept)) WITH ORDINALITY AS u (name, n) JOIN pg_attribute a ON a.attrelid = p_kept AND a.attname = u.name);
COMMENT ON FUNCTION chime.now_columns IS 'a group among the rows of a kept relation: columns of the grain, and NULL for the others';

-- Without modifiers of types, since what a function gives is not made to fit them.
CREATE OR REPLACE FUNCTION chime.now_definition(p_kept regclass, p_modified boolean) RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN (SELECT string_agg(format('%I %s%s', a.attname, format_type(a.atttypid, CASE WHEN p_modified THEN a.atttypmod ELSE -1 END), chime.collation_of(p_kept, a.attname)), ', ' ORDER BY u.n)
        FROM unnest(chime.kept_columns(p_kept)) WITH ORDINALITY AS u (name, n) JOIN pg_attribute a ON a.attrelid = p_kept AND a.attname = u.name);
COMMENT ON FUNCTION chime.now_definition IS 'the columns of a kept relation as they are named behind a function that returns records';

-- In the environment of a refresh (chime.refresh). What the definition reaches is vetted at each call, as at each
-- refresh; here nothing can be parsed anew, so after a change of its tables everything is computed until upkeep has
-- vetted it. Taking marks locks the parts of a log: so it comes before the look whether one is gone.
CREATE OR REPLACE FUNCTION chime.now_function(p_view chime.view, p_parts jsonb, p_text text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_kept regclass := chime.kept_of(p_view);
    v_columns text := chime.column_list(v_kept);
    v_live text := format('%I.%I', p_view.view_schema, p_view.relation || '__live');
BEGIN
    RETURN chime.fill_template($body$
        #variable_conflict use_column
        DECLARE
            p_revisit constant boolean := true;
            v_view chime.view;
            v_last chime.view_refresh;
            v_xmax xid8;
            v_xip xid8[];
            v_fingerprint text; v_uncaptured text; v_reason text;
            v_keys bigint;
        {{declared}}
        BEGIN
            SELECT * INTO STRICT v_view FROM chime.view v WHERE v.view_id = {{view}};
            SELECT * INTO v_last FROM chime.view_refresh r
             WHERE r.view_schema = v_view.view_schema AND r.relation = v_view.relation ORDER BY r.refreshes DESC LIMIT 1;
            PERFORM chime.refuse_policies(v_view);
            IF v_view.vetted IS DISTINCT FROM chime.reach(v_view) THEN
                PERFORM chime.refuse_untrusted({{what}}, 'pg_class'::regclass, chime.live_of(v_view));
                v_reason := 'its tables are other ones';
            END IF;
            v_xmax := pg_snapshot_xmax(v_last.seen);
            v_xip := ARRAY(SELECT pg_snapshot_xip(v_last.seen));
            SELECT chime.view_fingerprint({{schema}}, {{relation}}), chime.uncaptured_sources({{schema}}, {{relation}}){{take_marks}}
              INTO v_fingerprint, v_uncaptured{{into_marks}};
            v_reason := coalesce(v_reason, v_view.full_reason, v_last.start_over, v_uncaptured,
                CASE WHEN v_last.seen IS NULL THEN 'the first time'
                           {{reasons_of_marks}}
                     WHEN chime.has_lost_part({{schema}}, {{relation}}) THEN 'marks are gone'
                     WHEN v_fingerprint IS DISTINCT FROM v_last.fingerprint THEN 'another fingerprint'
                     WHEN chime.flooded({{schema}}, {{relation}}) THEN 'the log of a source was full' END);
            IF v_reason IS NULL THEN
                BEGIN
                    EXECUTE {{list_groups}} INTO {{into_groups}} USING {{marks}};
                    v_keys := coalesce(cardinality(g_1), 0);
                    IF coalesce(v_keys <= {{keys_limit}} AND NOT coalesce(v_last.floor_us + v_keys * v_last.key_us > v_last.full_us, false), false) THEN
                        RETURN QUERY SELECT 'group'::text, {{group_columns}} FROM unnest({{groups}}) AS g ({{grain}});
                        RETURN QUERY WITH groups AS MATERIALIZED (SELECT * FROM unnest({{groups}}) AS g ({{grain}})) {{live_rows}};
                        RETURN;
                    END IF;
                EXCEPTION WHEN data_exception THEN NULL; -- as in a keyed refresh
                END;
            END IF;
            PERFORM set_config('enable_seqscan', 'on', true);
            RETURN QUERY SELECT 'whole'::text, {{no_columns}};
            RETURN QUERY EXECUTE {{all_rows}};
        END -- {{text}}$body$, p_parts || jsonb_build_object(
        'what', quote_literal(format('view %s.%s', p_view.view_schema, p_view.relation)),
        'group_columns', chime.now_columns(v_kept, p_view.grain, 'g'),
        'no_columns', chime.now_columns(v_kept, '{}', 'g'),
        'live_rows', chime.rows_of_groups(v_kept, v_live, '''row''::text, ' || v_columns, p_view.grain, chime.unfrozen(p_view))
            || CASE WHEN p_view.frozen_when IS NULL THEN ''
                    ELSE ' UNION ALL ' || chime.rows_of_groups(v_kept, v_kept::text, '''row''::text, ' || v_columns, p_view.grain, chime.frozen_test(p_view)) END,
        'all_rows', quote_literal(format('SELECT ''all''::text, %s FROM %s WHERE %s', v_columns, v_live, chime.unfrozen(p_view))
            || CASE WHEN p_view.frozen_when IS NULL THEN ''
                    ELSE format(' UNION ALL SELECT ''all''::text, %s FROM %s WHERE %s', v_columns, v_kept, chime.frozen_test(p_view)) END),
        'text', md5(p_text)));
END $$;
COMMENT ON FUNCTION chime.now_function IS 'the body of chime.now_N; p_text: of the view that reads it';

-- Groups are compared as in a refresh. Those with a NULL are few, and joined by a loop. Of a view of a role (no plugin)
-- the function is the role's, and the kept relation is read with the role's rights.
CREATE OR REPLACE FUNCTION chime.now_statement(p_view chime.view) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_kept regclass := chime.kept_of(p_view);
    v_matches text[] := ARRAY(SELECT m FROM chime.grain_matches(v_kept, p_view.grain, 'n', 'k') AS m);
BEGIN
    RETURN (SELECT chime.fill_template(
        'WITH n AS MATERIALIZED (SELECT * FROM {{now}}() AS n (chime_part text, {{computed}}))'
        ' SELECT {{columns}} FROM {{kept}}'
        ' WHERE NOT EXISTS (SELECT FROM n WHERE n.chime_part = ''whole'')'
        ' AND NOT EXISTS (SELECT FROM n WHERE n.chime_part = ''group'' AND {{match}})'
        ' AND NOT EXISTS (SELECT FROM n WHERE n.chime_part = ''group'' AND ({{has_null}}) AND ({{null_match}}))'
        ' UNION ALL SELECT {{cast}} FROM n'
        ' WHERE n.chime_part = CASE WHEN EXISTS (SELECT FROM n AS w WHERE w.chime_part = ''whole'') THEN ''all'' ELSE ''row'' END',
        jsonb_build_object(
            'now', CASE WHEN p_view.plugin IS NULL THEN format('%I.%I', p_view.view_schema, p_view.relation || '__now') ELSE 'chime.now_' || p_view.view_id END,
            'columns', string_agg(format('k.%I', a.attname), ', ' ORDER BY u.n),
            'kept', CASE WHEN p_view.plugin IS NULL THEN format('%I.%I AS k', p_view.view_schema, p_view.relation)
                         ELSE format('chime.kept_%s() AS k (%s)', p_view.view_id, chime.now_definition(v_kept, true)) END,
            'computed', chime.now_definition(v_kept, false),
            'cast', string_agg(format(CASE WHEN a.atttypmod = -1 THEN 'n.%I' ELSE 'n.%I::%s' END, a.attname, format_type(a.atttypid, a.atttypmod)), ', ' ORDER BY u.n),
            'match', v_matches[1],
            'has_null', (SELECT string_agg(format('n.%I IS NULL', g), ' OR ') FROM unnest(p_view.grain) AS g),
            'null_match', array_to_string(v_matches[2:], ' OR ')))
        FROM unnest(chime.kept_columns(v_kept)) WITH ORDINALITY AS u (name, n)
        JOIN pg_attribute a ON a.attrelid = v_kept AND a.attname = u.name);
END $$;
COMMENT ON FUNCTION chime.now_statement IS 'the query that RELATION__now is';

CREATE OR REPLACE FUNCTION chime.make_now(p_view chime.view, p_text text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_name text := format('%I.%I', p_view.view_schema, p_view.relation || '__now');
    v_is_new boolean := to_regclass(v_name) IS NULL;
BEGIN
    BEGIN
        EXECUTE format('CREATE OR REPLACE VIEW %s AS %s', v_name, p_text);
    EXCEPTION WHEN invalid_table_definition THEN
        PERFORM chime.refuse_dependents(v_name::regclass);
        EXECUTE format('DROP VIEW %s', v_name);
        EXECUTE format('CREATE VIEW %s AS %s', v_name, p_text);
        v_is_new := true;
    END;
    PERFORM chime.keep_private(v_name::regclass) WHERE v_is_new;
    PERFORM chime.note_made(v_name::regclass, format('now %s.%s__now', p_view.view_schema, p_view.relation),
                            format('%s, always true: what has changed since its last refresh is computed', p_view.relation));
    PERFORM chime.let_readers(v_name::regclass);
END $$;
COMMENT ON FUNCTION chime.make_now IS 'makes RELATION__now, or gives it another text';

-- A relation of another role that has the name stays: what is kept does not need ours. The view is made anew where its
-- text is another one alone, since that waits for its readers.
CREATE OR REPLACE FUNCTION chime.write_now(p_view chime.view, p_parts jsonb) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_name text := format('%I.%I', p_view.view_schema, p_view.relation || '__now');
    v_text text := chime.now_statement(p_view);
    v_known boolean := chime.now_of(p_view) IS NOT NULL
        AND EXISTS (SELECT FROM pg_proc p WHERE p.oid = to_regprocedure(format('chime.now_%s()', p_view.view_id))
                    AND p.prosrc LIKE '%-- ' || md5(v_text));
    v_routine text;
BEGIN
    IF chime.now_of(p_view) IS NULL AND to_regclass(v_name) IS NOT NULL THEN
        PERFORM chime.tell(format('%s is not pgchime''s: there is no view of that name that is always true', v_name));
        RETURN;
    END IF;
    EXECUTE format('CREATE OR REPLACE FUNCTION chime.now_%s() RETURNS SETOF record'
                   ' LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 100 SET search_path = pg_catalog, pg_temp SET jit = off SET row_security = off'
                   ' SET enable_seqscan = off SET max_parallel_workers_per_gather = 0 SET plan_cache_mode = force_generic_plan'
                   ' SET "TimeZone" = %L SET "DateStyle" = ''ISO, YMD'' SET "IntervalStyle" = ''postgres'' SET extra_float_digits = 1'
                   ' SET lc_monetary = ''C'' SET lc_numeric = ''C'' SET lc_time = ''C'' SET bytea_output = ''hex'' SET xmlbinary = ''base64'''
                   ' SET quote_all_identifiers = off AS %L',
                   p_view.view_id, p_view.timezone, chime.now_function(p_view, p_parts, v_text));
    EXECUTE format('CREATE OR REPLACE FUNCTION chime.kept_%s() RETURNS SETOF record LANGUAGE sql STABLE AS %L', p_view.view_id,
                   format('SELECT %s FROM %I.%I', chime.column_list(chime.kept_of(p_view)), p_view.view_schema, p_view.relation));
    FOREACH v_routine IN ARRAY ARRAY[format('chime.now_%s()', p_view.view_id), format('chime.kept_%s()', p_view.view_id)] LOOP
        PERFORM chime.keep_routine_private(v_routine::regprocedure);
        IF to_regrole('analytics_reader') IS NOT NULL THEN
            EXECUTE format('GRANT EXECUTE ON FUNCTION %s TO analytics_reader', v_routine);
        END IF;
    END LOOP;
    IF NOT v_known THEN
        PERFORM chime.make_now(p_view, v_text);
    END IF;
END $$;
COMMENT ON FUNCTION chime.write_now IS 'makes RELATION__now of a keyed view, with what it calls; p_parts: of chime.write_keyed';

-- A view that is no longer keyed computes everything in it; once it has other columns, it goes.
CREATE OR REPLACE FUNCTION chime.drop_stale_now(p_view chime.view) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_now regclass := chime.now_of(p_view);
    v_kept regclass := chime.kept_of(p_view);
BEGIN
    IF v_now IS NOT NULL
       AND (SELECT array_agg((a.attname, a.atttypid, a.atttypmod, a.attcollation)::text ORDER BY a.attnum) FILTER (WHERE a.attrelid = v_now)
                   IS DISTINCT FROM
                   array_agg((a.attname, a.atttypid, a.atttypmod, a.attcollation)::text ORDER BY a.attnum) FILTER (WHERE a.attrelid = v_kept)
            FROM pg_attribute a WHERE a.attrelid IN (v_now, v_kept) AND a.attnum > 0 AND NOT a.attisdropped) THEN
        PERFORM chime.refuse_dependents(v_now);
        EXECUTE format('DROP VIEW %s', v_now);
        EXECUTE format('DROP FUNCTION chime.now_%1$s(), chime.kept_%1$s()', p_view.view_id);
        PERFORM chime.tell(format('%I.%I was dropped: its view has other columns, and is not keyed', p_view.view_schema, p_view.relation || '__now'));
    END IF;
END $$;
COMMENT ON FUNCTION chime.drop_stale_now IS 'drops RELATION__now of a view that is not keyed and has other columns';
