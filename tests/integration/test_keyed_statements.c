/* SPDX-License-Identifier: PostgreSQL */
/* What PostgreSQL lets people do to the sources of keyed views (rules, COPY, partitions, rewrites, two-phase commits
 * ...): no refresh leaves a view other than its definition says. PGCHIME_TEST_SEED repeats a series. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/keyed/keyed_stage.h"
#include "support/process/files.h"
#include "support/process/suite.h"

#define ROUNDS 60
#define ROUNDS_SOAK 3000

/* Each leaves the tables as they were made, if not their rows. Statements are sent one by one. */
static const char *const deeds[] = {
    "CREATE RULE r AS ON INSERT TO app.items DO ALSO UPDATE app.orders SET amount = amount + 1 WHERE id = NEW.order_id;"
    "INSERT INTO app.items (order_id, quantity) VALUES (3, 1), (4, 1); DROP RULE r ON app.items",
    "CREATE RULE r AS ON DELETE TO app.items DO INSTEAD UPDATE app.items SET quantity = 0 WHERE item = OLD.item;"
    "DELETE FROM app.items WHERE order_id = app.any(); DROP RULE r ON app.items",
    "CREATE RULE r AS ON UPDATE TO app.orders DO INSTEAD DELETE FROM app.orders WHERE id = OLD.id;"
    "UPDATE app.orders SET amount = 1 WHERE id = app.any(); DROP RULE r ON app.orders",
    "COPY app.orders (shop, kind, amount) FROM PROGRAM 'echo 1,z,5 && echo 9,z,5' (FORMAT csv)",
    "COPY app.events FROM PROGRAM 'echo 1,3,5 && echo 9,13,5' (FORMAT csv)",
    "BEGIN; TRUNCATE app.items; COPY app.items (order_id, quantity) FROM PROGRAM 'echo 1,5 && echo 2,5' (FORMAT csv, "
    "FREEZE); COMMIT",
    "INSERT INTO app.orders (id, shop, amount) VALUES (app.any(), 3, 3), (1000, 3, 3) ON CONFLICT (id) DO UPDATE SET "
    "shop = app.any() % 7, amount = 5",
    "INSERT INTO app.orders (id, shop, amount) VALUES (app.any(), 3, 3), (1001, 3, 3) ON CONFLICT DO NOTHING",
    "WITH d AS (DELETE FROM app.orders WHERE id = app.any() RETURNING *), i AS (INSERT INTO app.orders (shop, amount) "
    "SELECT shop + 1, amount FROM d"
    " RETURNING *) UPDATE app.orders SET amount = 99, shop = 6 WHERE id IN (SELECT app.any() FROM i)",
    "WITH a AS (UPDATE app.orders SET amount = 1 WHERE id = 12 RETURNING 1), b AS (UPDATE app.orders SET shop = 2 "
    "WHERE id BETWEEN 13 AND 15 RETURNING 1)"
    " SELECT FROM a, b",
    "WITH a AS (INSERT INTO app.orders (shop) VALUES (71) RETURNING 1), b AS (INSERT INTO app.orders (shop) VALUES "
    "(72), (73), (74) RETURNING 1)"
    " INSERT INTO app.orders (shop) SELECT 75 FROM a, b",
    "WITH a AS (DELETE FROM app.orders WHERE shop = 71 RETURNING 1), b AS (DELETE FROM app.orders WHERE shop IN (72, "
    "73, 74) RETURNING 1)"
    " DELETE FROM app.orders WHERE shop = 75",
    "WITH a AS (UPDATE app.events SET points = points + 1 WHERE shop = 1 RETURNING 1),"
    " b AS (UPDATE app.events SET points = points + 1, day = (day + 10) % 20 WHERE shop IN (2, 3) RETURNING 1)"
    " UPDATE app.events_1 SET points = 1 WHERE shop = 4",
    "MERGE INTO app.orders o USING (VALUES (20, 5), (21, 6), (5000, 7)) v (id, s) ON o.id = v.id WHEN MATCHED AND v.id "
    "= 20 THEN DELETE"
    " WHEN MATCHED THEN UPDATE SET shop = v.s WHEN NOT MATCHED THEN INSERT (id, shop, amount) VALUES (v.id, v.s, 1)",
    "TRUNCATE app.orders; INSERT INTO app.orders (id, shop, kind, amount) SELECT i, i % 7, chr(97 + i % 3), i FROM "
    "generate_series(1, 100) i",
    "CREATE TABLE app.below (item integer REFERENCES app.items); TRUNCATE app.items CASCADE; DROP TABLE app.below;"
    "INSERT INTO app.items (order_id, quantity) SELECT i % 100, i FROM generate_series(1, 200) i",
    "CREATE TABLE app.above (id integer PRIMARY KEY); ALTER TABLE app.items ADD CONSTRAINT above_fk FOREIGN KEY "
    "(order_id) REFERENCES app.above NOT VALID;"
    "INSERT INTO app.above SELECT generate_series(1, 9); INSERT INTO app.items (order_id, quantity) VALUES (5, 5); "
    "TRUNCATE app.above CASCADE;"
    "ALTER TABLE app.items DROP CONSTRAINT above_fk; DROP TABLE app.above;"
    "INSERT INTO app.items (order_id, quantity) SELECT i % 100, i FROM generate_series(1, 200) i",
    "TRUNCATE app.events_1; INSERT INTO app.events SELECT i % 5, i % 20, i FROM generate_series(1, 100) i",
    "TRUNCATE app.events; INSERT INTO app.events_1 SELECT i % 5, i % 10, i FROM generate_series(1, 100) i",
    "BEGIN; INSERT INTO app.items (order_id, quantity) VALUES (app.any(), 1); SAVEPOINT s; TRUNCATE app.items; "
    "ROLLBACK TO s; COMMIT",
    "BEGIN; SAVEPOINT s; TRUNCATE app.items; RELEASE s; INSERT INTO app.items (order_id, quantity) VALUES (2, 1); "
    "COMMIT",
    "BEGIN; SAVEPOINT s; UPDATE app.orders SET amount = 77 WHERE id = 30; SAVEPOINT t; UPDATE app.orders SET amount = "
    "78 WHERE id = 31; ROLLBACK TO t;"
    "UPDATE app.orders SET shop = 79 WHERE id = 32; RELEASE s; COMMIT",
    "BEGIN; DELETE FROM app.orders WHERE id % 9 = 0; ROLLBACK",
    "ALTER TABLE app.orders DISABLE TRIGGER ALL; UPDATE app.orders SET amount = app.any(); ALTER TABLE app.orders "
    "ENABLE TRIGGER ALL",
    "ALTER TABLE app.events DISABLE TRIGGER USER; UPDATE app.events SET points = app.any(); ALTER TABLE app.events "
    "ENABLE TRIGGER USER",
    "ALTER TABLE app.events_2 DISABLE TRIGGER USER; UPDATE app.events_2 SET points = app.any(); ALTER TABLE "
    "app.events_2 ENABLE TRIGGER USER",
    "BEGIN; ALTER TABLE app.orders DISABLE TRIGGER ALL; UPDATE app.orders SET amount = app.any(); ALTER TABLE "
    "app.orders ENABLE TRIGGER ALL; COMMIT",
    "ALTER TABLE app.orders ENABLE REPLICA TRIGGER chime_capture_1_update; UPDATE app.orders SET amount = app.any();"
    "ALTER TABLE app.orders ENABLE TRIGGER chime_capture_1_update",
    "ALTER TABLE app.orders ENABLE ALWAYS TRIGGER chime_capture_1_update; SET session_replication_role = replica;"
    "UPDATE app.orders SET amount = 10 WHERE id = app.any(); RESET session_replication_role; ALTER TABLE app.orders "
    "ENABLE TRIGGER chime_capture_1_update",
    "UPDATE app.orders SET amount = 11 WHERE id = app.any(); VACUUM FULL app.orders; UPDATE app.orders SET amount = 11 "
    "WHERE id = app.any()",
    "UPDATE app.orders SET amount = 12 WHERE id = app.any(); CLUSTER app.orders USING orders_pkey; UPDATE app.orders "
    "SET amount = 12 WHERE id = app.any()",
    "UPDATE app.items SET quantity = app.any() WHERE item = app.any(); REINDEX TABLE kept.shop_items; VACUUM FULL "
    "kept.shop_items",
    "ALTER TABLE app.orders ALTER COLUMN note TYPE varchar(20) USING id::text; UPDATE app.orders SET shop = 4 WHERE id "
    "= app.any();"
    "ALTER TABLE app.orders ALTER COLUMN note TYPE text",
    "ALTER TABLE app.items ADD COLUMN more integer DEFAULT 5; UPDATE app.items SET more = 6 WHERE item = app.any(); "
    "ALTER TABLE app.items DROP COLUMN more",
    "ALTER TABLE app.events DETACH PARTITION app.events_2; UPDATE app.events_2 SET points = 5;"
    "ALTER TABLE app.events ATTACH PARTITION app.events_2 FOR VALUES FROM (10) TO (20)",
    "ALTER TABLE app.events DETACH PARTITION app.events_2 CONCURRENTLY; INSERT INTO app.events_2 VALUES (3, 11, 1);"
    "ALTER TABLE app.events ATTACH PARTITION app.events_2 FOR VALUES FROM (10) TO (20)",
    "UPDATE app.events SET day = (day + 10) % 20 WHERE shop = app.any() % 5",
    "UPDATE app.events SET day = day + 10, shop = 8 WHERE day < 3; DELETE FROM app.events WHERE shop = 8 AND points % "
    "2 = 0",
    "CREATE TABLE app.events_3 PARTITION OF app.events FOR VALUES FROM (20) TO (30); INSERT INTO app.events VALUES (1, "
    "25, 1), (8, 26, 1);"
    "INSERT INTO app.events_3 VALUES (8, 25, 1); UPDATE app.events SET day = 22 WHERE day = 2; UPDATE app.events_3 SET "
    "points = 4; DROP TABLE app.events_3",
    "BEGIN; CREATE TABLE app.events_4 (LIKE app.events); INSERT INTO app.events_4 VALUES (2, 31, 1); ALTER TABLE "
    "app.events ATTACH PARTITION app.events_4"
    " FOR VALUES FROM (30) TO (40); COMMIT; UPDATE app.events SET points = 9 WHERE day = 31; DROP TABLE app.events_4",
    "ALTER TABLE app.items SET UNLOGGED; INSERT INTO app.items (order_id, quantity) VALUES (3, 3); INSERT INTO "
    "app.items (order_id, quantity) VALUES (4, 3);"
    "ALTER TABLE app.items SET LOGGED; INSERT INTO app.items (order_id, quantity) VALUES (3, 3)",
    "CREATE TABLE app.more (LIKE app.orders INCLUDING ALL); INSERT INTO app.more (id, shop, amount) VALUES (9001, 2, "
    "3);"
    "ALTER TABLE app.more INHERIT app.orders; INSERT INTO app.more (id, shop, amount) VALUES (9002, 2, 3); UPDATE "
    "app.orders SET amount = 44 WHERE id = 9001;"
    "UPDATE app.orders SET shop = 5 WHERE id IN (9002, 40); DELETE FROM ONLY app.orders WHERE id = app.any(); TRUNCATE "
    "app.more;"
    "ALTER TABLE app.more NO INHERIT app.orders; DROP TABLE app.more",
    "CREATE TABLE app.more () INHERITS (app.orders); INSERT INTO app.more (id, shop, amount) VALUES (9001, 2, 3), "
    "(9002, 3, 3); DELETE FROM app.orders WHERE shop = 3;"
    "ALTER TABLE app.more NO INHERIT app.orders; UPDATE app.more SET shop = 4; DROP TABLE app.more",
    "BEGIN; UPDATE app.orders SET amount = 123 WHERE id = app.any(); PREPARE TRANSACTION 'first'; INSERT INTO "
    "app.orders (shop) VALUES (app.any());"
    "COMMIT PREPARED 'first'",
    "BEGIN; DELETE FROM app.items WHERE order_id = app.any(); PREPARE TRANSACTION 'second'; INSERT INTO app.items "
    "(order_id, quantity) VALUES (app.any(), 7);"
    "ROLLBACK PREPARED 'second'",
    "BEGIN ISOLATION LEVEL REPEATABLE READ; UPDATE app.items SET order_id = app.any() WHERE item = app.any(); COMMIT",
    "CREATE VIEW app.window AS SELECT id, shop, amount FROM app.orders; UPDATE app.window SET shop = 1 WHERE id = "
    "app.any();"
    "DELETE FROM app.window WHERE id = app.any(); INSERT INTO app.window VALUES (DEFAULT, 3, 4); DROP VIEW app.window",
    "DO $$ DECLARE c CURSOR FOR SELECT FROM app.orders WHERE id < 20 FOR UPDATE; BEGIN OPEN c; MOVE c; UPDATE "
    "app.orders SET shop = 5 WHERE CURRENT OF c; END $$",
    "UPDATE app.squares SET side = app.any() WHERE side = app.any()",
    "INSERT INTO app.squares (id, side) SELECT 100 + i, app.any() FROM generate_series(1, 3) i; UPDATE app.squares SET "
    "side = side + 1 WHERE id < 20;"
    "DELETE FROM app.squares WHERE id > 100",
};

