/* SPDX-License-Identifier: PostgreSQL */
/* Slots by the wall clock: what the clocks' changes do, by tables written by hand. */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "base/text.h"
#include "calendar/schedule.h"
#include "support/process/instants.h"
#include "support/process/suite.h"

#define MOST_SLOTS 10

static struct zones *zones;

static void open_zones(void)
{
    zones = zones_create();
}

static void close_zones(void)
{
    zones_destroy(zones);
}

static const struct zone *found_zone(const char *name)
{
    const struct zone *zone = NULL;
    struct error err = {0};
    ck_assert_msg(zones_find(zones, name, &zone, &err), "%s", err.message);
    return zone;
}

static struct schedule scheduled(const char *text, const struct zone *zone, enum dst_gap gap, enum dst_overlap overlap)
{
    struct schedule schedule = {.form = SCHEDULE_NONE};
    struct error err = {0};
    ck_assert_msg(schedule_parse(text, &schedule, &err), "%s: %s", text, err.message);
    schedule_set_zone(&schedule, zone, gap, overlap);
    return schedule;
}

/* The slots in (after, until] in UTC, each with a word when the clocks had to do with it: gap, first or second. */
struct expectation {
    const char *schedule;
    enum dst_gap gap;
    enum dst_overlap overlap;
    const char *after;
    const char *until;
    const char *slots[MOST_SLOTS];
};

#define RUN DST_GAP_RUN
#define SKIP DST_GAP_SKIP
#define FIRST DST_OVERLAP_FIRST
#define LAST DST_OVERLAP_LAST
#define BOTH DST_OVERLAP_BOTH

static void describe_slot(const struct schedule *schedule, instant slot, char *text, size_t size)
{
    static const char *const words[] = {
        [SLOT_PLAIN] = "", [SLOT_AFTER_GAP] = " gap", [SLOT_FIRST_OF_TWO] = " first", [SLOT_SECOND_OF_TWO] = " second"};
    char time[INSTANT_TEXT_SIZE];
    snprintf(text, size, "%s%s", instant_format(slot, time), words[schedule_note(schedule, slot)]);
}

static void check_slot(const struct schedule *schedule, instant slot, const char *expected, const char *what)
{
    char text[INSTANT_TEXT_SIZE + 16] = "none";
    if (slot != INSTANT_NONE) {
        describe_slot(schedule, slot, text, sizeof(text));
    }
    ck_assert_msg(strcmp(text, expected) == 0, "%s is %s, not %s", what, text, expected);
}

/* Forwards, backwards and counted. */
static void check_expectation(const struct expectation *expected, const struct zone *zone)
{
    struct schedule schedule = scheduled(expected->schedule, zone, expected->gap, expected->overlap);
    instant after = at(expected->after);
    instant until = at(expected->until);
    instant slot = after;
    int count = 0;
    for (; count < MOST_SLOTS && expected->slots[count] != NULL; count++) {
        slot = schedule_next(&schedule, slot);
        check_slot(&schedule, slot, expected->slots[count], expected->schedule);
    }
    ck_assert_msg(schedule_next(&schedule, slot) > until, "%s: a slot too many", expected->schedule);
    ck_assert_int_eq(schedule_count(&schedule, after, until, INT64_MAX, &slot), count);
    slot = until + 1;
    while (count > 0) {
        slot = schedule_latest(&schedule, after, slot - 1);
        count--;
        check_slot(&schedule, slot, expected->slots[count], expected->schedule);
    }
    ck_assert_int_eq(schedule_latest(&schedule, after, slot - 1), INSTANT_NONE);
}

static void check_expectations(const char *zone_name, const struct expectation *expected, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        check_expectation(&expected[i], found_zone(zone_name));
    }
}

#define CHECK_ZONE(name, table) check_expectations(name, table, COUNT_OF(table))

