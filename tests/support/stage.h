/* What the tests of faults inside the server share: a server, the oracle of ledger_oracle.h beside its ledger, and a daemon with its load.
 * Failures fail the running test. */
#ifndef CHIME_TESTS_SUPPORT_STAGE_H
#define CHIME_TESTS_SUPPORT_STAGE_H

#include "support/cluster.h"
#include "support/daemon.h"
#include "support/site.h"

/* Of the test under way. */
extern struct cluster *cluster;
extern struct site *site;
extern struct daemon *served;
extern char *output; /* of the last command */
extern char *errors;

/* Server, oracle and load; `settings` as for cluster_create. Nothing serves yet. */
void stage_set(const char *const *settings);
/* Takes all of it down, whoever made it. */
void stage_clear(void);

#endif
