/* SPDX-License-Identifier: PostgreSQL */
#include "schedule/scheduler.h"

#include <stdlib.h>

#include "schedule/state.h"

/* --- requests ----------------------------------------------------------------------------------------------------- */

void scheduler_request(struct scheduler *scheduler, struct scheduled *it, enum run_kind kind, instant slot)
{
    if (!it->suspended) {
        scheduler_force(scheduler, it, kind, slot);
    }
}

void scheduler_force(struct scheduler *scheduler, struct scheduled *it, enum run_kind kind, instant slot)
{
    if (it->retired || requests_has(it, kind, slot)) {
        return;
    }
    requests_add(scheduler, it, kind, slot);
    agenda_add(scheduler, it);
    agenda_run(scheduler);
}

void scheduler_event(struct scheduler *scheduler, struct scheduled *it, enum run_kind kind, const char *payload,
                     instant now)
{
    wait_advance(scheduler, now);
    wake_advance(scheduler); /* what fell due before takes this one in */
    if (!it->retired) {
        wake_note(scheduler, it, kind, payload);
    }
    agenda_run(scheduler);
}

bool scheduler_take_due(struct scheduler *scheduler, struct due *due)
{
    struct scheduled *it = pool_slots_next(scheduler);
    if (it == NULL) {
        return false;
    }
    it->line->owner->taken++;
    it->began = it->again ? it->began : scheduler->now;
    phase_set(scheduler, it, PHASE_CLAIMING);
    wake_taken(scheduler, it);
    *due = (struct due){it, it->kind, it->slot, it->cursor, it->attempt, it->again, wake_payload(it)};
    return true;
}

/* --- time --------------------------------------------------------------------------------------------------------- */

/* Every slot of this instant is noted before any is considered: an upstream check must see an upstream that is due as
 * well. */
static void note_slots(struct scheduler *scheduler, instant at)
{
    struct heap_node *node;
    while ((node = heap_first(&scheduler->slots)) != NULL && node->key == at) {
        struct scheduled *it = SCHEDULED_OF(node, slot_node);
        timeline_note(scheduler, it);
        agenda_add(scheduler, it);
    }
}

void scheduler_tick(struct scheduler *scheduler, instant now)
{
    const struct heap_node *node;
    wait_advance(scheduler, now);
    agenda_run(scheduler);
    while ((node = heap_first(&scheduler->retries)) != NULL && node->key <= now) {
        phase_set(scheduler, SCHEDULED_OF(node, retry_node), PHASE_READY);
    }
    while ((node = heap_first(&scheduler->slots)) != NULL && node->key <= now) {
        note_slots(scheduler, node->key);
        agenda_run(scheduler);
    }
    wake_advance(scheduler);
    agenda_run(scheduler);
}

static instant earlier(instant known, const struct heap *heap)
{
    const struct heap_node *node = heap_first(heap);
    return node != NULL && node->key < known ? node->key : known;
}

instant scheduler_next(const struct scheduler *scheduler)
{
    instant next = earlier(INSTANT_NEVER, &scheduler->slots);
    next = earlier(earlier(next, &scheduler->retries), &scheduler->deadlines);
    return earlier(next, &scheduler->events);
}

instant scheduler_next_slot(const struct scheduler *scheduler)
{
    return earlier(INSTANT_NEVER, &scheduler->slots);
}

struct coming {
    scheduler_visitor *visitor;
    void *data;
};

static bool visit_slot(void *data, struct heap_node *node)
{
    const struct coming *coming = data;
    const struct scheduled *it = SCHEDULED_OF(node, slot_node);
    return it->phase != PHASE_IDLE || coming->visitor(coming->data, it);
}

void scheduler_visit_coming(const struct scheduler *scheduler, instant until, scheduler_visitor *visitor, void *data)
{
    struct coming coming = {visitor, data};
    heap_visit(&scheduler->slots, until, visit_slot, &coming);
}

void scheduler_catch_up(struct scheduler *scheduler, instant now)
{
    wait_advance(scheduler, now);
    for (size_t i = 0; i < scheduler->all.count; i++) {
        timeline_catch_up(scheduler, scheduler->all.items[i]);
    }
    for (size_t i = 0; i < scheduler->all.count; i++) {
        agenda_add(scheduler, scheduler->all.items[i]);
    }
    agenda_run(scheduler);
}

static void shift_retry(struct scheduler *scheduler, struct scheduled *it, duration by)
{
    if (it->phase == PHASE_RETRYING && it->retry_node.key < INSTANT_NEVER) {
        heap_put(&scheduler->retries, &it->retry_node, it->retry_node.key + by);
    }
}

void scheduler_step_back(struct scheduler *scheduler, instant now)
{
    duration by = now - scheduler->now;
    scheduler->now = now;
    for (size_t i = 0; i < scheduler->all.count; i++) {
        shift_retry(scheduler, scheduler->all.items[i], by);
        wake_shift(scheduler, scheduler->all.items[i], by);
    }
    agenda_run(scheduler);
}

struct scheduled *scheduler_take_armed(struct scheduler *scheduler)
{
    if (scheduler->armed.count == 0) {
        return NULL;
    }
    struct scheduled *it = scheduler->armed.items[--scheduler->armed.count];
    it->on_armed = false;
    return it;
}

void scheduler_start(struct scheduler *scheduler, instant now, instant server_start)
{
    scheduler->server_start = server_start;
    scheduler->now = scheduler->started_at = now;
    for (size_t i = 0; i < scheduler->all.count; i++) {
        suspend_if_failing(scheduler, scheduler->all.items[i], false);
    }
    scheduler_catch_up(scheduler, now);
}

