/* SPDX-License-Identifier: PostgreSQL */
/* What the trigger functions of keyed refresh do for one row and for many, and whose names and settings they follow. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "support/keyed/keyed_stage.h"
#include "support/process/suite.h"

#define VALUE(sql, expected) EXPECT_SQL(cluster, sql, expected)
#define EXPECT_MARKS(expected) EXPECT_SQL(cluster, "SELECT count(*) FROM chime.change_1", expected)
#define FORGET_MARKS() cluster_execute(cluster, "DELETE FROM chime.change_1")

START_TEST(statements_of_no_row_one_row_and_many_mark_each_key)
{
    KEYED_INSTALL(cluster, "shop_total");
    AFTER("INSERT INTO app.orders (shop) SELECT 1 WHERE false; DELETE FROM app.orders WHERE shop = 1", "shop_total",
          "keyed 0: +0 ~0 -0");
    EXPECT_MARKS("0");
    AFTER("INSERT INTO app.orders (shop) VALUES (1)", "shop_total", "keyed 1: +1 ~0 -0");
    EXPECT_MARKS("1");
    AFTER("INSERT INTO app.orders (shop) SELECT i % 50 FROM generate_series(1, 1000) i", "shop_total",
          "keyed 50: +49 ~1 -0");
    EXPECT_SQL(cluster, "SELECT count(*) BETWEEN 50 AND 53 FROM chime.change_1", "t");
    FORGET_MARKS();
    AFTER("UPDATE app.orders SET amount = 1 WHERE ctid IN (SELECT min(ctid) FROM app.orders)", "shop_total",
          "keyed 1: +0 ~1 -0");
    EXPECT_MARKS("1");
    AFTER("UPDATE app.orders SET amount = 2", "shop_total", "keyed 50: +0 ~50 -0");
    EXPECT_SQL(cluster, "SELECT count(DISTINCT shop) FROM chime.change_1", "50");
    AFTER("DELETE FROM app.orders WHERE shop >= 40", "shop_total", "keyed 10: +0 ~0 -10");
}
END_TEST

START_TEST(one_row_that_changes_its_key_marks_both)
{
    KEYED_INSTALL(cluster, "shop_total");
    AFTER("INSERT INTO app.orders (shop, amount) VALUES (1, 1)", "shop_total", "keyed 1: +1 ~0 -0");
    AFTER("UPDATE app.orders SET shop = 2", "shop_total", "keyed 2: +1 ~0 -1");
    AFTER("UPDATE app.orders SET shop = NULL", "shop_total", "keyed 2: +1 ~0 -1");
    AFTER("UPDATE app.orders SET amount = NULL", "shop_total", "keyed 1: +0 ~1 -0");
}
END_TEST

/* Marks, not only what a refresh makes of them. */
#define AFTER_MARKS(sql, expected)           \
    do {                                     \
        FORGET_MARKS();                      \
        cluster_execute(cluster, sql);       \
        EXPECT_SQL(cluster, KEYS, expected); \
    } while (0)
#define KEYS "SELECT string_agg(coalesce(shop::text, 'none'), ' ' ORDER BY shop) FROM chime.change_1"

