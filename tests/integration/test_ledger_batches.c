/* SPDX-License-Identifier: PostgreSQL */
/* The ledger's functions by themselves: who may call them, tokens of earlier leaders, calls made twice,
 * decisions of joins, and catalogs in parts. No daemon. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/cluster/cluster.h"
#include "support/ledger/ledger_sql.h"
#include "support/ledger/runs.h"
#include "support/process/files.h"
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

static void expect_unchanged_by(const char *sql, const char *value)
{
    char *before = ledger_sql_everything(cluster);
    expect(sql, value);
    char *after = ledger_sql_everything(cluster);
    ck_assert_msg(strcmp(before, after) == 0, "%s changed\n%sinto\n%s", sql, before, after);
    free(before);
    free(after);
}

/* --- who may ------------------------------------------------------------------------------------------------------ */

START_TEST(every_function_looks_names_up_where_nobody_else_can_put_them)
{
    /* One whose body is parsed with its definition looks nothing up later. perform runs a job's text with the role's
     * own settings, and a procedure that commits can have none: their own names are written out in full. */
    expect("SELECT string_agg(p.proname, ' ' ORDER BY p.proname) FROM pg_proc p WHERE p.pronamespace = "
           "'chime'::regnamespace"
           " AND p.prosqlbody IS NULL AND NOT coalesce('{search_path=pg_catalog,\"search_path=pg_catalog, pg_temp\"}'"
           " && p.proconfig, false)",
           "perform perform_between perform_chunk perform_pipeline perform_slot tend_capture verify_views");
    /* One trigger answers the calls of roles that may not write, one asks whose job theirs is, and schedules are judged
     * for them. operate_... are pgchime_operator's, those of problems and words are pgchime_monitor's, who only reads;
     * readers ask how fresh views are. pg_temp is searched first where it is not named. */
    expect("SELECT string_agg(p.proname, ' ' ORDER BY p.proname) FROM pg_proc p"
           " WHERE p.pronamespace = 'chime'::regnamespace AND p.prosecdef"
           " AND 'search_path=pg_catalog, pg_temp' = ANY (p.proconfig)",
           "alert_problems answer_call failure_way_out failure_words job_findings ledger_findings "
           "ledger_problems made_live note_request note_tile operate_acknowledge operate_cancel "
           "operate_resume operate_run operate_silence operate_suspend pg_cron_questions pipeline_outlook "
           "possible_injectors "
           "role_view_states schedule_differs schedule_problem schedule_valid tables_read tile_rows "
           "view_freshness view_problems wait_fresh");
    expect("SELECT count(*) FROM pg_proc p WHERE p.pronamespace = 'chime'::regnamespace AND p.prosecdef", "28");
}
END_TEST

static void expect_may(const char *functions, const char *relations)
{
    expect("SELECT string_agg(DISTINCT p.proname, ' ' ORDER BY p.proname) FROM pg_proc p"
           " WHERE p.pronamespace = 'chime'::regnamespace AND has_function_privilege('nobody_much', p.oid, 'EXECUTE')"
           " AND p.proname <> ALL (string_to_array(chime.keeper_functions(), ' '))",
           functions);
    expect("SELECT string_agg(c.relname, ' ' ORDER BY c.relname) FROM pg_class c WHERE c.relnamespace = "
           "'chime'::regnamespace"
           " AND c.relkind IN ('r', 'p', 'v') AND has_table_privilege('nobody_much', c.oid, 'SELECT, INSERT, UPDATE, "
           "DELETE')",
           relations);
}

