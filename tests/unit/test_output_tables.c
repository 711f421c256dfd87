/* SPDX-License-Identifier: PostgreSQL */
/* What is printed for people. */
#define _GNU_SOURCE /* posix_openpt */
#include <check.h>
#include <fcntl.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "base/memory.h"
#include "support/process/output_rows.h"
#include "support/process/suite.h"

START_TEST(a_table_has_headers_and_values_for_people)
{
    fill_row();
    char *text = print_as(OUTPUT_TABLE);
    assert_has(text, "NAME STATE  COUNT ON  AT                       TOOK TEXT TABLE ONLY\n");
    assert_has(text, "a    failed    42 yes 2026-03-27 01:30:00.250Z 1.2s one  shown\n");
    free(text);
}
END_TEST

START_TEST(a_wide_table_has_more_columns_and_a_vertical_one_has_all)
{
    fill_row();
    char *text = print_as(OUTPUT_WIDE);
    assert_has(text, "96.0 kB");
    assert_lacks(text, "LIST");
    free(text);
    output_set_vertical(list);
    text = print_as(OUTPUT_TABLE);
    assert_has(text, "SIZE       96.0 kB\n");
    assert_has(text, "LIST       x, y\n");
    free(text);
}
END_TEST

START_TEST(a_vertical_table_leaves_out_what_is_empty)
{
    output_add_row(list);
    output_set(list, NAME, "a");
    output_set(list, LIST, "[]");
    output_set_vertical(list);
    char *text = print_as(OUTPUT_TABLE);
    ck_assert_str_eq(text, "NAME a\n");
    free(text);
}
END_TEST

START_TEST(an_object_is_shown_as_its_members)
{
    output_add_row(list);
    output_set(list, LIST, "{\"catchup\":\"all\",\"limit\":3}");
    output_set_vertical(list);
    char *text = print_as(OUTPUT_TABLE);
    ck_assert_str_eq(text, "LIST catchup = all, limit = 3\n");
    free(text);
}
END_TEST

START_TEST(no_header_leaves_the_rows)
{
    fill_row();
    char *text = print_lists(&list, 1,
                             (struct output_style){.format = OUTPUT_TABLE, .no_header = true, .terminal = true});
    assert_lacks(text, "NAME");
    assert_has(text, "shown");
    free(text);
}
END_TEST

START_TEST(nothing_is_printed_of_an_empty_table)
{
    char *text = print_as(OUTPUT_TABLE);
    ck_assert_str_eq(text, "");
    free(text);
}
END_TEST

START_TEST(local_time_is_shown_with_its_offset)
{
    setenv("TZ", "Asia/Kolkata", 1);
    tzset();
    output_add_row(list);
    output_set(list, AT, "2026-03-27 01:30:00+00");
    char *text = print_lists(&list, 1, (struct output_style){.format = OUTPUT_TABLE});
    assert_has(text, "2026-03-27 07:00:00+0530");
    free(text);
}
END_TEST

START_TEST(a_long_text_is_cut_between_characters_on_a_terminal_unless_wide)
{
    struct buffer long_text = {0};
    for (int i = 0; i < 100; i++) {
        buffer_puts(&long_text, "\u00e4");
    }
    output_add_row(list);
    output_set(list, TEXT, buffer_text(&long_text));
    char *text = print_as(OUTPUT_TABLE);
    assert_lacks(text, buffer_text(&long_text));
    assert_has(text, "\u00e4\u00e4\u2026");
    free(text);
    text = print_as(OUTPUT_WIDE);
    assert_has(text, buffer_text(&long_text));
    free(text);
    text = print_lists(&list, 1, (struct output_style){.format = OUTPUT_TABLE}); /* a file, a pipe */
    assert_has(text, buffer_text(&long_text));
    free(text);
    buffer_finish(&long_text);
}
END_TEST

START_TEST(no_text_of_a_database_reaches_the_terminal_raw)
{
    output_add_row(list);
    output_set(list, NAME, "a\x1b[2Jb");
    output_set(list, TEXT, "c\nd");
    output_set(list, TABLE_ONLY, "e\\x1b");
    char *text = print_as(OUTPUT_TABLE);
    assert_lacks(text, "\x1b");
    assert_has(text, "a\\u001b[2Jb");
    assert_has(text, "c\u2026");
    assert_lacks(text, "c\nd");
    free(text);
}
END_TEST

static char *print_text_to(const char *content, enum output_format format, bool vertical, bool terminal)
{
    output_add_row(list);
    output_set(list, TEXT, content);
    if (vertical) {
        output_set_vertical(list);
    }
    return print_lists(&list, 1, (struct output_style){.format = format, .no_header = true, .terminal = terminal});
}

static char *print_text(const char *value, enum output_format format, bool vertical)
{
    return print_text_to(value, format, vertical, true);
}

START_TEST(a_table_has_the_first_line_of_a_text)
{
    char *text = print_text("\n first \r\nsecond\n", OUTPUT_TABLE, false);
    assert_has(text, " first\u2026");
    assert_lacks(text, "second");
    free(text);
}
END_TEST

