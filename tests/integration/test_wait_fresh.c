/* SPDX-License-Identifier: PostgreSQL */
/* Read your writes: chime.wait_fresh. No daemon runs here; refreshes are made by hand, so each waits for the one that
 * the test makes. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/cluster/cluster.h"
#include "support/cluster/session.h"
#include "support/keyed/keyed.h"
#include "support/process/files.h"
#include "support/process/suite.h"
#include "support/process/wait.h"

static struct cluster *cluster;
static PGconn *waiter;
static PGconn *other;

static void set_up(void)
{
    cluster = keyed_create();
    waiter = cluster_connect(cluster, "postgres");
    other = cluster_connect(cluster, "postgres");
    KEYED_INSTALL(cluster, "shop_total", "shop_size");
}

static void tear_down(void)
{
    PQfinish(waiter);
    PQfinish(other);
    cluster_destroy(cluster);
}

#define WRITE "INSERT INTO app.orders (shop, amount) VALUES (1, 2)"
#define REFRESH(view) cluster_execute(cluster, "SELECT chime.refresh('" view "')")
#define LOOK(view) "SELECT fresh FROM chime.wait_fresh('" view "', timeout => '0')"

/* What the waiter's last statement gives: its first value, or the error. So one that reads the view after the wait, in
 * the same turn, tells what was there as the wait ended. */
static void expect_waited(const char *expected)
{
    char told[512] = "";
    for (PGresult *result = NULL; (result = PQgetResult(waiter)) != NULL; PQclear(result)) {
        snprintf(told, sizeof(told), "%s",
                 PQresultStatus(result) == PGRES_TUPLES_OK ? PQgetvalue(result, 0, 0)
                                                           : PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY));
    }
    ck_assert_str_eq(told, expected);
}

#define EXPECT_WAITED(sql, expected) (session_send(waiter, sql), expect_waited(expected))

/* It has looked, and sleeps until it looks again. */
static void await_asleep(void)
{
    char *asked = files_path("SELECT wait_event FROM pg_stat_activity WHERE pid = %d", PQbackendPID(waiter));
    WAIT_SQL(cluster, asked, "PgSleep", 20);
    free(asked);
}

START_TEST(a_view_without_changes_is_held_at_once)
{
    EXPECT_WAITED("SELECT fresh::text || ' ' || behind || coalesce(reason, '') FROM chime.wait_fresh('shop_total', "
                  "timeout => '0')",
                  "true 00:00:00");
    cluster_execute(cluster, WRITE);
    REFRESH("shop_total");
    EXPECT_WAITED(LOOK("shop_total"), "t");
}
END_TEST

START_TEST(it_returns_when_a_refresh_has_seen_what_was_committed_before_the_call)
{
    cluster_execute(cluster, WRITE);
    session_send(waiter, "SELECT fresh FROM chime.wait_fresh('shop_total', timeout => '10min')");
    await_asleep();
    REFRESH("shop_total");
    expect_waited("t");
    EXPECT_WAITED("SELECT n FROM kept.shop_total WHERE shop = 1", "1");
}
END_TEST

/* The next statement, not the one that waits: that has its snapshot already. */
START_TEST(the_next_statement_of_the_transaction_sees_it)
{
    session_execute(waiter, "BEGIN; " WRITE "; COMMIT; BEGIN");
    session_send(waiter, "SELECT fresh FROM chime.wait_fresh('shop_total', timeout => '10min')");
    await_asleep();
    REFRESH("shop_total");
    expect_waited("t");
    EXPECT_WAITED("SELECT n FROM kept.shop_total WHERE shop = 1", "1");
    session_execute(waiter, "COMMIT");
}
END_TEST

START_TEST(a_refresh_that_began_before_the_commit_does_not_count)
{
    session_execute(other, "BEGIN; SELECT chime.refresh('shop_total')");
    cluster_execute(cluster, WRITE);
    session_send(waiter, "SELECT chime.wait_fresh('shop_total', timeout => '10min');"
                         "SELECT n FROM kept.shop_total WHERE shop = 1");
    await_asleep();
    session_execute(other, "COMMIT");
    EXPECT_SQL(cluster, LOOK("shop_total"), "f");
    await_asleep();
    REFRESH("shop_total");
    expect_waited("1");
}
END_TEST

