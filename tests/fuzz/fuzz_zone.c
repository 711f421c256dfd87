/* SPDX-License-Identifier: PostgreSQL */
/* Any bytes as a zone's file: reading survives, and what was read agrees with itself at instants taken from the input.
 * Seed it with files of /usr/share/zoneinfo, some of right/ among them: build/fuzz/tests/fuzz/fuzz_zone -max_len=8192
 * FOLDER */
#include <stddef.h>
#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "calendar/zone.h"

#define SAMPLES 24
#define FIRST_INSTANT (INT64_C(-62135596800) * USEC_PER_SEC)
#define PAST_LAST_INSTANT (INT64_C(253402300800) * USEC_PER_SEC)

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size);

static void require(bool holds)
{
    if (!holds) {
        abort();
    }
}

static bool is_change(const struct zone *zone, instant at)
{
    return zone_offset(zone, at - 1) != zone_offset(zone, at);
}

static void check_next(const struct zone *zone, instant at)
{
    instant next = zone_next_change(zone, at);
    require(next > at);
    if (next == INSTANT_NEVER) {
        require(zone_offset(zone, at) == zone_offset(zone, INSTANT_NEVER));
        return;
    }
    require(next > FIRST_INSTANT && next < PAST_LAST_INSTANT && is_change(zone, next));
    require(zone_offset(zone, next - 1) == zone_offset(zone, at));
    require(zone_next_change(zone, next - 1) == next && zone_last_change(zone, next) == next);
    require(zone_last_change(zone, next - 1) == zone_last_change(zone, at));
}

static void check_last(const struct zone *zone, instant at)
{
    instant last = zone_last_change(zone, at);
    require(last <= at);
    if (last == INSTANT_NONE) {
        require(zone_offset(zone, at) == zone_offset(zone, INSTANT_NONE));
        return;
    }
    require(last > FIRST_INSTANT && last < PAST_LAST_INSTANT && is_change(zone, last));
    require(zone_offset(zone, last) == zone_offset(zone, at));
    require(zone_next_change(zone, last) == zone_next_change(zone, at));
}

static bool shows(const struct zone *zone, instant at, const struct civil *civil)
{
    struct civil shown = zone_to_civil(zone, at);
    return civil_to_instant(&shown) == civil_to_instant(civil);
}

static enum zone_wall check_wall(const struct zone *zone, const struct civil *civil)
{
    instant wall = civil_to_instant(civil);
    instant first = 0;
    instant last = 0;
    enum zone_wall found = zone_from_civil(zone, civil, &first, &last);
    if (found == ZONE_WALL_GAP) {
        require(first == last && is_change(zone, first));
        require(first + zone_offset(zone, first) > wall && first - 1 + zone_offset(zone, first - 1) < wall);
    } else {
        require(shows(zone, first, civil) && shows(zone, last, civil));
        require(found == ZONE_WALL_ONCE ? first == last : first < last);
    }
    return found;
}

/* Both conversions, and the walls that the next change skips or repeats. */
static void check_civil(const struct zone *zone, instant at)
{
    struct civil civil = zone_to_civil(zone, at);
    require(check_wall(zone, &civil) != ZONE_WALL_GAP);
    instant first = 0;
    instant last = 0;
    zone_from_civil(zone, &civil, &first, &last);
    require(first <= at && at <= last);
    instant next = zone_next_change(zone, at);
    if (next != INSTANT_NEVER) {
        struct civil middle = instant_to_civil(next + (zone_offset(zone, next - 1) + zone_offset(zone, next)) / 2);
        check_wall(zone, &middle);
    }
}

static void check_at(const struct zone *zone, instant at)
{
    require(zone_offset(zone, at) > -25 * USEC_PER_HOUR && zone_offset(zone, at) < 26 * USEC_PER_HOUR);
    require(zone_offset(zone, at) % USEC_PER_SEC == 0 && zone_abbreviation(zone, at)[0] != '\0');
    check_next(zone, at);
    check_last(zone, at);
    if (at > FIRST_INSTANT + 2 * USEC_PER_DAY && at < PAST_LAST_INSTANT - 2 * USEC_PER_DAY) {
        check_civil(zone, at);
    }
}

static void check_near(const struct zone *zone, int64_t seconds)
{
    instant at = 0;
    if (__builtin_mul_overflow(seconds, USEC_PER_SEC, &at)) {
        at = seconds < 0 ? INSTANT_NONE : INSTANT_NEVER - 1;
    }
    check_at(zone, at);
    if (at > INSTANT_NONE) {
        check_at(zone, at - 1);
    }
}

static int64_t read_seconds(const uint8_t *data)
{
    uint64_t value = 0;
    for (size_t i = 0; i < sizeof(value); i++) {
        value = value << 8 | data[i];
    }
    return (int64_t)value;
}

static void check_zone(const struct zone *zone, const uint8_t *data, size_t size)
{
    static const int64_t always[] = {INT64_MIN, -62135596800, -62135596799, 0, 1774659600, 32503680000, 253402300799};
    for (size_t i = 0; i < COUNT_OF(always); i++) {
        check_near(zone, always[i]);
    }
    for (size_t i = 0; i < SAMPLES; i++) {
        int64_t seconds = read_seconds(data + (size - sizeof(seconds)) * i / SAMPLES);
        check_near(zone, seconds);
        check_near(zone, seconds % INT64_C(253402300800));
    }
}

int LLVMFuzzerTestOneInput(const uint8_t *data, size_t size)
{
    /* An exact copy, so that a read past the end is seen. */
    uint8_t *bytes = xmalloc(size > 0 ? size : 1);
    memcpy(bytes, data, size);
    struct error err = {.kind = ERROR_NONE};
    struct zone *zone = zone_read("Some/Where", bytes, size, &err);
    free(bytes);
    if (zone != NULL) {
        check_zone(zone, data, size);
    } else {
        require(err.kind == ERROR_CONFIG && err.hint[0] != '\0' && utf8_valid(err.message, strlen(err.message)));
    }
    zone_drop(zone);
    return 0;
}
