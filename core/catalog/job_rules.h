/* SPDX-License-Identifier: PostgreSQL */
/* The rules that every job must follow, whether a plugin, conf.d or SQL defined it. */
#ifndef CHIME_CATALOG_JOB_RULES_H
#define CHIME_CATALOG_JOB_RULES_H

#include "base/error.h"
#include "config/config.h"
#include "model/job.h"

/* Of the database, or the default one. */
bool job_pool_known(const struct config_database *database, const char *name);
/* Options that contradict each other or the job's work: `found` is told of each. The message lacks its subject, which
 * is the job. */
void job_rules_check(const struct job *job, void (*found)(void *data, const struct error *problem), void *data);

#endif
