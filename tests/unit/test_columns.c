/* SPDX-License-Identifier: PostgreSQL */
#include <check.h>

#include "base/memory.h"
#include "ledger/columns.h"
#include "support/process/suite.h"

static struct columns columns;

static void set_up(void)
{
    columns_init(&columns);
}

static void tear_down(void)
{
    columns_finish(&columns);
}

START_TEST(every_column_that_nothing_was_put_into_is_an_empty_array)
{
    columns_close(&columns);
    for (size_t i = 0; i < COLUMNS_MAX; i++) {
        ck_assert_str_eq(columns.values[i], "{}");
    }
}
END_TEST

START_TEST(numbers_and_truths_are_listed)
{
    columns_int(&columns, 0, INT64_MIN);
    columns_int(&columns, 0, 0);
    columns_int(&columns, 0, INT64_MAX);
    columns_bool(&columns, 1, true);
    columns_bool(&columns, 1, false);
    columns_close(&columns);
    ck_assert_str_eq(columns.values[0], "{-9223372036854775808,0,9223372036854775807}");
    ck_assert_str_eq(columns.values[1], "{t,f}");
}
END_TEST

START_TEST(instants_are_written_in_utc_and_none_is_null)
{
    columns_instant(&columns, 3, 0);
    columns_instant(&columns, 3, INSTANT_NONE);
    columns_instant(&columns, 3, 1500000);
    columns_close(&columns);
    ck_assert_str_eq(columns.values[3], "{1970-01-01T00:00:00Z,NULL,1970-01-01T00:00:01.500000Z}");
}
END_TEST

START_TEST(texts_are_quoted_so_that_none_can_leave_its_place)
{
    static const struct {
        const char *text;
        const char *written;
    } cases[] = {
        {"plain", "{\"plain\"}"},
        {"", "{\"\"}"},
        {NULL, "{NULL}"},
        {"NULL", "{\"NULL\"}"},
        {"a,b {c} 'd'", "{\"a,b {c} 'd'\"}"},
        {"\"},{\"", "{\"\\\"},{\\\"\"}"},
        {"\\", "{\"\\\\\"}"},
        {"\\\"", "{\"\\\\\\\"\"}"},
        {"line\nand\ttab €", "{\"line\nand\ttab €\"}"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        struct columns one;
        columns_init(&one);
        columns_text(&one, COLUMNS_MAX - 1, cases[i].text);
        columns_close(&one);
        ck_assert_str_eq(one.values[COLUMNS_MAX - 1], cases[i].written);
        columns_finish(&one);
    }
}
END_TEST

START_TEST(texts_follow_each_other)
{
    columns_text(&columns, 2, "a");
    columns_text(&columns, 2, NULL);
    columns_text(&columns, 2, "b");
    columns_close(&columns);
    ck_assert_str_eq(columns.values[2], "{\"a\",NULL,\"b\"}");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("columns");
    TCase *tests = tcase_create("columns");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, every_column_that_nothing_was_put_into_is_an_empty_array);
    tcase_add_test(tests, numbers_and_truths_are_listed);
    tcase_add_test(tests, instants_are_written_in_utc_and_none_is_null);
    tcase_add_test(tests, texts_are_quoted_so_that_none_can_leave_its_place);
    tcase_add_test(tests, texts_follow_each_other);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
