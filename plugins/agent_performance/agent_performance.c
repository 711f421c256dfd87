/* SPDX-License-Identifier: PostgreSQL */
#include <pgchime/plugin.h>

#include "agent_performance.sql.h"

#define QUERY "id, agent, query, latency_ms, conversation_id, created_at"

static const struct chime_source sources[] = {
    {.table = "agent_queries", .columns = QUERY},
    {.table = "mv_agent_query_buckets",
     .columns = "agent, bucket_start, query_count, latency_count, total_latency_ms, max_latency_ms",
     .views = "mv_realtime_agent_performance"},
};

static const struct chime_index bucket_indexes[] = {
    {.name = "mv_agent_query_buckets_bucket", .columns = "bucket_start"},
};

static const struct chime_view views[] = {
    {.relation = "mv_agent_query_buckets",
     .definition = sql_mv_agent_query_buckets,
     .key = "agent, bucket_start",
     .grain = "agent, bucket_start",
     .indexes = CHIME_LIST(bucket_indexes),
     .revisit = sql_revisit_buckets,
     .comment = "Queries and latency of each agent in the last hour, in buckets of five seconds"},
    {.relation = "mv_realtime_agent_performance",
     .definition = sql_mv_realtime_agent_performance,
     .key = "agent",
     .key_index = "mv_realtime_agent_performance_agent_idx",
     .grain = "agent",
     .stamps = "last_updated_at, refreshed_at",
     .revisit = sql_revisit_agents,
     .rejected = sql_rejected_queries,
     .comment = "Queries, latency and health of each agent that was active in the last hour"},
    {.relation = "mv_agent_query_quality",
     .definition = sql_mv_agent_query_quality,
     .key = "check_name",
     .stamps = "refreshed_at",
     .comment = "Data quality and retention checks of agent_queries over the last 24 hours"},
    {.relation = "mv_agent_daily_trends",
     .definition = sql_mv_agent_daily_trends,
     .key = "agent, day",
     .comment = "Queries and latency of each agent by day (UTC)"},
    {.relation = "mv_agent_latency_percentiles",
     .definition = sql_mv_agent_latency_percentiles,
     .key = "agent",
     .comment = "Percentiles of each agent's latency over the last hour"},
};

static const struct chime_plain_view plain_views[] = {
    {.relation = "v_realtime_pipeline_health",
     .definition = sql_v_realtime_pipeline_health,
     .comment = "Whether mv_realtime_agent_performance was refreshed within a minute, five, or not"},
    {.relation = "v_agent_performance_snapshot",
     .definition = sql_v_agent_performance_snapshot,
     .comment = "mv_realtime_agent_performance, with when it was refreshed last"},
    {.relation = "v_realtime_event_counts",
     .definition = sql_v_realtime_event_counts,
     .comment = "Queries of the last five minutes in agent_queries and in mv_realtime_agent_performance"},
    {.relation = "v_agent_moving_averages",
     .definition = sql_v_agent_moving_averages,
     .comment = "Queries and latency of each agent by minute, and their averages over five minutes"},
    {.relation = "v_agent_forecast",
     .definition = sql_v_agent_forecast,
     .comment = "Queries of each agent in the next 15 minutes, by the line through the last 59"},
    {.relation = "v_agent_utilization",
     .definition = sql_v_agent_utilization,
     .comment = "Load of each agent and of all, and how much of capacity_per_second that is"},
};

static const struct chime_option live[] = {{"target_lag", "250ms"}, {"warn_after", "1min"}, {"error_after", "5min"}};
static const struct chime_option quarterly[] = {{"warn_after", "20min"}, {"error_after", "30min"}};
static const struct chime_option half_minutely[] = {{"warn_after", "2min"}, {"error_after", "5min"}};
static const struct chime_option daily[] = {{"warn_after", "25h"}, {"error_after", "48h"}};

static const struct chime_job jobs[] = {
    {.name = "refresh_realtime_agent_performance",
     .schedule = "*/30 * * * * *",
     .refresh = "mv_agent_query_buckets, mv_realtime_agent_performance",
     .options = CHIME_LIST(live)},
    {.name = "refresh-agent-latency-percentiles",
     .schedule = "*/30 * * * * *",
     .refresh = "mv_agent_latency_percentiles",
     .options = CHIME_LIST(half_minutely)},
    {.name = "refresh-agent-query-quality",
     .schedule = "*/15 * * * *",
     .refresh = "mv_agent_query_quality",
     .options = CHIME_LIST(quarterly)},
    {.name = "refresh-agent-daily-trends",
     .schedule = "20 0 * * *",
     .refresh = "mv_agent_daily_trends",
     .options = CHIME_LIST(daily)},
};

