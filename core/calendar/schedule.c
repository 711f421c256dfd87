/* Finding slots; reading a schedule's text is in schedule_parse.c.
 *
 * Forwards and backwards are the same search: the first set bit at or after a place, or the last at or before it, from
 * the year down to the second. A month's days are one mask, so no day is ever tried by itself. */
#include "calendar/schedule.h"

#include <stddef.h>

#define FIRST_YEAR 1
#define LAST_YEAR 9999
#define FIRST_INSTANT (INT64_C(-62135596800) * USEC_PER_SEC)
#define LAST_INSTANT (INT64_C(253402300800) * USEC_PER_SEC - 1)

enum direction { BACKWARD = -1, FORWARD = 1 };

/* The nearest set bit at or beyond `place` in the direction; -1 when there is none. */
static int nearest_bit(uint64_t bits, int place, enum direction direction)
{
    if (place < 0 || place > 63) {
        return -1;
    }
    if (direction == FORWARD) {
        uint64_t rest = bits & (UINT64_MAX << place);
        return rest != 0 ? __builtin_ctzll(rest) : -1;
    }
    uint64_t rest = bits & (UINT64_MAX >> (63 - place));
    return rest != 0 ? 63 - __builtin_clzll(rest) : -1;
}

static int outermost_bit(uint64_t bits, enum direction direction)
{
    return nearest_bit(bits, direction == FORWARD ? 0 : 63, direction);
}

/* Moves the time of day to the nearest match at or beyond it; false when the day has none left. */
static bool seek_time(const struct schedule *schedule, struct civil *at, enum direction direction)
{
    int hour = nearest_bit(schedule->hours, at->hour, direction);
    int minute = hour == at->hour ? nearest_bit(schedule->minutes, at->minute, direction) : -1;
    int second = minute == at->minute ? nearest_bit(schedule->seconds, at->second, direction) : -1;
    bool here = hour == at->hour && minute == at->minute && minute >= 0;
    if (here && second < 0) {
        minute = nearest_bit(schedule->minutes, at->minute + (int)direction, direction);
    }
    if (hour == at->hour && minute < 0) {
        hour = nearest_bit(schedule->hours, at->hour + (int)direction, direction);
    }
    if (hour < 0) {
        return false;
    }
    at->minute = minute >= 0 ? minute : outermost_bit(schedule->minutes, direction);
    at->second = second >= 0 ? second : outermost_bit(schedule->seconds, direction);
    at->hour = hour;
    return true;
}

/* Bit n is set when day n of the month matches: the week's pattern, turned to the month's first weekday, five times. */
static uint64_t month_mask(const struct schedule *schedule, int year, int month)
{
    struct civil first = {.year = year, .month = month, .day = 1};
    int weekday = instant_to_civil(civil_to_instant(&first)).weekday;
    uint64_t week = (schedule->weekdays >> weekday | (uint64_t)schedule->weekdays << (7 - weekday)) & 0x7F;
    uint64_t weekdays = week * UINT64_C(0x10204081) << 1;
    uint64_t days = schedule->days_or_weekdays ? schedule->days | weekdays : schedule->days & weekdays;
    return days & ((UINT64_C(1) << (civil_month_days(year, month) + 1)) - 2);
}

/* Moves to the nearest matching month beyond the present one, its day to the month's edge. */
static bool seek_month(const struct schedule *schedule, struct civil *at, enum direction direction)
{
    int month = nearest_bit(schedule->months, at->month + (int)direction, direction);
    if (month < 0) {
        at->year += (int)direction;
        month = outermost_bit(schedule->months, direction);
    }
    at->month = month;
    at->day = direction == FORWARD ? 1 : 31;
    return at->year >= FIRST_YEAR && at->year <= LAST_YEAR;
}

