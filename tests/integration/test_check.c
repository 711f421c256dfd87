/* SPDX-License-Identifier: PostgreSQL */
/* `pgchime check`, as someone sees it who configures for the first time; no server is needed. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "support/daemon/commands.h"
#include "support/daemon/daemon.h"
#include "support/process/files.h"
#include "support/process/suite.h"

static char *folder;
static char *configuration;
static char *output;
static char *errors;

static void set_up(void)
{
    folder = files_make_directory();
    configuration = files_path("%s/pgchime.conf", folder);
    output = NULL;
    errors = NULL;
}

static void tear_down(void)
{
    files_remove_tree(folder);
    free(folder);
    free(configuration);
    free(output);
    free(errors);
}

/* `more` may be NULL. */
static int check(const char *text, const char *more)
{
    const char *const arguments[] = {"--config", configuration, "check", more, NULL};
    files_write(configuration, text);
    free(output);
    free(errors);
    return daemon_run(arguments, &output, &errors);
}

/* '%' stands for the folder. */
static void expect_errors(const char *expected)
{
    struct buffer text = {0};
    for (const char *at = expected; *at != '\0'; at++) {
        if (*at == '%') {
            buffer_puts(&text, folder);
        } else {
            buffer_putc(&text, *at);
        }
    }
    ck_assert_str_eq(errors, buffer_text(&text));
    buffer_finish(&text);
}

START_TEST(configuration_without_a_database_is_said_to_do_nothing)
{
    ck_assert_int_eq(check("log_level = \"info\";", NULL), 0);
    ck_assert_str_eq(output, "ok: 0 databases, 0 plugins, 0 jobs\n");
    ck_assert_ptr_nonnull(strstr(errors, "no database is configured, so nothing will run: write databases: "));
    ck_assert_int_eq(check("log_level = \"info\";", "-q"), 0);
    ck_assert_str_eq(output, "");
    ck_assert_str_eq(errors, "");
    ck_assert_int_eq(check("databases: { main: { conninfo = \"dbname=x\"; }; };", NULL), 0);
    ck_assert_str_eq(errors, "");
}
END_TEST

START_TEST(missing_plugin_folder_is_reported_where_it_is_named)
{
    ck_assert_int_eq(check("databases: { main: { conninfo = \"dbname=x\"; }; };\nplugin_dir = \"plugins\";\n", NULL),
                     3);
    expect_errors("%/pgchime.conf:2: plugin_dir: cannot open %/plugins: No such file or directory\n"
                  "HINT:  create the folder, or name another one in plugin_dir\n");
}
END_TEST

/* Each job of the second group has errors that show only when all jobs are known; none says what follows from the
 * first. */
START_TEST(errors_of_one_job_hide_none_of_another)
{
    ck_assert_int_eq(check("databases: { main: { conninfo = \"dbname=x\"; }; };\n"
                           "jobs: {\n"
                           " a: { command = \"SELECT 1\"; schedule = \"61 * * * *\"; };\n"
                           " b: { command = \" \"; schedule = \"@daily\"; };\n"
                           " c: { command = \"SELECT 1\"; after = [\"9!\"]; };\n"
                           " d = 5;\n"
                           " e: { command = \"SELECT 1\"; after = [\"a\", \"b\", \"c\", \"d\", \"zzzzzz\"]; };\n"
                           " f: { command = \"SELECT 1\"; };\n"
                           " g: { command = \"SELECT 1\"; after = \"g\"; pool = \"heavy\"; };\n"
                           " h: { command = \"SELECT 1\"; schedule = \"@daily\"; timezone = \"Xxx/Yyy\"; };\n"
                           "};\n",
                           NULL),
                     3);
    static const char *const expected[] = {
        ":3: job \"a\": schedule \"61 * * * *\": minute \"61\": a value is out of range, expected 0-59\n",
        ":4: the command of job \"b\" has no statement\n",
        ":5: \"after\" of job \"c\": \"9!\" cannot be a job's name\n",
        ":6: \"d\" of \"jobs\": expected a group, found an integer\n",
        ":7: job \"e\" comes after \"zzzzzz\", which is not a job of database \"main\"\n",
        ":8: job \"f\" has neither a schedule nor a job to come after nor a channel to wake it: it would never run\n",
        ":9: job \"g\": database \"main\" has no pool \"heavy\"\n",
        ":9: job \"g\" comes after itself\n",
        ":10: job \"h\": there is no time zone \"Xxx/Yyy\"\n",
    };
    size_t places = 0;
    for (size_t i = 0; i < sizeof(expected) / sizeof(*expected); i++) {
        ck_assert_msg(strstr(errors, expected[i]) != NULL, "no \"%s\" in:\n%s", expected[i], errors);
    }
    for (const char *at = strstr(errors, "pgchime.conf:"); at != NULL; at = strstr(at + 1, "pgchime.conf:")) {
        places += strncmp(at + strlen("pgchime.conf"), ":", 1) == 0 && at[strlen("pgchime.conf:")] != ';' ? 1 : 0;
    }
    ck_assert_msg(places == sizeof(expected) / sizeof(*expected), "%zu findings:\n%s", places, errors);
}
END_TEST

