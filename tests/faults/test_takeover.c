/* SPDX-License-Identifier: PostgreSQL */
/* How long a database is without a leader when the one that leads is killed or told to end: nobody has to wait for a
 * timeout. */
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

static void kill_it(struct takeover_pair *two, int leader)
{
    daemon_kill(crew_daemon(two->crew, leader));
}

static void start_it(struct takeover_pair *two, int leader)
{
    crew_start(two->crew, leader);
}

START_TEST(a_killed_leader_is_followed_within_two_seconds)
{
    takeover_take_turns(&pair, &(struct takeover_fault){"kill -9", TAKEOVER_SOON, kill_it, start_it, false});
}
END_TEST

static void tell_to_end(struct takeover_pair *two, int leader)
{
    daemon_signal(crew_daemon(two->crew, leader), SIGTERM);
}

static void see_end(struct takeover_pair *two, int leader)
{
    ck_assert_int_eq(daemon_wait(crew_daemon(two->crew, leader), 40), 0);
    crew_start(two->crew, leader);
}

START_TEST(a_leader_told_to_end_is_followed_within_two_seconds)
{
    takeover_take_turns(&pair, &(struct takeover_fault){"SIGTERM", TAKEOVER_SOON, tell_to_end, see_end, true});
}
END_TEST

static Suite *suite(void)
{
    Suite *all = suite_create("takeover");
    TCase *cases = tcase_create("takeover");

    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_set_timeout(cases, 1200);
    tcase_add_test(cases, a_killed_leader_is_followed_within_two_seconds);
    tcase_add_test(cases, a_leader_told_to_end_is_followed_within_two_seconds);
    suite_add_tcase(all, cases);
    return all;
}

int main(void)
{
    network_enter();
    return suite_run(suite());
}
