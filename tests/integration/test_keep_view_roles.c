/* SPDX-License-Identifier: PostgreSQL */
/* Views that roles keep (docs/adr/0041-views-of-roles.md): by a role that has SELECT and TRIGGER on a table of somebody
 * else, and a schema for its relations. The daemon serves as the role of `pgchime init --sql`. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/ledger/runs.h"
#include "support/process/suite.h"
#include "support/process/wait.h"
#include "support/views/role_views.h"

START_TEST(a_role_keeps_a_view_of_what_it_may_read)
{
    EXPECT_TOLD(app, KEEP, "20 rows; keyed by day");
    EXPECT_TOLD(app, "SELECT total FROM reports.daily_orders WHERE day = '2026-11-02'", "910");
    role_views_await_keyed();
    cluster_execute(cluster, "SET ROLE shop; INSERT INTO orders (day, amount) VALUES ('2026-12-24', 5); RESET ROLE");
    FRESH(app);
    EXPECT_TOLD(app, "SELECT total FROM reports.daily_orders WHERE day = '2026-12-24'", "5");
    EXPECT_SQL(cluster, "SELECT method || ' ' || keys || ' ' || inserted FROM chime.role_view_refresh WHERE keys > 0",
               "keyed 1 1");
    cluster_execute(cluster, "UPDATE orders SET day = '2026-12-25' WHERE day = '2026-12-24';"
                             "DELETE FROM orders WHERE day = '2026-11-05'");
    FRESH(app);
    EXPECT_SQL(cluster, SAME, "0");
    cluster_execute(cluster, "TRUNCATE orders");
    FRESH(app);
    EXPECT_SQL(cluster, SAME, "0");
    EXPECT_SQL(cluster, "SELECT count(*) FROM reports.daily_orders", "0");
    /* Whose it all is, and what is listed. */
    EXPECT_SQL(cluster,
               "SELECT string_agg(DISTINCT pg_get_userbyid(relowner), ' ') FROM pg_class WHERE relname ~ "
               "'^daily_orders'",
               "app");
    EXPECT_SQL(cluster, "SELECT has_table_privilege('pgchime', 'reports.daily_orders', 'SELECT')", "f");
    EXPECT_SQL(cluster,
               "SELECT relation || ' ' || plugin || ' ' || target_lag || ' ' || freshness FROM chime.view_status",
               "daily_orders reports.daily_orders 00:00:01 fresh");
    EXPECT_SQL(cluster, "SELECT name || ' ' || schedule || ' ' || coalesce(problem, 'well') FROM chime.job",
               "app/daily_orders 1 second well");
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.view", "0");
    EXPECT_SQL(cluster,
               "SELECT count(*) FROM chime.run_history h JOIN chime.job j USING (job_id) WHERE h.state = 'failed'",
               "0");
}
END_TEST

/* What is written past the marks is noticed. */
START_TEST(what_leaves_no_mark_is_noticed)
{
    EXPECT_TOLD(app, KEEP, "20 rows; keyed by day");
    role_views_await_keyed();
    cluster_execute(cluster, "ALTER TABLE orders DISABLE TRIGGER USER; DELETE FROM orders WHERE day = '2026-11-03';"
                             "ALTER TABLE orders ENABLE TRIGGER USER");
    FRESH(app);
    EXPECT_SQL(cluster, SAME, "0");
    role_views_await_keyed();
    cluster_execute(cluster, "ALTER TABLE orders RENAME COLUMN day TO on_day; UPDATE orders SET on_day = '2027-01-01'"
                             " WHERE id = 1");
    FRESH(app);
    EXPECT_SQL(cluster, SAME, "0");
    cluster_execute(cluster, "UPDATE orders SET on_day = '2027-01-02' WHERE id = 2");
    FRESH(app);
    EXPECT_SQL(cluster, SAME, "0");
    role_views_await_keyed();
    cluster_execute(cluster, "REVOKE USAGE ON SCHEMA reports FROM app; UPDATE orders SET amount = 0 WHERE id = 3;"
                             "GRANT USAGE ON SCHEMA reports TO app");
    FRESH(app);
    EXPECT_SQL(cluster, SAME, "0");
    cluster_execute(cluster, "CREATE TABLE more () INHERITS (orders); INSERT INTO more (on_day, amount) VALUES ("
                             "'2027-02-01', 7)");
    FRESH(app);
    EXPECT_SQL(cluster, SAME, "0");
    WAIT_SQL(cluster, "SELECT full_reason FROM chime.role_view",
             "public.orders has partitions or children, or is one of another table", 60);
}
END_TEST

/* Of rows that are written without triggers nothing tells: so it is compared once a day. */
START_TEST(what_nothing_tells_of_is_put_right_within_a_day)
{
    EXPECT_TOLD(app, KEEP, "20 rows; keyed by day");
    role_views_await_keyed();
    cluster_execute(cluster, "SET session_replication_role = replica; UPDATE orders SET amount = 77 WHERE id = 1;"
                             "RESET session_replication_role");
    FRESH(app);
    EXPECT_SQL(cluster, SAME, "2");
    cluster_execute(cluster, "UPDATE chime.role_view_refresh SET compared_at = compared_at - interval '24 h'");
    WAIT_SQL(cluster, "SELECT reason FROM chime.role_view_refresh WHERE method = 'full'",
             "it is compared with its definition once a day", 60);
    EXPECT_SQL(cluster, SAME, "0");
    role_views_await_keyed();
    EXPECT_SQL(cluster, "SELECT compared_at > now() - interval '5 min' FROM chime.role_view_refresh", "t");
}
END_TEST

