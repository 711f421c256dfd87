#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "runner/lane.h"
#include "support/libpq_script.h"
#include "support/suite.h"

#define TOKEN "token"
#define NOW (1000 * USEC_PER_SEC)
#define SLOT "1970-01-01T00:10:00Z"
#define SEND_ONE "QUERY UPDATE t SET a = 1()"
#define PREPARE_PERFORM "PREPARE chime_perform: SELECT rows, residue FROM chime.perform($1, $2, $3, $4, $5, $6, $7, $8)"
#define ENDS_MAX 8
#define QUEUE_PATIENCE (250 * USEC_PER_MSEC) /* as in lane.c */

struct end {
    struct run *run;
    enum run_end how;
    struct outcome outcome;
    char message[128];
    char reason[128];
};

static struct loop *loop;
static struct pool *pool;
static struct pool_session *session;
static struct lane *lane;
static PGconn *server;
static struct job job;
static bool allowed;
static struct end ends[ENDS_MAX];
static int end_count;
static int drained;
static int interrupts;
static int terminations;
static bool release_when_drained;
static int log_lines;

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

static const struct pool_handlers pool_handlers = {.available = on_available, .lost = on_lost, .failed = on_failed};

static instant on_now(void *unused)
{
    (void)unused;
    return NOW;
}

static bool on_may_start(void *unused)
{
    (void)unused;
    return allowed;
}

static void on_ended(void *data, struct lane *from, struct run *run, enum run_end how, const struct outcome *outcome)
{
    ck_assert_ptr_eq(data, &lane);
    ck_assert_ptr_eq(from, lane);
    ck_assert_int_lt(end_count, ENDS_MAX);
    struct end *end = &ends[end_count++];
    *end = (struct end){.run = run, .how = how, .outcome = *outcome};
    snprintf(end->message, sizeof end->message, "%s", outcome->message != NULL ? outcome->message : "");
    snprintf(end->reason, sizeof end->reason, "%s", outcome->reason != NULL ? outcome->reason : "");
    run_free(run);
}

static void on_interrupt(void *unused, const struct pg_identity *identity, bool terminate)
{
    (void)unused;
    ck_assert_int_eq(identity->pid, 1000);
    interrupts += !terminate;
    terminations += terminate;
}

static void on_drained(void *data, struct lane *from)
{
    ck_assert_ptr_eq(data, &lane);
    ck_assert_ptr_eq(from, lane);
    drained++;
    if (release_when_drained) {
        lane_release(lane);
        lane = NULL;
    }
}

static const struct lane_handlers handlers = {
    .now = on_now, .may_start = on_may_start, .ended = on_ended, .interrupt = on_interrupt, .drained = on_drained};

static void count_line(const char *line, void *unused)
{
    (void)line;
    (void)unused;
    log_lines++;
}

/* --- one lane over one session ---------------------------------------------------------------------------------------- */

static void become_command(const char *text, enum delivery delivery)
{
    job = (struct job){.name = "nightly", .database = "app", .work = JOB_COMMAND, .command = text, .active = true};
    options_defaults(&job.options, false);
    job.options.delivery = delivery;
    job.options.attempt_timeout = 0;
    job.options.cancel_grace = 10 * USEC_PER_SEC;
    job.options.lock_timeout = 0;
}

