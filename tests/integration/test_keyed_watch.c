/* SPDX-License-Identifier: PostgreSQL */
/* Groups that nothing marked are compared, for no more than their share; what is found makes the view full. */
#include <check.h>

#include "support/keyed/keyed_stage.h"
#include "support/process/suite.h"

static void set_up(void)
{
    keyed_stage_set_corpus();
    cluster_execute(cluster, "SELECT setseed(0.17), app.put_rows(300)");
}

/* Its map is a lie: of an order that moves it names only the group that lost it. It lacks a mark, so that only watching
 * finds it. */
#define TRUSTED(map)                                                                                               \
    "SELECT app.install('watched', 'SELECT shop, count(*) AS n FROM ord GROUP BY shop', '{shop}',"                 \
    " '[{\"table\": \"ord\", \"columns\": [\"id\", \"shop\"], \"capture\": [\"shop\"], \"trust\": true, \"map\": " \
    "\"" map "\"}]')"
#define EACH_REFRESH_UNTIL_FOUND                                          \
    "DO $$ BEGIN FOR i IN 1..1000 LOOP PERFORM chime.refresh('watched');" \
    " EXIT WHEN (SELECT found_wrong IS NOT NULL FROM chime.view WHERE relation = 'watched'); END LOOP; END $$"
#define FULL_REASON "SELECT full_reason FROM chime.view WHERE relation = 'watched'"

START_TEST(a_wrong_group_is_found_though_nothing_marks_it)
{
    cluster_execute(cluster,
                    "SELECT app.watch(1e9); DELETE FROM app.ord WHERE shop IS NULL OR shop > 3;"
                    "UPDATE app.ord SET shop = 1 WHERE id % 2 = 0; INSERT INTO app.ord (id, shop) VALUES (999, 2)");
    EXPECT_SQL(cluster, TRUSTED("SELECT shop FROM marks WHERE shop <> 2"), NULL);
    keyed_tend(cluster);
    LOOK("watched", "full: the first time");
    cluster_execute(cluster, "SELECT chime.refresh('watched') FROM generate_series(1, 20)");
    EXPECT_SQL(cluster, FULL_REASON, NULL);
    cluster_execute(cluster, "INSERT INTO app.ord (id, shop) VALUES (1000, 2)");
    cluster_execute(cluster, EACH_REFRESH_UNTIL_FOUND);
    EXPECT_SQL(cluster, "SELECT regexp_replace(full_reason, ' at 2.*Z', '') FROM chime.view WHERE relation = 'watched'",
               "the group shop = 2 was not as its definition says, and no mark led to it");
    EXPECT_SQL(cluster,
               "SELECT r.method || ' ' || (r.reason = v.found_wrong) || ' ' || r.updated FROM chime.view_status r"
               " JOIN chime.view v USING (view_schema, relation) WHERE relation = 'watched'",
               "full true 1");
    EXPECT_SQL(cluster, "SELECT missing + surplus FROM chime.difference('watched')", "0");
    cluster_execute(cluster, "CALL chime.tend_capture()");
    EXPECT_SQL(cluster, "SELECT full_reason = found_wrong FROM chime.view WHERE relation = 'watched'", "t");
    EXPECT_SQL(cluster, "SELECT method FROM chime.refresh('watched')", "full");
    /* somebody says so */
    cluster_execute(cluster, "SELECT chime.refresh('watched', true)");
    keyed_tend(cluster);
    EXPECT_SQL(cluster, FULL_REASON, NULL);
    LOOK("watched", "full: the first time");
    /* declared otherwise */
    cluster_execute(cluster, "INSERT INTO app.ord (id, shop) VALUES (1001, 2)");
    cluster_execute(cluster, EACH_REFRESH_UNTIL_FOUND);
    EXPECT_SQL(cluster, TRUSTED("SELECT shop FROM marks"), NULL);
    /* a group that the view lacks is drawn from its source */
    cluster_execute(cluster, "DELETE FROM app.ord WHERE shop = 2");
    cluster_execute(cluster, "SELECT chime.refresh('watched', true)");
    cluster_execute(cluster, "SET session_replication_role = replica; INSERT INTO app.ord (id, shop) VALUES (1002, 2);"
                             "RESET session_replication_role");
    cluster_execute(cluster, EACH_REFRESH_UNTIL_FOUND);
    EXPECT_SQL(cluster, "SELECT found_wrong LIKE '% shop = 2 %' FROM chime.view WHERE relation = 'watched'", "t");
}
END_TEST

