/* SPDX-License-Identifier: PostgreSQL */
/* What keeps a slot that is due from starting at once: places in a pool, jitter; and how long it may wait. */
#include <stdio.h>

#include "base/text.h"
#include "support/schedule/scheduling.h"

/* --- pools -------------------------------------------------------------------------------------------------------- */

static struct scheduled *add_in(const char *name, const char *pool, const char *schedule)
{
    struct job *job = define(name, schedule);
    job->options->pool = pool;
    return add(job);
}

START_TEST(no_more_runs_of_a_pool_are_in_flight_than_it_has_places)
{
    scheduler_pool(scheduler, "reports", 2);
    struct scheduled *a = add_in("a", "reports", "10 * * * *");
    struct scheduled *b = add_in("b", "reports", "10 * * * *");
    struct scheduled *c = add_in("c", "reports", "10 * * * *");
    struct scheduled *d = add_in("d", "other", "20 * * * *");
    start();
    tick(20);
    take(a, 10);
    claim(b, 10);
    claim(d, 20); /* c waits, whoever has a place goes on */
    nothing_due();
    scheduler_claimed(scheduler, a);
    nothing_due();
    finish(b, RUN_FAILED);
    ck_assert(scheduler_has_due(scheduler));
    claim(c, 10);
}
END_TEST

START_TEST(a_run_that_is_put_off_gives_its_place_back)
{
    scheduler_pool(scheduler, "reports", 1);
    struct scheduled *a = add_in("a", "reports", "10 * * * *");
    struct scheduled *b = add_in("b", "reports", "11 * * * *");
    start();
    tick(11);
    take(a, 10);
    nothing_due();
    scheduler_unclaimed(scheduler, a);
    claim(a, 10);
    nothing_due();
    scheduler_retry(scheduler, a, 2, minute(12));
    claim(b, 11);
    tick(12);
    nothing_due(); /* a retry takes a place like everybody else */
    finish(b, RUN_SUCCEEDED);
    ck_assert(claim(a, 10).again);
}
END_TEST

START_TEST(a_run_that_waits_for_an_upstream_holds_no_place)
{
    scheduler_pool(scheduler, "reports", 1);
    struct job *job = define("down", "10 * * * *");
    comes_after(job, "up");
    job->options->pool = "reports";
    struct scheduled *down = add(job);
    struct scheduled *up = add_in("up", "reports", "10 * * * *");
    start();
    tick(10);
    claim(up, 10);
    nothing_due();
    finish(up, RUN_SUCCEEDED);
    claim(down, 10);
}
END_TEST

START_TEST(priority_goes_before_the_slot_across_pools)
{
    scheduler_pool(scheduler, "reports", 3);
    struct job *late = define("late", "30 * * * *");
    late->options->pool = "reports";
    late->options->priority = 1;
    struct scheduled *b = add_in("b", "reports", "10 * * * *");
    struct scheduled *c = add_in("c", "other", "5 * * * *");
    struct scheduled *d = add_in("d", "other", "10 * * * *");
    struct scheduled *a = add(late);
    start();
    tick(30);
    claim(a, 30);
    claim(c, 5);
    claim(b, 10);
    claim(d, 10);
}
END_TEST

START_TEST(another_limit_counts_from_now_on)
{
    scheduler_pool(scheduler, "reports", 1);
    struct scheduled *a = add_in("a", "reports", "10 * * * *");
    struct scheduled *b = add_in("b", "reports", "10 * * * *");
    struct scheduled *c = add_in("c", "reports", "10 * * * *");
    start();
    tick(10);
    claim(a, 10);
    nothing_due();
    scheduler_pool(scheduler, "reports", 2);
    claim(b, 10);
    nothing_due();
    scheduler_pool(scheduler, "reports", 1);
    finish(b, RUN_SUCCEEDED);
    nothing_due();
    scheduler_pool(scheduler, "reports", 0); /* none */
    claim(c, 10);
}
END_TEST

