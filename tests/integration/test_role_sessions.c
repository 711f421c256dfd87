/* SPDX-License-Identifier: PostgreSQL */
/* `role_sessions`: how many sessions all owners of jobs have together, that they take turns where these are too few,
 * and when they go. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "support/cluster/cluster.h"
#include "support/daemon/commands.h"
#include "support/daemon/daemon.h"
#include "support/daemon/site.h"
#include "support/daemon/sql_jobs.h"
#include "support/ledger/ledger_sql.h"
#include "support/ledger/runs.h"
#include "support/process/suite.h"
#include "support/process/wait.h"

static struct cluster *cluster;
static struct site *site;
static struct daemon *served;
static char *output;
static char *errors;

static void set_up(void)
{
    cluster = ledger_sql_install(NULL);
    site = site_create(cluster, "postgres", 8);
    cluster_execute(cluster,
                    "CREATE TABLE seen (who name, sessions int); GRANT INSERT ON seen TO PUBLIC;"
                    "DO $$ BEGIN FOR i IN 1..6 LOOP EXECUTE format('CREATE ROLE r%s LOGIN', i); END LOOP; END $$");
}

static void tear_down(void)
{
    daemon_destroy(served);
    site_destroy(site);
    cluster_destroy(cluster);
    free(output);
    free(errors);
}

static void lead(const char *members)
{
    site_use_members(site, members);
    served = site_lead(site);
}

#define OF_ROLES \
    "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pgchime run' AND usename <> 'postgres'"

static void make(const char *roles, const char *command)
{
    cluster_execute_format(cluster,
                           "INSERT INTO chime.job (name, job_name, owner, origin, schedule, command)"
                           " SELECT '', 'beat', r, 'sql', '1 second', $c$%s$c$ FROM unnest('{%s}'::name[]) AS r",
                           command, roles);
}

static void await_runs(const char *roles, int count)
{
    char sql[400];
    snprintf(sql, sizeof(sql),
             "SELECT bool_and((SELECT count(*) FROM chime.run_history h JOIN chime.job j USING (job_id)"
             " WHERE j.owner = r AND h.state = 'succeeded') >= %d) FROM unnest('{%s}'::name[]) AS r",
             count, roles);
    WAIT_SQL(cluster, sql, "t", 60);
}

START_TEST(more_roles_than_sessions_take_turns)
{
    lead("role_sessions = 2;");
    /* One that has been closed may still be there for a moment, idle. */
    make("r1,r2,r3,r4,r5,r6",
         "INSERT INTO seen SELECT session_user, n FROM (" OF_ROLES " AND state = 'active') AS s (n)");
    await_runs("r1,r2,r3,r4,r5,r6", 3);
    EXPECT_SQL(cluster, "SELECT max(sessions) <= 2 FROM seen", "t");
    WAIT_FOR(daemon_said(served, "waits for a session: all 2 of other roles are taken (role_sessions)"), 20);
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.run_history WHERE state NOT IN ('succeeded', 'skipped')", "0");
}
END_TEST

/* Neither takes the session away from the other while it is still opening. */
START_TEST(two_roles_that_begin_at_once_share_one_session)
{
    lead("role_sessions = 1;");
    make("r1,r2", "SELECT 1");
    await_runs("r1,r2", 3);
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.run_history WHERE state NOT IN ('succeeded', 'skipped')", "0");
}
END_TEST

/* Whose run ends gives, not only whoever was asked first and may run for hours. */
START_TEST(a_role_waits_for_the_first_that_ends)
{
    lead("role_sessions = 2;");
    make("r1", "SELECT pg_sleep(600)");
    WAIT_SQL(cluster, "SELECT count(*) FROM pg_stat_activity WHERE usename = 'r1' AND wait_event = 'PgSleep'", "1", 20);
    make("r2,r3", "SELECT 1");
    await_runs("r2,r3", 3);
    EXPECT_SQL(cluster, "SELECT count(*) FROM pg_stat_activity WHERE usename = 'r1' AND wait_event = 'PgSleep'", "1");
}
END_TEST

START_TEST(a_role_alone_cannot_take_them_all)
{
    lead("role_sessions = 4;");
    cluster_execute(cluster, "INSERT INTO chime.job (name, job_name, owner, origin, schedule, command)"
                             " SELECT '', 'sleep' || n, 'r1', 'sql', '1 second', 'SELECT pg_sleep(600)' FROM"
                             " generate_series(1, 50) n");
    WAIT_SQL(cluster, "SELECT count(*) FROM pg_stat_activity WHERE usename = 'r1' AND wait_event = 'PgSleep'", "2", 20);
    make("r2,r3,r4", "SELECT 1");
    await_runs("r2,r3,r4", 3);
    EXPECT_SQL(cluster, "SELECT count(*) FROM pg_stat_activity WHERE usename = 'r1'", "2");
}
END_TEST

START_TEST(idle_sessions_make_room_and_the_doctor_counts)
{
    lead("role_sessions = 1;");
    sql_jobs_make(cluster, "r1", "first", "0 0 29 2 *", "SELECT 1", NULL);
    sql_jobs_make(cluster, "r2", "second", "0 0 29 2 *", "SELECT 1", NULL);
    sql_jobs_await_taken(cluster, "second");
    sql_jobs_run(cluster, "first");
    WAIT_SQL(cluster, OF_ROLES " AND usename = 'r1'", "1", 10);
    sql_jobs_run(cluster, "second");
    WAIT_SQL(cluster,
             "SELECT string_agg(usename, ',') FROM pg_stat_activity WHERE application_name = 'pgchime run'"
             " AND usename <> 'postgres'",
             "r2", 10);
    commands_expect(8, site_config(site), (const char *const[]){"doctor", "-o", "csv", NULL}, &output, &errors);
    commands_has(output, "role-sessions,sessions,warn,,1 of 1 for the 2 roles that own jobs are open,");
    commands_has(output, ",\"roles wait for one another");
    site_use_members(site, "role_sessions = 9;");
    site_reload(site, served);
    daemon_await(served, "goes by the new", 20);
    commands_expect(8, site_config(site), (const char *const[]){"doctor", "-o", "csv", NULL}, &output, &errors);
    commands_has(output, " of 9 for the 2 roles that own jobs are open");
}
END_TEST

START_TEST(sessions_of_a_role_go_with_its_last_job_and_come_back_with_the_next)
{
    lead("role_sessions = 6;");
    make("r1,r2", "SELECT 1");
    await_runs("r1,r2", 2);
    cluster_execute(cluster, "UPDATE chime.job SET active = false, removed_at = clock_timestamp() WHERE owner = 'r1'");
    WAIT_SQL(cluster, OF_ROLES " AND usename = 'r1'", "0", 30);
    EXPECT_SQL(cluster, "SELECT (" OF_ROLES " AND usename = 'r2') > 0", "t");
    make("r1", "SELECT 2");
    await_runs("r1", 4);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("role_sessions");
    TCase *cases = tcase_create("role_sessions");

    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_set_timeout(cases, 150);
    tcase_add_test(cases, more_roles_than_sessions_take_turns);
    tcase_add_test(cases, two_roles_that_begin_at_once_share_one_session);
    tcase_add_test(cases, a_role_waits_for_the_first_that_ends);
    tcase_add_test(cases, a_role_alone_cannot_take_them_all);
    tcase_add_test(cases, idle_sessions_make_room_and_the_doctor_counts);
    tcase_add_test(cases, sessions_of_a_role_go_with_its_last_job_and_come_back_with_the_next);
    suite_add_tcase(suite, cases);
    return suite_run(suite);
}
