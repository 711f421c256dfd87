/* SPDX-License-Identifier: PostgreSQL */
#include "support/schedule/scheduling.h"
#include "support/process/suite.h"

#include <stdlib.h>
#include <string.h>

#define OVERLAP "overlap: "
#define JOBS_MAX 12

struct scheduler *scheduler;
static struct job jobs[JOBS_MAX];
static struct job_options options[JOBS_MAX];
static const char *upstreams[JOBS_MAX][JOBS_MAX];
static size_t job_count;
static int64_t clock_minutes; /* what the last call said */

instant minute(int64_t minutes)
{
    return minutes == NEVER ? INSTANT_NEVER : MIDNIGHT + minutes * USEC_PER_MINUTE;
}

static void set_up(void)
{
    scheduler = scheduler_create();
    job_count = 0;
    clock_minutes = 0;
    memset(jobs, 0, sizeof(jobs));
}

static void tear_down(void)
{
    scheduler_destroy(scheduler);
}

void scheduling_reset(void)
{
    tear_down();
    set_up();
}

struct job *define(const char *name, const char *schedule)
{
    struct error err;
    struct job *job = &jobs[job_count];
    job->name = name;
    job->active = true;
    job->options = &options[job_count];
    job->after = upstreams[job_count++];
    job->schedule_text = schedule;
    ck_assert_msg(*schedule == '\0' || schedule_parse(schedule, &job->schedule, &err), "%s", schedule);
    options_defaults(job->options, false);
    return job;
}

void comes_after(struct job *job, const char *upstream)
{
    upstreams[job - jobs][job->after_count++] = upstream;
}

struct job *define_delay(const char *name, int64_t minutes)
{
    struct job *job = define(name, "");
    job->schedule = (struct schedule){.form = SCHEDULE_DELAY, .interval = minutes * USEC_PER_MINUTE};
    return job;
}

struct job *define_reboot(const char *name)
{
    struct job *job = define(name, "");
    job->schedule.form = SCHEDULE_REBOOT;
    return job;
}

struct job_memory memory_of(const struct job *job, int64_t cursor)
{
    return (struct job_memory){.job_id = 100 + (job - jobs),
                               .version = 3,
                               .cursor = minute(cursor),
                               .outcome_at = INSTANT_NONE,
                               .missed_at = INSTANT_NONE,
                               .last_end = INSTANT_NONE};
}

struct scheduled *remember(const struct job *job, instant cursor)
{
    struct job_memory memory = memory_of(job, 0);
    memory.cursor = cursor;
    return scheduler_put(scheduler, job, &memory);
}

/* A job whose slots up to midnight are decided. */
struct scheduled *add(const struct job *job)
{
    return remember(job, MIDNIGHT);
}

void start_at(int64_t minutes)
{
    clock_minutes = minutes;
    scheduler_link(scheduler, minute(minutes));
    scheduler_start(scheduler, minute(minutes), INSTANT_NONE);
}

void start(void)
{
    start_at(0);
}

void tick(int64_t minutes)
{
    clock_minutes = minutes;
    scheduler_tick(scheduler, minute(minutes));
}

struct due take(const struct scheduled *scheduled, int64_t slot)
{
    struct due due;
    ck_assert_msg(scheduler_take_due(scheduler, &due), "nothing is due");
    ck_assert_str_eq(scheduled_job(due.scheduled)->name, scheduled_job(scheduled)->name);
    ck_assert_int_eq((due.slot - MIDNIGHT) / USEC_PER_MINUTE, slot);
    return due;
}

struct due claim(struct scheduled *scheduled, int64_t slot)
{
    struct due due = take(scheduled, slot);
    scheduler_claimed(scheduler, scheduled);
    return due;
}

void nothing_due(void)
{
    struct due due;
    ck_assert(!scheduler_has_due(scheduler));
    ck_assert_msg(!scheduler_take_due(scheduler, &due), "something is due");
}

void finish(struct scheduled *scheduled, enum run_state state)
{
    scheduler_ended(scheduler, scheduled, state, USEC_PER_SEC, minute(clock_minutes));
}

