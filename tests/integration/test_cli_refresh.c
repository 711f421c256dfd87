/* SPDX-License-Identifier: PostgreSQL */
/* `pgchime refresh`, `verify` and what `views` says of them, as a role of few rights and while no daemon runs. */
#include <check.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "support/cluster/cluster.h"
#include "support/daemon/commands.h"
#include "support/daemon/daemon.h"
#include "support/ledger/runs.h"
#include "support/plugin/plugin_files.h"
#include "support/process/files.h"
#include "support/process/suite.h"
#include "support/process/wait.h"

#define LANES "mv_lane_score_distribution"
#define KEPT "analytics.mv_lane_score_distribution"
#define LIVE KEPT "__live"
#define PROGRESS "mv_agent_progress"

static struct cluster *cluster;
static struct daemon *verifying;
static char *folder;
static char *plugins;
static char *configuration;
static char *output;
static char *errors;
static json_t *document;

#define ASSERT_RUN(status, ...) \
    commands_expect(status, configuration, (const char *const[]){__VA_ARGS__, NULL}, &output, &errors)

/* The row of a view in a list of the last JSON output; the first of several. */
static json_t *row_of(const char *list, const char *view)
{
    json_decref(document);
    document = json_loads(output, JSON_REJECT_DUPLICATES, NULL);
    ck_assert_msg(document != NULL, "no JSON:\n%s", output);
    size_t i;
    json_t *row;
    json_array_foreach(json_object_get(document, list), i, row)
    {
        if (strcmp(json_string_value(json_object_get(row, "relation")), view) == 0) {
            return row;
        }
    }
    ck_abort_msg("no \"%s\" in:\n%s", view, output);
}

/* Its members are these, whatever else it has. */
static void row_has(const char *list, const char *view, const char *members)
{
    json_t *expected = json_loads(members, 0, NULL);
    ck_assert_ptr_nonnull(expected);
    const char *key;
    json_t *value;
    json_t *row = row_of(list, view);
    json_object_foreach(expected, key, value)
    {
        ck_assert_msg(json_equal(json_object_get(row, key), value), "%s is not as in %s:\n%s", key, members, output);
    }
    json_decref(expected);
}

/* --- a database with two views ------------------------------------------------------------------------------------ */

/* `more`: a second name for the same database, or NULL. */
static void configure(const char *more)
{
    char *conninfo = cluster_conninfo(cluster, "app");
    char *second = more != NULL ? files_path(" %s: { conninfo = \"%s user=pgchime\"; };", more, conninfo) : NULL;
    char *text = files_path("databases: { main: { conninfo = \"%s user=pgchime\"; };%s };\nplugin_dir = \"plugins\";\n",
                            conninfo, second != NULL ? second : "");
    files_write(configuration, text);
    free(conninfo);
    free(second);
    free(text);
}

/* Three challenges of four submissions; an identifier says what it is of. */
static void load_submissions(void)
{
    cluster_execute(cluster,
                    "CREATE FUNCTION identifier(kind text, number integer) RETURNS uuid LANGUAGE sql"
                    " RETURN md5(kind || number)::uuid;"
                    "INSERT INTO submissions SELECT identifier('submission', n), identifier('agent', n % 2),"
                    " identifier('challenge', n % 3), NULL, 'scored', jsonb_build_object('speed', n, 'style', 7),"
                    " n, now() - interval '1 day' FROM generate_series(1, 12) AS n");
}

static void make_role(void)
{
    cluster_execute(cluster, "CREATE ROLE pgchime LOGIN; CREATE ROLE analytics_reader;"
                             "CREATE SCHEMA chime AUTHORIZATION pgchime; CREATE SCHEMA analytics AUTHORIZATION pgchime;"
                             "GRANT SELECT, TRIGGER ON ALL TABLES IN SCHEMA public TO pgchime");
}

/* In so small a database everything may take no longer than a group; the views are to be keyed all the same. */
static void make_everything_dear(void)
{
    cluster_execute(cluster, "UPDATE chime.view_refresh SET full_us = 1000000000");
}

static void make_folder(void)
{
    folder = files_make_directory();
    plugins = files_path("%s/plugins", folder);
    files_make_folder(plugins);
    configuration = files_path("%s/pgchime.conf", folder);
    configure(NULL);
    plugin_put(plugins, "lane_distribution");
    plugin_put(plugins, "progress");
}

static void forget_folder(void)
{
    free(plugins);
    free(folder);
    free(configuration);
}

