/* SPDX-License-Identifier: PostgreSQL */
/* Schema cron's relations: who reads and writes what of cron.job and cron.job_run_details, and what runs look like
 * there. Where the server has the extension pg_cron, the statements about cron.job are said to it, too (`other`). */
#include <check.h>
#include <stddef.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "ledger/migrate.h"
#include "support/cluster/cluster.h"
#include "support/import/cron.h"
#include "support/ledger/ledger_sql.h"
#include "support/ledger/outcomes.h"
#include "support/ledger/runs.h"
#include "support/process/suite.h"

static struct cluster *cluster;

static void set_up(void)
{
    cluster = cron_create();
    ledger_sql_lead(cluster);
    ledger_sql_helpers(cluster);
}

static void tear_down(void)
{
    cluster_destroy(cluster);
}

static void expect(const char *sql, const char *value)
{
    EXPECT_SQL(cluster, sql, value);
}

/* --- cron.job ----------------------------------------------------------------------------------------------------- */

START_TEST(normal_users_read_their_jobs_and_write_none)
{
    static const struct outcome_step steps[] = {
        {"app", "SELECT cron.schedule('a', '* * * * *', 'SELECT 1')", "1", NULL},
        {NULL, "INSERT INTO cron.job (schedule, command) VALUES ('* * * * *', 'x')",
         "ERROR 42501: permission denied for view job", "ERROR 42501: permission denied for table job"},
        {NULL, "UPDATE cron.job SET active = false", "ERROR 42501: permission denied for view job",
         "ERROR 42501: permission denied for table job"},
        {NULL, "DELETE FROM cron.job", "ERROR 42501: permission denied for view job",
         "ERROR 42501: permission denied for table job"},
        {"other", "SELECT count(*) FROM cron.job", "0", NULL},
        {NULL, "DELETE FROM cron.job_run_details", "DELETE 0", NULL},
        {"nologin", "SELECT count(*) FROM cron.job", "ERROR 42501: permission denied for schema cron", NULL},
    };
    cron_say_to_both(cluster, steps, COUNT_OF(steps));
}
END_TEST

START_TEST(superusers_write_jobs_as_rows)
{
    static const struct outcome_step steps[] = {
        {"postgres",
         "INSERT INTO cron.job (schedule, command, nodename, nodeport, database, username) VALUES ('* * * * *', "
         "'SELECT 5',"
         " 'localhost', 5432, 'postgres', 'app') RETURNING jobid, nodename, database, username, active, jobname",
         "1|localhost|postgres|app|t|", NULL},
        {NULL,
         "INSERT INTO cron.job (jobname, schedule, command, nodeport) VALUES ('n', '@hourly', 'SELECT 6', 5432) "
         "RETURNING jobid, "
         "username",
         "2|postgres", NULL},
        {NULL, "INSERT INTO cron.job (jobname, schedule, command, nodeport) VALUES ('n', '@hourly', 'SELECT 7', 5432)",
         "ERROR 23505: duplicate key value violates unique constraint \"jobname_username_uniq\"\n"
         "DETAIL: Key (jobname, username)=(n, postgres) already exists.",
         NULL},
        {NULL, "UPDATE cron.job SET active = false, command = 'SELECT 8' WHERE jobid = 1 RETURNING jobid, active",
         "1|f", NULL},
        {NULL, "UPDATE cron.job SET username = 'other', jobname = 'moved' WHERE jobid = 1", "UPDATE 1", NULL},
        {NULL, "UPDATE cron.job SET jobname = NULL WHERE jobid = 2", "UPDATE 1", NULL},
        {NULL, "SELECT jobid, schedule, command, username, active, jobname FROM cron.job ORDER BY jobid",
         "1|* * * * *|SELECT 8|other|f|moved\n2|@hourly|SELECT 6|postgres|t|", NULL},
        {NULL, "DELETE FROM cron.job WHERE jobid = 2 RETURNING jobid", "2", NULL},
        {NULL, "SELECT count(*) FROM cron.job", "1", NULL},
        /* the extension takes what its launcher cannot read, and what it cannot reach */
        {NULL, "INSERT INTO cron.job (schedule, command, nodeport) VALUES ('rubbish', 'x', 5432)",
         "ERROR 22023: invalid schedule: rubbish\nDETAIL: expected five fields (m h dom mon dow), or six with seconds "
         "first, not"
         " 1\nHINT: Use cron format (e.g. 5 4 * * *), or interval format '[1-59] seconds'",
         "INSERT 0 1"},
        {NULL, "INSERT INTO cron.job (schedule, command, nodename, nodeport) VALUES ('* * * * *', 'x', 'db7', 5432)",
         "ERROR 0A000: job for node \"db7\": jobs run on the server that holds them\nHINT: leave nodename away, and "
         "make the job"
         " on that server",
         "INSERT 0 1"},
        {NULL, "INSERT INTO cron.job (schedule, command, nodeport) VALUES ('* * * * *', 'x', 7777)",
         "ERROR 0A000: job for port 7777: jobs run on the server that holds them\nHINT: leave nodeport away; this "
         "server's is"
         " 5432",
         "INSERT 0 1"},
        {NULL, "UPDATE cron.job SET jobid = 77 WHERE jobname = 'moved'",
         "ERROR 0A000: the number of a job cannot be changed\nHINT: make another job: INSERT INTO cron.job (jobid, "
         "...)",
         "UPDATE 1"},
    };
    cron_say_to_both(cluster, steps, COUNT_OF(steps));
}
END_TEST

