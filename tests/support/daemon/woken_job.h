/* SPDX-License-Identifier: PostgreSQL */
/* One job that events wake, and seconds since midnight. */
#ifndef CHIME_TESTS_SUPPORT_WOKEN_JOB_H
#define CHIME_TESTS_SUPPORT_WOKEN_JOB_H

#include "support/schedule/scheduling.h"

extern struct scheduled *woken;

instant second(int64_t seconds);
/* A job that nothing but events wakes. */
struct job *define_woken_alone(const char *name, int64_t debounce_seconds);
/* Such a job, and the scheduler's start. */
struct scheduled *start_woken(int64_t debounce_seconds);
void notify_at(const char *payload, instant now);
void change_at(instant now);
/* The run that may start next is this one. */
struct due take_one(enum run_kind kind, instant slot, const char *payload);
void claim_one(enum run_kind kind, instant slot, const char *payload);
void end_at(instant now, enum run_state state);

#endif
