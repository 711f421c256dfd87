#include "schedule/scheduler.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/heap.h"
#include "base/log.h"
#include "base/memory.h"
#include "schedule/state.h"

/* --- the timer: one heap of slots and retries ------------------------------------------------------------------------- */

static instant latest_seen(const struct scheduled *it)
{
    return it->skip_through > it->keep_through ? it->skip_through : it->keep_through;
}

static void arm_slot(struct scheduler *scheduler, struct scheduled *it)
{
    instant seen = latest_seen(it) > it->cursor ? latest_seen(it) : it->cursor;
    instant next = it->job->active ? schedule_next(&it->job->schedule, seen) : INSTANT_NEVER;
    if (next == INSTANT_NEVER) {
        heap_remove(&scheduler->slots, &it->slot_node);
    } else {
        heap_put(&scheduler->slots, &it->slot_node, next);
    }
}

/* --- deciding without running ----------------------------------------------------------------------------------------- */

static struct passed *pass(struct scheduler *scheduler, struct scheduled *it, instant last, int64_t count)
{
    if (scheduler->passed_count == scheduler->passed_capacity) {
        scheduler->passed_capacity = scheduler->passed_capacity == 0 ? 16 : scheduler->passed_capacity * 2;
        scheduler->passed = xrealloc(scheduler->passed, scheduler->passed_capacity, sizeof *scheduler->passed);
    }
    struct passed *passed = &scheduler->passed[scheduler->passed_count++];
    *passed = (struct passed){.scheduled = it,
                              .cursor = it->cursor,
                              .first = schedule_next(&it->job->schedule, it->cursor),
                              .last = last,
                              .count = count};
    it->cursor = last;
    return passed;
}

static void skip_overlapped(struct scheduler *scheduler, struct scheduled *it)
{
    struct passed *passed = pass(scheduler, it, it->skip_through, 0);
    snprintf(passed->reason, sizeof passed->reason, "overlap: an earlier run had not ended");
}

/* Slots noted for skipping are recorded as soon as every kept one before them is claimed. True when there were any. */
static bool flush_skips(struct scheduler *scheduler, struct scheduled *it)
{
    bool open = it->skip_through > it->cursor && it->cursor >= it->keep_through;
    if (open) {
        skip_overlapped(scheduler, it);
    }
    return open;
}

/* The slots in (cursor, last], of which `last` is one. */
static void miss(struct scheduler *scheduler, struct scheduled *it, instant last, const char *reason)
{
    instant counted;
    int64_t count = schedule_count(&it->job->schedule, it->cursor, last, INT64_MAX, &counted);
    struct passed *passed = pass(scheduler, it, counted, count);
    passed->missed = true;
    snprintf(passed->reason, sizeof passed->reason, "%s", reason);
}

/* The last slot before the newest `limit` of those in (after, until]; `after` when there are no more than that. */
static instant before_newest(const struct schedule *schedule, instant after, instant until, int64_t limit)
{
    instant at = until;
    for (int64_t n = 0; n < limit; n++) {
        instant slot = schedule_latest(schedule, after, at);
        if (slot == INSTANT_NONE) {
            return after;
        }
        at = slot - 1;
    }
    instant last = schedule_latest(schedule, after, at);
    return last == INSTANT_NONE ? after : last;
}

/* Decides the slots in (cursor, horizon] that passed while nobody led. */
static void catch_up(struct scheduler *scheduler, struct scheduled *it, instant horizon)
{
    const struct schedule *schedule = &it->job->schedule;
    const struct job_options *options = &it->job->options;
    instant newest = it->job->active ? schedule_latest(schedule, it->cursor, horizon) : INSTANT_NONE;
    if (newest == INSTANT_NONE || newest <= latest_seen(it)) {
        return;
    }
    if (options->catchup == CATCHUP_NONE) {
        miss(scheduler, it, newest, "catchup is none: nothing led when they were due");
        return;
    }
    instant window = horizon - options->catchup_window;
    instant too_old = window > it->cursor ? schedule_latest(schedule, it->cursor, window - 1) : INSTANT_NONE;
    if (too_old != INSTANT_NONE) {
        miss(scheduler, it, too_old, "older than catchup_window when a leader was back");
    }
    int64_t limit = options->catchup == CATCHUP_LATEST ? 1 : options->catchup_limit;
    instant surplus = before_newest(schedule, it->cursor, newest, limit);
    if (surplus > it->cursor) {
        miss(scheduler, it, surplus,
             options->catchup == CATCHUP_LATEST ? "catchup is latest: a later slot was due as well"
                                                : "more slots than catchup_limit were due");
    }
    it->keep_through = newest > it->cursor ? newest : it->cursor;
}

