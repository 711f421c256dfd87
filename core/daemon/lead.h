/* SPDX-License-Identifier: PostgreSQL */
/* The leadership of one database: from the leader lock taken to the leader lock lost or left.
 *
 * Does: install the plugins, bring the jobs to the ledger, take over what an earlier leader left, then schedule, claim,
 *   run and record until the end; measure the database's clock; drain on request, and where a newer version migrated
 *   the schema.
 * Does not: connect, take the leader lock, or come back by itself (database.h).
 * The state of all runs in memory belongs to the leadership and is freed with it. The next leader reads the ledger. */
#ifndef CHIME_DAEMON_LEAD_H
#define CHIME_DAEMON_LEAD_H

#include "daemon/snapshot.h"
#include "ledger/ledger.h"
#include "loop/loop.h"
#include "loop/resolve.h"

#define LEAD_PATIENCE (30 * USEC_PER_SEC) /* with runs, while the leadership is drained */

struct job_pings;
struct lead;

struct lead_handlers {
    void (*started)(void *data);                           /* scheduling begins */
    void (*ended)(void *data, const struct error *reason); /* the leadership is over: destroy it */
    void (*drained)(void *data);                           /* after lead_drain: nothing is live any more */
    void (*reloaded)(void *data);                          /* the catalog of the last lead_reload is in force */
};

struct lead *lead_create(struct loop *loop, struct resolver *resolver, struct job_pings *pings,
                         const struct config_database *database, struct snapshot *snapshot, const struct ledger *ledger,
                         const struct leader_lock *lock, const struct lead_handlers *handlers, void *data);
void lead_hurry(struct lead *lead);   /* right after lead_create: changes are followed at once */
void lead_destroy(struct lead *lead); /* NULL allowed; run sessions are closed */
/* Starts nothing more and waits for what runs; after `patience` it is cancelled and recorded. */
void lead_drain(struct lead *lead, duration patience);
/* Goes by another catalog as soon as it can: plugins installed, jobs in the ledger, runs under way untouched. The last
 * one asked for counts. */
void lead_reload(struct lead *lead, struct snapshot *snapshot, const struct config_database *database);
/* The leader's session heard something. */
void lead_notified(struct lead *lead, const char *channel);
/* Started, and nothing is due, live, or being written: what `serve --once` waits for. */
bool lead_quiet(const struct lead *lead);
const struct ledger *lead_ledger(const struct lead *lead);

#endif
