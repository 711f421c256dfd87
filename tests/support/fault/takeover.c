/* SPDX-License-Identifier: PostgreSQL */
#include "support/fault/takeover.h"

#include <check.h>
#include <math.h>
#include <stdio.h>
#include <stdlib.h>

#include "support/fault/fault_load.h"
#include "support/ledger/runs.h"
#include "support/process/files.h"
#include "support/process/process.h"
#include "support/process/wait.h"

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

/* Seconds from the watch's moment to an instant, which is known by now. */
static double seconds_until(struct cluster *cluster, const struct takeover_watch *watch, const char *instant)
{
    char *sql = files_path("SELECT extract(epoch FROM (%s) - '%s')", instant, watch->moment);
    char *text = cluster_value(cluster, sql);
    double seconds = strtod(text, NULL);

    free(text);
    free(sql);
    return seconds;
}

static void await_known(struct cluster *cluster, const char *instant, double seconds)
{
    char *sql = files_path("SELECT (%s) IS NOT NULL", instant);

    WAIT_SQL(cluster, sql, "t", seconds);
    free(sql);
}

struct takeover takeover_await(struct cluster *cluster, struct takeover_watch *watch, double seconds)
{
    char *next = files_path("SELECT min(since) FROM chime.leadership WHERE epoch > %s", watch->epoch);
    char *first = files_path("SELECT min(claimed_at) FROM chime.runs WHERE claimed_at >= (%s)", next);
    char *left = files_path("SELECT count(*) FROM chime.run WHERE epoch <= %s AND pid IS NOT NULL", watch->epoch);
    struct takeover takeover;

    await_known(cluster, next, seconds);
    await_known(cluster, first, seconds);
    WAIT_SQL(cluster, left, "0", seconds);
    takeover.judged = seconds_until(cluster, watch, "clock_timestamp()");
    takeover.lock = seconds_until(cluster, watch, next);
    takeover.start = seconds_until(cluster, watch, first);
    free(left);
    free(first);
    free(next);
    free(watch->moment);
    free(watch->epoch);
    return takeover;
}

void takeovers_add(struct takeovers *all, struct takeover one)
{
    if (all->count == TAKEOVERS_MAX)
        support_fail("too many take-overs");
    all->locks[all->count] = one.lock;
    all->starts[all->count] = one.start;
    all->judged[all->count++] = one.judged;
}

static int compare(const void *left, const void *right)
{
    double a = *(const double *)left;
    double b = *(const double *)right;

    return (a > b) - (a < b);
}

static void judge(double *figures, int count, const char *what, double limit)
{
    const char *slowness = getenv("PGCHIME_TEST_SLOWNESS");

    qsort(figures, (size_t)count, sizeof(*figures), compare);
    printf("  %s after %.2f s (median) and %.2f s (worst), limit %g s\n", what, figures[count / 2], figures[count - 1],
           limit);
    fflush(stdout);
    ck_assert_double_le(figures[count - 1], limit * (slowness != NULL ? fmax(atof(slowness), 1) : 1));
}

void takeovers_judge(struct takeovers *all, const char *fault, double limit)
{
    ck_assert_int_gt(all->count, 0);
    printf("take-over after %s, %d times:\n", fault, all->count);
    judge(all->locks, all->count, "leader lock taken", limit);
    judge(all->starts, all->count, "first run claimed", limit + TAKEOVER_RUNS);
    judge(all->judged, all->count, "all that was left judged", TAKEOVER_JUDGED);
}

/* --- taking turns ------------------------------------------------------------------------------------------------- */

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

/* --- cut off ------------------------------------------------------------------------------------------------------ */

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
