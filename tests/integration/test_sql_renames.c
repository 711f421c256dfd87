/* SPDX-License-Identifier: PostgreSQL */
/* Jobs made by SQL that come after others, while names change, move and go, through a real daemon on a real server. */
#include <check.h>
#include <libpq-fe.h>
#include <signal.h>
#include <stdlib.h>

#include "support/cluster/session.h"
#include "support/daemon/served.h"
#include "support/daemon/sql_jobs.h"
#include "support/ledger/runs.h"
#include "support/process/files.h"
#include "support/process/suite.h"
#include "support/process/wait.h"

static int64_t old_id, new_id;

/* Job "new", then job "a", which jobs "x" come after. */
static void set_up(void)
{
    served_set_up(4);
    site_job(site, "extract", NEVER_DUE "command = \"SELECT 1\";");
    served = site_lead(site);
    new_id = sql_jobs_make(cluster, NULL, "new", YEARLY, "SELECT 1", NULL);
    old_id = sql_jobs_make(cluster, NULL, "a", YEARLY, "SELECT 1", NULL);
    sql_jobs_await_taken(cluster, "a");
}

/* Without a schedule of its own. */
static void make_after(const char *name, const char *upstream)
{
    cluster_execute_format(cluster, "SELECT chime.schedule('%s', NULL, 'SELECT 1', after => '{%s}')", name, upstream);
}

static void run_and_expect(const char *upstream, const char *downstream, int count)
{
    sql_jobs_run(cluster, upstream);
    sql_jobs_await(cluster, downstream, count);
    SQL_JOBS_EXPECT(cluster, downstream, "h.kind || ' ' || h.state", "dependency succeeded");
}

/* One that says something else. */
static void reload(const char *command)
{
    const char *const arguments[] = {"reload", "--config", site_config(site), NULL};
    char *errors = NULL;
    char *members = files_path(NEVER_DUE "command = \"%s\";", command);
    site_job(site, "extract", members);
    int status = daemon_run(arguments, NULL, &errors);
    ck_assert_msg(status == 0, "reload: status %d: %s", status, errors);
    free(members);
    free(errors);
}

static void expect_no_trouble(void)
{
    EXPECT_SQL(cluster, "SELECT string_agg(name || ': ' || problem, '; ') FROM chime.job", NULL);
    char *errors = daemon_errors(served);
    ck_assert_msg(!daemon_said(served, "is not scheduled"), "%s", errors);
    free(errors);
    ck_assert(!daemon_said(served, "does not agree"));
    ck_assert(daemon_is_running(served));
}

/* Names change, and those that come after them keep the old ones. */
static void let_nobody_follow(void)
{
    cluster_execute(cluster, "ALTER TABLE chime.job DISABLE TRIGGER follow_name");
}

/* From "a", which is "a_old" then, to "new". */
static void move_the_name(void)
{
    cluster_execute_format(cluster,
                           "BEGIN; SELECT chime.alter_job(%lld, job_name => 'a_old');"
                           " SELECT chime.alter_job(%lld, job_name => 'a'); COMMIT",
                           (long long)old_id, (long long)new_id);
}

START_TEST(jobs_that_come_after_a_job_follow_its_new_name)
{
    sql_jobs_make(cluster, NULL, "early", YEARLY, "SELECT 1", NULL);
    int64_t late = sql_jobs_make(cluster, NULL, "late", YEARLY, "SELECT 1", NULL);
    sql_jobs_edit(cluster, "early", "schedule = '', after = '{postgres/late}'");
    run_and_expect("late", "early", 1);
    cluster_execute_format(cluster, "SELECT chime.alter_job(%lld, job_name => 'later')", (long long)late);
    EXPECT_SQL(cluster, "SELECT after FROM chime.job WHERE job_name = 'early'", "{postgres/later}");
    run_and_expect("later", "early", 2);
    reload("SELECT 2");
    run_and_expect("later", "early", 3);
    expect_no_trouble();
}
END_TEST

