/* SPDX-License-Identifier: PostgreSQL */
#include "cli/backfill_slots.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/shell.h"
#include "cli/commands.h"
#include "cli/job_visit.h"
#include "cli/progress.h"
#include "ledger/columns.h"
#include "model/slot_parameters.h"
#include "report/next_list.h"

#define PAUSE (500 * USEC_PER_MSEC)
#define WANTED_AT_ONCE 1000

static const struct output_column columns[] = {
    {"JOB", "job", OUTPUT_TEXT, OUTPUT_ALWAYS},      {"DATABASE", "database", OUTPUT_TEXT, OUTPUT_ALWAYS},
    {"STATE", "state", OUTPUT_TEXT, OUTPUT_ALWAYS},  {"SLOTS", "slots", OUTPUT_INTEGER, OUTPUT_ALWAYS},
    {"DONE", "done", OUTPUT_INTEGER, OUTPUT_ALWAYS}, {"FAILED", "failed", OUTPUT_INTEGER, OUTPUT_ALWAYS},
    {"LEFT", "left", OUTPUT_INTEGER, OUTPUT_ALWAYS}, {"PASSED", "passed", OUTPUT_INTEGER, OUTPUT_ALWAYS},
};
enum {
    COLUMN_JOB,
    COLUMN_DATABASE,
    COLUMN_STATE,
    COLUMN_SLOTS,
    COLUMN_DONE,
    COLUMN_FAILED,
    COLUMN_LEFT,
    COLUMN_PASSED
};

/* What the ledger says of the last backfill of the job. */
struct standing {
    char state[16];
    int64_t asked;
    int64_t done;
    int64_t failed;
    int64_t passed;
};

/* --- what it is about --------------------------------------------------------------------------------------------- */

struct range {
    struct zones *zones;
    struct schedule schedule;
    instant from;
    instant to;
    int64_t total; /* slots in [from, to) */
};

static bool take_schedule(struct range *range, const struct slot_filling *filling, const struct pg_rows *rows,
                          instant *now, struct error *err)
{
    static const struct next_question asked = {.count = 1};
    for (size_t row = 0; row < rows->count; row++) {
        struct next_job of;
        if (!next_of_job_take(&of, rows, row, &asked, filling->database, range->zones, err)) {
            return false;
        }
        next_slots_finish(&of.slots);
        if (of.active) {
            range->schedule = of.schedule;
            return instant_parse(of.calendar.database_now, now, err);
        }
    }
    error_set(err, ERROR_REFUSED, "job \"%s\" is inactive", filling->job);
    return error_hint(err, "it left the configuration or has enabled = false there: change that, then pgchime reload");
}

static bool find_schedule(struct range *range, const struct slot_filling *filling, struct visit *visit, instant *now,
                          struct error *err)
{
    struct question question;
    struct pg_rows rows;
    next_of_job_ask(&question, filling->job);
    if (!visit_ask(visit, &question, &rows, err)) {
        return false;
    }
    bool found = take_schedule(range, filling, &rows, now, err);
    pg_rows_finish(&rows);
    return found;
}

static bool count_slots(struct range *range, const struct slot_filling *filling, struct error *err)
{
    instant last;
    if (!slot_timeline_known(&range->schedule)) {
        error_set(err, ERROR_REFUSED, "job \"%s\" has no slots that are known beforehand", filling->job);
        return error_hint(err, "a backfill needs a schedule of fields, of \"N seconds\" or of @every; pgchime run runs "
                               "the job once");
    }
    range->total = schedule_count(&range->schedule, range->from - 1, range->to - 1, INT64_MAX, &last);
    if (range->total == 0) {
        char *job = shell_word(filling->job);
        error_set(err, ERROR_NOT_FOUND, "job \"%s\" has no slot in that time", filling->job);
        error_hint(err, "pgchime next %s --at %s shows its slots from then on", job, filling->from);
        free(job);
        return false;
    }
    return true;
}

static bool read_range(struct range *range, const struct slot_filling *filling, struct visit *visit, struct error *err)
{
    instant now;
    if (!find_schedule(range, filling, visit, &now, err) || !instant_parse(filling->from, &range->from, err) ||
        (filling->to != NULL && !instant_parse(filling->to, &range->to, err))) {
        return false;
    }
    range->to = filling->to != NULL ? range->to : now;
    if (range->to > now || range->from >= range->to) {
        error_set(err, ERROR_USAGE,
                  "a backfill is of slots in the past: --from is before --to, and --to is not to come");
        return error_hint(err, "slots to come are the schedule's; without --to it ends now");
    }
    return count_slots(range, filling, err);
}

