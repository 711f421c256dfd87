#include "runner/work.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "base/sqltext.h"

#define REFRESH_MAX 64

static const struct pg_statement begin = {.name = "chime_begin", .sql = "BEGIN ISOLATION LEVEL READ COMMITTED"};
static const struct pg_statement commit = {.name = "chime_commit", .sql = "COMMIT"};
static const struct pg_statement xid_now = {.name = "chime_xid", .sql = "SELECT pg_catalog.pg_current_xact_id()"};

void work_clear(struct work_result *result)
{
    free(result->message);
    *result = (struct work_result){.rows = -1};
}

static void replace_message(struct work_result *result, char *message)
{
    free(result->message);
    result->message = message;
}

void work_failed(struct work_result *result, const struct pg_reply *reply)
{
    result->ok = false;
    result->rows = -1;
    snprintf(result->sqlstate, sizeof result->sqlstate, "%s", pg_reply_sqlstate(reply));
    replace_message(result, xstrdup(pg_reply_message(reply)));
}

void work_left_open(struct work_result *result, bool transactional)
{
    if (result->ok && !transactional) {
        result->ok = false;
        snprintf(result->sqlstate, sizeof result->sqlstate, "25001");
        replace_message(result, xstrdup("the text began a transaction and did not end it; it was rolled back\n"
                                        "HINT:  end the text with COMMIT"));
    }
}

/* --- sending ----------------------------------------------------------------------------------------------------------- */

/* BEGIN, the lock timeout where there is one, the transaction id for a text. */
static size_t opening_statements(const struct job *job)
{
    return 1u + (job->options.lock_timeout > 0 ? 1u : 0u) + (job->work == JOB_COMMAND ? 1u : 0u);
}

/* Bound as milliseconds. `local`: for the transaction, else for the session (which is wiped afterwards). */
static struct pg_statement lock_timeout(const char *const *milliseconds, bool local)
{
    return (struct pg_statement){.name = local ? "chime_lock_local" : "chime_lock",
                                 .sql = local ? "SELECT pg_catalog.set_config('lock_timeout', $1, true)"
                                              : "SELECT pg_catalog.set_config('lock_timeout', $1, false)",
                                 .parameter_count = 1,
                                 .parameters = milliseconds};
}

static bool send_transactional(struct pg_connection *connection, const struct job *job, pg_callback *opened,
                               pg_callback *worked, void *data)
{
    struct pg_statement statements[3 + REFRESH_MAX];
    char milliseconds[24];
    const char *timeout[] = {milliseconds};
    size_t count = 0;
    snprintf(milliseconds, sizeof milliseconds, "%lld", (long long)(job->options.lock_timeout / USEC_PER_MSEC));
    statements[count++] = begin;
    if (job->options.lock_timeout > 0) {
        statements[count++] = lock_timeout(timeout, true);
    }
    if (job->work == JOB_COMMAND) {
        statements[count++] = xid_now;
        if (!sql_is_single_statement(job->command)) {
            pg_send(connection, statements, count, opened, data);
            return true;
        }
        statements[count++] = (struct pg_statement){.sql = job->command, .discard_rows = true};
    }
    for (size_t i = 0; i < job->view_count && i < REFRESH_MAX; i++) {
        statements[count++] = (struct pg_statement){
            .name = "chime_refresh",
            .sql = "SELECT method, rows, inserted, updated, deleted, rejected FROM chime.refresh($1)",
            .parameter_count = 1,
            .parameters = &job->views[i]};
    }
    pg_send(connection, statements, count, worked, data);
    return false;
}

static bool send_plain(struct pg_connection *connection, const struct job *job, pg_callback *opened,
                       pg_callback *worked, void *data)
{
    char milliseconds[24];
    const char *timeout[] = {milliseconds};
    struct pg_statement limit = lock_timeout(timeout, false);
    bool single = sql_is_single_statement(job->command);
    snprintf(milliseconds, sizeof milliseconds, "%lld", (long long)(job->options.lock_timeout / USEC_PER_MSEC));
    if (job->options.lock_timeout > 0) {
        /* A request of its own: in one with the text it would make a transaction, in which VACUUM cannot run. */
        pg_send(connection, &limit, 1, single ? NULL : opened, data);
        if (!single) {
            return true;
        }
    }
    if (single) {
        struct pg_statement text = {.sql = job->command, .discard_rows = true};
        pg_send(connection, &text, 1, worked, data);
    } else {
        pg_send_text(connection, job->command, worked, data);
    }
    return false;
}

