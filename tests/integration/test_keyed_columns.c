/* SPDX-License-Identifier: PostgreSQL */
/* Sources whose columns are renamed, dropped or get other types: no writer fails for it, and no change is lost. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "support/keyed/keyed_stage.h"
#include "support/process/files.h"
#include "support/process/process.h"
#include "support/process/suite.h"

#define VALUE(sql, expected) EXPECT_SQL(cluster, sql, expected)

#define ALTERED "full: a column of app.orders was altered"

static void set_up(void)
{
    keyed_stage_set();
    cluster_execute(cluster, THREE_SHOPS);
}

#define BY_SHOP "SELECT string_agg(concat_ws(' ', shop, total), ', ' ORDER BY shop) FROM kept.shop_total"

START_TEST(a_renamed_column_stops_no_writer_and_no_refresh)
{
    KEYED_INSTALL(cluster, "shop_total");
    cluster_execute(cluster, "ALTER TABLE app.orders RENAME shop TO store");
    AFTER("INSERT INTO app.orders (store, amount) VALUES (4, 40)", "shop_total", UNCAPTURED("app.orders"));
    keyed_tend(cluster);
    AFTER("UPDATE app.orders SET store = 5 WHERE store = 4; DELETE FROM app.orders WHERE store = 3", "shop_total",
          UNCAPTURED("app.orders"));
    VALUE(BY_SHOP, "1 21, 2 20, 5 40");
    cluster_execute(cluster, "ALTER TABLE app.orders RENAME store TO shop");
    keyed_tend(cluster);
    LOOK("shop_total", SUSPECT("app.orders"));
    AFTER("UPDATE app.orders SET amount = 1 WHERE shop = 5", "shop_total", "keyed 1: +0 ~1 -0");
    /* There and back between two refreshes, with what no trigger could read. */
    AFTER("ALTER TABLE app.orders RENAME shop TO store; UPDATE app.orders SET amount = 2 WHERE store = 5;"
          "ALTER TABLE app.orders RENAME store TO shop",
          "shop_total", ALTERED);
    AFTER("ALTER TABLE app.orders RENAME shop TO store; DELETE FROM app.orders WHERE store = 77;"
          "ALTER TABLE app.orders RENAME store TO shop",
          "shop_total", SUSPECT("app.orders"));
    AFTER("ALTER TABLE app.orders RENAME amount TO price; UPDATE app.orders SET price = 3 WHERE shop = 5", "shop_total",
          UNCAPTURED("app.orders"));
    VALUE(BY_SHOP, "1 21, 2 20, 5 3");
}
END_TEST

/* The definition reads columns by number, marks have names. */
START_TEST(columns_that_swap_names_are_others)
{
    static const char swap[] =
        "ALTER TABLE app.orders RENAME shop TO other; ALTER TABLE app.orders RENAME amount TO shop;"
        "ALTER TABLE app.orders RENAME other TO amount";

    cluster_execute(cluster, "CREATE INDEX ON app.orders (amount)");
    VALUE("SELECT app.install('by_shop', 'SELECT shop, sum(amount) AS total FROM orders GROUP BY shop', '{shop}',"
          " '[{\"table\": \"orders\", \"columns\": [\"shop\", \"amount\"]}]')",
          NULL);
    keyed_tend(cluster);
    LOOK("by_shop", "full: the first time");
    AFTER("UPDATE app.orders SET amount = 12 WHERE amount = 10", "by_shop", "keyed 1: +0 ~1 -0");
    cluster_execute(cluster, swap);
    cluster_execute(cluster, "SELECT chime.refresh('by_shop')");
    AFTER("UPDATE app.orders SET amount = 2 WHERE shop = 12", "by_shop", UNCAPTURED("app.orders"));
    /* Between its triggers and the next proof. */
    cluster_execute(cluster, "SELECT chime.follow_source(source_id) FROM chime.source");
    AFTER("UPDATE app.orders SET amount = 1 WHERE shop = 12", "by_shop",
          "full: columns of app.orders have other names, and it is asked again within 10 s");
    AFTER("UPDATE app.orders SET amount = 3 WHERE shop = 12", "by_shop",
          "full: columns of app.orders have other names, and it is asked again within 10 s");
    keyed_tend(cluster);
    cluster_execute(cluster, "SELECT chime.refresh('by_shop')");
    AFTER("UPDATE app.orders SET amount = 2 WHERE shop = 12", "by_shop", "keyed 2: +0 ~2 -0");
}
END_TEST

