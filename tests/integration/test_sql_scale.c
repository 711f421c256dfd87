/* SPDX-License-Identifier: PostgreSQL */
/* Jobs made by SQL in numbers and under faults: how soon an edit is known, what it costs among many, bursts, kill -9.
 * PGCHIME_TEST_SOAK: 50,000 jobs come in one transaction and go in another; else 3,500. */
#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>
#include <unistd.h>

#include "support/daemon/served.h"
#include "support/daemon/sql_jobs.h"
#include "support/ledger/ledger_oracle.h"
#include "support/ledger/runs.h"
#include "support/process/files.h"
#include "support/process/process.h"
#include "support/process/suite.h"
#include "support/process/wait.h"

#define EDITS 40
#define MANY 50000
#define KILLS 8

static int64_t probe; /* the job that is edited */

static void set_up(void)
{
    served_set_up(8);
}

static double seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

static int by_size(const void *left, const void *right)
{
    const double *a = left;
    const double *b = right;

    return (*a > *b) - (*a < *b);
}

/* From the commit of an edit that the leader alone finds fault with, to the moment another session reads what it says
 * of it. */
static double milliseconds_to_answer(int edit)
{
    struct wait_deadline deadline = wait_deadline_after(60);
    char *look = files_path("SELECT problem IS NOT NULL FROM chime.job WHERE job_id = %lld", (long long)probe);

    cluster_execute_format(cluster, "UPDATE chime.job SET options = '{\"pool\": \"pool%d\"}' WHERE job_id = %lld", edit,
                           (long long)probe);
    double committed = seconds();
    while (!cluster_true(cluster, look)) {
        if (seconds() - committed > 5)
            wait_a_little(&deadline, "the edit is answered", 60, __FILE__, __LINE__);
    }
    free(look);
    return (seconds() - committed) * 1000;
}

/* Prints the figures; the median of the answers in milliseconds, and the daemon's time for one edit in *cost. */
static double measure_edits(int jobs, double *cost)
{
    double taken[EDITS];
    double tick = 1000.0 / (double)sysconf(_SC_CLK_TCK);

    for (int i = 0; i < 5; i++)
        milliseconds_to_answer(1000 + i);
    long before = process_ticks(daemon_pid(served));
    for (int i = 0; i < EDITS; i++)
        taken[i] = milliseconds_to_answer(i);
    *cost = (double)(process_ticks(daemon_pid(served)) - before) * tick / EDITS;
    qsort(taken, EDITS, sizeof(*taken), by_size);
    printf("%d jobs: an edit is known to the leader and answered after %.1f ms (median of %d; slowest %.1f), daemon "
           "%.2f ms\n",
           jobs, taken[EDITS / 2], EDITS, taken[EDITS - 1], *cost);
    return taken[EDITS / 2];
}

static void make_jobs(int count, const char *schedule, const char *command)
{
    cluster_execute_format(cluster,
                           "INSERT INTO chime.job (name, job_name, owner, origin, schedule, command)"
                           " SELECT '', 'job' || n, 'postgres', 'sql', '%s', '%s' FROM generate_series(1, %d) n",
                           schedule, command, count);
}

START_TEST(an_edit_is_known_at_once_and_costs_the_same_among_many_jobs)
{
    double few_cost;
    double many_cost;

    served = site_lead(site);
    make_jobs(10, YEARLY, "SELECT 1");
    probe = sql_jobs_make(cluster, NULL, "probe", YEARLY, "SELECT 1", NULL);
    double few = measure_edits(10, &few_cost);
    cluster_execute(cluster, "UPDATE chime.job SET job_name = 'few' || job_name WHERE job_name LIKE 'job%'");
    make_jobs(MANY, YEARLY, "SELECT 1");
    WAIT_SQL(cluster, "SELECT count(*) >= 50000 FROM chime.next_slots", "t", 200);
    cluster_execute(cluster, "ANALYZE");
    double many = measure_edits(MANY, &many_cost);
    ck_assert_double_lt(few, 1000); /* this machine may be busy with anything: the figures are what is printed */
    ck_assert_double_lt(many, 1000);
    ck_assert_double_lt(many_cost, few_cost + 5);
}
END_TEST

START_TEST(many_jobs_are_there_after_a_start)
{
    served = site_lead(site);
    site_end(served);
    daemon_destroy(served);
    make_jobs(5000, "1 seconds", "SELECT 1");
    cluster_execute(cluster, "UPDATE chime.job SET schedule = '" YEARLY "' WHERE job_name <> 'job4711'");
    double start = seconds();
    served = site_lead(site);
    printf("5,000 jobs made by SQL: leads after %.2f s\n", seconds() - start);
    sql_jobs_await(cluster, "job4711", 1);
    WAIT_SQL(cluster, "SELECT count(*) FROM chime.next_slots", "5000", 60);
}
END_TEST

