/* SPDX-License-Identifier: PostgreSQL */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "ledger/embedded.h"
#include "ledger/migrate.h"
#include "support/libpq/libpq_script.h"
#include "support/process/suite.h"

/* Instead of those of sql/schema and sql/functions. */
const struct embedded_sql embedded_schema[] = {
    {1, "ledger", "CREATE TABLE chime.run ();"}, {2, "views", "CREATE TABLE chime.view ();"}, {0, NULL, NULL}};
const struct embedded_sql embedded_functions[] = {
    {0, "runs", "FUNCTIONS OF RUNS"}, {0, "views", "FUNCTIONS OF VIEWS"}, {0, NULL, NULL}};
const char embedded_checksum[] = "5a5a";

#define EXISTS "QUERY SELECT EXISTS (SELECT FROM pg_catalog.pg_class c ..."
#define NEWEST "QUERY SELECT coalesce(max(number), 0) FROM chime.migration()"
#define FUNCTIONS                                                                                         \
    "QUERY SELECT version, CASE WHEN EXISTS (SELECT FROM pg_catalog.unnest(functions) AS f WHERE"         \
    " pg_catalog.to_regprocedure(pg_catalog.concat('chime.', f)) IS NULL) THEN '' ELSE checksum END FROM" \
    " chime.function_set()"
#define PREPARE "TEXT SET client_min_messages = warning;\nDO $$ BEGIN\n..."
#define PATH "SET search_path = pg_catalog, pg_temp;\nSET citus.enable_ddl_propagation = off;\n"
#define PATH_ENDS "RESET search_path;\nRESET citus.enable_ddl_propagation;\n"
#define NOTE(number, name) "INSERT INTO chime.migration (number, name, version) VALUES (" #number ", '" name "', '"
#define FIRST NOTE(1, "ledger") PGCHIME_VERSION "');\nCREATE TABLE chime.run ();\n"
#define SECOND NOTE(2, "views") PGCHIME_VERSION "');\nCREATE TABLE chime.view ();\n"
#define RUNS "FUNCTIONS OF RUNS\n"
#define VIEWS "FUNCTIONS OF VIEWS\n"
#define END "SELECT chime.note_functions('5a5a', '" PGCHIME_VERSION "');\n"
#define LOCK "TEXT BEGIN; LOCK TABLE chime.migration IN SHARE ROW EXCLUSIVE MODE"

static struct loop *loop;
static struct pg_connection *connection;
static PGconn *server;
static int calls;
static bool succeeded;
static struct error err;
static struct migrate_state found;
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

