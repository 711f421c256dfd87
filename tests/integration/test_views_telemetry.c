/* SPDX-License-Identifier: PostgreSQL */
/* What plugin telemetry keeps by hour and day: right after every mix of writes, by groups, filled for the past without
 * duplicates; and the trend, which does not miss the running hour. The two summaries: test_plugins_live.c. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "support/cluster/cluster.h"
#include "support/process/files.h"
#include "support/process/suite.h"
#include "support/views/installed.h"

#define HALF_PAST_TWELVE "2026-03-10 12:30:00+00"
#define NEXT_DAY "2026-03-11 12:30:00+00"

static struct cluster *cluster;

static const char *const views[] = {"chat_telemetry_rollups",
                                    "chat_telemetry_domain_rollups",
                                    "chat_telemetry_model_rollups",
                                    "chat_telemetry_minute_rollups",
                                    "chat_telemetry_domain_summary",
                                    "chat_telemetry_model_summary",
                                    NULL};

static void set_up(void)
{
    cluster = installed_create("telemetry", "tests/support/views/tables_telemetry.sql", HALF_PAST_TWELVE);
}

static void tear_down(void)
{
    cluster_destroy(cluster);
}

static void is_right_after(const char *sql)
{
    cluster_execute(cluster, sql);
    installed_refresh(cluster, HALF_PAST_TWELVE, views);
    installed_is_right(cluster, "rollups", HALF_PAST_TWELVE);
}

/* --- what is there ------------------------------------------------------------------------------------------------ */

START_TEST(indexes_have_the_seeds_names)
{
    EXPECT_SQL(
        cluster,
        "SELECT string_agg(name, ' ') FROM unnest(ARRAY['idx_chat_telemetry_rollups_bucket_granularity',"
        "'idx_chat_telemetry_rollups_recent', 'idx_chat_telemetry_domain_rollups_cost',"
        "'idx_chat_telemetry_model_rollups_perf', 'idx_chat_telemetry_domain_summary_domain',"
        "'idx_chat_telemetry_domain_summary_cost', 'idx_chat_telemetry_domain_summary_recent',"
        "'idx_chat_telemetry_model_summary_model', 'idx_chat_telemetry_model_summary_cost',"
        "'idx_chat_telemetry_model_summary_performance']) AS name WHERE to_regclass('analytics.' || name) IS NULL",
        NULL);
    EXPECT_SQL(cluster,
               "SELECT string_agg(name || ' ' || schedule, ', ' ORDER BY name) FROM chime.job WHERE origin = 'plugin'",
               "refresh-telemetry-minutes * * * * *, refresh-telemetry-rollups-hourly 5 * * * *, "
               "refresh-telemetry-summary-hourly 5 * * * *");
    EXPECT_SQL(cluster, "SELECT string_agg(DISTINCT granularity, ' ') FROM chat_telemetry_model_rollups", "day hour");
}
END_TEST

START_TEST(a_request_costs_its_hour_and_its_day)
{
    EXPECT_SQL(cluster,
               "SELECT string_agg(relation || ': ' || full_reason, ', ') FROM chime.view WHERE full_reason IS NOT "
               "NULL",
               NULL);
    cluster_execute(cluster,
                    "INSERT INTO chat_telemetry (domain, model, created_at) VALUES"
                    " ('late.example', 'aspen-2', '2026-02-20 03:00+00'), ('late.example', 'aspen-2', "
                    "'2026-02-20 03:59+00'), ('late.example', 'aspen-2', '2026-02-20 04:00+00'), (NULL, NULL, NULL)");
    EXPECT_SQL(cluster, "SELECT method || ' ' || keys FROM chime.refresh('chat_telemetry_rollups')", "keyed 3");
    EXPECT_SQL(cluster,
               "SELECT method || ' ' || keys || ' ' || inserted FROM chime.refresh('chat_telemetry_domain_rollups')",
               "keyed 3 3");
    EXPECT_SQL(cluster,
               "SELECT method || ' ' || keys FROM chime.refresh('chat_telemetry_model_summary', p_revisit => false)",
               "keyed 2");
}
END_TEST

