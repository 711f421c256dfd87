/* SPDX-License-Identifier: PostgreSQL */
#include "support/libpq/libpq_script.h"

#include <check.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/socket.h>
#include <unistd.h>

#include "base/buffer.h"
#include "support/libpq/libpq_script_connection.h"
#include "support/libpq/libpq_script_result.h"

#define CONNECTION_MAX 32
#define TEXT_OID 25
static PGconn *connections[CONNECTION_MAX];
static int connection_count;
static const char *next_polls;
static const char *next_message;
static bool next_refused;
static int next_pid;
static int next_version;
static unsigned long calls;

static void plan_nothing(void)
{
    next_polls = "wro";
    next_message = "";
    next_refused = false;
    next_pid = 0;
    next_version = 150004;
}

void script_start(void)
{
    connection_count = 0;
    plan_nothing();
    script_time_start();
}

static void connection_free(PGconn *connection)
{
    for (size_t i = connection->answer_first; i < connection->answer_last; i++) {
        PQclear(connection->answers[i]);
    }
    for (size_t i = connection->note_first; i < connection->note_last; i++) {
        PQfreemem(connection->notes[i]);
    }
    for (size_t i = 0; i < connection->sent_last; i++) {
        free(connection->sent[i]);
    }
    PQclear(connection->row_by_row);
    free(connection->message);
    free(connection->poll_message);
    free(connection->parameters);
    free(connection);
}

void script_finish(void)
{
    for (int i = 0; i < connection_count; i++) {
        ck_assert_msg(connections[i]->finished, "connection %d was not finished", i);
        connection_free(connections[i]);
    }
    ck_assert_msg(script_results() == 0, "%d results were not cleared", script_results());
    script_time_finish();
}

unsigned long script_calls(void)
{
    return calls;
}

void script_call(void)
{
    calls++;
}

bool script_lost(const PGconn *connection)
{
    return connection->status == CONNECTION_BAD;
}

void script_say(PGconn *connection, const char *message)
{
    free(connection->message);
    connection->message = xstrdup(message);
}

/* --- connecting --------------------------------------------------------------------------------------------------- */

void script_polls(const char *letters, const char *message)
{
    next_polls = letters;
    next_message = message;
}

void script_refuses(const char *message)
{
    next_refused = true;
    next_message = message;
}

void script_is_server(int pid, int version)
{
    next_pid = pid;
    next_version = version;
}

int script_connections(void)
{
    return connection_count;
}

PGconn *script_connection(int number)
{
    ck_assert_msg(number < connection_count, "connection %d was not opened", number);
    return connections[number];
}

bool script_finished(const PGconn *connection)
{
    return connection->finished;
}

const char *script_parameter(const PGconn *connection, const char *keyword)
{
    const char *at = connection->parameters;
    while (*at != '\0') {
        const char *value = at + strlen(at) + 1;
        if (strcmp(at, keyword) == 0) {
            return value;
        }
        at = value + strlen(value) + 1;
    }
    return NULL;
}

static char *join_parameters(const char *const *keywords, const char *const *values)
{
    struct buffer joined = {0};
    for (size_t i = 0; keywords[i] != NULL; i++) {
        buffer_append(&joined, keywords[i], strlen(keywords[i]) + 1);
        buffer_append(&joined, values[i], strlen(values[i]) + 1);
    }
    buffer_putc(&joined, '\0');
    return buffer_take(&joined);
}

static void wake(const PGconn *connection)
{
    if (connection->server >= 0) {
        ck_assert_int_eq(write(connection->server, "x", 1), 1);
    }
}

void script_drain(const PGconn *connection)
{
    char bytes[256];
    while (recv(connection->client, bytes, sizeof(bytes), MSG_DONTWAIT) > 0) {
    }
}

