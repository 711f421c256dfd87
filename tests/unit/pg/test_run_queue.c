/* SPDX-License-Identifier: PostgreSQL */
/* What a queue sends for a run of each kind, and what the answer makes of the run. */
#include <check.h>

#include "support/pg/one_run_queue.h"
#include "support/process/suite.h"

#define PREPARE_PERFORM \
    "PREPARE chime_perform: SELECT rows, residue FROM chime.perform($1, $2, $3, $4, $5, $6, $7, $8, $9)"

#define BEFORE "1970-01-01T00:05:00Z"
#define SET "QUERY SELECT pg_catalog.set_config($1, $2, false)"

/* --- a text that runs at most once -------------------------------------------------------------------------------- */

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
    job.options->lock_timeout = 250 * USEC_PER_MSEC;
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
    job.options->lock_timeout = USEC_PER_SEC;
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
    ck_assert_ptr_null(queue);
}
END_TEST

/* --- transactional runs ------------------------------------------------------------------------------------------- */

START_TEST(a_transactional_text_is_performed_and_marked_in_one_statement)
{
    become_command("UPDATE t SET a = 1", DELIVERY_TRANSACTIONAL);
    job.options->lock_timeout = USEC_PER_SEC;
    push_and_start();
    expect_sent(server, PREPARE_PERFORM,
                "EXECUTE chime_perform(token, 42, schedule, " SLOT ", 1000, UPDATE t SET a = 1, f, NULL, NULL)",
                "SYNC");
    answer_row(server, "5", "f");
    settle(loop);
    expect_end(0, RUN_END_KNOWN, RUN_SUCCEEDED, "");
    ck_assert_int_eq(ends[0].outcome.rows, 5);
}
END_TEST

/* The first answer of two: the run is not over. The bounds are the ledger's: here they are numbers of its text. */
START_TEST(a_job_with_a_cursor_goes_on_until_there_is_no_more)
{
    bool more = _i == 0;
    become_command("SELECT $cursor_start < $cursor_end", DELIVERY_TRANSACTIONAL);
    job.options->cursor = CURSOR_SEQUENCE;
    job.options->cursor_source = "public.t.id";
    push_and_start();
    expect_sent(
        server,
        "PREPARE chime_pipeline: SELECT rows, residue, more FROM chime.perform_pipeline($1, $2, $3, $4, $5, $6, "
        "$7, $8, $9, $10)",
        "EXECUTE chime_pipeline(token, 42, schedule, " SLOT ", NULL, SELECT $8            < $9         , NULL, "
        "{\"" SLOT "\",NULL,NULL,NULL,\"17\",\"1\"}, sequence, public.t.id)",
        "SYNC");
    answer_row(server, "5", "t", more ? "t" : "f");
    settle(loop);
    expect_end(0, more ? RUN_END_MORE : RUN_END_KNOWN, RUN_SUCCEEDED, "");
}
END_TEST

START_TEST(a_chunk_that_is_committed_while_its_run_is_cancelled_is_the_last)
{
    become_command("SELECT true", DELIVERY_TRANSACTIONAL);
    job.options->cursor = CURSOR_CHUNK;
    push_and_start();
    run_queue_cancel_current(queue, "enough");
    answer_row(server, "5", "t", "t");
    settle(loop);
    expect_end(0, RUN_END_KNOWN, RUN_CANCELLED, "enough");
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
                  "EXECUTE chime_perform(token, 42, event, " SLOT ", NULL, SELECT f($1), t, it's, NULL)"},
                 {"SELECT f($1)", DELIVERY_AT_MOST_ONCE, "it's", "QUERY SELECT f($1)(it's) text"},
                 {"SELECT f($1)", DELIVERY_AT_LEAST_ONCE, "", "QUERY SELECT f($1)() text"},
                 {"SELECT f($1)", DELIVERY_AT_MOST_ONCE, NULL, "QUERY SELECT f($1)(NULL) text"},
                 {"SELECT '$1'", DELIVERY_AT_MOST_ONCE, "it's", "QUERY SELECT '$1'()"},
                 {"SELECT 1; SELECT $1", DELIVERY_AT_MOST_ONCE, "it's", "TEXT SELECT 1; SELECT $1"}};
    become_command(cases[_i].text, cases[_i].delivery);
    struct run *run = claimed_run(&job);
    if (cases[_i].payload != NULL) {
        run->kind = RUN_EVENT;
        run->payload = xstrdup(cases[_i].payload);
    }
    run_queue_push(queue, run);
    settle(loop);
    if (cases[_i].delivery == DELIVERY_TRANSACTIONAL) {
        expect_sent(server, PREPARE_PERFORM);
    }
    expect_sent(server, cases[_i].sent);
}
END_TEST

