/* SPDX-License-Identifier: PostgreSQL */
/* One job at a time: slots, overlap, catch-up, order, and what can be asked. Gates and requests are in
 * test_scheduler_upstream_check.c; test_scheduler_accounting.c looks at everything together. */
#include <sys/mman.h>

#include "support/schedule/scheduling.h"

/* --- what comes --------------------------------------------------------------------------------------------------- */

static bool note_id(void *data, const struct scheduled *it)
{
    int64_t *sum = data;
    *sum += scheduled_id(it);
    return true;
}

static void coming(int until, int64_t ids)
{
    int64_t sum = 0;
    scheduler_visit_coming(scheduler, minute(until), note_id, &sum);
    ck_assert_int_eq(sum, ids);
}

START_TEST(what_comes_are_slots_of_idle_jobs_that_may_run)
{
    struct scheduled *a = add(define("a", "*/10 * * * *"));
    struct scheduled *b = add(define("b", "*/15 * * * *"));
    struct scheduled *c = add(define("c", "*/10 * * * *"));
    int64_t first = scheduled_id(a);
    ck_assert_int_eq(scheduler_next_slot(scheduler), INSTANT_NEVER);
    start();
    ck_assert_int_eq(scheduler_next_slot(scheduler), minute(10));
    scheduler_suspend(scheduler, c, "too noisy", minute(5));
    coming(9, 0);
    coming(10, first);
    coming(15, first + scheduled_id(b));
    tick(10);
    claim(a, 10);
    ck_assert_int_eq(scheduler_next_slot(scheduler), minute(15));
    coming(30, scheduled_id(b)); /* the slots of a live run's job start nothing */
    finish(a, RUN_SUCCEEDED);
    coming(30, first + scheduled_id(b));
}
END_TEST

/* --- one job ------------------------------------------------------------------------------------------------------ */

START_TEST(a_slot_is_due_when_its_time_comes_and_not_before)
{
    struct scheduled *a = add(define("a", "*/10 * * * *"));
    start();
    next_is(10);
    tick(9);
    nothing_due();
    tick(10);
    next_is(20);
    struct due due = claim(a, 10);
    ck_assert(due.kind == RUN_SCHEDULE && due.attempt == 1 && !due.again && due.cursor == MIDNIGHT);
    nothing_due();
    finish(a, RUN_SUCCEEDED);
    nothing_due();
    tick(20);
    ck_assert_int_eq(claim(a, 20).cursor, minute(10));
    nothing_passed();
}
END_TEST

START_TEST(slots_beside_a_live_run_are_skipped_at_once)
{
    struct scheduled *a = add(define("a", "*/10 * * * *"));
    start();
    tick(10);
    claim(a, 10);
    tick(20);
    skipped(a, 10, 20, 20);
    tick(40);
    skipped(a, 20, 30, 30);
    skipped(a, 30, 40, 40);
    finish(a, RUN_SUCCEEDED);
    nothing_due();
    tick(50);
    ck_assert_int_eq(claim(a, 50).cursor, minute(40));
    nothing_passed();
}
END_TEST

START_TEST(slots_behind_one_that_waits_for_a_session_are_skipped_once_it_is_claimed)
{
    struct scheduled *a = add(define("a", "*/10 * * * *"));
    start();
    tick(30);
    nothing_passed();
    claim(a, 10);
    skipped(a, 10, 20, 30);
    tick(40);
    skipped(a, 30, 40, 40);
}
END_TEST

START_TEST(buffer_one_keeps_the_first_slot_that_fell_due_meanwhile)
{
    struct job *job = define("a", "*/10 * * * *");
    job->options->overlap_policy = OVERLAP_BUFFER_ONE;
    struct scheduled *a = add(job);
    start();
    tick(10);
    claim(a, 10);
    tick(40);
    nothing_passed();
    finish(a, RUN_FAILED);
    claim(a, 20);
    skipped(a, 20, 30, 40);
    nothing_due();
}
END_TEST

START_TEST(buffer_one_buffers_again_after_it_had_to_skip)
{
    struct job *job = define("a", "*/10 * * * *");
    job->options->overlap_policy = OVERLAP_BUFFER_ONE;
    struct scheduled *a = add(job);
    start();
    tick(10);
    claim(a, 10);
    tick(30);
    finish(a, RUN_SUCCEEDED);
    claim(a, 20);
    skipped(a, 20, 30, 30);
    tick(40); /* the run of 20 is live: this one waits for it */
    nothing_passed();
    finish(a, RUN_SUCCEEDED);
    ck_assert_int_eq(claim(a, 40).cursor, minute(30));
    nothing_passed();
}
END_TEST

