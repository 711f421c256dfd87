/* The wall times that a schedule names: the same search forwards and backwards, knowing nothing of zones.
 *
 * A wall time is an instant counted as if the clock on the wall were UTC's. For schedule.c and schedule_wall.c. */
#ifndef CHIME_CALENDAR_SCHEDULE_SEEK_H
#define CHIME_CALENDAR_SCHEDULE_SEEK_H

#include <stdbool.h>

#include "calendar/schedule.h"

#define FIRST_INSTANT (INT64_C(-62135596800) * USEC_PER_SEC)    /* the year 1 starts */
#define LAST_INSTANT (INT64_C(253402300800) * USEC_PER_SEC - 1) /* the year 9999 ends */

enum direction { BACKWARD = -1, FORWARD = 1 };

/* The nearest wall time of a SCHEDULE_CRON or SCHEDULE_ONCE at or beyond `from`, which lies on a whole second and within
 * some days of the calendar; false when the calendar has none left. */
bool schedule_seek(const struct schedule *schedule, instant from, enum direction direction, instant *wall);

#endif
