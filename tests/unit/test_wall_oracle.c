/* SPDX-License-Identifier: PostgreSQL */
/* The oracle of slots in zones is believed because it says what people say of days they know, and the comparison
 * with it because it sees schedules that are wrong. */
#include <check.h>
#include <stdio.h>
#include <string.h>
#include <time.h>

#include "base/memory.h"
#include "calendar/schedule.h"
#include "calendar/zone.h"
#include "support/process/suite.h"
#include "support/schedule/slot_comparison.h"
#include "support/schedule/wall_oracle.h"

#define DAY INT64_C(86400)

static int64_t utc(int year, int month, int day)
{
    struct tm tm = {.tm_year = year - 1900, .tm_mon = month - 1, .tm_mday = day};
    return timegm(&tm);
}

struct rules {
    enum dst_gap gap;
    enum dst_overlap overlap;
};

static void tear_down(void)
{
    wall_zone(NULL);
}

static struct wall_values every_minute(void)
{
    struct wall_values values = {.seconds = {true}};
    memset(values.minutes, true, sizeof(values.minutes));
    memset(values.hours, true, sizeof(values.hours));
    memset(values.days, true, sizeof(values.days));
    memset(values.months, true, sizeof(values.months));
    memset(values.weekdays, true, sizeof(values.weekdays));
    return values;
}

static struct wall_values daily_at(int hour, int minute)
{
    struct wall_values values = every_minute();
    memset(values.hours, false, sizeof(values.hours));
    memset(values.minutes, false, sizeof(values.minutes));
    values.hours[hour] = true;
    values.minutes[minute] = true;
    values.fixed = true;
    return values;
}

/* The minutes of a UTC day that the oracle finds; at most `limit`. */
static size_t minutes_of_day(const char *zone, int64_t day, const struct wall_values *values, struct rules rules,
                             int *minutes, size_t limit)
{
    wall_zone(zone);
    struct wall_window *window = wall_window_create(day - DAY, day + 2 * DAY, false);
    const struct wall_slots *slots = wall_slots(window, values, rules.gap, rules.overlap);
    size_t count = 0;
    for (size_t i = 0; i < slots->count && count < limit; i++) {
        if (slots->seconds[i] >= day && slots->seconds[i] < day + DAY) {
            minutes[count++] = (int)((slots->seconds[i] - day) / 60);
        }
    }
    wall_window_destroy(window);
    return count;
}

/* What the oracle says of a UTC day is "01:00 01:30". */
static void check_fact(const char *zone, int64_t day, const struct wall_values *values, struct rules rules,
                       const char *expected)
{
    int minutes[20];
    char text[128] = "";
    size_t used = 0;
    size_t count = minutes_of_day(zone, day, values, rules, minutes, COUNT_OF(minutes));
    for (size_t i = 0; i < count; i++) {
        used += (size_t)snprintf(text + used, sizeof(text) - used, "%s%02d:%02d", i > 0 ? " " : "", minutes[i] / 60,
                                 minutes[i] % 60);
    }
    ck_assert_msg(strcmp(text, expected) == 0, "%s: the oracle says \"%s\", people \"%s\"", zone, text, expected);
}

static const struct rules run_first = {DST_GAP_RUN, DST_OVERLAP_FIRST};
static const struct rules run_last = {DST_GAP_RUN, DST_OVERLAP_LAST};
static const struct rules run_both = {DST_GAP_RUN, DST_OVERLAP_BOTH};
static const struct rules skip_first = {DST_GAP_SKIP, DST_OVERLAP_FIRST};

