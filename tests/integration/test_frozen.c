/* SPDX-License-Identifier: PostgreSQL */
/* Rows that a view freezes outlive those of its sources, whatever refreshes, compares or repairs it. */
#include <check.h>
#include <stdlib.h>

#include "support/keyed/keyed_stage.h"
#include "support/process/files.h"
#include "support/process/suite.h"

#define FROZEN "bucket < chime.as_of() - interval ''20 days''"
#define INSTALL "SELECT app.freeze('daily', '" FROZEN "')"
#define AT(at, view, expected) EXPECT_SQL(cluster, "SELECT app.at('" at "', '" view "')", expected)
#define ROWS(view, expected) EXPECT_SQL(cluster, "SELECT app.rows_of('" view "')", expected)
#define LATE(expected) EXPECT_SQL(cluster, "SELECT late FROM chime.view_status WHERE relation = 'daily'", expected)

static void set_up(void)
{
    keyed_stage_set();
    cluster_execute_file(cluster, PGCHIME_SOURCE_DIR "/tests/support/keyed/keyed_frozen.sql");
    cluster_execute(cluster, "INSERT INTO app.readings (at, kind, amount)"
                             " SELECT timestamptz '2026-01-01 12:00+00' + d * interval '1 day', k, d"
                             " FROM generate_series(0, 9) AS d, unnest('{a,b}'::text[]) AS k");
}

/* Ten days with two rows each; those up to January 4th are frozen from then on. */
static void freeze(void)
{
    EXPECT_SQL(cluster, INSTALL, NULL);
    keyed_tend(cluster);
    AT("2026-01-25 00:00+00", "daily", "full: the first time");
}

#define TEN "01-01 2, 01-02 2, 01-03 2, 01-04 2, 01-05 2, 01-06 2, 01-07 2, 01-08 2, 01-09 2, 01-10 2"
#define FOUR "01-01 2, 01-02 2, 01-03 2, 01-04 2"

START_TEST(frozen_rows_outlive_those_of_their_source)
{
    freeze();
    cluster_execute(cluster, "DELETE FROM app.readings WHERE at < '2026-01-07'");
    AT("2026-01-25 01:00+00", "daily", "keyed 2: +0 ~0 -2");
    ROWS("daily", FOUR ", 01-07 2, 01-08 2, 01-09 2, 01-10 2");
    EXPECT_SQL(cluster, "SELECT app.at('2026-01-25 02:00+00', 'daily', true)", "keyed 0: +0 ~0 -0");
    ROWS("daily", FOUR ", 01-07 2, 01-08 2, 01-09 2, 01-10 2");
    EXPECT_SQL(cluster, "SELECT rows || ' ' || missing || ' ' || surplus FROM chime.difference('daily')", "4 0 0");
    EXPECT_SQL(cluster, "SELECT chime.frozen_rows(chime.find_view('daily'))", "4");
    EXPECT_SQL(cluster, "SELECT string_agg(n::text, ' ' ORDER BY bucket) FROM kept.daily__now", "2 2 2 2 2 2 2 2");
    cluster_execute(cluster, "TRUNCATE app.readings");
    AT("2026-01-25 03:00+00", "daily", "full: app.readings was truncated");
    ROWS("daily", FOUR);
    EXPECT_SQL(cluster, "SELECT string_agg(n::text, ' ' ORDER BY bucket) FROM kept.daily__now", "2 2 2 2");
    EXPECT_SQL(cluster, "SELECT chime.repair('daily')", NULL);
    ROWS("daily", FOUR);
    EXPECT_SQL(cluster, "SELECT late FROM chime.view_refresh WHERE relation = 'daily'", "0");
}
END_TEST

/* The refresh after its time has come computes a group for the last time. */
START_TEST(a_group_freezes_once_a_refresh_has_computed_it_after_its_time)
{
    freeze();
    cluster_execute(cluster, "INSERT INTO app.readings (at, kind, amount) VALUES ('2026-01-05 01:00+00', 'c', 1)");
    AT("2026-01-28 00:00+00", "daily", "keyed 1: +0 ~1 -0");
    cluster_execute(cluster, "INSERT INTO app.readings (at, kind, amount) VALUES ('2026-01-05 02:00+00', 'c', 1)");
    AT("2026-01-28 00:00+00", "daily", "keyed 0: +0 ~0 -0");
    ROWS("daily", FOUR ", 01-05 3, 01-06 2, 01-07 2, 01-08 2, 01-09 2, 01-10 2");
    /* a clock that goes back thaws nothing, and a session's own idea of the time freezes nothing */
    AT("2026-01-02 00:00+00", "daily", "keyed 0: +0 ~0 -0");
    EXPECT_SQL(cluster, "SELECT frozen_at = '2026-01-28 00:00+00' FROM chime.view_refresh WHERE relation = 'daily'",
               "t");
    AT("2999-01-01 00:00+00", "daily", "keyed 0: +0 ~0 -0");
    EXPECT_SQL(cluster, "SELECT frozen_at <= now() FROM chime.view_refresh WHERE relation = 'daily'", "t");
}
END_TEST

