/* SPDX-License-Identifier: PostgreSQL */
/* What a run waits for: upstreams, requests, retries, and runs that an earlier leader left. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/process/abort_trap.h"
#include "support/schedule/scheduling.h"

/* --- upstream checks ---------------------------------------------------------------------------------------------- */

START_TEST(where_slots_meet_the_upstream_goes_first)
{
    struct job *job = define("down", "*/30 * * * *");
    comes_after(job, "up");
    struct scheduled *down = add(job); /* considered first, if it were for the order */
    struct scheduled *up = add(define("up", "*/10 * * * *"));
    start();
    tick(30);
    claim(up, 10);
    skipped(up, 10, 20, 30);
    finish(up, RUN_SUCCEEDED);
    claim(down, 30);
    finish(down, RUN_SUCCEEDED);
    tick(60);
    claim(up, 40);
    nothing_due();
    tick(70);
    finish(up, RUN_SUCCEEDED);
    claim(down, 60);
}
END_TEST

START_TEST(an_upstreams_later_slot_holds_nobody_up)
{
    struct job *job = define("down", "*/30 * * * *");
    comes_after(job, "up");
    struct scheduled *down = add(job);
    struct job *buffers = define("up", "*/10 * * * *");
    buffers->options->overlap_policy = OVERLAP_BUFFER_ONE;
    struct scheduled *up = add(buffers);
    start();
    tick(10);
    claim(up, 10);
    finish(up, RUN_SUCCEEDED);
    tick(20);
    claim(up, 20);
    tick(40); /* 30 is buffered, 40 waits behind it */
    finish(up, RUN_SUCCEEDED);
    claim(up, 30);
    skipped(up, 30, 40, 40);
    nothing_due();
    tick(50);
    finish(up, RUN_SUCCEEDED); /* 50 is due now, which is later than 30 */
    ck_assert(scheduler_has_due(scheduler));
    claim(down, 30);
    claim(up, 50);
}
END_TEST

START_TEST(a_failed_upstream_skips_the_slot_and_is_named)
{
    struct job *job = define("down", "*/10 * * * *");
    comes_after(job, "up");
    struct scheduled *up = add(define("up", "*/10 * * * *"));
    struct scheduled *down = add(job);
    start();
    tick(10);
    claim(up, 10);
    finish(up, RUN_TIMED_OUT);
    skipped_for(down, 0, 10, "upstream up timed_out");
    nothing_due();
    tick(20);
    claim(up, 20);
    finish(up, RUN_SUCCEEDED);
    ck_assert_int_eq(claim(down, 20).cursor, minute(10));
}
END_TEST

START_TEST(a_skip_for_an_upstream_skips_the_whole_chain_unless_all_done_is_enough)
{
    struct job *second = define("second", "*/10 * * * *");
    struct job *third = define("third", "*/10 * * * *");
    struct job *last = define("last", "*/10 * * * *");
    comes_after(second, "first");
    comes_after(third, "second");
    comes_after(last, "third");
    last->options->trigger_rule = TRIGGER_ALL_DONE;
    struct scheduled *d = add(last);
    struct scheduled *c = add(third);
    struct scheduled *b = add(second);
    struct scheduled *a = add(define("first", "*/10 * * * *"));
    start();
    tick(10);
    claim(a, 10);
    nothing_due();
    finish(a, RUN_LOST);
    skipped_for(b, 0, 10, "upstream first lost");
    skipped_for(c, 0, 10, "upstream second skipped");
    nothing_passed();
    claim(d, 10);
}
END_TEST

