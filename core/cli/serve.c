/* SPDX-License-Identifier: PostgreSQL */
#include <stdlib.h>

#include "base/log.h"
#include "cli/commands.h"
#include "cli/load.h"
#include "daemon/daemon.h"

static void choose_log_level(const struct invocation *invocation, struct daemon_options *options)
{
    options->keep_log_level = invocation->quiet || invocation->verbose > 0;
    if (options->keep_log_level) {
        log_set_level(invocation->verbose > 0 ? LOG_LEVEL_DEBUG : LOG_LEVEL_WARNING);
    }
}

static bool read_limits(const struct invocation *invocation, struct daemon_options *options, struct error *err)
{
    options->once = invocation_has(invocation, "once");
    if (!invocation_duration(invocation, "for", &options->run_for, err)) {
        return false;
    }
    if (invocation_has(invocation, "for") && options->run_for <= 0) {
        return error_set(err, ERROR_USAGE, "--for must be longer than 0");
    }
    if (invocation->database != NULL) {
        error_set(err, ERROR_USAGE, "serve does not take --database: it serves every database of its configuration");
        return error_hint(err, "give it a configuration with that database alone");
    }
    return true;
}

static int serve_run(const struct invocation *invocation)
{
    struct error err;
    struct daemon_options options = {0};
    if (!read_limits(invocation, &options, &err)) {
        return fail(&err);
    }
    struct loaded loaded;
    load_all(invocation, &loaded);
    int status = (int)ERROR_CONFIG;
    if (loaded.catalog == NULL) {
        print_findings(&loaded.report);
    } else {
        choose_log_level(invocation, &options);
        log_set_json(loaded.config->log_json);
        /* A refused plugin costs nobody else anything: the daemon goes on without it. */
        log_findings(&loaded.report, "plugins");
        if (loaded.config->database_count == 0) {
            log_warning("no database is configured: write databases: { main: { conninfo = \"...\"; }; }; in %s",
                        loaded.config->file);
        }
        struct snapshot *snapshot = snapshot_create(loaded.config, loaded.plugins, loaded.catalog);
        loaded.config = NULL;
        loaded.plugins = NULL;
        loaded.catalog = NULL;
        status = daemon_serve(snapshot, &options);
        snapshot_drop(snapshot);
    }
    loaded_finish(&loaded);
    return status;
}

const struct command command_serve = {
    .name = "serve",
    .arguments = "",
    .summary = "the daemon: schedules and runs the jobs of every database",
    .details =
        "SIGTERM and SIGINT let running jobs end and give up the lead; a second one does not wait. SIGHUP, `pgchime\n"
        "reload` and a file that arrives in the plugin folder read configuration and plugins anew; runs go on.",
    .options = {{"once", NULL, "run what is due, then end"}, {"for", "DURATION", "end after this long, such as 60s"}},
    .run = serve_run,
};