START_TEST(what_it_may_not_read_any_more_fails_with_the_reason)
{
    EXPECT_TOLD(app, KEEP, "20 rows; keyed by day");
    role_views_await_keyed();
    cluster_execute(cluster, "REVOKE SELECT ON orders FROM app");
    WAIT_SQL(
        cluster,
        "SELECT split_part(message, E'\\n', 1) FROM chime.job_runs WHERE state = 'failed' ORDER BY slot DESC LIMIT 1",
        "permission denied for table orders", 60);
    EXPECT_TOLD(app, "SELECT reason LIKE '%its job fails' FROM chime.wait_fresh('daily_orders', '0s')", "t");
    EXPECT_TOLD(
        other, KEEPS("o", "SELECT day, count(*) AS n FROM orders GROUP BY day", ""),
        "20 rows; refreshed as a whole: this role has no privilege TRIGGER on public.orders, which would let it run"
        " code as whoever writes there");
    cluster_execute(cluster,
                    "GRANT SELECT ON orders TO app; INSERT INTO orders (day, amount) VALUES ('2026-12-24', 5)");
    FRESH(app);
    EXPECT_SQL(cluster, SAME, "0");
    cluster_execute(cluster, "REVOKE SELECT ON orders FROM other");
    EXPECT_TOLD(other, KEEPS("p", "SELECT day FROM orders GROUP BY day", ""), "permission denied for table orders");
    EXPECT_SQL(cluster, "SELECT count(*) FROM pg_class WHERE relname ~ '^p(__live)?$'", "0");
}
END_TEST

START_TEST(nobody_else_sees_or_changes_it)
{
    EXPECT_TOLD(app, KEEP, "20 rows; keyed by day");
    static const char *const calls[] = {"alter_view('daily_orders', $$SELECT 1 AS day$$)", "drop_view('daily_orders')",
                                        "refresh_view('daily_orders')", "refresh_if_due('reports.daily_orders')"};
    for (size_t i = 0; i < sizeof(calls) / sizeof(calls[0]); i++) {
        char sql[200];
        char expected[300];
        snprintf(sql, sizeof(sql), "SELECT chime.%s", calls[i]);
        snprintf(expected, sizeof(expected),
                 "role other keeps no view \"%s\"; SELECT * FROM chime.kept_views shows your own; only the role that "
                 "keeps a view may do that",
                 i == 3 ? "reports.daily_orders" : "daily_orders");
        EXPECT_TOLD(other, sql, expected);
    }
    EXPECT_TOLD(other, "SELECT count(*) FROM chime.kept_views", "0");
    EXPECT_TOLD(app, "SELECT definition FROM chime.kept_views", DAILY);
    EXPECT_TOLD(other, "SELECT definition FROM chime.role_view", "permission denied for table role_view");
    EXPECT_TOLD(
        other,
        "INSERT INTO chime.job_call (verb, arguments) VALUES ('role_view_look', '{\"name\": \"daily_orders\"}') "
        "RETURNING answer",
        "role other keeps no view \"daily_orders\"; SELECT * FROM chime.kept_views shows your own; only the role "
        "that keeps a view may do that");
    EXPECT_TOLD(other, KEEP,
                "there is a view reports.daily_orders already; chime.alter_view changes one that you keep; else give "
                "yours another name");
    EXPECT_TOLD(app, "SELECT chime.unschedule('daily_orders')",
                "job \"app/daily_orders\" refreshes view reports.daily_orders; chime.alter_view changes when, and "
                "chime.drop_view takes both away");
    /* Nor is it run for those who may do anything: it would run with their rights. */
    ck_assert_str_eq(cluster_sqlstate(cluster, "SELECT chime.refresh_view('reports.daily_orders')"), "42P01");
    ck_assert_str_eq(cluster_sqlstate(cluster, "SELECT chime.refresh_if_due('reports.daily_orders')"), "42P01");
    ck_assert_str_eq(
        cluster_sqlstate(cluster, "SELECT chime.keep_view('daily_orders', 'SELECT 1 AS a', view_schema => 'reports')"),
        "42P07");
    EXPECT_SQL(cluster, "SELECT count(*) FROM spy.seen", "0");
}
END_TEST

