#include "support/takeover.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "support/fault_load.h"
#include "support/files.h"
#include "support/process.h"
#include "support/runs.h"
#include "support/wait.h"

#define PATIENCE 40.0

struct takeover_watch takeover_begin(struct cluster *cluster)
{
    return (struct takeover_watch){.moment = cluster_value(cluster, "SELECT clock_timestamp()"),
                                   .epoch = cluster_value(cluster, "SELECT epoch FROM chime.leader")};
}

void takeover_count_anew(struct cluster *cluster, struct takeover_watch *watch)
{
    free(watch->moment);
    watch->moment = cluster_value(cluster, "SELECT clock_timestamp()");
}

struct takeover takeover_await(struct cluster *cluster, struct takeover_watch *watch, double seconds)
{
    char *next = files_path("SELECT min(since) FROM chime.leadership WHERE epoch > %s", watch->epoch);
    char *taken = files_path("SELECT (%s) IS NOT NULL", next);
    char *first = files_path("SELECT min(claimed_at) FROM chime.runs WHERE claimed_at >= (%s)", next);
    char *started = files_path("SELECT (%s) IS NOT NULL", first);
    char *figures = files_path("SELECT extract(epoch FROM (%s) - '%s') || ' ' || extract(epoch FROM (%s) - '%s')", next,
                               watch->moment, first, watch->moment);
    struct takeover takeover;

    WAIT_SQL(cluster, taken, "t", seconds);
    WAIT_SQL(cluster, started, "t", seconds);
    char *text = cluster_value(cluster, figures);
    char *rest;
    takeover.seat = strtod(text, &rest);
    takeover.start = strtod(rest, NULL);
    free(text);
    free(figures);
    free(started);
    free(first);
    free(taken);
    free(next);
    free(watch->moment);
    free(watch->epoch);
    return takeover;
}

void takeovers_add(struct takeovers *all, struct takeover one)
{
    if (all->count == TAKEOVERS_MAX)
        support_fail("too many take-overs");
    all->seats[all->count] = one.seat;
    all->starts[all->count++] = one.start;
}

static int compare(const void *left, const void *right)
{
    double a = *(const double *)left;
    double b = *(const double *)right;

    return (a > b) - (a < b);
}

void takeovers_judge(struct takeovers *all, const char *fault, double limit)
{
    size_t count = (size_t)all->count;
    const char *slowness = getenv("PGCHIME_TEST_SLOWNESS");

    ck_assert_uint_gt(count, 0);
    qsort(all->seats, count, sizeof *all->seats, compare);
    qsort(all->starts, count, sizeof *all->starts, compare);
    printf("take-over after %s, %zu times: seat taken after %.2f s (median) and %.2f s (worst), limit %g s;"
           " first run claimed after %.2f s and %.2f s\n",
           fault, count, all->seats[count / 2], all->seats[count - 1], limit, all->starts[count / 2],
           all->starts[count - 1]);
    fflush(stdout);
    ck_assert_double_le(all->seats[count - 1], limit * (slowness != NULL ? fmax(atof(slowness), 1) : 1));
}

/* --- taking turns -------------------------------------------------------------------------------------------------- */

void takeover_pair_set_up(struct takeover_pair *pair)
{
    pair->cluster = network_cluster_create(NULL);
    pair->site = site_create(pair->cluster, "postgres", 6);
    pair->crew = crew_create(pair->cluster, pair->site, 2);
    for (int i = 0; i < 2; i++) {
        pair->machines[i] = network_machine_create();
        crew_move(pair->crew, i, pair->machines[i], 5432);
    }
}

void takeover_pair_start(struct takeover_pair *pair)
{
    crew_start(pair->crew, 0);
    site_await_leading(crew_daemon(pair->crew, 0));
    crew_start(pair->crew, 1);
    crew_await_following(pair->crew, 1);
}

void takeover_pair_tear_down(struct takeover_pair *pair)
{
    crew_destroy(pair->crew);
    for (int i = 0; i < 2; i++)
        network_machine_destroy(pair->machines[i]);
    site_destroy(pair->site);
    cluster_destroy(pair->cluster);
}

static void strike_once(struct takeover_pair *pair, const struct takeover_fault *fault, struct takeovers *figures)
{
    int leader = crew_await_leader(pair->crew, PATIENCE);

    fault_let_pass(fault_random_below(1)); /* not always at the same place between two heartbeats */
    struct takeover_watch watch = takeover_begin(pair->cluster);
    fault->strike(pair, leader);
    takeovers_add(figures, takeover_await(pair->cluster, &watch, PATIENCE));
    ck_assert_int_eq(crew_await_leader(pair->crew, PATIENCE), 1 - leader);
    fault->mend(pair, leader);
    crew_await_following(pair->crew, leader);
}

void takeover_take_turns(struct takeover_pair *pair, const struct takeover_fault *fault)
{
    struct takeovers figures = {0};

    fault_load_install(pair->cluster, pair->site);
    if (fault->waits_for_runs) {
        site_remove(pair->site, "over");
        site_remove(pair->site, "over-own");
    }
    takeover_pair_start(pair);
    for (int i = 0; i < (fault_full_size() ? 20 : 3); i++)
        strike_once(pair, fault, &figures);
    takeovers_judge(&figures, fault->name, fault->limit);
    fault_load_await_settled(pair->cluster);
    crew_end(pair->crew);
    fault_load_verdict(pair->cluster, pair->site);
}

/* --- cut off ------------------------------------------------------------------------------------------------------- */

/* The daemon says that something is wrong before anything has been mended. */
static void await_notice(struct takeover_pair *pair, double begun, const char *what)
{
    WAIT_FOR(daemon_said(crew_daemon(pair->crew, 0), "error database main: "), TAKEOVER_LEASE);
    printf("%s: the daemon cut off noticed after %.1f s\n", what, fault_clock() - begun);
    fflush(stdout);
}

void takeover_cut_and_join(struct takeover_pair *pair, enum network_direction ways, const char *name, const char *asked)
{
    struct takeovers figures = {0};
    struct takeover_watch watch = takeover_begin(pair->cluster);
    double begun = fault_clock();

    network_cut(pair->machines[0], ways);
    if (asked != NULL)
        runs_ask(pair->cluster, asked);
    await_notice(pair, begun, name);
    takeovers_add(&figures, takeover_await(pair->cluster, &watch, PATIENCE));
    ck_assert_int_eq(crew_await_leader(pair->crew, PATIENCE), 1);
    network_heal(pair->machines[0]);
    crew_await_following(pair->crew, 0);
    takeovers_judge(&figures, name, TAKEOVER_LEASE);
}
