/* SPDX-License-Identifier: PostgreSQL */
#define _DEFAULT_SOURCE /* strdup */
/* `pgchime retention restore` and `retention confirm`, as the role that `pgchime init` makes: rows come back as they
 * were, or not at all. */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "support/cluster/cluster.h"
#include "support/cluster/session.h"
#include "support/daemon/commands.h"
#include "support/ledger/retained.h"
#include "support/process/files.h"
#include "support/process/suite.h"

#define HOT "SELECT count(*) FROM agent_queries"
#define COLD "SELECT count(*) FROM analytics.cold_agent_queries"
#define BOTH "SELECT concat_ws(' ', (" HOT "), (" COLD "))"

static struct cluster *cluster;
static char *configuration;
static char *output;
static char *errors;

/* Of 150 rows, one a day, 60 are cold; of 3,000 bytes each, so that they are kept aside; and nothing is enforced any
 * more. */
static void set_up(void)
{
    char *folder = files_make_directory();

    cluster = retained_create();
    configuration = commands_configure(cluster, RETAINED_ROLE, "postgres", folder, "");
    output = NULL;
    errors = NULL;
    cluster_execute(cluster, "ALTER TABLE agent_queries ADD exact numeric, ADD facts jsonb, ADD words text;"
                             "INSERT INTO agent_queries (id, exact, facts, words, created_at) SELECT n, n / 7.0, "
                             "jsonb_build_object('n', n, 'x', NULL),"
                             " (SELECT string_agg(md5(n || ' ' || i), '') FROM generate_series(1, 90) AS i), now() - n "
                             "* interval '1 day' - interval '1 hour'"
                             " FROM generate_series(0, 149) AS n; CREATE TABLE before AS SELECT * FROM agent_queries;"
                             "GRANT INSERT ON agent_queries, action_results TO pgchime");
    retained_run_well(cluster);
    EXPECT_SQL(cluster, BOTH, "30 60");
    retained_set(cluster, "{\"enforce\": \"false\", \"batch_rows\": \"7\"}");
    free(folder);
}

static void tear_down(void)
{
    cluster_destroy(cluster);
    free(configuration);
    free(output);
    free(errors);
}

#define RETENTION(status, ...) \
    commands_expect(status, configuration, (const char *const[]){"retention", __VA_ARGS__, NULL}, &output, &errors)

/* --- rows --------------------------------------------------------------------------------------------------------- */

START_TEST(rows_come_back_as_they_were)
{
    char *from = cluster_value(
        cluster,
        "SELECT to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US') FROM before WHERE id = 59");
    char *to = cluster_value(
        cluster,
        "SELECT to_char(created_at AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS.US') FROM before WHERE id = 39");
    char *said = NULL;
    RETENTION(0, "restore", "agent_queries", "--from", from, "--to", to, "--dry-run", "-o", "csv");
    said = strdup(output);
    EXPECT_SQL(cluster, BOTH, "30 60");
    commands_has(said, "analytics.cold_agent_queries,main,20,");
    RETENTION(0, "restore", "agent_queries", "--from", from, "--to", to, "-o", "csv");
    ck_assert_str_eq(output, said);
    EXPECT_SQL(cluster, BOTH, "50 40");
    EXPECT_SQL(cluster, "SELECT min(id) || ' ' || max(id) FROM agent_queries WHERE id >= 30", "40 59");
    RETENTION(0, "restore", "agent_queries");
    EXPECT_SQL(cluster, BOTH, "90 0");
    EXPECT_SQL(cluster,
               "SELECT count(*) FROM (SELECT * FROM before WHERE id < 90 EXCEPT ALL SELECT * FROM agent_queries) AS t",
               "0");
    RETENTION(0, "restore", "agent_queries", "-o", "csv");
    commands_has(output, "analytics.cold_agent_queries,main,0,");
    free(from);
    free(to);
    free(said);
}
END_TEST

START_TEST(rows_that_would_leave_again_stay)
{
    retained_set(cluster, "{\"enforce\": \"true\"}");
    RETENTION(6, "restore", "agent_queries");
    commands_has(
        errors, "would leave again with the next run: write enforce = false, or a longer warm, and run pgchime reload");
    EXPECT_SQL(cluster, BOTH, "30 60");
    retained_set(cluster, "{\"warm\": \"50d\"}");
    char *from = cluster_value(
        cluster, "SELECT to_char((now() - interval '45 days') AT TIME ZONE 'UTC', 'YYYY-MM-DD\"T\"HH24:MI:SS')");
    RETENTION(0, "restore", "agent_queries", "--from", from);
    EXPECT_SQL(cluster, BOTH, "45 45");
    retained_run_well(cluster);
    EXPECT_SQL(cluster, BOTH, "45 45");
    free(from);
}
END_TEST

