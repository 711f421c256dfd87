/* SPDX-License-Identifier: PostgreSQL */
/* What the ledger's calls for runs send, word by word, and how their answers are read. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "ledger/totals.h"
#include "ledger/write_queue.h"
#include "support/pg/ledger_calls.h"
#include "support/process/suite.h"

/* --- runs --------------------------------------------------------------------------------------------------------- */

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
    struct ledger_grant *grants;
    ck_assert_uint_eq(ledger_read_grants(reply, &grants), 4);
    static const struct ledger_grant sorted[] = {{-1, 14}, {7, 13}, {42, 11}, {9000000000, 12}};
    ck_assert_int_eq(memcmp(grants, sorted, sizeof(sorted)), 0);
    ck_assert_int_eq(ledger_find_grant(grants, 4, 42)->run_id, 11);
    ck_assert_ptr_null(ledger_find_grant(grants, 4, 55));
    ck_assert_str_eq(ledger_read_suspended(reply, 55), "suspended by ann");
    ck_assert_ptr_null(ledger_read_suspended(reply, 42));
    ck_assert(ledger_read_ahead(reply, 56) && !ledger_read_ahead(reply, 55));
    free(grants);
}

START_TEST(claims_and_further_attempts_are_told_apart_in_one_request)
{
    know_a_job();
    const struct ledger_claim claims[] = {claim_of(false), claim_of(true), claim_of(false)};
    ledger_claim(&ledger, claims, 3, on_reply, &calls);
    expect_sent(
        server,
        "PREPARE chime_claim: SELECT job_id, suspended, reason, ahead, run_id FROM chime.claim($1, $2, $3, $4, $5, $6, "
        "$7, $8)",
        "EXECUTE chime_claim(" TOKEN ", {42,42}, {3,3}, {\"schedule\",\"schedule\"}, {" SLOT "," SLOT "}, "
        "{" SLOT_BEFORE "," SLOT_BEFORE "}, {1001,1001}, "
        "{\"2026-03-27T00:00:00.5Z\",\"2026-03-27T00:00:00.5Z\"})",
        "PREPARE chime_reclaim: SELECT job_id, NULL, NULL, NULL, run_id FROM chime.reclaim($1, $2, $3, $4, $5, $6)",
        "EXECUTE chime_reclaim(" TOKEN ", {42}, {\"manual\"}, {" SLOT "}, {1001}, "
        "{\"2026-03-27T00:00:00.5Z\"})",
        "SYNC");
    answer_rows(server, 5, "42", NULL, NULL, NULL, "11", "9000000000", NULL, NULL, NULL, "12", NULL, "55",
                "suspended by ann", NULL, NULL, NULL, NULL, NULL, "56", NULL);
    answer_rows(server, 5, "7", NULL, NULL, NULL, "13", "-1", NULL, NULL, NULL, "14");
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

static void ignore_refusal(void *data, const struct pg_reply *reply)
{
    (void)data;
    (void)reply;
}

static void ignore_taken(void *data)
{
    (void)data;
}

/* What follows from an end is claimed behind it, on the same session. So nothing may stand before an end in its queue
 * that waits for an answer. */
START_TEST(totals_on_their_way_hold_up_no_end)
{
    static const struct write_queue_handlers handlers = {.refused = ignore_refusal, .taken = ignore_taken};
    struct run_totals totals = {0};
    const struct ledger_finish finish = {.job_id = 1,
                                         .kind = RUN_SCHEDULE,
                                         .slot = at(SLOT),
                                         .outcome = {.state = RUN_SUCCEEDED, .started = at(SLOT), .finished = at(SLOT)},
                                         .retry_at = INSTANT_NONE,
                                         .outcome_at = at(SLOT)};
    ledger.ends = write_queue_create(loop, ledger.connection, &handlers, NULL);
    run_totals_slots(&totals, RUN_SCHEDULE, RUN_MISSED, at(SLOT), 3);
    ledger_add_totals(&ledger, &totals, on_reply, &calls);
    expect_sent(server, "PREPARE chime_add_totals: ...", "EXECUTE chime_add_totals(...", "SYNC");
    ledger_finish(&ledger, &finish, 1, NULL, on_reply, &calls);
    expect_sent(server, "PREPARE chime_finish: ...", "EXECUTE chime_finish(...", "SYNC");
    run_totals_finish(&totals);
    write_queue_destroy(ledger.ends);
    ledger.ends = NULL;
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
         .retry_at = INSTANT_NONE,
         .outcome_at = at(SLOT)},
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
         .log_runs = LOG_RUNS_ERRORS,
         .outcome_at = at(SLOT)},
        {.job_id = 3,
         .kind = RUN_SCHEDULE,
         .slot = at(SLOT),
         .outcome = {.state = RUN_FAILED, .started = at(SLOT), .finished = at(SLOT), .rows = -1, .sqlstate = "40001"},
         .retry_at = at("2026-03-27T01:31:00Z"),
         .log_runs = LOG_RUNS_OFF}};
    ledger_finish(&ledger, finishes, 3, NULL, on_reply, &calls);
    expect_sent(
        server,
        "PREPARE chime_finish: SELECT job_id, state FROM chime.finish($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11, "
        "$12, $13)",
        "EXECUTE chime_finish(" TOKEN ", {1,2}, {\"schedule\",\"manual\"}, {" SLOT "," SLOT "}, "
        "{\"succeeded\",\"failed\"}, {" SLOT ",NULL}, {" SLOT "," SLOT "}, {5,NULL}, {NULL,\"22012\"}, "
        "{\"UPDATE 5\",\"say \\\"no\\\"\"}, {NULL,\"because\"}, {\"all\",\"errors\"}, {" SLOT "," SLOT "})",
        "PREPARE chime_retry: SELECT job_id FROM chime.retry($1, $2, $3, $4, $5, $6, $7, $8, $9, $10, $11)",
        "EXECUTE chime_retry(" TOKEN ", {3}, {\"schedule\"}, {" SLOT "}, {\"failed\"}, {" SLOT "}, {" SLOT "}, "
        "{\"40001\"}, {NULL}, {2026-03-27T01:31:00Z}, {\"off\"})",
        "SYNC");
}
END_TEST

