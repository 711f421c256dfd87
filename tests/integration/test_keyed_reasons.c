/* SPDX-License-Identifier: PostgreSQL */
/* Why a view is not keyed, in words of its definition, and the indexes that make it keyed: each that is printed does so
 * (support/keyed/keyed_reasons.sql). */
#include <check.h>
#include <stdlib.h>

#include "support/keyed/keyed_stage.h"
#include "support/process/files.h"
#include "support/process/suite.h"

#define WHY(definition, expected) EXPECT_SQL(cluster, "SELECT app.why('" definition "')", expected)
#define ALONE ", so a group in shop cannot be computed alone"

static void set_up(void)
{
    keyed_stage_set();
    cluster_execute(cluster, "CREATE FUNCTION app.all_of(p_shop integer) RETURNS bigint LANGUAGE plpgsql STABLE AS $$"
                             "BEGIN RETURN (SELECT count(*) FROM app.ord WHERE shop >= p_shop); END $$");
    cluster_execute_file(cluster, PGCHIME_SOURCE_DIR "/tests/support/keyed/keyed_corpus.sql");
    cluster_execute_file(cluster, PGCHIME_SOURCE_DIR "/tests/support/keyed/keyed_reasons.sql");
    cluster_execute(cluster, "SELECT app.put_rows(100)");
}

/* Every fourth one; all of them under PGCHIME_TEST_SOAK. No row may be indexed by what fails for it: trap_error is such
 * a definition. */
START_TEST(each_index_that_is_printed_makes_its_view_keyed)
{
    char *tried = files_path(
        "SELECT string_agg(w, E'\\n') FROM app.corpus c CROSS JOIN LATERAL app.still_full(c.name::name) AS w"
        " WHERE expected = 'keyed' AND name <> 'trap_error' AND n %% %d = 0",
        getenv("PGCHIME_TEST_SOAK") != NULL ? 1 : 4);

    EXPECT_SQL(cluster, tried, NULL);
    EXPECT_SQL(cluster, "SELECT count(*) > 10 FROM chime.view WHERE full_reason IS NULL", "t");
    free(tried);
}
END_TEST

START_TEST(the_index_that_is_missing_is_printed)
{
    cluster_execute(cluster, "SELECT app.drop_indexes()");
    WHY("SELECT shop, count(*) AS n FROM ord GROUP BY shop",
        "no index finds one group in app.ord: CREATE INDEX ON app.ord (shop) makes it keyed");
    WHY("SELECT o.shop, sum(quantity) AS n FROM ord o JOIN itm i ON i.ord = o.id GROUP BY 1",
        "no index finds one group in app.itm, app.ord: CREATE INDEX ON app.itm (ord); CREATE INDEX ON app.ord (shop) "
        "make it keyed");
    cluster_execute(cluster, "CREATE INDEX ON app.itm (ord)");
    WHY("SELECT o.shop, sum(quantity) AS n FROM ord o JOIN itm i ON i.ord = o.id GROUP BY 1",
        "no index finds one group in app.ord: CREATE INDEX ON app.ord (shop) makes it keyed");
    WHY("SELECT lower(agent) || kind AS shop, count(*) AS n FROM ord o GROUP BY 1",
        "no index finds one group in app.ord: CREATE INDEX ON app.ord ((lower(ord.agent) || ord.kind)) makes it keyed");
    WHY("SELECT date_trunc(''day'', at) AS shop, count(*) AS n FROM ord GROUP BY 1",
        "no index can find one group in app.ord: shop is made there by what is not IMMUTABLE, such as a time of day or "
        "text that depends on the session (AT TIME ZONE 'UTC' makes a day that does not)");
}
END_TEST

START_TEST(a_definition_that_reads_other_groups_is_told_by_what_does_so)
{
    WHY("SELECT shop, rank() OVER (ORDER BY sum(amount)) AS n FROM ord GROUP BY shop",
        "its window function is computed over all rows of app.ord" ALONE);
    WHY("SELECT shop, sum(amount) / (SELECT sum(amount) FROM ord) AS n FROM ord GROUP BY shop",
        "a total is computed over all rows of app.ord" ALONE);
    WHY("SELECT shop, id AS n FROM ord ORDER BY amount LIMIT 3", "its LIMIT takes rows out of all of app.ord" ALONE);
    WHY("SELECT DISTINCT ON (kind) shop, id AS n FROM ord ORDER BY kind, id",
        "its DISTINCT picks from all rows of app.ord" ALONE);
    WHY("WITH s AS MATERIALIZED (SELECT shop, count(*) AS n FROM ord GROUP BY shop) SELECT * FROM s",
        "its query \"s\" (WITH) is computed over all rows of app.ord" ALONE);
    WHY("WITH RECURSIVE t AS (SELECT shop, id AS n FROM ord WHERE parent IS NULL UNION SELECT t.shop, o.id FROM t JOIN "
        "ord o"
        " ON o.parent = t.n) SELECT * FROM t",
        "its recursive query starts from all rows of app.ord" ALONE);
    WHY("SELECT o.shop, count(*) AS n FROM ord o JOIN itm i ON i.ord > o.id GROUP BY o.shop",
        "no condition \"column = column\" leads from a row of app.itm to its group" ALONE);
    WHY("SELECT 12 / o.zero AS shop, count(*) AS n FROM (SELECT DISTINCT 0 AS zero, kind FROM ord WHERE id < 0) o "
        "GROUP BY 1",
        "PostgreSQL cannot plan it for one group: division by zero");
    WHY("SELECT shop, count(*) FILTER (WHERE at > now()) AS n FROM ord GROUP BY shop",
        "it changes as time passes, and declares no revisit");
}
END_TEST

