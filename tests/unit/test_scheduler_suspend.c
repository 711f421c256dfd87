/* SPDX-License-Identifier: PostgreSQL */
/* Suspension, by hand and by failing too often. */
#include "support/schedule/scheduling.h"

static struct scheduled *a;

static struct job *define_failing(const char *name, int64_t limit)
{
    struct job *job = define(name, "*/10 * * * *");
    job->options->suspend_after_failures = limit;
    return job;
}

static void suspended_for(const struct scheduled *scheduled, const char *reason)
{
    struct suspension suspension;
    ck_assert_msg(scheduler_take_suspension(scheduler, &suspension), "nothing was suspended");
    ck_assert_ptr_eq(suspension.scheduled, scheduled);
    ck_assert_str_eq(suspension.reason, reason);
}

static void nothing_suspended(void)
{
    struct suspension suspension;
    ck_assert_msg(!scheduler_take_suspension(scheduler, &suspension), "something was suspended");
}

/* --- by hand ------------------------------------------------------------------------------------------------------ */

START_TEST(a_suspended_job_is_not_due_and_misses_its_slots_until_it_is_back)
{
    a = add(define("a", "*/10 * * * *"));
    start();
    scheduler_suspend(scheduler, a, "too noisy", minute(5));
    next_is(NEVER);
    tick(34);
    nothing_due();
    nothing_passed();
    scheduler_resume(scheduler, a, "suspended until now: too noisy", minute(35));
    missed(a, 0, 10, 30, 3, "suspended until now: too noisy");
    next_is(40);
    tick(40);
    ck_assert_int_eq(claim(a, 40).cursor, minute(30));
    nothing_suspended(); /* who did it by hand knows */
}
END_TEST

START_TEST(what_is_due_and_has_not_started_is_skipped_for_the_reason)
{
    struct job *job = define("a", "*/10 * * * *");
    job->options->overlap_policy = OVERLAP_BUFFER_ALL;
    a = add(job);
    start();
    tick(20);
    scheduler_suspend(scheduler, a, "too noisy", minute(31)); /* nobody has seen the last one yet */
    skipped_because(a, 0, 10, 30, "too noisy");
    nothing_due();
    ck_assert(scheduler_quiet(scheduler));
}
END_TEST

START_TEST(a_live_run_goes_on_retries_included)
{
    a = add(define("a", "*/10 * * * *"));
    start();
    tick(10);
    claim(a, 10);
    scheduler_suspend(scheduler, a, "too noisy", minute(15));
    nothing_passed();
    scheduler_retry(scheduler, a, 2, minute(18));
    tick(30);
    ck_assert(claim(a, 10).again);
    finish(a, RUN_SUCCEEDED);
    nothing_due();
    nothing_passed();
    scheduler_resume(scheduler, a, "back", minute(35));
    missed(a, 10, 20, 30, 2, "back");
}
END_TEST

START_TEST(slots_buffered_behind_a_live_run_are_skipped)
{
    struct job *job = define("a", "*/10 * * * *");
    job->options->overlap_policy = OVERLAP_BUFFER_ONE;
    a = add(job);
    start();
    tick(10);
    claim(a, 10);
    tick(30);
    scheduler_suspend(scheduler, a, "too noisy", minute(31));
    skipped_because(a, 10, 20, 30, "too noisy");
    finish(a, RUN_SUCCEEDED);
    nothing_due();
}
END_TEST

START_TEST(a_claim_under_way_decides_what_becomes_of_its_slot)
{
    a = add(define("a", "*/10 * * * *"));
    start();
    tick(20);
    take(a, 10);
    scheduler_suspend(scheduler, a, "too noisy", minute(21));
    nothing_passed();
    scheduler_claimed(scheduler, a);
    skipped_because(a, 10, 20, 20, "too noisy");
    finish(a, RUN_SUCCEEDED);
    scheduler_resume(scheduler, a, "back", minute(22));
    tick(40);
    take(a, 30);
    scheduler_suspend(scheduler, a, "again", minute(41));
    scheduler_unclaimed(scheduler, a);
    skipped_because(a, 20, 30, 40, "again");
    nothing_due();
}
END_TEST

