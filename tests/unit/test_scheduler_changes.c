/* SPDX-License-Identifier: PostgreSQL */
/* Runs of changes: when they fall due, and what a notification makes of them. */
#include "base/memory.h"
#include "support/daemon/woken_job.h"

/* --- changes ------------------------------------------------------------------------------------------------------ */

/* All in seconds. */
static const struct {
    int64_t target_lag, expected, due;
} lags[] = {{0, 0, 0}, {2, 0, 0}, {3, 0, 1}, {60, 0, 30}, {60, 10, 20}, {60, 30, 0}, {60, 50, 0}};

static void check_lag(size_t i)
{
    struct job *job = define_woken_alone("a", 5);
    struct job_memory memory = memory_of(job, 0);
    job->options->target_lag = lags[i].target_lag * USEC_PER_SEC;
    memory.last_duration = lags[i].expected * USEC_PER_SEC;
    woken = scheduler_put(scheduler, job, &memory);
    start();
    instant due = lags[i].target_lag == 3 ? second(10) + 3 * USEC_PER_SEC / 2 : second(10 + lags[i].due);
    change_at(second(10));
    if (due > second(10)) {
        change_at(second(11)); /* the first one counts */
        nothing_due();
        ck_assert(!scheduler_quiet(scheduler));
        ck_assert_int_eq(scheduler_next(scheduler), due);
        scheduler_tick(scheduler, due);
    }
    claim_one(RUN_CHANGE, due, NULL);
}

START_TEST(a_change_is_due_in_time_for_its_run_to_keep_the_lag)
{
    for (size_t i = 0; i < COUNT_OF(lags); i++) {
        check_lag(i);
        scheduling_reset();
    }
}
END_TEST

/* What was told last counts, from the next change on. */
START_TEST(a_lag_is_inherited_where_the_job_says_so)
{
    struct job *job = define_woken_alone("a", 5);
    job->options->target_lag = TARGET_LAG_DOWNSTREAM;
    woken = add(job);
    start();
    ck_assert_int_eq(scheduled_target_lag(woken), SCHEDULED_LAG_UNTOLD);
    scheduled_inherit_lag(woken, 60 * USEC_PER_SEC);
    change_at(second(10));
    scheduled_inherit_lag(woken, 20 * USEC_PER_SEC);
    ck_assert_int_eq(scheduler_next(scheduler), second(40));
    change_at(second(11));
    ck_assert_int_eq(scheduler_next(scheduler), second(21));
    scheduler_tick(scheduler, second(21));
    claim_one(RUN_CHANGE, second(21), NULL);
    ck_assert(job_is_driven(scheduled_job(woken)));
}
END_TEST

START_TEST(nothing_waits_for_more_when_the_end_of_all_runs_is_waited_for)
{
    struct job *job = define_woken_alone("a", 5);
    job->options->target_lag = 60 * USEC_PER_SEC;
    woken = add(job);
    scheduler_hurry(scheduler);
    start();
    change_at(second(10));
    claim_one(RUN_CHANGE, second(10), NULL);
    end_at(second(11), RUN_SUCCEEDED);
    notify_at("one", second(12));
    claim_one(RUN_EVENT, second(12), "one");
}
END_TEST

START_TEST(a_change_is_ignored_while_anything_of_the_job_is_under_way)
{
    struct job *job = define("a", "0 0 1 1 *");
    comes_after(job, "up");
    woken = add(job);
    struct scheduled *up = add(define("up", "*/10 * * * *"));
    start();
    tick(10);
    claim(up, 10);
    scheduler_request(scheduler, woken, RUN_MANUAL, minute(10));
    change_at(minute(10)); /* asked for, and waits */
    finish(up, RUN_SUCCEEDED);
    change_at(minute(10)); /* ready */
    take_one(RUN_MANUAL, minute(10), NULL);
    change_at(minute(10));
    scheduler_claimed(scheduler, woken);
    change_at(minute(10));
    scheduler_retry(scheduler, woken, 2, minute(11));
    change_at(minute(10));
    tick(11);
    claim_one(RUN_MANUAL, minute(10), NULL);
    end_at(minute(11), RUN_SUCCEEDED);
    nothing_due();
    change_at(minute(12));
    change_at(minute(12));
    claim_one(RUN_CHANGE, minute(12), NULL);
    end_at(minute(12), RUN_SUCCEEDED);
    nothing_due();
}
END_TEST

START_TEST(after_runs_that_failed_changes_wait_for_their_back_off)
{
    static const enum run_state states[] = {RUN_FAILED, RUN_TIMED_OUT, RUN_LOST, RUN_FAILED, RUN_FAILED, RUN_FAILED};
    static const int64_t waits[] = {5, 10, 20, 40, 80, 100};
    instant now = second(2);
    start_woken(0);
    change_at(now);
    for (size_t i = 0; i < sizeof(waits) / sizeof(*waits); i++) {
        claim_one(RUN_CHANGE, now, NULL);
        end_at(now, states[i]);
        change_at(now + 1);
        change_at(now + 2);
        nothing_due();
        now += waits[i] * USEC_PER_SEC;
        ck_assert_int_eq(scheduler_next(scheduler), now);
        scheduler_tick(scheduler, now);
    }
    claim_one(RUN_CHANGE, now, NULL);
    end_at(now, RUN_SUCCEEDED);
    change_at(now + 1);
    claim_one(RUN_CHANGE, now + 1, NULL);
}
END_TEST

