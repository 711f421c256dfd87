/* SPDX-License-Identifier: PostgreSQL */
/* How a connection comes to be and how it ends. Where it leads is in test_connection_hosts.c; what it carries is in
 * test_requests.c. */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "base/log.h"
#include "support/pg/opened.h"
#include "support/process/suite.h"

static void open_ready(void)
{
    open_as("host=/run dbname=app", &handlers);
    ck_assert_int_eq(ready, 1);
    ck_assert(pg_is_ready(connection));
    server = script_connection(0);
}

/* --- opening ------------------------------------------------------------------------------------------------------ */

START_TEST(it_is_ready_once_libpq_says_so)
{
    script_is_server(4711, 160002);
    open_ready();
    ck_assert(pg_is_idle(connection));
    ck_assert_int_eq(pg_backend_pid(connection), 4711);
    ck_assert_int_eq(pg_server_version(connection), 160002);
    ck_assert(!pg_in_transaction(connection));
}
END_TEST

START_TEST(before_it_is_ready_it_has_neither_pid_nor_version_nor_transaction)
{
    script_polls("s", "");
    open_as("host=/run", &handlers);
    ck_assert(!pg_is_ready(connection));
    ck_assert(!pg_is_idle(connection));
    ck_assert_int_eq(pg_backend_pid(connection), 0);
    ck_assert_int_eq(pg_server_version(connection), 0);
    ck_assert(!pg_in_transaction(connection));
}
END_TEST

START_TEST(the_conninfo_and_what_is_added_reach_libpq)
{
    static const struct pg_setting settings[] = {{"search_path", ""}, {"TimeZone", "UTC"}};
    struct pg_target target = {.conninfo = "host=/run dbname=app options=-cjit=off",
                               .application_name = "pgchime leader",
                               .settings = settings,
                               .setting_count = 2,
                               .connect_timeout = USEC_PER_SEC};
    connection = pg_open(loop, NULL, &target, &handlers, &connection);
    settle(loop);
    server = script_connection(0);
    ck_assert_str_eq(script_parameter(server, "dbname"), "app");
    ck_assert_str_eq(script_parameter(server, "application_name"), "pgchime leader");
    ck_assert_str_eq(script_parameter(server, "options"), "-cjit=off -c search_path= -c TimeZone=UTC");
    ck_assert_str_eq(script_parameter(server, "client_encoding"), "UTF8");
}
END_TEST

START_TEST(a_refusal_closes_it_with_the_first_line_and_where_it_tried)
{
    script_refuses("connection to server on socket failed: No such file\n\tIs the server running?\n");
    open_as("host=/run port=5433 dbname=app user=chime password=secret", &handlers);
    ck_assert_int_eq(ready, 0);
    expect_closed("connection to server on socket failed: No such file");
    ck_assert_str_eq(reason.hint, "is the server running, and is the conninfo right? (tried host /run port 5433 "
                                  "database app user chime)");
}
END_TEST

START_TEST(a_failure_while_connecting_closes_it)
{
    script_polls("wrf", "FATAL:  password authentication failed for user \"chime\"\n");
    open_as("host=/run dbname=app", &handlers);
    expect_closed("FATAL:  password authentication failed for user \"chime\"");
    ck_assert_str_eq(reason.hint, "give the role's password in the conninfo, or in its passfile, which is ~/.pgpass "
                                  "where it names none (tried host "
                                  "/run database app)");
    ck_assert(script_finished(script_connection(0)));
}
END_TEST

START_TEST(a_failure_without_words_gets_some)
{
    script_polls("f", "");
    open_as("", &handlers);
    expect_closed("the server closed the connection");
    ck_assert_str_eq(reason.hint, "is the server running, and is the conninfo right? (tried host default database "
                                  "default)");
}
END_TEST

START_TEST(a_server_that_says_nothing_is_given_up_after_the_timeout)
{
    script_polls("ws", "");
    open_as("host=/run dbname=app", &handlers);
    pass_time(loop, 10 * USEC_PER_SEC - 1);
    ck_assert_int_eq(closed, 0);
    pass_time(loop, 1);
    expect_closed("no connection in time to host /run database app");
    ck_assert(script_finished(script_connection(0)));
}
END_TEST

START_TEST(the_timeout_ends_with_the_connecting)
{
    open_ready();
    pass_time(loop, USEC_PER_DAY);
    ck_assert_int_eq(closed, 0);
}
END_TEST

