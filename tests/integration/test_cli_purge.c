/* SPDX-License-Identifier: PostgreSQL */
/* `pgchime plugins purge` as the role that `pgchime init` makes: what it drops, what it leaves, and when it refuses. */
#include <check.h>
#include <jansson.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "support/cluster/cluster.h"
#include "support/daemon/commands.h"
#include "support/daemon/daemon.h"
#include "support/daemon/terminal.h"
#include "support/ledger/runs.h"
#include "support/plugin/plugin_files.h"
#include "support/process/files.h"
#include "support/process/process.h"
#include "support/process/suite.h"
#include "support/process/wait.h"

#define PLUGIN "lane_distribution"
#define RELATION "analytics.mv_lane_score_distribution"

static struct cluster *cluster;
static struct daemon *leader;
static char *folder;
static char *plugins;
static char *configuration;
static char *output;
static char *errors;
static json_t *document;

#define ASSERT_RUN(status, ...) \
    commands_expect(status, configuration, (const char *const[]){__VA_ARGS__, NULL}, &output, &errors)
#define PURGE(...) "plugins", "purge", __VA_ARGS__

static void complains(const char *part)
{
    commands_has(errors, part);
}

/* The line of the last JSON output with that object has this action and SQL. */
static void object_is(const char *object, const char *action, const char *statement)
{
    json_decref(document);
    document = json_loads(output, JSON_REJECT_DUPLICATES, NULL);
    json_t *list = json_object_get(document, "objects");
    for (size_t i = 0; i < json_array_size(list); i++) {
        json_t *row = json_array_get(list, i);
        if (strcmp(json_string_value(json_object_get(row, "object")), object) == 0) {
            ck_assert_str_eq(json_string_value(json_object_get(row, "action")), action);
            ck_assert_str_eq(json_string_value(json_object_get(row, "statement")), statement);
            return;
        }
    }
    ck_abort_msg("no \"%s\" in:\n%s", object, output);
}

/* --- a database with two plugins, the second of which reads the first one's view ---------------------------------- */

/* What init prints is for psql; these are its grants. */
static void make_role(void)
{
    cluster_execute(cluster, "CREATE ROLE pgchime LOGIN; CREATE ROLE analytics_reader; CREATE ROLE ann LOGIN;"
                             "CREATE SCHEMA chime AUTHORIZATION pgchime; CREATE SCHEMA analytics AUTHORIZATION pgchime;"
                             "GRANT SELECT ON ALL TABLES IN SCHEMA public TO pgchime;"
                             "CREATE SCHEMA ann AUTHORIZATION ann; GRANT USAGE ON SCHEMA analytics TO ann");
}

static void configure(void)
{
    folder = files_make_directory();
    plugins = files_path("%s/plugins", folder);
    files_make_folder(plugins);
    configuration = commands_configure(cluster, "pgchime", "app", folder, "plugin_dir = \"plugins\";\n");
    plugin_put(plugins, PLUGIN);
    plugin_put(plugins, "progress");
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
    make_role();
    configure();
    ASSERT_RUN(0, "serve", "--once");
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.plugin WHERE state = 'installed'", "2");
    cluster_execute(cluster, "GRANT SELECT ON " RELATION " TO ann");
    forget_configuration();
}

static void set_up(void)
{
    static const struct cluster_template installed = {"two-plugins", make, NULL};

    cluster = cluster_create_from(&installed, NULL);
    cluster_use(cluster, "app");
    configure();
}

static void tear_down(void)
{
    daemon_destroy(leader);
    cluster_destroy(cluster);
    forget_configuration();
    free(output);
    free(errors);
    json_decref(document);
}

/* Its file gone, and a leader that knows. */
static void retire(void)
{
    plugin_take(plugins, PLUGIN);
    ASSERT_RUN(0, "serve", "--once");
    EXPECT_SQL(cluster, "SELECT state FROM chime.plugin WHERE name = '" PLUGIN "'", "removed");
}

