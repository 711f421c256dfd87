/* SPDX-License-Identifier: PostgreSQL */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/log.h"
#include "support/process/abort_trap.h"
#include "support/process/suite.h"

START_TEST(an_empty_buffer_reads_as_empty_text)
{
    struct buffer buffer = {0};
    ck_assert_str_eq(buffer_text(&buffer), "");
    buffer_clear(&buffer);
    char *text = buffer_take(&buffer);
    ck_assert_str_eq(text, "");
    free(text);
    buffer_append(&buffer, NULL, 0);
    ck_assert_str_eq(buffer_text(&buffer), "");
    buffer_finish(&buffer);
}
END_TEST

START_TEST(what_is_appended_stands_in_order)
{
    struct buffer buffer = {0};
    buffer_puts(&buffer, "a");
    buffer_putc(&buffer, 'b');
    buffer_append(&buffer, "cd", 1);
    buffer_printf(&buffer, "%s%03d", "d", 5);
    ck_assert_str_eq(buffer_text(&buffer), "abcd005");
    ck_assert_uint_eq(buffer.length, 7);
    buffer_clear(&buffer);
    ck_assert_str_eq(buffer_text(&buffer), "");
    ck_assert_uint_gt(buffer.capacity, 0);
    buffer_finish(&buffer);
    ck_assert_ptr_null(buffer.data);
}
END_TEST

START_TEST(nul_bytes_are_kept)
{
    struct buffer buffer = {0};
    buffer_append(&buffer, "a\0b", 3);
    ck_assert_uint_eq(buffer.length, 3);
    ck_assert_mem_eq(buffer.data, "a\0b", 4);
    buffer_finish(&buffer);
}
END_TEST

START_TEST(it_grows_past_every_size_and_stays_terminated)
{
    struct buffer buffer = {0};
    for (size_t i = 0; i < 5000; i++) {
        buffer_putc(&buffer, (char)('a' + i % 26));
        ck_assert_int_eq(buffer.data[buffer.length], '\0');
    }
    for (size_t i = 0; i < 5000; i++) {
        ck_assert_int_eq(buffer.data[i], (char)('a' + i % 26));
    }
    static char large[100000];
    buffer_append(&buffer, large, sizeof(large));
    ck_assert_uint_eq(buffer.length, 105000);
    buffer_finish(&buffer);
}
END_TEST

START_TEST(integers_print_as_printf_prints_them)
{
    static const int64_t values[] = {0, 1, -1, 9, 10, -10, 1234567890123, INT64_MAX, INT64_MIN};
    for (size_t i = 0; i < COUNT_OF(values); i++) {
        struct buffer buffer = {0};
        char expected[32];
        snprintf(expected, sizeof(expected), "%lld", (long long)values[i]);
        buffer_put_int(&buffer, values[i]);
        ck_assert_str_eq(buffer_text(&buffer), expected);
        buffer_finish(&buffer);
    }
}
END_TEST

START_TEST(taking_leaves_an_empty_buffer_behind)
{
    struct buffer buffer = {0};
    buffer_puts(&buffer, "mine");
    char *text = buffer_take(&buffer);
    ck_assert_str_eq(text, "mine");
    ck_assert_uint_eq(buffer.length, 0);
    ck_assert_str_eq(buffer_text(&buffer), "");
    free(text);
}
END_TEST

static void append_to_huge(void *data)
{
    buffer_append(data, "x", 1);
}

static void ignore_line(const char *line, void *data)
{
    (void)line;
    (void)data;
}

START_TEST(a_length_that_overflows_ends_the_process)
{
    struct buffer huge = {.length = SIZE_MAX / 2 - 1};
    log_capture(ignore_line, NULL);
    ck_assert(aborts(append_to_huge, &huge));
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("buffer");
    TCase *tests = tcase_create("buffer");
    tcase_add_test(tests, an_empty_buffer_reads_as_empty_text);
    tcase_add_test(tests, what_is_appended_stands_in_order);
    tcase_add_test(tests, nul_bytes_are_kept);
    tcase_add_test(tests, it_grows_past_every_size_and_stays_terminated);
    tcase_add_test(tests, integers_print_as_printf_prints_them);
    tcase_add_test(tests, taking_leaves_an_empty_buffer_behind);
    tcase_add_test(tests, a_length_that_overflows_ends_the_process);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
