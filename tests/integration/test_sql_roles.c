/* SPDX-License-Identifier: PostgreSQL */
/* Jobs of several roles: each runs over a session of its owner, and none can hurt, read or hold up another's. */
#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/daemon/served.h"
#include "support/daemon/sql_jobs.h"
#include "support/ledger/runs.h"
#include "support/process/files.h"
#include "support/process/suite.h"
#include "support/process/wait.h"

/* bob needs a password, carol is let in by nobody. */
static void set_up(void)
{
    served_set_up(2);
    cluster_execute(cluster,
                    "CREATE ROLE alice LOGIN; CREATE ROLE bob LOGIN PASSWORD 'secret'; CREATE ROLE carol LOGIN;"
                    " CREATE ROLE mallory LOGIN; CREATE TABLE who (a text, b text); GRANT ALL ON who TO PUBLIC");
    char *hba = files_path("%s/data/pg_hba.conf", cluster_directory(cluster));
    files_write(hba, "local all bob scram-sha-256\nlocal all carol reject\nlocal all all trust\n");
    cluster_execute(cluster, "SELECT pg_reload_conf()");
    free(hba);
    served = site_lead(site);
}

static void make_and_run(const char *owner, const char *name, const char *command)
{
    sql_jobs_make(cluster, owner, name, YEARLY, command, NULL);
    sql_jobs_await_taken(cluster, name);
    sql_jobs_run(cluster, name);
}

#define EXPECT_RUN_OF(name, expression, expected) SQL_JOBS_EXPECT(cluster, name, expression, expected)

START_TEST(a_job_runs_over_a_session_of_its_owner)
{
    make_and_run("alice", "plain", "INSERT INTO who VALUES (current_user, session_user)");
    make_and_run("alice", "reset",
                 "RESET ROLE; RESET SESSION AUTHORIZATION; INSERT INTO who VALUES (current_user, session_user)");
    EXPECT_SQL(cluster, "SELECT string_agg(a || ' ' || b, ', ') FROM who", "alice alice, alice alice");
    make_and_run("alice", "other", "SET ROLE postgres");
    EXPECT_RUN_OF("other", "h.state || ' ' || h.sqlstate", "failed 42501");
    make_and_run(NULL, "own", "INSERT INTO who VALUES ('own', session_user)");
    EXPECT_SQL(cluster, "SELECT b FROM who WHERE a = 'own'", "postgres");
}
END_TEST

START_TEST(an_owner_who_is_not_let_in_fails_with_the_servers_reason_and_holds_up_nobody)
{
    sql_jobs_make(cluster, "carol", "shut", "1 second", "SELECT 1", NULL);
    sql_jobs_make(cluster, "bob", "secret", "1 second", "INSERT INTO who VALUES (session_user)", NULL);
    sql_jobs_make(cluster, "alice", "beat", "1 second", "SELECT 1", NULL);
    sql_jobs_await(cluster, "shut", 2);
    sql_jobs_await(cluster, "secret", 2);
    sql_jobs_await(cluster, "beat", 3);
    EXPECT_RUN_OF("shut",
                  "h.state || ' ' || (h.message LIKE '%FATAL:  pg_hba.conf rejects connection%user \"carol\"%')"
                  " || ' ' || h.reason",
                  "failed true no session as role carol");
    EXPECT_RUN_OF("secret", "h.state || ' ' || (h.message LIKE '%password%')", "failed true");
    EXPECT_RUN_OF("beat", "h.state", "succeeded");
    EXPECT_SQL(cluster,
               "SELECT count(*) FROM chime.run_history h JOIN chime.job j USING (job_id) WHERE owner = 'alice' AND"
               " state <> 'succeeded'",
               "0");
    char *entry = files_path("roles = ( { name = \"bob\"; conninfo = \"password=secret\"; } );");
    site_use_entries(site, entry);
    site_reload(site, served);
    WAIT_SQL(cluster, "SELECT count(*) > 0 FROM who WHERE a = 'bob'", "t", 20);
    free(entry);
}
END_TEST

/* A role's faulty entry must not lead its jobs to whatever libpq takes for want of anything else. */
START_TEST(a_role_whose_entry_cannot_be_read_runs_nothing)
{
    site_use_entries(site, "roles = ( { name = \"alice\"; conninfo = \"nonsense\"; } );");
    site_reload(site, served);
    daemon_await(served, "goes by the new catalog", 20);
    for (int i = 0; i < 3; i++) {
        char *name = files_path("job%d", i);
        make_and_run("alice", name, "INSERT INTO who VALUES (session_user)");
        EXPECT_RUN_OF(name, "h.state || ' ' || (h.message LIKE '%nonsense%')", "failed true");
        free(name);
    }
    EXPECT_SQL(cluster, "SELECT count(*) FROM who", "0");
}
END_TEST