START_TEST(buffer_one_buffers_behind_a_slot_that_waits_for_a_session)
{
    struct job *job = define("a", "*/10 * * * *");
    job->options->overlap_policy = OVERLAP_BUFFER_ONE;
    struct scheduled *a = add(job);
    start();
    tick(30);
    claim(a, 10);
    finish(a, RUN_SUCCEEDED);
    claim(a, 20);
    skipped(a, 20, 30, 30);
}
END_TEST

START_TEST(buffer_all_runs_every_slot_in_its_turn)
{
    struct job *job = define("a", "*/10 * * * *");
    job->options->overlap_policy = OVERLAP_BUFFER_ALL;
    struct scheduled *a = add(job);
    start();
    tick(10);
    claim(a, 10);
    tick(40);
    finish(a, RUN_FAILED);
    for (int slot = 20; slot <= 40; slot += 10) {
        claim(a, slot);
        nothing_due();
        finish(a, RUN_SUCCEEDED);
    }
    nothing_due();
    nothing_passed();
}
END_TEST

START_TEST(an_overlap_names_the_run_that_was_in_the_way)
{
    struct scheduled *a = add(define("a", "*/10 * * * *"));
    start();
    tick(10);
    claim(a, 10);
    tick(20);
    skipped_because(a, 10, 20, 20, "overlap: the run of slot 2026-03-02T00:10:00Z had not ended");
    finish(a, RUN_SUCCEEDED);
    scheduler_request(scheduler, a, RUN_MANUAL, minute(25));
    claim(a, 25);
    tick(30);
    skipped_because(a, 20, 30, 30, "overlap: the run asked for at 2026-03-02T00:25:00Z had not ended");
    scheduler_retry(scheduler, a, 2, minute(31));
    tick(31);
    tick(40); /* it waits for a session, but it has started once */
    claim(a, 25);
    skipped_because(a, 30, 40, 40, "overlap: the run asked for at 2026-03-02T00:25:00Z had not ended");
}
END_TEST

START_TEST(an_overlap_says_what_a_run_that_had_not_started_waited_for_when_it_began)
{
    struct job *job = define("down", "*/10 * * * *");
    comes_after(job, "up");
    struct scheduled *up = add(define("up", "10 * * * *"));
    struct scheduled *down = add(job);
    start();
    tick(30); /* up has no session, and down none to follow */
    claim(up, 10);
    finish(up, RUN_SUCCEEDED);
    claim(down, 10);
    skipped_because(down, 10, 20, 30,
                    "overlap: the run of slot 2026-03-02T00:10:00Z had not started: it waited for upstream up");
    finish(down, RUN_SUCCEEDED);
    tick(60);
    claim(down, 40);
    skipped_because(down, 40, 50, 60,
                    "overlap: the run of slot 2026-03-02T00:40:00Z had not started: it waited for a session");
}
END_TEST

START_TEST(an_inactive_job_is_never_due_but_may_be_asked_for)
{
    struct job *job = define("a", "*/10 * * * *");
    job->active = false;
    struct scheduled *a = remember(job, minute(-600));
    start();
    next_is(NEVER);
    tick(100);
    nothing_due();
    nothing_passed();
    scheduler_request(scheduler, a, RUN_MANUAL, minute(7));
    ck_assert(claim(a, 7).kind == RUN_MANUAL);
}
END_TEST

START_TEST(a_job_without_a_schedule_runs_only_when_asked_for)
{
    struct scheduled *a = add(define("a", ""));
    start();
    next_is(NEVER);
    tick(100000);
    nothing_due();
    scheduler_request(scheduler, a, RUN_INSTALL, minute(1));
    ck_assert(claim(a, 1).kind == RUN_INSTALL);
    finish(a, RUN_SUCCEEDED);
    ck_assert(scheduler_quiet(scheduler));
}
END_TEST

/* --- what the calendar does not know ------------------------------------------------------------------------------ */

START_TEST(a_delay_counts_from_the_last_end_whatever_ran)
{
    struct scheduled *a = add(define_delay("a", 15));
    start();
    next_is(15);
    tick(15);
    claim(a, 15);
    next_is(NEVER);
    tick(50);
    finish(a, RUN_FAILED);
    next_is(65);
    scheduler_request(scheduler, a, RUN_MANUAL, minute(60));
    next_is(NEVER); /* it does not overlap itself */
    claim(a, 60);
    tick(70);
    nothing_passed();
    finish(a, RUN_SUCCEEDED);
    next_is(85);
    tick(85);
    ck_assert_int_eq(claim(a, 85).cursor, minute(15));
}
END_TEST

