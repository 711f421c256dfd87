/* SPDX-License-Identifier: PostgreSQL */
/* How far views are behind, told from the tables alone: no daemon runs here, and each state of chime.freshness is made
 * by hand. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "support/cluster/cluster.h"
#include "support/keyed/keyed.h"
#include "support/process/suite.h"

static struct cluster *cluster;
static PGconn *other;

/* What chime.view_status tells of a view: "STATE MINUTES PENDING", "?" for what is unknown. */
static const char helpers[] =
    "CREATE FUNCTION app.told(p_view text) RETURNS text LANGUAGE sql RETURN (SELECT concat_ws(' ', freshness,"
    " coalesce(floor(extract(epoch FROM behind) / 60)::text, '?'), coalesce(pending::text, '?'))"
    " FROM chime.view_status WHERE relation = p_view);"
    "CREATE FUNCTION app.limits(p_view text) RETURNS text LANGUAGE sql RETURN (SELECT concat_ws(' ',"
    " coalesce(target_lag::text, '-'), coalesce(warn_after::text, '-'), coalesce(error_after::text, '-'))"
    " FROM chime.view_status WHERE relation = p_view);"
    "CREATE FUNCTION app.job(p_name text, p_view text, p_options jsonb) RETURNS void LANGUAGE sql AS $$"
    " INSERT INTO chime.job (name, origin, views, options) VALUES (p_name, 'plugin', ARRAY['kept.' || p_view], "
    "p_options);"
    " INSERT INTO chime.job_state (job_id, last_slot) SELECT job_id, now() FROM chime.job WHERE name = p_name $$;"
    "CREATE FUNCTION app.set_back(p_view text, p_refreshed interval, p_noted interval) RETURNS void LANGUAGE sql AS $$"
    " UPDATE chime.view_refresh SET refreshed_at = now() - p_refreshed, behind_since = now() - p_noted"
    " WHERE relation = p_view $$";

static void set_up(void)
{
    cluster = keyed_create();
    other = cluster_connect(cluster, "postgres");
    cluster_execute(cluster, helpers);
    KEYED_INSTALL(cluster, "shop_total");
}

static void tear_down(void)
{
    PQfinish(other);
    cluster_destroy(cluster);
}

#define WRITE "INSERT INTO app.orders (shop, amount) VALUES (1, 2)"
#define THRESHOLDS "{\"warn_after\": \"10min\", \"error_after\": \"1h\"}"
#define EXPECT_TOLD(view, expected) EXPECT_SQL(cluster, "SELECT app.told('" view "')", expected)
#define JOB(name, view, options) cluster_execute(cluster, "SELECT app.job('" name "', '" view "', '" options "')")
#define SET_BACK(view, refreshed, noted) \
    cluster_execute(cluster, "SELECT app.set_back('" view "', " refreshed ", " noted ")")
#define NOTE(view, since) cluster_execute(cluster, "SELECT chime.note_behind('{kept." view "}', ARRAY[" since "])")

/* --- the table of cases ------------------------------------------------------------------------------------------- */

