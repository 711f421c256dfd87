/* SPDX-License-Identifier: PostgreSQL */
#include <check.h>
#include <stdlib.h>

#include "base/memory.h"
#include "model/graph.h"
#include "support/process/suite.h"

START_TEST(nothing_is_in_order)
{
    size_t order[1];
    size_t cycle[1];
    size_t length = 0;
    ck_assert(graph_order(0, NULL, 0, order, cycle, &length));
}
END_TEST

START_TEST(upstreams_come_first_and_ties_go_by_index)
{
    static const struct graph_edge edges[] = {{4, 0}, {4, 0}, {2, 1}, {1, 3}};
    static const size_t expected[] = {2, 1, 3, 4, 0};
    size_t order[5];
    size_t cycle[5];
    size_t length = 0;
    ck_assert(graph_order(5, edges, COUNT_OF(edges), order, cycle, &length));
    for (size_t i = 0; i < 5; i++) {
        ck_assert_uint_eq(order[i], expected[i]);
    }
}
END_TEST

START_TEST(a_cycle_is_named_in_order_from_its_smallest_node)
{
    static const struct graph_edge edges[] = {{0, 5}, {5, 2}, {2, 4}, {4, 3}, {3, 5}, {3, 1}};
    static const size_t expected[] = {2, 4, 3, 5};
    size_t order[6];
    size_t cycle[6];
    size_t length = 0;
    ck_assert(!graph_order(6, edges, COUNT_OF(edges), order, cycle, &length));
    ck_assert_uint_eq(length, 4);
    for (size_t i = 0; i < 4; i++) {
        ck_assert_uint_eq(cycle[i], expected[i]);
    }
}
END_TEST

START_TEST(a_node_after_itself_is_a_cycle_of_one)
{
    static const struct graph_edge edges[] = {{0, 1}, {1, 1}};
    size_t order[2];
    size_t cycle[2];
    size_t length = 0;
    ck_assert(!graph_order(2, edges, COUNT_OF(edges), order, cycle, &length));
    ck_assert_uint_eq(length, 1);
    ck_assert_uint_eq(cycle[0], 1);
}
END_TEST

START_TEST(a_long_chain_is_ordered_and_its_closing_found)
{
    size_t count = 100000;
    struct graph_edge *edges = xcalloc(count, sizeof(*edges));
    size_t *order = xcalloc(count, sizeof(*order));
    size_t *cycle = xcalloc(count, sizeof(*cycle));
    size_t length = 0;
    for (size_t i = 0; i < count; i++) {
        edges[i] = (struct graph_edge){.from = count - 1 - i, .to = (2 * count - 2 - i) % count};
    }
    ck_assert(graph_order(count, edges, count - 1, order, cycle, &length));
    for (size_t i = 0; i < count; i++) {
        if (order[i] != count - 1 - i) {
            ck_abort_msg("%zu comes at %zu", order[i], i);
        }
    }
    ck_assert(!graph_order(count, edges, count, order, cycle, &length));
    ck_assert_uint_eq(length, count);
    ck_assert_uint_eq(cycle[0], 0);
    ck_assert_uint_eq(cycle[1], count - 1);
    free(edges);
    free(order);
    free(cycle);
}
END_TEST

static bool has_edge(const struct graph_edge *edges, size_t count, size_t from, size_t to)
{
    for (size_t i = 0; i < count; i++) {
        if (edges[i].from == from && edges[i].to == to) {
            return true;
        }
    }
    return false;
}

START_TEST(random_graphs_are_ordered_or_show_a_real_cycle)
{
    enum { NODES = 12 };
    srand(5);
    int orders = 0;
    int cycles = 0;
    for (int round = 0; round < 5000; round++) {
        struct graph_edge edges[20];
        size_t edge_count = (size_t)rand() % COUNT_OF(edges);
        for (size_t i = 0; i < edge_count; i++) {
            edges[i] = (struct graph_edge){(size_t)rand() % NODES, (size_t)rand() % NODES};
        }
        size_t order[NODES];
        size_t cycle[NODES];
        size_t length = 0;
        if (graph_order(NODES, edges, edge_count, order, cycle, &length)) {
            size_t place[NODES];
            for (size_t i = 0; i < NODES; i++) {
                place[order[i]] = i;
            }
            for (size_t i = 0; i < edge_count; i++) {
                ck_assert_uint_lt(place[edges[i].from], place[edges[i].to]);
            }
            orders++;
            continue;
        }
        for (size_t i = 0; i < length; i++) {
            ck_assert(has_edge(edges, edge_count, cycle[i], cycle[(i + 1) % length]));
            ck_assert_uint_ge(cycle[i], cycle[0]);
        }
        cycles++;
    }
    ck_assert_int_gt(orders, 500);
    ck_assert_int_gt(cycles, 500);
}
END_TEST

int main(void)
{
    Suite *suite = suite_create("graph");
    TCase *tests = tcase_create("graph");
    tcase_add_test(tests, nothing_is_in_order);
    tcase_add_test(tests, upstreams_come_first_and_ties_go_by_index);
    tcase_add_test(tests, a_cycle_is_named_in_order_from_its_smallest_node);
    tcase_add_test(tests, a_node_after_itself_is_a_cycle_of_one);
    tcase_add_test(tests, a_long_chain_is_ordered_and_its_closing_found);
    tcase_add_test(tests, random_graphs_are_ordered_or_show_a_real_cycle);
    suite_add_tcase(suite, tests);
    return suite_run(suite);
}
