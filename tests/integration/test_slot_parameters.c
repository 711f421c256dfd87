/* SPDX-License-Identifier: PostgreSQL */
/* The slot as data, as jobs see it: parameters and settings, whatever the delivery, and in no run but its own. */
#include <check.h>
#include <stdlib.h>

#include "support/daemon/served.h"
#include "support/ledger/outcomes.h"
#include "support/ledger/runs.h"
#include "support/process/files.h"
#include "support/process/suite.h"
#include "support/process/wait.h"

#define EACH_SECOND "schedule = \"* * * * * *\"; max_attempts = 1; "
#define SEEN "$slot, $previous_slot, $interval_start, $interval_end, $run_id, $attempt, $payload"
#define SETTING(name) "nullif(current_setting('chime." name "', true), '')"
#define SET                                                                                                            \
    SETTING("slot")                                                                                                    \
    "::timestamptz, " SETTING("previous_slot") "::timestamptz, " SETTING("interval_start") "::timestamptz, " SETTING(  \
        "interval_end") "::timestamptz, " SETTING("run_id") "::bigint, " SETTING("attempt") "::integer, " SETTING("pa" \
                                                                                                                  "yl" \
                                                                                                                  "oa" \
                                                                                                                  "d")

/* One session, so that each run has the one before it as its neighbour. */
static void set_up(void)
{
    served_set_up(1);
    cluster_execute(cluster,
                    "CREATE TABLE seen (job text, slot timestamptz, previous timestamptz, low timestamptz,"
                    " high timestamptz, run_id bigint, attempt integer, payload text, at_commit integer DEFAULT 0);"
                    "CREATE PROCEDURE note(p_job text) LANGUAGE plpgsql AS $$ BEGIN"
                    " FOR n IN 1 .. 2 LOOP INSERT INTO seen SELECT p_job, " SET ", n; COMMIT; END LOOP; END $$");
}

/* Runs that ended, and whose rows do not say what the history and the schedule do. */
#define WRONG(job)                                                                                             \
    "SELECT count(*) FROM chime.run_history h JOIN chime.job j USING (job_id) LEFT JOIN seen s ON s.run_id = " \
    "h.run_id AND s.job = '" job "' AND s.slot = h.slot AND s.previous = h.slot - interval '1 s' AND s.low = " \
    "s.previous AND s.high = s.slot AND s.attempt = 1 AND s.payload IS NULL WHERE j.name = '" job              \
    "' AND s.run_id IS NULL"

START_TEST(runs_of_a_schedule_see_their_slot_whatever_their_delivery)
{
    static const char *const deliveries[] = {"transactional", "at_most_once", "at_least_once"};
    const char *delivery = deliveries[_i];
    char *named = files_path(EACH_SECOND "delivery = \"%s\"; command = \"INSERT INTO seen SELECT 'named', " SEEN "\";",
                             delivery);
    char *set = files_path(EACH_SECOND "delivery = \"%s\"; command = \"%sINSERT INTO seen SELECT 'set', " SET "\";",
                           delivery, _i < 2 ? "SELECT 1; " : "");
    site_job(site, "named", named);
    site_job(site, "set", set);
    served = site_lead(site);
    runs_await(cluster, "named", 3);
    runs_await(cluster, "set", 3);
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.run_history WHERE state <> 'succeeded'", "0");
    EXPECT_SQL(cluster, WRONG("named"), "0");
    EXPECT_SQL(cluster, WRONG("set"), "0");
    free(named);
    free(set);
}
END_TEST

START_TEST(a_procedure_that_commits_sees_it_throughout_and_the_next_run_does_not)
{
    site_job(site, "called", EACH_SECOND "command = \"CALL note('called')\";");
    site_job(site, "later",
             EACH_SECOND "command = \"INSERT INTO seen (job, payload) SELECT 'later', string_agg(current_setting(n,"
                         " true), '') FROM unnest(ARRAY['chime.' || 'slot', 'chime.' || 'run_id']) AS n\";");
    served = site_lead(site);
    runs_await(cluster, "called", 3);
    runs_await(cluster, "later", 3);
    EXPECT_SQL(cluster, WRONG("called"), "0");
    EXPECT_SQL(cluster,
               "SELECT min(n) FROM (SELECT count(*) AS n FROM seen WHERE job = 'called' GROUP BY slot LIMIT 3) c", "2");
    EXPECT_SQL(cluster, "SELECT string_agg(DISTINCT coalesce(payload, ''), ',') FROM seen WHERE job = 'later'", "");
}
END_TEST

START_TEST(a_run_that_is_no_slot_of_the_schedule_has_no_interval)
{
    site_job(site, "mail", "on = [\"mail\"]; command = \"INSERT INTO seen SELECT 'mail', " SEEN "\";");
    site_job(site, "yearly", NEVER_DUE "command = \"INSERT INTO seen SELECT 'yearly', " SEEN "\";");
    served = site_lead(site);
    runs_await(cluster, "mail", 1); /* at the start: something may have been missed */
    cluster_execute(cluster, "NOTIFY mail, 'it''s'");
    runs_await(cluster, "mail", 2);
    runs_ask_and_await(cluster, "yearly");
    EXPECT_SQL(cluster,
               "SELECT payload FROM seen WHERE job = 'mail' AND payload IS NOT NULL AND slot IS NOT NULL AND run_id IS "
               "NOT NULL"
               " AND previous IS NULL AND low IS NULL AND high IS NULL",
               "it's");
    EXPECT_SQL(cluster,
               "SELECT to_char(previous, 'MM-DD HH24:MI') || ' ' || (slot = (SELECT h.slot FROM chime.run_history"
               " h WHERE h.run_id = s.run_id)) FROM seen s WHERE job = 'yearly' AND low IS NULL AND high IS NULL",
               "02-29 00:00 true");
}
END_TEST

