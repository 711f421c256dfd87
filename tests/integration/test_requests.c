/* SPDX-License-Identifier: PostgreSQL */
/* What people ask of a leader, and what `why` says of it: suspend, resume, cancel; joins and suspension by failures. */
#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/daemon/served.h"
#include "support/ledger/runs.h"
#include "support/process/suite.h"
#include "support/process/wait.h"

static void set_up(void)
{
    served_set_up(4);
}

/* A command with one argument and a reason; its standard output. */
static char *command(const char *name, const char *argument, int expected)
{
    const char *const arguments[] = {name, argument, "--config", site_config(site), NULL};
    char *output = NULL;
    char *errors = NULL;
    int status = daemon_run(arguments, &output, &errors);
    ck_assert_msg(status == expected, "%s %s: status %d: %s%s", name, argument, status, output, errors);
    free(errors);
    return output;
}

static void do_command(const char *name, const char *argument)
{
    free(command(name, argument, 0));
}

static void expect_why(const char *job, const char *part)
{
    char *output = command("why", job, 0);
    ck_assert_msg(strstr(output, part) != NULL, "why %s says:\n%s", job, output);
    free(output);
}

START_TEST(a_suspended_job_starts_nothing_and_its_slots_are_missed_when_it_is_resumed)
{
    site_job(site, "job", "schedule = \"1 seconds\"; command = \"SELECT 1\";");
    served = site_lead(site);
    runs_await(cluster, "job", 1);
    do_command("suspend", "job");
    WAIT_SQL(cluster, "SELECT count(*) FROM chime.request", "0", 10);
    EXPECT_SQL(cluster, "SELECT suspended_by FROM chime.job_state", "postgres");
    expect_why("job", "suspended by postgres since");
    free(command("run", "job", 6));
    WAIT_SQL(cluster, "SELECT now() > max(slot) + interval '3 s' FROM chime.runs", "t", 20);
    do_command("resume", "job");
    WAIT_SQL(cluster, "SELECT reason LIKE 'resumed by postgres%' AND slots >= 2 FROM chime.missed", "t", 10);
    WAIT_SQL(cluster, "SELECT max(r.slot) > max(m.last_slot) FROM chime.runs r, chime.missed m", "t", 10);
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.leadership", "1");
}
END_TEST

START_TEST(a_live_run_is_cancelled_by_its_number)
{
    site_job(site, "long", NEVER_DUE "command = \"SELECT pg_sleep(100)\";");
    served = site_lead(site);
    runs_ask(cluster, "long");
    runs_await_running(cluster, "long");
    expect_why("long", "runs since");
    char *run = cluster_value(cluster, "SELECT run_id FROM chime.run");
    do_command("cancel", run);
    runs_await(cluster, "long", 1);
    EXPECT_RUN(cluster, "long", "state::text", "cancelled");
    EXPECT_RUN(cluster, "long", "reason", "cancelled by postgres");
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.request", "0");
    free(command("cancel", run, 6));
    free(command("cancel", "999999", 5));
    free(run);
}
END_TEST

/* The number that `run` prints; the caller frees it. `option` may be NULL. */
static char *ask_for_run(const char *job, const char *option)
{
    const char *const arguments[] = {"--config", site_config(site), "-o", "csv", "--no-header", "run", job, option,
                                     NULL};
    char *output = NULL;
    char *errors = NULL;
    int status = daemon_run(arguments, &output, &errors);
    ck_assert_msg(status == 0, "run %s: status %d: %s%s", job, status, output, errors);
    output[strcspn(output, ",")] = '\0';
    free(errors);
    return output;
}

static void expect_run_numbered(const char *run, const char *job)
{
    char sql[200];
    snprintf(sql, sizeof(sql), "SELECT state FROM chime.runs WHERE run_id = %s AND job = '%s'", run, job);
    WAIT_SQL(cluster, sql, "succeeded", 30);
}

