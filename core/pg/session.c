#include "pg/session.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

const struct pg_setting pg_leader_settings[] = {
    {"idle_session_timeout", "15s"},
    {"idle_in_transaction_session_timeout", "5s"},
    {"statement_timeout", "60s"},
    {"lock_timeout", "10s"},
    {"client_connection_check_interval", "1s"},
    {"search_path", ""},
    {"default_transaction_isolation", "read committed"},
    {"default_transaction_read_only", "off"},
    {"synchronous_commit", "on"},
    {"TimeZone", "UTC"},
    {"DateStyle", "ISO"},
    {"row_security", "off"},
    {"jit", "off"},
};
const size_t pg_leader_setting_count = COUNT_OF(pg_leader_settings);

/* As the leader's, and a look is planned for what it finds: next to nothing. */
const struct pg_setting pg_watch_settings[] = {
    {"idle_session_timeout", "15s"},
    {"idle_in_transaction_session_timeout", "5s"},
    {"statement_timeout", "10s"},
    {"lock_timeout", "1s"},
    {"client_connection_check_interval", "1s"},
    {"search_path", ""},
    {"default_transaction_isolation", "read committed"},
    {"default_transaction_read_only", "off"},
    {"TimeZone", "UTC"},
    {"DateStyle", "ISO"},
    {"jit", "off"},
    {"enable_seqscan", "off"},
    {"max_parallel_workers_per_gather", "0"},
};
const size_t pg_watch_setting_count = COUNT_OF(pg_watch_settings);

const struct pg_setting pg_worker_settings[] = {
    {"idle_session_timeout", "15s"},
    {"idle_in_transaction_session_timeout", "15s"},
    {"client_connection_check_interval", "1s"},
};
const size_t pg_worker_setting_count = COUNT_OF(pg_worker_settings);

void pg_check(struct pg_connection *connection, pg_callback *callback, void *data)
{
    static const struct pg_statement check = {
        .sql = "SELECT pg_catalog.pg_backend_pid(),"
               " pg_catalog.to_char(a.backend_start AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"'),"
               " pg_catalog.pg_is_in_recovery(),"
               " pg_catalog.current_setting('idle_session_timeout'),"
               " pg_catalog.current_setting('client_connection_check_interval'),"
               " pg_catalog.current_setting('session_replication_role')"
               " FROM pg_catalog.pg_stat_activity a WHERE a.pid = pg_catalog.pg_backend_pid()"};
    pg_send(connection, &check, 1, callback, data);
}

static bool setting_took(const char *name, const char *found, const char *wanted, struct error *err)
{
    if (strcmp(found, wanted) == 0) {
        return true;
    }
    error_set(err, ERROR_REFUSED, "%s is %s in a session that asked for %s", name, found, wanted);
    return error_hint(err, "a pooler may drop session settings: connect to the server itself, or to a pool in session "
                           "mode with ignore_startup_parameters unset");
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
        error_set(err, ERROR_REFUSED,
                  "the session that answers is not the one connected to: a pooler in transaction mode is in between");
        return error_hint(err, "connect to the server itself, or to a pool in session mode");
    }
    const char *backend_start = pg_reply_value(reply, 0, 0, 1);
    if (backend_start == NULL) {
        error_set(err, ERROR_REFUSED, "the server hides when this very session began");
        return false;
    }
    identity->pid = pg_backend_pid(connection);
    snprintf(identity->backend_start, sizeof identity->backend_start, "%s", backend_start);
    if (purpose == PG_LEADER && pg_reply_value(reply, 0, 0, 2)[0] == 't') {
        error_set(err, ERROR_REFUSED, "the server is a standby");
        return error_hint(err, "list all hosts in the conninfo and add target_session_attrs=read-write");
    }
    return setting_took("idle_session_timeout", pg_reply_value(reply, 0, 0, 3), "15s", err) &&
           setting_took("client_connection_check_interval", pg_reply_value(reply, 0, 0, 4), "1s", err) &&
           (purpose != PG_LEADER ||
            setting_took("session_replication_role", pg_reply_value(reply, 0, 0, 5), "origin", err));
}