/* Moves the date to the nearest match at or beyond it; false past the calendar's end. */
static bool seek_day(const struct schedule *schedule, struct civil *at, enum direction direction)
{
    int day = -1;
    if ((schedule->months >> at->month & 1) != 0) {
        day = nearest_bit(month_mask(schedule, at->year, at->month), at->day, direction);
    }
    while (day < 0) {
        if (!seek_month(schedule, at, direction)) {
            return false;
        }
        day = nearest_bit(month_mask(schedule, at->year, at->month), at->day, direction);
    }
    at->day = day;
    return true;
}

static void to_edge_of_day(struct civil *at, enum direction direction)
{
    at->hour = direction == FORWARD ? 0 : 23;
    at->minute = direction == FORWARD ? 0 : 59;
    at->second = direction == FORWARD ? 0 : 59;
}

/* The nearest slot at or beyond `from`, which lies on a whole second within the calendar. */
static bool seek_cron(const struct schedule *schedule, instant from, enum direction direction, instant *slot)
{
    struct civil at = instant_to_civil(from);
    struct civil start = at;
    if (!seek_day(schedule, &at, direction)) {
        return false;
    }
    bool same_day = at.year == start.year && at.month == start.month && at.day == start.day;
    if (!same_day) {
        to_edge_of_day(&at, direction);
    }
    if (!seek_time(schedule, &at, direction)) {
        at.day += (int)direction;
        to_edge_of_day(&at, direction);
        if (!seek_day(schedule, &at, direction)) {
            return false;
        }
        seek_time(schedule, &at, direction); /* a whole day always has one */
    }
    *slot = civil_to_instant(&at);
    return true;
}

/* The latest whole multiple of `length` that is <= `at`. */
static instant floor_to(instant at, duration length)
{
    duration rest = at % length;
    return at - (rest < 0 ? rest + length : rest);
}

instant schedule_next(const struct schedule *schedule, instant after)
{
    instant from = after < FIRST_INSTANT ? FIRST_INSTANT - 1 : after;
    if (schedule->form == SCHEDULE_NONE || from >= LAST_INSTANT) {
        return INSTANT_NEVER;
    }
    duration step = schedule->form == SCHEDULE_INTERVAL ? schedule->interval : USEC_PER_SEC;
    instant slot = floor_to(from, step) + step;
    if (slot > LAST_INSTANT) {
        return INSTANT_NEVER;
    }
    if (schedule->form == SCHEDULE_CRON && !seek_cron(schedule, slot, FORWARD, &slot)) {
        return INSTANT_NEVER;
    }
    return slot;
}

/* A second's job that was down for a month has millions of slots; they are counted, not walked. */
static int64_t count_interval(const struct schedule *schedule, instant after, instant until, instant *last)
{
    instant first = schedule_next(schedule, after);
    *last = schedule_latest(schedule, after, until);
    return *last == INSTANT_NONE ? 0 : (*last - first) / schedule->interval + 1;
}

int64_t schedule_count(const struct schedule *schedule, instant after, instant until, int64_t limit, instant *last)
{
    int64_t count = 0;
    *last = INSTANT_NONE;
    if (schedule->form == SCHEDULE_INTERVAL && limit == INT64_MAX) {
        return count_interval(schedule, after, until, last);
    }
    while (count < limit) {
        instant slot = schedule_next(schedule, after);
        if (slot == INSTANT_NEVER || slot > until) {
            break;
        }
        *last = slot;
        after = slot;
        count++;
    }
    return count;
}

instant schedule_latest(const struct schedule *schedule, instant after, instant until)
{
    instant from = until > LAST_INSTANT ? LAST_INSTANT : until;
    if (schedule->form == SCHEDULE_NONE || from < FIRST_INSTANT) {
        return INSTANT_NONE;
    }
    duration step = schedule->form == SCHEDULE_INTERVAL ? schedule->interval : USEC_PER_SEC;
    instant slot = floor_to(from, step);
    if (schedule->form == SCHEDULE_CRON && !seek_cron(schedule, slot, BACKWARD, &slot)) {
        return INSTANT_NONE;
    }
    return slot > after && slot >= FIRST_INSTANT ? slot : INSTANT_NONE;
}
