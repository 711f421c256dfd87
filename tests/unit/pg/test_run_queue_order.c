/* SPDX-License-Identifier: PostgreSQL */
/* Runs that follow each other in a queue: the reset between them, those that wait, those that go back, and what is left
 * at the end. */
#include <check.h>

#include "support/pg/one_run_queue.h"
#include "support/process/suite.h"

#define QUEUE_PATIENCE (250 * USEC_PER_MSEC) /* as in queue.c */

START_TEST(runs_follow_each_other_and_the_session_is_reset_between_texts)
{
    const struct run *first = push();
    const struct run *second = push();
    settle(loop);
    expect_sent(server, SEND_ONE, "SYNC");
    expect_nothing_sent(server);
    answer_done(server, "UPDATE 1");
    settle(loop);
    expect_sent(server, "QUERY DISCARD ALL()", "SYNC", SEND_ONE, "SYNC"); /* in one flush */
    answer_done(server, "DISCARD ALL");
    answer_done(server, "UPDATE 2");
    settle(loop);
    ck_assert_int_eq(end_count, 2);
    ck_assert_ptr_eq(ends[0].run, first);
    ck_assert_ptr_eq(ends[1].run, second);
    ck_assert_int_eq(ends[1].outcome.rows, 2);
}
END_TEST

START_TEST(a_text_for_the_simple_protocol_waits_for_the_reset)
{
    push_and_start();
    answer_done(server, "UPDATE 1");
    settle(loop);
    become_command(TWO_STATEMENTS, DELIVERY_AT_MOST_ONCE);
    const struct run *run = push_and_start();
    expect_sent(server, SEND_ONE, "SYNC", "QUERY DISCARD ALL()", "SYNC");
    expect_nothing_sent(server);
    ck_assert_int_eq(run->started, INSTANT_NONE);
    answer_done(server, "DISCARD ALL");
    settle(loop);
    expect_sent(server, "TEXT " TWO_STATEMENTS);
}
END_TEST

START_TEST(behind_a_performed_text_the_settings_are_reset_unless_more_is_left)
{
    become_command("UPDATE t SET a = 1", DELIVERY_TRANSACTIONAL);
    push_and_start();
    answer_row(server, "1", _i == 0 ? "f" : _i == 1 ? "t" : NULL);
    settle(loop);
    script_skip_sent(server);
    push_and_start();
    expect_request_with(server, _i == 0 ? "RESET ALL" : "DISCARD ALL");
}
END_TEST

START_TEST(what_a_text_left_is_reset_before_a_refresh_too)
{
    struct job refresh;
    define_refresh(&refresh);
    push_and_start();
    answer_done(server, "UPDATE 1");
    settle(loop);
    script_skip_sent(server);
    push_of(&refresh);
    settle(loop);
    expect_sent(server, "QUERY DISCARD ALL()", "SYNC", "PREPARE chime_refresh: ...", "EXECUTE chime_refresh(...",
                "SYNC");
    answer_done(server, "DISCARD ALL");
    answer_row(server, "1", "refreshed");
    settle(loop);
    ck_assert_int_eq(end_count, 2);
    script_skip_sent(server);
    push_and_start();
    expect_sent(server, SEND_ONE, "SYNC"); /* a refresh leaves nothing */
}
END_TEST

START_TEST(a_session_that_cannot_be_reset_gives_its_runs_back)
{
    bool text = _i == 1;
    push_and_start();
    answer_done(server, "UPDATE 1");
    settle(loop);
    if (text) {
        become_command(TWO_STATEMENTS, DELIVERY_AT_MOST_ONCE);
    }
    push();
    push();
    settle(loop);
    answer_error(server, "42501", "permission denied");
    if (!text) {
        answer_done(server, "UPDATE 1"); /* it travelled behind the reset */
    }
    settle(loop);
    ck_assert_int_eq(complaints, 1);
    ck_assert_int_eq(end_count, 3);
    expect_end(2, RUN_END_UNSTARTED, RUN_LOST, "it was not started");
    ck_assert_int_eq(ends[2].outcome.started, INSTANT_NONE);
    ck_assert(!run_queue_usable(queue));
}
END_TEST

START_TEST(a_run_is_not_started_when_it_may_not)
{
    allowed = false;
    const struct run *run = push_and_start();
    expect_nothing_sent(server);
    ck_assert_int_eq(run->state, RUN_CLAIMED);
    ck_assert_int_eq(end_count, 0);
}
END_TEST

START_TEST(a_run_is_started_when_it_may_after_all)
{
    allowed = false;
    push_and_start();
    allowed = true;
    settle(loop);
    expect_nothing_sent(server);
    run_queue_wake(queue);
    settle(loop);
    expect_sent(server, SEND_ONE, "SYNC");
}
END_TEST