START_TEST(a_fixed_time_in_the_gap_runs_once_after_it_or_is_skipped)
{
    static const struct expectation spring[] = {
        {"30 2 * * *",
         RUN,
         FIRST,
         "2026-03-28",
         "2026-03-30T12:00",
         {"2026-03-28T01:30:00Z", "2026-03-29T01:00:00Z gap", "2026-03-30T00:30:00Z"}},
        {"30 2 * * *", SKIP, FIRST, "2026-03-28", "2026-03-30T12:00", {"2026-03-28T01:30:00Z", "2026-03-30T00:30:00Z"}},
        {"0,20,40 2 29 3 *", RUN, FIRST, "2026-03-28", "2026-03-30", {"2026-03-29T01:00:00Z gap"}},
        {"0,20,40 2 29 3 *", SKIP, FIRST, "2026-03-28", "2026-03-30", {NULL}},
        {"10,50 30 2 29 3 *", RUN, FIRST, "2026-03-28", "2026-03-30", {"2026-03-29T01:00:00Z gap"}},
        {"*/30 59 1,2 29 3 *",
         RUN,
         FIRST,
         "2026-03-28",
         "2026-03-30",
         {"2026-03-29T00:59:00Z", "2026-03-29T00:59:30Z", "2026-03-29T01:00:00Z gap"}},
        {"59 59 1-3 29 3 *",
         RUN,
         FIRST,
         "2026-03-28",
         "2026-03-30",
         {"2026-03-29T00:59:59Z", "2026-03-29T01:00:00Z gap", "2026-03-29T01:59:59Z"}},
    };
    CHECK_ZONE("Europe/Berlin", spring);
}
END_TEST

START_TEST(a_gap_run_on_a_regular_slot_is_that_one_slot)
{
    static const struct expectation spring[] = {
        {"0 3 * * *",
         RUN,
         FIRST,
         "2026-03-28",
         "2026-03-30T12:00",
         {"2026-03-28T02:00:00Z", "2026-03-29T01:00:00Z", "2026-03-30T01:00:00Z"}},
        {"0,30 2,3 29 * *", RUN, FIRST, "2026-03-28", "2026-03-30", {"2026-03-29T01:00:00Z", "2026-03-29T01:30:00Z"}},
        {"0,30 2,3 29 * *", SKIP, FIRST, "2026-03-28", "2026-03-30", {"2026-03-29T01:00:00Z", "2026-03-29T01:30:00Z"}},
    };
    CHECK_ZONE("Europe/Berlin", spring);
}
END_TEST

