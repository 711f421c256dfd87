/* SPDX-License-Identifier: PostgreSQL */
/* schedule_count does not look at slots one by one, so it is compared with a walk that does: schedule_next, which other
 * tests compare with the C library. CHIME_TEST_SEED repeats a run, CHIME_TEST_MORE multiplies the expressions. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "base/text.h"
#include "calendar/schedule.h"
#include "support/process/suite.h"
#include "support/schedule/random_schedule.h"

#define DEFAULT_SEED UINT64_C(20261025)
#define MOST_SLOTS 3000
#define FIRST_SECOND INT64_C(-62135596800) /* the year 1 starts */
#define LAST_SECOND INT64_C(253402300799)  /* the year 9999 ends */

static const char *const zone_names[] = {
    "UTC",
    "Europe/Berlin",
    "America/New_York",
    "Australia/Lord_Howe",
    "America/Sao_Paulo", /* gaps at midnight */
    "Africa/Cairo",
    "Pacific/Apia",      /* a day is skipped */
    "Pacific/Kwajalein", /* 23 hours come twice */
    "Africa/Casablanca", /* changes weeks apart */
    "Africa/Monrovia",   /* an offset with seconds */
    "Antarctica/Troll",
    "Europe/Dublin",
    "Asia/Kathmandu",
    "Pacific/Kiritimati",
    "Etc/GMT+12",
};

static struct random chance;
static uint64_t seed;
static struct zones *zones;
static instant slots[MOST_SLOTS];

/* What was compared, so that a test can say that it looked where it matters. */
static struct {
    int windows;
    int with_slots;
    int across_changes;
    int limited;
    int last_days;
} compared;

static int more(int count)
{
    const char *given = getenv("CHIME_TEST_MORE");
    return given != NULL ? count * atoi(given) : count;
}

static void set_up(void)
{
    const char *given = getenv("CHIME_TEST_SEED");
    seed = given != NULL ? strtoull(given, NULL, 10) : DEFAULT_SEED;
    chance.state = seed;
    zones = zones_create();
}

static void tear_down(void)
{
    zones_destroy(zones);
}

static const struct zone *find_zone(const char *name)
{
    const struct zone *zone = NULL;
    struct error err = {0};
    ck_assert_msg(zones_find(zones, name, &zone, &err), "%s: %s", name, err.message);
    return zone;
}

static struct schedule parsed(const char *text)
{
    struct schedule schedule = {.form = SCHEDULE_NONE};
    struct error err = {0};
    ck_assert_msg(schedule_parse(text, &schedule, &err), "%s: %s", text, err.message);
    return schedule;
}

/* --- one window --------------------------------------------------------------------------------------------------- */

/* The slots in (after, *until], one by one; *until is moved to the last that there is room for. */
static int64_t walk(const struct schedule *schedule, instant after, instant *until)
{
    int64_t count = 0;
    for (instant slot = schedule_next(schedule, after); slot <= *until && slot != INSTANT_NEVER;
         slot = schedule_next(schedule, slot)) {
        slots[count++] = slot;
        if (count == MOST_SLOTS) {
            *until = slot;
        }
    }
    return count;
}

static void check_count(const struct schedule *schedule, const char *text, instant after, instant until, int64_t limit,
                        int64_t expected)
{
    instant last = 0;
    int64_t count = schedule_count(schedule, after, until, limit, &last);
    instant expected_last = expected > 0 ? slots[expected - 1] : INSTANT_NONE;
    if (count != expected || last != expected_last) { /* every ck_assert writes to a pipe: too slow for each */
        ck_abort_msg("\"%s\" in %s, dst_gap %d, dst_overlap %d, CHIME_TEST_SEED=%llu, after %lld until %lld with limit "
                     "%lld: %lld with last %lld, not %lld with last %lld",
                     text, zone_name(schedule->zone), (int)schedule->dst_gap, (int)schedule->dst_overlap,
                     (unsigned long long)seed, (long long)after, (long long)until, (long long)limit, (long long)count,
                     (long long)last, (long long)expected, (long long)expected_last);
    }
}

