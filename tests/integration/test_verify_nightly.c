/* SPDX-License-Identifier: PostgreSQL */
/* The nightly verification: chime.verify_views by itself, and as the job that the daemon runs. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "support/cluster/cluster.h"
#include "support/daemon/commands.h"
#include "support/daemon/daemon.h"
#include "support/daemon/site.h"
#include "support/keyed/keyed.h"
#include "support/ledger/runs.h"
#include "support/process/suite.h"
#include "support/process/wait.h"

static struct cluster *cluster;
static PGconn *other;
static struct site *site;
static struct daemon *leader;
static char *output;
static char *errors;

/* --- the procedure ------------------------------------------------------------------------------------------------ */

static void set_up(void)
{
    cluster = keyed_create();
    other = cluster_connect(cluster, "postgres");
    KEYED_INSTALL(cluster, "shop_total", "shop_size");
    cluster_execute(cluster, "INSERT INTO app.orders (shop, amount) SELECT n % 3, n FROM generate_series(1, 12) AS n");
}

static void tear_down(void)
{
    daemon_destroy(leader);
    site_destroy(site);
    PQfinish(other);
    cluster_destroy(cluster);
    free(output);
    free(errors);
}

/* Behind everybody's back: no trigger fires. */
#define BY_HAND(sql) "SET session_replication_role = replica; " sql "; RESET session_replication_role"
#define FALSIFY BY_HAND("UPDATE kept.shop_total SET total = 99 WHERE shop = 2")
#define LATEST                                                                                                   \
    "SELECT string_agg(concat_ws(' ', v.relation, v.rows, v.missing, v.surplus, v.repaired,"                     \
    " jsonb_array_length(v.lines), v.error), ', ' ORDER BY v.verified_at) FROM (SELECT DISTINCT ON (relation) *" \
    " FROM chime.verification ORDER BY relation, verified_at DESC) AS v"

static void expect_error(PGconn *session, const char *sql, const char *sqlstate, const char *part)
{
    PGresult *result = PQexec(session, sql);
    ck_assert_msg(PQresultStatus(result) == PGRES_FATAL_ERROR, "%s did not fail", sql);
    ck_assert_str_eq(PQresultErrorField(result, PG_DIAG_SQLSTATE), sqlstate);
    commands_has(PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY), part);
    PQclear(result);
}

START_TEST(views_that_are_only_behind_are_right_and_then_up_to_date)
{
    session_execute(other, "CALL chime.verify_views()");
    EXPECT_SQL(cluster, LATEST, "shop_total 3 0 0 f 0, shop_size 3 0 0 f 0");
    EXPECT_LOOK(cluster, "shop_total", "keyed 0: +0 ~0 -0");
    EXPECT_LOOK(cluster, "shop_size", "keyed 0: +0 ~0 -0"); /* what others read went first */
    EXPECT_SQL(cluster, "SELECT bool_and(verified_at > now() - interval '1 min') FROM chime.view_status", "t");
}
END_TEST

START_TEST(a_row_changed_by_hand_is_named_and_repaired)
{
    session_execute(other, "CALL chime.verify_views()");
    cluster_execute(cluster, FALSIFY);
    expect_error(other, "CALL chime.verify_views(true)", "CH007",
                 "1 of 2 views were not as their definitions say, or not to be verified: kept.shop_total: 1 missing, "
                 "1 surplus (shop = 2), repaired");
    EXPECT_SQL(cluster, LATEST, "shop_total 3 1 1 t 2, shop_size 3 0 0 f 0");
    EXPECT_SQL(cluster, "SELECT total FROM kept.shop_total WHERE shop = 2", "26");
    EXPECT_SQL(cluster,
               "SELECT lines -> 0 ->> 'side' || (lines -> 0 -> 'line' ->> 'total') FROM chime.verification"
               " WHERE missing > 0",
               "surplus99");
    session_execute(other, "CALL chime.verify_views(true)");
    EXPECT_SQL(cluster, LATEST, "shop_total 3 0 0 f 0, shop_size 3 0 0 f 0");
}
END_TEST