static void set_up(void)
{
    static const struct pool_settings settings = {.conninfo = "host=/run", .application_name = "pgchime", .limit = 1};
    script_start();
    log_capture(count_line, NULL);
    end_count = drained = interrupts = terminations = log_lines = 0;
    allowed = true;
    release_when_drained = false;
    loop = loop_create();
    pool = pool_create(loop, NULL, &settings, &pool_handlers, NULL);
    pool_want(pool, 1);
    settle(loop);
    server = script_connection(0);
    answer_row(server, "1000", "2026-03-27T01:30:00Z", "f", "15s", "1s", "origin", "2026-01-01T00:00:00.000000Z");
    settle(loop);
    pool_want(pool, 0);
    session = pool_borrow(pool);
    script_skip_sent(server);
    lane = lane_create(loop, pool, session, TOKEN, &handlers, &lane);
    become_command("UPDATE t SET a = 1", DELIVERY_AT_MOST_ONCE);
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

static struct run *push_with(const struct job *of, const char *payload)
{
    struct run *run = xcalloc(1, sizeof *run);
    run->job = of;
    run->job_id = 42;
    run->kind = payload != NULL ? RUN_EVENT : RUN_SCHEDULE;
    run->payload = payload != NULL ? xstrdup(payload) : NULL;
    run->slot = 600 * USEC_PER_SEC;
    run->attempt = 1;
    run->expected = USEC_PER_SEC;
    run->state = RUN_CLAIMED;
    lane_push(lane, run);
    return run;
}

static struct run *push_of(const struct job *of)
{
    return push_with(of, NULL);
}

static struct run *push(void)
{
    return push_of(&job);
}

static struct run *push_and_start(void)
{
    struct run *run = push();
    settle(loop);
    return run;
}

static void expect_end(int number, enum run_end how, enum run_state state, const char *reason)
{
    ck_assert_int_gt(end_count, number);
    ck_assert_int_eq(ends[number].how, how);
    ck_assert_msg(ends[number].outcome.state == state, "end %d is %s", number,
                  run_state_name(ends[number].outcome.state));
    ck_assert_str_eq(ends[number].reason, reason);
    ck_assert_int_eq(ends[number].outcome.finished, NOW);
}

/* --- a text that runs at most once ------------------------------------------------------------------------------------ */

START_TEST(a_statement_goes_out_as_it_is_and_its_tag_is_the_message)
{
    const struct run *run = push();
    ck_assert_int_eq(run->started, INSTANT_NONE);
    expect_nothing_sent(server);
    settle(loop);
    ck_assert_int_eq(run->state, RUN_RUNNING);
    ck_assert_int_eq(run->started, NOW);
    expect_sent(server, SEND_ONE, "SYNC");
    answer_done(server, "UPDATE 5");
    settle(loop);
    ck_assert_int_eq(end_count, 1);
    expect_end(0, RUN_END_KNOWN, RUN_SUCCEEDED, "");
    ck_assert_int_eq(ends[0].outcome.rows, 5);
    ck_assert_str_eq(ends[0].message, "UPDATE 5");
    ck_assert_int_eq(ends[0].outcome.started, NOW);
    ck_assert_int_eq(drained, 1);
}
END_TEST

START_TEST(a_failure_carries_the_servers_words)
{
    push_and_start();
    answer_error(server, "22012", "division by zero");
    settle(loop);
    expect_end(0, RUN_END_KNOWN, RUN_FAILED, "");
    ck_assert_str_eq(ends[0].outcome.sqlstate, "22012");
    ck_assert_str_eq(ends[0].message, "division by zero");
    ck_assert_int_eq(ends[0].outcome.rows, -1);
}
END_TEST

START_TEST(several_statements_go_out_as_a_text)
{
    become_command("SELECT 1; UPDATE t SET a = 1", DELIVERY_AT_MOST_ONCE);
    push_and_start();
    expect_sent(server, "TEXT SELECT 1; UPDATE t SET a = 1");
    answer_row(server, "1");
    answer_done(server, "UPDATE 2");
    answer_ready(server);
    settle(loop);
    expect_end(0, RUN_END_KNOWN, RUN_SUCCEEDED, "");
    ck_assert_int_eq(ends[0].outcome.rows, 2);
}
END_TEST

START_TEST(a_lock_timeout_is_set_before_the_text_goes_out)
{
    become_command(_i == 0 ? "UPDATE t SET a = 1" : "UPDATE t SET a = 1; SELECT 1", DELIVERY_AT_MOST_ONCE);
    job.options.lock_timeout = 250 * USEC_PER_MSEC;
    push_and_start();
    expect_sent(server, "QUERY SELECT pg_catalog.set_config($1, $2, false)(lock_timeout, 250)", "SYNC");
    expect_nothing_sent(server);
    answer_row(server, "250ms");
    settle(loop);
    expect_sent(server, _i == 0 ? SEND_ONE : "TEXT UPDATE t SET a = 1; SELECT 1");
}
END_TEST

START_TEST(a_lock_timeout_that_cannot_be_set_fails_the_run)
{
    job.options.lock_timeout = USEC_PER_SEC;
    push_and_start();
    answer_error(server, "42501", "permission denied");
    settle(loop);
    expect_end(0, RUN_END_KNOWN, RUN_FAILED, "");
    expect_request_with(server, "lock_timeout");
    expect_nothing_sent(server);
}
END_TEST

START_TEST(a_transaction_left_open_is_rolled_back_and_is_a_failure)
{
    become_command("BEGIN; UPDATE t SET a = 1", DELIVERY_AT_MOST_ONCE);
    push_and_start();
    answer_done(server, "BEGIN");
    answer_done(server, "UPDATE 1");
    answer_ready(server);
    server_is_in(server, PQTRANS_INTRANS);
    settle(loop);
    expect_sent(server, "TEXT BEGIN; UPDATE t SET a = 1", "SYNC", "QUERY ROLLBACK()", "SYNC");
    ck_assert_int_eq(end_count, 0);
    answer_done(server, "ROLLBACK");
    settle(loop);
    expect_end(0, RUN_END_KNOWN, RUN_FAILED, "");
    ck_assert_str_eq(ends[0].outcome.sqlstate, "25001");
}
END_TEST

START_TEST(a_failed_transaction_left_open_keeps_its_error)
{
    become_command("BEGIN; FAILS", DELIVERY_AT_MOST_ONCE);
    push_and_start();
    answer_done(server, "BEGIN");
    answer_error(server, "42601", "syntax error");
    answer_ready(server);
    server_is_in(server, PQTRANS_INERROR);
    settle(loop);
    answer_done(server, "ROLLBACK");
    settle(loop);
    expect_end(0, RUN_END_KNOWN, RUN_FAILED, "");
    ck_assert_str_eq(ends[0].outcome.sqlstate, "42601");
}
END_TEST

START_TEST(a_session_that_goes_while_a_transaction_is_undone_leaves_a_known_failure)
{
    become_command("BEGIN; SELECT 1", DELIVERY_AT_MOST_ONCE);
    push_and_start();
    answer_done(server, "BEGIN");
    answer_ready(server);
    server_is_in(server, PQTRANS_INTRANS);
    settle(loop);
    server_closes(server, "gone");
    settle(loop);
    ck_assert_int_eq(end_count, 1);
    expect_end(0, RUN_END_KNOWN, RUN_FAILED, "");
    ck_assert_ptr_null(lane);
}
END_TEST

/* --- transactional runs ------------------------------------------------------------------------------------------------ */

START_TEST(a_transactional_text_is_performed_and_marked_in_one_statement)
{
    become_command("UPDATE t SET a = 1", DELIVERY_TRANSACTIONAL);
    job.options.lock_timeout = USEC_PER_SEC;
    push_and_start();
    expect_sent(server, PREPARE_PERFORM,
                "EXECUTE chime_perform(token, 42, schedule, " SLOT ", 1000, UPDATE t SET a = 1, f, NULL)", "SYNC");
    answer_row(server, "5", "f");
    settle(loop);
    expect_end(0, RUN_END_KNOWN, RUN_SUCCEEDED, "");
    ck_assert_int_eq(ends[0].outcome.rows, 5);
}
END_TEST

/* Its type is told where the text goes out as it is: there the server would find one out. */
START_TEST(a_payload_goes_with_a_text_that_is_performed_or_has_a_place_for_it)
{
    static const struct {
        const char *text;
        enum delivery delivery;
        const char *payload;
        const char *sent;
    } cases[] = {{"SELECT f($1)", DELIVERY_TRANSACTIONAL, "it's",
                  "EXECUTE chime_perform(token, 42, event, " SLOT ", NULL, SELECT f($1), t, it's)"},
                 {"SELECT f($1)", DELIVERY_AT_MOST_ONCE, "it's", "QUERY SELECT f($1)(it's) text"},
                 {"SELECT f($1)", DELIVERY_AT_LEAST_ONCE, "", "QUERY SELECT f($1)() text"},
                 {"SELECT f($1)", DELIVERY_AT_MOST_ONCE, NULL, "QUERY SELECT f($1)(NULL) text"},
                 {"SELECT '$1'", DELIVERY_AT_MOST_ONCE, "it's", "QUERY SELECT '$1'()"},
                 {"SELECT 1; SELECT $1", DELIVERY_AT_MOST_ONCE, "it's", "TEXT SELECT 1; SELECT $1"}};
    become_command(cases[_i].text, cases[_i].delivery);
    push_with(&job, cases[_i].payload);
    settle(loop);
    if (cases[_i].delivery == DELIVERY_TRANSACTIONAL) {
        expect_sent(server, PREPARE_PERFORM);
    }
    expect_sent(server, cases[_i].sent);
}
END_TEST

START_TEST(a_text_that_only_reads_says_so)
{
    static const struct {
        const char *text;
        const char *sent;
    } cases[] = {
        {"/* a */ SELECT 1", "EXECUTE chime_perform(token, 42, schedule, " SLOT ", NULL, /* a */ SELECT 1, t, NULL)"},
        {"SELECT 1; SELECT 2",
         "EXECUTE chime_perform(token, 42, schedule, " SLOT ", NULL, SELECT 1; SELECT 2, f, NULL)"},
        {"", "EXECUTE chime_perform(token, 42, schedule, " SLOT ", NULL, , f, NULL)"}};
    become_command(cases[_i].text, DELIVERY_TRANSACTIONAL);
    push_and_start();
    expect_sent(server, PREPARE_PERFORM, cases[_i].sent, "SYNC");
}
END_TEST

START_TEST(rows_may_be_unknown)
{
    become_command("UPDATE t SET a = 1", DELIVERY_TRANSACTIONAL);
    push_and_start();
    answer_row(server, NULL, "f");
    settle(loop);
    expect_end(0, RUN_END_KNOWN, RUN_SUCCEEDED, "");
    ck_assert_int_eq(ends[0].outcome.rows, -1);
}
END_TEST

static const char *const two_views[] = {"public.a", "public.b"};

static void become_refresh(struct job *of)
{
    *of = (struct job){.name = "views", .work = JOB_REFRESH, .command = "", .views = two_views, .view_count = 2};
    options_defaults(&of->options, true);
    of->options.attempt_timeout = 0;
    of->options.lock_timeout = 0;
}

START_TEST(views_are_refreshed_and_marked_in_one_statement)
{
    become_refresh(&job);
    push_and_start();
    expect_sent(server,
                "PREPARE chime_refresh: SELECT rows, message FROM chime.perform_refresh($1, $2, $3, $4, $5, $6)",
                "EXECUTE chime_refresh(token, 42, schedule, " SLOT ", NULL, {\"public.a\",\"public.b\"})", "SYNC");
    answer_row(server, "17", "two views");
    settle(loop);
    expect_end(0, RUN_END_KNOWN, RUN_SUCCEEDED, "");
    ck_assert_int_eq(ends[0].outcome.rows, 17);
    ck_assert_str_eq(ends[0].message, "two views");
}
END_TEST

START_TEST(a_run_that_the_ledger_does_not_know_is_disowned)
{
    become_command("UPDATE t SET a = 1", DELIVERY_TRANSACTIONAL);
    push_and_start();
    answer_error(server, "CH003", "the run is not ours");
    settle(loop);
    expect_end(0, RUN_END_DISOWNED, RUN_LOST, "the run is not ours");
}
END_TEST

/* --- one after the other ----------------------------------------------------------------------------------------------- */

START_TEST(runs_follow_each_other_and_the_session_is_wiped_between_texts)
{
    const struct run *first = push();
    const struct run *second = push();
    settle(loop);
    expect_sent(server, SEND_ONE, "SYNC");
    expect_nothing_sent(server);
    answer_done(server, "UPDATE 1");
    settle(loop);
    expect_sent(server, "QUERY DISCARD ALL()", "SYNC", SEND_ONE, "SYNC"); /* in one flush */
    answer_done(server, "DISCARD ALL");
    answer_done(server, "UPDATE 2");
    settle(loop);
    ck_assert_int_eq(end_count, 2);
    ck_assert_ptr_eq(ends[0].run, first);
    ck_assert_ptr_eq(ends[1].run, second);
    ck_assert_int_eq(ends[1].outcome.rows, 2);
}
END_TEST

START_TEST(a_text_for_the_simple_protocol_waits_for_the_wipe)
{
    push_and_start();
    answer_done(server, "UPDATE 1");
    settle(loop);
    become_command("SELECT 1; SELECT 2", DELIVERY_AT_MOST_ONCE);
    const struct run *run = push_and_start();
    expect_sent(server, SEND_ONE, "SYNC", "QUERY DISCARD ALL()", "SYNC");
    expect_nothing_sent(server);
    ck_assert_int_eq(run->started, INSTANT_NONE);
    answer_done(server, "DISCARD ALL");
    settle(loop);
    expect_sent(server, "TEXT SELECT 1; SELECT 2");
}
END_TEST

START_TEST(behind_a_performed_text_the_settings_are_wiped_unless_more_is_left)
{
    become_command("UPDATE t SET a = 1", DELIVERY_TRANSACTIONAL);
    push_and_start();
    answer_row(server, "1", _i == 0 ? "f" : _i == 1 ? "t" : NULL);
    settle(loop);
    script_skip_sent(server);
    push_and_start();
    expect_request_with(server, _i == 0 ? "RESET ALL" : "DISCARD ALL");
}
END_TEST

START_TEST(what_a_text_left_is_wiped_before_a_refresh_too)
{
    struct job refresh;
    become_refresh(&refresh);
    push_and_start();
    answer_done(server, "UPDATE 1");
    settle(loop);
    script_skip_sent(server);
    push_of(&refresh);
    settle(loop);
    expect_sent(server, "QUERY DISCARD ALL()", "SYNC", "PREPARE chime_refresh: ...", "EXECUTE chime_refresh(...",
                "SYNC");
    answer_done(server, "DISCARD ALL");
    answer_row(server, "1", "refreshed");
    settle(loop);
    ck_assert_int_eq(end_count, 2);
    script_skip_sent(server);
    push_and_start();
    expect_sent(server, SEND_ONE, "SYNC"); /* a refresh leaves nothing */
}
END_TEST

START_TEST(a_session_that_cannot_be_wiped_gives_its_runs_back)
{
    bool text = _i == 1;
    push_and_start();
    answer_done(server, "UPDATE 1");
    settle(loop);
    if (text) {
        become_command("SELECT 1; SELECT 2", DELIVERY_AT_MOST_ONCE);
    }
    push();
    push();
    settle(loop);
    answer_error(server, "42501", "permission denied");
    if (!text) {
        answer_done(server, "UPDATE 1"); /* it travelled behind the wipe */
    }
    settle(loop);
    ck_assert_int_eq(log_lines, 1);
    ck_assert_int_eq(end_count, 3);
    expect_end(2, RUN_END_UNSTARTED, RUN_LOST, "it was not started");
    ck_assert_int_eq(ends[2].outcome.started, INSTANT_NONE);
    ck_assert(!lane_usable(lane));
}
END_TEST

START_TEST(a_run_is_not_started_when_it_may_not)
{
    allowed = false;
    const struct run *run = push_and_start();
    expect_nothing_sent(server);
    ck_assert_int_eq(run->state, RUN_CLAIMED);
    ck_assert_int_eq(end_count, 0);
}
END_TEST

START_TEST(a_run_is_started_when_it_may_after_all)
{
    allowed = false;
    push_and_start();
    allowed = true;
    settle(loop);
    expect_nothing_sent(server);
    lane_wake(lane);
    settle(loop);
    expect_sent(server, SEND_ONE, "SYNC");
}
END_TEST

START_TEST(handing_back_starts_nothing_more_and_lets_the_current_run_end)
{
    struct run *current = push();
    struct run *behind = push();
    struct run *last = push();
    settle(loop);
    lane_hand_back(lane);
    ck_assert_int_eq(end_count, 2);
    ck_assert_ptr_eq(ends[0].run, behind);
    ck_assert_ptr_eq(ends[1].run, last);
    expect_end(1, RUN_END_UNSTARTED, RUN_LOST, "it was not started");
    push_and_start(); /* a claim that was under way */
    answer_done(server, "UPDATE 1");
    settle(loop);
    ck_assert_int_eq(end_count, 4);
    ck_assert_ptr_eq(ends[2].run, current);
    expect_end(2, RUN_END_KNOWN, RUN_SUCCEEDED, "");
    expect_end(3, RUN_END_UNSTARTED, RUN_LOST, "it was not started");
    expect_sent(server, SEND_ONE, "SYNC");
    expect_nothing_sent(server);
    ck_assert_int_ge(drained, 1);
}
END_TEST

START_TEST(handing_back_before_anything_was_started_gives_everything_back)
{
    int runs;
    push();
    push();
    lane_hand_back(lane);
    ck_assert_int_eq(end_count, 2);
    ck_assert_int_eq(lane_load(lane, &runs), 0);
    ck_assert_int_eq(runs, 0);
    settle(loop);
    expect_nothing_sent(server);
    ck_assert_int_ge(drained, 1);
}
END_TEST

START_TEST(what_waits_long_behind_a_run_goes_back_to_be_given_to_others)
{
    bool at_once = _i == 0;
    push();
    if (at_once) {
        push();
    }
    settle(loop);
    if (!at_once) {
        push_and_start(); /* behind one that runs already */
    }
    pass_time(loop, QUEUE_PATIENCE - 1);
    ck_assert_int_eq(end_count, 0);
    pass_time(loop, 1);
    ck_assert_int_eq(end_count, 1);
    expect_end(0, RUN_END_UNSTARTED, RUN_LOST, "it was not started");
    answer_done(server, "UPDATE 1");
    settle(loop);
    expect_end(1, RUN_END_KNOWN, RUN_SUCCEEDED, "");
}
END_TEST

START_TEST(what_waits_shortly_is_not_given_back)
{
    push();
    push();
    settle(loop);
    pass_time(loop, QUEUE_PATIENCE - 1);
    answer_done(server, "UPDATE 1");
    settle(loop);
    pass_time(loop, QUEUE_PATIENCE);
    ck_assert_int_eq(end_count, 1);
}
END_TEST

START_TEST(a_reservation_keeps_it_from_being_drained)
{
    int runs;
    ck_assert_ptr_eq(lane_identity(lane), pool_identity(session));
    ck_assert(lane_usable(lane));
    lane_reserve(lane, 1, 2 * USEC_PER_SEC);
    ck_assert_int_eq(lane_load(lane, &runs), 2 * USEC_PER_SEC);
    ck_assert_int_eq(runs, 1);
    push_and_start();
    answer_done(server, "UPDATE 1");
    settle(loop);
    ck_assert_int_eq(end_count, 1);
    ck_assert_int_eq(drained, 0);
    lane_reserve(lane, -1, 2 * USEC_PER_SEC);
    settle(loop);
    ck_assert_int_eq(drained, 1);
    ck_assert_int_eq(lane_load(lane, &runs), 0);
    ck_assert_int_eq(runs, 0);
}
END_TEST

START_TEST(a_drained_lane_is_released_and_its_session_wiped)
{
    release_when_drained = true;
    push_and_start();
    answer_done(server, "UPDATE 1");
    settle(loop);
    ck_assert_ptr_null(lane);
    expect_sent(server, SEND_ONE, "SYNC", "QUERY DISCARD ALL()", "SYNC");
    answer_done(server, "DISCARD ALL");
    settle(loop);
    ck_assert_int_eq(pool_idle(pool), 1);
}
END_TEST

/* --- interrupting ------------------------------------------------------------------------------------------------------ */

START_TEST(an_attempt_beyond_its_timeout_is_interrupted_then_terminated)
{
    release_when_drained = true;
    job.options.attempt_timeout = 30 * USEC_PER_SEC;
    push_and_start();
    pass_time(loop, 30 * USEC_PER_SEC - 1);
    ck_assert_int_eq(interrupts, 0);
    pass_time(loop, 1);
    ck_assert_int_eq(interrupts, 1);
    ck_assert(!lane_usable(lane));
    pass_time(loop, 10 * USEC_PER_SEC);
    ck_assert_int_eq(interrupts, 1);
    ck_assert_int_eq(terminations, 1);
    answer_error(server, "57014", "canceling statement due to user request");
    settle(loop);
    expect_end(0, RUN_END_KNOWN, RUN_TIMED_OUT, "attempt_timeout");
    ck_assert_ptr_null(lane);
    ck_assert(script_finished(server)); /* an interrupt may still be under way */
}
END_TEST

START_TEST(an_attempt_that_ends_in_time_is_left_alone)
{
    job.options.attempt_timeout = 30 * USEC_PER_SEC;
    push_and_start();
    answer_done(server, "UPDATE 1");
    settle(loop);
    pass_time(loop, 60 * USEC_PER_SEC);
    ck_assert_int_eq(interrupts, 0);
}
END_TEST

START_TEST(a_success_counts_even_if_an_interrupt_was_sent)
{
    const struct run *run = push_and_start();
    ck_assert_int_eq(run->state, RUN_RUNNING);
    lane_cancel_current(lane, "cancelled by ann");
    answer_done(server, "UPDATE 1");
    settle(loop);
    expect_end(0, RUN_END_KNOWN, RUN_SUCCEEDED, "");
}
END_TEST

START_TEST(another_failure_of_an_interrupted_run_stays_that_failure)
{
    push_and_start();
    lane_cancel_current(lane, "cancelled by ann");
    answer_error(server, "22012", "division by zero");
    settle(loop);
    expect_end(0, RUN_END_KNOWN, RUN_FAILED, "");
}
END_TEST

START_TEST(cancelling_interrupts_the_current_run_and_gives_back_those_behind_it)
{
    push();
    push();
    settle(loop);
    lane_cancel_current(lane, "cancelled by ann");
    ck_assert_int_eq(interrupts, 1);
    answer_error(server, "57014", "canceling statement due to user request");
    settle(loop);
    ck_assert_int_eq(end_count, 2);
    expect_end(0, RUN_END_KNOWN, RUN_CANCELLED, "cancelled by ann");
    expect_end(1, RUN_END_UNSTARTED, RUN_LOST, "it was not started");
    expect_sent(server, SEND_ONE, "SYNC");
    expect_nothing_sent(server);
}
END_TEST

START_TEST(there_may_be_nothing_to_cancel)
{
    lane_cancel_current(lane, "cancelled by ann");
    allowed = false;
    const struct run *run = push_and_start();
    lane_cancel_current(lane, "cancelled by ann");
    ck_assert(!run->cancelled);
    ck_assert_int_eq(interrupts, 0);
    ck_assert(lane_usable(lane));
}
END_TEST

START_TEST(a_termination_that_says_so_ends_the_cancelled_run)
{
    push_and_start();
    lane_cancel_current(lane, "cancelled by ann");
    answer_error(server, "57P01", "terminating connection due to administrator command");
    server_closes(server, "gone");
    settle(loop);
    ck_assert_int_eq(end_count, 1);
    expect_end(0, RUN_END_KNOWN, RUN_CANCELLED, "cancelled by ann");
    ck_assert_ptr_null(lane);
}
END_TEST

/* --- a session that goes ----------------------------------------------------------------------------------------------- */

static void end_the_session(void)
{
    answer_error(server, "57P01", "terminating connection due to administrator command");
    server_closes(server, "gone");
    settle(loop);
    ck_assert_int_eq(end_count, 1);
    ck_assert_ptr_null(lane);
}

#define OPEN "the session ended before it said whether its text was committed"

/* The server commits a text of several statements before it says that the last one is complete. */
START_TEST(a_session_ended_in_the_last_statement_of_a_text_leaves_its_run_in_doubt)
{
    become_command("SELECT 1; UPDATE t SET a = 1", DELIVERY_AT_MOST_ONCE);
    push_and_start();
    answer_row(server, "1");
    end_the_session();
    expect_end(0, RUN_END_DOUBTFUL, RUN_LOST, OPEN);
}
END_TEST

START_TEST(a_session_ended_before_the_last_statement_of_a_text_is_a_known_failure)
{
    become_command("SELECT 1; UPDATE t SET a = 1", DELIVERY_AT_MOST_ONCE);
    push_and_start();
    end_the_session();
    expect_end(0, RUN_END_KNOWN, RUN_FAILED, "");
}
END_TEST

START_TEST(a_session_ended_during_a_single_statement_is_a_known_failure)
{
    push_and_start();
    end_the_session();
    expect_end(0, RUN_END_KNOWN, RUN_FAILED, "");
    ck_assert_str_eq(ends[0].outcome.sqlstate, "57P01");
}
END_TEST

/* A single one is complete before it is committed. */
START_TEST(a_session_ended_behind_a_single_statement_leaves_its_run_in_doubt)
{
    push_and_start();
    answer_done(server, "UPDATE 5");
    answer_commit_error(server, "57P01", "terminating connection due to administrator command");
    server_closes(server, "gone");
    settle(loop);
    ck_assert_int_eq(end_count, 1);
    expect_end(0, RUN_END_DOUBTFUL, RUN_LOST, OPEN);
}
END_TEST

START_TEST(a_session_that_goes_without_an_answer_leaves_its_run_in_doubt_and_the_rest_unstarted)
{
    push();
    push();
    push();
    settle(loop);
    server_closes(server, "gone");
    settle(loop);
    ck_assert_int_eq(end_count, 3);
    expect_end(0, RUN_END_DOUBTFUL, RUN_LOST, "the session ended without an answer");
    expect_end(1, RUN_END_UNSTARTED, RUN_LOST, "it was not started");
    expect_end(2, RUN_END_UNSTARTED, RUN_LOST, "it was not started");
    ck_assert_ptr_null(lane);
    ck_assert_int_eq(pool_open_count(pool), 0);
}
END_TEST

START_TEST(a_session_that_goes_before_anything_was_started_leaves_nothing_in_doubt)
{
    allowed = false;
    push_and_start();
    server_closes(server, "gone");
    settle(loop);
    ck_assert_int_eq(end_count, 1);
    expect_end(0, RUN_END_UNSTARTED, RUN_LOST, "it was not started");
}
END_TEST

START_TEST(a_broken_lane_with_a_running_text_ends_it_in_doubt)
{
    push_and_start();
    lane_broken(lane);
    lane = NULL;
    ck_assert_int_eq(end_count, 1);
    expect_end(0, RUN_END_DOUBTFUL, RUN_LOST, "the session ended without an answer");
    settle(loop);
    ck_assert(script_finished(server));
}
END_TEST

START_TEST(abandoning_tells_nobody_and_closes_the_session)
{
    push();
    push();
    settle(loop);
    lane_abandon(lane);
    lane = NULL;
    settle(loop);
    ck_assert_int_eq(end_count + drained, 0);
    ck_assert(script_finished(server));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("lane");
    TCase *tests = tcase_create("lane");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, a_statement_goes_out_as_it_is_and_its_tag_is_the_message);
    tcase_add_test(tests, a_failure_carries_the_servers_words);
    tcase_add_test(tests, several_statements_go_out_as_a_text);
    tcase_add_loop_test(tests, a_lock_timeout_is_set_before_the_text_goes_out, 0, 2);
    tcase_add_test(tests, a_lock_timeout_that_cannot_be_set_fails_the_run);
    tcase_add_test(tests, a_transaction_left_open_is_rolled_back_and_is_a_failure);
    tcase_add_test(tests, a_failed_transaction_left_open_keeps_its_error);
    tcase_add_test(tests, a_session_that_goes_while_a_transaction_is_undone_leaves_a_known_failure);
    tcase_add_test(tests, a_transactional_text_is_performed_and_marked_in_one_statement);
    tcase_add_loop_test(tests, a_payload_goes_with_a_text_that_is_performed_or_has_a_place_for_it, 0, 6);
    tcase_add_loop_test(tests, a_text_that_only_reads_says_so, 0, 3);
    tcase_add_test(tests, rows_may_be_unknown);
    tcase_add_test(tests, views_are_refreshed_and_marked_in_one_statement);
    tcase_add_test(tests, a_run_that_the_ledger_does_not_know_is_disowned);
    tcase_add_test(tests, runs_follow_each_other_and_the_session_is_wiped_between_texts);
    tcase_add_test(tests, a_text_for_the_simple_protocol_waits_for_the_wipe);
    tcase_add_loop_test(tests, behind_a_performed_text_the_settings_are_wiped_unless_more_is_left, 0, 3);
    tcase_add_test(tests, what_a_text_left_is_wiped_before_a_refresh_too);
    tcase_add_loop_test(tests, a_session_that_cannot_be_wiped_gives_its_runs_back, 0, 2);
    tcase_add_test(tests, a_run_is_not_started_when_it_may_not);
    tcase_add_test(tests, a_run_is_started_when_it_may_after_all);
    tcase_add_test(tests, handing_back_starts_nothing_more_and_lets_the_current_run_end);
    tcase_add_test(tests, handing_back_before_anything_was_started_gives_everything_back);
    tcase_add_loop_test(tests, what_waits_long_behind_a_run_goes_back_to_be_given_to_others, 0, 2);
    tcase_add_test(tests, what_waits_shortly_is_not_given_back);
    tcase_add_test(tests, a_reservation_keeps_it_from_being_drained);
    tcase_add_test(tests, a_drained_lane_is_released_and_its_session_wiped);
    tcase_add_test(tests, an_attempt_beyond_its_timeout_is_interrupted_then_terminated);
    tcase_add_test(tests, an_attempt_that_ends_in_time_is_left_alone);
    tcase_add_test(tests, a_success_counts_even_if_an_interrupt_was_sent);
    tcase_add_test(tests, another_failure_of_an_interrupted_run_stays_that_failure);
    tcase_add_test(tests, cancelling_interrupts_the_current_run_and_gives_back_those_behind_it);
    tcase_add_test(tests, there_may_be_nothing_to_cancel);
    tcase_add_test(tests, a_termination_that_says_so_ends_the_cancelled_run);
    tcase_add_test(tests, a_session_ended_in_the_last_statement_of_a_text_leaves_its_run_in_doubt);
    tcase_add_test(tests, a_session_ended_before_the_last_statement_of_a_text_is_a_known_failure);
    tcase_add_test(tests, a_session_ended_during_a_single_statement_is_a_known_failure);
    tcase_add_test(tests, a_session_ended_behind_a_single_statement_leaves_its_run_in_doubt);
    tcase_add_test(tests, a_session_that_goes_without_an_answer_leaves_its_run_in_doubt_and_the_rest_unstarted);
    tcase_add_test(tests, a_session_that_goes_before_anything_was_started_leaves_nothing_in_doubt);
    tcase_add_test(tests, a_broken_lane_with_a_running_text_ends_it_in_doubt);
    tcase_add_test(tests, abandoning_tells_nobody_and_closes_the_session);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
