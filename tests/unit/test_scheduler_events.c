/* SPDX-License-Identifier: PostgreSQL */
/* Runs of events: when they fall due, what they carry, and what becomes of them. Those of changes are in
 * test_scheduler_changes.c, and their order in test_scheduler_event_order.c. */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "support/daemon/woken_job.h"

/* --- when notifications fall due ---------------------------------------------------------------------------------- */

START_TEST(without_debounce_a_notification_is_due_at_once)
{
    start_woken(0);
    ck_assert(scheduler_quiet(scheduler) && scheduled_idle(woken));
    notify_at("one", second(3));
    ck_assert(!scheduler_quiet(scheduler));
    claim_one(RUN_EVENT, second(3), "one");
    end_at(second(4), RUN_SUCCEEDED);
    nothing_due();
    nothing_passed();
    ck_assert(scheduler_quiet(scheduler) && scheduled_idle(woken));
}
END_TEST

/* `count` notifications, evenly from 0 up to `last`, in milliseconds. */
static const struct {
    int64_t debounce, debounce_max, count, last, due;
} bursts[] = {
    {5000, 0, 1, 0, 5000},           {5000, 0, 10000, 2000, 7000},   {5000, 0, 2, 4999, 9999},
    {5000, 0, 2, 5000, 5000},        {5000, 0, 1000, 49000, 50000},  {5000, 0, 1000, 120000, 50000},
    {5000, 8000, 10000, 2000, 7000}, {5000, 8000, 1000, 7000, 8000}, {5000, 5000, 1000, 4000, 5000},
    {1, 0, 10000, 2000, 10},         {0, 0, 10000, 2000, 0},         {0, 9000, 2, 2000, 0},
};

static void check_burst(size_t i)
{
    char payload[24];
    int64_t told = 0;
    start_woken(0);
    struct job *job = (struct job *)(uintptr_t)scheduled_job(woken);
    job->options->debounce = bursts[i].debounce * USEC_PER_MSEC;
    job->options->debounce_max = bursts[i].debounce_max * USEC_PER_MSEC;
    instant due = MIDNIGHT + bursts[i].due * USEC_PER_MSEC;
    for (int64_t n = 0; n < bursts[i].count; n++) {
        int64_t steps = bursts[i].count > 1 ? bursts[i].count - 1 : 1;
        instant now = MIDNIGHT + bursts[i].last * USEC_PER_MSEC * n / steps;
        snprintf(payload, sizeof(payload), "%lld", (long long)n);
        if (now < due || n == 0) {
            scheduler_tick(scheduler, now);
            notify_at(payload, now);
            told++;
        }
    }
    if (bursts[i].due > 0) {
        ck_assert_int_eq(scheduler_next(scheduler) - MIDNIGHT, due - MIDNIGHT);
        scheduler_tick(scheduler, due - 1);
        nothing_due();
        ck_assert(!scheduler_quiet(scheduler));
    }
    scheduler_tick(scheduler, due + 3); /* its slot is when it fell due, not when that was seen */
    snprintf(payload, sizeof(payload), "%lld", (long long)told - 1);
    claim_one(RUN_EVENT, due, payload);
    end_at(second(200), RUN_SUCCEEDED);
    scheduler_tick(scheduler, second(1000));
    nothing_due();
    ck_assert(scheduler_quiet(scheduler));
}

START_TEST(a_burst_is_one_run_when_it_is_over_or_has_lasted_long_enough)
{
    for (size_t i = 0; i < COUNT_OF(bursts); i++) {
        check_burst(i);
        scheduling_reset();
    }
}
END_TEST

