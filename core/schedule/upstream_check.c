/* SPDX-License-Identifier: PostgreSQL */
/* What stands between a slot and its run: upstreams that are not done, and the trigger rule. */
#include <stdio.h>
#include <string.h>

#include "schedule/state.h"

/* --- upstreams that are not done ---------------------------------------------------------------------------------- */

/* A decision of a join has no slot of its own to compare: it comes after the runs of the slot it serves. */
static bool is_open(const struct scheduler *scheduler, const struct scheduled *it, instant slot)
{
    bool runs = it->phase != PHASE_IDLE;
    if (runs && (it->kind == RUN_DEPENDENCY || (it->kind == RUN_SCHEDULE && it->slot <= slot))) {
        return true;
    }
    if (!scheduled_enabled(it)) {
        return false;
    }
    return it->join ? join_complete(it) : timeline_first(scheduler, it) <= slot;
}

static void walk_to(struct scheduler *scheduler, struct scheduled *it)
{
    if (it->walk != scheduler->walk) {
        it->walk = scheduler->walk;
        list_add(&scheduler->walked, it);
    }
}

/* Whoever this walk has come by before was not open, nor anything before it. */
static bool is_open_before(struct scheduler *scheduler, struct scheduled *it, instant slot)
{
    scheduler->walked.count = 0;
    walk_to(scheduler, it);
    for (size_t i = 0; i < scheduler->walked.count; i++) {
        const struct scheduled *here = scheduler->walked.items[i];
        if (is_open(scheduler, here, slot)) {
            return true;
        }
        for (size_t n = 0; here->join && scheduled_enabled(here) && n < here->upstream_count; n++) {
            if (scheduled_active(here->upstream[n].job)) {
                walk_to(scheduler, here->upstream[n].job);
            }
        }
    }
    return false;
}

struct scheduled *upstream_check_blocking(struct scheduler *scheduler, const struct scheduled *it, instant slot)
{
    scheduler->walk++;
    for (size_t i = 0; i < it->upstream_count; i++) {
        if (is_open_before(scheduler, it->upstream[i].job, slot)) {
            return it->upstream[i].job;
        }
    }
    return NULL;
}

bool upstream_check_blocks_requests(const struct scheduled *it)
{
    for (size_t i = 0; i < it->upstream_count; i++) {
        const struct scheduled *upstream = it->upstream[i].job;
        if (!scheduled_idle(upstream) && !scheduled_backfills(upstream)) {
            return true;
        }
    }
    return false;
}

/* What became due to it later than `slot` is none of that slot's business: else an upstream that never rests would be
 * waited for without end. */
static bool holds_event_up(const struct scheduled *it, instant slot)
{
    bool later = wake_runs(it) && it->slot > slot;
    bool decides = it->join && scheduled_enabled(it) && join_complete(it);
    bool runs = it->phase != PHASE_IDLE && !scheduled_backfills(it);
    return (runs && !later) || scheduled_is_asked_for(it) || wake_is_pending(it, slot) || decides;
}

/* A join that lacks the upstream result of an upstream where nothing is under way decides nothing after the others
 * either. */
static bool may_decide(const struct scheduled *it)
{
    bool may = it->join && scheduled_enabled(it);
    for (size_t i = 0; may && i < it->upstream_count; i++) {
        const struct upstream *upstream = &it->upstream[i];
        bool known = upstream->result == RESULT_FRESH || upstream->result == RESULT_KEPT;
        may = known || !scheduled_active(upstream->job) || upstream->job->join || !scheduled_idle(upstream->job) ||
              wake_is_pending(upstream->job, INSTANT_NEVER);
    }
    return may;
}

bool upstream_check_blocks_event(struct scheduler *scheduler, const struct scheduled *it, instant slot)
{
    scheduler->walk++;
    scheduler->walked.count = 0;
    for (size_t i = 0; i < it->upstream_count; i++) {
        walk_to(scheduler, it->upstream[i].job);
    }
    for (size_t i = 0; i < scheduler->walked.count; i++) {
        const struct scheduled *here = scheduler->walked.items[i];
        if (holds_event_up(here, slot)) {
            return true;
        }
        for (size_t n = 0; n < here->upstream_count && may_decide(here); n++) {
            if (scheduled_active(here->upstream[n].job)) {
                walk_to(scheduler, here->upstream[n].job);
            }
        }
    }
    return false;
}

/* --- trigger rules ------------------------------------------------------------------------------------------------ */

/* Of an upstream that counts: a join goes by its upstream results, a slot by what became of the last slot that is
 * decided. */
static bool outcome_of(const struct scheduled *it, const struct upstream *upstream, enum run_state *state)
{
    const struct scheduled *job = upstream->job;
    bool missed = scheduled_missed(job) || job->missed_after;
    *state = it->join ? upstream->outcome : missed ? RUN_MISSED : job->last_outcome;
    return scheduled_active(job) && (it->join ? upstream->result != RESULT_NONE : missed || job->has_outcome);
}

static bool is_failure(enum run_state state)
{
    return state == RUN_FAILED || state == RUN_TIMED_OUT || state == RUN_LOST || state == RUN_CANCELLED;
}

static void append(char reason[static SKIPPED_REASON_SIZE], const char *before, const char *name, enum run_state state)
{
    size_t length = strlen(reason);
    snprintf(reason + length, SKIPPED_REASON_SIZE - length, "%s%s %s", before, name, run_state_name(state));
}

static bool is_success(enum run_state state)
{
    return state == RUN_SUCCEEDED;
}

/* One outcome of that sort suffices. *any: there is an outcome to go by. */
static bool lacks(const struct scheduled *it, bool (*suffices)(enum run_state), const char *words,
                  char reason[static SKIPPED_REASON_SIZE], bool *any)
{
    enum run_state state;
    *any = false;
    snprintf(reason, SKIPPED_REASON_SIZE, "%s", words);
    for (size_t i = 0; i < it->upstream_count; i++) {
        if (outcome_of(it, &it->upstream[i], &state)) {
            if (suffices(state)) {
                return false;
            }
            append(reason, *any ? ", " : ": ", it->upstream[i].job->job->name, state);
            *any = true;
        }
    }
    return true;
}

bool upstream_check_refuses(const struct scheduled *it, char reason[static SKIPPED_REASON_SIZE])
{
    enum trigger_rule rule = it->job->options->trigger_rule;
    enum run_state state;
    bool any;
    if (rule == TRIGGER_ALL_DONE) {
        return false;
    }
    if (rule == TRIGGER_ONE_SUCCESS) {
        return lacks(it, is_success, "no upstream succeeded", reason, &any) && any;
    }
    if (rule == TRIGGER_ONE_FAILED) {
        return lacks(it, is_failure, "no upstream failed", reason, &any);
    }
    for (size_t i = 0; i < it->upstream_count; i++) {
        if (outcome_of(it, &it->upstream[i], &state) &&
            (rule == TRIGGER_NONE_FAILED ? is_failure(state) : state != RUN_SUCCEEDED)) {
            reason[0] = '\0';
            append(reason, "upstream ", it->upstream[i].job->job->name, state);
            return true;
        }
    }
    return false;
}
