/* SPDX-License-Identifier: PostgreSQL */
/* What the ledger's calls send, word by word, and how their answers are read: the leader lock, its heartbeat, and
 * unfinished runs. Runs are in test_ledger_runs.c. */
#include <check.h>
#include <stdlib.h>

#include "support/pg/ledger_calls.h"
#include "support/process/abort_trap.h"
#include "support/process/suite.h"

/* --- the leader lock ---------------------------------------------------------------------------------------------- */

static void expect_led(const struct pg_lineage *led)
{
    ck_assert_str_eq(led->system, "7312");
    ck_assert_int_eq(led->timeline, 3);
}

static void a_held_leader_lock(const struct pg_reply *reply)
{
    struct leader_lock lock;
    ck_assert(ledger_read_leader_lock(reply, &lock));
    ck_assert_str_eq(lock.token, TOKEN);
    ck_assert_str_eq(lock.instance, "db1:4711");
    ck_assert_str_eq(lock.configuration, "cafe");
    ck_assert(lock.held);
    ck_assert_str_eq(lock.sign, "2026-03-27 01:29:59+00");
    ck_assert_int_eq(lock.now, at("2026-03-27T01:30:00.25Z"));
    ck_assert_str_eq(lock.waits, "commits wait");
    expect_led(&lock.led);
    ck_assert_str_eq(lock.copy_of, "this is a copy of database app");
    ck_assert_int_eq(lock.migration, 28);
    ck_assert_str_eq(lock.functions, "0.1.0");
}

START_TEST(a_look_tells_who_sits_and_the_time)
{
    ledger_check_leader(ledger.connection, on_reply, &calls);
    expect_sent(server, "PREPARE chime_change_check: SELECT l.token, l.instance, ...", "EXECUTE chime_change_check()",
                "SYNC");
    answer_row(server, TOKEN, "db1:4711", "cafe", "t", "2026-03-27 01:29:59+00", "2026-03-27 01:30:00.25+00",
               "2026-03-26 00:00:00+00", "7312", "3", "commits wait", "this is a copy of database app", "28", "0.1.0",
               "t");
    read_with(a_held_leader_lock);
}
END_TEST

static void an_empty_leader_lock(const struct pg_reply *reply)
{
    struct leader_lock lock;
    ck_assert(ledger_read_leader_lock(reply, &lock));
    ck_assert_str_eq(lock.token, "");
    ck_assert_str_eq(lock.instance, "");
    ck_assert(!lock.held);
    ck_assert_str_eq(lock.sign, "");
    ck_assert_str_eq(lock.waits, "");
    ck_assert_int_eq(lock.led.timeline, 0);
    ck_assert_str_eq(lock.copy_of, "");
}

START_TEST(a_leader_lock_may_be_empty)
{
    ledger_check_leader(ledger.connection, on_reply, &calls);
    answer_row(server, NULL, NULL, NULL, "f", NULL, "2026-03-27 01:30:00+00", "2026-03-26 00:00:00+00", NULL, NULL,
               NULL, NULL, "28", NULL);
    read_with(an_empty_leader_lock);
}
END_TEST

static void no_leader_lock(const struct pg_reply *reply)
{
    struct leader_lock lock = {.held = true};
    ck_assert(!ledger_read_leader_lock(reply, &lock));
    ck_assert(!lock.held);
}

START_TEST(a_look_that_fails_or_finds_no_row_tells_nothing)
{
    ledger_check_leader(ledger.connection, on_reply, &calls);
    if (_i == 0) {
        answer_no_rows(server);
    } else {
        answer_error(server, "42P01", "relation \"chime.leader\" does not exist");
    }
    read_with(no_leader_lock);
}
END_TEST

static void read_bad_instant(void *reply)
{
    struct leader_lock lock;
    ledger_read_leader_lock(reply, &lock);
}

static void a_fatal_leader_lock(const struct pg_reply *reply)
{
    ck_assert(aborts(read_bad_instant, (void *)(uintptr_t)reply));
}

