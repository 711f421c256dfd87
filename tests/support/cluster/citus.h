/* SPDX-License-Identifier: PostgreSQL */
/* A coordinator of Citus and two workers, each a cluster of its own (cluster.h), which reach each other by their
 * sockets; in database postgres. Their programs are those of $PGCHIME_TEST_PGBIN, whose PostgreSQL has Citus. Every
 * failure fails the running test. */
#ifndef CHIME_TESTS_SUPPORT_CITUS_H
#define CHIME_TESTS_SUPPORT_CITUS_H

#include "support/cluster/cluster.h"

#define CITUS_WORKERS 2

struct citus {
    struct cluster *coordinator;
    struct cluster *workers[CITUS_WORKERS];
};

struct citus *citus_create(void);
void citus_destroy(struct citus *citus); /* takes NULL */

/* The sample's tables become distributed and reference tables, of a few shards each. */
void citus_distribute_sample(struct citus *citus);
/* One shard of the table goes to the other worker while reads and writes go on. */
void citus_move_a_shard(struct citus *citus, const char *table);

#endif