/* Everything that a role can put where its view finds it, at each step of its life: by itself, and by its job. */
static const char hostile[] =
    "CREATE FUNCTION reports.spy(p int, w text) RETURNS int LANGUAGE plpgsql IMMUTABLE AS"
    " $$ BEGIN PERFORM spy.note(w); RETURN p; END $$;"
    "CREATE DOMAIN reports.dom AS int CHECK (reports.spy(VALUE, 'domain') IS NOT NULL);"
    "CREATE TABLE reports.t (k int, v int, CHECK (reports.spy(k, 'check') IS NOT NULL));"
    "CREATE INDEX ON reports.t (k); CREATE INDEX ON reports.t ((reports.spy(v, 'index')));"
    "CREATE STATISTICS reports.st ON (reports.spy(v, 'statistics')), k FROM reports.t;"
    "INSERT INTO reports.t SELECT i % 5, i FROM generate_series(1, 50) i; ANALYZE reports.t;"
    "SELECT chime.keep_view('f', $$SELECT k, reports.spy(5, 'fold') + sum(reports.spy(v, 'call'))::int AS s FROM"
    " reports.t GROUP BY k$$, view_schema => 'reports');"
    "SELECT chime.keep_view('d', $$SELECT k::reports.dom AS k, count(*) AS n FROM reports.t GROUP BY k::reports.dom$$,"
    " view_schema => 'reports', key => '{k}');"
    "SELECT chime.keep_view('k', $$SELECT k, count(*) AS n FROM reports.t GROUP BY k$$, view_schema => 'reports');"
    "CREATE FUNCTION reports.trig() RETURNS trigger LANGUAGE plpgsql AS"
    " $$ BEGIN PERFORM spy.note('trigger'); RETURN NEW; END $$;"
    "CREATE TRIGGER t BEFORE INSERT OR UPDATE ON reports.k FOR EACH ROW EXECUTE FUNCTION reports.trig();"
    "ALTER TABLE reports.k ADD CHECK (reports.spy(k, 'check of the kept') IS NOT NULL);"
    "ALTER TABLE reports.k ENABLE ROW LEVEL SECURITY; ALTER TABLE reports.k FORCE ROW LEVEL SECURITY;"
    "CREATE POLICY p ON reports.k USING (reports.spy(k, 'policy') IS NOT NULL);"
    "INSERT INTO reports.t VALUES (7, 7), (1, 3)";

START_TEST(whatever_it_finds_runs_as_its_role)
{
    session_execute(app, hostile);
    WAIT_SQL(cluster, "SELECT count(*) FROM chime.role_view_refresh WHERE fingerprint IS NOT NULL", "2", 60);
    session_execute(app, "INSERT INTO reports.t VALUES (8, 8)");
    EXPECT_TOLD(app, "SELECT fresh FROM chime.wait_fresh('reports.k', '60s')", "t");
    EXPECT_TOLD(app, "SELECT n FROM reports.k WHERE k = 8", "1");
    cluster_execute(cluster, "SELECT count(*) FROM chime.view_status");
    EXPECT_SQL(cluster, "SELECT string_agg(DISTINCT what, ', ' ORDER BY what) FROM spy.seen",
               "call, check, check of the kept, domain, fold, index, policy, statistics, trigger");
    EXPECT_SQL(cluster, "SELECT string_agg(DISTINCT who, ' ') FROM spy.seen", "app");
    /* A relation that takes a kept one's place is not read. */
    session_execute(app, "DROP VIEW reports.k__live; CREATE TABLE reports.k__live (k int, n bigint)");
    WAIT_SQL(
        cluster,
        "SELECT split_part(message, E'\\n', 1) FROM chime.job_runs WHERE state = 'failed' AND job_name = 'k' LIMIT 1",
        "role app has no view reports.k__live any more", 60);
}
END_TEST

/* Nor does the owner of a source, or another user of the schema, run code as the role that keeps a view. */
START_TEST(nobody_runs_code_as_the_role_by_its_view)
{
    EXPECT_TOLD(app, KEEP, "20 rows; keyed by day");
    role_views_await_keyed();
    cluster_execute(
        cluster, "CREATE SCHEMA theirs AUTHORIZATION shop; GRANT USAGE ON SCHEMA theirs TO app; SET ROLE shop;"
                 "CREATE TYPE theirs.fake AS (d date); CREATE FUNCTION theirs.cast(theirs.fake) RETURNS date LANGUAGE"
                 " plpgsql AS $$ BEGIN PERFORM spy.note('cast'); RETURN ($1).d; END $$;"
                 "CREATE CAST (theirs.fake AS date) WITH FUNCTION theirs.cast(theirs.fake) AS IMPLICIT;"
                 "ALTER TABLE orders DROP COLUMN day CASCADE; ALTER TABLE orders ADD COLUMN day theirs.fake;"
                 "INSERT INTO orders (day) VALUES (ROW('2027-01-01')::theirs.fake); UPDATE orders SET amount = 3;"
                 "DELETE FROM orders WHERE id = 9; RESET ROLE");
    EXPECT_TOLD(app, "SELECT bool_and(chime_whole) FROM reports.daily_orders__m1", "t");
    EXPECT_TOLD(app, "SELECT chime.drop_view('daily_orders')", "t");
    EXPECT_SQL(cluster, "SELECT bool_and(tgqual IS NOT NULL) FROM pg_trigger WHERE tgname LIKE 'chime_kept%'", "t");
    session_execute(other, "CREATE FUNCTION reports.date_trunc(text, date) RETURNS timestamp LANGUAGE plpgsql AS"
                           " $$ BEGIN PERFORM spy.note('date_trunc'); RETURN $2; END $$;"
                           "CREATE TABLE reports.orders (day date); CREATE TABLE reports.x (a int)");
    session_execute(app, "CREATE TABLE reports.mine (day date)");
    EXPECT_TOLD(
        app, KEEPS("x", "SELECT date_trunc('month', day) AS month FROM reports.mine GROUP BY 1", ""),
        "the definition found reports.date_trunc(text,date) of role other, which hides one of PostgreSQL's; write"
        " pg_catalog. before the name, or keep the view in a schema in which nobody else may create");
    EXPECT_TOLD(app, KEEPS("x", "SELECT id FROM orders GROUP BY 1", ""), "relation \"x\" already exists");
    EXPECT_TOLD(app, KEEPS("y", "SELECT id FROM orders GROUP BY 1", ""), "200 rows; keyed by id");
    EXPECT_SQL(cluster, "SELECT count(*) FROM spy.seen", "0");
}
END_TEST

