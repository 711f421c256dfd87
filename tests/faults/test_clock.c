/* SPDX-License-Identifier: PostgreSQL */
/* The database's clock is stepped while a daemon leads (tests/fixtures/stepped_clock.c). It says so; slots that were
 * passed over are caught up or recorded, and those that come a second time are not run a second time. */
#include <check.h>
#include <stdint.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/cluster/stepped_cluster.h"
#include "support/daemon/commands.h"
#include "support/daemon/stage.h"
#include "support/keyed/keyed.h"
#include "support/ledger/ledger_oracle.h"
#include "support/ledger/runs.h"
#include "support/process/files.h"
#include "support/process/suite.h"
#include "support/process/wait.h"

#define PATIENCE 60.0
#define HOUR INT64_C(3600000000)

static void set_up(void)
{
    cluster = stepped_cluster_create(NULL);
    oracle_install(cluster, NULL);
    site = site_create(cluster, "postgres", 3);
    oracle_write_load(site);
    served = site_lead(site);
    oracle_await_load(cluster);
}

/* The server's timeouts go by that clock too: where one is looked at just then, the sessions are ended, and the same
 * daemon leads again. */
static void await_step_forward(void)
{
    WAIT_FOR(daemon_said(served, "warning database main: its clock was stepped by 3") || /* 3600000 ms, or nearly */
                 daemon_said(served, "leading as epoch 2"),
             PATIENCE);
}

START_TEST(an_hour_forward_is_caught_up)
{
    stepped_cluster_set(HOUR);
    await_step_forward();
    WAIT_SQL(cluster, "SELECT count(*) > 3500 FROM public.effect WHERE job = 'tick-own'", "t", 2 * PATIENCE);
    oracle_await_load(cluster);
    /* catchup = "latest": all but one are recorded as missed. catchup = "all": each one ran. */
    EXPECT_SQL(cluster,
               "SELECT sum(slots) BETWEEN 3500 AND 3600 FROM chime.missed JOIN chime.job USING (job_id)"
               " WHERE name = 'tick'",
               "t");
    commands_expect(0, site_config(site), (const char *const[]){"why", "tick", NULL}, &output, &errors);
    commands_has(output, "MISSED");
    oracle_expect_sound(cluster);
}
END_TEST

START_TEST(an_hour_back_runs_no_slot_again)
{
    stepped_cluster_set(-HOUR);
    daemon_await(served, "warning database main: its clock was stepped by -3", PATIENCE);
    char *runs = cluster_value(cluster, "SELECT count(*) FROM chime.run_history");
    char *from = cluster_value(cluster, "SELECT clock_timestamp() + interval '4 seconds'");
    char *later = files_path("SELECT clock_timestamp() > '%s'", from);
    char *few = files_path("SELECT count(*) - %s <= 2 FROM chime.run_history", runs); /* ends on their way */
    WAIT_SQL(cluster, later, "t", PATIENCE);
    EXPECT_SQL(cluster, few, "t");
    EXPECT_SQL(cluster, "SELECT count(*) FROM public.oracle", "0");
    commands_expect(0, site_config(site), (const char *const[]){"why", "tick", NULL}, &output, &errors);
    commands_has(output, "idle: its next slot is ");
    commands_has(output, ", in 59min "); /* and then it goes on */
    stepped_cluster_set(0);
    await_step_forward();
    oracle_expect_sound(cluster);
    free(runs);
    free(from);
    free(later);
    free(few);
}
END_TEST

static void set_up_join(void)
{
    cluster = stepped_cluster_create(NULL);
    cluster_execute(cluster, "CREATE TABLE public.invoice (at timestamptz DEFAULT clock_timestamp())");
    site = site_create(cluster, "postgres", 3);
    site_job(site, "totals", "schedule = \"@yearly\"; command = \"SELECT 1\";");
    site_job(site, "rates", "schedule = \"@yearly\"; command = \"SELECT 2\";");
    site_job(site, "invoice",
             "after = [\"totals\", \"rates\"]; command = \"INSERT INTO public.invoice DEFAULT VALUES\";");
    served = site_lead(site);
}

static void lead_again(void)
{
    daemon_kill(served);
    daemon_destroy(served);
    served = site_lead(site);
}

