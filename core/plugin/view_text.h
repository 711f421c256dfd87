/* SPDX-License-Identifier: PostgreSQL */
/* A view as SQL alone, without C: the file NAME.sql of the plugin folder, or an entry of "views" in conf.d.
 *
 *   -- key: day                     options, one a line, before all else; none is needed
 *   -- target_lag: 1s
 *   SELECT ordered_at::date AS day, count(*) AS orders FROM orders GROUP BY 1;
 *
 * Does: split such a text into options and one definition, and make of both what a plugin with one view of that name
 *   and one job, refresh-NAME, would describe.
 * Does not: read files; parse SQL (the server says whether it is one SELECT); know the database.
 * Options: key, grain, mode, stamps, revisit, rejected, frozen, comment, timezone (also the job's), version,
 *   summary, schedule, after, on, debounce, and those of jobs. Without version, it is a hash of the text; without
 *   anything that makes the job run, it has VIEW_TEXT_LAG. */
#ifndef CHIME_PLUGIN_VIEW_TEXT_H
#define CHIME_PLUGIN_VIEW_TEXT_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "pgchime/plugin.h"

#define VIEW_TEXT_LIMIT (1u << 20) /* bytes */
#define VIEW_TEXT_LAG "1s"         /* target_lag, where nothing else makes its job run */
#define VIEW_OPTIONS_MAX 64

struct view_option {
    const char *name;
    const char *value;
    int line; /* 0: unknown */
};

struct view_text {
    const char *definition;
    struct view_option options[VIEW_OPTIONS_MAX];
    size_t option_count;
    char version[17]; /* a hash of all of the text */
};

/* The bytes may be anything. Everything of `text` is in the arena. The error says the line. Between lines
 * "-- chime:begin" and "-- chime:end" is the definition, where a file has them; else it is what follows the options. */
bool view_text_read(struct arena *arena, const char *bytes, size_t length, struct view_text *text,
                    struct error *err) CHIME_MUST_CHECK;
/* Adds an option; false where there is no such one, or it is given already. */
bool view_text_add(struct arena *arena, struct view_text *text, const char *name, const char *value, int line,
                   struct error *err) CHIME_MUST_CHECK;
/* What declaration_encode and declaration_check take; in the arena. What it says is not checked yet. */
const struct chime_plugin *view_text_plugin(struct arena *arena, const char *name, const struct view_text *text);

#endif
