/* SPDX-License-Identifier: PostgreSQL */
/* A server, a configuration of it, and the daemon that serves that: what most tests have. Failures fail the running
 * test. */
#ifndef CHIME_TESTS_SUPPORT_SERVED_H
#define CHIME_TESTS_SUPPORT_SERVED_H

#include "support/cluster/cluster.h"
#include "support/daemon/daemon.h"
#include "support/daemon/site.h"

/* Of the test under way. */
extern struct cluster *cluster;
extern struct site *site;
extern struct daemon *served;

/* Server with the schema (ledger_sql_install) and configuration, with `pool_size` run sessions and no job. Nothing
 * serves yet. */
void served_set_up(int pool_size);
void served_end(void); /* the daemon ends by itself, and may be started again */
/* Takes all of it down, whoever made it, and however much there is. */
void served_tear_down(void);

#endif
