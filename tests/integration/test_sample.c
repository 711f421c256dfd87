/* SPDX-License-Identifier: PostgreSQL */
/* The sample data: it loads, is the same each time, and has in it what docs/sample-data.md says; and the live
 * writer. */
#include <check.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "support/cluster/cluster.h"
#include "support/cluster/psql.h"
#include "support/ledger/runs.h"
#include "support/process/files.h"
#include "support/process/process.h"
#include "support/process/suite.h"
#include "support/process/wait.h"

#define AS_OF "2026-03-10 12:00:00.000001+00"
#define AT "timestamptz '" AS_OF "'"

static struct cluster *cluster;

static void load(const char *database, const char *scale)
{
    char *log = files_path("%s/sample.log", cluster_directory(cluster));
    char *command = files_path(
        "exec psql -XqAt -v ON_ERROR_STOP=1 -d %s -v scale=%s -v as_of='" AS_OF "' -f '%s' -f '%s'", database, scale,
        PGCHIME_SOURCE_DIR "/sql/sample/0_schema.sql", PGCHIME_SOURCE_DIR "/sql/sample/1_data.sql");
    process_must_run((const char *const[]){"/bin/bash", "-c", command, NULL}, log);
    free(command);
    free(log);
}

static void set_up(void)
{
    cluster = cluster_create(NULL);
    psql_use(cluster);
}

static void tear_down(void)
{
    cluster_destroy(cluster);
}

static void expect_true(const char *const *facts, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        char *value = cluster_value(cluster, facts[i]);
        ck_assert_msg(value != NULL && strcmp(value, "t") == 0, "%s: %s", facts[i], value != NULL ? value : "NULL");
        free(value);
    }
}
#define EXPECT_TRUE(facts) expect_true(facts, sizeof(facts) / sizeof(facts)[0])

/* --- what is in it ------------------------------------------------------------------------------------------------ */

static const char *const of_submissions[] = {
    "SELECT count(*) = 20000 AND count(DISTINCT challenge_id) = 50 AND count(DISTINCT agent_id) = 200 FROM submissions",
    /* skew: the first challenge has a tenth of all, and another has a single one */
    "SELECT max(n) > 2000 AND min(n) = 1 FROM (SELECT count(*) AS n FROM submissions GROUP BY challenge_id) c",
    "SELECT max(n) > 20 * min(n) FROM (SELECT count(*) AS n FROM submissions GROUP BY agent_id) a",
    /* weeks without submissions */
    "SELECT count(DISTINCT floor(extract(epoch FROM " AT " - created_at) / 604800)) = 23 AND min(created_at) < " AT
    " - interval '25 weeks' FROM submissions",
    /* malformed scores: no object, a string, NaN, null, too large a number */
    "SELECT count(DISTINCT jsonb_typeof(final_lane_scores)) = 4 AND bool_or(final_lane_scores IS NULL) FROM "
    "submissions",
    "SELECT count(DISTINCT jsonb_typeof(value)) = 6 FROM submissions, jsonb_each(CASE jsonb_typeof(final_lane_scores)"
    " WHEN 'object' THEN final_lane_scores END)",
    "SELECT bool_or(composite_score = 'NaN') AND bool_or(composite_score = 'Infinity') AND bool_or(composite_score IS "
    "NULL)"
    " FROM submissions WHERE status = 'scored'",
    "SELECT count(DISTINCT status) = 4 FROM submissions",
    /* ties: one score of one lane of one challenge many times */
    "SELECT max(n) > 10 FROM (SELECT count(*) AS n FROM submissions WHERE jsonb_typeof(final_lane_scores) = 'object'"
    " GROUP BY challenge_id, final_lane_scores -> 'clarity' HAVING bool_and(final_lane_scores ? 'clarity')) t",
    /* bouts without winner, and without a result */
    "SELECT count(*) FILTER (WHERE winner_agent_id IS NULL) > 300 FROM bout_results",
    "SELECT count(*) > 300 FROM submissions s WHERE bout_id IS NOT NULL AND NOT EXISTS (SELECT FROM bout_results b"
    " WHERE b.bout_id = s.bout_id)",
    "SELECT count(*) = (SELECT count(*) FROM submissions WHERE status = 'scored') FROM judge_outputs"};

