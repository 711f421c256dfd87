/* SPDX-License-Identifier: PostgreSQL */
/* Texts in the simple protocol, and what becomes of requests when the connection ends or cannot be written to. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "support/libpq/libpq_script_session.h"
#include "support/process/abort_trap.h"
#include "support/process/suite.h"

/* --- texts -------------------------------------------------------------------------------------------------------- */

START_TEST(a_text_goes_out_as_it_is_and_a_bare_synchronisation_ends_it)
{
    static struct answer text;
    static struct answer behind;
    pg_send_text(connection, "CREATE TABLE t (); SELECT 1; DROP TABLE t", keep, &text);
    answer_done(server, "CREATE TABLE");
    answer_rows(server, 1, "1", "2");
    answer_done(server, "DROP TABLE");
    answer_ready(server);
    settle(loop);
    expect_sent(server, "TEXT CREATE TABLE t (); SELECT 1; DROP TABLE t", "SYNC");
    expect_nothing_sent(server);
    ck_assert(text.ok);
    ck_assert_uint_eq(text.rows[0], 0);
    ck_assert_str_eq(text.tag, "DROP TABLE");
    ck_assert_int_eq(text.affected, -1);
    send_sql(NULL, "SELECT 3", &behind);
    answer_rows(server, 1, "3", "4");
    settle(loop);
    ck_assert_uint_eq(behind.rows[0], 2);
    ck_assert_str_eq(behind.first[0], "3");
}
END_TEST

START_TEST(rows_of_a_text_are_counted)
{
    static struct answer answer;
    pg_send_text(connection, "SELECT 1; SELECT 2", keep, &answer);
    answer_rows(server, 1, "1", "2");
    answer_rows(server, 1, "1", "2", "3");
    answer_ready(server);
    settle(loop);
    ck_assert_int_eq(answer.affected, 3);
    ck_assert_int_eq(script_streamed(server), 5);
}
END_TEST

START_TEST(an_empty_text_succeeds)
{
    static struct answer answer;
    pg_send_text(connection, "-- nothing", keep, &answer);
    answer_empty(server);
    answer_ready(server);
    settle(loop);
    ck_assert(answer.ok);
    ck_assert_str_eq(answer.tag, "");
    ck_assert_int_eq(answer.affected, -1);
}
END_TEST

START_TEST(a_text_that_fails_says_why)
{
    static struct answer answer;
    pg_send_text(connection, "SELECT 1; FAILS", keep, &answer);
    answer_row(server, "1");
    answer_error(server, "42601", "syntax error at or near \"FAILS\"");
    answer_ready(server);
    settle(loop);
    ck_assert(!answer.ok && !answer.lost);
    ck_assert_str_eq(answer.sqlstate, "42601");
    ck_assert(pg_is_idle(connection));
}
END_TEST

START_TEST(a_text_follows_a_text)
{
    static struct answer answer;
    for (int i = 1; i <= 2; i++) {
        pg_send_text(connection, "SELECT 1", keep, &answer);
        answer_row(server, "1");
        answer_ready(server);
        settle(loop);
        ck_assert_int_eq(answer.calls, i);
    }
}
END_TEST

static void send_a_text(void *unused)
{
    (void)unused;
    pg_send_text(connection, "SELECT 1", NULL, NULL);
}

static void send_a_statement(void *unused)
{
    (void)unused;
    send_sql(NULL, "SELECT 1", NULL);
}

START_TEST(nothing_may_be_sent_behind_a_text_nor_a_text_behind_anything)
{
    send_a_statement(NULL);
    ck_assert(aborts(send_a_text, NULL));
    answer_row(server, "1");
    settle(loop);
    send_a_text(NULL);
    ck_assert(aborts(send_a_statement, NULL));
}
END_TEST

START_TEST(a_copy_to_us_is_read_to_its_end_and_dropped)
{
    static struct answer answer;
    pg_send_text(connection, "COPY t TO STDOUT; SELECT 1", keep, &answer);
    answer_copy_out(server, 3, true);
    answer_done(server, "COPY 3");
    answer_row(server, "1");
    answer_ready(server);
    settle(loop);
    ck_assert(answer.ok && !answer.lost);
    ck_assert(pg_is_idle(connection));
}
END_TEST

START_TEST(a_copy_to_us_may_arrive_in_parts)
{
    static struct answer answer;
    pg_send_text(connection, "COPY t TO STDOUT", keep, &answer);
    answer_copy_out(server, 2, false);
    settle(loop);
    ck_assert_int_eq(answer.calls, 0);
    answer_copy_end(server);
    answer_done(server, "COPY 2");
    answer_ready(server);
    settle(loop);
    ck_assert_int_eq(answer.calls, 1);
    ck_assert(answer.ok);
}
END_TEST