START_TEST(nothing_of_the_schema_may_be_called_or_written_by_just_anybody)
{
    cluster_execute(cluster, "CREATE ROLE nobody_much; GRANT USAGE ON SCHEMA chime TO nobody_much");
    static const char may_keep[] =
        "SELECT bool_or(has_function_privilege('nobody_much', p.oid, 'EXECUTE')) FROM pg_proc p"
        " WHERE p.pronamespace = 'chime'::regnamespace AND p.proname = ANY (string_to_array(chime.keeper_functions(), "
        "' '))";
    expect_may(NULL, NULL);
    expect(may_keep, "f");
    /* The way in to jobs of one's own, which test_job_calls tries to misuse. */
    cluster_execute(cluster, "GRANT pgchime_jobs TO nobody_much");
    expect_may("alter_job alter_view backfill_job cancel cancel_backfill drop_view explain_view keep_view refresh_view "
               "run_now "
               "schedule schedule_differs "
               "schedule_once schedule_problem schedule_valid unschedule wait_fresh",
               "job_runs jobs kept_views own_role_views upcoming"); /* of one's own jobs and views */
    expect(may_keep, "t");
    expect("SELECT bool_or(p.prosecdef) FROM pg_proc p WHERE p.pronamespace = 'chime'::regnamespace"
           " AND p.proname = ANY (string_to_array(chime.keeper_functions(), ' ')) AND p.proname <> 'tables_read'",
           "f"); /* each has the rights of whoever calls, but for one that reads nothing but pg_depend */
    expect("SELECT string_agg(c.relname, ' ') FROM pg_class c WHERE c.relnamespace = 'chime'::regnamespace"
           " AND c.relkind IN ('r', 'p', 'v') AND has_table_privilege('nobody_much', c.oid, 'INSERT, UPDATE, DELETE')",
           NULL);
    cluster_execute(cluster, "SET ROLE nobody_much");
    expect_refused("SELECT chime.suspend(1)", "42501");
    expect_refused("SELECT chime.resume(1)", "42501");
    expect_refused("SELECT chime.cancel_run(1)", "42501");
    expect_refused("SELECT chime.acknowledge('" LEDGER_SQL_TOKEN "', '{1}', at(1))", "42501");
}
END_TEST

START_TEST(a_role_that_may_read_sees_nothing_of_other_roles_and_suspends_nothing)
{
    cluster_execute(cluster,
                    "CREATE ROLE reader; GRANT USAGE ON SCHEMA chime TO reader;"
                    " GRANT SELECT ON ALL TABLES IN SCHEMA chime TO reader;"
                    " GRANT EXECUTE ON ALL FUNCTIONS IN SCHEMA chime TO reader; SELECT run(1, 1, 'failed', 'all');"
                    " UPDATE chime.job SET owner = 'reader' WHERE job_id = 3; SET ROLE reader");
    expect("SELECT string_agg(name, ',') FROM chime.job_status", "job 3");
    expect("SELECT count(*) FROM chime.runs", "0");
    expect_refused("SELECT chime.suspend(1)", "P0002");
    expect_refused("SELECT chime.suspend(3)", "42501");
}
END_TEST

/* --- earlier leaders, and calls made twice ------------------------------------------------------------------------ */

static const char *const refusing[] = {
    "SELECT claim(1, 'schedule', 0, 1, '" LEDGER_SQL_STALE "')",
    "SELECT reclaim(2, 'schedule', 1, '" LEDGER_SQL_STALE "')",
    "SELECT skip(1, 'schedule', 0, 1, true, 'all', '" LEDGER_SQL_STALE "')",
    "SELECT miss(1, 0, 1, 1, '" LEDGER_SQL_STALE "')",
    "SELECT chime.acknowledge('" LEDGER_SQL_STALE "', '{1}', at(1))",
    "SELECT chime.suspend_failing('" LEDGER_SQL_STALE "', '{1}', '{x}', at(1))",
    "SELECT chime.resume_expired('" LEDGER_SQL_STALE "', '{1}', ARRAY[at(1)])",
    "SELECT chime.adopt('" LEDGER_SQL_STALE
    "', '{1}', ARRAY(SELECT run_id FROM chime.run), '{f}', '{NULL}', '{x}', at(1))",
    "SELECT chime.sync_jobs('" LEDGER_SQL_STALE "', '[]', '{}', at(1), false)",
    "SELECT chime.remove_others('" LEDGER_SQL_STALE "', '{}', at(1), false)",
    "SELECT chime.request_population('" LEDGER_SQL_STALE "', at(1))",
};

START_TEST(an_earlier_leader_is_refused)
{
    expect("SELECT claim(2, 'schedule', 0, 1)", "granted");
    char *before = ledger_sql_everything(cluster);
    expect_refused(refusing[_i], "CH001");
    char *after = ledger_sql_everything(cluster);
    ck_assert_str_eq(after, before);
    free(before);
    free(after);
}
END_TEST

START_TEST(an_earlier_leader_ends_nothing)
{
    expect("SELECT claim(2, 'schedule', 0, 1)", "granted");
    expect_unchanged_by("SELECT finish(2, 'schedule', 1, 'failed', 'all', '" LEDGER_SQL_STALE "')", NULL);
    expect_unchanged_by("SELECT retry(2, 'schedule', 1, 'all', '" LEDGER_SQL_STALE "')", NULL);
}
END_TEST

