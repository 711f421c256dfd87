/* SPDX-License-Identifier: PostgreSQL */
/* Configuration, plugins and catalog, loaded for a command. */
#ifndef CHIME_CLI_LOAD_H
#define CHIME_CLI_LOAD_H

#include "catalog/catalog.h"
#include "cli/command.h"

struct loaded {
    struct config *config;      /* what could be read of it; never NULL */
    struct plugin_set *plugins; /* never NULL */
    struct catalog *catalog;    /* NULL when it has errors */
    struct report report;       /* sorted: everything found */
    size_t refusals;            /* of plugins: findings that stop nothing but the plugin */
};

/* All of it. `loaded` is to be finished also when there are errors (catalog is NULL then). */
void load_all(const struct invocation *invocation, struct loaded *loaded);
void loaded_finish(struct loaded *loaded);
/* The configuration alone, for commands that only connect: with errors elsewhere than in its databases they are
 * printed, and it is good all the same. Else, or when --database names none of them, NULL after its findings were
 * printed; *status is the exit status then. */
struct config *load_config(const struct invocation *invocation, int *status);
/* The same, but any error is one: for commands that go on to load all of it. */
struct config *load_sound_config(const struct invocation *invocation, int *status);
/* Whether the command is about this database: --database. */
bool database_is_wanted(const struct invocation *invocation, const struct config_database *database);
/* The only one it is about, for commands that write jobs to it; NULL with ERROR_USAGE where there are several, or
 * none. */
const struct config_database *database_for_jobs(const struct invocation *invocation, const struct config *config,
                                                struct error *err);
/* Every finding on standard error. */
void print_findings(const struct report *report);

#endif