static void make(struct cluster *made)
{
    cluster = made;
    cluster_create_database(cluster, "app");
    cluster_use(cluster, "app");
    cluster_execute_file(cluster, PGCHIME_SOURCE_DIR "/sql/sample/0_schema.sql");
    make_role();
    load_submissions();
    make_folder();
    ASSERT_RUN(0, "serve", "--once");
    EXPECT_SQL(cluster, "SELECT string_agg(coalesce(full_reason, 'keyed'), ' ') FROM chime.view", "keyed keyed");
    /* The first refresh after the triggers are there does everything. */
    ASSERT_RUN(0, "refresh", LANES);
    ASSERT_RUN(0, "refresh", PROGRESS);
    make_everything_dear();
    forget_folder();
}

static void set_up(void)
{
    static const struct cluster_template installed = {"two-views", make, NULL};

    cluster = cluster_create_from(&installed, NULL);
    cluster_use(cluster, "app");
    make_folder();
}

static void tear_down(void)
{
    daemon_destroy(verifying);
    cluster_destroy(cluster);
    forget_folder();
    free(output);
    free(errors);
    json_decref(document);
}

static void change_one_challenge(void)
{
    cluster_execute(cluster, "UPDATE submissions SET final_lane_scores = '{\"speed\": 50, \"style\": 8}'"
                             " WHERE id = identifier('submission', 1)");
}

#define EXPECT_DIFFERENCE(expected) \
    EXPECT_SQL(cluster, "SELECT missing || ' ' || surplus FROM chime.difference('" LANES "')", expected)

/* --- refresh ------------------------------------------------------------------------------------------------------ */

START_TEST(a_refresh_looks_at_the_groups_that_changed)
{
    change_one_challenge();
    EXPECT_DIFFERENCE("2 2");
    ASSERT_RUN(0, "refresh", LANES, "-o", "json");
    row_has("views", LANES,
            ("{\"database\": \"main\", \"schema\": \"analytics\", \"method\": \"keyed\", \"keys\": 1,"
             " \"rows\": 6, \"inserted\": 0, \"updated\": 2, \"deleted\": 0, \"rejected\": 0,"
             " \"reason\": null}"));
    ck_assert(json_is_real(json_object_get(row_of("views", LANES), "duration_ms")));
    EXPECT_DIFFERENCE("0 0");
    ASSERT_RUN(0, "refresh", KEPT, "-o", "json");
    row_has("views", LANES, "{\"method\": \"keyed\", \"keys\": 0, \"updated\": 0}");
}
END_TEST

START_TEST(a_full_refresh_says_why)
{
    change_one_challenge();
    ASSERT_RUN(0, "refresh", LANES, "--full", "-o", "json");
    row_has("views", LANES, "{\"method\": \"full\", \"keys\": null, \"updated\": 2, \"reason\": \"asked for\"}");
    EXPECT_DIFFERENCE("0 0");
    cluster_execute(cluster, "TRUNCATE submissions");
    ASSERT_RUN(0, "refresh", LANES);
    commands_has(output, "public.submissions was truncated");
    EXPECT_SQL(cluster, "SELECT count(*) FROM " KEPT, "0");
}
END_TEST

START_TEST(an_unknown_view_gets_a_did_you_mean)
{
    ASSERT_RUN(5, "refresh", "mv_lane_score_distributions");
    commands_has(errors, "there is no view \"mv_lane_score_distributions\"\nHINT:  did you mean \"" LANES "\"?");
    ASSERT_RUN(5, "verify", "analytic." PROGRESS);
    commands_has(errors, "HINT:  did you mean \"analytics." PROGRESS "\"?");
    ASSERT_RUN(5, "verify", "sales");
    commands_has(errors, "HINT:  pgchime views lists them");
    ck_assert_str_eq(output, "");
}
END_TEST

START_TEST(a_name_of_several_views_is_refused)
{
    configure("again");
    ASSERT_RUN(2, "refresh", LANES);
    commands_has(errors, "more than one database has a view \"" LANES "\"\nHINT:  choose one with --database NAME");
    ASSERT_RUN(0, "refresh", LANES, "--database", "again");
    configure(NULL);
    cluster_execute(cluster,
                    "INSERT INTO chime.view (view_schema, relation, plugin, key, stamps, grain, mode, definition,"
                    " search_path, refresh_full) SELECT 'other', relation, plugin, key, stamps, grain, mode,"
                    " definition, search_path, refresh_full FROM chime.view WHERE relation = '" LANES "'");
    ASSERT_RUN(2, "refresh", LANES);
    commands_has(errors, "more than one schema has a view \"" LANES "\"\n"
                         "HINT:  write \"analytics." LANES "\" or \"other." LANES "\"");
    ASSERT_RUN(0, "refresh", KEPT);
}
END_TEST