START_TEST(a_burst_that_never_ends_is_one_run_for_each_time_of_waiting)
{
    int runs = 0;
    start_woken(5);
    for (int64_t i = 0; i < 1000; i++) {
        struct due due;
        scheduler_tick(scheduler, second(i));
        notify_at("x", second(i));
        if (scheduler_take_due(scheduler, &due)) {
            scheduler_claimed(scheduler, woken);
            end_at(second(i), RUN_SUCCEEDED);
            runs++;
        }
    }
    ck_assert_int_ge(runs, 18);
    ck_assert_int_le(runs, 20);
}
END_TEST

START_TEST(what_comes_before_the_claim_is_part_of_the_run_and_what_comes_since_is_another)
{
    start_woken(0);
    scheduler_pool(scheduler, "p", 1);
    notify_at("one", second(1));
    notify_at("two", second(2));
    take_one(RUN_EVENT, second(1), "two");
    notify_at("three", second(3));
    notify_at(NULL, second(4)); /* something may have been missed: nobody knows the last one */
    nothing_due();
    scheduler_claimed(scheduler, woken);
    nothing_due();
    end_at(second(6), RUN_FAILED); /* backs off from nothing: somebody said so */
    claim_one(RUN_EVENT, second(3), NULL);
    end_at(second(7), RUN_SUCCEEDED);
    nothing_due();
}
END_TEST

START_TEST(what_fell_due_before_anybody_looked_takes_in_what_comes_then)
{
    start_woken(5);
    notify_at("one", second(0));
    notify_at("two", second(6)); /* the tick is late */
    claim_one(RUN_EVENT, second(5), "two");
    end_at(second(7), RUN_SUCCEEDED);
    scheduler_tick(scheduler, second(60));
    nothing_due();
}
END_TEST

START_TEST(a_notification_during_the_run_has_its_own_debounce)
{
    start_woken(5);
    notify_at("one", second(0));
    scheduler_tick(scheduler, second(5));
    claim_one(RUN_EVENT, second(5), "one");
    notify_at("two", second(6));
    scheduler_tick(scheduler, second(12));
    end_at(second(12), RUN_SUCCEEDED);
    claim_one(RUN_EVENT, second(11), "two");
}
END_TEST

START_TEST(a_run_that_was_not_claimed_after_all_takes_in_what_came_meanwhile)
{
    start_woken(5);
    notify_at("one", second(0));
    scheduler_tick(scheduler, second(5));
    take_one(RUN_EVENT, second(5), "one");
    scheduler_unclaimed(scheduler, woken);
    take_one(RUN_EVENT, second(5), "one");
    notify_at("two", second(6));
    scheduler_unclaimed(scheduler, woken);
    take_one(RUN_EVENT, second(5), "two");
    scheduler_dropped(scheduler, woken);
    claim_one(RUN_EVENT, second(5), "two");
    end_at(second(7), RUN_SUCCEEDED);
    scheduler_tick(scheduler, second(60));
    nothing_due();
    ck_assert(scheduler_quiet(scheduler));
}
END_TEST

START_TEST(slots_of_one_kind_grow_even_where_time_stands_still)
{
    start_woken(0);
    for (int i = 0; i < 3; i++) {
        notify_at("x", second(1));
        claim_one(RUN_EVENT, second(1) + i, "x");
        end_at(second(1), RUN_SUCCEEDED);
        change_at(second(1));
        claim_one(RUN_CHANGE, second(1) + i, NULL);
        end_at(second(1), RUN_SUCCEEDED);
    }
    notify_at("y", second(0)); /* a clock that went back */
    claim_one(RUN_EVENT, second(1) + 3, "y");
}
END_TEST

/* --- attempts ----------------------------------------------------------------------------------------------------- */

START_TEST(further_attempts_carry_the_payload_of_the_first)
{
    start_woken(0);
    char payload[] = "one";
    notify_at(payload, second(1));
    payload[0] = 'X'; /* it was copied */
    claim_one(RUN_EVENT, second(1), "one");
    notify_at("two", second(2));
    scheduler_retry(scheduler, woken, 2, second(10));
    notify_at("three", second(3));
    scheduler_tick(scheduler, second(10));
    ck_assert(take_one(RUN_EVENT, second(1), "one").again);
    scheduler_unclaimed(scheduler, woken);
    ck_assert_int_eq(take_one(RUN_EVENT, second(1), "one").attempt, 2);
    scheduler_claimed(scheduler, woken);
    end_at(second(11), RUN_FAILED);
    ck_assert(!take_one(RUN_EVENT, second(2), "three").again);
}
END_TEST

