/* SPDX-License-Identifier: PostgreSQL */
/* `refresh`: what a refresh job does, by hand and also while no daemon runs. */
#include "base/clock.h"
#include "base/memory.h"
#include "cli/commands.h"
#include "cli/view_visit.h"

static const struct output_column columns[] = {
    {"VIEW", "relation", OUTPUT_TEXT, OUTPUT_ALWAYS},
    {"DATABASE", "database", OUTPUT_TEXT, OUTPUT_ALWAYS},
    {"SCHEMA", "schema", OUTPUT_TEXT, OUTPUT_WIDER},
    {"METHOD", "method", OUTPUT_TEXT, OUTPUT_ALWAYS},
    {"GROUPS", "keys", OUTPUT_INTEGER, OUTPUT_ALWAYS},
    {"ROWS", "rows", OUTPUT_INTEGER, OUTPUT_ALWAYS},
    {"INSERTED", "inserted", OUTPUT_INTEGER, OUTPUT_ALWAYS},
    {"UPDATED", "updated", OUTPUT_INTEGER, OUTPUT_ALWAYS},
    {"DELETED", "deleted", OUTPUT_INTEGER, OUTPUT_ALWAYS},
    {"REJECTED", "rejected", OUTPUT_INTEGER, OUTPUT_ALWAYS},
    {"REASON", "reason", OUTPUT_LONG, OUTPUT_ALWAYS},
    {"DURATION", "duration_ms", OUTPUT_DURATION, OUTPUT_ALWAYS},
};
enum { COLUMN_DURATION = COUNT_OF(columns) - 1 };

static bool refresh_view(struct view_visit *visit, void *data, struct error *err)
{
    static const char sql[] =
        "SELECT $2::text, $1::text, $3::text, method, keys, rows, inserted, updated, deleted, rejected,"
        " reason FROM chime.refresh($4, $5)";
    struct output_list *list = data;
    const char *parameters[] = {visit->relation, visit->schema, visit->name,
                                invocation_has(visit->invocation, "full") ? "true" : "false"};
    instant began = clock_boot();
    if (!visit_list(&visit->visit, list, sql, parameters, COUNT_OF(parameters), err)) {
        return false;
    }
    output_set_number(list, COLUMN_DURATION, clock_boot() - began);
    return true;
}

static int refresh_run(const struct invocation *invocation)
{
    struct output_list *list = output_create("views", columns, COUNT_OF(columns));
    int status = visit_views(invocation, invocation->arguments[0], refresh_view, list);
    if (output_rows(list) > 0) {
        output_print(&list, 1, &invocation->style, stdout);
    }
    output_destroy(list);
    return status;
}

const struct command command_refresh = {
    .name = "refresh",
    .arguments = "VIEW",
    .least = 1,
    .most = 1,
    .summary = "refreshes a view now, whether or not a daemon runs",
    .details = "One transaction: readers see the old rows or the new ones. METHOD is keyed where only the groups that "
               "changed\n"
               "were looked at, else full, with its REASON. No run is recorded: for that, pgchime run JOB.",
    .options = {{"full", NULL, "do everything, whatever changed"}},
    .run = refresh_run,
};
