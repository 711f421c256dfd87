/* SPDX-License-Identifier: PostgreSQL */
/* overlap_policy cancel_previous: the newest slot wins. Kept slots before it are skipped, and a run that goes on is to
 * be cancelled, once what fell due since it began may start. */
#include <stdio.h>
#include <stdlib.h>

#include "base/memory.h"
#include "schedule/state.h"

static void skip_older(struct scheduler *scheduler, struct scheduled *it)
{
    char slot[INSTANT_TEXT_SIZE];
    char reason[SKIPPED_REASON_SIZE];
    instant last = it->keep_through > it->cursor ? timeline_latest(scheduler, it, it->keep_through - 1) : INSTANT_NONE;
    if (last > it->cursor && !timeline_has_one_slot(it)) {
        snprintf(reason, sizeof(reason), "overlap: it had not started when slot %s fell due",
                 instant_format(it->keep_through, slot));
        decision_skip(scheduler, it, last, false, reason);
    }
}

static bool slot_may_start(struct scheduler *scheduler, const struct scheduled *it, instant slot)
{
    char reason[SKIPPED_REASON_SIZE];
    return timeline_start(it, slot) > it->began && wait_deadline(it, slot) > scheduler->now &&
           upstream_check_blocking(scheduler, it, slot) == NULL && !upstream_check_refuses(it, reason) &&
           !failing_skips(it, slot, reason);
}

/* What fell due before the run began has its turn after it. */
static bool find_successor(struct scheduler *scheduler, const struct scheduled *it, struct cancellation *next)
{
    if (wake_is_due(it) && it->wake->slot > it->began && !upstream_check_blocks_event(scheduler, it, it->wake->slot)) {
        next->kind = it->wake->kind;
        next->slot = it->wake->slot;
        return true;
    }
    next->kind = it->join ? RUN_DEPENDENCY : RUN_SCHEDULE;
    if (it->join) {
        char reason[SKIPPED_REASON_SIZE];
        next->slot = join_complete(it) ? join_slot(it) : INSTANT_NONE;
        return next->slot > it->began && !upstream_check_refuses(it, reason);
    }
    next->slot = it->keep_through;
    return it->keep_through > it->cursor && slot_may_start(scheduler, it, next->slot);
}

static void cancel(struct scheduler *scheduler, struct scheduled *it, const struct cancellation *next)
{
    char slot[INSTANT_TEXT_SIZE];
    scheduler->cancellations = xrealloc(scheduler->cancellations, scheduler->cancellation_count + 1,
                                        sizeof(*scheduler->cancellations));
    struct cancellation *mine = &scheduler->cancellations[scheduler->cancellation_count++];
    *mine = (struct cancellation){.job_id = it->job_id, .kind = it->kind, .slot = it->slot};
    snprintf(mine->reason, sizeof(mine->reason), "overlap: cancelled for its successor, the %s %s",
             wait_name_run(next->kind), instant_format(next->slot, slot));
    it->superseded = true;
}

void supersede(struct scheduler *scheduler, struct scheduled *it)
{
    struct cancellation next;
    bool live = it->phase == PHASE_LIVE || it->phase == PHASE_RETRYING || (it->phase == PHASE_READY && it->again);
    if (it->job->options->overlap_policy != OVERLAP_CANCEL_PREVIOUS || !scheduled_enabled(it) ||
        phase_is_claiming_slot(it)) {
        return;
    }
    if (phase_is_unstarted(it) && it->kind == RUN_SCHEDULE && it->slot < it->keep_through) {
        phase_set(scheduler, it, PHASE_IDLE);
    }
    skip_older(scheduler, it);
    if (live && !it->superseded && !run_kind_asked(it->kind) && find_successor(scheduler, it, &next)) {
        cancel(scheduler, it, &next);
    }
}

bool scheduler_take_cancellation(struct scheduler *scheduler, struct cancellation *cancellation)
{
    if (scheduler->cancellation_count == 0) {
        return false;
    }
    *cancellation = scheduler->cancellations[--scheduler->cancellation_count];
    return true;
}
