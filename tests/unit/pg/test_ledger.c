/* What the ledger's calls send, word by word, and how their answers are read. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "ledger/ledger.h"
#include "support/abort_trap.h"
#include "support/libpq_script.h"
#include "support/suite.h"

#define TOKEN "6f1d0b9e-0000-4000-8000-000000000001"
#define SLOT "2026-03-27T01:30:00Z"
#define SLOT_BEFORE "2026-03-27T01:00:00Z"

static struct loop *loop;
static PGconn *server;
static struct ledger ledger;
static struct scheduler *scheduler;
static struct scheduled *scheduled;
static struct job job;
static int calls;
static void (*read_reply)(const struct pg_reply *reply);

static void on_ready(void *unused)
{
    (void)unused;
}

static void on_closed(void *unused, const struct error *reason)
{
    (void)unused;
    (void)reason;
}

static const struct pg_handlers handlers = {.ready = on_ready, .closed = on_closed};

static void on_reply(void *data, const struct pg_reply *reply)
{
    ck_assert_ptr_eq(data, &calls);
    calls++;
    if (read_reply != NULL) {
        read_reply(reply);
    }
}

static void set_up(void)
{
    static const struct pg_target target = {
        .conninfo = "host=/run", .application_name = "pgchime", .connect_timeout = USEC_PER_SEC};
    script_start();
    calls = 0;
    read_reply = NULL;
    loop = loop_create();
    ledger = (struct ledger){.token = TOKEN, .epoch = 7};
    ledger.connection = pg_open(loop, NULL, &target, &handlers, NULL);
    settle(loop);
    server = script_connection(0);
}

static void tear_down(void)
{
    pg_close(ledger.connection);
    scheduler_destroy(scheduler);
    scheduler = NULL;
    settle(loop);
    loop_destroy(loop);
    script_finish();
}

static instant at(const char *text)
{
    instant moment;
    ck_assert(instant_parse(text, &moment, NULL));
    return moment;
}

/* A job that the scheduler knows as number 42, version 3. */
static void know_a_job(void)
{
    struct job_memory memory = {.job_id = 42, .version = 3, .cursor = at(SLOT_BEFORE)};
    job = (struct job){.name = "nightly",
                       .database = "app",
                       .origin = JOB_FROM_CONFIG,
                       .schedule_text = "*/30 * * * *",
                       .work = JOB_COMMAND,
                       .command = "SELECT 1",
                       .active = true};
    options_defaults(&job.options, false);
    ck_assert(schedule_parse(job.schedule_text, &job.schedule, NULL));
    scheduler = scheduler_create();
    scheduled = scheduler_add(scheduler, &job, &memory);
    scheduler_link(scheduler);
}

/* Runs `check` on the answer that was given before. */
static void read_with(void (*check)(const struct pg_reply *reply))
{
    read_reply = check;
    settle(loop);
    ck_assert_int_eq(calls, 1);
}

/* --- the seat --------------------------------------------------------------------------------------------------------- */

static void a_held_seat(const struct pg_reply *reply)
{
    struct ledger_seat seat;
    ck_assert(ledger_read_seat(reply, &seat));
    ck_assert_str_eq(seat.token, TOKEN);
    ck_assert_str_eq(seat.instance, "db1:4711");
    ck_assert_str_eq(seat.configuration, "cafe");
    ck_assert(seat.held);
    ck_assert_str_eq(seat.sign, "2026-03-27 01:29:59+00");
    ck_assert_int_eq(seat.now, at("2026-03-27T01:30:00.25Z"));
    ck_assert_str_eq(seat.led.system, "7312");
    ck_assert_int_eq(seat.led.timeline, 3);
}

START_TEST(a_look_tells_who_sits_and_the_time)
{
    ledger_look(ledger.connection, on_reply, &calls);
    expect_sent(server, "PREPARE chime_look: SELECT l.token, l.instance, ...", "EXECUTE chime_look()", "SYNC");
    answer_row(server, TOKEN, "db1:4711", "cafe", "t", "2026-03-27 01:29:59+00", "2026-03-27 01:30:00.25+00",
               "2026-03-26 00:00:00+00", "7312", "3");
    read_with(a_held_seat);
}
END_TEST