START_TEST(one_row_leaves_one_mark_for_each_key_it_had)
{
    KEYED_INSTALL(cluster, "shop_total");
    cluster_execute(cluster, "INSERT INTO app.orders (shop, amount) VALUES (1, 1)");
    AFTER_MARKS("UPDATE app.orders SET amount = 2", "1");
    AFTER_MARKS("UPDATE app.orders SET amount = 2, shop = 1", NULL);
    AFTER_MARKS("UPDATE app.orders SET note = 'n', kind = 'k', extra = '1'", NULL);
    AFTER_MARKS("UPDATE app.orders SET amount = NULL", "1");
    AFTER_MARKS("UPDATE app.orders SET note = 'm'", NULL);
    AFTER_MARKS("UPDATE app.orders SET shop = 2", "1 2");
    AFTER_MARKS("UPDATE app.orders SET shop = 3, amount = 3", "2 3");
    AFTER_MARKS("UPDATE app.orders SET shop = NULL", "3 none");
    AFTER_MARKS("UPDATE app.orders SET amount = 4", "none");
    AFTER_MARKS("UPDATE app.orders SET note = 'o'", NULL);
    AFTER_MARKS("UPDATE app.orders SET shop = 4", "4 none");
    AFTER_MARKS("UPDATE app.orders SET amount = 5", "4");
    AFTER_MARKS("UPDATE app.orders SET shop = 5, amount = 6", "4 5"); /* nothing is NULL: what is asked first */
    AFTER_MARKS("UPDATE app.orders SET shop = NULL, amount = 7", "5 none");
    AFTER_MARKS("UPDATE app.orders SET shop = 6, amount = 8", "6 none");
    AFTER_MARKS("DELETE FROM app.orders", "6");
}
END_TEST

#define DISTINCT_KEYS "SELECT string_agg(DISTINCT shop::text, ' ') FROM chime.change_1"
#define AFTER_DISTINCT(sql, expected)                 \
    do {                                              \
        FORGET_MARKS();                               \
        cluster_execute(cluster, sql);                \
        EXPECT_SQL(cluster, DISTINCT_KEYS, expected); \
    } while (0)

/* Rows before and after are not paired: here one of them is the same as all others. */
START_TEST(a_change_among_rows_that_are_the_same_is_marked)
{
    KEYED_INSTALL(cluster, "shop_total");
    cluster_execute(cluster, "INSERT INTO app.orders (shop, amount) SELECT 1, 1 FROM generate_series(1, 4)");
    for (int i = 1; i <= 4; i++) {
        cluster_execute(cluster, "UPDATE app.orders SET shop = 1, amount = 1");
        FORGET_MARKS();
        cluster_execute_format(cluster, "UPDATE app.orders SET amount = CASE WHEN id = %d THEN 2 ELSE 1 END", i);
        EXPECT_SQL(cluster, DISTINCT_KEYS, "1");
        cluster_execute(cluster, "UPDATE app.orders SET amount = 1");
        FORGET_MARKS();
        cluster_execute_format(cluster, "UPDATE app.orders SET shop = CASE WHEN id = %d THEN 2 ELSE 1 END", i);
        EXPECT_SQL(cluster, DISTINCT_KEYS, "1 2");
    }
    cluster_execute(cluster, "UPDATE app.orders SET shop = 1, amount = 1");
    AFTER_DISTINCT("UPDATE app.orders SET note = 'n'", NULL);
    cluster_execute(cluster, "DELETE FROM app.orders WHERE id > 2; UPDATE app.orders SET shop = id, amount = id");
    AFTER_DISTINCT("UPDATE app.orders SET amount = CASE id WHEN 1 THEN 5 ELSE amount END", "1");
    AFTER_DISTINCT("UPDATE app.orders SET shop = 3 - shop", "1 2");
}
END_TEST

/* Numbers may be equal and not the same: a definition may tell them apart, so marks are of both. */
START_TEST(a_key_that_only_looks_otherwise_is_marked)
{
    cluster_execute(
        cluster,
        "CREATE TABLE app.scales (size numeric, word text, n integer); CREATE INDEX ON app.scales (size, word);"
        "INSERT INTO app.scales VALUES (1.0, 'a', 1)");
    EXPECT_SQL(
        cluster,
        "SELECT app.install('scale_count', 'SELECT size, word, max(n) AS n FROM scales GROUP BY size, word', "
        "'{size,word}',"
        " '[{\"table\": \"scales\", \"columns\": [\"size\", \"word\", \"n\"], \"capture\": [\"size\", \"word\"]}]')",
        NULL);
    keyed_tend(cluster);
    cluster_execute(cluster, "UPDATE app.scales SET size = 1.00");
    EXPECT_SQL(cluster, "SELECT string_agg(size::text || word, ' ' ORDER BY scale(size)) FROM chime.change_1",
               "1.0a 1.00a");
    FORGET_MARKS();
    cluster_execute(cluster, "UPDATE app.scales SET n = 2");
    EXPECT_SQL(cluster, "SELECT string_agg(size::text || word, ' ') FROM chime.change_1", "1.00a");
    FORGET_MARKS();
    cluster_execute(cluster, "UPDATE app.scales SET word = 'A'");
    EXPECT_SQL(cluster, "SELECT string_agg(size::text || word, ' ' ORDER BY word COLLATE \"C\") FROM chime.change_1",
               "1.00A 1.00a");
}
END_TEST

