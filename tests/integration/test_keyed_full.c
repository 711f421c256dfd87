/* SPDX-License-Identifier: PostgreSQL */
/* Keyed refresh: when it does everything instead, and what it says of it. */
#include <check.h>

#include "support/keyed/keyed_stage.h"
#include "support/process/suite.h"

/* --- what leaves no mark ------------------------------------------------------------------------------------------ */

START_TEST(writes_to_a_partition_and_moves_between_partitions_leave_marks)
{
    KEYED_INSTALL(cluster, "event_total");
    AFTER("INSERT INTO app.events VALUES (1, 1, 10), (2, 11, 20)", "event_total", "keyed 2: +2 ~0 -0");
    AFTER("INSERT INTO app.events_1 VALUES (1, 2, 1)", "event_total", "keyed 1: +0 ~1 -0");
    AFTER("UPDATE app.events_2 SET points = 21", "event_total", "keyed 1: +0 ~1 -0");
    AFTER("UPDATE app.events SET day = 12, shop = 3 WHERE day = 1", "event_total", "keyed 2: +1 ~1 -0");
    AFTER("DELETE FROM app.events_2 WHERE shop = 2", "event_total", "keyed 1: +0 ~0 -1");
    AFTER("TRUNCATE app.events_2", "event_total", "full: app.events was truncated");
    AFTER("TRUNCATE app.events", "event_total", "full: app.events was truncated");
}
END_TEST

/* PostgreSQL gives the trigger of UPDATE the row inserted last in place of those updated after it, unless a trigger
 * could have changed that. */
#define MERGED(table, first, second)                                                                                \
    "SET enable_hashjoin = off; SET enable_mergejoin = off;" /* in the order of the VALUES */                       \
    "MERGE INTO " table " e USING (VALUES " first ", " second ") AS v (day, shop) ON e.day = v.day"                 \
    " WHEN MATCHED THEN UPDATE SET shop = v.shop WHEN NOT MATCHED THEN INSERT (shop, day, points) VALUES (v.shop, " \
    "v.day, 1)"

START_TEST(a_merge_into_partitions_marks_the_rows_that_it_updates_after_one_that_it_inserts)
{
    cluster_execute(
        cluster,
        "CREATE TABLE app.events_3 (points integer, shop integer, day integer);"
        "ALTER TABLE app.events ATTACH PARTITION app.events_3 FOR VALUES FROM (20) TO (30);"
        "CREATE TABLE app.events_4 PARTITION OF app.events FOR VALUES FROM (30) TO (50) PARTITION BY RANGE (day);"
        "CREATE TABLE app.events_4_1 PARTITION OF app.events_4 FOR VALUES FROM (30) TO (50)");
    KEYED_INSTALL(cluster, "event_total");
    AFTER("INSERT INTO app.events VALUES (1, 1, 10), (2, 21, 20), (3, 31, 30)", "event_total", "keyed 3: +3 ~0 -0");
    AFTER(MERGED("app.events", "(5, 9), (1, 4)", "(22, 10), (21, 5)"), "event_total", "keyed 6: +4 ~0 -2");
    AFTER(MERGED("app.events_4", "(32, 11), (31, 6)", "(33, 12), (34, 13)"), "event_total", "keyed 5: +4 ~0 -1");
    AFTER("DROP TRIGGER chime_capture_1_merge ON app.events_3;" MERGED("app.events", "(6, 14), (5, 15)",
                                                                       "(23, 16), (22, 17)"),
          "event_total", UNCAPTURED("app.events"));
    keyed_tend(cluster);
    LOOK("event_total", SUSPECT("app.events"));
    AFTER(MERGED("app.events", "(24, 18), (23, 19)", "(25, 20), (6, 21)"), "event_total", "keyed 6: +4 ~0 -2");
}
END_TEST

/* PostgreSQL shows such a row only to triggers of DELETE and INSERT, which a MERGE without these does not fire. */
#define MOVED(from, to, shop)                                                                                         \
    "MERGE INTO app.events e USING (VALUES (" #from ", " #to ", " #shop ")) AS v (day, later, shop) ON e.day = v.day" \
    " WHEN MATCHED THEN UPDATE SET shop = v.shop, day = v.later;"

