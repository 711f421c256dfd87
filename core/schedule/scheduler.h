/* The scheduler of one database: decides what is due, with the time passed in.
 *
 * Does: keep every job's next slot in a heap; apply catch-up, overlap, dependency gates and priority; say which runs may
 *   start, which slots are skipped or missed and why.
 * Does not: any I/O, read a clock, or start anything. What it decides is done by the caller, who reports back.
 *
 * Every slot of a job is decided in order. `cursor` is the last decided slot, as in the ledger; beyond it
 *   (cursor, keep_through]        slots that will run, one after the other (catch-up, or a buffered one)
 *   (keep_through, skip_through]  slots that fell due meanwhile and will be skipped; recorded once the cursor gets there,
 *                                 so that a crash before finds all of them again by the cursor
 * Phases of a job:
 *   IDLE      nothing due               WAITING   due, an upstream has to finish first
 *   READY     due, waits for a session  CLAIMING  the caller is writing the claim
 *   LIVE      claimed                   RETRYING  an attempt failed, the next has a time
 * A tick costs what is due, not what exists.
 *
 * Ownership: jobs are borrowed from the catalog; everything else is the scheduler's. Decisions are taken with the take
 * functions and stay valid until the next call that is not a take. */
#ifndef CHIME_SCHEDULE_SCHEDULER_H
#define CHIME_SCHEDULE_SCHEDULER_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/instant.h"
#include "model/job.h"
#include "model/run.h"

struct scheduler;
struct scheduled; /* one job as the scheduler holds it; stable until scheduler_destroy */

/* What the ledger knows of a job. */
struct job_memory {
    int64_t job_id;
    int version;
    instant cursor;
    bool has_outcome;
    enum run_state last_outcome;
    duration last_duration; /* 0 unknown */
};

/* A run that may start now. For RUN_SCHEDULE the ledger moves the cursor from `cursor` to `slot`. */
struct due {
    struct scheduled *scheduled;
    enum run_kind kind;
    instant slot;
    instant cursor;
    int attempt; /* 1 for the first */
    bool again;  /* the run is in the ledger already: it needs a session, not a claim */
};

/* Slots decided without running: the ledger writes them and moves the cursor from `cursor` to `last`. */
struct passed {
    struct scheduled *scheduled;
    instant cursor;
    instant first;
    instant last;
    int64_t count; /* of missed slots; 0 for skipped ones, which are listed one by one */
    bool missed;   /* else skipped: one record for each slot in (cursor, last] */
    bool outcome;  /* counts as the job's outcome for those after it */
    char reason[160];
};

struct scheduler *scheduler_create(void);
void scheduler_destroy(struct scheduler *scheduler);
/* All jobs are added before the start; `after` names resolve among them. */
struct scheduled *scheduler_add(struct scheduler *scheduler, const struct job *job, const struct job_memory *memory);
/* After the last job was added: before anything else. */
void scheduler_link(struct scheduler *scheduler);
/* From now on: slots up to `now` are subject to catch-up. */
void scheduler_start(struct scheduler *scheduler, instant now);
/* The database's clock was stepped forward: slots up to `now` that nobody saw are subject to catch-up. */
void scheduler_catch_up(struct scheduler *scheduler, instant now);

/* Takes note of every slot and retry that fell due up to `now`. */
void scheduler_tick(struct scheduler *scheduler, instant now);
/* When to tick next; INSTANT_NEVER when nothing is scheduled. */
instant scheduler_next(const struct scheduler *scheduler);
/* Asks for a run beside the schedule; it waits for a live run and for upstreams that run or are asked for. */
void scheduler_request(struct scheduler *scheduler, struct scheduled *it, enum run_kind kind, instant slot);
/* A live run of an idle job, found in the ledger: its next attempt is due at `retry_at`; INSTANT_NEVER while its
 * old session is still there, until scheduler_retry or scheduler_ended says more. */
void scheduler_adopt(struct scheduler *scheduler, struct scheduled *it, enum run_kind kind, instant slot, int attempt,
                     instant retry_at);

/* The next run that may start, by priority, then slot; it is CLAIMING from then on. False when there is none. */
bool scheduler_take_due(struct scheduler *scheduler, struct due *due);
bool scheduler_has_due(const struct scheduler *scheduler);
bool scheduler_take_passed(struct scheduler *scheduler, struct passed *passed);
bool scheduler_next_passed_is_missed(const struct scheduler *scheduler);

/* Reports of what became of a due. */
void scheduler_claimed(struct scheduler *scheduler, struct scheduled *it);
/* Not started after all; it is due again. */
void scheduler_unclaimed(struct scheduler *scheduler, struct scheduled *it);
/* Nothing of it is wanted any more: as if it had never been due. For requests that were withdrawn. */
void scheduler_dropped(struct scheduler *scheduler, struct scheduled *it);
/* The live run goes on with this attempt at `retry_at` (INSTANT_NEVER: not known yet, call again). */
void scheduler_retry(struct scheduler *scheduler, struct scheduled *it, int attempt, instant retry_at);
/* The run ended with a final state; whoever waited is looked at again. */
void scheduler_ended(struct scheduler *scheduler, struct scheduled *it, enum run_state state, duration took);

/* --- looking --------------------------------------------------------------------------------------------------------- */
const struct job *scheduled_job(const struct scheduled *scheduled);
int64_t scheduled_id(const struct scheduled *scheduled);
int scheduled_version(const struct scheduled *scheduled);
duration scheduled_expected(const struct scheduled *scheduled); /* how long a run takes lately; 0 unknown */
/* Whether nothing of this job is due, live or waiting. */
bool scheduled_idle(const struct scheduled *scheduled);
/* Whether its live run is this one. */
bool scheduled_is_at(const struct scheduled *scheduled, enum run_kind kind, instant slot);
struct scheduled *scheduler_find(const struct scheduler *scheduler, int64_t job_id); /* NULL: not ours */
size_t scheduler_count(const struct scheduler *scheduler);
/* No job is due, live, or waiting: what `serve --once` ends on. */
bool scheduler_quiet(const struct scheduler *scheduler);

#endif
