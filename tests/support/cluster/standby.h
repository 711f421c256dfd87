/* SPDX-License-Identifier: PostgreSQL */
/* Streaming standbys of a test's cluster: each is a cluster of its own, with what cluster.h does for any.
 *
 * Made by pg_basebackup, with the primary's settings, and asynchronous; on a Unix socket of its own like all clusters.
 * Every failure fails the running test. */
#ifndef CHIME_TESTS_SUPPORT_STANDBY_H
#define CHIME_TESTS_SUPPORT_STANDBY_H

#include "support/cluster/cluster.h"

/* Started, and streaming from the primary. cluster_destroy ends it. */
struct cluster *standby_create(struct cluster *primary);
/* Waits until the standby has replayed all that the primary has written by now. */
void standby_catch_up(struct cluster *primary, struct cluster *standby);
/* From now on it receives nothing: what the primary commits later is lost if this one is promoted. */
void standby_detach(struct cluster *standby);
/* Returns when it accepts writes. */
void standby_promote(struct cluster *standby);
/* A stopped cluster, such as an old primary, is made anew as a standby of `primary`, at its old place, and streams. */
void standby_rejoin(struct cluster *stopped, struct cluster *primary);

#endif