START_TEST(a_chain_runs_in_order_and_a_fan_in_waits_for_all)
{
    struct job *join = define("join", "*/10 * * * *");
    struct job *left = define("left", "*/10 * * * *");
    comes_after(join, "left");
    comes_after(join, "right");
    comes_after(left, "root");
    struct scheduled *d = add(join);
    struct scheduled *b = add(left);
    struct scheduled *a = add(define("root", "*/10 * * * *"));
    struct scheduled *c = add(define("right", "*/5 * * * *"));
    start();
    tick(5);
    claim(c, 5);
    tick(10);
    skipped(c, 5, 10, 10);
    claim(a, 10);
    nothing_due();
    finish(a, RUN_SUCCEEDED);
    claim(b, 10);
    finish(b, RUN_SUCCEEDED);
    nothing_due();
    finish(c, RUN_SUCCEEDED);
    claim(d, 10);
}
END_TEST

START_TEST(what_the_ledger_remembers_of_an_upstream_decides_after_a_start)
{
    struct job *job = define("down", "*/10 * * * *");
    comes_after(job, "up");
    struct scheduled *down = add(job);
    struct job_memory memory = {.missed_at = INSTANT_NONE,
                                .job_id = 7,
                                .cursor = minute(10),
                                .has_outcome = true,
                                .last_outcome = RUN_FAILED,
                                .last_duration = 5};
    struct scheduled *up = scheduler_put(scheduler, define("up", "*/10 * * * *"), &memory);
    start_at(15);
    skipped_for(down, 0, 10, "upstream up failed");
    nothing_due();
    ck_assert_int_eq(scheduled_expected(up), 5);
}
END_TEST

static struct scheduled *add_missing(const char *schedule)
{
    struct job *up = define("up", schedule);
    struct job_memory memory = memory_of(up, 10);
    up->options->catchup = CATCHUP_NONE;
    memory.has_outcome = true;
    memory.last_outcome = RUN_SUCCEEDED;
    memory.outcome_at = minute(10);
    return scheduler_put(scheduler, up, &memory);
}

START_TEST(a_missed_slot_of_an_upstream_counts_as_skipped_until_it_runs_again)
{
    struct job *job = define("down", "*/10 * * * *");
    struct job *bears = define("bears", "*/10 * * * *");
    comes_after(job, "up");
    comes_after(bears, "up");
    bears->options->trigger_rule = TRIGGER_NONE_FAILED;
    struct scheduled *down = remember(job, minute(10));
    struct scheduled *other = remember(bears, minute(10));
    struct scheduled *up = add_missing("*/20 * * * *");
    start_at(25);
    missed(up, 10, 20, 20, 1, "catchup is none: nothing led when they were due");
    skipped_for(down, 10, 20, "upstream up missed");
    claim(other, 20);
    finish(other, RUN_SUCCEEDED);
    tick(30);
    skipped_for(down, 20, 30, "upstream up missed");
    claim(other, 30);
    scheduler_request(scheduler, up, RUN_MANUAL, minute(35));
    tick(35);
    claim(up, 35);
    finish(up, RUN_SUCCEEDED);
    tick(40);
    claim(up, 40);
    finish(up, RUN_SUCCEEDED);
    claim(down, 40);
}
END_TEST

static struct scheduled *start_with_memory_of_a_miss(int64_t outcome_at)
{
    struct job *job = define("down", "*/10 * * * *");
    struct job *up = define("up", "0 0 1 1 *");
    struct job_memory memory = memory_of(up, 20);
    comes_after(job, "up");
    memory.has_outcome = true;
    memory.last_outcome = RUN_SUCCEEDED;
    memory.outcome_at = minute(outcome_at);
    memory.missed_at = minute(25);
    struct scheduled *down = remember(job, minute(20));
    scheduler_put(scheduler, up, &memory);
    start_at(30);
    return down;
}

START_TEST(that_a_slot_was_missed_is_remembered_after_a_start)
{
    skipped_for(start_with_memory_of_a_miss(10), 20, 30, "upstream up missed");
}
END_TEST

START_TEST(a_run_since_a_slot_was_missed_is_remembered_too)
{
    claim(start_with_memory_of_a_miss(26), 30);
}
END_TEST

