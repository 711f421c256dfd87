/* SPDX-License-Identifier: PostgreSQL */
#include <string.h>

#include "base/clock.h"
#include "base/memory.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/definition_file.h"
#include "cli/load.h"
#include "cli/visit.h"
#include "pg/conninfo.h"
#include "report/database_list.h"

static const struct output_column columns[] = {
    {NULL, "file", OUTPUT_TEXT, OUTPUT_ALWAYS},
    {NULL, "line", OUTPUT_INTEGER, OUTPUT_ALWAYS},
    {NULL, "message", OUTPUT_TEXT, OUTPUT_ALWAYS},
    {NULL, "hint", OUTPUT_TEXT, OUTPUT_ALWAYS},
};
enum { COLUMN_FILE, COLUMN_LINE, COLUMN_MESSAGE, COLUMN_HINT };

/* For programs, the findings on standard output too. */
static void print_data(const struct invocation *invocation, const struct report *report)
{
    struct output_list *list = output_create("findings", columns, COUNT_OF(columns));
    for (size_t i = 0; i < report->count; i++) {
        const struct finding *finding = &report->findings[i];
        output_add_row(list);
        output_set(list, COLUMN_FILE, finding->file);
        if (finding->line > 0) {
            output_set_number(list, COLUMN_LINE, finding->line);
        }
        output_set(list, COLUMN_MESSAGE, finding->message);
        output_set(list, COLUMN_HINT, finding->hint);
    }
    output_print(&list, 1, &invocation->style, stdout);
    output_destroy(list);
}

static void print_success(const struct loaded *loaded)
{
    size_t databases = loaded->config->database_count;
    size_t plugins = loaded->catalog->plugin_count;
    size_t jobs = loaded->catalog->job_count;
    printf("ok: %zu database%s, %zu plugin%s, %zu job%s\n", databases, databases == 1 ? "" : "s", plugins,
           plugins == 1 ? "" : "s", jobs, jobs == 1 ? "" : "s");
}

static void warn_of_idleness(const struct invocation *invocation, const struct config *config)
{
    if (config->database_count == 0) {
        remark(invocation,
               "no database is configured, so nothing will run: write databases: { main: { conninfo = "
               "\"...\"; }; }; in %s",
               config->file);
    }
}

/* Refused or not. */
static bool is_in_folder(const struct loaded *loaded, const char *name)
{
    for (size_t i = 0; i < loaded->plugins->count; i++) {
        if (strcmp(loaded->plugins->plugins[i]->name, name) == 0) {
            return true;
        }
    }
    for (size_t i = 0; i < loaded->report.count; i++) {
        if (finding_is_of_plugin(&loaded->report.findings[i], name)) {
            return true;
        }
    }
    return false;
}

/* No mistake, since a plugin's file may be taken away, but whoever just wrote the name wants to know. */
static void warn_of_absent_plugins(const struct invocation *invocation, const struct loaded *loaded)
{
    for (size_t i = 0; i < loaded->config->plugin_count; i++) {
        const struct config_plugin *entry = &loaded->config->plugins[i];
        if (entry->view == NULL && entry->enabled != CONFIG_DISABLED && !is_in_folder(loaded, entry->name)) {
            remark(invocation,
                   "%s:%d: warning: there is no plugin \"%s\" yet: this waits for %s.so or %s.sql in plugin_dir",
                   entry->file, entry->line, entry->name, entry->name, entry->name);
        }
    }
}

static void warn_of_past(const struct invocation *invocation, const struct catalog *catalog)
{
    instant now = clock_wall();
    for (size_t i = 0; i < catalog->job_count; i++) {
        const struct job *job = catalog->jobs[i];
        if (job->active && job->schedule.form == SCHEDULE_ONCE && schedule_next(&job->schedule, now) == INSTANT_NEVER) {
            remark(invocation, "%s:%d: warning: job \"%s\": the one time of \"%s\" has passed", job->file, job->line,
                   job->name, job->schedule_text);
        }
    }
}

/* Two that differ may lead to one database all the same: the daemon sees that once both have answered. */
static bool same_database(const struct conninfo *left, const struct conninfo *right)
{
    bool same = left->host_count == right->host_count &&
                text_same(conninfo_value(left, "dbname"), conninfo_value(right, "dbname"));
    for (size_t i = 0; same && i < left->host_count; i++) {
        same = text_same(left->hosts[i].name, right->hosts[i].name) &&
               text_same(left->hosts[i].address, right->hosts[i].address) &&
               text_same(left->hosts[i].port, right->hosts[i].port);
    }
    return same && conninfo_value(left, "dbname") != NULL;
}

static void check_twin(struct loaded *loaded, const struct config_database *database, const struct conninfo *info,
                       const struct config_database *earlier)
{
    struct pg_target target = {.conninfo = earlier->conninfo, .application_name = "pgchime check"};
    struct conninfo other;
    if (earlier->conninfo == NULL || !conninfo_read(&other, &target, NULL)) {
        return;
    }
    if (same_database(info, &other)) {
        report_add(&loaded->report, loaded->config->file, database->line, ONE_DATABASE_HINT, ONE_DATABASE_TWICE,
                   earlier->name, database->name);
    }
    conninfo_finish(&other);
}

