/* SPDX-License-Identifier: PostgreSQL */
/* What `pgchime status`, `doctor` and `jobs` say of jobs that fail, suspended themselves, are late or cannot be run. */
#include <check.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "support/cluster/cluster.h"
#include "support/daemon/commands.h"
#include "support/daemon/daemon.h"
#include "support/daemon/site.h"
#include "support/ledger/ledger_sql.h"
#include "support/ledger/runs.h"
#include "support/process/files.h"
#include "support/process/process.h"
#include "support/process/suite.h"
#include "support/process/wait.h"

static struct cluster *cluster;
static struct site *site;
static struct daemon *leader;
static char *output;
static char *errors;

static void set_up(void)
{
    cluster = ledger_sql_install(NULL);
    site = site_create(cluster, "postgres", 4);
    site_job(site, "good", NEVER_DUE "command = \"SELECT 1\";");
    site_job(site, "asleep", NEVER_DUE "command = \"SELECT 1\"; enabled = false;");
}

static void tear_down(void)
{
    daemon_destroy(leader);
    site_destroy(site);
    cluster_destroy(cluster);
    free(output);
    free(errors);
}

#define ASSERT_RUN(status, ...) \
    commands_expect(status, site_config(site), (const char *const[]){__VA_ARGS__, NULL}, &output, &errors)

static void assert_lacks(const char *text, const char *part)
{
    ck_assert_msg(strstr(text, part) == NULL, "\"%s\" in:\n%s", part, text);
}

START_TEST(a_job_that_fails_is_a_problem_until_it_succeeds)
{
    cluster_execute(cluster, "CREATE TABLE divisor AS SELECT 0 AS n");
    site_job(site, "broken", NEVER_DUE "command = \"SELECT 1 / n FROM public.divisor\";");
    leader = site_lead(site);
    ASSERT_RUN(0, "status");
    runs_ask_and_await(cluster, "broken");
    ASSERT_RUN(8, "status", "-o", "json");
    commands_has(errors, "database \"main\": job broken fails: its last run, at ");
    commands_has(
        errors, ": division by zero\nHINT:  pgchime runs broken --state failed,timed_out,lost lists its failures; once "
                "it is mended, pgchime run broken tries it now\n");
    commands_has(output, "\"failing_jobs\": 1,");
    ASSERT_RUN(8, "doctor", "-o", "json");
    commands_has(output, "\"finding\": \"job broken fails: its last run, at ");
    ASSERT_RUN(0, "runs", "broken", "--state", "failed,timed_out,lost");
    commands_has(output, "division by zero");
    cluster_execute(cluster, "UPDATE divisor SET n = 1");
    runs_ask_and_await(cluster, "broken");
    ASSERT_RUN(0, "status", "-o", "json");
    commands_has(output, "\"failing_jobs\": 0,");
}
END_TEST

START_TEST(of_many_jobs_that_fail_ten_are_named_and_the_others_counted)
{
    for (char name[] = "broken-a"; name[7] <= 'l'; name[7]++) {
        site_job(site, name, NEVER_DUE "command = \"SELECT 1/0\";");
    }
    leader = site_lead(site);
    for (char name[] = "broken-a"; name[7] <= 'l'; name[7]++) {
        runs_ask_and_await(cluster, name);
    }
    ASSERT_RUN(8, "status");
    commands_has(errors, "job broken-j fails: ");
    assert_lacks(errors, "job broken-k fails: ");
    commands_has(errors, "database \"main\": 2 more jobs fail\nHINT:  pgchime jobs --failing lists them\n");
    ASSERT_RUN(0, "jobs", "--failing");
    commands_has(output, "broken-l");
    assert_lacks(output, "good");
}
END_TEST

START_TEST(a_job_that_suspended_itself_is_a_problem_one_that_somebody_suspended_is_not)
{
    site_job(site, "broken", "schedule = \"1 seconds\"; command = \"SELECT 1/0\"; suspend_after_failures = 2;");
    leader = site_lead(site);
    ASSERT_RUN(0, "suspend", "good", "--reason", "not today");
    WAIT_SQL(cluster, "SELECT count(*) FROM chime.job_status WHERE suspended_at IS NOT NULL", "2", 30);
    ASSERT_RUN(8, "status", "-o", "json");
    commands_has(errors, "database \"main\": job broken suspended itself at ");
    commands_has(errors, ": 2 runs in a row failed, the last one at ");
    commands_has(errors, ": division by zero\nHINT:  mend what fails; then pgchime resume broken lets it run again\n");
    commands_has(output, "\"suspended_jobs\": 2,");
    assert_lacks(errors, "good");
    ASSERT_RUN(6, "run", "broken");
    commands_has(errors, "job \"broken\" is suspended: 2 runs in a row failed");
    commands_has(errors, ": division by zero\nHINT:  pgchime resume broken lets it run");
    ASSERT_RUN(0, "why", "broken");
    commands_has(output, ": division by zero");
    commands_has(output, "failed, division by zero; not tried again: 22012 is not in retry_on");
    ASSERT_RUN(6, "run", "good");
    commands_has(errors, "job \"good\" is suspended by postgres: not today");
    ASSERT_RUN(0, "resume", "broken");
    ASSERT_RUN(0, "suspend", "broken");
    WAIT_SQL(cluster, "SELECT suspended_by FROM chime.job_status WHERE name = 'broken'", "postgres", 30);
    ASSERT_RUN(0, "status");
}
END_TEST

