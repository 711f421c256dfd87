/* SPDX-License-Identifier: PostgreSQL */
/* What the shells' completion is answered, where no server is. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "support/daemon/program.h"
#include "support/process/files.h"
#include "support/process/suite.h"

static char *configuration;

static void set_up(void)
{
    char *folder = files_make_directory();
    configuration = files_path("%s/pgchime.conf", folder);
    files_write(configuration,
                "databases: { main: { conninfo = \"host=/nowhere\"; }; other: { conninfo = \"host=/nowhere\"; }; };\n"
                "jobs: { load: { database = \"main\"; schedule = \"@hourly\"; command = \"SELECT 1\"; };\n"
                "        lock: { database = \"other\"; schedule = \"@daily\"; command = \"SELECT 1\"; }; };\n");
    setenv("PGCHIME_CONFIG", configuration, 1);
    free(folder);
}

static void tear_down(void)
{
    unsetenv("PGCHIME_CONFIG");
    free(configuration);
    program_forget();
}

/* What follows the last of the words, as whole lines without what they mean. */
static void completes_to(const char *expected)
{
    char *words = calloc(strlen(program_output) + 1, 1);
    char *end = words;
    for (const char *line = program_output; *line != '\0'; line = strchr(line, '\n') + 1) {
        size_t length = strcspn(line, "\t\n");
        memcpy(end, line, length);
        end += length;
        *end++ = ' ';
    }
    ck_assert_str_eq(words, expected);
    free(words);
}

#define COMPLETE(expected, ...)                                      \
    do {                                                             \
        ck_assert_int_eq(PROGRAM("complete", "--", __VA_ARGS__), 0); \
        completes_to(expected);                                      \
    } while (0)

START_TEST(commands_by_their_beginning_with_what_they_do)
{
    COMPLETE("next ", "ne");
    ck_assert_str_eq(program_output, "next\twhen a job, every job or any schedule is due next\n");
    COMPLETE("", "nothing-like-it");
    ck_assert_int_eq(PROGRAM("complete", "--", ""), 0);
    program_said("status\t");
    program_said("plugins\t");
    ck_assert_ptr_null(strstr(program_output, "plugin-host"));
    ck_assert_ptr_null(strstr(program_output, "complete\t"));
}
END_TEST

START_TEST(second_words_of_commands)
{
    COMPLETE("new adopt purge ", "plugins", "");
    COMPLETE("new ", "--config", "x", "plugins", "ne");
    COMPLETE("crontab pg_cron ", "import", "");
    COMPLETE("--directory ", "plugins", "new", "x", "--dir");
}
END_TEST

START_TEST(options_of_the_command_and_those_of_all)
{
    COMPLETE("--dst-gap --dst-overlap ", "next", "--dst");
    COMPLETE("--config ", "--conf");
    COMPLETE("--wait ", "run", "a", "--wa");
    COMPLETE("", "run", "--", "--wa");
}
END_TEST

START_TEST(values_of_options)
{
    COMPLETE("first last both ", "next", "--dst-overlap", "");
    COMPLETE("json ", "jobs", "-o", "js");
    COMPLETE("", "jobs", "-o", "tr");
    COMPLETE("tree ", "graph", "-o", "tr");
    COMPLETE("failed,lost ", "runs", "--state", "failed,l");
    COMPLETE("running ", "runs", "--state", "ru");
    COMPLETE("main other ", "jobs", "--database", "");
    COMPLETE("Europe/Berlin ", "next", "--timezone", "Europe/Berli");
    COMPLETE(":files ", "check", "--config", "/et");
    COMPLETE(":directories ", "plugins", "new", "--directory", "");
    COMPLETE("", "next", "--count", "");
}
END_TEST

START_TEST(values_after_an_equals_sign_whole_or_as_bash_splits_it)
{
    COMPLETE("--output=json ", "jobs", "--output=js");
    COMPLETE("json ", "jobs", "--output", "=", "js");
    COMPLETE("run skip ", "next", "--dst-gap", "=");
    COMPLETE("load ", "--database=main", "show", "l");
    COMPLETE("load ", "--database", "=", "main", "show", "l");
}
END_TEST

START_TEST(jobs_of_the_configuration_where_no_database_answers)
{
    COMPLETE("load lock ", "show", "");
    COMPLETE("lock ", "next", "loc");
    COMPLETE("lock ", "show", "--database", "other", "");
    COMPLETE("", "show", "load", "");
    setenv("PGCHIME_CONFIG", "/nowhere", 1);
    COMPLETE("lock ", "show", "--config", configuration, "loc");
    COMPLETE("", "show", "");
    ck_assert_str_eq(program_errors, "");
}
END_TEST

START_TEST(shells_that_have_a_completion)
{
    COMPLETE("bash zsh fish ", "completion", "");
    ck_assert_int_eq(PROGRAM("completion", "bahs"), 2);
    program_complained("did you mean \"bash\"?");
    ck_assert_int_eq(PROGRAM("completion", "zsh"), 0);
    ck_assert_int_eq(strncmp(program_output, "#compdef pgchime\n", 17), 0);
}
END_TEST

START_TEST(nothing_typed_is_answered_with_nothing)
{
    ck_assert_int_eq(PROGRAM("complete"), 0);
    ck_assert_str_eq(program_output, "");
    ck_assert_int_eq(PROGRAM("complete", "--"), 0);
    ck_assert_str_eq(program_output, "");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("complete");
    TCase *tests = tcase_create("complete");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, commands_by_their_beginning_with_what_they_do);
    tcase_add_test(tests, second_words_of_commands);
    tcase_add_test(tests, options_of_the_command_and_those_of_all);
    tcase_add_test(tests, values_of_options);
    tcase_add_test(tests, values_after_an_equals_sign_whole_or_as_bash_splits_it);
    tcase_add_test(tests, jobs_of_the_configuration_where_no_database_answers);
    tcase_add_test(tests, shells_that_have_a_completion);
    tcase_add_test(tests, nothing_typed_is_answered_with_nothing);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
