/* SPDX-License-Identifier: PostgreSQL */
/* What a reload, a cancel and a stop once got wrong when they came at an unlucky moment. */
#include <check.h>
#include <libpq-fe.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "support/daemon/served.h"
#include "support/ledger/runs.h"
#include "support/process/files.h"
#include "support/process/suite.h"
#include "support/process/wait.h"

#define HEAVY "pool_size = 4; pools: { heavy = 1; };"
#define FAILS_ONCE "DO $x$ BEGIN IF nextval('s') = 1 THEN RAISE serialization_failure; END IF; END $x$"

static void set_up(void)
{
    served_set_up(4);
}

static int reload(char **errors)
{
    const char *const arguments[] = {"reload", "--config", site_config(site), NULL};
    return daemon_run(arguments, NULL, errors);
}

static void must_reload(void)
{
    char *errors = NULL;
    int status = reload(&errors);
    ck_assert_msg(status == 0, "reload: status %d: %s", status, errors);
    free(errors);
}

/* In pgchime.conf. */
static void write_instead(const char *old, const char *new)
{
    char *text = files_read(site_config(site));
    char *at = strstr(text, old);
    ck_assert_ptr_nonnull(at);
    char *changed = files_path("%.*s%s%s", (int)(at - text), text, new, at + strlen(old));
    files_write(site_config(site), changed);
    free(changed);
    free(text);
}

/* A run that holds the one place of pool "heavy" until it is cancelled. */
static void occupy_heavy(void)
{
    runs_ask(cluster, "hog");
    runs_await_running(cluster, "hog");
}

static void serve_with_heavy_pool(void)
{
    site_job(site, "idle", NEVER_DUE "command = \"SELECT 1\";");
    served = site_lead(site);
    write_instead("pool_size = 4;", HEAVY);
    site_job(site, "hog", NEVER_DUE "pool = \"heavy\"; command = \"SELECT pg_sleep(100)\";");
}

static void cancel_live_run(const char *job)
{
    cluster_execute_format(
        cluster, "SELECT chime.cancel_run(run_id) FROM chime.run JOIN chime.job USING (job_id) WHERE name = '%s'", job);
}

/* --- pools -------------------------------------------------------------------------------------------------------- */

START_TEST(the_limit_of_the_default_pool_goes_with_its_line)
{
    site_job(site, "a", NEVER_DUE "command = \"SELECT pg_sleep(100)\";");
    site_job(site, "b", NEVER_DUE "command = \"SELECT pg_sleep(100)\";");
    served = site_lead(site);
    write_instead("pool_size = 4;", "pool_size = 4; pools: { default = 1; };");
    must_reload();
    write_instead(" pools: { default = 1; };", "");
    must_reload();
    runs_ask(cluster, "a");
    runs_ask(cluster, "b");
    runs_await_running(cluster, "a");
    runs_await_running(cluster, "b");
}
END_TEST

START_TEST(a_retry_that_waits_for_a_place_is_cancelled)
{
    serve_with_heavy_pool();
    cluster_execute(cluster, "CREATE SEQUENCE s");
    site_job(site, "again",
             NEVER_DUE "pool = \"heavy\"; command = \"" FAILS_ONCE
                       "\"; max_attempts = 5; delivery = \"transactional\"; "
                       "backoff: { initial = \"2s\"; coefficient = 1; max = \"2s\"; jitter = 0.0; };");
    must_reload();
    runs_ask(cluster, "again");
    WAIT_SQL(cluster, "SELECT count(*) FROM chime.run WHERE retry_at IS NOT NULL", "1", 10);
    occupy_heavy();
    WAIT_SQL(cluster, "SELECT now() > retry_at + interval '1 s' FROM chime.run WHERE retry_at IS NOT NULL", "t", 10);
    cancel_live_run("again");
    runs_await(cluster, "again", 1);
    EXPECT_RUN(cluster, "again", "state::text", "cancelled");
    EXPECT_SQL(cluster, "SELECT name FROM chime.run JOIN chime.job USING (job_id)", "hog");
    WAIT_SQL(cluster, "SELECT count(*) FROM chime.request", "0", 10);
}
END_TEST

