/* SPDX-License-Identifier: PostgreSQL */
/* The ledger in memory, and its judgement of what it is asked to write. */
#include "support/month/simulation.h"

#include <stdio.h>
#include <string.h>

void simulation_end(struct world *world, struct sim_job *it, enum run_state state)
{
    REQUIRE(world, it, it->live);
    if (it->kind == RUN_SCHEDULE) {
        struct slot *slot = &it->slots[simulation_slots_until(it, it->slot) - 1];
        REQUIRE(world, it, slot->at == it->slot && slot->fate == CLAIMED && slot->ends == 0);
        slot->ends++;
    }
    it->live = false;
    it->has_outcome = true;
    it->last_outcome = state;
    it->missed_after = it->missed_from != INSTANT_NONE && it->missed_from <= world->now;
    it->missed_from = INSTANT_NONE;
    it->ended_at = world->now;
    it->outcome_at = world->now > it->missed_at ? world->now : it->missed_at + 1;
    world->counts.lost += state == RUN_LOST;
}

void simulation_retry(struct world *world, struct sim_job *it, bool counts, instant retry_at)
{
    it->attempt += counts ? 1 : 0;
    it->has_session = false;
    it->retry_at = retry_at;
    world->counts.retries += counts;
    REQUIRE(world, it, it->attempt <= it->job.options->max_attempts);
}

static bool is_missed(const struct sim_job *it)
{
    return it->missed_at != INSTANT_NONE && (!it->has_outcome || it->missed_at > it->outcome_at || it->missed_after);
}

static enum run_state outcome_of(const struct sim_job *it)
{
    return is_missed(it) ? RUN_MISSED : it->last_outcome;
}

static bool forbids(const struct sim_job *upstream)
{
    return upstream->job.active && (upstream->has_outcome || is_missed(upstream)) &&
           outcome_of(upstream) != RUN_SUCCEEDED;
}

/* An upstream that had failed before the slot fell due, and had nothing more to do, forbids it; a disabled one decides
 * nothing. */
static void judge_trigger(const struct world *world, const struct sim_job *it, instant slot)
{
    for (size_t i = 0; i < it->job.after_count && it->job.options->trigger_rule == TRIGGER_ALL_SUCCESS; i++) {
        const struct sim_job *upstream = &world->jobs[it->upstream[i]];
        bool later = upstream->outcome_at >= slot || upstream->missed_at >= slot || world->stepped;
        REQUIRE(world, it, !forbids(upstream) || later);
    }
}

/* A slot that fell due beside a live run may start only if it is caught up or buffered. */
static void judge_overlap(const struct world *world, const struct sim_job *it, instant slot)
{
    bool beside = it->claimed_at <= slot && it->ended_at > slot + LATE_MAX;
    bool allowed = slot <= world->horizon || it->job.options->overlap_policy == OVERLAP_BUFFER_ONE;
    REQUIRE(world, it, !beside || allowed || world->stepped);
}

static void claim_slot(struct world *world, struct sim_job *it, const struct due *due)
{
    struct slot *slot = &it->slots[simulation_slots_until(it, it->cursor)];
    REQUIRE(world, it, it->job.active);
    REQUIRE(world, it, due->cursor == it->cursor);
    REQUIRE(world, it, due->slot == simulation_slot_after(it, it->cursor) && due->slot <= world->seen);
    REQUIRE(world, it, slot->fate == UNDECIDED);
    REQUIRE(world, it, !simulation_blocked(world, it, due->slot));
    judge_trigger(world, it, due->slot);
    judge_overlap(world, it, due->slot);
    slot->fate = CLAIMED;
    it->cursor = due->slot;
}

static bool take_asked(struct sim_job *it, enum run_kind kind, instant slot)
{
    for (size_t i = 0; i < it->asked_count; i++) {
        if (it->asked[i].kind == kind && it->asked[i].slot == slot) {
            it->asked[i] = it->asked[--it->asked_count];
            return true;
        }
    }
    return false;
}

bool simulation_claim(struct world *world, struct sim_job *it, const struct due *due)
{
    if (due->again) {
        REQUIRE(world, it, it->live && !it->has_session && it->kind == due->kind && it->slot == due->slot);
        REQUIRE(world, it, it->attempt == due->attempt && it->retry_at <= world->latest);
        world->counts.reclaims++;
        it->has_session = true;
        return true;
    }
    REQUIRE(world, it, !it->live && due->attempt == 1);
    if (due->kind == RUN_SCHEDULE) {
        claim_slot(world, it, due);
    } else if (!take_asked(it, due->kind, due->slot)) {
        return false;
    }
    world->counts.claims++;
    world->counts.requests += due->kind != RUN_SCHEDULE;
    it->live = it->has_session = true;
    it->kind = due->kind;
    it->slot = due->slot;
    it->attempt = 1;
    it->claimed_at = world->now;
    return true;
}