START_TEST(what_is_done_is_not_done_twice)
{
    expect("SELECT claim(1, 'schedule', 0, 1)", "granted");
    expect_unchanged_by("SELECT claim(1, 'schedule', 0, 1)", NULL);
    expect("SELECT finish(1, 'schedule', 1, 'failed', 'all')", "t");
    expect_unchanged_by("SELECT finish(1, 'schedule', 1, 'failed', 'all')", NULL);
    expect_unchanged_by("SELECT retry(1, 'schedule', 1, 'all')", NULL);
    expect_unchanged_by("SELECT reclaim(1, 'schedule', 1)", NULL);
    expect("SELECT skip(1, 'schedule', 1, 2, true, 'all')", "t");
    expect_unchanged_by("SELECT skip(1, 'schedule', 1, 2, true, 'all')", NULL);
    expect("SELECT miss(1, 2, 3, 4)", "t");
    expect_unchanged_by("SELECT miss(1, 2, 3, 4)", NULL);
}
END_TEST

START_TEST(a_claim_of_another_definition_or_of_a_job_that_sleeps_is_left_out)
{
    cluster_execute(cluster, "UPDATE chime.job SET active = false WHERE job_id = 1");
    expect_unchanged_by("SELECT claim(1, 'schedule', 0, 1)", NULL);
    expect_unchanged_by("SELECT count(*) FROM chime.claim('" LEDGER_SQL_TOKEN "', '{2}', '{9}', '{schedule}',"
                        " ARRAY[at(1)], ARRAY[at(0)], '{1}', ARRAY[at(0)])",
                        "0");
}
END_TEST

START_TEST(a_slot_that_is_in_the_history_already_stays_there_as_it_was)
{
    expect("SELECT run(1, 1, 'failed', 'all')", "t");
    cluster_execute(cluster, "UPDATE chime.job_state SET last_slot = at(0) WHERE job_id = 1");
    expect("SELECT run(1, 1, 'succeeded', 'all')", "t");
    expect("SELECT string_agg(state::text, ',') FROM chime.run_history", "failed");
    expect("SELECT concat_ws(' ', runs, successes, last_outcome) FROM chime.job_state WHERE job_id = 1",
           "2 1 succeeded");
}
END_TEST

START_TEST(a_slot_of_a_batch_that_is_in_the_history_already_keeps_no_other_out)
{
    expect("SELECT run(1, 1, 'failed', 'all')", "t");
    cluster_execute(cluster, "UPDATE chime.job_state SET last_slot = at(0) WHERE job_id = 1;"
                             "SELECT claim(n, 'schedule', 0, 1) FROM generate_series(1, 3) n");
    expect(
        "SELECT string_agg(concat_ws(' ', job_id, state), ',' ORDER BY job_id) FROM chime.finish('" LEDGER_SQL_TOKEN
        "', '{1,2,3}', '{schedule,schedule,schedule}', ARRAY[at(1), at(1), at(1)], '{succeeded,timed_out,succeeded}',"
        " ARRAY[at(1), at(1), at(1)], ARRAY[at(2), at(2), at(2)], '{1,1,1}', '{NULL,NULL,NULL}', '{NULL,NULL,NULL}',"
        " '{NULL,NULL,NULL}', '{all,errors,errors}')",
        "1 succeeded,2 timed_out,3 succeeded");
    expect("SELECT string_agg(concat_ws(' ', job_id, state), ',' ORDER BY job_id) FROM chime.run_history",
           "1 failed,2 timed_out");
    expect("SELECT string_agg(concat_ws(' ', runs, last_outcome), ',' ORDER BY job_id) FROM chime.job_state",
           "2 succeeded,1 timed_out,1 succeeded");
    expect("SELECT count(*) FROM chime.run", "0");
}
END_TEST

