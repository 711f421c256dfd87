-- SPDX-License-Identifier: PostgreSQL
-- For tests/integration/test_plans.c: a ledger of any size, and every statement that is called many times in its life.
--
-- Jobs 1 to 500 are configured, jobs from 1001 on made by SQL, jobs from 1000001 on were removed. Each job stands at
-- plans.at(0), where the first ones have a live run.

CREATE SCHEMA plans;
CREATE TABLE plans.start AS SELECT date_trunc('day', now()) - interval '20 days' AS at;
CREATE FUNCTION plans.at(n integer) RETURNS timestamptz LANGUAGE sql STABLE
RETURN (SELECT s.at + n * interval '1 minute' FROM plans.start s);
CREATE FUNCTION plans.token() RETURNS uuid LANGUAGE sql IMMUTABLE RETURN uuid '6f1d0b9e-0000-4000-8000-000000000001';

CREATE PROCEDURE plans.make_days(p_days integer) LANGUAGE plpgsql AS $$
BEGIN
    FOR n IN -p_days..8 LOOP
        EXECUTE format('CREATE TABLE IF NOT EXISTS chime.run_history_%s PARTITION OF chime.run_history FOR VALUES FROM (%L) TO (%L)',
                       to_char(current_date + n, 'YYYYMMDD'), current_date + n, current_date + n + 1);
    END LOOP;
END $$;

-- p_anew: with new files, whose size says how many rows there are.
CREATE PROCEDURE plans.empty(p_anew boolean) LANGUAGE plpgsql SET session_replication_role = replica AS $$
DECLARE v_table text;
BEGIN
    FOREACH v_table IN ARRAY '{job,job_state,run,run_history,attempt,missed,request,next_slots,expired_schedule,job_past,imported}'::text[] LOOP
        EXECUTE format(CASE WHEN p_anew THEN 'TRUNCATE chime.%I CASCADE' ELSE 'DELETE FROM chime.%I' END, v_table);
    END LOOP;
END $$;

CREATE PROCEDURE plans.fill_jobs(p_made integer, p_removed integer) LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO chime.job (job_id, name, owner, origin, plugin, schedule, command)
    SELECT n, 'configured ' || n, 'postgres', 'config', NULL, '* * * * *', 'SELECT 1' FROM generate_series(1, least(p_made, 500)) n;
    INSERT INTO chime.job (job_id, name, job_name, owner, origin, schedule, command, after, channels, since, keep)
    SELECT 1000 + n, o.owner || '/made ' || n, 'made ' || n, o.owner, 'sql', CASE WHEN n % 4 = 0 THEN '' ELSE '* * * * *' END, 'SELECT 1',
           CASE WHEN n % 4 = 0 THEN ARRAY[o.owner || '/made ' || n - 2] ELSE '{}' END, CASE WHEN n % 100 = 1 THEN '{news}'::text[] ELSE '{}' END,
           plans.at(0), CASE WHEN n % 1000 = 2 THEN interval '30 days' END
    FROM generate_series(1, p_made) n CROSS JOIN LATERAL (SELECT (ARRAY['postgres', 'ann'])[1 + n % 2] AS owner) o;
    INSERT INTO chime.job (job_id, name, job_name, owner, origin, schedule, command, after, since, active, removed_at)
    SELECT 1000000 + n, 'ann/' || o.name, o.name, 'ann', 'sql', '* * * * *', 'SELECT 1', CASE WHEN n % 4 = 0 THEN '{ann/made 1}'::text[] ELSE '{}' END,
           plans.at(0), false, plans.at(n % 100)
    FROM generate_series(1, p_removed) n CROSS JOIN LATERAL (SELECT CASE WHEN n % 4 = 0 THEN 'again' ELSE 'gone ' || n END AS name) o;
    INSERT INTO chime.job_state (job_id, last_slot, last_start) SELECT j.job_id, plans.at(0), plans.at(0) FROM chime.job j;
    UPDATE chime.job_state SET suspended_at = plans.at(0), suspended_until = plans.at(1), suspended_by = 'ann' WHERE job_id BETWEEN 1050 AND 1054;
END $$;

