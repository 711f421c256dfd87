/* SPDX-License-Identifier: PostgreSQL */
/* `verify`: whether views hold what their definitions say. */
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "cli/commands.h"
#include "cli/view_visit.h"

#define ATTEMPTS 10 /* each waits for the refresh that is under way */
#define SHOWN "10"  /* differing rows of a view */

static const struct output_column view_columns[] = {
    {"VIEW", "relation", OUTPUT_TEXT, OUTPUT_ALWAYS},
    {"DATABASE", "database", OUTPUT_TEXT, OUTPUT_ALWAYS},
    {"SCHEMA", "schema", OUTPUT_TEXT, OUTPUT_WIDER},
    {"STATE", "state", OUTPUT_STATE, OUTPUT_ALWAYS},
    {"ROWS", "rows", OUTPUT_INTEGER, OUTPUT_ALWAYS},
    {"MISSING", "missing", OUTPUT_INTEGER, OUTPUT_ALWAYS},
    {"SURPLUS", "surplus", OUTPUT_INTEGER, OUTPUT_ALWAYS},
    {"ROUNDED", "rounded", OUTPUT_INTEGER, OUTPUT_WIDER},
    {"FROZEN", "frozen", OUTPUT_INTEGER, OUTPUT_WIDER},
    {"METHOD", "method", OUTPUT_TEXT, OUTPUT_ALWAYS},
    {"REASON", "reason", OUTPUT_LONG, OUTPUT_WIDER},
    {"REPAIRED", "repaired", OUTPUT_BOOLEAN, OUTPUT_ALWAYS},
    {"DURATION", "duration_ms", OUTPUT_DURATION, OUTPUT_ALWAYS},
};
enum {
    COLUMN_RELATION,
    COLUMN_DATABASE,
    COLUMN_SCHEMA,
    COLUMN_STATE,
    COLUMN_ROWS,
    COLUMN_MISSING,
    COLUMN_SURPLUS,
    COLUMN_ROUNDED,
    COLUMN_FROZEN,
    COLUMN_METHOD,
    COLUMN_REASON,
    COLUMN_REPAIRED,
    COLUMN_DURATION,
};

static const struct output_column row_columns[] = {
    {"VIEW", "relation", OUTPUT_TEXT, OUTPUT_ALWAYS}, {"DATABASE", "database", OUTPUT_TEXT, OUTPUT_WIDER},
    {"SCHEMA", "schema", OUTPUT_TEXT, OUTPUT_WIDER},  {"SIDE", "side", OUTPUT_TEXT, OUTPUT_ALWAYS},
    {"KEY", NULL, OUTPUT_TEXT, OUTPUT_ALWAYS},        {"ROW", "row", OUTPUT_DATA, OUTPUT_ALWAYS},
};
enum { ROW_SIDE = COLUMN_SCHEMA + 1, ROW_KEY, ROW_LINE };

struct verification {
    struct output_list *views;
    struct output_list *rows; /* that differ */
    bool differs;
};

/* What one transaction found; all of it is to be finished. */
struct comparison {
    struct pg_rows refreshed;  /* method, reason */
    struct pg_rows difference; /* rows, missing, surplus, rounded */
    struct pg_rows lines;      /* side, key in words, line */
};

static void comparison_finish(struct comparison *found)
{
    pg_rows_finish(&found->refreshed);
    pg_rows_finish(&found->difference);
    pg_rows_finish(&found->lines);
    *found = (struct comparison){0};
}

static bool comparison_differs(const struct comparison *found)
{
    return strcmp(pg_rows_value(&found->difference, 0, 1), "0") != 0 ||
           strcmp(pg_rows_value(&found->difference, 0, 2), "0") != 0;
}

/* --- one transaction, which leaves nothing ------------------------------------------------------------------------ */