PGconn *PQconnectStartParams(const char *const *keywords, const char *const *values, int expand_dbname)
{
    calls++;
    ck_assert_int_eq(expand_dbname, 0);
    ck_assert_msg(connection_count < CONNECTION_MAX, "too many connections for the script");
    PGconn *connection = xcalloc(1, sizeof(*connection));
    int ends[2];
    ck_assert_int_eq(socketpair(AF_UNIX, SOCK_STREAM, 0, ends), 0);
    connection->client = ends[0];
    connection->server = ends[1];
    connection->status = next_refused ? CONNECTION_BAD : CONNECTION_STARTED;
    connection->polls = next_polls;
    connection->poll_message = xstrdup(next_message);
    connection->message = xstrdup(next_refused ? next_message : "");
    connection->pid = next_pid != 0 ? next_pid : 1000 + connection_count;
    connection->version = next_version;
    connection->parameters = join_parameters(keywords, values);
    connection->transaction = PQTRANS_IDLE;
    connections[connection_count++] = connection;
    plan_nothing();
    return connection;
}

PostgresPollingStatusType PQconnectPoll(PGconn *connection)
{
    calls++;
    script_drain(connection);
    char letter = *connection->polls++;
    switch (letter) {
    case 'r':
        wake(connection);
        return PGRES_POLLING_READING;
    case 's':
        return PGRES_POLLING_READING;
    case 'w':
        return PGRES_POLLING_WRITING;
    case 'o':
        connection->status = CONNECTION_OK;
        return PGRES_POLLING_OK;
    case 'f':
        script_say(connection, connection->poll_message);
        connection->status = CONNECTION_BAD;
        return PGRES_POLLING_FAILED;
    default:
        ck_abort_msg("PQconnectPoll was called once too often");
    }
}

void PQfinish(PGconn *connection)
{
    calls++;
    if (connection == NULL) {
        return;
    }
    ck_assert_msg(!connection->finished, "a connection was finished twice");
    connection->finished = true;
    close(connection->client);
    if (connection->server >= 0) {
        close(connection->server);
    }
}

ConnStatusType PQstatus(const PGconn *connection)
{
    return connection->status;
}

int PQsocket(const PGconn *connection)
{
    return connection->client;
}

char *PQerrorMessage(const PGconn *connection)
{
    return connection->message;
}

static char *parameter(const PGconn *connection, const char *keyword)
{
    script_call();
    const char *value = script_parameter(connection, keyword);
    return (char *)(uintptr_t)(value != NULL ? value : "");
}

char *PQdb(const PGconn *connection)
{
    static char name[] = "postgres";
    (void)connection;
    return name;
}

char *PQhost(const PGconn *connection)
{
    return parameter(connection, "host");
}

char *PQhostaddr(const PGconn *connection)
{
    return parameter(connection, "hostaddr");
}

char *PQport(const PGconn *connection)
{
    return parameter(connection, "port");
}

int PQbackendPID(const PGconn *connection)
{
    return connection->pid;
}

int PQserverVersion(const PGconn *connection)
{
    return connection->version;
}

PGTransactionStatusType PQtransactionStatus(const PGconn *connection)
{
    return connection != NULL ? connection->transaction : PQTRANS_UNKNOWN;
}

PQnoticeProcessor PQsetNoticeProcessor(PGconn *connection, PQnoticeProcessor processor, void *data)
{
    connection->notice = processor;
    connection->notice_data = data;
    return NULL;
}

PQnoticeReceiver PQsetNoticeReceiver(PGconn *connection, PQnoticeReceiver receiver, void *data)
{
    connection->hear = receiver;
    connection->hear_data = data;
    return NULL;
}

void script_notices(PGconn *connection, const char *sqlstate, const char *message)
{
    PGresult *notice = script_result_notice(sqlstate, message);

    connection->hear(connection->hear_data, notice);
    PQclear(notice);
}

int PQsetnonblocking(PGconn *connection, int nonblocking)
{
    connection->nonblocking = nonblocking != 0;
    return 0;
}

/* --- sending ------------------------------------------------------------------------------------------------------ */

static void note(PGconn *connection, const char *format, ...) CHIME_PRINTF(2, 3);

static void note(PGconn *connection, const char *format, ...)
{
    va_list arguments;
    va_start(arguments, format);
    ck_assert_msg(connection->sent_last < QUEUE_MAX, "too much is sent for the script");
    connection->sent[connection->sent_last++] = xvasprintf(format, arguments);
    va_end(arguments);
}

