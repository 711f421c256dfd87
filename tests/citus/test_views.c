/* SPDX-License-Identifier: PostgreSQL */
/* A coordinator of Citus: what pgchime makes stays there, and views over distributed tables have the rows that one
 * server would give them. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/cluster/citus.h"
#include "support/cluster/dump.h"
#include "support/cluster/init_role.h"
#include "support/cluster/psql.h"
#include "support/daemon/site.h"
#include "support/ledger/runs.h"
#include "support/process/files.h"
#include "support/process/process.h"
#include "support/process/suite.h"
#include "support/process/wait.h"

#define CASE_SECONDS 600
#define INSTALL_SECONDS 180

static struct citus *citus;
static struct cluster *coordinator;

static void set_up(void)
{
    citus = citus_create();
    coordinator = citus->coordinator;
}

static void tear_down(void)
{
    citus_destroy(citus);
}

static struct site *site_of(struct cluster *cluster)
{
    init_role_make(cluster, "pgchime", "postgres");
    struct site *site = site_create(cluster, "postgres", 4);
    site_use_role(site, "pgchime");
    return site;
}

static void install_all(struct cluster *cluster)
{
    struct site *site = site_of(cluster);

    site_use_plugins(site, PGCHIME_BUILD_DIR "/plugins");
    struct daemon *daemon = site_lead(site);
    WAIT_SQL(cluster, "SELECT string_agg(DISTINCT state || coalesce(': ' || reason, ''), ', ') FROM chime.plugin",
             "installed", INSTALL_SECONDS);
    WAIT_SQL(cluster, "SELECT count(*) FROM chime.view_refresh WHERE refreshed_at IS NULL", "0", INSTALL_SECONDS);
    site_end(daemon);
    daemon_destroy(daemon);
    site_destroy(site);
}

/* What is on the workers of what pgchime makes. */
static void expect_nothing_on_workers(void)
{
    static const char made[] =
        "SELECT concat_ws(', ', (SELECT string_agg(nspname, ', ') FROM pg_namespace WHERE nspname IN ('chime', "
        "'analytics')),"
        " (SELECT string_agg(c.oid::regclass::text, ', ') FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace"
        "   WHERE n.nspname IN ('chime', 'analytics')))";

    for (int i = 0; i < CITUS_WORKERS; i++)
        EXPECT_SQL(citus->workers[i], made, "");
    EXPECT_SQL(
        coordinator,
        "SELECT string_agg(p.proname, ', ') FROM pg_dist_object d JOIN pg_proc p ON d.classid = "
        "'pg_proc'::regclass AND d.objid = p.oid WHERE p.pronamespace::regnamespace::text IN ('chime', 'analytics')",
        NULL);
}

START_TEST(the_ledger_and_what_plugins_make_stays_on_the_coordinator)
{
    psql_load_sample(coordinator);
    citus_distribute_sample(citus);
    install_all(coordinator);
    expect_nothing_on_workers();
    EXPECT_SQL(coordinator, "SELECT format('%s, %s', words, is_worker) FROM chime.engine()",
               "Citus 13.2 coordinator, f");
    EXPECT_SQL(coordinator, "SELECT finding FROM chime.ledger_findings() WHERE id = 'engine'",
               "Citus 13.2 coordinator");
    EXPECT_SQL(coordinator, "SELECT count(*) > 20 FROM chime.view WHERE full_reason ~ 'is a distributed table'", "t");
}
END_TEST

