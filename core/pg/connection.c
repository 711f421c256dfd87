/* SPDX-License-Identifier: PostgreSQL */
#include "pg/connection.h"

#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/log.h"
#include "base/memory.h"
#include "pg/connect.h"
#include "pg/intake.h"
#include "pg/request.h"

enum pg_state {
    PG_CONNECTING,
    PG_READY,  /* requests may be sent */
    PG_ENDED,  /* the server or the network ended it; the owner has yet to close */
    PG_CLOSED, /* freed at the end of this turn of the loop */
    PG_STATE_COUNT
};

static const bool transition_allowed[PG_STATE_COUNT][PG_STATE_COUNT] = {
    [PG_CONNECTING] = {[PG_READY] = true, [PG_ENDED] = true, [PG_CLOSED] = true},
    [PG_READY] = {[PG_ENDED] = true, [PG_CLOSED] = true},
    [PG_ENDED] = {[PG_CLOSED] = true},
};

#define PREPARED_MAX 32
#define SWOLLEN_BYTES (4u << 20) /* of one result: libpq never gives the room for it back */
#define TURN_BYTES (1u << 20)    /* read in one turn of the loop, which has others to serve */

struct pg_connection {
    struct loop *loop;
    const struct pg_handlers *handlers;
    void *data;
    enum pg_state state;
    struct pg_connect *attempt; /* CONNECTING */
    size_t host;
    char server_wanted[40];
    PGconn *pg;
    struct loop_watch *watch;
    struct error reason; /* why it ends, delivered in a turn of its own */
    struct pg_request *first;
    struct pg_request **last;
    const char *prepared[PREPARED_MAX];
    size_t prepared_count;
    bool swollen;
    size_t limit;  /* of `unread` */
    size_t unread; /* bytes that came since the last result, row, notice or notification was complete */
};

static void move_to(struct pg_connection *connection, enum pg_state state)
{
    if (!transition_allowed[connection->state][state]) {
        fatal("connection: no transition from state %d to %d", connection->state, state);
    }
    connection->state = state;
}

static struct pg_request *take_first(struct pg_connection *connection)
{
    struct pg_request *request = connection->first;
    connection->first = request->next;
    if (connection->first == NULL) {
        connection->last = &connection->first;
    }
    return request;
}

/* --- ending ------------------------------------------------------------------------------------------------------- */

static void release_wire(struct pg_connection *connection)
{
    loop_watch_destroy(connection->watch);
    connection->watch = NULL;
    pg_connect_destroy(connection->attempt);
    connection->attempt = NULL;
    PQfinish(connection->pg);
    connection->pg = NULL;
}

static void connection_free(void *data)
{
    free(data);
}

void pg_close(struct pg_connection *connection)
{
    if (connection == NULL) {
        return;
    }
    move_to(connection, PG_CLOSED);
    release_wire(connection);
    while (connection->first != NULL) {
        request_destroy(take_first(connection));
    }
    loop_forget(connection->loop, connection);
    loop_defer(connection->loop, connection_free, connection);
}

static void answer_as_lost(struct pg_connection *connection, const char *reason)
{
    while (connection->state == PG_ENDED && connection->first != NULL) {
        struct pg_request *request = take_first(connection);
        request_lose(request, reason);
        request_answer(request);
        request_destroy(request);
    }
}

static void lose_pending(struct pg_connection *connection, const char *reason)
{
    move_to(connection, PG_ENDED);
    release_wire(connection);
    loop_forget(connection->loop, connection); /* an end that was to be told */
    answer_as_lost(connection, reason);
}

/* Once it has ended there may still be requests, sent since: whoever waits for an answer gets one. */
void pg_cut(struct pg_connection *connection)
{
    static const char reason[] = "the connection was given up";
    if (connection->state != PG_ENDED) {
        lose_pending(connection, reason);
    } else {
        answer_as_lost(connection, reason);
    }
}

/* Answers what is pending, then tells the owner, who may have closed it meanwhile. */
static void end(struct pg_connection *connection, const struct error *reason)
{
    struct error copy = *reason;
    lose_pending(connection, copy.message);
    if (connection->state == PG_ENDED) {
        connection->handlers->closed(connection->data, &copy);
    }
}

/* libpq's message may have many lines and repeat itself; the first says what happened. */
static void end_with_libpq_error(struct pg_connection *connection)
{
    struct error err;
    const char *message = PQerrorMessage(connection->pg);
    size_t length = strcspn(message, "\n");
    if (length == 0) {
        message = "the server closed the connection";
        length = strlen(message);
    }
    error_set(&err, ERROR_UNREACHABLE, "%.*s", (int)length, message);
    end(connection, &err);
}

