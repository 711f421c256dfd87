/* SPDX-License-Identifier: PostgreSQL */
#include "support/plugin/plugin_folder.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "base/memory.h"
#include "support/process/files.h"
#include "support/process/suite.h"

char plugin_folder[64];
struct report plugin_report;
static char *own_path;

void folder_set_up(void)
{
    snprintf(plugin_folder, sizeof(plugin_folder), "/tmp/pgchime-plugins-XXXXXX");
    ck_assert_ptr_nonnull(mkdtemp(plugin_folder));
    report_init(&plugin_report);
}

void folder_tear_down(void)
{
    report_finish(&plugin_report);
    files_remove_tree(plugin_folder);
    ck_assert(!files_exist(plugin_folder));
}

char *path_of(const char *file)
{
    return xasprintf("%s/%s", plugin_folder, file);
}

void put_file(const char *file, const char *text)
{
    char *path = path_of(file);
    files_write(path, text);
    ck_assert_int_eq(chmod(path, 0644), 0);
    free(path);
}

void copy_fixture(const char *name, const char *file)
{
    char *from = xasprintf("%s/%s.so", PGCHIME_BUILD_DIR "/tests/fixtures/plugins", name);
    char *to = path_of(file);
    files_copy(from, to);
    ck_assert_int_eq(chmod(to, 0644), 0);
    free(from);
    free(to);
}

void use(const char *name)
{
    char *file = xasprintf("%s.so", name);
    copy_fixture(name, file);
    free(file);
}

/* Not /proc/self/exe itself: under valgrind the kernel runs valgrind by that name, but realpath tells the truth. */
struct plugin_set *describe_within(duration deadline)
{
    struct plugin_options options = {.host_program = own_path, .deadline = deadline};
    return plugins_describe(plugin_folder, &options, &plugin_report);
}

struct plugin_set *describe(void)
{
    return describe_within(0);
}

int plugin_folder_main(int count, char **arguments, Suite *(*make_suite)(void))
{
    if (count == 4 && strcmp(arguments[1], PLUGIN_HOST_COMMAND) == 0) {
        return plugin_host_main(atoi(arguments[2]), PLUGIN_HOST_OUT, arguments[3]);
    }
    own_path = realpath("/proc/self/exe", NULL);
    int failed = suite_run(make_suite());
    free(own_path);
    return failed;
}
