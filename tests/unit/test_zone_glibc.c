/* SPDX-License-Identifier: PostgreSQL */
/* Every zone of this machine, 1970 to 2100 and far beyond, against the C library, which reads the same files. */
#define _GNU_SOURCE
#include <check.h>
#include <ftw.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <time.h>

#include "calendar/zone.h"
#include "support/process/suite.h"
#include "support/schedule/tzif.h"

#define FOLDER "/usr/share/zoneinfo"
#define NAMES_MAX 1024
/* The C library looks every abbreviation up among all that the process has met: each share is a process of its own. */
#define SHARES 150
#define DAY INT64_C(86400)
#define YEAR_1970 INT64_C(0)
#define YEAR_2038 INT64_C(2145916800) /* the files list their transitions until here; the rule follows */
#define YEAR_2100 INT64_C(4102444800)

/* Those with the strangest changes: double summer time, half and quarter hours, changes at midnight or by local decree,
 * days left out, Ramadan, daylight saving in winter. */
static const char *const interesting[] = {
    "Africa/Cairo",     "Africa/Casablanca",   "Africa/El_Aaiun",      "Africa/Monrovia",  "Africa/Juba",
    "Africa/Windhoek",  "America/Caracas",     "America/Godthab",      "America/Havana",   "America/Iqaluit",
    "America/New_York", "America/Sao_Paulo",   "America/St_Johns",     "America/Asuncion", "America/Santiago",
    "Antarctica/Casey", "Antarctica/Troll",    "Antarctica/Macquarie", "Asia/Amman",       "Asia/Beirut",
    "Asia/Gaza",        "Asia/Hebron",         "Asia/Jerusalem",       "Asia/Kathmandu",   "Asia/Pyongyang",
    "Asia/Tehran",      "Australia/Lord_Howe", "Australia/Sydney",     "Europe/Berlin",    "Europe/Dublin",
    "Europe/Lisbon",    "Europe/Volgograd",    "Pacific/Apia",         "Pacific/Chatham",  "Pacific/Easter",
    "Pacific/Norfolk",
};

/* What is compared at the moment. */
static struct {
    const char *name;
    const struct zone *zone;
} under_test;

static char *names[NAMES_MAX];
static size_t name_count;

static int add_name(const char *path, const struct stat *status, int type, struct FTW *walk)
{
    (void)status;
    const char *base = path + walk->base;
    if (type == FTW_D && walk->level == 1 && (strcmp(base, "right") == 0 || strcmp(base, "posix") == 0)) {
        return FTW_SKIP_SUBTREE;
    }
    char magic[4] = "";
    FILE *file = type == FTW_F ? fopen(path, "rb") : NULL;
    if (file != NULL) {
        if (fread(magic, 1, sizeof(magic), file) == sizeof(magic) && memcmp(magic, "TZif", 4) == 0) {
            ck_assert_uint_lt(name_count, NAMES_MAX);
            names[name_count++] = xstrdup(path + strlen(FOLDER) + 1);
        }
        fclose(file);
    }
    return FTW_CONTINUE;
}

static void gather_names(void)
{
    unsetenv("TZDIR");
    ck_assert_int_eq(nftw(FOLDER, add_name, 16, FTW_ACTIONRETVAL), 0);
    ck_assert_uint_gt(name_count, 400);
}

static void forget_names(void)
{
    while (name_count > 0) {
        free(names[--name_count]);
    }
}

static void begin(struct zones *zones, const char *name)
{
    struct error err = {.kind = ERROR_NONE};
    if (!zones_find(zones, name, &under_test.zone, &err)) {
        ck_abort_msg("%s: %s", name, err.message);
    }
    under_test.name = name;
    setenv("TZ", name, 1);
    tzset();
}

static struct tm local(int64_t seconds)
{
    time_t at = (time_t)seconds;
    struct tm tm;
    localtime_r(&at, &tm);
    return tm;
}

static int64_t offset_at(int64_t seconds)
{
    return local(seconds).tm_gmtoff;
}

static bool same_fields(const struct civil *civil, const struct tm *tm)
{
    return civil->year == tm->tm_year + 1900 && civil->month == tm->tm_mon + 1 && civil->day == tm->tm_mday &&
           civil->hour == tm->tm_hour && civil->minute == tm->tm_min && civil->second == tm->tm_sec &&
           civil->weekday == tm->tm_wday && civil->usec == 0;
}

/* Returns the C library's offset then. */
static int64_t compare_at(int64_t seconds)
{
    instant at = seconds * USEC_PER_SEC;
    struct tm expected = local(seconds);
    struct civil civil = zone_to_civil(under_test.zone, at);
    int64_t offset = zone_offset(under_test.zone, at) / USEC_PER_SEC;
    const char *abbreviation = zone_abbreviation(under_test.zone, at);
    if (offset != expected.tm_gmtoff || strcmp(abbreviation, expected.tm_zone) != 0 ||
        !same_fields(&civil, &expected)) {
        ck_abort_msg("%s at %lld: %lld %s, but the C library says %ld %s", under_test.name, (long long)seconds,
                     (long long)offset, abbreviation, expected.tm_gmtoff, expected.tm_zone);
    }
    return expected.tm_gmtoff;
}

