/* SPDX-License-Identifier: PostgreSQL */
#include "web/tile_bounds.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

#define IN_A_ROW 3

struct tile_bound {
    struct tile_bound *next;
    char *name;
    int over;
};

static struct tile_bound **find(struct tile_bounds *bounds, const char *name)
{
    struct tile_bound **link = &bounds->first;
    while (*link != NULL && strcmp((*link)->name, name) != 0) {
        link = &(*link)->next;
    }
    return link;
}

static void forget(struct tile_bound **link)
{
    struct tile_bound *bound = *link;
    if (bound != NULL) {
        *link = bound->next;
        free(bound->name);
        free(bound);
    }
}

bool tile_bounds_note(struct tile_bounds *bounds, const char *database, const struct page_cost *cost)
{
    char *name = xasprintf("%s/%s/%s", database, cost->plugin, cost->tile);
    struct tile_bound **link = find(bounds, name);
    if (cost->bound_us == 0 || cost->took_us <= cost->bound_us) {
        forget(link);
        free(name);
        return false;
    }
    if (*link == NULL) {
        *link = xcalloc(1, sizeof(**link));
        (*link)->name = name;
    } else {
        free(name);
    }
    (*link)->over += (*link)->over < IN_A_ROW ? 1 : 0;
    return (*link)->over == IN_A_ROW;
}

void tile_bounds_finish(struct tile_bounds *bounds)
{
    while (bounds->first != NULL) {
        forget(&bounds->first);
    }
}
