/* SPDX-License-Identifier: PostgreSQL */
/* The logs of keyed refresh: parts begun, full and dropped; triggers made by whom, and whom they hold up. */
#include <check.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "ledger/migrate.h"
#include "support/keyed/keyed_stage.h"
#include "support/process/files.h"
#include "support/process/process.h"
#include "support/process/suite.h"

static PGconn *writer;

static void set_up(void)
{
    keyed_stage_set();
    writer = cluster_connect(cluster, "postgres");
}

static void tear_down(void)
{
    PQfinish(writer);
    served_tear_down();
}

#define EXPECT_PARTS(expected)                                                                                 \
    EXPECT_SQL(cluster,                                                                                        \
               "SELECT string_agg(replace(c.relname, 'change_1_', ''), ' ' ORDER BY c.oid) FROM pg_inherits i" \
               " JOIN pg_class c ON c.oid = i.inhrelid WHERE i.inhparent = 'chime.change_1'::regclass",        \
               expected)
#define ALMOST_FULL "INSERT INTO app.orders (shop) SELECT generate_series(1, 2000)"
#define FLOODED "full: the log of a source was full"

/* A part is left after its first page; `limit` bytes fill it, and writers trust no leader to see to that. */
static void make_parts_small(int limit)
{
    cluster_execute_format(
        cluster,
        "CREATE OR REPLACE FUNCTION chime.part_size() RETURNS bigint LANGUAGE sql IMMUTABLE RETURN 8192;"
        "CREATE OR REPLACE FUNCTION chime.part_limit() RETURNS bigint LANGUAGE sql IMMUTABLE RETURN %d;"
        "CREATE OR REPLACE FUNCTION chime.room_for() RETURNS interval LANGUAGE sql IMMUTABLE RETURN '0'::interval;"
        "SELECT chime.write_capture(source_id), chime.give_room(source_id, '-infinity') FROM chime.source",
        limit);
}

/* --- parts -------------------------------------------------------------------------------------------------------- */

START_TEST(a_part_goes_when_every_view_has_passed_it)
{
    KEYED_INSTALL(cluster, "shop_total", "kind_total");
    make_parts_small(1000000);
    keyed_tend(cluster);
    EXPECT_PARTS("1");
    cluster_execute(cluster, "INSERT INTO app.orders (shop) VALUES (1)");
    keyed_tend(cluster);
    EXPECT_PARTS("1 2");
    cluster_execute(cluster, "INSERT INTO app.orders (shop) VALUES (2)");
    keyed_tend(cluster);
    LOOK("shop_total", "keyed 2: +2 ~0 -0");
    keyed_tend(cluster);
    EXPECT_PARTS("1 2 3");
    LOOK("kind_total", "keyed 2: +2 ~0 -0");
    keyed_tend(cluster);
    LOOK("shop_total", "keyed 0: +0 ~0 -0");
    LOOK("kind_total", "keyed 0: +0 ~0 -0");
    keyed_tend(cluster);
    EXPECT_PARTS("3");
    AFTER("INSERT INTO app.orders (shop) VALUES (2)", "shop_total", "keyed 1: +0 ~1 -0");
    LOOK("kind_total", "keyed 1: +0 ~1 -0");
}
END_TEST

START_TEST(writers_look_at_the_size_once_the_leader_has_been_gone_for_a_while)
{
    KEYED_INSTALL(cluster, "shop_total");
    make_parts_small(8192);
    cluster_execute(cluster, "CREATE OR REPLACE FUNCTION chime.room_for() RETURNS interval LANGUAGE sql IMMUTABLE"
                             " RETURN '1 hour'::interval");
    keyed_tend(cluster);
    session_execute(writer, ALMOST_FULL);
    session_execute(writer, "INSERT INTO app.orders (shop) VALUES (3001)");
    session_execute(writer, "BEGIN"); /* what began before does not look */
    cluster_execute(cluster, "SELECT chime.give_room(source_id, clock_timestamp()) FROM chime.source");
    session_execute(writer, "INSERT INTO app.orders (shop) VALUES (3002)");
    session_execute(writer, "COMMIT");
    session_execute(writer,
                    "INSERT INTO app.orders (shop) VALUES (3003); UPDATE app.orders SET shop = 3004 WHERE shop = 7");
    session_execute(writer, "UPDATE app.orders SET amount = 1 WHERE shop = 3001");
    EXPECT_SQL(cluster, "SELECT string_agg(shop::text, ' ') FROM chime.change_1 WHERE shop > 3000", "3001 3002");
    LOOK("shop_total", FLOODED);
}
END_TEST