START_TEST(handing_back_starts_nothing_more_and_lets_the_current_run_end)
{
    struct run *current = push();
    struct run *behind = push();
    struct run *last = push();
    settle(loop);
    run_queue_hand_back(queue);
    ck_assert_int_eq(end_count, 2);
    ck_assert_ptr_eq(ends[0].run, behind);
    ck_assert_ptr_eq(ends[1].run, last);
    expect_end(1, RUN_END_UNSTARTED, RUN_LOST, "it was not started");
    push_and_start(); /* a claim that was under way */
    answer_done(server, "UPDATE 1");
    settle(loop);
    ck_assert_int_eq(end_count, 4);
    ck_assert_ptr_eq(ends[2].run, current);
    expect_end(2, RUN_END_KNOWN, RUN_SUCCEEDED, "");
    expect_end(3, RUN_END_UNSTARTED, RUN_LOST, "it was not started");
    expect_sent(server, SEND_ONE, "SYNC");
    expect_nothing_sent(server);
    ck_assert_int_ge(drained, 1);
}
END_TEST

START_TEST(handing_back_before_anything_was_started_gives_everything_back)
{
    int runs;
    push();
    push();
    run_queue_hand_back(queue);
    ck_assert_int_eq(end_count, 2);
    ck_assert_int_eq(run_queue_load(queue, &runs), 0);
    ck_assert_int_eq(runs, 0);
    settle(loop);
    expect_nothing_sent(server);
    ck_assert_int_ge(drained, 1);
}
END_TEST

START_TEST(what_waits_long_behind_a_run_goes_back_to_be_given_to_others)
{
    bool at_once = _i == 0;
    push();
    if (at_once) {
        push();
    }
    settle(loop);
    if (!at_once) {
        push_and_start(); /* behind one that runs already */
    }
    pass_time(loop, QUEUE_PATIENCE - 1);
    ck_assert_int_eq(end_count, 0);
    pass_time(loop, 1);
    ck_assert_int_eq(end_count, 1);
    expect_end(0, RUN_END_UNSTARTED, RUN_LOST, "it was not started");
    answer_done(server, "UPDATE 1");
    settle(loop);
    expect_end(1, RUN_END_KNOWN, RUN_SUCCEEDED, "");
}
END_TEST

START_TEST(what_waits_shortly_is_not_given_back)
{
    push();
    push();
    settle(loop);
    pass_time(loop, QUEUE_PATIENCE - 1);
    answer_done(server, "UPDATE 1");
    settle(loop);
    pass_time(loop, QUEUE_PATIENCE);
    ck_assert_int_eq(end_count, 1);
}
END_TEST

START_TEST(a_reservation_keeps_it_from_being_drained)
{
    int runs;
    ck_assert_ptr_eq(run_queue_identity(queue), pool_identity(session));
    ck_assert(run_queue_usable(queue));
    run_queue_reserve(queue, 1, 2 * USEC_PER_SEC);
    ck_assert_int_eq(run_queue_load(queue, &runs), 2 * USEC_PER_SEC);
    ck_assert_int_eq(runs, 1);
    push_and_start();
    answer_done(server, "UPDATE 1");
    settle(loop);
    ck_assert_int_eq(end_count, 1);
    ck_assert_int_eq(drained, 0);
    run_queue_reserve(queue, -1, 2 * USEC_PER_SEC);
    settle(loop);
    ck_assert_int_eq(drained, 1);
    ck_assert_int_eq(run_queue_load(queue, &runs), 0);
    ck_assert_int_eq(runs, 0);
}
END_TEST

START_TEST(a_drained_queue_is_released_and_its_session_reset)
{
    release_when_drained = true;
    push_and_start();
    answer_done(server, "UPDATE 1");
    settle(loop);
    ck_assert_ptr_null(queue);
    expect_sent(server, SEND_ONE, "SYNC", "QUERY DISCARD ALL()", "SYNC");
    answer_done(server, "DISCARD ALL");
    settle(loop);
    ck_assert_int_eq(pool_idle(pool), 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("run_queue_queue");
    TCase *tests = tcase_create("run_queue_queue");
    tcase_add_checked_fixture(tests, run_queue_set_up, run_queue_tear_down);
    tcase_add_test(tests, runs_follow_each_other_and_the_session_is_reset_between_texts);
    tcase_add_test(tests, a_text_for_the_simple_protocol_waits_for_the_reset);
    tcase_add_loop_test(tests, behind_a_performed_text_the_settings_are_reset_unless_more_is_left, 0, 3);
    tcase_add_test(tests, what_a_text_left_is_reset_before_a_refresh_too);
    tcase_add_loop_test(tests, a_session_that_cannot_be_reset_gives_its_runs_back, 0, 2);
    tcase_add_test(tests, a_run_is_not_started_when_it_may_not);
    tcase_add_test(tests, a_run_is_started_when_it_may_after_all);
    tcase_add_test(tests, handing_back_starts_nothing_more_and_lets_the_current_run_end);
    tcase_add_test(tests, handing_back_before_anything_was_started_gives_everything_back);
    tcase_add_loop_test(tests, what_waits_long_behind_a_run_goes_back_to_be_given_to_others, 0, 2);
    tcase_add_test(tests, what_waits_shortly_is_not_given_back);
    tcase_add_test(tests, a_reservation_keeps_it_from_being_drained);
    tcase_add_test(tests, a_drained_queue_is_released_and_its_session_reset);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
