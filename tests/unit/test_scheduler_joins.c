/* SPDX-License-Identifier: PostgreSQL */
/* Jobs without a schedule that come after others: when their upstream results are complete, and what becomes of them
 * then. */
#include <stdio.h>
#include <stdlib.h>

#include "support/schedule/scheduling.h"

static struct scheduled *a, *b, *join;

/* A join after "a", on the tens, and "b", on the fives of an hour. */
static struct job *define_join(void)
{
    struct job *job = define("join", "");
    comes_after(job, "a");
    comes_after(job, "b");
    return job;
}

static void add_all(const struct job *job)
{
    a = add(define("a", "*/10 * * * *"));
    b = add(define("b", "5-59/10 * * * *"));
    join = add(job);
}

static void set_up(void)
{
    add_all(define_join());
    start();
}

/* An outcome that no slot is needed for. */
static void deliver(struct scheduled *it, int64_t minutes, enum run_state state)
{
    tick(minutes);
    scheduler_request(scheduler, it, RUN_MANUAL, minute(minutes));
    claim(it, minutes);
    finish(it, state);
}

static struct due claim_join(int64_t slot)
{
    struct due due = claim(join, slot);
    ck_assert_int_eq(due.kind, RUN_DEPENDENCY);
    ck_assert(!due.again && due.attempt == 1);
    return due;
}

static struct skipped join_passed(int64_t cursor, int64_t slot, const char *reason)
{
    struct skipped passed = take_passed(join, cursor, slot, slot);
    ck_assert(passed.kind == RUN_DEPENDENCY && !passed.missed && passed.count == 0);
    ck_assert_str_eq(passed.reason, reason);
    return passed;
}

static void join_skipped_for(int64_t cursor, int64_t slot, const char *reason)
{
    ck_assert(join_passed(cursor, slot, reason).outcome);
}

/* --- deciding ----------------------------------------------------------------------------------------------------- */

START_TEST(a_join_runs_once_all_have_delivered_at_the_moment_of_the_last)
{
    set_up();
    run_at(b, 5, RUN_SUCCEEDED);
    nothing_due();
    tick(10);
    claim(a, 10);
    tick(12);
    finish(a, RUN_SUCCEEDED);
    ck_assert_int_eq(claim_join(12).cursor, MIDNIGHT);
    finish(join, RUN_SUCCEEDED);
    nothing_due();
    run_at(b, 15, RUN_SUCCEEDED);
    nothing_due(); /* not per upstream */
    run_at(a, 20, RUN_SUCCEEDED);
    ck_assert_int_eq(claim_join(20).cursor, minute(12));
    nothing_passed();
}
END_TEST

START_TEST(the_latest_outcome_of_each_upstream_counts_manual_ones_too)
{
    set_up();
    run_at(b, 5, RUN_FAILED);
    scheduler_request(scheduler, b, RUN_MANUAL, minute(6));
    claim(b, 6);
    finish(b, RUN_SUCCEEDED);
    run_at(a, 10, RUN_SUCCEEDED);
    claim_join(10);
    nothing_passed();
}
END_TEST

START_TEST(runs_of_the_join_itself_decide_nothing)
{
    set_up();
    run_at(b, 5, RUN_SUCCEEDED);
    scheduler_request(scheduler, join, RUN_MANUAL, minute(7));
    tick(7);
    claim(join, 7);
    finish(join, RUN_SUCCEEDED);
    run_at(a, 10, RUN_SUCCEEDED);
    ck_assert_int_eq(claim_join(10).cursor, MIDNIGHT);
}
END_TEST

START_TEST(a_failed_upstream_skips_the_decision_and_successes_count_on)
{
    set_up();
    run_at(b, 5, RUN_FAILED);
    nothing_passed(); /* not before all have an outcome */
    run_at(a, 10, RUN_SUCCEEDED);
    join_skipped_for(0, 10, "upstream b failed");
    run_at(b, 15, RUN_LOST);
    join_skipped_for(10, 15, "upstream b lost");
    deliver(b, 16, RUN_SUCCEEDED);
    ck_assert_int_eq(claim_join(16).cursor, minute(15));
}
END_TEST

START_TEST(a_run_under_way_is_followed_by_one_more)
{
    set_up();
    run_at(b, 5, RUN_SUCCEEDED);
    run_at(a, 10, RUN_SUCCEEDED);
    claim_join(10);
    run_at(b, 15, RUN_SUCCEEDED);
    run_at(a, 20, RUN_SUCCEEDED);
    run_at(b, 25, RUN_SUCCEEDED);
    nothing_due();
    finish(join, RUN_FAILED);
    ck_assert_int_eq(claim_join(25).cursor, minute(10));
    finish(join, RUN_SUCCEEDED);
    nothing_due();
}
END_TEST

