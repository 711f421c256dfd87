/* SPDX-License-Identifier: PostgreSQL */
/* Jobs made by SQL, through a real daemon on a real server: how they come, change and go, and how their runs end. */
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

static void set_up(void)
{
    served_set_up(4);
    served = site_lead(site);
    cluster_execute(cluster, "CREATE TABLE t (a int)");
}

#define EXPECT_RUN_OF(name, expression, expected) SQL_JOBS_EXPECT(cluster, name, expression, expected)

static void run_text(const char *command)
{
    cluster_execute(cluster, "UPDATE chime.job SET job_name = 'old' || job_id WHERE job_name = 'text'");
    sql_jobs_make(cluster, NULL, "text", YEARLY, command, NULL);
    sql_jobs_await_taken(cluster, "text");
    sql_jobs_run(cluster, "text");
}

#define EXPECT_TEXT(command, expression, expected)   \
    do {                                             \
        run_text(command);                           \
        EXPECT_RUN_OF("text", expression, expected); \
    } while (0)

#define STATE_AND_MESSAGE "h.state || ': ' || h.message"

/* --- coming, changing, going -------------------------------------------------------------------------------------- */

START_TEST(a_job_that_is_made_runs_at_its_next_slot)
{
    sql_jobs_make(cluster, NULL, "beat", "1 second", "INSERT INTO t VALUES (1)", NULL);
    sql_jobs_await(cluster, "beat", 2);
    EXPECT_RUN_OF("beat", STATE_AND_MESSAGE " || ' ' || h.kind || ' ' || h.rows", "succeeded: INSERT 0 1 schedule 1");
    EXPECT_SQL(cluster, "SELECT count(*) >= 2 FROM t", "t");
}
END_TEST

START_TEST(a_job_that_was_there_before_the_daemon_runs)
{
    site_end(served);
    daemon_destroy(served);
    sql_jobs_make(cluster, NULL, "beat", "1 second", "SELECT 1", NULL);
    served = site_lead(site);
    sql_jobs_await(cluster, "beat", 2);
    EXPECT_RUN_OF("beat", STATE_AND_MESSAGE, "succeeded: 1 row");
}
END_TEST

START_TEST(an_edit_holds_from_its_commit)
{
    sql_jobs_make(cluster, NULL, "beat", "1 second", "INSERT INTO t VALUES (1)", NULL);
    sql_jobs_await(cluster, "beat", 1);
    sql_jobs_edit(cluster, "beat", "command = 'INSERT INTO t VALUES (2)'");
    WAIT_SQL(cluster, "SELECT count(*) >= 2 FROM t WHERE a = 2", "t", 20);
    sql_jobs_edit(cluster, "beat", "active = false");
    WAIT_SQL(cluster, "SELECT NOT EXISTS (SELECT FROM chime.next_slots)", "t", 20);
    cluster_execute(cluster, "TRUNCATE t");
    sql_jobs_edit(cluster, "beat", "active = true");
    WAIT_SQL(cluster, "SELECT count(*) >= 1 FROM t WHERE a = 2", "t", 20);
    ck_assert(!daemon_said(served, "does not agree"));
}
END_TEST

START_TEST(a_job_that_is_unscheduled_is_due_no_more_and_its_run_goes_on)
{
    sql_jobs_make(cluster, NULL, "slow", "1 second", "INSERT INTO t SELECT 1 FROM pg_sleep(2)", NULL);
    WAIT_SQL(cluster, "SELECT count(*) FROM chime.run", "1", 20);
    sql_jobs_remove(cluster, "slow");
    sql_jobs_await(cluster, "slow", 1);
    WAIT_SQL(cluster, "SELECT count(*) FROM chime.run", "0", 20);
    EXPECT_SQL(cluster,
               "SELECT string_agg(DISTINCT state || coalesce(': ' || reason, ''), '; ') FROM chime.run_history"
               " WHERE state <> 'skipped'",
               "succeeded");
    EXPECT_SQL(cluster, "SELECT count(*) FROM t", "1");
    sql_jobs_make(cluster, NULL, "slow", "1 second", "SELECT 7", NULL);
    WAIT_SQL(cluster,
             "SELECT count(*) > 0 FROM chime.run_history h JOIN chime.job j USING (job_id) WHERE j.removed_at IS NULL",
             "t", 20);
}
END_TEST