START_TEST(late_rows_are_counted_and_change_nothing)
{
    freeze();
    LATE("0");
    cluster_execute(cluster, "INSERT INTO app.readings (at, kind, amount) VALUES ('2026-01-02', 'c', 1),"
                             " ('2026-01-02', 'd', 1), ('2025-12-30', 'c', 1), ('2026-01-08', 'c', 1)");
    AT("2026-01-25 01:00+00", "daily", "keyed 1: +0 ~1 -0");
    ROWS("daily", FOUR ", 01-05 2, 01-06 2, 01-07 2, 01-08 3, 01-09 2, 01-10 2");
    LATE("2");
    cluster_execute(cluster,
                    "DELETE FROM app.readings WHERE at < '2026-01-04'"); /* what a retention does is not late */
    AT("2026-01-25 02:00+00", "daily", "keyed 0: +0 ~0 -0");
    LATE("2");
    cluster_execute(cluster, "DELETE FROM app.readings WHERE id = (SELECT min(id) FROM app.readings);"
                             "INSERT INTO app.readings (at, kind, amount) VALUES ('2026-01-04', 'c', 1);"
                             "UPDATE app.readings SET amount = 7 WHERE at < '2026-01-05'");
    AT("2026-01-25 03:00+00", "daily", "keyed 0: +0 ~0 -0");
    LATE("3");
    char *expected = cluster_value(
        cluster,
        "SELECT format('view kept.daily was to change 3 groups that are frozen, the last at %s; its rows arrive"
        " later than 20 days: a longer interval in \"frozen\" leaves them time; chime.recompute_frozen"
        " takes them in while all rows of these groups are there', to_char(late_at AT TIME ZONE"
        " 'UTC', 'YYYY-MM-DD HH24:MI:SS\"Z\"')) FROM chime.view_refresh WHERE relation = 'daily'");
    EXPECT_SQL(cluster, "SELECT finding || '; ' || hint FROM chime.ledger_findings() WHERE id = 'late-rows'", expected);
    free(expected);
}
END_TEST

/* By hand, for a range; what the definition gives no more stays. */
START_TEST(late_rows_are_taken_in_where_somebody_asks_for_it)
{
    freeze();
    cluster_execute(cluster, "DELETE FROM app.readings WHERE at < '2026-01-02';"
                             "INSERT INTO app.readings (at, kind, amount) VALUES ('2026-01-02', 'c', 1),"
                             " ('2026-01-03', 'c', 1), ('2025-12-30', 'c', 1), ('2026-01-06', 'c', 1)");
    AT("2026-01-25 00:00+00", "daily", "keyed 1: +0 ~1 -0");
#define AGAIN(from, to) "SELECT inserted || ' ' || updated FROM chime.recompute_frozen('daily', " from ", " to ")"
    EXPECT_SQL(cluster, AGAIN("NULL", "'2026-01-03 00:00+00'"), "1 1");
    ROWS("daily", "12-30 1, 01-01 2, 01-02 3, 01-03 2, 01-04 2, 01-05 2, 01-06 3, 01-07 2, 01-08 2, 01-09 2, 01-10 2");
    EXPECT_SQL(cluster, AGAIN("NULL", "NULL"), "0 1");
    EXPECT_SQL(cluster, AGAIN("NULL", "NULL"), "0 0");
    AT("2026-01-25 00:00+00", "daily", "keyed 0: +0 ~0 -0");
    cluster_execute(cluster, "DELETE FROM kept.daily WHERE bucket = '2026-01-01'");
    EXPECT_SQL(cluster, "SELECT app.freeze('daily', NULL)", NULL);
    EXPECT_SQL(cluster, "SELECT app.fails($$" AGAIN("NULL", "NULL") "$$)", "view kept.daily freezes no rows");
}
END_TEST

START_TEST(verify_leaves_frozen_rows_out_and_says_how_many)
{
    freeze();
    cluster_execute(cluster, "DELETE FROM app.readings WHERE at < '2026-01-04'; DELETE FROM kept.daily WHERE bucket > "
                             "'2026-01-08'");
    EXPECT_SQL(cluster, "SELECT regexp_replace(chime.verify_view('kept.daily', true), ' \\(.*\\)', '')",
               "kept.daily: 2 missing, 0 surplus beside 4 frozen rows, repaired");
    EXPECT_SQL(cluster, "SELECT frozen || ' ' || rows FROM chime.verification", "4 4");
    ROWS("daily", TEN);
    EXPECT_SQL(cluster, "SELECT chime.verify_view('kept.daily', true)", NULL);
    EXPECT_SQL(cluster, "SELECT frozen_at = refreshed_at FROM chime.view_refresh WHERE relation = 'daily'", "t");
}
END_TEST

