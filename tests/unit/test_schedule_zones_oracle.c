/* SPDX-License-Identifier: PostgreSQL */
/* Slots in zones are compared with an oracle that knows nothing of zone.c or of schedule_parse: the C library says
 * what the wall shows, minute by minute or second by second, and the rules of clock changes are applied to what it
 * says.
 * PGCHIME_TEST_SEED repeats a run, PGCHIME_TEST_MORE multiplies the expressions. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "base/memory.h"
#include "calendar/schedule.h"
#include "calendar/zone.h"
#include "support/process/suite.h"
#include "support/schedule/random_schedule.h"
#include "support/schedule/slot_comparison.h"
#include "support/schedule/wall_oracle.h"

#define HOUR INT64_C(3600)
#define DAY (24 * HOUR)
#define DEFAULT_SEED UINT64_C(20260329)

struct place {
    const char *zone;
    int year;
};

static const struct place places[] = {
    {"Europe/Berlin", 2026},
    {"America/New_York", 2026},
    {"Australia/Lord_Howe", 2026}, /* half an hour */
    {"America/Sao_Paulo", 2018},   /* a gap at midnight */
    {"Africa/Cairo", 2026},        /* so here, and an overlap before it */
    {"Asia/Beirut", 2026},
    {"America/Havana", 2026},
    {"Asia/Kathmandu", 1986}, /* a quarter of an hour, once */
    {"Asia/Kolkata", 2026},
    {"Pacific/Apia", 2011},       /* 30 December is skipped */
    {"Pacific/Kwajalein", 1993},  /* 21 August is */
    {"Pacific/Kiritimati", 1994}, /* 31 December is */
    {"Pacific/Kwajalein", 1969},  /* 23 hours come twice */
    {"Pacific/Chatham", 2026},
    {"Pacific/Norfolk", 2015},
    {"Africa/Casablanca", 2026}, /* the winter is the exception */
    {"Europe/Dublin", 2026},     /* so here */
    {"Antarctica/Troll", 2026},  /* two hours */
    {"Antarctica/Casey", 2020},  /* three hours */
    {"America/St_Johns", 2010},  /* at one minute past midnight */
    {"America/St_Johns", 1988},  /* two hours */
    {"Asia/Gaza", 2026},
    {"Asia/Tehran", 2022},
    {"Asia/Jerusalem", 2027},
    {"Africa/Monrovia", 1972},  /* from an offset with seconds */
    {"Europe/Amsterdam", 1937}, /* between two offsets with seconds */
    {"Europe/Lisbon", 1992},
    {"Europe/Moscow", 2014},
    {"Asia/Pyongyang", 2015},
    {"Asia/Pyongyang", 2018},
    {"America/Caracas", 2007},
    {"America/Caracas", 2016},
    {"America/Scoresbysund", 2024}, /* zone and summer time changed at once, to no effect */
    {"America/Nuuk", 2026},
    {"America/Santiago", 2026},
    {"UTC", 2026},
    {"Etc/GMT+12", 2026},
    /* past the last transition of their files: by the footer */
    {"Europe/Berlin", 2087},
    {"America/Los_Angeles", 2083},
    {"Australia/Lord_Howe", 2084},
    {"Africa/Cairo", 2088},
    {"America/Nuuk", 2085}, /* at a negative hour */
    {"Europe/Dublin", 2090},
    {"America/Havana", 2099},
    {"Australia/Sydney", 2037},    /* across the last transition, which is to summer time */
    {"America/New_York", 2438},    /* four hundred years later */
    {"Australia/Lord_Howe", 2837}, /* eight hundred */
    {"Europe/Berlin", 9998},
};

/* --- what a run of the tests has ---------------------------------------------------------------------------------- */

static struct random chance;
static uint64_t seed;
static struct zones *zones;

/* What was compared, so that a test can say that it looked where it matters. */
static struct {
    int expressions;
    int with_slots;
    size_t slots;
    size_t after_gap;
    size_t twice;
} compared;

static int more(int count)
{
    const char *given = getenv("PGCHIME_TEST_MORE");
    return given != NULL ? count * atoi(given) : count;
}

