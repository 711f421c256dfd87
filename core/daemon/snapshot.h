/* SPDX-License-Identifier: PostgreSQL */
/* The configuration snapshot: configuration, plugins and catalog as read at one time. The daemon uses it until the next
 * one replaces it.
 *
 * It is reference-counted: each database changes to the new snapshot when it can, and the old one is freed after the
 * last database has left it. */
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