/* Every row before beside every row after would take minutes. */
START_TEST(many_rows_that_are_all_the_same_take_no_square_of_time)
{
    KEYED_INSTALL(cluster, "shop_total");
    cluster_execute(cluster, "INSERT INTO app.orders (shop, amount) SELECT 1, 1 FROM generate_series(1, 50000); SET "
                             "statement_timeout = '60s'");
    AFTER_DISTINCT("UPDATE app.orders SET note = 'n'", NULL);
}
END_TEST

/* Equal, yet not the same to whoever shows it as text. */
START_TEST(one_row_is_compared_by_its_bytes)
{
    cluster_execute(cluster, "CREATE TABLE app.prices (shop integer, price numeric); CREATE INDEX ON app.prices (shop);"
                             "INSERT INTO app.prices VALUES (1, 1.0)");
    EXPECT_SQL(cluster,
               "SELECT app.install('shop_price', 'SELECT shop, max(price::text) AS price FROM prices GROUP BY shop',"
               " '{shop}', '[{\"table\": \"prices\", \"columns\": [\"price\"], \"capture\": [\"shop\"]}]')",
               NULL);
    keyed_tend(cluster);
    LOOK("shop_price", "full: the first time");
    AFTER("UPDATE app.prices SET price = 1.00", "shop_price", "keyed 1: +0 ~1 -0");
    AFTER("UPDATE app.prices SET price = 1.00", "shop_price", "keyed 0: +0 ~0 -0");
}
END_TEST

/* Some types have an operator that tells values apart, which is asked first; what that calls equal, NULLs and other
 * types are compared by their bytes. */
START_TEST(each_type_tells_what_changed_from_what_did_not)
{
    static const struct {
        const char *type, *before, *after; /* which an operator may call equal */
    } columns[] = {
        {"integer", "1", "2"},
        {"numeric", "1.0", "1.00"},
        {"double precision", "0", "-0"},
        {"timestamptz", "2026-01-01Z", "2026-01-02Z"},
        {"text COLLATE app.sloppy", "a", "A"},
        {"varchar(9)", "a", "b"},
        {"char(3)", "a", "b"},
        {"jsonb", "{\"n\": 1.0}", "{\"n\": 1.00}"},
        {"json", "{}", "{ }"},
        {"integer[]", "{1}", "[0:0]={1}"},
        {"app.mood", "fine", "bad"},
        {"app.positive", "1", "1.0"},
        {"point", "(1,1)", "(1,1.0000000001)"},
        {"interval", "1 day", "24 hours"},
    };
    enum { COLUMN_COUNT = sizeof(columns) / sizeof(columns[0]) };

    cluster_execute(cluster,
                    "CREATE COLLATION app.sloppy (provider = icu, locale = 'und-u-ks-level2', deterministic = false);"
                    "CREATE TYPE app.mood AS ENUM ('fine', 'bad');"
                    "CREATE DOMAIN app.positive AS numeric CHECK (VALUE > 0);"
                    "CREATE TABLE app.things (shop integer, other integer); CREATE INDEX ON app.things (shop);"
                    "INSERT INTO app.things VALUES (1, 0)");
    for (int i = 0; i < COLUMN_COUNT; i++)
        cluster_execute_format(cluster, "ALTER TABLE app.things ADD c%d %s", i, columns[i].type);
    VALUE("SELECT app.install('thing_count', format('SELECT shop, %s FROM things GROUP BY shop',"
          "   string_agg(format('max(%1$s::text) AS %1$s', attname), ', ')), '{shop}',"
          "   jsonb_build_array(jsonb_build_object('table', 'things', 'columns', jsonb_agg(attname), 'capture', "
          "'[\"shop\"]'::jsonb)))"
          " FROM pg_attribute WHERE attrelid = 'app.things'::regclass AND attname ~ '^c[0-9]'",
          NULL);
    keyed_tend(cluster);
    for (int i = 0; i < COLUMN_COUNT; i++) {
        const char *values[] = {columns[i].before, columns[i].after};

        for (int v = 0; v < 2; v++) {
            FORGET_MARKS();
            cluster_execute_format(cluster, "UPDATE app.things SET c%d = '%s'", i, values[v]);
            EXPECT_MARKS("1");
            cluster_execute_format(cluster, "UPDATE app.things SET other = other + 1, c%d = '%s'", i, values[v]);
            EXPECT_MARKS("1");
        }
        AFTER("UPDATE app.things SET other = 0", "thing_count", i == 0 ? "full: the first time" : "keyed 1: +0 ~1 -0");
        FORGET_MARKS();
        cluster_execute_format(cluster, "UPDATE app.things SET c%d = NULL", i);
        EXPECT_MARKS("1");
        cluster_execute_format(cluster, "UPDATE app.things SET other = 1, c%d = NULL", i);
        EXPECT_MARKS("1");
    }
}
END_TEST

