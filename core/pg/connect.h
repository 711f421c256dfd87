/* SPDX-License-Identifier: PostgreSQL */
/* Connecting, without ever blocking: the hosts of a conninfo one after the other, each address of a name, until a
 * server takes us.
 *
 * libpq's own way through a list waits for one host as long as for all of them when it is not allowed to block, and
 * asks the system's resolver, which does block. So names are looked up here, and libpq gets one address at a time.
 * A host has the target's connect_timeout for itself when it is the only one; of several, CONNECT_PATIENCE each; what
 * the conninfo's own connect_timeout says counts more than both. */
#ifndef CHIME_PG_CONNECT_H
#define CHIME_PG_CONNECT_H

#include <libpq-fe.h>

#include "pg/connection.h"

#define CONNECT_PATIENCE (3 * USEC_PER_SEC)

struct pg_connect;

/* One of them is called once, in a later turn of the loop; the attempt is over then, and to be destroyed. */
struct pg_connect_handlers {
    void (*connected)(void *data, PGconn *pg, size_t host); /* the caller's to finish */
    void (*failed)(void *data, const struct error *reason); /* what each host answered */
};

struct pg_connect *pg_connect_start(struct loop *loop, struct resolver *resolver, const struct pg_target *target,
                                    const struct pg_connect_handlers *handlers, void *data);
void pg_connect_destroy(struct pg_connect *attempt); /* NULL allowed; also while it is under way, or from a handler */

#endif