START_TEST(an_inactive_upstream_holds_nobody_up_while_it_does_not_run)
{
    struct job *job = define("down", "*/10 * * * *");
    struct job *off = define("up", "*/10 * * * *");
    comes_after(job, "up");
    off->active = false;
    add(off);
    struct scheduled *down = add(job);
    start();
    tick(10);
    claim(down, 10);
}
END_TEST

START_TEST(an_upstream_that_has_yet_to_wait_for_its_jitter_goes_first_all_the_same)
{
    struct job *job = define("down", "*/10 * * * *");
    struct job *slow = define("up", "*/10 * * * *");
    comes_after(job, "up");
    slow->options->jitter = 9 * USEC_PER_MINUTE;
    struct scheduled *up = add(slow);
    struct scheduled *down = add(job);
    start();
    tick(10);
    nothing_due();
    tick(19);
    claim(up, 10);
    finish(up, RUN_SUCCEEDED);
    claim(down, 10);
}
END_TEST

static struct job *after_three(const char *name, enum trigger_rule rule)
{
    struct job *job = define(name, "*/10 * * * *");
    job->options->trigger_rule = rule;
    comes_after(job, "x");
    comes_after(job, "y");
    comes_after(job, "z");
    return job;
}

/* Remembered outcomes: what three upstreams without a schedule did last. */
static struct scheduled *upstream_that(const char *name, bool has_outcome, enum run_state state)
{
    struct job *job = define(name, "");
    struct job_memory memory = memory_of(job, 0);
    memory.has_outcome = has_outcome;
    memory.last_outcome = state;
    memory.outcome_at = minute(-5);
    return scheduler_put(scheduler, job, &memory);
}

START_TEST(one_success_is_enough_and_without_one_all_are_named)
{
    struct scheduled *down = add(after_three("down", TRIGGER_ONE_SUCCESS));
    struct scheduled *x = upstream_that("x", true, RUN_FAILED);
    upstream_that("y", false, RUN_SUCCEEDED);
    upstream_that("z", true, RUN_SKIPPED);
    start();
    tick(10);
    skipped_for(down, 0, 10, "no upstream succeeded: x failed, z skipped");
    scheduler_request(scheduler, x, RUN_MANUAL, minute(15));
    claim(x, 15);
    finish(x, RUN_SUCCEEDED);
    tick(20);
    claim(down, 20);
}
END_TEST

START_TEST(without_any_outcome_no_rule_forbids_a_run)
{
    struct scheduled *a = add(after_three("a", TRIGGER_ALL_SUCCESS));
    struct scheduled *b = add(after_three("b", TRIGGER_ONE_SUCCESS));
    struct scheduled *c = add(after_three("c", TRIGGER_NONE_FAILED));
    upstream_that("x", false, RUN_SUCCEEDED);
    upstream_that("y", false, RUN_SUCCEEDED);
    upstream_that("z", false, RUN_SUCCEEDED);
    start();
    tick(10);
    claim(a, 10);
    claim(b, 10);
    claim(c, 10);
}
END_TEST

START_TEST(none_failed_bears_a_skipped_upstream_but_none_that_ran_in_vain)
{
    struct scheduled *down = add(after_three("down", TRIGGER_NONE_FAILED));
    struct scheduled *x = upstream_that("x", true, RUN_SUCCEEDED);
    upstream_that("y", true, RUN_SKIPPED);
    upstream_that("z", false, RUN_SUCCEEDED);
    static const struct {
        enum run_state state;
        const char *reason;
    } failures[] = {{RUN_FAILED, "upstream x failed"},
                    {RUN_TIMED_OUT, "upstream x timed_out"},
                    {RUN_LOST, "upstream x lost"},
                    {RUN_CANCELLED, "upstream x cancelled"}};
    start();
    tick(10);
    claim(down, 10);
    finish(down, RUN_SUCCEEDED);
    for (int i = 0; i < 4; i++) {
        scheduler_request(scheduler, x, RUN_MANUAL, minute(i));
        claim(x, i);
        finish(x, failures[i].state);
        tick(20 + 10 * i);
        skipped_for(down, 10 + 10 * i, 20 + 10 * i, failures[i].reason);
        nothing_due();
    }
}
END_TEST