static const char *const of_telemetry[] = {
    "SELECT count(*) = 20000 FROM chat_telemetry",
    "SELECT max(created_at) < " AT " - interval '60 days' AND count(*) = 30 FROM chat_telemetry"
    " WHERE domain = 'sleeping.example'",
    "SELECT bool_or(domain IS NULL) AND bool_or(model IS NULL) AND bool_or(success IS NULL) AND bool_or(cost_usd = "
    "'NaN')"
    " FROM chat_telemetry",
    "SELECT count(DISTINCT model) = 2 AND min(n) = max(n) FROM (SELECT model, count(*) AS n FROM chat_telemetry"
    " WHERE domain = 'tied.example' GROUP BY model) m"};

#define LAST_MINUTE                                                                                      \
    "(SELECT agent, avg(nullif(latency_ms, 'NaN')) AS latency FROM agent_queries WHERE created_at > " AT \
    " - interval '1 minute' GROUP BY agent) m"

static const char *const of_queries[] = {
    "SELECT count(*) BETWEEN 19900 AND 20100 FROM agent_queries",
    /* four that work, of which one works most; one idle for sixty days, one seen once */
    "SELECT max(n) > 0.5 * sum(n) AND min(n) = 1 FROM (SELECT count(*) AS n FROM agent_queries GROUP BY agent) a",
    "SELECT max(created_at) < " AT " - interval '60 days' FROM agent_queries WHERE agent = 'archivist'",
    "SELECT count(*) = 1 FROM agent_queries WHERE agent = 'visitor'",
    /* each state of health within the last minute */
    "SELECT string_agg(agent, ' ' ORDER BY latency) FILTER (WHERE latency > 200) = 'support' AND"
    " string_agg(agent, ' ') FILTER (WHERE latency > 100 AND latency <= 200) = 'engineer' AND"
    " count(*) FILTER (WHERE latency <= 100) = 2 FROM " LAST_MINUTE,
    /* the bounds themselves, and values that are none */
    "SELECT count(*) FILTER (WHERE latency_ms = 200) > 100 AND count(*) FILTER (WHERE latency_ms = 100) > 100"
    " AND bool_or(latency_ms IS NULL) AND bool_or(latency_ms = 'NaN') AND bool_or(latency_ms < 0) FROM agent_queries",
    "SELECT bool_or(agent IS NULL) AND bool_or(query IS NULL) AND bool_or(query = '') AND max(octet_length(query)) > "
    "8000"
    " FROM agent_queries",
    /* missing and duplicate numbers */
    "SELECT count(*) > 150 FROM (SELECT lead(id) OVER (ORDER BY id) - id AS step FROM agent_queries) s WHERE step > 1",
    "SELECT count(*) > 150 FROM (SELECT FROM agent_queries GROUP BY agent, query, latency_ms, conversation_id, "
    "created_at"
    " HAVING count(*) = 2) d",
    "SELECT count(*) = (SELECT count(*) FROM agent_queries) FROM \"AgentQuery\"",
    /* something of every tier of retention */
    "SELECT bool_or(age > 90) AND bool_or(age BETWEEN 30 AND 90) AND bool_or(age BETWEEN 7 AND 30) AND bool_or(age < 7)"
    " FROM (SELECT extract(epoch FROM " AT " - created_at) / 86400 AS age FROM agent_queries) a"};

