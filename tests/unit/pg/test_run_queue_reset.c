/* SPDX-License-Identifier: PostgreSQL */
/* A queue whose session is being reset, and what a run that goes on for long means to it. */
#include <check.h>

#include "support/pg/one_run_queue.h"
#include "support/process/suite.h"

#define EXPECTED (2 * USEC_PER_MSEC)

static struct job two; /* statements: wait for the reset, which `job` leaves behind */
static int owners[3];

static void set_up(void)
{
    run_queue_set_up();
    release_when_drained = true;
    define_command(&two, TWO_STATEMENTS, DELIVERY_AT_MOST_ONCE);
}

static struct run *push_for(int owner, const struct job *of)
{
    struct run *run = claimed_run(of);
    run->owner = &owners[owner];
    run->expected = EXPECTED;
    run_queue_push(queue, run);
    return run;
}

/* Run 0 has left the session to be reset, and run 1 waits for the reset, which is on its way. */
static void reset_for_the_next(void)
{
    push_for(0, &job);
    push_for(1, &two);
    settle(loop);
    answer_done(server, "UPDATE 1");
    settle(loop);
    ck_assert_int_eq(end_count, 1);
    script_skip_sent(server);
}

static void expect_end_of(int owner, int number, enum run_end how, enum run_state state)
{
    ck_assert_int_gt(end_count, number);
    ck_assert_ptr_eq(ends[number].owner, &owners[owner]);
    ck_assert_int_eq(ends[number].how, how);
    ck_assert_int_eq(ends[number].outcome.state, state);
}

/* --- while the session is reset ----------------------------------------------------------------------------------- */

START_TEST(a_run_cancelled_while_it_waits_for_the_reset_leaves_the_queue_until_the_answer)
{
    reset_for_the_next();
    ck_assert(run_queue_cancel(queue, &owners[1], "cancelled by ann"));
    expect_end_of(1, 1, RUN_END_KNOWN, RUN_CANCELLED);
    settle(loop);
    ck_assert_ptr_nonnull(queue);
    ck_assert(!run_queue_is_drained(queue));
    answer_done(server, "DISCARD ALL");
    settle(loop);
    ck_assert_ptr_null(queue);
    ck_assert_int_eq(interrupts, 0);
}
END_TEST

START_TEST(runs_handed_back_while_the_first_waits_for_the_reset_leave_the_queue_until_the_answer)
{
    reset_for_the_next();
    run_queue_hand_back(queue);
    expect_end_of(1, 1, RUN_END_UNSTARTED, RUN_LOST);
    settle(loop);
    ck_assert_ptr_nonnull(queue);
    answer_done(server, "DISCARD ALL");
    settle(loop);
    ck_assert_ptr_null(queue);
}
END_TEST

START_TEST(a_run_that_comes_while_the_session_is_reset_starts_on_the_clean_one)
{
    reset_for_the_next();
    run_queue_cancel(queue, &owners[1], "cancelled by ann");
    settle(loop);
    push_for(2, &two);
    settle(loop);
    expect_nothing_sent(server);
    answer_done(server, "DISCARD ALL");
    settle(loop);
    expect_sent(server, "TEXT " TWO_STATEMENTS);
}
END_TEST

START_TEST(nothing_executes_while_the_session_is_reset)
{
    reset_for_the_next();
    run_queue_cancel_current(queue, "the daemon was told to stop");
    ck_assert_int_eq(interrupts, 0);
    pass_time(loop, USEC_PER_SEC);
    answer_done(server, "DISCARD ALL");
    settle(loop);
    expect_sent(server, "TEXT " TWO_STATEMENTS);
}
END_TEST

START_TEST(a_run_whose_session_ends_while_it_is_reset_has_not_started)
{
    reset_for_the_next();
    server_closes(server, "terminated");
    settle(loop);
    ck_assert_ptr_null(queue);
    expect_end_of(1, 1, RUN_END_UNSTARTED, RUN_LOST);
}
END_TEST

/* --- interrupts --------------------------------------------------------------------------------------------------- */

START_TEST(a_cancel_within_the_grace_of_a_timeout_does_not_terminate)
{
    job.options->attempt_timeout = USEC_PER_SEC;
    push_for(0, &job);
    settle(loop);
    pass_time(loop, USEC_PER_SEC);
    ck_assert_int_eq(interrupts, 1);
    ck_assert(run_queue_cancel(queue, &owners[0], "cancelled by ann"));
    run_queue_cancel_current(queue, "the daemon was told to stop");
    pass_time(loop, GRACE - USEC_PER_MSEC);
    ck_assert_int_eq(interrupts, 1);
    ck_assert_int_eq(terminations, 0);
    pass_time(loop, USEC_PER_MSEC);
    ck_assert_int_eq(terminations, 1);
}
END_TEST

START_TEST(a_reset_that_failed_is_no_interrupt)
{
    push_for(0, &job);
    struct run *behind = push_for(1, &job);
    settle(loop);
    answer_done(server, "UPDATE 1");
    settle(loop);
    ck_assert_int_eq(behind->state, RUN_RUNNING); /* the reset went ahead of it */
    answer_error(server, "57014", "canceling statement due to user request");
    settle(loop);
    ck_assert(!run_queue_usable(queue));
    run_queue_cancel_current(queue, "cancelled by ann");
    ck_assert_int_eq(interrupts, 1);
    ck_assert_int_eq(terminations, 0);
}
END_TEST

/* --- load --------------------------------------------------------------------------------------------------------- */

START_TEST(a_run_beyond_its_time_counts_for_as_long_as_it_has_run)
{
    int runs;
    push_for(0, &job);
    ck_assert_int_eq(run_queue_load(queue, &runs), EXPECTED);
    settle(loop);
    now += EXPECTED;
    ck_assert_int_eq(run_queue_load(queue, &runs), EXPECTED);
    now += USEC_PER_SEC;
    ck_assert_int_eq(run_queue_load(queue, &runs), EXPECTED + USEC_PER_SEC);
    push_for(1, &job);
    ck_assert_int_eq(run_queue_load(queue, &runs), 2 * EXPECTED + USEC_PER_SEC);
    ck_assert_int_eq(runs, 2);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("run_queue_reset");
    TCase *tests = tcase_create("run_queue_reset");
    tcase_add_checked_fixture(tests, set_up, run_queue_tear_down);
    tcase_add_test(tests, a_run_cancelled_while_it_waits_for_the_reset_leaves_the_queue_until_the_answer);
    tcase_add_test(tests, runs_handed_back_while_the_first_waits_for_the_reset_leave_the_queue_until_the_answer);
    tcase_add_test(tests, a_run_that_comes_while_the_session_is_reset_starts_on_the_clean_one);
    tcase_add_test(tests, nothing_executes_while_the_session_is_reset);
    tcase_add_test(tests, a_run_whose_session_ends_while_it_is_reset_has_not_started);
    tcase_add_test(tests, a_cancel_within_the_grace_of_a_timeout_does_not_terminate);
    tcase_add_test(tests, a_reset_that_failed_is_no_interrupt);
    tcase_add_test(tests, a_run_beyond_its_time_counts_for_as_long_as_it_has_run);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
