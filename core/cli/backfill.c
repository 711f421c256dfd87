/* SPDX-License-Identifier: PostgreSQL */
/* `backfill`: groups of views computed again in bounded batches, whether or not a daemon runs. Slots of a job that
 * refreshes none are in backfill_slots.c. */
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/text.h"
#include "cli/backfill_slots.h"
#include "cli/backfill_targets.h"
#include "cli/commands.h"
#include "cli/load.h"
#include "cli/progress.h"

#define BATCH "1000"
#define BATCH_MAX 100000

static const struct output_column columns[] = {
    {"VIEW", "view", OUTPUT_TEXT, OUTPUT_ALWAYS},          {"DATABASE", "database", OUTPUT_TEXT, OUTPUT_ALWAYS},
    {"TOTAL", "total", OUTPUT_INTEGER, OUTPUT_ALWAYS},     {"DONE", "groups", OUTPUT_INTEGER, OUTPUT_ALWAYS},
    {"BATCHES", "batches", OUTPUT_INTEGER, OUTPUT_ALWAYS}, {"INSERTED", "inserted", OUTPUT_INTEGER, OUTPUT_ALWAYS},
    {"UPDATED", "updated", OUTPUT_INTEGER, OUTPUT_ALWAYS}, {"DELETED", "deleted", OUTPUT_INTEGER, OUTPUT_ALWAYS},
    {"RESUMED", "resumed", OUTPUT_BOOLEAN, OUTPUT_ALWAYS}, {"DURATION", "duration_ms", OUTPUT_DURATION, OUTPUT_ALWAYS},
};
enum { COLUMN_VIEW, COLUMN_DATABASE, COLUMN_TOTAL, COLUMN_DONE, COLUMN_BATCHES, COLUMN_RESUMED = 8, COLUMN_DURATION };

/* What chime.backfill_step answers. */
enum { STEP_TOTAL, STEP_GROUPS, STEP_BATCHES, STEP_STARTS = 6, STEP_FINISHED };

struct backfill {
    const struct invocation *invocation;
    const char *from; /* NULL: open */
    const char *to;
    char from_text[INSTANT_TEXT_SIZE];
    char to_text[INSTANT_TEXT_SIZE];
    const char *batch;
    instant deadline; /* by the boot clock */
    struct output_list *list;
};

/* One view of it. */
struct filling {
    struct backfill *backfill;
    struct visit visit;
    const char *view;
    const char *job_id; /* NULL */
};

static volatile sig_atomic_t interrupted;

/* --- the command line --------------------------------------------------------------------------------------------- */

static bool read_batch(struct backfill *backfill, struct error *err)
{
    const char *given = invocation_option(backfill->invocation, "batch");
    int64_t number;
    if (given != NULL && !parse_int64(given, 1, BATCH_MAX, &number)) {
        error_set(err, ERROR_USAGE, "--batch: \"%s\" is not a number of groups", given);
        return error_hint(err, "write one from 1 to %d", BATCH_MAX);
    }
    backfill->batch = given != NULL ? given : BATCH;
    return true;
}

static bool read_options(struct backfill *backfill, struct error *err)
{
    duration timeout = -1;
    if (!invocation_instant(backfill->invocation, "from", backfill->from_text, &backfill->from, err) ||
        !invocation_instant(backfill->invocation, "to", backfill->to_text, &backfill->to, err) ||
        !read_batch(backfill, err) || !invocation_duration(backfill->invocation, "timeout", &timeout, err)) {
        return false;
    }
    backfill->deadline = timeout >= 0 ? clock_boot() + timeout : INSTANT_NEVER;
    return true;
}

/* --- one view ----------------------------------------------------------------------------------------------------- */

static bool explain(struct error *err)
{
    if (strcmp(err->sqlstate, "CH008") == 0 || strcmp(err->sqlstate, "55P03") == 0) {
        err->kind = ERROR_REFUSED;
    }
    return false;
}

static int64_t number_at(const struct pg_rows *rows, size_t column)
{
    const char *text = pg_rows_value(rows, 0, column);
    return text != NULL ? strtoll(text, NULL, 10) : 0;
}

static void add_row(const struct filling *filling, bool resumed)
{
    struct output_list *list = filling->backfill->list;
    output_add_row(list);
    output_set(list, COLUMN_VIEW, filling->view);
    output_set(list, COLUMN_DATABASE, filling->visit.database->name);
    output_set_number(list, COLUMN_RESUMED, resumed);
}

static void set_result(const struct filling *filling, const struct pg_rows *step, instant began)
{
    struct output_list *list = filling->backfill->list;
    add_row(filling, number_at(step, STEP_STARTS) > 1);
    for (size_t i = STEP_TOTAL; i < STEP_STARTS; i++) {
        output_set(list, COLUMN_TOTAL + i, pg_rows_value(step, 0, i));
    }
    output_set_number(list, COLUMN_DURATION, clock_boot() - began);
}