START_TEST(a_delay_remembers_the_last_end_and_keeps_one_slot_at_most)
{
    struct job *job = define_delay("a", 15);
    struct job *none = define_delay("none", 15);
    struct job *old = define_delay("old", 15);
    struct job_memory memory = memory_of(job, 10);
    memory.last_end = minute(40);
    struct scheduled *a = scheduler_put(scheduler, job, &memory);
    none->options->catchup = CATCHUP_NONE;
    old->options->catchup_window = 60 * USEC_PER_MINUTE;
    struct scheduled *b = add(none);
    struct scheduled *c = add(old);
    start_at(100);
    missed(b, 0, 15, 15, 1, "catchup is none: nothing led when they were due");
    missed(c, 0, 15, 15, 1, "older than catchup_window when a leader was back");
    nothing_passed();
    ck_assert_int_eq(claim(a, 55).cursor, minute(10));
    nothing_due();
    next_is(115); /* the others, from now */
}
END_TEST

START_TEST(a_delay_that_was_skipped_counts_from_then)
{
    struct job *job = define_delay("down", 1);
    comes_after(job, "up");
    struct scheduled *up = add(define("up", "1 * * * *"));
    struct scheduled *down = add(job);
    start();
    tick(1);
    claim(up, 1);
    tick(30);
    finish(up, RUN_FAILED);
    skipped_for(down, 0, 1, "upstream up failed");
    nothing_passed();
    next_is(31);
}
END_TEST

START_TEST(a_start_of_the_server_is_one_slot_whoever_leads)
{
    struct job *none = define_reboot("none");
    none->options->catchup = CATCHUP_NONE;
    struct job *old = define_reboot("old");
    old->options->catchup_window = 5 * USEC_PER_MINUTE;
    struct scheduled *a = add(none);
    struct scheduled *b = add(old);
    struct scheduled *served = remember(define_reboot("served"), minute(20));
    scheduler_link(scheduler, minute(0));
    scheduler_start(scheduler, minute(30), minute(20));
    missed(b, 0, 20, 20, 1, "older than catchup_window when a leader was back");
    claim(a, 20);
    finish(a, RUN_SUCCEEDED);
    next_is(NEVER);
    tick(100000);
    nothing_due();
    ck_assert(scheduled_idle(served));
    nothing_passed();
}
END_TEST

/* --- catch-up ----------------------------------------------------------------------------------------------------- */

START_TEST(catchup_latest_runs_the_newest_slot_and_misses_the_others)
{
    struct scheduled *a = add(define("a", "*/10 * * * *"));
    ck_assert(!scheduler_next_skipped_is_missed(scheduler));
    start_at(35);
    ck_assert(scheduler_next_skipped_is_missed(scheduler));
    missed(a, 0, 10, 20, 2, "catchup is latest: a later slot was due as well");
    nothing_passed();
    ck_assert_int_eq(claim(a, 30).cursor, minute(20));
    next_is(40);
}
END_TEST

START_TEST(catchup_none_misses_every_slot_and_goes_on_with_the_next)
{
    struct job *job = define("a", "*/10 * * * *");
    job->options->catchup = CATCHUP_NONE;
    struct scheduled *a = add(job);
    start_at(30);
    missed(a, 0, 10, 30, 3, "catchup is none: nothing led when they were due");
    nothing_due();
    tick(40);
    ck_assert_int_eq(claim(a, 40).cursor, minute(30));
}
END_TEST

START_TEST(catchup_all_runs_one_after_the_other)
{
    struct job *job = define("a", "*/10 * * * *");
    job->options->catchup = CATCHUP_ALL;
    struct scheduled *a = add(job);
    start_at(35);
    nothing_passed();
    for (int slot = 10; slot <= 30; slot += 10) {
        claim(a, slot);
        nothing_due();
        finish(a, RUN_SUCCEEDED);
    }
    nothing_due();
    nothing_passed();
}
END_TEST

START_TEST(slots_older_than_the_window_and_beyond_the_limit_are_missed_with_their_own_reason)
{
    struct job *job = define("a", "*/10 * * * *");
    job->options->catchup = CATCHUP_ALL;
    job->options->catchup_window = 60 * USEC_PER_MINUTE;
    job->options->catchup_limit = 2;
    struct scheduled *a = add(job);
    start_at(120); /* a slot that is exactly as old as the window is not too old */
    missed(a, 0, 10, 50, 5, "older than catchup_window when a leader was back");
    missed(a, 50, 60, 100, 5, "more slots than catchup_limit were due");
    nothing_passed();
    claim(a, 110);
    finish(a, RUN_SUCCEEDED);
    claim(a, 120);
}
END_TEST

