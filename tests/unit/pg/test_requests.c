/* SPDX-License-Identifier: PostgreSQL */
/* Requests and their answers; texts and the end of a connection are in test_texts.c. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/libpq/libpq_script_session.h"
#include "support/process/suite.h"

/* --- pipelines ---------------------------------------------------------------------------------------------------- */

START_TEST(requests_go_out_at_once_and_are_answered_in_order)
{
    static struct answer first;
    static struct answer second;
    const char *parameters[] = {"7", NULL};
    struct pg_statement statement = {.sql = "SELECT $1, $2", .parameter_count = 2, .parameters = parameters};
    pg_send(connection, &statement, 1, keep, &first);
    send_sql(NULL, "SELECT 2", &second);
    expect_sent(server, "QUERY SELECT $1, $2(7, NULL)", "SYNC", "QUERY SELECT 2()", "SYNC");
    ck_assert(pg_is_ready(connection) && !pg_is_idle(connection));
    answer_row(server, "7", NULL);
    settle(loop);
    ck_assert_int_eq(first.calls, 1);
    ck_assert_int_eq(second.calls, 0);
    answer_row(server, "2");
    settle(loop);
    ck_assert_int_eq(second.turn, 2);
    ck_assert(first.ok && second.ok);
    ck_assert_str_eq(first.first[0], "7");
    ck_assert_str_eq(second.first[0], "2");
    ck_assert(pg_is_idle(connection));
}
END_TEST

static void keep_nulls(void *data, const struct pg_reply *reply)
{
    bool *null = data;
    null[0] = pg_reply_value(reply, 0, 0, 0) == NULL;
    null[1] = pg_reply_value(reply, 0, 0, 1) == NULL;
    null[2] = pg_reply_value(reply, 1, 0, 0) == NULL;
}

START_TEST(sql_nulls_and_values_of_statements_without_rows_read_null)
{
    bool null[3] = {false};
    static const struct pg_statement statements[] = {{.sql = "SELECT NULL, 'x'"}, {.sql = "FAILS"}};
    pg_send(connection, statements, 2, keep_nulls, null);
    answer_row(server, NULL, "x");
    answer_error(server, "42601", "syntax error");
    settle(loop);
    ck_assert(null[0] && !null[1] && null[2]);
}
END_TEST

START_TEST(statements_of_one_request_share_a_synchronisation_point_and_keep_their_rows)
{
    static struct answer answer;
    static const struct pg_statement statements[] = {{.sql = "BEGIN"}, {.sql = "SELECT a"}, {.sql = "SELECT b"}};
    pg_send(connection, statements, 3, keep, &answer);
    expect_sent(server, "QUERY BEGIN()", "QUERY SELECT a()", "QUERY SELECT b()", "SYNC");
    expect_nothing_sent(server);
    answer_done(server, "BEGIN");
    answer_rows(server, 1, "a1", "a2");
    answer_no_rows(server);
    settle(loop);
    ck_assert(answer.ok);
    ck_assert_uint_eq(answer.rows[0], 0);
    ck_assert_uint_eq(answer.rows[1], 2);
    ck_assert_str_eq(answer.first[1], "a1");
    ck_assert_uint_eq(answer.rows[2], 0);
    ck_assert_uint_eq(answer.rows[3], 0);
    ck_assert_str_eq(answer.tag, "SELECT 0");
    ck_assert_int_eq(answer.affected, 0);
}
END_TEST

START_TEST(the_tag_and_count_are_those_of_the_last_statement)
{
    static struct answer answer;
    static const struct pg_statement statements[] = {{.sql = "INSERT"}, {.sql = "COMMIT"}};
    pg_send(connection, statements, 1, keep, &answer);
    answer_done(server, "INSERT 0 17");
    settle(loop);
    ck_assert_str_eq(answer.tag, "INSERT 0 17");
    ck_assert_int_eq(answer.affected, 17);
    pg_send(connection, statements, 2, keep, &answer);
    answer_done(server, "INSERT 0 17");
    answer_done(server, "COMMIT");
    settle(loop);
    ck_assert_str_eq(answer.tag, "COMMIT");
    ck_assert_int_eq(answer.affected, -1);
}
END_TEST

