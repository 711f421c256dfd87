/* SPDX-License-Identifier: PostgreSQL */
/* Whatever the leader decides it passes as its instant: no function of the leader's reads a clock for what a cursor, an
 * outcome or a time to come is compared with. What they write with the database's clock in between,
 * tests/integration/test_ledger_day.c looks at. */
#include <check.h>

#include "support/cluster/cluster.h"
#include "support/ledger/ledger_sql.h"
#include "support/ledger/runs.h"
#include "support/process/suite.h"

static struct cluster *cluster;

static const char ahead[] =
    "CREATE FUNCTION be_ahead(job bigint, log text) RETURNS void LANGUAGE plpgsql AS $$BEGIN"
    " UPDATE chime.job j SET options = jsonb_build_object('log_runs', log) WHERE j.job_id = job;"
    " PERFORM run(job, 1, 'succeeded', log); PERFORM miss(job, 1, 2, 999);"
    " PERFORM run(job, 1000, 'succeeded', log); PERFORM run(job, 1001, 'failed', log); END$$;"
    "CREATE FUNCTION claims(job bigint) RETURNS text LANGUAGE plpgsql AS $$BEGIN"
    " RETURN concat_ws(',', claim(job, 'schedule', 998, 999), finish(job, 'schedule', 999, 'succeeded', 'all'),"
    " claim(job, 'schedule', 999, 1000), claim(job, 'schedule', 1000, 1001), claim(job, 'schedule', 1001, 1002)); "
    "END$$";

static void set_up(void)
{
    cluster = ledger_sql_create(3);
    cluster_execute(cluster, ahead);
}

static void tear_down(void)
{
    cluster_destroy(cluster);
}

#define CLOCK                                                                                                     \
    "\\m(clock_timestamp|now|statement_timestamp|transaction_timestamp|timeofday)\\s*\\(|\\mcurrent_(date|time)|" \
    "\\mlocaltime"

/* By name what looks how old something is, how long a run took in its own session, since when a condition holds, how
 * long a message waits, since when people see a listener or the leader's pulse as they are, when a backfill ended, and
 * which days are over, so that they can be summed up. Else a line may write only what nothing is compared with. */
#define ELSEWHERE                                                                                              \
    "'perform', 'perform_pipeline', 'perform_refresh', 'feed_slot_backfill', 'note_alerts', 'note_delivery', " \
    "'note_listener_state', 'note_pulse', "                                                                    \
    "'set_sinks', 'sum_days', 'take_notifications'"
#define FOR_PEOPLE "(last_start|claimed_at|done_at|until) = clock_timestamp\\(\\)"

START_TEST(what_the_leader_calls_writes_no_cursor_and_no_outcome_by_a_clock_of_its_own)
{
    EXPECT_SQL(cluster,
               "SELECT string_agg(p.proname || ': ' || trim(line), E'\n' ORDER BY p.proname, n) FROM pg_proc p"
               " CROSS JOIN regexp_split_to_table(pg_get_functiondef(p.oid), E'\n') WITH ORDINALITY AS l (line, n)"
               " WHERE p.pronamespace = 'chime'::regnamespace AND 'p_token' = ANY (p.proargnames)"
               " AND line ~* '" CLOCK "' AND line !~ '" FOR_PEOPLE "' AND p.proname NOT IN (" ELSEWHERE
               ") AND p.proname !~ '^(keep|forget)_'",
               NULL);
}
END_TEST

/* --- cursors in the future: it is minute 10, and the clock was at minute 1000 for a while ------------------------- */

static void expect(const char *sql, const char *value)
{
    EXPECT_SQL(cluster, sql, value);
}

#define BEGIN                                                                                              \
    "SELECT string_agg(job_id || ' ' || (last_slot = at(2) - interval '1 us')::text, ',' ORDER BY job_id)" \
    " FROM chime.begin_jobs('" LEDGER_SQL_TOKEN "', '{1,2,3}', at(10))"

