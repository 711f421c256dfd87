/* SPDX-License-Identifier: PostgreSQL */
#include "cli/commands.h"
#include "cli/ledger_lists.h"
#include "cli/load.h"
#include "report/database_list.h"

static void add_problem(const struct visit *visit, struct buffer *text, const char *message, const char *way_out)
{
    struct error problem;
    buffer_printf(text, "%s%s", text->length > 0 ? "; " : "", message);
    error_set(&problem, ERROR_FAILED, "database \"%s\": %s", visit->database->name, message);
    error_hint(&problem, "%s", way_out);
    fail(&problem);
}

/* The next slot, and how many are late. */
static bool add_due_jobs(struct visit *visit, struct output_list *list, struct buffer *text, struct error *err)
{
    struct due_jobs due;
    struct error problem;
    if (!due_jobs_read(visit, &due, err)) {
        return false;
    }
    database_list_set_due(list, &due);
    if (due_jobs_are_late(&due, &problem)) {
        add_problem(visit, text, problem.message, problem.hint);
    }
    due_jobs_finish(&due);
    return true;
}

static bool add_answers(struct visit *visit, const struct question *question, struct buffer *text, struct error *err)
{
    struct pg_rows rows;
    if (!visit_ask(visit, question, &rows, err)) {
        return false;
    }
    for (size_t i = 0; i < rows.count; i++) {
        add_problem(visit, text, pg_rows_value(&rows, i, 0), pg_rows_value(&rows, i, 1));
    }
    pg_rows_finish(&rows);
    return true;
}

static bool add_problems(struct visit *visit, struct output_list *list, int *status, struct error *err)
{
    struct question of_database;
    struct question of_jobs;
    struct buffer text = {0};
    database_problems_ask(&of_database, visit->database);
    job_problems_ask(&of_jobs);
    bool read = add_answers(visit, &of_database, &text, err) && add_answers(visit, &of_jobs, &text, err) &&
                add_due_jobs(visit, list, &text, err);
    if (text.length > 0) {
        database_list_set_problem(list, buffer_text(&text));
        *status = EXIT_WARNINGS;
    }
    buffer_finish(&text);
    return read;
}

/* Whether its row is there already or not. */
static void add_failure(const struct visit *visit, struct output_list *list, size_t row, const struct error *err)
{
    if (output_rows(list) == row) {
        database_list_take_unknown(list, visit->database);
    }
    database_list_set_reachable(list, visit->client != NULL && err->kind != ERROR_UNREACHABLE);
    database_list_set_problem(list, err->message);
}

static bool add_leader(struct visit *visit, struct output_list *list, struct error *err)
{
    struct question question;
    struct pg_rows rows;
    database_list_ask(&question, visit->database);
    if (!visit_ask(visit, &question, &rows, err)) {
        return false;
    }
    database_list_take(list, &rows);
    pg_rows_finish(&rows);
    return true;
}

static int add_database(const struct invocation *invocation, struct output_list *list,
                        const struct config_database *database, struct visited *visited)
{
    struct visit visit;
    struct error err;
    int status = EXIT_OK;
    size_t row = output_rows(list);
    if (!visit_open(&visit, database, &err) || !add_leader(&visit, list, &err) ||
        !visit_is_first(&visit, visited, &err) || !add_problems(&visit, list, &status, &err)) {
        add_failure(&visit, list, row, &err);
        error_prefix(&err, "database \"%s\"", database->name);
        status = fail(&err);
    } else {
        visit_remark_standby(invocation, &visit);
    }
    visit_close(&visit);
    return status;
}

/* The first failure; a warning only where there is none. */
static int worse(int status, int found)
{
    return status == EXIT_OK || (status == EXIT_WARNINGS && found != EXIT_OK) ? found : status;
}

/* A plugin that is refused never reaches a database. */
static int add_refused(const struct invocation *invocation)
{
    struct loaded loaded;
    load_all(invocation, &loaded);
    print_findings(&loaded.report);
    int status = loaded.report.count > 0 ? (int)ERROR_CONFIG : EXIT_OK;
    loaded_finish(&loaded);
    return status;
}

static int status_run(const struct invocation *invocation)
{
    int status;
    struct config *config = load_config(invocation, &status);
    if (config == NULL) {
        return status;
    }
    struct output_list *list = database_list_create();
    struct visited visited = {0};
    status = EXIT_OK;
    for (size_t i = 0; i < config->database_count; i++) {
        if (database_is_wanted(invocation, &config->databases[i])) {
            status = worse(status, add_database(invocation, list, &config->databases[i], &visited));
        }
    }
    visited_finish(&visited);
    status = worse(status, add_refused(invocation));
    output_set_vertical(list);
    output_print(&list, 1, &invocation->style, stdout);
    if (config->database_count == 0) {
        remark(invocation, "no database is configured in %s", config->file);
    }
    output_destroy(list);
    config_free(config);
    return status;
}

const struct command command_status = {
    .name = "status",
    .arguments = "",
    .summary = "each database: who leads, and what is due, live or failing",
    .details =
        "Exit status 4 when a database cannot be reached, 3 when a plugin or the configuration is refused, 8 "
        "when nobody\n"
        "leads; when a job fails, is late, suspended itself or cannot be run; when events are not heard, a plugin "
        "failed in\n"
        "its database, a view is late by its warn_after or error_after, was never filled, was found wrong or could not "
        "be\n"
        "verified; when the history lacks partitions, or a job waits for where the clock was; and when an alert fires "
        "that\nnobody silenced.",
    .run = status_run,
};