START_TEST(what_a_file_without_shape_may_hold_is_not_missed)
{
    char *folder_of_parts = files_path("%s/conf.d", folder);
    char *part = files_path("%s/conf.d/broken.conf", folder);
    files_make_folder(folder_of_parts);
    files_write(part, "jobs: { upstream: { command = \"SELECT 1\" schedule = \"@daily\"; ");
    ck_assert_int_eq(check("databases: { main: { conninfo = \"dbname=x\"; }; };\nconf_dir = \"conf.d\";\n"
                           "jobs: { a: { command = \"SELECT 1\"; after = \"upstream\"; };\n"
                           " b: { command = \"SELECT 1\"; schedule = \"@daily\"; pool = \"heavy\"; }; };\n",
                           NULL),
                     3);
    ck_assert_ptr_null(strstr(errors, "comes after"));
    ck_assert_ptr_nonnull(strstr(errors, "conf.d/broken.conf:1: "));
    ck_assert_ptr_nonnull(strstr(errors, "has no pool \"heavy\""));
    free(folder_of_parts);
    free(part);
}
END_TEST

START_TEST(a_database_whose_name_has_an_error_blames_no_job)
{
    ck_assert_int_eq(check("databases: { 9!: { conninfo = 5; }; };\n"
                           "jobs: { a: { command = \"SELECT 1\"; schedule = \"@daily\"; database = \"mian\"; }; };\n",
                           NULL),
                     3);
    ck_assert_ptr_null(strstr(errors, "mian"));
}
END_TEST

/* Of a database, its jobs, a plugin's settings and a plugin's file, each has one that shows by itself. */
START_TEST(errors_of_every_kind_show_at_once)
{
    char *plugins = files_path("%s/plugins", folder);
    char *good = files_path("%s/telemetry.so", plugins);
    char *bad = files_path("%s/bad_schedule.so", plugins);
    files_make_folder(plugins);
    files_copy(PGCHIME_BUILD_DIR "/plugins/weakness.so", good);
    files_copy(PGCHIME_BUILD_DIR "/tests/fixtures/plugins/bad_schedule.so", bad);
    free(good);
    good = files_path("%s/retention.so", plugins);
    files_copy(PGCHIME_BUILD_DIR "/plugins/retention.so", good);
    ck_assert_int_eq(
        check("databases: { main: { pool_size = 0; verify = \"never\"; pools: { heavy = 0; }; };\n"
              " other: { conninfo = \"hots=x\"; }; };\n"
              "plugin_dir = \"plugins\";\n"
              "plugin: { name = \"retention\"; database = \"main\"; settings: { nosuch = 1; }; };\n"
              "jobs: {\n"
              " a: { command = \"SELECT 1\"; schedule = \"61 * * * *\"; database = \"main\"; };\n"
              " b: { command = \"SELECT 1\"; schedule = \"@daily\"; database = \"mian\"; };\n"
              " c: { command = \"SELECT 1\"; schedule = \"@daily\"; database = \"main\"; pool = \"heavy\"; };\n"
              "};\n",
              NULL),
        3);
    static const char *const expected[] = {
        "\"pool_size\" of database \"main\": expected 1 to 500, found 0\n",
        "database \"main\" has no \"conninfo\"\n",
        "\"verify\" of database \"main\": ",
        "\"heavy\" of pools of database \"main\": expected 1 to 500, found 0\n",
        "database \"other\": conninfo: invalid connection option \"hots\"",
        ":6: job \"a\": schedule \"61 * * * *\"",
        ":7: job \"b\": no database \"mian\" is configured\nHINT:  did you mean \"main\"?",
        "bad_schedule.so: ",
        "telemetry.so: ",
    };
    for (size_t i = 0; i < sizeof(expected) / sizeof(*expected); i++) {
        commands_has(errors, expected[i]);
    }
    ck_assert_ptr_null(strstr(errors, "has no pool"));
    ck_assert_ptr_null(strstr(errors, "verify-views"));
    free(plugins);
    free(good);
    free(bad);
}
END_TEST

