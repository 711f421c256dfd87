/* SPDX-License-Identifier: PostgreSQL */
/* What deployments and operators of real applications say beside what test_cron_statements has: guards, grants,
 * idempotent migrations, pruning, monitoring, settings. Said to ours and, where it can be had (1.4), to the extension.
 * Where the answers differ docs/pg_cron.md says so, and what to write instead. */
#include <check.h>

#include "base/memory.h"
#include "support/import/cron.h"
#include "support/ledger/ledger_sql.h"
#include "support/ledger/outcomes.h"
#include "support/process/suite.h"

static const struct outcome_step statements[] = {
    {"postgres",
     "CREATE TABLE events (id int, at timestamptz DEFAULT now()); CREATE SCHEMA net; CREATE TABLE net.asked (url text, "
     "at timestamptz DEFAULT now())",
     "CREATE TABLE", NULL},
    {NULL,
     "CREATE FUNCTION net.http_post(url text, headers jsonb DEFAULT '{}', body jsonb DEFAULT '{}') RETURNS bigint "
     "LANGUAGE sql AS $$INSERT INTO net.asked VALUES (url) RETURNING 1::bigint$$",
     "CREATE FUNCTION", NULL},
    {NULL, "GRANT USAGE ON SCHEMA cron TO postgres; GRANT ALL PRIVILEGES ON ALL TABLES IN SCHEMA cron TO postgres",
     "GRANT", NULL},
    {NULL,
     "GRANT USAGE ON SCHEMA cron TO PUBLIC; GRANT SELECT ON cron.job TO PUBLIC; GRANT SELECT, DELETE ON "
     "cron.job_run_details TO PUBLIC",
     "GRANT", NULL},
    {NULL, "GRANT SELECT, INSERT, UPDATE, DELETE ON ALL TABLES IN SCHEMA cron TO app", "GRANT", NULL},
    {NULL, "REVOKE INSERT, UPDATE, DELETE ON cron.job FROM app", "REVOKE", NULL},
    {NULL, "GRANT USAGE, SELECT ON ALL SEQUENCES IN SCHEMA cron TO app", "GRANT", NULL},
    {NULL, "ALTER DEFAULT PRIVILEGES IN SCHEMA cron GRANT SELECT ON TABLES TO app", "ALTER DEFAULT PRIVILEGES", NULL},
    {NULL, "ALTER DATABASE postgres SET app.settings.service_role_key = 'secret'", "ALTER DATABASE", NULL},
    {"app",
     "DO $$ BEGIN IF to_regnamespace('cron') IS NULL OR to_regclass('cron.job') IS NULL THEN RAISE NOTICE 'no "
     "scheduler here'; RETURN; END IF; PERFORM cron.schedule('after asking', '25 3 * * *', 'SELECT 1'); END $$",
     "DO", NULL},
    {NULL,
     "DO $$ BEGIN IF EXISTS (SELECT FROM pg_proc WHERE proname = 'schedule' AND pronamespace = "
     "to_regnamespace('cron')) THEN PERFORM cron.schedule('after looking', '26 3 * * *', 'SELECT 1'); END IF; END $$",
     "DO", NULL},
    {NULL, "SELECT jobname FROM cron.job WHERE jobname LIKE 'after%' ORDER BY jobname", "after asking\nafter looking",
     NULL},
    {NULL,
     "SELECT cron.schedule('call-function', '* * * * *', $job$ SELECT net.http_post(url := 'http://127.0.0.1/run', "
     "headers := jsonb_build_object('Authorization', 'Bearer ' || current_setting('app.settings.service_role_key', "
     "true)), body := jsonb_build_object('at', now())) AS request_id; $job$) IS NOT NULL",
     "t", NULL},
    {NULL, "SELECT cron.schedule('every fifty', '*/50 * * * *', 'SELECT 1') IS NOT NULL", "t", NULL},
    {NULL, "SELECT cron.schedule('every sixty', '*/60 * * * *', 'SELECT 1') IS NOT NULL", "t", NULL},
    {NULL, "SELECT cron.schedule('every 24 hours', '0 */24 * * *', 'SELECT 1') IS NOT NULL", "t", NULL},
    {NULL, "SELECT cron.schedule('every ninety', '*/90 * * * *', 'SELECT 1') IS NOT NULL",
     "ERROR 22023: invalid schedule: */90 * * * *\nDETAIL: minute \"*/90\": expected a step from 1 to 60 after "
     "\"/\"\nHINT: Use cron format (e.g. 5 4 * * *), or interval format '[1-59] seconds'",
     "t"},
    {NULL,
     "SELECT cron.schedule('once soon', to_char(timestamp '2026-03-04 05:06', 'MI HH24 DD MM') || ' *', 'VACUUM (FULL, "
     "ANALYZE) events') IS NOT NULL",
     "t", NULL},
    {NULL, "SELECT schedule FROM cron.job WHERE jobname = 'once soon'", "06 05 04 03 *", NULL},
    {NULL, "SELECT cron.schedule('sixty seconds', '60 seconds', 'SELECT 1') IS NOT NULL",
     "ERROR 22023: invalid schedule: 60 seconds\nDETAIL: an interval has 1-59 seconds\nHINT: Use cron format (e.g. 5 4 "
     "* * *), or interval format '[1-59] seconds'",
     "ERROR 22023: invalid schedule: 60 seconds"},
    {NULL, "SELECT cron.schedule('30 seconds', '30 seconds', 'SELECT 1') IS NOT NULL", "t",
     "ERROR 22023: invalid schedule: 30 seconds"},
    {NULL, "SELECT cron.schedule('one second', '1 second', 'SELECT 1') IS NOT NULL", "t",
     "ERROR 22023: invalid schedule: 1 second"},
    {NULL,
     "SELECT cron.schedule('with timeout', '17 * * * *', $job$set statement_timeout = '30s'; do $run$ begin raise log "
     "'swept'; end $run$;$job$) IS NOT NULL",
     "t", NULL},
    {NULL,
     "SELECT cron.schedule('other database by dblink', '0 0 * * *', format('SELECT * FROM dblink(''dbname=%I'', "
     "''SELECT 1'') AS t (n int)', current_database())) IS NOT NULL",
     "t", NULL},
    {NULL, "SELECT cron.unschedule('nightly') FROM cron.job WHERE jobname = 'nightly'", "", NULL},
    {NULL,
     "DO $do$ DECLARE name text; BEGIN FOREACH name IN ARRAY ARRAY['every fifty', 'every sixty', 'not there'] LOOP "
     "EXECUTE format('SELECT cron.unschedule(jobid) FROM cron.job WHERE jobname = %L', name); END LOOP; END $do$",
     "DO", NULL},
    {NULL, "SELECT count(*) FROM cron.job WHERE jobname LIKE 'every %y'", "0", "1"},
    {NULL,
     "DO $do$ BEGIN BEGIN PERFORM cron.unschedule('never made'); EXCEPTION WHEN others THEN RAISE NOTICE '%: %', "
     "SQLSTATE, SQLERRM; END; PERFORM cron.schedule('made after all', '0 4 * * *', 'SELECT 1'); END $do$",
     "NOTICE: XX000: could not find valid entry for job 'never made'\nDO", NULL},
    {NULL,
     "DO $do$ DECLARE found bigint; BEGIN SELECT jobid INTO found FROM cron.job WHERE jobname = 'made after all'; IF "
     "FOUND THEN PERFORM cron.unschedule(found); END IF; PERFORM cron.schedule('made after all', '5 4 * * *', 'SELECT "
     "1'); END $do$",
     "ERROR 22P02: invalid input syntax for type boolean: \"12\"",
     "ERROR 22P02: invalid input syntax for type boolean: \"11\""},
    {NULL, "SELECT schedule FROM cron.job WHERE jobname = 'made after all'", "0 4 * * *", NULL},
    {"app", "DELETE FROM cron.job WHERE jobname IN ('partman-maintenance', 'partman-retention')",
     "ERROR 42501: permission denied for view job", "ERROR 42501: permission denied for table job"},
    {"postgres", "DELETE FROM cron.job WHERE jobname IN ('once soon', 'partman-retention')", "DELETE 1", NULL},
    {NULL, "UPDATE cron.job SET database = 'open' WHERE jobname = 'made after all'", "UPDATE 1", NULL},
    {NULL, "UPDATE cron.job SET active = NOT active WHERE jobname = 'with timeout' RETURNING active", "f", NULL},
    {NULL, "UPDATE cron.job SET jobname = 'renamed' WHERE jobname = '30 seconds'", "UPDATE 1", "UPDATE 0"},
    {NULL,
     "INSERT INTO cron.job (schedule, command) VALUES ('13 * * * *', 'ANALYZE events') RETURNING jobid IS NOT NULL, "
     "nodename, database, username, active, jobname",
     "t|localhost|postgres|postgres|t|",
     "ERROR 23502: null value in column \"nodeport\" of relation \"job\" violates not-null constraint\nDETAIL: Failing "
     "row contains (12, 13 * * * *, ANALYZE events, localhost, null, postgres, postgres, t, null)."},
    {NULL,
     "INSERT INTO cron.job (schedule, command, nodename, nodeport, database, username, active, jobname) SELECT "
     "schedule, command, nodename, nodeport, database, username, false, jobname || ' copy' FROM cron.job WHERE jobname "
     "= 'with timeout'",
     "INSERT 0 1", NULL},
    {NULL,
     "WITH gone AS (DELETE FROM cron.job WHERE jobname = 'with timeout copy' RETURNING jobname) SELECT * FROM gone",
     "with timeout copy", NULL},
    {NULL,
     "WITH made AS (INSERT INTO cron.job (schedule, command, jobname) VALUES ('1 1 * * *', 'SELECT 1', 'inserted') "
     "RETURNING jobid) SELECT count(*) FROM made",
     "1",
     "ERROR 23502: null value in column \"nodeport\" of relation \"job\" violates not-null constraint\nDETAIL: Failing "
     "row contains (14, 1 1 * * *, SELECT 1, localhost, null, postgres, postgres, t, inserted)."},
    {NULL,
     "MERGE INTO cron.job j USING (VALUES ('merged')) AS n (name) ON j.jobname = n.name WHEN NOT MATCHED THEN INSERT "
     "(schedule, command, jobname) VALUES ('1 1 * * *', 'SELECT 1', n.name)",
     "ERROR 0A000: cannot execute MERGE on relation \"job\"\nDETAIL: This operation is not supported for views.",
     "ERROR 23502: null value in column \"nodeport\" of relation \"job\" violates not-null constraint\nDETAIL: Failing "
     "row contains (15, 1 1 * * *, SELECT 1, localhost, null, postgres, postgres, t, merged)."},
    {"app",
     "DO $do$ DECLARE job cron.job%ROWTYPE; BEGIN SELECT * INTO job FROM cron.job WHERE jobname = 'after asking' AND "
     "database = current_database() AND username = current_user; IF job IS NULL THEN RAISE EXCEPTION 'not there'; END "
     "IF; RAISE NOTICE '% % %', job.schedule, job.nodename, job.active; END $do$",
     "NOTICE: 25 3 * * * localhost t\nDO", NULL},
    {NULL, "SELECT to_jsonb(j) ->> 'command' FROM cron.job AS j WHERE jobname = 'after asking'", "SELECT 1", NULL},
    {NULL,
     "SELECT j.* IS NOT DISTINCT FROM k FROM cron.job j JOIN cron.job k USING (jobid) WHERE j.jobname = 'after asking'",
     "t", NULL},
    {"postgres",
     "SELECT cron.alter_job((SELECT jobid FROM cron.job WHERE jobname = 'after asking'), command := $cron$ REFRESH "
     "MATERIALIZED VIEW a; REFRESH MATERIALIZED VIEW b; $cron$)",
     "", NULL},
    {NULL,
     "CREATE TABLE plans (name text PRIMARY KEY, schedule text, sql text); INSERT INTO plans VALUES ('p1', '1 1 * * "
     "*', 'SELECT 1'), ('p2', '2 2 * * *', 'SELECT 2')",
     "INSERT 0 2", NULL},
    {NULL, "SELECT count(cron.schedule(name, schedule, sql)) FROM plans", "2", NULL},
    {NULL,
     "CREATE FUNCTION follow_plan() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN IF TG_OP = 'DELETE' THEN PERFORM "
     "cron.unschedule(OLD.name); RETURN OLD; END IF; PERFORM cron.schedule(NEW.name, NEW.schedule, NEW.sql); RETURN "
     "NEW; END $$; CREATE TRIGGER follow AFTER INSERT OR UPDATE OR DELETE ON plans FOR EACH ROW EXECUTE FUNCTION "
     "follow_plan()",
     "CREATE TRIGGER", NULL},
    {NULL,
     "UPDATE plans SET schedule = '3 3 * * *' WHERE name = 'p1'; DELETE FROM plans WHERE name = 'p2'; SELECT jobname, "
     "schedule FROM cron.job WHERE jobname IN ('p1', 'p2')",
     "p1|3 3 * * *", NULL},
    {NULL,
     "CREATE FUNCTION cron.clear_runs() RETURNS integer LANGUAGE plpgsql SECURITY DEFINER SET search_path = cron AS $$ "
     "DECLARE gone integer; BEGIN DELETE FROM job_run_details WHERE end_time < now() - interval '7 days'; GET "
     "DIAGNOSTICS gone = ROW_COUNT; RETURN gone; EXCEPTION WHEN insufficient_privilege OR undefined_table THEN RETURN "
     "-1; END $$",
     "CREATE FUNCTION", NULL},
    {NULL, "SELECT cron.clear_runs()", "0", NULL},
    {NULL,
     "CREATE FUNCTION worker_health(p_job text) RETURNS TABLE (active boolean, last_run_at timestamptz, last_status "
     "text) LANGUAGE sql STABLE SECURITY DEFINER SET search_path = '' AS $$ SELECT j.active, r.start_time, r.status "
     "FROM cron.job j LEFT JOIN LATERAL (SELECT d.start_time, d.status FROM cron.job_run_details d WHERE d.jobid = "
     "j.jobid ORDER BY d.runid DESC LIMIT 1) r ON true WHERE j.jobname = p_job $$",
     "CREATE FUNCTION", NULL},
    {NULL, "SELECT * FROM worker_health('p1')", "t||", NULL},
    {"other", "SELECT active FROM worker_health('p1')", "t", NULL},
    {"postgres",
     "SELECT j.jobname, max(d.start_time) AS last_fire, (array_agg(d.status ORDER BY d.start_time DESC))[1] AS "
     "last_status FROM cron.job j LEFT JOIN cron.job_run_details d ON d.jobid = j.jobid WHERE j.jobname = 'p1' GROUP "
     "BY j.jobid, j.jobname, j.schedule",
     "p1||", NULL},
    {NULL,
     "CREATE MATERIALIZED VIEW runs_by_day AS SELECT jobid, date_trunc('day', start_time) AS day, count(*) FROM "
     "cron.job_run_details GROUP BY 1, 2",
     "SELECT 0", NULL},
    {NULL,
     "SELECT d.status, count(*) FILTER (WHERE d.start_time > now() - interval '1 hour') FROM cron.job_run_details d "
     "JOIN cron.job j USING (jobid) GROUP BY d.status",
     "", NULL},
    {NULL,
     "WITH old AS (SELECT runid FROM cron.job_run_details WHERE end_time < now() - interval '7 days' ORDER BY runid "
     "LIMIT 1000) DELETE FROM cron.job_run_details d USING old WHERE d.runid = old.runid",
     "DELETE 0", NULL},
    {NULL,
     "DELETE FROM cron.job_run_details WHERE runid IN (SELECT runid FROM cron.job_run_details WHERE end_time < now() - "
     "interval '7 days' LIMIT 1000) RETURNING runid",
     "", NULL},
    {NULL,
     "WITH gone AS (DELETE FROM cron.job_run_details WHERE end_time < now() RETURNING 1) SELECT count(*) FROM gone",
     "0", NULL},
    {NULL,
     "DELETE FROM cron.job_run_details WHERE ctid IN (SELECT ctid FROM cron.job_run_details WHERE end_time < now() - "
     "interval '7 days' LIMIT 1000)",
     "ERROR 42703: column \"ctid\" does not exist", "DELETE 0"},
    {NULL, "DELETE FROM cron.job_run_details WHERE jobid NOT IN (SELECT jobid FROM cron.job)", "DELETE 0", NULL},
    {NULL, "VACUUM cron.job_run_details",
     "WARNING: skipping \"job_run_details\" --- cannot vacuum non-tables or special system tables\nVACUUM", "VACUUM"},
    {NULL, "ANALYZE cron.job_run_details",
     "WARNING: skipping \"job_run_details\" --- cannot analyze non-tables or special system tables\nANALYZE",
     "ANALYZE"},
    {NULL, "REINDEX TABLE cron.job_run_details", "ERROR 42809: \"job_run_details\" is not a table or materialized view",
     "REINDEX"},
    {NULL, "ALTER TABLE cron.job_run_details SET (autovacuum_vacuum_scale_factor = 0.05)",
     "ERROR 22023: unrecognized parameter \"autovacuum_vacuum_scale_factor\"", "ALTER TABLE"},
    {NULL, "ALTER TABLE cron.job_run_details SET LOGGED",
     "ERROR 42809: ALTER action SET LOGGED cannot be performed on relation \"job_run_details\"\nDETAIL: This operation "
     "is not supported for views.",
     "ALTER TABLE"},
    {NULL, "CREATE INDEX CONCURRENTLY IF NOT EXISTS runs_by_job ON cron.job_run_details (jobid, start_time DESC)",
     "ERROR 42809: cannot create index on relation \"job_run_details\"\nDETAIL: This operation is not supported for "
     "views.",
     "CREATE INDEX"},
    {NULL, "TRUNCATE TABLE cron.job_run_details RESTART IDENTITY", "ERROR 42809: \"job_run_details\" is not a table",
     "TRUNCATE TABLE"},
    {NULL, "LOCK TABLE cron.job IN SHARE ROW EXCLUSIVE MODE",
     "ERROR 25P01: LOCK TABLE can only be used in transaction blocks", NULL},
    {NULL, "BEGIN; LOCK TABLE cron.job IN SHARE ROW EXCLUSIVE MODE; SELECT count(*) > 0 FROM cron.job; COMMIT",
     "COMMIT", NULL},
    {NULL, "DROP POLICY IF EXISTS cron_job_policy ON cron.job",
     "NOTICE: policy \"cron_job_policy\" for relation \"cron.job\" does not exist, skipping\nDROP POLICY",
     "DROP POLICY"},
    {NULL, "CREATE POLICY everybodys_runs ON cron.job_run_details FOR SELECT TO app USING (true)",
     "ERROR 42809: \"job_run_details\" is not a table", "CREATE POLICY"},
    {NULL, "ALTER TABLE cron.job ENABLE ROW LEVEL SECURITY",
     "ERROR 42809: ALTER action ENABLE ROW SECURITY cannot be performed on relation \"job\"\nDETAIL: This operation is "
     "not supported for views.",
     "ALTER TABLE"},
    {NULL, "CREATE PUBLICATION jobs FOR TABLE cron.job",
     "ERROR 22023: cannot add relation \"job\" to publication\nDETAIL: This operation is not supported for views.",
     "WARNING: wal_level is insufficient to publish logical changes\nHINT: Set wal_level to \"logical\" before "
     "creating subscriptions.\nCREATE PUBLICATION"},
    {NULL, "SELECT relrowsecurity FROM pg_class WHERE oid = 'cron.job'::regclass", "f", "t"},
    {NULL, "SELECT count(*) > 0 FROM pg_policies WHERE schemaname = 'cron'", "f", "t"},
    {NULL, "SELECT extversion FROM pg_extension WHERE extname = 'pg_cron'", "", "1.4-1"},
    {NULL, "COMMENT ON EXTENSION pg_cron IS 'scheduler'", "ERROR 42704: extension \"pg_cron\" does not exist",
     "COMMENT"},
    {NULL, "SELECT current_setting('cron.database_name', true) IS NULL", "t", "f"},
    {NULL, "SELECT current_database() = current_setting('cron.database_name')",
     "ERROR 42704: unrecognized configuration parameter \"cron.database_name\"", "t"},
    {NULL, "SHOW cron.timezone", "ERROR 42704: unrecognized configuration parameter \"cron.timezone\"", NULL},
    {NULL, "SET cron.max_running_jobs = 5", "SET",
     "ERROR 55P02: parameter \"cron.max_running_jobs\" cannot be changed without restarting the server"},
    {NULL, "SET cron.log_run = off", "SET",
     "ERROR 55P02: parameter \"cron.log_run\" cannot be changed without restarting the server"},
    {NULL, "ALTER DATABASE postgres SET cron.timezone = 'Europe/Berlin'", "ALTER DATABASE", NULL},
    {NULL, "ALTER SYSTEM SET cron.max_running_jobs = 5", "ALTER SYSTEM", NULL},
    {NULL, "SELECT count(*) FROM pg_settings WHERE name LIKE 'cron.%'", "0", "8"},
    {NULL, "SELECT setting ~ 'pg_cron' FROM pg_settings WHERE name = 'shared_preload_libraries'", "f", "t"},
    {NULL,
     "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'pg_cron launcher' OR application_name = 'pg_cron "
     "scheduler'",
     "0", "1"},
    {NULL, "SELECT setval('cron.jobid_seq', (SELECT max(jobid) FROM cron.job)) > 0",
     "ERROR 42P01: relation \"cron.jobid_seq\" does not exist", "t"},
    {NULL, "SELECT pg_get_serial_sequence('cron.job', 'jobid')", "", NULL},
    {NULL, "SELECT table_type FROM information_schema.tables WHERE table_schema = 'cron' ORDER BY table_name",
     "VIEW\nVIEW", "BASE TABLE\nBASE TABLE"},
    {NULL, "SELECT count(*) FROM pg_tables WHERE schemaname = 'cron'", "0", "2"},
    {NULL,
     "SELECT proname || '(' || pg_get_function_identity_arguments(oid) || ')' FROM pg_proc WHERE pronamespace = "
     "'cron'::regnamespace AND proname IN ('schedule', 'unschedule', 'alter_job', 'schedule_in_database') ORDER BY 1",
     "alter_job(job_id bigint, schedule text, command text, database text, username text, active "
     "boolean)\nschedule(job_name text, schedule text, command text)\nschedule(schedule text, command "
     "text)\nschedule_in_database(job_name text, schedule text, command text, database text, username text, active "
     "boolean)\nunschedule(job_id bigint)\nunschedule(job_name text)",
     "alter_job(job_id bigint, schedule text, command text, database text, username text, active "
     "boolean)\nschedule(job_name text, schedule text, command text)\nschedule(schedule text, command "
     "text)\nschedule_in_database(job_name text, schedule text, command text, database text, username text, active "
     "boolean)\nunschedule(job_id bigint)\nunschedule(job_name name)"},
    {NULL, "DROP FUNCTION cron.clear_runs()", "DROP FUNCTION", NULL},
    {"app", "SELECT cron.unschedule('p1')", "ERROR XX000: could not find valid entry for job 'p1'", NULL},
    {NULL, "SELECT cron.alter_job(job_id => 1, active => false)",
     "ERROR 42501: permission denied for function alter_job", NULL},
    {"other", "SELECT jobname FROM cron.job", "", NULL},
    {"postgres", "DROP OWNED BY other; SELECT count(*) FROM cron.job WHERE username = 'other'", "0", NULL},
    {NULL, "SELECT count(cron.unschedule(jobid)) > 5 FROM cron.job", "t", NULL},
    {NULL, "SELECT count(*) FROM cron.job", "0", NULL},
};

START_TEST(deployments_are_answered_as_by_pg_cron)
{
    struct cluster *cluster = cron_create();
    ledger_sql_lead(cluster);
    cron_say_to_both(cluster, statements, COUNT_OF(statements));
    cluster_destroy(cluster);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("deployments beside schema cron");
    TCase *cases = tcase_create("deployments");
    tcase_set_timeout(cases, 120);
    tcase_add_test(cases, deployments_are_answered_as_by_pg_cron);
    suite_add_tcase(suite, cases);
    return suite_run(suite);
}
