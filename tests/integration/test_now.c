/* SPDX-License-Identifier: PostgreSQL */
/* RELATION__now: kept rows of groups without marks, and what the definition gives for the others. That it equals the
 * definition at random moments is test_keyed_property's. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/cluster/cluster.h"
#include "support/cluster/session.h"
#include "support/keyed/keyed.h"
#include "support/process/files.h"
#include "support/process/suite.h"

static struct cluster *cluster;
static PGconn *other;

/* Whether RELATION__now is the definition, and how many rows differ from the kept ones: "right 2". */
static const char helpers[] =
    "CREATE FUNCTION app.now(p_view text, OUT told text) LANGUAGE plpgsql AS $$"
    " DECLARE n bigint; d bigint;"
    " BEGIN"
    " EXECUTE format('SELECT (SELECT count(*) FROM (TABLE kept.%1$I EXCEPT ALL TABLE kept.%2$I) x)"
    "                      + (SELECT count(*) FROM (TABLE kept.%2$I EXCEPT ALL TABLE kept.%1$I) y),"
    "                        (SELECT count(*) FROM (TABLE kept.%1$I EXCEPT ALL TABLE kept.%3$I) z)',"
    "                p_view || '__now', p_view || '__live', p_view) INTO n, d;"
    " told := CASE n WHEN 0 THEN 'right ' || d ELSE format('WRONG %s', n) END; END $$;"
    "CREATE FUNCTION app.plan(p_query text) RETURNS text LANGUAGE plpgsql AS $$ DECLARE t text; BEGIN"
    " EXECUTE 'EXPLAIN (FORMAT JSON) ' || p_query INTO t; RETURN t; END $$;"
    /* as upkeep does: that triggers came is no reason to compute everything any more */
    "CREATE FUNCTION app.vet() RETURNS text LANGUAGE sql AS $$"
    " SELECT string_agg(chime.note_vetted(view_schema, relation), '') FROM chime.view $$;"
    "INSERT INTO app.orders (shop, amount) SELECT i % 50, i FROM generate_series(1, 500) i;"
    "INSERT INTO app.orders (shop, amount) VALUES (NULL, 7)";

static void set_up(void)
{
    cluster = keyed_create();
    other = cluster_connect(cluster, "postgres");
    cluster_execute(cluster, helpers);
}

static void tear_down(void)
{
    PQfinish(other);
    cluster_destroy(cluster);
}

#define VET() EXPECT_SQL(cluster, "SELECT app.vet()", NULL)
#define EXPECT_NOW(view, expected) EXPECT_SQL(cluster, "SELECT app.now('" view "')", expected)
#define EXPECT_ERROR(session, sql, expected) expect_error(session, sql, expected)

static void expect_error(PGconn *session, const char *sql, const char *expected)
{
    PGresult *result = PQexec(session, sql);
    const char *message = PQresultErrorField(result, PG_DIAG_MESSAGE_PRIMARY);
    ck_assert_str_eq(message != NULL ? message : "no error", expected);
    PQclear(result);
}

static char *first_value(PGconn *session, const char *sql)
{
    PGresult *result = PQexec(session, sql);
    ck_assert_msg(PQresultStatus(result) == PGRES_TUPLES_OK, "%s: %s", sql, PQerrorMessage(session));
    char *value = strdup(PQgetvalue(result, 0, 0));
    PQclear(result);
    return value;
}

static void expect_value(PGconn *session, const char *sql, const char *expected)
{
    char *value = first_value(session, sql);
    ck_assert_str_eq(value, expected);
    free(value);
}

