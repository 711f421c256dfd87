/* SPDX-License-Identifier: PostgreSQL */
/* Which files and folders of plugins are opened at all. */
#include <check.h>
#include <fcntl.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "plugin/vet.h"
#include "support/plugin/plugin_folder.h"

/* A descriptor, or -1 with the rule that is broken. */
static int open_vetted(const char *in, const char *file, struct error *err)
{
    int above = vet_folder(in, err);
    int descriptor = above >= 0 ? vet_file(above, in, file, err) : -1;
    if (above >= 0) {
        close(above);
    }
    return descriptor;
}

static void assert_opens(const char *in, const char *file)
{
    struct error err = {.kind = ERROR_NONE};
    int descriptor = open_vetted(in, file, &err);
    ck_assert_msg(descriptor >= 0, "%s", err.message);
    ck_assert_int_ne(fcntl(descriptor, F_GETFD) & FD_CLOEXEC, 0);
    close(descriptor);
}

static void assert_not_opened(const char *in, const char *file, const char *reason)
{
    struct error err = {.kind = ERROR_NONE};
    ck_assert_int_eq(open_vetted(in, file, &err), -1);
    ck_assert_msg(strstr(err.message, reason) != NULL, "\"%s\" does not say: %s", err.message, reason);
    ck_assert_msg(err.hint[0] != '\0', "no way out of: %s", err.message);
}

START_TEST(a_safe_file_is_opened)
{
    put_file("a.so", "bytes");
    assert_opens(plugin_folder, "a.so");
}
END_TEST

START_TEST(names_that_are_no_plugin_files_are_refused)
{
    assert_not_opened(plugin_folder, "../a.so", "not the name of a plugin file");
    assert_not_opened(plugin_folder, "/a.so", "not the name of a plugin file");
    assert_not_opened(plugin_folder, ".so", "not the name of a plugin file");
    assert_not_opened(plugin_folder, "a b.so", "not the name of a plugin file");
    assert_not_opened(plugin_folder, "a.so.1", "not the name of a plugin file");
    assert_not_opened(plugin_folder, "", "not the name of a plugin file");
}
END_TEST

START_TEST(what_is_no_regular_file_is_refused)
{
    char *link = path_of("link.so");
    char *pipe = path_of("pipe.so");
    char *below = path_of("below.so");
    put_file("a.so", "bytes");
    ck_assert_int_eq(symlink("a.so", link), 0);
    ck_assert_int_eq(mkfifo(pipe, 0600), 0);
    ck_assert_int_eq(mkdir(below, 0700), 0);
    assert_not_opened(plugin_folder, "link.so", "cannot open link.so");
    assert_not_opened(plugin_folder, "pipe.so", "is not a regular file");
    assert_not_opened(plugin_folder, "below.so", "is not a regular file");
    assert_not_opened(plugin_folder, "none.so", "No such file");
    free(link);
    free(pipe);
    free(below);
}
END_TEST

START_TEST(files_that_others_may_write_are_refused)
{
    char *path = path_of("a.so");
    put_file("a.so", "bytes");
    ck_assert_int_eq(chmod(path, 0664), 0);
    assert_not_opened(plugin_folder, "a.so", "writable by group or others (mode 0664)");
    ck_assert_int_eq(chmod(path, 0646), 0);
    assert_not_opened(plugin_folder, "a.so", "writable by group or others (mode 0646)");
    ck_assert_int_eq(chmod(path, 0755), 0);
    assert_opens(plugin_folder, "a.so");
    free(path);
}
END_TEST

START_TEST(file_to_be_mended_is_named_with_its_whole_path)
{
    struct error err = {.kind = ERROR_NONE};
    char *path = path_of("a.so");
    char *hint = xasprintf("chmod go-w %s", path);
    put_file("a.so", "bytes");
    ck_assert_int_eq(chmod(path, 0666), 0);
    ck_assert_int_eq(open_vetted(plugin_folder, "a.so", &err), -1);
    ck_assert_str_eq(err.message, "the file a.so is writable by group or others (mode 0666)");
    ck_assert_str_eq(err.hint, hint);
    struct plugin_set *set = describe();
    ck_assert_uint_eq(plugin_report.count, 1);
    ck_assert_str_eq(plugin_report.findings[0].file, path);
    ck_assert_str_eq(plugin_report.findings[0].hint, hint);
    plugin_set_destroy(set);
    free(path);
    free(hint);
}
END_TEST

START_TEST(folders_that_others_may_write_are_refused)
{
    put_file("a.so", "bytes");
    ck_assert_int_eq(chmod(plugin_folder, 0770), 0);
    assert_not_opened(plugin_folder, "a.so", "writable by group or others (mode 0770)");
    ck_assert_int_eq(chmod(plugin_folder, 01777), 0);
    assert_not_opened(plugin_folder, "a.so", "writable by group or others (mode 1777)");
    assert_not_opened("/tmp", "a.so", "the folder /tmp is writable");
}
END_TEST

