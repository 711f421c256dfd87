/* SPDX-License-Identifier: PostgreSQL */
/* Slots done again: by command and by SQL, beside the schedule, through kill -9 of the daemon, and by whom. */
#include <check.h>
#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "support/daemon/commands.h"
#include "support/daemon/served.h"
#include "support/ledger/outcomes.h"
#include "support/ledger/runs.h"
#include "support/process/files.h"
#include "support/process/suite.h"
#include "support/process/wait.h"

#define HOURLY "schedule = \"0 * * * *\"; catchup = \"none\"; "
#define DAY "--from", "2026-03-28", "--to", "2026-03-29"
#define NOTE(job) "command = \"INSERT INTO done SELECT '" job "', $slot, $interval_start, $interval_end, $run_id\"; "

static char *output;
static char *errors;

#define ASSERT_RUN(status, ...) \
    commands_expect(status, site_config(site), (const char *const[]){__VA_ARGS__, NULL}, &output, &errors)
#define AWAIT_END(job)                                                                 \
    WAIT_SQL(cluster,                                                                  \
             "SELECT ended_at IS NOT NULL FROM chime.slot_backfills WHERE job = '" job \
             "' ORDER BY backfill_id DESC LIMIT 1",                                    \
             "t", 60)

static void set_up(void)
{
    output = errors = NULL;
    served_set_up(4);
    cluster_execute(cluster,
                    "CREATE TABLE done (job text, slot timestamptz, low timestamptz, high timestamptz, run_id bigint)");
}

static void tear_down(void)
{
    free(output);
    free(errors);
    served_tear_down();
}

START_TEST(each_slot_of_a_range_is_a_run_of_its_own_with_its_interval)
{
    site_job(site, "hourly", HOURLY NOTE("hourly"));
    served = site_lead(site);
    ASSERT_RUN(0, "backfill", "hourly", DAY, "--dry-run");
    commands_has(output, "dry run");
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.slot_backfill", "0");
    ASSERT_RUN(0, "backfill", "hourly", DAY);
    EXPECT_SQL(cluster,
               "SELECT concat_ws(' ', state, asked, done, failed, remaining, passed) FROM chime.slot_backfills",
               "ended 24 24 0 0 0");
    EXPECT_SQL(
        cluster,
        "SELECT count(DISTINCT d.slot) || ' ' || count(*) FROM done d JOIN chime.runs r USING (run_id) WHERE r.kind"
        " = 'backfill' AND r.state = 'succeeded' AND r.slot = d.slot AND d.low = d.slot - interval '1 h' AND d.high"
        " = d.slot AND d.slot >= '2026-03-28Z' AND d.slot < '2026-03-29Z'",
        "24 24");
    ASSERT_RUN(0, "runs", "hourly");
    commands_has(output, "backfill");
    /* Once more: further runs beside these, which stay. */
    ASSERT_RUN(0, "backfill", "hourly", DAY);
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.run_history WHERE kind = 'backfill' AND state = 'succeeded'", "48");
    EXPECT_SQL(cluster, "SELECT count(DISTINCT slot) || ' ' || count(*) FROM done", "24 48");
}
END_TEST

