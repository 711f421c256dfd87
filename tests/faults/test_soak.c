/* SPDX-License-Identifier: PostgreSQL */
/* Random faults over three daemons, each on a machine of its own: they are killed, stopped and cut off, two leaders in
 * a row, too, and one over a commit; their sessions are ended, jobs are edited, the history is rewritten under them.
 * Faults overlap. In the end no slot is lost and none has run twice.
 *
 * PGCHIME_TEST_SOAK: 1,000 faults over 700 jobs. Else 14 over 48; PGCHIME_TEST_FAULTS: 60. PGCHIME_TEST_FAULT_COUNT
 * says another number, PGCHIME_TEST_SEED repeats a choice. */
#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "support/cluster/cluster.h"
#include "support/cluster/network.h"
#include "support/daemon/crew.h"
#include "support/daemon/daemon.h"
#include "support/daemon/site.h"
#include "support/fault/fault_load.h"
#include "support/fault/takeover.h"
#include "support/ledger/runs.h"
#include "support/process/process.h"
#include "support/process/suite.h"
#include "support/process/wait.h"

#define CREW 3
#define SOAK_SETS 17
#define SOAK_STRETCH 8
#define PATIENCE 60.0
#define LOOK_AFTER 50      /* faults, between two looks of the oracle */
#define LONGEST_PAUSE 22.0 /* of a daemon that stands still or is cut off: some outlive the lease */
#define LONGEST_OUTAGE 7.0

/* What is to be done to a member again later. */
struct ailing {
    bool stopped;
    bool cut;
    double until;
};

static struct cluster *cluster;
static struct site *site;
static struct crew *crew;
static struct network_machine *machines[CREW];
static struct ailing ailing[CREW];
static PGconn *rewriter;       /* a session of a DBA's */
static double published_until; /* 0: there is no publication */

static void set_up(void)
{
    cluster = network_cluster_create(NULL);
    site = site_create(cluster, "postgres", 12);
    fault_load_install(cluster, site);
    if (fault_soak())
        fault_load_write(site, SOAK_SETS, SOAK_STRETCH);
    rewriter = cluster_connect(cluster, "postgres");
    crew = crew_create(cluster, site, CREW);
    for (int i = 0; i < CREW; i++) {
        machines[i] = network_machine_create();
        crew_move(crew, i, machines[i], 5432);
    }
    crew_start_all(crew);
    crew_await_leader(crew, PATIENCE);
    runs_await(cluster, "quick-1", 1);
}

static void tear_down(void)
{
    crew_destroy(crew);
    PQfinish(rewriter);
    for (int i = 0; i < CREW; i++)
        network_machine_destroy(machines[i]);
    site_destroy(site);
    cluster_destroy(cluster);
}

static int fault_count(void)
{
    const char *given = getenv("PGCHIME_TEST_FAULT_COUNT");

    return given != NULL ? atoi(given) : fault_soak() ? 1000 : fault_full_size() ? 60 : 14;
}

/* --- striking ----------------------------------------------------------------------------------------------------- */

/* Mostly the one that leads, if any does just now. */
static int choose_member(void)
{
    char *leader = NULL;
    int member = (int)fault_random_below(CREW);

    if (fault_random_below(1) < 0.7 &&
        cluster_try_value(cluster, "SELECT substr(instance, 2)::int - 1 FROM chime.leader", &leader) && leader != NULL)
        member = atoi(leader);
    free(leader);
    return member;
}

static void mend(int member)
{
    if (ailing[member].stopped)
        daemon_signal(crew_daemon(crew, member), SIGCONT);
    if (ailing[member].cut)
        network_heal(machines[member]);
    ailing[member] = (struct ailing){0};
}

static void end_publication(void)
{
    if (published_until > 0)
        cluster_execute(cluster, "DROP PUBLICATION everything");
    published_until = 0;
}

static void mend_those_due(void)
{
    if (published_until <= fault_clock())
        end_publication();
    for (int i = 0; i < CREW; i++)
        if (ailing[i].until <= fault_clock())
            mend(i);
}

static void kill_member(int member)
{
    daemon_kill(crew_daemon(crew, member));
    ailing[member].stopped = false;
}

static void kill_and_start(int member)
{
    kill_member(member);
    fault_let_pass(fault_random_below(0.5));
    crew_start(crew, member);
}

static bool another_leads(void *data)
{
    const int *first = data;
    int leader = crew_leader(crew);

    return leader >= 0 && leader != *first;
}

/* Unless the others stand still or are cut off themselves. */
static void kill_two_leaders(int member)
{
    int leader = crew_leader(crew);
    int first = leader >= 0 ? leader : member;

    kill_member(first);
    if (wait_until(another_leads, &first, TAKEOVER_SOON)) {
        int second = crew_await_leader(crew, PATIENCE);
        fault_let_pass(fault_random_below(0.3)); /* it has hardly begun */
        kill_and_start(second);
    }
    crew_start(crew, first);
}

/* --- edits -------------------------------------------------------------------------------------------------------- */

static void edit_unheard(int member)
{
    (void)member;
    for (int i = 0; i < CREW; i++)
        kill_member(i);
    fault_load_edit(cluster, site);
    fault_let_pass(fault_random_below(LONGEST_OUTAGE));
    crew_start_all(crew);
}

/* Not all daemons need hear of it: one that takes over later goes by what it has read. */
static void edit_and_reload(int member)
{
    fault_load_edit(cluster, site);
    if (daemon_said(crew_daemon(crew, member), "leading as epoch") ||
        daemon_said(crew_daemon(crew, member), "following"))
        daemon_signal(crew_daemon(crew, member), SIGHUP);
}

/* --- what a DBA does ---------------------------------------------------------------------------------------------- */

