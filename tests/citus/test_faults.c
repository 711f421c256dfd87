/* SPDX-License-Identifier: PostgreSQL */
/* The load of the fault tests on a coordinator of Citus, beside refreshes of views over distributed tables and a
 * writer: a worker is killed and comes back, shards are moved. The oracle must find no lost or repeated run, and the
 * views must be right in the end. */
#define _GNU_SOURCE
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "support/cluster/citus.h"
#include "support/cluster/psql.h"
#include "support/daemon/site.h"
#include "support/fault/fault_load.h"
#include "support/ledger/runs.h"
#include "support/process/suite.h"
#include "support/process/wait.h"

#define CASE_SECONDS 900
#define ROUNDS 4

static struct citus *citus;
static struct cluster *coordinator;
static struct site *site;

static void set_up(void)
{
    citus = citus_create();
    coordinator = citus->coordinator;
    psql_load_sample(coordinator);
    citus_distribute_sample(citus);
    site = site_create(coordinator, "postgres", 12);
    site_use_plugins(site, PGCHIME_BUILD_DIR "/plugins");
    fault_load_install(coordinator, site);
    cluster_execute(coordinator, "GRANT SELECT ON ALL TABLES IN SCHEMA public TO chimer"); /* the load's role */
    site_file(site, "lanes",
              "jobs: { refresh-lane-distributions: { schedule = \"* * * * * *\"; };"
              " refresh-weakness-patterns: { schedule = \"*/2 * * * * *\"; }; };");
}

static void tear_down(void)
{
    site_destroy(site);
    citus_destroy(citus);
}

static void write_some(void)
{
    cluster_execute(
        coordinator,
        "INSERT INTO submissions (id, agent_id, challenge_id, status, final_lane_scores)"
        " SELECT gen_random_uuid(), agent_id, challenge_id, 'scored', '{\"style\": 1}' FROM submissions LIMIT 20");
}

/* Runs that succeed from now on. */
static void await_refreshes(int count)
{
    char *from = cluster_value(coordinator, "SELECT clock_timestamp()");
    char *sql = NULL;

    ck_assert_int_gt(asprintf(&sql,
                              "SELECT count(*) >= %d FROM chime.runs WHERE job = 'refresh-lane-distributions'"
                              " AND state = 'succeeded' AND slot > '%s'",
                              count, from),
                     0);
    WAIT_SQL(coordinator, sql, "t", 60);
    free(sql);
    free(from);
}

static void expect_right(void)
{
    cluster_execute(coordinator, "CREATE TEMP TABLE s AS SELECT * FROM submissions");
    EXPECT_SQL(
        coordinator, "SELECT sum(sample_count) FROM analytics.mv_lane_score_distribution WHERE lane_key = 'style'",
        cluster_value(coordinator,
                      "SELECT count(*) FROM s WHERE status = 'scored' AND jsonb_typeof(final_lane_scores) = 'object'"
                      " AND jsonb_typeof(final_lane_scores -> 'style') = 'number'"));
    EXPECT_SQL(
        coordinator,
        "SELECT string_agg(d::text, ' ') FROM chime.view v CROSS JOIN LATERAL chime.difference(v.view_schema || '.' || "
        "v.relation) AS d"
        " WHERE v.relation IN ('mv_lane_score_distribution', 'mv_weakness_patterns') AND d.missing + d.surplus > 0",
        NULL);
}

static void verdict(void)
{
    cluster_use(coordinator,
                "postgres"); /* another session: this one's connections to a worker may have died with it */
    fault_load_settle(coordinator, site);
    fault_load_print_states(coordinator);
    fault_load_assert_no_fault(coordinator);
    cluster_execute(coordinator,
                    "SELECT chime.refresh('mv_lane_score_distribution'), chime.refresh('mv_weakness_patterns')");
    expect_right();
}

START_TEST(a_worker_that_dies_and_comes_back_costs_no_run)
{
    struct daemon *daemon = site_lead(site);

    for (int round = 0; round < ROUNDS; round++) {
        struct cluster *worker = citus->workers[round % CITUS_WORKERS];
        write_some();
        await_refreshes(2);
        cluster_kill(worker);
        WAIT_SQL(coordinator,
                 "SELECT count(*) > 0 FROM chime.runs WHERE job = 'refresh-lane-distributions' AND state = 'failed' "
                 "AND slot > clock_timestamp() - interval '20 s'",
                 "t", 60);
        cluster_start(worker);
    }
    await_refreshes(2);
    EXPECT_SQL(coordinator, "SELECT count(*) FROM chime.runs WHERE state = 'lost'", "0");
    site_end(daemon);
    daemon_destroy(daemon);
    verdict();
}
END_TEST

START_TEST(shards_move_while_views_are_refreshed)
{
    struct daemon *daemon = site_lead(site);

    await_refreshes(1);
    for (int round = 0; round < ROUNDS; round++) {
        write_some();
        citus_move_a_shard(citus, "submissions");
    }
    await_refreshes(2);
    EXPECT_SQL(coordinator,
               "SELECT string_agg(DISTINCT state::text || ' ' || message, '; ') FROM chime.runs"
               " WHERE job ~ '^refresh-(lane|weakness)' AND state NOT IN ('succeeded', 'skipped', 'running')",
               NULL);
    site_end(daemon);
    daemon_destroy(daemon);
    verdict();
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("faults on Citus");
    TCase *cases = tcase_create("faults");

    tcase_set_timeout(cases, CASE_SECONDS);
    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_add_test(cases, a_worker_that_dies_and_comes_back_costs_no_run);
    tcase_add_test(cases, shards_move_while_views_are_refreshed);
    suite_add_tcase(suite, cases);
    return suite_run(suite) == 0 ? EXIT_SUCCESS : EXIT_FAILURE;
}