START_TEST(a_backfill_leaves_frozen_groups_and_refuses_a_range_of_them)
{
    freeze();
    cluster_execute(cluster, "DELETE FROM app.readings WHERE at < '2026-01-04';"
                             "UPDATE kept.daily SET n = 7 WHERE bucket IN ('2026-01-02', '2026-01-09')");
    EXPECT_SQL(cluster, "SELECT total FROM chime.begin_backfill('kept.daily', NULL, NULL, NULL)", "6");
    cluster_execute(cluster, "SELECT chime.begin_backfill('kept.daily', NULL, NULL, NULL);"
                             "SELECT chime.backfill_step('kept.daily', 100) FROM generate_series(1, 3)");
    ROWS("daily", "01-01 2, 01-02 7, 01-03 2, 01-04 2, 01-05 2, 01-06 2, 01-07 2, 01-08 2, 01-09 2, 01-10 2");
    EXPECT_SQL(cluster,
               "SELECT app.fails($$SELECT chime.begin_backfill('kept.daily', '2026-01-02', '2026-01-08', NULL)$$)",
               "groups of kept.daily before 2026-01-05 00:00:00+00 are frozen: they stay as they are");
    EXPECT_SQL(cluster, "SELECT app.fails($$SELECT chime.begin_backfill('kept.daily', NULL, '2026-01-08', NULL)$$)",
               "groups of kept.daily before 2026-01-05 00:00:00+00 are frozen: they stay as they are");
    EXPECT_SQL(cluster, "SELECT total FROM chime.begin_backfill('kept.daily', '2026-01-05 00:00:00+00', NULL, NULL)",
               "6");
    /* what the hint says is not refused again */
    AT("2026-01-25 00:00:00.5+00", "daily", "keyed 0: +0 ~0 -0");
    EXPECT_SQL(cluster, "SELECT app.hint($$SELECT chime.begin_backfill('kept.daily', '2026-01-02', NULL, NULL)$$)",
               "--from '2026-01-05 00:00:01Z' computes those after them");
    EXPECT_SQL(cluster, "SELECT total FROM chime.begin_backfill('kept.daily', '2026-01-05 00:00:01Z', NULL, NULL)",
               "5");
}
END_TEST

