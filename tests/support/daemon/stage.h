/* SPDX-License-Identifier: PostgreSQL */
/* What the tests of faults inside the server share, beside what served.h has: the oracle of ledger_oracle.h beside the
 * ledger, its load, and what commands say. Failures fail the running test. */
#ifndef CHIME_TESTS_SUPPORT_STAGE_H
#define CHIME_TESTS_SUPPORT_STAGE_H

#include "support/daemon/served.h"

extern char *output; /* of the last command */
extern char *errors;

/* Server, oracle and load; `settings` as for cluster_create. Nothing serves yet. */
void stage_set(const char *const *settings);
/* The same, served by a new role that is no superuser, with so many run sessions. */
void stage_set_as(const char *role, int pool_size);
/* Takes all of it down, whoever made it. */
void stage_clear(void);

#endif