START_TEST(a_table_in_a_pipe_has_all_but_the_context_of_an_error)
{
    const char *error = "boom\nHINT:  mend it\nCONTEXT:  SQL statement \"SELECT\"\nPL/pgSQL function f";
    char *text = print_text_to(error, OUTPUT_TABLE, false, false);
    assert_has(text, " boom HINT:  mend it\u2026");
    assert_lacks(text, "CONTEXT");
    free(text);
    text = print_text_to(error, OUTPUT_WIDE, false, false);
    assert_has(text, "mend it CONTEXT:  SQL statement \"SELECT\" PL/pgSQL function f");
    free(text);
}
END_TEST

START_TEST(a_wide_table_has_all_lines_in_one)
{
    char *text = print_text("first\nse\x1b"
                            "cond\n\n",
                            OUTPUT_WIDE, false);
    assert_has(text, " first se\\u001bcond ");
    ck_assert_ptr_eq(strchr(text, '\n'), text + strlen(text) - 1);
    free(text);
}
END_TEST

START_TEST(a_vertical_table_keeps_lines_and_their_indentation)
{
    char *text = print_text("first\n  second\n\nNAME forged", OUTPUT_TABLE, true);
    ck_assert_str_eq(text, "TEXT first\n       second\n     \n     NAME forged\n");
    free(text);
}
END_TEST

/* What a terminal of so many columns shows of a long text; libsmartcols looks at standard output. */
static char *print_on_terminal(unsigned short width)
{
    struct winsize size = {.ws_row = 24, .ws_col = width};
    int master = posix_openpt(O_RDWR | O_NOCTTY);
    ck_assert(master >= 0 && grantpt(master) == 0 && unlockpt(master) == 0);
    int terminal = open(ptsname(master), O_RDWR | O_NOCTTY);
    ck_assert(terminal >= 0 && ioctl(terminal, TIOCSWINSZ, &size) == 0);
    int saved = dup(STDOUT_FILENO);
    fflush(stdout);
    dup2(terminal, STDOUT_FILENO);
    output_print(&list, 1, &(struct output_style){.format = OUTPUT_TABLE, .no_header = true, .terminal = true}, stdout);
    fflush(stdout);
    dup2(saved, STDOUT_FILENO);
    close(saved);
    char text[1024];
    ssize_t length = read(master, text, sizeof(text) - 1);
    ck_assert_int_gt(length, 0);
    close(terminal);
    close(master);
    return xstrndup(text, (size_t)length);
}

START_TEST(what_a_narrow_terminal_cuts_is_marked)
{
    unsetenv("COLUMNS");
    output_add_row(list);
    output_set(list, NAME, "a");
    output_set(list, TEXT, "twenty \u00e4 characters on");
    char *text = print_on_terminal(80);
    assert_has(text, "twenty \u00e4 characters on");
    free(text);
    text = print_on_terminal(24);
    assert_has(text, "\u2026");
    assert_lacks(text, "characters");
    free(text);
}
END_TEST

START_TEST(states_are_coloured_only_where_asked_for)
{
    fill_row();
    char *plain = print_as(OUTPUT_TABLE);
    char *coloured = print_lists(&list, 1, (struct output_style){.format = OUTPUT_TABLE, .colour = true});
    assert_lacks(plain, "\x1b");
    assert_has(coloured, "\x1b[31mfailed");
    free(plain);
    free(coloured);
}
END_TEST

int main(void)
{
    setlocale(LC_CTYPE, "C.UTF-8");
    Suite *suite = suite_create("output_tables");
    TCase *tests = rows_case("tables");
    tcase_add_test(tests, a_table_has_headers_and_values_for_people);
    tcase_add_test(tests, a_wide_table_has_more_columns_and_a_vertical_one_has_all);
    tcase_add_test(tests, a_vertical_table_leaves_out_what_is_empty);
    tcase_add_test(tests, an_object_is_shown_as_its_members);
    tcase_add_test(tests, no_header_leaves_the_rows);
    tcase_add_test(tests, nothing_is_printed_of_an_empty_table);
    tcase_add_test(tests, local_time_is_shown_with_its_offset);
    tcase_add_test(tests, a_long_text_is_cut_between_characters_on_a_terminal_unless_wide);
    tcase_add_test(tests, no_text_of_a_database_reaches_the_terminal_raw);
    tcase_add_test(tests, a_table_has_the_first_line_of_a_text);
    tcase_add_test(tests, a_table_in_a_pipe_has_all_but_the_context_of_an_error);
    tcase_add_test(tests, a_wide_table_has_all_lines_in_one);
    tcase_add_test(tests, a_vertical_table_keeps_lines_and_their_indentation);
    tcase_add_test(tests, what_a_narrow_terminal_cuts_is_marked);
    tcase_add_test(tests, states_are_coloured_only_where_asked_for);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
