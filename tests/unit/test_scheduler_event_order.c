/* Runs of events among other jobs: whom they wait for; and while their job is suspended, changed or gone. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/scheduling.h"

static struct job *define_woken(const char *name, const char *upstream)
{
    struct job *job = define(name,
                             "0 0 1 1 *"); /* a schedule, so that it is no join; no slot of it lies in these tests */
    if (upstream != NULL) {
        comes_after(job, upstream);
    }
    job->options.debounce = 5 * USEC_PER_MINUTE;
    return job;
}

static void notify(struct scheduled *it, int64_t minutes)
{
    scheduler_event(scheduler, it, RUN_EVENT, "news", minute(minutes));
}

static void change(struct scheduled *it, int64_t minutes)
{
    scheduler_event(scheduler, it, RUN_CHANGE, NULL, minute(minutes));
}

static void claim_event(struct scheduled *it, int64_t slot)
{
    struct due due = claim(it, slot);
    ck_assert_str_eq(run_kind_name(due.kind), "event");
    ck_assert_pstr_eq(due.payload, "news");
}

/* --- the order of the graph -------------------------------------------------------------------------------------------- */

START_TEST(jobs_woken_together_run_in_the_order_of_the_graph)
{
    struct scheduled *c = add(define_woken("c", "b")); /* considered first, if it were for the order */
    struct scheduled *b = add(define_woken("b", "a"));
    struct scheduled *a = add(define_woken("a", NULL));
    start();
    notify(c, 1);
    notify(b, 1);
    notify(a, 1);
    tick(6);
    claim_event(a, 6);
    nothing_due();
    finish(a, RUN_FAILED); /* trigger rules are for slots */
    claim_event(b, 6);
    nothing_due();
    finish(b, RUN_SUCCEEDED);
    claim_event(c, 6);
    finish(c, RUN_SUCCEEDED);
    ck_assert(scheduler_quiet(scheduler));
}
END_TEST

START_TEST(what_is_told_at_one_time_is_in_order_whoever_is_told_first)
{
    struct job *jobs[] = {define_woken("b", "a"), define_woken("a", NULL)};
    jobs[0]->options.debounce = jobs[1]->options.debounce = 0;
    struct scheduled *b = add(jobs[0]);
    struct scheduled *a = add(jobs[1]);
    start();
    notify(b, 1);
    ck_assert(scheduler_has_due(scheduler));
    notify(a, 1);
    claim_event(a, 1);
    nothing_due();
    finish(a, RUN_SUCCEEDED);
    claim_event(b, 1);
}
END_TEST

/* Else b would go with what a has yet to see to, and never again. */
START_TEST(what_comes_while_a_run_waits_for_its_upstream_makes_one_more_of_both)
{
    struct job *jobs[] = {define_woken("b", "a"), define_woken("a", NULL)};
    jobs[0]->options.debounce = jobs[1]->options.debounce = 0;
    struct scheduled *b = add(jobs[0]);
    struct scheduled *a = add(jobs[1]);
    start();
    scheduler_event(scheduler, a, RUN_EVENT, "one", minute(1));
    scheduler_event(scheduler, b, RUN_EVENT, "one", minute(1));
    struct due due = claim(a, 1);
    for (int i = 2; i <= 3; i++) {
        scheduler_event(scheduler, a, RUN_EVENT, i == 2 ? "two" : "three", minute(i));
        scheduler_event(scheduler, b, RUN_EVENT, i == 2 ? "two" : "three", minute(i));
    }
    finish(a, RUN_SUCCEEDED);
    due = claim(b, 1);
    ck_assert_pstr_eq(due.payload, "one");
    due = claim(a, 2);
    ck_assert_pstr_eq(due.payload, "three");
    finish(b, RUN_SUCCEEDED);
    nothing_due();
    finish(a, RUN_SUCCEEDED);
    tick(4);
    ck_assert(scheduler_take_due(scheduler, &due) && due.scheduled == b);
    ck_assert_pstr_eq(due.payload, "three");
    scheduler_claimed(scheduler, b);
    finish(b, RUN_SUCCEEDED);
    ck_assert(scheduler_quiet(scheduler));
}
END_TEST

START_TEST(an_upstream_that_is_woken_later_is_not_waited_for)
{
    struct scheduled *b = add(define_woken("b", "a"));
    struct scheduled *a = add(define_woken("a", NULL));
    start();
    notify(b, 1);
    notify(a, 2);
    tick(6);
    claim_event(b, 6);
    tick(7);
    claim_event(a, 7);
}
END_TEST

