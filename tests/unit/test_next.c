/* SPDX-License-Identifier: PostgreSQL */
/* `pgchime next --schedule` and its words about clocks. The zones are the system's. */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "base/clock.h"
#include "report/clock_words.h"
#include "support/daemon/program.h"
#include "support/process/instants.h"
#include "support/process/suite.h"

static struct zones *zones;

#define NEXT(...) PROGRAM("next", __VA_ARGS__)

static instant wall_now;

static instant read_clock(void *data)
{
    (void)data;
    return wall_now;
}

static void set_up(void)
{
    zones = zones_create();
}

static void tear_down(void)
{
    clock_replace(NULL);
    zones_destroy(zones);
    program_forget();
}

static const struct zone *zone_named(const char *name)
{
    const struct zone *zone;
    struct error err;
    ck_assert_msg(zones_find(zones, name, &zone, &err), "%s", err.message);
    return zone;
}

/* --- slots of an expression --------------------------------------------------------------------------------------- */

START_TEST(json_has_the_slots_and_nothing_else)
{
    ck_assert_int_eq(NEXT("--schedule", "30 2 * * *", "--timezone", "Europe/Berlin", "--at", "2026-03-27", "--count",
                          "4", "-o", "json"),
                     0);
    program_answered("{\"schema_version\":1,\"slots\":[\"2026-03-27T01:30:00Z\",\"2026-03-28T01:30:00Z\","
                     "\"2026-03-29T01:00:00Z\",\"2026-03-30T00:30:00Z\"]}");
    ck_assert_str_eq(program_errors, "");
}
END_TEST

START_TEST(the_time_of_at_is_included_and_read_in_the_zone)
{
    ck_assert_int_eq(
        NEXT("--schedule", "@daily", "--timezone", "Asia/Kolkata", "--at", "2026-03-27", "--count", "1", "-o", "json"),
        0);
    program_answered("{\"schema_version\":1,\"slots\":[\"2026-03-26T18:30:00Z\"]}");
    ck_assert_int_eq(NEXT("--schedule", "* * * * *", "--timezone", "Asia/Kolkata", "--at", "2026-03-27 01:30",
                          "--count", "1", "-o", "json"),
                     0);
    program_answered("{\"schema_version\":1,\"slots\":[\"2026-03-26T20:00:00Z\"]}");
}
END_TEST

START_TEST(an_offset_in_at_wins_over_the_zone)
{
    ck_assert_int_eq(NEXT("--schedule", "0 * * * *", "--timezone", "Asia/Tokyo", "--at", "2026-03-27T01:30:00Z",
                          "--count", "1", "-o", "json"),
                     0);
    program_answered("{\"schema_version\":1,\"slots\":[\"2026-03-27T02:00:00Z\"]}");
    ck_assert_int_eq(NEXT("--schedule", "0 * * * *", "--timezone", "Asia/Tokyo", "--at", "2026-03-27 01:30-03",
                          "--count", "1", "-o", "json"),
                     0);
    program_answered("{\"schema_version\":1,\"slots\":[\"2026-03-27T05:00:00Z\"]}");
}
END_TEST

START_TEST(without_at_slots_are_later_than_now_and_say_in_how_long)
{
    static const struct clock_source source = {.boot = read_clock, .wall = read_clock};
    wall_now = at("2026-03-27T22:55:00Z");
    clock_replace(&source);
    ck_assert_int_eq(NEXT("--schedule", "0 2 * * *", "--count", "1"), 0);
    program_said("Sat 2026-03-28 02:00:00 +00 UTC");
    program_said("in 3h 5min");
    wall_now = at("2026-03-28T02:00:00Z");
    ck_assert_int_eq(NEXT("--schedule", "0 2 * * *", "--count", "1", "-o", "json"), 0);
    program_answered("{\"schema_version\":1,\"slots\":[\"2026-03-29T02:00:00Z\"]}");
}
END_TEST

START_TEST(ten_slots_unless_told_otherwise)
{
    ck_assert_int_eq(NEXT("--schedule", "@hourly", "--at", "2026-03-27", "-o", "csv", "--no-header"), 0);
    size_t lines = 0;
    for (const char *end = program_output; (end = strchr(end, '\n')) != NULL; end++) {
        lines++;
    }
    ck_assert_uint_eq(lines, 10);
    program_said("2026-03-27T00:00:00Z,2026-03-27T00:00:00+00:00\n");
}
END_TEST

