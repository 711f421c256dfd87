/* SPDX-License-Identifier: PostgreSQL */
/* Describing plugins through real plugin hosts. Which files are opened at all is in test_plugin_vetting.c. */
#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <sys/stat.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/memory.h"
#include "support/plugin/plugin_folder.h"

#define SHORT (300 * USEC_PER_MSEC)

static void assert_no_findings(void)
{
    ck_assert_msg(plugin_report.count == 0, "%s: %s", plugin_report.count > 0 ? plugin_report.findings[0].file : "",
                  plugin_report.count > 0 ? plugin_report.findings[0].message : "");
}

static void assert_accepts(const char *name)
{
    use(name);
    struct plugin_set *set = describe();
    assert_no_findings();
    ck_assert_uint_eq(set->count, 1);
    ck_assert_str_eq(set->plugins[0]->name, name);
    plugin_set_destroy(set);
}

static void assert_finding(const char *file, const char *reason)
{
    char *path = path_of(file);
    ck_assert_uint_eq(plugin_report.count, 1);
    ck_assert_str_eq(plugin_report.findings[0].file, path);
    ck_assert_msg(strstr(plugin_report.findings[0].message, reason) != NULL, "\"%s\" does not say: %s",
                  plugin_report.findings[0].message, reason);
    ck_assert_msg(plugin_report.findings[0].hint != NULL, "no way out of: %s", plugin_report.findings[0].message);
    for (const char *byte = plugin_report.findings[0].message; *byte != '\0'; byte++) {
        ck_assert_msg((unsigned char)*byte >= 0x20, "control character in: %s", plugin_report.findings[0].message);
    }
    free(path);
}

/* Beside a sound plugin, which must not suffer. */
static void assert_refuses_within(const char *name, const char *reason, duration deadline)
{
    char *file = xasprintf("%s.so", name);
    use("good_minimal");
    use(name);
    struct plugin_set *set = describe_within(deadline);
    assert_finding(file, reason);
    ck_assert_uint_eq(set->count, 1);
    ck_assert_str_eq(set->plugins[0]->name, "good_minimal");
    plugin_set_destroy(set);
    free(file);
}

static void assert_refuses(const char *name, const char *reason)
{
    assert_refuses_within(name, reason, 0);
}

/* Every host was reaped: this process has no child left. */
static void assert_no_children(void)
{
    ck_assert_int_eq(waitpid(-1, NULL, WNOHANG), -1);
    ck_assert_int_eq(errno, ECHILD);
}

/* --- sound plugins --- */

START_TEST(an_empty_folder_has_no_plugins)
{
    struct plugin_set *set = describe();
    ck_assert_uint_eq(set->count, 0);
    assert_no_findings();
    plugin_set_destroy(set);
    plugin_set_destroy(NULL);
}
END_TEST

START_TEST(the_smallest_plugin_is_described)
{
    assert_accepts("good_minimal");
}
END_TEST

START_TEST(every_member_arrives)
{
    use("good_full");
    struct plugin_set *set = describe();
    assert_no_findings();
    ck_assert_uint_eq(set->count, 1);
    const struct declaration *full = set->plugins[0];
    ck_assert_str_eq(strrchr(full->file, '/'), "/good_full.so");
    ck_assert_uint_eq(full->source_count, 2);
    ck_assert_uint_eq(full->view_count, 2);
    ck_assert_str_eq(full->views[0].comment, "orders per day: \"quoted\", back\\slash,\ttab and \xc3\xbc");
    ck_assert_uint_eq(full->job_count, 2);
    ck_assert_uint_eq(full->jobs[0].refresh.count, 2);
    ck_assert_str_eq(full->jobs[0].refresh.items[1], "mv_regions");
    ck_assert_int_eq(full->jobs[0].options.max_attempts, 5);
    ck_assert_uint_eq(full->function_count, 1);
    ck_assert_uint_eq(full->channel_count, 1);
    ck_assert_uint_eq(full->tile_count, 1);
    ck_assert_uint_eq(full->alert_count, 1);
    ck_assert_uint_eq(full->setting_count, 2);
    ck_assert_uint_eq(full->upgrade_count, 1);
    ck_assert_uint_eq(full->plain_view_count, 2);
    ck_assert_str_eq(full->plain_views[1].relation, "v_regions");
    plugin_set_destroy(set);
    assert_no_children();
}
END_TEST

