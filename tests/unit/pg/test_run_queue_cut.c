/* SPDX-License-Identifier: PostgreSQL */
/* Runs of a queue that do not end by themselves: they are interrupted, or their session goes. */
#include <check.h>

#include "support/pg/one_run_queue.h"
#include "support/process/suite.h"

/* --- interrupting ------------------------------------------------------------------------------------------------- */

START_TEST(an_attempt_beyond_its_timeout_is_interrupted_then_terminated)
{
    release_when_drained = true;
    job.options->attempt_timeout = 30 * USEC_PER_SEC;
    push_and_start();
    pass_time(loop, 30 * USEC_PER_SEC - 1);
    ck_assert_int_eq(interrupts, 0);
    pass_time(loop, 1);
    ck_assert_int_eq(interrupts, 1);
    ck_assert(!run_queue_usable(queue));
    pass_time(loop, 10 * USEC_PER_SEC);
    ck_assert_int_eq(interrupts, 1);
    ck_assert_int_eq(terminations, 1);
    answer_error(server, "57014", "canceling statement due to user request");
    settle(loop);
    expect_end(0, RUN_END_KNOWN, RUN_TIMED_OUT, "attempt_timeout");
    ck_assert_ptr_null(queue);
    ck_assert(script_finished(server)); /* an interrupt may still be under way */
}
END_TEST

START_TEST(an_attempt_that_ends_in_time_is_left_alone)
{
    job.options->attempt_timeout = 30 * USEC_PER_SEC;
    push_and_start();
    answer_done(server, "UPDATE 1");
    settle(loop);
    pass_time(loop, 60 * USEC_PER_SEC);
    ck_assert_int_eq(interrupts, 0);
}
END_TEST

START_TEST(a_success_counts_even_if_an_interrupt_was_sent)
{
    const struct run *run = push_and_start();
    ck_assert_int_eq(run->state, RUN_RUNNING);
    run_queue_cancel_current(queue, "cancelled by ann");
    answer_done(server, "UPDATE 1");
    settle(loop);
    expect_end(0, RUN_END_KNOWN, RUN_SUCCEEDED, "");
}
END_TEST

START_TEST(another_failure_of_an_interrupted_run_stays_that_failure)
{
    push_and_start();
    run_queue_cancel_current(queue, "cancelled by ann");
    answer_error(server, "22012", "division by zero");
    settle(loop);
    expect_end(0, RUN_END_KNOWN, RUN_FAILED, "");
}
END_TEST

START_TEST(cancelling_interrupts_the_current_run_and_gives_back_those_behind_it)
{
    push();
    push();
    settle(loop);
    run_queue_cancel_current(queue, "cancelled by ann");
    ck_assert_int_eq(interrupts, 1);
    answer_error(server, "57014", "canceling statement due to user request");
    settle(loop);
    ck_assert_int_eq(end_count, 2);
    expect_end(0, RUN_END_KNOWN, RUN_CANCELLED, "cancelled by ann");
    expect_end(1, RUN_END_UNSTARTED, RUN_LOST, "it was not started");
    expect_sent(server, SEND_ONE, "SYNC");
    expect_nothing_sent(server);
}
END_TEST

START_TEST(there_may_be_nothing_to_cancel)
{
    run_queue_cancel_current(queue, "cancelled by ann");
    allowed = false;
    const struct run *run = push_and_start();
    run_queue_cancel_current(queue, "cancelled by ann");
    ck_assert(!run->cancelled);
    ck_assert_int_eq(interrupts, 0);
    ck_assert(run_queue_usable(queue));
}
END_TEST

START_TEST(a_termination_that_says_so_ends_the_cancelled_run)
{
    push_and_start();
    run_queue_cancel_current(queue, "cancelled by ann");
    answer_error(server, "57P01", "terminating connection due to administrator command");
    server_closes(server, "gone");
    settle(loop);
    ck_assert_int_eq(end_count, 1);
    expect_end(0, RUN_END_KNOWN, RUN_CANCELLED, "cancelled by ann");
    ck_assert_ptr_null(queue);
}
END_TEST

/* --- a session that goes ------------------------------------------------------------------------------------------ */

static void end_the_session(void)
{
    answer_error(server, "57P01", "terminating connection due to administrator command");
    server_closes(server, "gone");
    settle(loop);
    ck_assert_int_eq(end_count, 1);
    ck_assert_ptr_null(queue);
}

#define OPEN "the session ended before it said whether its text was committed"

/* The server commits a text of several statements before it says that the last one is complete. */
START_TEST(a_session_ended_in_the_last_statement_of_a_text_leaves_its_run_in_doubt)
{
    become_command("SELECT 1; UPDATE t SET a = 1", DELIVERY_AT_MOST_ONCE);
    push_and_start();
    answer_row(server, "1");
    end_the_session();
    expect_end(0, RUN_END_UNKNOWN, RUN_LOST, OPEN);
}
END_TEST

