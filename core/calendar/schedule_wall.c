/* SPDX-License-Identifier: PostgreSQL */
/* Between two changes of the clocks local time is UTC plus a constant, so a stretch is searched as UTC is. What the
 * changes do to a fixed schedule is decided at a stretch's edges: a slot whose wall time another stretch shows too may
 * be refused, and a stretch that begins with a gap may have a slot at its start for the wall times skipped. */
#include "calendar/schedule_wall.h"

#include <stddef.h>

#define WIDEST_OFFSET (26 * USEC_PER_HOUR) /* what RFC 8536 allows */
/* Stand for "no change": outside the calendar by more than offsets can bridge, and yet safe to add to. */
#define FAR_PAST (FIRST_INSTANT - 8 * USEC_PER_DAY)
#define FAR_FUTURE (LAST_INSTANT + 1 + 8 * USEC_PER_DAY)

/* A time with one offset: from a change of the clocks until the next. */
struct stretch {
    instant start;
    instant end; /* no longer in it */
    duration offset;
};

bool wall_matters(const struct schedule *schedule)
{
    return schedule->zone != NULL && (schedule->form == SCHEDULE_CRON || schedule->at_is_wall);
}

static bool within(const struct stretch *stretch, instant at)
{
    return at >= stretch->start && at < stretch->end;
}

static struct stretch stretch_at(const struct zone *zone, instant at)
{
    instant start = zone_last_change(zone, at);
    instant end = zone_next_change(zone, at);
    return (struct stretch){
        .start = start > FAR_PAST ? start : FAR_PAST,
        .end = end < FAR_FUTURE ? end : FAR_FUTURE,
        .offset = zone_offset(zone, at),
    };
}

/* Moves to the neighbour on that side; false when it is too far from `at` to show the same wall time. */
static bool step(const struct zone *zone, struct stretch *stretch, instant at, enum direction side)
{
    instant edge = side == FORWARD ? stretch->end : stretch->start;
    bool near = edge > at - 2 * WIDEST_OFFSET && edge < at + 2 * WIDEST_OFFSET;
    if (!near) {
        return false;
    }
    *stretch = stretch_at(zone, side == FORWARD ? edge : edge - USEC_PER_SEC);
    return true;
}

/* Whether the clock shows `wall` in another stretch on that side, and in which. */
static bool shown_again(const struct zone *zone, const struct stretch *here, instant wall, enum direction side,
                        struct stretch *other)
{
    *other = *here;
    while (step(zone, other, wall - here->offset, side)) {
        if (within(other, wall - other->offset)) {
            return true;
        }
    }
    return false;
}

/* Whether a wall time that this stretch shows is a slot here; if not, `other` is the stretch that it is left to. */
static bool is_wanted(const struct schedule *schedule, const struct stretch *here, instant wall, struct stretch *other)
{
    if (!schedule->fixed || schedule->dst_overlap == DST_OVERLAP_BOTH) {
        return true;
    }
    enum direction side = schedule->dst_overlap == DST_OVERLAP_FIRST ? BACKWARD : FORWARD;
    return !shown_again(schedule->zone, here, wall, side, other);
}

/* The first wall time beyond what the stretch shows. */
static instant wall_beyond(const struct stretch *stretch, enum direction direction)
{
    return stretch->offset + (direction == FORWARD ? stretch->end : stretch->start - USEC_PER_SEC);
}

/* The nearest slot at or beyond `from` within the stretch. *nearest is the nearest wall time, a slot or not. */
static bool seek_within(const struct schedule *schedule, const struct stretch *here, instant from,
                        enum direction direction, instant *slot, instant *nearest)
{
    struct stretch other;
    instant wall = direction == FORWARD ? FAR_FUTURE : FAR_PAST;
    bool found = schedule_seek(schedule, from + here->offset, direction, &wall);
    *nearest = wall;
    while (found && within(here, wall - here->offset)) {
        if (is_wanted(schedule, here, wall, &other)) {
            *slot = wall - here->offset;
            return true;
        }
        found = schedule_seek(schedule, wall_beyond(&other, direction), direction, &wall);
    }
    return false;
}

/* Whether a wall time of the schedule falls into the gap that the stretch starts with, and is shown nowhere else. */
static bool runs_after_gap(const struct schedule *schedule, const struct stretch *here)
{
    if (!schedule->fixed || schedule->dst_gap == DST_GAP_SKIP || here->start == FAR_PAST) {
        return false;
    }
    instant place = here->start + zone_offset(schedule->zone, here->start - USEC_PER_SEC);
    instant gap_end = here->start + here->offset;
    struct stretch other;
    instant wall;
    while (place < gap_end && schedule_seek(schedule, place, FORWARD, &wall) && wall < gap_end) {
        if (!shown_again(schedule->zone, here, wall, BACKWARD, &other) &&
            !shown_again(schedule->zone, here, wall, FORWARD, &other)) {
            return true;
        }
        place = wall_beyond(&other, FORWARD);
    }
    return false;
}