/* A refresh of the view that takes its time, or collides: its end is waited for. */
static bool may_try_again(const struct error *err)
{
    return strcmp(err->sqlstate, "55P03") == 0 || strcmp(err->sqlstate, "40P01") == 0;
}

static bool step(const struct filling *filling, struct pg_rows *rows, bool *waited, struct error *err)
{
    static const char sql[] = "SELECT total, groups, batches, inserted, updated, deleted, starts, finished"
                              " FROM chime.backfill_step($1, $2)";
    const char *parameters[] = {filling->view, filling->backfill->batch};
    *waited = !pg_client_query(filling->visit.client, sql, parameters, COUNT_OF(parameters), rows, err);
    return !*waited || may_try_again(err) || explain(err);
}

static int stop_early(const struct filling *filling, int status)
{
    struct error err;
    error_set(&err, ERROR_FAILED, "the backfill of %s %s before its end", filling->view,
              status == EXIT_TIMEOUT ? "was out of time" : "was interrupted");
    error_hint(&err, "run the same command again: it goes on from there");
    fail(&err);
    return status;
}

#define GOES_ON (-1)

/* The exit status when this was the last step. */
static int verdict(const struct filling *filling, bool finished)
{
    if (finished) {
        return EXIT_OK;
    }
    if (interrupted) {
        return EXIT_INTERRUPTED;
    }
    return clock_boot() >= filling->backfill->deadline ? (int)EXIT_TIMEOUT : GOES_ON;
}

/* One step: what it says of the end, or the kind of its error. */
static int advance(const struct filling *filling, struct progress *progress, instant began, struct error *err)
{
    struct pg_rows rows = {0};
    bool waited;
    if (!step(filling, &rows, &waited, err)) {
        return (int)err->kind;
    }
    err->kind = ERROR_NONE;
    if (waited) {
        return verdict(filling, false);
    }
    bool finished = pg_rows_value(&rows, 0, STEP_FINISHED)[0] == 't';
    progress_show(progress, number_at(&rows, STEP_GROUPS), number_at(&rows, STEP_TOTAL));
    if (finished) {
        set_result(filling, &rows, began);
    }
    pg_rows_finish(&rows);
    return verdict(filling, finished);
}

static int fill(const struct filling *filling, struct error *err)
{
    struct progress progress = progress_begin(filling->backfill->invocation, filling->view, "groups");
    instant began = clock_boot();
    int status = GOES_ON;
    while (status == GOES_ON) {
        status = advance(filling, &progress, began, err);
    }
    progress_end(&progress);
    return status == EXIT_TIMEOUT || status == EXIT_INTERRUPTED ? stop_early(filling, status) : status;
}

static bool begin(const struct filling *filling, struct error *err)
{
    static const char sql[] = "SELECT total, groups, resumes FROM chime.begin_backfill($1, $2, $3, $4)";
    const char *parameters[] = {filling->view, filling->backfill->from, filling->backfill->to, filling->job_id};
    struct pg_rows rows;
    if (!pg_client_query(filling->visit.client, sql, parameters, COUNT_OF(parameters), &rows, err)) {
        return explain(err);
    }
    if (pg_rows_value(&rows, 0, 2)[0] == 't') {
        remark(filling->backfill->invocation, "%s: going on where an earlier backfill stopped, at %s of %s groups",
               filling->view, pg_rows_value(&rows, 0, 1), pg_rows_value(&rows, 0, 0));
    }
    pg_rows_finish(&rows);
    return true;
}

/* --dry-run */
static bool show_outlook(const struct filling *filling, struct error *err)
{
    static const char sql[] = "SELECT total, groups, resumes, running FROM chime.backfill_outlook($1, $2, $3)";
    const char *parameters[] = {filling->view, filling->backfill->from, filling->backfill->to};
    struct pg_rows rows;
    if (!pg_client_query(filling->visit.client, sql, parameters, COUNT_OF(parameters), &rows, err)) {
        return explain(err);
    }
    add_row(filling, pg_rows_value(&rows, 0, 2)[0] == 't');
    output_set(filling->backfill->list, COLUMN_TOTAL, pg_rows_value(&rows, 0, 0));
    output_set(filling->backfill->list, COLUMN_DONE, pg_rows_value(&rows, 0, 1));
    if (pg_rows_value(&rows, 0, 3) != NULL) {
        remark(filling->backfill->invocation, "%s: a backfill is under way, in the session with the pid %s",
               filling->view, pg_rows_value(&rows, 0, 3));
    }
    pg_rows_finish(&rows);
    return true;
}

static int fill_view(struct backfill *backfill, const struct config_database *database, const char *view,
                     const char *job_id)
{
    struct filling filling = {.backfill = backfill, .view = view, .job_id = job_id};
    struct error err = {.kind = ERROR_NONE};
    int status = EXIT_OK;
    if (visit_open(&filling.visit, database, &err)) {
        if (invocation_has(backfill->invocation, "dry-run")) {
            status = show_outlook(&filling, &err) ? EXIT_OK : (int)err.kind;
        } else {
            status = begin(&filling, &err) ? fill(&filling, &err) : (int)err.kind;
        }
    }
    if (err.kind != ERROR_NONE) {
        error_prefix(&err, "database \"%s\": view \"%s\"", database->name, view);
        status = fail(&err);
    }
    visit_close(&filling.visit);
    return status;
}