static void publish(int member)
{
    (void)member;
    if (published_until == 0)
        cluster_execute(cluster, "SET client_min_messages = error; CREATE PUBLICATION everything FOR ALL TABLES");
    published_until = fault_clock() + fault_random_below(3);
}

static void rewrite_history(int member)
{
    (void)member;
    static const char *const ways[] = {
        "REINDEX TABLE chime.run_history", "VACUUM FULL chime.run_history",
        "BEGIN; LOCK TABLE chime.run_history IN ACCESS EXCLUSIVE MODE; SELECT pg_sleep(3); COMMIT"};
    PGresult *result;

    if (!PQconsumeInput(rewriter))
        support_fail("%s", PQerrorMessage(rewriter));
    if (PQisBusy(rewriter))
        return; /* still at it */
    while ((result = PQgetResult(rewriter)) != NULL)
        PQclear(result);
    if (!PQsendQuery(rewriter, ways[(int)fault_random_below(3)]))
        support_fail("%s", PQerrorMessage(rewriter));
}

/* --- daemons, sessions, ways to the server ------------------------------------------------------------------------ */

static void end_sessions(int member)
{
    char *sql = cluster_value(cluster,
                              "SELECT 'SELECT count(pg_terminate_backend(pid)) FROM (SELECT pid FROM"
                              " pg_stat_activity WHERE application_name ~ ''^pgchime'' ORDER BY random() LIMIT '"
                              " || 1 + floor(random() * 4) || ') s'");

    (void)member;
    cluster_execute(cluster, sql);
    free(sql);
}

static void ail_for_a_while(int member)
{
    ailing[member].until = fault_clock() + fault_random_below(LONGEST_PAUSE);
}

static void stop(int member)
{
    daemon_signal(crew_daemon(crew, member), SIGSTOP);
    ailing[member].stopped = true;
    ail_for_a_while(member);
}

static void cut(int member)
{
    network_cut(machines[member], (enum network_direction)(1 + (int)fault_random_below(3)));
    ailing[member].cut = true;
    ail_for_a_while(member);
}

static bool has_committed(void *data)
{
    (void)data;
    return cluster_true(cluster, "SELECT EXISTS (SELECT FROM chime.run WHERE done_at IS NOT NULL)");
}

/* It does not hear that a run of its own has committed: it is killed, or hears of it late. */
static void stop_over_commit(int member)
{
    stop(member);
    wait_until(has_committed, NULL, 1);
    if (fault_random_below(1) < 0.5)
        kill_and_start(member);
}

/* --- one after the other ------------------------------------------------------------------------------------------ */

/* Of a hundred faults in a row exactly so many are of each kind. */
static struct {
    const char *name;
    int share;
    void (*strike)(int member);
    int count;
} kinds[] = {
    {"daemons stopped", 4, stop, 0},
    {"daemons cut off", 4, cut, 0},
    {"times that sessions were ended", 13, end_sessions, 0},
    {"edits while nothing led", 4, edit_unheard, 0},
    {"edits with a reload", 9, edit_and_reload, 0},
    {"kills of two leaders in a row", 8, kill_two_leaders, 0},
    {"publications of all tables", 4, publish, 0},
    {"stops over a commit", 8, stop_over_commit, 0},
    {"rewrites of the history", 8, rewrite_history, 0},
    {"kills", 38, kill_and_start, 0},
};
#define KINDS (sizeof(kinds) / sizeof(kinds[0]))

/* The first 14 are of all kinds. */
static void strike(int fault)
{
    int place = fault * 37 % 100;
    size_t kind = 0;

    while (place >= kinds[kind].share)
        place -= kinds[kind++].share;
    kinds[kind].count++;
    kinds[kind].strike(choose_member());
}

static void strike_and_look(int fault, struct fault_tally *tally)
{
    fault_let_pass(fault_random_below(1.5));
    mend_those_due();
    crew_assert_running(crew);
    char *moment = cluster_value(cluster, "SELECT clock_timestamp()");
    strike(fault);
    fault_tally_check(tally, cluster, moment);
    free(moment);
}

static void print_progress(int faults, double begun)
{
    char *leaderships = cluster_value(cluster, "SELECT epoch FROM chime.leader");

    printf("%d faults in %.0f s, %s leaderships; ", faults, fault_clock() - begun, leaderships);
    fault_load_print_states(cluster);
    free(leaderships);
}

static void strike_all(int count, struct fault_tally *tally)
{
    double begun = fault_clock();

    for (int fault = 0; fault < count; fault++) {
        strike_and_look(fault, tally);
        if ((fault + 1) % LOOK_AFTER == 0) {
            fault_load_assert_no_fault_yet(cluster);
            print_progress(fault + 1, begun);
        }
    }
}

START_TEST(no_slot_is_lost_or_run_twice)
{
    struct fault_tally tally = {0};
    unsigned seed = fault_seed();
    int count = fault_count();

    strike_all(count, &tally);
    for (int i = 0; i < CREW; i++)
        mend(i);
    end_publication();
    crew_await_leader(crew, PATIENCE);
    fault_load_await_settled(cluster);
    crew_end(crew);
    for (size_t kind = 0; kind < KINDS; kind++)
        printf("%d %s\n", kinds[kind].count, kinds[kind].name);
    fault_tally_print(&tally, "faults", seed);
    fault_load_verdict(cluster, site);
    if (count >= 50)
        fault_tally_assert_all_hit(&tally);
}
END_TEST

static Suite *suite(void)
{
    Suite *all = suite_create("soak");
    TCase *cases = tcase_create("soak");

    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_add_test(cases, no_slot_is_lost_or_run_twice);
    suite_add_tcase(all, cases);
    return all;
}

int main(void)
{
    network_enter();
    return suite_run_in_process(suite());
}
