/* SPDX-License-Identifier: PostgreSQL */
/* One simulated day of 200 jobs with every option mixed through the real scheduler and the real ledger: chime.* on a
 * PostgreSQL server holds exactly what an independent slot generator expects (tests/support/month/month.h). */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "support/cluster/cluster.h"
#include "support/month/month_database.h"
#include "support/process/suite.h"

static struct cluster *cluster;
static struct month *month;
static struct month_database *database;

/* Days on which clocks change: forward in Berlin and Beirut, back in Sydney, Lord Howe and Santiago. */
static void choose_day(void)
{
    instant forward = MONTH_START + 22 * USEC_PER_DAY;
    instant back = MONTH_START + 29 * USEC_PER_DAY;
    month->start = (month->seed % 2 == 0 ? forward : back) + USEC_PER_DAY / 2;
    month->end = month->start + USEC_PER_DAY;
}

static void set_up(void)
{
    static const char *const settings[] = {"synchronous_commit=off", "jit=off", NULL};
    cluster = cluster_create(settings);
    month = xcalloc(1, sizeof(*month));
    month->seed = suite_seed();
    choose_day();
    month_make_jobs(month, MONTH_JOBS);
    database = month_database_create(cluster, month);
}

static void tear_down(void)
{
    month_database_destroy(database);
    month_free_jobs(month);
    free(month);
    cluster_destroy(cluster);
}

/* Rows that contradict what was expected; there are to be none. */
static void require_none(const char *what, const char *sql)
{
    char *rows = cluster_rows(cluster, sql);
    ck_assert_msg(rows[0] == '\0', "PGCHIME_TEST_SEED=%llu: %s:\n%s", (unsigned long long)month->seed, what, rows);
    free(rows);
}

static void require_slots(void)
{
    cluster_execute(cluster, "CREATE VIEW shown AS SELECT e.*, j.options ->> 'log_runs' AS log,"
                             " (SELECT count(*) FROM chime.run_history h WHERE (h.job_id, h.kind, h.slot) = (e.job_id, "
                             "e.kind, e.slot)) AS rows,"
                             " (SELECT count(*) FROM chime.missed m WHERE m.job_id = e.job_id AND e.slot BETWEEN "
                             "m.first_slot AND m.last_slot"
                             "  AND e.kind = 'schedule') AS gaps FROM expected e JOIN chime.job j USING (job_id);"
                             "CREATE VIEW due AS SELECT *, coalesce(state <> 'missed' AND CASE log WHEN 'all' THEN true"
                             " WHEN 'errors' THEN state <> 'succeeded' ELSE false END, false) AS kept FROM shown");
    require_none("slots that are not there exactly once",
                 "SELECT job_id, kind, slot, state, log, rows, gaps FROM due"
                 " WHERE rows <> kept::int OR gaps <> coalesce(state = 'missed', false)::int LIMIT 5");
    require_none("slots that ended otherwise",
                 "SELECT e.*, h.state, h.reason FROM expected e JOIN chime.run_history h USING (job_id, kind, slot)"
                 " WHERE h.state IS DISTINCT FROM e.state LIMIT 5");
    require_none(
        "slots that were not due",
        "SELECT h.job_id, h.kind, h.slot FROM chime.run_history h LEFT JOIN expected e USING (job_id, kind, slot)"
        " WHERE e.slot IS NULL LIMIT 5");
    require_none(
        "missed slots that were not due, or counted wrongly",
        "SELECT m.* FROM chime.missed m WHERE m.slots <> (SELECT count(*) FROM expected e WHERE e.job_id = m.job_id"
        " AND e.slot BETWEEN m.first_slot AND m.last_slot) LIMIT 5");
}

static void require_state(void)
{
    require_none(
        "counters that do not fit",
        "SELECT s.job_id, s.runs, s.successes, s.failures, s.skips, e.* FROM chime.job_state s LEFT JOIN LATERAL"
        " (SELECT count(*) FILTER (WHERE state NOT IN ('skipped', 'missed')) AS runs,"
        "  count(*) FILTER (WHERE state = 'succeeded') AS successes,"
        "  count(*) FILTER (WHERE state IN ('failed', 'timed_out', 'lost')) AS failures,"
        "  count(*) FILTER (WHERE state = 'skipped') AS skips, max(slot) FILTER (WHERE state IS NOT NULL) AS last"
        "  FROM expected e WHERE e.job_id = s.job_id) e ON true"
        " WHERE (s.runs, s.successes, s.failures, s.skips) IS DISTINCT FROM (e.runs, e.successes, e.failures, e.skips)"
        " OR s.last_slot <> e.last LIMIT 5");
    require_none("runs and requests that are left",
                 "SELECT job_id::text FROM chime.run UNION ALL SELECT verb FROM chime.request");
    require_none("jobs that stayed suspended", "SELECT job_id FROM chime.job_state WHERE suspended_at IS NOT NULL");
    int64_t attempts = 0;
    for (size_t i = 0; i < month->job_count; i++) {
        attempts += month->jobs[i].attempts;
    }
    ck_assert_int_eq(cluster_integer(cluster, "SELECT count(*) FROM chime.attempt"), attempts);
    ck_assert_int_eq(cluster_integer(cluster, "SELECT epoch FROM chime.leader"), month->counts.deaths + 1);
}

START_TEST(the_ledger_of_a_day_holds_what_an_independent_generator_expects)
{
    month_live(month);
    month_require_end(month);
    month_database_expect(database, month);
    require_slots();
    require_state();
    ck_assert_int_gt(month->counts.runs, 1000);
    ck_assert_int_gt(month->counts.deaths, 0);
    ck_assert_int_gt(cluster_integer(cluster, "SELECT count(*) FROM chime.missed"), 0);
    printf("%lld slots, %lld runs, %lld leaders\n",
           (long long)cluster_integer(cluster, "SELECT count(*) FROM expected"), (long long)month->counts.runs,
           (long long)month->counts.deaths + 1);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ledger_day");
    TCase *day = tcase_create("day");
    tcase_add_checked_fixture(day, set_up, tear_down);
    tcase_set_timeout(day, 240);
    tcase_add_test(day, the_ledger_of_a_day_holds_what_an_independent_generator_expects);
    suite_add_tcase(suite, day);
    return suite_run(suite);
}
