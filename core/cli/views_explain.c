/* SPDX-License-Identifier: PostgreSQL */
#include <stdio.h>
#include <string.h>

#include "cli/commands.h"
#include "cli/definition_file.h"
#include "cli/load.h"
#include "cli/output_print.h"
#include "cli/view_visit.h"

static const struct output_column columns[] = {{"", "line", OUTPUT_TEXT, OUTPUT_ALWAYS}};

static void print(const struct invocation *invocation, const char *title, const struct pg_rows *rows)
{
    struct output_list *list = output_create("lines", columns, COUNT_OF(columns));
    bool for_people = output_is_for_people(&invocation->style);
    if (for_people) {
        printf("%s\n", title);
    }
    for (size_t i = 0; i < rows->count; i++) {
        if (for_people) {
            printf("  %s\n", pg_rows_value(rows, i, 0));
        } else {
            output_add_row(list);
            output_set(list, 0, pg_rows_value(rows, i, 0));
        }
    }
    if (!for_people) {
        output_print(&list, 1, &invocation->style, stdout);
    }
    output_destroy(list);
}

/* --- a view that is there ----------------------------------------------------------------------------------------- */

static bool explain_there(struct view_visit *visit, void *data, struct error *err)
{
    struct pg_rows rows;
    (void)data;
    if (!pg_client_query(
            visit->visit.client,
            visit->owner == NULL
                ? "SELECT chime.explain_view(v) FROM chime.view v"
                  " WHERE v.view_schema OPERATOR(pg_catalog.=) $1 AND v.relation OPERATOR(pg_catalog.=) $2"
                : "SELECT chime.explain_role_view(v) FROM chime.role_view v"
                  " WHERE v.view_schema OPERATOR(pg_catalog.=) $1 AND v.relation OPERATOR(pg_catalog.=) $2",
            (const char *const[]){visit->schema, visit->relation}, 2, &rows, err)) {
        return false;
    }
    print(visit->invocation, visit->name, &rows);
    pg_rows_finish(&rows);
    return true;
}

/* --- a file ------------------------------------------------------------------------------------------------------- */

static int explain_in(const struct invocation *invocation, const struct config_database *database,
                      const struct declaration *declaration)
{
    struct visit visit;
    struct pg_rows rows;
    struct error err;
    int status = EXIT_OK;
    if (visit_open(&visit, database, &err) && definition_explain(&visit, declaration, NULL, &rows, &err)) {
        print(invocation, declaration->file, &rows);
        pg_rows_finish(&rows);
    } else {
        view_lock_hint(&err);
        error_prefix(&err, "%s", declaration->file);
        status = fail(&err);
    }
    visit_close(&visit);
    return status;
}

static int explain_file(const struct invocation *invocation, const char *path)
{
    int status;
    struct error err;
    struct config *config = load_config(invocation, &status);
    if (config == NULL) {
        return status;
    }
    const struct config_database *database = database_for_jobs(invocation, config, &err);
    struct declaration *declaration = database != NULL ? definition_file_read(path, &err) : NULL;
    status = declaration != NULL ? explain_in(invocation, database, declaration) : fail(&err);
    declaration_destroy(declaration);
    config_free(config);
    return status;
}

static int views_explain_run(const struct invocation *invocation)
{
    const char *name = invocation->arguments[0];
    size_t length = strlen(name);
    bool is_file = strchr(name, '/') != NULL || (length > 4 && strcmp(name + length - 4, ".sql") == 0);
    return is_file ? explain_file(invocation, name) : visit_view_of_anyone(invocation, name, explain_there, NULL);
}

const struct command command_views_explain = {
    .name = "views explain",
    .arguments = "VIEW|FILE",
    .least = 1,
    .most = 1,
    .summary = "by what a view is keyed and what its writers pay, or why it is full and which index would change that",
    .details =
        "FILE is a view as SQL, NAME.sql, wherever it is: it is told before anything is installed, and nothing of it\n"
        "stays in the database. Measured times are told of a view that has been refreshed; else what PostgreSQL "
        "expects.",
    .run = views_explain_run,
};
