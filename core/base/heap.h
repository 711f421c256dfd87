/* SPDX-License-Identifier: PostgreSQL */
/* A binary min-heap of int64 keys. Each item stores its index in the heap, so that it can be moved or removed in
 * O(log n) without a search. The heap borrows its items: each embeds a struct heap_node. */
#ifndef CHIME_BASE_HEAP_H
#define CHIME_BASE_HEAP_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

struct heap_node {
    int64_t key;
    uint64_t order; /* ties: smaller first; set by the caller before heap_put */
    size_t place;   /* 0 = not in a heap, else index + 1 */
};

struct heap {
    struct heap_node **nodes;
    size_t count;
    size_t capacity;
};

void heap_init(struct heap *heap);
void heap_finish(struct heap *heap); /* frees the heap's own array, never the items */
bool heap_has(const struct heap_node *node);
void heap_put(struct heap *heap, struct heap_node *node, int64_t key); /* inserts, or moves to the new key */
void heap_remove(struct heap *heap, struct heap_node *node);           /* no-op when it is not in */
struct heap_node *heap_first(const struct heap *heap);                 /* NULL when empty */
struct heap_node *heap_pop(struct heap *heap);                         /* NULL when empty */
/* Shows those whose key is at most `most`, in no order, until the visitor answers false. It looks at no others, but for
 * two below each. The visitor may not change the heap. */
typedef bool heap_visitor(void *data, struct heap_node *node);
void heap_visit(const struct heap *heap, int64_t most, heap_visitor *visitor, void *data);

#endif
