/* SPDX-License-Identifier: PostgreSQL */
#include "pg/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "pg/pooler.h"

/* The tcp_ settings are the server's side of it: by them it notices a client whose host or network went.
 * citus.enable_ddl_propagation: what we make stays on the server that is led. Without Citus the name means nothing. */
const struct pg_setting pg_leader_settings[] = {
    {"idle_session_timeout", "15s"},
    {"idle_in_transaction_session_timeout", "5s"},
    {"statement_timeout", "60s"},
    {"lock_timeout", "10s"},
    {"client_connection_check_interval", "1s"},
    {"tcp_keepalives_idle", "5"},
    {"tcp_keepalives_interval", "2"},
    {"tcp_keepalives_count", "3"},
    {"tcp_user_timeout", "10s"},
    {"search_path", ""},
    {"default_transaction_isolation", "read committed"},
    {"default_transaction_read_only", "off"},
    {"synchronous_commit", "on"},
    {"TimeZone", "UTC"},
    {"DateStyle", "ISO"},
    {"row_security", "off"},
    {"quote_all_identifiers", "off"}, /* names are compared with what plans and catalogs say */
    {"jit", "off"},
    {"citus.enable_ddl_propagation", "off"},
};
const size_t pg_leader_setting_count = COUNT_OF(pg_leader_settings);

/* As the leader's, and a look is planned for what it finds: next to nothing. */
const struct pg_setting pg_watch_settings[] = {
    {"idle_session_timeout", "15s"},
    {"idle_in_transaction_session_timeout", "5s"},
    {"statement_timeout", "10s"},
    {"lock_timeout", "1s"},
    {"client_connection_check_interval", "1s"},
    {"tcp_keepalives_idle", "5"},
    {"tcp_keepalives_interval", "2"},
    {"tcp_keepalives_count", "3"},
    {"tcp_user_timeout", "10s"},
    {"search_path", ""},
    {"default_transaction_isolation", "read committed"},
    {"default_transaction_read_only", "off"},
    {"synchronous_commit", "local"}, /* what it writes only tells people how things are */
    {"TimeZone", "UTC"},
    {"DateStyle", "ISO"},
    {"jit", "off"},
    {"enable_seqscan", "off"},
    {"max_parallel_workers_per_gather", "0"},
    {"citus.enable_ddl_propagation", "off"},
};
const size_t pg_watch_setting_count = COUNT_OF(pg_watch_settings);

const struct pg_setting pg_alert_settings[] = {
    {"idle_session_timeout", "60s"},
    {"idle_in_transaction_session_timeout", "5s"},
    {"statement_timeout", "5s"},
    {"lock_timeout", "200ms"},
    {"client_connection_check_interval", "1s"},
    {"tcp_keepalives_idle", "5"},
    {"tcp_keepalives_interval", "2"},
    {"tcp_keepalives_count", "3"},
    {"tcp_user_timeout", "10s"},
    {"search_path", ""},
    {"default_transaction_isolation", "read committed"},
    {"default_transaction_read_only", "off"}, /* chime.evaluate_condition turns it on once it has vetted */
    {"TimeZone", "UTC"},
    {"DateStyle", "ISO"},
    {"jit", "off"},
    {"max_parallel_workers_per_gather", "0"},
    {"citus.enable_ddl_propagation", "off"},
};
const size_t pg_alert_setting_count = COUNT_OF(pg_alert_settings);

/* As a command's (client.c), and it may not write. */
#define PAGE_SETTINGS(statement_within)                                                                       \
    {                                                                                                         \
        {"idle_session_timeout", "3min"}, {"idle_in_transaction_session_timeout", "5s"},                      \
            {"statement_timeout", statement_within}, {"lock_timeout", "200ms"},                               \
            {"client_connection_check_interval", "1s"}, {"tcp_keepalives_idle", "5"},                         \
            {"tcp_keepalives_interval", "2"}, {"tcp_keepalives_count", "3"}, {"tcp_user_timeout", "10s"},     \
            {"search_path", ""}, {"default_transaction_isolation", "read committed"}, {"TimeZone", "UTC"},    \
            {"DateStyle", "ISO"}, {"IntervalStyle", "postgres"}, {"extra_float_digits", "1"}, {"jit", "off"}, \
            {"quote_all_identifiers", "off"}, {"max_parallel_workers_per_gather", "0"},                       \
            {"default_transaction_read_only", "on"},                                                          \
    }
