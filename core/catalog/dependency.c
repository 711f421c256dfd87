/* SPDX-License-Identifier: PostgreSQL */
/* Resolves `after`: refuses names that are not there, and cycles. */
#include <stdlib.h>
#include <string.h>

#include "base/buffer.h"
#include "base/text.h"
#include "catalog/builder.h"
#include "model/graph.h"

#define SUGGESTIONS_MAX 50 /* a suggestion looks at every job */
#define CYCLES_MAX 20
#define SHOWN_MAX 20 /* jobs of one cycle */

/* --- names --- */

struct resolver {
    struct builder *builder;
    size_t suggestions;
    const char **names; /* of all jobs, as the jobs are sorted */
};

/* Another database's job of that name, NULL when there is none. */
static const struct job *elsewhere(const struct builder *builder, const char *name)
{
    for (size_t i = 0; i < builder->config->database_count; i++) {
        size_t index = jobs_index(builder, builder->config->databases[i].name, name);
        if (index < builder->job_count) {
            return builder->jobs[index];
        }
    }
    return NULL;
}

static const char *suggestion(struct resolver *resolver, const struct job *job, const char *name)
{
    struct builder *builder = resolver->builder;
    if (resolver->suggestions++ >= SUGGESTIONS_MAX) {
        return NULL;
    }
    size_t low = 0;
    while (strcmp(builder->jobs[low]->database, job->database) != 0) {
        low++;
    }
    size_t count = 0;
    while (low + count < builder->job_count && strcmp(builder->jobs[low + count]->database, job->database) == 0) {
        count++;
    }
    const char *nearest = nearest_word(name, resolver->names + low, count);
    return nearest == NULL ? NULL : arena_printf(builder->arena, "did you mean \"%s\"?", nearest);
}

/* True when some plugin that is not taken declares the job; reported unless that plugin has a finding already. */
static bool refuse_absent(struct builder *builder, const struct job *job, const char *name)
{
    size_t count = 0;
    const struct declared_place *places = declared_find(builder, name, &count);
    for (size_t i = 0; i < count; i++) {
        const struct choice *choice = places[i].choice;
        if (choice->state == CHOICE_BROKEN) {
            return true;
        }
        if (choice->state == CHOICE_DISABLED) {
            report_add(builder->report, job->file, job->line,
                       "enable the plugin, or give the job another `after` in conf.d, or disable it too",
                       "job \"%s\" comes after \"%s\", but plugin \"%s\", which declares that, is disabled at %s",
                       job->name, name, choice->declaration->name,
                       place_text(builder->arena, choice->entry->file, choice->entry->line));
            return true;
        }
    }
    return false;
}

static void refuse_upstream(struct resolver *resolver, const struct job *job, const char *name)
{
    struct builder *builder = resolver->builder;
    const struct job *other = elsewhere(builder, name);
    if (other != NULL) {
        report_add(builder->report, job->file, job->line, "`after` names jobs of the same database",
                   "job \"%s\" of database \"%s\" comes after \"%s\", which is a job of database \"%s\"", job->name,
                   job->database, name, other->database);
    } else if (!refuse_absent(builder, job, name) && builder->complete) {
        report_add(builder->report, job->file, job->line, suggestion(resolver, job, name),
                   "job \"%s\" comes after \"%s\", which is not a job of database \"%s\"", job->name, name,
                   job->database);
    }
}

/* --- cycles --- */

struct edges {
    struct graph_edge *items;
    size_t count;
};

static void refuse_itself(struct builder *builder, const struct job *job)
{
    report_add(builder->report, job->file, job->line, "take its own name out of `after`",
               "job \"%s\" comes after itself", job->name);
}

static void resolve(struct resolver *resolver, struct edges *edges)
{
    struct builder *builder = resolver->builder;
    for (size_t i = 0; i < builder->job_count; i++) {
        const struct job *job = builder->jobs[i];
        for (size_t j = 0; j < job->after_count; j++) {
            size_t upstream = jobs_index(builder, job->database, job->after[j]);
            if (upstream == builder->job_count) {
                refuse_upstream(resolver, job, job->after[j]);
            } else if (upstream == i) {
                refuse_itself(builder, job);
            } else {
                edges->items[edges->count++] = (struct graph_edge){.from = upstream, .to = i};
            }
        }
    }
}

static void report_cycle(struct builder *builder, const size_t *cycle, size_t length)
{
    struct buffer path = {0};
    struct buffer places = {0};
    for (size_t i = 0; i < length && i < SHOWN_MAX; i++) {
        const struct job *job = builder->jobs[cycle[i]];
        buffer_printf(&path, "%s -> ", job->name);
        buffer_printf(&places, "%s%s at %s", i == 0 ? "" : ", ", job->name,
                      place_text(builder->arena, job->file, job->line));
    }
    const struct job *first = builder->jobs[cycle[0]];
    report_add(builder->report, first->file, first->line, "remove one of these names from the `after` of the next job",
               "jobs of database \"%s\" come after each other in a circle: %s%s%s (%s)", first->database,
               buffer_text(&path), length > SHOWN_MAX ? "... -> " : "", first->name, buffer_text(&places));
    buffer_finish(&path);
    buffer_finish(&places);
}

/* Opens a reported cycle where it closes, so that the next one shows. */
static void cut_cycle(struct edges *edges, const size_t *cycle, size_t length)
{
    size_t kept = 0;
    for (size_t i = 0; i < edges->count; i++) {
        if (edges->items[i].from != cycle[length - 1] || edges->items[i].to != cycle[0]) {
            edges->items[kept++] = edges->items[i];
        }
    }
    edges->count = kept;
}

static void refuse_cycles(struct builder *builder, struct edges *edges)
{
    size_t *order = xcalloc(builder->job_count + 1, sizeof(*order));
    size_t *cycle = xcalloc(builder->job_count + 1, sizeof(*cycle));
    size_t length = 0;
    for (int i = 0;
         i < CYCLES_MAX && !graph_order(builder->job_count, edges->items, edges->count, order, cycle, &length); i++) {
        report_cycle(builder, cycle, length);
        cut_cycle(edges, cycle, length);
    }
    free(order);
    free(cycle);
}

void dependencies_check(struct builder *builder)
{
    size_t edge_count = 0;
    const char **names = xcalloc(builder->job_count + 1, sizeof(*names));
    for (size_t i = 0; i < builder->job_count; i++) {
        edge_count += builder->jobs[i]->after_count;
        names[i] = builder->jobs[i]->name;
    }
    struct resolver resolver = {.builder = builder, .names = names};
    struct edges edges = {.items = xcalloc(edge_count + 1, sizeof(*edges.items))};
    resolve(&resolver, &edges);
    refuse_cycles(builder, &edges);
    free(edges.items);
    free(names);
}
