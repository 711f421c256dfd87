/* SPDX-License-Identifier: PostgreSQL */
/* What holds a slot that is due back, and for how long: pools, starting deadlines, jitter, buffered slots, trigger
 * rules; through a real daemon. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/text.h"
#include "support/daemon/served.h"
#include "support/ledger/runs.h"
#include "support/process/files.h"
#include "support/process/suite.h"
#include "support/process/wait.h"

static void set_up(void)
{
    served_set_up(4);
    site_use_pools(site, "heavy = 1;");
    cluster_execute(cluster, "CREATE TABLE t (id int GENERATED ALWAYS AS IDENTITY, job text);");
}

static bool why_says(const char *job, const char *part)
{
    char *output = NULL;
    int status = daemon_run((const char *const[]){"why", job, "--config", site_config(site), NULL}, &output, NULL);
    ck_assert_int_eq(status, 0);
    bool says = strstr(output, part) != NULL;
    free(output);
    return says;
}

/* A job that runs for as long as the test holds this lock. */
#define HELD "command = \"SELECT pg_advisory_lock(1), pg_advisory_unlock(1)\"; "

static void hold(void)
{
    cluster_execute(cluster, "SELECT pg_advisory_lock(1)");
}

static void release(void)
{
    cluster_execute(cluster, "SELECT pg_advisory_unlock(1)");
}

/* Serves with the only place of pool "heavy" taken; what ran before that is forgotten. */
static void fill_pool(void)
{
    site_job(site, "holder", NEVER_DUE HELD "pool = \"heavy\";");
    hold();
    served = site_lead(site);
    runs_ask(cluster, "holder");
    runs_await_running(cluster, "holder");
    cluster_execute(cluster, "DELETE FROM t");
}

/* --- pools -------------------------------------------------------------------------------------------------------- */

static void expect_overlaps(const char *jobs, const char *expected)
{
    char *sql = files_path("SELECT count(*) > 0 FROM chime.runs a JOIN chime.runs b ON a.job < b.job"
                           " AND a.started_at < b.finished_at AND b.started_at < a.finished_at"
                           " WHERE a.job IN (%s) AND b.job IN (%s)",
                           jobs, jobs);
    EXPECT_SQL(cluster, sql, expected);
    free(sql);
}

START_TEST(two_jobs_in_a_pool_of_one_never_overlap)
{
    site_job(site, "a", "schedule = \"1 seconds\"; command = \"SELECT pg_sleep(0.3)\"; pool = \"heavy\";");
    site_job(site, "b", "schedule = \"1 seconds\"; command = \"SELECT pg_sleep(0.3)\"; pool = \"heavy\";");
    site_job(site, "free-a", "schedule = \"1 seconds\"; command = \"SELECT pg_sleep(0.3)\";");
    site_job(site, "free-b", "schedule = \"1 seconds\"; command = \"SELECT pg_sleep(0.3)\";");
    served = site_lead(site);
    WAIT_SQL(cluster, "SELECT min(successes) >= 3 FROM chime.job_status", "t", 30);
    site_end(served);
    expect_overlaps("'a', 'b'", "f");
    expect_overlaps("'free-a', 'free-b'", "t");
}
END_TEST

START_TEST(priority_decides_who_gets_the_place_that_becomes_free)
{
    static const struct {
        const char *name;
        int priority;
    } jobs[] = {{"a", 5}, {"b", 1}, {"c", 9}};
    for (size_t i = 0; i < 3; i++) {
        char *members = files_path("schedule = \"2 seconds\"; command = \"INSERT INTO t (job) VALUES ('%s')\"; pool = "
                                   "\"heavy\"; priority = %d;",
                                   jobs[i].name, jobs[i].priority);
        site_job(site, jobs[i].name, members);
        free(members);
    }
    fill_pool();
    for (size_t i = 0; i < 3; i++) {
        WAIT_FOR(why_says(jobs[i].name, "waits for a slot of pool heavy, which has 1, held by "), 20);
    }
    EXPECT_SQL(cluster, "SELECT count(*) FROM t", "0");
    release();
    WAIT_SQL(cluster, "SELECT count(DISTINCT job) FROM t", "3", 20);
    EXPECT_SQL(cluster,
               "SELECT string_agg(job, ' ' ORDER BY id) FROM (SELECT job, min(id) AS id FROM t GROUP BY job) f",
               "b a c");
}
END_TEST

