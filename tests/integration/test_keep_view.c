/* SPDX-License-Identifier: PostgreSQL */
/* Views kept by SQL: chime.keep_view and its like, by an administrator who has a connection and nothing else. The
 * daemon serves as the role of `pgchime init --sql`. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/cluster/cluster.h"
#include "support/cluster/init_role.h"
#include "support/cluster/session.h"
#include "support/daemon/site.h"
#include "support/ledger/runs.h"
#include "support/process/files.h"
#include "support/process/suite.h"
#include "support/process/wait.h"

static struct cluster *cluster;
static struct site *site;
static struct daemon *daemon_running;
static PGconn *maker;

/* The error and its hint, or the answer. */
static const char helpers[] = "CREATE FUNCTION app.try(p_sql text) RETURNS text LANGUAGE plpgsql AS $$"
                              " DECLARE v_told text; v_hint text; BEGIN EXECUTE p_sql INTO v_told; RETURN v_told;"
                              " EXCEPTION WHEN OTHERS THEN GET STACKED DIAGNOSTICS v_hint = PG_EXCEPTION_HINT;"
                              " RETURN concat_ws('; ', SQLERRM, nullif(v_hint, '')); END $$";

static void set_up(void)
{
    cluster = cluster_create(NULL);
    cluster_execute(
        cluster,
        "CREATE SCHEMA app; GRANT USAGE ON SCHEMA app TO PUBLIC; CREATE TABLE orders (id serial PRIMARY KEY, day date, "
        "amount numeric);"
        "CREATE INDEX ON orders (day);"
        "INSERT INTO orders (day, amount) SELECT date '2026-11-01' + i % 20, i FROM generate_series(1, 200) i");
    cluster_execute(cluster, helpers);
    init_role_make(cluster, "pgchime", "postgres");
    site = site_create(cluster, "postgres", 2);
    site_use_role(site, "pgchime");
    daemon_running = site_lead(site);
    cluster_execute(cluster, "CREATE ROLE app LOGIN; GRANT pgchime_jobs TO app; GRANT SELECT, TRIGGER ON orders TO app;"
                             "CREATE ROLE reader LOGIN IN ROLE analytics_reader");
    maker = cluster_connect(cluster, "postgres");
    session_execute(maker, "SET ROLE app");
}

static void tear_down(void)
{
    PQfinish(maker);
    daemon_destroy(daemon_running);
    site_destroy(site);
    cluster_destroy(cluster);
}

#define DAILY "SELECT day, count(*) AS n, sum(amount) AS total FROM orders GROUP BY day"
#define KEEP "SELECT chime.keep_view('daily_orders', $$" DAILY "$$)"
/* A text in '...' of SQL, within app.try. */
#define EXPECT_TOLD(sql, expected) EXPECT_SQL(cluster, "SELECT app.try($try$" sql "$try$)", expected)
#define NOTHING_IS_LEFT()                                                                                      \
    EXPECT_SQL(cluster,                                                                                        \
               "SELECT (SELECT count(*) FROM chime.view) + (SELECT count(*) FROM chime.plugin)"                \
               " + (SELECT count(*) FROM chime.job WHERE active) + (SELECT count(*) FROM pg_class c"           \
               " WHERE c.relnamespace = to_regnamespace('analytics')) + (SELECT count(*) FROM pg_proc p WHERE" \
               " p.proname ~ '^(keyed|watched|now|kept)_[0-9]+$')",                                            \
               "0")

