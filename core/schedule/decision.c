/* SPDX-License-Identifier: PostgreSQL */
/* Slots and decisions that pass without a run. */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "schedule/state.h"

static struct skipped *append(struct scheduler *scheduler)
{
    if (scheduler->skipped_count == scheduler->skipped_capacity) {
        scheduler->skipped_capacity = scheduler->skipped_capacity == 0 ? 16 : scheduler->skipped_capacity * 2;
        scheduler->passed = xrealloc(scheduler->passed, scheduler->skipped_capacity, sizeof(*scheduler->passed));
    }
    return &scheduler->passed[scheduler->skipped_count++];
}

static struct skipped *pass(struct scheduler *scheduler, struct scheduled *it, instant last, const char *reason)
{
    struct skipped *passed = append(scheduler);
    *passed = (struct skipped){.scheduled = it,
                               .kind = it->job->schedule.form == SCHEDULE_NONE ? RUN_DEPENDENCY : RUN_SCHEDULE,
                               .cursor = it->cursor,
                               .first = timeline_first_until(it, last),
                               .last = last,
                               .at = scheduler->now,
                               .schedule = it->job->schedule};
    snprintf(passed->reason, sizeof(passed->reason), "%s", reason);
    return passed;
}

static void move_cursor(struct scheduler *scheduler, struct scheduled *it, instant last)
{
    it->cursor = last;
    if (it->job->schedule.form == SCHEDULE_DELAY) {
        it->counted_from = scheduler->now; /* else a long wait would be followed by all the slots it could have had */
        timeline_arm(scheduler, it);
    }
    agenda_add_downstream(scheduler, it);
}

/* The next leader tells by these instants what a join was decided on, and what came after that. */
static instant outcome_time(const struct scheduled *it, instant at)
{
    instant joined = scheduled_joined(it);
    instant before = joined > it->missed_at ? joined : it->missed_at;
    return at > before ? at : before + 1;
}

instant scheduler_judge(struct scheduled *it, instant at)
{
    it->judged = true;
    return outcome_time(it, at);
}

instant outcome_set(struct scheduler *scheduler, struct scheduled *it, enum run_state state, instant at)
{
    it->has_outcome = true;
    it->last_outcome = state;
    it->outcome_at = outcome_time(it, at);
    it->missed_after = false;
    join_note_result(it, state, it->outcome_at);
    agenda_add_downstream(scheduler, it);
    return it->outcome_at;
}

void decision_skip(struct scheduler *scheduler, struct scheduled *it, instant last, bool outcome, const char *reason)
{
    struct skipped *passed = pass(scheduler, it, last, reason);
    passed->outcome = outcome;
    if (outcome) {
        passed->at = outcome_time(it, scheduler->now);
    }
    move_cursor(scheduler, it, last);
    if (outcome) {
        outcome_set(scheduler, it, RUN_SKIPPED, scheduler->now);
    }
}

static void note_missed_after_run(struct scheduled *it, instant first)
{
    bool runs = it->phase != PHASE_IDLE && !phase_is_unstarted(it) && it->kind == RUN_SCHEDULE;
    if (runs && it->run_missed_from == INSTANT_NONE) {
        it->run_missed_from = first;
    }
}

/* Of slots to come a clock that was ahead let some be missed: they are nobody's business yet. */
void decision_note_overtaken(struct scheduled *it, instant at)
{
    it->missed_after = it->run_missed_from != INSTANT_NONE && it->run_missed_from <= at;
    it->run_missed_from = INSTANT_NONE;
}

void decision_miss(struct scheduler *scheduler, struct scheduled *it, instant last, const char *reason)
{
    struct skipped *passed = pass(scheduler, it, last, reason);
    passed->missed = true;
    passed->count = timeline_count(it, last);
    passed->at = it->outcome_at < scheduler->now ? scheduler->now : it->outcome_at + 1;
    it->missed_at = passed->at;
    note_missed_after_run(it, passed->first);
    join_drop_result(it);
    move_cursor(scheduler, it, last);
}

static void forget_reason(struct scheduled *it)
{
    free(it->skip_reason);
    it->skip_reason = NULL;
}

void decision_flush(struct scheduler *scheduler, struct scheduled *it)
{
    if (it->cursor < it->keep_through) {
        return;
    }
    if (it->skip_through > it->cursor) {
        decision_skip(scheduler, it, it->skip_through, false, it->skip_reason);
    }
    forget_reason(it);
}

static void abandon_current(struct scheduler *scheduler, struct scheduled *it, const char *reason)
{
    if (run_kind_asked(it->kind)) {
        requests_put_back(scheduler, it);
        return;
    }
    phase_set(scheduler, it, PHASE_IDLE);
    if (it->kind == RUN_DEPENDENCY) {
        decision_skip(scheduler, it, it->slot, false, reason);
        join_skipped(it, false);
    }
}

void decision_abandon(struct scheduler *scheduler, struct scheduled *it, instant through, const char *reason)
{
    instant seen = timeline_seen(it);
    instant last = through > seen ? through : seen;
    if (phase_is_unstarted(it)) {
        abandon_current(scheduler, it, reason);
    }
    forget_reason(it);
    if (phase_is_claiming_slot(it)) {
        it->keep_through = it->slot;
        it->skip_through = last;
        it->skip_reason = xstrdup(reason);
    } else if (last > it->cursor) {
        decision_skip(scheduler, it, last, false, reason);
    }
}

bool scheduler_take_skipped(struct scheduler *scheduler, struct skipped *passed)
{
    if (scheduler->skipped_taken == scheduler->skipped_count) {
        scheduler->skipped_taken = scheduler->skipped_count = 0;
        return false;
    }
    *passed = scheduler->passed[scheduler->skipped_taken++];
    return true;
}

bool scheduler_next_skipped_is_missed(const struct scheduler *scheduler)
{
    return scheduler->skipped_taken < scheduler->skipped_count && scheduler->passed[scheduler->skipped_taken].missed;
}

void scheduler_note_missed(struct scheduled *it, instant at)
{
    it->missed_at = it->outcome_at < at ? at : it->outcome_at + 1;
}