START_TEST(nothing_runs_when_all_slots_are_older_than_the_window_or_the_limit_is_none)
{
    struct job *old = define("old", "0 * * * *");
    old->options->catchup_window = 10 * USEC_PER_MINUTE;
    struct scheduled *a = add(old);
    struct job *none = define("none", "0 * * * *");
    none->options->catchup = CATCHUP_ALL;
    none->options->catchup_limit = 0;
    struct scheduled *b = add(none);
    start_at(90);
    missed(a, 0, 60, 60, 1, "older than catchup_window when a leader was back");
    missed(b, 0, 60, 60, 1, "more slots than catchup_limit were due");
    nothing_passed();
    nothing_due();
    tick(120);
    claim(a, 120);
    claim(b, 120);
}
END_TEST

START_TEST(a_clock_stepped_forward_makes_idle_jobs_catch_up)
{
    struct scheduled *a = add(define("a", "*/10 * * * *"));
    start();
    tick(10);
    claim(a, 10);
    finish(a, RUN_SUCCEEDED);
    scheduler_catch_up(scheduler, minute(55));
    missed(a, 10, 20, 40, 3, "catchup is latest: a later slot was due as well");
    claim(a, 50);
    next_is(60);
    scheduler_catch_up(scheduler, minute(56));
    nothing_passed();
    nothing_due();
}
END_TEST

START_TEST(a_clock_stepped_forward_leaves_a_kept_slot_to_come_first)
{
    struct scheduled *a = add(define("a", "*/10 * * * *"));
    start();
    tick(10);
    scheduler_catch_up(scheduler, minute(35));
    tick(35);
    nothing_passed();
    claim(a, 10);
    skipped(a, 10, 20, 30);
    nothing_due();
}
END_TEST

START_TEST(a_clock_set_back_decides_nothing_twice)
{
    struct scheduled *a = add(define("a", "*/10 * * * *"));
    start();
    tick(20);
    claim(a, 10);
    skipped(a, 10, 20, 20);
    finish(a, RUN_SUCCEEDED);
    tick(5);
    tick(20);
    nothing_due();
    next_is(30);
}
END_TEST

/* --- order -------------------------------------------------------------------------------------------------------- */

START_TEST(priority_comes_first_then_the_older_slot_then_the_older_job)
{
    static const char *const names[] = {"a", "b", "c", "d", "e", "f"};
    static const int ids[] = {5, 2, 4, 1, 3, 6};
    struct scheduled *all[7];
    for (int i = 0; i < 6; i++) {
        struct job *job = define(names[i], ids[i] == 1 ? "5 * * * *" : ids[i] == 6 ? "20 * * * *" : "10 * * * *");
        job->options->priority = ids[i] == 6 ? 1 : 9;
        struct job_memory memory = {.job_id = ids[i], .cursor = MIDNIGHT};
        all[ids[i]] = scheduler_put(scheduler, job, &memory);
    }
    start();
    tick(30);
    take(all[6], 20);
    take(all[1], 5);
    take(all[2], 10);
    take(all[3], 10);
    scheduler_unclaimed(scheduler, all[2]);
    scheduler_unclaimed(scheduler, all[6]);
    ck_assert_int_eq(claim(all[6], 20).attempt, 1);
    claim(all[2], 10);
    claim(all[4], 10);
    claim(all[5], 10);
    nothing_due();
}
END_TEST

/* --- looking ------------------------------------------------------------------------------------------------------ */

START_TEST(it_is_quiet_when_nothing_is_due_live_or_to_be_recorded)
{
    struct scheduled *a = add(define("a", "*/10 * * * *"));
    start();
    ck_assert(scheduler_quiet(scheduler) && scheduled_idle(a));
    tick(10);
    ck_assert(!scheduler_quiet(scheduler) && !scheduled_idle(a));
    claim(a, 10);
    ck_assert(scheduled_is_at(a, RUN_SCHEDULE, minute(10)));
    tick(20);
    finish(a, RUN_SUCCEEDED);
    ck_assert(!scheduler_quiet(scheduler) && scheduled_idle(a));
    skipped(a, 10, 20, 20);
    ck_assert(scheduler_quiet(scheduler));
    scheduler_destroy(NULL);
}
END_TEST

