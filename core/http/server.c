/* SPDX-License-Identifier: PostgreSQL */
#define _GNU_SOURCE 1

#include "http/server.h"

#include <arpa/inet.h>
#include <errno.h>
#include <netdb.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"

#define ADDRESSES_MAX 8
#define HEAD_WITHIN (10 * USEC_PER_SEC)
#define ACCEPT_AGAIN (100 * USEC_PER_MSEC) /* where this process may open no more files */

struct listener {
    struct http_server *server;
    struct http_place place;
    int socket;
    struct loop_watch *watch;
};

struct http_server {
    struct loop *loop;
    struct http_settings settings;
    struct http_handlers handlers;
    uint64_t answered[HTTP_STATUSES];
    struct listener listeners[ADDRESSES_MAX];
    size_t listener_count;
    struct http_request *connections[HTTP_CONNECTIONS_MAX];
    size_t connection_count;
    struct loop_timer *again;
};

static void asked(void *data, struct http_request *request)
{
    const struct http_server *server = data;
    server->settings.asked(server->settings.data, request);
}

static void gone(void *data, struct http_request *request)
{
    struct http_server *server = data;
    size_t at = 0;
    while (server->connections[at] != request) {
        at++;
    }
    server->connections[at] = server->connections[--server->connection_count];
}

static bool may_have_many(const struct http_server *server, const struct http_peer *peer)
{
    for (size_t i = 0; i < server->settings.proxy_count; i++) {
        if (strcmp(server->settings.proxies[i], peer->address) == 0) {
            return true;
        }
    }
    return peer->local;
}

static bool is_of(const struct http_request *connection, const char *address)
{
    return address == NULL || strcmp(http_request_peer(connection)->address, address) == 0;
}

/* The one that waits longest for its client, of all or of one address; NULL: none does. */
static struct http_request *idlest(const struct http_server *server, const char *address)
{
    struct http_request *found = NULL;
    for (size_t i = 0; i < server->connection_count; i++) {
        struct http_request *other = server->connections[i];
        instant since = is_of(other, address) ? http_connection_waits(other) : INSTANT_NEVER;
        if (since != INSTANT_NEVER && (found == NULL || since < http_connection_waits(found))) {
            found = other;
        }
    }
    return found;
}

static size_t count_of(const struct http_server *server, const char *address)
{
    size_t count = 0;
    for (size_t i = 0; i < server->connection_count; i++) {
        count += is_of(server->connections[i], address) ? 1 : 0;
    }
    return count;
}

/* Whoever takes a connection and asks nothing keeps nobody else out. */
static bool make_room(const struct http_server *server, const struct http_peer *peer)
{
    bool one_has_all = !may_have_many(server, peer) && count_of(server, peer->address) >= HTTP_CONNECTIONS_OF_ONE;
    if (!one_has_all && server->connection_count < HTTP_CONNECTIONS_MAX) {
        return true;
    }
    struct http_request *idle = idlest(server, one_has_all ? peer->address : NULL);
    if (idle != NULL) {
        http_connection_end(idle);
    }
    return idle != NULL;
}

static bool read_local_peer(int socket, struct http_peer *peer)
{
    struct ucred process;
    socklen_t size = sizeof(process);
    if (getsockopt(socket, SOL_SOCKET, SO_PEERCRED, &process, &size) != 0) {
        return false;
    }
    peer->local = true;
    peer->user = process.uid;
    peer->group = process.gid;
    return true;
}

static bool read_peer(const struct listener *listener, int socket, const struct sockaddr_storage *address,
                      socklen_t size, struct http_peer *peer)
{
    *peer = (struct http_peer){.loopback = listener->place.loopback};
    if (listener->place.local) {
        return read_local_peer(socket, peer);
    }
    int on = 1;
    setsockopt(socket, IPPROTO_TCP, TCP_NODELAY, &on, sizeof(on));
    return getnameinfo((const struct sockaddr *)address, size, peer->address, sizeof(peer->address), NULL, 0,
                       NI_NUMERICHOST) == 0;
}

static void accept_again(void *data)
{
    const struct http_server *server = data;
    for (size_t i = 0; i < server->listener_count; i++) {
        loop_watch_set(server->listeners[i].watch, true, false);
    }
}

/* Else the loop would turn and turn for whoever waits there. */
static void wait_for_room(const struct listener *listener)
{
    const struct http_server *server = listener->server;
    struct http_request *idle = idlest(server, NULL);
    if (idle != NULL) {
        http_connection_end(idle);
    } else {
        loop_watch_set(listener->watch, false, false);
        loop_timer_set(server->again, ACCEPT_AGAIN);
    }
}

static void called(void *data, bool readable, bool writable)
{
    struct listener *listener = data;
    struct http_server *server = listener->server;
    struct sockaddr_storage address;
    socklen_t size = sizeof(address);
    struct http_peer peer;
    (void)readable;
    (void)writable;
    int socket = accept4(listener->socket, (struct sockaddr *)&address, &size, SOCK_CLOEXEC | SOCK_NONBLOCK);
    if (socket < 0) {
        if (errno == EMFILE || errno == ENFILE) {
            wait_for_room(listener);
        }
        return;
    }
    if (!read_peer(listener, socket, &address, size, &peer) || !make_room(server, &peer)) {
        close(socket);
        return;
    }
    server->connections[server->connection_count++] = http_connection_create(server->loop, socket, &peer,
                                                                             &server->handlers);
}

struct http_server *http_server_create(struct loop *loop, const struct http_settings *settings)
{
    struct http_server *server = xcalloc(1, sizeof(*server));
    server->loop = loop;
    server->settings = *settings;
    server->again = loop_timer_create(loop, accept_again, server);
    server->handlers = (struct http_handlers){
        .answered = server->answered,
        .asked = asked,
        .gone = gone,
        .fields = settings->fields,
        .head_within = settings->head_within > 0 ? settings->head_within : HEAD_WITHIN,
        .data = server,
    };
    return server;
}

static void stop_listening(const struct listener *listener)
{
    loop_watch_destroy(listener->watch);
    close(listener->socket);
    if (listener->place.local) {
        unlink(((const struct sockaddr_un *)&listener->place.address)->sun_path);
    }
}

bool http_server_listen(struct http_server *server, const struct http_place *place, struct error *err)
{
    if (server->listener_count == ADDRESSES_MAX) {
        error_set(err, ERROR_CONFIG, "a server listens at %d addresses at most", ADDRESSES_MAX);
        return error_hint(err, "name fewer of them under listen");
    }
    int socket = http_place_listen(place, err);
    if (socket < 0) {
        return false;
    }
    struct listener *listener = &server->listeners[server->listener_count++];
    *listener = (struct listener){.server = server, .place = *place, .socket = socket};
    listener->watch = loop_watch_create(server->loop, socket, called, listener);
    loop_watch_set(listener->watch, true, false);
    return true;
}

char *http_server_place(const struct http_server *server, size_t n)
{
    return http_place_text(server->listeners[n].socket);
}

uint64_t http_server_answered(const struct http_server *server, int status)
{
    return server->answered[status];
}

size_t http_server_connections(const struct http_server *server)
{
    return server->connection_count;
}

void http_server_destroy(struct http_server *server)
{
    if (server == NULL) {
        return;
    }
    for (size_t i = 0; i < server->listener_count; i++) {
        stop_listening(&server->listeners[i]);
    }
    for (size_t i = 0; i < server->connection_count; i++) {
        http_connection_destroy(server->connections[i]);
    }
    loop_timer_destroy(server->again);
    free(server);
}
