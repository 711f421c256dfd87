/* SPDX-License-Identifier: PostgreSQL */
/* The wall times that a schedule names: the same search forwards and backwards, knowing nothing of zones.
 *
 * A wall time is an instant counted as if the clock on the wall were UTC's. For schedule.c, schedule_wall.c and
 * schedule_tally.c. */
#ifndef CHIME_CALENDAR_SCHEDULE_SEEK_H
#define CHIME_CALENDAR_SCHEDULE_SEEK_H

#include <stdbool.h>

#include "calendar/schedule.h"

#define FIRST_INSTANT (INT64_C(-62135596800) * USEC_PER_SEC)    /* the year 1 starts */
#define LAST_INSTANT (INT64_C(253402300800) * USEC_PER_SEC - 1) /* the year 9999 ends */

enum direction { BACKWARD = -1, FORWARD = 1 };

/* The nearest wall time of a SCHEDULE_CRON or SCHEDULE_ONCE at or beyond `from`, which lies on a whole second and
 * within some days of the calendar; false when the calendar has none left. */
bool schedule_seek(const struct schedule *schedule, instant from, enum direction direction, instant *wall);
/* How many wall times of a SCHEDULE_CRON lie in [from, to), both on whole seconds, counting no further than `limit`;
 * *last is the latest of those counted, left alone when there are none. The time it takes grows with the months. */
int64_t schedule_tally(const struct schedule *schedule, instant from, instant to, int64_t limit, instant *last);
/* Bit n is set when day n of the month matches. */
uint64_t schedule_month_days(const struct schedule *schedule, int year, int month);

#endif