/* --- starting deadlines ------------------------------------------------------------------------------------------- */

START_TEST(a_slot_that_waits_in_its_pool_for_too_long_is_skipped_and_says_so)
{
    static const char reason[] = "deadline: not started within 1s: waited for a slot of pool heavy";
    site_job(site, "late",
             "schedule = \"2 seconds\"; command = \"INSERT INTO t (job) VALUES ('late')\"; pool = \"heavy\";"
             " starting_deadline = \"1s\";");
    fill_pool();
    WAIT_SQL(cluster, "SELECT count(*) >= 2 FROM chime.runs WHERE job = 'late' AND state = 'skipped'", "t", 20);
    EXPECT_SQL(cluster,
               "SELECT string_agg(DISTINCT reason, '|') FROM chime.runs WHERE job = 'late' AND state = 'skipped'",
               reason);
    EXPECT_SQL(cluster,
               "SELECT bool_and(finished_at >= slot + interval '1 s' AND attempt = 0) FROM chime.runs"
               " WHERE job = 'late' AND state = 'skipped'",
               "t");
    ck_assert(why_says("late", ": skipped, deadline: not started within 1s: waited for a slot of pool heavy"));
    EXPECT_SQL(cluster, "SELECT count(*) FROM t", "0");
    release();
    WAIT_SQL(cluster, "SELECT count(*) > 0 FROM t", "t", 20);
}
END_TEST

/* --- jitter ------------------------------------------------------------------------------------------------------- */

/* How much later than its slot a job starts, in microseconds: the same at every slot. */
static long long delay_of(const char *job, long long jitter)
{
    return (long long)(text_hash(job) % ((unsigned long long)jitter + 1));
}

static void expect_delay(const char *job, long long least, long long most)
{
    char *sql = files_path("SELECT bool_and(delay >= %lld) AND min(delay) < %lld AND bool_and(even) FROM (SELECT"
                           " extract(epoch FROM started_at - slot) * 1000000, extract(epoch FROM slot) %% 2 = 0"
                           " FROM chime.runs WHERE job = '%s' AND state = 'succeeded') r (delay, even)",
                           least, most, job);
    EXPECT_SQL(cluster, sql, "t");
    free(sql);
}

START_TEST(jitter_starts_later_by_what_is_the_jobs_own_and_the_slot_stays)
{
    static const char *const jobs[] = {"one", "two", "three", "four"};
    long long least = 1500000;
    long long most = 0;
    for (size_t i = 0; i < 4; i++) {
        long long delay = delay_of(jobs[i], 1500000);
        least = delay < least ? delay : least;
        most = delay > most ? delay : most;
        site_job(site, jobs[i], "schedule = \"2 seconds\"; command = \"SELECT 1\"; jitter = \"1500ms\";");
    }
    ck_assert_msg(most - least > 700000, "these names are too much alike: %lld to %lld", least, most);
    site_job(site, "endless", "schedule = \"2 seconds\"; command = \"SELECT 1\"; jitter = \"1d\";");
    served = site_lead(site);
    WAIT_SQL(cluster, "SELECT min(successes) >= 3 FROM chime.job_status", "t", 40);
    for (size_t i = 0; i < 4; i++) {
        long long delay = delay_of(jobs[i], 1500000);
        expect_delay(jobs[i], delay, delay + 400000);
    }
    expect_delay("endless", 1900000, 2400000); /* just before the next slot */
}
END_TEST

/* --- overlap: every slot is kept ---------------------------------------------------------------------------------- */

START_TEST(buffer_all_runs_every_slot_one_after_the_other)
{
    site_job(site, "job", "schedule = \"1 seconds\"; " HELD "overlap_policy = \"buffer_all\";");
    hold();
    served = site_lead(site);
    runs_await_running(cluster, "job");
    WAIT_SQL(cluster, "SELECT clock_timestamp() > slot + interval '3.1 s' FROM chime.run", "t", 20);
    ck_assert(why_says("job", "runs since"));
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.runs", "1");
    release();
    runs_await(cluster, "job", 5);
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.runs WHERE state IN ('skipped', 'missed', 'failed')", "0");
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.missed", "0");
    EXPECT_SQL(cluster,
               "SELECT bool_and(slot - before = interval '1 s' AND started_at >= ended) FROM (SELECT slot, started_at,"
               " lag(slot) OVER w AS before, lag(finished_at) OVER w AS ended FROM chime.run_history"
               " WINDOW w AS (ORDER BY slot)) r WHERE before IS NOT NULL",
               "t");
    /* The three that were kept start when the first has ended, and not at times of their own. */
    EXPECT_SQL(cluster,
               "SELECT min(started_at - before) < interval '900 ms' FROM (SELECT started_at, lag(started_at) OVER w AS"
               " before FROM chime.run_history WINDOW w AS (ORDER BY slot) ORDER BY slot LIMIT 4) r",
               "t");
}
END_TEST

