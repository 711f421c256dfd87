-- SPDX-License-Identifier: PostgreSQL
-- Making jobs by SQL. Who has pgchime_jobs may call what stands at the end of this file, for jobs of their own;
-- superusers and the daemon's role for everybody's.
--
-- A function that writes for its caller has to run as the daemon's role, and then no longer sees who called. So calls
-- go through a view: on an INSERT its first trigger runs as whoever sent the statement and writes down who that is, the
-- second, as the daemon's role, does what was asked for. Neither trigger function may be executed by others, so nobody
-- can put them on a table of their own. Inside a SECURITY DEFINER function the caller is its owner, as everywhere in
-- PostgreSQL.
--
-- What runs as another role than its caller has pg_temp last in its search_path: unsaid it would be first, and a table
-- or type that the caller made there would be taken for one of pg_catalog.

ALTER TABLE chime.job ADD COLUMN keep interval CONSTRAINT job_keep CHECK (keep > interval '0' AND keep <= interval '100 years');
CREATE INDEX job_keep ON chime.job (job_id) WHERE keep IS NOT NULL;
COMMENT ON COLUMN chime.job.keep IS 'of a job made by SQL: how long runs that ended stay in the history; NULL: as long as those of all jobs';

CREATE FUNCTION chime.is_administrator(p_role name) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET enable_seqscan = off
RETURN EXISTS (SELECT FROM pg_roles r, pg_class c
               WHERE r.rolname = p_role AND c.oid = 'chime.job'::regclass AND (r.rolsuper OR r.oid = c.relowner));

-- --- what is checked of a job; messages, hints and SQLSTATEs are pg_cron's -------------------------------------------

CREATE FUNCTION chime.check_schedule(p_schedule text) RETURNS void
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

CREATE FUNCTION chime.check_owner(p_caller name, p_owner text, p_refusal text) RETURNS name
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

-- Another database is for those whom the administrator granted pg_cron's functions that take one: a connection there
-- may be one that the role could not make from where it is. Anybody who may make schemas can make one called cron: a
-- grant of its owner's is none.
CREATE FUNCTION chime.may_leave_database(p_caller name) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN chime.is_administrator(p_caller)
       OR EXISTS (SELECT FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
                  WHERE n.nspname = 'cron' AND p.proname IN ('schedule_in_database', 'alter_job')
                    AND chime.is_administrator(pg_get_userbyid(p.proowner)) AND has_function_privilege(p_caller, p.oid, 'EXECUTE'));

CREATE FUNCTION chime.check_database(p_caller name, p_owner name, p_database text) RETURNS name
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
DECLARE
    v_database name;
BEGIN
    IF current_setting('cron.enable_superuser_jobs', true) IN ('off', 'false', 'no', '0')
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
CREATE FUNCTION chime.find_upstreams(p_caller name, p_owner name, p_names jsonb) RETURNS text[]
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

-- Of a job that comes after itself. Layer by layer, so that each job is looked at once, however many ways lead to it.
CREATE FUNCTION chime.cycle_path(p_name text) RETURNS text
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

CREATE FUNCTION chime.refuse_cycle(p_job bigint) RETURNS void
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

-- Going before the jobs of others, or taking places that somebody set apart, is not for everybody.
CREATE FUNCTION chime.read_job_options(p_caller name, p_arguments jsonb) RETURNS jsonb
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

-- --- what can be asked for, as the daemon's role: p_caller is who asks -----------------------------------------------

CREATE FUNCTION chime.texts(p_list jsonb) RETURNS text[]
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
RETURN ARRAY(SELECT e FROM jsonb_array_elements_text(p_list) WITH ORDINALITY AS e (e, n) ORDER BY n);

-- Bounded, so that a time so long ago is one.
CREATE FUNCTION chime.read_keep(p_keep text) RETURNS interval
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF p_keep::interval > interval '0' AND p_keep::interval <= interval '100 years' THEN
        RETURN p_keep::interval;
    ELSIF p_keep IS NULL THEN
        RETURN NULL;
    END IF;
    RAISE EXCEPTION 'runs cannot be kept for %', p_keep USING ERRCODE = 'invalid_parameter_value', HINT = 'keep is at most 100 years';
END $$;

CREATE FUNCTION chime.check_driven(p_job chime.job) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF p_job.schedule = '' AND p_job.after = '{}' AND p_job.channels = '{}' THEN
        RAISE EXCEPTION 'nothing would ever start this job' USING ERRCODE = 'invalid_parameter_value',
            HINT = 'give it a schedule, jobs to come after, or channels to listen on';
    ELSIF EXISTS (SELECT FROM unnest(p_job.channels) AS c WHERE octet_length(c) NOT BETWEEN 1 AND 63) THEN
        RAISE EXCEPTION 'the name of a channel has 1 to 63 bytes' USING ERRCODE = 'invalid_parameter_value';
    END IF;