START_TEST(a_merge_that_moves_a_row_to_another_partition_marks_it)
{
    cluster_execute(cluster,
                    "CREATE TABLE app.events_3 (points integer, shop integer, day integer);"
                    "ALTER TABLE app.events ATTACH PARTITION app.events_3 FOR VALUES FROM (20) TO (30);"
                    "CREATE TABLE app.events_4 PARTITION OF app.events FOR VALUES FROM (30) TO (50) PARTITION BY LIST "
                    "((points % 2));"
                    "CREATE TABLE app.events_4_0 PARTITION OF app.events_4 FOR VALUES IN (0);"
                    "CREATE TABLE app.events_4_1 PARTITION OF app.events_4 FOR VALUES IN (1);"
                    "CREATE TABLE app.calls (\"their NAME\" text, cost numeric, place integer) PARTITION BY RANGE "
                    "(\"their NAME\", cost);"
                    "CREATE TABLE app.calls_1 PARTITION OF app.calls FOR VALUES FROM ('a', 0) TO ('m', 0);"
                    "CREATE TABLE app.calls_2 PARTITION OF app.calls FOR VALUES FROM ('m', 0) TO ('z', 0);"
                    "CREATE INDEX ON app.calls (place); INSERT INTO app.calls VALUES ('b', 1, 1), ('m', -1, 2)");
    EXPECT_SQL(cluster,
               "SELECT app.install('places', 'SELECT place, count(*) AS n FROM calls GROUP BY place', '{place}',"
               " '[{\"table\": \"calls\", \"columns\": [\"place\"]}]')",
               NULL);
    KEYED_INSTALL(cluster, "event_total");
    LOOK("places", "full: the first time");
    AFTER("MERGE INTO app.calls c USING (SELECT 3) AS v (place) ON c.cost = 1 WHEN MATCHED THEN UPDATE SET place = "
          "v.place, \"their NAME\" = 'n'",
          "places", "keyed 2: +1 ~0 -1");
    AFTER("MERGE INTO app.calls c USING (SELECT 4) AS v (place) ON c.cost = -1 WHEN MATCHED THEN UPDATE SET place = "
          "v.place, cost = 2",
          "places", "keyed 2: +1 ~0 -1");
    AFTER("INSERT INTO app.events VALUES (1, 1, 10), (2, 11, 20)", "event_total", "keyed 2: +2 ~0 -0");
    AFTER(MOVED(1, 12, 3), "event_total", "keyed 2: +1 ~0 -1");
    AFTER(MOVED(11, 21, 4) MOVED(21, 31, 5), "event_total", "keyed 3: +1 ~0 -1");
    AFTER("MERGE INTO app.events_4 e USING (VALUES (31, 6)) AS v (day, shop) ON e.day = v.day"
          " WHEN MATCHED THEN UPDATE SET shop = v.shop, points = points + 1",
          "event_total", "keyed 2: +1 ~0 -1");
    AFTER("MERGE INTO app.events e USING (VALUES (12, 2, 4), (15, 15, 7)) AS v (day, later, shop) ON e.day = v.day"
          " WHEN MATCHED THEN UPDATE SET shop = v.shop, day = v.later WHEN NOT MATCHED THEN INSERT (shop, day, points) "
          "VALUES (v.shop, v.day, 1)",
          "event_total", "keyed 3: +2 ~0 -1");
    AFTER("UPDATE app.events SET day = 3, shop = 8 WHERE day = 15", "event_total", "keyed 2: +1 ~0 -1");
    AFTER("BEGIN; UPDATE app.events SET points = points + 2; ROLLBACK; UPDATE app.events SET day = 4 WHERE day = 3",
          "event_total", "keyed 1: +0 ~1 -0");
}
END_TEST