const struct pg_setting pg_page_settings[] = PAGE_SETTINGS("5s");
const size_t pg_page_setting_count = COUNT_OF(pg_page_settings);
/* Queries of plugins: one that takes longer is for a view. */
const struct pg_setting pg_tile_settings[] = PAGE_SETTINGS("3s");
const size_t pg_tile_setting_count = COUNT_OF(pg_tile_settings);

const struct pg_setting pg_worker_settings[] = {
    {"idle_session_timeout", "15s"},
    {"idle_in_transaction_session_timeout", "15s"},
    {"client_connection_check_interval", "1s"},
    {"tcp_keepalives_idle", "5"},
    {"tcp_keepalives_interval", "2"},
    {"tcp_keepalives_count", "3"},
    {"tcp_user_timeout", "10s"},
};
const size_t pg_worker_setting_count = COUNT_OF(pg_worker_settings);

/* How whoever logged in could become another, or have the server run programs or touch files of its own:
 * chime.role_powers (logins.sql) has the same. All is qualified: the search_path is the role's own. */
#define POWERS_SQL                                                                                                    \
    "(SELECT CASE WHEN r.rolname OPERATOR(pg_catalog.=) SESSION_USER AND r.rolsuper THEN 'it is a superuser'"         \
    "             WHEN r.rolname OPERATOR(pg_catalog.=) SESSION_USER THEN 'it may create roles'"                      \
    "             WHEN r.rolsuper THEN pg_catalog.format('it may act as the superuser %I', r.rolname)"                \
    "             WHEN r.rolcreaterole THEN pg_catalog.format('it may act as %I, who may create roles', r.rolname)"   \
    "             ELSE pg_catalog.format('it is a member of %I', r.rolname) END"                                      \
    "  FROM pg_catalog.pg_roles r"                                                                                    \
    " WHERE (r.rolsuper OR r.rolcreaterole OR r.rolname OPERATOR(pg_catalog.=) ANY ("                                 \
    "        '{pg_execute_server_program,pg_write_server_files,pg_read_server_files}'::pg_catalog.name[]))"           \
    "   AND pg_catalog.pg_has_role(SESSION_USER, r.oid, 'MEMBER')"                                                    \
    " ORDER BY r.rolname OPERATOR(pg_catalog.<>) SESSION_USER, NOT r.rolsuper, NOT r.rolcreaterole, r.rolname LIMIT " \
    "1)"

void pg_check(struct pg_connection *connection, pg_callback *callback, void *data)
{
    static const struct pg_statement check = {
        .sql = "SELECT pg_catalog.pg_backend_pid(),"
               " pg_catalog.to_char(a.backend_start AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"'),"
               " pg_catalog.pg_is_in_recovery(),"
               " pg_catalog.current_setting('idle_session_timeout'),"
               " pg_catalog.current_setting('client_connection_check_interval'),"
               " pg_catalog.current_setting('session_replication_role'),"
               " pg_catalog.to_char(pg_catalog.pg_postmaster_start_time() AT TIME ZONE 'UTC', "
               "'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"'), a.datid, SESSION_USER, " POWERS_SQL
               " FROM pg_catalog.pg_stat_activity a WHERE a.pid OPERATOR(pg_catalog.=) pg_catalog.pg_backend_pid()"};
    pg_send(connection, &check, 1, callback, data);
}

static bool setting_took(const char *name, const char *found, const char *wanted, struct error *err)
{
    if (strcmp(found, wanted) == 0) {
        return true;
    }
    error_set(err, ERROR_REFUSED, "%s is %s in a session that asked for %s", name, found, wanted);
    return error_hint(err, "a pooler may drop session settings: connect to the server itself");
}

/* A list of hosts may lead from one connection to the next to another server. */
static bool same_server(const struct pg_connection *connection, const char *started, struct error *err)
{
    const char *wanted = pg_server_wanted(connection);
    if (wanted[0] == '\0' || strcmp(wanted, started) == 0) {
        return true;
    }
    error_set(err, ERROR_REFUSED, "the session is on a server started at %s, the leader's on one started at %s",
              started, wanted);
    return error_hint(err, "one address leads to several servers: list each host in the conninfo instead");
}

static bool is_plain(const char *role, const char *powers, struct error *err)
{
    if (powers == NULL) {
        return true;
    }
    error_set(err, ERROR_REFUSED, "the daemon does not log in as \"%s\": %s", role, powers);
    return error_hint(err,
                      "name it in pgchime.conf if whoever runs code as the daemon's role may have these powers: "
                      "roles = ( { name = \"%s\"; allow = true; } );",
                      role);
}

