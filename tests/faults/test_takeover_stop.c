/* SPDX-License-Identifier: PostgreSQL */
/* How long a database is without a leader when the one that leads stands still: its session seems to be there. */
#include <check.h>
#include <signal.h>

#include "support/cluster/network.h"
#include "support/daemon/daemon.h"
#include "support/fault/takeover.h"
#include "support/process/suite.h"

static struct takeover_pair pair;

static void set_up(void)
{
    takeover_pair_set_up(&pair);
}

static void tear_down(void)
{
    takeover_pair_tear_down(&pair);
}

static void stop_it(struct takeover_pair *two, int leader)
{
    daemon_signal(crew_daemon(two->crew, leader), SIGSTOP);
}

/* It wakes, finds that another leads, and follows. What it says in the next turn must be of a later life. */
static void wake_it(struct takeover_pair *two, int leader)
{
    daemon_signal(crew_daemon(two->crew, leader), SIGCONT);
    crew_await_following(two->crew, leader);
    crew_start(two->crew, leader);
}

START_TEST(a_stopped_leader_is_followed_within_seventeen_seconds)
{
    takeover_take_turns(&pair, &(struct takeover_fault){"SIGSTOP", TAKEOVER_LEASE, stop_it, wake_it, false});
}
END_TEST

static Suite *suite(void)
{
    Suite *all = suite_create("takeover_stop");
    TCase *cases = tcase_create("takeover_stop");

    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_set_timeout(cases, 1200);
    tcase_add_test(cases, a_stopped_leader_is_followed_within_seventeen_seconds);
    suite_add_tcase(all, cases);
    return all;
}

int main(void)
{
    network_enter();
    return suite_run(suite());
}