/* Every slot of them is on record, ten seconds long. */
static void expect_burst(int jobs)
{
    served = site_lead(site);
    make_jobs(jobs, "1 second", "SELECT 1");
    WAIT_SQL(cluster, "SELECT count(DISTINCT job_id) > 0 FROM chime.run_history", "t", 60);
    WAIT_SQL(cluster, "SELECT max(slot) - min(slot) >= interval '12 s' FROM chime.run_history", "t", 120);
    cluster_execute(cluster, "CREATE TABLE span AS SELECT min(slot) + interval '1 s' AS first FROM chime.run_history");
    char *all = files_path(
        "SELECT count(*) FROM chime.run_history, span WHERE slot >= first AND slot < first + interval '10 s'");
    char *expected = files_path("%d", jobs * 10);
    WAIT_SQL(cluster, all, expected, 120);
    char *states = cluster_rows(
        cluster,
        "SELECT state, coalesce(reason, ''), count(*) FROM (SELECT state, regexp_replace(reason, '[0-9T:.Z-]{10,}',"
        " '...', 'g') AS reason FROM chime.run_history, span WHERE slot >= first AND slot < first + interval '10 s') r"
        " GROUP BY 1, 2 ORDER BY 3 DESC");
    char *late = cluster_value(
        cluster, "SELECT round(extract(epoch FROM percentile_cont(0.99) WITHIN GROUP (ORDER BY started_at - slot))"
                 " * 1000) FROM chime.run_history WHERE state = 'succeeded'");
    printf("%d jobs due every second, 10 s: %s99 of 100 started within %s ms of their slot\n", jobs, states, late);
    EXPECT_SQL(cluster,
               "SELECT count(*) FROM chime.run_history, span WHERE slot >= first AND slot < first + interval '10 s'"
               " AND state <> 'succeeded' AND reason IS NULL",
               "0");
    free(all);
    free(expected);
    free(states);
    free(late);
}

START_TEST(five_hundred_jobs_a_second_keep_their_pace)
{
    expect_burst(500);
    EXPECT_SQL(cluster,
               "SELECT count(*) FROM chime.run_history, span WHERE slot >= first AND slot < first + interval '10 s'"
               " AND state NOT IN ('succeeded', 'skipped')",
               "0");
}
END_TEST

START_TEST(two_thousand_jobs_a_second_are_all_on_record)
{
    expect_burst(2000);
}
END_TEST

/* Each slot from its first to `end` is in the history, once. */
static void expect_every_second(const char *jobs, const char *end)
{
    char *sql = files_path(
        "SELECT string_agg(format('%%s: %%s of %%s', job_name, slots, expected), '; ') FROM (SELECT job_name, count(*) "
        "AS slots,"
        " count(DISTINCT slot) AS different, extract(epoch FROM date_trunc('second', %s) - min(slot)) + 1 AS expected"
        " FROM chime.run_history h JOIN chime.job j USING (job_id) WHERE job_name LIKE '%s' AND slot <= %s"
        " GROUP BY job_id, job_name, removed_at) r WHERE slots <> expected OR different <> slots",
        end, jobs, end);
    EXPECT_SQL(cluster, sql, NULL);
    free(sql);
}

