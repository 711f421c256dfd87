/* SPDX-License-Identifier: PostgreSQL */
#include "ledger/ledger.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/log.h"
#include "base/memory.h"
#include "ledger/answers.h"
#include "ledger/columns.h"
#include "ledger/totals.h"

/* --- sending ------------------------------------------------------------------------------------------------------ */

static void send_by(struct write_queue *queue, const struct ledger *ledger, const struct pg_statement *statements,
                    size_t count, pg_callback *callback, void *data)
{
    if (queue != NULL) {
        write_queue_send(queue, statements, count, callback, data);
    } else {
        pg_send(ledger->connection, statements, count, callback, data);
    }
}

void ledger_send(const struct ledger *ledger, const struct pg_statement *statements, size_t count,
                 pg_callback *callback, void *data)
{
    send_by(ledger->writes, ledger, statements, count, callback, data);
}

void ledger_send_one(const struct ledger *ledger, const char *name, const char *sql, int parameter_count,
                     const char *const *parameters, pg_callback *callback, void *data)
{
    struct pg_statement statement = {
        .name = name, .sql = sql, .parameter_count = parameter_count, .parameters = parameters};
    ledger_send(ledger, &statement, 1, callback, data);
}

void ledger_forget(const struct ledger *ledger, const void *data)
{
    pg_forget(ledger->connection, data);
    if (ledger->writes != NULL) {
        write_queue_forget(ledger->writes, data);
    }
}

void ledger_wait_briefly(const struct ledger *ledger)
{
    pg_send_one(ledger->connection, NULL, "SET lock_timeout = '2s'", 0, NULL, NULL, NULL);
}

void ledger_ask_holders(const struct ledger *ledger, pg_callback *callback, void *data)
{
    pg_send_one(ledger->connection, NULL,
                "SELECT pg_catalog.string_agg(h.words, '; ') FROM chime.lock_holders(pg_catalog.pg_backend_pid()) h", 0,
                NULL, callback, data);
}

/* --- the leader lock ---------------------------------------------------------------------------------------------- */

#define MIGRATION                                                            \
    "(SELECT coalesce(pg_catalog.max(m.number), 0) FROM chime.migration m)," \
    " (SELECT f.version FROM chime.function_set f)"

void ledger_check_leader(struct pg_connection *connection, pg_callback *callback, void *data)
{
    pg_send_one(connection, "chime_change_check",
                "SELECT l.token, l.instance, l.configuration, chime.led(),"
                " chime.leader_sign(), pg_catalog.clock_timestamp(), pg_catalog.pg_postmaster_start_time(), l.system, "
                "l.timeline, chime.commits_wait(), chime.copy_of(), " MIGRATION " FROM chime.leader l",
                0, NULL, callback, data);
}

/* "" for NULL. */
static void copy_value(char *target, size_t size, const char *value)
{
    snprintf(target, size, "%s", value != NULL ? value : "");
}

bool ledger_read_leader_lock(const struct pg_reply *reply, struct leader_lock *lock)
{
    *lock = (struct leader_lock){0};
    if (!pg_reply_ok(reply) || pg_reply_rows(reply, 0) != 1) {
        return false;
    }
    const char *timeline = pg_reply_value(reply, 0, 0, 8);
    copy_value(lock->token, sizeof(lock->token), pg_reply_value(reply, 0, 0, 0));
    copy_value(lock->instance, sizeof(lock->instance), pg_reply_value(reply, 0, 0, 1));
    copy_value(lock->configuration, sizeof(lock->configuration), pg_reply_value(reply, 0, 0, 2));
    lock->held = pg_reply_value(reply, 0, 0, 3)[0] == 't';
    copy_value(lock->sign, sizeof(lock->sign), pg_reply_value(reply, 0, 0, 4));
    lock->now = answer_instant(pg_reply_value(reply, 0, 0, 5));
    lock->server_start = answer_instant(pg_reply_value(reply, 0, 0, 6));
    copy_value(lock->led.system, sizeof(lock->led.system), pg_reply_value(reply, 0, 0, 7));
    lock->led.timeline = timeline != NULL ? atoi(timeline) : 0;
    copy_value(lock->waits, sizeof(lock->waits), pg_reply_value(reply, 0, 0, 9));
    copy_value(lock->copy_of, sizeof(lock->copy_of), pg_reply_value(reply, 0, 0, 10));
    lock->migration = atoi(pg_reply_value(reply, 0, 0, 11));
    copy_value(lock->functions, sizeof(lock->functions), pg_reply_value(reply, 0, 0, 12));
    return true;
}

