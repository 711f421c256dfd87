/* SPDX-License-Identifier: PostgreSQL */
/* What is printed for programs, and the pieces of it. Tables are in test_output_tables.c. */
#define _GNU_SOURCE /* posix_openpt */
#include <check.h>
#include <fcntl.h>
#include <jansson.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "support/process/abort_trap.h"
#include "support/process/output_rows.h"
#include "support/process/suite.h"

/* --- data --------------------------------------------------------------------------------------------------------- */

static json_t *parse(char *text)
{
    json_error_t problem;
    json_t *document = json_loads(text, JSON_REJECT_DUPLICATES, &problem);
    ck_assert_msg(document != NULL, "%s in %s", problem.text, text);
    free(text);
    return document;
}

START_TEST(json_is_one_object_with_a_version_and_lists_under_their_plural_names)
{
    fill_row();
    json_t *document = parse(print_as(OUTPUT_JSON));
    ck_assert_int_eq(json_integer_value(json_object_get(document, "schema_version")), 1);
    json_t *row = json_array_get(json_object_get(document, "things"), 0);
    ck_assert_str_eq(json_string_value(json_object_get(row, "name")), "a");
    ck_assert_int_eq(json_integer_value(json_object_get(row, "count")), 42);
    ck_assert(json_is_true(json_object_get(row, "on")));
    ck_assert_str_eq(json_string_value(json_object_get(row, "at")), "2026-03-27T01:30:00.250000Z");
    ck_assert_double_eq_tol(json_real_value(json_object_get(row, "took_ms")), 1234.567, 1e-9);
    ck_assert_int_eq(json_integer_value(json_object_get(row, "bytes")), 98304);
    ck_assert_str_eq(json_string_value(json_array_get(json_object_get(row, "list"), 1)), "y");
    ck_assert_str_eq(json_string_value(json_object_get(row, "data_only")), "hidden");
    ck_assert_uint_eq(json_object_size(row), 10);
    json_decref(document);
}
END_TEST

START_TEST(what_is_not_given_or_not_readable_is_null)
{
    output_add_row(list);
    output_set(list, COUNT, "many");
    output_set(list, AT, "infinity");
    output_set(list, NAME, NULL);
    json_t *document = parse(print_as(OUTPUT_JSON));
    const char *key;
    json_t *value;
    json_object_foreach(json_array_get(json_object_get(document, "things"), 0), key, value)
    {
        ck_assert_msg(json_is_null(value), "%s is not null", key);
    }
    json_decref(document);
}
END_TEST

START_TEST(a_plain_list_has_values_instead_of_objects)
{
    output_set_plain(list, AT);
    fill_row();
    output_add_row(list);
    json_t *document = parse(print_as(OUTPUT_JSON));
    json_t *rows = json_object_get(document, "things");
    ck_assert_str_eq(json_string_value(json_array_get(rows, 0)), "2026-03-27T01:30:00.250000Z");
    ck_assert(json_is_null(json_array_get(rows, 1)));
    json_decref(document);
    char *lines = print_as(OUTPUT_NDJSON);
    ck_assert_str_eq(lines, "\"2026-03-27T01:30:00.250000Z\"\nnull\n");
    free(lines);
}
END_TEST

START_TEST(an_empty_list_is_still_there_in_json)
{
    json_t *document = parse(print_as(OUTPUT_JSON));
    ck_assert(json_is_array(json_object_get(document, "things")));
    ck_assert_uint_eq(json_array_size(json_object_get(document, "things")), 0);
    json_decref(document);
}
END_TEST

START_TEST(several_lists_are_members_of_one_object)
{
    struct output_list *other = output_create("others", row_columns, row_column_count);
    fill_row();
    json_t *document = parse(
        print_lists((struct output_list *const[]){list, other}, 2, (struct output_style){.format = OUTPUT_JSON}));
    ck_assert_uint_eq(json_array_size(json_object_get(document, "things")), 1);
    ck_assert_uint_eq(json_array_size(json_object_get(document, "others")), 0);
    json_decref(document);
    output_destroy(other);
}
END_TEST

START_TEST(bytes_that_are_not_utf8_do_not_spoil_the_json)
{
    output_add_row(list);
    output_set(list, NAME,
               "a\xff"
               "b");
    json_t *document = parse(print_as(OUTPUT_JSON));
    json_t *row = json_array_get(json_object_get(document, "things"), 0);
    ck_assert_str_eq(json_string_value(json_object_get(row, "name")), "a\\ufffdb");
    json_decref(document);
}
END_TEST

START_TEST(durations_have_no_digits_that_nobody_measured)
{
    output_add_row(list);
    output_set(list, TOOK, "12345");
    char *text = print_as(OUTPUT_NDJSON);
    assert_has(text, "\"took_ms\":12.345,");
    free(text);
}
END_TEST

