/* SPDX-License-Identifier: PostgreSQL */
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/job_visit.h"
#include "cli/load.h"

static const struct output_column columns[] = {
    {"RUN", "run_id", OUTPUT_INTEGER, OUTPUT_ALWAYS},     {"JOB", "job", OUTPUT_TEXT, OUTPUT_ALWAYS},
    {"DATABASE", "database", OUTPUT_TEXT, OUTPUT_ALWAYS}, {"SLOT", "slot", OUTPUT_INSTANT, OUTPUT_ALWAYS},
    {"TRIGGER", "trigger", OUTPUT_TEXT, OUTPUT_ALWAYS},
};

struct search {
    const char *run_id;
    size_t live_in; /* so many databases */
    const struct config_database *database;
    bool waits; /* asked for, and not begun */
    bool over;  /* its number was given already, and it is live nowhere */
};

static bool find_run(struct visit *visit, void *data, struct error *err)
{
    static const char sql[] = "SELECT EXISTS (SELECT FROM chime.run WHERE run_id = $1),"
                              " EXISTS (SELECT FROM chime.request WHERE run_id = $1),"
                              " $1::bigint <= (SELECT last_value FROM chime.run_id WHERE is_called)";
    struct search *search = data;
    struct pg_rows rows;
    if (!pg_client_query(visit->client, sql, &search->run_id, 1, &rows, err)) {
        return false;
    }
    const char *over = pg_rows_value(&rows, 0, 2);
    bool waits = pg_rows_value(&rows, 0, 1)[0] == 't';
    if (waits || pg_rows_value(&rows, 0, 0)[0] == 't') {
        search->live_in++;
        search->database = visit->database;
        search->waits = waits;
    }
    search->over = search->over || (over != NULL && over[0] == 't');
    pg_rows_finish(&rows);
    return true;
}

static bool refuse_ended(const struct search *search, struct error *err)
{
    if (search->over) {
        error_set(err, ERROR_REFUSED, "run %s is over", search->run_id);
        return error_hint(err, "pgchime runs says how it ended, and which can be cancelled: --state running,retrying");
    }
    error_set(err, ERROR_NOT_FOUND, "there is no run %s", search->run_id);
    return error_hint(err, "pgchime runs --state running,retrying lists those that can be cancelled");
}

static bool cancel(struct visit *visit, const struct search *search, const struct invocation *invocation,
                   struct output_list *list, struct error *err)
{
    static const char sql[] =
        "SELECT r.run_id, j.name, $1::text, r.slot, r.kind"
        "  FROM (SELECT run_id, job_id, slot, kind FROM chime.run WHERE run_id = $2"
        "        UNION ALL SELECT run_id, job_id, slot, kind FROM chime.request WHERE run_id = $2) r"
        "  JOIN chime.job j USING (job_id) WHERE chime.cancel(r.run_id, $3)";
    const char *parameters[] = {search->run_id, invocation_option(invocation, "reason")};
    if (!visit_require_leader(visit, invocation, err) ||
        !visit_list(visit, list, sql, parameters, COUNT_OF(parameters), err)) {
        return false;
    }
    return output_rows(list) > 0 ||
           error_set(err, ERROR_REFUSED, "run %s ended before it could be cancelled", search->run_id);
}

static int cancel_there(const struct invocation *invocation, const struct search *search)
{
    struct visit visit;
    struct error err;
    struct output_list *list = output_create("runs", columns, COUNT_OF(columns));
    bool asked = visit_open(&visit, search->database, &err) && cancel(&visit, search, invocation, list, &err);
    if (asked) {
        output_print(&list, 1, &invocation->style, stdout);
        remark(invocation,
               search->waits ? "withdrawn: it had not begun" : "asked to end: pgchime runs shows how it did");
    } else {
        error_prefix(&err, "database \"%s\"", search->database->name);
    }
    visit_close(&visit);
    output_destroy(list);
    return asked ? EXIT_OK : fail(&err);
}

static int find_and_cancel(const struct invocation *invocation, const struct config *config)
{
    struct search search = {.run_id = invocation->arguments[0]};
    struct error err;
    int status = visit_all(invocation, config, find_run, &search);
    if (search.live_in == 1) {
        return cancel_there(invocation, &search);
    }
    if (search.live_in > 1) {
        error_set(&err, ERROR_USAGE, "more than one database has a live run %s", search.run_id);
        error_hint(&err, "choose one with --database NAME");
        return fail(&err);
    }
    if (status != EXIT_OK) {
        return status;
    }
    refuse_ended(&search, &err);
    return fail(&err);
}

static int cancel_run(const struct invocation *invocation)
{
    int64_t run_id;
    struct error err;
    if (!parse_int64(invocation->arguments[0], 1, INT64_MAX, &run_id)) {
        error_set(&err, ERROR_USAGE, "\"%s\" is not the number of a run", invocation->arguments[0]);
        error_hint(&err, "pgchime runs shows the numbers in its first column");
        return fail(&err);
    }
    int status;
    struct config *config = load_config(invocation, &status);
    if (config != NULL) {
        status = find_and_cancel(invocation, config);
    }
    config_free(config);
    return status;
}

const struct command command_cancel = {
    .name = "cancel",
    .arguments = "RUN",
    .least = 1,
    .most = 1,
    .summary = "ends a live run: its statement is cancelled, and it is not tried again; or withdraws one asked for",
    .details = "The job stays: its next slot runs as usual.",
    .options = {{"reason", "TEXT", "why, for the history"}},
    .run = cancel_run,
};