START_TEST(what_comes_while_a_decision_waits_for_a_session_counts_for_the_next)
{
    set_up();
    run_at(b, 5, RUN_SUCCEEDED);
    run_at(a, 10, RUN_SUCCEEDED);
    tick(15);
    scheduler_claimed(scheduler, take(join, 10).scheduled);
    claim(b, 15);
    finish(b, RUN_SUCCEEDED);
    finish(join, RUN_SUCCEEDED);
    run_at(a, 20, RUN_SUCCEEDED);
    claim_join(20);
}
END_TEST

START_TEST(a_decision_that_was_dropped_is_due_again)
{
    set_up();
    run_at(b, 5, RUN_SUCCEEDED);
    run_at(a, 10, RUN_SUCCEEDED);
    take(join, 10);
    scheduler_dropped(scheduler, join);
    claim_join(10);
    finish(join, RUN_SUCCEEDED);
    nothing_due();
}
END_TEST

START_TEST(decisions_never_share_a_slot_however_coarse_the_clock)
{
    set_up();
    run_at(b, 5, RUN_SUCCEEDED);
    run_at(a, 10, RUN_SUCCEEDED);
    claim_join(10);
    finish(join, RUN_SUCCEEDED);
    for (int i = 0; i < 2; i++) {
        scheduler_request(scheduler, i == 0 ? a : b, RUN_MANUAL, minute(10));
        claim(i == 0 ? a : b, 10);
        finish(i == 0 ? a : b, RUN_SUCCEEDED);
    }
    struct due due;
    ck_assert(scheduler_take_due(scheduler, &due) && due.scheduled == join);
    ck_assert(due.slot == minute(10) + 1 && due.cursor == minute(10));
}
END_TEST

/* The ledger is told an instant: a decision that is taken before it has it would lie behind that. */
static void send_an_outcome_of_a(void)
{
    set_up();
    deliver(a, 2, RUN_SUCCEEDED);
    tick(3);
    scheduler_request(scheduler, a, RUN_MANUAL, minute(3));
    claim(a, 3);
    scheduler_retry(scheduler, a, 1, INSTANT_NEVER);
    ck_assert(scheduler_judge(a, minute(3)) == minute(3));
    run_at(b, 5, RUN_SUCCEEDED);
    nothing_due();
}

START_TEST(a_join_decides_nothing_while_an_outcome_is_on_its_way_to_the_ledger)
{
    send_an_outcome_of_a();
    ck_assert(scheduler_ended(scheduler, a, RUN_SUCCEEDED, 0, minute(3)) == minute(3));
    claim_join(5);
    finish(join, RUN_SUCCEEDED);
    nothing_due();
}
END_TEST

START_TEST(a_join_decides_once_what_was_on_its_way_is_tried_again)
{
    send_an_outcome_of_a();
    scheduler_retry(scheduler, a, 2, minute(50));
    claim_join(5);
}
END_TEST

/* --- trigger rules ------------------------------------------------------------------------------------------------ */

struct rule_case {
    enum trigger_rule rule;
    enum run_state a, b;
    const char *reason; /* NULL: it runs */
};

static const struct rule_case rule_cases[] = {
    {TRIGGER_ALL_SUCCESS, RUN_SUCCEEDED, RUN_SUCCEEDED, NULL},
    {TRIGGER_ALL_SUCCESS, RUN_CANCELLED, RUN_SUCCEEDED, "upstream a cancelled"},
    {TRIGGER_ALL_DONE, RUN_FAILED, RUN_LOST, NULL},
    {TRIGGER_ONE_SUCCESS, RUN_FAILED, RUN_SUCCEEDED, NULL},
    {TRIGGER_ONE_SUCCESS, RUN_FAILED, RUN_TIMED_OUT, "no upstream succeeded: a failed, b timed_out"},
    {TRIGGER_NONE_FAILED, RUN_SUCCEEDED, RUN_SUCCEEDED, NULL},
    {TRIGGER_NONE_FAILED, RUN_SUCCEEDED, RUN_TIMED_OUT, "upstream b timed_out"},
    {TRIGGER_ONE_FAILED, RUN_SUCCEEDED, RUN_FAILED, NULL},
    {TRIGGER_ONE_FAILED, RUN_LOST, RUN_SUCCEEDED, NULL},
    {TRIGGER_ONE_FAILED, RUN_SUCCEEDED, RUN_SUCCEEDED, "no upstream failed: a succeeded, b succeeded"},
};