START_TEST(ndjson_is_one_object_a_line)
{
    fill_row();
    fill_row();
    char *text = print_as(OUTPUT_NDJSON);
    char *second = strchr(text, '\n') + 1;
    ck_assert_int_eq(second[strlen(second) - 1], '\n');
    ck_assert_ptr_eq(strchr(second, '\n'), second + strlen(second) - 1);
    json_decref(parse(xstrdup(second)));
    free(text);
}
END_TEST

START_TEST(csv_quotes_what_needs_it_and_leaves_null_empty)
{
    output_add_row(list);
    output_set(list, NAME, "a \"b\", c\nd");
    output_set(list, ON, "f");
    output_set(list, TEXT, "plain");
    char *text = print_as(OUTPUT_CSV);
    ck_assert_str_eq(text, "name,state,count,on,at,took_ms,bytes,list,text,data_only\n"
                           "\"a \"\"b\"\", c\nd\",,,false,,,,,plain,\n");
    free(text);
}
END_TEST

START_TEST(csv_carries_nothing_that_a_terminal_obeys)
{
    output_add_row(list);
    output_set(list, NAME, "red \x1b[31m, back \r, around \xE2\x80\xAE, c1 \xC2\x9B, tab \t");
    char *text = print_lists(&list, 1, (struct output_style){.format = OUTPUT_CSV, .no_header = true});
    ck_assert_str_eq(text, "\"red \\u001b[31m, back \\r, around \\u202e, c1 \\u009b, tab \t\",,,,,,,,,\n");
    free(text);
}
END_TEST

START_TEST(csv_without_a_header_has_rows_alone)
{
    output_add_row(list);
    char *text = print_lists(&list, 1, (struct output_style){.format = OUTPUT_CSV, .no_header = true});
    ck_assert_str_eq(text, ",,,,,,,,,\n");
    free(text);
}
END_TEST

/* --- pieces ------------------------------------------------------------------------------------------------------- */

static void assert_escaped(const char *text, const char *expected)
{
    struct buffer escaped = {0};
    output_escape(&escaped, text);
    ck_assert_str_eq(buffer_text(&escaped), expected);
    buffer_finish(&escaped);
}

START_TEST(escaping_shows_controls_direction_overrides_and_bad_bytes)
{
    assert_escaped("plain \u00e4\u20ac\U0001f600", "plain \u00e4\u20ac\U0001f600");
    assert_escaped("\t\r\n\x01\x7f", "\\t\\r\\n\\u0001\\u007f");
    assert_escaped("\xc2\x9b"
                   "31m",
                   "\\u009b31m");
    assert_escaped("a\u202eb\u202c\u2066c\u2069\u200f", "a\\u202eb\\u202c\\u2066c\\u2069\\u200f");
    assert_escaped("\xc3", "\\ufffd");
    assert_escaped("", "");
}
END_TEST

static void assert_duration(duration length, const char *expected)
{
    struct buffer text = {0};
    output_put_duration(&text, length);
    ck_assert_str_eq(buffer_text(&text), expected);
    buffer_finish(&text);
}

START_TEST(durations_are_shown_in_units_of_their_size)
{
    assert_duration(0, "0.0ms");
    assert_duration(117, "0.1ms");
    assert_duration(12 * USEC_PER_MSEC, "12ms");
    assert_duration(3009 * USEC_PER_MSEC, "3.0s");
    assert_duration(59999 * USEC_PER_MSEC, "59.9s");
    assert_duration(303 * USEC_PER_SEC, "5min 3s");
    assert_duration(2 * USEC_PER_HOUR + 10 * USEC_PER_MINUTE, "2h 10min");
    assert_duration(3 * USEC_PER_DAY + 4 * USEC_PER_HOUR, "3d 4h");
    assert_duration(-5 * USEC_PER_SEC, "-5.0s");
}
END_TEST

START_TEST(the_latest_rows_come_first_and_no_more_than_the_limit)
{
    static const char *const instants[] = {"2026-01-01 00:00:00+00", NULL, "2026-01-03 00:00:00+00",
                                           "2026-01-02 00:00:00+00", "2026-01-03 00:00:00+00"};
    static const char *const names[] = {"a", "b", "c", "d", "e"};
    for (size_t i = 0; i < COUNT_OF(instants); i++) {
        output_add_row(list);
        output_set(list, NAME, names[i]);
        output_set(list, AT, instants[i]);
    }
    output_sort_latest(list, AT, 10);
    char *text = print_lists(&list, 1, (struct output_style){.format = OUTPUT_CSV, .no_header = true});
    ck_assert_str_eq(text, "c,,,,2026-01-03T00:00:00Z,,,,,\ne,,,,2026-01-03T00:00:00Z,,,,,\n"
                           "d,,,,2026-01-02T00:00:00Z,,,,,\na,,,,2026-01-01T00:00:00Z,,,,,\nb,,,,,,,,,\n");
    free(text);
    output_sort_latest(list, AT, 2);
    ck_assert_uint_eq(output_rows(list), 2);
}
END_TEST

