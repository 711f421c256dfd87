/* SPDX-License-Identifier: PostgreSQL */
/* Slots of every form. Reading a schedule's text is in schedule_parse.c, the search in schedule_seek.c (the fields) and
 * schedule_wall.c (the zone). */
#include "calendar/schedule.h"

#include <stddef.h>

#include "calendar/schedule_seek.h"
#include "calendar/schedule_wall.h"

void schedule_set_zone(struct schedule *schedule, const struct zone *zone, enum dst_gap gap, enum dst_overlap overlap)
{
    schedule->zone = zone;
    schedule->dst_gap = gap;
    schedule->dst_overlap = overlap;
}

/* The latest whole multiple of `length` that is <= `at`. */
static instant floor_to(instant at, duration length)
{
    duration rest = at % length;
    return at - (rest < 0 ? rest + length : rest);
}

/* Just before the calendar starts for whatever is earlier, so that every sum below stays within int64. */
static instant not_before_calendar(instant at)
{
    return at < FIRST_INSTANT ? FIRST_INSTANT - 1 : at;
}

static instant not_after_calendar(instant at)
{
    return at > LAST_INSTANT ? LAST_INSTANT : at;
}

static bool seek(const struct schedule *schedule, instant from, enum direction direction, instant *slot)
{
    return wall_matters(schedule) ? wall_seek(schedule, from, direction, slot)
                                  : schedule_seek(schedule, from, direction, slot);
}

static instant next_of(const struct schedule *schedule, instant after)
{
    instant slot = floor_to(after, USEC_PER_SEC) + USEC_PER_SEC;
    return seek(schedule, slot, FORWARD, &slot) ? slot : INSTANT_NEVER;
}

instant schedule_next(const struct schedule *schedule, instant after)
{
    instant slot = INSTANT_NEVER;
    after = not_after_calendar(not_before_calendar(after));
    switch (schedule->form) {
    case SCHEDULE_NONE:
    case SCHEDULE_REBOOT:
        break;
    case SCHEDULE_INTERVAL:
        slot = floor_to(after, schedule->interval) + schedule->interval;
        break;
    case SCHEDULE_DELAY:
        slot = after + schedule->interval;
        break;
    case SCHEDULE_CRON:
    case SCHEDULE_ONCE:
        slot = next_of(schedule, after);
        break;
    }
    return slot <= LAST_INSTANT ? slot : INSTANT_NEVER;
}

/* Of slots at first, first + interval, ... those up to `until`. */
static int64_t count_even(duration interval, instant first, instant until, int64_t limit, instant *last)
{
    if (first > until || limit <= 0) {
        return 0;
    }
    int64_t count = (until - first) / interval + 1;
    count = count < limit ? count : limit;
    *last = first + (count - 1) * interval;
    return count;
}

static int64_t count_fields(const struct schedule *schedule, instant after, instant until, int64_t limit, instant *last)
{
    instant from = floor_to(not_after_calendar(not_before_calendar(after)), USEC_PER_SEC) + USEC_PER_SEC;
    instant to = floor_to(not_before_calendar(until), USEC_PER_SEC) + USEC_PER_SEC;
    return wall_matters(schedule) ? wall_tally(schedule, from, to, limit, last)
                                  : schedule_tally(schedule, from, to, limit, last);
}

/* At most two of them: a wall time may come twice. */
static int64_t count_once(const struct schedule *schedule, instant after, instant until, int64_t limit, instant *last)
{
    int64_t count = 0;
    instant slot = schedule_next(schedule, after);
    for (; count < limit && slot <= until; count++) {
        *last = slot;
        slot = schedule_next(schedule, slot);
    }
    return count;
}

int64_t schedule_count(const struct schedule *schedule, instant after, instant until, int64_t limit, instant *last)
{
    *last = INSTANT_NONE;
    until = not_after_calendar(until);
    switch (schedule->form) {
    case SCHEDULE_NONE:
    case SCHEDULE_REBOOT:
        break;
    case SCHEDULE_INTERVAL:
    case SCHEDULE_DELAY:
        return count_even(schedule->interval, schedule_next(schedule, after), until, limit, last);
    case SCHEDULE_ONCE:
        return count_once(schedule, after, until, limit, last);
    case SCHEDULE_CRON:
        return count_fields(schedule, after, until, limit, last);
    }
    return 0;
}

/* Each slot of the delay starts and ends at once, the first one `interval` after `after`. */
static instant latest_delayed(const struct schedule *schedule, instant after, instant until)
{
    instant last = INSTANT_NONE;
    count_even(schedule->interval, schedule_next(schedule, after), until, INT64_MAX, &last);
    return last;
}

instant schedule_latest(const struct schedule *schedule, instant after, instant until)
{
    instant slot = INSTANT_NONE;
    until = not_after_calendar(until);
    if (until < FIRST_INSTANT) {
        return INSTANT_NONE;
    }
    switch (schedule->form) {
    case SCHEDULE_NONE:
    case SCHEDULE_REBOOT:
        return INSTANT_NONE;
    case SCHEDULE_DELAY:
        return latest_delayed(schedule, after, until);
    case SCHEDULE_INTERVAL:
        slot = floor_to(until, schedule->interval);
        break;
    case SCHEDULE_CRON:
    case SCHEDULE_ONCE:
        slot = floor_to(until, USEC_PER_SEC);
        slot = seek(schedule, slot, BACKWARD, &slot) ? slot : INSTANT_NONE;
        break;
    }
    return slot > after && slot >= FIRST_INSTANT ? slot : INSTANT_NONE;
}
