/* SPDX-License-Identifier: PostgreSQL */
/* Which slots run, and in what order: overlap, catch-up, dependencies, priority; through a real daemon. */
#include <check.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "support/daemon/served.h"
#include "support/ledger/runs.h"
#include "support/process/files.h"
#include "support/process/suite.h"
#include "support/process/wait.h"

static void set_up(void)
{
    served_set_up(2);
    cluster_execute(cluster, "CREATE TABLE t (id int GENERATED ALWAYS AS IDENTITY, job text);");
}

/* Every second between a job's first and last decided slot is in the ledger exactly once: what all of these rely on. */
static void assert_every_second_is_recorded(const char *job)
{
    char *sql = files_path("WITH slots AS ("
                           " SELECT slot AS first, slot AS last, 1 AS n FROM chime.run_history JOIN chime.job USING "
                           "(job_id) WHERE name = '%s' AND kind = 'schedule'"
                           " UNION ALL SELECT first_slot, last_slot, slots FROM chime.missed JOIN chime.job USING "
                           "(job_id) WHERE name = '%s'"
                           " UNION ALL SELECT slot, slot, 1 FROM chime.run JOIN chime.job USING (job_id) WHERE name = "
                           "'%s' AND kind = 'schedule')"
                           " SELECT sum(n) = extract(epoch FROM max(last) - min(first)) + 1 AND bool_and(n = "
                           "extract(epoch FROM last - first) + 1)"
                           " FROM slots",
                           job, job, job);

    EXPECT_SQL(cluster, sql, "t");
    free(sql);
}

static void stop(void)
{
    site_end(served);
    daemon_destroy(served);
    served = NULL;
}

/* --- overlap ------------------------------------------------------------------------------------------------------ */

START_TEST(a_slot_due_while_its_job_runs_is_skipped)
{
    site_job(site, "job", "schedule = \"1 seconds\"; command = \"SELECT pg_sleep(1.5)\"; overlap_policy = \"skip\";");
    served = site_lead(site);
    runs_await(cluster, "job", 4);
    stop();
    EXPECT_SQL(
        cluster,
        "SELECT string_agg(DISTINCT concat_ws(' ', state, regexp_replace(reason, 'slot [^ ]*Z', 'slot S')), ', ')"
        " FROM chime.run_history",
        "skipped overlap: the run of slot S had not ended, succeeded");
    EXPECT_SQL(cluster,
               "SELECT count(*) FROM chime.run_history a JOIN chime.run_history b ON b.slot = a.slot + interval '1 s'"
               " WHERE a.state = 'succeeded' AND b.state = 'succeeded'",
               "0");
    assert_every_second_is_recorded("job");
}
END_TEST

START_TEST(buffer_one_runs_once_more_and_skips_the_rest)
{
    site_job(site, "job",
             "schedule = \"1 seconds\"; command = \"SELECT pg_sleep(3.4)\"; overlap_policy = \"buffer_one\";");
    served = site_lead(site);
    runs_await(cluster, "job", 4);
    daemon_signal(served, SIGTERM); /* the buffered one may be running */
    ck_assert_int_eq(daemon_wait(served, 20), 0);
    /* The first slot runs, the next is kept for later and runs right behind it, those after it are skipped. */
    EXPECT_SQL(cluster,
               "SELECT string_agg(state::text, ' ' ORDER BY slot) FROM (SELECT * FROM chime.run_history ORDER BY slot "
               "LIMIT 4) h",
               "succeeded succeeded skipped skipped");
    EXPECT_SQL(cluster,
               "SELECT b.started_at - a.finished_at < interval '5 s' AND b.started_at >= a.finished_at"
               " FROM chime.run_history a JOIN chime.run_history b ON b.slot = a.slot + interval '1 s'"
               " ORDER BY a.slot LIMIT 1",
               "t");
    assert_every_second_is_recorded("job");
}
END_TEST

/* --- catch-up ----------------------------------------------------------------------------------------------------- */