START_TEST(whom_the_administrator_lets_write_rows_writes_its_own)
{
    static const struct outcome_step steps[] = {
        {"postgres", "GRANT INSERT, UPDATE, DELETE ON cron.job TO app; GRANT USAGE ON SEQUENCE cron.jobid_seq TO app",
         "ERROR 42P01: relation \"cron.jobid_seq\" does not exist", "GRANT"},
        {"postgres", "GRANT INSERT, UPDATE, DELETE ON cron.job TO app", "GRANT", NULL},
        {"other", "SELECT cron.schedule('o', '* * * * *', 'SELECT 1')", "1", NULL},
        {"app",
         "INSERT INTO cron.job (schedule, command, username, nodeport) VALUES ('* * * * *', 'SELECT 1', 'app', 5432) "
         "RETURNING jobid",
         "2", NULL},
        {NULL,
         "INSERT INTO cron.job (schedule, command, username, nodeport) VALUES ('* * * * *', 'SELECT 1', 'other', 5432)",
         "ERROR XX000: must be superuser to create a job for another role",
         "ERROR 42501: new row violates row-level security policy for table \"job\""},
        {NULL, "UPDATE cron.job SET active = false", "UPDATE 1", NULL},
        {NULL, "UPDATE cron.job SET username = 'other'", "ERROR XX000: must be superuser to alter username",
         "ERROR 42501: new row violates row-level security policy for table \"job\""},
        {NULL, "DELETE FROM cron.job", "DELETE 1", NULL},
        {"other", "SELECT jobid, active FROM cron.job", "1|t", NULL},
    };
    cron_say_to_both(cluster, steps, COUNT_OF(steps));
}
END_TEST

START_TEST(a_number_that_is_given_is_kept)
{
    expect("INSERT INTO cron.job (jobid, jobname, schedule, command) VALUES (4711, 'kept', '* * * * *', 'x') RETURNING "
           "jobid",
           "4711");
    expect("SELECT name FROM chime.job WHERE job_id = 4711", "postgres/kept");
    expect("SELECT cron.schedule('later', '* * * * *', 'x')", "4712");
    ck_assert_str_eq(cluster_sqlstate(cluster, "INSERT INTO cron.job (jobid, schedule, command) VALUES "
                                               "(9223372036854775807, '* * * * *', 'x')"),
                     "22003");
    expect("SELECT cron.schedule('last', '* * * * *', 'x')", "4713");
}
END_TEST

/* --- cron.job_run_details ----------------------------------------------------------------------------------------- */

