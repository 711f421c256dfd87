/* SPDX-License-Identifier: PostgreSQL */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "cli/adopt.h"
#include "cli/commands.h"
#include "cli/job_visit.h"
#include "cli/plugin_command.h"

struct adopting {
    const struct invocation *invocation;
    const char *name;
    const struct loaded *loaded;
    const struct catalog_plugin *plugin; /* NULL: the configuration has none of that name */
    const struct config_database *database;
    size_t found; /* of --rollback: databases where something of it was adopted */
    struct adoption adoption;
};

/* --- where it is -------------------------------------------------------------------------------------------------- */

static int refuse_unknown(const struct adopting *adopting)
{
    const struct catalog *catalog = adopting->loaded->catalog;
    const char **names = xcalloc(catalog->plugin_count + 1, sizeof(*names));
    struct error err;
    for (size_t i = 0; i < catalog->plugin_count; i++) {
        names[i] = catalog->plugins[i].declaration->name;
    }
    error_set(&err, ERROR_NOT_FOUND, "there is no plugin \"%s\", or it is disabled", adopting->name);
    plugin_command_hint_name(&err, adopting->name, names, catalog->plugin_count);
    free(names);
    return fail(&err);
}

static bool search_adoptions(struct visit *visit, void *data, struct error *err)
{
    static const char sql[] = "SELECT FROM chime.adoption WHERE plugin = $1 LIMIT 1";
    struct adopting *adopting = data;
    struct pg_rows rows;
    if (!pg_client_query(visit->client, sql, &adopting->name, 1, &rows, err)) {
        return false;
    }
    if (rows.count > 0) {
        adopting->found++;
        adopting->database = visit->database;
    }
    pg_rows_finish(&rows);
    return true;
}

static int refuse_nothing_back(const struct adopting *adopting)
{
    struct error err;
    if (adopting->found > 1) {
        error_set(&err, ERROR_USAGE, "more than one database has relations that \"%s\" adopted", adopting->name);
        error_hint(&err, "choose one with --database NAME");
    } else {
        error_set(&err, ERROR_NOT_FOUND, "plugin \"%s\" has adopted nothing", adopting->name);
        error_hint(&err, "SELECT * FROM chime.adoption lists what was adopted");
    }
    return fail(&err);
}

/* --- asking ------------------------------------------------------------------------------------------------------- */

static bool confirm(const struct adopting *adopting, struct error *err)
{
    char *question = xasprintf("Do this for plugin \"%s\" in database \"%s\"?", adopting->name,
                               adopting->database->name);
    bool confirmed = plugin_command_confirm(adopting->invocation, "nothing was done", question, err);
    free(question);
    return confirmed;
}

static bool refuse_blocked(const struct adoption_plan *plan, struct error *err)
{
    error_set(err, ERROR_REFUSED, "nothing was done: %zu thing%s to be done before", plan->blocks,
              plan->blocks == 1 ? " has" : "s have");
    return error_hint(err, "the lines that say \"block\" have the SQL, for the owners that they name");
}

/* As with purge: what the daemon keeps must not vanish under it. */
static bool check_unused(const struct adopting *adopting, struct visit *visit, struct error *err)
{
    static const char sql[] = "SELECT FROM chime.plugin WHERE name = $1 AND state = 'installed'";
    struct pg_rows rows;
    if (!adopting->adoption.back) {
        return true;
    }
    if (!pg_client_query(visit->client, sql, &adopting->name, 1, &rows, err)) {
        return false;
    }
    bool used = rows.count > 0;
    pg_rows_finish(&rows);
    if (used) {
        error_set(err, ERROR_REFUSED, "plugin \"%s\" is installed: it is in use", adopting->name);
        error_hint(err, "take its file away, or write enabled = false in conf.d; then pgchime reload, and try again");
    }
    return !used;
}

/* --- the command -------------------------------------------------------------------------------------------------- */

static void say_done(const struct adopting *adopting, const struct pg_rows *done)
{
    for (size_t i = 0; i < done->count; i++) {
        const char *relation = pg_rows_value(done, i, 0);
        const char *aside = pg_rows_value(done, i, 1);
        const char *rows = pg_rows_value(done, i, 2);
        if (adopting->adoption.back) {
            remark(adopting->invocation, "\"%s\" is what it was: it was called \"%s\" meanwhile", relation, aside);
        } else {
            remark(adopting->invocation, "\"%s\" is pgchime's%s%s; the old one is called \"%s\"", relation,
                   rows != NULL ? ", rows: " : "", rows != NULL ? rows : "", aside);
        }
    }
}

/* Jobs, functions and the capture of changes are the daemon's to install; after the way back, those of other plugins
 * that read what is gone. */
