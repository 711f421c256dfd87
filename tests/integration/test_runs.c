/* SPDX-License-Identifier: PostgreSQL */
/* How a run ends: through a real daemon on a real server, one behaviour each. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "support/daemon/commands.h"
#include "support/daemon/served.h"
#include "support/ledger/runs.h"
#include "support/process/files.h"
#include "support/process/suite.h"
#include "support/process/wait.h"

static void set_up(void)
{
    served_set_up(2);
    cluster_execute(cluster,
                    "CREATE TABLE t (a int); CREATE SEQUENCE tries;"
                    /* Fails with this SQLSTATE until it was tried so often; sequences are not rolled back. */
                    "CREATE FUNCTION stumble(p_times int, p_state text) RETURNS void LANGUAGE plpgsql AS $$ BEGIN"
                    " INSERT INTO t VALUES (1);"
                    " IF nextval('tries') <= p_times THEN RAISE EXCEPTION 'stumbled' USING ERRCODE = p_state; END IF;"
                    " END $$");
}

/* The jobs are written; serve them and have one run. */
static void run_job(const char *job)
{
    if (served == NULL)
        served = site_lead(site);
    runs_ask_and_await(cluster, job);
}

static void define_and_run(const char *members)
{
    char *all = files_path(NEVER_DUE "%s", members);

    site_job(site, "job", all);
    free(all);
    run_job("job");
}

#define EXPECT(expression, expected) EXPECT_RUN(cluster, "job", expression, expected)

/* --- success and failure ------------------------------------------------------------------------------------------ */

START_TEST(a_success_is_recorded_with_its_tag_and_rows)
{
    define_and_run("command = \"INSERT INTO t SELECT generate_series(1, 7)\";");
    EXPECT("concat_ws(' ', state, rows, attempt, kind)", "succeeded 7 1 manual");
    EXPECT("message", "INSERT 0 7");
    EXPECT("sqlstate", NULL);
    EXPECT("claimed_at <= started_at + interval '20 ms' AND started_at <= finished_at", "t");
    EXPECT_SQL(cluster, "SELECT count(*) FROM t", "7");
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.run", "0");
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.request", "0");
}
END_TEST

/* How often the text has the word. */
static int occurrences(const char *text, const char *word)
{
    int count = 0;
    for (; (text = strstr(text, word)) != NULL; text += strlen(word)) {
        count++;
    }
    return count;
}

START_TEST(failures_of_a_job_fill_the_history_and_not_the_log)
{
    define_and_run("command = \"DO $$ BEGIN RAISE EXCEPTION '%', repeat('long ', 600); END $$\";");
    for (int i = 0; i < 9; i++) {
        run_job("job");
    }
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.run_history WHERE state = 'failed' AND length(message) > 3000",
               "10");
    daemon_await(served, "failed: long long", 20);
    site_end(served);
    char *log = daemon_errors(served);
    ck_assert_int_le(occurrences(log, "failed: long long"), 2); /* the first, and how many there were more */
    ck_assert_int_lt(occurrences(log, "long "), 2 * 120);
    commands_has(log, "(the last of 9 more since)");
    free(log);
}
END_TEST

/* The leader is kept from moving the run to the history, so that the row is seen as the work's transaction left it. */
START_TEST(a_transactional_success_commits_with_its_work)
{
    PGconn *other = cluster_connect(cluster, "postgres");
    site_job(site, "job",
             NEVER_DUE "command = \"INSERT INTO t VALUES (1); INSERT INTO t SELECT 2 FROM pg_sleep(0.5)\";"
                       " delivery = \"transactional\";");
    served = site_lead(site);
    runs_ask(cluster, "job");
    runs_await_running(cluster, "job");
    PQclear(PQexec(other, "BEGIN; SELECT FROM chime.job_state FOR UPDATE"));
    WAIT_SQL(cluster, "SELECT done_at IS NOT NULL FROM chime.run", "t", 20);
    EXPECT_SQL(cluster, "SELECT count(*) FROM t", "2");
    EXPECT_SQL(
        cluster,
        "SELECT count(DISTINCT x) FROM (SELECT xmin::text AS x FROM t UNION ALL SELECT xmin::text FROM chime.run) v",
        "1");
    EXPECT_SQL(cluster, "SELECT state FROM chime.runs", "succeeded");
    PQfinish(other);
    runs_await(cluster, "job", 1);
    EXPECT("state", "succeeded");
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.run", "0");
}
END_TEST

