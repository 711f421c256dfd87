/* SPDX-License-Identifier: PostgreSQL */
/* `pgchime plugins adopt`: relations that a host's own scripts made give way to a plugin's, and come back. */
#include <check.h>
#include <jansson.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/cluster/cluster.h"
#include "support/daemon/commands.h"
#include "support/daemon/daemon.h"
#include "support/ledger/runs.h"
#include "support/plugin/plugin_files.h"
#include "support/process/files.h"
#include "support/process/process.h"
#include "support/process/suite.h"
#include "support/process/wait.h"

#define PLUGIN "lane_distribution"
#define NAME "mv_lane_score_distribution"
#define RELATION "analytics." NAME
#define ASIDE RELATION "_before_adoption"
#define COUNT_OF_READERS "SELECT count(*) FROM " RELATION

static struct cluster *cluster;
static struct daemon *other; /* a leader, or a command under way */
static char *folder;
static char *plugins;
static char *configuration;
static char *output;
static char *errors;
static json_t *document;

#define ASSERT_RUN(status, ...) \
    commands_expect(status, configuration, (const char *const[]){__VA_ARGS__, NULL}, &output, &errors)
#define ADOPT(...) "plugins", "adopt", __VA_ARGS__

/* The line of the last JSON output with that object has this action and, unless NULL, SQL and reason with these
 * parts. */
static void line_is(const char *object, const char *action, const char *statement, const char *reason)
{
    json_decref(document);
    document = json_loads(output, JSON_REJECT_DUPLICATES, NULL);
    size_t i;
    json_t *row;
    json_array_foreach(json_object_get(document, "objects"), i, row)
    {
        const char *sql = json_string_value(json_object_get(row, "statement"));
        const char *why = json_string_value(json_object_get(row, "reason"));
        if (strcmp(json_string_value(json_object_get(row, "object")), object) == 0 &&
            strcmp(json_string_value(json_object_get(row, "action")), action) == 0 &&
            (statement == NULL || (sql != NULL && strstr(sql, statement) != NULL)) &&
            (reason == NULL || (why != NULL && strstr(why, reason) != NULL))) {
            return;
        }
    }
    ck_abort_msg("no %s of \"%s\" with \"%s\" and \"%s\" in:\n%s", action, object, statement, reason, output);
}

/* --- a database whose owner made the view by a script ------------------------------------------------------------- */

static void make_roles(void)
{
    cluster_execute(cluster, "CREATE ROLE pgchime LOGIN; CREATE ROLE analytics_reader; CREATE ROLE ann LOGIN;"
                             "CREATE SCHEMA chime AUTHORIZATION pgchime; CREATE SCHEMA analytics AUTHORIZATION pgchime;"
                             "GRANT SELECT, TRIGGER ON ALL TABLES IN SCHEMA public TO pgchime;"
                             "CREATE SCHEMA ann AUTHORIZATION ann; GRANT USAGE ON SCHEMA analytics TO ann");
}

/* Twenty challenges with two lanes each; the old view counts one lane of half of them, as of some time ago. */
static void load_submissions(void)
{
    cluster_execute(cluster, "INSERT INTO submissions SELECT md5('s' || n)::uuid, md5('a' || n % 3)::uuid,"
                             " md5('c' || n % 20)::uuid, NULL, 'scored', jsonb_build_object('speed', n, 'style', 7), n,"
                             " now() - interval '1 day' FROM generate_series(1, 200) AS n");
}

static void make_old(void)
{
    cluster_execute(cluster, "SET ROLE pgchime; CREATE MATERIALIZED VIEW " RELATION
                             " AS SELECT challenge_id, 'speed'::text AS lane_key, count(*) AS sample_count,"
                             " 1.5::float8 AS mean_score, max(created_at) AS old_only FROM public.submissions"
                             " GROUP BY challenge_id ORDER BY challenge_id LIMIT 10;"
                             "CREATE UNIQUE INDEX idx_mv_lane_dist_pk ON " RELATION " (challenge_id);"
                             "CREATE INDEX \"Old Index\" ON " RELATION " (old_only);"
                             "GRANT SELECT ON " RELATION " TO ann WITH GRANT OPTION; ANALYZE " RELATION "; RESET ROLE");
}

static void configure(void)
{
    folder = files_make_directory();
    plugins = files_path("%s/plugins", folder);
    files_make_folder(plugins);
    configuration = commands_configure(cluster, "pgchime", "app", folder, "plugin_dir = \"plugins\";\n");
    plugin_put(plugins, PLUGIN);
}

static void forget_configuration(void)
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
    make_roles();
    load_submissions();
    make_old();
    configure();
    ASSERT_RUN(0, "serve", "--once");
    EXPECT_SQL(cluster, "SELECT state FROM chime.plugin", "failed");
    forget_configuration();
}

static void set_up(void)
{
    static const struct cluster_template scripted = {"scripted", make, NULL};

    cluster = cluster_create_from(&scripted, NULL);
    cluster_use(cluster, "app");
    configure();
}

static void tear_down(void)
{
    daemon_destroy(other);
    cluster_destroy(cluster);
    forget_configuration();
    free(output);
    free(errors);
    json_decref(document);
}

