#include "daemon/daemon.h"

#include <signal.h>
#include <stdlib.h>

#include "base/log.h"
#include "base/memory.h"
#include "daemon/database.h"
#include "loop/loop.h"
#include "loop/resolve.h"

struct server;

struct served {
    struct server *server;
    struct database *database;
    bool quiet;
    bool stopped;
};

struct server {
    struct loop *loop;
    const struct daemon_options *options;
    struct served *served;
    size_t count;
    bool stopping;
};

static void stop_all(void *data)
{
    struct server *server = data;
    if (!server->stopping) {
        log_info("stopping: runs in flight are waited for; ask again not to wait");
    }
    server->stopping = true;
    if (server->count == 0) {
        loop_stop(server->loop);
    }
    for (size_t i = 0; i < server->count; i++) {
        if (!server->served[i].stopped) {
            database_stop(server->served[i].database);
        }
    }
}

static void database_stopped(void *data)
{
    struct served *served = data;
    struct server *server = served->server;
    served->stopped = true;
    for (size_t i = 0; i < server->count; i++) {
        if (!server->served[i].stopped) {
            return;
        }
    }
    loop_stop(server->loop);
}

static void database_quiet(void *data)
{
    struct served *served = data;
    struct server *server = served->server;
    served->quiet = true;
    for (size_t i = 0; i < server->count; i++) {
        if (!server->served[i].quiet) {
            return;
        }
    }
    if (!server->stopping) {
        stop_all(server);
    }
}

static const struct database_handlers until_quiet = {.quiet = database_quiet, .stopped = database_stopped};
static const struct database_handlers until_stopped = {.stopped = database_stopped};

static void serve_databases(struct server *server, struct resolver *resolver, const struct config *config,
                            const struct catalog *catalog)
{
    server->count = config->database_count;
    server->served = xcalloc(server->count, sizeof *server->served);
    for (size_t i = 0; i < server->count; i++) {
        struct served *served = &server->served[i];
        served->server = server;
        served->database = database_create(server->loop, resolver, &config->databases[i], catalog, config->instance,
                                           server->options->once ? &until_quiet : &until_stopped, served);
    }
    if (server->count == 0 && server->options->once) {
        loop_defer(server->loop, stop_all, server);
    }
    loop_run(server->loop);
    for (size_t i = 0; i < server->count; i++) {
        database_destroy(server->served[i].database);
    }
    free(server->served);
}

int daemon_serve(const struct config *config, const struct catalog *catalog, const struct daemon_options *options)
{
    struct server server = {.loop = loop_create(), .options = options};
    struct resolver *resolver = resolver_create(server.loop);
    struct loop_signal *terminate = loop_signal_create(server.loop, SIGTERM, stop_all, &server);
    struct loop_signal *interrupt = loop_signal_create(server.loop, SIGINT, stop_all, &server);
    struct loop_timer *limit = loop_timer_create(server.loop, stop_all, &server);
    signal(SIGPIPE, SIG_IGN);
    if (options->run_for > 0) {
        loop_timer_set(limit, options->run_for);
    }
    log_info("pgchime %s serves %zu database%s with %zu jobs", PGCHIME_VERSION, config->database_count,
             config->database_count == 1 ? "" : "s", catalog->job_count);
    serve_databases(&server, resolver, config, catalog);
    loop_timer_destroy(limit);
    loop_signal_destroy(interrupt);
    loop_signal_destroy(terminate);
    resolver_destroy(resolver);
    loop_destroy(server.loop);
    return 0;
}