START_TEST(an_instant_that_is_none_ends_the_process)
{
    ledger_check_leader(ledger.connection, on_reply, &calls);
    answer_row(server, TOKEN, "db1", "cafe", "t", "", "yesterday", "yesterday", NULL, NULL);
    read_with(a_fatal_leader_lock);
}
END_TEST

static void seated(const struct pg_reply *reply)
{
    struct ledger taken = {0};
    ck_assert(ledger_read_leading(reply, &taken));
    ck_assert_int_eq(taken.epoch, 8);
    ck_assert_str_eq(taken.token, "new-token");
}

static void not_seated(const struct pg_reply *reply)
{
    struct ledger taken = {0};
    ck_assert(!ledger_read_leading(reply, &taken));
    ck_assert_str_eq(taken.token, "");
}

START_TEST(taking_over_names_the_token_that_was_seen_and_where_it_is)
{
    struct leader_lock seen = {.token = "old-token"};
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

START_TEST(taking_an_empty_leader_lock_names_none_and_no_row_means_that_another_was_faster)
{
    struct leader_lock seen = {0};
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
    struct leader_lock lock = {.token = "old-token", .sign = "then"};
    ledger_end_silent(ledger.connection, &lock, NULL, NULL);
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
    ledger_request_population(&ledger, at(SLOT), true, NULL, NULL);
    expect_sent(server, "QUERY SELECT chime.resign($1)(" TOKEN ")", "SYNC",
                "QUERY SELECT chime.request_population($1, $2, $3)(" TOKEN ", " SLOT ", t)", "SYNC");
}
END_TEST

/* --- the heartbeat ------------------------------------------------------------------------------------------------ */

static void a_heartbeat_with_requests(const struct pg_reply *reply)
{
    struct ledger_heartbeat heartbeat;
    struct open_request *requests;
    size_t count;
    ck_assert(ledger_read_heartbeat(reply, &heartbeat));
    ck_assert(heartbeat.leads);
    ck_assert_int_eq(heartbeat.now, at(SLOT));
    ck_assert_int_eq(heartbeat.migration, 28);
    ck_assert_str_eq(heartbeat.functions, "0.1.0");
    ck_assert(ledger_read_requests(reply, &requests, &count, NULL));
    ck_assert_uint_eq(count, 2);
    ck_assert_int_eq(requests[0].request_id, 7);
    ck_assert_int_eq(requests[0].verb, LEDGER_RUN);
    ck_assert_int_eq(requests[0].run.job_id, 42);
    ck_assert_int_eq(requests[0].run.kind, RUN_MANUAL);
    ck_assert_int_eq(requests[0].run.slot, at(SLOT));
    ck_assert_ptr_null(requests[0].reason);
    ck_assert_int_eq(requests[1].verb, LEDGER_SUSPEND);
    ck_assert_int_eq(requests[1].run.job_id, 43);
    ck_assert_str_eq(requests[1].reason, "suspended by ann");
    ledger_free_requests(requests, 2);
}

START_TEST(a_heartbeat_tells_the_time_whether_the_token_leads_and_what_is_asked_for)
{
    ledger_heartbeat(&ledger, on_reply, &calls);
    expect_sent(
        server,
        "PREPARE chime_heartbeat: SELECT pg_catalog.clock_timestamp(), EXISTS (SELECT FROM chime.leader l WHERE "
        "l.token = $1), (SELECT coalesce(pg_catalog.max(m.number), 0) FROM chime.migration m), (SELECT f.version FROM "
        "chime.function_set f), chime.is_watched()",
        "EXECUTE chime_heartbeat(" TOKEN ")",
        "PREPARE chime_open_requests: SELECT request_id, verb, job_id, kind, slot, reason FROM chime.open_requests()",
        "EXECUTE chime_open_requests()", "SYNC");
    answer_row(server, "2026-03-27 01:30:00+00", "t", "28", "0.1.0", "t");
    answer_rows(server, 6, "7", "run", "42", "manual", "2026-03-27 01:30:00+00", NULL, "8", "suspend", "43", NULL, NULL,
                "suspended by ann");
    read_with(a_heartbeat_with_requests);
}
END_TEST

static void a_heartbeat_of_another(const struct pg_reply *reply)
{
    struct ledger_heartbeat heartbeat = {.leads = true};
    struct open_request *requests;
    size_t count;
    ck_assert(ledger_read_heartbeat(reply, &heartbeat));
    ck_assert(!heartbeat.leads);
    ck_assert(ledger_read_requests(reply, &requests, &count, NULL));
    ck_assert_uint_eq(count, 0);
    ledger_free_requests(requests, 0);
}

/* What a newer program may have written. */
static void a_heartbeat_with_unknown_words(const struct pg_reply *reply)
{
    struct open_request *requests;
    size_t count;
    struct error err;
    ck_assert(!ledger_read_requests(reply, &requests, &count, &err));
    ck_assert_int_eq(err.kind, ERROR_REFUSED);
    ck_assert_ptr_nonnull(strstr(err.message, "\"future\", which this pgchime does not know"));
}

START_TEST(a_request_that_the_program_does_not_know_is_an_error)
{
    ledger_heartbeat(&ledger, on_reply, &calls);
    answer_row(server, "2026-03-27 01:30:00+00", "t", "28", "0.1.0", "t");
    answer_rows(server, 6, "7", "suspend", "43", NULL, NULL, "a reason", "8", _i == 0 ? "future" : "run", "42",
                _i == 0 ? "manual" : "future", "2026-03-27 01:30:00+00", "another");
    read_with(a_heartbeat_with_unknown_words);
}
END_TEST

START_TEST(a_heartbeat_tells_when_another_leads)
{
    ledger_heartbeat(&ledger, on_reply, &calls);
    answer_row(server, "2026-03-27 01:30:00+00", "f", "28", "0.1.0", "t");
    answer_no_rows(server);
    read_with(a_heartbeat_of_another);
}
END_TEST

static void no_heartbeat(const struct pg_reply *reply)
{
    struct ledger_heartbeat heartbeat;
    ck_assert(!ledger_read_heartbeat(reply, &heartbeat));
}

START_TEST(a_heartbeat_may_fail)
{
    ledger_heartbeat(&ledger, on_reply, &calls);
    answer_error(server, "57014", "canceling statement due to statement timeout");
    read_with(no_heartbeat);
}
END_TEST

/* --- unfinished runs ---------------------------------------------------------------------------------------------- */

static void unfinished(const struct pg_reply *reply)
{
    struct unfinished_run *found = NULL;
    size_t count = 0;
    int64_t from;
    ck_assert(ledger_read_unfinished(reply, &found, &count, &from, NULL));
    ck_assert_int_eq(from, 43);
    ck_assert_uint_eq(count, 2);
    ck_assert(ledger_read_unfinished(reply, &found, &count, &from, NULL));
    ck_assert_int_eq(from, 43);
    ck_assert_uint_eq(count, 4); /* the next page goes behind it */
    ck_assert_int_eq(found[0].run_id, 900);
    ck_assert_int_eq(found[0].job_id, 42);
    ck_assert_int_eq(found[0].kind, RUN_SCHEDULE);
    ck_assert_int_eq(found[0].slot, at(SLOT));
    ck_assert_int_eq(found[0].attempt, 2);
    ck_assert(found[0].waits && !found[0].gone && found[0].own && !found[0].done);
    ck_assert_int_eq(found[0].retry_at, at(SLOT));
    ck_assert(!found[1].waits && found[1].gone && !found[1].own && found[1].done);
    ck_assert(found[0].missed_after && !found[1].missed_after);
    ck_assert_int_eq(found[1].retry_at, INSTANT_NONE);
    free(found);
}

START_TEST(unfinished_runs_are_asked_for_with_the_sessions_that_are_known)
{
    static const int known[] = {1000, 1001};
    ledger_unfinished(&ledger, known, 2, 500, on_reply, &calls);
    expect_sent(server,
                "PREPARE chime_unfinished_runs: SELECT run_id, job_id, kind, slot, attempt, waits, retry_at, gone, "
                "own, done, missed_after ...",
                "EXECUTE chime_unfinished_runs(" TOKEN ", {1000,1001}, 500)", "SYNC");
    answer_rows(server, 11, "900", "42", "schedule", "2026-03-27 01:30:00+00", "2", "t", "2026-03-27 01:30:00+00", "f",
                "t", "f", "t", "901", "43", "manual", "2026-03-27 01:30:00+00", "1", "f", NULL, "t", "f", "t", "f",
                NULL, "43", NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL);
    read_with(unfinished);
}
END_TEST

static void none_unfinished(const struct pg_reply *reply)
{
    struct unfinished_run *found = NULL;
    size_t count = 0;
    int64_t from;
    ck_assert(ledger_read_unfinished(reply, &found, &count, &from, NULL));
    ck_assert_int_eq(from, 0);
    ck_assert_uint_eq(count, 0);
    free(found);
}

START_TEST(a_leader_without_sessions_knows_none)
{
    ledger_unfinished(&ledger, NULL, 0, 0, on_reply, &calls);
    expect_sent(server, "PREPARE chime_unfinished_runs: ...", "EXECUTE chime_unfinished_runs(" TOKEN ", {}, 0)",
                "SYNC");
    answer_no_rows(server);
    read_with(none_unfinished);
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
        {.job_id = 42,
         .run_id = 900,
         .again = true,
         .retry_at = at(SLOT),
         .outcome_at = at(SLOT),
         .reason = "it may run again"},
        {.job_id = 43, .run_id = 901, .again = false, .retry_at = at(SLOT), .outcome_at = at(SLOT), .reason = NULL}};
    ledger_adopt(&ledger, verdicts, 2, at(SLOT), on_reply, &calls);
    expect_sent(server,
                "QUERY SELECT run_id, ended, kind, slot, attempt, started_at, finished_at FROM chime.adopt($1, $2, $3, "
                "$4, $5, $6, $7, $8)(" TOKEN ", {42,43}, {900,901}, {t,f}, {" SLOT
                ",NULL}, {\"it may run again\",NULL}, " SLOT ", {" SLOT "," SLOT "})",
                "SYNC");
    answer_rows(server, 2, "900", NULL, "901", "lost", "902", "asleep");
    read_with(adopted);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ledger");
    TCase *tests = tcase_create("ledger");
    tcase_add_checked_fixture(tests, ledger_set_up, ledger_tear_down);
    tcase_add_test(tests, a_look_tells_who_sits_and_the_time);
    tcase_add_test(tests, a_leader_lock_may_be_empty);
    tcase_add_loop_test(tests, a_look_that_fails_or_finds_no_row_tells_nothing, 0, 2);
    tcase_add_test(tests, an_instant_that_is_none_ends_the_process);
    tcase_add_test(tests, taking_over_names_the_token_that_was_seen_and_where_it_is);
    tcase_add_test(tests, taking_an_empty_leader_lock_names_none_and_no_row_means_that_another_was_faster);
    tcase_add_test(tests, a_silent_leader_is_ended_by_its_token_and_last_sign);
    tcase_add_test(tests, a_follower_names_itself_and_its_configuration);
    tcase_add_test(tests, the_calls_that_only_carry_the_token);
    tcase_add_test(tests, a_heartbeat_tells_the_time_whether_the_token_leads_and_what_is_asked_for);
    tcase_add_test(tests, a_heartbeat_tells_when_another_leads);
    tcase_add_loop_test(tests, a_request_that_the_program_does_not_know_is_an_error, 0, 2);
    tcase_add_test(tests, a_heartbeat_may_fail);
    tcase_add_test(tests, unfinished_runs_are_asked_for_with_the_sessions_that_are_known);
    tcase_add_test(tests, a_leader_without_sessions_knows_none);
    tcase_add_test(tests, verdicts_say_which_runs_go_on_and_when_and_the_answer_what_became_of_them);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