START_TEST(a_long_list_of_upstreams_is_cut_to_the_size_of_a_reason)
{
    static char names[6][64];
    struct job *job = define("down", "*/10 * * * *");
    job->options->trigger_rule = TRIGGER_ONE_SUCCESS;
    for (int i = 0; i < 6; i++) {
        memset(names[i], 'a' + i, 60);
        comes_after(job, names[i]);
        upstream_that(names[i], true, RUN_FAILED);
    }
    struct scheduled *down = add(job);
    start();
    tick(10);
    struct skipped passed = take_passed(down, 0, 10, 10);
    ck_assert_uint_eq(strlen(passed.reason), SKIPPED_REASON_SIZE - 1);
}
END_TEST

/* Each failure is one of its upstream's, and skips the next: nothing recurses along the way. */
START_TEST(a_chain_of_a_hundred_thousand_jobs_is_skipped_to_its_end)
{
    enum { LENGTH = 100000 };
    struct job *chain = calloc(LENGTH, sizeof(*chain));
    const char **after = calloc(LENGTH, sizeof(*after));
    char(*names)[16] = calloc(LENGTH, sizeof(*names));
    struct scheduled *first = NULL;
    const struct job *pattern = define("pattern", "*/10 * * * *");
    for (int i = 0; i < LENGTH; i++) {
        snprintf(names[i], sizeof(names[i]), "j%d", i);
        chain[i] = *pattern;
        chain[i].name = names[i];
        chain[i].after = &after[i];
        if (i > 0) {
            after[i] = names[i - 1];
            chain[i].after_count = 1;
        }
        struct job_memory memory = {.job_id = i, .cursor = MIDNIGHT};
        struct scheduled *it = scheduler_put(scheduler, &chain[i], &memory);
        first = i == 0 ? it : first;
    }
    start();
    tick(10);
    claim(first, 10);
    finish(first, RUN_FAILED);
    for (int i = 1; i < LENGTH; i++) {
        struct skipped passed;
        ck_assert(scheduler_take_skipped(scheduler, &passed) && passed.outcome);
    }
    nothing_passed();
    nothing_due();
    free(chain);
    free(after);
    free(names);
}
END_TEST

static void link_it(void *nothing)
{
    (void)nothing;
    scheduler_link(scheduler, minute(0));
}

START_TEST(an_unknown_upstream_ends_the_daemon)
{
    struct job *job = define("down", "");
    comes_after(job, "nobody");
    add(job);
    ck_assert(aborts(link_it, NULL));
}
END_TEST

/* --- requests ----------------------------------------------------------------------------------------------------- */

START_TEST(a_request_runs_beside_the_schedule_once_however_often_it_is_repeated)
{
    struct scheduled *a = add(define("a", "*/10 * * * *"));
    start();
    scheduler_request(scheduler, a, RUN_MANUAL, minute(3));
    scheduler_request(scheduler, a, RUN_MANUAL, minute(3));
    scheduler_request(scheduler, a, RUN_INSTALL, minute(3));
    scheduler_request(scheduler, a, RUN_INSTALL, minute(3));
    ck_assert(claim(a, 3).kind == RUN_MANUAL);
    ck_assert(scheduled_is_at(a, RUN_MANUAL, minute(3)) && !scheduled_is_at(a, RUN_SCHEDULE, minute(3)));
    nothing_due();
    finish(a, RUN_SUCCEEDED);
    ck_assert(!scheduled_idle(a));
    ck_assert(claim(a, 3).kind == RUN_INSTALL);
    finish(a, RUN_SUCCEEDED);
    nothing_due();
    tick(10);
    ck_assert_int_eq(claim(a, 10).cursor, MIDNIGHT);
}
END_TEST

