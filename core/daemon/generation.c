#include "daemon/generation.h"

#include <stdlib.h>

#include "base/memory.h"

struct generation *generation_create(struct config *config, struct plugin_set *plugins, struct catalog *catalog)
{
    struct generation *generation = xcalloc(1, sizeof *generation);
    *generation = (struct generation){.holders = 1, .config = config, .plugins = plugins, .catalog = catalog};
    return generation;
}

struct generation *generation_hold(struct generation *generation)
{
    generation->holders++;
    return generation;
}

void generation_drop(struct generation *generation)
{
    if (generation != NULL && --generation->holders == 0) {
        catalog_destroy(generation->catalog);
        plugin_set_destroy(generation->plugins);
        config_free(generation->config);
        free(generation);
    }
}
