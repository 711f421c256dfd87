/* SPDX-License-Identifier: PostgreSQL */
/* Writers to the sources of keyed views: whatever they do, in whatever way, nothing of ours fails or holds them up. */
#include <check.h>

#include "support/keyed/keyed_stage.h"
#include "support/process/suite.h"

/* --- names -------------------------------------------------------------------------------------------------------- */

#define NAMES "xid integer, whole integer, row_id integer, c integer"
#define MORE_NAMES                                                                                                   \
    "compared_0 integer, compared_1 integer, m integer, s integer, k integer, l integer, t integer, u integer, "     \
    "v integer, g integer, mark integer, marks integer, groups integer, live integer, kept integer, found integer, " \
    "gone integer, new_rows integer, old_rows integer, v_rows integer, v_jit integer, v_from integer, g_1 integer, " \
    "m_1 integer, keys integer, rows integer, reason integer, \"new\" integer, tg_op integer"

#define INSTALL_BY                                                                                         \
    "CREATE FUNCTION app.install_by(p_table text) RETURNS text LANGUAGE sql AS $$"                         \
    " SELECT app.install(('by_' || p_table)::name,"                                                        \
    "  format('SELECT xid, whole, row_id, c, %s FROM %I GROUP BY xid, whole, row_id, c',"                  \
    "         string_agg(format('sum(%1$I) AS %1$I', attname), ', ') FILTER (WHERE attnum > 4), p_table)," \
    "  '{xid,whole,row_id,c}', jsonb_build_array(jsonb_build_object('table', p_table, 'columns', "         \
    "jsonb_agg(attname))))"                                                                                \
    " FROM pg_attribute WHERE attrelid = to_regclass('app.' || p_table) AND attnum > 0 $$"

#define AFTER_NAMED(sql, expected)                   \
    do {                                             \
        cluster_execute_format(cluster, sql, table); \
        EXPECT_SQL(cluster, look, expected);         \
    } while (0)

START_TEST(columns_may_have_any_name_but_ours)
{
    cluster_execute(cluster,
                    "CREATE TABLE app.named (" NAMES ", " MORE_NAMES "); CREATE INDEX ON app.named (xid);"
                    "CREATE TABLE app.partly (" NAMES ", " MORE_NAMES ") PARTITION BY LIST (m);"
                    "CREATE TABLE app.partly_1 PARTITION OF app.partly DEFAULT; CREATE INDEX ON app.partly (xid)");
    cluster_execute(cluster, INSTALL_BY);
    EXPECT_SQL(cluster, "SELECT app.install_by('named')", NULL);
    EXPECT_SQL(cluster, "SELECT app.install_by('partly')", NULL);
    keyed_tend(cluster);
    LOOK("by_named", "full: the first time");
    LOOK("by_partly", "full: the first time");
    for (int i = 0; i < 2; i++) {
        const char *table = i == 0 ? "named" : "partly";
        const char *look = i == 0 ? "SELECT app.look('by_named')" : "SELECT app.look('by_partly')";

        AFTER_NAMED("INSERT INTO app.%s (xid, whole, row_id, c, m, compared_1, new_rows) VALUES (1, 2, 3, 4, 5, 6, 7)",
                    "keyed 1: +1 ~0 -0");
        AFTER_NAMED("INSERT INTO app.%s (xid, whole, row_id, c, m) SELECT 2, n, 3, 4, n FROM generate_series(1, 5) n",
                    "keyed 5: +5 ~0 -0");
        AFTER_NAMED("UPDATE app.%s SET m = 8, compared_0 = 1, old_rows = 2 WHERE xid = 1", "keyed 1: +0 ~1 -0");
        AFTER_NAMED("UPDATE app.%s SET found = 3, gone = 4", "keyed 6: +0 ~6 -0");
        AFTER_NAMED("UPDATE app.%s SET whole = 9 WHERE xid = 1", "keyed 2: +1 ~0 -1");
        AFTER_NAMED("DELETE FROM app.%s WHERE xid = 2", "keyed 5: +0 ~0 -5");
    }
    cluster_execute(cluster, "UPDATE kept.by_named SET m = 77");
    EXPECT_SQL(cluster,
               "SELECT string_agg(side || (line ->> 'm'), ' ' ORDER BY side) FROM chime.differences('by_named')",
               "missing8 surplus77");
}
END_TEST