START_TEST(an_overlap_names_the_pool_that_was_full)
{
    scheduler_pool(scheduler, "reports", 1);
    struct scheduled *a = add_in("a", "reports", "5 * * * *");
    struct scheduled *b = add_in("b", "reports", "*/10 * * * *");
    start();
    tick(5);
    claim(a, 5);
    tick(20);
    finish(a, RUN_SUCCEEDED);
    claim(b, 10);
    skipped_because(
        b, 10, 20, 20,
        "overlap: the run of slot 2026-03-02T00:10:00Z had not started: it waited for a slot of pool reports");
}
END_TEST

/* --- starting deadlines ------------------------------------------------------------------------------------------- */

static struct job *define_hasty(const char *name, const char *schedule)
{
    struct job *job = define(name, schedule);
    job->options->starting_deadline = 5 * USEC_PER_MINUTE;
    return job;
}

#define DEADLINE "deadline: not started within 5min: "

START_TEST(a_slot_without_a_session_is_skipped_at_its_deadline)
{
    struct scheduled *a = add(define_hasty("a", "*/10 * * * *"));
    start();
    tick(10);
    next_is(15);
    tick(14);
    nothing_passed();
    tick(15);
    skipped_for(a, 0, 10, DEADLINE "waited for a session");
    nothing_due();
    next_is(20);
    tick(20);
    claim(a, 20);
    next_is(30); /* it has started */
    tick(29);
    nothing_passed();
}
END_TEST

START_TEST(a_slot_without_a_place_is_skipped_at_its_deadline)
{
    scheduler_pool(scheduler, "reports", 1);
    struct scheduled *a = add_in("a", "reports", "10 * * * *");
    struct job *job = define_hasty("b", "10 * * * *");
    job->options->pool = "reports";
    struct scheduled *b = add(job);
    start();
    tick(10);
    claim(a, 10);
    tick(15);
    skipped_for(b, 0, 10, DEADLINE "waited for a slot of pool reports");
    finish(a, RUN_SUCCEEDED);
    nothing_due();
}
END_TEST

START_TEST(a_slot_that_waits_for_an_upstream_is_skipped_at_its_deadline_and_those_after_it_see_that)
{
    struct job *job = define_hasty("down", "*/10 * * * *");
    struct job *after = define("last", "*/10 * * * *");
    comes_after(job, "up");
    comes_after(after, "down");
    struct scheduled *up = add(define("up", "10 * * * *"));
    struct scheduled *down = add(job);
    struct scheduled *last = add(after);
    start();
    tick(10);
    claim(up, 10);
    tick(15);
    skipped_for(down, 0, 10, DEADLINE "waited for upstream up");
    skipped_for(last, 0, 10, "upstream down skipped");
    finish(up, RUN_SUCCEEDED);
    nothing_due();
}
END_TEST

START_TEST(the_end_of_an_upstream_after_the_deadline_comes_too_late)
{
    struct job *job = define_hasty("down", "*/10 * * * *");
    comes_after(job, "up");
    struct scheduled *up = add(define("up", "10 * * * *"));
    struct scheduled *down = add(job);
    start();
    tick(10);
    claim(up, 10);
    scheduler_ended(scheduler, up, RUN_SUCCEEDED, USEC_PER_SEC, minute(16));
    skipped_for(down, 0, 10, DEADLINE "waited for upstream up");
    nothing_due();
}
END_TEST

START_TEST(jobs_that_wait_for_each_other_are_late_together_each_for_its_own_reason)
{
    struct job *job = define_hasty("down", "10 * * * *");
    comes_after(job, "up");
    struct scheduled *up = add(define_hasty("up", "10 * * * *"));
    struct scheduled *down = add(job);
    start();
    tick(10);
    tick(15);
    skipped_for(down, 0, 10, DEADLINE "waited for upstream up");
    skipped_for(up, 0, 10, DEADLINE "waited for a session");
    nothing_passed();
}
END_TEST