START_TEST(one_statement_keeps_a_view_that_follows_writes)
{
    EXPECT_TOLD(KEEP, "20 rows; keyed by day");
    EXPECT_SQL(cluster, "SELECT total FROM analytics.daily_orders WHERE day = '2026-11-02'", "910");
    WAIT_SQL(cluster, "SELECT chime.uncaptured_sources('analytics', 'daily_orders')", NULL,
             30); /* the leader's triggers */
    WAIT_SQL(cluster, "SELECT seen IS NOT NULL FROM chime.view_refresh", "t", 30);
    cluster_execute(cluster, "INSERT INTO orders (day, amount) VALUES ('2026-12-24', 5)");
    EXPECT_SQL(cluster, "SELECT fresh FROM chime.wait_fresh('daily_orders', '60s')", "t");
    EXPECT_SQL(cluster, "SELECT total FROM analytics.daily_orders WHERE day = '2026-12-24'", "5");
    cluster_execute(cluster, "UPDATE orders SET amount = 6 WHERE day = '2026-12-24'");
    EXPECT_SQL(cluster, "SELECT fresh FROM chime.wait_fresh('daily_orders', '60s')", "t");
    EXPECT_SQL(cluster, "SELECT total FROM analytics.daily_orders WHERE day = '2026-12-24'", "6");
    EXPECT_SQL(cluster,
               "SELECT method || ' ' || plugin || ' ' || plugin_state || ' ' || target_lag FROM chime.view_status",
               "keyed analytics.daily_orders installed 00:00:01");
    EXPECT_SQL(cluster, "SELECT name || ' ' || coalesce(problem, 'well') FROM chime.job", "pgchime/daily_orders well");
    EXPECT_SQL(
        cluster,
        "SELECT string_agg(DISTINCT pg_get_userbyid(relowner), ' ') FROM pg_class WHERE relname ~ '^daily_orders'",
        "pgchime"); /* whoever called */
    cluster_execute(cluster, "SET ROLE reader");
    EXPECT_SQL(cluster, "SELECT total FROM analytics.daily_orders__now WHERE day = '2026-12-24'", "6");
    cluster_execute(cluster, "RESET ROLE");
    site_reload(site, daemon_running);
    EXPECT_SQL(cluster, "SELECT state FROM chime.plugin", "installed");
    cluster_execute(cluster, "DELETE FROM orders WHERE day = '2026-12-24'");
    EXPECT_SQL(cluster, "SELECT fresh FROM chime.wait_fresh('daily_orders', '60s')", "t");
    EXPECT_SQL(cluster, "SELECT count(*) FROM analytics.daily_orders WHERE day = '2026-12-24'", "0");
    site_end(daemon_running);
    daemon_running = site_lead(site);
    cluster_execute(cluster, "DELETE FROM orders WHERE day = '2026-11-05'");
    EXPECT_SQL(cluster, "SELECT fresh FROM chime.wait_fresh('daily_orders', '60s')", "t");
    EXPECT_SQL(cluster, "SELECT state || ' ' || full_reason IS NULL FROM chime.plugin, chime.view", "t");
    EXPECT_SQL(cluster,
               "SELECT count(*) FROM chime.run_history h JOIN chime.job j USING (job_id) WHERE h.state <> 'succeeded'",
               "0");
}
END_TEST

#define EXPECT_REFUSED(sql, expected) expect_refused(sql, expected, __LINE__)

static void expect_refused(const char *sql, const char *expected, int line)
{
    PGresult *result = PQexec(maker, sql);
    const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    ck_assert_msg(message != NULL && strcmp(message, expected) == 0, "line %d: %s", line,
                  message != NULL ? message : "it may");
    PQclear(result);
}

/* What runs as the daemon is taken from nobody else, by whatever way. test_keep_view_roles has what is theirs. */
START_TEST(who_makes_jobs_keeps_no_view_as_the_daemon)
{
    EXPECT_REFUSED(
        "INSERT INTO chime.job_call (verb, arguments) VALUES ('keep_view', '{\"name\": \"x\", \"definition\":"
        " \"SELECT 1 AS a\", \"view_schema\": \"analytics\", \"source_schema\": \"public\", \"mode\": \"auto\"}')",
        "role app may not keep views");
    EXPECT_TOLD(KEEP, "20 rows; keyed by day");
    EXPECT_REFUSED("SELECT chime.alter_view('daily_orders', $$SELECT 1 AS day$$)",
                   "role app keeps no view \"daily_orders\"");
    EXPECT_REFUSED("SELECT chime.drop_view('daily_orders')", "role app keeps no view \"daily_orders\"");
    EXPECT_REFUSED("SELECT chime.refresh_view('daily_orders')", "role app keeps no view \"daily_orders\"");
    EXPECT_REFUSED(KEEP, "permission denied for schema analytics");
    PGresult *result = PQexec(maker, "SELECT chime.declare_view(NULL, NULL)");
    ck_assert_str_eq(PQresultErrorField(result, PG_DIAG_SQLSTATE), "42501");
    PQclear(result);
    /* Nor does a job of its own refresh: what it runs is its command. */
    result = PQexec(maker, "SELECT chime.schedule('daily_orders', '1 second', 'SELECT 1')");
    ck_assert_int_eq(PQresultStatus(result), PGRES_TUPLES_OK);
    PQclear(result);
    EXPECT_SQL(cluster, "SELECT string_agg(views::text, ' ' ORDER BY name) FROM chime.job",
               "{} {analytics.daily_orders}");
    cluster_execute(cluster,
                    "UPDATE chime.job SET views = '{analytics.daily_orders}', command = '' WHERE owner = 'app';"
                    "UPDATE chime.job SET active = false WHERE owner = 'app'; UPDATE chime.job SET active = true WHERE "
                    "owner = 'app'");
    WAIT_SQL(cluster,
             "SELECT problem LIKE '%belongs to another role than the daemon''s%' FROM chime.job WHERE owner = 'app'",
             "t", 30);
}
END_TEST

