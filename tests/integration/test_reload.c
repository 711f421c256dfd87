/* SPDX-License-Identifier: PostgreSQL */
/* Another catalog while runs go on: SIGHUP, the command, an arriving file, and a dormant plugin that wakes. */
#include <check.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/cluster/cluster.h"
#include "support/daemon/daemon.h"
#include "support/daemon/site.h"
#include "support/ledger/ledger_sql.h"
#include "support/ledger/runs.h"
#include "support/process/files.h"
#include "support/process/suite.h"
#include "support/process/wait.h"

#define RELOADS 1000
#define RELOADS_WITH_A_TOOL 100 /* under valgrind and sanitizers */

static struct cluster *cluster;
static struct site *site;
static struct daemon *served;
static struct daemon *second;

static void set_up(void)
{
    cluster = ledger_sql_install(NULL);
    site = site_create(cluster, "postgres", 4);
    cluster_execute(cluster, "CREATE TABLE t (id int GENERATED ALWAYS AS IDENTITY, job text);");
}

static void tear_down(void)
{
    daemon_destroy(second);
    daemon_destroy(served);
    site_destroy(site);
    cluster_destroy(cluster);
}

static int reload(char **output, char **errors)
{
    const char *const arguments[] = {"reload", "--config", site_config(site), NULL};
    return daemon_run(arguments, output, errors);
}

static void must_reload(void)
{
    char *errors = NULL;
    int status = reload(NULL, &errors);
    ck_assert_msg(status == 0, "reload: status %d: %s", status, errors);
    free(errors);
}

/* --- what changes --- */

START_TEST(a_job_that_comes_goes_or_changes_does_so_without_a_restart)
{
    site_job(site, "old", "schedule = \"1 seconds\"; command = \"INSERT INTO t (job) VALUES ('old')\";");
    served = site_lead(site);
    runs_await(cluster, "old", 1);
    site_remove(site, "old");
    site_job(site, "new", "schedule = \"1 seconds\"; command = \"INSERT INTO t (job) VALUES ('new')\";");
    char *output = NULL;
    ck_assert_int_eq(reload(&output, NULL), 0);
    ck_assert_str_eq(output, "reloaded: 0 plugins, 1 job\n+ job new\n- job old\n");
    free(output);
    EXPECT_SQL(cluster, "SELECT active FROM chime.job WHERE name = 'old'", "f");
    runs_await(cluster, "new", 2);
    EXPECT_SQL(cluster,
               "SELECT max(slot) < (SELECT min(slot) FROM chime.runs WHERE job = 'new') + interval '1 s' FROM "
               "chime.runs WHERE job = 'old'",
               "t");
    site_job(site, "new", "schedule = \"1 seconds\"; command = \"INSERT INTO t (job) VALUES ('newer')\";");
    daemon_signal(served, SIGHUP);
    WAIT_SQL(cluster, "SELECT count(*) > 0 FROM t WHERE job = 'newer'", "t", 10);
    site_job(site, "new", NEVER_DUE "command = \"SELECT 1\"; priority = 3;");
    ck_assert_int_eq(reload(&output, NULL), 0);
    ck_assert_str_eq(output, "reloaded: 0 plugins, 1 job\n~ job new\n");
    free(output);
    ck_assert_int_eq(reload(&output, NULL), 0);
    ck_assert_str_eq(output, "reloaded: 0 plugins, 1 job\n");
    free(output);
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.leadership", "1");
}
END_TEST