/* Now is 12:00. As in the comment of chime.freshness, row by row; "-" is NULL. */
static const struct {
    const char *idles, *pending, *noted, *refreshed, *watched, *warn, *error;
    const char *expected;
} cases[] = {
    /* never refreshed */
    {"true", "-", "-", "-", "true", "10min", "1h", "unknown -"},
    {"false", "-", "-", "-", "false", "-", "-", "unknown -"},
    /* nothing is pending */
    {"true", "false", "-", "01:00", "false", "10min", "1h", "fresh 00:00:00"},
    {"true", "false", "-", "01:00", "false", "-", "-", "fresh 00:00:00"},
    {"true", "false", "05:00", "01:00", "false", "10min", "1h", "fresh 00:00:00"},
    /* pending and noted */
    {"true", "true", "11:51", "01:00", "false", "10min", "1h", "fresh 00:09:00"},
    {"true", "true", "11:50", "01:00", "false", "10min", "1h", "warn 00:10:00"},
    {"true", "true", "11:50", "01:00", "true", "10min", "1h", "warn 00:10:00"},
    {"true", "true", "11:00", "01:00", "false", "10min", "1h", "stale 01:00:00"},
    {"true", "true", "11:00", "01:00", "false", "10min", "-", "warn 01:00:00"},
    {"true", "true", "11:01", "01:00", "false", "-", "1h", "fresh 00:59:00"},
    {"true", "true", "11:00", "01:00", "false", "-", "1h", "stale 01:00:00"},
    {"true", "true", "11:00", "01:00", "true", "-", "-", "unknown 01:00:00"},
    {"true", "true", "12:01", "01:00", "false", "10min", "1h", "fresh 00:00:00"},
    /* pending, not noted */
    {"true", "true", "-", "11:51", "false", "10min", "1h", "fresh -"},
    {"true", "true", "-", "11:50", "false", "10min", "1h", "unknown -"},
    {"true", "true", "-", "11:50", "true", "10min", "1h", "fresh -"},
    {"true", "true", "-", "01:00", "true", "-", "-", "unknown -"},
    {"true", "true", "-", "11:59", "false", "-", "-", "unknown -"},
    /* the same, refreshed by the clock: it is behind for as long as that at most */
    {"false", "true", "-", "11:51", "false", "10min", "1h", "fresh -"},
    {"false", "true", "-", "11:50", "false", "10min", "1h", "warn 00:10:00"},
    {"false", "true", "-", "01:00", "false", "10min", "1h", "stale 11:00:00"},
    {"false", "true", "-", "01:00", "true", "10min", "1h", "fresh -"},
    {"false", "true", "11:50", "01:00", "false", "10min", "1h", "warn 00:10:00"},
    {"false", "true", "-", "11:59", "false", "-", "-", "unknown -"},
    /* marks do not tell: never keyed, or refreshed by the clock */
    {"false", "-", "-", "11:51", "false", "10min", "1h", "fresh 00:09:00"},
    {"false", "-", "-", "11:50", "false", "10min", "1h", "warn 00:10:00"},
    {"false", "-", "-", "11:00", "true", "10min", "1h", "stale 01:00:00"},
    {"false", "-", "-", "11:00", "false", "10min", "-", "warn 01:00:00"},
    {"false", "-", "-", "11:00", "false", "-", "1h", "stale 01:00:00"},
    {"false", "-", "-", "11:59", "false", "-", "-", "unknown 00:01:00"},
    /* marks do not tell: usually keyed, refreshed when there are changes */
    {"true", "-", "-", "11:51", "false", "10min", "1h", "fresh 00:09:00"},
    {"true", "-", "-", "01:00", "true", "10min", "1h", "unknown 11:00:00"},
    {"true", "-", "11:50", "01:00", "false", "10min", "1h", "warn 11:00:00"},
    {"true", "-", "11:00", "01:00", "false", "10min", "1h", "stale 11:00:00"},
    {"true", "-", "11:51", "01:00", "false", "10min", "1h", "unknown 11:00:00"},
};

static char *freshness_call(size_t n)
{
    PGconn *connection = other;
    const char *values[] = {cases[n].idles,   cases[n].pending, cases[n].noted, cases[n].refreshed,
                            cases[n].watched, cases[n].warn,    cases[n].error};
    const char *parameters[7];
    for (size_t i = 0; i < 7; i++)
        parameters[i] = strcmp(values[i], "-") == 0 ? NULL : values[i];
    PGresult *result = PQexecParams(
        connection,
        "SELECT f.state || ' ' || coalesce(f.behind::text, '-') FROM chime.freshness($1, $2, '2026-11-21Z'::date"
        " + $3::time, '2026-11-21Z'::date + $4::time, $5, $6, $7, '2026-11-21 12:00') AS f",
        7, NULL, parameters, NULL, NULL, 0);
    ck_assert_msg(PQresultStatus(result) == PGRES_TUPLES_OK, "%s", PQerrorMessage(connection));
    char *told = strdup(PQgetvalue(result, 0, 0));
    PQclear(result);
    return told;
}

