/* SPDX-License-Identifier: PostgreSQL */
#include "daemon/daemon.h"

#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "daemon/database.h"
#include "daemon/job_pings.h"
#include "daemon/reload.h"
#include "daemon/status_line.h"
#include "loop/folder.h"
#include "loop/loop.h"
#include "loop/resolve.h"
#include "loop/supervisor.h"

#define FOLDER_QUIET (500 * USEC_PER_MSEC) /* a copy of several files is one arrival */
#define ZONES_EVERY USEC_PER_MINUTE
#define LISTEN_EVERY (2 * USEC_PER_SEC) /* while another daemon has the control socket */
#define TELL_EVERY (2 * USEC_PER_SEC)

struct server;

struct served {
    struct server *server;
    struct database *database;
    char *name;
    char *conninfo;
    bool leaving; /* no longer configured, or to be served anew */
    bool quiet;
    bool stopped;
    bool reloading;
};

struct server {
    struct loop *loop;
    struct resolver *resolver;
    struct led_databases *led;
    struct job_pings *pings;
    const struct daemon_options *options;
    struct snapshot *snapshot;
    struct served **served;
    size_t count;
    bool stopping;
    struct control *control;
    struct loop_timer *control_timer;
    bool deaf; /* the control socket is another's, and that was logged */
    struct reload *reload;
    struct folder *plugin_folder;
    struct loop_timer *zones_timer;
    struct supervisor *supervisor;
    struct loop_timer *tell_timer;
    bool reload_refused; /* the last one */
};

/* --- what the service manager is told ----------------------------------------------------------------------------- */

static const char *remark_for_status(const struct server *server)
{
    if (server->stopping) {
        return "stopping: waits for the runs in flight";
    }
    return server->reload_refused ? "the last reload was refused, the log says why" : NULL;
}

static void tell_status_line(struct server *server)
{
    struct served_database *databases = xcalloc(server->count + 1, sizeof(*databases));
    for (size_t i = 0; i < server->count; i++) {
        databases[i] = database_served(server->served[i]->database);
    }
    char *text = status_line_text(databases, server->count, server->snapshot->config->file, remark_for_status(server));
    supervisor_status(server->supervisor, text);
    free(text);
    free(databases);
}

static void tell(void *data)
{
    struct server *server = data;
    tell_status_line(server);
    loop_timer_set(server->tell_timer, TELL_EVERY);
}

static void reload_began(void *data)
{
    const struct server *server = data;
    supervisor_reloading(server->supervisor);
}

static void reload_ended(void *data, bool well)
{
    struct server *server = data;
    server->reload_refused = !well;
    if (!server->stopping) {
        supervisor_ready(server->supervisor);
    }
    tell_status_line(server);
}

/* --- the end ------------------------------------------------------------------------------------------------------ */

static bool all_stopped(const struct server *server)
{
    for (size_t i = 0; i < server->count; i++) {
        if (!server->served[i]->stopped) {
            return false;
        }
    }
    return true;
}

static void pings_sent(void *data)
{
    const struct server *server = data;
    loop_stop(server->loop);
}

/* What watches a job has heard how its last run ended. */
static void stop_behind_pings(struct server *server)
{
    job_pings_drain(server->pings, pings_sent, server);
}

static void stop_all(void *data)
{
    struct server *server = data;
    bool again = server->stopping;
    if (!again) {
        log_info("stopping: runs in flight are waited for; ask again not to wait");
        supervisor_stopping(server->supervisor);
    }
    server->stopping = true;
    tell_status_line(server);
    if (all_stopped(server)) {
        if (again) {
            loop_stop(server->loop);
        } else {
            stop_behind_pings(server);
        }
    }
    for (size_t i = 0; i < server->count; i++) {
        if (!server->served[i]->stopped) {
            database_stop(server->served[i]->database, again);
        }
    }
}

static void time_is_up(void *data)
{
    const struct server *server = data;
    if (!server->stopping) {
        stop_all(data);
    }
}

static void serve_new_databases(struct server *server);
static void sweep(void *data);

static void database_stopped(void *data)
{
    struct served *served = data;
    struct server *server = served->server;
    served->stopped = true;
    if (server->stopping && all_stopped(server)) {
        stop_behind_pings(server);
    } else if (!server->stopping) {
        loop_defer(server->loop, sweep, server);
    }
}

static void database_quiet(void *data)
{
    struct served *served = data;
    struct server *server = served->server;
    served->quiet = true;
    for (size_t i = 0; i < server->count; i++) {
        if (!server->served[i]->quiet) {
            return;
        }
    }
    if (!server->stopping) {
        stop_all(server);
    }
}

/* --- another catalog ---------------------------------------------------------------------------------------------- */

