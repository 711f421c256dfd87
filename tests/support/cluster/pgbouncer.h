/* SPDX-License-Identifier: PostgreSQL */
/* A PgBouncer in front of a test's cluster, on a Unix socket of its own; it goes with the test. Failures fail the
 * running test. */
#ifndef CHIME_TESTS_SUPPORT_PGBOUNCER_H
#define CHIME_TESTS_SUPPORT_PGBOUNCER_H

#include "support/cluster/cluster.h"

struct pgbouncer;

/* `mode`: "transaction" or "session". `more`: further lines of its configuration, "" for none. Returns when it
 * listens. */
struct pgbouncer *pgbouncer_start(struct cluster *cluster, const char *mode, const char *more);
void pgbouncer_stop(struct pgbouncer *pgbouncer);                  /* takes NULL */
const char *pgbouncer_conninfo(const struct pgbouncer *pgbouncer); /* of database postgres; borrowed */

#endif
