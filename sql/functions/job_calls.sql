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

CREATE OR REPLACE FUNCTION chime.refuse_view_job(p_job chime.job) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF p_job.views <> '{}' OR EXISTS (SELECT FROM chime.role_view v WHERE v.job_id = p_job.job_id) THEN
        RAISE EXCEPTION 'job "%" refreshes view %', p_job.name,
            coalesce(p_job.views[1], (SELECT v.view_schema || '.' || v.relation FROM chime.role_view v WHERE v.job_id = p_job.job_id))
            USING ERRCODE = 'object_not_in_prerequisite_state', HINT = 'chime.alter_view changes when, and chime.drop_view takes both away';
    END IF;
END $$;
COMMENT ON FUNCTION chime.refuse_view_job IS 'raises where a job is that of a view that chime.keep_view made';

-- Options and settings are replaced as a whole, each where it is given.
CREATE OR REPLACE FUNCTION chime.new_options(p_old jsonb, p_read jsonb, p_arguments jsonb) RETURNS jsonb
LANGUAGE sql IMMUTABLE SET search_path = pg_catalog, pg_temp
RETURN (CASE WHEN p_arguments ? 'options' THEN p_read ELSE p_old END - 'settings')
       || CASE WHEN NOT CASE WHEN p_arguments ? 'settings' THEN p_read ELSE p_old END ? 'settings' THEN '{}'
               ELSE jsonb_build_object('settings', CASE WHEN p_arguments ? 'settings' THEN p_read ELSE p_old END -> 'settings') END;
COMMENT ON ROUTINE chime.new_options IS 'options of a job after an edit: options and settings each stay or are replaced as a whole';

-- Numbers that are drawn later are higher. What is only tried and taken back (chime.import_problem) has the number 0.
-- No lock is taken, since that would hold up whoever makes a job meanwhile: of two that draw in the same instant one
-- may have to try again.
CREATE OR REPLACE FUNCTION chime.keep_job_id(p_wanted bigint) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF p_wanted NOT BETWEEN 0 AND 999999999999999999 THEN
        RAISE EXCEPTION 'a job cannot have the number %', p_wanted USING ERRCODE = 'numeric_value_out_of_range',
            HINT = 'a number is not below 0 and has 18 digits at most; without one the job gets the next';
    END IF;
    PERFORM setval('chime.job_job_id_seq', p_wanted) FROM chime.job_job_id_seq s WHERE s.last_value < p_wanted;
    RETURN p_wanted;
END $$;
COMMENT ON FUNCTION chime.keep_job_id IS 'the number that an administrator gives to a job; later ones are higher';

