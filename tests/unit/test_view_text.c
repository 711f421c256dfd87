/* SPDX-License-Identifier: PostgreSQL */
/* A view as SQL alone: its options, its definition, and what is refused. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "plugin/declaration.h"
#include "plugin/view_text.h"
#include "support/process/suite.h"

static struct arena *arena;
static struct view_text text;
static struct error err;

static void set_up(void)
{
    arena = arena_create();
    memset(&err, 0, sizeof(err));
}

static void tear_down(void)
{
    arena_destroy(arena);
}

static bool take(const char *source)
{
    return view_text_read(arena, source, strlen(source), &text, &err);
}

static void expect_refused(const char *source, const char *message)
{
    ck_assert_msg(!take(source), "taken: %s", source);
    ck_assert_str_eq(err.message, message);
    ck_assert_str_ne(err.hint, "");
}

static const struct declaration *declared(const char *source)
{
    ck_assert_msg(take(source), "%s", err.message);
    const struct declaration *declaration = declaration_of_view(arena, view_text_plugin(arena, "daily_orders", &text),
                                                                "/etc/pgchime/conf.d/x.conf", &err);
    ck_assert_msg(declaration != NULL, "%s", err.message);
    return declaration;
}

START_TEST(options_are_lines_above_the_sql)
{
    ck_assert(take("\xEF\xBB\xBF-- Orders of each day.\r\n-- key: day\r\n--target_lag:   1s  \n\n"
                   "-- see https://example.org\n-- of no option: this is prose\nSELECT 1 AS day\r\n"));
    ck_assert_uint_eq(text.option_count, 2);
    ck_assert_str_eq(text.options[0].name, "key");
    ck_assert_str_eq(text.options[0].value, "day");
    ck_assert_int_eq(text.options[0].line, 2);
    ck_assert_str_eq(text.options[1].name, "target_lag");
    ck_assert_str_eq(text.options[1].value, "1s");
    ck_assert_str_eq(text.definition, "SELECT 1 AS day");
}
END_TEST

START_TEST(the_definition_is_what_follows)
{
    const struct declaration *view = declared("-- key: day, shop\n-- comment: Orders: each day\n-- target_lag: 1s\n\n"
                                              "SELECT 1 AS day -- no option\n  , 2 AS shop;  \n\n");
    ck_assert_str_eq(view->views[0].definition, "SELECT 1 AS day -- no option\n  , 2 AS shop");
    ck_assert_str_eq(view->name, "daily_orders");
    ck_assert_str_eq(view->summary, "Orders: each day");
    ck_assert_uint_eq(view->views[0].key.count, 2);
    ck_assert_str_eq(view->views[0].key.items[1], "shop");
    ck_assert_str_eq(view->jobs[0].name, "refresh-daily-orders");
    ck_assert_int_eq(view->jobs[0].options.target_lag, USEC_PER_SEC);
    ck_assert(view->derives);
}
END_TEST

START_TEST(nothing_but_the_select_is_needed)
{
    const struct declaration *view = declared("SELECT 1 AS one");
    ck_assert_uint_eq(view->views[0].key.count, 0);
    ck_assert_str_eq(view->views[0].mode, "auto");
    ck_assert_int_eq(view->jobs[0].options.target_lag, USEC_PER_SEC);
    ck_assert_uint_eq(strlen(view->version), 16);
    char *version = arena_strdup(arena, view->version);
    ck_assert_str_ne(declared("SELECT 1 AS two")->version, version);
    ck_assert_str_eq(declared("SELECT 1 AS one")->version, version);
    ck_assert_str_eq(declared("-- version: 1.2\nSELECT 1 AS one")->version, "1.2");
    ck_assert_int_eq(declared("-- schedule: @hourly\nSELECT 1 AS one")->jobs[0].options.target_lag, 0);
}
END_TEST

START_TEST(the_definition_is_between_marks_where_there_are_some)
{
    const struct declaration *view = declared("-- key: day\nCREATE OR REPLACE VIEW x AS\n-- chime:begin "
                                              "daily_orders\nSELECT 1 AS day\n-- chime:end\n;\n\\q\n");
    ck_assert_str_eq(view->views[0].definition, "SELECT 1 AS day");
    expect_refused("-- chime:begin a\nSELECT 1\n", "there is a -- chime:begin and no -- chime:end");
    expect_refused("SELECT 1\n-- chime:end\n", "line 2: a second mark, or one without its other");
    expect_refused("-- chime:begin a\nSELECT 1\n-- chime:end\n-- chime:begin b\nSELECT 2\n-- chime:end\n",
                   "line 4: a second mark, or one without its other");
}
END_TEST

START_TEST(what_nobody_would_heed_is_refused)
{
    expect_refused("-- shedule: @hourly\nSELECT 1", "line 1: a view has no option \"shedule\"");
    ck_assert_str_eq(err.hint, "did you mean \"schedule\"?");
    expect_refused("-- key: a\n-- comment: b\n-- key: c\nSELECT 1", "line 3: \"key\" is given twice");
    expect_refused("-- key:\nSELECT 1", "line 1: \"key\" has no value");
    expect_refused("SELECT 1\n-- key: a\n", "line 2: the option \"key\" stands behind the beginning of the SQL");
    expect_refused("/* all of it */\n-- key: a\nSELECT 1\n",
                   "line 2: the option \"key\" stands behind the beginning of the SQL");
}
END_TEST