static void nothing_was_done(void)
{
    EXPECT_SQL(cluster, "SELECT relkind FROM pg_class WHERE oid = '" RELATION "'::regclass", "m");
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.adoption", "0");
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.view", "0");
    EXPECT_SQL(cluster, "SELECT to_regclass('" RELATION "__live')", NULL);
    EXPECT_SQL(cluster, "SELECT count(*) FROM pg_class WHERE relname LIKE 'adopting%' OR relname = 'adoption_shape'",
               "0");
}

static void it_is_adopted(void)
{
    EXPECT_SQL(cluster,
               "SELECT concat_ws(' ', relkind, pg_get_userbyid(relowner)) FROM pg_class WHERE oid = '" RELATION
               "'::regclass",
               "r pgchime");
    EXPECT_SQL(cluster, "SELECT missing + surplus FROM chime.difference('" NAME "')", "0");
    EXPECT_SQL(cluster, COUNT_OF_READERS, "40");
    EXPECT_SQL(cluster, "SELECT count(*) FROM " ASIDE, "10");
}

static void it_is_back(void)
{
    EXPECT_SQL(cluster, "SELECT relkind FROM pg_class WHERE oid = '" RELATION "'::regclass", "m");
    EXPECT_SQL(cluster, COUNT_OF_READERS, "10");
    EXPECT_SQL(cluster, "SELECT to_regclass('" ASIDE "')", NULL);
    EXPECT_SQL(cluster, "SELECT to_regclass('" RELATION "__live')", NULL);
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.view", "0");
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.adoption", "0");
    EXPECT_SQL(cluster,
               "SELECT string_agg(c.relname, ' ' ORDER BY c.relname) FROM pg_index i"
               " JOIN pg_class c ON c.oid = i.indexrelid WHERE i.indrelid = '" RELATION "'::regclass",
               "Old Index idx_mv_lane_dist_pk");
}

/* --- taking over -------------------------------------------------------------------------------------------------- */

START_TEST(the_plan_says_what_is_there_and_changes_nothing)
{
    cluster_execute(cluster, "GRANT UPDATE ON " RELATION " TO ann");
    cluster_execute(cluster, "UPDATE pg_class SET reltuples = 7 WHERE oid = '" RELATION
                             "'::regclass"); /* counted, not estimated */
    ASSERT_RUN(0, ADOPT(PLUGIN, "--dry-run", "-o", "json"));
    line_is(RELATION, "aside", "ALTER MATERIALIZED VIEW " RELATION " RENAME TO " NAME "_before_adoption", NULL);
    line_is("analytics.\"Old Index\"", "aside", NULL, "goes with");
    line_is("SELECT of ann on " RELATION, "grant", "GRANT SELECT ON " RELATION " TO ann WITH GRANT OPTION", NULL);
    line_is("UPDATE of ann on " RELATION, "leave", NULL, "nobody else writes");
    line_is(RELATION ".old_only", "note", NULL, "no such column");
    line_is(RELATION ".mean_score", "note", NULL, "is double precision, will be numeric");
    ck_assert_ptr_nonnull(strstr(output, "\"rows\": 10"));
    nothing_was_done();
    ASSERT_RUN(6, ADOPT(PLUGIN));
    commands_has(errors, "there is no terminal to ask at");
    nothing_was_done();
}
END_TEST

START_TEST(the_new_relation_is_filled_readable_and_installed_as_any_other)
{
    ASSERT_RUN(0, ADOPT(PLUGIN, "--yes"));
    commands_has(errors, "\"" NAME "\" is pgchime's, rows: 40; the old one is called \"" NAME "_before_adoption\"");
    commands_has(errors, "when pgchime serve starts");
    it_is_adopted();
    EXPECT_SQL(cluster, "SET ROLE ann; " COUNT_OF_READERS, "40");
    cluster_execute(cluster, "RESET ROLE");
    EXPECT_SQL(cluster, "SELECT has_table_privilege('ann', '" RELATION "', 'SELECT WITH GRANT OPTION')", "t");
    EXPECT_SQL(cluster, "SELECT has_table_privilege('analytics_reader', '" RELATION "', 'SELECT')", "t");
    EXPECT_SQL(cluster,
               "SELECT indrelid = '" RELATION "'::regclass AND indisunique FROM pg_index"
               " WHERE indexrelid = 'analytics.idx_mv_lane_dist_pk'::regclass",
               "t");
    EXPECT_SQL(cluster, "SELECT rows FROM chime.view_refresh WHERE refreshed_at IS NOT NULL", "40");
    ASSERT_RUN(0, "serve", "--once");
    EXPECT_SQL(cluster, "SELECT state FROM chime.plugin", "installed");
    EXPECT_SQL(cluster, "SELECT full_reason FROM chime.view", NULL);
    it_is_adopted();
    ASSERT_RUN(0, ADOPT(PLUGIN, "--yes"));
    commands_has(errors, "nothing to adopt");
    ASSERT_RUN(0, "refresh", NAME);
    it_is_adopted();
}
END_TEST

