/* SPDX-License-Identifier: PostgreSQL */
/* What a role is offered of the views that it keeps beside refreshes (docs/adr/0041-views-of-roles.md), and attacks on
 * it: by another role, by the owner of a source, by DDL. test_keep_view_roles has how they are made and refreshed. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "support/daemon/commands.h"
#include "support/ledger/runs.h"
#include "support/process/files.h"
#include "support/process/suite.h"
#include "support/process/wait.h"
#include "support/views/role_views.h"

/* What captured changes is not needed by a view that is full now; nor is it forgotten, however the view is dropped. */
START_TEST(marks_that_nothing_needs_go)
{
    static const char left[] = "SELECT count(*) FROM pg_class WHERE relname ~ '^daily_orders__m'";
    cluster_execute(cluster,
                    "CREATE TABLE public.mine (day date); CREATE INDEX ON mine (day); ALTER TABLE mine OWNER TO app");
    EXPECT_TOLD(app, KEEPS("daily_orders", "SELECT day, count(*) AS n FROM orders GROUP BY day", ""),
                "20 rows; keyed by day");
    role_views_await_keyed();
    EXPECT_SQL(cluster, left, "1");
    EXPECT_TOLD(app, "SELECT chime.alter_view('daily_orders', mode => 'full')",
                "20 rows; refreshed as a whole: its mode is full");
    EXPECT_SQL(cluster, left, "0");
    cluster_execute(cluster, "INSERT INTO orders (day) VALUES ('2027-01-01')");
    EXPECT_TOLD(app,
                "SELECT chime.alter_view('daily_orders', $$SELECT day, count(*) AS n FROM mine GROUP BY day$$,"
                " mode => 'auto')",
                "0 rows; keyed by day");
    role_views_await_keyed();
    /* A writer holds them: they stay until the view is dropped. */
    session_execute(app, "INSERT INTO mine VALUES ('2027-01-01')");
    PGconn *writer = role_views_connect("app");
    session_execute(writer, "BEGIN; INSERT INTO mine VALUES ('2027-01-02')");
    EXPECT_TOLD(app, "SELECT chime.alter_view('daily_orders', mode => 'full')",
                "1 rows; refreshed as a whole: its mode is full");
    EXPECT_SQL(cluster, left, "1");
    session_execute(writer, "COMMIT");
    EXPECT_TOLD(app, "SELECT chime.drop_view('daily_orders')", "t");
    EXPECT_SQL(cluster, left, "0");
    EXPECT_SQL(cluster,
               "SELECT count(*) FROM pg_trigger t WHERE tgname LIKE 'chime_kept%' AND tgrelid = 'mine'::regclass", "0");
    PQfinish(writer);
}
END_TEST

/* A table or function of the role's own that has the name of marks is not touched. */
START_TEST(a_name_of_marks_that_is_taken_is_left_alone)
{
    session_execute(app, "CREATE TABLE reports.daily_orders__m1 (precious text); INSERT INTO reports.daily_orders__m1"
                         " VALUES ('kept')");
    EXPECT_TOLD(app, KEEP, "20 rows; keyed by day");
    WAIT_SQL(cluster, "SELECT reason FROM chime.role_view_refresh",
             "its marks cannot be made: relation \"daily_orders__m1\" already exists", 60);
    session_execute(app,
                    "ALTER TABLE reports.daily_orders__m1 RENAME TO own; CREATE FUNCTION reports.daily_orders__m1()"
                    " RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN RETURN NEW; END $$");
    WAIT_SQL(cluster, "SELECT reason FROM chime.role_view_refresh",
             "its marks cannot be made: function \"daily_orders__m1\" already exists with same argument types", 60);
    EXPECT_TOLD(app, "SELECT chime.drop_view('daily_orders')", "t");
    EXPECT_SQL(cluster, "SELECT precious FROM reports.own", "kept");
    EXPECT_SQL(cluster, "SELECT prosrc FROM pg_proc WHERE proname = 'daily_orders__m1'", " BEGIN RETURN NEW; END ");
}
END_TEST

