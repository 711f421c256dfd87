/* SPDX-License-Identifier: PostgreSQL */
/* Random jobs, notifications and changes among all else that happens to jobs: whatever the order, no notification is
 * lost, none is served twice, and none waits for ever. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "support/schedule/scheduling.h"

#define JOBS 10
#define STEPS 400
#define SEEDS 300

static struct {
    struct scheduled *scheduled;
    struct job job;
    struct job_options options;
    const char *after[2];
    char name[8];
    int64_t told; /* number of the last notification */
    bool owed;    /* a run of it */
    int64_t runs; /* what its current run serves */
    instant slots[RUN_KIND_COUNT];
    bool claiming, live, suspended;
} world[JOBS];

static uint64_t state;
static int64_t told;
static int64_t served;
static instant now;

static int64_t chance(int64_t below)
{
    state = state * UINT64_C(6364136223846793005) + UINT64_C(1442695040888963407);
    return (int64_t)((state >> 33) % (uint64_t)below);
}

static void define_world(void)
{
    struct error err;
    for (size_t i = 0; i < JOBS; i++) {
        struct job *job = &world[i].job;
        memset(&world[i], 0, sizeof(world[i]));
        snprintf(world[i].name, sizeof(world[i].name), "j%zu", (i * 7) % JOBS);
        *job = (struct job){
            .name = world[i].name, .active = true, .after = world[i].after, .options = &world[i].options};
        options_defaults(job->options, false);
        job->options->suspend_after_failures = 0;
        job->options->debounce = chance(3) * USEC_PER_SEC;
        job->options->target_lag = chance(3) * 20 * USEC_PER_SEC;
        job->options->overlap_policy = chance(2) == 0 ? OVERLAP_SKIP : OVERLAP_BUFFER_ONE;
        for (size_t n = 0; n < 2 && i > 0 && chance(3) > 0; n++) {
            world[i].after[n] = world[chance((int64_t)i)].name;
            job->after_count = n == 1 && world[i].after[0] == world[i].after[1] ? 1 : n + 1;
        }
        const char *schedule = chance(2) == 0 ? "" : "* * * * *";
        ck_assert(*schedule == '\0' || schedule_parse(schedule, &job->schedule, &err));
        struct job_memory memory = {.job_id = (int64_t)i * 3 % JOBS + 1, .cursor = now, .last_end = INSTANT_NONE};
        world[i].scheduled = scheduler_put(scheduler, job, &memory);
    }
    scheduler_link(scheduler, INSTANT_NONE);
    scheduler_start(scheduler, now, INSTANT_NONE);
}

static size_t index_of(const struct scheduled *scheduled)
{
    size_t i = 0;
    while (world[i].scheduled != scheduled) {
        i++;
    }
    return i;
}

static bool upstream_is_busy(size_t i, instant slot)
{
    for (size_t n = 0; n < world[i].job.after_count; n++) {
        for (size_t u = 0; u < i; u++) {
            enum run_kind kind;
            instant at;
            int attempt;
            bool runs = strcmp(world[u].name, world[i].after[n]) == 0 &&
                        scheduled_run(world[u].scheduled, &kind, &at, &attempt);
            if (runs && (world[u].live || world[u].claiming) && (kind == RUN_EVENT || kind == RUN_CHANGE) &&
                at <= slot) {
                return true;
            }
        }
    }
    return false;
}

static void judge(size_t i, const struct due *due)
{
    if (due->again) {
        ck_assert(due->kind != RUN_EVENT || parse_int64(due->payload, world[i].runs, world[i].runs, &world[i].runs));
        return;
    }
    ck_assert_int_gt(due->slot, world[i].slots[due->kind]);
    ck_assert(due->kind == RUN_EVENT || due->payload == NULL);
    ck_assert(due->kind != RUN_CHANGE || !world[i].owed);
    if (due->kind == RUN_EVENT) {
        ck_assert(world[i].owed && !upstream_is_busy(i, due->slot));
        /* One that waited for upstreams leaves what came since to the next. */
        int64_t least = world[i].job.after_count > 0 ? 1 : world[i].told;
        ck_assert(parse_int64(due->payload, least, world[i].told, &world[i].runs));
        world[i].owed = world[i].runs < world[i].told;
    }
}

static void take_some(void)
{
    struct due due;
    if (scheduler_take_due(scheduler, &due)) {
        size_t i = index_of(due.scheduled);
        judge(i, &due);
        world[i].claiming = true;
    }
}

