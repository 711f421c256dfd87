/* SPDX-License-Identifier: PostgreSQL */
/* Another catalog while runs go on. */
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

void scheduler_replace(struct scheduler *scheduler, struct scheduled *it, const struct job *job,
                       const struct job_memory *memory)
{
    enum phase phase = it->phase;
    bool wakes = job->active && !it->job->active;
    pool_slots_follow(scheduler, it, phase, PHASE_IDLE);
    scheduled_define(scheduler, it, job);
    pool_slots_follow(scheduler, it, PHASE_IDLE, phase);
    job_free(it->copy);
    it->copy = NULL;
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
}

struct scheduled *scheduler_add(struct scheduler *scheduler, const struct job *job, const struct job_memory *memory)
{
    struct scheduled *it = scheduler->sorted_count > 0 ? scheduler_find(scheduler, memory->job_id) : NULL;
    if (it != NULL) { /* it went, and came back before its last run had ended */
        scheduler_replace(scheduler, it, job, memory);
        return it;
    }
    it = scheduled_create(scheduler, job, memory);
    list_add(&scheduler->all, it);
    names_put(&scheduler->names, it);
    return it;
}

void scheduler_retire(struct scheduler *scheduler, struct scheduled *it)
{
    if (phase_is_unstarted(it)) {
        phase_set(scheduler, it, PHASE_IDLE);
    }
    requests_drop(scheduler, it);
    wake_drop(scheduler, it);
    it->retired = true;
    retry_at_once(scheduler, it);
    timeline_arm(scheduler, it);
}

/* --- all together ------------------------------------------------------------------------------------------------- */

static void clear_agenda(struct scheduler *scheduler)
{
    for (size_t i = 0; i < scheduler->agenda.count; i++) {
        scheduler->agenda.items[i]->on_agenda = false;
    }
    scheduler->agenda.count = 0;
}

/* Those that nothing refers to any more go. */
static void forget_retired(struct scheduler *scheduler)
{
    bool taken = scheduler->skipped_taken == scheduler->skipped_count &&
                 scheduler->suspension_taken == scheduler->suspension_count;
    size_t kept = 0;
    scheduler->gone.count = 0;
    for (size_t i = 0; i < scheduler->all.count; i++) {
        struct scheduled *it = scheduler->all.items[i];
        if (it->retired && it->phase == PHASE_IDLE && taken && !it->on_armed) {
            scheduled_free(scheduler, it);
        } else {
            scheduler->all.items[kept++] = it;
            if (it->retired) {
                list_add(&scheduler->gone, it);
            }
        }
    }
    scheduler->all.count = scheduler->sorted_count = kept;
}

static void keep_copies(struct scheduler *scheduler)
{
    for (size_t i = 0; i < scheduler->all.count; i++) {
        struct scheduled *it = scheduler->all.items[i];
        if (it->retired && it->copy == NULL) {
            it->job = it->copy = job_copy(it->job);
        }
    }
}

/* A limit may have come for a pool that had none when the job was put. */
static void follow_pools(struct scheduler *scheduler, struct scheduled *it)
{
    enum phase phase = it->phase;
    pool_slots_follow(scheduler, it, phase, PHASE_IDLE);
    pool_slots_define(scheduler, it);
    pool_slots_follow(scheduler, it, PHASE_IDLE, phase);
}

void job_set_review(struct scheduler *scheduler, struct scheduled *it)
{
    bool ready = phase_is_unstarted(it) && it->phase == PHASE_READY && it->kind == RUN_SCHEDULE;
    bool blocked = ready && upstream_check_blocking(scheduler, it, it->slot) != NULL;
    phase_set(scheduler, it, blocked ? PHASE_WAITING : it->phase);
    timeline_arm(scheduler, it);
    wake_arm(scheduler, it);
    suspend_if_failing(scheduler, it, true);
    agenda_add(scheduler, it);
}

void scheduler_relink(struct scheduler *scheduler, instant now)
{
    clear_agenda(scheduler);
    link_all(scheduler);
    forget_retired(scheduler);
    keep_copies(scheduler);
    for (size_t i = 0; i < scheduler->all.count; i++) {
        follow_pools(scheduler, scheduler->all.items[i]);
        job_set_review(scheduler, scheduler->all.items[i]);
    }
    wait_advance(scheduler, now);
    agenda_run(scheduler);
}
