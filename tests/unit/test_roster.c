#include <check.h>
#include <stdio.h>

#include "daemon/roster.h"
#include "support/suite.h"

static struct roster *roster;

static void set_up(void)
{
    roster = roster_create();
}

static void tear_down(void)
{
    roster_destroy(roster);
}

START_TEST(who_leads_nothing_waits_for_nobody)
{
    ck_assert_int_eq(roster_pause(roster), 0);
}
END_TEST

START_TEST(who_leads_more_waits_longer_but_never_too_long)
{
    roster_enter(roster);
    ck_assert_int_eq(roster_pause(roster), 400 * USEC_PER_MSEC);
    roster_enter(roster);
    ck_assert_int_eq(roster_pause(roster), 800 * USEC_PER_MSEC);
    for (int i = 0; i < 50; i++) {
        roster_enter(roster);
    }
    ck_assert_int_eq(roster_pause(roster), USEC_PER_SEC);
    for (int i = 0; i < 51; i++) {
        roster_leave(roster);
    }
    ck_assert_int_eq(roster_pause(roster), 400 * USEC_PER_MSEC);
}
END_TEST

static const struct pg_server server = {.host = "db1", .port = "5432"};

static bool left_behind(const char *system, int timeline, const struct pg_lineage *led)
{
    struct error err = {.kind = ERROR_NONE};
    struct pg_lineage here = {.timeline = timeline};
    snprintf(here.system, sizeof here.system, "%s", system);
    bool left = roster_left_behind(roster, &here, led, &server, &err);
    ck_assert_int_eq(err.kind, left ? ERROR_REFUSED : ERROR_NONE);
    return left;
}

START_TEST(who_is_on_a_lower_timeline_than_any_was_seen_on_is_left_behind)
{
    static const struct pg_lineage nobody = {"", 0};
    ck_assert(!left_behind("7001", 3, &nobody));
    ck_assert(left_behind("7001", 2, &nobody));
    ck_assert(!left_behind("7002", 1, &nobody));
    ck_assert(!left_behind("7001", 4, &nobody));
    ck_assert(left_behind("7001", 3, &nobody));
    ck_assert(!left_behind("7001", 0, &nobody)); /* it did not say */
}
END_TEST

START_TEST(where_it_was_led_before_counts_for_the_same_system)
{
    static const struct pg_lineage led = {"7001", 5};
    ck_assert(!left_behind("7002", 1, &led));
    ck_assert(left_behind("7001", 4, &led));
    ck_assert(!left_behind("7001", 5, &led));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("roster");
    TCase *tests = tcase_create("roster");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, who_leads_nothing_waits_for_nobody);
    tcase_add_test(tests, who_leads_more_waits_longer_but_never_too_long);
    tcase_add_test(tests, who_is_on_a_lower_timeline_than_any_was_seen_on_is_left_behind);
    tcase_add_test(tests, where_it_was_led_before_counts_for_the_same_system);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