#define DOOR(verb, arguments)                                                                \
    "INSERT INTO chime.job_call (verb, arguments) VALUES ('role_view_" verb "', '" arguments \
    "') RETURNING answer ->> 'words'"

/* Whoever may make jobs may say anything to the ledger: none of it is run, and all others' views are listed on. */
START_TEST(what_is_told_to_the_ledger_is_text)
{
    cluster_execute(cluster, "CREATE SCHEMA \"no\"\"such\" AUTHORIZATION app");
    EXPECT_TOLD(app,
                DOOR("begin",
                     "{\"name\": \"x\", \"definition\": \"; DROP TABLE orders\", \"view_schema\": \"no\\\"such\","
                     " \"source_schema\": \"a\\\"; DROP TABLE orders; --\"}"),
                "NULL");
    session_execute(app, "DROP SCHEMA \"no\"\"such\"");
    /* Nor does it take a name where it could not make the relation. */
    EXPECT_TOLD(app,
                DOOR("begin", "{\"name\": \"x\", \"definition\": \"SELECT 1 AS a\", \"view_schema\": \"spy\","
                              " \"source_schema\": \"public\"}"),
                "permission denied for schema spy; a view is made and refreshed with the rights of role app: it needs"
                " SELECT on what it reads, and USAGE and CREATE on schema spy, or another view_schema");
    EXPECT_TOLD(app, "SELECT chime.keep_view('h', 'SELECT 1 AS a', view_schema => 'gone')",
                "schema \"gone\" does not exist; a view is made and refreshed with the rights of role app: it needs"
                " SELECT on what it reads, and USAGE and CREATE on schema gone, or another view_schema");
    EXPECT_TOLD(app,
                DOOR("proof",
                     "{\"name\": \"x\", \"key\": [\"a\"], \"grain\": [\"b\\\"; SELECT spy.note()\"], \"sources\":"
                     " [{\"schema\": \"chime\", \"table\": \"leader\", \"captured\": [\"token\"], \"map\":"
                     " \"SELECT spy.note()\"}]}"),
                "NULL");
    EXPECT_TOLD(app, DOOR("refresh", "{\"name\": \"x\", \"method\": \"keyed\", \"rows\": 9223372036854775807}"),
                "what this refresh is said to have done cannot be");
    EXPECT_TOLD(
        app,
        DOOR("begin", "{\"name\": \"y\", \"definition\": \"x\", \"view_schema\": \"chime\", \"source_schema\": \"a\"}"),
        "views are not kept in schema chime; name one as view_schema in which you may make relations");
    EXPECT_TOLD(
        app, DOOR("end", "{\"name\": \"z\"}"),
        "role app keeps no view \"z\"; SELECT * FROM chime.kept_views shows your own; only the role that keeps a view"
        " may do that");
    EXPECT_TOLD(other, KEEPS("o", "SELECT day, count(*) AS n FROM orders GROUP BY day", ", mode => 'full'"),
                "20 rows; refreshed as a whole: its mode is full");
    EXPECT_SQL(cluster,
               "SELECT string_agg(relation || ' ' || freshness, ', ' ORDER BY relation) FROM chime.view_status",
               "o fresh, x unknown");
    WAIT_SQL(
        cluster,
        "SELECT split_part(message, E'\\n', 1) FROM chime.job_runs WHERE state = 'failed' AND job_name = 'x' LIMIT 1",
        "role app has no table \"no\"\"such\".x, view \"no\"\"such\".x__live any more", 60);
    EXPECT_TOLD(
        app, KEEPS("h", "SELECT 1 AS a; RESET ROLE", ""),
        "a definition is one SELECT, and this one has several statements; leave out what stands after the first \";\","
        " or keep a view for each");
    EXPECT_TOLD(app,
                "SELECT chime.keep_view('h', 'SELECT 1 AS a --' || repeat('x', 10000000), view_schema => 'reports')",
                "the definition has 10000016 bytes, more than 1048576; make a view or a function of parts of it");
    EXPECT_TOLD(app, KEEPS("h", "SELECT only_row FROM chime.leader", ", key => '{only_row}'"),
                "permission denied for table leader");
    EXPECT_SQL(cluster, "SELECT count(*) FROM orders", "200");
    EXPECT_SQL(cluster, "SELECT count(*) FROM spy.seen", "0");
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.role_view", "2");
}
END_TEST

