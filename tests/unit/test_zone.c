/* SPDX-License-Identifier: PostgreSQL */
/* Looking things up in a zone: offsets, changes, wall times. Every zone of the machine is compared with the C library
 * in test_zone_glibc.c; files are test_zone_file.c, rules test_zone_rule.c, the folder of zones test_zones.c. */
#include <check.h>
#include <stdlib.h>

#include "calendar/zone.h"
#include "support/process/instants.h"
#include "support/process/suite.h"
#include "support/schedule/tzif.h"

#define HOUR 3600

START_TEST(transitions_to_the_second_decide_and_then_the_rule)
{
    struct zone *zone = tzif_read(&tzif_berlin);
    ck_assert_str_eq(zone_name(zone), "Test/Zone");
    ck_assert_int_eq(zone_offset(zone, at("1893-03-31T23:06:31.999999Z")), 3208 * USEC_PER_SEC);
    ck_assert_str_eq(zone_abbreviation(zone, at("1893-03-31T23:06:31Z")), "LMT");
    ck_assert_int_eq(zone_offset(zone, at("1893-03-31T23:06:32Z")), USEC_PER_HOUR);
    ck_assert_str_eq(zone_abbreviation(zone, at("1893-03-31T23:06:32Z")), "CET");
    ck_assert_int_eq(zone_offset(zone, at("1980-07-01")), 2 * USEC_PER_HOUR);
    ck_assert_int_eq(zone_offset(zone, at("1981-07-01")), 2 * USEC_PER_HOUR);
    ck_assert_instant(zone_next_change(zone, at("1981-07-01")), "1981-10-25T01:00:00Z");
    ck_assert_str_eq(zone_abbreviation(zone, at("2026-07-01")), "CEST");
    ck_assert_str_eq(zone_abbreviation(zone, at("2026-12-01")), "CET");
    zone_drop(zone);
}
END_TEST

START_TEST(before_the_first_transition_the_first_type_holds_even_if_it_is_daylight_saving)
{
    struct tzif file = tzif_berlin;
    struct tzif_type daylight = file.types[0];
    file.types[0] = file.types[2];
    file.types[2] = daylight;
    struct zone *zone = tzif_read(&file);
    ck_assert_str_eq(zone_abbreviation(zone, at("1800-01-01")), "CEST");
    ck_assert_int_eq(zone_offset(zone, INSTANT_NONE), 2 * USEC_PER_HOUR);
    zone_drop(zone);
}
END_TEST

START_TEST(transitions_beyond_the_calendar_count_for_what_lies_within)
{
    struct tzif file = tzif_berlin;
    file.transition_count = 3;
    file.transitions[0] = (struct tzif_transition){-(INT64_C(1) << 59), 1};
    file.transitions[1] = (struct tzif_transition){0, 2};
    file.transitions[2] = (struct tzif_transition){INT64_MAX, 1};
    struct zone *zone = tzif_read(&file);
    ck_assert_str_eq(zone_abbreviation(zone, INSTANT_NONE), "CET");
    ck_assert_int_eq(zone_next_change(zone, INSTANT_NONE), 0);
    ck_assert_int_eq(zone_next_change(zone, 0), INSTANT_NEVER);
    ck_assert_str_eq(zone_abbreviation(zone, INSTANT_NEVER), "CEST");
    zone_drop(zone);
    file.transitions[0].at = INT64_C(-62135596800); /* there is no instant before it at which it could be seen */
    zone = tzif_read(&file);
    ck_assert_str_eq(zone_abbreviation(zone, INSTANT_NONE), "CET");
    ck_assert_int_eq(zone_next_change(zone, INSTANT_NONE), 0);
    zone_drop(zone);
}
END_TEST

START_TEST(without_a_rule_the_last_type_stays)
{
    struct tzif file = tzif_berlin;
    file.footer = "";
    struct zone *zone = tzif_read(&file);
    ck_assert_str_eq(zone_abbreviation(zone, at("9999-12-31")), "CEST");
    ck_assert_int_eq(zone_next_change(zone, at("1981-07-01")), INSTANT_NEVER);
    zone_drop(zone);
}
END_TEST