START_TEST(a_tree_puts_rows_below_their_parents)
{
    static const struct {
        const char *name;
        size_t parent;
    } rows[] = {{"a", OUTPUT_ROOT}, {"b", 0}, {"c", 1}, {"d", OUTPUT_ROOT}};
    for (size_t i = 0; i < COUNT_OF(rows); i++) {
        output_add_row(list);
        output_set(list, NAME, rows[i].name);
        output_set_parent(list, rows[i].parent);
    }
    char *tree = print_lists(&list, 1, (struct output_style){.format = OUTPUT_TREE, .no_header = true});
    ck_assert_int_eq(tree[0], 'a');
    assert_has(tree, "\n└─b ");
    assert_has(tree, "\n  └─c ");
    assert_has(tree, "\nd ");
    char *table = print_lists(&list, 1, (struct output_style){.format = OUTPUT_TABLE, .no_header = true});
    assert_has(table, "\nb ");
    free(tree);
    free(table);
}
END_TEST

static void set_parent_of_no_row(void *data)
{
    (void)data;
    output_set_parent(list, 0);
}

START_TEST(a_parent_is_an_earlier_row)
{
    ck_assert(aborts(set_parent_of_no_row, NULL));
    output_add_row(list);
    ck_assert(aborts(set_parent_of_no_row, NULL));
}
END_TEST

START_TEST(formats_are_known_by_name_and_others_get_a_did_you_mean)
{
    struct error err;
    enum output_format format = OUTPUT_TABLE;
    ck_assert(output_format_parse("ndjson", &format, &err));
    ck_assert_int_eq(format, OUTPUT_NDJSON);
    ck_assert(!output_format_parse("jsn", &format, &err));
    ck_assert_int_eq(err.kind, ERROR_USAGE);
    ck_assert_str_eq(err.hint, "did you mean \"json\"?");
    ck_assert(!output_format_parse("yaml-and-more", &format, &err));
    assert_has(err.hint, "-o table");
}
END_TEST

START_TEST(colour_is_for_terminals_and_never_with_no_color)
{
    int ends[2];
    int terminal = posix_openpt(O_RDWR | O_NOCTTY);
    ck_assert_int_ge(terminal, 0);
    ck_assert_int_eq(pipe(ends), 0);
    unsetenv("NO_COLOR");
    ck_assert(output_wants_colour(terminal));
    ck_assert(!output_wants_colour(ends[1]));
    setenv("NO_COLOR", "", 1);
    ck_assert(output_wants_colour(terminal));
    setenv("NO_COLOR", "1", 1);
    ck_assert(!output_wants_colour(terminal));
    close(terminal);
    close(ends[0]);
    close(ends[1]);
}
END_TEST

static TCase *make_data_case(void)
{
    TCase *tests = rows_case("data");
    tcase_add_test(tests, json_is_one_object_with_a_version_and_lists_under_their_plural_names);
    tcase_add_test(tests, what_is_not_given_or_not_readable_is_null);
    tcase_add_test(tests, a_plain_list_has_values_instead_of_objects);
    tcase_add_test(tests, an_empty_list_is_still_there_in_json);
    tcase_add_test(tests, several_lists_are_members_of_one_object);
    tcase_add_test(tests, bytes_that_are_not_utf8_do_not_spoil_the_json);
    tcase_add_test(tests, durations_have_no_digits_that_nobody_measured);
    tcase_add_test(tests, ndjson_is_one_object_a_line);
    tcase_add_test(tests, csv_quotes_what_needs_it_and_leaves_null_empty);
    tcase_add_test(tests, csv_carries_nothing_that_a_terminal_obeys);
    tcase_add_test(tests, csv_without_a_header_has_rows_alone);
    return tests;
}

static TCase *make_piece_case(void)
{
    TCase *tests = rows_case("pieces");
    tcase_add_test(tests, escaping_shows_controls_direction_overrides_and_bad_bytes);
    tcase_add_test(tests, durations_are_shown_in_units_of_their_size);
    tcase_add_test(tests, the_latest_rows_come_first_and_no_more_than_the_limit);
    tcase_add_test(tests, a_tree_puts_rows_below_their_parents);
    tcase_add_test(tests, a_parent_is_an_earlier_row);
    tcase_add_test(tests, formats_are_known_by_name_and_others_get_a_did_you_mean);
    tcase_add_test(tests, colour_is_for_terminals_and_never_with_no_color);
    return tests;
}

int main(void)
{
    setlocale(LC_CTYPE, "C.UTF-8");
    Suite *suite = suite_create("output");
    suite_add_tcase(suite, make_data_case());
    suite_add_tcase(suite, make_piece_case());
    return suite_run(suite);
}
