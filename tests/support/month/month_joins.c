/* SPDX-License-Identifier: PostgreSQL */
/* Marks of joins, and the trigger rules, by docs/jobs.md. */
#include "base/memory.h"
#include "support/month/month.h"

/* --- marks -------------------------------------------------------------------------------------------------------- */

static enum month_plan plan_now(const struct month *month, const struct month_job *it, instant slot)
{
    if (month_is_late(month, it, slot)) {
        return PLAN_KEEP;
    }
    return month_rule_holds(month, it) ? PLAN_RUN : PLAN_REFUSED;
}

static void doubt(struct month *month, struct month_job *join)
{
    month->counts.unsure += join->unsure_at != month->now;
    join->unsure_at = month->now;
}

void month_mark_downstream(struct month *month, const struct month_job *it, enum run_state state, instant at)
{
    size_t number = (size_t)(it - month->jobs);
    for (size_t i = number + 1; i < month->job_count; i++) {
        struct month_job *join = &month->jobs[i];
        for (size_t n = 0; join->form == MONTH_JOIN && n < join->job.after_count; n++) {
            if (join->upstream[n].job == number) {
                join->upstream[n] = (struct month_upstream){number, MONTH_MARK_FRESH, state, at};
                if (join->next < join->noted && join->slots[join->next].at == at) {
                    doubt(month, join);
                }
            }
        }
    }
}

static enum month_mark remembered(const struct month_job *join, const struct job_memory *upstream)
{
    if (!upstream->has_outcome || upstream->missed_at > upstream->outcome_at) {
        return MONTH_MARK_NONE;
    }
    if (upstream->outcome_at > join->memory.cursor) {
        return MONTH_MARK_FRESH;
    }
    bool counts = join->memory.cursor_skipped && upstream->last_outcome == RUN_SUCCEEDED;
    return counts ? MONTH_MARK_KEPT : MONTH_MARK_NONE;
}

/* A new leader knows what the ledger tells it: the last outcomes, and whether the last decision was a skip. */
void month_rebuild_marks(struct month *month)
{
    for (size_t i = 0; i < month->job_count; i++) {
        struct month_job *join = &month->jobs[i];
        join->wants_news = join->memory.cursor_skipped;
        join->unsure_at = INSTANT_NONE;
        for (size_t n = 0; join->form == MONTH_JOIN && n < join->job.after_count; n++) {
            struct month_upstream *mine = &join->upstream[n];
            const struct job_memory *memory = &month->jobs[mine->job].memory;
            *mine = (struct month_upstream){mine->job, remembered(join, memory), memory->last_outcome,
                                            memory->outcome_at};
            bool absent = month_active(&month->jobs[mine->job]) && mine->mark == MONTH_MARK_NONE;
            join->wants_news = join->wants_news && !absent;
        }
    }
}

void month_unmark_downstream(struct month *month, const struct month_job *it)
{
    size_t number = (size_t)(it - month->jobs);
    for (size_t i = number + 1; i < month->job_count; i++) {
        struct month_job *join = &month->jobs[i];
        for (size_t n = 0; join->form == MONTH_JOIN && n < join->job.after_count; n++) {
            bool mine = join->upstream[n].job == number && join->upstream[n].mark != MONTH_MARK_SPENT;
            join->upstream[n].mark = mine ? MONTH_MARK_NONE : join->upstream[n].mark;
        }
    }
}

/* --- decisions ---------------------------------------------------------------------------------------------------- */

bool month_join_complete(const struct month *month, const struct month_job *it)
{
    size_t present = 0;
    size_t fresh = 0;
    for (size_t i = 0; i < it->job.after_count; i++) {
        const struct month_upstream *upstream = &it->upstream[i];
        if (month_active(&month->jobs[upstream->job])) {
            bool counts = upstream->mark == MONTH_MARK_FRESH || upstream->mark == MONTH_MARK_KEPT;
            if (!counts) {
                return false;
            }
            present++;
            fresh += upstream->mark == MONTH_MARK_FRESH;
        }
    }
    return present > 0 && (fresh > 0 || !it->wants_news);
}

static instant moment_of(const struct month *month, const struct month_job *it)
{
    instant moment = it->memory.cursor + 1;
    for (size_t i = 0; i < it->job.after_count; i++) {
        const struct month_upstream *upstream = &it->upstream[i];
        if (month_active(&month->jobs[upstream->job]) && upstream->at > moment) {
            moment = upstream->at;
        }
    }
    return moment;
}

static void foresee(struct month_job *it, instant slot, enum month_plan plan)
{
    if (it->slot_count == it->slot_capacity) {
        it->slot_capacity = it->slot_capacity == 0 ? 64 : it->slot_capacity * 2;
        it->slots = xrealloc(it->slots, it->slot_capacity, sizeof(*it->slots));
    }
    it->slots[it->slot_count++] = (struct month_slot){.at = slot, .plan = plan};
    it->noted = it->slot_count;
}

