#define _GNU_SOURCE /* posix_openpt */
#include "cli/output.h"

#include <check.h>
#include <fcntl.h>
#include <jansson.h>
#include <locale.h>
#include <stdlib.h>
#include <string.h>
#include <sys/ioctl.h>
#include <time.h>
#include <unistd.h>

#include "base/memory.h"
#include "support/abort_trap.h"
#include "support/suite.h"

static const struct output_column columns[] = {
    {"NAME", "name", OUTPUT_TEXT, OUTPUT_ALWAYS},      {"STATE", "state", OUTPUT_STATE, OUTPUT_ALWAYS},
    {"COUNT", "count", OUTPUT_INTEGER, OUTPUT_ALWAYS}, {"ON", "on", OUTPUT_BOOLEAN, OUTPUT_ALWAYS},
    {"AT", "at", OUTPUT_INSTANT, OUTPUT_ALWAYS},       {"TOOK", "took_ms", OUTPUT_DURATION, OUTPUT_ALWAYS},
    {"SIZE", "bytes", OUTPUT_BYTES, OUTPUT_WIDER},     {"LIST", "list", OUTPUT_DATA, OUTPUT_VERTICAL},
    {"TEXT", "text", OUTPUT_LONG, OUTPUT_ALWAYS},      {NULL, "data_only", OUTPUT_TEXT, OUTPUT_ALWAYS},
    {"TABLE ONLY", NULL, OUTPUT_TEXT, OUTPUT_ALWAYS},
};
enum { NAME, STATE, COUNT, ON, AT, TOOK, SIZE, LIST, TEXT, DATA_ONLY, TABLE_ONLY };

static struct output_list *list;

static void set_up(void)
{
    list = output_create("things", columns, COUNT_OF(columns));
}

static void tear_down(void)
{
    output_destroy(list);
}

static void fill_row(void)
{
    output_add_row(list);
    output_set(list, NAME, "a");
    output_set(list, STATE, "failed");
    output_set(list, COUNT, "42");
    output_set(list, ON, "t");
    output_set(list, AT, "2026-03-27 01:30:00.25+00");
    output_set(list, TOOK, "1234567");
    output_set(list, SIZE, "98304");
    output_set(list, LIST, "[\"x\",\"y\"]");
    output_set(list, TEXT, "one");
    output_set(list, DATA_ONLY, "hidden");
    output_set(list, TABLE_ONLY, "shown");
}

static char *print_lists(struct output_list *const *lists, size_t count, struct output_style style)
{
    char *text = NULL;
    size_t length;
    FILE *stream = open_memstream(&text, &length);
    output_print(lists, count, &style, stream);
    fclose(stream);
    char *copy = xstrdup(text); /* gcc 12 takes open_memstream's own for the local variable's address */
    free(text);
    return copy;
}

static void set_parent_of_no_row(void *data)
{
    (void)data;
    output_set_parent(list, 0);
}

static char *print_as(enum output_format format)
{
    return print_lists(&list, 1, (struct output_style){.format = format, .utc = true});
}

static json_t *parse(char *text)
{
    json_error_t problem;
    json_t *document = json_loads(text, JSON_REJECT_DUPLICATES, &problem);
    ck_assert_msg(document != NULL, "%s in %s", problem.text, text);
    free(text);
    return document;
}

static void assert_has(const char *text, const char *part)
{
    ck_assert_msg(strstr(text, part) != NULL, "no \"%s\" in:\n%s", part, text);
}

static void assert_lacks(const char *text, const char *part)
{
    ck_assert_msg(strstr(text, part) == NULL, "there is \"%s\" in:\n%s", part, text);
}

/* --- data -------------------------------------------------------------------------------------------------------------- */

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
    struct output_list *other = output_create("others", columns, COUNT_OF(columns));
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

START_TEST(csv_without_a_header_has_rows_alone)
{
    output_add_row(list);
    char *text = print_lists(&list, 1, (struct output_style){.format = OUTPUT_CSV, .no_header = true});
    ck_assert_str_eq(text, ",,,,,,,,,\n");
    free(text);
}
END_TEST