/* It leaves one partition and does not arrive in the other. What triggers do to it there, the one that goes before
 * cannot know. */
START_TEST(a_row_that_a_trigger_stops_between_partitions_is_marked)
{
    KEYED_INSTALL(cluster, "event_total");
    AFTER("INSERT INTO app.events VALUES (1, 1, 10), (1, 2, 20)", "event_total", "keyed 1: +1 ~0 -0");
    cluster_execute(cluster,
                    "CREATE FUNCTION app.stop() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';"
                    "CREATE TRIGGER stop BEFORE INSERT ON app.events_2 FOR EACH ROW EXECUTE FUNCTION app.stop()");
    keyed_tend(cluster);
    LOOK("event_total", SUSPECT("app.events"));
    AFTER("UPDATE app.events SET day = 15 WHERE day = 1", "event_total", KNOWN_LATE("app.events"));
    AFTER("UPDATE app.events SET day = 15 WHERE day = 2", "event_total", KNOWN_LATE("app.events"));
}
END_TEST

#define LOST                                                                                                         \
    "SELECT (SELECT array_agg(DISTINCT shop) FROM chime.change_1 WHERE chime_whole IS NULL) = array_agg(shop ORDER " \
    "BY shop) FROM "                                                                                                 \
    "kept.event_total"                                                                                               \
    " WHERE shop NOT IN (SELECT shop FROM app.events)"

/* More rows before than after: one stays as it is, the others get lost. Only those are marked. */
START_TEST(rows_that_get_lost_beside_one_that_stays_are_marked)
{
    KEYED_INSTALL(cluster, "event_total");
    cluster_execute(cluster,
                    "CREATE FUNCTION app.stop() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';"
                    "CREATE TRIGGER stop BEFORE INSERT ON app.events_2 FOR EACH ROW EXECUTE FUNCTION app.stop()");
    keyed_tend(cluster);
    for (int lost = 1; lost <= 3; lost++)
        for (int stays = 0; stays <= lost; stays++) {
            cluster_execute_format(
                cluster, "DELETE FROM app.events; INSERT INTO app.events SELECT i, 1, 1 FROM generate_series(0, %d) i",
                lost);
            cluster_execute(cluster, "SELECT chime.refresh('event_total')");
            FORGET_MARKS();
            cluster_execute_format(cluster, "UPDATE app.events SET day = CASE shop WHEN %d THEN 1 ELSE 15 END", stays);
            EXPECT_SQL(cluster, LOST, "t");
            LOOK("event_total", KNOWN_LATE("app.events"));
        }
    cluster_execute(cluster,
                    "DELETE FROM app.events; INSERT INTO app.events VALUES (1, 1, 10), (1, 1, 10), (1, 2, 20)");
    cluster_execute(cluster, "SELECT chime.refresh('event_total')");
    AFTER("UPDATE app.events SET day = CASE points WHEN 20 THEN 15 ELSE 1 END", "event_total",
          KNOWN_LATE("app.events"));
}
END_TEST