void ledger_end_silent(struct pg_connection *connection, const struct leader_lock *lock, pg_callback *callback,
                       void *data)
{
    const char *parameters[] = {lock->token, lock->sign};
    pg_send_one(connection, NULL, "SELECT chime.end_silent($1, $2)", 2, parameters, callback, data);
}

void ledger_follow(struct pg_connection *connection, const char *instance, const char *configuration,
                   pg_callback *callback, void *data)
{
    const char *parameters[] = {instance, configuration};
    pg_send_one(connection, NULL, "SELECT chime.follow($1, $2)", 2, parameters, callback, data);
}

void ledger_adopt_copy(struct pg_connection *connection, pg_callback *callback, void *data)
{
    pg_send_one(connection, NULL, "SELECT lost_runs FROM chime.adopt_copy()", 0, NULL, callback, data);
}

void ledger_take_over(struct pg_connection *connection, const struct leader_lock *seen, const char *instance,
                      const char *configuration, const struct pg_lineage *lineage, pg_callback *callback, void *data)
{
    char timeline[16];
    snprintf(timeline, sizeof(timeline), "%d", lineage->timeline);
    const char *parameters[] = {seen->token[0] != '\0' ? seen->token : NULL, instance, configuration,
                                lineage->system[0] != '\0' ? lineage->system : NULL,
                                lineage->timeline > 0 ? timeline : NULL};
    pg_send_one(connection, NULL, "SELECT epoch, token FROM chime.take_over($1, $2, $3, $4, $5)", COUNT_OF(parameters),
                parameters, callback, data);
}

bool ledger_read_leading(const struct pg_reply *reply, struct ledger *ledger)
{
    if (!pg_reply_ok(reply) || pg_reply_rows(reply, 0) != 1) {
        return false;
    }
    ledger->epoch = atoll(pg_reply_value(reply, 0, 0, 0));
    snprintf(ledger->token, sizeof(ledger->token), "%s", pg_reply_value(reply, 0, 0, 1));
    return true;
}

void ledger_configure(const struct ledger *ledger, const char *configuration, const char *timezone,
                      pg_callback *callback, void *data)
{
    const char *parameters[] = {ledger->token, configuration, timezone};
    ledger_send_one(ledger, NULL, "UPDATE chime.leader SET configuration = $2, timezone = $3 WHERE token = $1",
                    COUNT_OF(parameters), parameters, callback, data);
}

void ledger_resign(const struct ledger *ledger, pg_callback *callback, void *data)
{
    const char *parameters[] = {ledger->token};
    ledger_send_one(ledger, NULL, "SELECT chime.resign($1)", 1, parameters, callback, data);
}

void ledger_heartbeat(const struct ledger *ledger, pg_callback *callback, void *data)
{
    const char *parameters[] = {ledger->token};
    struct pg_statement statements[] = {
        {.name = "chime_heartbeat",
         .sql = "SELECT pg_catalog.clock_timestamp(), EXISTS (SELECT FROM chime.leader l WHERE l.token = $1),"
                " " MIGRATION ", chime.is_watched()",
         .parameter_count = 1,
         .parameters = parameters},
        {.name = "chime_open_requests",
         .sql = "SELECT request_id, verb, job_id, kind, slot, reason FROM chime.open_requests()"},
    };
    pg_send(ledger->connection, statements, COUNT_OF(statements), callback, data);
}

bool ledger_read_heartbeat(const struct pg_reply *reply, struct ledger_heartbeat *heartbeat)
{
    if (!pg_reply_ok(reply)) {
        return false;
    }
    heartbeat->now = answer_instant(pg_reply_value(reply, 0, 0, 0));
    heartbeat->leads = pg_reply_value(reply, 0, 0, 1)[0] == 't';
    heartbeat->migration = atoi(pg_reply_value(reply, 0, 0, 2));
    copy_value(heartbeat->functions, sizeof(heartbeat->functions), pg_reply_value(reply, 0, 0, 3));
    heartbeat->watched = pg_reply_value(reply, 0, 0, 4)[0] == 't';
    return true;
}

