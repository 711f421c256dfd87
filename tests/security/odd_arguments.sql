-- SPDX-License-Identifier: PostgreSQL
-- Calls of every function of schemas chime and cron that a role may call, with odd arguments. Made from pg_proc, so a
-- new function is among them.
CREATE SCHEMA odd;

-- Expressions of a type. Of victim's: relations, jobs, views, and their numbers; of mallory's: the same, so that calls
-- come further than to "there is no ...".
CREATE FUNCTION odd.texts() RETURNS text[] LANGUAGE sql AS $$
    SELECT ARRAY['NULL', $t$''$t$, $t$'mine'$t$, $t$'reports.mine'$t$, $t$'theirs'$t$, $t$'reports.theirs'$t$, $t$'secrets.money'$t$,
                 $t$'chime.leader'$t$, $t$'victim'$t$, $t$'pg_catalog.pg_authid'$t$, $t$'pgchime'$t$, $t$'analytics.totals'$t$,
                 $t$repeat('x', 1000000)$t$, $t$repeat('(', 100000)$t$, $t$repeat('a.', 20000)$t$, $t$'"; DROP TABLE secrets.money; --'$t$,
                 $t$'SELECT note FROM secrets.money'$t$, $t$'SELECT 1 AS a; SELECT 2'$t$, $t$E'\n\t%s %I $1 \\'$t$, $t$'infinity'$t$, $t$'-1'$t$,
                 $t$'9223372036854775808'$t$, $t$'* * * * *'$t$, $t$'1s'$t$, $t$'keyed'$t$, $t$'{}'$t$]
$$;

CREATE FUNCTION odd.objects() RETURNS text[] LANGUAGE sql AS $$
    SELECT ARRAY[$j$'{}'$j$, $j$'null'$j$, $j$'[]'$j$, $j$'"x"'$j$, $j$'{"name": null}'$j$, $j$'{"name": "theirs"}'$j$, $j$'{"name": {"a": []}}'$j$,
                 $j$(repeat('[', 3000) || repeat(']', 3000))$j$, $j$('{"name": "' || repeat('x', 1000000) || '"}')$j$, $j$'{"job_name": "theirs", "job_id": 1}'$j$]
$$;

-- As many rows of a table as there are odd ones.
CREATE FUNCTION odd.rows(p_type text) RETURNS text[] LANGUAGE sql AS $$
    SELECT ARRAY['NULL::' || p_type] || ARRAY(SELECT format('jsonb_populate_record(NULL::%s, %L)', p_type, j) FROM unnest(ARRAY[
        '{}', '{"view_schema": "reports", "relation": "mine", "view_id": 2, "owner": "mallory", "key": ["day"], "grain": ["day"], "sources": [],
                "definition": "SELECT 1 AS day", "search_path": "public", "timezone": "UTC", "mode": "auto"}',
        '{"view_schema": "reports", "relation": "theirs", "view_id": 1, "owner": "victim", "key": ["day"], "grain": ["day"], "job_id": 1, "place": "x",
          "sources": [{"schema": "secrets", "table": "money", "captured": ["day", "note"], "map": "SELECT note FROM secrets.money"}],
          "definition": "SELECT note FROM secrets.money", "search_path": "secrets", "timezone": "nowhere", "mode": "odd", "comment": "x"}',
        '{"view_schema": "secrets", "relation": "money", "view_id": -1, "key": [], "grain": [null], "sources": [{}], "definition": "", "timezone": ""}',
        '{"view_schema": "chime", "relation": "leader", "key": ["token"], "grain": ["token", "epoch"], "sources": [null, 3, {"captured": "x"}]}'
    ]) AS j)
$$;

CREATE FUNCTION odd.values(p_type oid) RETURNS text[] LANGUAGE plpgsql AS $$
DECLARE
    v_type pg_type;
    v_name text := format_type(p_type, NULL);