START_TEST(an_upstream_whose_time_comes_first_is_waited_for_also_where_both_are_seen_at_once)
{
    struct job *upstream = define_woken("a", NULL);
    struct scheduled *b = add(define_woken("b", "a"));
    struct scheduled *a = add(upstream);
    upstream->options.debounce = USEC_PER_MINUTE;
    start();
    notify(b, 1);
    notify(a, 2);
    tick(9);
    claim_event(a, 3);
    nothing_due();
    finish(a, RUN_SUCCEEDED);
    claim_event(b, 6);
}
END_TEST

START_TEST(a_run_waits_for_upstreams_that_run_or_are_asked_for)
{
    struct job *job = define_woken("down", "live");
    comes_after(job, "asked");
    struct scheduled *down = add(job);
    struct scheduled *live = add(define("live", "*/10 * * * *"));
    struct scheduled *asked = add(define_woken("asked", "live"));
    start();
    tick(10);
    claim(live, 10);
    scheduler_request(scheduler, asked, RUN_MANUAL, minute(11));
    notify(down, 8);
    tick(16);
    nothing_due();
    finish(live, RUN_SUCCEEDED);
    claim(asked, 11);
    nothing_due();
    scheduler_retry(scheduler, asked, 2, minute(18));
    nothing_due();
    tick(18);
    claim(asked, 11);
    finish(asked, RUN_SUCCEEDED);
    claim_event(down, 15); /* the clock does not go back to 8 */
}
END_TEST

START_TEST(an_upstream_that_never_rests_is_waited_for_once)
{
    struct job *jobs[] = {define_woken("b", "a"), define_woken("a", NULL)};
    jobs[0]->options.debounce = jobs[1]->options.debounce = 0;
    struct scheduled *b = add(jobs[0]);
    struct scheduled *a = add(jobs[1]);
    start();
    notify(a, 1);
    claim_event(a, 1);
    notify(b, 2);
    notify(a, 3);
    nothing_due();
    tick(4);
    finish(a, RUN_SUCCEEDED);
    claim_event(b, 2);
    claim_event(a, 3);
    notify(a, 5);
    finish(b, RUN_SUCCEEDED);
    notify(b, 5);
    nothing_due();
    finish(a, RUN_SUCCEEDED);
    claim_event(a, 5);
    nothing_due(); /* a's fell due at the same time */
    finish(a, RUN_SUCCEEDED);
    claim_event(b, 5);
}
END_TEST

START_TEST(a_request_waits_for_an_upstreams_event_that_is_due)
{
    struct job *job = define_woken("a", "first");
    struct scheduled *b = add(define_woken("b", "a"));
    struct scheduled *first = add(define("first", "*/10 * * * *"));
    job->options.debounce = 0;
    struct scheduled *a = add(job);
    start();
    tick(10);
    claim(first, 10);
    notify(a, 11);
    scheduler_request(scheduler, b, RUN_MANUAL, minute(12));
    nothing_due();
    finish(first, RUN_SUCCEEDED);
    claim_event(a, 11);
    nothing_due();
    finish(a, RUN_SUCCEEDED);
    claim(b, 12);
}
END_TEST

/* --- through joins ----------------------------------------------------------------------------------------------------- */

static struct scheduled *a, *b, *c;

/* c after the join b after a; of them a and c are woken. */
static void add_join_between(const char *another_upstream)
{
    struct job *join = define("b", "");
    comes_after(join, "a");
    if (another_upstream != NULL) {
        comes_after(join, another_upstream);
    }
    c = add(define_woken("c", "b"));
    b = add(join);
    a = add(define_woken("a", NULL));
}

START_TEST(a_join_between_is_waited_for_with_what_makes_it_run)
{
    add_join_between(NULL);
    start();
    notify(c, 1);
    notify(a, 1);
    tick(6);
    claim_event(a, 6);
    nothing_due();
    tick(7);
    finish(a, RUN_SUCCEEDED);
    ck_assert_int_eq(claim(b, 7).kind, RUN_DEPENDENCY);
    nothing_due();
    finish(b, RUN_SUCCEEDED);
    claim_event(c, 6);
    finish(c, RUN_SUCCEEDED);
    ck_assert(scheduler_quiet(scheduler));
}
END_TEST

START_TEST(a_join_that_decides_to_skip_holds_nobody_up)
{
    add_join_between(NULL);
    start();
    notify(a, 1);
    notify(c, 1);
    tick(6);
    claim_event(a, 6);
    finish(a, RUN_FAILED);
    skipped_for(b, 0, 6, "upstream a failed");
    claim_event(c, 6);
}
END_TEST

