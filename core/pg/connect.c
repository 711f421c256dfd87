/* SPDX-License-Identifier: PostgreSQL */
#include "pg/connect.h"

#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/log.h"
#include "base/memory.h"
#include "pg/connection_hint.h"
#include "pg/conninfo.h"
#include "pg/pooler.h"

struct pg_connect {
    struct loop *loop;
    struct resolver *resolver;
    const struct pg_connect_handlers *handlers;
    void *data;
    struct conninfo info;
    size_t first; /* host to begin with */
    size_t tried; /* hosts that are done with */
    duration patience;
    struct resolver_query *query;
    const char **addresses; /* of the host being tried; of the arena */
    size_t address_count;
    size_t next_address;
    PGconn *pg;
    struct loop_watch *watch;
    struct loop_timer *deadline;
    struct buffer problems; /* what each place answered */
    struct error refusal;   /* of the conninfo itself */
};

static void try_host(void *data);
static void connect_poll(struct pg_connect *attempt);

static size_t current_host(const struct pg_connect *attempt)
{
    return (attempt->first + attempt->tried) % attempt->info.host_count;
}

static bool is_only_place(const struct pg_connect *attempt)
{
    return attempt->info.host_count == 1 && attempt->address_count <= 1;
}

/* --- ending ------------------------------------------------------------------------------------------------------- */

static void hang_up(struct pg_connect *attempt)
{
    loop_watch_destroy(attempt->watch);
    attempt->watch = NULL;
    PQfinish(attempt->pg);
    attempt->pg = NULL;
    if (attempt->query != NULL) {
        resolver_query_cancel(attempt->query);
        attempt->query = NULL;
    }
}

static void give_up(struct pg_connect *attempt)
{
    struct error err;
    error_set(&err, ERROR_UNREACHABLE, "%s", buffer_text(&attempt->problems));
    error_hint(&err, "%s (tried %s)", connection_hint(err.message), conninfo_describe(&attempt->info));
    pooler_name(&err);
    loop_timer_clear(attempt->deadline);
    attempt->handlers->failed(attempt->data, &err);
}

static void refuse(void *data)
{
    struct pg_connect *attempt = data;
    attempt->handlers->failed(attempt->data, &attempt->refusal);
}

static void note(struct pg_connect *attempt, const char *problem)
{
    if (attempt->problems.length > 0) {
        buffer_puts(&attempt->problems, "; ");
    }
    buffer_append(&attempt->problems, problem, strcspn(problem, "\n"));
}

/* --- one place ---------------------------------------------------------------------------------------------------- */

static void next_place(struct pg_connect *attempt);

/* libpq's message may have many lines and repeat itself; the first says what happened. */
static void place_failed(struct pg_connect *attempt)
{
    const char *message = PQerrorMessage(attempt->pg);
    note(attempt, message[0] != '\0' && message[0] != '\n' ? message : "the server closed the connection");
    hang_up(attempt);
    next_place(attempt);
}

static void place_timed_out(void *data)
{
    struct pg_connect *attempt = data;
    const struct conninfo_host *host = &attempt->info.hosts[current_host(attempt)];
    struct buffer text = {0};
    if (is_only_place(attempt)) {
        buffer_printf(&text, "no connection in time to %s", conninfo_describe(&attempt->info));
    } else {
        buffer_printf(&text, "no connection in time to host %s%s%s",
                      host->name != NULL      ? host->name
                      : host->address != NULL ? host->address
                                              : "default",
                      host->port != NULL ? " port " : "", host->port != NULL ? host->port : "");
    }
    note(attempt, buffer_text(&text));
    buffer_finish(&text);
    hang_up(attempt);
    next_place(attempt);
}

static void connect_event(void *data, bool readable, bool writable)
{
    (void)readable;
    (void)writable;
    connect_poll(data);
}

/* libpq may change its socket between steps, so each step watches anew. */
static void watch_wire(struct pg_connect *attempt, bool readable, bool writable)
{
    loop_watch_destroy(attempt->watch);
    attempt->watch = loop_watch_create(attempt->loop, PQsocket(attempt->pg), connect_event, attempt);
    loop_watch_set(attempt->watch, readable, writable);
}

static void connected(struct pg_connect *attempt)
{
    PGconn *pg = attempt->pg;
    attempt->pg = NULL;
    hang_up(attempt);
    loop_timer_clear(attempt->deadline);
    if (attempt->problems.length > 0) {
        log_debug("connected after %s", buffer_text(&attempt->problems));
    }
    attempt->handlers->connected(attempt->data, pg, current_host(attempt));
}

static void connect_poll(struct pg_connect *attempt)
{
    switch (PQconnectPoll(attempt->pg)) {
    case PGRES_POLLING_READING:
        watch_wire(attempt, true, false);
        break;
    case PGRES_POLLING_WRITING:
        watch_wire(attempt, false, true);
        break;
    case PGRES_POLLING_OK:
        connected(attempt);
        break;
    case PGRES_POLLING_FAILED:
    case PGRES_POLLING_ACTIVE:
    default:
        place_failed(attempt);
        break;
    }
}

