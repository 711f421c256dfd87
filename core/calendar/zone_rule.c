/* SPDX-License-Identifier: PostgreSQL */
/* The rule in a file's footer, as POSIX writes TZ, with the extensions of RFC 8536: "CET-1CEST,M3.5.0,M10.5.0/3". */
#include <string.h>

#include "calendar/zone_state.h"

#define MINUTE 60
#define HOUR 3600
#define DEFAULT_TIME (2 * HOUR)
#define LONGEST_OFFSET_HOURS 24
#define LONGEST_TIME_HOURS 167

/* What the C library takes when a rule names daylight saving and no dates: those of the USA since 2007. */
static const struct zone_day default_start = {
    .form = ZONE_DAY_OF_WEEK, .month = 3, .week = 2, .day = 0, .time = DEFAULT_TIME};
static const struct zone_day default_end = {
    .form = ZONE_DAY_OF_WEEK, .month = 11, .week = 1, .day = 0, .time = DEFAULT_TIME};

/* --- reading ------------------------------------------------------------------------------------------------------ */

/* Reads forward; the first thing that does not fit clears `fits`, and everything after it is 0. */
struct scan {
    const char *at;
    const char *end;
    bool fits;
};

static char scan_peek(const struct scan *scan)
{
    return scan->fits && scan->at < scan->end ? *scan->at : '\0';
}

static bool scan_accept(struct scan *scan, char character)
{
    bool found = scan_peek(scan) == character && character != '\0';
    scan->at += found ? 1 : 0;
    return found;
}

static void scan_expect(struct scan *scan, char character)
{
    scan->fits = scan_accept(scan, character);
}

static bool is_digit(char character)
{
    return character >= '0' && character <= '9';
}

static bool is_letter(char character)
{
    return (character >= 'a' && character <= 'z') || (character >= 'A' && character <= 'Z');
}

/* One to three digits. */
static int scan_number(struct scan *scan, int low, int high)
{
    int value = 0;
    int digits = 0;
    for (; digits < 3 && is_digit(scan_peek(scan)); digits++) {
        value = value * 10 + (*scan->at++ - '0');
    }
    scan->fits = scan->fits && digits > 0 && value >= low && value <= high;
    return scan->fits ? value : low;
}

/* [+-]h[h[h]][:mm[:ss]] */
static int32_t scan_time(struct scan *scan, int longest_hours)
{
    bool negative = scan_accept(scan, '-');
    if (!negative) {
        scan_accept(scan, '+');
    }
    int32_t seconds = scan_number(scan, 0, longest_hours) * HOUR;
    if (scan_accept(scan, ':')) {
        seconds += scan_number(scan, 0, 59) * MINUTE;
        if (scan_accept(scan, ':')) {
            seconds += scan_number(scan, 0, 59);
        }
    }
    return negative ? -seconds : seconds;
}

/* Three letters or more, or in angle brackets digits and signs too. */
static void scan_abbreviation(struct scan *scan, char text[static ZONE_ABBREVIATION_MAX + 1])
{
    bool quoted = scan_accept(scan, '<');
    size_t length = 0;
    char next = scan_peek(scan);
    while (length < ZONE_ABBREVIATION_MAX &&
           (is_letter(next) || (quoted && (is_digit(next) || next == '+' || next == '-')))) {
        text[length++] = next;
        scan->at++;
        next = scan_peek(scan);
    }
    text[length] = '\0';
    scan->fits = scan->fits && length >= 3;
    if (quoted) {
        scan_expect(scan, '>');
    }
}

static struct zone_day scan_day(struct scan *scan)
{
    struct zone_day day = {.form = ZONE_DAY_OF_YEAR, .time = DEFAULT_TIME};
    scan_expect(scan, ',');
    if (scan_accept(scan, 'M')) {
        day.form = ZONE_DAY_OF_WEEK;
        day.month = scan_number(scan, 1, 12);
        scan_expect(scan, '.');
        day.week = scan_number(scan, 1, 5);
        scan_expect(scan, '.');
        day.day = scan_number(scan, 0, 6);
    } else if (scan_accept(scan, 'J')) {
        day.form = ZONE_DAY_WITHOUT_LEAP;
        day.day = scan_number(scan, 1, 365);
    } else {
        day.day = scan_number(scan, 0, 365);
    }
    if (scan_accept(scan, '/')) {
        day.time = scan_time(scan, LONGEST_TIME_HOURS);
    }
    return day;
}

