/* SPDX-License-Identifier: PostgreSQL */
/* What people ask for while others are in the way: transactions that stay open, no leader, a queue of requests, a
 * reload. */
#include <check.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "support/cluster/cluster.h"
#include "support/cluster/session.h"
#include "support/daemon/daemon.h"
#include "support/daemon/site.h"
#include "support/ledger/ledger_sql.h"
#include "support/ledger/runs.h"
#include "support/process/files.h"
#include "support/process/suite.h"
#include "support/process/wait.h"

#define EVERY_SECOND "schedule = \"1 seconds\"; command = \"SELECT 1\";"
#define JOB(name) "(SELECT job_id FROM chime.job WHERE name = '" name "')"

static struct cluster *cluster;
static struct site *site;
static struct daemon *served;
static PGconn *person; /* a session of somebody who takes their time */

static void set_up(void)
{
    cluster = ledger_sql_install(NULL);
    site = site_create(cluster, "postgres", 4);
    person = cluster_connect(cluster, "postgres");
}

static void tear_down(void)
{
    PQfinish(person);
    daemon_destroy(served);
    site_destroy(site);
    cluster_destroy(cluster);
}

static void runs_await_more(const char *job, int count)
{
    char *sql = files_path("SELECT count(*) FROM chime.runs WHERE job = '%s' AND finished_at IS NOT NULL", job);
    runs_await(cluster, job, (int)cluster_integer(cluster, sql) + count);
    free(sql);
}

static void stop_leading(void)
{
    site_end(served);
    daemon_destroy(served);
    served = NULL;
}

/* A command about a job; what it says on standard error. */
static char *command(const char *name, const char *job)
{
    const char *const arguments[] = {name, job, "--config", site_config(site), NULL};
    char *errors = NULL;
    int status = daemon_run(arguments, NULL, &errors);
    ck_assert_msg(status == 0, "%s %s: status %d: %s", name, job, status, errors);
    return errors;
}

static void reload(void)
{
    const char *const arguments[] = {"reload", "--config", site_config(site), NULL};
    ck_assert_int_eq(daemon_run(arguments, NULL, NULL), 0);
}

START_TEST(a_transaction_that_stays_open_after_its_request_holds_nobody_up)
{
    site_job(site, "a", EVERY_SECOND);
    site_job(site, "b", EVERY_SECOND);
    served = site_lead(site);
    runs_await(cluster, "a", 1);
    session_execute(person, "BEGIN; SELECT chime.suspend(" JOB("a") ", 'too noisy')");
    runs_await_more("a", 3);
    session_execute(person, "COMMIT");
    WAIT_SQL(cluster, "SELECT suspend_reason FROM chime.job_status WHERE name = 'a'", "too noisy", 10);
    session_execute(person, "BEGIN; SELECT chime.resume(" JOB("a") ")");
    runs_await_more("b", 3);
    EXPECT_SQL(cluster, "SELECT suspended_by FROM chime.job_status WHERE name = 'a'", "postgres");
    session_execute(person, "COMMIT");
    runs_await_more("a", 1);
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.leadership", "1");
}
END_TEST

START_TEST(a_request_is_shown_until_the_leader_has_granted_it)
{
    site_job(site, "a", EVERY_SECOND);
    served = site_lead(site);
    stop_leading();
    EXPECT_SQL(cluster, "SELECT chime.suspend(" JOB("a") ", 'why')", "t");
    EXPECT_SQL(cluster, "SELECT chime.suspend(" JOB("a") ", 'why')", "f");
    EXPECT_SQL(cluster, "SELECT concat_ws(' ', request, suspended_by) FROM chime.job_status", "suspend");
    EXPECT_SQL(cluster,
               "SELECT concat_ws(' ', suspended, suspended_by, reason, granted) FROM chime.suspension(" JOB("a") ")",
               "t postgres why f");
    served = site_lead(site);
    WAIT_SQL(cluster, "SELECT coalesce(request, 'none') FROM chime.job_status", "none", 10);
    EXPECT_SQL(cluster, "SELECT concat_ws(' ', suspended_by, suspend_reason) FROM chime.job_status", "postgres why");
    EXPECT_SQL(cluster, "SELECT chime.suspend(" JOB("a") ", 'why')", "f");
    EXPECT_SQL(cluster, "SELECT chime.resume(" JOB("a") ")", "t");
    EXPECT_SQL(cluster, "SELECT chime.resume(" JOB("a") ")", "f");
    WAIT_SQL(cluster, "SELECT concat(request, suspended_at, suspended_by, suspend_reason) FROM chime.job_status", "",
             10);
}
END_TEST