START_TEST(a_failed_statement_skips_the_rest_of_its_request_but_not_the_next_request)
{
    static struct answer bad;
    static struct answer good;
    static const struct pg_statement statements[] = {{.sql = "SELECT 1"}, {.sql = "FAILS"}, {.sql = "COMMIT"}};
    pg_send(connection, statements, 3, keep, &bad);
    send_sql(NULL, "SELECT 2", &good);
    answer_row(server, "1");
    answer_error(server, "22012", "division by zero");
    answer_row(server, "2");
    settle(loop);
    ck_assert(!bad.ok && !bad.lost);
    ck_assert_str_eq(bad.sqlstate, "22012");
    ck_assert_str_eq(bad.message, "division by zero");
    ck_assert_uint_eq(bad.rows[0], 1);
    ck_assert_uint_eq(bad.rows[1], 0);
    ck_assert_str_eq(bad.tag, "SELECT 1");
    ck_assert(good.ok);
    ck_assert_str_eq(good.first[0], "2");
}
END_TEST

START_TEST(a_request_of_no_statement_is_answered)
{
    static struct answer answer;
    pg_send(connection, NULL, 0, keep, &answer);
    expect_sent(server, "SYNC");
    settle(loop);
    ck_assert_int_eq(answer.calls, 1);
    ck_assert(answer.ok);
}
END_TEST

START_TEST(a_request_of_no_statement_is_lost_with_the_connection)
{
    static struct answer answer;
    server_closes(server, "gone");
    pg_send(connection, NULL, 0, keep, &answer);
    settle(loop);
    ck_assert_int_eq(answer.calls, 1);
    ck_assert(answer.lost);
}
END_TEST

START_TEST(a_request_to_a_connection_that_has_ended_is_lost_with_its_cut)
{
    static struct answer answer;
    server_closes(server, "gone");
    settle(loop);
    send_sql(NULL, "SELECT 1", &answer);
    settle(loop);
    ck_assert_int_eq(answer.calls, 0);
    pg_cut(connection);
    ck_assert_int_eq(answer.calls, 1);
    ck_assert(answer.lost);
}
END_TEST

START_TEST(nobody_may_care_for_an_answer)
{
    static struct answer answer;
    send_sql(NULL, "SELECT 1", NULL);
    send_sql(NULL, "SELECT 2", &answer);
    pg_forget(connection, &answer);
    answer_row(server, "1");
    answer_row(server, "2");
    settle(loop);
    ck_assert_int_eq(answer.calls, 0);
    ck_assert(pg_is_idle(connection));
}
END_TEST

START_TEST(only_requests_with_that_data_are_forgotten)
{
    static struct answer forgotten;
    static struct answer kept;
    send_sql(NULL, "SELECT 1", &forgotten);
    send_sql(NULL, "SELECT 2", &kept);
    pg_forget(connection, &forgotten);
    answer_row(server, "1");
    answer_row(server, "2");
    settle(loop);
    ck_assert_int_eq(forgotten.calls, 0);
    ck_assert_int_eq(kept.calls, 1);
}
END_TEST

START_TEST(a_callback_may_send_again)
{
    static struct answer answer = {.then_send = "SELECT 2"};
    send_sql(NULL, "SELECT 1", &answer);
    answer_row(server, "1");
    settle(loop);
    expect_sent(server, "QUERY SELECT 1()", "SYNC", "QUERY SELECT 2()", "SYNC");
    answer_row(server, "2");
    settle(loop);
    ck_assert_int_eq(answer.calls, 2);
    ck_assert_str_eq(answer.first[0], "2");
}
END_TEST

START_TEST(a_callback_may_close_the_connection_it_comes_from)
{
    static struct answer first = {.then_close = true};
    static struct answer second;
    send_sql(NULL, "SELECT 1", &first);
    send_sql(NULL, "SELECT 2", &second);
    answer_row(server, "1");
    answer_row(server, "2");
    settle(loop);
    ck_assert_int_eq(first.calls, 1);
    ck_assert_int_eq(second.calls, 0);
    ck_assert(script_finished(server));
    ck_assert_int_eq(closed, 0);
}
END_TEST

START_TEST(a_callback_may_cut_the_connection_it_comes_from)
{
    static struct answer first = {.then_cut = true};
    static struct answer second;
    send_sql(NULL, "SELECT 1", &first);
    send_sql(NULL, "SELECT 2", &second);
    answer_row(server, "1");
    answer_row(server, "2");
    settle(loop);
    ck_assert(first.ok);
    ck_assert(second.lost);
    ck_assert_str_eq(second.message, "the connection was given up");
    ck_assert_int_eq(closed, 0);
}
END_TEST

