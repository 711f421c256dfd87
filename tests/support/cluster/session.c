/* SPDX-License-Identifier: PostgreSQL */
#include "support/cluster/session.h"

#include <stdlib.h>

#include "support/process/files.h"
#include "support/process/process.h"
#include "support/process/wait.h"

static void check(PGconn *session, PGresult *result, const char *what)
{
    ExecStatusType status = PQresultStatus(result);

    if (status != PGRES_COMMAND_OK && status != PGRES_TUPLES_OK && status != PGRES_COPY_IN)
        support_fail("%s: %s", what, PQerrorMessage(session));
    PQclear(result);
}

void session_execute(PGconn *session, const char *sql)
{
    check(session, PQexec(session, sql), sql);
}

void session_send(PGconn *session, const char *sql)
{
    if (PQsendQuery(session, sql) == 0)
        support_fail("%s: %s", sql, PQerrorMessage(session));
}

void session_await(PGconn *session)
{
    PGresult *result = NULL;

    while ((result = PQgetResult(session)) != NULL)
        check(session, result, "what was sent");
}

void session_await_blocked(struct cluster *cluster, PGconn *session)
{
    char *sql = files_path("SELECT count(*) > 0 FROM pg_locks WHERE pid = %d AND NOT granted", PQbackendPID(session));

    WAIT_SQL(cluster, sql, "t", 20);
    free(sql);
}