START_TEST(jobs_run_and_views_are_kept_by_sql)
{
    struct site *site = site_of(coordinator);
    cluster_execute(coordinator, "CREATE TABLE orders (shop int, amount numeric)");
    cluster_execute(coordinator, "SELECT create_distributed_table('orders', 'shop')");
    cluster_execute(coordinator, "CREATE ROLE clerk LOGIN");
    cluster_execute(coordinator, "GRANT pgchime_jobs TO clerk");
    cluster_execute(coordinator, "GRANT SELECT, TRIGGER ON orders TO clerk, pgchime");
    site_job(site, "buy", NEVER_DUE "command = \"INSERT INTO public.orders SELECT s, s FROM generate_series(1, 9) s\"");
    cluster_execute(coordinator, "GRANT INSERT ON orders TO pgchime");
    struct daemon *daemon = site_lead(site);
    runs_ask_and_await(coordinator, "buy");
    EXPECT_RUN(coordinator, "buy", "state", "succeeded");
    EXPECT_SQL(coordinator, "SELECT count(*) FROM orders", "9");
    EXPECT_SQL(
        coordinator,
        "SELECT chime.keep_view('by_shop', 'SELECT shop, sum(amount) AS amount FROM orders GROUP BY shop')",
        "9 rows; refreshed as a whole: public.orders is a distributed table, whose rows change on other servers");
    EXPECT_SQL(coordinator, "SELECT string_agg(l, '; ') FROM chime.explain_view('by_shop') AS l WHERE l ~ '^computed'",
               "computed:   by the workers");
    cluster_execute(coordinator, "CREATE SCHEMA clerk AUTHORIZATION clerk; SET ROLE clerk");
    EXPECT_SQL(
        coordinator,
        "SELECT chime.keep_view('totals', 'SELECT shop % 2 AS half, count(*) AS n, max(now()) > ''2000-01-01'' AS late"
        " FROM orders GROUP BY 1', view_schema => 'clerk')",
        "2 rows; refreshed as a whole: public.orders is a distributed table, whose rows change on other servers");
    EXPECT_SQL(coordinator, "SELECT string_agg(half || ' ' || n, ', ' ORDER BY half) FROM clerk.totals", "0 4, 1 5");
    cluster_execute(coordinator, "RESET ROLE; INSERT INTO orders VALUES (9, 100)");
    WAIT_SQL(coordinator, "SELECT amount FROM analytics.by_shop WHERE shop = 9", "109", 30);
    WAIT_SQL(coordinator, "SELECT n FROM clerk.totals WHERE half = 1", "6", 30);
    ck_assert_str_eq(
        cluster_sqlstate(coordinator,
                         "SELECT chime.keep_view('m', 'SELECT shop FROM orders', key => '{shop}', mode => 'matview')"),
        "0A000");
    site_end(daemon);
    daemon_destroy(daemon);
    site_destroy(site);
    EXPECT_SQL(coordinator, "SELECT chime.drop_view('by_shop')", "t");
    for (int i = 0; i < CITUS_WORKERS; i++)
        EXPECT_SQL(citus->workers[i],
                   "SELECT string_agg(relname, ', ') FROM pg_class WHERE relname ~ '^(totals|by_shop)'", NULL);
}
END_TEST

/* --- the same rows as on one server ------------------------------------------------------------------------------- */

/* Every view, refreshed whole as of one instant, which both servers have. */
static char *rows_as_of(struct cluster *cluster, const char *instant)
{
    cluster_execute_format(cluster, "SET chime.as_of = '%s'", instant);
    cluster_execute(cluster, "CREATE FUNCTION pg_temp.digest(p_view text) RETURNS text LANGUAGE plpgsql AS $$"
                             "DECLARE v chime.view := chime.find_view(p_view); n bigint; d text; BEGIN"
                             " PERFORM chime.refresh(p_view, true);"
                             " EXECUTE format('SELECT count(*), md5(string_agg(t::text, '','' ORDER BY t::text)) FROM "
                             "(SELECT %s FROM %s) t',"
                             "  (SELECT string_agg(quote_ident(c), ', ') FROM unnest(chime.compared_columns(v)) c), "
                             "chime.kept_of(v)) INTO n, d;"
                             " RETURN format('%s: %s rows, %s', p_view, n, d); END $$");
    return cluster_rows(
        cluster,
        "SELECT pg_temp.digest(v) FROM unnest(chime.views_to_verify()) WITH ORDINALITY AS u (v, n) ORDER BY n");
}

