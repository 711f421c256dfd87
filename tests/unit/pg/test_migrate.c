/* SPDX-License-Identifier: PostgreSQL */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "ledger/embedded.h"
#include "ledger/migrate.h"
#include "support/libpq/libpq_script.h"
#include "support/process/suite.h"

/* Instead of those of sql/migrations. */
const struct embedded_migration embedded_migrations[] = {{1, "ledger", "CREATE TABLE chime.run ();"},
                                                         {2, "functions", "CREATE FUNCTION chime.f();"},
                                                         {3, "views", "VIEWS"},
                                                         {0}};
const size_t embedded_migration_count = 3;

#define EXISTS "QUERY SELECT EXISTS (SELECT FROM pg_catalog.pg_class c ..."
#define NEWEST "QUERY SELECT coalesce(max(number), 0) FROM chime.migration()"
#define PREPARE "TEXT SET client_min_messages = warning;\nDO $$ BEGIN\n..."
#define PATH "SET search_path = pg_catalog, pg_temp;\n"
#define PATH_ENDS "RESET search_path;\n"
#define NOTE(number, name) "INSERT INTO chime.migration (number, name, version) VALUES (" #number ", '" name "', '"
#define FIRST NOTE(1, "ledger") PGCHIME_VERSION "');\nCREATE TABLE chime.run ();\n"
#define SECOND NOTE(2, "functions") PGCHIME_VERSION "');\nCREATE FUNCTION chime.f();\n"
#define THIRD NOTE(3, "views") PGCHIME_VERSION "');\nVIEWS\n"

static struct loop *loop;
static struct pg_connection *connection;
static PGconn *server;
static int calls;
static bool succeeded;
static struct error err;
static int from;
static int to;
static int log_lines;

static void on_ready(void *unused)
{
    (void)unused;
}

static void on_closed(void *unused, const struct error *reason)
{
    (void)unused;
    (void)reason;
}

static const struct pg_handlers handlers = {.ready = on_ready, .closed = on_closed};

static void migrated(void *data, const struct error *problem, int before, int now)
{
    ck_assert_ptr_eq(data, &calls);
    calls++;
    succeeded = problem == NULL;
    if (problem != NULL) {
        err = *problem;
    }
    from = before;
    to = now;
}

static void count_line(const char *line, void *unused)
{
    (void)unused;
    log_lines += strstr(line, "info schema chime is at migration") != NULL;
}

static void set_up(void)
{
    static const struct pg_target target = {
        .conninfo = "host=/run", .application_name = "pgchime", .connect_timeout = USEC_PER_SEC};
    script_start();
    log_capture(count_line, NULL);
    calls = log_lines = 0;
    loop = loop_create();
    connection = pg_open(loop, NULL, &target, &handlers, NULL);
    settle(loop);
    server = script_connection(0);
}

static void tear_down(void)
{
    pg_close(connection);
    settle(loop);
    loop_destroy(loop);
    log_capture(NULL, NULL);
    script_finish();
}

static void answer_text(void)
{
    answer_done(server, "DONE");
    answer_ready(server);
    settle(loop);
}

static void answer_failed_text(const char *sqlstate, const char *message)
{
    answer_error(server, sqlstate, message);
    answer_ready(server);
    settle(loop);
}

/* Up to the answer to how far the schema is; NULL: there is none. */
static void start_at(bool apply, const char *number)
{
    migrate_start(connection, apply, migrated, &calls);
    expect_sent(server, EXISTS, "SYNC");
    answer_row(server, number != NULL ? "t" : "f", NULL, NULL);
    settle(loop);
    if (number != NULL) {
        expect_sent(server, NEWEST, "SYNC");
        answer_row(server, number);
        settle(loop);
    }
}

static void expect_result(bool success, int before, int now)
{
    ck_assert_int_eq(calls, 1);
    ck_assert_msg(succeeded == success, "%s", err.message);
    ck_assert_int_eq(from, before);
    ck_assert_int_eq(to, now);
    expect_nothing_sent(server);
}

START_TEST(a_fresh_database_gets_the_schema_and_every_migration_in_a_text_of_its_own)
{
    start_at(true, NULL);
    expect_sent(server, PREPARE);
    answer_text();
    expect_sent(server, "SYNC", NEWEST, "SYNC");
    answer_row(server, "0");
    settle(loop);
    expect_sent(server, "TEXT " FIRST);
    answer_text();
    expect_sent(server, "SYNC", "TEXT " SECOND);
    answer_text();
    expect_sent(server, "SYNC", "TEXT " THIRD);
    ck_assert_int_eq(calls, 0);
    answer_text();
    expect_sent(server, "SYNC");
    expect_result(true, 0, 3);
    ck_assert_int_eq(log_lines, 3);
}
END_TEST

START_TEST(an_older_schema_gets_what_is_missing)
{
    start_at(true, "2");
    expect_sent(server, "TEXT " THIRD);
    answer_text();
    expect_sent(server, "SYNC");
    expect_result(true, 2, 3);
}
END_TEST

START_TEST(a_schema_as_new_as_the_program_is_left_alone)
{
    start_at(true, "3");
    expect_result(true, 3, 3);
    ck_assert_int_eq(log_lines, 0);
}
END_TEST

START_TEST(a_newer_schema_is_refused_whether_it_is_to_be_changed_or_not)
{
    start_at(_i == 0, "4");
    expect_result(false, 4, 4);
    ck_assert_int_eq(err.kind, ERROR_REFUSED);
    ck_assert_str_eq(err.message, "schema chime is at migration 4, newer than the 3 this pgchime knows");
    ck_assert_str_eq(err.hint, "upgrade this pgchime (" PGCHIME_VERSION ") to the version that migrated the database");
}
END_TEST

