/* SPDX-License-Identifier: PostgreSQL */
/* Where plugin retention puts rows: with their exact values, for nobody else to read, and each of them once. */
#define _DEFAULT_SOURCE /* strdup */
#include <check.h>
#include <stdlib.h>
#include <string.h>

#include "support/cluster/cluster.h"
#include "support/cluster/dump.h"
#include "support/cluster/session.h"
#include "support/ledger/retained.h"
#include "support/process/files.h"
#include "support/process/suite.h"
#include "support/process/wait.h"

/* A row of the sample's table that is old enough to be moved. */
#define OLD(id, columns, values) \
    "INSERT INTO agent_queries (id, created_at" columns ") VALUES (" id ", now() - interval '40 days'" values ");"
#define COLD_TABLE "analytics.cold_agent_queries"
#define GRANTEES(relation)                                                                                 \
    "SELECT string_agg(DISTINCT a.grantee::regrole::text, ' ') FROM pg_class c, aclexplode(c.relacl) AS a" \
    " WHERE c.oid = '" relation "'::regclass AND a.grantee <> c.relowner"

static struct cluster *cluster;

static void set_up(void)
{
    cluster = retained_create();
    cluster_execute(cluster, "ALTER TABLE agent_queries ALTER latency_ms TYPE integer");
}

static void tear_down(void)
{
    cluster_destroy(cluster);
}

static void cold_exists(void)
{
    cluster_execute(cluster, OLD("1", ", latency_ms", ", 5"));
    retained_run_well(cluster);
    EXPECT_SQL(cluster, "SELECT string_agg(id::text, ' ') FROM " COLD_TABLE, "1");
}

/* --- exact values ------------------------------------------------------------------------------------------------- */

START_TEST(a_column_that_became_wider_loses_no_digit)
{
    cold_exists();
    cluster_execute(
        cluster,
        "ALTER TABLE agent_queries ALTER latency_ms TYPE numeric(10,4), ADD note varchar(3), ADD price numeric(6,2)");
    cluster_execute(cluster, OLD("2", ", latency_ms, note, price", ", 12.4567, 'abc', 1.25"));
    retained_run_well(cluster);
    cluster_execute(
        cluster,
        "ALTER TABLE agent_queries ALTER latency_ms TYPE numeric, ALTER note TYPE text, ALTER price TYPE numeric(9,5)");
    cluster_execute(cluster, OLD("3", ", latency_ms, note, price", ", 12.456789, 'abcdefgh', 1.23456"));
    retained_run_well(cluster);
    /* Narrower again: it fits all the same. */
    cluster_execute(cluster, "ALTER TABLE agent_queries ALTER latency_ms TYPE smallint, ALTER note TYPE varchar(5), "
                             "ALTER price TYPE integer");
    cluster_execute(cluster, OLD("4", ", latency_ms, note, price", ", 7, 'abcde', 9"));
    retained_run_well(cluster);
    EXPECT_SQL(cluster,
               "SELECT string_agg(concat_ws(' ', id, latency_ms, note, price), ', ' ORDER BY id) FROM " COLD_TABLE,
               "1 5, 2 12.4567 abc 1.25, 3 12.456789 abcdefgh 1.23456, 4 7 abcde 9");
}
END_TEST

START_TEST(a_column_of_another_type_is_left_and_told)
{
    cold_exists();
    cluster_execute(cluster, "ALTER TABLE agent_queries ALTER latency_ms TYPE double precision");
    cluster_execute(cluster, OLD("2", ", latency_ms", ", 12.5"));
    retained_run_badly(cluster,
                       "column latency_ms is double precision in public.agent_queries and integer in " COLD_TABLE
                       ", which would change values");
    EXPECT_SQL(cluster, "SELECT id FROM agent_queries", "2");
}
END_TEST

