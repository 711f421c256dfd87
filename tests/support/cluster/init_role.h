/* SPDX-License-Identifier: PostgreSQL */
/* The role that `pgchime init --sql` makes, with what it needs in a database, as a DBA would. Failures fail the running
 * test. */
#ifndef CHIME_TESTS_SUPPORT_INIT_ROLE_H
#define CHIME_TESTS_SUPPORT_INIT_ROLE_H

#include "support/cluster/cluster.h"

/* May be done again. Leaves PGHOST, PGPORT and PGUSER as they are for the cluster's superuser. */
void init_role_make(struct cluster *cluster, const char *role, const char *database);
/* The same with --with-cron, run by another role, which PGUSER names afterwards. What psql said, to be freed. */
char *init_role_make_as(struct cluster *cluster, const char *user, const char *role, const char *database);

#endif
