/* SPDX-License-Identifier: PostgreSQL */
/* Instants and durations: int64 microseconds, as PostgreSQL counts them.
 *
 * instant: since 1970-01-01 00:00:00 UTC. INSTANT_NEVER is later than every instant, INSTANT_NONE is "not set".
 * duration: may be 0; negative only where a function says so. */
#ifndef CHIME_BASE_INSTANT_H
#define CHIME_BASE_INSTANT_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

#include "base/error.h"

typedef int64_t instant;
typedef int64_t duration;

#define USEC_PER_MSEC INT64_C(1000)
#define USEC_PER_SEC INT64_C(1000000)
#define USEC_PER_MINUTE (60 * USEC_PER_SEC)
#define USEC_PER_HOUR (60 * USEC_PER_MINUTE)
#define USEC_PER_DAY (24 * USEC_PER_HOUR)
#define INSTANT_NEVER INT64_MAX
#define INSTANT_NONE INT64_MIN

/* Broken-down UTC time in the proleptic Gregorian calendar. */
struct civil {
    int year;    /* 1..9999 */
    int month;   /* 1..12 */
    int day;     /* 1..31 */
    int hour;    /* 0..23 */
    int minute;  /* 0..59 */
    int second;  /* 0..59 */
    int usec;    /* 0..999999 */
    int weekday; /* 0 = Sunday; ignored by civil_to_instant */
};

#define INSTANT_TEXT_SIZE 40
/* "2026-03-27T01:30:00Z", with ".123456" only when the fraction is not 0. Returns `text`. Years 1..9999. */
char *instant_format(instant at, char text[static INSTANT_TEXT_SIZE]);
/* Accepts "YYYY-MM-DD", "YYYY-MM-DD[T ]HH:MM[:SS[.ffffff]]" with optional "Z" or "+HH[:MM]"; without an offset, UTC. */
bool instant_parse(const char *text, instant *at, struct error *err) CHIME_MUST_CHECK;
struct civil instant_to_civil(instant at);
instant civil_to_instant(const struct civil *civil);
int civil_month_days(int year, int month);

/* "250ms" "5s" "10min" "15m" "2h" "1d"; a whole number and one unit (us ms s sec second(s) m min minute(s) h hour(s)
 * d day(s)), at most 36,500 days. "m" is minutes. */
bool duration_parse(const char *text, duration *length, struct error *err) CHIME_MUST_CHECK;
#define DURATION_TEXT_SIZE 32
/* The largest unit that divides it exactly: "10min", "90s", "250ms"; 0 is "0s". duration_parse reads it back. */
char *duration_format(duration length, char text[static DURATION_TEXT_SIZE]);

#endif