/* Of roles that were dropped. */
#define SESSIONS_OF_NOBODY \
    "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pgchime run' AND usename IS NULL"

START_TEST(an_owner_who_was_dropped_suspends_those_jobs_only)
{
    sql_jobs_make(cluster, "mallory", "gone", "1 second", "SELECT 1", NULL);
    sql_jobs_make(cluster, "alice", "beat", "1 second", "SELECT 1", NULL);
    sql_jobs_await(cluster, "gone", 1);
    cluster_execute(cluster, "REVOKE ALL ON who FROM mallory; DROP ROLE mallory");
    WAIT_SQL(cluster,
             "SELECT s.suspend_reason FROM chime.job_state s JOIN chime.job USING (job_id) WHERE job_name = 'gone'",
             "its owner \"mallory\" was dropped", 40);
    WAIT_SQL(cluster, SESSIONS_OF_NOBODY, "0", 5); /* a session that was closed takes a moment to end */
    cluster_execute(cluster, "CREATE TABLE dropped_at AS SELECT clock_timestamp() AS at");
    WAIT_SQL(cluster,
             "SELECT count(*) >= 2 FROM chime.run_history h JOIN chime.job j USING (job_id), dropped_at"
             " WHERE job_name = 'beat' AND state = 'succeeded' AND slot > at",
             "t", 20);
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.job_state WHERE suspended_at IS NOT NULL", "1");
}
END_TEST

/* Sooner than the daemon looks at the roles again, every ten seconds. */
START_TEST(a_session_that_runs_while_its_owner_is_dropped_is_closed_after_that_run)
{
    cluster_execute(cluster, "REVOKE ALL ON who FROM mallory; SELECT pg_advisory_lock(17)");
    sql_jobs_make(cluster, "mallory", "gone", "1 second", "SELECT 1", NULL);
    sql_jobs_await(cluster, "gone", 1);
    sql_jobs_make(cluster, "mallory", "held", "1 second", "SELECT pg_advisory_xact_lock_shared(17)", NULL);
    WAIT_SQL(cluster, "SELECT count(*) FROM pg_stat_activity WHERE usename = 'mallory' AND wait_event = 'advisory'",
             "1", 20);
    cluster_execute(cluster, "DROP ROLE mallory");
    WAIT_SQL(cluster,
             "SELECT s.suspend_reason FROM chime.job_state s JOIN chime.job USING (job_id) WHERE job_name = 'gone'",
             "its owner \"mallory\" was dropped", 40);
    WAIT_SQL(cluster, SESSIONS_OF_NOBODY, "1", 5);
    cluster_execute(cluster, "SELECT pg_advisory_unlock(17)");
    WAIT_SQL(cluster, SESSIONS_OF_NOBODY, "0", 5);
}
END_TEST

START_TEST(a_job_may_run_in_another_database_of_the_server)
{
    cluster_create_database(cluster, "other");
    sql_jobs_make(cluster, "alice", "there", YEARLY, "SELECT 1 WHERE current_database() = 'other'", NULL);
    sql_jobs_edit(cluster, "there", "database = 'other'");
    sql_jobs_make(cluster, "alice", "here", YEARLY, "SELECT 1 WHERE current_database() = 'postgres'", NULL);
    sql_jobs_edit(cluster, "here", "database = 'postgres'");
    sql_jobs_make(cluster, NULL, "own", YEARLY, "SELECT 1 WHERE current_database() = 'other'", NULL);
    sql_jobs_edit(cluster, "own", "database = 'other'");
    sql_jobs_make(cluster, "alice", "nowhere", YEARLY, "SELECT 1", NULL);
    sql_jobs_edit(cluster, "nowhere", "database = 'nowhere'");
    sql_jobs_await_taken(cluster, "nowhere");
    sql_jobs_run(cluster, "there");
    sql_jobs_run(cluster, "here");
    sql_jobs_run(cluster, "own");
    sql_jobs_run(cluster, "nowhere");
    EXPECT_RUN_OF("there", "h.state || ' ' || h.message", "succeeded 1 row");
    EXPECT_RUN_OF("here", "h.state || ' ' || h.message", "succeeded 1 row");
    EXPECT_RUN_OF("own", "h.state || ' ' || h.message", "succeeded 1 row");
    EXPECT_RUN_OF("nowhere", "h.state || ' ' || (h.message LIKE '%FATAL:  database \"nowhere\" does not exist')",
                  "failed true");
}
END_TEST

