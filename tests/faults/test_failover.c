/* SPDX-License-Identifier: PostgreSQL */
/* The primary goes and its standby is promoted, as a failover manager does it; the daemon knows both hosts. Then the
 * old primary comes back as a standby, and the same again the other way round. The oracle judges the ledger of the one
 * that is primary in the end. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "support/cluster/cluster.h"
#include "support/cluster/standby.h"
#include "support/daemon/daemon.h"
#include "support/daemon/site.h"
#include "support/fault/fault_load.h"
#include "support/fault/takeover.h"
#include "support/ledger/runs.h"
#include "support/process/files.h"
#include "support/process/suite.h"
#include "support/process/wait.h"

#define AGAIN_SECONDS 40.0

static struct cluster *primary;
static struct cluster *standby;
static struct site *site;
static struct daemon *served;

static void set_up(void)
{
    primary = cluster_create((const char *const[]){"wal_level=replica", "max_wal_senders=4", NULL});
    site = site_create(primary, "postgres", 12);
    fault_load_install(primary, site);
    standby = standby_create(primary);
    char *conninfo = files_path("host=%s,%s port=5432 user=postgres dbname=postgres target_session_attrs=read-write",
                                cluster_directory(primary), cluster_directory(standby));
    site_use_conninfo(site, conninfo);
    free(conninfo);
    served = site_lead(site);
}

static void tear_down(void)
{
    daemon_destroy(served);
    site_destroy(site);
    cluster_destroy(standby);
    cluster_destroy(primary);
}

static void change_roles(void)
{
    struct cluster *old = primary;

    primary = standby;
    standby = old;
}

static char *leadership_of(struct cluster *cluster)
{
    return cluster_value(cluster, "SELECT token FROM chime.leader");
}

/* A daemon has the leader lock there and has claimed a run since; `what` began at `begun`. */
static void await_leading_on(struct cluster *cluster, const char *old_token, const char *what, double begun)
{
    char *sql = files_path("SELECT l.token <> '%s' AND chime.backend_alive(l.pid, l.backend_start) AND EXISTS"
                           " (SELECT FROM chime.runs r WHERE r.claimed_at > l.since) FROM chime.leader l",
                           old_token);

    WAIT_SQL(cluster, sql, "t", AGAIN_SECONDS);
    double taken = fault_clock() - begun;
    printf("runs go on %.1f s after %s\n", taken, what);
    fflush(stdout);
    ck_assert(daemon_is_running(served));
    free(sql);
}

static void fail_over(void (*end)(struct cluster *))
{
    char *token = leadership_of(primary);

    end(primary);
    double ended = fault_clock();
    standby_promote(standby);
    double promoted = fault_clock();
    printf("promoted %.1f s after the primary's end\n", promoted - ended);
    await_leading_on(standby, token, "the promotion", promoted);
    change_roles();
    free(token);
}

static void await_effects_on(struct cluster *cluster)
{
    char *sql = cluster_value(cluster, "SELECT format('SELECT count(*) > %s FROM effect', count(*) + 20) FROM effect");

    WAIT_SQL(cluster, sql, "t", AGAIN_SECONDS);
    free(sql);
}

static void judge(void)
{
    site_end(served);
    fault_load_settle(primary, site);
    fault_load_print_states(primary);
    fault_load_assert_no_fault(primary);
}

static void stop_at_once(struct cluster *cluster)
{
    cluster_stop(cluster, CLUSTER_IMMEDIATE);
}

static void stop_having_sent_all(struct cluster *cluster)
{
    cluster_stop(cluster, CLUSTER_FAST); /* a fast stop waits until the standby has everything */
}

START_TEST(the_standby_is_promoted_and_the_old_primary_comes_back_as_standby)
{
    runs_await(primary, "quick-1", 2);
    for (int i = 0; i < 2; i++) {
        fail_over(i % 2 == 0 ? cluster_kill : stop_having_sent_all);
        standby_rejoin(standby, primary);
        await_effects_on(primary);
    }
    judge();
    EXPECT_SQL(primary, "SELECT count(*) FROM chime.leadership", "4"); /* one judged */
}
END_TEST

/* The number of the leadership and of the last run: what steps back when commits are lost. */
static int64_t epoch_of(struct cluster *cluster)
{
    return cluster_integer(cluster, "SELECT epoch FROM chime.leader");
}

static int64_t last_run_of(struct cluster *cluster)
{
    return cluster_integer(cluster, "SELECT max(run_id) FROM chime.runs");
}

/* Another leadership, and runs of its own: none of it reaches the standby. */
static void lead_anew_on(struct cluster *cluster)
{
    char *token = leadership_of(cluster);

    cluster_execute(cluster, "SELECT pg_terminate_backend(pid) FROM chime.leader");
    await_leading_on(cluster, token, "the end of the leader's session", fault_clock());
    await_effects_on(cluster);
    free(token);
}

/* What the old primary committed last is lost with it: claims, ends, effects, and a change of the leadership. */
START_TEST(an_asynchronous_standby_had_not_received_the_last_claims)
{
    runs_await(primary, "quick-1", 2);
    standby_catch_up(primary, standby);
    standby_detach(standby);
    int64_t epoch = epoch_of(standby);
    int64_t last_run = last_run_of(standby);
    lead_anew_on(primary);
    ck_assert_int_eq(epoch_of(primary), epoch + 1);
    ck_assert_int_gt(last_run_of(primary), last_run);
    fail_over(stop_at_once);
    ck_assert_int_eq(epoch_of(primary), epoch + 1); /* that number again, with another token */
    await_effects_on(primary);
    judge();
}
END_TEST

static Suite *suite(void)
{
    Suite *all = suite_create("failover");
    TCase *cases = tcase_create("failover");

    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_set_timeout(cases, 300);
    tcase_add_test(cases, the_standby_is_promoted_and_the_old_primary_comes_back_as_standby);
    tcase_add_test(cases, an_asynchronous_standby_had_not_received_the_last_claims);
    suite_add_tcase(all, cases);
    return all;
}

int main(void)
{
    return suite_run(suite());
}
