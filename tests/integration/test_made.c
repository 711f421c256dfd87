/* SPDX-License-Identifier: PostgreSQL */
/* What is ours: pgchime replaces, fills and drops a relation that it made for that, and none that has its name. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "support/cluster/dump.h"
#include "support/keyed/keyed_stage.h"
#include "support/process/files.h"
#include "support/process/suite.h"

#define VALUE(sql, expected) EXPECT_SQL(cluster, sql, expected)
#define IS_OURS(relation) "SELECT chime.is_ours('" relation "'::regclass, 'kept kept.shop_total')"
#define KEPT "SELECT coalesce(chime.kept_of(v)::text, 'none') FROM chime.view v"
/* As many columns and names as ours has: nothing but the proof tells them apart. */
#define THEIRS "CREATE TABLE kept.theirs AS SELECT 77 AS shop, 5::bigint AS n, 6::bigint AS total;"
#define IN_ITS_PLACE \
    "ALTER TABLE kept.shop_total RENAME TO was_ours;" THEIRS "ALTER TABLE kept.theirs RENAME TO shop_total;"
#define THEIR_ROWS "SELECT string_agg(t::text, ' ') FROM kept.shop_total AS t"

static const char *database; /* where the statements go */

static void set_up(void)
{
    database = "postgres";
    keyed_stage_set();
    cluster_execute(cluster, THREE_SHOPS);
    KEYED_INSTALL(cluster, "shop_total");
}

static void refused(const char *sql, const char *part)
{
    PGconn *session = cluster_connect(cluster, database);
    PGresult *result = PQexec(session, sql);
    const char *message = PQresultErrorMessage(result);

    ck_assert_msg(strstr(message, part) != NULL, "%s: %s", sql, message[0] != '\0' ? message : "it worked");
    PQclear(result);
    PQfinish(session);
}

#define STRANGER "relation kept.shop_total exists already, is owned by postgres and was not made by pgchime"

static void nothing_touches_theirs(void)
{
    refused("SELECT app.install_shop_total()", STRANGER);
    refused("SELECT app.install('shop_total', 'SELECT shop, count(*) AS n FROM orders GROUP BY shop', '{shop}', '[]')",
            STRANGER);
    refused("SELECT app.install('shop_total', 'SELECT shop, count(*) AS n FROM orders GROUP BY shop', '{shop}', '[]',"
            " p_mode => 'matview')",
            STRANGER);
    refused("SELECT chime.refresh('shop_total')", STRANGER);
    refused("SELECT chime.refresh('shop_total', true)", STRANGER);
    refused("SELECT * FROM chime.begin_backfill('shop_total', NULL, NULL, NULL)", STRANGER);
    VALUE(THEIR_ROWS, "(77,5,6)");
}

START_TEST(a_table_under_the_name_of_a_kept_relation_keeps_its_rows)
{
    cluster_execute(cluster, IN_ITS_PLACE);
    nothing_touches_theirs();
    cluster_execute(cluster, "DROP TABLE kept.was_ours");
    nothing_touches_theirs();
    cluster_execute(cluster, "ALTER TABLE kept.shop_total RENAME TO theirs; SELECT app.install_shop_total()");
    LOOK("shop_total", "full: its definition or its relation is another one");
    VALUE("SELECT string_agg(t::text, ' ') FROM kept.theirs AS t", "(77,5,6)");
}
END_TEST

START_TEST(what_was_renamed_and_came_back_is_ours)
{
    cluster_execute(cluster, IN_ITS_PLACE);
    VALUE(IS_OURS("kept.was_ours"), "t");
    VALUE(KEPT, "none");
    cluster_execute(cluster,
                    "ALTER TABLE kept.shop_total SET SCHEMA app; ALTER TABLE kept.was_ours RENAME TO shop_total");
    VALUE(KEPT, "kept.shop_total");
    AFTER("INSERT INTO app.orders (shop, amount) VALUES (1, 1)", "shop_total", "keyed 1: +0 ~1 -0");
}
END_TEST

/* The index of what was renamed has kept its name. */
START_TEST(one_made_beside_what_was_renamed_has_its_key)
{
    cluster_execute(cluster, "ALTER TABLE kept.shop_total RENAME TO was_ours; SELECT app.install_shop_total()");
    LOOK("shop_total", "full: its definition or its relation is another one");
    VALUE("SELECT indexrelid::regclass FROM pg_index WHERE indrelid = 'kept.was_ours'::regclass", "kept.shop_total_pk");
    VALUE("SELECT count(*) FROM pg_index WHERE indrelid = 'kept.shop_total'::regclass AND indisunique", "1");
    cluster_execute(
        cluster,
        "SELECT app.install_shop_total();"
        "SELECT app.install('shop_total', 'SELECT shop, count(*) AS n FROM orders GROUP BY shop', '{shop}', '[]')");
    VALUE("SELECT count(*) FROM pg_index WHERE indrelid = 'kept.shop_total'::regclass AND indisunique", "1");
    VALUE("SELECT indexrelid::regclass FROM pg_index WHERE indrelid = 'kept.was_ours'::regclass", "kept.shop_total_pk");
}
END_TEST

