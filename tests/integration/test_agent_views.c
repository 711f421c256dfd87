/* SPDX-License-Identifier: PostgreSQL */
/* agent_performance, query_performance and approval_queue: what they install, what their relations hold, and the faults
 * of the seeds, each beside the seed's own way. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "support/cluster/session.h"
#include "support/process/files.h"
#include "support/process/suite.h"
#include "support/views/agents.h"

static struct agents agents;
static struct cluster *cluster;

static void set_up(void)
{
    agents = agents_create();
    cluster = agents.cluster;
}

static void set_up_filled(void)
{
    set_up();
    agents_fill(&agents);
}

static void tear_down(void)
{
    agents_destroy(&agents);
}

#define LOOK(view, at, expected) EXPECT_SQL(cluster, "SELECT public.look('" view "', '" at "')", expected)

/* --- by name ------------------------------------------------------------------------------------------------------ */

#define EXPECT_COLUMNS(relation, expected)                                                                        \
    EXPECT_SQL(                                                                                                   \
        cluster,                                                                                                  \
        "SELECT string_agg(attname, ' ' ORDER BY attnum) FROM pg_attribute WHERE attrelid = 'analytics." relation \
        "'::regclass AND attnum > 0 AND NOT attisdropped",                                                        \
        expected)

START_TEST(the_seeds_find_their_columns)
{
    /* Both of seed 001's variants of the first. */
    EXPECT_COLUMNS("mv_realtime_agent_performance",
                   "agent queries_last_minute queries_last_5min queries_last_hour avg_latency_1min avg_latency_5min "
                   "max_latency_5min current_health_status health_status last_updated_at refreshed_at");
    EXPECT_COLUMNS("mv_approval_queue_summary",
                   "snapshot_time pending_count sla_breaches avg_pending_age_minutes max_pending_age_minutes "
                   "oldest_pending_conversation pending_up_to_1min pending_up_to_5min pending_up_to_1h pending_over_1h "
                   "refreshed_at");
    EXPECT_COLUMNS("mv_agent_queue_realtime",
                   "snapshot_time pending_count approved_today rejected_today avg_confidence urgent_count "
                   "urgent_pending_count oldest_pending refreshed_at");
    EXPECT_COLUMNS("mv_agent_accuracy_rolling",
                   "window_start total_drafts approved_count approval_rate_pct avg_confidence avg_review_time_seconds "
                   "rejected_count reviewed_count");
    EXPECT_COLUMNS("mv_query_performance_live",
                   "agent query_count_1h avg_latency_ms p95_latency_ms slow_query_count performance_rating "
                   "refreshed_at");
    EXPECT_COLUMNS("v_agent_performance_snapshot",
                   "agent queries_last_minute queries_last_5min queries_last_hour avg_latency_1min avg_latency_5min "
                   "max_latency_5min health_status last_updated_at last_refresh seconds_since_refresh");
    EXPECT_COLUMNS("v_agent_queue_realtime",
                   "snapshot_time pending_count approved_today rejected_today avg_confidence urgent_count "
                   "urgent_pending_count oldest_pending refreshed_at");
}
END_TEST

