/* SPDX-License-Identifier: PostgreSQL */
/* Others are in the way of the ledger: they lock its tables, rebuild its history, cancel what the leader writes. That
 * costs no run and no leadership: what ends meanwhile is recorded afterwards, and nothing is missing. The daemon's role
 * is no superuser. */
#include <check.h>
#include <signal.h>
#include <stdlib.h>
#include <string.h>

#include "support/cluster/session.h"
#include "support/daemon/commands.h"
#include "support/daemon/stage.h"
#include "support/ledger/ledger_oracle.h"
#include "support/ledger/runs.h"
#include "support/process/files.h"
#include "support/process/suite.h"
#include "support/process/wait.h"

#define PATIENCE 60.0
#define LEADER "(SELECT pid FROM chime.leader)"
/* A run that goes on until the test lets it: as long as somebody else holds this lock. */
#define GATE "SELECT pg_advisory_lock(77)"

static PGconn *other;
static PGconn *gate;

static void set_up(void)
{
    stage_set_as("chimer", 3);
    cluster_execute(cluster, "GRANT pg_read_all_stats TO chimer");
    site_job(site, "long", NEVER_DUE "command = \"SELECT pg_advisory_lock_shared(77)\"; max_attempts = 1;");
    other = cluster_connect(cluster, "postgres");
    gate = cluster_connect(cluster, "postgres");
    session_execute(gate, "SET idle_session_timeout = 0; " GATE);
    served = site_lead(site);
    oracle_await_load(cluster);
    runs_ask(cluster, "long");
    WAIT_SQL(cluster,
             "SELECT count(*) FROM pg_stat_activity WHERE query ~ 'lock_shared.77.' AND wait_event = 'advisory'", "1",
             PATIENCE);
}

static void tear_down(void)
{
    PQfinish(other);
    PQfinish(gate);
    stage_clear();
}

/* The run that went on all the while has ended well, the leadership is the same, and every slot is on record. */
static void expect_no_loss(void)
{
    session_execute(gate, "SELECT pg_advisory_unlock(77)");
    runs_await(cluster, "long", 1);
    EXPECT_RUN(cluster, "long", "state", "succeeded");
    EXPECT_SQL(cluster, "SELECT epoch FROM chime.leader", "1");
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.runs WHERE state IN ('lost', 'failed')", "0");
    oracle_expect_sound(cluster);
}

static const char *const tables[] = {"run_history", "job_state", "run", "request", "leader"};

START_TEST(a_locked_table_of_the_ledger_costs_no_run_and_no_leadership)
{
    char *lock = files_path("SET application_name = 'mason'; BEGIN; LOCK TABLE chime.%s IN ACCESS EXCLUSIVE MODE",
                            tables[_i]);
    char *words = files_path("pid %d (role postgres, mason, idle in transaction) holds AccessExclusiveLock on chime.%s",
                             PQbackendPID(other), tables[_i]);

    session_execute(other, lock);
    daemon_await(served, "canceling statement due to lock timeout", PATIENCE);
    daemon_await(served, words, PATIENCE);
    session_execute(other, "COMMIT");
    daemon_await(served, "the ledger can be written again", PATIENCE);
    expect_no_loss();
    free(lock);
    free(words);
}
END_TEST

START_TEST(a_write_that_somebody_cancels_is_sent_again)
{
    session_execute(other, "BEGIN; LOCK TABLE chime.run_history IN SHARE MODE");
    WAIT_SQL(cluster,
             "SELECT pg_cancel_backend(pid) FROM pg_stat_activity WHERE pid = " LEADER " AND wait_event_type = 'Lock'",
             "t", PATIENCE);
    daemon_await(served, "canceling statement due to user request", PATIENCE);
    session_execute(other, "COMMIT");
    expect_no_loss();
}
END_TEST

/* A job of ours rebuilds the history, and waits itself for somebody who writes to it: what the leader writes waits
 * behind both. */
static const char *const rebuilds[] = {"VACUUM FULL chime.run_history", "REINDEX TABLE chime.run_history",
                                       "CREATE INDEX rebuilt ON chime.run_history (finished_at)"};