/* The only place of its pool is taken; that it was due an hour ago is made up. */
START_TEST(a_job_that_waits_for_its_pool_for_an_hour_is_late)
{
    site_use_pools(site, "narrow = 1;");
    site_job(site, "hog", NEVER_DUE "command = \"SELECT pg_sleep(600)\"; pool = \"narrow\";");
    site_job(site, "due", "schedule = \"1 seconds\"; command = \"SELECT 1\"; pool = \"narrow\";");
    leader = site_lead(site);
    cluster_execute(cluster, "INSERT INTO chime.request (job_id) SELECT job_id FROM chime.job WHERE name = 'hog'");
    WAIT_SQL(cluster,
             "SELECT count(pid) FROM chime.run WHERE job_id = (SELECT job_id FROM chime.job WHERE name = 'hog')", "1",
             30);
    cluster_execute(cluster, "UPDATE chime.job_state SET last_slot = date_trunc('hour', now()) - interval '3 h'"
                             " WHERE job_id = (SELECT job_id FROM chime.job WHERE name = 'due')");
    assert_lacks(errors != NULL ? errors : "", "late");
    cluster_execute(cluster, "UPDATE chime.leader SET since = since - interval '1 h'");
    ASSERT_RUN(8, "status", "-o", "json");
    commands_has(errors, "database \"main\": job due is late: its slot of ");
    commands_has(errors,
                 ":00:01Z has not started\nHINT:  pgchime why due says what it waits for; pgchime jobs --late lists");
    commands_has(output, "\"late_jobs\": 1,");
    ASSERT_RUN(8, "doctor", "-o", "json");
    commands_has(output, "\"finding\": \"job due is late: its slot of ");
    ASSERT_RUN(0, "jobs", "--late", "-o", "json");
    commands_has(output, "\"name\": \"due\"");
    assert_lacks(output, "\"hog\"");
    assert_lacks(output, "\"good\"");
}
END_TEST

/* A job that has never run, since its upstream fails each time, is not well. */
START_TEST(a_job_whose_slots_are_skipped_is_not_ok)
{
    site_job(site, "load", "schedule = \"1 second\"; command = \"SELECT 1/0\";");
    site_job(site, "sum", "schedule = \"1 second\"; command = \"SELECT 1\"; after = [\"load\"];");
    leader = site_lead(site);
    WAIT_SQL(cluster,
             "SELECT skipped_in_a_row > 1 FROM chime.job_state JOIN chime.job USING (job_id) WHERE name = 'sum'", "t",
             60);
    site_end(leader); /* nothing is live when it is looked at */
    ASSERT_RUN(0, "jobs", "-o", "json", "--state", "skipped");
    commands_has(output, "\"name\": \"sum\"");
    commands_has(output, "\"state\": \"skipped\"");
    assert_lacks(output, "\"name\": \"load\"");
    ASSERT_RUN(0, "jobs", "-o", "json", "--state", "ok");
    assert_lacks(output, "\"name\": \"sum\"");
}
END_TEST