START_TEST(the_transaction_state_is_that_of_the_last_answer)
{
    server_is_in(server, PQTRANS_INTRANS);
    ck_assert(pg_in_transaction(connection));
    server_is_in(server, PQTRANS_INERROR);
    ck_assert(pg_in_transaction(connection));
    server_is_in(server, PQTRANS_IDLE);
    ck_assert(!pg_in_transaction(connection));
}
END_TEST

/* --- preparing ---------------------------------------------------------------------------------------------------- */

static void succeed_named(const char *name)
{
    static struct answer answer;
    send_sql(name, "SELECT 1", &answer);
    answer_row(server, "1");
    settle(loop);
    ck_assert(answer.ok);
}

START_TEST(a_name_is_prepared_on_first_use_only)
{
    succeed_named("one");
    succeed_named("one");
    expect_sent(server, "PREPARE one: SELECT 1", "EXECUTE one()", "SYNC", "EXECUTE one()", "SYNC");
}
END_TEST

START_TEST(a_name_is_prepared_once_within_a_request)
{
    const char *one[] = {"1"};
    const char *two[] = {"2"};
    const struct pg_statement statements[] = {
        {.name = "n", .sql = "SELECT $1", .parameter_count = 1, .parameters = one},
        {.name = "n", .sql = "SELECT $1", .parameter_count = 1, .parameters = two}};
    static struct answer answer;
    pg_send(connection, statements, 2, keep, &answer);
    expect_sent(server, "PREPARE n: SELECT $1", "EXECUTE n(1)", "EXECUTE n(2)", "SYNC");
    answer_row(server, "1");
    answer_row(server, "2");
    settle(loop);
    ck_assert_str_eq(answer.first[0], "1");
    ck_assert_str_eq(answer.first[1], "2");
}
END_TEST

START_TEST(a_name_that_could_not_be_prepared_is_prepared_again)
{
    static struct answer answer;
    succeed_named("other");
    send_sql("one", "SELECT 1", &answer);
    answer_prepare_error(server, "42883", "function does not exist");
    settle(loop);
    ck_assert(!answer.ok);
    ck_assert_str_eq(answer.sqlstate, "42883");
    script_skip_sent(server);
    succeed_named("one");
    expect_sent(server, "PREPARE one: SELECT 1", "EXECUTE one()", "SYNC");
    succeed_named("other");
    expect_sent(server, "EXECUTE other()", "SYNC");
}
END_TEST

START_TEST(a_name_whose_preparation_was_skipped_is_prepared_again)
{
    static struct answer answer;
    static const struct pg_statement statements[] = {{.sql = "FAILS"}, {.name = "one", .sql = "SELECT 1"}};
    pg_send(connection, statements, 2, keep, &answer);
    answer_error(server, "42601", "syntax error");
    settle(loop);
    ck_assert(!answer.ok);
    script_skip_sent(server);
    succeed_named("one");
    expect_sent(server, "PREPARE one: SELECT 1", "EXECUTE one()", "SYNC");
}
END_TEST

START_TEST(after_forgetting_every_name_is_prepared_anew)
{
    succeed_named("one");
    pg_forget_prepared(connection);
    script_skip_sent(server);
    succeed_named("one");
    expect_sent(server, "PREPARE one: SELECT 1", "EXECUTE one()", "SYNC");
}
END_TEST

START_TEST(names_beyond_the_limit_are_sent_unprepared)
{
    static char names[33][16];
    for (int i = 0; i < 33; i++) {
        snprintf(names[i], sizeof(names[i]), "n%d", i);
        succeed_named(names[i]);
        if (i < 32) {
            script_skip_sent(server);
        }
    }
    expect_sent(server, "QUERY SELECT 1()", "SYNC");
}
END_TEST

/* --- rows of others ----------------------------------------------------------------------------------------------- */

START_TEST(rows_to_discard_are_counted_one_by_one_and_those_around_them_are_kept)
{
    static struct answer answer;
    static const struct pg_statement statements[] = {
        {.name = "before", .sql = "SELECT a"}, {.sql = "SELECT b", .discard_rows = true}, {.sql = "SELECT c"}};
    pg_send(connection, statements, 3, keep, &answer);
    answer_rows(server, 1, "a1", "a2");
    answer_rows(server, 1, "b1", "b2", "b3");
    answer_rows(server, 1, "c1");
    settle(loop);
    ck_assert(answer.ok);
    ck_assert_uint_eq(answer.rows[0], 2);
    ck_assert_uint_eq(answer.rows[1], 0);
    ck_assert_uint_eq(answer.rows[2], 1);
    ck_assert_str_eq(answer.first[2], "c1");
    ck_assert_int_eq(script_streamed(server), 3);
}
END_TEST