START_TEST(each_case_has_its_state)
{
    for (size_t n = 0; n < sizeof(cases) / sizeof(*cases); n++) {
        char *told = freshness_call(n);
        ck_assert_msg(strcmp(told, cases[n].expected) == 0, "case %zu: %s, not %s", n, told, cases[n].expected);
        free(told);
    }
}
END_TEST

/* --- thresholds --------------------------------------------------------------------------------------------------- */

START_TEST(thresholds_follow_from_a_target_where_they_are_not_given)
{
    EXPECT_SQL(cluster, "SELECT app.limits('shop_total')", "- - -");
    JOB("a", "shop_total", "{\"target_lag\": \"250ms\", \"warn_after\": \"none\"}");
    EXPECT_SQL(cluster, "SELECT app.limits('shop_total')", "00:00:00.25 00:00:05 00:01:00");
    cluster_execute(cluster, "UPDATE chime.job SET options = '{\"target_lag\": \"1h\"}'");
    EXPECT_SQL(cluster, "SELECT app.limits('shop_total')", "01:00:00 02:00:00 10:00:00");
    cluster_execute(cluster, "UPDATE chime.job SET options = '{\"target_lag\": \"1s\", \"warn_after\": \"10min\"}'");
    EXPECT_SQL(cluster, "SELECT app.limits('shop_total')", "00:00:01 00:10:00 00:10:00");
    cluster_execute(cluster, "UPDATE chime.job SET options = '{\"target_lag\": \"1s\", \"error_after\": \"2s\"}'");
    EXPECT_SQL(cluster, "SELECT app.limits('shop_total')", "00:00:01 00:00:02 00:00:02");
    cluster_execute(cluster, "UPDATE chime.job SET options = '{\"target_lag\": \"none\", \"error_after\": \"2h\"}'");
    EXPECT_SQL(cluster, "SELECT app.limits('shop_total')", "- - 02:00:00");
}
END_TEST

START_TEST(of_several_jobs_the_tightest_counts_and_none_that_sleeps)
{
    JOB("a", "shop_total", "{\"target_lag\": \"10min\"}");
    JOB("b", "shop_total", "{\"target_lag\": \"1min\", \"error_after\": \"2h\"}");
    JOB("c", "shop_total", "{\"target_lag\": \"1s\"}");
    JOB("d", "shop_totals", "{\"target_lag\": \"1s\"}");
    cluster_execute(cluster, "UPDATE chime.job SET active = false WHERE name = 'c'");
    EXPECT_SQL(cluster, "SELECT app.limits('shop_total')", "00:01:00 00:02:00 01:40:00");
}
END_TEST

/* --- what is pending ---------------------------------------------------------------------------------------------- */

#define EXPECT_PENDING(limit, expected) \
    EXPECT_SQL(cluster, "SELECT chime.pending_changes('shop_total', " limit ")", expected)

START_TEST(committed_marks_are_pending_until_they_are_taken)
{
    EXPECT_PENDING("1000", "0");
    session_execute(other, "BEGIN");
    session_execute(other, "INSERT INTO app.orders (shop) SELECT generate_series(1, 5)");
    EXPECT_PENDING("1000", "0");
    cluster_execute(cluster, "INSERT INTO app.orders (shop) SELECT generate_series(1, 3)");
    EXPECT_PENDING("1000", "3");
    EXPECT_LOOK(cluster, "shop_total", "keyed 3: +3 ~0 -0");
    EXPECT_PENDING("1000", "0");
    session_execute(other, "COMMIT"); /* its id is below what the view has seen */
    EXPECT_PENDING("1000", "5");
    EXPECT_PENDING("2", "2");
    EXPECT_LOOK(cluster, "shop_total", "keyed 5: +2 ~3 -0");
    EXPECT_PENDING("1000", "0");
}
END_TEST