START_TEST(a_view_that_cannot_be_locked_is_refused)
{
    cluster_execute(cluster, "CREATE FUNCTION locked() RETURNS TABLE (a bigint, b bigint, c bigint, d bigint) LANGUAGE"
                             " plpgsql AS $$ BEGIN RAISE SQLSTATE '55P03' USING MESSAGE = 'canceled'; END $$;"
                             "UPDATE chime.view SET refresh_full = 'SELECT * FROM public.locked()'");
    ASSERT_RUN(6, "refresh", LANES, "--full");
    commands_has(errors, "database \"main\": view \"" KEPT "\": canceled\nHINT:  a refresh of it");
}
END_TEST

/* --- views -------------------------------------------------------------------------------------------------------- */

START_TEST(views_say_how_and_why)
{
    change_one_challenge();
    ASSERT_RUN(0, "refresh", LANES);
    ASSERT_RUN(0, "refresh", PROGRESS, "--full");
    ASSERT_RUN(0, "views", "-o", "json");
    row_has("views", LANES,
            "{\"mode\": \"auto\", \"method\": \"keyed\", \"keys\": 1, \"reason\": null, \"full_reason\": null}");
    row_has("views", PROGRESS,
            "{\"method\": \"full\", \"keys\": null, \"reason\": \"asked for\", \"full_reason\": null}");
    cluster_execute(cluster, "UPDATE chime.view SET full_reason = 'it has no grain' WHERE relation = '" PROGRESS "'");
    ASSERT_RUN(0, "refresh", PROGRESS);
    ASSERT_RUN(0, "views", "-o", "wide");
    commands_has(output, "WHY FULL");
    ASSERT_RUN(0, "views", "-o", "json");
    row_has("views", PROGRESS,
            "{\"mode\": \"auto\", \"reason\": \"it has no grain\", \"full_reason\": \"it has no grain\"}");
}
END_TEST

/* No daemon runs. */
START_TEST(views_say_how_far_they_are_behind)
{
    ASSERT_RUN(0, "views", "-o", "json");
    row_has("views", LANES,
            "{\"freshness\": \"fresh\", \"pending\": false, \"target_lag_ms\": 5000.0, \"verified_at\": null}");
    ck_assert_double_eq(json_number_value(json_object_get(row_of("views", LANES), "behind_ms")), 0);
    ASSERT_RUN(0, "views", "--stale");
    commands_has(errors, "no view is known or suspected to be late");
    change_one_challenge();
    ASSERT_RUN(0, "refresh", PROGRESS);
    cluster_execute(cluster,
                    "UPDATE chime.job SET options = options || '{\"target_lag\": \"2s\", \"warn_after\": \"none\","
                    " \"error_after\": \"none\"}' WHERE views <> '{}';"
                    "UPDATE chime.view_refresh SET behind_since = now() - interval '30 s'"
                    " WHERE relation = '" LANES "'");
    ASSERT_RUN(0, "views", "--stale", "-o", "json");
    row_has("views", LANES, "{\"freshness\": \"warn\", \"pending\": true}");
    ck_assert_msg(json_array_size(json_object_get(document, "views")) == 1, "more than one is stale:\n%s", output);
    ck_assert_double_eq(json_number_value(json_object_get(row_of("views", LANES), "target_lag_ms")), 2000);
    ck_assert_double_ge(json_number_value(json_object_get(row_of("views", LANES), "behind_ms")), 30000);
    ASSERT_RUN(0, "views");
    commands_has(output, "FRESH");
    commands_has(output, "BEHIND");
    commands_has(output, "TARGET");
    commands_has(output, "warn");
    ASSERT_RUN(0, "refresh", LANES);
    ASSERT_RUN(0, "views", "-o", "json");
    row_has("views", LANES, "{\"freshness\": \"fresh\", \"pending\": false}");
}
END_TEST

START_TEST(the_shell_is_offered_the_names_of_views)
{
    ASSERT_RUN(0, "complete", "--", "--config", configuration, "refresh", "");
    ck_assert_str_eq(output, PROGRESS "\t\n" LANES "\t\n");
    ASSERT_RUN(0, "complete", "--", "--config", configuration, "verify", "analytics.mv_a");
    ck_assert_str_eq(output, "analytics." PROGRESS "\t\n");
}
END_TEST

/* --- verify ------------------------------------------------------------------------------------------------------- */

/* Everything that a refresh leaves behind. */
static char *what_is_there(void)
{
    return cluster_rows(cluster, "SELECT xmin, ctid, to_jsonb(r) FROM chime.view_refresh r UNION ALL"
                                 " SELECT xmin, ctid, to_jsonb(k) FROM " KEPT " k ORDER BY 3");
}

