/* SPDX-License-Identifier: PostgreSQL */
/* What fails and is refreshed all the same is tried less often. */
#include <limits.h>
#include <stdio.h>

#include "calendar/backoff.h"
#include "schedule/state.h"

instant failing_until(const struct scheduled *it)
{
    struct backoff backoff = it->job->options->backoff;
    backoff.jitter = 0; /* whoever asks again is to hear the same */
    if (it->failures == 0 || it->last_end == INSTANT_NONE) {
        return INSTANT_NONE;
    }
    return it->last_end + backoff_delay(&backoff, it->failures < INT_MAX ? (int)it->failures : INT_MAX, 0);
}

bool failing_skips(const struct scheduled *it, instant slot, char reason[static SKIPPED_REASON_SIZE])
{
    instant until = failing_until(it);
    if (it->job->work != JOB_REFRESH || until <= slot) {
        return false;
    }
    char at[INSTANT_TEXT_SIZE];
    snprintf(reason, SKIPPED_REASON_SIZE, "%lld runs in a row failed: it is tried again after %s",
             (long long)it->failures, instant_format(until, at));
    return true;
}