START_TEST(what_a_gap_and_a_second_time_do_is_the_users_choice)
{
    ck_assert_int_eq(NEXT("--schedule", "30 2 * * *", "--timezone", "Europe/Berlin", "--dst-gap", "skip", "--at",
                          "2026-03-28", "--count", "2", "-o", "json"),
                     0);
    program_answered("{\"schema_version\":1,\"slots\":[\"2026-03-28T01:30:00Z\",\"2026-03-30T00:30:00Z\"]}");
    ck_assert_int_eq(NEXT("--schedule", "30 2 * * *", "--timezone", "Europe/Berlin", "--dst-overlap", "last", "--at",
                          "2026-10-25", "--count", "1", "-o", "json"),
                     0);
    program_answered("{\"schema_version\":1,\"slots\":[\"2026-10-25T01:30:00Z\"]}");
    ck_assert_int_eq(NEXT("--schedule", "30 2 * * *", "--timezone", "Europe/Berlin", "--dst-overlap", "both", "--at",
                          "2026-10-25", "--count", "2", "-o", "json"),
                     0);
    program_answered("{\"schema_version\":1,\"slots\":[\"2026-10-25T00:30:00Z\",\"2026-10-25T01:30:00Z\"]}");
}
END_TEST

START_TEST(slots_that_nobody_can_know_are_none_and_that_is_said)
{
    ck_assert_int_eq(NEXT("--schedule", "@after 15m", "-o", "json"), 0);
    program_answered("{\"schema_version\":1,\"slots\":[]}");
    program_complained("not known beforehand: each is 15min after the end of the run before");
    ck_assert_int_eq(NEXT("--schedule", "@reboot"), 0);
    program_complained("one with every start of the server");
    ck_assert_int_eq(NEXT("--schedule", "@at 2026-03-01 12:00", "--at", "2026-03-02"), 0);
    program_complained("no slots from then on");
    ck_assert_int_eq(NEXT("--schedule", "@reboot", "-q"), 0);
    ck_assert_str_eq(program_errors, "");
}
END_TEST

START_TEST(slips_of_the_pen_are_usage_errors_with_the_way_out)
{
    ck_assert_int_eq(NEXT("--schedule", "61 * * * *"), 2);
    program_complained("--schedule: ");
    ck_assert_int_eq(NEXT("--schedule", "0 0 30 2 *"), 2);
    ck_assert_int_eq(NEXT("--schedule", "@daily", "--timezone", "Europe/Berln"), 2);
    program_complained("did you mean \"Europe/Berlin\"?");
    ck_assert_int_eq(NEXT("--schedule", "@daily", "--timezone", "../../etc/passwd"), 2);
    ck_assert_int_eq(NEXT("--schedule", "@daily", "--dst-gap", "jump"), 2);
    program_complained("--dst-gap: ");
    program_complained("run, skip");
    ck_assert_int_eq(NEXT("--schedule", "@daily", "--at", "tomorrow"), 2);
    program_complained("--at: ");
    ck_assert_int_eq(NEXT("--schedule", "@daily", "--count", "0"), 2);
    ck_assert_int_eq(NEXT("--schedule", "@daily", "a-job"), 2);
    program_complained("cannot both be asked for");
    ck_assert_int_eq(NEXT("--timezone", "Europe/Berlin"), 2);
    program_complained("--timezone is for --schedule");
    ck_assert_str_eq(program_output, "");
}
END_TEST

/* --- what the clocks did ------------------------------------------------------------------------------------------ */

START_TEST(a_wall_time_that_does_not_exist_is_explained)
{
    ck_assert_int_eq(NEXT("--schedule", "30 2 * * *", "--timezone", "Europe/Berlin", "--at", "2026-03-29", "--count",
                          "1", "--explain-dst"),
                     0);
    program_said("Sun 2026-03-29 03:00:00 +02 CEST");
    program_said("02:30 does not exist on 2026-03-29: clocks go from 02:00 CET to 03:00 CEST, runs at 03:00");
    ck_assert_int_eq(NEXT("--schedule", "0,15,30 0 * * *", "--timezone", "Asia/Beirut", "--at", "2026-03-29", "--count",
                          "1", "--explain-dst"),
                     0);
    program_said("00:00 and 2 more times do not exist on 2026-03-29: clocks go from 00:00 EET to 01:00 EEST, runs "
                 "once at 01:00");
}
END_TEST