static void judge_rule(const struct rule_case *it)
{
    struct job *job = define_join();
    job->options->trigger_rule = it->rule;
    add_all(job);
    start();
    run_at(b, 5, it->b);
    nothing_due();
    nothing_passed();
    run_at(a, 10, it->a);
    if (it->reason == NULL) {
        claim_join(10);
    } else {
        join_skipped_for(0, 10, it->reason);
        nothing_due();
    }
    nothing_passed();
}

START_TEST(a_rule_decides_once_every_upstream_has_an_outcome)
{
    for (size_t i = 0; i < sizeof(rule_cases) / sizeof(*rule_cases); i++) {
        judge_rule(&rule_cases[i]);
        scheduling_reset();
    }
}
END_TEST

START_TEST(a_skipped_upstream_is_an_outcome_too)
{
    struct job *job = define_join();
    job->options->trigger_rule = TRIGGER_NONE_FAILED;
    struct job *skips = define("b", "*/10 * * * *");
    comes_after(skips, "root");
    a = add(define("a", "*/10 * * * *"));
    struct scheduled *root = add(define("root", "10 * * * *"));
    b = add(skips);
    join = add(job);
    start();
    run_at(a, 10, RUN_SUCCEEDED);
    claim(root, 10);
    finish(root, RUN_FAILED);
    skipped_for(b, 0, 10, "upstream root failed");
    claim_join(10);
}
END_TEST

START_TEST(a_skipped_join_marks_the_joins_after_it)
{
    struct job *last = define("last", "");
    comes_after(last, "join");
    struct scheduled *end = add(last);
    set_up();
    run_at(b, 5, RUN_FAILED);
    run_at(a, 10, RUN_SUCCEEDED);
    join_skipped_for(0, 10, "upstream b failed");
    struct skipped passed = take_passed(end, 0, 10, 10);
    ck_assert(passed.kind == RUN_DEPENDENCY && passed.outcome && passed.at == minute(10));
    ck_assert_str_eq(passed.reason, "upstream join skipped");
}
END_TEST

/* --- upstreams that sleep ----------------------------------------------------------------------------------------- */

START_TEST(an_inactive_upstream_is_not_waited_for)
{
    struct job *job = define_join();
    struct job *off = define("a", "*/10 * * * *");
    off->active = false;
    add(off);
    b = add(define("b", "5-59/10 * * * *"));
    join = add(job);
    start();
    run_at(b, 5, RUN_SUCCEEDED);
    claim_join(5);
}
END_TEST

START_TEST(a_join_whose_upstreams_all_sleep_never_runs)
{
    set_up();
    scheduler_suspend(scheduler, a, "by hand", minute(1));
    scheduler_suspend(scheduler, b, "by hand", minute(1));
    scheduler_resume(scheduler, join, "never slept", minute(1));
    nothing_due();
    ck_assert(scheduler_quiet(scheduler));
}
END_TEST

START_TEST(an_upstream_that_falls_asleep_leaves_the_decision_to_the_others)
{
    set_up();
    run_at(b, 5, RUN_SUCCEEDED);
    scheduler_suspend(scheduler, a, "by hand", minute(7));
    claim_join(5);
    finish(join, RUN_SUCCEEDED);
    scheduler_resume(scheduler, a, "by hand", minute(8));
    deliver(b, 9, RUN_SUCCEEDED);
    nothing_due();
}
END_TEST

START_TEST(an_inactive_join_decides_nothing)
{
    struct job *job = define_join();
    job->active = false;
    add_all(job);
    start();
    run_at(b, 5, RUN_SUCCEEDED);
    run_at(a, 10, RUN_SUCCEEDED);
    nothing_due();
    nothing_passed();
}
END_TEST

START_TEST(a_suspended_join_decides_when_it_is_back)
{
    set_up();
    run_at(b, 5, RUN_SUCCEEDED);
    scheduler_suspend(scheduler, join, "by hand", minute(6));
    run_at(a, 10, RUN_SUCCEEDED);
    nothing_due();
    scheduler_resume(scheduler, join, "by hand", minute(12));
    claim_join(10);
    nothing_passed();
}
END_TEST