START_TEST(a_buffered_slot_is_judged_when_its_turn_comes)
{
    struct job *job = define_hasty("a", "*/10 * * * *");
    job->options->overlap_policy = OVERLAP_BUFFER_ALL;
    struct scheduled *a = add(job);
    start();
    tick(10);
    claim(a, 10);
    tick(26);
    nothing_passed();
    tick(30);
    finish(a, RUN_SUCCEEDED);
    skipped_for(a, 10, 20, DEADLINE "an earlier run had not ended");
    claim(a, 30);
    nothing_passed();
}
END_TEST

START_TEST(what_is_caught_up_too_late_says_that_nothing_led)
{
    struct job *all = define_hasty("all", "*/10 * * * *");
    all->options->catchup = CATCHUP_ALL;
    struct scheduled *a = add(all);
    struct scheduled *b = add(define_hasty("b", "*/10 * * * *"));
    start_at(26);
    missed(b, 0, 10, 10, 1, "catchup is latest: a later slot was due as well");
    skipped_for(a, 0, 10, DEADLINE "nothing led when it was due");
    skipped_for(a, 10, 20, DEADLINE "nothing led when it was due");
    skipped_for(b, 10, 20, DEADLINE "nothing led when it was due");
    nothing_passed();
    nothing_due();
}
END_TEST

START_TEST(caught_up_slots_within_the_deadline_run_one_after_the_other_as_far_as_there_is_time)
{
    struct job *all = define_hasty("all", "* * * * *");
    all->options->catchup = CATCHUP_ALL;
    struct scheduled *a = add(all);
    start_at(6);
    skipped_for(a, 0, 1, DEADLINE "nothing led when it was due");
    claim(a, 2);
    scheduler_ended(scheduler, a, RUN_SUCCEEDED, USEC_PER_SEC, minute(8));
    skipped_for(a, 2, 3, DEADLINE "an earlier run had not ended");
    claim(a, 4);
}
END_TEST

START_TEST(a_tick_that_comes_after_the_deadline_is_too_late)
{
    struct scheduled *a = add(define_hasty("a", "10 * * * *"));
    start();
    tick(15);
    skipped_for(a, 0, 10, DEADLINE "it was seen too late");
}
END_TEST

START_TEST(a_claim_under_way_is_not_revoked_unless_it_comes_to_nothing)
{
    struct scheduled *a = add(define_hasty("a", "*/10 * * * *"));
    start();
    tick(10);
    take(a, 10);
    tick(16);
    nothing_passed();
    scheduler_claimed(scheduler, a);
    finish(a, RUN_SUCCEEDED);
    tick(20);
    take(a, 20);
    tick(26);
    scheduler_unclaimed(scheduler, a);
    skipped_for(a, 10, 20, DEADLINE "waited for a session");
    nothing_due();
}
END_TEST

START_TEST(retries_and_requests_have_no_deadline)
{
    struct scheduled *a = add(define_hasty("a", "10 * * * *"));
    start();
    scheduler_request(scheduler, a, RUN_MANUAL, minute(1));
    tick(9);
    claim(a, 1);
    finish(a, RUN_SUCCEEDED);
    tick(10);
    claim(a, 10);
    scheduler_retry(scheduler, a, 2, minute(20));
    tick(30);
    ck_assert(claim(a, 10).again);
    nothing_passed();
}
END_TEST

/* --- jitter ------------------------------------------------------------------------------------------------------- */

static struct job *define_jittered(const char *name, const char *schedule)
{
    struct job *job = define(name, schedule);
    job->options->jitter = 8 * USEC_PER_MINUTE;
    return job;
}

static duration jitter_of(const char *name)
{
    return (duration)(text_hash(name) % (8 * USEC_PER_MINUTE + 1));
}

static void tick_at(instant at)
{
    scheduler_tick(scheduler, at);
}