START_TEST(a_job_suspended_while_nobody_led_does_not_start_when_somebody_does)
{
    site_job(site, "a", EVERY_SECOND);
    served = site_lead(site);
    runs_await(cluster, "a", 1);
    stop_leading();
    char *said = command("suspend", "a");
    ck_assert_msg(strstr(said, "nobody leads this database") != NULL, "%s", said);
    free(said);
    cluster_execute(cluster, "CREATE TABLE before AS SELECT max(slot) AS slot FROM chime.runs");
    WAIT_SQL(cluster, "SELECT now() > slot + interval '2 s' FROM before", "t", 10);
    served = site_lead(site);
    WAIT_SQL(cluster, "SELECT suspended_by FROM chime.job_state", "postgres", 10);
    said = command("resume", "a");
    ck_assert_str_eq(said, ""); /* it waited until that was done */
    free(said);
    EXPECT_SQL(cluster, "SELECT concat(suspended_by, request) FROM chime.job_status", "");
    runs_await_more("a", 1);
    EXPECT_SQL(cluster,
               "SELECT count(*) FROM chime.runs r, chime.missed m, before b"
               " WHERE r.slot > b.slot AND r.slot <= m.last_slot",
               "0");
    EXPECT_SQL(cluster, "SELECT string_agg(reason, ';') FROM chime.missed", "resumed by postgres");
}
END_TEST

START_TEST(slots_after_a_suspension_that_ended_while_nobody_led_are_caught_up)
{
    site_job(site, "a", EVERY_SECOND);
    served = site_lead(site);
    runs_await(cluster, "a", 1);
    stop_leading();
    cluster_execute(cluster, "CREATE TABLE over AS SELECT clock_timestamp() + interval '1500 ms' AS at;"
                             "SELECT chime.suspend(" JOB("a") ", NULL, at) FROM over");
    WAIT_SQL(cluster, "SELECT now() > at + interval '2500 ms' FROM over", "t", 10);
    served = site_lead(site);
    runs_await_more("a", 1);
    EXPECT_SQL(
        cluster,
        "SELECT max(last_slot) <= max(at) FROM chime.missed, over WHERE reason LIKE 'the suspension by postgres%'",
        "t");
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.missed WHERE reason LIKE 'catchup is latest%'", "1");
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.job_state WHERE suspended_at IS NULL", "1");
}
END_TEST

/* What was missed is written before the resumption is acknowledged: else the next leader would run it. */
START_TEST(slots_of_a_suspension_stay_missed_when_the_leader_is_lost_as_it_ends)
{
    site_job(site, "a", EVERY_SECOND " catchup = \"all\";");
    served = site_lead(site);
    runs_await(cluster, "a", 1);
    cluster_execute(cluster, "SELECT chime.suspend(" JOB("a") ")");
    WAIT_SQL(cluster, "SELECT suspended_by FROM chime.job_state", "postgres", 10);
    cluster_execute(cluster, "CREATE TABLE since AS SELECT clock_timestamp() AS at");
    WAIT_SQL(cluster, "SELECT now() > at + interval '2 s' FROM since", "t", 10);
    session_execute(person, "BEGIN; LOCK TABLE chime.missed IN EXCLUSIVE MODE");
    cluster_execute(cluster, "SELECT chime.resume(" JOB("a") ")");
    WAIT_SQL(cluster,
             "SELECT count(pg_terminate_backend(pid)) > 0 FROM pg_locks"
             " WHERE relation = 'chime.missed'::regclass AND NOT granted",
             "t", 30);
    session_execute(person, "ROLLBACK");
    runs_await_more("a", 1);
    EXPECT_SQL(cluster,
               "SELECT count(*) > 0 FROM chime.missed, since WHERE reason = 'resumed by postgres' AND last_slot > at",
               "t");
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.runs, since WHERE slot BETWEEN at AND at + interval '2 s'", "0");
}
END_TEST

