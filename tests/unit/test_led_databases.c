/* SPDX-License-Identifier: PostgreSQL */
#include <check.h>
#include <stdio.h>

#include "daemon/led_databases.h"
#include "support/process/suite.h"

static struct led_databases *led;

static void set_up(void)
{
    led = led_databases_create();
}

static void tear_down(void)
{
    led_databases_destroy(led);
}

START_TEST(who_leads_nothing_waits_for_nobody)
{
    ck_assert_int_eq(led_databases_pause(led), 0);
}
END_TEST

START_TEST(who_leads_more_waits_longer_but_never_too_long)
{
    led_databases_enter(led);
    ck_assert_int_eq(led_databases_pause(led), 400 * USEC_PER_MSEC);
    led_databases_enter(led);
    ck_assert_int_eq(led_databases_pause(led), 800 * USEC_PER_MSEC);
    for (int i = 0; i < 50; i++) {
        led_databases_enter(led);
    }
    ck_assert_int_eq(led_databases_pause(led), USEC_PER_SEC);
    for (int i = 0; i < 51; i++) {
        led_databases_leave(led);
    }
    ck_assert_int_eq(led_databases_pause(led), 400 * USEC_PER_MSEC);
}
END_TEST

/* Entries that do not meet in one database. */
static void admit_many(int count)
{
    static char names[100][12];
    for (int i = 0; i < count; i++) {
        struct error err;
        struct pg_server server = {.started = "monday"};
        snprintf(names[i], sizeof(names[i]), "%d", i);
        snprintf(server.database, sizeof(server.database), "%d", i);
        ck_assert(led_databases_admit(led, names[i], names[i], &server, &err));
    }
}

START_TEST(of_many_each_step_is_smaller_so_that_all_of_them_are_shared)
{
    admit_many(100);
    for (int i = 1; i <= 100; i++) {
        led_databases_enter(led);
        ck_assert_int_eq(led_databases_pause(led), i * 10 * USEC_PER_MSEC);
    }
}
END_TEST

START_TEST(a_daemon_of_many_databases_looks_at_each_less_often)
{
    ck_assert_int_eq(led_databases_check_every(led), 250 * USEC_PER_MSEC);
    admit_many(50);
    ck_assert_int_eq(led_databases_check_every(led), 250 * USEC_PER_MSEC);
    admit_many(100);
    ck_assert_int_eq(led_databases_check_every(led), 500 * USEC_PER_MSEC);
}
END_TEST

static bool admit(const char *name, const char *started, const char *number)
{
    struct error err = {.kind = ERROR_NONE};
    struct pg_server server = {.port = "5432"};
    snprintf(server.started, sizeof(server.started), "%s", started);
    snprintf(server.database, sizeof(server.database), "%s", number);
    bool admitted = led_databases_admit(led, name, name, &server, &err);
    ck_assert_int_eq(err.kind, admitted ? ERROR_NONE : ERROR_REFUSED);
    return admitted;
}

START_TEST(of_two_entries_for_one_database_the_first_is_served)
{
    static const char first[] = "a";
    ck_assert(admit(first, "monday", "5"));
    ck_assert(!admit("b", "monday", "5"));
    ck_assert(admit("c", "monday", "6"));
    ck_assert(admit("d", "tuesday", "5")); /* a copy of the server */
    ck_assert(admit(first, "monday", "5"));
}
END_TEST

START_TEST(it_is_also_when_both_come_back_until_it_is_another_or_gone)
{
    static const char first[] = "a";
    static const char second[] = "b";
    ck_assert(admit(first, "monday", "5"));
    ck_assert(!admit(second, "monday", "5"));
    led_databases_absent(led, first);
    ck_assert(!admit(second, "tuesday", "5"));
    ck_assert(admit(first, "tuesday", "6"));
    ck_assert(admit(second, "tuesday", "5"));
    ck_assert(!admit(first, "tuesday", "5"));
    led_databases_forget(led, second);
    ck_assert(admit(first, "tuesday", "5"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("led databases");
    TCase *tests = tcase_create("led databases");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, who_leads_nothing_waits_for_nobody);
    tcase_add_test(tests, who_leads_more_waits_longer_but_never_too_long);
    tcase_add_test(tests, of_many_each_step_is_smaller_so_that_all_of_them_are_shared);
    tcase_add_test(tests, a_daemon_of_many_databases_looks_at_each_less_often);
    tcase_add_test(tests, of_two_entries_for_one_database_the_first_is_served);
    tcase_add_test(tests, it_is_also_when_both_come_back_until_it_is_another_or_gone);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
