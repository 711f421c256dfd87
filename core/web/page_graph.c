/* SPDX-License-Identifier: PostgreSQL */
/* Which job comes after which, as the ledger has them. */
#include "report/job_graph.h"
#include "web/page_kind.h"

static void create_graph(struct page *page)
{
    (void)page; /* its lists are made of the answer */
}

static size_t ask_graph(struct page *page, const struct config_database *database, struct question *questions)
{
    (void)page;
    (void)database;
    job_graph_ask_all(&questions[0]);
    return 1;
}

static bool take_graph(struct page *page, const struct config_database *database, struct pg_rows *answers,
                       struct error *err)
{
    struct job_graph graph;
    (void)err;
    job_graph_begin(&graph);
    job_graph_take(&graph, database->name, &answers[0]);
    job_graph_link(&graph);
    job_graph_lists(&graph, page->lists);
    page->list_count = 2;
    job_graph_finish(&graph);
    return true;
}

const struct page_kind page_graph = {
    .parts = {"d", DATABASE, "graph"},
    .create = create_graph,
    .ask = ask_graph,
    .take = take_graph,
};
