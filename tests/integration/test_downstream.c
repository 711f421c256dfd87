/* SPDX-License-Identifier: PostgreSQL */
/* target_lag = "downstream": a view is as fresh as the views need that read it. First as the tables tell it, without a
 * daemon; then under one, through all ways to declare a view. */
#include <check.h>
#include <stdlib.h>

#include "support/daemon/served.h"
#include "support/ledger/runs.h"
#include "support/process/files.h"
#include "support/process/suite.h"
#include "support/process/wait.h"

/* The error and its hint, or the answer; "VIEW LAG FROM" of each view. */
static const char helpers[] =
    "CREATE FUNCTION try(p_sql text) RETURNS text LANGUAGE plpgsql AS $$"
    " DECLARE v_told text; v_hint text; BEGIN EXECUTE p_sql INTO v_told; RETURN v_told;"
    " EXCEPTION WHEN OTHERS THEN GET STACKED DIAGNOSTICS v_hint = PG_EXCEPTION_HINT;"
    " RETURN concat_ws('; ', SQLERRM, nullif(v_hint, '')); END $$;"
    "CREATE FUNCTION lags() RETURNS text LANGUAGE sql AS $$ SELECT string_agg(concat_ws(' ', relation,"
    " coalesce(target_lag::text, '-'), replace(target_lag_from, 'analytics.', '')), '; ' ORDER BY relation)"
    " FROM chime.view_status $$;"
    "CREATE TABLE orders (id serial PRIMARY KEY, day date, amount numeric); CREATE INDEX ON orders (day);"
    "INSERT INTO orders (day, amount) SELECT date '2026-11-01' + i % 20, i FROM generate_series(1, 100) i";

static void set_up(void)
{
    served_set_up(4);
    cluster_execute(cluster, helpers);
}

#define DAILY "SELECT day, count(*) AS n FROM orders GROUP BY day"
#define MONTHLY "SELECT extract(month FROM day) AS month, sum(n) AS n FROM analytics.daily GROUP BY 1"
#define YEARLY "SELECT count(*) AS months, sum(n) AS n FROM analytics.monthly"
#define KEEP(name, definition, options) \
    cluster_execute(cluster, "SELECT chime.keep_view('" name "', $$" definition "$$, " options ")")
#define ALTER(arguments) cluster_execute(cluster, "SELECT chime.alter_view(" arguments ")")
#define EXPECT_LAGS(expected) EXPECT_SQL(cluster, "SELECT lags()", expected)
#define EXPECT_TOLD(sql, expected) EXPECT_SQL(cluster, "SELECT try($try$" sql "$try$)", expected)

static void keep_three(void)
{
    KEEP("daily", DAILY, "target_lag => 'downstream'");
    KEEP("monthly", MONTHLY, "target_lag => 'downstream'");
    KEEP("yearly", YEARLY, "key => '{months}', target_lag => '8s'");
}

START_TEST(each_level_has_half_of_the_most_demanding_view_above)
{
    KEEP("daily", DAILY, "target_lag => 'downstream'");
    EXPECT_LAGS("daily - downstream");
    KEEP("monthly", MONTHLY, "target_lag => 'downstream'");
    EXPECT_LAGS("daily - downstream; monthly - downstream");
    KEEP("yearly", YEARLY, "key => '{months}', target_lag => '8s'");
    EXPECT_LAGS("daily 00:00:02 monthly; monthly 00:00:04 yearly; yearly 00:00:08");
    cluster_execute(cluster, "CREATE VIEW recent AS SELECT * FROM analytics.daily WHERE day > '2026-11-03'");
    KEEP("peak", "SELECT max(n) AS n FROM recent", "key => '{n}', target_lag => '3s'");
    EXPECT_LAGS("daily 00:00:01.5 peak; monthly 00:00:04 yearly; peak 00:00:03; yearly 00:00:08");
    ALTER("'peak', target_lag => '1min'");
    EXPECT_LAGS("daily 00:00:02 monthly; monthly 00:00:04 yearly; peak 00:01:00; yearly 00:00:08");
    cluster_execute(cluster, "UPDATE chime.job_state SET suspended_at = now() FROM chime.job j"
                             " WHERE j.job_id = job_state.job_id AND j.job_name = 'yearly'");
    EXPECT_LAGS("daily 00:00:30 peak; monthly - downstream; peak 00:01:00; yearly 00:00:08");
    cluster_execute(cluster, "UPDATE chime.job_state SET suspended_at = NULL");
    cluster_execute(cluster, "UPDATE chime.job SET active = false WHERE job_name = 'monthly'"); /* passes nothing on */
    EXPECT_SQL(cluster, "SELECT split_part(lags(), ';', 1)", "daily 00:00:30 peak");
    cluster_execute(cluster, "UPDATE chime.job SET active = true WHERE job_name = 'monthly'");
    EXPECT_TOLD("SELECT chime.drop_view('peak')", "true");
    EXPECT_LAGS("daily 00:00:02 monthly; monthly 00:00:04 yearly; yearly 00:00:08");
    ALTER("'yearly', target_lag => 'none', schedule => '@hourly'"); /* it takes what is there when its hour has come */
    EXPECT_LAGS("daily - downstream; monthly - downstream; yearly -");
    ALTER("'monthly', target_lag => '1h'");
    EXPECT_LAGS("daily 00:30:00 monthly; monthly 01:00:00; yearly -");
    ALTER("'monthly', $$SELECT extract(month FROM day) AS month, count(*) AS n FROM orders GROUP BY 1$$");
    EXPECT_LAGS("daily - downstream; monthly 01:00:00; yearly -");
}
END_TEST

