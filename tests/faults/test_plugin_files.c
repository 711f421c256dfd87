/* SPDX-License-Identifier: PostgreSQL */
/* Plugins that do to their machine what a shared object can, while a daemon leads: they are described by a process of
 * their own, which is refused by name and ended, and cost nobody a slot. What else a broken plugin may be is in
 * tests/unit/test_plugins.c (segfaults, hangs, forks, garbage) and tests/integration/test_plugins_live.c. */
#include <check.h>
#include <ctype.h>
#include <dirent.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/daemon/commands.h"
#include "support/daemon/stage.h"
#include "support/ledger/ledger_oracle.h"
#include "support/ledger/runs.h"
#include "support/plugin/plugin_files.h"
#include "support/process/files.h"
#include "support/process/process.h"
#include "support/process/suite.h"
#include "support/process/wait.h"

#define PATIENCE 60.0

static char *folder;

static void set_up(void)
{
    cluster = oracle_create(NULL);
    folder = files_make_directory();
    site = site_create(cluster, "postgres", 2);
    site_use_plugins(site, folder);
    oracle_write_load(site);
    served = site_lead(site);
    oracle_await_load(cluster);
}

static void tear_down(void)
{
    stage_clear();
    free(folder);
}

static void reload(int status)
{
    commands_expect(status, site_config(site), (const char *const[]){"reload", NULL}, &output, &errors);
}

/* What a process was started with; its arguments are separated by NUL. */
static bool was_started_with(const char *process, const char *word)
{
    char *path = files_path("/proc/%s/cmdline", process);
    FILE *file = fopen(path, "re");
    char text[4096] = "";
    bool found = false;

    free(path);
    if (file == NULL)
        return false;
    size_t length = fread(text, 1, sizeof(text) - 1, file);
    fclose(file);
    for (size_t at = 0; at < length; at += strlen(text + at) + 1)
        found = found || strcmp(text + at, word) == 0;
    return found;
}

/* A plugin's host has the plugin's name among its arguments. */
static bool is_left(const char *plugin)
{
    DIR *processes = opendir("/proc");
    bool found = false;

    ck_assert_ptr_nonnull(processes);
    for (struct dirent *entry; (entry = readdir(processes)) != NULL;)
        found = found || (isdigit((unsigned char)entry->d_name[0]) && was_started_with(entry->d_name, plugin));
    closedir(processes);
    return found;
}

/* A thousand reloads under load are in tests/integration/test_reload.c. */
START_TEST(a_plugin_that_leaves_its_session_leaves_nobody_behind)
{
    plugin_put_fixture(folder, "forking_session");
    reload(0);
    WAIT_SQL(cluster, "SELECT state FROM chime.plugin WHERE name = 'forking_session'", "installed", PATIENCE);
    ck_assert(!is_left("forking_session"));
    EXPECT_SQL(cluster, "SELECT epoch FROM chime.leader", "1");
    oracle_expect_sound(cluster);
}
END_TEST

START_TEST(a_plugin_that_takes_all_memory_is_refused)
{
    plugin_put_fixture(folder, "leaking_constructor");
    reload(0);
    commands_has(errors, "leaking_constructor.so: its plugin host");
    daemon_await(served, "leaking_constructor.so: ", PATIENCE);
    ck_assert_int_lt(process_peak_kb(daemon_pid(served)), 64 * 1024);
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.plugin WHERE name = 'leaking_constructor'", "0");
    EXPECT_SQL(cluster, "SELECT epoch FROM chime.leader", "1");
    oracle_expect_sound(cluster);
}
END_TEST

static Suite *suite(void)
{
    Suite *all = suite_create("plugin_files");
    TCase *cases = tcase_create("plugin_files");
    TCase *in_full = tcase_create(SUITE_IN_FULL);

    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_set_timeout(cases, 300);
    tcase_add_test(cases, a_plugin_that_leaves_its_session_leaves_nobody_behind);
    suite_add_tcase(all, cases);
    tcase_add_checked_fixture(in_full, set_up, tear_down);
    tcase_set_timeout(in_full, 300);
    if (getenv("PGCHIME_TEST_SLOWNESS") == NULL) /* a sanitizer needs the addresses that the host is denied */
        tcase_add_test(in_full, a_plugin_that_takes_all_memory_is_refused);
    suite_add_tcase(all, in_full);
    return all;
}

int main(void)
{
    return suite_run(suite());
}