START_TEST(what_is_no_view_is_refused_and_nothing_is_left)
{
#define KEEPS(arguments) "SELECT chime.keep_view(" arguments ")"
    EXPECT_TOLD(KEEPS("'x', $$SELECT 1 AS a; DROP TABLE orders$$"),
                "a definition is one SELECT, and this one has several statements; leave out what stands after the first"
                " \";\", or keep a view for each");
    EXPECT_TOLD(
        KEEPS("'x', $$DELETE FROM orders RETURNING id$$"),
        "a definition is one SELECT, and this one begins with \"DELETE FROM orders RETURNING id\"; begin it with"
        " SELECT or WITH");
    EXPECT_TOLD(KEEPS("'x', $$WITH d AS (DELETE FROM orders RETURNING id) SELECT id FROM d$$"),
                "views must not contain data-modifying statements in WITH");
    EXPECT_TOLD(KEEPS("'x', $$SELECT id FROM ordres$$"), "relation \"ordres\" does not exist");
    EXPECT_TOLD(
        KEEPS("'a.x', $$SELECT id FROM orders$$"),
        "\"a.x\" is no name for a view; write 1 to 56 of a-z, 0-9 and _, not beginning with a digit; its schema is"
        " another argument, view_schema");
    EXPECT_TOLD(KEEPS("'x', NULL"), "a view needs a name, a definition, a mode, a view_schema and a source_schema, and"
                                    " one of these is NULL; leave out what is to be as usual");
    EXPECT_TOLD(KEEPS("'x', $$SELECT id FROM orders$$, view_schema => 'chime'"),
                "views are not kept in schema chime; name another as view_schema: it is made where it is missing");
    EXPECT_TOLD(
        KEEPS("'x', $$SELECT id FROM orders$$, target_lag => 'soon'"),
        "target_lag cannot be \"soon\"; write a number and ms, s, min, h or d, such as '1s'; or downstream, or none");
    EXPECT_TOLD(KEEPS("'x', $$SELECT id FROM orders$$, target_lag => '10ms'"),
                "target_lag \"10ms\" is outside 50ms to 365d; write one between these");
    EXPECT_TOLD(KEEPS("'x', $$SELECT id FROM orders$$, target_lag => 'none'"),
                "with neither a schedule nor a target_lag nothing would refresh view x; give it one of them, such as"
                " schedule => '@hourly' or target_lag => '1s'");
    EXPECT_TOLD(
        KEEPS("'x', $$SELECT id FROM orders$$, schedule => 'now and then'") " AS x",
        "invalid schedule: now and then; Use cron format (e.g. 5 4 * * *), or interval format '[1-59] seconds'");
    EXPECT_TOLD(KEEPS("'x', $$SELECT id FROM orders$$, mode => 'fast'"),
                "mode cannot be 'fast'; it is one of 'auto', 'keyed', 'strict', 'full', 'matview'");
    EXPECT_TOLD(
        KEEPS("'x', $$SELECT day, rank() OVER (ORDER BY day) AS r FROM orders GROUP BY day$$, mode => 'strict'"),
        "view analytics.x is strict, and its window function is computed over all rows of public.orders, so a"
        " group in day cannot be computed alone; mend that, or give it mode \"auto\"; once: pgchime refresh"
        " --full x");
    EXPECT_TOLD(KEEPS("'x', $$SELECT id FROM orders$$, revisit => 'DELETE FROM orders RETURNING id'") " AS x",
                "syntax error at or near \"FROM\"");
    EXPECT_TOLD(KEEPS("'x', $$SELECT day, 1 / (amount - 20) AS q FROM orders$$, key => '{day}'"), "division by zero");
    EXPECT_TOLD(KEEPS("'x', $$SELECT day, amount FROM orders$$, key => '{day}'") " AS x",
                "the definition of analytics.x gives the same key twice: (2026-11-01); (2026-11-02); (2026-11-03)"
                "; its key is (day); see all: SELECT day FROM analytics.x__live GROUP BY day HAVING count(*) > 1");
    EXPECT_SQL(
        cluster,
        "SELECT app.try(format('SELECT chime.keep_view(''x'', %L)', 'SELECT 1 AS a --' || repeat('x', 10000000)))",
        "the definition has 10000016 bytes, more than 1048576; make a view or a function of parts of it");
    cluster_execute(
        cluster, "CREATE FUNCTION app.mine(numeric) RETURNS numeric LANGUAGE sql IMMUTABLE SECURITY DEFINER RETURN $1;"
                 "ALTER FUNCTION app.mine OWNER TO app; GRANT USAGE ON SCHEMA app TO PUBLIC");
    EXPECT_SQL(
        cluster,
        "SELECT app.try($$SELECT chime.keep_view('x', 'SELECT day, app.mine(sum(amount)) AS m FROM orders GROUP BY "
        "day')$$)"
        " LIKE 'view analytics.x would run function app.mine(numeric) as pgchime, and its owner app is not trusted%'",
        "t");
    NOTHING_IS_LEFT();
    EXPECT_SQL(cluster, "SELECT count(*) FROM orders", "200");
}
END_TEST