START_TEST(a_job_resumed_while_its_claim_is_under_way_goes_on_behind_it)
{
    a = add(define("a", "*/10 * * * *"));
    start();
    tick(10);
    take(a, 10);
    scheduler_suspend(scheduler, a, "too noisy", minute(11));
    scheduler_resume(scheduler, a, "back", minute(21));
    nothing_passed();
    tick(21);
    scheduler_unclaimed(scheduler, a);
    claim(a, 10);
    skipped(a, 10, 20, 20);
    finish(a, RUN_SUCCEEDED);
    tick(30);
    claim(a, 30);
}
END_TEST

START_TEST(a_suspended_job_takes_no_requests_and_lets_go_of_those_it_had)
{
    struct job *job = define("down", "@yearly");
    comes_after(job, "a");
    a = add(define("a", "*/10 * * * *"));
    struct scheduled *down = add(job);
    start();
    scheduler_request(scheduler, a, RUN_MANUAL, minute(1));
    scheduler_request(scheduler, a, RUN_MANUAL, minute(2));
    scheduler_request(scheduler, down, RUN_MANUAL, minute(3));
    scheduler_suspend(scheduler, a, "too noisy", minute(4));
    claim(down, 3); /* nothing to wait for */
    nothing_due();
    ck_assert(scheduled_idle(a));
    scheduler_request(scheduler, a, RUN_MANUAL, minute(1));
    nothing_due();
    nothing_passed();
    scheduler_resume(scheduler, a, "back", minute(5));
    scheduler_request(scheduler, a, RUN_MANUAL, minute(1));
    claim(a, 1);
}
END_TEST

START_TEST(a_request_whose_claim_comes_to_nothing_is_let_go)
{
    a = add(define("a", "*/10 * * * *"));
    start();
    scheduler_request(scheduler, a, RUN_MANUAL, minute(1));
    take(a, 1);
    scheduler_suspend(scheduler, a, "too noisy", minute(12));
    skipped_because(a, 0, 10, 10, "too noisy");
    scheduler_unclaimed(scheduler, a);
    nothing_due();
    nothing_passed();
    ck_assert(scheduler_quiet(scheduler));
}
END_TEST

START_TEST(suspending_twice_and_resuming_twice_change_nothing)
{
    a = add(define("a", "*/10 * * * *"));
    start();
    scheduler_resume(scheduler, a, "back", minute(25));
    nothing_passed();
    tick(25);
    scheduler_suspend(scheduler, a, "first", minute(25));
    skipped_because(a, 0, 10, 20, "first");
    scheduler_suspend(scheduler, a, "second", minute(35));
    nothing_passed();
    scheduler_resume(scheduler, a, "back", minute(45));
    missed(a, 20, 30, 40, 2, "back");
    scheduler_resume(scheduler, a, "back", minute(55));
    nothing_passed();
}
END_TEST

START_TEST(those_after_a_suspended_job_go_on_as_if_it_were_not_there)
{
    struct job *job = define("down", "*/10 * * * *");
    comes_after(job, "a");
    a = add(define("a", "*/10 * * * *"));
    struct scheduled *down = add(job);
    start();
    run_at(a, 10, RUN_FAILED);
    skipped_for(down, 0, 10, "upstream a failed");
    tick(20);
    nothing_passed();
    scheduler_suspend(scheduler, a, "too noisy", minute(21));
    skipped_because(a, 10, 20, 20, "too noisy");
    claim(down, 20);
    finish(down, RUN_SUCCEEDED);
    run_at(down, 30, RUN_SUCCEEDED);
    scheduler_resume(scheduler, a, "back", minute(35));
    missed(a, 20, 30, 30, 1, "back");
    tick(40);
    claim(a, 40);
    nothing_due();
}
END_TEST