static const char *const of_approvals[] = {
    "SELECT count(*) = 5000 FROM agent_approvals",
    /* yesterday's are still pending, of both priorities; so is one of long ago */
    "SELECT count(DISTINCT priority) = 2 FROM agent_approvals WHERE status = 'pending'"
    " AND (created_at AT TIME ZONE 'UTC')::date = (" AT " AT TIME ZONE 'UTC')::date - 1",
    "SELECT count(*) > 0 FROM agent_approvals WHERE status = 'pending' AND created_at < " AT " - interval '90 days'",
    "SELECT count(*) > 0 FROM agent_approvals WHERE status = 'pending' AND created_at > " AT " - interval '5 minutes'",
    "SELECT bool_or(reviewed_at IS NULL) AND bool_or(reviewed_at < created_at) FROM agent_approvals"
    " WHERE status = 'approved'",
    "SELECT count(DISTINCT status) = 4 AND bool_or(confidence_score IS NULL) AND bool_or(confidence_score = 'NaN')"
    " AND bool_or(confidence_score > 1 AND confidence_score <> 'NaN') FROM agent_approvals",
    "SELECT bool_and(reviewed_at IS NULL AND approved_by IS NULL AND updated_at = created_at) FROM agent_approvals"
    " WHERE status = 'pending'",
    "SELECT max(updated_at) <= " AT " FROM agent_approvals"};

static const char *const of_feedback[] = {
    "SELECT count(*) = 1000 FROM agent_feedback",
    "SELECT count(DISTINCT jsonb_typeof(rubric)) = 4 AND bool_or(rubric IS NULL) FROM agent_feedback",
    "SELECT count(DISTINCT jsonb_typeof(rubric -> 'clarity')) = 4 FROM agent_feedback WHERE jsonb_typeof(rubric) = "
    "'object'",
    "SELECT bool_or(safe_to_send IS NULL) AND bool_or(NOT safe_to_send) AND bool_or(labels IS NULL)"
    " AND bool_or(labels = '{}') AND bool_or(labels = '{risky,risky}') FROM agent_feedback",
    "SELECT count(*) = 0 FROM agent_feedback WHERE annotator IS NULL AND updated_at > created_at",
    "SELECT max(n) > 1.5 * min(n) AND count(*) = 4 FROM (SELECT count(*) AS n FROM agent_feedback"
    " WHERE annotator IS NOT NULL GROUP BY annotator) a",
    "SELECT count(*) = 1000 AND bool_or(\"safeToSend\" IS NULL) FROM \"AgentFeedback\""};

static const char *const of_actions[] = {
    "SELECT count(*) = 20000 AND count(DISTINCT action_type) = 3 AND count(DISTINCT status) = 3 FROM action_results",
    "SELECT count(*) = 1 FROM triggers t WHERE NOT EXISTS (SELECT FROM action_results a WHERE a.trigger_id = t.id)",
    "SELECT bool_or(trigger_id IS NULL) AND bool_or(NOT EXISTS (SELECT FROM triggers t WHERE t.id = a.trigger_id))"
    " FROM action_results a",
    "SELECT bool_or(error_message IS NULL) AND count(DISTINCT error_message) = 5 AND count(*) >= 12 FROM action_results"
    " WHERE status = 'failed' AND executed_at > " AT " - interval '24 hours'",
    "SELECT count(*) > 0 FROM action_results WHERE status = 'success' AND error_message IS NOT NULL",
    "SELECT max(n) > 1 FROM (SELECT count(*) AS n FROM action_results WHERE status = 'failed' GROUP BY executed_at) t",
    "SELECT bool_or(duration_ms IS NULL) AND bool_or(duration_ms = 0) AND bool_or(duration_ms < 0) FROM action_results",
    "SELECT count(DISTINCT jsonb_typeof(response_data)) = 4 AND bool_or(response_data IS NULL) FROM action_results",
    /* by month, and nothing in the default partition */
    "SELECT count(DISTINCT tableoid) >= 4 AND bool_and(tableoid::regclass::text = to_char(executed_at AT TIME ZONE "
    "'UTC',"
    " '\"action_results_\"YYYY_MM')) FROM action_results",
    /* one trigger fails often */
    "SELECT max(share) > 0.2 AND percentile_disc(0.5) WITHIN GROUP (ORDER BY share) < 0.05 FROM (SELECT"
    " avg((status = 'failed')::integer) AS share FROM action_results GROUP BY trigger_id HAVING count(*) > 50) t"};

