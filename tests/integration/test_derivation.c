/* SPDX-License-Identifier: PostgreSQL */
/* What a declaration leaves out follows from its definition: key, grain and sources, and what it may not be. */
#include <check.h>

#include "support/keyed/keyed_stage.h"
#include "support/process/suite.h"

/* Key, grain, and why it is full; or the error with its hint. */
#define DERIVES(definition, expected) EXPECT_SQL(cluster, "SELECT app.derive('" definition "')", expected)

static void set_up(void)
{
    keyed_stage_set();
    cluster_execute_file(cluster, PGCHIME_SOURCE_DIR "/tests/support/keyed/keyed_corpus.sql");
    cluster_execute(
        cluster,
        "CREATE FUNCTION app.derive(p_definition text) RETURNS text LANGUAGE plpgsql AS $$"
        "DECLARE v_hint text; v_reason text; BEGIN "
        " PERFORM chime.install_view('test', 'kept', 'app', 'derived', p_definition, NULL, 'derived_pk', NULL, 'auto',"
        "                            '{}', NULL, NULL, '[]', 'a test');"
        " v_reason := coalesce(chime.install_keys('kept', 'app', 'derived', NULL), 'keyed');"
        " RETURN (SELECT format('%s: %s by %s', v_reason, v.key, v.grain) FROM chime.view v WHERE v.relation = "
        "'derived');"
        " EXCEPTION WHEN OTHERS THEN GET STACKED DIAGNOSTICS v_hint = PG_EXCEPTION_HINT;"
        " RETURN concat_ws('; ', SQLERRM, nullif(v_hint, '')); END $$");
}

START_TEST(the_key_is_what_the_definition_groups_by)
{
    DERIVES("SELECT shop, count(*) AS n FROM ord GROUP BY shop", "keyed: {shop} by {shop}");
    DERIVES("SELECT count(*) AS n, kind AS k, shop FROM ord GROUP BY shop, 2", "keyed: {k,shop} by {k,shop}");
    DERIVES("SELECT (at AT TIME ZONE ''UTC'')::date AS day, count(*) AS n FROM ord GROUP BY 1",
            "keyed: {day} by {day}");
    DERIVES("SELECT DISTINCT ON (shop) shop, id, amount FROM ord ORDER BY shop, id", "keyed: {shop} by {shop}");
    DERIVES("SELECT DISTINCT shop, kind FROM ord", "keyed: {shop,kind} by {shop,kind}");
    DERIVES("SELECT id, shop FROM ord WHERE done", "keyed: {id} by {id}");
    DERIVES(
        "WITH s AS (SELECT shop, kind, count(*) AS n FROM ord GROUP BY shop, kind) SELECT n, shop, kind AS k FROM s",
        "keyed: {shop,k} by {shop,k}");
    DERIVES(
        "WITH a AS (SELECT shop, count(*) AS n FROM ord GROUP BY shop), b AS (SELECT * FROM a) SELECT n, shop FROM b",
        "keyed: {shop} by {shop}");
    DERIVES("SELECT x.shop AS \"a ({b}) \\\", x.n FROM (SELECT shop, count(*) AS n FROM ord GROUP BY shop) x",
            "keyed: {\"a ({b}) \\\\\"} by {\"a ({b}) \\\\\"}");
}
END_TEST

START_TEST(the_key_of_a_view_below_is_known)
{
    cluster_execute(cluster, "CREATE VIEW app.per_shop AS SELECT shop AS s, count(*) AS n FROM app.ord GROUP BY shop");
    DERIVES("SELECT n, s FROM per_shop", "keyed: {s} by {s}");
}
END_TEST

/* A row of each set, or several rows of one, have no key that the parse shows. */
START_TEST(where_nothing_shows_a_key_the_error_says_what_to_name)
{
#define NONE "the key of view kept.derived does not follow from its definition; "
    DERIVES("SELECT o.id, s.name FROM ord o JOIN shp s ON s.shop = o.shop",
            NONE "name them as its key, such as \"id\"; its columns are id, name");
    DERIVES("SELECT count(*) AS n, max(id) AS m FROM ord GROUP BY shop",
            NONE "name them as its key; or select all columns that it is grouped by; its columns are n, m");
    DERIVES("SELECT shop, kind, count(*) AS n FROM ord GROUP BY ROLLUP (shop, kind)",
            NONE "name them as its key; or select all columns that it is grouped by; its columns are shop, kind, n");
    DERIVES("SELECT shop FROM ord UNION ALL SELECT shop FROM shp", NONE "name them as its key; its columns are shop");
    DERIVES("SELECT shop, unnest(array_agg(id)) AS id FROM ord GROUP BY shop",
            NONE "name them as its key; or select all columns that it is grouped by; its columns are shop, id");
    DERIVES("SELECT amount FROM ord", NONE "name them as its key; its columns are amount");
    DERIVES("SELECT DISTINCT ON (lower(agent)) amount FROM ord ORDER BY lower(agent), amount",
            NONE "name them as its key; its columns are amount");
}
END_TEST

