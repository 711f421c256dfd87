/* SPDX-License-Identifier: PostgreSQL */
/* Host names to addresses without blocking the loop (libevent's evdns, /etc/hosts included). */
#ifndef CHIME_LOOP_RESOLVE_H
#define CHIME_LOOP_RESOLVE_H

#include "loop/loop.h"

struct resolver;
struct resolver_query;

struct resolver *resolver_create(struct loop *loop);
void resolver_destroy(struct resolver *resolver); /* NULL allowed */

/* All addresses of the name as texts, borrowed for the call, in the order to try them; none: `problem` says why. Called
 * once, later. */
typedef void resolve_callback(void *data, const char *const *addresses, size_t count, const char *problem);
struct resolver_query *resolve(struct resolver *resolver, const char *host, resolve_callback *callback, void *data);
/* Before its callback was called: it will not be. */
void resolver_query_cancel(struct resolver_query *query);

#endif