START_TEST(the_leader_puts_off_when_writers_look_before_they_would)
{
    KEYED_INSTALL(cluster, "shop_total");
    for (int i = 0; i < 3; i++) {
        cluster_execute(
            cluster,
            "SELECT chime.give_room(source_id, clock_timestamp() + chime.room_for() * 0.45) FROM chime.source");
        keyed_tend(cluster);
        EXPECT_SQL(cluster, "SELECT room_until > clock_timestamp() + chime.room_for() * 0.9 FROM chime.source", "t");
        EXPECT_SQL(cluster, "SELECT chime.room_until_1() = room_until FROM chime.source", "t");
    }
}
END_TEST

START_TEST(a_transaction_that_wrote_to_a_part_keeps_it)
{
    KEYED_INSTALL(cluster, "shop_total");
    make_parts_small(1000000);
    session_execute(writer, "BEGIN; INSERT INTO app.orders (shop) VALUES (1)");
    for (int i = 0; i < 3; i++) {
        keyed_tend(cluster);
        LOOK("shop_total", "keyed 0: +0 ~0 -0");
    }
    EXPECT_PARTS("1 2");
    session_execute(writer, "INSERT INTO app.orders (shop) VALUES (2); COMMIT");
    keyed_tend(cluster);
    EXPECT_PARTS("1 2 3");
    LOOK("shop_total", "keyed 2: +2 ~0 -0");
    keyed_tend(cluster);
    LOOK("shop_total", "keyed 0: +0 ~0 -0");
    keyed_tend(cluster);
    EXPECT_PARTS("3");
}
END_TEST

START_TEST(a_prepared_transaction_keeps_the_part_it_wrote_to)
{
    KEYED_INSTALL(cluster, "shop_total");
    make_parts_small(1000000);
    cluster_execute(cluster, "BEGIN; INSERT INTO app.orders (shop) VALUES (1); PREPARE TRANSACTION 'p'");
    for (int i = 0; i < 3; i++) {
        keyed_tend(cluster);
        LOOK("shop_total", "keyed 0: +0 ~0 -0");
    }
    EXPECT_PARTS("1 2");
    cluster_restart(cluster);
    keyed_tend(cluster);
    cluster_execute(cluster, "COMMIT PREPARED 'p'");
    keyed_tend(cluster);
    keyed_tend(cluster);
    LOOK("shop_total", "keyed 1: +1 ~0 -0");
    keyed_tend(cluster);
    EXPECT_PARTS("2");
}
END_TEST

/* It has no transaction id until it finds its first row, and then fires the function that it knew before. */
START_TEST(a_statement_that_writes_late_keeps_the_part_it_will_write_to)
{
    PGconn *holder = cluster_connect(cluster, "postgres");

    KEYED_INSTALL(cluster, "shop_total");
    make_parts_small(1000000);
    cluster_execute(cluster, "INSERT INTO app.orders (shop) VALUES (1), (2), (3)");
    session_execute(writer, "DELETE FROM app.orders WHERE shop = 3");
    session_execute(holder, "SELECT pg_advisory_lock(7)");
    session_send(
        writer,
        "WITH late AS MATERIALIZED (SELECT pg_advisory_xact_lock(7)) DELETE FROM app.orders USING late WHERE shop = 1");
    session_await_blocked(cluster, writer);
    LOOK("shop_total", "keyed 3: +2 ~0 -0");
    for (int i = 0; i < 4; i++) {
        keyed_tend(cluster);
        LOOK("shop_total", "keyed 0: +0 ~0 -0");
    }
    session_execute(holder, "SELECT pg_advisory_unlock(7)");
    session_await(writer);
    keyed_tend(cluster);
    LOOK("shop_total", "keyed 1: +0 ~0 -1");
    keyed_tend(cluster);
    LOOK("shop_total", "keyed 0: +0 ~0 -0");
    keyed_tend(cluster);
    EXPECT_SQL(cluster, "SELECT to_regclass('chime.change_1_1')", NULL);
    PQfinish(holder);
}
END_TEST