START_TEST(they_follow_another_owner_and_the_loss_of_a_name)
{
    cluster_execute(cluster, "CREATE ROLE alice LOGIN");
    make_after("x", "a");
    sql_jobs_edit(cluster, "x", "after = '{postgres/new,postgres/a}'");
    cluster_execute_format(cluster, "SELECT chime.alter_job(%lld, username => 'alice')", (long long)old_id);
    EXPECT_SQL(cluster, "SELECT after FROM chime.job WHERE job_name = 'x'", "{postgres/new,alice/a}");
    sql_jobs_edit(cluster, "a", "job_name = NULL");
    EXPECT_SQL(cluster,
               "SELECT x.after[2] = a.name FROM chime.job x, chime.job a"
               " WHERE x.job_name = 'x' AND a.job_name IS NULL AND a.origin = 'sql'",
               "t");
    cluster_execute(cluster, "UPDATE chime.job SET owner = 'alice' WHERE origin = 'sql'"); /* all by one statement */
    EXPECT_SQL(cluster, "SELECT after[1] FROM chime.job WHERE job_name = 'x'", "alice/new");
    ck_assert(daemon_is_running(served));
}
END_TEST

START_TEST(a_new_name_that_nobody_followed_harms_no_reload)
{
    let_nobody_follow();
    make_after("x", "a");
    run_and_expect("a", "x", 1);
    sql_jobs_edit(cluster, "a", "job_name = 'b'");
    WAIT_SQL(cluster,
             "SELECT problem LIKE 'it comes after \"postgres/a\", which is not there%' FROM chime.job"
             " WHERE job_name = 'x'",
             "t", 20);
    reload("SELECT 2");
    sql_jobs_run(cluster, "b");
    ck_assert(daemon_is_running(served));
    sql_jobs_edit(cluster, "b", "job_name = 'a'");
    WAIT_SQL(cluster, "SELECT problem FROM chime.job WHERE job_name = 'x'", NULL, 20);
    run_and_expect("a", "x", 2);
}
END_TEST

START_TEST(a_name_that_moves_within_a_transaction_is_found_again)
{
    make_after("x", "a");
    run_and_expect("a", "x", 1);
    move_the_name();
    make_after("z", "a");
    run_and_expect("a", "z", 1);
    run_and_expect("a_old", "x", 2);
    expect_no_trouble();
}
END_TEST

START_TEST(jobs_that_keep_a_name_come_after_whoever_has_it)
{
    let_nobody_follow();
    make_after("x", "a");
    run_and_expect("a", "x", 1);
    move_the_name();
    run_and_expect("a", "x", 2);
    sql_jobs_run(cluster, "a_old");
    reload("SELECT 2");
    run_and_expect("a", "x", 3);
    expect_no_trouble();
}
END_TEST

START_TEST(a_job_that_takes_the_name_of_one_that_goes_is_come_after)
{
    make_after("x", "a");
    run_and_expect("a", "x", 1);
    cluster_execute_format(cluster,
                           "BEGIN; SELECT chime.unschedule(%lld); SELECT chime.alter_job(%lld, job_name => 'a');"
                           " COMMIT",
                           (long long)old_id, (long long)new_id);
    sql_jobs_run(cluster, "a");
    WAIT_SQL(cluster, "SELECT count(*) FROM chime.run_history h JOIN chime.job j USING (job_id) WHERE j.job_name = 'x'",
             "2", 20);
    expect_no_trouble();
}
END_TEST

