/* SPDX-License-Identifier: PostgreSQL */
/* The load under which faults are tried, and the verdict on what they left.
 *
 * The load has jobs of every delivery, catch-up, overlap and order, joins, jobs made by SQL and jobs to be edited, and
 * notes each effect in a table. The oracle (ledger_oracle.sql) compares the ledger with an independent list of the
 * slots that were due, with the effects and with the outcomes they ran on. Failures fail the running test. */
#ifndef CHIME_TESTS_SUPPORT_FAULT_LOAD_H
#define CHIME_TESTS_SUPPORT_FAULT_LOAD_H

#include "support/cluster/cluster.h"
#include "support/daemon/site.h"

#define FAULT_SETTLE_SECONDS 25.0 /* the lease and ten seconds */

/* Makes the schemas, puts the oracle beside them, and writes the jobs of one set. Before any daemon serves the
 * database. */
void fault_load_install(struct cluster *cluster, struct site *site);
/* Changes schedule, zone and `enabled` of jobs of conf.d, and schedule and `active` of one made by SQL. What was due by
 * the old definitions is still to be found on record. */
void fault_load_edit(struct cluster *cluster, struct site *site);
/* The jobs of conf.d that are not edited `sets` times, 41 each, every interval `stretch` times as long. The names of
 * the first set are as in the table of fault_load.c; those of later ones end in "-sN". */
void fault_load_write(struct site *site, int sets, int stretch);

/* A daemon leads already: fails unless nothing is left of earlier leaders within FAULT_SETTLE_SECONDS. Returns when
 * nothing is overdue any more. */
void fault_load_await_settled(struct cluster *cluster);
/* The same with a daemon of its own, which is ended once runs of each delivery have succeeded. */
void fault_load_settle(struct cluster *cluster, struct site *site);
/* Every daemon has ended: the oracle must find nothing, and nothing may be left live. */
void fault_load_assert_no_fault(struct cluster *cluster);
/* At any time: what must hold while runs are under way. */
void fault_load_assert_no_fault_yet(struct cluster *cluster);
void fault_load_print_states(struct cluster *cluster); /* how many slots were due, and how they ended */
/* settle, no fault, states printed. */
void fault_load_verdict(struct cluster *cluster, struct site *site);

/* Where faults hit; each may count in several. */
struct fault_tally {
    int faults;
    int claim; /* on its way, or something was due before it */
    int gap;   /* claimed, not started */
    int running;
    int finish;
};
/* Right after a fault; `moment`: a time of the server's just before it. */
void fault_tally_check(struct fault_tally *tally, struct cluster *cluster, const char *moment);
void fault_tally_print(const struct fault_tally *tally, const char *what, unsigned seed);
void fault_tally_assert_all_hit(const struct fault_tally *tally);

/* Chance, by PGCHIME_TEST_SEED or a seed of the moment; printed. */
unsigned fault_seed(void);
double fault_random_below(double limit);
/* Not a sleep until something has happened: a time at which nothing in particular happens is what is wanted. */
void fault_let_pass(double seconds);
double fault_clock(void); /* seconds of CLOCK_MONOTONIC */
/* By PGCHIME_TEST_FAULTS, PGCHIME_TEST_SOAK. */
bool fault_full_size(void);
bool fault_soak(void);

#endif