static void set_up(void)
{
    const char *given = getenv("PGCHIME_TEST_SEED");
    seed = given != NULL ? strtoull(given, NULL, 10) : DEFAULT_SEED;
    chance.state = seed;
    memset(&compared, 0, sizeof(compared));
    zones = zones_create();
}

static void tear_down(void)
{
    zones_destroy(zones);
    wall_zone(NULL);
}

static const struct zone *find_zone(const char *name)
{
    const struct zone *zone = NULL;
    struct error err = {0};
    ck_assert_msg(zones_find(zones, name, &zone, &err), "%s: %s", name, err.message);
    return zone;
}

static int64_t utc(int year, int month, int day)
{
    struct tm tm = {.tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = day};
    return timegm(&tm);
}

/* --- windows ------------------------------------------------------------------------------------------------------ */

/* Around each change of the clocks in the year, and around the ends of two months. */
struct windows {
    struct wall_window *windows[8];
    struct wall_reading focus[8]; /* where expressions should look */
    size_t count;
    size_t changes; /* the first so many are around one */
};

static void add_window(struct windows *windows, int64_t start, int64_t end, int64_t focus, bool by_second)
{
    windows->windows[windows->count] = wall_window_create(start, end, by_second);
    windows->focus[windows->count++] = wall_read(focus + wall_offset(focus));
}

/* There, or some days earlier when that is at the edge of a change. */
static void add_quiet_window(struct windows *windows, int64_t middle, int64_t length, bool by_second)
{
    while (!wall_edges_clear(middle - length, middle + length)) {
        middle -= 3 * DAY;
    }
    add_window(windows, middle - length, middle + length, middle, by_second);
}

/* Seconds the wall steps back there. */
static int64_t step_back(int64_t change)
{
    int64_t step = wall_offset(change - 1) - wall_offset(change);
    return step > 0 ? step : 0;
}

static struct windows open_windows(const struct place *place, bool by_second)
{
    wall_zone(place->zone);
    struct windows windows = {.count = 0};
    int64_t changes[6];
    size_t count = wall_changes(utc(place->year, 1, 1), utc(place->year + 1, 1, 1), changes, COUNT_OF(changes));
    for (size_t i = 0; i < count; i++) {
        int64_t wing = by_second ? 2 * HOUR + step_back(changes[i]) : 3 * DAY;
        add_window(&windows, changes[i] - wing, changes[i] + wing, changes[i], by_second);
    }
    windows.changes = windows.count;
    int64_t length = by_second ? HOUR : 2 * DAY;
    add_quiet_window(&windows, utc(place->year, 3, 1), length, by_second);
    add_quiet_window(&windows, utc(place->year + 1, 1, 1), length, by_second);
    return windows;
}

static void close_windows(struct windows *windows)
{
    for (size_t i = 0; i < windows->count; i++) {
        wall_window_destroy(windows->windows[i]);
    }
}

/* A wall time not far from a window's focus, mostly where the clocks change; perhaps one that nobody sees. */
static struct wall_reading look_somewhere(const struct windows *windows)
{
    size_t end = windows->changes > 0 && random_chance(&chance, 75) ? windows->changes : windows->count;
    size_t which = (size_t)random_within(&chance, 0, (int64_t)end - 1);
    return wall_read(windows->focus[which].time + random_within(&chance, -8, 4) * HOUR / 4);
}

/* --- comparison --------------------------------------------------------------------------------------------------- */

static void tally(const struct wall_slots *slots)
{
    compared.slots += slots->count;
    for (size_t i = 0; i < slots->count; i++) {
        compared.after_gap += (slots->reasons[i] & WALL_AFTER_GAP) != 0 ? 1 : 0;
        compared.twice += (slots->reasons[i] & (WALL_FIRST | WALL_SECOND)) != 0 ? 1 : 0;
    }
}

static bool same_slots(struct slot_comparison *comparison)
{
    tally(comparison->slots);
    return slots_same_forwards(comparison) && slots_same_backwards(comparison) &&
           slots_same_count(comparison, INT64_MAX) && slots_same_count(comparison, random_within(&chance, 1, 20)) &&
           slots_same_around(comparison, &chance);
}