static const struct chime_function functions[] = {
    {.signature = "agent_performance(text, integer)", .definition = sql_agent_performance},
    {.signature = "realtime_pipeline_health()", .definition = sql_realtime_pipeline_health},
    {.signature = "realtime_event_counts()", .definition = sql_realtime_event_counts},
    {.signature = "realtime_refresh_lag()", .definition = sql_realtime_refresh_lag},
    {.signature = "agent_query_quality(boolean)", .definition = sql_agent_query_quality},
    {.signature = "agent_latency_percentiles(text)", .definition = sql_agent_latency_percentiles},
    {.signature = "agent_moving_averages(text)", .definition = sql_agent_moving_averages},
    {.signature = "agent_forecast(text)", .definition = sql_agent_forecast},
    {.signature = "agent_utilization()", .definition = sql_agent_utilization},
    {.signature = "agent_trends(text, text, integer)", .definition = sql_agent_trends},
    {.signature = "refresh_realtime_metrics()", .definition = sql_refresh_realtime_metrics},
};

static const struct chime_channel channels[] = {
    {.name = "agent_queries_stream", .table = "agent_queries", .definition = sql_agent_queries_stream},
    {.name = "performance_alert_stream", .table = "agent_queries", .definition = sql_performance_alert_stream},
};

#define AGENTS "SELECT agent, agent FROM mv_realtime_agent_performance ORDER BY agent"

static const struct chime_tile tiles[] = {
    {.title = "Agent Performance",
     .query = "SELECT agent, queries_last_minute, queries_last_hour, avg_latency_5min, max_latency_5min, health_status"
              " FROM agent_performance()",
     .draw = "table",
     .state = "health_status",
     .bound = "500ms",
     .note = "latencies are milliseconds"},
    {.title = "Real-time Pipeline Health",
     .query = "SELECT seconds_since_refresh, status FROM realtime_pipeline_health()",
     .draw = "number",
     .warn = "> 60",
     .critical = "> 300",
     .bound = "500ms"},
    {.title = "Latency percentiles",
     .query = "SELECT agent, p50_latency_ms, p95_latency_ms, p99_latency_ms FROM agent_latency_percentiles()",
     .draw = "table",
     .bound = "500ms",
     .note = "of the last hour"},
    {.title = "Moving averages",
     .query = "SELECT minute_at, queries_5min_avg, latency_5min_avg_ms FROM agent_moving_averages($1)",
     .draw = "line",
     .choices = AGENTS,
     .bound = "500ms",
     .note = "over five minutes, in the last hour"},
    {.title = "Forecast",
     .query = "SELECT minute_at, expected_queries, low_queries, high_queries FROM agent_forecast($1)",
     .draw = "line",
     .choices = AGENTS,
     .bound = "500ms",
     .note = "queries a minute in the next 15, by the last hour"},
    {.title = "Utilisation",
     .query = "SELECT utilization_pct, queries_per_second, peak_per_second, busy, utilization_status"
              " FROM agent_utilization() WHERE agent IS NULL",
     .draw = "number",
     .warn = "> 80",
     .critical = "> 90",
     .bound = "500ms",
     .note = "of what the agents can take together: capacity_per_second"},
    {.title = "Load of each agent",
     .query = "SELECT agent, queries_per_second FROM agent_utilization() WHERE agent IS NOT NULL"
              " ORDER BY queries_per_second DESC",
     .draw = "bars",
     .bound = "500ms"},
    {.title = "Days of an agent",
     .query = "SELECT period, query_count, avg_latency_ms FROM agent_trends($1, 'day', 90)",
     .draw = "line",
     .choices = "SELECT DISTINCT agent, agent FROM mv_agent_daily_trends ORDER BY 1",
     .bound = "500ms"},
    {.title = "Data Quality of Agent Queries",
     .query = "SELECT check_name, dimension, failed_count, failed_pct, status FROM agent_query_quality()",
     .draw = "table",
     .bound = "500ms"},
};

static const struct chime_setting settings[] = {
    {"capacity_per_second", "number", "500", "0.01", NULL,
     "queries a second that the agents can take: of what utilisation is"},
};

static const struct chime_alert alerts[] = {
    {.name = "agent-degraded",
     .condition = "SELECT health_status = 'degraded', agent AS subject, avg_latency_1min AS value,"
                  " format('%s ms on average over the last minute', avg_latency_1min) AS summary"
                  " FROM mv_realtime_agent_performance",
     .severity = "warning"},
    {.name = "realtime-pipeline-down",
     .condition = "SELECT status = 'down', seconds_since_refresh AS value,"
                  " format('refreshed %s s ago', seconds_since_refresh) AS summary FROM realtime_pipeline_health()",
     .severity = "critical"},
    {.name = "agent-query-events-missing",
     .condition = "SELECT status = 'failed', dimension AS subject, failed_count AS value,"
                  " format('%s of %s', failed_count, checked_count) AS summary"
                  " FROM mv_agent_query_quality WHERE check_name = 'missing_events'",
     .severity = "warning",
     .hold = "5min"},
};

CHIME_PLUGIN(.name = "agent_performance", .version = "1.0",
             .summary = "queries, latency and health of each agent in real time", .sources = CHIME_LIST(sources),
             .views = CHIME_LIST(views), .plain_views = CHIME_LIST(plain_views), .jobs = CHIME_LIST(jobs),
             .functions = CHIME_LIST(functions), .channels = CHIME_LIST(channels), .tiles = CHIME_LIST(tiles),
             .alerts = CHIME_LIST(alerts), .settings = CHIME_LIST(settings))