void run_at(struct scheduled *scheduled, int64_t minutes, enum run_state state)
{
    tick(minutes);
    claim(scheduled, minutes);
    finish(scheduled, state);
}

struct skipped take_passed(const struct scheduled *scheduled, int64_t cursor, int64_t first, int64_t last)
{
    struct skipped passed;
    ck_assert_msg(scheduler_take_skipped(scheduler, &passed), "nothing passed");
    ck_assert_ptr_eq(passed.scheduled, scheduled);
    ck_assert_int_eq((passed.cursor - MIDNIGHT) / USEC_PER_MINUTE, cursor);
    ck_assert_int_eq((passed.first - MIDNIGHT) / USEC_PER_MINUTE, first);
    ck_assert_int_eq((passed.last - MIDNIGHT) / USEC_PER_MINUTE, last);
    return passed;
}

void skipped(const struct scheduled *scheduled, int64_t cursor, int64_t first, int64_t last)
{
    struct skipped passed = take_passed(scheduled, cursor, first, last);
    ck_assert(!passed.missed && !passed.outcome && passed.count == 0);
    ck_assert_int_eq(strncmp(passed.reason, OVERLAP, strlen(OVERLAP)), 0);
}

void skipped_because(const struct scheduled *scheduled, int64_t cursor, int64_t first, int64_t last, const char *reason)
{
    struct skipped passed = take_passed(scheduled, cursor, first, last);
    ck_assert(!passed.missed && !passed.outcome && passed.count == 0);
    ck_assert_str_eq(passed.reason, reason);
}

void skipped_for(const struct scheduled *scheduled, int64_t cursor, int64_t slot, const char *reason)
{
    struct skipped passed = take_passed(scheduled, cursor, slot, slot);
    ck_assert(!passed.missed && passed.outcome && passed.count == 0);
    ck_assert_str_eq(passed.reason, reason);
}

void missed(const struct scheduled *scheduled, int64_t cursor, int64_t first, int64_t last, int64_t count,
            const char *reason)
{
    struct skipped passed = take_passed(scheduled, cursor, first, last);
    ck_assert(passed.missed && !passed.outcome);
    ck_assert_int_eq(passed.count, count);
    ck_assert_str_eq(passed.reason, reason);
}

void nothing_passed(void)
{
    struct skipped passed;
    ck_assert_msg(!scheduler_take_skipped(scheduler, &passed), "something passed");
}

void next_is(int64_t minutes)
{
    ck_assert_int_eq(scheduler_next(scheduler), minute(minutes));
}

struct job *redefine(struct scheduled *scheduled, const char *schedule)
{
    const struct job *old = scheduled_job(scheduled);
    struct job *fresh = define(old->name, schedule);
    *fresh->options = *old->options;
    for (size_t i = 0; i < old->after_count; i++) {
        comes_after(fresh, old->after[i]);
    }
    return fresh;
}

void withdraw(struct scheduled *scheduled, int64_t minutes)
{
    scheduler_withdraw(scheduler, scheduled, CHANGED, minute(minutes));
}

void replace_with(struct scheduled *scheduled, const struct job *job, int64_t cursor)
{
    struct job_memory memory = memory_of(job, cursor);
    memory.job_id = scheduled_id(scheduled);
    memory.version = 4;
    scheduler_put(scheduler, job, &memory);
}

void replace(struct scheduled *scheduled, int64_t cursor)
{
    replace_with(scheduled, redefine(scheduled, scheduled_job(scheduled)->schedule_text), cursor);
}

void relink(int64_t minutes)
{
    scheduler_link(scheduler, minute(minutes));
    scheduler_forget(scheduler);
}

int scheduling_run(const char *name, const TTest *const *tests, size_t count)
{
    Suite *suite = suite_create(name);
    TCase *all = tcase_create(name);
    tcase_add_checked_fixture(all, set_up, tear_down);
    tcase_set_timeout(all, 60);
    for (size_t i = 0; i < count; i++) {
        tcase_add_test(all, tests[i]);
    }
    suite_add_tcase(suite, all);
    return suite_run(suite);
}