START_TEST(a_job_that_rebuilds_the_history_costs_no_run_nor_itself)
{
    char *members = files_path(NEVER_DUE "command = \"%s\"; max_attempts = 1;", rebuilds[_i]);

    site_job(site, "rebuild", members);
    site_reload(site, served);
    WAIT_SQL(cluster, "SELECT count(*) FROM chime.job WHERE name = 'rebuild'", "1", PATIENCE);
    session_execute(other, "BEGIN; LOCK TABLE chime.run_history IN ROW EXCLUSIVE MODE");
    runs_ask(cluster, "rebuild");
    daemon_await(served, "canceling statement due to lock timeout", PATIENCE);
    session_execute(other, "COMMIT");
    runs_await(cluster, "rebuild", 1);
    EXPECT_RUN(cluster, "rebuild", "state", "succeeded");
    expect_no_loss();
    free(members);
}
END_TEST

/* The job that is in the way can be cancelled, and is, though nothing can be written. */
START_TEST(a_job_that_is_in_the_way_can_be_cancelled)
{
    site_job(site, "rebuild", NEVER_DUE "command = \"VACUUM FULL chime.run_history\"; max_attempts = 1;");
    site_reload(site, served);
    WAIT_SQL(cluster, "SELECT count(*) FROM chime.job WHERE name = 'rebuild'", "1", PATIENCE);
    session_execute(other, "BEGIN; TABLE chime.run_history");
    runs_ask(cluster, "rebuild");
    daemon_await(served, "canceling statement due to lock timeout", PATIENCE);
    EXPECT_SQL(
        cluster,
        "SELECT count(*) FROM chime.run r JOIN chime.job j USING (job_id), LATERAL chime.cancel_run(r.run_id, 'now') c"
        " WHERE j.name = 'rebuild'",
        "1");
    runs_await(cluster, "rebuild", 1);
    EXPECT_RUN(cluster, "rebuild", "state", "cancelled");
    session_execute(other, "COMMIT");
    expect_no_loss();
}
END_TEST

static int times_said(const char *text)
{
    char *said = daemon_errors(served);
    int times = 0;
    for (const char *at = said; (at = strstr(at, text)) != NULL; at++)
        times++;
    free(said);
    return times;
}

/* What cannot be written down is not begun again with each heartbeat. */
START_TEST(a_request_is_granted_once_when_the_ledger_can_be_written_again)
{
    session_execute(other, "BEGIN; LOCK TABLE chime.run_history IN SHARE MODE");
    daemon_await(served, "canceling statement due to lock timeout", PATIENCE);
    cluster_execute(cluster, "SELECT chime.suspend(job_id, 'too noisy') FROM chime.job WHERE name = 'tick';"
                             "CREATE TABLE public.asked_at AS SELECT clock_timestamp() AS at");
    WAIT_SQL(cluster, "SELECT clock_timestamp() > at + interval '6 s' FROM public.asked_at", "t", PATIENCE);
    session_execute(other, "COMMIT");
    WAIT_SQL(cluster, "SELECT suspend_reason FROM chime.job_status WHERE name = 'tick'", "too noisy", PATIENCE);
    ck_assert_int_eq(times_said("too noisy"), 1);
    cluster_execute(cluster, "SELECT chime.resume(job_id) FROM chime.job WHERE name = 'tick'");
    expect_no_loss();
}
END_TEST

START_TEST(status_says_who_keeps_the_ledger_from_being_written)
{
    char *words = files_path("cannot write to the ledger: pid %d (role postgres, mason, idle in transaction) holds "
                             "ShareLock on chime.run_history since ",
                             PQbackendPID(other));

    session_execute(other, "SET application_name = 'mason'; BEGIN; LOCK TABLE chime.run_history IN SHARE MODE");
    daemon_await(served, "canceling statement due to lock timeout", PATIENCE);
    commands_expect(8, site_config(site), (const char *const[]){"status", NULL}, &output, &errors);
    commands_has(errors, words);
    session_execute(other, "COMMIT");
    daemon_await(served, "the ledger can be written again", PATIENCE);
    commands_expect(0, site_config(site), (const char *const[]){"status", NULL}, &output, &errors);
    expect_no_loss();
    free(words);
}
END_TEST

