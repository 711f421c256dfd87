/* SPDX-License-Identifier: PostgreSQL */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>

#include "plugin/set_text.h"
#include "support/process/files.h"
#include "support/process/suite.h"

static struct plugin_set *described;
static struct report findings;
static char *folder;

static void set_up(void)
{
    struct plugin_options options = {.host_program = PGCHIME_BINARY, .keep_texts = true};
    folder = files_make_directory();
    char *good = files_path("%s/lane_distribution.so", folder);
    char *bad = files_path("%s/bad.so", folder);
    files_copy(PGCHIME_BUILD_DIR "/plugins/lane_distribution.so", good);
    files_write(bad, "no plugin");
    free(good);
    free(bad);
    report_init(&findings);
    described = plugins_describe(folder, &options, &findings);
}

static void tear_down(void)
{
    plugin_set_destroy(described);
    report_finish(&findings);
    free(folder);
}

START_TEST(a_set_comes_back_as_it_was_with_its_findings)
{
    struct error err;
    struct report report;
    report_init(&report);
    char *text = plugin_set_encode(described, &findings);
    struct plugin_set *read = plugin_set_decode(text, strlen(text), &report, &err);
    ck_assert_msg(read != NULL, "%s", err.message);
    ck_assert_uint_eq(read->count, 1);
    ck_assert_uint_eq(read->refused, 1);
    ck_assert_uint_eq(read->stamp, described->stamp);
    ck_assert_str_eq(read->plugins[0]->name, "lane_distribution");
    ck_assert_str_eq(read->plugins[0]->file, described->plugins[0]->file);
    ck_assert_uint_eq(read->plugins[0]->job_count, described->plugins[0]->job_count);
    ck_assert_str_eq(read->plugins[0]->views[0].definition, described->plugins[0]->views[0].definition);
    ck_assert_uint_eq(report.count, 1);
    ck_assert_str_eq(report.findings[0].file, findings.findings[0].file);
    ck_assert_str_eq(report.findings[0].message, findings.findings[0].message);
    plugin_set_destroy(read);
    report_finish(&report);
    free(text);
}
END_TEST

START_TEST(a_text_that_was_cut_short_is_refused)
{
    char *text = plugin_set_encode(described, &findings);
    size_t length = strlen(text);
    for (size_t cut = 0; cut < length; cut += 97) {
        struct error err;
        struct report report;
        report_init(&report);
        ck_assert_ptr_null(plugin_set_decode(text, cut, &report, &err));
        ck_assert_msg(strstr(err.message, "not whole") != NULL, "%s", err.message);
        report_finish(&report);
    }
    free(text);
}
END_TEST

START_TEST(a_text_of_another_shape_is_refused)
{
    static const char *const texts[] = {
        "[]", "{}", "{\"stamp\":\"0\",\"plugins\":[{}],\"findings\":[]}",
        "{\"stamp\":\"0\",\"plugins\":[],\"findings\":[{}]}",
        "{\"stamp\":\"0\",\"plugins\":[{\"file\":\"/a.so\",\"declaration\":\"{}\"}],\"findings\":[]}"};
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        struct error err;
        struct report report;
        report_init(&report);
        ck_assert_ptr_null(plugin_set_decode(texts[i], strlen(texts[i]), &report, &err));
        report_finish(&report);
    }
}
END_TEST

START_TEST(the_stamp_changes_with_a_file_and_with_nothing_else)
{
    uint64_t before = plugins_stamp(folder);
    ck_assert_uint_ne(before, 0);
    ck_assert_uint_eq(plugins_stamp(folder), before);
    char *bad = files_path("%s/bad.so", folder);
    files_append(bad, ", longer");
    uint64_t longer = plugins_stamp(folder);
    ck_assert_uint_ne(longer, before);
    ck_assert_int_eq(chmod(bad, 0644), 0);
    ck_assert_uint_ne(plugins_stamp(folder), longer);
    ck_assert_uint_eq(plugins_stamp("/no/such/folder"), 0);
    free(bad);
}
END_TEST

START_TEST(a_shared_set_lives_until_the_last_holder)
{
    struct plugin_set *same = plugin_set_share(described);
    plugin_set_destroy(same);
    ck_assert_str_eq(described->plugins[0]->name, "lane_distribution");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("set_text");
    TCase *cases = tcase_create("set_text");
    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_set_timeout(cases, 60);
    tcase_add_test(cases, a_set_comes_back_as_it_was_with_its_findings);
    tcase_add_test(cases, a_text_that_was_cut_short_is_refused);
    tcase_add_test(cases, a_text_of_another_shape_is_refused);
    tcase_add_test(cases, the_stamp_changes_with_a_file_and_with_nothing_else);
    tcase_add_test(cases, a_shared_set_lives_until_the_last_holder);
    suite_add_tcase(suite, cases);
    return suite_run(suite);
}
