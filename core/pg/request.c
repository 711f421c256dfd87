/* SPDX-License-Identifier: PostgreSQL */
#include "pg/request.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"

struct pg_request *request_create(size_t statements, pg_callback *callback, void *data)
{
    struct pg_request *request = xcalloc(1, sizeof(*request));
    request->callback = callback;
    request->data = data;
    request->steps = xcalloc(statements * 2 + 1, sizeof(*request->steps)); /* each may need preparing; never empty */
    request->reply.results = xcalloc(statements, sizeof(PGresult *));
    request->reply.count = statements;
    request->reply.ok = true;
    request->reply.affected = -1;
    return request;
}

void request_destroy(struct pg_request *request)
{
    for (size_t i = 0; i < request->reply.count; i++) {
        PQclear(request->reply.results[i]);
    }
    free(request->reply.results);
    free(request->reply.message);
    free(request->reply.lines);
    free(request->steps);
    free(request);
}

void request_add_step(struct pg_request *request, const char *prepares, size_t statement, bool discard_rows)
{
    request->steps[request->step_count++] = (struct pg_step){prepares, statement, discard_rows};
}

bool request_streams(const struct pg_request *request)
{
    return request->step < request->step_count && request->steps[request->step].discard_rows;
}

void request_fail(struct pg_request *request, const char *sqlstate, const char *message, size_t length)
{
    struct pg_reply *reply = &request->reply;
    reply->ok = false;
    if (reply->message == NULL) {
        while (length > 0 && message[length - 1] == '\n') {
            length--;
        }
        reply->message = xstrndup(message, utf8_cut(message, length, PG_MESSAGE_LIMIT));
        utf8_repair(reply->message, strlen(reply->message)); /* a text may have set another client_encoding */
        snprintf(reply->sqlstate, sizeof(reply->sqlstate), "%s", sqlstate);
    }
}

/* A server that said why before it went has answered, as far as it goes (pg_reply_broken). Silence leaves all open. */
void request_lose(struct pg_request *request, const char *message)
{
    request->reply.broken = true;
    request->reply.lost = request->reply.sqlstate[0] == '\0';
    request_fail(request, "", message, strlen(message));
}

static void append_field(char **text, const PGresult *result, int field, const char *label)
{
    const char *value = PQresultErrorField(result, field);
    if (value != NULL) {
        char *longer = xasprintf("%s\n%s:  %s", *text, label, value);
        free(*text);
        *text = longer;
    }
}

/* libpq's words without the severity, which everybody knows. */
static void keep_lines(struct pg_reply *reply, const PGresult *result)
{
    const char *severity = PQresultErrorField(result, PG_DIAG_SEVERITY);
    const char *words = PQresultErrorMessage(result);
    size_t length = severity != NULL ? strlen(severity) : 0;
    if (PQresultErrorField(result, PG_DIAG_STATEMENT_POSITION) == NULL || reply->lines != NULL) {
        return;
    }
    if (length > 0 && strncmp(words, severity, length) == 0 && strncmp(words + length, ":  ", 3) == 0) {
        words += length + 3;
    }
    length = strlen(words);
    while (length > 0 && words[length - 1] == '\n') {
        length--;
    }
    reply->lines = xstrndup(words, utf8_cut(words, length, PG_MESSAGE_LIMIT));
    utf8_repair(reply->lines, strlen(reply->lines));
}

static void note_failure(struct pg_request *request, const PGresult *result)
{
    const char *sqlstate = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *primary = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    if (sqlstate == NULL) {
        /* libpq's own words: the connection is gone or the text could not be sent. */
        const char *words = PQresultErrorMessage(result);
        request_fail(request, "", words, strlen(words));
        return;
    }
    char *text = xstrdup(primary != NULL ? primary : "");
    append_field(&text, result, PG_DIAG_MESSAGE_DETAIL, "DETAIL");
    append_field(&text, result, PG_DIAG_MESSAGE_HINT, "HINT");
    append_field(&text, result, PG_DIAG_CONTEXT, "CONTEXT");
    if (request->reply.message == NULL) {
        keep_lines(&request->reply, result);
    }
    request_fail(request, sqlstate, text, strlen(text));
    free(text);
}

