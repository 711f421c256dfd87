#include <pgchime/plugin.h>

#include "telemetry.sql.h"

static const struct chime_source sources[] = {
    {.table = "chat_telemetry",
     .columns = "domain, model, success, cost_usd, input_tokens, output_tokens, duration_ms, search_count, "
                "iteration_count, created_at",
     .capture = "domain, model"},
};

static const struct chime_index domain_indexes[] = {
    {.name = "idx_chat_telemetry_domain_summary_cost", .columns = "total_cost_usd_all_time DESC"},
    {.name = "idx_chat_telemetry_domain_summary_recent", .columns = "last_request_at DESC"},
};

static const struct chime_index model_indexes[] = {
    {.name = "idx_chat_telemetry_model_summary_cost", .columns = "total_cost DESC"},
    {.name = "idx_chat_telemetry_model_summary_performance", .columns = "avg_duration_ms, success_rate_pct DESC"},
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
};

static const struct chime_job jobs[] = {
    {.name = "refresh-telemetry-summary-hourly",
     .schedule = "5 * * * *",
     .refresh = "chat_telemetry_domain_summary, chat_telemetry_model_summary"},
};

static const struct chime_function functions[] = {
    {.signature = "telemetry_domains(text)", .definition = sql_telemetry_domains},
    {.signature = "telemetry_models(text)", .definition = sql_telemetry_models},
};

CHIME_PLUGIN(.name = "telemetry", .version = "1.0", .summary = "summaries of chat telemetry by domain and by model",
             .sources = CHIME_LIST(sources), .views = CHIME_LIST(views), .jobs = CHIME_LIST(jobs),
             .functions = CHIME_LIST(functions))
