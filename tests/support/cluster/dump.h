/* SPDX-License-Identifier: PostgreSQL */
/* A dump of one database of a test's cluster, restored in another, by pg_dump and psql. Needs Debian's PostgreSQL,
 * whose folder has them. Failures fail the running test. */
#ifndef CHIME_TESTS_SUPPORT_DUMP_H
#define CHIME_TESTS_SUPPORT_DUMP_H

#include <stdbool.h>

#include "support/cluster/cluster.h"

/* Whether pg_dump ends well as this role; `option` may be NULL. The dump goes to the file, what it complained about to
 * FILE.log. */
bool dump_write(const struct cluster *cluster, const char *role, const char *database, const char *option,
                const char *file);
/* As superuser, into a database that is there. */
void dump_restore(const struct cluster *cluster, const char *database, const char *file);
/* Another database of the cluster `to`, made from a dump of this one as it is now. */
void dump_copy(const struct cluster *from, const char *database, struct cluster *to, const char *copy);

#endif