/* What is written on and on is pending all the time; what was committed before the call is held all the same. */
START_TEST(what_is_committed_later_is_not_waited_for)
{
    cluster_execute(cluster, WRITE);
    session_send(waiter, "SELECT fresh FROM chime.wait_fresh('shop_total', timeout => '10min')");
    await_asleep();
    session_execute(other, "BEGIN; " WRITE); /* has a number below that of the refresh, and ends after it */
    REFRESH("shop_total");
    session_execute(other, "COMMIT");
    expect_waited("t");
    EXPECT_SQL(cluster, LOOK("shop_total"), "f");
}
END_TEST

START_TEST(a_view_that_reads_another_is_waited_for_through_both)
{
    cluster_execute(cluster, WRITE);
    session_send(waiter, "SELECT chime.wait_fresh('shop_size', timeout => '10min');"
                         "SELECT size FROM kept.shop_size WHERE shop = 1");
    await_asleep();
    REFRESH("shop_size"); /* nothing has come to it yet */
    EXPECT_SQL(cluster, LOOK("shop_size"), "f");
    REFRESH("shop_total");
    EXPECT_SQL(cluster, LOOK("shop_total"), "t");
    EXPECT_SQL(cluster, LOOK("shop_size"), "f");
    await_asleep();
    REFRESH("shop_size");
    expect_waited("small");
}
END_TEST

START_TEST(a_view_that_is_not_keyed_is_held_after_a_refresh_that_began_later)
{
    cluster_execute(cluster,
                    "SELECT app.install('all_total', 'SELECT 1 AS one, count(*) AS n FROM orders', '{one}', '[]',"
                    " p_mode => 'full')");
    EXPECT_SQL(cluster, LOOK("all_total"), "f");
    REFRESH("all_total");
    EXPECT_SQL(cluster, LOOK("all_total"), "f");
    session_execute(other, "BEGIN; SELECT chime.refresh('all_total')");
    cluster_execute(cluster, WRITE);
    session_send(waiter, "SELECT chime.wait_fresh('all_total', timeout => '10min'); SELECT n FROM kept.all_total");
    await_asleep();
    session_execute(other, "COMMIT");
    EXPECT_SQL(cluster, "SELECT max(refreshes) FROM chime.view_refresh WHERE relation = 'all_total'", "2");
    await_asleep();
    REFRESH("all_total");
    expect_waited("1");
}
END_TEST

START_TEST(what_this_transaction_wrote_itself_is_refused_by_name)
{
    session_execute(waiter, "BEGIN; " WRITE);
    EXPECT_WAITED(LOOK("shop_size"),
                  "this transaction wrote to app.orders, which no refresh can see before it commits");
    session_execute(waiter, "ROLLBACK; BEGIN; SAVEPOINT s; " WRITE "; ROLLBACK TO s; CREATE TEMP TABLE t (i int)");
    EXPECT_WAITED(LOOK("shop_size"), "t"); /* it wrote, and to no source */
    session_execute(waiter, "COMMIT; BEGIN ISOLATION LEVEL REPEATABLE READ");
    EXPECT_WAITED(LOOK("shop_total"),
                  "this transaction sees only what was committed before it began, however long it waits");
    session_execute(waiter, "ROLLBACK");
    EXPECT_WAITED("SELECT chime.wait_fresh('shop_totals')", "there is no view \"shop_totals\"");
    EXPECT_WAITED("SELECT chime.wait_fresh('shop_total', '-1s')", "timeout cannot be -00:00:01");
    EXPECT_WAITED("SELECT chime.wait_fresh('shop_total', interval '2 hours')", "timeout cannot be 02:00:00");
}
END_TEST

static void make_job(const char *options)
{
    char *sql = files_path("WITH j AS (INSERT INTO chime.job (name, origin, views, options) VALUES ('totals', 'plugin',"
                           " '{kept.shop_total}', '%s') RETURNING job_id)"
                           " INSERT INTO chime.job_state (job_id, last_slot) SELECT job_id, now() FROM j",
                           options);
    cluster_execute(cluster, sql);
    free(sql);
}

#define EXPECT_REASON(like)                                                                                  \
    EXPECT_SQL(cluster,                                                                                      \
               "SELECT fresh || ' ' || (reason LIKE '" like "') || CASE WHEN reason LIKE '" like "' THEN ''" \
               " ELSE ' ' || reason END FROM chime.wait_fresh('shop_total', '0')",                           \
               "false true")