static bool take_apply_and_compare(struct view_visit *visit, struct comparison *found, struct error *err)
{
    static const char fix_time[] = "SELECT set_config('chime.as_of', now()::text, true)";
    static const char refresh[] = "SELECT method, reason FROM chime.refresh($1, p_watch => false)";
    static const char difference[] = "SELECT rows, missing, surplus, rounded, chime.frozen_rows(chime.find_view($1))"
                                     "  FROM chime.difference($1)";
    static const char differences[] =
        "SELECT d.side, (SELECT string_agg(k || ' = ' || coalesce(d.line ->> k, 'NULL'), ', ' ORDER BY u.n)"
        "                FROM unnest((chime.find_view($1)).key::text[]) WITH ORDINALITY AS u (k, n)), d.line"
        "  FROM chime.differences($1, $2) WITH ORDINALITY AS d (side, line, n) ORDER BY d.n";
    struct pg_client *client = visit->visit.client;
    const char *parameters[] = {visit->name, SHOWN};
    return pg_client_query(client, "BEGIN ISOLATION LEVEL REPEATABLE READ READ WRITE", NULL, 0, NULL, err) &&
           pg_client_query(client, fix_time, NULL, 0, NULL, err) &&
           pg_client_query(client, refresh, parameters, 1, &found->refreshed, err) &&
           pg_client_query(client, difference, parameters, 1, &found->difference, err) &&
           (!comparison_differs(found) ||
            pg_client_query(client, differences, parameters, COUNT_OF(parameters), &found->lines, err));
}

static bool compare_once(struct view_visit *visit, struct comparison *found, struct error *err)
{
    bool compared = take_apply_and_compare(visit, found, err);
    return pg_client_query(visit->visit.client, "ROLLBACK", NULL, 0, NULL, compared ? err : NULL) && compared;
}

/* Another refresh committed after this one's snapshot, or would have to wait for it while it waits for that one. */
static bool is_collision(const struct error *err)
{
    return strcmp(err->sqlstate, "40001") == 0 || strcmp(err->sqlstate, "40P01") == 0;
}

static bool compare(struct view_visit *visit, struct comparison *found, struct error *err)
{
    for (int attempt = 1; !compare_once(visit, found, err); attempt++) {
        comparison_finish(found);
        if (!is_collision(err)) {
            return false;
        }
        if (attempt == ATTEMPTS) {
            return error_hint(err, "it is refreshed all the time: suspend its job for the while, or try again");
        }
    }
    return true;
}

/* --- what is said, and mended ------------------------------------------------------------------------------------- */

/* Both lists begin with it. */
static void set_view(struct output_list *list, const struct view_visit *visit)
{
    output_add_row(list);
    output_set(list, COLUMN_RELATION, visit->relation);
    output_set(list, COLUMN_DATABASE, visit->visit.database->name);
    output_set(list, COLUMN_SCHEMA, visit->schema);
}

static void add_findings(struct verification *verification, const struct view_visit *visit,
                         const struct comparison *found, duration length)
{
    struct output_list *views = verification->views;
    set_view(views, visit);
    output_set(views, COLUMN_STATE, comparison_differs(found) ? "DIFFERS" : "OK");
    output_set(views, COLUMN_ROWS, pg_rows_value(&found->difference, 0, 0));
    output_set(views, COLUMN_MISSING, pg_rows_value(&found->difference, 0, 1));
    output_set(views, COLUMN_SURPLUS, pg_rows_value(&found->difference, 0, 2));
    output_set(views, COLUMN_ROUNDED, pg_rows_value(&found->difference, 0, 3));
    output_set(views, COLUMN_FROZEN, pg_rows_value(&found->difference, 0, 4));
    if (strcmp(pg_rows_value(&found->difference, 0, 4), "0") != 0) {
        remark(visit->invocation, "view \"%s\" has %s frozen rows, which were left out", visit->name,
               pg_rows_value(&found->difference, 0, 4));
    }
    output_set(views, COLUMN_METHOD, pg_rows_value(&found->refreshed, 0, 0));
    output_set(views, COLUMN_REASON, pg_rows_value(&found->refreshed, 0, 1));
    output_set_number(views, COLUMN_REPAIRED, false);
    output_set_number(views, COLUMN_DURATION, length);
    for (size_t row = 0; row < found->lines.count; row++) {
        set_view(verification->rows, visit);
        output_set(verification->rows, ROW_SIDE, pg_rows_value(&found->lines, row, 0));
        output_set(verification->rows, ROW_KEY, pg_rows_value(&found->lines, row, 1));
        output_set(verification->rows, ROW_LINE, pg_rows_value(&found->lines, row, 2));
    }
}