START_TEST(a_live_run_of_a_suspended_job_is_still_waited_for)
{
    struct job *job = define("down", "*/10 * * * *");
    comes_after(job, "a");
    a = add(define("a", "*/10 * * * *"));
    struct scheduled *down = add(job);
    start();
    tick(10);
    claim(a, 10);
    scheduler_suspend(scheduler, a, "too noisy", minute(12));
    nothing_due();
    finish(a, RUN_FAILED);
    claim(down, 10);
}
END_TEST

START_TEST(a_job_may_be_suspended_from_the_start)
{
    struct job *job = define("a", "*/10 * * * *");
    struct job_memory memory = memory_of(job, -100);
    memory.suspended = true;
    a = scheduler_put(scheduler, job, &memory);
    start();
    tick(10);
    nothing_due();
    nothing_passed();
    scheduler_resume(scheduler, a, "back", minute(15));
    missed(a, -100, -90, 10, 11, "back");
    tick(20);
    claim(a, 20);
}
END_TEST

START_TEST(a_delay_counts_from_when_it_is_back_if_it_was_due_before)
{
    a = add(define_delay("a", 15));
    struct scheduled *b = add(define_delay("b", 50));
    start();
    scheduler_suspend(scheduler, a, "too noisy", minute(5));
    scheduler_suspend(scheduler, b, "too noisy", minute(5));
    next_is(NEVER);
    scheduler_resume(scheduler, a, "back", minute(40));
    scheduler_resume(scheduler, b, "back", minute(40));
    missed(a, 0, 15, 15, 1, "back");
    nothing_passed();
    next_is(50);
    tick(50);
    claim(b, 50);
    next_is(55);
}
END_TEST

START_TEST(a_slot_whose_start_is_still_to_come_is_neither_skipped_nor_missed)
{
    struct job *job = define("a", "*/10 * * * *");
    job->options->jitter = 9 * USEC_PER_MINUTE;
    a = add(job);
    start();
    instant at = scheduler_next(scheduler);
    ck_assert_int_gt(at, minute(10));
    scheduler_suspend(scheduler, a, "too noisy", at - 2);
    nothing_passed();
    scheduler_resume(scheduler, a, "back", at - 1);
    nothing_passed();
    scheduler_tick(scheduler, at);
    claim(a, 10);
}
END_TEST

/* A job that a leader finds suspended as it starts, so many minutes past midnight. */
static struct scheduled *find_suspended(struct job *job, int64_t minutes)
{
    struct job_memory memory = memory_of(job, 0);
    memory.suspended = true;
    struct scheduled *it = scheduler_put(scheduler, job, &memory);
    start_at(minutes);
    return it;
}

START_TEST(slots_after_a_suspension_that_ended_while_nothing_led_are_caught_up)
{
    a = find_suspended(define("a", "0 3 * * *"), 300);
    scheduler_resume_since(scheduler, a, "over", minute(120), minute(300));
    nothing_passed();
    claim(a, 180);
}
END_TEST

START_TEST(slots_until_the_end_of_a_suspension_are_missed_and_the_rest_is_caught_up_by_its_rule)
{
    struct job *job = define("a", "*/10 * * * *");
    job->options->catchup = CATCHUP_NONE;
    a = find_suspended(job, 55);
    scheduler_resume_since(scheduler, a, "over", minute(25), minute(56));
    missed(a, 0, 10, 20, 2, "over");
    missed(a, 20, 30, 50, 3, "catchup is none: nothing led when they were due");
    tick(60);
    claim(a, 60);
}
END_TEST

START_TEST(slots_after_a_suspension_are_caught_up_behind_a_run_that_goes_on)
{
    a = find_suspended(define("a", "*/10 * * * *"), 55);
    scheduler_adopt(scheduler, a, RUN_SCHEDULE, minute(0), 2, minute(55), false);
    tick(55);
    ck_assert(claim(a, 0).again);
    scheduler_resume_since(scheduler, a, "over", minute(25), minute(56));
    missed(a, 0, 10, 20, 2, "over");
    missed(a, 20, 30, 40, 2, "catchup is latest: a later slot was due as well");
    finish(a, RUN_SUCCEEDED);
    claim(a, 50);
}
END_TEST

