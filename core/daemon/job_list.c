/* SPDX-License-Identifier: PostgreSQL */
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "daemon/lead_state.h"

static bool is_dormant(const struct catalog *catalog, const struct job *job, const struct plugin_states *plugins)
{
    for (size_t i = 0; job->plugin != NULL && i < catalog->plugin_count; i++) {
        const struct catalog_plugin *plugin = &catalog->plugins[i];
        if (strcmp(plugin->declaration->name, job->plugin) == 0 && strcmp(plugin->database, job->database) == 0) {
            return plugins->dormant[i];
        }
    }
    return false;
}

void job_list_fill(struct job_list *list, const struct catalog *catalog, const char *database,
                   const struct plugin_states *plugins)
{
    const struct job *const *jobs = catalog_jobs_of(catalog, database, &list->count);
    list->items = xcalloc(list->count + 1, sizeof(*list->items));
    list->asleep = arena_create();
    for (size_t i = 0; i < list->count; i++) {
        list->items[i] = jobs[i];
        if (is_dormant(catalog, jobs[i], plugins)) {
            struct job *asleep = arena_alloc(list->asleep, sizeof(*asleep));
            *asleep = *jobs[i];
            asleep->holders = 0;
            asleep->active = false;
            list->items[i] = asleep;
        }
    }
}

static int by_name(const void *name, const void *job)
{
    return strcmp(name, (*(const struct job *const *)job)->name);
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
