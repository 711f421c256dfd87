/* Installs the plugins of one database: sources checked, views and functions made, each step its own transaction.
 *
 * Restartable: what is there already is left alone. A plugin whose sources are missing is dormant, one whose step fails
 * is failed; both are written down with the reason, cost nobody else, and are tried again at the next leadership. The
 * jobs of a dormant plugin sleep; those of a failed one run, and fail on the record if they depend on what failed. */
#ifndef CHIME_DAEMON_INSTALL_H
#define CHIME_DAEMON_INSTALL_H

#include "catalog/catalog.h"
#include "pg/connection.h"

struct install;

/* `ready[i]` says for catalog->plugins[i] whether its jobs may run; valid during the call. Called once. */
typedef void install_callback(void *data, const bool *ready);

struct install *install_start(struct pg_connection *connection, const struct catalog *catalog, const char *database,
                              install_callback *callback, void *data);
void install_abandon(struct install *install); /* the connection went away; NULL allowed */

#endif