/* --- what they hold ----------------------------------------------------------------------------------------------- */

START_TEST(the_rollups_are_right_after_every_mix_of_writes)
{
    is_right_after("SELECT 1");
    is_right_after(
        "INSERT INTO chat_telemetry (domain, model, success, cost_usd, input_tokens, duration_ms, created_at)"
        " SELECT 'new.example', 'cedar', n % 3 > 0, n * 0.1, n, n * 2, timestamptz '" HALF_PAST_TWELVE
        "' - n * interval '13 minutes' FROM generate_series(1, 300) n");
    is_right_after(
        "UPDATE chat_telemetry SET created_at = created_at - interval '50 hours' WHERE id % 23 = 0;"
        "UPDATE chat_telemetry SET domain = NULL, model = 'moved' WHERE id % 31 = 0;"
        "UPDATE chat_telemetry SET success = NOT success, cost_usd = 5, duration_ms = NULL WHERE id % 37 = 0");
    is_right_after("DELETE FROM chat_telemetry WHERE id % 3 = 0; DELETE FROM chat_telemetry WHERE created_at <"
                   " '2026-02-10 00:00+00'");
    is_right_after("INSERT INTO chat_telemetry (domain, created_at) SELECT 'late.example', timestamptz "
                   "'2025-12-31 23:00+00' + n * interval '10 minutes' FROM generate_series(0, 12) n");
    is_right_after("UPDATE chat_telemetry SET created_at = NULL WHERE domain = 'late.example'");
    is_right_after("DELETE FROM chat_telemetry");
    EXPECT_SQL(cluster, "SELECT count(*) FROM chat_telemetry_rollups", "0");
}
END_TEST

/* A server in another zone, whose clocks change: buckets are those of UTC. */
START_TEST(the_sessions_zone_means_nothing)
{
    cluster_execute(cluster, "SET timezone = 'Pacific/Auckland'; UPDATE chat_telemetry SET created_at = created_at -"
                             " interval '1 hour' WHERE id % 5 = 0");
    is_right_after("SELECT 1");
    installed_begin(cluster, HALF_PAST_TWELVE);
    installed_is_right(cluster, "rollups", HALF_PAST_TWELVE);
    cluster_execute(cluster, "RESET timezone");
}
END_TEST

/* Nothing is written: minutes go, and requests that were dated ahead come in. */
START_TEST(minutes_follow_the_time)
{
    static const char *const later[] = {"2026-03-10 12:30:59.999999+00", "2026-03-10 12:31:00+00",
                                        "2026-03-10 12:50:00+00", "2026-03-10 15:29:00+00", "2026-03-10 15:45:10+00"};
    is_right_after("INSERT INTO chat_telemetry (domain, created_at) SELECT CASE WHEN n % 3 > 0 THEN 'edge' END,"
                   " timestamptz '" HALF_PAST_TWELVE "' + n * interval '1 minute' FROM generate_series(-20, 20) n");
    for (size_t i = 0; i < sizeof(later) / sizeof(later[0]); i++) {
        installed_refresh(cluster, later[i], views);
        installed_is_right(cluster, "rollups", later[i]);
    }
    EXPECT_SQL(cluster, "SELECT count(*) > 0 FROM chat_telemetry_minute_rollups WHERE domain = 'edge'", "t");
}
END_TEST

START_TEST(filling_twice_or_after_a_break_duplicates_nothing)
{
    EXPECT_SQL(cluster, "SELECT inserted + updated + deleted FROM chime.refresh('chat_telemetry_domain_rollups', true)",
               "0");
    /* What a seed's backfill does: everything once more, appended. The key does not let it in. */
    ck_assert_str_eq(cluster_sqlstate(cluster, "INSERT INTO chat_telemetry_rollups TABLE chat_telemetry_rollups__live"),
                     "23505");
    cluster_execute(cluster, "DELETE FROM chat_telemetry_rollups WHERE bucket_start < '2026-03-01 00:00+00'");
    EXPECT_SQL(cluster,
               "SELECT inserted > 0 AND updated + deleted = 0 FROM chime.refresh('chat_telemetry_rollups', true)", "t");
    installed_is_right(cluster, "rollups", HALF_PAST_TWELVE);
}
END_TEST

