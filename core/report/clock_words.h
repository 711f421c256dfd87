/* SPDX-License-Identifier: PostgreSQL */
/* Slots and changes of the clocks in words, for people.
 *
 * Does: write a wall time with its zone; tell what the clocks had to do with the slots of a schedule: a wall time that
 *   does not exist that day, one that comes twice, and every other change of the clocks among the slots.
 * Does not: find slots, print. Texts may change; they are no interface. */
#ifndef CHIME_REPORT_CLOCK_WORDS_H
#define CHIME_REPORT_CLOCK_WORDS_H

#include "base/buffer.h"
#include "calendar/schedule.h"

/* "Sun 2026-03-29 03:00:00 +02 CEST" */
void put_wall_time(struct buffer *text, const struct zone *zone, instant at);
/* "2026-03-29T03:00:00+02:00" */
void put_wall_iso(struct buffer *text, const struct zone *zone, instant at);
/* "clocks go from 02:00 CET to 03:00 CEST" */
void put_clock_change(struct buffer *text, const struct zone *zone, instant change);

/* A date or a time as people write it: wall time of the zone unless it has "Z" or an offset. A wall time that does not
 * exist is the first instant after it, of two that show it the first is meant. */
bool wall_time_parse(const char *text, const struct zone *zone, instant *at, struct error *err) CHIME_MUST_CHECK;

struct clock_note {
    instant at;   /* when the clocks change */
    instant slot; /* the one it is about, or the first one after it */
    char *text;
};

struct clock_notes {
    struct clock_note *notes; /* in order of slots */
    size_t count;
};

/* About slots of the schedule in their order, and about changes of the clocks from `from` to the last of them. */
void clock_notes_take(struct clock_notes *notes, const struct schedule *schedule, instant from, const instant *slots,
                      size_t count);
void clock_notes_finish(struct clock_notes *notes);
/* All notes of one slot, with "; " between them. */
void put_notes_of(struct buffer *text, const struct clock_notes *notes, instant slot);

#endif