START_TEST(a_view_in_matview_mode_stays_one_and_comes_back)
{
    plugin_mode(configuration, folder, PLUGIN, NAME, "matview");
    cluster_execute(cluster,
                    "SET ROLE pgchime; CREATE VIEW analytics.report AS SELECT lane_key FROM " RELATION "; RESET ROLE");
    ASSERT_RUN(0, ADOPT(PLUGIN, "--yes"));
    for (int i = 0; i < 2; i++) {
        EXPECT_SQL(cluster,
                   "SELECT concat_ws(' ', relkind, relispopulated) FROM pg_class WHERE oid = '" RELATION "'::regclass",
                   "m t");
        EXPECT_SQL(cluster, "SELECT missing + surplus FROM chime.difference('" NAME "')", "0");
        EXPECT_SQL(cluster, "SELECT count(*) FROM analytics.report", "40");
        EXPECT_SQL(cluster, "SELECT has_table_privilege('ann', '" RELATION "', 'SELECT WITH GRANT OPTION')", "t");
        EXPECT_SQL(cluster, "SELECT count(*) FROM " ASIDE, "10");
        ASSERT_RUN(0, "serve", "--once");
    }
    EXPECT_SQL(cluster, "SELECT state FROM chime.plugin", "installed");
    EXPECT_SQL(cluster, "SELECT full_reason FROM chime.view", "its mode is matview");
    cluster_execute(cluster, "DELETE FROM submissions WHERE challenge_id = md5('c0')::uuid");
    ASSERT_RUN(0, "refresh", NAME);
    EXPECT_SQL(cluster, COUNT_OF_READERS, "38");
    EXPECT_SQL(cluster, "SELECT method FROM chime.view_refresh", "matview");
    plugin_take(plugins, PLUGIN);
    ASSERT_RUN(0, "serve", "--once");
    ASSERT_RUN(0, ADOPT(PLUGIN, "--rollback", "--yes"));
    it_is_back();
    EXPECT_SQL(cluster, "SELECT count(*) FROM analytics.report", "10");
}
END_TEST

START_TEST(views_on_the_old_one_read_the_new_one_with_their_options)
{
    cluster_execute(cluster,
                    "SET ROLE pgchime; CREATE VIEW analytics.report WITH (security_barrier) AS"
                    " SELECT challenge_id, lane_key, sample_count FROM " RELATION ";"
                    "CREATE VIEW analytics.lanes AS SELECT count(DISTINCT lane_key) AS n FROM analytics.report;"
                    "CREATE FUNCTION analytics.challenges() RETURNS bigint LANGUAGE sql"
                    " BEGIN ATOMIC SELECT count(DISTINCT challenge_id) FROM " RELATION "; END;"
                    "GRANT SELECT ON analytics.report TO ann; RESET ROLE");
    EXPECT_SQL(cluster, "SELECT n FROM analytics.lanes", "1");
    ASSERT_RUN(0, ADOPT(PLUGIN, "--yes", "-o", "json"));
    line_is("analytics.report", "rebind", "CREATE OR REPLACE VIEW analytics.report WITH (security_barrier=true)", NULL);
    it_is_adopted();
    EXPECT_SQL(cluster, "SELECT n FROM analytics.lanes", "2");
    EXPECT_SQL(cluster, "SELECT analytics.challenges()", "20");
    EXPECT_SQL(cluster, "SELECT reloptions::text FROM pg_class WHERE oid = 'analytics.report'::regclass",
               "{security_barrier=true}");
    EXPECT_SQL(cluster, "SELECT has_table_privilege('ann', 'analytics.report', 'SELECT')", "t");
}
END_TEST

START_TEST(a_table_of_another_name_for_its_columns_gives_its_grants_by_column)
{
    cluster_execute(cluster,
                    "DROP MATERIALIZED VIEW " RELATION ";"
                    "SET ROLE pgchime; CREATE TABLE " RELATION " (challenge_id uuid PRIMARY KEY, lane_key text,"
                    " sample_count bigint, mine serial); GRANT SELECT (lane_key, mine), INSERT ON " RELATION
                    " TO ann; RESET ROLE");
    ASSERT_RUN(0, ADOPT(PLUGIN, "--yes"));
    EXPECT_SQL(cluster, "SELECT has_column_privilege('ann', '" RELATION "', 'lane_key', 'SELECT')", "t");
    EXPECT_SQL(cluster, "SELECT has_column_privilege('ann', '" RELATION "', 'sample_count', 'SELECT')", "f");
    EXPECT_SQL(cluster, "SELECT has_table_privilege('ann', '" RELATION "', 'INSERT')", "f");
    EXPECT_SQL(cluster, COUNT_OF_READERS, "40");
}
END_TEST

START_TEST(a_plain_view_gives_way_to_a_plain_view)
{
    plugin_put(plugins, "query_performance");
    cluster_execute(cluster, "SET ROLE pgchime; CREATE VIEW analytics.v_agent_query_performance AS SELECT 1 AS one;"
                             "GRANT SELECT ON analytics.v_agent_query_performance TO ann; RESET ROLE");
    ASSERT_RUN(0, ADOPT("query_performance", "--yes"));
    EXPECT_SQL(cluster, "SELECT plugin FROM chime.plain_view WHERE relation = 'v_agent_query_performance'",
               "query_performance");
    EXPECT_SQL(cluster, "SELECT has_table_privilege('ann', 'analytics.v_agent_query_performance', 'SELECT')", "t");
    EXPECT_SQL(cluster, "SELECT one FROM analytics.v_agent_query_performance_before_adoption", "1");
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.view_refresh WHERE refreshed_at IS NULL", "0");
}
END_TEST

