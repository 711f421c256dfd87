/* SPDX-License-Identifier: PostgreSQL */
/* The ledger's functions by themselves: suspension, cancelling, requests and their acknowledgement, what
 * is kept of runs and what is counted. No daemon. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/cluster/cluster.h"
#include "support/ledger/ledger_sql.h"
#include "support/ledger/runs.h"
#include "support/process/suite.h"

static struct cluster *cluster;

static void set_up(void)
{
    cluster = ledger_sql_create(3);
}

static void tear_down(void)
{
    cluster_destroy(cluster);
}

static void expect(const char *sql, const char *value)
{
    EXPECT_SQL(cluster, sql, value);
}

static void expect_refused(const char *sql, const char *sqlstate)
{
    ledger_sql_expect_refused(cluster, sql, sqlstate);
}

#define EXPECT_UNCHANGED_BY(statements)                \
    do {                                               \
        char *before = ledger_sql_everything(cluster); \
        statements;                                    \
        char *after = ledger_sql_everything(cluster);  \
        ck_assert_str_eq(after, before);               \
        free(before);                                  \
        free(after);                                   \
    } while (0)

#define SUSPENSION "concat_ws(' ', suspended_by, suspended_until = at(2000000), suspend_reason)"

/* --- suspension --------------------------------------------------------------------------------------------------- */

START_TEST(a_claim_of_a_suspended_job_is_refused_whatever_its_kind_and_told_who_and_why)
{
    static const char *const kinds[] = {"schedule", "dependency", "manual", "install", "backfill", "event"};
    cluster_execute(cluster, "INSERT INTO chime.request (job_id, kind, slot) VALUES (1, 'manual', at(1)),"
                             " (1, 'install', at(1))");
    expect("SELECT granted(chime.suspend(1, 'too noisy'))", "t");
    for (size_t i = 0; i < sizeof(kinds) / sizeof(*kinds); i++) {
        char sql[200];
        snprintf(sql, sizeof(sql), "SELECT claim(1, '%s', 0, 1)", kinds[i]);
        EXPECT_UNCHANGED_BY(expect(sql, "refused: suspended by postgres: too noisy"));
    }
    cluster_execute(cluster, "INSERT INTO chime.request (job_id, slot, forced) VALUES (1, at(2), true)");
    expect("SELECT verb FROM chime.open_requests() WHERE verb = 'force' AND slot = at(2)", "force");
    expect("SELECT count(*) FROM chime.open_requests() WHERE verb = 'run'", "0");
    EXPECT_UNCHANGED_BY(expect("SELECT claim(1, 'schedule', 0, 2)", "refused: suspended by postgres: too noisy"));
    char *number = cluster_value(cluster, "SELECT run_id FROM chime.request WHERE forced");
    expect("SELECT claim(1, 'manual', 0, 2)", "granted"); /* the one that was asked for in spite of it */
    expect("SELECT run_id FROM chime.run WHERE job_id = 1", number);
    free(number);
    expect("SELECT claim(2, 'schedule', 0, 1)", "granted");
    expect("SELECT granted(chime.resume(1))", "t");
    expect("SELECT claim(1, 'manual', 0, 1)", "granted");
}
END_TEST

START_TEST(of_a_batch_only_the_suspended_jobs_are_refused)
{
    expect("SELECT granted(chime.suspend(2))", "t");
    expect("SELECT string_agg(concat_ws(' ', job_id, suspended || ' ' || reason), ';' ORDER BY job_id) FROM"
           " chime.claim('" LEDGER_SQL_TOKEN "', '{1,2,3}', '{1,1,1}', '{schedule,schedule,schedule}',"
           " ARRAY[at(1), at(1), at(1)], ARRAY[at(0), at(0), at(1)], '{1,2,3}', ARRAY[at(0), at(0), at(0)])",
           "1;2 suspended by postgres"); /* the third's cursor stands elsewhere */
}
END_TEST

