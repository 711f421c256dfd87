/* SPDX-License-Identifier: PostgreSQL */
/* The leader's writes: in order, one on its way at a time, and sent again until the ledger takes them. */
#include <check.h>
#include <string.h>

#include "ledger/write_queue.h"
#include "support/libpq/libpq_script_session.h"
#include "support/process/suite.h"

#define PAUSE_MAX (USEC_PER_SEC + 200 * USEC_PER_MSEC) /* of write_queue.c, and its jitter */

static struct write_queue *queue;
static int refused;
static int taken;
static int answers_at_taken;
static struct answer answers[3];

static void on_refused(void *data, const struct pg_reply *reply)
{
    ck_assert_ptr_eq(data, &refused);
    ck_assert(!pg_reply_ok(reply));
    refused++;
}

static void on_taken(void *data)
{
    ck_assert_ptr_eq(data, &refused);
    taken++;
    answers_at_taken = answers[0].calls;
}

static void set_up(void)
{
    static const struct write_queue_handlers handlers = {.refused = on_refused, .taken = on_taken};
    session_set_up();
    refused = taken = 0;
    memset(answers, 0, sizeof(answers));
    queue = write_queue_create(loop, connection, &handlers, &refused);
}

static void tear_down(void)
{
    write_queue_destroy(queue);
    session_tear_down();
}

static void write_one(const char *sql, struct answer *answer)
{
    struct pg_statement statement = {.sql = sql};
    write_queue_send(queue, &statement, 1, keep, answer);
}

static void write_three(void)
{
    write_one("A", &answers[0]);
    write_one("B", &answers[1]);
    write_one("C", &answers[2]);
}

START_TEST(one_is_on_its_way_at_a_time_and_they_keep_their_order)
{
    write_three();
    expect_sent(server, "QUERY A()", "SYNC");
    answer_row(server, "1");
    settle(loop);
    expect_sent(server, "QUERY B()", "SYNC");
    answer_row(server, "2");
    settle(loop);
    expect_sent(server, "QUERY C()", "SYNC");
    answer_row(server, "3");
    settle(loop);
    expect_nothing_sent(server);
    for (int i = 0; i < 3; i++) {
        ck_assert_int_eq(answers[i].calls, 1);
        ck_assert_int_eq(answers[i].first[0][0], '1' + i);
    }
    ck_assert_int_eq(refused + taken, 0);
}
END_TEST

static const char *const not_now[] = {"55P03", "57014", "40P01", "40001"};

START_TEST(what_the_ledger_cannot_take_now_is_sent_again_and_nothing_before_it)
{
    write_three();
    for (int i = 1; i <= 3; i++) {
        expect_sent(server, "QUERY A()", "SYNC");
        answer_error(server, not_now[_i], "not now");
        settle(loop);
        ck_assert(write_queue_is_held(queue));
        ck_assert_int_eq(refused, i);
        expect_nothing_sent(server);
        pass_time(loop, PAUSE_MAX);
    }
    ck_assert_int_eq(answers[0].calls, 0);
    expect_sent(server, "QUERY A()", "SYNC");
    answer_row(server, "1");
    settle(loop);
    ck_assert(!write_queue_is_held(queue));
    ck_assert_int_eq(taken, 1);
    ck_assert_int_eq(answers_at_taken, 0); /* whoever is told may send more: by then it is known that the queue moves */
    ck_assert(answers[0].ok);
    expect_sent(server, "QUERY B()", "SYNC");
    answer_row(server, "2");
    settle(loop);
    ck_assert_int_eq(taken, 1); /* it was not refused */
    script_skip_sent(server);
    answer_row(server, "3");
    settle(loop);
}
END_TEST

/* 0.1 s, give or take a fifth, twice as long each time, and a second at most. */
START_TEST(the_pause_grows_and_ends_when_a_request_is_taken)
{
    duration pause = 100 * USEC_PER_MSEC;
    write_one("A", &answers[0]);
    for (int i = 0; i < 6; i++) {
        script_skip_sent(server);
        answer_error(server, "55P03", "not now");
        settle(loop);
        pass_time(loop, pause / 5 * 4 - USEC_PER_MSEC);
        expect_nothing_sent(server);
        pass_time(loop, pause / 5 * 2 + 2 * USEC_PER_MSEC);
        pause = pause * 2 < USEC_PER_SEC ? pause * 2 : USEC_PER_SEC;
    }
    expect_sent(server, "QUERY A()", "SYNC");
    answer_row(server, "1");
    settle(loop);
    write_one("B", &answers[1]);
    script_skip_sent(server);
    answer_error(server, "55P03", "not now");
    settle(loop);
    pass_time(loop, 121 * USEC_PER_MSEC);
    expect_sent(server, "QUERY B()", "SYNC");
    answer_row(server, "2");
    settle(loop);
    ck_assert(answers[1].ok);
}
END_TEST