START_TEST(a_reader_of_a_log_delays_only_the_drop)
{
    KEYED_INSTALL(cluster, "shop_total");
    make_parts_small(1000000);
    AFTER("INSERT INTO app.orders (shop) VALUES (1)", "shop_total", "keyed 1: +1 ~0 -0");
    keyed_tend(cluster);
    session_execute(writer, "BEGIN; SELECT * FROM chime.change_1");
    keyed_tend(cluster);
    LOOK("shop_total", "keyed 0: +0 ~0 -0");
    keyed_tend(cluster);
    EXPECT_PARTS("1 2");
    EXPECT_SQL(cluster, "SELECT drained FROM chime.change_part WHERE part = 1", "t");
    session_execute(writer, "COMMIT");
    keyed_tend(cluster);
    EXPECT_PARTS("2");
}
END_TEST

START_TEST(a_full_log_means_everything_until_it_is_gone)
{
    KEYED_INSTALL(cluster, "shop_total");
    make_parts_small(16384);
    AFTER(ALMOST_FULL, "shop_total", FLOODED);
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.change_1", "2000");
    AFTER("INSERT INTO app.orders (shop) VALUES (1); DELETE FROM app.orders WHERE shop > 5", "shop_total", FLOODED);
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.change_1", "2000");
    keyed_tend(cluster); /* a new part; the old one may still have writers */
    AFTER("INSERT INTO app.orders (shop) VALUES (3)", "shop_total", FLOODED);
    keyed_tend(cluster); /* none any more */
    keyed_tend(cluster);
    LOOK("shop_total", FLOODED);
    LOOK("shop_total", "keyed 0: +0 ~0 -0");
    AFTER("INSERT INTO app.orders (shop) VALUES (4)", "shop_total", "keyed 1: +0 ~1 -0");
    keyed_tend(cluster);
    keyed_tend(cluster);
    EXPECT_SQL(cluster, "SELECT to_regclass('chime.change_1_1')", NULL);
}
END_TEST

START_TEST(a_writer_that_found_the_log_full_is_waited_for)
{
    KEYED_INSTALL(cluster, "shop_total");
    make_parts_small(16384);
    AFTER(ALMOST_FULL, "shop_total", FLOODED);
    session_execute(writer, "BEGIN; DELETE FROM app.orders WHERE shop = 5");
    for (int i = 0; i < 4; i++) {
        keyed_tend(cluster);
        LOOK("shop_total", FLOODED);
    }
    session_execute(writer, "COMMIT");
    EXPECT_SQL(cluster, "SELECT missing + surplus FROM chime.difference('shop_total')", "1");
    keyed_tend(cluster);
    LOOK("shop_total", FLOODED);
    keyed_tend(cluster);
    LOOK("shop_total", "keyed 0: +0 ~0 -0");
}
END_TEST