START_TEST(what_was_missed_in_the_future_is_due_again_and_what_ran_there_does_not_run_again)
{
    expect("SELECT be_ahead(1, 'all'), be_ahead(2, 'off')", "");
    cluster_execute(cluster, "UPDATE chime.job_state SET last_slot = at(0) WHERE job_id = 3");
    expect(BEGIN, "1 true,2 true");
    expect("SELECT count(*) FROM chime.missed", "0");
    expect(BEGIN, NULL); /* none is in the future any more */
    cluster_execute(cluster, "UPDATE chime.job_state SET last_slot = at(998)");
    expect("SELECT claims(1)", "granted,t,ahead,ahead,granted");
    expect("SELECT claims(2)", "granted,t,ahead,ahead,granted");
    expect("SELECT string_agg(minute(slot)::text, ',' ORDER BY slot) FROM chime.run_history WHERE job_id = 1",
           "1,999,1000,1001");
}
END_TEST

START_TEST(a_job_that_was_made_while_the_clock_was_ahead_begins_now_and_owes_nothing)
{
    cluster_execute(cluster, "UPDATE chime.job_state SET last_slot = at(1000)");
    expect("SELECT string_agg(job_id || ' ' || minute(last_slot), ',' ORDER BY job_id) FROM "
           "chime.begin_jobs('" LEDGER_SQL_TOKEN "', '{1}', at(10))",
           "1 10");
    expect("SELECT ahead FROM chime.job_state WHERE job_id = 1", "{}");
    expect("SELECT claim(1, 'schedule', 10, 1000)", "granted");
}
END_TEST

START_TEST(a_slot_that_ran_ahead_may_be_skipped_and_stays_what_it_was)
{
    expect("SELECT be_ahead(1, 'all')", "");
    expect("SELECT count(*) FROM chime.begin_jobs('" LEDGER_SQL_TOKEN "', '{1}', at(10))", "1");
    cluster_execute(cluster, "UPDATE chime.job_state SET last_slot = at(999)");
    expect("SELECT skip(1, 'schedule', 999, 1000, false, 'all')", "t");
    expect("SELECT state FROM chime.run_history WHERE slot = at(1000)", "succeeded");
}
END_TEST

START_TEST(a_schedule_that_is_edited_begins_now_and_no_slot_that_ran_runs_again)
{
    expect("SELECT be_ahead(1, 'all')", "");
    expect("SELECT minute(last_slot) FROM chime.sync_jobs('" LEDGER_SQL_TOKEN
           "', '[{\"name\": \"job 1\", \"origin\": \"config\","
           " \"active\": true, \"schedule\": \"*/2 * * * *\", \"command\": \"SELECT 1\", \"views\": [], \"after\": [],"
           " \"options\": {}}]', '{\"command\": {}, \"refresh\": {}}', at(10), true)",
           "10");
    expect("SELECT claim(1, 'schedule', 10, 12)", "granted");
    expect("SELECT finish(1, 'schedule', 12, 'succeeded', 'all')", "t");
    expect("SELECT claim(1, 'schedule', 12, 1000)", "ahead");
}
END_TEST

START_TEST(whoever_asks_for_it_is_told_whether_there_is_something_to_mend)
{
    cluster_execute(cluster,
                    "UPDATE chime.job_state SET last_slot = clock_timestamp() + interval '1 day' WHERE job_id = 1");
    expect("SELECT string_agg(chime.begin_anew(job_id)::text, ',' ORDER BY job_id) FROM chime.job", "true,false,false");
    expect("SELECT chime.begin_anew(1)", "f"); /* it is asked for already */
    expect("SELECT requests()", "begin 1 begun anew by postgres");
    ledger_sql_expect_refused(cluster, "SELECT chime.begin_anew(99)", "P0002");
    expect("SELECT count(*) FROM chime.begin_jobs('" LEDGER_SQL_TOKEN "', '{1}', now())", "1");
    expect("SELECT requests()", NULL);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ledger_clock");
    TCase *cases = tcase_create("ledger_clock");
    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_set_timeout(cases, 60);
    tcase_add_test(cases, what_the_leader_calls_writes_no_cursor_and_no_outcome_by_a_clock_of_its_own);
    tcase_add_test(cases, what_was_missed_in_the_future_is_due_again_and_what_ran_there_does_not_run_again);
    tcase_add_test(cases, a_job_that_was_made_while_the_clock_was_ahead_begins_now_and_owes_nothing);
    tcase_add_test(cases, a_slot_that_ran_ahead_may_be_skipped_and_stays_what_it_was);
    tcase_add_test(cases, a_schedule_that_is_edited_begins_now_and_no_slot_that_ran_runs_again);
    tcase_add_test(cases, whoever_asks_for_it_is_told_whether_there_is_something_to_mend);
    suite_add_tcase(suite, cases);
    return suite_run(suite);
}
