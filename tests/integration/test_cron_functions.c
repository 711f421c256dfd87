/* SPDX-License-Identifier: PostgreSQL */
/* Schema cron's functions, statement by statement, as different roles. Where the server has the extension pg_cron, the
 * same statements are said to it, too: `other` is what it answers where that differs (Debian's is 1.4, older than the
 * one we follow: no hint beside an invalid schedule, no "N seconds", no
 * "$", and scheduling again leaves the database). */
#include <check.h>
#include <stddef.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "support/cluster/cluster.h"
#include "support/import/cron.h"
#include "support/ledger/outcomes.h"
#include "support/ledger/runs.h"
#include "support/process/suite.h"

#define HINT_FORMAT "\nHINT: Use cron format (e.g. 5 4 * * *), or interval format '[1-59] seconds'"
#define INVALID(text, why) "ERROR 22023: invalid schedule: " text "\nDETAIL: " why HINT_FORMAT
#define INVALID_1_4(text) "ERROR 22023: invalid schedule: " text
#define FIELDS(count) "expected five fields (m h dom mon dow), or six with seconds first, not " count

static struct cluster *cluster;
static struct cluster *real; /* NULL: there is none */

static void set_up(void)
{
    cluster = cron_create();
    real = cron_create_real(cluster);
    if (real == NULL) {
        puts("pg_cron is not there to compare with");
    }
}

static void tear_down(void)
{
    cluster_destroy(real);
    cluster_destroy(cluster);
}

static void expect(const struct outcome_step *steps, size_t count)
{
    outcomes_say(cluster, steps, count, 0);
    if (real != NULL) {
        outcomes_say(real, steps, count, 1);
    }
}

#define JOBS "SELECT jobid, schedule, command, database, username, active, jobname FROM cron.job ORDER BY jobid"

START_TEST(a_job_is_made_and_named_ones_are_made_once)
{
    static const struct outcome_step steps[] = {
        {"app", "SELECT cron.schedule('* * * * *', 'SELECT 1')", "1", NULL},
        {NULL, "SELECT cron.schedule('a', '* * * * *', 'SELECT 1')", "2", NULL},
        {NULL, "SELECT cron.schedule('a', '*/2 * * * *', 'SELECT 2')", "2", NULL},
        {NULL, "SELECT cron.schedule('', '1 * * * *', 'SELECT 3')", "4", NULL},
        {NULL, "SELECT cron.schedule(job_name => 'e', schedule => '  1-5,7  * * * mon ', command => '')", "5", NULL},
        {NULL, JOBS,
         "1|* * * * *|SELECT 1|postgres|app|t|\n2|*/2 * * * *|SELECT 2|postgres|app|t|a\n"
         "4|1 * * * *|SELECT 3|postgres|app|t|\n5|  1-5,7  * * * mon ||postgres|app|t|e",
         NULL},
        {"other", "SELECT cron.schedule('a', '5 * * * *', 'SELECT 4')", "6", NULL},
        {NULL, JOBS, "6|5 * * * *|SELECT 4|postgres|other|t|a", NULL},
        {"postgres", "SELECT count(*) FROM cron.job", "5", NULL},
        {NULL, "SELECT cron.schedule('open', '5 * * * *', 'VACUUM')", "7", NULL},
        {NULL,
         "SELECT pg_typeof(jobid), pg_typeof(schedule), pg_typeof(command), pg_typeof(nodename), pg_typeof(nodeport),"
         " pg_typeof(database), pg_typeof(username), pg_typeof(active), pg_typeof(jobname), nodename, nodeport"
         " FROM cron.job WHERE jobid = 7",
         "bigint|text|text|text|integer|text|text|boolean|text|localhost|5432",
         "bigint|text|text|text|integer|text|text|boolean|name|localhost|5432"},
    };
    expect(steps, COUNT_OF(steps));
}
END_TEST

START_TEST(line_ends_stand_around_a_schedule)
{
    static const struct outcome_step steps[] = {
        {"app", "SELECT cron.schedule('a', E'\\n 5 4 * * *\\r\\n', 'SELECT 1')", "1", NULL},
        {NULL, "SELECT cron.schedule('b', E'@daily\\n', 'SELECT 1')", "2", NULL},
        {NULL, "SELECT string_agg(translate(schedule, E'\\n\\r', 'nr'), '|' ORDER BY jobid) FROM cron.job",
         "n 5 4 * * *rn|@dailyn", NULL},
    };
    expect(steps, COUNT_OF(steps));
}
END_TEST

