/* SPDX-License-Identifier: PostgreSQL */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <sys/stat.h>
#include <unistd.h>

#include "notify/secret.h"
#include "support/process/files.h"
#include "support/process/suite.h"

static char *folder;
static char *file;
static struct error err;

static void set_up(void)
{
    folder = files_make_directory();
    char *below = files_path("%s/own", folder);
    files_make_folder(below);
    file = files_path("%s/url", below);
    files_write(file, "https://example.com/S3CRET\n");
    chmod(file, 0600);
    free(below);
}

static void tear_down(void)
{
    free(folder);
    free(file);
}

static void is_read(const char *path)
{
    char *text = secret_read(path, &err);
    ck_assert_msg(text != NULL, "%s", err.message);
    ck_assert_str_eq(text, "https://example.com/S3CRET");
    free(text);
}

static void is_refused(const char *path, const char *said)
{
    ck_assert_ptr_null(secret_read(path, &err));
    ck_assert_msg(strstr(err.message, said) != NULL, "%s is not in %s", said, err.message);
    ck_assert_ptr_null(strstr(err.message, "S3CRET"));
}

START_TEST(one_that_others_may_read_or_write_is_refused)
{
    is_read(file);
    chmod(file, 0604);
    is_refused(file, "everybody may read");
    chmod(file, 0620);
    is_refused(file, "is writable by group or others (mode 0620)");
}
END_TEST

/* Who may write there puts another one in its place. */
START_TEST(one_in_a_folder_that_others_may_write_is_refused)
{
    char *below = files_path("%s/own", folder);
    chmod(below, 0770);
    is_refused(file, "own is writable by group or others (mode 0770)");
    chmod(below, 0700);
    chmod(folder, 0702);
    is_refused(file, "is writable by group or others (mode 0702)");
    chmod(folder, 0700);
    is_read(file);
    free(below);
}
END_TEST

START_TEST(a_link_is_believed_where_it_is_and_where_it_leads)
{
    char *other = files_make_directory();
    char *link = files_path("%s/link", other);
    char *below = files_path("%s/own", folder);
    ck_assert_int_eq(symlink(file, link), 0);
    is_read(link);
    chmod(other, 0770);
    is_refused(link, "is writable by group or others (mode 0770)");
    chmod(other, 0700);
    chmod(below, 0772);
    is_refused(link, "own is writable by group or others (mode 0772)");
    free(other);
    free(link);
    free(below);
}
END_TEST

START_TEST(what_is_no_file_of_words_is_refused)
{
    is_refused(folder, "is no small file");
    files_write(file, "a\tb");
    is_refused(file, "is empty or has control characters");
    unlink(file);
    is_refused(file, "No such file or directory");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("secret");
    TCase *cases = tcase_create("secret");
    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_add_test(cases, one_that_others_may_read_or_write_is_refused);
    tcase_add_test(cases, one_in_a_folder_that_others_may_write_is_refused);
    tcase_add_test(cases, a_link_is_believed_where_it_is_and_where_it_leads);
    tcase_add_test(cases, what_is_no_file_of_words_is_refused);
    suite_add_tcase(suite, cases);
    return suite_run(suite);
}