START_TEST(the_oracle_knows_what_people_mean_by_a_gap)
{
    struct wall_values half_past_two = daily_at(2, 30);
    check_fact("Europe/Berlin", utc(2026, 3, 28), &half_past_two, run_first, "01:30");
    check_fact("Europe/Berlin", utc(2026, 3, 29), &half_past_two, run_first, "01:00");
    check_fact("Europe/Berlin", utc(2026, 3, 29), &half_past_two, skip_first, "");
    check_fact("Europe/Berlin", utc(2026, 3, 30), &half_past_two, skip_first, "00:30");
    struct wall_values two_to_four = daily_at(2, 30); /* 0,30 2-3 * * *: three times are one slot */
    two_to_four.minutes[0] = two_to_four.hours[3] = true;
    check_fact("Europe/Berlin", utc(2026, 3, 29), &two_to_four, run_first, "01:00 01:30");
    check_fact("Europe/Berlin", utc(2026, 3, 29), &two_to_four, skip_first, "01:00 01:30");
    two_to_four.minutes[0] = false;
    check_fact("Europe/Berlin", utc(2026, 3, 29), &two_to_four, run_first, "01:00 01:30");
    check_fact("Europe/Berlin", utc(2026, 3, 29), &two_to_four, skip_first, "01:30");
    struct wall_values midnight = daily_at(0, 0);
    check_fact("America/Sao_Paulo", utc(2018, 11, 4), &midnight, run_first, "03:00");
    check_fact("America/Sao_Paulo", utc(2018, 11, 4), &midnight, skip_first, "");
    struct wall_values quarter_past_two = daily_at(2, 15);
    check_fact("Australia/Lord_Howe", utc(2026, 10, 3), &quarter_past_two, run_first, "15:30");
    check_fact("Australia/Lord_Howe", utc(2026, 10, 3), &quarter_past_two, skip_first, "");
    struct wall_values lost_day = daily_at(5, 0); /* 0 5 30 12 * */
    memset(lost_day.days, false, sizeof(lost_day.days));
    lost_day.days[30] = true;
    check_fact("Pacific/Apia", utc(2011, 12, 30), &lost_day, run_first, "10:00");
    check_fact("Pacific/Apia", utc(2011, 12, 30), &lost_day, skip_first, "");
}
END_TEST

START_TEST(the_oracle_knows_what_people_mean_by_a_time_that_comes_twice)
{
    struct wall_values half_past_one = daily_at(1, 30);
    check_fact("America/New_York", utc(2026, 11, 1), &half_past_one, run_first, "05:30");
    check_fact("America/New_York", utc(2026, 11, 1), &half_past_one, run_last, "06:30");
    check_fact("America/New_York", utc(2026, 11, 1), &half_past_one, run_both, "05:30 06:30");
    struct wall_values quarter_to_two = daily_at(1, 45);
    check_fact("Australia/Lord_Howe", utc(2026, 4, 4), &quarter_to_two, run_first, "14:45");
    check_fact("Australia/Lord_Howe", utc(2026, 4, 4), &quarter_to_two, run_last, "15:15");
    check_fact("Australia/Lord_Howe", utc(2026, 4, 4), &quarter_to_two, run_both, "14:45 15:15");
    half_past_one.fixed = false; /* as if the hour were "*,1": every time that shows half past one */
    check_fact("America/New_York", utc(2026, 11, 1), &half_past_one, run_first, "05:30 06:30");
}
END_TEST

static void check_count(const char *zone, int64_t day, const struct wall_values *values, size_t expected)
{
    int minutes[1441];
    ck_assert_uint_eq(minutes_of_day(zone, day, values, run_first, minutes, COUNT_OF(minutes)), expected);
}

START_TEST(the_oracle_keeps_half_hours_through_both_changes)
{
    struct wall_values half_hours = every_minute();
    memset(half_hours.minutes, false, sizeof(half_hours.minutes));
    half_hours.minutes[0] = half_hours.minutes[30] = true;
    check_count("Europe/Berlin", utc(2026, 3, 29), &half_hours, 48);
    check_count("Europe/Berlin", utc(2026, 10, 25), &half_hours, 48);
    check_count("Australia/Lord_Howe", utc(2026, 10, 3), &half_hours, 48);
    half_hours.fixed = true; /* as if it were 0,30 0-23: the second hour is left out */
    check_count("Europe/Berlin", utc(2026, 3, 29), &half_hours, 48);
    check_count("Europe/Berlin", utc(2026, 10, 25), &half_hours, 46);
}
END_TEST

