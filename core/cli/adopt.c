/* SPDX-License-Identifier: PostgreSQL */
#include "cli/adopt.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

static const struct output_column columns[] = {
    {"ACTION", "action", OUTPUT_STATE, OUTPUT_ALWAYS}, {"KIND", "kind", OUTPUT_TEXT, OUTPUT_ALWAYS},
    {"OBJECT", "object", OUTPUT_TEXT, OUTPUT_ALWAYS},  {"OWNER", "owner", OUTPUT_TEXT, OUTPUT_ALWAYS},
    {"ROWS", "rows", OUTPUT_INTEGER, OUTPUT_ALWAYS},   {"SQL", "statement", OUTPUT_LONG, OUTPUT_ALWAYS},
    {"WHY", "reason", OUTPUT_LONG, OUTPUT_ALWAYS},
};
enum { COLUMN_ACTION, COLUMN_DIGEST = COUNT_OF(columns) };

/* --- the plugin as text ------------------------------------------------------------------------------------------- */

static json_t *text_or_null(const char *text)
{
    return text != NULL ? json_string(text) : json_null();
}

static json_t *names_json(const struct names *names)
{
    json_t *list = json_array();
    for (size_t i = 0; i < names->count; i++) {
        json_array_append_new(list, json_string(names->items[i]));
    }
    return list;
}

static json_t *indexes_json(const struct declared_view *view)
{
    json_t *list = json_array();
    for (size_t i = 0; i < view->index_count; i++) {
        const struct declared_index *index = &view->indexes[i];
        json_array_append_new(list, json_pack("{s:s, s:s, s:o}", "name", index->name, "columns", index->columns,
                                              "where", text_or_null(index->where)));
    }
    return list;
}

static json_t *view_json(const struct declared_view *view, const char *mode, const char *frozen)
{
    return json_pack("{s:s, s:s, s:o, s:s, s:o, s:s, s:o, s:o, s:o, s:o, s:o, s:o, s:o}", "relation", view->relation,
                     "definition", view->definition, "key", names_json(&view->key), "key_index", view->key_index,
                     "grain", names_json(&view->grain), "mode", mode, "stamps", names_json(&view->stamps), "revisit",
                     text_or_null(view->revisit), "rejected", text_or_null(view->rejected), "indexes",
                     indexes_json(view), "comment", text_or_null(view->comment), "timezone",
                     text_or_null(view->timezone), "frozen", text_or_null(frozen));
}

static json_t *plain_view_json(const struct declared_plain_view *view)
{
    return json_pack("{s:s, s:s, s:o}", "relation", view->relation, "definition", view->definition, "comment",
                     text_or_null(view->comment));
}

static json_t *settings_json(const struct catalog_plugin *plugin)
{
    json_t *object = json_object();
    for (size_t i = 0; i < plugin->setting_count; i++) {
        json_object_set_new(object, plugin->settings[i].name, json_string(plugin->settings[i].value));
    }
    return object;
}

char *adoption_text(const struct catalog_plugin *plugin)
{
    const struct declaration *declaration = plugin->declaration;
    json_t *views = json_array();
    json_t *plain_views = json_array();
    for (size_t i = 0; i < declaration->view_count; i++) {
        json_array_append_new(views, view_json(&declaration->views[i], plugin->modes[i], plugin->frozen[i]));
    }
    for (size_t i = 0; i < declaration->plain_view_count; i++) {
        json_array_append_new(plain_views, plain_view_json(&declaration->plain_views[i]));
    }
    json_t *object = json_pack("{s:s, s:s, s:s, s:s, s:s, s:o, s:o, s:o}", "name", declaration->name, "version",
                               declaration->version, "summary", declaration->summary, "view_schema",
                               plugin->view_schema, "source_schema", plugin->source_schema, "settings",
                               settings_json(plugin), "views", views, "plain_views", plain_views);
    char *text = json_dumps(object, JSON_COMPACT);
    json_decref(object);
    return text;
}

/* --- the plan ----------------------------------------------------------------------------------------------------- */

/* The last column is the whole plan's digest. */
#define PLAN_OF(lines)                                                                          \
    "WITH line AS MATERIALIZED (SELECT l FROM " lines " AS l)"                                  \
    " SELECT (l).action, (l).kind, (l).object, (l).owner, (l).rows, (l).statement, (l).reason," \
    "        (SELECT chime.plan_digest(array_agg(d.l)) FROM line d)"                            \
    "   FROM line ORDER BY (l).place, (l).object COLLATE \"C\", (l).statement COLLATE \"C\", (l).reason"

bool adoption_survey(struct visit *visit, const struct adoption *adoption, struct adoption_plan *plan,
                     struct error *err)
{
    static const char there[] = PLAN_OF("chime.adoption_lines($1)");
    static const char back[] = PLAN_OF("chime.rollback_lines($1)");
    *plan = (struct adoption_plan){0};
    if (!pg_client_query(visit->client, adoption->back ? back : there, &adoption->text, 1, &plan->rows, err)) {
        return false;
    }
    plan->count = plan->rows.count;
    for (size_t row = 0; row < plan->count; row++) {
        plan->blocks += strcmp(pg_rows_value(&plan->rows, row, COLUMN_ACTION), "block") == 0;
    }
    return true;
}

void adoption_plan_finish(struct adoption_plan *plan)
{
    pg_rows_finish(&plan->rows);
}

struct output_list *adoption_output(const struct adoption_plan *plan)
{
    struct output_list *output = output_create("objects", columns, COUNT_OF(columns));
    for (size_t row = 0; row < plan->count; row++) {
        output_add_row(output);
        for (size_t column = 0; column < COUNT_OF(columns); column++) {
            output_set(output, column, pg_rows_value(&plan->rows, row, column));
        }
    }
    return output;
}

/* --- doing it ----------------------------------------------------------------------------------------------------- */

/* What is not as it was shown, or stands in the way. */
static bool explain(struct error *err)
{
    if (strcmp(err->sqlstate, "CH009") == 0 || strcmp(err->sqlstate, "2BP01") == 0 ||
        strcmp(err->sqlstate, "55P03") == 0) {
        err->kind = ERROR_REFUSED;
    }
    return false;
}

bool adoption_perform(struct visit *visit, const struct adoption *adoption, const struct adoption_plan *plan,
                      struct pg_rows *done, struct error *err)
{
    static const char there[] = "SELECT relation, aside, rows FROM chime.adopt_relations($1, $2)";
    static const char back[] = "SELECT relation, aside, rows FROM chime.roll_adoption_back($1, $2)";
    const char *parameters[] = {adoption->text, pg_rows_value(&plan->rows, 0, COLUMN_DIGEST)};
    return pg_client_query(visit->client, adoption->back ? back : there, parameters, COUNT_OF(parameters), done, err) ||
           explain(err);
}
