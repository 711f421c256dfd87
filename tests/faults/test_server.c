/* SPDX-License-Identifier: PostgreSQL */
/* The server runs out of what it lives on: connections, room for data, room for its log. The daemon says what is
 * lacking, goes on when it is back, and no slot is lost or run twice. */
#include <check.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "support/cluster/session.h"
#include "support/cluster/small_disk.h"
#include "support/daemon/commands.h"
#include "support/daemon/stage.h"
#include "support/ledger/ledger_oracle.h"
#include "support/ledger/runs.h"
#include "support/process/files.h"
#include "support/process/suite.h"
#include "support/process/wait.h"

#define PATIENCE 60.0
#define CONNECTIONS_MAX 64

#define STATUS(status) \
    commands_expect(status, site_config(site), (const char *const[]){"status", NULL}, &output, &errors)

/* --- connections -------------------------------------------------------------------------------------------------- */

#define OURS "pg_stat_activity WHERE application_name LIKE 'pgchime %'"

static int occupy_all(PGconn *others[static CONNECTIONS_MAX])
{
    char *conninfo = cluster_conninfo(cluster, "postgres");
    int count = 0;

    for (bool good = true; good; count += good) {
        ck_assert_int_lt(count, CONNECTIONS_MAX);
        others[count] = PQconnectdb(conninfo);
        good = PQstatus(others[count]) == CONNECTION_OK;
    }
    PQfinish(others[count]);
    free(conninfo);
    return count;
}

/* The daemon stands still while its sessions go and others take their places. */
static int take_the_places(PGconn *others[static CONNECTIONS_MAX])
{
    daemon_signal(served, SIGSTOP);
    cluster_execute(cluster, "SELECT pg_terminate_backend(pid) FROM " OURS);
    WAIT_SQL(cluster, "SELECT count(*) FROM " OURS, "0", PATIENCE);
    int count = occupy_all(others);
    daemon_signal(served, SIGCONT);
    return count;
}

START_TEST(exhausted_connections_are_named_and_waited_for)
{
    static const char *const settings[] = {"max_connections=20", NULL};
    PGconn *others[CONNECTIONS_MAX];

    stage_set(settings);
    served = site_lead(site);
    oracle_await_load(cluster);
    int count = take_the_places(others);
    daemon_await(served, "too many clients already", PATIENCE);
    daemon_await(served, "error database main: ", PATIENCE);
    STATUS(4);
    commands_has(errors, "database \"main\": cannot connect: ");
    commands_has(errors, "too many clients already");
    commands_has(errors, "raise max_connections");
    while (count > 0)
        PQfinish(others[--count]);
    oracle_await_load(cluster);
    STATUS(0);
    oracle_expect_sound(cluster);
}
END_TEST

/* Only the pool is short of sessions: the leader has its own. */
START_TEST(a_run_without_a_session_is_due_until_there_is_one)
{
    static const char *const settings[] = {"max_connections=20", NULL};
    PGconn *others[CONNECTIONS_MAX];

    stage_set(settings);
    site_job(site, "long", NEVER_DUE "command = \"SELECT pg_sleep(600)\";");
    site_job(site, "short", NEVER_DUE "command = \"SELECT 1\";");
    site_remove(site, "tick");
    site_remove(site, "tick-own");
    served = site_lead(site);
    runs_ask(cluster, "long");
    runs_await_running(cluster, "long");
    int count = occupy_all(others);
    runs_ask(cluster, "short");
    daemon_await(served, "no run session", PATIENCE);
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.request", "1");
    while (count > 0)
        PQfinish(others[--count]);
    runs_await(cluster, "short", 1);
    EXPECT_RUN(cluster, "short", "state", "succeeded");
    EXPECT_SQL(cluster, "SELECT epoch FROM chime.leader", "1");
}
END_TEST

/* --- room --------------------------------------------------------------------------------------------------------- */

/* What it wrote goes with its transaction. It may be held up before it writes. */
#define BULK                                                                                     \
    NEVER_DUE "command = \"CREATE TABLE public.bulk AS SELECT repeat('x', 1000) AS filler FROM " \
              "pg_advisory_lock_shared(77), generate_series(1, 40000)\"; max_attempts = 1;"

/* Data and log on two disks, so that each can be full by itself. */
static void begin_on_small_disks(char **data, char **log)
{
    static const char *const settings[] = {"autovacuum=off", "min_wal_size=32MB", "max_wal_size=32MB", NULL};

    small_disk_enter();
    stage_set(settings);
    cluster_stop(cluster, CLUSTER_FAST);
    *data = files_path("%s/data", cluster_directory(cluster));
    *log = files_path("%s/pg_wal", *data);
    small_disk_put(*data, 250);
    small_disk_put(*log, 200);
    cluster_start(cluster);
    site_job(site, "bulk", BULK);
    served = site_lead(site);
    oracle_await_load(cluster);
}