START_TEST(names_of_ours_are_refused)
{
    cluster_execute(cluster,
                    "CREATE TABLE app.taken (chime_shop integer, n integer); CREATE INDEX ON app.taken (chime_shop)");
    EXPECT_SQL(
        cluster,
        "SELECT app.install('by_taken', 'SELECT chime_shop AS shop, sum(n) AS n FROM taken GROUP BY 1', '{shop}',"
        " '[{\"table\": \"taken\", \"columns\": [\"chime_shop\", \"n\"]}]')",
        "app.taken.chime_shop has a name that begins with chime_, as only columns of pgchime itself do");
    ck_assert_str_eq(cluster_sqlstate(cluster, "SELECT app.install('taken', 'SELECT shop, 1 AS chime_row_id FROM orders"
                                               " GROUP BY shop', '{shop}', '[]')"),
                     "42939");
    keyed_tend(cluster);
    AFTER("INSERT INTO app.taken VALUES (1, 2)", "by_taken",
          "full: app.taken.chime_shop has a name that begins with chime_, as only columns of pgchime itself do");
}
END_TEST

/* --- foreign tables, tables that a crash empties ------------------------------------------------------------------ */

/* Partitions 1 here and 2 behind a connection to this server; children alike. */
static void make_a_tree_with_a_foreign_leaf(void)
{
    cluster_execute(cluster, "CREATE EXTENSION postgres_fdw");
    cluster_execute_format(
        cluster,
        "CREATE SERVER self FOREIGN DATA WRAPPER postgres_fdw OPTIONS (host '%s', port '5432', dbname 'postgres');"
        "CREATE USER MAPPING FOR PUBLIC SERVER self OPTIONS (user 'postgres', password_required 'false')",
        cluster_directory(cluster));
    cluster_execute(cluster, "CREATE TABLE app.parts (shop integer, n integer) PARTITION BY LIST (shop);"
                             "CREATE INDEX ON app.parts (shop);"
                             "CREATE TABLE app.parts_1 PARTITION OF app.parts FOR VALUES IN (1, 3);"
                             "CREATE TABLE app.far (shop integer, n integer);"
                             "CREATE FOREIGN TABLE app.parts_2 (shop integer, n integer) SERVER self"
                             " OPTIONS (schema_name 'app', table_name 'far')");
}

#define INSTALL_PARTS                                                                                 \
    "SELECT app.install('part_total', 'SELECT shop, sum(n) AS n FROM parts GROUP BY shop', '{shop}'," \
    " '[{\"table\": \"parts\", \"columns\": [\"shop\", \"n\"]}]')"
#define ATTACH "ALTER TABLE app.parts ATTACH PARTITION app.parts_2 FOR VALUES IN (2)"
#define IS_FOREIGN                                                                                              \
    "app.parts_2 is a foreign table: its changes leave no mark, and triggers on what it belongs to would make " \
    "writes fail"
/* In every way that an application writes to a tree. */
#define WRITE_PARTS                                                                                            \
    "INSERT INTO app.parts VALUES (1, 10), (2, 20), (3, 30); INSERT INTO app.parts VALUES (2, 1);"             \
    "INSERT INTO app.parts_2 VALUES (2, 2); UPDATE app.parts SET n = n + 1; UPDATE app.parts_1 SET n = n + 1;" \
    "UPDATE app.parts SET shop = 2 WHERE shop = 3; DELETE FROM app.parts WHERE shop = 1"

