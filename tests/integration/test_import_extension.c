/* SPDX-License-Identifier: PostgreSQL */
/* `pgchime import pg_cron` from the extension itself, as it runs its jobs; and that calendar/pg_cron takes the texts
 * that it takes. Where the extension is not installed there is nothing to test. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "calendar/pg_cron.h"
#include "calendar/schedule.h"
#include "support/import/cron.h"
#include "support/import/import_stage.h"
#include "support/ledger/runs.h"
#include "support/process/suite.h"
#include "support/process/wait.h"
#include "support/schedule/random_schedule.h"

#define TEXTS 3000

static void set_up(void)
{
    static const char *const settings[] = {"shared_preload_libraries=pg_cron", "cron.database_name=app",
                                           "cron.use_background_workers=on", "max_worker_processes=20", NULL};
    cluster = cluster_create(settings);
    cluster_create_database(cluster, "app");
    cluster_use(cluster, "app");
    cluster_execute(cluster, "CREATE EXTENSION pg_cron");
    import_stage_aim("app");
    import_stage_migrate();
}

static void tear_down(void)
{
    import_stage_forget();
    stage_clear();
}

/* --- what it takes ------------------------------------------------------------------------------------------------ */

static void put_text(struct buffer *text, struct random *random)
{
    static const char *const pieces[] = {
        "*",    "*",          "*",  "*/5",     "0",    "7",     "1-5",        "5-1",   "1,2",  "sat-sun",
        "mon",  "JAN-mar",    "60", "*/0",     "1/20", "5;3",   "1-5-7",      "*foo",  "31",   "007",
        "*/40", "8",          ",1", "1,",      "a",    "-1",    "1-",         "*-5",   "**",   "1*",
        "*,3",  "4294967301", "32", "12",      "13",   "23",    "2147483648", "1-5/2", "5-1/", "1--2",
        "dec",  "24",         "59", "1-5/100", "x",    "@daily"};
    static const char *const others[] = {"@hourly",   "@yearly", "@daily x",       "@HOURLY",     "@",
                                         "@monthlyx", "",        "# a\n* * * * *", "\n0 0 * * *", "@reboot\t1"};
    if (random_chance(random, 3)) {
        buffer_puts(text, others[random_within(random, 0, (int64_t)COUNT_OF(others) - 1)]);
        return;
    }
    int64_t fields = random_chance(random, 80) ? 5 : random_within(random, 3, 7);
    for (int64_t i = 0; i < fields; i++) {
        buffer_puts(text, i == 0 ? (random_chance(random, 5) ? " " : "")
                                 : (random_chance(random, 5)   ? "\t "
                                    : random_chance(random, 1) ? "\n"
                                                               : " "));
        buffer_puts(text, random_chance(random, 60) ? pieces[random_within(random, 0, 10)]
                                                    : pieces[random_within(random, 0, (int64_t)COUNT_OF(pieces) - 1)]);
    }
}

START_TEST(the_texts_that_it_takes_are_those_that_we_think_it_takes)
{
    struct random random = {.state = 20261122};
    int taken = 0;
    cluster_execute(cluster, "CREATE FUNCTION takes(t text) RETURNS boolean LANGUAGE plpgsql AS $$ BEGIN"
                             " PERFORM cron.schedule(t, ''); DELETE FROM cron.job; RETURN true;"
                             " EXCEPTION WHEN OTHERS THEN RETURN false; END $$");
    for (int i = 0; i < TEXTS; i++) {
        struct buffer text = {0};
        struct buffer query = {0};
        char *equivalent;
        put_text(&text, &random);
        bool ours = pg_cron_read(buffer_text(&text), &equivalent) != PG_CRON_REFUSES;
        buffer_printf(&query, "SELECT takes($t$%s$t$)", buffer_text(&text));
        ck_assert_msg(cluster_true(cluster, buffer_text(&query)) == ours, "\"%s\": we think %s", buffer_text(&text),
                      ours ? "it does" : "it does not");
        taken += ours ? 1 : 0;
        free(equivalent);
        buffer_finish(&query);
        buffer_finish(&text);
    }
    ck_assert_int_gt(taken, TEXTS / 10);
    ck_assert_int_lt(taken, TEXTS * 9 / 10);
}
END_TEST

/* --- while it runs ------------------------------------------------------------------------------------------------ */

static instant instant_of(const char *sql)
{
    instant at;
    char *text = cluster_value(cluster, sql);
    ck_assert_msg(text != NULL && instant_parse(text, &at, NULL), "%s: %s", sql, text != NULL ? text : "NULL");
    free(text);
    return at;
}