START_TEST(without_transitions_the_rule_holds_always_and_without_a_rule_the_first_type)
{
    struct zone *zone = tzif_read_rule("CET-1CEST,M3.5.0,M10.5.0/3");
    ck_assert_str_eq(zone_abbreviation(zone, at("0001-07-01")), "CEST");
    ck_assert_instant(zone_next_change(zone, INSTANT_NONE), "0001-03-25T01:00:00Z");
    zone_drop(zone);
    struct tzif file = {.version = '2', .type_count = 2, .abbreviations = "ONE|TWO"};
    file.types[0].offset = -5 * HOUR;
    zone = tzif_read(&file);
    ck_assert_int_eq(zone_offset(zone, at("2026-07-01")), -5 * USEC_PER_HOUR);
    ck_assert_str_eq(zone_abbreviation(zone, at("2026-07-01")), "ONE");
    ck_assert_int_eq(zone_next_change(zone, INSTANT_NONE), INSTANT_NEVER);
    ck_assert_int_eq(zone_last_change(zone, INSTANT_NEVER), INSTANT_NONE);
    zone_drop(zone);
}
END_TEST

START_TEST(changes_go_on_to_the_year_9999_and_are_the_same_backwards)
{
    struct zone *zone = tzif_read(&tzif_berlin);
    int count = 0;
    instant last = INSTANT_NONE;
    for (instant next = zone_next_change(zone, last); next != INSTANT_NEVER; next = zone_next_change(zone, next)) {
        ck_assert_int_eq(zone_last_change(zone, next), next);
        ck_assert_int_eq(zone_last_change(zone, next - 1), last);
        ck_assert_int_ne(zone_offset(zone, next - 1), zone_offset(zone, next));
        last = next;
        count++;
    }
    ck_assert_int_eq(count, 3 + 2 * (9999 - 1980));
    ck_assert_instant(last, "9999-10-31T01:00:00Z");
    ck_assert_int_eq(zone_last_change(zone, INSTANT_NEVER), last);
    ck_assert_str_eq(zone_abbreviation(zone, INSTANT_NEVER), "CET");
    zone_drop(zone);
}
END_TEST

START_TEST(centuries_after_the_last_transition_only_changes_of_the_rule_are_seen)
{
    struct tzif file = tzif_berlin;
    file.transition_count = 1; /* 31 March 1893, when the rule changes nothing */
    struct zone *zone = tzif_read(&file);
    ck_assert_instant(zone_next_change(zone, INSTANT_NONE), "1893-03-31T23:06:32Z");
    for (int year = 2292; year < 9999; year += 400) {
        struct civil civil = {.year = year + 1, .month = 3, .day = 31, .hour = 23, .minute = 6, .second = 32};
        instant anniversary = civil_to_instant(&civil);
        struct civil summer = instant_to_civil(zone_last_change(zone, anniversary + USEC_PER_SEC));
        ck_assert_int_eq(summer.month, 3);
        ck_assert_int_eq(summer.day, 26); /* as in 1893: the last Sunday */
        ck_assert_int_eq(summer.hour, 1);
        ck_assert_int_eq(zone_last_change(zone, anniversary), civil_to_instant(&summer));
    }
    zone_drop(zone);
}
END_TEST