/* Pages are of jobs: one that ends in the middle of a job's runs would leave out the rest of them. */
START_TEST(a_page_of_unfinished_runs_has_all_those_of_its_last_job)
{
    static const char page[] = "SELECT string_agg(concat_ws(' ', job_id, run_id IS NULL), ',') FROM"
                               " chime.unfinished_runs('" LEDGER_SQL_TOKEN "', '{}', %d, 1)";
    cluster_execute(cluster, "SELECT claim(n, 'schedule', 0, 1) FROM generate_series(1, 3) n;"
                             "SELECT claim(2, 'event', 1, 2), claim(2, 'change', 1, 3)");
    static const char *const pages[] = {"1 f,1 t", "2 f,2 f,2 f,2 t", "3 f,3 t", NULL};
    for (int from = 0; from < 4; from++) {
        char *sql = files_path(page, from);
        expect(sql, pages[from]);
        free(sql);
    }
}
END_TEST

/* 883 when this was written, in batches of 250. The least of five, since a page may be cleaned up in between. */
#define RUN_WAL_MAX 960
#define BATCH "generate_series(1, 100) n"

START_TEST(a_run_writes_no_more_wal_than_it_has_to)
{
    double least = 1e9;
    ledger_sql_jobs(cluster, 97);
    for (int slot = 0; slot < 6; slot++) {
        char *before = cluster_value(cluster, "SELECT pg_current_wal_insert_lsn()");
        cluster_execute_format(cluster, "SELECT claim(n, 'schedule', %d, %d) FROM " BATCH, slot, slot + 1);
        cluster_execute_format(cluster, "SELECT finish(n, 'schedule', %d, 'succeeded', 'all') FROM " BATCH, slot + 1);
        char *sql = files_path("SELECT (pg_current_wal_insert_lsn() - '%s') / 100", before);
        char *bytes = cluster_value(cluster, sql);
        least = slot > 0 && atof(bytes) < least ? atof(bytes) : least;
        free(before);
        free(sql);
        free(bytes);
    }
    expect("SELECT count(*) FROM chime.run_history", "600");
    ck_assert_msg(least <= RUN_WAL_MAX, "a run wrote %.0f bytes of WAL, more than %d", least, RUN_WAL_MAX);
}
END_TEST

/* --- joins, and batches of skips ---------------------------------------------------------------------------------- */

START_TEST(a_join_moves_its_cursor_as_a_schedule_does_and_remembers_that_it_was_skipped)
{
    expect("SELECT skip(1, 'dependency', 0, 1, true, 'all')", "t");
    expect(
        "SELECT concat_ws(' ', minute(last_slot), cursor_skipped, last_outcome) FROM chime.job_state WHERE job_id = 1",
        "1 t skipped");
    expect(
        "SELECT concat_ws(' ', kind, minute(slot), state, reason, minute(finished_at), epoch) FROM chime.run_history",
        "dependency 1 skipped because 2 7");
    expect("SELECT claim(1, 'dependency', 0, 2)", NULL);
    expect("SELECT claim(1, 'dependency', 1, 2)", "granted");
    expect("SELECT concat_ws(' ', minute(last_slot), cursor_skipped) FROM chime.job_state WHERE job_id = 1", "2 f");
    expect("SELECT finish(1, 'dependency', 2, 'succeeded', 'all')", "t");
    expect("SELECT count(*) FROM chime.run_history WHERE kind = 'dependency' AND state = 'succeeded'", "1");
}
END_TEST

START_TEST(a_skip_of_a_schedule_is_none_of_a_join_and_need_not_be_an_outcome)
{
    expect("SELECT skip(1, 'schedule', 0, 1, false, 'all')", "t");
    expect(
        "SELECT concat_ws(' ', cursor_skipped, last_outcome, outcome_at, skips) FROM chime.job_state WHERE job_id = 1",
        "f 1");
}
END_TEST

START_TEST(the_skips_of_a_job_join_and_a_job_whose_cursor_stands_elsewhere_is_left_out)
{
    expect("SELECT string_agg(job_id::text, ',') FROM chime.skip('" LEDGER_SQL_TOKEN "', '{1,1,2}',"
           " '{schedule,schedule,schedule}', ARRAY[at(0), at(1), at(4)], ARRAY[at(1), at(2), at(5)],"
           " ARRAY[at(9), at(9), at(9)], '{a,b,c}', '{f,t,t}', '{all,off,all}')",
           "1");
    expect("SELECT concat_ws(' ', minute(last_slot), skips, last_outcome, minute(outcome_at)) FROM chime.job_state"
           " WHERE job_id = 1",
           "2 2 skipped 9");
    expect("SELECT string_agg(concat_ws(' ', job_id, minute(slot), reason), ',') FROM chime.run_history", "1 1 a");
    expect("SELECT skips || ' ' || minute(last_slot) FROM chime.job_state WHERE job_id = 2", "0 0");
}
END_TEST

