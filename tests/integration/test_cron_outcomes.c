/* SPDX-License-Identifier: PostgreSQL */
/* What runs come to in cron.job_run_details, by pg_cron and by us: status and return_message of texts as people write
 * them. pg_cron's answers are those of 1.4.2 on PostgreSQL 15; with PGCHIME_TEST_SOAK it is asked again, which takes a
 * minute. Not asked: COPY, on which its launcher hangs, and what ends its own session. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "ledger/migrate.h"
#include "support/daemon/served.h"
#include "support/import/cron.h"
#include "support/ledger/runs.h"
#include "support/process/suite.h"
#include "support/process/wait.h"

#define KNOWN_VERSION "1.4-1"

static const struct {
    const char *command;
    const char *theirs; /* status: return_message, without a last line's end */
    const char *ours;   /* NULL: the same */
} texts[] = {
    {"SELECT 1", "succeeded: 1 row", NULL},
    {"SELECT 1; SELECT 2", "succeeded: 1 row", NULL},
    {"SELECT generate_series(1,3)", "succeeded: 3 rows", NULL},
    {"SELECT 1 WHERE false", "succeeded: 0 rows", NULL},
    {"INSERT INTO t VALUES (1)", "succeeded: INSERT 0 1", NULL},
    {"INSERT INTO t VALUES (1),(2),(3)", "succeeded: INSERT 0 3", NULL},
    {"INSERT INTO t VALUES (1) RETURNING a", "succeeded: 1 row", NULL},
    {"DELETE FROM t WHERE a = -1", "succeeded: DELETE 0", NULL},
    {"CREATE TABLE IF NOT EXISTS made (a int)", "succeeded: CREATE TABLE", NULL},
    {"CREATE TABLE IF NOT EXISTS made2 (a int); DROP TABLE made2", "succeeded: DROP TABLE", NULL},
    {"DROP TABLE IF EXISTS nothing_there", "succeeded: DROP TABLE", NULL},
    {"TRUNCATE t2", "succeeded: TRUNCATE TABLE", NULL},
    {"VACUUM t", "succeeded: VACUUM", NULL},
    {"VACUUM ANALYZE t", "succeeded: VACUUM", NULL},
    {"VACUUM (VERBOSE) t", "succeeded: VACUUM", NULL},
    {"ANALYZE t", "succeeded: ANALYZE", NULL},
    {"REINDEX TABLE reindexed", "succeeded: REINDEX", NULL},
    {"CREATE INDEX CONCURRENTLY IF NOT EXISTS indexed_a ON indexed (a)", "succeeded: CREATE INDEX", NULL},
    {"DO $$ BEGIN PERFORM 1; END $$", "succeeded: DO", NULL},
    {"DO $$ BEGIN RAISE NOTICE 'hello'; END $$", "succeeded: DO", NULL},
    {"DO $$ BEGIN RAISE WARNING 'careful'; END $$", "succeeded: DO", NULL},
    {"DO $$ BEGIN RAISE EXCEPTION 'boom'; END $$",
     "failed: ERROR:  boom\nCONTEXT:  PL/pgSQL function inline_code_block line 1 at RAISE", NULL},
    {"DO $$ BEGIN RAISE EXCEPTION 'boom' USING DETAIL = 'the detail', HINT = 'the hint', ERRCODE = 'P0099'; END $$",
     "failed: ERROR:  boom\nDETAIL:  the detail\nHINT:  the hint\nCONTEXT:  PL/pgSQL function inline_code_block line 1 "
     "at RAISE",
     NULL},
    {"CALL p()", "succeeded: CALL", NULL},
    {"CALL p_commits()", "succeeded: CALL", NULL},
    {"CALL nothing()",
     "failed: ERROR:  procedure nothing() does not exist\nLINE 1: CALL nothing()\n             ^\nHINT:  No procedure "
     "matches the given name and argument types. You might need to add explicit type casts.",
     NULL},
    {"SELECT 1/0", "failed: ERROR:  division by zero", NULL},
    {"SELECT * FROM nothing_there",
     "failed: ERROR:  relation \"nothing_there\" does not exist\nLINE 1: SELECT * FROM nothing_there\n                 "
     "     ^",
     NULL},
    {"SELEC 1", "failed: ERROR:  syntax error at or near \"SELEC\"\nLINE 1: SELEC 1\n        ^", NULL},
    {"syntax error here", "failed: ERROR:  syntax error at or near \"syntax\"\nLINE 1: syntax error here\n        ^",
     NULL},
    {"SELECT 'ä€😀'", "succeeded: 1 row", NULL},
    {"SELECT pg_sleep(0.1)", "succeeded: 1 row", NULL},
    {"BEGIN; INSERT INTO t VALUES (5); COMMIT", "succeeded: COMMIT", NULL},
    {"BEGIN; INSERT INTO t VALUES (6)", "succeeded: INSERT 0 1",
     "failed: ERROR:  the text began a transaction and did not end it; it was rolled back\nHINT:  end the text with "
     "COMMIT"},
    {"BEGIN; INSERT INTO t VALUES (7); ROLLBACK", "succeeded: ROLLBACK", NULL},
    {"ROLLBACK", "succeeded: ROLLBACK", NULL},
    {"COMMIT", "succeeded: COMMIT", NULL},
    {"START TRANSACTION", "succeeded: START TRANSACTION",
     "failed: ERROR:  the text began a transaction and did not end it; it was rolled back\nHINT:  end the text with "
     "COMMIT"},
    {"SET work_mem = '8MB'", "succeeded: SET", NULL},
    {"SET LOCAL work_mem = '8MB'", "succeeded: SET", NULL},
    {"RESET ALL", "succeeded: RESET", NULL},
    {"SHOW work_mem", "succeeded: 1 row", NULL},
    {"SELECT set_config('a.b','c',false)", "succeeded: 1 row", NULL},
    {"NOTIFY ch, 'x'", "succeeded: NOTIFY", NULL},
    {"LISTEN ch", "succeeded: LISTEN", NULL},
    {"UNLISTEN *", "succeeded: UNLISTEN", NULL},
    {"LOCK TABLE t", "failed: ERROR:  LOCK TABLE can only be used in transaction blocks", NULL},
    {"EXPLAIN SELECT 1", "succeeded: 1 row", NULL},
    {"EXPLAIN ANALYZE SELECT 1", "succeeded: 3 rows", NULL},
    {"VALUES (1),(2)", "succeeded: 2 rows", NULL},
    {"TABLE t2", "succeeded: 0 rows", NULL},
    {"WITH w AS (INSERT INTO t VALUES (9) RETURNING a) SELECT * FROM w", "succeeded: 1 row", NULL},
    {"PREPARE q AS SELECT 1", "succeeded: PREPARE", NULL},
    {"PREPARE q2 AS SELECT 1; EXECUTE q2; DEALLOCATE q2", "succeeded: DEALLOCATE", NULL},
    {"DECLARE c CURSOR FOR SELECT 1", "failed: ERROR:  DECLARE CURSOR can only be used in transaction blocks", NULL},
    {"BEGIN; DECLARE c CURSOR FOR SELECT 1; FETCH c; COMMIT", "succeeded: COMMIT", NULL},
    {"CREATE MATERIALIZED VIEW IF NOT EXISTS mv AS SELECT 1", "succeeded: CREATE MATERIALIZED VIEW", NULL},
    {"SELECT 1 AS a, 2 AS b", "succeeded: 1 row", NULL},
    {"SELECT NULL", "succeeded: 1 row", NULL},
    {"SELECT ''", "succeeded: 1 row", NULL},
    {"-- just a comment", "succeeded: 0 rows", "succeeded: "},
    {"SELECT 1 -- trailing comment", "succeeded: 1 row", NULL},
    {"/* c */ SELECT 1", "succeeded: 1 row", NULL},
    {"SELECT 1;", "succeeded: 1 row", NULL},
    {"SELECT 1;;", "succeeded: 1 row", NULL},
    {";", "succeeded: 0 rows", "succeeded: "},
    {"GRANT SELECT ON granted TO other", "succeeded: GRANT", NULL},
    {"COMMENT ON TABLE commented IS 'x'", "succeeded: COMMENT", NULL},
    {"CLUSTER t2", "failed: ERROR:  there is no previously clustered index for table \"t2\"", NULL},
    {"CHECKPOINT", "failed: ERROR:  must be superuser or have privileges of pg_checkpoint to do CHECKPOINT", NULL},
    {"SELECT repeat('x', 10000)", "succeeded: 1 row", NULL},
    {"SELECT pg_cancel_backend(pg_backend_pid())", "failed: ERROR:  canceling statement due to user request", NULL},
    {"SELECT count(*) FROM generate_series(1,1000)", "succeeded: 1 row", NULL},
    {"SELECT 1; SELECT 1/0", "failed: ERROR:  division by zero", NULL},
    {"INSERT INTO t VALUES (11); SELECT 1/0", "failed: ERROR:  division by zero", NULL},
    {"SELECT 1; VACUUM t", "failed: ERROR:  VACUUM cannot run inside a transaction block", NULL},
    {"DISCARD ALL", "succeeded: DISCARD ALL", NULL},
    {"SET ROLE other", "failed: ERROR:  permission denied to set role \"other\"", NULL},
    {"SET SESSION AUTHORIZATION other", "failed: ERROR:  permission denied to set session authorization \"other\"",
     NULL},
    {"SELECT current_user, session_user", "succeeded: 1 row", NULL},
    {"MERGE INTO t USING t2 ON t.a = t2.a WHEN NOT MATCHED THEN INSERT VALUES (t2.a)", "succeeded: MERGE 0", NULL},
    {"CREATE TEMP TABLE tmp (a int)", "succeeded: CREATE TABLE", NULL},
    {"SELECT current_setting('application_name')", "succeeded: 1 row", NULL},
    {"SELECT current_setting('search_path')", "succeeded: 1 row", NULL},
};

