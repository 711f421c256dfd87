/* SPDX-License-Identifier: PostgreSQL */
/* What the clock on the wall shows, asked of the C library, and the slots that a set of values has by looking at
 * every reading.
 *
 * Does: switch the process's zone, find its changes, read the clock at every step of a window once, and walk that
 *   window by the rules, as slowly and plainly as people would say them.
 * Does not: parse expressions, or use anything of core/calendar but the names of the rules.
 * Times are whole seconds since 1970: real ones in UTC, wall ones counted as if the wall showed UTC. */
#ifndef CHIME_TEST_WALL_ORACLE_H
#define CHIME_TEST_WALL_ORACLE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "calendar/schedule.h"

/* --- the zone of the process -------------------------------------------------------------------------------------- */

void wall_zone(const char *name); /* NULL: what it was without TZ */
int64_t wall_offset(int64_t second);
/* The first seconds of another offset within (from, until], at most `limit` of them. */
size_t wall_changes(int64_t from, int64_t until, int64_t *changes, size_t limit);

#define WALL_TEXT_SIZE 80
/* "2026-03-29T01:00:00Z = Sun 2026-03-29 03:00:00 +0200 CEST". Returns `text`. */
const char *wall_text(int64_t second, char text[static WALL_TEXT_SIZE]);

/* --- what an expression means ------------------------------------------------------------------------------------- */

struct wall_values {
    bool seconds[60];
    bool minutes[60];
    bool hours[24];
    bool days[32];
    bool months[13];
    bool weekdays[7];
    bool last_day;   /* the month's last day beside `days` */
    bool either_day; /* day of month or day of week, instead of both */
    bool fixed;
};

struct wall_reading {
    int64_t time;
    unsigned char second;
    unsigned char minute;
    unsigned char hour;
    unsigned char day;
    unsigned char month;
    unsigned char weekday; /* 0 = Sunday */
    bool last_day;
};

struct wall_reading wall_read(int64_t time);
bool wall_matches(const struct wall_values *values, const struct wall_reading *reading);
/* Whether there is a day for them at all: every day of 28 years is looked at. */
bool wall_has_day(const struct wall_values *values);

/* --- a window ----------------------------------------------------------------------------------------------------- */

/* A wall time of the window, and which of its seconds show it. */
struct wall_time {
    struct wall_reading reading;
    int first; /* index of a second; -1 for a gap */
    int last;
    int after; /* for a gap: the first second behind it */
};

/* Why a second is a slot; bits, since a gap's run may fall on a regular slot. */
enum wall_reason {
    WALL_SHOWN = 1,
    WALL_AFTER_GAP = 2,
    WALL_FIRST = 4,
    WALL_SECOND = 8,
};

struct wall_slots {
    size_t count;
    int64_t *seconds;
    unsigned char *reasons;
};

struct wall_window {
    int64_t start; /* [start, end), one reading every `step` seconds */
    int64_t end;
    int64_t step;
    int count;
    int *shown; /* for each of the seconds: index of the wall time it shows */
    int time_count;
    struct wall_time *times;
    unsigned char *reasons; /* of the walk under way */
    struct wall_slots slots;
};

/* Whether no change of the zone's clock lies outside but within a day of an edge: one of two equal times would be
 * missed. */
bool wall_edges_clear(int64_t start, int64_t end);
/* Of the zone in use, with clear edges. Steps of a minute, or less where the offsets have seconds; of one second if
 * `by_second`. */
struct wall_window *wall_window_create(int64_t start, int64_t end, bool by_second);
void wall_window_destroy(struct wall_window *window); /* takes NULL */
/* Each result is the window's own and lasts until the next call. */
const struct wall_slots *wall_slots(struct wall_window *window, const struct wall_values *values, enum dst_gap gap,
                                    enum dst_overlap overlap);
const struct wall_slots *wall_slots_at(struct wall_window *window, int64_t wall, enum dst_gap gap,
                                       enum dst_overlap overlap);
const struct wall_slots *wall_slots_every(struct wall_window *window, int64_t seconds); /* whole multiples since 1970 */

#endif
