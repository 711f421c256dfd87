/* SPDX-License-Identifier: PostgreSQL */
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/shell.h"
#include "cli/commands.h"
#include "cli/job_visit.h"
#include "cli/ledger_lists.h"
#include "report/job_list.h"

#define FIRST_PAUSE (20 * USEC_PER_MSEC)
#define LONGEST_PAUSE (500 * USEC_PER_MSEC)

static const struct output_column request_columns[] = {
    {"RUN", "run_id", OUTPUT_INTEGER, OUTPUT_ALWAYS},     {"JOB", "job", OUTPUT_TEXT, OUTPUT_ALWAYS},
    {"DATABASE", "database", OUTPUT_TEXT, OUTPUT_ALWAYS}, {"SLOT", "slot", OUTPUT_INSTANT, OUTPUT_ALWAYS},
    {"TRIGGER", "trigger", OUTPUT_TEXT, OUTPUT_ALWAYS},
};
enum { REQUEST_SLOT = 3 };

/* One run asked for. */
struct asked {
    struct job_visit *at;
    instant deadline; /* by the boot clock; INSTANT_NEVER waits for ever */
    char slot[48];    /* as the server wrote it */
};

static bool refuse_inactive(const char *job, const char *plugin_state, const char *reason, const char *inactive,
                            struct error *err)
{
    if (plugin_state != NULL && strcmp(plugin_state, "installed") != 0) {
        error_set(err, ERROR_REFUSED, "job \"%s\" is inactive: its plugin is %s%s%s", job, plugin_state,
                  reason != NULL ? ", " : "", reason != NULL ? reason : "");
        return error_hint(err, "pgchime plugins says what each plugin lacks");
    }
    error_set(err, ERROR_REFUSED, "job \"%s\" is inactive", job);
    return error_hint(err, "%s", inactive);
}

static bool check_job(struct asked *asked, struct error *err)
{
    static const char sql[] = "SELECT j.active, p.state, p.reason,"
                              "       CASE WHEN s.suspended_at IS NOT NULL"
                              "            THEN chime.told('suspended', s.suspended_by, s.suspend_reason) END,"
                              "       " INACTIVE_WORDS " FROM chime.job j JOIN chime.job_state s USING (job_id)"
                              " LEFT JOIN chime.plugin p ON p.name = j.plugin WHERE j.job_id = $1::bigint";
    const char *parameters[] = {asked->at->job_id};
    struct pg_rows rows;
    if (!pg_client_query(asked->at->visit.client, sql, parameters, COUNT_OF(parameters), &rows, err)) {
        return false;
    }
    bool ready = false;
    if (rows.count == 0) {
        error_set(err, ERROR_NOT_FOUND, "job \"%s\" is gone", asked->at->job);
    } else if (pg_rows_value(&rows, 0, 0)[0] != 't') {
        refuse_inactive(asked->at->job, pg_rows_value(&rows, 0, 1), pg_rows_value(&rows, 0, 2),
                        pg_rows_value(&rows, 0, 4), err);
    } else if (pg_rows_value(&rows, 0, 3) != NULL && !invocation_has(asked->at->invocation, "force")) {
        error_set(err, ERROR_REFUSED, "job \"%s\" is %s", asked->at->job, pg_rows_value(&rows, 0, 3));
        char *job = shell_word(asked->at->job);
        error_hint(err, "pgchime resume %s lets it run again; pgchime run --force %s tries it once", job, job);
        free(job);
    } else {
        ready = true;
    }
    pg_rows_finish(&rows);
    return ready;
}

/* The answer's columns are those of the requests' list. */
static bool ask(struct asked *asked, struct output_list *list, struct error *err)
{
    static const char sql[] = "INSERT INTO chime.request (job_id, forced) VALUES ($1, $4::boolean)"
                              " RETURNING run_id, $2::text, $3::text, slot, kind::text";
    const char *parameters[] = {asked->at->job_id, asked->at->job, asked->at->visit.database->name,
                                invocation_has(asked->at->invocation, "force") ? "t" : "f"};
    struct pg_rows rows;
    if (!pg_client_query(asked->at->visit.client, sql, parameters, COUNT_OF(parameters), &rows, err)) {
        return false;
    }
    output_add_row(list);
    for (size_t i = 0; i < rows.columns; i++) {
        output_set(list, i, pg_rows_value(&rows, 0, i));
    }
    snprintf(asked->slot, sizeof(asked->slot), "%s", pg_rows_value(&rows, 0, REQUEST_SLOT));
    pg_rows_finish(&rows);
    return true;
}

/* --- waiting for its end ------------------------------------------------------------------------------------------ */

enum progress { PROGRESS_ASKED, PROGRESS_LIVE, PROGRESS_ENDED, PROGRESS_GONE, PROGRESS_UNKNOWN };

