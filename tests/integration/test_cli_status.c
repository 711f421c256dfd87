/* SPDX-License-Identifier: PostgreSQL */
/* `pgchime status`: who leads, what stands in the way, and what its exit status says of that. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "support/cluster/cluster.h"
#include "support/daemon/commands.h"
#include "support/daemon/daemon.h"
#include "support/daemon/site.h"
#include "support/ledger/ledger_sql.h"
#include "support/ledger/runs.h"
#include "support/plugin/plugin_files.h"
#include "support/process/files.h"
#include "support/process/suite.h"
#include "support/process/wait.h"

static struct cluster *cluster;
static struct site *site;
static struct daemon *leader;
static char *output;
static char *errors;

static void set_up(void)
{
    cluster = ledger_sql_install(NULL);
    site = site_create(cluster, "postgres", 4);
    site_job(site, "quick", "schedule = \"0 3 1 1 *\"; command = \"SELECT 1\";");
    site_job(site, "asleep", "schedule = \"0 3 1 1 *\"; command = \"SELECT 1\"; enabled = false;");
}

static void tear_down(void)
{
    daemon_destroy(leader);
    site_destroy(site);
    cluster_destroy(cluster);
    free(output);
    free(errors);
}

#define ASSERT_RUN(status, ...) \
    commands_expect(status, site_config(site), (const char *const[]){__VA_ARGS__, NULL}, &output, &errors)

/* A machine that is busy may keep a leader from being heard of for some seconds. */
static void await_no_problem(void)
{
    WAIT_FOR(commands_run(site_config(site), (const char *const[]){"status", NULL}, &output, &errors) == 0, 60);
}

static void assert_lacks(const char *text, const char *part)
{
    ck_assert_msg(strstr(text, part) == NULL, "\"%s\" in:\n%s", part, text);
}

START_TEST(a_led_database_has_no_problem)
{
    leader = site_lead(site);
    ASSERT_RUN(0, "status", "-o", "json");
    ck_assert_str_eq(errors, "");
    commands_has(output, "\"database\": \"main\"");
    commands_has(output, "\"reachable\": true");
    commands_has(output, "\"leader\": \"test\"");
    commands_has(output, "\"epoch\": 1,");
    commands_has(output, "\"leader_session\": true");
    commands_has(output, "\"jobs\": 2,");
    commands_has(output, "\"active_jobs\": 1,");
    commands_has(output, "-01-01T03:00:00Z\"");
    commands_has(output, "\"problem\": null");
}
END_TEST

START_TEST(that_nobody_leads_is_a_problem)
{
    leader = site_lead(site);
    site_end(leader);
    ASSERT_RUN(8, "status", "-o", "json");
    commands_has(errors, "database \"main\": nobody leads this database: no job runs\n");
    commands_has(errors, "HINT:  start the daemon: pgchime serve\n");
    commands_has(output, "\"problem\": \"nobody leads this database: no job runs\"");
    commands_has(output, "\"leader\": null");
    commands_has(output, "\"leader_session\": false");
}
END_TEST

START_TEST(a_leader_that_was_killed_leads_no_more)
{
    leader = site_lead(site);
    daemon_kill(leader);
    cluster_execute(cluster, "SELECT pg_terminate_backend(pid, 10000) FROM chime.leader");
    ASSERT_RUN(8, "status", "-o", "json");
    commands_has(output, "\"leader\": \"test\"");
    commands_has(output, "\"leader_session\": false");
    commands_has(output, "\"problem\": \"nobody leads");
}
END_TEST

/* Those alone, since all would be installed. */
static void use_plugins(const char *const *names)
{
    char *folder = files_make_directory();

    for (const char *const *name = names; *name != NULL; name++)
        plugin_put(folder, *name);
    site_use_plugins(site, folder);
    free(folder);
}
#define USE_PLUGINS(...) use_plugins((const char *const[]){__VA_ARGS__, NULL})

/* Until public.gate is empty. */
static void hold_installs_up(void)
{
    cluster_execute(cluster, "CREATE TABLE public.gate (); INSERT INTO public.gate DEFAULT VALUES;"
                             "CREATE FUNCTION public.hold_up() RETURNS event_trigger LANGUAGE plpgsql AS $$ BEGIN"
                             " WHILE EXISTS (SELECT FROM public.gate) LOOP PERFORM pg_sleep(0.05); END LOOP; END $$;"
                             "CREATE EVENT TRIGGER hold_up ON ddl_command_start EXECUTE FUNCTION public.hold_up()");
}

