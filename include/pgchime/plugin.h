/* SPDX-License-Identifier: PostgreSQL */
/* pgchime plugins: the only header a plugin needs.
 *
 * A plugin is one shared object that declares work; pgchime performs it. It exports one function, written by
 * CHIME_PLUGIN, that returns a constant description. It runs no code of its own in the daemon: a short-lived child
 * process loads it, copies the description out and exits.
 *
 *   #include <pgchime/plugin.h>
 *   #include "orders.sql.h"                      // made from orders.sql by pgchime_embed_sql()
 *   static const struct chime_view views[] = {{ .relation = "mv_orders", .definition = sql_mv_orders, .key = "day" }};
 *   static const struct chime_job jobs[] = {
 *       { .name = "refresh-orders", .schedule = "0 * * * *", .refresh = "mv_orders" },
 *   };
 *   CHIME_PLUGIN(.name = "orders", .version = "1.0", .summary = "orders per day",
 *                .views = CHIME_LIST(views), .jobs = CHIME_LIST(jobs))
 *
 * Everything is UTF-8 text with static lifetime. NULL and "" mean "not given". Lists of names are one text with
 * commas ("agent_id, challenge_id"). Durations are texts such as "5s", "10min", "1h" ("m" is minutes).
 *
 * Compatibility: abi_major must equal the daemon's; within a major, structures only grow at their end, every list
 * carries the size of its items as the plugin saw it, and what a plugin does not know reads as zero.
 *
 * Licence: a plugin may carry any licence. Including this header, and what its macros put into a plugin, ask nothing of
 * the plugin's own. */
#ifndef PGCHIME_PLUGIN_H
#define PGCHIME_PLUGIN_H

#include <stddef.h>
#include <stdint.h>

