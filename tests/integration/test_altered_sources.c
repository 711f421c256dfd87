/* SPDX-License-Identifier: PostgreSQL */
/* Somebody alters the tables that views read: columns are renamed, dropped, added or get another type, a table is made
 * again, the last view goes. Views are kept by SQL; the ledger's owner is the role of `pgchime init --sql`, which owns
 * no table. No daemon: the tests do what the leader does every ten seconds. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ledger/migrate.h"
#include "support/cluster/cluster.h"
#include "support/cluster/init_role.h"
#include "support/cluster/session.h"
#include "support/ledger/runs.h"
#include "support/process/process.h"
#include "support/process/suite.h"

static struct cluster *cluster;
static PGconn *leader; /* as the role */

/* How a refresh went, and whether the view then equals its definition. */
static const char tables[] =
    "CREATE TABLE orders (id serial PRIMARY KEY, day date, price integer, note text); CREATE INDEX ON orders (day);"
    "INSERT INTO orders (day, price) SELECT date '2026-11-01' + i % 5, i FROM generate_series(1, 50) i;"
    "GRANT SELECT, TRIGGER ON orders TO pgchime;"
    "CREATE FUNCTION public.look(p_view text) RETURNS text LANGUAGE plpgsql AS $$ DECLARE r record; d record; BEGIN"
    " SELECT * INTO r FROM chime.refresh(p_view); SELECT * INTO d FROM chime.difference(p_view);"
    " RETURN coalesce(r.method || ' ' || r.keys, r.reason)"
    " || CASE WHEN d.missing + d.surplus > 0 THEN ' WRONG' ELSE '' END; END $$;"
    /* The measured costs of tables this small would make every other refresh do everything. */
    "CREATE FUNCTION public.groups_are_cheap() RETURNS trigger LANGUAGE plpgsql AS"
    " 'BEGIN NEW.full_us := 3600000000; RETURN NEW; END';"
    "CREATE TRIGGER groups_are_cheap BEFORE UPDATE ON chime.view_refresh FOR EACH ROW EXECUTE FUNCTION "
    "public.groups_are_cheap();";

static void set_up(void)
{
    char *schema = migrate_text(0);

    cluster = cluster_create(NULL);
    init_role_make(cluster, "pgchime", "postgres");
    leader = cluster_connect(cluster, "postgres");
    session_execute(leader, "SET ROLE pgchime");
    session_execute(leader, schema);
    cluster_execute(cluster, tables);
    free(schema);
}

static void tear_down(void)
{
    PQfinish(leader);
    cluster_destroy(cluster);
}

static void expect(const char *sql, const char *expected, int line)
{
    PGresult *result = PQexec(leader, sql);
    const char *told = PQresultStatus(result) == PGRES_TUPLES_OK ? PQgetvalue(result, 0, 0) : PQerrorMessage(leader);
    if (strcmp(told, expected) != 0)
        support_fail("line %d: %s\nis %s, expected %s", line, sql, told, expected);
    PQclear(result);
}

#define EXPECT(sql, expected) expect(sql, expected, __LINE__)
#define LOOK(view, expected) EXPECT("SELECT public.look('" view "')", expected)
/* What the leader does, once. */
#define TEND() EXPECT("CALL chime.tend_capture()", "")

#define DAILY(columns) "SELECT day, " columns " FROM orders GROUP BY day"
#define KEEP(name, columns) "SELECT chime.keep_view('" name "', $$" DAILY(columns) "$$)"
#define KEYED "5 rows; keyed by day"
#define NOT_CAPTURED "changes of public.orders are not captured"
#define SUSPECT "public.orders may have changed without a mark: its storage, partitions or triggers did"
#define CAPTURED "SELECT format('%s %s', captured, declared) FROM chime.source WHERE source_table = 'orders'"

static void keep(const char *name, const char *columns)
{
    char sql[300];
    snprintf(sql, sizeof(sql), KEEP("%s", "%s"), name, columns);
    EXPECT(sql, KEYED);
}