static bool read_verb(const char *text, enum ledger_verb *verb, struct error *err)
{
    static const char *const verbs[] = {
        [LEDGER_RUN] = "run",          [LEDGER_FORCE] = "force",   [LEDGER_CANCEL] = "cancel",
        [LEDGER_SUSPEND] = "suspend",  [LEDGER_RESUME] = "resume", [LEDGER_BEGIN] = "begin",
        [LEDGER_BACKFILL] = "backfill"};
    for (size_t i = 0; i < COUNT_OF(verbs); i++) {
        if (strcmp(verbs[i], text) == 0) {
            *verb = (enum ledger_verb)i;
            return true;
        }
    }
    return answer_unknown("a request", text, err);
}

static bool read_request(const struct pg_reply *reply, size_t row, struct open_request *request, struct error *err)
{
    const char *kind = pg_reply_value(reply, 1, row, 3);
    const char *reason = pg_reply_value(reply, 1, row, 5);
    *request = (struct open_request){.request_id = atoll(pg_reply_value(reply, 1, row, 0)),
                                     .run = {.job_id = atoll(pg_reply_value(reply, 1, row, 2)),
                                             .kind = RUN_SCHEDULE,
                                             .slot = answer_instant(pg_reply_value(reply, 1, row, 4))},
                                     .reason = reason != NULL ? xstrdup(reason) : NULL};
    return read_verb(pg_reply_value(reply, 1, row, 1), &request->verb, err) &&
           (kind == NULL || answer_kind(kind, &request->run.kind, err));
}

bool ledger_read_requests(const struct pg_reply *reply, struct open_request **requests, size_t *count,
                          struct error *err)
{
    size_t rows = pg_reply_rows(reply, 1);
    *requests = xcalloc(rows + 1, sizeof(**requests));
    for (*count = 0; *count < rows; (*count)++) {
        if (!read_request(reply, *count, &(*requests)[*count], err)) {
            ledger_free_requests(*requests, *count + 1);
            return false;
        }
    }
    return true;
}

void ledger_free_requests(struct open_request *requests, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        free(requests[i].reason);
    }
    free(requests);
}

/* A function of the token, one list of numbers and when that was decided. */
static void send_numbers(const struct ledger *ledger, const char *sql, const int64_t *numbers, size_t count, instant at,
                         pg_callback *callback, void *data)
{
    struct columns columns;
    char decided[INSTANT_TEXT_SIZE];
    columns_init(&columns);
    for (size_t i = 0; i < count; i++) {
        columns_int(&columns, 0, numbers[i]);
    }
    columns_close(&columns);
    const char *parameters[] = {ledger->token, columns.values[0], instant_format(at, decided)};
    ledger_send_one(ledger, NULL, sql, 3, parameters, callback, data);
    columns_finish(&columns);
}

void ledger_acknowledge(const struct ledger *ledger, const int64_t *request_ids, size_t count, instant at,
                        pg_callback *callback, void *data)
{
    send_numbers(ledger, "SELECT chime.acknowledge($1, $2, $3)", request_ids, count, at, callback, data);
}

void ledger_begin(const struct ledger *ledger, const int64_t *job_ids, size_t count, instant at, pg_callback *callback,
                  void *data)
{
    send_numbers(ledger, "SELECT job_id, last_slot FROM chime.begin_jobs($1, $2, $3)", job_ids, count, at, callback,
                 data);
}

void ledger_resume(const struct ledger *ledger, const struct ledger_request *suspensions, size_t count,
                   pg_callback *callback, void *data)
{
    struct columns columns;
    columns_init(&columns);
    for (size_t i = 0; i < count; i++) {
        columns_int(&columns, 0, suspensions[i].job_id);
        columns_instant(&columns, 1, suspensions[i].slot);
    }
    columns_close(&columns);
    const char *parameters[] = {ledger->token, columns.values[0], columns.values[1]};
    ledger_send_one(ledger, NULL, "SELECT chime.resume_expired($1, $2, $3)", 3, parameters, callback, data);
    columns_finish(&columns);
}