START_TEST(the_oracle_knows_days)
{
    struct wall_values last_day = daily_at(12, 0); /* 0 12 $ * * */
    memset(last_day.days, false, sizeof(last_day.days));
    last_day.last_day = true;
    check_fact("UTC", utc(2028, 2, 29), &last_day, run_first, "12:00");
    check_fact("UTC", utc(2028, 2, 28), &last_day, run_first, "");
    check_fact("UTC", utc(2026, 2, 28), &last_day, run_first, "12:00");
    struct wall_values friday_13 = daily_at(12, 0); /* 0 12 13 * 5 */
    memset(friday_13.days, false, sizeof(friday_13.days));
    memset(friday_13.weekdays, false, sizeof(friday_13.weekdays));
    friday_13.days[13] = friday_13.weekdays[5] = true;
    check_fact("UTC", utc(2026, 3, 13), &friday_13, run_first, "12:00");
    check_fact("UTC", utc(2026, 3, 20), &friday_13, run_first, "");
    friday_13.either_day = true;
    check_fact("UTC", utc(2026, 3, 20), &friday_13, run_first, "12:00");
    check_fact("UTC", utc(2026, 6, 13), &friday_13, run_first, "12:00");
    check_fact("UTC", utc(2026, 6, 14), &friday_13, run_first, "");
}
END_TEST

START_TEST(a_difference_is_noticed)
{
    struct schedule schedule;
    struct wall_values values = daily_at(2, 30);
    const struct zone *berlin = NULL;
    struct zones *zones = zones_create();
    ck_assert(zones_find(zones, "Europe/Berlin", &berlin, NULL));
    ck_assert(schedule_parse("30 2 * * *", &schedule, NULL));
    schedule_set_zone(&schedule, berlin, DST_GAP_RUN, DST_OVERLAP_FIRST);
    wall_zone("Europe/Berlin");
    struct wall_window *window = wall_window_create(utc(2026, 3, 28), utc(2026, 3, 31), false);
    struct slot_comparison comparison = {.window = window, .schedule = &schedule};
    comparison.slots = wall_slots(window, &values, DST_GAP_RUN, DST_OVERLAP_FIRST);
    ck_assert(slots_same_forwards(&comparison) && slots_same_backwards(&comparison));
    ck_assert(slots_same_count(&comparison, INT64_MAX) && slots_same_notes(&comparison));
    schedule.dst_gap = DST_GAP_SKIP;
    ck_assert(!slots_same_forwards(&comparison) && !slots_same_backwards(&comparison) &&
              !slots_same_count(&comparison, INT64_MAX));
    schedule_set_zone(&schedule, NULL, DST_GAP_RUN, DST_OVERLAP_FIRST);
    ck_assert(!slots_same_forwards(&comparison) && !slots_same_backwards(&comparison) &&
              !slots_same_notes(&comparison));
    schedule_set_zone(&schedule, berlin, DST_GAP_RUN, DST_OVERLAP_FIRST);
    schedule.minutes |= UINT64_C(1) << 31;
    ck_assert(!slots_same_forwards(&comparison) && !slots_same_backwards(&comparison) &&
              !slots_same_count(&comparison, INT64_MAX));
    ck_assert_ptr_nonnull(strstr(comparison.difference, "schedule_count"));
    wall_window_destroy(window);
    zones_destroy(zones);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("wall_oracle");
    TCase *tests = tcase_create("wall_oracle");
    tcase_add_checked_fixture(tests, NULL, tear_down);
    tcase_add_test(tests, the_oracle_knows_what_people_mean_by_a_gap);
    tcase_add_test(tests, the_oracle_knows_what_people_mean_by_a_time_that_comes_twice);
    tcase_add_test(tests, the_oracle_keeps_half_hours_through_both_changes);
    tcase_add_test(tests, the_oracle_knows_days);
    tcase_add_test(tests, a_difference_is_noticed);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
