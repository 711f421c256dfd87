/* SPDX-License-Identifier: PostgreSQL */
#include "support/views/role_views.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/cluster/init_role.h"
#include "support/daemon/served.h"
#include "support/process/wait.h"

PGconn *app;
PGconn *other;

PGconn *role_views_connect(const char *role)
{
    char *conninfo = cluster_conninfo_as(cluster, role, "postgres");
    PGconn *session = PQconnectdb(conninfo);
    ck_assert_msg(PQstatus(session) == CONNECTION_OK, "%s", PQerrorMessage(session));
    free(conninfo);
    return session;
}

/* analytics is the schema of the daemon's views; roles keep theirs in reports. */
void role_views_set_up(void)
{
    cluster = cluster_create(NULL);
    cluster_execute(
        cluster,
        "CREATE ROLE shop LOGIN; CREATE ROLE app LOGIN; CREATE ROLE other LOGIN; CREATE SCHEMA reports;"
        "GRANT USAGE, CREATE ON SCHEMA reports TO app, other;"
        "CREATE TABLE orders (id serial PRIMARY KEY, day date, amount numeric); CREATE INDEX ON orders (day);"
        "INSERT INTO orders (day, amount) SELECT date '2026-11-01' + i % 20, i FROM generate_series(1, 200) i;"
        "ALTER TABLE orders OWNER TO shop; GRANT SELECT, TRIGGER ON orders TO app; GRANT SELECT ON orders TO other;"
        "CREATE SCHEMA spy; GRANT USAGE ON SCHEMA spy TO PUBLIC; CREATE TABLE spy.seen (who name, what text);"
        "CREATE FUNCTION spy.note(p_what text) RETURNS void LANGUAGE plpgsql AS"
        " $$ BEGIN INSERT INTO spy.seen VALUES (current_user, p_what); END $$;"
        "GRANT INSERT ON spy.seen TO PUBLIC");
    init_role_make(cluster, "pgchime", "postgres");
    site = site_create(cluster, "postgres", 2);
    site_use_role(site, "pgchime");
    served = site_lead(site);
    cluster_execute(cluster, "GRANT pgchime_jobs TO app, other; REVOKE ALL ON orders FROM pgchime");
    app = role_views_connect("app");
    other = role_views_connect("other");
}

void role_views_tear_down(void)
{
    PQfinish(app);
    PQfinish(other);
    served_tear_down();
}

void role_views_expect(PGconn *session, const char *sql, const char *expected, int line)
{
    PGresult *result = PQexec(session, sql);
    char told[2000] = "NULL";
    if (PQresultStatus(result) == PGRES_TUPLES_OK || PQresultStatus(result) == PGRES_COMMAND_OK) {
        if (PQntuples(result) > 0 && !PQgetisnull(result, 0, 0)) {
            snprintf(told, sizeof(told), "%s", PQgetvalue(result, 0, 0));
        }
    } else {
        const char *hint = PQresultErrorField(result, PG_DIAG_MESSAGE_HINT);
        snprintf(told, sizeof(told), "%s%s%s", PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY),
                 hint != NULL ? "; " : "", hint != NULL ? hint : "");
    }
    ck_assert_msg(strcmp(told, expected) == 0, "line %d: %s\n  expected: %s", line, told, expected);
    PQclear(result);
}

void role_views_await_keyed(void)
{
    WAIT_SQL(cluster, "SELECT fingerprint IS NOT NULL AND method = 'keyed' FROM chime.role_view_refresh", "t", 60);
}
