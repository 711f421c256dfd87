/* SPDX-License-Identifier: PostgreSQL */
/* Runs of events among other jobs: whom they wait for. */
#include "support/daemon/woken_jobs.h"

/* --- the order of the graph --------------------------------------------------------------------------------------- */

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
    jobs[0]->options->debounce = jobs[1]->options->debounce = 0;
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
    jobs[0]->options->debounce = jobs[1]->options->debounce = 0;
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
    upstream->options->debounce = USEC_PER_MINUTE;
    struct scheduled *b = add(define_woken("b", "a"));
    struct scheduled *a = add(upstream);
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
    jobs[0]->options->debounce = jobs[1]->options->debounce = 0;
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
    job->options->debounce = 0;
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

/* --- through joins ------------------------------------------------------------------------------------------------ */

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
    };
    return scheduling_run("scheduler_event_order", tests, sizeof(tests) / sizeof(*tests));
}