/* --- --dry-run ---------------------------------------------------------------------------------------------------- */

static const char *only_of(const struct slot_filling *filling)
{
    const char *only = invocation_option(filling->invocation, "only");
    return only != NULL ? only : "all";
}

static bool count_part(const struct slot_filling *filling, struct visit *visit, struct columns *slots, int64_t *wanted,
                       struct error *err)
{
    static const char sql[] = "SELECT count(*) FROM unnest($1::timestamptz[]) AS s"
                              " WHERE chime.backfill_wants($2, s, $3)";
    struct pg_rows rows;
    columns_close(slots);
    const char *parameters[] = {slots->values[0], filling->job_id, only_of(filling)};
    if (!pg_client_query(visit->client, sql, parameters, COUNT_OF(parameters), &rows, err)) {
        return false;
    }
    *wanted += strtoll(pg_rows_value(&rows, 0, 0), NULL, 10);
    pg_rows_finish(&rows);
    return true;
}

static bool count_wanted(const struct slot_filling *filling, struct visit *visit, const struct range *range,
                         int64_t *wanted, struct error *err)
{
    instant slot = schedule_next(&range->schedule, range->from - 1);
    bool ok = true;
    for (*wanted = 0; ok && slot < range->to;) {
        struct columns slots;
        columns_init(&slots);
        for (int i = 0; i < WANTED_AT_ONCE && slot < range->to; i++) {
            columns_instant(&slots, 0, slot);
            slot = schedule_next(&range->schedule, slot);
        }
        ok = count_part(filling, visit, &slots, wanted, err);
        columns_finish(&slots);
    }
    return ok;
}

/* --- what is printed ---------------------------------------------------------------------------------------------- */

static void print_row(const struct slot_filling *filling, int64_t slots, const struct standing *standing)
{
    struct output_list *list = output_create("backfills", columns, COUNT_OF(columns));
    output_add_row(list);
    output_set(list, COLUMN_JOB, filling->job);
    output_set(list, COLUMN_DATABASE, filling->database->name);
    output_set(list, COLUMN_STATE, standing->state);
    output_set_number(list, COLUMN_SLOTS, slots);
    output_set_number(list, COLUMN_DONE, standing->done);
    output_set_number(list, COLUMN_FAILED, standing->failed);
    output_set_number(list, COLUMN_LEFT, slots - standing->passed - standing->done - standing->failed);
    output_set_number(list, COLUMN_PASSED, standing->passed);
    output_print(&list, 1, &filling->invocation->style, stdout);
    output_destroy(list);
}

static bool show_outlook(const struct slot_filling *filling, struct visit *visit, const struct range *range,
                         struct error *err)
{
    int64_t wanted;
    if (!count_wanted(filling, visit, range, &wanted, err)) {
        return false;
    }
    struct standing standing = {.state = "dry run", .passed = range->total - wanted};
    print_row(filling, range->total, &standing);
    return true;
}

/* --- following it ------------------------------------------------------------------------------------------------- */

static bool read_standing(const struct slot_filling *filling, struct visit *visit, struct standing *standing,
                          struct error *err)
{
    static const char sql[] = "SELECT state, asked, done, failed, passed FROM chime.slot_backfills WHERE job_id = $1"
                              " ORDER BY backfill_id DESC LIMIT 1";
    struct pg_rows rows;
    *standing = (struct standing){.asked = 0};
    if (!pg_client_query(visit->client, sql, &filling->job_id, 1, &rows, err)) {
        return false;
    }
    if (rows.count > 0) {
        snprintf(standing->state, sizeof(standing->state), "%s", pg_rows_value(&rows, 0, 0));
        standing->asked = strtoll(pg_rows_value(&rows, 0, 1), NULL, 10);
        standing->done = strtoll(pg_rows_value(&rows, 0, 2), NULL, 10);
        standing->failed = strtoll(pg_rows_value(&rows, 0, 3), NULL, 10);
        standing->passed = strtoll(pg_rows_value(&rows, 0, 4), NULL, 10);
    }
    pg_rows_finish(&rows);
    return true;
}

static int leave(const struct slot_filling *filling, int status)
{
    struct error err;
    char *job = shell_word(filling->job);
    error_set(&err, ERROR_FAILED, "the backfill of %s goes on without this command", filling->job);
    error_hint(&err, "pgchime backfill %s follows it, pgchime backfill %s --cancel ends it", job, job);
    fail(&err);
    free(job);
    return status;
}

