/* SPDX-License-Identifier: PostgreSQL */
#include "model/graph.h"

#include <stdint.h>
#include <stdlib.h>
#include <string.h>

#include "base/heap.h"
#include "base/memory.h"

#define NOWHERE SIZE_MAX

struct walk {
    size_t node_count;
    const struct graph_edge *edges;
    size_t edge_count;
    size_t *waiting;           /* by node: upstreams not yet placed */
    size_t *first;             /* by node: where its downstreams start in `downstream`; one more at the end */
    size_t *downstream;        /* nodes, grouped by upstream */
    struct heap_node *entries; /* by node */
    struct heap ready;
};

/* Groups the edges by upstream with a counting sort, so that each is looked at twice and no more. */
static void group_edges(struct walk *walk)
{
    for (size_t i = 0; i < walk->edge_count; i++) {
        walk->first[walk->edges[i].from + 1]++;
        walk->waiting[walk->edges[i].to]++;
    }
    for (size_t node = 0; node < walk->node_count; node++) {
        walk->first[node + 1] += walk->first[node];
    }
    size_t *next = xcalloc(walk->node_count, sizeof(*next));
    memcpy(next, walk->first, walk->node_count * sizeof(*next));
    for (size_t i = 0; i < walk->edge_count; i++) {
        walk->downstream[next[walk->edges[i].from]++] = walk->edges[i].to;
    }
    free(next);
}

static void walk_init(struct walk *walk, size_t node_count, const struct graph_edge *edges, size_t edge_count)
{
    *walk = (struct walk){.node_count = node_count, .edges = edges, .edge_count = edge_count};
    walk->waiting = xcalloc(node_count, sizeof(*walk->waiting));
    walk->first = xcalloc(node_count + 1, sizeof(*walk->first));
    walk->downstream = xcalloc(edge_count, sizeof(*walk->downstream));
    walk->entries = xcalloc(node_count, sizeof(*walk->entries));
    heap_init(&walk->ready);
    group_edges(walk);
}

static void walk_finish(struct walk *walk)
{
    heap_finish(&walk->ready);
    free(walk->entries);
    free(walk->downstream);
    free(walk->first);
    free(walk->waiting);
}

static size_t place_all(struct walk *walk, size_t *order)
{
    for (size_t node = 0; node < walk->node_count; node++) {
        if (walk->waiting[node] == 0) {
            heap_put(&walk->ready, &walk->entries[node], (int64_t)node);
        }
    }
    size_t placed = 0;
    for (struct heap_node *entry = heap_pop(&walk->ready); entry != NULL; entry = heap_pop(&walk->ready)) {
        size_t node = (size_t)entry->key;
        order[placed++] = node;
        for (size_t i = walk->first[node]; i < walk->first[node + 1]; i++) {
            size_t next = walk->downstream[i];
            if (--walk->waiting[next] == 0) {
                heap_put(&walk->ready, &walk->entries[next], (int64_t)next);
            }
        }
    }
    return placed;
}

/* By node that could not be placed: the smallest of its upstreams that could not be either. There is always one. */
static size_t *blocking_upstreams(const struct walk *walk)
{
    size_t *upstream = xcalloc(walk->node_count, sizeof(*upstream));
    for (size_t node = 0; node < walk->node_count; node++) {
        upstream[node] = NOWHERE;
    }
    for (size_t i = 0; i < walk->edge_count; i++) {
        const struct graph_edge *edge = &walk->edges[i];
        if (walk->waiting[edge->from] > 0 && edge->from < upstream[edge->to]) {
            upstream[edge->to] = edge->from;
        }
    }
    return upstream;
}

/* Following upstreams from anywhere unplaced, a node met a second time lies on a cycle. */
static size_t find_on_cycle(const struct walk *walk, const size_t *upstream)
{
    size_t node = 0;
    while (walk->waiting[node] == 0) {
        node++;
    }
    bool *met = xcalloc(walk->node_count, sizeof(*met));
    while (!met[node]) {
        met[node] = true;
        node = upstream[node];
    }
    free(met);
    return node;
}

static size_t write_cycle(const size_t *upstream, size_t start, size_t *cycle)
{
    size_t smallest = start;
    size_t length = 1;
    for (size_t node = upstream[start]; node != start; node = upstream[node]) {
        smallest = node < smallest ? node : smallest;
        length++;
    }
    cycle[0] = smallest;
    size_t node = smallest;
    for (size_t place = length - 1; place > 0; place--) {
        node = upstream[node];
        cycle[place] = node;
    }
    return length;
}

bool graph_order(size_t node_count, const struct graph_edge *edges, size_t edge_count, size_t *order, size_t *cycle,
                 size_t *cycle_length)
{
    struct walk walk;
    walk_init(&walk, node_count, edges, edge_count);
    bool complete = place_all(&walk, order) == node_count;
    if (!complete) {
        size_t *upstream = blocking_upstreams(&walk);
        *cycle_length = write_cycle(upstream, find_on_cycle(&walk, upstream), cycle);
        free(upstream);
    }
    walk_finish(&walk);
    return complete;
}
