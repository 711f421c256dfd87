/* SPDX-License-Identifier: PostgreSQL */
/* Lists of jobs, and the one of all. */
#include <stdlib.h>

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

static int by_id(const void *left, const void *right)
{
    const struct scheduled *const *a = left;
    const struct scheduled *const *b = right;
    return ((*a)->job_id > (*b)->job_id) - ((*a)->job_id < (*b)->job_id);
}

void list_sort(struct scheduler *scheduler)
{
    struct scheduled_list *all = &scheduler->all;
    if (scheduler->sorted_count < all->count) {
        qsort(all->items, all->count, sizeof(struct scheduled *), by_id);
        scheduler->sorted_count = all->count;
    }
}

size_t list_place(const struct scheduler *scheduler, int64_t job_id)
{
    size_t low = 0;
    size_t high = scheduler->sorted_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        if (scheduler->all.items[middle]->job_id < job_id) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return low;
}

struct scheduled *scheduler_find(const struct scheduler *scheduler, int64_t job_id)
{
    struct scheduled *const *all = scheduler->all.items;
    size_t place = list_place(scheduler, job_id);
    return place < scheduler->sorted_count && all[place]->job_id == job_id ? all[place] : NULL;
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