START_TEST(a_live_run_of_a_suspended_job_goes_on_to_its_end)
{
    expect("SELECT claim(1, 'schedule', 0, 1)", "granted");
    expect("SELECT granted(chime.suspend(1))", "t");
    expect("SELECT retry(1, 'schedule', 1, 'all')", "t");
    expect("SELECT reclaim(1, 'schedule', 1)", "t");
    expect("SELECT pid || ' ' || attempt FROM chime.run", "4712 2");
    expect("SELECT finish(1, 'schedule', 1, 'failed', 'all')", "t");
    expect("SELECT consecutive_failures || ' ' || (suspended_at IS NOT NULL) FROM chime.job_state WHERE job_id = 1",
           "1 true");
}
END_TEST

START_TEST(slots_of_a_suspended_job_are_skipped_and_missed_as_others_are)
{
    expect("SELECT granted(chime.suspend(1))", "t");
    expect("SELECT skip(1, 'schedule', 0, 1, false, 'all')", "t");
    expect("SELECT miss(1, 1, 2, 5)", "t");
    expect("SELECT minute(last_slot) || ' ' || skips FROM chime.job_state WHERE job_id = 1", "5 1");
    expect("SELECT slots || ' ' || reason || ' ' || epoch FROM chime.missed", "4 away 7");
}
END_TEST

START_TEST(a_suspension_is_asked_for_once_and_holds_who_why_and_until_when_once_granted)
{
    cluster_execute(cluster, "CREATE ROLE ann SUPERUSER; SET SESSION AUTHORIZATION ann");
    expect("SELECT chime.suspend(1, 'too noisy', at(2000000))", "t");
    EXPECT_UNCHANGED_BY(expect("SELECT chime.suspend(1, 'too noisy', at(2000000))", "f"));
    expect("SELECT " SUSPENSION " FROM chime.job_state WHERE job_id = 1", "");
    expect("SELECT requests()", "suspend 1 suspended by ann: too noisy");
    expect("SELECT granted(true)", "t");
    expect("SELECT " SUSPENSION " FROM chime.job_state WHERE job_id = 1", "ann t too noisy");
    EXPECT_UNCHANGED_BY(expect("SELECT chime.suspend(1, 'too noisy', at(2000000))", "f"));
    cluster_execute(cluster,
                    "RESET SESSION AUTHORIZATION; CREATE TABLE since AS SELECT suspended_at FROM chime.job_state");
    expect("SELECT granted(chime.suspend(1, 'still'))", "t");
    expect("SELECT " SUSPENSION " FROM chime.job_state WHERE job_id = 1", "postgres still");
    expect("SELECT count(*) FROM chime.job_state JOIN since USING (suspended_at)", "1");
}
END_TEST

START_TEST(no_reason_and_the_end_of_time_are_none)
{
    expect("SELECT chime.suspend(1, '', 'infinity')", "t");
    EXPECT_UNCHANGED_BY(expect("SELECT chime.suspend(1)", "f"));
    expect("SELECT requests()", "suspend 1 suspended by postgres");
    expect("SELECT granted(true)", "t");
    EXPECT_UNCHANGED_BY(expect("SELECT chime.suspend(1)", "f"));
    expect("SELECT suspended_until IS NULL AND suspend_reason IS NULL FROM chime.job_state WHERE job_id = 1", "t");
}
END_TEST

START_TEST(suspending_refuses_what_is_over_and_whom_it_does_not_know)
{
    EXPECT_UNCHANGED_BY({
        expect_refused("SELECT chime.suspend(1, NULL, now() - interval '1 s')", "22023");
        expect_refused("SELECT chime.suspend(1, NULL, '-infinity')", "22023");
        expect_refused("SELECT chime.suspend(99)", "P0002");
        expect_refused("SELECT chime.suspend(NULL)", "P0002");
        expect_refused("SELECT chime.resume(99)", "P0002");
    });
}
END_TEST

