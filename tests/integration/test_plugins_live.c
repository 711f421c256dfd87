/* SPDX-License-Identifier: PostgreSQL */
/* The five plugins under a real daemon, over the sample data. */
#define _DEFAULT_SOURCE /* strsep */
#include <check.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "support/cluster/cluster.h"
#include "support/cluster/psql.h"
#include "support/daemon/daemon.h"
#include "support/daemon/site.h"
#include "support/ledger/runs.h"
#include "support/plugin/plugin_files.h"
#include "support/process/files.h"
#include "support/process/process.h"
#include "support/process/suite.h"
#include "support/process/wait.h"

#define POPULATION_SECONDS 60

static const char *const plugins[] = {"lane_distribution", "weakness", "progress", "time_to_first_win", "telemetry"};
#define PLUGIN_COUNT (sizeof(plugins) / sizeof(plugins[0]))

static struct cluster *cluster;
static struct site *site;
static struct daemon *served;
static char *folder; /* the plugins; a test may change what is in it */

static void configure(void)
{
    site = site_create(cluster, "postgres", 4);
    folder = files_make_directory();
    for (size_t i = 0; i < PLUGIN_COUNT; i++)
        plugin_put(folder, plugins[i]);
    site_use_plugins(site, folder);
}

static void load(struct cluster *made)
{
    psql_load_sample(made);
}

static void set_up(void)
{
    static const struct cluster_template sample = {"sample", load, NULL};

    cluster = cluster_create_from(&sample, NULL);
    configure();
}

static void tear_down(void)
{
    daemon_destroy(served);
    site_destroy(site);
    cluster_destroy(cluster);
    free(folder);
}

static void serve(void)
{
    served = site_lead(site);
    WAIT_SQL(cluster, "SELECT count(*) FROM chime.view_refresh WHERE refreshed_at IS NULL", "0", POPULATION_SECONDS);
    WAIT_SQL(cluster, "SELECT (SELECT count(*) FROM chime.run) + (SELECT count(*) FROM chime.request)", "0",
             POPULATION_SECONDS);
}

static void stop(void)
{
    site_end(served);
    daemon_destroy(served);
    served = NULL;
}

static void install(struct cluster *made)
{
    cluster = made;
    psql_load_sample(cluster);
    configure();
    serve();
    stop();
    site_destroy(site);
    free(folder);
}

static void set_up_installed(void)
{
    static const struct cluster_template installed = {"installed", install, NULL};

    cluster = cluster_create_from(&installed, NULL);
    configure();
}

static void run_oracle(char *command)
{
    char *log = files_path("%s/compare.log", cluster_directory(cluster));
    const char *argv[] = {"/bin/bash", "-c", command, NULL};

    process_must_run(argv, log);
    free(log);
    free(command);
}

/* The independent computation over the source tables, figures of rejected values included. */
static void assert_views_are_right(void)
{
    char *conninfo = cluster_conninfo(cluster, "postgres");
    char *rejected = cluster_value(cluster, "SELECT string_agg(format('--rejected %s=%s', relation, rejected), ' ')"
                                            " FROM chime.view_refresh WHERE rejected IS NOT NULL AND method = 'full'"
                                            " AND relation NOT LIKE '%rollups'");
    char *minutes = cluster_value(cluster, "SELECT refreshed_at AT TIME ZONE 'UTC' FROM chime.view_refresh"
                                           " WHERE relation = 'chat_telemetry_minute_rollups'");

    run_oracle(files_path("%s/tests/oracle/compare %s '%s' analytics", PGCHIME_SOURCE_DIR,
                          rejected != NULL ? rejected : "", conninfo));
    run_oracle(
        files_path("%s/tests/oracle/recount rollups '%s' analytics '%s'", PGCHIME_SOURCE_DIR, conninfo, minutes));
    EXPECT_SQL(cluster, "SELECT sum(d.missing + d.surplus) FROM chime.view v, chime.difference(v.relation) d", "0");
    free(minutes);
    free(rejected);
    free(conninfo);
}

#define EXPECT_STATES(expected) \
    EXPECT_SQL(cluster, "SELECT string_agg(name || ' ' || state, ', ' ORDER BY name) FROM chime.plugin", expected)
#define ALL_INSTALLED                                                                                              \
    "lane_distribution installed, progress installed, telemetry installed, time_to_first_win installed, weakness " \
    "installed"

/* --- what is installed -------------------------------------------------------------------------------------------- */

