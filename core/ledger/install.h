/* SPDX-License-Identifier: PostgreSQL */
/* Installs the plugins of one database: sources checked, views and functions made, each step its own transaction.
 *
 * Restartable: what is there already is left alone. A plugin whose sources are missing is dormant, one whose step fails
 * is failed; both are recorded with the reason, do not affect other plugins, and are tried again at the next
 * leadership. The jobs of a dormant plugin sleep; those of a failed one run, and fail on the record if they depend on
 * what failed.
 *
 * A plugin whose sources are missing is "available" instead of dormant when no configuration names it and none of its
 * objects is in the database. It is not reported anywhere, and it has no jobs. */
#ifndef CHIME_LEDGER_INSTALL_H
#define CHIME_LEDGER_INSTALL_H

#include "catalog/catalog.h"
#include "pg/connection.h"

struct install;

/* What became of catalog->plugins[i] in one database. */
struct plugin_states {
    bool *dormant; /* one for each of the catalog's plugins, available ones too; false for those of other databases */
    bool *available;
    size_t count;
    bool any_dormant;
    bool any_failed;
};
void plugin_states_finish(struct plugin_states *states);
struct plugin_states plugin_states_copy(const struct plugin_states *states);

/* The states are the receiver's. Called once. */
typedef void install_callback(void *data, struct plugin_states *states);

/* With `before`, only plugins that were dormant there, of which there is one, are looked at, and those that still are
 * leave no trace. */
struct install *install_start(struct pg_connection *connection, const struct catalog *catalog,
                              const struct config_database *database, const struct plugin_states *before,
                              install_callback *callback, void *data);
void install_abandon(struct install *install); /* the connection went away; NULL allowed */

#endif
