/* SPDX-License-Identifier: PostgreSQL */
/* What comes again and again is told once a minute. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/log_fold.h"
#include "support/process/suite.h"

#define MINUTE (60 * USEC_PER_SEC)

static instant now;
static struct buffer lines;
static size_t line_count;
static struct log_fold *fold;

static instant fixed(void *data)
{
    (void)data;
    return now;
}

static const struct clock_source fixed_clock = {.boot = fixed, .wall = fixed, .data = NULL};

static void keep(const char *line, void *data)
{
    (void)data;
    line_count++;
    buffer_puts(&lines, strstr(line, "warning "));
}

static void set_up(void)
{
    now = INT64_C(1774575000000000);
    line_count = 0;
    clock_replace(&fixed_clock);
    log_capture(keep, NULL);
    fold = log_fold_create();
}

static void expect(const char *text)
{
    ck_assert_str_eq(buffer_text(&lines), text);
    buffer_clear(&lines);
}

static void stumble(int64_t key, int times)
{
    for (int i = 1; i <= times; i++) {
        log_fold_warning(fold, key, "job %d fails, %d", (int)key, i);
    }
}

START_TEST(the_first_is_told_and_the_next_ones_are_counted)
{
    stumble(1, 60);
    stumble(2, 1);
    expect("warning job 1 fails, 1\nwarning job 2 fails, 1\n");
    now += MINUTE - 1;
    log_fold_tell(fold);
    expect("");
    now += 1;
    log_fold_tell(fold);
    expect("warning job 1 fails, 60 (the last of 59 more since)\n");
    stumble(1, 2);
    expect("");
    stumble(2, 1); /* was quiet for a minute */
    expect("warning job 2 fails, 1\n");
    log_fold_destroy(fold);
    expect("warning job 1 fails, 2 (the last of 2 more since)\n");
}
END_TEST

START_TEST(an_hour_of_failures_is_a_line_a_minute)
{
    for (int second = 0; second < 3600; second++) {
        stumble(1, 5);
        log_fold_tell(fold);
        now += USEC_PER_SEC;
    }
    ck_assert_uint_le(line_count, 60);
    ck_assert_uint_ge(line_count, 59);
    log_fold_destroy(fold);
}
END_TEST

START_TEST(what_many_jobs_say_is_bounded)
{
    for (int64_t key = 0; key < 3 * LOG_FOLD_KEYS; key++) {
        stumble(key, 2);
    }
    ck_assert_uint_eq(line_count, LOG_FOLD_KEYS);
    buffer_clear(&lines);
    now += 2 * MINUTE;
    log_fold_tell(fold);
    ck_assert_uint_eq(line_count, 2 * LOG_FOLD_KEYS + 1);
    ck_assert(strstr(buffer_text(&lines), "4000 more warnings of other jobs are left out\n") != NULL);
    now += MINUTE;
    log_fold_tell(fold);
    stumble(7 * LOG_FOLD_KEYS, 1); /* there is room again */
    ck_assert_uint_eq(line_count, 2 * LOG_FOLD_KEYS + 2);
    log_fold_destroy(fold);
}
END_TEST

START_TEST(a_long_line_is_cut_between_characters)
{
    char text[4000] = "";
    for (int i = 0; i < 1000; i++) {
        strcat(text, "é");
    }
    log_fold_warning(fold, 1, "x%s", text);
    ck_assert_uint_eq(strlen(buffer_text(&lines)), strlen("warning x") + LOG_FOLD_LENGTH - 2 + strlen("...\n"));
    log_fold_destroy(fold);
}
END_TEST

static void tear_down(void)
{
    log_capture(NULL, NULL);
    clock_replace(NULL);
    buffer_finish(&lines);
}

int main(void)
{
    Suite *suite = suite_create("log_fold");
    TCase *tests = tcase_create("log_fold");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, the_first_is_told_and_the_next_ones_are_counted);
    tcase_add_test(tests, an_hour_of_failures_is_a_line_a_minute);
    tcase_add_test(tests, what_many_jobs_say_is_bounded);
    tcase_add_test(tests, a_long_line_is_cut_between_characters);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