START_TEST(a_session_ended_before_the_last_statement_of_a_text_is_a_known_failure)
{
    become_command("SELECT 1; UPDATE t SET a = 1", DELIVERY_AT_MOST_ONCE);
    push_and_start();
    end_the_session();
    expect_end(0, RUN_END_KNOWN, RUN_FAILED, "");
}
END_TEST

START_TEST(a_session_ended_during_a_single_statement_is_a_known_failure)
{
    push_and_start();
    end_the_session();
    expect_end(0, RUN_END_KNOWN, RUN_FAILED, "");
    ck_assert_str_eq(ends[0].outcome.sqlstate, "57P01");
}
END_TEST

/* A single one is complete before it is committed. */
START_TEST(a_session_ended_behind_a_single_statement_leaves_its_run_in_doubt)
{
    push_and_start();
    answer_done(server, "UPDATE 5");
    answer_commit_error(server, "57P01", "terminating connection due to administrator command");
    server_closes(server, "gone");
    settle(loop);
    ck_assert_int_eq(end_count, 1);
    expect_end(0, RUN_END_UNKNOWN, RUN_LOST, OPEN);
}
END_TEST

START_TEST(a_session_that_goes_without_an_answer_leaves_its_run_in_doubt_and_the_rest_unstarted)
{
    push();
    push();
    push();
    settle(loop);
    server_closes(server, "gone");
    settle(loop);
    ck_assert_int_eq(end_count, 3);
    expect_end(0, RUN_END_UNKNOWN, RUN_LOST, "the session ended without an answer");
    expect_end(1, RUN_END_UNSTARTED, RUN_LOST, "it was not started");
    expect_end(2, RUN_END_UNSTARTED, RUN_LOST, "it was not started");
    ck_assert_ptr_null(queue);
    ck_assert_int_eq(pool_open_count(pool), 0);
}
END_TEST

START_TEST(a_session_that_goes_before_anything_was_started_leaves_nothing_in_doubt)
{
    allowed = false;
    push_and_start();
    server_closes(server, "gone");
    settle(loop);
    ck_assert_int_eq(end_count, 1);
    expect_end(0, RUN_END_UNSTARTED, RUN_LOST, "it was not started");
}
END_TEST

START_TEST(a_broken_queue_with_a_running_text_ends_it_in_doubt)
{
    push_and_start();
    run_queue_broken(queue);
    queue = NULL;
    ck_assert_int_eq(end_count, 1);
    expect_end(0, RUN_END_UNKNOWN, RUN_LOST, "the session ended without an answer");
    settle(loop);
    ck_assert(script_finished(server));
}
END_TEST

START_TEST(abandoning_tells_nobody_and_closes_the_session)
{
    push();
    push();
    settle(loop);
    run_queue_abandon(queue);
    queue = NULL;
    settle(loop);
    ck_assert_int_eq(end_count + drained, 0);
    ck_assert(script_finished(server));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("run_queue_cut");
    TCase *tests = tcase_create("run_queue_cut");
    tcase_add_checked_fixture(tests, run_queue_set_up, run_queue_tear_down);
    tcase_add_test(tests, an_attempt_beyond_its_timeout_is_interrupted_then_terminated);
    tcase_add_test(tests, an_attempt_that_ends_in_time_is_left_alone);
    tcase_add_test(tests, a_success_counts_even_if_an_interrupt_was_sent);
    tcase_add_test(tests, another_failure_of_an_interrupted_run_stays_that_failure);
    tcase_add_test(tests, cancelling_interrupts_the_current_run_and_gives_back_those_behind_it);
    tcase_add_test(tests, there_may_be_nothing_to_cancel);
    tcase_add_test(tests, a_termination_that_says_so_ends_the_cancelled_run);
    tcase_add_test(tests, a_session_ended_in_the_last_statement_of_a_text_leaves_its_run_in_doubt);
    tcase_add_test(tests, a_session_ended_before_the_last_statement_of_a_text_is_a_known_failure);
    tcase_add_test(tests, a_session_ended_during_a_single_statement_is_a_known_failure);
    tcase_add_test(tests, a_session_ended_behind_a_single_statement_leaves_its_run_in_doubt);
    tcase_add_test(tests, a_session_that_goes_without_an_answer_leaves_its_run_in_doubt_and_the_rest_unstarted);
    tcase_add_test(tests, a_session_that_goes_before_anything_was_started_leaves_nothing_in_doubt);
    tcase_add_test(tests, a_broken_queue_with_a_running_text_ends_it_in_doubt);
    tcase_add_test(tests, abandoning_tells_nobody_and_closes_the_session);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
