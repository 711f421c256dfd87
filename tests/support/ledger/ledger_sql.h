/* SPDX-License-Identifier: PostgreSQL */
/* The ledger's SQL functions by themselves: a migrated database, a leader's lock, jobs, and calls for single rows.
 *
 * ledger_sql_helpers defines, in schema public, for the leader's token unless another is given last:
 *   at(n)                                     minute n of 2026 (UTC): what a slot or cursor n below stands for
 *   claim(job, kind, cursor, slot)            'granted', 'refused: REASON', NULL: left out
 *   reclaim(job, kind, slot)                  the rest: true, NULL: left out
 *   finish(job, kind, slot, state, log)       started at the slot, finished a minute later
 *   retry(job, kind, slot, log)               failed, next attempt three minutes after the slot
 *   skip(job, kind, cursor, slot, outcome, log)
 *   miss(job, cursor, first, last)
 *   run(job, slot, state, log)                claims slot from the cursor where it stands, and finishes it
 *   requests()                                  one text for all that wait: "verb job kind slot-minute reason;..." */
#ifndef CHIME_TESTS_SUPPORT_LEDGER_SQL_H
#define CHIME_TESTS_SUPPORT_LEDGER_SQL_H

#include "support/cluster/cluster.h"

#define LEDGER_SQL_TOKEN "6f1d0b9e-0000-4000-8000-000000000001"
#define LEDGER_SQL_STALE "6f1d0b9e-0000-4000-8000-00000000dead"

/* A cluster whose database postgres has the schema, made by the superuser; nothing has led. `settings` as for
 * cluster_create. */
struct cluster *ledger_sql_install(const char *const *settings);
/* Makes schema chime in the database that is used, as the daemon does. */
void ledger_sql_migrate(struct cluster *cluster);
void ledger_sql_lead(struct cluster *cluster); /* LEDGER_SQL_TOKEN leads, as epoch 7 */
void ledger_sql_helpers(struct cluster *cluster);
/* Adds jobs that run "SELECT 1" every minute, their cursors at minute 0. In a fresh database the first is number 1. */
void ledger_sql_jobs(struct cluster *cluster, int count);
/* A cluster with all of that, and so many jobs. */
struct cluster *ledger_sql_create(int jobs);
/* The test fails unless the statement is refused with this SQLSTATE. */
void ledger_sql_expect_refused(struct cluster *cluster, const char *sql, const char *sqlstate);
/* All that the ledger holds of the jobs, a row a line, to see that something changed nothing; caller frees. */
char *ledger_sql_everything(struct cluster *cluster);

#endif
