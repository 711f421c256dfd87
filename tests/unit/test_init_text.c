/* SPDX-License-Identifier: PostgreSQL */
/* What `pgchime init` prints: names keep their meaning wherever they stand. */
#include "cli/init_text.h"

#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/sqltext.h"
#include "config/config.h"
#include "support/process/files.h"
#include "support/process/suite.h"

static struct buffer text;

static void tear_down(void)
{
    buffer_finish(&text);
}

static void assert_has(const char *part)
{
    ck_assert_msg(strstr(buffer_text(&text), part) != NULL, "no %s in:\n%s", part, buffer_text(&text));
}

static struct init_names names_of(const char *role, const char *const *databases, size_t count)
{
    return (struct init_names){.role = role, .databases = databases, .count = count};
}

/* The configuration as the daemon reads it. */
static struct config *read_config(const struct init_names *names)
{
    char *folder = files_make_directory();
    char *path = files_path("%s/pgchime.conf", folder);
    char *parts = files_path("%s/conf.d", folder);
    char *part = files_path("%s/jobs.conf", parts);
    init_put_config(&text, names);
    files_write(path, buffer_text(&text));
    files_make_folder(parts);
    files_write(part, "jobs: { nightly: { schedule = \"@daily\"; command = \"VACUUM\"; }; };");
    struct report report;
    report_init(&report);
    struct config *config = config_load(path, &report);
    files_remove_tree(folder);
    free(folder);
    free(path);
    free(parts);
    free(part);
    ck_assert_msg(config != NULL, "%s", report.count > 0 ? report.findings[0].message : "");
    ck_assert_uint_eq(report.count, 0);
    report_finish(&report);
    return config;
}

START_TEST(the_configuration_names_each_database_and_can_be_read)
{
    const char *const databases[] = {"app", "shop"};
    struct init_names names = names_of("pgchime", databases, 2);
    struct config *config = read_config(&names);
    ck_assert_uint_eq(config->database_count, 2);
    ck_assert_str_eq(config->databases[0].name, "app");
    ck_assert_str_eq(config->databases[0].conninfo, "host=/run/postgresql dbname=app user=pgchime");
    ck_assert_str_eq(config->databases[1].name, "shop");
    ck_assert_str_eq(config->plugin_dir, PGCHIME_PLUGIN_DIRECTORY);
    ck_assert_uint_eq(config->job_count, 1); /* of conf.d beside it */
    config_free(config);
}
END_TEST

START_TEST(names_that_need_quotes_have_them_in_the_conninfo)
{
    const char *const databases[] = {"it's \"x\" = \\y"};
    struct init_names names = names_of("a b", databases, 1);
    struct config *config = read_config(&names);
    ck_assert_str_eq(config->databases[0].name, "it_s__x_____y");
    ck_assert_str_eq(config->databases[0].conninfo, "host=/run/postgresql dbname='it\\'s \"x\" = \\\\y' user='a b'");
    config_free(config);
}
END_TEST

START_TEST(keys_differ_and_begin_with_a_letter)
{
    const char *const databases[] = {"a b", "a/b", "a.b", "1st", "\xc3\xa4"};
    struct init_names names = names_of("pgchime", databases, 5);
    struct config *config = read_config(&names);
    ck_assert_uint_eq(config->database_count, 5);
    ck_assert_ptr_nonnull(config_find_database(config, "a_b"));
    ck_assert_ptr_nonnull(config_find_database(config, "a_b_2"));
    ck_assert_ptr_nonnull(config_find_database(config, "a_b_3"));
    ck_assert_ptr_nonnull(config_find_database(config, "db_1st"));
    ck_assert_ptr_nonnull(config_find_database(config, "db___"));
    config_free(config);
}
END_TEST

START_TEST(the_sql_quotes_names_as_identifiers_and_literals)
{
    const char *const databases[] = {"my \"db\""};
    struct init_names names = names_of("o'ps", databases, 1);
    init_put_sql(&text, &names);
    assert_has("WHERE rolname = 'o''ps'");
    assert_has("CREATE ROLE \"o'ps\" LOGIN;");
    assert_has("\\connect -reuse-previous=on \"dbname='my \"\"db\"\"'\"\n");
    assert_has("GRANT CONNECT ON DATABASE \"my \"\"db\"\"\" TO \"o'ps\";");
    assert_has("v_role CONSTANT name := 'o''ps';");
}
END_TEST

START_TEST(a_backslash_makes_an_escaped_literal)
{
    const char *const databases[] = {"app"};
    struct init_names names = names_of("a\\'b", databases, 1);
    init_put_sql(&text, &names);
    assert_has("WHERE rolname = E'a\\\\\\'b'");
}
END_TEST

START_TEST(a_role_cannot_end_the_dollar_quotes)
{
    const char *const databases[] = {"app"};
    struct init_names names = names_of("x$roles$y$roles1$", databases, 1);
    init_put_sql(&text, &names);
    assert_has("DO $roles2$\n");
    const char *cursor = strstr(buffer_text(&text), "DO $");
    struct sql_statement statement;
    ck_assert(sql_next_statement(&cursor, &statement));
    ck_assert_str_eq(statement.words[0], "do");
    ck_assert_int_eq(strncmp(statement.start + statement.length - strlen("$roles2$"), "$roles2$", 8), 0);
}
END_TEST

START_TEST(names_that_no_server_takes_are_refused)
{
    char longest[65];
    const char *const bad[] = {"", "a\nb", "\x1b[2J", "\xff", longest};
    struct error err;
    memset(longest, 'a', 64);
    longest[64] = '\0';
    for (size_t i = 0; i < COUNT_OF(bad); i++) {
        struct init_names as_database = names_of("pgchime", &bad[i], 1);
        struct init_names as_role = names_of(bad[i], NULL, 0);
        ck_assert(!init_check_names(&as_database, &err));
        ck_assert_int_eq(err.kind, ERROR_USAGE);
        ck_assert(!init_check_names(&as_role, &err));
    }
    longest[63] = '\0';
    struct init_names names = names_of(longest, &bad[4], 1);
    ck_assert(init_check_names(&names, &err));
}
END_TEST

START_TEST(deletion_is_granted_only_where_tables_are_named_for_it)
{
    const char *const databases[] = {"app"};
    struct init_names names = names_of("o'ps", databases, 1);
    init_put_sql(&text, &names);
    ck_assert_ptr_null(strstr(buffer_text(&text), "DELETE"));
    names.deleting = "AgentQuery, it's";
    init_put_sql(&text, &names);
    assert_has("replace('AgentQuery, it''s', ' ', '')");
    assert_has("format('GRANT DELETE ON %s TO %I', source, 'o''ps');");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("init_text");
    TCase *tests = tcase_create("init_text");
    tcase_add_checked_fixture(tests, NULL, tear_down);
    tcase_add_test(tests, the_configuration_names_each_database_and_can_be_read);
    tcase_add_test(tests, names_that_need_quotes_have_them_in_the_conninfo);
    tcase_add_test(tests, keys_differ_and_begin_with_a_letter);
    tcase_add_test(tests, the_sql_quotes_names_as_identifiers_and_literals);
    tcase_add_test(tests, a_backslash_makes_an_escaped_literal);
    tcase_add_test(tests, a_role_cannot_end_the_dollar_quotes);
    tcase_add_test(tests, names_that_no_server_takes_are_refused);
    tcase_add_test(tests, deletion_is_granted_only_where_tables_are_named_for_it);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