START_TEST(it_says_how_far_a_view_is)
{
    cluster_execute(cluster, WRITE);
    EXPECT_REASON("kept.shop_total was refreshed last at 20%Z; 1 change is to come; no daemon leads this database");
    cluster_execute(cluster, "CREATE OR REPLACE FUNCTION chime.led() RETURNS boolean LANGUAGE sql STABLE RETURN true");
    EXPECT_REASON("%no job refreshes it");
    make_job("{\"target_lag\": \"1h\"}");
    EXPECT_REASON("%its target_lag of 01:00:00 is longer than the timeout");
    cluster_execute(cluster, "UPDATE chime.job SET options = '{}'");
    EXPECT_REASON("%job totals runs by its schedule, and not for changes");
    cluster_execute(cluster, "UPDATE chime.job_state SET consecutive_failures = 1");
    EXPECT_REASON("%job totals fails");
    cluster_execute(cluster, "UPDATE chime.job_state SET suspended_at = now()");
    EXPECT_REASON("%job totals is suspended");
    cluster_execute(cluster, WRITE "; UPDATE chime.view_refresh SET behind_since = now() - interval '5 min'");
    EXPECT_SQL(cluster, "SELECT behind >= '5 min' FROM chime.wait_fresh('shop_total', '0')", "t");
}
END_TEST

START_TEST(a_reader_waits_and_sees_nothing_else_of_schema_chime)
{
    cluster_execute(cluster, "CREATE ROLE dash LOGIN IN ROLE analytics_reader; " WRITE);
    session_execute(waiter, "SET ROLE dash");
    EXPECT_WAITED("SELECT reason LIKE '%1 change is to come%' FROM chime.wait_fresh('shop_total', '0')", "t");
    EXPECT_WAITED("SELECT chime.pending_changes('shop_total')", "permission denied for function pending_changes");
    session_execute(
        waiter, "RESET ROLE; CREATE ROLE stranger LOGIN; GRANT USAGE ON SCHEMA chime TO stranger; SET ROLE stranger");
    EXPECT_WAITED(LOOK("shop_total"), "permission denied for function wait_fresh");
}
END_TEST

START_TEST(one_snapshot_shows_all_of_another)
{
    static const char *const snapshots[][3] = {
        {"10:10:", "10:10:", "t"},     {"10:12:", "10:10:", "t"},           {"10:10:", "10:12:", "f"},
        {"10:12:10", "10:12:", "f"}, /* 10 had ended for the second */
        {"10:12:10", "10:12:10", "t"}, {"10:14:10,13", "10:12:10,11", "t"}, {"10:14:10,11", "10:12:10", "f"},
    };
    for (size_t i = 0; i < sizeof(snapshots) / sizeof(*snapshots); i++) {
        char *sql = files_path("SELECT chime.shows_all_of('%s', '%s')", snapshots[i][0], snapshots[i][1]);
        EXPECT_SQL(cluster, sql, snapshots[i][2]);
        free(sql);
    }
}
END_TEST

static Suite *suite(void)
{
    Suite *all = suite_create("wait fresh");
    TCase *cases = tcase_create("wait fresh");

    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_set_timeout(cases, 120);
    tcase_add_test(cases, a_view_without_changes_is_held_at_once);
    tcase_add_test(cases, it_returns_when_a_refresh_has_seen_what_was_committed_before_the_call);
    tcase_add_test(cases, the_next_statement_of_the_transaction_sees_it);
    tcase_add_test(cases, a_refresh_that_began_before_the_commit_does_not_count);
    tcase_add_test(cases, what_is_committed_later_is_not_waited_for);
    tcase_add_test(cases, a_view_that_reads_another_is_waited_for_through_both);
    tcase_add_test(cases, a_view_that_is_not_keyed_is_held_after_a_refresh_that_began_later);
    tcase_add_test(cases, what_this_transaction_wrote_itself_is_refused_by_name);
    tcase_add_test(cases, it_says_how_far_a_view_is);
    tcase_add_test(cases, a_reader_waits_and_sees_nothing_else_of_schema_chime);
    tcase_add_test(cases, one_snapshot_shows_all_of_another);
    suite_add_tcase(all, cases);
    return all;
}

int main(void)
{
    return suite_run(suite());
}
