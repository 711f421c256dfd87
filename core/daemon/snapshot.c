/* SPDX-License-Identifier: PostgreSQL */
#include "daemon/snapshot.h"

#include <stdlib.h>

#include "base/memory.h"

struct snapshot *snapshot_create(struct config *config, struct plugin_set *plugins, struct catalog *catalog)
{
    struct snapshot *snapshot = xcalloc(1, sizeof(*snapshot));
    *snapshot = (struct snapshot){.holders = 1, .config = config, .plugins = plugins, .catalog = catalog};
    return snapshot;
}

struct snapshot *snapshot_hold(struct snapshot *snapshot)
{
    snapshot->holders++;
    return snapshot;
}

void snapshot_drop(struct snapshot *snapshot)
{
    if (snapshot != NULL && --snapshot->holders == 0) {
        catalog_destroy(snapshot->catalog);
        plugin_set_destroy(snapshot->plugins);
        config_free(snapshot->config);
        free(snapshot);
    }
}
