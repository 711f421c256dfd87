/* SPDX-License-Identifier: PostgreSQL */
/* What a leadership writes back of jobs made by SQL: what is wrong with one, when each is due next, and which had their
 * only slot. */
#ifndef CHIME_DAEMON_SQL_JOB_STATUS_H
#define CHIME_DAEMON_SQL_JOB_STATUS_H

#include <stdbool.h>

#include "schedule/scheduler.h"

struct lead;
struct sql_job_status;

struct sql_job_status *sql_job_status_create(struct lead *lead);
void sql_job_status_destroy(struct sql_job_status *notes); /* takes NULL */
/* Why the leader cannot run this version of it, or that nothing is wrong any more. */
void sql_job_status_problem(struct lead *lead, const struct job *job, const struct job_memory *memory,
                            const struct error *err);
void sql_job_status_no_problem(struct lead *lead, const struct job_memory *memory);
/* A slot of the job was decided or a run of it has ended; jobs of the catalog are passed by. */
void sql_job_status_decided(struct lead *lead, const struct scheduled *scheduled);
/* Writes what has gathered: next slots once a second at most. */
void sql_job_status_write(struct lead *lead);
/* Nothing waits to be written that others wait for. */
bool sql_job_status_idle(const struct lead *lead);

#endif