START_TEST(a_failure_is_recorded_with_its_sqlstate_and_message)
{
    define_and_run("command = \"INSERT INTO t SELECT 1 / (random() * 0)::int\";");
    EXPECT("concat_ws(' ', state, sqlstate, message)", "failed 22012 division by zero");
    EXPECT("rows", NULL);
    EXPECT_SQL(cluster, "SELECT consecutive_failures FROM chime.job_state", "1");
}
END_TEST

START_TEST(a_transactional_text_that_fails_at_its_end_does_nothing)
{
    define_and_run("command = \"INSERT INTO t VALUES (1); SELECT 1 / 0\"; delivery = \"transactional\";");
    EXPECT("concat_ws(' ', state, sqlstate)", "failed 22012");
    EXPECT_SQL(cluster, "SELECT count(*) FROM t", "0");
}
END_TEST

START_TEST(a_deferred_constraint_fails_the_run_and_not_the_ledger)
{
    cluster_execute(cluster, "CREATE TABLE child (a int UNIQUE DEFERRABLE INITIALLY DEFERRED)");
    define_and_run("command = \"INSERT INTO child VALUES (1), (1)\"; delivery = \"transactional\";");
    EXPECT("concat_ws(' ', state, sqlstate)", "failed 23505");
    EXPECT_SQL(cluster, "SELECT count(*) FROM child", "0");
}
END_TEST

/* --- attempts ----------------------------------------------------------------------------------------------------- */

START_TEST(a_failure_that_time_may_mend_is_tried_again_after_a_growing_pause)
{
    define_and_run("command = \"SELECT stumble(2, '40001')\"; max_attempts = 5;"
                   " backoff: { initial = \"200ms\"; coefficient = 2.0; jitter = 0.0; };");
    EXPECT("concat_ws(' ', state, attempt)", "succeeded 3");
    EXPECT_SQL(cluster,
               "SELECT string_agg(concat_ws(' ', attempt, state, sqlstate, message), ', ' ORDER BY attempt)"
               " FROM chime.attempt",
               "1 failed 40001 stumbled\nCONTEXT:  PL/pgSQL function stumble(integer,text) line 1 at RAISE, "
               "2 failed 40001 stumbled\nCONTEXT:  PL/pgSQL function stumble(integer,text) line 1 at RAISE");
    EXPECT_SQL(cluster, "SELECT count(*) FROM t", "1");
    EXPECT_SQL(cluster,
               "SELECT b.started_at - a.finished_at >= interval '200 ms' AND"
               " h.started_at - b.finished_at >= interval '400 ms'"
               " FROM chime.attempt a, chime.attempt b, chime.run_history h WHERE a.attempt = 1 AND b.attempt = 2",
               "t");
}
END_TEST

START_TEST(attempts_end_at_max_attempts)
{
    define_and_run("command = \"SELECT stumble(9, '40P01')\"; max_attempts = 2; delivery = \"transactional\";"
                   " backoff: { initial = \"10ms\"; };");
    EXPECT("concat_ws(' ', state, attempt, sqlstate)", "failed 2 40P01");
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.attempt", "1");
    EXPECT_SQL(cluster, "SELECT last_value FROM tries", "2");
}
END_TEST

START_TEST(other_failures_are_not_tried_again)
{
    define_and_run("command = \"SELECT stumble(1, '22012')\"; max_attempts = 5; backoff: { initial = \"10ms\"; };");
    EXPECT("concat_ws(' ', state, attempt)", "failed 1");
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.attempt", "0");
}
END_TEST

