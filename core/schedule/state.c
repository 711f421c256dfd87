/* SPDX-License-Identifier: PostgreSQL */
#include "schedule/state.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"

/* --- life --------------------------------------------------------------------------------------------------------------- */

struct scheduler *scheduler_create(void)
{
    struct scheduler *scheduler = xcalloc(1, sizeof *scheduler);
    scheduler->now = INSTANT_NONE;
    scheduler->server_start = INSTANT_NONE;
    scheduler->started_at = INSTANT_NONE;
    scheduler_pool(scheduler, NULL, 0);
    return scheduler;
}

void scheduled_free(struct scheduler *scheduler, struct scheduled *it)
{
    pool_slots_leave(scheduler, it);
    job_free(it->copy);
    free(it->skip_reason);
    free(it->requests);
    wake_free(it->wake);
    free(it->upstream);
    free(it->downstream);
    free(it);
}

void scheduler_destroy(struct scheduler *scheduler)
{
    if (scheduler == NULL) {
        return;
    }
    heap_finish(&scheduler->slots);
    heap_finish(&scheduler->retries);
    heap_finish(&scheduler->deadlines);
    heap_finish(&scheduler->events);
    for (size_t i = 0; i < scheduler->all.count; i++) {
        scheduled_free(scheduler, scheduler->all.items[i]);
    }
    pool_slots_finish(scheduler);
    names_finish(&scheduler->names);
    free(scheduler->all.items);
    free(scheduler->gone.items);
    free(scheduler->armed.items);
    free(scheduler->agenda.items);
    free(scheduler->sorted.items);
    free(scheduler->walked.items);
    free(scheduler->late.items);
    free(scheduler->passed);
    free(scheduler->suspensions);
    free(scheduler);
}

void list_add(struct scheduled_list *list, struct scheduled *it)
{
    if (list->count == list->capacity) {
        list->capacity = list->capacity == 0 ? 64 : list->capacity * 2;
        list->items = xrealloc(list->items, list->capacity, sizeof(struct scheduled *));
    }
    list->items[list->count++] = it;
}

/* --- jobs --------------------------------------------------------------------------------------------------------------- */

void scheduled_define(struct scheduler *scheduler, struct scheduled *it, const struct job *job)
{
    it->job = job;
    it->join = job_is_join(job);
    pool_slots_define(scheduler, it);
    it->jitter = it->join ? 0 : (duration)(text_hash(job->name) % ((uint64_t)job->options.jitter + 1));
}

static void remember(struct scheduled *it, const struct job_memory *memory)
{
    it->job_id = memory->job_id;
    it->version = memory->version;
    it->cursor = it->keep_through = it->skip_through = memory->cursor;
    it->cursor_skipped = memory->cursor_skipped;
    it->has_outcome = memory->has_outcome;
    it->last_outcome = memory->last_outcome;
    it->outcome_at = memory->outcome_at;
    it->missed_at = memory->missed_at;
    it->missed_after = memory->missed_after;
    it->last_end = memory->last_end;
    it->expected = memory->last_duration;
    it->failures = memory->failures;
    it->suspended = memory->suspended;
}

struct scheduled *scheduled_create(struct scheduler *scheduler, const struct job *job, const struct job_memory *memory)
{
    struct scheduled *it = xcalloc(1, sizeof *it);
    scheduled_define(scheduler, it, job);
    remember(it, memory);
    it->run_missed_from = it->armed = it->noted = it->counted_from = it->caught_up_at = it->freed_at = INSTANT_NONE;
    it->slot_node.order = it->ready_node.order = it->retry_node.order = it->deadline_node.order = (uint64_t)
                                                                                                      memory->job_id;
    return it;
}

struct scheduled *scheduler_add(struct scheduler *scheduler, const struct job *job, const struct job_memory *memory)
{
    struct scheduled *it = scheduler->sorted_count > 0 ? scheduler_find(scheduler, memory->job_id) : NULL;
    if (it != NULL) { /* it went, and came back before its last run had ended */
        scheduler_replace(scheduler, it, job, memory);
        return it;
    }
    it = scheduled_create(scheduler, job, memory);
    list_add(&scheduler->all, it);
    names_put(&scheduler->names, it);
    return it;
}

bool scheduled_enabled(const struct scheduled *it)
{
    return scheduled_active(it) && !it->withdrawn;
}

bool scheduled_active(const struct scheduled *it)
{
    return it->job->active && !it->suspended && !it->retired;
}

void scheduler_note_missed(struct scheduled *it, instant at)
{
    it->missed_at = it->outcome_at < at ? at : it->outcome_at + 1;
}

bool scheduled_missed(const struct scheduled *it)
{
    return it->missed_at > it->outcome_at;
}

/* --- looking ------------------------------------------------------------------------------------------------------------ */

struct scheduled *scheduler_find(const struct scheduler *scheduler, int64_t job_id)
{
    struct scheduled *const *all = scheduler->all.items;
    size_t low = 0;
    size_t high = scheduler->sorted_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (all[middle]->job_id < job_id) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low < scheduler->sorted_count && all[low]->job_id == job_id ? all[low] : NULL;
}

size_t scheduler_count(const struct scheduler *scheduler)
{
    return scheduler->all.count;
}

struct scheduled *scheduler_at(const struct scheduler *scheduler, size_t index)
{
    return scheduler->all.items[index];
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

bool scheduled_idle(const struct scheduled *scheduled)
{
    return scheduled->phase == PHASE_IDLE && scheduled->request_count == 0 && !wake_is_due(scheduled);
}

bool scheduled_retired(const struct scheduled *scheduled)
{
    return scheduled->retired;
}

bool scheduled_is_at(const struct scheduled *scheduled, enum run_kind kind, instant slot)
{
    return scheduled->phase != PHASE_IDLE && scheduled->kind == kind && scheduled->slot == slot;
}

bool scheduler_quiet(const struct scheduler *scheduler)
{
    return scheduler->busy_count == 0 && scheduler->request_count == 0 && scheduler->event_count == 0 &&
           scheduler->skipped_taken == scheduler->skipped_count &&
           scheduler->suspension_taken == scheduler->suspension_count;
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
