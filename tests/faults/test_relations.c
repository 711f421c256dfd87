/* SPDX-License-Identifier: PostgreSQL */
/* What views are made of goes away under the daemon: a kept relation is locked or loses its index, a source is renamed
 * or dropped. Its refresh fails with words that name it, the ledger goes on, and the view is right once it is
 * mended. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "support/daemon/commands.h"
#include "support/daemon/stage.h"
#include "support/keyed/keyed.h"
#include "support/ledger/ledger_oracle.h"
#include "support/ledger/runs.h"
#include "support/plugin/plugin_files.h"
#include "support/process/files.h"
#include "support/process/suite.h"
#include "support/process/wait.h"

#define PATIENCE 60.0
#define REFRESH "refresh-lane-distributions"
#define VIEW "analytics.mv_lane_score_distribution"

static void set_up(void)
{
    char *folder = files_make_directory();

    cluster = oracle_create(NULL);
    cluster_execute_file(cluster, PGCHIME_SOURCE_DIR "/tests/support/views/tables_submissions.sql");
    plugin_put(folder, "lane_distribution");
    site = site_create(cluster, "postgres", 3);
    site_use_plugins(site, folder);
    oracle_write_load(site);
    site_job(site, REFRESH, "lock_timeout = \"500ms\"; max_attempts = 1;");
    served = site_lead(site);
    WAIT_SQL(cluster, "SELECT count(*) FROM chime.view_refresh WHERE refreshed_at IS NOT NULL", "1", PATIENCE);
    runs_await(cluster, REFRESH, 1);
    free(folder);
}

/* Of the last run that was asked for: its view's changes wake it, too. */
static void expect_asked(const char *expression, const char *expected)
{
    char *sql = files_path("SELECT %s FROM chime.run_history JOIN chime.job USING (job_id)"
                           " WHERE name = '" REFRESH "' AND kind = 'manual' ORDER BY finished_at DESC LIMIT 1",
                           expression);

    EXPECT_SQL(cluster, sql, expected);
    free(sql);
}

static void command(int status, const char *name, const char *job)
{
    commands_expect(status, site_config(site), (const char *const[]){name, job, NULL}, &output, &errors);
}

#define SCORE                                                                                     \
    "INSERT INTO public.submissions (agent_id, challenge_id, final_lane_scores, composite_score)" \
    " VALUES (public.u(6), public.u(1), '{\"speed\": 50}', 50)"

#define DIFFERENCE "SELECT missing + surplus FROM chime.difference('" VIEW "')"

static void expect_mended(void)
{
    runs_ask_and_await(cluster, REFRESH);
    expect_asked("state", "succeeded");
    EXPECT_SQL(cluster, DIFFERENCE, "0");
    command(0, "status", NULL);
    command(0, "why", REFRESH);
    commands_has(output, ": succeeded");
    EXPECT_SQL(cluster, "SELECT epoch FROM chime.leader", "1");
    oracle_expect_sound(cluster);
}

/* The run's message, the log and `why` say the same words. */
static void expect_failure(const char *sqlstate, const char *words, const char *hint)
{
    char *said = files_path("attempt 1: failed: %s", words);
    char *decided = files_path(": failed, %s", words);
    char *message = files_path("starts_with(message, $$%s\nHINT:  %s\n$$)", words, hint);

    expect_asked("sqlstate", sqlstate);
    expect_asked(message, "t");
    daemon_await(served, said, PATIENCE);
    command(0, "why", REFRESH);
    commands_has(output, decided);
    free(said);
    free(decided);
    free(message);
}

/* --- the kept relation -------------------------------------------------------------------------------------------- */

START_TEST(a_view_that_another_session_holds_fails_its_refresh_and_nothing_else)
{
    PGconn *other = cluster_connect(cluster, "postgres");

    session_execute(other, "BEGIN; LOCK TABLE " VIEW " IN ACCESS EXCLUSIVE MODE");
    cluster_execute(cluster, SCORE);
    runs_ask_and_await(cluster, REFRESH);
    expect_failure("55P03", "refresh of " VIEW ": canceling statement due to lock timeout",
                   "pg_locks names the session that holds the relation; end it, or raise lock_timeout of the job");
    oracle_await_load(cluster);
    command(0, "views", NULL);
    commands_has(output, "mv_lane_score_distribution");
    command(8, "status", NULL);
    commands_has(errors, "job " REFRESH " fails: its last run, at ");
    commands_has(errors, "refresh of " VIEW ": canceling statement due to lock timeout\nHINT:  pgchime why " REFRESH);
    command(0, "why", REFRESH);
    commands_has(output, "it fails: its last run, at ");
    PQfinish(other);
    expect_mended();
}
END_TEST

