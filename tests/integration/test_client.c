/* SPDX-License-Identifier: PostgreSQL */
/* The commands' client on a real server. */
#include "pg/client.h"

#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "support/cluster/cluster.h"
#include "support/process/suite.h"

static struct cluster *cluster;
static struct pg_client *client;
static struct pg_rows rows;
static struct error err;

static void set_up(void)
{
    cluster = cluster_create(NULL);
    char *conninfo = cluster_conninfo(cluster, "postgres");
    client = pg_client_open(conninfo, &err);
    ck_assert_msg(client != NULL, "%s", err.message);
    free(conninfo);
}

static void tear_down(void)
{
    pg_rows_finish(&rows);
    pg_client_close(client);
    cluster_destroy(cluster);
}

static void query(const char *sql)
{
    pg_rows_finish(&rows);
    ck_assert_msg(pg_client_query(client, sql, NULL, 0, &rows, &err), "%s", err.message);
}

static void assert_value(const char *sql, const char *expected)
{
    query(sql);
    ck_assert_str_eq(pg_rows_value(&rows, 0, 0), expected);
}

START_TEST(parameters_are_bound_and_null_stays_null)
{
    const char *const parameters[] = {"it's; DROP TABLE x", NULL};
    ck_assert(pg_client_query(client, "SELECT $1::text, $2::text, 3 UNION ALL SELECT 'b', 'c', 4", parameters, 2, &rows,
                              &err));
    ck_assert_uint_eq(rows.count, 2);
    ck_assert_uint_eq(rows.columns, 3);
    ck_assert_str_eq(pg_rows_value(&rows, 0, 0), "it's; DROP TABLE x");
    ck_assert_ptr_null(pg_rows_value(&rows, 0, 1));
    ck_assert_str_eq(pg_rows_value(&rows, 1, 2), "4");
}
END_TEST

START_TEST(rows_outlive_the_client)
{
    query("SELECT 'kept'");
    pg_client_close(client);
    client = NULL;
    ck_assert_str_eq(pg_rows_value(&rows, 0, 0), "kept");
}
END_TEST

START_TEST(a_statement_without_rows_succeeds)
{
    query("CREATE TABLE public.t (a int)");
    ck_assert_uint_eq(rows.count, 0);
    ck_assert(pg_client_query(client, "INSERT INTO public.t VALUES (1), (2)", NULL, 0, NULL, &err));
    assert_value("SELECT count(*) FROM public.t", "2");
}
END_TEST

START_TEST(the_session_is_what_our_statements_rely_on)
{
    cluster_execute(cluster,
                    "ALTER ROLE postgres SET search_path = public; ALTER ROLE postgres SET TimeZone = 'Asia/Tokyo';"
                    "ALTER ROLE postgres SET DateStyle = 'SQL, DMY'");
    char *conninfo = cluster_conninfo(cluster, "postgres");
    pg_client_close(client);
    client = pg_client_open(conninfo, &err);
    free(conninfo);
    assert_value("SHOW search_path", "");
    assert_value("SHOW TimeZone", "UTC");
    assert_value("SELECT timestamptz '2026-03-27 01:30:00Z'", "2026-03-27 01:30:00+00");
    assert_value("SHOW application_name", "pgchime command");
    assert_value("SHOW client_encoding", "UTF8");
}
END_TEST

START_TEST(a_failure_keeps_the_sqlstate_and_the_servers_hint)
{
    ck_assert(!pg_client_query(client, "SELECT 1/0", NULL, 0, &rows, &err));
    ck_assert_int_eq(err.kind, ERROR_FAILED);
    ck_assert_str_eq(err.sqlstate, "22012");
    ck_assert_str_eq(err.message, "division by zero");
    ck_assert(!pg_client_query(client, "SELECT lenght('a')", NULL, 0, &rows, &err));
    ck_assert_str_eq(err.sqlstate, "42883");
    ck_assert_int_gt((int)strlen(err.hint), 0);
    assert_value("SELECT 1", "1");
}
END_TEST

START_TEST(a_missing_right_is_a_refusal)
{
    query("CREATE ROLE stranger");
    query("SET ROLE stranger");
    ck_assert(!pg_client_query(client, "CREATE SCHEMA s", NULL, 0, &rows, &err));
    ck_assert_int_eq(err.kind, ERROR_REFUSED);
    ck_assert_str_eq(err.sqlstate, "42501");
    ck_assert_int_gt((int)strlen(err.hint), 0);
}
END_TEST

START_TEST(a_server_that_goes_away_is_unreachable)
{
    cluster_stop(cluster, CLUSTER_IMMEDIATE);
    ck_assert(!pg_client_query(client, "SELECT 1", NULL, 0, &rows, &err));
    ck_assert_msg(err.kind == ERROR_UNREACHABLE, "kind %d: %s (%s)", (int)err.kind, err.message, err.sqlstate);
    ck_assert_int_gt((int)strlen(err.hint), 0);
}
END_TEST

START_TEST(nobody_there_is_unreachable_and_says_where_without_the_password)
{
    ck_assert_ptr_null(pg_client_open("host=/nowhere dbname=x password=secret", &err));
    ck_assert_int_eq(err.kind, ERROR_UNREACHABLE);
    ck_assert_ptr_nonnull(strstr(err.hint, "/nowhere"));
    ck_assert_ptr_null(strstr(err.hint, "secret"));
    ck_assert_ptr_null(strstr(err.message, "secret"));
    ck_assert_ptr_null(pg_client_open("nonsense", &err));
    ck_assert_int_eq(err.kind, ERROR_CONFIG);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("client");
    TCase *tests = tcase_create("client");
    tcase_set_timeout(tests, 120);
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, parameters_are_bound_and_null_stays_null);
    tcase_add_test(tests, rows_outlive_the_client);
    tcase_add_test(tests, a_statement_without_rows_succeeds);
    tcase_add_test(tests, the_session_is_what_our_statements_rely_on);
    tcase_add_test(tests, a_failure_keeps_the_sqlstate_and_the_servers_hint);
    tcase_add_test(tests, a_missing_right_is_a_refusal);
    tcase_add_test(tests, a_server_that_goes_away_is_unreachable);
    tcase_add_test(tests, nobody_there_is_unreachable_and_says_where_without_the_password);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