void ledger_suspend(const struct ledger *ledger, const struct suspension *suspensions, size_t count, instant at,
                    pg_callback *callback, void *data)
{
    struct columns columns;
    char decided[INSTANT_TEXT_SIZE];
    columns_init(&columns);
    for (size_t i = 0; i < count; i++) {
        columns_int(&columns, 0, scheduled_id(suspensions[i].scheduled));
        columns_text(&columns, 1, suspensions[i].reason);
    }
    columns_close(&columns);
    const char *parameters[] = {ledger->token, columns.values[0], columns.values[1], instant_format(at, decided)};
    ledger_send_one(ledger, NULL, "SELECT chime.suspend_failing($1, $2, $3, $4)", 4, parameters, callback, data);
    columns_finish(&columns);
}

/* --- runs --------------------------------------------------------------------------------------------------------- */

/* Up to two kinds of rows in one call, each for its own function; both travel in one request, and `last`, unless it is
 * NULL, behind them. */
struct batch {
    const struct pg_statement *statement;
    struct columns columns;
    size_t rows;
};

static void batch_statement(struct batch *batch, const char *token, const char *parameters[COLUMNS_MAX + 1])
{
    columns_close(&batch->columns);
    parameters[0] = token;
    memcpy(parameters + 1, batch->columns.values, sizeof(batch->columns.values));
}

static void send_batches(const struct ledger *ledger, struct write_queue *queue, struct batch *first,
                         struct batch *second, const struct pg_statement *last, pg_callback *callback, void *data)
{
    const char *parameters[2][COLUMNS_MAX + 1];
    struct pg_statement statements[3];
    size_t count = 0;
    if (first->rows > 0) {
        batch_statement(first, ledger->token, parameters[0]);
        statements[count] = *first->statement;
        statements[count++].parameters = parameters[0];
    }
    if (second->rows > 0) {
        batch_statement(second, ledger->token, parameters[1]);
        statements[count] = *second->statement;
        statements[count++].parameters = parameters[1];
    }
    if (last != NULL) {
        statements[count++] = *last;
    }
    send_by(queue, ledger, statements, count, callback, data);
    columns_finish(&first->columns);
    columns_finish(&second->columns);
}

/* A run that is to fail for want of a session is claimed for none. */
static void add_session(struct columns *columns, size_t column, const struct pg_identity *session)
{
    if (session->pid != 0) {
        columns_int(columns, column, session->pid);
        columns_text(columns, column + 1, session->backend_start);
    } else {
        columns_instant(columns, column, INSTANT_NONE); /* NULL */
        columns_instant(columns, column + 1, INSTANT_NONE);
    }
}

static void add_claim(struct batch *batch, const struct ledger_claim *claim)
{
    struct columns *columns = &batch->columns;
    columns_int(columns, 0, scheduled_id(claim->due.scheduled));
    columns_int(columns, 1, scheduled_version(claim->due.scheduled));
    columns_text(columns, 2, run_kind_name(claim->due.kind));
    columns_instant(columns, 3, claim->due.slot);
    columns_instant(columns, 4, claim->due.cursor);
    add_session(columns, 5, &claim->session);
    batch->rows++;
}

static void add_reclaim(struct batch *batch, const struct ledger_claim *claim)
{
    struct columns *columns = &batch->columns;
    columns_int(columns, 0, scheduled_id(claim->due.scheduled));
    columns_text(columns, 1, run_kind_name(claim->due.kind));
    columns_instant(columns, 2, claim->due.slot);
    add_session(columns, 3, &claim->session);
    batch->rows++;
}

static const struct pg_statement claim_statement = {
    .name = "chime_claim",
    .sql = "SELECT job_id, suspended, reason, ahead, run_id FROM chime.claim($1, $2, $3, $4, $5, $6, $7, $8)",
    .parameter_count = 8};

void ledger_claim(const struct ledger *ledger, const struct ledger_claim *claims, size_t count, pg_callback *callback,
                  void *data)
{
    static const struct pg_statement reclaim = {
        .name = "chime_reclaim",
        .sql = "SELECT job_id, NULL, NULL, NULL, run_id FROM chime.reclaim($1, $2, $3, $4, $5, $6)",
        .parameter_count = 6};
    struct batch fresh = {.statement = &claim_statement};
    struct batch again = {.statement = &reclaim};
    for (size_t i = 0; i < count; i++) {
        if (claims[i].due.again) {
            add_reclaim(&again, &claims[i]);
        } else {
            add_claim(&fresh, &claims[i]);
        }
    }
    send_batches(ledger, ledger->writes, &fresh, &again, NULL, callback, data);
}

