/* SPDX-License-Identifier: PostgreSQL */
#include "schedule/state.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"

/* --- life --------------------------------------------------------------------------------------------------------- */

struct scheduler *scheduler_create(void)
{
    struct scheduler *scheduler = xcalloc(1, sizeof(*scheduler));
    scheduler->now = INSTANT_NONE;
    scheduler->server_start = INSTANT_NONE;
    scheduler->started_at = INSTANT_NONE;
    scheduler_pool(scheduler, NULL, 0);
    return scheduler;
}

void scheduled_free(struct scheduler *scheduler, struct scheduled *it)
{
    pool_slots_leave(scheduler, it);
    job_drop(it->job);
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
    free(scheduler->changed.items);
    free(scheduler->walked.items);
    free(scheduler->late.items);
    free(scheduler->passed);
    free(scheduler->suspensions);
    free(scheduler->cancellations);
    free(scheduler);
}

void scheduled_define(struct scheduler *scheduler, struct scheduled *it, const struct job *job)
{
    const struct job *old = it->job;
    it->job = job_hold(job);
    job_drop(old);
    it->join = job_is_join(it->job);
    pool_slots_define(scheduler, it);
    it->jitter = it->join ? 0 : (duration)(text_hash(it->job->name) % ((uint64_t)it->job->options->jitter + 1));
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
    struct scheduled *it = xcalloc(1, sizeof(*it));
    scheduled_define(scheduler, it, job);
    remember(it, memory);
    it->inherited_lag = SCHEDULED_LAG_UNTOLD;
    it->run_missed_from = it->armed = it->noted = it->counted_from = it->caught_up_at = INSTANT_NONE;
    it->began = it->freed_at = INSTANT_NONE;
    it->slot_node.order = it->ready_node.order = it->retry_node.order = it->deadline_node.order = (uint64_t)
                                                                                                      memory->job_id;
    return it;
}