static void check_window(const struct schedule *schedule, const char *text, instant after, instant until)
{
    int64_t count = walk(schedule, after, &until);
    check_count(schedule, text, after, until, INT64_MAX, count);
    check_count(schedule, text, after, until, count, count);
    check_count(schedule, text, after, until, 0, 0);
    if (count > 0) {
        int64_t limit = random_within(&chance, 1, count);
        check_count(schedule, text, after, until, limit, limit);
        check_count(schedule, text, after, slots[limit - 1], INT64_MAX, limit);
        check_count(schedule, text, after, slots[limit - 1] - 1, INT64_MAX, limit - 1);
        compared.limited += limit < count ? 1 : 0;
        compared.with_slots++;
    }
    compared.windows++;
    compared.across_changes += zone_next_change(schedule->zone, after) <= until ? 1 : 0;
}

/* --- many --------------------------------------------------------------------------------------------------------- */

/* From 1900 to 2100, or now and then anywhere in the calendar. */
static instant random_instant(void)
{
    bool far = random_chance(&chance, 10);
    int64_t low = far ? FIRST_SECOND : INT64_C(-2208988800);
    int64_t high = far ? LAST_SECOND : INT64_C(4102444800);
    return random_within(&chance, low, high) * USEC_PER_SEC +
           (random_chance(&chance, 50) ? 0 : random_within(&chance, 0, 999999));
}

/* Mostly within some hours of a change of the clocks, often at it to the second. */
static instant random_start(const struct zone *zone)
{
    instant at = random_instant();
    instant change = zone_next_change(zone, at);
    if (change == INSTANT_NEVER || random_chance(&chance, 15)) {
        return at;
    }
    return random_chance(&chance, 25) ? change + random_within(&chance, -2, 2) * USEC_PER_SEC / 2
                                      : change + random_within(&chance, -30 * USEC_PER_HOUR, 4 * USEC_PER_HOUR);
}

static duration random_length(void)
{
    static const duration longest[] = {2 * USEC_PER_HOUR, 3 * USEC_PER_DAY, 60 * USEC_PER_DAY, 3000 * USEC_PER_DAY};
    return random_within(&chance, 0, longest[random_within(&chance, 0, COUNT_OF(longest) - 1)]);
}

static void compare_random(const struct zone *zone)
{
    instant after = random_start(zone);
    struct wall_reading focus = wall_read((after + zone_offset(zone, after)) / USEC_PER_SEC);
    struct random_schedule expression = random_schedule(&chance, random_chance(&chance, 50), &focus);
    struct schedule schedule;
    if (!schedule_parse(expression.text, &schedule, NULL)) {
        return; /* no such day */
    }
    schedule_set_zone(&schedule, zone, (enum dst_gap)random_within(&chance, 0, 1),
                      (enum dst_overlap)random_within(&chance, 0, 2));
    compared.last_days += schedule.last_day ? 1 : 0;
    for (int i = 0; i < 3; i++) {
        check_window(&schedule, expression.text, after, after + random_length());
        after = random_start(zone);
    }
}

START_TEST(counts_equal_a_walk_whatever_the_expression_zone_and_window)
{
    for (int i = 0; i < more(6000); i++) {
        compare_random(find_zone(zone_names[(size_t)i % COUNT_OF(zone_names)]));
    }
    ck_assert_int_gt(compared.windows, 15000);
    ck_assert_int_gt(compared.with_slots, 7000);
    ck_assert_int_gt(compared.across_changes, 5000);
    ck_assert_int_gt(compared.limited, 5000);
    ck_assert_int_gt(compared.last_days, 200);
}
END_TEST

