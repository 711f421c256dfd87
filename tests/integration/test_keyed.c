/* SPDX-License-Identifier: PostgreSQL */
/* Keyed refresh: which changes a refresh looks at, what it does with them, and what it does while others write. */
#include <check.h>
#include <string.h>

#include "support/keyed/keyed_stage.h"
#include "support/process/suite.h"

/* --- what leaves a mark ------------------------------------------------------------------------------------------- */

START_TEST(a_refresh_looks_only_at_the_groups_that_a_statement_changed)
{
    KEYED_INSTALL(cluster, "shop_total");
    LOOK("shop_total", "keyed 0: +0 ~0 -0");
    AFTER(THREE_SHOPS, "shop_total", "keyed 3: +3 ~0 -0");
    AFTER("UPDATE app.orders SET amount = 99 WHERE shop = 2", "shop_total", "keyed 1: +0 ~1 -0");
    AFTER("DELETE FROM app.orders WHERE shop >= 2", "shop_total", "keyed 2: +0 ~0 -2");
    AFTER("INSERT INTO app.orders (shop) VALUES (7); DELETE FROM app.orders WHERE shop = 7", "shop_total",
          "keyed 1: +0 ~0 -0");
    LOOK("shop_total", "keyed 0: +0 ~0 -0");
}
END_TEST

START_TEST(an_update_that_changes_no_declared_column_leaves_no_mark)
{
    KEYED_INSTALL(cluster, "shop_total");
    AFTER(THREE_SHOPS, "shop_total", "keyed 3: +3 ~0 -0");
    cluster_execute(cluster, "CREATE TABLE app.marks AS SELECT FROM chime.change_1;"
                             "UPDATE app.orders SET note = 'seen', kind = 'z'; UPDATE app.orders SET amount = amount;"
                             "UPDATE app.orders SET amount = amount, note = 'alone' WHERE shop = 2;"
                             "UPDATE app.orders SET amount = 1 WHERE shop = 77");
    EXPECT_SQL(cluster, "SELECT count(*) = (SELECT count(*) FROM app.marks) FROM chime.change_1", "t");
    LOOK("shop_total", "keyed 0: +0 ~0 -0");
}
END_TEST

START_TEST(a_row_that_moves_changes_both_groups)
{
    KEYED_INSTALL(cluster, "shop_total", "kind_total");
    AFTER(THREE_SHOPS, "shop_total", "keyed 3: +3 ~0 -0");
    LOOK("kind_total", "keyed 4: +4 ~0 -0");
    AFTER("UPDATE app.orders SET shop = 2 WHERE shop = 3", "shop_total", "keyed 2: +0 ~1 -1");
    LOOK("kind_total", "keyed 2: +0 ~1 -1");
    /* Rows that change places: the bags are the same, the groups are not. */
    AFTER("UPDATE app.orders SET shop = CASE shop WHEN 1 THEN 2 ELSE 1 END", "shop_total", "keyed 2: +0 ~2 -0");
    LOOK("kind_total", "keyed 4: +1 ~2 -1");
}
END_TEST

START_TEST(groups_may_be_null_in_each_column)
{
    KEYED_INSTALL(cluster, "shop_total", "kind_total");
    AFTER(
        "INSERT INTO app.orders (shop, kind, amount) VALUES (NULL, NULL, 1), (NULL, 'a', 2), (1, NULL, 3), (1, 'a', 4)",
        "shop_total", "keyed 2: +2 ~0 -0");
    LOOK("kind_total", "keyed 4: +4 ~0 -0");
    AFTER("UPDATE app.orders SET amount = 9, extra = '{\"v\": 1}' WHERE shop IS NULL", "shop_total",
          "keyed 1: +0 ~1 -0");
    LOOK("kind_total", "keyed 2: +0 ~2 -0");
    AFTER("UPDATE app.orders SET kind = 'a' WHERE kind IS NULL", "shop_total", "keyed 2: +0 ~0 -0");
    LOOK("kind_total", "keyed 4: +0 ~2 -2");
    AFTER("DELETE FROM app.orders WHERE shop IS NULL", "shop_total", "keyed 1: +0 ~0 -1");
    LOOK("kind_total", "keyed 1: +0 ~0 -1");
}
END_TEST