START_TEST(scale_one_has_what_it_is_to_have)
{
    load("postgres", "1");
    EXPECT_TRUE(of_submissions);
    EXPECT_TRUE(of_telemetry);
    EXPECT_TRUE(of_queries);
    EXPECT_TRUE(of_approvals);
    EXPECT_TRUE(of_feedback);
    EXPECT_TRUE(of_actions);
}
END_TEST

static const char *const tables[] = {"submissions",       "bout_results",   "judge_outputs",   "chat_telemetry",
                                     "agent_queries",     "\"AgentQuery\"", "agent_approvals", "agent_feedback",
                                     "\"AgentFeedback\"", "triggers",       "action_results"};
#define TABLES (sizeof(tables) / sizeof(tables[0]))

static char *contents(const char *table)
{
    char *sql = files_path("SELECT md5(string_agg(md5(t::text), '' ORDER BY md5(t::text))) FROM %s t", table);
    char *value = cluster_value(cluster, sql);
    free(sql);
    ck_assert_msg(value != NULL, "%s is empty", table);
    return value;
}

/* The clock, the zone and how far the identifiers had got make no difference. */
START_TEST(the_same_scale_and_instant_give_the_same_rows)
{
    char *first[TABLES];
    load("postgres", "0.05");
    for (size_t i = 0; i < TABLES; i++)
        first[i] = contents(tables[i]);
    cluster_create_database(cluster, "again");
    cluster_execute(cluster, "ALTER DATABASE again SET timezone = 'Pacific/Auckland';"
                             "ALTER DATABASE again SET max_parallel_workers_per_gather = 0;"
                             "ALTER DATABASE again SET work_mem = '64kB'");
    load("again", "0.05");
    cluster_use(cluster, "again");
    cluster_execute(cluster, "SET timezone = 'UTC'");
    for (size_t i = 0; i < TABLES; i++) {
        char *second = contents(tables[i]);
        ck_assert_msg(strcmp(first[i], second) == 0, "%s differs", tables[i]);
        free(second);
        free(first[i]);
    }
}
END_TEST

static void add_a_row_to_every_table(void)
{
    cluster_execute(cluster, "INSERT INTO agent_queries DEFAULT VALUES; INSERT INTO agent_approvals DEFAULT VALUES;"
                             "INSERT INTO agent_feedback DEFAULT VALUES; INSERT INTO \"AgentQuery\" DEFAULT VALUES;"
                             "INSERT INTO \"AgentFeedback\" DEFAULT VALUES; INSERT INTO triggers (name) VALUES ('new');"
                             "INSERT INTO action_results (action_type, status) VALUES ('email', 'success');"
                             "INSERT INTO action_results (action_type, status, executed_at)"
                             " VALUES ('email', 'success', '1999-01-01')");
    EXPECT_SQL(cluster, "SELECT count(*) FROM action_results_default", "1");
}

START_TEST(a_row_may_be_added_to_every_table_after_the_load)
{
    load("postgres", "0.05");
    add_a_row_to_every_table();
}
END_TEST

#define INDEXES                                                                                                 \
    "SELECT string_agg(DISTINCT indexname, ' ' ORDER BY indexname) FROM pg_indexes WHERE schemaname = 'public'" \
    " AND tablename ~* '^agent_?(queries|query|approvals|feedback)$'"