START_TEST(what_is_null_is_refused_or_answered_with_null)
{
    static const struct outcome_step steps[] = {
        {"app", "SELECT cron.schedule(NULL, 'SELECT 1') IS NULL", "t", NULL},
        {NULL, "SELECT cron.schedule('* * * * *', NULL) IS NULL", "t", NULL},
        {NULL, "SELECT cron.schedule(NULL, '* * * * *', 'SELECT 1')", "ERROR XX000: job_name can not be NULL", NULL},
        {NULL, "SELECT cron.schedule('a', NULL, 'SELECT 1')", "ERROR XX000: schedule can not be NULL", NULL},
        {NULL, "SELECT cron.schedule('a', '* * * * *', NULL)", "ERROR XX000: command can not be NULL", NULL},
        {NULL, "SELECT cron.unschedule(NULL::bigint) IS NULL, cron.unschedule(NULL::text::name) IS NULL", "t|t", NULL},
        {NULL, "SELECT count(*) FROM cron.job", "0", NULL},
        {"postgres", "SELECT cron.alter_job(NULL, active => false)", "ERROR XX000: job_id can not be NULL", NULL},
        {NULL, "SELECT cron.schedule_in_database(NULL, '* * * * *', 'SELECT 1', 'postgres')",
         "ERROR XX000: job_name can not be NULL", NULL},
        {NULL, "SELECT cron.schedule_in_database('y', '* * * * *', 'SELECT 1', NULL) > 0", "t", NULL},
    };
    expect(steps, COUNT_OF(steps));
}
END_TEST

START_TEST(what_is_no_schedule_is_refused_with_the_reason)
{
    static const struct outcome_step steps[] = {
        {"app", "SELECT cron.schedule('bad', 'x')", INVALID("bad", FIELDS("1")), INVALID_1_4("bad")},
        {NULL, "SELECT cron.schedule('* * * *', 'x')", INVALID("* * * *", FIELDS("4")), INVALID_1_4("* * * *")},
        {NULL, "SELECT cron.schedule('@every 5', 'x')",
         INVALID("@every 5", "@every expects a duration from 1s to 36500d, such as 90s, 15m, 2h or 1d"),
         INVALID_1_4("@every 5")},
        {NULL, "SELECT cron.schedule('5 minutes', 'x')",
         INVALID("5 minutes", "the unit of an interval is seconds; minutes are */5 * * * *, hours 0 */2 * * *"),
         INVALID_1_4("5 minutes")},
        {NULL, "SELECT cron.schedule('a', '60 * * * *', 'x')",
         INVALID("60 * * * *",
                 "minute \"60\": expected 0-59; a range a-b or * may have a step (*/5), a list has commas"),
         INVALID_1_4("60 * * * *")},
        {NULL, "SELECT cron.schedule('0 seconds', 'x')", INVALID("0 seconds", "an interval has 1-59 seconds"),
         INVALID_1_4("0 seconds")},
        {NULL, "SELECT count(*) FROM cron.job", "0", NULL},
    };
    expect(steps, COUNT_OF(steps));
}
END_TEST

/* Each with what the extension says. */
START_TEST(its_grammar_is_taken_and_what_it_refuses_is_refused)
{
    static const char *const taken[] = {"0 0 * * 0",
                                        "59 23 31 12 7",
                                        "*/59 */23 * * *",
                                        "1-5/2 * * jan-mar mon",
                                        "0 0 1 JAN,dec SUN",
                                        "@reboot",
                                        "@yearly",
                                        "@annually",
                                        "@monthly",
                                        "@weekly",
                                        "@daily",
                                        "@midnight",
                                        "@hourly",
                                        "1,2-4,*/10 * * * *",
                                        "0 0 * * sun-tue"};
    static const char *const refused[] = {"1/20 * * * *", "0 0 0 * *",  "0 0 32 * *",  "0 0 * 0 *",      "0 0 * 13 *",
                                          "0 0 * * 8",    "-1 * * * *", "*/0 * * * *", "0 0 $,15 * *",   "0 0 L * *",
                                          "0 0 ? * *",    "1, * * * *", ",1 * * * *",  "0 0 * * monday", "@every 5x"};
    for (size_t i = 0; i < 2 * (sizeof(taken) / sizeof(*taken)); i++) {
        size_t n = i / 2;
        struct cluster *server = i % 2 == 0 ? cluster : real;
        char sql[200];
        snprintf(sql, sizeof(sql), "SELECT cron.schedule('%s', 'SELECT 1')", taken[n]);
        ck_assert_msg(server == NULL || *cluster_sqlstate(server, sql) == '\0', "%s", taken[n]);
        snprintf(sql, sizeof(sql), "SELECT cron.schedule('%s', 'SELECT 1')", refused[n]);
        ck_assert_msg(server == NULL || strcmp(cluster_sqlstate(server, sql), "22023") == 0, "%s", refused[n]);
    }
}
END_TEST