START_TEST(resuming_clears_the_suspension_and_the_failures_that_led_to_it)
{
    expect("SELECT run(1, 1, 'failed', 'all')", "t");
    expect("SELECT chime.suspend(1, 'why', at(2000000))", "t");
    expect("SELECT chime.resume(1, 'mended')", "t");
    expect("SELECT requests()", "suspend 1 suspended by postgres: why;resume 1 resumed by postgres: mended");
    EXPECT_UNCHANGED_BY(expect("SELECT chime.resume(1)", "f"));
    EXPECT_UNCHANGED_BY(expect("SELECT chime.resume(2)", "f"));
    expect("SELECT granted(true)", "t");
    expect("SELECT concat(suspended_at, suspended_by, suspended_until, suspend_reason, consecutive_failures)"
           " FROM chime.job_state WHERE job_id = 1",
           "0");
    EXPECT_UNCHANGED_BY(expect("SELECT chime.resume(1)", "f"));
}
END_TEST

START_TEST(of_many_requests_about_a_job_the_last_one_holds)
{
    expect("SELECT granted(chime.suspend(1, 'first'))", "t");
    cluster_execute(cluster, "CREATE TABLE since AS SELECT suspended_at FROM chime.job_state");
    expect("SELECT chime.resume(1)", "t");
    expect("SELECT chime.suspend(1, 'second')", "t");
    expect("SELECT granted(chime.suspend(1, 'third'))", "t");
    expect("SELECT " SUSPENSION " FROM chime.job_state WHERE job_id = 1", "postgres third");
    expect("SELECT count(*) FROM chime.job_state JOIN since USING (suspended_at)", "0"); /* it is a new one */
}
END_TEST

START_TEST(a_suspension_whose_time_is_over_is_a_request_of_nobody)
{
    expect("SELECT granted(chime.suspend(1, NULL, now() + interval '1 h'))", "t");
    cluster_execute(cluster, "UPDATE chime.job_state SET suspended_until = at(60) WHERE job_id = 1");
    expect("SELECT chime.suspend(1, 'on')", "t");
    expect("SELECT requests()", "suspend 1 suspended by postgres: on"); /* that one has another end */
    cluster_execute(cluster, "DELETE FROM chime.request");
    expect("SELECT requests()", "resume 1 60 the suspension by postgres until 2026-01-01 01:00:00 UTC is over");
    expect("SELECT request_id FROM chime.open_requests()", "0");
    cluster_execute(cluster, "UPDATE chime.job SET active = false WHERE job_id = 1");
    expect("SELECT requests()", NULL);
}
END_TEST

START_TEST(a_suspension_that_is_over_ends_once_unless_it_was_given_another_end)
{
    expect("SELECT count(granted(chime.suspend(n, NULL, now() + interval '1 h'))) FROM generate_series(1, 2) n", "2");
    cluster_execute(cluster, "UPDATE chime.job_state SET suspended_until = at(60), consecutive_failures = 4 WHERE"
                             " job_id = 1");
    expect("SELECT string_agg(j::text, ',') FROM chime.resume_expired('" LEDGER_SQL_TOKEN
           "', '{1,2,3,99}', array_fill(at(60), ARRAY[4])) j",
           "1");
    expect("SELECT string_agg(job_id::text, ',') FROM chime.job_state WHERE suspended_at IS NOT NULL", "2");
    expect("SELECT consecutive_failures FROM chime.job_state WHERE job_id = 1", "0");
    EXPECT_UNCHANGED_BY(expect(
        "SELECT count(*) FROM chime.resume_expired('" LEDGER_SQL_TOKEN "', '{1,2}', ARRAY[at(60), at(60)])", "0"));
}
END_TEST

START_TEST(the_leader_suspends_what_fails_and_leaves_what_is_suspended_as_it_is)
{
    expect("SELECT granted(chime.suspend(2, 'mine'))", "t");
    expect("SELECT string_agg(j::text, ',') FROM chime.suspend_failing('" LEDGER_SQL_TOKEN
           "', '{1,2,99}', '{\"10 runs\",\"20 runs\",x}', at(1)) j",
           "1");
    expect("SELECT string_agg(" SUSPENSION ", ';' ORDER BY job_id) FROM chime.job_state WHERE job_id < 3",
           "10 runs;postgres mine");
    expect("SELECT claim(1, 'schedule', 0, 1)", "refused: suspended: 10 runs");
    expect("SELECT count(*) FROM chime.request WHERE job_id = 1", "0"); /* the leader knows */
}
END_TEST

