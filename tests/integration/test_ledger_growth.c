/* SPDX-License-Identifier: PostgreSQL */
/* What the leader does every second, and for every run, touches as many pages of 50,000 jobs as of 50: it looks rows
 * up. The statements are those of core/ledger, prepared before there were many jobs, in a session that goes on. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/cluster/cluster.h"
#include "support/ledger/ledger_sql.h"
#include "support/process/suite.h"

#define FEW 50
#define MANY 50000
#define SLACK 10

static struct cluster *cluster;
static int slot;

static void set_up(void)
{
    static const char *const settings[] = {"shared_buffers=256MB", "autovacuum=off", NULL};
    cluster = ledger_sql_install(settings);
    ledger_sql_helpers(cluster);
    ledger_sql_lead(cluster);
    ledger_sql_jobs(cluster, FEW);
    slot = 0;
}

static void tear_down(void)
{
    cluster_destroy(cluster);
}

/* Pages that executing it touched, those of the functions it calls included. */
static long buffers(const char *statement)
{
    char sql[600];
    long hit = 0;
    long read = 0;
    snprintf(sql, sizeof(sql), "EXPLAIN (ANALYZE, BUFFERS, FORMAT JSON) %s", statement);
    char *plan = cluster_rows(cluster, sql);
    const char *at_hit = strstr(plan, "\"Shared Hit Blocks\": ");
    const char *at_read = strstr(plan, "\"Shared Read Blocks\": ");
    ck_assert_msg(at_hit != NULL && at_read != NULL && sscanf(at_hit, "%*[^:]: %ld", &hit) == 1 &&
                      sscanf(at_read, "%*[^:]: %ld", &read) == 1,
                  "%s", plan);
    free(plan);
    return hit + read;
}

/* The second time, so that nothing is measured of what a session does once. */
static long settled_buffers(const char *statement)
{
    buffers(statement);
    return buffers(statement);
}

struct cost {
    long heartbeat;
    long requests;
    long claim;
    long finish;
    long skip;
};

static long next_claim(void)
{
    char sql[200];
    snprintf(sql, sizeof(sql), "EXECUTE claim(%d, %d)", slot, slot + 1);
    slot++;
    return buffers(sql);
}

static long this_finish(void)
{
    char sql[200];
    snprintf(sql, sizeof(sql), "EXECUTE finish(%d)", slot);
    return buffers(sql);
}

static long next_skip(void)
{
    char sql[200];
    snprintf(sql, sizeof(sql), "EXECUTE skip(%d, %d)", slot, slot + 1);
    slot++;
    return buffers(sql);
}

static void prepare(void)
{
    cluster_execute(
        cluster, "PREPARE heartbeat AS SELECT clock_timestamp(), EXISTS (SELECT FROM chime.leader l WHERE"
                 " l.token = '" LEDGER_SQL_TOKEN "'), (SELECT max(m.number) FROM chime.migration m);"
                 "PREPARE requests AS SELECT request_id, verb, job_id, kind, slot, reason FROM chime.open_requests();"
                 "PREPARE claim(int, int) AS SELECT job_id FROM chime.claim('" LEDGER_SQL_TOKEN "', '{17}', '{1}',"
                 " '{schedule}', ARRAY[at($2)], ARRAY[at($1)], '{1}', ARRAY[at(0)]);"
                 "PREPARE finish(int) AS SELECT job_id FROM chime.finish('" LEDGER_SQL_TOKEN "', '{17}', '{schedule}',"
                 " ARRAY[at($1)], '{succeeded}', ARRAY[at($1)], ARRAY[at($1)], '{1}', '{NULL}', '{NULL}', '{NULL}',"
                 " '{all}');"
                 "PREPARE skip(int, int) AS SELECT job_id FROM chime.skip('" LEDGER_SQL_TOKEN "', '{17}', '{schedule}',"
                 " ARRAY[at($1)], ARRAY[at($2)], ARRAY[at($2)], '{x}', '{t}', '{all}')");
}

/* As the second run of the job, and the second look, in this session. */
static struct cost measure(void)
{
    struct cost cost = {.heartbeat = settled_buffers("EXECUTE heartbeat"),
                        .requests = settled_buffers("EXECUTE requests")};
    for (int i = 0; i < 2; i++) {
        cost.claim = next_claim();
        cost.finish = this_finish();
        cost.skip = next_skip();
    }
    ck_assert_int_eq(cluster_integer(cluster, "SELECT count(*) FROM chime.run"), 0);
    ck_assert_int_eq(cluster_integer(cluster, "SELECT count(*) FROM chime.run_history"), slot);
    return cost;
}

