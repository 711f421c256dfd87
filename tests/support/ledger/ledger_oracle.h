/* SPDX-License-Identifier: PostgreSQL */
/* The ledger's promise, judged from beside it: every due slot and every run asked for is in the ledger exactly once,
 * with a final state and, unless it succeeded, a reason; nothing took effect twice, nor on an outcome that was none;
 * nothing is live without a backend (ledger_oracle.sql; that it sees what breaks this, test_ledger_oracle shows).
 * Failures fail the running test. */
#ifndef CHIME_TESTS_SUPPORT_LEDGER_ORACLE_H
#define CHIME_TESTS_SUPPORT_LEDGER_ORACLE_H

#include "support/cluster/cluster.h"
#include "support/daemon/site.h"

/* Makes the schema chime, which `role` will own (NULL: the superuser), and puts the oracle beside it: before any daemon
 * serves the cluster's current database. */
void oracle_install(struct cluster *cluster, const char *role);
/* A cluster with both, the superuser's, copied from one that is made once; `settings` as for cluster_create. */
struct cluster *oracle_create(const char *const *settings);
/* Jobs that are due every second and note what they did: `tick` runs at most once, `tick-own` in one transaction with
 * its success, every slot of it. */
void oracle_write_load(struct site *site);
/* Both succeed for a slot that is not due yet. */
void oracle_await_load(struct cluster *cluster);
/* Waits until the load runs again, nothing that an earlier leader left is live and every cursor has come to now; then
 * asserts the promise. The daemon serves. */
void oracle_expect_sound(struct cluster *cluster);

#endif