START_TEST(a_conninfo_that_cannot_be_read_closes_it_later_as_a_configuration_error)
{
    open_as("host=/run nonsense", &handlers);
    ck_assert_int_eq(closed, 1);
    ck_assert_int_eq(reason.kind, ERROR_CONFIG);
    ck_assert_str_eq(reason.message, "conninfo: missing \"=\" after \"nonsense\" in connection info string");
    ck_assert_str_eq(reason.hint, "write it as in conninfo = \"host=/run/postgresql dbname=app\"");
    ck_assert_int_eq(script_connections(), 0);
}
END_TEST

START_TEST(a_conninfo_that_libpq_has_no_memory_for_says_that)
{
    open_as("out-of-memory", &handlers);
    ck_assert_int_eq(closed, 1);
    ck_assert_str_eq(reason.message, "conninfo: out of memory");
}
END_TEST

START_TEST(a_conninfo_with_too_many_parameters_is_refused)
{
    char text[1024] = "";
    for (int i = 0; i < 57; i++) {
        char word[16];
        snprintf(word, sizeof(word), "k%d=v ", i);
        strcat(text, word);
    }
    open_as(text, &handlers);
    ck_assert_int_eq(closed, 1);
    ck_assert_int_eq(reason.kind, ERROR_CONFIG);
    ck_assert_str_eq(reason.message, "conninfo has too many parameters");
}
END_TEST

START_TEST(notices_go_to_the_debug_log_by_their_first_line)
{
    open_ready();
    log_set_level(LOG_LEVEL_DEBUG);
    script_notices(server, "42P07", "relation exists, skipping");
    log_set_level(LOG_LEVEL_INFO);
    ck_assert_int_eq(log_lines, 1);
    ck_assert_ptr_nonnull(strstr(log_line, "server: relation exists, skipping\n"));
}
END_TEST

static char told_words[64];

static void hear(void *data, const char *words)
{
    (void)data;
    snprintf(told_words, sizeof(told_words), "%s", words);
}

START_TEST(what_chime_tells_goes_to_whoever_asked_for_it)
{
    struct pg_handlers hearing = handlers;
    hearing.told = hear;
    open_as("host=/run dbname=app", &hearing);
    server = script_connection(0);
    log_set_level(LOG_LEVEL_DEBUG);
    script_notices(server, "CH012", "kept.x was set aside");
    log_set_level(LOG_LEVEL_INFO);
    ck_assert_int_eq(log_lines, 0);
    ck_assert_str_eq(told_words, "kept.x was set aside");
}
END_TEST

START_TEST(it_may_be_closed_at_every_step_of_its_opening)
{
    struct pg_target target = {.conninfo = "host=db", .application_name = "a", .connect_timeout = USEC_PER_SEC};
    connection = pg_open(loop, NULL, &target, &handlers, &connection);
    close_it(); /* before anything was done */
    settle(loop);
    target.conninfo = "nonsense";
    connection = pg_open(loop, NULL, &target, &handlers, &connection);
    close_it(); /* before the error was told */
    settle(loop);
    open_as("host=db", &handlers);
    close_it(); /* while the name is looked up */
    ck_assert_int_eq(cancelled, 1);
    settle(loop);
    script_polls("s", "");
    open_as("host=/run", &handlers);
    close_it(); /* while it connects */
    settle(loop);
    ck_assert_int_eq(ready + closed, 0);
    ck_assert_int_eq(script_connections(), 1);
}
END_TEST

START_TEST(it_may_be_closed_from_ready)
{
    close_when_ready = true;
    open_as("host=/run", &handlers);
    ck_assert_int_eq(ready, 1);
    ck_assert_ptr_null(connection);
    ck_assert_int_eq(closed, 0);
}
END_TEST

START_TEST(it_may_be_closed_from_closed)
{
    close_when_closed = true;
    script_refuses("no");
    open_as("host=/run", &handlers);
    ck_assert_int_eq(closed, 1);
    ck_assert_ptr_null(connection);
}
END_TEST

START_TEST(closing_nothing_is_allowed)
{
    pg_close(NULL);
    ck_assert_int_eq(closed, 0);
}
END_TEST

/* --- ending ------------------------------------------------------------------------------------------------------- */

START_TEST(a_server_that_goes_closes_it_with_its_first_line)
{
    open_ready();
    server_closes(server, "server closed the connection unexpectedly\n\tThis probably means ...\n");
    settle(loop);
    expect_closed("server closed the connection unexpectedly");
    ck_assert_str_eq(reason.hint, "");
    ck_assert(script_finished(server));
}
END_TEST

START_TEST(a_connection_that_libpq_gives_up_while_reading_is_closed)
{
    open_ready();
    server_goes_bad(server, "lost synchronization with server: got message type \"x\"");
    settle(loop);
    expect_closed("lost synchronization with server: got message type \"x\"");
}
END_TEST

