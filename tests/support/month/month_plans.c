/* SPDX-License-Identifier: PostgreSQL */
/* What is to become of a slot, by docs/jobs.md: foreseen from the ledger in memory before the scheduler is asked. */
#include "base/memory.h"
#include "support/month/month.h"

#define TIE 10 /* of events at once, the later ones come so many microseconds after */

bool month_active(const struct month_job *it)
{
    return it->job.active && !it->memory.suspended;
}

static instant later(instant a, instant b)
{
    return a > b ? a : b;
}

/* --- slots -------------------------------------------------------------------------------------------------------- */

bool month_is_late(const struct month *month, const struct month_job *it, instant slot)
{
    duration deadline = it->job.options->starting_deadline;
    return deadline > 0 && slot + deadline <= month->now;
}

/* Where a slot that is not in the list yet would lie. */
static instant unlisted_slot(const struct month *month, const struct month_job *it)
{
    if (it->form == MONTH_DELAY && !it->live) {
        return later(it->memory.cursor, later(it->memory.last_end, it->counted_from)) + it->job.schedule.interval;
    }
    bool started_anew = it->form == MONTH_REBOOT && month->server_start > it->memory.cursor;
    return started_anew ? month->server_start : INSTANT_NEVER;
}

instant month_next_slot(const struct month *month, const struct month_job *it)
{
    return it->next < it->slot_count ? it->slots[it->next].at : unlisted_slot(month, it);
}

static instant due_before(const struct month_job *it, instant slot, instant next)
{
    return it->jitter == 0 || next - it->jitter > slot ? slot + it->jitter : next - 1;
}

instant month_due(const struct month_job *it, size_t index)
{
    instant slot = it->slots[index].at;
    instant next = it->form == MONTH_DELAY ? slot + it->job.schedule.interval : INSTANT_NEVER;
    if (it->form == MONTH_LISTED && index + 1 < it->slot_count) {
        next = it->slots[index + 1].at;
    }
    return due_before(it, slot, next);
}

static void append(struct month_job *it, instant at)
{
    if (it->slot_count == it->slot_capacity) {
        it->slot_capacity = it->slot_capacity == 0 ? 64 : it->slot_capacity * 2;
        it->slots = xrealloc(it->slots, it->slot_capacity, sizeof(*it->slots));
    }
    it->slots[it->slot_count++] = (struct month_slot){.at = at};
}

/* Whether one more has fallen due; it is in the list then. */
static bool falls_due(const struct month *month, struct month_job *it)
{
    if (it->noted == it->slot_count) {
        instant slot = it->next == it->noted ? unlisted_slot(month, it) : INSTANT_NEVER;
        instant next = it->form == MONTH_DELAY && slot != INSTANT_NEVER ? slot + it->job.schedule.interval
                                                                        : INSTANT_NEVER;
        if (slot > month->now || due_before(it, slot, next) > month->now) {
            return false;
        }
        append(it, slot);
    }
    return it->slots[it->noted].at <= month->now && month_due(it, it->noted) <= month->now;
}

/* --- overlap ------------------------------------------------------------------------------------------------------ */

static bool is_kept(const struct month_job *it, size_t index)
{
    if (index < it->next || index >= it->noted) {
        return false;
    }
    enum month_plan plan = it->slots[index].plan;
    return plan == PLAN_KEEP || plan == PLAN_RUN || plan == PLAN_REFUSED;
}

/* The first of the kept slots that may still start: those before it are skipped before another falls due. */
static size_t first_kept(const struct month *month, const struct month_job *it)
{
    size_t first = it->next;
    while (!it->live && is_kept(it, first) && month_is_late(month, it, it->slots[first].at)) {
        first++;
    }
    return first;
}

static enum month_plan overlap_plan(const struct month *month, const struct month_job *it)
{
    size_t first = first_kept(month, it);
    bool buffered = is_kept(it, it->live ? first : first + 1);
    bool busy = it->live || is_kept(it, first);
    bool skipping = is_kept(it, first) && !is_kept(it, it->noted - 1);
    switch (it->job.options->overlap_policy) {
    case OVERLAP_SKIP:
        return busy ? PLAN_OVERLAP : PLAN_KEEP;
    case OVERLAP_BUFFER_ONE:
        return skipping || buffered ? PLAN_OVERLAP : PLAN_KEEP;
    case OVERLAP_BUFFER_ALL:
    case OVERLAP_CANCEL_PREVIOUS: /* no job of the month has it: unit/test_scheduler_supersede.c */
        break;
    }
    return PLAN_KEEP;
}

void month_note(struct month *month)
{
    for (size_t i = 0; i < month->job_count; i++) {
        struct month_job *it = &month->jobs[i];
        while (month_active(it) && falls_due(month, it)) {
            it->slots[it->noted].plan = overlap_plan(month, it);
            it->noted++;
        }
    }
}

/* --- catch-up and suspension -------------------------------------------------------------------------------------- */

static void note_all(const struct month *month, struct month_job *it, enum month_plan plan)
{
    while (it->job.active && falls_due(month, it)) {
        it->slots[it->noted++].plan = plan;
    }
}

