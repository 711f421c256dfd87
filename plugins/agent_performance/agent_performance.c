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
};

static const struct chime_option live[] = {{"target_lag", "250ms"}, {"warn_after", "1min"}, {"error_after", "5min"}};
static const struct chime_option quarterly[] = {{"warn_after", "20min"}, {"error_after", "30min"}};
static const struct chime_option daily[] = {{"warn_after", "25h"}, {"error_after", "48h"}};

static const struct chime_job jobs[] = {
    {.name = "refresh_realtime_agent_performance",
     .schedule = "*/30 * * * * *",
     .refresh = "mv_agent_query_buckets, mv_realtime_agent_performance",
     .options = CHIME_LIST(live)},
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
    {.signature = "agent_trends(text, text, integer)", .definition = sql_agent_trends},
    {.signature = "refresh_realtime_metrics()", .definition = sql_refresh_realtime_metrics},
};

static const struct chime_channel channels[] = {
    {.name = "agent_queries_stream", .table = "agent_queries", .definition = sql_agent_queries_stream},
    {.name = "performance_alert_stream", .table = "agent_queries", .definition = sql_performance_alert_stream},
};

static const struct chime_tile tiles[] = {
    {.title = "Agent Performance",
     .query = "SELECT agent, queries_last_minute, queries_last_hour, avg_latency_5min, max_latency_5min, health_status"
              " FROM agent_performance()",
     .draw = "table"},
    {.title = "Real-time Pipeline Health",
     .query = "SELECT seconds_since_refresh, status FROM realtime_pipeline_health()",
     .draw = "number",
     .warn = "> 60",
     .critical = "> 300"},
    {.title = "Data Quality of Agent Queries",
     .query = "SELECT check_name, dimension, failed_count, failed_pct, status FROM agent_query_quality()",
     .draw = "table"},
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
             .alerts = CHIME_LIST(alerts))
