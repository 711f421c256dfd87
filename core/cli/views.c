#include "base/memory.h"
#include "cli/commands.h"
#include "cli/visit.h"

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

static const char views_sql[] =
    "SELECT relation, $1::text, view_schema, plugin, plugin_state, mode, method, keys, rows, refreshed_at,"
    "       (extract(epoch FROM age) * 1000000)::bigint, changed_at, duration_us, inserted, updated, deleted, rejected,"
    "       refreshes, bytes, reason, full_reason"
    "  FROM chime.view_status ORDER BY relation, view_schema";

static bool add_views(struct visit *visit, void *list, struct error *err)
{
    return visit_list(visit, list, views_sql, NULL, 0, err);
}

static int views_run(const struct invocation *invocation)
{
    struct output_list *list = output_create("views", columns, COUNT_OF(columns));
    int status = visit_command(invocation, list, add_views, "no views: no plugin is installed yet");
    output_destroy(list);
    return status;
}

const struct command command_views = {
    .name = "views",
    .arguments = "",
    .summary = "all views with their last refresh",
    .run = views_run,
};
