/* SPDX-License-Identifier: PostgreSQL */
#include <jansson.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "cli/commands.h"
#include "cli/graph_jobs.h"
#include "model/graph.h"

static const struct output_column job_columns[] = {
    {"JOB", "job", OUTPUT_TEXT, OUTPUT_ALWAYS},           {"DATABASE", "database", OUTPUT_TEXT, OUTPUT_ALWAYS},
    {"SCHEDULE", "schedule", OUTPUT_TEXT, OUTPUT_ALWAYS}, {"AFTER", "after", OUTPUT_DATA, OUTPUT_ALWAYS},
    {"JOIN", "join", OUTPUT_BOOLEAN, OUTPUT_ALWAYS},      {"ACTIVE", "active", OUTPUT_BOOLEAN, OUTPUT_ALWAYS},
    {"PLUGIN", "plugin", OUTPUT_TEXT, OUTPUT_ALWAYS},     {"VIEWS", "views", OUTPUT_DATA, OUTPUT_WIDER},
};
enum {
    COLUMN_JOB,
    COLUMN_DATABASE,
    COLUMN_SCHEDULE,
    COLUMN_AFTER,
    COLUMN_JOIN,
    COLUMN_ACTIVE,
    COLUMN_PLUGIN,
    COLUMN_VIEWS,
};

static const struct output_column edge_columns[] = {
    {NULL, "database", OUTPUT_TEXT, OUTPUT_ALWAYS},
    {NULL, "from", OUTPUT_TEXT, OUTPUT_ALWAYS},
    {NULL, "to", OUTPUT_TEXT, OUTPUT_ALWAYS},
};

/* The wanted jobs and their edges, by index; upstreams come first in `order`. */
struct job_graph {
    const struct job *const *jobs;
    size_t count;
    struct graph_edge *edges;
    size_t edge_count;
    size_t *order;
};

/* --- what there is ------------------------------------------------------------------------------------------------ */

/* The catalog refused unknown names and cycles; what a job made by SQL comes after may be gone. */
static void add_edges(struct job_graph *graph, const struct graph_jobs *jobs, size_t to)
{
    const struct job *job = graph->jobs[to];
    for (size_t i = 0; i < job->after_count; i++) {
        size_t from = graph_jobs_find(jobs, job->database, job->after[i]);
        if (from != SIZE_MAX) {
            graph->edges = xrealloc(graph->edges, graph->edge_count + 1, sizeof(*graph->edges));
            graph->edges[graph->edge_count++] = (struct graph_edge){from, to};
        }
    }
}

static void graph_take(struct job_graph *graph, const struct graph_jobs *jobs)
{
    *graph = (struct job_graph){.jobs = jobs->items, .count = jobs->count};
    for (size_t i = 0; i < graph->count; i++) {
        add_edges(graph, jobs, i);
    }
    size_t *cycle = xcalloc(graph->count + 1, sizeof(*cycle));
    size_t length;
    graph->order = xcalloc(graph->count + 1, sizeof(*graph->order));
    graph_order(graph->count, graph->edges, graph->edge_count, graph->order, cycle, &length);
    free(cycle);
}

static void graph_finish(struct job_graph *graph)
{
    free(graph->edges);
    free(graph->order);
}

/* --- lists -------------------------------------------------------------------------------------------------------- */

static void set_names(struct output_list *list, size_t column, const char *const *names, size_t count)
{
    json_t *array = json_array();
    for (size_t i = 0; i < count; i++) {
        json_array_append_new(array, json_string(names[i]));
    }
    char *text = json_dumps(array, JSON_COMPACT);
    output_set(list, column, text);
    free(text);
    json_decref(array);
}