static const char *const gap_names[] = {[DST_GAP_RUN] = "run", [DST_GAP_SKIP] = "skip"};
static const char *const overlap_names[] = {
    [DST_OVERLAP_FIRST] = "first", [DST_OVERLAP_LAST] = "last", [DST_OVERLAP_BOTH] = "both"};

static void report_difference(const struct slot_comparison *comparison, const char *zone, const char *text)
{
    ck_abort_msg("\"%s\" in %s, dst_gap %s, dst_overlap %s, PGCHIME_TEST_SEED=%llu, window %lld to %lld: %s", text,
                 zone, gap_names[comparison->schedule->dst_gap], overlap_names[comparison->schedule->dst_overlap],
                 (unsigned long long)seed, (long long)comparison->window->start, (long long)comparison->window->end,
                 comparison->difference);
}

/* --- expressions -------------------------------------------------------------------------------------------------- */

/* A refusal must be one that the oracle shares. */
static bool parse(const struct random_schedule *expression, struct schedule *schedule)
{
    struct error err = {0};
    bool possible = wall_has_day(&expression->values);
    bool read = schedule_parse(expression->text, schedule, &err);
    if (read != possible || (!read && strstr(err.message, "can never fire") == NULL)) {
        ck_abort_msg("\"%s\", PGCHIME_TEST_SEED=%llu: %s: %s", expression->text, (unsigned long long)seed,
                     possible ? "has days" : "has no day", read ? "was read" : err.message);
    }
    if (read && schedule->fixed != expression->values.fixed) {
        ck_abort_msg("\"%s\" is %s", expression->text, schedule->fixed ? "not fixed" : "fixed");
    }
    return read;
}

struct rules {
    enum dst_gap gap;
    enum dst_overlap overlap;
};

static const struct rules all_rules[] = {
    {DST_GAP_RUN, DST_OVERLAP_FIRST}, {DST_GAP_SKIP, DST_OVERLAP_LAST},  {DST_GAP_RUN, DST_OVERLAP_BOTH},
    {DST_GAP_RUN, DST_OVERLAP_LAST},  {DST_GAP_SKIP, DST_OVERLAP_FIRST}, {DST_GAP_SKIP, DST_OVERLAP_BOTH},
};

static void compare_window(const struct random_schedule *expression, struct schedule *schedule, const char *zone_name,
                           const struct zone *zone, struct wall_window *window)
{
    /* Rules are nothing to a schedule that is not fixed: one choice of them is as good as all. */
    size_t first = expression->values.fixed ? 0 : (size_t)random_within(&chance, 0, COUNT_OF(all_rules) - 1);
    size_t end = expression->values.fixed ? COUNT_OF(all_rules) : first + 1;
    for (size_t i = first; i < end; i++) {
        schedule_set_zone(schedule, zone, all_rules[i].gap, all_rules[i].overlap);
        struct slot_comparison comparison = {
            .window = window,
            .slots = wall_slots(window, &expression->values, all_rules[i].gap, all_rules[i].overlap),
            .schedule = schedule,
        };
        if (!same_slots(&comparison) || (expression->values.fixed && !slots_same_notes(&comparison))) {
            report_difference(&comparison, zone_name, expression->text);
        }
    }
}

static void compare_expression(const struct random_schedule *expression, const struct place *place,
                               const struct zone *zone, const struct windows *windows)
{
    struct schedule schedule;
    if (!parse(expression, &schedule)) {
        return;
    }
    size_t slots = compared.slots;
    for (size_t i = 0; i < windows->count; i++) {
        compare_window(expression, &schedule, place->zone, zone, windows->windows[i]);
    }
    compared.expressions++;
    compared.with_slots += compared.slots > slots ? 1 : 0;
}

static void compare_place(const struct place *place, bool six_fields, int count)
{
    const struct zone *zone = find_zone(place->zone);
    struct windows windows = open_windows(place, six_fields);
    for (int i = 0; i < count; i++) {
        struct wall_reading focus = look_somewhere(&windows);
        struct random_schedule expression = random_schedule(&chance, six_fields, &focus);
        compare_expression(&expression, place, zone, &windows);
    }
    close_windows(&windows);
}