/* While a run is in doubt the daemon goes by the outcome before it. */
static bool is_upstream_reason(const struct world *world, const struct sim_job *it, const char *reason)
{
    for (size_t i = 0; i < it->job.after_count; i++) {
        const struct sim_job *upstream = &world->jobs[it->upstream[i]];
        char expected[64];
        int name = snprintf(expected, sizeof(expected), "upstream %s %s", upstream->name,
                            run_state_name(outcome_of(upstream)));
        name -= (int)strlen(run_state_name(outcome_of(upstream)));
        if ((forbids(upstream) && strcmp(reason, expected) == 0) ||
            (upstream->session == SESSION_UNKNOWN && strncmp(reason, expected, (size_t)name) == 0)) {
            return true;
        }
    }
    return false;
}

static void judge_skip(struct world *world, struct sim_job *it, const struct skipped *passed, int64_t count)
{
    if (passed->outcome) {
        REQUIRE(world, it, count == 1 && it->job.options->trigger_rule == TRIGGER_ALL_SUCCESS);
        REQUIRE(world, it, is_upstream_reason(world, it, passed->reason));
        REQUIRE(world, it, !it->live && !simulation_blocked(world, it, passed->last));
        it->has_outcome = true;
        it->last_outcome = RUN_SKIPPED;
        it->missed_after = false;
        it->let_go_at = it->outcome_at = passed->at;
        world->counts.upstream_skips++;
        return;
    }
    bool let_go = it->let_go_at >= passed->first;
    bool busy = it->live || it->session == SESSION_UNKNOWN || it->ended_at >= passed->first;
    bool full = it->claimed_at >= passed->first; /* the buffered slot was not even claimed then */
    REQUIRE(world, it, strncmp(passed->reason, "overlap: ", 9) == 0);
    REQUIRE(world, it, world->stepped || let_go || (it->job.options->overlap_policy == OVERLAP_SKIP ? busy : full));
    world->counts.overlaps += count;
}

static void judge_miss(struct world *world, struct sim_job *it, const struct skipped *passed, int64_t count)
{
    const struct job_options *options = it->job.options;
    REQUIRE(world, it, passed->count == count && passed->last <= world->horizon);
    if (strstr(passed->reason, "catchup is none") != NULL) {
        REQUIRE(world, it, options->catchup == CATCHUP_NONE);
    } else if (strstr(passed->reason, "catchup_window") != NULL) {
        REQUIRE(world, it, options->catchup != CATCHUP_NONE);
        REQUIRE(world, it, passed->last < world->horizon - options->catchup_window);
    } else {
        bool latest = strstr(passed->reason, "catchup is latest") != NULL;
        REQUIRE(world, it, options->catchup == (latest ? CATCHUP_LATEST : CATCHUP_ALL));
    }
    REQUIRE(world, it, !it->has_outcome || passed->at > it->outcome_at);
    it->missed_at = passed->at;
    if (it->live && it->kind == RUN_SCHEDULE && it->missed_from == INSTANT_NONE) {
        it->missed_from = passed->first;
    }
    it->missing -= count;
    world->counts.missed += count;
}

struct sim_job *simulation_job(struct world *world, const struct scheduled *scheduled)
{
    struct sim_job *it = &world->jobs[scheduled_id(scheduled) - 1000];
    REQUIRE(world, it, it->scheduled == scheduled);
    return it;
}

void simulation_pass(struct world *world, const struct skipped *passed)
{
    struct sim_job *it = simulation_job(world, passed->scheduled);
    REQUIRE(world, it, passed->cursor == it->cursor);
    REQUIRE(world, it, passed->first == simulation_slot_after(it, it->cursor) && passed->last <= world->seen);
    size_t first = simulation_slots_until(it, it->cursor);
    size_t past = simulation_slots_until(it, passed->last);
    REQUIRE(world, it, past > first && it->slots[past - 1].at == passed->last);
    for (size_t i = first; i < past; i++) {
        REQUIRE(world, it, it->slots[i].fate == UNDECIDED);
        it->slots[i].fate = passed->missed ? MISSED : SKIPPED;
    }
    if (passed->missed) {
        judge_miss(world, it, passed, (int64_t)(past - first));
    } else {
        REQUIRE(world, it, passed->count == 0);
        judge_skip(world, it, passed, (int64_t)(past - first));
    }
    it->cursor = passed->last;
}