START_TEST(a_fixed_time_that_comes_twice_runs_first_last_or_both_times)
{
    static const struct expectation berlin[] = {
        {"30 2 * * *",
         RUN,
         FIRST,
         "2026-10-24",
         "2026-10-26T12:00",
         {"2026-10-24T00:30:00Z", "2026-10-25T00:30:00Z first", "2026-10-26T01:30:00Z"}},
        {"30 2 * * *",
         RUN,
         LAST,
         "2026-10-24",
         "2026-10-26T12:00",
         {"2026-10-24T00:30:00Z", "2026-10-25T01:30:00Z second", "2026-10-26T01:30:00Z"}},
        {"0,59 2 * * *",
         RUN,
         BOTH,
         "2026-10-24T12:00",
         "2026-10-25T12:00",
         {"2026-10-25T00:00:00Z first", "2026-10-25T00:59:00Z first", "2026-10-25T01:00:00Z second",
          "2026-10-25T01:59:00Z second"}},
        {"0,59 1-3 25 10 *",
         RUN,
         FIRST,
         "2026-10-24",
         "2026-10-25T12:00",
         {"2026-10-24T23:00:00Z", "2026-10-24T23:59:00Z", "2026-10-25T00:00:00Z first", "2026-10-25T00:59:00Z first",
          "2026-10-25T02:00:00Z", "2026-10-25T02:59:00Z"}},
        {"0,59 1-3 25 10 *",
         RUN,
         LAST,
         "2026-10-24",
         "2026-10-25T12:00",
         {"2026-10-24T23:00:00Z", "2026-10-24T23:59:00Z", "2026-10-25T01:00:00Z second", "2026-10-25T01:59:00Z second",
          "2026-10-25T02:00:00Z", "2026-10-25T02:59:00Z"}},
    };
    static const struct expectation new_york[] = {
        {"30 1 * * *",
         RUN,
         FIRST,
         "2026-10-31T12:00",
         "2026-11-02T12:00",
         {"2026-11-01T05:30:00Z first", "2026-11-02T06:30:00Z"}},
        {"30 1 * * *",
         RUN,
         LAST,
         "2026-10-31T12:00",
         "2026-11-02T12:00",
         {"2026-11-01T06:30:00Z second", "2026-11-02T06:30:00Z"}},
        {"30 1 * * *",
         RUN,
         BOTH,
         "2026-10-31T12:00",
         "2026-11-02T12:00",
         {"2026-11-01T05:30:00Z first", "2026-11-01T06:30:00Z second", "2026-11-02T06:30:00Z"}},
        {"0 2 * * *", RUN, LAST, "2026-10-31T12:00", "2026-11-01T12:00", {"2026-11-01T07:00:00Z"}},
    };
    CHECK_ZONE("Europe/Berlin", berlin);
    CHECK_ZONE("America/New_York", new_york);
}
END_TEST

START_TEST(a_time_that_starts_with_a_star_follows_the_wall_at_every_real_second)
{
    static const struct expectation berlin[] = {
        {"*/30 * * * *",
         RUN,
         FIRST,
         "2026-03-29T00:15",
         "2026-03-29T02:15",
         {"2026-03-29T00:30:00Z", "2026-03-29T01:00:00Z", "2026-03-29T01:30:00Z", "2026-03-29T02:00:00Z"}},
        {"*/30 * * * *",
         SKIP,
         LAST,
         "2026-10-25T00:15",
         "2026-10-25T02:15",
         {"2026-10-25T00:30:00Z", "2026-10-25T01:00:00Z", "2026-10-25T01:30:00Z", "2026-10-25T02:00:00Z"}},
        {"*/30 2 * * *",
         RUN,
         FIRST,
         "2026-03-28",
         "2026-03-30T12:00",
         {"2026-03-28T01:00:00Z", "2026-03-28T01:30:00Z", "2026-03-30T00:00:00Z", "2026-03-30T00:30:00Z"}},
        {"*/30 2 * * *",
         RUN,
         FIRST,
         "2026-10-25",
         "2026-10-25T12:00",
         {"2026-10-25T00:30:00Z", "2026-10-25T01:00:00Z", "2026-10-25T01:30:00Z"}},
        {"30 * * * *",
         RUN,
         FIRST,
         "2026-10-25",
         "2026-10-25T03:00",
         {"2026-10-25T00:30:00Z", "2026-10-25T01:30:00Z", "2026-10-25T02:30:00Z"}},
        {"30 */2 * * *",
         RUN,
         FIRST,
         "2026-03-29",
         "2026-03-29T05:00",
         {"2026-03-29T02:30:00Z", "2026-03-29T04:30:00Z"}},
        {"*/30 0 2 * * *",
         RUN,
         FIRST,
         "2026-03-28T12:00",
         "2026-03-30T12:00",
         {"2026-03-29T01:00:00Z gap", "2026-03-30T00:00:00Z", "2026-03-30T00:00:30Z"}},
    };
    static const struct expectation kathmandu[] = {
        {"@hourly", RUN, FIRST, "2026-01-01", "2026-01-01T02:00", {"2026-01-01T00:15:00Z", "2026-01-01T01:15:00Z"}}};
    for (size_t i = 0; i < COUNT_OF(berlin); i++) {
        struct schedule schedule = scheduled(berlin[i].schedule, NULL, RUN, FIRST);
        ck_assert_msg(schedule.fixed == (i == COUNT_OF(berlin) - 1), "%s", berlin[i].schedule);
    }
    CHECK_ZONE("Europe/Berlin", berlin);
    CHECK_ZONE("Asia/Kathmandu", kathmandu);
}
END_TEST