bool pg_refuse_standby(struct error *err)
{
    error_set(err, ERROR_REFUSED, "the server is a standby");
    return error_hint(err, "list all hosts in the conninfo, as in host=db1,db2: the primary among them is found");
}

bool pg_read_check(const struct pg_connection *connection, const struct pg_reply *reply, enum pg_purpose purpose,
                   struct pg_identity *identity, struct error *err)
{
    if (!pg_reply_ok(reply)) {
        pg_reply_error(reply, err);
        return false;
    }
    int version = pg_server_version(connection);
    if (version < PG_MINIMUM_VERSION) {
        error_set(err, ERROR_REFUSED, "the server is PostgreSQL %d; 15 is the oldest that works", version / 10000);
        return false;
    }
    if (pg_reply_rows(reply, 0) != 1 || atoi(pg_reply_value(reply, 0, 0, 0)) != pg_backend_pid(connection)) {
        return pooler_refuse(err);
    }
    const char *backend_start = pg_reply_value(reply, 0, 0, 1);
    if (backend_start == NULL) {
        error_set(err, ERROR_REFUSED, "the server hides when this very session began");
        return error_hint(err, "it acts as another role than it logged in as: ALTER ROLE ... RESET role");
    }
    identity->pid = pg_backend_pid(connection);
    snprintf(identity->backend_start, sizeof(identity->backend_start), "%s", backend_start);
    if (pg_reply_value(reply, 0, 0, 2)[0] == 't') {
        return pg_refuse_standby(err);
    }
    return same_server(connection, pg_reply_value(reply, 0, 0, 6), err) &&
           setting_took("idle_session_timeout", pg_reply_value(reply, 0, 0, 3), "15s", err) &&
           setting_took("client_connection_check_interval", pg_reply_value(reply, 0, 0, 4), "1s", err) &&
           (purpose != PG_PLAIN_WORKER ||
            is_plain(pg_reply_value(reply, 0, 0, 8), pg_reply_value(reply, 0, 0, 9), err)) &&
           (purpose != PG_LEADER ||
            setting_took("session_replication_role", pg_reply_value(reply, 0, 0, 5), "origin", err));
}

void pg_read_server(const struct pg_connection *connection, const struct pg_reply *reply, struct pg_server *server)
{
    pg_place(connection, server);
    snprintf(server->started, sizeof(server->started), "%s", pg_reply_value(reply, 0, 0, 6));
    snprintf(server->database, sizeof(server->database), "%s", pg_reply_value(reply, 0, 0, 7));
}

/* --- histories of a server ---------------------------------------------------------------------------------------- */

/* Not of the control file: there the timeline changes with the first checkpoint after a promotion. */
void pg_ask_lineage(struct pg_connection *connection, pg_callback *callback, void *data)
{
    static const struct pg_statement ask = {
        .sql = "SELECT s.system_identifier, "
               "pg_catalog.substr(pg_catalog.pg_walfile_name(pg_catalog.pg_current_wal_lsn()), 1, 8)"
               " FROM pg_catalog.pg_control_system() s"};
    pg_send(connection, &ask, 1, callback, data);
}

void pg_read_lineage(const struct pg_reply *reply, struct pg_lineage *lineage)
{
    *lineage = (struct pg_lineage){0};
    if (pg_reply_ok(reply) && pg_reply_rows(reply, 0) == 1) {
        snprintf(lineage->system, sizeof(lineage->system), "%s", pg_reply_value(reply, 0, 0, 0));
        lineage->timeline = (int)strtol(pg_reply_value(reply, 0, 0, 1), NULL, 16);
    }
}

bool pg_left_behind(struct pg_lineage *highest, const struct pg_lineage *here, const struct pg_lineage *led,
                    const struct pg_server *server, struct error *err)
{
    if (here->timeline == 0) {
        return false;
    }
    if (strcmp(highest->system, here->system) != 0 || here->timeline > highest->timeline) {
        *highest = *here;
    }
    if (strcmp(led->system, here->system) == 0 && led->timeline > highest->timeline) {
        *highest = *led;
    }
    if (here->timeline == highest->timeline) {
        return false;
    }
    error_set(err, ERROR_REFUSED,
              "the server at %s port %s is on timeline %d, but timeline %d has been seen: a failover left it behind",
              server->host, server->port, here->timeline, highest->timeline);
    error_hint(err, "see which server is the primary before anything is done to either; where this one is to lead "
                    "after all, restart pgchime");
    return true;
}