START_TEST(a_plugin_of_an_older_minor_abi_loads)
{
    use("older_minor");
    struct plugin_set *set = describe();
    assert_no_findings();
    ck_assert_uint_eq(set->plugins[0]->job_count, 2);
    ck_assert_str_eq(set->plugins[0]->jobs[1].command, "SELECT 2");
    ck_assert_uint_eq(set->plugins[0]->upgrade_count, 0);
    plugin_set_destroy(set);
}
END_TEST

START_TEST(a_plugin_of_a_newer_minor_abi_loads)
{
    use("newer_minor");
    struct plugin_set *set = describe();
    assert_no_findings();
    ck_assert_uint_eq(set->plugins[0]->job_count, 2);
    ck_assert_str_eq(set->plugins[0]->jobs[1].command, "SELECT 2");
    plugin_set_destroy(set);
}
END_TEST

START_TEST(jobs_that_wait_for_each_other_are_left_to_the_catalog)
{
    assert_accepts("cyclic_after");
}
END_TEST

START_TEST(what_a_plugin_prints_does_not_reach_its_answer)
{
    assert_accepts("printing_constructor");
}
END_TEST

START_TEST(plugins_are_sorted_by_name)
{
    use("older_minor");
    use("good_minimal");
    use("newer_minor");
    use("good_full");
    use("cyclic_after");
    use("printing_constructor");
    static const char *const expected[] = {"cyclic_after", "good_full",   "good_minimal",
                                           "newer_minor",  "older_minor", "printing_constructor"};
    struct plugin_set *set = describe();
    assert_no_findings();
    ck_assert_uint_eq(set->count, COUNT_OF(expected));
    for (size_t i = 0; i < COUNT_OF(expected); i++) {
        ck_assert_str_eq(set->plugins[i]->name, expected[i]);
    }
    plugin_set_destroy(set);
}
END_TEST

START_TEST(files_of_other_kinds_are_left_alone)
{
    put_file("README", "text");
    put_file("good_minimal.so.old", "text");
    put_file(".hidden.so", "text");
    assert_accepts("good_minimal");
}
END_TEST

START_TEST(a_host_has_no_descriptors_but_its_own)
{
    /* Would be inherited: it is not close-on-exec. The fixture writes to every descriptor that it has. */
    char *path = path_of("secret");
    int descriptor = open(path, O_WRONLY | O_CREAT, 0600); /* NOLINT: on purpose */
    ck_assert_int_ge(descriptor, 0);
    use("garbage_on_every_descriptor");
    plugin_set_destroy(describe());
    struct stat status;
    ck_assert_int_eq(fstat(descriptor, &status), 0);
    ck_assert_int_eq(status.st_size, 0);
    close(descriptor);
    free(path);
}
END_TEST

/* --- broken plugins --- */

START_TEST(a_file_that_is_no_shared_object_is_refused)
{
    put_file("not_an_elf.so", "this is a text");
    struct plugin_set *set = describe();
    assert_finding("not_an_elf.so", "cannot be loaded: ");
    ck_assert_ptr_null(strstr(plugin_report.findings[0].message, "/proc/"));
    plugin_set_destroy(set);
}
END_TEST

START_TEST(an_empty_file_is_refused)
{
    put_file("empty.so", "");
    plugin_set_destroy(describe());
    assert_finding("empty.so", "cannot be loaded: ");
}
END_TEST

START_TEST(a_bad_file_name_is_refused)
{
    copy_fixture("good_minimal", "good minimal.so");
    plugin_set_destroy(describe());
    assert_finding("good minimal.so", "is not the name of a plugin file");
}
END_TEST

START_TEST(a_copy_under_another_name_is_refused)
{
    copy_fixture("good_minimal", "copy.so");
    plugin_set_destroy(describe());
    assert_finding("copy.so", "name is \"good_minimal\", but the file is named copy.so");
}
END_TEST

START_TEST(two_files_of_one_name_are_both_refused)
{
    use("duplicate_a");
    use("duplicate_b");
    struct plugin_set *set = describe();
    ck_assert_uint_eq(set->count, 0);
    ck_assert_uint_eq(plugin_report.count, 2);
    ck_assert_ptr_nonnull(strstr(plugin_report.findings[0].file, "duplicate_a.so"));
    ck_assert_ptr_nonnull(strstr(plugin_report.findings[0].message, "name is \"duplicate\""));
    ck_assert_ptr_nonnull(strstr(plugin_report.findings[1].file, "duplicate_b.so"));
    ck_assert_ptr_nonnull(strstr(plugin_report.findings[1].message, "name is \"duplicate\""));
    plugin_set_destroy(set);
}
END_TEST