START_TEST(a_tree_with_a_foreign_leaf_is_written_to_as_before)
{
    make_a_tree_with_a_foreign_leaf();
    cluster_execute(cluster, ATTACH);
    EXPECT_SQL(cluster, INSTALL_PARTS, IS_FOREIGN);
    keyed_tend(cluster);
    AFTER(WRITE_PARTS, "part_total", "full: " IS_FOREIGN);
    EXPECT_SQL(cluster, "SELECT string_agg(concat_ws(' ', shop, n), ', ' ORDER BY shop) FROM kept.part_total", "2 58");
    /* It goes, and comes back while there are triggers. */
    cluster_execute(cluster, "ALTER TABLE app.parts DETACH PARTITION app.parts_2");
    keyed_tend(cluster);
    LOOK("part_total", "full: the first time");
    AFTER("INSERT INTO app.parts VALUES (1, 1)", "part_total", "keyed 1: +1 ~0 -0");
    cluster_execute(cluster, ATTACH);
    LOOK("part_total", UNCAPTURED("app.parts"));
    keyed_tend(cluster);
    AFTER(WRITE_PARTS, "part_total", "full: " IS_FOREIGN);
    keyed_tend(cluster);
    cluster_execute(cluster, "ALTER TABLE app.parts DETACH PARTITION app.parts_2");
    keyed_tend(cluster);
    LOOK("part_total", "full: the first time");
    AFTER("INSERT INTO app.parts VALUES (1, 1)", "part_total", "keyed 1: +1 ~0 -0");
}
END_TEST

START_TEST(an_unlogged_source_is_not_keyed)
{
    cluster_execute(cluster, "ALTER TABLE app.events_2 SET UNLOGGED");
    EXPECT_SQL(cluster, "SELECT app.install_event_total()",
               "app.events_2 is UNLOGGED: a crash empties it without a trace");
    cluster_execute(cluster, "ALTER TABLE app.events_2 SET LOGGED");
    keyed_tend(cluster);
    LOOK("event_total", "full: the first time");
    AFTER("INSERT INTO app.events VALUES (1, 11, 1)", "event_total", "keyed 1: +1 ~0 -0");
    cluster_execute(cluster, "ALTER TABLE app.events_2 SET UNLOGGED");
    LOOK("event_total", SUSPECT("app.events"));
    keyed_tend(cluster);
    cluster_kill(cluster);
    cluster_start(cluster);
    LOOK("event_total", "full: app.events_2 is UNLOGGED: a crash empties it without a trace");
    EXPECT_SQL(cluster, "SELECT count(*) FROM kept.event_total", "0");
}
END_TEST

/* --- ways of writing ---------------------------------------------------------------------------------------------- */

/* A role that sees some rows only, and has no rights in schema chime, in a serializable transaction with deferred
 * constraints. */
START_TEST(a_writer_under_policies_and_in_any_isolation_writes_on)
{
    static const char *const levels[] = {"READ COMMITTED", "REPEATABLE READ", "SERIALIZABLE"};

    KEYED_INSTALL(cluster, "shop_total");
    cluster_execute(cluster,
                    "CREATE ROLE clerk; GRANT USAGE ON SCHEMA app TO clerk; GRANT ALL ON app.orders TO clerk;"
                    "ALTER TABLE app.orders ENABLE ROW LEVEL SECURITY;"
                    "CREATE POLICY own ON app.orders TO clerk USING (shop < 10) WITH CHECK (shop < 20);"
                    "ALTER TABLE app.orders ADD CONSTRAINT one UNIQUE (shop, kind) DEFERRABLE INITIALLY DEFERRED");
    for (size_t i = 0; i < sizeof(levels) / sizeof(*levels); i++) {
        cluster_execute_format(
            cluster,
            "BEGIN ISOLATION LEVEL %s; SET LOCAL ROLE clerk; SET LOCAL row_security = on;"
            "INSERT INTO app.orders (id, shop, kind, amount) VALUES (1, 1, 'a', 1), (2, 1, 'a', 2), (3, 2, 'a', 3);"
            "UPDATE app.orders SET kind = 'b' WHERE id = 2; UPDATE app.orders SET amount = amount + 1;"
            "MERGE INTO app.orders o USING (VALUES (1, 5), (4, 6)) v (id, shop) ON o.id = v.id"
            " WHEN MATCHED THEN UPDATE SET shop = v.shop"
            " WHEN NOT MATCHED THEN INSERT (id, shop, kind) VALUES (v.id, v.shop, 'c');"
            "INSERT INTO app.orders (id, shop, kind) VALUES (4, 7, 'd') ON CONFLICT (id) DO UPDATE SET shop = 7;"
            "INSERT INTO app.orders (id, shop, kind) VALUES (4, 7, 'd') ON CONFLICT DO NOTHING; COMMIT",
            levels[i]);
        LOOK("shop_total", "keyed 5: +4 ~0 -0");
        AFTER("DELETE FROM app.orders", "shop_total", "keyed 4: +0 ~0 -4");
    }
}
END_TEST