START_TEST(the_seeds_find_their_indexes_functions_and_jobs)
{
    EXPECT_SQL(
        cluster,
        "SELECT string_agg(indexname, ' ' ORDER BY indexname) FROM pg_indexes WHERE schemaname = 'analytics'"
        " AND indexdef LIKE 'CREATE UNIQUE%'",
        "mv_agent_accuracy_rolling_window_start_idx mv_agent_approval_quality_pk mv_agent_daily_trends_pk "
        "mv_agent_latency_percentiles_pk "
        "mv_agent_query_buckets_pk "
        "mv_agent_query_quality_pk "
        "mv_agent_queue_realtime_snapshot_time_idx mv_approval_queue_summary_snapshot_time_idx "
        "mv_query_latency_counts_pk mv_query_performance_live_agent_idx mv_realtime_agent_performance_agent_idx");
    EXPECT_SQL(cluster, "SELECT string_agg(signature, ' ' ORDER BY signature) FROM chime.plugin_function",
               "analytics.agent_approval_quality(boolean) "
               "analytics.agent_forecast(text) analytics.agent_latency_percentiles(text) "
               "analytics.agent_leaderboard(integer) analytics.agent_moving_averages(text) "
               "analytics.agent_performance(text,integer) "
               "analytics.agent_query_quality(boolean) analytics.agent_trends(text,text,integer) "
               "analytics.agent_utilization() "
               "analytics.approval_queue_ages() analytics.approval_queue_status() "
               "analytics.hourly_approval_rates(integer) analytics.realtime_event_counts() "
               "analytics.realtime_pipeline_health() analytics.realtime_refresh_lag() "
               "analytics.refresh_realtime_metrics()");
    EXPECT_SQL(cluster,
               "SELECT string_agg(name || ' ' || schedule, ', ' ORDER BY name COLLATE \"C\") FROM chime.job WHERE "
               "origin = 'plugin'",
               "refresh-agent-accuracy-rolling */15 * * * *, refresh-agent-approval-quality */15 * * * *, "
               "refresh-agent-daily-trends 20 0 * * *, "
               "refresh-agent-latency-percentiles */30 * * * * *, "
               "refresh-agent-query-quality */15 * * * *, refresh-agent-queue-realtime */5 * * * * *, "
               "refresh-query-performance-live */30 * * * * *, refresh_realtime_agent_performance */30 * * * * *");
}
END_TEST

START_TEST(a_word_that_is_none_of_those_asked_for_is_an_error_that_lists_them)
{
    char *error;
    ck_assert(!cluster_try_value(
        cluster, "SET ROLE analytics_reader; SELECT * FROM analytics.agent_trends('a', 'fortnight')", &error));
    ck_assert_msg(strstr(error, "granularity cannot be 'fortnight'\nHINT:  it is one of 'day', 'week', 'month'") !=
                      NULL,
                  "%s", error);
    free(error);
    ck_assert_str_eq(cluster_sqlstate(cluster, "SELECT * FROM analytics.agent_trends('a', NULL)"), "22023");
    EXPECT_SQL(cluster, "SELECT count(*) FROM analytics.agent_trends('nobody', 'month')", "0");
}
END_TEST

START_TEST(all_but_those_that_need_everything_are_keyed)
{
    EXPECT_SQL(cluster, "SELECT string_agg(relation, ' ' ORDER BY relation) FROM chime.view WHERE full_reason IS NULL",
               "mv_agent_query_buckets mv_agent_queue_realtime mv_approval_queue_summary mv_query_latency_counts "
               "mv_query_performance_live mv_realtime_agent_performance");
    EXPECT_SQL(cluster, "SELECT DISTINCT full_reason FROM chime.view WHERE full_reason IS NOT NULL", "it has no grain");
}
END_TEST

/* --- what they hold ----------------------------------------------------------------------------------------------- */

START_TEST(empty_sources_give_no_agents_and_an_empty_queue)
{
    EXPECT_SQL(
        cluster,
        "SELECT string_agg(relation || ' ' || rows, ', ' ORDER BY relation) FROM chime.view_refresh WHERE rows > 0",
        "mv_agent_approval_quality 14, mv_agent_query_quality 10, mv_agent_queue_realtime 1, mv_approval_queue_summary "
        "1");
    EXPECT_SQL(cluster,
               "SELECT pending_count || ' ' || (oldest_pending IS NULL) FROM analytics.mv_agent_queue_realtime",
               "0 true");
    EXPECT_SQL(cluster, "SELECT count(*) FROM analytics.mv_agent_query_quality WHERE status = 'failed'", "0");
    EXPECT_SQL(cluster, "SELECT count(*) FROM analytics.mv_agent_approval_quality WHERE status = 'failed'", "0");
}
END_TEST

/* Rows inserted, changed, moved between agents, deleted, and late: created long before the refresh that first sees
 * them. */
