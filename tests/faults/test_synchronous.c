/* SPDX-License-Identifier: PostgreSQL */
/* The only synchronous standby is missing: every commit hangs, and whoever gives one up leaves a session behind that
 * waits on. The daemon takes no more sessions than are its own for that, says what the server waits for, and goes on
 * when the standby is back. */
#include <check.h>
#include <stdlib.h>

#include "support/cluster/session.h"
#include "support/daemon/commands.h"
#include "support/daemon/stage.h"
#include "support/ledger/ledger_oracle.h"
#include "support/ledger/runs.h"
#include "support/process/files.h"
#include "support/process/suite.h"
#include "support/process/wait.h"

#define PATIENCE 60.0
#define OURS "pg_stat_activity WHERE application_name LIKE 'pgchime %'"
#define SHARE "4" /* the leader, the watch, two for runs */

static void set_up(void)
{
    stage_set_as("chimer", 2);
    cluster_execute(cluster, "SET synchronous_commit = local");
}

static void want_standby(const char *name)
{
    cluster_execute_format(cluster, "ALTER SYSTEM SET synchronous_standby_names = '%s'", name);
    cluster_execute(cluster, "SELECT pg_reload_conf()");
    WAIT_SQL(cluster, "SHOW synchronous_standby_names", name, PATIENCE);
}

/* A session that looks is given up after a lease of 15 s where what it writes hangs. */
static void expect_patience(void)
{
    WAIT_SQL(cluster,
             "SELECT count(*) FROM " OURS " AND wait_event IS DISTINCT FROM 'SyncRep'"
             " AND clock_timestamp() - backend_start > interval '20 s'",
             "1", PATIENCE);
    daemon_await(served, "commits wait for a synchronous standby (synchronous_standby_names = 'nobody'), as of pid ",
                 PATIENCE);
    EXPECT_SQL(cluster, "SELECT count(*) <= " SHARE " FROM " OURS, "t");
    commands_expect(8, site_config(site), (const char *const[]){"status", NULL}, &output, &errors);
    commands_has(errors, "commits wait for a synchronous standby (synchronous_standby_names = 'nobody')");
}

START_TEST(a_standby_that_goes_missing_eats_no_sessions)
{
    served = site_lead(site);
    oracle_await_load(cluster);
    want_standby("nobody");
    expect_patience();
    want_standby("");
    oracle_expect_sound(cluster);
    EXPECT_SQL(cluster, "SELECT count(*) <= " SHARE " FROM " OURS, "t");
    commands_expect(0, site_config(site), (const char *const[]){"status", NULL}, &output, &errors);
}
END_TEST

START_TEST(a_standby_that_is_missing_from_the_start_eats_no_sessions)
{
    want_standby("nobody");
    served = site_serve(site, NULL, NULL);
    expect_patience();
    want_standby("");
    site_await_leading(served);
    oracle_expect_sound(cluster);
}
END_TEST

/* A session that calls itself ours and waits for the standby. */
static PGconn *wait_as(const char *role)
{
    char *conninfo = cluster_conninfo_as(cluster, role, "postgres");
    PGconn *session = PQconnectdb(conninfo);
    free(conninfo);
    session_execute(session, "SET application_name = 'pgchime run'");
    session_send(session, "INSERT INTO note VALUES (1)");
    return session;
}

/* With synchronous_commit = remote_apply a session waits for a standby that commits of the daemon's do not wait for:
 * that of a job, or of whoever wants nobody to lead. */
START_TEST(that_a_session_of_another_role_waits_holds_up_no_leader)
{
    cluster_execute(cluster,
                    "CREATE ROLE ann LOGIN; CREATE TABLE note (n integer); GRANT INSERT ON note TO ann, chimer");
    want_standby("nobody");
    PGconn *ann = wait_as("ann");
    WAIT_SQL(cluster,
             "SELECT count(*) FROM " OURS " AND usename = 'ann' AND wait_event = 'SyncRep'"
             " AND state_change < clock_timestamp() - interval '3 s'",
             "1", PATIENCE);
    EXPECT_SQL(cluster, "SELECT chime.commits_wait()", NULL);
    PGconn *chimer = wait_as("chimer");
    char *pid = files_path("%d", PQbackendPID(chimer));
    WAIT_SQL(cluster, "SELECT substring(chime.commits_wait() FROM 'as of pid (.*)')", pid, PATIENCE);
    free(pid);
    want_standby("");
    session_await(ann);
    session_await(chimer);
    PQfinish(ann);
    PQfinish(chimer);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("synchronous");
    TCase *tests = tcase_create("synchronous");
    tcase_set_timeout(tests, 240);
    tcase_add_checked_fixture(tests, set_up, stage_clear);
    tcase_add_test(tests, a_standby_that_goes_missing_eats_no_sessions);
    tcase_add_test(tests, a_standby_that_is_missing_from_the_start_eats_no_sessions);
    tcase_add_test(tests, that_a_session_of_another_role_waits_holds_up_no_leader);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
