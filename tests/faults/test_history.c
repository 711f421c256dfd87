/* SPDX-License-Identifier: PostgreSQL */
/* A month of a busy ledger: with 10 million rows of history (200,000 without PGCHIME_TEST_FAULTS) the daemon leads, and
 * the commands answer, about as soon as without. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

#include "support/daemon/commands.h"
#include "support/daemon/stage.h"
#include "support/ledger/ledger_oracle.h"
#include "support/ledger/runs.h"
#include "support/process/files.h"
#include "support/process/suite.h"
#include "support/process/wait.h"

#define PATIENCE 60.0
#define ANSWER_SECONDS 20.0 /* of any command; a busy machine */
#define LEAD_SECONDS 30.0

static void set_up(void)
{
    static const char *const settings[] = {"synchronous_commit=off", "max_wal_size=4GB", "wal_level=minimal",
                                           "max_wal_senders=0", NULL};

    stage_set(settings);
}

static double seconds(void)
{
    struct timespec now;

    clock_gettime(CLOCK_MONOTONIC, &now);
    return (double)now.tv_sec + (double)now.tv_nsec / 1e9;
}

/* --- a month ------------------------------------------------------------------------------------------------------ */

#define JOBS 20

static void write_old_jobs(void)
{
    for (int i = 0; i < JOBS; i++) {
        char *name = files_path("old-%d", i);

        site_job(site, name, NEVER_DUE "command = \"SELECT 1\";");
        free(name);
    }
}

/* A partition for each day, as the daemon makes them; a twentieth of the runs failed. */
static void make_month(long rows)
{
    cluster_execute(
        cluster,
        "SET timezone = 'UTC'; DO $$ BEGIN FOR day IN 2..29 LOOP EXECUTE format('CREATE TABLE chime.%I PARTITION OF"
        " chime.run_history FOR VALUES FROM (%L) TO (%L)', 'run_history_' || to_char(current_date - day, 'YYYYMMDD'),"
        " current_date - day, current_date - day + 1); END LOOP; END $$");
    cluster_execute_format(
        cluster,
        "INSERT INTO chime.run_history (run_id, job_id, kind, slot, state, attempt, pid, epoch, claimed_at, started_at,"
        " finished_at, rows, sqlstate, message)"
        " SELECT n, j.job_id, 'schedule', s.slot, s.state::chime.run_state, 1, 1, 1, s.slot, s.slot, s.slot + interval "
        "'20 ms', 1,"
        " CASE s.state WHEN 'failed' THEN '22012' END, CASE s.state WHEN 'failed' THEN 'division by zero' ELSE 'SELECT "
        "1' END"
        " FROM generate_series(1, %ld) n"
        " JOIN (SELECT job_id, row_number() OVER (ORDER BY job_id) - 1 AS place FROM chime.job WHERE name LIKE "
        "'old-%%') j"
        "   ON j.place = n %% %d"
        " CROSS JOIN LATERAL (SELECT current_date::timestamptz - interval '29 days' + n * (interval '29 days' / %ld) "
        "AS slot,"
        "                            CASE WHEN n %% 401 < 20 THEN 'failed' ELSE 'succeeded' END AS state) s",
        rows, JOBS, rows);
    cluster_execute(cluster, "ANALYZE chime.run_history");
}

/* The oracle reads all of it, several times over. */
static void drop_month(void)
{
    cluster_execute(
        cluster, "DO $$ BEGIN FOR day IN 2..29 LOOP EXECUTE format('DROP TABLE chime.%I', 'run_history_' || "
                 "to_char(current_date - day, 'YYYYMMDD')); END LOOP; END $$;"
                 "DELETE FROM chime.run_history h USING chime.job j WHERE j.job_id = h.job_id AND j.name LIKE 'old-%'");
}

static void answers_soon(const char *const *words, const char *expected)
{
    double from = seconds();

    commands_expect(0, site_config(site), words, &output, &errors);
    double took = seconds() - from;
    printf("pgchime");
    for (const char *const *word = words; *word != NULL; word++)
        printf(" %s", *word);
    printf(": %.0f ms\n", took * 1000);
    fflush(stdout);
    commands_has(output, expected);
    ck_assert_msg(took < ANSWER_SECONDS, "%s took %g s", words[0], took);
}
#define ANSWERS_SOON(expected, ...) answers_soon((const char *const[]){__VA_ARGS__, NULL}, expected)

START_TEST(a_month_of_history_slows_nobody_down)
{
    long rows = getenv("PGCHIME_TEST_FAULTS") != NULL ? 10000000 : 200000;

    write_old_jobs();
    served = site_lead(site);
    site_end(served);
    daemon_destroy(served);
    make_month(rows);
    double from = seconds();
    served = site_lead(site);
    printf("%ld rows of history; leading after %.0f ms\n", rows, (seconds() - from) * 1000);
    ck_assert(seconds() - from < LEAD_SECONDS);
    oracle_await_load(cluster);
    ANSWERS_SOON("main", "status");
    ANSWERS_SOON("tick", "runs");
    ANSWERS_SOON("failed", "runs", "old-3", "--state", "failed");
    ANSWERS_SOON("old-3", "runs", "old-3");
    ANSWERS_SOON("failed", "runs", "--state", "failed");
    ANSWERS_SOON("tick", "runs", "--since", "1h");
    ANSWERS_SOON("old-3", "show", "old-3");
    ANSWERS_SOON("old-3", "why", "old-3");
    ANSWERS_SOON("old-3", "jobs");
    drop_month();
    oracle_expect_sound(cluster);
    EXPECT_SQL(cluster, "SELECT max(epoch) FROM chime.leader", "2");
}
END_TEST

static Suite *suite(void)
{
    Suite *all = suite_create("history");
    TCase *cases = tcase_create("history");

    tcase_add_checked_fixture(cases, set_up, stage_clear);
    tcase_set_timeout(cases, 1500);
    tcase_add_test(cases, a_month_of_history_slows_nobody_down);
    suite_add_tcase(all, cases);
    return all;
}

int main(void)
{
    return suite_run(suite());
}
