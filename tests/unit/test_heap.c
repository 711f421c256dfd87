/* SPDX-License-Identifier: PostgreSQL */
#include <check.h>
#include <stdlib.h>

#include "base/heap.h"
#include "support/process/suite.h"

START_TEST(an_empty_heap_has_no_first)
{
    struct heap heap;
    heap_init(&heap);
    struct heap_node node = {0};
    ck_assert_ptr_null(heap_first(&heap));
    ck_assert_ptr_null(heap_pop(&heap));
    ck_assert(!heap_has(&node));
    heap_remove(&heap, &node);
    ck_assert_uint_eq(heap.count, 0);
    heap_finish(&heap);
}
END_TEST

START_TEST(items_come_out_by_key_and_ties_by_order)
{
    struct heap heap;
    heap_init(&heap);
    struct heap_node nodes[5] = {{.order = 4}, {.order = 3}, {.order = 2}, {.order = 1}, {.order = 0}};
    static const int64_t keys[5] = {7, 7, -3, 7, INT64_MAX};
    static const size_t expected[5] = {2, 3, 1, 0, 4};
    for (size_t i = 0; i < 5; i++) {
        heap_put(&heap, &nodes[i], keys[i]);
    }
    for (size_t i = 0; i < 5; i++) {
        ck_assert_ptr_eq(heap_first(&heap), &nodes[expected[i]]);
        ck_assert_ptr_eq(heap_pop(&heap), &nodes[expected[i]]);
        ck_assert(!heap_has(&nodes[expected[i]]));
    }
    heap_finish(&heap);
}
END_TEST

START_TEST(putting_again_moves_an_item_both_ways)
{
    struct heap heap;
    heap_init(&heap);
    struct heap_node nodes[3] = {0};
    for (size_t i = 0; i < 3; i++) {
        heap_put(&heap, &nodes[i], (int64_t)i);
    }
    heap_put(&heap, &nodes[0], 10);
    ck_assert_ptr_eq(heap_first(&heap), &nodes[1]);
    heap_put(&heap, &nodes[0], -10);
    ck_assert_ptr_eq(heap_first(&heap), &nodes[0]);
    ck_assert_uint_eq(heap.count, 3);
    heap_finish(&heap);
}
END_TEST

#define ITEMS 200

static size_t smallest(const struct heap_node *nodes, const bool *inside)
{
    size_t best = ITEMS;
    for (size_t i = 0; i < ITEMS; i++) {
        if (inside[i] && (best == ITEMS || nodes[i].key < nodes[best].key ||
                          (nodes[i].key == nodes[best].key && nodes[i].order < nodes[best].order))) {
            best = i;
        }
    }
    return best;
}

START_TEST(random_puts_moves_and_removals_keep_the_smallest_first)
{
    struct heap heap;
    heap_init(&heap);
    struct heap_node nodes[ITEMS] = {0};
    bool inside[ITEMS] = {false};
    size_t count = 0;
    srand(20260327);
    for (int step = 0; step < 20000; step++) {
        size_t i = (size_t)rand() % ITEMS;
        if (rand() % 3 == 0) {
            heap_remove(&heap, &nodes[i]);
            count -= inside[i] ? 1 : 0;
            inside[i] = false;
        } else {
            nodes[i].order = i;
            heap_put(&heap, &nodes[i], rand() % 50);
            count += inside[i] ? 0 : 1;
            inside[i] = true;
        }
        const struct heap_node *first = count > 0 ? &nodes[smallest(nodes, inside)] : NULL;
        if (heap.count != count || heap_has(&nodes[i]) != inside[i] || heap_first(&heap) != first) {
            ck_abort_msg("step %d: the heap is out of order", step);
        }
    }
    heap_finish(&heap);
}
END_TEST

struct visits {
    int64_t sum;
    int left;
};

static bool add_up(void *data, struct heap_node *node)
{
    struct visits *visits = data;
    visits->sum += node->key;
    return --visits->left > 0;
}

START_TEST(a_visit_shows_what_is_no_later_and_ends_when_told)
{
    struct heap heap;
    heap_init(&heap);
    struct heap_node nodes[ITEMS] = {0};
    for (size_t i = 0; i < ITEMS; i++) {
        heap_put(&heap, &nodes[i], (int64_t)(i * 37 % ITEMS));
    }
    for (int64_t most = -1; most <= ITEMS; most++) {
        struct visits visits = {0, ITEMS + 1};
        int64_t last = most < ITEMS ? most : ITEMS - 1;
        heap_visit(&heap, most, add_up, &visits);
        ck_assert_int_eq(visits.left, ITEMS - last);
        ck_assert_int_eq(visits.sum, last * (last + 1) / 2);
    }
    struct visits few = {0, 3};
    heap_visit(&heap, ITEMS, add_up, &few);
    ck_assert_int_eq(few.left, 0);
    heap_finish(&heap);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("heap");
    TCase *tests = tcase_create("heap");
    tcase_add_test(tests, an_empty_heap_has_no_first);
    tcase_add_test(tests, items_come_out_by_key_and_ties_by_order);
    tcase_add_test(tests, putting_again_moves_an_item_both_ways);
    tcase_add_test(tests, random_puts_moves_and_removals_keep_the_smallest_first);
    tcase_add_test(tests, a_visit_shows_what_is_no_later_and_ends_when_told);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