START_TEST(copy_merge_and_on_conflict_leave_marks)
{
    static const char rows[] = "101\t1\t10\n102\t2\t20\n103\t\\N\t30\n";
    PGconn *session = cluster_connect(cluster, "postgres");
    KEYED_INSTALL(cluster, "shop_total");
    session_execute(session, "COPY app.orders (id, shop, amount) FROM STDIN");
    ck_assert_int_eq(PQputCopyData(session, rows, (int)strlen(rows)), 1);
    ck_assert_int_eq(PQputCopyEnd(session, NULL), 1);
    session_await(session);
    LOOK("shop_total", "keyed 3: +3 ~0 -0");
    AFTER("INSERT INTO app.orders (id, shop, amount) VALUES (101, 1, 0), (104, 4, 40)"
          " ON CONFLICT (id) DO UPDATE SET amount = 11",
          "shop_total", "keyed 2: +1 ~1 -0");
    AFTER("INSERT INTO app.orders (id, shop) VALUES (101, 1) ON CONFLICT DO NOTHING", "shop_total",
          "keyed 0: +0 ~0 -0");
    AFTER("MERGE INTO app.orders o USING (VALUES (101, 5), (102, 0), (105, 6)) v (id, shop) ON o.id = v.id"
          " WHEN MATCHED AND v.shop = 0 THEN DELETE WHEN MATCHED THEN UPDATE SET shop = v.shop"
          " WHEN NOT MATCHED THEN INSERT (id, shop) VALUES (v.id, v.shop)",
          "shop_total", "keyed 4: +2 ~0 -2");
    AFTER("WITH gone AS (DELETE FROM app.orders WHERE shop = 5 RETURNING *), put AS (INSERT INTO app.orders (shop)"
          " SELECT 8 FROM gone) UPDATE app.orders SET amount = 1 WHERE shop = 4",
          "shop_total", "keyed 3: +1 ~1 -1");
    PQfinish(session);
}
END_TEST

START_TEST(a_cascade_of_foreign_keys_leaves_marks)
{
    cluster_execute(
        cluster,
        "CREATE TABLE app.shops (shop integer PRIMARY KEY); INSERT INTO app.shops VALUES (1), (2), (3), (4);"
        "ALTER TABLE app.orders ADD FOREIGN KEY (shop) REFERENCES app.shops ON DELETE CASCADE ON UPDATE CASCADE");
    KEYED_INSTALL(cluster, "shop_total");
    AFTER(THREE_SHOPS, "shop_total", "keyed 3: +3 ~0 -0");
    AFTER("DELETE FROM app.shops WHERE shop = 1", "shop_total", "keyed 1: +0 ~0 -1");
    AFTER("UPDATE app.shops SET shop = 9 WHERE shop = 2", "shop_total", "keyed 2: +1 ~0 -1");
}
END_TEST

START_TEST(a_truncated_source_means_everything_once)
{
    KEYED_INSTALL(cluster, "shop_total");
    AFTER(THREE_SHOPS, "shop_total", "keyed 3: +3 ~0 -0");
    AFTER("TRUNCATE app.orders", "shop_total", "full: app.orders was truncated");
    LOOK("shop_total", "keyed 0: +0 ~0 -0");
    AFTER(THREE_SHOPS, "shop_total", "keyed 3: +3 ~0 -0");
}
END_TEST

START_TEST(what_was_rolled_back_leaves_no_mark_and_a_kept_savepoint_does)
{
    KEYED_INSTALL(cluster, "shop_total");
    cluster_execute(
        cluster, "BEGIN; INSERT INTO app.orders (shop) VALUES (1); SAVEPOINT s;"
                 "INSERT INTO app.orders (shop) VALUES (2); SAVEPOINT t; INSERT INTO app.orders (shop) VALUES (3);"
                 "RELEASE t; ROLLBACK TO s; SAVEPOINT u; INSERT INTO app.orders (shop) VALUES (4); RELEASE u; COMMIT");
    LOOK("shop_total", "keyed 2: +2 ~0 -0");
    cluster_execute(cluster, "BEGIN; INSERT INTO app.orders (shop) VALUES (5); ROLLBACK;"
                             "DO $$ BEGIN INSERT INTO app.orders (shop) VALUES (6); RAISE division_by_zero;"
                             " EXCEPTION WHEN division_by_zero THEN INSERT INTO app.orders (shop) VALUES (7); END $$");
    LOOK("shop_total", "keyed 1: +1 ~0 -0");
}
END_TEST

