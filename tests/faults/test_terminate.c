/* SPDX-License-Identifier: PostgreSQL */
/* Sessions of the daemon are ended by somebody else (pg_terminate_backend) under load: the leader's, the listener's, a
 * run's. */
#include <check.h>
#include <stdlib.h>

#include "support/cluster/cluster.h"
#include "support/daemon/daemon.h"
#include "support/daemon/site.h"
#include "support/fault/fault_load.h"
#include "support/ledger/runs.h"
#include "support/process/files.h"
#include "support/process/suite.h"
#include "support/process/wait.h"

#define PATIENCE 30.0

static struct cluster *cluster;
static struct site *site;
static struct daemon *served;

static void set_up(void)
{
    cluster = cluster_create(NULL);
    site = site_create(cluster, "postgres", 12);
}

static void tear_down(void)
{
    daemon_destroy(served);
    site_destroy(site);
    cluster_destroy(cluster);
}

static int repetitions(void)
{
    return fault_full_size() ? 30 : 6;
}

/* `of`: what follows FROM to find such sessions, those at work first. Returns when the session is gone. */
static void end_one(const char *of)
{
    char *find = files_path("SELECT pid FROM %s LIMIT 1", of);
    char *found = files_path("SELECT EXISTS (%s)", find);
    char *end = files_path("SELECT pid, pg_terminate_backend(pid) FROM (%s) s", find);
    char *pid = NULL;

    while (pid == NULL) { /* it may end by itself between two looks */
        WAIT_SQL(cluster, found, "t", PATIENCE);
        pid = cluster_value(cluster, end);
    }
    char *left = files_path("SELECT count(*) FROM pg_stat_activity WHERE pid = %s", pid);
    WAIT_SQL(cluster, left, "0", PATIENCE);
    free(left);
    free(pid);
    free(end);
    free(found);
    free(find);
}

static void end_sessions(const char *of, int times)
{
    fault_load_install(cluster, site);
    served = site_lead(site);
    for (int i = 0; i < times; i++) {
        end_one(of);
        fault_let_pass(fault_random_below(1.5));
    }
    fault_load_await_settled(cluster);
    site_end(served);
    fault_load_verdict(cluster, site);
}

/* Beside those counted here one judged. */
static void assert_leaderships(int count)
{
    ck_assert_int_eq(cluster_integer(cluster, "SELECT count(*) FROM chime.leadership"), count + 1);
}

START_TEST(pg_terminate_backend_of_the_leader)
{
    end_sessions("chime.leader WHERE chime.backend_alive(pid, backend_start)", repetitions());
    assert_leaderships(1 + repetitions());
}
END_TEST

START_TEST(pg_terminate_backend_of_the_listener)
{
    site_job(site, "listener", "on = [\"some_channel\"]; command = \"SELECT 1\";"); /* there is something to hear */
    end_sessions("pg_stat_activity WHERE application_name = 'pgchime listener'",
                 6);       /* the pause before it listens again grows to 30 s */
    assert_leaderships(1); /* the leader stayed */
}
END_TEST

START_TEST(pg_terminate_backend_of_a_run)
{
    end_sessions("pg_stat_activity WHERE application_name = 'pgchime run' ORDER BY state = 'active' DESC, random()",
                 repetitions());
    assert_leaderships(1);
    EXPECT_SQL(cluster, "SELECT count(*) > 0 FROM chime.runs WHERE sqlstate = '57P01' OR state = 'lost'", "t");
}
END_TEST

static Suite *suite(void)
{
    Suite *all = suite_create("terminate");
    TCase *cases = tcase_create("terminate");

    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_set_timeout(cases, 600);
    tcase_add_test(cases, pg_terminate_backend_of_the_leader);
    tcase_add_test(cases, pg_terminate_backend_of_the_listener);
    tcase_add_test(cases, pg_terminate_backend_of_a_run);
    suite_add_tcase(all, cases);
    return all;
}

int main(void)
{
    return suite_run(suite());
}