/* The trigger of a row that may move comes before those that may change it on its way. */
START_TEST(a_merge_moves_rows_that_triggers_change_on_their_way)
{
    KEYED_INSTALL(cluster, "event_total");
    cluster_execute(cluster, "CREATE FUNCTION app.raise_shop() RETURNS trigger LANGUAGE plpgsql AS"
                             " 'BEGIN NEW.shop := NEW.shop + 100; RETURN NEW; END';"
                             "CREATE FUNCTION app.next_week() RETURNS trigger LANGUAGE plpgsql AS"
                             " 'BEGIN NEW.day := NEW.day + 10; NEW.shop := 9; RETURN NEW; END'");
    AFTER("INSERT INTO app.events VALUES (1, 1, 10), (2, 2, 20), (3, 3, 30), (4, 4, 40)", "event_total",
          "keyed 4: +4 ~0 -0");
    AFTER("CREATE TRIGGER zone BEFORE UPDATE ON app.events FOR EACH ROW EXECUTE FUNCTION app.raise_shop();" MOVED(1, 12,
                                                                                                                  5),
          "event_total", "keyed 2: +1 ~0 -1");
    EXPECT_SQL(cluster, "SELECT shop FROM app.events WHERE day = 12", "105");
    AFTER("CREATE TRIGGER early BEFORE INSERT ON app.events_2 FOR EACH ROW EXECUTE FUNCTION app.raise_shop();" MOVED(
              2, 13, 6),
          "event_total", UNCAPTURED("app.events"));
    keyed_tend(cluster);
    LOOK("event_total", SUSPECT("app.events"));
    AFTER(MOVED(3, 14, 7), "event_total", KNOWN_LATE("app.events"));
    EXPECT_SQL(cluster, "SELECT shop FROM app.events WHERE day = 14", "207");
    AFTER("UPDATE app.events SET points = 1 WHERE day = 4", "event_total", "keyed 2: +1 ~0 -1");
    AFTER("DROP TRIGGER early ON app.events_2; CREATE TRIGGER \"~late\" BEFORE UPDATE ON app.events_1 FOR EACH ROW "
          "EXECUTE FUNCTION"
          " app.next_week();" MOVED(4, 4, 8),
          "event_total", UNCAPTURED("app.events"));
    keyed_tend(cluster);
    LOOK("event_total", SUSPECT("app.events"));
    cluster_execute(cluster, "INSERT INTO app.events VALUES (5, 5, 50)");
    AFTER(MOVED(5, 5, 8), "event_total", KNOWN_LATE("app.events"));
    EXPECT_SQL(cluster, "SELECT shop FROM app.events WHERE day = 15", "9");
}
END_TEST

START_TEST(a_merge_moves_rows_whose_key_is_generated)
{
    cluster_execute(
        cluster,
        "CREATE TABLE app.visits (day integer, place integer, spot integer GENERATED ALWAYS AS (place * 10) STORED)"
        " PARTITION BY LIST (day);"
        "CREATE TABLE app.visits_1 PARTITION OF app.visits FOR VALUES IN (1);"
        "CREATE TABLE app.visits_2 PARTITION OF app.visits FOR VALUES IN (2);"
        "CREATE INDEX ON app.visits (spot); INSERT INTO app.visits (day, place) VALUES (1, 1), (2, 2)");
    EXPECT_SQL(cluster,
               "SELECT app.install('spots', 'SELECT spot, count(*) AS n FROM visits GROUP BY spot', '{spot}',"
               " '[{\"table\": \"visits\", \"columns\": [\"spot\"]}]')",
               NULL);
    keyed_tend(cluster);
    LOOK("spots", "full: the first time");
    AFTER("MERGE INTO app.visits t USING (SELECT 1) AS v ON t.day = 1 WHEN MATCHED THEN UPDATE SET place = 3, day = 2",
          "spots", KNOWN_LATE("app.visits"));
}
END_TEST

START_TEST(a_merge_moves_rows_whose_generated_column_is_summed_up)
{
    cluster_execute(cluster, "CREATE TABLE app.bills (day integer, place integer, price integer, total integer "
                             "GENERATED ALWAYS AS (price * 2) STORED)"
                             " PARTITION BY LIST (day);"
                             "CREATE TABLE app.bills_1 PARTITION OF app.bills FOR VALUES IN (1);"
                             "CREATE TABLE app.bills_2 PARTITION OF app.bills FOR VALUES IN (2);"
                             "CREATE INDEX ON app.bills (place); INSERT INTO app.bills (day, place) VALUES (1, 1)");
    EXPECT_SQL(cluster,
               "SELECT app.install('totals', 'SELECT place, sum(total) AS total FROM bills GROUP BY place', '{place}',"
               " '[{\"table\": \"bills\", \"columns\": [\"place\", \"total\"]}]')",
               NULL);
    keyed_tend(cluster);
    LOOK("totals", "full: the first time");
    AFTER("MERGE INTO app.bills t USING (SELECT 1) AS v ON t.day = 1 WHEN MATCHED THEN UPDATE SET price = 5, day = 2",
          "totals", KNOWN_LATE("app.bills"));
}
END_TEST

