/* SPDX-License-Identifier: PostgreSQL */
/* A catalog that goes to the ledger in many parts: at the start, by a reload while requests arrive, and when it breaks
 * off. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "support/daemon/served.h"
#include "support/ledger/runs.h"
#include "support/process/suite.h"
#include "support/process/wait.h"

#define JOBS 6000 /* some five parts */

static void set_up(void)
{
    served_set_up(2);
}

static void write_jobs(int first, const char *command)
{
    char *text = NULL;
    size_t length = 0;
    FILE *file = open_memstream(&text, &length);
    fputs("jobs: {\n", file);
    for (int i = first; i < first + JOBS; i++) {
        fprintf(file, "job%05d: { " NEVER_DUE "command = \"%s\"; };\n", i, command);
    }
    fputs("};\n", file);
    fclose(file);
    site_file(site, "many", text);
    free(text);
}

static void reload(void)
{
    const char *const arguments[] = {"reload", "--config", site_config(site), NULL};
    char *errors = NULL;
    int status = daemon_run(arguments, NULL, &errors);
    ck_assert_msg(status == 0, "reload: status %d: %s", status, errors);
    free(errors);
}

static void expect_all_from(const char *first)
{
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.job JOIN chime.job_state USING (job_id) WHERE active", "6000");
    EXPECT_SQL(cluster, "SELECT min(name) FROM chime.job WHERE active", first);
}

START_TEST(all_parts_arrive_and_a_reload_changes_adds_and_switches_off)
{
    write_jobs(0, "SELECT 1");
    served = site_lead(site);
    expect_all_from("job00000");
    write_jobs(3000, "SELECT 2");
    cluster_execute(cluster, "SELECT chime.suspend(job_id) FROM chime.job WHERE name = 'job05999'");
    reload();
    /* On a slow machine the answer comes before the end. */
    WAIT_FOR(daemon_said(served, "goes by the new catalog with 6000 jobs"), 60);
    expect_all_from("job03000");
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.job WHERE active AND command = 'SELECT 2'", "6000");
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.job", "9000");
    WAIT_SQL(cluster, "SELECT count(*) FROM chime.request", "0", 20);
    cluster_execute(cluster, "SELECT chime.resume(job_id) FROM chime.job WHERE name = 'job05999'");
    runs_ask_and_await(cluster, "job05999");
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.leadership", "1");
}
END_TEST

/* The sixth job from the end cannot be written until the leader's session is gone. */
START_TEST(a_catalog_that_breaks_off_in_the_middle_is_completed_by_the_next_leadership)
{
    write_jobs(0, "SELECT 1");
    served = site_lead(site);
    site_end(served);
    daemon_destroy(served);
    write_jobs(0, "SELECT 2");
    PGconn *other = cluster_connect(cluster, "postgres");
    PQclear(PQexec(other, "BEGIN; SELECT FROM chime.job WHERE name = 'job05994' FOR UPDATE"));
    served = site_serve(site, NULL, NULL);
    WAIT_SQL(cluster,
             "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock' AND query LIKE '%sync_jobs%'", "1",
             60);
    EXPECT_SQL(cluster, "SELECT count(*) BETWEEN 1 AND 5999 FROM chime.job WHERE command = 'SELECT 2'", "t");
    cluster_execute(cluster, "SELECT pg_terminate_backend(pid) FROM chime.leader");
    PQfinish(other);
    site_await_leading(served);
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.job WHERE active AND command = 'SELECT 2' AND version = 2", "6000");
    runs_ask_and_await(cluster, "job05994");
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("large_catalog");
    TCase *cases = tcase_create("large_catalog");
    tcase_add_checked_fixture(cases, set_up, served_tear_down);
    tcase_set_timeout(cases, 180);
    tcase_add_test(cases, all_parts_arrive_and_a_reload_changes_adds_and_switches_off);
    tcase_add_test(cases, a_catalog_that_breaks_off_in_the_middle_is_completed_by_the_next_leadership);
    suite_add_tcase(suite, cases);
    return suite_run(suite);
}
