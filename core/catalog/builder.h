/* SPDX-License-Identifier: PostgreSQL */
/* Inside core/catalog: what the steps of building share. Everything lives in the catalog's arena. */
#ifndef CHIME_CATALOG_BUILDER_H
#define CHIME_CATALOG_BUILDER_H

#include "catalog/catalog.h"

/* What became of a plugin. */
enum choice_state {
    CHOICE_TAKEN,
    CHOICE_DISABLED, /* by `enabled = false` */
    CHOICE_IDLE,     /* there is no database at all, and nothing asks for the plugin */
    CHOICE_BROKEN,   /* a finding was reported: say nothing more about its jobs */
};

struct choice {
    const struct declaration *declaration;
    const struct config_plugin *entry; /* NULL: conf.d has none */
    enum choice_state state;
    const char *database;    /* CHOICE_TAKEN */
    const char *view_schema; /* CHOICE_TAKEN */
};

/* A job that some plugin declares, taken or not. */
struct declared_place {
    const struct declared_job *job;
    const struct choice *choice;
};

/* What a finding is about. */
struct subject {
    const char *kind; /* "job", "plugin" */
    const char *name;
    const char *file;
    int line;
};

/* What became of looking for a zone. */
struct zone_search {
    const char *name; /* interned; NULL: none was looked for */
    const struct zone *zone;
    struct error err; /* its kind is ERROR_NONE where the zone was found */
};

struct builder {
    struct catalog *catalog;
    struct arena *arena;
    const struct config *config;
    const struct plugin_set *set;
    struct report *report;
    bool complete;                   /* else a name that nobody has may be one of an entry that was refused */
    struct choice *choices;          /* of the set and of the views in conf.d, by name */
    size_t choice_count;
    struct declared_place *declared; /* by name */
    size_t declared_count;
    const struct zone **zones; /* of the databases, in the order of the configuration; NULL: UTC, or refused */
    struct zone_search latest_zone;
    const struct job **jobs; /* held; by database, then name, once collected */
    size_t job_count;
};

/* plugin_choice.c: which plugins, in which database. */
void choices_make(struct builder *builder);
/* The database of something that names this one, or none (NULL); NULL when it was refused. */
const char *choice_database(struct builder *builder, const char *name, const struct subject *subject);

/* One file per plugin is the custom: what is written beside the entry of a plugin that is absent is left out with
 * it. */
bool choice_absent_beside(const struct builder *builder, const char *file);

/* plugin_validate.c: the catalog's plugins with their settings, in the order in which they are to be installed; after
 * the jobs, which decide about it too. */
void choices_validate(struct builder *builder);

/* job_validate.c: the databases' zones, before the jobs; then a merged job's schedule in its zone, and its pool. */
void zones_validate(struct builder *builder);
void job_validate(struct builder *builder, struct job *job);

/* job_merge.c: plugins' jobs under their overrides, and the jobs of conf.d. */
void jobs_collect(struct builder *builder);

/* dependency.c: every `after` names a job of the same database, and no job comes after itself. */
void dependencies_check(struct builder *builder);

/* alert_check.c: what the configuration says of a rule is said of one that is there. */
void alerts_check(struct builder *builder);

/* builder.c */
/* The first declared place of that name; *count of them. */
const struct declared_place *declared_find(const struct builder *builder, const char *name, size_t *count);
/* Index of a job, or job_count. */
size_t jobs_index(const struct builder *builder, const char *database, const char *name);
/* "FILE:LINE", or "FILE" without a line. */
const char *place_text(struct arena *arena, const char *file, int line);

#endif