#define ENDED(job, minute, state, sqlstate, message, reason)                                                           \
    "SELECT count(*) FROM chime.finish('" LEDGER_SQL_TOKEN "', ARRAY[" job "::bigint], '{schedule}', ARRAY[at(" minute \
    ")], ARRAY['" state "']::chime.run_state[], ARRAY[at(" minute ")], ARRAY[at(" minute " + 1)], ARRAY[1::bigint], "  \
    "ARRAY[" sqlstate "]::text[], ARRAY[" message "]::text[], ARRAY[" reason "]::text[], '{all}')"

static void run(int minute, const char *end)
{
    char sql[300];
    snprintf(sql, sizeof(sql),
             "SELECT claim(1, 'schedule', (SELECT minute(last_slot) FROM chime.job_state WHERE job_id = 1), %d)",
             minute);
    cluster_execute(cluster, "UPDATE chime.job_state SET last_slot = date_trunc('minute', last_slot) WHERE job_id = 1");
    expect(sql, "granted");
    expect(end, "1");
}

/* A job of app's with its cursor at minute 0 of the tests' time. */
static void make_job(void)
{
    cluster_execute(cluster, "SET SESSION AUTHORIZATION app; SELECT cron.schedule('a', '* * * * *', 'SELECT 1');"
                             "RESET SESSION AUTHORIZATION; UPDATE chime.job_state SET last_slot = at(0)");
}

START_TEST(runs_have_pg_crons_statuses_and_messages)
{
    make_job();
    run(1, ENDED("1", "1", "succeeded", "NULL", "'1 row'", "NULL"));
    run(2, ENDED("1", "2", "failed", "'22012'", "'division by zero'", "NULL"));
    run(3, ENDED("1", "3", "failed", "'22012'", "E'ERROR:  division by zero\\nCONTEXT:  here'", "NULL"));
    run(4,
        ENDED("1", "4", "failed", "'28P01'", "'connection to server failed: FATAL:  no'", "'no session as role app'"));
    run(5, ENDED("1", "5", "timed_out", "NULL", "NULL", "'longer than 5min'"));
    run(6, ENDED("1", "6", "lost", "NULL", "NULL", "'its session is gone'"));
    expect("SELECT skip(1, 'schedule', 6, 7, false, 'all')", "t");
    expect("SELECT claim(1, 'schedule', 7, 8)", "granted");
    static const struct outcome_step steps[] = {
        {"app",
         "SELECT jobid, job_pid, database, username, command, status, return_message, start_time IS NOT NULL, end_time "
         "IS NOT"
         " NULL FROM cron.job_run_details ORDER BY runid",
         "1|4711|postgres|app|SELECT 1|succeeded|1 row|t|t\n"
         "1|4711|postgres|app|SELECT 1|failed|ERROR:  division by zero|t|t\n"
         "1|4711|postgres|app|SELECT 1|failed|ERROR:  division by zero\nCONTEXT:  here|t|t\n"
         "1|4711|postgres|app|SELECT 1|failed|connection to server failed: FATAL:  no|t|t\n"
         "1|4711|postgres|app|SELECT 1|failed|longer than 5min|t|t\n"
         "1|4711|postgres|app|SELECT 1|failed|its session is gone|t|t\n"
         "1|4711|postgres|app|SELECT 1|running||t|f",
         NULL},
        {"other", "SELECT count(*) FROM cron.job_run_details", "0", NULL},
        {"postgres", "SELECT count(*) FROM cron.job_run_details", "7", NULL},
    };
    OUTCOMES_SAY(cluster, steps);
    expect("SELECT retry(1, 'schedule', 8, 'all')", "t");
    expect("SELECT status FROM cron.job_run_details ORDER BY runid DESC LIMIT 1", "starting");
}
END_TEST