START_TEST(a_copy_from_us_is_refused)
{
    static struct answer answer;
    pg_send_text(connection, "COPY t FROM STDIN", keep, &answer);
    answer_copy_in(server);
    settle(loop);
    expect_sent(server, "TEXT COPY t FROM STDIN", "COPY END nobody is there to send the rows");
    answer_error(server, "57014", "COPY from stdin failed: nobody is there to send the rows");
    answer_ready(server);
    settle(loop);
    ck_assert(!answer.ok);
    ck_assert_str_eq(answer.sqlstate, "0A000");
    ck_assert_int_eq(strncmp(answer.message, "COPY FROM STDIN is not possible in a job", 40), 0);
}
END_TEST

/* --- the end ------------------------------------------------------------------------------------------------------ */

START_TEST(what_is_pending_is_lost_with_the_connection_before_closed_is_told)
{
    static struct answer first;
    static struct answer second;
    send_sql(NULL, "SELECT 1", &first);
    send_sql(NULL, "SELECT 2", &second);
    server_closes(server, "server closed the connection unexpectedly\n\tThis probably means\n");
    settle(loop);
    ck_assert(first.lost && second.lost);
    ck_assert(!first.ok && !second.ok);
    ck_assert_str_eq(second.message, "server closed the connection unexpectedly");
    ck_assert_int_eq(first.err.kind, ERROR_UNREACHABLE);
    ck_assert_int_eq(second.turn, 2);
    ck_assert_int_eq(closed, 1);
    ck_assert_str_eq(reason.message, "server closed the connection unexpectedly");
}
END_TEST

START_TEST(an_answer_that_arrived_before_the_end_counts)
{
    static struct answer first;
    static struct answer second;
    send_sql(NULL, "SELECT 1", &first);
    settle(loop); /* the synchronisation point is on its way back */
    send_sql(NULL, "SELECT 2", &second);
    answer_row(server, "1");
    server_resets(server, "could not receive data from server: Connection reset by peer");
    settle(loop);
    ck_assert(first.ok);
    ck_assert(second.lost);
    ck_assert_int_eq(closed, 1);
}
END_TEST

START_TEST(a_server_that_says_why_before_it_goes_has_answered)
{
    static struct answer first;
    static struct answer second;
    send_sql(NULL, "SELECT pg_sleep(60)", &first);
    send_sql(NULL, "SELECT 2", &second);
    answer_error(server, "57P01", "terminating connection due to administrator command");
    server_closes(server, "server closed the connection unexpectedly");
    settle(loop);
    ck_assert(!first.ok);
    ck_assert(!first.lost);
    ck_assert_str_eq(first.sqlstate, "57P01");
    ck_assert_str_eq(first.message, "terminating connection due to administrator command");
    ck_assert(second.lost);
}
END_TEST

START_TEST(a_text_may_lose_its_server)
{
    static struct answer answer;
    pg_send_text(connection, "SELECT 1; SELECT pg_sleep(60)", keep, &answer);
    answer_row(server, "1");
    server_closes(server, "gone");
    settle(loop);
    ck_assert_int_eq(answer.calls, 1);
    ck_assert(answer.lost);
}
END_TEST

START_TEST(a_callback_that_closes_a_lost_connection_keeps_closed_and_the_rest_silent)
{
    static struct answer first = {.then_close = true};
    static struct answer second;
    send_sql(NULL, "SELECT 1", &first);
    send_sql(NULL, "SELECT 2", &second);
    server_closes(server, "gone");
    settle(loop);
    ck_assert(first.lost);
    ck_assert_int_eq(second.calls, 0);
    ck_assert_int_eq(closed, 0);
}
END_TEST

START_TEST(what_a_callback_sends_to_a_lost_connection_is_lost_too)
{
    static struct answer answer = {.then_send = "SELECT 2"};
    send_sql(NULL, "SELECT 1", &answer);
    server_closes(server, "gone");
    settle(loop);
    ck_assert_int_eq(answer.calls, 2);
    ck_assert(answer.lost);
    expect_sent(server, "QUERY SELECT 1()", "SYNC");
    expect_nothing_sent(server);
}
END_TEST

START_TEST(a_cut_answers_what_is_pending_as_lost)
{
    static struct answer answer;
    send_sql(NULL, "SELECT 1", &answer);
    pg_cut(connection);
    ck_assert_int_eq(answer.calls, 1);
    ck_assert(answer.lost);
    ck_assert_str_eq(answer.message, "the connection was given up");
    settle(loop);
    ck_assert_int_eq(closed, 0);
}
END_TEST

START_TEST(closing_answers_nobody)
{
    static struct answer answer;
    send_sql(NULL, "SELECT 1", &answer);
    pg_close(connection);
    connection = NULL;
    settle(loop);
    ck_assert_int_eq(answer.calls, 0);
}
END_TEST

/* --- writing ------------------------------------------------------------------------------------------------------ */

START_TEST(what_cannot_be_written_is_lost_in_a_turn_of_its_own)
{
    static struct answer answer;
    sending_fails(server, "could not send data to server: Broken pipe\n");
    send_sql(NULL, "SELECT 1", &answer);
    send_sql(NULL, "SELECT 2", NULL);
    ck_assert_int_eq(answer.calls + closed, 0);
    settle(loop);
    ck_assert_int_eq(answer.calls, 1);
    ck_assert(answer.lost);
    ck_assert_str_eq(answer.message, "could not send data to server: Broken pipe");
    ck_assert_int_eq(closed, 1);
    ck_assert_str_eq(reason.message, "could not send data to server: Broken pipe");
}
END_TEST

