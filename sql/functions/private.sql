-- SPDX-License-Identifier: PostgreSQL
-- Privileges in schema chime are set here. The default privileges of the role that runs its SQL do not matter. What
-- is made at run time goes through chime.keep_private and its like; who is not named here may call no function.

CREATE OR REPLACE FUNCTION chime.take_back(p_object text, p_owner oid, p_privileges aclitem[]) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE v_grantee text;
BEGIN
    FOR v_grantee IN SELECT DISTINCT CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END
                     FROM aclexplode(p_privileges) AS a WHERE a.grantee <> p_owner LOOP
        EXECUTE format('REVOKE ALL ON %s FROM %s', p_object, v_grantee);
    END LOOP;
END $$;
COMMENT ON FUNCTION chime.take_back IS 'takes away what others than its owner were given of an object, as REVOKE names it';

-- What default privileges gave of a relation that was just made: who may read a source's rows is said for the source,
-- and who may read a kept relation, by grants on it.
CREATE OR REPLACE FUNCTION chime.keep_private(p_relation regclass) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT chime.take_back(p_relation::text, c.relowner, c.relacl) FROM pg_class c WHERE c.oid = p_relation;
END;
COMMENT ON FUNCTION chime.keep_private IS 'after CREATE of a relation: nobody but its owner has privileges on it';

CREATE OR REPLACE FUNCTION chime.keep_routine_private(p_routine regprocedure) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    SELECT chime.take_back('ROUTINE ' || p_routine, p.proowner, coalesce(p.proacl, acldefault('f', p.proowner)))
    FROM pg_proc p WHERE p.oid = p_routine;
END;
COMMENT ON FUNCTION chime.keep_routine_private IS 'after CREATE of a function: nobody but its owner may call it';

CREATE OR REPLACE FUNCTION chime.grant_to_jobs() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    GRANT USAGE ON SCHEMA chime TO pgchime_jobs;
    GRANT INSERT (verb, arguments), SELECT (answer) ON chime.job_call TO pgchime_jobs;
    GRANT SELECT ON chime.jobs, chime.upcoming, chime.job_runs TO pgchime_jobs;
    GRANT EXECUTE ON FUNCTION
        chime.schedule(text, text, text, text, text, boolean, text[], text[], jsonb, jsonb, interval),
        chime.schedule_once(timestamptz, text, text, text, text, jsonb, jsonb),
        chime.alter_job(bigint, text, text, text, text, boolean, text[], text[], jsonb, jsonb, text, interval),
        chime.unschedule(bigint, boolean), chime.unschedule(text, boolean), chime.run_now(bigint), chime.run_now(text),
        chime.backfill_job(bigint, timestamptz, timestamptz, text), chime.cancel_backfill(bigint),
        chime.cancel(bigint, text), chime.schedule_valid(text), chime.schedule_problem(text), chime.schedule_differs(text),
        chime.keep_view(text, text, text[], text, text, text, text, text, text, text, text, text),
        chime.alter_view(text, text, text[], text, text, text, text, text, text, text), chime.drop_view(text), chime.refresh_view(text, boolean),
        chime.explain_view(text), chime.wait_fresh(text, interval)
    TO pgchime_jobs;
    PERFORM chime.grant_to_keepers();
END $$;
COMMENT ON FUNCTION chime.grant_to_jobs IS 'what pgchime_jobs may do: make jobs, keep views, and see its own';

-- What proves and refreshes a view of a role runs as that role, as far as it is no secret how: each of these has the
-- rights of whoever calls (tables_read apart, which reads pg_depend alone), and reads no table of the ledger but
-- chime.kept_views and chime.own_role_views.
CREATE OR REPLACE FUNCTION chime.grant_to_keepers() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE v_name text;
BEGIN
    GRANT SELECT ON chime.kept_views, chime.own_role_views TO pgchime_jobs;
    FOREACH v_name IN ARRAY string_to_array(chime.keeper_functions(), ' ') LOOP
        EXECUTE format('GRANT EXECUTE ON ROUTINE chime.%I TO pgchime_jobs', v_name);
    END LOOP;
END $$;
COMMENT ON FUNCTION chime.grant_to_keepers IS 'what sessions of roles that keep views call';