START_TEST(comparing_changes_nothing)
{
    start_at(false, "1");
    expect_result(true, 1, 1);
}
END_TEST

START_TEST(comparing_where_there_is_no_schema_finds_none)
{
    start_at(false, NULL);
    expect_result(true, 0, 0);
}
END_TEST

START_TEST(a_migration_that_another_daemon_made_meanwhile_fails_by_name)
{
    start_at(true, "2");
    answer_failed_text("23505", "duplicate key value violates unique constraint \"migration_pkey\"");
    script_skip_sent(server);
    expect_result(false, 2, 2);
    ck_assert_str_eq(err.sqlstate, "23505");
    ck_assert_str_eq(err.message,
                     "migration 3 (views): duplicate key value violates unique constraint \"migration_pkey\"");
}
END_TEST

START_TEST(a_schema_that_may_not_be_made_says_who_can)
{
    start_at(true, NULL);
    answer_failed_text("42501", "permission denied for database app");
    script_skip_sent(server);
    expect_result(false, 0, 0);
    ck_assert_str_eq(err.message, "cannot make schema chime: permission denied for database app");
    ck_assert_ptr_nonnull(strstr(err.hint, "CREATE SCHEMA chime AUTHORIZATION"));
}
END_TEST

START_TEST(a_schema_that_cannot_be_read_is_an_error)
{
    migrate_start(connection, true, migrated, &calls);
    answer_row(server, "t", NULL, NULL);
    settle(loop);
    answer_error(server, "42501", "permission denied for table migration");
    settle(loop);
    script_skip_sent(server);
    expect_result(false, 0, 0);
    ck_assert_str_eq(err.message, "cannot read schema chime: permission denied for table migration");
}
END_TEST

START_TEST(a_schema_of_another_role_is_refused_with_the_way_out)
{
    migrate_start(connection, true, migrated, &calls);
    answer_row(server, "t", "schema chime belongs to day", "ask day");
    settle(loop);
    expect_sent(server, EXISTS, "SYNC");
    expect_result(false, 0, 0);
    ck_assert_str_eq(err.message, "schema chime belongs to day");
    ck_assert_str_eq(err.hint, "ask day");
}
END_TEST

START_TEST(a_schema_whose_existence_is_hidden_is_looked_into)
{
    migrate_start(connection, true, migrated, &calls);
    answer_error(server, "42501", "permission denied for schema chime");
    settle(loop);
    expect_sent(server, EXISTS, "SYNC", NEWEST, "SYNC");
    answer_row(server, "3");
    settle(loop);
    expect_result(true, 3, 3);
}
END_TEST

START_TEST(a_lost_connection_is_an_error_of_the_step_it_was_lost_in)
{
    start_at(true, "2");
    server_closes(server, "gone");
    settle(loop);
    script_skip_sent(server);
    expect_result(false, 2, 2);
    ck_assert_int_eq(err.kind, ERROR_UNREACHABLE);
    ck_assert_str_eq(err.message, "migration 3 (views): gone");
}
END_TEST

START_TEST(an_abandoned_migration_calls_nobody)
{
    struct migration *migration = migrate_start(connection, true, migrated, &calls);
    pg_close(connection);
    connection = NULL;
    migrate_abandon(migration);
    migrate_abandon(NULL);
    settle(loop);
    ck_assert_int_eq(calls, 0);
}
END_TEST

START_TEST(the_text_is_what_would_be_run_from_there_on)
{
    char *text = migrate_text(1);
    ck_assert_str_eq(text, PATH SECOND THIRD PATH_ENDS);
    free(text);
    text = migrate_text(0);
    ck_assert_ptr_eq(strstr(text, PATH "SET client_min_messages = warning;\nDO $$ BEGIN\n"), text);
    ck_assert_str_eq(strstr(text, "INSERT"), FIRST SECOND THIRD PATH_ENDS);
    free(text);
    text = migrate_text(3);
    ck_assert_str_eq(text, "");
    free(text);
    ck_assert_int_eq(migrate_newest(), 3);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("migrate");
    TCase *tests = tcase_create("migrate");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, a_fresh_database_gets_the_schema_and_every_migration_in_a_text_of_its_own);
    tcase_add_test(tests, an_older_schema_gets_what_is_missing);
    tcase_add_test(tests, a_schema_as_new_as_the_program_is_left_alone);
    tcase_add_loop_test(tests, a_newer_schema_is_refused_whether_it_is_to_be_changed_or_not, 0, 2);
    tcase_add_test(tests, comparing_changes_nothing);
    tcase_add_test(tests, comparing_where_there_is_no_schema_finds_none);
    tcase_add_test(tests, a_migration_that_another_daemon_made_meanwhile_fails_by_name);
    tcase_add_test(tests, a_schema_that_may_not_be_made_says_who_can);
    tcase_add_test(tests, a_schema_that_cannot_be_read_is_an_error);
    tcase_add_test(tests, a_schema_of_another_role_is_refused_with_the_way_out);
    tcase_add_test(tests, a_schema_whose_existence_is_hidden_is_looked_into);
    tcase_add_test(tests, a_lost_connection_is_an_error_of_the_step_it_was_lost_in);
    tcase_add_test(tests, an_abandoned_migration_calls_nobody);
    tcase_add_test(tests, the_text_is_what_would_be_run_from_there_on);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
