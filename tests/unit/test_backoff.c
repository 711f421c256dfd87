/* SPDX-License-Identifier: PostgreSQL */
#include <check.h>
#include <math.h>

#include "calendar/backoff.h"
#include "support/process/suite.h"

static const struct backoff plain = {
    .initial = 5 * USEC_PER_SEC, .coefficient = 2, .max = 10 * USEC_PER_MINUTE, .jitter = 0};

START_TEST(delays_grow_by_the_coefficient_up_to_the_longest)
{
    static const int64_t seconds[] = {5, 10, 20, 40, 80, 160, 320, 600, 600, 600};
    for (int i = 0; i < (int)COUNT_OF(seconds); i++) {
        ck_assert_int_eq(backoff_delay(&plain, i + 1, 99), seconds[i] * USEC_PER_SEC);
    }
}
END_TEST

START_TEST(fewer_than_one_failure_counts_as_the_first)
{
    ck_assert_int_eq(backoff_delay(&plain, 0, 1), plain.initial);
    ck_assert_int_eq(backoff_delay(&plain, -5, 1), plain.initial);
}
END_TEST

START_TEST(jitter_spreads_both_ways_and_a_seed_repeats_it)
{
    struct backoff backoff = plain;
    backoff.jitter = 0.2;
    int shorter = 0;
    int far = 0;
    for (uint64_t seed = 0; seed < 10000; seed++) {
        duration delay = backoff_delay(&backoff, 1, seed);
        ck_assert_int_eq(delay, backoff_delay(&backoff, 1, seed));
        ck_assert_int_ge(delay, 4 * USEC_PER_SEC);
        ck_assert_int_le(delay, 6 * USEC_PER_SEC);
        shorter += delay < 5 * USEC_PER_SEC;
        far += delay < 4100 * USEC_PER_MSEC || delay > 5900 * USEC_PER_MSEC;
    }
    ck_assert_int_gt(shorter, 4700);
    ck_assert_int_lt(shorter, 5300);
    ck_assert_int_gt(far, 800);
    ck_assert_int_lt(far, 1200);
}
END_TEST

START_TEST(nothing_overflows)
{
    struct backoff huge = {.initial = INT64_MAX, .coefficient = 100, .max = INT64_MAX, .jitter = 1};
    for (uint64_t seed = 0; seed < 1000; seed++) {
        ck_assert_int_ge(backoff_delay(&huge, 2147483647, seed), 0);
        ck_assert_int_ge(backoff_delay(&huge, 1, seed), 0);
    }
    ck_assert_int_eq(backoff_delay(&plain, 2147483647, 1), plain.max);
    struct backoff none = {.initial = 0, .coefficient = INFINITY, .max = USEC_PER_SEC, .jitter = 0.5};
    ck_assert_int_eq(backoff_delay(&none, 10, 1), 0);
}
END_TEST

START_TEST(a_coefficient_of_one_never_grows)
{
    struct backoff steady = plain;
    steady.coefficient = 1;
    ck_assert_int_eq(backoff_delay(&steady, 1000000, 3), steady.initial);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("backoff");
    TCase *tests = tcase_create("backoff");
    tcase_add_test(tests, delays_grow_by_the_coefficient_up_to_the_longest);
    tcase_add_test(tests, fewer_than_one_failure_counts_as_the_first);
    tcase_add_test(tests, jitter_spreads_both_ways_and_a_seed_repeats_it);
    tcase_add_test(tests, nothing_overflows);
    tcase_add_test(tests, a_coefficient_of_one_never_grows);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
