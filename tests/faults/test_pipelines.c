/* SPDX-License-Identifier: PostgreSQL */
/* A pipeline of each kind while sessions, daemons and the server are killed, and writers commit in another order than
 * they drew their numbers in: each row of the source is in each effect once. One that goes by what is visible loses
 * rows under the same load, so the load would show a bound that is not safe.
 * PGCHIME_TEST_SOAK: 300 faults; PGCHIME_TEST_FAULTS: 60; else 12. */
#include <check.h>
#include <libpq-fe.h>
#include <stdlib.h>

#include "support/cluster/init_role.h"
#include "support/daemon/served.h"
#include "support/fault/fault_load.h"
#include "support/ledger/runs.h"
#include "support/process/suite.h"
#include "support/process/wait.h"

#define WRITERS 3
#define PATIENCE 60
#define EACH_SECOND                                                                                           \
    "schedule = \"1 seconds\"; delivery = \"transactional\"; suspend_after_failures = 0; max_attempts = 100;" \
    " backoff: { initial = \"10ms\"; coefficient = 1.0; }; "

static PGconn *writers[WRITERS];

/* A number is drawn, and committed a while later or never. `queue` is what chunks take from. */
static const char *const tables =
    "CREATE TABLE source (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, at timestamptz NOT NULL DEFAULT now());"
    "CREATE INDEX ON source (at); CREATE TABLE queue (id bigint PRIMARY KEY); CREATE TABLE over (at timestamptz);"
    "CREATE TABLE by_sequence (id bigint); CREATE TABLE by_interval (id bigint); CREATE TABLE by_chunk (id bigint);"
    "CREATE TABLE naive (id bigint); CREATE INDEX ON naive (id);"
    "CREATE PROCEDURE write() LANGUAGE plpgsql AS $$ DECLARE v_id bigint; BEGIN"
    "  WHILE NOT EXISTS (SELECT FROM over) LOOP"
    "    v_id := nextval('source_id_seq');"
    "    PERFORM pg_sleep(random() * random() * 0.2);"
    "    INSERT INTO source (id) OVERRIDING SYSTEM VALUE VALUES (v_id); INSERT INTO queue VALUES (v_id);"
    "    PERFORM pg_sleep(random() * random() * 0.05);"
    "    IF random() < 0.1 THEN ROLLBACK; ELSE COMMIT; END IF;"
    "  END LOOP; END $$;"
    "GRANT SELECT ON source, source_id_seq TO chimer; GRANT SELECT, DELETE ON queue TO chimer;"
    "GRANT SELECT, INSERT ON by_sequence, by_interval, by_chunk, naive TO chimer";

static void set_up(void)
{
    cluster = cluster_create(NULL);
    init_role_make(cluster, "chimer", "postgres");
    site = site_create(cluster, "postgres", 5);
    char *conninfo = cluster_conninfo_as(cluster, "chimer", "postgres");
    site_use_conninfo(site, conninfo);
    free(conninfo);
    cluster_execute(cluster, tables);
    site_job(site, "by-sequence",
             EACH_SECOND "cursor = \"sequence\"; cursor_source = \"public.source.id\"; command = \"INSERT INTO "
                         "by_sequence SELECT id FROM source WHERE id >= $cursor_start AND id < $cursor_end\";");
    site_job(site, "by-interval",
             EACH_SECOND "cursor = \"interval\"; command = \"INSERT INTO by_interval SELECT id FROM source WHERE at >= "
                         "$cursor_start AND at < $cursor_end\";");
    site_job(site, "by-chunk",
             EACH_SECOND "cursor = \"chunk\"; command = \"WITH gone AS (DELETE FROM queue WHERE id IN (SELECT id FROM "
                         "queue ORDER BY id LIMIT 5) RETURNING id), kept AS (INSERT INTO by_chunk SELECT id FROM gone "
                         "RETURNING id) SELECT count(*) = 5, count(*) FROM kept\";");
    site_job(site, "naive",
             EACH_SECOND "command = \"INSERT INTO naive SELECT id FROM source WHERE id > (SELECT coalesce(max(id), 0) "
                         "FROM naive)\";");
}

