/* SPDX-License-Identifier: PostgreSQL */
/* Which jobs there are: one comes, changes or goes, among however many, wherever it came from. */
#include <string.h>

#include "schedule/state.h"

/* --- its place among all ------------------------------------------------------------------------------------------ */

/* New ones have the largest id, as a rule: then nothing moves. */
static void insert(struct scheduler *scheduler, struct scheduled *it)
{
    struct scheduled_list *all = &scheduler->all;
    size_t place = list_place(scheduler, it->job_id);
    list_add(all, it);
    memmove(all->items + place + 1, all->items + place, (all->count - 1 - place) * sizeof(struct scheduled *));
    all->items[place] = it;
    scheduler->sorted_count = all->count;
}

static struct scheduled *come(struct scheduler *scheduler, const struct job *job, const struct job_memory *memory)
{
    struct scheduled *it = scheduled_create(scheduler, job, memory);
    if (scheduler->started_at == INSTANT_NONE) {
        list_add(&scheduler->all, it);
    } else {
        insert(scheduler, it);
    }
    return it;
}

/* --- coming, changing, going -------------------------------------------------------------------------------------- */

static void note_change(struct scheduler *scheduler, struct scheduled *it)
{
    if (!it->changed) {
        it->changed = true;
        list_add(&scheduler->changed, it);
    }
}

struct scheduled *scheduler_put(struct scheduler *scheduler, const struct job *job, const struct job_memory *memory)
{
    struct scheduled *it = scheduler_find(scheduler, memory->job_id);
    if (it != NULL) {
        names_take(&scheduler->names, it);
        scheduled_redefine(scheduler, it, job, memory);
    } else {
        it = come(scheduler, job, memory);
    }
    names_put(&scheduler->names, it);
    note_change(scheduler, it);
    return it;
}

void scheduler_release_name(struct scheduler *scheduler, const struct scheduled *it)
{
    names_take(&scheduler->names, it);
}

void scheduler_remove(struct scheduler *scheduler, struct scheduled *it)
{
    bool known = it->retired;
    if (phase_is_unstarted(it)) {
        phase_set(scheduler, it, PHASE_IDLE);
    }
    requests_drop(scheduler, it);
    wake_drop(scheduler, it);
    it->retired = true;
    retry_at_once(scheduler, it);
    timeline_arm(scheduler, it);
    names_take(&scheduler->names, it);
    link_none(it);
    if (!known) {
        list_add(&scheduler->gone, it);
    }
    agenda_add_downstream(scheduler, it);
}

/* --- once all of them are there ----------------------------------------------------------------------------------- */

/* Its definition may be another: its deadline, its timer, and what it waits for. */
static void review(struct scheduler *scheduler, struct scheduled *it)
{
    bool ready = phase_is_unstarted(it) && it->phase == PHASE_READY && it->kind == RUN_SCHEDULE;
    bool blocked = ready && upstream_check_blocking(scheduler, it, it->slot) != NULL;
    phase_set(scheduler, it, blocked ? PHASE_WAITING : it->phase);
    timeline_arm(scheduler, it);
    wake_arm(scheduler, it);
    suspend_if_failing(scheduler, it, true);
    agenda_add(scheduler, it);
}

static void review_changed(struct scheduler *scheduler, instant now)
{
    const struct scheduled_list *changed = &scheduler->changed;
    for (size_t i = 0; i < changed->count; i++) {
        if (!changed->items[i]->retired) {
            review(scheduler, changed->items[i]);
        }
    }
    for (size_t i = 0; i < changed->count; i++) {
        agenda_add_downstream(scheduler, changed->items[i]);
    }
    wait_advance(scheduler, now);
    agenda_run(scheduler);
}

void scheduler_link(struct scheduler *scheduler, instant now)
{
    struct scheduled_list *changed = &scheduler->changed;
    list_sort(scheduler);
    for (size_t i = 0; i < changed->count; i++) {
        changed->items[i]->changed = false;
        if (!changed->items[i]->retired) {
            link_one(scheduler, changed->items[i]);
        }
    }
    if (scheduler->started_at != INSTANT_NONE) {
        review_changed(scheduler, now);
    }
    changed->count = 0;
}

/* --- those that went ---------------------------------------------------------------------------------------------- */

static bool may_be_forgotten(const struct scheduler *scheduler, const struct scheduled *it)
{
    return it->retired && it->phase == PHASE_IDLE && !it->changed && !it->on_agenda && !it->on_armed &&
           it->downstream_count == 0 && scheduler->skipped_taken == scheduler->skipped_count &&
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