START_TEST(a_run_under_way_ends_as_it_began_when_its_job_changes_or_goes)
{
    site_job(site, "long", NEVER_DUE "command = \"SELECT pg_sleep(3), 'first'\";");
    site_job(site, "gone", NEVER_DUE "command = \"SELECT pg_sleep(3), 'gone'\";");
    served = site_lead(site);
    runs_ask(cluster, "long");
    runs_ask(cluster, "gone");
    runs_await_running(cluster, "long");
    runs_await_running(cluster, "gone");
    site_remove(site, "gone");
    site_job(site, "long", NEVER_DUE "command = \"SELECT 'second'\"; max_attempts = 1;");
    must_reload();
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.run", "2");
    runs_await(cluster, "long", 1);
    runs_await(cluster, "gone", 1);
    EXPECT_RUN(cluster, "long", "state::text", "succeeded");
    EXPECT_RUN(cluster, "gone", "state::text", "succeeded");
    EXPECT_RUN(cluster, "long", "finished_at - started_at > interval '2 s'", "t");
    runs_ask_and_await(cluster, "long");
    EXPECT_RUN(cluster, "long", "finished_at - started_at < interval '3 s'", "t");
}
END_TEST

START_TEST(a_slot_that_waits_while_its_schedule_changes_is_recorded)
{
    site_job(site, "up", "schedule = \"1 seconds\"; command = \"SELECT pg_sleep(30)\";");
    site_job(site, "down", "schedule = \"1 seconds\"; command = \"SELECT 1\"; after = [\"up\"];");
    served = site_lead(site);
    runs_await_running(cluster, "up");
    WAIT_SQL(cluster, "SELECT now() > max(last_slot) + interval '2 s' FROM chime.job_status WHERE name = 'down'", "t",
             10);
    site_job(site, "down", "schedule = \"0 0 1 1 *\"; command = \"SELECT 1\"; after = [\"up\"];");
    must_reload();
    WAIT_SQL(cluster,
             "SELECT bool_and(state = 'skipped' AND reason LIKE 'reload: its schedule changed%') AND count(*) >= 1"
             " FROM chime.runs WHERE job = 'down'",
             "t", 10);
}
END_TEST

START_TEST(pool_size_and_pools_change_without_a_restart)
{
    site_job(site, "a", NEVER_DUE "command = \"SELECT pg_sleep(60)\";");
    site_job(site, "b", NEVER_DUE "command = \"SELECT pg_sleep(60)\";");
    served = site_lead(site);
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.leadership", "1");
    runs_ask(cluster, "a");
    runs_await_running(cluster, "a");
    site_job(site, "b", NEVER_DUE "command = \"SELECT 'b'\"; priority = 1;");
    must_reload();
    runs_ask_and_await(cluster, "b");
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.run", "1");
}
END_TEST

/* --- what is refused --- */

START_TEST(a_bad_file_never_replaces_a_good_catalog)
{
    site_job(site, "job", "schedule = \"1 seconds\"; command = \"INSERT INTO t (job) VALUES ('job')\";");
    served = site_lead(site);
    runs_await(cluster, "job", 1);
    site_file(site, "bad", "jobs: { job2: { schedule = \"61 * * * *\"; command = \"SELECT 1\"; }; };");
    char *errors = NULL;
    ck_assert_int_eq(reload(NULL, &errors), 3);
    ck_assert_msg(strstr(errors, "conf.d/bad.conf:1: job \"job2\": schedule \"61 * * * *\": minute \"61\"") != NULL,
                  "%s", errors);
    ck_assert_msg(strstr(errors, "what was in force stays") != NULL, "%s", errors);
    free(errors);
    WAIT_FOR(daemon_said(served, "reload refused: 1 finding"), 20);
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.job", "1");
    runs_ask_and_await(cluster, "job");
    site_remove(site, "bad");
    must_reload();
}
END_TEST

START_TEST(without_a_daemon_reload_says_so)
{
    char *errors = NULL;
    ck_assert_int_eq(reload(NULL, &errors), 4);
    ck_assert_msg(strstr(errors, "no daemon answers on") != NULL, "%s", errors);
    free(errors);
}
END_TEST

/* --- plugins --- */

static char *plugin_folder(void)
{
    char *folder = files_make_directory();
    return folder;
}

