#include "schedule/state.h"

#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"

struct scheduler *scheduler_create(void)
{
    return xcalloc(1, sizeof(struct scheduler));
}

static void scheduled_free(struct scheduled *it)
{
    free(it->requests);
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
    for (size_t i = 0; i < PRIORITY_COUNT; i++) {
        heap_finish(&scheduler->ready[i]);
    }
    for (size_t i = 0; i < scheduler->count; i++) {
        scheduled_free(scheduler->all[i]);
    }
    free(scheduler->all);
    free(scheduler->due);
    free(scheduler->passed);
    free(scheduler);
}

struct scheduled *scheduler_add(struct scheduler *scheduler, const struct job *job, const struct job_memory *memory)
{
    struct scheduled *it = xcalloc(1, sizeof *it);
    it->job = job;
    it->job_id = memory->job_id;
    it->version = memory->version;
    it->cursor = it->keep_through = it->skip_through = memory->cursor;
    it->has_outcome = memory->has_outcome;
    it->last_outcome = memory->last_outcome;
    it->expected = memory->last_duration;
    if (scheduler->count == scheduler->capacity) {
        scheduler->capacity = scheduler->capacity == 0 ? 64 : scheduler->capacity * 2;
        scheduler->all = xrealloc(scheduler->all, scheduler->capacity, sizeof(struct scheduled *));
    }
    it->slot_node.order = scheduler->count;
    scheduler->all[scheduler->count++] = it;
    return it;
}

static int by_name(const void *left, const void *right)
{
    const struct scheduled *const *a = left;
    const struct scheduled *const *b = right;
    return strcmp((*a)->job->name, (*b)->job->name);
}

static int by_id(const void *left, const void *right)
{
    const struct scheduled *const *a = left;
    const struct scheduled *const *b = right;
    return ((*a)->job_id > (*b)->job_id) - ((*a)->job_id < (*b)->job_id);
}

static struct scheduled *find_name(const struct scheduler *scheduler, const char *name)
{
    size_t low = 0;
    size_t high = scheduler->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(name, scheduler->all[middle]->job->name);
        if (order == 0) {
            return scheduler->all[middle];
        }
        if (order < 0) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return NULL;
}

static void append(struct scheduled ***list, size_t *count, struct scheduled *item)
{
    *list = xrealloc(*list, *count + 1, sizeof **list);
    (*list)[(*count)++] = item;
}

/* `after` names to pointers, both ways; then sorts by job_id, for scheduler_find. */
void scheduler_link(struct scheduler *scheduler)
{
    if (scheduler->count == 0) {
        return;
    }
    qsort(scheduler->all, scheduler->count, sizeof *scheduler->all, by_name);
    for (size_t i = 0; i < scheduler->count; i++) {
        struct scheduled *it = scheduler->all[i];
        for (size_t n = 0; n < it->job->after_count; n++) {
            struct scheduled *upstream = find_name(scheduler, it->job->after[n]);
            if (upstream == NULL) {
                fatal("job %s comes after unknown job %s", it->job->name, it->job->after[n]);
            }
            append(&it->upstream, &it->upstream_count, upstream);
            append(&upstream->downstream, &upstream->downstream_count, it);
        }
    }
    qsort(scheduler->all, scheduler->count, sizeof *scheduler->all, by_id);
}

void state_push_due(struct scheduler *scheduler, struct scheduled *it)
{
    if (scheduler->due_count == scheduler->due_capacity) {
        scheduler->due_capacity = scheduler->due_capacity == 0 ? 64 : scheduler->due_capacity * 2;
        scheduler->due = xrealloc(scheduler->due, scheduler->due_capacity, sizeof(struct scheduled *));
    }
    scheduler->due[scheduler->due_count++] = it;
}

struct scheduled *scheduler_find(const struct scheduler *scheduler, int64_t job_id)
{
    size_t low = 0;
    size_t high = scheduler->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int64_t id = scheduler->all[middle]->job_id;
        if (id == job_id) {
            return scheduler->all[middle];
        }
        if (job_id < id) {
            high = middle;
        } else {
            low = middle + 1;
        }
    }
    return NULL;
}

const struct job *scheduled_job(const struct scheduled *scheduled)
{
    return scheduled->job;
}

int64_t scheduled_id(const struct scheduled *scheduled)
{
    return scheduled->job_id;
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
    return scheduled->phase == PHASE_IDLE && scheduled->request_count == 0;
}

bool scheduled_is_at(const struct scheduled *scheduled, enum run_kind kind, instant slot)
{
    return scheduled->phase != PHASE_IDLE && scheduled->kind == kind && scheduled->slot == slot;
}

size_t scheduler_count(const struct scheduler *scheduler)
{
    return scheduler->count;
}