/* The table "What it accepts and gets wrong": the extension takes them all in silence. */
START_TEST(what_pg_cron_gets_wrong_is_refused_or_said)
{
    static const struct outcome_step steps[] = {
        {"app", "SELECT cron.schedule('*/30 * * * * *', 'x')",
         "NOTICE: schedule \"*/30 * * * * *\": six fields: \"*/30\" are seconds here; pg_cron read \"*/30 * * * *\" "
         "and ignored"
         " \"*\"\n1",
         "1"},
        {NULL, "SELECT cron.schedule('@yearly', 'x')",
         "NOTICE: schedule \"@yearly\": @yearly runs on the 1st of January at 00:00; pg_cron never ran it\n2", "2"},
        {NULL, "SELECT cron.schedule('0 22-2 * * *', 'x')",
         "NOTICE: schedule \"0 22-2 * * *\": a range whose end is smaller than its start goes round (sat-sun, 22-2); "
         "in pg_cron"
         " it was empty and never ran\n3",
         "3"},
        {NULL, "SELECT cron.schedule('5;3 * * * *', 'x')",
         INVALID("5;3 * * * *",
                 "minute \"5;3\": expected 0-59; a range a-b or * may have a step (*/5), a list has commas"),
         "4"},
        {NULL, "SELECT cron.schedule('1-5-7 * * * *', 'x')",
         INVALID("1-5-7 * * * *",
                 "minute \"1-5-7\": expected 0-59; a range a-b or * may have a step (*/5), a list has commas"),
         "5"},
        {NULL, "SELECT cron.schedule('*foo * * * *', 'x')",
         INVALID("*foo * * * *",
                 "minute \"*foo\": expected 0-59; a range a-b or * may have a step (*/5), a list has commas"),
         "6"},
        {NULL, "SELECT cron.schedule('4294967301 * * * *', 'x')",
         INVALID("4294967301 * * * *",
                 "minute \"4294967301\": expected 0-59; a range a-b or * may have a step (*/5), a list has commas"),
         "7"},
        {NULL, "SELECT cron.schedule('0 0 30 2 *', 'x')",
         INVALID("0 0 30 2 *",
                 "this schedule can never fire: day of month \"30\" does not come in month \"2\", expected a"
                 " day of 1-29"),
         "8"},
        {NULL, "SELECT count(*) FROM cron.job", "3", "8"},
    };
    expect(steps, COUNT_OF(steps));
}
END_TEST

START_TEST(unscheduling_is_for_jobs_of_ones_own)
{
    static const struct outcome_step steps[] = {
        {"app", "SELECT cron.schedule('a', '* * * * *', 'SELECT 1'), cron.schedule('b', '* * * * *', 'SELECT 1')",
         "1|2", NULL},
        {NULL, "SELECT cron.unschedule(99999)", "ERROR XX000: could not find valid entry for job 99999", NULL},
        {NULL, "SELECT cron.unschedule('nope')", "ERROR XX000: could not find valid entry for job 'nope'", NULL},
        /* ours does not tell whether there is one */
        {"other", "SELECT cron.unschedule(1)", "ERROR XX000: could not find valid entry for job 1",
         "ERROR 42501: permission denied for table job"},
        {NULL, "SELECT cron.unschedule('a')", "ERROR XX000: could not find valid entry for job 'a'", NULL},
        {"postgres", "SELECT cron.unschedule('a')", "ERROR XX000: could not find valid entry for job 'a'", NULL},
        {NULL, "SELECT cron.unschedule(2)", "t", NULL},
        {"app", "SELECT cron.unschedule('a')", "t", NULL},
        {NULL, "SELECT cron.unschedule(1)", "ERROR XX000: could not find valid entry for job 1", NULL},
        {NULL, "SELECT cron.schedule('a', '* * * * *', 'SELECT 2')", "3", NULL},
        {NULL, "SELECT cron.unschedule(job_name => 'a')", "t", NULL},
        {NULL, "SELECT count(*) FROM cron.job", "0", NULL},
    };
    expect(steps, COUNT_OF(steps));
}
END_TEST