START_TEST(a_daemon_that_leads_installs_the_rest)
{
    other = daemon_start((const char *const[]){"--config", configuration, "serve", NULL});
    WAIT_FOR(daemon_said(other, "leading as epoch"), 30);
    ASSERT_RUN(0, ADOPT(PLUGIN, "--yes"));
    WAIT_SQL(cluster, "SELECT state FROM chime.plugin", "installed", 30);
    EXPECT_SQL(cluster, "SELECT count(*) > 0 FROM chime.plugin_function", "t");
    it_is_adopted();
}
END_TEST

/* --- what stands in the way --------------------------------------------------------------------------------------- */

START_TEST(a_relation_of_another_role_is_refused_with_the_sql_for_its_owner)
{
    cluster_execute(cluster, "ALTER MATERIALIZED VIEW " RELATION " OWNER TO ann");
    ASSERT_RUN(6, ADOPT(PLUGIN, "--yes", "-o", "json"));
    line_is(RELATION, "block",
            "ALTER MATERIALIZED VIEW " RELATION " OWNER TO pgchime; GRANT SELECT ON " RELATION " TO ann",
            "belongs to ann");
    nothing_was_done();
    cluster_execute(cluster,
                    "ALTER MATERIALIZED VIEW " RELATION " OWNER TO pgchime; GRANT SELECT ON " RELATION " TO ann");
    ASSERT_RUN(0, ADOPT(PLUGIN, "--yes"));
    it_is_adopted();
    EXPECT_SQL(cluster, "SELECT has_table_privilege('ann', '" RELATION "', 'SELECT')", "t");
}
END_TEST

START_TEST(what_cannot_be_bound_anew_is_named)
{
    cluster_execute(cluster,
                    "SET ROLE ann; CREATE VIEW ann.report AS SELECT challenge_id FROM " RELATION ";"
                    "CREATE TABLE ann.copies (it " RELATION "); RESET ROLE; SET ROLE pgchime;"
                    "CREATE VIEW analytics.lost AS SELECT old_only FROM " RELATION ";"
                    "CREATE MATERIALIZED VIEW analytics.kept AS SELECT lane_key FROM " RELATION "; RESET ROLE");
    ASSERT_RUN(6, ADOPT(PLUGIN, "--yes", "-o", "json"));
    line_is("ann.report", "block", "DROP VIEW ann.report", "belongs to ann");
    line_is("ann.copies.it", "block", NULL, "cannot be bound to another relation");
    line_is("analytics.lost", "block", "DROP VIEW analytics.lost", "which has no old_only any more");
    line_is("analytics.kept", "block", "DROP MATERIALIZED VIEW analytics.kept", "make it again afterwards");
    commands_has(errors, "4 things have to be done before");
    nothing_was_done();
}
END_TEST

START_TEST(a_view_that_does_not_go_with_the_new_types_stops_all_of_it)
{
    cluster_execute(cluster, "SET ROLE pgchime;"
                             "CREATE VIEW analytics.means AS SELECT mean_score FROM " RELATION "; RESET ROLE");
    ASSERT_RUN(6, ADOPT(PLUGIN, "--yes"));
    commands_has(errors, "view analytics.means cannot be kept with the new columns");
    nothing_was_done();
}
END_TEST

/* Else every write to the table would fail from then on. */
START_TEST(triggers_that_refresh_it_have_to_be_disabled_before)
{
    cluster_execute(
        cluster,
        "CREATE FUNCTION refresh_lanes() RETURNS void LANGUAGE plpgsql AS"
        " 'BEGIN REFRESH MATERIALIZED VIEW CONCURRENTLY " RELATION "; END';"
        "CREATE FUNCTION on_submission() RETURNS trigger LANGUAGE plpgsql SECURITY DEFINER AS"
        " 'BEGIN PERFORM refresh_lanes(); RETURN NULL; END';"
        "CREATE TRIGGER keep_lanes AFTER INSERT ON submissions EXECUTE FUNCTION on_submission();"
        "CREATE SCHEMA cron; CREATE TABLE cron.job (jobid bigint, jobname text, command text, username text);"
        "INSERT INTO cron.job VALUES (7, 'lanes', 'SELECT refresh_lanes()', 'ann'), (8, 'other', 'VACUUM', 'ann'),"
        " (9, NULL, 'refresh materialized view " NAME ";', 'ann');"
        "GRANT USAGE ON SCHEMA cron TO pgchime; GRANT SELECT ON cron.job TO pgchime");
    ASSERT_RUN(6, ADOPT(PLUGIN, "--yes", "-o", "json"));
    line_is("keep_lanes ON public.submissions", "block", "ALTER TABLE public.submissions DISABLE TRIGGER keep_lanes",
            "every write to public.submissions would fail");
    line_is("public.refresh_lanes()", "note", NULL, "it will fail");
    line_is("lanes", "note", "SELECT cron.unschedule(7)", "it will fail");
    line_is("9", "note", "SELECT cron.unschedule(9)", NULL);
    ck_assert_ptr_null(strstr(output, "unschedule(8)"));
    nothing_was_done();
    cluster_execute(cluster, "ALTER TABLE public.submissions DISABLE TRIGGER keep_lanes");
    ASSERT_RUN(0, ADOPT(PLUGIN, "--yes"));
    it_is_adopted();
}
END_TEST

