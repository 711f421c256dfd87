/* SPDX-License-Identifier: PostgreSQL */
#include "base/heap.h"

#include <stdlib.h>

#include "base/memory.h"

void heap_init(struct heap *heap)
{
    *heap = (struct heap){0};
}

void heap_finish(struct heap *heap)
{
    free(heap->nodes);
    heap_init(heap);
}

bool heap_has(const struct heap_node *node)
{
    return node->place != 0;
}

static bool comes_before(const struct heap_node *a, const struct heap_node *b)
{
    return a->key != b->key ? a->key < b->key : a->order < b->order;
}

static void place_at(struct heap *heap, struct heap_node *node, size_t index)
{
    heap->nodes[index] = node;
    node->place = index + 1;
}

static void sift_up(struct heap *heap, struct heap_node *node)
{
    size_t index = node->place - 1;
    while (index > 0) {
        size_t parent = (index - 1) / 2;
        if (!comes_before(node, heap->nodes[parent])) {
            break;
        }
        place_at(heap, heap->nodes[parent], index);
        index = parent;
    }
    place_at(heap, node, index);
}

static void sift_down(struct heap *heap, struct heap_node *node)
{
    size_t index = node->place - 1;
    for (size_t child = index * 2 + 1; child < heap->count; child = index * 2 + 1) {
        if (child + 1 < heap->count && comes_before(heap->nodes[child + 1], heap->nodes[child])) {
            child++;
        }
        if (!comes_before(heap->nodes[child], node)) {
            break;
        }
        place_at(heap, heap->nodes[child], index);
        index = child;
    }
    place_at(heap, node, index);
}

static void append(struct heap *heap, struct heap_node *node)
{
    if (heap->count == heap->capacity) {
        heap->capacity = heap->capacity > 0 ? heap->capacity * 2 : 16;
        heap->nodes = xrealloc(heap->nodes, heap->capacity, sizeof(struct heap_node *));
    }
    place_at(heap, node, heap->count++);
}

void heap_put(struct heap *heap, struct heap_node *node, int64_t key)
{
    if (!heap_has(node)) {
        append(heap, node);
    }
    node->key = key;
    sift_up(heap, node);
    sift_down(heap, node);
}

void heap_remove(struct heap *heap, struct heap_node *node)
{
    if (!heap_has(node)) {
        return;
    }
    struct heap_node *last = heap->nodes[--heap->count];
    if (last != node) {
        place_at(heap, last, node->place - 1);
        sift_up(heap, last);
        sift_down(heap, last);
    }
    node->place = 0;
}

struct heap_node *heap_first(const struct heap *heap)
{
    return heap->count > 0 ? heap->nodes[0] : NULL;
}

struct heap_node *heap_pop(struct heap *heap)
{
    struct heap_node *first = heap_first(heap);
    if (first != NULL) {
        heap_remove(heap, first);
    }
    return first;
}

static bool visit_from(const struct heap *heap, size_t index, int64_t most, heap_visitor *visitor, void *data)
{
    if (index >= heap->count || heap->nodes[index]->key > most) {
        return true;
    }
    return visitor(data, heap->nodes[index]) && visit_from(heap, index * 2 + 1, most, visitor, data) &&
           visit_from(heap, index * 2 + 2, most, visitor, data);
}

void heap_visit(const struct heap *heap, int64_t most, heap_visitor *visitor, void *data)
{
    visit_from(heap, 0, most, visitor, data);
}
