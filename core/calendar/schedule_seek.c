/* SPDX-License-Identifier: PostgreSQL */
/* Forwards and backwards are the same search: the first set bit at or after a place, or the last at or before it, from
 * the year down to the second. A month's days are one mask, so no day is ever tried by itself. */
#include "calendar/schedule_seek.h"

#include <stddef.h>

#define FIRST_YEAR 1
#define LAST_YEAR 9999

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

/* The week's pattern, turned to the month's first weekday, five times. */
uint64_t schedule_month_days(const struct schedule *schedule, int year, int month)
{
    struct civil first = {.year = year, .month = month, .day = 1};
    int weekday = instant_to_civil(civil_to_instant(&first)).weekday;
    uint64_t week = (schedule->weekdays >> weekday | (uint64_t)schedule->weekdays << (7 - weekday)) & 0x7F;
    uint64_t weekdays = week * UINT64_C(0x10204081) << 1;
    int length = civil_month_days(year, month);
    uint64_t dates = schedule->days | (uint64_t)schedule->last_day << length;
    uint64_t days = schedule->days_or_weekdays ? dates | weekdays : dates & weekdays;
    return days & ((UINT64_C(1) << (length + 1)) - 2);
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
        day = nearest_bit(schedule_month_days(schedule, at->year, at->month), at->day, direction);
    }
    while (day < 0) {
        if (!seek_month(schedule, at, direction)) {
            return false;
        }
        day = nearest_bit(schedule_month_days(schedule, at->year, at->month), at->day, direction);
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

static bool seek_fields(const struct schedule *schedule, instant from, enum direction direction, instant *wall)
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
    *wall = civil_to_instant(&at);
    return true;
}

static bool seek_once(instant only, instant from, enum direction direction, instant *wall)
{
    if (direction == FORWARD ? only < from : only > from) {
        return false;
    }
    *wall = only;
    return true;
}

bool schedule_seek(const struct schedule *schedule, instant from, enum direction direction, instant *wall)
{
    if (schedule->form == SCHEDULE_ONCE) {
        return seek_once(schedule->at, from, direction, wall);
    }
    if (direction == FORWARD) {
        return from <= LAST_INSTANT &&
               seek_fields(schedule, from < FIRST_INSTANT ? FIRST_INSTANT : from, FORWARD, wall);
    }
    instant last_second = LAST_INSTANT + 1 - USEC_PER_SEC;
    return from >= FIRST_INSTANT && seek_fields(schedule, from > last_second ? last_second : from, BACKWARD, wall);
}
