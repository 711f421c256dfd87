/* Schedules: when a job is due.
 *
 * Does: read the forms below, say why a text is refused, and find the next slot after an instant, in UTC.
 *   m h dom mon dow        five fields; names (jan, mon), ranges, lists, steps; 0 and 7 are Sunday; day-of-month and
 *                          day-of-week must both match if either starts with '*', else one of them suffices
 *   s m h dom mon dow      six fields, with seconds first
 *   N seconds              1..59, slots at whole multiples of N since 1970, so that every leader finds the same
 *   @hourly @daily @midnight @weekly @monthly @yearly @annually   (lower case)
 * Does not (yet; the issue on the whole calendar): time zones, `$`, @every, @after, @reboot. Those words are refused
 *   by name. A schedule that can never fire (30 February) is refused with that reason.
 * Ownership: a struct schedule is a plain value; copy it freely. */
#ifndef CHIME_CALENDAR_SCHEDULE_H
#define CHIME_CALENDAR_SCHEDULE_H

#include <stdbool.h>
#include <stdint.h>

#include "base/error.h"
#include "base/instant.h"

enum schedule_form { SCHEDULE_NONE, SCHEDULE_CRON, SCHEDULE_INTERVAL };

/* Bit n of a field is set when value n matches. */
struct schedule {
    enum schedule_form form;
    uint64_t seconds;      /* 0..59; bit 0 alone for five fields */
    uint64_t minutes;      /* 0..59 */
    uint32_t hours;        /* 0..23 */
    uint32_t days;         /* 1..31 */
    uint32_t months;       /* 1..12 */
    uint32_t weekdays;     /* 0..6, 0 = Sunday */
    bool days_or_weekdays; /* one of the two suffices */
    bool has_seconds;      /* six fields were written */
    duration interval;     /* SCHEDULE_INTERVAL */
};

/* `text` of at most 1,000 bytes. The error names the field, the text and what was expected. */
bool schedule_parse(const char *text, struct schedule *schedule, struct error *err) CHIME_MUST_CHECK;
/* The first slot later than `after`; INSTANT_NEVER for SCHEDULE_NONE or past the year 9999. */
instant schedule_next(const struct schedule *schedule, instant after);
/* How many slots lie in (after, until], counting no further than `limit`; *last is the latest of those counted. */
int64_t schedule_count(const struct schedule *schedule, instant after, instant until, int64_t limit, instant *last);
/* The latest slot that is <= `until` and > `after`; INSTANT_NONE when there is none. Cheap for long spans. */
instant schedule_latest(const struct schedule *schedule, instant after, instant until);

#endif