START_TEST(runs_keep_the_command_and_the_role_they_ran_by)
{
    make_job();
    run(1, ENDED("1", "1", "succeeded", "NULL", "'1 row'", "NULL"));
    expect("SELECT cron.alter_job(1, command => 'SELECT 2', username => 'other')", "");
    run(2, ENDED("1", "2", "succeeded", "NULL", "'1 row'", "NULL"));
    static const struct outcome_step steps[] = {
        {"app", "SELECT username, command FROM cron.job_run_details", "app|SELECT 1", NULL},
        {"other", "SELECT username, command FROM cron.job_run_details", "other|SELECT 2", NULL},
        {"other", "DELETE FROM cron.job_run_details", "DELETE 1", NULL},
        {"app", "SELECT cron.unschedule(1)", "ERROR XX000: could not find valid entry for job 1", NULL},
        {"app", "SELECT username, command FROM cron.job_run_details", "app|SELECT 1", NULL},
        {"app", "DELETE FROM cron.job_run_details WHERE end_time < now() RETURNING runid IS NOT NULL, status",
         "t|succeeded", NULL},
    };
    OUTCOMES_SAY(cluster, steps);
}
END_TEST

START_TEST(of_the_runs_everybody_deletes_ones_own_and_none_that_is_under_way)
{
    make_job();
    run(1, ENDED("1", "1", "succeeded", "NULL", "'1 row'", "NULL"));
    run(2, ENDED("1", "2", "failed", "'22012'", "'no'", "NULL"));
    expect("SELECT claim(1, 'schedule', 2, 3)", "granted");
    static const struct outcome_step steps[] = {
        {"other", "DELETE FROM cron.job_run_details", "DELETE 0", NULL},
        {"app", "DELETE FROM cron.job_run_details WHERE status = 'failed'", "DELETE 1", NULL},
        {NULL, "DELETE FROM cron.job_run_details", "DELETE 1", NULL},
        {NULL, "SELECT status FROM cron.job_run_details", "running", NULL},
    };
    OUTCOMES_SAY(cluster, steps);
    expect("SELECT finish(1, 'schedule', 3, 'succeeded', 'all')", "t");
}
END_TEST

START_TEST(unscheduling_says_that_a_run_goes_on_and_its_end_is_told_truly)
{
    make_job();
    expect("SELECT claim(1, 'schedule', 0, 1)", "granted");
    cluster_execute(cluster, "SELECT setval('chime.run_id', 1)");
    char notice[200];
    char *run_id = cluster_value(cluster, "SELECT run_id FROM chime.run");
    snprintf(
        notice, sizeof(notice),
        "NOTICE: run %s of this job is under way, and goes on to its end\nHINT: SELECT chime.cancel(%s) stops it\nt",
        run_id, run_id);
    const struct outcome_step steps[] = {
        {"app", "SELECT cron.unschedule('a')", notice, NULL},
        {NULL, "SELECT count(*) FROM cron.job", "0", NULL},
        {NULL, "SELECT status FROM cron.job_run_details", "running", NULL},
    };
    OUTCOMES_SAY(cluster, steps);
    expect("SELECT finish(1, 'schedule', 1, 'succeeded', 'all')", "t");
    expect("SELECT status FROM cron.job_run_details", "succeeded");
    expect("SELECT claim(1, 'schedule', 1, 2)", NULL);
    free(run_id);
}
END_TEST

