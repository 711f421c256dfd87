/* SPDX-License-Identifier: PostgreSQL */
/* A COMMIT whose acknowledgement is lost: the server has committed, the daemon cannot know. It is looked up, never
 * guessed. Also a connection that is open and dead: something between the daemon and its server stands still while both
 * kernels believe in the other side. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "support/cluster/cluster.h"
#include "support/cluster/proxy.h"
#include "support/daemon/daemon.h"
#include "support/daemon/site.h"
#include "support/fault/fault_aim.h"
#include "support/fault/fault_load.h"
#include "support/fault/takeover.h"
#include "support/ledger/runs.h"
#include "support/process/suite.h"
#include "support/process/wait.h"

#define AGAIN_SECONDS 20.0

static struct cluster *cluster;
static struct site *site;
static struct proxy *proxy;
static struct fault_aim *aim;
static struct daemon *served;

static void set_up(void)
{
    cluster = cluster_create(NULL);
    site = site_create(cluster, "postgres", 12);
    fault_load_install(cluster, site);
    aim = fault_aim_create(cluster);
    proxy = proxy_create(cluster);
    char *conninfo = proxy_conninfo(proxy, "postgres");
    site_use_conninfo(site, conninfo);
    free(conninfo);
}

static void tear_down(void)
{
    daemon_destroy(served);
    proxy_destroy(proxy);
    fault_aim_destroy(aim);
    site_destroy(site);
    cluster_destroy(cluster);
}

/* The same daemon has the leader lock again, on a new session. */
static void await_again(struct takeover_watch *watch)
{
    takeover_await(cluster, watch, AGAIN_SECONDS);
    ck_assert(daemon_is_running(served));
}

static void lose_acknowledgement(enum fault_point point)
{
    fault_aim_bring(aim, served, point);
    struct takeover_watch watch = takeover_begin(cluster);
    proxy_set(proxy, PROXY_SWALLOW_ANSWERS);
    fault_aim_let_commit(aim);
    proxy_break(proxy);
    proxy_set(proxy, PROXY_FORWARD);
    await_again(&watch);
}

static void lose_acknowledgements_of(enum fault_point point)
{
    served = site_lead(site);
    for (int i = 0; i < (fault_full_size() ? 20 : 3); i++)
        lose_acknowledgement(point);
    site_end(served);
    fault_load_verdict(cluster, site);
}

START_TEST(a_claim_whose_acknowledgement_is_lost_starts_nothing_unknown)
{
    lose_acknowledgements_of(FAULT_BEFORE_CLAIM);
}
END_TEST

START_TEST(a_finish_whose_acknowledgement_is_lost_is_not_run_again)
{
    lose_acknowledgements_of(FAULT_BEFORE_FINISH);
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.attempt JOIN chime.job USING (job_id) WHERE name = 'brief-1'", "0");
}
END_TEST

START_TEST(a_transactional_commit_whose_acknowledgement_is_lost_is_found_done)
{
    lose_acknowledgements_of(FAULT_BEFORE_OWN_COMMIT);
}
END_TEST

/* Nothing is refused and nothing answered: only the silence tells. */
static void stand_still(void)
{
    struct takeover_watch watch = takeover_begin(cluster);
    double begun = fault_clock();
    struct takeovers figures = {0};

    proxy_set(proxy, PROXY_STOP);
    WAIT_FOR(daemon_said(served, "the server has not answered for"), 2 * AGAIN_SECONDS);
    printf("a connection that stands still: the daemon gave up after %.1f s\n", fault_clock() - begun);
    proxy_break(proxy);
    proxy_set(proxy, PROXY_FORWARD);
    takeovers_add(&figures, takeover_await(cluster, &watch, AGAIN_SECONDS));
    takeovers_judge(&figures, "a connection that stands still",
                    TAKEOVER_LEASE + 3); /* and a pause before the next try */
}

START_TEST(a_connection_that_stands_still_is_given_up_within_the_lease)
{
    served = site_lead(site);
    runs_await(cluster, "quick-1", 1);
    stand_still();
    site_end(served);
    fault_load_verdict(cluster, site);
}
END_TEST

static Suite *suite(void)
{
    Suite *all = suite_create("acknowledgement");
    TCase *cases = tcase_create("acknowledgement");

    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_set_timeout(cases, 600);
    tcase_add_test(cases, a_claim_whose_acknowledgement_is_lost_starts_nothing_unknown);
    tcase_add_test(cases, a_finish_whose_acknowledgement_is_lost_is_not_run_again);
    tcase_add_test(cases, a_transactional_commit_whose_acknowledgement_is_lost_is_found_done);
    tcase_add_test(cases, a_connection_that_stands_still_is_given_up_within_the_lease);
    suite_add_tcase(all, cases);
    return all;
}

int main(void)
{
    return suite_run(suite());
}
