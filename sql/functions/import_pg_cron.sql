-- SPDX-License-Identifier: PostgreSQL
-- Jobs taken over from the extension pg_cron, and given back: `pgchime import pg_cron`.
--
-- A job changes hands at an instant that is far from every slot: pg_cron looks at the minute when it begins, so a job
-- that is taken from it a few seconds later, and is not running, has had this minute's run and not the next one's. Ours
-- counts from that instant. Where both are in one database it is one transaction. Else the instant is written down here
-- first, the other side is committed within the same minute or not at all, and ours comes last, counting from what was
-- written: an import that is killed in between continues from there.

-- The identifier of this server and name of this database, as chime.imported.source has them.
CREATE OR REPLACE FUNCTION chime.this_source() RETURNS text
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp
RETURN (SELECT c.system_identifier || '/' || current_database() FROM pg_control_system() AS c);
COMMENT ON ROUTINE chime.this_source IS 'what chime.imported calls this server and database';

-- A number that would leave none for the jobs to come is not kept.
-- Numbers are given out under the lock that an INSERT waits for, so that the sequence is not moved beside somebody who
-- draws from it.
CREATE OR REPLACE FUNCTION chime.import_job_id(p_wanted bigint) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
BEGIN
    LOCK TABLE chime.job IN SHARE ROW EXCLUSIVE MODE;
    IF p_wanted NOT BETWEEN 1 AND 999999999999999999 OR EXISTS (SELECT FROM chime.job j WHERE j.job_id = p_wanted)
       OR EXISTS (SELECT FROM chime.imported i WHERE i.job_id = p_wanted) THEN
        RETURN nextval('chime.job_job_id_seq');
    END IF;
    PERFORM setval('chime.job_job_id_seq', p_wanted) FROM chime.job_job_id_seq s WHERE s.last_value < p_wanted;
    RETURN p_wanted;
END $$;
COMMENT ON FUNCTION chime.import_job_id IS 'this number where it is free and has 18 digits at most, else the next';

-- A job that was given back has a row that is its own.
CREATE OR REPLACE FUNCTION chime.make_imported(p_id bigint, p_job jsonb, p_schedule text, p_active boolean, p_options jsonb, p_at timestamptz)
RETURNS void LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off SET client_min_messages = warning AS $$
DECLARE
    v_arguments jsonb := jsonb_strip_nulls(jsonb_build_object(
        'job_id', p_id, 'job_name', p_job -> 'jobname', 'username', p_job -> 'username', 'database', p_job -> 'database',
        'schedule', p_schedule, 'command', p_job -> 'command', 'active', p_active, 'options', p_options));
BEGIN
    IF (SELECT j.origin = 'sql' AND j.removed_at IS NOT NULL FROM chime.job j WHERE j.job_id = p_id) THEN
        PERFORM chime.change_job(current_user, v_arguments || '{"restore": true}');
    ELSE
        PERFORM chime.schedule_job(current_user, v_arguments || '{"is_new": true}');
    END IF;
    UPDATE chime.job j SET since = p_at WHERE j.job_id = p_id;
    UPDATE chime.job_state s SET last_slot = p_at WHERE s.job_id = p_id;
END $$;
COMMENT ON ROUTINE chime.make_imported IS 'makes our job of one that was taken';

-- Why chime.make_imported would refuse it; NULL: it would not. Made and taken back: a number that is free is replaced
-- by 0, since the sequence would not be taken back.
CREATE OR REPLACE FUNCTION chime.import_problem(p_id bigint, p_job jsonb, p_schedule text, p_options jsonb) RETURNS text
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
BEGIN
    BEGIN
        PERFORM chime.make_imported(coalesce((SELECT j.job_id FROM chime.job j WHERE j.job_id = p_id), 0), p_job, p_schedule, false,
                                    p_options, clock_timestamp());
        RAISE EXCEPTION USING ERRCODE = 'CH010';
    EXCEPTION WHEN SQLSTATE 'CH010' THEN
        RETURN NULL;
    WHEN raise_exception OR internal_error OR unique_violation OR check_violation OR invalid_parameter_value
         OR program_limit_exceeded OR invalid_catalog_name OR insufficient_privilege THEN
        RETURN SQLERRM;
    END;