START_TEST(jobs_shows_states_and_only_what_is_asked_for)
{
    site_job(site, "broken", NEVER_DUE "command = \"SELECT 1/0\";");
    site_job(site, "endless", NEVER_DUE "command = \"SELECT pg_sleep(600)\";");
    leader = site_lead(site);
    runs_ask_and_await(cluster, "broken");
    ASSERT_RUN(0, "suspend", "good");
    ASSERT_RUN(0, "run", "endless");
    WAIT_SQL(cluster, "SELECT count(*) FROM chime.runs WHERE state = 'running'", "1", 30);
    WAIT_SQL(cluster, "SELECT count(*) FROM chime.job_status WHERE suspended_at IS NOT NULL", "1", 30);
    ASSERT_RUN(0, "jobs", "-o", "csv", "--all");
    ASSERT_RUN(0, "jobs", "-o", "json", "--like", "b*");
    commands_has(output, "\"state\": \"failing\"");
    assert_lacks(output, "\"state\": \"suspended\"");
    ASSERT_RUN(0, "jobs", "-o", "json", "--suspended");
    commands_has(output, "\"state\": \"suspended\"");
    assert_lacks(output, "\"state\": \"failing\"");
    ASSERT_RUN(0, "jobs", "-o", "json", "--like", "end*");
    commands_has(output, "\"state\": \"running\"");
    ASSERT_RUN(0, "jobs");
    assert_lacks(output, "asleep");
    commands_has(errors, "1 disabled job is not shown: pgchime jobs --all shows it");
    ASSERT_RUN(0, "jobs", "--all", "--like", "asleep", "-o", "json");
    commands_has(output, "\"state\": \"disabled\"");
    site_remove(site, "broken");
    site_reload(site, leader);
    WAIT_SQL(cluster, "SELECT active FROM chime.job WHERE name = 'broken'", "f", 30);
    ASSERT_RUN(0, "jobs", "--failing");
    assert_lacks(output, "broken"); /* what is switched off fails no more */
    ASSERT_RUN(0, "jobs", "--plugin", "telemetry");
    commands_has(errors, "no such jobs");
}
END_TEST

/* How many lines of a file have this part. */
static size_t lines_with(const char *file, const char *part)
{
    size_t count = 0;
    char *text = files_read(file);
    for (const char *at = strstr(text, part); at != NULL; at = strstr(at + 1, part)) {
        count++;
    }
    free(text);
    return count;
}

#define FOLLOWER "SELECT pid FROM pg_stat_activity WHERE application_name = 'pgchime command'"

START_TEST(runs_follow_lists_each_once_as_it_begins_and_ends)
{
    site_job(site, "gated", NEVER_DUE "command = \"SELECT pg_advisory_xact_lock(17)\";");
    leader = site_lead(site);
    runs_ask_and_await(cluster, "good");
    char *folder = files_make_directory();
    char *listed = files_path("%s/listed", folder);
    char *said = files_path("%s/said", folder);
    pid_t follower = process_start((const char *const[]){PGCHIME_BUILD_DIR "/pgchime", "--config", site_config(site),
                                                         "runs", "--follow", "-o", "csv", NULL},
                                   listed, said);
    WAIT_FOR(lines_with(listed, ",good,main,") == 1, 60);
    char *session = cluster_value(cluster, FOLLOWER);
    ck_assert_ptr_nonnull(session);
    cluster_execute(cluster, "SELECT pg_advisory_lock(17)");
    runs_ask(cluster, "gated");
    WAIT_FOR(lines_with(listed, ",running,manual,") == 1, 60);
    cluster_execute(cluster, "SELECT pg_advisory_unlock(17)");
    runs_await(cluster, "gated", 1);
    runs_ask_and_await(cluster, "good");
    WAIT_FOR(lines_with(listed, ",succeeded,manual,") == 3, 60);
    ck_assert_int_eq((int)lines_with(listed, ",gated,main,"), 2);
    ck_assert_int_eq((int)lines_with(listed, "run_id"), 1); /* the first line alone */
    EXPECT_SQL(cluster, FOLLOWER, session);                 /* it is the same all the while */
    free(session);
    kill(follower, SIGINT);
    ck_assert_int_ne(process_wait(follower, 60), -1);
    ASSERT_RUN(2, "runs", "--follow", "-o", "json");
    ASSERT_RUN(5, "runs", "nothing", "--follow");
    free(folder);
    free(listed);
    free(said);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("cli_jobs");
    TCase *tests = tcase_create("cli_jobs");
    tcase_set_timeout(tests, 120);
    tcase_add_checked_fixture(tests, set_up, tear_down);
    tcase_add_test(tests, a_job_that_fails_is_a_problem_until_it_succeeds);
    tcase_add_test(tests, of_many_jobs_that_fail_ten_are_named_and_the_others_counted);
    tcase_add_test(tests, a_job_that_suspended_itself_is_a_problem_one_that_somebody_suspended_is_not);
    tcase_add_test(tests, a_job_that_waits_for_its_pool_for_an_hour_is_late);
    tcase_add_test(tests, runs_follow_lists_each_once_as_it_begins_and_ends);
    tcase_add_test(tests, jobs_shows_states_and_only_what_is_asked_for);
    tcase_add_test(tests, a_job_whose_slots_are_skipped_is_not_ok);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
