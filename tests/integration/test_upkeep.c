/* SPDX-License-Identifier: PostgreSQL */
/* The upkeep of the ledger: what is older than it is kept goes, however much there is of it and whatever is in the way
 * of a part. */
#include <check.h>
#include <stdlib.h>

#include "support/cluster/session.h"
#include "support/daemon/served.h"
#include "support/daemon/sql_jobs.h"
#include "support/ledger/runs.h"
#include "support/process/files.h"
#include "support/process/suite.h"
#include "support/process/wait.h"

#define OLD "now() - interval '40 days'"
#define PATIENCE 60.0

/* Not a whole number of the largest step. */
#define BACKLOG "23456"
#define JOBS "3456"

static void set_up(void)
{
    served_set_up(4);
}

static void make_backlog(void)
{
    sql_jobs_make(cluster, NULL, "kept", YEARLY, "SELECT 1", NULL);
    cluster_execute(
        cluster, "INSERT INTO chime.attempt (job_id, kind, slot, attempt, run_id, state, epoch, finished_at)"
                 " SELECT 1000000, 'schedule', " OLD " + n * interval '1 second', 1, n, 'failed', 1, " OLD
                 " FROM generate_series(1, " BACKLOG ") n;"
                 "INSERT INTO chime.missed (job_id, first_slot, last_slot, slots, reason, epoch, recorded_at)"
                 " SELECT 1000000, t, t, 1, 'x', 1, " OLD " FROM generate_series(1, " BACKLOG
                 ") n, LATERAL (SELECT " OLD " + n * interval '1 second' AS t) t;"
                 "INSERT INTO chime.run_history_other (run_id, job_id, kind, slot, state, attempt, epoch, finished_at)"
                 " SELECT n, 1000000, 'schedule', " OLD " + n * interval '1 second', 'failed', 1, 1, " OLD
                 " FROM generate_series(1, " BACKLOG ") n;"
                 "INSERT INTO chime.job_past (job_id, version, since, until, owner, command)"
                 " SELECT (SELECT min(job_id) FROM chime.job), -n, " OLD ", " OLD ", 'postgres', 'SELECT 1'"
                 " FROM generate_series(1, " BACKLOG ") n;"
                 "INSERT INTO chime.leadership (epoch, instance, pid, since) SELECT -n, 'old', 1, " OLD
                 " - n * interval '1 minute'"
                 " FROM generate_series(1, " BACKLOG ") n;");
}

static void make_removed_jobs(void)
{
    cluster_execute(cluster,
                    "INSERT INTO chime.job (owner, job_name, name, origin, active, schedule, command, views, after,"
                    " channels, options) SELECT j.owner, 'gone ' || n, '', j.origin, j.active, j.schedule,"
                    " j.command, j.views, j.after, j.channels, j.options"
                    " FROM chime.job j, generate_series(1, " JOBS ") n WHERE j.job_name = 'kept';"
                    "UPDATE chime.job SET active = false, removed_at = " OLD " WHERE job_name LIKE 'gone %'");
}

#define GONE(table, condition) WAIT_SQL(cluster, "SELECT count(*) FROM chime." table " WHERE " condition, "0", PATIENCE)

START_TEST(a_backlog_goes_at_once_and_not_by_the_hour)
{
    make_backlog();
    make_removed_jobs();
    served = site_lead(site);
    sql_jobs_make(cluster, NULL, "beat", "1 second", "SELECT 1", NULL);
    GONE("attempt", "true");
    GONE("missed", "job_id = 1000000");
    GONE("run_history_other", "true");
    GONE("job_past", "true");
    GONE("leadership", "instance = 'old' AND epoch < -1");
    GONE("job", "removed_at IS NOT NULL");
    GONE("job_state s", "NOT EXISTS (SELECT FROM chime.job j WHERE j.job_id = s.job_id)");
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.job WHERE job_name = 'kept'", "1");
    sql_jobs_await(cluster, "beat", 3);
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.missed", "0");
    EXPECT_SQL(cluster, "SELECT epoch FROM chime.leader", "1");
}
END_TEST

START_TEST(what_holds_one_part_up_holds_up_no_other)
{
    make_backlog();
    PGconn *holder = cluster_connect(cluster, "postgres");
    session_execute(holder, "BEGIN; LOCK TABLE chime.attempt IN SHARE MODE");
    served = site_lead(site);
    GONE("missed", "job_id = 1000000");
    GONE("run_history_other", "true");
    GONE("job_past", "true");
    daemon_await(served, "old attempts could not be removed", PATIENCE);
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.attempt", BACKLOG);
    session_execute(holder, "COMMIT");
    PQfinish(holder);
    GONE("attempt", "true");
    EXPECT_SQL(cluster, "SELECT epoch FROM chime.leader", "1");
}
END_TEST

