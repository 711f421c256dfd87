/* SPDX-License-Identifier: PostgreSQL */
/* Names that are looked up, and hosts that are tried one after the other. */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "support/pg/opened.h"
#include "support/process/suite.h"

/* That connection leads there. */
static void expect_place(int number, const char *host, const char *address, const char *port)
{
    const PGconn *place = script_connection(number);
    ck_assert_pstr_eq(script_parameter(place, "host"), host);
    ck_assert_pstr_eq(script_parameter(place, "hostaddr"), address);
    ck_assert_pstr_eq(script_parameter(place, "port"), port);
}

START_TEST(a_name_is_looked_up_before_libpq_would)
{
    open_as("host=db.example port=5433", &handlers);
    ck_assert_int_eq(script_connections(), 0);
    answer_name("db.example", &(const char *){"192.0.2.7"}, 1);
    settle(loop);
    ck_assert_int_eq(ready, 1);
    ck_assert_str_eq(script_parameter(script_connection(0), "host"), "db.example");
    ck_assert_str_eq(script_parameter(script_connection(0), "hostaddr"), "192.0.2.7");
}
END_TEST

START_TEST(hosts_are_tried_one_after_the_other_and_only_names_are_looked_up)
{
    script_refuses("refused 1\n");
    open_as("host=192.0.2.1,one,/run,two hostaddr=,,, port=1,2,3,4", &handlers);
    expect_place(0, "192.0.2.1", "", "1");
    script_polls("wf", "refused 3\n");
    answer_name("one", NULL, 0);
    settle(loop);
    expect_place(1, "/run", "", "3");
    ck_assert(script_finished(script_connection(1)));
    answer_name("two", &(const char *){"192.0.2.2"}, 1);
    settle(loop);
    expect_place(2, "two", "192.0.2.2", "4");
    ck_assert_int_eq(ready, 1);
    ck_assert_uint_eq(pg_host_in_use(connection), 3);
}
END_TEST

START_TEST(each_address_of_a_name_is_tried)
{
    static const char *const addresses[] = {"2001:db8::1", "192.0.2.1"};
    open_as("host=db port=1", &handlers);
    script_refuses("refused\n");
    answer_name("db", addresses, COUNT_OF(addresses));
    settle(loop);
    expect_place(0, "db", "2001:db8::1", "1");
    expect_place(1, "db", "192.0.2.1", "1");
    ck_assert_int_eq(ready, 1);
}
END_TEST

START_TEST(a_host_that_hangs_keeps_the_others_waiting_three_seconds)
{
    script_polls("ws", "");
    open_as("host=/a,/b", &handlers);
    pass_time(loop, 3 * USEC_PER_SEC - 1);
    ck_assert_int_eq(script_connections(), 1);
    pass_time(loop, 1);
    ck_assert(script_finished(script_connection(0)));
    ck_assert_int_eq(ready, 1);
    ck_assert_uint_eq(pg_host_in_use(connection), 1);
}
END_TEST

START_TEST(a_name_that_is_not_answered_keeps_the_others_waiting_no_longer)
{
    open_as("host=db,/b", &handlers);
    pass_time(loop, 3 * USEC_PER_SEC);
    ck_assert_int_eq(cancelled, 1);
    ck_assert_int_eq(ready, 1);
}
END_TEST

START_TEST(the_conninfos_own_timeout_counts_for_each_host)
{
    script_polls("ws", "");
    open_as("host=/a,/b connect_timeout=5", &handlers);
    pass_time(loop, 5 * USEC_PER_SEC - 1);
    ck_assert_int_eq(ready, 0);
    script_polls("ws", "");
    pass_time(loop, 1);
    pass_time(loop, 5 * USEC_PER_SEC);
    expect_closed("no connection in time to host /a; no connection in time to host /b");
}
END_TEST