START_TEST(missed_slots_go_as_ranges_and_skipped_ones_one_by_one)
{
    know_a_job();
    struct skipped passed[] = {{.scheduled = scheduled,
                                .cursor = at(SLOT_BEFORE),
                                .first = at(SLOT),
                                .last = at("2026-03-27T04:00:00Z"),
                                .count = 6,
                                .missed = true,
                                .at = at(SLOT),
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
    ledger_skip(&ledger, passed, 3, on_reply, &calls);
    expect_sent(server, "PREPARE chime_miss: SELECT job_id FROM chime.miss($1, $2, $3, $4, $5, $6, $7, $8)",
                "EXECUTE chime_miss(" TOKEN ", {42}, {" SLOT_BEFORE "}, {" SLOT "}, {2026-03-27T04:00:00Z}, {6}, "
                "{\"nothing led\"}, {" SLOT "})",
                "PREPARE chime_skip: SELECT job_id FROM chime.skip($1, $2, $3, $4, $5, $6, $7, $8, $9)",
                "EXECUTE chime_skip(" TOKEN ", {42,42,42}, {\"schedule\",\"schedule\",\"dependency\"}, "
                "{" SLOT_BEFORE "," SLOT_BEFORE "," SLOT_BEFORE "}, {" SLOT ",2026-03-27T02:00:00Z," SLOT "}, "
                "{" SLOT "," SLOT "," SLOT "}, {\"still running\",\"still running\",\"upstream a failed\"}, {t,t,t}, "
                "{\"all\",\"all\",\"all\"})",
                "SYNC");
}
END_TEST

START_TEST(runs_that_were_not_started_are_let_go_of)
{
    const struct ledger_request runs[] = {{.job_id = 42, .kind = RUN_SCHEDULE, .slot = at(SLOT)},
                                          {.job_id = 43, .kind = RUN_MANUAL, .slot = at(SLOT_BEFORE)}};
    ledger_release(&ledger, runs, 2, at(SLOT), on_reply, &calls);
    expect_sent(server,
                "QUERY SELECT chime.release($1, $2, $3, $4, $5)(" TOKEN ", {42,43}, {\"schedule\",\"manual\"}, {" SLOT
                "," SLOT_BEFORE "}, " SLOT ")",
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
    Suite *suite = suite_create("ledger_runs");
    TCase *tests = tcase_create("ledger_runs");
    tcase_add_checked_fixture(tests, ledger_set_up, ledger_tear_down);
    tcase_add_test(tests, claims_and_further_attempts_are_told_apart_in_one_request);
    tcase_add_test(tests, a_request_holds_only_the_kinds_there_are);
    tcase_add_test(tests, a_leader_that_is_none_any_more_is_granted_nothing);
    tcase_add_test(tests, totals_on_their_way_hold_up_no_end);
    tcase_add_test(tests, ends_and_attempts_to_come_go_to_functions_of_their_own);
    tcase_add_test(tests, missed_slots_go_as_ranges_and_skipped_ones_one_by_one);
    tcase_add_test(tests, runs_that_were_not_started_are_let_go_of);
    tcase_add_test(tests, cancelling_names_the_session_and_how);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
