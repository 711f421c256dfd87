/* SPDX-License-Identifier: PostgreSQL */
/* The sample tables with plugin retention installed by a daemon of the role that `pgchime init --sql` makes, and the
 * daemon gone: for tests that run its job by themselves, as that role. Failures fail the running test. */
#ifndef CHIME_TESTS_SUPPORT_RETAINED_H
#define CHIME_TESTS_SUPPORT_RETAINED_H

#include "support/cluster/cluster.h"
#include "support/ledger/runs.h"

#define RETAINED_ROLE "pgchime"

/* Enforced, with batches of 100 rows. Of the event tables each is empty. */
struct cluster *retained_create(void);
/* The same in a cluster of the caller's. */
void retained_install(struct cluster *cluster);
/* {"NAME": "VALUE"}: settings that are as conf.d would have them. */
void retained_set(struct cluster *cluster, const char *settings);
PGconn *retained_connect(const struct cluster *cluster); /* as the role: PQfinish */
/* The job, once, to its end: the error's text, "" when there was none; caller frees. */
char *retained_run(struct cluster *cluster);
/* The same in a database that was copied or restored from the cluster's own. */
char *retained_run_in(struct cluster *cluster, const char *database);
/* The job's text, for a session that begins it and does not wait; caller frees. */
char *retained_job(struct cluster *cluster);
void retained_run_well(struct cluster *cluster);
/* The run must fail, and its message have this part. */
void retained_run_badly(struct cluster *cluster, const char *part);

#endif