static void end_deferred(void *data)
{
    struct pg_connection *connection = data;
    end(connection, &connection->reason);
}

static void fail_later(struct pg_connection *connection, const struct error *err)
{
    connection->reason = *err;
    loop_defer(connection->loop, end_deferred, connection);
}

/* --- reading ------------------------------------------------------------------------------------------------------ */

static void stream_if_wanted(struct pg_connection *connection)
{
    if (connection->first != NULL && request_streams(connection->first)) {
        PQsetSingleRowMode(connection->pg);
    }
}

static void forget_prepared(struct pg_connection *connection, const char *name)
{
    for (size_t i = 0; i < connection->prepared_count; i++) {
        if (strcmp(connection->prepared[i], name) == 0) {
            connection->prepared[i] = connection->prepared[--connection->prepared_count];
            return;
        }
    }
}

static void complete_first(struct pg_connection *connection)
{
    struct pg_request *request = take_first(connection);
    stream_if_wanted(connection);
    request_answer(request);
    request_destroy(request);
}

/* A text's COPY has nowhere to go: rows to us are dropped, as those of any query are; rows from us there are none. True
 * when more input is needed. */
static bool drain_copy(struct pg_connection *connection, PGresult *result)
{
    static const char refusal[] = "COPY FROM STDIN is not possible in a job: nobody is there to send the rows\n"
                                  "HINT:  copy from a file or a program of the server, or INSERT ... SELECT";
    bool to_us = PQresultStatus(result) == PGRES_COPY_OUT;
    PQclear(result);
    if (!to_us) {
        request_fail(connection->first, "0A000", refusal, strlen(refusal));
        PQputCopyEnd(connection->pg, "nobody is there to send the rows");
        return false;
    }
    char *row = NULL;
    int length;
    while ((length = PQgetCopyData(connection->pg, &row, 1)) > 0) {
        connection->unread = 0;
        PQfreemem(row);
    }
    return length == 0;
}

static bool starts_copy(const PGresult *result)
{
    ExecStatusType status = PQresultStatus(result);
    return status == PGRES_COPY_IN || status == PGRES_COPY_OUT || status == PGRES_COPY_BOTH;
}

/* libpq forgets the single-row mode of a text only at the next synchronisation point: a bare one ends every text. */
static void back_to_pipeline(struct pg_connection *connection, struct pg_request *request)
{
    request->simple = false;
    request->step = request->step_count;
    PQenterPipelineMode(connection->pg);
    PQpipelineSync(connection->pg);
}

/* One result, or the NULL between results. False when there is nothing more to read now. */
static bool read_one(struct pg_connection *connection)
{
    struct pg_request *request = connection->first;
    PGresult *result = PQgetResult(connection->pg);
    if (result != NULL && starts_copy(result)) {
        return !drain_copy(connection, result); /* told at every look, whatever has come of it */
    }
    connection->unread = 0;
    if (result == NULL) {
        if (request->simple) {
            back_to_pipeline(connection, request);
            return true;
        }
        if (request->late) {
            request->late = false; /* closes the failure of a commit, as others close theirs */
            return true;
        }
        if (request->step >= request->step_count) {
            return false; /* libpq has nothing to say though an answer is due: the connection is broken */
        }
        request->step++;
        stream_if_wanted(connection);
        return true;
    }
    if (PQresultStatus(result) == PGRES_PIPELINE_SYNC) {
        PQclear(result);
        complete_first(connection);
        return true;
    }
    connection->swollen = connection->swollen || PQresultMemorySize(result) > SWOLLEN_BYTES;
    const char *unprepared = request_feed(request, result);
    if (unprepared != NULL) {
        forget_prepared(connection, unprepared);
    }
    return true;
}

static void deliver_notifications(struct pg_connection *connection)
{
    PGnotify *note;
    while (connection->state == PG_READY && (note = PQnotifies(connection->pg)) != NULL) {
        connection->unread = 0;
        if (connection->handlers->notified != NULL) {
            connection->handlers->notified(connection->data, note->relname, note->extra);
        }
        PQfreemem(note);
    }
}

/* False when the server closed, or the wire broke. */
static bool take_in(struct pg_connection *connection)
{
    intake_allow(TURN_BYTES);
    bool alive = PQconsumeInput(connection->pg) != 0;
    connection->unread += intake_end();
    connection->swollen = connection->swollen || connection->unread > SWOLLEN_BYTES;
    return alive;
}

/* What is too large is not waited for: libpq would keep all of it. */
static void end_if_too_large(struct pg_connection *connection)
{
    struct error err;
    if (connection->state != PG_READY || connection->unread <= connection->limit) {
        return;
    }
    error_set(&err, ERROR_FAILED, "the session was sent more than %zu MB at once, and was ended",
              connection->limit >> 20);
    if (connection->first != NULL) {
        connection->first->reply.too_large = true;
    }
    end(connection, &err);
}

