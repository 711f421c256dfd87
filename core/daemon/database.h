/* SPDX-License-Identifier: PostgreSQL */
/* One database that the daemon serves: connects, checks, migrates, takes the leader lock when it is free, leads, comes
 * back.
 *
 *   CONNECTING -> CHECKING -> MIGRATING -> FOLLOWING -> LEADING -> (over) -> WAITING -> CONNECTING ...
 * Of several hosts in its conninfo, one that is refused (a standby, an old primary that a failover left behind) is
 * tried last the next time. A database that cannot be served is tried again for ever, with a growing pause; each new
 * reason is logged once. */
#ifndef CHIME_DAEMON_DATABASE_H
#define CHIME_DAEMON_DATABASE_H

#include "daemon/led_databases.h"
#include "daemon/snapshot.h"
#include "daemon/status_line.h"
#include "loop/loop.h"
#include "loop/resolve.h"

struct database;
struct job_pings;

struct database_handlers {
    void (*quiet)(
        void *data); /* leading, and nothing is due or live (may be called again); NULL: nobody waits for it */
    void (*stopped)(void *data);  /* after database_stop: drained, resigned, closed */
    void (*reloaded)(void *data); /* after database_reload, once: it goes by the new catalog */
};

struct database *database_create(struct loop *loop, struct resolver *resolver, struct led_databases *led,
                                 struct job_pings *pings, const struct config_database *settings,
                                 struct snapshot *snapshot, const struct database_handlers *handlers, void *data);
void database_destroy(struct database *database); /* NULL allowed */
/* Drains and resigns. `at_once`: does not wait for runs, or not any longer. */
void database_stop(struct database *database, bool at_once);
/* Another catalog, and the settings of this database in it, whose conninfo is the same. Runs under way go on. A
 * database that does not lead has it at once. */
void database_reload(struct database *database, struct snapshot *snapshot, const struct config_database *settings);
/* What it does now; its problem is borrowed until the loop turns. */
struct served_database database_served(const struct database *database);

#endif
