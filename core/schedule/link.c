/* SPDX-License-Identifier: PostgreSQL */
/* `after` names to pointers, both ways. */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "schedule/state.h"

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

static void sort(struct scheduled_list *list, int (*order)(const void *, const void *))
{
    if (list->count > 0) {
        qsort(list->items, list->count, sizeof(*list->items), order);
    }
}

static struct scheduled *find_upstream(const struct scheduler *scheduler, const struct scheduled *it, size_t place)
{
    const char *name = it->job->after[place];
    struct scheduled *found = names_find(&scheduler->names, name);
    if (found == NULL) {
        fatal("job %s comes after unknown job %s", it->job->name, name);
    }
    return found;
}

/* An upstream result stays with the upstream that left it; a new upstream's is what the ledger would remember. */
static void link_upstream(struct scheduled *it, size_t place, struct scheduled *job)
{
    struct upstream *upstream = &it->upstream[place];
    if (job->carried != NULL) {
        *upstream = *job->carried;
        return;
    }
    *upstream = (struct upstream){.job = job};
    if (it->join) {
        join_rebuild_result(it, upstream);
    }
}

static void link_upstreams(const struct scheduler *scheduler, struct scheduled *it)
{
    struct upstream *old = it->upstream;
    size_t old_count = it->linked_as_join ? it->upstream_count : 0;
    for (size_t i = 0; i < old_count; i++) {
        old[i].job->carried = &old[i];
    }
    it->upstream_count = it->job->after_count;
    it->upstream = it->upstream_count > 0 ? xcalloc(it->upstream_count, sizeof(*it->upstream)) : NULL;
    for (size_t i = 0; i < it->upstream_count; i++) {
        link_upstream(it, i, find_upstream(scheduler, it, i));
    }
    for (size_t i = 0; i < old_count; i++) {
        old[i].job->carried = NULL;
    }
    free(old);
    if (it->join && !it->linked_as_join) {
        join_rebuilt(it);
    }
    it->linked_as_join = it->join;
}

static void unlink_all(const struct scheduler *scheduler)
{
    for (size_t i = 0; i < scheduler->all.count; i++) {
        struct scheduled *it = scheduler->all.items[i];
        free(it->downstream);
        it->downstream = NULL;
        it->downstream_count = 0;
        if (it->retired) {
            free(it->upstream);
            it->upstream = NULL;
            it->upstream_count = 0;
            it->linked_as_join = false;
        }
    }
}

static void link_downstream(const struct scheduled_list *names)
{
    for (size_t i = 0; i < names->count; i++) {
        for (size_t n = 0; n < names->items[i]->upstream_count; n++) {
            names->items[i]->upstream[n].job->downstream_count++;
        }
    }
    for (size_t i = 0; i < names->count; i++) {
        struct scheduled *it = names->items[i];
        it->downstream = it->downstream_count > 0 ? xcalloc(it->downstream_count, sizeof(*it->downstream)) : NULL;
        it->downstream_count = 0;
    }
    for (size_t i = 0; i < names->count; i++) {
        for (size_t n = 0; n < names->items[i]->upstream_count; n++) {
            struct scheduled *upstream = names->items[i]->upstream[n].job;
            upstream->downstream[upstream->downstream_count++] = (struct downstream){names->items[i], n};
        }
    }
}

static void list_names(struct scheduler *scheduler)
{
    scheduler->sorted.count = 0;
    names_clear(&scheduler->names);
    for (size_t i = 0; i < scheduler->all.count; i++) {
        if (!scheduler->all.items[i]->retired) {
            list_add(&scheduler->sorted, scheduler->all.items[i]);
            names_put(&scheduler->names, scheduler->all.items[i]);
        }
    }
    sort(&scheduler->sorted, by_name);
}

void link_all(struct scheduler *scheduler)
{
    const struct scheduled_list *sorted = &scheduler->sorted;
    unlink_all(scheduler);
    list_names(scheduler);
    for (size_t i = 0; i < sorted->count; i++) {
        link_upstreams(scheduler, sorted->items[i]);
    }
    link_downstream(sorted);
    sort(&scheduler->all, by_id);
    scheduler->sorted_count = scheduler->all.count;
}

/* --- one job only ------------------------------------------------------------------------------------------------- */

static void leave_upstreams(const struct scheduled *it)
{
    for (size_t i = 0; i < it->upstream_count; i++) {
        struct scheduled *upstream = it->upstream[i].job;
        for (size_t n = upstream->downstream_count; n-- > 0;) {
            if (upstream->downstream[n].job == it) {
                upstream->downstream[n] = upstream->downstream[--upstream->downstream_count];
            }
        }
    }
}

static void join_upstreams(struct scheduled *it)
{
    for (size_t i = 0; i < it->upstream_count; i++) {
        struct scheduled *upstream = it->upstream[i].job;
        upstream->downstream = xrealloc(upstream->downstream, upstream->downstream_count + 1,
                                        sizeof(*upstream->downstream));
        upstream->downstream[upstream->downstream_count++] = (struct downstream){it, i};
    }
}

void link_one(struct scheduler *scheduler, struct scheduled *it)
{
    leave_upstreams(it);
    link_upstreams(scheduler, it);
    join_upstreams(it);
}

void link_none(struct scheduled *it)
{
    leave_upstreams(it);
    free(it->upstream);
    it->upstream = NULL;
    it->upstream_count = 0;
    it->linked_as_join = false;
}