START_TEST(a_view_is_altered_and_dropped)
{
    EXPECT_TOLD(app, KEEP, "20 rows; keyed by day");
    session_execute(app, "GRANT SELECT ON reports.daily_orders TO other");
    EXPECT_TOLD(app,
                "SELECT chime.alter_view('daily_orders', $$SELECT day, max(amount) AS most FROM orders GROUP BY day$$)",
                "20 rows; keyed by day");
    EXPECT_TOLD(other, "SELECT most FROM reports.daily_orders WHERE day = '2026-11-01'", "200");
    EXPECT_TOLD(app, "SELECT chime.alter_view('daily_orders', target_lag => '5min')", "20 rows; keyed by day");
    EXPECT_TOLD(app, "SELECT schedule FROM chime.jobs", "@every 5m");
    EXPECT_TOLD(app, "SELECT chime.alter_view('daily_orders', target_lag => '1s', mode => 'full')",
                "20 rows; refreshed as a whole: its mode is full");
    EXPECT_TOLD(app, "SELECT chime.refresh_view('daily_orders')",
                "reports.daily_orders: full (its mode is full), 20 rows, 0 inserted, 0 updated, 0 deleted");
    session_execute(app, "CREATE VIEW reports.above AS SELECT * FROM reports.daily_orders");
    EXPECT_TOLD(
        app, "SELECT chime.drop_view('daily_orders')",
        "cannot drop table reports.daily_orders because other objects depend on it; Use DROP ... CASCADE to drop the"
        " dependent objects too.");
    session_execute(app, "DROP VIEW reports.above");
    EXPECT_TOLD(app, "SELECT chime.drop_view('daily_orders')", "t");
    EXPECT_SQL(cluster, "SELECT count(*) FROM pg_class WHERE relname LIKE 'daily_orders%'", "0");
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.job WHERE active", "0");
    cluster_execute(cluster, "INSERT INTO orders (day, amount) VALUES ('2026-12-24', 5)");
    EXPECT_TOLD(app, KEEP, "21 rows; keyed by day");
}
END_TEST

START_TEST(a_renamed_role_keeps_its_view_and_one_of_a_dropped_ones_name_does_not)
{
    EXPECT_TOLD(app, KEEP, "20 rows; keyed by day");
    cluster_execute(cluster, "ALTER ROLE app RENAME TO application");
    EXPECT_TOLD(app, "SELECT chime.refresh_view('daily_orders') LIKE 'reports.daily_orders: %, 20 rows,%'", "t");
    EXPECT_SQL(cluster, "SELECT j.owner || ' ' || v.owner FROM chime.job j JOIN chime.role_view v USING (job_id)",
               "application application");
    cluster_execute(cluster, "CREATE ROLE app LOGIN; GRANT pgchime_jobs TO app");
    PGconn *new = role_views_connect("app");
    EXPECT_TOLD(
        new, "SELECT chime.drop_view('daily_orders')",
        "role app keeps no view \"daily_orders\"; SELECT * FROM chime.kept_views shows your own; only the role that"
        " keeps a view may do that");
    PQfinish(app);
    app = new;
    cluster_execute(cluster,
                    "DROP OWNED BY application CASCADE; DROP ROLE application;"
                    "ALTER ROLE app RENAME TO app2; ALTER ROLE app2 RENAME TO application;"
                    "GRANT USAGE, CREATE ON SCHEMA reports TO application; GRANT SELECT ON orders TO application");
    EXPECT_TOLD(app, "SELECT count(*) FROM chime.kept_views", "0");
    EXPECT_TOLD(
        app, "SELECT chime.drop_view('daily_orders')",
        "role application keeps no view \"daily_orders\"; SELECT * FROM chime.kept_views shows your own; only the role"
        " that keeps a view may do that");
    EXPECT_TOLD(app, KEEPS("daily_orders", "SELECT day, count(*) AS n FROM orders GROUP BY day", ", mode => 'full'"),
                "20 rows; refreshed as a whole: its mode is full"); /* the name is free again */
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.role_view", "1");
}
END_TEST

