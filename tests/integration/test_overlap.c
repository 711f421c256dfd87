/* SPDX-License-Identifier: PostgreSQL */
/* overlap_policy cancel_previous through a real daemon: what is recorded of a run that its successor ends, also where
 * the daemon dies in between. Which run is cancelled for what is in unit/test_scheduler_supersede.c. */
#include <check.h>
#include <signal.h>
#include <stdlib.h>

#include "support/daemon/served.h"
#include "support/ledger/runs.h"
#include "support/process/suite.h"
#include "support/process/wait.h"

#define NEWEST "overlap_policy = \"cancel_previous\"; catchup = \"latest\"; "
#define OF_JOB " FROM chime.run_history h JOIN chime.job j USING (job_id) WHERE j.name = 'job'"

static void set_up(void)
{
    served_set_up(2);
    cluster_execute(cluster, "CREATE TABLE t (at timestamptz DEFAULT clock_timestamp());");
}

static void stop(void)
{
    site_end(served);
    daemon_destroy(served);
    served = NULL;
}

/* Every second from the first to the last is on record once, as a run, skipped or missed. */
static void expect_whole(void)
{
    EXPECT_SQL(cluster,
               "WITH slots AS (SELECT slot AS first, slot AS last, 1 AS n" OF_JOB " AND kind = 'schedule'"
               "  UNION ALL SELECT first_slot, last_slot, slots FROM chime.missed JOIN chime.job USING (job_id) WHERE "
               "name = 'job') "
               "SELECT sum(n) = extract(epoch FROM max(last) - min(first)) + 1 FROM slots",
               "t");
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.run", "0");
}

START_TEST(a_slot_ends_the_run_before_it_and_the_record_names_the_successor)
{
    site_job(site, "job",
             "schedule = \"1 seconds\"; delivery = \"transactional\"; " NEWEST
             "command = \"INSERT INTO t DEFAULT VALUES; SELECT pg_sleep(600)\";");
    served = site_lead(site);
    runs_await(cluster, "job", 4);
    site_job(site, "job", "schedule = \"1 seconds\"; delivery = \"transactional\"; " NEWEST "command = \"SELECT 1\";");
    site_reload(site, served);
    WAIT_FOR(cluster_true(cluster, "SELECT EXISTS (SELECT" OF_JOB " AND state = 'succeeded')"), 60);
    stop();
    /* Each names the slot of the run after it. */
    EXPECT_SQL(cluster,
               "SELECT count(*) >= 3 AND bool_and(reason = format('overlap: cancelled for its successor, the run of "
               "slot %s', to_char(next AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')))"
               " FROM (SELECT h.*, lead(slot) OVER (ORDER BY slot) AS next" OF_JOB " AND state = 'cancelled') h"
               " WHERE next IS NOT NULL",
               "t");
    EXPECT_SQL(cluster, "SELECT count(*) FROM t", "0");
    expect_whole();
}
END_TEST

/* The first cancel is taken and not obeyed: the run is being cancelled while the daemon dies. */
#define STUBBORN                                                             \
    "DO $b$ BEGIN PERFORM pg_sleep(600); EXCEPTION WHEN query_canceled THEN" \
    " PERFORM pg_advisory_lock(7), pg_sleep(600); END $b$"

START_TEST(a_run_that_was_being_cancelled_when_the_daemon_died_ends_once)
{
    site_job(
        site, "job",
        "schedule = \"1 seconds\"; " NEWEST
        "cancel_grace = \"10min\"; delivery = \"transactional\"; max_attempts = 100; backoff: { initial = \"1ms\"; };"
        "command = \"INSERT INTO t DEFAULT VALUES; " STUBBORN "\";");
    served = site_lead(site);
    WAIT_FOR(cluster_true(cluster, "SELECT EXISTS (SELECT FROM pg_locks WHERE locktype = 'advisory' AND objid = 7)"),
             60);
    daemon_kill(served);
    daemon_destroy(served);
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.run", "1");
    site_job(site, "job",
             "schedule = \"1 seconds\"; " NEWEST
             "delivery = \"transactional\"; command = \"INSERT INTO t DEFAULT VALUES\";");
    served = site_lead(site);
    WAIT_FOR(cluster_true(cluster, "SELECT count(*) >= 2" OF_JOB " AND state = 'succeeded'"), 60);
    stop();
    EXPECT_SQL(cluster, "SELECT (SELECT count(*) FROM t) = (SELECT count(*)" OF_JOB " AND state = 'succeeded')", "t");
    expect_whole();
}
END_TEST

START_TEST(a_notification_ends_the_run_of_the_one_before_of_a_job_made_by_sql)
{
    served = site_lead(site);
    cluster_execute(cluster, "SELECT chime.schedule('job', NULL, 'SELECT pg_sleep(600)', channels => '{knock}',"
                             " options => '{\"overlap_policy\": \"cancel_previous\"}')");
    WAIT_FOR(cluster_true(cluster, "SELECT 'knock' = ANY (channels) AND state = 'listening' FROM chime.listener"), 60);
    cluster_execute(cluster, "NOTIFY knock, 'one'");
    WAIT_FOR(cluster_true(cluster, "SELECT EXISTS (SELECT FROM chime.run)"), 60);
    cluster_execute(cluster, "NOTIFY knock, 'two'");
    WAIT_FOR(cluster_true(cluster, "SELECT EXISTS (SELECT FROM chime.run_history WHERE kind = 'event' AND state = "
                                   "'cancelled' AND reason LIKE 'overlap: cancelled for its successor, the run of "
                                   "the notification at %')"),
             60);
    WAIT_FOR(cluster_true(cluster, "SELECT EXISTS (SELECT FROM chime.run)"), 60);
    daemon_kill(served);
}
END_TEST

static Suite *suite(void)
{
    Suite *all = suite_create("overlap");
    TCase *cases = tcase_create("overlap");
    tcase_add_checked_fixture(cases, set_up, served_tear_down);
    tcase_set_timeout(cases, 120);
    tcase_add_test(cases, a_slot_ends_the_run_before_it_and_the_record_names_the_successor);
    tcase_add_test(cases, a_run_that_was_being_cancelled_when_the_daemon_died_ends_once);
    tcase_add_test(cases, a_notification_ends_the_run_of_the_one_before_of_a_job_made_by_sql);
    suite_add_tcase(all, cases);
    return all;
}

int main(void)
{
    return suite_run(suite());
}