/* Of a role as of an administrator: nothing marks when it changes. */
START_TEST(what_reads_no_table_is_full)
{
    EXPECT_TOLD(app, KEEPS("v", "VALUES (1, 'a'), (2, 'b')", ", key => '{column1}'"),
                "2 rows; refreshed as a whole: it reads no table, so no mark tells when it changes");
    EXPECT_TOLD(app, "SELECT column2 FROM reports.v WHERE column1 = 2", "b");
    EXPECT_TOLD(
        app, KEEPS("w", "VALUES (1, 'a')", ", key => '{column1}', mode => 'strict'"),
        "view reports.w is strict, and it reads no table, so no mark tells when it changes; mend that, or give it mode"
        " \"auto\"; once: SELECT chime.refresh_view('w', true)");
    EXPECT_SQL(cluster,
               "SELECT count(*) FROM pg_class WHERE relname LIKE 'w%' AND relnamespace = 'reports'::regnamespace", "0");
}
END_TEST

/* It is keyed or fails, with the reason; what it had stays, and once it can be keyed again it goes on. */
START_TEST(a_strict_view_is_not_refreshed_as_a_whole)
{
    static const char why[] = "view reports.daily_orders is strict, and this role has no privilege TRIGGER on"
                              " public.orders, which would let it run code as whoever writes there";
    EXPECT_TOLD(app, KEEPS("daily_orders", DAILY, ", mode => 'strict'"), "20 rows; keyed by day");
    role_views_await_keyed();
    cluster_execute(cluster, "REVOKE TRIGGER ON orders FROM app; DELETE FROM orders WHERE id = 1");
    WAIT_SQL(
        cluster,
        "SELECT split_part(message, E'\\n', 1) FROM chime.job_runs WHERE state = 'failed' ORDER BY slot DESC LIMIT 1",
        why, 60);
    EXPECT_SQL(cluster, "SELECT sum(n) FROM reports.daily_orders", "200");
    EXPECT_TOLD(app, "SELECT chime.refresh_view('daily_orders', true) LIKE '%full (this role has no privilege%'", "t");
    EXPECT_SQL(cluster, SAME, "0");
    EXPECT_TOLD(app, "SELECT chime.alter_view('daily_orders', mode => 'auto') LIKE '20 rows; refreshed as a whole: %'",
                "t");
    EXPECT_TOLD(
        app, "SELECT chime.alter_view('daily_orders', mode => 'strict') IS NULL",
        "view reports.daily_orders is strict, and this role has no privilege TRIGGER on public.orders, which would"
        " let it run code as whoever writes there; mend that, or give it mode \"auto\"; once: SELECT"
        " chime.refresh_view('daily_orders', true)");
    cluster_execute(cluster, "GRANT TRIGGER ON orders TO app");
    EXPECT_TOLD(app, "SELECT chime.alter_view('daily_orders', mode => 'strict')", "20 rows; keyed by day");
    role_views_await_keyed();
    cluster_execute(cluster, "DELETE FROM orders WHERE id = 2");
    FRESH(app);
    EXPECT_SQL(cluster, SAME, "0");
}
END_TEST

/* A command of the daemon's role, as a user would; its exit status, and what it printed. */
static int run_command(const char *const *words, char **told)
{
    char *output = NULL;
    char *errors = NULL;
    int status = commands_run(site_config(site), words, &output, &errors);
    free(*told);
    *told = files_path("%s%s", output, errors);
    free(output);
    free(errors);
    return status;
}

#define EXPLAIN(session, name) \
    "SELECT string_agg(regexp_replace(l, '[0-9.]+ ms', 'N ms', 'g'), E'\\n') FROM chime.explain_view('" name "') AS l"
#define EXPLAINED                                                                                         \
    "keyed by:   day\nunique by:  day\nwrites to public.orders:  INSERT, UPDATE and DELETE leave a small" \
    " mark (day)\na refresh:  everything took N ms"

/* To its owner by SQL, and to the daemon's administrator by pgchime: of what is written down, since neither plans it.
 */
