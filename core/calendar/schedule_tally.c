/* SPDX-License-Identifier: PostgreSQL */
/* Every day that matches has the same times of day, so a count is the number of those days times the number of those
 * times, but for what the first and the last day have outside the window. */
#include <stddef.h>

#include "calendar/schedule_seek.h"

static int bits_of(uint64_t bits)
{
    return __builtin_popcountll(bits);
}

static int bits_below(uint64_t bits, int place)
{
    return bits_of(bits & ((UINT64_C(1) << place) - 1));
}

/* The set bit that has `rank` set bits below it. */
static int bit_of_rank(uint64_t bits, int64_t rank)
{
    for (; rank > 0; rank--) {
        bits &= bits - 1;
    }
    return __builtin_ctzll(bits);
}

static int64_t times_an_hour(const struct schedule *schedule)
{
    return (int64_t)bits_of(schedule->minutes) * bits_of(schedule->seconds);
}

static int64_t times_a_day(const struct schedule *schedule)
{
    return bits_of(schedule->hours) * times_an_hour(schedule);
}

static bool day_matches(const struct schedule *schedule, const struct civil *at)
{
    return (schedule->months >> at->month & 1) != 0 &&
           (schedule_month_days(schedule, at->year, at->month) >> at->day & 1) != 0;
}

/* How many wall times its day has before `at`. */
static int64_t times_before(const struct schedule *schedule, const struct civil *at)
{
    if (!day_matches(schedule, at)) {
        return 0;
    }
    int64_t count = bits_below(schedule->hours, at->hour) * times_an_hour(schedule);
    if ((schedule->hours >> at->hour & 1) != 0) {
        count += (int64_t)bits_below(schedule->minutes, at->minute) * bits_of(schedule->seconds);
        if ((schedule->minutes >> at->minute & 1) != 0) {
            count += bits_below(schedule->seconds, at->second);
        }
    }
    return count;
}

static void to_next_month(struct civil *at)
{
    at->year += at->month == 12 ? 1 : 0;
    at->month = at->month % 12 + 1;
    at->day = 1;
}

static bool same_month(const struct civil *a, const struct civil *b)
{
    return a->year == b->year && a->month == b->month;
}

/* The days of at's month that match, from `at` until that of `end`. */
static uint64_t days_within(const struct schedule *schedule, const struct civil *at, const struct civil *end)
{
    if ((schedule->months >> at->month & 1) == 0) {
        return 0;
    }
    uint64_t days = schedule_month_days(schedule, at->year, at->month) & (UINT64_MAX << at->day);
    return same_month(at, end) ? days & ((UINT64_C(2) << end->day) - 1) : days;
}

/* How many times those days have before `end`. */
static int64_t times_within(const struct schedule *schedule, uint64_t days, const struct civil *at,
                            const struct civil *end)
{
    if (!same_month(at, end)) {
        return bits_of(days) * times_a_day(schedule);
    }
    return bits_below(days, end->day) * times_a_day(schedule) + times_before(schedule, end);
}

/* The time that has `rank` others before it, of those that the days of at's month have. */
static instant time_of_rank(const struct schedule *schedule, uint64_t days, const struct civil *at, int64_t rank)
{
    int64_t day_times = times_a_day(schedule);
    int64_t hour_times = times_an_hour(schedule);
    int64_t minute_times = bits_of(schedule->seconds);
    struct civil found = {
        .year = at->year,
        .month = at->month,
        .day = bit_of_rank(days, rank / day_times),
        .hour = bit_of_rank(schedule->hours, rank % day_times / hour_times),
        .minute = bit_of_rank(schedule->minutes, rank % hour_times / minute_times),
        .second = bit_of_rank(schedule->seconds, rank % minute_times),
    };
    return civil_to_instant(&found);
}

int64_t schedule_tally(const struct schedule *schedule, instant from, instant to, int64_t limit, instant *last)
{
    from = from > FIRST_INSTANT ? from : FIRST_INSTANT;
    to = to < LAST_INSTANT + 1 ? to : LAST_INSTANT + 1;
    if (from >= to || limit <= 0) {
        return 0;
    }
    struct civil at = instant_to_civil(from);
    struct civil end = instant_to_civil(to);
    int64_t count = -times_before(schedule, &at);
    for (;;) {
        uint64_t days = days_within(schedule, &at, &end);
        int64_t times = times_within(schedule, days, &at, &end);
        if (limit <= count + times) {
            *last = time_of_rank(schedule, days, &at, limit - 1 - count);
            return limit;
        }
        count += times;
        if (same_month(&at, &end)) {
            break;
        }
        to_next_month(&at);
    }
    if (count > 0) {
        schedule_seek(schedule, to - USEC_PER_SEC, BACKWARD, last);
    }
    return count;
}
