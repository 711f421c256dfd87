/* SPDX-License-Identifier: PostgreSQL */
#include "ledger/migrate.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/log.h"
#include "base/memory.h"
#include "ledger/embedded.h"
#include "pg_cron.sql.h"

struct migration {
    struct pg_connection *connection;
    bool apply;
    bool locked; /* our transaction is open, and nobody else migrates */
    migrate_callback *callback;
    void *data;
    struct migrate_state found;
    const struct embedded_sql *next;    /* the file that runs next; the end of the functions: none */
    const struct embedded_sql *current; /* the one that runs */
};

/* CREATE SCHEMA IF NOT EXISTS asks for CREATE on the database even where the schema is there. Whose it is, is asked
 * once more: somebody may have been faster, and a DBA may run this text. */
static const char prepare_schema[] =
    "SET client_min_messages = warning;\n"
    "DO $$ BEGIN\n"
    "    IF to_regnamespace('chime') IS NULL THEN CREATE SCHEMA chime; END IF;\n"
    "EXCEPTION WHEN duplicate_schema OR unique_violation THEN NULL;\n"
    "END $$;\n"
    "DO $$ DECLARE f record; BEGIN\n"
    "    SELECT * INTO f FROM (" MIGRATE_OWNERS_SQL ") o;\n"
    "    IF FOUND THEN RAISE EXCEPTION '%', f.finding USING HINT = f.way_out; END IF;\n"
    "END $$;\n"
    "CREATE TABLE IF NOT EXISTS chime.migration (number integer PRIMARY KEY, name "
    "text NOT NULL, version text NOT NULL,\n"
    "    applied_at timestamptz NOT NULL DEFAULT clock_timestamp());\n";

int migrate_newest(void)
{
    int number = 0;
    for (const struct embedded_sql *file = embedded_schema; file->name != NULL; file++) {
        number = file->number;
    }
    return number;
}

const char *migrate_cron_text(void)
{
    return sql_pg_cron;
}

/* --- versions ----------------------------------------------------------------------------------------------------- */

/* Below zero: `left` is older. What is no number counts as 0. */
static int compare_versions(const char *left, const char *right)
{
    for (int part = 0; part < 3; part++) {
        char *left_end;
        char *right_end;
        long difference = strtol(left, &left_end, 10) - strtol(right, &right_end, 10);
        if (difference != 0) {
            return difference < 0 ? -1 : 1;
        }
        left = *left_end == '.' ? left_end + 1 : left_end;
        right = *right_end == '.' ? right_end + 1 : right_end;
    }
    return 0;
}

bool migrate_knows(int number, const char *version, struct error *err)
{
    if (number > migrate_newest()) {
        error_set(err, ERROR_REFUSED, "schema chime is at migration %d, newer than the %d this pgchime knows", number,
                  migrate_newest());
    } else if (version != NULL && compare_versions(version, PGCHIME_VERSION) > 0) {
        error_set(err, ERROR_REFUSED, "schema chime has the functions of pgchime %s, newer than the %s of this one",
                  version, PGCHIME_VERSION);
    } else {
        return true;
    }
    return error_hint(err,
                      "upgrade this pgchime (%s) to the version that migrated the database; if that was an unreleased "
                      "checkout: docs/upgrading.md, \"Schemas of checkouts\"",
                      PGCHIME_VERSION);
}

bool migrate_suits(int number, struct error *err)
{
    if (number == 0) {
        error_set(err, ERROR_REFUSED, "schema chime is missing");
        return error_hint(err, "run: pgchime migrate (or start pgchime serve, which does it)");
    }
    if (number < migrate_newest()) {
        error_set(err, ERROR_REFUSED, "schema chime is at migration %d, older than the %d this pgchime needs", number,
                  migrate_newest());
        return error_hint(err, "run: pgchime migrate");
    }
    return migrate_knows(number, NULL, err);
}

bool migrate_is_behind(int number, const char *version)
{
    return number < migrate_newest() || compare_versions(version, PGCHIME_VERSION) < 0;
}

bool migrate_is_current(const struct migrate_state *found)
{
    return found->number == migrate_newest() && strcmp(found->checksum, embedded_checksum) == 0;
}

/* --- the texts ---------------------------------------------------------------------------------------------------- */

static void put_file(struct buffer *text, const struct embedded_sql *file)
{
    if (file->number > 0) {
        buffer_printf(text, "INSERT INTO chime.migration (number, name, version) VALUES (%d, '%s', '%s');\n",
                      file->number, file->name, PGCHIME_VERSION);
    }
    buffer_puts(text, file->sql);
    buffer_putc(text, '\n');
}