static void ignore_notice(void *unused, const char *message)
{
    (void)unused;
    log_debug("server: %.*s", (int)strcspn(message, "\n"), message);
}

static duration patience(const struct pg_connect *attempt)
{
    duration given = conninfo_timeout(&attempt->info);
    return given > 0                                                        ? given
           : is_only_place(attempt) || attempt->patience < CONNECT_PATIENCE ? attempt->patience
                                                                            : CONNECT_PATIENCE;
}

static void try_place(struct pg_connect *attempt, const char *address)
{
    conninfo_choose(&attempt->info, &attempt->info.hosts[current_host(attempt)], address);
    loop_timer_set(attempt->deadline, patience(attempt));
    attempt->pg = PQconnectStartParams(attempt->info.keywords, attempt->info.values, 0);
    if (attempt->pg == NULL) {
        fatal("out of memory");
    }
    PQsetNoticeProcessor(attempt->pg, ignore_notice, NULL);
    if (PQstatus(attempt->pg) == CONNECTION_BAD) {
        place_failed(attempt);
        return;
    }
    watch_wire(attempt, false, true);
}

/* --- one after the other ------------------------------------------------------------------------------------------ */

static void next_place(struct pg_connect *attempt)
{
    if (attempt->next_address < attempt->address_count) {
        try_place(attempt, attempt->addresses[attempt->next_address++]);
        return;
    }
    attempt->tried++;
    try_host(attempt);
}

static void resolved(void *data, const char *const *addresses, size_t count, const char *problem)
{
    struct pg_connect *attempt = data;
    attempt->query = NULL;
    attempt->addresses = arena_alloc(attempt->info.arena, (count + 1) * sizeof(*attempt->addresses));
    for (size_t i = 0; i < count; i++) {
        attempt->addresses[i] = arena_strdup(attempt->info.arena, addresses[i]);
    }
    attempt->address_count = count;
    if (count == 0) {
        struct buffer text = {0};
        buffer_printf(&text, "host \"%s\" has no address: %s", attempt->info.hosts[current_host(attempt)].name,
                      problem);
        note(attempt, buffer_text(&text));
        buffer_finish(&text);
    }
    next_place(attempt);
}

static void try_host(void *data)
{
    struct pg_connect *attempt = data;
    attempt->address_count = attempt->next_address = 0;
    if (attempt->tried == attempt->info.host_count) {
        give_up(attempt);
        return;
    }
    const struct conninfo_host *host = &attempt->info.hosts[current_host(attempt)];
    if (conninfo_needs_address(host)) {
        loop_timer_set(attempt->deadline, patience(attempt));
        attempt->query = resolve(attempt->resolver, host->name, resolved, attempt);
    } else {
        try_place(attempt, NULL);
    }
}

/* --- life --------------------------------------------------------------------------------------------------------- */

/* The server that the target names is the only host. */
static void pin(struct conninfo *info, const struct pg_server *server)
{
    struct arena *arena = info->arena;
    info->host_count = 1;
    info->hosts[0] = (struct conninfo_host){.name = server->host[0] != '\0' ? arena_strdup(arena, server->host) : NULL,
                                            .address = server->address[0] != '\0' ? arena_strdup(arena, server->address)
                                                                                  : NULL,
                                            .port = server->port[0] != '\0' ? arena_strdup(arena, server->port) : NULL};
}

struct pg_connect *pg_connect_start(struct loop *loop, struct resolver *resolver, const struct pg_target *target,
                                    const struct pg_connect_handlers *handlers, void *data)
{
    struct pg_connect *attempt = xcalloc(1, sizeof(*attempt));
    *attempt = (struct pg_connect){.loop = loop,
                                   .resolver = resolver,
                                   .handlers = handlers,
                                   .data = data,
                                   .patience = target->connect_timeout,
                                   .first = target->first_host};
    attempt->deadline = loop_timer_create(loop, place_timed_out, attempt);
    if (!conninfo_read(&attempt->info, target, &attempt->refusal)) {
        loop_defer(loop, refuse, attempt);
        return attempt;
    }
    if (target->server != NULL && !target->own_hosts) {
        pin(&attempt->info, target->server);
    }
    loop_defer(loop, try_host, attempt);
    return attempt;
}

static void connect_free(void *data)
{
    free(data);
}

void pg_connect_destroy(struct pg_connect *attempt)
{
    if (attempt == NULL) {
        return;
    }
    hang_up(attempt);
    loop_timer_destroy(attempt->deadline);
    buffer_finish(&attempt->problems);
    conninfo_finish(&attempt->info);
    loop_forget(attempt->loop, attempt);
    loop_defer(attempt->loop, connect_free, attempt); /* a step of it may be what called us */
}