static const char *log_word(enum log_runs log)
{
    return log == LOG_RUNS_ALL ? "all" : log == LOG_RUNS_ERRORS ? "errors" : "off";
}

static void add_end(struct batch *batch, const struct ledger_finish *finish)
{
    const struct outcome *outcome = &finish->outcome;
    struct columns *columns = &batch->columns;
    bool ends = finish->retry_at == INSTANT_NONE;
    const char *sqlstate = outcome->sqlstate[0] != '\0' ? outcome->sqlstate : NULL;
    size_t at = 0;
    columns_int(columns, at++, finish->job_id);
    columns_text(columns, at++, run_kind_name(finish->kind));
    columns_instant(columns, at++, finish->slot);
    columns_text(columns, at++, run_state_name(outcome->state));
    columns_instant(columns, at++, outcome->started);
    columns_instant(columns, at++, outcome->finished);
    if (ends && outcome->rows < 0) {
        columns_instant(columns, at++, INSTANT_NONE); /* NULL */
    } else if (ends) {
        columns_int(columns, at++, outcome->rows);
    }
    columns_text(columns, at++, sqlstate);
    columns_text(columns, at++, outcome->message);
    if (ends) {
        columns_text(columns, at++, outcome->reason);
    } else {
        columns_instant(columns, at++, finish->retry_at);
    }
    columns_text(columns, at++, log_word(finish->log_runs));
    if (ends) {
        columns_instant(columns, at, finish->outcome_at);
    }
    batch->rows++;
}

static const struct pg_statement finish_statement = {
    .name = "chime_finish",
    .sql = "SELECT job_id, state FROM chime.finish($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, $12, $13)",
    .parameter_count = 13};

