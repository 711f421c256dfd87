/* SPDX-License-Identifier: PostgreSQL */
/* A list of hosts, a primary that goes and a standby that takes its place: the daemon leads where the primary is, and
 * nowhere else. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "support/cluster/cluster.h"
#include "support/cluster/standby.h"
#include "support/daemon/commands.h"
#include "support/daemon/daemon.h"
#include "support/daemon/site.h"
#include "support/ledger/runs.h"
#include "support/process/files.h"
#include "support/process/suite.h"
#include "support/process/wait.h"

static struct cluster *primary;
static struct cluster *standby;
static struct site *site;
static struct daemon *served;
static char *output;
static char *errors;

static void set_up(void)
{
    primary = cluster_create(NULL);
    cluster_execute(primary, "CREATE TABLE t (at timestamptz DEFAULT clock_timestamp())");
    site = site_create(primary, "postgres", 2);
    site_job(site, "job", "schedule = \"1 seconds\"; command = \"INSERT INTO t DEFAULT VALUES\"; catchup = \"all\";");
}

static void tear_down(void)
{
    daemon_destroy(served);
    site_destroy(site);
    cluster_destroy(standby);
    cluster_destroy(primary);
    free(output);
    free(errors);
}

#define ASSERT_RUN(status, ...) \
    commands_expect(status, site_config(site), (const char *const[]){__VA_ARGS__, NULL}, &output, &errors)

static void await_led(struct cluster *cluster, const char *epoch)
{
    char *sql = files_path("SELECT alive AND epoch = %s FROM chime.leader_status", epoch);
    WAIT_SQL(cluster, sql, "t", 60);
    free(sql);
}

static void await_more_runs(struct cluster *cluster)
{
    char *rows = cluster_value(cluster, "SELECT count(*) FROM t");
    char *sql = files_path("SELECT count(*) >= %s + 2 FROM t", rows);
    WAIT_SQL(cluster, sql, "t", 30);
    free(sql);
    free(rows);
}

/* A standby stands beside the primary, which is led and comes first in the list of hosts. */
static void lead_a_pair(void)
{
    standby = standby_create(primary);
    char *conninfo = files_path("host=%s,%s port=5432 user=postgres dbname=postgres", cluster_directory(primary),
                                cluster_directory(standby));
    site_use_conninfo(site, conninfo);
    served = site_lead(site);
    await_more_runs(primary);
    free(conninfo);
}

/* Each slot has its one row of history or is live. */
static void assert_whole(struct cluster *cluster)
{
    EXPECT_SQL(
        cluster,
        "SELECT count(*) = extract(epoch FROM max(slot) - min(slot)) + 1 FROM (SELECT slot FROM chime.run_history"
        " UNION ALL SELECT slot FROM chime.run) s",
        "t");
}

/* --- a list of hosts ---------------------------------------------------------------------------------------------- */

START_TEST(hosts_that_are_absent_or_only_follow_are_passed_over)
{
    standby = standby_create(primary);
    char *conninfo = files_path("host=/nowhere,%s,%s port=1,5432,5432 user=postgres dbname=postgres%s",
                                cluster_directory(standby), cluster_directory(primary),
                                _i == 0 ? "" : " target_session_attrs=any");
    site_use_conninfo(site, conninfo);
    served = site_lead(site);
    await_more_runs(primary);
    if (_i == 0) {
        ASSERT_RUN(0, "status", "-o", "json");
        commands_has(output, "\"leader\": \"test\"");
    }
    free(conninfo);
}
END_TEST

START_TEST(a_standby_alone_is_not_led_and_says_that_it_is_one)
{
    served = site_lead(site);
    standby = standby_create(primary);
    char *conninfo = cluster_conninfo(standby, "postgres");
    daemon_destroy(served);
    site_use_conninfo(site, conninfo);
    served = site_serve(site, NULL, NULL);
    WAIT_FOR(daemon_said(served, "database main: the server is a standby"), 20);
    WAIT_FOR(daemon_said(served, "list all hosts in the conninfo"), 20);
    ASSERT_RUN(0, "status", "-o", "json");
    commands_has(output, "\"standby_behind_ms\": ");
    ck_assert_ptr_null(strstr(output, "\"standby_behind_ms\": null"));
    commands_has(errors, "database \"main\": a standby, and what it has last was committed ");
    free(conninfo);
}
END_TEST

/* --- a failover --------------------------------------------------------------------------------------------------- */

