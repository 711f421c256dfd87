/* SPDX-License-Identifier: PostgreSQL */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/shell.h"
#include "cli/commands.h"
#include "cli/plugin_command.h"
#include "cli/purge.h"

struct purge {
    const struct invocation *invocation;
    const char *plugin;
    const struct loaded *loaded;
    const struct config_database *database; /* the last that has it */
    size_t found;
    char **others; /* names that are there, for a did-you-mean */
    size_t other_count;
};

/* --- where it is -------------------------------------------------------------------------------------------------- */

static bool search_database(struct visit *visit, void *data, struct error *err)
{
    struct purge *purge = data;
    struct pg_rows rows;
    if (!pg_client_query(visit->client, "SELECT name FROM chime.plugin", NULL, 0, &rows, err)) {
        return false;
    }
    purge->others = xrealloc(purge->others, purge->other_count + rows.count + 1, sizeof(*purge->others));
    for (size_t i = 0; i < rows.count; i++) {
        const char *name = pg_rows_value(&rows, i, 0);
        if (strcmp(name, purge->plugin) == 0) {
            purge->found++;
            purge->database = visit->database;
        } else {
            purge->others[purge->other_count++] = xstrdup(name);
        }
    }
    pg_rows_finish(&rows);
    return true;
}

static int refuse_unknown(const struct purge *purge)
{
    struct error err;
    error_set(&err, ERROR_NOT_FOUND, "no database has a plugin \"%s\"", purge->plugin);
    plugin_command_hint_name(&err, purge->plugin, (const char *const *)purge->others, purge->other_count);
    return fail(&err);
}

static int refuse_ambiguous(const struct purge *purge)
{
    struct error err;
    error_set(&err, ERROR_USAGE, "more than one database has a plugin \"%s\"", purge->plugin);
    error_hint(&err, "choose one with --database NAME");
    return fail(&err);
}

/* --- whether it may go -------------------------------------------------------------------------------------------- */

static bool refuse_used(const struct purge *purge, const struct catalog_plugin *plugin, struct error *err)
{
    error_set(err, ERROR_REFUSED, "plugin \"%s\" is installed, and its file is there: it is in use", purge->plugin);
    return error_hint(err, "take %s away, or write enabled = false in conf.d and run pgchime reload; then purge it",
                      plugin->declaration->file);
}

static bool refuse_served(const struct purge *purge, struct error *err)
{
    error_set(err, ERROR_REFUSED, "plugin \"%s\" is installed, and the daemon that leads may know it still",
              purge->plugin);
    return error_hint(err, "a daemon that runs gives up what is gone within seconds; after a change of conf.d run "
                           "pgchime reload; then purge it");
}

/* Which takes its job away, too, and asks the same of what needs it. */
static bool refuse_kept_by_sql(const struct purge *purge, struct error *err)
{
    error_set(err, ERROR_REFUSED, "\"%s\" is a view that chime.keep_view made, and no plugin of a file", purge->plugin);
    return error_hint(err, "SELECT chime.drop_view('%s'); takes it away with its job", purge->plugin);
}

static bool refuse_running(const char *job, struct error *err)
{
    char *word = shell_word(job);
    error_set(err, ERROR_REFUSED, "a run of job \"%s\" is under way", job);
    error_hint(err, "wait for its end: pgchime runs %s", word);
    free(word);
    return false;
}

static bool check_state(struct purge *purge, struct visit *visit, struct error *err)
{
    static const char sql[] =
        "SELECT p.state, chime.led(),"
        "       (SELECT min(j.name) FROM chime.run r JOIN chime.job j USING (job_id) WHERE j.plugin = p.name), p.by_sql"
        "  FROM chime.plugin p WHERE p.name = $1";
    struct pg_rows rows;
    if (!pg_client_query(visit->client, sql, &purge->plugin, 1, &rows, err)) {
        return false;
    }
    const struct catalog_plugin *plugin = plugin_command_find(purge->loaded, purge->plugin, purge->database->name);
    bool installed = rows.count > 0 && strcmp(pg_rows_value(&rows, 0, 0), "installed") == 0;
    bool led = rows.count > 0 && pg_rows_value(&rows, 0, 1)[0] == 't';
    const char *running = rows.count > 0 ? pg_rows_value(&rows, 0, 2) : NULL;
    bool by_sql = rows.count > 0 && pg_rows_value(&rows, 0, 3)[0] == 't';
    bool may_go = true;
    if (by_sql) {
        may_go = refuse_kept_by_sql(purge, err);
    } else if (installed && plugin != NULL) {
        may_go = refuse_used(purge, plugin, err);
    } else if (installed && led) {
        may_go = refuse_served(purge, err);
    } else if (running != NULL) {
        may_go = refuse_running(running, err);
    }
    pg_rows_finish(&rows);
    return may_go;
}