START_TEST(jitter_is_the_same_every_time_and_leaves_the_slot_as_it_is)
{
    struct scheduled *a = add(define_jittered("a", "*/10 * * * *"));
    start();
    for (int slot = 10; slot <= 50; slot += 10) {
        instant at = minute(slot) + jitter_of("a");
        ck_assert_int_eq(scheduler_next(scheduler), at);
        tick_at(at - 1);
        nothing_due();
        tick_at(at);
        ck_assert_int_eq(claim(a, slot).cursor, minute(slot - 10));
        finish(a, RUN_SUCCEEDED);
    }
}
END_TEST

START_TEST(jitter_spreads_jobs_over_its_whole_length)
{
    static char names[200][16];
    int parts[8] = {0};
    for (int i = 0; i < 200; i++) {
        snprintf(names[i], sizeof(names[i]), "job%d", i);
        scheduling_reset();
        add(define_jittered(names[i], "*/10 * * * *"));
        start();
        duration jitter = scheduler_next(scheduler) - minute(10);
        ck_assert(jitter >= 0 && jitter <= 8 * USEC_PER_MINUTE);
        parts[jitter / USEC_PER_MINUTE % 8]++;
    }
    for (int i = 0; i < 8; i++) {
        ck_assert_int_gt(parts[i], 10);
    }
}
END_TEST

START_TEST(jitter_never_passes_the_next_slot)
{
    struct scheduled *a = add(define_jittered("a", "* * * * *"));
    ck_assert_int_gt(jitter_of("a"), USEC_PER_MINUTE);
    start();
    tick_at(minute(2) - 2);
    nothing_due();
    tick_at(minute(2) - 1);
    claim(a, 1);
    finish(a, RUN_SUCCEEDED);
    tick_at(minute(3) - 1);
    claim(a, 2);
    nothing_passed();
}
END_TEST

START_TEST(a_slot_whose_start_is_still_to_come_is_not_missed)
{
    struct job *job = define_jittered("a", "*/10 * * * *");
    job->options->catchup = CATCHUP_NONE;
    struct scheduled *a = add(job);
    ck_assert_int_gt(jitter_of("a"), USEC_PER_MINUTE);
    start_at(21);
    missed(a, 0, 10, 10, 1, "catchup is none: nothing led when they were due");
    nothing_passed();
    nothing_due();
    tick_at(minute(20) + jitter_of("a"));
    claim(a, 20);
    finish(a, RUN_SUCCEEDED);
    scheduler_catch_up(scheduler, minute(51)); /* a step of the clock is the same */
    missed(a, 20, 30, 40, 2, "catchup is none: nothing led when they were due");
    nothing_due();
    scheduler_tick(scheduler, minute(60) - 1);
    claim(a, 50);
}
END_TEST

START_TEST(a_window_without_length_leaves_a_start_to_come_as_well)
{
    struct job *job = define_jittered("a", "*/10 * * * *");
    job->options->catchup_window = 0;
    struct scheduled *a = add(job);
    start_at(21);
    missed(a, 0, 10, 10, 1, "older than catchup_window when a leader was back");
    nothing_passed();
    tick_at(minute(20) + jitter_of("a"));
    claim(a, 20);
}
END_TEST

START_TEST(a_deadline_counts_from_the_slot_even_if_jitter_comes_later)
{
    struct job *job = define_jittered("a", "*/10 * * * *");
    job->options->starting_deadline = 1;
    struct scheduled *a = add(job);
    start();
    tick_at(minute(10) + jitter_of("a"));
    struct skipped passed = take_passed(a, 0, 10, 10);
    ck_assert_str_eq(passed.reason, "deadline: not started within 1us: its jitter is longer");
}
END_TEST

START_TEST(a_delay_has_jitter_too)
{
    struct job *job = define_delay("a", 10);
    job->options->jitter = 8 * USEC_PER_MINUTE;
    struct scheduled *a = add(job);
    start();
    tick_at(minute(10) + jitter_of("a") - 1);
    nothing_due();
    tick_at(minute(10) + jitter_of("a"));
    claim(a, 10);
}
END_TEST

