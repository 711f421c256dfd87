/* SPDX-License-Identifier: PostgreSQL */
/* A connection that only one side still has, after a cut without a word: one whose run waits for an answer, and one
 * that idles. */
#include <check.h>

#include "support/daemon/daemon.h"
#include "support/daemon/site.h"
#include "support/fault/fault_load.h"
#include "support/fault/takeover.h"
#include "support/ledger/runs.h"
#include "support/process/suite.h"
#include "support/process/wait.h"

static struct takeover_pair pair;

static void set_up(void)
{
    takeover_pair_set_up(&pair);
}

static void tear_down(void)
{
    takeover_pair_tear_down(&pair);
}

/* The run's statement outlives its client: nobody else is told, and the next leader ends it. */
START_TEST(a_half_open_connection_that_is_busy)
{
    site_job(pair.site, "job", NEVER_DUE "command = \"SELECT pg_sleep(120)\";");
    site_job(pair.site, "other", NEVER_DUE "command = \"SELECT 1\";");
    takeover_pair_start(&pair);
    runs_ask(pair.cluster, "job");
    runs_await_running(pair.cluster, "job");
    takeover_cut_and_join(&pair, NETWORK_BOTH_WAYS, "a half-open connection that is busy", "other");
    WAIT_SQL(pair.cluster,
             "SELECT count(*) FROM pg_stat_activity WHERE query ~ 'pg_sleep.120' AND pid <> pg_backend_pid()", "0",
             FAULT_SETTLE_SECONDS);
    WAIT_SQL(pair.cluster, "SELECT count(*) FROM chime.run", "0", FAULT_SETTLE_SECONDS);
    EXPECT_RUN(pair.cluster, "job", "concat_ws(' ', state, attempt, reason)",
               "lost 1 its session is gone and its outcome is unknown");
    crew_end(pair.crew);
}
END_TEST

/* Sessions of the pool that idled while they were cut off are dead when the cable is there again: none is used by
 * the daemon when it leads anew. */
START_TEST(a_half_open_connection_that_idles)
{
    site_job(pair.site, "job", NEVER_DUE "command = \"SELECT 1\";");
    takeover_pair_start(&pair);
    runs_ask_and_await(pair.cluster, "job");
    takeover_cut_and_join(&pair, NETWORK_BOTH_WAYS, "a half-open connection that idles", "job");
    daemon_kill(crew_daemon(pair.crew, 1));
    WAIT_FOR(crew_await_leader(pair.crew, FAULT_SETTLE_SECONDS) == 0, FAULT_SETTLE_SECONDS);
    runs_ask_and_await(pair.cluster, "job");
    crew_start(pair.crew, 1);
    EXPECT_SQL(pair.cluster, "SELECT string_agg(state::text, ' ') FROM chime.run_history",
               "succeeded succeeded succeeded");
    crew_end(pair.crew);
}
END_TEST

static Suite *suite(void)
{
    Suite *all = suite_create("half_open");
    TCase *cases = tcase_create("half_open");

    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_set_timeout(cases, 300);
    tcase_add_test(cases, a_half_open_connection_that_is_busy);
    tcase_add_test(cases, a_half_open_connection_that_idles);
    suite_add_tcase(all, cases);
    return all;
}

int main(void)
{
    network_enter();
    return suite_run(suite());
}