/* As if nothing had led for the last 30 seconds. */
static void pretend_downtime(void)
{
    served = site_lead(site);
    stop();
    cluster_execute(cluster, "TRUNCATE chime.run_history, chime.missed, chime.run;"
                             "UPDATE chime.job SET since = now() - interval '1 hour';"
                             "UPDATE chime.job_state SET last_slot = date_trunc('second', now()) - interval '30 s'");
}

START_TEST(catchup_latest_runs_the_newest_slot_and_records_the_others)
{
    site_job(site, "job", "schedule = \"1 seconds\"; command = \"SELECT 1\"; catchup = \"latest\";");
    pretend_downtime();
    served = site_lead(site);
    runs_await(cluster, "job", 2);
    stop();
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.missed", "1");
    EXPECT_SQL(cluster, "SELECT slots BETWEEN 29 AND 40 AND reason LIKE 'catchup is latest%' FROM chime.missed", "t");
    EXPECT_SQL(cluster,
               "SELECT min(slot) - (SELECT last_slot FROM chime.missed) = interval '1 s' FROM chime.run_history", "t");
    assert_every_second_is_recorded("job");
}
END_TEST

START_TEST(catchup_none_records_all_of_them)
{
    site_job(site, "job", "schedule = \"1 seconds\"; command = \"SELECT 1\"; catchup = \"none\";");
    pretend_downtime();
    served = site_lead(site);
    runs_await(cluster, "job", 1);
    stop();
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.missed", "1");
    EXPECT_SQL(cluster, "SELECT slots BETWEEN 30 AND 41 AND reason LIKE 'catchup is none%' FROM chime.missed", "t");
    EXPECT_SQL(cluster,
               "SELECT bool_and(state = 'succeeded' AND started_at - slot < interval '25 s') FROM chime.run_history",
               "t");
    assert_every_second_is_recorded("job");
}
END_TEST

START_TEST(nothing_runs_on_what_was_done_before_a_missed_slot_whoever_leads)
{
    static const char skips[] =
        "SELECT count(*) > 0 FROM chime.run_history h JOIN chime.job USING (job_id) WHERE name = 'report'"
        " AND epoch = (SELECT epoch FROM chime.leader) AND state = 'skipped' AND reason = 'upstream load missed'";
    site_job(site, "load", "schedule = \"0 * * * *\"; command = \"SELECT 1\"; catchup = \"none\";");
    site_job(site, "report", "schedule = \"1 seconds\"; command = \"SELECT 1\"; after = [\"load\"];");
    served = site_lead(site);
    runs_ask_and_await(cluster, "load");
    runs_await(cluster, "report", 1);
    stop();
    cluster_execute(cluster, "UPDATE chime.job SET since = now() - interval '3 h' WHERE name = 'load';"
                             "UPDATE chime.job_state s SET last_slot = now() - interval '2 h' FROM chime.job j"
                             " WHERE j.job_id = s.job_id AND j.name = 'load'");
    for (int leader = 0; leader < 2; leader++) {
        served = site_lead(site);
        WAIT_SQL(cluster, skips, "t", 20);
        EXPECT_SQL(cluster,
                   "SELECT count(*) FROM chime.run_history h JOIN chime.job j USING (job_id), chime.missed m"
                   " WHERE j.name = 'report' AND state = 'succeeded' AND h.slot > m.recorded_at",
                   "0");
        if (leader == 0) {
            stop();
        }
    }
    runs_ask_and_await(cluster, "load");
    WAIT_SQL(cluster,
             "SELECT count(*) > 0 FROM chime.run_history h JOIN chime.job j USING (job_id), chime.missed m"
             " WHERE j.name = 'report' AND state = 'succeeded' AND h.slot > m.recorded_at",
             "t", 20);
    stop();
}
END_TEST

START_TEST(catchup_all_runs_every_one_in_order)
{
    site_job(site, "job", "schedule = \"1 seconds\"; command = \"SELECT 1\"; catchup = \"all\";");
    pretend_downtime();
    served = site_lead(site);
    runs_await(cluster, "job", 31);
    stop();
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.missed", "0");
    /* One of a second after the downtime's may be skipped while these run, or be met in flight by the daemon's end. */
    EXPECT_SQL(
        cluster,
        "SELECT concat_ws(' ', count(*) BETWEEN 29 AND 60, string_agg(concat_ws(' ', slot, state, message, reason), ', "
        "')"
        " FILTER (WHERE state <> 'succeeded')) FROM chime.run_history WHERE slot < (SELECT since FROM chime.leader)",
        "t");
    EXPECT_SQL(cluster,
               "SELECT bool_and(ordered) FROM (SELECT started_at > lag(started_at, 1, '-infinity') OVER (ORDER BY slot)"
               " AS ordered FROM chime.run_history) h",
               "t");
    assert_every_second_is_recorded("job");
}
END_TEST

