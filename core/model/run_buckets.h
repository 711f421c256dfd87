/* SPDX-License-Identifier: PostgreSQL */
/* The buckets of the two histograms in chime.tally: how long runs took, and how late they started. The ledger stores
 * the counts by index. Do not change a bound here: stored counts would then mean something else. */
#ifndef CHIME_MODEL_RUN_BUCKETS_H
#define CHIME_MODEL_RUN_BUCKETS_H

#include <stddef.h>

#include "base/instant.h"

#define RUN_BUCKETS 12

/* Upper bounds, which belong to their bucket; the last bucket has none. */
extern const duration run_duration_bounds[RUN_BUCKETS - 1];
extern const duration run_delay_bounds[RUN_BUCKETS - 1];

size_t run_bucket(const duration bounds[static RUN_BUCKETS - 1], duration length);

#endif
