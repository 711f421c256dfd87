/* SPDX-License-Identifier: PostgreSQL */
/* kill -9 of the daemon at random and at each point of fault_aim.h under load, restarted each time; between two of them
 * jobs are edited, by conf.d and by SQL, with and without a daemon that hears of it; then the oracle
 * (ledger_oracle.sql) compares the ledger with an independent list of what was due and with what the jobs did.
 *
 * 30 kills; PGCHIME_TEST_SOAK makes it 1000, PGCHIME_TEST_FAULTS 300. PGCHIME_TEST_SEED repeats a choice of moments. */
#include <check.h>
#include <stdlib.h>

#include "support/cluster/cluster.h"
#include "support/daemon/daemon.h"
#include "support/daemon/site.h"
#include "support/fault/fault_aim.h"
#include "support/fault/fault_load.h"
#include "support/process/process.h"
#include "support/process/suite.h"

#define OUTAGE_SECONDS 6.0

static struct cluster *cluster;
static struct site *site;
static struct fault_aim *aim;

static void set_up(void)
{
    cluster = cluster_create(NULL);
    site = site_create(cluster, "postgres", 12);
    aim = fault_aim_create(cluster);
    fault_load_install(cluster, site);
}

static void tear_down(void)
{
    fault_aim_destroy(aim);
    site_destroy(site);
    cluster_destroy(cluster);
}

static void kill_now(struct daemon *daemon, struct fault_tally *tally)
{
    char *moment = cluster_value(cluster, "SELECT clock_timestamp()");

    daemon_kill(daemon);
    fault_tally_check(tally, cluster, moment);
    free(moment);
}

static void assert_alive(struct daemon *daemon)
{
    if (!daemon_is_running(daemon)) {
        char *errors = daemon_errors(daemon);
        support_fail("the daemon ended by itself:\n%s", errors);
    }
}

static void kill_at_any_moment(struct daemon *daemon, struct fault_tally *tally)
{
    fault_let_pass(0.02 + fault_random_below(1.6)); /* from its start: some are hit before they lead */
    assert_alive(daemon);
    kill_now(daemon, tally);
}

static void kill_at(struct daemon *daemon, enum fault_point point, struct fault_tally *tally)
{
    site_await_leading(daemon);
    fault_aim_bring(aim, daemon, point);
    assert_alive(daemon);
    if (fault_random_below(2) < 1)
        fault_aim_let_go(aim); /* what was waiting may be committed, and its answer reach nobody */
    kill_now(daemon, tally);
    fault_aim_let_go(aim);
}

static int kill_count(void)
{
    return fault_soak() ? 1000 : fault_full_size() ? 300 : 30;
}

/* Half at any moment; the points take turns. */
static void kill_once(struct daemon *daemon, int kill, struct fault_tally *tally)
{
    if (kill % 2 == 0)
        kill_at_any_moment(daemon, tally);
    else
        kill_at(daemon, (enum fault_point)(kill / 2 % FAULT_POINTS), tally);
}

/* Jobs are edited for a daemon that is killed on its way to the new catalog, or while nothing leads: for long enough
 * that what was due by the old definitions is beyond doubt. */
static void edit(int kill)
{
    if (kill % 15 == 3) {
        struct daemon *daemon = site_lead(site);
        fault_load_edit(cluster, site);
        site_reload(site, daemon);
        fault_let_pass(fault_random_below(0.3));
        daemon_destroy(daemon);
    } else if (kill % 15 == 10) {
        fault_load_edit(cluster, site);
        fault_let_pass(OUTAGE_SECONDS);
    }
}

START_TEST(no_slot_is_lost_or_run_twice_when_the_daemon_is_killed)
{
    struct fault_tally tally = {0};
    unsigned seed = fault_seed();

    for (int kill = 0; kill < kill_count(); kill++) {
        struct daemon *daemon = site_serve(site, NULL, NULL);
        kill_once(daemon, kill, &tally);
        daemon_destroy(daemon);
        edit(kill);
        if (kill % 4 == 0)
            fault_let_pass(fault_random_below(2)); /* nothing leads: there is something to catch up */
    }
    fault_load_settle(cluster, site);
    fault_tally_print(&tally, "kills", seed);
    fault_load_print_states(cluster);
    fault_load_assert_no_fault(cluster);
    fault_tally_assert_all_hit(&tally);
}
END_TEST

static Suite *suite(void)
{
    Suite *all = suite_create("kill");
    TCase *cases = tcase_create("kill");

    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_set_timeout(cases, 1200);
    tcase_add_test(cases, no_slot_is_lost_or_run_twice_when_the_daemon_is_killed);
    suite_add_tcase(all, cases);
    return all;
}

int main(void)
{
    return suite_run(suite());
}