#define KIND_OF_UPDATE                                                                                        \
    "SELECT string_agg(CASE WHEN tgtype & 1 = 1 THEN 'row' ELSE 'statement' END, ' ' ORDER BY tgrelid) FROM " \
    "pg_trigger"                                                                                              \
    " WHERE tgname = 'chime_capture_1_update'"

/* What changes rows of a child through its parent fires no row trigger of either's UPDATE before the leader was
 * there. */
START_TEST(a_table_that_gets_a_child_is_captured_by_statement)
{
    KEYED_INSTALL(cluster, "shop_total");
    cluster_execute(cluster, "INSERT INTO app.orders (shop, amount) VALUES (1, 1), (2, 2)");
    EXPECT_SQL(cluster, KIND_OF_UPDATE, "row");
    AFTER("CREATE TABLE app.more () INHERITS (app.orders); CREATE INDEX ON app.more (shop); INSERT INTO app.more (id, "
          "shop, amount) VALUES (9, 2, 3);"
          "UPDATE app.orders SET amount = 4 WHERE id = 9",
          "shop_total", "full: changes of app.orders are not captured");
    keyed_tend(cluster);
    EXPECT_SQL(cluster, KIND_OF_UPDATE, "statement statement");
    LOOK("shop_total", SUSPECT("app.orders"));
    AFTER("UPDATE app.orders SET amount = 5 WHERE id = 9", "shop_total", "keyed 1: +0 ~1 -0");
    AFTER("UPDATE app.more SET amount = 6", "shop_total", "keyed 1: +0 ~1 -0");
    cluster_execute(cluster, "DROP TABLE app.more");
    keyed_tend(cluster);
    EXPECT_SQL(cluster, KIND_OF_UPDATE, "row");
    LOOK("shop_total", SUSPECT("app.orders"));
    AFTER("UPDATE app.orders SET amount = 7 WHERE shop = 1", "shop_total", "keyed 1: +0 ~1 -0");
}
END_TEST

/* What is written through another table that a source is part of fires no trigger of the source: nothing of that is
 * captured. */
START_TEST(a_table_that_becomes_part_of_another_is_not_captured)
{
    static const char part[] = "full: changes of app.orders are not captured";
    KEYED_INSTALL(cluster, "shop_total");
    cluster_execute(cluster, "CREATE TABLE app.more () INHERITS (app.orders); CREATE INDEX ON app.more (shop);"
                             "INSERT INTO app.more (id, shop, amount) VALUES (9, 2, 3)");
    keyed_tend(cluster);
    LOOK("shop_total", SUSPECT("app.orders"));
    cluster_execute(cluster, "CREATE TABLE app.base (LIKE app.orders); ALTER TABLE app.orders INHERIT app.base");
    AFTER("UPDATE app.base SET amount = 4", "shop_total", part);
    AFTER("UPDATE app.base SET amount = 5", "shop_total", part);
    cluster_execute(cluster, "ALTER TABLE app.orders NO INHERIT app.base; DROP TABLE app.more");
    keyed_tend(cluster);
    LOOK("shop_total", SUSPECT("app.orders"));
    AFTER("INSERT INTO app.orders (id, shop, amount) VALUES (1, 1, 1)", "shop_total", "keyed 1: +1 ~0 -0");
    cluster_execute(cluster, "ALTER TABLE app.orders ALTER COLUMN id DROP IDENTITY;" /* PostgreSQL 17 wants that */
                             "CREATE TABLE app.all_orders (LIKE app.orders) PARTITION BY LIST (shop);"
                             "ALTER TABLE app.all_orders ATTACH PARTITION app.orders DEFAULT");
    LOOK("shop_total", part);
    keyed_tend(cluster);
    AFTER("INSERT INTO app.all_orders (id, shop, amount) VALUES (2, 1, 1)", "shop_total",
          "full: changes of app.all_orders, app.orders are not captured");
    cluster_execute(cluster, "ALTER TABLE app.all_orders DETACH PARTITION app.orders");
    keyed_tend(cluster);
    LOOK("shop_total", "full: the first time");
    EXPECT_SQL(cluster, KIND_OF_UPDATE, "row");
    AFTER("UPDATE app.orders SET amount = 7 WHERE id = 2", "shop_total", "keyed 1: +0 ~1 -0");
}
END_TEST