START_TEST(a_text_that_commits_on_its_way_is_not_tried_again)
{
    cluster_execute(cluster, "CREATE PROCEDURE steps() LANGUAGE plpgsql AS $$ BEGIN INSERT INTO t VALUES (1); COMMIT;"
                             " PERFORM stumble(9, '40001'); END $$");
    define_and_run("command = \"CALL steps()\"; max_attempts = 5; backoff: { initial = \"10ms\"; };");
    EXPECT("concat_ws(' ', state, attempt, sqlstate, reason)",
           "failed 1 40001 not tried again: CALL may commit by itself; set delivery = \"transactional\" or "
           "\"at_least_once\"");
    EXPECT_SQL(cluster, "SELECT count(*) FROM t", "1");
}
END_TEST

START_TEST(vacuum_runs_and_its_failure_is_not_tried_again)
{
    site_job(site, "absent",
             NEVER_DUE "command = \"VACUUM absent\"; retry_on = [\"42P01\"]; max_attempts = 5;"
                       " backoff: { initial = \"10ms\"; };");
    define_and_run("command = \"VACUUM t\"; lock_timeout = \"5s\";");
    EXPECT("concat_ws(' ', state, message)", "succeeded VACUUM");
    run_job("absent");
    EXPECT_RUN(cluster, "absent", "concat_ws(' ', state, attempt, sqlstate, reason)",
               "failed 1 42P01 not tried again: its text may have committed a part; set delivery = \"at_least_once\"");
}
END_TEST

/* --- limits ------------------------------------------------------------------------------------------------------- */

START_TEST(a_run_past_attempt_timeout_is_cancelled_and_timed_out)
{
    define_and_run("command = \"SELECT pg_sleep(60)\"; attempt_timeout = \"300ms\";");
    EXPECT("concat_ws(' ', state, attempt, sqlstate, reason)", "timed_out 1 57014 attempt_timeout");
    EXPECT("finished_at - started_at BETWEEN interval '300 ms' AND interval '5 s'", "t");
}
END_TEST

START_TEST(a_text_cannot_lift_its_attempt_timeout)
{
    define_and_run("command = \"SET statement_timeout = 0; SELECT pg_sleep(60)\"; attempt_timeout = \"300ms\";");
    EXPECT("concat_ws(' ', state, reason)", "timed_out attempt_timeout");
}
END_TEST

#define STUBBORN                                                                                                  \
    "command = \"DO $$ BEGIN LOOP BEGIN PERFORM pg_sleep(60); EXCEPTION WHEN query_canceled THEN NULL; END; END " \
    "LOOP; END $$\";"

START_TEST(a_text_that_ignores_the_cancel_is_terminated_after_cancel_grace)
{
    define_and_run(STUBBORN " attempt_timeout = \"200ms\"; cancel_grace = \"300ms\";");
    EXPECT("concat_ws(' ', state, attempt, sqlstate, reason)", "timed_out 1 57P01 attempt_timeout");
    EXPECT("finished_at - started_at BETWEEN interval '500 ms' AND interval '5 s'", "t");
}
END_TEST

START_TEST(the_daemons_own_terminate_is_no_reason_to_try_again)
{
    cluster_execute(cluster, "CREATE FUNCTION stubborn() RETURNS void LANGUAGE plpgsql AS $$ BEGIN LOOP BEGIN"
                             " PERFORM pg_sleep(60); EXCEPTION WHEN query_canceled THEN NULL; END; END LOOP; END $$");
    define_and_run("command = \"SELECT stubborn()\"; delivery = \"transactional\"; attempt_timeout = \"200ms\";"
                   " cancel_grace = \"200ms\"; max_attempts = 3; backoff: { initial = \"10ms\"; };");
    EXPECT("concat_ws(' ', state, attempt, sqlstate, reason)", "timed_out 1 57P01 attempt_timeout");
}
END_TEST

