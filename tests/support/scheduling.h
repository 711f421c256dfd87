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
/* A job with the defaults; at most eight of them. */
struct job *define(const char *name, const char *schedule);
void comes_after(struct job *job, const char *upstream);
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
void finish(struct scheduled *scheduled, enum run_state state);
struct passed take_passed(const struct scheduled *scheduled, int64_t cursor, int64_t first, int64_t last);
/* What passed next is this: slots in (cursor, last], of which the first is `first`. */
void skipped(const struct scheduled *scheduled, int64_t cursor, int64_t first, int64_t last);
void skipped_for(const struct scheduled *scheduled, int64_t cursor, int64_t slot, const char *reason);
void missed(const struct scheduled *scheduled, int64_t cursor, int64_t first, int64_t last, int64_t count,
            const char *reason);
void nothing_passed(void);
void next_is(int64_t minutes);

/* Runs a suite of these tests. */
int scheduling_run(const char *name, const TTest *const *tests, size_t count);

#endif
