-- SPDX-License-Identifier: PostgreSQL
-- Schema cron, as the extension pg_cron makes it, over the tables of schema chime: what applications call and read
-- stays as it is. One transaction; run again, it changes nothing. `pgchime migrate --with-cron` runs it;
-- docs/pg_cron.md says what differs.

SET citus.enable_ddl_propagation = off; -- where Citus is, all of it stays here

DO $$
BEGIN
    IF EXISTS (SELECT FROM pg_catalog.pg_extension WHERE extname = 'pg_cron') THEN
        RAISE EXCEPTION 'the extension pg_cron is installed in this database, and its schema cron stays as it is'
            USING ERRCODE = 'object_not_in_prerequisite_state',
                  HINT = 'take its jobs over first: pgchime import pg_cron; then DROP EXTENSION pg_cron, and this again';
    END IF;
    IF to_regnamespace('cron') IS NULL THEN
        CREATE SCHEMA cron;
    END IF;
    IF EXISTS (SELECT FROM pg_catalog.pg_namespace n WHERE n.nspname = 'cron' AND pg_catalog.pg_get_userbyid(n.nspowner) = current_user)
       AND NOT EXISTS (SELECT FROM pg_catalog.pg_class c WHERE c.relnamespace = 'cron'::regnamespace)
       AND NOT EXISTS (SELECT FROM pg_catalog.pg_proc p WHERE p.pronamespace = 'cron'::regnamespace)
       AND NOT EXISTS (SELECT FROM pg_catalog.pg_type t WHERE t.typnamespace = 'cron'::regnamespace) THEN -- ours, and empty
        PERFORM chime.take_back('SCHEMA cron', n.nspowner, n.nspacl) FROM pg_namespace n WHERE n.nspname = 'cron';
        PERFORM pg_catalog.set_config('chime.new_cron', 'yes', true);
        COMMENT ON SCHEMA cron IS 'jobs in SQL, as pg_cron has them: made by pgchime';
    ELSIF obj_description('cron'::regnamespace, 'pg_namespace') IS DISTINCT FROM 'jobs in SQL, as pg_cron has them: made by pgchime'
          OR EXISTS (SELECT FROM (SELECT n.nspowner FROM pg_catalog.pg_namespace n WHERE n.nspname = 'cron'
                                  UNION ALL SELECT c.relowner FROM pg_catalog.pg_class c WHERE c.relnamespace = 'cron'::regnamespace
                                  UNION ALL SELECT p.proowner FROM pg_catalog.pg_proc p WHERE p.pronamespace = 'cron'::regnamespace) AS o (owner)
                     WHERE NOT chime.is_administrator(pg_catalog.pg_get_userbyid(o.owner))) THEN -- anybody can write such a comment
        RAISE EXCEPTION 'there is a schema cron that pgchime did not make' USING ERRCODE = 'duplicate_schema',
            HINT = 'rename it: ALTER SCHEMA cron RENAME TO cron_old';
    END IF;
EXCEPTION WHEN insufficient_privilege THEN
    RAISE EXCEPTION '% may not make a schema here', current_user USING ERRCODE = 'insufficient_privilege',
        HINT = pg_catalog.format('let a DBA run what pgchime init --sql --with-cron prints, or: CREATE SCHEMA cron AUTHORIZATION %I',
                                 current_user);
END $$;

-- --- functions -------------------------------------------------------------------------------------------------------

CREATE OR REPLACE FUNCTION cron.schedule(schedule text, command text) RETURNS bigint
LANGUAGE sql STRICT SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    INSERT INTO chime.cron_call (verb, arguments) VALUES ('schedule', jsonb_build_object('schedule', schedule, 'command', command))
    RETURNING (answer ->> 'job_id')::bigint;
END;
COMMENT ON FUNCTION cron.schedule(text, text) IS 'schedule a pg_cron job';

CREATE OR REPLACE FUNCTION cron.schedule(job_name text, schedule text, command text) RETURNS bigint
LANGUAGE sql SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    INSERT INTO chime.cron_call (verb, arguments)
    VALUES ('schedule', jsonb_build_object('needs', '["job_name", "schedule", "command"]'::jsonb, 'job_name', job_name, 'schedule', schedule,
                                           'command', command))
    RETURNING (answer ->> 'job_id')::bigint;
END;
COMMENT ON FUNCTION cron.schedule(text, text, text) IS 'schedule a pg_cron job';