static const char mixed_writes[] =
    "CALL public.add_queries('" AGENTS_AS_OF "', 300, 'late');"
    "CALL public.add_approvals('" AGENTS_AS_OF "', 120, 'late');"
    "UPDATE public.agent_queries SET agent = 'moved' WHERE id % 40 = 1;"
    "UPDATE public.agent_queries SET latency_ms = latency_ms * 3 WHERE id % 50 = 2;"
    "UPDATE public.agent_queries SET created_at = created_at - interval '50 minutes' WHERE id % 60 = 3;"
    "DELETE FROM public.agent_queries WHERE agent = 'ops' OR id % 70 = 4;"
    "UPDATE public.\"AgentQuery\" SET \"latencyMs\" = 5000 WHERE right(id, 1) = '1';"
    "DELETE FROM public.\"AgentQuery\" WHERE agent = 'data';"
    "UPDATE public.agent_approvals SET status = 'approved', reviewed_at = now() WHERE status = 'pending' AND id % 3 = "
    "1;"
    "UPDATE public.agent_approvals SET status = 'pending' WHERE status = 'rejected' AND id % 9 = 1;"
    "UPDATE public.agent_approvals SET priority = 'urgent', confidence_score = 'NaN' WHERE id % 11 = 1;"
    "DELETE FROM public.agent_approvals WHERE id % 8 = 2";

static void refresh_all(const char *at)
{
    cluster_execute_format(
        cluster, "SELECT public.look(relation, '%s') FROM (SELECT relation FROM chime.view ORDER BY view_id) v", at);
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.view_refresh WHERE method = 'keyed'", "6");
}

START_TEST(every_relation_is_what_the_oracle_computes)
{
    agents_compare(&agents, "2026-11-15 12:00:02", true);
    agents_compare_tier_3(&agents, "2026-11-15 12:00:02");
    cluster_execute(cluster, mixed_writes);
    refresh_all(AGENTS_AS_OF);
    agents_compare(&agents, "2026-11-15 12:00:02", false);
    agents_compare_tier_3(&agents, "2026-11-15 12:00:02");
    EXPECT_SQL(cluster, "SELECT count(*) FROM analytics.mv_realtime_agent_performance WHERE agent = 'ops'", "0");
    EXPECT_SQL(cluster, "SELECT count(*) FROM analytics.mv_realtime_agent_performance WHERE agent = 'moved'", "1");
}
END_TEST

/* Nothing is written: windows, ages and the day move by themselves. */
START_TEST(time_alone_changes_what_it_must)
{
    static const char *const later[] = {"2026-11-15 12:00:40", "2026-11-15 12:06:00", "2026-11-15 12:59:59.999999",
                                        "2026-11-15 13:00:02", "2026-11-15 23:59:59", "2026-11-16 00:00:00",
                                        "2026-11-17 08:30:00"};
    for (size_t i = 0; i < sizeof(later) / sizeof(later[0]); i++) {
        char *at = files_path("%s+00", later[i]);
        refresh_all(at);
        agents_compare(&agents, later[i], false);
        agents_compare_tier_3(&agents, later[i]);
        free(at);
    }
}
END_TEST

START_TEST(gaps_and_copies_of_events_are_found)
{
    cluster_execute(cluster, "DELETE FROM public.agent_queries WHERE id = 100 OR id BETWEEN 2001 AND 2010");
    LOOK("mv_agent_query_quality", AGENTS_AS_OF, "full: it has no grain");
    EXPECT_SQL(cluster, "SELECT failed_count FROM analytics.mv_agent_query_quality WHERE check_name = 'missing_events'",
               "11");
    EXPECT_SQL(cluster,
               "SELECT failed_count FROM analytics.agent_query_quality(true) WHERE check_name = 'duplicate_events'",
               "4");
}
END_TEST

#define FAILED(check) "SELECT failed_count FROM analytics.agent_approval_quality(true) WHERE check_name = '" check "'"