static const struct {
    const char *name;
    const char *reason;
} refused_fixtures[] = {
    {"wrong_magic", "starts with 12345678"},
    {"wrong_major", "built for plugin ABI 2"},
    {"short_struct", "8 bytes long"},
    {"lying_size", "16777216 bytes long"},
    {"lying_count", "jobs has 4294967295 items"},
    {"lying_item_size", "jobs has items of 0 bytes"},
    {"null_description", "returned NULL"},
    {"no_symbol", "has no function chime_plugin_describe"},
    {"wrong_name", "name is \"right_name\""},
    {"bad_schedule", "jobs[0] \"tick\": schedule \""},
    {"bad_option", "max_atempts"},
    {"aborting_constructor", "its plugin host was ended by signal 6"},
    {"segfault_in_describe", "its plugin host "}, /* a sanitizer turns the signal into a status */
    {"exit_0_silently", "ended with status 0 and without an answer"},
    {"garbage_on_every_descriptor", "ended with status 0 and a malformed answer; it said: garbage ? garbage ?"},
    {"endless_answer", "answered more than 4 MiB"},
};

START_TEST(a_broken_plugin_costs_one_finding)
{
    assert_refuses(refused_fixtures[_i].name, refused_fixtures[_i].reason);
    assert_no_children();
}
END_TEST

START_TEST(a_plugin_that_hangs_is_stopped_at_the_deadline)
{
    assert_refuses_within("hanging_constructor", "did not describe itself within 1s", USEC_PER_SEC);
    assert_no_children();
}
END_TEST

START_TEST(a_plugin_that_spins_is_stopped_at_the_deadline)
{
    assert_refuses_within("spinning_constructor", "did not describe itself within 1s", USEC_PER_SEC);
    assert_no_children();
}
END_TEST

START_TEST(a_plugin_reaches_nothing_from_its_host)
{
    use("malicious_constructor");
    struct plugin_set *set = describe();
    assert_no_findings();
    ck_assert_uint_eq(set->count, 1);
    ck_assert_str_eq(set->plugins[0]->summary, "could:");
    plugin_set_destroy(set);
    assert_no_children();
}
END_TEST

/* The left-behind hold the pipes: with our ends closed too early or too late this would hang, or fail. */
START_TEST(processes_that_a_plugin_leaves_behind_delay_nothing)
{
    use("forking_constructor");
    instant start = clock_boot();
    struct plugin_set *set = describe();
    ck_assert_int_lt(clock_boot() - start, PLUGIN_DEADLINE);
    assert_no_findings();
    ck_assert_uint_eq(set->count, 1);
    plugin_set_destroy(set);
    assert_no_children();
}
END_TEST

START_TEST(a_plugin_that_forks_and_hangs_is_stopped_at_the_deadline)
{
    use("forking_and_hanging");
    plugin_set_destroy(describe_within(SHORT));
    assert_finding("forking_and_hanging.so", "did not describe itself within 300ms");
    assert_no_children();
}
END_TEST

START_TEST(deadlines_run_side_by_side)
{
    copy_fixture("hanging_constructor", "a.so");
    copy_fixture("hanging_constructor", "b.so");
    copy_fixture("hanging_constructor", "c.so");
    copy_fixture("hanging_constructor", "d.so");
    instant start = clock_boot();
    plugin_set_destroy(describe_within(USEC_PER_SEC));
    ck_assert_int_lt(clock_boot() - start, 4 * USEC_PER_SEC); /* one after another they take that long at least */
    ck_assert_uint_eq(plugin_report.count, 4);
}
END_TEST

START_TEST(a_host_program_that_is_missing_is_named)
{
    use("good_minimal");
    struct plugin_options options = {.host_program = "/nonexistent/pgchime"};
    plugin_set_destroy(plugins_describe(plugin_folder, &options, &plugin_report));
    assert_finding("good_minimal.so", "cannot run the plugin host /nonexistent/pgchime: No such file");
}
END_TEST

START_TEST(a_host_program_that_is_no_pgchime_costs_one_finding)
{
    use("good_minimal");
    struct plugin_options options = {.host_program = "/bin/sh"};
    plugin_set_destroy(plugins_describe(plugin_folder, &options, &plugin_report));
    assert_finding("good_minimal.so", "without an answer; it said: ");
}
END_TEST