CREATE OR REPLACE FUNCTION cron.schedule_in_database(job_name text, schedule text, command text, database text, username text DEFAULT NULL,
                                                     active boolean DEFAULT true) RETURNS bigint
LANGUAGE sql SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    INSERT INTO chime.cron_call (verb, arguments)
    VALUES ('schedule', jsonb_build_object('needs', '["job_name", "schedule", "command"]'::jsonb, 'job_name', job_name, 'schedule', schedule,
                                           'command', command, 'database', database, 'username', username, 'new_active', active))
    RETURNING (answer ->> 'job_id')::bigint;
END;
COMMENT ON FUNCTION cron.schedule_in_database(text, text, text, text, text, boolean) IS 'schedule a pg_cron job';

-- For what is written in PL/pgSQL, which looks names up as the caller.
CREATE OR REPLACE FUNCTION cron.job_call(verb text, arguments jsonb) RETURNS jsonb
LANGUAGE sql SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    INSERT INTO chime.cron_call (verb, arguments) VALUES (verb, arguments) RETURNING answer;
END;
COMMENT ON FUNCTION cron.job_call IS 'what the functions and triggers of this schema call; as little as they allow, it allows';

-- PL/pgSQL, since SQL answers void with NULL and the extension does not. An assignment, since PERFORM would show its
-- whole statement with each error.
CREATE OR REPLACE FUNCTION cron.alter_job(job_id bigint, schedule text DEFAULT NULL, command text DEFAULT NULL, database text DEFAULT NULL,
                                          username text DEFAULT NULL, active boolean DEFAULT NULL) RETURNS void
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
#variable_conflict use_variable
DECLARE
    v_answer jsonb;
BEGIN
    v_answer := cron.job_call('alter', jsonb_build_object(
        'needs', '["job_id"]'::jsonb, 'job_id', job_id, 'schedule', schedule, 'command', command, 'database', database,
        'username', username, 'active', active));
END $$;
COMMENT ON FUNCTION cron.alter_job(bigint, text, text, text, text, boolean) IS
    'Alter the job identified by job_id. Any option left as NULL will not be modified.';

CREATE OR REPLACE FUNCTION cron.unschedule(job_id bigint) RETURNS boolean
LANGUAGE sql STRICT SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    INSERT INTO chime.cron_call (verb, arguments) VALUES ('unschedule', jsonb_build_object('job_id', job_id))
    RETURNING (answer ->> 'done')::boolean;
END;
COMMENT ON FUNCTION cron.unschedule(bigint) IS 'unschedule a pg_cron job';

CREATE OR REPLACE FUNCTION cron.unschedule(job_name text) RETURNS boolean
LANGUAGE sql STRICT SET search_path = pg_catalog, pg_temp
BEGIN ATOMIC
    INSERT INTO chime.cron_call (verb, arguments) VALUES ('unschedule', jsonb_build_object('job_name', job_name))
    RETURNING (answer ->> 'done')::boolean;
END;
COMMENT ON FUNCTION cron.unschedule(text) IS 'unschedule a pg_cron job';

-- --- cron.job --------------------------------------------------------------------------------------------------------

CREATE OR REPLACE VIEW cron.job WITH (security_barrier = true) AS
SELECT j.job_id AS jobid, j.schedule, j.command, 'localhost'::text AS nodename, current_setting('port')::integer AS nodeport,
       coalesce(j.database, current_database())::text AS database, j.owner::text AS username, j.active, j.job_name AS jobname
FROM chime.reader r JOIN chime.job j ON (r.sees_all OR j.owner = r.role)
WHERE j.origin = 'sql' AND j.removed_at IS NULL;
COMMENT ON VIEW cron.job IS 'to each role its own jobs';

CREATE OR REPLACE FUNCTION cron.check_node(p_name text, p_port integer) RETURNS void
LANGUAGE plpgsql STABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    IF coalesce(p_name, '') NOT IN ('', 'localhost', '127.0.0.1', '::1') AND NOT starts_with(p_name, '/') THEN
        RAISE EXCEPTION 'job for node "%": jobs run on the server that holds them', p_name USING ERRCODE = 'feature_not_supported',
            HINT = 'leave nodename away, and make the job on that server';
    ELSIF p_port <> current_setting('port')::integer THEN
        RAISE EXCEPTION 'job for port %: jobs run on the server that holds them', p_port USING ERRCODE = 'feature_not_supported',
            HINT = format('leave nodeport away; this server''s is %s', current_setting('port'));
    END IF;