/* A trigger BEFORE an UPDATE could undo it, and its condition is in the way of who alters the columns that it names. */
START_TEST(a_partition_that_has_left_and_a_source_that_is_read_no_more_are_written_and_altered_as_before)
{
    KEYED_INSTALL(cluster, "event_total");
    AFTER("INSERT INTO app.events VALUES (1, 1, 10), (2, 11, 20)", "event_total", "keyed 2: +2 ~0 -0");
    cluster_execute(cluster, "ALTER TABLE app.events DETACH PARTITION app.events_2");
    keyed_tend(cluster);
    cluster_execute(
        cluster,
        "UPDATE app.events_2 SET day = 25; ALTER TABLE app.events_2 ALTER COLUMN day TYPE bigint, DROP COLUMN points");
    EXPECT_SQL(cluster, "SELECT day FROM app.events_2", "25");
    cluster_execute(cluster, "ALTER TABLE app.events_2 ALTER COLUMN day TYPE integer, ADD COLUMN points integer;"
                             "ALTER TABLE app.events ATTACH PARTITION app.events_2 FOR VALUES FROM (20) TO (30)");
    LOOK("event_total", UNCAPTURED("app.events"));
    keyed_tend(cluster);
    LOOK("event_total", SUSPECT("app.events"));
    AFTER(MOVED(25, 3, 4), "event_total", "keyed 2: +1 ~0 -1");
    cluster_execute(cluster, "SELECT chime.silence_source(1); UPDATE app.events SET day = 26, shop = 5 WHERE day = 3");
    EXPECT_SQL(cluster, "SELECT string_agg(shop || ' ' || day, ', ' ORDER BY shop) FROM app.events", "1 1, 5 26");
}
END_TEST

START_TEST(attach_detach_and_new_partitions_mean_everything)
{
    KEYED_INSTALL(cluster, "event_total");
    AFTER("INSERT INTO app.events VALUES (1, 1, 10), (2, 11, 20)", "event_total", "keyed 2: +2 ~0 -0");
    AFTER("ALTER TABLE app.events DETACH PARTITION app.events_2", "event_total", SUSPECT("app.events"));
    LOOK("event_total", "keyed 0: +0 ~0 -0");
    AFTER("ALTER TABLE app.events ATTACH PARTITION app.events_2 FOR VALUES FROM (10) TO (20)", "event_total",
          SUSPECT("app.events"));
    LOOK("event_total", "keyed 0: +0 ~0 -0");
    AFTER("CREATE TABLE app.events_3 PARTITION OF app.events FOR VALUES FROM (20) TO (30);"
          "INSERT INTO app.events_3 VALUES (3, 21, 1)",
          "event_total", UNCAPTURED("app.events"));
    AFTER("INSERT INTO app.events_3 VALUES (4, 22, 1)", "event_total", UNCAPTURED("app.events"));
    keyed_tend(cluster);
    LOOK("event_total", SUSPECT("app.events"));
    AFTER("INSERT INTO app.events_3 VALUES (4, 22, 1)", "event_total", "keyed 1: +0 ~1 -0");
    AFTER("DROP TABLE app.events_3", "event_total", SUSPECT("app.events"));
}
END_TEST

START_TEST(changes_before_the_triggers_are_there_are_not_lost)
{
    EXPECT_SQL(cluster, "SELECT app.install_shop_total()", NULL);
    LOOK("shop_total", "full: the first time");
    AFTER(THREE_SHOPS, "shop_total", UNCAPTURED("app.orders"));
    AFTER("INSERT INTO app.orders (shop) VALUES (9)", "shop_total", UNCAPTURED("app.orders"));
    cluster_execute(cluster, "INSERT INTO app.orders (shop) VALUES (9)");
    keyed_tend(cluster);
    LOOK("shop_total", SUSPECT("app.orders"));
    LOOK("shop_total", "keyed 0: +0 ~0 -0");
}
END_TEST

