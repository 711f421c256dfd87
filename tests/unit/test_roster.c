#include <check.h>

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

START_TEST(the_highest_timeline_of_each_system_is_kept)
{
    static const struct pg_lineage first = {"7001", 3};
    static const struct pg_lineage behind = {"7001", 2};
    static const struct pg_lineage promoted = {"7001", 4};
    static const struct pg_lineage other = {"7002", 1};
    ck_assert_int_eq(roster_timeline(roster, &first), 3);
    ck_assert_int_eq(roster_timeline(roster, &behind), 3);
    ck_assert_int_eq(roster_timeline(roster, &other), 1);
    ck_assert_int_eq(roster_timeline(roster, &promoted), 4);
    ck_assert_int_eq(roster_timeline(roster, &behind), 4);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("roster");
    TCase *tests = tcase_create("roster");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, who_leads_nothing_waits_for_nobody);
    tcase_add_test(tests, who_leads_more_waits_longer_but_never_too_long);
    tcase_add_test(tests, the_highest_timeline_of_each_system_is_kept);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