/* The leader hears of all in parts; of every hundredth there are slots to be decided all the while. */
START_TEST(jobs_that_come_in_one_transaction_and_go_in_another_cost_no_leadership_and_no_slot)
{
    int jobs = getenv("PGCHIME_TEST_SOAK") != NULL ? MANY : 3500;
    char *expected = files_path("%d", jobs + 2);
    cluster_execute(cluster, "ANALYZE");
    served = site_lead(site);
    cluster_execute(cluster, "ALTER SYSTEM SET log_min_duration_statement = '1s'");
    cluster_execute(cluster, "SELECT pg_reload_conf()");
    probe = sql_jobs_make(cluster, NULL, "probe", YEARLY, "SELECT 1", NULL);
    sql_jobs_make(cluster, NULL, "beat", "1 second", "SELECT 1", NULL);
    sql_jobs_await(cluster, "beat", 1);
    cluster_execute_format(
        cluster,
        "INSERT INTO chime.job (name, job_name, owner, origin, schedule, command)"
        " SELECT '', 'job' || n, 'postgres', 'sql', CASE n %% 100 WHEN 0 THEN '1 second' ELSE '" YEARLY
        "' END, 'SELECT 1' FROM generate_series(1, %d) n",
        jobs);
    double made = seconds();
    WAIT_SQL(cluster, "SELECT count(*) FROM chime.next_slots", expected, 200);
    sql_jobs_await(cluster, "job100", 3);
    printf("%d jobs made in one transaction: all known after %.1f s\n", jobs, seconds() - made);
    cluster_execute(cluster,
                    "UPDATE chime.job SET active = false, removed_at = clock_timestamp() WHERE job_name LIKE 'job%'");
    double removed = milliseconds_to_answer(1);
    printf("removed in one transaction: the next edit is answered after %.0f ms\n", removed);
    sql_jobs_await_taken(cluster, "beat");
    EXPECT_SQL(cluster, "SELECT epoch FROM chime.leader", "1");
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.leadership", "1");
    cluster_execute(cluster, "CREATE TABLE now AS SELECT clock_timestamp() - interval '2 s' AS at");
    WAIT_SQL(cluster,
             "SELECT max(slot) > (SELECT at FROM now) FROM chime.run_history JOIN chime.job USING (job_id) WHERE "
             "job_name = 'beat'",
             "t", 60);
    expect_every_second("beat", "(SELECT at FROM now)");
    expect_every_second("job%00", "j.removed_at - interval '1 s'");
    char *log = cluster_log(cluster);
    ck_assert_msg(strstr(log, "chime.changed_jobs") == NULL, "the leader was long about one answer:\n%s", log);
    free(log);
    free(expected);
}
END_TEST

START_TEST(no_slot_is_lost_or_run_twice_when_the_daemon_is_killed)
{
    cluster_execute_file(cluster, PGCHIME_SOURCE_DIR "/tests/support/ledger/ledger_oracle.sql");
    cluster_execute(cluster, "CREATE ROLE alice LOGIN");
    oracle_write_load(site);
    served = site_lead(site);
    for (int i = 0; i < 10; i++) {
        char *name = files_path("beat%d", i);
        char *command = files_path("SELECT public.effect('%s/beat%d')", i % 2 == 0 ? "alice" : "postgres", i);
        sql_jobs_make(cluster, i % 2 == 0 ? "alice" : NULL, name, i < 6 ? "1 seconds" : "2 seconds", command,
                      "{\"delivery\": \"at_most_once\"}");
        free(name);
        free(command);
    }
    sql_jobs_await(cluster, "beat0", 1);
    for (int kill = 0; kill < KILLS; kill++) {
        cluster_execute(
            cluster, "CREATE TABLE IF NOT EXISTS mark AS SELECT now() AS at; UPDATE mark SET at = clock_timestamp()");
        sql_jobs_edit(cluster, "beat1", "command = command || ' '");
        daemon_kill(served);
        daemon_destroy(served);
        served = site_lead(site);
        WAIT_SQL(cluster,
                 "SELECT count(*) > 0 FROM public.effect e, mark WHERE e.job LIKE 'alice/%' AND e.slot > mark.at", "t",
                 60);
    }
    oracle_expect_sound(cluster);
    EXPECT_SQL(cluster, "SELECT count(DISTINCT job) FROM public.effect WHERE job LIKE '%/beat%'", "10");
    char *states = cluster_rows(cluster, "SELECT state, count(*) FROM chime.run_history JOIN chime.job USING (job_id)"
                                         " WHERE origin = 'sql' GROUP BY 1 ORDER BY 2 DESC");
    printf("%d kills: %s", KILLS, states);
    free(states);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sql_scale");
    TCase *scale = tcase_create("scale");

    tcase_add_checked_fixture(scale, set_up, served_tear_down);
    tcase_set_timeout(scale, 300);
    tcase_add_test(scale, an_edit_is_known_at_once_and_costs_the_same_among_many_jobs);
    tcase_add_test(scale, many_jobs_are_there_after_a_start);
    tcase_add_test(scale, five_hundred_jobs_a_second_keep_their_pace);
    tcase_add_test(scale, two_thousand_jobs_a_second_are_all_on_record);
    tcase_add_test(scale, jobs_that_come_in_one_transaction_and_go_in_another_cost_no_leadership_and_no_slot);
    tcase_add_test(scale, no_slot_is_lost_or_run_twice_when_the_daemon_is_killed);
    suite_add_tcase(suite, scale);
    return suite_run(suite);
}
