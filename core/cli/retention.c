/* SPDX-License-Identifier: PostgreSQL */
/* `retention confirm` and `retention restore`: a person's part in what plugin retention does. Needs no daemon. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/load.h"
#include "cli/visit.h"

static const struct output_column columns[] = {
    {"OBJECT", "object", OUTPUT_TEXT, OUTPUT_ALWAYS},    {"DATABASE", "database", OUTPUT_TEXT, OUTPUT_ALWAYS},
    {"ROWS", "rows", OUTPUT_INTEGER, OUTPUT_ALWAYS},     {"OLDEST", "oldest", OUTPUT_INSTANT, OUTPUT_ALWAYS},
    {"NEWEST", "newest", OUTPUT_INSTANT, OUTPUT_ALWAYS}, {"OBSTACLE", "obstacle", OUTPUT_LONG, OUTPUT_ALWAYS},
};
enum { COLUMN_ROWS = 2, COLUMN_OBSTACLE = 5 };

/* The database that has the plugin. */
struct retention {
    const struct invocation *invocation;
    const struct config_database *database; /* the last that has it */
    char *schema;                           /* of its functions, quoted */
    size_t found;
};

static volatile sig_atomic_t interrupted;

/* --- where it is -------------------------------------------------------------------------------------------------- */

static bool search_database(struct visit *visit, void *data, struct error *err)
{
    static const char sql[] =
        "SELECT format('%I', p.view_schema) FROM chime.plugin p WHERE p.name = 'retention' AND p.state = 'installed'";
    struct retention *retention = data;
    struct pg_rows rows;
    if (!pg_client_query(visit->client, sql, NULL, 0, &rows, err)) {
        return false;
    }
    if (rows.count > 0) {
        free(retention->schema);
        retention->schema = xstrdup(pg_rows_value(&rows, 0, 0));
        retention->database = visit->database;
        retention->found++;
    }
    pg_rows_finish(&rows);
    return true;
}

static int refuse_place(const struct retention *retention)
{
    struct error err;
    if (retention->found > 1) {
        error_set(&err, ERROR_USAGE, "more than one database has plugin \"retention\"");
        error_hint(&err, "choose one with --database NAME");
    } else {
        error_set(&err, ERROR_NOT_FOUND, "no database has plugin \"retention\"");
        error_hint(&err, "pgchime plugins lists those that are there");
    }
    return fail(&err);
}

typedef bool retention_function(const struct retention *retention, struct visit *visit, struct error *err);

static int run_there(const struct retention *retention, retention_function *function)
{
    struct visit visit;
    struct error err;
    int status = EXIT_OK;
    if (!visit_open(&visit, retention->database, &err) || !function(retention, &visit, &err)) {
        error_prefix(&err, "database \"%s\"", retention->database->name);
        status = fail(&err);
    }
    visit_close(&visit);
    return interrupted && status != EXIT_OK ? EXIT_INTERRUPTED : status;
}

static int find_and_run(const struct invocation *invocation, retention_function *function)
{
    struct retention retention = {.invocation = invocation};
    int status;
    struct config *config = load_config(invocation, &status);
    if (config == NULL) {
        return status;
    }
    status = visit_all(invocation, config, search_database, &retention);
    if (status == EXIT_OK) {
        status = retention.found == 1 ? run_there(&retention, function) : refuse_place(&retention);
    }
    free(retention.schema);
    config_free(config);
    return status;
}

/* `call`: a function of the plugin, with its arguments. */
static bool query(const struct retention *retention, struct visit *visit, const char *select, const char *call,
                  const char *const *parameters, size_t count, struct pg_rows *rows, struct error *err)
{
    char *sql = xasprintf("SELECT %s FROM %s.%s", select, retention->schema, call);
    bool done = pg_client_query(visit->client, sql, parameters, count, rows, err);
    free(sql);
    return done;
}

/* --- confirm ------------------------------------------------------------------------------------------------------ */

static bool confirm(const struct retention *retention, struct visit *visit, struct error *err)
{
    struct pg_rows rows;
    if (!query(retention, visit, "date_trunc('second', at)", "retention_confirm() AS at", NULL, 0, &rows, err)) {
        return false;
    }
    remark(retention->invocation, "the clock of database \"%s\" is right, it says %s: the next run goes by it",
           retention->database->name, pg_rows_value(&rows, 0, 0));
    pg_rows_finish(&rows);
    return true;
}

static int confirm_run(const struct invocation *invocation)
{
    return find_and_run(invocation, confirm);
}

/* --- restore ------------------------------------------------------------------------------------------------------ */

struct range {
    const char *table;
    const char *from; /* NULL: open */
    const char *to;
    char from_text[INSTANT_TEXT_SIZE];
    char to_text[INSTANT_TEXT_SIZE];
};
#define RANGE_SQL "($1, $2, $3)"

static bool read_range(const struct invocation *invocation, struct range *range, struct error *err)
{
    range->table = invocation->arguments[0];
    return invocation_instant(invocation, "from", range->from_text, &range->from, err) &&
           invocation_instant(invocation, "to", range->to_text, &range->to, err);
}

/* What is there to come back, and where it is. */
static bool list_range(const struct retention *retention, struct visit *visit, const struct range *range,
                       struct pg_rows *rows, struct error *err)
{
    const char *parameters[] = {range->table, range->from, range->to};
    return query(retention, visit, "object, rows, oldest, newest, obstacle", "retention_restorable" RANGE_SQL,
                 parameters, COUNT_OF(parameters), rows, err);
}