START_TEST(a_run_of_an_earlier_leader_has_no_payload_and_slots_go_on_behind_it)
{
    woken = add(define_woken_alone("a", 0));
    scheduler_link(scheduler, minute(0));
    scheduler_adopt(scheduler, woken, RUN_EVENT, second(50), 2, second(60), false);
    scheduler_start(scheduler, second(40), INSTANT_NONE);
    scheduler_tick(scheduler, second(60));
    ck_assert(take_one(RUN_EVENT, second(50), NULL).again);
    scheduler_claimed(scheduler, woken);
    end_at(second(50), RUN_SUCCEEDED);
    scheduler_adopt(scheduler, woken, RUN_EVENT, second(90), 1, INSTANT_NEVER, false);
    notify_at("next", second(70));
    end_at(second(70), RUN_LOST);
    claim_one(RUN_EVENT, second(90) + 1, "next");
}
END_TEST

/* --- beside the schedule ------------------------------------------------------------------------------------------ */

static void check_overlap(enum run_kind kind, const char *reason)
{
    woken = add(define("a", "*/10 * * * *"));
    start();
    scheduler_event(scheduler, woken, kind, NULL, minute(9));
    claim_one(kind, minute(9), NULL);
    tick(10);
    skipped_because(woken, 0, 10, 10, reason);
    end_at(minute(11), RUN_SUCCEEDED);
    tick(20);
    ck_assert_int_eq(claim(woken, 20).cursor, minute(10)); /* which the event left alone */
}

START_TEST(slots_beside_a_run_of_an_event_name_it)
{
    check_overlap(RUN_EVENT, "overlap: the run of the notification at 2026-03-02T00:09:00Z had not ended");
    scheduling_reset();
    check_overlap(RUN_CHANGE, "overlap: the run of the change at 2026-03-02T00:09:00Z had not ended");
}
END_TEST

START_TEST(slots_and_events_take_turns_in_the_order_they_fell_due)
{
    struct job *job = define("a", "*/10 * * * *");
    job->options->overlap_policy = OVERLAP_BUFFER_ONE;
    woken = add(job);
    start();
    notify_at("one", minute(9));
    claim_one(RUN_EVENT, minute(9), "one");
    tick(10);
    notify_at("two", minute(11));
    end_at(minute(12), RUN_SUCCEEDED);
    claim_one(RUN_SCHEDULE, minute(10), NULL);
    end_at(minute(13), RUN_SUCCEEDED);
    claim_one(RUN_EVENT, minute(11), "two");
    end_at(minute(14), RUN_SUCCEEDED);
    nothing_due();
}
END_TEST

START_TEST(starting_deadlines_and_trigger_rules_are_for_slots)
{
    struct job *job = define("a", "0 0 1 1 *");
    comes_after(job, "up");
    job->options->starting_deadline = USEC_PER_SEC;
    job->options->trigger_rule = TRIGGER_ALL_SUCCESS;
    job->options->pool = "p";
    scheduler_pool(scheduler, "p", 1);
    woken = add(job);
    struct job *upstream = define("up", "*/10 * * * *");
    upstream->options->pool = "p";
    struct scheduled *up = add(upstream);
    start();
    run_at(up, 10, RUN_FAILED);
    notify_at("x", minute(11));
    tick(19);
    tick(20); /* takes no place of the pool before it, for it fell due later */
    claim_one(RUN_EVENT, minute(11), "x");
    nothing_due();
    end_at(minute(21), RUN_SUCCEEDED);
    claim(up, 20);
}
END_TEST

