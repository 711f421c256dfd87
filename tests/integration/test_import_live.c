/* SPDX-License-Identifier: PostgreSQL */
/* Jobs change hands while both sides run: the extension pg_cron, and a daemon of ours that leads. The server's clock is
 * stepped to the end of each minute, so that minutes take seconds. Where the extension is not installed there is
 * nothing to test. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "support/cluster/stepped_cluster.h"
#include "support/daemon/commands.h"
#include "support/daemon/daemon.h"
#include "support/daemon/site.h"
#include "support/import/cron.h"
#include "support/ledger/runs.h"
#include "support/process/files.h"
#include "support/process/suite.h"
#include "support/process/wait.h"

#define PATIENCE 60.0

static struct cluster *cluster;
static struct site *site;
static struct daemon *served;
static char *from;
static char *output;
static char *errors;

/* Where our ledger is: beside pg_cron, or in another database of the server. */
static const char *const ledgers[] = {"app", "jobs"};
static const char *ledger;

#define IMPORT(...)                       \
    commands_expect(0, site_config(site), \
                    (const char *const[]){"import", "pg_cron", "--from", from, __VA_ARGS__, NULL}, &output, &errors)

static void make_source(void)
{
    cluster_create_database(cluster, "app");
    cluster_use(cluster, "app");
    cluster_execute(cluster,
                    "CREATE ROLE worker LOGIN; CREATE EXTENSION pg_cron; GRANT USAGE ON SCHEMA cron TO worker;"
                    "CREATE TABLE effect (job text, slot timestamptz, who text); GRANT INSERT ON effect TO worker;"
                    "CREATE FUNCTION work(job text, seconds float) RETURNS void LANGUAGE plpgsql AS $$"
                    " DECLARE began timestamptz := clock_timestamp();"
                    " BEGIN PERFORM pg_sleep(seconds); INSERT INTO effect VALUES (job, date_trunc('minute', began),"
                    "  CASE WHEN current_setting('application_name') LIKE 'pgchime%' THEN 'ours' ELSE 'theirs' END);"
                    " END $$;"
                    "SET SESSION AUTHORIZATION worker;"
                    "SELECT cron.schedule('quick', '* * * * *', $$SELECT work('quick', 0)$$);"
                    "SELECT cron.schedule('slow', '* * * * *', $$SELECT work('slow', 4)$$)");
    cluster_execute(cluster, "RESET SESSION AUTHORIZATION");
}

static void set_up(void)
{
    static const char *const settings[] = {"shared_preload_libraries=pg_cron", "cron.database_name=app",
                                           "cron.use_background_workers=on", "max_worker_processes=20", NULL};
    cluster = stepped_cluster_create(settings);
    make_source();
    from = cluster_conninfo(cluster, "app");
}

static void tear_down(void)
{
    daemon_destroy(served);
    site_destroy(site);
    free(from);
    free(output);
    free(errors);
    cluster_destroy(cluster);
}

/* Until both jobs ran at `count` more minutes. */
static void pass_minutes(int count)
{
    for (int i = 0; i < count; i++) {
        stepped_cluster_skip_to_second(cluster, 56); /* first: a minute may end meanwhile, and its slot is skipped */
        char *slot = cluster_value(cluster, "SELECT date_trunc('minute', clock_timestamp() + interval '1 minute')");
        char *sql = files_path("SELECT count(*) FROM effect WHERE slot = '%s'", slot);
        WAIT_SQL(cluster, sql, "2", PATIENCE);
        free(slot);
        free(sql);
    }
}

/* Of each job the minutes at which one side ran it. */
#define MINUTES "string_agg(job || to_char(slot AT TIME ZONE 'UTC', ' HH24:MI'), ', ' ORDER BY job, slot)"

static void expect_same(const char *what, const char *database, const char *sql, const char *expected_sql)
{
    cluster_use(cluster, "app");
    char *expected = cluster_value(cluster, expected_sql);
    cluster_use(cluster, database);
    char *found = cluster_value(cluster, sql);
    ck_assert_msg(found != NULL && expected != NULL && strcmp(found, expected) == 0, "%s:\n%s\neffects:\n%s", what,
                  found, expected);
    free(expected);
    free(found);
}

START_TEST(no_minute_runs_twice_or_is_lost_as_jobs_go_and_come_back)
{
    ledger = ledgers[_i];
    if (strcmp(ledger, "app") != 0)
        cluster_create_database(cluster, ledger);
    site = site_create(cluster, ledger, 2);
    served = site_lead(site);
    pass_minutes(2);
    IMPORT("--yes");
    cluster_execute(cluster, "CREATE TABLE taken AS SELECT clock_timestamp() AS at");
    pass_minutes(3);
    IMPORT("--rollback", "--yes");
    cluster_execute(cluster, "CREATE TABLE given AS SELECT clock_timestamp() AS at");
    pass_minutes(2);
    /* At least 2, 3 and 2 minutes: one more where setting up passed a minute. */
    EXPECT_SQL(
        cluster,
        "SELECT string_agg(sides, ' ' ORDER BY job)"
        " FROM (SELECT job, string_agg(who, ',' ORDER BY slot) FILTER (WHERE who IS DISTINCT FROM before) AS sides"
        " FROM (SELECT *, lag(who) OVER (PARTITION BY job ORDER BY slot) AS before FROM effect) AS e GROUP BY job) AS "
        "s",
        "theirs,ours,theirs theirs,ours,theirs");
    EXPECT_SQL(
        cluster,
        "SELECT bool_and(whole) FROM (SELECT max(slot) - min(slot) = (count(DISTINCT slot) - 1) * interval '1 minute'"
        " AND count(*) = count(DISTINCT slot) AS whole FROM effect GROUP BY job) AS e",
        "t");
    EXPECT_SQL(cluster,
               "SELECT bool_and((who = 'ours') = (slot BETWEEN taken.at AND given.at)) FROM effect, taken, given", "t");
    expect_same("pg_cron's ledger", "app",
                "SELECT " MINUTES " FROM (SELECT j.jobname AS job, date_trunc('minute', d.start_time) AS slot"
                " FROM cron.job_run_details d JOIN cron.job j USING (jobid)) AS d",
                "SELECT " MINUTES " FROM effect WHERE who = 'theirs'");
    expect_same("ours", ledger,
                "SELECT " MINUTES " FROM (SELECT j.job_name AS job, h.slot FROM chime.run_history h JOIN chime.job j"
                " USING (job_id)) AS h",
                "SELECT " MINUTES " FROM effect WHERE who = 'ours'");
    EXPECT_SQL(cluster, "SELECT string_agg(DISTINCT state::text, ',') FROM chime.run_history", "succeeded");
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.missed", "0");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("import_live");
    TCase *cases = tcase_create("import_live");
    tcase_set_timeout(cases, 500);
    tcase_add_checked_fixture(cases, set_up, tear_down);
    if (!cron_extension_is_installed()) {
        fprintf(stderr, "postgresql-15-cron is not installed: nothing is tested\n");
        return 0;
    }
    tcase_add_loop_test(cases, no_minute_runs_twice_or_is_lost_as_jobs_go_and_come_back, 0, (int)COUNT_OF(ledgers));
    suite_add_tcase(suite, cases);
    return suite_run(suite) != 0;
}