#ifdef __cplusplus
extern "C" {
#endif

#define CHIME_MAGIC UINT32_C(0x43484d45) /* "CHME" */
#define CHIME_ABI_MAJOR 1
#define CHIME_ABI_MINOR 4
#define CHIME_ENTRY chime_plugin_describe
#define CHIME_ENTRY_NAME "chime_plugin_describe"

/* `count` items of `item_size` bytes each, one after the other. */
struct chime_list {
    const void *items;
    uint32_t count;
    uint32_t item_size;
};
#define CHIME_LIST(array)                                                                     \
    {                                                                                         \
        (array), (uint32_t)(sizeof(array) / sizeof((array)[0])), (uint32_t)sizeof((array)[0]) \
    }

/* A table that the plugin reads. While it or one of the columns is missing the plugin is dormant, and says so. */
struct chime_source {
    const char *table;   /* name as in the catalog, unquoted: "submissions", "AgentQuery"; found in source_schema */
    const char *columns; /* those it must have: "id, agent_id, latencyMs" */
    const char *capture; /* those whose change matters to a grain. What leads from a change to groups is proven from the
                            plan of the definition; capture and map count only where that is not possible, with trust */
    const char *map;     /* where the captured columns are not the grain: SELECT from `marks` (the captured columns)
                            to the grain's columns; NULL when they are */
    const char *views; /* relations of this plugin that it is for; NULL: all that read the table. A table that leads to
                            several grains is declared once for each: no view may be in two of them */
    const char
        *trust; /* since 1.1. "true": capture and map name all groups that a change concerns, although no plan shows it;
                            the author's word for it. NULL: a view that cannot be proven is refreshed as a whole */
};

/* A relation kept fresh. Two are made: RELATION__live, a plain view of the definition, and RELATION, a table. */
struct chime_view {
    const char *relation;   /* up to 56 bytes of a-z 0-9 _ */
    const char *definition; /* one SELECT; names resolve in view_schema, then source_schema */
    const char *key;        /* columns that identify a row */
    const char *key_index;  /* name of the unique index on them; NULL: RELATION_pk */
    const char *grain;      /* columns by which it can be recomputed in parts; NULL: only as a whole */
    const char *mode;       /* "auto" (default), "keyed", "full", "matview" */
    const char *stamps;     /* columns that tell when a row was made: never compared */
    const char *revisit;  /* SELECT of the grain's columns for rows that change as time passes; may use chime.as_of() */
    const char *rejected; /* SELECT of one bigint: source values that the definition leaves out as malformed */
    struct chime_list indexes; /* struct chime_index: further ones */
    const char *comment;       /* COMMENT ON the kept relation */
    const char *timezone;      /* since 1.2: TimeZone while it is defined, refreshed and compared, whoever does so:
                                  "Europe/Berlin"; NULL: UTC */
    const char *frozen;        /* since 1.4: which rows no refresh changes any more, also when those of the sources are
                                  gone: "day < chime.as_of() - interval '90 days'", by the key; NULL: none */
};

/* A plain view, nothing is kept: for what is cheap to read off kept relations, or as a fallback to sources. Made after
 * the kept views and before the functions; read by analytics_reader. */
struct chime_plain_view {
    const char *relation;   /* as of chime_view */
    const char *definition; /* one SELECT; names resolve as in views */
    const char *comment;
};

struct chime_index {
    const char *name;
    const char *columns; /* what stands in the brackets of CREATE INDEX: "region, total_usd DESC" */
    const char *where;   /* predicate without WHERE; NULL: none */
};

/* Anything that option tables understand, e.g. { "attempt_timeout", "10min" }. */
struct chime_option {
    const char *name;
    const char *value;
};

struct chime_job {
    const char *name;
    const char *schedule;      /* NULL: by `after` or `on` only */
    const char *refresh;       /* views of this plugin to refresh, in order; or */
    const char *command;       /* SQL to run; exactly one of the two */
    const char *after;         /* jobs of the same database, also of other plugins */
    const char *on;            /* channels whose notification wakes it */
    const char *debounce;      /* quiet time after the last notification; NULL: none */
    struct chime_list options; /* struct chime_option: defaults that conf.d may override */
};

/* One function of the read API: owned by pgchime, executed by the role analytics_reader; a VOLATILE one, which may
 * write, by those alone whom somebody grants it. */
struct chime_function {
    const char *signature;  /* as DROP FUNCTION takes it: "lane_distributions(uuid, integer)" */
    const char *definition; /* one CREATE FUNCTION statement; names resolve as in views */
};

/* A NOTIFY on a source's writes, installed only where conf.d asks for it. */
struct chime_channel {
    const char *name;
    const char *table;
    const char *definition; /* statements that create trigger function and trigger */
};

/* What the page Tiles draws of a query's first 500 rows. Names resolve in view_schema; it is read as an alert's
 * condition is: read-only, and only while all code that it reaches is of trusted owners. Columns that end in _pct, _ms,
 * _usd, _seconds, _minutes, _at or _bytes are shown in that unit; status, *_status and *_rating as states. */
struct chime_tile {
    const char *title;
    const char *query; /* one SELECT */
    const char
        *draw; /* "number": the first column large, of the first row; "table"; "line": the first column is x, each
                         further one a chart of its own; "bars": label, value; "box": label, min, q1, median, q3, max */
    const char *warn; /* bounds as conditions on the first column, "> 100"; NULL: none */
    const char *critical;
    const char *choices; /* since 1.3. SELECT of value and label: one is chosen, and is $1, a text, in the query */
    const char *state;   /* since 1.3. of a table: the column that says how a row is; NULL: one named as above */
    const char *bound;   /* since 1.3. "100ms": three answers in a row that take longer are alert tile-slow */
    const char *note;    /* since 1.3. a sentence below the title */
};

/* The condition is a SELECT whose first column, a boolean, decides; names resolve in view_schema. Columns named subject
 * (an alert for each, 100 at most), value and summary say of what, how much, and what to tell. */
struct chime_alert {
    const char *name;
    const char *condition;
    const char *severity; /* "info", "warning", "critical" */
    const char *hold;     /* for how long it must hold; NULL: at once */
};

struct chime_setting {
    const char *name;
    const char *type;  /* "int", "number", "bool", "text", "duration" */
    const char *value; /* default */
    const char *low;   /* for int, number, duration; NULL: open */
    const char *high;
    const char *summary;
};

/* SQL from an older version of this plugin's objects to this one. This version checks it and does not run it. */
struct chime_upgrade {
    const char *from_version;
    const char *statements;
};

struct chime_plugin {
    /* frozen for ever: these five, in this order; CHIME_PLUGIN sets them, `reserved` is 0 */
    uint32_t magic;
    uint16_t abi_major;
    uint16_t abi_minor;
    uint32_t size; /* sizeof(struct chime_plugin) as the plugin saw it */
    uint32_t reserved;
    /* since 1.0 */
    const char *name; /* equals the file's name without ".so" */
    const char *version;
    const char *summary; /* one line */
    struct chime_list sources;
    struct chime_list views;
    struct chime_list jobs;
    struct chime_list functions;
    struct chime_list channels;
    struct chime_list tiles;
    struct chime_list alerts;
    struct chime_list settings;
    struct chime_list upgrades;
    struct chime_list plain_views;
};

typedef const struct chime_plugin *chime_describe_function(void);

#if defined(__GNUC__)
#define CHIME_EXPORT __attribute__((visibility("default")))
#else
#define CHIME_EXPORT
#endif

/* Writes the exported function. The arguments are designated initialisers of struct chime_plugin. */
#define CHIME_PLUGIN(...)                                                                         \
    CHIME_EXPORT const struct chime_plugin *CHIME_ENTRY(void);                                    \
    const struct chime_plugin *CHIME_ENTRY(void)                                                  \
    {                                                                                             \
        static const struct chime_plugin plugin = {.magic = CHIME_MAGIC,                          \
                                                   .abi_major = CHIME_ABI_MAJOR,                  \
                                                   .abi_minor = CHIME_ABI_MINOR,                  \
                                                   .size = (uint32_t)sizeof(struct chime_plugin), \
                                                   __VA_ARGS__};                                  \
        return &plugin;                                                                           \
    }

#ifdef __cplusplus
}
#endif
#endif