START_TEST(a_request_goes_before_a_slot_that_was_kept)
{
    struct job *job = define("a", "*/10 * * * *");
    job->options->overlap_policy = OVERLAP_BUFFER_ONE;
    struct scheduled *a = add(job);
    start();
    tick(10);
    claim(a, 10);
    tick(20);
    scheduler_request(scheduler, a, RUN_MANUAL, minute(21));
    finish(a, RUN_SUCCEEDED);
    claim(a, 21);
    nothing_due();
    finish(a, RUN_SUCCEEDED);
    claim(a, 20);
}
END_TEST

START_TEST(a_request_waits_for_upstreams_that_run_or_are_asked_for)
{
    struct job *job = define("down", "@yearly");
    comes_after(job, "up");
    struct scheduled *down = add(job);
    struct scheduled *up = add(define("up", "*/10 * * * *"));
    start();
    tick(10);
    claim(up, 10);
    scheduler_request(scheduler, up, RUN_INSTALL, minute(11));
    scheduler_request(scheduler, down, RUN_INSTALL, minute(11));
    nothing_due();
    finish(up, RUN_SUCCEEDED);
    claim(up, 11);
    nothing_due();
    finish(up, RUN_FAILED); /* a person asked: the upstream's failure does not refuse it */
    claim(down, 11);
    nothing_passed();
}
END_TEST

START_TEST(a_request_waits_for_an_upstreams_request_that_waits_itself)
{
    struct job *middle = define("middle", "@yearly");
    struct job *last = define("last", "@yearly");
    comes_after(middle, "first");
    comes_after(last, "middle");
    struct scheduled *c = add(last);
    struct scheduled *b = add(middle);
    struct scheduled *a = add(define("first", ""));
    start();
    scheduler_request(scheduler, a, RUN_INSTALL, minute(1));
    scheduler_request(scheduler, b, RUN_INSTALL, minute(2));
    scheduler_request(scheduler, c, RUN_INSTALL, minute(3));
    claim(a, 1);
    nothing_due();
    finish(a, RUN_SUCCEEDED);
    claim(b, 2);
    nothing_due();
    finish(b, RUN_SUCCEEDED);
    claim(c, 3);
}
END_TEST

START_TEST(a_dropped_request_leaves_no_trace)
{
    struct job *job = define("down", "@yearly");
    comes_after(job, "up");
    struct scheduled *down = add(job);
    struct scheduled *up = add(define("up", ""));
    start();
    scheduler_request(scheduler, up, RUN_MANUAL, minute(1));
    scheduler_request(scheduler, down, RUN_MANUAL, minute(1));
    take(up, 1);
    scheduler_dropped(scheduler, up);
    ck_assert(scheduled_idle(up));
    take(down, 1);
    scheduler_dropped(scheduler, down);
    ck_assert(scheduler_quiet(scheduler));
    nothing_due();
}
END_TEST

START_TEST(a_slot_skipped_behind_a_request_holds_nobody_up)
{
    struct job *job = define("down", "*/10 * * * *");
    comes_after(job, "up");
    struct scheduled *down = add(job);
    struct scheduled *up = add(define("up", "*/10 * * * *"));
    start();
    scheduler_request(scheduler, up, RUN_MANUAL, minute(9));
    tick(10);
    take(up, 9);
    nothing_due(); /* not while the request may still be withdrawn */
    scheduler_claimed(scheduler, up);
    skipped(up, 0, 10, 10);
    claim(down, 10);
}
END_TEST

