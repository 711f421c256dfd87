/* Runs of events: when they fall due, what they carry, and what becomes of them. Their order is in
 * test_scheduler_event_order.c. */
#include <malloc.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "support/scheduling.h"

#define SECOND USEC_PER_SEC

static struct scheduled *a;

static instant at(int64_t seconds)
{
    return MIDNIGHT + seconds * SECOND;
}

/* A job that nothing but events wakes. */
static struct job *define_woken(const char *name, int64_t debounce_seconds)
{
    struct job *job = define(name, "");
    job->options.debounce = debounce_seconds * SECOND;
    job->options.backoff.max = 100 * SECOND;
    job->options.suspend_after_failures = 0;
    return job;
}

static struct scheduled *start_woken(int64_t debounce_seconds)
{
    a = add(define_woken("a", debounce_seconds));
    start();
    return a;
}

static void notify(const char *payload, instant now)
{
    scheduler_event(scheduler, a, RUN_EVENT, payload, now);
}

static void change(instant now)
{
    scheduler_event(scheduler, a, RUN_CHANGE, NULL, now);
}

static struct due take_one(enum run_kind kind, instant slot, const char *payload)
{
    struct due due;
    ck_assert_msg(scheduler_take_due(scheduler, &due), "nothing is due");
    ck_assert_ptr_eq(due.scheduled, a);
    ck_assert_str_eq(run_kind_name(due.kind), run_kind_name(kind));
    ck_assert_int_eq(due.slot - MIDNIGHT, slot - MIDNIGHT);
    ck_assert_pstr_eq(due.payload, payload);
    return due;
}

static void claim_one(enum run_kind kind, instant slot, const char *payload)
{
    take_one(kind, slot, payload);
    scheduler_claimed(scheduler, a);
}

static void end_at(instant now, enum run_state state)
{
    scheduler_ended(scheduler, a, state, SECOND, now);
}

/* --- when notifications fall due --------------------------------------------------------------------------------------- */