START_TEST(a_run_that_waits_for_a_lock_past_lock_timeout_fails)
{
    static const char *const members[] = {
        "command = \"INSERT INTO t VALUES (1)\";",
        "command = \"SELECT 1; INSERT INTO t VALUES (1)\";",
        "command = \"INSERT INTO t VALUES (1)\"; delivery = \"transactional\";",
        "command = \"SELECT 1; INSERT INTO t VALUES (1)\"; delivery = \"transactional\";",
    };
    for (int i = 0; i < 4; i++) {
        char *name = files_path("job-%d", i);
        char *all = files_path(NEVER_DUE "lock_timeout = \"200ms\"; max_attempts = 1; %s", members[i]);
        site_job(site, name, all);
        free(name);
        free(all);
    }
    served = site_lead(site);
    PGconn *other = cluster_connect(cluster, "postgres");
    PQclear(PQexec(other, "BEGIN; LOCK TABLE t"));
    for (int i = 0; i < 4; i++) {
        char *name = files_path("job-%d", i);
        run_job(name);
        EXPECT_RUN(cluster, name, "concat_ws(' ', state, sqlstate)", "failed 55P03");
        free(name);
    }
    PQfinish(other);
}
END_TEST

/* --- who ends the transaction ------------------------------------------------------------------------------------- */

START_TEST(a_transactional_text_with_commit_is_refused_by_the_configuration)
{
    char *errors;
    site_job(site, "job", NEVER_DUE "command = \"INSERT INTO t VALUES (1); COMMIT\"; delivery = \"transactional\";");
    served = site_serve(site, NULL, NULL);
    ck_assert_int_eq(daemon_wait(served, 10), 3);
    errors = daemon_errors(served);
    ck_assert_msg(strstr(errors, "\"commit\"") != NULL && strstr(errors, "job.conf:1") != NULL, "%s", errors);
    free(errors);
}
END_TEST

START_TEST(a_block_cannot_end_the_transaction_of_its_run)
{
    cluster_execute(cluster,
                    "CREATE PROCEDURE ends() LANGUAGE plpgsql AS $$ BEGIN INSERT INTO t VALUES (1); COMMIT; END $$");
    site_job(site, "call", NEVER_DUE "command = \"CALL ends()\"; delivery = \"transactional\";");
    site_job(site, "rollback",
             NEVER_DUE "command = \"INSERT INTO t VALUES (2); DO $$ BEGIN ROLLBACK; END $$\";"
                       " delivery = \"transactional\";");
    served = site_lead(site);
    run_job("call");
    run_job("rollback");
    EXPECT_RUN(cluster, "call", "concat_ws(' ', state, sqlstate)", "failed 2D000");
    EXPECT_RUN(cluster, "rollback", "concat_ws(' ', state, sqlstate)", "failed 2D000");
    EXPECT_SQL(cluster, "SELECT count(*) FROM t", "0");
}
END_TEST

START_TEST(a_transaction_left_open_is_rolled_back_and_failed)
{
    site_job(site, "alone", NEVER_DUE "command = \"BEGIN\";");
    define_and_run("command = \"BEGIN; INSERT INTO t VALUES (1)\";");
    EXPECT("concat_ws(' ', state, sqlstate)", "failed 25001");
    run_job("alone");
    EXPECT_RUN(cluster, "alone", "concat_ws(' ', state, sqlstate)", "failed 25001");
    EXPECT_SQL(cluster, "SELECT count(*) FROM t", "0");
    EXPECT_SQL(cluster,
               "SELECT count(*) FROM pg_stat_activity WHERE application_name = 'pgchime run' AND state LIKE 'idle in%'",
               "0");
}
END_TEST

START_TEST(a_text_may_commit_what_it_began)
{
    define_and_run("command = \"BEGIN; INSERT INTO t VALUES (1); COMMIT; INSERT INTO t VALUES (2)\";");
    EXPECT("state", "succeeded");
    EXPECT_SQL(cluster, "SELECT count(*) FROM t", "2");
}
END_TEST

/* --- what comes back ---------------------------------------------------------------------------------------------- */