/* What the leader is told, what people are, and what a view is judged by, are one thing. */
START_TEST(all_that_asks_for_the_lag_hears_the_same)
{
    keep_three();
    EXPECT_SQL(cluster,
               "SELECT string_agg(j.job_name || ' ' || l.lag_us, ', ' ORDER BY j.job_name)"
               " FROM chime.downstream_lags() AS l JOIN chime.job j USING (job_id)",
               "daily 2000000, monthly 4000000");
    EXPECT_SQL(cluster, "SELECT warn_after || ' ' || error_after FROM chime.view_status WHERE relation = 'daily'",
               "00:00:05 00:01:00");
    EXPECT_SQL(cluster,
               "SELECT string_agg(l, '; ' ORDER BY l) FROM chime.view v, chime.explain_view(v) AS l"
               " WHERE l LIKE 'target_lag%'",
               "target_lag: 00:00:02, as analytics.monthly reads it (downstream); target_lag: 00:00:04, as "
               "analytics.yearly reads it (downstream)");
    EXPECT_SQL(cluster, "SELECT string_agg(target_lag, ' ' ORDER BY name) FROM chime.job_status",
               "downstream downstream 8s");
    ALTER("'yearly', target_lag => 'none', schedule => '@hourly'");
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.downstream_lags() WHERE lag_us IS NULL", "2");
    EXPECT_SQL(cluster,
               "SELECT l FROM chime.view v, chime.explain_view(v) AS l WHERE relation = 'daily' AND l LIKE 'target%'",
               "target_lag: downstream, and no view that reads it has one: changes do not wake its job");
    EXPECT_SQL(cluster,
               "SELECT concat_ws(' ', warn_after, error_after) FROM chime.view_status WHERE relation = 'daily'", "");
}
END_TEST

START_TEST(many_levels_end_at_the_shortest_lag_that_there_is)
{
    KEEP("v0", DAILY, "target_lag => 'downstream'");
    cluster_execute(cluster,
                    "SELECT chime.keep_view('v' || i, format('SELECT day, n FROM analytics.v%s', i - 1), '{day}',"
                    " target_lag => CASE WHEN i < 12 THEN 'downstream' ELSE '1s' END) FROM generate_series(1, 12) i");
    EXPECT_SQL(cluster,
               "SELECT string_agg(target_lag::text, ' ' ORDER BY substr(relation, 2)::int DESC) FROM chime.view_status"
               " WHERE substr(relation, 2)::int >= 6",
               "00:00:01 00:00:00.5 00:00:00.25 00:00:00.125 00:00:00.0625 00:00:00.05 00:00:00.05");
    EXPECT_SQL(cluster, "SELECT target_lag FROM chime.view_status WHERE relation = 'v0'", "00:00:00.05");
}
END_TEST

START_TEST(no_view_reads_itself)
{
    keep_three();
    EXPECT_TOLD("SELECT chime.alter_view('daily', $$SELECT day, n FROM analytics.daily$$)",
                "view analytics.daily would read its own rows; let its definition read the tables that it is made of");
    EXPECT_TOLD("SELECT chime.alter_view('daily', $$SELECT DISTINCT o.day, y.n FROM orders o, analytics.yearly y$$)",
                "view analytics.daily would read itself: it reads analytics.yearly, which is made of its rows; let one "
                "of the two read the tables: see pg_get_viewdef('analytics.yearly__live')");
    EXPECT_LAGS("daily 00:00:02 monthly; monthly 00:00:04 yearly; yearly 00:00:08");
    EXPECT_SQL(cluster, "SELECT sum(n) FROM analytics.daily__live", "100");
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.view WHERE definition LIKE '%yearly%'", "0");
}
END_TEST