static void nothing_changed_since(char *before)
{
    char *after = what_is_there();
    ck_assert_msg(strcmp(after, before) == 0, "what a refresh writes is not as it was");
    free(after);
    free(before);
}

/* Behind everybody's back: no trigger fires. */
static void falsify(void)
{
    cluster_execute(cluster, "SET session_replication_role = replica;"
                             "UPDATE " KEPT " SET mean_score = 99 WHERE lane_key = 'style'"
                             " AND challenge_id = identifier('challenge', 2);"
                             "RESET session_replication_role");
}

START_TEST(a_view_that_is_only_behind_is_right)
{
    change_one_challenge();
    char *before = what_is_there();
    ASSERT_RUN(0, "verify", "-o", "json");
    row_has("views", LANES,
            "{\"state\": \"OK\", \"rows\": 6, \"missing\": 0, \"surplus\": 0, \"method\": \"keyed\","
            " \"repaired\": false}");
    row_has("views", PROGRESS, "{\"state\": \"OK\", \"missing\": 0, \"surplus\": 0}");
    ck_assert_uint_eq(json_array_size(json_object_get(document, "differences")), 0);
    nothing_changed_since(before);
    EXPECT_DIFFERENCE("2 2");
    ASSERT_RUN(0, "verify", LANES);
    commands_has(output, "OK");
    ck_assert_msg(strstr(output, PROGRESS) == NULL, "%s", output);
}
END_TEST

START_TEST(a_wrong_row_is_found_and_named)
{
    falsify();
    char *before = what_is_there();
    ASSERT_RUN(7, "verify", "-o", "json");
    row_has("views", LANES,
            "{\"state\": \"DIFFERS\", \"rows\": 6, \"missing\": 1, \"surplus\": 1, \"repaired\": false}");
    row_has("views", PROGRESS, "{\"state\": \"OK\"}");
    json_t *rows = json_object_get(document, "differences");
    ck_assert_uint_eq(json_array_size(rows), 2);
    static const char *const sides[] = {"surplus", "missing"};
    static const double scores[] = {99, 7};
    for (size_t i = 0; i < 2; i++) {
        json_t *line = json_object_get(json_array_get(rows, i), "row");
        ck_assert_str_eq(json_string_value(json_object_get(json_array_get(rows, i), "side")), sides[i]);
        ck_assert_str_eq(json_string_value(json_object_get(line, "lane_key")), "style");
        ck_assert_double_eq(json_number_value(json_object_get(line, "mean_score")), scores[i]);
    }
    ASSERT_RUN(7, "verify", LANES);
    commands_has(output, "DIFFERS");
    commands_has(output, "surplus challenge_id = ");
    commands_has(output, ", lane_key = style ");
    nothing_changed_since(before);
}
END_TEST

START_TEST(ten_rows_of_many_are_shown)
{
    cluster_execute(cluster,
                    "INSERT INTO " KEPT " (challenge_id, lane_key) SELECT identifier('no challenge', n), 'speed'"
                    " FROM generate_series(1, 11) AS n");
    ASSERT_RUN(7, "verify", LANES, "-o", "json");
    row_has("views", LANES, "{\"missing\": 0, \"surplus\": 11, \"rows\": 17}");
    ck_assert_uint_eq(json_array_size(json_object_get(document, "differences")), 10);
}
END_TEST

START_TEST(a_repair_makes_it_right_and_says_so)
{
    falsify();
    ASSERT_RUN(7, "verify", "--repair", "-o", "json");
    row_has("views", LANES, "{\"state\": \"DIFFERS\", \"repaired\": true}");
    row_has("views", PROGRESS, "{\"state\": \"OK\", \"repaired\": false}");
    commands_has(errors, "view \"" KEPT "\" was repaired by a full refresh: 0 inserted, 1 updated, 0 deleted");
    EXPECT_DIFFERENCE("0 0");
    EXPECT_SQL(cluster, "SELECT reason FROM chime.view_refresh WHERE relation = '" LANES "'", "asked for");
    ASSERT_RUN(0, "verify", LANES);
}
END_TEST

static void keep_lanes_as_a_materialized_view(void)
{
    char *parts = files_path("%s/conf.d", folder);
    char *part = files_path("%s/lane.conf", parts);
    char *text = files_read(configuration);
    char *all = files_path("%sconf_dir = \"conf.d\";\n", text);
    files_make_folder(parts);
    files_write(configuration, all);
    files_write(part, "plugin: { name = \"lane_distribution\"; modes: { " LANES " = \"matview\"; }; };");
    ASSERT_RUN(0, "serve", "--once");
    free(parts);
    free(part);
    free(text);
    free(all);
}

