/* SPDX-License-Identifier: PostgreSQL */
#include <pgchime/plugin.h>

#include "action_analytics.sql.h"

/* One table, three grains: hours, triggers, single failures. Trusted: the series of hours begins and ends with the
 * table's rows, which no plan for one hour shows to be harmless; and failures could be proven by id, but then every
 * execution would be looked up. */
static const struct chime_source sources[] = {
    {.table = "action_results",
     .columns = "action_type, status, duration_ms, executed_at",
     .capture = "executed_at",
     .map = sql_hours_of_marks,
     .trust = "true",
     .views = "action_metrics_hourly"},
    {.table = "action_results",
     .columns = "trigger_id, status, duration_ms, executed_at",
     .views = "trigger_performance_summary"},
    {.table = "action_results",
     .columns = "id, trigger_id, action_type, status, duration_ms, error_message, response_data, executed_at",
     .capture = "id, status",
     .map = sql_failures_of_marks,
     .trust = "true",
     .views = "recent_failures"},
    {.table = "triggers", .columns = "id, name"},
};

/* Seed 003 wanted `recent` as an index of the last 30 days alone, which an index's condition cannot say. */
static const struct chime_index hourly_indexes[] = {
    {.name = "idx_action_metrics_hourly_hour", .columns = "hour DESC"},
    {.name = "idx_action_metrics_hourly_recent", .columns = "action_type, hour DESC"},
};

static const struct chime_index trigger_indexes[] = {
    {.name = "idx_trigger_performance_summary_success_rate", .columns = "success_rate"},
    {.name = "idx_trigger_performance_summary_avg_duration", .columns = "avg_duration_ms DESC"},
};

static const struct chime_index failure_indexes[] = {
    {.name = "idx_recent_failures_trigger_id", .columns = "trigger_id, executed_at DESC"},
    {.name = "idx_recent_failures_executed_at", .columns = "executed_at DESC"},
};

static const struct chime_index type_indexes[] = {
    {.name = "idx_action_type_distribution_executions", .columns = "total_executions DESC"},
};

static const struct chime_view views[] = {
    {.relation = "action_metrics_hourly",
     .definition = sql_action_metrics_hourly,
     .key = "hour, action_type, status",
     .key_index = "idx_action_metrics_hourly_unique",
     .grain = "hour",
     .rejected = sql_rejected_action_times,
     .indexes = CHIME_LIST(hourly_indexes),
     .comment = "Executions of each hour (UTC) by action type and status; durations in milliseconds"},
    {.relation = "trigger_performance_summary",
     .definition = sql_trigger_performance_summary,
     .key = "trigger_id",
     .key_index = "idx_trigger_performance_summary_unique",
     .grain = "trigger_id",
     .rejected = sql_rejected_action_triggers,
     .indexes = CHIME_LIST(trigger_indexes),
     .comment = "Executions of each trigger: success rate in percent, durations in milliseconds"},
    {.relation = "recent_failures",
     .definition = sql_recent_failures,
     .key = "id, executed_at",
     .key_index = "idx_recent_failures_unique",
     .grain = "id",
     .revisit = sql_revisit_failures,
     .indexes = CHIME_LIST(failure_indexes),
     .comment = "Actions that failed in the last 24 hours"},
    {.relation = "action_type_distribution",
     .definition = sql_action_type_distribution,
     .key = "action_type",
     .key_index = "idx_action_type_distribution_unique",
     .mode = "full",
     .indexes = CHIME_LIST(type_indexes),
     .comment = "Executions of each action type over the last 30 days, and its share in percent"},
};

static const struct chime_option fresh[] = {{"warn_after", "6min"}, {"error_after", "10min"}};

static const struct chime_job jobs[] = {
    {.name = "refresh-analytics",
     .schedule = "*/5 * * * *",
     .refresh = "action_metrics_hourly, trigger_performance_summary, recent_failures, action_type_distribution",
     .options = CHIME_LIST(fresh)},
};

static const struct chime_function functions[] = {
    {.signature = "action_metrics(timestamptz, text, integer)", .definition = sql_action_metrics},
    {.signature = "action_success_rates(timestamptz)", .definition = sql_action_success_rates},
    {.signature = "trigger_performance(bigint, integer)", .definition = sql_trigger_performance},
    {.signature = "action_failures(bigint, integer)", .definition = sql_action_failures},
    {.signature = "action_types()", .definition = sql_action_types},
    {.signature = "refresh_action_analytics()", .definition = sql_refresh_action_analytics},
    {.signature = "get_analytics_refresh_status()", .definition = sql_get_analytics_refresh_status},
    {.signature = "get_analytics_index_usage()", .definition = sql_get_analytics_index_usage},
};

static const struct chime_tile tiles[] = {
    {.title = "Actions of the last 24 hours",
     .query = "SELECT action_type, total_executions, success_rate, avg_duration_ms FROM action_success_rates()",
     .draw = "table",
     .bound = "500ms"},
    {.title = "Action types of the last 30 days",
     .query = "SELECT action_type, percentage FROM action_types()",
     .draw = "bars",
     .bound = "500ms"},
    {.title = "Failed actions of the last 24 hours",
     .query = "SELECT count(*) FROM recent_failures",
     .draw = "number",
     .bound = "500ms"},
    {.title = "Actions by hour",
     .query = "SELECT hour, sum(execution_count) AS executions, sum(total_duration_ms) / nullif(sum(duration_count), 0)"
              " AS avg_duration_ms FROM action_metrics_hourly WHERE hour > chime.as_of() - interval '24 hours'"
              " GROUP BY hour ORDER BY hour",
     .draw = "line",
     .bound = "500ms"},
    {.title = "Freshness of the views",
     .query =
         "SELECT view_name, row_count, size_bytes, age_minutes, staleness_status FROM get_analytics_refresh_status()",
     .draw = "table",
     .bound = "500ms"},
};

static const struct chime_alert alerts[] = {
    {.name = "action-analytics-stale",
     .condition = "SELECT staleness_status = 'STALE', view_name AS subject, age_minutes AS value,"
                  " format('refreshed %s min ago', age_minutes) AS summary FROM get_analytics_refresh_status()"
                  " WHERE age_minutes IS NOT NULL", /* plugin-failed and view-unfilled tell of one never filled */
     .severity = "warning"},
};

static const struct chime_setting settings[] = {
    {.name = "warning_after",
     .type = "duration",
     .value = "5min",
     .low = "1s",
     .high = "30d",
     .summary = "a view refreshed longer ago than this is WARNING"},
    {.name = "stale_after",
     .type = "duration",
     .value = "10min",
     .low = "1s",
     .high = "30d",
     .summary = "a view refreshed longer ago than this is STALE"},
};

CHIME_PLUGIN(.name = "action_analytics", .version = "1.0",
             .summary = "executions of triggered actions by hour, trigger and type, and recent failures",
             .sources = CHIME_LIST(sources), .views = CHIME_LIST(views), .jobs = CHIME_LIST(jobs),
             .functions = CHIME_LIST(functions), .tiles = CHIME_LIST(tiles), .alerts = CHIME_LIST(alerts),
             .settings = CHIME_LIST(settings))