static bool refuse_obstacle(const struct pg_rows *rows, struct error *err)
{
    for (size_t i = 0; i < rows->count; i++) {
        const char *obstacle = pg_rows_value(rows, i, COLUMN_OBSTACLE - 1);
        const char *count = pg_rows_value(rows, i, 1);
        if (obstacle != NULL && (count == NULL || strcmp(count, "0") != 0)) {
            return error_set(err, ERROR_REFUSED, "%s: %s", pg_rows_value(rows, i, 0), obstacle);
        }
    }
    return true;
}

/* One turn, tried again while others hold what it needs. */
static bool take_turn(const struct retention *retention, struct visit *visit, const struct range *range,
                      struct pg_rows *rows, struct error *err)
{
    const char *parameters[] = {range->table, range->from, range->to};
    while (!query(retention, visit, "object, rows", "retention_restore" RANGE_SQL, parameters, COUNT_OF(parameters),
                  rows, err)) {
        if ((strcmp(err->sqlstate, "55P03") != 0 && strcmp(err->sqlstate, "40P01") != 0) || interrupted) {
            err->kind = strcmp(err->sqlstate, "55000") == 0 ? ERROR_REFUSED : err->kind;
            return false;
        }
    }
    return true;
}

static void add_turn(const struct pg_rows *places, int64_t *counts, const struct pg_rows *turn)
{
    for (size_t i = 0; i < places->count; i++) {
        if (strcmp(pg_rows_value(places, i, 0), pg_rows_value(turn, 0, 0)) == 0) {
            counts[i] += strtoll(pg_rows_value(turn, 0, 1), NULL, 10);
        }
    }
}

/* Turn by turn, each a transaction: what was stopped goes on with the same command. */
static bool restore_all(const struct retention *retention, struct visit *visit, const struct range *range,
                        const struct pg_rows *places, int64_t *counts, struct error *err)
{
    bool goes_on = true;
    while (goes_on && !interrupted) {
        struct pg_rows turn = {0};
        if (!take_turn(retention, visit, range, &turn, err)) {
            return false;
        }
        goes_on = pg_rows_value(&turn, 0, 0) != NULL;
        if (goes_on) {
            add_turn(places, counts, &turn);
        }
        pg_rows_finish(&turn);
    }
    if (goes_on) {
        error_set(err, ERROR_FAILED, "interrupted before its end");
        return error_hint(err, "run the same command again: it goes on from there");
    }
    return true;
}

static void print(const struct retention *retention, const struct pg_rows *places, const int64_t *counts)
{
    struct output_list *list = output_create("restored", columns, COUNT_OF(columns));
    for (size_t i = 0; i < places->count; i++) {
        output_add_row(list);
        output_set(list, 0, pg_rows_value(places, i, 0));
        output_set(list, 1, retention->database->name);
        for (size_t column = COLUMN_ROWS; column <= COLUMN_OBSTACLE; column++) {
            output_set(list, column, pg_rows_value(places, i, column - 1));
        }
        if (counts != NULL) {
            output_set_number(list, COLUMN_ROWS, counts[i]);
        }
    }
    output_print(&list, 1, &retention->invocation->style, stdout);
    output_destroy(list);
}

static bool restore(const struct retention *retention, struct visit *visit, struct error *err)
{
    struct range range = {0};
    struct pg_rows places;
    if (!read_range(retention->invocation, &range, err) || !list_range(retention, visit, &range, &places, err)) {
        return false;
    }
    bool restored = true;
    if (invocation_has(retention->invocation, "dry-run")) {
        print(retention, &places, NULL);
    } else {
        int64_t *counts = xcalloc(places.count + 1, sizeof(*counts));
        restored = refuse_obstacle(&places, err) && restore_all(retention, visit, &range, &places, counts, err);
        print(retention, &places, counts);
        free(counts);
    }
    pg_rows_finish(&places);
    return restored;
}

static void note_interrupt(int signal)
{
    (void)signal;
    interrupted = 1;
}

static int restore_run(const struct invocation *invocation)
{
    /* The turn under way is ended first; a second signal does not wait for it. */
    struct sigaction action = {.sa_handler = note_interrupt, .sa_flags = SA_RESTART | (int)SA_RESETHAND};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
    return find_and_run(invocation, restore);
}

const struct command command_retention_confirm = {
    .name = "retention confirm",
    .arguments = "",
    .least = 0,
    .most = 0,
    .summary = "says that the clock of the database is right, after a pause or a step",
    .details =
        "Plugin retention takes no row away while the clock is more than 8 days beyond its last run: a clock that was\n"
        "stepped would make rows old that are not. Look at the clock (SELECT now()), then confirm it.",
    .run = confirm_run,
};

const struct command command_retention_restore = {
    .name = "retention restore",
    .arguments = "TABLE",
    .least = 1,
    .most = 1,
    .summary = "puts rows that plugin retention moved back into their table",
    .details = "Rows whose age counts from [--from, --to) come from the cold table in batches, each a transaction, "
               "with their exact\n"
               "values or not at all; partitions that were detached come whole, where their range meets that. What was "
               "stopped\n"
               "goes on with the same command. Exit status 6 where something hinders it: enforcement, which would move "
               "them again.",
    .options = {{"from", "INSTANT", "rows from this time on, in UTC unless it has an offset"},
                {"to", "INSTANT", "rows before this time"},
                {"dry-run", NULL, "count the rows, change nothing"}},
    .run = restore_run,
};