START_TEST(rows_of_an_update_are_marked_as_they_ended)
{
    KEYED_INSTALL(cluster, "shop_total");
    cluster_execute(cluster, "INSERT INTO app.orders (shop, amount) SELECT i, i FROM generate_series(1, 6) i");
    AFTER_MARKS(
        "UPDATE app.orders o SET amount = 7 FROM (VALUES (2, 1), (2, 2), (3, 1)) v (shop, n) WHERE o.shop = v.shop",
        "2 3");
    AFTER_MARKS(
        "BEGIN; UPDATE app.orders SET amount = 8 WHERE shop = 1; SAVEPOINT s; UPDATE app.orders SET amount = 8 WHERE "
        "shop = 2; ROLLBACK TO s; UPDATE app.orders SET shop = 60 WHERE shop = 6; COMMIT",
        "1 6 60");
    cluster_execute(cluster, "BEGIN; UPDATE app.orders SET amount = 9 WHERE shop = 3; PREPARE TRANSACTION 'p'");
    AFTER_MARKS("COMMIT PREPARED 'p'", "3");
    cluster_execute(cluster,
                    "CREATE FUNCTION app.other() RETURNS trigger LANGUAGE plpgsql AS"
                    " $$ BEGIN NEW.shop := NEW.shop + 100; RETURN CASE WHEN OLD.shop < 3 THEN NEW END; END $$;"
                    "CREATE TRIGGER other BEFORE UPDATE ON app.orders FOR EACH ROW EXECUTE FUNCTION app.other()");
    AFTER_MARKS("UPDATE app.orders SET note = 'n'", "1 2 101 102");
}
END_TEST

/* Ids that a block with a handler would take: they wear out, and each makes snapshots larger. */
START_TEST(a_writer_takes_one_transaction_id)
{
    KEYED_INSTALL(cluster, "shop_total");
    cluster_execute(cluster, "INSERT INTO app.orders (shop, amount) SELECT i, i FROM generate_series(1, 100) i; BEGIN;"
                             "UPDATE app.orders SET amount = 0; UPDATE app.orders SET shop = shop + 1, kind = NULL");
    VALUE("SELECT count(*) FROM pg_locks WHERE locktype = 'transactionid' AND pid = pg_backend_pid()", "1");
    cluster_execute(cluster, "COMMIT");
}
END_TEST

