/* SPDX-License-Identifier: PostgreSQL */
/* Slots of long ago that are done again: they wait until nothing else is due, and nothing follows from them. */
#include "support/schedule/scheduling.h"

static struct scheduled *a;
static struct scheduled *b;

static void ask(struct scheduled *of, int64_t slot)
{
    scheduler_request(scheduler, of, RUN_BACKFILL, minute(slot));
}

static void due_is(struct scheduled *of, enum run_kind kind, int64_t slot)
{
    struct due due;
    ck_assert_msg(scheduler_take_due(scheduler, &due), "nothing is due");
    ck_assert_ptr_eq(due.scheduled, of);
    ck_assert_int_eq(due.kind, kind);
    ck_assert_int_eq(due.slot, minute(slot));
    scheduler_claimed(scheduler, of);
}

START_TEST(a_slot_that_falls_due_is_claimed_before_the_next_one_of_a_backfill)
{
    a = add(define("a", "*/10 * * * *"));
    start();
    for (int64_t slot = -100; slot < 0; slot += 10) {
        ask(a, slot);
    }
    due_is(a, RUN_BACKFILL, -100);
    tick(10);
    nothing_due(); /* one run of a job at a time */
    nothing_passed();
    finish(a, RUN_SUCCEEDED);
    due_is(a, RUN_SCHEDULE, 10);
    finish(a, RUN_SUCCEEDED);
    due_is(a, RUN_BACKFILL, -90);
    finish(a, RUN_SUCCEEDED);
    nothing_passed();
}
END_TEST

START_TEST(a_backfill_that_stands_in_line_gives_way_to_a_slot)
{
    a = add(define("a", "*/10 * * * *"));
    start();
    ask(a, -20);
    ask(a, -10);
    tick(10);
    due_is(a, RUN_SCHEDULE, 10);
    finish(a, RUN_SUCCEEDED);
    due_is(a, RUN_BACKFILL, -20);
    finish(a, RUN_SUCCEEDED);
    due_is(a, RUN_BACKFILL, -10);
}
END_TEST

START_TEST(a_person_goes_before_a_backfill)
{
    a = add(define("a", "0 0 * * *"));
    start();
    ask(a, -20);
    ask(a, -10);
    scheduler_request(scheduler, a, RUN_MANUAL, minute(5));
    due_is(a, RUN_MANUAL, 5);
    scheduler_request(scheduler, a, RUN_MANUAL, minute(6));
    finish(a, RUN_SUCCEEDED);
    due_is(a, RUN_MANUAL, 6);
    finish(a, RUN_SUCCEEDED);
    due_is(a, RUN_BACKFILL, -20);
}
END_TEST

START_TEST(a_backfill_is_behind_every_job_whatever_the_priorities_and_turns)
{
    struct job *first = define("a", "0 0 * * *");
    struct job *last = define("b", "*/10 * * * *");
    first->options->priority = 1;
    last->options->priority = 9;
    last->owner = "ann";
    a = add(first);
    b = add(last);
    start();
    ask(a, -20);
    tick(10);
    due_is(b, RUN_SCHEDULE, 10);
    due_is(a, RUN_BACKFILL, -20);
}
END_TEST

START_TEST(it_holds_a_place_of_its_pool_and_waits_for_one)
{
    struct job *filled = define("a", "0 0 * * *");
    struct job *other = define("b", "*/10 * * * *");
    scheduler_pool(scheduler, "heavy", 1);
    filled->options->pool = other->options->pool = "heavy";
    a = add(filled);
    b = add(other);
    start();
    tick(10);
    ask(a, -20);
    due_is(b, RUN_SCHEDULE, 10);
    nothing_due();
    finish(b, RUN_SUCCEEDED);
    due_is(a, RUN_BACKFILL, -20);
    ck_assert_int_eq(scheduler_pool_held(scheduler, "heavy"), 1);
    tick(20);
    nothing_due();
    finish(a, RUN_SUCCEEDED);
    due_is(b, RUN_SCHEDULE, 20);
}
END_TEST

START_TEST(those_after_a_job_neither_wait_for_its_backfill_nor_go_by_its_outcome)
{
    struct job *later = define("b", "*/10 * * * *");
    struct job *join = define("c", "");
    comes_after(later, "a");
    comes_after(join, "a");
    a = add(define("a", "0 0 * * *"));
    b = add(later);
    add(join);
    start();
    ask(a, -20);
    ask(a, -10);
    due_is(a, RUN_BACKFILL, -20);
    tick(10);
    due_is(b, RUN_SCHEDULE, 10);
    finish(a, RUN_FAILED);
    due_is(a, RUN_BACKFILL, -10);
    scheduler_request(scheduler, b, RUN_MANUAL, minute(11));
    finish(b, RUN_SUCCEEDED);
    due_is(b, RUN_MANUAL, 11);
    finish(b, RUN_SUCCEEDED);
    finish(a, RUN_FAILED);
    tick(20);
    due_is(b, RUN_SCHEDULE, 20);
    nothing_due(); /* the join has no news */
}
END_TEST

START_TEST(failures_of_a_backfill_suspend_nothing)
{
    struct suspension suspension;
    struct job *job = define("a", "0 0 * * *");
    job->options->suspend_after_failures = 2;
    a = add(job);
    start();
    for (int64_t slot = -40; slot < 0; slot += 10) {
        ask(a, slot);
        due_is(a, RUN_BACKFILL, slot);
        finish(a, RUN_FAILED);
    }
    ck_assert(!scheduler_take_suspension(scheduler, &suspension));
}
END_TEST

START_TEST(with_cancel_previous_a_slot_waits_for_the_backfill_and_does_not_end_it)
{
    struct job *job = define("a", "*/10 * * * *");
    job->options->overlap_policy = OVERLAP_CANCEL_PREVIOUS;
    a = add(job);
    start();
    ask(a, -20);
    due_is(a, RUN_BACKFILL, -20);
    tick(10);
    nothing_due();
    finish(a, RUN_SUCCEEDED);
    due_is(a, RUN_SCHEDULE, 10);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        a_slot_that_falls_due_is_claimed_before_the_next_one_of_a_backfill,
        a_backfill_that_stands_in_line_gives_way_to_a_slot,
        a_person_goes_before_a_backfill,
        a_backfill_is_behind_every_job_whatever_the_priorities_and_turns,
        it_holds_a_place_of_its_pool_and_waits_for_one,
        those_after_a_job_neither_wait_for_its_backfill_nor_go_by_its_outcome,
        failures_of_a_backfill_suspend_nothing,
        with_cancel_previous_a_slot_waits_for_the_backfill_and_does_not_end_it,
    };
    return scheduling_run("scheduler_backfill", tests, sizeof(tests) / sizeof(*tests));
}