/* A slot of every five minutes. */
START_TEST(the_slot_goes_with_a_text_that_has_a_use_for_it)
{
    static const struct {
        const char *text;
        enum delivery delivery;
        const char *sent;
    } cases[] = {{"SELECT f($slot)", DELIVERY_AT_MOST_ONCE,
                  "QUERY SELECT f($2   )(NULL, " SLOT ", " BEFORE ", " BEFORE ", " SLOT ", 17, 1)"
                  " text timestamptz timestamptz timestamptz timestamptz bigint integer"},
                 {"SELECT f($slot)", DELIVERY_TRANSACTIONAL,
                  "EXECUTE chime_perform(token, 42, schedule, " SLOT ", NULL, SELECT f($2   ), t, NULL, {\"" SLOT
                  "\",\"" BEFORE "\",\"" BEFORE "\",\"" SLOT "\",\"17\",\"1\"})"},
                 {"SELECT current_setting('chime.run_id')", DELIVERY_TRANSACTIONAL,
                  "EXECUTE chime_perform(token, 42, schedule, " SLOT
                  ", NULL, SELECT current_setting('chime.run_id'), t, NULL, {\"" SLOT "\",\"" BEFORE "\",\"" BEFORE
                  "\",\"" SLOT "\",\"17\",\"1\"})"}};
    become_command(cases[_i].text, cases[_i].delivery);
    become_scheduled("*/5 * * * *");
    push_and_start();
    if (cases[_i].delivery == DELIVERY_TRANSACTIONAL) {
        expect_sent(server, PREPARE_PERFORM);
    }
    expect_sent(server, cases[_i].sent, "SYNC");
}
END_TEST

START_TEST(its_settings_are_set_before_a_text_that_may_read_them_goes_out)
{
    static const char *const texts[] = {"CALL load($slot)", "SELECT 1; SELECT current_setting('chime.slot')"};
    become_command(texts[_i], DELIVERY_AT_MOST_ONCE);
    become_scheduled("*/5 * * * *");
    push_and_start();
    expect_sent(server, SET "(chime.payload, )", SET "(chime.slot, " SLOT ")", SET "(chime.previous_slot, " BEFORE ")",
                SET "(chime.interval_start, " BEFORE ")", SET "(chime.interval_end, " SLOT ")",
                SET "(chime.run_id, 17)", SET "(chime.attempt, 1)", "SYNC");
    expect_nothing_sent(server);
    for (int i = 0; i < 7; i++) {
        answer_row(server, "");
    }
    settle(loop);
    expect_sent(server, _i == 0 ? "QUERY CALL load($2   )(..." : "TEXT SELECT 1; SELECT current_setting('chime.slot')");
}
END_TEST

START_TEST(a_text_that_only_reads_says_so)
{
    static const struct {
        const char *text;
        const char *sent;
    } cases[] = {{"/* a */ SELECT 1",
                  "EXECUTE chime_perform(token, 42, schedule, " SLOT ", NULL, /* a */ SELECT 1, t, NULL, NULL)"},
                 {"SELECT 1; SELECT 2",
                  "EXECUTE chime_perform(token, 42, schedule, " SLOT ", NULL, SELECT 1; SELECT 2, f, NULL, NULL)"},
                 {"", "EXECUTE chime_perform(token, 42, schedule, " SLOT ", NULL, , f, NULL, NULL)"}};
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

START_TEST(views_are_refreshed_and_marked_in_one_statement)
{
    define_refresh(&job);
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

int main(void)
{
    Suite *suite = suite_create("queue");
    TCase *tests = tcase_create("queue");
    tcase_add_checked_fixture(tests, run_queue_set_up, run_queue_tear_down);
    tcase_add_test(tests, a_statement_goes_out_as_it_is_and_its_tag_is_the_message);
    tcase_add_test(tests, a_failure_carries_the_servers_words);
    tcase_add_test(tests, several_statements_go_out_as_a_text);
    tcase_add_loop_test(tests, a_lock_timeout_is_set_before_the_text_goes_out, 0, 2);
    tcase_add_test(tests, a_lock_timeout_that_cannot_be_set_fails_the_run);
    tcase_add_test(tests, a_transaction_left_open_is_rolled_back_and_is_a_failure);
    tcase_add_test(tests, a_failed_transaction_left_open_keeps_its_error);
    tcase_add_test(tests, a_session_that_goes_while_a_transaction_is_undone_leaves_a_known_failure);
    tcase_add_test(tests, a_transactional_text_is_performed_and_marked_in_one_statement);
    tcase_add_loop_test(tests, a_job_with_a_cursor_goes_on_until_there_is_no_more, 0, 2);
    tcase_add_test(tests, a_chunk_that_is_committed_while_its_run_is_cancelled_is_the_last);
    tcase_add_loop_test(tests, a_payload_goes_with_a_text_that_is_performed_or_has_a_place_for_it, 0, 6);
    tcase_add_loop_test(tests, the_slot_goes_with_a_text_that_has_a_use_for_it, 0, 3);
    tcase_add_loop_test(tests, its_settings_are_set_before_a_text_that_may_read_them_goes_out, 0, 2);
    tcase_add_loop_test(tests, a_text_that_only_reads_says_so, 0, 3);
    tcase_add_test(tests, rows_may_be_unknown);
    tcase_add_test(tests, views_are_refreshed_and_marked_in_one_statement);
    tcase_add_test(tests, a_run_that_the_ledger_does_not_know_is_disowned);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
