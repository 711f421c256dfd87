/* SPDX-License-Identifier: PostgreSQL */
/* Which job comes after which: jobs of the catalog, and those that SQL made.
 *
 * Does: gather them (job_graph_add_configured, job_graph_take for each database), find what comes after what
 *   (job_graph_link, once all are there), leave out what is far from one job (job_graph_keep, before), make lists of
 *   it.
 * Does not: draw. Ownership: catalog and configuration are borrowed. */
#ifndef CHIME_REPORT_JOB_GRAPH_H
#define CHIME_REPORT_JOB_GRAPH_H

#include "catalog/catalog.h"
#include "model/graph.h"
#include "pg/rows.h"
#include "report/output.h"
#include "report/statements.h"

/* Edges are by index of jobs; upstreams come first in `order`. */
struct job_graph {
    struct arena *arena;
    const struct job **jobs; /* by database, then name */
    size_t count;
    size_t capacity;
    struct graph_edge *edges;
    size_t edge_count;
    size_t *order;
};

void job_graph_begin(struct job_graph *graph);
void job_graph_add_configured(struct job_graph *graph, const struct catalog *catalog, const char *database);
void job_graph_ask(struct question *question);     /* for those that SQL made */
void job_graph_ask_all(struct question *question); /* for all of the ledger */
void job_graph_take(struct job_graph *graph, const char *database, const struct pg_rows *rows);
/* Which of them; zeros: all. */
struct job_graph_choice {
    const char *job;    /* and what is no more than `depth` steps before or after it */
    const char *plugin; /* its jobs */
    int64_t depth;
};

#define JOB_GRAPH_DEPTH 2 /* where none is given */
#define JOB_GRAPH_DEPTH_MAX 100

/* False: there is no such job. */
bool job_graph_keep(struct job_graph *graph, const struct job_graph_choice *choice);
void job_graph_link(struct job_graph *graph);
void job_graph_finish(struct job_graph *graph);

struct output_list *job_graph_list_create(void);
void job_graph_list_add(struct output_list *list, const struct job *job);
/* Jobs, upstreams first, and edges; the caller's. */
void job_graph_lists(const struct job_graph *graph, struct output_list *lists[static 2]);

#endif
