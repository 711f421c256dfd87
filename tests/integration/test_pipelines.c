/* SPDX-License-Identifier: PostgreSQL */
/* Jobs with a cursor through a real daemon: what is between their bounds while transactions commit out of order, what
 * they wait for, and where they go on. Faults are in faults/test_pipelines.c. */
#include <check.h>
#include <libpq-fe.h>
#include <stdlib.h>

#include "support/cluster/init_role.h"
#include "support/cluster/session.h"
#include "support/daemon/served.h"
#include "support/ledger/runs.h"
#include "support/process/suite.h"
#include "support/process/wait.h"

#define ONCE NEVER_DUE "delivery = \"transactional\"; backoff: { initial = \"10ms\"; coefficient = 1.0; }; "
#define FOLLOWS "cursor = \"sequence\"; cursor_source = \"public.source.id\"; "

static void use_sessions(int count)
{
    char *conninfo = cluster_conninfo_as(cluster, "chimer", "postgres");
    site_destroy(site);
    site = site_create(cluster, "postgres", count);
    site_use_conninfo(site, conninfo);
    free(conninfo);
}

static void set_up(void)
{
    cluster = cluster_create(NULL);
    init_role_make(cluster, "chimer", "postgres");
    use_sessions(2);
    cluster_execute(cluster,
                    "CREATE TABLE source (id bigint GENERATED ALWAYS AS IDENTITY PRIMARY KEY, at timestamptz NOT NULL "
                    "DEFAULT now());"
                    "CREATE TABLE sound (id bigint); CREATE TABLE naive (id bigint);"
                    "GRANT SELECT ON source, source_id_seq TO chimer; GRANT SELECT, INSERT ON sound, naive TO chimer;");
}

static void serve(void)
{
    site_job(site, "sound",
             ONCE FOLLOWS
             "command = \"INSERT INTO sound SELECT id FROM source WHERE id >= $cursor_start AND id < $cursor_end\";");
    site_job(site, "naive",
             ONCE "command = \"INSERT INTO naive SELECT id FROM source WHERE id > (SELECT coalesce(max(id), 0) FROM "
                  "naive)\";");
    served = site_lead(site);
}

static void expect_sound_and_naive(const char *expected)
{
    EXPECT_SQL(cluster,
               "SELECT concat_ws(' ', (SELECT string_agg(id::text, ',' ORDER BY id) FROM sound), '|', "
               "(SELECT string_agg(id::text, ',' ORDER BY id) FROM naive))",
               expected);
}

static void expect_waits_for(const char *what)
{
    WAIT_SQL(cluster, "SELECT waits_for FROM chime.pipeline_status WHERE job = 'sound'", what, 30);
}

/* Whoever goes by what is visible never sees the number that is drawn first and committed last. */
START_TEST(a_number_that_is_drawn_first_and_committed_last_is_waited_for)
{
    PGconn *late = cluster_connect(cluster, "postgres");
    char waits[64];
    serve();
    session_execute(late, "BEGIN");
    session_execute(late, "SELECT nextval('source_id_seq')"); /* has written nothing, and holds no lock of the table */
    cluster_execute(cluster, "INSERT INTO source DEFAULT VALUES");
    runs_ask_and_await(cluster, "naive");
    runs_ask(cluster, "sound");
    snprintf(waits, sizeof(waits), "session %d", PQbackendPID(late));
    expect_waits_for(waits);
    cluster_execute(cluster, "INSERT INTO source DEFAULT VALUES"); /* nobody waits for the run */
    expect_sound_and_naive("| 2");
    session_execute(late, "INSERT INTO source (id) OVERRIDING SYSTEM VALUE VALUES (1)");
    session_execute(late, "COMMIT");
    runs_await(cluster, "sound", 1);
    expect_sound_and_naive("1,2 | 2");
    EXPECT_SQL(cluster, "SELECT chime.pipeline_words(job_id) FROM chime.pipeline_status",
               "its position is 3, 1 behind");
    EXPECT_SQL(cluster, "SELECT position || ' ' || upper_bound || ' ' || lag FROM chime.pipeline_status", "3 4 1");
    runs_ask_and_await(cluster, "sound");
    runs_ask_and_await(cluster, "naive");
    expect_sound_and_naive("1,2,3 | 2,3");
    PQfinish(late);
}
END_TEST