START_TEST(disabled_triggers_mean_everything)
{
    KEYED_INSTALL(cluster, "shop_total");
    AFTER(THREE_SHOPS, "shop_total", "keyed 3: +3 ~0 -0");
    AFTER("ALTER TABLE app.orders DISABLE TRIGGER ALL; UPDATE app.orders SET amount = 1", "shop_total",
          UNCAPTURED("app.orders"));
    AFTER("UPDATE app.orders SET amount = 2", "shop_total", UNCAPTURED("app.orders"));
    AFTER("ALTER TABLE app.orders ENABLE TRIGGER ALL", "shop_total", SUSPECT("app.orders"));
    LOOK("shop_total", "keyed 0: +0 ~0 -0");
    /* As pg_restore does it, between two refreshes. */
    AFTER("ALTER TABLE app.orders DISABLE TRIGGER ALL; UPDATE app.orders SET amount = 3; ALTER TABLE app.orders ENABLE "
          "TRIGGER ALL",
          "shop_total", SUSPECT("app.orders"));
    LOOK("shop_total", "keyed 0: +0 ~0 -0");
    AFTER("DROP TRIGGER chime_capture_1_update ON app.orders; UPDATE app.orders SET amount = 4", "shop_total",
          UNCAPTURED("app.orders"));
    keyed_tend(cluster);
    LOOK("shop_total", SUSPECT("app.orders"));
    AFTER("UPDATE app.orders SET amount = 5 WHERE shop = 1", "shop_total", "keyed 1: +0 ~1 -0");
}
END_TEST

START_TEST(a_truncate_that_fires_no_trigger_is_found_by_the_storage)
{
    KEYED_INSTALL(cluster, "shop_total", "event_total");
    AFTER(THREE_SHOPS, "shop_total", "keyed 3: +3 ~0 -0");
    AFTER("INSERT INTO app.events VALUES (1, 1, 10), (2, 11, 20)", "event_total", "keyed 2: +2 ~0 -0");
    AFTER("SET session_replication_role = replica; TRUNCATE app.orders, app.events_2; RESET session_replication_role",
          "shop_total", SUSPECT("app.orders"));
    LOOK("event_total", SUSPECT("app.events"));
    LOOK("shop_total", "keyed 0: +0 ~0 -0");
}
END_TEST

START_TEST(a_kept_relation_made_anew_or_defined_otherwise_is_filled_again)
{
    KEYED_INSTALL(cluster, "shop_total");
    AFTER(THREE_SHOPS, "shop_total", "keyed 3: +3 ~0 -0");
    EXPECT_SQL(cluster,
               "SELECT app.install('shop_total', 'SELECT shop, count(*) AS n, sum(-amount) AS total FROM orders GROUP "
               "BY shop', '{shop}',"
               " '[{\"table\": \"orders\", \"columns\": [\"shop\", \"amount\"], \"capture\": [\"shop\"]}]')",
               NULL);
    LOOK("shop_total", "full: its definition or its relation is another one");
    LOOK("shop_total", "keyed 0: +0 ~0 -0");
    EXPECT_SQL(
        cluster,
        "SELECT app.install('shop_total', 'SELECT shop, max(amount) AS highest FROM orders GROUP BY shop', '{shop}',"
        " '[{\"table\": \"orders\", \"columns\": [\"shop\", \"amount\"], \"capture\": [\"shop\"]}]')",
        NULL);
    LOOK("shop_total", "full: its definition or its relation is another one");
    AFTER("TRUNCATE kept.shop_total", "shop_total", "full: its definition or its relation is another one");
    LOOK("shop_total", "keyed 0: +0 ~0 -0");
    EXPECT_SQL(cluster,
               "SELECT app.install('shop_total', definition, grain,"
               " '[{\"table\": \"orders\", \"columns\": [\"shop\", \"amount\"], \"capture\": [\"shop\"]}]')"
               " FROM chime.view WHERE relation = 'shop_total'",
               NULL);
    LOOK("shop_total", "keyed 0: +0 ~0 -0");
}
END_TEST

/* --- what cannot be keyed ----------------------------------------------------------------------------------------- */

#define FROM_ORDERS \
    "'[{\"table\": \"orders\", \"columns\": [\"shop\", \"note\", \"amount\"], \"capture\": [\"shop\", \"note\"]}]'"

