/* SPDX-License-Identifier: PostgreSQL */
/* Inside core/daemon: puts jobs made by SQL into the schedule, one by one, each after those that it comes after.
 *
 * Does: withdraw what was due by an old definition, on the record; begin a schedule anew; keep aside, refused, a job
 *   that comes after one that is not there, until it is.
 * Does not: ask the ledger what changed (sql_jobs.h). */
#ifndef CHIME_DAEMON_SQL_PLACING_H
#define CHIME_DAEMON_SQL_PLACING_H

#include <stdbool.h>

#include "daemon/sql_waiting.h"

struct lead;

struct sql_placing {
    bool reading;               /* an answer; at the load, all of them */
    bool channels_changed;      /* what is listened for is to be looked at */
    bool sweep;                 /* schedules may have expired: to be looked at between two answers */
    struct sql_waiting held;    /* while reading: whom they come after may be told yet */
    struct sql_waiting waiting; /* refused, until whom they come after is there */
};

void sql_placing_finish(struct sql_placing *placing);

/* NULL: it is not known, or nothing is before the schedule has started. */
struct scheduled *sql_placing_find(const struct lead *lead, int64_t job_id);
/* Takes the job over, which has no fault of its own. */
void sql_placing_take(struct lead *lead, const struct job *job, const struct job_memory *memory, bool has_problem);
/* Takes over one that has. */
void sql_placing_take_refused(struct lead *lead, const struct job *job, const struct job_memory *memory,
                              const struct error *problem);
/* Those that were held while answers were read: all that there is to read has been read. */
void sql_placing_take_held(struct lead *lead);
/* It waits for nobody any more. */
void sql_placing_forget(struct lead *lead, int64_t job_id);
/* Whom all told ones come after is known: places those anew that came after this one by another name; takes it out
 * where it was removed. */
void sql_placing_follow_up(struct lead *lead, int64_t job_id, bool removed);
/* Takes a job out, wherever it came from, whose name was released; jobs made by SQL that came after it are placed anew.
 * Then scheduler_link. */
void sql_placing_remove(struct lead *lead, struct scheduled *scheduled);

#endif
