/* SPDX-License-Identifier: PostgreSQL */
/* Daemons that start at once, and one that is told to end with runs in flight. */
#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "support/cluster/cluster.h"
#include "support/daemon/crew.h"
#include "support/daemon/daemon.h"
#include "support/daemon/site.h"
#include "support/fault/fault_load.h"
#include "support/fault/takeover.h"
#include "support/ledger/runs.h"
#include "support/process/files.h"
#include "support/process/suite.h"
#include "support/process/wait.h"

#define PATIENCE 30.0
#define IN_FLIGHT 20

static struct cluster *cluster;
static struct site *site;
static struct crew *crew;

static void set_up(void)
{
    cluster = cluster_create(NULL);
    site = site_create(cluster, "postgres", IN_FLIGHT + 2);
}

static void tear_down(void)
{
    crew_destroy(crew);
    site_destroy(site);
    cluster_destroy(cluster);
}

/* --- at once ------------------------------------------------------------------------------------------------------ */

/* The schema is there, or is made by whoever is first. */
static void start_at_once(int count)
{
    crew = crew_create(cluster, site, count);
    crew_start_all(crew);
    int leader = crew_await_leader(crew, PATIENCE);
    for (int i = 0; i < count; i++)
        if (i != leader)
            crew_await_following(crew, i);
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.leadership", "1");
    EXPECT_SQL(cluster, "SELECT epoch FROM chime.leader", "1");
}

START_TEST(two_daemons_that_start_at_once_in_an_empty_database_agree_on_one_leader)
{
    start_at_once(2);
    crew_end(crew);
}
END_TEST

START_TEST(five_daemons_that_start_at_once_in_an_empty_database_agree_on_one_leader)
{
    start_at_once(5);
    crew_end(crew);
}
END_TEST

/* All five want the leader lock in the same second, again and again. */
START_TEST(five_daemons_run_every_slot_once_while_their_leaders_are_killed)
{
    fault_load_install(cluster, site);
    crew = crew_create(cluster, site, 5);
    crew_start_all(crew);
    for (int i = 0; i < (fault_full_size() ? 20 : 3); i++) {
        int leader = crew_await_leader(crew, PATIENCE);
        struct takeover_watch watch = takeover_begin(cluster);
        daemon_kill(crew_daemon(crew, leader));
        takeover_await(cluster, &watch, PATIENCE);
        crew_start(crew, leader);
    }
    crew_end(crew);
    fault_load_verdict(cluster, site);
}
END_TEST

/* --- told to end -------------------------------------------------------------------------------------------------- */

static void start_with_runs_in_flight(double seconds)
{
    for (int i = 1; i <= IN_FLIGHT; i++) {
        char *name = files_path("job-%d", i);
        char *members = files_path(NEVER_DUE "command = \"SELECT pg_sleep(%g)\"; %s", seconds,
                                   i % 2 == 0 ? "delivery = \"transactional\";" : "");
        site_job(site, name, members);
        free(members);
        free(name);
    }
    crew = crew_create(cluster, site, 2);
    crew_start(crew, 0);
    site_await_leading(crew_daemon(crew, 0));
    crew_start(crew, 1);
    crew_await_following(crew, 1);
    for (int i = 1; i <= IN_FLIGHT; i++) {
        char *name = files_path("job-%d", i);
        runs_ask(cluster, name);
        free(name);
    }
    WAIT_SQL(cluster, "SELECT count(*) FROM pg_stat_activity WHERE wait_event = 'PgSleep'", "20", PATIENCE);
}

/* The leader lock is free when the last of them has ended. */
static void assert_handed_over(void)
{
    WAIT_SQL(cluster, "SELECT instance FROM chime.leader WHERE chime.backend_alive(pid, backend_start)", "d2",
             PATIENCE);
    char *text = cluster_value(cluster, "SELECT extract(epoch FROM since - (SELECT max(finished_at) FROM"
                                        " chime.run_history)) FROM chime.leader");
    printf("SIGTERM with 20 runs in flight: another leads %.2f s after the last of them\n", atof(text));
    fflush(stdout);
    ck_assert_double_le(atof(text), TAKEOVER_SOON);
    free(text);
    site_end(crew_daemon(crew, 1));
}

START_TEST(sigterm_lets_twenty_runs_in_flight_end_and_hands_over)
{
    start_with_runs_in_flight(4);
    daemon_signal(crew_daemon(crew, 0), SIGTERM);
    ck_assert_int_eq(daemon_wait(crew_daemon(crew, 0), PATIENCE), 0);
    EXPECT_SQL(cluster, "SELECT string_agg(DISTINCT state::text, ' ') || count(*) FROM chime.run_history",
               "succeeded20");
    assert_handed_over();
}
END_TEST

START_TEST(a_second_sigterm_cancels_twenty_runs_in_flight_records_them_and_hands_over)
{
    start_with_runs_in_flight(300);
    daemon_signal(crew_daemon(crew, 0), SIGTERM);
    WAIT_FOR(daemon_said(crew_daemon(crew, 0), "runs in flight are waited for"), PATIENCE);
    daemon_signal(crew_daemon(crew, 0), SIGTERM);
    ck_assert_int_eq(daemon_wait(crew_daemon(crew, 0), PATIENCE), 0);
    EXPECT_SQL(cluster,
               "SELECT string_agg(DISTINCT state || ' ' || sqlstate, ',') || ' ' || count(*) FROM chime.run_history",
               "cancelled 57014 20");
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.run", "0");
    assert_handed_over();
}
END_TEST

static Suite *suite(void)
{
    Suite *all = suite_create("daemons");
    TCase *cases = tcase_create("daemons");

    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_set_timeout(cases, 600);
    tcase_add_test(cases, two_daemons_that_start_at_once_in_an_empty_database_agree_on_one_leader);
    tcase_add_test(cases, five_daemons_that_start_at_once_in_an_empty_database_agree_on_one_leader);
    tcase_add_test(cases, five_daemons_run_every_slot_once_while_their_leaders_are_killed);
    tcase_add_test(cases, sigterm_lets_twenty_runs_in_flight_end_and_hands_over);
    tcase_add_test(cases, a_second_sigterm_cancels_twenty_runs_in_flight_records_them_and_hands_over);
    suite_add_tcase(all, cases);
    return all;
}

int main(void)
{
    return suite_run(suite());
}