END $$;

CREATE OR REPLACE FUNCTION cron.insert_job() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM cron.check_node(NEW.nodename, NEW.nodeport);
    NEW.username := coalesce(NEW.username, current_user);
    NEW.database := coalesce(NEW.database, current_database());
    NEW.active := coalesce(NEW.active, true);
    NEW.nodename := coalesce(NEW.nodename, 'localhost');
    NEW.nodeport := coalesce(NEW.nodeport, current_setting('port')::integer);
    NEW.jobid := cron.job_call('schedule', jsonb_build_object(
        'needs', '["schedule", "command"]'::jsonb, 'is_new', true, 'job_id', NEW.jobid, 'job_name', NEW.jobname, 'schedule', NEW.schedule,
        'command', NEW.command, 'database', NEW.database, 'username', nullif(NEW.username, current_user), 'active', NEW.active)) ->> 'job_id';
    RETURN NEW;
END $$;

CREATE OR REPLACE FUNCTION cron.update_job() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
DECLARE
    v_changed jsonb;
    v_answer jsonb;
BEGIN
    IF NEW.jobid IS DISTINCT FROM OLD.jobid THEN
        RAISE EXCEPTION 'the number of a job cannot be changed' USING ERRCODE = 'feature_not_supported',
            HINT = 'make another job: INSERT INTO cron.job (jobid, ...)';
    END IF;
    PERFORM cron.check_node(NEW.nodename, NEW.nodeport);
    SELECT jsonb_object_agg(n.key, n.value) INTO v_changed
      FROM jsonb_each(to_jsonb(NEW) - 'nodename' - 'nodeport') AS n JOIN jsonb_each(to_jsonb(OLD)) AS o ON o.key = n.key
     WHERE n.value <> o.value;
    IF v_changed IS NOT NULL THEN
        v_answer := cron.job_call('alter', v_changed - 'jobname' || jsonb_build_object(
            'job_id', NEW.jobid, 'job_name', v_changed -> 'jobname', 'unnamed', CASE WHEN v_changed -> 'jobname' = 'null' THEN true END));
    END IF;
    RETURN NEW;
END $$;

CREATE OR REPLACE FUNCTION cron.delete_job() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    PERFORM cron.job_call('unschedule', jsonb_build_object('job_id', OLD.jobid));
    RETURN OLD;
END $$;

CREATE OR REPLACE TRIGGER insert_job INSTEAD OF INSERT ON cron.job FOR EACH ROW EXECUTE FUNCTION cron.insert_job();
CREATE OR REPLACE TRIGGER update_job INSTEAD OF UPDATE ON cron.job FOR EACH ROW EXECUTE FUNCTION cron.update_job();
CREATE OR REPLACE TRIGGER delete_job INSTEAD OF DELETE ON cron.job FOR EACH ROW EXECUTE FUNCTION cron.delete_job();

-- --- cron.job_run_details --------------------------------------------------------------------------------------------

-- Role, database and command are those that the run ran by. Slots at which nothing ran (skipped, missed) are in
-- chime.job_runs.
CREATE OR REPLACE VIEW cron.job_run_details WITH (security_barrier = true) AS
SELECT w.job_id AS jobid, w.run_id AS runid, w.pid AS job_pid,
       coalesce(CASE WHEN p.job_id IS NULL THEN j.database ELSE p.database END, current_database())::text AS database,
       coalesce(p.owner, j.owner)::text AS username, coalesce(p.command, j.command) AS command, w.status, w.return_message, w.start_time, w.end_time
FROM chime.reader r
JOIN chime.job j ON j.origin = 'sql'
                    AND (r.sees_all OR j.owner = r.role OR EXISTS (SELECT FROM chime.job_past o WHERE o.job_id = j.job_id AND o.owner = r.role))
