/* SPDX-License-Identifier: PostgreSQL */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "cli/commands.h"
#include "cli/init_text.h"
#include "config/config.h"

#define DATABASES_MAX 64

static const struct output_column columns[] = {
    {NULL, "name", OUTPUT_TEXT, OUTPUT_ALWAYS},
    {NULL, "text", OUTPUT_TEXT, OUTPUT_ALWAYS},
};

static void add_document(struct output_list *list, const char *name, const struct buffer *text)
{
    output_add_row(list);
    output_set(list, 0, name);
    output_set(list, 1, buffer_text(text));
}

/* For programs, each with its name. */
static void print_data(const struct output_style *style, const struct buffer *config, const struct buffer *sql)
{
    struct output_list *list = output_create("documents", columns, COUNT_OF(columns));
    if (config->length > 0) {
        add_document(list, "pgchime.conf", config);
    }
    if (sql->length > 0) {
        add_document(list, "pgchime.sql", sql);
    }
    output_print(&list, 1, style, stdout);
    output_destroy(list);
}

/* Text as it is, for files. */
static void print_documents(const struct invocation *invocation, const struct buffer *config, const struct buffer *sql)
{
    bool both = config->length > 0 && sql->length > 0;
    if (!output_is_for_people(&invocation->style)) {
        print_data(&invocation->style, config, sql);
        return;
    }
    printf("%s%s%s", buffer_text(config), both ? "\n" : "", buffer_text(sql));
    if (both) {
        remark(invocation, "that is two files: pgchime init --config prints the first, pgchime init --sql the second");
    }
}

/* Those of --database and the arguments; "app" stands for one that is not named. */
static size_t take_databases(const struct invocation *invocation, const char *databases[static DATABASES_MAX])
{
    size_t count = 0;
    for (size_t i = 0; i < invocation->database_count; i++) {
        databases[count++] = invocation->databases[i];
    }
    for (int i = 0; i < invocation->argument_count; i++) {
        databases[count++] = invocation->arguments[i];
    }
    if (count == 0) {
        databases[count++] = "app";
    }
    return count;
}

static const char *setting_value(const struct config_plugin *plugin, const char *name, const char *otherwise)
{
    for (size_t i = 0; i < plugin->setting_count; i++) {
        if (strcmp(plugin->settings[i].name, name) == 0) {
            return plugin->settings[i].value;
        }
    }
    return otherwise;
}

/* The tables whose rows retention deletes; NULL where the configuration, if there is one yet, does not enforce it. Its
 * errors are for `check` to tell. */
static const char *deleting_tables(const struct config *config)
{
    static const char usual[] =
        "agent_queries, AgentQuery, agent_approvals, agent_feedback, AgentFeedback, action_results";
    const struct config_plugin *plugin = config_find_plugin(config, "retention");
    if (plugin == NULL || plugin->enabled == CONFIG_DISABLED ||
        strcmp(setting_value(plugin, "enforce", "false"), "true") != 0) {
        return NULL;
    }
    return setting_value(plugin, "tables", usual);
}

static struct config *read_config(const struct invocation *invocation)
{
    struct report report;
    report_init(&report);
    struct config *config = config_gather(invocation->config, &report);
    report_finish(&report);
    return config;
}

/* --config chooses here what is printed, and elsewhere a file. */
static bool refuse_files(const struct invocation *invocation, struct error *err)
{
    for (int i = 0; invocation_has(invocation, "config") && i < invocation->argument_count; i++) {
        const char *argument = invocation->arguments[i];
        size_t length = strlen(argument);
        if (strchr(argument, '/') != NULL || (length > 5 && strcmp(argument + length - 5, ".conf") == 0)) {
            error_set(err, ERROR_USAGE,
                      "\"%s\" looks like a file, but --config after init takes none: it prints the "
                      "configuration only",
                      argument);
            return error_hint(err,
                              "a configuration to look at is named before the command: pgchime --config %s init --sql",
                              argument);
        }
    }
    return true;
}

static int init_run(const struct invocation *invocation)
{
    const char *databases[DATABASES_MAX];
    const char *role = invocation_option(invocation, "role");
    struct init_names names = {.role = role != NULL ? role : "pgchime",
                               .databases = databases,
                               .count = take_databases(invocation, databases),
                               .with_cron = invocation_has(invocation, "with-cron")};
    bool all = !invocation_has(invocation, "config") && !invocation_has(invocation, "sql");
    struct buffer config = {0};
    struct buffer sql = {0};
    struct error err;
    if (!refuse_files(invocation, &err) || !init_check_names(&names, &err)) {
        return fail(&err);
    }
    if (all || invocation_has(invocation, "config")) {
        init_put_config(&config, &names);
    }
    if (all || invocation_has(invocation, "sql")) {
        struct config *present = read_config(invocation);
        names.deleting = deleting_tables(present);
        init_put_sql(&sql, &names);
        config_free(present);
    }
    print_documents(invocation, &config, &sql);
    buffer_finish(&config);
    buffer_finish(&sql);
    return EXIT_OK;
}

const struct command command_init = {
    .name = "init",
    .arguments = "[DATABASE]...",
    .most = DATABASES_MAX - COMMAND_DATABASES_MAX,
    .summary = "a configuration to begin with, and the SQL for a DBA",
    .details =
        "Nothing is written or changed: read it, put it where it belongs, have the SQL run. Databases are named as in\n"
        "the server, also by --database, which may be repeated. The SQL makes a role that is no superuser, owns no\n"
        "table of yours, and may read what plugins keep views of; where the configuration (PGCHIME_CONFIG, else the "
        "usual\n"
        "place) has plugin retention enforced, also delete from the event tables.",
    .options = {{"config", NULL, "print the configuration only"},
                {"sql", NULL, "print the SQL only"},
                {"with-cron", NULL, "the SQL makes schema cron, too, which pgchime migrate --with-cron fills"},
                {"role", "NAME", "the role that the daemon connects as (default: pgchime)"}},
    .run = init_run,
};