static void nothing_is_dropped(void)
{
    EXPECT_SQL(cluster, "SELECT to_regclass('" RELATION "') IS NOT NULL", "t");
    EXPECT_SQL(cluster, "SELECT to_regclass('" RELATION "__live') IS NOT NULL", "t");
    EXPECT_SQL(cluster, "SELECT count(*) > 0 FROM chime.plugin_function WHERE plugin = '" PLUGIN "'", "t");
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.plugin WHERE name = '" PLUGIN "'", "1");
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.job WHERE plugin = '" PLUGIN "'", "1");
}

static void everything_of_it_is_gone(void)
{
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.plugin WHERE name = '" PLUGIN "'", "0");
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.view WHERE plugin = '" PLUGIN "'", "0");
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.view_refresh WHERE relation LIKE 'mv_lane%'", "0");
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.plugin_function WHERE plugin = '" PLUGIN "'", "0");
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.job WHERE plugin = '" PLUGIN "'", "0");
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.run_history WHERE job_id NOT IN (SELECT job_id FROM chime.job)",
               "0");
    EXPECT_SQL(cluster, "SELECT count(*) FROM pg_proc WHERE proname LIKE 'lane_distribution%'", "0");
}

/* --- refusals ----------------------------------------------------------------------------------------------------- */

START_TEST(a_plugin_in_use_is_refused)
{
    ASSERT_RUN(6, PURGE(PLUGIN, "--yes"));
    complains("is installed, and its file is there");
    complains("HINT:  take ");
    ASSERT_RUN(6, PURGE(PLUGIN, "--dry-run"));
    nothing_is_dropped();
}
END_TEST

START_TEST(a_plugin_that_the_leader_may_still_know_is_refused)
{
    leader = daemon_start((const char *const[]){"--config", configuration, "serve", NULL});
    WAIT_FOR(daemon_said(leader, "leading as epoch"), 30);
    daemon_signal(leader, SIGSTOP); /* else it may be quicker */
    plugin_take(plugins, PLUGIN);
    ASSERT_RUN(6, PURGE(PLUGIN, "--yes"));
    complains("the daemon that leads may know it still");
    nothing_is_dropped();
}
END_TEST

START_TEST(a_run_under_way_is_waited_for)
{
    retire();
    cluster_execute(cluster,
                    "INSERT INTO chime.run (job_id, kind, slot, token, epoch)"
                    " SELECT job_id, 'manual', now(), gen_random_uuid(), 1 FROM chime.job WHERE plugin = '" PLUGIN "'");
    ASSERT_RUN(6, PURGE(PLUGIN, "--yes"));
    complains("a run of job \"refresh-lane-distributions\" is under way");
    nothing_is_dropped();
}
END_TEST

START_TEST(without_a_terminal_nothing_is_dropped_unless_told)
{
    retire();
    ASSERT_RUN(6, PURGE(PLUGIN));
    complains("there is no terminal to ask at\nHINT:  write --yes");
    ASSERT_RUN(0, PURGE(PLUGIN, "--dry-run"));
    nothing_is_dropped();
}
END_TEST

/* Which has a way out of its own, that takes the job, too. */
START_TEST(a_view_kept_by_sql_is_left_to_drop_view)
{
    cluster_execute(cluster,
                    "SET ROLE pgchime; SELECT chime.keep_view('mine', 'SELECT 1 AS one', '{one}'); RESET ROLE");
    EXPECT_SQL(cluster, "SELECT full_reason FROM chime.view WHERE relation = 'mine'",
               "it reads no table, so no mark tells when it changes");
    ASSERT_RUN(6, PURGE("analytics.mine", "--yes"));
    complains("\"analytics.mine\" is a view that chime.keep_view made, and no plugin of a file");
    complains("HINT:  SELECT chime.drop_view('analytics.mine'); takes it away with its job");
    EXPECT_SQL(cluster, "SELECT one FROM analytics.mine", "1");
    cluster_execute(cluster, "SET ROLE pgchime");
    EXPECT_SQL(cluster, "SELECT chime.drop_view('analytics.mine')", "t");
    cluster_execute(cluster, "RESET ROLE");
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.job WHERE active AND plugin = 'analytics.mine'", "0");
}
END_TEST

START_TEST(an_unknown_plugin_gets_a_did_you_mean)
{
    ASSERT_RUN(5, PURGE("progres", "--yes"));
    complains("no database has a plugin \"progres\"\nHINT:  did you mean \"progress\"?");
}
END_TEST

