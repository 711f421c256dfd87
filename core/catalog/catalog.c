/* SPDX-License-Identifier: PostgreSQL */
#include "catalog/catalog.h"

#include <stdlib.h>
#include <string.h>

#include "catalog/builder.h"

struct catalog *catalog_build(const struct config *config, const struct plugin_set *plugins, struct report *report)
{
    struct arena *arena = arena_create();
    struct catalog *catalog = arena_alloc(arena, sizeof(*catalog));
    *catalog = (struct catalog){.arena = arena, .config = config, .zones = zones_create()};
    struct builder builder = {.catalog = catalog,
                              .arena = arena,
                              .config = config,
                              .set = plugins,
                              .report = report,
                              .complete = config->complete};
    size_t findings_before = report->count;
    zones_validate(&builder);
    choices_make(&builder);
    jobs_collect(&builder);
    dependencies_check(&builder);
    choices_validate(&builder);
    alerts_check(&builder);
    catalog->jobs = builder.jobs;
    catalog->job_count = builder.job_count;
    if (report->count != findings_before) {
        catalog_destroy(catalog);
        return NULL;
    }
    return catalog;
}

void catalog_destroy(struct catalog *catalog)
{
    if (catalog != NULL) {
        for (size_t i = 0; i < catalog->job_count; i++) {
            job_drop(catalog->jobs[i]);
        }
        zones_destroy(catalog->zones);
        arena_destroy(catalog->arena);
    }
}

struct job_key {
    const char *database;
    const char *name;
};

static int compare_to_job(const void *left, const void *right)
{
    const struct job_key *key = left;
    const struct job *const *job = right;
    int order = strcmp(key->database, (*job)->database);
    return order != 0 ? order : strcmp(key->name, (*job)->name);
}

const struct job *catalog_find_job(const struct catalog *catalog, const char *database, const char *name)
{
    struct job_key key = {database, name};
    const struct job **found = catalog->job_count == 0 ? NULL
                                                       : bsearch(&key, catalog->jobs, catalog->job_count,
                                                                 sizeof(*catalog->jobs), compare_to_job);
    return found != NULL ? *found : NULL;
}

/* The first job whose database is not before `database`, or with `past` after it. */
static size_t job_bound(const struct catalog *catalog, const char *database, bool past)
{
    size_t low = 0;
    size_t high = catalog->job_count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = strcmp(catalog->jobs[middle]->database, database);
        bool before = order < 0 || (past && order == 0);
        low = before ? middle + 1 : low;
        high = before ? high : middle;
    }
    return low;
}

const struct job *const *catalog_jobs_of(const struct catalog *catalog, const char *database, size_t *count)
{
    size_t first = job_bound(catalog, database, false);
    *count = job_bound(catalog, database, true) - first;
    return catalog->jobs + first;
}
