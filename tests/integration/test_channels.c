/* SPDX-License-Identifier: PostgreSQL */
/* Channels of plugins in the server: what is made for them, and what is left of them. */
#include <check.h>
#include <stdlib.h>

#include "support/cluster/cluster.h"
#include "support/keyed/keyed.h"
#include "support/process/suite.h"

static struct cluster *cluster;

static void set_up(void)
{
    cluster = keyed_create();
    EXPECT_SQL(cluster, "SELECT set_config('search_path', 'public', false)", "public");
}

static void tear_down(void)
{
    cluster_destroy(cluster);
}

/* A trigger function and a trigger of that name. */
#define DEFINITION(name)                                                           \
    "$d$CREATE OR REPLACE FUNCTION " name "() RETURNS trigger LANGUAGE plpgsql AS" \
    " $f$BEGIN PERFORM pg_notify('" name "', ''); RETURN NULL; END$f$;"            \
    "CREATE OR REPLACE TRIGGER " name " AFTER INSERT ON orders FOR EACH STATEMENT EXECUTE FUNCTION " name "()$d$"
#define INSTALL(channel, name) \
    "SELECT chime.install_channel('test', 'kept', 'app', '" channel "', 'orders', " DEFINITION(name) ")"
#define MADE(expected)                                                                           \
    EXPECT_SQL(cluster,                                                                          \
               "SELECT coalesce((SELECT string_agg(tgname, ' ' ORDER BY tgname) FROM pg_trigger" \
               " WHERE tgrelid = 'app.orders'::regclass AND NOT tgisinternal), '') || '; ' ||"   \
               " coalesce((SELECT string_agg(proname, ' ' ORDER BY proname) FROM pg_proc"        \
               " WHERE pronamespace = 'kept'::regnamespace AND proname LIKE 't_'), '')",         \
               expected)

START_TEST(another_definition_takes_the_place_of_the_first)
{
    cluster_execute(cluster, INSTALL("one", "t1") ";" INSTALL("two", "t2"));
    MADE("t1 t2; t1 t2");
    cluster_execute(cluster, INSTALL("one", "t3"));
    MADE("t2 t3; t2 t3");
    cluster_execute(cluster, INSTALL("one", "t3") ";" INSTALL("two", "t2"));
    MADE("t2 t3; t2 t3");
    cluster_execute(cluster, "SELECT chime.remove_channels('test', '{two}')");
    MADE("t2; t2");
}
END_TEST

START_TEST(a_plugin_that_is_gone_notifies_nobody_any_more)
{
    cluster_execute(cluster, INSTALL("one", "t1") ";" INSTALL("two", "t2"));
    cluster_execute(cluster, "SELECT chime.retire_plugins('{test}')");
    MADE("t1 t2; t1 t2");
    cluster_execute(cluster, "SELECT chime.retire_plugins('{another}')");
    MADE("; ");
    EXPECT_SQL(cluster, "SELECT state FROM chime.plugin", "removed");
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.plugin_channel", "0");
}
END_TEST

START_TEST(a_busy_table_keeps_its_trigger_until_later)
{
    cluster_execute(cluster, INSTALL("one", "t1"));
    PGconn *writer = cluster_connect(cluster, "postgres");
    session_execute(writer, "BEGIN; INSERT INTO app.orders (shop) VALUES (1)");
    cluster_execute(cluster, "SELECT chime.retire_plugins('{}')");
    EXPECT_SQL(cluster, "SELECT state FROM chime.plugin", "removed");
    MADE("t1; t1");
    session_execute(writer, "COMMIT");
    PQfinish(writer);
    cluster_execute(cluster, "SELECT chime.retire_plugins('{}')");
    MADE("; ");
}
END_TEST

/* It may make triggers on another's table, and drop none. */
START_TEST(whoever_owns_no_source_silences_what_it_may_not_drop)
{
    cluster_execute(cluster, "CREATE ROLE plain; GRANT ALL ON SCHEMA chime, kept, app TO plain;"
                             "GRANT ALL ON ALL TABLES IN SCHEMA chime TO plain;"
                             "GRANT ALL ON ALL FUNCTIONS IN SCHEMA chime TO plain;");
    cluster_execute(cluster, "SET ROLE plain");
    ck_assert_str_eq(cluster_sqlstate(cluster, INSTALL("one", "t1")), "42501");
    cluster_execute(cluster, "RESET ROLE; GRANT TRIGGER ON app.orders TO plain; SET ROLE plain");
    cluster_execute(cluster, INSTALL("one", "t1"));
    cluster_execute(cluster, "SELECT chime.remove_channels('test', '{}'); SELECT chime.remove_channels('test', '{}')");
    cluster_execute(cluster, "RESET ROLE");
    MADE("t1; t1");
    EXPECT_SQL(cluster, "SELECT prosrc LIKE '%pg_notify%' FROM pg_proc WHERE proname = 't1'", "f");
    cluster_execute(cluster, "INSERT INTO app.orders (shop) VALUES (1)");
    cluster_execute(cluster, "SET ROLE plain;" INSTALL("one", "t1") "; RESET ROLE");
    EXPECT_SQL(cluster, "SELECT prosrc LIKE '%pg_notify%' FROM pg_proc WHERE proname = 't1'", "t");
    cluster_execute(cluster, "SET ROLE plain;" INSTALL("one", "t2") "; RESET ROLE");
    MADE("t1 t2; t1 t2");
    EXPECT_SQL(cluster, "SELECT string_agg(proname, ' ') FROM pg_proc WHERE prosrc LIKE '%pg_notify(''t%'", "t2");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("channels");
    TCase *tests = tcase_create("channels");
    tcase_set_timeout(tests, 120);
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, another_definition_takes_the_place_of_the_first);
    tcase_add_test(tests, a_plugin_that_is_gone_notifies_nobody_any_more);
    tcase_add_test(tests, a_busy_table_keeps_its_trigger_until_later);
    tcase_add_test(tests, whoever_owns_no_source_silences_what_it_may_not_drop);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