START_TEST(other_databases_and_roles_are_for_those_who_may)
{
    static const struct outcome_step steps[] = {
        {"app", "SELECT cron.schedule_in_database('x', '* * * * *', 'SELECT 1', 'open')",
         "ERROR 42501: permission denied for function schedule_in_database", NULL},
        {NULL, "SELECT cron.alter_job(1)", "ERROR 42501: permission denied for function alter_job", NULL},
        {"postgres", "GRANT EXECUTE ON FUNCTION cron.schedule_in_database, cron.alter_job TO app", "GRANT", NULL},
        {"app", "SELECT cron.schedule_in_database('x', '* * * * *', 'SELECT 1', 'open')", "1", NULL},
        {NULL, "SELECT cron.schedule_in_database('y', '* * * * *', 'SELECT 1', 'postgres', NULL, false)", "2", NULL},
        {NULL, "SELECT cron.schedule('y', '*/5 * * * *', 'SELECT 9')", "2", NULL},
        {NULL, "SELECT cron.schedule_in_database('z', '* * * * *', 'SELECT 1', 'open', NULL, NULL)", "4", NULL},
        {NULL, "SELECT cron.schedule('z', '* * * * *', 'SELECT 2')", "4", NULL},
        {NULL, JOBS,
         "1|* * * * *|SELECT 1|open|app|t|x\n2|*/5 * * * *|SELECT 9|postgres|app|f|y\n4|* * * * *|SELECT "
         "2|postgres|app|t|z",
         "1|* * * * *|SELECT 1|open|app|t|x\n2|*/5 * * * *|SELECT 9|postgres|app|f|y\n4|* * * * *|SELECT "
         "2|open|app|t|z"},
        {NULL, "SELECT cron.schedule_in_database('o', '* * * * *', 'SELECT 1', 'postgres', 'other')",
         "ERROR XX000: must be superuser to create a job for another role", NULL},
        {NULL, "SELECT cron.schedule_in_database('o', '* * * * *', 'SELECT 1', 'postgres', 'app')",
         "ERROR XX000: must be superuser to create a job for another role", NULL},
        {NULL, "SELECT cron.schedule_in_database('o', '* * * * *', 'SELECT 1', 'nowhere')",
         "ERROR 3D000: database \"nowhere\" does not exist", NULL},
        {NULL, "SELECT cron.schedule_in_database('o', '* * * * *', 'SELECT 1', 'closed')",
         "ERROR XX000: User app does not have CONNECT privilege on closed", NULL},
        {"postgres", "SELECT cron.schedule_in_database('s', '* * * * *', 'SELECT 1', 'postgres', 'nobody_here')",
         "ERROR XX000: role \"nobody_here\" does not exist", NULL},
        {NULL, "SELECT cron.schedule_in_database('s', '* * * * *', 'SELECT 1', 'postgres', 'nologin')",
         "ERROR XX000: role \"nologin\" can not log in\nDETAIL: Jobs may only be run by roles that have the LOGIN "
         "attribute.",
         NULL},
        {NULL, "SELECT cron.schedule_in_database('s', '* * * * *', 'SELECT 1', 'closed', 'app')",
         "ERROR XX000: User app does not have CONNECT privilege on closed", NULL},
        {NULL,
         "SELECT username FROM cron.job WHERE jobid = cron.schedule_in_database('s', '* * * * *', 'SELECT 1', 'open', "
         "'other')",
         "", NULL},
        {NULL, "SELECT username, database FROM cron.job WHERE jobname = 's'", "other|open", NULL},
    };
    expect(steps, COUNT_OF(steps));
}
END_TEST