START_TEST(only_what_freezes_for_good_is_taken)
{
    static const struct {
        const char *frozen;
        const char *because;
    } refused[] = {
        {"bucket < now() - interval '20 days'", "it goes by now(), and refreshes go by chime.as_of()"},
        {"bucket < '2026-01-01'", "it does not go by chime.as_of(), so a row that is new could be frozen"},
        {"true", "it does not go by chime.as_of(), so a row that is new could be frozen"},
        {"bucket > chime.as_of() - interval '20 days'", "it may hold of a row at one time and not at a later one"},
        {"NOT bucket < chime.as_of() - interval '20 days'", "it may hold of a row at one time and not at a later one"},
        {"bucket < chime.as_of() + interval '20 days'", "it may hold of a row at one time and not at a later one"},
        {"bucket < chime.as_of()", "it may hold of a row at one time and not at a later one"},
        {"bucket < chime.as_of() - interval '20 days' OR kind = 'a'",
         "it may hold of a row at one time and not at a later one"},
        {"(kind = 'b' OR (kind = 'a' AND bucket < chime.as_of() - interval '20 days'))",
         "it may hold of a row at one time and not at a later one"},
        {"(bucket < chime.as_of() - interval '20 days') = (kind = 'a')",
         "it may hold of a row at one time and not at a later one"},
        {"bucket < chime.as_of() - interval '20 days' AND bucket > chime.as_of() - interval '40 days'",
         "chime.as_of() is to be in it once, not within OR, NOT or another comparison"},
        {"bucket < chime.as_of() - interval '2 months'", "a month is not always as long: write days"},
        {"bucket < chime.as_of() - interval '1 year'", "a month is not always as long: write days"},
        {"bucket < chime.as_of() - interval '-1 day'", "the interval is to be longer than nothing"},
        {"bucket < chime.as_of() - interval '0'", "the interval is to be longer than nothing"},
        {"total < 5", "column \"total\" does not exist"},
        {"kind < 'b' AND at < chime.as_of() - interval '20 days'", "column \"at\" does not exist"},
        {"bucket < chime.as_of() - interval '20 days' AND kind = app.letter()",
         "it uses function app.letter(), which is not PostgreSQL's own"},
        {"bucket < chime.as_of() - interval '20 days' AND bucket::text > '2'",
         "functions in index predicate must be marked IMMUTABLE"},
        {"bucket < chime.as_of() - interval '20 days' AND kind = current_user::text",
         "functions in index predicate must be marked IMMUTABLE"},
        {"bucket < chime.as_of() - interval '20 days' AND tableoid > 5", "it names more than columns of the key"},
        {"bucket < chime.as_of() - interval '20 days' AND freezing IS NOT NULL",
         "it names more than columns of the key"},
        {"bucket < chime.as_of() - (SELECT interval '20 days')", "cannot use subquery in check constraint"},
        {"bucket < chime.as_of() - interval '20 days') OR (true", "syntax error at or near \"OR\""},
        {"bucket < chime.as_of() - interval '20 days'), ADD COLUMN x integer CHECK (true",
         "syntax error at or near \",\""},
        {"true); DROP TABLE app.readings; --", NULL},
        {"bucket < chime.as_of() - interval 'soon'", "invalid input syntax for type interval: \"soon\""},
        /* what only looks like a comparison */
        {"kind = ' AND (bucket < (chime.as_of() - ''1 day''::interval))' OR bucket < chime.as_of() - interval '20 "
         "days'",
         "it may hold of a row at one time and not at a later one"},
        {"bucket < chime.as_of() - interval '20 days' AND kind <> 'chime_frozen_at'",
         "chime.as_of() is to be in it once, not within OR, NOT or another comparison"},
        {"kind", "argument of WHERE must be type boolean, not type text"},
    };
    cluster_execute(
        cluster,
        "CREATE FUNCTION app.letter() RETURNS text LANGUAGE sql IMMUTABLE RETURN 'a';"
        "CREATE FUNCTION app.by_kind(p_frozen text) RETURNS text LANGUAGE sql RETURN app.freeze('by_kind', p_frozen,"
        " 'SELECT date_trunc(''day'', at AT TIME ZONE ''UTC'') AT TIME ZONE ''UTC'' AS bucket, kind, count(*) AS n, "
        "sum(amount) AS total"
        " FROM readings GROUP BY 1, 2', '{bucket,kind}')");
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++) {
        char *sql = files_path("SELECT app.by_kind($$%s$$)", refused[i].frozen);
        char *said = cluster_value(cluster, sql);
        char *expected = files_path("frozen cannot be \"%s\": %s", refused[i].frozen, refused[i].because);
        if (refused[i].because != NULL)
            ck_assert_str_eq(said, expected);
        else
            ck_assert_ptr_nonnull(said);
        free(sql);
        free(said);
        free(expected);
        EXPECT_SQL(cluster, "SELECT count(*) FROM chime.view WHERE relation = 'by_kind'", "0");
    }
    EXPECT_SQL(cluster, "SELECT count(*) FROM app.readings", "20");
    EXPECT_SQL(cluster, "SELECT to_regclass('chime.freezing')", NULL);
    EXPECT_SQL(cluster, "SELECT app.freeze('daily', '" FROZEN "', p_mode => 'matview')",
               "view kept.daily is to be a materialized view, of which no rows can be frozen");
    EXPECT_SQL(cluster, "SELECT app.by_kind($$kind = 'a' AND bucket <= chime.as_of() - interval '20 days 3 hours'$$)",
               NULL);
    EXPECT_SQL(cluster, "SELECT frozen_when || '; ' || frozen_columns::text FROM chime.view WHERE relation = 'by_kind'",
               "isfinite(bucket) AND bucket <= chime_frozen_at - interval '483:00:00' AND ((kind = 'a'::text));"
               " {bucket,kind}");
}
END_TEST

START_TEST(a_further_condition_freezes_a_part_of_the_groups)
{
    EXPECT_SQL(cluster,
               "SELECT app.freeze('by_kind', $$bucket < chime.as_of() - interval '20 days' AND kind = 'a'$$,"
               " 'SELECT date_trunc(''day'', at AT TIME ZONE ''UTC'') AT TIME ZONE ''UTC'' AS bucket, kind, count(*) "
               "AS n FROM readings GROUP BY 1, 2', '{bucket,kind}')",
               NULL);
    keyed_tend(cluster);
    AT("2026-01-25 00:00+00", "by_kind", "full: the first time");
    cluster_execute(cluster, "DELETE FROM app.readings");
    AT("2026-01-25 01:00+00", "by_kind", "keyed 16: +0 ~0 -16");
    EXPECT_SQL(cluster, "SELECT string_agg(DISTINCT kind, '') || count(*) FROM kept.by_kind", "a4");
}
END_TEST

