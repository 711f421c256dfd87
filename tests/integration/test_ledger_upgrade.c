/* SPDX-License-Identifier: PostgreSQL */
/* A database that an earlier pgchime left at migration 3 keeps every row, and what it means, when it is brought to the
 * newest. */
#include <check.h>
#include <stdbool.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "ledger/migrate.h"
#include "support/cluster/cluster.h"
#include "support/ledger/ledger_sql.h"
#include "support/ledger/runs.h"
#include "support/process/suite.h"

static struct cluster *cluster;

/* As the functions of migration 2 leave them: a job that failed twice, one that ran, one that never did, one that
 * sleeps; runs claimed, waiting for a retry, and done but not moved; slots of long ago, which no daily partition holds;
 * requests. */
static const char rows[] =
    "INSERT INTO chime.leadership VALUES (7, 'db1', 4711, '2026-01-01Z');"
    "INSERT INTO chime.job (name, origin, schedule, command, active, version, options, after) VALUES"
    " ('failing', 'config', '@hourly', 'SELECT 1/0', true, 3, '{\"catchup\": \"latest\"}', '{}'),"
    " ('good', 'plugin', '@hourly', 'SELECT 1', true, 1, '{}', '{}'), ('new', 'config', '', 'SELECT 1', true, 1, '{}', "
    "'{good}'),"
    " ('asleep', 'config', '@daily', 'SELECT 1', false, 2, '{}', '{}');"
    "INSERT INTO chime.job_state (job_id, last_slot, last_start, last_end, last_success, last_outcome, "
    "last_duration_us,"
    " consecutive_failures, pending_upstreams) VALUES"
    " (1, '2026-01-02 01:00Z', '2026-01-02 01:00:01Z', '2026-01-02 01:00:05Z', NULL, 'failed', 4000000, 2, '{}'),"
    " (2, '2026-01-02 02:00Z', '2026-01-02 02:00:01Z', '2026-01-02 02:00:09Z', '2026-01-02 02:00:09Z', 'succeeded', 8, "
    "0, '{}'),"
    " (3, '2026-01-02 00:00Z', NULL, NULL, NULL, NULL, NULL, 0, '{good}'),"
    " (4, '2026-01-01 00:00Z', NULL, NULL, NULL, 'skipped', NULL, 0, '{}');"
    "INSERT INTO chime.run (job_id, kind, slot, token, epoch, pid, backend_start, attempt, retry_at, done_at, rows) "
    "VALUES"
    " (1, 'schedule', '2026-01-02 01:00Z', '" LEDGER_SQL_TOKEN "', 7, 4711, '2026-01-01Z', 1, NULL, NULL, NULL),"
    " (2, 'schedule', '2026-01-02 02:00Z', '" LEDGER_SQL_TOKEN "', 7, NULL, NULL, 2, '2026-01-02 02:05Z', NULL, NULL),"
    " (2, 'manual', '2026-01-02 02:01Z', '" LEDGER_SQL_TOKEN
    "', 7, 4712, '2026-01-01Z', 1, NULL, '2026-01-02 02:02Z', 5);"
    "SELECT chime.keep_history('" LEDGER_SQL_TOKEN "');"
    "INSERT INTO chime.run_history (run_id, job_id, kind, slot, state, attempt, epoch, finished_at, reason) VALUES"
    " (nextval('chime.run_id'), 1, 'schedule', now(), 'failed', 1, 7, now(), NULL),"
    " (nextval('chime.run_id'), 1, 'schedule', '2020-01-01Z', 'lost', 1, 7, '2020-01-01Z', 'gone'),"
    " (nextval('chime.run_id'), 2, 'install', '2026-01-01Z', 'succeeded', 2, 7, '2026-01-01Z', NULL),"
    " (nextval('chime.run_id'), 3, 'dependency', '2026-01-01Z', 'skipped', 0, 7, '2026-01-01Z', 'upstream good "
    "failed');"
    "INSERT INTO chime.attempt (job_id, kind, slot, attempt, run_id, state, epoch, finished_at, message) VALUES"
    " (2, 'schedule', '2026-01-02 02:00Z', 1, 2, 'failed', 7, '2026-01-02 02:01Z', 'oh');"
    "INSERT INTO chime.missed (job_id, first_slot, last_slot, slots, reason, epoch) VALUES"
    " (1, '2026-01-01 01:00Z', '2026-01-01 05:00Z', 5, 'nobody led', 7), (1, '2025-01-01Z', '2025-01-01Z', 1, 'older', "
    "6);"
    "INSERT INTO chime.request (job_id, kind, slot) VALUES (2, 'manual', '2026-01-02 03:00Z'), (3, 'install', "
    "'2026-01-02 03:00Z');";