/* Children of a table may have rows with the key of one of its own. */
START_TEST(an_index_of_a_table_with_children_or_of_some_rows_is_no_key)
{
    cluster_execute(cluster,
                    "CREATE TABLE app.plain (id integer, u integer NOT NULL, part integer NOT NULL);"
                    "CREATE UNIQUE INDEX ON app.plain (id); CREATE UNIQUE INDEX ON app.plain (part) WHERE u > 0");
    DERIVES("SELECT id, part FROM plain",
            "the key of view kept.derived does not follow from its definition; name them as its"
            " key; its columns are id, part");
    cluster_execute(cluster, "CREATE UNIQUE INDEX ON app.plain (u)");
    DERIVES("SELECT id, u FROM plain", "keyed: {u} by {u}");
    cluster_execute(cluster, "CREATE TABLE app.child () INHERITS (app.plain)");
    DERIVES("SELECT id, part, u FROM plain",
            "the key of view kept.derived does not follow from its definition; name them as its"
            " key; its columns are id, part, u");
}
END_TEST

/* By a part of the key or by a column beside it, where its windows go by that. */
START_TEST(the_grain_is_the_finest_that_is_proven)
{
    DERIVES("SELECT shop, kind, sum(sum(amount)) OVER (PARTITION BY shop ORDER BY kind) AS upto FROM ord GROUP BY "
            "shop, kind",
            "keyed: {shop,kind} by {shop}");
    DERIVES("SELECT id, shop, rank() OVER (PARTITION BY shop ORDER BY amount, id) AS r FROM ord",
            "keyed: {id} by {shop}");
    DERIVES("SELECT shop, rank() OVER (ORDER BY count(*)) AS r FROM ord GROUP BY shop",
            "its window function is computed over all rows of app.ord, so a group in shop cannot be computed alone:"
            " {shop} by {shop}");
    DERIVES("SELECT at::time AS t, count(*) AS n FROM ord GROUP BY 1",
            "no index can find one group in app.ord: t is made there by what is not IMMUTABLE, such as a time of day or"
            " text that depends on the session (AT TIME ZONE 'UTC' makes a day that does not): {t} by {t}");
}
END_TEST

START_TEST(an_index_that_is_made_later_makes_it_keyed)
{
    cluster_execute(cluster, "DROP INDEX app.ord_shop_kind_idx");
    DERIVES("SELECT shop, count(*) AS n FROM ord GROUP BY shop",
            "no index finds one group in app.ord: CREATE INDEX ON app.ord (shop) makes it keyed: {shop} by {shop}");
    cluster_execute(cluster, "CREATE INDEX ON app.ord (shop)");
    keyed_tend(cluster);
    EXPECT_SQL(cluster, "SELECT full_reason, grain FROM chime.view WHERE relation = 'derived' AND sources IS NULL",
               NULL);
    EXPECT_SQL(cluster, "SELECT grain FROM chime.view WHERE relation = 'derived' AND full_reason IS NULL", "{shop}");
}
END_TEST

START_TEST(the_sources_are_the_tables_and_columns_that_it_reads)
{
#define SOURCES "SELECT chime.derived_sources(v) FROM chime.view v WHERE relation = 'derived'"
    cluster_execute(cluster,
                    "CREATE SCHEMA other; CREATE TABLE other.pay (id integer PRIMARY KEY, shop integer, sum numeric);"
                    "CREATE INDEX ON other.pay (shop);"
                    "CREATE VIEW app.paid AS SELECT shop, sum FROM other.pay");
    DERIVES("SELECT o.shop, count(*) AS n, (SELECT sum(p.sum) FROM paid p WHERE p.shop = o.shop) AS paid FROM ord o "
            "GROUP BY o.shop",
            "keyed: {shop} by {shop}");
    EXPECT_SQL(cluster, SOURCES,
               "[{\"table\": \"ord\", \"schema\": \"app\", \"columns\": [\"shop\"]}, "
               "{\"table\": \"pay\", \"schema\": \"other\", \"columns\": [\"shop\", \"sum\"]}]");
    DERIVES("SELECT id, to_jsonb(p) AS row FROM other.pay p", "keyed: {id} by {id}");
    EXPECT_SQL(cluster, SOURCES,
               "[{\"table\": \"pay\", \"schema\": \"other\", \"columns\": [\"id\", \"shop\", \"sum\"]}]");
    DERIVES("SELECT 1 AS one, count(*) AS n FROM other.pay GROUP BY 1",
            "no index finds one group in other.pay: {one} by {one}");
    EXPECT_SQL(cluster, SOURCES, "[{\"table\": \"pay\", \"schema\": \"other\", \"columns\": [\"id\"]}]");
}
END_TEST

