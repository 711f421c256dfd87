/* SPDX-License-Identifier: PostgreSQL */
/* What plugin action_analytics keeps: right after every mix of writes, by groups, with all that seed 003 names. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "support/cluster/cluster.h"
#include "support/process/files.h"
#include "support/process/suite.h"
#include "support/views/installed.h"

#define NOON "2026-03-10 12:00:00+00"
#define ONE_OCLOCK "2026-03-10 13:00:00+00"
#define TEN_PAST_ONE "2026-03-10 13:10:00+00"
#define NEXT_DAY "2026-03-11 12:30:00+00"
#define NEXT_MONTH "2026-04-08 00:00:00+00"

static struct cluster *cluster;

static void set_up(void)
{
    cluster = installed_create("action_analytics", "tests/support/views/tables_actions.sql", NOON);
}

static void tear_down(void)
{
    cluster_destroy(cluster);
}

static void refresh(const char *as_of)
{
    static const char *const views[] = {"action_metrics_hourly", "trigger_performance_summary", "recent_failures",
                                        "action_type_distribution", NULL};
    installed_refresh(cluster, as_of, views);
}

static void is_right_after(const char *as_of, const char *sql)
{
    cluster_execute(cluster, sql);
    refresh(as_of);
    installed_is_right(cluster, "actions", as_of);
}

/* --- what is there ------------------------------------------------------------------------------------------------ */

START_TEST(relations_columns_and_indexes_have_the_seeds_names)
{
    EXPECT_SQL(cluster,
               "SELECT string_agg(name, ' ') FROM unnest(ARRAY["
               "'action_metrics_hourly.hour', 'action_metrics_hourly.action_type', 'action_metrics_hourly.status',"
               "'action_metrics_hourly.execution_count', 'action_metrics_hourly.avg_duration_ms',"
               "'action_metrics_hourly.total_duration_ms', 'action_metrics_hourly.duration_count',"
               "'trigger_performance_summary.trigger_id', 'trigger_performance_summary.trigger_name',"
               "'trigger_performance_summary.total_executions', 'trigger_performance_summary.success_rate',"
               "'trigger_performance_summary.avg_duration_ms', 'recent_failures.id', 'recent_failures.trigger_id',"
               "'recent_failures.error_message', 'recent_failures.response_data', 'recent_failures.executed_at',"
               "'action_type_distribution.action_type', 'action_type_distribution.total_executions',"
               "'action_type_distribution.percentage']) AS name"
               " WHERE NOT EXISTS (SELECT FROM pg_attribute a WHERE a.attrelid = ('analytics.' || split_part(name, "
               "'.', 1))::regclass AND a.attname = split_part(name, '.', 2))",
               NULL);
    EXPECT_SQL(cluster,
               "SELECT string_agg(name, ' ') FROM unnest(ARRAY['idx_action_metrics_hourly_unique',"
               "'idx_action_metrics_hourly_hour', 'idx_action_metrics_hourly_recent',"
               "'idx_trigger_performance_summary_unique', 'idx_trigger_performance_summary_success_rate',"
               "'idx_recent_failures_unique', 'idx_recent_failures_trigger_id',"
               "'idx_action_type_distribution_unique']) AS name WHERE to_regclass('analytics.' || name) IS NULL",
               NULL);
    EXPECT_SQL(cluster,
               "SELECT count(*) FROM pg_class c WHERE c.relnamespace = 'analytics'::regnamespace"
               " AND c.relkind = 'r' AND obj_description(c.oid, 'pg_class') IS NULL",
               "0");
    EXPECT_SQL(cluster, "SELECT name || ' ' || schedule FROM chime.job WHERE origin = 'plugin'",
               "refresh-analytics */5 * * * *");
}
END_TEST

START_TEST(all_but_the_shares_are_refreshed_by_groups)
{
    EXPECT_SQL(cluster,
               "SELECT string_agg(relation || ': ' || full_reason, ', ') FROM chime.view WHERE full_reason IS NOT NULL",
               "action_type_distribution: its mode is full");
    cluster_execute(cluster,
                    "INSERT INTO action_results (trigger_id, action_type, status, executed_at) VALUES"
                    " (1, 'rest', 'success', '2026-03-10 11:10+00'), (1, 'mcp', 'failed', '2026-03-10 11:20+00')");
    cluster_execute(cluster, "SET chime.as_of = '" NOON "'");
    EXPECT_SQL(cluster, "SELECT method || ' ' || keys FROM chime.refresh('action_metrics_hourly')", "keyed 1");
    EXPECT_SQL(cluster, "SELECT method || ' ' || keys FROM chime.refresh('trigger_performance_summary')", "keyed 1");
    EXPECT_SQL(cluster, "SELECT inserted FROM chime.refresh('recent_failures')", "1");
    /* Only what failed before or fails now is looked at. */
    cluster_execute(cluster, "UPDATE action_results SET duration_ms = 1 WHERE status = 'success' AND id % 9 = 0");
    EXPECT_SQL(cluster, "SELECT method || ' ' || keys FROM chime.refresh('recent_failures')", "keyed 0");
}
END_TEST