/* Where to go on from a stretch that has no slot left: in its neighbour. When the search covered more than offsets can
 * bridge, no stretch shows a wall time of the schedule until near the one it found: years of them are passed over. */
static instant beyond(const struct stretch *here, instant from, instant nearest, enum direction direction)
{
    if (direction == FORWARD) {
        bool covered = here->end - from > 2 * WIDEST_OFFSET;
        instant near = nearest - WIDEST_OFFSET;
        return covered && near > here->end ? near : here->end;
    }
    instant neighbour = here->start - USEC_PER_SEC;
    bool covered = from - here->start > 2 * WIDEST_OFFSET;
    instant near = nearest + WIDEST_OFFSET;
    return covered && near < neighbour ? near : neighbour;
}

bool wall_seek(const struct schedule *schedule, instant from, enum direction direction, instant *slot)
{
    while (from >= FIRST_INSTANT && from <= LAST_INSTANT) {
        struct stretch here = stretch_at(schedule->zone, from);
        instant nearest;
        if (direction == FORWARD && from == here.start && runs_after_gap(schedule, &here)) {
            *slot = from;
            return true;
        }
        if (seek_within(schedule, &here, from, direction, slot, &nearest)) {
            return true;
        }
        if (direction == BACKWARD && runs_after_gap(schedule, &here)) {
            *slot = here.start;
            return true;
        }
        from = beyond(&here, from, nearest, direction);
    }
    return false;
}

/* Whether another stretch on that side shows `wall`; *until is where this answer ends, or later than `here` does. */
static bool shown_until(const struct zone *zone, const struct stretch *here, instant wall, enum direction side,
                        instant *until)
{
    instant edge = side == FORWARD ? here->end : here->start;
    edge = edge < FIRST_INSTANT ? FIRST_INSTANT : edge > LAST_INSTANT ? LAST_INSTANT : edge;
    struct stretch other = *here;
    *until = FAR_FUTURE + WIDEST_OFFSET;
    while (step(zone, &other, edge, side)) {
        instant first = other.start + other.offset;
        instant end = other.end + other.offset;
        if (wall >= first && wall < end) {
            *until = end;
            return true;
        }
        *until = first > wall && first < *until ? first : *until;
    }
    return false;
}

/* As is_wanted, for all wall times from `wall` until *until. */
static bool are_wanted(const struct schedule *schedule, const struct stretch *here, instant wall, instant *until)
{
    if (!schedule->fixed || schedule->dst_overlap == DST_OVERLAP_BOTH) {
        *until = FAR_FUTURE + WIDEST_OFFSET;
        return true;
    }
    enum direction side = schedule->dst_overlap == DST_OVERLAP_FIRST ? BACKWARD : FORWARD;
    return !shown_until(schedule->zone, here, wall, side, until);
}

/* wall_tally for a part of one stretch, without a slot for its gap. */
static int64_t tally_within(const struct schedule *schedule, const struct stretch *here, instant from, instant to,
                            int64_t limit, instant *last)
{
    int64_t count = 0;
    instant end = to + here->offset;
    instant until;
    for (instant wall = from + here->offset; wall < end && count < limit; wall = until) {
        instant found;
        bool wanted = are_wanted(schedule, here, wall, &until);
        int64_t more = wanted ? schedule_tally(schedule, wall, until < end ? until : end, limit - count, &found) : 0;
        if (more > 0) {
            *last = found - here->offset;
            count += more;
        }
    }
    return count;
}

int64_t wall_tally(const struct schedule *schedule, instant from, instant to, int64_t limit, instant *last)
{
    int64_t count = 0;
    while (from < to && count < limit) {
        struct stretch here = stretch_at(schedule->zone, from);
        instant end = here.end < to ? here.end : to;
        if (from == here.start && runs_after_gap(schedule, &here)) {
            *last = from;
            count++;
            from += USEC_PER_SEC; /* a regular slot there is that same one */
        }
        count += tally_within(schedule, &here, from, end, limit - count, last);
        from = end;
    }
    return count;
}

enum slot_note schedule_note(const struct schedule *schedule, instant slot)
{
    if (!wall_matters(schedule) || !schedule->fixed || slot == INSTANT_NEVER || slot == INSTANT_NONE) {
        return SLOT_PLAIN;
    }
    struct stretch here = stretch_at(schedule->zone, slot);
    struct stretch other;
    instant wall = slot + here.offset;
    instant matched;
    if (slot == here.start && !(schedule_seek(schedule, wall, FORWARD, &matched) && matched == wall)) {
        return SLOT_AFTER_GAP;
    }
    if (shown_again(schedule->zone, &here, wall, BACKWARD, &other)) {
        return SLOT_SECOND_OF_TWO;
    }
    return shown_again(schedule->zone, &here, wall, FORWARD, &other) ? SLOT_FIRST_OF_TWO : SLOT_PLAIN;
}