END $$;
COMMENT ON ROUTINE chime.import_problem IS 'why it could not be made; NULL: it could';

-- p_wanted: the number that ours is to have where it is free. Written down, and checked; whoever calls commits, then
-- takes it from pg_cron.
CREATE OR REPLACE FUNCTION chime.begin_import(p_source text, p_job jsonb, p_schedule text, p_active boolean, p_options jsonb, p_at timestamptz)
RETURNS bigint LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
DECLARE
    v_jobid bigint := (p_job ->> 'jobid')::bigint;
    v_id bigint;
BEGIN
    SELECT i.job_id INTO v_id FROM chime.imported i WHERE i.source = p_source AND i.jobid = v_jobid FOR UPDATE;
    IF NOT FOUND THEN
        v_id := chime.import_job_id(v_jobid);
    END IF;
    INSERT INTO chime.imported AS i (source, jobid, job_id, state, at, job, schedule, active, options)
    VALUES (p_source, v_jobid, v_id, 'taking', p_at, p_job, p_schedule, p_active, p_options)
    ON CONFLICT (source, jobid) DO UPDATE
       SET state = 'taking', at = p_at, job = p_job, schedule = p_schedule, active = p_active, options = p_options
     WHERE i.state IN ('taking', 'returned');
    IF NOT FOUND THEN
        RAISE EXCEPTION 'job % was taken over meanwhile', v_jobid USING ERRCODE = 'CH011', HINT = 'run the same command again';
    END IF;
    RETURN v_id;
END $$;
COMMENT ON ROUTINE chime.begin_import IS 'writes down that a job is being taken, from which instant on';

CREATE OR REPLACE FUNCTION chime.finish_import(p_source text, p_jobid bigint) RETURNS bigint
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
DECLARE
    v_import chime.imported;
BEGIN
    UPDATE chime.imported i SET state = 'taken' WHERE i.source = p_source AND i.jobid = p_jobid AND i.state = 'taking' RETURNING * INTO v_import;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'job % was taken over meanwhile', p_jobid USING ERRCODE = 'CH011', HINT = 'run the same command again';
    END IF;
    PERFORM chime.make_imported(v_import.job_id, v_import.job, v_import.schedule, v_import.active, v_import.options, v_import.at);
    RETURN v_import.job_id;
END $$;
COMMENT ON FUNCTION chime.finish_import IS 'pg_cron has let go of it: makes ours, which counts from when it was taken; its number';

-- Not taken after all: pg_cron has it.
CREATE OR REPLACE FUNCTION chime.forget_import(p_source text, p_jobid bigint) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off
BEGIN ATOMIC
    DELETE FROM chime.imported i
     WHERE i.source = p_source AND i.jobid = p_jobid AND i.state = 'taking' AND NOT EXISTS (SELECT FROM chime.job j WHERE j.job_id = i.job_id);
    UPDATE chime.imported i SET state = 'returned' WHERE i.source = p_source AND i.jobid = p_jobid AND i.state = 'taking';
END;
COMMENT ON ROUTINE chime.forget_import IS 'it was not taken after all: pg_cron has it';

-- --- back ------------------------------------------------------------------------------------------------------------
CREATE OR REPLACE FUNCTION chime.import_is_running(p_job bigint) RETURNS boolean
LANGUAGE sql STABLE SET search_path = pg_catalog, pg_temp SET enable_seqscan = off
RETURN EXISTS (SELECT FROM chime.run r WHERE r.job_id = p_job AND r.done_at IS NULL);
COMMENT ON ROUTINE chime.import_is_running IS 'whether a run of that job of ours is live';

-- False while a run of ours goes on: nothing was done then. A claim moves the job's cursor: one that is under way is
-- waited for, and seen.
CREATE OR REPLACE FUNCTION chime.begin_return(p_source text, p_jobid bigint, p_at timestamptz) RETURNS boolean
LANGUAGE plpgsql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off AS $$
DECLARE
    v_import chime.imported;
