/* SPDX-License-Identifier: PostgreSQL */
#include "cli/command.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "support/process/files.h"
#include "support/process/suite.h"

/* What the last command line printed. */
static char *output;
static char *errors;

static char *read_all(FILE *file)
{
    char text[16384];
    rewind(file);
    size_t length = fread(text, 1, sizeof(text) - 1, file);
    text[length] = '\0';
    fclose(file);
    return xstrdup(text);
}

/* With standard output and errors sent to files meanwhile. `words` begin with the program's name and end with NULL. */
static int run(const char *const *words)
{
    char *argv[16];
    int argc = 0;
    for (; words[argc] != NULL; argc++) {
        argv[argc] = xstrdup(words[argc]);
    }
    argv[argc] = NULL;
    FILE *to[] = {tmpfile(), tmpfile()};
    int saved[] = {dup(STDOUT_FILENO), dup(STDERR_FILENO)};
    dup2(fileno(to[0]), STDOUT_FILENO);
    dup2(fileno(to[1]), STDERR_FILENO);
    int status = command_line(PGCHIME_BINARY, argc, argv);
    fflush(stdout);
    dup2(saved[0], STDOUT_FILENO);
    dup2(saved[1], STDERR_FILENO);
    close(saved[0]);
    close(saved[1]);
    free(output);
    free(errors);
    output = read_all(to[0]);
    errors = read_all(to[1]);
    for (int i = 0; i < argc; i++) {
        free(argv[i]);
    }
    return status;
}

#define RUN(...) run((const char *const[]){"pgchime", __VA_ARGS__, NULL})

static void tear_down(void)
{
    free(output);
    free(errors);
    output = errors = NULL;
}

static void assert_errors(const char *part)
{
    ck_assert_msg(strstr(errors, part) != NULL, "no \"%s\" in:\n%s", part, errors);
}

START_TEST(every_command_says_what_it_is_and_is_there_once)
{
    for (size_t i = 0; commands[i] != NULL; i++) {
        ck_assert_ptr_eq(command_find(commands, commands[i]->name), commands[i]);
        ck_assert_int_gt((int)strlen(commands[i]->summary), 0);
        ck_assert_ptr_nonnull(commands[i]->arguments);
        ck_assert(commands[i]->run != NULL);
        ck_assert_int_le(commands[i]->least, commands[i]->most);
    }
}
END_TEST

START_TEST(help_lists_every_command_but_internal_ones)
{
    ck_assert_int_eq(RUN("help"), 0);
    for (size_t i = 0; commands[i] != NULL; i++) {
        char *line = xasprintf("\n  %s ", commands[i]->name);
        ck_assert_msg((strstr(output, line) != NULL) == !commands[i]->internal, "%s", commands[i]->name);
        free(line);
    }
    ck_assert_str_eq(errors, "");
}
END_TEST

START_TEST(help_of_a_command_names_each_of_its_options)
{
    for (size_t i = 0; commands[i] != NULL; i++) {
        ck_assert_int_eq(RUN("help", commands[i]->name), 0);
        for (size_t n = 0; commands[i]->options[n].name != NULL; n++) {
            char *line = xasprintf("\n  --%s ", commands[i]->options[n].name);
            ck_assert_msg(strstr(output, line) != NULL, "%s", line);
            free(line);
        }
    }
}
END_TEST

START_TEST(help_is_the_same_asked_for_in_three_ways)
{
    ck_assert_int_eq(RUN("help", "runs"), 0);
    char *first = xstrdup(output);
    ck_assert_int_eq(RUN("runs", "--help"), 0);
    ck_assert_str_eq(output, first);
    ck_assert_int_eq(RUN("runs", "job", "-h"), 0);
    ck_assert_str_eq(output, first);
    free(first);
}
END_TEST

START_TEST(an_unknown_command_gets_a_did_you_mean)
{
    ck_assert_int_eq(RUN("stauts"), 2);
    assert_errors("there is no command \"stauts\"\nHINT:  did you mean \"status\"?\n");
    ck_assert_int_eq(RUN("help", "migrat"), 2);
    assert_errors("did you mean \"migrate\"?");
    ck_assert_int_eq(RUN("plugin-hos"), 2);
    ck_assert_ptr_null(strstr(errors, "plugin-host"));
    ck_assert_str_eq(output, "");
}
END_TEST