/* Its trigger was made ready for the types before. */
START_TEST(a_session_that_wrote_before_a_column_was_altered_writes_on)
{
    static const char *const types[] = {"bigint", "text", "json", "app.money", "integer"};
    const char *column = _i == 0 ? "shop" : "amount";
    PGconn *writer = cluster_connect(cluster, "postgres");

    cluster_execute(cluster, "CREATE TYPE app.money AS (cents bigint)");
    KEYED_INSTALL(cluster, "shop_total");
    session_execute(writer,
                    "UPDATE app.orders SET amount = 1 WHERE shop = 1; UPDATE app.orders SET shop = 4 WHERE shop = 2");
    for (size_t i = 0; i < sizeof(types) / sizeof(*types); i++) {
        cluster_execute_format(
            cluster,
            "DROP VIEW IF EXISTS kept.shop_total__live; DROP INDEX IF EXISTS app.orders_shop_kind_idx;"
            "ALTER TABLE app.orders ALTER %s TYPE %s USING NULL",
            column, types[i]);
        session_execute(writer, "UPDATE app.orders SET note = 'n'; UPDATE app.orders SET shop = NULL, amount = NULL");
        VALUE("SELECT count(*) FROM app.orders WHERE note = 'n'", "4");
    }
    /* All is as it was, but not in the hands of that session. */
    cluster_execute(cluster, "CREATE INDEX ON app.orders (shop, kind); UPDATE app.orders SET shop = id, amount = id;"
                             "SELECT app.install_shop_total()");
    keyed_tend(cluster);
    cluster_execute(cluster, "SELECT chime.refresh('shop_total')");
    session_execute(writer, "UPDATE app.orders SET amount = 7 WHERE shop = 1");
    VALUE("SELECT app.look('shop_total') ~ '^(full|keyed)[^W]*$'", "t");
    session_execute(writer, "UPDATE app.orders SET shop = 1 WHERE shop = 2");
    VALUE("SELECT app.look('shop_total') ~ '^(full|keyed)[^W]*$'", "t");
    PQfinish(writer);
}
END_TEST

START_TEST(a_column_dropped_with_all_that_reads_it_stops_no_writer)
{
    KEYED_INSTALL(cluster, "shop_total", "kind_total");
    cluster_execute(
        cluster, "ALTER TABLE app.orders DROP COLUMN amount CASCADE, DROP COLUMN extra CASCADE;"
                 "INSERT INTO app.orders (shop, kind) VALUES (4, 'd'); UPDATE app.orders SET kind = 'e' WHERE shop = 4;"
                 "DELETE FROM app.orders WHERE shop = 3");
    keyed_tend(cluster);
    cluster_execute(cluster, "INSERT INTO app.orders (shop, kind) VALUES (5, 'd'); TRUNCATE app.orders");
    VALUE("SELECT to_regclass('kept.shop_total__live')", NULL);
    cluster_execute(cluster, "ALTER TABLE app.orders ADD COLUMN amount integer, ADD COLUMN extra json;" THREE_SHOPS
                             "SELECT app.install_shop_total(); SELECT app.install_kind_total()");
    keyed_tend(cluster);
    VALUE("SELECT app.look('shop_total') ~ '^full: [^W]*$'", "t");
    AFTER("UPDATE app.orders SET amount = 1 WHERE shop = 2", "shop_total", "keyed 1: +0 ~1 -0");
}
END_TEST

#define INSTALL_FOUND(source, more)                                                                                \
    "SELECT app.install('found', 'SELECT shop, count(*) AS n FROM orders GROUP BY shop', '{shop}', '[{\"table\": " \
    "\"orders\", \"columns\": [\"id\", \"shop\"], " source "}]'" more ")"
#define BY_SHOPS "\"capture\": [\"shop\"]"

/* "p.shop" of a table without such a column is the function shop(p), where one is found: the table's owner would have
 * it run as ours. */
