/* SPDX-License-Identifier: PostgreSQL */
/* NAME.sql in the plugin folder: described through real plugin hosts, as NAME.so is, and refused as that is. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "support/plugin/plugin_folder.h"

#define GOOD "-- key: day\n-- target_lag: 1s\nSELECT 1 AS day;\n"

/* One finding, of that file, and the good view beside it suffers nothing. */
static void expect_refused(const char *file, const char *reason)
{
    put_file("good.sql", GOOD);
    struct plugin_set *set = describe();
    char *path = path_of(file);
    ck_assert_uint_eq(plugin_report.count, 1);
    ck_assert_str_eq(plugin_report.findings[0].file, path);
    ck_assert_msg(strstr(plugin_report.findings[0].message, reason) != NULL, "\"%s\" does not say: %s",
                  plugin_report.findings[0].message, reason);
    ck_assert_ptr_nonnull(plugin_report.findings[0].hint);
    ck_assert_uint_eq(set->count, 1);
    ck_assert_str_eq(set->plugins[0]->name, "good");
    plugin_set_destroy(set);
    free(path);
}

START_TEST(a_view_as_sql_is_a_plugin)
{
    put_file("daily_orders.sql", GOOD);
    put_file(".daily_orders.sql", "half of it");
    struct plugin_set *set = describe();
    ck_assert_uint_eq(plugin_report.count, 0);
    ck_assert_uint_eq(set->count, 1);
    ck_assert_str_eq(set->plugins[0]->name, "daily_orders");
    ck_assert_str_eq(set->plugins[0]->views[0].relation, "daily_orders");
    ck_assert_str_eq(set->plugins[0]->views[0].definition, "SELECT 1 AS day");
    ck_assert(set->plugins[0]->derives);
    plugin_set_destroy(set);
}
END_TEST

START_TEST(a_library_and_a_view_of_one_name_are_both_refused)
{
    copy_fixture("good_minimal", "good_minimal.so");
    put_file("good_minimal.sql", GOOD);
    put_file("good_minimal-x.sql", GOOD); /* between the two; no name for a relation */
    struct plugin_set *set = describe();
    ck_assert_uint_eq(set->count, 0);
    ck_assert_uint_eq(plugin_report.count, 3);
    for (size_t i = 0; i < plugin_report.count; i++) {
        bool is_other = strstr(plugin_report.findings[i].file, "-x.sql") != NULL;
        ck_assert_ptr_nonnull(strstr(plugin_report.findings[i].message, is_other ? "relation" : "there are both"));
    }
    plugin_set_destroy(set);
}
END_TEST

START_TEST(a_hostile_header_is_refused)
{
    put_file("bad.sql", "-- key: day\n-- key: shop\nSELECT 1");
    expect_refused("bad.sql", "line 2: \"key\" is given twice");
}
END_TEST

START_TEST(an_unknown_option_is_refused)
{
    put_file("bad.sql", "-- trust: true\nSELECT 1");
    expect_refused("bad.sql", "line 1: a view has no option \"trust\"");
}
END_TEST

START_TEST(ten_megabytes_are_refused)
{
    char *large = xcalloc(1, (10u << 20) + 1);
    memset(large, ' ', 10u << 20);
    memcpy(large, "SELECT 1", 8);
    put_file("bad.sql", large);
    free(large);
    expect_refused("bad.sql", "larger than 1 MiB");
}
END_TEST

START_TEST(a_zero_byte_is_refused)
{
    char *path = path_of("bad.sql");
    FILE *file = fopen(path, "w");
    ck_assert_ptr_nonnull(file);
    ck_assert_uint_eq(fwrite("SELECT 1\0;", 1, 10, file), 10);
    ck_assert_int_eq(fclose(file), 0);
    free(path);
    expect_refused("bad.sql", "zero byte");
}
END_TEST

START_TEST(other_encodings_are_refused)
{
    put_file("bad.sql", "SELECT 'caf\xE9' AS name");
    expect_refused("bad.sql", "not UTF-8");
}
END_TEST

START_TEST(a_link_is_refused)
{
    char *path = path_of("bad.sql");
    put_file("elsewhere", GOOD);
    ck_assert_int_eq(symlink("elsewhere", path), 0);
    free(path);
    expect_refused("bad.sql", "cannot open bad.sql");
}
END_TEST

START_TEST(a_file_that_a_group_may_write_is_refused)
{
    char *path = path_of("bad.sql");
    put_file("bad.sql", GOOD);
    ck_assert_int_eq(chmod(path, 0664), 0);
    free(path);
    expect_refused("bad.sql", "bad.sql");
}
END_TEST

START_TEST(a_name_that_no_relation_may_have_is_refused)
{
    put_file("Bad-Name.sql", GOOD);
    expect_refused("Bad-Name.sql", "relation");
}
END_TEST

static Suite *suite(void)
{
    Suite *all = suite_create("plugins as SQL");
    TCase *files = tcase_create("plugins as SQL");

    tcase_add_checked_fixture(files, folder_set_up, folder_tear_down);
    tcase_set_timeout(files, 60);
    tcase_add_test(files, a_view_as_sql_is_a_plugin);
    tcase_add_test(files, a_library_and_a_view_of_one_name_are_both_refused);
    tcase_add_test(files, a_hostile_header_is_refused);
    tcase_add_test(files, an_unknown_option_is_refused);
    tcase_add_test(files, ten_megabytes_are_refused);
    tcase_add_test(files, a_zero_byte_is_refused);
    tcase_add_test(files, other_encodings_are_refused);
    tcase_add_test(files, a_link_is_refused);
    tcase_add_test(files, a_file_that_a_group_may_write_is_refused);
    tcase_add_test(files, a_name_that_no_relation_may_have_is_refused);
    suite_add_tcase(all, files);
    return all;
}

int main(int count, char **arguments)
{
    return plugin_folder_main(count, arguments, suite);
}