START_TEST(a_transaction_that_is_prepared_meanwhile_is_still_waited_for)
{
    PGconn *late = cluster_connect(cluster, "postgres");
    serve();
    session_execute(late, "BEGIN");
    session_execute(late, "INSERT INTO source DEFAULT VALUES");
    cluster_execute(cluster, "INSERT INTO source DEFAULT VALUES");
    runs_ask(cluster, "sound");
    WAIT_FOR(cluster_true(cluster, "SELECT waits_for LIKE 'session %' FROM chime.pipeline_status"), 30);
    session_execute(late, "PREPARE TRANSACTION 'late'");
    expect_waits_for("prepared transaction late");
    PQfinish(late);
    EXPECT_SQL(cluster, "SELECT count(*) FROM sound", "0");
    cluster_execute(cluster, "COMMIT PREPARED 'late'");
    runs_await(cluster, "sound", 1);
    EXPECT_SQL(cluster, "SELECT string_agg(id::text, ',' ORDER BY id) FROM sound", "1,2");
}
END_TEST

/* The transaction that it waits for waits for it: no deadlock that the server would see. */
START_TEST(a_run_that_waits_gives_way_to_whoever_waits_for_it)
{
    PGconn *late = cluster_connect(cluster, "postgres");
    serve();
    session_execute(late, "BEGIN");
    session_execute(late, "INSERT INTO source DEFAULT VALUES");
    runs_ask(cluster, "sound");
    WAIT_FOR(cluster_true(cluster, "SELECT waits_for LIKE 'session %' FROM chime.pipeline_status"), 30);
    session_execute(late, "ALTER TABLE source ADD note text");
    session_execute(late, "COMMIT");
    PQfinish(late);
    runs_await(cluster, "sound", 1);
    EXPECT_RUN(cluster, "sound", "state || ' ' || (attempt > 1)", "succeeded true");
    EXPECT_SQL(cluster, "SELECT DISTINCT sqlstate FROM chime.attempt", "40P01");
    EXPECT_SQL(cluster, "SELECT string_agg(id::text, ',') FROM sound", "1");
}
END_TEST

START_TEST(a_failed_run_moves_nothing_and_the_next_one_goes_on_where_it_was)
{
    serve();
    cluster_execute(cluster, "INSERT INTO source SELECT FROM generate_series(1, 5);"
                             "ALTER TABLE sound ADD CONSTRAINT small CHECK (id < 7)");
    runs_ask_and_await(cluster, "sound");
    cluster_execute(cluster, "INSERT INTO source SELECT FROM generate_series(1, 5)");
    runs_ask_and_await(cluster, "sound");
    EXPECT_RUN(cluster, "sound", "state", "failed");
    EXPECT_SQL(cluster, "SELECT position || ' ' || effects FROM chime.pipeline_status", "6 1");
    cluster_execute(cluster, "ALTER TABLE sound DROP CONSTRAINT small");
    runs_ask_and_await(cluster, "sound");
    EXPECT_SQL(cluster, "SELECT string_agg(id::text, ',' ORDER BY id) FROM sound", "1,2,3,4,5,6,7,8,9,10");
    runs_ask_and_await(cluster, "sound"); /* nothing is new */
    EXPECT_RUN(cluster, "sound", "state || ' ' || rows", "succeeded 0");
}
END_TEST

static void expect_refused(const char *message)
{
    runs_ask_and_await(cluster, "sound");
    EXPECT_RUN(cluster, "sound", "concat_ws(': ', state, split_part(message, E'\\n', 1))", message);
}

