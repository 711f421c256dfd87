/* SPDX-License-Identifier: PostgreSQL */
/* Jobs of a graph that notifications and changes wake, in minutes. */
#ifndef CHIME_TESTS_SUPPORT_WOKEN_JOBS_H
#define CHIME_TESTS_SUPPORT_WOKEN_JOBS_H

#include "support/schedule/scheduling.h"

/* A job with a schedule, so that it is no join; no slot of it lies in these tests. Its debounce is five minutes. */
struct job *define_woken(const char *name, const char *upstream);
void notify(struct scheduled *it, int64_t minutes);
void change(struct scheduled *it, int64_t minutes);
/* The run that may start next is this one, of a notification. */
void claim_event(struct scheduled *it, int64_t slot);

#endif