START_TEST(rows_that_only_some_may_read_are_not_opened_to_all)
{
    cluster_execute(cluster, "DROP MATERIALIZED VIEW " RELATION "; SET ROLE pgchime; CREATE TABLE " RELATION
                             " (challenge_id uuid, lane_key text); ALTER TABLE " RELATION
                             " ENABLE ROW LEVEL SECURITY; RESET ROLE");
    ASSERT_RUN(6, ADOPT(PLUGIN, "--yes", "-o", "json"));
    line_is(RELATION, "block", "DISABLE ROW LEVEL SECURITY", "row-level security");
    cluster_execute(cluster, "DROP TABLE " RELATION "; SET ROLE pgchime; CREATE VIEW " RELATION
                             " WITH (security_invoker) AS SELECT 1 AS one; RESET ROLE");
    ASSERT_RUN(6, ADOPT(PLUGIN, "--yes", "-o", "json"));
    line_is(RELATION, "block", "RESET (security_invoker)", NULL);
}
END_TEST

START_TEST(an_unknown_plugin_gets_a_did_you_mean)
{
    ASSERT_RUN(5, ADOPT("lane_distributio", "--yes"));
    commands_has(errors, "HINT:  did you mean \"" PLUGIN "\"?");
    ASSERT_RUN(5, ADOPT(PLUGIN, "--rollback"));
    commands_has(errors, "has adopted nothing");
}
END_TEST

/* --- the way back ------------------------------------------------------------------------------------------------- */

START_TEST(a_rollback_puts_the_old_one_back_once_the_plugin_is_not_in_use)
{
    cluster_execute(cluster, "SET ROLE pgchime; CREATE VIEW analytics.report AS SELECT lane_key FROM " RELATION ";"
                             "RESET ROLE");
    ASSERT_RUN(0, ADOPT(PLUGIN, "--yes"));
    ASSERT_RUN(0, "serve", "--once");
    cluster_execute(cluster, "GRANT SELECT ON " RELATION " TO PUBLIC");
    ASSERT_RUN(6, ADOPT(PLUGIN, "--rollback", "--yes"));
    commands_has(errors, "it is in use");
    it_is_adopted();
    plugin_take(plugins, PLUGIN);
    ASSERT_RUN(0, "serve", "--once");
    ASSERT_RUN(0, ADOPT(PLUGIN, "--rollback", "--dry-run", "-o", "json"));
    line_is(ASIDE, "back", "RENAME TO " NAME, NULL);
    line_is(RELATION, "drop", "DROP TABLE " RELATION, NULL);
    line_is("analytics.report", "rebind", NULL, NULL);
    ck_assert_ptr_nonnull(strstr(output, "\"rows\": 40"));
    ck_assert_ptr_nonnull(strstr(output, "\"rows\": 10"));
    it_is_adopted();
    ASSERT_RUN(0, ADOPT(PLUGIN, "--rollback", "--yes"));
    it_is_back();
    EXPECT_SQL(cluster, "SELECT count(*) FROM analytics.report", "10");
    EXPECT_SQL(cluster, "SELECT has_table_privilege('ann', '" RELATION "', 'SELECT')", "t");
    ASSERT_RUN(0, "plugins", "purge", PLUGIN, "--yes");
    it_is_back();
    plugin_put(plugins, PLUGIN);
    ASSERT_RUN(0, ADOPT(PLUGIN, "--yes"));
    it_is_adopted();
}
END_TEST

/* Another plugin reads what goes: its live view is pgchime's own, and nobody has to see to it. */
START_TEST(a_rollback_drops_no_table_that_took_the_name_meanwhile)
{
    ASSERT_RUN(0, ADOPT(PLUGIN, "--yes"));
    plugin_take(plugins, PLUGIN);
    ASSERT_RUN(0, "serve", "--once");
    cluster_execute(cluster, "ALTER TABLE " RELATION " RENAME TO was_kept; SET ROLE pgchime;"
                             "CREATE TABLE " RELATION " AS SELECT 7 AS theirs; RESET ROLE");
    ASSERT_RUN(6, ADOPT(PLUGIN, "--rollback", "--dry-run", "-o", "json"));
    line_is(RELATION, "block", "ALTER TABLE " RELATION " RENAME TO ...", "has the name by now, and is not pgchime's");
    ASSERT_RUN(6, ADOPT(PLUGIN, "--rollback", "--yes"));
    EXPECT_SQL(cluster, "SELECT theirs FROM " RELATION, "7");
    cluster_execute(cluster, "ALTER TABLE " RELATION " RENAME TO theirs");
    ASSERT_RUN(0, ADOPT(PLUGIN, "--rollback", "--yes"));
    EXPECT_SQL(cluster, "SELECT count(old_only) FROM " RELATION, "10");
    EXPECT_SQL(cluster, "SELECT theirs FROM analytics.theirs", "7");
}
END_TEST