void ledger_finish(const struct ledger *ledger, const struct ledger_finish *finishes, size_t count,
                   const struct run_totals *totals, pg_callback *callback, void *data)
{
    static const struct pg_statement retry = {
        .name = "chime_retry",
        .sql = "SELECT job_id FROM chime.retry($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        .parameter_count = 11};
    struct batch ends = {.statement = &finish_statement};
    struct batch retries = {.statement = &retry};
    for (size_t i = 0; i < count; i++) {
        add_end(finishes[i].retry_at == INSTANT_NONE ? &ends : &retries, &finishes[i]);
    }
    struct totals_statement added;
    if (totals != NULL) {
        totals_statement_init(&added, ledger->token, totals);
    }
    send_batches(ledger, ledger->ends, &ends, &retries, totals != NULL ? &added.statement : NULL, callback, data);
    if (totals != NULL) {
        totals_statement_finish(&added);
    }
}

void ledger_warm_up(const struct ledger *ledger)
{
    const char *parameters[COLUMNS_MAX + 1] = {ledger->token};
    struct pg_statement statements[] = {claim_statement, finish_statement};
    for (int i = 1; i < finish_statement.parameter_count; i++) {
        parameters[i] = "{}";
    }
    statements[0].parameters = statements[1].parameters = parameters;
    pg_send(ledger->connection, statements, COUNT_OF(statements), NULL, NULL);
}

void ledger_read_ended(const struct pg_reply *reply, size_t row, int64_t *job_id, enum run_state *state)
{
    *job_id = atoll(pg_reply_value(reply, 0, row, 0));
    if (!run_state_parse(pg_reply_value(reply, 0, row, 1), state)) {
        fatal("the ledger answered \"%s\" where an outcome was due", pg_reply_value(reply, 0, row, 1));
    }
}

static void add_missed(struct batch *batch, const struct skipped *passed)
{
    struct columns *columns = &batch->columns;
    columns_int(columns, 0, scheduled_id(passed->scheduled));
    columns_instant(columns, 1, passed->cursor);
    columns_instant(columns, 2, passed->first);
    columns_instant(columns, 3, passed->last);
    columns_int(columns, 4, passed->count);
    columns_text(columns, 5, passed->reason);
    columns_instant(columns, 6, passed->at);
    batch->rows++;
}

static void add_skip(struct batch *batch, const struct skipped *passed, instant slot)
{
    struct columns *columns = &batch->columns;
    columns_int(columns, 0, scheduled_id(passed->scheduled));
    columns_text(columns, 1, run_kind_name(passed->kind));
    columns_instant(columns, 2, passed->cursor);
    columns_instant(columns, 3, slot);
    columns_instant(columns, 4, passed->at);
    columns_text(columns, 5, passed->reason);
    columns_bool(columns, 6, passed->outcome);
    columns_text(columns, 7, log_word(scheduled_job(passed->scheduled)->options->log_runs));
    batch->rows++;
}

static void add_skipped(struct batch *batch, const struct skipped *passed)
{
    instant slot = passed->first;
    while (passed->kind == RUN_SCHEDULE && slot < passed->last) {
        add_skip(batch, passed, slot);
        slot = schedule_next(&passed->schedule, slot);
    }
    add_skip(batch, passed, passed->last);
}

void ledger_skip(const struct ledger *ledger, const struct skipped *passed, size_t count, pg_callback *callback,
                 void *data)
{
    static const struct pg_statement miss = {.name = "chime_miss",
                                             .sql = "SELECT job_id FROM chime.miss($1, $2, $3, $4, $5, $6, $7, $8)",
                                             .parameter_count = 8};
    static const struct pg_statement skip = {.name = "chime_skip",
                                             .sql = "SELECT job_id FROM chime.skip($1, $2, $3, $4, $5, $6, $7, $8, $9)",
                                             .parameter_count = 9};
    struct batch missed = {.statement = &miss};
    struct batch skipped = {.statement = &skip};
    for (size_t i = 0; i < count; i++) {
        if (passed[i].missed) {
            add_missed(&missed, &passed[i]);
        } else {
            add_skipped(&skipped, &passed[i]);
        }
    }
    send_batches(ledger, ledger->writes, &missed, &skipped, NULL, callback, data);
}

int64_t ledger_skipped_slots(const struct skipped *passed)
{
    int64_t slots = 1;
    for (instant slot = passed->first; passed->kind == RUN_SCHEDULE && slot < passed->last && !passed->missed;
         slots++) {
        slot = schedule_next(&passed->schedule, slot);
    }
    return passed->missed ? passed->count : slots;
}

/* Of numbers, and of grants, which begin with one. */
static int by_value(const void *left, const void *right)
{
    const int64_t *a = left;
    const int64_t *b = right;
    return (*a > *b) - (*a < *b);
}

static size_t count_rows(const struct pg_reply *reply, size_t statements)
{
    size_t total = 0;
    for (size_t n = 0; n < statements; n++) {
        total += pg_reply_rows(reply, n);
    }
    return total;
}

size_t ledger_read_granted(const struct pg_reply *reply, size_t statements, int64_t **job_ids)
{
    *job_ids = xcalloc(count_rows(reply, statements) + 1, sizeof(**job_ids));
    size_t count = 0;
    for (size_t n = 0; n < statements; n++) {
        for (size_t row = 0; row < pg_reply_rows(reply, n); row++) {
            const char *job_id = pg_reply_value(reply, n, row, 0);
            if (job_id != NULL) {
                (*job_ids)[count++] = atoll(job_id);
            }
        }
    }
    qsort(*job_ids, count, sizeof(**job_ids), by_value);
    return count;
}

bool ledger_granted(const int64_t *sorted, size_t count, int64_t job_id)
{
    return bsearch(&job_id, sorted, count, sizeof(*sorted), by_value) != NULL;
}

size_t ledger_read_grants(const struct pg_reply *reply, struct ledger_grant **grants)
{
    *grants = xcalloc(count_rows(reply, 2) + 1, sizeof(**grants));
    size_t count = 0;
    for (size_t n = 0; n < 2; n++) {
        for (size_t row = 0; row < pg_reply_rows(reply, n); row++) {
            const char *job_id = pg_reply_value(reply, n, row, 0);
            if (job_id != NULL) {
                (*grants)[count++] = (struct ledger_grant){atoll(job_id), atoll(pg_reply_value(reply, n, row, 4))};
            }
        }
    }
    qsort(*grants, count, sizeof(**grants), by_value);
    return count;
}

const struct ledger_grant *ledger_find_grant(const struct ledger_grant *sorted, size_t count, int64_t job_id)
{
    return bsearch(&job_id, sorted, count, sizeof(*sorted), by_value);
}

const char *ledger_read_suspended(const struct pg_reply *reply, int64_t job_id)
{
    for (size_t row = 0; row < pg_reply_rows(reply, 0); row++) {
        const char *suspended = pg_reply_value(reply, 0, row, 1);
        if (suspended != NULL && atoll(suspended) == job_id) {
            return pg_reply_value(reply, 0, row, 2);
        }
    }
    return NULL;
}

bool ledger_read_ahead(const struct pg_reply *reply, int64_t job_id)
{
    bool ahead = false;
    for (size_t row = 0; row < pg_reply_rows(reply, 0); row++) {
        const char *found = pg_reply_value(reply, 0, row, 3);
        ahead = ahead || (found != NULL && atoll(found) == job_id);
    }
    return ahead;
}

/* --- unfinished runs ---------------------------------------------------------------------------------------------- */

void ledger_unfinished(const struct ledger *ledger, const int *known, size_t known_count, int64_t from,
                       pg_callback *callback, void *data)
{
    struct columns columns;
    char after[24];
    snprintf(after, sizeof(after), "%lld", (long long)from);
    columns_init(&columns);
    for (size_t i = 0; i < known_count; i++) {
        columns_int(&columns, 0, known[i]);
    }
    columns_close(&columns);
    const char *parameters[] = {ledger->token, columns.values[0], after};
    ledger_send_one(ledger, "chime_unfinished_runs",
                    "SELECT run_id, job_id, kind, slot, attempt, waits, retry_at, gone, own, done, missed_after FROM "
                    "chime.unfinished_runs($1, $2, $3)",
                    COUNT_OF(parameters), parameters, callback, data);
    columns_finish(&columns);
}

static bool read_unfinished(const struct pg_reply *reply, size_t row, struct unfinished_run *run, struct error *err)
{
    *run = (struct unfinished_run){.run_id = atoll(pg_reply_value(reply, 0, row, 0)),
                                   .job_id = atoll(pg_reply_value(reply, 0, row, 1)),
                                   .slot = answer_instant(pg_reply_value(reply, 0, row, 3)),
                                   .attempt = atoi(pg_reply_value(reply, 0, row, 4)),
                                   .waits = pg_reply_value(reply, 0, row, 5)[0] == 't',
                                   .retry_at = answer_instant(pg_reply_value(reply, 0, row, 6)),
                                   .gone = pg_reply_value(reply, 0, row, 7)[0] == 't',
                                   .own = pg_reply_value(reply, 0, row, 8)[0] == 't',
                                   .done = pg_reply_value(reply, 0, row, 9)[0] == 't',
                                   .missed_after = pg_reply_value(reply, 0, row, 10)[0] == 't'};
    return answer_kind(pg_reply_value(reply, 0, row, 2), &run->kind, err);
}

bool ledger_read_unfinished(const struct pg_reply *reply, struct unfinished_run **unfinished, size_t *count,
                            int64_t *from, struct error *err)
{
    size_t rows = pg_reply_rows(reply, 0);
    *unfinished = xrealloc(*unfinished, *count + rows + 1, sizeof(**unfinished));
    *from = 0;
    for (size_t row = 0; row < rows; row++) {
        if (pg_reply_value(reply, 0, row, 0) == NULL) {
            *from = atoll(pg_reply_value(reply, 0, row, 1));
            return true;
        }
        if (!read_unfinished(reply, row, &(*unfinished)[*count], err)) {
            return false;
        }
        (*count)++;
    }
    return true;
}

void ledger_adopt(const struct ledger *ledger, const struct ledger_verdict *verdicts, size_t count, instant at,
                  pg_callback *callback, void *data)
{
    struct columns columns;
    char decided[INSTANT_TEXT_SIZE];
    columns_init(&columns);
    for (size_t i = 0; i < count; i++) {
        columns_int(&columns, 0, verdicts[i].job_id);
        columns_int(&columns, 1, verdicts[i].run_id);
        columns_bool(&columns, 2, verdicts[i].again);
        columns_instant(&columns, 3, verdicts[i].again ? verdicts[i].retry_at : INSTANT_NONE);
        columns_text(&columns, 4, verdicts[i].reason);
        columns_instant(&columns, 5, verdicts[i].outcome_at);
    }
    columns_close(&columns);
    const char *parameters[] = {ledger->token,     columns.values[0], columns.values[1],           columns.values[2],
                                columns.values[3], columns.values[4], instant_format(at, decided), columns.values[5]};
    ledger_send_one(ledger, NULL,
                    "SELECT run_id, ended, kind, slot, attempt, started_at, finished_at FROM chime.adopt($1, $2, $3, "
                    "$4, $5, $6, $7, $8)",
                    COUNT_OF(parameters), parameters, callback, data);
    columns_finish(&columns);
}

bool ledger_read_adopted(const struct pg_reply *reply, int64_t run_id, bool *again, enum run_state *state)
{
    for (size_t row = 0; row < pg_reply_rows(reply, 0); row++) {
        if (atoll(pg_reply_value(reply, 0, row, 0)) == run_id) {
            const char *ended = pg_reply_value(reply, 0, row, 1);
            *again = ended == NULL;
            return *again || run_state_parse(ended, state);
        }
    }
    return false;
}

bool ledger_read_adopted_end(const struct pg_reply *reply, size_t row, struct run_ended *ended)
{
    struct error err;
    const char *state = pg_reply_value(reply, 0, row, 1);
    if (state == NULL || !run_state_parse(state, &ended->state) ||
        !answer_kind(pg_reply_value(reply, 0, row, 2), &ended->kind, &err)) {
        return false;
    }
    ended->slot = answer_instant(pg_reply_value(reply, 0, row, 3));
    ended->first_attempt = atoi(pg_reply_value(reply, 0, row, 4)) == 1;
    ended->started = answer_instant(pg_reply_value(reply, 0, row, 5));
    ended->finished = answer_instant(pg_reply_value(reply, 0, row, 6));
    return true;
}

void ledger_release(const struct ledger *ledger, const struct ledger_request *runs, size_t count, instant at,
                    pg_callback *callback, void *data)
{
    struct columns columns;
    char decided[INSTANT_TEXT_SIZE];
    columns_init(&columns);
    for (size_t i = 0; i < count; i++) {
        columns_int(&columns, 0, runs[i].job_id);
        columns_text(&columns, 1, run_kind_name(runs[i].kind));
        columns_instant(&columns, 2, runs[i].slot);
    }
    columns_close(&columns);
    const char *parameters[] = {ledger->token, columns.values[0], columns.values[1], columns.values[2],
                                instant_format(at, decided)};
    ledger_send_one(ledger, NULL, "SELECT chime.release($1, $2, $3, $4, $5)", 5, parameters, callback, data);
    columns_finish(&columns);
}

void ledger_tend_capture(struct pg_connection *connection, pg_callback *callback, void *data)
{
    pg_send_one(connection, NULL, "CALL chime.tend_capture()", 0, NULL, callback, data);
}

bool ledger_tend_more(const struct pg_reply *reply)
{
    return pg_reply_ok(reply) && pg_reply_value(reply, 0, 0, 1)[0] == 't';
}

void ledger_request_population(const struct ledger *ledger, instant at, bool again, pg_callback *callback, void *data)
{
    char decided[INSTANT_TEXT_SIZE];
    const char *parameters[] = {ledger->token, instant_format(at, decided), again ? "t" : "f"};
    ledger_send_one(ledger, NULL, "SELECT chime.request_population($1, $2, $3)", 3, parameters, callback, data);
}

void ledger_cancel(const struct ledger *ledger, const struct pg_identity *session, bool terminate,
                   pg_callback *callback, void *data)
{
    struct columns pid;
    columns_init(&pid);
    buffer_put_int(&pid.column[0], session->pid);
    const char *parameters[] = {buffer_text(&pid.column[0]), session->backend_start, terminate ? "t" : "f"};
    pg_send_one(ledger->connection, "chime_cancel", "SELECT chime.cancel_backend($1, $2, $3)", 3, parameters, callback,
                data);
    columns_finish(&pid);
}
