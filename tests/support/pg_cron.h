/* The tables of the extension pg_cron without the extension, whose jobs nobody runs; and a configuration that imports them.
 * Failures fail the running test. */
#ifndef CHIME_TESTS_SUPPORT_PG_CRON_H
#define CHIME_TESTS_SUPPORT_PG_CRON_H

#include "support/cluster.h"

/* Whether this machine has the extension for the server under test. */
bool pg_cron_is_installed(void);
/* In the cluster's current database: cron.job with its policy and cron.job_run_details, empty. */
void pg_cron_make_tables(struct cluster *cluster);
/* Adds a job of role postgres in the current database, active and without a name. */
void pg_cron_add(struct cluster *cluster, int jobid, const char *schedule);
/* A role "pgchime" that owns schema chime of the current database, which is that of the configuration. */
void pg_cron_migrate(struct cluster *cluster, const char *configuration);
/* A configuration with that database as "main", by that role; its path, caller frees. The folder goes with the test. */
char *pg_cron_configure(struct cluster *cluster, const char *database);

#endif