START_TEST(bytes_that_are_no_text_are_refused)
{
    expect_refused("", "it has no SELECT");
    expect_refused("-- key: a\n;;\n", "it has no SELECT");
    expect_refused("SELECT '\xE9'", "it is not UTF-8");
    ck_assert(!view_text_read(arena, "SELECT 1\0; DROP", 15, &text, &err));
    ck_assert_str_eq(err.message, "it has a zero byte");
    char *large = calloc(1, VIEW_TEXT_LIMIT + 2);
    memset(large, ' ', VIEW_TEXT_LIMIT + 1);
    ck_assert(!view_text_read(arena, large, VIEW_TEXT_LIMIT + 1, &text, &err));
    ck_assert_str_eq(err.message, "it is larger than 1 MiB");
    free(large);
}
END_TEST

START_TEST(what_it_says_is_checked_as_a_plugins_is)
{
    static const struct {
        const char *source;
        const char *message;
    } cases[] = {
        {"-- mode: often\nSELECT 1", "views[0] \"daily_orders\": mode \"often\" is not known"},
        {"-- schedule: sometimes\nSELECT 1", NULL},
        {"-- target_lag: soon\nSELECT 1", NULL},
        {"-- key: a, a\nSELECT 1", NULL},
        {"-- version: one two\nSELECT 1", "plugin: version \"one two\" is not a version"},
    };
    for (size_t i = 0; i < COUNT_OF(cases); i++) {
        ck_assert(take(cases[i].source));
        ck_assert(declaration_of_view(arena, view_text_plugin(arena, "daily_orders", &text), "x.conf", &err) == NULL);
        if (cases[i].message != NULL) {
            ck_assert_str_eq(err.message, cases[i].message);
        }
    }
}
END_TEST

static Suite *suite(void)
{
    Suite *all = suite_create("view text");
    TCase *texts = tcase_create("view text");

    tcase_add_checked_fixture(texts, set_up, tear_down);
    tcase_add_test(texts, options_are_lines_above_the_sql);
    tcase_add_test(texts, the_definition_is_what_follows);
    tcase_add_test(texts, nothing_but_the_select_is_needed);
    tcase_add_test(texts, the_definition_is_between_marks_where_there_are_some);
    tcase_add_test(texts, what_nobody_would_heed_is_refused);
    tcase_add_test(texts, bytes_that_are_no_text_are_refused);
    tcase_add_test(texts, what_it_says_is_checked_as_a_plugins_is);
    suite_add_tcase(all, texts);
    return all;
}

int main(void)
{
    return suite_run(suite());
}
