/* SPDX-License-Identifier: PostgreSQL */
#include "daemon/job_pings.h"

#include <inttypes.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"
#include "daemon/lead_state.h"
#include "notify/delivery.h"

#define AT_ONCE 4
#define PAUSE (USEC_PER_SEC / 5)
#define OF_ONE_FILE 4
#define WAITING_MOST 200
#define DRAIN_MAX (5 * USEC_PER_SEC)

struct ping {
    char *database;
    char *job;
    char *file;
    const char *suffix;
    char *query;
    char *text;
};

struct sending {
    struct job_pings *owner;
    struct notify_delivery *delivery; /* NULL: the place is free */
    struct ping ping;
};

/* A job whose last ping did not arrive, or was dropped. */
struct trouble {
    char *database;
    char *job;
    char *file;   /* NULL: it is the job's, which is not known yet */
    char *reason; /* of the last one; where none was counted, what an earlier leader told */
    instant since;
    size_t failed;
    size_t dropped;
};

struct job_pings {
    struct loop *loop;
    struct loop_timer *timer;
    instant next; /* by clock_boot: not before */
    struct ping waiting[WAITING_MOST];
    size_t waiting_count;
    struct sending sending[AT_ONCE];
    struct trouble *troubles;
    size_t trouble_count;
    struct loop_timer *drain_timer; /* NULL unless it is to end */
    loop_callback *drained;
    void *drained_data;
};

static void free_ping(struct ping *ping)
{
    free(ping->database);
    free(ping->job);
    free(ping->file);
    free(ping->query);
    free(ping->text);
    *ping = (struct ping){0};
}

/* --- what does not arrive ----------------------------------------------------------------------------------------- */

static struct trouble *find_trouble(const struct job_pings *pings, const char *database, const char *job)
{
    for (size_t i = 0; i < pings->trouble_count; i++) {
        struct trouble *trouble = &pings->troubles[i];
        if (strcmp(trouble->job, job) == 0 && strcmp(trouble->database, database) == 0) {
            return trouble;
        }
    }
    return NULL;
}

static struct trouble *add_trouble(struct job_pings *pings, const char *database, const char *job)
{
    pings->troubles = xrealloc(pings->troubles, pings->trouble_count + 1, sizeof(*pings->troubles));
    struct trouble *trouble = &pings->troubles[pings->trouble_count++];
    *trouble = (struct trouble){.database = xstrdup(database), .job = xstrdup(job), .since = clock_wall()};
    return trouble;
}

static void remove_trouble(struct job_pings *pings, struct trouble *trouble)
{
    free(trouble->database);
    free(trouble->job);
    free(trouble->file);
    free(trouble->reason);
    *trouble = pings->troubles[--pings->trouble_count];
}

static void note_problem(struct job_pings *pings, const struct ping *ping, const char *problem, bool dropped)
{
    struct trouble *trouble = find_trouble(pings, ping->database, ping->job);
    if (trouble == NULL) {
        log_warning("database %s: a ping of job %s does not arrive: %s", ping->database, ping->job, problem);
        trouble = add_trouble(pings, ping->database, ping->job);
        trouble->file = xstrdup(ping->file);
    }
    free(trouble->reason);
    trouble->reason = xstrdup(problem);
    trouble->failed += dropped ? 0 : 1;
    trouble->dropped += dropped ? 1 : 0;
}

/* Where more of its pings wait than are sent, one that arrives mends nothing. */
static void note_arrival(struct job_pings *pings, const struct ping *ping)
{
    struct trouble *trouble = find_trouble(pings, ping->database, ping->job);
    for (size_t i = 0; trouble != NULL && trouble->dropped > 0 && i < pings->waiting_count; i++) {
        if (strcmp(pings->waiting[i].file, ping->file) == 0) {
            return;
        }
    }
    if (trouble != NULL) {
        log_info("database %s: pings of job %s arrive again; %zu did not, %zu were dropped", ping->database, ping->job,
                 trouble->failed, trouble->dropped);
        remove_trouble(pings, trouble);
    }
}

static char *words_of(const struct trouble *trouble)
{
    char since[INSTANT_TEXT_SIZE];
    if (trouble->failed + trouble->dropped == 0) {
        return xstrdup(trouble->reason);
    }
    return xasprintf("%zu pings did not arrive and %zu were dropped since %s: %s", trouble->failed, trouble->dropped,
                     instant_format(trouble->since, since), trouble->reason);
}