static const char *const relations[] = {"leader",  "leadership", "job",     "job_state", "run",       "run_history",
                                        "attempt", "missed",     "request", "runs",      "job_status"};
#define RELATION_COUNT (sizeof(relations) / sizeof(*relations))

/* What chime.job_status said of these rows while the columns of migration 3 were all there were. */
static const char job_status[] =
    "(SELECT j.job_id, j.name, j.owner, j.origin, j.plugin, j.active, j.schedule, j.views, j.after, s.last_slot,"
    " s.last_start, s.last_end, s.last_success, s.last_outcome, s.last_duration_us, s.consecutive_failures,"
    " EXISTS (SELECT FROM chime.run r WHERE r.job_id = j.job_id) AS live"
    " FROM chime.job j JOIN chime.job_state s USING (job_id))";

static void upgrade(void)
{
    char *text = migrate_text(3);
    cluster_execute(cluster, text);
    free(text);
}

static void set_up(void)
{
    cluster = cluster_create(NULL);
    ledger_sql_migrate(cluster, 0, 3);
    ledger_sql_lead(cluster);
    cluster_execute(cluster, rows);
    for (size_t i = 0; i < RELATION_COUNT; i++) {
        bool stands = strcmp(relations[i], "job_status") != 0; /* migration 4 makes that one */
        cluster_execute_format(cluster, "CREATE TABLE before_%s AS SELECT to_jsonb(r) AS it FROM %s%s r", relations[i],
                               stands ? "chime." : "", stands ? relations[i] : job_status);
    }
    upgrade();
    ledger_sql_helpers(cluster);
}

static void tear_down(void)
{
    cluster_destroy(cluster);
}

static void expect(const char *sql, const char *value)
{
    EXPECT_SQL(cluster, sql, value);
}

START_TEST(every_row_is_there_with_all_it_said)
{
    char sql[500];
    snprintf(sql, sizeof(sql), "SELECT count(*) > 0 AND count(*) = (SELECT count(*) FROM chime.%s) FROM before_%s",
             relations[_i], relations[_i]);
    expect(sql, "t");
    snprintf(sql, sizeof(sql),
             "SELECT b.it FROM before_%s b WHERE NOT EXISTS (SELECT FROM chime.%s r"
             " WHERE to_jsonb(r) @> (b.it - 'pending_upstreams') AND b.it <> '{}')",
             relations[_i], relations[_i]);
    expect(sql, NULL);
}
END_TEST

START_TEST(the_migration_is_noted_and_refused_a_second_time_without_a_trace)
{
    char *text = migrate_text(3);
    expect("SELECT name FROM chime.migration ORDER BY number LIMIT 1", "policies");
    ck_assert_str_eq(cluster_sqlstate(cluster, text), "23505");
    expect("SELECT count(*) FROM chime.migration WHERE name = 'policies'", "1");
    expect("SELECT count(*) FROM chime.job", "4");
    free(text);
}
END_TEST

START_TEST(nothing_is_suspended_counting_begins_and_outcomes_have_the_time_they_came_about)
{
    expect("SELECT count(*) FROM chime.job_state WHERE suspended_at IS NOT NULL OR suspended_until IS NOT NULL OR"
           " cursor_skipped OR runs + successes + failures + skips > 0",
           "0");
    expect("SELECT string_agg(concat_ws(' ', job_id, outcome_at AT TIME ZONE 'UTC'), ';' ORDER BY job_id)"
           " FROM chime.job_state",
           "1 2026-01-02 01:00:05;2 2026-01-02 02:00:09;3;4 2026-01-01 00:00:00");
}
END_TEST

START_TEST(runs_asked_for_are_still_asked_for)
{
    expect("SELECT string_agg(concat_ws(' ', verb, job_id, kind), ';') FROM chime.open_requests()",
           "run 2 manual;run 3 install");
    expect("SELECT claim(2, 'manual', 0, 1440 + 180)", "granted");
    expect("SELECT string_agg(concat_ws(' ', verb, job_id, kind), ';') FROM chime.open_requests()", "run 3 install");
}
END_TEST

START_TEST(live_runs_go_on_under_the_same_leader)
{
    expect("SELECT finish(1, 'schedule', 1440 + 60, 'failed', 'all')", "t");
    expect("SELECT concat_ws(' ', consecutive_failures, runs, failures) FROM chime.job_state WHERE job_id = 1",
           "3 1 1");
    expect("SELECT reclaim(2, 'schedule', 1440 + 120)", "t");
    expect("SELECT chime.cancel_run(run_id) FROM chime.run WHERE kind = 'schedule'", "t");
    expect("SELECT finish(2, 'manual', 1440 + 121, 'lost', 'all')", "t"); /* it was done before */
    expect("SELECT state FROM chime.run_history WHERE kind = 'manual'", "succeeded");
}
END_TEST

