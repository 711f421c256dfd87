/* SPDX-License-Identifier: PostgreSQL */
#include "base/instant.h"

#include <stdio.h>
#include <string.h>

#include "base/text.h"

#define LONGEST_DURATION (36500 * USEC_PER_DAY)

/* Exactly `width` digits; returns the place behind them. */
static char *put_digits(char *at, int value, int width)
{
    for (int i = width; i-- > 0; value /= 10) {
        at[i] = (char)('0' + value % 10);
    }
    return at + width;
}

static char *put_two(char *at, char before, int value)
{
    *at = before;
    return put_digits(at + 1, value, 2);
}

/* Without printf: a run has six instants written. */
char *instant_format(instant at, char text[static INSTANT_TEXT_SIZE])
{
    if (at == INSTANT_NEVER || at == INSTANT_NONE) {
        return strcpy(text, at == INSTANT_NEVER ? "never" : "none");
    }
    struct civil civil = instant_to_civil(at);
    char *end = civil.year >= 0 && civil.year <= 9999 ? put_digits(text, civil.year, 4)
                                                      : text + sprintf(text, "%04d", civil.year);
    end = put_two(end, '-', civil.month);
    end = put_two(end, '-', civil.day);
    end = put_two(end, 'T', civil.hour);
    end = put_two(end, ':', civil.minute);
    end = put_two(end, ':', civil.second);
    if (civil.usec != 0) {
        *end = '.';
        end = put_digits(end + 1, civil.usec, 6);
    }
    strcpy(end, "Z");
    return text;
}

/* Reads forward; the first thing that does not fit clears `fits`, and everything after it is 0. */
struct scan {
    const char *at;
    bool fits;
};

static int scan_number(struct scan *scan, int digits, int low, int high)
{
    int value = 0;
    for (int i = 0; i < digits && scan->fits; i++) {
        scan->fits = *scan->at >= '0' && *scan->at <= '9';
        value = scan->fits ? value * 10 + (*scan->at++ - '0') : 0;
    }
    scan->fits = scan->fits && value >= low && value <= high;
    return scan->fits ? value : low;
}

static bool scan_one_of(struct scan *scan, const char *characters)
{
    bool found = scan->fits && *scan->at != '\0' && strchr(characters, *scan->at) != NULL;
    scan->at += found ? 1 : 0;
    return found;
}

static void scan_expect(struct scan *scan, const char *characters)
{
    scan->fits = scan_one_of(scan, characters);
}

static int scan_fraction(struct scan *scan)
{
    int value = scan_number(scan, 1, 0, 9);
    int digits = 1;
    while (scan->fits && digits < 6 && *scan->at >= '0' && *scan->at <= '9') {
        value = value * 10 + scan_number(scan, 1, 0, 9);
        digits++;
    }
    for (; digits < 6; digits++) {
        value *= 10;
    }
    return value;
}

static duration scan_offset(struct scan *scan)
{
    if (scan_one_of(scan, "Z")) {
        return 0;
    }
    bool east = scan_one_of(scan, "+");
    if (!east && !scan_one_of(scan, "-")) {
        return 0;
    }
    duration offset = scan_number(scan, 2, 0, 15) * USEC_PER_HOUR;
    if (scan_one_of(scan, ":")) {
        offset += scan_number(scan, 2, 0, 59) * USEC_PER_MINUTE;
    }
    return east ? offset : -offset;
}

static duration scan_time(struct scan *scan, struct civil *civil)
{
    civil->hour = scan_number(scan, 2, 0, 23);
    scan_expect(scan, ":");
    civil->minute = scan_number(scan, 2, 0, 59);
    if (scan_one_of(scan, ":")) {
        civil->second = scan_number(scan, 2, 0, 59);
        civil->usec = scan_one_of(scan, ".") ? scan_fraction(scan) : 0;
    }
    return scan_offset(scan);
}

static bool within_calendar(instant at)
{
    struct civil first = {.year = 1, .month = 1, .day = 1};
    struct civil past_last = {.year = 10000, .month = 1, .day = 1};
    return at >= civil_to_instant(&first) && at < civil_to_instant(&past_last);
}

bool instant_parse(const char *text, instant *at, struct error *err)
{
    struct scan scan = {.at = text, .fits = true};
    struct civil civil = {0};
    civil.year = scan_number(&scan, 4, 1, 9999);
    scan_expect(&scan, "-");
    civil.month = scan_number(&scan, 2, 1, 12);
    scan_expect(&scan, "-");
    civil.day = scan_number(&scan, 2, 1, civil_month_days(civil.year, civil.month));
    duration offset = scan_one_of(&scan, "T ") ? scan_time(&scan, &civil) : 0;
    instant result = civil_to_instant(&civil) - offset;
    if (!scan.fits || *scan.at != '\0' || !within_calendar(result)) {
        error_set(err, ERROR_USAGE, "\"%.100s\" is not a date or time", text);
        return error_hint(err, "write it as 2026-03-27, 2026-03-27T01:30:00Z or 2026-03-27 01:30+02:00");
    }
    *at = result;
    return true;
}

struct duration_unit {
    const char *name;
    duration length;
};

/* The first name of each length is the one duration_format writes; longest first. */
static const struct duration_unit units[] = {
    {"d", USEC_PER_DAY},         {"day", USEC_PER_DAY},        {"days", USEC_PER_DAY},   {"h", USEC_PER_HOUR},
    {"hour", USEC_PER_HOUR},     {"hours", USEC_PER_HOUR},     {"min", USEC_PER_MINUTE}, {"m", USEC_PER_MINUTE},
    {"minute", USEC_PER_MINUTE}, {"minutes", USEC_PER_MINUTE}, {"s", USEC_PER_SEC},      {"sec", USEC_PER_SEC},
    {"second", USEC_PER_SEC},    {"seconds", USEC_PER_SEC},    {"ms", USEC_PER_MSEC},    {"us", 1},
};

static const struct duration_unit *find_unit(const char *name)
{
    for (size_t i = 0; i < COUNT_OF(units); i++) {
        if (strcmp(units[i].name, name) == 0) {
            return &units[i];
        }
    }
    return NULL;
}

bool duration_parse(const char *text, duration *length, struct error *err)
{
    char number[24] = "";
    size_t digits = strspn(text, "0123456789");
    int64_t count = 0;
    bool counted = digits > 0 && digits < sizeof(number);
    if (counted) {
        memcpy(number, text, digits);
        counted = parse_int64(number, 0, INT64_MAX, &count);
    }
    const struct duration_unit *unit = find_unit(text + digits);
    if (unit == NULL || digits == 0) {
        error_set(err, ERROR_USAGE, "\"%.100s\" is not a duration", text);
        return error_hint(err, "write a whole number and one unit: 250ms, 5s, 10min, 2h or 1d");
    }
    if (!counted || count > LONGEST_DURATION / unit->length) {
        error_set(err, ERROR_USAGE, "the duration \"%.100s\" is too long", text);
        return error_hint(err, "the longest is 36500d");
    }
    *length = count * unit->length;
    return true;
}

char *duration_format(duration length, char text[static DURATION_TEXT_SIZE])
{
    const struct duration_unit *unit = find_unit("s");
    for (size_t i = 0; i < COUNT_OF(units) && length != 0; i++) {
        if (length % units[i].length == 0) {
            unit = &units[i];
            break;
        }
    }
    snprintf(text, DURATION_TEXT_SIZE, "%lld%s", (long long)(length / unit->length), unit->name);
    return text;
}
