/* SPDX-License-Identifier: PostgreSQL */
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
    {"FRESH", "freshness", OUTPUT_STATE, OUTPUT_ALWAYS},
    {"BEHIND", "behind_ms", OUTPUT_DURATION, OUTPUT_ALWAYS},
    {"TARGET", "target_lag_ms", OUTPUT_DURATION, OUTPUT_ALWAYS},
    {"WARN", "warn_after_ms", OUTPUT_DURATION, OUTPUT_WIDER},
    {"ERROR", "error_after_ms", OUTPUT_DURATION, OUTPUT_WIDER},
    {"PENDING", "pending", OUTPUT_BOOLEAN, OUTPUT_WIDER},
    {"VERIFIED", "verified_at", OUTPUT_INSTANT, OUTPUT_WIDER},
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
    "       (extract(epoch FROM target_lag) * 1000000)::bigint, (extract(epoch FROM warn_after) * 1000000)::bigint,"
    "       (extract(epoch FROM error_after) * 1000000)::bigint, pending, verified_at, changed_at, duration_us,"
    "       inserted, updated, deleted, rejected, refreshes, bytes, reason, full_reason"
    "  FROM chime.view_status WHERE $2::boolean OR freshness <> 'fresh' ORDER BY relation, view_schema";

static bool add_views(struct visit *visit, void *list, struct error *err)
{
    static const char *const all[] = {"true"};
    return visit_list(visit, list, views_sql, all, COUNT_OF(all), err);
}

static bool add_stale_views(struct visit *visit, void *list, struct error *err)
{
    static const char *const stale[] = {"false"};
    return visit_list(visit, list, views_sql, stale, COUNT_OF(stale), err);
}

static int views_run(const struct invocation *invocation)
{
    struct output_list *list = output_create("views", columns, COUNT_OF(columns));
    bool stale = invocation_has(invocation, "stale");
    int status = visit_command(invocation, list, stale ? add_stale_views : add_views,
                               stale ? "no view is known or suspected to be late"
                                     : "no views: no plugin is installed yet");
    output_destroy(list);
    return status;
}

const struct command command_views = {
    .name = "views",
    .arguments = "",
    .summary = "all views with their last refresh, and how far they are behind",
    .details =
        "BEHIND: how long a committed change of what the view is made of has not been in it; where changes are not\n"
        "captured, no more than that. FRESH: fresh, warn or stale, by warn_after and error_after of the jobs that\n"
        "refresh it (TARGET is their target_lag), or unknown. The same while no daemon runs.",
    .options = {{"stale", NULL, "only views that are not known to be fresh"}},
    .run = views_run,
};