START_TEST(what_is_explained_of_it)
{
    char *told = NULL;
    EXPECT_TOLD(app, KEEP, "20 rows; keyed by day");
    role_views_await_keyed();
    EXPECT_TOLD(app, EXPLAIN(app, "daily_orders"), EXPLAINED);
    EXPECT_TOLD(other, EXPLAIN(other, "reports.daily_orders"),
                "role other keeps no view \"reports.daily_orders\"; SELECT * FROM chime.kept_views shows your own; only"
                " the role that keeps a view may do that");
    EXPECT_TOLD(app, "SELECT chime.alter_view('daily_orders', mode => 'full') IS NOT NULL", "t");
    EXPECT_TOLD(app, EXPLAIN(app, "daily_orders"),
                "full:       its mode is full\nunique by:  day\nwrites:     cost nothing more\na refresh:  everything"
                " took N ms");
    ck_assert_int_eq(run_command((const char *const[]){"views", "explain", "daily_orders", NULL}, &told), 0);
    commands_has(told, "reports.daily_orders\n  full:       its mode is full\n");
    ck_assert_int_eq(run_command((const char *const[]){"verify", "daily_orders", NULL}, &told), 6);
    commands_has(told, "view \"reports.daily_orders\" is kept by role app, and only that role computes it");
    commands_has(told, "HINT:  pgchime run app/daily_orders refreshes it;");
    ck_assert_int_eq(run_command((const char *const[]){"refresh", "reports.daily_orders", NULL}, &told), 6);
    ck_assert_int_eq(run_command((const char *const[]){"verify", NULL}, &told), 0); /* of the daemon's: none */
    /* The same name among the daemon's views is the one that is meant. */
    cluster_execute(cluster, "GRANT SELECT, TRIGGER ON orders TO pgchime;"
                             "SELECT chime.keep_view('daily_orders', $$" DAILY "$$)");
    EXPECT_SQL(cluster, "SELECT l FROM chime.explain_view('daily_orders') AS l LIMIT 1", "keyed by:   day");
    ck_assert_int_eq(run_command((const char *const[]){"verify", "daily_orders", NULL}, &told), 0);
    ck_assert_int_eq(run_command((const char *const[]){"views", "explain", "reports.daily_orders", NULL}, &told), 0);
    commands_has(told, "full:       its mode is full");
    free(told);
}
END_TEST

/* --- RELATION__now ------------------------------------------------------------------------------------------------ */

#define NOW_SAME                                                                                                \
    "SELECT count(*) FROM ((TABLE reports.daily_orders__now EXCEPT ALL TABLE reports.daily_orders__live) UNION" \
    " (TABLE reports.daily_orders__live EXCEPT ALL TABLE reports.daily_orders__now)) AS d"
#define NOW_PARTS                                                                                           \
    "SELECT string_agg(DISTINCT chime_part, ' ' ORDER BY chime_part) FROM reports.daily_orders__now() AS n" \
    " (chime_part text, day date, n bigint, total numeric)"

/* Keyed, with its marks, and not refreshed for an hour. */
static void keep_slow(void)
{
    EXPECT_TOLD(app, KEEP, "20 rows; keyed by day");
    role_views_await_keyed();
    EXPECT_TOLD(app, "SELECT chime.alter_view('daily_orders', target_lag => '1h')", "20 rows; keyed by day");
}