static void put_end(struct buffer *text)
{
    buffer_printf(text, "SELECT chime.note_functions('%s', '%s');\n", embedded_checksum, PGCHIME_VERSION);
}

char *migrate_text(int from)
{
    struct buffer text = {0};
    buffer_puts(&text, "SET search_path = pg_catalog, pg_temp;\nSET citus.enable_ddl_propagation = off;\n");
    if (from == 0) {
        buffer_puts(&text, prepare_schema);
    }
    for (const struct embedded_sql *file = embedded_schema; file->name != NULL; file++) {
        if (file->number > from) {
            put_file(&text, file);
        }
    }
    for (const struct embedded_sql *file = embedded_functions; file->name != NULL; file++) {
        put_file(&text, file);
    }
    put_end(&text);
    buffer_puts(&text, "RESET search_path;\nRESET citus.enable_ddl_propagation;\n");
    return buffer_take(&text);
}

/* --- the transaction ---------------------------------------------------------------------------------------------- */

static void done(struct migration *migration, const struct error *err)
{
    struct migration ended = *migration;
    free(migration);
    ended.callback(ended.data, err, &ended.found);
}

static void failed(struct migration *migration, const struct pg_reply *reply, const char *what)
{
    struct error err;
    pg_reply_error(reply, &err);
    error_prefix(&err, "%s", what);
    if (strcmp(err.sqlstate, "55P03") == 0) { /* lock_not_available: a view is being read, say */
        error_hint(&err,
                   "somebody's transaction that uses schema chime is open: pg_locks and pg_stat_activity name it; "
                   "serve tries again by itself");
    } else if (strcmp(err.sqlstate, "42725") == 0 || strcmp(err.sqlstate, "42P13") == 0) {
        /* ambiguous_function, invalid_function_definition: functions that are there take other arguments or give other
         * results, and no file of the schema made way for them (docs/adr/0029). */
        error_hint(&err, "nothing was changed; if an unreleased checkout made schema chime: docs/upgrading.md, "
                         "\"Schemas of checkouts\"");
    }
    done(migration, &err);
}

static void committed(void *data, const struct pg_reply *reply)
{
    struct migration *migration = data;
    if (!pg_reply_ok(reply)) {
        failed(migration, reply, "cannot bring schema chime forward");
        return;
    }
    log_info("schema chime is at migration %d, with the functions of pgchime %s", migrate_newest(), PGCHIME_VERSION);
    done(migration, NULL);
}

static void run_next(struct migration *migration);

static void file_has_run(void *data, const struct pg_reply *reply)
{
    struct migration *migration = data;
    const struct embedded_sql *file = migration->current;
    char what[100];
    if (pg_reply_ok(reply)) {
        run_next(migration);
        return;
    }
    snprintf(what, sizeof(what), file->number > 0 ? "%s (migration %d)" : "functions of %s", file->name, file->number);
    failed(migration, reply, what);
}

/* Those of the schema that are missing, then all functions. */
static void run_next(struct migration *migration)
{
    struct buffer text = {0};
    if (migration->next->name == NULL && migration->current->number > 0) {
        migration->next = embedded_functions;
    }
    migration->current = migration->next;
    if (migration->current->name != NULL) {
        migration->next++;
        put_file(&text, migration->current);
        pg_send_text(migration->connection, buffer_text(&text), file_has_run, migration);
    } else {
        put_end(&text);
        buffer_puts(&text, "COMMIT;\n");
        pg_send_text(migration->connection, buffer_text(&text), committed, migration);
    }
    buffer_finish(&text);
}

static void run_from(struct migration *migration, int number)
{
    migration->next = embedded_schema;
    while (migration->next->name != NULL && migration->next->number <= number) {
        migration->next++;
    }
    if (migration->next->name == NULL) {
        migration->next = embedded_functions;
    }
    run_next(migration);
}

/* --- what is there ------------------------------------------------------------------------------------------------ */

static void read_state(struct migration *migration);

static void locked(void *data, const struct pg_reply *reply)
{
    struct migration *migration = data;
    if (!pg_reply_ok(reply)) {
        failed(migration, reply, "cannot lock schema chime");
        return;
    }
    migration->locked = true;
    read_state(migration);
}

static void unlocked(void *data, const struct pg_reply *reply)
{
    struct migration *migration = data;
    if (!pg_reply_ok(reply)) {
        failed(migration, reply, "cannot unlock schema chime");
        return;
    }
    done(migration, NULL);
}

