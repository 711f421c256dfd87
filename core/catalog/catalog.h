/* SPDX-License-Identifier: PostgreSQL */
/* The catalog: configuration and plugins joined into one validated set of jobs and views.
 *
 * Does: give every plugin its database, schemas and settings; merge options (conf.d over plugin over product);
 *   parse schedules, in the zone of the job or its database; give jobs their pools; resolve `after`; refuse duplicates
 *   (naming both places), unknown names (with a did-you-mean), jobs without a database, and cycles (printing the path a
 *   -> b -> a). All findings at once.
 * Does not: SQL, scheduling.
 * Ownership: the catalog borrows the config and plugin set, which must outlive it, and holds its jobs and zones, which
 * outlive it where others hold them; everything else is its arena's. */
#ifndef CHIME_CATALOG_CATALOG_H
#define CHIME_CATALOG_CATALOG_H

#include "base/error.h"
#include "config/config.h"
#include "model/job.h"
#include "plugin/plugins.h"

struct catalog_setting {
    const char *name;
    const char *type;
    const char *value;
};

/* A plugin that is to be installed in a database. */
struct catalog_plugin {
    const struct declaration *declaration;
    const char *database;
    const char *view_schema;
    const char *source_schema;
    bool asked_for;                         /* conf.d says enabled = true: what it lacks is told */
    const struct catalog_setting *settings; /* every declared one, with the value in force */
    size_t setting_count;
    const struct chime_channel *channels; /* those that the configuration asks for, by name */
    size_t channel_count;
    const char *const *modes;  /* one for each of the declaration's views: conf.d's, else the plugin's */
    const char *const *frozen; /* likewise; NULL: nothing freezes */
};

struct catalog {
    struct arena *arena;
    const struct config *config;          /* that it was built from */
    struct zones *zones;                  /* of its jobs' schedules */
    const struct catalog_plugin *plugins; /* sorted so that plugins whose views others read come first */
    size_t plugin_count;
    const struct job **jobs; /* held; sorted by database, then name */
    size_t job_count;
};

/* NULL when the report gained an error. What the configuration was refused for has its finding: such entries count as
 * names, and nothing that may follow from them is said again; its databases have to be sound. A plugin that conf.d does
 * not mention is enabled; an entry that is "auto" waits for its file, so that taking a plugin's file away is enough to
 * remove it (a name near a known one is a slip all the same). */
struct catalog *catalog_build(const struct config *config, const struct plugin_set *plugins, struct report *report);
void catalog_destroy(struct catalog *catalog); /* takes NULL */
const struct job *catalog_find_job(const struct catalog *catalog, const char *database, const char *name);
/* The jobs of one database: a run of catalog->jobs. */
const struct job *const *catalog_jobs_of(const struct catalog *catalog, const char *database, size_t *count);
/* Whether the plugins of a database, and what they are installed with, are the same in both. */
bool catalog_same_plugins(const struct catalog *left, const struct catalog *right, const char *database);
/* A hash of everything that decides what runs in a database; two daemons with equal ones agree. 16 hex digits and a
 * NUL. */
void catalog_fingerprint(const struct catalog *catalog, const char *database, char hex[static 17]);

/* What another catalog brings, for people: "+ job nightly", "~ plugin progress", "- job old (main)", with the database
 * where there are several. */
#define CATALOG_CHANGES_LISTED 100
struct catalog_changes {
    char *lines[CATALOG_CHANGES_LISTED]; /* the first of them */
    size_t line_count;
    size_t added;
    size_t changed;
    size_t removed;
};
void catalog_changes_list(const struct catalog *before, const struct catalog *after, struct catalog_changes *changes);
void catalog_changes_finish(struct catalog_changes *changes);

#endif