/* --- asking ------------------------------------------------------------------------------------------------------- */

static bool confirm(const struct purge *purge, const struct purge_list *list, struct error *err)
{
    char *question = xasprintf("Drop these %zu, and all that is recorded about plugin \"%s\" in database \"%s\"?",
                               list->drops, purge->plugin, purge->database->name);
    bool confirmed = plugin_command_confirm(purge->invocation, "nothing was dropped", question, err);
    free(question);
    return confirmed;
}

static bool refuse_blocked(const struct purge *purge, const struct purge_list *list, struct error *err)
{
    error_set(err, ERROR_REFUSED, "nothing was dropped: %zu object%s stand%s in the way of purging \"%s\"",
              list->blocks, list->blocks == 1 ? "" : "s", list->blocks == 1 ? "s" : "", purge->plugin);
    return error_hint(err, "the lines that say \"block\" have the SQL for their owners");
}

/* --- the command -------------------------------------------------------------------------------------------------- */

static void print_list(const struct purge *purge, const struct purge_list *list)
{
    struct output_list *output = purge_output(list);
    output_print(&output, 1, &purge->invocation->style, stdout);
    output_destroy(output);
    if (list->count > 0) {
        plugin_command_remark_cuts(purge->invocation);
    }
}

static bool purge_listed(const struct purge *purge, struct visit *visit, const struct purge_list *list,
                         struct error *err)
{
    print_list(purge, list);
    if (list->blocks > 0) {
        return refuse_blocked(purge, list, err);
    }
    if (invocation_has(purge->invocation, "dry-run")) {
        return true;
    }
    if (!confirm(purge, list, err) || !purge_perform(visit, purge->plugin, list, err)) {
        return false;
    }
    remark(purge->invocation, "plugin \"%s\" is gone from database \"%s\"", purge->plugin, purge->database->name);
    return true;
}

static int purge_there(struct purge *purge)
{
    struct visit visit;
    struct purge_list list = {0};
    struct error err;
    int status = EXIT_OK;
    if (!visit_open(&visit, purge->database, &err) || !check_state(purge, &visit, &err) ||
        !purge_survey(&visit, purge->plugin, &list, &err) || !purge_listed(purge, &visit, &list, &err)) {
        error_prefix(&err, "database \"%s\"", purge->database->name);
        status = fail(&err);
    }
    purge_list_finish(&list);
    visit_close(&visit);
    return status;
}

static int search_and_purge(struct purge *purge)
{
    int status = visit_all(purge->invocation, purge->loaded->config, search_database, purge);
    if (purge->found == 1) {
        status = purge_there(purge);
    } else if (purge->found > 1) {
        status = refuse_ambiguous(purge);
    } else if (status == EXIT_OK) {
        status = refuse_unknown(purge);
    }
    for (size_t i = 0; i < purge->other_count; i++) {
        free(purge->others[i]);
    }
    free(purge->others);
    return status;
}

static int plugins_purge_run(const struct invocation *invocation)
{
    int status;
    struct loaded loaded;
    if (!plugin_command_load(invocation, &loaded, &status)) {
        return status;
    }
    struct purge purge = {.invocation = invocation, .plugin = invocation->arguments[0], .loaded = &loaded};
    if (loaded.catalog == NULL) {
        status = plugin_command_refuse_catalog(&loaded); /* it cannot be said which plugins are in use */
    } else {
        status = search_and_purge(&purge);
    }
    loaded_finish(&loaded);
    return status;
}

const struct command command_plugins_purge = {
    .name = "plugins purge",
    .arguments = "PLUGIN",
    .least = 1,
    .most = 1,
    .summary = "drops what a plugin left in its database after its file was taken away",
    .details =
        "Its kept relations, live views, functions, their triggers, jobs and history go in one transaction. What "
        "belongs\n"
        "to other roles stays and is printed with the SQL for its owner. What others built on it has to go first.\n"
        "Relations that it adopted are put back before: pgchime plugins adopt PLUGIN --rollback.",
    .options = {{"dry-run", NULL, "print what would be dropped, with its SQL"}, {"yes", NULL, "do not ask"}},
    .run = plugins_purge_run,
};