/* What was due by the old schedule and could not start is on record, and the ledger and the leader still agree. */
START_TEST(slots_that_wait_when_their_schedule_changes_are_skipped_on_record)
{
    sql_jobs_make(cluster, NULL, "slow", "* * * * * *", "SELECT pg_sleep(3)", NULL);
    WAIT_SQL(cluster, "SELECT count(*) FROM chime.run", "1", 20);
    WAIT_SQL(cluster, "SELECT clock_timestamp() > min(slot) + interval '2.2 s' FROM chime.run", "t", 20);
    sql_jobs_edit(cluster, "slow", "schedule = '0 0 1 1 *'");
    WAIT_SQL(cluster,
             "SELECT count(*) >= 2 FROM chime.run_history WHERE state = 'skipped'"
             " AND reason = 'its schedule changed before it could start'",
             "t", 20);
    sql_jobs_await(cluster, "slow", 3);
    WAIT_SQL(cluster, "SELECT count(*) FROM chime.run", "0", 20);
    sql_jobs_edit(cluster, "slow", "schedule = '1 second', command = 'SELECT 1'");
    WAIT_SQL(cluster,
             "SELECT count(*) > 0 FROM chime.run_history WHERE message = '1 row' AND slot > now() - interval '2 s'",
             "t", 20);
    ck_assert(!daemon_said(served, "does not agree"));
}
END_TEST

/* Of `late`, every second since an hour ago: the first hour is one row, and what comes behind it had its turn. */
static void expect_hour_on_record(void)
{
    sql_jobs_await(cluster, "late", 2);
    EXPECT_SQL(
        cluster,
        "SELECT string_agg(reason, '; ') FROM chime.missed JOIN chime.job USING (job_id) WHERE job_name = 'late'",
        "the leader heard of its schedule only later");
    EXPECT_SQL(
        cluster,
        "SELECT format('first %s, hour %s, all %s, rest %s', first_slot = date_trunc('second', since) + interval '1 s',"
        " slots >= 3594, slots = extract(epoch FROM last_slot - first_slot) + 1,"
        " last_slot + interval '1 s' = (SELECT min(slot) FROM (SELECT job_id, slot FROM chime.run"
        " UNION ALL SELECT job_id, slot FROM chime.run_history) r WHERE r.job_id = j.job_id))"
        " FROM chime.missed JOIN chime.job j USING (job_id) WHERE job_name = 'late'",
        "first t, hour t, all t, rest t");
    ck_assert(!daemon_said(served, "does not agree"));
}

START_TEST(slots_of_a_job_that_was_long_about_being_committed_are_missed_on_record)
{
    cluster_execute(cluster, "INSERT INTO chime.job (name, job_name, owner, origin, schedule, command, options, since)"
                             " VALUES ('', 'late', 'postgres', 'sql', '1 second', 'SELECT 1', '{\"catchup\": \"all\"}',"
                             " clock_timestamp() - interval '1 hour')");
    expect_hour_on_record();
}
END_TEST

START_TEST(slots_of_an_edit_that_was_long_about_being_committed_are_missed_on_record)
{
    cluster_execute(cluster, "INSERT INTO chime.job (name, job_name, owner, origin, schedule, command, since)"
                             " VALUES ('', 'late', 'postgres', 'sql', '" YEARLY "', 'SELECT 1',"
                             " clock_timestamp() - interval '2 hours')");
    sql_jobs_await_taken(cluster, "late");
    cluster_execute(cluster,
                    "BEGIN; UPDATE chime.job SET schedule = '1 second' WHERE job_name = 'late';"
                    " UPDATE chime.job SET since = clock_timestamp() - interval '1 hour' WHERE job_name = 'late';"
                    " COMMIT");
    expect_hour_on_record();
}
END_TEST