#define SET_UP                                                                                                        \
    "CREATE FUNCTION app.any() RETURNS integer LANGUAGE sql STABLE RETURN 1 + floor(random() * 100)::integer;"        \
    "INSERT INTO app.orders (shop, kind, amount) SELECT i % 7, chr(97 + i % 3), i FROM generate_series(1, 100) i;"    \
    "INSERT INTO app.items (order_id, quantity) SELECT i % 100, i FROM generate_series(1, 200) i;"                    \
    "INSERT INTO app.events SELECT i % 5, i % 20, i FROM generate_series(1, 100) i;"                                  \
    "CREATE TABLE app.squares (id integer, side integer, area integer GENERATED ALWAYS AS (side * side) STORED);"     \
    "CREATE INDEX ON app.squares (area); INSERT INTO app.squares (id, side) SELECT i, i % 9 FROM generate_series(1, " \
    "50) i"
#define SQUARES                                                                                           \
    "SELECT app.install('area_count', 'SELECT area, count(*) AS n FROM squares GROUP BY area', '{area}'," \
    " '[{\"table\": \"squares\", \"columns\": [\"area\"]}]')"
#define LOOK_AT_ALL                                                                                                 \
    "SELECT string_agg(relation || ' ' || l, '; ') FROM (SELECT relation, app.look(relation) AS l FROM chime.view " \
    "ORDER BY view_id) AS v"