START_TEST(run_cancel_and_the_history_speak_of_one_number)
{
    site_use_pools(site, "narrow = 1;");
    site_job(site, "hog", NEVER_DUE "command = \"SELECT pg_sleep(600)\"; pool = \"narrow\";");
    site_job(site, "job", NEVER_DUE "command = \"SELECT 1\"; pool = \"narrow\";");
    served = site_lead(site);
    char *hog = ask_for_run("hog", NULL);
    runs_await_running(cluster, "hog");
    char *withdrawn = ask_for_run("job", NULL);
    char *run = ask_for_run("job", NULL);
    expect_why("job", withdrawn); /* "run 7, that postgres asked for ... waits for a slot of pool narrow" */
    do_command("cancel", withdrawn);
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.request", "1");
    free(command("cancel", withdrawn, 6));
    do_command("cancel", hog);
    expect_run_numbered(run, "job");
    WAIT_SQL(cluster, "SELECT count(*) FROM chime.request", "0", 30);
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.run_history h JOIN chime.job j USING (job_id) WHERE j.name = 'job'",
               "1");
    free(hog);
    free(withdrawn);
    free(run);
}
END_TEST

START_TEST(a_suspended_job_is_tried_once_by_force_and_stays_suspended)
{
    site_job(site, "job", NEVER_DUE "command = \"SELECT 1\";");
    served = site_lead(site);
    do_command("suspend", "job");
    WAIT_SQL(cluster, "SELECT suspended_by FROM chime.job_state", "postgres", 20);
    free(command("run", "job", 6));
    char *run = ask_for_run("job", "--force");
    expect_run_numbered(run, "job");
    EXPECT_SQL(cluster, "SELECT suspended_by FROM chime.job_state", "postgres");
    free(command("run", "job", 6));
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.run_history", "1");
    free(run);
}
END_TEST

START_TEST(a_job_that_keeps_failing_suspends_itself)
{
    site_job(site, "job", "schedule = \"1 seconds\"; command = \"SELECT 1/0\"; suspend_after_failures = 2;");
    served = site_lead(site);
    WAIT_SQL(cluster, "SELECT suspended_by IS NULL FROM chime.job_state WHERE suspend_reason LIKE '2 runs%'", "t", 20);
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.runs WHERE state = 'failed'", "2");
    expect_why("job", "2 runs in a row failed");
}
END_TEST

START_TEST(a_join_runs_once_all_have_delivered_and_says_why_it_does_not)
{
    site_job(site, "a", NEVER_DUE "command = \"SELECT 1\";");
    site_job(site, "b", NEVER_DUE "command = \"SELECT 1\";");
    site_job(site, "bad", NEVER_DUE "command = \"SELECT 1/0\"; max_attempts = 1;");
    site_job(site, "both", "command = \"SELECT 1\"; after = [\"a\", \"b\"];");
    site_job(site, "never", "command = \"SELECT 1\"; after = [\"bad\"];");
    served = site_lead(site);
    runs_ask_and_await(cluster, "a");
    expect_why("both", "waits for the next end of b");
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.runs WHERE job = 'both'", "0");
    runs_ask_and_await(cluster, "b");
    runs_await(cluster, "both", 1);
    EXPECT_RUN(cluster, "both", "kind::text", "dependency");
    runs_ask_and_await(cluster, "bad");
    runs_await(cluster, "never", 1);
    EXPECT_RUN(cluster, "never", "concat_ws(' ', state, reason)", "skipped upstream bad failed");
    site_end(served);
    daemon_destroy(served);
    served = site_lead(site); /* nothing of it happens again */
    runs_ask_and_await(cluster, "a");
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.runs WHERE job IN ('both', 'never')", "2");
}
END_TEST

START_TEST(what_a_job_that_only_events_wake_waits_for_is_said)
{
    site_job(site, "listener", "command = \"SELECT 1\"; on = [\"scored\", \"Rescored\"]; debounce = \"1h\";");
    site_job(site, "both", "command = \"SELECT 1\"; after = [\"listener\"]; on = \"scored\";");
    site_job(site, "yearly", NEVER_DUE "command = \"SELECT 1\"; on = \"scored\";");
    served = site_lead(site);
    WAIT_SQL(cluster, "SELECT channels FROM chime.job_status WHERE name = 'listener'", "{scored,Rescored}", 20);
    EXPECT_SQL(cluster, "SELECT options ->> 'debounce' FROM chime.job WHERE name = 'listener'", "1h");
    runs_await(cluster, "both", 1); /* what was told before anybody listened */
    runs_await(cluster, "yearly", 1);
    expect_why("listener", "idle: runs on scored, Rescored\n");
    expect_why("both", "idle: waits for the next end of listener; also runs on scored\n");
    expect_why("yearly", "; also runs on scored\n");
    expect_why("yearly", "idle: its next slot is ");
    EXPECT_SQL(cluster,
               "SELECT string_agg(DISTINCT job || ' ' || kind, ', ' ORDER BY job || ' ' || kind) FROM chime.runs",
               "both event, yearly event");
}
END_TEST

