/* SPDX-License-Identifier: PostgreSQL */
/* What a new leader makes of a join whose last decision was a skip. */
#include "support/schedule/scheduling.h"

static struct job_memory succeeded(const struct job *job)
{
    struct job_memory memory = memory_of(job, 10);
    memory.has_outcome = true;
    memory.last_outcome = RUN_SUCCEEDED;
    memory.outcome_at = memory.last_end = minute(10);
    return memory;
}

/* a succeeded at minute 10; the decision that followed was skipped at its deadline, and b is not enabled. */
static void start_after_a_late_decision(void)
{
    struct job *a = define("a", "0 0 1 1 *");
    struct job *b = define("b", "0 0 1 1 *");
    struct job *join = define("join", "");
    struct job_memory memory = succeeded(a);
    b->active = false;
    comes_after(join, "a");
    comes_after(join, "b");
    join->options->starting_deadline = USEC_PER_MINUTE;
    scheduler_put(scheduler, a, &memory);
    add(b);
    memory = memory_of(join, 10);
    memory.cursor_skipped = true;
    scheduler_put(scheduler, join, &memory);
    start_at(20);
}

START_TEST(an_upstream_that_is_not_enabled_does_not_have_a_late_decision_decided_again)
{
    start_after_a_late_decision();
    nothing_due();
    nothing_passed();
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {an_upstream_that_is_not_enabled_does_not_have_a_late_decision_decided_again};
    return scheduling_run("scheduler_rebuilt", tests, sizeof(tests) / sizeof(*tests));
}
