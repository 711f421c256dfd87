/* SPDX-License-Identifier: PostgreSQL */
/* The shapes of the plugin ABI's structures as tables, so that reading a plugin's memory and reading its bytes walk
 * the same list of members.
 *
 * Every member of the ABI after its frozen prefix is a text (const char *) or a list (struct chime_list).
 * Private to core/plugin. */
#ifndef CHIME_PLUGIN_SHAPE_H
#define CHIME_PLUGIN_SHAPE_H

#include <stddef.h>

#include "pgchime/plugin.h"

#define SHAPE_TEXT_LIMIT ((size_t)1 << 20) /* bytes of one text */
#define SHAPE_LIST_LIMIT 10000             /* items of one list */

struct shape;

struct shape_member {
    const char *name;
    size_t offset;
    const struct shape *items; /* what the list holds; NULL for a text */
};

struct shape {
    size_t size;
    const struct shape_member *members;
    size_t member_count;
};

extern const struct shape shape_plugin;

/* The member of that name, or NULL. */
const struct shape_member *shape_find(const struct shape *shape, const char *name);
/* Bytes that the member itself takes in its structure. */
size_t shape_member_size(const struct shape_member *member);

#endif