static void answer(size_t i)
{
    enum run_kind kind;
    instant slot;
    int attempt;
    if (!world[i].claiming) {
        return;
    }
    world[i].claiming = false;
    scheduled_run(world[i].scheduled, &kind, &slot, &attempt);
    if (chance(4) == 0) {
        world[i].owed = world[i].owed || (kind == RUN_EVENT && attempt == 1);
        scheduler_unclaimed(scheduler, world[i].scheduled);
    } else {
        world[i].live = true;
        world[i].slots[kind] = slot;
        served += kind == RUN_EVENT;
        scheduler_claimed(scheduler, world[i].scheduled);
    }
}

static void end(size_t i)
{
    static const enum run_state states[] = {RUN_SUCCEEDED, RUN_SUCCEEDED, RUN_FAILED, RUN_CANCELLED};
    if (world[i].live) {
        world[i].live = false;
        if (chance(5) == 0) {
            scheduler_retry(scheduler, world[i].scheduled, 2, now + chance(3) * USEC_PER_SEC);
        } else {
            scheduler_ended(scheduler, world[i].scheduled, states[chance(4)], USEC_PER_SEC, now);
        }
    }
}

static void tell(size_t i)
{
    char payload[24];
    snprintf(payload, sizeof(payload), "%lld", (long long)++told);
    world[i].told = told;
    world[i].owed = true;
    scheduler_event(scheduler, world[i].scheduled, RUN_EVENT, payload, now);
}

static void toggle(size_t i)
{
    world[i].suspended = !world[i].suspended;
    if (world[i].suspended) {
        scheduler_suspend(scheduler, world[i].scheduled, "by hand", now);
    } else {
        scheduler_resume(scheduler, world[i].scheduled, "back", now);
    }
}

static void take_passes(void)
{
    struct skipped passed;
    while (scheduler_take_skipped(scheduler, &passed)) {
    }
}

/* The same catalog once more, one job withdrawn for it. */
static void reload(size_t withdrawn)
{
    for (size_t i = 0; i < JOBS; i++) {
        if (world[i].claiming) {
            return;
        }
    }
    scheduler_withdraw(scheduler, world[withdrawn].scheduled, "changed", now);
    if (chance(2) == 0) {
        tell(withdrawn);
    }
    take_passes();
    for (size_t i = 0; i < JOBS; i++) {
        struct job_memory memory = {.job_id = scheduled_id(world[i].scheduled), .outcome_at = INSTANT_NONE};
        memory.cursor = i == withdrawn ? now : INSTANT_NONE;
        memory.last_end = INSTANT_NONE;
        scheduler_put(scheduler, &world[i].job, &memory);
    }
    scheduler_link(scheduler, now);
}

static void step(void)
{
    size_t i = (size_t)chance(JOBS);
    switch (chance(12)) {
    case 0:
    case 1:
        tell(i);
        break;
    case 2:
        scheduler_event(scheduler, world[i].scheduled, RUN_CHANGE, NULL, now);
        break;
    case 3:
        toggle(i);
        break;
    case 4:
        scheduler_request(scheduler, world[i].scheduled, RUN_MANUAL, now + told++);
        break;
    case 5:
        reload(i);
        break;
    case 6:
    case 7:
        answer(i);
        break;
    case 8:
        end(i);
        break;
    case 9:
        take_some();
        break;
    default:
        now += chance(2) * USEC_PER_SEC;
        scheduler_tick(scheduler, now);
    }
    take_passes();
}

static void settle(void)
{
    for (size_t i = 0; i < JOBS; i++) {
        if (world[i].suspended) {
            toggle(i);
        }
    }
    for (int round = 0; round < 400; round++) {
        now += USEC_PER_SEC / 10;
        scheduler_tick(scheduler, now);
        take_passes();
        take_some();
        for (size_t i = 0; i < JOBS; i++) {
            answer(i);
            end(i);
        }
    }
}

/* What is still owed then, waits for nothing. */
static void play(uint64_t seed)
{
    state = seed;
    now = MIDNIGHT;
    define_world();
    for (int i = 0; i < STEPS; i++) {
        step();
    }
    settle();
    for (size_t i = 0; i < JOBS; i++) {
        ck_assert_msg(!world[i].owed, "seed %llu: %s was told %lld and never ran for it", (unsigned long long)seed,
                      world[i].name, (long long)world[i].told);
    }
}

START_TEST(no_notification_is_lost_or_served_twice_or_waits_for_ever)
{
    for (uint64_t seed = 1; seed <= SEEDS; seed++) {
        play(seed);
        scheduling_reset();
    }
    ck_assert_int_gt(served, SEEDS * 10); /* it was about something */
}
END_TEST

int main(void)
{
    const TTest *const tests[] = {no_notification_is_lost_or_served_twice_or_waits_for_ever};
    return scheduling_run("scheduler_event_property", tests, sizeof(tests) / sizeof(*tests));
}