START_TEST(what_is_refused_says_why_and_harms_no_other)
{
    sql_jobs_make(cluster, NULL, "good", "1 second", "SELECT 1", NULL);
    sql_jobs_make(cluster, NULL, "bad", "61 * * * *", "SELECT 1", NULL);
    sql_jobs_make(cluster, NULL, "zone", YEARLY, "SELECT 1", "{\"timezone\": \"Mars/Base\"}");
    sql_jobs_make(cluster, NULL, "option", YEARLY, "SELECT 1", "{\"retries\": \"3\"}");
    sql_jobs_make(cluster, NULL, "pool", YEARLY, "SELECT 1", "{\"pool\": \"heavy\"}");
    sql_jobs_make(cluster, NULL, "delivery", YEARLY, "SELECT 1", "{\"delivery\": \"transactional\"}");
    WAIT_SQL(cluster, "SELECT count(*) FROM chime.job WHERE problem IS NOT NULL", "5", 20);
    EXPECT_SQL(cluster, "SELECT problem LIKE '%minute%61%' FROM chime.job WHERE job_name = 'bad'", "t");
    EXPECT_SQL(cluster, "SELECT problem LIKE '%max_attempts%' FROM chime.job WHERE job_name = 'option'", "t");
    EXPECT_SQL(cluster, "SELECT problem LIKE 'there is no pool \"heavy\"%' FROM chime.job WHERE job_name = 'pool'",
               "t");
    sql_jobs_await(cluster, "good", 2);
    sql_jobs_edit(cluster, "bad", "schedule = '1 second'");
    sql_jobs_await(cluster, "bad", 1);
    EXPECT_SQL(cluster, "SELECT problem FROM chime.job WHERE job_name = 'bad'", NULL);
}
END_TEST

START_TEST(a_job_waits_for_those_that_it_comes_after)
{
    sql_jobs_make(cluster, NULL, "second", "", "INSERT INTO t VALUES (2)", NULL);
    sql_jobs_edit(cluster, "second", "after = '{postgres/first}'");
    WAIT_SQL(cluster, "SELECT problem LIKE 'it comes after \"postgres/first\", which is not there%' FROM chime.job",
             "t", 20);
    sql_jobs_make(cluster, NULL, "first", YEARLY, "INSERT INTO t VALUES (1)", NULL);
    WAIT_SQL(cluster, "SELECT count(*) FROM chime.job WHERE problem IS NOT NULL", "0", 20);
    sql_jobs_run(cluster, "first");
    sql_jobs_await(cluster, "second", 1);
    EXPECT_RUN_OF("second", "h.kind || ' ' || h.state", "dependency succeeded");
    sql_jobs_edit(cluster, "first", "after = '{postgres/second}'");
    WAIT_SQL(cluster, "SELECT problem LIKE 'it would come after itself%' FROM chime.job WHERE job_name = 'first'", "t",
             20);
    sql_jobs_remove(cluster, "first");
    WAIT_SQL(cluster, "SELECT problem LIKE 'it comes after%' FROM chime.job WHERE job_name = 'second'", "t", 20);
    ck_assert(daemon_is_running(served));
}
END_TEST

START_TEST(jobs_stay_while_the_catalog_is_another)
{
    site_job(site, "extract", NEVER_DUE "command = \"SELECT 1\";");
    daemon_signal(served, SIGHUP);
    daemon_await(served, "goes by the new catalog with 1 jobs", 20);
    sql_jobs_make(cluster, NULL, "beat", "1 second", "INSERT INTO t SELECT 1 FROM pg_sleep(0.5)", NULL);
    sql_jobs_make(cluster, NULL, "load", "", "INSERT INTO t VALUES (2)", NULL);
    sql_jobs_edit(cluster, "load", "after = '{extract}'");
    sql_jobs_await(cluster, "beat", 1);
    runs_ask_and_await(cluster, "extract");
    sql_jobs_await(cluster, "load", 1);
    site_remove(site, "extract");
    daemon_signal(served, SIGHUP);
    WAIT_SQL(cluster,
             "SELECT problem LIKE 'it comes after \"extract\", which is not there%' FROM chime.job"
             " WHERE job_name = 'load'",
             "t", 20);
    sql_jobs_await(cluster, "beat", 4);
    site_job(site, "extract", NEVER_DUE "command = \"SELECT 1\";");
    daemon_signal(served, SIGHUP);
    WAIT_SQL(cluster, "SELECT problem FROM chime.job WHERE job_name = 'load'", NULL, 20);
    runs_ask_and_await(cluster, "extract");
    sql_jobs_await(cluster, "load", 2);
    EXPECT_SQL(cluster,
               "SELECT count(*) FROM chime.run_history h JOIN chime.job j USING (job_id)"
               " WHERE j.job_name = 'beat' AND h.state <> 'succeeded' AND h.state <> 'skipped'",
               "0");
    ck_assert(!daemon_said(served, "does not agree"));
}
END_TEST