START_TEST(requests_that_have_no_bucket_are_counted_as_rejected)
{
    static const char broken[] = "SELECT count(*) FROM chat_telemetry WHERE %s";
    static const struct {
        const char *view;
        const char *left_out;
    } cases[] = {{"chat_telemetry_rollups", "false"},
                 {"chat_telemetry_domain_rollups", "domain IS NULL"},
                 {"chat_telemetry_model_rollups", "model IS NULL"}};
    for (size_t i = 0; i < sizeof(cases) / sizeof(cases[0]); i++) {
        char *where = files_path(
            "%s OR cost_usd IN ('NaN', 'Infinity', 1e12) OR NOT isfinite(created_at) OR created_at IS "
            "NULL OR extract(year FROM created_at AT TIME ZONE 'UTC') NOT BETWEEN 2000 AND 2099",
            cases[i].left_out);
        char *sql = files_path(broken, where);
        char *count = cluster_value(cluster, sql);
        char *refresh = files_path("SELECT rejected FROM chime.refresh('%s', true)", cases[i].view);
        ck_assert_int_gt(atoi(count), 5);
        EXPECT_SQL(cluster, refresh, count);
        free(where);
        free(sql);
        free(count);
        free(refresh);
    }
}
END_TEST

/* --- the trend ---------------------------------------------------------------------------------------------------- */

/* Per hour, from the requests, in another way. */
#define RAW_HOURS                                                                                                     \
    "SELECT to_timestamp(floor(extract(epoch FROM created_at) / 3600) * 3600), count(*),"                             \
    " sum(CASE WHEN success THEN 1 ELSE 0 END), sum(CASE WHEN cost_usd BETWEEN 0 AND 1e11 THEN cost_usd ELSE 0 END)," \
    " sum(coalesce(input_tokens, 0)), round(1.0 * sum(duration_ms) / nullif(count(duration_ms), 0), 2)"               \
    " FROM chat_telemetry WHERE created_at >= '2026-03-03 12:00+00' AND created_at < '2100-01-01 00:00+00' GROUP BY 1"

static void trend_is_complete(void)
{
    EXPECT_SQL(cluster,
               "WITH trend AS (SELECT bucket_start, total_requests, success_count, total_cost_usd, total_input_tokens,"
               " avg_duration_ms FROM telemetry_trend()), raw AS (" RAW_HOURS ")"
               " SELECT concat_ws(' ', (SELECT count(*) > 50 FROM raw), (SELECT count(*) FROM (TABLE trend EXCEPT "
               "TABLE raw) d),"
               " (SELECT count(*) FROM (TABLE raw EXCEPT TABLE trend) d))",
               "t 0 0");
}

START_TEST(the_running_hour_is_in_the_trend)
{
    trend_is_complete();
    cluster_execute(cluster,
                    "INSERT INTO chat_telemetry (domain, created_at) VALUES ('edge', '2026-03-10 12:29:30+00'),"
                    " (NULL, '2026-03-10 12:29:40+00')");
    /* The seed's way, the rollups alone, misses them; the trend does not. */
    EXPECT_SQL(cluster,
               "SELECT total_requests - (SELECT count(*) FROM chat_telemetry WHERE created_at >= '2026-03-10 "
               "12:00+00' AND created_at < '2026-03-10 13:00+00') FROM chat_telemetry_rollups WHERE bucket_start = "
               "'2026-03-10 12:00+00' AND granularity = 'hour'",
               "-2");
    trend_is_complete();
    EXPECT_SQL(cluster, "SELECT total_requests || ' ' || from_raw FROM telemetry_trend('2026-03-10 12:00+00', 'edge')",
               "1 true");
    EXPECT_SQL(cluster, "SELECT count(*) FROM telemetry_trend() WHERE from_raw", "1");
}
END_TEST