START_TEST(marks_do_not_tell_where_one_may_be_missing)
{
    EXPECT_TOLD("shop_total", "fresh 0 false");
    cluster_execute(cluster, "ALTER TABLE app.orders DISABLE TRIGGER ALL");
    EXPECT_PENDING("1000", NULL);
    EXPECT_TOLD("shop_total", "unknown 0 ?");
    JOB("a", "shop_total", THRESHOLDS);
    EXPECT_TOLD("shop_total", "fresh 0 ?");
    SET_BACK("shop_total", "'2h'", "NULL");
    cluster_execute(cluster, "ALTER TABLE app.orders ENABLE TRIGGER ALL");
    EXPECT_TOLD("shop_total", "unknown 120 ?");
    cluster_execute(cluster, "SELECT app.look('shop_total')");
    EXPECT_TOLD("shop_total", "fresh 0 false");
    cluster_execute(cluster, "UPDATE chime.view_refresh SET seen = NULL");
    EXPECT_PENDING("1000", NULL);
}
END_TEST

START_TEST(a_view_that_changes_as_time_passes_counts_from_when_that_was_looked_at)
{
    EXPECT_SQL(cluster,
               "SELECT app.install('due', 'SELECT shop, count(*) FILTER (WHERE amount < extract(epoch FROM"
               " chime.as_of())) AS n FROM orders GROUP BY shop', '{shop}',"
               " '[{\"table\": \"orders\", \"columns\": [\"shop\", \"amount\"], \"capture\": [\"shop\"]}]',"
               " p_revisit => 'SELECT DISTINCT shop FROM orders')",
               NULL);
    keyed_tend(cluster);
    cluster_execute(cluster, "SELECT app.look('due'), app.look('due')");
    EXPECT_TOLD("due", "unknown 0 false");
    JOB("a", "due", THRESHOLDS);
    EXPECT_TOLD("due", "fresh 0 false");
    SET_BACK("due", "'30min'", "NULL");
    cluster_execute(cluster, "UPDATE chime.view_refresh SET revisited_at = refreshed_at");
    EXPECT_TOLD("due", "warn 30 false");
    cluster_execute(cluster, WRITE);
    cluster_execute(cluster, "SELECT chime.refresh('due', p_revisit => false)"); /* as one for a change does */
    EXPECT_TOLD("due", "warn 30 false");
    cluster_execute(cluster, "SELECT app.look('due')");
    EXPECT_TOLD("due", "fresh 0 false");
    /* What follows from a target is for changes. */
    cluster_execute(cluster, "UPDATE chime.job SET options = '{\"target_lag\": \"1s\"}'");
    SET_BACK("due", "'30min'", "NULL");
    EXPECT_TOLD("due", "unknown 30 false");
}
END_TEST

/* A look must cost what is pending, not what the log holds. */
START_TEST(a_look_reads_no_more_of_a_log_than_it_must)
{
    cluster_execute(cluster, "INSERT INTO app.orders (shop) SELECT generate_series(1, 20000)");
    cluster_execute(cluster, "SELECT app.look('shop_total')");
    cluster_execute(cluster, WRITE);
    cluster_execute(cluster, "SELECT pg_stat_force_next_flush(); ANALYZE chime.change_1_1");
    cluster_execute(cluster, "SELECT pg_stat_reset()");
    EXPECT_PENDING("1000", "1");
    cluster_execute(cluster, "SELECT pg_stat_force_next_flush()");
    EXPECT_SQL(cluster, "SELECT seq_scan FROM pg_stat_all_tables WHERE relname = 'change_1_1'", "0");
    EXPECT_SQL(cluster, "SELECT idx_tup_fetch <= 10 FROM pg_stat_all_tables WHERE relname = 'change_1_1'", "t");
}
END_TEST