START_TEST(a_slot_skipped_late_beside_a_live_request_holds_nobody_up)
{
    struct job *job = define("down", "*/10 * * * *");
    comes_after(job, "up");
    struct scheduled *down = add(job);
    struct scheduled *up = add(define("up", "*/10 * * * *"));
    start();
    scheduler_request(scheduler, up, RUN_MANUAL, minute(5));
    claim(up, 5);
    scheduler_catch_up(scheduler, minute(10)); /* a live job is not caught up: its slot is noted by the tick */
    nothing_due();
    tick(10);
    skipped(up, 0, 10, 10);
    claim(down, 10);
}
END_TEST

/* --- attempts and adoption ---------------------------------------------------------------------------------------- */

START_TEST(a_retry_is_due_at_its_time_and_keeps_the_job_busy_until_then)
{
    struct scheduled *a = add(define("a", "*/10 * * * *"));
    start();
    tick(10);
    claim(a, 10);
    scheduler_retry(scheduler, a, 2, minute(13));
    next_is(13);
    tick(12);
    nothing_due();
    tick(13);
    struct due due = take(a, 10);
    ck_assert(due.again && due.attempt == 2 && due.kind == RUN_SCHEDULE);
    scheduler_unclaimed(scheduler, a);
    ck_assert(claim(a, 10).again);
    scheduler_retry(scheduler, a, 3, minute(25));
    tick(20);
    skipped(a, 10, 20, 20);
    finish(a, RUN_FAILED); /* its time is forgotten with it */
    next_is(30);
    tick(30);
    ck_assert(!claim(a, 30).again);
}
END_TEST

START_TEST(an_adopted_run_waits_until_more_is_known_and_slots_wait_for_it)
{
    struct job *job = define("down", "*/10 * * * *");
    comes_after(job, "up");
    struct scheduled *down = add(job);
    struct scheduled *up = remember(define("up", "*/10 * * * *"), minute(10));
    scheduler_link(scheduler, minute(0));
    scheduler_adopt(scheduler, up, RUN_SCHEDULE, minute(10), 1, INSTANT_NEVER, false);
    scheduler_start(scheduler, minute(15), INSTANT_NONE);
    next_is(20);
    nothing_due();
    scheduler_retry(scheduler, up, 2, minute(16));
    tick(16);
    ck_assert(claim(up, 10).attempt == 2);
    scheduler_retry(scheduler, up, 2, INSTANT_NEVER);
    tick(19);
    nothing_due();
    finish(up, RUN_SUCCEEDED);
    claim(down, 10);
    nothing_passed();
}
END_TEST

START_TEST(slots_missed_beside_an_adopted_run_are_caught_up_after_it)
{
    struct scheduled *a = remember(define("a", "*/10 * * * *"), minute(10));
    scheduler_link(scheduler, minute(0));
    scheduler_adopt(scheduler, a, RUN_SCHEDULE, minute(10), 2, minute(40), false);
    scheduler_start(scheduler, minute(35), INSTANT_NONE);
    missed(a, 10, 20, 20, 1, "catchup is latest: a later slot was due as well");
    tick(40);
    ck_assert(claim(a, 10).attempt == 2);
    finish(a, RUN_LOST);
    claim(a, 30);
    skipped(a, 30, 40, 40);
}
END_TEST

/* The success of slot 10 comes after slot 20 was missed. */
START_TEST(a_slot_does_not_run_on_an_older_one_that_ended_after_its_own_upstream_was_missed)
{
    struct job *job = define("down", "*/20 * * * *");
    comes_after(job, "up");
    struct scheduled *down = add(job);
    struct scheduled *up = remember(define("up", "*/10 * * * *"), minute(10));
    scheduler_link(scheduler, minute(0));
    scheduler_adopt(scheduler, up, RUN_SCHEDULE, minute(10), 2, minute(35), false);
    scheduler_start(scheduler, minute(35), INSTANT_NONE);
    missed(up, 10, 20, 20, 1, "catchup is latest: a later slot was due as well");
    tick(35);
    claim(up, 10);
    finish(up, RUN_SUCCEEDED);
    skipped_for(down, 0, 20, "upstream up missed");
    claim(up, 30);
    finish(up, RUN_SUCCEEDED);
    tick(40);
    claim(up, 40);
    finish(up, RUN_SUCCEEDED);
    claim(down, 40);
}
END_TEST