/* Whatever lies between the hour of the last refresh and now: minutes, requests before the first and after the last of
 * them. */
START_TEST(the_running_hour_is_added_up_from_minutes)
{
    static const char *const moments[] = {"2026-03-10 12:31:10+00", "2026-03-10 12:59:59+00", "2026-03-10 13:00:00+00",
                                          "2026-03-10 16:40:00+00"};
    cluster_execute(cluster, "UPDATE chime.view_refresh SET refreshed_at = '" HALF_PAST_TWELVE "'");
    for (size_t i = 0; i < sizeof(moments) / sizeof(moments[0]); i++) {
        cluster_execute_format(
            cluster,
            "SET chime.as_of = '%s'; INSERT INTO chat_telemetry (domain, success, cost_usd, created_at)"
            " SELECT CASE WHEN n %% 3 > 0 THEN 'edge' END, n %% 2 = 0, n, chime.as_of() - n * interval '1 minute'"
            " FROM generate_series(-2, 200) n; SELECT chime.refresh('chat_telemetry_minute_rollups');"
            "UPDATE chime.view_refresh SET refreshed_at = chime.as_of() WHERE relation LIKE '%%minute%%';"
            "INSERT INTO chat_telemetry (domain, created_at) VALUES ('edge', chime.as_of()), (NULL, chime.as_of())",
            moments[i]);
        EXPECT_SQL(cluster,
                   "SELECT (SELECT array_agg((t.bucket_start, t.total_requests, t.success_count, t.total_cost_usd))"
                   " FROM telemetry_trend('2026-03-10 12:00+00', 'edge') t) = array_agg(r) FROM (SELECT"
                   " date_trunc('hour', created_at, 'UTC'), count(*), count(*) FILTER (WHERE success),"
                   " coalesce(sum(cost_usd), 0) FROM chat_telemetry WHERE domain = 'edge' AND"
                   " created_at >= '2026-03-10 12:00+00' GROUP BY 1 ORDER BY 1) r",
                   "t");
        EXPECT_SQL(cluster,
                   "SELECT (SELECT sum(total_requests) FROM telemetry_trend('2026-03-10 12:00+00')) = count(*)"
                   " FROM chat_telemetry WHERE created_at BETWEEN '2026-03-10 12:00+00' AND '2099-01-01'",
                   "t");
    }
    /* Minutes that were refreshed never count for nothing. */
    cluster_execute(cluster, "UPDATE chat_telemetry_minute_rollups SET total_requests = total_requests + 1000");
    EXPECT_SQL(cluster, "SELECT max(total_requests) > 1000 FROM telemetry_trend()", "t");
    cluster_execute(cluster, "UPDATE chime.view_refresh SET refreshed_at = NULL WHERE relation LIKE '%minute%'");
    EXPECT_SQL(cluster, "SELECT max(total_requests) > 1000 FROM telemetry_trend()", "f");
}
END_TEST

START_TEST(hours_since_the_last_refresh_come_from_the_requests)
{
    cluster_execute(cluster,
                    "UPDATE chime.view_refresh SET refreshed_at = '2026-03-10 09:30+00';"
                    "INSERT INTO chat_telemetry (domain, created_at) SELECT 'edge', timestamptz '2026-03-10 09:31+00'"
                    " + n * interval '1 hour' FROM generate_series(0, 2) n");
    trend_is_complete();
    EXPECT_SQL(cluster,
               "SELECT min(bucket_start) = '2026-03-10 09:00+00' AND count(*) = 4 FROM telemetry_trend() WHERE "
               "from_raw",
               "t");
    /* Never refreshed: all of it. */
    cluster_execute(cluster, "UPDATE chime.view_refresh SET refreshed_at = NULL");
    trend_is_complete();
    EXPECT_SQL(cluster, "SELECT bool_and(from_raw) AND count(*) > 100 FROM telemetry_trend()", "t");
}
END_TEST