START_TEST(jobs_that_were_saved_are_inserted_again_with_their_numbers)
{
    static const struct outcome_step steps[] = {
        {"app", "SELECT cron.schedule('a', '* * * * *', 'SELECT 1'), cron.schedule('5 * * * *', 'SELECT 2')", "1|2",
         NULL},
        {"postgres", "CREATE TABLE saved AS SELECT * FROM cron.job", "SELECT 2", NULL},
        {NULL, "DELETE FROM cron.job", "DELETE 2", NULL},
        {NULL, "INSERT INTO cron.job SELECT * FROM saved", "INSERT 0 2", NULL},
        {NULL, "SELECT jobid, schedule, command, username, active, jobname FROM cron.job ORDER BY jobid",
         "1|* * * * *|SELECT 1|app|t|a\n2|5 * * * *|SELECT 2|app|t|", NULL},
        {NULL, "INSERT INTO cron.job SELECT * FROM saved WHERE jobname IS NULL",
         "ERROR 23505: duplicate key value violates unique constraint \"job_pkey\"\n"
         "DETAIL: Key (jobid)=(2) already exists.",
         NULL},
        {NULL, "SELECT jobid FROM cron.job ORDER BY jobid LIMIT 1 FOR UPDATE SKIP LOCKED", "1", NULL},
    };
    cron_say_to_both(cluster, steps, COUNT_OF(steps));
    /* Another job takes the number of one that is gone, and its runs stay those of who ran them. */
    run(1, ENDED("1", "1", "succeeded", "NULL", "'1 row'", "NULL"));
    static const struct outcome_step other[] = {
        {"postgres", "DELETE FROM cron.job WHERE jobid = 1", "DELETE 1", NULL},
        {NULL,
         "INSERT INTO cron.job (jobid, schedule, command, username) VALUES (1, '@daily', 'SELECT 3', 'other') "
         "RETURNING jobid, username, active",
         "1|other|t", NULL},
        {NULL, "SELECT after, channels, options FROM chime.jobs WHERE job_id = 1", "{}|{}|{}", NULL},
        {"app", "SELECT username, command FROM cron.job_run_details", "app|SELECT 1", NULL},
        {"other", "SELECT count(*) FROM cron.job_run_details", "0", NULL},
        {NULL, "SELECT cron.unschedule(1)", "t", NULL},
    };
    OUTCOMES_SAY(cluster, other);
}
END_TEST

/* As pg_dump writes them for a database that has the extension. */
START_TEST(jobs_of_a_dump_are_copied_in_with_their_numbers)
{
    static const char rows[] = "7\t0 3 * * *\tSELECT 1\tlocalhost\t5432\tpostgres\tapp\tt\tnightly\n"
                               "9\t5 * * * *\tSELECT 2\tlocalhost\t5432\topen\tpostgres\tf\t\\N\n";
    static const struct outcome_step steps[] = {
        {"postgres", "SELECT jobid, schedule, database, username, active, jobname FROM cron.job ORDER BY jobid",
         "7|0 3 * * *|postgres|app|t|nightly\n9|5 * * * *|open|postgres|f|", NULL},
        {NULL, "SELECT cron.schedule('later', '@daily', 'SELECT 3') > 9", "t", NULL},
    };
    PGconn *session = cluster_connect(cluster, "postgres");
    PQclear(PQexec(session, "COPY cron.job (jobid, schedule, command, nodename, nodeport, database, username, active,"
                            " jobname) FROM stdin"));
    ck_assert_int_eq(PQputCopyData(session, rows, (int)strlen(rows)), 1);
    ck_assert_int_eq(PQputCopyEnd(session, NULL), 1);
    PGresult *result = PQgetResult(session);
    ck_assert_msg(PQresultStatus(result) == PGRES_COMMAND_OK, "%s", PQresultErrorMessage(result));
    PQclear(result);
    OUTCOMES_SAY(cluster, steps);
    PQfinish(session);
}
END_TEST

START_TEST(functions_work_where_nobody_may_read_the_relations)
{
    static const struct outcome_step steps[] = {
        {"postgres", "REVOKE ALL ON ALL TABLES IN SCHEMA cron FROM PUBLIC", "REVOKE", NULL},
        {NULL, "GRANT EXECUTE ON FUNCTION cron.alter_job TO app", "GRANT", NULL},
        {"app", "SELECT cron.schedule('a', '* * * * *', 'SELECT 1')", "1", NULL},
        {NULL, "SELECT cron.alter_job(1, schedule := '5 * * * *')", "", NULL},
        {NULL, "SELECT cron.unschedule('a')", "t", NULL},
        {NULL, "SELECT * FROM cron.job", "ERROR 42501: permission denied for view job",
         "ERROR 42501: permission denied for table job"},
    };
    cron_say_to_both(cluster, steps, COUNT_OF(steps));
    /* What they call is no way around USAGE on schema cron. */
    cluster_execute(cluster, "GRANT USAGE ON SCHEMA chime TO nologin");
    static const struct outcome_step refused[] = {
        {"nologin", "INSERT INTO chime.cron_call (verb, arguments) VALUES ('unschedule', '{\"job_id\": 1}')",
         "ERROR 42501: permission denied for schema cron", NULL},
        {"app", "SELECT cron.job_call('unschedule', '{\"job_id\": 1}')",
         "ERROR XX000: could not find valid entry for job 1", NULL},
        {NULL, "SELECT cron.job_call('alter', '{\"job_id\": 1, \"restore\": true, \"active\": true}')",
         "ERROR XX000: Job 1 does not exist or you don't own it", NULL},
    };
    OUTCOMES_SAY(cluster, refused);
}
END_TEST

