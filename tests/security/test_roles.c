/* SPDX-License-Identifier: PostgreSQL */
/* As whom the daemon logs in: what code that runs as its role can make of the ledger, and what everybody is told. By
 * each way in which the server may let it in. docs/security.md has a line for each. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "support/cluster/init_role.h"
#include "support/cluster/psql.h"
#include "support/daemon/logins.h"
#include "support/daemon/served.h"
#include "support/daemon/sql_jobs.h"
#include "support/ledger/runs.h"
#include "support/process/files.h"
#include "support/process/process.h"
#include "support/process/suite.h"
#include "support/process/wait.h"

#define EXCLUDED "roles = ( { name = \"payroll\"; allow = false; } );"

static char *folder;

/* The roles that somebody might want to be. */
static void make_roles(void)
{
    cluster_execute(cluster,
                    "CREATE ROLE root LOGIN SUPERUSER; CREATE ROLE boss LOGIN IN ROLE root;"
                    " CREATE ROLE maker LOGIN CREATEROLE; CREATE ROLE program LOGIN IN ROLE pg_execute_server_program;"
                    " CREATE ROLE reader_of_files LOGIN IN ROLE pg_read_server_files;"
                    " CREATE ROLE payroll LOGIN; CREATE ROLE victim LOGIN; CREATE ROLE app LOGIN;"
                    " GRANT pgchime_jobs TO victim, app, payroll, boss;"
                    " CREATE TABLE loot (who text); GRANT INSERT ON loot TO PUBLIC");
}

static void set_up(void)
{
    cluster = cluster_create(NULL);
    site = site_create(cluster, "postgres", 2);
    folder = files_make_directory();
    init_role_make(cluster, "pgchime", "postgres");
    make_roles();
}

static void tear_down(void)
{
    served_tear_down();
    files_remove_tree(folder);
    free(folder);
}

static void lead(const char *method)
{
    char *conninfo = logins_conninfo(cluster, "pgchime", "postgres");

    logins_use(cluster, method);
    site_use_conninfo(site, conninfo);
    site_use_entries(site, EXCLUDED);
    served = site_lead(site);
    WAIT_SQL(cluster, "SELECT count(*) > 0 FROM chime.login", "t", 30); /* SQL refuses nothing before that */
    free(conninfo);
}

static void run_as_daemons_role(const char *script)
{
    char *log = files_path("%s/%s.log", folder, script);
    char *path = files_path(PGCHIME_SOURCE_DIR "/tests/security/%s.sql", script);
    char *conninfo = cluster_conninfo_as(cluster, "pgchime", "postgres");
    process_must_run(
        (const char *const[]){psql_program(), "-XqAt", "-v", "ON_ERROR_STOP=1", "-d", conninfo, "-f", path, NULL}, log);
    char *said = files_read(log);
    ck_assert_msg(strstr(said, "made 7") != NULL, "%s", said);
    free(said);
    free(conninfo);
    free(path);
    free(log);
}

/* Each of them fails, and nothing that it does as such a role has happened. */
START_TEST(code_as_the_daemon_becomes_nobody_who_could_become_another)
{
    lead(logins_methods[_i]);
    cluster_execute(cluster, "SET ROLE victim; SELECT chime.schedule('taken', '0 0 29 2 *', 'SELECT 1');"
                             " SET ROLE app; SELECT chime.schedule('beat', '1 second', 'SELECT 1'); RESET ROLE");
    run_as_daemons_role("roles");
    WAIT_SQL(cluster,
             "SELECT count(DISTINCT j.job_name) FROM chime.job_runs j WHERE state = 'failed' AND (job_name LIKE 'as %' "
             "OR job_name"
             " IN ('taken', 'elsewhere', 'by role', 'by session'))",
             "11", 60);
    EXPECT_SQL(cluster, "SELECT string_agg(DISTINCT who, ' ') FROM loot", NULL);
    EXPECT_SQL(cluster,
               "SELECT string_agg(DISTINCT message, '; ' ORDER BY message) FROM chime.job_runs WHERE state = 'failed' "
               "AND job_name IN"
               " ('as root', 'as boss', 'as maker', 'as program', 'as payroll', 'as nobody')",
               "a role without a name is nobody's; pgchime.conf excludes role \"payroll\";"
               " the daemon does not log in as \"boss\": it may act as the superuser root;"
               " the daemon does not log in as \"maker\": it may create roles;"
               " the daemon does not log in as \"program\": it is a member of pg_execute_server_program;"
               " the daemon does not log in as \"root\": it is a superuser");
    cluster_execute(cluster, "CREATE TABLE told AS SELECT clock_timestamp() AS at");
    WAIT_SQL(
        cluster,
        "SELECT count(*) > 2 FROM chime.job_runs, told WHERE job_name = 'beat' AND state = 'succeeded' AND slot > at",
        "t", 30);
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.job_runs WHERE job_name <> 'beat' AND state = 'succeeded'", "0");
    EXPECT_SQL(cluster, "SELECT rolsuper FROM pg_roles WHERE rolname = 'pgchime'", "f");
}
END_TEST