START_TEST(the_views_are_installed_populated_in_order_and_right)
{
    serve();
    EXPECT_STATES(ALL_INSTALLED);
    EXPECT_SQL(cluster, "SELECT string_agg(relation, ' ' ORDER BY relation) FROM chime.view",
               "chat_telemetry_domain_rollups chat_telemetry_domain_summary chat_telemetry_minute_rollups"
               " chat_telemetry_model_rollups chat_telemetry_model_summary chat_telemetry_rollups mv_agent_progress"
               " mv_lane_score_distribution mv_time_to_first_win mv_weakness_patterns");
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.view_refresh WHERE rows > 0", "10");
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.run_history WHERE kind = 'install' AND state = 'succeeded'", "7");
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.run_history WHERE state <> 'succeeded'", "0");
    EXPECT_SQL(cluster,
               "SELECT w.started_at >= l.finished_at FROM chime.runs w, chime.runs l WHERE w.kind = 'install' AND "
               "l.kind = 'install'"
               " AND w.job = 'refresh-weakness-patterns' AND l.job = 'refresh-lane-distributions'",
               "t");
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.job WHERE active AND origin = 'plugin' AND after <> '{}'", "1");
    assert_views_are_right();
}
END_TEST

START_TEST(a_refresh_takes_in_what_was_written_since)
{
    serve();
    cluster_execute(
        cluster, "INSERT INTO submissions SELECT gen_random_uuid(), agent_id, challenge_id, gen_random_uuid(), status,"
                 " final_lane_scores, composite_score, now() FROM submissions WHERE status = 'scored' LIMIT 40;"
                 "DELETE FROM submissions WHERE id IN (SELECT id FROM submissions ORDER BY id LIMIT 30);"
                 "INSERT INTO bout_results SELECT bout_id, agent_id FROM submissions WHERE bout_id IS NOT NULL"
                 " AND created_at = (SELECT max(created_at) FROM submissions) ON CONFLICT DO NOTHING;"
                 "UPDATE chat_telemetry SET cost_usd = cost_usd + 1 WHERE id % 7 = 0");
    EXPECT_SQL(cluster, "SELECT sum(d.missing + d.surplus) > 0 FROM chime.view v, chime.difference(v.relation) d", "t");
    static const char *const jobs[] = {"refresh-lane-distributions",       "refresh-weakness-patterns",
                                       "refresh-agent-progress",           "refresh-time-to-first-win",
                                       "refresh-telemetry-summary-hourly", "refresh-telemetry-rollups-hourly",
                                       "refresh-telemetry-minutes"};
    for (size_t i = 0; i < sizeof(jobs) / sizeof(jobs[0]); i++) {
        runs_ask_and_await(cluster, jobs[i]);
        EXPECT_RUN(cluster, jobs[i], "state", "succeeded");
    }
    EXPECT_RUN(cluster, "refresh-agent-progress", "rows > 0", "t");
    assert_views_are_right();
}
END_TEST

/* Everything by which a relation, an index, a function or a job made anew would show. */
static char *what_is_there(void)
{
    return cluster_rows(cluster,
                        "SELECT c.oid, c.xmin, c.relname, c.relfilenode FROM pg_class c WHERE c.relnamespace = "
                        "'analytics'::regnamespace"
                        " AND c.relkind IN ('v', 'i') OR c.relname LIKE 'mv\\_%' AND c.relkind = 'r' ORDER BY 1");
}

START_TEST(a_second_start_changes_nothing)
{
    static const char records[] = "SELECT xmin, name, state, changed_at::text FROM chime.plugin UNION ALL"
                                  " SELECT xmin, name, version::text, updated_at::text FROM chime.job UNION ALL"
                                  " SELECT xmin, proname, oid::text, '' FROM pg_proc WHERE pronamespace = "
                                  "'analytics'::regnamespace ORDER BY 2, 3";
    serve();
    stop();
    char *relations = what_is_there();
    char *before = cluster_rows(cluster, records);
    ck_assert(relations[0] != '\0' && before[0] != '\0');
    serve();
    char *relations_after = what_is_there();
    char *after = cluster_rows(cluster, records);
    ck_assert_str_eq(relations_after, relations);
    ck_assert_str_eq(after, before);
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.run_history WHERE kind = 'install'", "7");
    free(relations);
    free(relations_after);
    free(before);
    free(after);
}
END_TEST

/* --- modes -------------------------------------------------------------------------------------------------------- */

#define MATVIEWS                                                                                                  \
    "SELECT coalesce(string_agg(matviewname, ' ' ORDER BY matviewname), '') FROM pg_matviews WHERE schemaname = " \
    "'analytics'"
#define EVERY_ROW "SELECT count(*) FROM analytics.mv_lane_score_distribution"

