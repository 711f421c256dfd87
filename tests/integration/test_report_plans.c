/* SPDX-License-Identifier: PostgreSQL */
/* Whoever looks never reads the history, of runs or of alerts, from one end to the other: every statement of
 * core/report, with each of its examples, is explained and executed on a ledger whose history is large beside all
 * else. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "report/statements.h"
#include "support/cluster/cluster.h"
#include "support/ledger/ledger_sql.h"
#include "support/process/suite.h"

static struct cluster *cluster;
static PGconn *session;

/* Twelve days' partitions, each asked for seven kinds, are some 1,100; 1,500 before each scan ended with its kind. */
#define PAGES_OF_A_JOB 1300

/* Ten days: job example each 20 s, others hourly; what failed is the last of each day. */
static const char history[] =
    "SET session_replication_role = replica;"
    "UPDATE chime.job SET name = 'example' WHERE job_id = 1;"
    "DO $$ BEGIN FOR n IN -10 .. 1 LOOP EXECUTE format('CREATE TABLE IF NOT EXISTS chime.run_history_%s PARTITION OF"
    " chime.run_history FOR VALUES FROM (%L) TO (%L)', to_char(current_date + n, 'YYYYMMDD'), current_date + n,"
    " current_date + n + 1); END LOOP; END $$;"
    "INSERT INTO chime.run_history (run_id, job_id, kind, slot, state, attempt, epoch, started_at, finished_at)"
    " SELECT n, 1, 'schedule', s, CASE WHEN n % 4320 = 0 THEN 'failed' ELSE 'succeeded' END::chime.run_state, 1, 7, s, "
    "s"
    " FROM (SELECT n, current_date - n * interval '20 s' AS s FROM generate_series(1, 43200) n) x;"
    "INSERT INTO chime.run_history (run_id, job_id, kind, slot, state, attempt, epoch, started_at, finished_at)"
    " SELECT 100000 + n, 2 + n % 199, 'schedule', s, 'succeeded', 1, 7, s, s"
    " FROM (SELECT n, current_date - n * interval '18 s' AS s FROM generate_series(1, 47760) n) x;"
    "INSERT INTO chime.attempt (job_id, kind, slot, attempt, run_id, state, epoch, finished_at)"
    " SELECT 1, 'schedule', current_date - n * interval '20 s', 1, n, 'failed', 7, now() FROM generate_series(1, "
    "20000) n;"
    "INSERT INTO chime.missed (job_id, first_slot, last_slot, slots, reason, epoch)"
    " SELECT 1 + n % 200, s, s, 1, 'away', 7"
    " FROM (SELECT n, current_date - n * interval '40 s' AS s FROM generate_series(1, 20000) n) x;"
    "INSERT INTO chime.alert_event (alert_id, at, epoch, state, rule, subject, severity, summary, labels)"
    " SELECT n / 2, current_date - (20000 - n) * interval '40 s', 7, CASE n % 2 WHEN 0 THEN 'firing' ELSE 'resolved'"
    " END, 'job-failed', 'job ' || n % 97, 'warning', 'it failed', '{}' FROM generate_series(1, 20000) n;"
    "RESET session_replication_role;"
    "ANALYZE chime.run_history, chime.attempt, chime.missed, chime.job, chime.job_state, chime.alert_event";

static const char kept_rows[] =
    "SELECT c.oid FROM pg_class c JOIN pg_namespace n ON n.oid = c.relnamespace WHERE n.nspname = 'chime'"
    " AND c.relkind = 'r' AND (c.relname LIKE 'run\\_history\\_%' OR c.relname IN ('attempt', 'missed', 'alert_event'))"
    " AND c.reltuples > 0";

static void set_up(void)
{
    cluster = ledger_sql_create(200);
    cluster_execute(cluster, history);
    cluster_execute_format(cluster, "CREATE TABLE public.history AS %s", kept_rows);
    session = cluster_connect(cluster, "postgres");
    cluster_execute(cluster, "ALTER DATABASE postgres SET jit = off");
    PQreset(session);
}

static void tear_down(void)
{
    PQfinish(session);
    cluster_destroy(cluster);
}

typedef void example_function(const struct report_statement *statement, const char *const *parameters);

static void each_example(example_function *function)
{
    static const char *const none[QUESTION_PARAMETERS_MAX];
    for (int id = 0; id < REPORT_STATEMENT_COUNT; id++) {
        const struct report_statement *statement = report_statement((enum report_id)id);
        if (statement->examples == NULL) {
            ck_assert_uint_eq(statement->parameter_count, 0);
            function(statement, none);
            continue;
        }
        ck_assert_ptr_nonnull(statement->examples[0][0]);
        for (size_t n = 0; statement->examples[n][0] != NULL; n++) {
            function(statement, statement->examples[n]);
        }
    }
}

/* The rows that `verb` and the statement give, in one text. */
static char *ask(const char *verb, const struct report_statement *statement, const char *const *parameters)
{
    struct buffer sql = {0};
    struct buffer text = {0};
    buffer_printf(&sql, "%s%s", verb, statement->sql);
    PGresult *rows = PQexecParams(session, buffer_text(&sql), (int)statement->parameter_count, NULL, parameters, NULL,
                                  NULL, 0);
    ck_assert_msg(PQresultStatus(rows) == PGRES_TUPLES_OK, "%s: %s", statement->name, PQerrorMessage(session));
    for (int i = 0; i < PQntuples(rows); i++) {
        buffer_printf(&text, "%s\n", PQgetvalue(rows, i, 0));
    }
    PQclear(rows);
    buffer_finish(&sql);
    return buffer_take(&text);
}

