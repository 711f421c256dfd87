/* SPDX-License-Identifier: PostgreSQL */
/* overlap_policy cancel_previous: which run is cancelled for which successor, and which slots are skipped for it. */
#include "support/daemon/woken_job.h"

static struct scheduled *newest_wins(const char *name, const char *schedule)
{
    struct job *job = define(name, schedule);
    job->options->overlap_policy = OVERLAP_CANCEL_PREVIOUS;
    return add(job);
}

static void cancelled(enum run_kind kind, instant slot, const char *reason)
{
    struct cancellation cancellation;
    ck_assert_msg(scheduler_take_cancellation(scheduler, &cancellation), "nothing is cancelled");
    ck_assert_int_eq(cancellation.job_id, scheduled_id(woken));
    ck_assert_int_eq(cancellation.kind, kind);
    ck_assert_int_eq(cancellation.slot, slot);
    ck_assert_str_eq(cancellation.reason, reason);
}

static void nothing_cancelled(void)
{
    struct cancellation cancellation;
    ck_assert_msg(!scheduler_take_cancellation(scheduler, &cancellation), "a run is cancelled");
}

START_TEST(a_slot_cancels_the_run_before_it_and_runs_once_that_has_ended)
{
    woken = newest_wins("a", "*/10 * * * *");
    start();
    tick(10);
    claim(woken, 10);
    tick(19);
    nothing_cancelled();
    tick(20);
    cancelled(RUN_SCHEDULE, minute(10), "overlap: cancelled for its successor, the run of slot 2026-03-02T00:20:00Z");
    tick(21);
    nothing_cancelled(); /* once is enough */
    nothing_due();
    finish(woken, RUN_CANCELLED);
    ck_assert_int_eq(claim(woken, 20).cursor, minute(10));
    nothing_passed();
    nothing_cancelled();
}
END_TEST

START_TEST(of_slots_that_fall_due_while_the_run_ends_the_newest_runs)
{
    woken = newest_wins("a", "*/10 * * * *");
    start();
    tick(10);
    claim(woken, 10);
    tick(20);
    cancelled(RUN_SCHEDULE, minute(10), "overlap: cancelled for its successor, the run of slot 2026-03-02T00:20:00Z");
    tick(40);
    skipped_because(woken, 10, 20, 20, "overlap: it had not started when slot 2026-03-02T00:30:00Z fell due");
    skipped_because(woken, 20, 30, 30, "overlap: it had not started when slot 2026-03-02T00:40:00Z fell due");
    finish(woken, RUN_CANCELLED);
    ck_assert_int_eq(claim(woken, 40).cursor, minute(30));
    nothing_passed();
}
END_TEST

START_TEST(a_slot_that_waits_for_a_session_gives_way_to_the_next)
{
    woken = newest_wins("a", "*/10 * * * *");
    start();
    tick(10);
    tick(20);
    skipped(woken, 0, 10, 10);
    claim(woken, 20);
    nothing_cancelled();
    nothing_passed();
}
END_TEST

START_TEST(a_slot_due_while_the_claim_is_on_its_way_cancels_once_it_is_granted)
{
    woken = newest_wins("a", "*/10 * * * *");
    start();
    tick(10);
    take(woken, 10);
    tick(30);
    nothing_cancelled();
    nothing_passed();
    scheduler_claimed(scheduler, woken);
    cancelled(RUN_SCHEDULE, minute(10), "overlap: cancelled for its successor, the run of slot 2026-03-02T00:30:00Z");
    skipped(woken, 10, 20, 20);
}
END_TEST

START_TEST(each_attempt_of_a_run_is_cancelled)
{
    woken = newest_wins("a", "*/10 * * * *");
    start();
    tick(10);
    claim(woken, 10);
    tick(20);
    cancelled(RUN_SCHEDULE, minute(10), "overlap: cancelled for its successor, the run of slot 2026-03-02T00:20:00Z");
    scheduler_retry(scheduler, woken, 2, minute(25)); /* it failed before it could be told */
    cancelled(RUN_SCHEDULE, minute(10), "overlap: cancelled for its successor, the run of slot 2026-03-02T00:20:00Z");
    nothing_cancelled();
}
END_TEST

/* The daemon died after it had told the session, before the end was written. */
START_TEST(a_run_that_was_left_by_an_earlier_leader_is_cancelled_for_the_slot_since)
{
    woken = newest_wins("a", "*/10 * * * *");
    scheduler_adopt(scheduler, woken, RUN_SCHEDULE, MIDNIGHT, 1, INSTANT_NEVER, false);
    start_at(25);
    missed(woken, 0, 10, 10, 1, "catchup is latest: a later slot was due as well");
    cancelled(RUN_SCHEDULE, MIDNIGHT, "overlap: cancelled for its successor, the run of slot 2026-03-02T00:20:00Z");
    scheduler_retry(scheduler, woken, 2, minute(26)); /* its session is gone, and it may be tried again */
    cancelled(RUN_SCHEDULE, MIDNIGHT, "overlap: cancelled for its successor, the run of slot 2026-03-02T00:20:00Z");
    finish(woken, RUN_CANCELLED);
    ck_assert_int_eq(claim(woken, 20).cursor, minute(10));
}
END_TEST