START_TEST(what_is_wrong_with_approvals_is_counted)
{
    cluster_execute(cluster,
                    "TRUNCATE public.agent_approvals;"
                    "INSERT INTO public.agent_approvals (id, conversation_id, status, confidence_score, approved_by,"
                    " created_at, updated_at, reviewed_at) SELECT n, 'c' || n, 'approved', 0.9, 'qa', at, at, at"
                    " FROM (SELECT n, timestamptz '" AGENTS_AS_OF "' - n * interval '1 minute' AS at"
                    " FROM generate_series(1, 12) AS n) t");
    LOOK("mv_agent_approval_quality", AGENTS_AS_OF, "full: it has no grain");
    EXPECT_SQL(cluster, "SELECT count(*) FROM analytics.agent_approval_quality(true)", "0");
    cluster_execute(cluster,
                    "DELETE FROM public.agent_approvals WHERE id = 6;"
                    "UPDATE public.agent_approvals SET approved_by = NULL WHERE id = 2;"
                    "UPDATE public.agent_approvals SET reviewed_at = NULL WHERE id = 3;"
                    "UPDATE public.agent_approvals SET reviewed_at = created_at - interval '1 s' WHERE id = 4;"
                    "UPDATE public.agent_approvals SET status = 'pending' WHERE id = 5;"
                    "UPDATE public.agent_approvals SET status = 'Approved' WHERE id = 7;"
                    "UPDATE public.agent_approvals SET conversation_id = 'c9', created_at = (SELECT created_at FROM"
                    " public.agent_approvals WHERE id = 9) WHERE id = 8;"
                    "UPDATE public.agent_approvals SET created_at = created_at - interval '91 days' WHERE id = 10;"
                    "UPDATE public.agent_approvals SET created_at = created_at - interval '91 days',"
                    " updated_at = created_at - interval '91 days', reviewed_at = NULL WHERE id = 11");
    LOOK("mv_agent_approval_quality", AGENTS_AS_OF, "full: it has no grain");
    EXPECT_SQL(cluster, FAILED("reviewer_missing"), "1");
    EXPECT_SQL(cluster, FAILED("review_time_missing"), "1");
    EXPECT_SQL(cluster, FAILED("reviewed_before_created"), "1");
    EXPECT_SQL(cluster, FAILED("reviewed_while_pending"), "1");
    EXPECT_SQL(cluster, FAILED("status_unknown"), "1");
    EXPECT_SQL(cluster, FAILED("duplicate_events"), "1");
    EXPECT_SQL(cluster, FAILED("missing_events"), "1");
    EXPECT_SQL(cluster, FAILED("kept_too_long"), "1"); /* the other was touched lately */
    EXPECT_SQL(cluster, "SELECT count(*) FROM analytics.agent_approval_quality(true)", "8");
}
END_TEST

/* Supabase's tables have such ids; a uuid says nothing about what is missing. */
START_TEST(ids_that_are_no_numbers_have_no_gaps)
{
    cluster_execute(
        cluster,
        "CREATE SCHEMA uuids; CREATE TABLE uuids.agent_approvals AS SELECT md5(id::text)::uuid AS id, conversation_id,"
        " status, confidence_score, approved_by, created_at, updated_at, reviewed_at FROM public.agent_approvals;"
        "SET chime.as_of = '" AGENTS_AS_OF "'; SET search_path = uuids;"
        "DO $$ BEGIN EXECUTE 'CREATE TABLE uuids.checked AS ' || substring(pg_read_file('" PGCHIME_SOURCE_DIR
        "/plugins/approval_queue/approval_queue.sql') FROM"
        " E'-- chime:begin mv_agent_approval_quality\\n(.*?)-- chime:end'); END $$;"
        "RESET search_path");
    EXPECT_SQL(cluster,
               "SELECT count(*) || ' ' || bool_or(checked_count > 500) FROM uuids.checked WHERE check_name <> "
               "'missing_events'",
               "13 true");
    EXPECT_SQL(cluster,
               "SELECT checked_count || ' ' || failed_count FROM uuids.checked WHERE check_name = 'missing_events'",
               "0 0");
}
END_TEST

/* --- faults of the seeds ------------------------------------------------------------------------------------------ */