-- Each job's part of a table that grows with the jobs; p_runs: of one that grows with the runs.
CREATE PROCEDURE plans.fill_rest(p_made integer, p_removed integer, p_runs integer) LANGUAGE plpgsql AS $$
BEGIN
    INSERT INTO chime.next_slots (job_id, slots) SELECT 1000 + n, ARRAY[plans.at(1), plans.at(2)] FROM generate_series(1, p_made) n;
    INSERT INTO chime.job_past (job_id, version, since, until, owner, command)
    SELECT 1000 + n, 0, plans.at(-10), plans.at(-9), 'ann', 'SELECT 0' FROM generate_series(1, p_made) n;
    INSERT INTO chime.expired_schedule (job_id, version, since, until, schedule, options)
    SELECT 1000 + n, 0, plans.at(-10), plans.at(-9), '* * * * *', '{}' FROM generate_series(1, p_made) n;
    INSERT INTO chime.imported (source, jobid, job_id, state, at, job, schedule, active, options)
    SELECT 'dump:here', n, 1000 + n, 'taken', plans.at(0), '{}', '', true, '{}' FROM generate_series(1, p_made) n;
    INSERT INTO chime.run (run_id, job_id, kind, slot, token, epoch, pid, backend_start)
    SELECT 1000 + n, 1000 + n, 'schedule', plans.at(0), plans.token(), 7, 4000000 + n % 100, plans.at(0) FROM generate_series(1, p_made) n;
    INSERT INTO chime.request (job_id, verb, kind, slot, owner)
    SELECT 1000 + n, 'run', 'manual', plans.at(3), (ARRAY['postgres', 'ann'])[1 + n % 2] FROM generate_series(101, p_made) n;
    INSERT INTO chime.run_history (run_id, job_id, kind, slot, state, attempt, epoch, started_at, finished_at)
    SELECT nextval('chime.run_id'), 1001 + n % 50, 'schedule', plans.at(-10 - n / 50), 'succeeded', 1, 7, plans.at(0), plans.at(0)
    FROM generate_series(1, p_runs) n;
    INSERT INTO chime.run_history (run_id, job_id, kind, slot, state, attempt, epoch, started_at, finished_at)
    SELECT nextval('chime.run_id'), 1001 + n, 'schedule', d.day + interval '30 seconds', 'succeeded', 1, 7, d.day, d.day -- beside those
    FROM generate_series(0, least(p_runs, 40)) n, generate_series(current_date - 30, current_date - 1, interval '1 day') AS d (day);
    INSERT INTO chime.attempt (job_id, kind, slot, attempt, run_id, state, epoch, finished_at)
    SELECT 1001 + n % 50, 'schedule', plans.at(-10 - n / 50), 1, n, 'failed', 7, plans.at(0) FROM generate_series(1, p_runs) n;
    INSERT INTO chime.missed (job_id, first_slot, last_slot, slots, reason, epoch, recorded_at)
    SELECT 1001 + n % 50, plans.at(-10 - n / 50), plans.at(-10 - n / 50), 1, 'away', 7, plans.at(0) FROM generate_series(1, p_runs) n;
END $$;

CREATE PROCEDURE plans.fill(p_made integer, p_removed integer, p_runs integer) LANGUAGE plpgsql SET session_replication_role = replica AS $$
BEGIN
    CALL plans.fill_jobs(p_made, p_removed);
    CALL plans.fill_rest(p_made, p_removed, p_runs);
    UPDATE chime.totals SET next_day = current_date - 3;
    PERFORM setval('chime.job_job_id_seq', 5000000);
END $$;

-- --- arguments, which read no table ----------------------------------------------------------------------------------

CREATE FUNCTION plans.each(p_n integer, p_element anyelement) RETURNS anyarray LANGUAGE sql IMMUTABLE
AS 'SELECT array_fill(p_element, ARRAY[p_n])';
CREATE FUNCTION plans.jobs(p_n integer, p_first bigint DEFAULT 1001) RETURNS bigint[] LANGUAGE sql IMMUTABLE
RETURN ARRAY(SELECT p_first + n FROM generate_series(0, p_n - 1) n);

-- The transaction that made the jobs, and how it was while that went on.
CREATE FUNCTION plans.changed() RETURNS xid8 LANGUAGE sql STABLE SET enable_seqscan = off
RETURN (SELECT j.changed FROM chime.job j WHERE j.job_id = 1003);
CREATE FUNCTION plans.before(p_changed xid8) RETURNS pg_snapshot LANGUAGE sql IMMUTABLE
RETURN format('%s:%s:%s', p_changed, p_changed::text::bigint + 1, p_changed)::pg_snapshot;