static void have_it_installed(const struct adopting *adopting, struct visit *visit)
{
    const char *what = adopting->adoption.back ? "other plugins that read it are looked at again"
                                               : "its jobs and functions are installed";
    bool led = false;
    struct invocation silent = *adopting->invocation;
    silent.quiet = true;
    silent.style.format = OUTPUT_TABLE;
    if (!visit_is_led(visit, &led, NULL) || !led) {
        remark(adopting->invocation, "%s when pgchime serve starts", what);
    } else if (command_reload.run(&silent) != EXIT_OK) {
        remark(adopting->invocation, "%s by pgchime reload, where the daemon runs", what);
    }
}

static bool perform(const struct adopting *adopting, struct visit *visit, const struct adoption_plan *plan,
                    struct error *err)
{
    struct pg_rows done;
    if (!adoption_perform(visit, &adopting->adoption, plan, &done, err)) {
        return false;
    }
    say_done(adopting, &done);
    pg_rows_finish(&done);
    have_it_installed(adopting, visit);
    return true;
}

static bool perform_shown(const struct adopting *adopting, struct visit *visit, const struct adoption_plan *plan,
                          struct error *err)
{
    struct output_list *output = adoption_output(plan);
    output_print(&output, 1, &adopting->invocation->style, stdout);
    output_destroy(output);
    if (plan->count > 0) {
        plugin_command_remark_cuts(adopting->invocation);
    }
    if (plan->count == 0) {
        remark(adopting->invocation, "nothing to adopt: no relation of others has a name that plugin \"%s\" wants",
               adopting->name);
        return true;
    }
    if (plan->blocks > 0) {
        return refuse_blocked(plan, err);
    }
    if (invocation_has(adopting->invocation, "dry-run")) {
        return true;
    }
    return confirm(adopting, err) && perform(adopting, visit, plan, err);
}

static int adopt_there(const struct adopting *adopting)
{
    struct visit visit;
    struct adoption_plan plan = {0};
    struct error err;
    int status = EXIT_OK;
    if (!visit_open(&visit, adopting->database, &err) || !check_unused(adopting, &visit, &err) ||
        !adoption_survey(&visit, &adopting->adoption, &plan, &err) || !perform_shown(adopting, &visit, &plan, &err)) {
        error_prefix(&err, "database \"%s\"", adopting->database->name);
        status = fail(&err);
    }
    adoption_plan_finish(&plan);
    visit_close(&visit);
    return status;
}

static int adopt_plugin(struct adopting *adopting)
{
    adopting->plugin = plugin_command_find(adopting->loaded, adopting->name, adopting->invocation->database);
    if (adopting->plugin == NULL) {
        return refuse_unknown(adopting);
    }
    adopting->database = config_find_database(adopting->loaded->config, adopting->plugin->database);
    char *text = adoption_text(adopting->plugin);
    adopting->adoption = (struct adoption){.text = text};
    int status = adopt_there(adopting);
    free(text);
    return status;
}

static int put_back(struct adopting *adopting)
{
    int status = visit_all(adopting->invocation, adopting->loaded->config, search_adoptions, adopting);
    if (status != EXIT_OK) {
        return status;
    }
    if (adopting->found != 1) {
        return refuse_nothing_back(adopting);
    }
    adopting->adoption = (struct adoption){.back = true, .text = adopting->name};
    return adopt_there(adopting);
}

static int plugins_adopt_run(const struct invocation *invocation)
{
    int status;
    struct loaded loaded;
    if (!plugin_command_load(invocation, &loaded, &status)) {
        return status;
    }
    struct adopting adopting = {.invocation = invocation, .name = invocation->arguments[0], .loaded = &loaded};
    if (invocation_has(invocation, "rollback")) {
        status = put_back(&adopting);
    } else if (loaded.catalog == NULL) {
        status = plugin_command_refuse_catalog(&loaded);
    } else {
        status = adopt_plugin(&adopting);
    }
    loaded_finish(&loaded);
    return status;
}

const struct command command_plugins_adopt = {
    .name = "plugins adopt",
    .arguments = "PLUGIN",
    .least = 1,
    .most = 1,
    .summary = "takes over relations of a plugin's names that the database has already",
    .details =
        "Shows what is there and what becomes of it. Then, in one transaction, the old relations give up their names\n"
        "and keep their rows, the plugin's are there in their place, filled, with the grants to read, and views on "
        "the\n"
        "old ones read the new ones: readers never miss anything. Lines that say \"block\" have SQL that somebody has\n"
        "to run before. --rollback puts the old relations back, once the plugin is not in use; docs/adopting.md.",
    .options = {{"dry-run", NULL, "print what would be done, with its SQL"},
                {"yes", NULL, "do not ask"},
                {"rollback", NULL, "put the old relations back, and drop what took their place"}},
    .run = plugins_adopt_run,
};