static void tell_if_all_took_over(struct server *server)
{
    for (size_t i = 0; i < server->count; i++) {
        if (server->served[i]->reloading) {
            return;
        }
    }
    reload_done(server->reload);
}

static void database_reloaded(void *data)
{
    struct served *served = data;
    served->reloading = false;
    tell_if_all_took_over(served->server);
}

static const struct database_handlers until_quiet = {
    .quiet = database_quiet, .stopped = database_stopped, .reloaded = database_reloaded};
static const struct database_handlers until_stopped = {.stopped = database_stopped, .reloaded = database_reloaded};

static struct served *find_served(const struct server *server, const char *name)
{
    for (size_t i = 0; i < server->count; i++) {
        if (strcmp(server->served[i]->name, name) == 0) {
            return server->served[i];
        }
    }
    return NULL;
}

static void serve_database(struct server *server, const struct config_database *settings)
{
    struct served *served = xcalloc(1, sizeof(*served));
    served->server = server;
    served->name = xstrdup(settings->name);
    served->conninfo = xstrdup(settings->conninfo);
    server->served = xrealloc(server->served, server->count + 1, sizeof(*server->served));
    server->served[server->count++] = served;
    served->database = database_create(server->loop, server->resolver, server->led, server->pings, settings,
                                       server->snapshot, server->options->once ? &until_quiet : &until_stopped, served);
}

static void serve_new_databases(struct server *server)
{
    const struct config *config = server->snapshot->config;
    for (size_t i = 0; i < config->database_count; i++) {
        if (find_served(server, config->databases[i].name) == NULL) {
            serve_database(server, &config->databases[i]);
        }
    }
}

static void served_free(struct served *served)
{
    database_destroy(served->database);
    free(served->name);
    free(served->conninfo);
    free(served);
}

/* Databases that have been left are forgotten; those that are to be served anew begin. */
static void sweep(void *data)
{
    struct server *server = data;
    if (server->stopping) {
        return;
    }
    for (size_t i = server->count; i-- > 0;) {
        if (server->served[i]->stopped) {
            served_free(server->served[i]);
            server->served[i] = server->served[--server->count];
        }
    }
    serve_new_databases(server);
}

static void leave(struct served *served, const char *why)
{
    log_info("database %s: %s", served->name, why);
    served->leaving = true;
    database_stop(served->database, false);
}

static void take_over(struct served *served)
{
    struct snapshot *snapshot = served->server->snapshot;
    const struct config_database *settings = config_find_database(snapshot->config, served->name);
    if (settings == NULL) {
        leave(served, "no longer configured");
    } else if (strcmp(settings->conninfo, served->conninfo) != 0) {
        leave(served, "its conninfo changed");
    } else {
        served->reloading = true;
        database_reload(served->database, snapshot, settings);
    }
}

static void watch_plugins(struct server *server);
static void listen_for_requests(struct server *server);

static void choose_log(const struct server *server)
{
    log_set_json(server->snapshot->config->log_json);
    if (!server->options->keep_log_level) {
        log_set_level(server->snapshot->config->log_level);
    }
}

static void apply(void *data, struct snapshot *next)
{
    struct server *server = data;
    struct snapshot *old = server->snapshot;
    size_t count = server->count; /* what comes to it has the new catalog already */
    server->snapshot = snapshot_hold(next);
    choose_log(server);
    for (size_t i = 0; i < count; i++) {
        if (!server->served[i]->leaving) {
            take_over(server->served[i]);
        }
    }
    if (!server->stopping) {
        serve_new_databases(server);
    }
    snapshot_drop(old);
    watch_plugins(server);
    listen_for_requests(server);
    tell_if_all_took_over(server);
}

static struct snapshot *current(void *data)
{
    const struct server *server = data;
    return server->snapshot;
}

static const struct reload_handlers reload_handlers = {
    .current = current, .apply = apply, .began = reload_began, .ended = reload_ended};

/* --- what asks for it --------------------------------------------------------------------------------------------- */

static void hung_up(void *data)
{
    struct server *server = data;
    reload_ask(server->reload, "on SIGHUP", NULL);
}

static void plugins_changed(void *data)
{
    struct server *server = data;
    reload_ask(server->reload, "a file arrived in the plugin folder, or went", NULL);
}

static void check_zones(void *data)
{
    struct server *server = data;
    if (zones_changed(server->snapshot->catalog->zones)) {
        reload_ask(server->reload, "the system's time zone data changed", NULL);
    }
    loop_timer_set(server->zones_timer, ZONES_EVERY);
}

