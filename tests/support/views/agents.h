/* SPDX-License-Identifier: PostgreSQL */
/* A cluster in which a daemon has installed agent_performance, query_performance and approval_queue over sources with
 * rows about a fixed instant (agents.sql), and which it has left. Failures fail the running test. */
#ifndef CHIME_TESTS_SUPPORT_AGENTS_H
#define CHIME_TESTS_SUPPORT_AGENTS_H

#include "support/cluster/cluster.h"
#include "support/daemon/site.h"
#include "support/ledger/runs.h"

/* When "now" is: refreshes are as of this instant, or of some time after it. Two seconds past an hour. */
#define AGENTS_AS_OF "2026-11-15 12:00:02+00"

struct agents {
    struct cluster *cluster;
    struct site *site;
    char *folder; /* the plugins */
};

struct agents agents_create(void);
void agents_destroy(struct agents *agents);
/* A daemon installs what is in the folder, runs what is asked for, and is gone again. */
void agents_serve(struct agents *agents);

/* Sources with their rows; every view refreshed as a whole as of AGENTS_AS_OF. */
void agents_fill(struct agents *agents);
/* Every relation against the oracle as of that instant; `rejected` also the figures of the last refreshes. */
void agents_compare(struct agents *agents, const char *as_of, bool rejected);
/* Percentiles, moving averages, the forecast and utilisation likewise. */
void agents_compare_tier_3(struct agents *agents, const char *as_of);
/* A plugin's file in psql as it is, with its channels. */
void agents_run_file(struct agents *agents, const char *plugin);

#endif
