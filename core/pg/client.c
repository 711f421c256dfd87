/* SPDX-License-Identifier: PostgreSQL */
#include "pg/client.h"

#include <libpq-fe.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "pg/connection_hint.h"
#include "pg/conninfo.h"
#include "pg/pooler.h"
#include "pg/session.h"

#define CONNECT_TIMEOUT "10"
#define CONNECT_TIMEOUT_EACH "3" /* of several hosts */

struct pg_client {
    PGconn *connection;
    bool standby;
};

/* No jit: compiling a look over the history's partitions takes longer than the look. */
static const struct pg_setting client_settings[] = {
    {"search_path", ""},
    {"TimeZone", "UTC"},
    {"DateStyle", "ISO"},
    {"IntervalStyle", "postgres"},
    {"extra_float_digits", "1"},
    {"lock_timeout", "10s"},
    {"jit", "off"},
    {"quote_all_identifiers", "off"},
    {"citus.enable_ddl_propagation", "off"},
};

/* The first line of libpq's text. */
static bool set_message(struct error *err, enum error_kind kind, const char *prefix, const char *text)
{
    return error_set(err, kind, "%s%.*s", prefix, (int)strcspn(text, "\n"), text);
}

static bool connect_failed(const PGconn *connection, const struct conninfo *info, struct error *err)
{
    const char *message = PQerrorMessage(connection);
    set_message(err, ERROR_UNREACHABLE, "cannot connect: ", message);
    error_hint(err, "%s (tried %s)", connection_hint(message), conninfo_describe(info));
    pooler_name(err);
    return false;
}

/* What is not in the conninfo, for people's commands: they are to fail soon. */
static void add_connect_timeout(struct conninfo *info)
{
    if (conninfo_value(info, "connect_timeout") == NULL && info->count < CONNINFO_MAX) {
        info->keywords[info->count] = "connect_timeout";
        info->values[info->count++] = info->host_count > 1 ? CONNECT_TIMEOUT_EACH : CONNECT_TIMEOUT;
    }
}

/* Notices are no business of whoever asked for rows. */
static void ignore_notice(void *data, const PGresult *result)
{
    (void)data;
    (void)result;
}

/* What is read of another session than the one asked is not what holds. */
static bool check_server(struct pg_client *client, struct error *err)
{
    struct pg_rows rows;
    if (!pg_client_query(client, "SELECT pg_backend_pid(), pg_is_in_recovery()", NULL, 0, &rows, err)) {
        return false;
    }
    bool own = atoi(pg_rows_value(&rows, 0, 0)) == PQbackendPID(client->connection);
    client->standby = pg_rows_value(&rows, 0, 1)[0] == 't';
    pg_rows_finish(&rows);
    return own || pooler_refuse(err);
}

bool pg_client_is_standby(const struct pg_client *client)
{
    return client->standby;
}

struct pg_client *pg_client_open(const char *conninfo, struct error *err)
{
    struct conninfo info;
    struct pg_target target = {
        .conninfo = conninfo,
        .application_name = "pgchime command",
        .settings = client_settings,
        .setting_count = COUNT_OF(client_settings),
    };
    if (!conninfo_read(&info, &target, err)) {
        return NULL;
    }
    add_connect_timeout(&info);
    struct pg_client *client = xcalloc(1, sizeof(*client));
    client->connection = PQconnectdbParams(info.keywords, info.values, 0);
    if (PQstatus(client->connection) != CONNECTION_OK) {
        connect_failed(client->connection, &info, err);
        pg_client_close(client);
        client = NULL;
    } else {
        PQsetNoticeReceiver(client->connection, ignore_notice, NULL);
        if (!check_server(client, err)) {
            pg_client_close(client);
            client = NULL;
        }
    }
    conninfo_finish(&info);
    return client;
}

void pg_client_close(struct pg_client *client)
{
    if (client != NULL) {
        PQfinish(client->connection);
        free(client);
    }
}

/* A server that ends the session says so before libpq sees the end of the connection; and libpq, whose own errors have
 * no SQLSTATE, can report that end while its status is still good. */
static bool is_over(const struct pg_client *client, const PGresult *result)
{
    const char *severity = PQresultErrorField(result, PG_DIAG_SEVERITY_NONLOCALIZED);
    return PQstatus(client->connection) != CONNECTION_OK || PQresultErrorField(result, PG_DIAG_SQLSTATE) == NULL ||
           (severity != NULL && (strcmp(severity, "FATAL") == 0 || strcmp(severity, "PANIC") == 0));
}

static bool query_failed(const struct pg_client *client, const PGresult *result, struct error *err)
{
    if (is_over(client, result)) {
        set_message(err, ERROR_UNREACHABLE, "the connection was lost: ",
                    result != NULL ? PQresultErrorMessage(result) : PQerrorMessage(client->connection));
        return error_hint(err, "look at the server's log, then try again");
    }
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);
    const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    if (client->standby && strcmp(state, PG_READ_ONLY) == 0) {
        return pg_refuse_standby(err);
    }
    bool denied = strcmp(state, "42501") == 0;
    set_message(err, denied ? ERROR_REFUSED : ERROR_FAILED, "",
                message != NULL ? message : PQresultErrorMessage(result));
    if (err != NULL) {
        snprintf(err->sqlstate, sizeof(err->sqlstate), "%s", state);
    }
    if (denied) {
        return error_hint(
            err, "grant what is missing, or connect as a role that has it: the daemon's has all of schema chime");
    }
    const char *hint = PQresultErrorField(result, PG_DIAG_MESSAGE_HINT);
    return hint != NULL ? error_hint(err, "%s", hint) : false;
}

bool pg_client_query(struct pg_client *client, const char *sql, const char *const *parameters, size_t parameter_count,
                     struct pg_rows *rows, struct error *err)
{
    PGresult *result = PQexecParams(client->connection, sql, (int)parameter_count, NULL, parameters, NULL, NULL, 0);
    ExecStatusType status = PQresultStatus(result);
    bool ok = status == PGRES_TUPLES_OK || status == PGRES_COMMAND_OK;
    if (!ok) {
        query_failed(client, result, err);
    } else if (rows != NULL) {
        pg_rows_copy(result, rows);
    }
    PQclear(result);
    return ok;
}
