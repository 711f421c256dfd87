/* SPDX-License-Identifier: PostgreSQL */
/* The daemon may not do what it could: a privilege is revoked, its password is another one, the server is not there.
 * What refuses is named with the way out, by the log, the run and the commands; and all goes on when it is granted
 * again. */
#include <check.h>
#include <libpq-fe.h>
#include <stdlib.h>
#include <string.h>

#include "support/daemon/commands.h"
#include "support/daemon/stage.h"
#include "support/ledger/ledger_oracle.h"
#include "support/ledger/runs.h"
#include "support/plugin/plugin_files.h"
#include "support/process/files.h"
#include "support/process/suite.h"
#include "support/process/wait.h"

#define PATIENCE 60.0
#define REFRESH "refresh-lane-distributions"
#define VIEW "analytics.mv_lane_score_distribution"

static char *passfile;

/* The daemon's role is nobody special. */
static void set_up(void)
{
    cluster = cluster_create(NULL);
    cluster_execute_file(cluster, PGCHIME_SOURCE_DIR "/tests/support/views/tables_submissions.sql");
    cluster_execute(cluster, "CREATE ROLE chimer LOGIN; GRANT CREATE, TEMPORARY ON DATABASE postgres TO chimer;"
                             "GRANT SELECT, TRIGGER ON public.submissions TO chimer;"
                             "CREATE TABLE public.own (a int); GRANT INSERT ON public.own TO chimer");
    oracle_install(cluster, "chimer");
    passfile = files_path("%s/passfile", cluster_directory(cluster));
    char *conninfo = files_path("host=%s port=5432 user=chimer dbname=postgres passfile=%s", cluster_directory(cluster),
                                passfile);
    site = site_create(cluster, "postgres", 2);
    site_use_conninfo(site, conninfo);
    oracle_write_load(site);
    free(conninfo);
}

static void tear_down(void)
{
    stage_clear();
    free(passfile);
}

static void command(int status, const char *name, const char *job)
{
    commands_expect(status, site_config(site), (const char *const[]){name, job, NULL}, &output, &errors);
}

/* --- privileges --------------------------------------------------------------------------------------------------- */

START_TEST(a_revoked_privilege_of_a_jobs_table_fails_its_run_by_name)
{
    site_job(site, "own", NEVER_DUE "command = \"INSERT INTO public.own VALUES (1)\";");
    served = site_lead(site);
    runs_ask_and_await(cluster, "own");
    EXPECT_RUN(cluster, "own", "state", "succeeded");
    cluster_execute(cluster, "REVOKE ALL ON public.own FROM chimer");
    runs_ask_and_await(cluster, "own");
    EXPECT_RUN(cluster, "own", "concat_ws(' ', state, attempt, sqlstate, message)",
               "failed 1 42501 permission denied for table own");
    command(0, "why", "own");
    commands_has(output, ": failed, permission denied for table own");
    cluster_execute(cluster, "GRANT INSERT ON public.own TO chimer");
    runs_ask_and_await(cluster, "own");
    EXPECT_RUN(cluster, "own", "state", "succeeded");
    oracle_expect_sound(cluster);
}
END_TEST

START_TEST(a_revoked_privilege_of_a_source_fails_its_views_refresh_by_name)
{
    char *folder = files_make_directory();

    plugin_put(folder, "lane_distribution");
    site_use_plugins(site, folder);
    site_job(site, REFRESH, "max_attempts = 1;");
    served = site_lead(site);
    runs_await(cluster, REFRESH, 1);
    EXPECT_RUN(cluster, REFRESH, "state", "succeeded");
    cluster_execute(cluster, "REVOKE SELECT ON public.submissions FROM chimer;"
                             "INSERT INTO public.submissions (agent_id, challenge_id, final_lane_scores)"
                             " VALUES (public.u(6), public.u(1), '{\"speed\": 50}')");
    runs_ask_and_await(cluster, REFRESH);
    EXPECT_RUN(cluster, REFRESH,
               "starts_with(message, E'refresh of " VIEW ": permission denied for table submissions\\n"
               "HINT:  GRANT what is missing to the role of the daemon')",
               "t");
    daemon_await(served, "refresh of " VIEW ": permission denied for table submissions", PATIENCE);
    cluster_execute(cluster, "GRANT SELECT ON public.submissions TO chimer");
    runs_ask_and_await(cluster, REFRESH);
    EXPECT_RUN(cluster, REFRESH, "state", "succeeded");
    EXPECT_SQL(cluster, "SELECT missing + surplus FROM chime.difference('" VIEW "')", "0");
    oracle_expect_sound(cluster);
    free(folder);
}
END_TEST

/* --- the password ------------------------------------------------------------------------------------------------- */