static void read_answers(struct pg_connection *connection)
{
    if (!take_in(connection)) {
        /* What arrived before the end may still be an answer, or the server's reason. */
        while (connection->state == PG_READY && connection->first != NULL && !PQisBusy(connection->pg) &&
               read_one(connection)) {
        }
        if (connection->state == PG_READY) {
            end_with_libpq_error(connection);
        }
        return;
    }
    while (connection->state == PG_READY && connection->first != NULL && !PQisBusy(connection->pg)) {
        if (!read_one(connection)) {
            break;
        }
    }
    deliver_notifications(connection);
    end_if_too_large(connection);
    if (connection->state == PG_READY && PQstatus(connection->pg) == CONNECTION_BAD) {
        end_with_libpq_error(connection);
    }
}

/* --- writing ------------------------------------------------------------------------------------------------------ */

static void flush(struct pg_connection *connection)
{
    int pending = PQflush(connection->pg);
    if (pending < 0) {
        /* The reason, if the server gave one, is in what is still to be read. */
        loop_watch_set(connection->watch, true, false);
        return;
    }
    loop_watch_set(connection->watch, true, pending > 0);
}

static void wire_event(void *data, bool readable, bool writable)
{
    struct pg_connection *connection = data;
    if (readable) {
        read_answers(connection);
    }
    if (connection->state == PG_READY && (writable || readable)) {
        flush(connection);
    }
}

static bool is_prepared(const struct pg_connection *connection, const char *name)
{
    for (size_t i = 0; i < connection->prepared_count; i++) {
        if (strcmp(connection->prepared[i], name) == 0) {
            return true;
        }
    }
    return false;
}

static bool write_statement(struct pg_connection *connection, struct pg_request *request, size_t index,
                            const struct pg_statement *statement)
{
    bool prepared = statement->name != NULL && is_prepared(connection, statement->name);
    if (statement->name != NULL && !prepared && connection->prepared_count < PREPARED_MAX) {
        if (!PQsendPrepare(connection->pg, statement->name, statement->sql, 0, NULL)) {
            return false;
        }
        request_add_step(request, statement->name, index, false);
        connection->prepared[connection->prepared_count++] = statement->name;
        prepared = true;
    }
    request_add_step(request, NULL, index, statement->discard_rows);
    return prepared ? PQsendQueryPrepared(connection->pg, statement->name, statement->parameter_count,
                                          statement->parameters, NULL, NULL, 0)
                    : PQsendQueryParams(connection->pg, statement->sql, statement->parameter_count, statement->types,
                                        statement->parameters, NULL, NULL, 0);
}

static void queue(struct pg_connection *connection, struct pg_request *request)
{
    *connection->last = request;
    connection->last = &request->next;
}

/* What was sent to a connection that is ending, or could not be written, is answered with its end. */
static void break_later(struct pg_connection *connection)
{
    if (connection->state != PG_READY) {
        return;
    }
    struct error err;
    const char *message = PQerrorMessage(connection->pg);
    error_set(&err, ERROR_UNREACHABLE, "%.*s", (int)strcspn(message, "\n"), message);
    fail_later(connection, &err);
}

void pg_send(struct pg_connection *connection, const struct pg_statement *statements, size_t count,
             pg_callback *callback, void *data)
{
    if (connection->first != NULL && connection->first->simple) {
        fatal("a request was sent behind a text that is not answered yet");
    }
    struct pg_request *request = request_create(count, callback, data);
    bool was_idle = connection->first == NULL;
    bool written = connection->state == PG_READY;
    for (size_t i = 0; written && i < count; i++) {
        written = write_statement(connection, request, i, &statements[i]);
    }
    queue(connection, request);
    if (!written || !PQpipelineSync(connection->pg)) {
        break_later(connection);
        return;
    }
    if (was_idle) {
        stream_if_wanted(connection);
    }
    flush(connection);
}

void pg_send_one(struct pg_connection *connection, const char *name, const char *sql, int parameter_count,
                 const char *const *parameters, pg_callback *callback, void *data)
{
    struct pg_statement statement = {
        .name = name, .sql = sql, .parameter_count = parameter_count, .parameters = parameters};
    pg_send(connection, &statement, 1, callback, data);
}

void pg_send_text(struct pg_connection *connection, const char *text, pg_callback *callback, void *data)
{
    if (connection->first != NULL) {
        fatal("a text was sent on a connection that waits for an answer");
    }
    struct pg_request *request = request_create(1, callback, data);
    request->simple = true;
    request_add_step(request, NULL, 0, true);
    queue(connection, request);
    if (connection->state != PG_READY || !PQexitPipelineMode(connection->pg) || !PQsendQuery(connection->pg, text)) {
        break_later(connection);
        return;
    }
    stream_if_wanted(connection);
    flush(connection);
}

