/* SPDX-License-Identifier: PostgreSQL */
#include "report/view_list.h"

#include "base/memory.h"

static const struct output_column columns[] = {
    {"VIEW", "relation", OUTPUT_TEXT, OUTPUT_ALWAYS},
    {"DATABASE", "database", OUTPUT_TEXT, OUTPUT_ALWAYS},
    {"SCHEMA", "schema", OUTPUT_TEXT, OUTPUT_WIDER},
    {"PLUGIN", "plugin", OUTPUT_TEXT, OUTPUT_ALWAYS},
    {"PLUGIN STATE", "plugin_state", OUTPUT_STATE, OUTPUT_WIDER},
    {"MODE", "mode", OUTPUT_TEXT, OUTPUT_ALWAYS},
    {"METHOD", "method", OUTPUT_TEXT, OUTPUT_ALWAYS},
    {"GROUPS", "keys", OUTPUT_INTEGER, OUTPUT_ALWAYS},
    {"ROWS", "rows", OUTPUT_INTEGER, OUTPUT_ALWAYS},
    {"REFRESHED", "refreshed_at", OUTPUT_INSTANT, OUTPUT_WIDER},
    {"AGE", "age_ms", OUTPUT_DURATION, OUTPUT_ALWAYS},
    {"FRESH", "freshness", OUTPUT_STATE, OUTPUT_ALWAYS},
    {"BEHIND", "behind_ms", OUTPUT_DURATION, OUTPUT_ALWAYS},
    {"TARGET", "target_lag_ms", OUTPUT_DURATION, OUTPUT_ALWAYS},
    {"TARGET FROM", "target_lag_from", OUTPUT_TEXT, OUTPUT_WIDER},
    {"WARN", "warn_after_ms", OUTPUT_DURATION, OUTPUT_WIDER},
    {"ERROR", "error_after_ms", OUTPUT_DURATION, OUTPUT_WIDER},
    {"PENDING", "pending", OUTPUT_BOOLEAN, OUTPUT_WIDER},
    {"VERIFIED", "verified_at", OUTPUT_INSTANT, OUTPUT_WIDER},
    {"FROZEN BEFORE", "frozen_before", OUTPUT_INSTANT, OUTPUT_WIDER},
    {"LATE", "late", OUTPUT_INTEGER, OUTPUT_WIDER},
    {"CHANGED", "changed_at", OUTPUT_INSTANT, OUTPUT_WIDER},
    {"DURATION", "last_duration_ms", OUTPUT_DURATION, OUTPUT_ALWAYS},
    {"INSERTED", "inserted", OUTPUT_INTEGER, OUTPUT_ALWAYS},
    {"UPDATED", "updated", OUTPUT_INTEGER, OUTPUT_ALWAYS},
    {"DELETED", "deleted", OUTPUT_INTEGER, OUTPUT_ALWAYS},
    {"REJECTED", "rejected", OUTPUT_INTEGER, OUTPUT_ALWAYS},
    {"REFRESHES", "refreshes", OUTPUT_INTEGER, OUTPUT_ALWAYS},
    {"SIZE", "bytes", OUTPUT_BYTES, OUTPUT_ALWAYS},
    {"REASON", "reason", OUTPUT_LONG, OUTPUT_ALWAYS},
    {"WHY FULL", "full_reason", OUTPUT_LONG, OUTPUT_WIDER},
};

/* $2: also views that are fresh. */
static const char views_sql[] =
    "SELECT relation, $1::text, view_schema, plugin, plugin_state, mode, method, keys, rows, refreshed_at,"
    "       (extract(epoch FROM age) * 1000000)::bigint, freshness, (extract(epoch FROM behind) * 1000000)::bigint,"
    "       (extract(epoch FROM target_lag) * 1000000)::bigint, target_lag_from,"
    "       (extract(epoch FROM warn_after) * 1000000)::bigint, (extract(epoch FROM error_after) * 1000000)::bigint,"
    "       pending, verified_at, frozen_before, late, changed_at, duration_us,"
    "       inserted, updated, deleted, rejected, refreshes, bytes, reason, full_reason"
    "  FROM chime.view_status WHERE $2::boolean OR freshness <> 'fresh' ORDER BY relation, view_schema";

static const char *const examples[][QUESTION_PARAMETERS_MAX] = {{"main", "t"}, {"main", "f"}, {NULL}};
const struct report_statement views_statement = {"views", views_sql, 2, examples};

struct output_list *view_list_create(void)
{
    return output_create("views", columns, COUNT_OF(columns));
}

void view_list_ask(struct question *question, const struct config_database *database, bool stale)
{
    *question = (struct question){.id = REPORT_VIEWS, .parameters = {database->name, stale ? "f" : "t"}};
}
