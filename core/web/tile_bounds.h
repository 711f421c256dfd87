/* SPDX-License-Identifier: PostgreSQL */
/* Which tiles took longer than their bounds, and how often in a row. */
#ifndef CHIME_WEB_TILE_BOUNDS_H
#define CHIME_WEB_TILE_BOUNDS_H

#include <stdbool.h>

#include "web/page.h"

struct tile_bounds {
    struct tile_bound *first; /* those whose last answer took too long */
};

/* An answer of a tile. True when it and the two before it took too long. */
bool tile_bounds_note(struct tile_bounds *bounds, const char *database, const struct page_cost *cost);
void tile_bounds_finish(struct tile_bounds *bounds);

#endif
