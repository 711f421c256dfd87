/* SPDX-License-Identifier: PostgreSQL */
#include "support/daemon/woken_job.h"

struct scheduled *woken;

instant second(int64_t seconds)
{
    return MIDNIGHT + seconds * USEC_PER_SEC;
}

struct job *define_woken_alone(const char *name, int64_t debounce_seconds)
{
    struct job *job = define(name, "");
    job->options->debounce = debounce_seconds * USEC_PER_SEC;
    job->options->backoff.max = 100 * USEC_PER_SEC;
    job->options->suspend_after_failures = 0;
    return job;
}

struct scheduled *start_woken(int64_t debounce_seconds)
{
    woken = add(define_woken_alone("a", debounce_seconds));
    start();
    return woken;
}

void notify_at(const char *payload, instant now)
{
    scheduler_event(scheduler, woken, RUN_EVENT, payload, now);
}

void change_at(instant now)
{
    scheduler_event(scheduler, woken, RUN_CHANGE, NULL, now);
}

struct due take_one(enum run_kind kind, instant slot, const char *payload)
{
    struct due due;
    ck_assert_msg(scheduler_take_due(scheduler, &due), "nothing is due");
    ck_assert_ptr_eq(due.scheduled, woken);
    ck_assert_str_eq(run_kind_name(due.kind), run_kind_name(kind));
    ck_assert_int_eq(due.slot - MIDNIGHT, slot - MIDNIGHT);
    ck_assert_pstr_eq(due.payload, payload);
    return due;
}

void claim_one(enum run_kind kind, instant slot, const char *payload)
{
    take_one(kind, slot, payload);
    scheduler_claimed(scheduler, woken);
}

void end_at(instant now, enum run_state state)
{
    scheduler_ended(scheduler, woken, state, USEC_PER_SEC, now);
}