START_TEST(copy_to_the_client_is_dropped_and_from_it_fails_and_nothing_is_held_up)
{
    static const char *const commands[] = {"COPY t TO STDOUT", "COPY t FROM STDIN",
                                           "SELECT 1; COPY (SELECT generate_series(1, 100000)) TO STDOUT; SELECT 2",
                                           "SELECT 1; COPY t FROM STDIN; SELECT 2"};
    cluster_execute(cluster, "INSERT INTO t VALUES (1)");
    for (int i = 0; i < 8; i++) {
        char *name = files_path("copy-%d", i);
        char *members = files_path(NEVER_DUE "command = \"%s\"; delivery = \"%s\";", commands[i / 2],
                                   i % 2 == 0 ? "at_most_once" : "transactional");
        site_job(site, name, members);
        free(name);
        free(members);
    }
    for (int i = 0; i < 8; i++) {
        char *name = files_path("copy-%d", i);
        run_job(name);
        EXPECT_RUN(cluster, name, "state", i == 0 || i == 4 ? "succeeded" : "failed");
        EXPECT_RUN(cluster, name,
                   i == 0   ? "message = 'COPY 1'"
                   : i == 4 ? "message = 'SELECT 1'"
                            : "message LIKE '%COPY%'",
                   "t");
        free(name);
    }
    EXPECT_SQL(cluster, "SELECT count(*) FROM t", "1");
}
END_TEST

START_TEST(a_million_rows_are_counted_and_not_kept)
{
    site_job(site, "multi",
             NEVER_DUE "command = \"SELECT 1; SELECT i, repeat('x', 100) FROM generate_series(1, 1000000) i\";");
    site_job(site, "own",
             NEVER_DUE "command = \"SELECT i, repeat('x', 100) FROM generate_series(1, 1000000) i\";"
                       " delivery = \"transactional\";");
    define_and_run("command = \"SELECT i, repeat('x', 100) FROM generate_series(1, 1000000) i\";");
    run_job("multi");
    run_job("own");
    EXPECT("concat_ws(' ', state, rows)", "succeeded 1000000");
    EXPECT_RUN(cluster, "multi", "concat_ws(' ', state, rows)", "succeeded 1000000");
    EXPECT_RUN(cluster, "own", "concat_ws(' ', state, rows)", "succeeded 1000000");
    if (getenv("PGCHIME_TEST_SLOWNESS") == NULL) /* a sanitizer's own memory counts as well */
        ck_assert_int_lt(process_peak_kb(daemon_pid(served)), 64 * 1024);
}
END_TEST

START_TEST(a_long_message_is_cut_at_8_kib_on_a_character)
{
    define_and_run("command = \"DO $$ BEGIN RAISE EXCEPTION '%', repeat('\xe2\x82\xac', 20000); END $$\";");
    EXPECT("concat_ws(' ', state, sqlstate, octet_length(message))", "failed P0001 8190");
    EXPECT("message = repeat('\xe2\x82\xac', 2730)", "t");
}
END_TEST

START_TEST(a_flood_of_notices_does_no_harm)
{
    define_and_run("command = \"DO $$ BEGIN FOR i IN 1..200000 LOOP RAISE NOTICE 'notice %', i; END LOOP; END $$\";");
    EXPECT("state", "succeeded");
    if (getenv("PGCHIME_TEST_SLOWNESS") == NULL)
        ck_assert_int_lt(process_peak_kb(daemon_pid(served)), 64 * 1024);
}
END_TEST

/* --- sessions ----------------------------------------------------------------------------------------------------- */