/* --- what they hold ----------------------------------------------------------------------------------------------- */

START_TEST(the_relations_are_right_after_every_mix_of_writes)
{
    is_right_after(NOON, "SELECT 1");
    is_right_after(NOON, "INSERT INTO action_results (trigger_id, action_type, status, duration_ms, executed_at)"
                         " SELECT n % 7, 'rest', CASE WHEN n % 3 = 0 THEN 'failed' ELSE 'success' END, n,"
                         " timestamptz '" NOON "' - n * interval '7 minutes' FROM generate_series(1, 300) n");
    is_right_after(NOON, "UPDATE action_results SET status = 'failed', error_message = 'late' WHERE id % 11 = 0;"
                         "UPDATE action_results SET status = 'success' WHERE id % 20 = 0;"
                         "UPDATE action_results SET executed_at = executed_at - interval '35 days' WHERE id % 37 = 0;"
                         "UPDATE action_results SET trigger_id = 6, action_type = 'mail' WHERE id % 53 = 0");
    is_right_after(NOON, "DELETE FROM action_results WHERE id % 5 = 0; DELETE FROM triggers WHERE id = 3;"
                         "UPDATE triggers SET name = 'renamed' WHERE id = 2; INSERT INTO triggers VALUES (91, 'new')");
    is_right_after(NOON, "INSERT INTO action_results (trigger_id, status, executed_at) SELECT 5, 'failed',"
                         " timestamptz '2026-01-15 08:00+00' + n * interval '1 second' FROM generate_series(1, 50) n");
    is_right_after(NOON, "DELETE FROM action_results WHERE trigger_id = 5");
}
END_TEST

START_TEST(time_alone_moves_the_windows)
{
    refresh(NOON);
    char *before = cluster_value(cluster, "SELECT count(*) FROM recent_failures");
    ck_assert_str_ne(before, "0");
    is_right_after(ONE_OCLOCK, "SELECT 1");
    is_right_after(NEXT_DAY, "SELECT 1");
    EXPECT_SQL(cluster, "SELECT count(*) FROM recent_failures WHERE executed_at < '2026-03-10 12:30+00'", "0");
    is_right_after(NEXT_MONTH, "SELECT 1");
    EXPECT_SQL(cluster, "SELECT string_agg(action_type, ' ' ORDER BY action_type) FROM action_type_distribution",
               "mcp rest telegram");
    free(before);
}
END_TEST

START_TEST(a_new_partition_and_one_that_goes_are_noticed)
{
    refresh(NOON);
    cluster_execute(cluster, "ALTER TABLE action_results DETACH PARTITION action_results_2026_02");
    EXPECT_SQL(cluster, "SELECT method FROM chime.refresh('action_metrics_hourly')", "full");
    EXPECT_SQL(cluster, "CALL chime.tend_capture()", NULL);
    installed_begin(cluster, NOON);
    installed_is_right(cluster, "actions", NOON);
    cluster_execute(cluster, "CREATE TABLE action_results_2026_04 PARTITION OF action_results"
                             " FOR VALUES FROM ('2026-04-01 00:00+00') TO ('2026-05-01 00:00+00')");
    EXPECT_SQL(cluster, "CALL chime.tend_capture()", NULL);
    installed_begin(cluster, NOON);
    is_right_after(NEXT_MONTH, "INSERT INTO action_results_2026_04 (id, trigger_id, action_type, status, executed_at)"
                               " VALUES (100001, 1, 'rest', 'failed', '2026-04-07 23:00+00')");
    EXPECT_SQL(cluster, "SELECT count(*) FROM recent_failures WHERE id = 100001", "1");
}
END_TEST

START_TEST(executions_without_a_usable_time_or_trigger_are_counted_as_rejected)
{
    EXPECT_SQL(cluster, "SELECT rejected FROM chime.refresh('action_metrics_hourly', true)", "4");
    EXPECT_SQL(cluster,
               "SELECT rejected = (SELECT count(*) FROM action_results WHERE trigger_id IS NULL)"
               " AND rejected > 0 FROM chime.refresh('trigger_performance_summary', true)",
               "t");
}
END_TEST