START_TEST(transitions_that_leave_the_offset_are_passed_over)
{
    struct tzif file = {
        .version = '2',
        .type_count = 4,
        .types = {{3600, 0, 0}, {3600, 1, 4}, {7200, 0, 8}, {7200, 1, 12}},
        .abbreviations = "ONE|ODD|TWO|TOD",
        .transition_count = 6,
        .transitions = {{1000, 1}, {2000, 0}, {3000, 3}, {4000, 2}, {5000, 0}, {6000, 1}},
        .footer = "ODD-1",
    };
    struct zone *zone = tzif_read(&file);
    ck_assert_int_eq(zone_next_change(zone, 0), 3000 * USEC_PER_SEC);
    ck_assert_int_eq(zone_next_change(zone, 3000 * USEC_PER_SEC), 5000 * USEC_PER_SEC);
    ck_assert_int_eq(zone_next_change(zone, 5000 * USEC_PER_SEC), INSTANT_NEVER);
    ck_assert_int_eq(zone_last_change(zone, 2999 * USEC_PER_SEC), INSTANT_NONE);
    ck_assert_int_eq(zone_last_change(zone, 4999 * USEC_PER_SEC), 3000 * USEC_PER_SEC);
    ck_assert_int_eq(zone_last_change(zone, INSTANT_NEVER), 5000 * USEC_PER_SEC);
    ck_assert_str_eq(zone_abbreviation(zone, 1500 * USEC_PER_SEC), "ODD");
    ck_assert_str_eq(zone_abbreviation(zone, 4500 * USEC_PER_SEC), "TWO");
    zone_drop(zone);
    zone = tzif_read_rule("AAA0BBB0,J100,J200");
    ck_assert_str_eq(zone_abbreviation(zone, at("2026-05-01")), "BBB");
    ck_assert_str_eq(zone_abbreviation(zone, at("3026-05-01")), "BBB");
    ck_assert_int_eq(zone_next_change(zone, INSTANT_NONE), INSTANT_NEVER);
    zone_drop(zone);
}
END_TEST

START_TEST(from_the_last_transition_on_the_rule_decides)
{
    struct tzif file = tzif_berlin;
    file.transition_count = 3; /* ends on 28 September 1980: the rule says 26 October */
    struct zone *zone = tzif_read(&file);
    ck_assert_str_eq(zone_abbreviation(zone, at("1980-09-28T00:59:59Z")), "CEST");
    ck_assert_str_eq(zone_abbreviation(zone, at("1980-09-28T01:00:00Z")), "CEST");
    ck_assert_instant(zone_next_change(zone, at("1980-07-01")), "1980-10-26T01:00:00Z");
    zone_drop(zone);
    file.transition_count = 4; /* ends on 29 March 1981, as the rule says: one change, not two */
    zone = tzif_read(&file);
    ck_assert_instant(zone_next_change(zone, at("1981-01-01")), "1981-03-29T01:00:00Z");
    ck_assert_instant(zone_next_change(zone, at("1981-03-29T01:00:00Z")), "1981-10-25T01:00:00Z");
    ck_assert_instant(zone_last_change(zone, at("1981-10-24")), "1981-03-29T01:00:00Z");
    zone_drop(zone);
}
END_TEST

/* --- wall times --------------------------------------------------------------------------------------------------- */