/* Every session that it may have sleeps, its backlog grows, and it wakes the leader as often as it can. */
START_TEST(a_hostile_role_holds_up_nobody)
{
    cluster_execute(
        cluster,
        "INSERT INTO chime.job (name, job_name, owner, origin, schedule, command, options)"
        " SELECT '', 'sleep' || n, 'mallory', 'sql', '1 second', 'SELECT pg_sleep(600)', '{\"priority\": \"1\"}'"
        " FROM generate_series(1, 200) n");
    sql_jobs_make(cluster, "mallory", "flood", "1 second",
                  "SELECT pg_notify('chime_jobs', n::text) FROM generate_series(1, 20000) n", NULL);
    WAIT_SQL(cluster, "SELECT count(*) FROM pg_stat_activity WHERE usename = 'mallory' AND wait_event = 'PgSleep'", "2",
             20);
    sql_jobs_make(cluster, "alice", "beat", "1 second", "SELECT 1", NULL);
    sql_jobs_await(cluster, "beat", 5);
    EXPECT_SQL(cluster,
               "SELECT count(*) FROM chime.run_history h JOIN chime.job j USING (job_id)"
               " WHERE j.job_name = 'beat' AND state <> 'succeeded'",
               "0");
    EXPECT_SQL(
        cluster,
        "SELECT min(h.started_at - h.slot) < interval '1 s' FROM chime.run_history h JOIN chime.job j USING (job_id)"
        " WHERE j.job_name = 'beat'",
        "t");
    EXPECT_SQL(cluster, "SELECT count(*) FROM pg_stat_activity WHERE usename = 'mallory'", "2");
}
END_TEST

START_TEST(a_hostile_text_reaches_nothing_of_the_daemon)
{
    sql_jobs_make(cluster, "alice", "mine", YEARLY, "SELECT 1", NULL);
    cluster_execute(cluster,
                    "GRANT USAGE ON SCHEMA chime TO mallory; GRANT SELECT ON ALL TABLES IN SCHEMA chime TO mallory");
    make_and_run("mallory", "read", "INSERT INTO who SELECT name FROM chime.job WHERE owner <> 'mallory'");
    EXPECT_RUN_OF("read", "h.state || ' ' || h.rows", "succeeded 0");
    make_and_run("mallory", "write", "UPDATE chime.job SET owner = 'postgres'");
    EXPECT_RUN_OF("write", "h.state || ' ' || h.sqlstate", "failed 42501");
    make_and_run("mallory", "kill",
                 "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'postgres'");
    EXPECT_RUN_OF("kill", "h.state", "failed");
    make_and_run("mallory", "claim",
                 "SELECT chime.finish(NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL, NULL)");
    EXPECT_RUN_OF("claim", "h.state || ' ' || h.sqlstate", "failed 42501");
    make_and_run("mallory", "linger",
                 "SET idle_session_timeout = 0; LISTEN x; CREATE TEMP TABLE left_behind (); DECLARE c CURSOR WITH HOLD "
                 "FOR SELECT 1");
    make_and_run("mallory", "look",
                 "SELECT 1 WHERE to_regclass('pg_temp.left_behind') IS NULL AND NOT EXISTS (SELECT FROM pg_cursors "
                 "WHERE name = 'c')"
                 " AND current_setting('idle_session_timeout') = '15s'");
    EXPECT_RUN_OF("look", "h.message", "1 row");
    ck_assert(daemon_is_running(served));
}
END_TEST

START_TEST(a_run_of_another_role_ends_at_its_timeout)
{
    sql_jobs_make(cluster, "alice", "long", YEARLY, "SELECT pg_sleep(600)", "{\"attempt_timeout\": \"500ms\"}");
    sql_jobs_await_taken(cluster, "long");
    sql_jobs_run(cluster, "long");
    EXPECT_RUN_OF("long", "h.state || ' ' || h.reason", "timed_out attempt_timeout");
}
END_TEST