/* --- the seeds' faults -------------------------------------------------------------------------------------------- */

/* One hour with one slow execution, one with many fast ones. */
START_TEST(an_average_over_hours_is_not_an_average_of_averages)
{
    cluster_execute(cluster,
                    "TRUNCATE action_results; INSERT INTO action_results (trigger_id, action_type, status, duration_ms,"
                    " executed_at) SELECT 1, 'rest', 'success', CASE WHEN n = 0 THEN 1000 ELSE 10 END,"
                    " timestamptz '2026-03-10 10:00+00' + CASE WHEN n > 0 THEN interval '1 hour' ELSE '0' END"
                    " FROM generate_series(0, 99) n; SET chime.as_of = '" NOON "'; SET search_path = analytics, public;"
                    " SELECT chime.refresh('action_metrics_hourly'); SELECT chime.refresh('action_type_distribution')");
    EXPECT_SQL(cluster, "SELECT round(avg(duration_ms), 2) FROM action_results", "19.90");
    EXPECT_SQL(cluster, "SELECT round(avg(avg_duration_ms), 2) FROM action_metrics_hourly", "505.00"); /* the seed's */
    EXPECT_SQL(cluster, "SELECT avg_duration_ms FROM action_success_rates('2026-03-01')", "19.90");
    EXPECT_SQL(cluster, "SELECT avg_duration_ms FROM action_types()", "19.90");
    /* A distribution made as the seed warns of is found out. */
    cluster_execute(cluster, "UPDATE action_type_distribution SET avg_duration_ms ="
                             " (SELECT round(avg(h.avg_duration_ms), 2) FROM action_metrics_hourly h)");
    installed_is_wrong(cluster, "actions", NOON, "action_type_distribution");
}
END_TEST

/* last_refresh of pg_stat_user_tables does not exist; what chime knows does. */
START_TEST(the_status_says_how_old_each_view_is)
{
    ck_assert_str_eq(cluster_sqlstate(cluster, "SELECT last_refresh FROM pg_stat_user_tables"), "42703");
    cluster_execute(cluster,
                    "UPDATE chime.view_refresh SET refreshed_at = '" ONE_OCLOCK "';"
                    "UPDATE chime.view_refresh SET refreshed_at = '2026-03-10 13:05:00.000001+00'"
                    " WHERE relation = 'recent_failures';"
                    "UPDATE chime.view_refresh SET refreshed_at = '2026-03-10 13:03:00+00'"
                    " WHERE relation = 'action_metrics_hourly';"
                    "UPDATE chime.view_refresh SET refreshed_at = NULL WHERE relation = 'action_type_distribution';"
                    "SET chime.as_of = '2026-03-10 13:10:00.000001+00'; SET search_path = analytics, public");
    EXPECT_SQL(cluster,
               "SELECT string_agg(concat_ws(' ', view_name, age_minutes, staleness_status), ', ' ORDER BY view_name)"
               " FROM get_analytics_refresh_status()",
               "action_metrics_hourly 7.00 WARNING, action_type_distribution STALE, recent_failures 5.00 FRESH,"
               " trigger_performance_summary 10.00 STALE");
    EXPECT_SQL(cluster,
               "SELECT count(*) FROM get_analytics_refresh_status() WHERE row_count > 0 AND size_bytes > 0"
               " AND last_refresh IS NOT NULL",
               "3");
    EXPECT_SQL(cluster,
               "SELECT string_agg(format_type(t.oid, NULL), ' ' ORDER BY n) FROM pg_proc p,"
               " unnest(p.proallargtypes) WITH ORDINALITY AS a (type, n) JOIN pg_type t ON t.oid = a.type"
               " WHERE p.proname = 'get_analytics_refresh_status'",
               "text bigint bigint timestamp with time zone numeric text");
    cluster_execute(cluster,
                    "UPDATE chime.plugin SET settings = '{\"warning_after\": \"1h\", \"stale_after\": \"2h\"}'");
    EXPECT_SQL(cluster,
               "SELECT string_agg(DISTINCT staleness_status, ' ') FROM get_analytics_refresh_status()"
               " WHERE last_refresh IS NOT NULL",
               "FRESH");
}
END_TEST

/* --- functions ---------------------------------------------------------------------------------------------------- */

START_TEST(the_seeds_refresh_function_refreshes_all_four_at_once)
{
    cluster_execute(cluster, "DELETE FROM action_results WHERE id % 2 = 1; SET chime.as_of = '" NOON "'");
    EXPECT_SQL(cluster,
               "SELECT string_agg(view_name, ' ' ORDER BY view_name) FROM analytics.refresh_action_analytics()"
               " WHERE rows_refreshed > 0 AND refresh_duration_ms > 0",
               "action_metrics_hourly action_type_distribution recent_failures trigger_performance_summary");
    installed_is_right(cluster, "actions", NOON);
}
END_TEST