START_TEST(slots_since_the_end_of_a_suspension_are_due_where_a_leader_was_there)
{
    a = add(define("a", "*/10 * * * *"));
    start();
    scheduler_suspend(scheduler, a, "too noisy", minute(5));
    scheduler_resume_since(scheduler, a, "over", minute(25), minute(31));
    missed(a, 0, 10, 20, 2, "over");
    tick(31);
    claim(a, 30);
}
END_TEST

START_TEST(a_job_of_every_second_is_back_at_once_however_long_it_slept)
{
    static const int64_t years = INT64_C(20) * 365 * 24 * 60;
    a = find_suspended(define("a", "* * * * * *"), years);
    struct scheduled *b = add(define("b", "1 seconds"));
    scheduler_link(scheduler, minute(years));
    scheduler_suspend(scheduler, b, "too noisy", minute(years));
    struct skipped passed;
    ck_assert(scheduler_take_skipped(scheduler, &passed) && passed.scheduled == b);
    scheduler_resume_since(scheduler, a, "over", minute(years - 1), minute(years));
    ck_assert(scheduler_take_skipped(scheduler, &passed) && passed.count == (years - 1) * 60);
    ck_assert(scheduler_take_skipped(scheduler, &passed) && passed.count == 59);
    scheduler_resume(scheduler, b, "back", minute(2 * years));
    ck_assert(scheduler_take_skipped(scheduler, &passed) && passed.count == years * 60);
    scheduler_suspend(scheduler, a, "too noisy", minute(years));
}
END_TEST

/* --- by failing --------------------------------------------------------------------------------------------------- */

START_TEST(a_job_that_fails_too_often_in_a_row_suspends_itself)
{
    a = add(define_failing("a", 3));
    start();
    run_at(a, 10, RUN_FAILED);
    run_at(a, 20, RUN_TIMED_OUT);
    nothing_suspended();
    run_at(a, 30, RUN_LOST);
    suspended_for(a, "3 runs in a row failed, the last one at 2026-03-02T00:30:00Z");
    nothing_suspended();
    next_is(NEVER);
    tick(100);
    nothing_due();
    nothing_passed();
}
END_TEST

START_TEST(a_success_starts_the_count_anew_and_cancelled_runs_leave_it)
{
    a = add(define_failing("a", 3));
    start();
    run_at(a, 10, RUN_FAILED);
    run_at(a, 20, RUN_FAILED);
    run_at(a, 30, RUN_SUCCEEDED);
    run_at(a, 40, RUN_FAILED);
    run_at(a, 50, RUN_CANCELLED);
    run_at(a, 60, RUN_FAILED);
    run_at(a, 70, RUN_CANCELLED);
    nothing_suspended();
    run_at(a, 80, RUN_FAILED);
    suspended_for(a, "3 runs in a row failed, the last one at 2026-03-02T01:20:00Z");
}
END_TEST

START_TEST(a_job_that_is_back_has_all_its_tries_again)
{
    a = add(define_failing("a", 2));
    start();
    run_at(a, 10, RUN_FAILED);
    run_at(a, 20, RUN_FAILED);
    suspended_for(a, "2 runs in a row failed, the last one at 2026-03-02T00:20:00Z");
    scheduler_resume(scheduler, a, "back", minute(21));
    run_at(a, 30, RUN_FAILED);
    nothing_suspended();
    run_at(a, 40, RUN_FAILED);
    suspended_for(a, "2 runs in a row failed, the last one at 2026-03-02T00:40:00Z");
}
END_TEST