/* The table is altered after the third of four batches. */
static void alter_in_the_middle_of_a_run(const char *statement)
{
    cluster_execute(cluster,
                    "INSERT INTO agent_queries (id, latency_ms, created_at) SELECT n, 5, now() - interval '40 days'"
                    " FROM generate_series(1, 400) AS n");
    PGconn *user = cluster_connect(cluster, "postgres");
    PGconn *admin = cluster_connect(cluster, "postgres");
    PGconn *job = retained_connect(cluster);
    char *text = retained_job(cluster);
    session_execute(user, "BEGIN; SELECT FROM agent_queries WHERE id = 250 FOR UPDATE");
    session_send(job, text);
    session_await_blocked(cluster, job);
    session_send(admin, statement);
    session_await_blocked(cluster, admin);
    session_execute(user, "COMMIT");
    session_await(admin);
    PQclear(PQgetResult(job));
    PQfinish(user);
    PQfinish(admin);
    PQfinish(job);
    free(text);
}

START_TEST(a_column_that_is_retyped_in_the_middle_of_a_run_loses_no_digit)
{
    alter_in_the_middle_of_a_run(
        "ALTER TABLE agent_queries ALTER latency_ms TYPE double precision USING latency_ms + 0.25");
    EXPECT_SQL(cluster,
               "SELECT count(*) FROM (SELECT id FROM agent_queries WHERE latency_ms = 5.25 UNION ALL SELECT id "
               "FROM " COLD_TABLE " WHERE latency_ms = 5) AS t",
               "400");
    EXPECT_SQL(cluster, "SELECT count(*) > 0 FROM agent_queries", "t");
}
END_TEST

/* The cold table has none for it yet, and the batches that were planned do not name it. */
START_TEST(a_column_that_is_added_in_the_middle_of_a_run_loses_no_value)
{
    alter_in_the_middle_of_a_run("ALTER TABLE agent_queries ADD added integer DEFAULT 7");
    EXPECT_SQL(cluster, "SELECT count(*) FROM agent_queries WHERE added = 7", "100");
    retained_run_well(cluster);
    EXPECT_SQL(cluster,
               "SELECT string_agg(format('%s %s', id, added), ', ' ORDER BY id) FROM " COLD_TABLE
               " WHERE id IN (1, 300, 301, 400)",
               "1 , 300 , 301 7, 400 7");
}
END_TEST

START_TEST(a_column_that_may_have_been_renamed_is_asked_about)
{
    cold_exists();
    cluster_execute(cluster, "ALTER TABLE agent_queries RENAME latency_ms TO duration_ms");
    cluster_execute(cluster, OLD("2", ", duration_ms", ", 6"));
    retained_run_badly(cluster, "if it was renamed, ALTER TABLE " COLD_TABLE " RENAME COLUMN latency_ms TO duration_ms;"
                                " else ALTER TABLE " COLD_TABLE " ADD COLUMN duration_ms integer");
    EXPECT_SQL(cluster, "SELECT id FROM agent_queries", "2");
    cluster_execute(cluster, "ALTER TABLE " COLD_TABLE " RENAME COLUMN latency_ms TO duration_ms");
    retained_run_well(cluster);
    EXPECT_SQL(cluster, "SELECT string_agg(concat(id, ' ', duration_ms), ', ' ORDER BY id) FROM " COLD_TABLE,
               "1 5, 2 6");
}
END_TEST

START_TEST(what_a_dropped_column_held_is_kept_and_what_is_generated_too)
{
    cold_exists();
    cluster_execute(cluster, "ALTER TABLE agent_queries ADD half numeric GENERATED ALWAYS AS (latency_ms / 2.0) STORED,"
                             " ADD seq bigint GENERATED ALWAYS AS IDENTITY");
    cluster_execute(cluster, OLD("2", ", latency_ms", ", 7"));
    retained_run_well(cluster);
    EXPECT_SQL(cluster, "SELECT half || ' ' || seq FROM " COLD_TABLE " WHERE id = 2", "3.5000000000000000 1");
    cluster_execute(cluster, "ALTER TABLE agent_queries DROP half, DROP latency_ms");
    cluster_execute(cluster, OLD("3", "", ""));
    retained_run_well(cluster);
    EXPECT_SQL(cluster, "SELECT string_agg(concat(id, ' ', latency_ms), ', ' ORDER BY id) FROM " COLD_TABLE,
               "1 5, 2 7, 3 ");
}
END_TEST