START_TEST(a_name_that_is_taken_stays_whose_it_is)
{
    cluster_execute(cluster, "CREATE TABLE analytics.daily_orders (mine int)");
    EXPECT_TOLD(KEEP,
                "relation analytics.daily_orders exists already, is owned by postgres and was not made by pgchime;"
                " pgchime plugins adopt takes it over; or rename it, or set view_schema of this plugin to another"
                " schema than \"analytics\"");
    cluster_execute(cluster, "DROP TABLE analytics.daily_orders; SET ROLE pgchime; SELECT "
                             "chime.schedule('daily_orders', '@hourly', 'SELECT 1')");
    EXPECT_TOLD(KEEP,
                "role pgchime has a job \"daily_orders\" already, which is what the view's is to be called; give the"
                " view, or that job, another name");
    cluster_execute(cluster, "SELECT chime.unschedule('daily_orders')");
    EXPECT_TOLD(KEEP, "20 rows; keyed by day");
    EXPECT_TOLD(KEEP, "there is a view analytics.daily_orders already; chime.alter_view changes one that you keep; else"
                      " give yours another name");
    EXPECT_TOLD("SELECT chime.schedule('daily_orders', '@hourly', 'SELECT 1')",
                "job \"pgchime/daily_orders\" refreshes view analytics.daily_orders; chime.alter_view changes when, and"
                " chime.drop_view takes both away");
    EXPECT_TOLD("SELECT chime.unschedule('daily_orders')",
                "job \"pgchime/daily_orders\" refreshes view analytics.daily_orders; chime.alter_view changes when, and"
                " chime.drop_view takes both away");
    EXPECT_SQL(cluster, "SELECT chime.run_now('daily_orders') IS NOT NULL", "t");
    WAIT_SQL(cluster,
             "SELECT count(*) FROM chime.run_history h JOIN chime.job j USING (job_id) WHERE j.plugin IS NOT NULL"
             " AND h.kind = 'manual' AND h.state = 'succeeded'",
             "1", 30);
    cluster_execute(cluster, "RESET ROLE");
}
END_TEST

