/* SPDX-License-Identifier: PostgreSQL */
#include "cli/visit.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "cli/load.h"
#include "ledger/migrate.h"
#include "report/database_list.h"

static bool check_schema(struct pg_client *client, struct error *err)
{
    struct pg_rows rows;
    if (!pg_client_query(client, "SELECT to_regclass('chime.migration') IS NOT NULL", NULL, 0, &rows, err)) {
        return false;
    }
    bool there = pg_rows_value(&rows, 0, 0)[0] == 't';
    pg_rows_finish(&rows);
    if (!there) {
        return migrate_suits(0, err);
    }
    if (!pg_client_query(client, "SELECT coalesce(max(number), 0) FROM chime.migration", NULL, 0, &rows, err)) {
        return false;
    }
    int found = atoi(pg_rows_value(&rows, 0, 0));
    pg_rows_finish(&rows);
    return migrate_suits(found, err);
}

struct visits {
    const struct invocation *invocation;
    const struct config *config;
    struct pg_client **kept;
};

void visit_remark_standby(const struct invocation *invocation, struct visit *visit)
{
    struct question question;
    struct pg_rows rows;
    struct error err;
    standby_behind_ask(&question);
    if (pg_client_is_standby(visit->client) && visit_ask(visit, &question, &rows, &err)) {
        const char *value = rows.count > 0 ? pg_rows_value(&rows, 0, 0) : NULL;
        long long behind = value != NULL ? atoll(value) / USEC_PER_MSEC : 0;
        remark(invocation, "database \"%s\": a standby, and what it has last was committed %lld.%03lld s ago",
               visit->database->name, behind / 1000, behind % 1000);
        pg_rows_finish(&rows);
    }
}

bool visit_open(struct visit *visit, const struct config_database *database, struct error *err)
{
    *visit = (struct visit){.database = database, .client = pg_client_open(database->conninfo, err)};
    return visit->client != NULL && check_schema(visit->client, err);
}

void visit_close(struct visit *visit)
{
    pg_client_close(visit->client);
    visit->client = NULL;
}

/* As the daemon tells them apart (daemon/led_databases.h). */
bool visit_is_first(const struct visit *visit, struct visited *visited, struct error *err)
{
    static const char sql[] = "SELECT concat_ws(' ', a.datid, extract(epoch FROM pg_postmaster_start_time()))"
                              "  FROM pg_stat_activity a WHERE a.pid = pg_backend_pid()";
    struct pg_rows rows;
    if (!pg_client_query(visit->client, sql, NULL, 0, &rows, err)) {
        return false;
    }
    char *place = xstrdup(pg_rows_value(&rows, 0, 0));
    pg_rows_finish(&rows);
    for (size_t i = 0; i < visited->count; i++) {
        if (strcmp(visited->places[i], place) == 0) {
            free(place);
            error_set(err, ERROR_REFUSED, ONE_DATABASE_TWICE, visited->databases[i]->name, visit->database->name);
            return error_hint(err, ONE_DATABASE_HINT);
        }
    }
    visited->databases = xrealloc(visited->databases, visited->count + 1, sizeof(*visited->databases));
    visited->places = xrealloc(visited->places, visited->count + 1, sizeof(*visited->places));
    visited->databases[visited->count] = visit->database;
    visited->places[visited->count++] = place;
    return true;
}

void visited_finish(struct visited *visited)
{
    for (size_t i = 0; i < visited->count; i++) {
        free(visited->places[i]);
    }
    free(visited->places);
    free(visited->databases);
}

/* `kept`: sessions by place in the configuration; NULL: none is kept. */
static int visit_each(const struct invocation *invocation, const struct config *config, struct pg_client **kept,
                      visit_function *function, void *data)
{
    int status = EXIT_OK;
    for (size_t i = 0; i < config->database_count; i++) {
        const struct config_database *database = &config->databases[i];
        struct visit visit = {.database = database, .client = kept != NULL ? kept[i] : NULL};
        struct error err;
        if (!database_is_wanted(invocation, database)) {
            continue;
        }
        bool opens = visit.client == NULL;
        bool open = !opens || visit_open(&visit, database, &err);
        if (open && opens) {
            visit_remark_standby(invocation, &visit);
        }
        if (!open || !function(&visit, data, &err)) {
            error_prefix(&err, "database \"%s\"", database->name);
            int failed = fail(&err);
            status = status == EXIT_OK ? failed : status;
        }
        if (kept != NULL) {
            kept[i] = visit.client;
        } else {
            visit_close(&visit);
        }
    }
    return status;
}

int visit_all(const struct invocation *invocation, const struct config *config, visit_function *function, void *data)
{
    return visit_each(invocation, config, NULL, function, data);
}

struct visits *visits_create(const struct invocation *invocation, const struct config *config)
{
    struct visits *visits = xcalloc(1, sizeof(*visits));
    *visits = (struct visits){
        .invocation = invocation, .config = config, .kept = xcalloc(config->database_count + 1, sizeof(*visits->kept))};
    return visits;
}

int visits_again(struct visits *visits, visit_function *function, void *data)
{
    return visit_each(visits->invocation, visits->config, visits->kept, function, data);
}

void visits_destroy(struct visits *visits)
{
    for (size_t i = 0; i < visits->config->database_count; i++) {
        pg_client_close(visits->kept[i]);
    }
    free(visits->kept);
    free(visits);
}

bool visit_ask(struct visit *visit, const struct question *question, struct pg_rows *rows, struct error *err)
{
    const struct report_statement *statement = report_statement(question->id);
    return pg_client_query(visit->client, statement->sql, question->parameters, statement->parameter_count, rows, err);
}

bool visit_take(struct visit *visit, struct output_list *list, const struct question *question, struct error *err)
{
    struct pg_rows rows;
    if (!visit_ask(visit, question, &rows, err)) {
        return false;
    }
    output_take_rows(list, &rows);
    pg_rows_finish(&rows);
    return true;
}

bool visit_list(struct visit *visit, struct output_list *list, const char *sql, const char *const *parameters,
                size_t parameter_count, struct error *err)
{
    const char *all[10] = {visit->database->name};
    for (size_t i = 0; i < parameter_count; i++) {
        all[i + 1] = parameters[i];
    }
    struct pg_rows rows;
    if (!pg_client_query(visit->client, sql, all, parameter_count + 1, &rows, err)) {
        return false;
    }
    output_take_rows(list, &rows);
    pg_rows_finish(&rows);
    return true;
}

int visit_command(const struct invocation *invocation, struct output_list *list, visit_function *function,
                  const char *nothing)
{
    int status;
    struct config *config = load_config(invocation, &status);
    if (config == NULL) {
        return status;
    }
    status = visit_all(invocation, config, function, list);
    output_print(&list, 1, &invocation->style, stdout);
    if (output_rows(list) == 0 && status == EXIT_OK) {
        remark(invocation, "%s", config->database_count == 0 ? "no database is configured" : nothing);
    }
    config_free(config);
    return status;
}

/* --- looking for a job by its name -------------------------------------------------------------------------------- */

bool job_search_visit(struct visit *visit, struct job_search *search, bool *here, struct error *err)
{
    struct question question;
    struct pg_rows rows;
    job_search_ask(&question, search);
    if (!visit_ask(visit, &question, &rows, err)) {
        return false;
    }
    *here = job_search_take(search, &rows, visit->database);
    pg_rows_finish(&rows);
    return true;
}

int job_search_refuse(const struct job_search *search)
{
    struct error err;
    job_search_error(search, &err);
    return fail(&err);
}