static int follow(const struct slot_filling *filling, struct visit *visit, int64_t total, struct error *err)
{
    struct progress progress = progress_begin(filling->invocation, filling->job, "slots");
    struct standing standing;
    int status = -1;
    while (status < 0) {
        if (!read_standing(filling, visit, &standing, err)) {
            status = (int)err->kind;
        } else if (strcmp(standing.state, "running") != 0) {
            bool good = strcmp(standing.state, "ended") == 0 && standing.failed == 0;
            status = good ? EXIT_OK : (int)ERROR_FAILED;
        } else if (*filling->interrupted || clock_boot() >= filling->deadline) {
            progress_end(&progress);
            return leave(filling, *filling->interrupted ? EXIT_INTERRUPTED : EXIT_TIMEOUT);
        } else {
            int64_t known = total > 0 ? total : standing.asked + standing.passed;
            progress_show(&progress, standing.done + standing.failed + standing.passed, known);
            visit_pause(PAUSE);
        }
    }
    progress_end(&progress);
    if (err->kind == ERROR_NONE) {
        print_row(filling, standing.asked + standing.passed, &standing);
    }
    return status;
}

/* --- asking for it ------------------------------------------------------------------------------------------------ */

static bool begin(const struct slot_filling *filling, struct visit *visit, const struct range *range, struct error *err)
{
    static const char sql[] = "SELECT chime.begin_slot_backfill($1, $2, $3, $4)";
    char to[INSTANT_TEXT_SIZE];
    const char *parameters[] = {filling->job_id, filling->from, instant_format(range->to, to), only_of(filling)};
    if (!visit_require_leader(visit, filling->invocation, err)) {
        return false;
    }
    if (!pg_client_query(visit->client, sql, parameters, COUNT_OF(parameters), NULL, err)) {
        err->kind = strcmp(err->sqlstate, "55006") == 0 ? ERROR_REFUSED : err->kind;
        return false;
    }
    return true;
}

static int fill(const struct slot_filling *filling, struct visit *visit, struct error *err)
{
    struct range range = {.zones = zones_create()};
    int status = EXIT_OK;
    if (!read_range(&range, filling, visit, err)) {
        status = (int)err->kind;
    } else if (invocation_has(filling->invocation, "dry-run")) {
        status = show_outlook(filling, visit, &range, err) ? EXIT_OK : (int)err->kind;
    } else if (!begin(filling, visit, &range, err)) {
        status = (int)err->kind;
    } else {
        status = follow(filling, visit, range.total, err);
    }
    zones_destroy(range.zones);
    return status;
}

static int cancel(const struct slot_filling *filling, struct visit *visit, struct error *err)
{
    static const char sql[] = "SELECT chime.cancel_slot_backfill($1)";
    struct pg_rows rows;
    if (!pg_client_query(visit->client, sql, &filling->job_id, 1, &rows, err)) {
        return (int)err->kind;
    }
    bool cancelled = pg_rows_value(&rows, 0, 0)[0] == 't';
    pg_rows_finish(&rows);
    if (!cancelled) {
        error_set(err, ERROR_NOT_FOUND, "no backfill of job \"%s\" is under way", filling->job);
        return (int)err->kind;
    }
    remark(filling->invocation, "%s: the backfill is cancelled; its run is asked to end", filling->job);
    return EXIT_OK;
}

static int join_in(const struct slot_filling *filling, struct visit *visit, struct error *err)
{
    struct standing standing;
    if (!read_standing(filling, visit, &standing, err)) {
        return (int)err->kind;
    }
    if (strcmp(standing.state, "running") != 0) {
        error_set(err, ERROR_USAGE, "a backfill of slots needs --from");
        error_hint(err, "the slots are those in [--from, --to)");
        return (int)err->kind;
    }
    return follow(filling, visit, 0, err);
}

static bool check_options(const struct slot_filling *filling, struct error *err)
{
    if (invocation_has(filling->invocation, "batch")) {
        error_set(err, ERROR_USAGE, "--batch is for views: job \"%s\" does its slots one by one", filling->job);
        return false;
    }
    return true;
}

int backfill_slots(const struct slot_filling *filling)
{
    struct visit visit;
    struct error err = {.kind = ERROR_NONE};
    int status = EXIT_OK;
    if (!check_options(filling, &err)) {
        return fail(&err);
    }
    if (!visit_open(&visit, filling->database, &err)) {
        status = (int)err.kind;
    } else if (invocation_has(filling->invocation, "cancel")) {
        status = cancel(filling, &visit, &err);
    } else {
        status = filling->from != NULL ? fill(filling, &visit, &err) : join_in(filling, &visit, &err);
    }
    if (err.kind != ERROR_NONE) {
        error_prefix(&err, "database \"%s\"", filling->database->name);
        status = fail(&err);
    }
    visit_close(&visit);
    return status;
}
