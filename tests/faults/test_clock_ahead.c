/* SPDX-License-Identifier: PostgreSQL */
/* The database's clock was a month ahead for a while (tests/fixtures/stepped_clock.c): cursors are in the future. It is
 * told, with what mends it; whatever is edited begins from now; no slot runs twice, and none is missed that is still to
 * come. */
#include <check.h>
#include <signal.h>
#include <stdint.h>
#include <stdlib.h>

#include "support/cluster/stepped_cluster.h"
#include "support/daemon/commands.h"
#include "support/daemon/served.h"
#include "support/daemon/sql_jobs.h"
#include "support/ledger/runs.h"
#include "support/process/suite.h"
#include "support/process/wait.h"

#define PATIENCE 60.0
#define MONTH INT64_C(2592000000000)

static char *output;
static char *errors;

static void set_up(void)
{
    cluster = stepped_cluster_create(NULL);
    cluster_execute(cluster, "CREATE TABLE public.effect (at timestamptz DEFAULT clock_timestamp())");
    site = site_create(cluster, "postgres", 4);
    site_job(site, "tick", "schedule = \"1 seconds\"; command = \"INSERT INTO public.effect DEFAULT VALUES\";");
    site_job(site, "hourly", "schedule = \"0 * * * *\"; command = \"SELECT 1\";");
    site_file(site, "alerts", "alerts: { job-missed: { enabled = false; }; };"); /* it would fire for five minutes */
    served = site_lead(site);
    sql_jobs_make(cluster, NULL, "by-sql", "1 seconds", "SELECT 1", NULL);
    runs_await(cluster, "tick", 1);
    stepped_cluster_set(MONTH);
    WAIT_SQL(cluster,
             "SELECT bool_and(s.last_slot > clock_timestamp() - interval '2 h') AND count(*) = 3"
             " FROM chime.job j JOIN chime.job_state s USING (job_id)",
             "t", 2 * PATIENCE);
    WAIT_SQL(cluster,
             "SELECT count(DISTINCT job_id) FROM chime.run_history WHERE state = 'succeeded'"
             " AND slot > clock_timestamp() - interval '2 h'",
             "3", PATIENCE);
    stepped_cluster_set(0);
    daemon_await(served, "warning database main: its clock was stepped by -259", PATIENCE);
}

static void tear_down(void)
{
    free(output);
    free(errors);
    output = errors = NULL;
    served_tear_down();
}

static void ask(int status, const char *command, const char *argument)
{
    commands_expect(status, site_config(site), (const char *const[]){command, argument, NULL}, &output, &errors);
}

/* Since the clock was ahead. */
#define RUNS_NOW(job)                                                                                                 \
    "SELECT count(*) > 0 FROM chime.run_history h JOIN chime.job j USING (job_id) WHERE coalesce(j.job_name, j.name)" \
    " = '" job "' AND state = 'succeeded' AND h.slot <= clock_timestamp()"                                            \
    " AND h.run_id > (SELECT max(f.run_id) FROM chime.run_history f WHERE f.slot > clock_timestamp())"

static void expect_no_slot_twice(void)
{
    site_end(served);
    EXPECT_SQL(cluster,
               "SELECT count(*) FROM chime.run_history h JOIN chime.missed m ON m.job_id = h.job_id"
               " AND h.slot BETWEEN m.first_slot AND m.last_slot",
               "0");
    EXPECT_SQL(cluster,
               "SELECT (SELECT count(*) FROM public.effect) - count(*) FROM chime.run_history JOIN chime.job USING"
               " (job_id) WHERE name = 'tick' AND state = 'succeeded'",
               "0");
}

START_TEST(it_is_told_and_the_statement_that_is_told_mends_it)
{
    ask(8, "status", NULL);
    commands_has(errors, "3 jobs are decided up to a time to come");
    commands_has(errors, "SELECT chime.begin_anew(job_id) FROM chime.job_status WHERE last_slot > now()");
    ask(8, "doctor", NULL);
    commands_has(output, "3 jobs are decided up to a time to come");
    ask(0, "why", "tick");
    commands_has(output, "the clock was ahead, and nothing of it is due until then");
    commands_has(output, "SELECT chime.begin_anew(");
    cluster_execute(cluster, "SELECT chime.begin_anew(job_id) FROM chime.job_status WHERE last_slot > now()");
    WAIT_SQL(cluster, RUNS_NOW("tick"), "t", PATIENCE);
    WAIT_SQL(cluster, RUNS_NOW("by-sql"), "t", PATIENCE);
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.missed WHERE last_slot > now()", "0");
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.job_state WHERE last_slot > clock_timestamp()", "0");
    ask(0, "status", NULL);
    expect_no_slot_twice();
}
END_TEST

START_TEST(a_schedule_that_is_edited_begins_now_whoever_made_the_job)
{
    site_job(site, "tick", "schedule = \"2 seconds\"; command = \"INSERT INTO public.effect DEFAULT VALUES\";");
    daemon_signal(served, SIGHUP);
    sql_jobs_edit(cluster, "by-sql", "schedule = '2 seconds'");
    WAIT_SQL(cluster, RUNS_NOW("tick"), "t", PATIENCE);
    WAIT_SQL(cluster, RUNS_NOW("by-sql"), "t", PATIENCE);
    site_end(served);
    daemon_destroy(served);
    site_job(site, "hourly", "schedule = \"3 seconds\"; command = \"SELECT 1\";"); /* while nothing leads */
    served = site_lead(site);
    WAIT_SQL(cluster, RUNS_NOW("hourly"), "t", PATIENCE);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("clock_ahead");
    TCase *cases = tcase_create("clock_ahead");
    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_set_timeout(cases, 300);
    tcase_add_test(cases, it_is_told_and_the_statement_that_is_told_mends_it);
    tcase_add_test(cases, a_schedule_that_is_edited_begins_now_whoever_made_the_job);
    suite_add_tcase(suite, cases);
    return suite_run(suite);
}
