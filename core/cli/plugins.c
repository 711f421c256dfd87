/* SPDX-License-Identifier: PostgreSQL */
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "cli/commands.h"
#include "cli/load.h"
#include "cli/visit.h"

static const struct output_column columns[] = {
    {"NAME", "name", OUTPUT_TEXT, OUTPUT_ALWAYS},         {"VERSION", "version", OUTPUT_TEXT, OUTPUT_ALWAYS},
    {"DATABASE", "database", OUTPUT_TEXT, OUTPUT_ALWAYS}, {"STATE", "state", OUTPUT_STATE, OUTPUT_ALWAYS},
    {"JOBS", NULL, OUTPUT_INTEGER, OUTPUT_ALWAYS},        {NULL, "jobs", OUTPUT_DATA, OUTPUT_ALWAYS},
    {"VIEWS", NULL, OUTPUT_INTEGER, OUTPUT_ALWAYS},       {NULL, "views", OUTPUT_DATA, OUTPUT_ALWAYS},
    {"SUMMARY", "summary", OUTPUT_LONG, OUTPUT_ALWAYS},   {"REASON", "reason", OUTPUT_LONG, OUTPUT_ALWAYS},
    {"FILE", "file", OUTPUT_TEXT, OUTPUT_WIDER},
};
enum {
    COLUMN_NAME,
    COLUMN_VERSION,
    COLUMN_DATABASE,
    COLUMN_STATE,
    COLUMN_JOB_COUNT,
    COLUMN_JOBS,
    COLUMN_VIEW_COUNT,
    COLUMN_VIEWS,
    COLUMN_SUMMARY,
    COLUMN_REASON,
    COLUMN_FILE,
};

/* What one database says of its plugins. */
struct installed {
    const char *database;
    struct pg_rows rows;
};
enum { ROW_NAME, ROW_VERSION, ROW_SUMMARY, ROW_STATE, ROW_REASON };

struct survey {
    struct installed *databases;
    size_t count;
};

static bool ask_database(struct visit *visit, void *data, struct error *err)
{
    struct survey *survey = data;
    struct installed *installed = &survey->databases[survey->count];
    installed->database = visit->database->name;
    if (!pg_client_query(visit->client,
                         "SELECT name, version, summary, state, reason FROM chime.plugin_status ORDER BY name", NULL, 0,
                         &installed->rows, err)) {
        return false;
    }
    survey->count++;
    return true;
}

static const struct catalog_plugin *find_taken(const struct loaded *loaded, const char *name)
{
    for (size_t i = 0; loaded->catalog != NULL && i < loaded->catalog->plugin_count; i++) {
        if (strcmp(loaded->catalog->plugins[i].declaration->name, name) == 0) {
            return &loaded->catalog->plugins[i];
        }
    }
    return NULL;
}

static bool is_in_folder(const struct loaded *loaded, const char *name)
{
    for (size_t i = 0; i < loaded->plugins->count; i++) {
        if (strcmp(loaded->plugins->plugins[i]->name, name) == 0) {
            return true;
        }
    }
    return false;
}

static void set_names(struct output_list *list, size_t count_column, json_t *names)
{
    char *text = json_dumps(names, JSON_COMPACT);
    output_set_number(list, count_column, (int64_t)json_array_size(names));
    output_set(list, count_column + 1, text);
    free(text);
    json_decref(names);
}

static void add_declared(struct output_list *list, const struct declaration *declaration)
{
    json_t *jobs = json_array();
    json_t *views = json_array();
    for (size_t i = 0; i < declaration->job_count; i++) {
        json_array_append_new(jobs, json_string(declaration->jobs[i].name));
    }
    for (size_t i = 0; i < declaration->view_count; i++) {
        json_array_append_new(views, json_string(declaration->views[i].relation));
    }
    output_add_row(list);
    output_set(list, COLUMN_NAME, declaration->name);
    output_set(list, COLUMN_VERSION, declaration->version);
    output_set(list, COLUMN_SUMMARY, declaration->summary);
    output_set(list, COLUMN_FILE, declaration->file);
    set_names(list, COLUMN_JOB_COUNT, jobs);
    set_names(list, COLUMN_VIEW_COUNT, views);
}

static void set_installed(struct output_list *list, const struct installed *installed, const char *name)
{
    for (size_t i = 0; i < installed->rows.count; i++) {
        if (strcmp(pg_rows_value(&installed->rows, i, ROW_NAME), name) == 0) {
            output_set(list, COLUMN_STATE, pg_rows_value(&installed->rows, i, ROW_STATE));
            output_set(list, COLUMN_REASON, pg_rows_value(&installed->rows, i, ROW_REASON));
        }
    }
}

/* NULL where no database knows it. */
static const char *state_of(const struct survey *survey, const char *name)
{
    for (size_t n = 0; n < survey->count; n++) {
        const struct pg_rows *rows = &survey->databases[n].rows;
        for (size_t i = 0; i < rows->count; i++) {
            if (strcmp(pg_rows_value(rows, i, ROW_NAME), name) == 0) {
                return pg_rows_value(rows, i, ROW_STATE);
            }
        }
    }
    return NULL;
}

/* Only available: its tables are not there, and nobody asked for it. */
static bool is_hidden(const struct invocation *invocation, const struct survey *survey, const char *name)
{
    const char *state = state_of(survey, name);
    return !invocation_has(invocation, "all") && state != NULL && strcmp(state, "available") == 0;
}

