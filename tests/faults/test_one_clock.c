/* What the leader decides happens at one instant, by one clock: in its memory and in the ledger. Else a join that was decided on an outcome
 * lies before that outcome, and whoever leads next decides it again. */
#include <check.h>
#include <signal.h>

#include "support/cluster.h"
#include "support/runs.h"
#include "support/served.h"
#include "support/suite.h"
#include "support/wait.h"

#define PATIENCE 60.0

/* The daemon asks for the time, then takes the seat: the longer that takes, the more its clock is behind, until the first heartbeat. */
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

int main(void)
{
    Suite *suite = suite_create("one_clock");
    TCase *cases = tcase_create("one_clock");
    tcase_add_checked_fixture(cases, set_up, served_tear_down);
    tcase_set_timeout(cases, 180);
    tcase_add_test(cases, a_join_runs_once_for_an_outcome_that_a_later_leader_found);
    suite_add_tcase(suite, cases);
    return suite_run(suite);
}