/* --- gates ------------------------------------------------------------------------------------------------------------ */

static bool has_open_slot(const struct scheduled *it, instant slot)
{
    bool current = it->phase != PHASE_IDLE && it->kind == RUN_SCHEDULE && it->slot <= slot;
    return current || (it->job->active && schedule_next(&it->job->schedule, it->cursor) <= slot);
}

/* The upstream that the slot has to wait for; NULL when none. */
static const struct scheduled *blocking_slot(const struct scheduled *it, instant slot)
{
    for (size_t i = 0; i < it->upstream_count; i++) {
        if (has_open_slot(it->upstream[i], slot)) {
            return it->upstream[i];
        }
    }
    return NULL;
}

static bool blocking_request(const struct scheduled *it)
{
    for (size_t i = 0; i < it->upstream_count; i++) {
        if (it->upstream[i]->phase != PHASE_IDLE || it->upstream[i]->request_count > 0) {
            return true;
        }
    }
    return false;
}

static const struct scheduled *failed_upstream(const struct scheduled *it)
{
    if (it->job->options.trigger_rule == TRIGGER_ALL_DONE) {
        return NULL;
    }
    for (size_t i = 0; i < it->upstream_count; i++) {
        const struct scheduled *upstream = it->upstream[i];
        if (upstream->job->active && upstream->has_outcome && upstream->last_outcome != RUN_SUCCEEDED) {
            return upstream;
        }
    }
    return NULL;
}

static void skip_for_upstream(struct scheduler *scheduler, struct scheduled *it, instant slot,
                              const struct scheduled *upstream)
{
    struct passed *passed = pass(scheduler, it, slot, 0);
    passed->outcome = true;
    snprintf(passed->reason, sizeof passed->reason, "upstream %s %s", upstream->job->name,
             run_state_name(upstream->last_outcome));
    it->has_outcome = true;
    it->last_outcome = RUN_SKIPPED;
}

/* --- phases ----------------------------------------------------------------------------------------------------------- */

static void set_phase(struct scheduler *scheduler, struct scheduled *it, enum phase phase)
{
    if (it->phase == PHASE_IDLE && phase != PHASE_IDLE) {
        scheduler->busy_count++;
    } else if (it->phase != PHASE_IDLE && phase == PHASE_IDLE) {
        scheduler->busy_count--;
    }
    it->phase = phase;
}

static void make_ready(struct scheduler *scheduler, struct scheduled *it)
{
    set_phase(scheduler, it, PHASE_READY);
    it->ready_node.order = (uint64_t)it->job_id;
    heap_put(&scheduler->ready[it->job->options.priority], &it->ready_node, it->slot);
}

/* Whatever the current run was due for, it is so no more. */
static void make_undue(struct scheduler *scheduler, struct scheduled *it)
{
    heap_remove(&scheduler->ready[it->job->options.priority], &it->ready_node);
    heap_remove(&scheduler->retries, &it->retry_node);
}

static void begin(struct scheduler *scheduler, struct scheduled *it, enum run_kind kind, instant slot, bool blocked)
{
    it->kind = kind;
    it->slot = slot;
    it->attempt = 1;
    it->again = false;
    if (blocked) {
        set_phase(scheduler, it, PHASE_WAITING);
    } else {
        make_ready(scheduler, it);
    }
}

/* Requests come before slots: a person waits for them. */
static bool begin_request(struct scheduler *scheduler, struct scheduled *it)
{
    if (it->request_count == 0 || blocking_request(it)) {
        return false;
    }
    struct request request = it->requests[0];
    memmove(it->requests, it->requests + 1, --it->request_count * sizeof *it->requests);
    scheduler->request_count--;
    begin(scheduler, it, request.kind, request.slot, false);
    return true;
}

static void look_at_downstream(struct scheduler *scheduler, struct scheduled *it);

/* What an idle job does next: skip, wait, or be ready. Returns true when its slots moved on. */
static bool consider(struct scheduler *scheduler, struct scheduled *it)
{
    bool moved = false;
    while (it->phase == PHASE_IDLE) {
        if (begin_request(scheduler, it)) {
            break;
        }
        if (it->cursor >= it->keep_through) {
            moved = flush_skips(scheduler, it) || moved;
            break;
        }
        instant slot = schedule_next(&it->job->schedule, it->cursor);
        bool blocked = blocking_slot(it, slot) != NULL;
        const struct scheduled *failed = blocked ? NULL : failed_upstream(it);
        if (failed != NULL) {
            skip_for_upstream(scheduler, it, slot, failed);
            moved = true;
            continue;
        }
        begin(scheduler, it, RUN_SCHEDULE, slot, blocked);
    }
    return moved;
}

