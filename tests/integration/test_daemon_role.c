/* SPDX-License-Identifier: PostgreSQL */
/* The daemon connects as another role from now on: its jobs are the same, with their cursors and all that is known of
 * them. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "support/cluster/init_role.h"
#include "support/daemon/served.h"
#include "support/ledger/runs.h"
#include "support/process/files.h"
#include "support/process/suite.h"
#include "support/process/wait.h"

static char *folder;

static void connect_as(const char *role)
{
    char *conninfo = cluster_conninfo_as(cluster, role, "postgres");
    site_use_conninfo(site, conninfo);
    free(conninfo);
}

static void use_plugin(void)
{
    char *plugin = files_path("%s/progress.so", folder);
    files_copy(PGCHIME_BUILD_DIR "/plugins/progress.so", plugin);
    site_use_plugins(site, folder);
    free(plugin);
}

static void set_up(void)
{
    cluster = cluster_create(NULL);
    site = site_create(cluster, "postgres", 4);
    folder = files_make_directory();
    cluster_execute(cluster, "REVOKE TEMPORARY ON DATABASE postgres FROM PUBLIC");
    cluster_execute_file(cluster, PGCHIME_SOURCE_DIR "/sql/sample/0_schema.sql");
    init_role_make(cluster, "day", "postgres");
    use_plugin();
    connect_as("day");
}

static void tear_down(void)
{
    served_tear_down();
    free(folder);
}

static void end_daemon(void)
{
    site_end(served);
    daemon_destroy(served);
    served = NULL;
}

static void lead_by_day(void)
{
    site_job(site, "tick", "schedule = \"1 second\"; command = \"SELECT 1\";");
    site_job(site, "asleep", "schedule = \"1 second\"; command = \"SELECT 1\";");
    served = site_lead(site);
    cluster_execute(cluster, "SELECT chime.suspend(job_id, 'it is late') FROM chime.job WHERE name = 'asleep'");
    WAIT_SQL(cluster, "SELECT count(*) FROM chime.job_state WHERE suspended_at IS NOT NULL", "1", 20);
    WAIT_SQL(cluster, "SELECT count(*) >= 2 FROM chime.runs WHERE job = 'tick' AND state = 'succeeded'", "t", 20);
    runs_ask_and_await(cluster, "refresh-agent-progress");
    end_daemon();
    cluster_execute(cluster,
                    "CREATE TABLE before AS SELECT j.job_id, j.name, j.origin, s.suspended_at, s.suspend_reason"
                    " FROM chime.job j JOIN chime.job_state s USING (job_id)");
}

static void lead_by_night(void)
{
    connect_as("night");
    served = site_lead(site);
    EXPECT_SQL(cluster,
               "SELECT count(*) FROM before b FULL JOIN chime.job j USING (job_id, name, origin)"
               " WHERE b.name IS NULL OR j.name IS NULL OR NOT j.active OR j.owner <> 'night'",
               "0");
    EXPECT_SQL(cluster,
               "SELECT count(*) FROM before b JOIN chime.job_state s USING (job_id)"
               " WHERE (b.suspended_at, b.suspend_reason) IS DISTINCT FROM (s.suspended_at, s.suspend_reason)",
               "0");
    WAIT_SQL(cluster, "SELECT count(*) >= 2 FROM chime.runs WHERE job = 'tick' AND state = 'succeeded' AND epoch = 2",
             "t", 20);
    EXPECT_SQL(
        cluster,
        "SELECT count(DISTINCT slot) + (SELECT coalesce(sum(slots), 0) FROM chime.missed WHERE job_id = j.job_id)"
        " = extract(epoch FROM max(slot) - min(slot)) + 1"
        " FROM chime.job j JOIN chime.run_history h USING (job_id) WHERE j.name = 'tick' GROUP BY j.job_id",
        "t");
    cluster_execute(cluster, "INSERT INTO submissions (id, agent_id, challenge_id, status, composite_score)"
                             " SELECT gen_random_uuid(), gen_random_uuid(), gen_random_uuid(), 'scored', n"
                             " FROM generate_series(1, 7) n");
    runs_ask_and_await(cluster, "refresh-agent-progress");
    EXPECT_SQL(cluster, "SELECT count(*) FROM analytics.mv_agent_progress", "7");
    EXPECT_SQL(cluster, "SELECT string_agg(state, ',') FROM chime.plugin", "installed");
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.runs WHERE state IN ('failed', 'lost')", "0");
}

START_TEST(everything_it_owned_goes_to_the_new_role)
{
    lead_by_day();
    cluster_execute(cluster, "CREATE ROLE night LOGIN; REASSIGN OWNED BY day TO night; ALTER ROLE day NOLOGIN");
    init_role_make(cluster, "night", "postgres");
    lead_by_night();
}
END_TEST

/* What docs/operating.md prints: a query whose rows are statements. */
static char *documented_query(void)
{
    char *text = files_read(PGCHIME_SOURCE_DIR "/docs/operating.md");
    char *begin = strstr(text, "SELECT format('ALTER");
    ck_assert_ptr_nonnull(begin);
    char *end = strstr(begin, "\\gexec");
    ck_assert_ptr_nonnull(end);
    char *query = files_path("%.*s", (int)(end - begin), begin);
    free(text);
    return query;
}

START_TEST(what_is_pgchimes_goes_to_the_new_role_one_by_one)
{
    lead_by_day();
    cluster_execute(cluster, "CREATE ROLE night LOGIN");
    char *query = documented_query();
    PGresult *statements = cluster_query(cluster, query);
    for (int i = 0; i < PQntuples(statements); i++) {
        cluster_execute(cluster, PQgetvalue(statements, i, 0));
    }
    PQclear(statements);
    free(query);
    cluster_execute(cluster, "ALTER ROLE day NOLOGIN");
    init_role_make(cluster, "night", "postgres");
    lead_by_night();
}
END_TEST

static void expect_refused(const char *finding)
{
    const char *const words[] = {"doctor", "-o", "json", "--config", site_config(site), NULL};
    char *output;
    connect_as("night");
    served = site_serve(site, NULL, NULL);
    daemon_await(served, finding, 20);
    daemon_await(served, "Changing the daemon's role", 20);
    ck_assert_int_ne(daemon_run(words, &output, NULL), 0);
    ck_assert_msg(strstr(output, finding) != NULL && strstr(output, "Changing the daemon's role") != NULL, "%s",
                  output);
    free(output);
    daemon_destroy(served);
    served = NULL;
}

START_TEST(a_role_that_lacks_rights_is_told_whose_they_are)
{
    lead_by_day();
    cluster_execute(cluster, "CREATE ROLE night LOGIN");
    expect_refused("schema chime belongs to day, and night has not that role's rights");
    cluster_execute(cluster, "ALTER SCHEMA chime OWNER TO night");
    expect_refused("of schema chime, something belongs to day, and night has not that role's rights");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("daemon_role");
    TCase *cases = tcase_create("daemon_role");
    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_set_timeout(cases, 120);
    tcase_add_test(cases, everything_it_owned_goes_to_the_new_role);
    tcase_add_test(cases, what_is_pgchimes_goes_to_the_new_role_one_by_one);
    tcase_add_test(cases, a_role_that_lacks_rights_is_told_whose_they_are);
    suite_add_tcase(suite, cases);
    return suite_run(suite);
}