START_TEST(nothing_of_a_text_is_left_for_the_next)
{
    static const char leave[] = "SET work_mem = '77MB'; SET search_path = pg_catalog; CREATE TEMP TABLE leak (a int);"
                                " PREPARE prepared AS SELECT 1; LISTEN leak; SELECT pg_advisory_lock(7);"
                                " DECLARE held CURSOR WITH HOLD FOR SELECT 1; SET idle_session_timeout = 0";
    static const char look[] =
        "INSERT INTO public.found SELECT current_setting('work_mem') || ' ' || current_setting('search_path') || ' ' ||"
        " (to_regclass('pg_temp.leak') IS NULL) || ' ' || (SELECT count(*) FROM pg_prepared_statements WHERE from_sql) "
        "|| ' ' ||"
        " (SELECT count(*) FROM pg_locks WHERE locktype = 'advisory') || ' ' || (SELECT count(*) FROM pg_cursors WHERE "
        "is_holdable) || ' ' ||"
        " current_user || ' ' || (SELECT count(*) FROM pg_listening_channels()) || ' ' || "
        "current_setting('idle_session_timeout')";
    cluster_execute(cluster, "CREATE TABLE found (what text)");
    site_destroy(site);
    site = site_create(cluster, "postgres", 1); /* one session for all */
    for (int i = 0; i < 4; i++) {
        char *leaver = files_path("leave-%d", i);
        char *looker = files_path("look-%d", i);
        const char *delivery = i % 2 == 0 ? "at_most_once" : "transactional";
        char *leaves = files_path(NEVER_DUE "command = \"%s; SET ROLE pg_monitor\"; delivery = \"%s\";", leave,
                                  delivery);
        char *looks = files_path(NEVER_DUE "command = \"%s%s\"; delivery = \"%s\";", i < 2 ? "" : "SELECT 1; ", look,
                                 delivery);
        site_job(site, leaver, leaves);
        site_job(site, looker, looks);
        free(leaves);
        free(looks);
        free(leaver);
        free(looker);
    }
    served = site_lead(site);
    /* All at once, so that some follow each other on the session without a pause. */
    cluster_execute(
        cluster,
        "INSERT INTO chime.request (job_id) SELECT job_id FROM chime.job ORDER BY split_part(name, '-', 2), name");
    WAIT_SQL(cluster, "SELECT count(*) FROM chime.run_history", "8", 20);
    EXPECT_SQL(cluster,
               "SELECT string_agg(name || ': ' || message, ', ') FROM chime.run_history JOIN chime.job USING (job_id)"
               " WHERE state <> 'succeeded'",
               NULL);
    EXPECT_SQL(cluster, "SELECT string_agg(DISTINCT what, ', ') FROM found",
               "4MB \"$user\", public true 0 0 0 postgres 0 15s");
    EXPECT_SQL(cluster, "SELECT count(*) FROM found", "4");
}
END_TEST

static void terminate_the_run_of(const char *job)
{
    runs_await_running(cluster, job);
    cluster_execute_format(cluster,
                           "SELECT pg_terminate_backend(r.pid) FROM chime.run r JOIN chime.job j USING (job_id)"
                           " WHERE j.name = '%s'",
                           job);
}

START_TEST(a_terminated_session_is_a_known_failure)
{
    site_job(site, "job", NEVER_DUE "command = \"INSERT INTO t SELECT 1 FROM pg_sleep(60)\"; max_attempts = 1;");
    served = site_lead(site);
    runs_ask(cluster, "job");
    terminate_the_run_of("job");
    runs_await(cluster, "job", 1);
    EXPECT("concat_ws(' ', state, sqlstate)", "failed 57P01");
    EXPECT_SQL(cluster, "SELECT count(*) FROM t", "0");
}
END_TEST

START_TEST(a_transactional_run_whose_session_was_terminated_is_tried_again)
{
    cluster_execute(cluster,
                    "CREATE FUNCTION dawdle() RETURNS void LANGUAGE plpgsql AS $$ BEGIN INSERT INTO t VALUES (1);"
                    " PERFORM pg_sleep(CASE WHEN nextval('tries') = 1 THEN 60 ELSE 0 END); END $$");
    site_job(site, "job",
             NEVER_DUE
             "command = \"SELECT dawdle()\"; delivery = \"transactional\"; backoff: { initial = \"10ms\"; };");
    served = site_lead(site);
    runs_ask(cluster, "job");
    WAIT_SQL(cluster, "SELECT is_called FROM tries", "t", 20);
    terminate_the_run_of("job");
    runs_await(cluster, "job", 1);
    EXPECT("concat_ws(' ', state, attempt)", "succeeded 2");
    EXPECT_SQL(cluster, "SELECT concat_ws(' ', state, sqlstate) FROM chime.attempt", "failed 57P01");
    EXPECT_SQL(cluster, "SELECT count(*) FROM t", "1");
}
END_TEST

