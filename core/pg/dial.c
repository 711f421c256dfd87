#include "pg/dial.h"

#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/log.h"
#include "base/memory.h"
#include "pg/conninfo.h"
#include "pg/pooler.h"
#include "pg/refusal.h"

struct dial {
    struct loop *loop;
    struct resolver *resolver;
    const struct dial_handlers *handlers;
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
static void connect_poll(struct dial *dial);

static size_t current_host(const struct dial *dial)
{
    return (dial->first + dial->tried) % dial->info.host_count;
}

static bool is_only_place(const struct dial *dial)
{
    return dial->info.host_count == 1 && dial->address_count <= 1;
}

/* --- ending ------------------------------------------------------------------------------------------------------------ */

static void hang_up(struct dial *dial)
{
    loop_watch_destroy(dial->watch);
    dial->watch = NULL;
    PQfinish(dial->pg);
    dial->pg = NULL;
    if (dial->query != NULL) {
        resolver_query_cancel(dial->query);
        dial->query = NULL;
    }
}

static void give_up(struct dial *dial)
{
    struct error err;
    error_set(&err, ERROR_UNREACHABLE, "%s", buffer_text(&dial->problems));
    error_hint(&err, "%s (tried %s)", refusal_hint(err.message), conninfo_describe(&dial->info));
    pooler_name(&err);
    loop_timer_clear(dial->deadline);
    dial->handlers->failed(dial->data, &err);
}

static void refuse(void *data)
{
    struct dial *dial = data;
    dial->handlers->failed(dial->data, &dial->refusal);
}

static void note(struct dial *dial, const char *problem)
{
    if (dial->problems.length > 0) {
        buffer_puts(&dial->problems, "; ");
    }
    buffer_append(&dial->problems, problem, strcspn(problem, "\n"));
}

/* --- one place --------------------------------------------------------------------------------------------------------- */

static void next_place(struct dial *dial);

/* libpq's message may have many lines and repeat itself; the first says what happened. */
static void place_failed(struct dial *dial)
{
    const char *message = PQerrorMessage(dial->pg);
    note(dial, message[0] != '\0' && message[0] != '\n' ? message : "the server closed the connection");
    hang_up(dial);
    next_place(dial);
}

static void place_timed_out(void *data)
{
    struct dial *dial = data;
    const struct conninfo_host *host = &dial->info.hosts[current_host(dial)];
    struct buffer text = {0};
    if (is_only_place(dial)) {
        buffer_printf(&text, "no connection in time to %s", conninfo_describe(&dial->info));
    } else {
        buffer_printf(&text, "no connection in time to host %s%s%s",
                      host->name != NULL      ? host->name
                      : host->address != NULL ? host->address
                                              : "default",
                      host->port != NULL ? " port " : "", host->port != NULL ? host->port : "");
    }
    note(dial, buffer_text(&text));
    buffer_finish(&text);
    hang_up(dial);
    next_place(dial);
}

static void connect_event(void *data, bool readable, bool writable)
{
    (void)readable;
    (void)writable;
    connect_poll(data);
}

/* libpq may change its socket between steps, so each step watches anew. */
static void watch_wire(struct dial *dial, bool readable, bool writable)
{
    loop_watch_destroy(dial->watch);
    dial->watch = loop_watch_create(dial->loop, PQsocket(dial->pg), connect_event, dial);
    loop_watch_set(dial->watch, readable, writable);
}

static void connected(struct dial *dial)
{
    PGconn *pg = dial->pg;
    dial->pg = NULL;
    hang_up(dial);
    loop_timer_clear(dial->deadline);
    if (dial->problems.length > 0) {
        log_debug("connected after %s", buffer_text(&dial->problems));
    }
    dial->handlers->connected(dial->data, pg, current_host(dial));
}

static void connect_poll(struct dial *dial)
{
    switch (PQconnectPoll(dial->pg)) {
    case PGRES_POLLING_READING:
        watch_wire(dial, true, false);
        break;
    case PGRES_POLLING_WRITING:
        watch_wire(dial, false, true);
        break;
    case PGRES_POLLING_OK:
        connected(dial);
        break;
    case PGRES_POLLING_FAILED:
    case PGRES_POLLING_ACTIVE:
    default:
        place_failed(dial);
        break;
    }
}

static void ignore_notice(void *unused, const char *message)
{
    (void)unused;
    log_debug("server: %.*s", (int)strcspn(message, "\n"), message);
}

static duration patience(const struct dial *dial)
{
    duration given = conninfo_timeout(&dial->info);
    return given > 0 ? given : is_only_place(dial) || dial->patience < DIAL_PATIENCE ? dial->patience : DIAL_PATIENCE;
}

static void try_place(struct dial *dial, const char *address)
{
    conninfo_choose(&dial->info, &dial->info.hosts[current_host(dial)], address);
    loop_timer_set(dial->deadline, patience(dial));
    dial->pg = PQconnectStartParams(dial->info.keywords, dial->info.values, 0);
    if (dial->pg == NULL) {
        fatal("out of memory");
    }
    PQsetNoticeProcessor(dial->pg, ignore_notice, NULL);
    if (PQstatus(dial->pg) == CONNECTION_BAD) {
        place_failed(dial);
        return;
    }
    watch_wire(dial, false, true);
}

/* --- one after the other ----------------------------------------------------------------------------------------------- */

static void next_place(struct dial *dial)
{
    if (dial->next_address < dial->address_count) {
        try_place(dial, dial->addresses[dial->next_address++]);
        return;
    }
    dial->tried++;
    try_host(dial);
}

static void resolved(void *data, const char *const *addresses, size_t count, const char *problem)
{
    struct dial *dial = data;
    dial->query = NULL;
    dial->addresses = arena_alloc(dial->info.arena, (count + 1) * sizeof *dial->addresses);
    for (size_t i = 0; i < count; i++) {
        dial->addresses[i] = arena_strdup(dial->info.arena, addresses[i]);
    }
    dial->address_count = count;
    if (count == 0) {
        struct buffer text = {0};
        buffer_printf(&text, "host \"%s\" has no address: %s", dial->info.hosts[current_host(dial)].name, problem);
        note(dial, buffer_text(&text));
        buffer_finish(&text);
    }
    next_place(dial);
}

static void try_host(void *data)
{
    struct dial *dial = data;
    dial->address_count = dial->next_address = 0;
    if (dial->tried == dial->info.host_count) {
        give_up(dial);
        return;
    }
    const struct conninfo_host *host = &dial->info.hosts[current_host(dial)];
    if (conninfo_needs_address(host)) {
        loop_timer_set(dial->deadline, patience(dial));
        dial->query = resolve(dial->resolver, host->name, resolved, dial);
    } else {
        try_place(dial, NULL);
    }
}

/* --- life -------------------------------------------------------------------------------------------------------------- */

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

struct dial *dial_start(struct loop *loop, struct resolver *resolver, const struct pg_target *target,
                        const struct dial_handlers *handlers, void *data)
{
    struct dial *dial = xcalloc(1, sizeof *dial);
    *dial = (struct dial){.loop = loop,
                          .resolver = resolver,
                          .handlers = handlers,
                          .data = data,
                          .patience = target->connect_timeout,
                          .first = target->first_host};
    dial->deadline = loop_timer_create(loop, place_timed_out, dial);
    if (!conninfo_read(&dial->info, target, &dial->refusal)) {
        loop_defer(loop, refuse, dial);
        return dial;
    }
    if (target->server != NULL && !target->own_hosts) {
        pin(&dial->info, target->server);
    }
    loop_defer(loop, try_host, dial);
    return dial;
}

static void dial_free(void *data)
{
    free(data);
}

void dial_destroy(struct dial *dial)
{
    if (dial == NULL) {
        return;
    }
    hang_up(dial);
    loop_timer_destroy(dial->deadline);
    buffer_finish(&dial->problems);
    conninfo_finish(&dial->info);
    loop_forget(dial->loop, dial);
    loop_defer(dial->loop, dial_free, dial); /* a step of it may be what called us */
}
