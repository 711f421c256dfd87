/* SPDX-License-Identifier: PostgreSQL */
/* Statements about pg_cron as applications, deployments and hosts' pages use them, said to ours and, where it can be
 * had (1.4), to the extension. Where the answers differ docs/pg_cron.md says so. */
#include <check.h>

#include "base/memory.h"
#include "support/import/cron.h"
#include "support/ledger/ledger_sql.h"
#include "support/ledger/outcomes.h"
#include "support/process/suite.h"

static const struct outcome_step statements[] = {
    {"postgres",
     "CREATE TABLE orders (id int, created_at timestamptz DEFAULT now()); CREATE MATERIALIZED VIEW totals AS SELECT "
     "count(*) FROM orders",
     "SELECT 1", NULL},
    {NULL, "GRANT USAGE ON SCHEMA cron TO app", "GRANT", NULL},
    {NULL, "GRANT CREATE ON SCHEMA public TO app", "GRANT", NULL},
    {"app", "SELECT cron.schedule('nightly-vacuum', '0 3 * * *', 'VACUUM')", "1", NULL},
    {NULL, "SELECT cron.schedule('*/5 * * * *', $$CALL close_orders()$$)", "2", NULL},
    {NULL, "SELECT cron.schedule(job_name => 'named', schedule => '0 * * * *', command => 'SELECT 1')", "3", NULL},
    {NULL, "SELECT cron.schedule(job_name := 'named', schedule := '5 * * * *', command := 'SELECT 2')", "3", NULL},
    {NULL,
     "SELECT cron.schedule('Sunday cleanup', '0 0 * * SUN', 'DELETE FROM orders WHERE created_at < now() - interval "
     "''1 year''')",
     "5", NULL},
    {NULL, "SELECT cron.schedule('weekdays', '0 9-17 * * MON-FRI', 'SELECT 1')", "6", NULL},
    {NULL, "SELECT cron.schedule('quarterly', '0 0 1 jan,apr,jul,oct *', 'SELECT 1')", "7", NULL},
    {NULL, "SELECT cron.schedule('hourly', '@hourly', 'REFRESH MATERIALIZED VIEW CONCURRENTLY totals')", "8", NULL},
    {NULL, "SELECT cron.schedule('daily', '@daily', 'SELECT 1')", "9", NULL},
    {NULL, "SELECT cron.schedule('midnight', '@midnight', 'SELECT 1')", "10", NULL},
    {NULL, "SELECT cron.schedule('weekly', '@weekly', 'SELECT 1')", "11", NULL},
    {NULL, "SELECT cron.schedule('monthly', '@monthly', 'SELECT 1')", "12", NULL},
    {NULL, "SELECT cron.schedule('boot', '@reboot', 'SELECT 1')", "13", NULL},
    {NULL, "SELECT cron.schedule('partitions', '@hourly', $$CALL partman.run_maintenance_proc()$$)", "14", NULL},
    {NULL, "SELECT cron.schedule('minute list', '0,15,30,45 * * * *', 'SELECT 1')", "15", NULL},
    {NULL, "SELECT cron.schedule('step in range', '0-30/10 * * * *', 'SELECT 1')", "16", NULL},
    {NULL, "SELECT cron.schedule('dow 7', '0 0 * * 7', 'SELECT 1')", "17", NULL},
    {NULL, "SELECT cron.schedule('padded', '05 04 * * *', 'SELECT 1')", "18", NULL},
    {NULL, "SELECT cron.schedule('tabs', E'0\\t4 * * *', 'SELECT 1')", "19", NULL},
    {NULL, "SELECT cron.schedule('spaces', '0  4  *  *  *', 'SELECT 1')", "20", NULL},
    {NULL,
     "SELECT cron.schedule('call', '*/10 * * * *', $job$SELECT net.http_post(url := 'https://api.example/run', headers "
     ":= '{\"Content-Type\": \"application/json\"}'::jsonb, body := '{\"a\": 1}'::jsonb)$job$)",
     "21", NULL},
    {NULL, "SELECT cron.schedule('many', '0 1 * * *', $$BEGIN; DELETE FROM orders; COMMIT;$$)", "22", NULL},
    {NULL, "SELECT cron.schedule('block', '0 1 * * *', $$DO $x$ BEGIN PERFORM 1; END $x$$$)",
     "ERROR 42601: syntax error at or near \"$\"", NULL},
    {NULL, "SELECT cron.schedule('multi line', '0 1 * * *', E'SELECT 1;\\n-- then\\nSELECT 2;\\n')", "23", NULL},
    {NULL, "SELECT cron.schedule('üñï', '0 1 * * *', 'SELECT ''ä''')", "24", NULL},
    {NULL, "SELECT cron.schedule('quo\"te''s', '0 1 * * *', 'SELECT 1')", "25", NULL},
    {NULL, "SELECT cron.schedule('', '0 1 * * *', 'SELECT 1')", "26", NULL},
    {NULL, "SELECT cron.schedule('empty command', '0 1 * * *', '')", "27", NULL},
    {NULL, "SELECT cron.schedule('formatted', format('%s %s * * *', 5, 4), format('SELECT %L', 'x'))", "28", NULL},
    {NULL, "SELECT jobid IS NOT NULL FROM cron.schedule('from', '0 1 * * *', 'SELECT 1') AS jobid", "t", NULL},
    {NULL, "WITH made AS (SELECT cron.schedule('cte', '0 1 * * *', 'SELECT 1') AS id) SELECT count(*) FROM made", "1",
     NULL},
    {NULL, "SELECT count(cron.schedule('bulk ' || n, n || ' 2 * * *', 'SELECT ' || n)) FROM generate_series(1, 5) n",
     "5", NULL},
    {NULL, "DO $$ BEGIN PERFORM cron.schedule('do', '0 1 * * *', 'SELECT 1'); END $$", "DO", NULL},
    {NULL,
     "DO $$ BEGIN IF NOT EXISTS (SELECT 1 FROM cron.job WHERE jobname = 'once') THEN PERFORM cron.schedule('once', '0 "
     "1 * * *', 'SELECT 1'); END IF; END $$",
     "DO", NULL},
    {NULL, "DO $$ BEGIN PERFORM cron.unschedule('not there'); EXCEPTION WHEN OTHERS THEN NULL; END $$", "DO", NULL},
    {NULL,
     "DO $$ DECLARE v_id bigint; BEGIN SELECT cron.schedule('into', '0 1 * * *', 'SELECT 1') INTO v_id; RAISE NOTICE "
     "'made %', v_id IS NOT NULL; END $$",
     "NOTICE: made t\nDO", NULL},
    {NULL, "BEGIN; SELECT cron.schedule('rolled back', '0 1 * * *', 'SELECT 1'); ROLLBACK", "ROLLBACK", NULL},
    {NULL, "SELECT count(*) FROM cron.job WHERE jobname = 'rolled back'", "0", NULL},
    {NULL, "PREPARE make AS SELECT cron.schedule($1, $2, $3) IS NOT NULL", "PREPARE", NULL},
    {NULL, "EXECUTE make('prepared', '0 1 * * *', 'SELECT 1')", "t", NULL},
    {NULL, "SELECT cron.schedule('typed'::text, '0 1 * * *'::text, 'SELECT 1'::text) IS NOT NULL", "t", NULL},
    {NULL, "SELECT cron.schedule('varchar'::varchar, '0 1 * * *'::varchar, 'SELECT 1'::varchar) IS NOT NULL", "t",
     NULL},
    {NULL, "SELECT pg_typeof(cron.schedule('type', '0 1 * * *', 'SELECT 1'))", "bigint", NULL},
    {NULL, "SELECT cron.unschedule('daily')", "t", NULL},
    {NULL, "SELECT cron.unschedule('daily')", "ERROR XX000: could not find valid entry for job 'daily'", NULL},
    {NULL, "SELECT cron.unschedule(jobid) FROM cron.job WHERE jobname = 'weekly'", "t", NULL},
    {NULL, "SELECT cron.unschedule(jobid) FROM cron.job WHERE jobname = 'not there'", "", NULL},
    {NULL, "SELECT count(cron.unschedule(jobname)) FROM cron.job WHERE jobname LIKE 'bulk %'", "5", NULL},
    {NULL, "SELECT cron.unschedule('monthly') WHERE EXISTS (SELECT 1 FROM cron.job WHERE jobname = 'monthly')", "t",
     NULL},
    {NULL, "SELECT cron.unschedule(4711)", "ERROR XX000: could not find valid entry for job 4711", NULL},
    {NULL, "SELECT cron.unschedule(NULL::bigint)", "", NULL},
    {NULL, "SELECT cron.unschedule(NULL::text)", "", NULL},
    {NULL, "SELECT cron.schedule(NULL, '0 1 * * *', 'SELECT 1')", "ERROR XX000: job_name can not be NULL", NULL},
    {NULL, "SELECT cron.schedule('null schedule', NULL, 'SELECT 1')", "ERROR XX000: schedule can not be NULL", NULL},
    {NULL, "SELECT cron.schedule('null command', '0 1 * * *', NULL)", "ERROR XX000: command can not be NULL", NULL},
    {NULL, "SELECT cron.schedule(NULL, 'SELECT 1')", "", NULL},
    {NULL, "SELECT cron.schedule('bad', 'every day', 'SELECT 1')",
     "ERROR 22023: invalid schedule: every day\nDETAIL: expected five fields (m h dom mon dow), or six with seconds "
     "first, not 2\nHINT: Use cron format (e.g. 5 4 * * *), or interval format '[1-59] seconds'",
     "ERROR 22023: invalid schedule: every day"},
    {NULL, "SELECT cron.schedule('bad', '60 * * * *', 'SELECT 1')",
     "ERROR 22023: invalid schedule: 60 * * * *\nDETAIL: minute \"60\": expected 0-59; a range a-b or * may have a "
     "step (*/5), a list has commas\nHINT: Use cron format (e.g. 5 4 * * *), or interval format '[1-59] seconds'",
     "ERROR 22023: invalid schedule: 60 * * * *"},
    {NULL, "SELECT cron.schedule('bad', '* 24 * * *', 'SELECT 1')",
     "ERROR 22023: invalid schedule: * 24 * * *\nDETAIL: hour \"24\": expected 0-23; a range a-b or * may have a step "
     "(*/5), a list has commas\nHINT: Use cron format (e.g. 5 4 * * *), or interval format '[1-59] seconds'",
     "ERROR 22023: invalid schedule: * 24 * * *"},
    {NULL, "SELECT cron.schedule('bad', '* * 0 * *', 'SELECT 1')",
     "ERROR 22023: invalid schedule: * * 0 * *\nDETAIL: day of month \"0\": expected 1-31, or $ for the last; a range "
     "a-b or * may have a step (*/5), a list has commas\nHINT: Use cron format (e.g. 5 4 * * *), or interval format "
     "'[1-59] seconds'",
     "ERROR 22023: invalid schedule: * * 0 * *"},
    {NULL, "SELECT cron.schedule('bad', '* * * 13 *', 'SELECT 1')",
     "ERROR 22023: invalid schedule: * * * 13 *\nDETAIL: month \"13\": expected 1-12 or jan-dec; a range a-b or * may "
     "have a step (*/5), a list has commas\nHINT: Use cron format (e.g. 5 4 * * *), or interval format '[1-59] "
     "seconds'",
     "ERROR 22023: invalid schedule: * * * 13 *"},
    {NULL, "SELECT cron.schedule('bad', '* * * * 8', 'SELECT 1')",
     "ERROR 22023: invalid schedule: * * * * 8\nDETAIL: day of week \"8\": expected 0-7 or sun-sat; a range a-b or * "
     "may have a step (*/5), a list has commas\nHINT: Use cron format (e.g. 5 4 * * *), or interval format '[1-59] "
     "seconds'",
     "ERROR 22023: invalid schedule: * * * * 8"},
    {NULL, "SELECT cron.schedule('bad', '* * * *', 'SELECT 1')",
     "ERROR 22023: invalid schedule: * * * *\nDETAIL: expected five fields (m h dom mon dow), or six with seconds "
     "first, not 4\nHINT: Use cron format (e.g. 5 4 * * *), or interval format '[1-59] seconds'",
     "ERROR 22023: invalid schedule: * * * *"},
    {NULL, "SELECT cron.schedule('bad', '', 'SELECT 1')",
     "ERROR 22023: invalid schedule: \nDETAIL: expected five fields (m h dom mon dow), or six with seconds first, not "
     "0\nHINT: Use cron format (e.g. 5 4 * * *), or interval format '[1-59] seconds'",
     "ERROR 22023: invalid schedule: "},
    {NULL, "SELECT cron.schedule('bad', '*/0 * * * *', 'SELECT 1')",
     "ERROR 22023: invalid schedule: */0 * * * *\nDETAIL: minute \"*/0\": expected a step from 1 to 60 after "
     "\"/\"\nHINT: Use cron "
     "format (e.g. 5 4 * * *), or interval format '[1-59] seconds'",
     "ERROR 22023: invalid schedule: */0 * * * *"},
    {NULL, "SELECT cron.schedule('bad', '0 0 ? * *', 'SELECT 1')",
     "ERROR 22023: invalid schedule: 0 0 ? * *\nDETAIL: day of month \"?\": expected 1-31, or $ for the last; the "
     "\"?\" of Quartz is * here\nHINT: Use cron format (e.g. 5 4 * * *), or interval format '[1-59] seconds'",
     "ERROR 22023: invalid schedule: 0 0 ? * *"},
    {NULL, "SELECT cron.schedule('bad', '0 0 L * *', 'SELECT 1')",
     "ERROR 22023: invalid schedule: 0 0 L * *\nDETAIL: day of month \"L\": expected 1-31, or $ for the last; a range "
     "a-b or * may have a step (*/5), a list has commas\nHINT: Use cron format (e.g. 5 4 * * *), or interval format "
     "'[1-59] seconds'",
     "ERROR 22023: invalid schedule: 0 0 L * *"},
    {NULL, "SELECT cron.schedule('bad', '0 0 1-5W * *', 'SELECT 1')",
     "ERROR 22023: invalid schedule: 0 0 1-5W * *\nDETAIL: day of month \"1-5W\": expected 1-31, or $ for the last; a "
     "range a-b or * may have a step (*/5), a list has commas\nHINT: Use cron format (e.g. 5 4 * * *), or interval "
     "format '[1-59] seconds'",
     "ERROR 22023: invalid schedule: 0 0 1-5W * *"},
    {NULL, "SELECT cron.schedule('bad', '@HOURLY', 'SELECT 1')",
     "ERROR 22023: invalid schedule: @HOURLY\nDETAIL: expected one of @hourly, @daily, @midnight, @weekly, @monthly, "
     "@yearly, @annually, @reboot, @restart (in lower case), or @every, @after or @at with its time\nHINT: Use cron "
     "format (e.g. 5 4 * * *), or interval format '[1-59] seconds'",
     "ERROR 22023: invalid schedule: @HOURLY"},
    {NULL, "SELECT cron.schedule('bad', '0 0 * * monday', 'SELECT 1')",
     "ERROR 22023: invalid schedule: 0 0 * * monday\nDETAIL: day of week \"monday\": expected 0-7 or sun-sat; a range "
     "a-b or * may have a step (*/5), a list has commas\nHINT: Use cron format (e.g. 5 4 * * *), or interval format "
     "'[1-59] seconds'",
     "ERROR 22023: invalid schedule: 0 0 * * monday"},
    {NULL, "SELECT cron.schedule(5, '0 1 * * *', 'SELECT 1')",
     "ERROR 42883: function cron.schedule(integer, unknown, unknown) does not exist\nHINT: No function matches the "
     "given name and argument types. You might need to add explicit type casts.",
     NULL},
    {NULL, "SELECT cron.schedule('too', 'many', 'arguments', 'here')",
     "ERROR 42883: function cron.schedule(unknown, unknown, unknown, unknown) does not exist\nHINT: No function "
     "matches the given name and argument types. You might need to add explicit type casts.",
     NULL},
    {NULL, "SELECT cron.schedule_in_database('elsewhere', '0 4 * * *', 'VACUUM', 'open')",
     "ERROR 42501: permission denied for function schedule_in_database", NULL},
    {NULL, "SELECT cron.alter_job(1, schedule := '0 6 * * *')", "ERROR 42501: permission denied for function alter_job",
     NULL},
    {NULL, "SELECT jobname, schedule, active FROM cron.job WHERE jobname IN ('named', 'hourly') ORDER BY jobname",
     "hourly|@hourly|t\nnamed|5 * * * *|t", NULL},
    {NULL, "SELECT count(*) > 20 FROM cron.job", "t", NULL},
    {NULL, "SELECT jobname FROM cron.job WHERE command ILIKE '%refresh materialized%'", "hourly", NULL},
    {NULL, "SELECT database, username, active FROM cron.job WHERE jobname = 'named'", "postgres|app|t", NULL},
    {NULL, "SELECT jobid = max(jobid) OVER () FROM cron.job ORDER BY jobid DESC LIMIT 1", "t", NULL},
    {NULL, "SELECT username, count(*) > 0 FROM cron.job GROUP BY username", "app|t", NULL},
    {NULL,
     "SELECT column_name, data_type FROM information_schema.columns WHERE table_schema = 'cron' AND table_name = 'job' "
     "ORDER BY ordinal_position",
     "jobid|bigint\nschedule|text\ncommand|text\nnodename|text\nnodeport|integer\ndatabase|text\nusername|text\nactive|"
     "boolean\njobname|text",
     "jobid|bigint\nschedule|text\ncommand|text\nnodename|text\nnodeport|integer\ndatabase|text\nusername|text\nactive|"
     "boolean\njobname|name"},
    {NULL,
     "SELECT column_name, data_type FROM information_schema.columns WHERE table_schema = 'cron' AND table_name = "
     "'job_run_details' ORDER BY ordinal_position",
     "jobid|bigint\nrunid|bigint\njob_pid|integer\ndatabase|text\nusername|text\ncommand|text\nstatus|text\nreturn_"
     "message|text\nstart_time|timestamp with time zone\nend_time|timestamp with time zone",
     NULL},
    {NULL, "SELECT to_regclass('cron.job') IS NOT NULL, to_regclass('cron.job_run_details') IS NOT NULL", "t|t", NULL},
    {NULL,
     "SELECT to_regprocedure('cron.schedule(text,text,text)') IS NOT NULL, to_regprocedure('cron.unschedule(bigint)') "
     "IS NOT NULL",
     "t|t", NULL},
    {NULL, "SELECT has_schema_privilege('cron', 'USAGE'), has_table_privilege('cron.job', 'SELECT')", "t|t", NULL},
    {NULL, "SELECT count(*) FROM pg_namespace WHERE nspname = 'cron'", "1", NULL},
    {NULL, "SELECT count(*) FROM cron.job_run_details", "0", NULL},
    {NULL,
     "SELECT jobid, status, return_message FROM cron.job_run_details WHERE status = 'failed' ORDER BY start_time DESC "
     "LIMIT 10",
     "", NULL},
    {NULL,
     "SELECT j.jobname, d.status FROM cron.job j LEFT JOIN cron.job_run_details d USING (jobid) WHERE j.jobname = "
     "'named'",
     "named|", NULL},
    {NULL, "SELECT avg(end_time - start_time) FROM cron.job_run_details WHERE start_time > now() - interval '1 day'",
     "", NULL},
    {NULL, "DELETE FROM cron.job_run_details WHERE end_time < now() - interval '7 days'", "DELETE 0", NULL},
    {NULL,
     "SELECT cron.schedule('prune', '0 0 * * *', $$DELETE FROM cron.job_run_details WHERE end_time < now() - interval "
     "'7 days'$$) IS NOT NULL",
     "t", NULL},
    {NULL, "INSERT INTO cron.job (schedule, command) VALUES ('0 1 * * *', 'SELECT 1')",
     "ERROR 42501: permission denied for view job", "ERROR 42501: permission denied for table job"},
    {NULL, "UPDATE cron.job SET active = false WHERE jobname = 'named'", "ERROR 42501: permission denied for view job",
     "ERROR 42501: permission denied for table job"},
    {NULL, "DELETE FROM cron.job WHERE jobname = 'named'", "ERROR 42501: permission denied for view job",
     "ERROR 42501: permission denied for table job"},
    {NULL,
     "CREATE VIEW my_jobs AS SELECT j.jobname, d.status FROM cron.job j JOIN cron.job_run_details d USING (jobid)",
     "CREATE VIEW", NULL},
    {"other", "SELECT count(*) FROM cron.job", "0", NULL},
    {NULL, "SELECT cron.unschedule('named')", "ERROR XX000: could not find valid entry for job 'named'", NULL},
    {NULL, "SELECT cron.schedule('named', '0 1 * * *', 'SELECT 1') IS NOT NULL", "t", NULL},
    {NULL, "SELECT count(*) FROM cron.job WHERE jobname = 'named'", "1", NULL},
    {"postgres", "SELECT count(*) FROM cron.job WHERE jobname = 'named'", "2", NULL},
    {NULL, "SELECT cron.schedule_in_database('elsewhere', '0 4 * * *', 'VACUUM', 'open') IS NOT NULL", "t", NULL},
    {NULL, "SELECT cron.schedule_in_database('as app', '0 4 * * *', 'VACUUM', 'open', 'app') IS NOT NULL", "t", NULL},
    {NULL, "SELECT cron.schedule_in_database('as app', '0 4 * * *', 'VACUUM', 'open', 'app', false) IS NOT NULL", "t",
     NULL},
    {NULL,
     "SELECT cron.schedule_in_database(job_name := 'by name', schedule := '0 4 * * *', command := 'VACUUM', database "
     ":= 'open', active := false) IS NOT NULL",
     "t", NULL},
    {NULL, "SELECT cron.schedule_in_database('bad', '0 4 * * *', 'VACUUM', 'not there')",
     "ERROR 3D000: database \"not there\" does not exist", NULL},
    {NULL, "SELECT cron.schedule_in_database('bad', '0 4 * * *', 'VACUUM', 'open', 'nobody here')",
     "ERROR XX000: role \"nobody here\" does not exist", NULL},
    {NULL, "SELECT cron.schedule_in_database('bad', '0 4 * * *', 'VACUUM', 'open', 'nologin')",
     "ERROR XX000: role \"nologin\" can not log in\nDETAIL: Jobs may only be run by roles that have the LOGIN "
     "attribute.",
     NULL},
    {NULL, "SELECT cron.schedule_in_database('bad', '0 4 * * *', 'VACUUM', 'closed', 'app')",
     "ERROR XX000: User app does not have CONNECT privilege on closed", NULL},
    {NULL, "SELECT jobname, database, username, active FROM cron.job WHERE database = 'open' ORDER BY jobname",
     "as app|open|app|t\nby name|open|postgres|f\nelsewhere|open|postgres|t", NULL},
    {NULL,
     "SELECT cron.alter_job(job_id := (SELECT jobid FROM cron.job WHERE jobname = 'elsewhere'), schedule := '0 5 * * "
     "*')",
     "", NULL},
    {NULL, "SELECT cron.alter_job((SELECT jobid FROM cron.job WHERE jobname = 'elsewhere'), active := false)", "",
     NULL},
    {NULL,
     "SELECT cron.alter_job((SELECT jobid FROM cron.job WHERE jobname = 'elsewhere'), command := 'ANALYZE', database "
     ":= 'postgres')",
     "", NULL},
    {NULL, "SELECT cron.alter_job((SELECT jobid FROM cron.job WHERE jobname = 'elsewhere'), username := 'app')", "",
     NULL},
    {NULL, "SELECT schedule, command, database, username, active FROM cron.job WHERE jobname = 'elsewhere'",
     "0 5 * * *|ANALYZE|postgres|app|f", NULL},
    {NULL, "SELECT cron.alter_job((SELECT jobid FROM cron.job WHERE jobname = 'elsewhere'))",
     "ERROR XX000: no updates specified\nHINT: You must specify at least one job attribute to change when calling "
     "alter_job",
     NULL},
    {NULL, "SELECT cron.alter_job((SELECT jobid FROM cron.job WHERE jobname = 'elsewhere'), schedule := 'never')",
     "ERROR 22023: invalid schedule: never\nDETAIL: expected five fields (m h dom mon dow), or six with seconds first, "
     "not 1\nHINT: Use cron format (e.g. 5 4 * * *), or interval format '[1-59] seconds'",
     "ERROR 22023: invalid schedule: never"},
    {NULL, "SELECT cron.alter_job(4711, active := false)", "ERROR XX000: Job 4711 does not exist or you don't own it",
     NULL},
    {NULL, "SELECT cron.alter_job(NULL, active := false)", "ERROR XX000: job_id can not be NULL", NULL},
    {NULL, "UPDATE cron.job SET active = false WHERE jobname = 'hourly'", "UPDATE 1", NULL},
    {NULL, "UPDATE cron.job SET database = 'open' WHERE jobname = 'hourly'", "UPDATE 1", NULL},
    {NULL, "UPDATE cron.job SET nodename = '' WHERE jobname = 'hourly'", "UPDATE 1", NULL},
    {NULL, "UPDATE cron.job SET command = replace(command, 'totals', 'sums') WHERE jobname = 'hourly'", "UPDATE 1",
     NULL},
    {NULL, "UPDATE cron.job SET username = 'other' WHERE jobname = 'boot'", "UPDATE 1", NULL},
    {NULL, "UPDATE cron.job SET schedule = '*/2 * * * *' WHERE jobname = 'hourly' RETURNING schedule, active",
     "*/2 * * * *|f", NULL},
    {NULL, "SELECT schedule, command, database, active FROM cron.job WHERE jobname = 'hourly'",
     "*/2 * * * *|REFRESH MATERIALIZED VIEW CONCURRENTLY sums|open|f", NULL},
    {NULL,
     "INSERT INTO cron.job (schedule, command, nodename, nodeport, database, username, jobname) VALUES ('0 1 * * *', "
     "'SELECT 1', 'localhost', 5432, 'postgres', 'app', 'row')",
     "INSERT 0 1", NULL},
    {NULL,
     "INSERT INTO cron.job (schedule, command, nodename, nodeport, database, username, jobname) VALUES ('0 1 * * *', "
     "'SELECT 1', 'localhost', 5432, 'postgres', 'app', 'row')",
     "ERROR 23505: duplicate key value violates unique constraint \"jobname_username_uniq\"\nDETAIL: Key (jobname, "
     "username)=(row, app) already exists.",
     NULL},
    {NULL,
     "INSERT INTO cron.job (schedule, command, nodeport, jobname) VALUES ('0 1 * * *', 'SELECT 1', 5432, 'row') ON "
     "CONFLICT (jobname, username) DO UPDATE SET command = excluded.command",
     "ERROR 42P10: there is no unique or exclusion constraint matching the ON CONFLICT specification", "INSERT 0 1"},
    {NULL,
     "INSERT INTO cron.job (schedule, command, nodeport, jobname) VALUES ('0 1 * * *', 'SELECT 1', 5432, 'row') ON "
     "CONFLICT DO NOTHING",
     "INSERT 0 1", "INSERT 0 0"},
    {NULL, "DELETE FROM cron.job WHERE jobname = 'row' AND username = 'app'", "DELETE 1", NULL},
    {NULL, "DELETE FROM cron.job WHERE jobname = 'not there'", "DELETE 0", NULL},
    {NULL, "TRUNCATE cron.job_run_details", "ERROR 42809: \"job_run_details\" is not a table", "TRUNCATE TABLE"},
    {NULL, "CREATE INDEX ON cron.job_run_details (start_time)",
     "ERROR 42809: cannot create index on relation \"job_run_details\"\nDETAIL: This operation is not supported for "
     "views.",
     "CREATE INDEX"},
    {NULL,
     "CREATE TRIGGER failed AFTER UPDATE ON cron.job_run_details FOR EACH ROW WHEN (NEW.status = 'failed') EXECUTE "
     "FUNCTION suppress_redundant_updates_trigger()",
     "ERROR 42809: \"job_run_details\" is a view\nDETAIL: Views cannot have row-level BEFORE or AFTER triggers.",
     "CREATE TRIGGER"},
    {NULL, "CREATE TABLE notes (jobid bigint REFERENCES cron.job)",
     "ERROR 42809: referenced relation \"job\" is not a table", "CREATE TABLE"},
    {NULL, "CREATE TABLE saved AS SELECT * FROM cron.job", "SELECT 39", NULL},
    {NULL, "SELECT jobid FROM cron.job WHERE jobname = 'hourly' FOR UPDATE SKIP LOCKED LIMIT 0", "", NULL},
    {NULL, "GRANT SELECT ON cron.job TO other", "GRANT", NULL},
    {NULL, "GRANT ALL ON ALL TABLES IN SCHEMA cron TO app", "GRANT", NULL},
    {NULL, "GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA cron TO app", "GRANT", NULL},
    {NULL, "GRANT EXECUTE ON FUNCTION cron.schedule_in_database(text, text, text, text, text, boolean) TO app", "GRANT",
     NULL},
    {NULL, "GRANT EXECUTE ON FUNCTION cron.alter_job(bigint, text, text, text, text, boolean) TO app", "GRANT", NULL},
    {NULL, "REVOKE ALL ON FUNCTION cron.schedule(text, text) FROM PUBLIC", "REVOKE", NULL},
    {"app", "SELECT cron.schedule('0 1 * * *', 'SELECT 1')", "52", "54"},
    {NULL, "SELECT cron.alter_job((SELECT jobid FROM cron.job WHERE jobname = 'named'), schedule := '0 7 * * *')", "",
     NULL},
    {NULL, "SELECT cron.alter_job((SELECT jobid FROM cron.job WHERE jobname = 'named'), username := 'postgres')",
     "ERROR XX000: must be superuser to alter username", NULL},
    {NULL, "SELECT cron.schedule_in_database('mine', '0 4 * * *', 'SELECT 1', 'open') IS NOT NULL", "t", NULL},
    {NULL, "SELECT cron.schedule_in_database('others', '0 4 * * *', 'SELECT 1', 'open', 'other')",
     "ERROR XX000: must be superuser to create a job for another role", NULL},
    {NULL, "SELECT schedule FROM cron.job WHERE jobname = 'named'", "0 7 * * *", NULL},
    {"postgres",
     "CREATE FUNCTION schedule_for_app(p_name text) RETURNS bigint LANGUAGE sql SECURITY DEFINER AS $$SELECT "
     "cron.schedule(p_name, '0 1 * * *', 'SELECT 1')$$",
     "CREATE FUNCTION", NULL},
    {"other", "SELECT schedule_for_app('by definer') IS NOT NULL", "t", NULL},
    {"postgres", "SELECT username FROM cron.job WHERE jobname = 'by definer'", "postgres", NULL},
    {NULL, "SELECT count(*) FROM pg_extension WHERE extname = 'pg_cron'", "0", "1"},
    {NULL, "SELECT nextval('cron.jobid_seq') > 0", "ERROR 42P01: relation \"cron.jobid_seq\" does not exist", "t"},
    {NULL, "COMMENT ON TABLE cron.job IS 'jobs'", "ERROR 42809: \"job\" is not a table", "COMMENT"},
    {NULL, "DROP TABLE IF EXISTS cron.nothing", "NOTICE: table \"nothing\" does not exist, skipping\nDROP TABLE", NULL},
};

START_TEST(statements_as_people_use_them_are_answered_as_pg_cron_does)
{
    struct cluster *cluster = cron_create();
    ledger_sql_lead(cluster);
    cron_say_to_both(cluster, statements, COUNT_OF(statements));
    cluster_destroy(cluster);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("statements about schema cron");
    TCase *cases = tcase_create("statements");
    tcase_set_timeout(cases, 120);
    tcase_add_test(cases, statements_as_people_use_them_are_answered_as_pg_cron_does);
    suite_add_tcase(suite, cases);
    return suite_run(suite);
}