static void print_compared(const char *what)
{
    if (getenv("PGCHIME_TEST_MORE") != NULL) {
        printf("%s: %d expressions, %d of them with slots; %zu slots, %zu after a gap, %zu that come twice\n", what,
               compared.expressions, compared.with_slots, compared.slots, compared.after_gap, compared.twice);
    }
}

START_TEST(five_fields_agree_minute_by_minute_around_every_change_of_the_clocks)
{
    for (size_t i = 0; i < COUNT_OF(places); i++) {
        compare_place(&places[i], false, more(50));
    }
    print_compared("five fields");
    ck_assert_int_ge(compared.expressions, 2000);
    ck_assert_int_ge(compared.with_slots, 1000);
    ck_assert_uint_ge(compared.after_gap, 300);
    ck_assert_uint_ge(compared.twice, 1000);
}
END_TEST

START_TEST(six_fields_agree_second_by_second_around_every_change_of_the_clocks)
{
    for (size_t i = 0; i < COUNT_OF(places); i++) {
        compare_place(&places[i], true, more(20));
    }
    print_compared("six fields");
    ck_assert_int_ge(compared.expressions, 500);
    ck_assert_int_ge(compared.with_slots, 100);
    ck_assert_uint_ge(compared.after_gap, 100);
    ck_assert_uint_ge(compared.twice, 1000);
}
END_TEST

/* --- a year ------------------------------------------------------------------------------------------------------- */

START_TEST(five_fields_agree_minute_by_minute_through_whole_years)
{
    static const struct place years[] = {
        {"Europe/Berlin", 2028}, {"Pacific/Apia", 2011}, {"America/Havana", 2093}, {"Asia/Kolkata", 2026}};
    for (size_t i = 0; i < COUNT_OF(years); i++) {
        const struct zone *zone = find_zone(years[i].zone);
        struct windows windows = {.count = 0};
        wall_zone(years[i].zone);
        int64_t start = utc(years[i].year, 1, 15);
        int64_t end = utc(years[i].year + 1, 1, 15);
        add_window(&windows, start, end, start, false);
        for (int round = 0; round < more(20); round++) {
            struct wall_reading focus = wall_read(random_within(&chance, start / DAY, end / DAY) * DAY);
            struct random_schedule expression = random_sparse_schedule(&chance, &focus);
            compare_expression(&expression, &years[i], zone, &windows);
        }
        close_windows(&windows);
    }
    print_compared("whole years");
    ck_assert_int_ge(compared.with_slots, 60);
}
END_TEST

/* --- the other forms ---------------------------------------------------------------------------------------------- */

static void compare_text(const char *text, const char *zone_name, const struct wall_window *window,
                         const struct wall_slots *slots, const struct rules *rules)
{
    struct schedule schedule;
    struct error err = {0};
    if (!schedule_parse(text, &schedule, &err)) {
        ck_abort_msg("%s: %s", text, err.message);
    }
    schedule_set_zone(&schedule, find_zone(zone_name), rules->gap, rules->overlap);
    struct slot_comparison comparison = {.window = window, .slots = slots, .schedule = &schedule};
    if (!same_slots(&comparison) || (schedule.at_is_wall && !slots_same_notes(&comparison))) {
        report_difference(&comparison, zone_name, text);
    }
}

static void compare_interval(const struct place *place, struct windows *windows, const char *text, int64_t seconds)
{
    for (size_t i = 0; i < windows->count; i++) {
        struct wall_window *window = windows->windows[i];
        compare_text(text, place->zone, window, wall_slots_every(window, seconds), &all_rules[0]);
    }
}

struct unit {
    const char *name;
    int64_t seconds;
    int64_t most; /* at most as many, mostly */
};

static void compare_random_interval(const struct place *place, struct windows *windows)
{
    static const struct unit units[] = {{"s", 1, 7200}, {"sec", 1, 86400},   {"min", 60, 120}, {"m", 60, 1440},
                                        {"h", HOUR, 5}, {"hours", HOUR, 48}, {"d", DAY, 40},   {"days", DAY, 36500}};
    const struct unit *unit = &units[random_within(&chance, 0, COUNT_OF(units) - 1)];
    int64_t number = random_within(&chance, 1, unit->most);
    char text[64];
    snprintf(text, sizeof(text), "@every %lld%s", (long long)number, unit->name);
    compare_interval(place, windows, text, number * unit->seconds);
}

