/* SPDX-License-Identifier: PostgreSQL */
/* A job's options as the ledger holds them, for people: those that differ from what the product does anyway apart from
 * the others, both in the order of docs/jobs.md. */
#ifndef CHIME_REPORT_JOB_OPTIONS_H
#define CHIME_REPORT_JOB_OPTIONS_H

#include <stdbool.h>

#include "base/buffer.h"

/* `stored`: chime.job.options, a JSON object of texts. `timezone`: of the job's database. "name = value", a line each
 * in `chosen`, with commas in `standard`. */
void job_options_put(const char *stored, bool refresh, const char *timezone, struct buffer *chosen,
                     struct buffer *standard);

/* Whether the attempts that a job has are not used up, and its next one is left out since no SQLSTATE of `retry_on` is
 * this one. */
bool job_options_refuse_retry(const char *stored, bool refresh, int attempt, const char *sqlstate);

#endif
