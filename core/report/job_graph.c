/* SPDX-License-Identifier: PostgreSQL */
#include "report/job_graph.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"

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

static const char jobs_sql[] = "SELECT name, schedule, active, to_json(after), cardinality(channels), plugin,"
                               "       to_json(views) FROM chime.job"
                               " WHERE (origin = 'sql' OR $1::boolean) AND removed_at IS NULL";
static const char *const examples[][QUESTION_PARAMETERS_MAX] = {{"f"}, {"t"}, {NULL}};
const struct report_statement graph_jobs_statement = {"graph_jobs", jobs_sql, 1, examples};

static void add(struct job_graph *graph, const struct job *job)
{
    if (graph->count == graph->capacity) {
        graph->capacity = graph->capacity == 0 ? 64 : graph->capacity * 2;
        graph->jobs = xrealloc(graph->jobs, graph->capacity, sizeof(*graph->jobs));
    }
    graph->jobs[graph->count++] = job;
}

void job_graph_begin(struct job_graph *graph)
{
    *graph = (struct job_graph){.arena = arena_create()};
}

void job_graph_add_configured(struct job_graph *graph, const struct catalog *catalog, const char *database)
{
    size_t count;
    const struct job *const *configured = catalog_jobs_of(catalog, database, &count);
    for (size_t i = 0; i < count; i++) {
        add(graph, configured[i]);
    }
}

void job_graph_finish(struct job_graph *graph)
{
    free(graph->jobs);
    free(graph->edges);
    free(graph->order);
    arena_destroy(graph->arena);
}

/* --- of the ledger ------------------------------------------------------------------------------------------------ */

/* The texts of a JSON list. */
static const char *const *read_texts(struct arena *arena, const char *json, size_t *count)
{
    json_t *list = json_loads(json, 0, NULL);
    const char **texts = arena_alloc(arena, (json_array_size(list) + 1) * sizeof(*texts));
    *count = json_array_size(list);
    for (size_t i = 0; i < *count; i++) {
        texts[i] = arena_strdup(arena, json_string_value(json_array_get(list, i)));
    }
    json_decref(list);
    return texts;
}

enum { SQL_NAME, SQL_SCHEDULE, SQL_ACTIVE, SQL_AFTER, SQL_CHANNELS, SQL_PLUGIN, SQL_VIEWS };

static const struct job *read_job(struct arena *arena, const char *database, const struct pg_rows *rows, size_t row)
{
    struct job *job = arena_alloc(arena, sizeof(*job));
    job->name = arena_strdup(arena, pg_rows_value(rows, row, SQL_NAME));
    job->database = database;
    job->schedule_text = arena_strdup(arena, pg_rows_value(rows, row, SQL_SCHEDULE));
    job->schedule.form = job->schedule_text[0] != '\0' ? SCHEDULE_CRON
                                                       : SCHEDULE_NONE; /* only whether there is one counts */
    job->active = pg_rows_value(rows, row, SQL_ACTIVE)[0] == 't';
    job->after = read_texts(arena, pg_rows_value(rows, row, SQL_AFTER), &job->after_count);
    job->on_count = strtoul(pg_rows_value(rows, row, SQL_CHANNELS), NULL, 10);
    job->plugin = arena_strdup(arena, pg_rows_value(rows, row, SQL_PLUGIN));
    job->views = read_texts(arena, pg_rows_value(rows, row, SQL_VIEWS), &job->view_count);
    job->origin = JOB_FROM_SQL;
    return job;
}

void job_graph_ask(struct question *question)
{
    *question = (struct question){.id = REPORT_GRAPH_JOBS, .parameters = {"f"}};
}

void job_graph_ask_all(struct question *question)
{
    *question = (struct question){.id = REPORT_GRAPH_JOBS, .parameters = {"t"}};
}

void job_graph_take(struct job_graph *graph, const char *database, const struct pg_rows *rows)
{
    for (size_t i = 0; i < rows->count; i++) {
        add(graph, read_job(graph->arena, database, rows, i));
    }
}

/* --- what comes after what ---------------------------------------------------------------------------------------- */

static int compare(const struct job *job, const char *database, const char *name)
{
    int by_database = strcmp(job->database, database);
    return by_database != 0 ? by_database : strcmp(job->name, name);
}

static int compare_jobs(const void *left, const void *right)
{
    const struct job *other = *(const struct job *const *)right;
    return compare(*(const struct job *const *)left, other->database, other->name);
}