/* --- trigger rules ------------------------------------------------------------------------------------------------ */

static void add_follower(const char *name, const char *after, const char *rule)
{
    char *members = files_path("command = \"SELECT 1\"; after = [%s]; trigger_rule = \"%s\";", after, rule);
    site_job(site, name, members);
    free(members);
}

#define EXPECT_FOLLOWER(name, expected) EXPECT_RUN(cluster, name, "concat_ws(' ', state, reason)", expected)

START_TEST(trigger_rules_decide_by_how_upstreams_ended)
{
    site_job(site, "good", NEVER_DUE "command = \"SELECT 1\";");
    site_job(site, "bad", NEVER_DUE "command = \"SELECT 1/0\"; max_attempts = 1;");
    add_follower("skipped", "\"bad\"", "all_success");
    add_follower("mixed-all-success", "\"good\", \"bad\"", "all_success");
    add_follower("mixed-all-done", "\"good\", \"bad\"", "all_done");
    add_follower("mixed-one-success", "\"good\", \"bad\"", "one_success");
    add_follower("mixed-none-failed", "\"good\", \"bad\"", "none_failed");
    add_follower("mixed-one-failed", "\"good\", \"bad\"", "one_failed");
    add_follower("skip-one-failed", "\"skipped\", \"good\"", "one_failed");
    add_follower("skip-all-success", "\"skipped\"", "all_success");
    add_follower("skip-all-done", "\"skipped\"", "all_done");
    add_follower("skip-one-success", "\"skipped\", \"bad\"", "one_success");
    add_follower("skip-none-failed", "\"skipped\", \"good\"", "none_failed");
    served = site_lead(site);
    runs_ask_and_await(cluster, "good");
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.runs", "1"); /* all have another one to wait for */
    runs_ask_and_await(cluster, "bad");
    WAIT_SQL(cluster, "SELECT count(DISTINCT job) FROM chime.run_history JOIN chime.runs USING (run_id)", "13", 30);
    EXPECT_FOLLOWER("mixed-all-success", "skipped upstream bad failed");
    EXPECT_FOLLOWER("mixed-all-done", "succeeded");
    EXPECT_FOLLOWER("mixed-one-success", "succeeded");
    EXPECT_FOLLOWER("mixed-none-failed", "skipped upstream bad failed");
    EXPECT_FOLLOWER("mixed-one-failed", "succeeded");
    EXPECT_FOLLOWER("skip-one-failed", "skipped no upstream failed: skipped skipped, good succeeded");
    EXPECT_FOLLOWER("skip-all-success", "skipped upstream skipped skipped");
    EXPECT_FOLLOWER("skip-all-done", "succeeded");
    EXPECT_FOLLOWER("skip-one-success", "skipped no upstream succeeded: skipped skipped, bad failed");
    EXPECT_FOLLOWER("skip-none-failed", "succeeded");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("waiting");
    TCase *tests = tcase_create("waiting");
    tcase_add_checked_fixture(tests, set_up, served_tear_down);
    tcase_set_timeout(tests, 120);
    tcase_add_test(tests, two_jobs_in_a_pool_of_one_never_overlap);
    tcase_add_test(tests, priority_decides_who_gets_the_place_that_becomes_free);
    tcase_add_test(tests, a_slot_that_waits_in_its_pool_for_too_long_is_skipped_and_says_so);
    tcase_add_test(tests, jitter_starts_later_by_what_is_the_jobs_own_and_the_slot_stays);
    tcase_add_test(tests, buffer_all_runs_every_slot_one_after_the_other);
    tcase_add_test(tests, trigger_rules_decide_by_how_upstreams_ended);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