/* His column holds what is nowhere else: refused, also where he adds it while the command waits for the relation. */
START_TEST(a_rollback_drops_no_column_that_somebody_added)
{
    PGconn *his = cluster_connect(cluster, "app");

    ASSERT_RUN(0, ADOPT(PLUGIN, "--yes"));
    plugin_take(plugins, PLUGIN);
    ASSERT_RUN(0, "serve", "--once");
    PQclear(PQexec(his, "BEGIN; ALTER TABLE " RELATION " ADD COLUMN note text DEFAULT 'mine'"));
    other = daemon_start((const char *const[]){"--config", configuration, ADOPT(PLUGIN, "--rollback", "--yes"), NULL});
    WAIT_SQL(cluster, "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = '" RELATION "'::regclass", "1",
             60);
    PQclear(PQexec(his, "COMMIT"));
    PQfinish(his);
    ck_assert_int_eq(daemon_wait(other, 60), 6);
    EXPECT_SQL(cluster, "SELECT count(*) FROM " RELATION " WHERE note = 'mine'", "40");
    ASSERT_RUN(6, ADOPT(PLUGIN, "--rollback", "--dry-run", "-o", "json"));
    line_is(RELATION, "block", "ALTER TABLE " RELATION " RENAME TO ...", "column " RELATION ".note");
    ASSERT_RUN(6, ADOPT(PLUGIN, "--rollback", "--yes"));
    cluster_execute(cluster, "ALTER TABLE " RELATION " RENAME TO noted");
    ASSERT_RUN(0, ADOPT(PLUGIN, "--rollback", "--yes"));
    EXPECT_SQL(cluster, "SELECT count(old_only) FROM " RELATION, "10");
    EXPECT_SQL(cluster, "SELECT count(*) FROM analytics.noted WHERE note = 'mine'", "40");
}
END_TEST

START_TEST(after_a_rollback_nobody_reads_who_was_not_let)
{
    cluster_execute(cluster, "CREATE ROLE bob; CREATE ROLE eve; SET ROLE pgchime; GRANT SELECT ON " RELATION
                             " TO eve; RESET ROLE");
    ASSERT_RUN(0, ADOPT(PLUGIN, "--yes"));
    EXPECT_SQL(cluster, "SELECT has_table_privilege('analytics_reader', '" RELATION "', 'SELECT')", "t");
    EXPECT_SQL(cluster, "SELECT has_table_privilege('eve', '" RELATION "', 'SELECT')", "t");
    cluster_execute(cluster, "GRANT SELECT ON " RELATION " TO bob; REVOKE SELECT ON " RELATION " FROM eve");
    plugin_take(plugins, PLUGIN);
    ASSERT_RUN(0, "serve", "--once");
    ASSERT_RUN(0, ADOPT(PLUGIN, "--rollback", "--yes"));
    it_is_back();
    EXPECT_SQL(cluster,
               "SELECT string_agg(r, ' ') FROM unnest(ARRAY['analytics_reader', 'ann', 'bob', 'eve']) AS r"
               " WHERE has_table_privilege(r, '" RELATION "', 'SELECT')",
               "ann bob");
}
END_TEST

/* A table that took the name of what pgchime keeps may be adopted as any other. */
START_TEST(a_table_that_took_the_name_of_a_kept_relation_gives_way_like_any_other)
{
    ASSERT_RUN(0, ADOPT(PLUGIN, "--yes"));
    ASSERT_RUN(0, "serve", "--once");
    cluster_execute(cluster, "ALTER TABLE " RELATION " RENAME TO was_kept;"
                             "SET ROLE pgchime; CREATE TABLE " RELATION " AS SELECT 7 AS theirs; RESET ROLE");
    ASSERT_RUN(0, "serve", "--once");
    EXPECT_SQL(cluster, "SELECT state || ' ' || split_part(reason, ';', 1) FROM chime.plugin",
               "failed relation " RELATION " exists already, is owned by pgchime and was not made by pgchime");
    ASSERT_RUN(0, ADOPT(PLUGIN, "--yes"));
    EXPECT_SQL(cluster, COUNT_OF_READERS, "40");
    char *aside = cluster_value(cluster,
                                "SELECT format('SELECT theirs FROM %I.%I', view_schema, aside) FROM chime.adoption");
    EXPECT_SQL(cluster, aside, "7");
    free(aside);
    ASSERT_RUN(0, "serve", "--once");
    EXPECT_SQL(cluster, "SELECT state FROM chime.plugin", "installed");
}
END_TEST