START_TEST(a_run_is_not_cancelled_for_a_slot_that_its_upstream_holds_up_or_refuses)
{
    struct scheduled *up = add(define("up", "*/20 * * * *"));
    struct job *job = define("a", "*/10 * * * *");
    job->options->overlap_policy = OVERLAP_CANCEL_PREVIOUS;
    comes_after(job, "up");
    woken = add(job);
    start();
    tick(10);
    claim(woken, 10);
    tick(20);
    nothing_cancelled();
    claim(up, 20);
    nothing_cancelled();
    finish(up, RUN_FAILED);
    nothing_cancelled();
    tick(40);
    claim(up, 40);
    finish(up, RUN_SUCCEEDED);
    cancelled(RUN_SCHEDULE, minute(10), "overlap: cancelled for its successor, the run of slot 2026-03-02T00:40:00Z");
}
END_TEST

START_TEST(a_run_that_was_asked_for_is_waited_for)
{
    woken = newest_wins("a", "*/10 * * * *");
    start();
    scheduler_request(scheduler, woken, RUN_MANUAL, minute(1));
    claim(woken, 1);
    tick(20);
    nothing_cancelled();
    skipped(woken, 0, 10, 10);
    finish(woken, RUN_SUCCEEDED);
    claim(woken, 20);
}
END_TEST

START_TEST(a_notification_cancels_the_run_of_the_one_before)
{
    woken = newest_wins("a", "0 0 1 1 *");
    start();
    notify_at("one", minute(1));
    claim_one(RUN_EVENT, minute(1), "one");
    notify_at("two", minute(2));
    cancelled(RUN_EVENT, minute(1),
              "overlap: cancelled for its successor, the run of the notification at 2026-03-02T00:02:00Z");
    notify_at("three", minute(3));
    nothing_cancelled();
    end_at(minute(4), RUN_CANCELLED);
    claim_one(RUN_EVENT, minute(2), "three");
}
END_TEST

START_TEST(what_fell_due_before_the_run_began_has_its_turn_after_it)
{
    woken = newest_wins("a", "*/10 * * * *");
    start();
    notify_at("one", minute(9));
    tick(10);
    claim_one(RUN_EVENT, minute(9), "one"); /* at 10 */
    nothing_cancelled();
    tick(20);
    cancelled(RUN_EVENT, minute(9), "overlap: cancelled for its successor, the run of slot 2026-03-02T00:20:00Z");
    skipped(woken, 0, 10, 10);
}
END_TEST

START_TEST(a_decision_of_a_join_cancels_the_run_of_the_one_before)
{
    struct scheduled *up = add(define("up", "*/10 * * * *"));
    struct job *job = define("a", "");
    job->options->overlap_policy = OVERLAP_CANCEL_PREVIOUS;
    comes_after(job, "up");
    woken = add(job);
    start();
    run_at(up, 10, RUN_SUCCEEDED);
    claim(woken, 10);
    run_at(up, 20, RUN_FAILED);
    nothing_cancelled(); /* its trigger rule would skip it */
    run_at(up, 30, RUN_SUCCEEDED);
    cancelled(RUN_DEPENDENCY, minute(10), "overlap: cancelled for its successor, the run of slot 2026-03-02T00:30:00Z");
}
END_TEST

START_TEST(a_suspended_job_cancels_nothing)
{
    woken = newest_wins("a", "*/10 * * * *");
    start();
    tick(10);
    claim(woken, 10);
    scheduler_suspend(scheduler, woken, "by hand", minute(15));
    tick(30);
    nothing_cancelled();
    scheduler_resume(scheduler, woken, "by hand", minute(35));
    missed(woken, 10, 20, 30, 2, "by hand");
    nothing_cancelled();
    tick(40);
    cancelled(RUN_SCHEDULE, minute(10), "overlap: cancelled for its successor, the run of slot 2026-03-02T00:40:00Z");
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {
        a_slot_cancels_the_run_before_it_and_runs_once_that_has_ended,
        of_slots_that_fall_due_while_the_run_ends_the_newest_runs,
        a_slot_that_waits_for_a_session_gives_way_to_the_next,
        a_slot_due_while_the_claim_is_on_its_way_cancels_once_it_is_granted,
        each_attempt_of_a_run_is_cancelled,
        a_run_that_was_left_by_an_earlier_leader_is_cancelled_for_the_slot_since,
        a_run_is_not_cancelled_for_a_slot_that_its_upstream_holds_up_or_refuses,
        a_run_that_was_asked_for_is_waited_for,
        a_notification_cancels_the_run_of_the_one_before,
        what_fell_due_before_the_run_began_has_its_turn_after_it,
        a_decision_of_a_join_cancels_the_run_of_the_one_before,
        a_suspended_job_cancels_nothing,
    };
    return scheduling_run("scheduler_supersede", tests, sizeof(tests) / sizeof(*tests));
}