/* --- what goes and what stays ------------------------------------------------------------------------------------- */

/* Relations and functions, without those of schema chime. */
#define ALL_THERE                                                                                             \
    "SELECT c.oid, c.oid::regclass::text AS object FROM pg_class c"                                           \
    " WHERE c.relkind IN ('r', 'v', 'm') AND c.relnamespace::regnamespace::text ~ '^(analytics|ann|public)$'" \
    " UNION ALL SELECT p.oid, p.oid::regprocedure::text FROM pg_proc p"                                       \
    " WHERE p.pronamespace::regnamespace::text ~ '^(analytics|ann|public)$'"

START_TEST(all_of_it_goes_and_nothing_of_others)
{
    retire();
    cluster_execute(cluster, "CREATE SCHEMA proof; CREATE TABLE proof.before AS " ALL_THERE);
    ASSERT_RUN(0, PURGE(PLUGIN, "--dry-run", "-o", "json"));
    cluster_execute_format(
        cluster,
        "CREATE TABLE proof.planned AS SELECT o ->> 'object' AS object, o ->> 'kind' AS kind"
        " FROM jsonb_array_elements($j$%s$j$::jsonb -> 'objects') AS o WHERE o ->> 'action' = 'drop'",
        output);
    object_is(RELATION, "drop", "DROP TABLE " RELATION);
    object_is(RELATION "__live", "drop", "DROP VIEW " RELATION "__live");
    ASSERT_RUN(0, PURGE(PLUGIN, "--yes"));
    EXPECT_SQL(cluster,
               "WITH gone AS (SELECT b.object FROM proof.before b WHERE b.oid NOT IN (SELECT t.oid FROM (" ALL_THERE
               ") t))"
               " SELECT (SELECT string_agg(object, ' ' ORDER BY object) FROM gone)"
               " = (SELECT string_agg(object, ' ' ORDER BY object) FROM proof.planned WHERE object !~ '^chime[.]' AND "
               "kind <> 'job')",
               "t");
    complains("plugin \"" PLUGIN "\" is gone from database \"main\"");
    EXPECT_SQL(cluster, "SELECT to_regclass('" RELATION "')", NULL);
    EXPECT_SQL(cluster, "SELECT to_regclass('" RELATION "__live')", NULL);
    everything_of_it_is_gone();
    EXPECT_SQL(cluster, "SELECT state FROM chime.plugin WHERE name = 'progress'", "installed");
    EXPECT_SQL(cluster,
               "SELECT string_agg(DISTINCT j.plugin, ' ') FROM chime.run_history JOIN chime.job j USING (job_id)",
               "progress");
    EXPECT_SQL(cluster, "SELECT to_regclass('analytics.mv_agent_progress') IS NOT NULL", "t");
    plugin_put(plugins, PLUGIN);
    ASSERT_RUN(0, "serve", "--once");
    EXPECT_SQL(cluster, "SELECT state FROM chime.plugin WHERE name = '" PLUGIN "'", "installed");
}
END_TEST

START_TEST(what_others_built_on_it_has_to_go_first)
{
    retire();
    cluster_execute(cluster, "SET ROLE ann; CREATE VIEW ann.report AS SELECT * FROM " RELATION ";"
                             "CREATE TABLE ann.copies (it " RELATION ");"
                             "CREATE FUNCTION ann.lanes() RETURNS SETOF " RELATION " LANGUAGE sql"
                             " BEGIN ATOMIC SELECT * FROM " RELATION "; END; RESET ROLE;"
                             "CREATE TABLE ann.heir () INHERITS (" RELATION ");");
    ASSERT_RUN(6, PURGE(PLUGIN, "--yes", "-o", "json"));
    complains("4 objects stand in the way of purging \"" PLUGIN "\"");
    object_is("ann.report", "block", "DROP VIEW ann.report");
    object_is("ann.lanes()", "block", "DROP FUNCTION ann.lanes()");
    object_is("ann.copies.it", "block", "ALTER TABLE ann.copies DROP COLUMN it");
    object_is("ann.heir", "block", "ALTER TABLE ann.heir NO INHERIT " RELATION);
    nothing_is_dropped();
    cluster_execute(cluster, "DROP VIEW ann.report; DROP FUNCTION ann.lanes(); ALTER TABLE ann.copies DROP COLUMN it;"
                             "ALTER TABLE ann.heir NO INHERIT " RELATION);
    ASSERT_RUN(0, PURGE(PLUGIN, "--yes"));
    everything_of_it_is_gone();
}
END_TEST