/* The one with the smaller number is told first, when the name it comes after is still its own. */
START_TEST(jobs_that_come_after_each_other_may_swap_their_names)
{
    sql_jobs_edit(cluster, "new", "schedule = '', after = '{postgres/a}'");
    run_and_expect("a", "new", 1);
    cluster_execute_format(cluster,
                           "BEGIN; SELECT chime.alter_job(%lld, job_name => 'swapping');"
                           " SELECT chime.alter_job(%lld, job_name => 'a');"
                           " SELECT chime.alter_job(%lld, job_name => 'new'); COMMIT",
                           (long long)old_id, (long long)new_id, (long long)old_id);
    EXPECT_SQL(cluster, "SELECT after FROM chime.job WHERE job_name = 'a'", "{postgres/new}");
    run_and_expect("new", "a", 2);
    expect_no_trouble();
}
END_TEST

/* The one that is told first waits for a new one, and comes after the other until then. */
START_TEST(jobs_may_change_their_order_within_a_transaction)
{
    sql_jobs_edit(cluster, "new", "schedule = '', after = '{postgres/a}'");
    run_and_expect("a", "new", 1);
    cluster_execute(cluster,
                    "BEGIN; SELECT chime.schedule('first', '" YEARLY "', 'SELECT 1');"
                    " UPDATE chime.job SET after = '{postgres/first}' WHERE job_name = 'new';"
                    " UPDATE chime.job SET after = '{postgres/new}', schedule = '' WHERE job_name = 'a'; COMMIT");
    run_and_expect("first", "new", 2);
    sql_jobs_await(cluster, "a", 2);
    cluster_execute(cluster, "BEGIN; UPDATE chime.job SET after = '{postgres/first}' WHERE job_name = 'a';"
                             " UPDATE chime.job SET after = '{postgres/a}' WHERE job_name = 'new'; COMMIT");
    sql_jobs_run(cluster, "first");
    sql_jobs_await(cluster, "new", 3);
    expect_no_trouble();
}
END_TEST

/* Between what was told last and all that is told after the reload. */
START_TEST(a_job_that_goes_while_the_catalog_is_written_is_due_no_more)
{
    PGconn *holder = cluster_connect(cluster, "postgres");
    sql_jobs_make(cluster, NULL, "beat", "1 second", "SELECT 1", NULL);
    sql_jobs_await(cluster, "beat", 1);
    session_execute(holder, "BEGIN; SELECT FROM chime.job WHERE name = 'extract' FOR UPDATE");
    site_job(site, "extract", NEVER_DUE "command = \"SELECT 2\";");
    daemon_signal(served, SIGHUP);
    WAIT_SQL(cluster, "SELECT count(*) > 0 FROM pg_locks WHERE NOT granted", "t", 20);
    sql_jobs_remove(cluster, "beat");
    session_execute(holder, "ROLLBACK");
    daemon_await(served, "goes by the new catalog with 1 jobs", 20);
    sql_jobs_make(cluster, NULL, "other", "1 second", "SELECT 1", NULL);
    sql_jobs_await(cluster, "other", 3);
    expect_no_trouble();
    PQfinish(holder);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sql_renames");
    TCase *names = tcase_create("names");

    tcase_add_checked_fixture(names, set_up, served_tear_down);
    tcase_set_timeout(names, 60);
    tcase_add_test(names, jobs_that_come_after_a_job_follow_its_new_name);
    tcase_add_test(names, they_follow_another_owner_and_the_loss_of_a_name);
    tcase_add_test(names, a_new_name_that_nobody_followed_harms_no_reload);
    tcase_add_test(names, a_name_that_moves_within_a_transaction_is_found_again);
    tcase_add_test(names, jobs_that_keep_a_name_come_after_whoever_has_it);
    tcase_add_test(names, a_job_that_takes_the_name_of_one_that_goes_is_come_after);
    tcase_add_test(names, jobs_that_come_after_each_other_may_swap_their_names);
    tcase_add_test(names, jobs_may_change_their_order_within_a_transaction);
    tcase_add_test(names, a_job_that_goes_while_the_catalog_is_written_is_due_no_more);
    suite_add_tcase(suite, names);
    return suite_run(suite);
}