/* libpq reads a conninfo without connecting; the layers below may not ask it. */
static void check_conninfo(struct loaded *loaded)
{
    for (size_t i = 0; i < loaded->config->database_count; i++) {
        const struct config_database *database = &loaded->config->databases[i];
        if (database->conninfo == NULL) {
            continue; /* said already */
        }
        struct pg_target target = {.conninfo = database->conninfo, .application_name = "pgchime check"};
        struct conninfo info;
        struct error err;
        if (!conninfo_read(&info, &target, &err)) {
            report_add(&loaded->report, loaded->config->file, database->line, err.hint, "database \"%s\": %s",
                       database->name, err.message);
            continue;
        }
        for (size_t j = 0; j < i; j++) {
            check_twin(loaded, database, &info, &loaded->config->databases[j]);
        }
        conninfo_finish(&info);
    }
}

/* What became of plugins and their views there. */
static bool check_database(struct visit *visit, void *data, struct error *err)
{
    struct loaded *loaded = data;
    struct question question;
    struct pg_rows rows;
    plugin_problems_ask(&question);
    if (!visit_ask(visit, &question, &rows, err)) {
        return false;
    }
    for (size_t i = 0; i < rows.count; i++) {
        report_add(&loaded->report, loaded->config->file, visit->database->line, pg_rows_value(&rows, i, 1),
                   "database \"%s\": %s", visit->database->name, pg_rows_value(&rows, i, 0));
    }
    pg_rows_finish(&rows);
    return true;
}

/* Whether this very version is there already: then what became of it was asked above. */
static bool is_installed(struct visit *visit, const struct declaration *declaration, bool *installed, struct error *err)
{
    struct pg_rows rows;
    if (!pg_client_query(visit->client,
                         "SELECT FROM chime.plugin p WHERE p.name OPERATOR(pg_catalog.=) $1"
                         " AND p.version OPERATOR(pg_catalog.=) $2 AND p.state OPERATOR(pg_catalog.=) 'installed'",
                         (const char *const[]){declaration->name, declaration->version}, 2, &rows, err)) {
        return false;
    }
    *installed = rows.count > 0;
    pg_rows_finish(&rows);
    return true;
}

/* What would become of a view as SQL: a finding where nothing would. */
static void check_definition(struct visit *visit, struct loaded *loaded, const struct catalog_plugin *plugin,
                             const struct invocation *invocation)
{
    const struct declaration *declaration = plugin->declaration;
    struct pg_rows rows;
    struct error err;
    bool explained = definition_explain(visit, declaration, plugin->view_schema, &rows, &err);
    if (!explained && (strcmp(err.sqlstate, "42P01") == 0 || strcmp(err.sqlstate, "42703") == 0)) {
        remark(invocation, "%s: will be dormant: %s", declaration->name, err.message); /* as a plugin's is no finding */
        return;
    }
    if (!explained) {
        report_add(&loaded->report, declaration->file, 0, err.hint[0] != '\0' ? err.hint : NULL,
                   "database \"%s\": view \"%s\": %s", visit->database->name, declaration->name, err.message);
        return;
    }
    for (size_t i = 0; i < rows.count; i++) {
        remark(invocation, "%s%s: %s", i == 0 ? "" : "  ", declaration->name, pg_rows_value(&rows, i, 0));
    }
    pg_rows_finish(&rows);
}

struct checking {
    const struct invocation *invocation;
    struct loaded *loaded;
};

static bool check_definitions(struct visit *visit, void *data, struct error *err)
{
    struct checking *checking = data;
    const struct catalog *catalog = checking->loaded->catalog;
    bool installed = false;
    if (!check_database(visit, checking->loaded, err)) {
        return false;
    }
    for (size_t i = 0; catalog != NULL && i < catalog->plugin_count; i++) {
        const struct catalog_plugin *plugin = &catalog->plugins[i];
        if (!plugin->declaration->derives || strcmp(plugin->database, visit->database->name) != 0) {
            continue;
        }
        if (!is_installed(visit, plugin->declaration, &installed, err)) {
            return false;
        }
        if (!installed) {
            check_definition(visit, checking->loaded, plugin, checking->invocation);
        }
    }
    return true;
}

static int check_run(const struct invocation *invocation)
{
    struct loaded loaded;
    load_all(invocation, &loaded);
    check_conninfo(&loaded);
    int reached = EXIT_OK;
    if (invocation->database != NULL && loaded.config->databases_sound) {
        struct checking checking = {invocation, &loaded};
        reached = visit_all(invocation, loaded.config, check_definitions, &checking);
    }
    print_findings(&loaded.report);
    if (!output_is_for_people(&invocation->style)) {
        print_data(invocation, &loaded.report);
    } else if (loaded.report.count == 0 && reached == EXIT_OK && !invocation->quiet) {
        print_success(&loaded);
    }
    if (loaded.config->plugin_dir != NULL || loaded.report.count == 0) {
        warn_of_absent_plugins(invocation, &loaded);
    }
    if (loaded.report.count == 0) {
        warn_of_idleness(invocation, loaded.config);
        warn_of_past(invocation, loaded.catalog);
    }
    int status = loaded.report.count == 0 ? reached : (int)ERROR_CONFIG;
    loaded_finish(&loaded);
    return status;
}

const struct command command_check = {
    .name = "check",
    .arguments = "",
    .summary = "configuration and plugins: every error as file:line; offline, or with --database as there",
    .details = "With --database it asks that database, too: a plugin that could not be installed or whose views could "
               "not be filled\n"
               "is a finding. Of views as SQL that are not installed yet it says what would become of them, as views "
               "explain does.\n"
               "Exit status 3 when there is any finding, a refused plugin included (serve would go on without that "
               "one). While the\n"
               "name of a database has an error, what jobs and plugins need of the databases is not looked at.",
    .run = check_run,
};