START_TEST(a_view_is_altered_refreshed_and_dropped)
{
    EXPECT_TOLD(KEEP, "20 rows; keyed by day");
    EXPECT_TOLD("SELECT chime.alter_view('daily_orders', target_lag => '30s')", "20 rows; keyed by day");
    EXPECT_SQL(cluster, "SELECT target_lag FROM chime.view_status", "00:00:30");
    EXPECT_TOLD("SELECT chime.alter_view('analytics.daily_orders', $$SELECT day, max(amount) AS most FROM orders GROUP "
                "BY day$$)",
                "20 rows; keyed by day");
    EXPECT_SQL(cluster, "SELECT most FROM analytics.daily_orders WHERE day = '2026-11-01'", "200");
    EXPECT_TOLD("SELECT chime.alter_view('daily_orders', $$SELECT day, rank() OVER (ORDER BY day) AS r FROM orders "
                "GROUP BY day$$)",
                "20 rows; refreshed as a whole: its window function is computed over all rows of public.orders, so a "
                "group in day cannot be computed alone");
    EXPECT_TOLD("SELECT chime.alter_view('daily_orders', mode => 'full')",
                "20 rows; refreshed as a whole: its mode is full");
    cluster_execute(cluster, "DELETE FROM orders WHERE day = '2026-11-03'");
    EXPECT_TOLD("SELECT chime.refresh_view('daily_orders')",
                "daily_orders: full (its mode is full), 19 rows, 0 inserted, 17 updated, 1 deleted");
    cluster_execute(cluster, "CREATE VIEW app.mine AS SELECT * FROM analytics.daily_orders");
    EXPECT_TOLD(
        "SELECT chime.drop_view('daily_orders')",
        "view analytics.daily_orders stays: something needs it: view app.mine; take away what is named, once what"
        " it says or holds is safe elsewhere");
    cluster_execute(cluster, "DROP VIEW app.mine");
    EXPECT_TOLD("SELECT chime.drop_view('daily_orders')", "true");
    EXPECT_TOLD("SELECT chime.drop_view('daily_orders')",
                "there is no view \"daily_orders\"; see: SELECT * FROM chime.view_status");
    EXPECT_SQL(cluster, "SELECT string_agg(relname, ' ') FROM pg_class WHERE relnamespace = 'analytics'::regnamespace",
               NULL);
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.view", "0");
    cluster_execute(cluster,
                    "INSERT INTO orders (day, amount) VALUES ('2026-12-24', 5)"); /* its triggers, if any, are silent */
    EXPECT_TOLD(KEEP, "20 rows; keyed by day");
}
END_TEST

/* As ALTER TABLE ... DROP COLUMN ... CASCADE does. */
START_TEST(a_definition_that_was_dropped_is_given_again)
{
    EXPECT_TOLD(KEEP, "20 rows; keyed by day");
    cluster_execute(cluster, "DROP VIEW analytics.daily_orders__live CASCADE; SELECT chime.install_kept_by_sql()");
    EXPECT_SQL(cluster, "SELECT state || ': ' || reason FROM chime.plugin",
               "failed: the definition of view analytics.daily_orders was dropped; SELECT chime.alter_view("
               "'analytics.daily_orders', '" DAILY "') gives it again, once it fits its tables");
    EXPECT_TOLD("SELECT chime.alter_view('analytics.daily_orders', '" DAILY "')", "20 rows; keyed by day");
    EXPECT_SQL(cluster, "SELECT state FROM chime.plugin", "installed");
}
END_TEST

#define STARTS(expected)                                                                              \
    EXPECT_SQL(cluster,                                                                               \
               "SELECT concat_ws(' ', nullif(schedule, ''), options ->> 'target_lag') FROM chime.job" \
               " WHERE plugin = 'analytics.daily_orders' AND active",                                 \
               expected)

/* What was said stays; what was only usual gives way to what is said. */
START_TEST(what_makes_a_view_refresh_is_altered_one_by_one)
{
    EXPECT_TOLD(KEEP, "20 rows; keyed by day");
    STARTS("1s");
    EXPECT_TOLD("SELECT chime.alter_view('daily_orders', schedule => '@hourly')", "20 rows; keyed by day");
    STARTS("@hourly");
    EXPECT_TOLD("SELECT chime.alter_view('daily_orders', comment => 'by day')", "20 rows; keyed by day");
    STARTS("@hourly");
    EXPECT_TOLD("SELECT chime.alter_view('daily_orders', target_lag => '30s')", "20 rows; keyed by day");
    STARTS("@hourly 30s");
    EXPECT_TOLD("SELECT chime.alter_view('daily_orders', schedule => '@daily')", "20 rows; keyed by day");
    STARTS("@daily 30s");
    EXPECT_TOLD("SELECT chime.alter_view('daily_orders', target_lag => 'none')", "20 rows; keyed by day");
    STARTS("@daily none");
    EXPECT_SQL(cluster, "SELECT target_lag FROM chime.view_status", NULL);
    EXPECT_TOLD("SELECT chime.alter_view('daily_orders', schedule => 'none')",
                "with neither a schedule nor a target_lag nothing would refresh view daily_orders; give it one of them,"
                " such as schedule => '@hourly' or target_lag => '1s'");
    STARTS("@daily none");
    EXPECT_TOLD("SELECT chime.alter_view('daily_orders', schedule => 'none', target_lag => 'downstream')",
                "20 rows; keyed by day");
    STARTS("downstream");
    EXPECT_SQL(cluster, "SELECT problem FROM chime.job WHERE plugin IS NOT NULL", NULL);
}
END_TEST

