/* SPDX-License-Identifier: PostgreSQL */
/* Targets of requests, taken apart. */
#include <check.h>

#include "base/memory.h"
#include "http/target.h"
#include "support/process/suite.h"

START_TEST(parts_are_split_before_they_are_decoded)
{
    struct http_target target;
    ck_assert(http_target_read("/api/job/app%2Fnightly%20load/%C3%a4+", &target));
    ck_assert_uint_eq(target.part_count, 4);
    ck_assert_str_eq(target.parts[2], "app/nightly load");
    ck_assert_str_eq(target.parts[3], "\xc3\xa4+");
    http_target_finish(&target);
}
END_TEST

START_TEST(root_has_no_parts)
{
    struct http_target target;
    ck_assert(http_target_read("/", &target));
    ck_assert_uint_eq(target.part_count, 0);
    http_target_finish(&target);
}
END_TEST

START_TEST(query_is_decoded)
{
    struct http_target target;
    ck_assert(http_target_read("/a?q=a+b%26c&limit=5&all&x=", &target));
    ck_assert_str_eq(http_target_query(&target, "q"), "a b&c");
    ck_assert_str_eq(http_target_query(&target, "limit"), "5");
    ck_assert_str_eq(http_target_query(&target, "all"), "");
    ck_assert_str_eq(http_target_query(&target, "x"), "");
    ck_assert_ptr_null(http_target_query(&target, "y"));
    http_target_finish(&target);
}
END_TEST

static const char *const refused[] = {
    "",
    "a",
    "//",
    "/a//b",
    "/a/",
    "/a/../b",
    "/..",
    "/a/%2e%2e/b",
    "/%2e",
    "/a%00b",
    "/a%0ab",
    "/a%7f",
    "/a%",
    "/a%2",
    "/a%zz",
    "/a%+1",
    "/%ff",
    "/%c3",
    "/%c0%ae",
    "/a?x=%00",
    "/a?x=%ff",
    "/a?=1",
    "/a?x=1&x=2",
    "/a?x=1&%78=2",
    "/a?x=1&&y=2",
    "/1/2/3/4/5/6/7/8/9/10/11/12/13",
};

START_TEST(what_has_no_one_meaning_is_refused)
{
    struct http_target target;
    ck_assert_msg(!http_target_read(refused[_i], &target), "%s", refused[_i]);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("http_target");
    TCase *tests = tcase_create("http_target");
    tcase_add_test(tests, parts_are_split_before_they_are_decoded);
    tcase_add_test(tests, root_has_no_parts);
    tcase_add_test(tests, query_is_decoded);
    tcase_add_loop_test(tests, what_has_no_one_meaning_is_refused, 0, COUNT_OF(refused));
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
