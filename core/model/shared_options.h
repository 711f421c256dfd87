/* SPDX-License-Identifier: PostgreSQL */
/* Options that equal many jobs' share: stored once, since options take half of a job's memory.
 *
 * Ownership: what is shared is never changed, and lives as long as somebody holds it. */
#ifndef CHIME_MODEL_SHARED_OPTIONS_H
#define CHIME_MODEL_SHARED_OPTIONS_H

#include "model/options.h"

/* Equal ones, with texts of their own, held by the caller too. */
struct job_options *shared_options_hold(const struct job_options *options);
void shared_options_drop(struct job_options *options);

#endif