START_TEST(a_message_is_redacted_and_nothing_else_of_a_run_changed)
{
    make_job();
    run(1, ENDED("1", "1", "failed", "'22P02'", "'invalid input: 4711 0815'", "NULL"));
    run(2, ENDED("1", "2", "succeeded", "NULL", "'1 row'", "NULL"));
    static const struct outcome_step steps[] = {
        {"app", "UPDATE cron.job_run_details SET return_message = ''",
         "ERROR 42501: permission denied for view job_run_details", NULL},
        {"postgres", "UPDATE cron.job_run_details SET return_message = 'redacted' WHERE return_message ~ '[0-9]{4}'",
         "UPDATE 1", NULL},
        {NULL, "UPDATE cron.job_run_details SET return_message = NULL WHERE status = 'succeeded'", "UPDATE 1", NULL},
        {NULL, "SELECT status, return_message FROM cron.job_run_details ORDER BY runid",
         "failed|ERROR:  redacted\nsucceeded|", NULL},
        {NULL, "UPDATE cron.job_run_details SET status = 'succeeded'",
         "ERROR 0A000: of a run only return_message can be changed\nHINT: DELETE FROM cron.job_run_details takes a run "
         "away; what to keep beside it belongs in a table of yours",
         NULL},
        {NULL, "INSERT INTO cron.job_run_details (jobid, runid) VALUES (1, 77)",
         "ERROR 0A000: a run cannot be inserted: cron.job_run_details is what ran here\nHINT: for the history of "
         "another server: CREATE TABLE old_runs (LIKE cron.job_run_details), and load it there",
         NULL},
        {NULL, "CREATE TABLE old_runs (LIKE cron.job_run_details)", "CREATE TABLE", NULL},
    };
    OUTCOMES_SAY(cluster, steps);
}
END_TEST

/* The library hides its settings from all but superusers, also when its extension is gone. */
START_TEST(where_pg_cron_is_still_preloaded_everybody_makes_jobs)
{
    if (!cron_extension_is_installed()) {
        return;
    }
    static const char *const settings[] = {"shared_preload_libraries=pg_cron", "cron.enable_superuser_jobs=off", NULL};
    struct cluster *loaded = ledger_sql_install(settings);
    /* In the place of the daemon's role, as which jobs are checked. */
    cluster_execute(loaded, "CREATE ROLE daemon LOGIN; GRANT USAGE ON SCHEMA chime TO daemon;"
                            "GRANT EXECUTE ON FUNCTION chime.check_database, chime.readable_setting TO daemon");
    static const struct outcome_step steps[] = {
        {"daemon", "SELECT current_setting('cron.enable_superuser_jobs')",
         "ERROR 42501: must be superuser or have privileges of pg_read_all_settings to examine "
         "\"cron.enable_superuser_jobs\"",
         NULL},
        {NULL, "SELECT chime.readable_setting('cron.enable_superuser_jobs')", "", NULL},
        {NULL, "SELECT chime.check_database('daemon', 'daemon', NULL)", "", NULL},
        {"postgres", "SELECT chime.check_database('postgres', 'postgres', NULL)",
         "ERROR 42501: cannot schedule jobs as superuser\nDETAIL: Scheduling jobs as superuser is disallowed when "
         "cron.enable_superuser_jobs is set to off.",
         NULL},
    };
    OUTCOMES_SAY(loaded, steps);
    cluster_destroy(loaded);
}
END_TEST

/* --- installing --------------------------------------------------------------------------------------------------- */