START_TEST(what_the_ledger_refuses_is_answered_and_the_next_one_goes_out)
{
    write_three();
    script_skip_sent(server);
    answer_error(server, "CH001", "leadership of this database is over");
    settle(loop);
    ck_assert_str_eq(answers[0].sqlstate, "CH001");
    ck_assert(!write_queue_is_held(queue));
    ck_assert_int_eq(refused + taken, 0);
    expect_sent(server, "QUERY B()", "SYNC");
    answer_row(server, "2");
    settle(loop);
    script_skip_sent(server);
    answer_row(server, "3");
    settle(loop);
    ck_assert(answers[1].ok && answers[2].ok);
}
END_TEST

START_TEST(parameters_are_copied_until_they_are_taken)
{
    char text[] = "7";
    const char *parameters[] = {text, NULL};
    struct pg_statement statements[] = {{.sql = "A", .parameter_count = 2, .parameters = parameters}, {.sql = "B"}};
    write_queue_send(queue, statements, 2, keep, &answers[0]);
    text[0] = '8';
    parameters[1] = "9";
    expect_sent(server, "QUERY A(7, NULL)", "QUERY B()", "SYNC");
    answer_error(server, "40001", "not now");
    settle(loop);
    pass_time(loop, PAUSE_MAX);
    expect_sent(server, "QUERY A(7, NULL)", "QUERY B()", "SYNC");
    answer_row(server, "1");
    answer_row(server, "2");
    settle(loop);
    ck_assert(answers[0].ok);
}
END_TEST

START_TEST(what_is_forgotten_is_written_and_told_to_nobody)
{
    write_three();
    write_queue_forget(queue, &answers[0]);
    write_queue_forget(queue, &answers[1]);
    for (int i = 0; i < 3; i++) {
        script_skip_sent(server);
        answer_row(server, "1");
        settle(loop);
    }
    ck_assert_int_eq(answers[0].calls + answers[1].calls, 0);
    ck_assert_int_eq(answers[2].calls, 1);
}
END_TEST

START_TEST(a_lost_connection_answers_all_that_wait)
{
    write_three();
    server_closes(server, "gone");
    settle(loop);
    for (int i = 0; i < 3; i++)
        ck_assert(answers[i].calls == 1 && answers[i].lost);
    ck_assert_int_eq(refused, 0);
}
END_TEST

static void destroy_queue(void)
{
    write_queue_destroy(queue);
    queue = NULL;
}

START_TEST(a_queue_that_goes_answers_what_waits_for_its_turn_or_its_pause)
{
    write_three();
    script_skip_sent(server);
    answer_error(server, "55P03", "not now");
    settle(loop);
    destroy_queue();
    for (int i = 0; i < 3; i++)
        ck_assert(answers[i].calls == 1 && answers[i].lost);
    pass_time(loop, PAUSE_MAX);
    expect_nothing_sent(server);
}
END_TEST

START_TEST(a_queue_that_goes_answers_what_is_on_its_way_and_hears_no_more_of_it)
{
    write_three();
    script_skip_sent(server);
    destroy_queue();
    answer_row(server, "1");
    settle(loop);
    for (int i = 0; i < 3; i++)
        ck_assert(answers[i].calls == 1 && answers[i].lost);
    expect_nothing_sent(server);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("write_queue");
    TCase *tcase = tcase_create("write_queue");
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_add_test(tcase, one_is_on_its_way_at_a_time_and_they_keep_their_order);
    tcase_add_loop_test(tcase, what_the_ledger_cannot_take_now_is_sent_again_and_nothing_before_it, 0,
                        sizeof(not_now) / sizeof(*not_now));
    tcase_add_test(tcase, the_pause_grows_and_ends_when_a_request_is_taken);
    tcase_add_test(tcase, what_the_ledger_refuses_is_answered_and_the_next_one_goes_out);
    tcase_add_test(tcase, parameters_are_copied_until_they_are_taken);
    tcase_add_test(tcase, what_is_forgotten_is_written_and_told_to_nobody);
    tcase_add_test(tcase, a_lost_connection_answers_all_that_wait);
    tcase_add_test(tcase, a_queue_that_goes_answers_what_waits_for_its_turn_or_its_pause);
    tcase_add_test(tcase, a_queue_that_goes_answers_what_is_on_its_way_and_hears_no_more_of_it);
    suite_add_tcase(suite, tcase);
    return suite_run(suite);
}