/* A plan that was kept from before does not know a part that was begun since, and the transaction holds all the locks
 * that planning anew would take. */
START_TEST(marks_of_a_part_begun_meanwhile_are_seen_by_a_transaction_under_way)
{
    for (int n = 0; n < 7; n++) { /* until plans are kept */
        EXPECT_TOLD("shop_total", "fresh 0 false");
        EXPECT_PENDING("5", "0");
    }
    cluster_execute(cluster, "BEGIN");
    EXPECT_TOLD("shop_total", "fresh 0 false");
    EXPECT_PENDING("5", "0");
    session_execute(other, "SELECT chime.add_part(source_id, 2) FROM chime.source");
    session_execute(other, "INSERT INTO chime.change_1_2 (shop) VALUES (1)");
    EXPECT_TOLD("shop_total", "unknown ? true");
    EXPECT_PENDING("5", "1");
    cluster_execute(cluster, "COMMIT");
}
END_TEST

/* Dashboards ask each second: what two views read is looked at once, and nothing is planned anew. */
START_TEST(a_source_of_several_views_is_looked_at_once)
{
    EXPECT_SQL(cluster,
               "SELECT app.install('shop_count', 'SELECT shop, count(*) AS n FROM orders GROUP BY shop', '{shop}',"
               " '[{\"table\": \"orders\", \"columns\": [\"shop\"], \"capture\": [\"shop\"]}]')",
               NULL);
    keyed_tend(cluster);
    cluster_execute(cluster, "SELECT app.look('shop_count'), app.look('shop_total')");
    EXPECT_TOLD("shop_count", "fresh 0 false");
    EXPECT_TOLD("shop_total", "fresh 0 false");
    cluster_execute(cluster, "SET track_functions = 'all'");
    cluster_execute(cluster, "BEGIN");
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.view_freshness()", "2");
    EXPECT_SQL(cluster,
               "SELECT string_agg(funcname || ' ' || calls, ', ' ORDER BY funcname) FROM pg_stat_xact_user_functions"
               " WHERE funcname IN ('captured', 'source_looks', 'unseen_marks')",
               "captured 1, source_looks 1, unseen_marks 1");
    cluster_execute(cluster, "COMMIT");
    cluster_execute(cluster, "RESET track_functions");
}
END_TEST

/* --- what was noted ----------------------------------------------------------------------------------------------- */

#define EXPECT_NOTED(expected)                                                                                   \
    EXPECT_SQL(cluster, "SELECT behind_since IS NOT NULL FROM chime.view_refresh WHERE relation = 'shop_total'", \
               expected)

START_TEST(what_is_behind_is_noted_once_and_forgotten_by_a_refresh)
{
    NOTE("shop_total", "clock_timestamp()");
    EXPECT_NOTED("f"); /* nothing is pending */
    cluster_execute(cluster, WRITE);
    NOTE("shop_total", "clock_timestamp() - interval '1 day'");
    EXPECT_NOTED("f"); /* a refresh came after */
    cluster_execute(cluster,
                    "SELECT chime.note_behind('{kept.nothing,kept.shop_total}', ARRAY[now(), now() + '1 day'])");
    EXPECT_NOTED("t");
    EXPECT_SQL(cluster, "SELECT max(behind_since) <= now() FROM chime.view_refresh", "t");
    cluster_execute(cluster, "CREATE TABLE before AS SELECT max(behind_since) AS since FROM chime.view_refresh");
    NOTE("shop_total", "clock_timestamp()");
    EXPECT_SQL(cluster, "SELECT count(*) FROM before JOIN chime.view_refresh ON behind_since = since", "1");
    EXPECT_LOOK(cluster, "shop_total", "keyed 1: +1 ~0 -0");
    EXPECT_NOTED("f");
}
END_TEST

