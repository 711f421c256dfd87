/* SPDX-License-Identifier: PostgreSQL */
#include "daemon/upkeep.h"

#include <stdlib.h>
#include <string.h>

#include "base/clock.h"
#include "base/log.h"
#include "base/memory.h"
#include "daemon/lead_state.h"
#include "ledger/upkeep.h"

#define ROUND_EVERY USEC_PER_HOUR
#define TRY_AGAIN (10 * USEC_PER_SEC) /* after a round in which a step failed */
#define PAUSE_FACTOR 9                /* a step's time, until the next: a tenth of the time is upkeep's */
#define LIMIT_LEAST 100
#define LIMIT_MOST 5000
#define QUICK (100 * USEC_PER_MSEC)
#define SLOW (400 * USEC_PER_MSEC)

struct step {
    bool left; /* of this round */
    int64_t from;
    int limit;
    bool failed;   /* a part of it, in this round */
    char *problem; /* the first of a round, as last told; NULL: none */
};

struct upkeep {
    struct lead *lead;
    struct loop_timer *timer;
    struct step *steps;
    size_t count;
    size_t turn; /* the step under way, or the last one */
    instant sent_at;
};

static void begin_round(struct upkeep *upkeep)
{
    for (size_t i = 0; i < upkeep->count; i++) {
        upkeep->steps[i].left = true;
        upkeep->steps[i].failed = false;
        upkeep->steps[i].from = 0;
    }
    upkeep->turn = upkeep->count - 1;
}

static bool has_failed(const struct upkeep *upkeep)
{
    bool failed = false;
    for (size_t i = 0; i < upkeep->count; i++) {
        failed = failed || upkeep->steps[i].problem != NULL;
    }
    return failed;
}

/* A problem is logged when it is new. */
static void note_problem(struct upkeep *upkeep, struct step *step, const char *problem)
{
    if (step->failed) {
        return;
    }
    step->failed = problem != NULL;
    if (problem != NULL && (step->problem == NULL || strcmp(problem, step->problem) != 0)) {
        log_warning("database %s: %s: %s", upkeep->lead->database->name, upkeep_step_failure(upkeep->turn), problem);
    }
    free(step->problem);
    step->problem = problem != NULL ? xstrdup(problem) : NULL;
}

static void adapt(struct step *step, duration took)
{
    int limit = took > SLOW ? step->limit / 2 : took < QUICK ? step->limit * 2 : step->limit;
    step->limit = limit < LIMIT_LEAST ? LIMIT_LEAST : limit > LIMIT_MOST ? LIMIT_MOST : limit;
}

static void answered(void *data, const struct pg_reply *reply)
{
    struct lead *lead = data;
    if (lead->over || pg_reply_lost(reply)) {
        return;
    }
    struct upkeep *upkeep = lead->upkeep;
    struct step *step = &upkeep->steps[upkeep->turn];
    duration took = clock_boot() - upkeep->sent_at;
    note_problem(upkeep, step, upkeep_read_problem(reply));
    step->left = pg_reply_ok(reply) && upkeep_read_more(reply, &step->from);
    adapt(step, took);
    loop_timer_set(upkeep->timer, took * PAUSE_FACTOR);
}

/* In turns, so that one that never ends holds up no other. False: the round is over. */
static bool next_step(struct upkeep *upkeep)
{
    for (size_t i = 1; i <= upkeep->count; i++) {
        size_t turn = (upkeep->turn + i) % upkeep->count;
        if (upkeep->steps[turn].left) {
            upkeep->turn = turn;
            return true;
        }
    }
    return false;
}

static void due(void *data)
{
    struct upkeep *upkeep = data;
    struct lead *lead = upkeep->lead;
    if (lead->over || lead->draining) {
        return;
    }
    if (!next_step(upkeep)) {
        loop_timer_set(upkeep->timer, has_failed(upkeep) ? TRY_AGAIN : ROUND_EVERY);
        begin_round(upkeep);
        return;
    }
    const struct step *step = &upkeep->steps[upkeep->turn];
    upkeep->sent_at = clock_boot();
    upkeep_send(&lead->ledger, upkeep->turn, step->limit, step->from, answered, lead);
}

struct upkeep *upkeep_create(struct lead *lead)
{
    struct upkeep *upkeep = xcalloc(1, sizeof(*upkeep));
    upkeep->lead = lead;
    upkeep->timer = loop_timer_create(lead->loop, due, upkeep);
    upkeep->count = upkeep_step_count();
    upkeep->steps = xcalloc(upkeep->count, sizeof(*upkeep->steps));
    for (size_t i = 0; i < upkeep->count; i++) {
        upkeep->steps[i].limit = LIMIT_MOST / 4;
    }
    begin_round(upkeep);
    loop_timer_set(upkeep->timer, 0);
    return upkeep;
}

void upkeep_destroy(struct upkeep *upkeep)
{
    if (upkeep == NULL) {
        return;
    }
    for (size_t i = 0; i < upkeep->count; i++) {
        free(upkeep->steps[i].problem);
    }
    free(upkeep->steps);
    loop_timer_destroy(upkeep->timer);
    free(upkeep);
}