/* What only views of administrators have is refused with the way out. */
START_TEST(what_it_does_not_offer_is_refused)
{
    static const char words[] = "frozen, revisit, 'downstream' and 'none' are not for a view that a role keeps; name a"
                                " target_lag or a schedule; views of administrators have the others";
    EXPECT_TOLD(app, KEEPS("h", DAILY, ", target_lag => 'downstream'"), words);
    EXPECT_TOLD(app, KEEPS("h", DAILY, ", target_lag => 'none'"), words);
    EXPECT_TOLD(app, KEEPS("h", DAILY, ", schedule => 'none'"), words);
    EXPECT_TOLD(app, KEEPS("h", DAILY, ", frozen => 'day < now()'"), words);
    EXPECT_TOLD(app, KEEPS("h", DAILY, ", revisit => '1 day'"), words);
    EXPECT_TOLD(app, KEEPS("h", DAILY, ", mode => 'matview'"),
                "mode cannot be 'matview'; it is one of 'auto', 'keyed', 'strict', 'full'");
    EXPECT_TOLD(app, KEEP, "20 rows; keyed by day");
    EXPECT_TOLD(app, "SELECT chime.alter_view('daily_orders', revisit => '1 day')", words);
    EXPECT_TOLD(app, "SELECT chime.alter_view('daily_orders', mode => 'matview')",
                "mode cannot be 'matview'; it is one of 'auto', 'keyed', 'strict', 'full'");
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.role_view", "1");
}
END_TEST

START_TEST(a_source_becomes_a_partition)
{
    EXPECT_TOLD(app, KEEP, "20 rows; keyed by day");
    role_views_await_keyed();
    cluster_execute(cluster,
                    "CREATE TABLE all_orders (id int NOT NULL, day date, amount numeric) PARTITION BY RANGE (day);"
                    "ALTER TABLE all_orders ATTACH PARTITION orders DEFAULT; GRANT SELECT ON all_orders TO app;"
                    "INSERT INTO all_orders VALUES (1000, '2027-01-01', 4)");
    FRESH(app);
    EXPECT_SQL(cluster, SAME, "0");
    WAIT_SQL(cluster, "SELECT full_reason FROM chime.role_view",
             "public.orders has partitions or children, or is one of another table", 60);
    EXPECT_TOLD(app, KEEPS("p", "SELECT day, count(*) AS n FROM all_orders GROUP BY day", ""),
                "21 rows; refreshed as a whole: public.all_orders is no plain table");
    cluster_execute(cluster,
                    "CREATE TABLE late (LIKE all_orders); INSERT INTO late VALUES (1, '2028-01-01', 4);"
                    "ALTER TABLE all_orders ATTACH PARTITION late FOR VALUES FROM ('2028-01-01') TO ('2029-01-01')");
    EXPECT_TOLD(app, "SELECT fresh FROM chime.wait_fresh('p', '60s')", "t");
    EXPECT_TOLD(app, "SELECT n FROM reports.p WHERE day = '2028-01-01'", "1");
    EXPECT_TOLD(app, "SELECT chime.drop_view('p')", "t");
    cluster_execute(cluster, "ALTER TABLE all_orders DETACH PARTITION orders");
    role_views_await_keyed();
    cluster_execute(cluster, "DELETE FROM orders WHERE id = 1000");
    FRESH(app);
    EXPECT_SQL(cluster, SAME, "0");
    EXPECT_SQL(cluster, "SELECT full_reason FROM chime.role_view", NULL);
}
END_TEST

#define NO_TABLE                                                                                                 \
    "role app has no table reports.daily_orders any more; give it back its name and owner; or chime.drop_view, " \
    "and chime.keep_view"

START_TEST(a_relation_of_another_owner_is_left_alone)
{
    EXPECT_TOLD(app, KEEP, "20 rows; keyed by day");
    role_views_await_keyed();
    cluster_execute(cluster, "ALTER TABLE reports.daily_orders OWNER TO other; DELETE FROM orders WHERE id = 1");
    EXPECT_TOLD(app, "SELECT chime.refresh_view('daily_orders')", NO_TABLE);
    cluster_execute(cluster, "ALTER TABLE reports.daily_orders OWNER TO app");
    FRESH(app);
    EXPECT_SQL(cluster, SAME, "0");
    cluster_execute(cluster, "ALTER TABLE reports.daily_orders OWNER TO other");
    EXPECT_TOLD(app, "SELECT chime.drop_view('daily_orders')", "t");
    EXPECT_TOLD(other, "SELECT count(*) FROM reports.daily_orders", "20");
    /* All of it: what captures changes goes on writing to what is the other role's, and no writer fails. */
    cluster_execute(cluster, "DROP TABLE reports.daily_orders");
    EXPECT_TOLD(app, KEEP, "20 rows; keyed by day");
    role_views_await_keyed();
    cluster_execute(cluster, "REASSIGN OWNED BY app TO other; DELETE FROM orders WHERE id = 2");
    EXPECT_TOLD(app, "SELECT chime.refresh_view('daily_orders')",
                "role app has no table reports.daily_orders, view reports.daily_orders__live any more; give it back its"
                " name and owner; or chime.drop_view, and chime.keep_view");
    EXPECT_TOLD(app, "SELECT chime.drop_view('daily_orders')", "t");
    EXPECT_TOLD(other, "SELECT count(*) FROM reports.daily_orders", "20");
    cluster_execute(cluster, "DROP OWNED BY other CASCADE; DELETE FROM orders WHERE id = 3");
    EXPECT_TOLD(app, KEEP, "20 rows; keyed by day");
    role_views_await_keyed();
    cluster_execute(cluster, "DROP OWNED BY app CASCADE; DELETE FROM orders WHERE id = 4;"
                             "GRANT SELECT, TRIGGER ON orders TO app");
    EXPECT_TOLD(app, "SELECT chime.drop_view('daily_orders')", "t"); /* without its schema, too */
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.role_view", "0");
    cluster_execute(cluster, "GRANT USAGE, CREATE ON SCHEMA reports TO app");
    EXPECT_TOLD(app, KEEP, "20 rows; keyed by day");
}
END_TEST