START_TEST(a_view_that_cannot_be_keyed_says_why_and_is_right_all_the_same)
{
    EXPECT_SQL(
        cluster,
        "SELECT app.install('by_note', 'SELECT note, count(*) AS n FROM orders GROUP BY note', '{note}', " FROM_ORDERS
        ")",
        "no index finds one group in app.orders: CREATE INDEX ON app.orders (note) makes it keyed");
    EXPECT_SQL(
        cluster,
        "SELECT app.install('untracked', 'SELECT o.shop, count(*) AS n FROM orders o, items i WHERE i.order_id = o.id"
        " GROUP BY o.shop', '{shop}', " FROM_ORDERS ")",
        "changes of app.items are not captured");
    EXPECT_SQL(
        cluster,
        "SELECT app.install('whole', 'SELECT shop, count(*) AS n FROM orders GROUP BY shop', '{shop}', " FROM_ORDERS
        ", p_mode => 'full')",
        "its mode is full");
    EXPECT_SQL(
        cluster,
        "SELECT app.install('grainless', 'SELECT shop, count(*) AS n FROM orders GROUP BY shop', '{}', " FROM_ORDERS
        ", '{shop}')",
        "it has no grain");
    EXPECT_SQL(
        cluster,
        "SELECT app.install('careless', 'SELECT shop, max(kind) AS k FROM orders GROUP BY shop', '{shop}', " FROM_ORDERS
        ")",
        "it reads app.orders.kind, which its plugin does not declare");
    keyed_tend(cluster);
    cluster_execute(cluster, THREE_SHOPS);
    LOOK("by_note", "full: no index finds one group in app.orders: CREATE INDEX ON app.orders (note) makes it keyed");
    LOOK("untracked", "full: changes of app.items are not captured");
    LOOK("whole", "full: its mode is full");
    LOOK("careless", "full: it reads app.orders.kind, which its plugin does not declare");
    AFTER("DELETE FROM app.orders", "grainless", "full: it has no grain");
    /* Once there is an index, the next installation finds it. */
    cluster_execute(cluster, "CREATE INDEX ON app.orders (note)");
    EXPECT_SQL(
        cluster,
        "SELECT app.install('by_note', 'SELECT note, count(*) AS n FROM orders GROUP BY note', '{note}', " FROM_ORDERS
        ")",
        NULL);
    keyed_tend(cluster);
    LOOK("by_note", "full: the first time");
    AFTER("INSERT INTO app.orders (note) VALUES ('x')", "by_note", "keyed 1: +1 ~0 -0");
}
END_TEST

START_TEST(too_many_changed_groups_mean_everything)
{
    KEYED_INSTALL(cluster, "shop_total");
    cluster_execute(cluster,
                    "CREATE OR REPLACE FUNCTION chime.keys_limit() RETURNS integer LANGUAGE sql IMMUTABLE RETURN 50;"
                    "SELECT app.install_shop_total()");
    AFTER("INSERT INTO app.orders (shop) SELECT generate_series(1, 50)", "shop_total", "keyed 50: +50 ~0 -0");
    AFTER("INSERT INTO app.orders (shop) SELECT generate_series(1, 51)", "shop_total",
          "full: more than 50 groups changed");
    LOOK("shop_total", "keyed 0: +0 ~0 -0");
    /* Several batches of 1000 groups. */
    cluster_execute(cluster,
                    "CREATE OR REPLACE FUNCTION chime.keys_limit() RETURNS integer LANGUAGE sql IMMUTABLE RETURN 20000;"
                    "SELECT app.install_shop_total()");
    AFTER("INSERT INTO app.orders (shop) SELECT generate_series(1, 2500)", "shop_total", "keyed 2500: +2449 ~51 -0");
    cluster_execute(cluster, "DROP TRIGGER groups_are_cheap ON chime.view_refresh;"
                             "UPDATE chime.view_refresh SET full_us = 10, floor_us = 0, key_us = 6");
    AFTER("UPDATE app.orders SET amount = 2 WHERE shop = 1", "shop_total", "keyed 1: +0 ~1 -0");
    cluster_execute(cluster, "UPDATE chime.view_refresh SET full_us = 10, floor_us = 0, key_us = 6");
    AFTER("UPDATE app.orders SET amount = 3 WHERE shop IN (1, 2)", "shop_total",
          "full: 2 groups changed, which would take longer than everything");
    cluster_execute(cluster, "UPDATE chime.view_refresh SET full_us = 10, floor_us = 0, key_us = 0");
    AFTER("UPDATE app.orders SET amount = 4", "shop_total", "full: 10 of 2500 groups took as long as everything");
    /* What a refresh costs without its groups does not count for each of them. */
    cluster_execute(cluster, "UPDATE chime.view_refresh SET full_us = 60000000, floor_us = 50000, key_us = 100");
    AFTER("UPDATE app.orders SET amount = 5", "shop_total", "keyed 2500: +0 ~2500 -0");
}
END_TEST

