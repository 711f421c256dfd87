/* SPDX-License-Identifier: PostgreSQL */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/error.h"
#include "base/text.h"
#include "support/process/suite.h"

START_TEST(setting_an_error_returns_false_and_forgets_the_old_one)
{
    struct error err = {.kind = ERROR_FAILED, .sqlstate = "40001", .message = "old", .hint = "old"};
    ck_assert(!error_set(&err, ERROR_CONFIG, "no job \"%s\"", "lane"));
    ck_assert_int_eq(err.kind, ERROR_CONFIG);
    ck_assert_str_eq(err.message, "no job \"lane\"");
    ck_assert_str_eq(err.sqlstate, "");
    ck_assert_str_eq(err.hint, "");
}
END_TEST

START_TEST(hint_and_prefix_add_to_an_error_that_is_set)
{
    struct error err;
    error_set(&err, ERROR_CONFIG, "unknown option");
    ck_assert(!error_hint(&err, "did you mean \"%s\"?", "catchup"));
    ck_assert(!error_prefix(&err, "%s:%d", "a.conf", 3));
    ck_assert_str_eq(err.message, "a.conf:3: unknown option");
    ck_assert_str_eq(err.hint, "did you mean \"catchup\"?");
    error_clear(&err);
    ck_assert_int_eq(err.kind, ERROR_NONE);
    ck_assert_str_eq(err.message, "");
}
END_TEST

START_TEST(no_error_wanted_is_no_error_kept)
{
    ck_assert(!error_set(NULL, ERROR_CONFIG, "lost"));
    ck_assert(!error_hint(NULL, "lost"));
    ck_assert(!error_prefix(NULL, "lost"));
    error_clear(NULL);
}
END_TEST

START_TEST(an_argument_may_be_the_message_that_is_replaced)
{
    struct error err;
    error_set(&err, ERROR_FAILED, "inner");
    error_set(&err, ERROR_FAILED, "outer: %s", err.message);
    ck_assert_str_eq(err.message, "outer: inner");
}
END_TEST

START_TEST(a_message_too_long_is_cut_between_characters)
{
    struct error err;
    char text[4096] = "x";
    for (size_t i = 1; i + 2 < sizeof(text); i += 2) {
        memcpy(text + i, "\xC3\xA9", 3);
    }
    error_set(&err, ERROR_FAILED, "%s", text);
    ck_assert_uint_eq(strlen(err.message), sizeof(err.message) - 1);
    ck_assert(utf8_valid(err.message, strlen(err.message)));
    error_prefix(&err, "y");
    ck_assert_uint_eq(strlen(err.message), sizeof(err.message) - 2);
    ck_assert(utf8_valid(err.message, strlen(err.message)));
    error_set(&err, ERROR_FAILED, "-%s", text);
    ck_assert_uint_eq(strlen(err.message), sizeof(err.message) - 2);
    ck_assert(utf8_valid(err.message, strlen(err.message)));
}
END_TEST

START_TEST(a_report_owns_copies_and_sorts_by_file_then_line_then_arrival)
{
    struct report report;
    report_init(&report);
    report_sort(&report);
    char file[] = "b.conf";
    report_add(&report, file, 9, NULL, "ninth %d", 9);
    report_add(&report, file, 2, "a hint", "second");
    report_add(&report, NULL, 0, NULL, "nowhere");
    report_add(&report, "a.conf", 7, NULL, "first file");
    report_add(&report, file, 2, NULL, "second again");
    memset(file, 'x', sizeof(file) - 1);
    report_sort(&report);
    ck_assert_uint_eq(report.count, 5);
    ck_assert_str_eq(report.findings[0].message, "nowhere");
    ck_assert_ptr_null(report.findings[0].file);
    ck_assert_str_eq(report.findings[1].message, "first file");
    ck_assert_str_eq(report.findings[2].message, "second");
    ck_assert_str_eq(report.findings[2].hint, "a hint");
    ck_assert_str_eq(report.findings[3].message, "second again");
    ck_assert_str_eq(report.findings[4].message, "ninth 9");
    ck_assert_str_eq(report.findings[4].file, "b.conf");
    report_finish(&report);
    ck_assert_uint_eq(report.count, 0);
}
END_TEST

START_TEST(many_findings_stay_in_order_of_arrival_within_a_line)
{
    struct report report;
    report_init(&report);
    for (int i = 0; i < 1000; i++) {
        report_add(&report, "a.conf", i % 3, NULL, "%d", i);
    }
    report_sort(&report);
    for (size_t i = 1; i < report.count; i++) {
        const struct finding *before = &report.findings[i - 1];
        const struct finding *here = &report.findings[i];
        ck_assert(before->line < here->line || atoi(before->message) < atoi(here->message));
    }
    report_finish(&report);
}
END_TEST

static void check_text(struct finding finding, const char *expected)
{
    char *text = finding_line(&finding);
    ck_assert_str_eq(text, expected);
    free(text);
}

START_TEST(a_finding_reads_as_file_line_and_message)
{
    char file[] = "a.conf";
    char message[] = "bad";
    char hint[] = "mend it";
    check_text((struct finding){file, 3, message, hint}, "a.conf:3: bad");
    check_text((struct finding){file, 0, message, NULL}, "a.conf: bad");
    check_text((struct finding){NULL, 3, message, NULL}, "bad");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("error");
    TCase *tests = tcase_create("error");
    tcase_add_test(tests, setting_an_error_returns_false_and_forgets_the_old_one);
    tcase_add_test(tests, hint_and_prefix_add_to_an_error_that_is_set);
    tcase_add_test(tests, no_error_wanted_is_no_error_kept);
    tcase_add_test(tests, an_argument_may_be_the_message_that_is_replaced);
    tcase_add_test(tests, a_message_too_long_is_cut_between_characters);
    tcase_add_test(tests, a_report_owns_copies_and_sorts_by_file_then_line_then_arrival);
    tcase_add_test(tests, many_findings_stay_in_order_of_arrival_within_a_line);
    tcase_add_test(tests, a_finding_reads_as_file_line_and_message);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