START_TEST(a_cut_tells_nobody_and_may_be_repeated)
{
    open_ready();
    pg_cut(connection);
    pg_cut(connection);
    ck_assert(!pg_is_ready(connection));
    ck_assert(script_finished(server));
    settle(loop);
    ck_assert_int_eq(closed, 0);
}
END_TEST

START_TEST(a_cut_while_connecting_ends_the_connecting)
{
    script_polls("s", "");
    open_as("host=/run", &handlers);
    pg_cut(connection);
    pass_time(loop, USEC_PER_MINUTE);
    ck_assert_int_eq(ready + closed, 0);
    ck_assert(script_finished(script_connection(0)));
}
END_TEST

START_TEST(a_cut_before_the_first_turn_leaves_nothing_to_do)
{
    struct pg_target target = {.conninfo = "host=/run", .application_name = "a", .connect_timeout = USEC_PER_SEC};
    connection = pg_open(loop, NULL, &target, &handlers, &connection);
    pg_cut(connection);
    settle(loop);
    close_it();
    target.conninfo = "nonsense";
    connection = pg_open(loop, NULL, &target, &handlers, &connection);
    pg_cut(connection);
    settle(loop);
    ck_assert_int_eq(ready + closed, 0);
    ck_assert_int_eq(script_connections(), 0);
}
END_TEST

/* --- notifications ------------------------------------------------------------------------------------------------ */

START_TEST(notifications_are_passed_on)
{
    open_ready();
    server_notifies(server, "chime", "one");
    server_notifies(server, "chime_request", "two");
    settle(loop);
    ck_assert_int_eq(notified, 2);
    ck_assert_str_eq(channel, "chime_request");
    ck_assert_str_eq(payload, "two");
}
END_TEST

START_TEST(notifications_that_nobody_wants_are_dropped)
{
    open_as("host=/run", &deaf);
    server_notifies(script_connection(0), "chime", "one");
    settle(loop);
    ck_assert_int_eq(notified, 0);
    ck_assert(pg_is_ready(connection));
}
END_TEST

START_TEST(it_may_be_closed_from_a_notification)
{
    open_ready();
    close_when_notified = true;
    server_notifies(server, "chime", "one");
    server_notifies(server, "chime", "two");
    settle(loop);
    ck_assert_int_eq(notified, 1);
    ck_assert_str_eq(payload, "one");
    ck_assert_ptr_null(connection);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("connection");
    TCase *tests = tcase_create("connection");
    tcase_add_checked_fixture(tests, opened_set_up, opened_tear_down);
    tcase_add_test(tests, it_is_ready_once_libpq_says_so);
    tcase_add_test(tests, before_it_is_ready_it_has_neither_pid_nor_version_nor_transaction);
    tcase_add_test(tests, the_conninfo_and_what_is_added_reach_libpq);
    tcase_add_test(tests, a_refusal_closes_it_with_the_first_line_and_where_it_tried);
    tcase_add_test(tests, a_failure_while_connecting_closes_it);
    tcase_add_test(tests, a_failure_without_words_gets_some);
    tcase_add_test(tests, a_server_that_says_nothing_is_given_up_after_the_timeout);
    tcase_add_test(tests, the_timeout_ends_with_the_connecting);
    tcase_add_test(tests, a_conninfo_that_cannot_be_read_closes_it_later_as_a_configuration_error);
    tcase_add_test(tests, a_conninfo_that_libpq_has_no_memory_for_says_that);
    tcase_add_test(tests, a_conninfo_with_too_many_parameters_is_refused);
    tcase_add_test(tests, notices_go_to_the_debug_log_by_their_first_line);
    tcase_add_test(tests, what_chime_tells_goes_to_whoever_asked_for_it);
    tcase_add_test(tests, it_may_be_closed_at_every_step_of_its_opening);
    tcase_add_test(tests, it_may_be_closed_from_ready);
    tcase_add_test(tests, it_may_be_closed_from_closed);
    tcase_add_test(tests, closing_nothing_is_allowed);
    tcase_add_test(tests, a_server_that_goes_closes_it_with_its_first_line);
    tcase_add_test(tests, a_connection_that_libpq_gives_up_while_reading_is_closed);
    tcase_add_test(tests, a_cut_tells_nobody_and_may_be_repeated);
    tcase_add_test(tests, a_cut_while_connecting_ends_the_connecting);
    tcase_add_test(tests, a_cut_before_the_first_turn_leaves_nothing_to_do);
    tcase_add_test(tests, notifications_are_passed_on);
    tcase_add_test(tests, notifications_that_nobody_wants_are_dropped);
    tcase_add_test(tests, it_may_be_closed_from_a_notification);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
