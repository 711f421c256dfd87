/* SPDX-License-Identifier: PostgreSQL */
/* One job comes, changes or goes, among however many: nothing of the others is rebuilt. */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "schedule/state.h"

/* --- its place among all ------------------------------------------------------------------------------------------ */

static size_t place_of(const struct scheduler *scheduler, int64_t job_id)
{
    size_t low = 0;
    size_t high = scheduler->all.count;
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

/* New ones have the largest id, as a rule: then nothing moves. */
static void insert(struct scheduler *scheduler, struct scheduled *it)
{
    struct scheduled_list *all = &scheduler->all;
    size_t place = place_of(scheduler, it->job_id);
    list_add(all, it);
    memmove(all->items + place + 1, all->items + place, (all->count - 1 - place) * sizeof(struct scheduled *));
    all->items[place] = it;
    scheduler->sorted_count = all->count;
}

/* --- those that went ---------------------------------------------------------------------------------------------- */

static bool may_be_forgotten(const struct scheduler *scheduler, const struct scheduled *it)
{
    return it->retired && it->phase == PHASE_IDLE && !it->on_agenda && !it->on_armed &&
           scheduler->skipped_taken == scheduler->skipped_count &&
           scheduler->suspension_taken == scheduler->suspension_count;
}

/* However many went, the others are moved once. */
static void close_gaps(struct scheduler *scheduler)
{
    struct scheduled_list *all = &scheduler->all;
    size_t kept = 0;
    for (size_t i = 0; i < all->count; i++) {
        if (all->items[i]->forgotten) {
            scheduled_free(scheduler, all->items[i]);
        } else {
            all->items[kept++] = all->items[i];
        }
    }
    scheduler->sorted_count = all->count = kept;
}

void scheduler_forget(struct scheduler *scheduler)
{
    size_t kept = 0;
    bool gaps = false;
    for (size_t i = 0; i < scheduler->gone.count; i++) {
        struct scheduled *it = scheduler->gone.items[i];
        if (!it->retired) {
            continue; /* it came back */
        }
        it->forgotten = may_be_forgotten(scheduler, it);
        gaps = gaps || it->forgotten;
        if (!it->forgotten) {
            scheduler->gone.items[kept++] = it;
        }
    }
    scheduler->gone.count = kept;
    if (gaps) {
        close_gaps(scheduler);
    }
}

/* --- coming, changing, going -------------------------------------------------------------------------------------- */

struct scheduled *scheduler_put(struct scheduler *scheduler, struct job *job, const struct job_memory *memory,
                                instant now)
{
    bool runs = scheduler->started_at != INSTANT_NONE;
    struct scheduled *it = runs ? scheduler_find(scheduler, memory->job_id) : NULL;
    if (it != NULL) {
        names_take(&scheduler->names, it);
        scheduler_replace(scheduler, it, job, memory);
        it->noted = INSTANT_NONE;
    } else {
        it = scheduled_create(scheduler, job, memory);
        if (runs) {
            insert(scheduler, it);
        } else {
            list_add(&scheduler->all, it);
        }
    }
    it->copy = job;
    names_put(&scheduler->names, it);
    if (runs) {
        link_one(scheduler, it);
        job_set_review(scheduler, it);
        wait_advance(scheduler, now);
        agenda_run(scheduler);
    }
    return it;
}

void scheduler_release_name(struct scheduler *scheduler, const struct scheduled *it)
{
    names_take(&scheduler->names, it);
}

void scheduler_remove(struct scheduler *scheduler, struct scheduled *it)
{
    bool known = it->retired;
    scheduler_retire(scheduler, it);
    names_take(&scheduler->names, it);
    link_none(it);
    if (it->copy == NULL) {
        it->job = it->copy = job_copy(it->job);
    }
    if (!known) {
        list_add(&scheduler->gone, it);
    }
    agenda_add_downstream(scheduler, it);
    agenda_run(scheduler);
}

void scheduler_miss(struct scheduler *scheduler, struct scheduled *it, const char *reason, instant until, instant now)
{
    wait_advance(scheduler, now);
    timeline_miss(scheduler, it, until < scheduler->now ? until : scheduler->now, reason);
    timeline_arm(scheduler, it);
    agenda_run(scheduler);
}

struct scheduled *scheduler_take_armed(struct scheduler *scheduler)
{
    if (scheduler->armed.count == 0) {
        return NULL;
    }
    struct scheduled *it = scheduler->armed.items[--scheduler->armed.count];
    it->on_armed = false;
    return it;
}

instant scheduled_next_slot(const struct scheduled *scheduled)
{
    bool known = heap_has(&scheduled->slot_node);
    return known ? scheduled->armed : INSTANT_NEVER;
}

void scheduled_note_slots(struct scheduled *scheduled, instant until)
{
    scheduled->noted = until;
}

instant scheduled_noted(const struct scheduled *scheduled)
{
    return scheduled->noted;
}

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
