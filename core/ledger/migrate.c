/* SPDX-License-Identifier: PostgreSQL */
#include "ledger/migrate.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/buffer.h"
#include "base/log.h"
#include "base/memory.h"
#include "ledger/embedded.h"
#include "pg_cron.sql.h"

struct migration {
    struct pg_connection *connection;
    bool apply;
    migrate_callback *callback;
    void *data;
    int from;
    size_t next; /* index of the migration that runs next */
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
    return embedded_migrations[embedded_migration_count - 1].number;
}

const char *migrate_cron_text(void)
{
    return sql_pg_cron;
}

static void done(struct migration *migration, const struct error *err, int to)
{
    migrate_callback *callback = migration->callback;
    void *data = migration->data;
    int from = migration->from;
    free(migration);
    callback(data, err, from, to);
}

/* The row is both the note and the lock: of two daemons that migrate at once, the later fails on it and looks again. */
static void put_migration(struct buffer *text, const struct embedded_migration *migration)
{
    buffer_printf(text, "INSERT INTO chime.migration (number, name, version) VALUES (%d, '%s', '%s');\n",
                  migration->number, migration->name, PGCHIME_VERSION);
    buffer_puts(text, migration->sql);
    buffer_putc(text, '\n');
}

static void apply_next(struct migration *migration);

static void applied(void *data, const struct pg_reply *reply)
{
    struct migration *migration = data;
    const struct embedded_migration *current = &embedded_migrations[migration->next];
    if (!pg_reply_ok(reply)) {
        struct error err;
        pg_reply_error(reply, &err);
        error_prefix(&err, "migration %d (%s)", current->number, current->name);
        done(migration, &err, migration->from);
        return;
    }
    log_info("schema chime is at migration %d (%s)", current->number, current->name);
    migration->next++;
    apply_next(migration);
}

static void apply_next(struct migration *migration)
{
    if (migration->next == embedded_migration_count) {
        done(migration, NULL, migrate_newest());
        return;
    }
    struct buffer text = {0};
    put_migration(&text, &embedded_migrations[migration->next]);
    pg_send_text(migration->connection, buffer_text(&text), applied, migration);
    buffer_finish(&text);
}

bool migrate_knows(int found, struct error *err)
{
    if (found <= migrate_newest()) {
        return true;
    }
    error_set(err, ERROR_REFUSED, "schema chime is at migration %d, newer than the %d this pgchime knows", found,
              migrate_newest());
    return error_hint(err, "upgrade this pgchime (%s) to the version that migrated the database", PGCHIME_VERSION);
}

static void compared(struct migration *migration, int found)
{
    struct error err;
    migration->from = found;
    if (!migrate_knows(found, &err)) {
        done(migration, &err, found);
        return;
    }
    while (migration->next < embedded_migration_count && embedded_migrations[migration->next].number <= found) {
        migration->next++;
    }
    if (migration->apply) {
        apply_next(migration);
    } else {
        done(migration, NULL, found);
    }
}

static void read_newest(void *data, const struct pg_reply *reply)
{
    struct migration *migration = data;
    struct error err;
    if (!pg_reply_ok(reply)) {
        pg_reply_error(reply, &err);
        error_prefix(&err, "cannot read schema chime");
        done(migration, &err, 0);
        return;
    }
    compared(migration, atoi(pg_reply_value(reply, 0, 0, 0)));
}

static void read_state(struct migration *migration)
{
    static const struct pg_statement newest = {.sql = "SELECT coalesce(max(number), 0) FROM chime.migration"};
    pg_send(migration->connection, &newest, 1, read_newest, migration);
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
    done(migration, &err, 0);
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
        done(migration, &err, 0);
    } else if (exists || !pg_reply_ok(reply)) {
        read_state(migration);
    } else if (migration->apply) {
        pg_send_text(migration->connection, prepare_schema, prepared, migration);
    } else {
        compared(migration, 0);
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

char *migrate_text(int from)
{
    struct buffer text = {0};
    if (from < migrate_newest()) {
        buffer_puts(&text, "SET search_path = pg_catalog, pg_temp;\n");
    }
    if (from == 0) {
        buffer_puts(&text, prepare_schema);
    }
    for (size_t i = 0; i < embedded_migration_count; i++) {
        if (embedded_migrations[i].number > from) {
            put_migration(&text, &embedded_migrations[i]);
        }
    }
    if (from < migrate_newest()) {
        buffer_puts(&text, "RESET search_path;\n");
    }
    return buffer_take(&text);
}