static bool write_command(PGconn *connection, enum command_kind kind)
{
    calls++;
    if (script_lost(connection)) {
        return false;
    }
    ck_assert_msg(connection->status == CONNECTION_OK, "something was sent before the connection was there");
    ck_assert_msg(connection->nonblocking, "something was sent that may block");
    ck_assert_msg(connection->pipeline == (kind != COMMAND_TEXT), "sent in the wrong mode");
    bool fails = connection->sending_fails || (connection->preparing_fails && kind == COMMAND_PREPARE) ||
                 (connection->syncing_fails && kind == COMMAND_SYNC);
    if (fails) {
        return false;
    }
    ck_assert_msg(connection->command_last < QUEUE_MAX, "too many commands for the script");
    connection->commands[connection->command_last++] = (struct command){.kind = kind};
    return true;
}

static char *join_values(int count, const char *const *values)
{
    struct buffer joined = {0};
    buffer_putc(&joined, '(');
    for (int i = 0; i < count; i++) {
        buffer_printf(&joined, "%s%s", i > 0 ? ", " : "", values[i] != NULL ? values[i] : "NULL");
    }
    buffer_putc(&joined, ')');
    return buffer_take(&joined);
}

int PQsendPrepare(PGconn *connection, const char *name, const char *sql, int type_count, const Oid *types)
{
    ck_assert(type_count == 0 && types == NULL);
    if (!write_command(connection, COMMAND_PREPARE)) {
        return 0;
    }
    note(connection, "PREPARE %s: %s", name, sql);
    return 1;
}

int PQsendQueryPrepared(PGconn *connection, const char *name, int count, const char *const *values, const int *lengths,
                        const int *formats, int result_format)
{
    ck_assert(lengths == NULL && formats == NULL && result_format == 0);
    if (!write_command(connection, COMMAND_STATEMENT)) {
        return 0;
    }
    char *parameters = join_values(count, values);
    note(connection, "EXECUTE %s%s", name, parameters);
    free(parameters);
    return 1;
}

/* " text bigint"; "" where the server is to find them out. */
static char *type_list(const Oid *types, int count)
{
    char *list = xstrdup("");
    for (int i = 0; types != NULL && i < count; i++) {
        const char *name = types[i] == TEXT_OID ? "text"
                           : types[i] == 1184   ? "timestamptz"
                           : types[i] == 20     ? "bigint"
                           : types[i] == 23     ? "integer"
                                                : NULL;
        ck_assert_ptr_nonnull(name);
        char *longer = xasprintf("%s %s", list, name);
        free(list);
        list = longer;
    }
    return list;
}

int PQsendQueryParams(PGconn *connection, const char *sql, int count, const Oid *types, const char *const *values,
                      const int *lengths, const int *formats, int result_format)
{
    ck_assert(lengths == NULL && formats == NULL && result_format == 0);
    ck_assert(types == NULL || count > 0);
    if (!write_command(connection, COMMAND_STATEMENT)) {
        return 0;
    }
    char *parameters = join_values(count, values);
    char *named = type_list(types, count);
    note(connection, "QUERY %s%s%s", sql, parameters, named);
    free(named);
    free(parameters);
    return 1;
}

int PQsendQuery(PGconn *connection, const char *text)
{
    if (!write_command(connection, COMMAND_TEXT)) {
        return 0;
    }
    note(connection, "TEXT %s", text);
    return 1;
}

int PQpipelineSync(PGconn *connection)
{
    if (!write_command(connection, COMMAND_SYNC)) {
        return 0;
    }
    note(connection, "SYNC");
    wake(connection);
    return 1;
}

int PQenterPipelineMode(PGconn *connection)
{
    ck_assert_msg(connection->command_first == connection->command_last || script_lost(connection),
                  "the pipeline mode begins too early");
    connection->pipeline = true;
    return 1;
}

int PQexitPipelineMode(PGconn *connection)
{
    if (connection->command_first != connection->command_last) {
        return 0;
    }
    connection->pipeline = false;
    return 1;
}

int PQputCopyEnd(PGconn *connection, const char *message)
{
    calls++;
    note(connection, "COPY END %s", message);
    return 1;
}