START_TEST(a_command_may_have_two_words)
{
    size_t used;
    ck_assert_str_eq(command_of_words(commands, 2, (char *const[]){"plugins", "new"}, &used)->name, "plugins new");
    ck_assert_uint_eq(used, 2);
    ck_assert_str_eq(command_of_words(commands, 2, (char *const[]){"plugins", "x"}, &used)->name, "plugins");
    ck_assert_uint_eq(used, 1);
    ck_assert_ptr_null(command_of_words(commands, 1, (char *const[]){"new"}, &used));
    ck_assert_int_eq(RUN("plugins", "new"), 2);
    assert_errors("plugins new needs NAME");
    ck_assert_int_eq(RUN("-q", "plugins", "purge", "--yess", "x"), 2);
    assert_errors("did you mean \"--yes\"?");
    ck_assert_int_eq(RUN("plugins", "nwe", "x"), 2);
    assert_errors("there is no command \"plugins nwe\"\nHINT:  did you mean \"plugins new\"?");
    ck_assert_int_eq(RUN("plugins", "something-else"), 2);
    assert_errors("\"something-else\" is one argument too many for plugins");
    ck_assert_int_eq(RUN("help", "plugins", "new"), 0);
    ck_assert_ptr_nonnull(strstr(output, "Usage: pgchime plugins new "));
    ck_assert_int_eq(RUN("help", "plugins", "nwe"), 2);
    assert_errors("did you mean \"plugins new\"?");
}
END_TEST

START_TEST(a_commands_own_option_wins_over_a_global_one)
{
    ck_assert_int_eq(RUN("--config", "/nowhere", "init", "--config"), 0);
    ck_assert_ptr_nonnull(strstr(output, "databases:"));
    ck_assert_ptr_null(strstr(output, "CREATE ROLE"));
    ck_assert_int_eq(RUN("help", "init"), 0);
    ck_assert_ptr_nonnull(strstr(output, "print the configuration only"));
    ck_assert_ptr_null(strstr(output, "--config FILE"));
}
END_TEST

START_TEST(unknown_options_are_named_and_refused)
{
    ck_assert_int_eq(RUN("serve", "--onse"), 2);
    assert_errors("unknown option \"--onse\"\nHINT:  did you mean \"--once\"?");
    ck_assert_int_eq(RUN("serve", "-x"), 2);
    assert_errors("unknown option \"-x\"");
    ck_assert_int_eq(RUN("--databse=a", "jobs"), 2);
    assert_errors("did you mean \"--database\"?");
    ck_assert_int_eq(RUN("jobs", "--wait"), 2);
    assert_errors("unknown option \"--wait\"");
}
END_TEST

START_TEST(options_want_the_values_they_are_made_for)
{
    ck_assert_int_eq(RUN("serve", "--for"), 2);
    assert_errors("option \"--for\" needs a value");
    ck_assert_int_eq(RUN("serve", "--once=3"), 2);
    assert_errors("takes no value");
    ck_assert_int_eq(RUN("serve", "--for", "soon"), 2);
    assert_errors("--for: ");
    ck_assert_int_eq(RUN("serve", "--for", "0s"), 2);
    ck_assert_int_eq(RUN("runs", "--limit", "0"), 2);
    ck_assert_int_eq(RUN("runs", "--state", "failed,faild"), 2);
    assert_errors("did you mean \"failed\"?");
    ck_assert_int_eq(RUN("runs", "--state", ""), 2);
    ck_assert_int_eq(RUN("runs", "--since", "long ago"), 2);
    ck_assert_int_eq(RUN("run", "a", "--timeout", "3s"), 2);
    ck_assert_int_eq(RUN("jobs", "-o", "jsn"), 2);
    assert_errors("did you mean \"json\"?");
}
END_TEST

START_TEST(too_few_and_too_many_arguments_are_usage_errors)
{
    ck_assert_int_eq(RUN("show"), 2);
    assert_errors("show needs JOB");
    ck_assert_int_eq(RUN("show", "a", "b"), 2);
    assert_errors("\"b\" is one argument too many for show");
    ck_assert_int_eq(run((const char *const[]){"pgchime", NULL}), 2);
    assert_errors("no command is given");
    ck_assert_int_eq(RUN("plugin-host", "x", "y"), 2);
}
END_TEST

