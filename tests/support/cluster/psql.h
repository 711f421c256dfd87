/* SPDX-License-Identifier: PostgreSQL */
/* psql beside a cluster. Failures fail the running test. */
#ifndef CHIME_TESTS_SUPPORT_PSQL_H
#define CHIME_TESTS_SUPPORT_PSQL_H

#include "support/cluster/cluster.h"

/* Of Debian's PostgreSQL 15 where it is there. */
const char *psql_program(void);
/* From now on `psql` is that program, in what this test starts, and reaches the cluster. */
void psql_use(const struct cluster *cluster);
/* The sample of sql/sample, small, into the database postgres. */
void psql_load_sample(const struct cluster *cluster);
/* The same, the agents' event tables by month. */
void psql_load_sample_by_month(const struct cluster *cluster);

#endif
