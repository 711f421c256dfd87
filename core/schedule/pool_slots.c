/* SPDX-License-Identifier: PostgreSQL */
/* Places in pools, and the lines of those who want one.
 *
 * A line is of one pool and one owner, whose sessions nobody else may use; in it they stand by priority, then slot,
 * then job. A run that goes on after a chunk stands as if it were of that moment.
 * Owners take turns: none waits behind the backlog of another. */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "schedule/state.h"

/* --- pools -------------------------------------------------------------------------------------------------------- */

static struct pool *find(const struct scheduler *scheduler, const char *name)
{
    for (size_t i = 1; name != NULL && i < scheduler->pool_count; i++) {
        if (strcmp(scheduler->pools[i]->name, name) == 0) {
            return scheduler->pools[i];
        }
    }
    return NULL;
}

static struct pool *pool_slots_of(const struct scheduler *scheduler, const struct job *job)
{
    struct pool *known = find(scheduler, job->options->pool);
    return known != NULL ? known : scheduler->pools[0];
}

bool pool_has_slot(const struct pool *pool)
{
    return pool->limit == 0 || pool->held < pool->limit;
}

int64_t scheduler_pool_held(const struct scheduler *scheduler, const char *name)
{
    const struct pool *pool = find(scheduler, name);
    return pool != NULL ? pool->held : 0;
}

bool scheduled_lacks_slot(const struct scheduled *scheduled)
{
    return !pool_has_slot(scheduled->pool);
}

static bool holds_pool_slot(enum phase phase)
{
    return phase == PHASE_CLAIMING || phase == PHASE_LIVE;
}

/* --- owners and lines --------------------------------------------------------------------------------------------- */

static struct owner *find_owner(const struct scheduler *scheduler, const char *role, const char *target)
{
    for (size_t i = 0; i < scheduler->owner_count; i++) {
        struct owner *owner = scheduler->owners[i];
        if (text_same(owner->role, role) && text_same(owner->target, target)) {
            return owner;
        }
    }
    return NULL;
}

bool scheduler_has_owner(const struct scheduler *scheduler, const char *role, const char *target)
{
    return find_owner(scheduler, role, target) != NULL;
}

size_t scheduler_owner_count(const struct scheduler *scheduler)
{
    return scheduler->owner_count;
}

const char *scheduler_owner(const struct scheduler *scheduler, size_t index)
{
    return scheduler->owners[index]->role;
}

static struct owner *owner_of(struct scheduler *scheduler, const struct job *job)
{
    struct owner *known = find_owner(scheduler, job->owner, job->target);
    if (known != NULL) {
        return known;
    }
    struct owner *owner = xcalloc(1, sizeof(*owner));
    owner->role = job->owner != NULL ? xstrdup(job->owner) : NULL;
    owner->target = job->target != NULL ? xstrdup(job->target) : NULL;
    scheduler->owners = xrealloc(scheduler->owners, scheduler->owner_count + 1, sizeof(struct owner *));
    scheduler->owners[scheduler->owner_count++] = owner;
    return owner;
}

static struct line *line_of(struct scheduler *scheduler, struct pool *pool, struct owner *owner)
{
    for (size_t i = 0; i < scheduler->line_count; i++) {
        if (scheduler->lines[i]->pool == pool && scheduler->lines[i]->owner == owner) {
            return scheduler->lines[i];
        }
    }
    struct line *line = xcalloc(1, sizeof(*line));
    line->pool = pool;
    line->owner = owner;
    owner->lines++;
    scheduler->lines = xrealloc(scheduler->lines, scheduler->line_count + 1, sizeof(struct line *));
    scheduler->ready = xrealloc(scheduler->ready, scheduler->line_count + 1, sizeof(struct line *));
    scheduler->lines[scheduler->line_count++] = line;
    return line;
}

static void free_owner(struct owner *owner)
{
    free(owner->role);
    free(owner->target);
    free(owner);
}

static void free_line(struct line *line)
{
    for (size_t n = 0; n < PRIORITY_COUNT; n++) {
        heap_finish(&line->heaps[n]);
    }
    free(line);
}

static void remove_owner(struct scheduler *scheduler, struct owner *owner)
{
    size_t at = 0;
    while (scheduler->owners[at] != owner) {
        at++;
    }
    scheduler->owners[at] = scheduler->owners[--scheduler->owner_count];
    free_owner(owner);
}

static void remove_line(struct scheduler *scheduler, struct line *line)
{
    size_t at = 0;
    while (scheduler->lines[at] != line) {
        at++;
    }
    scheduler->lines[at] = scheduler->lines[--scheduler->line_count];
    if (--line->owner->lines == 0) {
        remove_owner(scheduler, line->owner);
    }
    free_line(line);
}

void pool_slots_leave(struct scheduler *scheduler, struct scheduled *it)
{
    if (it->line != NULL && --it->line->jobs == 0) {
        remove_line(scheduler, it->line);
    }
    it->line = NULL;
}

void pool_slots_define(struct scheduler *scheduler, struct scheduled *it)
{
    it->pool = pool_slots_of(scheduler, it->job);
    struct line *line = line_of(scheduler, it->pool, owner_of(scheduler, it->job));
    line->jobs++;
    pool_slots_leave(scheduler, it);
    it->line = line;
    it->priority = (size_t)it->job->options->priority;
}

