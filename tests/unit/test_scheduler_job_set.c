/* SPDX-License-Identifier: PostgreSQL */
/* Another catalog while runs go on: what is withdrawn and replaced. Who comes and goes is in
 * test_scheduler_retire.c. */
#include <string.h>

#include "support/schedule/scheduling.h"

/* --- unchanged jobs ----------------------------------------------------------------------------------------------- */

START_TEST(unchanged_jobs_keep_whatever_they_were_at)
{
    struct job *job = define("waits", "*/10 * * * *");
    comes_after(job, "runs");
    struct scheduled *runs = add(define("runs", "10 * * * *"));
    struct scheduled *retries = add(define("retries", "10 * * * *"));
    struct scheduled *waits = add(job);
    struct scheduled *ready = add(define("ready", "10 * * * *"));
    start();
    tick(10);
    claim(runs, 10);
    claim(retries, 10);
    scheduler_retry(scheduler, retries, 2, minute(14));
    replace(runs, 10);
    replace(retries, 10);
    replace(waits, 0);
    replace(ready, 0);
    relink(12);
    claim(ready, 10);
    nothing_due();
    next_is(14);
    tick(14);
    ck_assert(claim(retries, 10).attempt == 2);
    finish(runs, RUN_SUCCEEDED);
    claim(waits, 10);
    nothing_passed();
}
END_TEST

START_TEST(requests_stay_through_another_catalog)
{
    struct scheduled *a = add(define("a", "*/10 * * * *"));
    start();
    scheduler_request(scheduler, a, RUN_MANUAL, minute(1));
    scheduler_request(scheduler, a, RUN_MANUAL, minute(2));
    withdraw(a, 5);
    nothing_due();
    nothing_passed();
    scheduler_request(scheduler, a, RUN_MANUAL, minute(3));
    nothing_due();
    replace_with(a, redefine(a, "0 * * * *"), 5);
    relink(6);
    for (int i = 1; i <= 3; i++) {
        claim(a, i);
        finish(a, RUN_SUCCEEDED);
    }
    nothing_due();
}
END_TEST

START_TEST(another_priority_or_pool_moves_a_job_in_the_line)
{
    scheduler_pool(scheduler, "narrow", 1);
    struct job *wide = define("b", "10 * * * *");
    struct scheduled *a = add(define("a", "10 * * * *"));
    struct scheduled *b = add(wide);
    struct scheduled *c = add(define("c", "9 * * * *"));
    start();
    tick(10);
    claim(c, 9);
    struct job *first = redefine(b, "10 * * * *");
    first->options->priority = 1;
    first->options->pool = "narrow";
    struct job *moved = redefine(c, "9 * * * *");
    moved->options->pool = "narrow";
    replace(a, 0);
    replace_with(b, first, 0);
    replace_with(c, moved, 9);
    relink(11);
    claim(a, 10); /* c runs in the narrow pool now */
    nothing_due();
    finish(c, RUN_SUCCEEDED);
    claim(b, 10);
}
END_TEST

START_TEST(another_deadline_counts_for_what_waits_already)
{
    struct scheduled *a = add(define("a", "10 * * * *"));
    start();
    tick(10);
    struct job *hasty = redefine(a, "10 * * * *");
    hasty->options->starting_deadline = 5 * USEC_PER_MINUTE;
    replace_with(a, hasty, 0);
    relink(12);
    next_is(15);
    tick(15);
    skipped_for(a, 0, 10, "deadline: not started within 5min: waited for a session");
}
END_TEST

START_TEST(what_is_ready_waits_for_an_upstream_that_is_new_to_it)
{
    struct scheduled *down = add(define("down", "10 * * * *"));
    struct scheduled *up = add(define("up", "10 * * * *"));
    start();
    tick(10);
    struct job *job = redefine(down, "10 * * * *");
    comes_after(job, "up");
    replace_with(down, job, 0);
    replace(up, 0);
    relink(11);
    claim(up, 10);
    nothing_due();
    finish(up, RUN_SUCCEEDED);
    claim(down, 10);
}
END_TEST

START_TEST(what_is_ready_is_not_judged_by_what_its_upstream_did_since)
{
    struct job *job = define("down", "10 * * * *");
    comes_after(job, "up");
    struct scheduled *up = add(define("up", "*/10 * * * *"));
    struct scheduled *down = add(job);
    start();
    run_at(up, 10, RUN_SUCCEEDED);
    tick(20);
    struct due due;
    ck_assert(scheduler_take_due(scheduler, &due) && due.scheduled == down);
    claim(up, 20);
    scheduler_unclaimed(scheduler, down);
    finish(up, RUN_FAILED);
    replace(down, 0);
    replace(up, 20);
    relink(21);
    claim(down, 10);
    nothing_passed();
}
END_TEST

