/* SPDX-License-Identifier: PostgreSQL */
/* What a job does next, once it may: a request, an event, a slot, a decision. */
#include "schedule/state.h"

static void begin(struct scheduler *scheduler, struct scheduled *it, enum run_kind kind, instant slot, bool blocked)
{
    it->kind = kind;
    it->slot = it->stands = slot;
    it->attempt = 1;
    it->again = false;
    phase_set(scheduler, it, blocked ? PHASE_WAITING : PHASE_READY);
}

/* Requests come before slots: a person waits for them. */
static bool begin_request(struct scheduler *scheduler, struct scheduled *it)
{
    if (!scheduled_is_asked_for(it) || it->withdrawn || upstream_check_blocks_requests(it)) {
        return false;
    }
    struct request request = requests_take(scheduler, it);
    begin(scheduler, it, request.kind, request.slot, false);
    return true;
}

/* Whichever fell due first has its turn first: neither slots nor events keep the others waiting for good. */
static bool slot_goes_first(const struct scheduler *scheduler, const struct scheduled *it)
{
    if (it->join) {
        return scheduled_enabled(it) && join_complete(it) && join_slot(it) < it->wake->slot;
    }
    return it->cursor < it->keep_through && timeline_first(scheduler, it) < it->wake->slot;
}

static bool begin_event(struct scheduler *scheduler, struct scheduled *it)
{
    if (!wake_is_due(it) || slot_goes_first(scheduler, it) ||
        upstream_check_blocks_event(scheduler, it, it->wake->slot)) {
        return false;
    }
    begin(scheduler, it, it->wake->kind, it->wake->slot, false);
    return true;
}

/* True when there may be more to decide. */
static bool decide_slot(struct scheduler *scheduler, struct scheduled *it)
{
    char reason[SKIPPED_REASON_SIZE];
    if (it->cursor >= it->keep_through) {
        decision_flush(scheduler, it);
        return false;
    }
    instant slot = timeline_first(scheduler, it);
    if (wait_deadline(it, slot) <= scheduler->now) {
        wait_skip_late(scheduler, it, slot);
    } else if (upstream_check_blocking(scheduler, it, slot) != NULL) {
        begin(scheduler, it, RUN_SCHEDULE, slot, true);
    } else if (upstream_check_refuses(it, reason)) {
        decision_skip(scheduler, it, slot, true, reason);
    } else if (failing_skips(it, slot, reason)) {
        decision_skip(scheduler, it, slot, false, reason);
    } else {
        begin(scheduler, it, RUN_SCHEDULE, slot, false);
    }
    return true;
}

static bool decide_join(struct scheduler *scheduler, struct scheduled *it)
{
    char reason[SKIPPED_REASON_SIZE];
    if (!scheduled_enabled(it) || !join_complete(it)) {
        return false;
    }
    instant slot = join_slot(it);
    bool refused = upstream_check_refuses(it, reason);
    join_spend(it, slot);
    if (wait_deadline(it, slot) <= scheduler->now) {
        wait_skip_late(scheduler, it, slot);
    } else if (refused) {
        decision_skip(scheduler, it, slot, true, reason);
        join_skipped(it, true);
    } else {
        begin(scheduler, it, RUN_DEPENDENCY, slot, false);
    }
    return true;
}

/* Nothing else of the job is due. */
static void begin_backfill(struct scheduler *scheduler, struct scheduled *it)
{
    if (it->phase == PHASE_IDLE && it->request_count > 0 && !scheduled_is_asked_for(it) && !it->withdrawn) {
        struct request request = requests_take(scheduler, it);
        begin(scheduler, it, request.kind, request.slot, false);
    }
}

/* Something else became due before the backfill of a slot was claimed: that goes first. */
static bool gives_way(const struct scheduler *scheduler, const struct scheduled *it)
{
    bool waits = it->phase == PHASE_READY && it->kind == RUN_BACKFILL && !it->again;
    return waits && (scheduled_is_asked_for(it) || wake_is_due(it) ||
                     (scheduled_enabled(it) && !it->join && timeline_first(scheduler, it) <= it->keep_through));
}

static void consider(struct scheduler *scheduler, struct scheduled *it)
{
    bool more = true;
    while (more && it->phase == PHASE_IDLE && !begin_request(scheduler, it) && !begin_event(scheduler, it)) {
        more = it->join ? decide_join(scheduler, it) : decide_slot(scheduler, it);
    }
    begin_backfill(scheduler, it);
}

static void reconsider(struct scheduler *scheduler, struct scheduled *it)
{
    supersede(scheduler, it);
    bool live = it->phase == PHASE_LIVE || it->phase == PHASE_RETRYING;
    if (it->phase == PHASE_WAITING && upstream_check_blocking(scheduler, it, it->slot) == NULL) {
        /* Through idle, so that a failed upstream is noticed and a request goes first. */
        phase_set(scheduler, it, PHASE_IDLE);
    }
    if (gives_way(scheduler, it)) {
        requests_put_back(scheduler, it);
    }
    if (wake_must_wait(scheduler, it)) {
        phase_set(scheduler, it, PHASE_IDLE);
    }
    if (it->phase == PHASE_IDLE) {
        consider(scheduler, it);
    } else if (live) {
        decision_flush(scheduler, it);
    }
    if (it->join) {
        agenda_add_downstream(scheduler, it); /* it stands open while those before it do */
    }
}

void agenda_run(struct scheduler *scheduler)
{
    for (size_t i = 0; i < scheduler->agenda.count; i++) {
        struct scheduled *it = scheduler->agenda.items[i];
        it->on_agenda = false;
        reconsider(scheduler, it);
    }
    scheduler->agenda.count = 0;
}
