/* Places in pools, and the line of those who want one: by priority, then slot, then job. */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "schedule/state.h"

struct places *pool_create_named(const char *name)
{
    struct places *pool = xcalloc(1, sizeof *pool);
    pool->name = name != NULL ? xstrdup(name) : NULL;
    return pool;
}

void places_destroy(struct places *pool)
{
    for (size_t i = 0; i < PRIORITY_COUNT; i++) {
        heap_finish(&pool->ready[i]);
    }
    free((char *)pool->name);
    free(pool);
}

static struct places *find(const struct scheduler *scheduler, const char *name)
{
    for (size_t i = 1; name != NULL && i < scheduler->pool_count; i++) {
        if (strcmp(scheduler->pools[i]->name, name) == 0) {
            return scheduler->pools[i];
        }
    }
    return NULL;
}

struct places *places_of(const struct scheduler *scheduler, const struct job *job)
{
    struct places *known = find(scheduler, job->options.pool);
    return known != NULL ? known : scheduler->pools[0];
}

void scheduler_pool(struct scheduler *scheduler, const char *name, int64_t limit)
{
    struct places *pool = find(scheduler, name);
    if (pool == NULL) {
        pool = pool_create_named(name);
        scheduler->pools = xrealloc(scheduler->pools, scheduler->pool_count + 1, sizeof(struct places *));
        scheduler->pools[scheduler->pool_count++] = pool;
    }
    pool->limit = limit;
}

bool pool_has_place(const struct places *pool)
{
    return pool->limit == 0 || pool->held < pool->limit;
}

static bool holds_place(enum phase phase)
{
    return phase == PHASE_CLAIMING || phase == PHASE_LIVE;
}

static void line_up(struct scheduled *it)
{
    heap_put(&it->pool->ready[it->priority], &it->ready_node, it->slot);
    it->pool->ready_count++;
}

static void leave_line(struct scheduled *it)
{
    heap_remove(&it->pool->ready[it->priority], &it->ready_node);
    it->pool->ready_count--;
}

void places_follow(struct scheduled *it, enum phase from, enum phase to)
{
    it->pool->held += (int)holds_place(to) - (int)holds_place(from);
    if (from == PHASE_READY) {
        leave_line(it);
    }
    if (to == PHASE_READY) {
        line_up(it);
    }
}

/* The next of this priority that finds a place. */
static struct heap_node *first_of(const struct scheduler *scheduler, size_t priority)
{
    struct heap_node *first = NULL;
    for (size_t i = 0; i < scheduler->pool_count; i++) {
        const struct places *pool = scheduler->pools[i];
        struct heap_node *node = pool_has_place(pool) ? heap_first(&pool->ready[priority]) : NULL;
        bool before = node != NULL && (first == NULL || node->key < first->key ||
                                       (node->key == first->key && node->order < first->order));
        first = before ? node : first;
    }
    return first;
}

bool scheduler_has_due(const struct scheduler *scheduler)
{
    for (size_t i = 0; i < scheduler->pool_count; i++) {
        const struct places *pool = scheduler->pools[i];
        if (pool->ready_count > 0 && pool_has_place(pool)) {
            return true;
        }
    }
    return false;
}

bool scheduler_take_due(struct scheduler *scheduler, struct due *due)
{
    struct heap_node *node = NULL;
    for (size_t i = 0; node == NULL && i < PRIORITY_COUNT; i++) {
        node = first_of(scheduler, i);
    }
    if (node == NULL) {
        return false;
    }
    struct scheduled *it = SCHEDULED_OF(node, ready_node);
    phase_set(scheduler, it, PHASE_CLAIMING);
    wake_taken(scheduler, it);
    *due = (struct due){it, it->kind, it->slot, it->cursor, it->attempt, it->again, wake_payload(it)};
    return true;
}
