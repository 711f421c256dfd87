/* SPDX-License-Identifier: PostgreSQL */
#include "support/daemon/woken_jobs.h"

struct job *define_woken(const char *name, const char *upstream)
{
    struct job *job = define(name, "0 0 1 1 *");
    if (upstream != NULL) {
        comes_after(job, upstream);
    }
    job->options->debounce = 5 * USEC_PER_MINUTE;
    return job;
}

void notify(struct scheduled *it, int64_t minutes)
{
    scheduler_event(scheduler, it, RUN_EVENT, "news", minute(minutes));
}

void change(struct scheduled *it, int64_t minutes)
{
    scheduler_event(scheduler, it, RUN_CHANGE, NULL, minute(minutes));
}

void claim_event(struct scheduled *it, int64_t slot)
{
    struct due due = claim(it, slot);
    ck_assert_str_eq(run_kind_name(due.kind), "event");
    ck_assert_pstr_eq(due.payload, "news");
}