END $$;

CREATE FUNCTION chime.check_needs(p_arguments jsonb) RETURNS void
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

-- Options and settings are replaced as a whole, each where it is given.
CREATE FUNCTION chime.new_options(p_old jsonb, p_read jsonb, p_arguments jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
RETURN (CASE WHEN p_arguments ? 'options' THEN p_read ELSE p_old END - 'settings')
       || CASE WHEN NOT CASE WHEN p_arguments ? 'settings' THEN p_read ELSE p_old END ? 'settings' THEN '{}'
               ELSE jsonb_build_object('settings', CASE WHEN p_arguments ? 'settings' THEN p_read ELSE p_old END -> 'settings') END;

-- A name that its owner has already: that job gets the schedule, command and database, and of the rest what is given;
-- its number, and whether it is active, stay. `new_active` counts for a new one alone.
CREATE FUNCTION chime.schedule_job(p_caller name, p_arguments jsonb) RETURNS jsonb
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_job chime.job;
    v_id bigint := CASE WHEN chime.is_administrator(p_caller) THEN (p_arguments ->> 'job_id')::bigint END;
    v_key text COLLATE "default"; -- as in chime.find_upstreams
BEGIN
    PERFORM chime.check_needs(p_arguments);
    IF p_arguments ? 'schedule' THEN
        PERFORM chime.check_schedule(p_arguments ->> 'schedule');
    END IF;
    v_job.owner := p_caller;
    IF p_arguments ? 'username' THEN
        v_job.owner := chime.check_owner(p_caller, p_arguments ->> 'username', 'must be superuser to create a job for another role');
    END IF;
    PERFORM chime.check_login(v_job.owner);
    v_job.database := chime.check_database(p_caller, v_job.owner, p_arguments ->> 'database');
    v_key := chime.sql_job_key(v_job.owner, p_arguments ->> 'job_name', 0);
    IF p_arguments ?& '{is_new,job_name}'
       AND EXISTS (SELECT FROM chime.job j
                   WHERE j.name = v_key AND j.owner = v_job.owner AND (CASE WHEN j.removed_at IS NULL THEN 0 ELSE j.job_id END) = 0) THEN
        RAISE EXCEPTION 'duplicate key value violates unique constraint "jobname_username_uniq"' USING ERRCODE = 'unique_violation',
            DETAIL = format('Key (jobname, username)=(%s, %s) already exists.', p_arguments ->> 'job_name', v_job.owner);
    END IF;
    v_job.after := chime.find_upstreams(p_caller, v_job.owner, coalesce(p_arguments -> 'after', '[]'));
    INSERT INTO chime.job AS j (job_id, owner, origin, job_name, database, active, schedule, command, after, channels, options, keep)
    VALUES (coalesce(v_id, nextval('chime.job_job_id_seq')), v_job.owner, 'sql', p_arguments ->> 'job_name', v_job.database,
            coalesce(p_arguments ->> 'active', p_arguments ->> 'new_active', 'true')::boolean, coalesce(p_arguments ->> 'schedule', ''),
            p_arguments ->> 'command', v_job.after, chime.texts(coalesce(p_arguments -> 'channels', '[]')),
            chime.read_job_options(p_caller, p_arguments), chime.read_keep(p_arguments ->> 'keep'))
    ON CONFLICT (name, (CASE WHEN removed_at IS NULL THEN 0 ELSE job_id END)) DO UPDATE
       SET schedule = excluded.schedule, command = excluded.command, database = excluded.database,
           active = coalesce((p_arguments ->> 'active')::boolean, j.active),
           after = CASE WHEN p_arguments ? 'after' THEN excluded.after ELSE j.after END,
           channels = CASE WHEN p_arguments ? 'channels' THEN excluded.channels ELSE j.channels END,
           options = chime.new_options(j.options, excluded.options, p_arguments), keep = coalesce(excluded.keep, j.keep)
    RETURNING * INTO v_job;
    PERFORM chime.check_driven(v_job);
    IF v_job.after <> '{}' THEN
        PERFORM chime.refuse_cycle(v_job.job_id);
    END IF;
    IF v_job.version = 1 OR (p_arguments ->> 'active')::boolean THEN
        PERFORM chime.check_quota(p_caller, v_job);
    END IF;
    RETURN jsonb_build_object('job_id', v_job.job_id);
END $$;

-- Asked of the row, so that whoever looks a job up does it by its key alone.
CREATE FUNCTION chime.may_change(p_caller name, p_job chime.job) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN coalesce((p_job).origin = 'sql' AND (p_job).removed_at IS NULL AND ((p_job).owner = p_caller OR chime.is_administrator(p_caller)), false);
COMMENT ON FUNCTION chime.may_change IS 'whether it is a job made by SQL that is there, and the caller''s to change';

-- What is asked for is judged by the owner that the job has afterwards, not by who edits it.
CREATE FUNCTION chime.change_job(p_caller name, p_arguments jsonb) RETURNS jsonb
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_id bigint := (p_arguments ->> 'job_id')::bigint;
    v_owner name;
    v_options jsonb;
    v_job chime.job;
BEGIN
    PERFORM chime.check_needs(p_arguments);
    IF p_arguments ? 'username' THEN
        v_owner := chime.check_owner(p_caller, p_arguments ->> 'username', 'must be superuser to alter username');
    END IF;
    IF p_arguments ? 'schedule' THEN
        PERFORM chime.check_schedule(p_arguments ->> 'schedule');
    END IF;
    IF p_arguments - 'job_id' - 'needs' = '{}' THEN
        RAISE EXCEPTION 'no updates specified' USING ERRCODE = 'internal_error',
            HINT = 'You must specify at least one job attribute to change when calling alter_job';
    END IF;
    v_options := chime.read_job_options(p_caller, p_arguments);
    SELECT * INTO v_job FROM chime.job j WHERE j.job_id = v_id FOR NO KEY UPDATE;
    IF NOT chime.may_change(p_caller, v_job) THEN
        RAISE EXCEPTION 'Job % does not exist or you don''t own it', v_id USING ERRCODE = 'internal_error';
    END IF;
    IF v_owner <> v_job.owner THEN
        PERFORM chime.check_login(v_owner);
    END IF;
    v_job.owner := coalesce(v_owner, v_job.owner);
    IF p_arguments ?| '{username,database}' THEN
        v_job.database := chime.check_database(p_caller, v_job.owner, coalesce(p_arguments ->> 'database', v_job.database));
    END IF;
    IF p_arguments ? 'after' THEN
        v_job.after := chime.find_upstreams(p_caller, v_job.owner, p_arguments -> 'after');
    END IF;
    UPDATE chime.job j
       SET owner = v_job.owner,
           job_name = CASE WHEN p_arguments ? 'unnamed' THEN NULL ELSE coalesce(p_arguments ->> 'job_name', j.job_name) END,
           database = v_job.database,
           schedule = coalesce(p_arguments ->> 'schedule', j.schedule), command = coalesce(p_arguments ->> 'command', j.command),
           active = coalesce((p_arguments ->> 'active')::boolean, j.active),
           after = v_job.after,
           channels = CASE WHEN p_arguments ? 'channels' THEN chime.texts(p_arguments -> 'channels') ELSE j.channels END,
           options = chime.new_options(j.options, v_options, p_arguments), keep = coalesce(chime.read_keep(p_arguments ->> 'keep'), j.keep)
     WHERE j.job_id = v_id
    RETURNING * INTO v_job;
    PERFORM chime.check_driven(v_job);
    IF v_job.after <> '{}' THEN
        PERFORM chime.refuse_cycle(v_job.job_id);
    END IF;
    IF (p_arguments ->> 'active')::boolean THEN
        PERFORM chime.check_quota(p_caller, v_job);
    END IF;
    RETURN jsonb_build_object('job_id', v_job.job_id);
END $$;

-- By number, or by name among the caller's own.
CREATE FUNCTION chime.find_job(p_caller name, p_arguments jsonb) RETURNS chime.job
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_job chime.job;
    v_key text COLLATE "default"; -- as in chime.find_upstreams
BEGIN
    IF p_arguments ? 'job_name' THEN
        v_key := chime.sql_job_key(p_caller, p_arguments ->> 'job_name', 0);
        SELECT * INTO v_job FROM chime.job j
         WHERE j.name = v_key AND j.owner = p_caller AND (CASE WHEN j.removed_at IS NULL THEN 0 ELSE j.job_id END) = 0;
    ELSE
        SELECT * INTO v_job FROM chime.job j WHERE j.job_id = (p_arguments ->> 'job_id')::bigint;
    END IF;
    IF NOT chime.may_change(p_caller, v_job) THEN
        RAISE EXCEPTION 'could not find valid entry for job %', coalesce(quote_literal(p_arguments ->> 'job_name'), p_arguments ->> 'job_id')
            USING ERRCODE = 'internal_error';
    END IF;
    RETURN v_job;
END $$;

-- Nothing here ends a run: what the ledger says of it is how it ended.
CREATE FUNCTION chime.unschedule_job(p_caller name, p_arguments jsonb) RETURNS jsonb
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_job chime.job := chime.find_job(p_caller, p_arguments);
    v_run chime.run;
    v_later text;
BEGIN
    UPDATE chime.job j SET active = false, removed_at = clock_timestamp()
     WHERE j.job_id = v_job.job_id AND j.removed_at IS NULL AND (j.owner = p_caller OR chime.is_administrator(p_caller));
    IF NOT FOUND THEN -- somebody was faster, and took it away or gave it to another
        RAISE EXCEPTION 'could not find valid entry for job %', v_job.job_id USING ERRCODE = 'internal_error';
    END IF;
    FOR v_run IN SELECT * FROM chime.run r WHERE r.job_id = v_job.job_id AND r.done_at IS NULL LOOP
        IF (p_arguments ->> 'stop')::boolean THEN
            PERFORM chime.cancel_run(v_run.run_id, 'its job was unscheduled');
            RAISE NOTICE 'run % of this job is under way, and is asked to stop', v_run.run_id;
        ELSE
            RAISE NOTICE 'run % of this job is under way, and goes on to its end', v_run.run_id
                USING HINT = format('SELECT chime.cancel(%s) stops it', v_run.run_id);
        END IF;
    END LOOP;
    SELECT string_agg(j.name, ', ' ORDER BY j.name) INTO v_later FROM chime.job j
     WHERE j.job_id = ANY (chime.jobs_after(v_job.name)) AND j.owner = v_job.owner;
    IF v_later IS NOT NULL THEN
        RAISE NOTICE 'jobs that come after it: %', v_later USING HINT = 'give them another "after", or unschedule them, too';
    END IF;
    RETURN jsonb_build_object('done', true);
END $$;

CREATE FUNCTION chime.request_run(p_caller name, p_arguments jsonb) RETURNS jsonb
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_job chime.job := chime.find_job(p_caller, p_arguments);
    v_slot timestamptz;
BEGIN
    IF NOT v_job.active THEN
        RAISE EXCEPTION 'job % is not active', v_job.name USING ERRCODE = 'object_not_in_prerequisite_state',
            HINT = format('SELECT chime.alter_job(%s, active => true) wakes it', v_job.job_id);
    ELSIF (SELECT s.suspended FROM chime.suspension(v_job.job_id) s) THEN
        RAISE NOTICE 'job % is suspended: it runs once that is over', v_job.name;
    END IF;
    SELECT q.slot INTO v_slot FROM chime.request q WHERE q.job_id = v_job.job_id AND q.verb = 'run' AND q.kind = 'manual' LIMIT 1;
    IF NOT FOUND THEN
        INSERT INTO chime.request (job_id) VALUES (v_job.job_id) RETURNING slot INTO v_slot;
    END IF;
    RETURN jsonb_build_object('slot', v_slot);
END $$;

CREATE FUNCTION chime.cancel_own_run(p_caller name, p_arguments jsonb) RETURNS jsonb
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_run bigint := (p_arguments ->> 'run_id')::bigint;
    v_job bigint;
BEGIN
    SELECT coalesce((SELECT r.job_id FROM chime.run r WHERE r.run_id = v_run), (SELECT q.job_id FROM chime.request q WHERE q.run_id = v_run)) INTO v_job;
    IF chime.is_administrator(p_caller) OR EXISTS (SELECT FROM chime.job j WHERE j.job_id = v_job AND j.owner = p_caller) THEN
        RETURN jsonb_build_object('done', chime.cancel_run(v_run, p_arguments ->> 'reason'));
    END IF;
    RETURN jsonb_build_object('done', false);
END $$;

-- --- the way in ------------------------------------------------------------------------------------------------------

CREATE VIEW chime.job_call AS
SELECT NULL::name AS caller, NULL::text AS verb, NULL::jsonb AS arguments, NULL::jsonb AS answer WHERE false;
COMMENT ON VIEW chime.job_call IS 'what functions that make and change jobs are called through; there is nothing to read in it';

CREATE FUNCTION chime.name_caller() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    NEW.caller := current_user;
    RETURN NEW;
END $$;

-- A NULL among the arguments is one that was not given.
CREATE FUNCTION chime.answer_call() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
DECLARE
    v_arguments jsonb := jsonb_strip_nulls(NEW.arguments);
BEGIN
    CASE NEW.verb
        WHEN 'schedule' THEN NEW.answer := chime.schedule_job(NEW.caller, v_arguments);
        WHEN 'alter' THEN NEW.answer := chime.change_job(NEW.caller, v_arguments);
        WHEN 'unschedule' THEN NEW.answer := chime.unschedule_job(NEW.caller, v_arguments);
        WHEN 'run' THEN NEW.answer := chime.request_run(NEW.caller, v_arguments);
        WHEN 'cancel' THEN NEW.answer := chime.cancel_own_run(NEW.caller, v_arguments);
    END CASE;
    RETURN NEW;
END $$;
CREATE TRIGGER a_caller INSTEAD OF INSERT ON chime.job_call FOR EACH ROW EXECUTE FUNCTION chime.name_caller();
CREATE TRIGGER b_answer INSTEAD OF INSERT ON chime.job_call FOR EACH ROW EXECUTE FUNCTION chime.answer_call();

-- --- upkeep of jobs made by SQL: steps as in 0002_ledger_functions.sql -----------------------------------------------

-- Some jobs at a time, from p_from on: each costs a look into every partition. What is found is deleted by where it
-- lies: a join with the history may be planned as a walk through all of it.
CREATE FUNCTION chime.forget_runs(p_token uuid, p_limit integer, p_from bigint) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET enable_sort = off SET enable_mergejoin = off
SET enable_hashjoin = off SET lock_timeout = '100ms' AS $$
DECLARE
    v_job record;
    v_part record;
    v_left bigint := p_limit;
    v_last bigint;
    v_jobs bigint := greatest(p_limit / 50, 1);
BEGIN
    PERFORM chime.require_leader(p_token);
    FOR v_job IN SELECT j.job_id, now() - j.keep AS since FROM chime.job j WHERE j.keep IS NOT NULL AND j.job_id >= p_from
                 ORDER BY j.job_id LIMIT v_jobs + 1 LOOP
        IF v_jobs = 0 OR v_left = 0 THEN
            RETURN v_job.job_id;
        END IF;
        FOR v_part IN SELECT o.tableoid::regclass AS name, array_agg(o.ctid) AS rows
                      FROM (SELECT x.tableoid, x.ctid FROM chime.run_history x
                            WHERE x.job_id = v_job.job_id AND x.slot < v_job.since
                            ORDER BY x.job_id, x.kind, x.slot LIMIT v_left FOR UPDATE SKIP LOCKED) o
                      GROUP BY o.tableoid LOOP
            EXECUTE format('DELETE FROM %s h WHERE h.ctid = ANY ($1)', v_part.name) USING v_part.rows;
            v_left := v_left - cardinality(v_part.rows);
        END LOOP;
        v_last := v_job.job_id;
        v_jobs := v_jobs - 1;
    END LOOP;
    RETURN CASE WHEN v_left = 0 THEN v_last END;
END $$;
COMMENT ON FUNCTION chime.forget_runs IS 'runs older than their job keeps them';

CREATE FUNCTION chime.forget_jobs(p_token uuid, p_limit integer, p_keep interval DEFAULT '30 days') RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET lock_timeout = '100ms' AS $$
DECLARE v_count bigint;
BEGIN
    PERFORM chime.require_leader(p_token);
    DELETE FROM chime.job j WHERE j.job_id = ANY (ARRAY(
        SELECT x.job_id FROM chime.job x
         WHERE x.removed_at < now() - p_keep - interval '1 day' AND NOT EXISTS (SELECT FROM chime.run r WHERE r.job_id = x.job_id OFFSET 0)
         ORDER BY x.removed_at LIMIT p_limit FOR UPDATE SKIP LOCKED));
    GET DIAGNOSTICS v_count = ROW_COUNT;
    RETURN CASE WHEN v_count = p_limit THEN 0 END;
END $$;
COMMENT ON FUNCTION chime.forget_jobs IS 'jobs that were unscheduled, or left the configuration, before p_keep and a day, when their history is gone';

-- --- what people call ------------------------------------------------------------------------------------------------

CREATE FUNCTION chime.schedule(job_name text, schedule text, command text, database text DEFAULT NULL, username text DEFAULT NULL,
                               active boolean DEFAULT NULL, after text[] DEFAULT NULL, channels text[] DEFAULT NULL,
                               options jsonb DEFAULT NULL, settings jsonb DEFAULT NULL, keep interval DEFAULT NULL) RETURNS bigint
LANGUAGE sql SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    INSERT INTO chime.job_call (verb, arguments)
    VALUES ('schedule', jsonb_build_object('job_name', job_name, 'schedule', schedule, 'command', coalesce(command, ''), 'database', database,
            'username', username, 'active', active, 'after', to_jsonb(after), 'channels', to_jsonb(channels), 'options', options,
            'settings', settings, 'keep', keep))
    RETURNING (answer ->> 'job_id')::bigint;
END;
COMMENT ON FUNCTION chime.schedule IS
    'makes a job, or changes the one of that name; its number. What is NULL stays as it is, or is what it usually is. A job without a schedule starts after others or on channels';

CREATE FUNCTION chime.schedule_once(at timestamptz, command text, job_name text DEFAULT NULL, database text DEFAULT NULL,
                                    username text DEFAULT NULL, options jsonb DEFAULT NULL, settings jsonb DEFAULT NULL) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
    v_at timestamp := date_trunc('second', at + interval '999999 microseconds') AT TIME ZONE 'UTC';
BEGIN
    IF at IS NULL OR at <= clock_timestamp() OR at >= '9999-01-01Z' THEN
        RAISE EXCEPTION 'a run at % will never be', coalesce(at::text, 'NULL') USING ERRCODE = 'invalid_parameter_value',
            HINT = 'name a time to come; chime.run_now starts a job that is there already';
    END IF;
    RETURN chime.schedule(job_name, '@at ' || to_char(v_at, 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), command, database, username, true, NULL, NULL,
                          options, settings);
END $$;
COMMENT ON FUNCTION chime.schedule_once IS 'a job that runs once, at a whole second; its number. It is not active any more afterwards';

CREATE FUNCTION chime.alter_job(job_id bigint, schedule text DEFAULT NULL, command text DEFAULT NULL, database text DEFAULT NULL,
                                username text DEFAULT NULL, active boolean DEFAULT NULL, after text[] DEFAULT NULL,
                                channels text[] DEFAULT NULL, options jsonb DEFAULT NULL, settings jsonb DEFAULT NULL,
                                job_name text DEFAULT NULL, keep interval DEFAULT NULL) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    INSERT INTO chime.job_call (verb, arguments)
    VALUES ('alter', jsonb_build_object('job_id', job_id, 'schedule', schedule, 'command', command, 'database', database, 'username', username,
            'active', active, 'after', to_jsonb(after), 'channels', to_jsonb(channels), 'options', options, 'settings', settings,
            'job_name', job_name, 'keep', keep));
END;
COMMENT ON FUNCTION chime.alter_job IS 'what is NULL stays as it is; "options" and "settings" replace all that there were';

CREATE FUNCTION chime.unschedule(job_id bigint, stop boolean DEFAULT false) RETURNS boolean
LANGUAGE sql STRICT SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    INSERT INTO chime.job_call (verb, arguments) VALUES ('unschedule', jsonb_build_object('job_id', job_id, 'stop', stop))
    RETURNING (answer ->> 'done')::boolean;
END;
COMMENT ON FUNCTION chime.unschedule(bigint, boolean) IS
    'takes the job away; its runs stay in the ledger. A run that is under way goes on, or is asked to stop, and a notice says which';

CREATE FUNCTION chime.unschedule(job_name text, stop boolean DEFAULT false) RETURNS boolean
LANGUAGE sql STRICT SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    INSERT INTO chime.job_call (verb, arguments) VALUES ('unschedule', jsonb_build_object('job_name', job_name, 'stop', stop))
    RETURNING (answer ->> 'done')::boolean;
END;

CREATE FUNCTION chime.run_now(job_id bigint) RETURNS timestamptz
LANGUAGE sql STRICT SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    INSERT INTO chime.job_call (verb, arguments) VALUES ('run', jsonb_build_object('job_id', job_id))
    RETURNING (answer ->> 'slot')::timestamptz;
END;
COMMENT ON FUNCTION chime.run_now(bigint) IS 'asks the leader for a run; its slot, by which it is found: kind manual. Asked for again before it began, it is the same';

CREATE FUNCTION chime.run_now(job_name text) RETURNS timestamptz
LANGUAGE sql STRICT SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    INSERT INTO chime.job_call (verb, arguments) VALUES ('run', jsonb_build_object('job_name', job_name))
    RETURNING (answer ->> 'slot')::timestamptz;
END;

CREATE FUNCTION chime.cancel(run_id bigint, reason text DEFAULT NULL) RETURNS boolean
LANGUAGE sql SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    INSERT INTO chime.job_call (verb, arguments) VALUES ('cancel', jsonb_build_object('run_id', run_id, 'reason', reason))
    RETURNING (answer ->> 'done')::boolean;
END;
COMMENT ON FUNCTION chime.cancel IS 'asks the leader to end a live run, waiting for its next attempt included, or withdraws one that has not begun; false when there is no such run, or it is another''s';

-- --- what people read ------------------------------------------------------------------------------------------------

-- Of views that their owner may read and everybody may ask: only what is the reader's own. One row.
CREATE VIEW chime.reader AS
SELECT current_user AS role,
       EXISTS (SELECT FROM pg_catalog.pg_roles r, pg_catalog.pg_class c
               WHERE r.rolname = current_user AND c.oid = 'chime.job'::regclass AND (r.rolsuper OR r.rolbypassrls OR r.oid = c.relowner)) AS sees_all,
       EXISTS (SELECT FROM pg_catalog.pg_roles m
               WHERE m.rolname = 'pgchime_monitor' AND pg_catalog.pg_has_role(current_user, m.oid, 'USAGE')) AS monitors;

CREATE VIEW chime.jobs WITH (security_barrier = true) AS
SELECT j.job_id, j.job_name, j.schedule, j.command, coalesce(j.database, current_database()) AS database, j.owner AS username, j.active,
       j.after, j.channels, j.options - 'settings' AS options, coalesce(j.options -> 'settings', '{}') AS settings,
       CASE WHEN j.active THEN (SELECT min(u) FROM chime.next_slots n, unnest(n.slots) AS u
                                WHERE n.job_id = j.job_id AND u > clock_timestamp()) END AS next_slot,
       s.last_start, s.last_end, s.last_outcome, s.consecutive_failures, s.suspended_at, s.suspend_reason, j.problem,
       j.keep
FROM chime.reader r JOIN chime.job j ON (r.sees_all OR r.monitors OR j.owner = r.role) JOIN chime.job_state s ON s.job_id = j.job_id
WHERE j.origin = 'sql' AND j.removed_at IS NULL;
COMMENT ON VIEW chime.jobs IS 'jobs made by SQL, to each role its own';
COMMENT ON COLUMN chime.jobs.problem IS 'why the leader cannot run it; NULL: it can';

CREATE VIEW chime.upcoming WITH (security_barrier = true) AS
SELECT j.job_id, j.job_name, u AS slot
FROM chime.reader r JOIN chime.job j ON (r.sees_all OR r.monitors OR j.owner = r.role) JOIN chime.next_slots n ON n.job_id = j.job_id
CROSS JOIN LATERAL (SELECT s FROM unnest(n.slots) AS s WHERE s > clock_timestamp() ORDER BY s LIMIT 5) AS l (u)
WHERE j.active AND j.removed_at IS NULL;
COMMENT ON VIEW chime.upcoming IS 'the next slots of jobs made by SQL, as the leader counted them; to each role those of its own';

-- Not over chime.runs, which reads as whoever asks.
CREATE VIEW chime.job_runs WITH (security_barrier = true) AS
SELECT w.run_id, w.job_id, j.job_name, w.kind, w.slot, w.state, w.attempt, w.started_at, w.finished_at, w.rows, w.sqlstate, w.message,
       w.reason, w.pid
FROM chime.reader r
JOIN chime.job j ON j.origin = 'sql'
                    AND (r.sees_all OR r.monitors OR j.owner = r.role
                         OR EXISTS (SELECT FROM chime.job_past o WHERE o.job_id = j.job_id AND o.owner = r.role))
JOIN (SELECT h.run_id, h.job_id, h.kind, h.slot, h.state::text, h.attempt, h.started_at, h.finished_at, h.rows, h.sqlstate, h.message, h.reason,
             h.pid, coalesce(h.claimed_at, h.started_at, h.finished_at) AS claimed_at
      FROM chime.run_history h
      UNION ALL
      SELECT l.run_id, l.job_id, l.kind, l.slot,
             CASE WHEN l.done_at IS NOT NULL THEN 'succeeded' WHEN l.pid IS NULL THEN 'retrying' ELSE 'running' END, l.attempt,
             coalesce(l.started_at, l.claimed_at), l.done_at, l.rows, NULL, l.message,
             CASE WHEN l.pid IS NULL THEN 'next attempt at ' || l.retry_at END, l.pid, l.claimed_at
      FROM chime.run l) w ON w.job_id = j.job_id
LEFT JOIN chime.job_past p ON p.job_id = w.job_id AND w.claimed_at >= p.since AND w.claimed_at < p.until
WHERE r.sees_all OR r.monitors OR coalesce(p.owner, j.owner) = r.role;
COMMENT ON VIEW chime.job_runs IS 'runs of jobs made by SQL, with slots that were skipped; to each role those of jobs that were its own then';

REVOKE ALL ON ALL ROUTINES IN SCHEMA chime FROM PUBLIC;

-- Two roles of the server, for all its databases: who has pgchime_jobs makes jobs, who has pgchime_monitor sees what
-- there is of everybody and changes nothing. They are the DBA's to make where ours may not.
DO $$
DECLARE
    v_role text;
BEGIN
    FOREACH v_role IN ARRAY '{pgchime_jobs,pgchime_monitor}'::text[] LOOP
        BEGIN
            IF to_regrole(v_role) IS NULL THEN
                EXECUTE format('CREATE ROLE %I NOLOGIN', v_role);
            END IF;
        EXCEPTION
            WHEN insufficient_privilege THEN
                RAISE NOTICE 'role % was not made: this role may not create roles', v_role;
            WHEN duplicate_object OR unique_violation THEN
                NULL; -- made by another database of the server a moment ago
        END;
    END LOOP;
END $$;

CREATE FUNCTION chime.grant_to_jobs() RETURNS void
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
        chime.cancel(bigint, text), chime.schedule_valid(text), chime.schedule_problem(text), chime.schedule_differs(text)
    TO pgchime_jobs;
END $$;

-- Views that read as whoever asks need their tables and functions, too.
CREATE FUNCTION chime.grant_to_monitor() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_table text;
    v_columns text;
BEGIN
    GRANT USAGE ON SCHEMA chime TO pgchime_monitor;
    GRANT SELECT ON chime.leader_status, chime.runs, chime.job_status, chime.view_status, chime.jobs, chime.upcoming, chime.job_runs
        TO pgchime_monitor;
    FOREACH v_table IN ARRAY '{leader,run}'::text[] LOOP -- but for the leader's token
        SELECT string_agg(quote_ident(a.attname), ', ') INTO v_columns FROM pg_attribute a
         WHERE a.attrelid = format('chime.%I', v_table)::regclass AND a.attnum > 0 AND NOT a.attisdropped AND a.attname <> 'token';
        EXECUTE format('GRANT SELECT (%s) ON chime.%I TO pgchime_monitor', v_columns, v_table);
    END LOOP;
    GRANT SELECT ON chime.job, chime.job_state, chime.run_history, chime.attempt, chime.missed TO pgchime_monitor;
    FOREACH v_table IN ARRAY '{job,job_state,run,run_history,attempt,missed}'::text[] LOOP
        EXECUTE format('DROP POLICY IF EXISTS monitor ON chime.%I', v_table);
        EXECUTE format('CREATE POLICY monitor ON chime.%I FOR SELECT TO pgchime_monitor USING (true)', v_table);
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
    GRANT EXECUTE ON FUNCTION chime.view_freshness(), chime.unfilled(), chime.last_fill(bigint), chime.led(), chime.copy_of(), chime.system_identifier(), chime.database_number(),
                              chime.backend_alive(integer, timestamptz) TO pgchime_monitor;
END $$;

CREATE FUNCTION chime.grant_to_roles() RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF to_regrole('analytics_reader') IS NOT NULL THEN
        GRANT USAGE ON SCHEMA chime TO analytics_reader;
        GRANT EXECUTE ON FUNCTION chime.as_of(), chime.one_of(text, text, text[]) TO analytics_reader;
    END IF;
    IF to_regrole('pgchime_jobs') IS NOT NULL THEN
        PERFORM chime.grant_to_jobs();
    END IF;
    IF to_regrole('pgchime_monitor') IS NOT NULL THEN
        PERFORM chime.grant_to_monitor();
    END IF;
END $$;
COMMENT ON FUNCTION chime.grant_to_roles IS
    'gives analytics_reader, pgchime_jobs and pgchime_monitor what they may do here, as far as they are there; for roles that were made later, once more';
COMMENT ON FUNCTION chime.grant_to_jobs IS 'what pgchime_jobs may do: make jobs, and see its own';
COMMENT ON FUNCTION chime.grant_to_monitor IS 'what pgchime_monitor may do: see everybody''s jobs, runs and views';
REVOKE ALL ON FUNCTION chime.grant_to_roles(), chime.grant_to_jobs(), chime.grant_to_monitor() FROM PUBLIC;