START_TEST(further_attempts_see_the_same_slot_and_their_number)
{
    site_job(site, "again",
             "schedule = \"* * * * * *\"; max_attempts = 2; retry_on = \"22\"; backoff: { initial = \"1ms\"; }; "
             "delivery = \"transactional\";"
             " overlap_policy = \"buffer_all\"; command = \"INSERT INTO seen SELECT 'again', " SEEN
             " WHERE 1 / ($attempt - 1) = 1\";");
    served = site_lead(site);
    runs_await(cluster, "again", 2);
    EXPECT_SQL(
        cluster,
        "SELECT count(*) FROM chime.run_history h LEFT JOIN seen s ON s.run_id = h.run_id AND s.slot = h.slot AND"
        " s.attempt = 2 WHERE s.run_id IS NULL OR h.state <> 'succeeded'",
        "0");
}
END_TEST

START_TEST(a_job_made_by_sql_sees_its_slot_in_its_owners_session)
{
    cluster_execute(cluster, "CREATE ROLE app LOGIN; GRANT pgchime_jobs TO app; GRANT INSERT, SELECT ON seen TO app");
    static const struct outcome_step steps[] = {
        {"app", "SELECT chime.schedule('a', '1 seconds', 'INSERT INTO seen SELECT $q$named$q$, " SEEN "')", "1", NULL},
        {NULL, "SELECT chime.schedule('b', '1 seconds', 'CALL note($q$called$q$)')", "2", NULL},
    };
    OUTCOMES_SAY(cluster, steps);
    served = site_lead(site);
    WAIT_SQL(cluster, "SELECT count(*) >= 2 FROM chime.run_history WHERE job_id = 1", "t", 60);
    WAIT_SQL(cluster, "SELECT count(*) >= 2 FROM chime.run_history WHERE job_id = 2", "t", 60);
    EXPECT_SQL(
        cluster,
        "SELECT count(*) FROM chime.run_history h LEFT JOIN seen s ON s.run_id = h.run_id AND s.slot = h.slot AND"
        " s.low = h.slot - interval '1 s' AND s.high = h.slot WHERE s.run_id IS NULL",
        "0");
}
END_TEST

#define NO_PARAMETERS                                                                                                \
    "in a statement that takes no parameters\nHINT: read it with current_setting('chime.slot'), which is set while " \
    "the text runs"

START_TEST(a_name_where_there_are_no_parameters_is_refused_when_the_job_is_made)
{
    static const struct outcome_step steps[] = {
        {"postgres", "SELECT chime.schedule('a', '@hourly', 'REFRESH MATERIALIZED VIEW $slot')",
         "ERROR 22023: the command uses $slot " NO_PARAMETERS, NULL},
        {NULL, "SELECT chime.schedule('a', '@hourly', 'SELECT 1; SELECT $slot')",
         "ERROR 22023: the command uses $slot in a text of several statements, which takes no parameters\nHINT: read it"
         " with current_setting('chime.slot'), which is set while the text runs",
         NULL},
        {NULL, "SELECT chime.schedule('a', '@hourly', 'SELECT $slots')",
         "ERROR 22023: the command uses $slots, which is no parameter\nHINT: the parameters are $slot, $previous_slot, "
         "$interval_start, $interval_end, $run_id, $attempt, $payload",
         NULL},
        {NULL, "SELECT chime.schedule('a', '@hourly', 'DO $slot$ BEGIN PERFORM 1; END $slot$; -- $slot')", "4", NULL},
        {NULL, "SELECT chime.schedule('b', '@hourly', E'SELECT ''$a;$b'', E''\\\\''$c;'', \"$d;\" /* $e; */, $slot;')",
         "5", NULL},
        {NULL, "SELECT chime.alter_job(5, command => 'VACUUM t; SELECT $slot')",
         "ERROR 22023: the command uses $slot in a text of several statements, which takes no parameters\nHINT: read it"
         " with current_setting('chime.slot'), which is set while the text runs",
         NULL},
        {NULL, "SELECT chime.alter_job(5, command => '(SELECT $slot)')", "", NULL},
    };
    OUTCOMES_SAY(cluster, steps);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("slot_parameters");
    TCase *cases = tcase_create("slot_parameters");
    tcase_set_timeout(cases, 180);
    tcase_add_checked_fixture(cases, set_up, served_tear_down);
    tcase_add_loop_test(cases, runs_of_a_schedule_see_their_slot_whatever_their_delivery, 0, 3);
    tcase_add_test(cases, a_procedure_that_commits_sees_it_throughout_and_the_next_run_does_not);
    tcase_add_test(cases, a_run_that_is_no_slot_of_the_schedule_has_no_interval);
    tcase_add_test(cases, further_attempts_see_the_same_slot_and_their_number);
    tcase_add_test(cases, a_job_made_by_sql_sees_its_slot_in_its_owners_session);
    tcase_add_test(cases, a_name_where_there_are_no_parameters_is_refused_when_the_job_is_made);
    suite_add_tcase(suite, cases);
    return suite_run(suite);
}
