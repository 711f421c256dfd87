/* SPDX-License-Identifier: PostgreSQL */
/* Another catalog: jobs that come and go, and that nothing of the old one is borrowed. */
#include <stdlib.h>
#include <string.h>

#include "support/schedule/scheduling.h"

START_TEST(a_new_job_is_due_from_its_cursor_on)
{
    struct scheduled *a = add(define("a", "*/10 * * * *"));
    start();
    replace(a, 0);
    struct scheduled *b = remember(define("b", "*/10 * * * *"), minute(15));
    relink(16);
    ck_assert_uint_eq(scheduler_count(scheduler), 2);
    ck_assert_ptr_eq(scheduler_find(scheduler, scheduled_id(b)), b);
    tick(20);
    claim(a, 10);
    skipped(a, 10, 20, 20);
    claim(b, 20);
}
END_TEST

START_TEST(a_retired_job_that_is_idle_is_forgotten)
{
    struct job *job = define("down", "*/10 * * * *");
    comes_after(job, "gone");
    struct scheduled *gone = add(define("gone", "*/10 * * * *"));
    struct scheduled *down = add(job);
    int64_t id = scheduled_id(gone);
    start();
    tick(10);
    withdraw(gone, 11);
    skipped_because(gone, 0, 10, 10, CHANGED);
    replace_with(down, define("down", "*/10 * * * *"), 0);
    scheduler_remove(scheduler, gone);
    ck_assert(scheduled_retired(gone) && !scheduled_retired(down));
    relink(12);
    ck_assert_uint_eq(scheduler_count(scheduler), 1);
    ck_assert_ptr_null(scheduler_find(scheduler, id));
    ck_assert_ptr_eq(scheduler_at(scheduler, 0), down);
    claim(down, 10); /* nobody is in its way */
    next_is(20);
}
END_TEST

START_TEST(a_retired_job_that_has_passes_to_be_taken_is_forgotten_later)
{
    struct scheduled *gone = add(define("gone", "*/10 * * * *"));
    start();
    withdraw(gone, 11);
    scheduler_remove(scheduler, gone);
    relink(12);
    skipped_because(gone, 0, 10, 10, CHANGED);
    nothing_passed();
    relink(13);
    ck_assert_uint_eq(scheduler_count(scheduler), 0);
}
END_TEST

/* The catalog it came from is gone while its run goes on. */
START_TEST(a_retired_job_that_runs_has_a_copy_of_its_definition_until_it_has_ended)
{
    struct job *old = calloc(1, sizeof(*old));
    char *name = strdup("gone");
    *old = *define("gone", "*/10 * * * *");
    old->name = name;
    struct job_memory memory = memory_of(old, 0);
    memory.job_id = 7;
    struct scheduled *gone = scheduler_put(scheduler, old, &memory);
    start();
    tick(10);
    claim(gone, 10);
    withdraw(gone, 11);
    scheduler_remove(scheduler, gone);
    relink(12);
    memset(name, 'x', 4);
    free(name);
    free(old);
    ck_assert_str_eq(scheduled_job(gone)->name, "gone");
    ck_assert_ptr_eq(scheduler_find(scheduler, 7), gone);
    ck_assert(!scheduler_quiet(scheduler) && scheduled_is_at(gone, RUN_SCHEDULE, minute(10)));
    relink(13);
    tick(30);
    nothing_passed();
    scheduler_request(scheduler, gone, RUN_MANUAL, minute(30));
    finish(gone, RUN_FAILED);
    nothing_due();
    nothing_passed();
    ck_assert(scheduler_quiet(scheduler));
    relink(14);
    ck_assert_uint_eq(scheduler_count(scheduler), 0);
}
END_TEST