json_t *job_pings_found(const struct job_pings *pings, const char *database)
{
    json_t *list = json_array();
    for (size_t i = 0; i < pings->trouble_count; i++) {
        const struct trouble *trouble = &pings->troubles[i];
        if (strcmp(trouble->database, database) != 0) {
            continue;
        }
        char *summary = words_of(trouble);
        json_array_append_new(list, json_pack("{s:s, s:s, s:I, s:s}", "rule", "ping-failing", "subject", trouble->job,
                                              "value", (json_int_t)trouble->failed + (json_int_t)trouble->dropped,
                                              "summary", summary));
        free(summary);
    }
    return list;
}

void job_pings_recall(struct job_pings *pings, const char *database, const char *job, const char *words)
{
    if (find_trouble(pings, database, job) == NULL) {
        add_trouble(pings, database, job)->reason = xstrdup(words);
    }
}

void job_pings_follow(struct job_pings *pings, const char *database, const struct job_list *jobs)
{
    for (size_t i = pings->trouble_count; i-- > 0;) {
        struct trouble *trouble = &pings->troubles[i];
        const struct job *job = job_list_find(jobs, trouble->job);
        const char *file = job != NULL ? job->ping_file : NULL;
        if (strcmp(trouble->database, database) != 0) {
            continue;
        }
        if (file == NULL || (trouble->file != NULL && strcmp(file, trouble->file) != 0)) {
            remove_trouble(pings, trouble);
        } else if (trouble->file == NULL) {
            trouble->file = xstrdup(file);
        }
    }
}

/* --- sending ------------------------------------------------------------------------------------------------------ */

static void tell_drained(struct job_pings *pings)
{
    bool busy = pings->waiting_count > 0;
    for (size_t i = 0; i < AT_ONCE; i++) {
        busy = busy || pings->sending[i].delivery != NULL;
    }
    if (pings->drain_timer != NULL && !busy) {
        pings->drained(pings->drained_data);
    }
}

static void sent(void *data, const char *problem)
{
    struct sending *sending = data;
    struct job_pings *pings = sending->owner;
    if (problem != NULL) {
        note_problem(pings, &sending->ping, problem, false);
    } else {
        note_arrival(pings, &sending->ping);
    }
    delivery_destroy(sending->delivery);
    sending->delivery = NULL;
    free_ping(&sending->ping);
    loop_timer_set(pings->timer, 0);
    tell_drained(pings);
}

static struct sending *find_place(struct job_pings *pings)
{
    for (size_t i = 0; i < AT_ONCE; i++) {
        if (pings->sending[i].delivery == NULL) {
            return &pings->sending[i];
        }
    }
    return NULL;
}

static bool under_way(const struct job_pings *pings, const char *file)
{
    for (size_t i = 0; i < AT_ONCE; i++) {
        if (pings->sending[i].delivery != NULL && strcmp(pings->sending[i].ping.file, file) == 0) {
            return true;
        }
    }
    return false;
}

/* The first one of another file than those of what is under way; waiting_count: none. */
static size_t find_next(const struct job_pings *pings)
{
    size_t next = 0;
    while (next < pings->waiting_count && under_way(pings, pings->waiting[next].file)) {
        next++;
    }
    return next;
}

static struct ping take(struct job_pings *pings, size_t index)
{
    struct ping taken = pings->waiting[index];
    pings->waiting_count--;
    memmove(&pings->waiting[index], &pings->waiting[index + 1],
            (pings->waiting_count - index) * sizeof(*pings->waiting));
    return taken;
}

static void send_one(struct job_pings *pings, struct sending *place, struct ping ping)
{
    struct delivery_ping order = {.url_file = ping.file, .suffix = ping.suffix, .query = ping.query, .text = ping.text};
    struct error err;
    place->ping = ping;
    place->delivery = delivery_ping(pings->loop, &order, sent, place, &err);
    if (place->delivery == NULL) {
        note_problem(pings, &ping, err.message, false);
        free_ping(&place->ping);
    }
}

static void due(void *data)
{
    struct job_pings *pings = data;
    struct sending *place = find_place(pings);
    size_t next = find_next(pings);
    duration pause = pings->next - clock_boot();
    if (place == NULL || next == pings->waiting_count) {
        tell_drained(pings);
        return; /* the end of what is under way comes back here */
    }
    if (pause <= 0) {
        pings->next = clock_boot() + PAUSE;
        pause = PAUSE;
        send_one(pings, place, take(pings, next));
    }
    loop_timer_set(pings->timer, pause);
}

/* --- what is to be sent ------------------------------------------------------------------------------------------- */

static void drop(struct job_pings *pings, size_t index)
{
    struct ping dropped = take(pings, index);
    note_problem(pings, &dropped, "more pings than can be sent", true);
    free_ping(&dropped);
}