START_TEST(only_what_is_missing_or_failed_is_done_where_that_is_asked_for)
{
    site_job(site, "hourly",
             HOURLY "max_attempts = 1; command = \"INSERT INTO done SELECT 'hourly', $slot WHERE 1 / coalesce((SELECT n"
                    " FROM divisor WHERE $slot >= '2026-03-28 12:00Z'), 1) = 1\";");
    cluster_execute(cluster, "CREATE TABLE divisor (n integer); INSERT INTO divisor VALUES (0)");
    served = site_lead(site);
    ASSERT_RUN(1, "backfill", "hourly", DAY);
    EXPECT_SQL(cluster, "SELECT concat_ws(' ', done, failed) FROM chime.slot_backfills", "12 12");
    EXPECT_SQL(cluster, "SELECT consecutive_failures || coalesce(last_outcome::text, ' none') FROM chime.job_state",
               "0 none");
    cluster_execute(cluster, "UPDATE divisor SET n = 1; DELETE FROM done");
    ASSERT_RUN(0, "backfill", "hourly", DAY, "--only", "failed");
    EXPECT_SQL(
        cluster,
        "SELECT string_agg(concat_ws(' ', done, failed, passed), ', ' ORDER BY backfill_id) FROM chime.slot_backfills",
        "12 12 0, 12 0 12");
    EXPECT_SQL(cluster, "SELECT count(*) || ' ' || min(slot AT TIME ZONE 'UTC') FROM done", "12 2026-03-28 12:00:00");
    ASSERT_RUN(0, "backfill", "hourly", "--from", "2026-03-28", "--to", "2026-03-30", "--only", "missing");
    EXPECT_SQL(cluster,
               "SELECT concat_ws(' ', done, passed) FROM chime.slot_backfills ORDER BY backfill_id DESC LIMIT 1",
               "24 24");
}
END_TEST

START_TEST(through_five_kills_each_slot_ends_once)
{
    site_job(site, "hourly", HOURLY "delivery = \"transactional\"; " NOTE("hourly"));
    site_job(site, "often",
             "schedule = \"* * * * * *\"; catchup = \"all\"; overlap_policy = \"buffer_all\";"
             " delivery = \"transactional\"; " NOTE("often"));
    served = site_lead(site);
    cluster_execute(cluster, "SELECT chime.begin_slot_backfill(job_id, '2026-03-01Z', '2026-04-01Z', 'all') FROM "
                             "chime.job WHERE name = 'hourly'");
    for (int kill = 1; kill <= 5; kill++) {
        char *some = files_path("SELECT count(*) >= %d FROM done WHERE job = 'hourly'", kill * 40);
        WAIT_SQL(cluster, some, "t", 60);
        free(some);
        daemon_kill(served);
        daemon_destroy(served);
        served = site_lead(site);
    }
    WAIT_SQL(cluster, "SELECT ended_at IS NOT NULL FROM chime.slot_backfills", "t", 120);
    EXPECT_SQL(cluster, "SELECT concat_ws(' ', asked, done, failed, remaining) FROM chime.slot_backfills",
               "744 744 0 0");
    EXPECT_SQL(cluster, "SELECT count(DISTINCT slot) || ' ' || count(*) FROM done WHERE job = 'hourly'", "744 744");
    EXPECT_SQL(cluster,
               "SELECT count(*) || ' ' || count(*) FILTER (WHERE state = 'succeeded') FROM chime.run_history WHERE "
               "kind = 'backfill'",
               "744 744");
    EXPECT_SQL(cluster,
               "SELECT count(*) FROM chime.run_history h JOIN chime.job j USING (job_id) WHERE j.name = 'often' AND "
               "h.state <> 'succeeded'",
               "0");
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.request", "0");
}
END_TEST

START_TEST(it_is_cancelled_as_one_and_few_of_its_slots_are_rows_meanwhile)
{
    site_job(site, "slow", "schedule = \"* * * * *\"; catchup = \"none\"; command = \"SELECT pg_sleep(3600)\";");
    served = site_lead(site);
    cluster_execute(cluster,
                    "SELECT chime.begin_slot_backfill(job_id, '2026-03-01Z', '2026-03-08Z', 'all') FROM chime.job");
    WAIT_SQL(cluster, "SELECT count(*) FROM chime.run WHERE kind = 'backfill'", "1", 30);
    EXPECT_SQL(cluster, "SELECT count(*) BETWEEN 100 AND 400 FROM chime.request WHERE kind = 'backfill'", "t");
    ASSERT_RUN(6, "backfill", "slow", DAY);
    commands_has(errors, "a backfill of job slow is under way");
    ASSERT_RUN(0, "backfill", "slow", "--cancel");
    AWAIT_END("slow");
    EXPECT_SQL(cluster, "SELECT state || ' ' || done || ' ' || failed FROM chime.slot_backfills", "cancelled 0 1");
    EXPECT_SQL(cluster, "SELECT string_agg(state::text, ',') FROM chime.run_history WHERE kind = 'backfill'",
               "cancelled");
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.request", "0");
    ASSERT_RUN(5, "backfill", "slow", "--cancel");
}
END_TEST