/* The functions run as their owner: whoever could slip an operator in would run as the owner too. */
START_TEST(names_of_a_writers_search_path_are_not_followed)
{
    KEYED_INSTALL(cluster, "shop_total", "kind_total");
    cluster_execute(
        cluster,
        "CREATE SCHEMA evil; CREATE DOMAIN evil.text AS pg_catalog.text CHECK (false);"
        "CREATE DOMAIN evil.int4 AS pg_catalog.int4 CHECK (false);"
        "CREATE DOMAIN evil.int8 AS pg_catalog.int8 CHECK (false);"
        "CREATE DOMAIN evil.bool AS pg_catalog.bool CHECK (false); CREATE TABLE evil.new_rows (shop integer);"
        "CREATE FUNCTION evil.sum(integer) RETURNS bigint LANGUAGE plpgsql AS"
        " $$ BEGIN RAISE 'evil.sum was called'; END $$;"
        "CREATE FUNCTION evil.format(text, VARIADIC \"any\") RETURNS text LANGUAGE internal AS 'text_format';");
    cluster_execute(cluster,
                    "DO $do$ DECLARE t text; o text; BEGIN"
                    " FOREACH t IN ARRAY '{text,int4,int8,bool,record,name}'::text[] LOOP"
                    "  EXECUTE format('CREATE FUNCTION evil.meet(a pg_catalog.%1$s, b pg_catalog.%1$s) RETURNS boolean"
                    "   LANGUAGE plpgsql AS $$ BEGIN RAISE ''an operator of evil was called''; END $$', t);"
                    "  FOREACH o IN ARRAY '{=,<>,>=,<=,>,<,%,*=,*<>}'::text[] LOOP"
                    "   EXECUTE format('CREATE OPERATOR evil.%s (LEFTARG = pg_catalog.%s, RIGHTARG = pg_catalog.%2$s, "
                    "FUNCTION = evil.meet)', o, t);"
                    "  END LOOP; END LOOP; END $do$");
    cluster_execute(cluster, "SET search_path = evil, pg_catalog");
    ck_assert_str_eq(cluster_sqlstate(cluster, "SELECT 1 = 1"), "P0001");
    for (int i = 0; i < 40; i++) { /* the part's size is looked at now and then */
        cluster_execute(cluster, "INSERT INTO app.orders (shop, kind, extra) VALUES (1, 'a', '{}')");
    }
    cluster_execute(
        cluster, "INSERT INTO app.orders (shop, kind, extra) VALUES (2, 'a', '{}'), (3, 'b', '[]');"
                 "UPDATE app.orders SET extra = '1'; UPDATE app.orders SET shop = 7, kind = 'c' WHERE shop "
                 "OPERATOR(pg_catalog.=) 2;"
                 "UPDATE app.orders SET amount = 7 WHERE shop OPERATOR(pg_catalog.=) 7; UPDATE app.orders SET shop = 4;"
                 "DELETE FROM app.orders; INSERT INTO app.orders (shop) VALUES (5);"
                 "UPDATE app.orders SET amount = 1; DELETE FROM app.orders; RESET search_path;"
                 "INSERT INTO app.orders (shop) VALUES (6)");
    LOOK("shop_total", "keyed 7: +1 ~0 -0");
    cluster_execute(cluster, "SET search_path = evil, pg_catalog; TRUNCATE app.orders; RESET search_path");
    LOOK("shop_total", "full: app.orders was truncated");
}
END_TEST

/* "n.amount" without such a column means the function amount(n): the table's owner would have it run as ours. */
START_TEST(a_column_that_was_renamed_is_no_function)
{
    KEYED_INSTALL(cluster, "shop_total");
    cluster_execute(cluster,
                    "INSERT INTO app.orders (shop, amount) VALUES (1, 1);"
                    "CREATE ROLE tenant; GRANT USAGE, CREATE ON SCHEMA app TO tenant; CREATE SCHEMA evil;"
                    "GRANT ALL ON SCHEMA evil TO tenant; ALTER TABLE app.orders OWNER TO tenant; SET ROLE tenant;"
                    "CREATE FUNCTION evil.amount(record) RETURNS integer LANGUAGE plpgsql AS"
                    " $$ BEGIN RAISE 'ran as %', current_user; END $$;"
                    "ALTER TABLE app.orders RENAME amount TO price; SET search_path = evil");
    for (int i = 0; i < 2; i++) {
        ck_assert_str_eq(
            cluster_sqlstate(cluster, i == 0 ? "UPDATE app.orders SET price = 2" : "UPDATE app.orders SET shop = 2"),
            "");
    }
    cluster_execute(cluster, "RESET search_path; RESET ROLE");
}
END_TEST

