/* SPDX-License-Identifier: PostgreSQL */
/* Bytes from a hostile plugin host. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/memory.h"
#include "support/plugin/declarations.h"
#include "support/process/suite.h"

START_TEST(bytes_that_are_no_declaration_are_refused)
{
    assert_malformed("", "malformed");
    assert_malformed("x", "malformed");
    assert_malformed("[]", "not a JSON object");
    assert_malformed("{\"name\":\"orders\"} {}", "malformed");
    assert_malformed("{\"name\":\"orders\",\"name\":\"orders\"}", "duplicate");
    assert_malformed("{\"name\":1}", "name is not a text");
    assert_malformed("{\"name\":null}", "name is not a text");
    assert_malformed("{\"name\":\"a\\u0000b\"}", "malformed");
    assert_malformed("{\"name\":\"\xff\"}", "malformed");
    assert_malformed("{\"nam\":\"orders\"}", "nam is not a known member");
    assert_malformed("{\"magic\":1}", "magic is not a known member");
    assert_malformed("{\"jobs\":{}}", "jobs is not a list");
    assert_malformed("{\"jobs\":[1]}", "jobs[0]. is not an object");
    assert_malformed("{\"jobs\":[{\"nam\":\"x\"}]}", "jobs[0].nam is not a known member");
    assert_malformed("{\"views\":[{},{\"indexes\":[{\"name\":[]}]}]}", "views[1].indexes[0].name is not a text");
}
END_TEST

START_TEST(deep_nesting_is_refused_before_it_is_parsed)
{
    char deep[200001] = "";
    memset(deep, '[', sizeof(deep) - 1);
    assert_malformed(deep, "nested too deep");
}
END_TEST

START_TEST(brackets_inside_texts_are_text)
{
    view.definition = "SELECT '[[[[[[[[[[[[[[{{{{{{{{{{{{{{\"\\'";
    assert_accepted();
}
END_TEST

START_TEST(floods_of_small_values_are_refused_before_they_are_parsed)
{
    char *many = xcalloc(1000001, 1);
    memset(many, ',', 1000000);
    assert_malformed(many, "too many values");
    free(many);
}
END_TEST

START_TEST(more_than_4_mib_are_refused_unread)
{
    struct error err = {.kind = ERROR_NONE};
    char one = '{';
    ck_assert_ptr_null(declaration_decode(&one, PLUGIN_ANSWER_LIMIT + 1, FILE_NAME, &err));
    ck_assert_ptr_nonnull(strstr(err.message, "larger than 4 MiB"));
}
END_TEST

START_TEST(an_empty_list_is_one_that_is_not_given)
{
    static const char bytes[] =
        "{\"name\":\"orders\",\"version\":\"1\",\"views\":[],\"summary\":\"\",\"jobs\":[{\"name\":\"a\","
        "\"schedule\":\"@hourly\",\"command\":\"SELECT 1\"}]}";
    struct error err = {.kind = ERROR_NONE};
    struct declaration *declaration = declaration_decode(bytes, strlen(bytes), FILE_NAME, &err);
    ck_assert_msg(declaration != NULL, "%s", err.message);
    ck_assert_uint_eq(declaration->view_count, 0);
    ck_assert_str_eq(declaration->summary, "");
    declaration_destroy(declaration);
}
END_TEST

START_TEST(a_text_of_more_than_1_mib_is_refused)
{
    struct buffer bytes = {0};
    buffer_puts(&bytes, "{\"name\":\"");
    for (int i = 0; i <= 1 << 20; i++) {
        buffer_putc(&bytes, 'x');
    }
    buffer_puts(&bytes, "\"}");
    assert_malformed(buffer_text(&bytes), "name is longer than 1 MiB");
    buffer_finish(&bytes);
}
END_TEST

START_TEST(lists_of_more_than_10000_items_are_refused)
{
    struct buffer bytes = {0};
    buffer_puts(&bytes, "{\"jobs\":[{}");
    for (int i = 0; i < 10000; i++) {
        buffer_puts(&bytes, ",{}");
    }
    buffer_puts(&bytes, "]}");
    assert_malformed(buffer_text(&bytes), "jobs is not a list of at most 10000 items");
    buffer_finish(&bytes);
}
END_TEST

START_TEST(every_prefix_of_an_answer_is_refused)
{
    struct error err = {.kind = ERROR_NONE};
    char *bytes = declaration_encode(&plugin, "orders", &err);
    ck_assert_ptr_nonnull(bytes);
    for (size_t length = 0; length < strlen(bytes); length++) {
        char *exact = xmalloc(length + 1); /* so that a sanitizer sees a read past the end */
        memcpy(exact, bytes, length);
        ck_assert_ptr_null(declaration_decode(exact, length, FILE_NAME, &err));
        free(exact);
    }
    free(bytes);
}
END_TEST

static TCase *bytes_case(void)
{
    TCase *tests = tcase_create("bytes");
    tcase_add_checked_fixture(tests, sound_plugin, NULL);
    tcase_add_test(tests, bytes_that_are_no_declaration_are_refused);
    tcase_add_test(tests, deep_nesting_is_refused_before_it_is_parsed);
    tcase_add_test(tests, brackets_inside_texts_are_text);
    tcase_add_test(tests, floods_of_small_values_are_refused_before_they_are_parsed);
    tcase_add_test(tests, more_than_4_mib_are_refused_unread);
    tcase_add_test(tests, an_empty_list_is_one_that_is_not_given);
    tcase_add_test(tests, a_text_of_more_than_1_mib_is_refused);
    tcase_add_test(tests, lists_of_more_than_10000_items_are_refused);
    tcase_add_test(tests, every_prefix_of_an_answer_is_refused);
    return tests;
}

int main(void)
{
    Suite *suite = suite_create("declaration_bytes");
    suite_add_tcase(suite, bytes_case());
    return suite_run(suite);
}