/* --- reports ------------------------------------------------------------------------------------------------------ */

/* Each attempt may be cancelled for one. */
static void note_successor(struct scheduler *scheduler, struct scheduled *it)
{
    it->superseded = false;
    if (it->job->options->overlap_policy == OVERLAP_CANCEL_PREVIOUS) {
        agenda_add(scheduler, it);
    }
}

void scheduler_adopt(struct scheduler *scheduler, struct scheduled *it, enum run_kind kind, instant slot, int attempt,
                     instant retry_at, bool missed_after)
{
    it->kind = kind;
    it->slot = slot;
    it->began = it->stands = slot;
    it->run_missed_from = missed_after ? slot : INSTANT_NONE;
    wake_adopted(it);
    scheduler_retry(scheduler, it, attempt, retry_at);
}

void scheduler_claimed(struct scheduler *scheduler, struct scheduled *it)
{
    phase_set(scheduler, it, PHASE_LIVE);
    note_successor(scheduler, it);
    if (run_kind_moves(it->kind) && it->slot > it->cursor) {
        it->cursor = it->slot;
    }
    if (it->kind == RUN_DEPENDENCY && !it->again) {
        join_claimed(it);
    }
    decision_flush(scheduler, it); /* what it skipped behind a request, nobody has to wait for */
    agenda_run(scheduler);
}

/* Suspended while its claim was on its way. */
static void let_go(struct scheduler *scheduler, struct scheduled *it)
{
    bool moves = run_kind_moves(it->kind);
    char *reason = it->skip_reason;
    it->skip_reason = NULL;
    phase_set(scheduler, it, PHASE_READY);
    decision_abandon(scheduler, it, INSTANT_NONE, moves ? reason : "");
    requests_drop(scheduler, it);
    free(reason);
}

void scheduler_unclaimed(struct scheduler *scheduler, struct scheduled *it)
{
    wake_untaken(scheduler, it);
    if (it->suspended && !it->again) {
        let_go(scheduler, it);
    } else {
        phase_set(scheduler, it, PHASE_READY);
        wait_advance(scheduler, scheduler->now);
    }
    agenda_run(scheduler);
}

void scheduler_dropped(struct scheduler *scheduler, struct scheduled *it)
{
    it->freed_at = scheduler->now;
    wake_untaken(scheduler, it);
    join_unspend(it);
    agenda_add(scheduler, it);
    phase_set(scheduler, it, PHASE_IDLE);
    agenda_run(scheduler);
}

void scheduler_ran_ahead(struct scheduler *scheduler, struct scheduled *it)
{
    scheduler_claimed(scheduler, it);
    scheduler_dropped(scheduler, it);
}

void scheduler_rewind(struct scheduler *scheduler, struct scheduled *it, instant cursor, instant now)
{
    wait_advance(scheduler, now);
    it->cursor = it->keep_through = it->skip_through = cursor;
    it->last_end = it->last_end < scheduler->now ? it->last_end : scheduler->now;
    it->counted_from = INSTANT_NONE;
    timeline_catch_up(scheduler, it);
    agenda_add(scheduler, it);
    agenda_run(scheduler);
}

void scheduler_retry(struct scheduler *scheduler, struct scheduled *it, int attempt, instant retry_at)
{
    it->attempt = attempt;
    it->again = true;
    phase_set(scheduler, it, PHASE_RETRYING);
    heap_put(&scheduler->retries, &it->retry_node, retry_at);
    if (it->retired) {
        retry_at_once(scheduler, it);
    }
    note_successor(scheduler, it);
    if (it->judged) {
        it->judged = false;
        agenda_add_downstream(scheduler, it);
    }
    if (scheduler->started_at != INSTANT_NONE) {
        agenda_run(scheduler);
    }
}

void scheduler_yield(struct scheduler *scheduler, struct scheduled *it, instant now)
{
    it->stands = now;
    scheduler_retry(scheduler, it, it->attempt, now);
}

static void count_failure(struct scheduled *it, enum run_state state)
{
    if (state == RUN_SUCCEEDED) {
        it->failures = 0;
    } else if (state == RUN_FAILED || state == RUN_TIMED_OUT || state == RUN_LOST) {
        it->failures++;
    }
}

/* Nothing follows from how it went. */
static void end_backfill(struct scheduler *scheduler, struct scheduled *it)
{
    it->freed_at = scheduler->now;
    agenda_add(scheduler, it);
    phase_set(scheduler, it, PHASE_IDLE);
    it->judged = false;
    agenda_run(scheduler);
}

instant scheduler_ended(struct scheduler *scheduler, struct scheduled *it, enum run_state state, duration took,
                        instant at)
{
    wait_advance(scheduler, at);
    if (it->kind == RUN_BACKFILL) {
        end_backfill(scheduler, it);
        return at;
    }
    if (state == RUN_SUCCEEDED && took > 0) {
        it->expected = it->expected == 0 ? took : (it->expected * 3 + took) / 4;
    }
    wake_ended(it);
    it->last_end = at;
    it->freed_at = scheduler->now;
    count_failure(it, state);
    agenda_add(scheduler, it); /* before those after it: they wait for what it goes on with */
    phase_set(scheduler, it, PHASE_IDLE);
    it->judged = false;
    instant outcome_at = outcome_set(scheduler, it, state, at);
    decision_note_overtaken(it, at);
    agenda_run(scheduler); /* who waited for it sees that it failed, before it is none of theirs any more */
    suspend_if_failing(scheduler, it, true);
    agenda_run(scheduler);
    return outcome_at;
}