static void an_empty_seat(const struct pg_reply *reply)
{
    struct ledger_seat seat;
    ck_assert(ledger_read_seat(reply, &seat));
    ck_assert_str_eq(seat.token, "");
    ck_assert_str_eq(seat.instance, "");
    ck_assert(!seat.held);
    ck_assert_str_eq(seat.sign, "");
    ck_assert_int_eq(seat.led.timeline, 0);
}

START_TEST(a_seat_may_be_empty)
{
    ledger_look(ledger.connection, on_reply, &calls);
    answer_row(server, NULL, NULL, NULL, "f", NULL, "2026-03-27 01:30:00+00", "2026-03-26 00:00:00+00", NULL, NULL);
    read_with(an_empty_seat);
}
END_TEST

static void no_seat(const struct pg_reply *reply)
{
    struct ledger_seat seat = {.held = true};
    ck_assert(!ledger_read_seat(reply, &seat));
    ck_assert(!seat.held);
}

START_TEST(a_look_that_fails_or_finds_no_row_tells_nothing)
{
    ledger_look(ledger.connection, on_reply, &calls);
    if (_i == 0) {
        answer_no_rows(server);
    } else {
        answer_error(server, "42P01", "relation \"chime.leader\" does not exist");
    }
    read_with(no_seat);
}
END_TEST

static void read_bad_instant(void *reply)
{
    struct ledger_seat seat;
    ledger_read_seat(reply, &seat);
}

static void a_fatal_seat(const struct pg_reply *reply)
{
    ck_assert(aborts(read_bad_instant, (void *)(uintptr_t)reply));
}

START_TEST(an_instant_that_is_none_ends_the_process)
{
    ledger_look(ledger.connection, on_reply, &calls);
    answer_row(server, TOKEN, "db1", "cafe", "t", "", "yesterday", "yesterday", NULL, NULL);
    read_with(a_fatal_seat);
}
END_TEST

static void seated(const struct pg_reply *reply)
{
    struct ledger taken = {0};
    ck_assert(ledger_read_seated(reply, &taken));
    ck_assert_int_eq(taken.epoch, 8);
    ck_assert_str_eq(taken.token, "new-token");
}

static void not_seated(const struct pg_reply *reply)
{
    struct ledger taken = {0};
    ck_assert(!ledger_read_seated(reply, &taken));
    ck_assert_str_eq(taken.token, "");
}

START_TEST(taking_over_names_the_token_that_was_seen_and_where_it_is)
{
    struct ledger_seat seen = {.token = "old-token"};
    struct pg_lineage here = {.system = "7312", .timeline = 3};
    ledger_take_over(ledger.connection, &seen, "db1:4711", "cafe", &here, on_reply, &calls);
    expect_sent(
        server,
        "QUERY SELECT epoch, token FROM chime.take_over($1, $2, $3, $4, $5)(old-token, db1:4711, cafe, 7312, 3)",
        "SYNC");
    answer_row(server, "8", "new-token");
    read_with(seated);
}
END_TEST

START_TEST(taking_an_empty_seat_names_none_and_no_row_means_that_another_was_faster)
{
    struct ledger_seat seen = {0};
    struct pg_lineage unknown = {0};
    ledger_take_over(ledger.connection, &seen, "db1:4711", "cafe", &unknown, on_reply, &calls);
    expect_sent(server,
                "QUERY SELECT epoch, token FROM chime.take_over($1, $2, $3, $4, $5)(NULL, db1:4711, cafe, NULL, NULL)",
                "SYNC");
    answer_no_rows(server);
    read_with(not_seated);
}
END_TEST