CREATE OR REPLACE FUNCTION chime.keeper_functions() RETURNS text
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
RETURN 'alter_role_view as_of as_view call_for_view capture_events clause_columns collation_of column_list columns_named columns_read compares_constant '
    'condition_parts condition_tokens define_role_view definition_plan derived_key difference_statement drop_role_view equal_columns equal_is_same '
    'fetch_and_compute fetch_rows fetched fill_template first_plan follow_role_view foreign_leaves functions_below functions_called grain_candidates grain_matches grain_problem group_plan '
    'group_scans has_grain_index in_session inheritance_roots inheritance_tree is_administrator is_column is_constant is_distributed is_of_scan joined_scans judge_role_view '
    'keep_role_view kept_columns kept_of key_equality key_index_of keys_limit likely_key links_to live_of make_role_view map_of_scan mark_function '
    'mark_triggers marks_name meaning node_conditions node_fields node_items outlook output_entries over_alias owned_relation parse_definition plan_nodes '
    'prove_by_others prove_keys prove_role_view prove_scan prove_scans read_conditions refuse_full refuse_policies_of_shards reads_distributed reads_whole refresh_if_due refresh_role_groups refresh_role_view '
    'refresh_role_whole refuse_hidden hold_role_sources refuse_reserved_names refuse_role_doubles relations_read remake_role_view require_one_statement require_role_relations role_view_fits '
    'role_view_groups role_view_looks role_view_marks role_view_sources role_view_words root_table rows_of_groups says_collate scanned_table scanned_whole silence_role_view staged tables_read '
    'drop_role_now hold_role_now make_role_now now_columns now_definition now_statement refuse_other_names refuse_role_now role_now_of role_view_now see_role_marks write_role_now '
    'take_role_marks uncapturable unfollow_role_view unfollowable unique_columns unique_columns_below unique_columns_of_table unkeyable unmarked_columns '
    'unproven_words unrestricted_scans unsteady view_query why_fetched without_brackets without_domain without_relabel';
COMMENT ON FUNCTION chime.keeper_functions IS 'their names';

-- Views that read as whoever asks need their tables and functions, too. A policy that is there stays: to make it would
-- wait for whoever reads the table, pg_dump say.
CREATE OR REPLACE FUNCTION chime.grant_to_monitor() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_table text;
    v_columns text;
BEGIN
    GRANT USAGE ON SCHEMA chime TO pgchime_monitor;
    GRANT SELECT ON chime.leader_status, chime.runs, chime.job_status, chime.view_status, chime.jobs, chime.upcoming, chime.job_runs,
                    chime.pipeline_status TO pgchime_monitor;
    FOREACH v_table IN ARRAY '{leader,run}'::text[] LOOP -- but for the leader's token
        SELECT string_agg(quote_ident(a.attname), ', ') INTO v_columns FROM pg_attribute a
         WHERE a.attrelid = format('chime.%I', v_table)::regclass AND a.attnum > 0 AND NOT a.attisdropped AND a.attname <> 'token';
        EXECUTE format('GRANT SELECT (%s) ON chime.%I TO pgchime_monitor', v_columns, v_table);
    END LOOP;
    GRANT SELECT ON chime.job, chime.job_past, chime.job_state, chime.pipeline, chime.run_history, chime.attempt, chime.missed, chime.slot_backfill, chime.slot_backfills, chime.tally, chime.minute, chime.job_day,
                    chime.totals, chime.pulse, chime.migration, chime.function_set, chime.listener, chime.source, chime.view_source TO pgchime_monitor;
    FOREACH v_table IN ARRAY '{job,job_state,pipeline,run,run_history,attempt,missed,job_day,slot_backfill}'::text[] LOOP
        IF NOT EXISTS (SELECT FROM pg_policy p WHERE p.polrelid = format('chime.%I', v_table)::regclass AND p.polname = 'monitor') THEN
            EXECUTE format('CREATE POLICY monitor ON chime.%I FOR SELECT TO pgchime_monitor USING (true)', v_table);
        END IF;
    END LOOP;
    GRANT SELECT ON chime.follower, chime.leadership, chime.plugin, chime.plugin_status, chime.view, chime.view_refresh, chime.verification, chime.request
        TO pgchime_monitor;
    IF to_regclass('chime.alerts') IS NOT NULL THEN
        GRANT SELECT ON chime.alerts, chime.alert, chime.alert_event, chime.alert_rule, chime.silence TO pgchime_monitor;
        GRANT EXECUTE ON FUNCTION chime.silenced(jsonb), chime.labels_match(jsonb, jsonb) TO pgchime_monitor;
    END IF;
    IF to_regclass('chime.notification') IS NOT NULL THEN
        GRANT SELECT ON chime.sink, chime.notification TO pgchime_monitor;
    END IF;
    IF to_regclass('chime.action') IS NOT NULL THEN
        GRANT SELECT ON chime.action TO pgchime_monitor;
    END IF;
    IF to_regclass('chime.tile') IS NOT NULL THEN
        GRANT SELECT ON chime.tile TO pgchime_monitor;
        GRANT EXECUTE ON FUNCTION chime.tile_rows(text, integer, text), chime.note_tile(text, integer, bigint) TO pgchime_monitor;
    END IF;
    GRANT EXECUTE ON FUNCTION chime.view_freshness(), chime.pipeline_outlook(bigint), chime.pipeline_words(bigint), chime.unfilled(), chime.last_fill(bigint), chime.led(), chime.copy_of(), chime.system_identifier(), chime.database_number(),
                              chime.backend_alive(integer, timestamptz) TO pgchime_monitor;
    -- What the pages of pgchime-web ask beside: words, and problems as the ledger's owner finds them.
    GRANT EXECUTE ON FUNCTION chime.told(text, text, text), chime.shell_word(text), chime.unled_words(timestamptz), chime.commits_wait(),
                              chime.lock_holders(integer), chime.standard_rules(), chime.alert_problems(), chime.view_problems(), chime.ledger_problems(),
                              chime.possible_injectors(), chime.pg_cron_questions(), chime.failure_words(bigint), chime.tables_read(regclass),
                              chime.live_of(chime.view), chime.made_live(chime.view), chime.readable_setting(text), chime.failure_way_out(bigint), chime.job_findings(),
                              chime.ledger_findings(), chime.role_view_states() TO pgchime_monitor;
