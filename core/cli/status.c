/* SPDX-License-Identifier: PostgreSQL */
#include "base/memory.h"
#include "cli/commands.h"
#include "cli/due_jobs.h"
#include "cli/load.h"
#include "cli/problems.h"
#include "cli/visit.h"

static const struct output_column columns[] = {
    {"DATABASE", "database", OUTPUT_TEXT, OUTPUT_ALWAYS},
    {"REACHABLE", "reachable", OUTPUT_BOOLEAN, OUTPUT_ALWAYS},
    {"SCHEMA", "schema", OUTPUT_INTEGER, OUTPUT_ALWAYS},
    {"LEADER", "leader", OUTPUT_TEXT, OUTPUT_ALWAYS},
    {"SINCE", "leader_since", OUTPUT_INSTANT, OUTPUT_ALWAYS},
    {"EPOCH", "epoch", OUTPUT_INTEGER, OUTPUT_ALWAYS},
    {"SESSION", "leader_session", OUTPUT_BOOLEAN, OUTPUT_ALWAYS},
    {"HEARTBEAT", "heartbeat_age_ms", OUTPUT_DURATION, OUTPUT_ALWAYS},
    {"FOLLOWERS", "followers", OUTPUT_TEXT, OUTPUT_ALWAYS},
    {"TIMELINE", "timeline", OUTPUT_INTEGER, OUTPUT_WIDER},
    {"JOBS", "jobs", OUTPUT_INTEGER, OUTPUT_ALWAYS},
    {"ACTIVE", "active_jobs", OUTPUT_INTEGER, OUTPUT_ALWAYS},
    {"LIVE", "live_runs", OUTPUT_INTEGER, OUTPUT_ALWAYS},
    {"FAILING", "failing_jobs", OUTPUT_INTEGER, OUTPUT_ALWAYS},
    {"SUSPENDED", "suspended_jobs", OUTPUT_INTEGER, OUTPUT_ALWAYS},
    {"LATE", "late_jobs", OUTPUT_INTEGER, OUTPUT_ALWAYS},
    {"ASKED", "requests", OUTPUT_INTEGER, OUTPUT_ALWAYS},
    {"VIEWS", "views", OUTPUT_INTEGER, OUTPUT_ALWAYS},
    {"CLOCK", "database_now", OUTPUT_INSTANT, OUTPUT_WIDER},
    {"NEXT", "next_slot", OUTPUT_INSTANT, OUTPUT_ALWAYS},
    {"PROBLEM", "problem", OUTPUT_FINDING, OUTPUT_ALWAYS},
};
enum { COLUMN_DATABASE, COLUMN_REACHABLE, COLUMN_LATE = 15, COLUMN_NEXT = 19, COLUMN_PROBLEM };

/* A leader whose session is gone leads no more; who it was is still said. */
static const char status_sql[] =
    "SELECT $1::text, true, (SELECT max(number) FROM chime.migration), CASE WHEN l.token IS NOT NULL THEN l.instance "
    "END,"
    "       CASE WHEN l.token IS NOT NULL THEN l.since END, l.epoch, s.alive,"
    "       (extract(epoch FROM s.heartbeat_age) * 1000000)::bigint,"
    "       nullif(array_to_string(s.followers, ', '), ''), l.timeline,"
    "       (SELECT count(*) FROM chime.job WHERE removed_at IS NULL), (SELECT count(*) FROM chime.job WHERE active), "
    "(SELECT count(*) FROM "
    "chime.run),"
    "       (SELECT count(*) FROM chime.job_status WHERE active AND consecutive_failures > 0),"
    "       (SELECT count(*) FROM chime.job_status WHERE active AND suspended_at IS NOT NULL), NULL,"
    "       (SELECT count(*) FROM chime.request), (SELECT count(*) FROM chime.view), clock_timestamp()"
    "  FROM chime.leader l, chime.leader_status s";

/* What keeps jobs from running as they should though the database answers; each with the way out. */
static const char *const problem_queries[] = {
    LEADER_PROBLEMS_SQL,
    "SELECT w.message, w.way_out FROM " WATCH_PROBLEMS_SQL " w",
    "SELECT p.message, p.way_out FROM " PLUGIN_PROBLEMS_SQL " p",
    WRONG_PROBLEMS_SQL,
    VIEW_PROBLEMS_SQL,
    JOB_PROBLEMS_SQL,
    CURSOR_PROBLEMS_SQL,
    KEPT_PROBLEMS_SQL,
    LEDGER_PROBLEMS_SQL,
    ALERT_PROBLEMS_SQL,
};

static bool query_problems(struct visit *visit, struct pg_rows *rows, struct error *err)
{
    struct buffer sql = {0};
    for (size_t i = 0; i < sizeof(problem_queries) / sizeof(*problem_queries); i++) {
        buffer_printf(&sql, "%s%s", i > 0 ? " UNION ALL " : "", problem_queries[i]);
    }
    bool good = pg_client_query(visit->client, buffer_text(&sql), &visit->database->name, 1, rows, err);
    buffer_finish(&sql);
    return good;
}

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
    output_set_instant(list, COLUMN_NEXT, due.next);
    output_set_number(list, COLUMN_LATE, (int64_t)due.late);
    if (due_jobs_are_late(&due, &problem)) {
        add_problem(visit, text, problem.message, problem.hint);
    }
    due_jobs_finish(&due);
    return true;
}

static bool add_problems(struct visit *visit, struct output_list *list, int *status, struct error *err)
{
    struct pg_rows rows;
    struct buffer text = {0};
    if (!query_problems(visit, &rows, err)) {
        return false;
    }
    for (size_t i = 0; i < rows.count; i++) {
        add_problem(visit, &text, pg_rows_value(&rows, i, 0), pg_rows_value(&rows, i, 1));
    }
    pg_rows_finish(&rows);
    bool read = add_due_jobs(visit, list, &text, err);
    if (text.length > 0) {
        output_set(list, COLUMN_PROBLEM, buffer_text(&text));
        *status = EXIT_WARNINGS;
    }
    buffer_finish(&text);
    return read;
}

/* Whether its row is there already or not. */
static void add_failure(const struct visit *visit, struct output_list *list, size_t row, const struct error *err)
{
    if (output_rows(list) == row) {
        output_add_row(list);
    }
    output_set(list, COLUMN_DATABASE, visit->database->name);
    output_set_number(list, COLUMN_REACHABLE, visit->client != NULL && err->kind != ERROR_UNREACHABLE);
    output_set(list, COLUMN_PROBLEM, err->message);
}

static int add_database(struct output_list *list, const struct config_database *database, struct visited *visited)
{
    struct visit visit;
    struct error err;
    int status = EXIT_OK;
    size_t row = output_rows(list);
    if (!visit_open(&visit, database, &err) || !visit_list(&visit, list, status_sql, NULL, 0, &err) ||
        !visit_is_first(&visit, visited, &err) || !add_problems(&visit, list, &status, &err)) {
        add_failure(&visit, list, row, &err);
        error_prefix(&err, "database \"%s\"", database->name);
        status = fail(&err);
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
static int add_refusals(const struct invocation *invocation)
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
    struct output_list *list = output_create("databases", columns, COUNT_OF(columns));
    struct visited visited = {0};
    status = EXIT_OK;
    for (size_t i = 0; i < config->database_count; i++) {
        if (database_is_wanted(invocation, &config->databases[i])) {
            status = worse(status, add_database(list, &config->databases[i], &visited));
        }
    }
    visited_finish(&visited);
    status = worse(status, add_refusals(invocation));
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