/* Made by hand or by an ORM's migration, in one statement, with writers beside it. */
START_TEST(a_view_follows_a_column_that_is_renamed)
{
    keep("totals", "sum(price) AS total");
    keep("counts", "count(*) AS n");
    TEND();
    LOOK("totals", SUSPECT);
    LOOK("counts", SUSPECT);
    cluster_execute(cluster, "UPDATE orders SET price = -1 WHERE id = 1");
    LOOK("totals", "keyed 1");
    cluster_execute(cluster, "ALTER TABLE orders RENAME price TO amount; UPDATE orders SET amount = -2 WHERE id = 2");
    LOOK("totals", NOT_CAPTURED);
    cluster_execute(cluster, "UPDATE orders SET amount = -3 WHERE id = 3");
    TEND();
    EXPECT(CAPTURED, "{day} {amount,day}");
    LOOK("totals", SUSPECT); /* with what was written meanwhile */
    LOOK("counts", SUSPECT);
    cluster_execute(cluster, "UPDATE orders SET amount = -4 WHERE id = 4");
    LOOK("totals", "keyed 1");
    LOOK("counts", "keyed 1");
    /* Back, and on. */
    cluster_execute(cluster, "ALTER TABLE orders RENAME amount TO price; UPDATE orders SET price = -5 WHERE id = 5");
    TEND();
    LOOK("totals", SUSPECT);
    cluster_execute(cluster, "UPDATE orders SET price = -6 WHERE id = 6");
    LOOK("totals", "keyed 1");
    cluster_execute(cluster, "ALTER TABLE orders RENAME price TO a; ALTER TABLE orders RENAME a TO price;"
                             "ALTER TABLE orders RENAME day TO placed_on; UPDATE orders SET price = -7 WHERE id = 7");
    TEND();
    EXPECT(CAPTURED, "{placed_on} {placed_on,price}");
    EXPECT(
        "SELECT string_agg(attname, ' ' ORDER BY attnum) FROM pg_attribute WHERE attrelid = 'chime.change_1'::regclass"
        " AND attnum > 0 AND NOT attisdropped",
        "chime_xid chime_whole chime_gone placed_on");
    LOOK("totals", SUSPECT);
    LOOK("counts", SUSPECT);
    cluster_execute(cluster, "UPDATE orders SET price = -8 WHERE id = 8; DELETE FROM orders WHERE id = 9;"
                             "INSERT INTO orders (placed_on, price) VALUES ('2026-12-01', 1)");
    LOOK("totals", "keyed 3");
    LOOK("counts", "keyed 3");
    EXPECT("SELECT count(*) FROM chime.view WHERE full_reason IS NOT NULL", "0");
    EXPECT("SELECT chime.drop_view('counts')", "t");
    ck_assert_str_eq(cluster_sqlstate(cluster, KEEP("counts", "count(*) AS n")),
                     "42703"); /* by the name that it has now */
}
END_TEST