END $$;
COMMENT ON FUNCTION chime.grant_to_monitor IS 'what pgchime_monitor may do: see everybody''s jobs, runs and views';

CREATE OR REPLACE FUNCTION chime.grant_to_operator() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    GRANT USAGE ON SCHEMA chime TO pgchime_operator;
    GRANT EXECUTE ON FUNCTION
        chime.operate_run(bigint, text, text, text), chime.operate_cancel(bigint, chime.run_kind, timestamptz, text, text, text),
        chime.operate_suspend(bigint[], timestamptz, text, text, text), chime.operate_resume(bigint[], text, text, text),
        chime.operate_silence(jsonb, timestamptz, text, text, text), chime.operate_acknowledge(bigint, text, text, text)
    TO pgchime_operator;
END $$;
COMMENT ON FUNCTION chime.grant_to_operator IS 'what pgchime_operator may do: ask for what operator.sql has, each time with who and why';

CREATE OR REPLACE FUNCTION chime.grant_to_roles() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF to_regrole('analytics_reader') IS NOT NULL THEN
        GRANT USAGE ON SCHEMA chime TO analytics_reader;
        GRANT EXECUTE ON FUNCTION chime.as_of(), chime.one_of(text, text, text[]), chime.wait_fresh(text, interval) TO analytics_reader;
    END IF;
    IF to_regrole('pgchime_jobs') IS NOT NULL THEN
        PERFORM chime.grant_to_jobs();
    END IF;
    IF to_regrole('pgchime_monitor') IS NOT NULL THEN
        PERFORM chime.grant_to_monitor();
    END IF;
    IF to_regrole('pgchime_operator') IS NOT NULL AND to_regprocedure('chime.operate_run(bigint,text,text,text)') IS NOT NULL THEN
        PERFORM chime.grant_to_operator();
    END IF;
END $$;
COMMENT ON FUNCTION chime.grant_to_roles IS
    'gives analytics_reader, pgchime_jobs, pgchime_monitor and pgchime_operator what they may do here, as far as they are there; for roles that were made later, once more';

-- What somebody granted who is in no default privileges stays. PUBLIC may call what a migration did not take from it.
CREATE OR REPLACE FUNCTION chime.keep_ledger_private() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM chime.take_back(o.object, o.owner, (
        SELECT array_agg(i) FROM unnest(o.privileges) AS i CROSS JOIN aclexplode(ARRAY[i]) AS a
        WHERE EXISTS (SELECT FROM pg_default_acl d CROSS JOIN aclexplode(d.defaclacl) AS given
                      WHERE d.defaclrole = o.owner AND given.grantee = a.grantee AND (given.grantee <> 0 OR o.object NOT LIKE 'ROUTINE %'))))
    FROM (SELECT CASE c.relkind WHEN 'S' THEN 'SEQUENCE ' ELSE 'TABLE ' END || c.oid::regclass AS object, c.relowner AS owner,
                 c.relacl AS privileges
          FROM pg_class c WHERE c.relnamespace = 'chime'::regnamespace AND c.relkind IN ('r', 'p', 'v', 'm', 'S')
          UNION ALL
          SELECT 'ROUTINE ' || p.oid::regprocedure, p.proowner, p.proacl FROM pg_proc p WHERE p.pronamespace = 'chime'::regnamespace
          UNION ALL
          SELECT 'SCHEMA chime', n.nspowner, n.nspacl FROM pg_namespace n WHERE n.nspname = 'chime') AS o;
    PERFORM chime.grant_to_roles();
END $$;
COMMENT ON FUNCTION chime.keep_ledger_private IS 'takes back what default privileges gave of schema chime, and gives each role what it may do there';
