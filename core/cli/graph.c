/* SPDX-License-Identifier: PostgreSQL */
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"
#include "cli/commands.h"
#include "cli/load.h"
#include "cli/visit.h"
#include "report/job_graph.h"

/* --- lists -------------------------------------------------------------------------------------------------------- */

static void print_lists(const struct job_graph *graph, const struct output_style *style)
{
    struct output_list *lists[2];
    job_graph_lists(graph, lists);
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
        job_graph_list_add(tree->list, tree->graph->jobs[place.job]);
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
    struct tree tree = {
        .graph = graph, .list = job_graph_list_create(), .shown = xcalloc(graph->count + 1, sizeof(*tree.shown))};
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

static bool add_sql_jobs(struct job_graph *graph, const struct invocation *invocation,
                         const struct config_database *database, struct error *err)
{
    struct question question;
    struct visit visit;
    struct pg_rows rows;
    job_graph_ask(&question);
    bool good = visit_open(&visit, database, err) && visit_ask(&visit, &question, &rows, err);
    if (good) {
        visit_remark_standby(invocation, &visit);
        job_graph_take(graph, database->name, &rows);
        pg_rows_finish(&rows);
    }
    visit_close(&visit);
    return good;
}

static void gather(struct job_graph *graph, const struct invocation *invocation, const struct catalog *catalog)
{
    job_graph_begin(graph);
    for (size_t i = 0; i < catalog->config->database_count; i++) {
        const struct config_database *database = &catalog->config->databases[i];
        struct error err;
        if (!database_is_wanted(invocation, database)) {
            continue;
        }
        job_graph_add_configured(graph, catalog, database->name);
        if (!invocation_has(invocation, "offline") && !add_sql_jobs(graph, invocation, database, &err)) {
            remark(invocation, "database \"%s\": jobs made by SQL are not shown: %s", database->name, err.message);
        }
    }
}

static bool read_choice(const struct invocation *invocation, struct job_graph_choice *choice, struct error *err)
{
    const char *depth = invocation_option(invocation, "depth");
    *choice = (struct job_graph_choice){.job = invocation_option(invocation, "job"),
                                        .plugin = invocation_option(invocation, "plugin"),
                                        .depth = JOB_GRAPH_DEPTH};
    if (choice->job != NULL && choice->plugin != NULL) {
        error_set(err, ERROR_USAGE, "the graph is of a job or of a plugin");
        return error_hint(err, "write --job or --plugin");
    }
    if (depth != NULL && !parse_int64(depth, 1, JOB_GRAPH_DEPTH_MAX, &choice->depth)) {
        return error_set(err, ERROR_USAGE, "--depth: \"%s\" is not a number from 1 to %d", depth, JOB_GRAPH_DEPTH_MAX);
    }
    return true;
}

/* False: there is no such job. */
static bool print_graph(const struct invocation *invocation, const struct catalog *catalog,
                        const struct job_graph_choice *choice)
{
    struct job_graph graph;
    gather(&graph, invocation, catalog);
    if (!job_graph_keep(&graph, choice)) {
        job_graph_finish(&graph);
        return false;
    }
    job_graph_link(&graph);
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
    job_graph_finish(&graph);
    return true;
}

static int graph_run(const struct invocation *invocation)
{
    int status;
    struct error err;
    struct job_graph_choice choice;
    if (!read_choice(invocation, &choice, &err)) {
        return fail(&err);
    }
    struct config *config = load_sound_config(invocation, &status);
    if (config == NULL) {
        return status;
    }
    config_free(config);
    struct loaded loaded;
    load_all(invocation, &loaded);
    print_findings(&loaded.report);
    status = loaded.report.count > 0 ? (int)ERROR_CONFIG : EXIT_OK;
    if (loaded.catalog != NULL && !print_graph(invocation, loaded.catalog, &choice)) {
        error_set(&err, ERROR_NOT_FOUND, "there is no job \"%s\"", choice.job);
        error_hint(&err, "pgchime jobs lists them");
        status = fail(&err);
    }
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
    .options = {{"job", "JOB", "what is near this one alone"},
                {"depth", "N", "with --job: no more than so many steps before or after it (default 2)"},
                {"plugin", "PLUGIN", "the jobs of a plugin alone"},
                {"offline", NULL, "jobs of configuration and plugins alone: no database is asked"}},
    .draws = true,
    .run = graph_run,
};
