/* SPDX-License-Identifier: PostgreSQL */
/* Upstream results: what a join holds of each upstream since its last decision. */
#include "schedule/state.h"

void join_note_result(struct scheduled *upstream, enum run_state state, instant at)
{
    for (size_t i = 0; i < upstream->downstream_count; i++) {
        const struct downstream *downstream = &upstream->downstream[i];
        if (downstream->job->linked_as_join) {
            struct upstream *mine = &downstream->job->upstream[downstream->place];
            *mine = (struct upstream){upstream, mine->place, RESULT_FRESH, state, at};
        }
    }
}

instant scheduled_joined(const struct scheduled *it)
{
    instant latest = INSTANT_NONE;
    for (size_t i = 0; i < it->downstream_count; i++) {
        const struct scheduled *join = it->downstream[i].job;
        if (join->linked_as_join) {
            bool decided = join->phase != PHASE_IDLE && join->kind == RUN_DEPENDENCY && join->slot > join->cursor;
            instant slot = decided ? join->slot : join->cursor;
            latest = slot > latest ? slot : latest;
        }
    }
    return latest;
}

void join_drop_result(const struct scheduled *upstream)
{
    for (size_t i = 0; i < upstream->downstream_count; i++) {
        const struct downstream *downstream = &upstream->downstream[i];
        struct upstream *mine = &downstream->job->upstream[downstream->place];
        if (mine->result != RESULT_SPENT) {
            mine->result = RESULT_NONE;
        }
    }
}

void join_rebuild_result(const struct scheduled *it, struct upstream *upstream)
{
    const struct scheduled *job = upstream->job;
    upstream->result = RESULT_NONE;
    if (scheduled_missed(job)) {
        return;
    }
    if (job->has_outcome && job->outcome_at > it->cursor) {
        upstream->result = RESULT_FRESH;
    } else if (job->has_outcome && job->last_outcome == RUN_SUCCEEDED && it->cursor_skipped) {
        upstream->result = RESULT_KEPT;
    }
    upstream->outcome = job->last_outcome;
    upstream->at = job->outcome_at;
}

/* When every upstream result is there, none of them made the last decision a skip. Who is inactive is not looked for:
 * else the same successes would be decided anew by every leader. */
void join_rebuilt(struct scheduled *it)
{
    it->wants_news = it->cursor_skipped;
    for (size_t i = 0; i < it->upstream_count; i++) {
        bool absent = scheduled_active(it->upstream[i].job) && it->upstream[i].result == RESULT_NONE;
        it->wants_news = it->wants_news && !absent;
    }
}

bool join_complete(const struct scheduled *it)
{
    bool any = false;
    bool news = !it->wants_news;
    for (size_t i = 0; i < it->upstream_count; i++) {
        const struct upstream *upstream = &it->upstream[i];
        if (upstream->job->judged) {
            return false;
        }
        if (!scheduled_active(upstream->job)) {
            continue;
        }
        if (upstream->result != RESULT_FRESH && upstream->result != RESULT_KEPT) {
            return false;
        }
        any = true;
        news = news || upstream->result == RESULT_FRESH;
    }
    return any && news;
}

instant join_slot(const struct scheduled *it)
{
    instant slot = it->cursor + 1;
    for (size_t i = 0; i < it->upstream_count; i++) {
        const struct upstream *upstream = &it->upstream[i];
        if (scheduled_active(upstream->job) && upstream->at > slot) {
            slot = upstream->at;
        }
    }
    return slot;
}

/* Inactive upstreams take part as far as the ledger could tell. */
void join_spend(struct scheduled *it, instant slot)
{
    for (size_t i = 0; i < it->upstream_count; i++) {
        if (it->upstream[i].result != RESULT_NONE && it->upstream[i].at <= slot) {
            it->upstream[i].result = RESULT_SPENT;
        }
    }
}

void join_unspend(struct scheduled *it)
{
    for (size_t i = 0; it->linked_as_join && i < it->upstream_count; i++) {
        if (it->upstream[i].result == RESULT_SPENT) {
            it->upstream[i].result = RESULT_FRESH;
        }
    }
}

void join_claimed(struct scheduled *it)
{
    it->cursor_skipped = it->wants_news = false;
    for (size_t i = 0; i < it->upstream_count; i++) {
        if (it->upstream[i].result == RESULT_SPENT) {
            it->upstream[i].result = RESULT_NONE;
        }
    }
}

/* Where an outcome was in the way, another one in its place is what is waited for; else all successes stay, and any
 * news is. */
void join_skipped(struct scheduled *it, bool by_upstream)
{
    bool in_the_way = false;
    it->cursor_skipped = true;
    for (size_t i = 0; i < it->upstream_count; i++) {
        struct upstream *upstream = &it->upstream[i];
        if (upstream->result == RESULT_SPENT) {
            bool kept = upstream->outcome == RUN_SUCCEEDED;
            upstream->result = kept ? RESULT_KEPT : RESULT_NONE;
            in_the_way = in_the_way || !kept;
        }
    }
    it->wants_news = !by_upstream || !in_the_way;
}