/* Four texts run at once. CREATE INDEX CONCURRENTLY waits for all that have a snapshot: where one of these waits for
 * the same table, that is a deadlock. So what locks a table or writes its row of pg_class has one of its own. */
static const char tables[] =
    "CREATE TABLE t (a integer); CREATE TABLE t2 (a integer PRIMARY KEY);"
    "CREATE TABLE indexed (a integer); CREATE TABLE reindexed (a integer PRIMARY KEY);"
    "CREATE TABLE granted (a integer); CREATE TABLE commented (a integer);"
    "ALTER TABLE indexed OWNER TO app; ALTER TABLE reindexed OWNER TO app;"
    "ALTER TABLE granted OWNER TO app; ALTER TABLE commented OWNER TO app;"
    "CREATE MATERIALIZED VIEW mv AS SELECT 1 AS a;"
    "ALTER TABLE t OWNER TO app; ALTER TABLE t2 OWNER TO app; ALTER MATERIALIZED VIEW mv OWNER TO app;"
    "GRANT CREATE ON SCHEMA public TO app;"
    "CREATE PROCEDURE p() LANGUAGE sql AS 'SELECT 1';"
    "CREATE PROCEDURE p_commits() LANGUAGE plpgsql AS 'BEGIN COMMIT; END'";