/* weakness reads the first, and its function and lane_distribution's read their relations by their identity. */
START_TEST(conf_d_makes_materialized_views_of_live_views_and_tables_again)
{
    serve();
    char *rows = cluster_value(cluster, EVERY_ROW);
    site_file(site, "modes",
              "plugin: { name = \"lane_distribution\"; modes: { mv_lane_score_distribution = \"matview\"; }; };");
    site_file(site, "more",
              "plugin: { name = \"telemetry\"; modes: { chat_telemetry_model_summary = \"matview\"; }; };");
    kill(daemon_pid(served), SIGHUP);
    WAIT_SQL(cluster, MATVIEWS, "chat_telemetry_model_summary mv_lane_score_distribution", POPULATION_SECONDS);
    EXPECT_SQL(cluster, EVERY_ROW, rows);
    WAIT_SQL(cluster, "SELECT full_reason FROM chime.view WHERE relation = 'mv_weakness_patterns'",
             "changes of analytics.mv_lane_score_distribution are not captured", POPULATION_SECONDS);
    EXPECT_STATES(ALL_INSTALLED);
    cluster_execute(cluster, "DELETE FROM submissions WHERE id IN (SELECT id FROM submissions ORDER BY id LIMIT 30)");
    runs_ask_and_await(cluster, "refresh-lane-distributions");
    EXPECT_RUN(cluster, "refresh-lane-distributions",
               "state::text || (message ~ '^analytics.mv_lane_score_distribution: materialized view, \\d+ rows, \\d+ "
               "source values "
               "rejected$')",
               "succeededtrue");
    EXPECT_SQL(cluster,
               "SELECT count(*) > 0 FROM analytics.mv_lane_score_distribution d,"
               " analytics.lane_distributions(d.challenge_id, 1)",
               "t");
    site_remove(site, "modes");
    kill(daemon_pid(served), SIGHUP);
    WAIT_SQL(cluster, MATVIEWS, "chat_telemetry_model_summary", POPULATION_SECONDS);
    WAIT_SQL(cluster, "SELECT count(*) FROM chime.view WHERE full_reason IS NULL", "8", POPULATION_SECONDS);
    runs_ask_and_await(cluster, "refresh-lane-distributions");
    EXPECT_RUN(cluster, "refresh-lane-distributions", "state", "succeeded");
    runs_ask_and_await(cluster, "refresh-weakness-patterns");
    runs_ask_and_await(cluster, "refresh-agent-progress");
    runs_ask_and_await(cluster, "refresh-time-to-first-win");
    runs_ask_and_await(cluster, "refresh-telemetry-summary-hourly");
    assert_views_are_right();
    free(rows);
}
END_TEST

/* --- what cannot be installed ------------------------------------------------------------------------------------- */

START_TEST(missing_sources_and_broken_plugins_cost_only_their_plugin)
{
    static const char *const broken[] = {
        "segfault_in_describe",        "no_symbol",      "wrong_magic", "aborting_constructor",
        "garbage_on_every_descriptor", "exit_0_silently"};
    cluster_execute(cluster, "ALTER TABLE submissions RENAME COLUMN final_lane_scores TO gone");
    serve();
    EXPECT_STATES("lane_distribution dormant, progress installed, telemetry installed, time_to_first_win installed, "
                  "weakness available");
    EXPECT_SQL(cluster, "SELECT reason FROM chime.plugin WHERE name = 'lane_distribution'",
               "missing: column public.submissions.final_lane_scores");
    EXPECT_SQL(cluster, "SELECT string_agg(name, ' ') FROM chime.job WHERE NOT active AND name LIKE '%lane%'",
               "refresh-lane-distributions");
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.view_refresh WHERE rows > 0", "8");
    stop();
    /* It is tried again, and there is nothing to clear away first. */
    cluster_execute(cluster, "ALTER TABLE submissions RENAME COLUMN gone TO final_lane_scores");
    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++)
        plugin_put_fixture(folder, broken[i]);
    serve();
    EXPECT_STATES(ALL_INSTALLED);
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.run_history WHERE kind = 'install' AND state = 'succeeded'", "7");
    for (size_t i = 0; i < sizeof(broken) / sizeof(broken[0]); i++)
        ck_assert_msg(daemon_said(served, broken[i]), "%s is not named", broken[i]);
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.job WHERE NOT active", "0");
    assert_views_are_right();
}
END_TEST

