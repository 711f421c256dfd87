/* SPDX-License-Identifier: PostgreSQL */
/* How long a database is without a leader when the one that leads is cut off without a word. */
#include <check.h>

#include "support/cluster/network.h"
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

static void cut_it_off(struct takeover_pair *two, int leader)
{
    network_cut(two->machines[leader], NETWORK_BOTH_WAYS);
}

/* It comes back, finds that another leads, and follows. What it says in the next turn must be of a later life. */
static void join_it(struct takeover_pair *two, int leader)
{
    network_heal(two->machines[leader]);
    crew_await_following(two->crew, leader);
    crew_start(two->crew, leader);
}

START_TEST(a_leader_cut_off_without_a_word_is_followed_within_seventeen_seconds)
{
    takeover_take_turns(&pair,
                        &(struct takeover_fault){"a silent partition", TAKEOVER_LEASE, cut_it_off, join_it, false});
}
END_TEST

static Suite *suite(void)
{
    Suite *all = suite_create("takeover_cut");
    TCase *cases = tcase_create("takeover_cut");

    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_set_timeout(cases, 1200);
    tcase_add_test(cases, a_leader_cut_off_without_a_word_is_followed_within_seventeen_seconds);
    suite_add_tcase(all, cases);
    return all;
}

int main(void)
{
    network_enter();
    return suite_run(suite());
}