START_TEST(another_timezone_of_the_database_leaves_a_join_that_waits_alone)
{
    serve_with_heavy_pool();
    site_job(site, "up", NEVER_DUE "command = \"SELECT 1\";");
    site_job(site, "down", "after = [\"up\"]; pool = \"heavy\"; command = \"SELECT 1\";");
    must_reload();
    occupy_heavy();
    runs_ask_and_await(cluster, "up");
    write_instead("pool_size = 4;", "pool_size = 4; timezone = \"Europe/Paris\";");
    must_reload();
    cancel_live_run("hog");
    runs_await(cluster, "down", 1);
    EXPECT_RUN(cluster, "down", "state::text", "succeeded");
}
END_TEST

/* --- the socket --------------------------------------------------------------------------------------------------- */

START_TEST(the_socket_moves_with_the_configuration_and_is_found_in_one_with_errors)
{
    char *old = files_path("%s.sock", site_config(site));
    char *new = files_path("%s.moved", site_config(site));
    char *line = files_path("control_socket = \"%s\";\ninstance", new);
    char *errors = NULL;
    served = site_lead(site);
    ck_assert(files_exist(old));
    write_instead("instance", line);
    daemon_signal(served, SIGHUP);
    WAIT_FOR(files_exist(new) && !files_exist(old), 10);
    must_reload();
    site_file(site, "bad", "jobs: { job: { schedule = \"61 * * * *\"; command = \"SELECT 1\"; }; };");
    ck_assert_int_eq(reload(&errors), 3);
    ck_assert_msg(strstr(errors, "bad.conf:1: job \"job\"") != NULL, "%s", errors);
    free(errors);
    site_remove(site, "bad");
    site_file(site, "broken", "jobs: {");
    ck_assert_int_eq(reload(&errors), 3);
    ck_assert_msg(strstr(errors, "what was in force stays") != NULL, "%s", errors);
    free(errors);
    free(old);
    free(new);
    free(line);
}
END_TEST

/* --- stopping ----------------------------------------------------------------------------------------------------- */

static void begin_a_long_run(void)
{
    site_job(site, "long", NEVER_DUE "command = \"SELECT pg_sleep(3)\";");
    served = site_lead(site);
    runs_ask(cluster, "long");
    runs_await_running(cluster, "long");
}

/* Its database is to be served anew: the daemon leaves it first. */
static void change_conninfo(void)
{
    write_instead("conninfo = \"", "conninfo = \"connect_timeout=9 ");
    daemon_signal(served, SIGHUP);
    WAIT_FOR(daemon_said(served, "its conninfo changed"), 10);
}

static void stop(void)
{
    daemon_signal(served, SIGTERM);
    WAIT_FOR(daemon_said(served, "stopping:"), 10);
}

static void expect_patient_end(void)
{
    ck_assert_int_eq(daemon_wait(served, 60), 0);
    EXPECT_RUN(cluster, "long", "state::text", "succeeded");
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.leadership", "1");
}

START_TEST(stopping_waits_for_the_runs_of_a_database_that_is_being_left)
{
    begin_a_long_run();
    change_conninfo();
    stop();
    expect_patient_end();
}
END_TEST

START_TEST(a_reload_while_stopping_cancels_nothing)
{
    begin_a_long_run();
    stop();
    change_conninfo();
    expect_patient_end();
}
END_TEST

/* --- news that comes while a reload is under way ------------------------------------------------------------------ */

static void drop_in(const char *folder, const char *file)
{
    const char *name = strrchr(file, '/') + 1;
    char *from = files_path("%s/%s", PGCHIME_BUILD_DIR, file);
    char *hidden = files_path("%s/.%s", folder, name);
    char *to = files_path("%s/%s", folder, name);
    files_copy(from, hidden);
    ck_assert_int_eq(rename(hidden, to), 0);
    free(from);
    free(hidden);
    free(to);
}

/* 0 when there is none. */
static pid_t child_of(pid_t parent)
{
    char *path = files_path("/proc/%d/task/%d/children", (int)parent, (int)parent);
    char *children = parent > 0 ? files_read(path) : files_path("%s", "");
    pid_t first = (pid_t)strtol(children, NULL, 10);
    free(children);
    free(path);
    return first;
}

static pid_t plugin_host(void)
{
    return child_of(child_of(daemon_pid(served)));
}