/* Its own = makes its session look like another one of its role, so that nobody is hit who is meant. */
START_TEST(a_run_of_a_role_with_operators_of_its_own_ends_at_its_timeout)
{
    char *conninfo = cluster_conninfo_as(cluster, "mallory", "postgres");
    PGconn *decoy = PQconnectdb(conninfo);
    cluster_execute(
        cluster,
        "CREATE SCHEMA lies AUTHORIZATION mallory; SET SESSION AUTHORIZATION mallory;"
        " CREATE FUNCTION lies.other(integer, integer) RETURNS boolean LANGUAGE sql STABLE RETURN $1 <> $2 AND EXISTS"
        " (SELECT FROM pg_stat_activity a WHERE a.pid = $1 AND a.usename = 'mallory');"
        " CREATE OPERATOR lies.= (LEFTARG = integer, RIGHTARG = integer, FUNCTION = lies.other);"
        " RESET SESSION AUTHORIZATION; ALTER ROLE mallory SET search_path = lies, pg_catalog");
    sql_jobs_make(cluster, "mallory", "long", YEARLY, "SELECT pg_sleep(600)",
                  "{\"attempt_timeout\": \"1s\", \"cancel_grace\": \"1s\"}");
    sql_jobs_await_taken(cluster, "long");
    sql_jobs_run(cluster, "long");
    EXPECT_RUN_OF("long", "h.state IN ('timed_out', 'lost')", "t");
    WAIT_SQL(cluster, "SELECT count(*) FROM pg_stat_activity WHERE usename = 'mallory' AND wait_event = 'PgSleep'", "0",
             20);
    PQfinish(decoy);
    free(conninfo);
}
END_TEST

/* As a role that may signal nobody: over another session of the owner, or by cutting off the only one. */
START_TEST(a_daemon_without_rights_ends_a_run_of_another_role_all_the_same)
{
    site_end(served);
    daemon_destroy(served);
    cluster_create_database(cluster, "plain");
    cluster_execute(cluster, "CREATE ROLE chimer LOGIN; ALTER DATABASE plain OWNER TO chimer");
    cluster_use(cluster, "plain");
    char *conninfo = cluster_conninfo_as(cluster, "chimer", "plain");
    site_use_conninfo(site, conninfo);
    served = site_lead(site);
    sql_jobs_make(cluster, "alice", "first", YEARLY, "SELECT pg_sleep(600)",
                  "{\"attempt_timeout\": \"1s\", \"cancel_grace\": \"1s\"}");
    sql_jobs_make(cluster, "alice", "second", YEARLY, "SELECT pg_sleep(600)",
                  "{\"attempt_timeout\": \"1s\", \"cancel_grace\": \"1s\"}");
    sql_jobs_await_taken(cluster, "second");
    cluster_execute(cluster, "INSERT INTO chime.request (job_id) SELECT job_id FROM chime.job WHERE origin = 'sql'");
    sql_jobs_await(cluster, "first", 1);
    sql_jobs_await(cluster, "second", 1);
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.run_history WHERE state IN ('timed_out', 'lost')", "2");
    WAIT_SQL(cluster, "SELECT count(*) FROM pg_stat_activity WHERE query LIKE 'SELECT pg_sleep%' AND state = 'active'",
             "0", 20);
    sql_jobs_make(cluster, "alice", "third", YEARLY, "SELECT 1", NULL);
    sql_jobs_await_taken(cluster, "third");
    sql_jobs_run(cluster, "third");
    EXPECT_RUN_OF("third", "h.state", "succeeded");
    free(conninfo);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sql_roles");
    TCase *roles = tcase_create("roles");

    tcase_add_checked_fixture(roles, set_up, served_tear_down);
    tcase_set_timeout(roles, 120);
    tcase_add_test(roles, a_run_of_a_role_with_operators_of_its_own_ends_at_its_timeout);
    tcase_add_test(roles, a_job_runs_over_a_session_of_its_owner);
    tcase_add_test(roles, an_owner_who_is_not_let_in_fails_with_the_servers_reason_and_holds_up_nobody);
    tcase_add_test(roles, a_role_whose_entry_cannot_be_read_runs_nothing);
    tcase_add_test(roles, an_owner_who_was_dropped_suspends_those_jobs_only);
    tcase_add_test(roles, a_session_that_runs_while_its_owner_is_dropped_is_closed_after_that_run);
    tcase_add_test(roles, a_job_may_run_in_another_database_of_the_server);
    tcase_add_test(roles, a_hostile_role_holds_up_nobody);
    tcase_add_test(roles, a_hostile_text_reaches_nothing_of_the_daemon);
    tcase_add_test(roles, a_run_of_another_role_ends_at_its_timeout);
    suite_add_tcase(suite, roles);
    TCase *rights = tcase_create("rights");
    tcase_add_checked_fixture(rights, set_up, served_tear_down);
    tcase_set_timeout(rights, 120);
    tcase_add_test(rights, a_daemon_without_rights_ends_a_run_of_another_role_all_the_same);
    suite_add_tcase(suite, rights);
    return suite_run(suite);
}