START_TEST(folders_above_are_vetted_as_well)
{
    char *below = path_of("below");
    char *file = path_of("below/a.so");
    ck_assert_int_eq(mkdir(below, 0700), 0);
    put_file("below/a.so", "bytes");
    assert_opens(below, "a.so");
    ck_assert_int_eq(chmod(plugin_folder, 0777), 0);
    assert_not_opened(below, "a.so", "writable by group or others (mode 0777)");
    ck_assert_int_eq(unlink(file), 0);
    free(below);
    free(file);
}
END_TEST

START_TEST(a_folder_is_vetted_where_it_really_is)
{
    char *link = path_of("link");
    char *real = path_of("real");
    char *file = path_of("real/a.so");
    ck_assert_int_eq(mkdir(real, 0700), 0);
    ck_assert_int_eq(symlink("real", link), 0);
    put_file("real/a.so", "bytes");
    assert_opens(link, "a.so");
    ck_assert_int_eq(chmod(real, 0777), 0);
    assert_not_opened(link, "a.so", "real is writable");
    ck_assert_int_eq(unlink(file), 0);
    free(link);
    free(real);
    free(file);
}
END_TEST

START_TEST(what_belongs_to_somebody_else_is_refused)
{
    if (geteuid() != 0) {
        return; /* only root can give a file away */
    }
    char *path = path_of("a.so");
    put_file("a.so", "bytes");
    ck_assert_int_eq(chown(path, 4242, (gid_t)-1), 0);
    assert_not_opened(plugin_folder, "a.so", "belongs to user 4242");
    ck_assert_int_eq(chown(path, 0, (gid_t)-1), 0);
    ck_assert_int_eq(chown(plugin_folder, 4242, (gid_t)-1), 0);
    assert_not_opened(plugin_folder, "a.so", "belongs to user 4242");
    ck_assert_int_eq(chown(plugin_folder, 0, (gid_t)-1), 0);
    free(path);
}
END_TEST

START_TEST(a_missing_folder_is_one_finding)
{
    struct plugin_options options = {.deadline = 0};
    struct plugin_set *set = plugins_describe("/nonexistent/plugins", &options, &plugin_report);
    ck_assert_uint_eq(set->count, 0);
    ck_assert_uint_eq(plugin_report.count, 1);
    ck_assert_str_eq(plugin_report.findings[0].file, "/nonexistent/plugins");
    ck_assert_ptr_nonnull(strstr(plugin_report.findings[0].message, "No such file"));
    plugin_set_destroy(set);
}
END_TEST

START_TEST(folder_that_is_named_in_a_file_is_reported_there)
{
    struct plugin_options options = {.file = "/etc/p.conf", .line = 7};
    struct plugin_set *set = plugins_describe("/nonexistent/plugins", &options, &plugin_report);
    ck_assert_uint_eq(plugin_report.count, 1);
    ck_assert_str_eq(plugin_report.findings[0].file, "/etc/p.conf");
    ck_assert_int_eq(plugin_report.findings[0].line, 7);
    ck_assert_str_eq(plugin_report.findings[0].message,
                     "plugin_dir: cannot open /nonexistent/plugins: No such file or directory");
    ck_assert_str_eq(plugin_report.findings[0].hint, "create the folder, or name another one in plugin_dir");
    plugin_set_destroy(set);
}
END_TEST

START_TEST(an_unsafe_folder_is_one_finding)
{
    use("good_minimal");
    ck_assert_int_eq(chmod(plugin_folder, 0777), 0);
    struct plugin_set *set = describe();
    ck_assert_uint_eq(set->count, 0);
    ck_assert_uint_eq(plugin_report.count, 1);
    ck_assert_str_eq(plugin_report.findings[0].file, plugin_folder);
    plugin_set_destroy(set);
}
END_TEST

static Suite *make_suite(void)
{
    Suite *suite = suite_create("plugin_vetting");
    TCase *tests = tcase_create("vetting");
    tcase_add_checked_fixture(tests, folder_set_up, folder_tear_down);
    tcase_add_test(tests, a_safe_file_is_opened);
    tcase_add_test(tests, names_that_are_no_plugin_files_are_refused);
    tcase_add_test(tests, what_is_no_regular_file_is_refused);
    tcase_add_test(tests, files_that_others_may_write_are_refused);
    tcase_add_test(tests, file_to_be_mended_is_named_with_its_whole_path);
    tcase_add_test(tests, folders_that_others_may_write_are_refused);
    tcase_add_test(tests, folders_above_are_vetted_as_well);
    tcase_add_test(tests, a_folder_is_vetted_where_it_really_is);
    tcase_add_test(tests, what_belongs_to_somebody_else_is_refused);
    tcase_add_test(tests, a_missing_folder_is_one_finding);
    tcase_add_test(tests, folder_that_is_named_in_a_file_is_reported_there);
    tcase_add_test(tests, an_unsafe_folder_is_one_finding);
    suite_add_tcase(suite, tests);
    return suite;
}

int main(int count, char **arguments)
{
    return plugin_folder_main(count, arguments, make_suite);
}
