#include "support/keyed.h"

#include <stdlib.h>

#include "ledger/migrate.h"
#include "support/files.h"
#include "support/process.h"
#include "support/wait.h"

struct cluster *keyed_create(void)
{
    static const char *const settings[] = {"max_prepared_transactions=20", NULL};

    return keyed_create_with(settings);
}

struct cluster *keyed_create_with(const char *const *settings)
{
    struct cluster *cluster = cluster_create(settings);
    char *schema = migrate_text(0);

    cluster_execute(cluster, schema);
    cluster_execute_file(cluster, PGCHIME_SOURCE_DIR "/tests/support/keyed.sql");
    free(schema);
    return cluster;
}

void keyed_install(struct cluster *cluster, const char *const *views)
{
    for (const char *const *view = views; *view != NULL; view++) {
        char *install = files_path("SELECT app.install_%s()", *view);

        EXPECT_SQL(cluster, install, NULL);
        free(install);
    }
    keyed_tend(cluster);
    for (const char *const *view = views; *view != NULL; view++) {
        char *look = files_path("SELECT app.look('%s')", *view);

        EXPECT_SQL(cluster, look, "full: the first time");
        free(look);
    }
}

void keyed_tend(struct cluster *cluster)
{
    EXPECT_SQL(cluster, "CALL chime.tend_capture()", NULL);
}

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