START_TEST(a_row_that_is_there_again_ends_it_and_nothing_is_lost)
{
    cluster_execute(cluster, "INSERT INTO agent_queries (id, agent) VALUES (60, 'another')");
    RETENTION(1, "restore", "agent_queries");
    commands_has(errors, "duplicate key value violates unique constraint");
    EXPECT_SQL(cluster,
               "SELECT count(*) FROM before b WHERE id < 90 AND id <> 60 AND NOT EXISTS (SELECT FROM agent_queries q "
               "WHERE q.id = b.id)"
               " AND NOT EXISTS (SELECT FROM analytics.cold_agent_queries q WHERE q.id = b.id)",
               "0");
    EXPECT_SQL(cluster, "SELECT agent FROM agent_queries WHERE id = 60", "another");
    EXPECT_SQL(cluster, COLD " WHERE id = 60", "1");
}
END_TEST

START_TEST(a_value_that_would_be_another_one_ends_it)
{
    cluster_execute(cluster, "ALTER TABLE agent_queries ALTER exact TYPE numeric(10,2)");
    RETENTION(6, "restore", "agent_queries");
    commands_has(errors, "rows would not be in public.agent_queries as they are in analytics.cold_agent_queries");
    EXPECT_SQL(cluster, BOTH, "30 60");
    cluster_execute(cluster, "ALTER TABLE agent_queries DROP exact");
    RETENTION(6, "restore", "agent_queries");
    EXPECT_SQL(cluster, BOTH, "30 60");
    cluster_execute(cluster, "UPDATE analytics.cold_agent_queries SET exact = NULL");
    RETENTION(0, "restore", "agent_queries");
    EXPECT_SQL(cluster, BOTH, "90 0");
}
END_TEST

START_TEST(generated_columns_and_identities_come_back_too)
{
    cluster_execute(cluster, "ALTER TABLE agent_queries ADD half bigint GENERATED ALWAYS AS (id * 3) STORED, ADD seq "
                             "bigint GENERATED ALWAYS AS IDENTITY;"
                             "INSERT INTO agent_queries (id, created_at) VALUES (500, now() - interval '40 days')");
    retained_set(cluster, "{\"enforce\": \"true\"}");
    retained_run_well(cluster);
    retained_set(cluster, "{\"enforce\": \"false\"}");
    cluster_execute(cluster, "CREATE TABLE kept AS SELECT * FROM analytics.cold_agent_queries WHERE id = 500; DELETE "
                             "FROM analytics.cold_agent_queries WHERE id <> 500");
    RETENTION(0, "restore", "agent_queries");
    EXPECT_SQL(cluster, "SELECT q.half || ' ' || (q.seq = k.seq) FROM agent_queries q JOIN kept k USING (id)",
               "1500 true");
}
END_TEST

START_TEST(triggers_of_users_hinder_it)
{
    cluster_execute(
        cluster,
        "CREATE FUNCTION touch() RETURNS trigger LANGUAGE plpgsql AS 'BEGIN NEW.words := ''touched''; RETURN NEW; END';"
        "CREATE TRIGGER touch BEFORE INSERT ON agent_queries FOR EACH ROW EXECUTE FUNCTION touch()");
    RETENTION(6, "restore", "agent_queries");
    commands_has(errors, "trigger touch of public.agent_queries would run at each INSERT");
    retained_set(cluster, "{\"triggers\": \"agent_queries.touch\"}");
    RETENTION(6, "restore", "agent_queries");
    commands_has(errors, "rows would not be in public.agent_queries as they are");
    EXPECT_SQL(cluster, BOTH, "30 60");
}
END_TEST

START_TEST(a_table_that_is_not_retentions_gives_no_row)
{
    cluster_execute(cluster, "ALTER TABLE analytics.cold_agent_queries RENAME TO mine; CREATE TABLE "
                             "analytics.cold_agent_queries AS SELECT * FROM before;"
                             "ALTER TABLE analytics.cold_agent_queries OWNER TO pgchime");
    RETENTION(6, "restore", "agent_queries");
    commands_has(errors, "analytics.cold_agent_queries is not retention's own");
    EXPECT_SQL(cluster, BOTH, "30 150");
}
END_TEST

START_TEST(what_is_missing_is_said)
{
    cluster_execute(cluster, "REVOKE INSERT ON agent_queries FROM pgchime");
    RETENTION(6, "restore", "agent_queries");
    commands_has(errors, "let its owner run: GRANT INSERT ON public.agent_queries TO pgchime");
    RETENTION(1, "restore", "nosuch");
    commands_has(errors, "retention keeps no rows of a table \"nosuch\"");
    RETENTION(2, "restore", "agent_queries", "--from", "yesterday");
    EXPECT_SQL(cluster, BOTH, "30 60");
}
END_TEST