START_TEST(a_slot_that_is_skipped_is_told_at_the_one_after_it)
{
    ck_assert_int_eq(NEXT("--schedule", "30 2 * * *", "--timezone", "Europe/Berlin", "--dst-gap", "skip", "--at",
                          "2026-03-28", "--count", "2", "--explain-dst", "-o", "json"),
                     0);
    program_answered(
        "{\"schema_version\":1,\"slots\":[\"2026-03-28T01:30:00Z\",\"2026-03-30T00:30:00Z\"],\"notes\":["
        "{\"at\":\"2026-03-29T01:00:00Z\",\"slot\":\"2026-03-30T00:30:00Z\",\"text\":\"02:30 does not exist on "
        "2026-03-29: clocks go from 02:00 CET to 03:00 CEST, skipped\"}]}");
}
END_TEST

START_TEST(a_wall_time_that_comes_twice_is_explained)
{
    ck_assert_int_eq(NEXT("--schedule", "30 1 * * *", "--timezone", "America/New_York", "--at", "2026-11-01", "--count",
                          "1", "--explain-dst"),
                     0);
    program_said("01:30 comes twice on 2026-11-01: clocks go back from 02:00 EDT to 01:00 EST, runs at the first");
    ck_assert_int_eq(NEXT("--schedule", "30 1 * * *", "--timezone", "America/New_York", "--dst-overlap", "both", "--at",
                          "2026-11-01", "--count", "2", "--explain-dst"),
                     0);
    program_said("this is the first");
    program_said("this is the second");
}
END_TEST

START_TEST(schedules_that_are_not_fixed_are_told_of_the_change_too)
{
    ck_assert_int_eq(NEXT("--schedule", "*/30 * * * *", "--timezone", "Australia/Lord_Howe", "--at", "2026-10-04T01:30",
                          "--count", "3", "--explain-dst", "-o", "json"),
                     0);
    program_answered("{\"schema_version\":1,\"slots\":[\"2026-10-03T15:00:00Z\",\"2026-10-03T15:30:00Z\","
                     "\"2026-10-03T16:00:00Z\"],\"notes\":[{\"at\":\"2026-10-03T15:30:00Z\",\"slot\":"
                     "\"2026-10-03T15:30:00Z\",\"text\":\"02:00 does not exist on 2026-10-04: clocks go from "
                     "02:00 +10:30 to 02:30 +11, not run: the schedule is not fixed, since its minute or its hour "
                     "begins with *\"}]}");
    ck_assert_int_eq(NEXT("--schedule", "*/30 2 * * *", "--timezone", "Europe/Berlin", "--at", "2026-03-29", "--count",
                          "1", "--explain-dst"),
                     0);
    program_said("02:00 and 02:30 do not exist on 2026-03-29: clocks go from 02:00 CET to 03:00 CEST, not run: the "
                 "schedule is not fixed");
    ck_assert_int_eq(NEXT("--schedule", "0 */6 * * *", "--timezone", "Europe/Berlin", "--at", "2026-03-29", "--count",
                          "2", "--explain-dst"),
                     0);
    program_said("clocks go from 02:00 CET to 03:00 CEST on 2026-03-29");
}
END_TEST

START_TEST(nothing_is_explained_where_the_clocks_stand_still)
{
    ck_assert_int_eq(
        NEXT("--schedule", "30 2 * * *", "--at", "2026-03-28", "--explain-dst", "-o", "json", "--count", "1"), 0);
    program_answered("{\"schema_version\":1,\"slots\":[\"2026-03-28T02:30:00Z\"],\"notes\":[]}");
    ck_assert_int_eq(NEXT("--schedule", "30 2 * * *", "--timezone", "Europe/Berlin", "--at", "2026-05-01",
                          "--explain-dst", "-o", "csv", "--no-header", "--count", "1"),
                     0);
    ck_assert_str_eq(program_output, "2026-05-01T00:30:00Z,2026-05-01T02:30:00+02:00,\n");
}
END_TEST

