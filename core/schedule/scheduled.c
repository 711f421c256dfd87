/* SPDX-License-Identifier: PostgreSQL */
/* What one job is and does just now: looked at, never changed. */
#include <limits.h>
#include <stdio.h>

#include "calendar/backoff.h"
#include "schedule/state.h"

bool scheduled_enabled(const struct scheduled *it)
{
    return scheduled_active(it) && !it->withdrawn;
}

bool scheduled_active(const struct scheduled *it)
{
    return it->job->active && !it->suspended && !it->retired;
}

bool scheduled_missed(const struct scheduled *it)
{
    return it->missed_at > it->outcome_at;
}

bool scheduled_is_asked_for(const struct scheduled *it)
{
    return it->request_count > 0 && it->requests[0].kind != RUN_BACKFILL;
}

bool scheduled_idle(const struct scheduled *scheduled)
{
    return scheduled->phase == PHASE_IDLE && !scheduled_is_asked_for(scheduled) && !wake_is_due(scheduled);
}

bool scheduled_retired(const struct scheduled *scheduled)
{
    return scheduled->retired;
}

bool scheduled_is_at(const struct scheduled *scheduled, enum run_kind kind, instant slot)
{
    return scheduled->phase != PHASE_IDLE && scheduled->kind == kind && scheduled->slot == slot;
}

const struct job *scheduled_job(const struct scheduled *scheduled)
{
    return scheduled->job;
}

int64_t scheduled_id(const struct scheduled *scheduled)
{
    return scheduled->job_id;
}

instant scheduled_cursor(const struct scheduled *scheduled)
{
    return scheduled->cursor;
}

int scheduled_version(const struct scheduled *scheduled)
{
    return scheduled->version;
}

duration scheduled_expected(const struct scheduled *scheduled)
{
    return scheduled->expected;
}

duration scheduled_target_lag(const struct scheduled *scheduled)
{
    duration own = scheduled->job->options->target_lag;
    return own == TARGET_LAG_DOWNSTREAM ? scheduled->inherited_lag : own;
}

void scheduled_inherit_lag(struct scheduled *scheduled, duration lag)
{
    scheduled->inherited_lag = lag;
}

instant scheduled_next_slot(const struct scheduled *scheduled)
{
    bool known = heap_has(&scheduled->slot_node);
    return known ? scheduled->armed : INSTANT_NEVER;
}

void scheduled_note_slots(struct scheduled *scheduled, instant until)
{
    scheduled->noted = until;
}

instant scheduled_noted(const struct scheduled *scheduled)
{
    return scheduled->noted;
}

bool scheduled_run(const struct scheduled *scheduled, enum run_kind *kind, instant *slot, int *attempt)
{
    *kind = scheduled->kind;
    *slot = scheduled->slot;
    *attempt = scheduled->attempt;
    return scheduled->phase != PHASE_IDLE;
}

instant scheduled_due_since(const struct scheduled *scheduled)
{
    return scheduled->phase == PHASE_READY && !scheduled->again ? scheduled->slot : INSTANT_NONE;
}

bool scheduled_waits_for_attempt(const struct scheduled *scheduled)
{
    bool waits_for_time = scheduled->phase == PHASE_RETRYING && scheduled->retry_node.key < INSTANT_NEVER;
    bool waits_for_slot = scheduled->phase == PHASE_READY && scheduled->again;
    return waits_for_time || waits_for_slot;
}

bool phase_is_unstarted(const struct scheduled *it)
{
    return !it->again && (it->phase == PHASE_WAITING || it->phase == PHASE_READY);
}

bool phase_is_claiming_slot(const struct scheduled *it)
{
    return it->phase == PHASE_CLAIMING && !it->again && run_kind_moves(it->kind);
}

bool scheduled_backfills(const struct scheduled *it)
{
    return it->phase != PHASE_IDLE && it->kind == RUN_BACKFILL;
}

bool wake_is_of(enum run_kind kind)
{
    return !run_kind_moves(kind) && !run_kind_asked(kind);
}

bool wake_is_due(const struct scheduled *it)
{
    return it->wake != NULL && it->wake->due;
}

bool wake_is_pending(const struct scheduled *it, instant until)
{
    const struct wake *wake = it->wake;
    if (wake == NULL || !wake->pending || !scheduled_enabled(it)) {
        return false;
    }
    return (wake->due ? wake->slot : wake->node.key) <= until;
}

bool wake_runs(const struct scheduled *it)
{
    return it->phase != PHASE_IDLE && wake_is_of(it->kind);
}

instant wait_deadline(const struct scheduled *it, instant slot)
{
    duration length = it->job->options->starting_deadline;
    return length > 0 ? slot + length : INSTANT_NEVER;
}

/* --- what fails is tried less often ------------------------------------------------------------------------------- */

instant failing_until(const struct scheduled *it)
{
    struct backoff backoff = it->job->options->backoff;
    backoff.jitter = 0; /* whoever asks again is to hear the same */
    if (it->failures == 0 || it->last_end == INSTANT_NONE) {
        return INSTANT_NONE;
    }
    return it->last_end + backoff_delay(&backoff, it->failures < INT_MAX ? (int)it->failures : INT_MAX, 0);
}

bool failing_skips(const struct scheduled *it, instant slot, char reason[static SKIPPED_REASON_SIZE])
{
    instant until = failing_until(it);
    if (it->job->work != JOB_REFRESH || until <= slot) {
        return false;
    }
    char at[INSTANT_TEXT_SIZE];
    snprintf(reason, SKIPPED_REASON_SIZE, "%lld runs in a row failed: it is tried again after %s",
             (long long)it->failures, instant_format(until, at));
    return true;
}