START_TEST(a_view_that_is_being_refreshed_is_passed_over)
{
    cluster_execute(cluster, WRITE);
    session_execute(other, "BEGIN");
    session_execute(other, "SELECT chime.refresh('shop_total')");
    cluster_execute(cluster, WRITE);
    cluster_execute(cluster, "SET statement_timeout = '20s'");
    NOTE("shop_total", "clock_timestamp()");
    cluster_execute(cluster, "RESET statement_timeout");
    session_execute(other, "COMMIT");
    EXPECT_NOTED("f");
    NOTE("shop_total", "clock_timestamp()");
    EXPECT_NOTED("t");
}
END_TEST

START_TEST(an_older_snapshot_than_the_note_cannot_refresh)
{
    session_execute(other, "BEGIN ISOLATION LEVEL REPEATABLE READ");
    session_execute(other, "SELECT count(*) FROM app.orders");
    cluster_execute(cluster, WRITE);
    NOTE("shop_total", "clock_timestamp()");
    PGresult *result = PQexec(other, "SELECT chime.refresh('shop_total')");
    ck_assert_str_eq(PQresultErrorField(result, PG_DIAG_SQLSTATE), "40001");
    PQclear(result);
    session_execute(other, "ROLLBACK");
    EXPECT_NOTED("t");
}
END_TEST

/* --- all of it together ------------------------------------------------------------------------------------------- */

START_TEST(a_keyed_view_is_judged_by_its_oldest_pending_change)
{
    EXPECT_TOLD("shop_total", "fresh 0 false");
    SET_BACK("shop_total", "'1 day'", "NULL");
    EXPECT_TOLD("shop_total", "fresh 0 false");
    cluster_execute(cluster, WRITE);
    EXPECT_TOLD("shop_total", "unknown ? true");
    JOB("a", "shop_total", THRESHOLDS);
    EXPECT_TOLD("shop_total", "unknown ? true");
    SET_BACK("shop_total", "'5min'", "NULL");
    EXPECT_TOLD("shop_total", "fresh ? true");
    SET_BACK("shop_total", "'1 day'", "'9min'");
    EXPECT_TOLD("shop_total", "fresh 9 true");
    SET_BACK("shop_total", "'1 day'", "'10min'");
    EXPECT_TOLD("shop_total", "warn 10 true");
    SET_BACK("shop_total", "'1 day'", "'1h'");
    EXPECT_TOLD("shop_total", "stale 60 true");
    EXPECT_LOOK(cluster, "shop_total", "keyed 1: +1 ~0 -0");
    EXPECT_TOLD("shop_total", "fresh 0 false");
}
END_TEST

/* This session plays the leader. */
#define LEAD                                                                                             \
    "UPDATE chime.leader SET token = gen_random_uuid(), pid = pg_backend_pid(), backend_start = (SELECT" \
    " a.backend_start FROM pg_stat_activity a WHERE a.pid = pg_backend_pid())"

START_TEST(a_leader_that_watches_would_have_noted_it)
{
    JOB("a", "shop_total", "{\"target_lag\": \"1s\"}");
    SET_BACK("shop_total", "'1 day'", "NULL");
    cluster_execute(cluster, WRITE);
    EXPECT_TOLD("shop_total", "unknown ? true");
    cluster_execute(cluster, LEAD);
    EXPECT_TOLD("shop_total", "fresh ? true");
    cluster_execute(cluster, "UPDATE chime.job_state SET suspended_at = now()");
    EXPECT_TOLD("shop_total", "unknown ? true");
    cluster_execute(cluster, "UPDATE chime.job_state SET suspended_at = NULL");
    cluster_execute(cluster, "UPDATE chime.job SET options = '" THRESHOLDS "'"); /* nothing makes it look */
    EXPECT_TOLD("shop_total", "unknown ? true");
    cluster_execute(cluster, "UPDATE chime.job SET options = '{\"target_lag\": \"1s\"}'");
    EXPECT_TOLD("shop_total", "fresh ? true");
    SET_BACK("shop_total", "'1 day'", "'2min'");
    EXPECT_TOLD("shop_total", "stale 2 true");
    SET_BACK("shop_total", "'1 day'", "NULL");
    cluster_execute(cluster, "UPDATE chime.leader SET backend_start = now() - interval '1 day'");
    EXPECT_TOLD("shop_total", "unknown ? true");
}
END_TEST