/* Also of tables that are full already. */
START_TEST(tables_are_put_into_partitions_with_their_rows_and_indexes)
{
    char *first[TABLES];
    load("postgres", "0.05");
    for (size_t i = 0; i < TABLES; i++)
        first[i] = contents(tables[i]);
    char *indexes = cluster_value(cluster, INDEXES);
    cluster_execute_file(cluster, PGCHIME_SOURCE_DIR "/sql/sample/partitions.sql");
    for (size_t i = 0; i < TABLES; i++) {
        char *second = contents(tables[i]);
        ck_assert_msg(strcmp(first[i], second) == 0, "%s differs", tables[i]);
        free(second);
        free(first[i]);
    }
    EXPECT_SQL(cluster, INDEXES, indexes);
    EXPECT_SQL(cluster, "SELECT count(*) FROM pg_class WHERE relkind = 'p' AND relnamespace = 'public'::regnamespace",
               "6");
    EXPECT_SQL(cluster, "SELECT count(*) FROM pg_class WHERE relname LIKE '%\\_plain'", "0");
    add_a_row_to_every_table();
    free(indexes);
}
END_TEST

/* --- the writer --------------------------------------------------------------------------------------------------- */

static char *writer_log(void)
{
    return files_path("%s/writer.log", cluster_directory(cluster));
}

static int write_for(const char *arguments)
{
    char *log = writer_log();
    char *command = files_path("exec '%s' %s 'dbname=postgres'", PGCHIME_SOURCE_DIR "/script/sample-writer", arguments);
    files_write(log, "");
    pid_t pid = process_start((const char *const[]){"/bin/bash", "-c", command, NULL}, log, log);
    guard_process(GUARD_GROUP, pid);
    int status = process_wait(pid, 120);
    guard_forget_process(pid);
    free(command);
    free(log);
    return status;
}

/* What it says it has written must be there: rows of each table since its start. */
static void expect_written(const char *said, const char *counts)
{
    char *log = writer_log();
    char *output = files_read(log);
    ck_assert_msg(strncmp(output, said, strlen(said)) == 0, "%s", output);
    EXPECT_SQL(cluster,
               "SELECT concat_ws(' ', (SELECT count(*) FROM agent_queries), (SELECT count(*) FROM \"AgentQuery\"),"
               " (SELECT count(*) FROM agent_approvals), (SELECT count(*) FROM agent_feedback),"
               " (SELECT count(*) FROM action_results), (SELECT count(*) FROM submissions),"
               " (SELECT count(*) FROM judge_outputs), (SELECT count(*) FROM chat_telemetry))",
               counts);
    free(output);
    free(log);
}

static void make_tables(void)
{
    cluster_execute_file(cluster, PGCHIME_SOURCE_DIR "/sql/sample/0_schema.sql");
    cluster_execute(cluster, "INSERT INTO triggers (name) SELECT n FROM generate_series(1, 5) AS n");
}

START_TEST(a_scenario_writes_as_much_as_is_due_by_its_end)
{
    make_tables();
    ck_assert_int_eq(write_for("--scenario peak --for 6s --rate 10"), 0);
    expect_written("peak: 20 queries, 2 approvals, 1 annotations, 2 actions, 60 submissions in ",
                   "20 20 2 1 2 60 60 30");
    cluster_execute(cluster, "TRUNCATE agent_queries, \"AgentQuery\", agent_approvals, agent_feedback, action_results,"
                             " submissions, judge_outputs, chat_telemetry");
    /* Two of the ten seconds in which a minute's work comes. */
    ck_assert_int_eq(write_for("--scenario stress --for 2s --rate 0"), 0);
    expect_written("stress: 100 queries, 10 approvals, 2 annotations, 46 actions, 0 submissions in ",
                   "100 100 10 2 46 0 0 0");
}
END_TEST