START_TEST(a_job_is_altered_by_its_owner_and_by_superusers)
{
    static const struct outcome_step steps[] = {
        {"postgres", "GRANT EXECUTE ON FUNCTION cron.alter_job TO app, other", "GRANT", NULL},
        {"app", "SELECT cron.schedule('a', '* * * * *', 'SELECT 1')", "1", NULL},
        {NULL, "SELECT cron.alter_job(1)",
         "ERROR XX000: no updates specified\nHINT: You must specify at least one job attribute to change when calling "
         "alter_job",
         NULL},
        {NULL, "SELECT cron.alter_job(1, active => false)", "", NULL},
        {NULL, "SELECT cron.alter_job(1, schedule => '@hourly', command => 'SELECT 2')", "", NULL},
        {NULL, JOBS, "1|@hourly|SELECT 2|postgres|app|f|a", NULL},
        {NULL, "SELECT cron.alter_job(1, schedule => 'bad')", INVALID("bad", FIELDS("1")), INVALID_1_4("bad")},
        {NULL, "SELECT cron.alter_job(1, username => 'other')", "ERROR XX000: must be superuser to alter username",
         NULL},
        {NULL, "SELECT cron.alter_job(1, username => 'app')", "ERROR XX000: must be superuser to alter username", NULL},
        {NULL, "SELECT cron.alter_job(1, database => 'nowhere')", "ERROR 3D000: database \"nowhere\" does not exist",
         NULL},
        {NULL, "SELECT cron.alter_job(1, database => 'closed')",
         "ERROR XX000: User app does not have CONNECT privilege on closed", NULL},
        {NULL, "SELECT cron.alter_job(99, active => false)", "ERROR XX000: Job 99 does not exist or you don't own it",
         NULL},
        {"other", "SELECT cron.alter_job(1, active => true)", "ERROR XX000: Job 1 does not exist or you don't own it",
         NULL},
        {"postgres", "SELECT cron.alter_job(1, username => 'nobody_here')",
         "ERROR XX000: role \"nobody_here\" does not exist", NULL},
        {NULL, "SELECT cron.alter_job(1, username => 'nologin')",
         "ERROR XX000: role \"nologin\" can not log in\nDETAIL: Jobs may only be run by roles that have the LOGIN "
         "attribute.",
         NULL},
        {NULL, "SELECT cron.alter_job(1, username => 'other', database => 'open', active => true)", "", NULL},
        {NULL, JOBS, "1|@hourly|SELECT 2|open|other|t|a", NULL},
        {"other", "SELECT cron.unschedule('a')", "t", NULL},
    };
    expect(steps, COUNT_OF(steps));
}
END_TEST

START_TEST(inside_a_security_definer_function_the_caller_is_its_owner)
{
    static const struct outcome_step steps[] = {
        {"postgres",
         "GRANT CREATE ON SCHEMA public TO app; CREATE FUNCTION public.as_postgres() RETURNS bigint LANGUAGE sql "
         "SECURITY DEFINER"
         " AS $$SELECT cron.schedule('made', '* * * * *', 'SELECT 1')$$",
         "CREATE FUNCTION", NULL},
        {"app", "SELECT public.as_postgres()", "1", NULL},
        {NULL, "SELECT count(*) FROM cron.job", "0", NULL},
        {"postgres", "SELECT username FROM cron.job", "postgres", NULL},
        {NULL, "SET ROLE app; SELECT cron.schedule('set', '* * * * *', 'SELECT 1')", "2", NULL},
        {NULL, "SELECT username FROM cron.job", "app", NULL},
    };
    expect(steps, COUNT_OF(steps));
}
END_TEST

START_TEST(superusers_jobs_are_refused_where_the_setting_says_so)
{
    EXPECT_SQL(cluster, "SELECT set_config('cron.enable_superuser_jobs', 'off', false)", "off");
    ck_assert_str_eq(cluster_sqlstate(cluster, "SELECT cron.schedule('* * * * *', 'SELECT 1')"), "42501");
    cluster_execute(cluster, "SET SESSION AUTHORIZATION app; SELECT cron.schedule('* * * * *', 'SELECT 1')");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("functions of schema cron");
    TCase *functions = tcase_create("functions");
    tcase_add_checked_fixture(functions, set_up, tear_down);
    tcase_set_timeout(functions, 120);
    tcase_add_test(functions, a_job_is_made_and_named_ones_are_made_once);
    tcase_add_test(functions, line_ends_stand_around_a_schedule);
    tcase_add_test(functions, what_is_null_is_refused_or_answered_with_null);
    tcase_add_test(functions, what_is_no_schedule_is_refused_with_the_reason);
    tcase_add_test(functions, its_grammar_is_taken_and_what_it_refuses_is_refused);
    tcase_add_test(functions, what_pg_cron_gets_wrong_is_refused_or_said);
    tcase_add_test(functions, unscheduling_is_for_jobs_of_ones_own);
    tcase_add_test(functions, other_databases_and_roles_are_for_those_who_may);
    tcase_add_test(functions, a_job_is_altered_by_its_owner_and_by_superusers);
    tcase_add_test(functions, inside_a_security_definer_function_the_caller_is_its_owner);
    tcase_add_test(functions, superusers_jobs_are_refused_where_the_setting_says_so);
    suite_add_tcase(suite, functions);
    return suite_run(suite);
}