START_TEST(without_debounce_a_notification_is_due_at_once)
{
    start_woken(0);
    ck_assert(scheduler_quiet(scheduler) && scheduled_idle(a));
    notify("one", at(3));
    ck_assert(!scheduler_quiet(scheduler));
    claim_one(RUN_EVENT, at(3), "one");
    end_at(at(4), RUN_SUCCEEDED);
    nothing_due();
    nothing_passed();
    ck_assert(scheduler_quiet(scheduler) && scheduled_idle(a));
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
    struct job *job = (struct job *)(uintptr_t)scheduled_job(a);
    job->options.debounce = bursts[i].debounce * USEC_PER_MSEC;
    job->options.debounce_max = bursts[i].debounce_max * USEC_PER_MSEC;
    instant due = MIDNIGHT + bursts[i].due * USEC_PER_MSEC;
    for (int64_t n = 0; n < bursts[i].count; n++) {
        int64_t steps = bursts[i].count > 1 ? bursts[i].count - 1 : 1;
        instant now = MIDNIGHT + bursts[i].last * USEC_PER_MSEC * n / steps;
        snprintf(payload, sizeof payload, "%lld", (long long)n);
        if (now < due || n == 0) {
            scheduler_tick(scheduler, now);
            notify(payload, now);
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
    snprintf(payload, sizeof payload, "%lld", (long long)told - 1);
    claim_one(RUN_EVENT, due, payload);
    end_at(at(200), RUN_SUCCEEDED);
    scheduler_tick(scheduler, at(1000));
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
    for (int64_t second = 0; second < 1000; second++) {
        struct due due;
        scheduler_tick(scheduler, at(second));
        notify("x", at(second));
        if (scheduler_take_due(scheduler, &due)) {
            scheduler_claimed(scheduler, a);
            end_at(at(second), RUN_SUCCEEDED);
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
    notify("one", at(1));
    notify("two", at(2));
    take_one(RUN_EVENT, at(1), "two");
    notify("three", at(3));
    notify(NULL, at(4)); /* something may have been missed: nobody knows the last one */
    nothing_due();
    scheduler_claimed(scheduler, a);
    nothing_due();
    end_at(at(6), RUN_FAILED); /* backs off from nothing: somebody said so */
    claim_one(RUN_EVENT, at(3), NULL);
    end_at(at(7), RUN_SUCCEEDED);
    nothing_due();
}
END_TEST

START_TEST(what_fell_due_before_anybody_looked_takes_in_what_comes_then)
{
    start_woken(5);
    notify("one", at(0));
    notify("two", at(6)); /* the tick is late */
    claim_one(RUN_EVENT, at(5), "two");
    end_at(at(7), RUN_SUCCEEDED);
    scheduler_tick(scheduler, at(60));
    nothing_due();
}
END_TEST

START_TEST(a_notification_during_the_run_has_its_own_debounce)
{
    start_woken(5);
    notify("one", at(0));
    scheduler_tick(scheduler, at(5));
    claim_one(RUN_EVENT, at(5), "one");
    notify("two", at(6));
    scheduler_tick(scheduler, at(12));
    end_at(at(12), RUN_SUCCEEDED);
    claim_one(RUN_EVENT, at(11), "two");
}
END_TEST

START_TEST(a_run_that_was_not_claimed_after_all_takes_in_what_came_meanwhile)
{
    start_woken(5);
    notify("one", at(0));
    scheduler_tick(scheduler, at(5));
    take_one(RUN_EVENT, at(5), "one");
    scheduler_unclaimed(scheduler, a);
    take_one(RUN_EVENT, at(5), "one");
    notify("two", at(6));
    scheduler_unclaimed(scheduler, a);
    take_one(RUN_EVENT, at(5), "two");
    scheduler_dropped(scheduler, a);
    claim_one(RUN_EVENT, at(5), "two");
    end_at(at(7), RUN_SUCCEEDED);
    scheduler_tick(scheduler, at(60));
    nothing_due();
    ck_assert(scheduler_quiet(scheduler));
}
END_TEST

START_TEST(slots_of_one_kind_grow_even_where_time_stands_still)
{
    start_woken(0);
    for (int i = 0; i < 3; i++) {
        notify("x", at(1));
        claim_one(RUN_EVENT, at(1) + i, "x");
        end_at(at(1), RUN_SUCCEEDED);
        change(at(1));
        claim_one(RUN_CHANGE, at(1) + i, NULL);
        end_at(at(1), RUN_SUCCEEDED);
    }
    notify("y", at(0)); /* a clock that went back */
    claim_one(RUN_EVENT, at(1) + 3, "y");
}
END_TEST

/* --- attempts ---------------------------------------------------------------------------------------------------------- */

START_TEST(further_attempts_carry_the_payload_of_the_first)
{
    start_woken(0);
    char payload[] = "one";
    notify(payload, at(1));
    payload[0] = 'X'; /* it was copied */
    claim_one(RUN_EVENT, at(1), "one");
    notify("two", at(2));
    scheduler_retry(scheduler, a, 2, at(10));
    notify("three", at(3));
    scheduler_tick(scheduler, at(10));
    ck_assert(take_one(RUN_EVENT, at(1), "one").again);
    scheduler_unclaimed(scheduler, a);
    ck_assert_int_eq(take_one(RUN_EVENT, at(1), "one").attempt, 2);
    scheduler_claimed(scheduler, a);
    end_at(at(11), RUN_FAILED);
    ck_assert(!take_one(RUN_EVENT, at(2), "three").again);
}
END_TEST

START_TEST(a_run_of_an_earlier_leader_has_no_payload_and_slots_go_on_behind_it)
{
    a = add(define_woken("a", 0));
    scheduler_link(scheduler);
    scheduler_adopt(scheduler, a, RUN_EVENT, at(50), 2, at(60));
    scheduler_start(scheduler, at(40), INSTANT_NONE);
    scheduler_tick(scheduler, at(60));
    ck_assert(take_one(RUN_EVENT, at(50), NULL).again);
    scheduler_claimed(scheduler, a);
    end_at(at(50), RUN_SUCCEEDED);
    scheduler_adopt(scheduler, a, RUN_EVENT, at(90), 1, INSTANT_NEVER);
    notify("next", at(70));
    end_at(at(70), RUN_LOST);
    claim_one(RUN_EVENT, at(90) + 1, "next");
}
END_TEST

/* --- changes ----------------------------------------------------------------------------------------------------------- */

/* All in seconds. */
static const struct {
    int64_t target_lag, expected, due;
} lags[] = {{0, 0, 0}, {2, 0, 0}, {3, 0, 1}, {60, 0, 30}, {60, 10, 20}, {60, 30, 0}, {60, 50, 0}};

static void check_lag(size_t i)
{
    struct job *job = define_woken("a", 5);
    struct job_memory memory = memory_of(job, 0);
    job->options.target_lag = lags[i].target_lag * SECOND;
    memory.last_duration = lags[i].expected * SECOND;
    a = scheduler_add(scheduler, job, &memory);
    start();
    instant due = lags[i].target_lag == 3 ? at(10) + 3 * SECOND / 2 : at(10 + lags[i].due);
    change(at(10));
    if (due > at(10)) {
        change(at(11)); /* the first one counts */
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

START_TEST(a_change_is_ignored_while_anything_of_the_job_is_under_way)
{
    struct job *job = define("a", "0 0 1 1 *");
    comes_after(job, "up");
    a = add(job);
    struct scheduled *up = add(define("up", "*/10 * * * *"));
    start();
    tick(10);
    claim(up, 10);
    scheduler_request(scheduler, a, RUN_MANUAL, minute(10));
    change(minute(10)); /* asked for, and waits */
    finish(up, RUN_SUCCEEDED);
    change(minute(10)); /* ready */
    take_one(RUN_MANUAL, minute(10), NULL);
    change(minute(10));
    scheduler_claimed(scheduler, a);
    change(minute(10));
    scheduler_retry(scheduler, a, 2, minute(11));
    change(minute(10));
    tick(11);
    claim_one(RUN_MANUAL, minute(10), NULL);
    end_at(minute(11), RUN_SUCCEEDED);
    nothing_due();
    change(minute(12));
    change(minute(12));
    claim_one(RUN_CHANGE, minute(12), NULL);
    end_at(minute(12), RUN_SUCCEEDED);
    nothing_due();
}
END_TEST

START_TEST(after_a_run_that_failed_changes_wait_for_the_longest_back_off)
{
    static const enum run_state states[] = {RUN_FAILED, RUN_TIMED_OUT, RUN_LOST};
    start_woken(0);
    for (int64_t i = 0; i < 3; i++) {
        instant failed = at(1000 * i + 2);
        change(failed);
        claim_one(RUN_CHANGE, failed, NULL);
        end_at(failed, states[i]);
        change(failed + 1);
        change(failed + 2);
        nothing_due();
        ck_assert_int_eq(scheduler_next(scheduler), failed + 100 * SECOND);
        scheduler_tick(scheduler, failed + 100 * SECOND);
        claim_one(RUN_CHANGE, failed + 100 * SECOND, NULL);
        end_at(failed + 101 * SECOND, RUN_SUCCEEDED);
        change(failed + 102 * SECOND);
        claim_one(RUN_CHANGE, failed + 102 * SECOND, NULL);
        end_at(failed + 103 * SECOND, RUN_SUCCEEDED);
    }
}
END_TEST

START_TEST(what_the_ledger_remembers_of_a_failure_holds_changes_up_too)
{
    struct job *job = define_woken("a", 0);
    struct job_memory memory = memory_of(job, 0);
    memory.failures = 1;
    memory.last_end = at(0);
    a = scheduler_add(scheduler, job, &memory);
    start();
    change(at(10));
    nothing_due();
    ck_assert_int_eq(scheduler_next(scheduler), at(100));
}
END_TEST

/* --- both together ----------------------------------------------------------------------------------------------------- */

START_TEST(a_notification_and_a_change_are_one_run_due_when_the_first_of_them_is)
{
    struct job *job = define_woken("a", 5);
    job->options.target_lag = 40 * SECOND;
    a = add(job);
    start();
    change(at(0)); /* due at 20 */
    notify("sooner", at(1));
    change(at(2));
    ck_assert_int_eq(scheduler_next(scheduler), at(6));
    scheduler_tick(scheduler, at(6));
    claim_one(RUN_EVENT, at(6), "sooner");
    end_at(at(7), RUN_SUCCEEDED);
    nothing_due();
    change(at(80)); /* due at 99, for a run takes a second */
    notify("later", at(98));
    ck_assert_int_eq(scheduler_next(scheduler), at(99));
    scheduler_tick(scheduler, at(99));
    claim_one(RUN_EVENT, at(99), "later");
    end_at(at(99), RUN_SUCCEEDED);
    ck_assert(scheduler_quiet(scheduler));
}
END_TEST

START_TEST(a_notification_that_waits_for_quiet_does_not_hold_a_change_up)
{
    struct job *job = define_woken("a", 60);
    job->options.target_lag = 10 * SECOND;
    a = add(job);
    start();
    notify("first", at(0)); /* quiet at 60 */
    change(at(1));          /* due at 6 */
    change(at(2));
    notify("second", at(3));
    ck_assert_int_eq(scheduler_next(scheduler), at(6));
    scheduler_tick(scheduler, at(6));
    claim_one(RUN_EVENT, at(6), "second");
    end_at(at(7), RUN_SUCCEEDED);
    ck_assert(scheduler_quiet(scheduler));
}
END_TEST

START_TEST(what_was_to_look_at_everything_is_not_narrowed_by_what_comes_before_its_claim)
{
    start_woken(5);
    notify(NULL, at(0));
    notify("one", at(1));
    scheduler_tick(scheduler, at(6));
    take_one(RUN_EVENT, at(6), NULL);
    notify("two", at(6));
    scheduler_unclaimed(scheduler, a);
    claim_one(RUN_EVENT, at(6), NULL);
    notify("three", at(7));
    end_at(at(8), RUN_SUCCEEDED);
    scheduler_tick(scheduler, at(12));
    claim_one(RUN_EVENT, at(12), "three");
}
END_TEST

START_TEST(a_change_that_is_due_becomes_a_run_of_the_notification)
{
    start_woken(5);
    change(at(1));
    notify("one", at(2));
    claim_one(RUN_EVENT, at(1), "one");
    end_at(at(3), RUN_SUCCEEDED);
    change(at(4));
    take_one(RUN_CHANGE, at(4), NULL);
    notify("two", at(5));
    scheduler_unclaimed(scheduler, a);
    claim_one(RUN_EVENT, at(4), "two");
    end_at(at(6), RUN_SUCCEEDED);
    scheduler_tick(scheduler, at(60));
    nothing_due();
    change(at(61));
    claim_one(RUN_CHANGE, at(61), NULL);
}
END_TEST

/* --- beside the schedule ----------------------------------------------------------------------------------------------- */

static void check_overlap(enum run_kind kind, const char *reason)
{
    a = add(define("a", "*/10 * * * *"));
    start();
    scheduler_event(scheduler, a, kind, NULL, minute(9));
    claim_one(kind, minute(9), NULL);
    tick(10);
    skipped_because(a, 0, 10, 10, reason);
    end_at(minute(11), RUN_SUCCEEDED);
    tick(20);
    ck_assert_int_eq(claim(a, 20).cursor, minute(10)); /* which the event left alone */
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
    job->options.overlap_policy = OVERLAP_BUFFER_ONE;
    a = add(job);
    start();
    notify("one", minute(9));
    claim_one(RUN_EVENT, minute(9), "one");
    tick(10);
    notify("two", minute(11));
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
    job->options.starting_deadline = SECOND;
    job->options.trigger_rule = TRIGGER_ALL_SUCCESS;
    job->options.pool = "p";
    scheduler_pool(scheduler, "p", 1);
    a = add(job);
    struct job *upstream = define("up", "*/10 * * * *");
    upstream->options.pool = "p";
    struct scheduled *up = add(upstream);
    start();
    run_at(up, 10, RUN_FAILED);
    notify("x", minute(11));
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
    urgent->options.priority = 1;
    a = add(define_woken("a", 0));
    struct scheduled *first = add(urgent);
    start();
    notify("x", at(1));
    scheduler_event(scheduler, first, RUN_EVENT, "y", at(2));
    struct due due;
    ck_assert(scheduler_take_due(scheduler, &due) && due.scheduled == first);
    claim_one(RUN_EVENT, at(1), "x");
}
END_TEST

/* --- memory ------------------------------------------------------------------------------------------------------------ */

static size_t in_use(void)
{
    return mallinfo2().uordblks; /* 0 under the sanitizers, which look for leaks instead */
}

START_TEST(an_event_costs_memory_where_there_is_one_and_a_burst_that_of_two_payloads)
{
    enum { JOBS = 50000, PAYLOAD = 8000 };
    struct job *jobs = xcalloc(JOBS, sizeof *jobs);
    struct scheduled **all = xcalloc(JOBS, sizeof(struct scheduled *));
    char payload[PAYLOAD + 1] = "";
    memset(payload, 'x', PAYLOAD);
    for (size_t i = 0; i < JOBS; i++) {
        jobs[i].name = xasprintf("job %zu", i);
        jobs[i].active = true;
        options_defaults(&jobs[i].options, false);
        jobs[i].options.debounce = SECOND;
        all[i] = scheduler_add(scheduler, &jobs[i], &(struct job_memory){.job_id = (int64_t)i, .cursor = MIDNIGHT});
    }
    start();
    size_t before = in_use();
    for (int64_t i = 0; i < 10000; i++) {
        scheduler_event(scheduler, all[i % 4 * 1000], RUN_EVENT, payload, at(1) + i);
    }
    ck_assert_uint_le(in_use(), before + 4 * (size_t)(2 * PAYLOAD + 1000) + 4096);
    scheduler_tick(scheduler, at(5));
    for (struct due due; scheduler_take_due(scheduler, &due);) {
        scheduler_claimed(scheduler, due.scheduled);
        scheduler_ended(scheduler, due.scheduled, RUN_SUCCEEDED, SECOND, at(5));
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
        a_change_is_due_in_time_for_its_run_to_keep_the_lag,
        a_change_is_ignored_while_anything_of_the_job_is_under_way,
        after_a_run_that_failed_changes_wait_for_the_longest_back_off,
        what_the_ledger_remembers_of_a_failure_holds_changes_up_too,
        a_notification_and_a_change_are_one_run_due_when_the_first_of_them_is,
        a_notification_that_waits_for_quiet_does_not_hold_a_change_up,
        what_was_to_look_at_everything_is_not_narrowed_by_what_comes_before_its_claim,
        a_change_that_is_due_becomes_a_run_of_the_notification,
        slots_beside_a_run_of_an_event_name_it,
        slots_and_events_take_turns_in_the_order_they_fell_due,
        starting_deadlines_and_trigger_rules_are_for_slots,
        priority_is_as_for_any_other_run,
        an_event_costs_memory_where_there_is_one_and_a_burst_that_of_two_payloads,
    };
    return scheduling_run("scheduler_events", tests, sizeof tests / sizeof *tests);
}