START_TEST(a_join_that_lacks_another_upstream_will_not_run_and_holds_nobody_up)
{
    add_join_between("rare");
    struct scheduled *rare = add(define("rare", "30 * * * *"));
    start();
    notify(a, 1);
    notify(c, 1);
    tick(6);
    claim_event(c, 6);
    claim_event(a, 6);
    finish(a, RUN_SUCCEEDED);
    finish(c, RUN_SUCCEEDED);
    nothing_due();
    tick(30); /* now it is under way */
    notify(a, 30);
    notify(c, 30);
    tick(35);
    claim(rare, 30);
    claim_event(a, 35);
    nothing_due();
    finish(a, RUN_SUCCEEDED);
    nothing_due();
    finish(rare, RUN_SUCCEEDED);
    claim(b, 35);
    finish(b, RUN_SUCCEEDED);
    claim_event(c, 35);
}
END_TEST

START_TEST(a_job_between_with_a_schedule_of_its_own_is_not_woken_and_not_waited_for)
{
    c = add(define_woken("c", "b"));
    b = add(define_woken("b", "a"));
    a = add(define_woken("a", NULL));
    start();
    notify(a, 1);
    notify(c, 1);
    tick(6);
    claim_event(c, 6);
    claim_event(a, 6);
}
END_TEST

START_TEST(the_outcome_of_a_woken_upstream_counts_for_a_join_and_that_of_a_woken_join_decides_nothing)
{
    struct job *join = define("b", "");
    comes_after(join, "a");
    b = add(join);
    a = add(define_woken("a", NULL));
    start();
    notify(b, 1);
    claim_event(b, 1);
    finish(b, RUN_SUCCEEDED);
    nothing_due();
    change(a, 2);
    ck_assert_int_eq(claim(a, 2).kind, RUN_CHANGE);
    tick(3);
    finish(a, RUN_SUCCEEDED);
    struct due due = claim(b, 3);
    ck_assert_int_eq(due.kind, RUN_DEPENDENCY);
    ck_assert_int_eq(due.cursor, MIDNIGHT);
}
END_TEST

/* --- suspension -------------------------------------------------------------------------------------------------------- */

static void add_one(void)
{
    struct job *job = define_woken("a", NULL);
    job->options.suspend_after_failures = 2;
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
    job->options.target_lag = 20 * USEC_PER_MINUTE;
    change(a, 1);
    next_is(11);
    scheduler_suspend(scheduler, a, "too noisy", minute(2));
    change(a, 3);
    scheduler_resume(scheduler, a, "back", minute(20));
    nothing_due();
    ck_assert(scheduler_quiet(scheduler));
    job->options.target_lag = 0;
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

/* --- another catalog --------------------------------------------------------------------------------------------------- */

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

START_TEST(a_live_run_keeps_its_payload_through_a_swap)
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
    fresh->options.debounce = 2 * USEC_PER_MINUTE;
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
    scheduler_retire(scheduler, a);
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
        jobs_woken_together_run_in_the_order_of_the_graph,
        what_is_told_at_one_time_is_in_order_whoever_is_told_first,
        what_comes_while_a_run_waits_for_its_upstream_makes_one_more_of_both,
        an_upstream_that_is_woken_later_is_not_waited_for,
        an_upstream_whose_time_comes_first_is_waited_for_also_where_both_are_seen_at_once,
        a_run_waits_for_upstreams_that_run_or_are_asked_for,
        an_upstream_that_never_rests_is_waited_for_once,
        a_request_waits_for_an_upstreams_event_that_is_due,
        a_join_between_is_waited_for_with_what_makes_it_run,
        a_join_that_decides_to_skip_holds_nobody_up,
        a_join_that_lacks_another_upstream_will_not_run_and_holds_nobody_up,
        a_job_between_with_a_schedule_of_its_own_is_not_woken_and_not_waited_for,
        the_outcome_of_a_woken_upstream_counts_for_a_join_and_that_of_a_woken_join_decides_nothing,
        a_notification_is_remembered_while_its_job_is_suspended,
        a_debounce_that_outlasts_the_suspension_goes_on,
        what_is_due_goes_back_and_falls_due_anew,
        a_claim_refused_for_a_suspension_nobody_had_heard_of_loses_nothing,
        a_change_is_not_remembered,
        a_job_that_suspends_itself_keeps_what_came_meanwhile,
        a_withdrawn_job_remembers_and_is_woken_when_it_is_back,
        a_live_run_keeps_its_payload_through_a_swap,
        an_armed_event_goes_by_the_options_of_the_new_catalog,
        a_job_that_is_switched_off_lets_go_and_one_that_sleeps_remembers,
        what_was_pending_when_a_job_was_switched_off_is_gone_when_it_is_back,
        a_job_that_goes_takes_its_event_with_it_but_not_its_run,
    };
    return scheduling_run("scheduler_event_order", tests, sizeof tests / sizeof *tests);
}