START_TEST(five_hundred_queries_a_second_come_over_several_sessions_each_a_transaction)
{
    make_tables();
    ck_assert_int_eq(write_for("--scenario capacity --for 2s"), 0);
    expect_written("capacity: 1000 queries, 6 approvals, 0 annotations, 7 actions, 40 submissions in ",
                   "1000 1000 6 0 7 40 40 20");
    EXPECT_SQL(cluster, "SELECT count(DISTINCT xmin::text) FROM agent_queries", "1000");
}
END_TEST

START_TEST(drafts_are_decided_and_annotations_made)
{
    make_tables();
    cluster_execute(cluster, "INSERT INTO agent_approvals (created_at) SELECT now() - n * interval '1 minute'"
                             " FROM generate_series(1, 20) AS n;"
                             "INSERT INTO agent_feedback (created_at) VALUES (now() - interval '1 day')");
    ck_assert_int_eq(write_for("--scenario stress --for 2s --rate 0"), 0);
    EXPECT_SQL(cluster,
               "SELECT count(*) FROM agent_approvals WHERE status <> 'pending' AND reviewed_at IS NOT NULL"
               " AND approved_by IS NOT NULL AND updated_at > created_at",
               "10");
    EXPECT_SQL(cluster, "SELECT count(*) FROM agent_feedback WHERE annotator IS NOT NULL", "2");
}
END_TEST

START_TEST(it_stops_when_told_to_and_leaves_no_session)
{
    make_tables();
    char *log = writer_log();
    static const char writer[] = PGCHIME_SOURCE_DIR "/script/sample-writer";
    pid_t pid = process_start(
        (const char *const[]){"/bin/bash", writer, "--scenario", "target", "dbname=postgres", NULL}, log, log);
    guard_process(GUARD_GROUP, pid);
    WAIT_SQL(cluster, "SELECT count(*) > 50 FROM agent_queries", "t", 60);
    ck_assert_int_eq(kill(pid, SIGTERM), 0);
    ck_assert_int_eq(process_wait(pid, 60), 0);
    guard_forget_process(pid);
    WAIT_SQL(cluster, "SELECT count(*) FROM pg_stat_activity WHERE backend_type = 'client backend'", "1", 60);
    char *output = files_read(log);
    char *said = cluster_value(cluster, "SELECT format('target: %s queries', count(*)) FROM agent_queries");
    ck_assert_msg(strncmp(output, said, strlen(said)) == 0, "%s, not %s", output, said);
    free(said);
    free(output);
    free(log);
}
END_TEST

START_TEST(what_makes_no_sense_is_refused)
{
    static const char *const refused[] = {"--scenario busy", "--for 5",   "--for soon", "--for 0s",
                                          "--rate fast",     "--scale 0", "--scale",    "--what"};
    for (size_t i = 0; i < sizeof(refused) / sizeof(refused[0]); i++)
        ck_assert_msg(write_for(refused[i]) == 2, "%s", refused[i]);
    ck_assert_int_ne(write_for("--for 1s"), 0); /* there are no tables */
}
END_TEST

static Suite *suite(void)
{
    Suite *all = suite_create("sample");
    TCase *cases = tcase_create("sample");

    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_set_timeout(cases, 300);
    tcase_add_test(cases, scale_one_has_what_it_is_to_have);
    tcase_add_test(cases, the_same_scale_and_instant_give_the_same_rows);
    tcase_add_test(cases, a_row_may_be_added_to_every_table_after_the_load);
    tcase_add_test(cases, tables_are_put_into_partitions_with_their_rows_and_indexes);
    tcase_add_test(cases, a_scenario_writes_as_much_as_is_due_by_its_end);
    tcase_add_test(cases, five_hundred_queries_a_second_come_over_several_sessions_each_a_transaction);
    tcase_add_test(cases, drafts_are_decided_and_annotations_made);
    tcase_add_test(cases, it_stops_when_told_to_and_leaves_no_session);
    tcase_add_test(cases, what_makes_no_sense_is_refused);
    suite_add_tcase(all, cases);
    return all;
}

int main(void)
{
    return suite_run(suite());
}