static void add_one(const struct loaded *loaded, const struct survey *survey, struct output_list *list,
                    const struct declaration *declaration, const struct catalog_plugin *taken)
{
    add_declared(list, declaration);
    if (taken == NULL) {
        output_set(list, COLUMN_STATE, loaded->catalog != NULL ? "disabled" : NULL);
        return;
    }
    output_set(list, COLUMN_DATABASE, taken->database);
    for (size_t n = 0; n < survey->count; n++) {
        if (strcmp(survey->databases[n].database, taken->database) == 0) {
            set_installed(list, &survey->databases[n], declaration->name);
        }
    }
}

/* Views in conf.d. */
static void add_from_catalog(const struct invocation *invocation, const struct loaded *loaded,
                             const struct survey *survey, struct output_list *list)
{
    for (size_t i = 0; loaded->catalog != NULL && i < loaded->catalog->plugin_count; i++) {
        const struct catalog_plugin *taken = &loaded->catalog->plugins[i];
        if (!is_in_folder(loaded, taken->declaration->name) &&
            (invocation->database == NULL || strcmp(taken->database, invocation->database) == 0)) {
            add_one(loaded, survey, list, taken->declaration, taken);
        }
    }
}

/* How many are not shown. */
static size_t add_from_folder(const struct invocation *invocation, const struct loaded *loaded,
                              const struct survey *survey, struct output_list *list)
{
    size_t hidden = 0;
    for (size_t i = 0; i < loaded->plugins->count; i++) {
        const struct declaration *declaration = loaded->plugins->plugins[i];
        const struct catalog_plugin *taken = find_taken(loaded, declaration->name);
        if (invocation->database != NULL && (taken == NULL || strcmp(taken->database, invocation->database) != 0)) {
            continue;
        }
        if (is_hidden(invocation, survey, declaration->name)) {
            hidden++;
            continue;
        }
        add_one(loaded, survey, list, declaration, taken);
    }
    return hidden;
}

/* Those a database still has though their file is gone or refused. */
static void add_from_databases(const struct loaded *loaded, const struct survey *survey, struct output_list *list)
{
    for (size_t n = 0; n < survey->count; n++) {
        const struct installed *installed = &survey->databases[n];
        for (size_t i = 0; i < installed->rows.count; i++) {
            const char *name = pg_rows_value(&installed->rows, i, ROW_NAME);
            if (!is_in_folder(loaded, name) && find_taken(loaded, name) == NULL) {
                output_add_row(list);
                output_set(list, COLUMN_NAME, pg_rows_value(&installed->rows, i, ROW_NAME));
                output_set(list, COLUMN_VERSION, pg_rows_value(&installed->rows, i, ROW_VERSION));
                output_set(list, COLUMN_SUMMARY, pg_rows_value(&installed->rows, i, ROW_SUMMARY));
                output_set(list, COLUMN_DATABASE, installed->database);
                output_set(list, COLUMN_STATE, pg_rows_value(&installed->rows, i, ROW_STATE));
                output_set(list, COLUMN_REASON, pg_rows_value(&installed->rows, i, ROW_REASON));
            }
        }
    }
}

static int list_plugins(const struct invocation *invocation, const struct loaded *loaded)
{
    struct survey survey = {.databases = xcalloc(loaded->config->database_count + 1, sizeof(*survey.databases))};
    struct output_list *list = output_create("plugins", columns, COUNT_OF(columns));
    int status = visit_all(invocation, loaded->config, ask_database, &survey);
    size_t hidden = add_from_folder(invocation, loaded, &survey, list);
    add_from_catalog(invocation, loaded, &survey, list);
    add_from_databases(loaded, &survey, list);
    output_print(&list, 1, &invocation->style, stdout);
    if (hidden > 0) {
        remark(invocation, "%zu whose tables are not here %s not shown: pgchime plugins --all", hidden,
               hidden == 1 ? "is" : "are");
    } else if (output_rows(list) == 0 && status == EXIT_OK) {
        remark(invocation, "no plugins");
    }
    output_destroy(list);
    for (size_t i = 0; i < survey.count; i++) {
        pg_rows_finish(&survey.databases[i].rows);
    }
    free(survey.databases);
    return loaded->report.count > 0 ? (int)ERROR_CONFIG : status;
}

static int plugins_run(const struct invocation *invocation)
{
    struct loaded loaded;
    int status;
    struct config *config = load_sound_config(invocation, &status);
    if (config == NULL) {
        return status;
    }
    config_free(config);
    load_all(invocation, &loaded);
    print_findings(&loaded.report);
    status = loaded.config->databases_sound ? list_plugins(invocation, &loaded) : (int)ERROR_CONFIG;
    loaded_finish(&loaded);
    return status;
}

const struct command command_plugins = {
    .name = "plugins",
    .arguments = "",
    .summary = "the plugin folder, and what became of each plugin in its database",
    .details = "A plugin whose tables are not in the database is only available: it has no jobs, and is shown by "
               "--all. One that\n"
               "conf.d asks for (enabled = true), or that was installed here before, is dormant instead, and is told.",
    .options = {{"all", NULL, "also those that are only available"}},
    .run = plugins_run,
};