START_TEST(a_decision_that_was_due_when_the_join_fell_asleep_is_skipped_and_takes_news_to_come_back)
{
    set_up();
    run_at(b, 5, RUN_SUCCEEDED);
    run_at(a, 10, RUN_SUCCEEDED);
    scheduler_suspend(scheduler, join, "too noisy", minute(11));
    ck_assert(!join_passed(0, 10, "too noisy").outcome);
    nothing_due();
    scheduler_resume(scheduler, join, "by hand", minute(12));
    nothing_due();
    run_at(b, 15, RUN_SUCCEEDED);
    ck_assert_int_eq(claim_join(15).cursor, minute(10));
}
END_TEST

/* --- memory ------------------------------------------------------------------------------------------------------- */

static struct scheduled *upstream_at(const char *name, int64_t minutes, enum run_state state)
{
    struct job *job = define(name, "");
    struct job_memory memory = memory_of(job, 0);
    memory.has_outcome = true;
    memory.last_outcome = state;
    memory.outcome_at = minute(minutes);
    return scheduler_put(scheduler, job, &memory);
}

static void remember_join(int64_t cursor, bool skipped)
{
    struct job *job = define_join();
    struct job_memory memory = memory_of(job, cursor);
    memory.cursor_skipped = skipped;
    join = scheduler_put(scheduler, job, &memory);
}

START_TEST(outcomes_later_than_the_last_decision_are_marks_after_a_start)
{
    upstream_at("a", 20, RUN_SUCCEEDED);
    upstream_at("b", 30, RUN_SUCCEEDED);
    remember_join(10, false);
    start_at(100);
    ck_assert_int_eq(claim_join(30).cursor, minute(10));
}
END_TEST

/* b succeeded once more after a's slot was missed: what a did before is of no use to it. */
static void miss_between(bool remembered)
{
    struct job *job = define("a", "*/10 * * * *");
    struct job_memory memory = memory_of(job, 10);
    job->options->catchup = CATCHUP_NONE;
    memory.has_outcome = true;
    memory.last_outcome = RUN_SUCCEEDED;
    memory.outcome_at = minute(10);
    memory.missed_at = remembered ? minute(25) : INSTANT_NONE;
    memory.cursor = remembered ? minute(20) : minute(10);
    a = scheduler_put(scheduler, job, &memory);
    b = upstream_at("b", 5, RUN_SUCCEEDED);
    remember_join(5, false);
    start_at(25);
}

static void expect_another_round(void)
{
    scheduler_request(scheduler, b, RUN_MANUAL, minute(25));
    claim(b, 25);
    finish(b, RUN_SUCCEEDED);
    nothing_due();
    nothing_passed();
    run_at(a, 30, RUN_SUCCEEDED);
    claim_join(30);
}

START_TEST(a_join_goes_by_no_success_from_before_a_missed_slot)
{
    miss_between(false);
    missed(a, 10, 20, 20, 1, "catchup is none: nothing led when they were due");
    expect_another_round();
}
END_TEST

START_TEST(a_join_goes_by_no_success_from_before_a_slot_that_was_missed_by_an_earlier_leader)
{
    miss_between(true);
    expect_another_round();
}
END_TEST

START_TEST(a_success_before_a_run_is_used_up_after_a_start)
{
    upstream_at("a", 5, RUN_SUCCEEDED);
    b = upstream_at("b", 30, RUN_SUCCEEDED);
    remember_join(10, false);
    start_at(100);
    nothing_due();
}
END_TEST

START_TEST(a_success_before_a_skipped_decision_still_counts_after_a_start)
{
    upstream_at("a", 5, RUN_SUCCEEDED);
    b = upstream_at("b", 10, RUN_FAILED);
    remember_join(10, true);
    start_at(100);
    nothing_due();
    nothing_passed(); /* that failure is dealt with */
    scheduler_request(scheduler, b, RUN_MANUAL, minute(100));
    claim(b, 100);
    finish(b, RUN_SUCCEEDED);
    claim_join(100);
}
END_TEST

START_TEST(successes_that_a_deadline_passed_over_need_news_after_a_start_as_before)
{
    a = upstream_at("a", 5, RUN_SUCCEEDED);
    upstream_at("b", 10, RUN_SUCCEEDED);
    remember_join(10, true);
    start_at(100);
    nothing_due();
    scheduler_request(scheduler, a, RUN_MANUAL, minute(100));
    claim(a, 100);
    finish(a, RUN_SUCCEEDED);
    claim_join(100);
}
END_TEST