-- --- the statements --------------------------------------------------------------------------------------------------

-- $1: of how many jobs a call is. `base` and `each`: rows and pages that it may touch, whatever the tables hold.
-- `part`: besides, for each partition of the history, those that planning reads included. `kept`: by a plan that was
-- made long before, too.
CREATE TABLE plans.statement (name text PRIMARY KEY, sql text NOT NULL, base integer NOT NULL DEFAULT 500, each integer NOT NULL DEFAULT 135,
                              part integer NOT NULL DEFAULT 0, kept boolean NOT NULL DEFAULT true);
INSERT INTO plans.statement (name, sql) VALUES
('look', 'SELECT chime.backend_alive(l.pid, l.backend_start), chime.leader_sign() FROM chime.leader l'),
('follow', 'SELECT chime.follow(''x'', ''y'')'),
('take over', 'SELECT epoch, token FROM chime.take_over(plans.token(), ''x'', ''y'', ''z'', 1)'),
('when nobody led', 'SELECT chime.unled_words(plans.at(0))'),
('resign', 'SELECT chime.resign(plans.token())'),
('end silent', 'SELECT chime.end_silent(plans.token(), ''x'')'),
('requests', 'SELECT request_id, verb, job_id, kind, slot, reason FROM chime.open_requests()'),
('acknowledge', 'SELECT chime.acknowledge(plans.token(), plans.jobs($1, 1), plans.at(1))'),
('resume expired', 'SELECT chime.resume_expired(plans.token(), plans.jobs($1, 1050), plans.each($1, plans.at(1)))'),
('suspend failing', 'SELECT chime.suspend_failing(plans.token(), plans.jobs($1), plans.each($1, ''often''::text), plans.at(1))'),
('claim', 'SELECT job_id, suspended, reason FROM chime.claim(plans.token(), plans.jobs($1), plans.each($1, 1), plans.each($1, ''schedule''::chime.run_kind),'
          ' plans.each($1, plans.at(1)), plans.each($1, plans.at(0)), plans.each($1, 1), plans.each($1, plans.at(0)))'),
('claim of requests', 'SELECT job_id, suspended, reason FROM chime.claim(plans.token(), plans.jobs($1, 1101), plans.each($1, 1),'
          ' plans.each($1, ''manual''::chime.run_kind), plans.each($1, plans.at(3)), plans.each($1, plans.at(0)), plans.each($1, 1), plans.each($1, plans.at(0)))'),
('reclaim', 'SELECT job_id, NULL, NULL FROM chime.reclaim(plans.token(), plans.jobs($1), plans.each($1, ''schedule''::chime.run_kind),'
            ' plans.each($1, plans.at(0)), plans.each($1, 1), plans.each($1, plans.at(0)))'),
('release', 'SELECT chime.release(plans.token(), plans.jobs($1), plans.each($1, ''schedule''::chime.run_kind), plans.each($1, plans.at(0)), plans.at(1))'),
('finish', 'SELECT job_id FROM chime.finish(plans.token(), plans.jobs($1), plans.each($1, ''schedule''::chime.run_kind), plans.each($1, plans.at(0)),'
           ' plans.each($1, ''failed''::chime.run_state), plans.each($1, plans.at(0)), plans.each($1, plans.at(1)), plans.each($1, 1::bigint),'
           ' plans.each($1, ''42P01''::text), plans.each($1, ''none''::text), plans.each($1, NULL::text), plans.each($1, ''all''::text))'),
('retry', 'SELECT job_id FROM chime.retry(plans.token(), plans.jobs($1), plans.each($1, ''schedule''::chime.run_kind), plans.each($1, plans.at(0)),'
          ' plans.each($1, ''failed''::chime.run_state), plans.each($1, plans.at(0)), plans.each($1, plans.at(1)),'
          ' plans.each($1, ''42P01''::text), plans.each($1, ''none''::text), plans.each($1, plans.at(2)), plans.each($1, ''all''::text))'),
('miss', 'SELECT job_id FROM chime.miss(plans.token(), plans.jobs($1), plans.each($1, plans.at(0)), plans.each($1, plans.at(1)),'
         ' plans.each($1, plans.at(2)), plans.each($1, 2::bigint), plans.each($1, ''away''::text), plans.each($1, plans.at(2)))'),