/* Disk full, a constraint, whatever fails: the rows stay where they were. */
START_TEST(a_batch_that_fails_leaves_its_rows_where_they_were)
{
    cold_exists();
    cluster_execute(cluster, "ALTER TABLE " COLD_TABLE " ADD CHECK (id <> 250);"
                             "INSERT INTO agent_queries (id, created_at) SELECT n, now() - interval '40 days' FROM "
                             "generate_series(101, 400) AS n");
    retained_run_badly(cluster, "violates check constraint");
    EXPECT_SQL(cluster, "SELECT min(id) || ' ' || count(*) FROM agent_queries", "201 200");
    EXPECT_SQL(cluster, "SELECT count(*) FROM " COLD_TABLE, "101");
    EXPECT_SQL(
        cluster,
        "SELECT rows FROM analytics.retention_log WHERE object = 'public.agent_queries' ORDER BY at DESC LIMIT 1",
        "100");
}
END_TEST

/* --- who may read it ---------------------------------------------------------------------------------------------- */

START_TEST(default_privileges_let_nobody_read_what_is_cold)
{
    cluster_execute(cluster, "CREATE ROLE ann; ALTER DEFAULT PRIVILEGES FOR ROLE pgchime GRANT ALL ON TABLES TO ann;"
                             "ALTER DEFAULT PRIVILEGES FOR ROLE pgchime IN SCHEMA analytics GRANT SELECT ON TABLES TO "
                             "analytics_reader, PUBLIC;"
                             "DROP TABLE analytics.retention_log, analytics.retention_detached;"
                             "UPDATE chime.plugin SET changed_at = now() WHERE name = 'retention'");
    cold_exists();
    EXPECT_SQL(cluster, GRANTEES(COLD_TABLE), NULL);
    EXPECT_SQL(cluster, GRANTEES("analytics.retention_detached"), NULL);
    EXPECT_SQL(cluster, GRANTEES("analytics.retention_log"), "analytics_reader");
    cluster_execute(cluster, "GRANT SELECT ON " COLD_TABLE " TO ann");
    cluster_execute(cluster, OLD("2", "", ""));
    retained_run_well(cluster);
    EXPECT_SQL(cluster, GRANTEES(COLD_TABLE), "ann");
}
END_TEST

START_TEST(policies_of_a_source_are_told)
{
    cluster_execute(cluster, "ALTER TABLE agent_queries ENABLE ROW LEVEL SECURITY; CREATE POLICY mine ON agent_queries "
                             "USING (agent = current_user);" OLD("1", "", ""));
    retained_run_badly(cluster, "query would be affected by row-level security policy");
    EXPECT_SQL(cluster, "SELECT count(*) FROM agent_queries", "1");
    cluster_execute(cluster, "ALTER ROLE pgchime BYPASSRLS");
    retained_run_well(cluster);
    EXPECT_SQL(cluster, "SELECT count(*) FROM " COLD_TABLE, "1");
    EXPECT_SQL(
        cluster,
        "SELECT note FROM analytics.retention_log WHERE object = 'public.agent_queries' ORDER BY at DESC LIMIT 1",
        "row-level security of public.agent_queries does not come along: only the owner of " COLD_TABLE
        " may read that, until he grants it");
}
END_TEST

/* --- each row once ------------------------------------------------------------------------------------------------ */

START_TEST(two_runs_at_once_move_each_row_once)
{
    cluster_execute(cluster, "INSERT INTO agent_queries (id, created_at) SELECT n, now() - interval '40 days' FROM "
                             "generate_series(1, 3000) AS n");
    PGconn *one = retained_connect(cluster);
    PGconn *other = retained_connect(cluster);
    char *text = retained_job(cluster);
    session_send(one, text);
    session_send(other, text);
    PQclear(PQgetResult(one));
    PQclear(PQgetResult(other));
    EXPECT_SQL(cluster,
               "SELECT count(*) || ' ' || count(DISTINCT id) FROM (SELECT id FROM agent_queries UNION ALL SELECT id "
               "FROM " COLD_TABLE ") AS t",
               "3000 3000");
    PQfinish(one);
    PQfinish(other);
    retained_run_well(cluster);
    EXPECT_SQL(cluster, "SELECT count(*) FROM agent_queries", "0");
    free(text);
}
END_TEST