START_TEST(views_of_the_seeds_have_the_rows_of_one_server)
{
    struct cluster *alone = cluster_create(NULL);
    char *file = files_path("%s/tables.sql", cluster_directory(alone));

    psql_load_sample(coordinator);
    ck_assert(dump_write(coordinator, "postgres", "postgres", "--table=public.*", file));
    dump_restore(alone, "postgres", file);
    citus_distribute_sample(citus);
    install_all(coordinator);
    install_all(alone);
    char *instant = cluster_value(alone, "SELECT max(created_at) FROM agent_queries");
    char *expected = rows_as_of(alone, instant);
    char *found = rows_as_of(coordinator, instant);
    ck_assert_msg(strstr(expected, "mv_weakness_patterns: 0 rows") == NULL && strlen(expected) > 1000, "%s", expected);
    ck_assert_str_eq(found, expected);
    EXPECT_SQL(coordinator,
               "SELECT string_agg(d::text, ' ') FROM chime.view v CROSS JOIN LATERAL chime.difference(v.view_schema || "
               "'.' || v.relation) AS d WHERE d.missing + d.surplus > 0",
               NULL);
    free(expected);
    free(found);
    free(instant);
    free(file);
    cluster_destroy(alone);
}
END_TEST

/* --- what is fetched ---------------------------------------------------------------------------------------------- */

static void live_in_tokyo(struct cluster *worker)
{
    cluster_execute(worker, "ALTER SYSTEM SET timezone = 'Asia/Tokyo'");
    cluster_execute(worker, "SELECT pg_reload_conf()");
}

START_TEST(what_citus_cannot_plan_is_computed_of_fetched_rows)
{
    static const char definition[] = "SELECT o.shop, o.\"a day\", o.total, rank() OVER (ORDER BY o.total DESC) AS "
                                     "place, to_jsonb(l) ->> ''amount'' AS latest,"
                                     " ''public.orders x''::text AS text FROM by_day o CROSS JOIN LATERAL (SELECT * "
                                     "FROM orders i WHERE i.shop = o.shop"
                                     " ORDER BY i.amount DESC LIMIT 1) AS l";
    cluster_execute(coordinator,
                    "CREATE TABLE orders (gone int, shop int, amount numeric, at timestamptz, unread text NOT NULL);"
                    "ALTER TABLE orders DROP COLUMN gone; CREATE INDEX ON orders (shop);"
                    "SELECT create_distributed_table('orders', 'shop');"
                    "INSERT INTO orders SELECT s % 7, s, timestamptz '2026-03-29 00:30+00' + s * interval '1 hour', '' "
                    "FROM generate_series(1, 60) s;"
                    "SET citus.enable_ddl_propagation = off;"
                    "CREATE VIEW by_day AS SELECT shop, date_trunc('day', at) AS \"a day\", sum(amount) AS total FROM "
                    "orders GROUP BY 1, 2;"
                    "CREATE TABLE local_orders AS SELECT * FROM orders;"
                    "CREATE VIEW expected AS WITH by_day AS (SELECT shop, date_trunc('day', at) AS \"a day\", "
                    "sum(amount) AS total FROM local_orders GROUP BY 1, 2)"
                    " SELECT o.*, rank() OVER (ORDER BY o.total DESC), (SELECT max(amount)::text FROM local_orders i "
                    "WHERE i.shop = o.shop), 'public.orders x'::text"
                    " FROM by_day o");
    struct site *site = site_of(coordinator);
    site_end(site_lead(site));
    /* A worker with another zone would put rows into other days. */
    for (int i = 0; i < CITUS_WORKERS; i++)
        live_in_tokyo(citus->workers[i]);
    cluster_execute_format(
        coordinator, "SELECT chime.keep_view('ranked', '%s', key => '{shop,\"a day\"}', timezone => 'Europe/Berlin')",
        definition);
    EXPECT_SQL(coordinator, "SELECT string_agg(l, '') FROM chime.explain_view('ranked') AS l WHERE l ~ '^computed'",
               "computed:   here, of rows that each refresh fetches: its definition uses date_trunc, to_jsonb, which "
               "may give something else by a worker's settings or clock");
    EXPECT_SQL(
        coordinator,
        "SET timezone = 'Europe/Berlin'; SELECT (SELECT count(*) FROM (SELECT * FROM expected EXCEPT ALL SELECT "
        "* FROM analytics.ranked) d) || ' ' || (count(*) = (SELECT count(*) FROM expected)) || ' ' || (count(*) > 10)"
        " FROM analytics.ranked",
        "0 true true");
    /* Names that two schemas have cannot both be fetched; the error says so. */
    cluster_execute(coordinator, "CREATE SCHEMA other; CREATE TABLE other.orders (shop int); SELECT "
                                 "create_distributed_table('other.orders', 'shop')");
    cluster_execute(coordinator, "GRANT USAGE ON SCHEMA other TO pgchime");
    cluster_execute(coordinator, "GRANT SELECT ON other.orders TO pgchime");
    ck_assert_str_eq(cluster_sqlstate(coordinator,
                                      "SELECT chime.keep_view('two', 'SELECT o.shop, now() AS at FROM public.orders o "
                                      "JOIN other.orders p USING (shop)', key => '{shop}')"),
                     "0A000");
    /* A policy that hides rows on a worker is an error, as on one server. */
    cluster_execute(
        coordinator,
        "ALTER TABLE orders ENABLE ROW LEVEL SECURITY; GRANT SELECT ON orders TO pgchime; SET ROLE pgchime");
    ck_assert_str_eq(cluster_sqlstate(coordinator, "SELECT chime.refresh('ranked')"), "42501");
    site_destroy(site);
}
END_TEST