START_TEST(numbers_that_may_come_in_another_order_are_refused)
{
    serve();
    cluster_execute(cluster, "ALTER SEQUENCE source_id_seq CACHE 20");
    expect_refused(
        "failed: sequence public.source_id_seq has CACHE 20, INCREMENT 1: its numbers may be used in any order");
    cluster_execute(cluster, "ALTER SEQUENCE source_id_seq CACHE 1;"
                             "INSERT INTO source (id) OVERRIDING SYSTEM VALUE VALUES (7)");
    expect_refused("failed: public.source.id has the number 7, but its sequence public.source_id_seq stands at its "
                   "start: its numbers come from elsewhere");
    cluster_execute(cluster, "SELECT setval('source_id_seq', 7)");
    expect_refused("succeeded");
    cluster_execute(cluster, "TRUNCATE source RESTART IDENTITY; INSERT INTO source DEFAULT VALUES");
    expect_refused("failed: numbers of public.source.id up to 7 are processed, but its sequence stands at 1");
    EXPECT_SQL(cluster, "SELECT chime.set_pipeline_position(job_id, '1') FROM chime.job WHERE name = 'sound'", "8");
    expect_refused("succeeded");
    EXPECT_SQL(cluster, "SELECT string_agg(id::text, ',' ORDER BY id) FROM sound", "1,7");
    cluster_execute(cluster, "ALTER ROLE chimer SET default_transaction_isolation = 'repeatable read'");
    cluster_execute(cluster, "SELECT pg_terminate_backend(pid) FROM pg_stat_activity WHERE usename = 'chimer'");
    expect_refused("failed: a job with a cursor needs transactions that are read committed");
}
END_TEST

/* The row bears the time at which its transaction began, and is committed in a later interval. */
START_TEST(intervals_wait_for_transactions_that_began_in_them)
{
    PGconn *late = cluster_connect(cluster, "postgres");
    site_job(site, "sound",
             "schedule = \"1 seconds\"; delivery = \"transactional\"; cursor = \"interval\"; "
             "command = \"INSERT INTO sound SELECT id FROM source WHERE at >= $cursor_start AND at < $cursor_end\";");
    served = site_lead(site);
    WAIT_FOR(cluster_true(cluster, "SELECT position IS NOT NULL FROM chime.pipeline_status"), 30);
    session_execute(late, "BEGIN");
    cluster_execute(cluster, "INSERT INTO source DEFAULT VALUES");
    WAIT_FOR(cluster_true(cluster, "SELECT waits_for LIKE 'session %' FROM chime.pipeline_status"), 30);
    session_execute(late, "INSERT INTO source DEFAULT VALUES");
    session_execute(late, "COMMIT");
    WAIT_SQL(cluster, "SELECT string_agg(id::text, ',' ORDER BY id) FROM sound", "1,2", 30);
    EXPECT_SQL(cluster,
               "SELECT kind || ' ' || (position::timestamptz > (SELECT max(at) FROM source)) FROM "
               "chime.pipeline_status",
               "interval true");
    PQfinish(late);
}
END_TEST

START_TEST(chunks_go_on_until_there_is_no_more_and_let_others_in_between)
{
    cluster_execute(cluster, "CREATE TABLE other (at timestamptz DEFAULT clock_timestamp());"
                             "CREATE TABLE chunk (at timestamptz DEFAULT clock_timestamp(), rows bigint);"
                             "GRANT SELECT, DELETE ON source TO chimer; GRANT SELECT, INSERT ON other, chunk TO chimer;"
                             "INSERT INTO source SELECT FROM generate_series(1, 25)");
    use_sessions(1);
    site_job(site, "other", "schedule = \"1 seconds\"; command = \"INSERT INTO other DEFAULT VALUES\";");
    site_job(site, "purge",
             ONCE "cursor = \"chunk\"; command = \"SELECT pg_sleep(0.5); WITH gone AS (DELETE FROM source WHERE id IN "
                  "(SELECT id FROM source ORDER BY id LIMIT 4) RETURNING 1), noted AS (INSERT INTO chunk (rows) SELECT "
                  "count(*) FROM gone RETURNING rows) SELECT rows = 4, rows FROM noted\";");
    served = site_lead(site);
    runs_ask_and_await(cluster, "purge");
    EXPECT_RUN(cluster, "purge", "state || ' ' || rows || ' ' || attempt", "succeeded 25 1");
    EXPECT_SQL(cluster, "SELECT string_agg(rows::text, ' ' ORDER BY at) FROM chunk", "4 4 4 4 4 4 1");
    EXPECT_SQL(cluster, "SELECT count(*) FROM source", "0");
    EXPECT_SQL(cluster,
               "SELECT count(*) >= 2 FROM other o WHERE o.at BETWEEN (SELECT min(at) FROM chunk) AND (SELECT "
               "max(at) FROM chunk)",
               "t");
    EXPECT_SQL(cluster, "SELECT effects || ' ' || position FROM chime.pipeline_status", "7 chunk 0");
}
END_TEST

