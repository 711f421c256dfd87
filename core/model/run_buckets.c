/* SPDX-License-Identifier: PostgreSQL */
#include "model/run_buckets.h"

const duration run_duration_bounds[RUN_BUCKETS - 1] = {1 * USEC_PER_MSEC,   5 * USEC_PER_MSEC,   25 * USEC_PER_MSEC,
                                                       100 * USEC_PER_MSEC, 500 * USEC_PER_MSEC, 1 * USEC_PER_SEC,
                                                       5 * USEC_PER_SEC,    30 * USEC_PER_SEC,   120 * USEC_PER_SEC,
                                                       600 * USEC_PER_SEC,  3600 * USEC_PER_SEC};

const duration run_delay_bounds[RUN_BUCKETS - 1] = {1 * USEC_PER_MSEC,   5 * USEC_PER_MSEC,  10 * USEC_PER_MSEC,
                                                    25 * USEC_PER_MSEC,  50 * USEC_PER_MSEC, 100 * USEC_PER_MSEC,
                                                    250 * USEC_PER_MSEC, 1 * USEC_PER_SEC,   5 * USEC_PER_SEC,
                                                    30 * USEC_PER_SEC,   300 * USEC_PER_SEC};

size_t run_bucket(const duration bounds[static RUN_BUCKETS - 1], duration length)
{
    size_t bucket = 0;
    while (bucket < RUN_BUCKETS - 1 && length > bounds[bucket]) {
        bucket++;
    }
    return bucket;
}