START_TEST(pending_approvals_outlive_midnight)
{
    cluster_execute(cluster, "CREATE VIEW public.seed AS SELECT count(*) FILTER (WHERE status = 'pending') AS waiting"
                             " FROM public.agent_approvals WHERE created_at > date_trunc('day', chime.as_of())");
    cluster_execute(cluster, "SET chime.as_of = '2026-11-16 00:00:01+00'");
    char *pending = cluster_value(cluster, "SELECT count(*) FROM public.agent_approvals WHERE status = 'pending'");
    EXPECT_SQL(cluster, "SELECT waiting FROM public.seed", "1"); /* that whose time is infinite */
    LOOK("mv_agent_queue_realtime", "2026-11-16 00:00:01+00", "keyed 1: +0 ~1 -0");
    EXPECT_SQL(cluster, "SELECT pending_count FROM analytics.mv_agent_queue_realtime", pending);
    LOOK("mv_approval_queue_summary", "2026-11-16 00:00:01+00", "keyed 1: +0 ~1 -0");
    EXPECT_SQL(cluster, "SELECT pending_count FROM analytics.mv_approval_queue_summary", pending);
    free(pending);
}
END_TEST

START_TEST(today_and_hours_are_those_of_utc_whatever_the_session_says)
{
    static const char seed[] = "SELECT date_trunc('hour', timestamptz '" AGENTS_AS_OF "') = "
                               "date_trunc('hour', timestamptz '" AGENTS_AS_OF "', 'UTC')";
    char *before = cluster_rows(cluster,
                                "SELECT pending_count, approved_today, rejected_today, urgent_count,"
                                " (SELECT string_agg(extract(epoch FROM window_start)::text, ' ' ORDER BY window_start)"
                                " FROM analytics.mv_agent_accuracy_rolling) FROM analytics.mv_agent_queue_realtime");
    EXPECT_SQL(cluster, seed, "t");
    cluster_execute(cluster, "SET timezone = 'Asia/Kathmandu'"); /* 5:45 ahead */
    EXPECT_SQL(cluster, seed, "f");
    LOOK("mv_agent_queue_realtime", AGENTS_AS_OF, "keyed 1: +0 ~0 -0");
    LOOK("mv_agent_accuracy_rolling", AGENTS_AS_OF, "full: it has no grain");
    LOOK("mv_agent_daily_trends", AGENTS_AS_OF, "full: it has no grain");
    char *after = cluster_rows(cluster,
                               "SELECT pending_count, approved_today, rejected_today, urgent_count,"
                               " (SELECT string_agg(extract(epoch FROM window_start)::text, ' ' ORDER BY window_start)"
                               " FROM analytics.mv_agent_accuracy_rolling) FROM analytics.mv_agent_queue_realtime");
    ck_assert_str_eq(before, after);
    agents_compare(&agents, "2026-11-15 12:00:02", false);
    free(before);
    free(after);
}
END_TEST

/* The seed's trigger refreshes inside each write: the next writer waits for the whole of the first one's
 * transaction. */
START_TEST(writers_do_not_wait_for_each_other)
{
    static const char write[] =
        "BEGIN; INSERT INTO public.agent_approvals (status, created_at) VALUES ('pending', now())";
    PGconn *first = cluster_connect(cluster, "postgres");
    PGconn *second = cluster_connect(cluster, "postgres");
    session_execute(first, write);
    session_execute(second, "SET statement_timeout = '60s'");
    session_execute(second, write); /* ours: captured, nobody waits */
    session_execute(first, "COMMIT");
    session_execute(second, "COMMIT");
    cluster_execute(cluster,
                    "CREATE MATERIALIZED VIEW public.seed AS SELECT 'current' AS snapshot_time, count(*) FROM "
                    "public.agent_approvals;"
                    "CREATE UNIQUE INDEX ON public.seed (snapshot_time);"
                    "CREATE FUNCTION public.seed() RETURNS trigger LANGUAGE plpgsql AS"
                    " 'BEGIN REFRESH MATERIALIZED VIEW CONCURRENTLY public.seed; RETURN NULL; END';"
                    "CREATE TRIGGER seed AFTER INSERT ON public.agent_approvals EXECUTE FUNCTION public.seed()");
    session_execute(first, write);
    session_send(second, write);
    session_await_blocked(cluster, second);
    session_execute(first, "COMMIT");
    session_await(second);
    session_execute(second, "COMMIT");
    PQfinish(first);
    PQfinish(second);
}
END_TEST