static void recheck_waiting(struct scheduler *scheduler, struct scheduled *it)
{
    if (it->phase == PHASE_WAITING && blocking_slot(it, it->slot) == NULL) {
        /* Through idle, so that a failed upstream is noticed and a request goes first. */
        set_phase(scheduler, it, PHASE_IDLE);
    }
    if (it->phase == PHASE_IDLE && (it->request_count > 0 || it->cursor < it->keep_through)) {
        if (consider(scheduler, it)) {
            look_at_downstream(scheduler, it);
        }
    }
}

/* Recursion follows the graph, which has no cycles; its depth is that of the chain that moved. */
static void look_at_downstream(struct scheduler *scheduler, struct scheduled *it)
{
    for (size_t i = 0; i < it->downstream_count; i++) {
        recheck_waiting(scheduler, it->downstream[i]);
    }
}

static void settle(struct scheduler *scheduler, struct scheduled *it)
{
    consider(scheduler, it);
    look_at_downstream(scheduler, it);
}

/* --- time ------------------------------------------------------------------------------------------------------------- */

static bool may_buffer(const struct scheduled *it)
{
    instant decided = it->kind == RUN_SCHEDULE && it->slot > it->cursor ? it->slot : it->cursor;
    return it->job->options.overlap_policy == OVERLAP_BUFFER_ONE && it->keep_through <= decided;
}

static void note_slot(struct scheduled *it, instant slot)
{
    bool skipping = it->skip_through > it->keep_through && it->skip_through > it->cursor;
    bool nothing_before = it->phase == PHASE_IDLE && it->cursor >= it->keep_through;
    if (!skipping && (nothing_before || may_buffer(it))) {
        it->keep_through = slot;
    } else {
        it->skip_through = slot;
    }
}

static void slot_due(struct scheduler *scheduler, struct scheduled *it)
{
    bool live = it->phase == PHASE_LIVE || it->phase == PHASE_RETRYING;
    if (it->phase == PHASE_IDLE) {
        settle(scheduler, it);
    } else if (live && flush_skips(scheduler, it)) {
        look_at_downstream(scheduler, it);
    }
}

static void retry_due(struct scheduler *scheduler, struct scheduled *it)
{
    if (it->phase == PHASE_RETRYING) {
        make_ready(scheduler, it);
    }
}

void scheduler_tick(struct scheduler *scheduler, instant now)
{
    struct heap_node *node;
    while ((node = heap_first(&scheduler->retries)) != NULL && node->key <= now) {
        heap_pop(&scheduler->retries);
        retry_due(scheduler, SCHEDULED_OF(node, retry_node));
    }
    /* Every slot of this instant is noted before any is considered: a gate must see an upstream that is due as well. */
    while ((node = heap_first(&scheduler->slots)) != NULL && node->key <= now) {
        instant at = node->key;
        scheduler->due_count = 0;
        while ((node = heap_first(&scheduler->slots)) != NULL && node->key == at) {
            struct scheduled *it = SCHEDULED_OF(node, slot_node);
            note_slot(it, at);
            arm_slot(scheduler, it);
            state_push_due(scheduler, it);
        }
        for (size_t i = 0; i < scheduler->due_count; i++) {
            slot_due(scheduler, scheduler->due[i]);
        }
    }
}

instant scheduler_next(const struct scheduler *scheduler)
{
    const struct heap_node *slot = heap_first(&scheduler->slots);
    const struct heap_node *retry = heap_first(&scheduler->retries);
    instant next = slot != NULL ? slot->key : INSTANT_NEVER;
    return retry != NULL && retry->key < next ? retry->key : next;
}

static void catch_up_all(struct scheduler *scheduler, instant now)
{
    for (size_t i = 0; i < scheduler->count; i++) {
        struct scheduled *it = scheduler->all[i];
        bool unseen = it->phase == PHASE_IDLE || it->phase == PHASE_RETRYING;
        if (unseen && it->cursor >= it->keep_through) {
            catch_up(scheduler, it, now);
        }
        arm_slot(scheduler, it);
    }
    for (size_t i = 0; i < scheduler->count; i++) {
        settle(scheduler, scheduler->all[i]);
    }
}