/* --- partitions --------------------------------------------------------------------------------------------------- */

#define PARTITIONS(condition)                                                  \
    "SELECT count(*) FROM pg_inherits i JOIN pg_class c ON c.oid = i.inhrelid" \
    " WHERE i.inhparent = 'chime.run_history'::regclass AND c.relname ~ '[0-9]{8}$' AND " condition

/* Four months of them, and none of those to come. */
static void make_old_partitions(void)
{
    cluster_execute(
        cluster, "SET TimeZone = 'UTC';"
                 "DO $$ DECLARE v_name text; BEGIN"
                 " FOR v_name IN SELECT c.relname FROM pg_class c WHERE c.relname ~ '^run_history_[0-9]{8}$' LOOP"
                 "  EXECUTE format('DROP TABLE chime.%I', v_name);"
                 " END LOOP;"
                 " FOR n IN 31..150 LOOP"
                 "  EXECUTE format('CREATE TABLE chime.%I PARTITION OF chime.run_history FOR VALUES FROM (%L) TO (%L)',"
                 "   'run_history_' || to_char(current_date - n, 'YYYYMMDD'), current_date - n, current_date - n + 1);"
                 " END LOOP; END $$");
}

START_TEST(a_partition_that_is_read_holds_up_no_other)
{
    char *said;

    make_old_partitions();
    char *held = cluster_value(cluster, "SELECT 'run_history_' || to_char(current_date - 100, 'YYYYMMDD')");
    char *begin = files_path("BEGIN; TABLE chime.%s", held);
    PGconn *reader = cluster_connect(cluster, "postgres");
    session_execute(reader, begin);
    served = site_lead(site);
    WAIT_SQL(cluster, PARTITIONS("c.relname::text < 'run_history_' || to_char(current_date - 30, 'YYYYMMDD')"), "1",
             PATIENCE);
    WAIT_SQL(cluster, PARTITIONS("c.relname::text >= 'run_history_' || to_char(current_date - 1, 'YYYYMMDD')"), "9",
             PATIENCE);
    said = files_path("%s could not be dropped: could not obtain lock on relation", held);
    daemon_await(served, said, PATIENCE);
    session_execute(reader, "COMMIT");
    PQfinish(reader);
    WAIT_SQL(cluster, PARTITIONS("c.relname::text < 'run_history_' || to_char(current_date - 30, 'YYYYMMDD')"), "0",
             PATIENCE);
    EXPECT_SQL(cluster, "SELECT epoch FROM chime.leader", "1");
    free(begin);
    free(held);
    free(said);
}
END_TEST

/* Somebody reads all of the history and takes their time: whoever comes to read it waits for no longer than a try. */
START_TEST(readers_wait_200_ms_for_a_partition_at_most)
{
    PGconn *reader = cluster_connect(cluster, "postgres");
    PGconn *next = cluster_connect(cluster, "postgres");

    make_old_partitions();
    session_execute(reader, "BEGIN; TABLE chime.run_history");
    session_execute(next, "SET lock_timeout = '60s'");
    session_send(
        next, "DO $$ DECLARE v_at timestamptz; v_tries int := 0; BEGIN"
              " LOOP v_at := clock_timestamp(); PERFORM FROM chime.run_history LIMIT 1; COMMIT;"
              "  IF clock_timestamp() - v_at > interval '20 s' THEN RAISE 'waited %', clock_timestamp() - v_at; END IF;"
              "  IF clock_timestamp() - v_at > interval '50 ms' THEN v_tries := v_tries + 1; END IF;"
              "  EXIT WHEN v_tries = 5; END LOOP; END $$");
    served = site_lead(site);
    session_await(next);
    PQfinish(next);
    PQfinish(reader);
    WAIT_SQL(cluster, PARTITIONS("c.relname::text < 'run_history_' || to_char(current_date - 30, 'YYYYMMDD')"), "0",
             PATIENCE);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("upkeep");
    TCase *tests = tcase_create("upkeep");
    tcase_set_timeout(tests, 300);
    tcase_add_checked_fixture(tests, set_up, served_tear_down);
    tcase_add_test(tests, a_backlog_goes_at_once_and_not_by_the_hour);
    tcase_add_test(tests, a_partition_that_is_read_holds_up_no_other);
    tcase_add_test(tests, readers_wait_200_ms_for_a_partition_at_most);
    tcase_add_test(tests, what_holds_one_part_up_holds_up_no_other);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