START_TEST(installing_again_keeps_jobs_and_what_the_administrator_granted)
{
    make_job();
    cluster_execute(cluster, "GRANT EXECUTE ON FUNCTION cron.alter_job TO app");
    cluster_execute(cluster, "GRANT EXECUTE ON FUNCTION cron.schedule_in_database TO PUBLIC");
    cluster_execute(cluster, migrate_cron_text());
    expect("SELECT count(*) FROM cron.job", "1");
    expect("SELECT has_function_privilege('app', p.oid, 'EXECUTE') FROM pg_proc p WHERE p.proname = 'alter_job'"
           " AND p.pronamespace = 'cron'::regnamespace",
           "t");
    expect("SELECT has_function_privilege('other', p.oid, 'EXECUTE') FROM pg_proc p WHERE p.proname = "
           "'schedule_in_database'",
           "t");
}
END_TEST

START_TEST(beside_the_extension_or_a_schema_of_others_it_is_refused)
{
    struct cluster *real = cron_create_real(cluster);
    if (real != NULL) {
        ledger_sql_migrate(real);
        ck_assert_str_eq(cluster_sqlstate(real, migrate_cron_text()), "55000");
        ck_assert(cluster_true(real, "SELECT count(*) = 0 FROM cron.job"));
        cluster_execute(real, "DROP EXTENSION pg_cron");
        cluster_execute(real, migrate_cron_text());
        cluster_destroy(real);
    }
    cluster_execute(cluster, "DROP SCHEMA cron CASCADE; CREATE SCHEMA cron; CREATE TABLE cron.mine ()");
    ck_assert_str_eq(cluster_sqlstate(cluster, migrate_cron_text()), "42P06");
    cluster_execute(cluster, "DROP TABLE cron.mine; CREATE DOMAIN cron.mine AS text");
    ck_assert_str_eq(cluster_sqlstate(cluster, migrate_cron_text()), "42P06");
}
END_TEST

START_TEST(an_empty_schema_that_somebody_made_for_it_is_filled)
{
    cluster_execute(cluster, "DROP SCHEMA cron CASCADE; CREATE SCHEMA cron; GRANT ALL ON SCHEMA cron TO PUBLIC");
    cluster_execute(cluster, migrate_cron_text());
    EXPECT_SQL(cluster, "SELECT has_schema_privilege('public', 'cron', 'CREATE')", "f");
    EXPECT_SQL(cluster, "SELECT to_regclass('cron.job') IS NOT NULL", "t");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("relations of schema cron");
    TCase *relations = tcase_create("relations");
    tcase_add_checked_fixture(relations, set_up, tear_down);
    tcase_set_timeout(relations, 120);
    tcase_add_test(relations, normal_users_read_their_jobs_and_write_none);
    tcase_add_test(relations, superusers_write_jobs_as_rows);
    tcase_add_test(relations, whom_the_administrator_lets_write_rows_writes_its_own);
    tcase_add_test(relations, a_number_that_is_given_is_kept);
    tcase_add_test(relations, runs_have_pg_crons_statuses_and_messages);
    tcase_add_test(relations, runs_keep_the_command_and_the_role_they_ran_by);
    tcase_add_test(relations, of_the_runs_everybody_deletes_ones_own_and_none_that_is_under_way);
    tcase_add_test(relations, unscheduling_says_that_a_run_goes_on_and_its_end_is_told_truly);
    tcase_add_test(relations, jobs_that_were_saved_are_inserted_again_with_their_numbers);
    tcase_add_test(relations, jobs_of_a_dump_are_copied_in_with_their_numbers);
    tcase_add_test(relations, functions_work_where_nobody_may_read_the_relations);
    tcase_add_test(relations, a_message_is_redacted_and_nothing_else_of_a_run_changed);
    tcase_add_test(relations, where_pg_cron_is_still_preloaded_everybody_makes_jobs);
    tcase_add_test(relations, installing_again_keeps_jobs_and_what_the_administrator_granted);
    tcase_add_test(relations, beside_the_extension_or_a_schema_of_others_it_is_refused);
    tcase_add_test(relations, an_empty_schema_that_somebody_made_for_it_is_filled);
    suite_add_tcase(suite, relations);
    return suite_run(suite);
}