START_TEST(a_source_is_altered_while_it_is_refreshed)
{
    PGconn *owner = cluster_connect(cluster, "postgres");
    EXPECT_TOLD(app, KEEP, "20 rows; keyed by day");
    role_views_await_keyed();
    /* After the refresh has read it. */
    session_execute(app, "BEGIN; SELECT chime.refresh_view('daily_orders')");
    session_send(
        owner, "ALTER TABLE orders RENAME COLUMN day TO on_day; UPDATE orders SET on_day = '2027-01-01' WHERE id = 1");
    session_await_blocked(cluster, owner);
    session_execute(app, "COMMIT");
    session_await(owner);
    FRESH(app);
    EXPECT_SQL(cluster, SAME, "0");
    role_views_await_keyed();
    /* Before; what takes its marks away meanwhile does not wait for it. */
    session_execute(owner,
                    "BEGIN; ALTER TABLE orders RENAME COLUMN on_day TO day; ALTER TABLE orders DISABLE TRIGGER"
                    " USER; UPDATE orders SET day = '2027-01-02' WHERE id = 2; ALTER TABLE orders ENABLE TRIGGER USER");
    session_send(app, "SELECT chime.refresh_view('daily_orders')");
    session_await_blocked(cluster, app);
    session_execute(owner, "COMMIT");
    session_await(app);
    FRESH(app);
    EXPECT_SQL(cluster, SAME, "0");
    role_views_await_keyed();
    session_execute(owner, "BEGIN; ALTER TABLE orders DISABLE TRIGGER USER; DELETE FROM orders WHERE id < 9;"
                           "ALTER TABLE orders ENABLE TRIGGER USER");
    EXPECT_TOLD(app, "SELECT chime.refresh_view('daily_orders') IS NOT NULL", "t");
    session_execute(owner, "COMMIT");
    FRESH(app);
    EXPECT_SQL(cluster, SAME, "0");
    PQfinish(owner);
}
END_TEST

/* The owner of the schema may drop what others made in it: not between the look at whose it is, and the refresh. */
START_TEST(nothing_takes_a_relations_place_during_a_refresh)
{
    PGconn *owner = cluster_connect(cluster, "postgres");
    EXPECT_TOLD(app, KEEP, "20 rows; keyed by day");
    role_views_await_keyed();
    cluster_execute(cluster, "ALTER SCHEMA reports OWNER TO other");
    session_execute(owner, "BEGIN; LOCK TABLE orders");
    session_send(app, "SELECT chime.refresh_view('daily_orders')");
    session_await_blocked(cluster, app);
    session_send(other,
                 "DROP TABLE reports.daily_orders CASCADE; CREATE TABLE reports.daily_orders (day date, n bigint, total"
                 " numeric)");
    session_await_blocked(cluster, other);
    session_execute(owner, "COMMIT");
    session_await(app);
    session_await(other);
    EXPECT_TOLD(app, "SELECT chime.refresh_view('daily_orders')", NO_TABLE);
    EXPECT_SQL(cluster, "SELECT count(*) FROM reports.daily_orders", "0");
    PQfinish(owner);
}
END_TEST

/* --- what a review found ------------------------------------------------------------------------------------------ */

/* A name that is no plain identifier is one all the same. */
START_TEST(a_role_of_any_name_drops_its_view)
{
    cluster_execute(cluster, "CREATE ROLE \"An.App\" LOGIN; GRANT pgchime_jobs TO \"An.App\";"
                             "GRANT USAGE, CREATE ON SCHEMA reports TO \"An.App\";"
                             "GRANT SELECT, TRIGGER ON orders TO \"An.App\"");
    PGconn *named = role_views_connect("An.App");
    EXPECT_TOLD(named, KEEP, "20 rows; keyed by day");
    role_views_await_keyed();
    EXPECT_TOLD(named, "SELECT chime.drop_view('daily_orders')", "t");
    EXPECT_SQL(cluster, "SELECT count(*) FROM pg_class WHERE relnamespace = 'reports'::regnamespace", "0");
    PQfinish(named);
}
END_TEST

/* By its schedule alone a view is not late within seconds, and nothing of a target_lag is left. */
START_TEST(a_view_by_its_schedule_has_no_target)
{
    EXPECT_TOLD(app, KEEPS("hourly", DAILY, ", schedule => '@hourly'"), "20 rows; keyed by day");
    EXPECT_TOLD(app, KEEP, "20 rows; keyed by day");
    EXPECT_TOLD(app, "SELECT chime.alter_view('daily_orders', schedule => '@hourly')", "20 rows; keyed by day");
    EXPECT_SQL(cluster,
               "SELECT string_agg(relation || ' ' || freshness || coalesce(' ' || target_lag, '') ||"
               " coalesce(' ' || error_after, ''), ', ' ORDER BY relation) FROM chime.role_view_states()",
               "daily_orders unknown, hourly unknown");
}
END_TEST