/* A role that may not look at others' sessions sees of each only that it is there. */
START_TEST(a_leader_that_nobody_is_does_not_watch)
{
    cluster_execute(cluster, "CREATE ROLE looker; GRANT USAGE ON SCHEMA chime TO looker;"
                             " GRANT EXECUTE ON FUNCTION chime.backend_alive(integer, timestamptz) TO looker");
    cluster_execute(cluster, "SET ROLE looker");
    EXPECT_SQL(cluster, "SELECT chime.backend_alive(NULL, NULL)", "f");
    cluster_execute(cluster, "RESET ROLE");
}
END_TEST

START_TEST(a_keyed_view_that_the_clock_refreshes_has_a_state_without_a_target)
{
    JOB("a", "shop_total", THRESHOLDS);
    cluster_execute(cluster, "UPDATE chime.job SET schedule = '*/5 * * * *'");
    EXPECT_TOLD("shop_total", "fresh 0 false");
    cluster_execute(cluster, WRITE);
    SET_BACK("shop_total", "'9min'", "NULL");
    EXPECT_TOLD("shop_total", "fresh ? true");
    SET_BACK("shop_total", "'12min'", "NULL");
    EXPECT_TOLD("shop_total", "warn 12 true");
    SET_BACK("shop_total", "'1 day'", "NULL");
    EXPECT_TOLD("shop_total", "stale 1440 true");
    cluster_execute(cluster, LEAD);
    EXPECT_TOLD("shop_total", "stale 1440 true");
    cluster_execute(cluster, "UPDATE chime.listener SET state = 'listening', views = '{kept.shop_total}'");
    EXPECT_TOLD("shop_total", "fresh ? true");
    SET_BACK("shop_total", "'1 day'", "'15min'");
    EXPECT_TOLD("shop_total", "warn 15 true");
    cluster_execute(cluster, "ALTER TABLE app.orders DISABLE TRIGGER ALL");
    EXPECT_TOLD("shop_total", "stale 1440 ?");
}
END_TEST

START_TEST(a_view_that_is_not_keyed_is_behind_since_its_refresh_at_most)
{
    cluster_execute(cluster,
                    "SELECT app.install('order_count', 'SELECT 1 AS one, count(*) AS n FROM orders', '{one}', '[]',"
                    " NULL, NULL, 'full')");
    EXPECT_TOLD("order_count", "unknown ? ?");
    EXPECT_LOOK(cluster, "order_count", "full: its mode is full");
    EXPECT_TOLD("order_count", "unknown 0 ?");
    JOB("a", "order_count", THRESHOLDS);
    EXPECT_TOLD("order_count", "fresh 0 ?");
    SET_BACK("order_count", "'10min'", "NULL");
    EXPECT_TOLD("order_count", "warn 10 ?");
    SET_BACK("order_count", "'61min'", "NULL");
    EXPECT_TOLD("order_count", "stale 61 ?");
    EXPECT_SQL(cluster, "SELECT chime.pending_changes('order_count')", NULL);
}
END_TEST