START_TEST(a_plugin_that_reads_it_stands_in_nobodys_way_and_is_whole_after_the_next_adoption)
{
    ASSERT_RUN(0, ADOPT(PLUGIN, "--yes"));
    plugin_put(plugins, "weakness");
    ASSERT_RUN(0, "serve", "--once");
    EXPECT_SQL(cluster, "SELECT string_agg(state, ' ') FROM chime.plugin", "installed installed");
    EXPECT_SQL(cluster, "SELECT count(*) > 0 FROM analytics.mv_weakness_patterns", "t");
    plugin_take(plugins, PLUGIN);
    ASSERT_RUN(3, "check");
    commands_has(errors, "comes after \"refresh-lane-distributions\", which is not a job of database");
    plugin_take(plugins, "weakness");
    ASSERT_RUN(0, "serve", "--once");
    ASSERT_RUN(0, ADOPT(PLUGIN, "--rollback", "--dry-run", "-o", "json"));
    line_is("analytics.mv_weakness_patterns__live", "remake", "DROP VIEW analytics.mv_weakness_patterns__live",
            "is made again with plugin weakness");
    ck_assert_ptr_null(strstr(output, "\"block\""));
    ASSERT_RUN(0, ADOPT(PLUGIN, "--rollback", "--yes"));
    commands_has(errors, "other plugins that read it are looked at again when pgchime serve starts");
    EXPECT_SQL(cluster, "SELECT relkind FROM pg_class WHERE oid = '" RELATION "'::regclass", "m");
    EXPECT_SQL(cluster, COUNT_OF_READERS, "10");
    EXPECT_SQL(cluster, "SELECT count(*) > 0 FROM analytics.mv_weakness_patterns", "t");
    ASSERT_RUN(0, "plugins", "purge", PLUGIN, "--yes");
    plugin_put(plugins, PLUGIN);
    plugin_put(plugins, "weakness");
    ASSERT_RUN(0, ADOPT(PLUGIN, "--yes"));
    ASSERT_RUN(0, "serve", "--once");
    EXPECT_SQL(cluster, "SELECT string_agg(state, ' ') FROM chime.plugin", "installed installed");
    ASSERT_RUN(0, "refresh", "mv_weakness_patterns");
    EXPECT_SQL(cluster, "SELECT missing + surplus FROM chime.difference('mv_weakness_patterns')", "0");
}
END_TEST

#define REPLACED "SELECT count(*) FROM pg_class WHERE relname ~ '^replaced_\\d' AND relkind IN ('r', 'v', 'm')"

/* A materialized view that was one until a moment ago reads what goes. */
START_TEST(what_was_replaced_goes_with_what_is_put_back)
{
    plugin_mode(configuration, folder, PLUGIN, NAME, "matview");
    ASSERT_RUN(0, ADOPT(PLUGIN, "--yes"));
    ASSERT_RUN(0, "serve", "--once");
    plugin_mode(configuration, folder, PLUGIN, NAME, "full");
    ASSERT_RUN(0, "serve", "--once");
    EXPECT_SQL(cluster, "SELECT relkind FROM pg_class WHERE oid = '" RELATION "'::regclass", "r");
    EXPECT_SQL(cluster, REPLACED " AND relkind = 'm'", "1");
    plugin_take(plugins, PLUGIN);
    ASSERT_RUN(0, "serve", "--once");
    ASSERT_RUN(0, ADOPT(PLUGIN, "--rollback", "--yes"));
    it_is_back();
    EXPECT_SQL(cluster, REPLACED, "0");
}
END_TEST

/* What a plugin that is there had before, and that reads the relation of others. */
START_TEST(what_was_replaced_is_bound_to_nothing_new)
{
    plugin_put(plugins, "progress");
    ASSERT_RUN(0, "serve", "--once");
    cluster_execute(
        cluster,
        "SET ROLE pgchime; CREATE VIEW chime.replaced_1 AS SELECT old_only FROM " RELATION ";"
        "INSERT INTO chime.replaced SELECT 'replaced_1', view_schema, relation FROM chime.view;"
        "SELECT chime.note_made('chime.replaced_1', format('kept %I.%I', view_schema, relation), NULL) FROM chime.view;"
        "RESET ROLE");
    ASSERT_RUN(0, ADOPT(PLUGIN, "--dry-run", "-o", "json"));
    line_is("chime.replaced_1", "drop", "DROP VIEW chime.replaced_1", "was replaced");
    EXPECT_SQL(cluster, REPLACED, "1");
    ASSERT_RUN(0, ADOPT(PLUGIN, "--yes"));
    EXPECT_SQL(cluster, REPLACED, "0");
    it_is_adopted();
}
END_TEST

START_TEST(a_view_that_reads_what_only_the_new_one_has_stops_the_rollback)
{
    ASSERT_RUN(0, ADOPT(PLUGIN, "--yes"));
    cluster_execute(cluster,
                    "SET ROLE pgchime; CREATE VIEW analytics.medians AS SELECT p50 FROM " RELATION "; RESET ROLE");
    ASSERT_RUN(6, ADOPT(PLUGIN, "--rollback", "--yes", "-o", "json"));
    line_is("analytics.medians", "block", "DROP VIEW analytics.medians", "which has no p50 any more");
    it_is_adopted();
}
END_TEST

/* --- readers ------------------------------------------------------------------------------------------------------ */

/* Reads as long as the command takes; what each read sees must be one of the two. The number of reads. */
static int read_during(const char *word)
{
    PGconn *reader = cluster_connect(cluster, "app");
    int reads = 0;
    other = daemon_start(
        (const char *const[]){"--config", configuration, "plugins", "adopt", PLUGIN, "--yes", word, NULL});
    do {
        PGresult *result = PQexec(reader, COUNT_OF_READERS);
        ck_assert_msg(PQresultStatus(result) == PGRES_TUPLES_OK, "%s", PQerrorMessage(reader));
        const char *rows = PQgetvalue(result, 0, 0);
        ck_assert_msg(strcmp(rows, "10") == 0 || strcmp(rows, "40") == 0, "%s rows", rows);
        PQclear(result);
        reads++;
    } while (daemon_is_running(other));
    ck_assert_int_eq(daemon_wait(other, 60), 0);
    daemon_destroy(other);
    other = NULL;
    PQfinish(reader);
    return reads;
}

