/* SPDX-License-Identifier: PostgreSQL */
/* The daemon and its server: who leads, what happens when a session or a side goes, how it ends, what it costs. */
#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/cluster/cluster.h"
#include "support/daemon/daemon.h"
#include "support/daemon/site.h"
#include "support/ledger/ledger_sql.h"
#include "support/ledger/runs.h"
#include "support/process/files.h"
#include "support/process/process.h"
#include "support/process/suite.h"
#include "support/process/wait.h"

static struct cluster *cluster;
static struct site *site;
static struct daemon *served;
static struct daemon *second;

static void set_up(void)
{
    cluster = ledger_sql_install(NULL);
    site = site_create(cluster, "postgres", 4);
    cluster_execute(
        cluster,
        "CREATE TABLE t (job text, pid int DEFAULT pg_backend_pid(), at timestamptz DEFAULT clock_timestamp())");
}

static void tear_down(void)
{
    daemon_destroy(second);
    daemon_destroy(served);
    site_destroy(site);
    cluster_destroy(cluster);
}

/* A light load with a run in flight at nearly every moment. */
static void write_load(void)
{
    site_job(
        site, "plain",
        "schedule = \"1 seconds\"; command = \"INSERT INTO t SELECT 'plain' FROM pg_sleep(0.4)\"; catchup = \"all\";");
    site_job(site, "own",
             "schedule = \"1 seconds\"; command = \"INSERT INTO t SELECT 'own' FROM pg_sleep(0.4)\"; catchup = \"all\";"
             " delivery = \"transactional\"; backoff: { initial = \"10ms\"; coefficient = 1.0; jitter = 0.0; };");
    site_job(site, "latest", "schedule = \"1 seconds\"; command = \"INSERT INTO t VALUES ('latest')\";");
}

/* Slots are whole, and what the jobs did is what the ledger says. */
static void assert_nothing_lost(void)
{
    EXPECT_SQL(cluster,
               "WITH slots AS (SELECT job_id, slot AS first, slot AS last, 1 AS n FROM chime.run_history WHERE kind = "
               "'schedule'"
               " UNION ALL SELECT job_id, first_slot, last_slot, slots FROM chime.missed"
               " UNION ALL SELECT job_id, slot, slot, 1 FROM chime.run)"
               " SELECT bool_and(whole) FROM (SELECT sum(n) = extract(epoch FROM max(last) - min(first)) + 1"
               " AND bool_and(n = extract(epoch FROM last - first) + 1) AS whole FROM slots GROUP BY job_id) s",
               "t");
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.missed JOIN chime.job USING (job_id) WHERE name <> 'latest'", "0");
    EXPECT_SQL(cluster,
               "SELECT (SELECT count(*) FROM t WHERE job = 'own') - (SELECT count(*) FROM chime.run_history"
               " JOIN chime.job USING (job_id) WHERE name = 'own' AND state = 'succeeded')",
               "0");
    EXPECT_SQL(cluster,
               "SELECT (SELECT count(*) FROM t WHERE job = 'plain') BETWEEN count(*) FILTER (WHERE state = 'succeeded')"
               " AND count(*) FILTER (WHERE state IN ('succeeded', 'lost'))"
               " FROM chime.run_history JOIN chime.job USING (job_id) WHERE name = 'plain'",
               "t");
}

static void await_more_runs(void)
{
    char *successes = cluster_value(cluster, "SELECT count(*) FROM chime.run_history WHERE state = 'succeeded'");
    char *sql = files_path("SELECT count(*) >= %s + 4 FROM chime.run_history WHERE state = 'succeeded'", successes);

    WAIT_SQL(cluster, sql, "t", 20);
    free(sql);
    free(successes);
}

static void await_epoch(int epoch, double seconds)
{
    char *sql = files_path("SELECT l.epoch = %d AND chime.backend_alive(l.pid, l.backend_start) FROM chime.leader l",
                           epoch);

    WAIT_SQL(cluster, sql, "t", seconds);
    free(sql);
}

