/* SPDX-License-Identifier: PostgreSQL */
/* A simulated month of 200 jobs with every option mixed, clocks that change, and a daemon that dies: every slot that
 * the C library's clock says was due ends exactly once, as docs/jobs.md says it has to. */
#include <check.h>
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "support/month/month.h"
#include "support/process/suite.h"

#define TRIED_AT_LEAST 3

static void require_variety(const struct month *month)
{
    const int64_t *counts = (const int64_t *)&month->counts;
    for (size_t i = 0; i < offsetof(struct month_counts, unsure) / sizeof(*counts); i++) {
        ck_assert_msg(counts[i] >= TRIED_AT_LEAST,
                      "PGCHIME_TEST_SEED=%llu: count %zu of struct month_counts is %lld: hardly tried",
                      (unsigned long long)month->seed, i, (long long)counts[i]);
    }
    ck_assert_int_gt(month->counts.turns - month->counts.unsure, 1000);
}

static void print_counts(const struct month *month)
{
    const struct month_counts *n = &month->counts;
    printf(
        "%lld runs, %lld failed, %lld retried, %lld skipped for overlap, %lld for upstreams, %lld late, %lld missed, "
        "%lld suspensions, %lld deaths; %lld of %lld turns unsure\n",
        (long long)n->runs, (long long)n->failures, (long long)n->retries, (long long)n->overlaps,
        (long long)n->refusals, (long long)n->late, (long long)n->catch_ups, (long long)n->suspensions,
        (long long)n->deaths, (long long)n->unsure, (long long)n->turns);
}

START_TEST(a_month_of_200_jobs_ends_every_slot_once_and_as_documented)
{
    struct month *month = xcalloc(1, sizeof(*month));
    month->seed = suite_seed();
    month->start = MONTH_START;
    month->end = MONTH_END;
    month_make_jobs(month, MONTH_JOBS);
    month_live(month);
    month_require_end(month);
    print_counts(month);
    require_variety(month);
    month_free_jobs(month);
    free(month);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("scheduler_month");
    TCase *month = tcase_create("month");
    tcase_set_timeout(month, 240);
    tcase_add_test(month, a_month_of_200_jobs_ends_every_slot_once_and_as_documented);
    suite_add_tcase(suite, month);
    return suite_run(suite);
}
