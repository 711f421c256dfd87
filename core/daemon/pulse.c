/* SPDX-License-Identifier: PostgreSQL */
#define _GNU_SOURCE 1

#include "daemon/pulse.h"

#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/resource.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "daemon/lead_state.h"
#include "ledger/answers.h"

#define WAITS_MOST 20
#define NEXT_MOST 50

/* A job, and an instant that it has. */
struct dated {
    const struct scheduled *scheduled;
    instant at;
};

/* The earliest ones, in order. */
struct earliest {
    struct dated items[NEXT_MOST];
    size_t count;
    size_t most;
};

struct pulse {
    struct lead *lead;
    instant expected; /* when the timer was to fire, by clock_boot; 0: it was not set yet */
    duration lag;     /* the longest since the last pulse */
    bool pending;
    char *problem; /* as last logged; NULL: none */
};

static void keep_earliest(struct earliest *earliest, const struct scheduled *scheduled, instant at)
{
    if (earliest->count == earliest->most && at >= earliest->items[earliest->count - 1].at) {
        return;
    }
    size_t place = earliest->count < earliest->most ? earliest->count++ : earliest->count - 1;
    for (; place > 0 && earliest->items[place - 1].at > at; place--) {
        earliest->items[place] = earliest->items[place - 1];
    }
    earliest->items[place] = (struct dated){scheduled, at};
}

static void put_instant(json_t *object, const char *name, instant at)
{
    char text[INSTANT_TEXT_SIZE];
    json_object_set_new(object, name, json_string(instant_format(at, text)));
}

/* --- jobs --------------------------------------------------------------------------------------------------------- */

static json_t *put_wait(const struct dated *dated)
{
    json_t *wait = json_object();
    const char *pool = scheduled_job(dated->scheduled)->options->pool;
    json_object_set_new(wait, "job_id", json_integer(scheduled_id(dated->scheduled)));
    put_instant(wait, "due", dated->at);
    json_object_set_new(wait, "reason",
                        scheduled_lacks_slot(dated->scheduled) ? json_sprintf("waits for a slot of pool %s", pool)
                                                               : json_string("waits for a session"));
    return wait;
}

static json_t *put_next(const struct dated *dated)
{
    json_t *next = json_object();
    json_object_set_new(next, "job_id", json_integer(scheduled_id(dated->scheduled)));
    put_instant(next, "slot", dated->at);
    return next;
}

static json_t *put_list(const struct earliest *earliest, json_t *(*put)(const struct dated *dated))
{
    json_t *list = json_array();
    for (size_t i = 0; i < earliest->count; i++) {
        json_array_append_new(list, put(&earliest->items[i]));
    }
    return list;
}

static void put_jobs(const struct lead *lead, json_t *pulse)
{
    struct earliest waits = {.most = WAITS_MOST};
    struct earliest next = {.most = NEXT_MOST};
    size_t waiting = 0;
    for (size_t i = 0; i < scheduler_count(lead->scheduler); i++) {
        const struct scheduled *scheduled = scheduler_at(lead->scheduler, i);
        instant due = scheduled_due_since(scheduled);
        instant slot = scheduled_next_slot(scheduled);
        if (due != INSTANT_NONE) {
            waiting++;
            keep_earliest(&waits, scheduled, due);
        }
        if (slot != INSTANT_NEVER) {
            keep_earliest(&next, scheduled, slot);
        }
    }
    json_object_set_new(pulse, "jobs", json_integer((json_int_t)scheduler_count(lead->scheduler)));
    json_object_set_new(pulse, "waiting", json_integer((json_int_t)waiting));
    if (waits.count > 0) {
        put_instant(pulse, "oldest_due", waits.items[0].at);
    }
    json_object_set_new(pulse, "waits", put_list(&waits, put_wait));
    json_object_set_new(pulse, "next_slots", put_list(&next, put_next));
}

static void put_pools(const struct lead *lead, json_t *pulse)
{
    json_t *pools = json_array();
    int sessions = 0;
    for (size_t i = 0; i < lead->database->pool_count; i++) {
        const struct config_pool *pool = &lead->database->pools[i];
        json_array_append_new(pools, json_pack("{s:s, s:I, s:i}", "pool", pool->name, "used",
                                               (json_int_t)scheduler_pool_held(lead->scheduler, pool->name), "limit",
                                               pool->limit));
    }
    for (size_t i = 0; i < lead->roles.count; i++) {
        sessions += lead->roles.items[i]->pool != NULL ? pool_open_count(lead->roles.items[i]->pool) : 0;
    }
    json_object_set_new(pulse, "pools", pools);
    json_object_set_new(pulse, "sessions", json_integer(sessions));
    json_object_set_new(pulse, "sessions_most", json_integer(lead->database->pool_size));
}