START_TEST(a_promoted_standby_is_led_and_the_old_primary_may_follow_it)
{
    lead_a_pair();
    standby_catch_up(primary, standby);
    cluster_kill(primary);
    standby_promote(standby);
    await_led(standby, "2");
    await_more_runs(standby);
    EXPECT_SQL(standby, "SELECT timeline FROM chime.leader", "2");
    ASSERT_RUN(0, "status", "-o", "json");
    commands_has(output, "\"timeline\": 2,");
    standby_rejoin(primary, standby);
    cluster_execute(standby, "SELECT pg_terminate_backend(pid) FROM chime.leader");
    await_led(standby, "3");
    await_more_runs(standby);
    site_end(served);
    assert_whole(standby);
}
END_TEST

START_TEST(a_failover_that_lost_the_last_claims_is_led_from_what_is_there)
{
    lead_a_pair();
    cluster_execute(primary, "SELECT pg_terminate_backend(pid) FROM chime.leader");
    await_led(primary, "2");
    await_more_runs(primary);
    standby_catch_up(primary, standby);
    standby_detach(standby);
    cluster_execute(primary, "SELECT pg_terminate_backend(pid) FROM chime.leader");
    await_led(primary, "3");
    await_more_runs(primary);
    char *lost = cluster_value(primary, "SELECT max(run_id) FROM chime.run_history");
    cluster_kill(primary);
    standby_promote(standby);
    await_led(standby, "3"); /* again: the third leadership is not known here */
    char *seen = files_path("SELECT max(run_id) > %s FROM chime.run_history", lost);
    WAIT_SQL(standby, seen, "t", 60);
    site_end(served);
    assert_whole(standby);
    ck_assert(!daemon_said(served, "does not agree"));
    free(seen);
    free(lost);
}
END_TEST

START_TEST(an_old_primary_that_comes_back_as_one_is_not_led)
{
    lead_a_pair();
    standby_catch_up(primary, standby);
    cluster_stop(primary, CLUSTER_FAST);
    standby_promote(standby);
    await_led(standby, "2");
    cluster_start(primary);
    char *before = cluster_value(primary, "SELECT count(*) FROM t");
    /* It is the first of the list, and takes writes. */
    cluster_execute(standby,
                    "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name LIKE 'pgchime%'");
    await_led(standby, "3");
    await_more_runs(standby);
    cluster_stop(standby, CLUSTER_FAST);
    WAIT_FOR(daemon_said(served, "is on timeline 1, but timeline 2 has been seen: a failover left it behind"), 30);
    EXPECT_SQL(primary, "SELECT epoch FROM chime.leader", "1");
    EXPECT_SQL(primary, "SELECT alive FROM chime.leader_status", "f");
    cluster_start(standby);
    await_led(standby, "4");
    await_more_runs(standby);
    char *after = cluster_value(primary, "SELECT count(*) FROM t");
    ck_assert_str_eq(before, after);
    free(before);
    free(after);
}
END_TEST

/* A standby that was promoted to be a copy, in an entry of its own: the original is no old primary for that. */
START_TEST(a_promoted_copy_in_another_entry_takes_nothing_from_the_original)
{
    standby = standby_create(primary);
    standby_catch_up(primary, standby);
    standby_promote(standby);
    char *copy = cluster_conninfo(standby, "postgres");
    site_add_database(site, "copy", copy);
    site_job(site, "job", "schedule = \"1 seconds\"; command = \"INSERT INTO t DEFAULT VALUES\"; database = \"main\";");
    served = site_serve(site, NULL, NULL);
    await_led(primary, "1");
    await_led(standby, "1");
    EXPECT_SQL(standby, "SELECT timeline FROM chime.leader", "2");
    cluster_execute(primary, "SELECT pg_terminate_backend(pid) FROM chime.leader");
    await_led(primary, "2");
    await_more_runs(primary);
    ck_assert(!daemon_said(served, "left it behind"));
    free(copy);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("failover");
    TCase *tests = tcase_create("failover");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_set_timeout(tests, 240);
    tcase_add_loop_test(tests, hosts_that_are_absent_or_only_follow_are_passed_over, 0, 2);
    tcase_add_test(tests, a_standby_alone_is_not_led_and_says_that_it_is_one);
    tcase_add_test(tests, a_promoted_standby_is_led_and_the_old_primary_may_follow_it);
    tcase_add_test(tests, a_failover_that_lost_the_last_claims_is_led_from_what_is_there);
    tcase_add_test(tests, an_old_primary_that_comes_back_as_one_is_not_led);
    tcase_add_test(tests, a_promoted_copy_in_another_entry_takes_nothing_from_the_original);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