START_TEST(copy_and_cascades_leave_marks)
{
    PGconn *copier = cluster_connect(cluster, "postgres");

    KEYED_INSTALL(cluster, "shop_total");
    PQclear(PQexec(copier, "COPY app.orders (id, shop, amount) FROM STDIN"));
    ck_assert_int_eq(PQputCopyData(copier, "1\t1\t10\n2\t2\t20\n", 14), 1);
    ck_assert_int_eq(PQputCopyEnd(copier, NULL), 1);
    session_await(copier);
    LOOK("shop_total", "keyed 2: +2 ~0 -0");
    cluster_execute(
        cluster,
        "CREATE TABLE app.shops (shop integer PRIMARY KEY); INSERT INTO app.shops VALUES (1), (2);"
        "ALTER TABLE app.orders ADD FOREIGN KEY (shop) REFERENCES app.shops ON DELETE CASCADE ON UPDATE CASCADE");
    AFTER("UPDATE app.shops SET shop = 3 WHERE shop = 1", "shop_total", "keyed 2: +1 ~0 -1");
    AFTER("DELETE FROM app.shops WHERE shop = 2", "shop_total", "keyed 1: +0 ~0 -1");
    PQfinish(copier);
}
END_TEST

/* PostgreSQL keeps the rows that a statement changed in memory up to work_mem, then in files, which docs/views.md
 * tells. */
START_TEST(only_large_statements_count_against_a_writers_temp_file_limit)
{
    KEYED_INSTALL(cluster, "shop_total");
    cluster_execute(
        cluster, "SET temp_file_limit = 0; INSERT INTO app.orders (shop) SELECT n % 9 FROM generate_series(1, 5000) n");
    cluster_execute(cluster, "UPDATE app.orders SET amount = 1; DELETE FROM app.orders");
    LOOK("shop_total", "keyed 9: +0 ~0 -0");
    cluster_execute(cluster, "SET work_mem = '64kB'");
    ck_assert_str_eq(
        cluster_sqlstate(cluster, "INSERT INTO app.orders (shop) SELECT n FROM generate_series(1, 20000) n"), "53400");
}
END_TEST

static Suite *suite(void)
{
    Suite *all = suite_create("keyed writers");
    TCase *cases = tcase_create("keyed writers");

    tcase_add_checked_fixture(cases, keyed_stage_set, served_tear_down);
    tcase_set_timeout(cases, 120);
    tcase_add_test(cases, columns_may_have_any_name_but_ours);
    tcase_add_test(cases, names_of_ours_are_refused);
    tcase_add_test(cases, a_tree_with_a_foreign_leaf_is_written_to_as_before);
    tcase_add_test(cases, an_unlogged_source_is_not_keyed);
    tcase_add_test(cases, a_writer_under_policies_and_in_any_isolation_writes_on);
    tcase_add_test(cases, copy_and_cascades_leave_marks);
    tcase_add_test(cases, only_large_statements_count_against_a_writers_temp_file_limit);
    suite_add_tcase(all, cases);
    return all;
}

int main(void)
{
    return suite_run(suite());
}
