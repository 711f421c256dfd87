/* SPDX-License-Identifier: PostgreSQL */
#include "config/config.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

void config_free(struct config *config)
{
    if (config != NULL) {
        config_forget_jobs(config);
        arena_destroy(config->arena);
    }
}

void config_forget_jobs(struct config *config)
{
    free((void *)config->jobs);
    config->jobs = NULL;
    arena_destroy(config->job_texts);
    config->job_texts = NULL;
    config->job_count = 0;
}

static int compare_to_database(const void *name, const void *database)
{
    return strcmp(name, ((const struct config_database *)database)->name);
}

const struct config_database *config_find_database(const struct config *config, const char *name)
{
    return config->database_count == 0 ? NULL
                                       : bsearch(name, config->databases, config->database_count,
                                                 sizeof(*config->databases), compare_to_database);
}

static int compare_to_plugin(const void *name, const void *plugin)
{
    return strcmp(name, ((const struct config_plugin *)plugin)->name);
}

const struct config_plugin *config_find_plugin(const struct config *config, const char *name)
{
    return config->plugin_count == 0
               ? NULL
               : bsearch(name, config->plugins, config->plugin_count, sizeof(*config->plugins), compare_to_plugin);
}