START_TEST(marked_groups_are_computed_and_the_others_are_kept)
{
    KEYED_INSTALL(cluster, "shop_total", "kind_total");
    VET();
    EXPECT_NOW("shop_total", "right 0");
    cluster_execute(cluster, "INSERT INTO app.orders (shop, amount) VALUES (3, 1), (777, 2)");
    EXPECT_NOW("shop_total", "right 2");
    cluster_execute(cluster,
                    "DELETE FROM app.orders WHERE shop = 4; UPDATE app.orders SET amount = 8 WHERE shop IS NULL");
    EXPECT_NOW("shop_total", "right 3");
    EXPECT_SQL(cluster, "SELECT total FROM kept.shop_total__now WHERE shop IS NULL", "8");
    EXPECT_NOW("kind_total", "right 2");
    cluster_execute(cluster,
                    "UPDATE kept.shop_total SET n = -1 WHERE shop = 5"); /* nothing marks it: so it is what is read */
    EXPECT_SQL(cluster, "SELECT n FROM kept.shop_total__now WHERE shop = 5", "-1");
    cluster_execute(cluster, "TRUNCATE app.orders");
    EXPECT_NOW("shop_total", "right 0");
    EXPECT_SQL(cluster, "SELECT count(*) FROM kept.shop_total__now", "0");
    EXPECT_LOOK(cluster, "shop_total", "full: app.orders was truncated");
    EXPECT_NOW("shop_total", "right 0");
}
END_TEST

START_TEST(who_writes_sees_it_before_the_commit)
{
    KEYED_INSTALL(cluster, "shop_total");
    VET();
    session_execute(other, "BEGIN; INSERT INTO app.orders (shop, amount) VALUES (3, 1)");
    expect_value(other, "SELECT app.now('shop_total')", "right 1");
    EXPECT_NOW("shop_total", "right 0");
    session_execute(other, "SAVEPOINT s; DELETE FROM app.orders WHERE shop = 6");
    expect_value(other, "SELECT app.now('shop_total')", "right 1");
    expect_value(other, "SELECT count(*) FROM kept.shop_total__now WHERE shop = 6", "0");
    session_execute(other, "ROLLBACK TO s");
    expect_value(other, "SELECT n FROM kept.shop_total__now WHERE shop = 6", "10");
    session_execute(other, "SELECT chime.refresh('shop_total'); INSERT INTO app.orders (shop, amount) VALUES (8, 1)");
    expect_value(other, "SELECT app.now('shop_total')", "right 1");
    expect_value(other, "SELECT n FROM kept.shop_total__now WHERE shop = 3", "11");
    session_execute(other, "TRUNCATE app.orders");
    expect_value(other, "SELECT app.now('shop_total')", "right 0");
    session_execute(other, "ROLLBACK");
    EXPECT_NOW("shop_total", "right 0");
}
END_TEST

START_TEST(a_condition_finds_kept_rows_by_their_index)
{
    KEYED_INSTALL(cluster, "shop_total");
    VET();
    cluster_execute(cluster, "SET enable_seqscan = off");
    EXPECT_SQL(cluster,
               "SELECT strpos(app.plan('SELECT * FROM kept.shop_total__now WHERE shop = 9'), 'shop_total_pk') > 0",
               "t");
}
END_TEST

START_TEST(what_marks_do_not_tell_is_computed_whole)
{
    KEYED_INSTALL(cluster, "shop_total");
    VET();
    cluster_execute(cluster, "ALTER TABLE app.orders DISABLE TRIGGER ALL; DELETE FROM app.orders WHERE shop = 9");
    EXPECT_NOW("shop_total", "right 0");
    EXPECT_SQL(cluster, "SELECT count(*) FROM kept.shop_total__now WHERE shop = 9", "0");
    cluster_execute(cluster, "ALTER TABLE app.orders ENABLE TRIGGER ALL; DELETE FROM app.orders WHERE shop = 10");
    EXPECT_SQL(cluster, "SELECT count(*) FROM kept.shop_total__now WHERE shop IN (9, 10)", "0");
    cluster_execute(
        cluster, "DROP INDEX app.orders_shop_kind_idx; SELECT chime.install_keys('kept', 'app', 'shop_total', sources)"
                 " FROM chime.view WHERE relation = 'shop_total'; DELETE FROM app.orders WHERE shop = 11");
    EXPECT_SQL(cluster, "SELECT full_reason IS NOT NULL FROM chime.view WHERE relation = 'shop_total'", "t");
    EXPECT_SQL(cluster, "SELECT count(*) FROM kept.shop_total__now WHERE shop IN (9, 10, 11)", "0");
}
END_TEST