START_TEST(what_has_no_slots_is_refused)
{
    site_job(site, "hourly", HOURLY NOTE("hourly"));
    site_job(site, "yearly", "schedule = \"0 0 1 1 *\"; command = \"SELECT 1\";");
    site_job(site, "later", "after = [\"hourly\"]; command = \"SELECT 1\";");
    served = site_lead(site);
    ASSERT_RUN(5, "backfill", "yearly", DAY);
    commands_has(errors, "job \"yearly\" has no slot in that time\nHINT:  pgchime next yearly --at");
    ASSERT_RUN(6, "backfill", "later", DAY);
    commands_has(errors, "no slots that are known beforehand");
    ASSERT_RUN(2, "backfill", "hourly");
    commands_has(errors, "needs --from");
    ASSERT_RUN(2, "backfill", "hourly", "--from", "2026-03-28", "--to", "2999-01-01");
    commands_has(errors, "slots in the past");
    ASSERT_RUN(2, "backfill", "hourly", DAY, "--batch", "5");
}
END_TEST

START_TEST(a_role_backfills_its_own_jobs_and_no_others)
{
    cluster_execute(cluster, "CREATE ROLE app LOGIN; CREATE ROLE other LOGIN; GRANT pgchime_jobs TO app, other; GRANT "
                             "INSERT ON done TO app");
    served = site_lead(site);
    static const struct outcome_step steps[] = {
        {"app",
         "SELECT chime.schedule('a', '0 * * * *', 'INSERT INTO done SELECT $q$a$q$, $slot, $interval_start, "
         "$interval_end, $run_id')",
         "1", NULL},
        {"other", "SELECT chime.backfill_job(1, '2026-03-28Z', '2026-03-29Z')",
         "ERROR XX000: could not find valid entry for job 1", NULL},
        {NULL, "SELECT chime.cancel_backfill(1)", "ERROR XX000: could not find valid entry for job 1", NULL},
        {NULL, "SELECT count(*) FROM chime.slot_backfill", "ERROR 42501: permission denied for table slot_backfill",
         NULL},
        {"app", "SELECT chime.backfill_job(1, '2026-03-28Z', '2999-03-29Z') IS NULL",
         "ERROR 22023: a backfill ends in the past, and 2999-03-29 00:00:00+00 is not\nHINT: slots to come are the "
         "schedule's",
         NULL},
        {NULL, "SELECT chime.backfill_job(1, '2026-03-28Z', '2026-03-29Z')", "1", NULL},
    };
    OUTCOMES_SAY(cluster, steps);
    WAIT_SQL(cluster, "SELECT concat_ws(' ', state, done, failed, requested_by) FROM chime.slot_backfills",
             "ended 24 0 app", 60);
    EXPECT_SQL(cluster, "SELECT count(*) FROM done WHERE high = slot AND low = slot - interval '1 h'", "24");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("slot_backfill");
    TCase *cases = tcase_create("slot_backfill");
    tcase_set_timeout(cases, 240);
    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_add_test(cases, each_slot_of_a_range_is_a_run_of_its_own_with_its_interval);
    tcase_add_test(cases, only_what_is_missing_or_failed_is_done_where_that_is_asked_for);
    tcase_add_test(cases, through_five_kills_each_slot_ends_once);
    tcase_add_test(cases, it_is_cancelled_as_one_and_few_of_its_slots_are_rows_meanwhile);
    tcase_add_test(cases, what_has_no_slots_is_refused);
    tcase_add_test(cases, a_role_backfills_its_own_jobs_and_no_others);
    suite_add_tcase(suite, cases);
    return suite_run(suite);
}