void scheduler_start(struct scheduler *scheduler, instant now, instant server_start)
{
    (void)server_start;
    catch_up_all(scheduler, now);
}

void scheduler_catch_up(struct scheduler *scheduler, instant now)
{
    catch_up_all(scheduler, now);
}

/* --- requests and reports --------------------------------------------------------------------------------------------- */

void scheduler_request(struct scheduler *scheduler, struct scheduled *it, enum run_kind kind, instant slot)
{
    if (it->phase != PHASE_IDLE && it->kind == kind && it->slot == slot) {
        return;
    }
    for (size_t i = 0; i < it->request_count; i++) {
        if (it->requests[i].kind == kind && it->requests[i].slot == slot) {
            return;
        }
    }
    it->requests = xrealloc(it->requests, it->request_count + 1, sizeof *it->requests);
    it->requests[it->request_count++] = (struct request){kind, slot};
    scheduler->request_count++;
    if (it->phase == PHASE_IDLE) {
        consider(scheduler, it);
    }
}

void scheduler_adopt(struct scheduler *scheduler, struct scheduled *it, enum run_kind kind, instant slot, int attempt,
                     instant retry_at)
{
    it->kind = kind;
    it->slot = slot;
    scheduler_retry(scheduler, it, attempt, retry_at);
}

bool scheduler_has_due(const struct scheduler *scheduler)
{
    for (size_t i = 0; i < PRIORITY_COUNT; i++) {
        if (heap_first(&scheduler->ready[i]) != NULL) {
            return true;
        }
    }
    return false;
}

bool scheduler_take_due(struct scheduler *scheduler, struct due *due)
{
    struct heap_node *node = NULL;
    for (size_t i = 0; node == NULL && i < PRIORITY_COUNT; i++) {
        node = heap_pop(&scheduler->ready[i]);
    }
    if (node == NULL) {
        return false;
    }
    struct scheduled *it = SCHEDULED_OF(node, ready_node);
    set_phase(scheduler, it, PHASE_CLAIMING);
    *due = (struct due){it, it->kind, it->slot, it->cursor, it->attempt, it->again};
    return true;
}

bool scheduler_take_passed(struct scheduler *scheduler, struct passed *passed)
{
    if (scheduler->passed_taken == scheduler->passed_count) {
        scheduler->passed_taken = scheduler->passed_count = 0;
        return false;
    }
    *passed = scheduler->passed[scheduler->passed_taken++];
    return true;
}

bool scheduler_next_passed_is_missed(const struct scheduler *scheduler)
{
    return scheduler->passed_taken < scheduler->passed_count && scheduler->passed[scheduler->passed_taken].missed;
}

void scheduler_claimed(struct scheduler *scheduler, struct scheduled *it)
{
    set_phase(scheduler, it, PHASE_LIVE);
    if (it->kind == RUN_SCHEDULE && it->slot > it->cursor) {
        it->cursor = it->slot;
    }
    if (flush_skips(scheduler, it)) {
        look_at_downstream(scheduler, it); /* what it skipped behind a request, nobody has to wait for */
    }
}

void scheduler_unclaimed(struct scheduler *scheduler, struct scheduled *it)
{
    make_ready(scheduler, it);
}

void scheduler_dropped(struct scheduler *scheduler, struct scheduled *it)
{
    set_phase(scheduler, it, PHASE_IDLE);
    settle(scheduler, it);
}

void scheduler_retry(struct scheduler *scheduler, struct scheduled *it, int attempt, instant retry_at)
{
    it->attempt = attempt;
    it->again = true;
    make_undue(scheduler, it);
    set_phase(scheduler, it, PHASE_RETRYING);
    heap_put(&scheduler->retries, &it->retry_node, retry_at);
}

void scheduler_ended(struct scheduler *scheduler, struct scheduled *it, enum run_state state, duration took,
                     instant at)
{
    (void)at;
    it->has_outcome = true;
    it->last_outcome = state;
    if (state == RUN_SUCCEEDED && took > 0) {
        it->expected = it->expected == 0 ? took : (it->expected * 3 + took) / 4;
    }
    make_undue(scheduler, it);
    set_phase(scheduler, it, PHASE_IDLE);
    settle(scheduler, it);
}

bool scheduler_quiet(const struct scheduler *scheduler)
{
    return scheduler->busy_count == 0 && scheduler->request_count == 0 &&
           scheduler->passed_taken == scheduler->passed_count;
}