START_TEST(views_under_the_names_of_live_and_plain_ones_are_refused_too)
{
    cluster_execute(
        cluster,
        "DO $$ BEGIN PERFORM chime.install_plain_view('test', 'kept', 'app', 'plain', 'SELECT 1 AS one', 'a test'); "
        "END $$;"
        "ALTER VIEW kept.plain RENAME TO was_plain; CREATE VIEW kept.plain AS SELECT 2 AS theirs;"
        "ALTER VIEW kept.shop_total__live RENAME TO was_live; CREATE VIEW kept.shop_total__live AS SELECT 3 AS theirs");
    refused("SELECT chime.install_plain_view('test', 'kept', 'app', 'plain', 'SELECT 1 AS one', 'a test')",
            "relation kept.plain exists already, is owned by postgres and was not made by pgchime");
    refused("SELECT app.install_shop_total()", "relation kept.shop_total__live exists already");
    refused("SELECT chime.refresh('shop_total')", "relation kept.shop_total__live exists already");
    VALUE("SELECT concat_ws(' ', p.theirs, l.theirs) FROM kept.plain p, kept.shop_total__live l", "2 3");
}
END_TEST

START_TEST(another_relation_of_ours_under_the_name_is_not_it)
{
    cluster_execute(cluster, "CREATE TABLE kept.cold AS SELECT 77 AS shop, 5::bigint AS n, 6::bigint AS total;"
                             "SELECT chime.note_made('kept.cold', 'cold app.orders', 'cold rows');"
                             "DROP TABLE kept.shop_total; ALTER TABLE kept.cold RENAME TO shop_total");
    nothing_touches_theirs();
}
END_TEST

START_TEST(a_table_made_like_ours_is_not_ours)
{
    cluster_execute(cluster, "ALTER TABLE kept.shop_total RENAME TO was_ours;"
                             "CREATE TABLE kept.shop_total (LIKE kept.was_ours INCLUDING ALL);"
                             "INSERT INTO kept.shop_total VALUES (77, 5, 6)");
    VALUE(IS_OURS("kept.shop_total"), "f");
    nothing_touches_theirs();
    cluster_execute(cluster, "DO $$ BEGIN EXECUTE format('COMMENT ON TABLE kept.shop_total IS %L',"
                             " obj_description('kept.was_ours'::regclass)); END $$");
    VALUE(IS_OURS("kept.shop_total"), "f");
    nothing_touches_theirs();
}
END_TEST

START_TEST(a_comment_that_somebody_writes_over_ours_changes_nothing)
{
    cluster_execute(cluster, "COMMENT ON TABLE kept.shop_total IS 'totals of the sales team'");
    VALUE(KEPT, "kept.shop_total");
    AFTER("INSERT INTO app.orders (shop, amount) VALUES (1, 1)", "shop_total", "keyed 1: +0 ~1 -0");
    cluster_execute(cluster, "SELECT app.install_shop_total()");
    VALUE("SELECT obj_description('kept.shop_total'::regclass) ~ '^a test \\(pgchime [0-9a-f]{16}\\)$'", "t");
    VALUE("SELECT count(*) FROM chime.made", "3");
}
END_TEST

START_TEST(a_relation_that_was_given_to_another_role_is_still_ours)
{
    cluster_execute(cluster, "CREATE ROLE ann; ALTER TABLE kept.shop_total OWNER TO ann");
    VALUE(KEPT, "kept.shop_total");
}
END_TEST

/* --- elsewhere, where the OIDs are other ones --------------------------------------------------------------------- */

static void use_copy(void)
{
    database = "copy";
    cluster_use(cluster, database);
}

static void copy(void)
{
    dump_copy(cluster, "postgres", cluster, "copy");
    use_copy();
}

START_TEST(a_column_that_somebody_added_is_named_in_a_restored_dump_too)
{
    cluster_execute(cluster,
                    "ALTER TABLE kept.shop_total ADD COLUMN note text; UPDATE kept.shop_total SET note = 'n' || shop");
    copy();
    refused("SELECT app.install_shop_total()", "column kept.shop_total.note");
    VALUE("SELECT count(*) = count(note) AND count(*) > 0 FROM kept.shop_total", "t");
}
END_TEST

START_TEST(a_dump_brings_the_proof_along)
{
    cluster_execute(cluster, "ALTER TABLE kept.shop_total RENAME TO aside; ALTER TABLE kept.aside SET SCHEMA app;"
                             "ALTER TABLE app.aside SET SCHEMA kept; ALTER TABLE kept.aside RENAME TO shop_total");
    copy();
    VALUE("SELECT count(*) FROM chime.made m WHERE m.place = chime.place()", "0");
    VALUE(KEPT, "kept.shop_total");
    cluster_execute(cluster, "SELECT chime.recognize_made()");
    VALUE("SELECT count(*) FROM chime.made m WHERE m.place = chime.place() AND m.object IN"
          " ('kept.shop_total'::regclass, 'kept.shop_total__live'::regclass)",
          "2");
    cluster_execute(cluster, "COMMENT ON TABLE kept.shop_total IS 'mine'; SELECT app.install_shop_total()");
    AFTER("INSERT INTO app.orders (shop, amount) VALUES (9, 1)", "shop_total", SUSPECT("app.orders"));
}
END_TEST

