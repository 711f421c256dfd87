/* SPDX-License-Identifier: PostgreSQL */
#include "cli/load.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"

static void load_plugins(const char *program, struct loaded *loaded)
{
    size_t before = loaded->report.count;
    if (loaded->config->plugin_dir == NULL) {
        loaded->plugins = xcalloc(1, sizeof(*loaded->plugins));
        return;
    }
    struct plugin_options options = {
        .host_program = program, .file = loaded->config->file, .line = loaded->config->plugin_dir_line};
    loaded->plugins = plugins_describe(loaded->config->plugin_dir, &options, &loaded->report);
    loaded->refusals = loaded->report.count - before;
}

void load_all(const struct invocation *invocation, struct loaded *loaded)
{
    *loaded = (struct loaded){0};
    report_init(&loaded->report);
    loaded->config = config_gather(invocation->config, &loaded->report);
    bool sound = loaded->report.count == 0;
    load_plugins(invocation->program, loaded);
    if (loaded->config->databases_named) {
        /* The same report: that is how the catalog knows which plugins were refused and need no second finding. */
        loaded->catalog = catalog_build(loaded->config, loaded->plugins, &loaded->report);
    }
    config_forget_jobs(loaded->config);
    memory_release();
    if (!sound) {
        /* It was built for its findings. */
        catalog_destroy(loaded->catalog);
        loaded->catalog = NULL;
    }
    report_sort(&loaded->report);
}

void loaded_finish(struct loaded *loaded)
{
    catalog_destroy(loaded->catalog);
    plugin_set_destroy(loaded->plugins);
    config_free(loaded->config);
    report_finish(&loaded->report);
}

/* Line by line, because a finding's own line breaks are ours and what it quotes is not. */
static void print_finding(const struct finding *finding)
{
    struct buffer text = {0};
    char *line = finding_line(finding);
    output_escape(&text, line);
    buffer_putc(&text, '\n');
    if (finding->hint != NULL) {
        buffer_puts(&text, "HINT:  ");
        output_escape(&text, finding->hint);
        buffer_putc(&text, '\n');
    }
    fputs(buffer_text(&text), stderr);
    buffer_finish(&text);
    free(line);
}

void print_findings(const struct report *report)
{
    for (size_t i = 0; i < report->count; i++) {
        print_finding(&report->findings[i]);
    }
}

static void refuse_database(const struct config *config, const char *name, struct error *err)
{
    const char **names = xcalloc(config->database_count + 1, sizeof(*names));
    for (size_t i = 0; i < config->database_count; i++) {
        names[i] = config->databases[i].name;
    }
    const char *nearest = nearest_word(name, names, config->database_count);
    error_set(err, ERROR_NOT_FOUND, "there is no database \"%s\" in %s", name, config->file);
    if (nearest != NULL) {
        error_hint(err, "did you mean \"%s\"?", nearest);
    } else if (config->database_count > 0) {
        error_hint(err, "the first one there is \"%s\"", names[0]);
    }
    free(names);
}

static struct config *load(const struct invocation *invocation, bool sound, int *status)
{
    struct report report;
    report_init(&report);
    struct config *config = config_gather(invocation->config, &report);
    bool faulty = report.count > 0;
    report_sort(&report);
    print_findings(&report);
    report_finish(&report);
    *status = (int)ERROR_CONFIG;
    if (faulty && (sound || !config->databases_sound || config->database_count == 0)) {
        config_free(config);
        return NULL;
    }
    if (faulty) {
        remark(invocation, "warning: the configuration has errors; the databases that it names are asked all the same");
    }
    if (invocation->database == NULL || config_find_database(config, invocation->database) != NULL) {
        return config;
    }
    struct error err;
    refuse_database(config, invocation->database, &err);
    *status = fail(&err);
    config_free(config);
    return NULL;
}

struct config *load_config(const struct invocation *invocation, int *status)
{
    return load(invocation, false, status);
}

struct config *load_sound_config(const struct invocation *invocation, int *status)
{
    return load(invocation, true, status);
}

bool database_is_wanted(const struct invocation *invocation, const struct config_database *database)
{
    return invocation->database == NULL || strcmp(invocation->database, database->name) == 0;
}

const struct config_database *database_for_jobs(const struct invocation *invocation, const struct config *config,
                                                struct error *err)
{
    size_t found = 0;
    const struct config_database *database = NULL;
    for (size_t i = 0; i < config->database_count; i++) {
        if (database_is_wanted(invocation, &config->databases[i])) {
            database = &config->databases[i];
            found++;
        }
    }
    if (found == 1) {
        return database;
    }
    error_set(err, ERROR_USAGE,
              found == 0 ? "no database is configured" : "jobs go to one database, and there are several");
    error_hint(err, found == 0 ? "write one under databases in pgchime.conf"
                               : "choose it with --database NAME: a job may run in any other of that server");
    return NULL;
}