/* What a leader does with the job's cursor, up to when it is taken away. */
static void run_ours(const char *since_sql, const char *until_sql)
{
    struct schedule schedule;
    char text[INSTANT_TEXT_SIZE];
    instant until = instant_of(until_sql);
    ck_assert(schedule_parse("* * * * *", &schedule, NULL));
    for (instant slot = schedule_next(&schedule, instant_of(since_sql)); slot <= until;
         slot = schedule_next(&schedule, slot)) {
        cluster_execute_format(cluster, "INSERT INTO effect VALUES ('%s', 'pgchime')", instant_format(slot, text));
    }
}

#define UTC(value) "SELECT to_char(" value " AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"
#define LAST "(SELECT max(slot) FROM effect WHERE who = 'pg_cron')"

START_TEST(every_minute_runs_once_through_import_and_rollback)
{
    cluster_execute(cluster, "CREATE TABLE effect (slot timestamptz, who text);"
                             "SELECT cron.schedule('tick', '* * * * *', $$INSERT INTO effect VALUES"
                             " (date_trunc('minute', clock_timestamp()), 'pg_cron')$$);"
                             "SELECT cron.schedule('long', '* * * * *', 'SELECT pg_sleep(8)')");
    WAIT_SQL(cluster, "SELECT count(*) > 0 FROM effect", "t", 80);
    IMPORT(0, "--yes");
    EXPECT_SQL(cluster, "SELECT count(*) FROM cron.job WHERE active", "0");
    /* The long one was waited for. */
    EXPECT_SQL(cluster, "SELECT count(*) FROM cron.job_run_details WHERE status <> 'succeeded'", "0");
    EXPECT_SQL(cluster, "SELECT bool_and(date_trunc('minute', since) >= " LAST ") FROM chime.job", "t");
    WAIT_SQL(cluster,
             "SELECT clock_timestamp() > max(date_trunc('minute', since)) + interval '63 seconds' FROM chime.job", "t",
             80);
    EXPECT_SQL(cluster, "SELECT " LAST " <= (SELECT since FROM chime.job WHERE job_name = 'tick')", "t");
    char *since = cluster_value(cluster, UTC("since") " FROM chime.job WHERE job_name = 'tick'");
    char *since_sql = xasprintf("SELECT '%s'", since);
    IMPORT(0, "--rollback", "--yes");
    run_ours(since_sql, UTC("at") " FROM chime.imported WHERE job ->> 'jobname' = 'tick'");
    WAIT_SQL(cluster, "SELECT " LAST " > (SELECT max(at) FROM chime.imported)", "t", 80);
    EXPECT_SQL(cluster, "SELECT count(*) FROM effect WHERE who = 'pgchime'", "1");
    EXPECT_SQL(cluster,
               "SELECT count(*) = count(DISTINCT slot) AND max(slot) - min(slot) = (count(*) - 1) * interval '1 minute'"
               " FROM effect",
               "t");
    free(since);
    free(since_sql);
}
END_TEST

/* As on hosts whose administrator is no superuser: it reads cron.job, and changes jobs by cron.alter_job alone. */
START_TEST(who_may_only_call_alter_job_hands_jobs_over_and_back)
{
    cluster_execute(cluster, "CREATE ROLE manager LOGIN BYPASSRLS; GRANT USAGE ON SCHEMA cron TO manager;"
                             "GRANT EXECUTE ON FUNCTION cron.alter_job(bigint,text,text,text,text,boolean) TO manager;"
                             "SET ROLE manager; SELECT cron.schedule('yearly', '0 0 1 1 *', 'SELECT 1'); RESET ROLE");
    char *manager = cluster_conninfo_as(cluster, "manager", "app");
    IMPORT(0, "--from", manager, "--yes");
    EXPECT_SQL(cluster, "SELECT active FROM cron.job", "f");
    EXPECT_SQL(cluster, "SELECT concat_ws('|', job_name, owner, active) FROM chime.job WHERE origin = 'sql'",
               "yearly|manager|t");
    IMPORT(0, "--from", manager, "--rollback", "--yes");
    EXPECT_SQL(cluster, "SELECT active FROM cron.job", "t");
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.job WHERE origin = 'sql' AND active", "0");
    free(manager);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("import_extension");
    TCase *cases = tcase_create("import_extension");
    tcase_set_timeout(cases, 500);
    tcase_add_checked_fixture(cases, set_up, tear_down);
    if (!cron_extension_is_installed()) {
        fprintf(stderr, "postgresql-15-cron is not installed: nothing is tested\n");
        return 0;
    }
    tcase_add_test(cases, the_texts_that_it_takes_are_those_that_we_think_it_takes);
    tcase_add_test(cases, every_minute_runs_once_through_import_and_rollback);
    tcase_add_test(cases, who_may_only_call_alter_job_hands_jobs_over_and_back);
    suite_add_tcase(suite, cases);
    return suite_run(suite);
}