/* The wall time counted as if it were UTC; `offsets` are all that are in use within a day or two. */
static void compare_wall(int64_t wall, const int64_t *offsets, int count)
{
    int64_t first = INT64_MAX;
    int64_t last = INT64_MIN;
    for (int i = 0; i < count; i++) {
        int64_t candidate = wall - offsets[i];
        if (offset_at(candidate) == offsets[i]) {
            first = candidate < first ? candidate : first;
            last = candidate > last ? candidate : last;
        }
    }
    enum zone_wall expected = first > last ? ZONE_WALL_GAP : first == last ? ZONE_WALL_ONCE : ZONE_WALL_TWICE;
    struct civil civil = instant_to_civil(wall * USEC_PER_SEC);
    instant found_first = 0;
    instant found_last = 0;
    enum zone_wall found = zone_from_civil(under_test.zone, &civil, &found_first, &found_last);
    bool same = found == expected && (expected == ZONE_WALL_GAP ||
                                      (found_first == first * USEC_PER_SEC && found_last == last * USEC_PER_SEC));
    if (!same || (found == ZONE_WALL_GAP && found_first != found_last)) {
        ck_abort_msg("%s, wall time %lld: %d %lld %lld instead of %d %lld %lld", under_test.name, (long long)wall,
                     found, (long long)found_first, (long long)found_last, expected, (long long)first, (long long)last);
    }
}

/* The walls that the change skips or repeats, their edges, and what lies beside them. */
static void compare_walls_near(int64_t change)
{
    int64_t offsets[] = {offset_at(change - 1), offset_at(change), offset_at(change - DAY), offset_at(change + DAY)};
    int64_t low = change + (offsets[0] < offsets[1] ? offsets[0] : offsets[1]);
    int64_t high = change + (offsets[0] < offsets[1] ? offsets[1] : offsets[0]);
    const int64_t walls[] = {low - 1, low, low + 1, (low + high) / 2, high - 1, high, high + 1};
    int distinct = 0;
    for (int i = 0; i < (int)COUNT_OF(offsets); i++) {
        bool known = false;
        for (int j = 0; j < distinct; j++) {
            known = known || offsets[j] == offsets[i];
        }
        offsets[distinct] = offsets[i];
        distinct += known ? 0 : 1;
    }
    for (int i = 0; i < (int)COUNT_OF(walls); i++) {
        compare_wall(walls[i], offsets, distinct);
    }
    if (offset_at(change - 1) < offset_at(change)) {
        struct civil skipped = instant_to_civil(low * USEC_PER_SEC);
        instant first = 0;
        instant last = 0;
        if (zone_from_civil(under_test.zone, &skipped, &first, &last) == ZONE_WALL_GAP) {
            ck_assert_int_eq(first, change * USEC_PER_SEC);
        }
    }
}

/* The second from which on the C library shows another offset than at `low`. */
static int64_t bisect(int64_t low, int64_t high)
{
    int64_t offset = offset_at(low);
    while (high - low > 1) {
        int64_t middle = low + (high - low) / 2;
        if (offset_at(middle) == offset) {
            low = middle;
        } else {
            high = middle;
        }
    }
    return high;
}

static void compare_change(int64_t before, int64_t change)
{
    instant at = change * USEC_PER_SEC;
    if (zone_next_change(under_test.zone, before * USEC_PER_SEC) != at ||
        zone_next_change(under_test.zone, at - 1) != at || zone_last_change(under_test.zone, at) != at ||
        zone_last_change(under_test.zone, at - 1) > before * USEC_PER_SEC) {
        ck_abort_msg("%s: the change at %lld is not found", under_test.name, (long long)change);
    }
    compare_at(change - 1);
    compare_at(change);
    compare_at(change + 1);
    compare_walls_near(change);
}

/* Steps that are not whole hours let the time of day wander. Returns how many changes there were. */
static int compare_span(int64_t from, int64_t until, int64_t step)
{
    int changes = 0;
    int steps = 0;
    int64_t before = from;
    int64_t offset = compare_at(before);
    while (before < until) {
        int64_t next = before + step;
        int64_t next_offset = compare_at(next);
        if (next_offset != offset) {
            next = bisect(before, next);
            compare_change(before, next);
            next_offset = offset_at(next);
            changes++;
        } else if (zone_next_change(under_test.zone, before * USEC_PER_SEC) <= next * USEC_PER_SEC) {
            /* One that the steps were too long for: it and the next one must be there all the same. */
            int64_t change = zone_next_change(under_test.zone, before * USEC_PER_SEC) / USEC_PER_SEC;
            ck_assert_int_ne(offset_at(change - 1), offset_at(change));
            compare_change(before, change);
            next = change;
            next_offset = offset_at(change);
            changes++;
        } else if (++steps % 16 == 0) {
            compare_wall(next + next_offset, (int64_t[]){next_offset, offset_at(next - DAY), offset_at(next + DAY)}, 3);
        }
        offset = next_offset;
        before = next;
    }
    return changes;
}

