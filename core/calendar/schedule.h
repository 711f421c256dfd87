/* SPDX-License-Identifier: PostgreSQL */
/* Schedules: when a job is due.
 *
 * Does: read the forms below, say why a text is refused, and find slots, by the wall clock of the schedule's zone.
 *   m h dom mon dow        five fields; names (jan, mon), ranges, lists, steps; 0 and 7 are Sunday; day-of-month and
 *                          day-of-week must both match if either starts with '*', else one of them suffices; `$` alone
 *                          as day-of-month is the month's last day
 *   s m h dom mon dow      six fields, with seconds first
 *   N seconds              1..59, slots at whole multiples of N since 1970, so that every leader finds the same
 *   @hourly @daily @midnight @weekly @monthly @yearly @annually   (lower case)
 *   @every DURATION        1s..36500d, slots at whole multiples since 1970 UTC, whatever the zone
 *   @after DURATION        1s..36500d after the last end; the next slot is known once the run before has ended
 *   @reboot, @restart      once per start of the server
 *   @at TIME               once: "2026-12-24 18:00[:30]" in the schedule's zone, or with "Z" or an offset "+01[:00]"
 * Does not: know when a run ended or a server started (core/schedule adds these for @after and @reboot).
 * A schedule that can never fire (30 February) is refused with that reason.
 *
 * Clock changes. A schedule is *fixed* when neither its minute nor its hour field starts with '*' (@at is fixed too):
 *   a wall time that does not exist: dst_gap `run` once at the first valid instant after the gap, however many of its
 *     times fell into it (and a regular slot at that instant is that same one); `skip` not at all
 *   a wall time that comes twice: dst_overlap `first`, `last` or `both`
 * Every other schedule of fields is matched against the wall clock at every real second: a repeated wall time matches
 *   again, a skipped one is not made up. Intervals do not look at the wall.
 * Ownership: a struct schedule is a plain value; copy it freely. Its zone is borrowed. */
#ifndef CHIME_CALENDAR_SCHEDULE_H
#define CHIME_CALENDAR_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/instant.h"
#include "calendar/zone.h"

enum schedule_form {
    SCHEDULE_NONE,
    SCHEDULE_CRON,
    SCHEDULE_INTERVAL, /* N seconds, @every */
    SCHEDULE_DELAY,    /* @after */
    SCHEDULE_REBOOT,
    SCHEDULE_ONCE, /* @at */
};

enum dst_gap { DST_GAP_RUN, DST_GAP_SKIP };
enum dst_overlap { DST_OVERLAP_FIRST, DST_OVERLAP_LAST, DST_OVERLAP_BOTH };

/* Bit n of a field is set when value n matches. */
struct schedule {
    enum schedule_form form;
    uint64_t seconds;      /* 0..59; bit 0 alone for five fields */
    uint64_t minutes;      /* 0..59 */
    uint32_t hours;        /* 0..23 */
    uint32_t days;         /* 1..31 */
    uint32_t months;       /* 1..12 */
    uint32_t weekdays;     /* 0..6, 0 = Sunday */
    bool last_day;         /* `$`: the month's last day, beside `days` */
    bool days_or_weekdays; /* one of the two suffices */
    bool has_seconds;      /* six fields were written */
    bool fixed;            /* see above */
    bool at_is_wall;       /* SCHEDULE_ONCE: `at` is a wall time of the zone, counted as if it were UTC */
    enum dst_gap dst_gap;
    enum dst_overlap dst_overlap;
    duration interval;       /* SCHEDULE_INTERVAL, SCHEDULE_DELAY */
    instant at;              /* SCHEDULE_ONCE */
    const struct zone *zone; /* NULL: UTC */
};

/* `text` of at most 1,000 bytes; in UTC. The error names the field, the text and what was expected. */
bool schedule_parse(const char *text, struct schedule *schedule, struct error *err) CHIME_MUST_CHECK;
void schedule_set_zone(struct schedule *schedule, const struct zone *zone, enum dst_gap gap, enum dst_overlap overlap);
/* The first slot later than `after`; INSTANT_NEVER for SCHEDULE_NONE and SCHEDULE_REBOOT, past the one time of @at and
 * past the year 9999. For SCHEDULE_DELAY `after` is taken as the last end: after + interval. */
instant schedule_next(const struct schedule *schedule, instant after);
/* How many slots lie in (after, until], counted upward from `after` and no further than `limit`; *last is the latest of
 * those counted, INSTANT_NONE when there is none. No slot is looked at by itself: what it costs grows with the months
 * and the changes of the clocks in between, whatever the schedule. A delay counts as if each slot ended at once. */
int64_t schedule_count(const struct schedule *schedule, instant after, instant until, int64_t limit, instant *last);
/* The latest slot that is <= `until` and > `after`; INSTANT_NONE when there is none. Cheap for long spans. */
instant schedule_latest(const struct schedule *schedule, instant after, instant until);

/* What the clocks had to do with a slot of a fixed schedule: for people. */
enum slot_note {
    SLOT_PLAIN,
    SLOT_AFTER_GAP, /* its wall time does not exist that day */
    SLOT_FIRST_OF_TWO,
    SLOT_SECOND_OF_TWO,
};
enum slot_note schedule_note(const struct schedule *schedule, instant slot);

#endif