static bool at_offset(char next)
{
    return is_digit(next) || next == '+' || next == '-';
}

static void scan_daylight(struct scan *scan, struct zone_rule *rule)
{
    rule->saves_daylight = true;
    scan_abbreviation(scan, rule->daylight);
    rule->daylight_offset = rule->standard_offset + HOUR;
    if (at_offset(scan_peek(scan))) {
        rule->daylight_offset = -scan_time(scan, LONGEST_OFFSET_HOURS);
    }
    rule->start = default_start;
    rule->end = default_end;
    if (scan->at < scan->end) {
        rule->start = scan_day(scan);
        rule->end = scan_day(scan);
    }
}

bool zone_rule_read(struct zone_rule *rule, const char *text, size_t length, struct error *err)
{
    struct scan scan = {.at = text, .end = text + length, .fits = true};
    *rule = (struct zone_rule){0};
    scan_abbreviation(&scan, rule->standard);
    rule->standard_offset = -scan_time(&scan, LONGEST_OFFSET_HOURS);
    if (scan.fits && scan.at < scan.end) {
        scan_daylight(&scan, rule);
    }
    if (!scan.fits || scan.at < scan.end) {
        return error_set(err, ERROR_CONFIG, "its footer is not a rule such as \"CET-1CEST,M3.5.0,M10.5.0/3\"");
    }
    return true;
}

/* --- a year of it ------------------------------------------------------------------------------------------------- */

static instant start_of_month(int year, int month)
{
    struct civil first = {.year = year, .month = month, .day = 1};
    return civil_to_instant(&first);
}

static int day_of_week_in_month(const struct zone_day *day, int year)
{
    int first = instant_to_civil(start_of_month(year, day->month)).weekday;
    int days = (day->day - first + 7) % 7 + 7 * (day->week - 1);
    return days < civil_month_days(year, day->month) ? days : days - 7;
}

/* By the wall clock in use until then, counted as if it were UTC. */
static instant wall_of_day(const struct zone_day *day, int year)
{
    instant month = start_of_month(year, 1);
    int days = day->day;
    if (day->form == ZONE_DAY_OF_WEEK) {
        month = start_of_month(year, day->month);
        days = day_of_week_in_month(day, year);
    } else if (day->form == ZONE_DAY_WITHOUT_LEAP) {
        bool past_leap_day = civil_month_days(year, 2) == 29 && day->day > 31 + 28;
        days = day->day - (past_leap_day ? 0 : 1);
    }
    return month + days * USEC_PER_DAY + day->time * USEC_PER_SEC;
}

static instant start_in(const struct zone_rule *rule, int year)
{
    return wall_of_day(&rule->start, year) - rule->standard_offset * USEC_PER_SEC;
}

static instant end_in(const struct zone_rule *rule, int year)
{
    return wall_of_day(&rule->end, year) - rule->daylight_offset * USEC_PER_SEC;
}

/* South of the equator it ends in the year after. May be empty. */
static struct zone_period period_of(const struct zone_rule *rule, int year)
{
    struct zone_period period = {.start = start_in(rule, year), .end = end_in(rule, year)};
    if (period.end < period.start) {
        period.end = end_in(rule, year + 1);
    }
    return period;
}

/* All-year daylight saving is written as an end that meets the next start, or passes it. */
bool zone_rule_period(const struct zone_rule *rule, int *year, int last, struct zone_period *period)
{
    bool found = false;
    for (; *year <= last; (*year)++) {
        struct zone_period next = period_of(rule, *year);
        if (next.start >= next.end) {
            continue;
        }
        if (found && next.start > period->end) {
            break;
        }
        period->start = found ? period->start : next.start;
        period->end = found && period->end > next.end ? period->end : next.end;
        found = true;
    }
    return found;
}
