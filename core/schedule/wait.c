/* SPDX-License-Identifier: PostgreSQL */
/* What a run waits for, in words, and how long it may. */
#include <stdio.h>

#include "base/memory.h"
#include "schedule/state.h"

#define WHAT_SIZE 128

static void name_what(const struct scheduled *it, const struct scheduled *upstream, char what[static WHAT_SIZE])
{
    if (upstream != NULL) {
        snprintf(what, WHAT_SIZE, "waited for upstream %s", upstream->job->name);
    } else if (it->phase == PHASE_READY && !pool_has_slot(it->pool)) {
        snprintf(what, WHAT_SIZE, "waited for a slot of pool %s", it->pool->name);
    } else {
        snprintf(what, WHAT_SIZE, "waited for a session");
    }
}

static struct scheduled *upstream_waited_for(struct scheduler *scheduler, const struct scheduled *it)
{
    return it->phase == PHASE_WAITING ? upstream_check_blocking(scheduler, it, it->slot) : NULL;
}

const char *wait_name_run(enum run_kind kind)
{
    switch (kind) {
    case RUN_EVENT:
        return "run of the notification at";
    case RUN_CHANGE:
        return "run of the change at";
    case RUN_MANUAL:
    case RUN_INSTALL:
        return "run asked for at";
    case RUN_BACKFILL:
        return "backfill of slot";
    case RUN_SCHEDULE:
    case RUN_DEPENDENCY:
    case RUN_KIND_COUNT:
        break;
    }
    return "run of slot";
}

char *wait_overlap_reason(struct scheduler *scheduler, const struct scheduled *it)
{
    char slot[INSTANT_TEXT_SIZE];
    char what[WHAT_SIZE];
    const char *whose = wait_name_run(it->kind);
    instant_format(it->slot, slot);
    if (it->again || it->phase == PHASE_LIVE || it->phase == PHASE_RETRYING) {
        return xasprintf("overlap: the %s %s had not ended", whose, slot);
    }
    name_what(it, upstream_waited_for(scheduler, it), what);
    return xasprintf("overlap: the %s %s had not started: it %s", whose, slot, what);
}

/* --- starting deadlines ------------------------------------------------------------------------------------------- */

static void skip_for_deadline(struct scheduler *scheduler, struct scheduled *it, instant slot, const char *what)
{
    char length[DURATION_TEXT_SIZE];
    char reason[SKIPPED_REASON_SIZE];
    duration_format(it->job->options->starting_deadline, length);
    snprintf(reason, sizeof(reason), "deadline: not started within %s: %s", length, what);
    decision_skip(scheduler, it, slot, true, reason);
    if (it->join) {
        join_skipped(it, false);
    }
}

void wait_skip_late(struct scheduler *scheduler, struct scheduled *it, instant slot)
{
    instant deadline = wait_deadline(it, slot);
    const char *what = "it was seen too late";
    if (deadline <= it->caught_up_at) {
        what = "nothing led when it was due";
    } else if (it->freed_at > timeline_start(it, slot)) {
        what = "an earlier run had not ended";
    } else if (deadline <= timeline_start(it, slot)) {
        what = "its jitter is longer";
    }
    skip_for_deadline(scheduler, it, slot, what);
}

/* Whom each one waited for is found before any of them is skipped: they may have waited for each other. */
static void collect_late(struct scheduler *scheduler)
{
    struct heap_node *node;
    scheduler->late.count = 0;
    while ((node = heap_first(&scheduler->deadlines)) != NULL && node->key <= scheduler->now) {
        struct scheduled *it = SCHEDULED_OF(node, deadline_node);
        heap_remove(&scheduler->deadlines, node);
        list_add(&scheduler->late, it);
        list_add(&scheduler->late, upstream_waited_for(scheduler, it));
    }
}

void wait_advance(struct scheduler *scheduler, instant now)
{
    scheduler->now = now > scheduler->now ? now : scheduler->now;
    collect_late(scheduler);
    for (size_t i = 0; i < scheduler->late.count; i += 2) {
        struct scheduled *it = scheduler->late.items[i];
        char what[WHAT_SIZE];
        name_what(it, scheduler->late.items[i + 1], what);
        agenda_add(scheduler, it);
        phase_set(scheduler, it, PHASE_IDLE);
        skip_for_deadline(scheduler, it, it->slot, what);
    }
}