/* --- withdrawn jobs ----------------------------------------------------------------------------------------------- */

START_TEST(a_job_that_changes_its_schedule_starts_from_what_the_ledger_says)
{
    struct scheduled *a = add(define("a", "*/10 * * * *"));
    start();
    tick(20);
    withdraw(a, 33);
    struct skipped passed = take_passed(a, 0, 10, 30);
    ck_assert(!passed.missed && !passed.outcome && strcmp(passed.reason, CHANGED) == 0);
    ck_assert_int_eq(schedule_next(&passed.schedule, minute(31)), minute(40));
    nothing_due();
    tick(40);
    nothing_due();
    next_is(NEVER);
    replace_with(a, redefine(a, "*/7 * * * *"), 41);
    relink(43);
    nothing_due();
    tick(43);
    ck_assert_int_eq(claim(a, 42).cursor, minute(41));
    ck_assert_int_eq(scheduled_version(a), 4);
    next_is(49);
}
END_TEST

START_TEST(the_run_of_a_job_that_changes_goes_on_and_its_buffered_slots_do_not)
{
    struct job *job = define("a", "*/10 * * * *");
    job->options->overlap_policy = OVERLAP_BUFFER_ALL;
    struct scheduled *a = add(job);
    start();
    tick(10);
    claim(a, 10);
    tick(30);
    withdraw(a, 31);
    skipped_because(a, 10, 20, 30, CHANGED);
    replace_with(a, redefine(a, "*/7 * * * *"), 32);
    relink(33);
    tick(35);
    nothing_due();
    finish(a, RUN_SUCCEEDED);
    ck_assert_int_eq(claim(a, 35).cursor, minute(32));
}
END_TEST

START_TEST(a_slot_whose_jitter_has_not_passed_is_not_left_to_the_new_schedule)
{
    struct job *job = define("a", "*/10 * * * *");
    job->options->jitter = 9 * USEC_PER_MINUTE;
    struct scheduled *a = add(job);
    start();
    scheduler_withdraw(scheduler, a, CHANGED, scheduler_next(scheduler) - 1);
    skipped_because(a, 0, 10, 10, CHANGED);
}
END_TEST

START_TEST(slots_that_passed_while_it_was_suspended_are_missed)
{
    struct scheduled *a = add(define("a", "*/10 * * * *"));
    start();
    scheduler_suspend(scheduler, a, "too noisy", minute(5));
    withdraw(a, 35);
    missed(a, 0, 10, 30, 3, CHANGED);
    replace_with(a, redefine(a, "*/7 * * * *"), 36);
    relink(37);
    tick(50);
    nothing_due(); /* it sleeps on */
    scheduler_resume(scheduler, a, "back", minute(50));
    missed(a, 36, 42, 49, 2, "back");
}
END_TEST

START_TEST(a_job_put_to_sleep_by_its_file_and_woken_again)
{
    struct scheduled *a = add(define("a", "*/10 * * * *"));
    start();
    withdraw(a, 5);
    struct job *off = redefine(a, "*/10 * * * *");
    off->active = false;
    replace_with(a, off, 0);
    relink(6);
    tick(30);
    nothing_due();
    nothing_passed();
    withdraw(a, 35);
    nothing_passed(); /* nothing was due */
    replace_with(a, redefine(a, "*/10 * * * *"), 36);
    relink(37);
    tick(40);
    ck_assert_int_eq(claim(a, 40).cursor, minute(36));
}
END_TEST

START_TEST(an_upstream_that_is_being_changed_is_not_taken_for_inactive)
{
    struct job *job = define("join", "");
    comes_after(job, "a");
    comes_after(job, "b");
    struct scheduled *a = add(define("a", "*/10 * * * *"));
    struct scheduled *b = add(define("b", ""));
    struct scheduled *join = add(job);
    start();
    run_at(a, 10, RUN_SUCCEEDED);
    withdraw(b, 11);
    nothing_due();
    replace(a, 10);
    replace_with(b, redefine(b, "15 * * * *"), 12);
    replace(join, 0);
    relink(12);
    nothing_due();
    run_at(b, 15, RUN_SUCCEEDED);
    claim(join, 15);
}
END_TEST