START_TEST(another_leader_finds_the_runs_unfinished)
{
    cluster_execute(cluster, "UPDATE chime.leader SET token = '" LEDGER_SQL_STALE "', epoch = 8");
    expect("SELECT string_agg(concat_ws(' ', job_id, kind, waits, done, gone), ';' ORDER BY job_id, kind)"
           " FROM chime.unfinished_runs('" LEDGER_SQL_STALE "', '{}')",
           "1 schedule f f t;2 schedule t f t;2 manual f t t");
}
END_TEST

START_TEST(cursors_stay_where_options_only_gained_names_and_move_with_the_time_zone)
{
    static const char sync[] =
        "SELECT version || ' ' || (last_slot = '2026-01-02 01:00Z') FROM chime.sync_jobs('" LEDGER_SQL_TOKEN "',"
        " '[{\"name\": \"failing\", \"origin\": \"config\", \"active\": true, \"schedule\": \"@hourly\", \"command\":"
        " \"SELECT 1/0\", \"views\": [], \"after\": [], \"options\": {\"timezone\": \"%s\", \"dst_gap\": \"run\","
        " \"dst_overlap\": \"first\", \"catchup\": \"latest\"}}]', '{\"command\": {}, \"refresh\": {}}', "
        "clock_timestamp(), true)";
    char sql[800];
    snprintf(sql, sizeof(sql), sync, "UTC");
    expect(sql, "4 true");
    snprintf(sql, sizeof(sql), sync, "Europe/Berlin");
    expect(sql, "5 false");
}
END_TEST

START_TEST(no_job_listens_or_has_a_limit_of_lag)
{
    expect("SELECT count(*) FROM chime.job_status WHERE channels = '{}' AND target_lag IS NULL", "4");
}
END_TEST

START_TEST(options_of_later_versions_get_their_defaults_and_move_no_cursor)
{
    expect(
        "SELECT version || ' ' || (last_slot = '2026-01-02 01:00Z') FROM chime.sync_jobs('" LEDGER_SQL_TOKEN "',"
        " '[{\"name\": \"failing\", \"origin\": \"config\", \"active\": true, \"schedule\": \"@hourly\", \"command\":"
        " \"SELECT 1/0\", \"views\": [], \"after\": [], \"channels\": [], \"options\": {}}]',"
        " '{\"command\": {\"catchup\": \"latest\", \"timezone\": \"UTC\", \"dst_gap\": \"run\", \"dst_overlap\": "
        "\"first\", \"debounce\": \"0s\", \"target_lag\": \"none\"}, \"refresh\": {}}', clock_timestamp(), true)",
        "4 true");
    expect("SELECT options ->> 'debounce' FROM chime.job WHERE name = 'failing'", "0s");
    expect("SELECT count(*) FROM chime.job_status WHERE target_lag IS NULL", "4");
}
END_TEST

START_TEST(a_job_that_failed_before_is_suspended_and_resumed_as_others_are)
{
    expect("SELECT granted(chime.suspend(1, 'look into it'))", "t");
    expect("SELECT claim(1, 'schedule', 1440 + 60, 1440 + 120)", "refused: suspended by postgres: look into it");
    expect("SELECT granted(chime.resume(1))", "t");
    expect("SELECT consecutive_failures FROM chime.job_state WHERE job_id = 1", "0");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ledger_upgrade");
    TCase *cases = tcase_create("ledger_upgrade");
    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_set_timeout(cases, 60);
    tcase_add_loop_test(cases, every_row_is_there_with_all_it_said, 0, (int)RELATION_COUNT);
    tcase_add_test(cases, the_migration_is_noted_and_refused_a_second_time_without_a_trace);
    tcase_add_test(cases, nothing_is_suspended_counting_begins_and_outcomes_have_the_time_they_came_about);
    tcase_add_test(cases, runs_asked_for_are_still_asked_for);
    tcase_add_test(cases, live_runs_go_on_under_the_same_leader);
    tcase_add_test(cases, another_leader_finds_the_runs_unfinished);
    tcase_add_test(cases, cursors_stay_where_options_only_gained_names_and_move_with_the_time_zone);
    tcase_add_test(cases, no_job_listens_or_has_a_limit_of_lag);
    tcase_add_test(cases, options_of_later_versions_get_their_defaults_and_move_no_cursor);
    tcase_add_test(cases, a_job_that_failed_before_is_suspended_and_resumed_as_others_are);
    suite_add_tcase(suite, cases);
    return suite_run(suite);
}