static void asked(void *data, const char *request, struct control_caller *caller)
{
    struct server *server = data;
    if (strcmp(request, "reload") == 0) {
        reload_ask(server->reload, "asked for", caller);
    } else {
        control_answer(caller,
                       "{\"ok\":false,\"findings\":[{\"line\":0,\"message\":\"the daemon knows no such request\"}]}");
    }
}

static void watch_plugins(struct server *server)
{
    const char *path = server->snapshot->config->plugin_dir;
    struct error err;
    if (path != NULL && server->plugin_folder != NULL && folder_is_at(server->plugin_folder, path)) {
        return; /* what it has heard since the plugins were described is still to come */
    }
    folder_unwatch(server->plugin_folder);
    server->plugin_folder = NULL;
    if (path == NULL) {
        return;
    }
    server->plugin_folder = folder_watch(server->loop, path, FOLDER_QUIET, plugins_changed, server, &err);
    if (server->plugin_folder == NULL) {
        log_warning("%s; new plugins are found at a reload", err.message);
    } else if (plugins_stamp(path) != server->snapshot->plugins->stamp) {
        plugins_changed(server);
    }
}

static void listen_for_requests(struct server *server)
{
    const char *path = server->snapshot->config->control_socket;
    struct error err;
    if (server->control != NULL && strcmp(control_path(server->control), path) == 0) {
        server->deaf = false;
        return;
    }
    bool listens = server->control != NULL && control_move(server->control, path, &err);
    if (server->control == NULL) {
        server->control = control_listen(server->loop, path, asked, server, &err);
        listens = server->control != NULL;
    }
    if (!listens) {
        loop_timer_set(server->control_timer, LISTEN_EVERY);
    }
    if (!listens && !server->deaf) {
        log_warning("%s%s%s", err.message, err.hint[0] != '\0' ? "; " : "", err.hint);
    } else if (listens && server->deaf) {
        log_info("control socket %s: this daemon listens there now", path);
    }
    server->deaf = !listens;
}

static void listen_again(void *data)
{
    listen_for_requests(data);
}

/* --- life --------------------------------------------------------------------------------------------------------- */

static void run(struct server *server)
{
    struct loop_signal *terminate = loop_signal_create(server->loop, SIGTERM, stop_all, server);
    struct loop_signal *interrupt = loop_signal_create(server->loop, SIGINT, stop_all, server);
    struct loop_signal *hangup = loop_signal_create(server->loop, SIGHUP, hung_up, server);
    struct loop_timer *limit = loop_timer_create(server->loop, time_is_up, server);
    if (server->options->run_for > 0) {
        loop_timer_set(limit, server->options->run_for);
    }
    if (server->count == 0 && server->options->once) {
        loop_defer(server->loop, stop_all, server);
    }
    supervisor_ready(server->supervisor);
    tell(server);
    loop_run(server->loop);
    loop_timer_destroy(limit);
    loop_signal_destroy(hangup);
    loop_signal_destroy(interrupt);
    loop_signal_destroy(terminate);
}

static void finish(struct server *server)
{
    reload_destroy(server->reload);
    control_close(server->control);
    folder_unwatch(server->plugin_folder);
    loop_timer_destroy(server->zones_timer);
    loop_timer_destroy(server->control_timer);
    loop_timer_destroy(server->tell_timer);
    supervisor_destroy(server->supervisor);
    for (size_t i = 0; i < server->count; i++) {
        served_free(server->served[i]);
    }
    free(server->served);
    job_pings_destroy(server->pings);
    led_databases_destroy(server->led);
    resolver_destroy(server->resolver);
    loop_destroy(server->loop);
    snapshot_drop(server->snapshot);
}

int daemon_serve(struct snapshot *snapshot, const struct daemon_options *options)
{
    struct server server = {.loop = loop_create(), .options = options, .snapshot = snapshot_hold(snapshot)};
    const struct config *config = snapshot->config;
    signal(SIGPIPE, SIG_IGN);
    choose_log(&server);
    server.resolver = resolver_create(server.loop);
    server.led = led_databases_create();
    server.pings = job_pings_create(server.loop);
    server.reload = reload_create(server.loop, &reload_handlers, &server);
    server.zones_timer = loop_timer_create(server.loop, check_zones, &server);
    loop_timer_set(server.zones_timer, ZONES_EVERY);
    server.control_timer = loop_timer_create(server.loop, listen_again, &server);
    server.supervisor = supervisor_create(server.loop);
    server.tell_timer = loop_timer_create(server.loop, tell, &server);
    log_info("pgchime %s serves %zu database%s with %zu jobs", PGCHIME_VERSION, config->database_count,
             config->database_count == 1 ? "" : "s", snapshot->catalog->job_count);
    listen_for_requests(&server);
    watch_plugins(&server);
    serve_new_databases(&server);
    run(&server);
    finish(&server);
    return 0;
}