static void add_job(struct output_list *list, const struct job *job)
{
    output_add_row(list);
    output_set(list, COLUMN_JOB, job->name);
    output_set(list, COLUMN_DATABASE, job->database);
    output_set(list, COLUMN_SCHEDULE, job->schedule_text);
    set_names(list, COLUMN_AFTER, job->after, job->after_count);
    output_set_number(list, COLUMN_JOIN, job_is_join(job));
    output_set_number(list, COLUMN_ACTIVE, job->active);
    output_set(list, COLUMN_PLUGIN, job->plugin);
    set_names(list, COLUMN_VIEWS, job->views, job->view_count);
}

static void print_lists(const struct job_graph *graph, const struct output_style *style)
{
    struct output_list *lists[] = {output_create("jobs", job_columns, COUNT_OF(job_columns)),
                                   output_create("edges", edge_columns, COUNT_OF(edge_columns))};
    for (size_t i = 0; i < graph->count; i++) {
        add_job(lists[0], graph->jobs[graph->order[i]]);
    }
    for (size_t i = 0; i < graph->edge_count; i++) {
        const struct job *to = graph->jobs[graph->edges[i].to];
        output_add_row(lists[1]);
        output_set(lists[1], 0, to->database);
        output_set(lists[1], 1, graph->jobs[graph->edges[i].from]->name);
        output_set(lists[1], 2, to->name);
    }
    output_print(lists, output_is_for_people(style) ? 1 : 2, style, stdout);
    output_destroy(lists[0]);
    output_destroy(lists[1]);
}

/* --- tree --------------------------------------------------------------------------------------------------------- */

/* A job stands below each of its upstreams, and what comes after it below the first of these places alone: a graph of
 * many paths would be a tree without end. */
struct tree {
    const struct job_graph *graph;
    struct output_list *list;
    bool *shown;
};

static void add_branch(struct tree *tree, size_t root)
{
    struct place {
        size_t job;
        size_t parent; /* row */
    };
    struct place *stack = xcalloc(tree->graph->edge_count + 1, sizeof(*stack));
    size_t depth = 0;
    stack[depth++] = (struct place){root, OUTPUT_ROOT};
    while (depth > 0) {
        struct place place = stack[--depth];
        size_t row = output_rows(tree->list);
        add_job(tree->list, tree->graph->jobs[place.job]);
        output_set_parent(tree->list, place.parent);
        if (tree->shown[place.job]) {
            continue;
        }
        tree->shown[place.job] = true;
        for (size_t i = tree->graph->edge_count; i > 0; i--) {
            if (tree->graph->edges[i - 1].from == place.job) {
                stack[depth++] = (struct place){tree->graph->edges[i - 1].to, row};
            }
        }
    }
    free(stack);
}

static bool is_root(const struct job_graph *graph, size_t job)
{
    for (size_t i = 0; i < graph->edge_count; i++) {
        if (graph->edges[i].to == job) {
            return false;
        }
    }
    return true;
}

static void print_tree(const struct job_graph *graph, const struct output_style *style)
{
    struct tree tree = {.graph = graph,
                        .list = output_create("jobs", job_columns, COUNT_OF(job_columns)),
                        .shown = xcalloc(graph->count + 1, sizeof(*tree.shown))};
    for (size_t i = 0; i < graph->count; i++) {
        if (is_root(graph, i)) {
            add_branch(&tree, i);
        }
    }
    output_print(&tree.list, 1, style, stdout);
    output_destroy(tree.list);
    free(tree.shown);
}

/* --- dot ---------------------------------------------------------------------------------------------------------- */

/* Within double quotes, where "\n" is a line break to Graphviz too. */
static void put_dot(struct buffer *text, const char *name)
{
    for (; *name != '\0'; name++) {
        if (*name == '"' || *name == '\\') {
            buffer_putc(text, '\\');
        }
        if (*name == '\n') {
            buffer_puts(text, "\\n");
        } else {
            buffer_putc(text, *name);
        }
    }
}

/* A name alone may be in two databases. */
static void put_node(struct buffer *text, const struct job *job)
{
    buffer_putc(text, '"');
    put_dot(text, job->database);
    buffer_putc(text, '/');
    put_dot(text, job->name);
    buffer_putc(text, '"');
}

