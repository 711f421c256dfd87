/* SPDX-License-Identifier: PostgreSQL */
/* How long a database is without a leader after a fault: measured by the server's clock, from the ledger. Failures fail
 * the running test. */
#ifndef CHIME_TESTS_SUPPORT_TAKEOVER_H
#define CHIME_TESTS_SUPPORT_TAKEOVER_H

#include "support/daemon/crew.h"

#define TAKEOVER_SOON 2.0    /* seconds: nobody has to wait for a timeout */
#define TAKEOVER_LEASE 17.0  /* silence of a session that seems to be there */
#define TAKEOVER_RUNS 1.0    /* from the leader lock to the first run */
#define TAKEOVER_JUDGED 25.0 /* the promise: within the lease and 10 s no run is left that no session works on */

/* Seconds from the fault. */
struct takeover {
    double lock;   /* until another session had the leader lock */
    double start;  /* until it had claimed a run */
    double judged; /* until nothing of an earlier leader was live */
};

struct takeover_watch {
    char *moment; /* by the server's clock */
    char *epoch;
};
/* Right before the fault. */
struct takeover_watch takeover_begin(struct cluster *cluster);
/* The time counts from now on instead: what was at fault is there again. */
void takeover_count_anew(struct cluster *cluster, struct takeover_watch *watch);
/* Waits until another leadership has claimed a run and judged those that were left. */
struct takeover takeover_await(struct cluster *cluster, struct takeover_watch *watch, double seconds);

#define TAKEOVERS_MAX 64
struct takeovers {
    int count;
    double locks[TAKEOVERS_MAX];
    double starts[TAKEOVERS_MAX];
    double judged[TAKEOVERS_MAX];
};
void takeovers_add(struct takeovers *all, struct takeover one);
/* Prints median (of an even number, the upper of the two in the middle) and worst. Every one must have been taken
 * within `limit` seconds, runs have started TAKEOVER_RUNS later, and those that were left have been judged within
 * TAKEOVER_JUDGED. */
void takeovers_judge(struct takeovers *all, const char *fault, double limit);

/* Two daemons, each on a machine of its own: what such tests share. */
struct takeover_pair {
    struct cluster *cluster;
    struct site *site;
    struct crew *crew;
    struct network_machine *machines[2];
};

struct takeover_fault {
    const char *name;
    double limit;
    void (*strike)(struct takeover_pair *pair, int leader);
    void (*mend)(struct takeover_pair *pair, int leader); /* after the take-over; the daemon is then to follow */
    bool waits_for_runs; /* the leader lock is free after the last of them: without the two jobs that take 1.3 s */
};

void takeover_pair_set_up(struct takeover_pair *pair); /* nothing is started yet, and there are no jobs */
void takeover_pair_tear_down(struct takeover_pair *pair);
void takeover_pair_start(struct takeover_pair *pair); /* the first leads, the second follows */
/* Under the load of fault_load.h the one that leads is struck, the other takes over, the first follows, and so on:
 * three times, 20 with PGCHIME_TEST_FAULTS. Then the oracle and the figures are judged. */
void takeover_take_turns(struct takeover_pair *pair, const struct takeover_fault *fault);
/* The first, which leads, is cut off; it must notice by itself, the second must take over within the lease. Then the
 * first comes back and follows. `asked`: a job to be run once meanwhile, by whoever takes over; NULL: others are
 * due. */
void takeover_cut_and_join(struct takeover_pair *pair, enum network_direction ways, const char *name,
                           const char *asked);

#endif