START_TEST(a_position_is_of_one_cursor_and_seen_by_those_who_see_the_job)
{
    serve();
    cluster_execute(cluster,
                    "CREATE TABLE elsewhere (id bigserial); GRANT SELECT ON elsewhere, elsewhere_id_seq TO chimer");
    runs_ask_and_await(cluster, "sound");
    site_job(
        site, "sound",
        ONCE
        "cursor = \"sequence\"; cursor_source = \"public.elsewhere.id\"; "
        "command = \"INSERT INTO sound SELECT id FROM elsewhere WHERE id >= $cursor_start AND id < $cursor_end\";");
    site_reload(site, served);
    runs_ask_and_await(cluster, "sound");
    EXPECT_RUN(cluster, "sound", "split_part(message, E'\\n', 1)",
               "the position of this job is of cursor sequence public.source.id, and its cursor is sequence "
               "public.elsewhere.id now");
    cluster_execute(cluster, "SELECT chime.set_pipeline_position(job_id, NULL) FROM chime.job WHERE name = 'sound'");
    runs_ask_and_await(cluster, "sound");
    EXPECT_RUN(cluster, "sound", "state", "succeeded");
    EXPECT_SQL(cluster,
               "SELECT has_function_privilege('public', 'chime.set_pipeline_position(bigint, text)', 'EXECUTE')", "f");
    cluster_execute(cluster, "CREATE ROLE watcher IN ROLE pgchime_monitor; CREATE ROLE nobody; SET ROLE watcher");
    EXPECT_SQL(cluster, "SELECT job FROM chime.pipeline_status", "sound");
    ck_assert_str_eq(cluster_sqlstate(cluster, "SELECT chime.set_pipeline_position(1, NULL)"), "42501");
    cluster_execute(cluster, "SET ROLE nobody");
    ck_assert_str_eq(cluster_sqlstate(cluster, "SELECT * FROM chime.pipeline_status"), "42501");
    ck_assert_str_eq(cluster_sqlstate(cluster, "SELECT * FROM chime.pipeline_outlook()"), "42501");
    cluster_execute(cluster, "RESET ROLE");
}
END_TEST

/* A run of it moves the position, whichever slot it is for. */
START_TEST(no_slot_of_it_is_done_again)
{
#define BACKFILL(job)                                                                                      \
    "SELECT chime.begin_slot_backfill(job_id, now() - interval '2 days', now() - interval '1 day', 'all')" \
    " FROM chime.job WHERE name = '" job "'"
    serve();
    ck_assert_str_eq(cluster_sqlstate(cluster, BACKFILL("sound")), "22023");
    cluster_execute(cluster, BACKFILL("naive"));
}
END_TEST

static Suite *suite(void)
{
    Suite *all = suite_create("pipelines");
    TCase *cases = tcase_create("pipelines");
    tcase_add_checked_fixture(cases, set_up, served_tear_down);
    tcase_set_timeout(cases, 120);
    tcase_add_test(cases, a_number_that_is_drawn_first_and_committed_last_is_waited_for);
    tcase_add_test(cases, a_transaction_that_is_prepared_meanwhile_is_still_waited_for);
    tcase_add_test(cases, a_run_that_waits_gives_way_to_whoever_waits_for_it);
    tcase_add_test(cases, a_failed_run_moves_nothing_and_the_next_one_goes_on_where_it_was);
    tcase_add_test(cases, no_slot_of_it_is_done_again);
    tcase_add_test(cases, numbers_that_may_come_in_another_order_are_refused);
    tcase_add_test(cases, intervals_wait_for_transactions_that_began_in_them);
    tcase_add_test(cases, chunks_go_on_until_there_is_no_more_and_let_others_in_between);
    tcase_add_test(cases, a_position_is_of_one_cursor_and_seen_by_those_who_see_the_job);
    suite_add_tcase(all, cases);
    return all;
}

int main(void)
{
    return suite_run(suite());
}