START_TEST(without_repair_it_stays_as_it_is)
{
    session_execute(other, "CALL chime.verify_views()");
    cluster_execute(cluster, FALSIFY);
    expect_error(other, "CALL chime.verify_views(false)", "CH007", "(shop = 2), not repaired");
    EXPECT_SQL(cluster, "SELECT total FROM kept.shop_total WHERE shop = 2", "99");
}
END_TEST

START_TEST(a_definition_that_changes_by_itself_is_not_called_repaired)
{
    cluster_execute(
        cluster, "SELECT app.install('chance', 'SELECT 1 AS one, random() AS x', '{one}', '[]', NULL, NULL, 'full')");
    expect_error(other, "CALL chime.verify_views()", "CH007",
                 "kept.chance: 1 missing, 1 surplus (one = 1), not repaired: it differs also after a full refresh");
    EXPECT_SQL(cluster, "SELECT repaired FROM chime.verification WHERE relation = 'chance'", "f");
}
END_TEST

START_TEST(one_that_cannot_be_compared_does_not_keep_the_others_from_it)
{
    session_execute(other, "CALL chime.verify_views()");
    cluster_execute(cluster, "DELETE FROM chime.verification; ALTER VIEW kept.shop_total__live RENAME TO gone");
    expect_error(other, "CALL chime.verify_views()", "CH007", "kept.shop_total: not verified: relation ");
    EXPECT_SQL(cluster,
               "SELECT string_agg(relation || ' ' || (error IS NULL), ', ' ORDER BY relation)"
               " FROM chime.verification",
               "shop_size true, shop_total false");
    EXPECT_SQL(cluster, "SELECT verified_at FROM chime.view_status WHERE relation = 'shop_total'", NULL);
}
END_TEST

START_TEST(views_of_plugins_that_are_gone_are_left_alone)
{
    cluster_execute(cluster, "UPDATE chime.plugin SET state = 'removed'");
    session_execute(other, "CALL chime.verify_views()");
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.verification", "0");
}
END_TEST

/* Its first attempt waits for that refresh with a snapshot that does not see it. */
START_TEST(a_refresh_under_way_is_waited_for_and_it_is_tried_again)
{
    cluster_execute(cluster, "BEGIN");
    cluster_execute(cluster, "SELECT chime.refresh('shop_total')");
    session_send(other, "CALL chime.verify_views()");
    session_await_blocked(cluster, other);
    cluster_execute(cluster, "COMMIT");
    session_await(other);
    EXPECT_SQL(cluster, LATEST, "shop_total 3 0 0 f 0, shop_size 3 0 0 f 0");
}
END_TEST

START_TEST(what_was_found_is_kept_for_90_days)
{
    session_execute(other, "CALL chime.verify_views()");
    cluster_execute(
        cluster, "INSERT INTO chime.verification (view_schema, relation, verified_at)"
                 " SELECT 'kept', 'shop_total', now() - n * interval '1 day' FROM unnest('{89,91,400}'::int[]) AS n");
    session_execute(other, "CALL chime.verify_views()");
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.verification WHERE relation = 'shop_total'", "3");
    cluster_execute(cluster, "DELETE FROM chime.view WHERE relation = 'shop_size'");
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.verification WHERE relation = 'shop_size'", "0");
}
END_TEST

/* --- the job ------------------------------------------------------------------------------------------------------ */

#define KEPT "analytics.mv_lane_score_distribution"

