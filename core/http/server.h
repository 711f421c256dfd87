/* SPDX-License-Identifier: PostgreSQL */
/* Listens on the configured addresses, and accepts a limited number of connections.
 *
 * Does: accept; beyond 640 in all, or 32 of one address that is no proxy, end the connection that has waited longest
 *   for its client, or, where all are streams or wait for us, the new one.
 * Ownership: the server frees requests that were not answered. Do not answer them after that. */
#ifndef CHIME_HTTP_SERVER_H
#define CHIME_HTTP_SERVER_H

#include "http/listen.h"
#include "http/request.h"

#define HTTP_CONNECTIONS_MAX 640
#define HTTP_CONNECTIONS_OF_ONE 32

struct http_server;

struct http_settings {
    void (*asked)(void *data, struct http_request *request);
    void *data;
    const char *fields;         /* lines of every answer, each with CR LF */
    const char *const *proxies; /* addresses that many may come from; borrowed, as the lines */
    size_t proxy_count;
    duration head_within; /* 0: 10 s */
};

struct http_server *http_server_create(struct loop *loop, const struct http_settings *settings);
/* One more place. */
bool http_server_listen(struct http_server *server, const struct http_place *place, struct error *err) CHIME_MUST_CHECK;
/* Of the n-th place. Caller frees. */
char *http_server_place(const struct http_server *server, size_t n);
size_t http_server_connections(const struct http_server *server);
uint64_t http_server_answered(const struct http_server *server, int status); /* with that status, below HTTP_STATUSES */
void http_server_destroy(struct http_server *server);                        /* takes NULL */

#endif