START_TEST(a_first_batch_that_is_locked_waits_for_the_next_run)
{
    cluster_execute(cluster, "INSERT INTO agent_queries (id, created_at) SELECT n, now() - interval '40 days' FROM "
                             "generate_series(1, 300) AS n");
    PGconn *user = cluster_connect(cluster, "postgres");
    session_execute(user, "BEGIN; SELECT FROM agent_queries WHERE id = 1 FOR UPDATE");
    retained_run_well(cluster);
    EXPECT_SQL(cluster, "SELECT (SELECT count(*) FROM agent_queries) || ' ' || (SELECT count(*) FROM " COLD_TABLE ")",
               "100 200");
    PQfinish(user);
    retained_run_well(cluster);
    EXPECT_SQL(cluster, "SELECT count(*) || ' ' || count(DISTINCT id) FROM " COLD_TABLE, "300 300");
}
END_TEST

/* --- partitions --------------------------------------------------------------------------------------------------- */

static void partition(const char *name, const char *bounds)
{
    cluster_execute_format(cluster, "CREATE TABLE %s PARTITION OF action_results %s; ALTER TABLE %s OWNER TO pgchime",
                           name, bounds, name);
}

#define RESULT(id, at) \
    "INSERT INTO action_results (id, action_type, status, executed_at) VALUES (" id ", 'email', 'success', " at ");"

START_TEST(each_of_several_partitions_is_walked)
{
    cluster_execute(
        cluster,
        "DROP TABLE action_results; CREATE TABLE action_results (id bigint, executed_at timestamptz, PRIMARY KEY (id))"
        " PARTITION BY HASH (id); ALTER TABLE action_results OWNER TO pgchime");
    partition("h0", "FOR VALUES WITH (MODULUS 3, REMAINDER 0)");
    partition("h1", "FOR VALUES WITH (MODULUS 3, REMAINDER 1)");
    partition("h2", "FOR VALUES WITH (MODULUS 3, REMAINDER 2)");
    cluster_execute(cluster, "INSERT INTO action_results SELECT n, now() - n * interval '1 day' - interval '1 hour' "
                             "FROM generate_series(0, 99) AS n");
    retained_run_well(cluster);
    EXPECT_SQL(cluster, "SELECT count(*) || ' ' || max(id) FROM action_results", "30 29");
    EXPECT_SQL(cluster, "SELECT count(*) || ' ' || max(id) FROM analytics.cold_action_results", "60 89");
}
END_TEST

/* A partition's range tells nothing of a row that is pending, or was touched lately. */
START_TEST(what_is_pending_stays_also_in_a_partition_of_long_ago)
{
    cluster_execute(
        cluster,
        "DROP TABLE agent_approvals CASCADE; CREATE TABLE agent_approvals (id bigint, status text, created_at "
        "timestamptz,"
        " updated_at timestamptz, reviewed_at timestamptz, PRIMARY KEY (id, created_at)) PARTITION BY RANGE "
        "(created_at);"
        "ALTER TABLE agent_approvals OWNER TO pgchime;"
        "CREATE TABLE long_ago PARTITION OF agent_approvals FOR VALUES FROM ('2000-01-01') TO ('2001-01-01');"
        "ALTER TABLE long_ago OWNER TO pgchime;"
        "INSERT INTO agent_approvals VALUES (1, 'pending', '2000-05-05', NULL), (2, 'done', '2000-05-05', now()),"
        " (3, 'done', '2000-05-05', '2000-05-06')");
    retained_run_well(cluster);
    EXPECT_SQL(cluster, "SELECT string_agg(id::text, ' ' ORDER BY id) FROM agent_approvals", "1 2");
}
END_TEST

