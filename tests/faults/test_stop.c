/* SPDX-License-Identifier: PostgreSQL */
/* The daemon that leads stands still (SIGSTOP) at chosen places, another takes over, and the first wakes up again: what
 * it was about to do must not happen any more. It stands still for a minute with PGCHIME_TEST_FAULTS, else until the
 * other one has run something. */
#include <check.h>
#include <signal.h>

#include "support/cluster/cluster.h"
#include "support/daemon/crew.h"
#include "support/daemon/daemon.h"
#include "support/daemon/site.h"
#include "support/fault/fault_aim.h"
#include "support/fault/fault_load.h"
#include "support/fault/takeover.h"
#include "support/ledger/runs.h"
#include "support/process/suite.h"

#define PATIENCE 40.0
#define ANY_MOMENT FAULT_POINTS

static struct cluster *cluster;
static struct site *site;
static struct crew *crew;
static struct fault_aim *aim;

static void set_up(void)
{
    cluster = cluster_create(NULL);
    site = site_create(cluster, "postgres", 12);
    fault_load_install(cluster, site);
    crew = crew_create(cluster, site, 2);
    aim = fault_aim_create(cluster);
    crew_start(crew, 0);
    site_await_leading(crew_daemon(crew, 0));
    crew_start(crew, 1);
    crew_await_following(crew, 1);
}

static void tear_down(void)
{
    crew_destroy(crew);
    fault_aim_destroy(aim);
    site_destroy(site);
    cluster_destroy(cluster);
}

static void stop_at(struct daemon *daemon, enum fault_point point)
{
    if (point == ANY_MOMENT)
        fault_let_pass(fault_random_below(2));
    else
        fault_aim_bring(aim, daemon, point);
    daemon_signal(daemon, SIGSTOP);
    fault_aim_let_go(aim);
}

static void stop_and_wake(enum fault_point point)
{
    struct daemon *stopped = crew_daemon(crew, 0);
    double begun = fault_clock();

    runs_await(cluster, "quick-1", 1);
    struct takeover_watch watch = takeover_begin(cluster);
    stop_at(stopped, point);
    takeover_count_anew(cluster, &watch);
    struct takeovers figures = {0};
    takeovers_add(&figures, takeover_await(cluster, &watch, PATIENCE));
    if (fault_full_size())
        fault_let_pass(60 - (fault_clock() - begun));
    daemon_signal(stopped, SIGCONT);
    crew_await_following(crew, 0);
    ck_assert_int_eq(crew_await_leader(crew, PATIENCE), 1);
    crew_end(crew);
    fault_load_verdict(cluster, site);
    takeovers_judge(&figures, point == ANY_MOMENT ? "SIGSTOP at any moment" : fault_point_name(point), TAKEOVER_LEASE);
}

START_TEST(at_any_moment)
{
    stop_and_wake(ANY_MOMENT);
}
END_TEST

START_TEST(with_the_leader_row_locked_and_the_claim_not_committed)
{
    stop_and_wake(FAULT_BEFORE_CLAIM);
}
END_TEST

/* The claim names a session that is dead when the daemon wakes: its text reaches nobody. */
START_TEST(between_claim_and_start)
{
    stop_and_wake(FAULT_AFTER_CLAIM);
    EXPECT_SQL(cluster,
               "SELECT count(*) > 0 FROM chime.run_history h JOIN chime.job j USING (job_id)"
               " WHERE j.name = 'quick-2' AND h.state = 'lost'"
               " AND NOT EXISTS (SELECT FROM effect e WHERE e.job = j.name AND e.slot = h.slot)",
               "t");
}
END_TEST

static Suite *suite(void)
{
    Suite *all = suite_create("stop");
    TCase *cases = tcase_create("stop");

    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_set_timeout(cases, 300);
    tcase_add_test(cases, at_any_moment);
    tcase_add_test(cases, with_the_leader_row_locked_and_the_claim_not_committed);
    tcase_add_test(cases, between_claim_and_start);
    suite_add_tcase(all, cases);
    return all;
}

int main(void)
{
    return suite_run(suite());
}
