/* SPDX-License-Identifier: PostgreSQL */
/* The next slot of a job as the ledger describes it. */
#include "report/job_slots.h"
#include "support/process/suite.h"

#include <check.h>

static struct zones *zones;
static struct config_database database;
static struct job_calendar calendar;

static void set_up(void)
{
    zones = zones_create();
    database = (struct config_database){.name = "main", .timezone = "UTC"};
    calendar = (struct job_calendar){.schedule = "30 2 * * *",
                                     .last_slot = "2026-03-27 02:30:00+00",
                                     .live = "f",
                                     .database_now = "2026-03-28 20:00:00.5+00"};
}

static void tear_down(void)
{
    zones_destroy(zones);
}

static void next_is(const char *expected)
{
    char found[INSTANT_TEXT_SIZE];
    ck_assert_str_eq(instant_format(job_next_slot(&calendar, &database, zones), found), expected);
}

START_TEST(a_slot_is_later_than_now_and_than_the_last_one)
{
    next_is("2026-03-29T02:30:00Z");
    calendar.last_slot = "2026-03-30 02:30:00+00"; /* the clock was set back */
    next_is("2026-03-31T02:30:00Z");
    calendar.last_slot = NULL;
    next_is("2026-03-29T02:30:00Z");
}
END_TEST

START_TEST(the_jobs_zone_wins_over_the_databases)
{
    database.timezone = "Asia/Tokyo";
    next_is("2026-03-29T17:30:00Z");
    calendar.timezone = "Europe/Berlin";
    next_is("2026-03-29T01:00:00Z"); /* 02:30 does not exist */
    calendar.dst_gap = "skip";
    next_is("2026-03-30T00:30:00Z");
    calendar.timezone = "UTC";
    next_is("2026-03-29T02:30:00Z");
}
END_TEST

START_TEST(of_two_wall_times_the_option_chooses)
{
    calendar.timezone = "Europe/Berlin";
    calendar.database_now = "2026-10-24 20:00:00+00";
    next_is("2026-10-25T00:30:00Z");
    calendar.dst_overlap = "last";
    next_is("2026-10-25T01:30:00Z");
}
END_TEST

START_TEST(a_delay_counts_from_the_last_end_unless_it_runs)
{
    calendar.schedule = "@after 15m";
    calendar.last_end = "2026-03-28 19:55:00+00";
    next_is("2026-03-28T20:10:00Z");
    calendar.last_end = "2026-03-28 10:00:00+00"; /* over already: it is due */
    next_is("2026-03-28T10:15:00Z");
    calendar.live = "t";
    next_is("never");
}
END_TEST

START_TEST(a_suspended_job_is_due_after_the_suspensions_end)
{
    calendar.suspended_at = "2026-03-28T19:00:00+00:00";
    next_is("never");
    calendar.suspended_until = "2026-04-03T12:00:00+00:00";
    next_is("2026-04-04T02:30:00Z");
    calendar.suspended_until = "2026-03-28T19:30:00+00:00"; /* over, and not yet resumed */
    next_is("2026-03-29T02:30:00Z");
}
END_TEST

START_TEST(what_is_not_known_is_never)
{
    calendar.schedule = "";
    next_is("never");
    calendar.schedule = "@reboot";
    next_is("never");
    calendar.schedule = "written by a later version";
    next_is("never");
    calendar.schedule = "@daily";
    calendar.timezone = "Nowhere/Land";
    next_is("never");
}
END_TEST

START_TEST(what_cannot_be_read_is_named)
{
    struct schedule schedule;
    struct error err;
    calendar.timezone = "Europe/Berln";
    ck_assert(!job_schedule(&calendar, &database, zones, &schedule, &err));
    ck_assert_str_eq(err.message, "there is no time zone \"Europe/Berln\"");
    calendar.timezone = NULL;
    calendar.dst_gap = "jump";
    ck_assert(!job_schedule(&calendar, &database, zones, &schedule, &err));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("job_slots");
    TCase *tests = tcase_create("job_slots");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, a_slot_is_later_than_now_and_than_the_last_one);
    tcase_add_test(tests, the_jobs_zone_wins_over_the_databases);
    tcase_add_test(tests, of_two_wall_times_the_option_chooses);
    tcase_add_test(tests, a_delay_counts_from_the_last_end_unless_it_runs);
    tcase_add_test(tests, a_suspended_job_is_due_after_the_suspensions_end);
    tcase_add_test(tests, what_is_not_known_is_never);
    tcase_add_test(tests, what_cannot_be_read_is_named);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