/* A grain that is coarser than the condition, and a view that has none: rows freeze, if not groups. */
START_TEST(rows_freeze_where_groups_do_not)
{
    static const char *const modes[] = {"auto", "full"};
    cluster_execute(cluster, "CREATE INDEX ON app.readings (kind); DROP INDEX app.readings_timezone_idx");
    for (size_t i = 0; i < 2; i++) {
        char *sql = files_path(
            "SELECT app.freeze('running_%s', $$bucket < chime.as_of() - interval '20 days'$$, 'SELECT kind, at AS "
            "bucket, sum(count(*)) "
            "OVER (PARTITION BY kind ORDER BY at) AS n FROM readings GROUP BY kind, at', '{kind,bucket}', '%s')",
            modes[i], modes[i]);
        EXPECT_SQL(cluster, sql, i == 0 ? NULL : "its mode is full");
        free(sql);
    }
    keyed_tend(cluster);
    AT("2026-01-25 00:00+00", "running_auto", "full: the first time");
    AT("2026-01-25 00:00+00", "running_full", "full: its mode is full");
    cluster_execute(cluster, "DELETE FROM app.readings WHERE kind = 'a' AND at < '2026-01-04'");
    AT("2026-01-25 01:00+00", "running_auto", "keyed 1: +0 ~6 -0");
    AT("2026-01-25 01:00+00", "running_full", "full: its mode is full");
    EXPECT_SQL(cluster, "SELECT string_agg(n::text, ' ' ORDER BY bucket) FROM kept.running_auto WHERE kind = 'a'",
               "1 2 3 4 2 3 4 5 6 7");
    EXPECT_SQL(cluster, "SELECT count(*) FROM (TABLE kept.running_auto EXCEPT TABLE kept.running_full) AS d", "0");
    cluster_execute(cluster, "UPDATE app.readings SET amount = 1; DELETE FROM app.readings WHERE at > '2026-01-09'");
    EXPECT_SQL(cluster, "SELECT string_agg(n::text, ' ' ORDER BY bucket) FROM kept.running_auto__now WHERE kind = 'a'",
               "1 2 3 4 2 3 4 5");
}
END_TEST

START_TEST(another_condition_is_refused_where_it_would_lose_rows)
{
    freeze();
    cluster_execute(cluster, "DELETE FROM app.readings WHERE at < '2026-01-03'");
    AT("2026-01-25 01:00+00", "daily", "keyed 0: +0 ~0 -0");
#define LOST                                                                                                     \
    "view kept.daily has 2 frozen rows that its definition does not give any more, such as bucket = 2026-01-01 " \
    "00:00:00+00: with another condition they would be lost"
    EXPECT_SQL(cluster, "SELECT app.freeze('daily', NULL)", LOST);
    EXPECT_SQL(cluster, "SELECT app.freeze('daily', 'bucket < chime.as_of() - interval ''30 days''')", LOST);
    EXPECT_SQL(cluster, "SELECT app.freeze('daily', '" FROZEN "', p_timezone => 'Europe/Berlin')",
               "view kept.daily has 5 frozen rows of time zone UTC, which cannot be computed again in Europe/Berlin");
    EXPECT_SQL(cluster, "SELECT app.freeze('daily', '" FROZEN "', p_key => '{bucket,n}')",
               "view kept.daily has 5 frozen rows, which its key (bucket) tells apart, and not (bucket, n)");
    EXPECT_SQL(cluster,
               "SELECT app.freeze('daily', '" FROZEN "', p_mode => 'matview') LIKE '% is to be a materialized view,%'",
               "t");
    ROWS("daily", TEN);
    /* rows from January 3rd on can be computed again */
    EXPECT_SQL(cluster, "SELECT app.freeze('daily', 'bucket < chime.as_of() - interval ''23 days''')", NULL);
    AT("2026-01-25 02:00+00", "daily", "keyed 0: +0 ~0 -0");
    cluster_execute(cluster, "UPDATE app.readings SET amount = 100 WHERE at < '2026-01-04'");
    AT("2026-01-25 03:00+00", "daily", "keyed 1: +0 ~1 -0");
    EXPECT_SQL(cluster, "SELECT app.freeze('daily', 'bucket < chime.as_of() - interval ''1 day''')", NULL);
    AT("2026-01-25 04:00+00", "daily", "keyed 0: +0 ~0 -0");
    EXPECT_SQL(cluster, "SELECT chime.frozen_rows(chime.find_view('daily'))", "10");
}
END_TEST

START_TEST(nothing_is_frozen_any_more_where_the_condition_is_taken_away)
{
    freeze();
    EXPECT_SQL(cluster, "SELECT app.freeze('daily', NULL)", NULL);
    EXPECT_SQL(cluster, "SELECT frozen_at FROM chime.view_refresh WHERE relation = 'daily'", NULL);
    cluster_execute(cluster, "DELETE FROM app.readings WHERE at < '2026-01-05'");
    AT("2026-01-25 01:00+00", "daily", "keyed 4: +0 ~0 -4");
}
END_TEST