static void put_job(struct buffer *text, const struct job *job)
{
    const char *below = job->schedule_text[0] != '\0' ? job->schedule_text
                        : job_is_join(job)            ? "join"
                        : job_is_driven(job)          ? "by event"
                                                      : "on request";
    buffer_puts(text, "    ");
    put_node(text, job);
    buffer_puts(text, " [label=\"");
    put_dot(text, job->name);
    buffer_puts(text, "\\n");
    put_dot(text, below);
    if (job->plugin != NULL) {
        buffer_puts(text, "\\nplugin ");
        put_dot(text, job->plugin);
    }
    buffer_printf(text, "\"%s%s];\n", job_is_join(job) ? " shape=ellipse" : "",
                  job->active ? "" : " style=dashed fontcolor=gray");
}

static void put_database(struct buffer *text, const struct job_graph *graph, const char *database)
{
    buffer_puts(text, "  subgraph \"cluster ");
    put_dot(text, database);
    buffer_puts(text, "\" {\n    label=\"");
    put_dot(text, database);
    buffer_puts(text, "\";\n");
    for (size_t i = 0; i < graph->count; i++) {
        if (strcmp(graph->jobs[i]->database, database) == 0) {
            put_job(text, graph->jobs[i]);
        }
    }
    buffer_puts(text, "  }\n");
}

static void print_dot(const struct job_graph *graph)
{
    struct buffer text = {0};
    buffer_puts(&text, "digraph pgchime {\n  rankdir=LR;\n  node [shape=box];\n");
    for (size_t i = 0; i < graph->count; i++) {
        if (i == 0 || strcmp(graph->jobs[i]->database, graph->jobs[i - 1]->database) != 0) {
            put_database(&text, graph, graph->jobs[i]->database);
        }
    }
    for (size_t i = 0; i < graph->edge_count; i++) {
        buffer_puts(&text, "  ");
        put_node(&text, graph->jobs[graph->edges[i].from]);
        buffer_puts(&text, " -> ");
        put_node(&text, graph->jobs[graph->edges[i].to]);
        buffer_puts(&text, ";\n");
    }
    buffer_puts(&text, "}\n");
    fputs(buffer_text(&text), stdout);
    buffer_finish(&text);
}

/* --- the command -------------------------------------------------------------------------------------------------- */

static void print_graph(const struct invocation *invocation, const struct catalog *catalog)
{
    struct graph_jobs jobs;
    struct job_graph graph;
    graph_jobs_gather(&jobs, invocation, catalog);
    graph_take(&graph, &jobs);
    if (invocation->style.format == OUTPUT_DOT) {
        print_dot(&graph);
    } else if (invocation->style.format == OUTPUT_TREE) {
        print_tree(&graph, &invocation->style);
    } else {
        print_lists(&graph, &invocation->style);
    }
    if (graph.count == 0) {
        remark(invocation, "no jobs");
    }
    graph_finish(&graph);
    graph_jobs_finish(&jobs);
}

static int graph_run(const struct invocation *invocation)
{
    int status;
    struct config *config = load_sound_config(invocation, &status);
    if (config == NULL) {
        return status;
    }
    config_free(config);
    struct loaded loaded;
    load_all(invocation, &loaded);
    print_findings(&loaded.report);
    if (loaded.catalog != NULL) {
        print_graph(invocation, loaded.catalog);
    }
    status = loaded.report.count > 0 ? (int)ERROR_CONFIG : EXIT_OK;
    loaded_finish(&loaded);
    return status;
}

const struct command command_graph = {
    .name = "graph",
    .arguments = "",
    .summary = "which job comes after which",
    .details =
        "-o tree shows what follows what, -o dot is for Graphviz. Jobs made by SQL are there where their database can "
        "be reached.",
    .options = {{"offline", NULL, "jobs of configuration and plugins alone: no database is asked"}},
    .draws = true,
    .run = graph_run,
};