START_TEST(a_table_that_is_distributed_later_is_followed_as_a_whole_from_then_on)
{
    static const char kept[] = "SELECT string_agg(shop || ' ' || n, ', ' ORDER BY shop) FROM analytics.shop_n";

    cluster_execute(coordinator, "CREATE TABLE shops (shop int PRIMARY KEY, n int); INSERT INTO shops VALUES (1, 1)");
    struct site *site = site_of(coordinator);
    site_end(site_lead(site));
    cluster_execute(coordinator, "GRANT SELECT, TRIGGER ON shops TO pgchime");
    EXPECT_SQL(coordinator, "SELECT chime.keep_view('shop_n', 'SELECT shop, n FROM shops')", "1 rows; keyed by shop");
    cluster_execute(coordinator, "SELECT create_distributed_table('shops', 'shop')");
    cluster_execute(coordinator, "INSERT INTO shops VALUES (2, 2)");
    EXPECT_SQL(coordinator, "SELECT method || ': ' || reason FROM chime.refresh('shop_n')",
               "full: a table that it reads was distributed");
    EXPECT_SQL(coordinator, kept, "1 1, 2 2");
    cluster_execute(coordinator, "SELECT chime.ask_again('analytics', 'public', 'shop_n')");
    EXPECT_SQL(coordinator, "SELECT full_reason FROM chime.view WHERE relation = 'shop_n'",
               "public.shops is a distributed table, whose rows change on other servers");
    site_destroy(site);
}
END_TEST

/* --- any moment --------------------------------------------------------------------------------------------------- */

static void write_at_random(const char *statement)
{
    char number[12];
    const char *place = strstr(statement, "%d");

    snprintf(number, sizeof(number), "%d", rand() % 40);
    cluster_execute_format(coordinator, "%.*s%s%s", (int)(place - statement), statement, number, place + 2);
}