BEGIN
    SELECT * INTO v_import FROM chime.imported i WHERE i.source = p_source AND i.jobid = p_jobid AND i.state IN ('taken', 'returning') FOR UPDATE;
    IF NOT FOUND THEN
        RAISE EXCEPTION 'job % was given back meanwhile', p_jobid USING ERRCODE = 'CH011', HINT = 'run the same command again';
    END IF;
    PERFORM FROM chime.job_state s WHERE s.job_id = v_import.job_id FOR UPDATE;
    IF chime.import_is_running(v_import.job_id) THEN
        RETURN false;
    END IF;
    UPDATE chime.job j SET active = false, removed_at = coalesce(j.removed_at, clock_timestamp()) WHERE j.job_id = v_import.job_id;
    UPDATE chime.imported i SET state = 'returning', at = CASE i.state WHEN 'returning' THEN i.at ELSE p_at END
     WHERE i.source = p_source AND i.jobid = p_jobid;
    RETURN true;
END $$;
COMMENT ON ROUTINE chime.begin_return IS 'gives a job back: ours is switched off; false while a run of it goes on';

CREATE OR REPLACE FUNCTION chime.finish_return(p_source text, p_jobid bigint) RETURNS void
LANGUAGE sql SET search_path = pg_catalog, pg_temp SET enable_seqscan = off
BEGIN ATOMIC
    UPDATE chime.imported i SET state = 'returned' WHERE i.source = p_source AND i.jobid = p_jobid AND i.state = 'returning';
END;
COMMENT ON ROUTINE chime.finish_return IS 'pg_cron has it again';

-- --- schema cron in the extension's place ----------------------------------------------------------------------------
CREATE OR REPLACE FUNCTION chime.asks_for_pg_cron(p_text text) RETURNS boolean
LANGUAGE sql IMMUTABLE STRICT SET search_path = pg_catalog, pg_temp
RETURN p_text ~* '\mpg_(extension|available_extensions|available_extension_versions)\M' AND p_text ~ '''pg_cron'''
    AND p_text !~* 'to_regproc';
COMMENT ON FUNCTION chime.asks_for_pg_cron IS 'whether SQL asks if the extension is installed, and not for the functions that both have';

-- Read with row_security off: a policy is code of the table's owner, and would run as whoever asks. Tables of other
-- names keep no SQL.
CREATE OR REPLACE FUNCTION chime.pg_cron_questions() RETURNS TABLE (place text)
LANGUAGE plpgsql STABLE SECURITY DEFINER SET search_path = pg_catalog, pg_temp SET row_security = off AS $$
DECLARE
    v_column record;
    v_found boolean;
BEGIN
    RETURN QUERY
    SELECT format('function %s', p.oid::regprocedure) FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
     WHERE n.nspname NOT IN ('pg_catalog', 'information_schema', 'chime', 'cron') AND p.prosqlbody IS NULL AND chime.asks_for_pg_cron(p.prosrc)
     ORDER BY 1;
    FOR v_column IN
        SELECT c.oid::regclass AS relation, n.nspname, c.relname, a.attname
          FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace JOIN pg_attribute a ON a.attrelid = c.oid
         WHERE c.relkind = 'r' AND NOT c.relrowsecurity AND c.relname ~ 'migration|schema_history|schema_version' AND a.attnum > 0
           AND NOT a.attisdropped AND a.attgenerated = '' AND a.atttypid IN ('text'::regtype, 'text[]'::regtype, 'varchar'::regtype)
           AND has_schema_privilege(n.oid, 'USAGE') AND has_column_privilege(c.oid, a.attnum, 'SELECT')
         ORDER BY n.nspname, c.relname, a.attnum
    LOOP
        EXECUTE format('SELECT EXISTS (SELECT FROM ONLY %I.%I AS t WHERE chime.asks_for_pg_cron(t.%I::text))', v_column.nspname,
                       v_column.relname, v_column.attname) INTO v_found;
        IF v_found THEN
            place := format('table %s, column %I,', v_column.relation, v_column.attname);
            RETURN NEXT;
        END IF;
    END LOOP;
END $$;
COMMENT ON FUNCTION chime.pg_cron_questions IS
    'what of this database asks pg_extension for pg_cron before it makes jobs: functions, and tables where migrations are kept; for doctor';
