/* A lane whose session is being wiped, and what a run that goes on for long means to it. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "runner/lane.h"
#include "support/libpq_script.h"
#include "support/suite.h"

#define GRACE (10 * USEC_PER_SEC)
#define EXPECTED (2 * USEC_PER_MSEC)
#define TWO_STATEMENTS "SELECT 1; SELECT 2"
#define ENDS_MAX 4

struct end {
    int owner;
    enum run_end how;
    enum run_state state;
};

static struct loop *loop;
static struct pool *pool;
static struct lane *lane;
static PGconn *server;
static struct job one; /* a statement: leaves the session to be wiped */
static struct job two; /* statements: wait for the wipe */
static int owners[ENDS_MAX];
static instant now;
static struct end ends[ENDS_MAX];
static int end_count;
static int interrupts;
static int terminations;

/* --- what the lane and its pool tell ---------------------------------------------------------------------------------- */

static void on_available(void *unused)
{
    (void)unused;
}

static void on_lost(void *unused, struct pool_session *gone, const struct error *reason)
{
    (void)unused;
    (void)reason;
    ck_assert_ptr_eq(pool_tag(gone), lane);
    lane_broken(lane);
    lane = NULL;
}

static void on_failed(void *unused, const struct error *reason)
{
    (void)unused;
    ck_abort_msg("no session: %s", reason->message);
}

static instant on_now(void *unused)
{
    (void)unused;
    return now;
}

static bool on_may_start(void *unused)
{
    (void)unused;
    return true;
}

static void on_ended(void *unused, struct lane *from, struct run *run, enum run_end how, const struct outcome *outcome)
{
    (void)unused;
    ck_assert_ptr_eq(from, lane);
    ck_assert_int_lt(end_count, ENDS_MAX);
    ends[end_count++] = (struct end){(int)((int *)run->owner - owners), how, outcome->state};
    run_free(run);
}

static void on_interrupt(void *unused, const struct pg_identity *session, bool terminate)
{
    (void)unused;
    (void)session;
    interrupts += !terminate;
    terminations += terminate;
}

/* As the dispatcher does: whatever is drained is given back. */
static void on_drained(void *unused, struct lane *from)
{
    (void)unused;
    ck_assert_ptr_eq(from, lane);
    ck_assert(lane_is_drained(lane));
    lane_release(lane);
    lane = NULL;
}

static void drop_line(const char *line, void *unused)
{
    (void)line;
    (void)unused;
}

static const struct pool_handlers pool_handlers = {.available = on_available, .lost = on_lost, .failed = on_failed};
static const struct lane_handlers handlers = {
    .now = on_now, .may_start = on_may_start, .ended = on_ended, .interrupt = on_interrupt, .drained = on_drained};

/* --- one lane over one session ---------------------------------------------------------------------------------------- */

static void define(struct job *job, const char *text)
{
    *job = (struct job){.name = "nightly", .database = "app", .work = JOB_COMMAND, .command = text, .active = true};
    options_defaults(&job->options, false);
    job->options.delivery = DELIVERY_AT_MOST_ONCE;
    job->options.attempt_timeout = 0;
    job->options.cancel_grace = GRACE;
    job->options.lock_timeout = 0;
}

static void set_up(void)
{
    static const struct pool_settings settings = {.conninfo = "host=/run", .application_name = "pgchime", .limit = 1};
    script_start();
    log_capture(drop_line, NULL);
    end_count = interrupts = terminations = 0;
    now = 1000 * USEC_PER_SEC;
    define(&one, "UPDATE t SET a = 1");
    define(&two, TWO_STATEMENTS);
    loop = loop_create();
    pool = pool_create(loop, NULL, &settings, &pool_handlers, NULL);
    pool_want(pool, 1);
    settle(loop);
    server = script_connection(0);
    answer_row(server, "1000", "2026-03-27T01:30:00Z", "f", "15s", "1s", "origin", "2026-01-01T00:00:00.000000Z");
    settle(loop);
    pool_want(pool, 0);
    lane = lane_create(loop, pool, pool_borrow(pool), "token", &handlers, NULL);
    script_skip_sent(server);
}

static void tear_down(void)
{
    if (lane != NULL) {
        lane_abandon(lane);
        lane = NULL;
    }
    pool_destroy(pool);
    settle(loop);
    loop_destroy(loop);
    log_capture(NULL, NULL);
    script_finish();
}

static struct run *push(const struct job *job, int owner)
{
    struct run *run = xcalloc(1, sizeof *run);
    run->owner = &owners[owner];
    run->job = job;
    run->kind = RUN_SCHEDULE;
    run->attempt = 1;
    run->expected = EXPECTED;
    run->state = RUN_CLAIMED;
    lane_push(lane, run);
    return run;
}

/* Run 0 has left the session to be wiped, and run 1 waits for the wipe, which is on its way. */
static void wipe_for_the_next(void)
{
    push(&one, 0);
    push(&two, 1);
    settle(loop);
    answer_done(server, "UPDATE 1");
    settle(loop);
    ck_assert_int_eq(end_count, 1);
    script_skip_sent(server);
}

static void expect_end(int number, int owner, enum run_end how, enum run_state state)
{
    ck_assert_int_gt(end_count, number);
    ck_assert_int_eq(ends[number].owner, owner);
    ck_assert_int_eq(ends[number].how, how);
    ck_assert_int_eq(ends[number].state, state);
}

/* --- while the session is wiped --------------------------------------------------------------------------------------- */