START_TEST(a_cursor_never_moves_back)
{
    struct scheduled *a = add(define("a", "*/10 * * * *"));
    start();
    run_at(a, 10, RUN_SUCCEEDED);
    replace(a, 0); /* asked for before the claim */
    relink(12);
    tick(20);
    ck_assert_int_eq(claim(a, 20).cursor, minute(10));
}
END_TEST

START_TEST(the_newer_of_two_memories_of_an_outcome_counts)
{
    struct job *job = define("down", "*/10 * * * *");
    comes_after(job, "up");
    struct scheduled *up = add(define("up", ""));
    struct scheduled *down = add(job);
    start();
    scheduler_request(scheduler, up, RUN_MANUAL, minute(5));
    tick(5);
    claim(up, 5);
    finish(up, RUN_FAILED);
    for (int i = 0; i < 2; i++) {
        struct job *fresh = redefine(up, "");
        struct job_memory memory = memory_of(fresh, 0);
        memory.job_id = scheduled_id(up);
        memory.has_outcome = true;
        memory.last_outcome = RUN_SUCCEEDED;
        memory.outcome_at = minute(i == 0 ? 4 : 6);
        memory.last_duration = 7;
        scheduler_put(scheduler, fresh, &memory);
        relink(7 + i);
        tick(10 + 10 * i);
        if (i == 0) {
            skipped_for(down, 0, 10, "upstream up failed");
        } else {
            claim(down, 20);
        }
    }
    ck_assert_int_eq(scheduled_expected(up), 7);
}
END_TEST

START_TEST(a_lower_limit_of_failures_suspends_at_once)
{
    struct scheduled *a = add(define("a", "*/10 * * * *"));
    start();
    run_at(a, 10, RUN_FAILED);
    run_at(a, 20, RUN_FAILED);
    struct job *strict = redefine(a, "*/10 * * * *");
    strict->options->suspend_after_failures = 2;
    replace_with(a, strict, 20);
    relink(21);
    struct suspension suspension;
    ck_assert(scheduler_take_suspension(scheduler, &suspension) && suspension.scheduled == a);
    tick(30);
    nothing_due();
}
END_TEST

/* --- joins -------------------------------------------------------------------------------------------------------- */

static void deliver(struct scheduled *it, int64_t minutes)
{
    tick(minutes);
    scheduler_request(scheduler, it, RUN_MANUAL, minute(minutes));
    claim(it, minutes);
    finish(it, RUN_SUCCEEDED);
}

START_TEST(marks_of_upstreams_that_stay_are_kept_and_new_ones_are_waited_for)
{
    struct job *job = define("join", "");
    comes_after(job, "a");
    comes_after(job, "gone");
    struct scheduled *a = add(define("a", ""));
    struct scheduled *gone = add(define("gone", ""));
    struct scheduled *join = add(job);
    start();
    deliver(a, 5);
    struct job *other = define("join", "");
    comes_after(other, "fresh");
    comes_after(other, "a");
    replace(a, 0);
    replace_with(join, other, 0);
    struct scheduled *fresh = add(define("fresh", ""));
    scheduler_remove(scheduler, gone);
    relink(7);
    nothing_due();
    deliver(fresh, 8);
    claim(join, 8);
    finish(join, RUN_SUCCEEDED);
    deliver(fresh, 9);
    nothing_due();
    deliver(a, 10);
    claim(join, 10);
}
END_TEST

START_TEST(a_join_goes_on_without_an_upstream_that_is_gone)
{
    struct job *job = define("join", "");
    comes_after(job, "a");
    comes_after(job, "gone");
    struct scheduled *a = add(define("a", ""));
    struct scheduled *gone = add(define("gone", ""));
    struct scheduled *join = add(job);
    start();
    deliver(a, 5);
    struct job *other = define("join", "");
    comes_after(other, "a");
    scheduler_remove(scheduler, gone);
    replace(a, 0);
    replace_with(join, other, 0);
    relink(7);
    claim(join, 5);
}
END_TEST

