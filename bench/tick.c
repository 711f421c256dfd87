/* SPDX-License-Identifier: PostgreSQL */
/* What a tick of the scheduler costs, by how many jobs there are: prints the table of script/bench tick. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "schedule/scheduler.h"

#define START INT64_C(1772236800000000)
#define TICKS 2000
#define DUE 10 /* jobs due at every tick */

struct figures {
    double tick_ns;  /* with DUE jobs due, through claim and end */
    double idle_ns;  /* with none due */
    double scan_ns;  /* a look at every job instead, as a scheduler without a heap takes */
    double burst_ns; /* for each of all jobs due at one instant */
};

static void fill(struct job *job, size_t index, const char *schedule)
{
    static struct job_options defaults;
    struct error err;
    *job = (struct job){.name = xasprintf("job%zu", index),
                        .database = "main",
                        .schedule_text = schedule,
                        .command = "SELECT 1",
                        .active = true,
                        .options = &defaults};
    options_defaults(&defaults, false);
    if (!schedule_parse(schedule, &job->schedule, &err)) {
        fatal("%s", err.message);
    }
}

static struct scheduler *make(struct job *jobs, size_t count, const char *others)
{
    struct scheduler *scheduler = scheduler_create();
    for (size_t i = 0; i < count; i++) {
        struct job_memory memory = {.job_id = (int64_t)i + 1,
                                    .version = 1,
                                    .cursor = START,
                                    .outcome_at = INSTANT_NONE,
                                    .last_end = INSTANT_NONE};
        fill(&jobs[i], i, i < DUE ? "1 seconds" : others);
        scheduler_put(scheduler, &jobs[i], &memory);
    }
    scheduler_link(scheduler, INSTANT_NONE);
    scheduler_start(scheduler, START, INSTANT_NONE);
    return scheduler;
}

static size_t run_all_due(struct scheduler *scheduler, instant now)
{
    struct due due;
    size_t count = 0;
    while (scheduler_take_due(scheduler, &due)) {
        scheduler_claimed(scheduler, due.scheduled);
        scheduler_ended(scheduler, due.scheduled, RUN_SUCCEEDED, USEC_PER_MSEC, now);
        count++;
    }
    return count;
}

static double since(instant start, double parts)
{
    return (double)(clock_boot() - start) * 1000 / parts;
}

static double measure_scan(const struct job *jobs, size_t count)
{
    /* One comparison a job, its next slot known beforehand: the least that a scan can do. */
    instant *next = xcalloc(count, sizeof(*next));
    volatile size_t found = 0;
    for (size_t i = 0; i < count; i++) {
        next[i] = schedule_next(&jobs[i].schedule, START);
    }
    instant begin = clock_boot();
    for (int tick = 0; tick < TICKS; tick++) {
        instant now = START + tick;
        size_t due = 0;
        for (size_t i = 0; i < count; i++) {
            due += next[i] <= now;
        }
        found += due;
    }
    double cost = since(begin, TICKS);
    free(next);
    return cost;
}

static void finish(struct scheduler *scheduler, struct job *jobs, size_t count)
{
    scheduler_destroy(scheduler);
    for (size_t i = 0; i < count; i++) {
        free((char *)jobs[i].name);
    }
}

static struct figures measure(size_t count)
{
    struct figures figures;
    struct job *jobs = xcalloc(count, sizeof(*jobs));
    struct scheduler *scheduler = make(jobs, count, "0 0 1 1 *");
    size_t ran = 0;
    instant begin = clock_boot();
    for (int tick = 1; tick <= TICKS; tick++) {
        scheduler_tick(scheduler, START + tick * USEC_PER_SEC);
        ran += run_all_due(scheduler, START + tick * USEC_PER_SEC);
    }
    figures.tick_ns = since(begin, TICKS);
    if (ran != (size_t)DUE * TICKS) {
        fatal("%zu runs instead of %d", ran, DUE * TICKS);
    }
    begin = clock_boot();
    for (int tick = 1; tick <= TICKS; tick++) {
        scheduler_tick(scheduler, START + TICKS * USEC_PER_SEC + tick);
    }
    figures.idle_ns = since(begin, TICKS);
    figures.scan_ns = measure_scan(jobs, count);
    finish(scheduler, jobs, count);
    scheduler = make(jobs, count, "* * * * *");
    begin = clock_boot();
    scheduler_tick(scheduler, START + USEC_PER_MINUTE);
    ran = run_all_due(scheduler, START + USEC_PER_MINUTE);
    figures.burst_ns = since(begin, (double)ran);
    finish(scheduler, jobs, count);
    free(jobs);
    return figures;
}

int main(void)
{
    static const size_t counts[] = {100, 1000, 10000, 100000};
    double first = 0;
    printf("| jobs | a tick, %d of them due | ratio to 100 jobs | a tick, none due | a look at every job instead | all "
           "due at once, each |\n",
           DUE);
    printf("| ---: | ---: | ---: | ---: | ---: | ---: |\n");
    for (size_t i = 0; i < COUNT_OF(counts); i++) {
        struct figures figures = measure(counts[i]);
        first = i == 0 ? figures.tick_ns : first;
        printf("| %zu | %.1f us | %.2f | %.0f ns | %.1f us | %.0f ns |\n", counts[i], figures.tick_ns / 1000,
               figures.tick_ns / first, figures.idle_ns, figures.scan_ns / 1000, figures.burst_ns);
    }
    return 0;
}
