/* One database that the daemon serves: connects, checks, migrates, takes the seat when it is free, leads, comes back.
 *
 *   CONNECTING -> CHECKING -> MIGRATING -> FOLLOWING -> LEADING -> (over) -> WAITING -> CONNECTING ...
 * A database that cannot be served is tried again for ever, with a growing pause; each new reason is logged once. */
#ifndef CHIME_DAEMON_DATABASE_H
#define CHIME_DAEMON_DATABASE_H

#include "catalog/catalog.h"
#include "loop/loop.h"
#include "loop/resolve.h"

struct database;

struct database_handlers {
    void (*quiet)(
        void *data); /* leading, and nothing is due or live (may be called again); NULL: nobody waits for it */
    void (*stopped)(void *data); /* after database_stop: drained, resigned, closed */
};

struct database *database_create(struct loop *loop, struct resolver *resolver, const struct config_database *settings,
                                 const struct catalog *catalog, const char *instance,
                                 const struct database_handlers *handlers, void *data);
void database_destroy(struct database *database); /* NULL allowed */
/* Drains and resigns. A second call does not wait for runs any more. */
void database_stop(struct database *database);

#endif