START_TEST(lord_howe_changes_by_half_an_hour)
{
    static const struct expectation lord_howe[] = {
        {"15 2 * * *",
         RUN,
         FIRST,
         "2026-10-02T20:00",
         "2026-10-04T20:00",
         {"2026-10-03T15:30:00Z gap", "2026-10-04T15:15:00Z"}},
        {"15 2 * * *", SKIP, FIRST, "2026-10-02T20:00", "2026-10-04T20:00", {"2026-10-04T15:15:00Z"}},
        {"0,30 2 * * *", RUN, FIRST, "2026-10-02T20:00", "2026-10-03T20:00", {"2026-10-03T15:30:00Z"}},
        {"45 1 * * *",
         RUN,
         FIRST,
         "2026-04-03T20:00",
         "2026-04-05T20:00",
         {"2026-04-04T14:45:00Z first", "2026-04-05T15:15:00Z"}},
        {"45 1 * * *",
         RUN,
         LAST,
         "2026-04-03T20:00",
         "2026-04-05T20:00",
         {"2026-04-04T15:15:00Z second", "2026-04-05T15:15:00Z"}},
        {"15 1 * * *", RUN, LAST, "2026-04-03T20:00", "2026-04-04T20:00", {"2026-04-04T14:15:00Z"}},
        {"*/15 1 * * *",
         RUN,
         FIRST,
         "2026-04-04T14:10",
         "2026-04-05",
         {"2026-04-04T14:15:00Z", "2026-04-04T14:30:00Z", "2026-04-04T14:45:00Z", "2026-04-04T15:00:00Z",
          "2026-04-04T15:15:00Z"}},
    };
    CHECK_ZONE("Australia/Lord_Howe", lord_howe);
}
END_TEST

START_TEST(midnight_itself_may_be_skipped_or_the_hour_before_it_repeated)
{
    static const struct expectation sao_paulo[] = {
        {"@daily",
         RUN,
         FIRST,
         "2018-11-03",
         "2018-11-06",
         {"2018-11-03T03:00:00Z", "2018-11-04T03:00:00Z gap", "2018-11-05T02:00:00Z"}},
        {"@daily", SKIP, FIRST, "2018-11-03", "2018-11-06", {"2018-11-03T03:00:00Z", "2018-11-05T02:00:00Z"}},
        {"0 0 4 11 *", RUN, FIRST, "2018-01-01", "2018-12-31", {"2018-11-04T03:00:00Z gap"}},
        {"0 0 * * *", RUN, BOTH, "2018-02-17", "2018-02-19", {"2018-02-17T02:00:00Z", "2018-02-18T03:00:00Z"}},
        {"30 23 * * *",
         RUN,
         FIRST,
         "2018-02-17T12:00",
         "2018-02-19T12:00",
         {"2018-02-18T01:30:00Z first", "2018-02-19T02:30:00Z"}},
        {"30 23 17 2 *", RUN, LAST, "2018-01-01", "2018-12-31", {"2018-02-18T02:30:00Z second"}},
        {"30 23 * * sat",
         RUN,
         BOTH,
         "2018-02-17T12:00",
         "2018-02-19T12:00",
         {"2018-02-18T01:30:00Z first", "2018-02-18T02:30:00Z second"}},
        {"30 0,23 * * *",
         RUN,
         FIRST,
         "2018-02-17T12:00",
         "2018-02-18T12:00",
         {"2018-02-18T01:30:00Z first", "2018-02-18T03:30:00Z"}},
    };
    CHECK_ZONE("America/Sao_Paulo", sao_paulo);
}
END_TEST