#define OTHER(columns)                                                                                       \
    "SELECT app.freeze('daily', '" FROZEN "', 'SELECT date_trunc(''day'', at AT TIME ZONE ''UTC'') AT TIME " \
    "ZONE ''UTC'' AS bucket, " columns " FROM readings GROUP BY 1')"

START_TEST(another_definition_keeps_frozen_rows_or_is_refused)
{
    freeze();
    cluster_execute(cluster, "DELETE FROM app.readings WHERE at < '2026-01-05'");
    AT("2026-01-25 01:00+00", "daily", "keyed 0: +0 ~0 -0");
    EXPECT_SQL(cluster, OTHER("count(*) AS n, sum(amount) AS total, max(kind) AS latest"), NULL);
    EXPECT_SQL(cluster, "SELECT string_agg(concat_ws(' ', n, total, latest), ', ' ORDER BY bucket) FROM kept.daily",
               "2 0, 2 2, 2 4, 2 6, 2 8, 2 10 b, 2 12 b, 2 14 b, 2 16 b, 2 18 b");
    keyed_tend(cluster);
    EXPECT_SQL(cluster, "SELECT app.at('2026-01-25 02:00+00', 'daily') NOT LIKE '%WRONG%'", "t");
    EXPECT_SQL(cluster, OTHER("count(*) AS n, max(kind) AS latest"),
               "view kept.daily has 5 frozen rows that its new columns cannot hold: column total is gone");
    EXPECT_SQL(
        cluster, OTHER("count(*)::integer AS n, sum(amount) AS total, max(kind) AS latest"),
        "view kept.daily has 5 frozen rows that its new columns cannot hold: column n is of type integer, and not "
        "bigint");
    EXPECT_SQL(cluster, OTHER("count(*)::numeric AS n, sum(amount) AS total, max(kind)::varchar(1) AS latest"),
               "view kept.daily has 5 frozen rows that its new columns cannot hold: column latest is of type character "
               "varying(1), and not text");
    EXPECT_SQL(cluster, OTHER("count(*)::numeric AS n, sum(amount) AS total, NULL::text AS latest"), NULL);
    EXPECT_SQL(cluster, "SELECT string_agg(concat_ws(' ', n, total, latest), ', ' ORDER BY bucket) FROM kept.daily",
               "2 0, 2 2, 2 4, 2 6, 2 8, 2 10, 2 12, 2 14, 2 16, 2 18");
    EXPECT_SQL(cluster, "SELECT rows FROM chime.view_refresh WHERE relation = 'daily'", "10");
    /* only the text is another one */
    EXPECT_SQL(cluster, OTHER("3 * count(*)::numeric AS n, sum(amount) AS total, NULL::text AS latest"), NULL);
    EXPECT_SQL(cluster, "SELECT app.at('2026-01-25 03:00+00', 'daily', true) NOT LIKE '%WRONG%'", "t");
    ROWS("daily", FOUR ", 01-05 2, 01-06 6, 01-07 6, 01-08 6, 01-09 6, 01-10 6");
}
END_TEST

/* A day belongs to the view's zone, whose clocks change; what has no finite time never freezes. */
START_TEST(days_freeze_by_the_clock_of_their_zone)
{
    cluster_execute(
        cluster, "DELETE FROM app.readings; INSERT INTO app.readings (at, amount)"
                 " SELECT timestamptz '2026-03-27 11:00+00' + d * interval '1 day', 1 FROM generate_series(0, 4) AS d;"
                 "INSERT INTO app.readings (at) VALUES (NULL), ('infinity'), ('-infinity')");
    EXPECT_SQL(cluster,
               "SELECT app.freeze('berlin', 'bucket < chime.as_of() - interval ''1 day''', 'SELECT (at AT TIME ZONE "
               "''Europe/Berlin'')::date AS bucket, count(*) AS n FROM readings GROUP BY 1', p_timezone => "
               "'Europe/Berlin')",
               "no index finds one group in app.readings: CREATE INDEX ON app.readings ((((readings.at AT TIME ZONE "
               "'Europe/Berlin'::text))::date)) makes it keyed");
    /* the clocks go forward on March 29th: its midnight is 23:00 UTC of the day before, the next one's 22:00 */
    EXPECT_SQL(cluster, "SELECT app.at('2026-03-29 23:00:00+00', 'berlin') NOT LIKE '%WRONG%'", "t");
    EXPECT_SQL(cluster, "SELECT chime.frozen_rows(chime.find_view('berlin'))", "2");
    EXPECT_SQL(cluster, "SELECT app.at('2026-03-29 23:00:01+00', 'berlin') NOT LIKE '%WRONG%'", "t");
    EXPECT_SQL(cluster, "SELECT chime.frozen_rows(chime.find_view('berlin'))", "3");
    EXPECT_SQL(cluster, "SELECT app.at('2026-03-30 22:00:01+00', 'berlin') NOT LIKE '%WRONG%'", "t");
    EXPECT_SQL(cluster, "SELECT chime.frozen_rows(chime.find_view('berlin'))", "4");
    cluster_execute(cluster, "DELETE FROM app.readings");
    EXPECT_SQL(cluster, "SELECT app.at('2026-03-30 22:00:02+00', 'berlin') NOT LIKE '%WRONG%'", "t");
    EXPECT_SQL(cluster, "SELECT string_agg(bucket::text, ' ' ORDER BY bucket) FROM kept.berlin",
               "2026-03-27 2026-03-28 2026-03-29 2026-03-30");
}
END_TEST