START_TEST(the_trend_is_of_one_domain_and_bounded)
{
    EXPECT_SQL(cluster,
               "SELECT sum(total_requests) = (SELECT count(*) FROM chat_telemetry WHERE domain = 'shop1.example' AND"
               " created_at BETWEEN '2026-01-01' AND '2027-01-01') FROM telemetry_trend('2000-01-01', "
               "'shop1.example')",
               "t");
    EXPECT_SQL(cluster, "SELECT count(*) FROM telemetry_trend('2000-01-01', 'nobody')", "0");
    EXPECT_SQL(cluster,
               "SELECT array_agg(bucket_start) = array_agg(bucket_start ORDER BY bucket_start) FROM telemetry_trend()",
               "t");
    cluster_execute(cluster,
                    "INSERT INTO chat_telemetry (created_at) SELECT timestamptz '2020-01-01 00:00+00' + n * interval"
                    " '1 hour' FROM generate_series(0, 2999) n; SELECT chime.refresh('chat_telemetry_rollups', true)");
    EXPECT_SQL(cluster,
               "SELECT count(*) || ' ' || (max(bucket_start) = '2026-03-10 12:00+00') FROM "
               "telemetry_trend('2000-01-01')",
               "2000 true");
}
END_TEST

/* --- functions ---------------------------------------------------------------------------------------------------- */

START_TEST(the_seeds_refresh_function_says_what_it_did)
{
    cluster_execute(cluster, "DELETE FROM chat_telemetry WHERE id % 2 = 0");
    EXPECT_SQL(cluster,
               "SELECT string_agg(view_name || ' ' || status, ', ') FROM refresh_telemetry_summary_views()"
               " WHERE refresh_time_ms > 0",
               "chat_telemetry_domain_summary SUCCESS, chat_telemetry_model_summary SUCCESS");
    EXPECT_SQL(cluster, "SELECT sum(d.missing + d.surplus) FROM chime.difference('chat_telemetry_domain_summary') d",
               "0");
}
END_TEST

/* The seed takes materialized_at of more than an hour ago for a sign that nothing refreshes. */
START_TEST(after_a_refresh_no_row_looks_stale_also_of_a_domain_that_was_idle)
{
#define STAMPS(relation) "SELECT string_agg(DISTINCT materialized_at::text, ' ') FROM " relation
    cluster_execute(cluster, "SET chime.as_of = '" NEXT_DAY "'; SELECT refresh_telemetry_summary_views()");
    EXPECT_SQL(cluster, STAMPS("chat_telemetry_domain_summary"), NEXT_DAY);
    EXPECT_SQL(cluster, STAMPS("chat_telemetry_model_summary"), NEXT_DAY);
    /* A change costs its own row only. */
    cluster_execute(cluster,
                    "SET chime.as_of = '2026-03-11 13:30:00+00';"
                    "INSERT INTO chat_telemetry (domain, created_at) VALUES ('new.example', '2026-03-11 13:00+00');"
                    "SELECT chime.refresh('chat_telemetry_domain_summary', p_revisit => false)");
    EXPECT_SQL(cluster,
               "SELECT string_agg(domain, ' ') FROM chat_telemetry_domain_summary WHERE materialized_at >"
               " timestamptz '" NEXT_DAY "'",
               "new.example");
}
END_TEST