START_TEST(a_job_for_one_slot_goes_when_it_has_run)
{
    char *at = cluster_value(cluster, "SELECT to_char(clock_timestamp() AT TIME ZONE 'UTC' + interval '2 s',"
                                      " '\"@at \"YYYY-MM-DD\"T\"HH24:MI:SS\"Z\"')");

    sql_jobs_make(cluster, NULL, "once", at, "INSERT INTO t VALUES (1)", NULL);
    sql_jobs_await(cluster, "once", 1);
    WAIT_SQL(cluster, "SELECT NOT active FROM chime.job WHERE job_name = 'once'", "t", 20);
    EXPECT_RUN_OF("once", "h.state", "succeeded");
    EXPECT_SQL(cluster, "SELECT count(*) FROM t", "1");
    free(at);
}
END_TEST

START_TEST(the_next_slot_is_written_as_the_leader_counts_it)
{
    sql_jobs_make(cluster, NULL, "newyear", "0 0 1 1 *", "SELECT 1", NULL);
    sql_jobs_make(cluster, NULL, "berlin", "0 0 1 1 *", "SELECT 1", "{\"timezone\": \"Europe/Berlin\"}");
    WAIT_SQL(cluster, "SELECT count(*) FROM chime.next_slots", "2", 20);
    EXPECT_SQL(cluster,
               "SELECT slots[1] = date_trunc('year', now() AT TIME ZONE 'UTC') AT TIME ZONE 'UTC' + interval '1 year'"
               " FROM chime.next_slots JOIN chime.job USING (job_id) WHERE job_name = 'newyear'",
               "t");
    EXPECT_SQL(cluster, "SELECT max(slots[1]) - min(slots[1]) FROM chime.next_slots", "01:00:00");
    sql_jobs_remove(cluster, "berlin");
    WAIT_SQL(cluster, "SELECT count(*) FROM chime.next_slots", "1", 20);
}
END_TEST

/* --- channels ----------------------------------------------------------------------------------------------------- */

#define WATCH_SESSION "SELECT pid FROM pg_stat_activity WHERE application_name = 'pgchime listener'"
#define EXPECT_RUNS(name, expected)                                                          \
    EXPECT_SQL(cluster,                                                                      \
               "SELECT count(*) FROM chime.run_history JOIN chime.job USING (job_id) WHERE " \
               "job_name = '" name "'",                                                      \
               expected)

/* Hears `orders`, and is woken once for having begun to. */
static void make_heard(const char *name, const char *command)
{
    cluster_execute_format(cluster,
                           "INSERT INTO chime.job (name, job_name, owner, origin, schedule, command, channels)"
                           " VALUES ('', '%s', 'postgres', 'sql', '" YEARLY "', '%s', '{orders}')",
                           name, command);
    sql_jobs_await(cluster, name, 1);
}

/* The leader has all that was committed before: it has a job that came after that, of this name. */
static void await_taken_before(const char *name)
{
    sql_jobs_make(cluster, NULL, name, YEARLY, "SELECT 1", NULL);
    sql_jobs_await_taken(cluster, name);
}