/* Its live view shows other rows each time it is read, so it cannot be right. */
START_TEST(a_materialized_view_is_refreshed_verified_and_repaired_without_counts)
{
    keep_lanes_as_a_materialized_view();
    ASSERT_RUN(0, "refresh", LANES, "-o", "json");
    row_has("views", LANES,
            "{\"method\": \"matview\", \"rows\": 6, \"inserted\": null, \"reason\": \"its mode is matview\"}");
    ASSERT_RUN(0, "verify", LANES, "-o", "json");
    row_has("views", LANES,
            "{\"state\": \"OK\", \"rows\": 6, \"missing\": 0, \"surplus\": 0, \"method\": \"matview\"}");
    cluster_execute(
        cluster, "SET ROLE pgchime; CREATE SEQUENCE analytics.turns; DO $$ BEGIN EXECUTE format('CREATE OR REPLACE VIEW"
                 " " LIVE " AS SELECT d.* FROM (%s) AS d WHERE nextval(''analytics.turns'') %% 4 < 2',"
                 " rtrim(pg_get_viewdef('" LIVE "'::regclass), ';')); END $$; RESET ROLE");
    ASSERT_RUN(7, "verify", LANES, "--repair", "-o", "json");
    row_has("views", LANES, "{\"state\": \"DIFFERS\", \"repaired\": true, \"method\": \"matview\"}");
    commands_has(errors, "view \"" KEPT "\" was repaired by a full refresh\n");
}
END_TEST

START_TEST(a_refresh_that_commits_meanwhile_is_waited_for)
{
    PGconn *other = cluster_connect(cluster, "app");
    PQclear(PQexec(other, "BEGIN"));
    PGresult *refreshed = PQexec(other, "SELECT method FROM chime.refresh('" LANES "')");
    ck_assert_int_eq(PQresultStatus(refreshed), PGRES_TUPLES_OK);
    PQclear(refreshed);
    verifying = daemon_start((const char *const[]){"--config", configuration, "verify", LANES, NULL});
    WAIT_SQL(
        cluster,
        "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pgchime command' AND wait_event_type = 'Lock'",
        "1", 10);
    PGresult *committed = PQexec(other, "COMMIT");
    ck_assert_int_eq(PQresultStatus(committed), PGRES_COMMAND_OK);
    PQclear(committed);
    PQfinish(other);
    int status = daemon_wait(verifying, 30);
    char *said = daemon_errors(verifying);
    ck_assert_msg(status == 0, "status %d: %s", status, said);
    ck_assert_str_eq(said, "");
    free(said);
}
END_TEST

START_TEST(one_view_that_fails_does_not_hide_the_others)
{
    cluster_execute(cluster, "ALTER VIEW analytics." PROGRESS "__live RENAME TO gone");
    ASSERT_RUN(1, "verify", "-o", "json");
    commands_has(errors, "view \"analytics." PROGRESS "\": relation \"analytics." PROGRESS "__live\" does not exist");
    row_has("views", LANES, "{\"state\": \"OK\"}");
    falsify();
    ASSERT_RUN(7, "verify");
    ASSERT_RUN(1, "verify", PROGRESS);
    ck_assert_str_eq(output, "");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("cli_refresh");
    TCase *tests = tcase_create("cli_refresh");
    tcase_set_timeout(tests, 120);
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, a_refresh_looks_at_the_groups_that_changed);
    tcase_add_test(tests, a_full_refresh_says_why);
    tcase_add_test(tests, an_unknown_view_gets_a_did_you_mean);
    tcase_add_test(tests, a_name_of_several_views_is_refused);
    tcase_add_test(tests, a_view_that_cannot_be_locked_is_refused);
    tcase_add_test(tests, views_say_how_and_why);
    tcase_add_test(tests, views_say_how_far_they_are_behind);
    tcase_add_test(tests, the_shell_is_offered_the_names_of_views);
    tcase_add_test(tests, a_view_that_is_only_behind_is_right);
    tcase_add_test(tests, a_wrong_row_is_found_and_named);
    tcase_add_test(tests, ten_rows_of_many_are_shown);
    tcase_add_test(tests, a_repair_makes_it_right_and_says_so);
    tcase_add_test(tests, a_materialized_view_is_refreshed_verified_and_repaired_without_counts);
    tcase_add_test(tests, a_refresh_that_commits_meanwhile_is_waited_for);
    tcase_add_test(tests, one_view_that_fails_does_not_hide_the_others);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