START_TEST(a_strict_view_is_refreshed_by_its_groups_or_not_at_all)
{
    EXPECT_TOLD("SELECT chime.keep_view('daily_orders', $$" DAILY "$$, mode => 'strict')", "20 rows; keyed by day");
    cluster_execute(cluster, "DROP INDEX orders_day_idx");
    WAIT_SQL(cluster, "SELECT full_reason FROM chime.view",
             "no index finds one group in public.orders: CREATE INDEX ON public.orders (day) makes it keyed", 60);
    EXPECT_TOLD("SELECT chime.refresh_view('daily_orders')",
                "view analytics.daily_orders is strict, and no index finds one group in public.orders: CREATE INDEX ON"
                " public.orders (day) makes it keyed; mend that, or give it mode \"auto\"; once: pgchime refresh --full"
                " daily_orders");
    EXPECT_SQL(cluster, "SELECT chime.refresh_view('daily_orders', whole => true) LIKE 'daily_orders: full%'", "t");
    cluster_execute(cluster, "CREATE INDEX ON orders (day)");
    WAIT_SQL(cluster, "SELECT full_reason FROM chime.view", NULL, 60);
    EXPECT_SQL(cluster, "SELECT chime.refresh_view('daily_orders') LIKE 'daily_orders: %'", "t");
}
END_TEST

#define YOUNG "SELECT day, count(*) AS n, day > chime.as_of()::date - 3 AS young FROM orders GROUP BY day"

START_TEST(groups_that_change_as_time_passes_are_named)
{
    EXPECT_TOLD("SELECT chime.keep_view('young', $$" YOUNG "$$)",
                "20 rows; refreshed as a whole: it changes as time passes, and declares no revisit");
    EXPECT_TOLD("SELECT chime.alter_view('young', revisit => $$SELECT DISTINCT day FROM orders WHERE day >"
                " chime.as_of()::date - 5$$)",
                "20 rows; keyed by day");
    cluster_execute(cluster, "UPDATE analytics.young SET young = NOT young WHERE day = '2026-11-01';"
                             "INSERT INTO orders (day, amount) VALUES (current_date, 1)");
    EXPECT_SQL(cluster, "SELECT chime.refresh_view('young') LIKE 'young: %'", "t");
    EXPECT_SQL(cluster, "SELECT young FROM analytics.young WHERE day = current_date", "t");
    EXPECT_TOLD("SELECT chime.alter_view('young', revisit => 'none')",
                "21 rows; refreshed as a whole: it changes as time passes, and declares no revisit");
}
END_TEST

static Suite *suite(void)
{
    Suite *all = suite_create("keep view");
    TCase *cases = tcase_create("keep view");

    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_set_timeout(cases, 240);
    tcase_add_test(cases, one_statement_keeps_a_view_that_follows_writes);
    tcase_add_test(cases, who_makes_jobs_keeps_no_view_as_the_daemon);
    tcase_add_test(cases, what_is_no_view_is_refused_and_nothing_is_left);
    tcase_add_test(cases, a_name_that_is_taken_stays_whose_it_is);
    tcase_add_test(cases, a_view_is_altered_refreshed_and_dropped);
    tcase_add_test(cases, a_definition_that_was_dropped_is_given_again);
    tcase_add_test(cases, what_makes_a_view_refresh_is_altered_one_by_one);
    tcase_add_test(cases, a_strict_view_is_refreshed_by_its_groups_or_not_at_all);
    tcase_add_test(cases, groups_that_change_as_time_passes_are_named);
    suite_add_tcase(all, cases);
    return all;
}

int main(void)
{
    return suite_run(suite());
}
