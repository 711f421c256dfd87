/* SPDX-License-Identifier: PostgreSQL */
#include <check.h>
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/text.h"
#include "support/process/abort_trap.h"
#include "support/process/suite.h"

#define AT_TEXT "2026-03-27T01:30:00.123Z "

static instant fixed(void *data)
{
    (void)data;
    return INT64_C(1774575000123456);
}

static const struct clock_source fixed_clock = {.boot = fixed, .wall = fixed, .data = NULL};

static void keep(const char *line, void *data)
{
    buffer_puts(data, line);
    errno = ENOENT;
}

static struct buffer lines;

static void setup(void)
{
    clock_replace(&fixed_clock);
    log_set_level(LOG_LEVEL_INFO);
    log_capture(keep, &lines);
}

static void expect(const char *text)
{
    ck_assert_str_eq(buffer_text(&lines), text);
    buffer_finish(&lines);
}

START_TEST(a_line_has_time_level_and_message)
{
    setup();
    log_info("job %s runs", "lane");
    log_warning("late by %ds", 3);
    expect(AT_TEXT "info job lane runs\n" AT_TEXT "warning late by 3s\n");
}
END_TEST

START_TEST(as_json_a_line_is_one_object_whatever_is_in_it)
{
    setup();
    log_set_json(true);
    log_info("job \"a\\b\" runs");
    log_warning("\x1b[2J\tx \xff \xc3\xa4");
    struct error err;
    error_set(&err, ERROR_FAILED, "division by zero");
    memcpy(err.sqlstate, "22012", 6);
    error_hint(&err, "do not\ndivide");
    log_error(&err);
    log_set_json(false);
    expect("{\"time\":\"2026-03-27T01:30:00.123Z\",\"level\":\"info\",\"message\":\"job \\\"a\\\\b\\\" runs\"}\n"
           "{\"time\":\"2026-03-27T01:30:00.123Z\",\"level\":\"warning\",\"message\":"
           "\"\\u001b[2J\\tx \\\\xff \xc3\xa4\"}\n"
           "{\"time\":\"2026-03-27T01:30:00.123Z\",\"level\":\"error\",\"message\":"
           "\"division by zero (SQLSTATE 22012)\",\"hint\":\"do not\\ndivide\"}\n");
}
END_TEST

START_TEST(levels_below_the_lowest_are_silent)
{
    setup();
    log_debug("unseen");
    log_set_level(LOG_LEVEL_DEBUG);
    log_debug("seen");
    expect(AT_TEXT "debug seen\n");
    log_set_level(LOG_LEVEL_WARNING);
    log_info("unseen");
    log_warning("seen");
    expect(AT_TEXT "warning seen\n");
    log_set_level(LOG_LEVEL_ERROR);
    log_warning("unseen");
    expect("");
}
END_TEST

START_TEST(an_error_shows_its_sqlstate_and_its_hint_on_a_line_of_its_own)
{
    setup();
    struct error err;
    error_set(&err, ERROR_FAILED, "division by zero");
    log_error(&err);
    expect(AT_TEXT "error division by zero\n");
    memcpy(err.sqlstate, "22012", 6);
    error_hint(&err, "do not\ndivide");
    log_error(&err);
    expect(AT_TEXT "error division by zero (SQLSTATE 22012)\nHINT:  do not\\ndivide\n");
}
END_TEST

START_TEST(no_text_from_outside_can_forge_a_line_or_move_the_cursor)
{
    setup();
    log_info("%s", "a\nb\rc\td\x1b[2J\x7f");
    expect(AT_TEXT "info a\\nb\\rc\\td\\x1b[2J\\x7f\n");
    log_info("%s", "nel \xC2\x85 csi \xC2\x9B line \xE2\x80\xA8 paragraph \xE2\x80\xA9");
    expect(AT_TEXT "info nel \\xc2\\x85 csi \\xc2\\x9b line \\xe2\\x80\\xa8 paragraph \\xe2\\x80\\xa9\n");
    log_info("%s", "turned \xE2\x80\xAE around \xE2\x81\xA6 and \xD8\x9C");
    expect(AT_TEXT "info turned \\xe2\\x80\\xae around \\xe2\\x81\\xa6 and \\xd8\\x9c\n");
    log_info("%s", "kept: \xC3\xA9 \xC2\xA0 \xE2\x82\xAC \xE2\x80\xA7 \xF0\x9F\x95\x90, not UTF-8: \xFF\x9B");
    expect(AT_TEXT "info kept: \xC3\xA9 \xC2\xA0 \xE2\x82\xAC \xE2\x80\xA7 \xF0\x9F\x95\x90, not UTF-8: \\xff\\x9b\n");
}
END_TEST