('skip', 'SELECT job_id FROM chime.skip(plans.token(), plans.jobs($1), plans.each($1, ''schedule''::chime.run_kind), plans.each($1, plans.at(0)),'
         ' plans.each($1, plans.at(1)), plans.each($1, plans.at(1)), plans.each($1, ''busy''::text), plans.each($1, true), plans.each($1, ''all''::text))'),
('perform', 'SELECT rows, residue FROM chime.perform(plans.token(), 1001, ''schedule'', plans.at(0), NULL, ''SELECT 1'', true, NULL)'),
('cancel backend', 'SELECT chime.cancel_backend(-1, now(), false)'),
('request population', 'SELECT chime.request_population(plans.token(), plans.at(0))'),
('request population again', 'SELECT chime.request_population(plans.token(), plans.at(0), true)'),
('changed jobs, all', 'SELECT c.* FROM chime.changed_jobs(plans.token(), NULL, 1000, $1) c'),
('changed jobs, the last', 'SELECT c.* FROM chime.changed_jobs(plans.token(), NULL, 900000, $1) c'),
('changed jobs, a part of many', 'SELECT c.* FROM chime.changed_jobs(plans.token(), ''3:3:'', 3000, $1, plans.changed()) c'),
('changed jobs, a part of one transaction', 'SELECT c.* FROM chime.changed_jobs(plans.token(), plans.before(plans.changed()), 3000, $1, plans.changed()) c'),
('changed jobs, none', 'SELECT c.* FROM chime.changed_jobs(plans.token(), pg_current_snapshot(), 0, $1) c'),
('problem', 'SELECT chime.note_job_error(plans.token(), 1001, 1, ''x'')'),
('same zone', 'SELECT chime.follow_zone(plans.token(), ''UTC'', plans.at(1))'),
('restart', 'SELECT chime.restart_jobs(plans.token(), plans.jobs($1), plans.each($1, plans.at(1)))'),
('next slots', 'SELECT chime.note_next_slots(plans.token(), plans.jobs($1), plans.each($1, ''{2026-12-01Z}''::text))'),
('no next slots', 'SELECT chime.note_next_slots(plans.token(), plans.jobs($1), plans.each($1, NULL::text))'),
('done', 'SELECT chime.job_done(plans.token(), plans.jobs($1, 5001), plans.each($1, 1))'),
('remove others', 'SELECT chime.remove_others(plans.token(), plans.jobs(500, 1), plans.at(1), true)'),
('listener', 'SELECT chime.note_listener(plans.token(), 1, now())'),
('end listener', 'SELECT chime.end_listener(plans.token())'),
('adopt', 'SELECT run_id, ended FROM chime.adopt(plans.token(), plans.jobs($1), plans.jobs($1), plans.each($1, false), plans.each($1, plans.at(1)),'
          ' plans.each($1, ''gone''::text), plans.at(1))'),
('adopt again', 'SELECT run_id, ended FROM chime.adopt(plans.token(), plans.jobs($1), plans.jobs($1), plans.each($1, true), plans.each($1, plans.at(1)),'
                ' plans.each($1, ''gone''::text), plans.at(1))'),
('begin jobs', 'SELECT * FROM chime.begin_jobs(plans.token(), plans.jobs($1), plans.at(1))'),
('begin anew', 'SELECT chime.begin_anew(1001)'),
('led', 'SELECT chime.led(), chime.copy_of()'),
('how a refresh fails', 'SELECT chime.failure_words(1)'), ('how a job failed last', 'SELECT chime.last_failure(1)'),
('what mends a failure', 'SELECT chime.failure_way_out(1)'),
('orphans', 'SELECT run_id FROM chime.unfinished_runs(plans.token(), ARRAY[1])'),
('sync', 'SELECT job_id FROM chime.sync_jobs(plans.token(), (SELECT jsonb_agg(jsonb_build_object(''name'', ''configured '' || n, ''origin'', ''config'', ''active'', true,'
         ' ''schedule'', ''*/2 * * * *'', ''command'', ''SELECT 1'', ''views'', ''[]''::jsonb, ''after'', ''[]''::jsonb, ''options'', ''{}''::jsonb))'
         ' FROM generate_series(1, $1) n), ''{"command": {}, "refresh": {}}'', plans.at(1), false)'),
