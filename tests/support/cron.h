/* Schema cron for tests: ours, and the extension's where it can be had. Failures fail the running test. */
#ifndef CHIME_TESTS_SUPPORT_CRON_H
#define CHIME_TESTS_SUPPORT_CRON_H

#include "support/cluster.h"

/* A cluster at the newest migration, with schema cron; roles app and other that may use it, and nologin. */
struct cluster *cron_create(void);
/* The same with the extension pg_cron instead of ours; NULL where the server has none to install. */
struct cluster *cron_create_real(struct cluster *ours);

#endif