START_TEST(findings_are_warnings_of_their_place_or_of_elsewhere)
{
    struct report report;
    setup();
    report_init(&report);
    report_add(&report, "a.conf", 3, "mend it", "bad");
    report_add(&report, NULL, 0, NULL, "worse");
    log_findings(&report, "plugins");
    report_finish(&report);
    expect(AT_TEXT "warning a.conf:3: bad; mend it\n" AT_TEXT "warning plugins: worse\n");
}
END_TEST

START_TEST(errno_is_kept)
{
    setup();
    struct error err;
    error_set(&err, ERROR_FAILED, "x");
    errno = EPIPE;
    log_info("x");
    ck_assert_int_eq(errno, EPIPE);
    log_error(&err);
    ck_assert_int_eq(errno, EPIPE);
    buffer_finish(&lines);
}
END_TEST

START_TEST(a_message_too_long_is_cut_between_characters_and_marked)
{
    setup();
    for (int shift = 0; shift < 3; shift++) {
        struct buffer text = {0};
        buffer_append(&text, "xx", (size_t)shift);
        for (int i = 0; i < 5000; i++) {
            buffer_puts(&text, "\xE2\x82\xAC");
        }
        log_info("%s", buffer_text(&text));
        ck_assert(utf8_valid(lines.data, lines.length));
        ck_assert_str_eq(lines.data + lines.length - 7, "\xE2\x82\xAC...\n");
        ck_assert_uint_gt(lines.length, 4000);
        buffer_clear(&lines);
        buffer_finish(&text);
    }
    buffer_finish(&lines);
}
END_TEST

START_TEST(the_longest_message_of_control_characters_fits)
{
    setup();
    char text[8000];
    memset(text, '\x01', sizeof(text) - 1);
    text[sizeof(text) - 1] = '\0';
    log_info("%s", text);
    ck_assert_uint_gt(lines.length, 4 * 4000);
    ck_assert_str_eq(lines.data + lines.length - 8, "\\x01...\n");
    buffer_finish(&lines);
}
END_TEST

static size_t read_stderr_of(void (*action)(void *), char *text, size_t size)
{
    int ends[2];
    ck_assert_int_eq(pipe(ends), 0);
    int saved = dup(STDERR_FILENO);
    dup2(ends[1], STDERR_FILENO);
    action(NULL);
    dup2(saved, STDERR_FILENO);
    close(saved);
    close(ends[1]);
    ssize_t length = read(ends[0], text, size - 1);
    close(ends[0]);
    text[length] = '\0';
    return (size_t)length;
}

static void say_hello(void *data)
{
    (void)data;
    log_info("hello");
}

START_TEST(without_a_sink_lines_go_to_standard_error)
{
    setup();
    log_capture(NULL, NULL);
    char text[200];
    read_stderr_of(say_hello, text, sizeof(text));
    ck_assert_str_eq(text, AT_TEXT "info hello\n");
}
END_TEST

START_TEST(a_closed_standard_error_is_survived)
{
    setup();
    log_capture(NULL, NULL);
    int saved = dup(STDERR_FILENO);
    close(STDERR_FILENO);
    errno = 0;
    log_info("nobody reads this");
    ck_assert_int_eq(errno, 0);
    dup2(saved, STDERR_FILENO);
    close(saved);
}
END_TEST

static void die(void *data)
{
    fatal("invariant broken: %s", (const char *)data);
}

START_TEST(fatal_says_why_and_aborts)
{
    setup();
    char why[] = "two leaders";
    ck_assert(aborts(die, why));
    expect(AT_TEXT "error invariant broken: two leaders\n");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("log");
    TCase *tests = tcase_create("log");
    tcase_add_test(tests, as_json_a_line_is_one_object_whatever_is_in_it);
    tcase_add_test(tests, a_line_has_time_level_and_message);
    tcase_add_test(tests, levels_below_the_lowest_are_silent);
    tcase_add_test(tests, an_error_shows_its_sqlstate_and_its_hint_on_a_line_of_its_own);
    tcase_add_test(tests, no_text_from_outside_can_forge_a_line_or_move_the_cursor);
    tcase_add_test(tests, findings_are_warnings_of_their_place_or_of_elsewhere);
    tcase_add_test(tests, errno_is_kept);
    tcase_add_test(tests, a_message_too_long_is_cut_between_characters_and_marked);
    tcase_add_test(tests, the_longest_message_of_control_characters_fits);
    tcase_add_test(tests, without_a_sink_lines_go_to_standard_error);
    tcase_add_test(tests, a_closed_standard_error_is_survived);
    tcase_add_test(tests, fatal_says_why_and_aborts);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