/* --- tables ------------------------------------------------------------------------------------------------------------ */

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
    char *text = print_lists(&list, 1, (struct output_style){.format = OUTPUT_TABLE, .no_header = true});
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

START_TEST(a_long_text_is_cut_between_characters_unless_wide)
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

static char *print_text(const char *content, enum output_format format, bool vertical)
{
    output_add_row(list);
    output_set(list, TEXT, content);
    if (vertical) {
        output_set_vertical(list);
    }
    return print_lists(&list, 1, (struct output_style){.format = format, .no_header = true});
}

START_TEST(a_table_has_the_first_line_of_a_text)
{
    char *text = print_text("\n first \r\nsecond\n", OUTPUT_TABLE, false);
    assert_has(text, " first\u2026");
    assert_lacks(text, "second");
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
    output_print(&list, 1, &(struct output_style){.format = OUTPUT_TABLE, .no_header = true}, stdout);
    fflush(stdout);
    dup2(saved, STDOUT_FILENO);
    close(saved);
    char text[1024];
    ssize_t length = read(master, text, sizeof text - 1);
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

/* --- pieces ------------------------------------------------------------------------------------------------------------ */

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

static TCase *make_case(const char *name)
{
    TCase *tests = tcase_create(name);
    tcase_add_checked_fixture(tests, set_up, tear_down);
    return tests;
}

static TCase *make_data_case(void)
{
    TCase *tests = make_case("data");
    tcase_add_test(tests, json_is_one_object_with_a_version_and_lists_under_their_plural_names);
    tcase_add_test(tests, what_is_not_given_or_not_readable_is_null);
    tcase_add_test(tests, an_empty_list_is_still_there_in_json);
    tcase_add_test(tests, several_lists_are_members_of_one_object);
    tcase_add_test(tests, bytes_that_are_not_utf8_do_not_spoil_the_json);
    tcase_add_test(tests, durations_have_no_digits_that_nobody_measured);
    tcase_add_test(tests, ndjson_is_one_object_a_line);
    tcase_add_test(tests, csv_quotes_what_needs_it_and_leaves_null_empty);
    tcase_add_test(tests, csv_without_a_header_has_rows_alone);
    return tests;
}

static TCase *make_table_case(void)
{
    TCase *tests = make_case("tables");
    tcase_add_test(tests, a_table_has_headers_and_values_for_people);
    tcase_add_test(tests, a_wide_table_has_more_columns_and_a_vertical_one_has_all);
    tcase_add_test(tests, a_vertical_table_leaves_out_what_is_empty);
    tcase_add_test(tests, an_object_is_shown_as_its_members);
    tcase_add_test(tests, no_header_leaves_the_rows);
    tcase_add_test(tests, nothing_is_printed_of_an_empty_table);
    tcase_add_test(tests, local_time_is_shown_with_its_offset);
    tcase_add_test(tests, a_long_text_is_cut_between_characters_unless_wide);
    tcase_add_test(tests, no_text_of_a_database_reaches_the_terminal_raw);
    tcase_add_test(tests, a_table_has_the_first_line_of_a_text);
    tcase_add_test(tests, a_wide_table_has_all_lines_in_one);
    tcase_add_test(tests, a_vertical_table_keeps_lines_and_their_indentation);
    tcase_add_test(tests, what_a_narrow_terminal_cuts_is_marked);
    tcase_add_test(tests, states_are_coloured_only_where_asked_for);
    return tests;
}

static TCase *make_piece_case(void)
{
    TCase *tests = make_case("pieces");
    tcase_add_test(tests, escaping_shows_controls_direction_overrides_and_bad_bytes);
    tcase_add_test(tests, durations_are_shown_in_units_of_their_size);
    tcase_add_test(tests, the_latest_rows_come_first_and_no_more_than_the_limit);
    tcase_add_test(tests, a_plain_list_has_values_instead_of_objects);
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
    suite_add_tcase(suite, make_table_case());
    suite_add_tcase(suite, make_piece_case());
    return suite_run(suite);
}