static const struct {
    const char *zone;
    const char *wall;
    enum zone_wall found;
    const char *first;
    const char *last;
} walls[] = {
    {"Europe/Berlin", "2026-03-29 01:59:59.999999", ZONE_WALL_ONCE, "2026-03-29T00:59:59.999999Z", NULL},
    {"Europe/Berlin", "2026-03-29 02:00", ZONE_WALL_GAP, "2026-03-29T01:00:00Z", NULL},
    {"Europe/Berlin", "2026-03-29 02:59:59.999999", ZONE_WALL_GAP, "2026-03-29T01:00:00Z", NULL},
    {"Europe/Berlin", "2026-03-29 03:00", ZONE_WALL_ONCE, "2026-03-29T01:00:00Z", NULL},
    {"Europe/Berlin", "2026-10-25 01:59:59.999999", ZONE_WALL_ONCE, "2026-10-24T23:59:59.999999Z", NULL},
    {"Europe/Berlin", "2026-10-25 02:00", ZONE_WALL_TWICE, "2026-10-25T00:00:00Z", "2026-10-25T01:00:00Z"},
    {"Europe/Berlin", "2026-10-25 02:59", ZONE_WALL_TWICE, "2026-10-25T00:59:00Z", "2026-10-25T01:59:00Z"},
    {"Europe/Berlin", "2026-10-25 03:00", ZONE_WALL_ONCE, "2026-10-25T02:00:00Z", NULL},
    {"Europe/Berlin", "2926-10-25 02:30", ZONE_WALL_ONCE, "2926-10-25T00:30:00Z", NULL},
    {"Europe/Berlin", "2926-10-27 02:30", ZONE_WALL_TWICE, "2926-10-27T00:30:00Z", "2926-10-27T01:30:00Z"},
    {"America/New_York", "2026-03-08 02:30", ZONE_WALL_GAP, "2026-03-08T07:00:00Z", NULL},
    {"America/New_York", "2026-11-01 01:30", ZONE_WALL_TWICE, "2026-11-01T05:30:00Z", "2026-11-01T06:30:00Z"},
    /* half an hour */
    {"Australia/Lord_Howe", "2026-10-04 02:15", ZONE_WALL_GAP, "2026-10-03T15:30:00Z", NULL},
    {"Australia/Lord_Howe", "2026-10-04 02:30", ZONE_WALL_ONCE, "2026-10-03T15:30:00Z", NULL},
    {"Australia/Lord_Howe", "2026-04-05 01:45", ZONE_WALL_TWICE, "2026-04-04T14:45:00Z", "2026-04-04T15:15:00Z"},
    {"Australia/Lord_Howe", "2026-04-05 01:15", ZONE_WALL_ONCE, "2026-04-04T14:15:00Z", NULL},
    /* at midnight */
    {"America/Sao_Paulo", "2018-11-04 00:00", ZONE_WALL_GAP, "2018-11-04T03:00:00Z", NULL},
    {"America/Sao_Paulo", "2018-11-04 01:00", ZONE_WALL_ONCE, "2018-11-04T03:00:00Z", NULL},
    {"America/Sao_Paulo", "2018-02-17 23:30", ZONE_WALL_TWICE, "2018-02-18T01:30:00Z", "2018-02-18T02:30:00Z"},
    {"Africa/Cairo", "2026-04-24 00:30", ZONE_WALL_GAP, "2026-04-23T22:00:00Z", NULL},
    {"Africa/Cairo", "2026-10-29 23:30", ZONE_WALL_TWICE, "2026-10-29T20:30:00Z", "2026-10-29T21:30:00Z"},
    {"Asia/Beirut", "2026-03-29 00:00", ZONE_WALL_GAP, "2026-03-28T22:00:00Z", NULL},
    /* a whole day left out, and one that came twice */
    {"Pacific/Apia", "2011-12-29 23:59", ZONE_WALL_ONCE, "2011-12-30T09:59:00Z", NULL},
    {"Pacific/Apia", "2011-12-30 00:00", ZONE_WALL_GAP, "2011-12-30T10:00:00Z", NULL},
    {"Pacific/Apia", "2011-12-30 23:59", ZONE_WALL_GAP, "2011-12-30T10:00:00Z", NULL},
    {"Pacific/Apia", "2011-12-31 00:00", ZONE_WALL_ONCE, "2011-12-30T10:00:00Z", NULL},
    {"Pacific/Kwajalein", "1993-08-21 12:00", ZONE_WALL_GAP, "1993-08-21T12:00:00Z", NULL},
    {"Pacific/Apia", "1892-07-04 12:00", ZONE_WALL_TWICE, "1892-07-03T23:26:56Z", "1892-07-04T23:26:56Z"},
    /* a quarter of an hour; odd seconds; winter's time is the one that is moved */
    {"Asia/Kathmandu", "1986-01-01 00:10", ZONE_WALL_GAP, "1985-12-31T18:30:00Z", NULL},
    {"Africa/Monrovia", "1972-01-07 00:44:29", ZONE_WALL_GAP, "1972-01-07T00:44:30Z", NULL},
    {"Africa/Monrovia", "1972-01-07 00:44:30", ZONE_WALL_ONCE, "1972-01-07T00:44:30Z", NULL},
    {"Europe/Dublin", "2026-03-29 01:30", ZONE_WALL_GAP, "2026-03-29T01:00:00Z", NULL},
    {"Europe/Dublin", "2026-10-25 01:30", ZONE_WALL_TWICE, "2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z"},
    {"Antarctica/Troll", "2026-03-29 02:00", ZONE_WALL_GAP, "2026-03-29T01:00:00Z", NULL},
    {"Antarctica/Troll", "2026-10-25 02:00", ZONE_WALL_TWICE, "2026-10-25T00:00:00Z", "2026-10-25T02:00:00Z"},
    {"America/St_Johns", "2006-10-29 00:00:30", ZONE_WALL_TWICE, "2006-10-29T02:30:30Z", "2006-10-29T03:30:30Z"},
    {"UTC", "2026-03-29 02:30", ZONE_WALL_ONCE, "2026-03-29T02:30:00Z", NULL},
};