START_TEST(an_edit_or_removal_of_a_job_of_a_channel_wakes_nobody_and_the_session_hears_on)
{
    make_heard("edited", "INSERT INTO t VALUES (1)");
    make_heard("other", "SELECT 1");
    char *session = cluster_value(cluster, WATCH_SESSION);
    sql_jobs_edit(cluster, "edited", "command = 'INSERT INTO t VALUES (2)'");
    await_taken_before("after_edit");
    cluster_execute(cluster, "NOTIFY orders");
    WAIT_SQL(cluster, "SELECT count(*) FROM t WHERE a = 2", "1", 20);
    sql_jobs_await(cluster, "edited", 2);
    sql_jobs_await(cluster, "other", 2);
    sql_jobs_remove(cluster, "edited");
    await_taken_before("after_removal");
    cluster_execute(cluster, "NOTIFY orders");
    sql_jobs_await(cluster, "other", 3);
    EXPECT_RUNS("edited", "2");
    EXPECT_RUNS("other", "3");
    EXPECT_SQL(cluster, WATCH_SESSION, session);
    free(session);
}
END_TEST

/* --- texts -------------------------------------------------------------------------------------------------------- */

START_TEST(messages_are_as_pg_cron_words_them)
{
    EXPECT_TEXT("SELECT 1", STATE_AND_MESSAGE, "succeeded: 1 row");
    EXPECT_TEXT("SELECT generate_series(1, 3)", STATE_AND_MESSAGE, "succeeded: 3 rows");
    EXPECT_TEXT("INSERT INTO t VALUES (1)", STATE_AND_MESSAGE, "succeeded: INSERT 0 1");
    EXPECT_TEXT("INSERT INTO t VALUES (1) RETURNING a", STATE_AND_MESSAGE, "succeeded: 1 row");
    EXPECT_TEXT("SELECT 1; SELECT generate_series(1, 2)", STATE_AND_MESSAGE, "succeeded: 2 rows");
    EXPECT_TEXT("SELECT 1/0", STATE_AND_MESSAGE " || ' ' || h.sqlstate", "failed: division by zero 22012");
    EXPECT_TEXT("SELECT * FROM nowhere", "split_part(h.message, E'\\n', 2)", "LINE 1: SELECT * FROM nowhere");
    EXPECT_TEXT("SELECT $1", "h.state", "failed");
}
END_TEST

START_TEST(texts_of_every_kind_end)
{
    EXPECT_TEXT("VACUUM t", STATE_AND_MESSAGE, "succeeded: VACUUM");
    EXPECT_TEXT("CREATE INDEX CONCURRENTLY ON t (a)", STATE_AND_MESSAGE, "succeeded: CREATE INDEX");
    EXPECT_TEXT("INSERT INTO t VALUES (1); INSERT INTO t VALUES (2)", STATE_AND_MESSAGE, "succeeded: INSERT 0 1");
    EXPECT_TEXT("INSERT INTO t VALUES (9); SELECT 1/0", "h.state", "failed");
    EXPECT_SQL(cluster, "SELECT count(*) FROM t WHERE a = 9", "0");
    cluster_execute(cluster, "CREATE PROCEDURE p() LANGUAGE plpgsql AS 'BEGIN INSERT INTO t VALUES (5); COMMIT; END'");
    EXPECT_TEXT("CALL p()", STATE_AND_MESSAGE, "succeeded: CALL");
    EXPECT_TEXT("LISTEN anything", STATE_AND_MESSAGE, "succeeded: LISTEN");
    EXPECT_TEXT("", "h.state", "succeeded");
    EXPECT_TEXT(" ; -- nothing", "h.state", "succeeded");
    EXPECT_TEXT("COPY (SELECT generate_series(1, 100000)) TO STDOUT", STATE_AND_MESSAGE, "succeeded: COPY 100000");
    EXPECT_TEXT("SELECT 1; COPY t TO STDOUT; SELECT 2", STATE_AND_MESSAGE, "succeeded: 1 row");
    EXPECT_TEXT("COPY t FROM STDIN", "h.state || ' ' || (h.message LIKE 'COPY FROM STDIN is not possible in a job%')",
                "failed true");
    EXPECT_TEXT("SELECT repeat('x', 1000) FROM generate_series(1, 200000)", STATE_AND_MESSAGE,
                "succeeded: 200000 rows");
    if (getenv("PGCHIME_TEST_SLOWNESS") == NULL) /* a sanitizer's own memory counts as well */
        ck_assert_int_lt(process_peak_kb(daemon_pid(served)), 100 * 1024);
}
END_TEST

