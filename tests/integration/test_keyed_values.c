/* SPDX-License-Identifier: PostgreSQL */
/* Values that their type takes for equal need not be the same to a definition: 1.0 and 1.00, -0 and 0, '1 day' and '24
 * hours', 'A' and 'a' of citext. No change between such is lost, and no group. PGCHIME_TEST_SEED repeats what is
 * written. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "support/keyed/keyed_stage.h"
#include "support/process/files.h"
#include "support/process/suite.h"

#define ROUNDS_AGAIN 3
#define ROUNDS 6
#define ROUNDS_SOAK 200

static void set_up(void)
{
    keyed_stage_set();
    cluster_execute_file(cluster, PGCHIME_SOURCE_DIR "/tests/support/keyed/keyed_values.sql");
    keyed_tend(cluster);
}

START_TEST(what_is_equal_and_not_the_same_is_another_value)
{
    uint64_t sown = suite_seed() % 1000000;
    PGconn *writer = cluster_connect(cluster, "postgres");
    char *sow = files_path("SELECT setseed(%f)", (double)sown / 1000000);

    session_execute(writer, sow);
    EXPECT_SQL(cluster, "SELECT string_agg(relation || ': ' || full_reason, E'\\n') FROM chime.view", NULL);
    EXPECT_SQL(cluster, "SELECT app.wrong_views()", NULL);
    for (int round = suite_rounds(ROUNDS_AGAIN, ROUNDS, ROUNDS_SOAK); round > 0; round--) {
        session_execute(
            writer,
            "SELECT app.write_values(), app.write_grains() FROM generate_series(1, 1 + floor(random() * 2)::integer)");
        EXPECT_SQL(cluster, "SELECT app.wrong_views()", NULL);
    }
    PQfinish(writer);
    free(sow);
}
END_TEST

/* Marks of both lead to one group, which is computed once. */
START_TEST(a_group_is_one_group_however_its_key_is_written)
{
    cluster_execute(cluster, "CREATE TABLE app.price (v numeric, n integer); CREATE INDEX ON app.price (v)");
    EXPECT_SQL(cluster,
               "SELECT app.install('by_price', 'SELECT v, sum(n) AS n FROM price GROUP BY v', '{v}',"
               " '[{\"table\": \"price\", \"columns\": [\"v\", \"n\"]}]')",
               NULL);
    keyed_tend(cluster);
    LOOK("by_price", "full: the first time");
    AFTER("INSERT INTO app.price VALUES (2.0, 1), (2.0, 2)", "by_price", "keyed 1: +1 ~0 -0");
    AFTER("UPDATE app.price SET v = 2.00", "by_price", "keyed 1: +0 ~1 -0");
    AFTER("UPDATE app.price SET v = 2.000; DELETE FROM app.price", "by_price", "keyed 1: +0 ~0 -1");
    AFTER("INSERT INTO app.price VALUES (3.0, 1); UPDATE app.price SET v = 3.00", "by_price", "keyed 1: +1 ~0 -0");
}
END_TEST

/* A plan names no collation: lower(v) there may be one by Turkish rules. As a column of the definition it does no
 * harm. */
START_TEST(an_expression_with_a_collation_of_its_own_is_no_proof)
{
    static const char unproven[] = "its COLLATE hides from PostgreSQL's plan how rows of app.w belong to groups, so a "
                                   "group in g cannot be computed alone";

    cluster_execute(
        cluster, "CREATE TABLE app.w (id integer, v text); CREATE INDEX ON app.w (lower(v COLLATE \"tr-x-icu\"));"
                 "CREATE INDEX ON app.w (id); CREATE FUNCTION app.turkish(text) RETURNS text LANGUAGE sql IMMUTABLE AS"
                 " 'SELECT lower($1 COLLATE \"tr-x-icu\")';"
                 "CREATE FUNCTION app.over_w(definition text, grain text) RETURNS text LANGUAGE sql"
                 " RETURN app.install('over_w', definition, ARRAY[grain]::name[],"
                 " '[{\"table\": \"w\", \"columns\": [\"id\", \"v\"]}]')");
    EXPECT_SQL(cluster,
               "SELECT app.over_w('SELECT lower(v COLLATE \"tr-x-icu\") AS g, count(*) AS n FROM w GROUP BY 1', 'g')",
               unproven);
    EXPECT_SQL(cluster, "SELECT app.over_w('SELECT app.turkish(v) AS g, count(*) AS n FROM w GROUP BY 1', 'g')",
               unproven);
    EXPECT_SQL(cluster,
               "SELECT app.over_w('SELECT id, max(lower(v COLLATE \"tr-x-icu\")) AS n FROM w GROUP BY id', 'id')",
               NULL);
}
END_TEST

static Suite *suite(void)
{
    Suite *all = suite_create("keyed values");
    TCase *types = tcase_create("of all types");
    TCase *cases = tcase_create("keyed values");

    tcase_add_checked_fixture(types, set_up, served_tear_down);
    tcase_set_timeout(types, getenv("PGCHIME_TEST_SOAK") != NULL ? 3600 : 180);
    tcase_add_test(types, what_is_equal_and_not_the_same_is_another_value);
    suite_add_tcase(all, types);
    tcase_add_checked_fixture(cases, keyed_stage_set, served_tear_down);
    tcase_set_timeout(cases, 180);
    tcase_add_test(cases, a_group_is_one_group_however_its_key_is_written);
    tcase_add_test(cases, an_expression_with_a_collation_of_its_own_is_no_proof);
    suite_add_tcase(all, cases);
    return all;
}

int main(void)
{
    return suite_run(suite());
}