static void note_success(struct pg_request *request, const struct pg_step *step, PGresult *result)
{
    struct pg_reply *reply = &request->reply;
    const char *affected = PQcmdTuples(result);
    bool has_rows = PQresultStatus(result) == PGRES_TUPLES_OK;
    reply->completed++;
    reply->has_rows = has_rows;
    snprintf(reply->tag, sizeof(reply->tag), "%s", PQcmdStatus(result));
    reply->affected = has_rows && step->discard_rows ? request->streamed + PQntuples(result)
                      : affected[0] != '\0'          ? atoll(affected)
                                                     : -1;
    request->streamed = 0;
    if (step->discard_rows || reply->results[step->statement] != NULL) {
        PQclear(result);
    } else {
        reply->results[step->statement] = result;
    }
}

const char *request_feed(struct pg_request *request, PGresult *result)
{
    size_t last = request->step_count - 1;
    const struct pg_step *step = &request->steps[request->step < last ? request->step : last];
    ExecStatusType status = PQresultStatus(result);
    if (status == PGRES_SINGLE_TUPLE) {
        request->streamed++;
        PQclear(result);
        return NULL;
    }
    if (status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK || status == PGRES_EMPTY_QUERY) {
        if (step->prepares != NULL) {
            PQclear(result);
        } else {
            note_success(request, step, result);
        }
        return NULL;
    }
    if (status != PGRES_PIPELINE_ABORTED) {
        note_failure(request, result);
        request->late = request->step >= request->step_count;
    }
    PQclear(result);
    return step->prepares;
}

void request_answer(struct pg_request *request)
{
    if (request->callback != NULL) {
        request->callback(request->data, &request->reply);
    }
}

const struct pg_reply *pg_reply_of_none(void)
{
    static char message[] = "the connection was given up";
    static const struct pg_reply none = {.lost = true, .broken = true, .message = message};
    return &none;
}

bool pg_reply_ok(const struct pg_reply *reply)
{
    return reply->ok;
}

bool pg_reply_lost(const struct pg_reply *reply)
{
    return reply->lost;
}

bool pg_reply_broken(const struct pg_reply *reply)
{
    return reply->broken;
}

bool pg_reply_too_large(const struct pg_reply *reply)
{
    return reply->too_large;
}

size_t pg_reply_completed(const struct pg_reply *reply)
{
    return reply->completed;
}

const char *pg_reply_message(const struct pg_reply *reply)
{
    return reply->message != NULL ? reply->message : "";
}

const char *pg_reply_lines(const struct pg_reply *reply)
{
    return reply->lines != NULL ? reply->lines : pg_reply_message(reply);
}

bool pg_reply_has_rows(const struct pg_reply *reply)
{
    return reply->has_rows;
}

const char *pg_reply_sqlstate(const struct pg_reply *reply)
{
    return reply->sqlstate;
}

void pg_reply_error(const struct pg_reply *reply, struct error *err)
{
    const char *message = pg_reply_message(reply);
    size_t line = strcspn(message, "\n");
    error_set(err, reply->lost ? ERROR_UNREACHABLE : ERROR_FAILED, "%.*s", (int)line, message);
    snprintf(err->sqlstate, sizeof(err->sqlstate), "%s", reply->sqlstate);
    const char *hint = strstr(message, "\nHINT:  ");
    if (hint != NULL) {
        hint += strlen("\nHINT:  ");
        error_hint(err, "%.*s", (int)strcspn(hint, "\n"), hint);
    }
}

size_t pg_reply_rows(const struct pg_reply *reply, size_t statement)
{
    return statement < reply->count && reply->results[statement] != NULL ? (size_t)PQntuples(reply->results[statement])
                                                                         : 0;
}

const char *pg_reply_value(const struct pg_reply *reply, size_t statement, size_t row, int column)
{
    const PGresult *result = reply->results[statement];
    return PQgetisnull(result, (int)row, column) ? NULL : PQgetvalue(result, (int)row, column);
}

const char *pg_reply_tag(const struct pg_reply *reply)
{
    return reply->tag;
}

long long pg_reply_affected(const struct pg_reply *reply)
{
    return reply->affected;
}