START_TEST(a_prepared_transaction_counts_when_it_is_committed)
{
    KEYED_INSTALL(cluster, "shop_total");
    cluster_execute(cluster, "BEGIN; INSERT INTO app.orders (shop) VALUES (1); PREPARE TRANSACTION 'late'");
    cluster_execute(cluster, "BEGIN; INSERT INTO app.orders (shop) VALUES (2); PREPARE TRANSACTION 'never'");
    AFTER("INSERT INTO app.orders (shop) VALUES (3)", "shop_total", "keyed 1: +1 ~0 -0");
    cluster_restart(cluster);
    LOOK("shop_total", "keyed 0: +0 ~0 -0");
    cluster_execute(cluster, "COMMIT PREPARED 'late'");
    LOOK("shop_total", "keyed 1: +1 ~0 -0");
    cluster_execute(cluster, "ROLLBACK PREPARED 'never'");
    LOOK("shop_total", "keyed 0: +0 ~0 -0");
}
END_TEST

/* Without equality, or arrays of such: compared as text, and writers never notice. */
START_TEST(columns_of_any_type_are_compared)
{
    cluster_execute(
        cluster,
        "CREATE DOMAIN app.shop_number AS integer NOT NULL; CREATE DOMAIN app.document AS json;"
        "CREATE TYPE app.pair AS (a integer, b json);"
        "CREATE TABLE app.odd (shop app.shop_number, a json[], b point, c app.document, d app.pair, e xml, f float8);"
        "CREATE INDEX ON app.odd (shop);");
    EXPECT_SQL(
        cluster,
        "SELECT app.install('odd_view', 'SELECT shop, string_agg(concat_ws(''/'', a, b, c, d, e, f), '';'') AS all"
        " FROM odd GROUP BY shop', '{shop}',"
        " '[{\"table\": \"odd\", \"columns\": [\"a\", \"b\", \"c\", \"d\", \"e\", \"f\"], \"capture\": [\"shop\"]}]')",
        NULL);
    keyed_tend(cluster);
    LOOK("odd_view", "full: the first time");
    AFTER("INSERT INTO app.odd VALUES (1, '{1}', '(1,1)', '{}', '(1,{})', '<a/>', 1); INSERT INTO app.odd VALUES (2)",
          "odd_view", "keyed 2: +2 ~0 -0");
    AFTER("UPDATE app.odd SET a = '{2}' WHERE shop = 1", "odd_view", "keyed 1: +0 ~1 -0");
    AFTER("SET extra_float_digits = 0; UPDATE app.odd SET b = '(1.0000000000000002,1)' WHERE shop = 1; RESET "
          "extra_float_digits",
          "odd_view", "keyed 1: +0 ~1 -0");
    AFTER("UPDATE app.odd SET c = '[]' WHERE shop = 1", "odd_view", "keyed 1: +0 ~1 -0");
    AFTER("UPDATE app.odd SET d = '(1,[])' WHERE shop = 1", "odd_view", "keyed 1: +0 ~1 -0");
    AFTER("UPDATE app.odd SET e = '<b/>' WHERE shop = 1", "odd_view", "keyed 1: +0 ~1 -0");
    AFTER("UPDATE app.odd SET a = a, b = b, c = c, d = d, e = e, f = f", "odd_view", "keyed 0: +0 ~0 -0");
    AFTER("TRUNCATE app.odd", "odd_view", "full: app.odd was truncated");
}
END_TEST