START_TEST(a_plugin_that_another_one_reads_is_named_with_it)
{
    plugin_put(plugins, "weakness");
    ASSERT_RUN(0, "serve", "--once");
    EXPECT_SQL(cluster, "SELECT state FROM chime.plugin WHERE name = 'weakness'", "installed");
    plugin_take(plugins, "weakness");
    retire();
    ASSERT_RUN(6, PURGE(PLUGIN, "--yes", "-o", "json"));
    object_is("analytics.mv_weakness_patterns__live", "block", "-- pgchime plugins purge weakness");
    nothing_is_dropped();
    ASSERT_RUN(0, PURGE("weakness", "--yes"));
    ASSERT_RUN(0, PURGE(PLUGIN, "--yes"));
    everything_of_it_is_gone();
}
END_TEST

/* Renamed, dropped and made by somebody: what has the name is not what pgchime made. */
START_TEST(a_table_of_somebody_under_its_name_is_refused_by_name)
{
    retire();
    cluster_execute(cluster, "ALTER TABLE " RELATION " RENAME TO was_kept; SET ROLE pgchime;"
                             "CREATE TABLE " RELATION " AS SELECT 7 AS theirs; RESET ROLE");
    ASSERT_RUN(6, PURGE(PLUGIN, "--dry-run", "-o", "json"));
    object_is(RELATION, "block", "ALTER TABLE " RELATION " RENAME TO ...");
    ASSERT_RUN(6, PURGE(PLUGIN, "--yes"));
    nothing_is_dropped();
    EXPECT_SQL(cluster, "SELECT theirs FROM " RELATION, "7");
    cluster_execute(cluster, "ALTER TABLE " RELATION " RENAME TO theirs");
    ASSERT_RUN(0, PURGE(PLUGIN, "--yes"));
    everything_of_it_is_gone();
    EXPECT_SQL(cluster, "SELECT theirs FROM analytics.theirs", "7");
}
END_TEST

/* Also where he adds it while the command waits for the relation. */
START_TEST(a_column_that_somebody_added_is_refused_by_name)
{
    PGconn *his = cluster_connect(cluster, "app");

    retire();
    PQclear(PQexec(his, "BEGIN; ALTER TABLE " RELATION " ADD COLUMN note text DEFAULT 'mine'"));
    leader = daemon_start((const char *const[]){"--config", configuration, PURGE(PLUGIN, "--yes"), NULL});
    WAIT_SQL(cluster, "SELECT count(*) FROM pg_locks WHERE NOT granted AND relation = '" RELATION "'::regclass", "1",
             60);
    PQclear(PQexec(his, "COMMIT"));
    PQfinish(his);
    ck_assert_int_eq(daemon_wait(leader, 60), 6);
    nothing_is_dropped();
    ASSERT_RUN(6, PURGE(PLUGIN, "--yes", "-o", "json"));
    object_is(RELATION, "block", "ALTER TABLE " RELATION " RENAME TO ...");
    ck_assert_ptr_nonnull(strstr(output, "column " RELATION ".note"));
    nothing_is_dropped();
    EXPECT_SQL(cluster,
               "SELECT attname FROM pg_attribute WHERE attrelid = '" RELATION "'::regclass AND attname = 'note'",
               "note");
    cluster_execute(cluster, "ALTER TABLE " RELATION " RENAME TO noted");
    ASSERT_RUN(0, PURGE(PLUGIN, "--yes"));
    everything_of_it_is_gone();
    EXPECT_SQL(cluster, "SELECT count(note) FROM analytics.noted", "0");
}
END_TEST