START_TEST(now_is_always_true)
{
    static const char *const changes[] = {
        "INSERT INTO orders (day, amount) VALUES ('2026-12-24', 5), (NULL, 6)",
        "UPDATE orders SET day = '2026-11-02' WHERE id < 30",
        "DELETE FROM orders WHERE day = '2026-11-05'",
        "UPDATE orders SET amount = NULL WHERE day IS NULL",
    };
    static const char *const alterations[] = {
        "GRANT SELECT ON orders TO pgchime",
        "CREATE INDEX ON orders (amount)",
        "ALTER TABLE orders DISABLE TRIGGER USER; DELETE FROM orders WHERE id = 50; ALTER TABLE orders ENABLE TRIGGER "
        "USER",
        "TRUNCATE orders",
    };
    keep_slow();
    EXPECT_TOLD(app, NOW_PARTS, "NULL");
    for (size_t i = 0; i < sizeof(changes) / sizeof(changes[0]); i++) {
        cluster_execute(cluster, changes[i]);
        EXPECT_SQL(cluster, NOW_SAME, "0");
    }
    EXPECT_TOLD(app, NOW_PARTS, "group row");
    EXPECT_SQL(cluster, "SELECT count(*) FROM reports.daily_orders", "20"); /* kept as it was */
    /* What the statement's own transaction wrote, and in one that only reads. */
    cluster_execute(cluster, "BEGIN; INSERT INTO orders (day, amount) VALUES ('2027-12-24', 5)");
    EXPECT_SQL(cluster, "SELECT total FROM reports.daily_orders__now WHERE day = '2027-12-24'", "5");
    cluster_execute(cluster, "ROLLBACK; BEGIN READ ONLY");
    EXPECT_SQL(cluster, "SELECT n FROM reports.daily_orders__now WHERE day IS NULL", "1");
    cluster_execute(cluster, "COMMIT");
    for (size_t i = 0; i < sizeof(alterations) / sizeof(alterations[0]); i++) {
        cluster_execute(cluster, alterations[i]);
        EXPECT_TOLD(app, NOW_PARTS, i == 3 ? "whole" : "all whole");
        EXPECT_SQL(cluster, NOW_SAME, "0");
    }
    EXPECT_TOLD(app, "SELECT chime.refresh_view('daily_orders') IS NOT NULL", "t");
    EXPECT_SQL(cluster, SAME, "0");
    EXPECT_SQL(cluster, NOW_SAME, "0");
    /* What the definition means is proven again first. */
    cluster_execute(cluster, "ALTER TABLE orders ADD COLUMN note text");
    EXPECT_TOLD(
        app, "SELECT count(*) FROM reports.daily_orders__now",
        "nothing of view reports.daily_orders is computed live: its definition means another thing than at its last"
        " refresh; read reports.daily_orders; chime.wait_fresh waits until it holds what was committed");
    EXPECT_TOLD(app, "SELECT chime.refresh_view('daily_orders') IS NOT NULL", "t");
    EXPECT_SQL(cluster, NOW_SAME, "0");
}
END_TEST

/* It shows to others what its role lets them see: by a grant on the view, and one on the function. */
START_TEST(now_is_for_whom_its_role_lets)
{
    keep_slow();
    cluster_execute(cluster, "CREATE ROLE reader LOGIN; GRANT USAGE ON SCHEMA reports TO reader;"
                             "DELETE FROM orders WHERE id = 1");
    PGconn *reader = role_views_connect("reader");
    EXPECT_TOLD(reader, "SELECT sum(n) FROM reports.daily_orders__now", "permission denied for view daily_orders__now");
    EXPECT_TOLD(reader, NOW_PARTS, "permission denied for function daily_orders__now");
    session_execute(app, "GRANT SELECT ON reports.daily_orders__now TO reader");
    EXPECT_TOLD(reader, "SELECT sum(n) FROM reports.daily_orders__now",
                "permission denied for function daily_orders__now");
    session_execute(app, "GRANT EXECUTE ON FUNCTION reports.daily_orders__now() TO reader");
    EXPECT_TOLD(reader, "SELECT sum(n) FROM reports.daily_orders__now", "199");
    EXPECT_TOLD(reader, "SELECT count(*) FROM reports.daily_orders", "permission denied for table daily_orders");
    /* Other columns: it is made anew, for the same readers. */
    EXPECT_TOLD(app,
                "SELECT chime.alter_view('daily_orders', $$SELECT day, max(amount) AS most FROM orders GROUP BY day$$)",
                "20 rows; keyed by day");
    EXPECT_TOLD(reader, "SELECT most FROM reports.daily_orders__now WHERE day = '2026-11-01'", "200");
    /* Its policies would not hold for what is computed. */
    session_execute(app, "ALTER TABLE reports.daily_orders ENABLE ROW LEVEL SECURITY");
    EXPECT_TOLD(
        reader, "SELECT count(*) FROM reports.daily_orders__now",
        "nothing of view reports.daily_orders is computed live: it has row-level security, which would not hold for"
        " what is computed; read reports.daily_orders; chime.wait_fresh waits until it holds what was committed");
    session_execute(app, "ALTER TABLE reports.daily_orders DISABLE ROW LEVEL SECURITY");
    /* A full view's definition may depend on who asks; so may one whose source has policies by now. */
    cluster_execute(cluster, "ALTER TABLE orders ENABLE ROW LEVEL SECURITY;"
                             "CREATE POLICY by_setting ON orders USING (day = current_setting('my.day')::date)");
    EXPECT_TOLD(reader, "SET my.day = '2026-11-01'", "NULL");
    EXPECT_TOLD(
        reader, "SELECT count(*) FROM reports.daily_orders__now",
        "nothing of view reports.daily_orders is computed live: public.orders has row-level security: its marks would"
        " tell of rows that this role may not see; read reports.daily_orders; chime.wait_fresh waits until it holds"
        " what was committed");
    cluster_execute(cluster, "ALTER TABLE orders DISABLE ROW LEVEL SECURITY");
    EXPECT_TOLD(app,
                "SELECT chime.alter_view('daily_orders', $$SELECT day, max(amount) AS most FROM orders WHERE"
                " current_setting('my.day', true) IS NULL GROUP BY day$$) LIKE '20 rows; refreshed as a whole: %'",
                "t");
    EXPECT_TOLD(
        reader, "SELECT count(*) FROM reports.daily_orders__now",
        "nothing of view reports.daily_orders is computed live: it is refreshed as a whole: it uses current_setting,"
        " which is another value each time or depends on who asks; read reports.daily_orders; chime.wait_fresh waits"
        " until it holds what was committed");
    EXPECT_TOLD(app, "SELECT chime.drop_view('daily_orders')", "t");
    EXPECT_SQL(cluster, "SELECT count(*) FROM pg_proc WHERE proname = 'daily_orders__now'", "0");
    PQfinish(reader);
}
END_TEST