static void set_up(void)
{
    keyed_stage_set();
    cluster_execute(cluster, SET_UP);
    KEYED_INSTALL(cluster, "shop_total", "kind_total", "shop_items", "event_total");
    EXPECT_SQL(cluster, SQUARES, NULL);
    keyed_tend(cluster);
    LOOK("area_count", "full: the first time");
}

static unsigned draw(unsigned below)
{
    return (unsigned)rand() % below;
}

static int looks;
static int all_keyed;

static void look_at_all(const char *after)
{
    char *seen = cluster_value(cluster, LOOK_AT_ALL);

    ck_assert_msg(strstr(seen, "WRONG") == NULL, "after %s: %s", after, seen);
    looks++;
    all_keyed += strstr(seen, "full: ") == NULL;
    free(seen);
}

/* Looks now and then between the statements, sometimes after the leader's upkeep. */
static void do_deed(PGconn *session, const char *deed)
{
    char *text = strdup(deed);
    char *rest = text;

    for (char *statement; (statement = strsep(&rest, ";")) != NULL;) {
        if (strstr(statement, "$$") != NULL) { /* it has some of its own */
            session_execute(session, deed);
            break;
        }
        session_execute(session, statement);
        if (PQtransactionStatus(session) != PQTRANS_IDLE)
            continue;
        if (draw(4) == 0)
            cluster_execute(cluster, "CALL chime.tend_capture()"); /* autovacuum may hold a lock that it wants */
        if (draw(3) == 0)
            look_at_all(deed);
    }
    free(text);
}