START_TEST(what_the_ledger_remembers_of_failures_holds_changes_up_too)
{
    struct job *job = define_woken_alone("a", 0);
    struct job_memory memory = memory_of(job, 0);
    memory.failures = 6;
    memory.last_end = second(0);
    woken = scheduler_put(scheduler, job, &memory);
    start();
    change_at(second(10));
    nothing_due();
    ck_assert_int_eq(scheduler_next(scheduler), second(100));
}
END_TEST

/* --- both together ------------------------------------------------------------------------------------------------ */

START_TEST(a_notification_and_a_change_are_one_run_due_when_the_first_of_them_is)
{
    struct job *job = define_woken_alone("a", 5);
    job->options->target_lag = 40 * USEC_PER_SEC;
    woken = add(job);
    start();
    change_at(second(0)); /* due at 20 */
    notify_at("sooner", second(1));
    change_at(second(2));
    ck_assert_int_eq(scheduler_next(scheduler), second(6));
    scheduler_tick(scheduler, second(6));
    claim_one(RUN_EVENT, second(6), "sooner");
    end_at(second(7), RUN_SUCCEEDED);
    nothing_due();
    change_at(second(80)); /* due at 99, for a run takes a second */
    notify_at("later", second(98));
    ck_assert_int_eq(scheduler_next(scheduler), second(99));
    scheduler_tick(scheduler, second(99));
    claim_one(RUN_EVENT, second(99), "later");
    end_at(second(99), RUN_SUCCEEDED);
    ck_assert(scheduler_quiet(scheduler));
}
END_TEST

START_TEST(a_notification_that_waits_for_quiet_does_not_hold_a_change_up)
{
    struct job *job = define_woken_alone("a", 60);
    job->options->target_lag = 10 * USEC_PER_SEC;
    woken = add(job);
    start();
    notify_at("first", second(0)); /* quiet at 60 */
    change_at(second(1));          /* due at 6 */
    change_at(second(2));
    notify_at("second", second(3));
    ck_assert_int_eq(scheduler_next(scheduler), second(6));
    scheduler_tick(scheduler, second(6));
    claim_one(RUN_EVENT, second(6), "second");
    end_at(second(7), RUN_SUCCEEDED);
    ck_assert(scheduler_quiet(scheduler));
}
END_TEST

START_TEST(what_was_to_look_at_everything_is_not_narrowed_by_what_comes_before_its_claim)
{
    start_woken(5);
    notify_at(NULL, second(0));
    notify_at("one", second(1));
    scheduler_tick(scheduler, second(6));
    take_one(RUN_EVENT, second(6), NULL);
    notify_at("two", second(6));
    scheduler_unclaimed(scheduler, woken);
    claim_one(RUN_EVENT, second(6), NULL);
    notify_at("three", second(7));
    end_at(second(8), RUN_SUCCEEDED);
    scheduler_tick(scheduler, second(12));
    claim_one(RUN_EVENT, second(12), "three");
}
END_TEST

START_TEST(a_change_that_is_due_becomes_a_run_of_the_notification)
{
    start_woken(5);
    change_at(second(1));
    notify_at("one", second(2));
    claim_one(RUN_EVENT, second(1), "one");
    end_at(second(3), RUN_SUCCEEDED);
    change_at(second(4));
    take_one(RUN_CHANGE, second(4), NULL);
    notify_at("two", second(5));
    scheduler_unclaimed(scheduler, woken);
    claim_one(RUN_EVENT, second(4), "two");
    end_at(second(6), RUN_SUCCEEDED);
    scheduler_tick(scheduler, second(60));
    nothing_due();
    change_at(second(61));
    claim_one(RUN_CHANGE, second(61), NULL);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        a_change_is_due_in_time_for_its_run_to_keep_the_lag,
        a_lag_is_inherited_where_the_job_says_so,
        nothing_waits_for_more_when_the_end_of_all_runs_is_waited_for,
        a_change_is_ignored_while_anything_of_the_job_is_under_way,
        after_runs_that_failed_changes_wait_for_their_back_off,
        what_the_ledger_remembers_of_failures_holds_changes_up_too,
        a_notification_and_a_change_are_one_run_due_when_the_first_of_them_is,
        a_notification_that_waits_for_quiet_does_not_hold_a_change_up,
        what_was_to_look_at_everything_is_not_narrowed_by_what_comes_before_its_claim,
        a_change_that_is_due_becomes_a_run_of_the_notification,
    };
    return scheduling_run("scheduler_changes", tests, sizeof(tests) / sizeof(*tests));
}