START_TEST(one_failure_may_be_too_many_and_none_may_be)
{
    a = add(define_failing("a", 1));
    struct scheduled *b = add(define_failing("b", 0));
    start();
    tick(10);
    claim(a, 10);
    claim(b, 10);
    finish(b, RUN_FAILED);
    nothing_suspended();
    finish(a, RUN_FAILED);
    suspended_for(a, "a run failed at 2026-03-02T00:10:00Z, and suspend_after_failures is 1");
}
END_TEST

START_TEST(a_job_that_suspends_itself_skips_what_it_had_buffered)
{
    struct job *job = define_failing("a", 1);
    job->options->overlap_policy = OVERLAP_BUFFER_ALL;
    a = add(job);
    start();
    tick(10);
    claim(a, 10);
    tick(30);
    finish(a, RUN_FAILED);
    skipped_because(a, 10, 20, 30, "a run failed at 2026-03-02T00:30:00Z, and suspend_after_failures is 1");
    ck_assert(!scheduler_quiet(scheduler)); /* the ledger does not know yet */
    suspended_for(a, "a run failed at 2026-03-02T00:30:00Z, and suspend_after_failures is 1");
    nothing_suspended();
    ck_assert(scheduler_quiet(scheduler));
}
END_TEST

START_TEST(who_waited_for_the_last_failure_still_sees_it)
{
    struct job *job = define("down", "*/10 * * * *");
    comes_after(job, "a");
    a = add(define_failing("a", 1));
    struct scheduled *down = add(job);
    start();
    run_at(a, 10, RUN_FAILED);
    skipped_for(down, 0, 10, "upstream a failed");
    run_at(down, 20, RUN_SUCCEEDED);
}
END_TEST

START_TEST(a_crash_before_the_suspension_was_written_is_made_up_for_at_the_start)
{
    struct job *job = define_failing("a", 3);
    struct job_memory memory = memory_of(job, -60);
    memory.failures = 4;
    memory.last_end = minute(-55);
    a = scheduler_put(scheduler, job, &memory);
    struct job *other = define_failing("b", 3);
    memory = memory_of(other, 0);
    memory.failures = 3;
    struct scheduled *b = scheduler_put(scheduler, other, &memory);
    start();
    suspended_for(a, "4 runs in a row failed, the last one at 2026-03-01T23:05:00Z");
    suspended_for(b, "3 runs in a row failed, the last one at a time unknown");
    nothing_due();
    nothing_passed();
    scheduler_resume(scheduler, a, "back", minute(5));
    missed(a, -60, -50, 0, 6, "back");
}
END_TEST

START_TEST(a_job_that_is_suspended_already_is_not_suspended_again)
{
    struct job *job = define_failing("a", 3);
    struct job_memory memory = memory_of(job, 0);
    memory.failures = 4;
    memory.suspended = true;
    a = scheduler_put(scheduler, job, &memory);
    start();
    nothing_suspended();
}
END_TEST

START_TEST(a_run_that_fails_while_its_job_is_suspended_does_not_suspend_it_twice)
{
    a = add(define_failing("a", 1));
    start();
    tick(10);
    claim(a, 10);
    scheduler_suspend(scheduler, a, "too noisy", minute(11));
    finish(a, RUN_FAILED);
    nothing_suspended();
}
END_TEST