START_TEST(a_silent_leader_is_ended_by_its_token_and_last_sign)
{
    struct ledger_seat seat = {.token = "old-token", .sign = "then"};
    ledger_end_silent(ledger.connection, &seat, NULL, NULL);
    expect_sent(server, "QUERY SELECT chime.end_silent($1, $2)(old-token, then)", "SYNC");
    answer_row(server, "t");
}
END_TEST

START_TEST(a_follower_names_itself_and_its_configuration)
{
    ledger_follow(ledger.connection, "db2:12", "beef", NULL, NULL);
    expect_sent(server, "QUERY SELECT chime.follow($1, $2)(db2:12, beef)", "SYNC");
    answer_row(server, "");
}
END_TEST

START_TEST(the_calls_that_only_carry_the_token)
{
    ledger_resign(&ledger, NULL, NULL);
    ledger_keep_history(&ledger, NULL, NULL);
    ledger_request_population(&ledger, NULL, NULL);
    expect_sent(server, "QUERY SELECT chime.resign($1)(" TOKEN ")", "SYNC",
                "QUERY SELECT made, dropped FROM chime.keep_history($1)(" TOKEN ")", "SYNC",
                "QUERY SELECT chime.request_population($1)(" TOKEN ")", "SYNC");
}
END_TEST

/* --- the heartbeat ---------------------------------------------------------------------------------------------------- */

static void a_heartbeat_with_requests(const struct pg_reply *reply)
{
    instant now;
    bool leads;
    struct ledger_wish *requests;
    ck_assert(ledger_read_heartbeat(reply, &now, &leads));
    ck_assert(leads);
    ck_assert_int_eq(now, at(SLOT));
    ck_assert_uint_eq(ledger_read_wishes(reply, &requests), 2);
    ck_assert_int_eq(requests[0].request_id, 7);
    ck_assert_int_eq(requests[0].verb, LEDGER_RUN);
    ck_assert_int_eq(requests[0].run.job_id, 42);
    ck_assert_int_eq(requests[0].run.kind, RUN_MANUAL);
    ck_assert_int_eq(requests[0].run.slot, at(SLOT));
    ck_assert_ptr_null(requests[0].reason);
    ck_assert_int_eq(requests[1].verb, LEDGER_SUSPEND);
    ck_assert_int_eq(requests[1].run.job_id, 43);
    ck_assert_str_eq(requests[1].reason, "suspended by ann");
    ledger_free_wishes(requests, 2);
}

START_TEST(a_heartbeat_tells_the_time_whether_the_token_leads_and_what_is_asked_for)
{
    ledger_heartbeat(&ledger, on_reply, &calls);
    expect_sent(
        server,
        "PREPARE chime_heartbeat: SELECT pg_catalog.clock_timestamp(), EXISTS (SELECT FROM chime.leader l WHERE "
        "l.token = $1)",
        "EXECUTE chime_heartbeat(" TOKEN ")",
        "PREPARE chime_wishes: SELECT request_id, verb, job_id, kind, slot, reason FROM chime.wishes()",
        "EXECUTE chime_wishes()", "SYNC");
    answer_row(server, "2026-03-27 01:30:00+00", "t");
    answer_rows(server, 6, "7", "run", "42", "manual", "2026-03-27 01:30:00+00", NULL, "8", "suspend", "43", NULL, NULL,
                "suspended by ann");
    read_with(a_heartbeat_with_requests);
}
END_TEST

static void a_heartbeat_of_another(const struct pg_reply *reply)
{
    instant now;
    bool leads = true;
    struct ledger_wish *requests;
    ck_assert(ledger_read_heartbeat(reply, &now, &leads));
    ck_assert(!leads);
    ck_assert_uint_eq(ledger_read_wishes(reply, &requests), 0);
    ledger_free_wishes(requests, 0);
}

START_TEST(a_heartbeat_tells_when_another_leads)
{
    ledger_heartbeat(&ledger, on_reply, &calls);
    answer_row(server, "2026-03-27 01:30:00+00", "f");
    answer_no_rows(server);
    read_with(a_heartbeat_of_another);
}
END_TEST

