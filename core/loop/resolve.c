/* SPDX-License-Identifier: PostgreSQL */
#include "loop/resolve.h"

#include <arpa/inet.h>
#include <event2/dns.h>
#include <event2/util.h>
#include <netinet/in.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"

#define RESOLVE_MAX 16 /* addresses of one name; further ones are not tried */

struct resolver {
    struct loop *loop;
    struct evdns_base *base;
};

struct resolver_query {
    struct loop *loop;
    struct evdns_getaddrinfo_request *request; /* NULL once answered */
    resolve_callback *callback;                /* NULL once cancelled */
    void *data;
    char addresses[RESOLVE_MAX][INET6_ADDRSTRLEN];
    size_t count;
    const char *problem;
};

struct resolver *resolver_create(struct loop *loop)
{
    struct resolver *resolver = xcalloc(1, sizeof(*resolver));
    resolver->loop = loop;
    resolver->base = evdns_base_new(loop_base(loop),
                                    EVDNS_BASE_INITIALIZE_NAMESERVERS | EVDNS_BASE_DISABLE_WHEN_INACTIVE);
    if (resolver->base == NULL) {
        /* No usable resolv.conf: /etc/hosts still answers. */
        resolver->base = evdns_base_new(loop_base(loop), EVDNS_BASE_DISABLE_WHEN_INACTIVE);
        if (resolver->base == NULL) {
            fatal("out of memory");
        }
        evdns_base_load_hosts(resolver->base, "/etc/hosts");
    }
    return resolver;
}

void resolver_destroy(struct resolver *resolver)
{
    if (resolver != NULL) {
        evdns_base_free(resolver->base, 1);
        free(resolver);
    }
}

static bool address_text(const struct evutil_addrinfo *found, char *text, size_t size)
{
    if (found->ai_family == AF_INET) {
        struct sockaddr_in address;
        memcpy(&address, found->ai_addr, sizeof(address));
        return inet_ntop(AF_INET, &address.sin_addr, text, (socklen_t)size) != NULL;
    }
    struct sockaddr_in6 address;
    memcpy(&address, found->ai_addr, sizeof(address));
    return inet_ntop(AF_INET6, &address.sin6_addr, text, (socklen_t)size) != NULL;
}

static void deliver(void *data)
{
    struct resolver_query *query = data;
    const char *addresses[RESOLVE_MAX];
    for (size_t i = 0; i < query->count; i++) {
        addresses[i] = query->addresses[i];
    }
    if (query->callback != NULL) {
        query->callback(query->data, addresses, query->count, query->problem);
    }
    free(query);
}

/* evdns answers numeric and well-known names before it returns: the caller's callback always comes later. */
static void answered(int status, struct evutil_addrinfo *found, void *argument)
{
    struct resolver_query *query = argument;
    query->request = NULL;
    for (const struct evutil_addrinfo *each = found; each != NULL && query->count < RESOLVE_MAX; each = each->ai_next) {
        query->count += address_text(each, query->addresses[query->count], INET6_ADDRSTRLEN) ? 1 : 0;
    }
    if (query->count == 0) {
        query->problem = evutil_gai_strerror(status);
    }
    if (found != NULL) {
        evutil_freeaddrinfo(found);
    }
    loop_defer(query->loop, deliver, query);
}

struct resolver_query *resolve(struct resolver *resolver, const char *host, resolve_callback *callback, void *data)
{
    struct resolver_query *query = xcalloc(1, sizeof(*query));
    struct evutil_addrinfo hints = {.ai_family = AF_UNSPEC, .ai_socktype = SOCK_STREAM, .ai_protocol = IPPROTO_TCP};
    query->loop = resolver->loop;
    query->callback = callback;
    query->data = data;
    struct evdns_getaddrinfo_request *request = evdns_getaddrinfo(resolver->base, host, NULL, &hints, answered, query);
    query->request = request; /* NULL when it was answered at once; deliver comes later either way */
    return query;
}

void resolver_query_cancel(struct resolver_query *query)
{
    query->callback = NULL;
    if (query->request != NULL) {
        evdns_getaddrinfo_cancel(query->request); /* still calls back, with EVUTIL_EAI_CANCEL, and frees there */
    }
}