START_TEST(a_refresh_is_right_at_any_moment)
{
    /* %d: a number below 40. */
    static const char *const writes[] = {
        "INSERT INTO orders (shop, kind, amount) SELECT (s * %d) % 41, 'b', s FROM generate_series(1, 20) s",
        "UPDATE orders SET amount = amount + 1 WHERE shop % 5 = %d % 5",
        "DELETE FROM orders WHERE shop = %d AND kind = 'a'",
        "UPDATE kinds SET name = name || %d WHERE kind = 'a'",
        "UPDATE orders SET kind = CASE kind WHEN 'a' THEN 'b' ELSE 'a' END WHERE shop < %d",
    };
    cluster_execute(
        coordinator,
        "CREATE TABLE orders (shop int, id bigserial, kind text, amount numeric, PRIMARY KEY (shop, id)); SELECT "
        "create_distributed_table('orders', 'shop');"
        "CREATE TABLE kinds (kind text PRIMARY KEY, name text); SELECT create_reference_table('kinds');"
        "INSERT INTO kinds VALUES ('a', 'one'), ('b', 'two');"
        "INSERT INTO orders (shop, kind, amount) SELECT s % 40, chr(97 + s % 2), s FROM generate_series(1, 400) s");
    struct site *site = site_of(coordinator);
    site_end(site_lead(site));
    cluster_execute(coordinator,
                    "SELECT chime.keep_view('sums', 'SELECT o.shop, k.name, sum(o.amount) AS amount FROM orders o JOIN "
                    "kinds k USING (kind) GROUP BY 1, 2');"
                    "SELECT chime.keep_view('shares', 'SELECT shop, round(100 * sum(amount) / sum(sum(amount)) OVER "
                    "(), 6) AS share, now() AS at FROM orders GROUP BY 1', key => '{shop}')");
    EXPECT_SQL(coordinator,
               "SELECT string_agg(v.relation || ' ' || (chime.why_fetched(chime.live_of(v)) IS NULL), ', ' ORDER BY "
               "v.relation) FROM chime.view v",
               "shares false, sums true");
    for (int moment = 0; moment < 100; moment++) {
        write_at_random(writes[(size_t)rand() % (sizeof(writes) / sizeof(writes[0]))]);
        if (moment % 20 == 10)
            citus_move_a_shard(citus, "orders");
        cluster_execute(coordinator, "SELECT chime.refresh('sums'), chime.refresh('shares')");
        /* Other statements than the views': all rows come here, and are added up here. */
        EXPECT_SQL(coordinator,
                   "CREATE TEMP TABLE o AS SELECT * FROM orders; CREATE TEMP TABLE k AS SELECT * FROM kinds;"
                   "SELECT (SELECT count(*) FROM (SELECT shop, (SELECT name FROM k WHERE k.kind = o.kind), sum(amount) "
                   "FROM o GROUP BY shop, kind"
                   "  EXCEPT ALL SELECT * FROM analytics.sums) d)"
                   " + (SELECT count(*) FROM (SELECT shop, round(100 * sum(amount) / (SELECT sum(amount) FROM o), 6) "
                   "FROM o GROUP BY shop"
                   "  EXCEPT ALL SELECT shop, share FROM analytics.shares) d)"
                   " + abs((SELECT count(DISTINCT (shop, kind)) FROM o) - (SELECT count(*) FROM analytics.sums))",
                   "0");
        cluster_execute(coordinator, "DROP TABLE o, k");
    }
    site_destroy(site);
}
END_TEST

static void add_case(Suite *suite, const char *name, const TTest *test)
{
    TCase *one = tcase_create(name);

    tcase_set_timeout(one, CASE_SECONDS);
    tcase_add_checked_fixture(one, set_up, tear_down);
    tcase_add_test(one, test);
    suite_add_tcase(suite, one);
}

int main(void)
{
    Suite *suite = suite_create("views on Citus");

    add_case(suite, "made", the_ledger_and_what_plugins_make_stays_on_the_coordinator);
    add_case(suite, "by sql", jobs_run_and_views_are_kept_by_sql);
    add_case(suite, "seeds", views_of_the_seeds_have_the_rows_of_one_server);
    add_case(suite, "fetched", what_citus_cannot_plan_is_computed_of_fetched_rows);
    add_case(suite, "later", a_table_that_is_distributed_later_is_followed_as_a_whole_from_then_on);
    add_case(suite, "moments", a_refresh_is_right_at_any_moment);
    return suite_run(suite) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
