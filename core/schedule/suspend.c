/* SPDX-License-Identifier: PostgreSQL */
/* Suspension: by hand, and of jobs that fail too often. */
#include <stdio.h>

#include "base/memory.h"
#include "schedule/state.h"

static void fall_asleep(struct scheduler *scheduler, struct scheduled *it)
{
    it->suspended = true;
    requests_drop(scheduler, it);
    wake_arm(scheduler, it);
    timeline_arm(scheduler, it);
    agenda_add(scheduler, it);
    agenda_add_downstream(scheduler, it);
}

static void abandon(struct scheduler *scheduler, struct scheduled *it, const char *reason)
{
    instant through = INSTANT_NONE;
    if (scheduled_enabled(it)) {
        through = timeline_latest_due(scheduler, it, scheduler->now);
    }
    decision_abandon(scheduler, it, through, reason);
}

void scheduler_suspend(struct scheduler *scheduler, struct scheduled *it, const char *reason, instant now)
{
    wait_advance(scheduler, now);
    if (!it->suspended) {
        abandon(scheduler, it, reason);
        fall_asleep(scheduler, it);
    }
    agenda_run(scheduler);
}

static void wake_up(struct scheduler *scheduler, struct scheduled *it, instant until, const char *reason)
{
    it->suspended = false;
    it->failures = 0;
    timeline_miss(scheduler, it, until, reason);
    if (until < scheduler->started_at && !phase_is_claiming_slot(it)) {
        timeline_catch_up_now(scheduler, it);
    }
    wake_arm(scheduler, it);
    timeline_arm(scheduler, it);
    agenda_add(scheduler, it);
    agenda_add_downstream(scheduler, it);
}

void scheduler_resume_since(struct scheduler *scheduler, struct scheduled *it, const char *reason, instant until,
                            instant now)
{
    wait_advance(scheduler, now);
    if (it->suspended) {
        wake_up(scheduler, it, until < scheduler->now ? until : scheduler->now, reason);
    }
    agenda_run(scheduler);
}

void scheduler_resume(struct scheduler *scheduler, struct scheduled *it, const char *reason, instant now)
{
    scheduler_resume_since(scheduler, it, reason, INSTANT_NEVER, now);
}

static struct suspension *append(struct scheduler *scheduler)
{
    scheduler->suspensions = xrealloc(scheduler->suspensions, scheduler->suspension_count + 1,
                                      sizeof(*scheduler->suspensions));
    return &scheduler->suspensions[scheduler->suspension_count++];
}

static void describe(const struct scheduled *it, char reason[static SKIPPED_REASON_SIZE])
{
    char at[INSTANT_TEXT_SIZE] = "a time unknown";
    if (it->last_end != INSTANT_NONE) {
        instant_format(it->last_end, at);
    }
    if (it->failures == 1) {
        snprintf(reason, SKIPPED_REASON_SIZE, "a run failed at %s, and suspend_after_failures is 1", at);
    } else {
        snprintf(reason, SKIPPED_REASON_SIZE, "%lld runs in a row failed, the last one at %s", (long long)it->failures,
                 at);
    }
}

void suspend_if_failing(struct scheduler *scheduler, struct scheduled *it, bool noted)
{
    int64_t limit = it->job->options->suspend_after_failures;
    if (limit == 0 || it->failures < limit || it->suspended || it->retired) {
        return;
    }
    struct suspension *suspension = append(scheduler);
    suspension->scheduled = it;
    describe(it, suspension->reason);
    if (noted) {
        abandon(scheduler, it, suspension->reason);
    }
    fall_asleep(scheduler, it);
}

bool scheduler_take_suspension(struct scheduler *scheduler, struct suspension *suspension)
{
    if (scheduler->suspension_taken == scheduler->suspension_count) {
        scheduler->suspension_taken = scheduler->suspension_count = 0;
        return false;
    }
    *suspension = scheduler->suspensions[scheduler->suspension_taken++];
    return true;
}