/* Also one that the view lacks, from a partition that came later. */
START_TEST(a_wrong_group_is_drawn_from_a_partition)
{
    cluster_execute(cluster, "SELECT app.watch(1e9); TRUNCATE app.prt");
    EXPECT_SQL(cluster,
               "SELECT app.install('watched', 'SELECT shop, sum(points) AS n FROM prt GROUP BY shop', '{shop}',"
               " '[{\"table\": \"prt\", \"columns\": [\"shop\", \"points\"]}]')",
               NULL);
    keyed_tend(cluster);
    LOOK("watched", "full: the first time");
    cluster_execute(cluster, "CREATE TABLE app.prt_3 PARTITION OF app.prt FOR VALUES FROM (20) TO (30)");
    keyed_tend(cluster);
    LOOK("watched", SUSPECT("app.prt"));
    cluster_execute(cluster, "SET session_replication_role = replica; INSERT INTO app.prt VALUES (7, 25, 1);"
                             "RESET session_replication_role");
    cluster_execute(cluster, EACH_REFRESH_UNTIL_FOUND);
    EXPECT_SQL(cluster, "SELECT found_wrong LIKE '% shop = 7 %' FROM chime.view WHERE relation = 'watched'", "t");
}
END_TEST

/* '1 day' is kept, '24 hours' marked: one group to the definition. */
START_TEST(a_mark_leads_to_a_group_that_looks_otherwise)
{
    cluster_execute(
        cluster,
        "SELECT app.watch(1e9); CREATE TABLE app.span (length interval, n integer); CREATE INDEX ON app.span (length);"
        "INSERT INTO app.span VALUES ('1 day', 1)");
    EXPECT_SQL(cluster,
               "SELECT app.install('watched', 'SELECT length, sum(n) AS n FROM span GROUP BY length', '{length}',"
               " '[{\"table\": \"span\", \"columns\": [\"length\", \"n\"]}]')",
               NULL);
    keyed_tend(cluster);
    LOOK("watched", "full: the first time");
    for (int i = 0; i < 10; i++)
        AFTER("INSERT INTO app.span VALUES ('24 hours', 1)", "watched", "keyed 1: +0 ~1 -0");
    EXPECT_SQL(cluster, FULL_REASON, NULL);
}
END_TEST

#define OWED "SELECT watch_owed_us FROM chime.view_refresh WHERE relation = 'watched'"

/* A refresh that compared owes what that took; those that follow compare nothing and make up for it by their share. */
START_TEST(comparing_takes_no_more_than_its_share_of_refreshes)
{
    cluster_execute(
        cluster,
        "SELECT app.watch(1e-9)"); /* a larger share of a refresh that had to wait for the processor may pay at once */
    EXPECT_SQL(cluster, TRUSTED("SELECT shop FROM marks"), NULL);
    keyed_tend(cluster);
    LOOK("watched", "full: the first time");
    LOOK("watched", "keyed 0: +0 ~0 -0");
    EXPECT_SQL(cluster, "SELECT watch_owed_us > 0 FROM chime.view_refresh WHERE relation = 'watched'", "t");
    cluster_execute(cluster, "SELECT app.watch(0.05)");
    EXPECT_SQL(cluster,
               "DO $$ DECLARE r chime.view_refresh; owed double precision; BEGIN FOR i IN 1..10 LOOP " OWED
               " INTO owed; PERFORM chime.refresh('watched'); SELECT * INTO r FROM chime.view_refresh WHERE relation = "
               "'watched';"
               " ASSERT owed = 0 OR abs(r.watch_owed_us - greatest(0, owed - 0.05 * r.duration_us)) < 0.001,"
               " format('%s after %s and %s', r.watch_owed_us, owed, r.duration_us); END LOOP; END $$",
               NULL);
    cluster_execute(cluster,
                    "UPDATE chime.view_refresh SET watch_owed_us = 1e12; SET session_replication_role = replica;"
                    "DELETE FROM kept.watched; RESET session_replication_role;"
                    "SELECT chime.refresh('watched') FROM generate_series(1, 30)");
    EXPECT_SQL(cluster, FULL_REASON, NULL);
    cluster_execute(cluster, "UPDATE chime.view_refresh SET watch_owed_us = 0; SELECT app.watch(1e9)");
    cluster_execute(cluster, EACH_REFRESH_UNTIL_FOUND);
    EXPECT_SQL(cluster, "SELECT found_wrong IS NOT NULL FROM chime.view WHERE relation = 'watched'", "t");
}
END_TEST

static Suite *suite(void)
{
    Suite *all = suite_create("keyed watch");
    TCase *cases = tcase_create("keyed watch");

    tcase_add_checked_fixture(cases, set_up, served_tear_down);
    tcase_set_timeout(cases, 300);
    tcase_add_test(cases, a_wrong_group_is_found_though_nothing_marks_it);
    tcase_add_test(cases, a_wrong_group_is_drawn_from_a_partition);
    tcase_add_test(cases, a_mark_leads_to_a_group_that_looks_otherwise);
    tcase_add_test(cases, comparing_takes_no_more_than_its_share_of_refreshes);
    suite_add_tcase(all, cases);
    return all;
}

int main(void)
{
    return suite_run(suite());
}
