/* SPDX-License-Identifier: PostgreSQL */
/* Writes a leader's catalog to the ledger, and reads back what the ledger has stored about its jobs.
 *
 * Does: send the jobs in parts, the next one when the last was answered: tens of thousands neither meet the statement's
 *   time limit nor stay behind as a buffer of their size, and a heartbeat passes between them.
 * Does not: decide what is in the catalog.
 * Each part is a transaction, and so are the last steps, which switch off whatever is not in the catalog. Between them
 * the ledger is part old and part new, and only this leader may claim from it: until the end it must not, nor grant
 * requests. When it is interrupted, nothing is lost: each job has either its old definition, with its cursor, or its
 * new one. The next leader writes its own catalog; jobs that already match are not touched. */
#ifndef CHIME_LEDGER_SYNC_H
#define CHIME_LEDGER_SYNC_H

#include <stddef.h>

#include "ledger/ledger.h"

struct ledger_sync;

struct ledger_synced {
    const struct job *job;
    struct job_memory memory;
};

/* `reply` is that of the step that failed (pg_reply_ok is false then, and there are no jobs) or else of the last one.
 * The sync is over; the jobs, sorted by name, are borrowed during the call. */
typedef void ledger_sync_callback(void *data, const struct pg_reply *reply, const struct ledger_synced *jobs,
                                  size_t count);

/* Ledger and jobs (sorted by name) are borrowed until the end, which is told exactly once. A job that is new, wakes up
 * or changes its schedule starts from `now`. `decided`: what was due until then by the old catalog is on record; else
 * it is to be, as chime.expired_schedule tells, before the jobs' cursors in the ledger are those that are told here. */
struct ledger_sync *ledger_sync_start(const struct ledger *ledger, const struct job *const *jobs, size_t count,
                                      instant now, bool decided, ledger_sync_callback *callback, void *data);
void ledger_sync_abandon(struct ledger_sync *sync); /* nothing is told any more; takes NULL */

#endif
