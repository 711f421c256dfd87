-- SPDX-License-Identifier: PostgreSQL
-- What is checked of a job that is made by SQL. Messages, hints and SQLSTATEs are pg_cron's.

CREATE OR REPLACE FUNCTION chime.is_administrator(p_role name) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET enable_seqscan = off
RETURN EXISTS (SELECT FROM pg_roles r, pg_class c
               WHERE r.rolname = p_role AND c.oid = 'chime.job'::regclass AND (r.rolsuper OR r.oid = c.relowner));
COMMENT ON ROUTINE chime.is_administrator IS 'whether a role may do to every job what its owner may';

-- --- what is checked of a job; messages, hints and SQLSTATEs are pg_cron's -------------------------------------------
CREATE OR REPLACE FUNCTION chime.check_schedule(p_schedule text) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_problem text := chime.schedule_problem(p_schedule);
    v_differs text;
BEGIN
    IF v_problem IS NOT NULL THEN
        RAISE EXCEPTION 'invalid schedule: %', p_schedule USING ERRCODE = 'invalid_parameter_value', DETAIL = v_problem,
            HINT = 'Use cron format (e.g. 5 4 * * *), or interval format ''[1-59] seconds''';
    END IF;
    v_differs := chime.schedule_differs(p_schedule);
    IF v_differs IS NOT NULL THEN
        RAISE NOTICE 'schedule "%": %', p_schedule, v_differs;
    END IF;
END $$;
COMMENT ON FUNCTION chime.check_schedule IS 'refuses what is no schedule; a notice where pg_cron takes the same text for something else';

CREATE OR REPLACE FUNCTION chime.check_owner(p_caller name, p_owner text, p_refusal text) RETURNS name
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_role pg_roles;
BEGIN
    IF NOT chime.is_administrator(p_caller) THEN
        RAISE EXCEPTION '%', p_refusal USING ERRCODE = 'internal_error';
    END IF;
    SELECT * INTO v_role FROM pg_roles r WHERE r.rolname::text = p_owner;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'role "%" does not exist', p_owner USING ERRCODE = 'internal_error';
    ELSIF NOT v_role.rolcanlogin THEN
        RAISE EXCEPTION 'role "%" can not log in', p_owner USING ERRCODE = 'internal_error',
            DETAIL = 'Jobs may only be run by roles that have the LOGIN attribute.';
    END IF;
    RETURN v_role.rolname;
END $$;
COMMENT ON ROUTINE chime.check_owner IS 'the role that a job is to run as; raises where the caller may not choose it, or it cannot log in';

-- Another database is for those whom the administrator granted pg_cron's functions that take one: a connection there
-- may be one that the role could not make from where it is. Anybody who may make schemas can make one called cron: a
-- grant of its owner's is none.
CREATE OR REPLACE FUNCTION chime.may_leave_database(p_caller name) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN chime.is_administrator(p_caller)
       OR EXISTS (SELECT FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
                  WHERE n.nspname = 'cron' AND p.proname IN ('schedule_in_database', 'alter_job')
                    AND chime.is_administrator(pg_get_userbyid(p.proowner)) AND has_function_privilege(p_caller, p.oid, 'EXECUTE'));
COMMENT ON ROUTINE chime.may_leave_database IS 'whether a role may make jobs that run in another database';

