/* SPDX-License-Identifier: PostgreSQL */
/* What becomes of events while their job is suspended, changed or gone. */
#include "support/daemon/woken_jobs.h"

static struct scheduled *a, *b;

/* --- suspension --------------------------------------------------------------------------------------------------- */

static void add_one(void)
{
    struct job *job = define_woken("a", NULL);
    job->options->suspend_after_failures = 2;
    a = add(job);
    b = add(define_woken("b", "a"));
    start();
}

START_TEST(a_notification_is_remembered_while_its_job_is_suspended)
{
    add_one();
    notify(a, 1);
    scheduler_suspend(scheduler, a, "too noisy", minute(2));
    ck_assert(scheduler_quiet(scheduler));
    next_is((365 - 60) * 24 * 60); /* b's slot */
    notify(a, 3);
    tick(20);
    nothing_due();
    notify(b, 20);
    tick(25);
    claim_event(b, 25); /* it waits for nobody who may not run */
    scheduler_resume(scheduler, a, "back", minute(30));
    claim_event(a, 30);
    finish(a, RUN_SUCCEEDED);
    nothing_due();
    nothing_passed();
}
END_TEST

START_TEST(a_debounce_that_outlasts_the_suspension_goes_on)
{
    add_one();
    scheduler_suspend(scheduler, a, "too noisy", minute(2));
    notify(a, 3);
    scheduler_resume(scheduler, a, "back", minute(4));
    nothing_due();
    next_is(8);
    ck_assert(!scheduler_quiet(scheduler));
    tick(8);
    claim_event(a, 8);
}
END_TEST

START_TEST(what_is_due_goes_back_and_falls_due_anew)
{
    add_one();
    notify(a, 1);
    tick(6);
    ck_assert(scheduler_has_due(scheduler));
    scheduler_suspend(scheduler, a, "too noisy", minute(7));
    nothing_due();
    nothing_passed();
    scheduler_resume(scheduler, a, "back", minute(8));
    take(a, 8);
    scheduler_suspend(scheduler, a, "while its claim is under way", minute(9));
    scheduler_unclaimed(scheduler, a);
    nothing_due();
    ck_assert(scheduled_idle(a) && scheduler_quiet(scheduler));
    scheduler_resume(scheduler, a, "back", minute(10));
    claim_event(a, 10);
}
END_TEST

START_TEST(a_claim_refused_for_a_suspension_nobody_had_heard_of_loses_nothing)
{
    add_one();
    notify(a, 1);
    tick(6);
    take(a, 6);
    notify(a, 7);
    scheduler_unclaimed(scheduler, a);
    scheduler_suspend(scheduler, a, "by ann", minute(8));
    nothing_due();
    scheduler_resume(scheduler, a, "back", minute(9));
    claim_event(a, 9);
    finish(a, RUN_SUCCEEDED);
    tick(100);
    nothing_due();
}
END_TEST

START_TEST(a_change_is_not_remembered)
{
    add_one();
    struct job *job = (struct job *)(uintptr_t)scheduled_job(a);
    job->options->target_lag = 20 * USEC_PER_MINUTE;
    change(a, 1);
    next_is(11);
    scheduler_suspend(scheduler, a, "too noisy", minute(2));
    change(a, 3);
    scheduler_resume(scheduler, a, "back", minute(20));
    nothing_due();
    ck_assert(scheduler_quiet(scheduler));
    job->options->target_lag = 0;
    change(a, 21);
    scheduler_suspend(scheduler, a, "too noisy", minute(22));
    scheduler_resume(scheduler, a, "back", minute(23));
    nothing_due();
    ck_assert(scheduler_quiet(scheduler));
    change(a, 24);
    claim(a, 24);
}
END_TEST

START_TEST(a_job_that_suspends_itself_keeps_what_came_meanwhile)
{
    struct suspension suspension;
    add_one();
    for (int64_t i = 0; i < 2; i++) {
        tick(10 * i);
        notify(a, 10 * i);
        tick(10 * i + 5);
        claim_event(a, 5 + 5 * i); /* what came during the first one was due before the second */
        notify(a, 10 * i + 5);
        tick(10 * i + 9);
        finish(a, RUN_FAILED);
    }
    ck_assert(scheduler_take_suspension(scheduler, &suspension) && suspension.scheduled == a);
    tick(40);
    nothing_due();
    scheduler_resume(scheduler, a, "mended", minute(50));
    claim_event(a, 50);
}
END_TEST

/* --- another catalog ---------------------------------------------------------------------------------------------- */