/* As a whole the definition leaves the row out; for one group the division comes first. */
START_TEST(a_group_that_cannot_be_computed_alone_is_computed_with_all)
{
    cluster_execute(
        cluster, "CREATE TABLE app.piece (id integer, quantity integer); INSERT INTO app.piece VALUES (1, 3), (2, 4);"
                 "CREATE INDEX ON app.piece ((12 / quantity)) WHERE quantity <> 0");
    EXPECT_SQL(cluster,
               "SELECT app.install('part', 'SELECT 12 / quantity AS part, count(*) AS n FROM piece WHERE quantity <> 0 "
               "GROUP BY 1',"
               " '{part}', '[{\"table\": \"piece\", \"columns\": [\"quantity\"]}]')",
               NULL);
    keyed_tend(cluster);
    VET();
    cluster_execute(cluster, "SELECT chime.refresh('part'); UPDATE app.piece SET quantity = 0 WHERE id = 1");
    EXPECT_NOW("part", "right 0");
    EXPECT_SQL(cluster, "SELECT string_agg(part || ' ' || n, ', ') FROM kept.part__now", "3 1");
}
END_TEST

/* A snapshot from before the leader dropped marks that it shows: everything is computed in it. */
START_TEST(an_old_snapshot_does_not_miss_marks_that_are_gone)
{
    cluster_execute(cluster,
                    "CREATE OR REPLACE FUNCTION chime.part_size() RETURNS bigint LANGUAGE sql IMMUTABLE RETURN 8192");
    KEYED_INSTALL(cluster, "shop_total");
    VET();
    cluster_execute(cluster, "DELETE FROM app.orders WHERE shop < 40");
    session_execute(other, "BEGIN ISOLATION LEVEL REPEATABLE READ");
    expect_value(other, "SELECT count(*) > 0 FROM chime.view", "t");
    EXPECT_LOOK(cluster, "shop_total", "keyed 40: +0 ~0 -40");
    for (int i = 0; i < 3; i++) {
        cluster_execute(cluster,
                        "INSERT INTO app.orders (shop, amount) SELECT i, 1 FROM generate_series(1000, 2000) i");
        keyed_tend(cluster);
        cluster_execute(cluster, "SELECT chime.refresh('shop_total')");
        keyed_tend(cluster);
    }
    expect_value(
        other,
        "SELECT count(*) FROM chime.change_part c WHERE to_regclass(chime.part_name(c.source_id, c.part)) IS NULL",
        "1");
    expect_value(other, "SELECT count(*) FROM kept.shop_total__now WHERE shop < 40", "0");
    expect_value(other, "SELECT count(*) FROM kept.shop_total WHERE shop < 40", "40");
    session_execute(other, "ROLLBACK");
    EXPECT_NOW("shop_total", "right 0");
}
END_TEST

START_TEST(types_lengths_and_collations_are_those_of_the_kept_relation)
{
    cluster_execute(
        cluster,
        "CREATE TABLE app.sale (shop varchar(8) COLLATE \"C\", price numeric(10, 2), at timestamptz, code char(3));"
        "CREATE INDEX ON app.sale (shop); INSERT INTO app.sale VALUES ('a', 1.5, now(), 'x'), ('b', 2, now(), 'y')");
    EXPECT_SQL(
        cluster,
        "SELECT app.install('sales', 'SELECT shop, max(price)::numeric(10, 2) AS price, max(code)::char(3) AS code,"
        " max(at)::date AS day FROM sale GROUP BY shop', '{shop}', '[{\"table\": \"sale\", \"columns\":"
        " [\"shop\", \"price\", \"code\", \"at\"]}]', p_timezone => 'Asia/Tokyo')",
        NULL);
    keyed_tend(cluster);
    VET();
    cluster_execute(cluster, "SET TimeZone = 'Asia/Tokyo'"); /* for the definition as it is read by hand */
    cluster_execute(cluster, "SELECT chime.refresh('sales'); INSERT INTO app.sale VALUES ('a', 9, '2031-01-01 23:00Z', "
                             "'zz'), (NULL, 1, now(), 'n')");
    EXPECT_NOW("sales", "right 2");
    cluster_execute(cluster, "RESET TimeZone");
    EXPECT_SQL(cluster, "SELECT concat_ws(' ', price, code || '.', day) FROM kept.sales__now WHERE shop = 'a'",
               "9.00 zz. 2031-01-02");
    EXPECT_SQL(
        cluster,
        "SELECT string_agg(n.attname, ' ') FROM pg_attribute n JOIN pg_attribute k USING (attname)"
        " WHERE n.attrelid = 'kept.sales__now'::regclass AND k.attrelid = 'kept.sales'::regclass AND n.attnum > 0"
        " AND (n.atttypid, n.atttypmod, n.attcollation) IS DISTINCT FROM (k.atttypid, k.atttypmod, k.attcollation)",
        NULL);
}
END_TEST

