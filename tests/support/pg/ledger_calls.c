/* SPDX-License-Identifier: PostgreSQL */
#include "support/pg/ledger_calls.h"

#include <check.h>

struct ledger ledger;
static struct scheduler *scheduler;
struct scheduled *scheduled;
static struct job job;
static struct job_options options;
int calls;
static void (*read_reply)(const struct pg_reply *reply);

void on_reply(void *data, const struct pg_reply *reply)
{
    ck_assert_ptr_eq(data, &calls);
    calls++;
    if (read_reply != NULL) {
        read_reply(reply);
    }
}

void ledger_set_up(void)
{
    calls = 0;
    read_reply = NULL;
    session_set_up();
    ledger = (struct ledger){.token = TOKEN, .epoch = 7, .connection = connection};
}

void ledger_tear_down(void)
{
    session_tear_down();
    scheduler_destroy(scheduler);
    scheduler = NULL;
}

void know_a_job(void)
{
    struct job_memory memory = {.job_id = 42, .version = 3, .cursor = at(SLOT_BEFORE)};
    job = (struct job){.name = "nightly",
                       .database = "app",
                       .origin = JOB_FROM_CONFIG,
                       .schedule_text = "*/30 * * * *",
                       .work = JOB_COMMAND,
                       .command = "SELECT 1",
                       .active = true,
                       .options = &options};
    options_defaults(&options, false);
    ck_assert(schedule_parse(job.schedule_text, &job.schedule, NULL));
    scheduler = scheduler_create();
    scheduled = scheduler_put(scheduler, &job, &memory);
    scheduler_link(scheduler, INSTANT_NONE);
}

void read_with(void (*check)(const struct pg_reply *reply))
{
    read_reply = check;
    settle(loop);
    ck_assert_int_eq(calls, 1);
}