('expired schedules', 'SELECT * FROM chime.expired_schedules(plans.token(), 3000, 0)'),
('expired schedules of some', 'SELECT * FROM chime.expired_schedules(plans.token(), 0, 0, plans.jobs($1))'),
('end schedules', 'SELECT chime.end_schedules(plans.token(), plans.jobs($1), plans.each($1, 0), plans.each($1, plans.at(1)), plans.each($1, plans.at(1)),'
                  ' plans.each($1, plans.at(1)), plans.each($1, 1::bigint), plans.at(1))'),
('forget jobs', 'SELECT chime.forget_jobs(plans.token(), 10, interval ''1 day'')'),
('forget runs', 'SELECT chime.forget_runs(plans.token(), 50, 0)'),
('forget rows', 'SELECT chime.forget_rows(plans.token(), 50, ''attempt'', ''finished_at'', interval ''1 day''),'
                ' chime.forget_rows(plans.token(), 50, ''missed'', ''recorded_at'', interval ''1 day''),'
                ' chime.forget_rows(plans.token(), 50, ''job_past'', ''until'', interval ''1 day'')'),
('add totals', 'SELECT chime.add_totals(plans.token(), plans.each($1, plans.at(1)), plans.each($1, ''schedule''::chime.run_kind),'
               ' plans.each($1, ''failed''::chime.run_state), plans.each($1, 1::bigint), plans.each($1, 1::bigint), plans.each($1, 1::bigint),'
               ' plans.each($1, 1::bigint), plans.each($1, array_fill(1, ARRAY[12])::text), plans.each($1, array_fill(1, ARRAY[12])::text))'),
('sum days', 'SELECT chime.sum_days(plans.token(), 10, 1000)'),
('pulse', 'SELECT chime.is_watched(), chime.note_pulse(plans.token(), ''{"jobs": 3, "waits": []}'')'),
-- what people and programs call
('cancel', 'SELECT chime.cancel(1001)'),
('backfill', 'SELECT chime.backfill_job(1001, ''2026-03-01Z'', ''2026-03-02Z'')'),
('begin backfill', 'SELECT chime.begin_slot_backfill(1001, ''2026-03-01Z'', ''2026-03-02Z'', ''all'')'),
('feed backfill', 'SELECT chime.feed_slot_backfill(plans.token(), chime.begin_slot_backfill(1001, ''2026-03-01Z'', ''2026-03-02Z'', ''missing''),'
                  ' ''2026-03-01Z''::timestamptz - interval ''1 microsecond'', ''{2026-03-01Z,2026-03-01 01:00Z}'', true)'),
('cancel backfill', 'SELECT chime.cancel_backfill(1001), chime.cancel_slot_backfill(1001)'),
('wanted by a backfill', 'SELECT chime.backfill_wants(1001, plans.at(0), ''missing'')'),
('nobody led', 'SELECT chime.unled_words(plans.at(1)), chime.unled_words(now())'),
('suspension', 'SELECT granted FROM chime.suspension(1001)'),
('schedule by a program', 'SELECT chime.schedule_job(''postgres'', ''{"schedule": "* * * * *", "command": "SELECT 1"}'')'),
('import', 'SELECT chime.begin_import(''dump:x'', i.job, ''* * * * *'', true, ''{}'', now()), chime.finish_import(''dump:x'', 9999999),'
           ' chime.import_problem(0, i.job || ''{"jobname": "y"}'', ''* * * * *'', ''{}''), chime.forget_import(''dump:x'', 9999998)'
           ' FROM (SELECT jsonb_build_object(''jobid'', 9999999, ''jobname'', ''x'', ''username'', ''ann'', ''database'', current_database(),'
           ' ''command'', ''SELECT 1'') AS job) i'),
