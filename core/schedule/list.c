/* SPDX-License-Identifier: PostgreSQL */
/* Lists of jobs, and the one of all. */
#include "base/memory.h"
#include "schedule/state.h"

void list_add(struct scheduled_list *list, struct scheduled *it)
{
    if (list->count == list->capacity) {
        list->capacity = list->capacity == 0 ? 64 : list->capacity * 2;
        list->items = xrealloc(list->items, list->capacity, sizeof(struct scheduled *));
    }
    list->items[list->count++] = it;
}

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

bool scheduler_quiet(const struct scheduler *scheduler)
{
    return scheduler->busy_count == 0 && scheduler->request_count == 0 && scheduler->event_count == 0 &&
           scheduler->skipped_taken == scheduler->skipped_count &&
           scheduler->suspension_taken == scheduler->suspension_count;
}