START_TEST(running_out_of_descriptors_costs_findings_only)
{
    use("good_minimal");
    struct rlimit before;
    ck_assert_int_eq(getrlimit(RLIMIT_NOFILE, &before), 0);
    int next = dup(STDIN_FILENO);
    ck_assert_int_ge(next, 0);
    close(next);
    /* The folder, the file and one of two pipes. */
    struct rlimit tight = {(rlim_t)next + 4, before.rlim_max};
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &tight), 0);
    plugin_set_destroy(describe());
    ck_assert_int_eq(setrlimit(RLIMIT_NOFILE, &before), 0);
    ck_assert_uint_eq(plugin_report.count, 1);
    ck_assert_ptr_nonnull(
        strstr(plugin_report.findings[0].message, "cannot open a pipe to the plugin host: Too many open"));
    int after = dup(STDIN_FILENO);
    ck_assert_int_eq(after, next); /* nothing was left open */
    close(after);
}
END_TEST

START_TEST(a_host_that_somebody_else_reaped_is_not_believed)
{
    use("good_minimal");
    signal(SIGCHLD, SIG_IGN);
    struct plugin_set *set = describe();
    signal(SIGCHLD, SIG_DFL);
    ck_assert_uint_eq(set->count, 0);
    assert_finding("good_minimal.so", "cannot learn how its plugin host ended: No child processes");
    plugin_set_destroy(set);
}
END_TEST

static TCase *sound_case(void)
{
    TCase *tests = tcase_create("sound");
    tcase_add_checked_fixture(tests, folder_set_up, folder_tear_down);
    tcase_set_timeout(tests, 30);
    tcase_add_test(tests, an_empty_folder_has_no_plugins);
    tcase_add_test(tests, the_smallest_plugin_is_described);
    tcase_add_test(tests, every_member_arrives);
    tcase_add_test(tests, a_plugin_of_an_older_minor_abi_loads);
    tcase_add_test(tests, a_plugin_of_a_newer_minor_abi_loads);
    tcase_add_test(tests, jobs_that_wait_for_each_other_are_left_to_the_catalog);
    tcase_add_test(tests, what_a_plugin_prints_does_not_reach_its_answer);
    tcase_add_test(tests, plugins_are_sorted_by_name);
    tcase_add_test(tests, files_of_other_kinds_are_left_alone);
    tcase_add_test(tests, a_host_has_no_descriptors_but_its_own);
    return tests;
}

static TCase *broken_case(void)
{
    TCase *tests = tcase_create("broken");
    tcase_add_checked_fixture(tests, folder_set_up, folder_tear_down);
    tcase_set_timeout(tests, 30);
    tcase_add_test(tests, a_file_that_is_no_shared_object_is_refused);
    tcase_add_test(tests, an_empty_file_is_refused);
    tcase_add_test(tests, a_bad_file_name_is_refused);
    tcase_add_test(tests, a_copy_under_another_name_is_refused);
    tcase_add_test(tests, two_files_of_one_name_are_both_refused);
    tcase_add_loop_test(tests, a_broken_plugin_costs_one_finding, 0, (int)COUNT_OF(refused_fixtures));
    tcase_add_test(tests, a_plugin_that_hangs_is_stopped_at_the_deadline);
    tcase_add_test(tests, a_plugin_that_spins_is_stopped_at_the_deadline);
    tcase_add_test(tests, processes_that_a_plugin_leaves_behind_delay_nothing);
    tcase_add_test(tests, a_plugin_reaches_nothing_from_its_host);
    tcase_add_test(tests, a_plugin_that_forks_and_hangs_is_stopped_at_the_deadline);
    tcase_add_test(tests, deadlines_run_side_by_side);
    tcase_add_test(tests, a_host_program_that_is_missing_is_named);
    tcase_add_test(tests, a_host_program_that_is_no_pgchime_costs_one_finding);
    tcase_add_test(tests, running_out_of_descriptors_costs_findings_only);
    tcase_add_test(tests, a_host_that_somebody_else_reaped_is_not_believed);
    return tests;
}

static Suite *make_suite(void)
{
    Suite *suite = suite_create("plugins");
    suite_add_tcase(suite, sound_case());
    suite_add_tcase(suite, broken_case());
    return suite;
}

int main(int count, char **arguments)
{
    return plugin_folder_main(count, arguments, make_suite);
}
