/* SPDX-License-Identifier: PostgreSQL */
#include <check.h>
#include <string.h>

#include "model/run.h"
#include "support/process/suite.h"

static bool is_final(enum run_state state)
{
    return state >= RUN_SUCCEEDED;
}

/* Adds to `seen` what one step from it reaches; RECORD reaches every final state. True when something was new. */
static bool spread(bool seen[RUN_STATE_COUNT])
{
    bool grew = false;
    for (size_t i = 0; i < run_transition_count; i++) {
        const struct run_transition *step = &run_transitions[i];
        if (!seen[step->from]) {
            continue;
        }
        for (int state = 0; state < RUN_STATE_COUNT; state++) {
            bool reached = state == (int)step->to ||
                           (step->event == RUN_EVENT_RECORD && is_final((enum run_state)state));
            grew = grew || (reached && !seen[state]);
            seen[state] = seen[state] || reached;
        }
    }
    return grew;
}

static void spread_from(enum run_state start, bool seen[RUN_STATE_COUNT])
{
    memset(seen, 0, RUN_STATE_COUNT * sizeof(*seen));
    seen[start] = true;
    while (spread(seen)) {
    }
}

START_TEST(every_state_can_be_reached_from_due)
{
    bool seen[RUN_STATE_COUNT];
    spread_from(RUN_DUE, seen);
    for (int state = 0; state < RUN_STATE_COUNT; state++) {
        ck_assert_msg(seen[state], "%s is never reached", run_state_name((enum run_state)state));
    }
}
END_TEST

START_TEST(a_final_state_is_never_left)
{
    for (size_t i = 0; i < run_transition_count; i++) {
        ck_assert(!is_final(run_transitions[i].from));
    }
    for (int event = 0; event < RUN_EVENT_COUNT; event++) {
        ck_assert(!run_may(RUN_SUCCEEDED, (enum run_event)event));
        ck_assert(!run_may(RUN_LOST, (enum run_event)event));
    }
}
END_TEST

START_TEST(every_other_state_can_end)
{
    for (int state = 0; state < RUN_STATE_COUNT; state++) {
        bool seen[RUN_STATE_COUNT];
        spread_from((enum run_state)state, seen);
        bool ends = false;
        for (int to = 0; to < RUN_STATE_COUNT; to++) {
            ends = ends || (seen[to] && is_final((enum run_state)to));
        }
        ck_assert_msg(ends, "%s cannot end", run_state_name((enum run_state)state));
    }
}
END_TEST

START_TEST(a_state_and_an_event_lead_to_one_place_with_a_reason)
{
    bool used[RUN_EVENT_COUNT] = {false};
    for (size_t i = 0; i < run_transition_count; i++) {
        const struct run_transition *step = &run_transitions[i];
        used[step->event] = true;
        ck_assert(run_may(step->from, step->event));
        ck_assert_ptr_nonnull(step->reason);
        ck_assert_str_ne(step->reason, "");
        for (size_t k = 0; k < i; k++) {
            ck_assert(run_transitions[k].from != step->from || run_transitions[k].event != step->event);
        }
    }
    for (int event = 0; event < RUN_EVENT_COUNT; event++) {
        ck_assert(used[event]);
    }
}
END_TEST

START_TEST(text_goes_out_only_after_a_committed_claim)
{
    for (int state = 0; state < RUN_STATE_COUNT; state++) {
        ck_assert(run_may((enum run_state)state, RUN_EVENT_START) == (state == RUN_CLAIMED));
    }
    ck_assert(!run_may(RUN_DUE, RUN_EVENT_RECORD));
    ck_assert(!run_may(RUN_RUNNING, RUN_EVENT_RETRY));
}
END_TEST

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
    tcase_add_test(tests, every_state_can_be_reached_from_due);
    tcase_add_test(tests, a_final_state_is_never_left);
    tcase_add_test(tests, every_other_state_can_end);
    tcase_add_test(tests, a_state_and_an_event_lead_to_one_place_with_a_reason);
    tcase_add_test(tests, text_goes_out_only_after_a_committed_claim);
    tcase_add_test(tests, state_names_are_distinct_and_read_back);
    tcase_add_test(tests, kinds_have_names);
    tcase_add_test(tests, a_run_moves_the_cursor_or_was_asked_for_or_was_woken);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
