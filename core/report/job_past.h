/* SPDX-License-Identifier: PostgreSQL */
/* What was of one job: what each day came to, and its texts. */
#ifndef CHIME_REPORT_JOB_PAST_H
#define CHIME_REPORT_JOB_PAST_H

#include <stdint.h>

#include "report/output.h"
#include "report/statements.h"

#define JOB_DAYS_DEFAULT 90
#define JOB_DAYS_MAX 400 /* so many are kept */

struct output_list *job_days_create(void);
/* Of the latest `count` days that are summed up, the newest first; a day on which nothing was due has no row. */
void job_days_ask(struct question *question, const char *job, int64_t count);

struct output_list *job_versions_create(void);
/* The present definition, then earlier ones that runs ran by, the latest 100; of jobs that are not made by SQL the
 * present one alone is kept. */
void job_versions_ask(struct question *question, const char *job);
/* Their texts are null from then on. */
void job_versions_hide_commands(struct output_list *list);

#endif
