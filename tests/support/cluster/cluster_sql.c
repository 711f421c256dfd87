/* SPDX-License-Identifier: PostgreSQL */
#define _GNU_SOURCE
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/cluster/cluster.h"
#include "support/cluster/cluster_internal.h"
#include "support/process/files.h"
#include "support/process/process.h"

static void ignore_notice(void *data, const PGresult *result)
{
    (void)data;
    (void)result;
}

void cluster_disconnect(struct cluster *cluster)
{
    PQfinish(cluster->connection);
    cluster->connection = NULL;
}

static PGconn *open_connection(const struct cluster *cluster, const char *database)
{
    char *conninfo = cluster_conninfo(cluster, database);
    PGconn *connection = PQconnectdb(conninfo);

    PQsetNoticeReceiver(connection, ignore_notice, NULL);
    free(conninfo);
    return connection;
}

PGconn *cluster_connect(const struct cluster *cluster, const char *database)
{
    PGconn *connection = open_connection(cluster, database);

    if (PQstatus(connection) != CONNECTION_OK)
        support_fail("cannot connect to %s: %s", database, PQerrorMessage(connection));
    return connection;
}

static bool is_good(const PGresult *result)
{
    ExecStatusType status = PQresultStatus(result);

    return status == PGRES_COMMAND_OK || status == PGRES_TUPLES_OK || status == PGRES_EMPTY_QUERY;
}

/* A connection that a restart has broken is found out by its first use: once more then, on a new one. */
static PGresult *ask(struct cluster *cluster, const char *sql)
{
    PGresult *result = NULL;

    for (int try = 0; try < 2; try++) {
        PQclear(result);
        if (cluster->connection == NULL)
            cluster->connection = open_connection(cluster, cluster->database);
        result = PQexec(cluster->connection, sql);
        if (PQstatus(cluster->connection) == CONNECTION_OK)
            return result;
        /* the text of a failed connection attempt is in the connection, not in the result */
        if (result == NULL)
            result = PQmakeEmptyPGresult(cluster->connection, PGRES_FATAL_ERROR);
        cluster_disconnect(cluster);
    }
    return result;
}

static PGresult *ask_or_fail(struct cluster *cluster, const char *sql)
{
    PGresult *result = ask(cluster, sql);

    if (!is_good(result))
        support_fail("%s\nfailed with: %s", sql, PQresultErrorMessage(result));
    return result;
}

static char *first_value(const PGresult *result)
{
    if (PQntuples(result) == 0 || PQnfields(result) == 0 || PQgetisnull(result, 0, 0))
        return NULL;
    return files_path("%s", PQgetvalue(result, 0, 0));
}

void cluster_execute(struct cluster *cluster, const char *sql)
{
    PQclear(ask_or_fail(cluster, sql));
}

void cluster_execute_format(struct cluster *cluster, const char *format, ...)
{
    char *sql = NULL;
    va_list arguments;

    va_start(arguments, format);
    int length = vasprintf(&sql, format, arguments);
    va_end(arguments);
    if (length < 0)
        support_fail("out of memory");
    cluster_execute(cluster, sql);
    free(sql);
}

void cluster_execute_named(struct cluster *cluster, const char *sql, const char *name)
{
    const char *place = strstr(sql, "%s");
    char *quoted = calloc(1, 2 * strlen(name) + 3);
    char *end = quoted;

    if (place == NULL || quoted == NULL)
        support_fail("%s: no place for a name", sql);
    *end++ = '"';
    for (; *name != '\0'; name++) {
        if (*name == '"')
            *end++ = '"';
        *end++ = *name;
    }
    *end = '"';
    char *text = files_path("%.*s%s%s", (int)(place - sql), sql, quoted, place + 2);
    cluster_execute(cluster, text);
    free(quoted);
    free(text);
}

void cluster_execute_file(struct cluster *cluster, const char *path)
{
    char *sql = files_read(path);

    if (sql[0] == '\0')
        support_fail("%s is absent or empty", path);
    cluster_execute(cluster, sql);
    free(sql);
}

PGresult *cluster_query(struct cluster *cluster, const char *sql)
{
    return ask_or_fail(cluster, sql);
}

char *cluster_value(struct cluster *cluster, const char *sql)
{
    PGresult *result = ask_or_fail(cluster, sql);
    char *value = first_value(result);

    PQclear(result);
    return value;
}

int64_t cluster_integer(struct cluster *cluster, const char *sql)
{
    char *text = cluster_value(cluster, sql);
    char *end = NULL;
    long long value = text != NULL ? strtoll(text, &end, 10) : 0;

    if (text == NULL || end == text || *end != '\0')
        support_fail("%s\nis no whole number: %s", sql, text != NULL ? text : "NULL");
    free(text);
    return value;
}

bool cluster_true(struct cluster *cluster, const char *sql)
{
    char *text = cluster_value(cluster, sql);
    bool result = text != NULL && strcmp(text, "t") == 0;

    free(text);
    return result;
}

char *cluster_rows(struct cluster *cluster, const char *sql)
{
    PGresult *result = ask_or_fail(cluster, sql);
    char *text = NULL;
    size_t length = 0;
    FILE *stream = open_memstream(&text, &length);

    if (stream == NULL)
        support_fail("out of memory");
    for (int row = 0; row < PQntuples(result); row++)
        for (int column = 0; column < PQnfields(result); column++)
            fprintf(stream, "%s%s", PQgetvalue(result, row, column), column + 1 < PQnfields(result) ? "|" : "\n");
    fclose(stream);
    PQclear(result);
    return text;
}

const char *cluster_sqlstate(struct cluster *cluster, const char *sql)
{
    PGresult *result = ask(cluster, sql);
    const char *state = PQresultErrorField(result, PG_DIAG_SQLSTATE);

    if (!is_good(result) && state == NULL)
        support_fail("%s\nfailed without an SQLSTATE: %s", sql, PQresultErrorMessage(result));
    snprintf(cluster->sqlstate, sizeof(cluster->sqlstate), "%s", state != NULL ? state : "");
    PQclear(result);
    return cluster->sqlstate;
}

bool cluster_try_value(struct cluster *cluster, const char *sql, char **value)
{
    PGresult *result = ask(cluster, sql);
    bool good = is_good(result);

    *value = good ? first_value(result) : files_path("%s", PQresultErrorMessage(result));
    PQclear(result);
    return good;
}

int cluster_version(struct cluster *cluster)
{
    return (int)cluster_integer(cluster, "SELECT current_setting('server_version_num')::int / 10000");
}

void cluster_create_database(struct cluster *cluster, const char *name)
{
    char *current = files_path("%s", cluster->database);

    cluster_use(cluster, "postgres");
    cluster_execute_format(cluster, "CREATE DATABASE \"%s\"", name);
    cluster_use(cluster, current);
    free(current);
}

void cluster_use(struct cluster *cluster, const char *database)
{
    cluster_disconnect(cluster);
    free(cluster->database);
    cluster->database = files_path("%s", database);
}
