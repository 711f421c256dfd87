/* SPDX-License-Identifier: PostgreSQL */
/* What zone*.c share; nobody else includes it.
 *
 * zone_file.c: a file's bytes -> struct zone_image, everything in it checked.
 * zone_rule.c: a footer's rule -> struct zone_rule, and its times of daylight saving.
 * zone_read.c: both -> struct zone.   zone.c: looking things up in it.   zones.c, zone_names.c: the folder. */
#ifndef CHIME_CALENDAR_ZONE_STATE_H
#define CHIME_CALENDAR_ZONE_STATE_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"
#include "base/instant.h"
#include "base/memory.h"
#include "calendar/zone.h"

#define ZONE_FIRST_SECOND INT64_C(-62135596800)     /* 0001-01-01T00:00:00Z */
#define ZONE_LAST_SECOND INT64_C(253402300799)      /* 9999-12-31T23:59:59Z */
#define ZONE_CYCLE (INT64_C(146097) * USEC_PER_DAY) /* 400 years: the calendar, weekdays too, repeats */
#define ZONE_OFFSET_ABOVE INT32_C(-90000)           /* seconds; RFC 8536: more than -25 hours, */
#define ZONE_OFFSET_BELOW INT32_C(93600)            /* less than 26 */
#define ZONE_WIDEST_EAST ((int64_t)ZONE_OFFSET_BELOW * USEC_PER_SEC)  /* no clock is as far ahead of UTC, */
#define ZONE_WIDEST_WEST (-(int64_t)ZONE_OFFSET_ABOVE * USEC_PER_SEC) /* none as far behind */
#define ZONE_KINDS_MAX 256                                            /* a file's index of one is a byte */
#define ZONE_ABBREVIATION_MAX 31                                      /* in a rule */

/* --- a file ------------------------------------------------------------------------------------------------------- */

/* The block of a file that counts, as its bytes; all counts, indices and orders in it hold. Borrows the file's
 * bytes. */
struct zone_image {
    size_t transition_count;
    size_t type_count; /* 1..ZONE_KINDS_MAX */
    const uint8_t *times;
    size_t time_size; /* bytes of each time: 4 or 8 */
    const uint8_t *kinds;
    const uint8_t *types;
    const char *abbreviations;
    const char *footer; /* not terminated; of length 0 when there is no rule */
    size_t footer_length;
};

bool zone_image_read(struct zone_image *image, const void *bytes, size_t size, struct error *err) CHIME_MUST_CHECK;
/* Seconds since 1970; any int64. */
int64_t zone_image_time(const struct zone_image *image, size_t transition);
int32_t zone_image_offset(const struct zone_image *image, size_t type);
const char *zone_image_abbreviation(const struct zone_image *image, size_t type);

/* --- a rule ------------------------------------------------------------------------------------------------------- */

enum zone_day_form {
    ZONE_DAY_WITHOUT_LEAP, /* Jn: 1..365, 29 February is never counted */
    ZONE_DAY_OF_YEAR,      /* n: 0..365, it is */
    ZONE_DAY_OF_WEEK,      /* Mm.w.d: weekday d, the month's w-th; 5 is its last */
};

struct zone_day {
    enum zone_day_form form;
    int day;
    int week;
    int month;
    int32_t time; /* seconds by the wall clock in use until then; -167..167 hours */
};

struct zone_rule {
    char standard[ZONE_ABBREVIATION_MAX + 1];
    int32_t standard_offset; /* seconds east */
    bool saves_daylight;     /* the rest is set only then */
    char daylight[ZONE_ABBREVIATION_MAX + 1];
    int32_t daylight_offset;
    struct zone_day start;
    struct zone_day end;
};

/* A time of daylight saving: start <= t < end. */
struct zone_period {
    instant start;
    instant end;
};

bool zone_rule_read(struct zone_rule *rule, const char *text, size_t length, struct error *err) CHIME_MUST_CHECK;
/* The first period that starts in *year or later, as long as it is (those that touch are one), and *year the year after
 * it; false when no year up to `last` has one. */
bool zone_rule_period(const struct zone_rule *rule, int *year, int last, struct zone_period *period);

/* --- a zone ------------------------------------------------------------------------------------------------------- */

struct zone_type {
    duration offset;
    const char *abbreviation;
};

/* The transitions of the file, and then those of its rule for one cycle of 400 years, which repeats from then on. */
struct zone {
    struct arena *arena; /* holds everything here */
    size_t holders;
    const char *name;
    struct zone_type *types;
    size_t initial; /* the type before the first transition */
    size_t count;
    instant *times;      /* ascending */
    uint16_t *kinds;     /* the type from each time on */
    instant cycle_start; /* the cycle is cycle_start < t <= cycle_start + ZONE_CYCLE */
    /* Those of the times at which the offset becomes another. */
    size_t change_count;
    instant *changes;
    size_t cycle_changes; /* the first of the cycle; change_count when nothing repeats */
    bool repeats;         /* there is a cycle with transitions */
};

/* --- names -------------------------------------------------------------------------------------------------------- */

bool zone_name_valid(const char *name);
/* The name of a file below `directory` that may be meant; NULL when none is near. Caller frees. */
char *zone_name_near(const char *directory, const char *name);

#endif