('give back', 'SELECT chime.begin_return(''dump:here'', 101, now()), chime.finish_return(''dump:here'', 101)'),
('schedule', 'SELECT chime.schedule(''new '' || n, ''* * * * *'', ''SELECT 1'') FROM generate_series(1, $1) n'),
('schedule again', 'SELECT chime.schedule(''made '' || n * 2, ''*/2 * * * *'', ''SELECT 2'') FROM generate_series(1, $1) n'),
('schedule without a name', 'SELECT cron.schedule(''* * * * *'', ''SELECT 1'') FROM generate_series(1, $1) n'),
('schedule by cron', 'SELECT cron.schedule(''new '' || n, ''* * * * *'', ''SELECT 1'') FROM generate_series(1, $1) n'),
('schedule for another', 'SELECT cron.schedule_in_database(''again'', ''* * * * *'', ''SELECT 1'', current_database(), ''ann'')'),
('schedule after', 'SELECT chime.schedule(''new '' || n, NULL, ''SELECT 1'', after => ARRAY[''made '' || n * 8]) FROM generate_series(1, $1) n'),
('schedule once', 'SELECT chime.schedule_once(now() + interval ''1 day'', ''SELECT 1'')'),
('alter', 'SELECT chime.alter_job(1000 + n, ''* * * * *'', command => ''SELECT 2'') FROM generate_series(1, $1) n'),
('alter upstreams', 'SELECT chime.alter_job(1000 + n * 2, after => ARRAY[''made '' || 4000 - n * 4]) FROM generate_series(1, $1) n'),
('alter by cron', 'SELECT cron.alter_job(1000 + n, active => false) FROM generate_series(1, $1) n'),
('rename', 'SELECT chime.alter_job(1002, job_name => ''another'')'),
('unschedule', 'SELECT chime.unschedule(1000 + n) FROM generate_series(1, $1) n'),
('unschedule by name', 'SELECT chime.unschedule(''made '' || n * 2) FROM generate_series(1, $1) n'),
('unschedule by cron', 'SELECT cron.unschedule(1000 + n) FROM generate_series(1, $1) n'),
('unschedule by name by cron', 'SELECT cron.unschedule(''made '' || n * 2) FROM generate_series(1, $1) n'),
('run now', 'SELECT chime.run_now(1001)'),
('run now by name', 'SELECT chime.run_now(''made 2'')'),
('suspend', 'SELECT chime.suspend(1001, ''x''), chime.resume(1001)'),
('operate', 'SELECT chime.operate_run(1001, ''ann'', ''x'', NULL), chime.operate_suspend(''{1001}'', NULL, ''ann'', ''x'', NULL),'
            ' chime.operate_resume(''{1001}'', ''ann'', ''x'', NULL)');

-- Views that people read by plans of their own, made when they are read.
INSERT INTO plans.statement (name, kept, sql) VALUES
('the job', false, 'SELECT * FROM chime.jobs WHERE job_id = 1001'),
('its runs', false, 'SELECT * FROM chime.job_runs WHERE job_id = 1101'),
('its next slots', false, 'SELECT * FROM chime.upcoming WHERE job_id = 1101'),
('the job by cron', false, 'SELECT * FROM cron.job WHERE jobid = 1001'),
('the job by its name by cron', false, 'SELECT * FROM cron.job WHERE jobname = ''again''');

UPDATE plans.statement SET base = b.base
  FROM (VALUES ('remove others', 2000),     -- all that are configured
               ('orphans', 7000),           -- a page of a thousand
               ('import', 3500),            -- reads and plans the functions that make a job, once
               ('begin anew', 8000),        -- what waits to be done
               ('expired schedules', 15000), -- a page of a thousand
               ('sum days', 4000),          -- two days of ten jobs
               ('forget runs', 15000),      -- looks into each partition, by one index or another
               ('requests', 50000),           -- its answer has up to a thousand rows, chosen among a thousand of each owner
               ('its runs', 1500),          -- all of them
               ('feed backfill', 700),      -- begins it first: plans four functions
               ('the job by its name by cron', 7500)) AS b (name, base) -- all that are there
 WHERE statement.name = b.name;
UPDATE plans.statement SET base = 10000 WHERE name = 'cancel'; -- by its number, for which chime.run has no index: reads all live runs
UPDATE plans.statement SET part = 8 WHERE name = 'take over'; -- when the last leader wrote: asks each for its latest slots

-- --- all of them -----------------------------------------------------------------------------------------------------