/* ALTER TYPE is refused while RELATION__live reads the column, and so is DROP COLUMN. */
START_TEST(a_view_follows_columns_that_are_added_dropped_and_of_other_types)
{
    keep("totals", "sum(price) AS total");
    keep("counts", "count(note) AS n");
    TEND();
    LOOK("totals", SUSPECT);
    LOOK("counts", SUSPECT);
    ck_assert_str_eq(cluster_sqlstate(cluster, "ALTER TABLE orders ALTER price TYPE numeric"), "0A000");
    ck_assert_str_eq(cluster_sqlstate(cluster, "ALTER TABLE orders DROP note"), "2BP01");
    /* The view lets go of it first. */
    EXPECT("SELECT chime.alter_view('counts', $$" DAILY("count(*) AS n") "$$)", KEYED);
    cluster_execute(cluster, "ALTER TABLE orders DROP note");
    TEND();
    EXPECT(CAPTURED, "{day} {day,price}");
    LOOK("totals", SUSPECT);
    LOOK("counts", SUSPECT);
    /* One that was not there. */
    cluster_execute(cluster, "ALTER TABLE orders ADD shipped boolean NOT NULL DEFAULT false");
    EXPECT("SELECT chime.alter_view('counts', $$" DAILY("count(*) FILTER (WHERE shipped) AS n") "$$)", KEYED);
    TEND();
    LOOK("totals", SUSPECT);
    LOOK("counts", SUSPECT);
    cluster_execute(cluster,
                    "UPDATE orders SET shipped = true WHERE id = 1; UPDATE orders SET price = -1 WHERE id = 2");
    LOOK("totals", "keyed 2");
    LOOK("counts", "keyed 2");
    /* Another type, of what is summed and of what the view is keyed by: in one transaction. */
    EXPECT("SELECT chime.drop_view('totals')", "t");
    cluster_execute(
        cluster, "BEGIN; SELECT chime.drop_view('counts');"
                 "ALTER TABLE orders ALTER price TYPE numeric, ALTER day TYPE timestamptz USING day::timestamptz;" KEEP(
                     "counts", "count(*) AS n") "; COMMIT");
    keep("totals", "sum(price) AS total");
    cluster_execute(cluster, "UPDATE orders SET price = -2.5 WHERE id = 3");
    LOOK("totals", NOT_CAPTURED);
    TEND();
    LOOK("totals", SUSPECT);
    LOOK("counts", SUSPECT);
    cluster_execute(cluster, "UPDATE orders SET price = -3.5 WHERE id = 4; DELETE FROM orders WHERE id = 5");
    LOOK("totals", "keyed 2");
    LOOK("counts", "keyed 2");
}
END_TEST

START_TEST(a_view_follows_a_table_that_is_made_again_or_has_another_name)
{
    keep("totals", "sum(price) AS total");
    TEND();
    LOOK("totals", SUSPECT);
    cluster_execute(cluster, "ALTER TABLE orders RENAME TO sales; UPDATE sales SET price = -1 WHERE id = 1");
    TEND();
    EXPECT("SELECT string_agg(source_table, ' ') FROM chime.view_source JOIN chime.source USING (source_id)", "sales");
    LOOK("totals", "changes of a source were not captured for a while");
    cluster_execute(cluster, "UPDATE sales SET price = -2 WHERE id = 2");
    LOOK("totals", "keyed 1");
    cluster_execute(cluster, "ALTER TABLE sales RENAME TO orders");
    TEND();
    LOOK("totals", "changes of a source were not captured for a while");
    cluster_execute(cluster, "UPDATE orders SET price = -3 WHERE id = 3");
    LOOK("totals", "keyed 1");
    /* With the same columns, in another order: a dump that was restored, a partitioned table in its place. */
    cluster_execute(cluster,
                    "BEGIN; SELECT chime.drop_view('totals'); ALTER TABLE orders RENAME TO orders_old;"
                    "CREATE TABLE orders (price integer, day date, id integer) PARTITION BY RANGE (day);"
                    "CREATE TABLE orders_2026 PARTITION OF orders FOR VALUES FROM ('2026-01-01') TO ('2027-01-01');"
                    "INSERT INTO orders (id, day, price) SELECT id, day, price FROM orders_old;"
                    "CREATE INDEX ON orders (day); GRANT SELECT, TRIGGER ON orders, orders_2026 TO pgchime;" KEEP(
                        "totals", "sum(price) AS total") "; COMMIT");
    TEND();
    LOOK("totals", SUSPECT);
    cluster_execute(cluster, "UPDATE orders SET price = -4 WHERE id = 4");
    LOOK("totals", "keyed 1");
    cluster_execute(
        cluster,
        "CREATE TABLE orders_2027 (day date, id integer, price integer);"
        "GRANT SELECT, TRIGGER ON orders_2027 TO pgchime; INSERT INTO orders_2027 VALUES ('2027-02-01', 60, 7);"
        "ALTER TABLE orders ATTACH PARTITION orders_2027 FOR VALUES FROM ('2027-01-01') TO ('2028-01-01')");
    LOOK("totals", NOT_CAPTURED);
    cluster_execute(cluster, "ALTER TABLE orders RENAME price TO amount; UPDATE orders_2027 SET amount = 8");
    TEND();
    LOOK("totals", SUSPECT);
    cluster_execute(cluster, "UPDATE orders_2027 SET amount = 9; UPDATE orders SET amount = -5 WHERE id = 5");
    LOOK("totals", "keyed 2");
}
END_TEST