START_TEST(jobs_are_found_by_number_and_remember_how_long_they_take)
{
    struct scheduled *b = remember(define("b", ""), 0);
    struct scheduled *a = remember(define("a", ""), 0);
    struct scheduled *c = remember(define("c", ""), 0);
    start();
    ck_assert_uint_eq(scheduler_count(scheduler), 3);
    ck_assert(scheduler_find(scheduler, 100) == b && scheduler_find(scheduler, 101) == a);
    ck_assert(scheduler_find(scheduler, 102) == c && scheduler_find(scheduler, 103) == NULL);
    ck_assert(scheduled_id(c) == 102 && scheduled_version(c) == 3 && scheduled_expected(c) == 0);
    const duration took[] = {800, 400, 0, 0};
    const enum run_state states[] = {RUN_SUCCEEDED, RUN_SUCCEEDED, RUN_SUCCEEDED, RUN_FAILED};
    const duration expected[] = {800, 700, 700, 700}; /* 0 is unknown, and failures say nothing */
    for (int i = 0; i < 4; i++) {
        scheduler_request(scheduler, c, RUN_MANUAL, minute(i));
        claim(c, i);
        scheduler_ended(scheduler, c, states[i], took[i], minute(1));
        ck_assert_int_eq(scheduled_expected(c), expected[i]);
    }
}
END_TEST

/* The jobs that are not due lie in memory that nobody may read meanwhile. */
START_TEST(a_tick_looks_at_no_job_that_is_not_due)
{
    const size_t count = 20000;
    size_t size = count * sizeof(struct job);
    struct job *asleep = mmap(NULL, size, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS, -1, 0);
    ck_assert_ptr_ne(asleep, MAP_FAILED);
    struct scheduled *a = add(define("a", "* * * * *"));
    struct job *yearly = define("asleep", "@yearly");
    for (size_t i = 0; i < count; i++) {
        asleep[i] = *yearly;
        struct job_memory memory = {.job_id = 1000 + (int64_t)i, .cursor = MIDNIGHT};
        scheduler_put(scheduler, &asleep[i], &memory);
    }
    start();
    ck_assert_int_eq(mprotect(asleep, size, PROT_NONE), 0);
    for (int i = 1; i <= 1000; i++) {
        tick(i);
        claim(a, i);
        finish(a, RUN_SUCCEEDED);
        nothing_due();
        next_is(i + 1);
    }
    munmap(asleep, size);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        what_comes_are_slots_of_idle_jobs_that_may_run,
        a_slot_is_due_when_its_time_comes_and_not_before,
        slots_beside_a_live_run_are_skipped_at_once,
        slots_behind_one_that_waits_for_a_session_are_skipped_once_it_is_claimed,
        buffer_one_keeps_the_first_slot_that_fell_due_meanwhile,
        buffer_one_buffers_again_after_it_had_to_skip,
        buffer_one_buffers_behind_a_slot_that_waits_for_a_session,
        buffer_all_runs_every_slot_in_its_turn,
        an_overlap_names_the_run_that_was_in_the_way,
        an_overlap_says_what_a_run_that_had_not_started_waited_for_when_it_began,
        an_inactive_job_is_never_due_but_may_be_asked_for,
        a_job_without_a_schedule_runs_only_when_asked_for,
        a_delay_counts_from_the_last_end_whatever_ran,
        a_delay_remembers_the_last_end_and_keeps_one_slot_at_most,
        a_delay_that_was_skipped_counts_from_then,
        a_start_of_the_server_is_one_slot_whoever_leads,
        catchup_latest_runs_the_newest_slot_and_misses_the_others,
        catchup_none_misses_every_slot_and_goes_on_with_the_next,
        catchup_all_runs_one_after_the_other,
        slots_older_than_the_window_and_beyond_the_limit_are_missed_with_their_own_reason,
        nothing_runs_when_all_slots_are_older_than_the_window_or_the_limit_is_none,
        a_clock_stepped_forward_makes_idle_jobs_catch_up,
        a_clock_stepped_forward_leaves_a_kept_slot_to_come_first,
        a_clock_set_back_decides_nothing_twice,
        priority_comes_first_then_the_older_slot_then_the_older_job,
        it_is_quiet_when_nothing_is_due_live_or_to_be_recorded,
        jobs_are_found_by_number_and_remember_how_long_they_take,
        a_tick_looks_at_no_job_that_is_not_due,
    };
    return scheduling_run("scheduler", tests, sizeof(tests) / sizeof(*tests));
}
