/* SPDX-License-Identifier: PostgreSQL */
/* What is answered without a name server: addresses, and names of /etc/hosts. */
#include <check.h>
#include <stdio.h>
#include <string.h>

#include "base/memory.h"
#include "loop/resolve.h"
#include "support/process/suite.h"

static struct loop *loop;
static struct resolver *resolver;
static int calls;
static char found[256]; /* separated by spaces */
static char problem[128];

static void set_up(void)
{
    loop = loop_create();
    resolver = resolver_create(loop);
    calls = 0;
}

static void tear_down(void)
{
    resolver_destroy(resolver);
    resolver_destroy(NULL);
    loop_destroy(loop);
}

static void answered(void *data, const char *const *addresses, size_t count, const char *why)
{
    ck_assert_ptr_eq(data, &calls);
    calls++;
    found[0] = '\0';
    for (size_t i = 0; i < count; i++) {
        size_t length = strlen(found);
        snprintf(found + length, sizeof(found) - length, "%s%s", i > 0 ? " " : "", addresses[i]);
    }
    snprintf(problem, sizeof(problem), "%s", why != NULL ? why : "");
    loop_stop(loop);
}

static void stop(void *data)
{
    loop_stop(data);
}

static void look_up(const char *host)
{
    int before = calls;
    resolve(resolver, host, answered, &calls);
    ck_assert_msg(calls == before, "answered before resolve returned");
    loop_run(loop);
    ck_assert_int_eq(calls, before + 1);
}

START_TEST(addresses_are_answered_as_they_are)
{
    static const char *const addresses[] = {"192.0.2.1", "127.0.0.1", "2001:db8::1", "::1"};
    for (size_t i = 0; i < COUNT_OF(addresses); i++) {
        look_up(addresses[i]);
        ck_assert_str_eq(found, addresses[i]);
        ck_assert_str_eq(problem, "");
    }
}
END_TEST

START_TEST(a_name_of_the_hosts_file_is_answered)
{
    look_up("localhost");
    ck_assert_msg(strstr(found, "127.0.0.1") != NULL || strstr(found, "::1") != NULL, "localhost is %s", found);
}
END_TEST

START_TEST(a_cancelled_query_calls_nobody_and_does_not_disturb_others)
{
    struct resolver_query *query = resolve(resolver, "192.0.2.1", answered, &calls);
    resolver_query_cancel(query);
    look_up("192.0.2.2");
    ck_assert_int_eq(calls, 1);
    ck_assert_str_eq(found, "192.0.2.2");
}
END_TEST

START_TEST(a_query_that_waits_for_a_name_server_may_be_cancelled)
{
    struct loop_timer *end = loop_timer_create(loop, stop, loop);
    struct resolver_query *query = resolve(resolver, "name.invalid", answered, &calls);
    resolver_query_cancel(query);
    loop_timer_set(end, 5 * USEC_PER_MSEC); /* libevent frees its part in turns of its own */
    loop_run(loop);
    ck_assert_int_eq(calls, 0);
    look_up("192.0.2.2");
    ck_assert_str_eq(found, "192.0.2.2");
    loop_timer_destroy(end);
}
END_TEST

START_TEST(an_empty_name_has_no_address_and_a_reason)
{
    look_up("");
    ck_assert_str_eq(found, "");
    ck_assert_ptr_nonnull(strstr(problem, "not known"));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("resolve");
    TCase *tests = tcase_create("resolve");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, addresses_are_answered_as_they_are);
    tcase_add_test(tests, a_name_of_the_hosts_file_is_answered);
    tcase_add_test(tests, a_cancelled_query_calls_nobody_and_does_not_disturb_others);
    tcase_add_test(tests, a_query_that_waits_for_a_name_server_may_be_cancelled);
    tcase_add_test(tests, an_empty_name_has_no_address_and_a_reason);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