/* A further level of each index, pages that were extended: not a table of 50,000 rows, which has hundreds of pages. */
static void expect_bounded(const char *what, long many, long few)
{
    ck_assert_msg(many <= 2 * few + SLACK, "%s touches %ld pages, and touched %ld when there were few jobs", what, many,
                  few);
}

static void expect_all_bounded(const struct cost *many, const struct cost *few)
{
    expect_bounded("the heartbeat", many->heartbeat, few->heartbeat);
    expect_bounded("the look for requests", many->requests, few->requests);
    expect_bounded("a claim", many->claim, few->claim);
    expect_bounded("a finish", many->finish, few->finish);
    expect_bounded("a skip", many->skip, few->skip);
}

/* Some of everything that requests look at, as few as before. */
static void add_requests(void)
{
    cluster_execute(cluster,
                    "INSERT INTO chime.request (job_id, slot) SELECT n, at(1) FROM generate_series(1, 10) n;"
                    "SELECT chime.suspend(n) FROM generate_series(11, 15) n;"
                    "UPDATE chime.job_state SET suspended_at = at(1), suspended_by = 'ann', suspended_until = at(2)"
                    " WHERE job_id BETWEEN 20 AND 22");
}

START_TEST(a_session_that_planned_for_few_jobs_reads_no_more_of_many)
{
    prepare();
    add_requests();
    struct cost few = measure();
    ledger_sql_jobs(cluster, MANY - FEW);
    struct cost many = measure();
    expect_all_bounded(&many, &few);
    cluster_execute(cluster, "ANALYZE"); /* plans are made anew for what is there now */
    many = measure();
    expect_all_bounded(&many, &few);
}
END_TEST

START_TEST(a_new_session_reads_no_more_of_many)
{
    prepare();
    add_requests();
    struct cost few = measure();
    ledger_sql_jobs(cluster, MANY - FEW);
    cluster_execute(cluster, "VACUUM ANALYZE");
    cluster_use(cluster, "postgres");
    cluster_execute(cluster, "DISCARD ALL");
    prepare();
    struct cost many = measure();
    expect_all_bounded(&many, &few);
}
END_TEST

START_TEST(a_part_of_a_catalog_looks_its_own_jobs_up)
{
    static const char part[] =
        "SELECT count(*) FROM chime.sync_jobs('" LEDGER_SQL_TOKEN
        "', (SELECT jsonb_agg(jsonb_build_object('name', name,"
        " 'origin', origin, 'active', active, 'schedule', schedule, 'command', command, 'views', views, 'after', after,"
        " 'options', options)) FROM chime.job WHERE job_id <= 50), '{\"command\": {}, \"refresh\": {}}', "
        "clock_timestamp(), true)";
    long few = settled_buffers(part);
    ledger_sql_jobs(cluster, MANY - FEW);
    cluster_execute(cluster, "VACUUM ANALYZE");
    long many = settled_buffers(part);
    ck_assert_msg(many <= few + FEW * 10, "%ld pages, and %ld when there were few jobs", many, few);
}
END_TEST

static void expire_all(void)
{
    cluster_execute(cluster, "TRUNCATE chime.expired_schedule;"
                             "SELECT chime.expire_schedule(j, at(1)) FROM chime.job j");
}

/* Each page by its key, after statistics of a table that was empty. */
START_TEST(a_page_of_expired_schedules_costs_as_much_of_many)
{
    static const char first[] = "SELECT count(*) FROM chime.expired_schedules('" LEDGER_SQL_TOKEN "', 0, 0)";
    static const char middle[] = "SELECT count(*) FROM chime.expired_schedules('" LEDGER_SQL_TOKEN "', 25000, 1)";
    cluster_execute(cluster, "VACUUM ANALYZE");
    ledger_sql_jobs(cluster, 1000 - FEW);
    expire_all();
    long few = settled_buffers(first);
    ledger_sql_jobs(cluster, MANY - 1000);
    expire_all();
    long many = settled_buffers(first);
    long between = settled_buffers(middle);
    ck_assert_msg(many <= few + 1000 && between <= few + 1000, "%ld and %ld pages, and %ld when there was one page",
                  many, between, few);
    ck_assert_msg(few <= 12000, "%ld pages for 1000 rows", few);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("ledger_growth");
    TCase *cases = tcase_create("ledger_growth");
    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_set_timeout(cases, 120);
    tcase_add_test(cases, a_session_that_planned_for_few_jobs_reads_no_more_of_many);
    tcase_add_test(cases, a_new_session_reads_no_more_of_many);
    tcase_add_test(cases, a_page_of_expired_schedules_costs_as_much_of_many);
    tcase_add_test(cases, a_part_of_a_catalog_looks_its_own_jobs_up);
    suite_add_tcase(suite, cases);
    return suite_run(suite);
}