START_TEST(readers_read_it_and_nothing_below_it)
{
    KEYED_INSTALL(cluster, "shop_total");
    VET();
    cluster_execute(
        cluster, "CREATE ROLE dash LOGIN IN ROLE analytics_reader; CREATE ROLE guest LOGIN;"
                 "GRANT USAGE ON SCHEMA kept TO analytics_reader, guest; GRANT SELECT ON kept.shop_total__now TO guest;"
                 "INSERT INTO app.orders (shop, amount) VALUES (3, 1)");
    session_execute(other, "SET ROLE dash; SET TimeZone = 'Asia/Tokyo'");
    expect_value(other, "SELECT n FROM kept.shop_total__now WHERE shop = 3", "11");
    EXPECT_ERROR(other, "SELECT * FROM kept.shop_total__live", "permission denied for view shop_total__live");
    session_execute(other, "SET ROLE guest");
    EXPECT_ERROR(other, "SELECT * FROM kept.shop_total__now", "permission denied for function now_1");
    session_execute(other,
                    "RESET ROLE; GRANT EXECUTE ON FUNCTION chime.now_1(), chime.kept_1() TO guest; SET ROLE guest");
    EXPECT_ERROR(other, "SELECT * FROM kept.shop_total__now", "permission denied for table shop_total");
    session_execute(other, "RESET ROLE; ALTER TABLE kept.shop_total ENABLE ROW LEVEL SECURITY; SET ROLE dash");
    EXPECT_ERROR(other, "SELECT * FROM kept.shop_total__now",
                 "row-level security of kept.shop_total does not hold for what is computed live");
}
END_TEST

/* What the owner of a source hangs on it must not run as the ledger's owner because somebody reads. */
START_TEST(a_reader_makes_nobody_run_code_of_others)
{
    KEYED_INSTALL(cluster, "shop_total");
    VET();
    cluster_execute(cluster,
                    "CREATE ROLE mallory; CREATE ROLE dash LOGIN IN ROLE analytics_reader; GRANT USAGE ON SCHEMA kept "
                    "TO analytics_reader;"
                    "GRANT ALL ON SCHEMA app TO mallory; ALTER TABLE app.orders OWNER TO mallory; SET ROLE mallory;"
                    "CREATE FUNCTION app.mine(i int) RETURNS int LANGUAGE plpgsql IMMUTABLE AS $$ BEGIN"
                    " RAISE 'run as %', current_user; END $$; RESET ROLE; SET ROLE mallory;"
                    "CREATE FUNCTION app.quiet(i int) RETURNS int LANGUAGE sql IMMUTABLE RETURN i;"
                    "CREATE INDEX ON app.orders (app.quiet(amount)); RESET ROLE");
    session_execute(other, "SET ROLE dash");
    PGresult *result = PQexec(other, "SELECT * FROM kept.shop_total__now");
    ck_assert_ptr_nonnull(strstr(PQresultErrorMessage(result), "view kept.shop_total would run"));
    ck_assert_ptr_nonnull(strstr(PQresultErrorMessage(result), "its owner mallory is not trusted"));
    PQclear(result);
}
END_TEST