START_TEST(a_view_that_nobody_refreshes_starts_over)
{
    KEYED_INSTALL(cluster, "shop_total", "kind_total");
    make_parts_small(1000000);
    cluster_execute(cluster,
                    "CREATE OR REPLACE FUNCTION chime.parts_kept() RETURNS integer LANGUAGE sql IMMUTABLE RETURN 3");
    for (int i = 0; i < 8; i++) {
        cluster_execute(cluster, "INSERT INTO app.orders (shop) VALUES (1)");
        keyed_tend(cluster);
        keyed_tend(cluster);
        EXPECT_SQL(cluster, "SELECT app.look('shop_total') ~ '^keyed 1: [^W]*$'", "t");
        keyed_tend(cluster);
    }
    EXPECT_SQL(cluster, "SELECT count(*) <= 4 FROM chime.change_part", "t");
    LOOK("kind_total", "full: it held back more than 3 parts of the log of app.orders");
    LOOK("kind_total", "keyed 0: +0 ~0 -0");
}
END_TEST

/* Neither its parts nor its views wait for a transaction that wrote elsewhere, in this database or in another one. */
START_TEST(transactions_that_never_wrote_to_the_source_keep_no_part)
{
    PGconn *elsewhere;

    KEYED_INSTALL(cluster, "shop_total");
    make_parts_small(1000000);
    cluster_create_database(cluster, "other");
    elsewhere = cluster_connect(cluster, "other");
    session_execute(elsewhere, "BEGIN; CREATE TABLE t ()");
    session_execute(writer, "BEGIN; INSERT INTO app.items (order_id) VALUES (1)");
    for (int i = 0; i < 5; i++) {
        cluster_execute(cluster, "INSERT INTO app.orders (shop) VALUES (1)");
        keyed_tend(cluster);
        EXPECT_SQL(cluster, "SELECT app.look('shop_total') ~ '^keyed 1: [^W]*$'", "t");
        keyed_tend(cluster);
    }
    EXPECT_PARTS("6");
    PQfinish(elsewhere);
}
END_TEST

/* It is known by another name from then on. */
START_TEST(a_writer_that_prepares_after_the_log_was_full_is_waited_for)
{
    KEYED_INSTALL(cluster, "shop_total");
    make_parts_small(16384);
    AFTER(ALMOST_FULL, "shop_total", FLOODED);
    session_execute(writer, "BEGIN; DELETE FROM app.orders WHERE shop = 5");
    for (int i = 0; i < 3; i++)
        keyed_tend(cluster);
    session_execute(writer, "PREPARE TRANSACTION 'p'");
    for (int i = 0; i < 3; i++) {
        keyed_tend(cluster);
        LOOK("shop_total", FLOODED);
    }
    cluster_execute(cluster, "COMMIT PREPARED 'p'");
    keyed_tend(cluster);
    LOOK("shop_total", FLOODED);
    LOOK("shop_total", "keyed 0: +0 ~0 -0");
}
END_TEST

START_TEST(a_view_seventy_parts_behind_starts_over_once)
{
    KEYED_INSTALL(cluster, "shop_total", "kind_total");
    make_parts_small(1000000);
    session_execute(writer, "BEGIN; SELECT pg_current_xact_id()");
    for (int i = 0; i < 70; i++) {
        cluster_execute(cluster, "INSERT INTO app.orders (shop) VALUES (1)");
        keyed_tend(cluster);
    }
    keyed_tend(cluster);
    LOOK("kind_total", "full: it held back more than 64 parts of the log of app.orders");
    for (int i = 0; i < 3; i++) {
        AFTER("INSERT INTO app.orders (shop) VALUES (1)", "kind_total", "keyed 1: +0 ~1 -0");
        keyed_tend(cluster);
    }
    LOOK("shop_total", "full: it held back more than 64 parts of the log of app.orders");
    keyed_tend(cluster);
    EXPECT_SQL(cluster, "SELECT count(*) < 6 FROM chime.change_part", "t");
    LOOK("shop_total", "keyed 0: +0 ~0 -0");
}
END_TEST

/* --- triggers ----------------------------------------------------------------------------------------------------- */