static void set_up_site(void)
{
    cluster = cluster_create(NULL);
    cluster_execute_file(cluster, PGCHIME_SOURCE_DIR "/sql/sample/0_schema.sql");
    cluster_execute(cluster, "CREATE SCHEMA analytics; INSERT INTO submissions SELECT md5('s' || n)::uuid,"
                             " md5('a' || n % 2)::uuid, md5('c' || n % 3)::uuid, NULL, 'scored',"
                             " jsonb_build_object('speed', n, 'style', 7), n, now() - interval '1 day'"
                             " FROM generate_series(1, 12) AS n;"
                             /* names are compared with what PostgreSQL writes */
                             "ALTER DATABASE postgres SET quote_all_identifiers = on");
    site = site_create(cluster, "postgres", 4);
    site_use_plugins(site, PGCHIME_BUILD_DIR "/plugins");
    leader = site_lead(site);
    WAIT_SQL(cluster, "SELECT count(*) FROM chime.view_refresh WHERE refreshed_at IS NULL", "0", 60);
}

#define ASSERT_RUN(status, ...) \
    commands_expect(status, site_config(site), (const char *const[]){__VA_ARGS__, NULL}, &output, &errors)

START_TEST(the_daemon_runs_it_and_its_failure_says_which_row_was_wrong)
{
    EXPECT_SQL(cluster,
               "SELECT concat_ws('|', schedule, command, active, options ->> 'delivery') FROM chime.job"
               " WHERE name = 'verify-views'",
               "17 3 * * *|CALL chime.verify_views(true)|t|at_most_once");
    runs_ask_and_await(cluster, "verify-views");
    EXPECT_RUN(cluster, "verify-views", "concat_ws(' ', state, message)", "succeeded CALL");
    /* Until its triggers are there, and once after that, it is refreshed in full, which mends the row before it is
     * compared. */
    WAIT_SQL(cluster, "SELECT method FROM chime.refresh('" KEPT "')", "keyed", 60);
    cluster_execute(cluster, BY_HAND("UPDATE " KEPT " SET mean_score = 99 WHERE lane_key = 'style' AND challenge_id = "
                                     "md5('c2')::uuid"));
    runs_ask_and_await(cluster, "verify-views");
    EXPECT_RUN(cluster, "verify-views", "state", "failed");
    EXPECT_RUN(cluster, "verify-views", "sqlstate", "CH007");
    EXPECT_RUN(cluster, "verify-views", "attempt", "1");
    EXPECT_RUN(cluster, "verify-views",
               "message LIKE '%: " KEPT ": 1 missing, 1 surplus (challenge_id = ' || md5('c2')::uuid ||"
               " ', lane_key = style), repaired%HINT:%'",
               "t");
    EXPECT_SQL(cluster,
               "SELECT mean_score = 7 FROM " KEPT " WHERE lane_key = 'style' AND challenge_id = md5('c2')::uuid", "t");
    ASSERT_RUN(0, "runs", "verify-views", "-o", "json");
    commands_has(output, "lane_key = style");
    ASSERT_RUN(0, "views", "-o", "wide");
    commands_has(output, "VERIFIED");
    runs_ask_and_await(cluster, "verify-views");
    EXPECT_RUN(cluster, "verify-views", "state", "succeeded");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("verify_nightly");
    TCase *tests = tcase_create("procedure");
    tcase_set_timeout(tests, 120);
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, views_that_are_only_behind_are_right_and_then_up_to_date);
    tcase_add_test(tests, a_row_changed_by_hand_is_named_and_repaired);
    tcase_add_test(tests, without_repair_it_stays_as_it_is);
    tcase_add_test(tests, a_definition_that_changes_by_itself_is_not_called_repaired);
    tcase_add_test(tests, one_that_cannot_be_compared_does_not_keep_the_others_from_it);
    tcase_add_test(tests, views_of_plugins_that_are_gone_are_left_alone);
    tcase_add_test(tests, a_refresh_under_way_is_waited_for_and_it_is_tried_again);
    tcase_add_test(tests, what_was_found_is_kept_for_90_days);
    suite_add_tcase(suite, tests);
    TCase *jobs = tcase_create("job");
    tcase_set_timeout(jobs, 240);
    tcase_add_checked_fixture(jobs, set_up_site, tear_down);
    tcase_add_test(jobs, the_daemon_runs_it_and_its_failure_says_which_row_was_wrong);
    suite_add_tcase(suite, jobs);
    return suite_run(suite);
}
