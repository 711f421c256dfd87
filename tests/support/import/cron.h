/* SPDX-License-Identifier: PostgreSQL */
/* Schema cron for tests: ours, that of the extension pg_cron where it can be had, and its tables alone. Failures fail
 * the running test. */
#ifndef CHIME_TESTS_SUPPORT_CRON_H
#define CHIME_TESTS_SUPPORT_CRON_H

#include <stdbool.h>
#include <stddef.h>

#include "support/cluster/cluster.h"
#include "support/ledger/outcomes.h"

/* A cluster at the newest migration, with schema cron; roles app and other that may use it, and nologin. */
struct cluster *cron_create(void);
/* The same with the extension pg_cron instead of ours; NULL where the server has none to install. */
struct cluster *cron_create_real(struct cluster *ours);
/* Says the steps to ours and, where there is one, to a new server with the extension. */
void cron_say_to_both(struct cluster *ours, const struct outcome_step *steps, size_t count);
/* Whether this machine has the extension for the server under test, before there is one to ask. */
bool cron_extension_is_installed(void);

/* In the cluster's current database, without the extension, so that nobody runs its jobs: cron.job with its policy and
 * cron.job_run_details, empty. */
void cron_make_tables(struct cluster *cluster);
/* Adds a job of role postgres in the current database, active and without a name. */
void cron_add(struct cluster *cluster, int jobid, const char *schedule);

#endif