/* --- what the planner means to do --------------------------------------------------------------------------------- */

static void expect_no_scan(const struct report_statement *statement, const char *const *parameters)
{
    char *plan = ask("EXPLAIN (COSTS OFF) ", statement, parameters);
    PGresult *names = cluster_query(cluster,
                                    "SELECT c.relname FROM pg_class c WHERE c.oid IN (SELECT oid FROM public.history)");
    for (int i = 0; i < PQntuples(names); i++) {
        char scan[128];
        snprintf(scan, sizeof(scan), "Seq Scan on %s ", PQgetvalue(names, i, 0));
        ck_assert_msg(strstr(plan, scan) == NULL, "%s: %s\n%s", statement->name, scan, plan);
    }
    PQclear(names);
    free(plan);
}

START_TEST(no_statement_is_planned_to_scan_the_history)
{
    ck_assert_int_ge(cluster_integer(cluster, "SELECT count(*) FROM public.history"), 12);
    each_example(expect_no_scan);
}
END_TEST

/* --- what its functions do ---------------------------------------------------------------------------------------- */

static void execute(PGconn *connection, const char *sql)
{
    PGresult *done = PQexec(connection, sql);
    ck_assert_msg(PQresultStatus(done) == PGRES_COMMAND_OK, "%s", PQerrorMessage(connection));
    PQclear(done);
}

static void expect_nothing_scanned(const struct report_statement *statement, const char *const *parameters)
{
    execute(session, "BEGIN");
    free(ask("", statement, parameters));
    PGresult *read = PQexec(session, "SELECT coalesce(sum(seq_tup_read), 0), string_agg(relname, ', ') FILTER (WHERE"
                                     " seq_tup_read > 0) FROM pg_stat_xact_all_tables"
                                     " WHERE relid IN (SELECT oid FROM public.history)");
    ck_assert_msg(PQntuples(read) == 1, "%s", PQerrorMessage(session));
    ck_assert_msg(strcmp(PQgetvalue(read, 0, 0), "0") == 0, "%s read %s rows of %s in sequence", statement->name,
                  PQgetvalue(read, 0, 0), PQgetvalue(read, 0, 1));
    PQclear(read);
    execute(session, "ROLLBACK");
}

START_TEST(no_function_that_a_statement_calls_scans_the_history)
{
    each_example(expect_nothing_scanned);
}
END_TEST

/* --- how much of an index ----------------------------------------------------------------------------------------- */

START_TEST(a_page_of_a_jobs_runs_touches_few_pages)
{
    static const char *const parameters[QUESTION_PARAMETERS_MAX] = {"main", "example", [7] = "20"};
    const struct report_statement *statement = report_statement(REPORT_RUNS);
    long hit = -1;
    long read = -1;
    free(ask("", statement, parameters));
    char *plan = ask("EXPLAIN (ANALYZE, BUFFERS, TIMING OFF, FORMAT JSON) ", statement, parameters);
    const char *at_hit = strstr(plan, "\"Shared Hit Blocks\": ");
    const char *at_read = strstr(plan, "\"Shared Read Blocks\": ");
    ck_assert(at_hit != NULL && at_read != NULL && sscanf(at_hit, "%*[^:]: %ld", &hit) == 1 &&
              sscanf(at_read, "%*[^:]: %ld", &read) == 1);
    ck_assert_msg(hit + read > 20 && hit + read < PAGES_OF_A_JOB, "%ld pages\n%s", hit + read, plan);
    free(plan);
}
END_TEST

/* What this session has not yet told the server's statistics is still in these counts: so before and after. */
static long rows_fetched(void)
{
    PGresult *fetched = PQexec(session, "SELECT coalesce(sum(idx_tup_fetch), 0) FROM pg_stat_xact_all_tables"
                                        " WHERE relid IN (SELECT oid FROM public.history)");
    ck_assert_msg(PQntuples(fetched) == 1, "%s", PQerrorMessage(session));
    long count = atol(PQgetvalue(fetched, 0, 0));
    PQclear(fetched);
    return count;
}

/* Of the ten days' 90,960 runs ten failed. */
START_TEST(failures_are_found_without_reading_what_succeeded)
{
    static const char *const parameters[][QUESTION_PARAMETERS_MAX] = {
        {"main", [2] = "{failed,timed_out,lost}", [7] = "20"},
        {"main", "example", "{failed,timed_out,lost}", [7] = "20"}};
    for (size_t i = 0; i < COUNT_OF(parameters); i++) {
        execute(session, "BEGIN");
        long before = rows_fetched();
        char *rows = ask("", report_statement(REPORT_FAILURES), parameters[i]);
        long fetched = rows_fetched() - before;
        ck_assert_msg(strchr(rows, '\n') != NULL, "no failure was found");
        ck_assert_msg(fetched >= 10 && fetched <= 100, "%ld rows were read", fetched);
        free(rows);
        execute(session, "ROLLBACK");
    }
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("report_plans");
    TCase *tests = tcase_create("report_plans");
    tcase_add_unchecked_fixture(tests, set_up, tear_down);
    tcase_set_timeout(tests, 240);
    tcase_add_test(tests, no_statement_is_planned_to_scan_the_history);
    tcase_add_test(tests, no_function_that_a_statement_calls_scans_the_history);
    tcase_add_test(tests, a_page_of_a_jobs_runs_touches_few_pages);
    tcase_add_test(tests, failures_are_found_without_reading_what_succeeded);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
