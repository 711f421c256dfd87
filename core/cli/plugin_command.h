/* SPDX-License-Identifier: PostgreSQL */
/* What commands about one plugin share: adopt and purge.
 *
 * Does: load the configuration and catalog, find the plugin, report an error for an unknown name, ask the user to
 *   confirm. */
#ifndef CHIME_CLI_PLUGIN_COMMAND_H
#define CHIME_CLI_PLUGIN_COMMAND_H

#include "cli/load.h"

/* Configuration, plugins and catalog. False, with the exit status, after the findings of a configuration that is not
 * sound, or when --database names none of its databases. Else `loaded` is to be finished, also when it has no
 * catalog. */
bool plugin_command_load(const struct invocation *invocation, struct loaded *loaded, int *status);
/* Prints why there is no catalog; the exit status. */
int plugin_command_refuse_catalog(const struct loaded *loaded);
/* The plugin of this name in this database (NULL: in any); NULL: there is none. */
const struct catalog_plugin *plugin_command_find(const struct loaded *loaded, const char *name, const char *database);
/* Hints at the nearest of these names, or at where they are listed. */
void plugin_command_hint_name(struct error *err, const char *name, const char *const *names, size_t count);
/* Whether it may be done: --yes, or "y" or "yes" at the terminal, else an error. `nothing`: "nothing was dropped". */
bool plugin_command_confirm(const struct invocation *invocation, const char *nothing, const char *question,
                            struct error *err) CHIME_MUST_CHECK;

/* After a table of SQL, which shortens it: how all of it is to be had. */
void plugin_command_remark_cuts(const struct invocation *invocation);

#endif