START_TEST(what_another_role_owns_by_now_stays_and_is_printed_for_it)
{
    retire();
    cluster_execute(cluster, "ALTER TABLE " RELATION " OWNER TO ann");
    ASSERT_RUN(0, PURGE(PLUGIN, "--yes", "-o", "json"));
    object_is(RELATION, "keep", "DROP TABLE " RELATION);
    everything_of_it_is_gone();
    EXPECT_SQL(cluster, "SELECT to_regclass('" RELATION "') IS NOT NULL", "t");
    EXPECT_SQL(cluster, "SELECT to_regclass('" RELATION "__live')", NULL);
}
END_TEST

START_TEST(triggers_go_before_their_functions)
{
    cluster_execute(cluster,
                    "SET ROLE pgchime; CREATE TABLE analytics.\"Other Table\" ();"
                    "CREATE FUNCTION analytics.told() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN RETURN NULL; END';"
                    "CREATE TRIGGER \"on insert\" AFTER INSERT ON analytics.\"Other Table\""
                    " EXECUTE FUNCTION analytics.told();"
                    "INSERT INTO chime.plugin_function VALUES ('" PLUGIN "', 'analytics.told()', '', ''); RESET ROLE");
    retire();
    ASSERT_RUN(0, PURGE(PLUGIN, "--yes", "-o", "json"));
    object_is("\"on insert\" ON analytics.\"Other Table\"", "drop",
              "DROP TRIGGER \"on insert\" ON analytics.\"Other Table\"");
    everything_of_it_is_gone();
    EXPECT_SQL(cluster, "SELECT count(*) FROM pg_trigger WHERE tgname = 'on insert'", "0");
    EXPECT_SQL(cluster, "SELECT to_regclass('analytics.\"Other Table\"') IS NOT NULL", "t");
}
END_TEST

/* --- what captured changes ---------------------------------------------------------------------------------------- */

#define OF_CAPTURE                                                                                                     \
    "SELECT (SELECT count(*) FROM chime.source) || ' ' || (SELECT count(*) FROM pg_class WHERE relnamespace = "        \
    "'chime'::regnamespace AND relname ~ '^change_\\d') || ' ' || (SELECT count(*) FROM pg_proc WHERE pronamespace = " \
    "'chime'::regnamespace AND proname ~ '^keyed_\\d') || ' ' || (SELECT count(*) FROM pg_proc WHERE pronamespace = "  \
    "'chime'::regnamespace AND proname ~ '^(capture|room_until)_\\d') || ' ' || (SELECT count(*) FROM pg_trigger "     \
    "WHERE tgname ~ "                                                                                                  \
    "'^chime_capture')"
#define SUBMIT                                                                            \
    "INSERT INTO submissions (id, agent_id, challenge_id, status, created_at)"            \
    " VALUES (gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), 'scored', now());" \
    "UPDATE submissions SET status = 'failed'; DELETE FROM submissions; TRUNCATE submissions"

/* With the privilege that keyed refresh needs, which lets no trigger be dropped. */
static void capture(void)
{
    cluster_execute(cluster, "GRANT TRIGGER ON ALL TABLES IN SCHEMA public TO pgchime");
    ASSERT_RUN(0, "serve", "--once");
    /* submissions alone; its log, one part of it and the index of that; two views; five functions; four triggers */
    EXPECT_SQL(cluster, OF_CAPTURE, "1 3 2 5 4");
    cluster_execute(cluster, SUBMIT);
}

static void retire_both(void)
{
    plugin_take(plugins, "progress");
    retire();
    ASSERT_RUN(0, PURGE(PLUGIN, "--yes"));
    everything_of_it_is_gone();
    EXPECT_SQL(cluster, OF_CAPTURE, "1 3 1 5 4"); /* progress reads the source, too */
}

