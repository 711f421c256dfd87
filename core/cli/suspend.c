/* SPDX-License-Identifier: PostgreSQL */
/* `suspend` and `resume`: both leave a request in the ledger, which the leader grants with its next heartbeat. */
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "cli/commands.h"
#include "cli/job_visit.h"

#define PATIENCE (5 * USEC_PER_SEC) /* several heartbeats */
#define PAUSE (50 * USEC_PER_MSEC)

static const struct output_column columns[] = {
    {"JOB", "job", OUTPUT_TEXT, OUTPUT_ALWAYS},
    {"DATABASE", "database", OUTPUT_TEXT, OUTPUT_ALWAYS},
    {"SUSPENDED", "suspended", OUTPUT_BOOLEAN, OUTPUT_ALWAYS},
    {"UNTIL", "suspended_until", OUTPUT_INSTANT, OUTPUT_ALWAYS},
    {"BY", "suspended_by", OUTPUT_TEXT, OUTPUT_ALWAYS},
    {"REASON", "reason", OUTPUT_LONG, OUTPUT_ALWAYS},
};

/* What is in force, or will be as soon as the leader has taken it. */
static bool print_state(struct job_visit *visit, struct error *err)
{
    static const char sql[] = "SELECT j.name, $1::text, s.suspended, s.suspended_until, s.suspended_by, s.reason"
                              " FROM chime.job j, chime.suspension(j.job_id) s WHERE j.job_id = $2::bigint";
    const char *parameters[] = {visit->job_id};
    struct output_list *list = output_create("jobs", columns, COUNT_OF(columns));
    bool read = visit_list(&visit->visit, list, sql, parameters, COUNT_OF(parameters), err);
    if (read) {
        output_print(&list, 1, &visit->invocation->style, stdout);
    }
    output_destroy(list);
    return read;
}

static bool is_granted(struct job_visit *visit, bool *granted, struct error *err)
{
    struct pg_rows rows;
    const char *parameters[] = {visit->job_id};
    if (!pg_client_query(visit->visit.client, "SELECT granted FROM chime.suspension($1::bigint)", parameters,
                         COUNT_OF(parameters), &rows, err)) {
        return false;
    }
    *granted = rows.count == 0 || pg_rows_value(&rows, 0, 0)[0] == 't';
    pg_rows_finish(&rows);
    return true;
}

static bool await_leader(struct job_visit *visit, struct error *err)
{
    instant deadline = clock_boot() + PATIENCE;
    bool led = true;
    bool granted = false;
    while (led && !granted && clock_boot() < deadline) {
        if (!is_granted(visit, &granted, err) || !visit_is_led(&visit->visit, &led, err)) {
            return false;
        }
        if (led && !granted) {
            visit_pause(PAUSE);
        }
    }
    if (!granted) {
        remark(visit->invocation, led ? "the leader has not taken it yet: it does with its next heartbeat"
                                      : "nobody leads this database: whoever leads next goes by it from the start");
    }
    return true;
}

/* The function answers whether it changed anything. */
static int change(struct job_visit *visit, const char *sql, const char *const *parameters, size_t count,
                  const char *already, struct error *err)
{
    struct pg_rows rows;
    if (!pg_client_query(visit->visit.client, sql, parameters, count, &rows, err)) {
        return (int)err->kind;
    }
    bool changed = pg_rows_value(&rows, 0, 0)[0] == 't';
    pg_rows_finish(&rows);
    if (!changed) {
        remark(visit->invocation, "job \"%s\" %s", visit->job, already);
    }
    return await_leader(visit, err) && print_state(visit, err) ? EXIT_OK : (int)err->kind;
}

struct suspension_order {
    const char *reason;
    char until[INSTANT_TEXT_SIZE]; /* "": no end */
    duration length;               /* -1: none given */
};

static int suspend_job(struct job_visit *visit, void *data, struct error *err)
{
    static const char sql[] = "SELECT chime.suspend($1::bigint, $2, coalesce($3::timestamptz, clock_timestamp() +"
                              " $4::bigint * interval '1 microsecond'))";
    const struct suspension_order *order = data;
    char length[24];
    snprintf(length, sizeof(length), "%lld", (long long)order->length);
    const char *parameters[] = {visit->job_id, order->reason, order->until[0] != '\0' ? order->until : NULL,
                                order->length >= 0 ? length : NULL};
    return change(visit, sql, parameters, COUNT_OF(parameters), "is suspended already", err);
}

static bool read_order(const struct invocation *invocation, struct suspension_order *order, struct error *err)
{
    const char *until = invocation_option(invocation, "until");
    order->length = -1;
    order->reason = invocation_option(invocation, "reason");
    if (!invocation_duration(invocation, "for", &order->length, err)) {
        return false;
    }
    if (until != NULL && order->length >= 0) {
        return error_set(err, ERROR_USAGE, "--until and --for are two ends for one suspension");
    }
    instant at;
    if (until != NULL && !instant_parse(until, &at, err)) {
        err->kind = ERROR_USAGE;
        return error_prefix(err, "--until");
    }
    if (until != NULL) {
        instant_format(at, order->until);
    }
    return true;
}

static int suspend_run(const struct invocation *invocation)
{
    struct suspension_order order = {0};
    struct error err;
    if (!read_order(invocation, &order, &err)) {
        return fail(&err);
    }
    return visit_job(invocation, invocation->arguments[0], suspend_job, &order);
}

static int resume_job(struct job_visit *visit, void *data, struct error *err)
{
    const char *parameters[] = {visit->job_id, data};
    return change(visit, "SELECT chime.resume($1::bigint, $2)", parameters, COUNT_OF(parameters), "is not suspended",
                  err);
}

static int resume_run(const struct invocation *invocation)
{
    const char *reason = invocation_option(invocation, "reason");
    return visit_job(invocation, invocation->arguments[0], resume_job, (void *)reason);
}

const struct command command_suspend = {
    .name = "suspend",
    .arguments = "JOB",
    .least = 1,
    .most = 1,
    .summary = "keeps a job from starting, until it is resumed",
    .details = "A run that is live goes on. Slots that pass meanwhile are recorded as missed when the job is resumed.\n"
               "TIME is UTC unless it has an offset: 2026-12-24T18:00+01.",
    .options = {{"until", "TIME", "resume by itself then"},
                {"for", "DURATION", "resume by itself after this long, such as 2h"},
                {"reason", "TEXT", "why, for those who ask `pgchime why JOB`"}},
    .run = suspend_run,
};

const struct command command_resume = {
    .name = "resume",
    .arguments = "JOB",
    .least = 1,
    .most = 1,
    .summary = "lets a suspended job start again",
    .details = "Its failures are counted anew, and slots that passed meanwhile are recorded as missed.",
    .options = {{"reason", "TEXT", "why"}},
    .run = resume_run,
};