START_TEST(a_day_that_never_was_runs_once_when_the_next_one_starts)
{
    static const struct expectation apia[] = {
        {"0 9 * * *",
         RUN,
         FIRST,
         "2011-12-29",
         "2011-12-31",
         {"2011-12-29T19:00:00Z", "2011-12-30T10:00:00Z gap", "2011-12-30T19:00:00Z"}},
        {"0 9 * * *", SKIP, FIRST, "2011-12-29", "2011-12-31", {"2011-12-29T19:00:00Z", "2011-12-30T19:00:00Z"}},
        {"0 9,12,15 30 12 *", RUN, FIRST, "2011-01-01", "2012-12-01", {"2011-12-30T10:00:00Z gap"}},
        {"0 0 * * *", RUN, FIRST, "2011-12-29", "2011-12-31T00:00", {"2011-12-29T10:00:00Z", "2011-12-30T10:00:00Z"}},
        {"0 9 * * fri",
         RUN,
         FIRST,
         "2011-12-28",
         "2012-01-06T00:00",
         {"2011-12-30T10:00:00Z gap", "2012-01-05T19:00:00Z"}},
        {"* * * 12 5", RUN, FIRST, "2011-12-29", "2012-02-01", {NULL}},
    };
    CHECK_ZONE("Pacific/Apia", apia);
}
END_TEST

START_TEST(the_last_day_of_the_month_is_the_one_on_the_wall)
{
    static const struct expectation berlin[] = {
        {"30 23 $ * *", RUN, FIRST, "2026-02-01", "2026-04-30", {"2026-02-28T22:30:00Z", "2026-03-31T21:30:00Z"}},
        {"30 0 $ * *", RUN, FIRST, "2026-03-01", "2026-04-30", {"2026-03-30T22:30:00Z", "2026-04-29T22:30:00Z"}},
        {"0 0 $ 2 *", RUN, FIRST, "2027-01-01", "2029-01-01", {"2027-02-27T23:00:00Z", "2028-02-28T23:00:00Z"}},
        {"0 0 $ * sun", RUN, FIRST, "2026-05-21", "2026-06-01", {"2026-05-23T22:00:00Z", "2026-05-30T22:00:00Z"}},
        {"0 0 $ 1-6 */7", RUN, FIRST, "2026-01-01", "2026-12-31", {"2026-05-30T22:00:00Z"}},
    };
    CHECK_ZONE("Europe/Berlin", berlin);
}
END_TEST

START_TEST(a_single_time_obeys_the_clocks_as_a_fixed_job_does)
{
    static const struct expectation berlin[] = {
        {"@at 2026-12-24 18:00", RUN, FIRST, "2026-01-01", "9999-01-01", {"2026-12-24T17:00:00Z"}},
        {"@at 2026-12-24 18:00:30Z", RUN, FIRST, "2026-01-01", "9999-01-01", {"2026-12-24T18:00:30Z"}},
        {"@at 2026-10-25 02:30+02", SKIP, BOTH, "2026-01-01", "9999-01-01", {"2026-10-25T00:30:00Z"}},
        {"@at 2026-03-29 02:30", RUN, FIRST, "2026-01-01", "9999-01-01", {"2026-03-29T01:00:00Z gap"}},
        {"@at 2026-03-29 02:30", SKIP, FIRST, "2026-01-01", "9999-01-01", {NULL}},
        {"@at 2026-03-29 03:00", RUN, FIRST, "2026-01-01", "9999-01-01", {"2026-03-29T01:00:00Z"}},
        {"@at 2026-10-25 02:30", RUN, FIRST, "2026-01-01", "9999-01-01", {"2026-10-25T00:30:00Z first"}},
        {"@at 2026-10-25 02:30", RUN, LAST, "2026-01-01", "9999-01-01", {"2026-10-25T01:30:00Z second"}},
        {"@at 2026-10-25 02:30",
         RUN,
         BOTH,
         "2026-01-01",
         "9999-01-01",
         {"2026-10-25T00:30:00Z first", "2026-10-25T01:30:00Z second"}},
        {"@at 2026-10-25 02:30", RUN, FIRST, "2026-10-25T00:30", "9999-01-01", {NULL}},
    };
    CHECK_ZONE("Europe/Berlin", berlin);
}
END_TEST