START_TEST(the_summary_has_a_key)
{
    cluster_execute(cluster, "CREATE MATERIALIZED VIEW public.seed AS SELECT count(*) FILTER (WHERE status = 'pending')"
                             " AS pending_count FROM public.agent_approvals");
    ck_assert_str_eq(cluster_sqlstate(cluster, "REFRESH MATERIALIZED VIEW CONCURRENTLY public.seed"), "55000");
    cluster_execute(cluster,
                    "CREATE MATERIALIZED VIEW public.ours AS SELECT * FROM analytics.mv_approval_queue_summary__live;"
                    "CREATE UNIQUE INDEX ON public.ours (snapshot_time);"
                    "REFRESH MATERIALIZED VIEW CONCURRENTLY public.ours");
    EXPECT_SQL(cluster, "SELECT count(*) FROM analytics.mv_approval_queue_summary", "1");
    ck_assert_str_eq(cluster_sqlstate(cluster, "INSERT INTO analytics.mv_approval_queue_summary (snapshot_time) VALUES "
                                               "('current')"),
                     "23505");
}
END_TEST

/* Calls come late, ahead and go again, while time goes on in steps of less than a minute and more; of three refreshes
 * two look at nothing but what changed. The plain view counts calls themselves. */
START_TEST(counted_latencies_give_what_the_calls_give_at_every_instant)
{
    cluster_execute(
        cluster,
        "CREATE FUNCTION public.differing() RETURNS bigint LANGUAGE sql AS $$ SELECT count(*) FROM ("
        " (SELECT agent, query_count_1h, avg_latency_ms, p95_latency_ms, slow_query_count, performance_rating FROM"
        " analytics.mv_query_performance_live EXCEPT SELECT agent, query_count_1h, avg_latency_ms, p95_latency_ms,"
        " slow_query_count, performance_rating FROM analytics.v_agent_query_performance) UNION ALL"
        " (SELECT agent, query_count_1h, avg_latency_ms, p95_latency_ms, slow_query_count, performance_rating FROM"
        " analytics.v_agent_query_performance EXCEPT SELECT agent, query_count_1h, avg_latency_ms, p95_latency_ms,"
        " slow_query_count, performance_rating FROM analytics.mv_query_performance_live)) AS d $$;"
        "CREATE TABLE public.difference (step integer, rows bigint)");
    cluster_execute(
        cluster,
        "DO $$ DECLARE n timestamptz := '" AGENTS_AS_OF "'; BEGIN FOR i IN 1..36 LOOP"
        " n := n + CASE WHEN i % 12 = 0 THEN interval '31 min' ELSE interval '1 s' * (7 + i * 5 % 80) END;"
        " PERFORM set_config('chime.as_of', n::text, false);"
        " INSERT INTO public.\"AgentQuery\" (id, agent, \"latencyMs\", \"createdAt\")"
        " SELECT gen_random_uuid(), 'late' || g % 3, nullif((g * i) % 23, 0), n - interval '1 s' * (g * i % 200 - 20)"
        " FROM generate_series(1, 25) AS g;"
        " DELETE FROM public.\"AgentQuery\" WHERE \"createdAt\" > n - interval '10 min' AND (\"latencyMs\" + i) % 17 = "
        "0;"
        " COMMIT;"
        " PERFORM set_config('chime.as_of', n::text, false);"
        " PERFORM FROM chime.refresh('mv_query_performance_live', false, i % 3 = 0); COMMIT;"
        " IF i % 3 = 0 THEN INSERT INTO public.difference SELECT i, public.differing(); COMMIT; END IF;"
        " END LOOP; END $$");
    EXPECT_SQL(cluster, "SELECT count(*) || ' ' || sum(rows) FROM public.difference", "12 0");
    EXPECT_SQL(cluster, "SELECT count(*) FROM analytics.mv_query_performance_live WHERE agent LIKE 'late%'", "3");
    EXPECT_SQL(cluster, "SELECT method FROM chime.view_refresh WHERE relation = 'mv_query_latency_counts'", "keyed");
    cluster_execute(cluster, "RESET chime.as_of");
}
END_TEST

