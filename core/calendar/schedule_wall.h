/* SPDX-License-Identifier: PostgreSQL */
/* Slots by the wall clock of a zone: for schedule.c. */
#ifndef CHIME_CALENDAR_SCHEDULE_WALL_H
#define CHIME_CALENDAR_SCHEDULE_WALL_H

#include <stdbool.h>

#include "calendar/schedule_seek.h"

/* Whether the schedule's slots depend on a zone other than UTC. */
bool wall_matters(const struct schedule *schedule);
/* Of such a schedule the nearest slot at or beyond `from`, a whole second of the calendar; false when the calendar has
 * none left. */
bool wall_seek(const struct schedule *schedule, instant from, enum direction direction, instant *slot);
/* How many slots of such a schedule, a SCHEDULE_CRON, lie in [from, to), both on whole seconds of the calendar,
 * counting no further than `limit`; *last is the latest of those counted, left alone when there are none. The time it
 * takes grows with the changes of the clocks and the months. */
int64_t wall_tally(const struct schedule *schedule, instant from, instant to, int64_t limit, instant *last);

#endif