#define TRIGGERS "SELECT count(*) FROM pg_trigger WHERE tgname ~ 'chime_capture'"
#define OURS                                                                                                       \
    "SELECT (SELECT count(*) FROM chime.source) + (SELECT count(*) FROM pg_class WHERE relname ~ '^change_[0-9]')" \
    " + (SELECT count(*) FROM pg_proc WHERE proname ~ '^(capture|room_until)_[0-9]')"

/* Only the owner of a table drops triggers: those of others' tables stay, and leave no marks. */
START_TEST(a_source_goes_with_the_last_view_that_reads_it)
{
    keep("totals", "sum(price) AS total");
    keep("counts", "count(*) AS n");
    TEND();
    EXPECT("SELECT chime.drop_view('totals')", "t");
    TEND();
    LOOK("counts", SUSPECT);
    cluster_execute(cluster, "DELETE FROM orders WHERE id = 1");
    LOOK("counts", "keyed 1");
    EXPECT("SELECT chime.drop_view('counts')", "t");
    TEND();
    EXPECT(TRIGGERS, "4");
    EXPECT("SELECT count(*) FROM chime.source", "1");
    cluster_execute(cluster, "DELETE FROM orders WHERE id = 2");
    EXPECT("SELECT count(*) FROM chime.change_1", "0");
    /* The same triggers mark again for a view that is made anew. */
    keep("counts", "count(*) AS n");
    LOOK("counts", NOT_CAPTURED);
    TEND();
    cluster_execute(cluster, "DELETE FROM orders WHERE id = 3");
    LOOK("counts", SUSPECT);
    cluster_execute(cluster, "DELETE FROM orders WHERE id = 4");
    LOOK("counts", "keyed 1");
    EXPECT("SELECT chime.drop_view('counts')", "t");
    cluster_execute(cluster, "ALTER TABLE orders OWNER TO pgchime");
    TEND();
    EXPECT(TRIGGERS, "0");
    EXPECT(OURS, "0");
    keep("counts", "count(*) AS n");
    TEND();
    cluster_execute(cluster, "DELETE FROM orders WHERE id = 5");
    LOOK("counts", SUSPECT);
    cluster_execute(cluster, "DELETE FROM orders WHERE id = 6");
    LOOK("counts", "keyed 1");
    /* Nobody's table any more. */
    cluster_execute(cluster, "SELECT chime.drop_view('counts'); DROP TABLE orders");
    TEND();
    EXPECT(OURS, "0");
}
END_TEST

static Suite *suite(void)
{
    Suite *all = suite_create("altered sources");
    TCase *cases = tcase_create("altered sources");

    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_set_timeout(cases, 180);
    tcase_add_test(cases, a_view_follows_a_column_that_is_renamed);
    tcase_add_test(cases, a_view_follows_columns_that_are_added_dropped_and_of_other_types);
    tcase_add_test(cases, a_view_follows_a_table_that_is_made_again_or_has_another_name);
    tcase_add_test(cases, a_source_goes_with_the_last_view_that_reads_it);
    suite_add_tcase(all, cases);
    return all;
}

int main(void)
{
    return suite_run(suite());
}