START_TEST(catchup_is_bounded_by_limit_and_window)
{
    site_job(site, "limited",
             "schedule = \"1 seconds\"; command = \"SELECT 1\"; catchup = \"all\"; catchup_limit = 5;");
    site_job(site, "windowed",
             "schedule = \"1 seconds\"; command = \"SELECT 1\"; catchup = \"all\"; catchup_window = \"10s\";");
    pretend_downtime();
    served = site_lead(site);
    runs_await(cluster, "limited", 6);
    runs_await(cluster, "windowed", 11);
    stop();
    EXPECT_SQL(
        cluster,
        "SELECT string_agg(name || ': ' || reason, '; ' ORDER BY name) FROM chime.missed JOIN chime.job USING (job_id)",
        "limited: more slots than catchup_limit were due; windowed: older than catchup_window when a leader was back");
    assert_every_second_is_recorded("limited");
    assert_every_second_is_recorded("windowed");
}
END_TEST

/* --- dependencies ------------------------------------------------------------------------------------------------- */

START_TEST(a_job_waits_for_its_upstream_at_a_shared_slot)
{
    site_job(site, "a-last",
             "schedule = \"1 seconds\"; command = \"INSERT INTO t (job) VALUES ('last')\"; after = [\"middle\"];");
    site_job(site, "middle",
             "schedule = \"1 seconds\"; command = \"INSERT INTO t (job) SELECT 'middle' FROM pg_sleep(0.1)\"; after = "
             "[\"z-first\"];"
             " delivery = \"transactional\";");
    site_job(site, "z-first",
             "schedule = \"1 seconds\"; command = \"INSERT INTO t (job) SELECT 'first' FROM pg_sleep(0.2)\";");
    served = site_lead(site);
    runs_await(cluster, "a-last", 3);
    stop();
    EXPECT_SQL(cluster, "SELECT string_agg(job, ' ' ORDER BY id) FROM (SELECT * FROM t ORDER BY id LIMIT 9) f",
               "first middle last first middle last first middle last");
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.run_history WHERE state <> 'succeeded'", "0");
}
END_TEST

START_TEST(a_failed_upstream_skips_what_comes_after_it_and_names_itself)
{
    site_job(site, "broken", "schedule = \"1 seconds\"; command = \"SELECT 1 / 0\";");
    site_job(site, "child",
             "schedule = \"1 seconds\"; command = \"INSERT INTO t (job) VALUES ('child')\"; after = [\"broken\"];");
    site_job(site, "grandchild",
             "schedule = \"1 seconds\"; command = \"INSERT INTO t (job) VALUES ('grandchild')\"; after = [\"child\"];");
    site_job(site, "whatever",
             "schedule = \"1 seconds\"; command = \"INSERT INTO t (job) VALUES ('whatever')\"; after = [\"broken\"];"
             " trigger_rule = \"all_done\";");
    served = site_lead(site);
    runs_await(cluster, "grandchild", 2);
    runs_await(cluster, "whatever", 2);
    stop();
    EXPECT_RUN(cluster, "child", "concat_ws(' ', state, attempt, reason)", "skipped 0 upstream broken failed");
    EXPECT_RUN(cluster, "grandchild", "concat_ws(' ', state, reason)", "skipped upstream child skipped");
    EXPECT_RUN(cluster, "whatever", "state", "succeeded");
    EXPECT_SQL(cluster, "SELECT string_agg(DISTINCT job, ' ') FROM t", "whatever");
    assert_every_second_is_recorded("child");
    assert_every_second_is_recorded("grandchild");
}
END_TEST