BEGIN
    SELECT * INTO STRICT v_type FROM pg_type t WHERE t.oid = p_type;
    RETURN CASE
        WHEN v_type.typcategory = 'A' THEN
            ARRAY['NULL::' || v_name, format('%L::%s', '{}', v_name), format('%L::%s', '{NULL}', v_name)]
            || ARRAY(SELECT format('ARRAY[%s, %s]::%s', v, v, v_name) FROM unnest(odd.values(v_type.typelem)) AS v)
        WHEN v_type.typtype = 'c' THEN odd.rows(v_name)
        WHEN v_type.typtype = 'e' THEN ARRAY['NULL::' || v_name] || ARRAY(SELECT format('%L::%s', e.enumlabel, v_name) FROM pg_enum e WHERE e.enumtypid = p_type)
        WHEN v_name IN ('text', 'name', 'character varying', '"char"') THEN ARRAY(SELECT format('(%s)::%s', v, v_name) FROM unnest(odd.texts()) AS v)
        WHEN v_name IN ('json', 'jsonb') THEN ARRAY['NULL::' || v_name] || ARRAY(SELECT format('(%s)::%s', v, v_name) FROM unnest(odd.objects()) AS v)
        WHEN v_name IN ('regclass', 'oid', 'regprocedure', 'regtype', 'regoperator', 'regnamespace', 'regrole', 'regproc') THEN
            ARRAY(SELECT format('(%s)::%s', v, v_name) FROM unnest(ARRAY['NULL', '0', '4294967295', '''secrets.money''::regclass::oid',
                  '''reports.mine''::regclass::oid', '''reports.mine__live''::regclass::oid', '''reports.theirs''::regclass::oid', '''reports.theirs__live''::regclass::oid',
                  '''chime.leader''::regclass::oid', '''chime.job''::regclass::oid', '''pg_authid''::regclass::oid', '''reports.theirs__m1()''::regprocedure::oid',
                  '''int8''::regtype::oid', '''anyarray''::regtype::oid']) AS v)
        WHEN v_name IN ('smallint', 'integer', 'bigint', 'numeric', 'real', 'double precision') THEN
            ARRAY(SELECT format('(%s)::%s', v, v_name) FROM unnest(ARRAY['NULL', '0', '1', '2', '-1', '32767', '''-32768''']
                  || CASE WHEN v_name <> 'smallint' THEN ARRAY['2147483647', '''-2147483648'''] END
                  || CASE WHEN v_name NOT IN ('smallint', 'integer') THEN ARRAY['9223372036854775807', '''-9223372036854775808'''] END
                  || CASE WHEN v_name IN ('numeric', 'real', 'double precision') THEN ARRAY['''NaN''', '''infinity'''] END) AS v)
        WHEN v_name = 'interval' THEN ARRAY(SELECT format('%s::interval', v) FROM unnest(ARRAY['NULL', '''0''', '''-1 s''', '''1 ms''', '''178000000 years''',
                  '''-178000000 years''', '''1 mon -30 days''']) AS v)
        WHEN v_type.typcategory = 'D' THEN ARRAY(SELECT format('%s::%s', v, v_name) FROM unnest(ARRAY['NULL', '''infinity''', '''-infinity''', '''2026-01-01''',
                  '''4000-01-01 BC''']) AS v)
        WHEN v_name = 'pg_snapshot' THEN ARRAY['NULL::pg_snapshot', '''1:1:''::pg_snapshot', '''1:9223372036854775807:''::pg_snapshot']
        WHEN v_name = 'boolean' THEN ARRAY['NULL::boolean', 'true', 'false']
        WHEN v_name = 'uuid' THEN ARRAY['NULL::uuid', '''00000000-0000-0000-0000-000000000000''::uuid']
        WHEN v_name = 'bytea' THEN ARRAY['NULL::bytea', '''''::bytea', '''\x00ff''::bytea']
        WHEN v_name IN ('anyelement', 'anycompatible') THEN ARRAY['NULL::text', '1', '''''::text']
    END;
END $$;

-- Each function p_calls times, with values that move on at another step for each argument. `missing`: a type without
-- values.
CREATE FUNCTION odd.calls(p_role name, p_calls integer) RETURNS TABLE (function text, call text, missing boolean) LANGUAGE sql AS $$
    SELECT p.oid::regprocedure::text, CASE p.prokind WHEN 'p' THEN 'CALL ' ELSE 'SELECT ' END || format('%I.%I(', n.nspname, p.proname)
           || coalesce(string_agg(CASE WHEN p.provariadic <> 0 AND a.n = p.pronargs THEN 'VARIADIC ' ELSE '' END
                                  || (o.odd)[1 + (c * (1 + (a.n - 1) % 5) + (a.n - 1) * CASE WHEN c = 0 THEN 0 ELSE 7 END) % cardinality(o.odd)], ', ' ORDER BY a.n), '') || ')',
           coalesce(bool_or(o.odd IS NULL AND a.n IS NOT NULL), false)
    FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace CROSS JOIN generate_series(0, CASE WHEN p.pronargs = 0 THEN 0 ELSE p_calls END) AS c
    LEFT JOIN LATERAL unnest(p.proargtypes::oid[]) WITH ORDINALITY AS a (type, n) ON true
    LEFT JOIN LATERAL (SELECT odd.values(a.type) AS odd WHERE a.type IS NOT NULL) AS o ON true
    WHERE n.nspname IN ('chime', 'cron') AND p.prorettype NOT IN ('trigger'::regtype, 'event_trigger'::regtype)
      AND has_schema_privilege(p_role, n.oid, 'USAGE') AND has_function_privilege(p_role, p.oid, 'EXECUTE')
    GROUP BY p.oid, n.oid, p.proname, p.pronargs, p.provariadic, p.prokind, n.nspname, c
    ORDER BY 1, c
$$;

-- What is victim's, the daemon's or an administrator's, as text. For the role that attacks, in its transaction.
CREATE FUNCTION odd.others() RETURNS text LANGUAGE sql SECURITY DEFINER SET search_path = pg_catalog, pg_temp AS $$
    SELECT md5(concat_ws('|',
        (SELECT string_agg(concat_ws(' ', j.job_id, j.owner, j.command, j.schedule, j.active, j.removed_at, j.options), ',' ORDER BY j.job_id)
         FROM chime.job j WHERE j.owner <> session_user),
        (SELECT string_agg(concat_ws(' ', v.view_id, v.owner, v.definition, v.mode, v.target_lag, v.sources, v.full_reason), ',' ORDER BY v.view_id)
         FROM chime.role_view v WHERE v.owner <> session_user),
        (SELECT string_agg(concat_ws(' ', v.view_id, v.definition, v.mode, v.grain), ',' ORDER BY v.view_id) FROM chime.view v),
        (SELECT count(*) FROM chime.request r JOIN chime.job j USING (job_id) WHERE j.owner <> session_user),
        (SELECT string_agg(s::text, ',') FROM chime.silence s), (SELECT string_agg(t::text, ',') FROM chime.trusted_owner t),
        (SELECT string_agg(concat_ws(' ', p.name, p.state, p.settings), ',' ORDER BY p.name) FROM chime.plugin p),
        (SELECT string_agg(concat_ws(' ', c.oid, c.relname, c.relowner, c.relacl, c.relnamespace), ',' ORDER BY c.oid) FROM pg_class c
         WHERE c.relowner <> (SELECT oid FROM pg_roles WHERE rolname = session_user) AND c.relnamespace IN ('reports'::regnamespace, 'secrets'::regnamespace)),
        (SELECT string_agg(concat_ws(' ', p.oid, p.proowner, p.proacl, md5(p.prosrc)), ',' ORDER BY p.oid) FROM pg_proc p
         WHERE p.pronamespace IN ('chime'::regnamespace, 'reports'::regnamespace) AND p.proowner <> (SELECT oid FROM pg_roles WHERE rolname = session_user))))
$$;