START_TEST(a_discarded_count_is_what_was_affected)
{
    static struct answer first;
    static struct answer second;
    static const struct pg_statement statement = {.sql = "SELECT b", .discard_rows = true};
    pg_send(connection, &statement, 1, keep, &first);
    pg_send(connection, &statement, 1, keep, &second);
    answer_rows(server, 1, "b1", "b2", "b3");
    answer_done(server, "UPDATE 5");
    settle(loop);
    ck_assert_int_eq(first.affected, 3);
    ck_assert_str_eq(first.tag, "SELECT 3");
    ck_assert_uint_eq(first.rows[0], 0);
    ck_assert_int_eq(second.affected, 5);
    ck_assert_int_eq(script_streamed(server), 3);
}
END_TEST

START_TEST(rows_under_a_tag_without_a_number_are_counted_too)
{
    static struct answer answer;
    static const struct pg_statement statement = {.sql = "SHOW jit", .discard_rows = true};
    pg_send(connection, &statement, 1, keep, &answer);
    answer_shown(server, "SHOW", "off");
    settle(loop);
    ck_assert_str_eq(answer.tag, "SHOW");
    ck_assert_int_eq(answer.affected, 1);
}
END_TEST

START_TEST(a_request_to_stream_behind_another_is_streamed_from_its_first_row)
{
    static struct answer kept;
    static struct answer streamed;
    static const struct pg_statement statement = {.sql = "SELECT b", .discard_rows = true};
    send_sql(NULL, "SELECT 1", &kept);
    pg_send(connection, &statement, 1, keep, &streamed);
    answer_rows(server, 1, "1", "2");
    answer_rows(server, 1, "b1", "b2", "b3");
    settle(loop);
    ck_assert_uint_eq(kept.rows[0], 2);
    ck_assert_int_eq(streamed.affected, 3);
    ck_assert_int_eq(script_streamed(server), 3);
}
END_TEST

START_TEST(a_request_behind_one_that_streams_is_not_streamed)
{
    static struct answer streamed;
    static struct answer kept;
    static const struct pg_statement statement = {.sql = "SELECT b", .discard_rows = true};
    pg_send(connection, &statement, 1, keep, &streamed);
    send_sql(NULL, "SELECT 1", &kept);
    answer_rows(server, 1, "b1", "b2");
    answer_rows(server, 1, "1", "2");
    settle(loop);
    ck_assert_int_eq(streamed.affected, 2);
    ck_assert_uint_eq(kept.rows[0], 2);
}
END_TEST

/* --- failures ----------------------------------------------------------------------------------------------------- */

START_TEST(an_error_carries_detail_hint_and_context_below_its_message)
{
    static struct answer answer;
    static const struct script_error error = {.sqlstate = "23505",
                                              .message = "duplicate key value",
                                              .detail = "Key (id)=(1) already exists.",
                                              .hint = "Take another.\nOr none.",
                                              .context = "SQL function \"f\""};
    send_sql(NULL, "INSERT", &answer);
    answer_error_fields(server, &error);
    settle(loop);
    ck_assert_str_eq(answer.message, "duplicate key value\nDETAIL:  Key (id)=(1) already exists.\n"
                                     "HINT:  Take another.\nOr none.\nCONTEXT:  SQL function \"f\"");
    ck_assert_int_eq(answer.err.kind, ERROR_FAILED);
    ck_assert_str_eq(answer.err.message, "duplicate key value");
    ck_assert_str_eq(answer.err.hint, "Take another.");
    ck_assert_str_eq(answer.err.sqlstate, "23505");
}
END_TEST

START_TEST(a_commit_that_fails_fails_its_request_and_no_other)
{
    static struct answer failed;
    static struct answer behind;
    static const struct pg_statement statements[] = {{.sql = "INSERT"}, {.sql = "SELECT 1"}};
    pg_send(connection, statements, 2, keep, &failed);
    send_sql(NULL, "SELECT 2", &behind);
    answer_done(server, "INSERT 0 1");
    answer_row(server, "1");
    answer_commit_error(server, "23503", "insert or update violates foreign key constraint");
    answer_row(server, "2");
    settle(loop);
    ck_assert_int_eq(failed.calls, 1);
    ck_assert(!failed.ok && !failed.lost);
    ck_assert_str_eq(failed.sqlstate, "23503");
    ck_assert(behind.ok);
    ck_assert_str_eq(behind.first[0], "2");
    ck_assert_int_eq(closed, 0);
}
END_TEST