/* A writer who began before another view needed more of a source left no mark for that view. */
START_TEST(writers_older_than_a_views_columns_are_waited_for)
{
    KEYED_INSTALL(cluster, "shop_total");
    AFTER("INSERT INTO app.orders (shop, kind) VALUES (1, 'a'), (2, 'a')", "shop_total", "keyed 2: +2 ~0 -0");
    session_execute(writer, "BEGIN; UPDATE app.orders SET kind = 'b' WHERE shop = 1");
    EXPECT_SQL(cluster,
               "SELECT app.install('shop_kind', 'SELECT shop, max(kind) AS kind FROM orders GROUP BY shop', '{shop}',"
               " '[{\"table\": \"orders\", \"columns\": [\"shop\", \"kind\"], \"capture\": [\"shop\"]}]')",
               NULL);
    EXPECT_SQL(cluster, "CALL chime.tend_capture()", "triggers on app.orders: canceling statement due to lock timeout");
    LOOK("shop_kind", "full: the first time");
    session_execute(writer, "COMMIT");
    LOOK("shop_kind", "full: changes of app.orders are not captured");
    keyed_tend(cluster);
    LOOK("shop_kind", "full: app.orders may have changed without a mark: its storage, partitions or triggers did");
    LOOK("shop_kind", "keyed 0: +0 ~0 -0");
    AFTER("UPDATE app.orders SET kind = 'c' WHERE shop = 1", "shop_kind", "keyed 1: +0 ~1 -0");
    EXPECT_SQL(cluster, "SELECT missing + surplus FROM chime.difference('shop_total')", "0");
}
END_TEST

START_TEST(a_view_may_bring_a_column_to_a_log_in_use)
{
    KEYED_INSTALL(cluster, "shop_total");
    cluster_execute(cluster, "INSERT INTO app.orders (shop, kind) VALUES (1, 'a')");
    EXPECT_SQL(cluster, "SELECT app.install_kind_total()", NULL);
    keyed_tend(cluster);
    LOOK("kind_total", "full: the first time");
    EXPECT_SQL(cluster, "SELECT app.look('shop_total') !~ 'WRONG'", "t");
    AFTER("UPDATE app.orders SET kind = 'b'", "kind_total", "keyed 2: +1 ~0 -1");
    LOOK("shop_total", "keyed 1: +0 ~0 -0");
}
END_TEST

static double milliseconds_of(PGconn *session, const char *sql)
{
    struct timespec from;
    struct timespec to;

    clock_gettime(CLOCK_MONOTONIC, &from);
    session_execute(session, sql);
    clock_gettime(CLOCK_MONOTONIC, &to);
    return (double)(to.tv_sec - from.tv_sec) * 1e3 + (double)(to.tv_nsec - from.tv_nsec) / 1e6;
}

/* The best of some tries, since the machine may be busy. */
START_TEST(making_triggers_holds_a_writer_up_for_a_moment_only)
{
    PGconn *holder = cluster_connect(cluster, "postgres");
    PGconn *tending = cluster_connect(cluster, "postgres");
    double best = 1e9;

    EXPECT_SQL(cluster, "SELECT app.install_shop_total()", NULL);
    session_execute(holder, "BEGIN; INSERT INTO app.orders (shop) VALUES (1)");
    for (int i = 0; i < 5 && best > 250; i++) {
        session_send(tending, "CALL chime.tend_capture()");
        session_await_blocked(cluster, tending);
        double took = milliseconds_of(writer, "INSERT INTO app.orders (shop) VALUES (2)");
        best = took < best ? took : best;
        session_await(tending);
    }
    ck_assert_msg(best <= 250, "a writer was held up for %g ms", best);
    LOOK("shop_total", "full: the first time");
    session_execute(holder, "COMMIT");
    keyed_tend(cluster);
    EXPECT_SQL(cluster, "SELECT app.look('shop_total') ~ '^full: app.orders may have changed[^W]*$'", "t");
    AFTER("DELETE FROM app.orders WHERE shop = 1", "shop_total", "keyed 1: +0 ~0 -1");
    PQfinish(tending);
    PQfinish(holder);
}
END_TEST

