/* SPDX-License-Identifier: PostgreSQL */
/* Slots that nobody saw in time: beside a run that goes on, while suspended, while nothing led. */
#include <stdlib.h>

#include "schedule/state.h"

static instant later(instant a, instant b)
{
    return a > b ? a : b;
}

static bool may_buffer(const struct scheduled *it)
{
    instant decided = it->kind == RUN_SCHEDULE && it->slot > it->cursor ? it->slot : it->cursor;
    switch (it->job->options->overlap_policy) {
    case OVERLAP_SKIP:
        return false;
    case OVERLAP_BUFFER_ONE:
        return it->keep_through <= decided;
    case OVERLAP_BUFFER_ALL:
    case OVERLAP_CANCEL_PREVIOUS: /* supersede.c leaves the newest */
        break;
    }
    return true;
}

void timeline_note(struct scheduler *scheduler, struct scheduled *it)
{
    bool skipping = it->skip_through > it->keep_through && it->skip_through > it->cursor;
    bool nothing_before = (it->phase == PHASE_IDLE || it->kind == RUN_BACKFILL) && it->cursor >= it->keep_through;
    if (!skipping && (nothing_before || may_buffer(it))) {
        it->keep_through = it->armed;
    } else {
        if (!skipping) {
            free(it->skip_reason);
            it->skip_reason = wait_overlap_reason(scheduler, it);
        }
        it->skip_through = it->armed;
    }
    timeline_arm(scheduler, it);
}

void timeline_miss(struct scheduler *scheduler, struct scheduled *it, instant until, const char *reason)
{
    if (!scheduled_enabled(it) || phase_is_claiming_slot(it)) {
        return;
    }
    instant last = timeline_latest_due(scheduler, it, until);
    if (last > it->cursor) {
        decision_miss(scheduler, it, last, reason);
    }
}

/* The last slot before the newest `limit` of those in (after, until]; `after` when there are no more than that. */
static instant before_newest(const struct schedule *schedule, instant after, instant until, int64_t limit)
{
    instant last;
    int64_t count = schedule_count(schedule, after, until, INT64_MAX, &last);
    if (count <= limit) {
        return after;
    }
    schedule_count(schedule, after, until, count - limit, &last);
    return last;
}

static void miss_surplus(struct scheduler *scheduler, struct scheduled *it, instant newest)
{
    bool latest = it->job->options->catchup == CATCHUP_LATEST;
    int64_t limit = latest ? 1 : it->job->options->catchup_limit;
    instant surplus = timeline_has_one_slot(it) ? it->cursor
                                                : before_newest(&it->job->schedule, it->cursor, newest, limit);
    if (surplus > it->cursor) {
        decision_miss(scheduler, it, surplus,
                      latest ? "catchup is latest: a later slot was due as well"
                             : "more slots than catchup_limit were due");
    }
}

static void catch_up_until(struct scheduler *scheduler, struct scheduled *it, instant newest)
{
    const struct job_options *options = it->job->options;
    if (options->catchup == CATCHUP_NONE && it->job->schedule.form != SCHEDULE_REBOOT) {
        decision_miss(scheduler, it, newest, "catchup is none: nothing led when they were due");
        return;
    }
    instant window = scheduler->now - options->catchup_window;
    instant oldest = window - 1 < newest ? window - 1 : newest;
    instant too_old = oldest > it->cursor ? timeline_latest(scheduler, it, oldest) : INSTANT_NONE;
    if (too_old != INSTANT_NONE) {
        decision_miss(scheduler, it, too_old, "older than catchup_window when a leader was back");
    }
    if (newest > it->cursor) {
        miss_surplus(scheduler, it, newest);
        it->keep_through = later(newest, it->cursor);
    }
}

void timeline_catch_up_now(struct scheduler *scheduler, struct scheduled *it)
{
    if (scheduled_enabled(it) && it->cursor >= it->keep_through) {
        instant newest = timeline_latest_due(scheduler, it, scheduler->now);
        it->caught_up_at = scheduler->now;
        if (newest != INSTANT_NONE && newest > timeline_seen(it)) {
            catch_up_until(scheduler, it, newest);
        }
    }
}

/* Slots beside a run that this leader started are not missed: the tick notes them. */
void timeline_catch_up(struct scheduler *scheduler, struct scheduled *it)
{
    if (it->phase == PHASE_IDLE || it->phase == PHASE_RETRYING) {
        timeline_catch_up_now(scheduler, it);
    }
    timeline_arm(scheduler, it);
}
