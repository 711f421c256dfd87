/* SPDX-License-Identifier: PostgreSQL */
/* A job's slots: where the next one lies, when it falls due, and what becomes of those that nobody saw in time.
 *
 * Two forms have at most one slot that is not decided, which the calendar alone does not know: @after counts from the
 * last end, @reboot is the start of the server. */
#include <stdlib.h>

#include "schedule/state.h"

bool timeline_has_one_slot(const struct scheduled *it)
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
    return timeline_has_one_slot(it) ? one_slot(scheduler, it) : schedule_next(&it->job->schedule, it->cursor);
}

instant timeline_first_until(const struct scheduled *it, instant last)
{
    bool itself = it->job->schedule.form == SCHEDULE_NONE || timeline_has_one_slot(it);
    return itself ? last : schedule_next(&it->job->schedule, it->cursor);
}

int64_t timeline_count(const struct scheduled *it, instant last)
{
    instant counted;
    return timeline_has_one_slot(it) ? 1 : schedule_count(&it->job->schedule, it->cursor, last, INT64_MAX, &counted);
}

/* --- when it falls due -------------------------------------------------------------------------------------------- */

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
    if (timeline_has_one_slot(it)) {
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
        it->armed = timeline_has_one_slot(it) ? one_slot(scheduler, it) : schedule_next(&it->job->schedule, seen);
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
