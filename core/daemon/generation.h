/* One reading of configuration and plugins, joined: what the daemon goes by until the next one replaces it.
 *
 * Counted, because databases take a new one over when each can, and the old one stays for the last of them. */
#ifndef CHIME_DAEMON_GENERATION_H
#define CHIME_DAEMON_GENERATION_H

#include "catalog/catalog.h"

struct generation {
    int holders;
    struct config *config;
    struct plugin_set *plugins;
    struct catalog *catalog;
};

/* Takes all three over; the caller holds the result. */
struct generation *generation_create(struct config *config, struct plugin_set *plugins, struct catalog *catalog);
struct generation *generation_hold(struct generation *generation);
void generation_drop(struct generation *generation); /* the last one destroys it; takes NULL */

#endif