/* --- requests ----------------------------------------------------------------------------------------------------- */

START_TEST(cancelling_requests_for_the_end_of_a_live_run_once)
{
    expect("SELECT claim(1, 'schedule', 0, 1)", "granted");
    expect("SELECT chime.cancel_run(run_id, 'wrong day') FROM chime.run", "t");
    EXPECT_UNCHANGED_BY(expect("SELECT chime.cancel_run(run_id, 'again') FROM chime.run", "t"));
    expect("SELECT requests()", "cancel 1 schedule 1 cancelled by postgres: wrong day");
    expect("SELECT retry(1, 'schedule', 1, 'all')", "t"); /* one that waits for its next attempt is live */
    cluster_execute(cluster, "DELETE FROM chime.request");
    expect("SELECT chime.cancel_run(run_id) FROM chime.run", "t");
    expect("SELECT requests()", "cancel 1 schedule 1 cancelled by postgres");
}
END_TEST

START_TEST(a_run_that_is_not_live_is_not_cancelled)
{
    expect("SELECT claim(1, 'schedule', 0, 1)", "granted");
    cluster_execute(cluster, "UPDATE chime.run SET done_at = at(2)");
    expect("SELECT chime.cancel_run(run_id) FROM chime.run", "f");
    expect("SELECT finish(1, 'schedule', 1, 'succeeded', 'all')", "t");
    expect("SELECT chime.cancel_run(run_id) FROM chime.run_history", "f");
    expect("SELECT chime.cancel_run(99)", "f");
    expect("SELECT count(*) FROM chime.request", "0");
}
END_TEST

START_TEST(requests_wait_until_they_are_acknowledged_or_claimed)
{
    expect("SELECT chime.suspend(2)", "t");
    cluster_execute(cluster, "INSERT INTO chime.request (job_id, slot) VALUES (1, at(9))");
    expect("SELECT chime.resume(2)", "t");
    expect("SELECT requests()", "suspend 2 suspended by postgres;resume 2 resumed by postgres;run 1 manual 9");
    expect_refused("SELECT chime.acknowledge('" LEDGER_SQL_STALE "', '{1,2,3}', at(10))", "CH001");
    cluster_execute(cluster, "SELECT chime.acknowledge('" LEDGER_SQL_TOKEN "', '{1,3,99}', at(10))");
    EXPECT_UNCHANGED_BY(cluster_execute(cluster, "SELECT chime.acknowledge('" LEDGER_SQL_TOKEN "', '{1,3}', at(11))"));
    expect("SELECT requests()", "run 1 manual 9");
    expect("SELECT claim(1, 'manual', 0, 9)", "granted");
    expect("SELECT requests()", NULL);
    expect("SELECT minute(last_slot) FROM chime.job_state WHERE job_id = 1", "0");
    expect("SELECT claim(1, 'manual', 0, 10)", NULL); /* nobody asked for that one */
}
END_TEST

START_TEST(runs_asked_of_jobs_that_sleep_or_are_suspended_wait_unseen)
{
    cluster_execute(cluster, "INSERT INTO chime.request (job_id, slot) SELECT n, at(9) FROM generate_series(1, 3) n;"
                             " UPDATE chime.job SET active = false WHERE job_id = 1");
    expect("SELECT granted(chime.suspend(2))", "t");
    expect("SELECT requests()", "run 3 manual 9");
    expect("SELECT chime.resume(2)", "t");
    expect("SELECT requests()", "resume 2 resumed by postgres;run 3 manual 9");
    expect("SELECT granted(true)", "t");
    expect("SELECT requests()", "run 2 manual 9;run 3 manual 9");
}
END_TEST

/* --- what is kept, and what is counted ---------------------------------------------------------------------------- */