START_TEST(every_zone_agrees_with_the_c_library_from_1970_to_2100)
{
    gather_names();
    struct zones *zones = zones_create();
    for (size_t i = (size_t)_i; i < name_count; i += SHARES) {
        begin(zones, names[i]);
        compare_span(YEAR_1970, YEAR_2038, DAY - 37);
        compare_span(YEAR_2038, YEAR_2100, 5 * DAY - 7001);
    }
    zones_destroy(zones);
    forget_names();
}
END_TEST

START_TEST(strange_zones_have_no_other_changes_than_an_hourly_look_finds)
{
    ck_assert_uint_ge(COUNT_OF(interesting), 30);
    struct zones *zones = zones_create();
    begin(zones, interesting[_i]);
    int changes = 0;
    int64_t offset = offset_at(YEAR_1970);
    instant change = zone_next_change(under_test.zone, YEAR_1970 * USEC_PER_SEC);
    for (int64_t at = YEAR_1970 + 3600; at < YEAR_2038; at += 3600) {
        int64_t next_offset = offset_at(at);
        bool changed = change <= at * USEC_PER_SEC;
        if (changed != (next_offset != offset)) {
            ck_abort_msg("%s: changes differ in the hour before %lld", under_test.name, (long long)at);
        }
        if (changed) {
            ck_assert_int_eq(change, bisect(at - 3600, at) * USEC_PER_SEC);
            change = zone_next_change(under_test.zone, change);
            changes++;
        }
        offset = next_offset;
    }
    ck_assert_int_ge(changes, 1);
    zones_destroy(zones);
}
END_TEST

START_TEST(the_rule_holds_to_the_end_of_the_calendar)
{
    static const char *const samples[] = {"Europe/Berlin", "Australia/Lord_Howe", "America/Santiago", "Asia/Gaza",
                                          "Europe/Dublin", "America/Nuuk",        "Africa/Cairo",     "Asia/Tokyo"};
    static const int64_t years[] = {130, 390, 429, 467, 468, 1000, 3999, 8028};
    struct zones *zones = zones_create();
    for (size_t i = 0; i < COUNT_OF(samples); i++) {
        begin(zones, samples[i]);
        for (size_t j = 0; j < COUNT_OF(years); j++) {
            int64_t start = years[j] * (365 * 400 + 97) / 400 * DAY;
            int changes = compare_span(start, start + 365 * DAY, DAY - 37);
            ck_assert_int_eq(changes, strcmp(samples[i], "Asia/Tokyo") == 0 ? 0 : 2);
        }
    }
    zones_destroy(zones);
}
END_TEST

/* Rules that no zone has at present. The C library decides by the year of UTC, so none here changes near a new year. */
START_TEST(any_rule_agrees_with_the_c_library)
{
    static const char *const rules[] = {
        "AAA-1BBB,J60/2,J300/3:30",
        "AAA-1BBB,59/2,299/3:30:15",
        "AAA10BBB,J304/0,J70/0",
        "<-0330>3:30<+05>-5,M4.1.0,M9.5.6",
        "AAA0BBB-0:20,M3.2.3/167,M10.5.0/-167",
        "AAA-12:44:59BBB,M10.1.1/-24,M2.5.6/24",
        "AAA-1BBB0,M10.5.0,M3.5.0/1",
        "AAA24BBB23,J100,J200",
        "AAA-24BBB-24:59:59,J100,J200",
        "<+07>-7",
        "AAA3BBB,M4.5.1/26,M8.1.0/0:0:1",
    };
    for (size_t i = 0; i < COUNT_OF(rules); i++) {
        struct zone *zone = tzif_read_rule(rules[i]);
        under_test.zone = zone;
        under_test.name = rules[i];
        setenv("TZ", rules[i], 1);
        tzset();
        compare_span(YEAR_2038, YEAR_2100, DAY - 37);
        zone_drop(zone);
    }
}
END_TEST

START_TEST(the_time_before_1970_agrees_too)
{
    struct zones *zones = zones_create();
    begin(zones, interesting[_i]);
    compare_span(-120 * 365 * DAY, YEAR_1970, DAY - 37);
    zones_destroy(zones);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("zone_glibc");
    TCase *tests = tcase_create("zone_glibc");
    tcase_set_timeout(tests, 120);
    tcase_add_loop_test(tests, every_zone_agrees_with_the_c_library_from_1970_to_2100, 0, SHARES);
    tcase_add_loop_test(tests, strange_zones_have_no_other_changes_than_an_hourly_look_finds, 0,
                        (int)COUNT_OF(interesting));
    tcase_add_test(tests, the_rule_holds_to_the_end_of_the_calendar);
    tcase_add_test(tests, any_rule_agrees_with_the_c_library);
    tcase_add_loop_test(tests, the_time_before_1970_agrees_too, 0, (int)COUNT_OF(interesting));
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
