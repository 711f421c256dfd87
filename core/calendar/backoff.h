/* SPDX-License-Identifier: PostgreSQL */
/* Waiting before a retry: initial * coefficient^(n-1), at most max, spread by +-jitter. */
#ifndef CHIME_CALENDAR_BACKOFF_H
#define CHIME_CALENDAR_BACKOFF_H

#include <stdint.h>

#include "base/instant.h"

struct backoff {
    duration initial;
    double coefficient; /* >= 1 */
    duration max;
    double jitter; /* 0..1: share of the delay by which it may differ either way */
};

/* After `failures` failed attempts (>= 1). `seed` decides the jitter, so that a test can repeat it. Never overflows. */
duration backoff_delay(const struct backoff *backoff, int failures, uint64_t seed);

#endif
