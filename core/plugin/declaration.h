/* SPDX-License-Identifier: PostgreSQL */
/* What a plugin says, as the daemon holds it: copied out of the plugin host's bytes and checked.
 *
 * Does: decode and encode the host's bytes (one JSON object), check every member (names, columns, schedules,
 *   options, durations, references between jobs and views), and own the result.
 * Does not: load anything (host.h), talk to a database.
 * Names follow include/pgchime/plugin.h; lists given there as one text are split here. */
#ifndef CHIME_PLUGIN_DECLARATION_H
#define CHIME_PLUGIN_DECLARATION_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "model/options.h"
#include "pgchime/plugin.h"

struct names {
    const char *const *items;
    size_t count;
};

struct declared_source {
    const char *table;
    struct names columns; /* those of capture included */
    struct names capture;
    const char *map;    /* NULL */
    struct names views; /* those that it is for; none: all */
    bool trust;         /* capture and map are believed where they cannot be proven */
};

struct declared_index {
    const char *name;
    const char *columns;
    const char *where; /* NULL */
};

struct declared_view {
    const char *relation;
    const char *definition;
    struct names key;      /* may be none where the declaration derives */
    const char *key_index; /* never NULL: RELATION_pk by default */
    struct names grain;
    const char *mode; /* one of view_modes */
    struct names stamps;
    const char *revisit;  /* NULL */
    const char *rejected; /* NULL */
    const struct declared_index *indexes;
    size_t index_count;
    const char *comment;  /* NULL */
    const char *timezone; /* NULL: UTC */
    const char *frozen;   /* NULL */
};

struct declared_plain_view {
    const char *relation;
    const char *definition;
    const char *comment; /* NULL */
};

struct declared_job {
    const char *name;
    const char *schedule; /* "" none */
    struct names refresh;
    const char *command; /* "" none */
    struct names after;
    struct names on;
    const char *debounce; /* NULL; the default of that option, which is not among `options` then */
    struct job_options options;
};

struct declared_function {
    const char *signature;
    const char *definition;
};

struct declared_setting {
    const char *name;
    const char *type;  /* "int", "number", "bool", "text", "duration" */
    const char *value; /* the default, within low and high; "" only for a text */
    const char *low;   /* NULL */
    const char *high;  /* NULL */
    const char *summary;
};

/* Channels, tiles, alerts and upgrades are checked and kept as the ABI gives them. */
struct declaration {
    struct arena *arena; /* holds the declaration itself, too */
    const char *file;    /* the plugin's path; of a view in conf.d that file */
    bool derives;        /* a view as SQL: its sources, and what key and grain leave out, follow from the definition */
    const char *text;    /* what it was decoded from, where plugin_options.keep_texts asked for it; else NULL */
    const char *name;
    const char *version;
    const char *summary;
    const struct declared_source *sources;
    size_t source_count;
    const struct declared_view *views;
    size_t view_count;
    const struct declared_plain_view *plain_views;
    size_t plain_view_count;
    const struct declared_job *jobs;
    size_t job_count;
    const struct declared_function *functions;
    size_t function_count;
    const struct declared_setting *settings;
    size_t setting_count;
    const struct chime_channel *channels;
    size_t channel_count;
    const struct chime_tile *tiles;
    size_t tile_count;
    const struct chime_alert *alerts;
    size_t alert_count;
    const struct chime_upgrade *upgrades;
    size_t upgrade_count;
};

/* In the plugin host: the bytes to send; NULL with an error when the descriptor breaks a rule. Caller frees. */
char *declaration_encode(const struct chime_plugin *plugin, const char *expected_name, struct error *err);
/* In the daemon: NULL with an error naming the member. `file` is remembered, and the plugin's name must be its name
 *  without folder and suffix; that of NAME.sql derives. The bytes may be anything. */
struct declaration *declaration_decode(const char *bytes, size_t length, const char *file, struct error *err);
/* Of a view in conf.d, as view_text_plugin makes it in this arena, which is to outlive the declaration. */
struct declaration *declaration_of_view(struct arena *arena, const struct chime_plugin *plugin, const char *file,
                                        struct error *err);
void declaration_destroy(struct declaration *declaration); /* takes NULL */

/* Whether a view that reads the source's table is meant by it. */
bool source_is_for(const struct declared_source *source, const char *relation);
/* Whether a setting may have this value: of its type and in its range. The error names the range. */
bool setting_accepts(const struct declared_setting *setting, const char *value, struct error *err) CHIME_MUST_CHECK;

#endif