static void no_heartbeat(const struct pg_reply *reply)
{
    instant now;
    bool leads;
    ck_assert(!ledger_read_heartbeat(reply, &now, &leads));
}

START_TEST(a_heartbeat_may_fail)
{
    ledger_heartbeat(&ledger, on_reply, &calls);
    answer_error(server, "57014", "canceling statement due to statement timeout");
    read_with(no_heartbeat);
}
END_TEST

/* --- runs ------------------------------------------------------------------------------------------------------------- */

static struct ledger_claim claim_of(bool again)
{
    return (struct ledger_claim){.due = {.scheduled = scheduled,
                                         .kind = again ? RUN_MANUAL : RUN_SCHEDULE,
                                         .slot = at(SLOT),
                                         .cursor = at(SLOT_BEFORE),
                                         .attempt = again ? 2 : 1,
                                         .again = again},
                                 .session = {.pid = 1001, .backend_start = "2026-03-27T00:00:00.5Z"}};
}

static void granted(const struct pg_reply *reply)
{
    int64_t *ids;
    ck_assert_uint_eq(ledger_read_granted(reply, 2, &ids), 4);
    static const int64_t sorted[] = {-1, 7, 42, 9000000000};
    ck_assert_int_eq(memcmp(ids, sorted, sizeof sorted), 0);
    ck_assert(ledger_granted(ids, 4, 42));
    ck_assert(!ledger_granted(ids, 4, 55));
    ck_assert_str_eq(ledger_read_suspended(reply, 55), "suspended by ann");
    ck_assert_ptr_null(ledger_read_suspended(reply, 42));
    free(ids);
}

START_TEST(claims_and_further_attempts_are_told_apart_in_one_request)
{
    know_a_job();
    const struct ledger_claim claims[] = {claim_of(false), claim_of(true), claim_of(false)};
    ledger_claim(&ledger, claims, 3, on_reply, &calls);
    expect_sent(
        server,
        "PREPARE chime_claim: SELECT job_id, suspended, reason FROM chime.claim($1, $2, $3, $4, $5, $6, $7, $8)",
        "EXECUTE chime_claim(" TOKEN ", {42,42}, {3,3}, {\"schedule\",\"schedule\"}, {" SLOT "," SLOT "}, "
        "{" SLOT_BEFORE "," SLOT_BEFORE "}, {1001,1001}, "
        "{\"2026-03-27T00:00:00.5Z\",\"2026-03-27T00:00:00.5Z\"})",
        "PREPARE chime_reclaim: SELECT job_id, NULL, NULL FROM chime.reclaim($1, $2, $3, $4, $5, $6)",
        "EXECUTE chime_reclaim(" TOKEN ", {42}, {\"manual\"}, {" SLOT "}, {1001}, "
        "{\"2026-03-27T00:00:00.5Z\"})",
        "SYNC");
    answer_rows(server, 3, "42", NULL, NULL, "9000000000", NULL, NULL, NULL, "55", "suspended by ann");
    answer_rows(server, 3, "7", NULL, NULL, "-1", NULL, NULL);
    read_with(granted);
}
END_TEST

START_TEST(a_request_holds_only_the_kinds_there_are)
{
    know_a_job();
    const struct ledger_claim again = claim_of(true);
    ledger_claim(&ledger, &again, 1, on_reply, &calls);
    expect_sent(server, "PREPARE chime_reclaim: ...", "EXECUTE chime_reclaim(...", "SYNC");
    expect_nothing_sent(server);
}
END_TEST

static void nothing_granted(const struct pg_reply *reply)
{
    int64_t *ids;
    ck_assert_uint_eq(ledger_read_granted(reply, 1, &ids), 0);
    free(ids);
    ck_assert_str_eq(pg_reply_sqlstate(reply), LEDGER_NOT_LEADER);
}

