-- SPDX-License-Identifier: PostgreSQL
-- RELATION__now of a view that a role keeps: the kept rows of groups without marks, and what the definition gives for
-- the others (docs/adr/0041-views-of-roles.md).
--
-- The view is the role's, and reads the kept relation with the role's rights. The function RELATION__now() is the
-- role's and SECURITY DEFINER: it gives the marked groups and their rows, for whoever the role lets call it. It is a
-- few lines; all it does stands here, and runs as the role. It writes nothing, so it works in a transaction that is
-- read-only, and all of a statement is read in one snapshot.

-- A relation of that name that the role made itself is not ours. Ours is a view that calls the function.
CREATE OR REPLACE FUNCTION chime.role_now_of(p_view chime.role_view, OUT relation regclass, OUT routine oid)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    SELECT p.oid INTO routine FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
     WHERE n.nspname = p_view.view_schema AND p.proname = p_view.relation || '__now' AND p.pronargs = 0
       AND pg_get_userbyid(p.proowner) = current_user AND p.prosrc LIKE '%chime.role_view_now(%';
    SELECT c.oid INTO relation FROM pg_class c
     WHERE c.oid = chime.owned_relation(p_view.view_schema, p_view.relation || '__now') AND c.relkind = 'v'
       AND EXISTS (SELECT FROM pg_rewrite w JOIN pg_depend d ON d.classid = 'pg_rewrite'::regclass AND d.objid = w.oid
                   WHERE w.ev_class = c.oid AND d.refclassid = 'pg_proc'::regclass AND d.refobjid = routine);
END $$;
COMMENT ON FUNCTION chime.role_now_of IS 'RELATION__now of a view that the caller keeps, and its function; NULL: there is none';

-- As chime.take_role_marks, and takes none. whole: they do not tell which groups changed.
CREATE OR REPLACE FUNCTION chime.see_role_marks(p_view chime.role_view, OUT marks jsonb, OUT whole boolean)
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_column
DECLARE
    v_source record;
    v_seen jsonb;
    v_count bigint;
BEGIN
    marks := '{}';
    FOR v_source IN SELECT s.*, (SELECT string_agg(quote_ident(c), ', ') FROM unnest(s.captured) AS c) AS columns FROM chime.role_view_sources(p_view) AS s LOOP
        EXECUTE format('WITH marks AS (SELECT DISTINCT %s, chime_whole FROM %s LIMIT %s) SELECT jsonb_agg(to_jsonb(e)), count(*), bool_or(e.chime_whole) FROM marks AS e',
                       v_source.columns, v_source.marks, chime.keys_limit() + 1) INTO v_seen, v_count, whole;
        whole := coalesce(whole, false) OR v_count > chime.keys_limit() OR pg_relation_size(v_source.marks::regclass) >= 67108864;
        EXIT WHEN whole;
        IF v_count > 0 THEN
            marks := marks || jsonb_build_object(v_source.number::text, v_seen);
        END IF;
    END LOOP;
END $$;
COMMENT ON FUNCTION chime.see_role_marks IS 'the marks of a view that the caller keeps, for a statement that only reads';

-- What a definition gives may depend on who asks, and on settings of the session that asks: of a view that is keyed it
-- was proven that it does not. So nothing is computed for others once it is full, or means another thing than then.
CREATE OR REPLACE FUNCTION chime.refuse_role_now(p_view chime.role_view) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_view chime.view := chime.as_view(p_view);
    v_kept regclass := chime.kept_of(v_view);
    v_reason text;
BEGIN
    v_reason := CASE WHEN v_kept IS NULL OR chime.live_of(v_view) IS NULL THEN 'its relations are not those that chime.keep_view made'
                     WHEN (SELECT c.relrowsecurity FROM pg_class c WHERE c.oid = v_kept) THEN 'it has row-level security, which would not hold for what is computed'
                     WHEN p_view.full_reason IS NOT NULL THEN 'it is refreshed as a whole: ' || p_view.full_reason
                     WHEN split_part(p_view.asked, ' ', 1) IS DISTINCT FROM chime.meaning(v_view) THEN 'its definition means another thing than at its last refresh'
                     ELSE chime.unfollowable(chime.live_of(v_view)) END;
    IF v_reason IS NOT NULL THEN
        RAISE EXCEPTION 'nothing of view %.% is computed live: %', p_view.view_schema, p_view.relation, v_reason
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  HINT = format('read %I.%I; chime.wait_fresh waits until it holds what was committed', p_view.view_schema, p_view.relation);
    END IF;