/* It has no session: its locks name no pid. */
START_TEST(status_names_a_prepared_transaction_that_keeps_the_ledger_from_being_written)
{
    static const char words[] =
        "prepared transaction 'left behind' (role postgres) holds ShareLock on chime.run_history since ";

    session_execute(other, "BEGIN; LOCK TABLE chime.run_history IN SHARE MODE; PREPARE TRANSACTION 'left behind'");
    daemon_await(served, words, PATIENCE);
    commands_expect(8, site_config(site), (const char *const[]){"status", NULL}, &output, &errors);
    commands_has(errors, words);
    commands_has(errors, "ROLLBACK PREPARED");
    session_execute(other, "ROLLBACK PREPARED 'left behind'");
    daemon_await(served, "the ledger can be written again", PATIENCE);
    expect_no_loss();
}
END_TEST

/* Who holds a row shows only as somebody who began to write and has not ended. */
START_TEST(a_locked_row_costs_no_run_and_no_leadership)
{
    char *words = files_path("pid %d (role postgres, mason, idle in transaction) holds RowShareLock on chime.job_state",
                             PQbackendPID(other));

    session_execute(other, "SET application_name = 'mason'; BEGIN; SELECT FROM chime.job_state FOR UPDATE");
    daemon_await(served, "canceling statement due to lock timeout", PATIENCE);
    daemon_await(served, words, PATIENCE);
    session_execute(other, "COMMIT");
    expect_no_loss();
    free(words);
}
END_TEST

/* --- deadlocks and serialization failures ------------------------------------------------------------------------- */

/* As the server would fail a statement, as long as public.failing names how. The leader's sessions are READ COMMITTED
 * whatever its role or the database has: nothing else than such a trigger gives them a 40001. */
static void make_failing(void)
{
    cluster_execute(
        cluster, "CREATE TABLE public.failing AS SELECT '40P01' AS state;"
                 "CREATE FUNCTION public.fail() RETURNS void LANGUAGE plpgsql SECURITY DEFINER AS $$ DECLARE v text; "
                 "BEGIN SELECT state INTO v FROM public.failing;"
                 " IF FOUND THEN RAISE 'made to fail with %', v USING ERRCODE = v; END IF; END $$;"
                 "CREATE FUNCTION public.fail_row() RETURNS trigger LANGUAGE plpgsql AS $$ BEGIN PERFORM "
                 "public.fail(); RETURN new; END $$;"
                 "GRANT EXECUTE ON FUNCTION public.fail TO chimer");
}

static void fail_each_way(void)
{
    daemon_await(served, "made to fail with 40P01", PATIENCE);
    cluster_execute(cluster, "UPDATE public.failing SET state = '40001'");
    daemon_await(served, "made to fail with 40001", PATIENCE);
    cluster_execute(cluster, "TRUNCATE public.failing");
    daemon_await(served, "the ledger can be written again", PATIENCE);
}

#define FAIL_INSERTS(table, which) \
    "CREATE TRIGGER fails BEFORE INSERT ON " table " FOR EACH ROW " which " EXECUTE FUNCTION public.fail_row()"

/* A claim, an end, a heartbeat. */
static const char *const failing[] = {
    FAIL_INSERTS("chime.run", ""), FAIL_INSERTS("chime.run_history", ""),
    "ALTER FUNCTION chime.open_requests RENAME TO asked; SELECT set_config('search_path', '', false); DO $do$ BEGIN "
    "EXECUTE "
    "format('CREATE FUNCTION chime.open_requests() RETURNS %s LANGUAGE plpgsql AS $$ BEGIN PERFORM public.fail(); "
    "RETURN QUERY "
    "SELECT * FROM chime.asked(); END $$; ALTER FUNCTION chime.open_requests OWNER TO chimer', "
    "pg_get_function_result('chime.asked'::regproc)); END $do$; RESET search_path"};

START_TEST(a_write_that_deadlocks_or_fails_to_serialize_is_sent_again)
{
    make_failing();
    cluster_execute(cluster, failing[_i]);
    fail_each_way();
    expect_no_loss();
}
END_TEST