START_TEST(a_preparation_a_synchronisation_or_a_text_that_cannot_be_written_ends_it_too)
{
    static struct answer answer;
    int kind = _i;
    if (kind == 0) {
        preparing_fails(server, "no");
        send_sql("name", "SELECT 1", &answer);
    } else if (kind == 1) {
        syncing_fails(server, "no");
        send_sql(NULL, "SELECT 1", &answer);
    } else {
        sending_fails(server, "no");
        pg_send_text(connection, "SELECT 1", keep, &answer);
    }
    settle(loop);
    ck_assert(answer.lost);
    ck_assert_int_eq(closed, 1);
}
END_TEST

START_TEST(a_failure_to_write_is_forgotten_when_the_connection_goes_before_it_is_told)
{
    static struct answer answer;
    sending_fails(server, "no");
    send_sql(NULL, "SELECT 1", &answer);
    pg_cut(connection);
    ck_assert_int_eq(answer.calls, 1);
    settle(loop);
    ck_assert_int_eq(answer.calls, 1);
    ck_assert_int_eq(closed, 0);
}
END_TEST

START_TEST(a_connection_may_be_closed_from_closed_after_failures_to_write)
{
    close_when_closed = true;
    sending_fails(server, "no");
    send_sql(NULL, "SELECT 1", NULL);
    send_sql(NULL, "SELECT 2", NULL);
    settle(loop);
    ck_assert_int_eq(closed, 1);
    ck_assert_ptr_null(connection);
}
END_TEST

START_TEST(what_the_wire_does_not_take_at_once_is_flushed_later)
{
    static struct answer answer;
    wire_is_full(server, 3);
    send_sql(NULL, "SELECT 1", &answer);
    int at_once = script_flushes(server);
    settle(loop);
    ck_assert_int_ge(script_flushes(server), at_once + 3);
    int when_empty = script_flushes(server);
    settle(loop);
    ck_assert_int_eq(script_flushes(server), when_empty);
    answer_row(server, "1");
    settle(loop);
    ck_assert(answer.ok);
}
END_TEST

START_TEST(a_wire_that_breaks_while_writing_leaves_the_reason_to_be_read)
{
    static struct answer answer;
    wire_breaks(server);
    send_sql(NULL, "SELECT 1", &answer);
    ck_assert_int_eq(closed, 0);
    answer_error(server, "57P01", "terminating connection due to administrator command");
    server_closes(server, "server closed the connection unexpectedly");
    settle(loop);
    ck_assert(!answer.lost);
    ck_assert_str_eq(answer.sqlstate, "57P01");
    ck_assert_int_eq(closed, 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("texts");
    TCase *tests = tcase_create("texts");
    tcase_add_checked_fixture(tests, session_set_up, session_tear_down);
    tcase_add_test(tests, a_text_goes_out_as_it_is_and_a_bare_synchronisation_ends_it);
    tcase_add_test(tests, rows_of_a_text_are_counted);
    tcase_add_test(tests, an_empty_text_succeeds);
    tcase_add_test(tests, a_text_that_fails_says_why);
    tcase_add_test(tests, a_text_follows_a_text);
    tcase_add_test(tests, nothing_may_be_sent_behind_a_text_nor_a_text_behind_anything);
    tcase_add_test(tests, a_copy_to_us_is_read_to_its_end_and_dropped);
    tcase_add_test(tests, a_copy_to_us_may_arrive_in_parts);
    tcase_add_test(tests, a_copy_from_us_is_refused);
    tcase_add_test(tests, what_is_pending_is_lost_with_the_connection_before_closed_is_told);
    tcase_add_test(tests, an_answer_that_arrived_before_the_end_counts);
    tcase_add_test(tests, a_server_that_says_why_before_it_goes_has_answered);
    tcase_add_test(tests, a_text_may_lose_its_server);
    tcase_add_test(tests, a_callback_that_closes_a_lost_connection_keeps_closed_and_the_rest_silent);
    tcase_add_test(tests, what_a_callback_sends_to_a_lost_connection_is_lost_too);
    tcase_add_test(tests, a_cut_answers_what_is_pending_as_lost);
    tcase_add_test(tests, closing_answers_nobody);
    tcase_add_test(tests, what_cannot_be_written_is_lost_in_a_turn_of_its_own);
    tcase_add_loop_test(tests, a_preparation_a_synchronisation_or_a_text_that_cannot_be_written_ends_it_too, 0, 3);
    tcase_add_test(tests, a_failure_to_write_is_forgotten_when_the_connection_goes_before_it_is_told);
    tcase_add_test(tests, a_connection_may_be_closed_from_closed_after_failures_to_write);
    tcase_add_test(tests, what_the_wire_does_not_take_at_once_is_flushed_later);
    tcase_add_test(tests, a_wire_that_breaks_while_writing_leaves_the_reason_to_be_read);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