static void migrated(void *data, const struct error *problem, const struct migrate_state *state)
{
    ck_assert_ptr_eq(data, &calls);
    calls++;
    succeeded = problem == NULL;
    if (problem != NULL) {
        err = *problem;
    }
    found = *state;
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

/* What is asked of a schema that is there. */
static void answer_state(const char *number, const char *version, const char *checksum)
{
    expect_sent(server, NEWEST, "SYNC");
    answer_row(server, number);
    settle(loop);
    if (version != NULL) {
        expect_sent(server, FUNCTIONS, "SYNC");
        answer_row(server, version, checksum);
        settle(loop);
    }
}

/* Up to what is there; `number` NULL: there is no schema. */
static void start_at(bool apply, const char *number, const char *version, const char *checksum)
{
    migrate_start(connection, apply, migrated, &calls);
    expect_sent(server, EXISTS, "SYNC");
    answer_row(server, number != NULL ? "t" : "f", NULL, NULL);
    settle(loop);
    if (number != NULL) {
        answer_state(number, version, checksum);
    }
}

static void take_lock(void)
{
    expect_sent(server, LOCK);
    answer_text();
    expect_sent(server, "SYNC");
}

static void expect_text(const char *text)
{
    expect_sent(server, text);
    answer_text();
    expect_sent(server, "SYNC");
}

static void expect_functions_and_the_end(void)
{
    expect_text("TEXT " RUNS);
    expect_text("TEXT " VIEWS);
    ck_assert_int_eq(calls, 0);
    expect_text("TEXT " END "COMMIT;\n");
}

static void expect_result(bool success, int before)
{
    ck_assert_int_eq(calls, 1);
    ck_assert_msg(succeeded == success, "%s", err.message);
    ck_assert_int_eq(found.number, before);
    expect_nothing_sent(server);
}

START_TEST(a_fresh_database_gets_the_schema_and_all_functions_in_one_transaction)
{
    start_at(true, NULL, NULL, NULL);
    expect_sent(server, PREPARE);
    answer_text();
    expect_sent(server, "SYNC");
    answer_state("0", NULL, NULL);
    take_lock();
    answer_state("0", NULL, NULL);
    expect_text("TEXT " FIRST);
    expect_text("TEXT " SECOND);
    expect_functions_and_the_end();
    expect_result(true, 0);
    ck_assert_int_eq(log_lines, 1);
}
END_TEST

START_TEST(an_older_schema_gets_what_is_missing_and_all_functions)
{
    start_at(true, "1", "0.0.9", "old");
    take_lock();
    answer_state("1", "0.0.9", "old");
    expect_text("TEXT " SECOND);
    expect_functions_and_the_end();
    expect_result(true, 1);
}
END_TEST

START_TEST(other_functions_are_made_anew)
{
    const char *const versions[] = {"0.0.9", PGCHIME_VERSION};
    start_at(true, "2", versions[_i], "old");
    take_lock();
    answer_state("2", versions[_i], "old");
    expect_functions_and_the_end();
    expect_result(true, 2);
    ck_assert_str_eq(found.checksum, "old");
}
END_TEST

START_TEST(what_is_as_new_as_the_program_is_left_alone)
{
    start_at(true, "2", PGCHIME_VERSION, "5a5a");
    expect_result(true, 2);
    ck_assert_int_eq(log_lines, 0);
    ck_assert(migrate_is_current(&found));
}
END_TEST

START_TEST(a_newer_schema_is_refused_whether_it_is_to_be_changed_or_not)
{
    start_at(_i == 0, "4", NULL, NULL);
    expect_result(false, 4);
    ck_assert_int_eq(err.kind, ERROR_REFUSED);
    ck_assert_str_eq(err.message, "schema chime is at migration 4, newer than the 2 this pgchime knows");
    ck_assert_str_eq(err.hint, "upgrade this pgchime (" PGCHIME_VERSION
                               ") to the version that migrated the database; if that was an "
                               "unreleased checkout: docs/upgrading.md, \"Schemas of checkouts\"");
}
END_TEST

START_TEST(functions_of_a_newer_pgchime_are_refused_whether_they_are_to_be_changed_or_not)
{
    start_at(_i == 0, "2", "999.10.0", "new");
    expect_result(false, 2);
    ck_assert_int_eq(err.kind, ERROR_REFUSED);
    ck_assert_str_eq(err.message, "schema chime has the functions of pgchime 999.10.0, newer than the " PGCHIME_VERSION
                                  " of this one");
}
END_TEST

START_TEST(versions_are_compared_by_their_numbers)
{
    ck_assert(migrate_is_behind(2, "0.0.99"));
    ck_assert(migrate_is_behind(1, PGCHIME_VERSION));
    ck_assert(!migrate_is_behind(2, PGCHIME_VERSION));
    ck_assert(migrate_knows(2, PGCHIME_VERSION, &err));
    ck_assert(migrate_knows(2, "0.0.99", &err));
    ck_assert(migrate_knows(2, "", &err));
    ck_assert(migrate_knows(2, NULL, &err));
    ck_assert(!migrate_knows(2, "10000", &err));
}
END_TEST

START_TEST(comparing_changes_nothing)
{
    start_at(false, "1", PGCHIME_VERSION, "5a5a");
    expect_result(true, 1);
    ck_assert(!migrate_is_current(&found));
}
END_TEST

START_TEST(comparing_where_there_is_no_schema_finds_none)
{
    start_at(false, NULL, NULL, NULL);
    expect_result(true, 0);
}
END_TEST

START_TEST(what_another_daemon_did_while_this_one_waited_is_not_done_again)
{
    start_at(true, "1", "0.0.9", "old");
    take_lock();
    answer_state("2", PGCHIME_VERSION, "5a5a");
    expect_text("TEXT COMMIT");
    expect_result(true, 2);
    ck_assert_int_eq(log_lines, 0);
}
END_TEST

START_TEST(what_a_newer_daemon_did_while_this_one_waited_is_refused)
{
    start_at(true, "1", "0.0.9", "old");
    take_lock();
    answer_state("3", NULL, NULL);
    expect_result(false, 3);
    ck_assert_int_eq(err.kind, ERROR_REFUSED);
}
END_TEST

START_TEST(a_file_that_fails_is_named)
{
    start_at(true, "1", "0.0.9", "old");
    take_lock();
    answer_state("1", "0.0.9", "old");
    expect_sent(server, "TEXT " SECOND);
    if (_i == 0) {
        answer_failed_text("42P07", "relation \"view\" already exists");
    } else {
        answer_text();
        expect_sent(server, "SYNC");
        expect_sent(server, "TEXT " RUNS);
        answer_failed_text("42601", "syntax error");
    }
    script_skip_sent(server);
    expect_result(false, 1);
    ck_assert_str_eq(err.message, _i == 0 ? "views (migration 2): relation \"view\" already exists"
                                          : "functions of runs: syntax error");
}
END_TEST

START_TEST(who_has_functions_with_other_arguments_is_told_where_to_read)
{
    start_at(true, "2", "0.0.9", "old");
    take_lock();
    answer_state("2", "0.0.9", "old");
    expect_sent(server, "TEXT " RUNS);
    answer_failed_text(_i == 0 ? "42725" : "42P13", "function name \"chime.adopt\" is not unique");
    script_skip_sent(server);
    expect_result(false, 2);
    ck_assert_str_eq(err.message, "functions of runs: function name \"chime.adopt\" is not unique");
    ck_assert_ptr_nonnull(strstr(err.hint, "docs/upgrading.md"));
}
END_TEST

START_TEST(who_has_to_wait_too_long_is_told_for_whom)
{
    start_at(true, "2", "0.0.9", "old");
    expect_sent(server, LOCK);
    answer_failed_text("55P03", "canceling statement due to lock timeout");
    script_skip_sent(server);
    expect_result(false, 2);
    ck_assert_str_eq(err.message, "cannot lock schema chime: canceling statement due to lock timeout");
    ck_assert_ptr_nonnull(strstr(err.hint, "pg_stat_activity"));
}
END_TEST

START_TEST(a_schema_that_may_not_be_made_says_who_can)
{
    start_at(true, NULL, NULL, NULL);
    answer_failed_text("42501", "permission denied for database app");
    script_skip_sent(server);
    expect_result(false, 0);
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
    expect_result(false, 0);
    ck_assert_str_eq(err.message, "cannot read schema chime: permission denied for table migration");
}
END_TEST

START_TEST(a_schema_of_another_role_is_refused_with_the_way_out)
{
    migrate_start(connection, true, migrated, &calls);
    answer_row(server, "t", "schema chime belongs to day", "ask day");
    settle(loop);
    expect_sent(server, EXISTS, "SYNC");
    expect_result(false, 0);
    ck_assert_str_eq(err.message, "schema chime belongs to day");
    ck_assert_str_eq(err.hint, "ask day");
}
END_TEST

START_TEST(a_schema_whose_existence_is_hidden_is_looked_into)
{
    migrate_start(connection, true, migrated, &calls);
    answer_error(server, "42501", "permission denied for schema chime");
    settle(loop);
    expect_sent(server, EXISTS, "SYNC");
    answer_state("2", PGCHIME_VERSION, "5a5a");
    expect_result(true, 2);
}
END_TEST

START_TEST(a_lost_connection_is_an_error_of_the_step_it_was_lost_in)
{
    start_at(true, "2", "0.0.9", "old");
    take_lock();
    answer_state("2", "0.0.9", "old");
    server_closes(server, "gone");
    settle(loop);
    script_skip_sent(server);
    expect_result(false, 2);
    ck_assert_int_eq(err.kind, ERROR_UNREACHABLE);
    ck_assert_str_eq(err.message, "functions of runs: gone");
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
    ck_assert_str_eq(text, PATH SECOND RUNS VIEWS END PATH_ENDS);
    free(text);
    text = migrate_text(0);
    ck_assert_ptr_eq(strstr(text, PATH "SET client_min_messages = warning;\nDO $$ BEGIN\n"), text);
    ck_assert_str_eq(strstr(text, "INSERT"), FIRST SECOND RUNS VIEWS END PATH_ENDS);
    free(text);
    text = migrate_text(2);
    ck_assert_str_eq(text, PATH RUNS VIEWS END PATH_ENDS);
    free(text);
    ck_assert_int_eq(migrate_newest(), 2);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("migrate");
    TCase *tests = tcase_create("migrate");
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, a_fresh_database_gets_the_schema_and_all_functions_in_one_transaction);
    tcase_add_test(tests, an_older_schema_gets_what_is_missing_and_all_functions);
    tcase_add_loop_test(tests, other_functions_are_made_anew, 0, 2);
    tcase_add_test(tests, what_is_as_new_as_the_program_is_left_alone);
    tcase_add_loop_test(tests, a_newer_schema_is_refused_whether_it_is_to_be_changed_or_not, 0, 2);
    tcase_add_loop_test(tests, functions_of_a_newer_pgchime_are_refused_whether_they_are_to_be_changed_or_not, 0, 2);
    tcase_add_test(tests, versions_are_compared_by_their_numbers);
    tcase_add_test(tests, comparing_changes_nothing);
    tcase_add_test(tests, comparing_where_there_is_no_schema_finds_none);
    tcase_add_test(tests, what_another_daemon_did_while_this_one_waited_is_not_done_again);
    tcase_add_test(tests, what_a_newer_daemon_did_while_this_one_waited_is_refused);
    tcase_add_loop_test(tests, a_file_that_fails_is_named, 0, 2);
    tcase_add_loop_test(tests, who_has_functions_with_other_arguments_is_told_where_to_read, 0, 2);
    tcase_add_test(tests, who_has_to_wait_too_long_is_told_for_whom);
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