START_TEST(global_options_count_before_and_after_the_command)
{
    ck_assert_int_eq(RUN("-o", "json", "version"), 0);
    char *first = xstrdup(output);
    ck_assert_ptr_nonnull(strstr(first, "\"version\": \"" PGCHIME_VERSION "\""));
    ck_assert_int_eq(RUN("version", "-o", "json"), 0);
    ck_assert_str_eq(output, first);
    ck_assert_int_eq(RUN("version", "--output=json"), 0);
    ck_assert_str_eq(output, first);
    free(first);
    ck_assert_int_eq(RUN("--version"), 0);
    ck_assert_str_eq(output, "pgchime " PGCHIME_VERSION "\n");
}
END_TEST

START_TEST(words_after_two_dashes_are_arguments)
{
    ck_assert_int_eq(RUN("show", "--", "--job", "--config"), 2);
    assert_errors("\"--config\" is one argument too many");
}
END_TEST

START_TEST(the_configuration_is_the_option_else_the_environment)
{
    setenv("PGCHIME_CONFIG", "/nowhere/environment.conf", 1);
    ck_assert_int_eq(RUN("jobs"), 3);
    assert_errors("/nowhere/environment.conf: ");
    ck_assert_int_eq(RUN("jobs", "--config", "/nowhere/option.conf"), 3);
    assert_errors("/nowhere/option.conf: ");
    setenv("PGCHIME_CONFIG", "", 1);
    ck_assert_int_eq(RUN("jobs", "--config", "/nowhere/option.conf"), 3);
    assert_errors("/nowhere/option.conf: ");
}
END_TEST

START_TEST(what_was_typed_is_escaped_in_messages)
{
    ck_assert_int_eq(RUN("a\x1b[2J"), 2);
    ck_assert_ptr_null(strchr(errors, '\x1b'));
    assert_errors("a\\u001b[2J");
}
END_TEST

/* This program is no pgchime: as the host of a plugin it would run these tests once more, and so on without end. */
START_TEST(plugins_are_described_by_the_program_that_is_named)
{
    char *folder = files_make_directory();
    char *configuration = files_path("%s/pgchime.conf", folder);
    files_write(configuration, "databases: { main: { conninfo = \"dbname=x\"; }; };\n"
                               "plugin_dir = \"" PGCHIME_BUILD_DIR "/plugins\";\n");
    ck_assert_msg(RUN("check", "--config", configuration) == 0, "%s", errors);
    int plugins = 0;
    ck_assert_int_eq(sscanf(output, "ok: 1 database, %d plugins", &plugins), 1);
    ck_assert_int_ge(plugins, 5);
    free(folder);
    free(configuration);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("command");
    TCase *tests = tcase_create("command");
    tcase_add_checked_fixture(tests, NULL, tear_down);
    tcase_add_test(tests, every_command_says_what_it_is_and_is_there_once);
    tcase_add_test(tests, help_lists_every_command_but_internal_ones);
    tcase_add_test(tests, help_of_a_command_names_each_of_its_options);
    tcase_add_test(tests, help_is_the_same_asked_for_in_three_ways);
    tcase_add_test(tests, an_unknown_command_gets_a_did_you_mean);
    tcase_add_test(tests, a_command_may_have_two_words);
    tcase_add_test(tests, a_commands_own_option_wins_over_a_global_one);
    tcase_add_test(tests, unknown_options_are_named_and_refused);
    tcase_add_test(tests, options_want_the_values_they_are_made_for);
    tcase_add_test(tests, too_few_and_too_many_arguments_are_usage_errors);
    tcase_add_test(tests, global_options_count_before_and_after_the_command);
    tcase_add_test(tests, words_after_two_dashes_are_arguments);
    tcase_add_test(tests, the_configuration_is_the_option_else_the_environment);
    tcase_add_test(tests, what_was_typed_is_escaped_in_messages);
    tcase_add_test(tests, plugins_are_described_by_the_program_that_is_named);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