/* By the oracle of keyed_frozen.sql; the seed is the run's. */
START_TEST(a_random_walk_keeps_what_is_frozen_and_follows_the_rest)
{
    static const char *const modes[] = {"auto", "full"};
    EXPECT_SQL(cluster,
               "SELECT app.freeze('"
               "walk"
               "', '" FROZEN "', p_mode => 'auto')",
               NULL);
    keyed_tend(cluster);
    for (size_t i = 0; i < 2; i++) {
        char *sql = files_path("SELECT app.freeze('walk', '%s', p_mode => '%s')", FROZEN, modes[i]);
        EXPECT_SQL(cluster, sql, i == 0 ? NULL : "its mode is full");
        free(sql);
        for (int run = 0; run < 4; run++) {
            char *walk = files_path("SELECT setseed(%d / 10.0), app.walk('walk', 60)", run);
            char *wrong = files_path("SELECT walk FROM (%s) AS w (seed, walk)", walk);
            EXPECT_SQL(cluster, wrong, NULL);
            free(walk);
            free(wrong);
        }
    }
    EXPECT_SQL(cluster, "SELECT chime.frozen_rows(chime.find_view('walk')) > 20", "t");
}
END_TEST

/* Frozen rows, and up to when they are, are committed with the refresh, or not at all. */
START_TEST(a_refresh_that_is_killed_leaves_all_as_it_was)
{
    freeze();
    cluster_execute(cluster, "DELETE FROM app.readings WHERE at < '2026-01-06';"
                             "CREATE FUNCTION app.cut() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM "
                             "pg_terminate_backend(pg_backend_pid());"
                             " RETURN NULL; END $$; CREATE TRIGGER cut AFTER DELETE ON kept.daily FOR EACH STATEMENT "
                             "EXECUTE FUNCTION app.cut()");
    PGconn *connection = cluster_connect(cluster, "postgres");
    PQclear(PQexec(connection, "SELECT app.at('2026-02-10 00:00+00', 'daily')"));
    ck_assert_int_eq(PQstatus(connection), CONNECTION_BAD);
    PQfinish(connection);
    ROWS("daily", TEN);
    EXPECT_SQL(cluster, "SELECT frozen_at = '2026-01-25 00:00+00' FROM chime.view_refresh WHERE relation = 'daily'",
               "t");
    cluster_execute(cluster, "DROP TRIGGER cut ON kept.daily");
    AT("2026-02-10 00:00+00", "daily", "keyed 1: +0 ~0 -1");
    ROWS("daily", "01-01 2, 01-02 2, 01-03 2, 01-04 2, 01-06 2, 01-07 2, 01-08 2, 01-09 2, 01-10 2");
}
END_TEST