static void drop_in(const char *folder, const char *plugin)
{
    char *from = files_path("%s/plugins/%s.so", PGCHIME_BUILD_DIR, plugin);
    char *hidden = files_path("%s/.%s.so", folder, plugin);
    char *to = files_path("%s/%s.so", folder, plugin);
    files_copy(from, hidden);
    ck_assert_int_eq(rename(hidden, to), 0);
    free(from);
    free(hidden);
    free(to);
}

static void load_sample(void)
{
    char *schema = files_path("%s/sql/sample/0_schema.sql", PGCHIME_SOURCE_DIR);
    cluster_execute_file(cluster, schema);
    free(schema);
}

START_TEST(a_daemon_of_the_same_configuration_hears_reload_once_the_one_before_it_is_gone)
{
    site_job(site, "job", NEVER_DUE "command = \"SELECT 1\";");
    served = site_lead(site);
    second = site_serve(site, NULL, NULL);
    WAIT_FOR(daemon_said(second, "another daemon listens there"), 10);
    WAIT_FOR(daemon_said(second, "leads; following"), 10);
    daemon_kill(served);
    WAIT_FOR(daemon_said(second, "this daemon listens there now"), 10);
    must_reload();
    WAIT_FOR(daemon_said(second, "asked for"), 20);
}
END_TEST

START_TEST(a_plugin_dropped_into_the_folder_becomes_a_view)
{
    char *folder = plugin_folder();
    load_sample();
    site_use_plugins(site, folder);
    served = site_lead(site);
    drop_in(folder, "lane_distribution");
    WAIT_SQL(cluster, "SELECT state FROM chime.plugin WHERE name = 'lane_distribution'", "installed", 20);
    WAIT_SQL(cluster, "SELECT count(*) FROM chime.view_refresh WHERE refreshed_at IS NOT NULL", "1", 20);
    char *file = files_path("%s/lane_distribution.so", folder);
    ck_assert_int_eq(unlink(file), 0);
    WAIT_SQL(cluster, "SELECT state FROM chime.plugin WHERE name = 'lane_distribution'", "removed", 20);
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.leadership", "1");
    free(file);
    free(folder);
}
END_TEST

START_TEST(a_good_plugin_is_not_replaced_by_a_bad_file)
{
    char *folder = plugin_folder();
    load_sample();
    drop_in(folder, "lane_distribution");
    site_use_plugins(site, folder);
    served = site_lead(site);
    char *hidden = files_path("%s/.new", folder);
    char *file = files_path("%s/lane_distribution.so", folder);
    files_write(hidden, "not a shared object");
    ck_assert_int_eq(rename(hidden, file), 0);
    WAIT_FOR(daemon_said(served, "reload refused"), 20);
    EXPECT_SQL(cluster, "SELECT state FROM chime.plugin WHERE name = 'lane_distribution'", "installed");
    EXPECT_SQL(cluster, "SELECT bool_and(active) FROM chime.job WHERE plugin = 'lane_distribution'", "t");
    free(hidden);
    free(file);
    free(folder);
}
END_TEST

START_TEST(a_plugin_is_not_to_be_seen_until_its_tables_appear)
{
    char *folder = plugin_folder();
    drop_in(folder, "lane_distribution");
    site_use_plugins(site, folder);
    served = site_lead(site);
    EXPECT_SQL(cluster, "SELECT state FROM chime.plugin", "available");
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.job WHERE origin = 'plugin'", "0");
    char *log = daemon_errors(served);
    ck_assert_msg(strstr(log, "lane_distribution") == NULL && strstr(log, "warning") == NULL, "%s", log);
    free(log);
    load_sample();
    WAIT_SQL(cluster, "SELECT state FROM chime.plugin", "installed", 40);
    WAIT_SQL(cluster, "SELECT count(*) FROM chime.view_refresh WHERE refreshed_at IS NOT NULL", "1", 20);
    EXPECT_SQL(cluster, "SELECT bool_and(active) FROM chime.job", "t");
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.leadership", "1");
    free(folder);
}
END_TEST

/* --- under load --- */