END $$;
COMMENT ON FUNCTION chime.refuse_role_now IS 'raises where RELATION__now of a view that the caller keeps would show what its readers may not see';

-- VOLATILE, so that it may lock, also where what calls it is STABLE. After this, a name that is the role's own stays
-- so.
CREATE OR REPLACE FUNCTION chime.hold_role_now(p_view chime.role_view) RETURNS void
LANGUAGE plpgsql VOLATILE SET search_path = pg_catalog, pg_temp AS $$
DECLARE v_source record;
BEGIN
    PERFORM chime.parse_definition('', format('SELECT FROM %I.%I', p_view.view_schema, p_view.relation || '__live'));
    FOR v_source IN SELECT s.* FROM chime.role_view_sources(p_view) AS s LOOP
        EXECUTE format('LOCK TABLE %s IN ACCESS SHARE MODE', v_source.source::regclass);
        IF to_regclass(v_source.marks) IS NOT NULL THEN
            EXECUTE format('LOCK TABLE %s IN ACCESS SHARE MODE', v_source.marks);
        END IF;
    END LOOP;
END $$;
COMMENT ON FUNCTION chime.hold_role_now IS 'locks what RELATION__now of a view that the caller keeps reads';

-- The rows: `group`, a group that is marked; `row`, one of its rows; or `whole`, and then each row as `all`.
CREATE OR REPLACE FUNCTION chime.role_view_now(p_schema name, p_relation name) RETURNS SETOF record
LANGUAGE plpgsql STABLE ROWS 100 SET search_path = pg_catalog, pg_temp SET jit = off SET row_security = off
SET enable_seqscan = off SET max_parallel_workers_per_gather = 0 SET standard_conforming_strings = on SET transform_null_equals = off
SET "DateStyle" = 'ISO, YMD' SET "IntervalStyle" = 'postgres' SET extra_float_digits = 1
SET lc_monetary = 'C' SET lc_numeric = 'C' SET lc_time = 'C' SET bytea_output = 'hex' SET xmlbinary = 'base64' SET quote_all_identifiers = off AS $$
DECLARE
    v_view chime.role_view;
    v_last chime.role_view_refresh;
    v_seen record;
    v_live text := format('%I.%I', p_schema, p_relation || '__live');
    v_kept regclass;
    v_groups text;
    v_keys bigint;
