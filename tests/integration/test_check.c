/* `pgchime check`, as someone sees it who configures for the first time; no server is needed. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "support/daemon.h"
#include "support/files.h"

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
    tcase_add_test(tests, configuration_without_a_database_is_said_to_do_nothing);
    tcase_add_test(tests, missing_plugin_folder_is_reported_where_it_is_named);
    tcase_add_test(tests, zone_and_pool_that_are_not_there_are_reported_with_the_way_out);
    suite_add_tcase(suite, tests);
    SRunner *runner = srunner_create(suite);
    srunner_run_all(runner, CK_ENV);
    int failed = srunner_ntests_failed(runner);
    srunner_free(runner);
    return failed != 0;
}