START_TEST(an_adoption_that_deadlocks_or_fails_to_serialize_is_sent_again)
{
    make_failing();
    cluster_execute(cluster, FAIL_INSERTS("chime.run_history", "WHEN (new.state = 'lost')"));
    daemon_kill(served);
    daemon_destroy(served);
    served = site_serve(site, NULL, NULL);
    fail_each_way();
    runs_await(cluster, "long", 1);
    EXPECT_RUN(cluster, "long", "state", "lost");
    EXPECT_SQL(cluster, "SELECT epoch FROM chime.leader", "2");
    oracle_expect_sound(cluster);
}
END_TEST

/* A real one: the end of a run has rows of chime.run and waits for the history, which its rival has, who waits for
 * chime.run. Only the leader looks for deadlocks soon. */
START_TEST(the_leader_as_the_victim_of_a_deadlock_loses_nothing)
{
    session_execute(other, "SET deadlock_timeout = '1h'");
    for (int i = 0; i < 20 && !daemon_said(served, "deadlock detected"); i++) {
        session_execute(other, "BEGIN; LOCK TABLE chime.run_history IN ACCESS EXCLUSIVE MODE");
        WAIT_SQL(cluster,
                 "SELECT count(*) > 0 FROM pg_locks WHERE pid = " LEADER " AND NOT granted"
                 " AND relation = 'chime.run_history'::regclass",
                 "t", PATIENCE);
        session_execute(other, "LOCK TABLE chime.run IN ACCESS EXCLUSIVE MODE; COMMIT");
    }
    WAIT_FOR(daemon_said(served, "deadlock detected"), 20);
    expect_no_loss();
}
END_TEST

START_TEST(a_daemon_told_twice_to_stop_does_not_wait_for_the_ledger)
{
    session_execute(other, "BEGIN; LOCK TABLE chime.run_history IN ACCESS EXCLUSIVE MODE");
    daemon_await(served, "canceling statement due to lock timeout", PATIENCE);
    daemon_signal(served, SIGTERM);
    daemon_await(served, "stop", PATIENCE);
    daemon_signal(served, SIGTERM);
    ck_assert_int_eq(daemon_wait(served, PATIENCE), 0);
    daemon_destroy(served);
    session_execute(other, "COMMIT");
    served = site_lead(site);
    oracle_expect_sound(cluster);
}
END_TEST

static void add(Suite *suite, const char *name, const TTest *test, size_t count)
{
    TCase *tcase = tcase_create(name);
    tcase_add_checked_fixture(tcase, set_up, tear_down);
    tcase_set_timeout(tcase, 180);
    tcase_add_loop_test(tcase, test, 0, (int)count);
    suite_add_tcase(suite, tcase);
}

int main(void)
{
    Suite *suite = suite_create("refused");
    add(suite, "tables", a_locked_table_of_the_ledger_costs_no_run_and_no_leadership, sizeof(tables) / sizeof(*tables));
    add(suite, "cancelled", a_write_that_somebody_cancels_is_sent_again, 1);
    add(suite, "rebuilds", a_job_that_rebuilds_the_history_costs_no_run_nor_itself,
        sizeof(rebuilds) / sizeof(*rebuilds));
    add(suite, "cancel", a_job_that_is_in_the_way_can_be_cancelled, 1);
    add(suite, "request", a_request_is_granted_once_when_the_ledger_can_be_written_again, 1);
    add(suite, "prepared", status_names_a_prepared_transaction_that_keeps_the_ledger_from_being_written, 1);
    add(suite, "status", status_says_who_keeps_the_ledger_from_being_written, 1);
    add(suite, "rows", a_locked_row_costs_no_run_and_no_leadership, 1);
    add(suite, "failing", a_write_that_deadlocks_or_fails_to_serialize_is_sent_again,
        sizeof(failing) / sizeof(*failing));
    add(suite, "adoption", an_adoption_that_deadlocks_or_fails_to_serialize_is_sent_again, 1);
    add(suite, "deadlock", the_leader_as_the_victim_of_a_deadlock_loses_nothing, 1);
    add(suite, "stop", a_daemon_told_twice_to_stop_does_not_wait_for_the_ledger, 1);
    return suite_run(suite);
}