START_TEST(what_follows_a_write_is_what_the_definition_says)
{
    cluster_execute(cluster, "SELECT app.put_rows(50)");
    DERIVES(
        "SELECT o.shop, count(*) AS n, sum(i.quantity) AS q FROM ord o LEFT JOIN itm i ON i.ord = o.id GROUP BY o.shop",
        "keyed: {shop} by {shop}");
    keyed_tend(cluster);
    cluster_execute(cluster, "SELECT chime.refresh('derived')");
    for (int i = 0; i < 20; i++) {
        cluster_execute(cluster, "SELECT app.write()");
        cluster_execute(cluster, "SELECT chime.refresh('derived')");
        EXPECT_SQL(cluster, "SELECT missing + surplus FROM chime.difference('derived')", "0");
    }
    EXPECT_SQL(cluster, "SELECT method FROM chime.view_refresh WHERE relation = 'derived'", "keyed");
}
END_TEST

/* Whatever hides them. Nothing of them is run: no table is made, none is emptied. */
START_TEST(a_definition_is_one_select)
{
#define SEVERAL                                                                                                      \
    "a definition is one SELECT, and this one has several statements; leave out what stands after the first \";\", " \
    "or "                                                                                                            \
    "keep a view for each"
    cluster_execute(cluster, "SELECT app.put_rows(5); CREATE TABLE app.left_alone (n integer)");
    DERIVES("SELECT 1 AS one; DROP TABLE app.left_alone", SEVERAL);
    DERIVES("SELECT 1 AS one; -- the end\nDROP TABLE app.left_alone;", SEVERAL);
    DERIVES("/* ; */ SELECT '';'' AS one; /* DROP */ DROP /* ; */ TABLE app.left_alone", SEVERAL);
    DERIVES("SELECT $a$ ; $b$ ; $a$ AS one; TRUNCATE app.left_alone", SEVERAL);
    DERIVES("SELECT E'' \\'' ; '' AS one; TRUNCATE app.left_alone", SEVERAL);
    DERIVES("SELECT shop AS \"one; two\" FROM ord GROUP BY shop; -- ;", "keyed: {\"one; two\"} by {\"one; two\"}");
    DERIVES("DROP TABLE app.left_alone", "a definition is one SELECT, and this one begins with \"DROP TABLE "
                                         "app.left_alone\"; begin it with SELECT or WITH");
    DERIVES("-- SELECT\n/* SELECT */ DELETE FROM app.left_alone",
            "a definition is one SELECT, and this one begins with \"-- SELECT\"; begin it with SELECT or WITH");
    DERIVES("WITH gone AS (DELETE FROM ord RETURNING id) SELECT id FROM gone",
            "views must not contain data-modifying statements in WITH");
    DERIVES("SELECT 1 AS one INTO app.made", "views must not contain SELECT INTO");
    DERIVES("SELECT $1 AS one", "there is no parameter $1");
    EXPECT_SQL(
        cluster,
        "SELECT (SELECT count(*) FROM app.ord) > 0, to_regclass('app.left_alone'), to_regclass('app.made') IS NULL",
        "t");
}
END_TEST

/* Nor does a query beside it make several of what it is put into. */
START_TEST(a_query_beside_the_definition_is_one_select)
{
    cluster_execute(cluster, "CREATE TABLE app.left_alone (n integer)");
    cluster_execute(cluster, "CREATE FUNCTION app.said(p_sql text) RETURNS text LANGUAGE plpgsql AS $$"
                             "BEGIN EXECUTE p_sql; RETURN NULL; EXCEPTION WHEN OTHERS THEN RETURN SQLERRM; END $$");
    EXPECT_SQL(
        cluster,
        "SELECT app.said($s$SELECT chime.install_view('test', 'kept', 'app', 'd',"
        " 'SELECT shop, count(*) AS n FROM ord GROUP BY shop', NULL, 'd_pk', NULL, 'auto', '{}',"
        " 'SELECT shop FROM ord) AS q; DROP TABLE app.left_alone; SELECT FROM (SELECT shop FROM ord', NULL, '[]',"
        " 'a test')$s$)",
        "a query is one SELECT, and this one has several statements");
    EXPECT_SQL(cluster, "SELECT to_regclass('app.left_alone')", "app.left_alone");
}
END_TEST