START_TEST(intervals_agree_second_by_second_whatever_the_zone)
{
    static const struct place some[] = {
        {"UTC", 2026}, {"Europe/Berlin", 2026}, {"Pacific/Apia", 2011}, {"Europe/Amsterdam", 1937}};
    for (size_t i = 0; i < COUNT_OF(some); i++) {
        struct windows windows = open_windows(&some[i], true);
        for (int seconds = 1; seconds <= 59; seconds++) {
            char text[32];
            snprintf(text, sizeof(text), seconds % 2 == 0 ? "%d seconds" : "@every %ds", seconds);
            compare_interval(&some[i], &windows, text, seconds);
        }
        for (int round = 0; round < more(30); round++) {
            compare_random_interval(&some[i], &windows);
        }
        close_windows(&windows);
    }
    ck_assert_uint_ge(compared.slots, 100000);
}
END_TEST

static void compare_wall_time(const struct place *place, struct wall_window *window, const struct wall_reading *at)
{
    time_t time = (time_t)at->time;
    struct tm tm;
    char text[64];
    gmtime_r(&time, &tm);
    strftime(text, sizeof(text), at->second == 0 && random_chance(&chance, 50) ? "@at %F %H:%M" : "@at %F %T", &tm);
    for (size_t i = 0; i < COUNT_OF(all_rules); i++) {
        compare_text(text, place->zone, window, wall_slots_at(window, at->time, all_rules[i].gap, all_rules[i].overlap),
                     &all_rules[i]);
    }
}

/* A time with an offset of its own is that instant, whatever the zone's clock says. */
static void compare_real_time(const struct place *place, const struct wall_window *window)
{
    static const char *const offsets[] = {"Z", "+00", "+05:45", "-03:30", "-12"};
    static const int64_t minutes[] = {0, 0, 345, -210, -720};
    size_t which = (size_t)random_within(&chance, 0, COUNT_OF(offsets) - 1);
    int64_t second = random_within(&chance, window->start, window->end - 1);
    time_t shown = (time_t)(second + minutes[which] * 60);
    struct tm tm;
    char text[64];
    gmtime_r(&shown, &tm);
    size_t used = strftime(text, sizeof(text), "@at %F %T", &tm);
    snprintf(text + used, sizeof(text) - used, "%s", offsets[which]);
    unsigned char reason = WALL_SHOWN;
    struct wall_slots slots = {.count = 1, .seconds = &second, .reasons = &reason};
    compare_text(text, place->zone, window, &slots, &all_rules[which]);
}

START_TEST(single_times_agree_around_every_change_of_the_clocks)
{
    for (size_t i = 0; i < COUNT_OF(places); i++) {
        struct windows windows = open_windows(&places[i], true);
        for (int round = 0; round < more(20); round++) {
            size_t which = (size_t)random_within(&chance, 0, (int64_t)windows.count - 1);
            struct wall_window *window = windows.windows[which];
            int64_t some = random_within(&chance, 0, window->time_count - 1);
            int64_t time = window->times[some].reading.time;
            struct wall_reading at = wall_read(random_chance(&chance, 50) ? time : time - time % 60);
            compare_wall_time(&places[i], window, &at);
            compare_real_time(&places[i], window);
        }
        close_windows(&windows);
    }
    print_compared("single times");
    ck_assert_uint_ge(compared.after_gap, 100);
    ck_assert_uint_ge(compared.twice, 100);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("schedule_zones_oracle");
    TCase *tests = tcase_create("schedule_zones_oracle");
    tcase_set_timeout(tests, 250);
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, five_fields_agree_minute_by_minute_around_every_change_of_the_clocks);
    tcase_add_test(tests, six_fields_agree_second_by_second_around_every_change_of_the_clocks);
    tcase_add_test(tests, five_fields_agree_minute_by_minute_through_whole_years);
    tcase_add_test(tests, intervals_agree_second_by_second_whatever_the_zone);
    tcase_add_test(tests, single_times_agree_around_every_change_of_the_clocks);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