START_TEST(settings_of_a_job_hold_for_its_run_alone)
{
    sql_jobs_make(cluster, NULL, "one", YEARLY, "INSERT INTO t SELECT current_setting('app.n')::int", NULL);
    sql_jobs_edit(cluster, "one", "options = '{\"settings\": {\"app.n\": \"42\", \"work_mem\": \"8MB\"}}'");
    sql_jobs_await_taken(cluster, "one");
    sql_jobs_run(cluster, "one");
    EXPECT_SQL(cluster, "SELECT a FROM t", "42");
    sql_jobs_make(cluster, NULL, "two", YEARLY,
                  "INSERT INTO t SELECT coalesce(nullif(current_setting('app.n', true), ''), '7')::int", NULL);
    sql_jobs_await_taken(cluster, "two");
    sql_jobs_run(cluster, "two");
    EXPECT_SQL(cluster, "SELECT max(a) FILTER (WHERE a <> 42) FROM t", "7");
    sql_jobs_edit(cluster, "one", "options = '{\"settings\": {\"work_mem\": \"plenty\"}}'");
    sql_jobs_run(cluster, "one");
    EXPECT_RUN_OF("one", "h.state || ' ' || h.sqlstate", "failed 22023");
}
END_TEST

/* --- commands ----------------------------------------------------------------------------------------------------- */

static void expect_command(int status, const char *expected, const char *command, const char *argument,
                           const char *more)
{
    const char *arguments[] = {
        command, "--config", site_config(site), argument != NULL ? argument : more, argument != NULL ? more : NULL,
        NULL};
    char *output;
    char *errors;
    int found = daemon_run(arguments, &output, &errors);

    ck_assert_msg(found == status, "%s: status %d: %s%s", command, found, output, errors);
    ck_assert_msg(strstr(output, expected) != NULL || strstr(errors, expected) != NULL, "%s: %s%s", command, output,
                  errors);
    free(output);
    free(errors);
}

START_TEST(commands_know_the_jobs)
{
    cluster_execute(cluster, "CREATE ROLE alice LOGIN");
    sql_jobs_make(cluster, "alice", "newyear", "0 0 1 1 *", "SELECT 1", NULL);
    sql_jobs_make(cluster, "alice", "bad", "0 0 1 1 *", "SELECT 1", "{\"pool\": \"none\"}");
    sql_jobs_await_taken(cluster, "newyear");
    WAIT_SQL(cluster, "SELECT problem IS NOT NULL FROM chime.job WHERE job_name = 'bad'", "t", 20);
    expect_command(0, "alice/newyear", "jobs", NULL, NULL);
    expect_command(0, "0 0 1 1 *", "show", "alice/newyear", NULL);
    expect_command(0, "-01-01", "next", "alice/newyear", NULL);
    expect_command(0, "alice/newyear", "next", NULL, NULL);
    expect_command(0, "its next slot is", "why", "alice/newyear", NULL);
    expect_command(5, "there is no job \"newyear\"\nHINT:  did you mean \"alice/newyear\"?", "why", "newyear", NULL);
    expect_command(0, "there is no pool \"none\"", "why", "alice/bad", NULL);
    expect_command(0, "1 row", "run", "alice/newyear", "--wait");
    expect_command(0, "manual", "runs", "alice/newyear", NULL);
    expect_command(0, "", "suspend", "alice/newyear", NULL);
    expect_command(0, "", "resume", "alice/newyear", NULL);
    sql_jobs_make(cluster, NULL, "own", "0 0 1 1 *", "SELECT 1", NULL);
    expect_command(8, "1 jobs made by SQL belong to postgres", "doctor", NULL, NULL);
    expect_command(8, "job alice/bad cannot be run: ", "doctor", NULL, NULL);
    sql_jobs_remove(cluster, "newyear");
    expect_command(0, "alice/bad", "jobs", NULL, NULL);
    const char *arguments[] = {"jobs", "--config", site_config(site), NULL};
    char *output;
    ck_assert_int_eq(daemon_run(arguments, &output, NULL), 0);
    ck_assert_ptr_null(strstr(output, "newyear"));
    free(output);
}
END_TEST

