/* SPDX-License-Identifier: PostgreSQL */
/* The daemon that leads is cut off under load without a word, no reset, no error: one way, and the other way. Another
 * takes over; the first notices by itself, comes back and follows. Both ways, again and again: test_takeover_cut. */
#include <check.h>

#include "support/fault/fault_load.h"
#include "support/fault/takeover.h"
#include "support/ledger/runs.h"
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

static void cut_under_load(enum network_direction ways, const char *name)
{
    fault_load_install(pair.cluster, pair.site);
    takeover_pair_start(&pair);
    runs_await(pair.cluster, "quick-1", 1);
    takeover_cut_and_join(&pair, ways, name, NULL);
    crew_end(pair.crew);
    fault_load_verdict(pair.cluster, pair.site);
}

START_TEST(requests_are_lost_and_answers_arrive)
{
    cut_under_load(NETWORK_TO_SERVER, "a partition towards the server");
}
END_TEST

START_TEST(requests_arrive_and_answers_are_lost)
{
    cut_under_load(NETWORK_FROM_SERVER, "a partition from the server");
}
END_TEST

static Suite *suite(void)
{
    Suite *all = suite_create("partition");
    TCase *cases = tcase_create("partition");

    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_set_timeout(cases, 300);
    tcase_add_test(cases, requests_are_lost_and_answers_arrive);
    tcase_add_test(cases, requests_arrive_and_answers_are_lost);
    suite_add_tcase(all, cases);
    return all;
}

int main(void)
{
    network_enter();
    return suite_run(suite());
}