-- A name that its owner has already: that job gets the schedule, command and database, and of the rest what is given;
-- its number, and whether it is active, stay. `new_active` counts for a new one alone.
CREATE OR REPLACE FUNCTION chime.schedule_job(p_caller name, p_arguments jsonb) RETURNS jsonb
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
    IF v_id IS NOT NULL AND p_arguments ? 'is_new' AND EXISTS (SELECT FROM chime.job j WHERE j.job_id = v_id) THEN
        RETURN chime.restore_job(p_caller, v_job.owner, p_arguments);
    END IF;
    v_job.after := chime.find_upstreams(p_caller, v_job.owner, coalesce(p_arguments -> 'after', '[]'));
    PERFORM chime.refuse_view_job(j) FROM chime.job j
     WHERE j.name = v_key AND j.owner = v_job.owner AND (CASE WHEN j.removed_at IS NULL THEN 0 ELSE j.job_id END) = 0;
    INSERT INTO chime.job AS j (job_id, owner, origin, job_name, database, active, schedule, command, after, channels, options, keep)
    VALUES (coalesce(chime.keep_job_id(v_id), nextval('chime.job_job_id_seq')), v_job.owner, 'sql', p_arguments ->> 'job_name', v_job.database,
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
    PERFORM chime.check_parameters(v_job.command);
    IF v_job.after <> '{}' THEN
        PERFORM chime.refuse_cycle(v_job.job_id);
    END IF;
    IF v_job.version = 1 OR (p_arguments ->> 'active')::boolean THEN
        PERFORM chime.check_quota(p_caller, v_job);
    END IF;
    RETURN jsonb_build_object('job_id', v_job.job_id);
END $$;
COMMENT ON ROUTINE chime.schedule_job IS 'makes a job, or edits the one of that name';

-- Jobs are saved, deleted and inserted again with their numbers, and the rows of removed jobs stay for their history.
CREATE OR REPLACE FUNCTION chime.restore_job(p_caller name, p_owner name, p_arguments jsonb) RETURNS jsonb
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF EXISTS (SELECT FROM chime.job j
               WHERE j.job_id = (p_arguments ->> 'job_id')::bigint AND (j.origin <> 'sql' OR j.removed_at IS NULL)) THEN
        RAISE EXCEPTION 'duplicate key value violates unique constraint "job_pkey"' USING ERRCODE = 'unique_violation',
            DETAIL = format('Key (jobid)=(%s) already exists.', p_arguments ->> 'job_id');
    END IF;
    RETURN chime.change_job(p_caller, '{"active": true, "after": [], "channels": [], "options": {}, "settings": {}}' || p_arguments
                                      || jsonb_build_object('restore', true, 'username', p_owner,
                                                            'database', coalesce(p_arguments ->> 'database', current_database()))
                                      || CASE WHEN p_arguments ? 'job_name' THEN '{}' ELSE '{"unnamed": true}' END::jsonb);
END $$;
COMMENT ON ROUTINE chime.restore_job IS 'makes a job of a number that a removed job had: that row is used again, and keeps its runs';

-- Asked of the row, so that whoever looks a job up does it by its key alone.
CREATE OR REPLACE FUNCTION chime.may_change(p_caller name, p_job chime.job) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN coalesce((p_job).origin = 'sql' AND (p_job).removed_at IS NULL AND ((p_job).owner = p_caller OR chime.is_administrator(p_caller)), false);
COMMENT ON FUNCTION chime.may_change IS 'whether it is a job made by SQL that is there, and the caller''s to change';

-- What is asked for is judged by the owner that the job has afterwards, not by who edits it. "restore": an
-- administrator's, of a job that was removed.
CREATE OR REPLACE FUNCTION chime.change_job(p_caller name, p_arguments jsonb) RETURNS jsonb
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
    IF p_arguments ? 'restore' AND chime.is_administrator(p_caller) THEN
        v_job.removed_at := NULL;
    END IF;
    IF NOT chime.may_change(p_caller, v_job) THEN
        RAISE EXCEPTION 'Job % does not exist or you don''t own it', v_id USING ERRCODE = 'internal_error';
    END IF;
    PERFORM chime.refuse_view_job(v_job);
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
           after = v_job.after, removed_at = v_job.removed_at,
           channels = CASE WHEN p_arguments ? 'channels' THEN chime.texts(p_arguments -> 'channels') ELSE j.channels END,
           options = chime.new_options(j.options, v_options, p_arguments), keep = coalesce(chime.read_keep(p_arguments ->> 'keep'), j.keep)
     WHERE j.job_id = v_id
    RETURNING * INTO v_job;
    PERFORM chime.check_driven(v_job);
    PERFORM chime.check_parameters(v_job.command);
    IF v_job.after <> '{}' THEN
        PERFORM chime.refuse_cycle(v_job.job_id);
    END IF;
    IF (p_arguments ->> 'active')::boolean THEN
        PERFORM chime.check_quota(p_caller, v_job);
    END IF;
    RETURN jsonb_build_object('job_id', v_job.job_id);
END $$;
COMMENT ON ROUTINE chime.change_job IS 'edits a job';

-- By number, or by name among the caller's own.
CREATE OR REPLACE FUNCTION chime.find_job(p_caller name, p_arguments jsonb) RETURNS chime.job
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
COMMENT ON ROUTINE chime.find_job IS 'the job that is meant by number or name, if it is the caller''s; raises otherwise';

-- Nothing here ends a run: what the ledger says of it is how it ended.
CREATE OR REPLACE FUNCTION chime.unschedule_job(p_caller name, p_arguments jsonb) RETURNS jsonb
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_job chime.job := chime.find_job(p_caller, p_arguments);
    v_run chime.run;
    v_later text;
BEGIN
    PERFORM chime.refuse_view_job(v_job);
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
COMMENT ON ROUTINE chime.unschedule_job IS 'takes a job away; its history stays';

CREATE OR REPLACE FUNCTION chime.request_run(p_caller name, p_arguments jsonb) RETURNS jsonb
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_job chime.job := chime.find_job(p_caller, p_arguments);
    v_slot timestamptz;
BEGIN
    IF NOT v_job.active THEN
        RAISE EXCEPTION 'job % is not active', v_job.name USING ERRCODE = 'object_not_in_prerequisite_state',
            HINT = format('SELECT chime.alter_job(%s, active => true) makes it active', v_job.job_id);
    ELSIF (SELECT s.suspended FROM chime.suspension(v_job.job_id) s) THEN
        RAISE NOTICE 'job % is suspended: it runs once that is over', v_job.name;
    END IF;
    SELECT q.slot INTO v_slot FROM chime.request q WHERE q.job_id = v_job.job_id AND q.verb = 'run' AND q.kind = 'manual' LIMIT 1;
    IF NOT FOUND THEN
        INSERT INTO chime.request (job_id) VALUES (v_job.job_id) RETURNING slot INTO v_slot;
    END IF;
    RETURN jsonb_build_object('slot', v_slot);
END $$;
COMMENT ON ROUTINE chime.request_run IS 'asks for a run of a job now; its slot';

CREATE OR REPLACE FUNCTION chime.request_backfill(p_caller name, p_arguments jsonb) RETURNS jsonb
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_job chime.job := chime.find_job(p_caller, p_arguments);
BEGIN
    RETURN jsonb_build_object('backfill_id', chime.begin_slot_backfill(v_job.job_id, (p_arguments ->> 'from')::timestamptz,
                                                                       (p_arguments ->> 'to')::timestamptz, p_arguments ->> 'only', p_caller));
END $$;
COMMENT ON ROUTINE chime.request_backfill IS 'asks for a backfill of slots of a job; its number';

CREATE OR REPLACE FUNCTION chime.cancel_own_run(p_caller name, p_arguments jsonb) RETURNS jsonb
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
COMMENT ON ROUTINE chime.cancel_own_run IS 'asks for the end of a live run of the caller''s';

-- --- the way in ------------------------------------------------------------------------------------------------------
CREATE OR REPLACE VIEW chime.job_call AS
SELECT NULL::name AS caller, NULL::text AS verb, NULL::jsonb AS arguments, NULL::jsonb AS answer WHERE false;
COMMENT ON VIEW chime.job_call IS 'what functions that make and change jobs are called through; there is nothing to read in it';

-- Of schema cron. It stands here, so that REVOKE ALL ON ALL TABLES IN SCHEMA cron leaves the functions there working:
-- their bodies were bound when they were made, and need no USAGE on schema chime.
CREATE OR REPLACE VIEW chime.cron_call AS
SELECT NULL::name AS caller, NULL::text AS verb, NULL::jsonb AS arguments, NULL::jsonb AS answer WHERE false;
COMMENT ON VIEW chime.cron_call IS 'what the functions of schema cron are called through; there is nothing to read in it';

CREATE OR REPLACE FUNCTION chime.name_caller() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    NEW.caller := current_user;
    RETURN NEW;
END $$;
COMMENT ON ROUTINE chime.name_caller() IS 'writes down who calls: it runs as the caller';

-- Everybody may write to chime.cron_call; who may call is whoever may use schema cron, as with the extension.
CREATE OR REPLACE FUNCTION chime.name_cron_caller() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF NOT has_schema_privilege('cron', 'USAGE') THEN
        RAISE EXCEPTION 'permission denied for schema cron' USING ERRCODE = 'insufficient_privilege';
    END IF;
    NEW.caller := current_user;
    RETURN NEW;
END $$;
COMMENT ON ROUTINE chime.name_cron_caller() IS 'writes down who calls through schema cron: it runs as the caller';

-- A NULL among the arguments is one that was not given.
CREATE OR REPLACE FUNCTION chime.answer_call() RETURNS trigger
LANGUAGE plpgsql SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
DECLARE
    v_arguments jsonb := jsonb_strip_nulls(NEW.arguments);
BEGIN
    IF TG_TABLE_NAME = 'cron_call' AND NEW.verb LIKE '%view%' THEN
        RAISE EXCEPTION 'views are not kept through schema cron' USING ERRCODE = 'insufficient_privilege', HINT = 'call chime.keep_view and its like';
    END IF;
    CASE NEW.verb
        WHEN 'schedule' THEN NEW.answer := chime.schedule_job(NEW.caller, v_arguments);
        WHEN 'alter' THEN NEW.answer := chime.change_job(NEW.caller, v_arguments);
        WHEN 'unschedule' THEN NEW.answer := chime.unschedule_job(NEW.caller, v_arguments);
        WHEN 'run' THEN NEW.answer := chime.request_run(NEW.caller, v_arguments);
        WHEN 'backfill' THEN NEW.answer := chime.request_backfill(NEW.caller, v_arguments);
        WHEN 'cancel_backfill' THEN NEW.answer := jsonb_build_object('done', chime.cancel_slot_backfill((chime.find_job(NEW.caller, v_arguments)).job_id, NEW.caller));
        WHEN 'cancel' THEN NEW.answer := chime.cancel_own_run(NEW.caller, v_arguments);
        WHEN 'keep_view' THEN NEW.answer := chime.keep_view_for(NEW.caller, v_arguments);
        WHEN 'alter_view' THEN NEW.answer := chime.alter_view_for(NEW.caller, v_arguments);
        WHEN 'drop_view' THEN NEW.answer := chime.drop_view_for(NEW.caller, v_arguments);
        WHEN 'refresh_view' THEN NEW.answer := chime.refresh_view_for(NEW.caller, v_arguments);
        WHEN 'explain_view' THEN NEW.answer := chime.explain_view_for(NEW.caller, v_arguments);
        ELSE NEW.answer := chime.answer_role_view_call(NEW.verb, NEW.caller, v_arguments);
    END CASE;
    RETURN NEW;
END $$;
COMMENT ON ROUTINE chime.answer_call() IS 'does what was called for, as the daemon''s role, for the caller that was written down';
CREATE OR REPLACE TRIGGER a_caller INSTEAD OF INSERT ON chime.job_call FOR EACH ROW EXECUTE FUNCTION chime.name_caller();
CREATE OR REPLACE TRIGGER b_answer INSTEAD OF INSERT ON chime.job_call FOR EACH ROW EXECUTE FUNCTION chime.answer_call();
CREATE OR REPLACE TRIGGER a_caller INSTEAD OF INSERT ON chime.cron_call FOR EACH ROW EXECUTE FUNCTION chime.name_cron_caller();
CREATE OR REPLACE TRIGGER b_answer INSTEAD OF INSERT ON chime.cron_call FOR EACH ROW EXECUTE FUNCTION chime.answer_call();

-- --- what people call ------------------------------------------------------------------------------------------------
CREATE OR REPLACE FUNCTION chime.schedule(job_name text, schedule text, command text, database text DEFAULT NULL, username text DEFAULT NULL,
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

CREATE OR REPLACE FUNCTION chime.schedule_once(at timestamptz, command text, job_name text DEFAULT NULL, database text DEFAULT NULL,
                                    username text DEFAULT NULL, options jsonb DEFAULT NULL, settings jsonb DEFAULT NULL) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
    v_at timestamp := date_trunc('second', at + interval '999999 microseconds') AT TIME ZONE 'UTC';
BEGIN
    IF at IS NULL OR at <= clock_timestamp() OR at >= '9999-01-01Z' THEN
        RAISE EXCEPTION 'no run can be made at %', coalesce(at::text, 'NULL') USING ERRCODE = 'invalid_parameter_value',
            HINT = 'name a time in the future; chime.run_now starts a job that is there already';
    END IF;
    RETURN chime.schedule(job_name, '@at ' || to_char(v_at, 'YYYY-MM-DD"T"HH24:MI:SS"Z"'), command, database, username, true, NULL, NULL,
                          options, settings);
END $$;
COMMENT ON FUNCTION chime.schedule_once IS 'a job that runs once, at a whole second; its number. It is not active any more afterwards';

CREATE OR REPLACE FUNCTION chime.alter_job(job_id bigint, schedule text DEFAULT NULL, command text DEFAULT NULL, database text DEFAULT NULL,
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

CREATE OR REPLACE FUNCTION chime.unschedule(job_id bigint, stop boolean DEFAULT false) RETURNS boolean
LANGUAGE sql STRICT SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    INSERT INTO chime.job_call (verb, arguments) VALUES ('unschedule', jsonb_build_object('job_id', job_id, 'stop', stop))
    RETURNING (answer ->> 'done')::boolean;
END;

CREATE OR REPLACE FUNCTION chime.unschedule(job_name text, stop boolean DEFAULT false) RETURNS boolean
LANGUAGE sql STRICT SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    INSERT INTO chime.job_call (verb, arguments) VALUES ('unschedule', jsonb_build_object('job_name', job_name, 'stop', stop))
    RETURNING (answer ->> 'done')::boolean;
END;
COMMENT ON FUNCTION chime.unschedule(bigint, boolean) IS
    'takes the job away; its runs stay in the ledger. A run that is under way goes on, or is asked to stop, and a notice says which';
COMMENT ON ROUTINE chime.unschedule(text, boolean) IS 'takes the job of that name away; stop: its run is ended too';

CREATE OR REPLACE FUNCTION chime.run_now(job_id bigint) RETURNS timestamptz
LANGUAGE sql STRICT SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    INSERT INTO chime.job_call (verb, arguments) VALUES ('run', jsonb_build_object('job_id', job_id))
    RETURNING (answer ->> 'slot')::timestamptz;
END;

CREATE OR REPLACE FUNCTION chime.run_now(job_name text) RETURNS timestamptz
LANGUAGE sql STRICT SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    INSERT INTO chime.job_call (verb, arguments) VALUES ('run', jsonb_build_object('job_name', job_name))
    RETURNING (answer ->> 'slot')::timestamptz;
END;
COMMENT ON FUNCTION chime.run_now(bigint) IS 'asks the leader for a run; its slot, by which it is found: kind manual. Asked for again before it began, it is the same';
COMMENT ON ROUTINE chime.run_now(text) IS 'asks for a run of the job of that name now; its slot';

CREATE OR REPLACE FUNCTION chime.backfill_job(job_id bigint, from_at timestamptz, to_at timestamptz, only_slots text DEFAULT 'all') RETURNS bigint
LANGUAGE sql SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    INSERT INTO chime.job_call (verb, arguments)
    VALUES ('backfill', jsonb_build_object('job_id', job_id, 'from', from_at, 'to', to_at, 'only', only_slots))
    RETURNING (answer ->> 'backfill_id')::bigint;
END;
COMMENT ON FUNCTION chime.backfill_job IS
    'does the slots in [from_at, to_at) of one of the caller''s jobs again: all, those that are missing (nothing ran), or those that failed; the number of the backfill';

CREATE OR REPLACE FUNCTION chime.cancel_backfill(job_id bigint) RETURNS boolean
LANGUAGE sql STRICT SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    INSERT INTO chime.job_call (verb, arguments) VALUES ('cancel_backfill', jsonb_build_object('job_id', job_id)) RETURNING (answer ->> 'done')::boolean;
END;
COMMENT ON FUNCTION chime.cancel_backfill IS 'ends the backfill of the job that is under way, and its run; false when there is none';

CREATE OR REPLACE FUNCTION chime.cancel(run_id bigint, reason text DEFAULT NULL) RETURNS boolean
LANGUAGE sql SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    INSERT INTO chime.job_call (verb, arguments) VALUES ('cancel', jsonb_build_object('run_id', run_id, 'reason', reason))
    RETURNING (answer ->> 'done')::boolean;
END;
COMMENT ON FUNCTION chime.cancel IS 'asks the leader to end a live run, waiting for its next attempt included, or withdraws one that has not begun; false when there is no such run, or it is another''s';
