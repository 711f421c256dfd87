/* SPDX-License-Identifier: PostgreSQL */
#include "calendar/backoff.h"

#include <math.h>

/* One step of SplitMix64: neighbouring seeds give unrelated numbers. */
static uint64_t scramble(uint64_t seed)
{
    uint64_t mixed = seed + UINT64_C(0x9e3779b97f4a7c15);
    mixed = (mixed ^ (mixed >> 30)) * UINT64_C(0xbf58476d1ce4e5b9);
    mixed = (mixed ^ (mixed >> 27)) * UINT64_C(0x94d049bb133111eb);
    return mixed ^ (mixed >> 31);
}

/* Within [-1, 1). */
static double spread(uint64_t seed)
{
    return (double)(scramble(seed) >> 11) * 0x1p-52 - 1.0;
}

duration backoff_delay(const struct backoff *backoff, int failures, uint64_t seed)
{
    if (backoff->initial <= 0) {
        return 0; /* 0 times infinity is no number */
    }
    double grown = (double)backoff->initial * pow(backoff->coefficient, failures > 1 ? failures - 1 : 0);
    double delay = fmin(grown, (double)backoff->max);
    delay += delay * backoff->jitter * spread(seed + (uint64_t)failures);
    /* 2^63 itself does not fit: the largest double below it does. */
    return (duration)fmin(delay, 0x1.fffffffffffffp62);
}