START_TEST(what_is_no_slot_or_follows_no_clock_has_no_note)
{
    const struct zone *berlin = found_zone("Europe/Berlin");
    struct schedule fixed = scheduled("30 2 * * *", berlin, RUN, FIRST);
    ck_assert_int_eq(schedule_note(&fixed, at("2026-03-29T12:00")), SLOT_PLAIN);
    ck_assert_int_eq(schedule_note(&fixed, at("2026-10-25T00:30")), SLOT_FIRST_OF_TWO);
    struct schedule moving = scheduled("*/30 * * * *", berlin, RUN, FIRST);
    ck_assert_int_eq(schedule_note(&moving, at("2026-10-25T00:30")), SLOT_PLAIN);
    struct schedule utc = scheduled("30 2 * * *", NULL, RUN, FIRST);
    ck_assert_int_eq(schedule_note(&utc, at("2026-10-25T00:30")), SLOT_PLAIN);
    struct schedule every = scheduled("@every 30m", berlin, RUN, FIRST);
    ck_assert_int_eq(schedule_note(&every, at("2026-10-25T00:30")), SLOT_PLAIN);
    struct schedule with_offset = scheduled("@at 2026-10-25 02:30+02", berlin, RUN, FIRST);
    ck_assert_int_eq(schedule_note(&with_offset, at("2026-10-25T00:30")), SLOT_PLAIN);
}
END_TEST

START_TEST(intervals_do_not_look_at_the_wall)
{
    static const struct expectation berlin[] = {
        {"@every 1d",
         RUN,
         FIRST,
         "2026-03-28T12:00",
         "2026-03-30T12:00",
         {"2026-03-29T00:00:00Z", "2026-03-30T00:00:00Z"}},
        {"@after 12h",
         RUN,
         FIRST,
         "2026-03-28T13:00",
         "2026-03-29T14:00",
         {"2026-03-29T01:00:00Z", "2026-03-29T13:00:00Z"}},
    };
    CHECK_ZONE("Europe/Berlin", berlin);
}
END_TEST

START_TEST(a_zone_counts_from_after_its_last_change_and_before_its_first)
{
    static const struct expectation tokyo[] = {
        {"0 0 * * *", RUN, FIRST, "2026-01-01", "2026-01-02T00:00", {"2026-01-01T15:00:00Z"}},
        {"0 0 1 1 *", RUN, FIRST, "1800-01-01", "1802-01-01", {"1800-12-31T14:41:01Z", "1801-12-31T14:41:01Z"}},
    };
    static const struct expectation berlin[] = {
        {"30 2 * * *",
         RUN,
         BOTH,
         "2099-03-28",
         "2099-03-29T12:00",
         {"2099-03-28T01:30:00Z", "2099-03-29T01:00:00Z gap"}},
        {"30 2 * * *",
         RUN,
         BOTH,
         "9998-10-25",
         "9998-10-25T12:00",
         {"9998-10-25T00:30:00Z first", "9998-10-25T01:30:00Z second"}},
    };
    CHECK_ZONE("Asia/Tokyo", tokyo);
    CHECK_ZONE("Europe/Berlin", berlin);
}
END_TEST