START_TEST(a_plugin_that_failed_in_its_database_is_a_problem_until_it_is_mended)
{
    cluster_execute_file(cluster, PGCHIME_SOURCE_DIR "/sql/sample/0_schema.sql");
    cluster_execute(cluster, "CREATE ROLE somebody; CREATE SCHEMA analytics;"
                             "CREATE TABLE analytics.mv_agent_progress (mine int);"
                             "ALTER TABLE analytics.mv_agent_progress OWNER TO somebody");
    site_use_plugins(site, PGCHIME_BUILD_DIR "/plugins");
    leader = site_lead(site);
    ASSERT_RUN(8, "status");
    commands_has(errors,
                 "database \"main\": plugin progress failed: relation analytics.mv_agent_progress exists already");
    commands_has(errors, "pgchime reload");
    commands_has(output, "plugin progress failed: ");
    assert_lacks(output, "nobody leads");
    ASSERT_RUN(8, "doctor", "-o", "json");
    commands_has(output, "\"finding\": \"plugin progress failed: relation analytics.mv_agent_progress exists already");
    ASSERT_RUN(0, "why", "refresh-agent-progress", "-o", "json");
    commands_has(output,
                 "\"problem\": \"its plugin progress failed: relation analytics.mv_agent_progress exists already");
    commands_has(output, "; mend that, then run pgchime reload, which tries it again");
    cluster_execute(cluster, "DROP TABLE analytics.mv_agent_progress");
    hold_installs_up();
    ASSERT_RUN(0, "reload");
    commands_has(errors, "a database has not taken the new catalog over yet");
    ASSERT_RUN(8, "status");
    cluster_execute(cluster, "DELETE FROM public.gate");
    await_no_problem();
    ASSERT_RUN(8, "doctor", "-o", "json"); /* the tests' role is a superuser */
    assert_lacks(output, "plugin progress");
    ASSERT_RUN(0, "why", "refresh-agent-progress", "-o", "json");
    commands_has(output, "\"problem\": null");
}
END_TEST

#define PLUGIN_STATE "SELECT state || coalesce(': ' || reason, '') FROM chime.plugin_status"
#define CANNOT_FILL                                                              \
    "job refresh-time-to-first-win cannot fill analytics.mv_time_to_first_win: " \
    "refresh of analytics.mv_time_to_first_win: division by zero"

