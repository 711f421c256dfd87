/* SPDX-License-Identifier: PostgreSQL */
#include <pgchime/plugin.h>

#include "query_performance.sql.h"

#define CALL "agent, latencyMs, createdAt"

/* Minutes by way of the time; agents as they are, from calls and from minutes. */
static const struct chime_source sources[] = {
    {.table = "AgentQuery",
     .columns = CALL,
     .capture = "agent, createdAt",
     .map = sql_minutes_of_marks,
     .trust = "true",
     .views = "mv_query_latency_counts"},
    {.table = "AgentQuery", .columns = CALL, .views = "mv_query_performance_live"},
    {.table = "mv_query_latency_counts",
     .columns = "agent, bucket_start, latency_ms, call_count",
     .capture = "agent",
     .views = "mv_query_performance_live",
     .trust = "true"},
};

static const struct chime_index count_indexes[] = {
    {.name = "mv_query_latency_counts_bucket", .columns = "bucket_start"},
};

static const struct chime_view views[] = {
    {.relation = "mv_query_latency_counts",
     .definition = sql_mv_query_latency_counts,
     .key = "agent, bucket_start, latency_ms",
     .grain = "agent, bucket_start",
     .revisit = sql_revisit_minutes,
     .indexes = CHIME_LIST(count_indexes),
     .comment = "How often each latency came, for each agent and minute of the last hour"},
    {.relation = "mv_query_performance_live",
     .definition = sql_mv_query_performance_live,
     .key = "agent",
     .key_index = "mv_query_performance_live_agent_idx",
     .grain = "agent",
     .stamps = "refreshed_at",
     .revisit = sql_revisit_callers,
     .rejected = sql_rejected_calls,
     .comment = "Calls and latency of each agent over the last hour"},
};

/* Where a dashboard turns when the kept relation is not to be had: the same columns off the source, slower. */
static const struct chime_plain_view plain_views[] = {
    {.relation = "v_agent_query_performance",
     .definition = sql_v_agent_query_performance,
     .comment = "As mv_query_performance_live, computed when it is read"},
};

static const struct chime_option fresh[] = {{"target_lag", "1s"}, {"warn_after", "1min"}, {"error_after", "5min"}};

static const struct chime_job jobs[] = {
    {.name = "refresh-query-performance-live",
     .schedule = "*/30 * * * * *",
     .refresh = "mv_query_latency_counts, mv_query_performance_live",
     .options = CHIME_LIST(fresh)},
};

static const struct chime_function functions[] = {
    {.signature = "agent_leaderboard(integer)", .definition = sql_agent_leaderboard},
};

static const struct chime_tile tiles[] = {
    {.title = "Agent Performance Leaderboard",
     .query = "SELECT agent, query_count_1h, avg_latency_ms, performance_rating FROM agent_leaderboard()",
     .draw = "table",
     .bound = "150ms"},
    {.title = "Slowest Twentieth of Calls",
     .query = "SELECT agent, p95_latency_ms FROM agent_leaderboard() ORDER BY p95_latency_ms DESC NULLS LAST",
     .draw = "bars",
     .bound = "150ms",
     .note = "95 of 100 calls of the last hour were faster"},
};

CHIME_PLUGIN(.name = "query_performance", .version = "1.0", .summary = "latency of each agent's calls in the last hour",
             .sources = CHIME_LIST(sources), .views = CHIME_LIST(views), .plain_views = CHIME_LIST(plain_views),
             .jobs = CHIME_LIST(jobs), .functions = CHIME_LIST(functions), .tiles = CHIME_LIST(tiles))
