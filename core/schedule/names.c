/* SPDX-License-Identifier: PostgreSQL */
/* Which job has a name: an open table, so that one job may come or go at the same cost among ten or fifty thousand. */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "schedule/state.h"

#define FIRST_CAPACITY 64

static size_t home_of(const struct name_table *names, const char *name)
{
    return (size_t)(text_hash(name) & (names->capacity - 1));
}

/* Where the first one of that name is, or nobody. */
static size_t seek(const struct name_table *names, const char *name)
{
    size_t at = home_of(names, name);
    while (names->slots[at] != NULL && strcmp(names->slots[at]->job->name, name) != 0) {
        at = (at + 1) & (names->capacity - 1);
    }
    return at;
}

/* Behind others of that name. */
static void store(struct name_table *names, struct scheduled *it)
{
    size_t at = home_of(names, it->job->name);
    while (names->slots[at] != NULL) {
        at = (at + 1) & (names->capacity - 1);
    }
    names->slots[at] = it;
}

static void grow(struct name_table *names)
{
    struct name_table old = *names;
    names->capacity = old.capacity == 0 ? FIRST_CAPACITY : old.capacity * 2;
    names->slots = xcalloc(names->capacity, sizeof(struct scheduled *));
    for (size_t i = 0; i < old.capacity; i++) {
        if (old.slots[i] != NULL) {
            store(names, old.slots[i]);
        }
    }
    free(old.slots);
}

void names_put(struct name_table *names, struct scheduled *it)
{
    if ((names->count + 1) * 2 > names->capacity) {
        grow(names);
    }
    store(names, it);
    names->count++;
}

struct scheduled *names_find(const struct name_table *names, const char *name)
{
    return names->capacity == 0 ? NULL : names->slots[seek(names, name)];
}

/* Whoever stood behind it for want of a better place moves up, so that no search ends at the gap. */
static void close_gap(struct name_table *names, size_t gap)
{
    size_t mask = names->capacity - 1;
    for (size_t at = (gap + 1) & mask; names->slots[at] != NULL; at = (at + 1) & mask) {
        size_t home = home_of(names, names->slots[at]->job->name);
        if (((at - home) & mask) >= ((at - gap) & mask)) {
            names->slots[gap] = names->slots[at];
            gap = at;
        }
    }
    names->slots[gap] = NULL;
}

void names_take(struct name_table *names, const struct scheduled *it)
{
    if (names->capacity == 0) {
        return;
    }
    size_t at = home_of(names, it->job->name);
    while (names->slots[at] != NULL && names->slots[at] != it) {
        at = (at + 1) & (names->capacity - 1);
    }
    if (names->slots[at] == it) {
        close_gap(names, at);
        names->count--;
    }
}

void names_finish(struct name_table *names)
{
    free(names->slots);
}
