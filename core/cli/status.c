#include "base/memory.h"
#include "cli/commands.h"
#include "cli/job_slots.h"
#include "cli/load.h"
#include "cli/visit.h"

static const struct output_column columns[] = {
    {"DATABASE", "database", OUTPUT_TEXT, OUTPUT_ALWAYS},
    {"REACHABLE", "reachable", OUTPUT_BOOLEAN, OUTPUT_ALWAYS},
    {"SCHEMA", "schema", OUTPUT_INTEGER, OUTPUT_ALWAYS},
    {"LEADER", "leader", OUTPUT_TEXT, OUTPUT_ALWAYS},
    {"SINCE", "leader_since", OUTPUT_INSTANT, OUTPUT_ALWAYS},
    {"EPOCH", "epoch", OUTPUT_INTEGER, OUTPUT_ALWAYS},
    {"SESSION", "leader_session", OUTPUT_BOOLEAN, OUTPUT_ALWAYS},
    {"JOBS", "jobs", OUTPUT_INTEGER, OUTPUT_ALWAYS},
    {"ACTIVE", "active_jobs", OUTPUT_INTEGER, OUTPUT_ALWAYS},
    {"LIVE", "live_runs", OUTPUT_INTEGER, OUTPUT_ALWAYS},
    {"FAILING", "failing_jobs", OUTPUT_INTEGER, OUTPUT_ALWAYS},
    {"ASKED", "requests", OUTPUT_INTEGER, OUTPUT_ALWAYS},
    {"VIEWS", "views", OUTPUT_INTEGER, OUTPUT_ALWAYS},
    {"CLOCK", "database_now", OUTPUT_INSTANT, OUTPUT_WIDER},
    {"NEXT", "next_slot", OUTPUT_INSTANT, OUTPUT_ALWAYS},
    {"PROBLEM", "problem", OUTPUT_LONG, OUTPUT_ALWAYS},
};
enum { COLUMN_DATABASE, COLUMN_REACHABLE, COLUMN_NEXT = 14, COLUMN_PROBLEM };

/* A leader whose session is gone leads no more; who it was is still said. */
static const char status_sql[] =
    "SELECT $1::text, true, (SELECT max(number) FROM chime.migration), CASE WHEN l.token IS NOT NULL THEN l.instance "
    "END,"
    "       CASE WHEN l.token IS NOT NULL THEN l.since END, l.epoch,"
    "       l.token IS NOT NULL AND chime.backend_alive(l.pid, l.backend_start),"
    "       (SELECT count(*) FROM chime.job), (SELECT count(*) FROM chime.job WHERE active), (SELECT count(*) FROM "
    "chime.run),"
    "       (SELECT count(*) FROM chime.job_status WHERE active AND consecutive_failures > 0),"
    "       (SELECT count(*) FROM chime.request), (SELECT count(*) FROM chime.view), clock_timestamp()"
    "  FROM chime.leader l";

static const char calendars_sql[] = "SELECT " JOB_CALENDAR_COLUMNS
                                    " FROM chime.job j JOIN chime.job_status s USING (job_id)"
                                    " WHERE j.active AND j.schedule <> ''";

static bool add_next_slot(struct visit *visit, struct output_list *list, struct error *err)
{
    struct pg_rows rows;
    instant next = INSTANT_NEVER;
    if (!pg_client_query(visit->client, calendars_sql, NULL, 0, &rows, err)) {
        return false;
    }
    struct zones *zones = zones_create();
    for (size_t i = 0; i < rows.count; i++) {
        struct job_calendar calendar = job_calendar_of_row(&rows, i, 0);
        instant slot = job_next_slot(&calendar, visit->database, zones);
        next = slot < next ? slot : next;
    }
    zones_destroy(zones);
    pg_rows_finish(&rows);
    output_set_instant(list, COLUMN_NEXT, next);
    return true;
}

static void add_problem(struct output_list *list, const char *database, const struct error *err)
{
    output_add_row(list);
    output_set(list, COLUMN_DATABASE, database);
    output_set_number(list, COLUMN_REACHABLE, err->kind != ERROR_UNREACHABLE);
    output_set(list, COLUMN_PROBLEM, err->message);
}

static int add_database(struct output_list *list, const struct config_database *database)
{
    struct visit visit;
    struct error err;
    int status = EXIT_OK;
    if (!visit_open(&visit, database, &err) || !visit_list(&visit, list, status_sql, NULL, 0, &err) ||
        !add_next_slot(&visit, list, &err)) {
        add_problem(list, database->name, &err);
        error_prefix(&err, "database \"%s\"", database->name);
        status = fail(&err);
    }
    visit_close(&visit);
    return status;
}

static int status_run(const struct invocation *invocation)
{
    int status;
    struct config *config = load_config(invocation, &status);
    if (config == NULL) {
        return status;
    }
    struct output_list *list = output_create("databases", columns, COUNT_OF(columns));
    status = EXIT_OK;
    for (size_t i = 0; i < config->database_count; i++) {
        if (database_is_wanted(invocation, &config->databases[i])) {
            int failed = add_database(list, &config->databases[i]);
            status = status == EXIT_OK ? failed : status;
        }
    }
    output_print(&list, 1, &invocation->style, stdout);
    if (config->database_count == 0) {
        remark(invocation, "no database is configured in %s", config->file);
    }
    output_destroy(list);
    config_free(config);
    return status;
}

const struct command command_status = {
    .name = "status",
    .arguments = "",
    .summary = "each database: who leads, and what is due, live or failing",
    .run = status_run,
};