/* --- a catalog in parts ------------------------------------------------------------------------------------------- */

#define JOB(name, schedule)                                                                              \
    "{\"name\": \"" name "\", \"origin\": \"config\", \"active\": true, \"schedule\": \"" schedule "\"," \
    " \"command\": \"SELECT 1\", \"views\": [], \"after\": [], \"options\": {}}"
#define SYNC(jobs)                                                                                                  \
    "SELECT string_agg(concat_ws(' ', name, job_id, version, minute(last_slot) = 0, suspended), ';' ORDER BY name)" \
    " FROM chime.sync_jobs('" LEDGER_SQL_TOKEN "', '[" jobs                                                         \
    "]', '{\"command\": {}, \"refresh\": {}}', clock_timestamp(), true)"

START_TEST(a_part_leaves_the_jobs_of_other_parts_alone_and_the_last_step_removes_those_of_none)
{
    cluster_execute(cluster, "UPDATE chime.job SET origin = 'sql' WHERE job_id = 3");
    expect("SELECT chime.suspend(1)", "t");
    expect_unchanged_by(SYNC(JOB("job 1", "* * * * *")), "job 1 1 1 t t");
    expect(SYNC(JOB("new", "@daily")), "new 4 1 f f");
    expect("SELECT string_agg(name, ',' ORDER BY job_id) FROM chime.job WHERE active", "job 1,job 2,job 3,new");
    cluster_execute(cluster, "SELECT chime.remove_others('" LEDGER_SQL_TOKEN "', '{1,4}', clock_timestamp(), true)");
    expect("SELECT string_agg(name, ',' ORDER BY job_id) FROM chime.job WHERE active", "job 1,job 3,new");
    expect("SELECT version FROM chime.job WHERE name = 'job 2'", "2");
    expect_unchanged_by("SELECT chime.remove_others('" LEDGER_SQL_TOKEN "', '{4,1}', clock_timestamp(), true)", "f");
}
END_TEST

#define LISTENING_JOB(list)                                                                        \
    "{\"name\": \"job 1\", \"origin\": \"config\", \"active\": true, \"schedule\": \"* * * * *\"," \
    " \"command\": \"SELECT 1\", \"views\": [], \"after\": [], \"channels\": " list ", \"options\": {}}"

START_TEST(other_channels_make_another_definition_and_move_no_cursor)
{
    expect(SYNC(LISTENING_JOB("[\"scored\", \"Two \\\"words\\\"\"]")), "job 1 1 2 t f");
    expect("SELECT channels FROM chime.job_status WHERE job_id = 1", "{scored,\"Two \\\"words\\\"\"}");
    expect_unchanged_by(SYNC(LISTENING_JOB("[\"scored\", \"Two \\\"words\\\"\"]")), "job 1 1 2 t f");
    expect(SYNC(LISTENING_JOB("[\"scored\"]")), "job 1 1 3 t f");
    expect("SELECT channels FROM chime.job WHERE job_id = 1", "{scored}");
    expect(SYNC(JOB("job 1", "* * * * *")), "job 1 1 4 t f");
    expect("SELECT channels FROM chime.job WHERE job_id = 1", "{}");
    expect(SYNC("{\"name\": \"new\", \"origin\": \"config\", \"active\": true, \"schedule\": \"\", \"command\":"
                " \"SELECT 1\", \"views\": [], \"after\": [], \"channels\": [\"x\"], \"options\": {}}"),
           "new 4 1 f f");
    expect("SELECT channels FROM chime.job WHERE job_id = 4", "{x}");
}
END_TEST

START_TEST(a_target_lag_is_told_as_it_was_written_and_none_is_null)
{
    expect("SELECT count(*) FROM chime.job_status WHERE target_lag IS NOT NULL", "0");
    cluster_execute(cluster, "UPDATE chime.job SET options = options || '{\"target_lag\": \"250ms\"}' WHERE job_id = 1;"
                             "UPDATE chime.job SET options = options || '{\"target_lag\": \"none\"}' WHERE job_id = 2");
    expect("SELECT string_agg(concat_ws(' ', job_id, target_lag), ',' ORDER BY job_id) FROM chime.job_status",
           "1 250ms,2,3");
    expect("SELECT target_lag::interval FROM chime.job_status WHERE job_id = 1", "00:00:00.25");
}
END_TEST