/* A short name is the caller's own view: another role's neither makes it ambiguous nor is waited for. */
START_TEST(a_short_name_is_waited_for_as_the_callers_own)
{
    cluster_execute(cluster, "CREATE SCHEMA others AUTHORIZATION other; GRANT TRIGGER ON orders TO other");
    EXPECT_TOLD(app, KEEP, "20 rows; keyed by day");
    EXPECT_TOLD(other, "SELECT chime.keep_view('daily_orders', $$" DAILY "$$, view_schema => 'others')",
                "20 rows; keyed by day");
    EXPECT_TOLD(other, "SELECT chime.keep_view('theirs', $$" DAILY "$$, view_schema => 'others')",
                "20 rows; keyed by day");
    FRESH(app);
    FRESH(other);
    EXPECT_TOLD(app, "SELECT fresh FROM chime.wait_fresh('theirs', '1s')",
                "there is no view \"theirs\"; see: SELECT * FROM chime.view_status");
    EXPECT_TOLD(app, "BEGIN; CREATE TEMPORARY TABLE mine (); SELECT fresh FROM chime.wait_fresh('daily_orders', '30s')",
                "this transaction wrote something, which no refresh can see before it commits; commit, then wait");
    EXPECT_TOLD(app, "ROLLBACK", "NULL");
}
END_TEST

/* The name of a view whose role is gone is free for everybody. */
START_TEST(a_dropped_roles_view_is_in_nobodys_way)
{
    EXPECT_TOLD(app, KEEP, "20 rows; keyed by day");
    PQfinish(app);
    cluster_execute(cluster, "DROP OWNED BY app; GRANT SELECT, TRIGGER ON orders TO pgchime; DROP ROLE app;"
                             "GRANT USAGE, CREATE ON SCHEMA reports TO pgchime");
    app = role_views_connect("pgchime");
    EXPECT_TOLD(app, KEEP, "20 rows; keyed by day");
}
END_TEST

START_TEST(calls_that_are_none_are_refused)
{
    EXPECT_TOLD(app, "INSERT INTO chime.job_call (verb) VALUES ('scedule')",
                "there is no call \"scedule\"; chime.schedule and its like make the calls");
    EXPECT_TOLD(app, "INSERT INTO chime.job_call (verb) VALUES (NULL)",
                "there is no call \"<NULL>\"; chime.schedule and its like make the calls");
    cluster_execute(
        cluster,
        "CREATE SCHEMA cron; GRANT USAGE ON SCHEMA cron TO app; GRANT SELECT, INSERT ON chime.cron_call TO app");
    EXPECT_TOLD(app,
                "INSERT INTO chime.cron_call (verb, arguments) VALUES ('role_view_begin', '{\"name\": \"x\","
                " \"definition\": \"SELECT 1\", \"view_schema\": \"public\", \"source_schema\": \"public\"}')",
                "views are not kept through schema cron; call chime.keep_view and its like");
}
END_TEST

static Suite *suite(void)
{
    Suite *all = suite_create("keep view roles");
    TCase *cases = tcase_create("keep view roles");

    tcase_add_checked_fixture(cases, role_views_set_up, role_views_tear_down);
    tcase_set_timeout(cases, 240);
    tcase_add_test(cases, a_role_keeps_a_view_of_what_it_may_read);
    tcase_add_test(cases, what_leaves_no_mark_is_noticed);
    tcase_add_test(cases, what_nothing_tells_of_is_put_right_within_a_day);
    tcase_add_test(cases, what_it_may_not_read_any_more_fails_with_the_reason);
    tcase_add_test(cases, nobody_else_sees_or_changes_it);
    tcase_add_test(cases, whatever_it_finds_runs_as_its_role);
    tcase_add_test(cases, nobody_runs_code_as_the_role_by_its_view);
    tcase_add_test(cases, what_is_told_to_the_ledger_is_text);
    tcase_add_test(cases, a_view_is_altered_and_dropped);
    tcase_add_test(cases, a_renamed_role_keeps_its_view_and_one_of_a_dropped_ones_name_does_not);
    tcase_add_test(cases, what_it_does_not_offer_is_refused);
    tcase_add_test(cases, a_source_becomes_a_partition);
    tcase_add_test(cases, a_relation_of_another_owner_is_left_alone);
    tcase_add_test(cases, a_source_is_altered_while_it_is_refreshed);
    tcase_add_test(cases, nothing_takes_a_relations_place_during_a_refresh);
    tcase_add_test(cases, a_role_of_any_name_drops_its_view);
    tcase_add_test(cases, a_view_by_its_schedule_has_no_target);
    tcase_add_test(cases, a_short_name_is_waited_for_as_the_callers_own);
    tcase_add_test(cases, a_dropped_roles_view_is_in_nobodys_way);
    tcase_add_test(cases, calls_that_are_none_are_refused);
    suite_add_tcase(all, cases);
    return all;
}

int main(void)
{
    return suite_run(suite());
}