START_TEST(a_relation_of_somebody_else_is_left_alone_and_named)
{
    cluster_execute(
        cluster, "CREATE ROLE somebody; CREATE SCHEMA analytics; CREATE TABLE analytics.mv_agent_progress (mine int);"
                 "INSERT INTO analytics.mv_agent_progress VALUES (1); ALTER TABLE analytics.mv_agent_progress OWNER TO "
                 "somebody");
    serve();
    EXPECT_STATES("lane_distribution installed, progress failed, telemetry installed, time_to_first_win installed, "
                  "weakness installed");
    EXPECT_SQL(cluster, "SELECT split_part(reason, ';', 1) FROM chime.plugin WHERE name = 'progress'",
               "relation analytics.mv_agent_progress exists already, is owned by somebody and was not made by pgchime");
    EXPECT_SQL(cluster, "SELECT mine FROM analytics.mv_agent_progress", "1");
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.view_refresh WHERE rows > 0", "9");
    /* Its job says so on the record. */
    runs_ask_and_await(cluster, "refresh-agent-progress");
    EXPECT_RUN(cluster, "refresh-agent-progress", "concat_ws(' ', state, sqlstate)", "failed 42P01");
    EXPECT_SQL(cluster, "SELECT mine FROM analytics.mv_agent_progress", "1");
    WAIT_FOR(daemon_said(served, "owned by somebody"), 20);
}
END_TEST

START_TEST(a_definition_that_fails_costs_its_plugin_and_says_why)
{
    cluster_execute(cluster, "ALTER TABLE submissions ALTER composite_score TYPE text");
    serve();
    EXPECT_SQL(cluster, "SELECT state FROM chime.plugin WHERE name = 'progress'", "failed");
    EXPECT_SQL(cluster, "SELECT reason LIKE '%text%' FROM chime.plugin WHERE name = 'progress'", "t");
    EXPECT_SQL(cluster, "SELECT state FROM chime.plugin WHERE name = 'lane_distribution'", "installed");
    EXPECT_SQL(cluster, "SELECT to_regclass('analytics.mv_agent_progress')", NULL);
}
END_TEST

START_TEST(a_removed_plugin_leaves_its_data_and_is_due_no_more)
{
    serve();
    stop();
    char *rows = cluster_value(cluster, "SELECT count(*) FROM analytics.mv_agent_progress");
    plugin_take(folder, "progress");
    serve();
    EXPECT_SQL(cluster, "SELECT active FROM chime.job WHERE name = 'refresh-agent-progress'", "f");
    EXPECT_SQL(cluster, "SELECT state FROM chime.plugin WHERE name = 'progress'", "removed");
    EXPECT_SQL(cluster, "SELECT count(*) FROM analytics.mv_agent_progress", rows);
    EXPECT_SQL(
        cluster,
        "SELECT count(*) FROM chime.run_history JOIN chime.job USING (job_id) WHERE name = 'refresh-agent-progress'",
        "1");
    stop();
    plugin_put(folder, "progress");
    serve();
    EXPECT_STATES(ALL_INSTALLED);
    EXPECT_SQL(cluster, "SELECT active FROM chime.job WHERE name = 'refresh-agent-progress'", "t");
    free(rows);
}
END_TEST

/* --- who may read ------------------------------------------------------------------------------------------------- */

#define BUSY_INSTALLING " WHERE wait_event_type = 'Lock' AND query ~ 'chime\\.install_keys'"

/* progress captures a column of submissions that the others do not: their log gets it, which waits for who writes to
 * it. */
START_TEST(a_plugin_that_needs_more_of_a_busy_source_waits_for_its_writers)
{
    plugin_take(folder, "progress");
    serve();
    PGconn *writer = cluster_connect(cluster, "postgres");
    PQclear(PQexec(writer, "BEGIN"));
    PQclear(PQexec(writer, "DELETE FROM public.submissions WHERE id = (SELECT min(id::text)::uuid FROM submissions)"));
    plugin_put(folder, "progress");
    WAIT_SQL(cluster, "SELECT count(*) FROM pg_stat_activity" BUSY_INSTALLING, "1", POPULATION_SECONDS);
    char *first = cluster_value(cluster, "SELECT max(query_start) FROM pg_stat_activity" BUSY_INSTALLING);
    char *again = files_path("SELECT count(*) FROM pg_stat_activity" BUSY_INSTALLING " AND query_start > '%s'", first);
    WAIT_SQL(cluster, again, "1", POPULATION_SECONDS);
    free(again);
    free(first);
    PQclear(PQexec(writer, "COMMIT"));
    PQfinish(writer);
    WAIT_SQL(cluster, "SELECT full_reason IS NULL FROM chime.view WHERE relation = 'mv_agent_progress'", "t",
             POPULATION_SECONDS);
    WAIT_SQL(cluster, "SELECT refreshed_at IS NOT NULL FROM chime.view_refresh WHERE relation = 'mv_agent_progress'",
             "t", POPULATION_SECONDS);
    EXPECT_STATES(ALL_INSTALLED);
    stop();
}
END_TEST