/* --- the command -------------------------------------------------------------------------------------------------- */

static void note_interrupt(int signal)
{
    (void)signal;
    interrupted = 1;
}

/* The batch under way is ended first; a second signal does not wait for it. */
static void watch_signals(void)
{
    struct sigaction action = {.sa_handler = note_interrupt, .sa_flags = SA_RESTART | (int)SA_RESETHAND};
    sigaction(SIGINT, &action, NULL);
    sigaction(SIGTERM, &action, NULL);
}

/* In the job's order, since one may read another. */
static int fill_targets(struct backfill *backfill, const struct backfill_targets *targets)
{
    int status = EXIT_OK;
    for (size_t i = 0; i < targets->rows.count && status == EXIT_OK; i++) {
        status = fill_view(backfill, targets->database, pg_rows_value(&targets->rows, i, TARGET_VIEW),
                           pg_rows_value(&targets->rows, i, TARGET_JOB_ID));
    }
    return status;
}

static int fill_slots(struct backfill *backfill, const struct backfill_targets *targets)
{
    const struct slot_filling filling = {.invocation = backfill->invocation,
                                         .database = targets->database,
                                         .job = targets->name,
                                         .job_id = pg_rows_value(&targets->rows, 0, TARGET_JOB_ID),
                                         .from = backfill->from,
                                         .to = backfill->to,
                                         .deadline = backfill->deadline,
                                         .interrupted = &interrupted};
    return backfill_slots(&filling);
}

static int refuse_slot_options(const struct backfill *backfill)
{
    const char *given = invocation_has(backfill->invocation, "only")     ? "only"
                        : invocation_has(backfill->invocation, "cancel") ? "cancel"
                                                                         : NULL;
    struct error err;
    if (given == NULL) {
        return EXIT_OK;
    }
    error_set(&err, ERROR_USAGE, "--%s is for jobs whose slots are done again: this is about views", given);
    error_hint(&err, "Ctrl-C ends the backfill of a view; the same command goes on with it");
    return fail(&err);
}

static int fill_targets_or_slots(struct backfill *backfill, const struct backfill_targets *targets)
{
    watch_signals();
    if (pg_rows_value(&targets->rows, 0, TARGET_VIEW) == NULL) {
        return fill_slots(backfill, targets);
    }
    int status = refuse_slot_options(backfill);
    return status == EXIT_OK ? fill_targets(backfill, targets) : status;
}

static int backfill_run(const struct invocation *invocation)
{
    struct backfill backfill = {.invocation = invocation};
    struct error err;
    if (!read_options(&backfill, &err)) {
        return fail(&err);
    }
    int status;
    struct config *config = load_config(invocation, &status);
    if (config == NULL) {
        return status;
    }
    struct backfill_targets targets = {.name = invocation->arguments[0]};
    backfill.list = output_create("backfills", columns, COUNT_OF(columns));
    status = backfill_targets_find(&targets, invocation, config);
    if (status == EXIT_OK) {
        status = fill_targets_or_slots(&backfill, &targets);
    }
    if (output_rows(backfill.list) > 0) {
        output_print(&backfill.list, 1, &invocation->style, stdout);
    }
    output_destroy(backfill.list);
    backfill_targets_finish(&targets);
    config_free(config);
    return status;
}

const struct command command_backfill = {
    .name = "backfill",
    .arguments = "JOB|VIEW",
    .least = 1,
    .most = 1,
    .summary = "does slots of a job again, or groups of a view in batches",
    .details =
        "Of a job with a command: each slot of its schedule in [--from, --to) becomes a run, with TRIGGER "
        "backfill, that\n"
        "the leader starts when nothing else is due. It goes on without this command; without --from an open one "
        "is followed.\n"
        "Exit status 1 when a slot failed.\n"
        "\n"
        "Of a view, or a job that refreshes views: all groups, or those whose hour, day or week lies in [--from, "
        "--to). Each\n"
        "batch is a transaction; a refresh of the view waits for one at most. To do it twice changes nothing. "
        "What was stopped\n"
        "or killed goes on with the same command. A finished one is a run of the view's job, with TRIGGER "
        "backfill.\n"
        "\n"
        "Exit status 6 while another backfill of the same is under way, 124 when --timeout has passed, 130 after "
        "Ctrl-C.",
    .options = {{"from", "INSTANT", "groups or slots from this time on, in UTC unless it has an offset"},
                {"to", "INSTANT", "groups or slots before this time"},
                {"only", "SORT", "of a job: missing (nothing ran), failed, or all slots (default: all)"},
                {"cancel", NULL, "of a job: end its backfill, and the run of it"},
                {"batch", "N", "groups of a transaction (default: " BATCH ")"},
                {"timeout", "DURATION", "stop after this long"},
                {"dry-run", NULL, "count, change nothing"}},
    .run = backfill_run,
};
