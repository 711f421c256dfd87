/* SPDX-License-Identifier: PostgreSQL */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <unistd.h>

#include "loop/folder.h"
#include "support/process/files.h"
#include "support/process/suite.h"

static struct loop *loop;
static struct folder *folder;
static char *path;
static int calls;

static void changed(void *data)
{
    (void)data;
    calls++;
    loop_stop(loop);
}

static void too_late(void *data)
{
    (void)data;
    ck_abort_msg("nothing was heard of the folder");
}

static void set_up(void)
{
    struct error err;
    calls = 0;
    loop = loop_create();
    path = files_make_directory();
    folder = folder_watch(loop, path, 20 * USEC_PER_MSEC, changed, NULL, &err);
    ck_assert_msg(folder != NULL, "%s", err.message);
}

static void tear_down(void)
{
    folder_unwatch(folder);
    loop_destroy(loop);
    free(path);
}

static void await_change(void)
{
    struct loop_timer *limit = loop_timer_create(loop, too_late, NULL);
    loop_timer_set(limit, 30 * USEC_PER_SEC);
    loop_run(loop);
    loop_timer_destroy(limit);
}

static void in_folder(const char *name, char file[static 200])
{
    snprintf(file, 200, "%s/%s", path, name);
}

START_TEST(files_that_arrive_together_are_one_call)
{
    char file[200];
    in_folder("a", file);
    files_write(file, "a");
    in_folder("b", file);
    files_write(file, "b");
    await_change();
    ck_assert_int_eq(calls, 1);
}
END_TEST

START_TEST(a_file_that_is_renamed_into_it_or_goes_is_news)
{
    char from[200];
    char to[200];
    in_folder(".a", from);
    in_folder("a", to);
    files_write(from, "a");
    await_change();
    ck_assert_int_eq(rename(from, to), 0);
    await_change();
    ck_assert_int_eq(unlink(to), 0);
    await_change();
    ck_assert_int_eq(calls, 3);
}
END_TEST

START_TEST(a_folder_that_was_replaced_is_another)
{
    char *aside = files_path("%s.aside", path);
    ck_assert(folder_is_at(folder, path));
    ck_assert_int_eq(rename(path, aside), 0);
    ck_assert(!folder_is_at(folder, path));
    files_make_folder(path);
    ck_assert(!folder_is_at(folder, path));
    ck_assert(folder_is_at(folder, aside));
    files_remove_tree(aside);
    free(aside);
}
END_TEST

/* The new one may have the number of the old one. */
START_TEST(a_folder_that_was_removed_and_made_again_is_another)
{
    ck_assert_int_eq(rmdir(path), 0);
    files_make_folder(path);
    await_change();
    ck_assert(!folder_is_at(folder, path));
}
END_TEST

START_TEST(a_folder_that_is_not_there_cannot_be_watched)
{
    struct error err;
    ck_assert_ptr_null(folder_watch(loop, "/no/such/folder", USEC_PER_SEC, changed, NULL, &err));
    ck_assert_str_eq(err.message, "/no/such/folder cannot be watched: No such file or directory");
    ck_assert_ptr_null(folder_watch(loop, "/etc/passwd", USEC_PER_SEC, changed, NULL, &err));
    folder_unwatch(NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("folder");
    TCase *cases = tcase_create("folder");
    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_set_timeout(cases, 60);
    tcase_add_test(cases, files_that_arrive_together_are_one_call);
    tcase_add_test(cases, a_file_that_is_renamed_into_it_or_goes_is_news);
    tcase_add_test(cases, a_folder_that_was_replaced_is_another);
    tcase_add_test(cases, a_folder_that_was_removed_and_made_again_is_another);
    tcase_add_test(cases, a_folder_that_is_not_there_cannot_be_watched);
    suite_add_tcase(suite, cases);
    return suite_run(suite);
}
