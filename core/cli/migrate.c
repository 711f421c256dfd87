/* SPDX-License-Identifier: PostgreSQL */
/* The only command besides serve that uses the event loop, because migrations run through the daemon's connection. */
#include "ledger/migrate.h"

#include <stdio.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/memory.h"
#include "cli/commands.h"
#include "cli/load.h"
#include "loop/loop.h"
#include "loop/resolve.h"
#include "pg/session.h"

#define CONNECT_TIMEOUT (10 * USEC_PER_SEC)

static const struct output_column columns[] = {
    {"DATABASE", "database", OUTPUT_TEXT, OUTPUT_ALWAYS},
    {"FROM", "from", OUTPUT_INTEGER, OUTPUT_ALWAYS},
    {"TO", "to", OUTPUT_INTEGER, OUTPUT_ALWAYS},
};
enum { COLUMN_DATABASE, COLUMN_FROM, COLUMN_TO };

/* One database on its way. */
struct work {
    struct loop *loop;
    bool apply;
    bool with_cron;
    struct pg_connection *connection;
    struct pg_identity identity;
    struct migration *migration;
    struct error err; /* kind ERROR_NONE: done */
    struct migrate_state found;
};

static void end(struct work *work, const struct error *err)
{
    if (err != NULL) {
        work->err = *err;
        if (work->err.kind == ERROR_NONE) {
            work->err.kind = ERROR_FAILED;
        }
    }
    /* Here and not after the loop, which does away with closed connections. */
    pg_close(work->connection);
    work->connection = NULL;
    loop_stop(work->loop);
}

static void cron_made(void *data, const struct pg_reply *reply)
{
    struct work *work = data;
    struct error err;
    if (!pg_reply_ok(reply)) {
        pg_reply_error(reply, &err);
        error_prefix(&err, "cannot make schema cron");
        end(work, &err);
        return;
    }
    end(work, NULL);
}

static void migrated(void *data, const struct error *err, const struct migrate_state *found)
{
    struct work *work = data;
    work->migration = NULL;
    work->found = *found;
    if (err == NULL && work->with_cron && work->apply) {
        pg_send_text(work->connection, migrate_cron_text(), cron_made, work);
    } else {
        end(work, err);
    }
}

static void checked(void *data, const struct pg_reply *reply)
{
    struct work *work = data;
    struct error err = {.kind = ERROR_FAILED};
    if (!pg_read_check(work->connection, reply, PG_LEADER, &work->identity, &err)) {
        end(work, &err);
        return;
    }
    work->migration = migrate_start(work->connection, work->apply, migrated, work);
}

static void ready(void *data)
{
    struct work *work = data;
    pg_check(work->connection, checked, work);
}

static void closed(void *data, const struct error *reason)
{
    struct work *work = data;
    migrate_abandon(work->migration);
    work->migration = NULL;
    struct error err = *reason;
    err.kind = ERROR_UNREACHABLE;
    end(work, &err);
}

static const struct pg_handlers handlers = {.ready = ready, .closed = closed};

static void migrate_database(struct work *work, struct resolver *resolver, const struct config_database *database)
{
    struct pg_target target = {
        .conninfo = database->conninfo,
        .application_name = "pgchime migrate",
        .settings = pg_leader_settings,
        .setting_count = pg_leader_setting_count,
        .connect_timeout = CONNECT_TIMEOUT,
    };
    work->connection = pg_open(work->loop, resolver, &target, &handlers, work);
    loop_run(work->loop);
}

static void print_missing(const struct invocation *invocation, const char *database, const struct work *work)
{
    int from = work->found.number;
    if (migrate_is_current(&work->found)) {
        remark(invocation, "database \"%s\": schema chime is at migration %d, the newest", database, from);
    } else {
        char *text = migrate_text(from);
        printf("-- database \"%s\": schema chime from migration %d to %d, and all its functions\n%s", database, from,
               migrate_newest(), text);
        free(text);
    }
    if (work->with_cron) {
        printf("-- database \"%s\": schema cron\n%s", database, migrate_cron_text());
    }
}

static int migrate_all(const struct invocation *invocation, const struct config *config, struct output_list *list)
{
    struct loop *loop = loop_create();
    struct resolver *resolver = resolver_create(loop);
    bool dry = invocation_has(invocation, "dry-run");
    int status = EXIT_OK;
    for (size_t i = 0; i < config->database_count; i++) {
        const struct config_database *database = &config->databases[i];
        struct work work = {.loop = loop, .apply = !dry, .with_cron = invocation_has(invocation, "with-cron")};
        if (!database_is_wanted(invocation, database)) {
            continue;
        }
        migrate_database(&work, resolver, database);
        if (work.err.kind != ERROR_NONE) {
            error_prefix(&work.err, "database \"%s\"", database->name);
            int failed = fail(&work.err);
            status = status == EXIT_OK ? failed : status;
        } else if (dry) {
            print_missing(invocation, database->name, &work);
        } else {
            if (work.with_cron) {
                remark(invocation,
                       "database \"%s\": schema cron is there. Scripts that ask whether the extension is installed "
                       "ask for this instead, which is true of both: " CRON_GUARD,
                       database->name);
            }
            output_add_row(list);
            output_set(list, COLUMN_DATABASE, database->name);
            output_set_number(list, COLUMN_FROM, work.found.number);
            output_set_number(list, COLUMN_TO, migrate_newest());
        }
    }
    resolver_destroy(resolver);
    loop_destroy(loop);
    return status;
}

static int migrate_run(const struct invocation *invocation)
{
    int status;
    struct config *config = load_config(invocation, &status);
    if (config == NULL) {
        return status;
    }
    log_set_level(invocation->quiet ? LOG_LEVEL_WARNING : config->log_level);
    struct output_list *list = output_create("migrations", columns, COUNT_OF(columns));
    status = migrate_all(invocation, config, list);
    if (!invocation_has(invocation, "dry-run")) {
        output_print(&list, 1, &invocation->style, stdout);
    }
    output_destroy(list);
    config_free(config);
    return status;
}

const struct command command_migrate = {
    .name = "migrate",
    .arguments = "",
    .summary = "brings schema chime and its functions forward, in one transaction",
    .details =
        "serve does the same by itself. With --dry-run, prints the SQL for a DBA to read or run (psql -1 -f).\n"
        "--with-cron also makes schema cron, with the functions and relations of the extension pg_cron, so that\n"
        "SQL which was written for it works unchanged; beside the extension itself it is refused. Scripts that ask\n"
        "pg_extension for pg_cron before they schedule ask for this instead, which is true of both:\n"
        "  " CRON_GUARD,
    .options = {{"dry-run", NULL, "print the SQL that is missing, change nothing"},
                {"with-cron", NULL, "make schema cron, too, as pg_cron has it"}},
    .run = migrate_run,
};