/* What is free gets its triggers whatever the owner of many parts locks, and the rest is told once. */
START_TEST(locked_parts_hold_up_no_other)
{
    cluster_execute(cluster,
                    "CREATE TABLE app.parts (shop integer) PARTITION BY LIST (shop); CREATE INDEX ON app.parts (shop);"
                    "DO $$ BEGIN FOR i IN 1 .. 12 LOOP EXECUTE format('CREATE TABLE app.parts_%1$s PARTITION OF"
                    " app.parts FOR VALUES IN (%1$s)', i); END LOOP; END $$;"
                    "SELECT app.install('part_count', 'SELECT shop, count(*) AS n FROM parts GROUP BY shop', '{shop}',"
                    " '[{\"table\": \"parts\", \"columns\": [\"shop\"], \"capture\": [\"shop\"]}]')");
    EXPECT_SQL(cluster, "SELECT app.install_shop_total()", NULL);
    session_execute(writer, "BEGIN; DO $$ BEGIN FOR i IN 1 .. 10 LOOP EXECUTE 'LOCK TABLE app.parts_' || i || "
                            "' IN SHARE MODE'; END LOOP; END $$");
    do {
        EXPECT_SQL(cluster, "CALL chime.tend_capture()",
                   "triggers on app.parts: canceling statement due to lock timeout");
    } while (cluster_integer(cluster, "SELECT count(*) FROM chime.trigger_work()") > 10);
    session_execute(writer, "ROLLBACK");
    do {
        keyed_tend(cluster);
    } while (cluster_integer(cluster, "SELECT count(*) FROM chime.trigger_work()") > 0);
    LOOK("part_count", "full: the first time");
}
END_TEST

START_TEST(a_foreign_partition_is_told_and_stops_nothing_else)
{
    cluster_execute(cluster,
                    "CREATE FOREIGN DATA WRAPPER nowhere; CREATE SERVER nowhere FOREIGN DATA WRAPPER nowhere;"
                    "CREATE TABLE app.parts (shop integer) PARTITION BY LIST (shop); CREATE INDEX ON app.parts (shop);"
                    "CREATE TABLE app.parts_1 PARTITION OF app.parts FOR VALUES IN (1);"
                    "SELECT app.install('part_count', 'SELECT shop, count(*) AS n FROM parts GROUP BY shop', '{shop}',"
                    " '[{\"table\": \"parts\", \"columns\": [\"shop\"], \"capture\": [\"shop\"]}]')");
    cluster_execute(cluster,
                    "CREATE FOREIGN TABLE app.parts_2 PARTITION OF app.parts FOR VALUES IN (2) SERVER nowhere");
    EXPECT_SQL(cluster, "SELECT app.install_shop_total()", NULL);
    keyed_tend(cluster);
    EXPECT_SQL(cluster, "SELECT left(full_reason, 30) FROM chime.view WHERE relation = 'part_count'",
               "app.parts_2 is a foreign table");
    LOOK("shop_total", "full: the first time");
    AFTER("INSERT INTO app.orders (shop) VALUES (1)", "shop_total", "keyed 1: +1 ~0 -0");
}
END_TEST

/* --- rights ------------------------------------------------------------------------------------------------------- */

/* Everything of pgchime belongs to `keeper`, who owns no source. */
static void use_a_database_of_keeper(void)
{
    char *schema = migrate_text(0);

    cluster_execute(cluster, "CREATE ROLE keeper; CREATE ROLE clerk");
    cluster_create_database(cluster, "kept");
    cluster_use(cluster, "kept");
    cluster_execute(cluster, "GRANT CREATE ON DATABASE kept TO keeper; SET SESSION AUTHORIZATION keeper");
    cluster_execute(cluster, schema);
    cluster_execute(cluster, "RESET SESSION AUTHORIZATION");
    cluster_execute_file(cluster, PGCHIME_SOURCE_DIR "/tests/support/keyed/keyed.sql");
    cluster_execute(
        cluster,
        "GRANT USAGE ON SCHEMA app TO keeper, clerk; GRANT USAGE, CREATE ON SCHEMA kept TO keeper;"
        "GRANT SELECT ON app.orders TO keeper; GRANT INSERT, UPDATE, DELETE, TRUNCATE, SELECT ON app.orders TO clerk");
    free(schema);
}

