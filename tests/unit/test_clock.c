/* SPDX-License-Identifier: PostgreSQL */
#include <check.h>
#include <time.h>

#include "base/clock.h"
#include "support/process/suite.h"

static instant fixed_boot(void *data)
{
    return *(const instant *)data;
}

static instant fixed_wall(void *data)
{
    return *(const instant *)data + 1000;
}

START_TEST(the_system_clock_tells_the_systems_time_and_never_goes_back)
{
    instant before = clock_boot();
    instant wall = clock_wall();
    instant now = (instant)time(NULL) * USEC_PER_SEC;
    ck_assert_int_ge(clock_boot(), before);
    ck_assert_int_gt(before, 0);
    ck_assert_int_ge(wall, now - 5 * USEC_PER_SEC);
    ck_assert_int_le(wall, now + 5 * USEC_PER_SEC);
}
END_TEST

START_TEST(a_replaced_clock_is_asked_until_it_is_restored)
{
    instant at = 42;
    struct clock_source source = {.boot = fixed_boot, .wall = fixed_wall, .data = &at};
    clock_replace(&source);
    ck_assert_int_eq(clock_boot(), 42);
    ck_assert_int_eq(clock_wall(), 1042);
    at = 50;
    ck_assert_int_eq(clock_boot(), 50);
    clock_replace(NULL);
    ck_assert_int_gt(clock_wall(), 1000000);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("clock");
    TCase *tests = tcase_create("clock");
    tcase_add_test(tests, the_system_clock_tells_the_systems_time_and_never_goes_back);
    tcase_add_test(tests, a_replaced_clock_is_asked_until_it_is_restored);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