START_TEST(a_withdrawn_job_remembers_and_is_woken_when_it_is_back)
{
    add_one();
    notify(a, 1);
    tick(6);
    notify(b, 1);
    withdraw(a, 7);
    notify(a, 8);
    change(a, 8);
    tick(9);
    nothing_due();
    nothing_passed();
    ck_assert(!scheduler_quiet(scheduler));
    replace(a, 0);
    replace(b, 0);
    relink(9);
    claim_event(a, 9);
    finish(a, RUN_SUCCEEDED);
    tick(12);
    claim_event(b, 11);
    finish(b, RUN_SUCCEEDED);
    ck_assert(scheduler_quiet(scheduler));
}
END_TEST

START_TEST(a_live_run_keeps_its_payload_through_a_reload)
{
    add_one();
    notify(a, 1);
    tick(6);
    claim_event(a, 6);
    replace(a, 0);
    relink(7);
    scheduler_retry(scheduler, a, 2, minute(8));
    tick(8);
    claim_event(a, 6);
}
END_TEST

START_TEST(an_armed_event_goes_by_the_options_of_the_new_catalog)
{
    add_one();
    notify(a, 1);
    struct job *fresh = redefine(a, scheduled_job(a)->schedule_text);
    fresh->options->debounce = 2 * USEC_PER_MINUTE;
    replace_with(a, fresh, 0);
    replace(b, 0);
    relink(2);
    next_is(3);
}
END_TEST

START_TEST(a_job_that_is_switched_off_lets_go_and_one_that_sleeps_remembers)
{
    add_one();
    notify(a, 1);
    notify(b, 1);
    tick(6);
    nothing_passed();
    struct job *off = redefine(a, scheduled_job(a)->schedule_text);
    off->active = false;
    withdraw(a, 7);
    replace_with(a, off, 0);
    replace(b, 0);
    relink(7);
    claim_event(b, 6); /* which waited for it */
    finish(b, RUN_SUCCEEDED);
    ck_assert(scheduler_quiet(scheduler));
    notify(a, 8);
    change(a, 8);
    ck_assert(scheduler_quiet(scheduler));
    tick(21);
    nothing_due();
    replace(a, 0);
    replace(b, 0);
    relink(21);
    claim_event(a, 21);
}
END_TEST

START_TEST(what_was_pending_when_a_job_was_switched_off_is_gone_when_it_is_back)
{
    a = add(define_woken("a", NULL));
    start();
    notify(a, 1);
    tick(6);
    struct job *off = redefine(a, scheduled_job(a)->schedule_text);
    off->active = false;
    withdraw(a, 7);
    scheduler_request(scheduler, a, RUN_MANUAL, minute(7));
    nothing_due(); /* whatever makes it look again */
    replace_with(a, off, 0);
    relink(7);
    replace(a, 0);
    relink(8);
    tick(60);
    nothing_due();
    ck_assert(scheduler_quiet(scheduler));
}
END_TEST

START_TEST(a_job_that_goes_takes_its_event_with_it_but_not_its_run)
{
    a = add(define_woken("a", NULL));
    start();
    notify(a, 1);
    tick(6);
    claim_event(a, 6);
    notify(a, 7);
    scheduler_remove(scheduler, a);
    relink(8);
    notify(a, 9);
    change(a, 9);
    scheduler_retry(scheduler, a, 2, minute(10));
    claim_event(a, 6);
    finish(a, RUN_SUCCEEDED);
    tick(60);
    nothing_due();
    ck_assert(scheduler_quiet(scheduler));
    relink(61);
    ck_assert_uint_eq(scheduler_count(scheduler), 0);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        a_notification_is_remembered_while_its_job_is_suspended,
        a_debounce_that_outlasts_the_suspension_goes_on,
        what_is_due_goes_back_and_falls_due_anew,
        a_claim_refused_for_a_suspension_nobody_had_heard_of_loses_nothing,
        a_change_is_not_remembered,
        a_job_that_suspends_itself_keeps_what_came_meanwhile,
        a_withdrawn_job_remembers_and_is_woken_when_it_is_back,
        a_live_run_keeps_its_payload_through_a_reload,
        an_armed_event_goes_by_the_options_of_the_new_catalog,
        a_job_that_is_switched_off_lets_go_and_one_that_sleeps_remembers,
        what_was_pending_when_a_job_was_switched_off_is_gone_when_it_is_back,
        a_job_that_goes_takes_its_event_with_it_but_not_its_run,
    };
    return scheduling_run("scheduler_events_kept", tests, sizeof(tests) / sizeof(*tests));
}
