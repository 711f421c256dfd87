/* SPDX-License-Identifier: PostgreSQL */
/* Settings of the server that a job of conf.d has while it runs: whatever its delivery, and in no run but its own. */
#include <check.h>
#include <stdlib.h>

#include "support/daemon/served.h"
#include "support/ledger/runs.h"
#include "support/plugin/plugin_files.h"
#include "support/process/files.h"
#include "support/process/suite.h"
#include "support/process/wait.h"

#define SETTINGS "settings = { work_mem = \"77MB\"; application_name = \"totals\"; app = { tenant = \"7\"; }; }; "
#define NOTES(job)                                                                                                 \
    "command = \"INSERT INTO t VALUES ('" job "', current_setting('work_mem') || ' ' || coalesce(current_setting(" \
    "'app.tenant', true), ''))\"; "

/* One session, so that each run has the one before it as its neighbour. */
static void set_up(void)
{
    served_set_up(1);
    cluster_execute(cluster, "CREATE TABLE t (job text, found text)");
}

static void expect_note(const char *job, const char *found)
{
    char *sql = files_path("SELECT found FROM t WHERE job = '%s'", job);
    runs_ask_and_await(cluster, job);
    EXPECT_SQL(cluster, sql, found);
    free(sql);
}

START_TEST(a_run_has_its_jobs_settings_and_the_next_one_has_not)
{
    site_job(site, "whole", NEVER_DUE NOTES("whole") SETTINGS "delivery = \"transactional\";");
    site_job(site, "once", NEVER_DUE NOTES("once") SETTINGS);
    site_job(site, "plain", NEVER_DUE NOTES("plain"));
    site_job(site, "text",
             NEVER_DUE "command = \"SELECT 1; INSERT INTO t VALUES ('text', "
                       "current_setting('work_mem') || ' ' || current_setting('application_name'))\"; " SETTINGS);
    served = site_lead(site);
    EXPECT_SQL(cluster, "SELECT options ->> 'delivery' FROM chime.job WHERE name = 'whole'", "transactional");
    expect_note("whole", "77MB 7");
    expect_note("plain", "4MB ");
    cluster_execute(cluster, "DELETE FROM t");
    expect_note("once", "77MB 7");
    expect_note("plain", "4MB ");
    expect_note("text", "77MB totals");
    EXPECT_SQL(cluster, "SELECT options -> 'settings' ->> 'app.tenant' FROM chime.job WHERE name = 'once'", "7");
}
END_TEST

START_TEST(settings_change_with_a_reload)
{
    site_job(site, "whole", NEVER_DUE NOTES("whole") SETTINGS);
    served = site_lead(site);
    expect_note("whole", "77MB 7");
    cluster_execute(cluster, "DELETE FROM t");
    site_job(site, "whole", NEVER_DUE NOTES("whole") "settings = { work_mem = \"66MB\"; };");
    site_reload(site, served);
    WAIT_SQL(cluster, "SELECT options -> 'settings' ->> 'work_mem' FROM chime.job", "66MB", 30);
    expect_note("whole", "66MB ");
}
END_TEST

START_TEST(a_setting_that_the_server_refuses_fails_the_run_and_no_other)
{
    site_job(site, "bad", NEVER_DUE NOTES("bad") "settings = { no_such = \"1\"; }; max_attempts = 1;");
    site_job(site, "plain", NEVER_DUE NOTES("plain"));
    served = site_lead(site);
    runs_ask_and_await(cluster, "bad");
    EXPECT_RUN(cluster, "bad", "state || ' ' || sqlstate", "failed 42704");
    EXPECT_RUN(cluster, "bad", "message LIKE '%no_such%'", "t");
    expect_note("plain", "4MB ");
    EXPECT_SQL(cluster, "SELECT count(*) FROM t WHERE job = 'bad'", "0");
}
END_TEST

/* What can be seen of a refresh from outside: it may write, or it may not. */
START_TEST(a_plugins_refresh_has_the_settings_that_conf_d_gives_it)
{
    char *folder = files_make_directory();
    cluster_execute_file(cluster, PGCHIME_SOURCE_DIR "/tests/support/views/tables_training.sql");
    plugin_put(folder, "training_quality");
    site_use_plugins(site, folder);
    site_job(site, "refresh_training_quality",
             NEVER_DUE "max_attempts = 1; settings = { default_transaction_read_only = true; };");
    served = site_lead(site);
    WAIT_SQL(cluster, "SELECT state FROM chime.plugin", "installed", 60);
    runs_ask_and_await(cluster, "refresh_training_quality");
    EXPECT_RUN(cluster, "refresh_training_quality", "state || ' ' || sqlstate", "failed 25006");
    site_job(site, "refresh_training_quality", NEVER_DUE "max_attempts = 1; settings = { work_mem = \"66MB\"; };");
    site_reload(site, served);
    WAIT_SQL(cluster,
             "SELECT options -> 'settings' ->> 'work_mem' FROM chime.job WHERE name = 'refresh_training_quality'",
             "66MB", 30);
    runs_ask_and_await(cluster, "refresh_training_quality");
    EXPECT_RUN(cluster, "refresh_training_quality", "state::text", "succeeded");
    free(folder);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("job_settings");
    TCase *cases = tcase_create("job_settings");
    tcase_set_timeout(cases, 180);
    tcase_add_checked_fixture(cases, set_up, served_tear_down);
    tcase_add_test(cases, a_run_has_its_jobs_settings_and_the_next_one_has_not);
    tcase_add_test(cases, settings_change_with_a_reload);
    tcase_add_test(cases, a_setting_that_the_server_refuses_fails_the_run_and_no_other);
    tcase_add_test(cases, a_plugins_refresh_has_the_settings_that_conf_d_gives_it);
    suite_add_tcase(suite, cases);
    return suite_run(suite);
}