START_TEST(why_names_the_upstream_that_is_suspended_and_by_whom)
{
    site_job(site, "a", NEVER_DUE "command = \"SELECT 1\";");
    site_job(site, "b", NEVER_DUE "command = \"SELECT 1\"; timezone = \"Europe/Berlin\";");
    site_job(site, "alone", "command = \"SELECT 1\"; after = [\"a\"];");
    site_job(site, "both", "command = \"SELECT 1\"; after = [\"a\", \"b\"];");
    served = site_lead(site);
    runs_ask_and_await(cluster, "b"); /* led, and all is there */
    EXPECT_SQL(cluster, "SELECT chime.suspend(job_id, 'too loud') FROM chime.job WHERE name = 'a'", "t");
    WAIT_SQL(cluster, "SELECT suspended_by FROM chime.job_status WHERE name = 'a'", "postgres", 20);
    expect_why("alone", "it comes after a, which is suspended by postgres: too loud: no run of it is waited for");
    expect_why("alone", "idle: it runs only after a, and that does not run now");
    expect_why("both", "it comes after a, which is suspended by postgres: too loud");
    expect_why("b", "Europe/Berlin");
}
END_TEST

static void expect_why_at(const char *job, const char *at, const char *part)
{
    const char *const arguments[] = {"why", job, "--at", at, "--config", site_config(site), "-o", "json", NULL};
    char *output = NULL;
    char *errors = NULL;
    int status = daemon_run(arguments, &output, &errors);
    ck_assert_msg(status == 0, "why %s --at %s: status %d: %s%s", job, at, status, output, errors);
    ck_assert_msg(strstr(output, part) != NULL, "why %s --at %s says:\n%s", job, at, output);
    free(output);
    free(errors);
}

static void expect_why_at_sql(const char *job, const char *sql, const char *part)
{
    char *at = cluster_value(cluster, sql);
    expect_why_at(job, at, part);
    free(at);
}

#define UTC_OF(slot) "SELECT to_char(" slot " AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US\"Z\"')"

/* After the first leader: where its start took long, it has missed slots of its own, and nobody led before them. */
#define MISSED_BETWEEN \
    " FROM chime.missed WHERE reason LIKE '%nothing led%' AND first_slot > (SELECT min(until) FROM chime.leadership)"

START_TEST(why_tells_of_a_slot_of_the_past_and_that_nobody_led)
{
    site_job(site, "job",
             "schedule = \"1 seconds\"; command = \"SELECT 1 / (random() < 2)::int\"; catchup = \"none\";");
    site_job(site, "bad", NEVER_DUE "command = \"SELECT 1/0\"; max_attempts = 1;");
    served = site_lead(site);
    runs_await(cluster, "job", 1);
    runs_ask_and_await(cluster, "bad");
    expect_why_at_sql("bad", UTC_OF("slot") " FROM chime.runs WHERE job = 'bad'", "\"why\": \"division by zero\"");
    expect_why_at_sql("bad", UTC_OF("(slot + interval '5 minutes')") " FROM chime.runs WHERE job = 'bad'",
                      "\"state\": \"failed\"");
    expect_why_at_sql("job", UTC_OF("min(slot)") " FROM chime.runs WHERE job = 'job'", "\"state\": \"succeeded\"");
    expect_why_at("job", "2030-01-01", "\"why\": \"it is not due yet\"");
    expect_why_at("job", "2020-01-01", "\"state\": \"none\"");
    expect_why_at("bad", "2020-01-01", "no slot of it that is on record was due then or before");
    site_end(served);
    daemon_destroy(served);
    served = NULL;
    expect_why("job", "nobody leads since ");
    WAIT_SQL(cluster, "SELECT clock_timestamp() > until + interval '3 s' AND resigned FROM chime.leadership", "t", 20);
    served = site_lead(site);
    WAIT_SQL(cluster, "SELECT count(*) > 0" MISSED_BETWEEN, "t", 20);
    expect_why("job", "; nobody led from ");
    expect_why_at_sql("job", UTC_OF("min(first_slot)") MISSED_BETWEEN, "; nobody led from ");
    expect_why_at_sql("job", UTC_OF("min(first_slot)") MISSED_BETWEEN, "\"state\": \"missed\"");
    daemon_kill(served);
    daemon_destroy(served);
    served = NULL;
    WAIT_SQL(cluster, "SELECT chime.led()", "f", 60);
    EXPECT_SQL(cluster, "SELECT chime.unled_words(clock_timestamp()) LIKE 'nobody leads since %did not resign%'", "t");
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.leadership WHERE until IS NULL", "1");
}
END_TEST