START_TEST(log_runs_says_what_is_kept_and_everything_is_counted)
{
    static const char *const logs[] = {"all", "errors", "off"};
    static const char *const kept[] = {"cancelled failed lost succeeded timed_out", "cancelled failed lost timed_out",
                                       NULL};
    cluster_execute_format(cluster,
                           "SELECT run(1, n::integer, state, '%s') FROM unnest('{succeeded,failed,timed_out,lost,"
                           "cancelled}'::chime.run_state[]) WITH ORDINALITY AS s (state, n) ORDER BY n",
                           logs[_i]);
    expect("SELECT string_agg(state::text, ' ' ORDER BY state::text) FROM chime.run_history", kept[_i]);
    expect("SELECT concat_ws(' ', runs, successes, failures, skips) FROM chime.job_status WHERE job_id = 1", "5 1 3 0");
    expect("SELECT last_outcome || ' ' || minute(outcome_at) || ' ' || last_duration_us || ' ' || minute(last_success)"
           " FROM chime.job_state WHERE job_id = 1",
           "cancelled 6 60000000 2");
    expect("SELECT count(*) FROM chime.run", "0");
}
END_TEST

START_TEST(attempts_and_skips_are_kept_unless_nothing_is)
{
    static const char *const logs[] = {"all", "errors", "off"};
    cluster_execute_format(cluster,
                           "SELECT claim(1, 'schedule', 0, 1); SELECT retry(1, 'schedule', 1, '%s');"
                           "SELECT skip(2, 'schedule', 0, 1, true, '%s')",
                           logs[_i], logs[_i]);
    expect("SELECT count(*) FROM chime.attempt", _i < 2 ? "1" : "0");
    expect("SELECT count(*) FROM chime.run_history", _i < 2 ? "1" : "0");
    expect("SELECT concat_ws(' ', runs, skips, last_outcome, minute(outcome_at)) FROM chime.job_state WHERE job_id = 2",
           "0 1 skipped 2");
    expect("SELECT attempt FROM chime.run", "2");
}
END_TEST

START_TEST(unfinished_runs_are_kept_as_log_runs_says_and_counted)
{
    static const char *const logs[] = {"all", "errors", "off"};
    static const char *const kept[] = {"lost succeeded", "lost", NULL};
    cluster_execute_format(cluster, "UPDATE chime.job SET options = '{\"log_runs\": \"%s\"}'", logs[_i]);
    cluster_execute(cluster, "SELECT claim(n, 'schedule', 0, 1) FROM generate_series(1, 3) n;"
                             "UPDATE chime.run SET done_at = at(2) WHERE job_id = 1");
    cluster_execute(cluster,
                    "CREATE TABLE verdict AS SELECT r.job_id, a.ended FROM chime.run r, chime.adopt('" LEDGER_SQL_TOKEN
                    "', '{1,2,3}', ARRAY(SELECT run_id FROM chime.run ORDER BY job_id), '{f,f,t}',"
                    " ARRAY[NULL, NULL, at(5)], '{gone,gone,gone}', at(4)) a WHERE a.run_id = r.run_id");
    expect("SELECT string_agg(concat_ws(' ', job_id, ended), ';' ORDER BY job_id) FROM verdict",
           "1 succeeded;2 lost;3");
    expect("SELECT string_agg(state::text, ' ' ORDER BY state::text) FROM chime.run_history", kept[_i]);
    expect("SELECT count(*) FROM chime.attempt", _i < 2 ? "1" : "0");
    expect("SELECT string_agg(concat_ws(' ', runs, successes, failures, consecutive_failures), ';' ORDER BY job_id)"
           " FROM chime.job_state",
           "1 1 0 0;1 0 1 1;0 0 0 0");
    /* By the leader's clock, all of it; the history has when the work was done. */
    expect("SELECT string_agg(concat_ws(' ', minute(outcome_at), minute(last_end), minute(last_success)), ';' ORDER BY"
           " job_id) FROM chime.job_state",
           "4 4 2;4 4;");
    expect("SELECT string_agg(minute(finished_at)::text, ' ' ORDER BY job_id) FROM chime.run_history",
           (const char *const[]){"2 4", "4", NULL}[_i]);
}
END_TEST