/* Both counts and the queries themselves at one instant. */
#define COUNTS                                                                                               \
    "SELECT c.raw_count || ' ' || c.materialized_count || ' ' || (SELECT count(*) FROM public.agent_queries" \
    " WHERE created_at > now() - interval '5 minutes') FROM analytics.realtime_event_counts() c"
#define ADD_QUERIES(agent, count, span)                                              \
    "INSERT INTO public.agent_queries (agent, latency_ms, created_at) SELECT " agent \
    ", 5, now() - n * interval '" span "' FROM generate_series(0, " #count " - 1) n;"

START_TEST(events_are_counted_one_by_one_whether_or_not_the_pipeline_saw_them)
{
    cluster_execute(cluster, ADD_QUERIES("'a' || n % 3", 600, "0.1 s"));
    cluster_execute(cluster, "SELECT * FROM chime.refresh('mv_realtime_agent_performance')");
    EXPECT_SQL(cluster, COUNTS, "600 600 600");
    cluster_execute(cluster, ADD_QUERIES("NULL", 40, "0.1 s")); /* no agent's, and events all the same */
    EXPECT_SQL(cluster, COUNTS, "640 600 640");
    cluster_execute(cluster, ADD_QUERIES("'b'", 7, "0.1 s") ADD_QUERIES("'b'", 200, "1 day"));
    EXPECT_SQL(cluster, COUNTS, "648 600 648");
    /* What the pipeline kept and is gone shows at once. */
    cluster_execute(cluster, "DELETE FROM public.agent_queries WHERE agent = 'a1'");
    EXPECT_SQL(cluster, COUNTS, "448 600 448");
    cluster_execute(cluster, "SELECT * FROM chime.refresh('mv_realtime_agent_performance')");
    EXPECT_SQL(cluster, COUNTS, "448 408 448");
}
END_TEST

START_TEST(an_agent_that_went_is_no_healthy_one)
{
    cluster_execute(cluster, "INSERT INTO public.agent_queries (agent, query, latency_ms, created_at)"
                             " VALUES ('gone', 'q', 900, timestamptz '" AGENTS_AS_OF "' - interval '3 days')");
    cluster_execute(cluster,
                    "CREATE VIEW public.seed AS SELECT agent, CASE WHEN avg(latency_ms) FILTER (WHERE created_at >"
                    " chime.as_of() - interval '1 minute') > 200 THEN 'degraded' ELSE 'healthy' END AS health"
                    " FROM public.agent_queries GROUP BY agent");
    EXPECT_SQL(cluster, "SELECT health FROM public.seed WHERE agent = 'gone'", "healthy");
    LOOK("mv_realtime_agent_performance", AGENTS_AS_OF, "keyed 12: +0 ~0 -0");
    EXPECT_SQL(cluster, "SELECT count(*) FROM analytics.mv_realtime_agent_performance WHERE agent = 'gone'", "0");
}
END_TEST

/* now() in a column: every row differs every time, although nothing has changed. */
START_TEST(a_stamp_alone_changes_no_row)
{
    cluster_execute(cluster, "CREATE VIEW public.seed AS SELECT agent, count(*), clock_timestamp() AS refreshed_at"
                             " FROM public.agent_queries GROUP BY agent");
    cluster_execute(cluster, "CREATE TABLE public.first_time AS TABLE public.seed");
    EXPECT_SQL(cluster, "SELECT count(*) FROM (TABLE public.seed EXCEPT TABLE public.first_time) d",
               "12"); /* all agents, and those without */
    LOOK("mv_realtime_agent_performance", AGENTS_AS_OF, "keyed 11: +0 ~0 -0");
    LOOK("mv_query_performance_live", AGENTS_AS_OF, "keyed 4: +0 ~0 -0");
    LOOK("mv_agent_queue_realtime", AGENTS_AS_OF, "keyed 1: +0 ~0 -0");
    EXPECT_SQL(cluster, "SELECT refreshed_at = '" AGENTS_AS_OF "' FROM analytics.mv_agent_queue_realtime", "t");
}
END_TEST