/* A join that ran while the clock was ahead has its cursor there. What its upstreams deliver afterwards is news to it,
 * whoever leads. */
START_TEST(what_a_join_waits_for_after_a_step_back_is_known_to_the_next_leader)
{
    stepped_cluster_set(HOUR);
    await_step_forward();
    runs_ask_and_await(cluster, "totals");
    runs_ask_and_await(cluster, "rates");
    WAIT_SQL(cluster, "SELECT count(*) FROM public.invoice", "1", PATIENCE);
    WAIT_SQL(cluster, "SELECT count(*) FROM chime.run", "0", PATIENCE);
    stepped_cluster_set(0);
    daemon_await(served, "warning database main: its clock was stepped by -3", PATIENCE);
    runs_ask_and_await(cluster, "totals");
    lead_again();
    runs_ask_and_await(cluster, "rates");
    WAIT_SQL(cluster, "SELECT count(*) FROM public.invoice", "2", PATIENCE);
    WAIT_SQL(cluster, "SELECT count(*) FROM chime.run", "0", PATIENCE);
    lead_again();
    runs_ask_and_await(cluster, "totals"); /* what was due before that has run by then */
    EXPECT_SQL(cluster, "SELECT count(*) FROM public.invoice", "2");
    EXPECT_SQL(cluster, "SELECT bool_and(last_end <= clock_timestamp()) FROM chime.job_state", "t");
}
END_TEST

/* Marks and their logs go by transactions: what is written while the clock is wrong, or by who was not done when it was
 * stepped, is seen. */
START_TEST(views_miss_no_change_while_the_clock_goes_to_and_fro)
{
    static const int64_t steps[] = {30 * 24 * HOUR, HOUR, -2 * 24 * HOUR, 0};

    cluster = stepped_cluster_create(NULL);
    keyed_make(cluster);
    KEYED_INSTALL(cluster, "shop_total");
    EXPECT_AFTER(cluster, "INSERT INTO app.orders (shop, amount) VALUES (1, 1), (2, 2)", "shop_total",
                 "keyed 2: +2 ~0 -0");
    PGconn *slow = cluster_connect(cluster, "postgres");
    for (size_t i = 0; i < sizeof(steps) / sizeof(*steps); i++) {
        session_execute(slow, "BEGIN");
        session_execute(slow, "UPDATE app.orders SET amount = amount + 1 WHERE shop = 1");
        stepped_cluster_set(steps[i]);
        cluster_execute(cluster, "UPDATE app.orders SET amount = amount + 1 WHERE shop = 2");
        keyed_tend(cluster);
        EXPECT_LOOK(cluster, "shop_total", "keyed 1: +0 ~1 -0");
        keyed_tend(cluster);
        session_execute(slow, "COMMIT");
        EXPECT_LOOK(cluster, "shop_total", "keyed 1: +0 ~1 -0");
        EXPECT_LOOK(cluster, "shop_total", "keyed 0: +0 ~0 -0");
        /* A leader that goes away then leaves writers room for no longer than it ever does. */
        EXPECT_SQL(cluster, "SELECT room_until < clock_timestamp() + interval '30 minutes' FROM chime.source", "t");
    }
    PQfinish(slow);
}
END_TEST

static Suite *suite(void)
{
    Suite *all = suite_create("clock");
    TCase *cases = tcase_create("clock");

    tcase_add_checked_fixture(cases, set_up, stage_clear);
    tcase_set_timeout(cases, 300);
    tcase_add_test(cases, an_hour_forward_is_caught_up);
    tcase_add_test(cases, an_hour_back_runs_no_slot_again);
    suite_add_tcase(all, cases);
    TCase *joins = tcase_create("joins");
    tcase_add_checked_fixture(joins, set_up_join, stage_clear);
    tcase_set_timeout(joins, 300);
    tcase_add_test(joins, what_a_join_waits_for_after_a_step_back_is_known_to_the_next_leader);
    suite_add_tcase(all, joins);
    TCase *views = tcase_create("views");
    tcase_add_checked_fixture(views, NULL, stage_clear);
    tcase_set_timeout(views, 300);
    tcase_add_test(views, views_miss_no_change_while_the_clock_goes_to_and_fro);
    suite_add_tcase(all, views);
    return all;
}

int main(void)
{
    return suite_run(suite());
}
