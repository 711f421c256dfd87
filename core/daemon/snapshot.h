/* SPDX-License-Identifier: PostgreSQL */
/* One reading of configuration and plugins, joined: what the daemon goes by until the next one replaces it.
 *
 * Counted, because databases take a new one over when each can, and the old one stays for the last of them. */
#ifndef CHIME_DAEMON_SNAPSHOT_H
#define CHIME_DAEMON_SNAPSHOT_H

#include "catalog/catalog.h"

struct snapshot {
    int holders;
    struct config *config;
    struct plugin_set *plugins;
    struct catalog *catalog;
};

/* Takes all three over; the caller holds the result. */
struct snapshot *snapshot_create(struct config *config, struct plugin_set *plugins, struct catalog *catalog);
struct snapshot *snapshot_hold(struct snapshot *snapshot);
void snapshot_drop(struct snapshot *snapshot); /* the last one destroys it; takes NULL */

#endif
