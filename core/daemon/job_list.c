/* SPDX-License-Identifier: PostgreSQL */
/* The jobs of a database by its catalog: those of plugins that sleep are kept, but not active. */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "daemon/lead_state.h"

enum awake { AWAKE, ASLEEP, ABSENT };

static enum awake how_awake(const struct catalog *catalog, const struct job *job, const struct plugin_states *plugins)
{
    for (size_t i = 0; job->plugin != NULL && i < catalog->plugin_count; i++) {
        const struct catalog_plugin *plugin = &catalog->plugins[i];
        if (strcmp(plugin->declaration->name, job->plugin) == 0 && strcmp(plugin->database, job->database) == 0) {
            return plugins->available[i] ? ABSENT : plugins->dormant[i] ? ASLEEP : AWAKE;
        }
    }
    return AWAKE;
}

static int by_name(const void *name, const void *job)
{
    return strcmp(name, (*(const struct job *const *)job)->name);
}

/* The jobs of one database, and which of them are kept. */
struct sieve {
    const struct job *const *jobs;
    size_t count;
    bool *kept;
};

static void keep(struct sieve *sieve, size_t index)
{
    if (sieve->kept[index]) {
        return;
    }
    sieve->kept[index] = true;
    for (size_t i = 0; i < sieve->jobs[index]->after_count; i++) {
        const struct job *const *found = bsearch(sieve->jobs[index]->after[i], sieve->jobs, sieve->count,
                                                 sizeof(*sieve->jobs), by_name);
        if (found != NULL) {
            keep(sieve, (size_t)(found - sieve->jobs));
        }
    }
}

static const struct job *sleeping_copy(struct job_list *list, const struct job *job)
{
    struct job *asleep = arena_alloc(list->asleep, sizeof(*asleep));
    *asleep = *job;
    asleep->holders = 0;
    asleep->active = false;
    return asleep;
}

void job_list_fill(struct job_list *list, const struct catalog *catalog, const char *database,
                   const struct plugin_states *plugins)
{
    struct sieve sieve;
    sieve.jobs = catalog_jobs_of(catalog, database, &sieve.count);
    sieve.kept = xcalloc(sieve.count + 1, sizeof(*sieve.kept));
    for (size_t i = 0; i < sieve.count; i++) {
        if (how_awake(catalog, sieve.jobs[i], plugins) != ABSENT) {
            keep(&sieve, i);
        }
    }
    list->items = xcalloc(sieve.count + 1, sizeof(*list->items));
    list->count = 0;
    list->asleep = arena_create();
    for (size_t i = 0; i < sieve.count; i++) {
        if (sieve.kept[i]) {
            bool awake = how_awake(catalog, sieve.jobs[i], plugins) == AWAKE;
            list->items[list->count++] = awake ? sieve.jobs[i] : sleeping_copy(list, sieve.jobs[i]);
        }
    }
    free(sieve.kept);
}

const struct job *job_list_find(const struct job_list *list, const char *name)
{
    const struct job *const *found = list->count == 0
                                         ? NULL
                                         : bsearch(name, list->items, list->count, sizeof(*list->items), by_name);
    return found != NULL ? *found : NULL;
}

void job_list_finish(struct job_list *list)
{
    free(list->items);
    arena_destroy(list->asleep);
    *list = (struct job_list){0};
}