START_TEST(a_refresh_that_fails_is_never_suspended_but_tried_less_often)
{
    struct job *job = define("a", "*/10 * * * *");
    job->work = JOB_REFRESH;
    options_defaults(job->options, true);
    a = add(job);
    start();
    for (int64_t slot = 10; slot <= 80;
         slot += 10) { /* after the eighth it waits for 640 s, which is longer than 10 minutes */
        run_at(a, slot, RUN_FAILED);
    }
    tick(90);
    nothing_due();
    skipped_because(a, 80, 90, 90, "8 runs in a row failed: it is tried again after 2026-03-02T01:30:40Z");
    run_at(a, 100, RUN_FAILED);
    tick(120);
    nothing_due();
    skipped_because(a, 100, 110, 110, "9 runs in a row failed: it is tried again after 2026-03-02T02:01:20Z");
    skipped_because(a, 110, 120, 120, "9 runs in a row failed: it is tried again after 2026-03-02T02:01:20Z");
    run_at(a, 130, RUN_FAILED);
    tick(170);
    for (int64_t slot = 140; slot <= 170; slot += 10) {
        skipped_because(a, slot - 10, slot, slot,
                        "10 runs in a row failed: it is tried again after 2026-03-02T02:52:40Z");
    }
    for (int64_t slot = 180; slot <= 360; slot += 60) { /* an hour at most */
        nothing_suspended();
        run_at(a, slot, RUN_FAILED);
        tick(slot + 50);
        while (scheduler_take_skipped(scheduler, &(struct skipped){0})) {
        }
        nothing_due();
    }
    run_at(a, 420, RUN_SUCCEEDED);
    run_at(a, 430, RUN_FAILED);
    run_at(a, 440, RUN_FAILED);
    nothing_passed();
}
END_TEST

START_TEST(who_asks_for_a_refresh_that_fails_has_it_at_once)
{
    struct job *job = define("a", "*/10 * * * *");
    job->work = JOB_REFRESH;
    options_defaults(job->options, true);
    struct job_memory memory = memory_of(job, 0);
    memory.failures = 20;
    memory.last_end = MIDNIGHT;
    a = scheduler_put(scheduler, job, &memory);
    start();
    tick(10);
    nothing_due();
    scheduler_request(scheduler, a, RUN_MANUAL, minute(11));
    struct due due;
    ck_assert(scheduler_take_due(scheduler, &due));
    ck_assert_int_eq(due.kind, RUN_MANUAL);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        a_suspended_job_is_not_due_and_misses_its_slots_until_it_is_back,
        what_is_due_and_has_not_started_is_skipped_for_the_reason,
        a_live_run_goes_on_retries_included,
        slots_buffered_behind_a_live_run_are_skipped,
        a_claim_under_way_decides_what_becomes_of_its_slot,
        a_job_resumed_while_its_claim_is_under_way_goes_on_behind_it,
        a_suspended_job_takes_no_requests_and_lets_go_of_those_it_had,
        a_request_whose_claim_comes_to_nothing_is_let_go,
        suspending_twice_and_resuming_twice_change_nothing,
        those_after_a_suspended_job_go_on_as_if_it_were_not_there,
        a_live_run_of_a_suspended_job_is_still_waited_for,
        a_job_may_be_suspended_from_the_start,
        a_delay_counts_from_when_it_is_back_if_it_was_due_before,
        a_slot_whose_start_is_still_to_come_is_neither_skipped_nor_missed,
        slots_after_a_suspension_that_ended_while_nothing_led_are_caught_up,
        slots_until_the_end_of_a_suspension_are_missed_and_the_rest_is_caught_up_by_its_rule,
        slots_after_a_suspension_are_caught_up_behind_a_run_that_goes_on,
        slots_since_the_end_of_a_suspension_are_due_where_a_leader_was_there,
        a_job_of_every_second_is_back_at_once_however_long_it_slept,
        a_job_that_fails_too_often_in_a_row_suspends_itself,
        a_success_starts_the_count_anew_and_cancelled_runs_leave_it,
        a_job_that_is_back_has_all_its_tries_again,
        one_failure_may_be_too_many_and_none_may_be,
        a_job_that_suspends_itself_skips_what_it_had_buffered,
        who_waited_for_the_last_failure_still_sees_it,
        a_crash_before_the_suspension_was_written_is_made_up_for_at_the_start,
        a_job_that_is_suspended_already_is_not_suspended_again,
        a_run_that_fails_while_its_job_is_suspended_does_not_suspend_it_twice,
        a_refresh_that_fails_is_never_suspended_but_tried_less_often,
        who_asks_for_a_refresh_that_fails_has_it_at_once,
    };
    return scheduling_run("scheduler_suspend", tests, sizeof(tests) / sizeof(*tests));
}
