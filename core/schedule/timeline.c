/* SPDX-License-Identifier: PostgreSQL */
/* A job's slots: where the next one lies, when it falls due, and what becomes of those that nobody saw in time.
 *
 * Two forms have at most one slot that is not decided, which the calendar alone does not know: @after counts from the last
 * end, @reboot is the start of the server. */
#include <stdlib.h>

#include "schedule/state.h"

static bool has_one_slot(const struct scheduled *it)
{
    return it->job->schedule.form == SCHEDULE_DELAY || it->job->schedule.form == SCHEDULE_REBOOT;
}

static instant later(instant a, instant b)
{
    return a > b ? a : b;
}

instant timeline_seen(const struct scheduled *it)
{
    return later(it->cursor, later(it->keep_through, it->skip_through));
}

/* From the last end, or from when a slot was passed over. */
static instant delayed_slot(const struct scheduled *it)
{
    instant from = later(it->cursor, later(it->last_end, it->counted_from));
    return it->phase == PHASE_IDLE ? from + it->job->schedule.interval : INSTANT_NEVER;
}

static instant one_slot(const struct scheduler *scheduler, const struct scheduled *it)
{
    if (it->keep_through > it->cursor) {
        return it->keep_through;
    }
    if (it->job->schedule.form == SCHEDULE_DELAY) {
        return delayed_slot(it);
    }
    return scheduler->server_start > it->cursor ? scheduler->server_start : INSTANT_NEVER;
}

instant timeline_first(const struct scheduler *scheduler, const struct scheduled *it)
{
    return has_one_slot(it) ? one_slot(scheduler, it) : schedule_next(&it->job->schedule, it->cursor);
}

instant timeline_first_until(const struct scheduled *it, instant last)
{
    bool itself = it->job->schedule.form == SCHEDULE_NONE || has_one_slot(it);
    return itself ? last : schedule_next(&it->job->schedule, it->cursor);
}

int64_t timeline_count(const struct scheduled *it, instant last)
{
    instant counted;
    return has_one_slot(it) ? 1 : schedule_count(&it->job->schedule, it->cursor, last, INT64_MAX, &counted);
}

/* --- when it falls due -------------------------------------------------------------------------------------------------- */

static instant slot_after(const struct scheduled *it, instant slot)
{
    switch (it->job->schedule.form) {
    case SCHEDULE_DELAY:
        return slot + it->job->schedule.interval;
    case SCHEDULE_NONE:
    case SCHEDULE_REBOOT:
        return INSTANT_NEVER;
    case SCHEDULE_CRON:
    case SCHEDULE_INTERVAL:
    case SCHEDULE_ONCE:
        break;
    }
    return schedule_next(&it->job->schedule, slot);
}

instant timeline_start(const struct scheduled *it, instant slot)
{
    if (it->jitter == 0) {
        return slot;
    }
    instant next = slot_after(it, slot);
    return next - it->jitter > slot ? slot + it->jitter : next - 1;
}

instant timeline_latest(const struct scheduler *scheduler, const struct scheduled *it, instant until)
{
    if (has_one_slot(it)) {
        instant slot = one_slot(scheduler, it);
        return slot <= until ? slot : INSTANT_NONE;
    }
    return schedule_latest(&it->job->schedule, it->cursor, until);
}

instant timeline_latest_due(const struct scheduler *scheduler, const struct scheduled *it, instant until)
{
    instant slot = timeline_latest(scheduler, it, until);
    bool early = slot != INSTANT_NONE && timeline_start(it, slot) > until;
    return early ? timeline_latest(scheduler, it, slot - 1) : slot;
}

void timeline_arm(struct scheduler *scheduler, struct scheduled *it)
{
    instant seen = timeline_seen(it);
    instant before = it->armed;
    it->armed = INSTANT_NEVER;
    if (scheduled_enabled(it)) {
        it->armed = has_one_slot(it) ? one_slot(scheduler, it) : schedule_next(&it->job->schedule, seen);
    }
    if (it->armed == INSTANT_NEVER || it->armed <= seen) {
        heap_remove(&scheduler->slots, &it->slot_node);
    } else {
        heap_put(&scheduler->slots, &it->slot_node, timeline_start(it, it->armed));
    }
    if (it->job->origin == JOB_FROM_SQL && it->armed != before && !it->on_armed) {
        it->on_armed = true;
        list_add(&scheduler->armed, it);
    }
}

/* --- overlap ------------------------------------------------------------------------------------------------------------ */

static bool may_buffer(const struct scheduled *it)
{
    instant decided = it->kind == RUN_SCHEDULE && it->slot > it->cursor ? it->slot : it->cursor;
    switch (it->job->options.overlap_policy) {
    case OVERLAP_SKIP:
        return false;
    case OVERLAP_BUFFER_ONE:
        return it->keep_through <= decided;
    case OVERLAP_BUFFER_ALL:
        break;
    }
    return true;
}

void timeline_note(struct scheduler *scheduler, struct scheduled *it)
{
    bool skipping = it->skip_through > it->keep_through && it->skip_through > it->cursor;
    bool nothing_before = it->phase == PHASE_IDLE && it->cursor >= it->keep_through;
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

/* --- passed over -------------------------------------------------------------------------------------------------------- */

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

/* --- catch-up ----------------------------------------------------------------------------------------------------------- */

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
    bool latest = it->job->options.catchup == CATCHUP_LATEST;
    int64_t limit = latest ? 1 : it->job->options.catchup_limit;
    instant surplus = has_one_slot(it) ? it->cursor : before_newest(&it->job->schedule, it->cursor, newest, limit);
    if (surplus > it->cursor) {
        decision_miss(scheduler, it, surplus,
                      latest ? "catchup is latest: a later slot was due as well"
                             : "more slots than catchup_limit were due");
    }
}

static void catch_up_until(struct scheduler *scheduler, struct scheduled *it, instant newest)
{
    const struct job_options *options = &it->job->options;
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
