/* SPDX-License-Identifier: PostgreSQL */
/* The one time of @at, read part by part so that a refusal can name the part. */
#include <stdio.h>
#include <string.h>

#include "calendar/schedule_seek.h"
#include "calendar/schedule_text.h"

struct part {
    const char *name;
    size_t digits;
    int low;
    int high;
    const char *expected;
};

static const struct part year_part = {"year", 4, 1, 9999, "0001-9999"};
static const struct part month_part = {"month", 2, 1, 12, "01-12"};
static const struct part day_part = {"day", 2, 1, 31, "01-31"};
static const struct part hour_part = {"hour", 2, 0, 23, "00-23"};
static const struct part minute_part = {"minute", 2, 0, 59, "00-59"};
static const struct part second_part = {"second", 2, 0, 59, "00-59"};
static const struct part offset_hour_part = {"hour of the offset", 2, 0, 15, "00-15"};
static const struct part offset_minute_part = {"minute of the offset", 2, 0, 59, "00-59"};

/* Reads forward; the first thing that does not fit fills *err and clears `fits`, after which nothing is read. */
struct scan {
    struct piece whole;
    const char *at;
    bool fits;
    struct error *err;
};

static struct piece rest_of(const struct scan *scan)
{
    return (struct piece){scan->at, (size_t)(piece_end(scan->whole) - scan->at)};
}

static bool next_is(const struct scan *scan, const char *characters)
{
    return scan->fits && scan->at < piece_end(scan->whole) && strchr(characters, *scan->at) != NULL;
}

static bool scan_one_of(struct scan *scan, const char *characters)
{
    bool found = next_is(scan, characters);
    scan->at += found ? 1 : 0;
    return found;
}

static void scan_expect(struct scan *scan, const char *characters, const char *before, const char *expected)
{
    if (!scan->fits || scan_one_of(scan, characters)) {
        return;
    }
    if (rest_of(scan).length == 0) {
        error_set(scan->err, ERROR_CONFIG, "nothing after the %s, expected %s", before, expected);
    } else {
        error_set(scan->err, ERROR_CONFIG, "\"%s\" after the %s, expected %s", piece_show(rest_of(scan)).text, before,
                  expected);
    }
    scan->fits = false;
}

static void refuse_part(struct scan *scan, const struct part *part, struct piece found, const char *expected)
{
    error_set(scan->err, ERROR_CONFIG, "%s \"%s\": expected %s", part->name, piece_show(found).text, expected);
    scan->fits = false;
}

static int scan_part(struct scan *scan, const struct part *part)
{
    struct piece digits = {scan->at, 0};
    int value = 0;
    while (scan->fits && digits.start + digits.length < piece_end(scan->whole) &&
           is_digit(digits.start[digits.length])) {
        value = digits.length < part->digits ? value * 10 + (digits.start[digits.length] - '0') : value;
        digits.length++;
    }
    if (scan->fits && (digits.length != part->digits || value < part->low || value > part->high)) {
        refuse_part(scan, part, digits.length > 0 ? digits : piece_character(scan->whole, scan->at), part->expected);
    }
    scan->at += scan->fits ? digits.length : 0;
    return scan->fits ? value : part->low;
}

static void scan_date(struct scan *scan, struct civil *civil)
{
    civil->year = scan_part(scan, &year_part);
    scan_expect(scan, "-", "year", "\"-\"");
    civil->month = scan_part(scan, &month_part);
    scan_expect(scan, "-", "month", "\"-\"");
    struct piece day = {scan->at, day_part.digits};
    civil->day = scan_part(scan, &day_part);
    int last = civil_month_days(civil->year, civil->month);
    if (scan->fits && civil->day > last) {
        char expected[64];
        snprintf(expected, sizeof(expected), "01-%d, the days of %04d-%02d", last, civil->year, civil->month);
        refuse_part(scan, &day_part, day, expected);
    }
}

static void scan_separator(struct scan *scan)
{
    if (scan_one_of(scan, "T")) {
        return;
    }
    scan_expect(scan, " \t", "day", "a blank or T, then the time of day");
    while (scan_one_of(scan, " \t")) {
    }
}

static void scan_clock(struct scan *scan, struct civil *civil)
{
    civil->hour = scan_part(scan, &hour_part);
    scan_expect(scan, ":", "hour", "\":\"");
    civil->minute = scan_part(scan, &minute_part);
    civil->second = scan_one_of(scan, ":") ? scan_part(scan, &second_part) : 0;
}

static duration scan_offset(struct scan *scan)
{
    bool west = next_is(scan, "-");
    if (scan_one_of(scan, "Z") || !scan_one_of(scan, "+-")) {
        return 0;
    }
    duration offset = scan_part(scan, &offset_hour_part) * USEC_PER_HOUR;
    if (scan_one_of(scan, ":")) {
        offset += scan_part(scan, &offset_minute_part) * USEC_PER_MINUTE;
    }
    return west ? -offset : offset;
}

static void scan_end(struct scan *scan)
{
    if (scan->fits && rest_of(scan).length > 0) {
        error_set(scan->err, ERROR_CONFIG, "\"%s\" after the time, expected Z, an offset or the end",
                  piece_show(rest_of(scan)).text);
        scan->fits = false;
    }
}

static bool check_calendar(struct scan *scan, instant at)
{
    if (scan->fits && (at < FIRST_INSTANT || at > LAST_INSTANT)) {
        error_set(scan->err, ERROR_CONFIG, "time \"%s\": expected one within the years 1 to 9999 of UTC",
                  piece_show(scan->whole).text);
        scan->fits = false;
    }
    return scan->fits;
}

bool schedule_parse_time(struct piece text, struct schedule *schedule, struct error *err)
{
    struct scan scan = {.whole = text, .at = text.start, .fits = true, .err = err};
    struct civil civil = {.year = 1};
    scan_date(&scan, &civil);
    scan_separator(&scan);
    scan_clock(&scan, &civil);
    bool is_wall = !next_is(&scan, "Z+-");
    duration offset = scan_offset(&scan);
    scan_end(&scan);
    instant at = civil_to_instant(&civil) - offset;
    if (!check_calendar(&scan, at)) {
        return error_hint(err, "write @at 2026-12-24 18:00 for the clock of the job's time zone, or with an offset: "
                               "2026-12-24 18:00:30Z, 2026-12-24 18:00+01:00");
    }
    *schedule = (struct schedule){.form = SCHEDULE_ONCE, .fixed = true, .at = at, .at_is_wall = is_wall};
    return true;
}