START_TEST(a_start_of_the_server_has_jitter_too)
{
    struct job *job = define_reboot("a");
    job->options->jitter = 8 * USEC_PER_MINUTE;
    struct scheduled *a = add(job);
    scheduler_link(scheduler, minute(0));
    scheduler_start(scheduler, minute(1), minute(1));
    tick_at(minute(1) + jitter_of("a") - 1);
    nothing_due();
    tick_at(minute(1) + jitter_of("a"));
    claim(a, 1);
}
END_TEST

START_TEST(a_join_decides_when_it_can_without_jitter)
{
    struct job *job = define_jittered("down", "");
    job->options->starting_deadline = 1;
    comes_after(job, "up");
    struct scheduled *down = add(job);
    struct scheduled *up = add(define("up", "*/10 * * * *"));
    start();
    run_at(up, 10, RUN_SUCCEEDED);
    claim(down, 10);
    tick(11);
    run_at(up, 20, RUN_SUCCEEDED);
    scheduler_ended(scheduler, down, RUN_SUCCEEDED, 0, minute(21));
    skipped_for(down, 10, 20, "deadline: not started within 1us: an earlier run had not ended");
}
END_TEST

START_TEST(a_run_that_goes_on_after_a_chunk_stands_behind_those_that_are_due)
{
    struct job *job = define("purge", "0 0 * * *");
    job->options->pool = "one";
    struct job *next = define("next", "*/10 * * * *");
    next->options->pool = "one";
    scheduler_pool(scheduler, "one", 1);
    struct scheduled *purge = remember(job, MIDNIGHT - 1);
    struct scheduled *other = add(next);
    start();
    claim(purge, 0);
    tick(10);
    nothing_due();
    scheduler_yield(scheduler, purge, minute(11));
    tick(11);
    claim(other, 10); /* its slot is later than that of the run, and earlier than now */
    nothing_due();
    finish(other, RUN_SUCCEEDED);
    struct due due = claim(purge, 0);
    ck_assert(due.again && due.attempt == 1);
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        a_run_that_goes_on_after_a_chunk_stands_behind_those_that_are_due,
        no_more_runs_of_a_pool_are_in_flight_than_it_has_places,
        a_run_that_is_put_off_gives_its_place_back,
        a_run_that_waits_for_an_upstream_holds_no_place,
        priority_goes_before_the_slot_across_pools,
        another_limit_counts_from_now_on,
        an_overlap_names_the_pool_that_was_full,
        a_slot_without_a_session_is_skipped_at_its_deadline,
        a_slot_without_a_place_is_skipped_at_its_deadline,
        a_slot_that_waits_for_an_upstream_is_skipped_at_its_deadline_and_those_after_it_see_that,
        the_end_of_an_upstream_after_the_deadline_comes_too_late,
        jobs_that_wait_for_each_other_are_late_together_each_for_its_own_reason,
        a_buffered_slot_is_judged_when_its_turn_comes,
        what_is_caught_up_too_late_says_that_nothing_led,
        caught_up_slots_within_the_deadline_run_one_after_the_other_as_far_as_there_is_time,
        a_tick_that_comes_after_the_deadline_is_too_late,
        a_claim_under_way_is_not_revoked_unless_it_comes_to_nothing,
        retries_and_requests_have_no_deadline,
        jitter_is_the_same_every_time_and_leaves_the_slot_as_it_is,
        jitter_spreads_jobs_over_its_whole_length,
        jitter_never_passes_the_next_slot,
        a_slot_whose_start_is_still_to_come_is_not_missed,
        a_window_without_length_leaves_a_start_to_come_as_well,
        a_deadline_counts_from_the_slot_even_if_jitter_comes_later,
        a_delay_has_jitter_too,
        a_start_of_the_server_has_jitter_too,
        a_join_decides_when_it_can_without_jitter,
    };
    return scheduling_run("scheduler_pools", tests, sizeof(tests) / sizeof(*tests));
}
