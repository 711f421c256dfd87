/* SPDX-License-Identifier: PostgreSQL */
/* Which job comes after which, as the ledger has them. */
#include "report/job_graph.h"
#include "web/page_kind.h"

static void create_graph(struct page *page)
{
    (void)page; /* its lists are made of the answer */
}

static bool read_graph(struct page *page, struct error *err)
{
    page->graph = (struct job_graph_choice){
        .job = page_query(page, "job"), .plugin = page_query(page, "plugin"), .depth = JOB_GRAPH_DEPTH};
    if (page->graph.job != NULL && page->graph.plugin != NULL) {
        error_set(err, ERROR_USAGE, "the graph is of a job or of a plugin");
        return error_hint(err, "ask for one of them");
    }
    return page_read_number(page, "depth", JOB_GRAPH_DEPTH_MAX, &page->graph.depth, err);
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
    job_graph_begin(&graph);
    job_graph_take(&graph, database->name, &answers[0]);
    if (!job_graph_keep(&graph, &page->graph)) {
        job_graph_finish(&graph);
        page->job = page->graph.job;
        return page_refuse_job(page, err);
    }
    job_graph_link(&graph);
    job_graph_lists(&graph, page->lists);
    page->list_count = 2;
    job_graph_finish(&graph);
    return true;
}

const struct page_kind page_graph = {
    .parts = {"d", DATABASE, "graph"},
    .queries = {"job", "plugin", "depth"},
    .create = create_graph,
    .read = read_graph,
    .ask = ask_graph,
    .take = take_graph,
};
