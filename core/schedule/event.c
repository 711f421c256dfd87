/* SPDX-License-Identifier: PostgreSQL */
/* What happens outside of any schedule: notifications, and changes of sources. */
#include <stdlib.h>

#include "base/memory.h"
#include "schedule/state.h"

#define BURST_FACTOR 10 /* how often the debounce a burst may go on, where debounce_max does not say */
#define AT_ONCE (2 * USEC_PER_SEC)

static instant later(instant a, instant b)
{
    return a > b ? a : b;
}

static instant earlier(instant a, instant b)
{
    return a < b ? a : b;
}

static struct wake *create(struct scheduled *it)
{
    struct wake *wake = xcalloc(1, sizeof(*wake));
    wake->job = it;
    wake->node.order = (uint64_t)it->job_id;
    wake->by = INSTANT_NEVER;
    wake->last_slot[0] = wake->last_slot[1] = INSTANT_NONE;
    return wake;
}

static struct wake *wake_of(struct scheduled *it)
{
    if (it->wake == NULL) {
        it->wake = create(it);
    }
    return it->wake;
}

void wake_free(struct wake *wake)
{
    if (wake != NULL) {
        free(wake->payload);
        free(wake->running);
        free(wake->next.payload);
        free(wake);
    }
}

/* --- looking ------------------------------------------------------------------------------------------------------ */

static bool is_ready(const struct scheduled *it)
{
    return wake_runs(it) && it->phase == PHASE_READY && !it->again;
}

bool wake_must_wait(struct scheduler *scheduler, const struct scheduled *it)
{
    return is_ready(it) && upstream_check_blocks_event(scheduler, it, it->slot);
}

const char *wake_payload(const struct scheduled *it)
{
    return wake_runs(it) && it->wake != NULL ? it->wake->running : NULL;
}

/* --- falling due -------------------------------------------------------------------------------------------------- */

/* The ledger knows a run by job, kind and slot: no two may have the same. */
static instant number(struct wake *wake, enum run_kind kind, instant at)
{
    instant *last = &wake->last_slot[kind == RUN_EVENT ? 0 : 1];
    *last = *last != INSTANT_NONE ? later(at, *last + 1) : at;
    return *last;
}

/* Those after it look again: one that is ready may have to wait for it. */
static void fall_due(struct scheduler *scheduler, struct wake *wake, instant at)
{
    heap_remove(&scheduler->events, &wake->node);
    wake->due = true;
    wake->slot = wake->by = number(wake, wake->kind, at);
    agenda_add(scheduler, wake->job);
    agenda_add_downstream(scheduler, wake->job);
}

void wake_advance(struct scheduler *scheduler)
{
    const struct heap_node *node;
    while ((node = heap_first(&scheduler->events)) != NULL && node->key <= scheduler->now) {
        fall_due(scheduler, (struct wake *)(void *)((char *)node - offsetof(struct wake, node)), node->key);
    }
}

static instant quiet_at(const struct wake *wake)
{
    const struct job_options *options = wake->job->job->options;
    duration limit = options->debounce_max > 0 ? options->debounce_max : options->debounce * BURST_FACTOR;
    return earlier(wake->last + options->debounce, wake->first + limit);
}

static instant due_at(const struct scheduler *scheduler, const struct wake *wake)
{
    instant quiet = scheduler->hurried ? wake->last : quiet_at(wake);
    return wake->kind == RUN_EVENT ? earlier(wake->by, quiet) : wake->by;
}

static void count(struct scheduler *scheduler, struct wake *wake)
{
    bool counts = wake->pending && scheduled_active(wake->job);
    scheduler->event_count += counts ? 1u : 0u;
    scheduler->event_count -= wake->counted ? 1u : 0u;
    wake->counted = counts;
}

/* Changes are told again; a notification comes once. */
static void fall_asleep(struct wake *wake)
{
    wake->due = false;
    wake->pending = wake->pending && wake->kind == RUN_EVENT;
}

void wake_arm(struct scheduler *scheduler, struct scheduled *it)
{
    struct wake *wake = it->wake;
    if (wake == NULL) {
        return;
    }
    if (!scheduled_enabled(it)) {
        fall_asleep(wake);
    }
    count(scheduler, wake);
    if (!wake->pending || wake->due || !scheduled_enabled(it)) {
        heap_remove(&scheduler->events, &wake->node);
        return;
    }
    instant at = due_at(scheduler, wake);
    if (at <= scheduler->now) {
        fall_due(scheduler, wake, scheduler->now);
    } else {
        heap_put(&scheduler->events, &wake->node, at);
    }
}

static void set_payload(struct wake *wake, const char *payload)
{
    free(wake->payload);
    wake->payload = payload != NULL ? xstrdup(payload) : NULL;
}

static void next_drop(struct wake *wake)
{
    free(wake->next.payload);
    wake->next = (struct wake_next){.noted = false};
}

/* The run that waits for its upstreams is on its way: what came since is the next one's. */
static void next_begins(struct wake *wake)
{
    if (wake->next.noted) {
        wake->pending = true;
        wake->kind = RUN_EVENT;
        wake->first = wake->next.first;
        wake->last = wake->next.last;
        wake->by = INSTANT_NEVER;
        wake->payload = wake->next.payload;
        wake->next = (struct wake_next){.noted = false};
    }
}