static bool repair(struct verification *verification, struct view_visit *visit, struct error *err)
{
    static const char sql[] = "SELECT inserted, updated, deleted FROM chime.refresh($1, true)";
    struct pg_rows rows;
    if (!pg_client_query(visit->visit.client, sql, &visit->name, 1, &rows, err)) {
        return error_prefix(err, "it was not repaired");
    }
    output_set_number(verification->views, COLUMN_REPAIRED, true);
    if (pg_rows_value(&rows, 0, 0) == NULL) { /* a materialized view */
        remark(visit->invocation, "view \"%s\" was repaired by a full refresh", visit->name);
    } else {
        remark(visit->invocation, "view \"%s\" was repaired by a full refresh: %s inserted, %s updated, %s deleted",
               visit->name, pg_rows_value(&rows, 0, 0), pg_rows_value(&rows, 0, 1), pg_rows_value(&rows, 0, 2));
    }
    pg_rows_finish(&rows);
    return true;
}

static bool verify_view(struct view_visit *visit, void *data, struct error *err)
{
    struct verification *verification = data;
    struct comparison found = {0};
    instant began = clock_boot();
    if (!compare(visit, &found, err)) {
        return false;
    }
    bool differs = comparison_differs(&found);
    add_findings(verification, visit, &found, clock_boot() - began);
    verification->differs |= differs;
    comparison_finish(&found);
    return !differs || !invocation_has(visit->invocation, "repair") || repair(verification, visit, err);
}

/* --- the command -------------------------------------------------------------------------------------------------- */

static void print_findings_of(const struct verification *verification, const struct invocation *invocation)
{
    struct output_list *const lists[] = {verification->views, verification->rows};
    bool both = output_rows(verification->rows) > 0 || !output_is_for_people(&invocation->style);
    output_print(lists, both ? 2 : 1, &invocation->style, stdout);
}

static int verify_run(const struct invocation *invocation)
{
    const char *name = invocation->argument_count > 0 ? invocation->arguments[0] : NULL;
    struct verification verification = {
        .views = output_create("views", view_columns, COUNT_OF(view_columns)),
        .rows = output_create("differences", row_columns, COUNT_OF(row_columns)),
    };
    int status = visit_views(invocation, name, verify_view, &verification);
    if (name == NULL || output_rows(verification.views) > 0) {
        print_findings_of(&verification, invocation);
    }
    if (name == NULL && output_rows(verification.views) == 0 && status == EXIT_OK) {
        remark(invocation, "no views: no plugin is installed yet");
    }
    output_destroy(verification.views);
    output_destroy(verification.rows);
    return verification.differs ? (int)EXIT_DIFFERS : status;
}

const struct command command_verify = {
    .name = "verify",
    .arguments = "[VIEW]",
    .most = 1,
    .summary = "compares views, once refreshed, with their definitions; exit 7 when one differs",
    .details =
        "Without VIEW: all. Each is refreshed and compared in one transaction, which is rolled back; other\n"
        "refreshes of the view wait meanwhile, as long as the definition takes. MISSING: rows that the\n"
        "definition has and the view lacks; SURPLUS: the other way round. The first ten are shown, whole with\n"
        "-o wide or json. ROUNDED: rows that differ in last digits of floats only, with which nothing is wrong.\n"
        "FROZEN: rows that are not compared, since no refresh changes them any more.\n"
        "METHOD full: the refresh did everything (-o wide says why), so a wrong row was made right before it was\n"
        "looked for. The exit status is 7 also after a repair: something was wrong.",
    .options = {{"repair", NULL, "refresh a view that differs in full, and keep that"}},
    .run = verify_run,
};