/* That was a leader before this one. */
START_TEST(a_miss_before_the_take_over_counts_for_the_run_that_it_overtook)
{
    struct job *job = define("down", "*/20 * * * *");
    comes_after(job, "up");
    struct scheduled *down = add(job);
    struct scheduled *up = remember(define("up", "*/10 * * * *"), minute(20));
    scheduler_link(scheduler, minute(0));
    scheduler_adopt(scheduler, up, RUN_SCHEDULE, minute(10), 2, minute(25), true);
    scheduler_start(scheduler, minute(25), INSTANT_NONE);
    tick(25);
    claim(up, 10);
    finish(up, RUN_SUCCEEDED);
    skipped_for(down, 0, 20, "upstream up missed");
}
END_TEST

START_TEST(a_verdict_on_a_run_that_waits_for_a_session_takes_it_out_of_the_line)
{
    struct scheduled *a = add(define("a", "*/10 * * * *"));
    start();
    tick(10);
    claim(a, 10);
    scheduler_retry(scheduler, a, 2, minute(11));
    tick(11);
    scheduler_retry(scheduler, a, 3, minute(15));
    nothing_due();
    tick(15);
    finish(a, RUN_LOST);
    nothing_due();
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        where_slots_meet_the_upstream_goes_first,
        an_upstreams_later_slot_holds_nobody_up,
        a_failed_upstream_skips_the_slot_and_is_named,
        a_skip_for_an_upstream_skips_the_whole_chain_unless_all_done_is_enough,
        a_chain_runs_in_order_and_a_fan_in_waits_for_all,
        what_the_ledger_remembers_of_an_upstream_decides_after_a_start,
        a_missed_slot_of_an_upstream_counts_as_skipped_until_it_runs_again,
        that_a_slot_was_missed_is_remembered_after_a_start,
        a_run_since_a_slot_was_missed_is_remembered_too,
        an_inactive_upstream_holds_nobody_up_while_it_does_not_run,
        an_upstream_that_has_yet_to_wait_for_its_jitter_goes_first_all_the_same,
        one_success_is_enough_and_without_one_all_are_named,
        without_any_outcome_no_rule_forbids_a_run,
        none_failed_bears_a_skipped_upstream_but_none_that_ran_in_vain,
        a_long_list_of_upstreams_is_cut_to_the_size_of_a_reason,
        a_chain_of_a_hundred_thousand_jobs_is_skipped_to_its_end,
        an_unknown_upstream_ends_the_daemon,
        a_request_runs_beside_the_schedule_once_however_often_it_is_repeated,
        a_request_goes_before_a_slot_that_was_kept,
        a_request_waits_for_upstreams_that_run_or_are_asked_for,
        a_request_waits_for_an_upstreams_request_that_waits_itself,
        a_dropped_request_leaves_no_trace,
        a_slot_skipped_behind_a_request_holds_nobody_up,
        a_slot_skipped_late_beside_a_live_request_holds_nobody_up,
        a_retry_is_due_at_its_time_and_keeps_the_job_busy_until_then,
        an_adopted_run_waits_until_more_is_known_and_slots_wait_for_it,
        slots_missed_beside_an_adopted_run_are_caught_up_after_it,
        a_slot_does_not_run_on_an_older_one_that_ended_after_its_own_upstream_was_missed,
        a_miss_before_the_take_over_counts_for_the_run_that_it_overtook,
        a_verdict_on_a_run_that_waits_for_a_session_takes_it_out_of_the_line,
    };
    return scheduling_run("scheduler_upstream_check", tests, sizeof(tests) / sizeof(*tests));
}
