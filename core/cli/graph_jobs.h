/* SPDX-License-Identifier: PostgreSQL */
/* The jobs that a graph is of: those of the catalog, and those that SQL made in the databases that can be reached.
 *
 * Does: ask each wanted database; remark on one that does not tell.
 * Does not: order them. Ownership: catalog and configuration are borrowed. */
#ifndef CHIME_CLI_GRAPH_JOBS_H
#define CHIME_CLI_GRAPH_JOBS_H

#include "cli/load.h"

struct graph_jobs {
    struct arena *arena;
    const struct job **items; /* by database, then name */
    size_t count;
    size_t capacity;
};

void graph_jobs_gather(struct graph_jobs *jobs, const struct invocation *invocation, const struct catalog *catalog);
void graph_jobs_finish(struct graph_jobs *jobs);
/* Its place among them; SIZE_MAX: it is not there. */
size_t graph_jobs_find(const struct graph_jobs *jobs, const char *database, const char *name);

#endif