/* Its place among them; SIZE_MAX: it is not there. */
static size_t find(const struct job_graph *graph, const char *database, const char *name)
{
    size_t low = 0;
    size_t high = graph->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = compare(graph->jobs[middle], database, name);
        if (order == 0) {
            return middle;
        }
        if (order < 0) {
            low = middle + 1;
        } else {
            high = middle;
        }
    }
    return SIZE_MAX;
}

/* The catalog refused unknown names and cycles; what a job made by SQL comes after may be gone. */
static void add_edges(struct job_graph *graph, size_t to)
{
    const struct job *job = graph->jobs[to];
    for (size_t i = 0; i < job->after_count; i++) {
        size_t from = find(graph, job->database, job->after[i]);
        if (from != SIZE_MAX) {
            graph->edges = xrealloc(graph->edges, graph->edge_count + 1, sizeof(*graph->edges));
            graph->edges[graph->edge_count++] = (struct graph_edge){from, to};
        }
    }
}

static void find_edges(struct job_graph *graph)
{
    graph->edge_count = 0;
    if (graph->count > 1) {
        qsort(graph->jobs, graph->count, sizeof(const struct job *), compare_jobs);
    }
    for (size_t i = 0; i < graph->count; i++) {
        add_edges(graph, i);
    }
}

/* Jobs that are one step from one that is kept. Whether there was one. */
static bool keep_neighbours(const struct job_graph *graph, bool *kept)
{
    bool *before = xcalloc(graph->count + 1, sizeof(*before));
    bool found = false;
    memcpy(before, kept, graph->count * sizeof(*before));
    for (size_t i = 0; i < graph->edge_count; i++) {
        const struct graph_edge *edge = &graph->edges[i];
        if (before[edge->from] != before[edge->to]) {
            kept[edge->from] = kept[edge->to] = found = true;
        }
    }
    free(before);
    return found;
}

static bool is_chosen(const struct job *job, const struct job_graph_choice *choice)
{
    return choice->job != NULL ? strcmp(job->name, choice->job) == 0
                               : job->plugin != NULL && strcmp(job->plugin, choice->plugin) == 0;
}

bool job_graph_keep(struct job_graph *graph, const struct job_graph_choice *choice)
{
    if (choice->job == NULL && choice->plugin == NULL) {
        return true;
    }
    bool *kept = xcalloc(graph->count + 1, sizeof(*kept));
    bool found = false;
    find_edges(graph);
    for (size_t i = 0; i < graph->count; i++) {
        kept[i] = is_chosen(graph->jobs[i], choice);
        found = found || kept[i];
    }
    for (int64_t step = 0; choice->job != NULL && step < choice->depth && keep_neighbours(graph, kept); step++) {
    }
    size_t count = 0;
    for (size_t i = 0; i < graph->count; i++) {
        if (kept[i]) {
            graph->jobs[count++] = graph->jobs[i];
        }
    }
    graph->count = count;
    free(kept);
    return found || choice->job == NULL;
}

void job_graph_link(struct job_graph *graph)
{
    size_t length;
    find_edges(graph);
    size_t *cycle = xcalloc(graph->count + 1, sizeof(*cycle));
    graph->order = xcalloc(graph->count + 1, sizeof(*graph->order));
    graph_order(graph->count, graph->edges, graph->edge_count, graph->order, cycle, &length);
    free(cycle);
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

void job_graph_list_add(struct output_list *list, const struct job *job)
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

struct output_list *job_graph_list_create(void)
{
    return output_create("jobs", job_columns, COUNT_OF(job_columns));
}

void job_graph_lists(const struct job_graph *graph, struct output_list *lists[static 2])
{
    lists[0] = job_graph_list_create();
    lists[1] = output_create("edges", edge_columns, COUNT_OF(edge_columns));
    for (size_t i = 0; i < graph->count; i++) {
        job_graph_list_add(lists[0], graph->jobs[graph->order[i]]);
    }
    for (size_t i = 0; i < graph->edge_count; i++) {
        const struct job *to = graph->jobs[graph->edges[i].to];
        output_add_row(lists[1]);
        output_set(lists[1], 0, to->database);
        output_set(lists[1], 1, graph->jobs[graph->edges[i].from]->name);
        output_set(lists[1], 2, to->name);
    }
}