START_TEST(when_no_host_takes_us_each_says_why)
{
    script_refuses("refused\n\tIs it running?\n");
    open_as("host=/a,two", &handlers);
    answer_name("two", NULL, 0);
    expect_closed("refused; host \"two\" has no address: nodename nor servname provided, or not known");
    ck_assert_str_eq(reason.hint,
                     "is the server running, and is the conninfo right? (tried host /a,two database default)");
}
END_TEST

START_TEST(another_host_may_be_the_first)
{
    struct pg_target target = {.conninfo = "host=/a,/b,/c port=1,2,3",
                               .application_name = "a",
                               .connect_timeout = USEC_PER_SEC,
                               .first_host = 5};
    script_refuses("refused\n");
    open_target(&target);
    ck_assert_str_eq(script_parameter(script_connection(0), "host"), "/c");
    ck_assert_str_eq(script_parameter(script_connection(1), "host"), "/a");
    ck_assert_uint_eq(pg_host_in_use(connection), 0);
}
END_TEST

START_TEST(a_server_that_is_named_is_the_only_place)
{
    struct pg_server wanted;
    open_as("host=/a port=1", &handlers);
    pg_place(connection, &wanted);
    ck_assert_str_eq(wanted.host, "/a");
    ck_assert_str_eq(wanted.address, "");
    ck_assert_str_eq(wanted.port, "1");
    close_it();
    settle(loop);
    snprintf(wanted.host, sizeof(wanted.host), "db");
    snprintf(wanted.address, sizeof(wanted.address), "192.0.2.2");
    snprintf(wanted.started, sizeof(wanted.started), "then");
    struct pg_target target = {.conninfo = "host=/a,/b hostaddr=, port=7,8",
                               .application_name = "a",
                               .connect_timeout = USEC_PER_SEC,
                               .server = &wanted};
    script_refuses("refused\n");
    open_target(&target);
    expect_place(1, "db", "192.0.2.2", "1");
    ck_assert_int_eq(script_connections(), 2);
    ck_assert_str_eq(pg_server_wanted(connection), "then");
    expect_closed("refused");
    close_it();
    settle(loop);
    target.conninfo = "host=/c port=9";
    target.own_hosts = true;
    open_target(&target);
    expect_place(2, "/c", NULL, "9");
    ck_assert_str_eq(pg_server_wanted(connection), "then");
}
END_TEST

START_TEST(a_pooler_is_told_by_its_name)
{
    script_polls("wf", "connection to server failed: FATAL:  unsupported startup parameter: options\n");
    open_as("host=/run", &handlers);
    expect_closed(
        "a pooler (PgBouncer) is in between: connection to server failed: FATAL:  unsupported startup parameter: "
        "options");
    ck_assert_ptr_nonnull(strstr(reason.hint, "connect to the server itself"));
}
END_TEST

START_TEST(the_timeout_covers_the_lookup)
{
    open_as("host=db", &handlers);
    pass_time(loop, 10 * USEC_PER_SEC);
    expect_closed("no connection in time to host db database default");
    ck_assert_int_eq(cancelled, 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("connection_hosts");
    TCase *tests = tcase_create("connection_hosts");
    tcase_add_checked_fixture(tests, opened_set_up, opened_tear_down);
    tcase_add_test(tests, a_name_is_looked_up_before_libpq_would);
    tcase_add_test(tests, hosts_are_tried_one_after_the_other_and_only_names_are_looked_up);
    tcase_add_test(tests, each_address_of_a_name_is_tried);
    tcase_add_test(tests, a_host_that_hangs_keeps_the_others_waiting_three_seconds);
    tcase_add_test(tests, a_name_that_is_not_answered_keeps_the_others_waiting_no_longer);
    tcase_add_test(tests, the_conninfos_own_timeout_counts_for_each_host);
    tcase_add_test(tests, when_no_host_takes_us_each_says_why);
    tcase_add_test(tests, another_host_may_be_the_first);
    tcase_add_test(tests, a_server_that_is_named_is_the_only_place);
    tcase_add_test(tests, a_pooler_is_told_by_its_name);
    tcase_add_test(tests, the_timeout_covers_the_lookup);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