START_TEST(a_text_that_ends_its_own_session_fails_and_costs_nobody_else)
{
    site_job(site, "other", NEVER_DUE "command = \"INSERT INTO t VALUES (1)\";");
    define_and_run("command = \"SELECT pg_terminate_backend(pg_backend_pid())\"; max_attempts = 1;");
    EXPECT("concat_ws(' ', state, sqlstate)", "failed 57P01");
    run_job("other");
    EXPECT_RUN(cluster, "other", "state", "succeeded");
    ck_assert(daemon_is_running(served));
}
END_TEST

static Suite *suite(void)
{
    Suite *all = suite_create("runs");
    TCase *cases = tcase_create("runs");

    tcase_add_checked_fixture(cases, set_up, served_tear_down);
    tcase_set_timeout(cases, 120);
    tcase_add_test(cases, failures_of_a_job_fill_the_history_and_not_the_log);
    tcase_add_test(cases, a_success_is_recorded_with_its_tag_and_rows);
    tcase_add_test(cases, a_transactional_success_commits_with_its_work);
    tcase_add_test(cases, a_failure_is_recorded_with_its_sqlstate_and_message);
    tcase_add_test(cases, a_transactional_text_that_fails_at_its_end_does_nothing);
    tcase_add_test(cases, a_deferred_constraint_fails_the_run_and_not_the_ledger);
    tcase_add_test(cases, a_failure_that_time_may_mend_is_tried_again_after_a_growing_pause);
    tcase_add_test(cases, attempts_end_at_max_attempts);
    tcase_add_test(cases, other_failures_are_not_tried_again);
    tcase_add_test(cases, a_text_that_commits_on_its_way_is_not_tried_again);
    tcase_add_test(cases, vacuum_runs_and_its_failure_is_not_tried_again);
    tcase_add_test(cases, a_run_past_attempt_timeout_is_cancelled_and_timed_out);
    tcase_add_test(cases, a_text_cannot_lift_its_attempt_timeout);
    tcase_add_test(cases, a_text_that_ignores_the_cancel_is_terminated_after_cancel_grace);
    tcase_add_test(cases, the_daemons_own_terminate_is_no_reason_to_try_again);
    tcase_add_test(cases, a_run_that_waits_for_a_lock_past_lock_timeout_fails);
    tcase_add_test(cases, a_transactional_text_with_commit_is_refused_by_the_configuration);
    tcase_add_test(cases, a_block_cannot_end_the_transaction_of_its_run);
    tcase_add_test(cases, a_transaction_left_open_is_rolled_back_and_failed);
    tcase_add_test(cases, a_text_may_commit_what_it_began);
    tcase_add_test(cases, copy_to_the_client_is_dropped_and_from_it_fails_and_nothing_is_held_up);
    tcase_add_test(cases, a_long_message_is_cut_at_8_kib_on_a_character);
    tcase_add_test(cases, nothing_of_a_text_is_left_for_the_next);
    tcase_add_test(cases, a_terminated_session_is_a_known_failure);
    tcase_add_test(cases, a_transactional_run_whose_session_was_terminated_is_tried_again);
    tcase_add_test(cases, a_text_that_ends_its_own_session_fails_and_costs_nobody_else);
    suite_add_tcase(all, cases);
    TCase *in_full = tcase_create(SUITE_IN_FULL);
    tcase_add_checked_fixture(in_full, set_up, served_tear_down);
    tcase_set_timeout(in_full, 120);
    tcase_add_test(in_full, a_million_rows_are_counted_and_not_kept);
    tcase_add_test(in_full, a_flood_of_notices_does_no_harm);
    suite_add_tcase(all, in_full);
    return all;
}

int main(void)
{
    return suite_run(suite());
}