START_TEST(a_leader_that_is_none_any_more_is_granted_nothing)
{
    know_a_job();
    const struct ledger_claim claim = claim_of(false);
    ledger_claim(&ledger, &claim, 1, on_reply, &calls);
    answer_error(server, "CH001", "not the leader");
    read_with(nothing_granted);
}
END_TEST

START_TEST(ends_and_attempts_to_come_go_to_functions_of_their_own)
{
    struct ledger_finish finishes[] = {
        {.job_id = 1,
         .kind = RUN_SCHEDULE,
         .slot = at(SLOT),
         .outcome =
             {.state = RUN_SUCCEEDED, .started = at(SLOT), .finished = at(SLOT), .rows = 5, .message = "UPDATE 5"},
         .retry_at = INSTANT_NONE},
        {.job_id = 2,
         .kind = RUN_MANUAL,
         .slot = at(SLOT),
         .outcome = {.state = RUN_FAILED,
                     .started = INSTANT_NONE,
                     .finished = at(SLOT),
                     .rows = -1,
                     .sqlstate = "22012",
                     .message = "say \"no\"",
                     .reason = "because"},
         .retry_at = INSTANT_NONE,
         .log_runs = LOG_RUNS_ERRORS},
        {.job_id = 3,
         .kind = RUN_SCHEDULE,
         .slot = at(SLOT),
         .outcome = {.state = RUN_FAILED, .started = at(SLOT), .finished = at(SLOT), .rows = -1, .sqlstate = "40001"},
         .retry_at = at("2026-03-27T01:31:00Z"),
         .log_runs = LOG_RUNS_OFF}};
    ledger_finish(&ledger, finishes, 3, on_reply, &calls);
    expect_sent(server,
                "PREPARE chime_finish: SELECT job_id FROM chime.finish($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, "
                "$12)",
                "EXECUTE chime_finish(" TOKEN ", {1,2}, {\"schedule\",\"manual\"}, {" SLOT "," SLOT "}, "
                "{\"succeeded\",\"failed\"}, {" SLOT ",NULL}, {" SLOT "," SLOT "}, {5,NULL}, {NULL,\"22012\"}, "
                "{\"UPDATE 5\",\"say \\\"no\\\"\"}, {NULL,\"because\"}, {\"all\",\"errors\"})",
                "PREPARE chime_retry: SELECT job_id FROM chime.retry($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
                "EXECUTE chime_retry(" TOKEN ", {3}, {\"schedule\"}, {" SLOT "}, {\"failed\"}, {" SLOT "}, {" SLOT "}, "
                "{\"40001\"}, {NULL}, {2026-03-27T01:31:00Z}, {\"off\"})",
                "SYNC");
}
END_TEST

START_TEST(missed_slots_go_as_ranges_and_skipped_ones_one_by_one)
{
    know_a_job();
    struct passed passed[] = {{.scheduled = scheduled,
                               .cursor = at(SLOT_BEFORE),
                               .first = at(SLOT),
                               .last = at("2026-03-27T04:00:00Z"),
                               .count = 6,
                               .missed = true,
                               .reason = "nothing led"},
                              {.scheduled = scheduled,
                               .cursor = at(SLOT_BEFORE),
                               .first = at(SLOT),
                               .last = at("2026-03-27T02:00:00Z"),
                               .at = at(SLOT),
                               .outcome = true,
                               .schedule = scheduled_job(scheduled)->schedule,
                               .reason = "still running"},
                              {.scheduled = scheduled,
                               .kind = RUN_DEPENDENCY,
                               .cursor = at(SLOT_BEFORE),
                               .first = at(SLOT),
                               .last = at(SLOT),
                               .at = at(SLOT),
                               .outcome = true,
                               .reason = "upstream a failed"}};
    ledger_pass(&ledger, passed, 3, on_reply, &calls);
    expect_sent(server, "PREPARE chime_miss: SELECT job_id FROM chime.miss($1, $2, $3, $4, $5, $6, $7)",
                "EXECUTE chime_miss(" TOKEN ", {42}, {" SLOT_BEFORE "}, {" SLOT "}, {2026-03-27T04:00:00Z}, {6}, "
                "{\"nothing led\"})",
                "PREPARE chime_skip: SELECT job_id FROM chime.skip($1, $2, $3, $4, $5, $6, $7, $8, $9)",
                "EXECUTE chime_skip(" TOKEN ", {42,42,42}, {\"schedule\",\"schedule\",\"dependency\"}, "
                "{" SLOT_BEFORE "," SLOT_BEFORE "," SLOT_BEFORE "}, {" SLOT ",2026-03-27T02:00:00Z," SLOT "}, "
                "{" SLOT "," SLOT "," SLOT "}, {\"still running\",\"still running\",\"upstream a failed\"}, {t,t,t}, "
                "{\"all\",\"all\",\"all\"})",
                "SYNC");
}
END_TEST