/* Of two that migrate at once the later waits, looks again, and finds the work done. */
static void compared(struct migration *migration)
{
    struct error err;
    if (!migrate_knows(migration->found.number, migration->found.version, &err)) {
        done(migration, &err);
    } else if (migrate_is_current(&migration->found) && migration->locked) {
        pg_send_text(migration->connection, "COMMIT", unlocked, migration);
    } else if (migrate_is_current(&migration->found) || !migration->apply) {
        done(migration, NULL);
    } else if (migration->locked) {
        run_from(migration, migration->found.number);
    } else {
        pg_send_text(migration->connection, "BEGIN; LOCK TABLE chime.migration IN SHARE ROW EXCLUSIVE MODE", locked,
                     migration);
    }
}

static void functions_known(void *data, const struct pg_reply *reply)
{
    struct migration *migration = data;
    struct migrate_state *found = &migration->found;
    if (!pg_reply_ok(reply)) {
        failed(migration, reply, "cannot read schema chime");
        return;
    }
    if (pg_reply_rows(reply, 0) > 0) {
        snprintf(found->version, sizeof(found->version), "%s", pg_reply_value(reply, 0, 0, 0));
        snprintf(found->checksum, sizeof(found->checksum), "%s", pg_reply_value(reply, 0, 0, 1));
    }
    compared(migration);
}

static void number_known(void *data, const struct pg_reply *reply)
{
    /* Where one is gone, by hand or by a dump that was restored in part, it is not what the checksum says. */
    static const struct pg_statement functions = {
        .sql = "SELECT version, CASE WHEN EXISTS (SELECT FROM pg_catalog.unnest(functions) AS f"
               " WHERE pg_catalog.to_regprocedure(pg_catalog.concat('chime.', f)) IS NULL) THEN '' ELSE checksum END"
               " FROM chime.function_set"};
    struct migration *migration = data;
    if (!pg_reply_ok(reply)) {
        failed(migration, reply, "cannot read schema chime");
        return;
    }
    migration->found = (struct migrate_state){.number = atoi(pg_reply_value(reply, 0, 0, 0))};
    if (migration->found.number > 0 && migration->found.number <= migrate_newest()) {
        pg_send(migration->connection, &functions, 1, functions_known, migration);
    } else {
        compared(migration);
    }
}

static void read_state(struct migration *migration)
{
    static const struct pg_statement newest = {.sql = "SELECT coalesce(max(number), 0) FROM chime.migration"};
    pg_send(migration->connection, &newest, 1, number_known, migration);
}

static void prepared(void *data, const struct pg_reply *reply)
{
    struct migration *migration = data;
    if (pg_reply_ok(reply)) {
        read_state(migration);
        return;
    }
    struct error err;
    pg_reply_error(reply, &err);
    error_prefix(&err, "cannot make schema chime");
    error_hint(&err, "let a DBA run what pgchime init --sql prints, or: CREATE SCHEMA chime AUTHORIZATION <the role "
                     "pgchime connects as>");
    done(migration, &err);
}

static void existence_known(void *data, const struct pg_reply *reply)
{
    struct migration *migration = data;
    bool exists = pg_reply_ok(reply) && pg_reply_value(reply, 0, 0, 0)[0] == 't';
    const char *not_ours = pg_reply_ok(reply) ? pg_reply_value(reply, 0, 0, 1) : NULL;
    if (not_ours != NULL) {
        struct error err;
        error_set(&err, ERROR_REFUSED, "%s", not_ours);
        error_hint(&err, "%s", pg_reply_value(reply, 0, 0, 2));
        done(migration, &err);
    } else if (exists || !pg_reply_ok(reply)) {
        read_state(migration);
    } else if (migration->apply) {
        pg_send_text(migration->connection, prepare_schema, prepared, migration);
    } else {
        compared(migration);
    }
}

struct migration *migrate_start(struct pg_connection *connection, bool apply, migrate_callback *callback, void *data)
{
    /* to_regclass is refused where the schema is another's. */
    static const struct pg_statement exists = {
        .sql =
            "SELECT EXISTS (SELECT FROM pg_catalog.pg_class c JOIN pg_catalog.pg_namespace n ON n.oid = c.relnamespace"
            " WHERE n.nspname = 'chime' AND c.relname = 'migration'), o.finding, o.way_out"
            " FROM (SELECT) AS one LEFT JOIN (" MIGRATE_OWNERS_SQL ") AS o ON true"};
    struct migration *migration = xcalloc(1, sizeof(*migration));
    migration->connection = connection;
    migration->apply = apply;
    migration->callback = callback;
    migration->data = data;
    pg_send(connection, &exists, 1, existence_known, migration);
    return migration;
}

void migrate_abandon(struct migration *migration)
{
    free(migration);
}