/* More than the pages that the ledger has can take, all due at once. */
static void ask_for_thousands(void)
{
    cluster_execute(cluster, "INSERT INTO chime.request (job_id, slot)"
                             " SELECT job_id, clock_timestamp() + n * interval '1 us'"
                             " FROM chime.job, generate_series(1, 3000) n WHERE name = 'tick'");
}

START_TEST(a_disk_full_of_data_fails_the_run_that_needs_room)
{
    char *data;
    char *log;

    begin_on_small_disks(&data, &log);
    small_disk_fill(data, 8L << 20);
    runs_ask_and_await(cluster, "bulk");
    EXPECT_RUN(cluster, "bulk", "concat_ws(' ', state, sqlstate)", "failed 53100");
    EXPECT_RUN(
        cluster, "bulk",
        "message ~ '^could not extend file \"base/.*\": No space left on device\nHINT:  Check free disk space.$'", "t");
    daemon_await(served, "failed: could not extend file", PATIENCE);
    EXPECT_SQL(cluster, "SELECT epoch FROM chime.leader", "1");
    oracle_expect_sound(cluster);
    free(data);
    free(log);
}
END_TEST

/* Nothing runs, since nothing can be written down; nothing is lost by it. */
START_TEST(a_disk_full_of_data_stops_the_ledger_until_there_is_room)
{
    char *data;
    char *log;

    begin_on_small_disks(&data, &log);
    daemon_signal(served, SIGSTOP);
    ask_for_thousands();
    small_disk_fill(data, 0);
    daemon_signal(served, SIGCONT);
    daemon_await(served, "error database main: ", PATIENCE);
    daemon_await(served, ": No space left on device (SQLSTATE 53100)\nHINT:  Check free disk space.", PATIENCE);
    WAIT_FOR(commands_run(site_config(site), (const char *const[]){"status", NULL}, &output, &errors) == 8, PATIENCE);
    small_disk_free(data);
    oracle_await_load(cluster);
    WAIT_SQL(cluster, "SELECT count(*) FROM chime.request", "0", PATIENCE);
    oracle_expect_sound(cluster);
    free(data);
    free(log);
}
END_TEST

/* The server ends all sessions and starts anew, again and again or not at all: whoever frees the disk starts it. */
START_TEST(a_disk_full_of_log_is_named_and_waited_for)
{
    char *data;
    char *log;

    begin_on_small_disks(&data, &log);
    PGconn *gate = cluster_connect(cluster, "postgres");
    session_execute(gate, "SELECT pg_advisory_lock(77)");
    runs_ask(cluster, "bulk");
    WAIT_SQL(cluster, "SELECT count(*) FROM pg_locks WHERE locktype = 'advisory' AND NOT granted", "1", PATIENCE);
    small_disk_fill(log, 0);
    PQfinish(gate);
    daemon_await(served, "error database main: ", PATIENCE);
    char *said = cluster_log(cluster);
    commands_has(said, "PANIC:  could not write to file \"pg_wal/xlogtemp");
    commands_has(said, "No space left on device");
    free(said);
    small_disk_free(log);
    cluster_stop(cluster, CLUSTER_IMMEDIATE);
    cluster_start(cluster);
    oracle_await_load(cluster);
    oracle_expect_sound(cluster);
    EXPECT_RUN(cluster, "bulk", "concat_ws(' ', state, reason)", "lost its session is gone and its outcome is unknown");
    EXPECT_SQL(cluster, "SELECT to_regclass('public.bulk')", NULL);
    free(data);
    free(log);
}
END_TEST

static Suite *suite(void)
{
    Suite *all = suite_create("server");
    TCase *cases = tcase_create("server");

    tcase_add_checked_fixture(cases, NULL, stage_clear);
    tcase_set_timeout(cases, 300);
    tcase_add_test(cases, exhausted_connections_are_named_and_waited_for);
    tcase_add_test(cases, a_run_without_a_session_is_due_until_there_is_one);
    tcase_add_test(cases, a_disk_full_of_data_fails_the_run_that_needs_room);
    tcase_add_test(cases, a_disk_full_of_data_stops_the_ledger_until_there_is_room);
    tcase_add_test(cases, a_disk_full_of_log_is_named_and_waited_for);
    suite_add_tcase(all, cases);
    return all;
}

int main(void)
{
    return suite_run(suite());
}