START_TEST(a_name_of_now_that_is_taken_is_left_alone)
{
    session_execute(app, "CREATE VIEW reports.daily_orders__now AS SELECT 1 AS own; SET client_min_messages = error");
    EXPECT_TOLD(app, KEEP, "20 rows; keyed by day");
    role_views_await_keyed();
    cluster_execute(cluster, "DELETE FROM orders WHERE id = 1");
    FRESH(app);
    EXPECT_SQL(cluster, SAME, "0");
    EXPECT_TOLD(app, "SELECT chime.drop_view('daily_orders')", "t");
    EXPECT_SQL(cluster, "SELECT own FROM reports.daily_orders__now", "1");
}
END_TEST

/* --- attacks ------------------------------------------------------------------------------------------------------ */

/* Policies may read what leaves no mark, and marks tell of rows that they hide. */
START_TEST(a_source_gets_row_level_security)
{
    EXPECT_TOLD(app, KEEP, "20 rows; keyed by day");
    role_views_await_keyed();
    cluster_execute(cluster, "CREATE TABLE seen_by (day date); INSERT INTO seen_by VALUES ('2026-11-02');"
                             "GRANT SELECT ON seen_by TO app;"
                             "CREATE POLICY theirs ON orders USING (day IN (SELECT day FROM seen_by));"
                             "ALTER TABLE orders ENABLE ROW LEVEL SECURITY");
    FRESH(app);
    EXPECT_TOLD(app, "SELECT count(*) FROM reports.daily_orders", "1");
    cluster_execute(cluster, "INSERT INTO seen_by VALUES ('2026-11-03')");
    FRESH(app);
    EXPECT_TOLD(app, "SELECT count(*) FROM reports.daily_orders", "2");
    EXPECT_TOLD(app, "SELECT full_reason FROM chime.kept_views",
                "public.orders has row-level security: its marks would tell of rows that this role may not see");
    cluster_execute(cluster, "INSERT INTO orders (day) VALUES ('2027-01-01')");
    EXPECT_SQL(cluster, "SELECT count(*) FROM pg_class WHERE relname ~ '^daily_orders__m'", "0");
}
END_TEST

/* The owner of the schema may drop what others made in it. What it puts in its place is not planned: that would run its
 * functions as the role. */