bool work_send(struct pg_connection *connection, const struct job *job, pg_callback *opened, pg_callback *worked,
               void *data)
{
    return job->options.delivery == DELIVERY_TRANSACTIONAL ? send_transactional(connection, job, opened, worked, data)
                                                           : send_plain(connection, job, opened, worked, data);
}

void work_send_end(struct pg_connection *connection, const char *token, int64_t job_id, enum run_kind kind,
                   instant slot, const char *xid, instant started, const struct work_result *result,
                   pg_callback *callback, void *data)
{
    char id[24];
    char slot_text[INSTANT_TEXT_SIZE];
    char started_text[INSTANT_TEXT_SIZE];
    char rows[24];
    snprintf(id, sizeof id, "%lld", (long long)job_id);
    snprintf(rows, sizeof rows, "%lld", (long long)result->rows);
    const char *parameters[] = {token,
                                id,
                                run_kind_name(kind),
                                instant_format(slot, slot_text),
                                xid[0] != '\0' ? xid : NULL,
                                instant_format(started, started_text),
                                result->rows >= 0 ? rows : NULL,
                                result->message};
    struct pg_statement statements[] = {{.name = "chime_finish_own",
                                         .sql = "SELECT chime.finish_own($1, $2, $3, $4, $5, $6, $7, $8)",
                                         .parameter_count = COUNT_OF(parameters),
                                         .parameters = parameters},
                                        commit};
    pg_send(connection, statements, COUNT_OF(statements), callback, data);
}

/* --- reading ----------------------------------------------------------------------------------------------------------- */

void work_read_xid(const struct pg_reply *reply, const struct job *job, char *xid, size_t size)
{
    size_t at = opening_statements(job) - 1;
    bool asked = job->work == JOB_COMMAND && job->options.delivery == DELIVERY_TRANSACTIONAL;
    snprintf(xid, size, "%s", asked && pg_reply_rows(reply, at) == 1 ? pg_reply_value(reply, at, 0, 0) : "");
}

static long long value_of(const struct pg_reply *reply, size_t statement, int column)
{
    const char *text = pg_reply_value(reply, statement, 0, column);
    return text != NULL ? atoll(text) : 0;
}

static void read_refreshes(struct work_result *result, const struct job *job, const struct pg_reply *reply)
{
    struct buffer words = {0};
    size_t offset = opening_statements(job);
    result->rows = 0;
    for (size_t i = 0; i < job->view_count; i++) {
        size_t at = offset + i;
        if (pg_reply_rows(reply, at) != 1) {
            continue;
        }
        if (job->view_count > 1) {
            buffer_printf(&words, "%s%s: ", i > 0 ? "; " : "", job->views[i]);
        }
        buffer_printf(&words, "%s refresh, %lld rows: %lld inserted, %lld updated, %lld deleted",
                      pg_reply_value(reply, at, 0, 0), value_of(reply, at, 1), value_of(reply, at, 2),
                      value_of(reply, at, 3), value_of(reply, at, 4));
        if (pg_reply_value(reply, at, 0, 5) != NULL) {
            buffer_printf(&words, "; %lld source values rejected", value_of(reply, at, 5));
        }
        result->rows += value_of(reply, at, 2) + value_of(reply, at, 3) + value_of(reply, at, 4);
    }
    replace_message(result, buffer_take(&words));
}

void work_read(struct work_result *result, const struct job *job, const struct pg_reply *reply)
{
    if (!pg_reply_ok(reply)) {
        work_failed(result, reply);
        return;
    }
    result->ok = true;
    if (job->work == JOB_REFRESH) {
        read_refreshes(result, job, reply);
    } else {
        result->rows = pg_reply_affected(reply);
        replace_message(result, xstrdup(pg_reply_tag(reply)));
    }
}
