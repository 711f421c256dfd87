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

static bool seek(const struct schedule *schedule, struct stretch *here, instant from, enum direction direction,
                 instant *slot)
{
    return wall_matters(schedule) ? wall_seek(schedule, here, from, direction, slot)
                                  : schedule_seek(schedule, from, direction, slot);
}

static instant next_of(const struct schedule *schedule, struct stretch *here, instant after)
{
    instant slot = floor_to(after, USEC_PER_SEC) + USEC_PER_SEC;
    return seek(schedule, here, slot, FORWARD, &slot) ? slot : INSTANT_NEVER;
}

instant schedule_next(const struct schedule *schedule, instant after)
{
    instant slot = INSTANT_NEVER;
    struct stretch nowhere = {0};
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
        slot = next_of(schedule, &nowhere, after);
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

int64_t schedule_count(const struct schedule *schedule, instant after, instant until, int64_t limit, instant *last)
{
    instant end = not_after_calendar(until);
    instant slot = schedule_next(schedule, after);
    struct stretch here = {0};
    int64_t count = 0;
    *last = INSTANT_NONE;
    if (schedule->form == SCHEDULE_INTERVAL || schedule->form == SCHEDULE_DELAY) {
        return count_even(schedule->interval, slot, end, limit, last);
    }
    while (count < limit && slot <= end) {
        *last = slot;
        slot = next_of(schedule, &here, slot);
        count++;
    }
    return count;
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
    struct stretch nowhere = {0};
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
        slot = seek(schedule, &nowhere, slot, BACKWARD, &slot) ? slot : INSTANT_NONE;
        break;
    }
    return slot > after && slot >= FIRST_INSTANT ? slot : INSTANT_NONE;
}