START_TEST(a_view_may_have_columns_of_any_type)
{
    cluster_execute(cluster, "CREATE TABLE app.odd (shop integer PRIMARY KEY, a json[], b point, c json, d xml);"
                             "INSERT INTO app.odd SELECT i, '{1}', '(1,1)', '{}', '<a/>' FROM generate_series(1, 3) i");
    EXPECT_SQL(cluster,
               "SELECT app.install('odd_view', 'SELECT * FROM odd', '{shop}', '[{\"table\": \"odd\", \"columns\":"
               " [\"shop\", \"a\", \"b\", \"c\", \"d\"], \"capture\": [\"shop\"]}]')",
               NULL);
    keyed_tend(cluster);
    LOOK("odd_view", "full: the first time");
    AFTER("UPDATE app.odd SET c = '[]', d = '<b/>' WHERE shop = 1", "odd_view", "keyed 1: +0 ~1 -0");
    AFTER("UPDATE app.odd SET a = '{2}', b = '(2,1)' WHERE shop = 2", "odd_view", "keyed 1: +0 ~1 -0");
    EXPECT_SQL(cluster, "SELECT updated FROM chime.refresh('odd_view', true)", "0");
}
END_TEST

/* --- maps, moments, cascades -------------------------------------------------------------------------------------- */

START_TEST(a_map_leads_from_the_captured_columns_to_the_groups)
{
    KEYED_INSTALL(cluster, "shop_items");
    AFTER("INSERT INTO app.orders (id, shop) VALUES (1, 1), (2, 1), (3, 2), (4, NULL);"
          "INSERT INTO app.items (order_id, quantity) VALUES (1, 5), (2, 6), (3, 7), (4, 8)",
          "shop_items", "keyed 3: +3 ~0 -0");
    AFTER("UPDATE app.items SET quantity = 9 WHERE order_id IN (1, 2)", "shop_items", "keyed 1: +0 ~1 -0");
    AFTER("UPDATE app.items SET order_id = 4 WHERE order_id = 3", "shop_items", "keyed 2: +0 ~1 -1");
    AFTER("UPDATE app.orders SET shop = 2 WHERE id = 2; UPDATE app.items SET quantity = 1 WHERE order_id = 2",
          "shop_items", "keyed 2: +1 ~1 -0");
    AFTER("DELETE FROM app.items WHERE order_id = 1; DELETE FROM app.orders WHERE id = 1", "shop_items",
          "keyed 1: +0 ~0 -1");
    AFTER("INSERT INTO app.items (order_id, quantity) VALUES (77, 1)", "shop_items", "keyed 0: +0 ~0 -0");
    AFTER("INSERT INTO app.orders (id, shop) VALUES (77, 1)", "shop_items", "keyed 1: +1 ~0 -0");
    AFTER("TRUNCATE app.items", "shop_items", "full: app.items was truncated");
}
END_TEST

START_TEST(groups_that_change_as_time_passes_are_revisited)
{
    cluster_execute(cluster, "CREATE TABLE app.calls (shop integer, at timestamptz); CREATE INDEX ON app.calls (shop)");
    EXPECT_SQL(
        cluster,
        "SELECT app.install('recent', 'SELECT shop, max(at) AS last,"
        " count(*) FILTER (WHERE at > chime.as_of() - interval ''1 day'') AS n FROM app.calls GROUP BY shop', '{shop}',"
        " '[{\"table\": \"calls\", \"columns\": [\"shop\", \"at\"], \"capture\": [\"shop\"]}]',"
        " p_revisit => 'SELECT shop FROM recent WHERE n > 0')",
        NULL);
    keyed_tend(cluster);
    cluster_execute(cluster, "SET chime.as_of = '2026-01-01 12:00Z'");
    LOOK("recent", "full: the first time");
    AFTER("INSERT INTO app.calls VALUES (1, '2026-01-01 00:00Z'), (2, '2025-12-31 18:00Z'), (3, '2025-01-01')",
          "recent", "keyed 3: +3 ~0 -0");
    LOOK("recent", "keyed 2: +0 ~0 -0");
    cluster_execute(cluster, "SET chime.as_of = '2026-01-01 20:00Z'");
    EXPECT_SQL(cluster, "SELECT method || keys FROM chime.refresh('recent', p_revisit => false)", "keyed0");
    LOOK("recent", "keyed 2: +0 ~1 -0");
    LOOK("recent", "keyed 1: +0 ~0 -0");
}
END_TEST