int PQflush(PGconn *connection)
{
    calls++;
    connection->flushes++;
    if (connection->wire_broken) {
        connection->wire_broken = false;
        return -1;
    }
    if (connection->full_flushes > 0) {
        connection->full_flushes--;
        return 1;
    }
    return 0;
}

static bool matches(const char *sent, const char *expected)
{
    size_t length = strlen(expected);
    if (length >= 3 && strcmp(expected + length - 3, "...") == 0) {
        return strncmp(sent, expected, length - 3) == 0;
    }
    return strcmp(sent, expected) == 0;
}

void script_expect(PGconn *connection, const char *const *lines, size_t count, const char *file, int line)
{
    for (size_t i = 0; i < count; i++) {
        bool more = connection->sent_first < connection->sent_last;
        const char *sent = more ? connection->sent[connection->sent_first++] : "nothing";
        ck_assert_msg(more && matches(sent, lines[i]), "%s:%d: step %zu: expected \"%s\", was sent: \"%s\"", file, line,
                      i + 1, lines[i], sent);
    }
}

void script_expect_nothing(const PGconn *connection, const char *file, int line)
{
    ck_assert_msg(connection->sent_first == connection->sent_last, "%s:%d: expected nothing, was sent: \"%s\"", file,
                  line, connection->sent[connection->sent_first]);
}

void script_expect_request(PGconn *connection, const char *word, const char *file, int line)
{
    bool said = false;
    bool ended = false;
    while (!ended && connection->sent_first < connection->sent_last) {
        const char *sent = connection->sent[connection->sent_first++];
        said = said || strstr(sent, word) != NULL;
        ended = strcmp(sent, "SYNC") == 0;
    }
    ck_assert_msg(said && ended, "%s:%d: expected a request with \"%s\", none was sent", file, line, word);
}

void script_skip_sent(PGconn *connection)
{
    connection->sent_first = connection->sent_last;
}

/* --- answers ------------------------------------------------------------------------------------------------------ */

void script_answer(PGconn *connection, PGresult *result)
{
    ck_assert_msg(connection->answer_last < QUEUE_MAX, "too many answers for the script");
    connection->answers[connection->answer_last++] = result;
    wake(connection);
}

void server_notifies(PGconn *connection, const char *channel, const char *payload)
{
    size_t channel_size = strlen(channel) + 1;
    PGnotify *notice = xcalloc(1, sizeof(*notice) + channel_size + strlen(payload) + 1);
    notice->relname = (char *)(notice + 1);
    notice->extra = notice->relname + channel_size;
    memcpy(notice->relname, channel, channel_size);
    memcpy(notice->extra, payload, strlen(payload) + 1);
    connection->notes[connection->note_last++] = notice;
    wake(connection);
}

void server_is_in(PGconn *connection, PGTransactionStatusType status)
{
    connection->transaction = status;
}

void server_closes(PGconn *connection, const char *message)
{
    connection->closing = true;
    free(connection->poll_message);
    connection->poll_message = xstrdup(message);
    close(connection->server);
    connection->server = -1;
}

void server_resets(PGconn *connection, const char *message)
{
    server_closes(connection, message);
    connection->reset = true;
}

void server_goes_bad(PGconn *connection, const char *message)
{
    script_say(connection, message);
    connection->bad_while_reading = true;
    wake(connection);
}

void sending_fails(PGconn *connection, const char *message)
{
    script_say(connection, message);
    connection->sending_fails = true;
}

void preparing_fails(PGconn *connection, const char *message)
{
    script_say(connection, message);
    connection->preparing_fails = true;
}

void syncing_fails(PGconn *connection, const char *message)
{
    script_say(connection, message);
    connection->syncing_fails = true;
}

void wire_is_full(PGconn *connection, int flushes)
{
    connection->full_flushes = flushes;
}

void wire_breaks(PGconn *connection)
{
    connection->wire_broken = true;
}

int script_flushes(const PGconn *connection)
{
    return connection->flushes;
}

int script_streamed(const PGconn *connection)
{
    return connection->streamed;
}
