/* Slots by the wall clock of a zone: for schedule.c. */
#ifndef CHIME_CALENDAR_SCHEDULE_WALL_H
#define CHIME_CALENDAR_SCHEDULE_WALL_H

#include <stdbool.h>

#include "calendar/schedule_seek.h"

/* A time with one offset: from a change of the clocks until the next. All zeros stands for none. */
struct stretch {
    instant start;
    instant end; /* no longer in it */
    duration offset;
};

/* Whether the schedule's slots depend on a zone other than UTC. */
bool wall_matters(const struct schedule *schedule);
/* Of such a schedule the nearest slot at or beyond `from`, a whole second of the calendar; false when the calendar has
 * none left. `here` is kept from call to call, so that a walk asks the zone once for each stretch. */
bool wall_seek(const struct schedule *schedule, struct stretch *here, instant from, enum direction direction,
               instant *slot);

#endif