START_TEST(counts_equal_a_walk_at_the_ends_of_the_calendar)
{
    static const char *const texts[] = {"*/7 * * * *", "0,30 0-23 * * *", "59 59 23 $ * *", "0 0 1 1 *", "5 4 29 2 *"};
    for (size_t i = 0; i < COUNT_OF(zone_names) * COUNT_OF(texts); i++) {
        const char *text = texts[i / COUNT_OF(zone_names)];
        struct schedule schedule = parsed(text);
        schedule_set_zone(&schedule, find_zone(zone_names[i % COUNT_OF(zone_names)]), DST_GAP_RUN, DST_OVERLAP_FIRST);
        instant first = FIRST_SECOND * USEC_PER_SEC;
        instant last = LAST_SECOND * USEC_PER_SEC;
        check_window(&schedule, text, INSTANT_NONE, first + 9 * USEC_PER_DAY);
        check_window(&schedule, text, first - 1, first);
        check_window(&schedule, text, last - 9 * USEC_PER_DAY, INSTANT_NEVER);
        check_window(&schedule, text, INSTANT_NEVER, INSTANT_NEVER);
        check_window(&schedule, text, INSTANT_NONE, INSTANT_NONE);
    }
}
END_TEST

/* --- long outages ------------------------------------------------------------------------------------------------- */

#define YEAR_2000 (INT64_C(946684800) * USEC_PER_SEC)
#define CENTURY (INT64_C(36525) * USEC_PER_DAY)

/* Berlin's hours that come twice make up for those that are skipped; a fixed schedule has neither. */
START_TEST(a_century_of_seconds_is_counted_without_being_walked)
{
    struct schedule each = parsed("* * * * * *");
    struct schedule fixed = parsed("0-59 0-59 0-23 * * *");
    instant last;
    schedule_set_zone(&each, find_zone("Europe/Berlin"), DST_GAP_RUN, DST_OVERLAP_FIRST);
    schedule_set_zone(&fixed, find_zone("Europe/Berlin"), DST_GAP_SKIP, DST_OVERLAP_FIRST);
    for (int round = 0; round < 100; round++) { /* a walk would take hours */
        instant after = YEAR_2000 - 1 + round;
        ck_assert_int_eq(schedule_count(&each, after, after + CENTURY, INT64_MAX, &last), CENTURY / USEC_PER_SEC);
        ck_assert_int_eq(schedule_count(&fixed, after, after + CENTURY, INT64_MAX, &last),
                         CENTURY / USEC_PER_SEC - 100 * INT64_C(3600));
        ck_assert_int_eq(schedule_count(&fixed, after, after + CENTURY, 3000000000, &last), 3000000000);
        instant second_last;
        ck_assert_int_eq(schedule_count(&fixed, after, last, INT64_MAX, &second_last), 3000000000);
        ck_assert_int_eq(last, second_last);
    }
}
END_TEST

START_TEST(the_whole_calendar_is_the_sum_of_its_parts)
{
    for (size_t i = 0; i < COUNT_OF(zone_names); i++) {
        struct schedule schedule = parsed("*/7 0-59/3 1-23/2 * * mon-fri");
        instant last;
        schedule_set_zone(&schedule, find_zone(zone_names[i]), DST_GAP_RUN, DST_OVERLAP_LAST);
        int64_t whole = schedule_count(&schedule, INSTANT_NONE, INSTANT_NEVER, INT64_MAX, &last);
        int64_t sum = 0;
        for (instant from = FIRST_SECOND * USEC_PER_SEC - 1; from < LAST_SECOND * USEC_PER_SEC;) {
            instant until = from + random_within(&chance, 1, 4 * CENTURY);
            sum += schedule_count(&schedule, from, until, INT64_MAX, &last);
            from = until;
        }
        ck_assert_int_gt(whole, INT64_C(1000000000));
        ck_assert_int_eq(sum, whole);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("schedule_count");
    TCase *tests = tcase_create("schedule_count");
    tcase_set_timeout(tests, 120);
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, counts_equal_a_walk_whatever_the_expression_zone_and_window);
    tcase_add_test(tests, counts_equal_a_walk_at_the_ends_of_the_calendar);
    tcase_add_test(tests, a_century_of_seconds_is_counted_without_being_walked);
    tcase_add_test(tests, the_whole_calendar_is_the_sum_of_its_parts);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
