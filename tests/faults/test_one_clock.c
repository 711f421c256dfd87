/* SPDX-License-Identifier: PostgreSQL */
/* What the leader decides happens at one instant, by one clock: in its memory and in the ledger. Else a join that was
 * decided on an outcome lies before that outcome, and whoever leads next decides it again. */
#include <check.h>
#include <signal.h>

#include "support/cluster/cluster.h"
#include "support/daemon/served.h"
#include "support/ledger/runs.h"
#include "support/process/suite.h"
#include "support/process/wait.h"

#define PATIENCE 60.0

/* The daemon asks for the time, then takes the leader lock: the longer that takes, the more its clock is behind, until
 * the first heartbeat. */
static void set_up(void)
{
    served_set_up(4);
    site_job(site, "totals", NEVER_DUE "delivery = \"transactional\"; command = \"SELECT pg_sleep(2)\";");
    site_job(site, "invoice", "after = [\"totals\"]; command = \"INSERT INTO public.invoice DEFAULT VALUES\";");
    cluster_execute(cluster, "CREATE TABLE public.invoice (at timestamptz DEFAULT clock_timestamp())");
    served = site_lead(site);
    cluster_execute(cluster, "CREATE FUNCTION public.slowly() RETURNS trigger LANGUAGE plpgsql AS"
                             " $$BEGIN PERFORM pg_sleep(0.5); RETURN NEW; END$$;"
                             "CREATE TRIGGER slowly BEFORE UPDATE ON chime.leader FOR EACH ROW"
                             " WHEN (NEW.epoch > OLD.epoch) EXECUTE FUNCTION public.slowly()");
}

static void lead_again(void)
{
    daemon_destroy(served);
    served = site_lead(site);
}

START_TEST(a_join_runs_once_for_an_outcome_that_a_later_leader_found)
{
    runs_ask(cluster, "totals");
    runs_await_running(cluster, "totals");
    daemon_signal(served, SIGSTOP);
    WAIT_SQL(cluster, "SELECT done_at IS NOT NULL FROM chime.run", "t", PATIENCE);
    daemon_kill(served);
    lead_again();
    WAIT_SQL(cluster, "SELECT count(*) FROM chime.run_history h JOIN chime.job USING (job_id) WHERE name = 'invoice'",
             "1", PATIENCE);
    site_end(served);
    lead_again();
    runs_ask_and_await(cluster, "totals"); /* which invoice comes after once more: what was due before that has run */
    WAIT_SQL(cluster, "SELECT NOT EXISTS (SELECT FROM chime.run) AND count(*) >= 2 FROM public.invoice", "t", PATIENCE);
    EXPECT_SQL(cluster, "SELECT count(*) FROM public.invoice", "2");
    EXPECT_SQL(
        cluster,
        "SELECT i.last_slot = t.outcome_at AND t.last_end = t.outcome_at FROM chime.job_status i, chime.job_status t"
        " WHERE i.name = 'invoice' AND t.name = 'totals'",
        "t");
}
END_TEST

#define FIRST NEVER_DUE "command = \"SELECT pg_advisory_lock(6); SELECT repeat('x', 17000000)\";"
#define SECOND NEVER_DUE "command = \"DO $$BEGIN PERFORM pg_advisory_lock(7); RAISE 'over'; END$$\";"
#define BOTH "after = [\"first\", \"second\"]; trigger_rule = \"all_done\"; command = \"SELECT 1\";"

static void hold(PGconn *session, const char *sql)
{
    PGresult *result = PQexec(session, sql);
    ck_assert_msg(PQresultStatus(result) == PGRES_TUPLES_OK, "%s", PQerrorMessage(session));
    PQclear(result);
}

static void ask_first(void)
{
    runs_ask(cluster, "first");
    runs_await_running(cluster, "first");
}

/* A run of `first` is lost, since its row is too large; the ledger takes its time to know it, and `second` ends
 * meanwhile. That is one decision for `both`, not one by the outcome before and another by the lost run. */
START_TEST(a_join_waits_for_an_outcome_that_is_on_its_way_to_the_ledger)
{
    PGconn *gate = cluster_connect(cluster, "postgres");
    PGconn *holder = cluster_connect(cluster, "postgres");
    hold(gate, "SELECT pg_advisory_lock(6), pg_advisory_lock(7)");
    site_job(site, "first", FIRST);
    site_job(site, "second", SECOND);
    site_job(site, "both", BOTH);
    site_reload(site, served);
    WAIT_SQL(cluster, "SELECT count(*) FROM chime.job WHERE name IN ('first', 'second', 'both')", "3", PATIENCE);
    ask_first();
    cluster_execute(cluster, "SELECT chime.cancel(run_id) FROM chime.run");
    runs_await(cluster, "first", 1);
    ask_first();
    runs_ask(cluster, "second");
    runs_await_running(cluster, "second");
    PQclear(PQexec(holder, "BEGIN"));
    hold(holder,
         "SELECT FROM chime.job_state JOIN chime.job j USING (job_id) WHERE j.name = 'first' FOR UPDATE OF job_state");
    hold(gate, "SELECT pg_advisory_unlock(6)");
    WAIT_SQL(cluster,
             "SELECT count(*) FROM pg_stat_activity WHERE wait_event_type = 'Lock'"
             " AND query LIKE 'SELECT run_id, ended, % FROM chime.adopt(%'",
             "1", PATIENCE);
    hold(gate, "SELECT pg_advisory_unlock(7)");
    daemon_await(served, "failed: over", PATIENCE);
    PQclear(PQexec(holder, "ROLLBACK"));
    runs_await(cluster, "both", 1);
    runs_ask_and_await(cluster, "second");
    WAIT_SQL(cluster, "SELECT NOT EXISTS (SELECT FROM chime.run)", "t", PATIENCE);
    EXPECT_SQL(cluster, "SELECT count(*) FROM chime.run_history h JOIN chime.job USING (job_id) WHERE name = 'both'",
               "1");
    EXPECT_SQL(cluster,
               "SELECT b.last_slot >= f.outcome_at FROM chime.job_status b, chime.job_status f"
               " WHERE b.name = 'both' AND f.name = 'first'",
               "t");
    PQfinish(gate);
    PQfinish(holder);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("one_clock");
    TCase *cases = tcase_create("one_clock");
    tcase_add_checked_fixture(cases, set_up, served_tear_down);
    tcase_set_timeout(cases, 180);
    tcase_add_test(cases, a_join_runs_once_for_an_outcome_that_a_later_leader_found);
    tcase_add_test(cases, a_join_waits_for_an_outcome_that_is_on_its_way_to_the_ledger);
    suite_add_tcase(suite, cases);
    return suite_run(suite);
}