/* Refreshes that cost 5 ms and 50 us a group, whatever their number of groups so far; each forgets half of what was
 * wrong. */
START_TEST(the_cost_of_many_groups_is_learned_from_refreshes_of_few_and_of_many)
{
    cluster_execute(
        cluster,
        "CREATE FUNCTION app.expected(p_refreshes integer[], p_keys integer) RETURNS double precision LANGUAGE plpgsql "
        "AS"
        " $$ DECLARE f double precision; k double precision; n integer; BEGIN FOREACH n IN ARRAY p_refreshes LOOP"
        " SELECT floor_us, key_us INTO f, k FROM chime.learn_cost(f, k, n, 5000 + 50 * n); END LOOP;"
        " RETURN f + k * p_keys; END $$");
    EXPECT_SQL(cluster, "SELECT app.expected(array_fill(1, '{100}'), 1) BETWEEN 5000 AND 5100", "t");
    EXPECT_SQL(cluster, "SELECT app.expected(array_fill(1, '{100}'), 1500) BETWEEN 5000 AND 100000", "t");
    EXPECT_SQL(cluster,
               "SELECT app.expected(array_fill(1, '{100}') || '{1500,1500,1500,1500,1500}', 1500)"
               " BETWEEN 70000 AND 90000",
               "t");
    EXPECT_SQL(cluster,
               "SELECT app.expected(array_fill(1500, '{1}') || array_fill(1, '{20}'), 1500)"
               " BETWEEN 70000 AND 90000",
               "t");
    EXPECT_SQL(cluster,
               "SELECT app.expected(array_fill(1500, '{1}') || array_fill(1, '{20}'), 1) BETWEEN 4900 AND 5200", "t");
}
END_TEST

/* A function in SQL is parsed and planned anew in each transaction, which was half of a refresh that finds nothing. One
 * that is a constant is not. */
START_TEST(what_every_refresh_asks_keeps_its_plan)
{
    KEYED_INSTALL(cluster, "shop_total", "event_total");
    keyed_tend(cluster); /* which sees its own triggers: until then each refresh vets the view */
    cluster_execute(cluster, "INSERT INTO app.orders (shop) VALUES (1); INSERT INTO app.events VALUES (1, 1, 10)");
    cluster_execute(cluster, "SET track_functions = 'all'");
    cluster_execute(cluster, "SELECT chime.refresh('shop_total'); SELECT chime.refresh('event_total');"
                             "SELECT chime.refresh('shop_total'); SELECT chime.refresh('event_total')");
    cluster_execute(cluster, "RESET track_functions; SELECT pg_stat_force_next_flush()");
    EXPECT_SQL(cluster,
               "SELECT string_agg(p.oid::regprocedure::text, ', ' ORDER BY p.proname)"
               " FROM pg_stat_user_functions s JOIN pg_proc p ON p.oid = s.funcid"
               " JOIN pg_language l ON l.oid = p.prolang WHERE l.lanname = 'sql' AND p.provolatile <> 'i'",
               NULL);
    EXPECT_SQL(cluster, "SELECT count(*) > 10 FROM pg_stat_user_functions", "t");
}
END_TEST

START_TEST(a_map_may_lead_from_many_marks_to_few_groups)
{
    KEYED_INSTALL(cluster, "shop_items");
    cluster_execute(cluster,
                    "INSERT INTO app.orders (id, shop) SELECT n, n % 2 FROM generate_series(1, 61) AS n;"
                    "CREATE OR REPLACE FUNCTION chime.keys_limit() RETURNS integer LANGUAGE sql IMMUTABLE RETURN 50;"
                    "CREATE OR REPLACE FUNCTION chime.marks_limit() RETURNS integer LANGUAGE sql IMMUTABLE RETURN 60;"
                    "SELECT app.look('shop_items'), app.install_shop_items()");
    AFTER("INSERT INTO app.items (order_id, quantity) SELECT generate_series(1, 60), 1", "shop_items",
          "keyed 2: +2 ~0 -0");
    AFTER("INSERT INTO app.items (order_id, quantity) SELECT generate_series(1, 61), 1", "shop_items",
          "full: more than 60 different (order_id) of app.items changed");
    cluster_execute(cluster, "UPDATE app.orders SET shop = id");
    LOOK("shop_items", "full: more than 50 groups changed");
    AFTER("UPDATE app.items SET quantity = 2 WHERE order_id < 52", "shop_items",
          "full: 51 groups changed, which would take longer than everything");
}
END_TEST