START_TEST(a_strangers_function_is_never_run_for_a_column_that_is_gone)
{
    static const struct {
        const char *install;
        const char *refresh;
    } cases[] = {
        {"SELECT app.install('found', 'SELECT shop, count(*) AS n FROM (SELECT shop FROM orders WHERE id > 0 OFFSET 0) "
         "o GROUP"
         " BY shop', '{shop}', '[{\"table\": \"orders\", \"columns\": [\"id\", \"shop\"], \"capture\": [\"id\"], "
         "\"map\":"
         " \"SELECT p.shop FROM marks JOIN places p USING (id)\", \"trust\": true}]')",
         "SELECT chime.refresh('found')"},
        {INSTALL_FOUND(BY_SHOPS, ", p_revisit => 'SELECT p.shop FROM places p'"), "SELECT chime.refresh('found')"},
        {INSTALL_FOUND(BY_SHOPS, ", p_rejected => 'SELECT count(*) FROM places p WHERE p.shop > 0'"),
         "SELECT chime.refresh('found', true)"}};

    cluster_execute(cluster,
                    "CREATE TABLE app.places AS SELECT id, shop FROM app.orders; CREATE INDEX ON app.places (id);"
                    "CREATE TABLE app.ran (who text); CREATE ROLE tenant; GRANT ALL ON SCHEMA app TO tenant;"
                    "ALTER TABLE app.places OWNER TO tenant");
    VALUE(cases[_i].install, NULL);
    keyed_tend(cluster);
    LOOK("found", "full: the first time");
    cluster_execute(cluster, "SET ROLE tenant; ALTER TABLE app.places RENAME shop TO store;"
                             "CREATE FUNCTION app.shop(app.places) RETURNS integer LANGUAGE plpgsql AS"
                             " $$BEGIN INSERT INTO app.ran VALUES (current_user); RETURN 1; END$$; RESET ROLE;"
                             "UPDATE app.orders SET shop = 4 WHERE shop = 3");
    ck_assert_str_eq(cluster_sqlstate(cluster, cases[_i].refresh), "42703");
    VALUE("SELECT count(*) FROM app.ran", "0");
    cluster_execute(cluster, "ALTER TABLE app.places RENAME store TO shop");
    ck_assert_str_eq(cluster_sqlstate(cluster, cases[_i].refresh), "");
}
END_TEST

#define NO_PLACE \
    "SELECT app.install('found', 'SELECT shop FROM orders GROUP BY shop', '{shop}', '[]', p_revisit => $$%s$$)"

START_TEST(what_such_queries_cannot_see_is_refused_when_they_are_installed)
{
    cluster_execute(cluster, "CREATE FUNCTION app.shops() RETURNS SETOF integer LANGUAGE sql AS 'SELECT 1'");
    char *unseen = files_path(NO_PLACE, "SELECT shops()");
    char *named = files_path(NO_PLACE,
                             "SELECT app.shops() UNION SELECT o.shop FROM app.orders o UNION SELECT shop FROM orders");

    ck_assert_str_eq(cluster_sqlstate(cluster, unseen), "42883");
    ck_assert_str_eq(cluster_sqlstate(cluster, named), "");
    VALUE("SELECT to_regclass('chime.closing')", NULL);
    free(unseen);
    free(named);
}
END_TEST

/* pg_upgrade keeps the identities of relations, roles and types only. */
START_TEST(no_column_of_ours_stops_pg_upgrade)
{
    VALUE("SELECT string_agg(format('%s.%s %s', c.relname, a.attname, a.atttypid::regtype), ', ') FROM pg_class c"
          " JOIN pg_attribute a ON a.attrelid = c.oid AND a.attnum > 0 AND NOT a.attisdropped"
          " JOIN pg_type t ON t.oid = a.atttypid JOIN pg_type e ON e.oid IN (t.oid, t.typelem, t.typbasetype)"
          " WHERE c.relnamespace = 'chime'::regnamespace AND c.relkind IN ('r', 'p', 'm', 'i') AND e.typname ~ '^reg'"
          " AND e.oid <> ALL ('{regclass,regrole,regtype}'::regtype[])",
          NULL);
}
END_TEST

/* A captured column; what the log has of the old type is of no use. */
static void follow(const char *type, const char *conversion, const char *write, const char *expected)
{
    cluster_execute_format(cluster,
                           "DROP VIEW kept.shop_total__live; ALTER TABLE app.orders ALTER shop TYPE %s USING %s; %s",
                           type, conversion, write);
    cluster_execute(cluster, "SELECT app.install_shop_total()");
    EXPECT_LOOK(cluster, "shop_total", UNCAPTURED("app.orders"));
    cluster_execute(cluster, write);
    EXPECT_LOOK(cluster, "shop_total", UNCAPTURED("app.orders"));
    keyed_tend(cluster);
    EXPECT_SQL(
        cluster,
        "SELECT a.atttypid = b.atttypid AND a.atttypmod = -1 FROM pg_attribute a, pg_attribute b WHERE a.attname = "
        "'shop' AND"
        " b.attname = 'shop' AND a.attrelid = 'chime.change_1'::regclass AND b.attrelid = 'app.orders'::regclass",
        "t");
    EXPECT_SQL(cluster, "SELECT app.look('shop_total') ~ '^full: [^W]*$'", "t");
    cluster_execute(cluster, write);
    EXPECT_LOOK(cluster, "shop_total", expected);
}