START_TEST(a_live_run_of_a_join_is_adopted_and_followed)
{
    upstream_at("a", 20, RUN_SUCCEEDED);
    upstream_at("b", 30, RUN_SUCCEEDED);
    remember_join(10, false);
    scheduler_link(scheduler, minute(0));
    scheduler_adopt(scheduler, join, RUN_DEPENDENCY, minute(10), 1, INSTANT_NEVER, false);
    scheduler_start(scheduler, minute(100), INSTANT_NONE);
    nothing_due();
    finish(join, RUN_LOST);
    claim_join(30);
}
END_TEST

/* --- deadlines ---------------------------------------------------------------------------------------------------- */

START_TEST(a_decision_has_its_deadline_from_the_moment_it_was_taken)
{
    struct job *job = define_join();
    job->options->starting_deadline = 2 * USEC_PER_MINUTE;
    add_all(job);
    start();
    run_at(b, 5, RUN_SUCCEEDED);
    run_at(a, 10, RUN_SUCCEEDED);
    next_is(12);
    tick(12);
    join_skipped_for(0, 10, "deadline: not started within 2min: waited for a session");
    nothing_due();
    run_at(b, 15, RUN_SUCCEEDED);
    claim_join(15);
    run_at(a, 20, RUN_SUCCEEDED);
    run_at(b, 25, RUN_SUCCEEDED);
    tick(29);
    finish(join, RUN_SUCCEEDED);
    join_skipped_for(15, 25, "deadline: not started within 2min: an earlier run had not ended");
}
END_TEST

/* --- those after a join ------------------------------------------------------------------------------------------- */

/* A job on the half hours after the join. */
static struct scheduled *add_last(void)
{
    struct job *job = define("last", "*/30 * * * *");
    comes_after(job, "join");
    return add(job);
}

START_TEST(a_slot_after_a_join_waits_for_what_the_join_waits_for)
{
    struct scheduled *last = add_last();
    set_up();
    run_at(b, 5, RUN_SUCCEEDED);
    tick(30);
    claim(a, 10);
    skipped(a, 10, 20, 30);
    claim(b, 15);
    skipped(b, 15, 25, 25);
    nothing_due(); /* the upstreams of the join are open at 30 */
    finish(b, RUN_SUCCEEDED);
    nothing_due();
    finish(a, RUN_SUCCEEDED);
    claim_join(30);
    nothing_due(); /* the join is under way */
    finish(join, RUN_SUCCEEDED);
    claim(last, 30);
}
END_TEST

START_TEST(a_slot_after_a_join_follows_its_decision_whatever_that_is)
{
    struct scheduled *last = add_last();
    set_up();
    run_at(b, 5, RUN_FAILED);
    run_at(a, 10, RUN_SUCCEEDED);
    join_skipped_for(0, 10, "upstream b failed");
    run_at(b, 15, RUN_FAILED);
    join_skipped_for(10, 15, "upstream b failed");
    run_at(a, 20, RUN_SUCCEEDED);
    tick(25);
    claim(b, 25);
    run_at(a, 30, RUN_SUCCEEDED);
    scheduler_retry(scheduler, b, 2, minute(33)); /* open until it ends */
    nothing_due();
    tick(31);
    finish(b, RUN_FAILED);
    join_skipped_for(15, 31, "upstream b failed");
    skipped_for(last, 0, 30, "upstream join skipped");
}
END_TEST

START_TEST(a_slot_goes_past_a_join_whose_marks_stay_incomplete)
{
    struct scheduled *last = add_last();
    a = add(define("a", "*/30 * * * *"));
    b = add(define("b", "@yearly"));
    join = add(define_join());
    start();
    tick(30);
    claim(a, 30);
    nothing_due();
    finish(a, RUN_SUCCEEDED);
    claim(last, 30);
}
END_TEST

