/* SPDX-License-Identifier: PostgreSQL */
#include "report/action_list.h"

#include "base/memory.h"

static const struct output_column columns[] = {
    {"ACTION", "action", OUTPUT_INTEGER, OUTPUT_ALWAYS},
    {"AT", "at", OUTPUT_INSTANT, OUTPUT_ALWAYS},
    {"BY", "actor", OUTPUT_TEXT, OUTPUT_ALWAYS},
    {"LOGIN", "login", OUTPUT_TEXT, OUTPUT_WIDER},
    {"VERB", "verb", OUTPUT_TEXT, OUTPUT_ALWAYS},
    {"ABOUT", "about", OUTPUT_TEXT, OUTPUT_ALWAYS},
    {"KIND", "kind", OUTPUT_TEXT, OUTPUT_WIDER},
    {"SLOT", "slot", OUTPUT_INSTANT, OUTPUT_WIDER},
    {"RUN", "run_id", OUTPUT_INTEGER, OUTPUT_ALWAYS},
    {"REASON", "reason", OUTPUT_LONG, OUTPUT_ALWAYS},
    {"REQUEST", "request_id", OUTPUT_INTEGER, OUTPUT_WIDER},
    {"OUTCOME", "outcome", OUTPUT_STATE, OUTPUT_ALWAYS},
    {"DATABASE", "database", OUTPUT_TEXT, OUTPUT_WIDER},
};
#define COLUMN_DATABASE (COUNT_OF(columns) - 1)

static const char actions_sql[] = "SELECT " ACTION_COLUMNS " FROM chime.action a"
                                  " WHERE a.at < coalesce($1::timestamptz, 'infinity') ORDER BY a.at DESC LIMIT 200";
static const char *const examples[][QUESTION_PARAMETERS_MAX] = {{"2026-01-01T00:00:00Z"}, {NULL}};
const struct report_statement actions_statement = {"actions", actions_sql, 1, examples};

struct output_list *action_list_create(void)
{
    return output_create("actions", columns, COUNT_OF(columns));
}

void action_list_ask(struct question *question, const char *until)
{
    *question = (struct question){.id = REPORT_ACTIONS, .parameters = {until}};
}

void action_list_take(struct output_list *list, const struct pg_rows *rows, const struct config_database *database)
{
    for (size_t row = 0; row < rows->count; row++) {
        output_take_row(list, rows, row);
        output_set(list, COLUMN_DATABASE, database->name);
    }
}