START_TEST(no_statement_makes_a_view_wrong)
{
    unsigned seed = (unsigned)suite_seed();
    int rounds = getenv("PGCHIME_TEST_SOAK") != NULL ? ROUNDS_SOAK : ROUNDS;
    PGconn *session = cluster_connect(cluster, "postgres");

    srand(seed);
    for (int i = 0; i < rounds; i++) {
        do_deed(session,
                deeds[i < (int)(sizeof(deeds) / sizeof(deeds[0])) ? i : (int)draw(sizeof(deeds) / sizeof(deeds[0]))]);
        look_at_all("a round");
    }
    PQfinish(session);
    printf("%d of %d looks found all views keyed\n", all_keyed, looks);
    fflush(stdout);
    ck_assert_int_gt(all_keyed, looks / 10); /* else nothing was tried */
}
END_TEST

/* While somebody reads the table, a partition that is on its way out belongs to it in the catalogs, and its rows are
 * gone. */
START_TEST(a_partition_that_is_being_detached_means_everything)
{
    PGconn *reader = cluster_connect(cluster, "postgres");
    PGconn *admin = cluster_connect(cluster, "postgres");

    session_execute(reader, "BEGIN; SELECT FROM app.events");
    session_send(admin, "ALTER TABLE app.events DETACH PARTITION app.events_2 CONCURRENTLY");
    session_await_blocked(cluster, admin);
    LOOK("event_total", SUSPECT("app.events"));
    AFTER("UPDATE app.events_2 SET points = 5; UPDATE app.events SET points = 6 WHERE shop = 1", "event_total",
          "keyed 5: +0 ~1 -0");
    session_execute(reader, "COMMIT");
    session_await(admin);
    LOOK("event_total", SUSPECT("app.events"));
    PQfinish(reader);
    PQfinish(admin);
}
END_TEST