START_TEST(which_rows_of_a_source_are_needed_is_known)
{
    freeze();
#define NEEDED(view)                                                                                                   \
    "DO $$ DECLARE v record; BEGIN SELECT * INTO STRICT v FROM chime.needed_rows('app.readings') AS n WHERE n.view ="  \
    " 'kept." view "'; EXECUTE format('CREATE OR REPLACE VIEW app.needed AS SELECT t.*, %s AS until FROM app.readings" \
    " t WHERE %s', v.until, v.needed); END $$"
    cluster_execute(cluster, NEEDED("daily"));
    EXPECT_SQL(
        cluster,
        "SELECT count(*) || ' ' || min(at AT TIME ZONE 'UTC') || ' ' || min(until AT TIME ZONE 'UTC') FROM app.needed",
        "12 2026-01-05 12:00:00 2026-01-25 00:00:00");
    EXPECT_SQL(cluster, "SELECT words FROM chime.needed_rows('app.readings')",
               "view kept.daily needs rows until its column bucket has been 20 days ago at a refresh; the last was at"
               " 2026-01-25 00:00:00Z");
    /* also of a view that no index makes keyed, and of one without a grain */
    cluster_execute(cluster, "DROP INDEX app.readings_timezone_idx; DROP VIEW app.needed");
    EXPECT_SQL(cluster, "SELECT app.freeze('daily', '" FROZEN "') LIKE 'no index finds one group%'", "t");
    cluster_execute(cluster, NEEDED("daily"));
    EXPECT_SQL(cluster, "SELECT count(*) FROM app.needed", "12");
    EXPECT_SQL(cluster, "SELECT app.freeze('daily', '" FROZEN "', p_mode => 'full')", "its mode is full");
    cluster_execute(cluster, NEEDED("daily"));
    EXPECT_SQL(cluster, "SELECT count(*) FROM app.needed", "12");
    /* which rows a rank needs nobody knows */
    EXPECT_SQL(cluster,
               "SELECT app.freeze('ranks', '" FROZEN "', 'SELECT date_trunc(''day'', at AT TIME ZONE ''UTC'') AT TIME "
               "ZONE ''UTC'' AS bucket, rank() OVER (ORDER BY count(*)) AS n FROM readings GROUP BY 1') IS NOT NULL",
               "t");
    EXPECT_SQL(
        cluster,
        "SELECT needed IS NULL AND until IS NULL FROM chime.needed_rows('app.readings') WHERE view = 'kept.ranks'",
        "t");
    EXPECT_SQL(cluster, "SELECT words FROM chime.needed_rows('app.readings') WHERE view = 'kept.ranks'",
               "view kept.ranks freezes rows, and which rows of app.readings the others need is not known");
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.needed_rows('app.orders')", "0");
    /* nor of a view that lost its definition */
    cluster_execute(cluster, "DROP VIEW app.needed; DELETE FROM chime.view WHERE relation = 'ranks'");
    EXPECT_SQL(cluster, "SELECT app.freeze('daily', '" FROZEN "') LIKE 'no index%'", "t");
    cluster_execute(cluster, "DROP VIEW kept.daily__live CASCADE");
    EXPECT_SQL(cluster, "SELECT count(*) || ' ' || count(needed) FROM chime.needed_rows('app.readings')", "1 0");
}
END_TEST

START_TEST(a_view_that_is_kept_by_sql_freezes_too)
{
    EXPECT_SQL(cluster,
               "SELECT chime.keep_view('kept_by_sql', 'SELECT at AS bucket, count(*) AS n FROM readings GROUP BY at',"
               " view_schema => 'kept', source_schema => 'app', mode => 'full', frozen => '" FROZEN "')",
               "10 rows; refreshed as a whole: its mode is full");
    cluster_execute(cluster, "DELETE FROM app.readings WHERE at < '2026-01-05'");
    EXPECT_SQL(cluster, "SELECT chime.refresh_view('kept_by_sql')",
               "kept_by_sql: full (its mode is full), 10 rows, 0 inserted, 0 updated, 0 deleted");
    EXPECT_SQL(cluster,
               "SELECT app.fails($$SELECT chime.alter_view('kept_by_sql', frozen => '')$$) LIKE '%would be lost'", "t");
    EXPECT_SQL(cluster, "SELECT chime.alter_view('kept_by_sql', comment => 'another') LIKE '10 rows%'", "t");
}
END_TEST

static Suite *suite(void)
{
    Suite *all = suite_create("frozen");
    TCase *cases = tcase_create("frozen");

    tcase_add_checked_fixture(cases, set_up, served_tear_down);
    tcase_set_timeout(cases, 300);
    tcase_add_test(cases, frozen_rows_outlive_those_of_their_source);
    tcase_add_test(cases, a_group_freezes_once_a_refresh_has_computed_it_after_its_time);
    tcase_add_test(cases, late_rows_are_counted_and_change_nothing);
    tcase_add_test(cases, late_rows_are_taken_in_where_somebody_asks_for_it);
    tcase_add_test(cases, verify_leaves_frozen_rows_out_and_says_how_many);
    tcase_add_test(cases, a_backfill_leaves_frozen_groups_and_refuses_a_range_of_them);
    tcase_add_test(cases, only_what_freezes_for_good_is_taken);
    tcase_add_test(cases, a_further_condition_freezes_a_part_of_the_groups);
    tcase_add_test(cases, rows_freeze_where_groups_do_not);
    tcase_add_test(cases, another_condition_is_refused_where_it_would_lose_rows);
    tcase_add_test(cases, nothing_is_frozen_any_more_where_the_condition_is_taken_away);
    tcase_add_test(cases, another_definition_keeps_frozen_rows_or_is_refused);
    tcase_add_test(cases, days_freeze_by_the_clock_of_their_zone);
    tcase_add_test(cases, a_random_walk_keeps_what_is_frozen_and_follows_the_rest);
    tcase_add_test(cases, a_refresh_that_is_killed_leaves_all_as_it_was);
    tcase_add_test(cases, which_rows_of_a_source_are_needed_is_known);
    tcase_add_test(cases, a_view_that_is_kept_by_sql_freezes_too);
    suite_add_tcase(all, cases);
    return all;
}

int main(void)
{
    return suite_run(suite());
}