START_TEST(a_key_is_compared_as_its_type_says_wherever_that_is)
{
    if (cluster_integer(cluster, "SELECT count(*) FROM pg_available_extensions WHERE name IN ('citext', 'ltree')") <
        2) {
        printf("skipped: this PostgreSQL has no citext and ltree\n");
        return;
    }
    cluster_execute(
        cluster, "CREATE SCHEMA ext; CREATE EXTENSION citext SCHEMA ext; CREATE EXTENSION ltree SCHEMA ext;"
                 "CREATE TABLE app.tree (path ext.ltree, name ext.citext, n integer);"
                 "INSERT INTO app.tree VALUES ('a.b', 'Ann', 1), ('a.c', 'Bob', 2);"
                 "SELECT app.install('by_path', 'SELECT path, sum(n) AS n FROM tree GROUP BY path', '{path}',"
                 "                   '[{\"table\": \"tree\", \"columns\": [\"path\", \"n\"]}]'),"
                 "       app.install('by_name', 'SELECT name, sum(n) AS n FROM tree GROUP BY name', '{name}',"
                 "                   '[{\"table\": \"tree\", \"columns\": [\"name\", \"n\"]}]');"
                 "SELECT chime.refresh('kept.by_path'), chime.refresh('kept.by_name');"
                 "UPDATE app.tree SET n = 3, name = 'ANN' WHERE name = 'Ann'::text; DELETE FROM app.tree WHERE n = 2;"
                 "SELECT chime.refresh('kept.by_path'), chime.refresh('kept.by_name')");
    EXPECT_SQL(cluster, "SELECT string_agg(path::text || ' ' || n, ', ') FROM kept.by_path", "a.b 3");
    EXPECT_SQL(cluster, "SELECT string_agg(name::text || ' ' || n, ', ') FROM kept.by_name", "ANN 3");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("keyed_full");
    TCase *cases = tcase_create("keyed_full");

    tcase_add_checked_fixture(cases, keyed_stage_set, served_tear_down);
    tcase_set_timeout(cases, 120);
    tcase_add_test(cases, writes_to_a_partition_and_moves_between_partitions_leave_marks);
    tcase_add_test(cases, a_merge_into_partitions_marks_the_rows_that_it_updates_after_one_that_it_inserts);
    tcase_add_test(cases, a_merge_that_moves_a_row_to_another_partition_marks_it);
    tcase_add_test(cases, a_merge_moves_rows_that_triggers_change_on_their_way);
    tcase_add_test(cases, a_merge_moves_rows_whose_key_is_generated);
    tcase_add_test(cases, a_merge_moves_rows_whose_generated_column_is_summed_up);
    tcase_add_test(cases,
                   a_partition_that_has_left_and_a_source_that_is_read_no_more_are_written_and_altered_as_before);
    tcase_add_test(cases, attach_detach_and_new_partitions_mean_everything);
    tcase_add_test(cases, changes_before_the_triggers_are_there_are_not_lost);
    tcase_add_test(cases, disabled_triggers_mean_everything);
    tcase_add_test(cases, a_truncate_that_fires_no_trigger_is_found_by_the_storage);
    tcase_add_test(cases, a_kept_relation_made_anew_or_defined_otherwise_is_filled_again);
    tcase_add_test(cases, a_view_that_cannot_be_keyed_says_why_and_is_right_all_the_same);
    tcase_add_test(cases, too_many_changed_groups_mean_everything);
    tcase_add_test(cases, the_cost_of_many_groups_is_learned_from_refreshes_of_few_and_of_many);
    tcase_add_test(cases, what_every_refresh_asks_keeps_its_plan);
    tcase_add_test(cases, a_key_is_compared_as_its_type_says_wherever_that_is);
    tcase_add_test(cases, a_map_may_lead_from_many_marks_to_few_groups);
    suite_add_tcase(suite, cases);
    return suite_run(suite);
}