START_TEST(a_partition_that_is_attached_again_is_detached_again)
{
    partition("m1", "FOR VALUES FROM ('2000-01-01') TO ('2000-02-01')");
    cluster_execute(cluster, RESULT("1", "'2000-01-05'") "COMMENT ON TABLE m1 IS 'mine'");
    retained_run_well(cluster);
    EXPECT_SQL(cluster, "SELECT relispartition FROM pg_class WHERE oid = 'm1'::regclass", "f");
    EXPECT_SQL(cluster, "SELECT obj_description('m1'::regclass, 'pg_class') LIKE 'mine%'", "t");
    cluster_execute(cluster,
                    "ALTER TABLE action_results ATTACH PARTITION m1 FOR VALUES FROM ('2000-01-01') TO ('2000-02-01')");
    retained_run_well(cluster);
    EXPECT_SQL(cluster, "SELECT relispartition FROM pg_class WHERE oid = 'm1'::regclass", "f");
    retained_run_well(cluster);
    EXPECT_SQL(cluster, "SELECT to_regclass('m1')", NULL);
    EXPECT_SQL(cluster, "SELECT count(*) FROM analytics.retention_detached", "0");
}
END_TEST

START_TEST(a_table_under_a_detached_partitions_name_is_not_dropped)
{
    partition("m1", "FOR VALUES FROM ('2000-01-01') TO ('2000-02-01')");
    cluster_execute(cluster, RESULT("1", "'2000-01-05'"));
    retained_run_well(cluster);
    cluster_execute(
        cluster,
        "ALTER TABLE m1 RENAME TO kept; CREATE TABLE m1 AS SELECT * FROM kept; ALTER TABLE m1 OWNER TO pgchime");
    retained_run_well(cluster);
    retained_run_well(cluster);
    EXPECT_SQL(cluster, "SELECT (SELECT count(*) FROM m1) || ' ' || (SELECT count(*) FROM kept)", "1 1");
}
END_TEST

START_TEST(a_partition_whose_range_has_no_end_is_walked)
{
    partition("open", "FOR VALUES FROM ('2000-01-01') TO (MAXVALUE)");
    partition("far", "FOR VALUES FROM (MINVALUE) TO ('2000-01-01')");
    cluster_execute(cluster, RESULT("1", "now() - interval '400 days'") RESULT("2", "now() - interval '40 days'")
                                 RESULT("3", "now()") RESULT("4", "'1999-01-01'"));
    retained_run_well(cluster);
    EXPECT_SQL(cluster, "SELECT string_agg(id::text, ' ' ORDER BY id) FROM action_results", "3");
    EXPECT_SQL(cluster, "SELECT string_agg(id::text, ' ' ORDER BY id) FROM analytics.cold_action_results", "2");
    EXPECT_SQL(cluster, "SELECT concat_ws(' ', begins, ends) FROM analytics.retention_detached",
               "-infinity 2000-01-01 00:00:00+00");
}
END_TEST

/* What a run would do was read at its beginning. */
START_TEST(a_partition_that_a_user_detaches_in_the_middle_of_a_run_is_the_users)
{
    partition("m1", "FOR VALUES FROM ('2000-01-01') TO ('2000-02-01')");
    partition("rest", "DEFAULT");
    cluster_execute(cluster, RESULT("1", "'2000-01-05'") RESULT("2", "'2001-01-01'"));
    cluster_execute(cluster,
                    "CREATE TABLE steps AS SELECT * FROM analytics.retention_steps() WHERE source = 'action_results'");
    char *rest = cluster_value(cluster, "SELECT guard FROM steps WHERE object = 'public.rest'");
    char *whole = cluster_value(cluster, "SELECT guard FROM steps WHERE action = 'detach'");
    char *detach = cluster_value(cluster, "SELECT perform FROM steps WHERE action = 'detach'");
    EXPECT_SQL(cluster, rest, NULL);
    EXPECT_SQL(cluster, whole, NULL);
    cluster_execute(cluster,
                    "ALTER TABLE action_results DETACH PARTITION rest; ALTER TABLE action_results DETACH PARTITION m1;"
                    "UPDATE m1 SET executed_at = '2100-01-05'");
    EXPECT_SQL(cluster, rest, "it is no partition of public.action_results any more");
    EXPECT_SQL(cluster, whole, "public.m1 is no partition any more, or has other bounds");
    cluster_execute(cluster,
                    "ALTER TABLE action_results ATTACH PARTITION m1 FOR VALUES FROM ('2100-01-01') TO ('2100-02-01')");
    EXPECT_SQL(cluster, whole, "public.m1 is no partition any more, or has other bounds");
    ck_assert_str_eq(cluster_sqlstate(cluster, detach), "P0001");
    EXPECT_SQL(cluster, "SELECT relispartition FROM pg_class WHERE oid = 'm1'::regclass", "t");
    retained_run_well(cluster);
    EXPECT_SQL(cluster, "SELECT (SELECT count(*) FROM rest) || ' ' || (SELECT count(*) FROM action_results)", "1 1");
    free(rest);
    free(whole);
    free(detach);
}
END_TEST