START_TEST(a_time_that_has_passed_and_a_plugin_that_is_not_there_are_remarked)
{
    char *folder_of_parts = files_path("%s/conf.d", folder);
    char *part = files_path("%s/conf.d/x.conf", folder);
    files_make_folder(folder_of_parts);
    files_write(part, "plugin: { name = \"nosuch\"; };\njobs: {\n"
                      " a: { command = \"SELECT 1\"; schedule = \"@at 2001-01-01 00:00\"; };\n"
                      " b: { command = \"SELECT 1\"; schedule = \"@at 2999-01-01 00:00\"; };\n"
                      " c: { command = \"SELECT 1\"; schedule = \"@at 2001-01-01 00:00\"; enabled = false; }; };\n");
    ck_assert_int_eq(check("databases: { main: { conninfo = \"dbname=x\"; }; };\nconf_dir = \"conf.d\";\n", NULL), 0);
    expect_errors(
        "%/conf.d/x.conf:1: warning: there is no plugin \"nosuch\" yet: this waits for nosuch.so or nosuch.sql in "
        "plugin_dir\n"
        "%/conf.d/x.conf:3: warning: job \"a\": the one time of \"@at 2001-01-01 00:00\" has passed\n");
    ck_assert_int_eq(check("databases: { main: { conninfo = \"dbname=x\"; }; };\nconf_dir = \"conf.d\";\n", "-q"), 0);
    expect_errors("");
    free(folder_of_parts);
    free(part);
}
END_TEST

/* No server is there: that it is asked for shows in the exit status. */
START_TEST(faulty_files_disable_no_command_that_only_asks_a_database)
{
    char *folder_of_parts = files_path("%s/conf.d", folder);
    char *part = files_path("%s/conf.d/x.conf", folder);
    char *text = files_path("databases: { main: { conninfo = \"host=%s dbname=x\"; }; };\nconf_dir = \"conf.d\";\n",
                            folder);
    const char *const arguments[][5] = {
        {"--config", configuration, "jobs", NULL},     {"--config", configuration, "runs", NULL},
        {"--config", configuration, "why", "a", NULL}, {"--config", configuration, "suspend", "a", NULL},
        {"--config", configuration, "serve", NULL},    {"--config", configuration, "graph", NULL}};
    static const int statuses[] = {4, 4, 4, 4, 3, 3};
    files_make_folder(folder_of_parts);
    files_write(part, "jobs: { a: { schedul = \"@daily\"; }; };\n");
    files_write(configuration, text);
    for (size_t i = 0; i < sizeof(statuses) / sizeof(*statuses); i++) {
        free(output);
        free(errors);
        ck_assert_msg(daemon_run(arguments[i], &output, &errors) == statuses[i], "%s:\n%s", arguments[i][2], errors);
        ck_assert_ptr_nonnull(strstr(errors, "conf.d/x.conf:1: unknown key \"schedul\" in job \"a\"\n"));
        ck_assert((strstr(errors, "warning: the configuration has errors") != NULL) == (statuses[i] == 4));
    }
    files_write(configuration, "databases: { main: { conninfo = 5; }; };\n");
    free(output);
    free(errors);
    ck_assert_int_eq(daemon_run(arguments[0], &output, &errors), 3);
    free(folder_of_parts);
    free(part);
    free(text);
}
END_TEST

START_TEST(zone_and_pool_that_are_not_there_are_reported_with_the_way_out)
{
    ck_assert_int_eq(check("databases: { main: { conninfo = \"dbname=x\"; }; };\n"
                           "jobs: { a: { schedule = \"@daily\"; command = \"SELECT 1\"; tz = \"UTC\"; }; };",
                           NULL),
                     3);
    expect_errors("%/pgchime.conf:2: unknown key \"tz\" in job \"a\"\nHINT:  did you mean \"timezone\"?\n");
    ck_assert_int_eq(check("databases: { main: { conninfo = \"dbname=x\"; }; };\n"
                           "jobs: { a: { schedule = \"@daily\"; command = \"SELECT 1\"; timezone = \"Berlin\"; }; };",
                           NULL),
                     3);
    expect_errors("%/pgchime.conf:2: job \"a\": there is no time zone \"Berlin\"\n"
                  "HINT:  did you mean \"Europe/Berlin\"?\n");
    ck_assert_int_eq(check("databases: { main: { conninfo = \"dbname=x\"; }; };\n"
                           "jobs: { a: { schedule = \"@daily\"; command = \"SELECT 1\"; pool = \"heavy\"; }; };",
                           NULL),
                     3);
    expect_errors("%/pgchime.conf:2: job \"a\": database \"main\" has no pool \"heavy\"\n"
                  "HINT:  write pools: { heavy = 2; }; in database \"main\" of %/pgchime.conf\n");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("check");
    TCase *tests = tcase_create("check");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_set_timeout(tests, 60);
    tcase_add_test(tests, errors_of_one_job_hide_none_of_another);
    tcase_add_test(tests, what_a_file_without_shape_may_hold_is_not_missed);
    tcase_add_test(tests, a_database_whose_name_has_an_error_blames_no_job);
    tcase_add_test(tests, errors_of_every_kind_show_at_once);
    tcase_add_test(tests, a_time_that_has_passed_and_a_plugin_that_is_not_there_are_remarked);
    tcase_add_test(tests, faulty_files_disable_no_command_that_only_asks_a_database);
    tcase_add_test(tests, configuration_without_a_database_is_said_to_do_nothing);
    tcase_add_test(tests, missing_plugin_folder_is_reported_where_it_is_named);
    tcase_add_test(tests, zone_and_pool_that_are_not_there_are_reported_with_the_way_out);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