START_TEST(a_table_in_the_place_of_ours_is_refused_after_a_dump_too)
{
    cluster_execute(cluster, IN_ITS_PLACE);
    copy();
    VALUE(IS_OURS("kept.was_ours"), "t");
    nothing_touches_theirs();
    cluster_execute(cluster, "SELECT chime.recognize_made()");
    nothing_touches_theirs();
}
END_TEST

/* Numbers of the dump that other relations happen to have where it is restored. */
START_TEST(an_oid_that_another_relation_has_elsewhere_proves_nothing)
{
    cluster_execute(cluster, IN_ITS_PLACE);
    copy();
    cluster_execute(
        cluster,
        "UPDATE chime.made m SET object = 'kept.shop_total'::regclass WHERE m.purpose = 'kept kept.shop_total'");
    VALUE(IS_OURS("kept.shop_total"), "f");
    nothing_touches_theirs();
    cluster_execute(cluster, "SELECT chime.recognize_made()");
    nothing_touches_theirs();
    VALUE(IS_OURS("kept.was_ours"), "t");
}
END_TEST

START_TEST(of_two_restored_with_one_mark_neither_is_ours)
{
    cluster_execute(cluster, IN_ITS_PLACE "DO $$ BEGIN EXECUTE format('COMMENT ON TABLE kept.shop_total IS %L',"
                                          " obj_description('kept.was_ours'::regclass)); END $$");
    VALUE(IS_OURS("kept.was_ours"), "t");
    copy();
    VALUE(IS_OURS("kept.was_ours"), "f");
    VALUE(IS_OURS("kept.shop_total"), "f");
    cluster_execute(cluster, "SELECT chime.recognize_made()");
    nothing_touches_theirs();
}
END_TEST

START_TEST(a_mark_counts_only_where_the_owner_of_the_ledger_wrote_it)
{
    cluster_execute(cluster, "CREATE ROLE mallory; GRANT ALL ON SCHEMA kept TO mallory;" IN_ITS_PLACE
                             "DO $$ BEGIN EXECUTE format('COMMENT ON TABLE kept.shop_total IS %L',"
                             " obj_description('kept.was_ours'::regclass)); END $$;"
                             "ALTER TABLE kept.shop_total OWNER TO mallory; DROP TABLE kept.was_ours");
    VALUE(IS_OURS("kept.shop_total"), "f");
    copy();
    VALUE(IS_OURS("kept.shop_total"), "f");
}
END_TEST

START_TEST(a_database_made_from_a_template_has_its_own)
{
    cluster_execute(cluster, "COMMENT ON TABLE kept.shop_total IS 'mine'");
    cluster_use(cluster, "template1");
    cluster_execute(cluster, "CREATE DATABASE copy TEMPLATE postgres");
    use_copy();
    VALUE("SELECT coalesce(chime.live_of(v)::text, 'none') FROM chime.view v", "kept.shop_total__live");
    VALUE(KEPT, "none"); /* its mark is gone: it is left, and told */
    refused("SELECT app.install_shop_total()", STRANGER);
}
END_TEST

static Suite *suite(void)
{
    Suite *all = suite_create("made");
    TCase *cases = tcase_create("made");

    tcase_add_checked_fixture(cases, set_up, served_tear_down);
    tcase_set_timeout(cases, 180);
    tcase_add_test(cases, a_table_under_the_name_of_a_kept_relation_keeps_its_rows);
    tcase_add_test(cases, what_was_renamed_and_came_back_is_ours);
    tcase_add_test(cases, one_made_beside_what_was_renamed_has_its_key);
    tcase_add_test(cases, views_under_the_names_of_live_and_plain_ones_are_refused_too);
    tcase_add_test(cases, another_relation_of_ours_under_the_name_is_not_it);
    tcase_add_test(cases, a_table_made_like_ours_is_not_ours);
    tcase_add_test(cases, a_comment_that_somebody_writes_over_ours_changes_nothing);
    tcase_add_test(cases, a_relation_that_was_given_to_another_role_is_still_ours);
    tcase_add_test(cases, a_dump_brings_the_proof_along);
    tcase_add_test(cases, a_column_that_somebody_added_is_named_in_a_restored_dump_too);
    tcase_add_test(cases, a_table_in_the_place_of_ours_is_refused_after_a_dump_too);
    tcase_add_test(cases, an_oid_that_another_relation_has_elsewhere_proves_nothing);
    tcase_add_test(cases, of_two_restored_with_one_mark_neither_is_ours);
    tcase_add_test(cases, a_mark_counts_only_where_the_owner_of_the_ledger_wrote_it);
    tcase_add_test(cases, a_database_made_from_a_template_has_its_own);
    suite_add_tcase(all, cases);
    return all;
}

int main(void)
{
    return suite_run(suite());
}