START_TEST(a_plugin_that_arrives_while_others_are_described_is_noticed)
{
    char *folder = files_make_directory();
    char *schema = files_path("%s/sql/sample/0_schema.sql", PGCHIME_SOURCE_DIR);
    cluster_execute_file(cluster, schema);
    site_use_plugins(site, folder);
    served = site_lead(site);
    drop_in(folder, "tests/fixtures/plugins/hanging_constructor.so");
    WAIT_FOR(plugin_host() > 0, 10); /* by then the folder was listed */
    drop_in(folder, "plugins/lane_distribution.so");
    char *hanging = files_path("%s/hanging_constructor.so", folder);
    unlink(hanging);
    pid_t host = plugin_host();
    if (host > 0) { /* the reload ends at once, before the folder was quiet for long enough */
        kill(host, SIGKILL);
    }
    WAIT_SQL(cluster, "SELECT state FROM chime.plugin WHERE name = 'lane_distribution'", "installed", 30);
    free(hanging);
    free(folder);
    free(schema);
}
END_TEST

static bool sleeps(pid_t pid)
{
    char *path = files_path("/proc/%d/stat", (int)pid);
    char *text = files_read(path);
    const char *name_end = strrchr(text, ')');
    bool asleep = name_end != NULL && name_end[1] == ' ' && name_end[2] == 'S';
    free(text);
    free(path);
    return asleep;
}

static void must_execute(PGconn *connection, const char *sql)
{
    PGresult *result = PQexec(connection, sql);
    ck_assert_msg(PQresultStatus(result) == PGRES_COMMAND_OK || PQresultStatus(result) == PGRES_TUPLES_OK, "%s: %s",
                  sql, PQerrorMessage(connection));
    PQclear(result);
}

/* A heartbeat and the new jobs behind it wait for a lock, and the daemon reads both answers at once. */
START_TEST(a_suspension_that_arrives_together_with_the_new_jobs_is_recorded)
{
    serve_with_heavy_pool();
    site_job(site, "tick",
             "schedule = \"* * * * * *\"; timezone = \"Europe/Paris\"; pool = \"heavy\"; command = \"SELECT 1\";");
    must_reload();
    occupy_heavy();
    WAIT_SQL(cluster, "SELECT now() > claimed_at + interval '3 s' FROM chime.run", "t", 20);
    PGconn *holder = cluster_connect(cluster, "postgres");
    must_execute(holder, "BEGIN; LOCK TABLE chime.leader IN ACCESS EXCLUSIVE MODE;");
    WAIT_SQL(cluster, "SELECT wait_event_type FROM pg_stat_activity WHERE application_name = 'pgchime leader'", "Lock",
             10);
    must_execute(holder, "SELECT chime.suspend(job_id) FROM chime.job WHERE name = 'tick'");
    site_job(site, "new", NEVER_DUE "command = \"SELECT 1\";");
    daemon_signal(served, SIGHUP);
    WAIT_FOR(daemon_said(served, "reload: on SIGHUP") && sleeps(daemon_pid(served)), 10);
    daemon_signal(served, SIGSTOP);
    must_execute(holder, "COMMIT");
    PQfinish(holder);
    WAIT_SQL(cluster, "SELECT state FROM pg_stat_activity WHERE application_name = 'pgchime leader'", "idle", 10);
    daemon_signal(served, SIGCONT);
    WAIT_SQL(cluster, "SELECT count(*) FROM chime.job WHERE name = 'new'", "1", 10);
    WAIT_SQL(cluster, "SELECT count(*) >= 2 FROM chime.runs WHERE job = 'tick' AND reason LIKE 'suspended by%'", "t",
             10);
    runs_ask_and_await(cluster, "new");
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.leadership", "1");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("reload_faults");
    TCase *cases = tcase_create("reload_faults");
    tcase_add_checked_fixture(cases, set_up, served_tear_down);
    tcase_set_timeout(cases, 120);
    tcase_add_test(cases, the_limit_of_the_default_pool_goes_with_its_line);
    tcase_add_test(cases, a_retry_that_waits_for_a_place_is_cancelled);
    tcase_add_test(cases, another_timezone_of_the_database_leaves_a_join_that_waits_alone);
    tcase_add_test(cases, the_socket_moves_with_the_configuration_and_is_found_in_one_with_errors);
    tcase_add_test(cases, stopping_waits_for_the_runs_of_a_database_that_is_being_left);
    tcase_add_test(cases, a_reload_while_stopping_cancels_nothing);
    tcase_add_test(cases, a_plugin_that_arrives_while_others_are_described_is_noticed);
    tcase_add_test(cases, a_suspension_that_arrives_together_with_the_new_jobs_is_recorded);
    suite_add_tcase(suite, cases);
    return suite_run(suite);
}