/* As people do who rewrite a table without a lock: the definition goes on reading the old one. */
START_TEST(a_table_that_took_the_name_of_a_source_is_not_taken_for_it)
{
    cluster_execute(
        cluster,
        "BEGIN; ALTER TABLE app.items RENAME TO items_old; CREATE TABLE app.items (LIKE app.items_old INCLUDING ALL);"
        "INSERT INTO app.items SELECT * FROM app.items_old; COMMIT");
    LOOK("shop_items", UNCAPTURED("app.items"));
    keyed_tend(cluster);
    keyed_tend(cluster);
    LOOK("shop_items", UNCAPTURED("app.items_old"));
    AFTER("ALTER TABLE app.items_old DISABLE TRIGGER USER; UPDATE app.items_old SET quantity = quantity + 1 WHERE "
          "order_id = 3",
          "shop_items", UNCAPTURED("app.items_old"));
    AFTER("UPDATE app.items_old SET quantity = quantity + 1 WHERE order_id = 4", "shop_items",
          UNCAPTURED("app.items_old"));
}
END_TEST

/* They have no value in a trigger. */
START_TEST(a_view_of_a_virtual_column_is_full)
{
    if (cluster_integer(cluster, "SELECT current_setting('server_version_num')::integer") < 180000) {
        printf("skipped: this PostgreSQL has no virtual columns\n");
        return;
    }
    cluster_execute(
        cluster, "CREATE TABLE app.thirds (id integer, a integer, third integer GENERATED ALWAYS AS (a % 3) VIRTUAL);"
                 "CREATE INDEX ON app.thirds (id); INSERT INTO app.thirds (id, a) SELECT i % 9, i FROM "
                 "generate_series(1, 50) i");
    EXPECT_SQL(cluster,
               "SELECT app.install('third_sum', 'SELECT id, sum(third) AS n FROM thirds GROUP BY id', '{id}',"
               " '[{\"table\": \"thirds\", \"columns\": [\"id\", \"third\"]}]')",
               "app.thirds.third is computed when it is read (VIRTUAL), so changes of it leave no mark");
    keyed_tend(cluster);
    AFTER("UPDATE app.thirds SET a = a + 1", "third_sum",
          "full: app.thirds.third is computed when it is read (VIRTUAL), so changes of it leave no mark");
}
END_TEST

START_TEST(another_attribute_of_a_composite_type_means_everything)
{
    cluster_execute(
        cluster, "CREATE TYPE app.pair AS (a integer, b integer); CREATE TABLE app.pairs (shop integer, pair app.pair);"
                 "CREATE INDEX ON app.pairs (shop); INSERT INTO app.pairs SELECT i % 5, (i, i)::app.pair FROM "
                 "generate_series(1, 50) i");
    EXPECT_SQL(
        cluster,
        "SELECT app.install('pair_text', 'SELECT shop, max(pair::text) AS pair FROM pairs GROUP BY shop', '{shop}',"
        " '[{\"table\": \"pairs\", \"columns\": [\"shop\", \"pair\"]}]')",
        NULL);
    keyed_tend(cluster);
    LOOK("pair_text", "full: the first time");
    cluster_execute(cluster, "ALTER TYPE app.pair ADD ATTRIBUTE c integer");
    keyed_tend(cluster);
    LOOK("pair_text", "full: its definition or its relation is another one");
    cluster_execute(cluster, "ALTER TYPE app.pair DROP ATTRIBUTE c");
    keyed_tend(cluster);
    LOOK("pair_text", "full: its definition or its relation is another one");
    LOOK("pair_text", "keyed 0: +0 ~0 -0");
}
END_TEST

