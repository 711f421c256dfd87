/* Random faults over three daemons, each on a machine of its own: 70 of 100 kill a daemon, 20 end sessions of theirs, 5 stop a
 * daemon for a while, 5 cut one off, each way or both. Faults overlap. In the end no slot is lost and none has run twice.
 *
 * PGCHIME_TEST_SOAK: 1,000 faults over 527 jobs. Else 14 over 31; PGCHIME_TEST_FAULTS: 60. PGCHIME_TEST_FAULT_COUNT says another
 * number, PGCHIME_TEST_SEED repeats a choice. */
#include <check.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>

#include "support/cluster.h"
#include "support/crew.h"
#include "support/daemon.h"
#include "support/fault_load.h"
#include "support/network.h"
#include "support/runs.h"
#include "support/site.h"
#include "support/suite.h"
#include "support/wait.h"

#define CREW 3
#define SOAK_SETS 17
#define SOAK_STRETCH 8
#define PATIENCE 60.0
#define LOOK_AFTER 50      /* faults, between two looks of the oracle */
#define LONGEST_PAUSE 22.0 /* of a daemon that stands still or is cut off: some outlive the lease */

enum kind { KIND_KILL, KIND_TERMINATE, KIND_STOP, KIND_CUT, KINDS };

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
static int counts[KINDS];

static void set_up(void)
{
    cluster = network_cluster_create(NULL);
    site = site_create(cluster, "postgres", 12);
    fault_load_install(cluster, site);
    if (fault_soak())
        fault_load_write(site, SOAK_SETS, SOAK_STRETCH);
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

/* Of a hundred in a row exactly so many are of each kind, and the first 14 are of all kinds. */
static enum kind kind_of(int fault)
{
    int place = fault * 37 % 100;

    return place < 5 ? KIND_STOP : place < 10 ? KIND_CUT : place < 30 ? KIND_TERMINATE : KIND_KILL;
}

/* --- striking ------------------------------------------------------------------------------------------------------ */

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

static void mend_those_due(void)
{
    for (int i = 0; i < CREW; i++)
        if (ailing[i].until <= fault_clock())
            mend(i);
}

static void kill_and_start(int member)
{
    daemon_kill(crew_daemon(crew, member));
    fault_let_pass(fault_random_below(0.5));
    ailing[member].stopped = false;
    crew_start(crew, member);
}

static void end_sessions(void)
{
    char *sql = cluster_value(cluster,
                              "SELECT 'SELECT count(pg_terminate_backend(pid)) FROM (SELECT pid FROM"
                              " pg_stat_activity WHERE application_name ~ ''^pgchime'' ORDER BY random() LIMIT '"
                              " || 1 + floor(random() * 4) || ') s'");

    cluster_execute(cluster, sql);
    free(sql);
}

static void ail(int member, enum kind kind)
{
    if (kind == KIND_STOP) {
        daemon_signal(crew_daemon(crew, member), SIGSTOP);
        ailing[member].stopped = true;
    } else {
        network_cut(machines[member], (enum network_direction)(1 + (int)fault_random_below(3)));
        ailing[member].cut = true;
    }
    ailing[member].until = fault_clock() + fault_random_below(LONGEST_PAUSE);
}

static void strike(enum kind kind)
{
    int member = choose_member();

    counts[kind]++;
    if (kind == KIND_KILL)
        kill_and_start(member);
    else if (kind == KIND_TERMINATE)
        end_sessions();
    else
        ail(member, kind);
}

static void strike_and_look(int fault, struct fault_tally *tally)
{
    fault_let_pass(fault_random_below(1.5));
    mend_those_due();
    crew_assert_running(crew);
    char *moment = cluster_value(cluster, "SELECT clock_timestamp()");
    strike(kind_of(fault));
    fault_tally_look(tally, cluster, moment);
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
    crew_await_leader(crew, PATIENCE);
    fault_load_await_settled(cluster);
    crew_end(crew);
    printf("%d kills, %d times sessions ended, %d stops, %d cuts\n", counts[KIND_KILL], counts[KIND_TERMINATE],
           counts[KIND_STOP], counts[KIND_CUT]);
    fault_tally_print(&tally, "faults", seed);
    fault_load_verdict(cluster, site);
    fault_load_assert_oracle_works(cluster);
    if (count >= 50)
        fault_tally_assert_all_hit(&tally);
}
END_TEST

static Suite *suite(void)
{
    Suite *all = suite_create("soak");
    TCase *cases = tcase_create("soak");

    tcase_add_checked_fixture(cases, set_up, tear_down);
    tcase_set_timeout(cases, fault_soak() ? 14000 : 1200);
    tcase_add_test(cases, no_slot_is_lost_or_run_twice);
    suite_add_tcase(all, cases);
    return all;
}

int main(void)
{
    network_enter();
    return suite_run(suite());
}