START_TEST(no_queue_of_requests_keeps_other_requests_from_the_leader)
{
    site_job(site, "busy", NEVER_DUE "command = \"SELECT pg_sleep(100)\";");
    site_job(site, "a", EVERY_SECOND);
    served = site_lead(site);
    runs_ask(cluster, "busy");
    runs_await_running(cluster, "busy");
    cluster_execute(cluster, "INSERT INTO chime.request (job_id, slot) SELECT " JOB(
                                 "busy") ", now() + n * interval '1 ms' FROM generate_series(1, 1200) n");
    cluster_execute(cluster, "SELECT chime.suspend(" JOB("busy") "); SELECT chime.cancel_run(run_id) FROM chime.run r"
                                                                 " WHERE r.job_id = " JOB("busy"));
    runs_await(cluster, "busy", 1);
    EXPECT_RUN(cluster, "busy", "state::text", "cancelled");
    EXPECT_SQL(cluster,
               "SELECT string_agg(verb || ' ' || n, ',') FROM (SELECT verb, count(*) AS n FROM chime.request"
               " GROUP BY verb) q",
               "run 1200");
}
END_TEST

/* The ledger is held up between the leader's look at the clock and its own: a new schedule begins where the old one
 * ended. */
START_TEST(no_slot_gets_lost_where_one_schedule_ends_and_another_begins)
{
    site_job(site, "a", NEVER_DUE "command = \"SELECT 1\";");
    served = site_lead(site);
    site_job(site, "a", EVERY_SECOND);
    /* Of the leader's own row, what it looks for every ten seconds might wait before it. */
    session_execute(person, "BEGIN; SELECT FROM chime.job WHERE name = 'a' FOR UPDATE");
    daemon_signal(served, SIGHUP);
    WAIT_SQL(cluster,
             "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%sync_jobs%'", "1",
             30);
    cluster_execute(cluster, "CREATE TABLE seen AS SELECT clock_timestamp() AS at");
    WAIT_SQL(cluster, "SELECT now() > at + interval '3 s' FROM seen", "t", 10);
    session_execute(person, "COMMIT");
    runs_await(cluster, "a", 2);
    EXPECT_SQL(cluster, "SELECT min(slot) <= max(at) + interval '1 s' FROM chime.runs, seen", "t");
}
END_TEST

START_TEST(a_removed_job_gets_no_further_attempt)
{
    cluster_execute(cluster, "CREATE SEQUENCE tries");
    site_job(site, "b", EVERY_SECOND);
    site_job(site, "a",
             NEVER_DUE
             "command = \"SELECT 1 / (nextval('tries') - 1)\"; max_attempts = 5; delivery = \"transactional\";"
             " retry_on = [\"22012\"]; backoff: { initial = \"100s\"; max = \"100s\"; };");
    served = site_lead(site);
    runs_ask(cluster, "a");
    WAIT_SQL(cluster, "SELECT count(*) FROM chime.run WHERE retry_at IS NOT NULL", "1", 10);
    site_remove(site, "a");
    reload();
    runs_await(cluster, "a", 1);
    EXPECT_RUN(cluster, "a", "concat_ws(' ', state, reason)",
               "cancelled the job was removed before this attempt could start");
    EXPECT_SQL(cluster, "SELECT last_value FROM tries", "1");
    runs_await_more("b", 1);
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.leadership", "1");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("suspend_faults");
    TCase *cases = tcase_create("suspend_faults");
    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_set_timeout(cases, 120);
    tcase_add_test(cases, a_transaction_that_stays_open_after_its_request_holds_nobody_up);
    tcase_add_test(cases, a_request_is_shown_until_the_leader_has_granted_it);
    tcase_add_test(cases, a_job_suspended_while_nobody_led_does_not_start_when_somebody_does);
    tcase_add_test(cases, slots_after_a_suspension_that_ended_while_nobody_led_are_caught_up);
    tcase_add_test(cases, slots_of_a_suspension_stay_missed_when_the_leader_is_lost_as_it_ends);
    tcase_add_test(cases, no_queue_of_requests_keeps_other_requests_from_the_leader);
    tcase_add_test(cases, no_slot_gets_lost_where_one_schedule_ends_and_another_begins);
    tcase_add_test(cases, a_removed_job_gets_no_further_attempt);
    suite_add_tcase(suite, cases);
    return suite_run(suite);
}
