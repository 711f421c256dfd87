/* SPDX-License-Identifier: PostgreSQL */
/* Looking things up in a zone: the transitions after its cycle are those of the cycle, a whole number of cycles
 * later. */
#include "calendar/zone.h"

#include "calendar/zone_state.h"

#define FIRST_INSTANT (ZONE_FIRST_SECOND * USEC_PER_SEC)
#define LAST_INSTANT (ZONE_LAST_SECOND * USEC_PER_SEC + USEC_PER_SEC - 1)

static const struct zone_type utc = {.offset = 0, .abbreviation = "UTC"};

static instant within_calendar(instant at)
{
    if (at < FIRST_INSTANT) {
        return FIRST_INSTANT;
    }
    return at > LAST_INSTANT ? LAST_INSTANT : at;
}

/* How many of the ascending instants are not later than `at`. */
static size_t count_until(const instant *ascending, size_t count, instant at)
{
    size_t low = 0;
    size_t high = count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (ascending[middle] <= at) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

/* How far `at` must go back, in whole cycles, to lie in the first cycle or before it. */
static duration beyond_cycle(const struct zone *zone, instant at)
{
    if (!zone->repeats || at <= zone->cycle_start) {
        return 0;
    }
    return (at - zone->cycle_start - 1) / ZONE_CYCLE * ZONE_CYCLE;
}

static const struct zone_type *type_at(const struct zone *zone, instant at)
{
    if (zone == NULL) {
        return &utc;
    }
    instant known = within_calendar(at);
    size_t passed = count_until(zone->times, zone->count, known - beyond_cycle(zone, known));
    return &zone->types[passed > 0 ? zone->kinds[passed - 1] : zone->initial];
}

const char *zone_name(const struct zone *zone)
{
    return zone != NULL ? zone->name : "UTC";
}

duration zone_offset(const struct zone *zone, instant at)
{
    return type_at(zone, at)->offset;
}

const char *zone_abbreviation(const struct zone *zone, instant at)
{
    return type_at(zone, at)->abbreviation;
}

instant zone_next_change(const struct zone *zone, instant after)
{
    if (zone == NULL || zone->change_count == 0 || after >= LAST_INSTANT) {
        return INSTANT_NEVER;
    }
    bool changes_repeat = zone->cycle_changes < zone->change_count;
    duration beyond = changes_repeat ? beyond_cycle(zone, after) : 0;
    size_t passed = count_until(zone->changes, zone->change_count, after - beyond);
    if (passed == zone->change_count && !changes_repeat) {
        return INSTANT_NEVER;
    }
    instant change = passed < zone->change_count ? zone->changes[passed] + beyond
                                                 : zone->changes[zone->cycle_changes] + beyond + ZONE_CYCLE;
    return change <= LAST_INSTANT ? change : INSTANT_NEVER;
}

bool zone_is_utc(const struct zone *zone)
{
    return zone == NULL || (zone_offset(zone, 0) == 0 && zone_next_change(zone, 0) == INSTANT_NEVER);
}

instant zone_last_change(const struct zone *zone, instant until)
{
    if (zone == NULL || zone->change_count == 0) {
        return INSTANT_NONE;
    }
    instant known = within_calendar(until);
    bool changes_repeat = zone->cycle_changes < zone->change_count;
    duration beyond = changes_repeat ? beyond_cycle(zone, known) : 0;
    size_t passed = count_until(zone->changes, zone->change_count, known - beyond);
    if (beyond > 0 && passed == zone->cycle_changes) {
        return zone->changes[zone->change_count - 1] + beyond - ZONE_CYCLE;
    }
    return passed > 0 ? zone->changes[passed - 1] + beyond : INSTANT_NONE;
}

struct civil zone_to_civil(const struct zone *zone, instant at)
{
    instant wall = 0;
    if (__builtin_add_overflow(at, zone_offset(zone, at), &wall)) {
        wall = at;
    }
    return instant_to_civil(wall);
}

/* Between two changes the wall clock only adds an offset, so each stretch near the wall time offers one candidate. */
enum zone_wall zone_from_civil(const struct zone *zone, const struct civil *civil, instant *first, instant *last)
{
    instant wall = civil_to_instant(civil);
    instant change = wall - ZONE_WIDEST_EAST;
    instant gap = INSTANT_NONE;
    *first = INSTANT_NONE;
    *last = INSTANT_NONE;
    while (change <= wall + ZONE_WIDEST_WEST) {
        instant candidate = wall - zone_offset(zone, change);
        instant next = zone_next_change(zone, change);
        if (candidate >= change && candidate < next) {
            *first = *first == INSTANT_NONE ? candidate : *first;
            *last = candidate;
        } else if (candidate < change && gap == INSTANT_NONE) {
            gap = change;
        }
        change = next;
    }
    if (*first == INSTANT_NONE) {
        *first = gap;
        *last = gap;
        return ZONE_WALL_GAP;
    }
    return *first == *last ? ZONE_WALL_ONCE : ZONE_WALL_TWICE;
}
