/* SPDX-License-Identifier: PostgreSQL */
#include <pgchime/plugin.h>

#include "telemetry.sql.h"
#include "telemetry_api.sql.h"

#define SUMMED "success, cost_usd, input_tokens, output_tokens, duration_ms, search_count, iteration_count, created_at"

/* Trusted: the rollups' series of hours begins and ends with the table's rows, which no plan for one of them shows to
 * be harmless. */
static const struct chime_source sources[] = {
    {.table = "chat_telemetry",
     .columns = "domain, model, " SUMMED,
     .views = "chat_telemetry_domain_summary, chat_telemetry_model_summary, chat_telemetry_minute_rollups"},
    {.table = "chat_telemetry",
     .columns = "domain, model, " SUMMED,
     .capture = "created_at",
     .map = sql_buckets_of_marks,
     .trust = "true",
     .views = "chat_telemetry_rollups, chat_telemetry_domain_rollups, chat_telemetry_model_rollups"},
};

static const struct chime_index domain_indexes[] = {
    {.name = "idx_chat_telemetry_domain_summary_cost", .columns = "total_cost_usd_all_time DESC"},
    {.name = "idx_chat_telemetry_domain_summary_recent", .columns = "last_request_at DESC"},
};

static const struct chime_index model_indexes[] = {
    {.name = "idx_chat_telemetry_model_summary_cost", .columns = "total_cost DESC"},
    {.name = "idx_chat_telemetry_model_summary_performance", .columns = "avg_duration_ms, success_rate_pct DESC"},
};

/* Seed 004 wanted `recent` as an index of the last 7 days alone, which an index's condition cannot say. */
static const struct chime_index rollup_indexes[] = {
    {.name = "idx_chat_telemetry_rollups_recent", .columns = "granularity, bucket_start DESC"},
};

static const struct chime_index domain_rollup_indexes[] = {
    {.name = "idx_chat_telemetry_domain_rollups_cost", .columns = "domain, bucket_start DESC, total_cost_usd DESC"},
};

static const struct chime_index model_rollup_indexes[] = {
    {.name = "idx_chat_telemetry_model_rollups_perf", .columns = "model, bucket_start DESC, avg_duration_ms"},
};

static const struct chime_view views[] = {
    {.relation = "chat_telemetry_domain_summary",
     .definition = sql_chat_telemetry_domain_summary,
     .key = "domain",
     .key_index = "idx_chat_telemetry_domain_summary_domain",
     .grain = "domain",
     .stamps = "materialized_at",
     .revisit = sql_revisit_domains,
     .rejected = sql_rejected_domain_requests,
     .indexes = CHIME_LIST(domain_indexes),
     .comment = "Requests, cost, tokens and durations of each domain"},
    {.relation = "chat_telemetry_model_summary",
     .definition = sql_chat_telemetry_model_summary,
     .key = "model",
     .key_index = "idx_chat_telemetry_model_summary_model",
     .grain = "model",
     .stamps = "materialized_at",
     .revisit = sql_revisit_models,
     .rejected = sql_rejected_model_requests,
     .indexes = CHIME_LIST(model_indexes),
     .comment = "Uses, cost, tokens and durations of each model"},
    {.relation = "chat_telemetry_rollups",
     .definition = sql_chat_telemetry_rollups,
     .key = "bucket_start, granularity",
     .key_index = "idx_chat_telemetry_rollups_bucket_granularity",
     .grain = "bucket_start, granularity",
     .stamps = "materialized_at",
     .rejected = sql_rejected_requests,
     .indexes = CHIME_LIST(rollup_indexes),
     .comment = "Requests of each hour and each day (UTC)"},
    {.relation = "chat_telemetry_domain_rollups",
     .definition = sql_chat_telemetry_domain_rollups,
     .key = "bucket_start, granularity, domain",
     .grain = "bucket_start, granularity",
     .stamps = "materialized_at",
     .rejected = sql_rejected_domain_rollups,
     .indexes = CHIME_LIST(domain_rollup_indexes),
     .comment = "Requests of each domain by hour and by day (UTC)"},
    {.relation = "chat_telemetry_model_rollups",
     .definition = sql_chat_telemetry_model_rollups,
     .key = "bucket_start, granularity, model",
     .grain = "bucket_start, granularity",
     .stamps = "materialized_at",
     .rejected = sql_rejected_model_rollups,
     .indexes = CHIME_LIST(model_rollup_indexes),
     .comment = "Requests of each model by hour and by day (UTC)"},
    {.relation = "chat_telemetry_minute_rollups",
     .definition = sql_chat_telemetry_minute_rollups,
     .key = "bucket_start, domain",
     .grain = "bucket_start",
     .revisit = sql_revisit_minutes,
     .comment = "Requests of each minute of the last three hours: all, without a domain, and of each domain"},
};