/* --- whose it is, and where --------------------------------------------------------------------------------------- */

/* As REASSIGN OWNED does it with all of a role's. */
START_TEST(a_cold_table_that_was_given_away_is_told_and_hinders_no_other)
{
    static const char dry[] =
        "SELECT string_agg(concat_ws(' ', action, rows, left(obstacle, 67)), ', ' ORDER BY action, rows)"
        " FROM analytics.retention_dry_run() WHERE source IN ('agent_queries', 'agent_feedback')";
    cold_exists();
    cluster_execute(cluster,
                    "CREATE ROLE ann; CREATE ROLE bob; GRANT USAGE ON SCHEMA analytics TO ann; REASSIGN OWNED BY ann "
                    "TO bob; ALTER TABLE " COLD_TABLE " OWNER TO ann;"
                    "INSERT INTO agent_feedback (id, created_at, updated_at) VALUES (1, now() - interval '40 days',"
                    " now() - interval '40 days');" OLD("2", "", ""));
    cluster_execute(cluster,
                    "GRANT SELECT ON ALL TABLES IN SCHEMA analytics TO bob; DROP OWNED BY bob; SET ROLE pgchime");
    EXPECT_SQL(cluster, dry,
               "expire " COLD_TABLE " belongs to ann now; let ann run: GRANT, "
               "move 1, move " COLD_TABLE " belongs to ann now; let ann run: GRANT");
    EXPECT_SQL(cluster, "SELECT count(*) FROM analytics.retention_tiers() WHERE kept_in = '" COLD_TABLE "'", "0");
    cluster_execute(cluster, "RESET ROLE");
    retained_run_badly(cluster, "let ann run: GRANT SELECT, INSERT, DELETE ON " COLD_TABLE " TO pgchime");
    EXPECT_SQL(cluster, "SELECT (SELECT count(*) FROM agent_queries) || ' ' || (SELECT count(*) FROM agent_feedback)",
               "1 0");
    cluster_execute(cluster, "SET ROLE ann; GRANT SELECT, INSERT, DELETE ON " COLD_TABLE " TO pgchime; RESET ROLE");
    retained_run_well(cluster);
    EXPECT_SQL(cluster, "SELECT string_agg(id::text, ' ' ORDER BY id) FROM " COLD_TABLE, "1 2");
    cluster_execute(cluster, "REASSIGN OWNED BY ann TO pgchime");
    retained_run_well(cluster);
}
END_TEST