START_TEST(what_a_definition_names_and_is_not_there_is_told)
{
#define MISSING(definition, expected) \
    EXPECT_SQL(cluster, "SELECT chime.missing_of('kept, app, pg_temp', '" definition "')", expected)
    MISSING("SELECT shop FROM ord", NULL);
    MISSING("SELECT shop FROM nowhere", "relation \"nowhere\" does not exist");
    MISSING("SELECT o.shpo FROM ord o", "column o.shpo does not exist");
    MISSING("SELECT 1 FROM gone.ord", "relation \"gone.ord\" does not exist");
    MISSING("SELECT 1; SELECT 2 FROM nowhere", "relation \"nowhere\" does not exist");
    MISSING("SELEC", NULL);
}
END_TEST

/* As views explain and check --database say it of a file; no relation, log, trigger or row stays. */
START_TEST(what_is_explained_leaves_nothing)
{
#define EXPLAINED(definition, expected)                                                                       \
    EXPECT_SQL(cluster,                                                                                       \
               "SELECT string_agg(l, E'\\n') FROM chime.explain_definition('forms', 'app', 'd', '" definition \
               "') AS l"                                                                                      \
               " WHERE l NOT LIKE 'a refresh%'",                                                              \
               expected)
    EXPLAINED("SELECT kind, count(*) AS n FROM ord GROUP BY kind",
              "keyed by:   kind\nunique by:  kind\n"
              "writes to app.ord:  INSERT, DELETE and UPDATE of kind leave a small mark (kind); any other UPDATE none");
    EXPLAINED(
        "SELECT o.shop, sum(i.quantity) AS n FROM ord o JOIN itm i ON i.ord = o.id GROUP BY o.shop",
        "keyed by:   shop\nunique by:  shop\n"
        "writes to app.itm:  INSERT, DELETE and UPDATE of ord, quantity leave a small mark (ord); any other UPDATE"
        " none\n"
        "    which leads to shop by:  SELECT (o.shop)::integer AS shop FROM marks AS chime_mark JOIN app.ord AS o ON"
        " o.id = chime_mark.ord\n"
        "writes to app.ord:  INSERT, DELETE and UPDATE of id, shop leave a small mark (shop); any other UPDATE"
        " none");
    cluster_execute(cluster, "DROP INDEX app.ord_shop_kind_idx");
    EXPLAINED("SELECT shop, count(*) AS n FROM ord GROUP BY shop",
              "full:       no index finds one group in app.ord\nunique by:  shop\nwrites:     cost nothing more\n"
              "to be keyed:  CREATE INDEX ON app.ord (shop)");
    EXPECT_SQL(cluster,
               "SELECT (SELECT count(*) FROM chime.view) + (SELECT count(*) FROM chime.source)"
               " + (SELECT count(*) FROM pg_class WHERE relname ~ 'explained' OR relname ~ '^change_\\d')"
               " + (SELECT count(*) FROM pg_trigger WHERE tgrelid = 'app.ord'::regclass)"
               " + (SELECT count(*) FROM pg_namespace WHERE nspname = 'forms')"
               " + (SELECT count(*) FROM chime.plugin WHERE name <> 'test')",
               "0");
}
END_TEST

static Suite *suite(void)
{
    Suite *all = suite_create("derivation");
    TCase *derivation = tcase_create("derivation");

    tcase_add_checked_fixture(derivation, set_up, served_tear_down);
    tcase_set_timeout(derivation, 300);
    tcase_add_test(derivation, the_key_is_what_the_definition_groups_by);
    tcase_add_test(derivation, the_key_of_a_view_below_is_known);
    tcase_add_test(derivation, where_nothing_shows_a_key_the_error_says_what_to_name);
    tcase_add_test(derivation, an_index_of_a_table_with_children_or_of_some_rows_is_no_key);
    tcase_add_test(derivation, the_grain_is_the_finest_that_is_proven);
    tcase_add_test(derivation, an_index_that_is_made_later_makes_it_keyed);
    tcase_add_test(derivation, the_sources_are_the_tables_and_columns_that_it_reads);
    tcase_add_test(derivation, what_follows_a_write_is_what_the_definition_says);
    tcase_add_test(derivation, a_definition_is_one_select);
    tcase_add_test(derivation, a_query_beside_the_definition_is_one_select);
    tcase_add_test(derivation, what_a_definition_names_and_is_not_there_is_told);
    tcase_add_test(derivation, what_is_explained_leaves_nothing);
    suite_add_tcase(all, derivation);
    return all;
}

int main(void)
{
    return suite_run(suite());
}