/* Its last refresh is in the future where the clock was put back: no target would be due until then. */
START_TEST(a_view_that_is_not_keyed_is_due_at_once_after_the_clock_was_put_back)
{
    static const char due[] = "SELECT count(*) FROM chime.check_closely('{kept.order_count}', '{1h}')";

    cluster_execute(cluster,
                    "SELECT app.install('order_count', 'SELECT 1 AS one, count(*) AS n FROM orders', '{one}', '[]',"
                    " NULL, NULL, 'full')");
    EXPECT_LOOK(cluster, "order_count", "full: its mode is full");
    EXPECT_SQL(cluster, due, "0");
    SET_BACK("order_count", "interval '31min'", "NULL");
    EXPECT_SQL(cluster, due, "1");
    SET_BACK("order_count", "interval '-1 year'", "NULL");
    EXPECT_SQL(cluster, due, "1");
}
END_TEST

START_TEST(a_view_is_as_far_behind_as_the_views_it_reads)
{
    KEYED_INSTALL(cluster, "shop_size");
    cluster_execute(cluster,
                    "SELECT app.install('sizes', 'SELECT size, count(*) AS n FROM shop_size GROUP BY size', '{size}',"
                    " '[]', NULL, NULL, 'full')");
    EXPECT_LOOK(cluster, "sizes", "full: its mode is full");
    JOB("a", "shop_size", THRESHOLDS);
    JOB("b", "sizes", THRESHOLDS);
    EXPECT_TOLD("shop_size", "fresh 0 false");
    cluster_execute(cluster, WRITE);
    SET_BACK("shop_total", "'1 day'", "'2h'");
    EXPECT_TOLD("shop_size", "stale 120 true");
    EXPECT_TOLD("sizes", "stale 120 true");
    EXPECT_TOLD("shop_total", "unknown 120 true");
    SET_BACK("shop_total", "'1 day'", "NULL");
    EXPECT_TOLD("shop_size", "unknown ? true");
    EXPECT_LOOK(cluster, "shop_total", "keyed 1: +1 ~0 -0");
    EXPECT_TOLD("shop_size", "fresh ? true"); /* now it is its own turn: at most as long as since its refresh */
    EXPECT_LOOK(cluster, "shop_size", "keyed 1: +1 ~0 -0");
    EXPECT_TOLD("shop_size", "fresh 0 false");
    EXPECT_TOLD("sizes", "fresh 0 ?");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("freshness");
    TCase *tests = tcase_create("freshness");
    tcase_set_timeout(tests, 120);
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, each_case_has_its_state);
    tcase_add_test(tests, thresholds_follow_from_a_target_where_they_are_not_given);
    tcase_add_test(tests, of_several_jobs_the_tightest_counts_and_none_that_sleeps);
    tcase_add_test(tests, committed_marks_are_pending_until_they_are_taken);
    tcase_add_test(tests, marks_do_not_tell_where_one_may_be_missing);
    tcase_add_test(tests, a_view_that_changes_as_time_passes_counts_from_when_that_was_looked_at);
    tcase_add_test(tests, a_look_reads_no_more_of_a_log_than_it_must);
    tcase_add_test(tests, marks_of_a_part_begun_meanwhile_are_seen_by_a_transaction_under_way);
    tcase_add_test(tests, a_source_of_several_views_is_looked_at_once);
    tcase_add_test(tests, what_is_behind_is_noted_once_and_forgotten_by_a_refresh);
    tcase_add_test(tests, a_view_that_is_being_refreshed_is_passed_over);
    tcase_add_test(tests, an_older_snapshot_than_the_note_cannot_refresh);
    tcase_add_test(tests, a_keyed_view_is_judged_by_its_oldest_pending_change);
    tcase_add_test(tests, a_leader_that_watches_would_have_noted_it);
    tcase_add_test(tests, a_leader_that_nobody_is_does_not_watch);
    tcase_add_test(tests, a_keyed_view_that_the_clock_refreshes_has_a_state_without_a_target);
    tcase_add_test(tests, a_view_that_is_not_keyed_is_behind_since_its_refresh_at_most);
    tcase_add_test(tests, a_view_that_is_not_keyed_is_due_at_once_after_the_clock_was_put_back);
    tcase_add_test(tests, a_view_is_as_far_behind_as_the_views_it_reads);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