/* --- words -------------------------------------------------------------------------------------------------------- */

static const char *wall(const char *zone, const char *when)
{
    static char found[80];
    struct buffer text = {0};
    put_wall_time(&text, zone_named(zone), at(when));
    snprintf(found, sizeof(found), "%s", buffer_text(&text));
    buffer_finish(&text);
    return found;
}

START_TEST(a_wall_time_names_its_offset_and_an_abbreviation_that_is_one)
{
    ck_assert_str_eq(wall("Europe/Berlin", "2026-07-01T10:00:00Z"), "Wed 2026-07-01 12:00:00 +02 CEST");
    ck_assert_str_eq(wall("Asia/Kolkata", "2026-07-01T10:00:00Z"), "Wed 2026-07-01 15:30:00 +05:30 IST");
    ck_assert_str_eq(wall("America/Sao_Paulo", "2026-07-01T10:00:00Z"), "Wed 2026-07-01 07:00:00 -03");
    ck_assert_str_eq(wall("UTC", "2026-07-01T10:00:00Z"), "Wed 2026-07-01 10:00:00 +00 UTC");
    ck_assert_str_eq(wall("Africa/Monrovia", "1971-01-01"), "Thu 1970-12-31 23:15:30 -00:44:30 MMT");
}
END_TEST

START_TEST(a_change_of_the_day_is_told_with_its_dates)
{
    struct buffer text = {0};
    put_clock_change(&text, zone_named("Pacific/Apia"), at("2011-12-30T10:00:00Z"));
    ck_assert_str_eq(buffer_text(&text), "clocks go from 2011-12-30 00:00 -10 to 2011-12-31 00:00 +14");
    buffer_finish(&text);
}
END_TEST

START_TEST(a_wall_time_without_an_instant_is_the_first_instant_after_it)
{
    const struct zone *zone = zone_named("Europe/Berlin");
    instant found;
    ck_assert(wall_time_parse("2026-03-29 02:30", zone, &found, NULL));
    ck_assert_int_eq(found, at("2026-03-29T01:00:00Z"));
    ck_assert(wall_time_parse("2026-10-25 02:30", zone, &found, NULL));
    ck_assert_int_eq(found, at("2026-10-25T00:30:00Z"));
    ck_assert(wall_time_parse("2026-10-25 02:30Z", zone, &found, NULL));
    ck_assert_int_eq(found, at("2026-10-25T02:30:00Z"));
    ck_assert(!wall_time_parse("2026-13-25", zone, &found, NULL));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("next");
    TCase *tests = tcase_create("next");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, json_has_the_slots_and_nothing_else);
    tcase_add_test(tests, the_time_of_at_is_included_and_read_in_the_zone);
    tcase_add_test(tests, an_offset_in_at_wins_over_the_zone);
    tcase_add_test(tests, without_at_slots_are_later_than_now_and_say_in_how_long);
    tcase_add_test(tests, ten_slots_unless_told_otherwise);
    tcase_add_test(tests, what_a_gap_and_a_second_time_do_is_the_users_choice);
    tcase_add_test(tests, slots_that_nobody_can_know_are_none_and_that_is_said);
    tcase_add_test(tests, slips_of_the_pen_are_usage_errors_with_the_way_out);
    tcase_add_test(tests, a_wall_time_that_does_not_exist_is_explained);
    tcase_add_test(tests, a_slot_that_is_skipped_is_told_at_the_one_after_it);
    tcase_add_test(tests, a_wall_time_that_comes_twice_is_explained);
    tcase_add_test(tests, schedules_that_are_not_fixed_are_told_of_the_change_too);
    tcase_add_test(tests, nothing_is_explained_where_the_clocks_stand_still);
    tcase_add_test(tests, a_wall_time_names_its_offset_and_an_abbreviation_that_is_one);
    tcase_add_test(tests, a_change_of_the_day_is_told_with_its_dates);
    tcase_add_test(tests, a_wall_time_without_an_instant_is_the_first_instant_after_it);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