JOIN (SELECT h.job_id, h.run_id, h.pid, CASE h.state WHEN 'succeeded' THEN 'succeeded' ELSE 'failed' END AS status,
             CASE WHEN h.state <> 'succeeded' AND h.sqlstate IS NOT NULL AND h.message !~ '^((ERROR|FATAL|PANIC):|connection to server)'
                  THEN 'ERROR:  ' || h.message
                  ELSE coalesce(h.message, h.reason) END AS return_message,
             h.started_at AS start_time, h.finished_at AS end_time, coalesce(h.claimed_at, h.started_at) AS claimed_at
      FROM chime.run_history h WHERE h.state NOT IN ('skipped', 'missed')
      UNION ALL
      SELECT l.job_id, l.run_id, l.pid,
             CASE WHEN l.done_at IS NOT NULL THEN 'succeeded' WHEN l.pid IS NULL THEN 'starting' ELSE 'running' END, l.message,
             coalesce(l.started_at, CASE WHEN l.pid IS NOT NULL THEN l.claimed_at END), l.done_at, l.claimed_at
      FROM chime.run l) w ON w.job_id = j.job_id
LEFT JOIN chime.job_past p ON p.job_id = w.job_id AND w.claimed_at >= p.since AND w.claimed_at < p.until
WHERE r.sees_all OR coalesce(p.owner, j.owner) = r.role;
COMMENT ON VIEW cron.job_run_details IS 'to each role the runs of its own jobs';
-- A rule, since it deletes any number of rows as one statement. What is still running stays, since the ledger needs it.
CREATE OR REPLACE RULE delete_run AS ON DELETE TO cron.job_run_details DO INSTEAD
    DELETE FROM chime.run_history h WHERE h.job_id = OLD.jobid AND h.run_id = OLD.runid
    RETURNING h.job_id, h.run_id, h.pid, NULL::text, NULL::text, NULL::text, h.state::text, h.message, h.started_at, h.finished_at;

-- A message can be redacted; that a run was, when and how it ended, stays as it happened. A rule, as for DELETE.
CREATE OR REPLACE FUNCTION cron.redacted(p_old cron.job_run_details, p_new cron.job_run_details) RETURNS text
LANGUAGE plpgsql IMMUTABLE SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    p_old.return_message := p_new.return_message;
    IF p_old IS DISTINCT FROM p_new THEN
        RAISE EXCEPTION 'of a run only return_message can be changed' USING ERRCODE = 'feature_not_supported',
            HINT = 'DELETE FROM cron.job_run_details takes a run away; what to keep beside it belongs in a table of yours';
    END IF;
    RETURN p_new.return_message;
END $$;
COMMENT ON FUNCTION cron.redacted IS 'the new return_message of a run; raises where anything else was changed';

CREATE OR REPLACE RULE redact_run AS ON UPDATE TO cron.job_run_details DO INSTEAD
    UPDATE chime.run_history h SET message = cron.redacted(OLD, NEW) WHERE h.job_id = OLD.jobid AND h.run_id = OLD.runid
    RETURNING h.job_id, h.run_id, h.pid, NULL::text, NULL::text, NULL::text, h.state::text, h.message, h.started_at, h.finished_at;

CREATE OR REPLACE FUNCTION cron.refuse_run() RETURNS trigger
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp AS $$
BEGIN
    RAISE EXCEPTION 'a run cannot be inserted: cron.job_run_details is what ran here' USING ERRCODE = 'feature_not_supported',
        HINT = 'for the history of another server: CREATE TABLE old_runs (LIKE cron.job_run_details), and load it there';
END $$;
COMMENT ON FUNCTION cron.refuse_run IS 'says where rows of another history belong';
CREATE OR REPLACE TRIGGER refuse_run INSTEAD OF INSERT ON cron.job_run_details FOR EACH ROW EXECUTE FUNCTION cron.refuse_run();

-- --- who may ---------------------------------------------------------------------------------------------------------

-- Once: whom the administrator lets make jobs that run in another database, or anything else here, stays as it is; whom
-- default privileges would let, does not.
DO $$
BEGIN
    IF current_setting('chime.new_cron', true) = 'yes' THEN
        PERFORM chime.keep_private(r) FROM unnest('{cron.job,cron.job_run_details}'::regclass[]) AS r;
        PERFORM chime.keep_routine_private(r) FROM unnest(ARRAY['cron.schedule_in_database(text, text, text, text, text, boolean)',
                                                                'cron.alter_job(bigint, text, text, text, text, boolean)']::regprocedure[]) AS r;
    END IF;
END $$;
GRANT INSERT (verb, arguments), SELECT (answer) ON chime.cron_call TO PUBLIC;
GRANT SELECT ON cron.job TO PUBLIC;
GRANT SELECT, DELETE ON cron.job_run_details TO PUBLIC;
RESET citus.enable_ddl_propagation;
