/* SPDX-License-Identifier: PostgreSQL */
/* `after` names to pointers, both ways. */
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "schedule/state.h"

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

/* The last one in the list takes its place. */
static void leave_upstreams(const struct scheduled *it)
{
    for (size_t i = 0; i < it->upstream_count; i++) {
        struct scheduled *upstream = it->upstream[i].job;
        struct downstream last = upstream->downstream[--upstream->downstream_count];
        upstream->downstream[it->upstream[i].place] = last;
        last.job->upstream[last.place].place = it->upstream[i].place;
    }
}

static void join_upstreams(struct scheduled *it)
{
    for (size_t i = 0; i < it->upstream_count; i++) {
        struct scheduled *upstream = it->upstream[i].job;
        if (upstream->downstream_count == upstream->downstream_capacity) {
            upstream->downstream_capacity = upstream->downstream_capacity == 0 ? 1 : upstream->downstream_capacity * 2;
            upstream->downstream = xrealloc(upstream->downstream, upstream->downstream_capacity,
                                            sizeof(*upstream->downstream));
        }
        it->upstream[i].place = upstream->downstream_count;
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

/* --- looking at them ---------------------------------------------------------------------------------------------- */

bool scheduler_would_cycle(struct scheduler *scheduler, const struct scheduled *it, struct scheduled *upstream)
{
    scheduler->walk++;
    scheduler->walked.count = 0;
    list_add(&scheduler->walked, upstream);
    upstream->walk = scheduler->walk;
    for (size_t i = 0; i < scheduler->walked.count; i++) {
        const struct scheduled *here = scheduler->walked.items[i];
        if (here == it) {
            return true;
        }
        for (size_t n = 0; n < here->upstream_count; n++) {
            struct scheduled *next = here->upstream[n].job;
            if (next->walk != scheduler->walk) {
                next->walk = scheduler->walk;
                list_add(&scheduler->walked, next);
            }
        }
    }
    return false;
}

struct scheduled *scheduler_find_named(const struct scheduler *scheduler, const char *name)
{
    return names_find(&scheduler->names, name);
}

size_t scheduled_downstream_count(const struct scheduled *scheduled)
{
    return scheduled->downstream_count;
}

struct scheduled *scheduled_downstream(const struct scheduled *scheduled, size_t index)
{
    return scheduled->downstream[index].job;
}