START_TEST(the_privilege_trigger_is_enough)
{
    use_a_database_of_keeper();
    cluster_execute(cluster, "SET SESSION AUTHORIZATION keeper");
    EXPECT_SQL(cluster, "SELECT app.install_shop_total()", NULL);
    EXPECT_SQL(cluster, "CALL chime.tend_capture()",
               "triggers on app.orders: changes of app.orders cannot be captured: permission denied for table orders");
    LOOK("shop_total", "full: the first time");
    LOOK("shop_total", "full: changes of app.orders are not captured");
    cluster_execute(
        cluster,
        "RESET SESSION AUTHORIZATION; GRANT TRIGGER ON app.orders TO keeper; SET SESSION AUTHORIZATION keeper");
    keyed_tend(cluster);
    EXPECT_SQL(cluster, "SELECT app.look('shop_total') ~ '^full: app.orders may have changed[^W]*$'", "t");
    cluster_execute(cluster, "SET SESSION AUTHORIZATION clerk; INSERT INTO app.orders (id, shop) VALUES (1, 1), (2, 2);"
                             "UPDATE app.orders SET shop = 3 WHERE shop = 2; SET SESSION AUTHORIZATION keeper");
    LOOK("shop_total", "keyed 3: +2 ~0 -0");
    ck_assert_str_eq(cluster_sqlstate(cluster, "SET SESSION AUTHORIZATION clerk; SELECT chime.capture_1()"), "42501");
    cluster_execute(cluster, "SET SESSION AUTHORIZATION clerk; TRUNCATE app.orders; SET SESSION AUTHORIZATION keeper");
    LOOK("shop_total", "full: app.orders was truncated");
}
END_TEST

static Suite *suite(void)
{
    Suite *all = suite_create("keyed log");
    TCase *cases = tcase_create("keyed log");

    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_set_timeout(cases, 120);
    tcase_add_test(cases, a_part_goes_when_every_view_has_passed_it);
    tcase_add_test(cases, writers_look_at_the_size_once_the_leader_has_been_gone_for_a_while);
    tcase_add_test(cases, the_leader_puts_off_when_writers_look_before_they_would);
    tcase_add_test(cases, a_transaction_that_wrote_to_a_part_keeps_it);
    tcase_add_test(cases, a_prepared_transaction_keeps_the_part_it_wrote_to);
    tcase_add_test(cases, a_statement_that_writes_late_keeps_the_part_it_will_write_to);
    tcase_add_test(cases, a_reader_of_a_log_delays_only_the_drop);
    tcase_add_test(cases, a_full_log_means_everything_until_it_is_gone);
    tcase_add_test(cases, a_writer_that_found_the_log_full_is_waited_for);
    tcase_add_test(cases, a_view_that_nobody_refreshes_starts_over);
    tcase_add_test(cases, transactions_that_never_wrote_to_the_source_keep_no_part);
    tcase_add_test(cases, a_writer_that_prepares_after_the_log_was_full_is_waited_for);
    tcase_add_test(cases, a_view_seventy_parts_behind_starts_over_once);
    tcase_add_test(cases, writers_older_than_a_views_columns_are_waited_for);
    tcase_add_test(cases, a_view_may_bring_a_column_to_a_log_in_use);
    tcase_add_test(cases, making_triggers_holds_a_writer_up_for_a_moment_only);
    tcase_add_test(cases, locked_parts_hold_up_no_other);
    tcase_add_test(cases, a_foreign_partition_is_told_and_stops_nothing_else);
    tcase_add_test(cases, the_privilege_trigger_is_enough);
    suite_add_tcase(all, cases);
    return all;
}

int main(void)
{
    return suite_run(suite());
}
