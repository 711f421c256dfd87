/* SPDX-License-Identifier: PostgreSQL */
/* What becomes of slots, events and retries where the clock goes back, and of cursors that it left in the future. */
#include "support/daemon/woken_job.h"

START_TEST(what_waits_for_a_time_to_come_waits_no_longer_when_the_clock_is_stepped_back)
{
    start_woken(0);
    struct job *job = (struct job *)(uintptr_t)scheduled_job(woken);
    job->options->debounce = 5 * USEC_PER_SEC;
    scheduler_tick(scheduler, minute(60));
    notify_at("one", minute(60) + second(1) - MIDNIGHT);
    scheduler_step_back(scheduler, second(2));
    ck_assert_int_eq(scheduler_next(scheduler), second(7));
    scheduler_tick(scheduler, second(7));
    claim_one(RUN_EVENT, second(7), "one");
}
END_TEST

START_TEST(a_retry_waits_no_longer_when_the_clock_is_stepped_back)
{
    struct scheduled *it = add(define("a", "0 * * * *"));
    start();
    tick(60);
    claim(it, 60);
    scheduler_retry(scheduler, it, 2, minute(62));
    scheduler_step_back(scheduler, minute(10));
    ck_assert_int_eq(scheduler_next(scheduler), minute(12));
    tick(12);
    ck_assert_int_eq(take(it, 60).attempt, 2);
}
END_TEST

START_TEST(a_cursor_goes_back_and_what_passed_since_is_caught_up)
{
    struct scheduled *it = remember(define("a", "*/10 * * * *"), minute(1000));
    start_at(35);
    nothing_due();
    next_is(1010);
    scheduler_rewind(scheduler, it, minute(15), minute(35));
    missed(it, 15, 20, 20, 1, "catchup is latest: a later slot was due as well");
    claim(it, 30);
    finish(it, RUN_SUCCEEDED);
    next_is(40);
}
END_TEST

START_TEST(a_delay_counts_from_now_where_its_last_end_was_in_the_future)
{
    struct job *job = define_delay("a", 10);
    struct job_memory memory = memory_of(job, 1000);
    memory.last_end = minute(1001);
    struct scheduled *it = scheduler_put(scheduler, job, &memory);
    start_at(35);
    next_is(1011);
    scheduler_rewind(scheduler, it, minute(35), minute(35));
    nothing_passed();
    next_is(45);
}
END_TEST

START_TEST(a_slot_that_ran_ahead_is_decided_without_a_run)
{
    struct scheduled *it = add(define("a", "*/10 * * * *"));
    start();
    tick(10);
    take(it, 10);
    scheduler_ran_ahead(scheduler, it);
    nothing_due();
    nothing_passed();
    ck_assert_int_eq(scheduled_cursor(it), minute(10));
    tick(20);
    claim(it, 20);
}
END_TEST

START_TEST(a_schedule_that_is_edited_begins_anew_where_its_cursor_was_in_the_future)
{
    struct scheduled *it = remember(define("a", "*/10 * * * *"), minute(1000));
    start_at(15);
    struct job *job = redefine(it, "*/20 * * * *");
    withdraw(it, 15);
    nothing_passed();
    replace_with(it, job, 15);
    relink(15);
    next_is(20);
    tick(20);
    claim(it, 20);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        what_waits_for_a_time_to_come_waits_no_longer_when_the_clock_is_stepped_back,
        a_retry_waits_no_longer_when_the_clock_is_stepped_back,
        a_cursor_goes_back_and_what_passed_since_is_caught_up,
        a_delay_counts_from_now_where_its_last_end_was_in_the_future,
        a_slot_that_ran_ahead_is_decided_without_a_run,
        a_schedule_that_is_edited_begins_anew_where_its_cursor_was_in_the_future,
    };
    return scheduling_run("scheduler_clock", tests, sizeof(tests) / sizeof(*tests));
}