-- Where pg_cron is preloaded, its settings are hidden from all but superusers and pg_read_all_settings.
CREATE OR REPLACE FUNCTION chime.readable_setting(p_name text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RETURN current_setting(p_name, true);
EXCEPTION WHEN insufficient_privilege THEN
    RETURN NULL;
END $$;
COMMENT ON FUNCTION chime.readable_setting IS 'a setting of the server; NULL where there is none of that name, or this role may not read it';

CREATE OR REPLACE FUNCTION chime.check_database(p_caller name, p_owner name, p_database text) RETURNS name
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
DECLARE
    v_database name;
BEGIN
    IF chime.readable_setting('cron.enable_superuser_jobs') IN ('off', 'false', 'no', '0')
       AND (SELECT r.rolsuper FROM pg_roles r WHERE r.rolname = p_owner) THEN
        RAISE EXCEPTION 'cannot schedule jobs as superuser' USING ERRCODE = 'insufficient_privilege',
            DETAIL = 'Scheduling jobs as superuser is disallowed when cron.enable_superuser_jobs is set to off.';
    END IF;
    SELECT d.datname INTO v_database FROM pg_database d WHERE d.datname::text = coalesce(p_database, current_database());
    IF NOT FOUND THEN
        RAISE EXCEPTION 'database "%" does not exist', p_database USING ERRCODE = 'invalid_catalog_name';
    ELSIF NOT has_database_privilege(p_owner, v_database, 'CONNECT') THEN
        RAISE EXCEPTION 'User % does not have CONNECT privilege on %', p_owner, v_database USING ERRCODE = 'internal_error';
    ELSIF v_database = current_database() THEN
        RETURN NULL;
    ELSIF NOT chime.may_leave_database(p_caller) THEN
        RAISE EXCEPTION 'must be superuser to run a job in another database' USING ERRCODE = 'insufficient_privilege',
            HINT = format('make the job in database "%s"; or let an administrator grant EXECUTE on cron.schedule_in_database', v_database);
    END IF;
    RETURN v_database;
END $$;
COMMENT ON FUNCTION chime.check_database IS 'as chime.job keeps it: NULL for this one';

-- A name is one of the owner's jobs, or a job's number; or the daemon's name of a job whose owner's rights the caller
-- has.
CREATE OR REPLACE FUNCTION chime.find_upstreams(p_caller name, p_owner name, p_names jsonb) RETURNS text[]
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_name text COLLATE "default"; -- as the index; otherwise, as the function has an argument of type name, "C"
    v_own text COLLATE "default";
    v_number bigint;
    v_key text;
    v_keys text[] := '{}';
BEGIN
    FOR v_name IN SELECT e FROM jsonb_array_elements_text(p_names) AS e LOOP
        -- Not in the query: what an index is searched for is computed whatever stands beside it.
        v_own := chime.sql_job_key(p_owner, v_name, NULL);
        v_number := CASE WHEN v_name ~ '^[0-9]{1,18}$' THEN v_name::bigint END;
        SELECT j.name INTO v_key FROM chime.job j
         WHERE j.name = v_own AND j.owner = p_owner AND (CASE WHEN j.removed_at IS NULL THEN 0 ELSE j.job_id END) = 0;
        IF NOT FOUND THEN
            SELECT j.name INTO v_key
              FROM (SELECT j.name, j.owner FROM chime.job j
                     WHERE j.name = v_name AND (CASE WHEN j.removed_at IS NULL THEN 0 ELSE j.job_id END) = 0
                    UNION ALL
                    SELECT j.name, j.owner FROM chime.job j WHERE j.job_id = v_number AND j.removed_at IS NULL) j
             WHERE chime.is_administrator(p_caller)
                OR EXISTS (SELECT FROM pg_roles r WHERE r.rolname = j.owner AND pg_has_role(p_caller, r.oid, 'USAGE'))
             LIMIT 1;
        END IF;
        IF NOT FOUND THEN
            RAISE EXCEPTION 'there is no job "%" to come after', v_name USING ERRCODE = 'undefined_object',
                HINT = 'write the names or numbers of jobs of your own: SELECT job_id, job_name FROM chime.jobs';
        END IF;
        v_keys := v_keys || v_key;
    END LOOP;
    RETURN v_keys;
END $$;
COMMENT ON ROUTINE chime.find_upstreams IS 'the keys of the jobs that are named in `after`';

-- Of a job that comes after itself. Layer by layer, so that each job is looked at once, however many ways lead to it.
CREATE OR REPLACE FUNCTION chime.cycle_path(p_name text) RETURNS text
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_layer text[] := ARRAY[p_name];
    v_later jsonb := '{}'; -- of each that was reached, one that comes after it
    v_found jsonb;
    v_name text := p_name;
    v_path text := p_name;
BEGIN
    WHILE v_layer IS NOT NULL AND NOT v_later ? p_name LOOP
        SELECT array_agg(DISTINCT u), jsonb_object_agg(u, j.name ORDER BY j.name DESC) INTO v_layer, v_found
          FROM chime.job j, unnest(j.after) AS u
         WHERE j.name = ANY (v_layer) AND (CASE WHEN j.removed_at IS NULL THEN 0 ELSE j.job_id END) = 0 AND NOT v_later ? u;
        v_later := v_later || coalesce(v_found, '{}');
    END LOOP;
    LOOP
        v_name := v_later ->> v_name;
        v_path := v_name || ' after ' || v_path;
        EXIT WHEN v_name = p_name OR v_name IS NULL;
    END LOOP;
    RETURN v_path;
END $$;
COMMENT ON FUNCTION chime.cycle_path IS 'the shortest way back: a after b after a; NULL: it does not come after itself';

CREATE OR REPLACE FUNCTION chime.refuse_cycle(p_job bigint) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_name text;
BEGIN
    WITH RECURSIVE up (name) AS (
        SELECT u FROM chime.job j, unnest(j.after) AS u WHERE j.job_id = p_job
        UNION
        SELECT u FROM up w
        CROSS JOIN LATERAL (SELECT k.after FROM chime.job k
                            WHERE k.name = w.name AND (CASE WHEN k.removed_at IS NULL THEN 0 ELSE k.job_id END) = 0 OFFSET 0) j,
             unnest(j.after) AS u
    )
    SELECT j.name INTO v_name FROM chime.job j WHERE j.job_id = p_job AND j.name IN (SELECT w.name FROM up w);
    IF FOUND THEN
        RAISE EXCEPTION 'a job would come after itself: %', chime.cycle_path(v_name) USING ERRCODE = 'invalid_parameter_value',
            HINT = 'take one of these out of "after"';
    END IF;
END $$;
COMMENT ON ROUTINE chime.refuse_cycle IS 'raises when a job comes after itself';

-- Going before the jobs of others, or taking places that somebody set apart, is not for everybody.
CREATE OR REPLACE FUNCTION chime.read_job_options(p_caller name, p_arguments jsonb) RETURNS jsonb
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_options jsonb := chime.read_options(coalesce(p_arguments -> 'options', '{}'));
    v_settings jsonb := chime.read_settings(coalesce(p_arguments -> 'settings', '{}'));
BEGIN
    IF (v_options ->> 'pool' <> 'default' OR (v_options ->> 'priority')::integer < 5) AND NOT chime.is_administrator(p_caller) THEN
        RAISE EXCEPTION 'must be superuser to choose a pool, or a priority before 5' USING ERRCODE = 'insufficient_privilege',
            HINT = 'a superuser may give it to the job: SELECT chime.alter_job(JOB_ID, options => ...)';
    END IF;
    RETURN v_options || CASE WHEN v_settings = '{}' THEN '{}' ELSE jsonb_build_object('settings', v_settings) END;
END $$;
COMMENT ON ROUTINE chime.read_job_options IS 'options and settings of a call, checked, with what the caller may not ask for refused';

-- --- what can be asked for, as the daemon's role: p_caller is who asks -----------------------------------------------
CREATE OR REPLACE FUNCTION chime.texts(p_list jsonb) RETURNS text[]
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
RETURN ARRAY(SELECT e FROM jsonb_array_elements_text(p_list) WITH ORDINALITY AS e (e, n) ORDER BY n);
COMMENT ON ROUTINE chime.texts IS 'a JSON list of texts as an array';

-- Bounded, so that a time so long ago is one.
CREATE OR REPLACE FUNCTION chime.read_keep(p_keep text) RETURNS interval
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF p_keep::interval > interval '0' AND p_keep::interval <= interval '100 years' THEN
        RETURN p_keep::interval;
    ELSIF p_keep IS NULL THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION 'runs cannot be kept for %', p_keep USING ERRCODE = 'invalid_parameter_value', HINT = 'keep is at most 100 years';
END $$;
COMMENT ON ROUTINE chime.read_keep IS 'how long runs are kept, as a call says it';

-- The leader has the last word (core/model/slot_parameters.h); this says it early, and lets through what it cannot
-- tell: a long text, and what stands between two dollar-quoted bodies.
CREATE OR REPLACE FUNCTION chime.check_parameters(p_command text) RETURNS void
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_names text[] := '{$slot,$previous_slot,$interval_start,$interval_end,$run_id,$attempt,$payload}';
    v_token text;
    v_first text;
    v_used text; -- the first parameter
    v_takes boolean;
    v_statements integer := 0;
BEGIN
    IF p_command !~ '\$[A-Za-z_]' OR length(p_command) > 20000 THEN
        RETURN;
    END IF;
    FOR v_token IN SELECT m[1] FROM regexp_matches(p_command,
        $re$([eE]'(?:[^'\\]|\\.|'')*'|'(?:[^']|'')*'|"[^"]*"|--[^\n\r]*|/\*(?:[^*]|\*+[^*/])*\*+/|\$(\w*)\$.*?\$\2\$|\$?[A-Za-z_][\w]*(?:\$\w*)*|;|\()$re$, 'g') AS m
    LOOP
        CONTINUE WHEN v_token ~ '^(--|/\*)';
        IF v_token = ';' THEN
            v_first := NULL;
            CONTINUE;
        ELSIF v_first IS NULL THEN
            v_first := lower(v_token);
            v_statements := v_statements + 1;
        END IF;
        CONTINUE WHEN v_token !~ '^\$[A-Za-z_]\w*$';
        IF lower(v_token) <> ALL (v_names) THEN
            RAISE EXCEPTION 'the command uses %, which is no parameter', v_token USING ERRCODE = 'invalid_parameter_value',
                HINT = 'the parameters are ' || array_to_string(v_names, ', ');
        END IF;
        v_used := coalesce(v_used, lower(v_token));
        v_takes := coalesce(v_takes, true) AND v_first = ANY ('{select,insert,update,delete,merge,values,with,call,(}');
    END LOOP;
    IF NOT v_takes OR (v_used IS NOT NULL AND v_statements > 1) THEN
        RAISE EXCEPTION 'the command uses % %', v_used, CASE WHEN v_statements > 1 THEN 'in a text of several statements, which takes no parameters'
                                                               ELSE 'in a statement that takes no parameters' END
            USING ERRCODE = 'invalid_parameter_value',
                  HINT = format('read it with current_setting(''chime.%s''), which is set while the text runs', substr(v_used, 2));
    END IF;
END $$;
COMMENT ON FUNCTION chime.check_parameters IS 'refuses a command that names a parameter of its slot where the server takes none';

CREATE OR REPLACE FUNCTION chime.check_driven(p_job chime.job) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF p_job.schedule = '' AND p_job.after = '{}' AND p_job.channels = '{}' THEN
        RAISE EXCEPTION 'nothing would ever start this job' USING ERRCODE = 'invalid_parameter_value',
            HINT = 'give it a schedule, jobs to come after, or channels to listen on';
    ELSIF EXISTS (SELECT FROM unnest(p_job.channels) AS c WHERE octet_length(c) NOT BETWEEN 1 AND 63) THEN
        RAISE EXCEPTION 'the name of a channel has 1 to 63 bytes' USING ERRCODE = 'invalid_parameter_value';
    END IF;
END $$;
COMMENT ON ROUTINE chime.check_driven IS 'raises for a job that nothing would ever run';

CREATE OR REPLACE FUNCTION chime.check_needs(p_arguments jsonb) RETURNS void
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_missing text;
BEGIN
    SELECT n INTO v_missing FROM unnest(chime.texts(p_arguments -> 'needs')) AS n WHERE NOT p_arguments ? n LIMIT 1;
    IF FOUND THEN
        RAISE EXCEPTION '% can not be NULL', v_missing USING ERRCODE = 'internal_error';
    END IF;
END $$;
COMMENT ON FUNCTION chime.check_needs IS 'refuses a call that lacks one of the arguments that it says it needs';