START_TEST(a_run_cancelled_while_it_waits_for_the_wipe_leaves_the_lane_until_the_answer)
{
    wipe_for_the_next();
    ck_assert(lane_cancel(lane, &owners[1], "cancelled by ann"));
    expect_end(1, 1, RUN_END_KNOWN, RUN_CANCELLED);
    settle(loop);
    ck_assert_ptr_nonnull(lane);
    ck_assert(!lane_is_drained(lane));
    answer_done(server, "DISCARD ALL");
    settle(loop);
    ck_assert_ptr_null(lane);
    ck_assert_int_eq(interrupts, 0);
}
END_TEST

START_TEST(runs_handed_back_while_the_first_waits_for_the_wipe_leave_the_lane_until_the_answer)
{
    wipe_for_the_next();
    lane_hand_back(lane);
    expect_end(1, 1, RUN_END_UNSTARTED, RUN_LOST);
    settle(loop);
    ck_assert_ptr_nonnull(lane);
    answer_done(server, "DISCARD ALL");
    settle(loop);
    ck_assert_ptr_null(lane);
}
END_TEST

START_TEST(a_run_that_comes_while_the_session_is_wiped_starts_on_the_clean_one)
{
    wipe_for_the_next();
    lane_cancel(lane, &owners[1], "cancelled by ann");
    settle(loop);
    push(&two, 2);
    settle(loop);
    expect_nothing_sent(server);
    answer_done(server, "DISCARD ALL");
    settle(loop);
    expect_sent(server, "TEXT " TWO_STATEMENTS);
}
END_TEST

START_TEST(nothing_executes_while_the_session_is_wiped)
{
    wipe_for_the_next();
    lane_cancel_current(lane, "the daemon was told to stop");
    ck_assert_int_eq(interrupts, 0);
    pass_time(loop, USEC_PER_SEC);
    answer_done(server, "DISCARD ALL");
    settle(loop);
    expect_sent(server, "TEXT " TWO_STATEMENTS);
}
END_TEST

START_TEST(a_run_whose_session_ends_while_it_is_wiped_has_not_started)
{
    wipe_for_the_next();
    server_closes(server, "terminated");
    settle(loop);
    ck_assert_ptr_null(lane);
    expect_end(1, 1, RUN_END_UNSTARTED, RUN_LOST);
}
END_TEST

/* --- interrupts ------------------------------------------------------------------------------------------------------- */

START_TEST(a_cancel_within_the_grace_of_a_timeout_does_not_terminate)
{
    one.options.attempt_timeout = USEC_PER_SEC;
    push(&one, 0);
    settle(loop);
    pass_time(loop, USEC_PER_SEC);
    ck_assert_int_eq(interrupts, 1);
    ck_assert(lane_cancel(lane, &owners[0], "cancelled by ann"));
    lane_cancel_current(lane, "the daemon was told to stop");
    pass_time(loop, GRACE - USEC_PER_MSEC);
    ck_assert_int_eq(interrupts, 1);
    ck_assert_int_eq(terminations, 0);
    pass_time(loop, USEC_PER_MSEC);
    ck_assert_int_eq(terminations, 1);
}
END_TEST

START_TEST(a_wipe_that_failed_is_no_interrupt)
{
    push(&one, 0);
    struct run *behind = push(&one, 1);
    settle(loop);
    answer_done(server, "UPDATE 1");
    settle(loop);
    ck_assert_int_eq(behind->state, RUN_RUNNING); /* the wipe went ahead of it */
    answer_error(server, "57014", "canceling statement due to user request");
    settle(loop);
    ck_assert(!lane_usable(lane));
    lane_cancel_current(lane, "cancelled by ann");
    ck_assert_int_eq(interrupts, 1);
    ck_assert_int_eq(terminations, 0);
}
END_TEST

/* --- load ------------------------------------------------------------------------------------------------------------- */

START_TEST(a_run_beyond_its_time_counts_for_as_long_as_it_has_run)
{
    int runs;
    push(&one, 0);
    ck_assert_int_eq(lane_load(lane, &runs), EXPECTED);
    settle(loop);
    now += EXPECTED;
    ck_assert_int_eq(lane_load(lane, &runs), EXPECTED);
    now += USEC_PER_SEC;
    ck_assert_int_eq(lane_load(lane, &runs), EXPECTED + USEC_PER_SEC);
    push(&one, 1);
    ck_assert_int_eq(lane_load(lane, &runs), 2 * EXPECTED + USEC_PER_SEC);
    ck_assert_int_eq(runs, 2);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("lane_wipe");
    TCase *tests = tcase_create("lane_wipe");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, a_run_cancelled_while_it_waits_for_the_wipe_leaves_the_lane_until_the_answer);
    tcase_add_test(tests, runs_handed_back_while_the_first_waits_for_the_wipe_leave_the_lane_until_the_answer);
    tcase_add_test(tests, a_run_that_comes_while_the_session_is_wiped_starts_on_the_clean_one);
    tcase_add_test(tests, nothing_executes_while_the_session_is_wiped);
    tcase_add_test(tests, a_run_whose_session_ends_while_it_is_wiped_has_not_started);
    tcase_add_test(tests, a_cancel_within_the_grace_of_a_timeout_does_not_terminate);
    tcase_add_test(tests, a_wipe_that_failed_is_no_interrupt);
    tcase_add_test(tests, a_run_beyond_its_time_counts_for_as_long_as_it_has_run);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