static void spend_marks(struct month_job *it, instant slot)
{
    for (size_t i = 0; i < it->job.after_count; i++) {
        struct month_upstream *upstream = &it->upstream[i];
        if (upstream->mark != MONTH_MARK_NONE) {
            bool later = upstream->at > slot;
            upstream->mark = later ? MONTH_MARK_FRESH : MONTH_MARK_SPENT;
        }
    }
}

/* Whether a job's next slot or decision is passed over at once. */
static bool is_passing(const struct month *month, const struct month_job *it)
{
    const struct month_slot *slot = &it->slots[it->next];
    bool foreseen = it->next < it->noted;
    bool unsure = it->unsure_at != INSTANT_NONE;
    if (!month_active(it) || it->live) {
        return false;
    }
    if (!foreseen) {
        return unsure; /* a join that itself looks on */
    }
    bool gated = it->form != MONTH_JOIN && slot->plan == PLAN_KEEP;
    bool refused = slot->plan == PLAN_REFUSED && !unsure && !slot->unsure;
    return refused || (gated && month_upstream_is_passing(month, it)) || slot->plan == PLAN_CATCHUP ||
           slot->plan == PLAN_SLEPT || month_is_late(month, it, slot->at);
}

bool month_upstream_is_passing(const struct month *month, const struct month_job *it)
{
    for (size_t i = 0; i < it->job.after_count; i++) {
        if (is_passing(month, &month->jobs[it->upstream[i].job])) {
            return true;
        }
    }
    return false;
}

bool month_upstream_is_unsure(const struct month *month, const struct month_job *it)
{
    for (size_t i = 0; i < it->job.after_count; i++) {
        const struct month_job *before = &month->jobs[it->upstream[i].job];
        bool join = before->form == MONTH_JOIN && month_active(before);
        if (join && (before->unsure_at != INSTANT_NONE || month_upstream_is_unsure(month, before))) {
            return true;
        }
    }
    return false;
}

void month_join_turn(struct month *month, struct month_job *it)
{
    if (it->noted > it->next || !month_join_complete(month, it)) {
        return;
    }
    instant slot = moment_of(month, it);
    if (month_upstream_is_passing(month, it)) {
        doubt(month, it);
        return;
    }
    foresee(it, slot, plan_now(month, it, slot));
    spend_marks(it, slot);
    month->counts.turns++;
}

/* It stays in doubt until a decision later than what came about at once. */
void month_join_settle(const struct month *month, struct month_job *it, instant slot, enum month_plan plan)
{
    if (it->unsure_at == INSTANT_NONE) {
        return;
    }
    MONTH_REQUIRE(month, it, slot > it->memory.cursor && slot <= month->now + 1);
    it->slot_count = it->noted = it->next;
    foresee(it, slot, plan);
    spend_marks(it, slot);
    if (slot > it->unsure_at + 1) {
        it->unsure_at = INSTANT_NONE;
    }
}

void month_join_decided(struct month_job *it, bool ran, bool by_upstream)
{
    it->memory.cursor_skipped = !ran;
    it->wants_news = !ran && !by_upstream;
    for (size_t i = 0; i < it->job.after_count; i++) {
        struct month_upstream *upstream = &it->upstream[i];
        if (upstream->mark == MONTH_MARK_SPENT) {
            bool stays = !ran && upstream->outcome == RUN_SUCCEEDED;
            upstream->mark = stays ? MONTH_MARK_KEPT : MONTH_MARK_NONE;
        }
    }
}

/* --- trigger rules ------------------------------------------------------------------------------------------------ */

bool month_rule_holds(const struct month *month, const struct month_job *it)
{
    size_t known = 0;
    size_t succeeded = 0;
    size_t skipped = 0;
    size_t failed = 0;
    for (size_t i = 0; i < it->job.after_count; i++) {
        const struct month_upstream *upstream = &it->upstream[i];
        const struct month_job *before = &month->jobs[upstream->job];
        bool missed = before->memory.missed_at > before->memory.outcome_at || before->memory.missed_after;
        enum run_state state = missed ? RUN_SKIPPED : before->memory.last_outcome; /* it counts as such */
        bool has = missed || before->memory.has_outcome;
        if (it->form == MONTH_JOIN) {
            has = upstream->mark != MONTH_MARK_NONE;
            state = upstream->outcome;
        }
        if (has && month_active(before)) {
            known++;
            succeeded += state == RUN_SUCCEEDED;
            skipped += state == RUN_SKIPPED;
            failed += state != RUN_SUCCEEDED && state != RUN_SKIPPED;
        }
    }
    switch (it->job.options->trigger_rule) {
    case TRIGGER_ALL_SUCCESS:
        return succeeded == known;
    case TRIGGER_ALL_DONE:
        return true;
    case TRIGGER_ONE_SUCCESS:
        return succeeded > 0 || known == 0;
    case TRIGGER_ONE_FAILED:
        return failed > 0;
    case TRIGGER_NONE_FAILED:
        break;
    }
    return succeeded + skipped == known;
}