/* One statement, so that what it sees belongs together. */
static enum progress read_progress(struct asked *asked, char state[static 24], struct error *err)
{
    static const char sql[] =
        "SELECT (SELECT state FROM chime.run_history WHERE job_id = $1 AND kind = 'manual' AND slot = $2),"
        " EXISTS (SELECT FROM chime.run WHERE job_id = $1 AND kind = 'manual' AND slot = $2),"
        " EXISTS (SELECT FROM chime.request WHERE job_id = $1 AND kind = 'manual' AND slot = $2)";
    const char *parameters[] = {asked->at->job_id, asked->slot};
    struct pg_rows rows;
    if (!pg_client_query(asked->at->visit.client, sql, parameters, COUNT_OF(parameters), &rows, err)) {
        return PROGRESS_UNKNOWN;
    }
    enum progress progress = PROGRESS_GONE;
    if (pg_rows_value(&rows, 0, 0) != NULL) {
        snprintf(state, 24, "%s", pg_rows_value(&rows, 0, 0));
        progress = PROGRESS_ENDED;
    } else if (pg_rows_value(&rows, 0, 1)[0] == 't') {
        progress = PROGRESS_LIVE;
    } else if (pg_rows_value(&rows, 0, 2)[0] == 't') {
        progress = PROGRESS_ASKED;
    }
    pg_rows_finish(&rows);
    return progress;
}

static int say_timeout(const struct asked *asked, enum progress progress)
{
    struct error err;
    error_set(&err, ERROR_FAILED, "job \"%s\" has not ended in time: %s", asked->at->job,
              progress == PROGRESS_LIVE ? "it still runs" : "the request still waits for the leader");
    char *job = shell_word(asked->at->job);
    error_hint(&err, "pgchime runs %s shows its end", job);
    free(job);
    fail(&err);
    return EXIT_TIMEOUT;
}

static int print_run(struct asked *asked, const char *state, struct error *err)
{
    struct output_list *list = run_list_create();
    struct run_filter filter = {.job = asked->at->job, .kind = "manual", .slot = asked->slot, .limit = 1};
    int status = strcmp(state, "succeeded") == 0 ? EXIT_OK : (int)ERROR_FAILED;
    if (run_list_add(&asked->at->visit, list, &filter, err)) {
        output_print(&list, 1, &asked->at->invocation->style, stdout);
    } else {
        status = fail(err);
    }
    output_destroy(list);
    return status;
}

static int wait_for_end(struct asked *asked)
{
    struct error err;
    char state[24];
    for (duration pause = FIRST_PAUSE;; pause = pause * 2 < LONGEST_PAUSE ? pause * 2 : LONGEST_PAUSE) {
        enum progress progress = read_progress(asked, state, &err);
        if (progress == PROGRESS_UNKNOWN) {
            return fail(&err);
        }
        if (progress == PROGRESS_ENDED) {
            return print_run(asked, state, &err);
        }
        if (progress == PROGRESS_GONE) {
            error_set(&err, ERROR_FAILED, "the request for job \"%s\" was withdrawn before it ran", asked->at->job);
            return fail(&err);
        }
        duration left = asked->deadline == INSTANT_NEVER ? LONGEST_PAUSE : asked->deadline - clock_boot();
        if (left <= 0) {
            return say_timeout(asked, progress);
        }
        visit_pause(left < pause ? left : pause);
    }
}

/* --- the command -------------------------------------------------------------------------------------------------- */

static int run_there(struct job_visit *at, void *data, struct error *err)
{
    struct asked asked = {.at = at, .deadline = *(const instant *)data};
    struct output_list *list = output_create("requests", request_columns, COUNT_OF(request_columns));
    int status = EXIT_OK;
    if (!check_job(&asked, err) || !visit_require_leader(&at->visit, at->invocation, err) || !ask(&asked, list, err)) {
        status = (int)err->kind;
    } else if (invocation_has(at->invocation, "wait")) {
        status = wait_for_end(&asked);
    } else {
        output_print(&list, 1, &at->invocation->style, stdout);
    }
    output_destroy(list);
    return status;
}

static int run_run(const struct invocation *invocation)
{
    struct error err;
    duration timeout = -1;
    if (!invocation_duration(invocation, "timeout", &timeout, &err)) {
        return fail(&err);
    }
    if (timeout >= 0 && !invocation_has(invocation, "wait")) {
        error_set(&err, ERROR_USAGE, "--timeout is for --wait");
        return fail(&err);
    }
    instant deadline = timeout >= 0 ? clock_boot() + timeout : INSTANT_NEVER;
    return visit_job(invocation, invocation->arguments[0], run_there, &deadline);
}

const struct command command_run = {
    .name = "run",
    .arguments = "JOB",
    .least = 1,
    .most = 1,
    .summary = "asks the leader to run a job now",
    .details =
        "RUN is the number by which pgchime cancel and pgchime runs know it.\n"
        "With --wait the exit status is 0 when the run succeeded, 1 when it did not, 124 when it did not end in time.",
    .options = {{"force", NULL, "also when the job is suspended, which it stays"},
                {"wait", NULL, "wait for its end and print the run"},
                {"timeout", "DURATION", "with --wait: give up waiting after this long"}},
    .run = run_run,
};