START_TEST(a_view_over_a_view_takes_what_the_first_really_changed)
{
    KEYED_INSTALL(cluster, "shop_total", "shop_size");
    AFTER(THREE_SHOPS, "shop_size", "keyed 0: +0 ~0 -0");
    LOOK("shop_total", "keyed 3: +3 ~0 -0");
    LOOK("shop_size", "keyed 3: +3 ~0 -0");
    AFTER("UPDATE app.orders SET amount = amount + 1", "shop_total", "keyed 3: +0 ~3 -0");
    LOOK("shop_size", "keyed 0: +0 ~0 -0"); /* reads no total */
    AFTER("INSERT INTO app.orders (shop) VALUES (1), (NULL)", "shop_total", "keyed 2: +1 ~1 -0");
    LOOK("shop_size", "keyed 2: +1 ~1 -0");
    AFTER("DELETE FROM app.orders WHERE shop = 3", "shop_total", "keyed 1: +0 ~0 -1");
    EXPECT_SQL(cluster, "SELECT method FROM chime.refresh('shop_total', true)", "full");
    LOOK("shop_size", "keyed 1: +0 ~0 -1");
}
END_TEST

/* A refresh and what follows it in its transaction: the transaction's own later marks are not visible in what it has
 * seen. */
START_TEST(a_transaction_may_write_after_its_own_refresh)
{
    PGconn *session = cluster_connect(cluster, "postgres");
    KEYED_INSTALL(cluster, "shop_total", "shop_size");
    session_execute(session, "BEGIN; INSERT INTO app.orders (shop) VALUES (1)");
    cluster_execute(cluster, "INSERT INTO app.orders (shop) VALUES (2)"); /* a later transaction that ends before */
    session_execute(session, "SELECT * FROM chime.refresh('shop_size'); SELECT * FROM chime.refresh('shop_total');"
                             "INSERT INTO app.orders (shop) VALUES (3); COMMIT");
    EXPECT_SQL(cluster, "SELECT app.look('shop_total') !~ 'WRONG|full'", "t");
    EXPECT_SQL(cluster, "SELECT app.look('shop_size') !~ 'WRONG|full'", "t");
    LOOK("shop_total", "keyed 0: +0 ~0 -0");
    LOOK("shop_size", "keyed 0: +0 ~0 -0");
    PQfinish(session);
}
END_TEST

/* --- concurrency -------------------------------------------------------------------------------------------------- */

/* The refresher stands between take and recompute, where its groups are asked for. */
static PGconn *begin_paused_refresh(PGconn *holder)
{
    PGconn *refresher = cluster_connect(cluster, "postgres");

    EXPECT_SQL(cluster,
               "SELECT app.install('paused', 'SELECT shop, sum(amount) AS total FROM orders GROUP BY shop', '{shop}',"
               " '[{\"table\": \"orders\", \"columns\": [\"shop\", \"amount\"], \"capture\": [\"shop\"]}]',"
               " p_revisit => 'SELECT 0 FROM pg_advisory_xact_lock(7) AS l WHERE l::text = ''x''')",
               NULL);
    keyed_tend(cluster);
    LOOK("paused", "full: the first time");
    AFTER(THREE_SHOPS, "paused", "keyed 3: +3 ~0 -0");
    session_execute(holder, "SELECT pg_advisory_lock(7)");
    cluster_execute(cluster, "UPDATE app.orders SET amount = 100 WHERE shop = 1");
    session_send(refresher, "SELECT chime.refresh('paused')");
    session_await_blocked(cluster, refresher);
    return refresher;
}

START_TEST(what_commits_between_take_and_recompute_keeps_its_mark)
{
    PGconn *holder = cluster_connect(cluster, "postgres");
    PGconn *refresher = begin_paused_refresh(holder);

    cluster_execute(
        cluster, "UPDATE app.orders SET amount = 200 WHERE shop = 1; UPDATE app.orders SET amount = 5 WHERE shop = 2");
    session_execute(holder, "SELECT pg_advisory_unlock(7)");
    session_await(refresher);
    EXPECT_SQL(cluster, "SELECT string_agg(concat_ws(' ', shop, total), ', ' ORDER BY shop) FROM kept.paused",
               "1 400, 2 20, 3 30");
    LOOK("paused", "keyed 2: +0 ~1 -0");
    PQfinish(refresher);
    PQfinish(holder);
}
END_TEST

