/* SPDX-License-Identifier: PostgreSQL */
/* The one place where a phase changes. */
#include "schedule/state.h"

void agenda_add(struct scheduler *scheduler, struct scheduled *it)
{
    if (!it->on_agenda) {
        it->on_agenda = true;
        list_add(&scheduler->agenda, it);
    }
}

void agenda_add_downstream(struct scheduler *scheduler, const struct scheduled *it)
{
    for (size_t i = 0; i < it->downstream_count; i++) {
        agenda_add(scheduler, it->downstream[i].job);
    }
}

/* Retries and requests have no deadline. */
static void follow_deadline(struct scheduler *scheduler, struct scheduled *it)
{
    bool waits = phase_is_unstarted(it) && run_kind_moves(it->kind);
    instant deadline = waits ? wait_deadline(it, it->slot) : INSTANT_NEVER;
    if (deadline == INSTANT_NEVER) {
        heap_remove(&scheduler->deadlines, &it->deadline_node);
    } else {
        heap_put(&scheduler->deadlines, &it->deadline_node, deadline);
    }
}

void phase_set(struct scheduler *scheduler, struct scheduled *it, enum phase phase)
{
    enum phase from = it->phase;
    it->phase = phase;
    scheduler->busy_count += (phase != PHASE_IDLE ? 1u : 0u);
    scheduler->busy_count -= (from != PHASE_IDLE ? 1u : 0u);
    pool_slots_follow(scheduler, it, from, phase);
    follow_deadline(scheduler, it);
    if (phase != PHASE_RETRYING) {
        heap_remove(&scheduler->retries, &it->retry_node);
    }
    bool delayed = it->job->schedule.form == SCHEDULE_DELAY;
    if (delayed) {
        timeline_arm(scheduler, it); /* its next slot is known only while it is idle */
    }
    if (phase == PHASE_IDLE || delayed) {
        agenda_add_downstream(scheduler, it);
    }
}

void retry_at_once(struct scheduler *scheduler, struct scheduled *it)
{
    if (it->phase == PHASE_RETRYING && it->retry_node.key < INSTANT_NEVER) {
        phase_set(scheduler, it, PHASE_READY);
    }
}