/* By chime.refresh_job in a transaction that stays open, as the nightly verification does, too. */
START_TEST(a_view_that_another_session_refreshes_is_skipped_and_nothing_has_failed)
{
    PGconn *other = cluster_connect(cluster, "postgres");
    char *words = files_path("view " VIEW " is being refreshed by session %d", PQbackendPID(other));

    session_execute(other, "BEGIN; SELECT chime.refresh_job('" REFRESH "')");
    cluster_execute(cluster, SCORE);
    runs_ask_and_await(cluster, REFRESH);
    expect_asked("state", "skipped");
    expect_asked("reason", words);
    expect_asked("sqlstate", "CH010");
    EXPECT_SQL(cluster, "SELECT consecutive_failures FROM chime.job_status WHERE name = '" REFRESH "'", "0");
    command(0, "status", NULL);
    command(0, "why", REFRESH);
    commands_has(output, words);
    session_execute(other, "COMMIT");
    PQfinish(other);
    expect_mended();
    free(words);
}
END_TEST

START_TEST(why_names_the_session_that_a_refresh_waits_for)
{
    PGconn *other = cluster_connect(cluster, "postgres");
    char *words = files_path("which waits for a lock of backend %d", PQbackendPID(other));

    site_job(site, REFRESH, "lock_timeout = \"10min\"; max_attempts = 1;");
    command(0, "reload", NULL);
    session_execute(other, "BEGIN; LOCK TABLE " VIEW " IN ACCESS EXCLUSIVE MODE");
    cluster_execute(cluster, SCORE);
    runs_ask(cluster, REFRESH);
    WAIT_SQL(cluster,
             "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query ~ 'perform_refresh'", "1",
             PATIENCE);
    command(0, "why", REFRESH);
    commands_has(output, words);
    PQfinish(other);
    WAIT_SQL(cluster, "SELECT count(*) FROM chime.runs WHERE job = '" REFRESH "' AND state = 'running'", "0", PATIENCE);
    expect_mended();
    free(words);
}
END_TEST

START_TEST(a_unique_index_that_was_dropped_is_made_by_the_next_reload)
{
    cluster_execute(cluster, "DROP INDEX analytics.idx_mv_lane_dist_pk; " SCORE);
    runs_ask_and_await(cluster, REFRESH);
    expect_failure("42P10",
                   "refresh of " VIEW
                   ": there is no unique or exclusion constraint matching the ON CONFLICT specification",
                   "its unique index is gone: pgchime reload makes it anew");
    command(0, "reload", NULL);
    EXPECT_SQL(cluster, "SELECT to_regclass('analytics.idx_mv_lane_dist_pk') IS NOT NULL", "t");
    expect_mended();
}
END_TEST

/* --- the source --------------------------------------------------------------------------------------------------- */

START_TEST(a_source_that_was_renamed_fails_the_refresh_until_it_has_its_name_back)
{
    cluster_execute(cluster, SCORE "; ALTER TABLE public.submissions RENAME TO renamed");
    runs_ask_and_await(cluster, REFRESH);
    expect_failure("42P01", "refresh of " VIEW ": relation \"public.submissions\" does not exist",
                   "make the relation again, or give it its name back; then pgchime reload, which says more");
    cluster_execute(cluster, "ALTER TABLE public.renamed RENAME TO submissions");
    expect_mended();
}
END_TEST

START_TEST(a_source_that_was_dropped_puts_its_plugin_to_sleep_until_it_is_there_again)
{
    ck_assert_str_eq(cluster_sqlstate(cluster, "DROP TABLE public.submissions"), "2BP01");
    cluster_execute(cluster, "DROP TABLE public.submissions CASCADE");
    runs_ask_and_await(cluster, REFRESH);
    expect_failure("42P01", "refresh of " VIEW ": relation \"" VIEW "__live\" does not exist",
                   "make the relation again, or give it its name back; then pgchime reload, which says more");
    command(0, "reload", NULL);
    daemon_await(served, "plugin lane_distribution is dormant in database main: ", PATIENCE);
    command(0, "plugins", NULL);
    commands_has(output, "dormant");
    command(0, "why", REFRESH);
    commands_has(output, "its plugin lane_distribution is dormant, ");
    commands_has(output, "submissions");
    cluster_execute(cluster, "DROP FUNCTION public.u");
    cluster_execute_file(cluster, PGCHIME_SOURCE_DIR "/tests/support/views/tables_submissions.sql");
    WAIT_SQL(cluster, "SELECT state FROM chime.plugin", "installed", PATIENCE);
    WAIT_SQL(cluster, "SELECT active FROM chime.job WHERE name = '" REFRESH "'", "t", PATIENCE);
    expect_mended();
}
END_TEST

static Suite *suite(void)
{
    Suite *all = suite_create("relations");
    TCase *cases = tcase_create("relations");

    tcase_add_checked_fixture(cases, set_up, stage_clear);
    tcase_set_timeout(cases, 300);
    tcase_add_test(cases, a_view_that_another_session_holds_fails_its_refresh_and_nothing_else);
    tcase_add_test(cases, a_view_that_another_session_refreshes_is_skipped_and_nothing_has_failed);
    tcase_add_test(cases, why_names_the_session_that_a_refresh_waits_for);
    tcase_add_test(cases, a_unique_index_that_was_dropped_is_made_by_the_next_reload);
    tcase_add_test(cases, a_source_that_was_renamed_fails_the_refresh_until_it_has_its_name_back);
    tcase_add_test(cases, a_source_that_was_dropped_puts_its_plugin_to_sleep_until_it_is_there_again);
    suite_add_tcase(all, cases);
    return all;
}

int main(void)
{
    return suite_run(suite());
}
