/* SPDX-License-Identifier: PostgreSQL */
/* The rule in a file's footer. Rules are compared with the C library too, in test_zone_glibc.c. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "calendar/zone.h"
#include "support/process/instants.h"
#include "support/process/suite.h"
#include "support/schedule/tzif.h"

#define HOUR 3600

START_TEST(rules_that_are_none_are_refused)
{
    static const char *const wrong[] = {
        "C",
        "CE1",
        "CET",
        "CET-",
        "CET-25",
        "CET-1:60",
        "CET-1:00:60",
        "CET-1:",
        "CET-1:00:",
        "-1CET",
        "CET-1 ",
        "CET-1CE",
        "CET-1CEST-",
        "CET-1CEST,",
        "CET-1CEST,M3.5.0",
        "CET-1CEST,M3.5.0,",
        "CET-1CEST,M3.5.0,M10.5.0,",
        "CET-1CEST,M3.5.0,M10.5.0/",
        "CET-1CEST,M3.5.0,M10.5.0/168",
        "CET-1CEST,M3.5.0/-168,M10.5.0",
        "CET-1CEST,M3.5.0,M10.5.0/3x",
        "CET-1CEST,M0.5.0,M10.5.0",
        "CET-1CEST,M13.5.0,M10.5.0",
        "CET-1CEST,M3.0.0,M10.5.0",
        "CET-1CEST,M3.6.0,M10.5.0",
        "CET-1CEST,M3.5.7,M10.5.0",
        "CET-1CEST,M3.5,M10.5.0",
        "CET-1CEST,J0,J200",
        "CET-1CEST,J366,J200",
        "CET-1CEST,100,366",
        "CET-1CEST,100,-1",
        "CET-1CEST,J,J",
        "CET-1CEST,1000,1",
        "<CET-1",
        "<CE>-1",
        "<>-1",
        "<+01>",
        "<C_T>-1",
        "CET-1CEST,M3.5.0,M10.5.0\nX",
        "CET--1",
        "CET-0001",
        ":Europe/Berlin",
        "<AAAAAAAAAAAAAAAAAAAAAAAAAAAAAAAA>0",
        "CET-1CEST,M3.5.0,M10.5.0/\xFF",
    };
    for (size_t i = 0; i < COUNT_OF(wrong); i++) {
        struct tzif file = tzif_berlin;
        file.footer = wrong[i];
        tzif_check_refused(&file, "footer");
    }
}
END_TEST

START_TEST(names_in_angle_brackets_and_offsets_with_seconds_are_read)
{
    struct zone *zone = tzif_read_rule("<-0330>3:30:15<+05-x>-5:00:01,J60/+1:02:03,J300/-1");
    ck_assert_str_eq(zone_abbreviation(zone, at("2026-01-01")), "-0330");
    ck_assert_int_eq(zone_offset(zone, at("2026-01-01")), -(3 * HOUR + 30 * 60 + 15) * USEC_PER_SEC);
    ck_assert_str_eq(zone_abbreviation(zone, at("2026-06-01")), "+05-x");
    ck_assert_int_eq(zone_offset(zone, at("2026-06-01")), (5 * HOUR + 1) * USEC_PER_SEC);
    ck_assert_instant(zone_next_change(zone, at("2026-01-01")), "2026-03-01T04:32:18Z");
    ck_assert_instant(zone_next_change(zone, at("2026-06-01")), "2026-10-26T17:59:59Z");
    zone_drop(zone);
}
END_TEST

START_TEST(days_are_counted_with_and_without_the_leap_day)
{
    struct zone *zone = tzif_read_rule("AAA0BBB,J60/0,J300/1");
    ck_assert_instant(zone_next_change(zone, at("2027-01-01")), "2027-03-01T00:00:00Z");
    ck_assert_instant(zone_next_change(zone, at("2028-01-01")), "2028-03-01T00:00:00Z");
    zone_drop(zone);
    zone = tzif_read_rule("AAA0BBB,59/0,300/1");
    ck_assert_instant(zone_next_change(zone, at("2027-01-01")), "2027-03-01T00:00:00Z");
    ck_assert_instant(zone_next_change(zone, at("2028-01-01")), "2028-02-29T00:00:00Z");
    zone_drop(zone);
    zone = tzif_read_rule("AAA0BBB,J59/0,J200/1");
    ck_assert_instant(zone_next_change(zone, at("2028-01-01")), "2028-02-28T00:00:00Z");
    zone_drop(zone);
}
END_TEST

START_TEST(a_rule_without_dates_means_those_of_the_usa)
{
    struct zone *zone = tzif_read_rule("XXX5YYY");
    struct zone *spelled_out = tzif_read_rule("XXX5YYY,M3.2.0/2,M11.1.0/2");
    instant change = zone_next_change(zone, at("2026-01-01"));
    ck_assert_instant(change, "2026-03-08T07:00:00Z");
    for (int i = 0; i < 100; i++) {
        ck_assert_int_eq(zone_next_change(spelled_out, change - 1), change);
        change = zone_next_change(zone, change);
    }
    zone_drop(zone);
    zone_drop(spelled_out);
}
END_TEST

static void check_constant(const char *rule, const char *abbreviation, duration offset)
{
    struct zone *zone = tzif_read_rule(rule);
    ck_assert_int_eq(zone_next_change(zone, INSTANT_NONE), INSTANT_NEVER);
    ck_assert_int_eq(zone_last_change(zone, INSTANT_NEVER), INSTANT_NONE);
    for (instant i = at("2000-01-01"); i < at("2400-01-01"); i += 20 * USEC_PER_DAY) {
        ck_assert_str_eq(zone_abbreviation(zone, i), abbreviation);
        ck_assert_int_eq(zone_offset(zone, i), offset);
    }
    ck_assert_str_eq(zone_abbreviation(zone, at("2027-12-31T23:59:59Z")), abbreviation);
    ck_assert_str_eq(zone_abbreviation(zone, at("2028-01-01T03:00:00Z")), abbreviation);
    zone_drop(zone);
}

START_TEST(daylight_saving_may_last_all_year_or_never_come)
{
    check_constant("XXX3EDT4,0/0,J365/23", "EDT", -4 * USEC_PER_HOUR);
    check_constant("EST5EDT,0/0,J365/25", "EDT", -4 * USEC_PER_HOUR);
    check_constant("EST5EDT,J1/-30,J365/100", "EDT", -4 * USEC_PER_HOUR);
    check_constant("EST5EDT,J100/2,J100/3", "EST", -5 * USEC_PER_HOUR);
    check_constant("EST5EDT,J365/100,J1/-100", "EST", -5 * USEC_PER_HOUR);
    check_constant("EST5", "EST", -5 * USEC_PER_HOUR);
}
END_TEST

START_TEST(a_day_of_the_rule_may_fall_into_another_year)
{
    struct zone *zone = tzif_read_rule("AAA0BBB,J365/100,J100/0");
    ck_assert_instant(zone_next_change(zone, at("2026-12-01")), "2027-01-04T04:00:00Z");
    ck_assert_instant(zone_last_change(zone, at("2027-02-01")), "2027-01-04T04:00:00Z");
    zone_drop(zone);
    zone = tzif_read_rule("AAA0BBB,J100/0,J1/-100");
    ck_assert_instant(zone_next_change(zone, at("2026-12-01")), "2026-12-27T19:00:00Z");
    zone_drop(zone);
}
END_TEST

START_TEST(in_the_south_daylight_saving_spans_the_new_year)
{
    struct zone *zone = tzif_read_rule("AEST-10AEDT,M10.1.0,M4.1.0/3");
    ck_assert_str_eq(zone_abbreviation(zone, at("2026-01-01")), "AEDT");
    ck_assert_str_eq(zone_abbreviation(zone, at("2026-07-01")), "AEST");
    ck_assert_instant(zone_next_change(zone, at("2026-01-01")), "2026-04-04T16:00:00Z");
    ck_assert_instant(zone_next_change(zone, at("2026-07-01")), "2026-10-03T16:00:00Z");
    zone_drop(zone);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("zone_rule");
    TCase *tests = tcase_create("zone_rule");
    tcase_add_test(tests, rules_that_are_none_are_refused);
    tcase_add_test(tests, names_in_angle_brackets_and_offsets_with_seconds_are_read);
    tcase_add_test(tests, days_are_counted_with_and_without_the_leap_day);
    tcase_add_test(tests, a_rule_without_dates_means_those_of_the_usa);
    tcase_add_test(tests, daylight_saving_may_last_all_year_or_never_come);
    tcase_add_test(tests, a_day_of_the_rule_may_fall_into_another_year);
    tcase_add_test(tests, in_the_south_daylight_saving_spans_the_new_year);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