START_TEST(priority_is_as_for_any_other_run)
{
    struct job *urgent = define("urgent", "");
    urgent->options->priority = 1;
    woken = add(define_woken_alone("a", 0));
    struct scheduled *first = add(urgent);
    start();
    notify_at("x", second(1));
    scheduler_event(scheduler, first, RUN_EVENT, "y", second(2));
    struct due due;
    ck_assert(scheduler_take_due(scheduler, &due) && due.scheduled == first);
    claim_one(RUN_EVENT, second(1), "x");
}
END_TEST

/* --- memory ------------------------------------------------------------------------------------------------------- */

static size_t in_use(void)
{
    return mallinfo2().uordblks; /* 0 under the sanitizers, which look for leaks instead */
}

START_TEST(an_event_costs_memory_where_there_is_one_and_a_burst_that_of_two_payloads)
{
    enum { JOBS = 50000, PAYLOAD = 8000 };
    struct job *jobs = xcalloc(JOBS, sizeof(*jobs));
    struct job_options options;
    struct scheduled **all = xcalloc(JOBS, sizeof(struct scheduled *));
    char payload[PAYLOAD + 1] = "";
    memset(payload, 'x', PAYLOAD);
    options_defaults(&options, false);
    options.debounce = USEC_PER_SEC;
    for (size_t i = 0; i < JOBS; i++) {
        jobs[i].name = xasprintf("job %zu", i);
        jobs[i].active = true;
        jobs[i].options = &options;
        all[i] = scheduler_put(scheduler, &jobs[i], &(struct job_memory){.job_id = (int64_t)i, .cursor = MIDNIGHT});
    }
    start();
    size_t before = in_use();
    for (int64_t i = 0; i < 10000; i++) {
        scheduler_event(scheduler, all[i % 4 * 1000], RUN_EVENT, payload, second(1) + i);
    }
    ck_assert_uint_le(in_use(), before + 4 * (size_t)(2 * PAYLOAD + 1000) + 4096);
    scheduler_tick(scheduler, second(5));
    for (struct due due; scheduler_take_due(scheduler, &due);) {
        scheduler_claimed(scheduler, due.scheduled);
        scheduler_ended(scheduler, due.scheduled, RUN_SUCCEEDED, USEC_PER_SEC, second(5));
    }
    ck_assert(scheduler_quiet(scheduler));
    ck_assert_uint_le(in_use(), before + 4 * 1000 + 4096); /* what it carried is gone */
    scheduling_reset();
    for (size_t i = 0; i < JOBS; i++) {
        free((char *)(uintptr_t)jobs[i].name);
    }
    free(all);
    free(jobs);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        without_debounce_a_notification_is_due_at_once,
        a_burst_is_one_run_when_it_is_over_or_has_lasted_long_enough,
        a_burst_that_never_ends_is_one_run_for_each_time_of_waiting,
        what_comes_before_the_claim_is_part_of_the_run_and_what_comes_since_is_another,
        what_fell_due_before_anybody_looked_takes_in_what_comes_then,
        a_notification_during_the_run_has_its_own_debounce,
        a_run_that_was_not_claimed_after_all_takes_in_what_came_meanwhile,
        slots_of_one_kind_grow_even_where_time_stands_still,
        further_attempts_carry_the_payload_of_the_first,
        a_run_of_an_earlier_leader_has_no_payload_and_slots_go_on_behind_it,
        slots_beside_a_run_of_an_event_name_it,
        slots_and_events_take_turns_in_the_order_they_fell_due,
        starting_deadlines_and_trigger_rules_are_for_slots,
        priority_is_as_for_any_other_run,
        an_event_costs_memory_where_there_is_one_and_a_burst_that_of_two_payloads,
    };
    return scheduling_run("scheduler_events", tests, sizeof(tests) / sizeof(*tests));
}