/* Two joins a layer, each after both of the layer before: as many ways through as it has no time for. */
START_TEST(a_tower_of_joins_is_looked_through_once)
{
    enum { LAYERS = 64 };
    static char names[LAYERS][2][32];
    static const char *after[LAYERS][2];
    static struct job tower[LAYERS][2];
    const struct job *pattern = define("pattern", "");
    a = add(define("a", "*/30 * * * *"));
    for (int i = 0; i < LAYERS; i++) {
        for (int n = 0; n < 2; n++) {
            snprintf(names[i][n], sizeof(names[i][n]), "%d_%d", i, n);
            after[i][n] = i == 0 ? "a" : names[i - 1][n];
        }
        for (int n = 0; n < 2; n++) {
            tower[i][n] = *pattern;
            tower[i][n].name = names[i][n];
            tower[i][n].after = after[i];
            tower[i][n].after_count = i == 0 ? 1 : 2;
            struct job_memory memory = {
                .job_id = 1000 + 2 * i + n, .cursor = MIDNIGHT, .outcome_at = INSTANT_NONE, .missed_at = INSTANT_NONE};
            scheduler_put(scheduler, &tower[i][n], &memory);
        }
    }
    struct job *job = define("last", "*/30 * * * *");
    comes_after(job, names[LAYERS - 1][0]);
    comes_after(job, names[LAYERS - 1][1]);
    struct scheduled *last = add(job);
    start();
    tick(30);
    claim(a, 30);
    nothing_due();
    finish(a, RUN_SUCCEEDED);
    struct due due;
    for (int i = 0; i < LAYERS * 2; i++) {
        ck_assert(scheduler_take_due(scheduler, &due) && due.kind == RUN_DEPENDENCY);
        scheduler_claimed(scheduler, due.scheduled);
        finish(due.scheduled, RUN_SUCCEEDED);
    }
    claim(last, 30);
    nothing_due();
}
END_TEST

/* The next leader tells what a join was decided on by instants alone. */
START_TEST(what_comes_about_after_the_clock_was_stepped_back_is_later_than_what_joins_were_decided_on)
{
    set_up();
    run_at(b, 5, RUN_SUCCEEDED);
    run_at(a, 10, RUN_SUCCEEDED);
    claim_join(10);
    finish(join, RUN_SUCCEEDED);
    scheduler_step_back(scheduler, minute(2));
    scheduler_request(scheduler, a, RUN_MANUAL, minute(2));
    claim(a, 2);
    ck_assert_int_eq(scheduler_ended(scheduler, a, RUN_SUCCEEDED, 0, minute(3)), minute(10) + 1);
    ck_assert_int_eq(scheduler_ended(scheduler, join, RUN_SUCCEEDED, 0, minute(3)),
                     minute(3)); /* nobody comes after it */
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        a_join_runs_once_all_have_delivered_at_the_moment_of_the_last,
        the_latest_outcome_of_each_upstream_counts_manual_ones_too,
        what_comes_about_after_the_clock_was_stepped_back_is_later_than_what_joins_were_decided_on,
        runs_of_the_join_itself_decide_nothing,
        a_failed_upstream_skips_the_decision_and_successes_count_on,
        a_run_under_way_is_followed_by_one_more,
        what_comes_while_a_decision_waits_for_a_session_counts_for_the_next,
        a_decision_that_was_dropped_is_due_again,
        decisions_never_share_a_slot_however_coarse_the_clock,
        a_rule_decides_once_every_upstream_has_an_outcome,
        a_skipped_upstream_is_an_outcome_too,
        a_join_decides_nothing_while_an_outcome_is_on_its_way_to_the_ledger,
        a_join_decides_once_what_was_on_its_way_is_tried_again,
        a_skipped_join_marks_the_joins_after_it,
        an_inactive_upstream_is_not_waited_for,
        a_join_whose_upstreams_all_sleep_never_runs,
        an_upstream_that_falls_asleep_leaves_the_decision_to_the_others,
        an_inactive_join_decides_nothing,
        a_suspended_join_decides_when_it_is_back,
        a_decision_that_was_due_when_the_join_fell_asleep_is_skipped_and_takes_news_to_come_back,
        outcomes_later_than_the_last_decision_are_marks_after_a_start,
        a_join_goes_by_no_success_from_before_a_missed_slot,
        a_join_goes_by_no_success_from_before_a_slot_that_was_missed_by_an_earlier_leader,
        a_success_before_a_run_is_used_up_after_a_start,
        a_success_before_a_skipped_decision_still_counts_after_a_start,
        successes_that_a_deadline_passed_over_need_news_after_a_start_as_before,
        a_live_run_of_a_join_is_adopted_and_followed,
        a_decision_has_its_deadline_from_the_moment_it_was_taken,
        a_slot_after_a_join_waits_for_what_the_join_waits_for,
        a_slot_after_a_join_follows_its_decision_whatever_that_is,
        a_slot_goes_past_a_join_whose_marks_stay_incomplete,
        a_tower_of_joins_is_looked_through_once,
    };
    return scheduling_run("scheduler_joins", tests, sizeof(tests) / sizeof(*tests));
}