void wake_drop(struct scheduler *scheduler, struct scheduled *it)
{
    struct wake *wake = it->wake;
    if (wake == NULL || !wake->pending) {
        return;
    }
    set_payload(wake, NULL);
    next_drop(wake);
    wake->pending = wake->due = false;
    wake_arm(scheduler, it);
    agenda_add_downstream(scheduler, it);
}

void wake_shift(struct scheduler *scheduler, struct scheduled *it, duration by)
{
    struct wake *wake = it->wake;
    if (wake != NULL && wake->pending) {
        wake->first += by;
        wake->last += by;
        wake->by += wake->by != INSTANT_NEVER ? by : 0;
        wake_arm(scheduler, it);
    }
}

/* --- from the claim to the end ------------------------------------------------------------------------------------ */

void wake_taken(struct scheduler *scheduler, struct scheduled *it)
{
    struct wake *wake = it->wake;
    if (!wake_runs(it) || it->again) {
        return;
    }
    wake->running = wake->payload;
    wake->payload = NULL;
    wake->pending = wake->due = false;
    next_begins(wake);
    wake_arm(scheduler, it);
}

void wake_untaken(struct scheduler *scheduler, struct scheduled *it)
{
    struct wake *wake = it->wake;
    if (!wake_runs(it) || it->again) {
        return;
    }
    if (wake->pending && it->kind == RUN_CHANGE) { /* what came meanwhile is a notification */
        it->slot = number(wake, wake->kind, it->slot);
    } else if (!wake->pending) {
        wake->payload = wake->running;
        wake->running = NULL;
        wake->kind = it->kind;
    } else if (wake->running == NULL) {
        set_payload(wake, NULL);
    }
    wake_ended(it);
    it->kind = wake->kind;
    wake->slot = wake->by = it->slot;
    wake->pending = wake->due = true;
    wake_arm(scheduler, it);
}

void wake_adopted(struct scheduled *it)
{
    if (wake_is_of(it->kind)) {
        number(wake_of(it), it->kind, it->slot);
    }
}

void wake_ended(struct scheduled *it)
{
    if (it->wake != NULL) {
        free(it->wake->running);
        it->wake->running = NULL;
    }
}

/* --- what happens ------------------------------------------------------------------------------------------------- */

static void become_event(struct scheduler *scheduler, struct scheduled *it, struct wake *wake)
{
    wake->kind = RUN_EVENT;
    wake->first = scheduler->now;
    if (wake->due) {
        if (is_ready(it)) {
            phase_set(scheduler, it, PHASE_IDLE); /* it begins anew, as what it is now */
        }
        fall_due(scheduler, wake, wake->slot);
    }
}

/* One that waits for its upstreams would go with this one's payload before they have seen to it: their next run is not
 * waited for. */
static bool is_for_the_next(const struct scheduled *it)
{
    const struct wake *wake = it->wake;
    bool waits = it->upstream_count > 0 && wake_is_due(it) && wake->kind == RUN_EVENT && scheduled_enabled(it);
    return waits || (wake != NULL && wake->next.noted);
}

static void note_next(struct scheduler *scheduler, struct wake *wake, const char *payload)
{
    bool everything = wake->next.noted && wake->next.payload == NULL;
    if (!wake->next.noted) {
        wake->next.noted = true;
        wake->next.first = scheduler->now;
    }
    wake->next.last = scheduler->now;
    free(wake->next.payload);
    wake->next.payload = payload != NULL && !everything ? xstrdup(payload) : NULL;
}

/* What was to look at everything still does, whatever is told after that. */
static void note_notification(struct scheduler *scheduler, struct scheduled *it, const char *payload)
{
    struct wake *wake = wake_of(it);
    if (is_for_the_next(it)) {
        note_next(scheduler, wake, payload);
        return;
    }
    bool everything = wake->pending && wake->kind == RUN_EVENT && wake->payload == NULL;
    if (!wake->pending) {
        wake->pending = true;
        wake->kind = RUN_EVENT;
        wake->first = scheduler->now;
        wake->by = INSTANT_NEVER;
    } else if (wake->kind == RUN_CHANGE) {
        become_event(scheduler, it, wake);
    }
    wake->last = scheduler->now;
    set_payload(wake, everything ? NULL : payload);
}

void scheduler_hurry(struct scheduler *scheduler)
{
    scheduler->hurried = true;
}

static instant change_due_at(const struct scheduler *scheduler, const struct scheduled *it)
{
    duration lag = scheduled_target_lag(it);
    bool at_once = scheduler->hurried || lag <= AT_ONCE;
    duration wait = at_once ? 0 : lag / 2 - it->expected;
    instant at = scheduler->now + (wait > 0 ? wait : 0);
    return later(at, failing_until(it)); /* while its sources change all the time */
}

/* A notification that waits for quiet is due earlier where the views may not wait as long. */
static void note_change(struct scheduler *scheduler, struct scheduled *it)
{
    if (!scheduled_idle(it) || !scheduled_enabled(it)) {
        return;
    }
    struct wake *wake = wake_of(it);
    if (!wake->pending) {
        wake->pending = true;
        wake->kind = RUN_CHANGE;
        wake->by = INSTANT_NEVER;
    }
    wake->by = earlier(wake->by, change_due_at(scheduler, it));
}

void wake_note(struct scheduler *scheduler, struct scheduled *it, enum run_kind kind, const char *payload)
{
    if (kind == RUN_EVENT) {
        note_notification(scheduler, it, payload);
    } else {
        note_change(scheduler, it);
    }
    wake_arm(scheduler, it);
}