/* What lies between may be replaced later, by whoever owns it: lags end all the same, and the view says so. */
START_TEST(a_circle_that_somebody_makes_below_is_told)
{
    cluster_execute(cluster, "CREATE VIEW amid AS SELECT day, 1::bigint AS n FROM orders GROUP BY day");
    KEEP("low", "SELECT day, sum(n) AS n FROM amid GROUP BY day", "target_lag => 'downstream'");
    KEEP("high", "SELECT day, n::bigint AS n FROM analytics.low", "key => '{day}', target_lag => '8s'");
    cluster_execute(cluster, "CREATE OR REPLACE VIEW amid AS SELECT day, n FROM analytics.high");
    cluster_execute(cluster, "CALL chime.tend_capture()");
    EXPECT_LAGS("high 00:00:08; low 00:00:04 high");
    EXPECT_SQL(cluster, "SELECT string_agg(full_reason, '; ' ORDER BY relation) FROM chime.view",
               "it reads itself: analytics.high is made of its rows");
    cluster_execute(cluster, "CREATE OR REPLACE VIEW amid AS SELECT day, 1::bigint AS n FROM orders GROUP BY day");
    cluster_execute(cluster, "CALL chime.tend_capture()");
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.view WHERE full_reason LIKE 'it reads itself%'", "0");
}
END_TEST

/* --- under a daemon ----------------------------------------------------------------------------------------------- */

#define IS_WATCHED(views) \
    WAIT_SQL(cluster, "SELECT views::text FROM chime.listener WHERE state = 'listening'", views, 60)
#define WRITE(expected)                                                                    \
    cluster_execute(cluster, "INSERT INTO orders (day, amount) VALUES ('2026-12-24', 5)"); \
    WAIT_SQL(cluster, "SELECT n FROM analytics.yearly", expected, 60)

START_TEST(a_view_below_follows_as_those_above_need_it)
{
    char *folder = files_make_directory();
    char *file = files_path("%s/daily.sql", folder);
    files_write(file, "-- target_lag: downstream\n" DAILY ";\n");
    site_file(site, "monthly", "views: { monthly: { sql = \"" MONTHLY "\"; target_lag = \"downstream\"; }; };\n");
    site_use_plugins(site, folder);
    served = site_lead(site);
    WAIT_SQL(cluster, "SELECT count(*) FROM chime.view_refresh WHERE refreshed_at IS NOT NULL", "2", 60);
    IS_WATCHED("{}"); /* nobody needs them */
    KEEP("yearly", YEARLY, "key => '{months}', target_lag => '1s'");
    IS_WATCHED("{analytics.daily,analytics.monthly,analytics.yearly}");
    WRITE("101");
    EXPECT_SQL(cluster, "SELECT fresh FROM chime.wait_fresh('yearly', '60s')", "t");
    EXPECT_LAGS("daily 00:00:00.25 monthly; monthly 00:00:00.5 yearly; yearly 00:00:01");
    ALTER("'yearly', target_lag => 'none', schedule => '@yearly'");
    IS_WATCHED("{}");
    char *refreshes = cluster_value(cluster, "SELECT sum(refreshes) FROM chime.view_refresh");
    cluster_execute(cluster, "INSERT INTO orders (day, amount) VALUES ('2026-12-24', 5)");
    EXPECT_SQL(cluster,
               "SELECT reason LIKE '%job refresh-daily runs when views that read it need it, and none has a"
               " target_lag' FROM chime.wait_fresh('yearly', '200ms')",
               "t");
    EXPECT_SQL(cluster, "SELECT freshness FROM chime.view_status WHERE relation = 'daily'", "unknown");
    EXPECT_SQL(cluster, "SELECT sum(refreshes) FROM chime.view_refresh", refreshes);
    ALTER("'yearly', target_lag => '1s'");
    IS_WATCHED("{analytics.daily,analytics.monthly,analytics.yearly}");
    WRITE("103");
    free(refreshes);
    free(folder);
    free(file);
}
END_TEST

static Suite *suite(void)
{
    Suite *all = suite_create("downstream");
    TCase *cases = tcase_create("downstream");

    tcase_add_checked_fixture(cases, set_up, served_tear_down);
    tcase_set_timeout(cases, 300);
    tcase_add_test(cases, each_level_has_half_of_the_most_demanding_view_above);
    tcase_add_test(cases, all_that_asks_for_the_lag_hears_the_same);
    tcase_add_test(cases, many_levels_end_at_the_shortest_lag_that_there_is);
    tcase_add_test(cases, no_view_reads_itself);
    tcase_add_test(cases, a_circle_that_somebody_makes_below_is_told);
    tcase_add_test(cases, a_view_below_follows_as_those_above_need_it);
    suite_add_tcase(all, cases);
    return all;
}

int main(void)
{
    return suite_run(suite());
}