START_TEST(next_slots_of_a_job_of_every_second_are_written_once_for_many)
{
    sql_jobs_make(cluster, NULL, "beat", "1 second", "SELECT 1", NULL);
    sql_jobs_await(cluster, "beat", 2);
    cluster_execute(cluster, "CREATE TABLE earlier AS SELECT written_at, slots FROM chime.next_slots");
    sql_jobs_await(cluster, "beat", 10);
    EXPECT_SQL(cluster,
               "SELECT n.written_at = e.written_at OR n.written_at > e.written_at + interval '15 s'"
               " FROM chime.next_slots n, earlier e",
               "t");
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.upcoming", "5");
    EXPECT_SQL(cluster, "SELECT next_slot - clock_timestamp() < interval '2 s' FROM chime.jobs", "t");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("sql_jobs");
    TCase *jobs = tcase_create("jobs");
    TCase *texts = tcase_create("texts");

    tcase_add_checked_fixture(jobs, set_up, served_tear_down);
    tcase_set_timeout(jobs, 60);
    tcase_add_test(jobs, a_job_that_is_made_runs_at_its_next_slot);
    tcase_add_test(jobs, a_job_that_was_there_before_the_daemon_runs);
    tcase_add_test(jobs, an_edit_holds_from_its_commit);
    tcase_add_test(jobs, a_job_that_is_unscheduled_is_due_no_more_and_its_run_goes_on);
    tcase_add_test(jobs, slots_that_wait_when_their_schedule_changes_are_skipped_on_record);
    tcase_add_test(jobs, slots_of_a_job_that_was_long_about_being_committed_are_missed_on_record);
    tcase_add_test(jobs, slots_of_an_edit_that_was_long_about_being_committed_are_missed_on_record);
    tcase_add_test(jobs, what_is_refused_says_why_and_harms_no_other);
    tcase_add_test(jobs, a_job_waits_for_those_that_it_comes_after);
    tcase_add_test(jobs, jobs_stay_while_the_catalog_is_another);
    tcase_add_test(jobs, a_job_for_one_slot_goes_when_it_has_run);
    tcase_add_test(jobs, the_next_slot_is_written_as_the_leader_counts_it);
    suite_add_tcase(suite, jobs);
    TCase *channels = tcase_create("channels");
    tcase_add_checked_fixture(channels, set_up, served_tear_down);
    tcase_set_timeout(channels, 60);
    tcase_add_test(channels, an_edit_or_removal_of_a_job_of_a_channel_wakes_nobody_and_the_session_hears_on);
    suite_add_tcase(suite, channels);
    tcase_add_checked_fixture(texts, set_up, served_tear_down);
    tcase_set_timeout(texts, 60);
    tcase_add_test(texts, messages_are_as_pg_cron_words_them);
    tcase_add_test(texts, settings_of_a_job_hold_for_its_run_alone);
    suite_add_tcase(suite, texts);
    TCase *in_full = tcase_create(SUITE_IN_FULL);
    tcase_add_checked_fixture(in_full, set_up, served_tear_down);
    tcase_set_timeout(in_full, 60);
    tcase_add_test(in_full, texts_of_every_kind_end);
    suite_add_tcase(suite, in_full);
    TCase *commands = tcase_create("commands");
    tcase_add_checked_fixture(commands, set_up, served_tear_down);
    tcase_set_timeout(commands, 120);
    tcase_add_test(commands, commands_know_the_jobs);
    tcase_add_test(commands, next_slots_of_a_job_of_every_second_are_written_once_for_many);
    suite_add_tcase(suite, commands);
    return suite_run(suite);
}