static void write_password(const char *password)
{
    char *line = files_path("*:*:*:*:%s\n", password);

    files_write(passfile, line);
    free(line);
}

/* chimer has to prove who it is, over the Unix socket too. */
static void demand_password(void)
{
    char *rules = files_path("%s/data/pg_hba.conf", cluster_directory(cluster));

    files_write(rules, "local all chimer scram-sha-256\nlocal all all trust\n");
    cluster_execute(cluster, "ALTER ROLE chimer PASSWORD 'the first'; SELECT pg_reload_conf()");
    WAIT_SQL(cluster, "SELECT count(*) FROM pg_hba_file_rules WHERE auth_method = 'scram-sha-256'", "1", PATIENCE);
    write_password("the first");
    free(rules);
}

static void cut_all(void)
{
    cluster_execute(cluster, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'chimer'");
}

START_TEST(a_wrong_password_is_named_and_the_right_one_is_enough)
{
    demand_password();
    served = site_lead(site);
    oracle_await_load(cluster);
    cluster_execute(cluster, "ALTER ROLE chimer PASSWORD 'another one'");
    cut_all();
    daemon_await(served, "FATAL:  password authentication failed for user \"chimer\"", PATIENCE);
    daemon_await(served,
                 "HINT:  give the role's password in the conninfo, or in its passfile, which is ~/.pgpass where it "
                 "names none (tried host ",
                 PATIENCE);
    command(4, "status", NULL);
    commands_has(errors, "password authentication failed for user \"chimer\"");
    commands_has(
        errors,
        "HINT:  give the role's password in the conninfo, or in its passfile, which is ~/.pgpass where it names none");
    char *said = daemon_errors(served);
    ck_assert_ptr_null(strstr(said, "the first"));
    free(said);
    write_password("another one");
    oracle_await_load(cluster);
    command(0, "status", NULL);
    oracle_expect_sound(cluster);
}
END_TEST

START_TEST(a_rule_that_keeps_the_role_out_is_named)
{
    char *rules = files_path("%s/data/pg_hba.conf", cluster_directory(cluster));

    served = site_lead(site);
    oracle_await_load(cluster);
    files_write(rules, "local all postgres trust\n");
    cluster_execute(cluster, "SELECT pg_reload_conf()");
    WAIT_SQL(cluster, "SELECT count(*) FROM pg_hba_file_rules", "1", PATIENCE);
    cut_all();
    daemon_await(served, "no pg_hba.conf entry for host \"[local]\", user \"chimer\", database \"postgres\"", PATIENCE);
    daemon_await(served, "HINT:  allow the role and database in the server's pg_hba.conf", PATIENCE);
    files_write(rules, "local all all trust\n");
    cluster_execute(cluster, "SELECT pg_reload_conf()");
    oracle_await_load(cluster);
    oracle_expect_sound(cluster);
    free(rules);
}
END_TEST

/* --- nobody there ------------------------------------------------------------------------------------------------- */

START_TEST(commands_name_a_server_that_is_down_each_time_they_are_asked)
{
    static const char *const commands[][2] = {{"status", NULL}, {"why", "tick"}, {"runs", NULL}, {"jobs", NULL}};

    served = site_lead(site);
    oracle_await_load(cluster);
    cluster_stop(cluster, CLUSTER_FAST);
    for (int i = 0; i < 8; i++) {
        command(4, commands[i % 4][0], commands[i % 4][1]);
        commands_has(errors, "database \"main\": cannot connect: connection to server on socket ");
        commands_has(errors, "failed: No such file or directory");
        commands_has(errors, "HINT:  is the server running, and is the conninfo right? (tried host ");
        commands_has(errors, " user chimer)");
    }
    daemon_await(served, "HINT:  is the server running, and is the conninfo right? (tried host ", PATIENCE);
    cluster_start(cluster);
    oracle_await_load(cluster);
    command(0, "status", NULL);
    oracle_expect_sound(cluster);
}
END_TEST

static Suite *suite(void)
{
    Suite *all = suite_create("access");
    TCase *cases = tcase_create("access");

    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_set_timeout(cases, 300);
    tcase_add_test(cases, a_revoked_privilege_of_a_jobs_table_fails_its_run_by_name);
    tcase_add_test(cases, a_revoked_privilege_of_a_source_fails_its_views_refresh_by_name);
    tcase_add_test(cases, a_wrong_password_is_named_and_the_right_one_is_enough);
    tcase_add_test(cases, a_rule_that_keeps_the_role_out_is_named);
    tcase_add_test(cases, commands_name_a_server_that_is_down_each_time_they_are_asked);
    suite_add_tcase(all, cases);
    return all;
}

int main(void)
{
    return suite_run(suite());
}
