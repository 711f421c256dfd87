/* SPDX-License-Identifier: PostgreSQL */
/* The shape of a configuration text: which entries it has, where each begins and ends, and which names come twice.
 *
 * Why: libconfig stops at the first error of a file, names no first place of a duplicate, follows @include anywhere,
 *   recurses as deep as the text nests, and looks through all entries of a group for each new one (3.4 s for 10,000
 *   jobs, measured). So the shape is read here, and libconfig reads one entry at a time: what is wrong in one entry
 *   hides nothing of the others.
 * Does: check brackets, `=`, nesting, duplicates; cut the text into units.
 * Does not: judge values (libconfig does) or meanings.
 * Ownership: everything is in the caller's arena. */
#ifndef CHIME_CONFIG_OUTLINE_H
#define CHIME_CONFIG_OUTLINE_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/memory.h"

#define OUTLINE_DEPTH_MAX 16

/* One entry to be parsed by itself: every top-level one, but for the section each of its members. */
struct outline_unit {
    const char *text; /* "name = value", without what follows it; duplicated names in it begin with '*' */
    int line;         /* of its first byte */
    bool in_section;
};

struct outline {
    const struct outline_unit *units;
    size_t count;
};

/* Members of the top-level group called `section` become units. False when the text has no readable shape; findings
 * in values and duplicates are reported too, but leave the rest to be read. */
bool outline_read(struct arena *arena, const char *file, const char *text, size_t length, const char *section,
                  struct outline *outline, struct report *report);

#endif