/* --- orphans ---------------------------------------------------------------------------------------------------------- */

static void orphans(const struct pg_reply *reply)
{
    struct ledger_orphan *found;
    ck_assert_uint_eq(ledger_read_orphans(reply, &found), 2);
    ck_assert_int_eq(found[0].run_id, 900);
    ck_assert_int_eq(found[0].job_id, 42);
    ck_assert_int_eq(found[0].kind, RUN_SCHEDULE);
    ck_assert_int_eq(found[0].slot, at(SLOT));
    ck_assert_int_eq(found[0].attempt, 2);
    ck_assert(found[0].waits && !found[0].gone && found[0].own && !found[0].done);
    ck_assert_int_eq(found[0].retry_at, at(SLOT));
    ck_assert(!found[1].waits && found[1].gone && !found[1].own && found[1].done);
    ck_assert_int_eq(found[1].retry_at, INSTANT_NONE);
    free(found);
}

START_TEST(orphans_are_asked_for_with_the_sessions_that_are_known)
{
    static const int known[] = {1000, 1001};
    ledger_orphans(&ledger, known, 2, on_reply, &calls);
    expect_sent(
        server,
        "PREPARE chime_orphans: SELECT run_id, job_id, kind, slot, attempt, waits, retry_at, gone, own, done ...",
        "EXECUTE chime_orphans(" TOKEN ", {1000,1001})", "SYNC");
    answer_rows(server, 10, "900", "42", "schedule", "2026-03-27 01:30:00+00", "2", "t", "2026-03-27 01:30:00+00", "f",
                "t", "f", "901", "43", "manual", "2026-03-27 01:30:00+00", "1", "f", NULL, "t", "f", "t");
    read_with(orphans);
}
END_TEST

static void no_orphans(const struct pg_reply *reply)
{
    struct ledger_orphan *found;
    ck_assert_uint_eq(ledger_read_orphans(reply, &found), 0);
    free(found);
}

START_TEST(a_leader_without_sessions_knows_none)
{
    ledger_orphans(&ledger, NULL, 0, on_reply, &calls);
    expect_sent(server, "PREPARE chime_orphans: ...", "EXECUTE chime_orphans(" TOKEN ", {})", "SYNC");
    answer_no_rows(server);
    read_with(no_orphans);
}
END_TEST

static void adopted(const struct pg_reply *reply)
{
    bool again = false;
    enum run_state state = RUN_DUE;
    ck_assert(ledger_read_adopted(reply, 900, &again, &state));
    ck_assert(again);
    ck_assert(ledger_read_adopted(reply, 901, &again, &state));
    ck_assert(!again);
    ck_assert_int_eq(state, RUN_LOST);
    ck_assert(!ledger_read_adopted(reply, 902, &again, &state)); /* a state that is none */
    ck_assert(!ledger_read_adopted(reply, 903, &again, &state));
}