START_TEST(the_read_api_is_bounded_and_in_order)
{
    refresh(NOON);
    EXPECT_SQL(cluster,
               "SELECT count(*) > 5 AND min(hour) > '2026-03-09 12:00+00' AND array_agg(hour) ="
               " array_agg(hour ORDER BY hour) FROM action_metrics()",
               "t");
    EXPECT_SQL(cluster,
               "SELECT array_agg(hour) = (SELECT array_agg(hour ORDER BY hour) FROM (SELECT hour FROM"
               " action_metrics_hourly WHERE action_type = 'rest' ORDER BY hour DESC LIMIT 7) l)"
               " FROM action_metrics('2026-01-01', 'rest', 7)",
               "t");
    EXPECT_SQL(cluster, "SELECT count(*) FROM trigger_performance(max_rows => 3)", "3");
    EXPECT_SQL(cluster,
               "SELECT array_agg(avg_duration_ms) = array_agg(avg_duration_ms ORDER BY avg_duration_ms DESC)"
               " FROM trigger_performance()",
               "t");
    EXPECT_SQL(cluster, "SELECT trigger_name FROM trigger_performance(2)", "trigger 2");
    EXPECT_SQL(cluster, "SELECT count(*) FROM action_failures(max_rows => -1)", "0");
    EXPECT_SQL(cluster,
               "SELECT bool_and(trigger_name = 'trigger 1' AND error_message LIKE 'it failed%') AND count(*) > 0"
               " FROM action_failures(1)",
               "t");
    EXPECT_SQL(cluster, "SELECT round(sum(percentage)) FROM action_types()", "100");
    EXPECT_SQL(cluster,
               "SELECT count(*) > 8 AND bool_or(NOT unused) AND count(*) FILTER (WHERE is_key) = 4"
               " FROM get_analytics_index_usage()",
               "t");
}
END_TEST

START_TEST(readers_may_read_and_nothing_else)
{
    static const char *const readable[] = {"TABLE analytics.action_metrics_hourly",
                                           "SELECT * FROM analytics.action_metrics()",
                                           "SELECT * FROM analytics.action_success_rates()",
                                           "SELECT * FROM analytics.trigger_performance()",
                                           "SELECT * FROM analytics.action_failures()",
                                           "SELECT * FROM analytics.action_types()",
                                           "SELECT * FROM analytics.get_analytics_refresh_status()",
                                           "SELECT * FROM analytics.get_analytics_index_usage()"};
    static const char *const forbidden[] = {"TABLE action_results",
                                            "SELECT * FROM analytics.refresh_action_analytics()",
                                            "DELETE FROM analytics.recent_failures"};
    cluster_execute(cluster, "SET ROLE analytics_reader");
    for (size_t i = 0; i < sizeof(readable) / sizeof(readable[0]); i++)
        ck_assert_str_eq(cluster_sqlstate(cluster, readable[i]), "");
    for (size_t i = 0; i < sizeof(forbidden) / sizeof(forbidden[0]); i++)
        ck_assert_str_eq(cluster_sqlstate(cluster, forbidden[i]), "42501");
    cluster_execute(cluster, "RESET ROLE");
}
END_TEST

static Suite *suite(void)
{
    Suite *all = suite_create("views_actions");
    TCase *cases = tcase_create("views_actions");

    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_set_timeout(cases, 180);
    tcase_add_test(cases, relations_columns_and_indexes_have_the_seeds_names);
    tcase_add_test(cases, all_but_the_shares_are_refreshed_by_groups);
    tcase_add_test(cases, the_relations_are_right_after_every_mix_of_writes);
    tcase_add_test(cases, time_alone_moves_the_windows);
    tcase_add_test(cases, a_new_partition_and_one_that_goes_are_noticed);
    tcase_add_test(cases, executions_without_a_usable_time_or_trigger_are_counted_as_rejected);
    tcase_add_test(cases, an_average_over_hours_is_not_an_average_of_averages);
    tcase_add_test(cases, the_status_says_how_old_each_view_is);
    tcase_add_test(cases, the_seeds_refresh_function_refreshes_all_four_at_once);
    tcase_add_test(cases, the_read_api_is_bounded_and_in_order);
    tcase_add_test(cases, readers_may_read_and_nothing_else);
    suite_add_tcase(all, cases);
    return all;
}

int main(void)
{
    return suite_run(suite());
}