static void write_on(void)
{
    for (int i = 0; i < WRITERS; i++) {
        PQfinish(writers[i]);
        writers[i] = cluster_connect(cluster, "postgres");
        ck_assert(PQsendQuery(writers[i], "CALL write()"));
    }
}

static void restart_server(void)
{
    cluster_stop(cluster, CLUSTER_IMMEDIATE);
    cluster_start(cluster);
    write_on();
}

static void kill_daemon(void)
{
    daemon_kill(served);
    daemon_destroy(served);
    served = site_lead(site);
}

static void end_runs(void)
{
    cluster_execute(cluster, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE application_name = 'pgchime "
                             "run' AND (state = 'active' OR random() < 0.3)");
}

static void do_harm(int faults)
{
    for (int i = 0; i < faults; i++) {
        fault_let_pass(fault_random_below(1.2));
        if (i % 10 == 9) {
            restart_server();
        } else if (i % 2 == 0) {
            kill_daemon();
        } else {
            end_runs();
        }
    }
}

static void let_writers_end(void)
{
    cluster_execute(cluster, "INSERT INTO over VALUES (now())");
    for (int i = 0; i < WRITERS; i++) {
        PQclear(PQgetResult(writers[i]));
        PQfinish(writers[i]);
        writers[i] = NULL;
    }
}

static void expect_each_once(const char *effect)
{
    char sql[400];
    snprintf(sql, sizeof(sql),
             "SELECT concat_ws(' ', (SELECT count(*) FROM %s), (SELECT count(DISTINCT id) FROM %s), (SELECT count(*) "
             "FROM source s WHERE NOT EXISTS (SELECT FROM %s e WHERE e.id = s.id))) = concat_ws(' ', count(*), "
             "count(*), 0) FROM source",
             effect, effect, effect);
    ck_assert_msg(cluster_true(cluster, sql), "%s", effect);
}

START_TEST(each_row_is_in_each_effect_once)
{
    printf("seed %u\n", fault_seed());
    served = site_lead(site);
    WAIT_SQL(cluster, "SELECT count(*) FROM chime.pipeline_status", "3", PATIENCE);
    cluster_execute(cluster, "SELECT chime.set_pipeline_position(job_id, '2000-01-01Z') FROM chime.job WHERE name = "
                             "'by-interval'");
    write_on();
    do_harm(fault_soak() ? 300 : fault_full_size() ? 60 : 12);
    let_writers_end();
    WAIT_SQL(cluster,
             "SELECT bool_and(CASE kind WHEN 'sequence' THEN position = upper_bound WHEN 'interval' THEN "
             "position::timestamptz > (SELECT max(at) FROM over) ELSE NOT EXISTS (SELECT FROM queue) END) FROM "
             "chime.pipeline_status",
             "t", PATIENCE);
    site_end(served);
    daemon_destroy(served);
    served = NULL;
    EXPECT_SQL(cluster, "SELECT count(*) > 20 FROM source", "t");
    expect_each_once("by_sequence");
    expect_each_once("by_interval");
    expect_each_once("by_chunk");
    char *lost = cluster_value(cluster,
                               "SELECT count(*) FROM source s WHERE NOT EXISTS (SELECT FROM naive n WHERE n.id "
                               "= s.id)");
    char *rows = cluster_value(cluster, "SELECT count(*) FROM source");
    printf("%s rows in each effect once; the naive bound lost %s\n", rows, lost);
    ck_assert_int_gt(atoi(lost), 0);
    free(lost);
    free(rows);
}
END_TEST

static Suite *suite(void)
{
    Suite *all = suite_create("pipelines");
    TCase *cases = tcase_create("pipelines");
    tcase_add_checked_fixture(cases, set_up, served_tear_down);
    tcase_set_timeout(cases, 1500);
    tcase_add_test(cases, each_row_is_in_each_effect_once);
    suite_add_tcase(all, cases);
    return all;
}

int main(void)
{
    return suite_run(suite());
}