#define CAPTURED_BY_ITEM(trust)                                                                                        \
    "SELECT app.install('asked', 'SELECT o.shop, sum(i.quantity) AS n FROM ord o JOIN itm i ON i.ord = o.id GROUP BY " \
    "o.shop', '{shop}',"                                                                                               \
    " '[{\"table\": \"ord\", \"columns\": [\"id\", \"shop\"]}, {\"table\": \"itm\", \"columns\": [\"item\", \"ord\", " \
    "\"quantity\"],"                                                                                                   \
    " \"capture\": [\"item\"], \"map\": \"SELECT o.shop FROM marks m JOIN itm i ON i.item = m.item JOIN ord o ON "     \
    "o.id = i.ord\"" trust "}]')"

/* An item that goes to another order leaves a mark of its number alone: nothing leads to the group that it left. */
START_TEST(a_declaration_that_the_proof_contradicts_is_full_unless_it_is_to_be_trusted)
{
    EXPECT_SQL(cluster, CAPTURED_BY_ITEM(""),
               "its plugin captures item of app.itm, but changes of ord lead to groups, too: leave \"capture\" and "
               "\"map\" out, or say"
               " trust = \"true\"");
    EXPECT_SQL(cluster, CAPTURED_BY_ITEM(", \"trust\": true"), NULL);
}
END_TEST

#define WITH_MAP(on)                                                                                         \
    "SELECT app.install('mapped', 'SELECT o.shop, sum(i.quantity) AS n FROM ord o JOIN itm i ON " on         \
    " GROUP BY o.shop', '{shop}',"                                                                           \
    " '[{\"table\": \"ord\", \"columns\": [\"id\", \"shop\"]}, {\"table\": \"itm\", \"columns\": [\"ord\", " \
    "\"quantity\"],"                                                                                         \
    " \"capture\": [\"ord\"], \"map\": \"SELECT 1\"}]')"

/* This map leads to one shop alone, whatever changes. */
START_TEST(a_map_counts_only_where_it_is_to_be_trusted)
{
    EXPECT_SQL(cluster, WITH_MAP("i.ord = o.id"), NULL);
    keyed_tend(cluster);
    LOOK("mapped", "full: the first time");
    EXPECT_SQL(cluster,
               "SELECT map_query LIKE '%chime_mark%' FROM chime.view_source s WHERE relation = 'mapped' AND "
               "chime.source_oid(source_id)"
               " = 'app.itm'::regclass",
               "t");
    cluster_execute(cluster, "INSERT INTO app.ord (id, shop) VALUES (7001, 71), (7002, 72); INSERT INTO app.itm (item, "
                             "ord, quantity) VALUES (9001, 7001, 1), (9002, 7002, 1)");
    LOOK("mapped", "keyed 2: +2 ~0 -0");
    AFTER("UPDATE app.itm SET ord = 7002 WHERE ord = 7001", "mapped", "keyed 2: +0 ~1 -1");
    EXPECT_SQL(cluster, WITH_MAP("i.ord > o.id"),
               "no condition \"column = column\" leads from a row of app.itm to its group" ALONE);
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.view_source WHERE relation = 'mapped'", "0");
}
END_TEST

static Suite *suite(void)
{
    Suite *all = suite_create("keyed reasons");
    TCase *cases = tcase_create("keyed reasons");

    tcase_add_checked_fixture(cases, set_up, served_tear_down);
    tcase_set_timeout(cases, 300);
    tcase_add_test(cases, each_index_that_is_printed_makes_its_view_keyed);
    tcase_add_test(cases, the_index_that_is_missing_is_printed);
    tcase_add_test(cases, a_definition_that_reads_other_groups_is_told_by_what_does_so);
    tcase_add_test(cases, a_declaration_that_the_proof_contradicts_is_full_unless_it_is_to_be_trusted);
    tcase_add_test(cases, a_map_counts_only_where_it_is_to_be_trusted);
    suite_add_tcase(all, cases);
    return all;
}

int main(void)
{
    return suite_run(suite());
}
