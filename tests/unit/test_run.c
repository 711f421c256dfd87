/* SPDX-License-Identifier: PostgreSQL */
#include <check.h>
#include <string.h>

#include "model/run.h"
#include "support/process/suite.h"

START_TEST(state_names_are_distinct_and_read_back)
{
    for (int state = 0; state < RUN_STATE_COUNT; state++) {
        enum run_state parsed = RUN_STATE_COUNT;
        ck_assert(run_state_parse(run_state_name((enum run_state)state), &parsed));
        ck_assert_int_eq(parsed, state);
    }
    enum run_state untouched = RUN_DUE;
    ck_assert(!run_state_parse("Succeeded", &untouched));
    ck_assert(!run_state_parse("", &untouched));
    ck_assert_int_eq(untouched, RUN_DUE);
    ck_assert_str_eq(run_state_name(RUN_TIMED_OUT), "timed_out");
}
END_TEST

START_TEST(kinds_have_names)
{
    ck_assert_str_eq(run_kind_name(RUN_SCHEDULE), "schedule");
    ck_assert_str_eq(run_kind_name(RUN_DEPENDENCY), "dependency");
    ck_assert_str_eq(run_kind_name(RUN_EVENT), "event");
    ck_assert_str_eq(run_kind_name(RUN_CHANGE), "change");
    ck_assert_str_eq(run_kind_name(RUN_MANUAL), "manual");
    ck_assert_str_eq(run_kind_name(RUN_INSTALL), "install");
}
END_TEST

START_TEST(a_run_moves_the_cursor_or_was_asked_for_or_was_woken)
{
    for (int kind = 0; kind < RUN_KIND_COUNT; kind++) {
        bool moves = kind == RUN_SCHEDULE || kind == RUN_DEPENDENCY;
        bool woken = kind == RUN_EVENT || kind == RUN_CHANGE;
        ck_assert(run_kind_moves((enum run_kind)kind) == moves);
        ck_assert(run_kind_asked((enum run_kind)kind) == (!moves && !woken));
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("run");
    TCase *tests = tcase_create("run");
    tcase_add_test(tests, state_names_are_distinct_and_read_back);
    tcase_add_test(tests, kinds_have_names);
    tcase_add_test(tests, a_run_moves_the_cursor_or_was_asked_for_or_was_woken);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