START_TEST(a_job_that_becomes_a_join_goes_by_what_is_remembered_of_its_upstreams)
{
    struct scheduled *a = add(define("a", ""));
    struct scheduled *b = add(define("b", "*/10 * * * *"));
    start();
    run_at(b, 10, RUN_SUCCEEDED);
    deliver(a, 15);
    withdraw(b, 16);
    struct job *join = define("b", "");
    comes_after(join, "a");
    replace(a, 0);
    replace_with(b, join, 17);
    relink(18);
    nothing_due(); /* that was before it became one */
    deliver(a, 19);
    ck_assert_int_eq(claim(b, 19).kind, RUN_DEPENDENCY);
}
END_TEST

START_TEST(a_due_decision_of_a_join_that_changes_is_skipped)
{
    struct job *job = define("join", "");
    comes_after(job, "a");
    struct scheduled *a = add(define("a", ""));
    struct scheduled *join = add(job);
    start();
    deliver(a, 5);
    withdraw(join, 6);
    struct skipped passed = take_passed(join, 0, 5, 5);
    ck_assert(passed.kind == RUN_DEPENDENCY && !passed.outcome);
    replace(a, 0);
    replace(join, 5);
    relink(7);
    nothing_due();
    deliver(a, 8);
    claim(join, 8);
}
END_TEST

START_TEST(a_join_that_is_switched_on_goes_by_what_came_since)
{
    struct job *job = define("join", "");
    comes_after(job, "a");
    job->active = false;
    struct scheduled *a = add(define("a", ""));
    struct scheduled *join = add(job);
    start();
    deliver(a, 5);
    deliver(a, 36); /* while the ledger was being told */
    struct job *on = redefine(join, "");
    comes_after(on, "a");
    replace(a, 0);
    replace_with(join, on, 35);
    relink(37);
    ck_assert_int_eq(claim(join, 36).cursor, minute(35));
    finish(join, RUN_SUCCEEDED);
    nothing_due();
}
END_TEST

START_TEST(marks_of_a_join_that_was_off_are_gone_when_it_is_on)
{
    struct job *job = define("join", "");
    comes_after(job, "a");
    job->active = false;
    struct scheduled *a = add(define("a", ""));
    struct scheduled *join = add(job);
    start();
    deliver(a, 5);
    struct job *on = redefine(join, "");
    comes_after(on, "a");
    replace(a, 0);
    replace_with(join, on, 35);
    relink(35);
    nothing_due();
    deliver(a, 40);
    claim(join, 40);
}
END_TEST

START_TEST(a_job_that_is_switched_off_lets_go_of_its_requests)
{
    struct scheduled *a = add(define("a", "*/10 * * * *"));
    start();
    tick(10);
    claim(a, 10);
    scheduler_request(scheduler, a, RUN_MANUAL, minute(11));
    struct job *off = redefine(a, "*/10 * * * *");
    off->active = false;
    withdraw(a, 12);
    replace_with(a, off, 10);
    relink(12);
    finish(a, RUN_SUCCEEDED);
    nothing_due();
    ck_assert(scheduler_quiet(scheduler));
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        unchanged_jobs_keep_whatever_they_were_at,
        requests_stay_through_another_catalog,
        another_priority_or_pool_moves_a_job_in_the_line,
        another_deadline_counts_for_what_waits_already,
        what_is_ready_waits_for_an_upstream_that_is_new_to_it,
        what_is_ready_is_not_judged_by_what_its_upstream_did_since,
        a_job_that_changes_its_schedule_starts_from_what_the_ledger_says,
        the_run_of_a_job_that_changes_goes_on_and_its_buffered_slots_do_not,
        a_slot_whose_jitter_has_not_passed_is_not_left_to_the_new_schedule,
        slots_that_passed_while_it_was_suspended_are_missed,
        a_job_put_to_sleep_by_its_file_and_woken_again,
        an_upstream_that_is_being_changed_is_not_taken_for_inactive,
        a_cursor_never_moves_back,
        the_newer_of_two_memories_of_an_outcome_counts,
        a_lower_limit_of_failures_suspends_at_once,
        marks_of_upstreams_that_stay_are_kept_and_new_ones_are_waited_for,
        a_join_goes_on_without_an_upstream_that_is_gone,
        a_job_that_becomes_a_join_goes_by_what_is_remembered_of_its_upstreams,
        a_due_decision_of_a_join_that_changes_is_skipped,
        a_join_that_is_switched_on_goes_by_what_came_since,
        marks_of_a_join_that_was_off_are_gone_when_it_is_on,
        a_job_that_is_switched_off_lets_go_of_its_requests,
    };
    return scheduling_run("scheduler_job_set", tests, sizeof(tests) / sizeof(*tests));
}