static void plan_job(struct month *month, struct month_job *it)
{
    const struct job_options *options = it->job.options;
    note_all(month, it, PLAN_CATCHUP);
    size_t most = options->catchup == CATCHUP_LATEST || it->form == MONTH_REBOOT ? 1
                  : options->catchup == CATCHUP_NONE                             ? 0
                                                                                 : (size_t)options->catchup_limit;
    for (size_t i = it->noted; i > it->next && most > 0; i--, most--) {
        bool fresh = it->slots[i - 1].at >= month->now - options->catchup_window;
        it->slots[i - 1].plan = fresh ? PLAN_KEEP : PLAN_CATCHUP;
        month->counts.caught_up += fresh;
    }
}

void month_plan_catch_up(struct month *month)
{
    for (size_t i = 0; i < month->job_count; i++) {
        struct month_job *it = &month->jobs[i];
        it->slot_count = it->form == MONTH_LISTED ? it->slot_count : it->next;
        it->noted = it->next;
        it->counted_from = INSTANT_NONE;
        if (month_active(it)) {
            plan_job(month, it);
        }
    }
}

void month_plan_surrender(struct month *month, struct month_job *it, enum month_plan plan)
{
    note_all(month, it, plan);
    for (size_t i = it->next; i < it->noted; i++) {
        it->slots[i].plan = plan;
    }
}

/* --- turns -------------------------------------------------------------------------------------------------------- */

/* Whether a slot at or before this one has not ended. */
static bool is_unfinished(const struct month *month, const struct month_job *it, instant slot)
{
    if (it->live && (it->kind == RUN_DEPENDENCY || it->slot <= slot)) {
        return true;
    }
    if (!month_active(it)) {
        return false;
    }
    if (it->form != MONTH_JOIN) {
        return month_next_slot(month, it) <= slot;
    }
    if (it->noted > it->next || month_join_complete(month, it)) {
        return true;
    }
    for (size_t i = 0; i < it->job.after_count; i++) {
        const struct month_job *before = &month->jobs[it->upstream[i].job];
        if (month_active(before) && is_unfinished(month, before, slot)) {
            return true;
        }
    }
    return false;
}

static bool is_blocked(const struct month *month, const struct month_job *it, instant slot)
{
    for (size_t i = 0; i < it->job.after_count; i++) {
        if (is_unfinished(month, &month->jobs[it->upstream[i].job], slot)) {
            return true;
        }
    }
    return false;
}

bool month_waits(const struct month *month, const struct month_job *it)
{
    return it->form != MONTH_JOIN && it->next < it->noted && is_blocked(month, it, it->slots[it->next].at);
}

static void take_turn(struct month *month, struct month_job *it)
{
    struct month_slot *slot = &it->slots[it->next];
    bool open = slot->plan == PLAN_KEEP || slot->plan == PLAN_RUN;
    if (!open || month_is_late(month, it, slot->at)) {
        return;
    }
    bool blocked = is_blocked(month, it, slot->at);
    bool passing = !blocked && slot->plan == PLAN_KEEP && month_upstream_is_passing(month, it);
    passing = passing || month_upstream_is_unsure(month, it);
    if (passing || (blocked && slot->plan == PLAN_RUN)) {
        month->counts.unsure += !slot->unsure;
        slot->unsure = true;
    } else if (!blocked && (slot->plan == PLAN_KEEP || slot->unsure)) {
        slot->plan = month_rule_holds(month, it) ? PLAN_RUN : PLAN_REFUSED;
        month->counts.turns++;
    }
}

void month_take_turns(struct month *month)
{
    for (size_t i = 0; i < month->job_count; i++) {
        struct month_job *it = &month->jobs[i];
        if (it->live || it->job.after_count == 0 || !month_active(it)) {
            continue;
        }
        if (it->form == MONTH_JOIN) {
            month_join_turn(month, it);
        } else if (it->next < it->noted) {
            take_turn(month, it);
        }
    }
}

/* --- idleness ----------------------------------------------------------------------------------------------------- */

static bool pool_is_full(const struct month *month, const struct month_job *it)
{
    return it->pool >= 0 && month->pool_held[it->pool] >= month->pool_limits[it->pool];
}

static void require_reason_to_wait(const struct month *month, const struct month_job *it)
{
    if (it->live) {
        MONTH_REQUIRE(month, it, it->has_session || it->retry_at + TIE >= month->now || pool_is_full(month, it));
        MONTH_REQUIRE(month, it, it->next == it->noted || is_kept(it, it->next) || !it->has_session);
    } else if (it->next < it->noted) {
        const struct month_slot *slot = &it->slots[it->next];
        bool gated = it->job.after_count > 0 && it->form != MONTH_JOIN;
        bool unsure = slot->unsure;
        bool free = unsure || slot->plan == PLAN_RUN || (slot->plan == PLAN_KEEP && !gated);
        MONTH_REQUIRE(month, it, is_kept(it, it->next) && (slot->plan != PLAN_REFUSED || unsure));
        bool waits = is_blocked(month, it, slot->at) || month_upstream_is_unsure(month, it);
        MONTH_REQUIRE(month, it, waits || (free && pool_is_full(month, it)));
    }
}

void month_require_idleness(const struct month *month)
{
    for (size_t i = 0; i < month->job_count; i++) {
        if (month_active(&month->jobs[i]) && month->jobs[i].unsure_at == INSTANT_NONE) {
            require_reason_to_wait(month, &month->jobs[i]);
        }
    }
}
