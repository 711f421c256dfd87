/* SPDX-License-Identifier: PostgreSQL */
/* What a job does by its definition, and what becomes of that when it has another. */
#include "schedule/state.h"

static instant later(instant a, instant b)
{
    return a > b ? a : b;
}

/* --- before the ledger is told ------------------------------------------------------------------------------------ */

/* What passed while it was suspended nobody wanted: that is missed, not skipped one by one. */
static void let_go_of_slots(struct scheduler *scheduler, struct scheduled *it, const char *reason)
{
    bool has_slots = it->job->active && !it->withdrawn;
    instant last = has_slots ? timeline_latest(scheduler, it, scheduler->now) : INSTANT_NONE;
    if (!it->suspended) {
        decision_abandon(scheduler, it, last, reason);
    } else if (last > it->cursor) {
        decision_miss(scheduler, it, last, reason);
    }
}

void scheduler_withdraw(struct scheduler *scheduler, struct scheduled *it, const char *reason, instant now)
{
    wait_advance(scheduler, now);
    let_go_of_slots(scheduler, it, reason);
    it->withdrawn = true;
    wake_arm(scheduler, it);
    timeline_arm(scheduler, it);
    agenda_add_downstream(scheduler, it);
    agenda_run(scheduler);
}

/* --- once it knows ------------------------------------------------------------------------------------------------ */

/* Ours is the newer memory where a run ended since the ledger was asked. Back goes only a cursor that was in the
 * future. */
static void recall(const struct scheduler *scheduler, struct scheduled *it, const struct job_memory *memory)
{
    bool ahead = it->cursor > scheduler->now && memory->cursor < it->cursor;
    it->version = memory->version;
    if (memory->cursor > it->cursor || ahead) {
        it->cursor = memory->cursor;
        it->cursor_skipped = memory->cursor_skipped;
    }
    if (ahead) {
        it->keep_through = it->skip_through = memory->cursor;
    }
    if (memory->has_outcome && memory->outcome_at >= it->outcome_at) {
        it->has_outcome = true;
        it->last_outcome = memory->last_outcome;
        it->outcome_at = memory->outcome_at;
        it->missed_after = memory->missed_after;
        it->failures = memory->failures;
    }
    it->missed_at = later(it->missed_at, memory->missed_at);
    it->last_end = later(it->last_end, memory->last_end);
    it->expected = it->expected > 0 ? it->expected : memory->last_duration;
}

void scheduled_redefine(struct scheduler *scheduler, struct scheduled *it, const struct job *job,
                        const struct job_memory *memory)
{
    enum phase phase = it->phase;
    bool wakes = job->active && !it->job->active;
    pool_slots_follow(scheduler, it, phase, PHASE_IDLE);
    scheduled_define(scheduler, it, job);
    pool_slots_follow(scheduler, it, PHASE_IDLE, phase);
    recall(scheduler, it, memory);
    if (wakes) {
        it->linked_as_join = false; /* its upstream results are of a time that does not count */
    }
    if (!job->active) {
        requests_drop(scheduler, it);
        wake_drop(scheduler, it);
    }
    it->suspended = it->retired ? memory->suspended : it->suspended;
    it->retired = it->withdrawn = false;
    it->noted = INSTANT_NONE;
}

void scheduler_miss(struct scheduler *scheduler, struct scheduled *it, const char *reason, instant until, instant now)
{
    wait_advance(scheduler, now);
    timeline_miss(scheduler, it, until < scheduler->now ? until : scheduler->now, reason);
    timeline_arm(scheduler, it);
    agenda_run(scheduler);
}