/* The view waits for a lock while it is filled, and then divides by what somebody may mend. */
START_TEST(a_view_that_cannot_be_filled_fails_its_plugin_until_it_can)
{
    cluster_execute_file(cluster, PGCHIME_SOURCE_DIR "/sql/sample/0_schema.sql");
    cluster_execute(
        cluster,
        "CREATE TABLE divisor (n integer); INSERT INTO divisor VALUES (0); ALTER TABLE bout_results RENAME TO bouts;"
        "CREATE FUNCTION divided() RETURNS integer LANGUAGE plpgsql AS $$ BEGIN"
        " PERFORM pg_advisory_xact_lock_shared(17); RETURN (SELECT 1 / n FROM public.divisor); END $$;"
        "CREATE VIEW bout_results AS SELECT bout_id, winner_agent_id FROM bouts WHERE divided() = 1;"
        "INSERT INTO bouts VALUES (md5('b')::uuid, md5('a')::uuid);"
        "INSERT INTO submissions (id, agent_id, challenge_id, bout_id, status, created_at) VALUES (md5('s')::uuid,"
        " md5('a')::uuid, md5('c')::uuid, md5('b')::uuid, 'scored', now()); SELECT pg_advisory_lock(17)");
    USE_PLUGINS("time_to_first_win");
    leader = site_lead(site);
    WAIT_SQL(cluster, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted", "1", 60);
    EXPECT_SQL(cluster, PLUGIN_STATE, "installed: being filled: analytics.mv_time_to_first_win");
    runs_ask_and_await(cluster, "quick"); /* meanwhile others run */
    EXPECT_RUN(cluster, "quick", "state", "succeeded");
    cluster_execute(cluster, "SELECT pg_advisory_unlock(17)");
    WAIT_SQL(cluster, PLUGIN_STATE, "failed: " CANNOT_FILL, 60);
    ASSERT_RUN(8, "status");
    commands_has(errors, "database \"main\": plugin time_to_first_win failed: " CANNOT_FILL);
    ASSERT_RUN(3, "check", "--database", "main");
    commands_has(errors, "database \"main\": plugin time_to_first_win failed: " CANNOT_FILL);
    ASSERT_RUN(0, "plugins", "-o", "json");
    commands_has(output, "\"reason\": \"" CANNOT_FILL);
    cluster_execute(cluster, "UPDATE divisor SET n = 1");
    WAIT_SQL(cluster, PLUGIN_STATE, "installed", 90); /* no reload: upkeep tries again */
    ASSERT_RUN(0, "check", "--database", "main");
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.view_refresh WHERE refreshed_at IS NULL", "0");
}
END_TEST

/* Nobody leads here for a while: what a clock makes late within minutes would be. */
START_TEST(a_view_that_is_late_is_a_problem_until_it_is_refreshed)
{
    cluster_execute_file(cluster, PGCHIME_SOURCE_DIR "/sql/sample/0_schema.sql");
    USE_PLUGINS("lane_distribution", "progress", "telemetry", "time_to_first_win");
    site_file(site, "patience",
              "jobs: { refresh-telemetry-minutes: { warn_after = \"1d\"; error_after = \"1d\"; }; };");
    leader = site_lead(site);
    WAIT_SQL(cluster, "SELECT count(*) FROM chime.view_refresh WHERE refreshed_at IS NULL", "0", 60);
    site_end(leader); /* so that what is made up here stays */
    ASSERT_RUN(8, "status");
    assert_lacks(errors, "view ");
    cluster_execute(cluster,
                    "UPDATE chime.view SET full_reason = 'its mode is full' WHERE relation = 'mv_agent_progress';"
                    "UPDATE chime.view_refresh SET refreshed_at = now() - interval '90 min'"
                    " WHERE relation = 'mv_agent_progress';"
                    "UPDATE chime.job SET options = options || '{\"warn_after\": \"10min\", \"error_after\":"
                    " \"2h\"}' WHERE name = 'refresh-agent-progress';"
                    "INSERT INTO submissions (id, agent_id, challenge_id, status) VALUES (md5('s')::uuid, "
                    "md5('a')::uuid, md5('c')::uuid,"
                    " 'open');"
                    "UPDATE chime.job SET options = options || '{\"error_after\": \"1min\"}' WHERE name ="
                    " 'refresh-lane-distributions';"
                    "UPDATE chime.view_refresh SET behind_since = now() - interval '90 s', full_us = 1000000000"
                    " WHERE relation = 'mv_lane_score_distribution'");
    ASSERT_RUN(8, "status", "-o", "json");
    commands_has(errors, "view analytics.mv_agent_progress is warn: it may lack what changed in the last 01:30:0");
    commands_has(errors, "view analytics.mv_lane_score_distribution is stale: it lacks a change, of 00:01:3");
    commands_has(errors, "pgchime refresh analytics.mv_lane_score_distribution does it now");
    commands_has(output, "is stale");
    ASSERT_RUN(8, "doctor", "-o", "json");
    commands_has(output, "\"finding\": \"view analytics.mv_lane_score_distribution is stale: ");
    cluster_execute(cluster, "UPDATE chime.view SET found_wrong = 'the group agent_id = 7 was not as it says'"
                             " WHERE relation = 'mv_agent_progress'");
    ASSERT_RUN(8, "status");
    commands_has(errors, "view analytics.mv_agent_progress is refreshed as a whole: the group agent_id = 7 was not as");
    ASSERT_RUN(8, "doctor", "-o", "json");
    commands_has(output, "\"finding\": \"view analytics.mv_agent_progress is refreshed as a whole: the group");
    ASSERT_RUN(0, "refresh", "--full", "mv_agent_progress");
    ASSERT_RUN(0, "refresh", "mv_lane_score_distribution");
    assert_lacks(output, "policies");
    cluster_execute(cluster, "ALTER TABLE bout_results ENABLE ROW LEVEL SECURITY");
    ASSERT_RUN(8, "doctor", "-o", "json");
    commands_has(output,
                 "\"finding\": \"analytics.mv_time_to_first_win holds rows of public.bout_results, whose policies");
    ASSERT_RUN(8, "status");
    assert_lacks(errors, "view ");
}
END_TEST

static void plant(const char *sql, const char *finding, const char *way_out)
{
    cluster_execute(cluster, sql);
    ASSERT_RUN(8, "status");
    commands_has(errors, finding);
    commands_has(errors, way_out);
    ASSERT_RUN(8, "doctor", "-o", "json");
    commands_has(output, finding);
}

START_TEST(views_never_filled_or_not_verified_and_days_without_a_partition_are_problems)
{
    cluster_execute_file(cluster, PGCHIME_SOURCE_DIR "/sql/sample/0_schema.sql");
    USE_PLUGINS("progress");
    leader = site_lead(site);
    WAIT_SQL(cluster, "SELECT count(*) FROM chime.view_refresh WHERE refreshed_at IS NULL", "0", 60);
    WAIT_SQL(cluster, "SELECT count(*) FROM chime.history_work('30 days') WHERE makes", "0", 30);
    cluster_execute(cluster, "UPDATE chime.leader SET since = since - interval '1 h'");
    await_no_problem();
    plant("INSERT INTO chime.verification (view_schema, relation, error) VALUES ('analytics', 'mv_agent_progress', 'x "
          "is gone')",
          "view analytics.mv_agent_progress could not be verified at ",
          ": x is gone\nHINT:  mend that; pgchime run verify-views");
    cluster_execute(cluster, "INSERT INTO chime.verification (view_schema, relation, missing, surplus)"
                             " VALUES ('analytics', 'mv_agent_progress', 0, 0)");
    await_no_problem();
    plant("UPDATE chime.job_state SET suspended_at = now(), suspended_by = 'ann' WHERE job_id = (SELECT job_id FROM "
          "chime.job"
          " WHERE name = 'refresh-agent-progress');"
          "UPDATE chime.view_refresh SET refreshed_at = NULL WHERE relation = 'mv_agent_progress'",
          "view analytics.mv_agent_progress has never been filled: job refresh-agent-progress is suspended",
          "HINT:  pgchime refresh analytics.mv_agent_progress fills it now");
    ASSERT_RUN(0, "refresh", "analytics.mv_agent_progress");
    await_no_problem();
    cluster_execute(cluster, "DO $$ BEGIN EXECUTE format('DROP TABLE chime.run_history_%s',"
                             " to_char((now() AT TIME ZONE 'UTC')::date + 1, 'YYYYMMDD')); END $$");
    plant("SELECT 1", "the history has no partition for ", "HINT:  its log says why, and it tries again every hour");
}
END_TEST

/* Without a word, a crash of the server then costs slots. */
START_TEST(an_unlogged_table_of_the_ledger_is_a_problem)
{
    leader = site_lead(site);
    await_no_problem();
    plant("ALTER TABLE chime.job_state SET UNLOGGED",
          "a crash of the server or a failover empties what is unlogged: chime.job_state",
          "HINT:  ALTER TABLE chime.job_state SET LOGGED");
    cluster_execute(cluster, "ALTER TABLE chime.job_state SET LOGGED");
    await_no_problem();
}
END_TEST

START_TEST(that_events_are_not_heard_is_a_problem_while_it_lasts)
{
    site_job(site, "woken", "on = [\"news\"]; command = \"SELECT 1\";");
    leader = site_lead(site);
    WAIT_SQL(cluster, "SELECT state FROM chime.listener", "listening", 20);
    ASSERT_RUN(0, "status", "-o", "json");
    cluster_execute(cluster, "UPDATE chime.listener SET state = 'degraded', since = '2026-11-21 12:34:56.7Z',"
                             " reason = 'too many connections', pid = NULL");
    ASSERT_RUN(8, "status", "-o", "json");
    commands_has(errors, "database \"main\": events are not heard since 2026-11-21 12:34:56Z: too many connections\n"
                         "HINT:  jobs that wait for events run every 10 s until a session of its own can be had\n");
    commands_has(output, "\"problem\": \"events are not heard since 2026-11-21 12:34:56Z: too many connections\"");
    ASSERT_RUN(8, "doctor", "-o", "json");
    commands_has(output, "\"finding\": \"events are not heard since 2026-11-21 12:34:56Z: too many connections\"");
    ASSERT_RUN(0, "why", "woken", "-o", "json");
    commands_has(output,
                 "\"problem\": \"degraded: events are not heard since 2026-11-21T12:34:56Z: too many connections;");
    ASSERT_RUN(0, "why", "quick", "-o", "json"); /* it waits for none */
    commands_has(output, "\"problem\": null");
    site_end(leader); /* of what an earlier leader heard or did not nothing follows */
    ASSERT_RUN(8, "status", "-o", "json");
    commands_has(errors, "nobody leads");
    assert_lacks(errors, "events are not heard");
    daemon_destroy(leader);
    leader = site_lead(site);
    WAIT_SQL(cluster, "SELECT state FROM chime.listener", "listening", 20);
    ASSERT_RUN(0, "status", "-o", "json");
}
END_TEST

START_TEST(a_plugin_that_is_refused_is_named_and_costs_nothing_else)
{
    char *folder = files_make_directory();
    char *plugin = files_path("%s/bad_schedule.so", folder);
    files_copy(PGCHIME_BUILD_DIR "/tests/fixtures/plugins/bad_schedule.so", plugin);
    site_use_plugins(site, folder);
    leader = site_lead(site);
    ASSERT_RUN(3, "status", "-o", "json");
    commands_has(errors, "bad_schedule.so: ");
    commands_has(output, "\"leader_session\": true");
    commands_has(output, "\"problem\": null");
    ASSERT_RUN(3, "doctor", "-o", "json");
    commands_has(output, "\"about\": \"plugin\",\n");
    commands_has(output, "bad_schedule.so: ");
    free(folder);
    free(plugin);
}
END_TEST

START_TEST(why_names_the_plugin_whose_file_is_refused)
{
    char *folder = files_make_directory();
    char *plugin = files_path("%s/progress.so", folder);
    cluster_execute_file(cluster, PGCHIME_SOURCE_DIR "/sql/sample/0_schema.sql");
    files_copy(PGCHIME_BUILD_DIR "/plugins/progress.so", plugin);
    site_use_plugins(site, folder);
    leader = site_lead(site);
    ASSERT_RUN(0, "why", "refresh-agent-progress", "-o", "json");
    commands_has(output, "\"problem\": null");
    site_end(leader);
    daemon_destroy(leader);
    files_copy(PGCHIME_BUILD_DIR "/tests/fixtures/plugins/segfault_in_describe.so", plugin);
    leader = site_lead(site);
    ASSERT_RUN(0, "why", "refresh-agent-progress", "-o", "json");
    commands_has(output, "\"now\": \"inactive: its plugin progress is removed");
    commands_has(output, "\"problem\": \"the file of its plugin progress is refused: ");
    commands_has(output, "progress.so: ");
    commands_has(output, "; mend that, then run pgchime reload");
    free(folder);
    free(plugin);
}
END_TEST

START_TEST(serve_says_in_which_line_a_missing_plugin_folder_is_named)
{
    site_use_plugins(site, "/nowhere/plugins");
    leader = site_lead(site);
    WAIT_FOR(daemon_said(leader, "pgchime.conf:4: plugin_dir: cannot open /nowhere/plugins"), 20);
    ASSERT_RUN(3, "status");
    commands_has(errors, "pgchime.conf:4: plugin_dir: cannot open /nowhere/plugins");
}
END_TEST

START_TEST(a_conninfo_that_libpq_refuses_reaches_nothing)
{
    char *folder = files_make_directory();
    char *configuration = files_path("%s/pgchime.conf", folder);
    files_write(configuration, "databases: { main: { conninfo = \"hots=/nowhere dbname=x\"; }; };\n");
    commands_expect(3, configuration, (const char *const[]){"status", "-o", "json", NULL}, &output, &errors);
    commands_has(errors, "invalid connection option \"hots\"");
    commands_has(output, "\"reachable\": false");
    commands_has(output, "\"problem\": \"conninfo: invalid connection option");
    free(folder);
    free(configuration);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("cli_status");
    TCase *tests = tcase_create("cli_status");
    tcase_set_timeout(tests, 120);
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, a_led_database_has_no_problem);
    tcase_add_test(tests, that_nobody_leads_is_a_problem);
    tcase_add_test(tests, a_leader_that_was_killed_leads_no_more);
    tcase_add_test(tests, a_plugin_that_failed_in_its_database_is_a_problem_until_it_is_mended);
    tcase_add_test(tests, a_view_that_is_late_is_a_problem_until_it_is_refreshed);
    tcase_add_test(tests, views_never_filled_or_not_verified_and_days_without_a_partition_are_problems);
    tcase_add_test(tests, an_unlogged_table_of_the_ledger_is_a_problem);
    tcase_add_test(tests, that_events_are_not_heard_is_a_problem_while_it_lasts);
    tcase_add_test(tests, a_plugin_that_is_refused_is_named_and_costs_nothing_else);
    tcase_add_test(tests, why_names_the_plugin_whose_file_is_refused);
    tcase_add_test(tests, serve_says_in_which_line_a_missing_plugin_folder_is_named);
    tcase_add_test(tests, a_conninfo_that_libpq_refuses_reaches_nothing);
    suite_add_tcase(suite, tests);
    TCase *filling = tcase_create("filling");
    tcase_set_timeout(filling, 300);
    tcase_add_checked_fixture(filling, set_up, tear_down);
    tcase_add_test(filling, a_view_that_cannot_be_filled_fails_its_plugin_until_it_can);
    suite_add_tcase(suite, filling);
    return suite_run(suite);
}