START_TEST(verdicts_say_which_runs_go_on_and_when_and_the_answer_what_became_of_them)
{
    const struct ledger_verdict verdicts[] = {
        {.run_id = 900, .again = true, .retry_at = at(SLOT), .reason = "it may run again"},
        {.run_id = 901, .again = false, .retry_at = at(SLOT), .reason = NULL}};
    ledger_adopt(&ledger, verdicts, 2, on_reply, &calls);
    expect_sent(server,
                "QUERY SELECT run_id, ended FROM chime.adopt($1, $2, $3, $4, $5)(" TOKEN ", {900,901}, {t,f}, {" SLOT
                ",NULL}, {\"it may run again\",NULL})",
                "SYNC");
    answer_rows(server, 2, "900", NULL, "901", "lost", "902", "asleep");
    read_with(adopted);
}
END_TEST

START_TEST(runs_that_were_not_started_are_let_go_of)
{
    const struct ledger_request runs[] = {{.job_id = 42, .kind = RUN_SCHEDULE, .slot = at(SLOT)},
                                          {.job_id = 43, .kind = RUN_MANUAL, .slot = at(SLOT_BEFORE)}};
    ledger_release(&ledger, runs, 2, on_reply, &calls);
    expect_sent(server,
                "QUERY SELECT chime.release($1, $2, $3, $4)(" TOKEN ", {42,43}, {\"schedule\",\"manual\"}, {" SLOT
                "," SLOT_BEFORE "})",
                "SYNC");
}
END_TEST

START_TEST(cancelling_names_the_session_and_how)
{
    const struct pg_identity session = {.pid = 1001, .backend_start = "2026-03-27T00:00:00.5Z"};
    ledger_cancel(&ledger, &session, false, on_reply, &calls);
    ledger_cancel(&ledger, &session, true, on_reply, &calls);
    expect_sent(server, "PREPARE chime_cancel: SELECT chime.cancel_backend($1, $2, $3)",
                "EXECUTE chime_cancel(1001, 2026-03-27T00:00:00.5Z, f)", "SYNC",
                "EXECUTE chime_cancel(1001, 2026-03-27T00:00:00.5Z, t)", "SYNC");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ledger");
    TCase *tests = tcase_create("ledger");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, a_look_tells_who_sits_and_the_time);
    tcase_add_test(tests, a_seat_may_be_empty);
    tcase_add_loop_test(tests, a_look_that_fails_or_finds_no_row_tells_nothing, 0, 2);
    tcase_add_test(tests, an_instant_that_is_none_ends_the_process);
    tcase_add_test(tests, taking_over_names_the_token_that_was_seen_and_where_it_is);
    tcase_add_test(tests, a_silent_leader_is_ended_by_its_token_and_last_sign);
    tcase_add_test(tests, a_follower_names_itself_and_its_configuration);
    tcase_add_test(tests, taking_an_empty_seat_names_none_and_no_row_means_that_another_was_faster);
    tcase_add_test(tests, the_calls_that_only_carry_the_token);
    tcase_add_test(tests, a_heartbeat_tells_the_time_whether_the_token_leads_and_what_is_asked_for);
    tcase_add_test(tests, a_heartbeat_tells_when_another_leads);
    tcase_add_test(tests, a_heartbeat_may_fail);
    tcase_add_test(tests, claims_and_further_attempts_are_told_apart_in_one_request);
    tcase_add_test(tests, a_request_holds_only_the_kinds_there_are);
    tcase_add_test(tests, a_leader_that_is_none_any_more_is_granted_nothing);
    tcase_add_test(tests, ends_and_attempts_to_come_go_to_functions_of_their_own);
    tcase_add_test(tests, missed_slots_go_as_ranges_and_skipped_ones_one_by_one);
    tcase_add_test(tests, orphans_are_asked_for_with_the_sessions_that_are_known);
    tcase_add_test(tests, a_leader_without_sessions_knows_none);
    tcase_add_test(tests, verdicts_say_which_runs_go_on_and_when_and_the_answer_what_became_of_them);
    tcase_add_test(tests, runs_that_were_not_started_are_let_go_of);
    tcase_add_test(tests, cancelling_names_the_session_and_how);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