START_TEST(who_owns_no_source_prints_the_triggers_for_their_owner)
{
    capture();
    retire_both();
    ASSERT_RUN(0, PURGE("progress", "--yes", "-o", "json"));
    object_is("chime_capture_1_insert ON public.submissions", "keep",
              "DROP TRIGGER chime_capture_1_insert ON public.submissions");
    object_is("chime_capture_1_truncate ON public.submissions", "keep",
              "DROP TRIGGER chime_capture_1_truncate ON public.submissions");
    object_is("chime.change_1", "drop", "DROP TABLE chime.change_1");
    object_is("chime.capture_1()", "keep", "DROP FUNCTION chime.capture_1()");
    object_is("chime.capture_1_row()", "keep", "DROP FUNCTION chime.capture_1_row()");
    object_is("chime.capture_1_insert()", "keep", "DROP FUNCTION chime.capture_1_insert()");
    EXPECT_SQL(cluster, OF_CAPTURE, "0 0 0 3 4");
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.plugin", "0");
    cluster_execute(cluster, SUBMIT);
    cluster_execute(
        cluster, "DROP TRIGGER chime_capture_1_insert ON submissions; DROP TRIGGER chime_capture_1_update ON"
                 " submissions; DROP TRIGGER chime_capture_1_delete ON submissions;"
                 "DROP TRIGGER chime_capture_1_truncate ON submissions;"
                 "SET ROLE pgchime; DROP FUNCTION chime.capture_1(), chime.capture_1_row(), chime.capture_1_insert();"
                 "RESET ROLE");
    plugin_put(plugins, "progress");
    ASSERT_RUN(0, "serve", "--once");
    EXPECT_SQL(cluster, OF_CAPTURE, "1 3 1 5 4");
}
END_TEST

START_TEST(who_owns_the_sources_drops_the_triggers)
{
    capture();
    cluster_execute(cluster, "ALTER TABLE submissions OWNER TO pgchime");
    retire_both();
    ASSERT_RUN(0, PURGE("progress", "--yes", "-o", "json"));
    object_is("chime_capture_1_insert ON public.submissions", "drop",
              "DROP TRIGGER chime_capture_1_insert ON public.submissions");
    object_is("chime.capture_1()", "drop", "DROP FUNCTION chime.capture_1()");
    object_is("chime.capture_1_row()", "drop", "DROP FUNCTION chime.capture_1_row()");
    object_is("chime.capture_1_insert()", "drop", "DROP FUNCTION chime.capture_1_insert()");
    EXPECT_SQL(cluster, OF_CAPTURE, "0 0 0 0 0");
    cluster_execute(cluster, SUBMIT);
}
END_TEST

/* They would miss the log. */
START_TEST(who_is_writing_is_waited_for)
{
    PGconn *writer = cluster_connect(cluster, "app");
    capture();
    retire_both();
    PQclear(PQexec(writer, "BEGIN"));
    PQclear(PQexec(writer, "DELETE FROM submissions"));
    ASSERT_RUN(1, PURGE("progress", "--yes"));
    complains("writers of public.submissions did not end in time");
    complains("HINT:  try again");
    EXPECT_SQL(cluster, OF_CAPTURE, "1 3 1 5 4");
    PGresult *result = PQexec(writer, "DELETE FROM submissions; COMMIT");
    ck_assert_msg(PQresultStatus(result) == PGRES_COMMAND_OK, "%s", PQerrorMessage(writer));
    PQclear(result);
    PQfinish(writer);
    ASSERT_RUN(0, PURGE("progress", "--yes"));
    EXPECT_SQL(cluster, OF_CAPTURE, "0 0 0 3 4");
}
END_TEST

/* --- materialized views ------------------------------------------------------------------------------------------- */

START_TEST(a_materialized_view_goes_before_what_it_reads_and_with_what_it_replaced)
{
    plugin_mode(configuration, folder, PLUGIN, "mv_lane_score_distribution", "matview");
    ASSERT_RUN(0, "serve", "--once");
    EXPECT_SQL(cluster, "SELECT count(*) FROM pg_matviews WHERE matviewname = 'mv_lane_score_distribution'", "1");
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.replaced", "1");
    EXPECT_SQL(cluster, "SELECT has_table_privilege('ann', '" RELATION "', 'SELECT')", "t");
    retire();
    ASSERT_RUN(0, PURGE(PLUGIN, "--yes", "-o", "json"));
    object_is(RELATION, "drop", "DROP MATERIALIZED VIEW " RELATION);
    everything_of_it_is_gone();
    EXPECT_SQL(cluster, "SELECT count(*) FROM pg_class WHERE relname ~ '^replaced_\\d'", "0");
    EXPECT_SQL(cluster, "SELECT to_regclass('" RELATION "__live')", NULL);
}
END_TEST