START_TEST(what_takes_the_place_of_a_relation_runs_nothing)
{
    static const char evil[] =
        "CREATE VIEW reports.daily_orders__live AS SELECT day, 1::bigint AS n, 1::numeric AS total"
        " FROM public.orders WHERE reports.evil(1)";
    keep_slow();
    cluster_execute(cluster, "CREATE ROLE reader LOGIN; ALTER SCHEMA reports OWNER TO other;"
                             "GRANT USAGE ON SCHEMA reports TO reader, PUBLIC; DELETE FROM orders WHERE id = 1");
    session_execute(app, "GRANT SELECT ON reports.daily_orders__now TO reader;"
                         "GRANT EXECUTE ON FUNCTION reports.daily_orders__now() TO reader");
    session_execute(other, "CREATE FUNCTION reports.evil(int) RETURNS boolean LANGUAGE plpgsql IMMUTABLE AS"
                           " $$ BEGIN PERFORM spy.note('evil'); RETURN true; END $$;"
                           "BEGIN; DROP VIEW reports.daily_orders__live");
    session_execute(other, evil);
    PGconn *reader = role_views_connect("reader");
    session_send(reader,
                 "DO $$ BEGIN PERFORM * FROM reports.daily_orders__now; EXCEPTION WHEN OTHERS THEN NULL; END $$");
    session_await_blocked(cluster, reader);
    session_send(
        app, "DO $$ BEGIN PERFORM chime.refresh_view('daily_orders', true); EXCEPTION WHEN OTHERS THEN NULL; END $$");
    session_await_blocked(cluster, app);
    session_execute(other, "COMMIT");
    session_await(reader);
    session_await(app);
    EXPECT_TOLD(reader, "BEGIN ISOLATION LEVEL REPEATABLE READ; SELECT 1", "1");
    EXPECT_TOLD(
        reader, "SELECT count(*) FROM reports.daily_orders__now",
        "nothing of view reports.daily_orders is computed live: its relations are not those that chime.keep_view"
        " made; read reports.daily_orders; chime.wait_fresh waits until it holds what was committed");
    EXPECT_SQL(cluster, "SELECT string_agg(who || ' ' || what, ', ') FROM spy.seen WHERE who <> 'other'", NULL);
    PQfinish(reader);
}
END_TEST

/* Of a role that may read some columns alone, too. */
START_TEST(a_refresh_holds_its_definition)
{
    cluster_execute(cluster, "REVOKE ALL ON orders FROM app; GRANT SELECT (day) ON orders TO app");
    EXPECT_TOLD(app, KEEPS("c", "SELECT day, count(*) AS n FROM orders GROUP BY day", ", target_lag => '1h'"),
                "20 rows; refreshed as a whole: public.orders may be read by this role in part only");
    session_execute(app, "BEGIN; SELECT chime.require_role_relations(jsonb_populate_record(NULL::chime.role_view,"
                         " '{\"view_schema\": \"reports\", \"relation\": \"c\"}'))");
    EXPECT_SQL(cluster,
               "SELECT string_agg(DISTINCT mode, ' ') FROM pg_locks WHERE relation = 'reports.c__live'::regclass",
               "AccessShareLock");
    session_execute(app, "COMMIT");
}
END_TEST

static Suite *suite(void)
{
    Suite *all = suite_create("role views");
    TCase *cases = tcase_create("role views");

    tcase_add_checked_fixture(cases, role_views_set_up, role_views_tear_down);
    tcase_set_timeout(cases, 240);
    tcase_add_test(cases, marks_that_nothing_needs_go);
    tcase_add_test(cases, a_name_of_marks_that_is_taken_is_left_alone);
    tcase_add_test(cases, what_reads_no_table_is_full);
    tcase_add_test(cases, a_strict_view_is_not_refreshed_as_a_whole);
    tcase_add_test(cases, what_is_explained_of_it);
    tcase_add_test(cases, a_source_gets_row_level_security);
    tcase_add_test(cases, now_is_always_true);
    tcase_add_test(cases, now_is_for_whom_its_role_lets);
    tcase_add_test(cases, a_name_of_now_that_is_taken_is_left_alone);
    tcase_add_test(cases, what_takes_the_place_of_a_relation_runs_nothing);
    tcase_add_test(cases, a_refresh_holds_its_definition);
    suite_add_tcase(all, cases);
    return all;
}

int main(void)
{
    return suite_run(suite());
}