void pg_forget(struct pg_connection *connection, const void *data)
{
    for (struct pg_request *request = connection->first; request != NULL; request = request->next) {
        if (request->data == data) {
            request->callback = NULL;
        }
    }
}

void pg_forget_prepared(struct pg_connection *connection)
{
    connection->prepared_count = 0;
}

/* --- opening ------------------------------------------------------------------------------------------------------ */

#define TOLD "CH012" /* SQLSTATE of what chime.tell says */

static void hear(void *data, const PGresult *notice)
{
    struct pg_connection *connection = data;
    connection->unread = 0; /* many small notices are not one large one */
    const char *state = PQresultErrorField(notice, PG_DIAG_SQLSTATE);
    const char *words = PQresultErrorField(notice, PG_DIAG_MESSAGE_PRIMARY);
    if (state == NULL || words == NULL) {
        return;
    }
    if (connection->handlers->told != NULL && strcmp(state, TOLD) == 0) {
        connection->handlers->told(connection->data, words);
    } else {
        log_debug("server: %s", words);
    }
}

static void become_ready(void *data, PGconn *pg, size_t host)
{
    struct pg_connection *connection = data;
    pg_connect_destroy(connection->attempt);
    connection->attempt = NULL;
    connection->pg = pg;
    connection->host = host;
    PQsetNoticeReceiver(pg, hear, connection);
    PQsetnonblocking(pg, 1);
    PQenterPipelineMode(pg);
    connection->watch = loop_watch_create(connection->loop, PQsocket(pg), wire_event, connection);
    loop_watch_set(connection->watch, true, false);
    move_to(connection, PG_READY);
    connection->handlers->ready(connection->data);
}

static void connect_failed(void *data, const struct error *reason)
{
    end(data, reason);
}

struct pg_connection *pg_open(struct loop *loop, struct resolver *resolver, const struct pg_target *target,
                              const struct pg_handlers *handlers, void *data)
{
    static const struct pg_connect_handlers connecting = {.connected = become_ready, .failed = connect_failed};
    struct pg_connection *connection = xcalloc(1, sizeof(*connection));
    connection->loop = loop;
    connection->handlers = handlers;
    connection->data = data;
    connection->last = &connection->first;
    connection->limit = target->input_limit > 0 ? target->input_limit : PG_INPUT_LIMIT;
    if (target->server != NULL) {
        snprintf(connection->server_wanted, sizeof(connection->server_wanted), "%s", target->server->started);
    }
    connection->attempt = pg_connect_start(loop, resolver, target, &connecting, connection);
    return connection;
}

/* --- looking ------------------------------------------------------------------------------------------------------ */

bool pg_is_ready(const struct pg_connection *connection)
{
    return connection->state == PG_READY;
}

bool pg_is_idle(const struct pg_connection *connection)
{
    return connection->state == PG_READY && connection->first == NULL;
}

bool pg_in_transaction(const struct pg_connection *connection)
{
    PGTransactionStatusType status = PQtransactionStatus(connection->pg);
    return status == PQTRANS_INTRANS || status == PQTRANS_INERROR;
}

bool pg_is_swollen(const struct pg_connection *connection)
{
    return connection->swollen;
}

int pg_backend_pid(const struct pg_connection *connection)
{
    return connection->state == PG_READY ? PQbackendPID(connection->pg) : 0;
}

int pg_server_version(const struct pg_connection *connection)
{
    return connection->state == PG_READY ? PQserverVersion(connection->pg) : 0;
}

const char *pg_database_name(const struct pg_connection *connection)
{
    const char *name = connection->state == PG_READY ? PQdb(connection->pg) : NULL;
    return name != NULL ? name : "";
}

size_t pg_host_in_use(const struct pg_connection *connection)
{
    return connection->host;
}

static const char *text_or_none(const char *text)
{
    return text != NULL ? text : "";
}

void pg_place(const struct pg_connection *connection, struct pg_server *server)
{
    *server = (struct pg_server){0};
    if (connection->state == PG_READY) {
        snprintf(server->host, sizeof(server->host), "%s", text_or_none(PQhost(connection->pg)));
        snprintf(server->address, sizeof(server->address), "%s", text_or_none(PQhostaddr(connection->pg)));
        snprintf(server->port, sizeof(server->port), "%s", text_or_none(PQport(connection->pg)));
    }
}

const char *pg_server_wanted(const struct pg_connection *connection)
{
    return connection->server_wanted;
}
