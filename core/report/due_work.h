/* SPDX-License-Identifier: PostgreSQL */
/* What is due in the next day, beside how long it takes and the sessions that run it.
 *
 * Does: find a job that takes longer than its period, and the instant at which so many jobs are due that the last of
 *   them starts late. By schedules, and by how long runs that succeeded take.
 * Does not: know of jobs that follow others, wait for events or for their own end; nor of pools. */
#ifndef CHIME_REPORT_DUE_WORK_H
#define CHIME_REPORT_DUE_WORK_H

#include "config/config.h"
#include "report/output.h"
#include "report/statements.h"

void due_work_ask(struct question *question);
/* Appends findings; whether one of them is a warning. */
bool due_work_take(struct output_list *findings, const struct pg_rows *rows, const struct config_database *database);

#endif
