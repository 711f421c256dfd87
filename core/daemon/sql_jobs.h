/* SPDX-License-Identifier: PostgreSQL */
/* Jobs that are made by SQL, for a leadership: all of them at its start, then whatever is changed, within milliseconds
 * of its commit.
 *
 * Does: hear (NOTIFY on the leader's session) and poll for changes, read them, have them put into the schedule
 *   (sql_placing.h); write back what is refused.
 * Does not: touch the catalog's jobs. An edit costs the same among ten jobs as among fifty thousand, but for jobs that
 *   name channels. */
#ifndef CHIME_DAEMON_SQL_JOBS_H
#define CHIME_DAEMON_SQL_JOBS_H

#include <stdbool.h>

#include "schedule/scheduler.h"

struct lead;
struct sql_jobs;

typedef void sql_jobs_callback(struct lead *lead);

/* The catalog's jobs were added to the scheduler, which has not started: these follow. `loaded` is called once,
 * later. */
void sql_jobs_load(struct lead *lead, sql_jobs_callback *loaded);
void sql_jobs_destroy(struct lead *lead);
/* The schedule has started. */
void sql_jobs_start(struct lead *lead);
/* Somebody says that jobs changed. */
void sql_jobs_notified(struct lead *lead);
/* Called by dispatch when no claim is on its way. True: nothing may be claimed now. */
bool sql_jobs_step(struct lead *lead);
bool sql_jobs_asking(const struct lead *lead);
/* Nothing is asked for, nor to be. */
bool sql_jobs_idle(const struct lead *lead);
/* The ledger refused a claim of this job: true when that is for an edit that has not been heard of yet. */
bool sql_jobs_refetch(struct lead *lead, const struct scheduled *scheduled);
/* Another configuration: pools, zones and upstreams may be others. */
void sql_jobs_reloaded(struct lead *lead);

#endif