-- What touches no table that grows with jobs or runs needs no case; nor does what stands here.
CREATE TABLE plans.elsewhere (name text PRIMARY KEY, reason text NOT NULL);
INSERT INTO plans.elsewhere VALUES
('chime.keep_history', 'makes and drops partitions: test_retention'), ('chime.history_work', 'as that'),
('chime.perform_refresh', 'its run ends as that of chime.perform; the rest follows the view'),
('chime.perform_pipeline', 'its run ends as that of chime.perform; the rest follows its source'),
('chime.pipeline_outlook', 'follows the jobs with a cursor'), ('chime.pipeline_words', 'as that, of one job'),
('chime.adopt_copy', 'once in the life of a copy'),
('chime.full_quotas', 'for people: follows the jobs of roles that have a quota'),
('chime.refresh', 'follows the view'), ('chime.verify_views', 'follows the views'),
('chime.note_functions', 'once for each version'), ('chime.adopt_relations', 'once in the life of a plugin'), ('chime.adoption_lines', 'once in the life of a plugin'),
('chime.install_schema', 'makes a function that reads how fresh views are, once for each schema'),
('chime.evaluate_alerts', 'looks at all jobs, every ten seconds, on a session of its own'), ('chime.view_problems', 'follows the views'),
('chime.job_findings', 'for people: follows all jobs'), ('chime.ledger_findings', 'for people: follows what is out of place'),
('chime.ledger_problems', 'follows the days of the history, followers and roles that have a quota'),
('chime.alert_problems', 'follows what fires'), ('chime.note_alerts', 'follows what is found'),
('chime.operate_cancel', 'finds a live run by its key, and does what cancel does'), ('chime.view_freshness', 'follows the views'),
('chime.keep_view', 'follows the view'), ('chime.alter_view', 'follows the view'), ('chime.drop_view', 'follows the view'),
('chime.refresh_view', 'follows the view'), ('chime.refresh_if_due', 'follows the view'), ('chime.wait_fresh', 'follows the view'),
('chime.call_for_view', 'follows the view'), ('chime.keep_role_view', 'follows the view'), ('chime.alter_role_view', 'follows the view'),
('chime.drop_role_view', 'follows the view'), ('chime.refresh_role_view', 'follows the view'), ('chime.judge_role_view', 'follows the view'),
('chime.prove_role_view', 'follows the view'), ('chime.is_administrator', 'reads roles'), ('chime.unfollowable', 'reads the catalogs alone'), ('chime.refuse_full', 'computes: it reads nothing'), ('chime.role_view_now', 'follows the view'),
('chime.make_role_now', 'follows the view'), ('chime.drop_role_now', 'follows the view'), ('chime.role_now_of', 'follows the view'),
('chime.write_role_now', 'follows the view'), ('chime.refuse_role_now', 'reads the catalogs alone'),
('chime.explain_definition', 'follows the view'), ('chime.explain_view', 'follows the view'),
('chime.downstream_lags', 'follows the jobs that refresh views, by an index of these'),
('cron.job_call', 'what cron.alter_job and the rows of cron.job do'), ('cron.redacted', 'computes: it reads nothing'),
('chime.begin_backfill', 'follows the view'), ('chime.backfill_step', 'follows the view'),
('chime.install_keys', 'names chime.alter_view in an error; follows the view'), ('chime.retire_plugins', 'as that'), ('chime.tend_capture', 'as that');

CREATE TABLE plans.called (name text PRIMARY KEY); -- of schema chime, by the program

-- Functions that the program calls, or that anybody may call, and that are in no statement.
CREATE VIEW plans.without_case AS
WITH RECURSIVE body AS (
    SELECT p.oid, n.nspname || '.' || p.proname AS name, p.prorettype, pg_get_functiondef(p.oid) AS text
    FROM pg_proc p JOIN pg_namespace n ON n.oid = p.pronamespace
    WHERE n.nspname IN ('chime', 'cron') AND p.prokind IN ('f', 'p')
), touching (oid, name) AS (
    SELECT b.oid, b.name FROM body b
    WHERE b.text ~ ('\mchime\.(job|job_state|run|run_history|run_history_other|attempt|missed|request|next_slots|expired_schedule|job_past|imported|'
                    'jobs|upcoming|job_runs|job_call|job_status|runs)\M|\mcron\.job') OR b.text ~ '\mforget_rows\M'
    UNION
    SELECT b.oid, b.name FROM touching t JOIN body b ON b.text ~ ('\m' || replace(t.name, '.', '\.') || '\(')
)
SELECT DISTINCT b.name FROM body b JOIN touching t USING (oid)
WHERE b.prorettype <> 'trigger'::regtype
  AND (b.name IN (SELECT 'chime.' || c.name FROM plans.called c) OR b.name LIKE 'cron.%' OR has_function_privilege('pgchime_jobs', b.oid, 'EXECUTE'))
  AND b.name NOT IN (SELECT e.name FROM plans.elsewhere e)
  AND NOT EXISTS (SELECT FROM plans.statement s WHERE s.sql ~ ('\m' || replace(b.name, '.', '\.') || '\('));