START_TEST(a_dump_brings_what_is_cold_along_and_retention_goes_on_there)
{
    cold_exists();
    char *bounds = cluster_value(cluster,
                                 "SELECT format('FOR VALUES FROM (%L) TO (%L)', current_date - 70, current_date - 40)");
    partition("m1", bounds);
    cluster_execute(cluster, RESULT("1", "now() - interval '50 days'"));
    retained_run_well(cluster);
    EXPECT_SQL(cluster, "SELECT count(*) FROM analytics.retention_detached", "1");
    char *file = files_path("%s/dump.sql", cluster_directory(cluster));
    ck_assert(dump_write(cluster, "postgres", "postgres", "--no-comments", file));
    cluster_create_database(cluster, "mute");
    dump_restore(cluster, "mute", file);
    dump_copy(cluster, "postgres", cluster, "copy");

    cluster_use(cluster, "copy");
    cluster_execute(cluster, "UPDATE " COLD_TABLE " SET created_at = now() - interval '100 days';" OLD("2", "", ""));
    char *said = retained_run_in(cluster, "copy");
    ck_assert_str_eq(said, "");
    EXPECT_SQL(cluster, "SELECT string_agg(id::text, ' ') FROM " COLD_TABLE, "2");
    EXPECT_SQL(
        cluster,
        "SELECT string_agg(kept_in, ' ') FROM analytics.retention_tiers() WHERE source = 'action_results' AND rows > 0",
        "public.m1");
    cluster_execute(cluster, "UPDATE analytics.retention_detached SET ends = now() - interval '100 days';"
                             "UPDATE m1 SET executed_at = now() - interval '101 days'");
    free(said);
    said = retained_run_in(cluster, "copy");
    ck_assert_str_eq(said, "");
    EXPECT_SQL(cluster, "SELECT to_regclass('m1')", NULL);

    cluster_use(cluster, "mute"); /* nothing says there that they are retention's: left, and told */
    cluster_execute(cluster, "UPDATE " COLD_TABLE " SET created_at = now() - interval '100 days'");
    free(said);
    said = retained_run_in(cluster, "mute");
    ck_assert_ptr_nonnull(strstr(said, COLD_TABLE " is not retention's own: rename it"));
    EXPECT_SQL(cluster, "SELECT (SELECT count(*) FROM " COLD_TABLE ") || ' ' || (SELECT count(*) FROM m1)", "1 1");
    cluster_execute(cluster, "ALTER TABLE " COLD_TABLE " RENAME TO archive;" OLD("2", "", ""));
    free(said);
    said = retained_run_in(cluster, "mute");
    ck_assert_str_eq(said, "");
    EXPECT_SQL(cluster,
               "SELECT (SELECT string_agg(id::text, ' ') FROM " COLD_TABLE
               ") || ' ' || (SELECT count(*) FROM analytics.archive)",
               "2 1");
    free(said);
    free(file);
    free(bounds);
}
END_TEST

static Suite *suite(void)
{
    Suite *all = suite_create("retention_cold");
    TCase *cases = tcase_create("retention_cold");

    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_set_timeout(cases, 180);
    tcase_add_test(cases, a_column_that_became_wider_loses_no_digit);
    tcase_add_test(cases, a_column_of_another_type_is_left_and_told);
    tcase_add_test(cases, a_column_that_is_retyped_in_the_middle_of_a_run_loses_no_digit);
    tcase_add_test(cases, a_column_that_is_added_in_the_middle_of_a_run_loses_no_value);
    tcase_add_test(cases, a_column_that_may_have_been_renamed_is_asked_about);
    tcase_add_test(cases, what_a_dropped_column_held_is_kept_and_what_is_generated_too);
    tcase_add_test(cases, a_batch_that_fails_leaves_its_rows_where_they_were);
    tcase_add_test(cases, default_privileges_let_nobody_read_what_is_cold);
    tcase_add_test(cases, policies_of_a_source_are_told);
    tcase_add_test(cases, two_runs_at_once_move_each_row_once);
    tcase_add_test(cases, a_first_batch_that_is_locked_waits_for_the_next_run);
    tcase_add_test(cases, each_of_several_partitions_is_walked);
    tcase_add_test(cases, what_is_pending_stays_also_in_a_partition_of_long_ago);
    tcase_add_test(cases, a_partition_that_is_attached_again_is_detached_again);
    tcase_add_test(cases, a_table_under_a_detached_partitions_name_is_not_dropped);
    tcase_add_test(cases, a_partition_whose_range_has_no_end_is_walked);
    tcase_add_test(cases, a_partition_that_a_user_detaches_in_the_middle_of_a_run_is_the_users);
    tcase_add_test(cases, a_cold_table_that_was_given_away_is_told_and_hinders_no_other);
    tcase_add_test(cases, a_dump_brings_what_is_cold_along_and_retention_goes_on_there);
    suite_add_tcase(all, cases);
    return all;
}

int main(void)
{
    return suite_run(suite());
}