START_TEST(an_error_without_words_keeps_its_sqlstate)
{
    static struct answer answer;
    send_sql(NULL, "SELECT 1", &answer);
    answer_error(server, "P0001", NULL);
    settle(loop);
    ck_assert(!answer.ok && !answer.lost);
    ck_assert_str_eq(answer.message, "");
    ck_assert_str_eq(answer.sqlstate, "P0001");
    ck_assert_str_eq(answer.err.hint, "");
}
END_TEST

START_TEST(an_error_of_libpq_has_no_sqlstate_and_loses_its_line_ends)
{
    static struct answer answer;
    send_sql(NULL, "SELECT 1", &answer);
    answer_libpq_error(server, "out of memory for query result\n\n");
    settle(loop);
    ck_assert(!answer.ok);
    ck_assert_str_eq(answer.sqlstate, "");
    ck_assert_str_eq(answer.message, "out of memory for query result");
}
END_TEST

START_TEST(a_long_message_is_cut_between_characters)
{
    static struct answer answer;
    static char message[PG_MESSAGE_LIMIT + 16];
    memset(message, 'x', PG_MESSAGE_LIMIT - 1);
    strcpy(message + PG_MESSAGE_LIMIT - 1, "€ and more");
    send_sql(NULL, "SELECT 1", &answer);
    answer_error(server, "P0001", message);
    settle(loop);
    ck_assert_uint_eq(strlen(answer.message), PG_MESSAGE_LIMIT - 1);
    ck_assert_int_eq(answer.message[PG_MESSAGE_LIMIT - 2], 'x');
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("requests");
    TCase *tests = tcase_create("requests");
    tcase_add_checked_fixture(tests, session_set_up, session_tear_down);
    tcase_add_test(tests, requests_go_out_at_once_and_are_answered_in_order);
    tcase_add_test(tests, sql_nulls_and_values_of_statements_without_rows_read_null);
    tcase_add_test(tests, statements_of_one_request_share_a_synchronisation_point_and_keep_their_rows);
    tcase_add_test(tests, the_tag_and_count_are_those_of_the_last_statement);
    tcase_add_test(tests, a_failed_statement_skips_the_rest_of_its_request_but_not_the_next_request);
    tcase_add_test(tests, a_request_of_no_statement_is_answered);
    tcase_add_test(tests, a_request_of_no_statement_is_lost_with_the_connection);
    tcase_add_test(tests, a_request_to_a_connection_that_has_ended_is_lost_with_its_cut);
    tcase_add_test(tests, nobody_may_care_for_an_answer);
    tcase_add_test(tests, only_requests_with_that_data_are_forgotten);
    tcase_add_test(tests, a_callback_may_send_again);
    tcase_add_test(tests, a_callback_may_close_the_connection_it_comes_from);
    tcase_add_test(tests, a_callback_may_cut_the_connection_it_comes_from);
    tcase_add_test(tests, the_transaction_state_is_that_of_the_last_answer);
    tcase_add_test(tests, a_name_is_prepared_on_first_use_only);
    tcase_add_test(tests, a_name_is_prepared_once_within_a_request);
    tcase_add_test(tests, a_name_that_could_not_be_prepared_is_prepared_again);
    tcase_add_test(tests, a_name_whose_preparation_was_skipped_is_prepared_again);
    tcase_add_test(tests, after_forgetting_every_name_is_prepared_anew);
    tcase_add_test(tests, names_beyond_the_limit_are_sent_unprepared);
    tcase_add_test(tests, rows_to_discard_are_counted_one_by_one_and_those_around_them_are_kept);
    tcase_add_test(tests, a_discarded_count_is_what_was_affected);
    tcase_add_test(tests, rows_under_a_tag_without_a_number_are_counted_too);
    tcase_add_test(tests, a_request_to_stream_behind_another_is_streamed_from_its_first_row);
    tcase_add_test(tests, a_request_behind_one_that_streams_is_not_streamed);
    tcase_add_test(tests, an_error_carries_detail_hint_and_context_below_its_message);
    tcase_add_test(tests, a_commit_that_fails_fails_its_request_and_no_other);
    tcase_add_test(tests, an_error_without_words_keeps_its_sqlstate);
    tcase_add_test(tests, an_error_of_libpq_has_no_sqlstate_and_loses_its_line_ends);
    tcase_add_test(tests, a_long_message_is_cut_between_characters);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