START_TEST(the_calendar_ends_where_wall_or_utc_does)
{
    instant first = at("0001-01-01");
    instant last = at("9999-12-31T23:59:59Z");
    struct schedule east = scheduled("* * * * * *", found_zone("Etc/GMT-14"), RUN, FIRST);
    ck_assert_int_eq(schedule_next(&east, INSTANT_NONE), first);
    ck_assert_int_eq(schedule_latest(&east, INSTANT_NONE, INSTANT_NEVER), last - 14 * USEC_PER_HOUR);
    ck_assert_int_eq(schedule_next(&east, last - 14 * USEC_PER_HOUR), INSTANT_NEVER);
    ck_assert_int_eq(schedule_next(&east, last), INSTANT_NEVER);
    struct schedule west = scheduled("* * * * * *", found_zone("Etc/GMT+12"), RUN, FIRST);
    ck_assert_int_eq(schedule_next(&west, INSTANT_NONE), first + 12 * USEC_PER_HOUR);
    ck_assert_int_eq(schedule_latest(&west, INSTANT_NONE, first + 12 * USEC_PER_HOUR - 1), INSTANT_NONE);
    ck_assert_int_eq(schedule_latest(&west, INSTANT_NONE, INSTANT_NEVER), last);
    ck_assert_int_eq(schedule_next(&west, last), INSTANT_NEVER);
    struct schedule evening = scheduled("0 20 31 12 *", found_zone("Etc/GMT+12"), RUN, FIRST);
    ck_assert_int_eq(schedule_next(&evening, at("9999-12-30")), INSTANT_NEVER);
    ck_assert_int_eq(schedule_latest(&evening, 0, INSTANT_NEVER), at("9999-01-01T08:00"));
}
END_TEST

START_TEST(a_rare_date_in_a_zone_is_found_without_walking)
{
    struct schedule leap = scheduled("30 2 29 2 */7", found_zone("Europe/Berlin"), RUN, FIRST);
    instant slot = at("2026-01-01");
    for (int i = 0; i < 100000; i++) {
        slot = schedule_next(&leap, slot);
        slot = slot != INSTANT_NEVER ? slot : at("0001-01-01");
    }
    struct schedule once = scheduled("@at 9999-06-01 12:00", found_zone("Europe/Berlin"), RUN, FIRST);
    for (int i = 0; i < 100000; i++) {
        if (schedule_next(&once, i * USEC_PER_DAY) != at("9999-06-01T10:00")) {
            ck_abort_msg("@at after day %d", i);
        }
    }
    for (int i = 0; i < 1000; i++) {
        ck_assert_int_eq(schedule_latest(&leap, 0, at("2127-12-31")), at("2088-02-29T01:30"));
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("schedule_wall");
    TCase *tests = tcase_create("schedule_wall");
    tcase_add_checked_fixture(tests, open_zones, close_zones);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, a_fixed_time_in_the_gap_runs_once_after_it_or_is_skipped);
    tcase_add_test(tests, a_gap_run_on_a_regular_slot_is_that_one_slot);
    tcase_add_test(tests, a_fixed_time_that_comes_twice_runs_first_last_or_both_times);
    tcase_add_test(tests, a_time_that_starts_with_a_star_follows_the_wall_at_every_real_second);
    tcase_add_test(tests, lord_howe_changes_by_half_an_hour);
    tcase_add_test(tests, midnight_itself_may_be_skipped_or_the_hour_before_it_repeated);
    tcase_add_test(tests, a_day_that_never_was_runs_once_when_the_next_one_starts);
    tcase_add_test(tests, the_last_day_of_the_month_is_the_one_on_the_wall);
    tcase_add_test(tests, a_single_time_obeys_the_clocks_as_a_fixed_job_does);
    tcase_add_test(tests, what_is_no_slot_or_follows_no_clock_has_no_note);
    tcase_add_test(tests, intervals_do_not_look_at_the_wall);
    tcase_add_test(tests, a_zone_counts_from_after_its_last_change_and_before_its_first);
    tcase_add_test(tests, the_calendar_ends_where_wall_or_utc_does);
    tcase_add_test(tests, a_rare_date_in_a_zone_is_found_without_walking);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