/* Floats compared as text, many rows: the difference of the bags. */
START_TEST(a_writers_float_digits_hide_nothing)
{
    cluster_execute(cluster, "CREATE TABLE app.spots (shop integer, spot point); CREATE INDEX ON app.spots (shop);"
                             "INSERT INTO app.spots VALUES (1, '(1,1)'), (2, '(1,1)')");
    EXPECT_SQL(cluster,
               "SELECT app.install('shop_spot', 'SELECT shop, max(spot[0]) AS x FROM spots GROUP BY shop', '{shop}',"
               " '[{\"table\": \"spots\", \"columns\": [\"spot\"], \"capture\": [\"shop\"]}]')",
               NULL);
    keyed_tend(cluster);
    LOOK("shop_spot", "full: the first time");
    AFTER("SET extra_float_digits = 0; UPDATE app.spots SET spot = '(1.0000000000000002,1)'; RESET extra_float_digits",
          "shop_spot", "keyed 2: +0 ~2 -0");
}
END_TEST

START_TEST(a_writers_settings_are_as_they_were)
{
    KEYED_INSTALL(cluster, "shop_total");
    cluster_execute(
        cluster, "SET jit = on; INSERT INTO app.orders (shop) VALUES (1), (2), (3); UPDATE app.orders SET amount = 1");
    EXPECT_SQL(cluster, "SHOW jit", "on");
    cluster_execute(cluster, "SET jit = on");
    cluster_execute(cluster, "BEGIN; INSERT INTO app.orders (shop) VALUES (1), (2), (3)");
    EXPECT_SQL(cluster, "SHOW jit", "on");
    cluster_execute(cluster, "SET LOCAL jit = off; DELETE FROM app.orders");
    EXPECT_SQL(cluster, "SHOW jit", "off");
    cluster_execute(cluster, "COMMIT");
    EXPECT_SQL(cluster, "SHOW jit", "on");
}
END_TEST

static Suite *suite(void)
{
    Suite *all = suite_create("keyed capture");
    TCase *cases = tcase_create("keyed capture");

    tcase_add_checked_fixture(cases, keyed_stage_set, served_tear_down);
    tcase_set_timeout(cases, 120);
    tcase_add_test(cases, statements_of_no_row_one_row_and_many_mark_each_key);
    tcase_add_test(cases, one_row_that_changes_its_key_marks_both);
    tcase_add_test(cases, one_row_leaves_one_mark_for_each_key_it_had);
    tcase_add_test(cases, a_change_among_rows_that_are_the_same_is_marked);
    tcase_add_test(cases, a_key_that_only_looks_otherwise_is_marked);
    tcase_add_test(cases, many_rows_that_are_all_the_same_take_no_square_of_time);
    tcase_add_test(cases, a_table_that_gets_a_child_is_captured_by_statement);
    tcase_add_test(cases, a_table_that_becomes_part_of_another_is_not_captured);
    tcase_add_test(cases, rows_of_an_update_are_marked_as_they_ended);
    tcase_add_test(cases, a_writer_takes_one_transaction_id);
    tcase_add_test(cases, rows_that_get_lost_beside_one_that_stays_are_marked);
    tcase_add_test(cases, one_row_is_compared_by_its_bytes);
    tcase_add_test(cases, each_type_tells_what_changed_from_what_did_not);
    tcase_add_test(cases, a_row_that_a_trigger_stops_between_partitions_is_marked);
    tcase_add_test(cases, names_of_a_writers_search_path_are_not_followed);
    tcase_add_test(cases, a_column_that_was_renamed_is_no_function);
    tcase_add_test(cases, a_writers_float_digits_hide_nothing);
    tcase_add_test(cases, a_writers_settings_are_as_they_were);
    suite_add_tcase(all, cases);
    return all;
}

int main(void)
{
    return suite_run(suite());
}
