/* SPDX-License-Identifier: PostgreSQL */
/* A server whose wall clock the test steps (tests/fixtures/stepped_clock.c); all other processes keep the machine's.
 * Failures fail the running test. */
#ifndef CHIME_TESTS_SUPPORT_STEPPED_CLUSTER_H
#define CHIME_TESTS_SUPPORT_STEPPED_CLUSTER_H

#include <stdint.h>

#include "support/cluster/cluster.h"

/* As cluster_create, at the machine's time. One in a test. */
struct cluster *stepped_cluster_create(const char *const *settings);
/* From now on its time is the machine's and this many microseconds. */
void stepped_cluster_set(int64_t offset);
/* Steps forward to this second of the present minute, unless it is past. */
void stepped_cluster_skip_to_second(struct cluster *cluster, double second);

#endif
