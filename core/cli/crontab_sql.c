/* SPDX-License-Identifier: PostgreSQL */
/* Whether PostgreSQL reads the SQL of a crontab's line as one statement that a job may be. */
#include "base/sqltext.h"
#include "cli/crontab.h"

bool crontab_sql_check(const char *sql, struct error *err)
{
    struct sql_statement statement;
    if (sqltext_has_client_command(sql)) {
        return error_set(err, ERROR_REFUSED, "it has commands of psql (with a backslash), which are no SQL");
    }
    if (sqltext_copies_from_client(sql)) {
        return error_set(err, ERROR_REFUSED, "it copies from its input, and a job has none");
    }
    size_t count = sql_statement_count(sql);
    if (count == 0) {
        return error_set(err, ERROR_REFUSED, "it has nothing to run");
    }
    while (count > 1 && sql_next_statement(&sql, &statement)) {
        if (sql_stands_alone(&statement)) {
            return error_set(
                err, ERROR_REFUSED,
                "its statements would be one transaction here, and %s cannot be in one: give it a line of its own",
                statement.words[0]);
        }
    }
    return true;
}

static bool controls_transactions(const char *sql)
{
    struct sql_statement statement;
    while (sql_next_statement(&sql, &statement)) {
        if (sql_is_transaction_control(&statement)) {
            return true;
        }
    }
    return false;
}

const char *crontab_sql_difference(const struct crontab_entry *entry, struct arena *arena)
{
    size_t count = sql_statement_count(entry->sql);
    if (!entry->apart || count < 2 || controls_transactions(entry->sql)) {
        return NULL;
    }
    return arena_printf(arena, "its %zu statements are one transaction here; psql ran each by itself%s", count,
                        entry->stops ? "" : ", and went on after an error");
}