/* A turn that is broken off by the server leaves each row in one place. */
START_TEST(what_was_killed_goes_on_with_the_same_command)
{
    PGconn *user = cluster_connect(cluster, "postgres");
    session_execute(user, "BEGIN; SELECT FROM analytics.cold_agent_queries WHERE id = 60 FOR UPDATE");
    PGconn *session = retained_connect(cluster);
    for (int i = 0; i < 3; i++)
        session_execute(session, "SELECT analytics.retention_restore('agent_queries', NULL, NULL)");
    session_send(session, "SELECT set_config('lock_timeout', '0', false); SELECT "
                          "analytics.retention_restore('agent_queries', NULL, NULL),"
                          " analytics.retention_restore('agent_queries', NULL, NULL)");
    session_await_blocked(cluster, session);
    cluster_execute_format(cluster, "SELECT pg_terminate_backend(%d)", PQbackendPID(session));
    session_execute(user, "COMMIT");
    PQfinish(session);
    PQfinish(user);
    RETENTION(0, "restore", "agent_queries");
    EXPECT_SQL(cluster, BOTH, "90 0");
    EXPECT_SQL(cluster,
               "SELECT count(*) FROM (SELECT * FROM before WHERE id < 90 EXCEPT ALL SELECT * FROM agent_queries) AS t",
               "0");
}
END_TEST

/* --- partitions, and the clock ------------------------------------------------------------------------------------ */

START_TEST(a_partition_comes_back_with_its_bounds)
{
    cluster_execute(cluster,
                    "CREATE TABLE m1 PARTITION OF action_results FOR VALUES FROM ('2000-01-01') TO ('2000-02-01');"
                    "CREATE TABLE m2 PARTITION OF action_results FOR VALUES FROM ('2000-02-01') TO ('2000-03-01');"
                    "ALTER TABLE m1 OWNER TO pgchime; ALTER TABLE m2 OWNER TO pgchime; COMMENT ON TABLE m1 IS 'mine';"
                    "INSERT INTO action_results (id, action_type, status, executed_at) VALUES (1, 'a', 's', "
                    "'2000-01-05'), (2, 'a', 's', '2000-02-05')");
    char *bounds = cluster_value(cluster,
                                 "SELECT pg_get_expr(relpartbound, oid) FROM pg_class WHERE oid = 'm1'::regclass");
    retained_set(cluster, "{\"enforce\": \"true\"}");
    retained_run_well(cluster);
    EXPECT_SQL(cluster, "SELECT count(*) FROM action_results", "0");
    retained_set(cluster, "{\"enforce\": \"false\"}");
    RETENTION(0, "restore", "action_results", "--to", "2000-02-01", "-o", "csv");
    commands_has(output, "public.m1,main,1,");
    EXPECT_SQL(cluster, "SELECT string_agg(id::text, ' ') FROM action_results", "1");
    EXPECT_SQL(cluster, "SELECT pg_get_expr(relpartbound, oid) FROM pg_class WHERE oid = 'm1'::regclass", bounds);
    EXPECT_SQL(cluster, "SELECT obj_description('m1'::regclass, 'pg_class')", "mine");
    EXPECT_SQL(cluster, "SELECT string_agg(name, ' ') FROM analytics.retention_detached", "public.m2");
    free(bounds);
}
END_TEST

START_TEST(a_clock_is_confirmed_by_a_command)
{
    retained_set(cluster, "{\"enforce\": \"true\"}");
    cluster_execute(cluster, "UPDATE analytics.retention_log SET at = at - interval '9 days'");
    retained_run_badly(cluster, "run pgchime retention confirm");
    RETENTION(0, "confirm");
    commands_has(errors, "the clock of database \"main\" is right, it says 2");
    retained_run_well(cluster);
    cluster_execute(cluster, "UPDATE chime.plugin SET state = 'dormant'");
    RETENTION(5, "confirm");
    commands_has(errors, "no database has plugin \"retention\"");
}
END_TEST

static Suite *suite(void)
{
    Suite *all = suite_create("retention_restore");
    TCase *cases = tcase_create("retention_restore");

    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_set_timeout(cases, 180);
    tcase_add_test(cases, rows_come_back_as_they_were);
    tcase_add_test(cases, rows_that_would_leave_again_stay);
    tcase_add_test(cases, a_row_that_is_there_again_ends_it_and_nothing_is_lost);
    tcase_add_test(cases, a_value_that_would_be_another_one_ends_it);
    tcase_add_test(cases, generated_columns_and_identities_come_back_too);
    tcase_add_test(cases, triggers_of_users_hinder_it);
    tcase_add_test(cases, a_table_that_is_not_retentions_gives_no_row);
    tcase_add_test(cases, what_is_missing_is_said);
    tcase_add_test(cases, what_was_killed_goes_on_with_the_same_command);
    tcase_add_test(cases, a_partition_comes_back_with_its_bounds);
    tcase_add_test(cases, a_clock_is_confirmed_by_a_command);
    suite_add_tcase(all, cases);
    return all;
}

int main(void)
{
    return suite_run(suite());
}
