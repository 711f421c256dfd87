/* SPDX-License-Identifier: PostgreSQL */
/* The server goes, under load, and comes back: by kill -9 of its postmaster, by an immediate stop, by a restart. The
 * daemon stays and leads again. Twice each, at any moment and while a transactional run commits; ten times with
 * PGCHIME_TEST_FAULTS. */
#include <check.h>

#include "support/cluster/cluster.h"
#include "support/daemon/daemon.h"
#include "support/daemon/site.h"
#include "support/fault/fault_aim.h"
#include "support/fault/fault_load.h"
#include "support/fault/takeover.h"
#include "support/process/suite.h"

#define AGAIN_SECONDS 30.0
#define LIMIT 5.0 /* seconds after the server answers again */

static struct cluster *cluster;
static struct site *site;
static struct daemon *served;

static void set_up(void)
{
    cluster = cluster_create(NULL);
    site = site_create(cluster, "postgres", 12);
    fault_load_install(cluster, site);
    served = site_lead(site);
}

static void tear_down(void)
{
    daemon_destroy(served);
    site_destroy(site);
    cluster_destroy(cluster);
}

static void stop_at_once(struct cluster *server)
{
    cluster_stop(server, CLUSTER_IMMEDIATE);
}

static void stop_fast(struct cluster *server)
{
    cluster_stop(server, CLUSTER_FAST);
}

/* At any moment, or while the work of a run is done and its COMMIT has not been. */
static void bring_down(void (*how)(struct cluster *), bool at_commit)
{
    if (!at_commit) {
        fault_let_pass(fault_random_below(2));
        how(cluster);
        return;
    }
    struct fault_aim *aim = fault_aim_create(cluster);
    fault_aim_bring(aim, served, FAULT_BEFORE_OWN_COMMIT);
    how(cluster);
    fault_aim_destroy(aim);
}

static void go_and_come_back(void (*how)(struct cluster *), const char *name)
{
    struct takeovers figures = {0};

    for (int i = 0; i < (fault_full_size() ? 10 : 2); i++) {
        struct takeover_watch watch = takeover_begin(cluster);
        bring_down(how, i % 2 == 1);
        fault_let_pass(fault_random_below(2));
        cluster_start(cluster);
        takeover_count_anew(cluster, &watch);
        takeovers_add(&figures, takeover_await(cluster, &watch, AGAIN_SECONDS));
        ck_assert(daemon_is_running(served));
    }
    site_end(served);
    fault_load_verdict(cluster, site);
    takeovers_judge(&figures, name, LIMIT);
}

START_TEST(kill_9)
{
    go_and_come_back(cluster_kill, "kill -9 of the server, from its return");
}
END_TEST

START_TEST(immediate_stop)
{
    go_and_come_back(stop_at_once, "an immediate stop of the server, from its return");
}
END_TEST

START_TEST(restart)
{
    go_and_come_back(stop_fast, "a restart of the server, from its return");
}
END_TEST

static Suite *suite(void)
{
    Suite *all = suite_create("server_down");
    TCase *cases = tcase_create("server_down");

    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_set_timeout(cases, 600);
    tcase_add_test(cases, kill_9);
    tcase_add_test(cases, immediate_stop);
    tcase_add_test(cases, restart);
    suite_add_tcase(all, cases);
    return all;
}

int main(void)
{
    return suite_run(suite());
}