static void make_jobs(struct cluster *server, const char *schedule)
{
    cluster_execute(server, "SET ROLE app");
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        cluster_execute_format(server, "SELECT cron.schedule('%zu', '%s', $text$%s$text$)", i, schedule,
                               texts[i].command);
    }
    cluster_execute(server, "RESET ROLE");
}

static void await_ends(struct cluster *server, double seconds)
{
    WAIT_SQL(server,
             "SELECT count(*) FROM cron.job j WHERE NOT EXISTS (SELECT FROM cron.job_run_details d"
             " WHERE d.jobid = j.jobid AND d.status IN ('succeeded', 'failed'))",
             "0", seconds);
}

static void expect_outcomes(struct cluster *server, bool real)
{
    int wrong = 0;
    for (size_t i = 0; i < COUNT_OF(texts); i++) {
        char *sql = xasprintf("SELECT d.status || ': ' || rtrim(coalesce(d.return_message, ''), E'\\n') FROM cron.job j"
                              " JOIN cron.job_run_details d USING (jobid) WHERE j.jobname = '%zu'"
                              " AND d.status IN ('succeeded', 'failed') ORDER BY d.runid LIMIT 1",
                              i);
        char *outcome = cluster_value(server, sql);
        const char *expected = real || texts[i].ours == NULL ? texts[i].theirs : texts[i].ours;
        if (outcome == NULL || strcmp(outcome, expected) != 0) {
            fprintf(stderr, "%s\n  is       %s\n  expected %s\n", texts[i].command, outcome != NULL ? outcome : "NULL",
                    expected);
            wrong++;
        }
        free(outcome);
        free(sql);
    }
    ck_assert_int_eq(wrong, 0);
}

START_TEST(runs_come_to_what_they_do_with_pg_cron)
{
    served_set_up(4);
    cluster_execute(cluster, migrate_cron_text());
    cluster_execute(cluster, "CREATE ROLE app LOGIN; CREATE ROLE other LOGIN; GRANT USAGE ON SCHEMA cron TO app");
    cluster_execute(cluster, tables);
    make_jobs(cluster, "0 0 1 1 *");
    served = site_lead(site);
    cluster_execute(cluster, "SELECT chime.run_now(jobid) FROM cron.job");
    await_ends(cluster, 40);
    expect_outcomes(cluster, false);
}
END_TEST

START_TEST(pg_cron_still_answers_so)
{
    served_set_up(1);
    struct cluster *real = cron_create_real(cluster);
    if (real == NULL ||
        !cluster_true(real, "SELECT extversion = '" KNOWN_VERSION "' FROM pg_extension WHERE extname = 'pg_cron'")) {
        fprintf(stderr, "skipped: another pg_cron than " KNOWN_VERSION " here\n");
        cluster_destroy(real);
        return;
    }
    cluster_execute(real, tables);
    make_jobs(real, "* * * * *");
    cluster_execute_format(real, "UPDATE cron.job SET nodename = '%s'", cluster_directory(real));
    await_ends(real, 150);
    expect_outcomes(real, true);
    cluster_destroy(real);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("outcomes of schema cron");
    TCase *outcomes = tcase_create("outcomes");
    tcase_add_checked_fixture(outcomes, NULL, served_tear_down);
    tcase_set_timeout(outcomes, 240);
    tcase_add_test(outcomes, runs_come_to_what_they_do_with_pg_cron);
    if (getenv("PGCHIME_TEST_SOAK") != NULL) {
        tcase_add_test(outcomes, pg_cron_still_answers_so);
    }
    suite_add_tcase(suite, outcomes);
    return suite_run(suite);
}