START_TEST(log_runs_says_what_is_kept_of_runs_that_nobody_asked_for)
{
    site_job(site, "quiet", NEVER_DUE "command = \"SELECT 1\"; log_runs = \"off\";");
    site_job(site, "after-quiet", "command = \"SELECT 1\"; after = [\"quiet\"]; log_runs = \"errors\";");
    served = site_lead(site);
    runs_ask(cluster, "quiet");
    WAIT_SQL(cluster, "SELECT successes FROM chime.job_status WHERE name = 'after-quiet'", "1", 20);
    EXPECT_SQL(cluster,
               "SELECT count(*) FROM chime.run_history JOIN chime.job USING (job_id) WHERE name = 'after-quiet'", "0");
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.run_history JOIN chime.job USING (job_id) WHERE name = 'quiet'",
               "1");
}
END_TEST

/* More than the leader hears of at once, and more than it can run. */
START_TEST(requests_of_one_owner_hold_up_no_other)
{
    cluster_execute(cluster, "CREATE ROLE greedy LOGIN; CREATE ROLE modest LOGIN");
    served = site_lead(site);
    cluster_execute(
        cluster,
        "INSERT INTO chime.job (name, job_name, owner, origin, schedule, command)"
        " SELECT '', 'sleep' || n, 'greedy', 'sql', '0 0 29 2 *', 'SELECT pg_sleep(600)' FROM generate_series(1, 1500) "
        "n;"
        "INSERT INTO chime.request (job_id) SELECT job_id FROM chime.job WHERE owner = 'greedy' ORDER BY job_id;"
        "INSERT INTO chime.job (name, job_name, owner, origin, schedule, command)"
        " VALUES ('', 'little', 'modest', 'sql', '0 0 29 2 *', 'SELECT 1')");
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.open_requests()", "1000");
    runs_ask(cluster, "modest/little");
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.open_requests()", "1000");
    runs_await(cluster, "modest/little", 1);
    EXPECT_RUN(cluster, "modest/little", "state", "succeeded");
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.run_history", "1");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("requests");
    TCase *cases = tcase_create("requests");
    tcase_add_checked_fixture(cases, set_up, served_tear_down);
    tcase_set_timeout(cases, 120);
    tcase_add_test(cases, why_names_the_upstream_that_is_suspended_and_by_whom);
    tcase_add_test(cases, why_tells_of_a_slot_of_the_past_and_that_nobody_led);
    tcase_add_test(cases, a_suspended_job_starts_nothing_and_its_slots_are_missed_when_it_is_resumed);
    tcase_add_test(cases, a_live_run_is_cancelled_by_its_number);
    tcase_add_test(cases, run_cancel_and_the_history_speak_of_one_number);
    tcase_add_test(cases, a_suspended_job_is_tried_once_by_force_and_stays_suspended);
    tcase_add_test(cases, a_job_that_keeps_failing_suspends_itself);
    tcase_add_test(cases, a_join_runs_once_all_have_delivered_and_says_why_it_does_not);
    tcase_add_test(cases, what_a_job_that_only_events_wake_waits_for_is_said);
    tcase_add_test(cases, log_runs_says_what_is_kept_of_runs_that_nobody_asked_for);
    tcase_add_test(cases, requests_of_one_owner_hold_up_no_other);
    suite_add_tcase(suite, cases);
    return suite_run(suite);
}