START_TEST(wall_times_are_found_once_twice_or_not_at_all)
{
    unsetenv("TZDIR");
    struct zones *zones = zones_create();
    const struct zone *zone = NULL;
    struct error err = {.kind = ERROR_NONE};
    ck_assert_msg(zones_find(zones, walls[_i].zone, &zone, &err), "%s", err.message);
    struct civil civil = instant_to_civil(at(walls[_i].wall));
    instant first = 0;
    instant last = 0;
    ck_assert_int_eq(zone_from_civil(zone, &civil, &first, &last), walls[_i].found);
    ck_assert_instant(first, walls[_i].first);
    ck_assert_instant(last, walls[_i].last != NULL ? walls[_i].last : walls[_i].first);
    zones_destroy(zones);
}
END_TEST

START_TEST(an_instant_is_shown_by_the_wall_clock_with_its_weekday)
{
    struct zone *zone = tzif_read_rule("AEST-10AEDT,M10.1.0,M4.1.0/3");
    struct civil civil = zone_to_civil(zone, at("2026-12-31T13:00:00.000001Z"));
    ck_assert_int_eq(civil.year, 2027);
    ck_assert_int_eq(civil.month, 1);
    ck_assert_int_eq(civil.day, 1);
    ck_assert_int_eq(civil.hour, 0);
    ck_assert_int_eq(civil.usec, 1);
    ck_assert_int_eq(civil.weekday, 5);
    zone_drop(zone);
}
END_TEST

/* Changes a few hours apart: the first and the last of the instants, and the first change that skips. */
START_TEST(wall_times_near_several_changes_are_found)
{
    struct tzif file = {
        .version = '2',
        .type_count = 2,
        .types = {{0, 0, 0}, {2 * HOUR, 0, 4}},
        .abbreviations = "ONE|TWO",
        .transition_count = 3,
        .transitions = {{0, 1}, {HOUR, 0}, {2 * HOUR, 1}},
    };
    struct zone *zone = tzif_read(&file);
    struct civil civil = instant_to_civil(2 * USEC_PER_HOUR + 1);
    instant first = 0;
    instant last = 0;
    ck_assert_int_eq(zone_from_civil(zone, &civil, &first, &last), ZONE_WALL_ONCE);
    ck_assert_int_eq(first, 1);
    civil = instant_to_civil(USEC_PER_HOUR + 1);
    ck_assert_int_eq(zone_from_civil(zone, &civil, &first, &last), ZONE_WALL_ONCE);
    ck_assert_int_eq(first, USEC_PER_HOUR + 1);
    civil = instant_to_civil(1);
    ck_assert_int_eq(zone_from_civil(zone, &civil, &first, &last), ZONE_WALL_GAP);
    ck_assert_int_eq(first, 0);
    ck_assert_int_eq(last, 0);
    civil = instant_to_civil(3 * USEC_PER_HOUR);
    ck_assert_int_eq(zone_from_civil(zone, &civil, &first, &last), ZONE_WALL_GAP);
    ck_assert_int_eq(first, 2 * USEC_PER_HOUR);
    zone_drop(zone);
}
END_TEST