/* In the seed the latest stamp of a row: a refresh with nothing to change would have left the pipeline down. */
START_TEST(a_pipeline_without_news_is_healthy)
{
    cluster_execute(cluster,
                    "CREATE VIEW public.seed AS SELECT CASE WHEN max(last_updated_at) > now() - interval '1 minute'"
                    " THEN 'healthy' WHEN max(last_updated_at) > now() - interval '5 minutes' THEN 'degraded'"
                    " ELSE 'down' END AS status FROM analytics.mv_realtime_agent_performance;"
                    "TRUNCATE public.agent_queries; SELECT * FROM chime.refresh('mv_realtime_agent_performance');"
                    "SELECT * FROM chime.refresh('mv_realtime_agent_performance')");
    EXPECT_SQL(cluster, "SELECT status FROM public.seed", "down");
    EXPECT_SQL(cluster, "SELECT component || ': ' || status FROM analytics.realtime_pipeline_health()",
               "Real-time Pipeline Health: healthy");
    EXPECT_SQL(cluster, "SELECT refresh_lag < interval '1 minute' FROM analytics.realtime_refresh_lag()", "t");
    static const char *const aged[][2] = {
        {"59 seconds", "healthy"}, {"61 seconds", "degraded"}, {"299 seconds", "degraded"}, {"301 seconds", "down"}};
    for (size_t i = 0; i < sizeof(aged) / sizeof(aged[0]); i++) {
        cluster_execute_format(cluster, "UPDATE chime.view_refresh SET refreshed_at = now() - interval '%s'",
                               aged[i][0]);
        EXPECT_SQL(cluster, "SELECT status FROM analytics.v_realtime_pipeline_health", aged[i][1]);
    }
    cluster_execute(cluster, "UPDATE chime.view_refresh SET refreshed_at = NULL");
    EXPECT_SQL(cluster,
               "SELECT status || coalesce(seconds_since_refresh, -1) FROM analytics.realtime_pipeline_health()",
               "down-1");
}
END_TEST

static Suite *suite(void)
{
    Suite *all = suite_create("agent_views");
    TCase *empty = tcase_create("installed");
    TCase *filled = tcase_create("filled");

    tcase_add_checked_fixture(empty, set_up, tear_down);
    tcase_set_timeout(empty, 180);
    tcase_add_test(empty, the_seeds_find_their_columns);
    tcase_add_test(empty, the_seeds_find_their_indexes_functions_and_jobs);
    tcase_add_test(empty, a_word_that_is_none_of_those_asked_for_is_an_error_that_lists_them);
    tcase_add_test(empty, all_but_those_that_need_everything_are_keyed);
    tcase_add_test(empty, empty_sources_give_no_agents_and_an_empty_queue);
    tcase_add_test(empty, events_are_counted_one_by_one_whether_or_not_the_pipeline_saw_them);
    tcase_add_checked_fixture(filled, set_up_filled, tear_down);
    tcase_set_timeout(filled, 180);
    tcase_add_test(filled, every_relation_is_what_the_oracle_computes);
    tcase_add_test(filled, time_alone_changes_what_it_must);
    tcase_add_test(filled, gaps_and_copies_of_events_are_found);
    tcase_add_test(filled, what_is_wrong_with_approvals_is_counted);
    tcase_add_test(filled, ids_that_are_no_numbers_have_no_gaps);
    tcase_add_test(filled, pending_approvals_outlive_midnight);
    tcase_add_test(filled, today_and_hours_are_those_of_utc_whatever_the_session_says);
    tcase_add_test(filled, writers_do_not_wait_for_each_other);
    tcase_add_test(filled, the_summary_has_a_key);
    tcase_add_test(filled, counted_latencies_give_what_the_calls_give_at_every_instant);
    tcase_add_test(filled, an_agent_that_went_is_no_healthy_one);
    tcase_add_test(filled, a_stamp_alone_changes_no_row);
    tcase_add_test(filled, a_pipeline_without_news_is_healthy);
    suite_add_tcase(all, empty);
    suite_add_tcase(all, filled);
    return all;
}

int main(void)
{
    return suite_run(suite());
}
