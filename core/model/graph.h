/* SPDX-License-Identifier: PostgreSQL */
/* A directed graph of names by index: cycles with their path, and a topological order.
 * Plain functions over an edge list; no ownership. */
#ifndef CHIME_MODEL_GRAPH_H
#define CHIME_MODEL_GRAPH_H

#include <stdbool.h>
#include <stddef.h>

struct graph_edge {
    size_t from; /* upstream */
    size_t to;   /* must come after it */
};

/* Fills order[node_count] with every node, upstreams first, ties by index. On a cycle returns false and fills
 * cycle[0..*cycle_length-1] (room for node_count) with its nodes in order, the smallest index first.
 * Does not recurse: 100,000 nodes in a chain are fine. */
bool graph_order(size_t node_count, const struct graph_edge *edges, size_t edge_count, size_t *order, size_t *cycle,
                 size_t *cycle_length);

#endif