static void make_place(struct job_pings *pings, const char *file)
{
    size_t oldest = 0;
    size_t count = 0;
    for (size_t i = pings->waiting_count; i-- > 0;) {
        if (strcmp(pings->waiting[i].file, file) == 0) {
            oldest = i;
            count++;
        }
    }
    if (count >= OF_ONE_FILE) {
        drop(pings, oldest);
    } else if (pings->waiting_count == WAITING_MOST) {
        drop(pings, 0);
    }
}

/* The same for the start and the end, whoever sends them, in the form that receivers ask for: a UUID. */
static char *run_number(const struct pinged_run *run)
{
    uint64_t halves[2];
    for (int i = 0; i < 2; i++) {
        char *text = xasprintf("%d %s/%" PRId64 "/%s/%" PRId64, i, run->database, run->job_id, run_kind_name(run->kind),
                               run->slot);
        halves[i] = text_hash(text);
        free(text);
    }
    return xasprintf("rid=%08x-%04x-8%03x-%04x-%012" PRIx64, (unsigned)(halves[0] >> 32),
                     (unsigned)(halves[0] >> 16 & 0xFFFF), (unsigned)(halves[0] & 0xFFF),
                     (unsigned)(0x8000 | (halves[1] >> 48 & 0x3FFF)), halves[1] & UINT64_C(0xFFFFFFFFFFFF));
}

/* Never now: whoever starts a run does not wait until a file was read and a child started. */
static void add(struct job_pings *pings, const struct pinged_run *run, const char *suffix, const char *words)
{
    char slot[INSTANT_TEXT_SIZE];
    char *text = xasprintf("job %s, slot %s: %s\n", run->job->name, instant_format(run->slot, slot), words);
    make_place(pings, run->job->ping_file);
    pings->waiting[pings->waiting_count++] = (struct ping){.database = xstrdup(run->database),
                                                           .job = xstrdup(run->job->name),
                                                           .file = xstrdup(run->job->ping_file),
                                                           .suffix = suffix,
                                                           .query = run_number(run),
                                                           .text = text};
    loop_timer_set(pings->timer, 0);
}

void job_pings_start(struct job_pings *pings, const struct pinged_run *run)
{
    if (run->job->ping_file != NULL) {
        add(pings, run, "/start", "started");
    }
}

void job_pings_end(struct job_pings *pings, const struct pinged_run *run, enum run_state state, const char *message,
                   const char *reason)
{
    struct buffer words = {0};
    if (run->job->ping_file == NULL) {
        return;
    }
    buffer_puts(&words, run_state_name(state));
    for (int i = 0; i < 2; i++) {
        const char *text = i == 0 ? reason : message;
        buffer_puts(&words, text != NULL ? (i == 0 ? ": " : "\n") : "");
        buffer_puts(&words, text != NULL ? text : "");
    }
    add(pings, run, state == RUN_SUCCEEDED ? "" : "/fail", buffer_text(&words));
    buffer_finish(&words);
}

/* --- life --------------------------------------------------------------------------------------------------------- */

static void time_is_up(void *data)
{
    struct job_pings *pings = data;
    log_warning("pings of jobs are left unsent: they took more than %d s", (int)(DRAIN_MAX / USEC_PER_SEC));
    pings->drained(pings->drained_data);
}

void job_pings_drain(struct job_pings *pings, loop_callback *drained, void *data)
{
    pings->drained = drained;
    pings->drained_data = data;
    if (pings->drain_timer == NULL) {
        pings->drain_timer = loop_timer_create(pings->loop, time_is_up, pings);
        loop_timer_set(pings->drain_timer, DRAIN_MAX);
    }
    loop_timer_set(pings->timer, 0);
}

struct job_pings *job_pings_create(struct loop *loop)
{
    struct job_pings *pings = xcalloc(1, sizeof(*pings));
    pings->loop = loop;
    pings->timer = loop_timer_create(loop, due, pings);
    for (size_t i = 0; i < AT_ONCE; i++) {
        pings->sending[i].owner = pings;
    }
    return pings;
}

void job_pings_destroy(struct job_pings *pings)
{
    if (pings == NULL) {
        return;
    }
    for (size_t i = 0; i < AT_ONCE; i++) {
        delivery_destroy(pings->sending[i].delivery);
        free_ping(&pings->sending[i].ping);
    }
    while (pings->waiting_count > 0) {
        free_ping(&pings->waiting[--pings->waiting_count]);
    }
    while (pings->trouble_count > 0) {
        remove_trouble(pings, &pings->troubles[0]);
    }
    free(pings->troubles);
    loop_timer_destroy(pings->timer);
    loop_timer_destroy(pings->drain_timer);
    free(pings);
}