START_TEST(a_log_follows_the_type_of_a_captured_column)
{
    KEYED_INSTALL(cluster, "shop_total");
    follow("bigint", "shop", "INSERT INTO app.orders (shop) VALUES (5000000000)", "keyed 1: +0 ~1 -0");
    follow("smallint", "least(shop, 30000)", "INSERT INTO app.orders (shop) VALUES (7)", "keyed 1: +0 ~1 -0");
    follow("varchar(8)", "shop::text", "INSERT INTO app.orders (shop) VALUES ('7')", "keyed 1: +0 ~1 -0");
    cluster_execute(cluster, "CREATE TYPE app.place AS ENUM ('7', 'north')");
    follow("app.place", "CASE shop WHEN '7' THEN shop::app.place END", "INSERT INTO app.orders (shop) VALUES ('north')",
           "keyed 1: +0 ~1 -0");
}
END_TEST

/* It cannot be captured at all. */
START_TEST(a_captured_column_may_become_one_without_equality)
{
    KEYED_INSTALL(cluster, "shop_items");
    cluster_execute(cluster, "DROP VIEW kept.shop_items__live; DROP INDEX app.items_order_id_idx;"
                             "ALTER TABLE app.items ALTER order_id TYPE json USING to_json(order_id);"
                             "INSERT INTO app.items (order_id, quantity) VALUES ('1', 5)");
    keyed_tend(cluster);
    cluster_execute(cluster,
                    "INSERT INTO app.items (order_id, quantity) VALUES ('2', 6); UPDATE app.items SET quantity = 7");
    VALUE("SELECT app.install('shop_items', 'SELECT o.shop, sum(i.quantity) AS quantity FROM orders o JOIN items i ON "
          "i.order_id::text"
          " = o.id::text GROUP BY o.shop', '{shop}', '[{\"table\": \"orders\", \"columns\": [\"id\", \"shop\"], "
          "\"capture\":"
          " [\"shop\"]}, {\"table\": \"items\", \"columns\": [\"order_id\", \"quantity\"], \"capture\": [\"order_id\"],"
          " \"map\": \"SELECT 1\"}]')",
          "no index finds one group in app.items: CREATE INDEX ON app.items (((items.order_id)::text)) makes it keyed");
    LOOK("shop_items", "full: no index finds one group in app.items: CREATE INDEX ON app.items "
                       "(((items.order_id)::text)) makes it keyed");
}
END_TEST

START_TEST(a_wider_column_is_no_other_column)
{
    cluster_execute(cluster,
                    "CREATE TABLE app.notes (word varchar(3), n numeric(4, 1)); CREATE INDEX ON app.notes (word);"
                    "CREATE INDEX ON app.notes (n)");
    VALUE("SELECT app.install('note_count', 'SELECT word::text, n::numeric, count(*) AS c FROM notes GROUP BY 1, 2', "
          "'{word,n}',"
          " '[{\"table\": \"notes\", \"columns\": [\"word\", \"n\"], \"capture\": [\"word\", \"n\"]}]')",
          NULL);
    keyed_tend(cluster);
    cluster_execute(cluster, "DROP VIEW kept.note_count__live; ALTER TABLE app.notes ALTER word TYPE varchar(9), ALTER "
                             "n TYPE numeric(9, 4)");
    cluster_execute(cluster, "INSERT INTO app.notes VALUES ('longer', 1.2345)");
    VALUE("SELECT word || n FROM chime.change_1", "longer1.2345");
    VALUE("SELECT chime.needs_following(1)", "f");
}
END_TEST

START_TEST(a_declared_column_may_become_one_without_equality)
{
    KEYED_INSTALL(cluster, "kind_total");
    cluster_execute(cluster, "CREATE TABLE app.docs (shop integer, doc jsonb); CREATE INDEX ON app.docs (shop)");
    VALUE("SELECT app.install('doc_total', 'SELECT shop, max(doc ->> ''v'') AS v FROM docs GROUP BY shop', '{shop}',"
          " '[{\"table\": \"docs\", \"columns\": [\"shop\", \"doc\"], \"capture\": [\"shop\"]}]')",
          NULL);
    keyed_tend(cluster);
    LOOK("doc_total", "full: the first time");
    cluster_execute(cluster, "DROP VIEW kept.doc_total__live; ALTER TABLE app.docs ALTER doc TYPE json;"
                             "INSERT INTO app.docs VALUES (1, '{\"v\": 1}'); UPDATE app.docs SET doc = '{\"v\": 2}'");
    VALUE("SELECT app.install('doc_total', 'SELECT shop, max(doc ->> ''v'') AS v FROM docs GROUP BY shop', '{shop}',"
          " '[{\"table\": \"docs\", \"columns\": [\"shop\", \"doc\"], \"capture\": [\"shop\"]}]')",
          NULL);
    LOOK("doc_total", "full: changes of app.docs are not captured");
    keyed_tend(cluster);
    VALUE("SELECT app.look('doc_total') ~ '^full: app.docs may have changed[^W]*$'", "t");
    AFTER("UPDATE app.docs SET doc = '{\"v\": 3}'", "doc_total", "keyed 1: +0 ~1 -0");
}
END_TEST