START_TEST(failures_in_a_row_are_those_that_failed_timed_out_or_were_lost)
{
    static const char *const steps[][2] = {{"failed", "1"},    {"timed_out", "2"}, {"cancelled", "2"}, {"lost", "3"},
                                           {"succeeded", "0"}, {"cancelled", "0"}, {"failed", "1"}};
    for (int i = 0; i < (int)(sizeof(steps) / sizeof(*steps)); i++) {
        char sql[200];
        snprintf(sql, sizeof(sql), "SELECT run(1, %d, '%s', 'all')", i + 1, steps[i][0]);
        expect(sql, "t");
        expect("SELECT consecutive_failures FROM chime.job_state WHERE job_id = 1", steps[i][1]);
    }
    expect("SELECT skip(1, 'schedule', 7, 8, true, 'all')", "t");
    expect("SELECT miss(1, 8, 9, 9)", "t");
    expect("SELECT consecutive_failures FROM chime.job_state WHERE job_id = 1", "1");
}
END_TEST

START_TEST(a_run_that_was_committed_succeeded_whatever_was_seen_of_it)
{
    expect("SELECT claim(1, 'schedule', 0, 1)", "granted");
    cluster_execute(cluster, "SELECT chime.finish_own('" LEDGER_SQL_TOKEN "', 1, 'schedule', at(1), at(1), 3, NULL)");
    expect("SELECT finish(1, 'schedule', 1, 'lost', 'errors')", "t");
    expect("SELECT concat_ws(' ', last_outcome, successes, failures) FROM chime.job_state WHERE job_id = 1",
           "succeeded 1 0");
    expect("SELECT count(*) FROM chime.run_history", "0");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ledger_policies");
    TCase *cases = tcase_create("ledger_policies");
    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_set_timeout(cases, 60);
    tcase_add_test(cases, a_claim_of_a_suspended_job_is_refused_whatever_its_kind_and_told_who_and_why);
    tcase_add_test(cases, of_a_batch_only_the_suspended_jobs_are_refused);
    tcase_add_test(cases, a_live_run_of_a_suspended_job_goes_on_to_its_end);
    tcase_add_test(cases, slots_of_a_suspended_job_are_skipped_and_missed_as_others_are);
    tcase_add_test(cases, a_suspension_is_asked_for_once_and_holds_who_why_and_until_when_once_granted);
    tcase_add_test(cases, no_reason_and_the_end_of_time_are_none);
    tcase_add_test(cases, suspending_refuses_what_is_over_and_whom_it_does_not_know);
    tcase_add_test(cases, resuming_clears_the_suspension_and_the_failures_that_led_to_it);
    tcase_add_test(cases, of_many_requests_about_a_job_the_last_one_holds);
    tcase_add_test(cases, a_suspension_whose_time_is_over_is_a_request_of_nobody);
    tcase_add_test(cases, a_suspension_that_is_over_ends_once_unless_it_was_given_another_end);
    tcase_add_test(cases, the_leader_suspends_what_fails_and_leaves_what_is_suspended_as_it_is);
    tcase_add_test(cases, cancelling_requests_for_the_end_of_a_live_run_once);
    tcase_add_test(cases, a_run_that_is_not_live_is_not_cancelled);
    tcase_add_test(cases, requests_wait_until_they_are_acknowledged_or_claimed);
    tcase_add_test(cases, runs_asked_of_jobs_that_sleep_or_are_suspended_wait_unseen);
    tcase_add_loop_test(cases, log_runs_says_what_is_kept_and_everything_is_counted, 0, 3);
    tcase_add_loop_test(cases, attempts_and_skips_are_kept_unless_nothing_is, 0, 3);
    tcase_add_loop_test(cases, unfinished_runs_are_kept_as_log_runs_says_and_counted, 0, 3);
    tcase_add_test(cases, failures_in_a_row_are_those_that_failed_timed_out_or_were_lost);
    tcase_add_test(cases, a_run_that_was_committed_succeeded_whatever_was_seen_of_it);
    suite_add_tcase(suite, cases);
    return suite_run(suite);
}