#define TEXTS                                                                                                          \
    "CREATE TABLE app.texts (id integer, shop integer, bytes bytea, at timestamptz, took interval, rate double "       \
    "precision, n numeric);"                                                                                           \
    "CREATE INDEX ON app.texts (shop); INSERT INTO app.texts SELECT i, i % 3, ('\\x0' || i % 10)::bytea, timestamptz " \
    "'2026-03-29 01:30Z' + i * "                                                                                       \
    "interval '1 hour', i * interval '25 hours', i / 3.0, i * 1234.5 FROM generate_series(1, 30) i"
#define TEXTS_VIEW                                                                                                    \
    "SELECT app.install('text_view', 'SELECT shop, max(bytes::text) AS bytes, max(at::text) AS at, max(at::date) AS " \
    "day, max(took::text) AS took,"                                                                                   \
    " max(rate::text) AS rate, max(n::money::text) AS money, max(to_char(n, ''L9G999D99'')) AS c, max(to_char(at, "   \
    "''TMMonth'')) AS month"                                                                                          \
    " FROM texts GROUP BY shop', '{shop}', '[{\"table\": \"texts\", \"columns\": [\"shop\", \"bytes\", \"at\", "      \
    "\"took\", \"rate\", \"n\"]}]')"

static const char *const settings_tried[] = {
    "bytea_output = escape",
    "\"TimeZone\" = 'Asia/Tokyo'",
    "\"DateStyle\" = 'SQL, DMY'",
    "\"IntervalStyle\" = iso_8601",
    "extra_float_digits = -5",
    "xmlbinary = hex",
    "row_security = off",
    "statement_timeout = '10min'",
    "idle_in_transaction_session_timeout = '10min'",
    "lock_timeout = '1min'",
    "lc_monetary = 'C.UTF-8'",
    "lc_numeric = 'C.UTF-8'",
    "lc_time = 'C.UTF-8'",
    "lc_messages = 'C'",
    "search_path = app",
    "default_transaction_isolation = serializable",
    "default_transaction_isolation = 'repeatable read'",
    "quote_all_identifiers = on",
    "array_nulls = off",
    "transform_null_equals = on",
    "enable_indexscan = off",
    "enable_nestloop = off",
    "plan_cache_mode = force_custom_plan",
    "work_mem = '64kB'",
    "synchronous_commit = off",
};

/* Whoever refreshes writes the same rows: here it is a session with a setting of the role or the database, there one
 * without. */
START_TEST(settings_of_a_role_or_a_database_change_no_row)
{
    static const char *const of[] = {"ROLE", "DATABASE"};

    cluster_execute(cluster, TEXTS);
    EXPECT_SQL(cluster, TEXTS_VIEW, NULL);
    keyed_tend(cluster);
    LOOK("text_view", "full: the first time");
    for (size_t i = 0; i < 2 * sizeof(settings_tried) / sizeof(settings_tried[0]); i++) {
        cluster_execute_format(cluster, "ALTER %s postgres SET %s", of[i % 2], settings_tried[i / 2]);
        PGconn *session = cluster_connect(cluster, "postgres");
        session_execute(session, "UPDATE app.texts SET n = n + 1 WHERE id IN (28, 29)");
        session_execute(session, "SELECT chime.refresh('text_view')");
        PQfinish(session);
        cluster_execute_format(cluster, "ALTER %s postgres RESET ALL", of[i % 2]);
        char *seen = cluster_value(cluster,
                                   "SELECT method || ' ' || keys || ' ' || missing + surplus FROM chime.view_refresh,"
                                   " chime.difference('text_view') WHERE relation = 'text_view'");
        ck_assert_msg(seen != NULL && strcmp(seen, "keyed 2 0") == 0, "%s: %s", settings_tried[i / 2], seen);
        free(seen);
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("keyed_statements");
    TCase *cases = tcase_create("keyed_statements");

    tcase_add_checked_fixture(cases, set_up, served_tear_down);
    tcase_set_timeout(cases, getenv("PGCHIME_TEST_SOAK") != NULL ? 4 * 3600 : 300);
    tcase_add_test(cases, no_statement_makes_a_view_wrong);
    tcase_add_test(cases, a_partition_that_is_being_detached_means_everything);
    tcase_add_test(cases, a_table_that_took_the_name_of_a_source_is_not_taken_for_it);
    tcase_add_test(cases, a_view_of_a_virtual_column_is_full);
    tcase_add_test(cases, another_attribute_of_a_composite_type_means_everything);
    tcase_add_test(cases, settings_of_a_role_or_a_database_change_no_row);
    suite_add_tcase(suite, cases);
    return suite_run(suite);
}