/* This one may have the old function in its hands, and has left no mark yet. */
START_TEST(a_log_waits_for_the_writers_before_it_follows)
{
    PGconn *writer = cluster_connect(cluster, "postgres");

    KEYED_INSTALL(cluster, "shop_total");
    cluster_execute(cluster, "DROP VIEW kept.shop_total__live; ALTER TABLE app.orders ALTER shop TYPE bigint; SELECT "
                             "app.install_shop_total()");
    session_execute(writer, "BEGIN; LOCK TABLE app.orders IN ROW EXCLUSIVE MODE");
    VALUE("CALL chime.tend_capture()", "columns of app.orders: canceling statement due to lock timeout");
    session_execute(writer, "INSERT INTO app.orders (shop) VALUES (3); COMMIT");
    LOOK("shop_total", UNCAPTURED("app.orders"));
    keyed_tend(cluster);
    LOOK("shop_total", SUSPECT("app.orders"));
    AFTER("INSERT INTO app.orders (shop) VALUES (3)", "shop_total", "keyed 1: +0 ~1 -0");
    PQfinish(writer);
}
END_TEST

START_TEST(a_source_may_have_columns_named_as_the_triggers_variables)
{
    cluster_execute(
        cluster, "CREATE TABLE app.odd (found integer, tg_op text, new_rows integer); CREATE INDEX ON app.odd (found)");
    VALUE("SELECT app.install('odd_view', 'SELECT found, max(tg_op) AS o, max(new_rows) AS r FROM odd GROUP BY found', "
          "'{found}',"
          " '[{\"table\": \"odd\", \"columns\": [\"found\", \"tg_op\", \"new_rows\"], \"capture\": [\"found\"]}]')",
          NULL);
    keyed_tend(cluster);
    LOOK("odd_view", "full: the first time");
    AFTER("INSERT INTO app.odd VALUES (1, 'a', 2), (2, 'b', 3); UPDATE app.odd SET tg_op = 'c' WHERE found = 1",
          "odd_view", "keyed 2: +2 ~0 -0");
    AFTER("UPDATE app.odd SET new_rows = 5 WHERE found = 1", "odd_view", "keyed 1: +0 ~1 -0");
}
END_TEST

static Suite *suite(void)
{
    Suite *all = suite_create("keyed columns");
    TCase *cases = tcase_create("keyed columns");

    tcase_add_checked_fixture(cases, set_up, served_tear_down);
    tcase_set_timeout(cases, 180);
    tcase_add_test(cases, a_renamed_column_stops_no_writer_and_no_refresh);
    tcase_add_test(cases, columns_that_swap_names_are_others);
    tcase_add_loop_test(cases, a_session_that_wrote_before_a_column_was_altered_writes_on, 0, 2);
    tcase_add_loop_test(cases, a_strangers_function_is_never_run_for_a_column_that_is_gone, 0, 3);
    tcase_add_test(cases, what_such_queries_cannot_see_is_refused_when_they_are_installed);
    tcase_add_test(cases, no_column_of_ours_stops_pg_upgrade);
    tcase_add_test(cases, a_column_dropped_with_all_that_reads_it_stops_no_writer);
    tcase_add_test(cases, a_log_follows_the_type_of_a_captured_column);
    tcase_add_test(cases, a_captured_column_may_become_one_without_equality);
    tcase_add_test(cases, a_wider_column_is_no_other_column);
    tcase_add_test(cases, a_declared_column_may_become_one_without_equality);
    tcase_add_test(cases, a_log_waits_for_the_writers_before_it_follows);
    tcase_add_test(cases, a_source_may_have_columns_named_as_the_triggers_variables);
    suite_add_tcase(all, cases);
    return all;
}

int main(void)
{
    return suite_run(suite());
}
