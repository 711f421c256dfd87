/* SPDX-License-Identifier: PostgreSQL */
/* Moves jobs from pg_cron to pgchime, or back, one at a time, as the plan says.
 *
 * Does: wait until no slot is near and no run of the job goes on; deactivate at one side and activate at the other, in
 *   one transaction where both are in one database, else in steps that another import goes on from
 *   (sql/functions/import_pg_cron.sql).
 * Does not: ask. */
#ifndef CHIME_CLI_IMPORT_HANDOVER_H
#define CHIME_CLI_IMPORT_HANDOVER_H

#include "cli/import_plan.h"

/* Says what became of each. The exit status: EXIT_WARNINGS when a job was left because it kept running for
 * `patience`. */
int import_hand_over(const struct import_plan *plan, duration patience);

#endif