static const struct chime_option hourly[] = {{"warn_after", "70min"}, {"error_after", "2h"}};
static const struct chime_option minutely[] = {{"target_lag", "5s"}, {"warn_after", "2min"}, {"error_after", "5min"}};

static const struct chime_job jobs[] = {
    {.name = "refresh-telemetry-summary-hourly",
     .schedule = "5 * * * *",
     .refresh = "chat_telemetry_domain_summary, chat_telemetry_model_summary",
     .options = CHIME_LIST(hourly)},
    {.name = "refresh-telemetry-rollups-hourly",
     .schedule = "5 * * * *",
     .refresh = "chat_telemetry_rollups, chat_telemetry_domain_rollups, chat_telemetry_model_rollups",
     .options = CHIME_LIST(hourly)},
    {.name = "refresh-telemetry-minutes",
     .schedule = "* * * * *",
     .refresh = "chat_telemetry_minute_rollups",
     .options = CHIME_LIST(minutely)},
};

static const struct chime_function functions[] = {
    {.signature = "telemetry_domains(text)", .definition = sql_telemetry_domains},
    {.signature = "telemetry_models(text)", .definition = sql_telemetry_models},
    {.signature = "telemetry_hours(timestamptz, text)", .definition = sql_telemetry_hours},
    {.signature = "telemetry_trend(timestamptz, text)", .definition = sql_telemetry_trend},
    {.signature = "refresh_telemetry_summary_views()", .definition = sql_refresh_telemetry_summary_views},
};

static const struct chime_tile tiles[] = {
    {.title = "Chat requests by hour",
     .query = "SELECT bucket_start, total_requests, total_cost_usd, avg_duration_ms FROM telemetry_trend()",
     .draw = "line",
     .bound = "500ms"},
    {.title = "A domain by hour",
     .query = "SELECT bucket_start, total_requests, total_cost_usd, avg_duration_ms"
              " FROM telemetry_trend(now() - interval '24 hours', $1)",
     .draw = "line",
     .choices =
         "SELECT domain, domain FROM chat_telemetry_domain_summary ORDER BY total_cost_usd_all_time DESC, domain",
     .bound = "500ms"},
    {.title = "Chat cost by domain",
     .query =
         "SELECT domain, total_cost_usd_all_time, cost_last_7d, success_rate_pct FROM telemetry_domains() LIMIT 20",
     .draw = "table",
     .bound = "500ms"},
    {.title = "Chat models",
     .query = "SELECT model, total_uses, cost_per_1k_tokens, avg_duration_ms, success_rate_pct FROM telemetry_models()",
     .draw = "table",
     .bound = "500ms"},
};

CHIME_PLUGIN(.name = "telemetry", .version = "1.0",
             .summary = "chat telemetry by domain and by model, and by hour and day", .sources = CHIME_LIST(sources),
             .views = CHIME_LIST(views), .jobs = CHIME_LIST(jobs), .functions = CHIME_LIST(functions),
             .tiles = CHIME_LIST(tiles))