START_TEST(no_zone_is_utc)
{
    ck_assert_str_eq(zone_name(NULL), "UTC");
    ck_assert_str_eq(zone_abbreviation(NULL, 0), "UTC");
    ck_assert_int_eq(zone_offset(NULL, 0), 0);
    ck_assert_int_eq(zone_next_change(NULL, 0), INSTANT_NEVER);
    ck_assert_int_eq(zone_last_change(NULL, 0), INSTANT_NONE);
    struct civil civil = zone_to_civil(NULL, at("2026-03-29T02:30:00.5Z"));
    ck_assert_int_eq(civil_to_instant(&civil), at("2026-03-29T02:30:00.5Z"));
    ck_assert_int_eq(civil.weekday, 0);
}
END_TEST

START_TEST(utc_by_another_name_is_told)
{
    static const struct {
        const char *rule;
        bool utc;
    } rules[] = {{"GMT0", true}, {"GMT0BST,M3.5.0/1,M10.5.0", false}, {"CET-1", false}};
    ck_assert(zone_is_utc(NULL));
    for (size_t i = 0; i < COUNT_OF(rules); i++) {
        struct zone *zone = tzif_read_rule(rules[i].rule);
        ck_assert_msg(zone_is_utc(zone) == rules[i].utc, "%s", rules[i].rule);
        zone_drop(zone);
    }
}
END_TEST

START_TEST(the_edges_of_what_an_instant_can_hold_are_survived)
{
    static const instant edges[] = {INSTANT_NONE, INSTANT_NONE + 1, -INT64_C(62135596800000000), INSTANT_NEVER - 1,
                                    INSTANT_NEVER};
    static const char *const rules[] = {"<-24>24", "<+24>-24", "AAA-12BBB,M10.1.0,M4.1.0/3"};
    for (size_t i = 0; i < COUNT_OF(rules); i++) {
        struct zone *zone = tzif_read_rule(rules[i]);
        for (size_t j = 0; j < COUNT_OF(edges); j++) {
            struct civil civil = zone_to_civil(zone, edges[j]);
            ck_assert_int_ge(civil.month, 1);
            ck_assert(zone_next_change(zone, edges[j]) > edges[j] || edges[j] == INSTANT_NEVER);
            ck_assert(zone_last_change(zone, edges[j]) <= edges[j]);
        }
        zone_drop(zone);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("zone");
    TCase *tests = tcase_create("zone");
    tcase_add_test(tests, transitions_to_the_second_decide_and_then_the_rule);
    tcase_add_test(tests, before_the_first_transition_the_first_type_holds_even_if_it_is_daylight_saving);
    tcase_add_test(tests, transitions_beyond_the_calendar_count_for_what_lies_within);
    tcase_add_test(tests, without_a_rule_the_last_type_stays);
    tcase_add_test(tests, without_transitions_the_rule_holds_always_and_without_a_rule_the_first_type);
    tcase_add_test(tests, changes_go_on_to_the_year_9999_and_are_the_same_backwards);
    tcase_add_test(tests, centuries_after_the_last_transition_only_changes_of_the_rule_are_seen);
    tcase_add_test(tests, transitions_that_leave_the_offset_are_passed_over);
    tcase_add_test(tests, from_the_last_transition_on_the_rule_decides);
    tcase_add_loop_test(tests, wall_times_are_found_once_twice_or_not_at_all, 0, (int)COUNT_OF(walls));
    tcase_add_test(tests, an_instant_is_shown_by_the_wall_clock_with_its_weekday);
    tcase_add_test(tests, wall_times_near_several_changes_are_found);
    tcase_add_test(tests, no_zone_is_utc);
    tcase_add_test(tests, utc_by_another_name_is_told);
    tcase_add_test(tests, the_edges_of_what_an_instant_can_hold_are_survived);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