BEGIN
    SELECT (k.view).* INTO v_view FROM chime.own_role_views k WHERE (k.view).view_schema = p_schema AND (k.view).relation = p_relation;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'role % keeps no view %.%', current_user, p_schema, p_relation USING ERRCODE = 'undefined_table',
            HINT = 'after a restore, or with another name of its role, it is known once it was refreshed';
    END IF;
    SELECT (k.last).* INTO v_last FROM chime.own_role_views k WHERE (k.view).view_id = v_view.view_id;
    PERFORM set_config('TimeZone', v_view.timezone, true);
    PERFORM chime.hold_role_now(v_view), chime.refuse_role_now(v_view), chime.refuse_other_names(v_view);
    v_kept := chime.kept_of(chime.as_view(v_view));
    IF v_view.asked = chime.outlook(chime.as_view(v_view)) AND v_last.fingerprint = chime.role_view_looks(v_view) THEN
        SELECT * INTO v_seen FROM chime.see_role_marks(v_view);
        IF v_seen.marks = '{}' AND NOT v_seen.whole THEN
            RETURN;
        ELSIF NOT v_seen.whole THEN
            v_groups := chime.role_view_groups(v_view);
            BEGIN
                EXECUTE format('SELECT count(*) FROM (%s) AS g', v_groups) INTO v_keys USING v_seen.marks;
                IF v_keys <= chime.keys_limit() AND NOT coalesce(v_last.floor_us + v_keys * v_last.key_us > v_last.full_us, false) THEN
                    RETURN QUERY EXECUTE format('WITH groups AS MATERIALIZED (%s) SELECT ''group''::text, %s FROM groups UNION ALL SELECT * FROM (%s) AS r', v_groups,
                        chime.now_columns(v_kept, v_view.grain, 'groups'),
                        chime.rows_of_groups(v_kept, v_live, '''row''::text, ' || chime.column_list(v_kept), v_view.grain, 'true')) USING v_seen.marks;
                    RETURN;
                END IF;
            EXCEPTION WHEN data_exception THEN NULL; -- as in a keyed refresh
            END;
        END IF;
    END IF;
    PERFORM set_config('enable_seqscan', 'on', true);
    RETURN QUERY EXECUTE format('SELECT ''whole''::text, %s UNION ALL SELECT ''all''::text, %s FROM %s', chime.now_columns(v_kept, '{}', ''), chime.column_list(v_kept), v_live);
END $$;
COMMENT ON FUNCTION chime.role_view_now IS 'the marked groups of a view that the caller keeps, and their rows: what its RELATION__now() gives';

CREATE OR REPLACE FUNCTION chime.write_role_now(p_view chime.role_view, p_text text) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_name text := format('%I.%I', p_view.view_schema, p_view.relation || '__now');
    v_ours record := chime.role_now_of(p_view);
BEGIN
    EXECUTE format('%s FUNCTION %s() RETURNS SETOF record LANGUAGE plpgsql STABLE SECURITY DEFINER ROWS 100 SET search_path = pg_catalog, pg_temp AS %L',
                   CASE WHEN v_ours.routine IS NULL THEN 'CREATE' ELSE 'CREATE OR REPLACE' END, v_name,
                   format(' BEGIN RETURN QUERY SELECT * FROM chime.role_view_now(%L, %L) AS n (chime_part text, %s); END -- %s', p_view.view_schema, p_view.relation,
                          chime.now_definition(chime.kept_of(chime.as_view(p_view)), false), md5(p_text)));
    IF v_ours.routine IS NULL THEN
        EXECUTE format('REVOKE ALL ON FUNCTION %s() FROM PUBLIC', v_name);
    END IF;
    EXECUTE format('%s VIEW %s AS %s', CASE WHEN v_ours.relation IS NULL THEN 'CREATE' ELSE 'CREATE OR REPLACE' END, v_name, p_text);
    EXECUTE format('COMMENT ON VIEW %s IS %L', v_name, format('%s, always true: what has changed since its last refresh is computed', p_view.relation));
END $$;
COMMENT ON FUNCTION chime.write_role_now IS 'makes RELATION__now of a view that the caller keeps, with its function';

-- Where a name is taken, or nothing can be made there any more, there is no such view.
CREATE OR REPLACE FUNCTION chime.make_role_now(p_view chime.role_view) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET client_min_messages = warning AS $$
DECLARE
    v_text text := chime.now_statement(chime.as_view(p_view));
    v_ours record := chime.role_now_of(p_view);
BEGIN
    IF v_ours.relation IS NULL OR NOT EXISTS (SELECT FROM pg_proc p WHERE p.oid = v_ours.routine AND p.prosrc LIKE '%-- ' || md5(v_text)) THEN
        PERFORM chime.write_role_now(p_view, v_text);
    END IF;
EXCEPTION WHEN insufficient_privilege OR duplicate_table OR duplicate_function OR wrong_object_type THEN
    RAISE WARNING 'there is no %.%__now: %', p_view.view_schema, p_view.relation, SQLERRM;
END $$;
COMMENT ON FUNCTION chime.make_role_now IS 'makes RELATION__now of a keyed view that the caller keeps, where it is another or not there';

-- What others were given of it is given again once it is made anew.
CREATE OR REPLACE FUNCTION chime.drop_role_now(p_view chime.role_view) RETURNS text[]
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_ours record := chime.role_now_of(p_view);
    v_grants text[] := ARRAY(
        SELECT format('GRANT %s ON %s%I.%I%s TO %s%s', a.privilege_type, CASE WHEN o.routine THEN 'FUNCTION ' END, p_view.view_schema, p_view.relation || '__now',
                      CASE WHEN o.routine THEN '()' END, CASE a.grantee WHEN 0 THEN 'PUBLIC' ELSE a.grantee::regrole::text END,
                      CASE WHEN a.is_grantable THEN ' WITH GRANT OPTION' ELSE '' END)
        FROM (SELECT false AS routine, c.relowner AS owner, c.relacl AS acl FROM pg_class c WHERE c.oid = v_ours.relation
              UNION ALL SELECT true, p.proowner, p.proacl FROM pg_proc p WHERE p.oid = v_ours.routine) AS o
        CROSS JOIN aclexplode(o.acl) AS a WHERE a.grantee <> o.owner);
BEGIN
    IF v_ours.relation IS NOT NULL THEN
        EXECUTE format('DROP VIEW %s', v_ours.relation);
    END IF;
    IF v_ours.routine IS NOT NULL THEN
        EXECUTE format('DROP FUNCTION %I.%I()', p_view.view_schema, p_view.relation || '__now');
    END IF;
    RETURN v_grants;
END $$;
COMMENT ON FUNCTION chime.drop_role_now IS 'drops RELATION__now of a view that the caller keeps; the statements that grant what others had of it';