START_TEST(what_is_more_urgent_goes_first)
{
    site_destroy(site);
    site = site_create(cluster, "postgres", 1);
    for (int i = 9; i >= 1; i--) {
        char *name = files_path("job-%d", (i * 4) % 9);
        char *members = files_path(
            "schedule = \"2 seconds\"; priority = %d; command = \"INSERT INTO t (job) VALUES ('%d')\";", i, i);
        site_job(site, name, members);
        free(name);
        free(members);
    }
    served = site_lead(site);
    WAIT_SQL(cluster, "SELECT count(*) >= 18 FROM t", "t", 20);
    stop();
    EXPECT_SQL(cluster, "SELECT string_agg(job, '' ORDER BY id) FROM (SELECT * FROM t ORDER BY id LIMIT 18) f",
               "123456789123456789");
}
END_TEST

/* --- jobs come and go --------------------------------------------------------------------------------------------- */

/* One that was claimed and not started is still to be ended, by whoever leads next. */
#define RUNS_OF_JOB                                                               \
    "SELECT (SELECT count(*) FROM chime.run_history h WHERE h.job_id = j.job_id)" \
    " + (SELECT count(*) FROM chime.run r WHERE r.job_id = j.job_id) FROM chime.job j WHERE name = 'job'"

START_TEST(a_job_taken_from_the_configuration_stays_known_and_is_not_due)
{
    site_job(site, "job", "schedule = \"1 seconds\"; command = \"SELECT 1\"; catchup = \"all\";");
    site_job(site, "other", "schedule = \"1 seconds\"; command = \"SELECT 1\";");
    served = site_lead(site);
    runs_await(cluster, "job", 1);
    stop();
    char *before = cluster_value(cluster, RUNS_OF_JOB);
    site_remove(site, "job");
    served = site_lead(site);
    EXPECT_SQL(cluster, "SELECT active FROM chime.job WHERE name = 'job'", "f");
    EXPECT_SQL(cluster, "SELECT version FROM chime.job WHERE name = 'other'", "1");
    char *others = cluster_value(
        cluster, "SELECT count(*) FROM chime.run_history JOIN chime.job USING (job_id) WHERE name = 'other'");
    runs_await(cluster, "other", atoi(others) + 2);
    EXPECT_SQL(cluster, RUNS_OF_JOB, before);
    stop();
    /* Back again, it starts from now: what passed meanwhile was never due. */
    site_job(site, "job", "schedule = \"1 seconds\"; command = \"SELECT 1\"; catchup = \"all\";");
    served = site_lead(site);
    runs_await(cluster, "job", atoi(before) + 1);
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.missed JOIN chime.job USING (job_id) WHERE name = 'job'", "0");
    EXPECT_RUN(cluster, "job", "slot > (SELECT since FROM chime.leader)", "t");
    free(before);
    free(others);
}
END_TEST

static Suite *suite(void)
{
    Suite *all = suite_create("policies");
    TCase *cases = tcase_create("policies");

    tcase_add_checked_fixture(cases, set_up, served_tear_down);
    tcase_set_timeout(cases, 120);
    tcase_add_test(cases, a_slot_due_while_its_job_runs_is_skipped);
    tcase_add_test(cases, buffer_one_runs_once_more_and_skips_the_rest);
    tcase_add_test(cases, catchup_latest_runs_the_newest_slot_and_records_the_others);
    tcase_add_test(cases, catchup_none_records_all_of_them);
    tcase_add_test(cases, nothing_runs_on_what_was_done_before_a_missed_slot_whoever_leads);
    tcase_add_test(cases, catchup_all_runs_every_one_in_order);
    tcase_add_test(cases, catchup_is_bounded_by_limit_and_window);
    tcase_add_test(cases, a_job_waits_for_its_upstream_at_a_shared_slot);
    tcase_add_test(cases, a_failed_upstream_skips_what_comes_after_it_and_names_itself);
    tcase_add_test(cases, what_is_more_urgent_goes_first);
    tcase_add_test(cases, a_job_taken_from_the_configuration_stays_known_and_is_not_due);
    suite_add_tcase(all, cases);
    return all;
}

int main(void)
{
    return suite_run(suite());
}