/* Of another plugin, and one by the other; whatever a leader would drop a moment later. */
START_TEST(what_another_plugin_had_replaced_goes_with_what_it_needs)
{
    plugin_put(plugins, "weakness");
    ASSERT_RUN(0, "serve", "--once");
    cluster_execute(
        cluster,
        "SET ROLE pgchime; SELECT chime.set_aside(chime.live_of(v), v) FROM chime.view v"
        " WHERE relation = 'mv_weakness_patterns';"
        "DO $$ BEGIN EXECUTE format('CREATE MATERIALIZED VIEW chime.replaced_1 AS SELECT agent_id FROM chime.%I',"
        " (SELECT name FROM chime.replaced)); END $$;"
        "INSERT INTO chime.replaced SELECT 'replaced_1', view_schema, relation FROM chime.replaced;"
        "SELECT chime.note_made('chime.replaced_1', 'kept analytics.mv_weakness_patterns', NULL); RESET ROLE");
    plugin_take(plugins, "weakness");
    retire();
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.replaced", "2");
    ASSERT_RUN(0, PURGE(PLUGIN, "--yes", "-o", "json"));
    object_is("chime.replaced_1", "drop", "DROP MATERIALIZED VIEW chime.replaced_1");
    everything_of_it_is_gone();
    EXPECT_SQL(cluster, "SELECT count(*) FROM pg_class WHERE relname ~ '^replaced_\\d'", "0");
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.replaced", "0");
    EXPECT_SQL(cluster, "SELECT to_regclass('analytics.mv_weakness_patterns') IS NOT NULL", "t");
}
END_TEST

/* --- on a terminal ------------------------------------------------------------------------------------------------ */

static int purge_on_terminal(const char *answer)
{
    return terminal_run(configuration, (const char *const[]){PURGE(PLUGIN), NULL}, answer, &output);
}

START_TEST(on_a_terminal_it_asks_and_takes_no_for_an_answer)
{
    retire();
    ck_assert_int_eq(purge_on_terminal("n\n"), 6);
    ck_assert_msg(strstr(output, "in database \"main\"? [y/N]") != NULL, "%s", output);
    nothing_is_dropped();
    ck_assert_int_eq(purge_on_terminal("\n"), 6);
    nothing_is_dropped();
    ck_assert_int_eq(purge_on_terminal("y\n"), 0);
    everything_of_it_is_gone();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("cli_purge");
    TCase *tests = tcase_create("cli_purge");
    tcase_set_timeout(tests, 120);
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, a_plugin_in_use_is_refused);
    tcase_add_test(tests, a_plugin_that_the_leader_may_still_know_is_refused);
    tcase_add_test(tests, a_run_under_way_is_waited_for);
    tcase_add_test(tests, without_a_terminal_nothing_is_dropped_unless_told);
    tcase_add_test(tests, an_unknown_plugin_gets_a_did_you_mean);
    tcase_add_test(tests, a_view_kept_by_sql_is_left_to_drop_view);
    tcase_add_test(tests, all_of_it_goes_and_nothing_of_others);
    tcase_add_test(tests, what_others_built_on_it_has_to_go_first);
    tcase_add_test(tests, a_plugin_that_another_one_reads_is_named_with_it);
    tcase_add_test(tests, a_table_of_somebody_under_its_name_is_refused_by_name);
    tcase_add_test(tests, a_column_that_somebody_added_is_refused_by_name);
    tcase_add_test(tests, what_another_role_owns_by_now_stays_and_is_printed_for_it);
    tcase_add_test(tests, triggers_go_before_their_functions);
    tcase_add_test(tests, who_owns_no_source_prints_the_triggers_for_their_owner);
    tcase_add_test(tests, who_owns_the_sources_drops_the_triggers);
    tcase_add_test(tests, who_is_writing_is_waited_for);
    tcase_add_test(tests, a_materialized_view_goes_before_what_it_reads_and_with_what_it_replaced);
    tcase_add_test(tests, what_another_plugin_had_replaced_goes_with_what_it_needs);
    tcase_add_test(tests, on_a_terminal_it_asks_and_takes_no_for_an_answer);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
