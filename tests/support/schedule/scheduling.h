/* SPDX-License-Identifier: PostgreSQL */
/* What the tests of the scheduler say in: a few jobs of one scheduler, and minutes of one day. */
#ifndef CHIME_TEST_SCHEDULING_H
#define CHIME_TEST_SCHEDULING_H

#include <check.h>
#include <stddef.h>
#include <stdint.h>

#include "schedule/scheduler.h"

#define MIDNIGHT INT64_C(1772409600000000) /* Monday 2026-03-02 */
#define NEVER (-1)

extern struct scheduler *scheduler; /* of the test under way */

instant minute(int64_t minutes);
/* A job with the defaults; at most twelve of them. */
struct job *define(const char *name, const char *schedule);
void comes_after(struct job *job, const char *upstream);
struct job *define_delay(const char *name, int64_t minutes); /* @after */
struct job *define_reboot(const char *name);
/* What the ledger knows of a job that never ran. */
struct job_memory memory_of(const struct job *job, int64_t cursor);
struct scheduled *remember(const struct job *job, instant cursor);
/* A job whose slots up to midnight are decided. */
struct scheduled *add(const struct job *job);
void start_at(int64_t minutes);
void start(void);
void tick(int64_t minutes);
/* The run that may start next is this one. */
struct due take(const struct scheduled *scheduled, int64_t slot);
struct due claim(struct scheduled *scheduled, int64_t slot);
void nothing_due(void);
/* Its run ends at the time of the last tick. */
void finish(struct scheduled *scheduled, enum run_state state);
/* A run that starts and ends on its slot. */
void run_at(struct scheduled *scheduled, int64_t minutes, enum run_state state);
struct skipped take_passed(const struct scheduled *scheduled, int64_t cursor, int64_t first, int64_t last);
/* What passed next is this: slots in (cursor, last], of which the first is `first`. */
void skipped(const struct scheduled *scheduled, int64_t cursor, int64_t first, int64_t last); /* for overlap */
void skipped_because(const struct scheduled *scheduled, int64_t cursor, int64_t first, int64_t last,
                     const char *reason);
/* One slot or decision, which counts as an outcome. */
void skipped_for(const struct scheduled *scheduled, int64_t cursor, int64_t slot, const char *reason);
void missed(const struct scheduled *scheduled, int64_t cursor, int64_t first, int64_t last, int64_t count,
            const char *reason);
void nothing_passed(void);
void next_is(int64_t minutes);

#define CHANGED "the job has changed"
/* The job of another catalog that takes the place of this one. */
struct job *redefine(struct scheduled *scheduled, const char *schedule);
void withdraw(struct scheduled *scheduled, int64_t minutes); /* CHANGED */
void replace_with(struct scheduled *scheduled, const struct job *job, int64_t cursor);
void replace(struct scheduled *scheduled, int64_t cursor); /* with the same */
void relink(int64_t minutes);

/* Another scheduler without jobs, within one test. */
void scheduling_reset(void);
/* Runs a suite of these tests. */
int scheduling_run(const char *name, const TTest *const *tests, size_t count);

#endif