/* --- the process -------------------------------------------------------------------------------------------------- */

static duration taken(const struct timeval *time)
{
    return (duration)time->tv_sec * USEC_PER_SEC + time->tv_usec;
}

/* Of /proc/self/statm, in pages: all, resident. */
static long resident_pages(void)
{
    long pages = 0;
    FILE *file = fopen("/proc/self/statm", "re");
    if (file != NULL) {
        pages = fscanf(file, "%*d %ld", &pages) == 1 ? pages : 0;
        fclose(file);
    }
    return pages;
}

/* Since the machine was started, by the 20th field behind the name in /proc/self/stat, in ticks; 0: not known. */
static duration started(void)
{
    char text[1024] = "";
    FILE *file = fopen("/proc/self/stat", "re");
    if (file != NULL) {
        text[fread(text, 1, sizeof(text) - 1, file)] = '\0';
        fclose(file);
    }
    char *field = strrchr(text, ')');
    for (int i = 0; field != NULL && i < 20; i++) {
        field = strchr(field + 1, ' ');
    }
    return field != NULL ? strtoll(field, NULL, 10) * (USEC_PER_SEC / sysconf(_SC_CLK_TCK)) : 0;
}

static void put_process(struct pulse *pulse, json_t *object)
{
    struct rusage usage = {0};
    getrusage(RUSAGE_SELF, &usage);
    json_object_set_new(object, "cpu_us", json_integer(taken(&usage.ru_utime) + taken(&usage.ru_stime)));
    json_object_set_new(object, "resident_bytes", json_integer((json_int_t)resident_pages() * sysconf(_SC_PAGESIZE)));
    json_object_set_new(object, "loop_lag_us", json_integer(pulse->lag));
    put_instant(object, "started_at", lead_now(pulse->lead) - clock_boot() + started());
    pulse->lag = 0;
}

/* --- writing ------------------------------------------------------------------------------------------------------ */

/* A problem is logged when it is new. */
static void written(void *data, const struct pg_reply *reply)
{
    struct lead *lead = data;
    if (lead->over || pg_reply_lost(reply)) {
        return;
    }
    struct pulse *pulse = lead->pulse;
    const char *problem = pg_reply_ok(reply) ? NULL : pg_reply_message(reply);
    pulse->pending = false;
    if (answer_of(reply) == ANSWER_NOT_LEADER) {
        lead_refused(lead, reply, "the pulse could not be written");
        return;
    }
    if (problem != NULL && (pulse->problem == NULL || strcmp(problem, pulse->problem) != 0)) {
        log_warning("database %s: pages show old figures, the pulse cannot be written: %s", lead->database->name,
                    problem);
    }
    free(pulse->problem);
    pulse->problem = problem != NULL ? xstrdup(problem) : NULL;
}

void pulse_write(struct pulse *pulse)
{
    const struct lead *lead = pulse->lead;
    if (pulse->pending || lead->draining || lead_waits(lead)) {
        return;
    }
    json_t *object = json_object();
    put_jobs(lead, object);
    put_pools(lead, object);
    put_process(pulse, object);
    char *text = json_dumps(object, JSON_COMPACT);
    json_decref(object);
    pulse->pending = true;
    ledger_note_pulse(&lead->ledger, text, written, pulse->lead);
    free(text);
}

void pulse_note_lag(struct pulse *pulse, duration every)
{
    instant now = clock_boot();
    duration lag = pulse->expected != 0 ? now - pulse->expected : 0;
    pulse->lag = lag > pulse->lag ? lag : pulse->lag;
    pulse->expected = now + every;
}

struct pulse *pulse_create(struct lead *lead)
{
    struct pulse *pulse = xcalloc(1, sizeof(*pulse));
    pulse->lead = lead;
    return pulse;
}

void pulse_destroy(struct pulse *pulse)
{
    if (pulse != NULL) {
        free(pulse->problem);
        free(pulse);
    }
}