START_TEST(a_job_that_comes_back_while_its_last_run_goes_on_is_the_same_one)
{
    struct scheduled *a = add(define("a", "*/10 * * * *"));
    start();
    tick(10);
    claim(a, 10);
    withdraw(a, 11);
    scheduler_remove(scheduler, a);
    relink(12);
    struct job *back = define("a", "*/10 * * * *");
    back->command = "SELECT 'back'";
    struct job_memory memory = memory_of(back, 14);
    memory.job_id = scheduled_id(a);
    ck_assert_ptr_eq(scheduler_put(scheduler, back, &memory), a);
    relink(15);
    ck_assert(!scheduled_retired(a));
    ck_assert_str_eq(scheduled_job(a)->command, back->command);
    tick(20);
    skipped_because(a, 14, 20, 20, "overlap: the run of slot 2026-03-02T00:10:00Z had not ended");
    finish(a, RUN_SUCCEEDED);
    run_at(a, 30, RUN_SUCCEEDED);
}
END_TEST

START_TEST(a_retired_job_lets_go_of_its_requests)
{
    struct job *job = define("down", "@yearly");
    comes_after(job, "gone");
    struct scheduled *gone = add(define("gone", ""));
    struct scheduled *down = add(job);
    start();
    scheduler_request(scheduler, gone, RUN_MANUAL, minute(1));
    scheduler_request(scheduler, down, RUN_MANUAL, minute(2));
    replace_with(down, define("down", "@yearly"), 0);
    scheduler_remove(scheduler, gone);
    relink(3);
    claim(down, 2);
    finish(down, RUN_SUCCEEDED);
    nothing_due();
    ck_assert(scheduler_quiet(scheduler));
}
END_TEST

/* For its end, not for its start. */
START_TEST(a_retired_job_has_no_attempt_to_wait_for)
{
    struct scheduled *waits = add(define("waits", "*/10 * * * *"));
    struct scheduled *runs = add(define("runs", "*/10 * * * *"));
    struct scheduled *doubtful = add(define("doubtful", "*/10 * * * *"));
    start();
    tick(10);
    claim(waits, 10);
    claim(runs, 10);
    claim(doubtful, 10);
    scheduler_retry(scheduler, waits, 2, minute(50));
    scheduler_retry(scheduler, doubtful, 2, INSTANT_NEVER);
    scheduler_remove(scheduler, waits);
    scheduler_remove(scheduler, runs);
    scheduler_remove(scheduler, doubtful);
    relink(12);
    ck_assert(take(waits, 10).again);
    nothing_due();
    scheduler_retry(scheduler, waits, 2, INSTANT_NEVER);
    finish(waits, RUN_CANCELLED);
    scheduler_retry(scheduler, runs, 2, minute(50));
    ck_assert(take(runs, 10).again);
    scheduler_retry(scheduler, doubtful, 3, minute(50));
    ck_assert_int_eq(take(doubtful, 10).attempt, 3);
}
END_TEST

START_TEST(names_and_numbers_are_sorted_anew)
{
    struct scheduled *c = add(define("c", ""));
    struct scheduled *a = add(define("a", ""));
    start();
    replace(c, 0);
    replace(a, 0);
    struct job *job = define("b", "*/10 * * * *");
    comes_after(job, "c");
    struct job_memory memory = memory_of(job, 0);
    memory.job_id = 1;
    struct scheduled *b = scheduler_put(scheduler, job, &memory);
    relink(1);
    struct scheduled *const expected[] = {b, c, a};
    for (size_t i = 0; i < 3; i++) {
        ck_assert_ptr_eq(scheduler_at(scheduler, i), expected[i]);
        ck_assert_ptr_eq(scheduler_find(scheduler, scheduled_id(expected[i])), expected[i]);
    }
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        a_new_job_is_due_from_its_cursor_on,
        a_retired_job_that_is_idle_is_forgotten,
        a_retired_job_that_has_passes_to_be_taken_is_forgotten_later,
        a_retired_job_that_runs_has_a_copy_of_its_definition_until_it_has_ended,
        a_job_that_comes_back_while_its_last_run_goes_on_is_the_same_one,
        a_retired_job_lets_go_of_its_requests,
        a_retired_job_has_no_attempt_to_wait_for,
        names_and_numbers_are_sorted_anew,
    };
    return scheduling_run("scheduler_retire", tests, sizeof(tests) / sizeof(*tests));
}