START_TEST(analytics_reader_reads_the_views_and_their_functions_and_no_source)
{
    static const char *const readable[] = {"SELECT count(*) FROM analytics.mv_lane_score_distribution",
                                           "SELECT count(*) FROM analytics.mv_weakness_patterns",
                                           "SELECT count(*) FROM analytics.mv_agent_progress",
                                           "SELECT count(*) FROM analytics.mv_time_to_first_win",
                                           "SELECT count(*) FROM analytics.chat_telemetry_domain_summary",
                                           "SELECT count(*) FROM analytics.chat_telemetry_model_summary",
                                           "SELECT count(*) FROM analytics.chat_telemetry_rollups"};
    static const char *const forbidden[] = {"SELECT count(*) FROM submissions",
                                            "SELECT count(*) FROM bout_results",
                                            "SELECT count(*) FROM chat_telemetry",
                                            "SELECT count(*) FROM analytics.mv_agent_progress__live",
                                            "DELETE FROM analytics.mv_agent_progress",
                                            "SELECT * FROM chime.refresh('mv_agent_progress')",
                                            "SELECT * FROM analytics.refresh_telemetry_summary_views()",
                                            "SELECT * FROM analytics.telemetry_hours(NULL, NULL)",
                                            "SELECT command FROM chime.job",
                                            "SELECT * FROM chime.run_history",
                                            "INSERT INTO chime.request (job_id) VALUES (1)",
                                            "UPDATE chime.leader SET token = NULL"};
    serve();
    /* Those that only read; arguments by their types: any of each will do. */
    char *calls = cluster_rows(
        cluster, "SELECT format('SELECT count(*) FROM %s(%s)', p.oid::regproc,"
                 " (SELECT string_agg('NULL::' || format_type(t, NULL), ', ' ORDER BY n) FROM "
                 "unnest(p.proargtypes) WITH ORDINALITY AS a (t, n)))"
                 " FROM chime.plugin_function f JOIN pg_proc p ON p.oid = "
                 "chime.routine(f.signature) WHERE p.provolatile <> 'v' AND p.proname <> 'telemetry_hours'");
    cluster_execute(cluster, "SET ROLE analytics_reader");
    for (size_t i = 0; i < sizeof(readable) / sizeof(readable[0]); i++)
        ck_assert_int_gt(cluster_integer(cluster, readable[i]), 0);
    for (size_t i = 0; i < sizeof(forbidden) / sizeof(forbidden[0]); i++)
        ck_assert_msg(strcmp(cluster_sqlstate(cluster, forbidden[i]), "42501") == 0, "%s is allowed", forbidden[i]);
    int count = 0;
    char *rest = calls;
    for (char *call = strsep(&rest, "\n"); call != NULL && call[0] != '\0'; call = strsep(&rest, "\n")) {
        ck_assert_msg(strcmp(cluster_sqlstate(cluster, call), "") == 0, "%s", call);
        count++;
    }
    ck_assert_int_eq(count, 7);
    cluster_execute(cluster, "RESET ROLE");
    free(calls);
}
END_TEST

static Suite *suite(void)
{
    Suite *all = suite_create("plugins_live");
    TCase *first = tcase_create("first start");
    TCase *later = tcase_create("installed before");

    tcase_add_checked_fixture(first, set_up, tear_down);
    tcase_set_timeout(first, 180);
    tcase_add_test(first, missing_sources_and_broken_plugins_cost_only_their_plugin);
    tcase_add_test(first, a_relation_of_somebody_else_is_left_alone_and_named);
    tcase_add_test(first, a_definition_that_fails_costs_its_plugin_and_says_why);
    tcase_add_test(first, a_plugin_that_needs_more_of_a_busy_source_waits_for_its_writers);
    tcase_add_checked_fixture(later, set_up_installed, tear_down);
    tcase_set_timeout(later, 180);
    tcase_add_test(later, the_views_are_installed_populated_in_order_and_right);
    tcase_add_test(later, a_refresh_takes_in_what_was_written_since);
    tcase_add_test(later, a_second_start_changes_nothing);
    tcase_add_test(later, conf_d_makes_materialized_views_of_live_views_and_tables_again);
    tcase_add_test(later, a_removed_plugin_leaves_its_data_and_is_due_no_more);
    tcase_add_test(later, analytics_reader_reads_the_views_and_their_functions_and_no_source);
    suite_add_tcase(all, first);
    suite_add_tcase(all, later);
    return all;
}

int main(void)
{
    return suite_run(suite());
}