START_TEST(a_sync_that_broke_off_is_completed_by_the_next_and_moves_no_cursor_again)
{
    expect(SYNC(JOB("job 1", "@hourly")), "job 1 1 2 f f");
    char *cursor = cluster_value(cluster, "SELECT last_slot FROM chime.job_state WHERE job_id = 1");
    expect(SYNC(JOB("job 1", "@hourly") "," JOB("job 2", "@hourly") "," JOB("job 3", "* * * * *")),
           "job 1 1 2 f f;job 2 2 2 f f;job 3 3 1 t f");
    expect("SELECT last_slot FROM chime.job_state WHERE job_id = 1", cursor);
    free(cursor);
}
END_TEST

START_TEST(a_job_that_wakes_starts_from_now_and_is_the_same_job)
{
    cluster_execute(cluster, "SELECT chime.remove_others('" LEDGER_SQL_TOKEN "', '{2,3}', clock_timestamp(), true)");
    expect(SYNC(JOB("job 1", "* * * * *")), "job 1 1 3 f f");
    expect("SELECT now() - last_slot < interval '1 h' FROM chime.job_state WHERE job_id = 1", "t");
}
END_TEST

START_TEST(a_job_that_another_role_led_is_the_same_job)
{
    cluster_execute(cluster, "CREATE ROLE ann; UPDATE chime.job SET owner = 'ann' WHERE job_id = 1");
    expect(SYNC(JOB("job 1", "* * * * *")), "job 1 1 2 t f");
    expect("SELECT owner = current_user FROM chime.job WHERE job_id = 1", "t");
    cluster_execute(cluster, "UPDATE chime.job SET owner = 'ann' WHERE job_id = 1;"
                             "SELECT chime.remove_others('" LEDGER_SQL_TOKEN "', '{2,3}', clock_timestamp(), true)");
    expect("SELECT string_agg(job_id::text, ',') FROM chime.job WHERE active", "2,3");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ledger_batches");
    TCase *cases = tcase_create("ledger_batches");
    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_set_timeout(cases, 60);
    tcase_add_test(cases, every_function_looks_names_up_where_nobody_else_can_put_them);
    tcase_add_test(cases, nothing_of_the_schema_may_be_called_or_written_by_just_anybody);
    tcase_add_test(cases, a_role_that_may_read_sees_nothing_of_other_roles_and_suspends_nothing);
    tcase_add_loop_test(cases, an_earlier_leader_is_refused, 0, (int)(sizeof(refusing) / sizeof(*refusing)));
    tcase_add_test(cases, an_earlier_leader_ends_nothing);
    tcase_add_test(cases, what_is_done_is_not_done_twice);
    tcase_add_test(cases, a_claim_of_another_definition_or_of_a_job_that_sleeps_is_left_out);
    tcase_add_test(cases, a_slot_that_is_in_the_history_already_stays_there_as_it_was);
    tcase_add_test(cases, a_slot_of_a_batch_that_is_in_the_history_already_keeps_no_other_out);
    tcase_add_test(cases, a_page_of_unfinished_runs_has_all_those_of_its_last_job);
    tcase_add_test(cases, a_run_writes_no_more_wal_than_it_has_to);
    tcase_add_test(cases, a_join_moves_its_cursor_as_a_schedule_does_and_remembers_that_it_was_skipped);
    tcase_add_test(cases, a_skip_of_a_schedule_is_none_of_a_join_and_need_not_be_an_outcome);
    tcase_add_test(cases, the_skips_of_a_job_join_and_a_job_whose_cursor_stands_elsewhere_is_left_out);
    tcase_add_test(cases, a_part_leaves_the_jobs_of_other_parts_alone_and_the_last_step_removes_those_of_none);
    tcase_add_test(cases, other_channels_make_another_definition_and_move_no_cursor);
    tcase_add_test(cases, a_target_lag_is_told_as_it_was_written_and_none_is_null);
    tcase_add_test(cases, a_sync_that_broke_off_is_completed_by_the_next_and_moves_no_cursor_again);
    tcase_add_test(cases, a_job_that_wakes_starts_from_now_and_is_the_same_job);
    tcase_add_test(cases, a_job_that_another_role_led_is_the_same_job);
    suite_add_tcase(suite, cases);
    return suite_run(suite);
}