START_TEST(readers_get_the_trend_and_no_request)
{
    static const char *const forbidden[] = {"TABLE chat_telemetry", "TABLE chat_telemetry_rollups__live",
                                            "SELECT * FROM refresh_telemetry_summary_views()"};
    cluster_execute(cluster, "SET ROLE analytics_reader");
    ck_assert_int_gt(cluster_integer(cluster, "SELECT count(*) FROM telemetry_trend('2026-03-01')"), 100);
    ck_assert_int_gt(cluster_integer(cluster, "SELECT count(*) FROM chat_telemetry_model_rollups"), 100);
    for (size_t i = 0; i < sizeof(forbidden) / sizeof(forbidden[0]); i++)
        ck_assert_str_eq(cluster_sqlstate(cluster, forbidden[i]), "42501");
    cluster_execute(cluster, "RESET ROLE");
}
END_TEST

/* An expression on the table of requests that its owner makes after the function was installed: the planner would
 * evaluate it for the function's owner. */
START_TEST(a_function_of_definers_rights_is_vetted_at_each_call)
{
    cluster_execute(cluster,
                    "CREATE ROLE mallory; GRANT CREATE, USAGE ON SCHEMA public TO mallory; CREATE SEQUENCE public.loot;"
                    "GRANT ALL ON SEQUENCE public.loot TO PUBLIC; ALTER TABLE public.chat_telemetry OWNER TO mallory");
    cluster_execute(cluster, "SET ROLE analytics_reader");
    EXPECT_SQL(cluster, "SELECT count(*) > 0 FROM telemetry_trend()", "t");
    cluster_execute(cluster,
                    "SET ROLE mallory; CREATE FUNCTION public.one() RETURNS integer LANGUAGE plpgsql IMMUTABLE AS $$"
                    " BEGIN IF current_user NOT IN ('mallory', 'analytics_reader') THEN PERFORM nextval('public.loot');"
                    " END IF; RETURN 1; END $$; CREATE INDEX late ON public.chat_telemetry ((id + public.one()));"
                    "SET ROLE analytics_reader");
    char *said = NULL;
    bool gave = cluster_try_value(cluster, "SELECT count(*) FROM telemetry_trend()", &said);
    cluster_execute(cluster, "RESET ROLE");
    EXPECT_SQL(cluster, "SELECT is_called FROM public.loot", "f");
    ck_assert(!gave);
    ck_assert_ptr_nonnull(strstr(said, "function public.one()"));
    ck_assert_ptr_nonnull(strstr(said, "its owner mallory is not trusted"));
    cluster_execute(cluster, "DROP INDEX public.late; SET ROLE analytics_reader");
    EXPECT_SQL(cluster, "SELECT count(*) > 0 FROM telemetry_trend()", "t");
    cluster_execute(cluster, "RESET ROLE");
    free(said);
}
END_TEST

static Suite *suite(void)
{
    Suite *all = suite_create("views_telemetry");
    TCase *cases = tcase_create("views_telemetry");

    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_set_timeout(cases, 180);
    tcase_add_test(cases, indexes_have_the_seeds_names);
    tcase_add_test(cases, a_request_costs_its_hour_and_its_day);
    tcase_add_test(cases, the_rollups_are_right_after_every_mix_of_writes);
    tcase_add_test(cases, the_sessions_zone_means_nothing);
    tcase_add_test(cases, minutes_follow_the_time);
    tcase_add_test(cases, filling_twice_or_after_a_break_duplicates_nothing);
    tcase_add_test(cases, requests_that_have_no_bucket_are_counted_as_rejected);
    tcase_add_test(cases, the_running_hour_is_in_the_trend);
    tcase_add_test(cases, the_running_hour_is_added_up_from_minutes);
    tcase_add_test(cases, hours_since_the_last_refresh_come_from_the_requests);
    tcase_add_test(cases, the_trend_is_of_one_domain_and_bounded);
    tcase_add_test(cases, the_seeds_refresh_function_says_what_it_did);
    tcase_add_test(cases, after_a_refresh_no_row_looks_stale_also_of_a_domain_that_was_idle);
    tcase_add_test(cases, readers_get_the_trend_and_no_request);
    tcase_add_test(cases, a_function_of_definers_rights_is_vetted_at_each_call);
    suite_add_tcase(all, cases);
    return all;
}

int main(void)
{
    return suite_run(suite());
}