START_TEST(it_follows_the_columns_of_its_view)
{
    KEYED_INSTALL(cluster, "shop_total");
    VET();
    cluster_execute(cluster, "CREATE VIEW app.mine AS SELECT * FROM kept.shop_total__now");
    static const char wider[] =
        "SELECT app.install('shop_total', 'SELECT shop, sum(amount)::text AS n, count(*) AS total FROM orders"
        " GROUP BY shop', '{shop}', '[{\"table\": \"orders\", \"columns\": [\"shop\", \"amount\"]}]')";
    EXPECT_ERROR(other, wider, "kept.shop_total__now has to be made anew, and these would be lost: view app.mine");
    cluster_execute(cluster, "DROP VIEW app.mine");
    EXPECT_SQL(cluster, wider, NULL);
    cluster_execute(cluster, "SELECT chime.refresh('shop_total'); DELETE FROM app.orders WHERE shop = 3");
    EXPECT_NOW("shop_total", "right 0");
    EXPECT_SQL(cluster, "SELECT pg_typeof(n) FROM kept.shop_total__now LIMIT 1", "text");
    cluster_execute(
        cluster, "SELECT app.install('shop_total', 'SELECT shop, 1 AS one, rank() OVER (ORDER BY shop) AS r FROM orders"
                 " GROUP BY shop', '{shop}', '[{\"table\": \"orders\", \"columns\": [\"shop\"]}]')");
    EXPECT_SQL(cluster, "SELECT to_regclass('kept.shop_total__now')", NULL);
}
END_TEST

START_TEST(a_relation_of_anothers_that_has_the_name_stays)
{
    cluster_execute(cluster, "CREATE TABLE kept.shop_total__now (mine int)");
    KEYED_INSTALL(cluster, "shop_total");
    VET();
    EXPECT_SQL(cluster, "SELECT count(*) FROM kept.shop_total__now", "0");
    cluster_execute(cluster, "DROP TABLE kept.shop_total__now");
    EXPECT_SQL(cluster, "SELECT app.install_shop_total()", NULL);
    EXPECT_NOW("shop_total", "right 0");
}
END_TEST

/* An installation that finds all as it was waits for no reader. */
START_TEST(an_installation_again_leaves_it_alone)
{
    KEYED_INSTALL(cluster, "shop_total");
    VET();
    session_execute(other, "BEGIN; SELECT count(*) FROM kept.shop_total__now");
    EXPECT_SQL(cluster, "SELECT app.install_shop_total()", NULL);
    session_execute(other, "COMMIT; DROP TABLE kept.shop_total"); /* nothing of ours needs it */
}
END_TEST

static Suite *suite(void)
{
    Suite *all = suite_create("now");
    TCase *cases = tcase_create("now");

    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_set_timeout(cases, 120);
    tcase_add_test(cases, marked_groups_are_computed_and_the_others_are_kept);
    tcase_add_test(cases, who_writes_sees_it_before_the_commit);
    tcase_add_test(cases, a_condition_finds_kept_rows_by_their_index);
    tcase_add_test(cases, what_marks_do_not_tell_is_computed_whole);
    tcase_add_test(cases, a_group_that_cannot_be_computed_alone_is_computed_with_all);
    tcase_add_test(cases, an_old_snapshot_does_not_miss_marks_that_are_gone);
    tcase_add_test(cases, types_lengths_and_collations_are_those_of_the_kept_relation);
    tcase_add_test(cases, readers_read_it_and_nothing_below_it);
    tcase_add_test(cases, a_reader_makes_nobody_run_code_of_others);
    tcase_add_test(cases, it_follows_the_columns_of_its_view);
    tcase_add_test(cases, a_relation_of_anothers_that_has_the_name_stays);
    tcase_add_test(cases, an_installation_again_leaves_it_alone);
    suite_add_tcase(all, cases);
    return all;
}

int main(void)
{
    return suite_run(suite());
}