/* --- sessions and servers go -------------------------------------------------------------------------------------- */

START_TEST(losing_the_leader_session_loses_nothing)
{
    write_load();
    served = site_lead(site);
    await_more_runs();
    for (int epoch = 2; epoch <= 4; epoch++) {
        runs_await_running(cluster, "plain");
        cluster_execute(cluster, "SELECT pg_terminate_backend(pid) FROM chime.leader");
        await_epoch(epoch, 5);
        await_more_runs();
    }
    site_end(served);
    assert_nothing_lost();
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.leadership", "4");
}
END_TEST

START_TEST(losing_every_session_loses_nothing)
{
    write_load();
    served = site_lead(site);
    await_more_runs();
    for (int i = 0; i < 3; i++) {
        runs_await_running(cluster, "own");
        cluster_execute(
            cluster, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'pgchime%'");
        await_more_runs();
    }
    site_end(served);
    assert_nothing_lost();
}
END_TEST

static void stop_and_start(enum cluster_stop_mode mode)
{
    write_load();
    served = site_lead(site);
    await_more_runs();
    runs_await_running(cluster, "plain");
    cluster_stop(cluster, mode);
    WAIT_FOR(daemon_said(served, "database main: "), 10);
    cluster_start(cluster);
    await_epoch(2, 5);
    await_more_runs();
    ck_assert(daemon_is_running(served));
    site_end(served);
    assert_nothing_lost();
}

START_TEST(a_server_stopped_and_started_is_led_again_within_five_seconds)
{
    stop_and_start(CLUSTER_FAST);
}
END_TEST

START_TEST(a_server_stopped_at_once_and_started_is_led_again_within_five_seconds)
{
    stop_and_start(CLUSTER_IMMEDIATE);
}
END_TEST

START_TEST(a_crash_of_the_server_leaves_the_plain_run_lost_and_repeats_the_transactional)
{
    cluster_execute(cluster, "CREATE SEQUENCE tries");
    site_job(site, "plain", NEVER_DUE "command = \"INSERT INTO t SELECT 'plain' FROM pg_sleep(60)\";");
    site_job(site, "own",
             NEVER_DUE "command = \"INSERT INTO t SELECT 'own' FROM pg_sleep(CASE WHEN EXISTS (SELECT FROM "
                       "chime.attempt) THEN 0 ELSE 60 END)\";"
                       " delivery = \"transactional\"; backoff: { initial = \"10ms\"; };");
    served = site_lead(site);
    runs_ask(cluster, "plain");
    runs_ask(cluster, "own");
    runs_await_running(cluster, "plain");
    runs_await_running(cluster, "own");
    /* A backend that dies takes the others with it: the postmaster starts all over. */
    kill((pid_t)cluster_integer(cluster,
                                "SELECT r.pid FROM chime.run r JOIN chime.job USING (job_id) WHERE name = 'plain'"),
         SIGKILL);
    WAIT_SQL(cluster, "SELECT count(*) FROM chime.run_history", "2", 30);
    EXPECT_RUN(cluster, "plain", "concat_ws(' ', state, attempt, reason)",
               "lost 1 its session is gone and its outcome is unknown");
    EXPECT_RUN(cluster, "own", "concat_ws(' ', state, attempt)", "succeeded 2");
    EXPECT_SQL(cluster, "SELECT state FROM chime.attempt", "lost");
    EXPECT_SQL(cluster, "SELECT string_agg(job, ' ') FROM t", "own");
}
END_TEST

START_TEST(a_server_that_is_absent_at_the_start_is_waited_for)
{
    site_job(site, "job", "schedule = \"1 seconds\"; command = \"SELECT 1\";");
    cluster_stop(cluster, CLUSTER_FAST);
    served = site_serve(site, NULL, NULL);
    WAIT_FOR(daemon_said(served, "database main: "), 10);
    cluster_start(cluster);
    await_epoch(1, 5);
    runs_await(cluster, "job", 1);
}
END_TEST

/* --- more than one daemon ----------------------------------------------------------------------------------------- */

static void lead_and_follow(void)
{
    served = site_serve(site, "first", NULL);
    site_await_leading(served);
    second = site_serve(site, "second", NULL);
    WAIT_FOR(daemon_said(second, "first leads; following"), 10);
}

START_TEST(a_second_daemon_follows_and_takes_over_when_the_first_is_killed)
{
    write_load();
    lead_and_follow();
    await_more_runs();
    EXPECT_SQL(cluster, "SELECT instance FROM chime.leader", "first");
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.leadership", "1");
    runs_await_running(cluster, "plain");
    daemon_kill(served);
    await_epoch(2, 3);
    EXPECT_SQL(cluster, "SELECT instance FROM chime.leader", "second");
    await_more_runs();
    site_end(second);
    assert_nothing_lost();
    EXPECT_SQL(cluster, "SELECT count(DISTINCT instance) FROM chime.runs", "2");
}
END_TEST

START_TEST(a_follower_takes_over_when_the_leader_resigns)
{
    write_load();
    lead_and_follow();
    site_end(served);
    await_epoch(2, 3);
    await_more_runs();
    site_end(second);
    assert_nothing_lost();
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.run_history WHERE state = 'lost'", "0");
}
END_TEST

/* --- two versions ------------------------------------------------------------------------------------------------- */

static void migrate_beyond(void)
{
    cluster_execute(cluster, "INSERT INTO chime.migration (number, name, version) VALUES (9000, 'future', '99')");
}

START_TEST(a_leader_gives_the_leader_lock_up_to_a_newer_version_once_its_runs_have_ended)
{
    write_load();
    site_job(site, "long", NEVER_DUE "command = \"SELECT pg_advisory_lock(1), pg_advisory_unlock(1)\";");
    served = site_lead(site);
    await_more_runs();
    cluster_execute(cluster, "SELECT pg_advisory_lock(1)");
    runs_ask(cluster, "long");
    runs_await_running(cluster, "long");
    migrate_beyond();
    WAIT_FOR(daemon_said(served, "newer than the"), 10);
    EXPECT_SQL(cluster, "SELECT token IS NOT NULL FROM chime.leader", "t");
    cluster_execute(cluster, "SELECT pg_advisory_unlock(1)");
    WAIT_SQL(cluster, "SELECT token IS NULL FROM chime.leader", "t", 20);
    EXPECT_RUN(cluster, "long", "state", "succeeded");
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.run_history WHERE state = 'lost'", "0");
    cluster_execute(cluster, "DELETE FROM chime.migration WHERE number = 9000");
    await_epoch(2, 10);
    await_more_runs();
    site_end(served);
    assert_nothing_lost();
}
END_TEST

START_TEST(a_follower_takes_no_leader_lock_in_a_schema_that_a_newer_version_migrated)
{
    write_load();
    lead_and_follow();
    daemon_signal(served, SIGSTOP);
    migrate_beyond();
    daemon_kill(served);
    WAIT_FOR(daemon_said(second, "newer than the"), 10);
    EXPECT_SQL(cluster, "SELECT concat_ws(' ', instance, epoch) FROM chime.leader", "first 1");
    cluster_execute(cluster, "DELETE FROM chime.migration WHERE number = 9000");
    await_epoch(2, 10);
    EXPECT_SQL(cluster, "SELECT instance FROM chime.leader", "second");
}
END_TEST

/* Of a job that has no slot meanwhile. */
static void outcome_ends_the_leadership(const char *job)
{
    char *forget = files_path("UPDATE chime.job_state SET last_outcome = NULL WHERE job_id IN (SELECT job_id FROM "
                              "chime.job WHERE name = '%s')",
                              job);
    char *words = files_path("a last outcome of job \"%s\", which this pgchime does not know", job);
    char *set = files_path("UPDATE chime.job_state SET last_outcome = 'future'"
                           " WHERE job_id IN (SELECT job_id FROM chime.job WHERE name = '%s');"
                           " SELECT pg_terminate_backend(pid) FROM chime.leader",
                           job);
    cluster_execute(cluster, set);
    daemon_await(served, words, 20);
    cluster_execute(cluster, forget);
    await_more_runs();
    free(set);
    free(words);
    free(forget);
}

/* Written by hand here: no program of today writes it. */
START_TEST(a_value_that_the_program_does_not_know_ends_the_leadership_and_not_the_process)
{
    write_load();
    site_job(site, "yearly", "schedule = \"0 0 1 1 *\"; command = \"SELECT 1\";");
    served = site_lead(site);
    await_more_runs();
    cluster_execute(cluster, "SELECT chime.schedule('made', '0 0 1 1 *', 'SELECT 1')");
    cluster_execute(cluster, "ALTER TYPE chime.run_kind ADD VALUE 'future'");
    cluster_execute(cluster, "ALTER TYPE chime.run_state ADD VALUE 'future'");
    cluster_execute(cluster, "INSERT INTO chime.request (job_id, verb, kind, slot) SELECT job_id, 'cancel', 'future',"
                             " clock_timestamp() FROM chime.job WHERE name = 'plain'");
    daemon_await(served, "the ledger has a run of kind \"future\", which this pgchime does not know", 20);
    cluster_execute(cluster,
                    "DELETE FROM chime.request WHERE kind = 'future'; INSERT INTO chime.run (job_id, kind, slot,"
                    " token, epoch) SELECT job_id, 'future', clock_timestamp(), gen_random_uuid(), 1"
                    " FROM chime.job WHERE name = 'plain'");
    WAIT_SQL(cluster, "SELECT count(*) > 1 FROM chime.leadership", "t", 60);
    cluster_execute(cluster, "DELETE FROM chime.run WHERE kind = 'future'");
    await_more_runs();
    outcome_ends_the_leadership("yearly");
    char *made = cluster_value(cluster, "SELECT name FROM chime.job WHERE job_name = 'made'");
    outcome_ends_the_leadership(made);
    free(made);
    ck_assert(daemon_is_running(served));
    site_end(served);
    assert_nothing_lost();
}
END_TEST

/* --- the end ------------------------------------------------------------------------------------------------------ */

START_TEST(sigterm_lets_runs_end_and_gives_up_the_leader_lock)
{
    site_job(site, "job", NEVER_DUE "command = \"INSERT INTO t SELECT 'job' FROM pg_sleep(1)\";");
    served = site_lead(site);
    runs_ask(cluster, "job");
    runs_await_running(cluster, "job");
    site_end(served);
    EXPECT_RUN(cluster, "job", "state", "succeeded");
    EXPECT_SQL(cluster, "SELECT token IS NULL AND pid IS NULL FROM chime.leader", "t");
    WAIT_SQL(cluster, "SELECT count(*) FROM pg_stat_activity WHERE application_name LIKE 'pgchime%'", "0", 5);
}
END_TEST

START_TEST(a_second_sigterm_cancels_what_still_runs_and_records_it)
{
    site_job(site, "job", NEVER_DUE "command = \"SELECT pg_sleep(60)\";");
    served = site_lead(site);
    runs_ask(cluster, "job");
    runs_await_running(cluster, "job");
    daemon_signal(served, SIGTERM);
    WAIT_FOR(daemon_said(served, "runs in flight are waited for"), 5);
    site_end(served);
    EXPECT_RUN(cluster, "job", "concat_ws(' ', state, sqlstate)", "cancelled 57014");
    EXPECT_SQL(cluster, "SELECT token IS NULL FROM chime.leader", "t");
}
END_TEST

/* One session, on which "long" goes on while this test holds a lock; "brief" was claimed for it too, and handed
 * back. */
static void have_one_handed_back(void)
{
    site_destroy(site);
    site = site_create(cluster, "postgres", 1);
    site_job(site, "long", NEVER_DUE "command = \"SELECT pg_advisory_lock(1), pg_advisory_unlock(1)\"; priority = 1;");
    site_job(site, "brief", NEVER_DUE "command = \"INSERT INTO t VALUES ('brief')\";");
    served = site_lead(site);
    cluster_execute(cluster, "SELECT pg_advisory_lock(1)");
    cluster_execute(cluster, "INSERT INTO chime.request (job_id) SELECT job_id FROM chime.job");
    runs_await_running(cluster, "long");
    WAIT_SQL(cluster, "SELECT pid IS NULL FROM chime.run JOIN chime.job USING (job_id) WHERE name = 'brief'", "t", 10);
}

static void assert_next_leader_runs_brief(void)
{
    daemon_destroy(served);
    served = site_lead(site);
    runs_await(cluster, "brief", 1);
    EXPECT_RUN(cluster, "brief", "concat_ws(' ', state, attempt)", "succeeded 1");
    EXPECT_SQL(cluster, "SELECT count(*) FROM t", "1");
}

START_TEST(what_was_claimed_and_never_started_is_run_by_whoever_leads_after_sigterm)
{
    have_one_handed_back();
    daemon_signal(served, SIGTERM);
    WAIT_FOR(daemon_said(served, "runs in flight are waited for"), 5);
    cluster_execute(cluster, "SELECT pg_advisory_unlock(1)");
    ck_assert_int_eq(daemon_wait(served, 20), 0);
    EXPECT_RUN(cluster, "long", "state", "succeeded");
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.run WHERE pid IS NOT NULL", "0");
    assert_next_leader_runs_brief();
}
END_TEST

START_TEST(what_was_claimed_and_never_started_is_run_by_whoever_leads_after_a_kill)
{
    have_one_handed_back();
    daemon_kill(served);
    cluster_execute(cluster, "SELECT pg_advisory_unlock(1)");
    assert_next_leader_runs_brief();
}
END_TEST

START_TEST(what_is_in_doubt_after_sigterm_is_judged_before_the_leader_lock_is_given_up)
{
    site_job(site, "own",
             NEVER_DUE
             "command = \"SELECT pg_advisory_lock(1), pg_advisory_unlock(1)\"; delivery = \"transactional\";");
    served = site_lead(site);
    cluster_execute(cluster, "SELECT pg_advisory_lock(1)");
    runs_ask(cluster, "own");
    runs_await_running(cluster, "own");
    daemon_signal(served, SIGTERM);
    WAIT_FOR(daemon_said(served, "runs in flight are waited for"), 5);
    cluster_execute(cluster,
                    "UPDATE chime.run SET token = gen_random_uuid()"); /* the end of the run finds no row of its own */
    cluster_execute(cluster, "SELECT pg_advisory_unlock(1)");
    ck_assert_int_eq(daemon_wait(served, 20), 0);
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.run WHERE pid IS NOT NULL", "0");
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.attempt WHERE state = 'lost'", "1");
}
END_TEST

START_TEST(once_ends_when_nothing_is_due)
{
    site_job(site, "job", "schedule = \"0 0 1 1 *\"; command = \"INSERT INTO t VALUES ('job')\";");
    served = site_lead(site);
    site_end(served);
    cluster_execute(cluster, "UPDATE chime.job SET since = since - interval '366 days';"
                             "UPDATE chime.job_state SET last_slot = last_slot - interval '366 days'");
    daemon_destroy(served);
    served = site_serve(site, NULL, (const char *const[]){"--once", NULL});
    ck_assert_int_eq(daemon_wait(served, 20), 0);
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.run", "0");
    EXPECT_SQL(cluster, "SELECT (SELECT count(*) FROM chime.run_history) + (SELECT sum(slots) FROM chime.missed)", "1");
    EXPECT_SQL(cluster, "SELECT token IS NULL FROM chime.leader", "t");
}
END_TEST

START_TEST(for_ends_after_its_time)
{
    served = site_serve(site, NULL, (const char *const[]){"--for", "1s", NULL});
    ck_assert_int_eq(daemon_wait(served, 20), 0);
    EXPECT_SQL(cluster, "SELECT token IS NULL FROM chime.leader", "t");
}
END_TEST

/* --- what it keeps and costs -------------------------------------------------------------------------------------- */

START_TEST(history_lies_in_daily_partitions_made_ahead_and_dropped_late)
{
    site_job(site, "job", "schedule = \"1 seconds\"; command = \"SELECT 1\";");
    served = site_lead(site);
    runs_await(cluster, "job", 1);
    EXPECT_SQL(cluster,
               "SELECT count(*) FROM generate_series(0, 7) n WHERE to_regclass('chime.run_history_' ||"
               " to_char((now() AT TIME ZONE 'UTC')::date + n, 'YYYYMMDD')) IS NULL",
               "0");
    EXPECT_SQL(cluster,
               "SELECT bool_and(tableoid::regclass::text = 'chime.run_history_' || to_char(slot AT TIME ZONE 'UTC', "
               "'YYYYMMDD'))"
               " FROM chime.run_history",
               "t");
    site_end(served);
    daemon_destroy(served);
    cluster_execute(cluster, "CREATE TABLE chime.run_history_20010203 PARTITION OF chime.run_history FOR VALUES"
                             " FROM ('2001-02-03 00:00Z') TO ('2001-02-04 00:00Z')");
    served = site_lead(site);
    EXPECT_SQL(cluster, "SELECT to_regclass('chime.run_history_20010203')", NULL);
}
END_TEST

#define MANY 10000
#define QUIET_SECONDS 10
#define TICKS_MAX 2 /* 0.1 % of a core in ten seconds is one; the counter may be one off */

static void write_many_jobs(void)
{
    size_t size = (size_t)MANY * 120 + 100;
    char *text = malloc(size);
    size_t length = (size_t)snprintf(text, size, "jobs: {\n");

    for (int i = 0; i < MANY; i++)
        length += (size_t)snprintf(text + length, size - length,
                                   "job-%05d: { " NEVER_DUE "command = \"SELECT public.work(%d)\"; };\n", i, i);
    snprintf(text + length, size - length, "};\n");
    site_file(site, "many", text);
    free(text);
}

START_TEST(ten_thousand_jobs_that_are_not_due_cost_next_to_nothing)
{
    if (getenv("PGCHIME_TEST_SLOWNESS") != NULL)
        return; /* a sanitizer's memory and time say nothing */
    write_many_jobs();
    served = site_lead(site);
    int pid = daemon_pid(served);
    /* Two of the server's seconds for the start to end in, then ten of quiet. */
    char *from = cluster_value(cluster, "SELECT clock_timestamp() + interval '2 s'");
    char *begun = files_path("SELECT clock_timestamp() >= '%s'::timestamptz", from);
    char *over = files_path("SELECT clock_timestamp() >= '%s'::timestamptz + interval '%d s'", from, QUIET_SECONDS);
    WAIT_SQL(cluster, begun, "t", 20);
    long ticks = process_ticks(pid);
    WAIT_SQL(cluster, over, "t", 30);
    ticks = process_ticks(pid) - ticks;
    long memory = process_private_kb(pid);
    printf("%d jobs: %ld kB of its own, %ld ticks of %ld in %d s\n", MANY, memory, ticks,
           QUIET_SECONDS * sysconf(_SC_CLK_TCK), QUIET_SECONDS);
    fflush(stdout);
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.job WHERE active", "10000");
    ck_assert_int_lt(memory, 20 * 1024);
    ck_assert_int_le(ticks, TICKS_MAX);
    free(from);
    free(begun);
    free(over);
}
END_TEST

/* What administrators do to the ledger by hand. */
#define EVERY_SECOND "schedule = \"1 seconds\"; command = \"SELECT 1\";"
#define RUNS_AFTER(moment)                                                                             \
    "SELECT count(*) > 1 FROM chime.run_history JOIN chime.job USING (job_id) WHERE name = 'touched' " \
    "AND slot > " moment

START_TEST(a_cursor_from_before_its_schedule_counts_is_told_and_begins_where_that_does)
{
    site_job(site, "touched", EVERY_SECOND);
    served = site_lead(site);
    WAIT_SQL(cluster, RUNS_AFTER("'-infinity'"), "t", 20);
    site_end(served);
    daemon_destroy(served);
    cluster_execute(cluster, "UPDATE chime.job SET since = now();"
                             "UPDATE chime.job_state SET last_slot = now() - interval '1 hour'");
    served = site_lead(site);
    daemon_await(served, "job touched: its cursor was before its schedule began to count", 20);
    WAIT_SQL(cluster, RUNS_AFTER("(SELECT since FROM chime.job)"), "t", 20);
    EXPECT_SQL(cluster, "SELECT epoch FROM chime.leader", "2");
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.missed", "0");
}
END_TEST

START_TEST(a_job_whose_cursor_was_deleted_is_told_and_begins_anew)
{
    site_job(site, "touched", EVERY_SECOND);
    served = site_lead(site);
    WAIT_SQL(cluster, RUNS_AFTER("'-infinity'"), "t", 20);
    cluster_execute(cluster, "CREATE TABLE deleted AS SELECT clock_timestamp() AS at; DELETE FROM chime.job_state");
    daemon_await(served, "job touched: its cursor was gone: it begins anew", 30);
    WAIT_SQL(cluster, RUNS_AFTER("(SELECT at FROM deleted)"), "t", 20);
}
END_TEST

START_TEST(a_job_made_by_sql_whose_cursor_was_deleted_is_told_and_begins_anew)
{
    served = site_lead(site);
    cluster_execute(cluster, "INSERT INTO chime.job (name, job_name, owner, origin, schedule, command, options)"
                             " VALUES ('', 'touched', current_user, 'sql', '1 second', 'SELECT 1', '{}')");
    WAIT_SQL(cluster, "SELECT count(*) > 1 FROM chime.run_history", "t", 20);
    cluster_execute(cluster, "CREATE TABLE deleted AS SELECT clock_timestamp() AS at; DELETE FROM chime.job_state");
    daemon_await(served, "touched: its cursor was gone: it begins anew", 30);
    WAIT_SQL(cluster, "SELECT count(*) > 1 FROM chime.run_history, deleted WHERE slot > at", "t", 20);
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.job_status WHERE name LIKE '%touched'", "1");
}
END_TEST

START_TEST(a_cursor_is_a_time_that_a_schedule_can_have)
{
    site_job(site, "touched", NEVER_DUE "command = \"SELECT 1\";");
    served = site_lead(site);
    ck_assert_str_eq(cluster_sqlstate(cluster, "UPDATE chime.job_state SET last_slot = 'infinity'"), "23514");
    ck_assert_str_eq(cluster_sqlstate(cluster, "UPDATE chime.job_state SET last_slot = '-infinity'"), "23514");
    ck_assert_str_eq(cluster_sqlstate(cluster, "UPDATE chime.job_state SET last_slot = '10000-01-01'"), "23514");
    ck_assert_str_eq(cluster_sqlstate(cluster, "UPDATE chime.job SET since = '0001-01-01 BC'"), "23514");
}
END_TEST

/* The pause is the server's to tell: a busy machine makes it longer. */
START_TEST(a_leadership_that_ends_at_once_is_tried_again_after_a_growing_pause)
{
    site_job(site, "touched", EVERY_SECOND);
    served = site_lead(site);
    cluster_execute(cluster, "ALTER TABLE chime.run ADD CONSTRAINT touched CHECK (run_id / 0 > 0) NOT VALID");
    WAIT_SQL(cluster, "SELECT epoch > 4 FROM chime.leader", "t", 60);
    EXPECT_SQL(cluster,
               "SELECT min(pause) > interval '1 second' FROM (SELECT epoch, since - lag(since) OVER (ORDER BY epoch)"
               " AS pause FROM chime.leadership) p WHERE epoch > 4",
               "t");
    cluster_execute(cluster, "ALTER TABLE chime.run DROP CONSTRAINT touched");
    WAIT_SQL(cluster, RUNS_AFTER("(SELECT since FROM chime.leader)"), "t", 30);
}
END_TEST

static Suite *suite(void)
{
    Suite *all = suite_create("leadership");
    TCase *cases = tcase_create("leadership");
    TCase *touched = tcase_create("touched");

    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_set_timeout(cases, 180);
    tcase_add_checked_fixture(touched, set_up, tear_down);
    tcase_set_timeout(touched, 180);
    tcase_add_test(cases, losing_the_leader_session_loses_nothing);
    tcase_add_test(cases, losing_every_session_loses_nothing);
    tcase_add_test(cases, a_server_stopped_and_started_is_led_again_within_five_seconds);
    tcase_add_test(cases, a_server_stopped_at_once_and_started_is_led_again_within_five_seconds);
    tcase_add_test(cases, a_crash_of_the_server_leaves_the_plain_run_lost_and_repeats_the_transactional);
    tcase_add_test(cases, a_server_that_is_absent_at_the_start_is_waited_for);
    tcase_add_test(cases, a_second_daemon_follows_and_takes_over_when_the_first_is_killed);
    tcase_add_test(cases, a_follower_takes_over_when_the_leader_resigns);
    tcase_add_test(cases, a_leader_gives_the_leader_lock_up_to_a_newer_version_once_its_runs_have_ended);
    tcase_add_test(cases, a_follower_takes_no_leader_lock_in_a_schema_that_a_newer_version_migrated);
    tcase_add_test(cases, sigterm_lets_runs_end_and_gives_up_the_leader_lock);
    tcase_add_test(cases, a_second_sigterm_cancels_what_still_runs_and_records_it);
    tcase_add_test(cases, what_was_claimed_and_never_started_is_run_by_whoever_leads_after_sigterm);
    tcase_add_test(cases, what_was_claimed_and_never_started_is_run_by_whoever_leads_after_a_kill);
    tcase_add_test(cases, what_is_in_doubt_after_sigterm_is_judged_before_the_leader_lock_is_given_up);
    tcase_add_test(cases, once_ends_when_nothing_is_due);
    tcase_add_test(cases, for_ends_after_its_time);
    tcase_add_test(cases, history_lies_in_daily_partitions_made_ahead_and_dropped_late);
    tcase_add_test(touched, a_value_that_the_program_does_not_know_ends_the_leadership_and_not_the_process);
    tcase_add_test(touched, a_cursor_from_before_its_schedule_counts_is_told_and_begins_where_that_does);
    tcase_add_test(touched, a_job_whose_cursor_was_deleted_is_told_and_begins_anew);
    tcase_add_test(touched, a_job_made_by_sql_whose_cursor_was_deleted_is_told_and_begins_anew);
    tcase_add_test(touched, a_cursor_is_a_time_that_a_schedule_can_have);
    tcase_add_test(touched, a_leadership_that_ends_at_once_is_tried_again_after_a_growing_pause);
    suite_add_tcase(all, cases);
    TCase *in_full = tcase_create(SUITE_IN_FULL);
    tcase_add_checked_fixture(in_full, set_up, tear_down);
    tcase_set_timeout(in_full, 180);
    tcase_add_test(in_full, ten_thousand_jobs_that_are_not_due_cost_next_to_nothing);
    suite_add_tcase(all, in_full);
    suite_add_tcase(all, touched);
    return all;
}

int main(void)
{
    return suite_run(suite());
}
