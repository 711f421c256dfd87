/* SPDX-License-Identifier: PostgreSQL */
/* Time zones: the system's TZif files (RFC 8536), read by ourselves, one object per zone.
 *
 * Does: read a zone's file, bounded and distrusting every count in it; convert both ways; name the next change of the
 *   clocks; tell when a file was replaced. After the last transition of the file its footer (a POSIX TZ rule) decides.
 * Does not: use the C library's zone, which is one per process; know leap seconds (files that count them are refused);
 *   know changes outside the years 1 to 9999 of UTC: an instant before or after has the offset with which these years
 *   begin or end. Civil times (zone_to_civil, zone_from_civil) are of these years as well, on the wall as in UTC.
 * Files come from $TZDIR, else /usr/share/zoneinfo. A name is made of letters, digits, '_', '+', '-' and single '/'
 * between them; never "." or "..", nor absolute. Names are as the files are spelled: Europe/Berlin.
 * Ownership: a zone is immutable, and lives as long as somebody holds it: its `zones` do, and each job that has a
 * schedule by it. NULL stands for UTC wherever a zone is taken. */
#ifndef CHIME_CALENDAR_ZONE_H
#define CHIME_CALENDAR_ZONE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/instant.h"

#define ZONE_FILE_LIMIT (256u << 10) /* bytes; the largest there is has 4 KiB */
#define ZONE_NAME_MAX 63

struct zone;

/* --- one zone ----------------------------------------------------------------------------------------------------- */

/* From the bytes of a file, held by the caller; NULL with the reason. `name` is for messages and zone_name. For
 * zones_find and the fuzzer. */
struct zone *zone_read(const char *name, const void *bytes, size_t size, struct error *err);
/* One more holds it, until zone_drop; both take NULL. */
const struct zone *zone_hold(const struct zone *zone);
void zone_drop(const struct zone *zone);
const char *zone_name(const struct zone *zone);
/* Seconds east of UTC at that instant, times USEC_PER_SEC; may be negative. */
duration zone_offset(const struct zone *zone, instant at);
/* UTC by whatever name, such as GMT: no offset, and none to come since 1970. */
bool zone_is_utc(const struct zone *zone);
/* The abbreviation in use then, such as "CEST"; valid as long as the zone. */
const char *zone_abbreviation(const struct zone *zone, instant at);
/* The first instant later than `after` from which on the offset differs from just before; INSTANT_NEVER when there is
 * none up to the year 9999. Transitions that leave the offset as it was are passed over. */
instant zone_next_change(const struct zone *zone, instant after);
/* The last such instant that is <= `until`; INSTANT_NONE when there is none. */
instant zone_last_change(const struct zone *zone, instant until);
struct civil zone_to_civil(const struct zone *zone, instant at);

enum zone_wall { ZONE_WALL_GAP, ZONE_WALL_ONCE, ZONE_WALL_TWICE };
/* The instants that show this wall time. Once: *first = *last. Twice: the two. Gap: both are the change that skips it,
 * the first valid instant after it. */
enum zone_wall zone_from_civil(const struct zone *zone, const struct civil *civil, instant *first, instant *last);

/* --- a set of zones: those of a catalog --------------------------------------------------------------------------- */

struct zones;

struct zones *zones_create(void);
void zones_destroy(struct zones *zones); /* takes NULL */
/* Reads the zone's file the first time; *zone is NULL for UTC ("UTC", "Etc/UTC"). The error names the zone and has a
 * did-you-mean from the folder's names where one is near. */
bool zones_find(struct zones *zones, const char *name, const struct zone **zone, struct error *err) CHIME_MUST_CHECK;
/* Whether a file that was read is another now (device, inode, size, time of change), or gone. */
bool zones_changed(const struct zones *zones);

#endif