static int reload_count(void)
{
    const char *slowness = getenv("PGCHIME_TEST_SLOWNESS");
    return slowness != NULL && atoi(slowness) > 1 ? RELOADS_WITH_A_TOOL : RELOADS;
}

START_TEST(a_thousand_reloads_under_load_change_no_run)
{
    int count = reload_count();
    for (int i = 0; i < 20; i++) {
        char *name = files_path("steady%d", i);
        site_job(site, name,
                 "schedule = \"1 seconds\"; command = \"SELECT pg_sleep(0.3)\"; overlap_policy = \"buffer_all\"; "
                 "catchup = \"all\";");
        free(name);
    }
    site_job(site, "long", NEVER_DUE "command = \"SELECT pg_sleep(5)\";");
    served = site_lead(site);
    runs_ask(cluster, "long");
    runs_await(cluster, "steady0", 1);
    for (int i = 0; i < count; i++) {
        char *command = files_path("schedule = \"1 seconds\"; command = \"SELECT %d\";", i);
        site_job(site, "changing", command);
        free(command);
        if (i % 10 == 9) { /* refused, and put right */
            site_file(site, "bad", "jobs: { x: { schedule = \"nonsense\"; command = \"SELECT 1\"; }; };");
            ck_assert_int_eq(reload(NULL, NULL), 3);
            site_remove(site, "bad");
        } else {
            must_reload();
        }
    }
    site_end(served);
    /* Of the jobs that did not change: every second's slot once, all succeeded, by one leader. What was claimed and had
     * not started when it was told to end waits for the next one. */
    EXPECT_SQL(cluster,
               "SELECT string_agg(DISTINCT state::text, ',') FROM chime.runs WHERE (job LIKE 'steady%' OR job = 'long')"
               " AND finished_at IS NOT NULL",
               "succeeded");
    EXPECT_SQL(cluster,
               "SELECT bool_and(n = extract(epoch FROM newest - oldest) + 1) FROM (SELECT job, count(*) AS n, "
               "min(slot) AS oldest,"
               " max(slot) AS newest FROM chime.runs WHERE job LIKE 'steady%' GROUP BY job) s",
               "t");
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.missed JOIN chime.job USING (job_id) WHERE name LIKE 'steady%'",
               "0");
    EXPECT_SQL(cluster, "SELECT max(attempt) FROM chime.runs WHERE job LIKE 'steady%'", "1");
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.leadership", "1");
    EXPECT_SQL(cluster, "SELECT count(DISTINCT version) FROM chime.job WHERE name LIKE 'steady%' AND version > 1", "0");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("reload");
    TCase *changes = tcase_create("reload");
    tcase_add_checked_fixture(changes, set_up, tear_down);
    tcase_set_timeout(changes, 120);
    tcase_add_test(changes, a_job_that_comes_goes_or_changes_does_so_without_a_restart);
    tcase_add_test(changes, a_run_under_way_ends_as_it_began_when_its_job_changes_or_goes);
    tcase_add_test(changes, a_slot_that_waits_while_its_schedule_changes_is_recorded);
    tcase_add_test(changes, pool_size_and_pools_change_without_a_restart);
    tcase_add_test(changes, a_bad_file_never_replaces_a_good_catalog);
    tcase_add_test(changes, without_a_daemon_reload_says_so);
    tcase_add_test(changes, a_daemon_of_the_same_configuration_hears_reload_once_the_one_before_it_is_gone);
    tcase_add_test(changes, a_plugin_dropped_into_the_folder_becomes_a_view);
    tcase_add_test(changes, a_good_plugin_is_not_replaced_by_a_bad_file);
    tcase_add_test(changes, a_plugin_is_not_to_be_seen_until_its_tables_appear);
    suite_add_tcase(suite, changes);
    TCase *load = tcase_create(SUITE_IN_FULL);
    tcase_add_checked_fixture(load, set_up, tear_down);
    tcase_set_timeout(load, 300);
    tcase_add_test(load, a_thousand_reloads_under_load_change_no_run);
    suite_add_tcase(suite, load);
    return suite_run(suite);
}