START_TEST(a_second_refresh_waits_for_the_first_and_repeats_nothing)
{
    PGconn *holder = cluster_connect(cluster, "postgres");
    PGconn *second = cluster_connect(cluster, "postgres");
    PGconn *first = begin_paused_refresh(holder);

    session_send(second, "SELECT chime.refresh('paused')");
    session_await_blocked(cluster, second);
    session_execute(holder, "SELECT pg_advisory_unlock(7)");
    session_await(first);
    session_await(second);
    EXPECT_SQL(cluster, "SELECT method || ' ' || keys FROM chime.view_refresh WHERE relation = 'paused'", "keyed 0");
    LOOK("paused", "keyed 0: +0 ~0 -0");
    PQfinish(first);
    PQfinish(second);
    PQfinish(holder);
}
END_TEST

/* A reader's plan may be older than its snapshot: it would not have the part that a writer in the snapshot wrote to. */
START_TEST(a_part_begun_while_the_marks_are_taken_is_not_overlooked)
{
    PGconn *rotation = cluster_connect(cluster, "postgres");
    PGconn *refresher = cluster_connect(cluster, "postgres");

    KEYED_INSTALL(cluster, "shop_total");
    cluster_execute(cluster, THREE_SHOPS);
    session_execute(rotation, "BEGIN; LOCK TABLE chime.change_1_1 IN ACCESS EXCLUSIVE MODE");
    session_send(refresher, "SELECT chime.refresh('shop_total')");
    session_await_blocked(cluster, refresher);
    session_execute(rotation,
                    "SELECT chime.add_part(1, 2); UPDATE chime.source SET head = 2; SELECT chime.write_capture(1);"
                    "INSERT INTO app.orders (shop) VALUES (4); COMMIT");
    session_await(refresher);
    EXPECT_SQL(cluster, "SELECT app.look('shop_total') !~ 'WRONG|full'", "t");
    PQfinish(refresher);
    PQfinish(rotation);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("keyed");
    TCase *cases = tcase_create("keyed");

    tcase_add_checked_fixture(cases, keyed_stage_set, served_tear_down);
    tcase_set_timeout(cases, 120);
    tcase_add_test(cases, a_refresh_looks_only_at_the_groups_that_a_statement_changed);
    tcase_add_test(cases, an_update_that_changes_no_declared_column_leaves_no_mark);
    tcase_add_test(cases, a_row_that_moves_changes_both_groups);
    tcase_add_test(cases, groups_may_be_null_in_each_column);
    tcase_add_test(cases, copy_merge_and_on_conflict_leave_marks);
    tcase_add_test(cases, a_cascade_of_foreign_keys_leaves_marks);
    tcase_add_test(cases, a_truncated_source_means_everything_once);
    tcase_add_test(cases, what_was_rolled_back_leaves_no_mark_and_a_kept_savepoint_does);
    tcase_add_test(cases, a_prepared_transaction_counts_when_it_is_committed);
    tcase_add_test(cases, columns_of_any_type_are_compared);
    tcase_add_test(cases, a_view_may_have_columns_of_any_type);
    tcase_add_test(cases, a_map_leads_from_the_captured_columns_to_the_groups);
    tcase_add_test(cases, groups_that_change_as_time_passes_are_revisited);
    tcase_add_test(cases, a_view_over_a_view_takes_what_the_first_really_changed);
    tcase_add_test(cases, a_transaction_may_write_after_its_own_refresh);
    tcase_add_test(cases, what_commits_between_take_and_recompute_keeps_its_mark);
    tcase_add_test(cases, a_second_refresh_waits_for_the_first_and_repeats_nothing);
    tcase_add_test(cases, a_part_begun_while_the_marks_are_taken_is_not_overlooked);
    suite_add_tcase(suite, cases);
    return suite_run(suite);
}