static void expect_told(const char *const *words, const char *text)
{
    char *output = NULL;
    daemon_run(words, &output, NULL);
    ck_assert_msg(strstr(output, text) != NULL, "%s", output);
    free(output);
}

/* Whoever gets powers while sessions are open keeps none of them, and is let in again without. */
START_TEST(who_may_not_run_is_told_so_everywhere_until_that_is_over)
{
    const char *const why[] = {"why", "app/beat", "--config", site_config(site), NULL};
    const char *const status[] = {"status", "-o", "json", "--config", site_config(site), NULL};
    const char *const doctor[] = {"doctor", "-o", "json", "--config", site_config(site), NULL};

    lead("trust");
    cluster_execute(cluster, "SET ROLE app; SELECT chime.schedule('beat', '1 second', 'SELECT 1'); RESET ROLE;"
                             " SET ROLE victim; SELECT chime.schedule('other', '1 second', 'SELECT 1'); RESET ROLE");
    WAIT_SQL(cluster, "SELECT count(*) > 1 FROM chime.job_runs WHERE job_name = 'beat' AND state = 'succeeded'", "t",
             30);
    cluster_execute(cluster, "ALTER ROLE app SUPERUSER");
    WAIT_SQL(cluster, "SELECT split_part(problem, E'\\n', 1) FROM chime.jobs WHERE job_name = 'beat'",
             "the daemon does not log in as \"app\": it is a superuser", 30);
    WAIT_SQL(cluster,
             "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pgchime run' AND usename = 'app'", "0",
             20);
    expect_told(why, "the daemon does not log in as \"app\": it is a superuser");
    expect_told(doctor, "job app/beat cannot be run: the daemon does not log in as \\\"app\\\": it is a superuser");
    expect_told(status, "job app/beat cannot be run");
    cluster_execute(cluster, "CREATE TABLE mended AS SELECT clock_timestamp() AS at; ALTER ROLE app NOSUPERUSER");
    WAIT_SQL(cluster,
             "SELECT count(DISTINCT job_name) FROM chime.job_runs, mended WHERE state = 'succeeded' AND slot > at", "2",
             30);
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.jobs WHERE problem IS NOT NULL", "0");
}
END_TEST

/* Those that were there before it led, while it reads many others. */
START_TEST(a_leader_that_begins_tells_of_each_that_may_not_run)
{
    lead("trust");
    cluster_execute(
        cluster,
        "SET ROLE app; SELECT chime.schedule('n' || n, '0 0 29 2 *', 'SELECT 1') FROM generate_series(1, 900) n");
    cluster_execute(cluster,
                    "RESET ROLE; SET ROLE victim; SELECT chime.schedule('first', '1 second', 'SELECT 1'); RESET ROLE");
    site_end(served);
    daemon_destroy(served);
    cluster_execute(cluster, "ALTER ROLE victim CREATEROLE");
    served = site_lead(site);
    WAIT_SQL(cluster, "SELECT split_part(problem, E'\\n', 1) FROM chime.jobs WHERE job_name = 'first'",
             "the daemon does not log in as \"victim\": it may create roles", 30);
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.jobs WHERE problem IS NOT NULL", "1");
}
END_TEST

START_TEST(sql_refuses_early_by_what_pgchime_conf_says)
{
    lead("trust");
    ck_assert_str_eq(cluster_sqlstate(cluster, "SELECT chime.schedule('mine', '1 second', 'SELECT 1')"), "42501");
    ck_assert_str_eq(
        cluster_sqlstate(cluster, "SELECT chime.schedule('hers', '1 second', 'SELECT 1', username => 'payroll')"),
        "42501");
    cluster_execute(cluster, "SET ROLE app; SELECT chime.schedule('beat', '1 second', 'SELECT 1'); RESET ROLE");
    ck_assert_str_eq(cluster_sqlstate(cluster, "SELECT chime.alter_job(job_id, username => 'boss') FROM chime.jobs"),
                     "42501");
    site_use_entries(site, "roles = ( { name = \"root\"; allow = true; }, { name = \"*\"; allow = false; } );");
    site_reload(site, served);
    WAIT_SQL(cluster, "SELECT split_part(problem, E'\\n', 1) FROM chime.jobs WHERE job_name = 'beat'",
             "pgchime.conf excludes role \"app\"", 30);
    cluster_execute(
        cluster,
        "SELECT chime.schedule('named', '1 second', 'INSERT INTO loot VALUES (session_user)', username => 'root')");
    WAIT_SQL(cluster, "SELECT string_agg(DISTINCT who, ' ') FROM loot", "root", 30);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("roles");
    TCase *cases = tcase_create("roles");
    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_set_timeout(cases, 120);
    tcase_add_loop_test(cases, code_as_the_daemon_becomes_nobody_who_could_become_another, 0, LOGINS_METHODS);
    tcase_add_test(cases, who_may_not_run_is_told_so_everywhere_until_that_is_over);
    tcase_add_test(cases, a_leader_that_begins_tells_of_each_that_may_not_run);
    tcase_add_test(cases, sql_refuses_early_by_what_pgchime_conf_says);
    suite_add_tcase(suite, cases);
    return suite_run(suite);
}
