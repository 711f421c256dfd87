/* SPDX-License-Identifier: PostgreSQL */
/* How a server lets in who is not postgres: each way that the documents name, for every role that there is. */
#ifndef CHIME_TESTS_SUPPORT_LOGINS_H
#define CHIME_TESTS_SUPPORT_LOGINS_H

#include "support/cluster/cluster.h"

#define LOGINS_METHODS 3
extern const char *const logins_methods[LOGINS_METHODS]; /* as pg_hba.conf has them: trust, peer, passwords */

/* From now on, for the roles that are there. All have one password, in a file that this process and its children
 * use. */
void logins_use(struct cluster *cluster, const char *method);
/* For a daemon, which takes the file to sessions of other roles. Caller frees. */
char *logins_conninfo(struct cluster *cluster, const char *role, const char *database);

#endif