START_TEST(a_reader_finds_one_or_the_other_and_never_none)
{
    int reads = 0;
    for (int i = 0; i < 5; i++) {
        reads += read_during("--quiet");
        it_is_adopted();
        reads += read_during("--rollback");
        it_is_back();
    }
    ck_assert_int_ge(reads, 100);
}
END_TEST

/* A reader that does not end keeps nobody else from reading, and in the end stops the adoption. */
START_TEST(others_read_on_while_a_reader_is_waited_for)
{
    PGconn *slow = cluster_connect(cluster, "app");
    PQclear(PQexec(slow, "BEGIN; " COUNT_OF_READERS));
    other = daemon_start((const char *const[]){"--config", configuration, "plugins", "adopt", PLUGIN, "--yes", NULL});
    WAIT_SQL(cluster, "SELECT count(*) > 0 FROM pg_locks WHERE NOT granted AND mode = 'AccessExclusiveLock'", "t", 30);
    for (int i = 0; i < 20; i++) {
        EXPECT_SQL(cluster, COUNT_OF_READERS, "10");
    }
    ck_assert(daemon_is_running(other));
    PQfinish(slow);
    ck_assert_int_eq(daemon_wait(other, 60), 0);
    it_is_adopted();
}
END_TEST

/* A view as SQL names no key: adoption finds it as the installation does, or says which columns may be named. */
START_TEST(the_key_of_a_view_as_sql_is_found)
{
    cluster_execute(cluster, "SET ROLE pgchime; CREATE TABLE analytics.scores AS SELECT 1 AS old; RESET ROLE");
    char *file = files_path("%s/scores.sql", plugins);
    files_write(file, "SELECT status FROM submissions\n");
    ASSERT_RUN(1, ADOPT("scores", "--yes"));
    commands_has(errors, "nothing in its definition shows which columns of view analytics.scores tell its rows apart");
    commands_has(errors, "HINT:  name them as its key; its columns are status");
    EXPECT_SQL(cluster, "SELECT old FROM analytics.scores", "1");
    EXPECT_SQL(cluster, "SELECT count(*) FROM pg_class WHERE relname ~ 'scores_?.*__live'", "0");
    files_write(file, "SELECT challenge_id, count(*) AS n FROM submissions GROUP BY challenge_id\n");
    ASSERT_RUN(0, ADOPT("scores", "--yes"));
    EXPECT_SQL(cluster, "SELECT count(*) || ' ' || sum(n) FROM analytics.scores", "20 200");
    EXPECT_SQL(cluster, "SELECT key FROM chime.view WHERE relation = 'scores'", "{challenge_id}");
    ASSERT_RUN(0, "serve", "--once");
    EXPECT_SQL(cluster, "SELECT state FROM chime.plugin WHERE name = 'scores'", "installed");
    EXPECT_SQL(cluster, "SELECT grain FROM chime.view WHERE relation = 'scores'", "{challenge_id}");
    free(file);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("adopt");
    TCase *tests = tcase_create("adopt");
    tcase_set_timeout(tests, 240);
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, the_plan_says_what_is_there_and_changes_nothing);
    tcase_add_test(tests, the_new_relation_is_filled_readable_and_installed_as_any_other);
    tcase_add_test(tests, a_view_in_matview_mode_stays_one_and_comes_back);
    tcase_add_test(tests, views_on_the_old_one_read_the_new_one_with_their_options);
    tcase_add_test(tests, a_table_of_another_name_for_its_columns_gives_its_grants_by_column);
    tcase_add_test(tests, a_plain_view_gives_way_to_a_plain_view);
    tcase_add_test(tests, a_daemon_that_leads_installs_the_rest);
    tcase_add_test(tests, a_relation_of_another_role_is_refused_with_the_sql_for_its_owner);
    tcase_add_test(tests, what_cannot_be_bound_anew_is_named);
    tcase_add_test(tests, a_view_that_does_not_go_with_the_new_types_stops_all_of_it);
    tcase_add_test(tests, triggers_that_refresh_it_have_to_be_disabled_before);
    tcase_add_test(tests, rows_that_only_some_may_read_are_not_opened_to_all);
    tcase_add_test(tests, an_unknown_plugin_gets_a_did_you_mean);
    tcase_add_test(tests, a_rollback_puts_the_old_one_back_once_the_plugin_is_not_in_use);
    tcase_add_test(tests, a_rollback_drops_no_table_that_took_the_name_meanwhile);
    tcase_add_test(tests, a_rollback_drops_no_column_that_somebody_added);
    tcase_add_test(tests, after_a_rollback_nobody_reads_who_was_not_let);
    tcase_add_test(tests, a_table_that_took_the_name_of_a_kept_relation_gives_way_like_any_other);
    tcase_add_test(tests, a_plugin_that_reads_it_stands_in_nobodys_way_and_is_whole_after_the_next_adoption);
    tcase_add_test(tests, what_was_replaced_goes_with_what_is_put_back);
    tcase_add_test(tests, what_was_replaced_is_bound_to_nothing_new);
    tcase_add_test(tests, a_view_that_reads_what_only_the_new_one_has_stops_the_rollback);
    tcase_add_test(tests, a_reader_finds_one_or_the_other_and_never_none);
    tcase_add_test(tests, others_read_on_while_a_reader_is_waited_for);
    tcase_add_test(tests, the_key_of_a_view_as_sql_is_found);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