void pool_slots_finish(struct scheduler *scheduler)
{
    for (size_t i = 0; i < scheduler->pool_count; i++) {
        free((char *)scheduler->pools[i]->name);
        free(scheduler->pools[i]);
    }
    for (size_t i = 0; i < scheduler->owner_count; i++) {
        free_owner(scheduler->owners[i]);
    }
    for (size_t i = 0; i < scheduler->line_count; i++) {
        free_line(scheduler->lines[i]);
    }
    free(scheduler->pools);
    free(scheduler->owners);
    free(scheduler->lines);
    free(scheduler->ready);
}

/* --- standing in line --------------------------------------------------------------------------------------------- */

static size_t priority_of(const struct scheduled *it)
{
    return it->kind == RUN_BACKFILL ? PRIORITY_BACKFILL : it->priority;
}

static void line_up(struct scheduler *scheduler, struct scheduled *it)
{
    struct line *line = it->line;
    heap_put(&line->heaps[priority_of(it)], &it->ready_node, it->stands);
    if (line->count++ == 0) {
        line->place = scheduler->ready_count;
        scheduler->ready[scheduler->ready_count++] = line;
    }
}

static void leave_line(struct scheduler *scheduler, struct scheduled *it)
{
    struct line *line = it->line;
    heap_remove(&line->heaps[priority_of(it)], &it->ready_node);
    if (--line->count == 0) {
        struct line *last = scheduler->ready[--scheduler->ready_count];
        scheduler->ready[line->place] = last;
        last->place = line->place;
    }
}

void pool_slots_follow(struct scheduler *scheduler, struct scheduled *it, enum phase from, enum phase to)
{
    it->pool->held += (int)holds_pool_slot(to) - (int)holds_pool_slot(from);
    if (from == PHASE_READY) {
        leave_line(scheduler, it);
    }
    if (to == PHASE_READY) {
        line_up(scheduler, it);
    }
}

/* Jobs that name it had no limit until now. */
static void enter_pool(struct scheduler *scheduler, const char *name)
{
    for (size_t i = 0; i < scheduler->all.count; i++) {
        struct scheduled *it = scheduler->all.items[i];
        if (text_same(it->job->options->pool, name)) {
            pool_slots_follow(scheduler, it, it->phase, PHASE_IDLE);
            pool_slots_define(scheduler, it);
            pool_slots_follow(scheduler, it, PHASE_IDLE, it->phase);
        }
    }
}

static struct pool *add_pool(struct scheduler *scheduler, const char *name)
{
    struct pool *pool = xcalloc(1, sizeof(*pool));
    pool->name = name != NULL ? xstrdup(name) : NULL;
    scheduler->pools = xrealloc(scheduler->pools, scheduler->pool_count + 1, sizeof(struct pool *));
    scheduler->pools[scheduler->pool_count++] = pool;
    if (name != NULL) {
        enter_pool(scheduler, name);
    }
    return pool;
}

void scheduler_pool(struct scheduler *scheduler, const char *name, int64_t limit)
{
    struct pool *known = find(scheduler, name);
    struct pool *pool = known != NULL ? known : add_pool(scheduler, name);
    pool->limit = limit;
}

size_t scheduled_waiting_beside(const struct scheduled *scheduled)
{
    return scheduled->line->count;
}

/* --- who is next -------------------------------------------------------------------------------------------------- */

void scheduler_begin_round(struct scheduler *scheduler)
{
    scheduler->round++;
}

static struct owner *in_round(const struct scheduler *scheduler, struct owner *owner)
{
    if (owner->round != scheduler->round) {
        owner->round = scheduler->round;
        owner->taken = 0;
        owner->passed_over = false;
    }
    return owner;
}

void scheduler_leave_out(struct scheduler *scheduler, const struct scheduled *it)
{
    in_round(scheduler, it->line->owner)->passed_over = true;
}

static bool may_go(const struct scheduler *scheduler, const struct line *line)
{
    return pool_has_slot(line->pool) && !in_round(scheduler, line->owner)->passed_over;
}

static struct heap_node *first_in(const struct line *line, size_t *priority)
{
    *priority = 0;
    while (line->heaps[*priority].count == 0) {
        ++*priority; /* somebody stands there */
    }
    return heap_first(&line->heaps[*priority]);
}

/* Who had fewer turns, and among equals by priority, slot and job; a backfill after everybody, whatever turns there
 * were. */
struct candidate {
    size_t taken;
    size_t priority;
    struct heap_node *node;
};

static bool goes_before(const struct candidate *left, const struct candidate *right)
{
    bool backfills = left->priority == PRIORITY_BACKFILL;
    if (backfills != (right->priority == PRIORITY_BACKFILL)) {
        return !backfills;
    }
    if (left->taken != right->taken) {
        return left->taken < right->taken;
    }
    if (left->priority != right->priority) {
        return left->priority < right->priority;
    }
    return left->node->key != right->node->key ? left->node->key < right->node->key
                                               : left->node->order < right->node->order;
}

struct scheduled *pool_slots_next(const struct scheduler *scheduler)
{
    struct candidate best = {0};
    for (size_t i = 0; i < scheduler->ready_count; i++) {
        const struct line *line = scheduler->ready[i];
        if (may_go(scheduler, line)) {
            struct candidate here = {.taken = line->owner->taken};
            here.node = first_in(line, &here.priority);
            best = best.node == NULL || goes_before(&here, &best) ? here : best;
        }
    }
    return best.node != NULL ? SCHEDULED_OF(best.node, ready_node) : NULL;
}

bool scheduler_has_due(const struct scheduler *scheduler)
{
    for (size_t i = 0; i < scheduler->ready_count; i++) {
        if (may_go(scheduler, scheduler->ready[i])) {
            return true;
        }
    }
    return false;
}
