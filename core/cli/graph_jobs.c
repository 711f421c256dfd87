/* SPDX-License-Identifier: PostgreSQL */
#include "cli/graph_jobs.h"

#include <jansson.h>
#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "cli/visit.h"

static void add(struct graph_jobs *jobs, const struct job *job)
{
    if (jobs->count == jobs->capacity) {
        jobs->capacity = jobs->capacity == 0 ? 64 : jobs->capacity * 2;
        jobs->items = xrealloc(jobs->items, jobs->capacity, sizeof(*jobs->items));
    }
    jobs->items[jobs->count++] = job;
}

/* --- made by SQL -------------------------------------------------------------------------------------------------- */

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

enum { SQL_NAME, SQL_SCHEDULE, SQL_ACTIVE, SQL_AFTER, SQL_CHANNELS };

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
    job->origin = JOB_FROM_SQL;
    return job;
}

static bool add_sql_jobs(struct graph_jobs *jobs, const struct config_database *database, struct error *err)
{
    static const char sql[] = "SELECT name, schedule, active, to_json(after), cardinality(channels) FROM chime.job"
                              " WHERE origin = 'sql' AND removed_at IS NULL";
    struct visit visit;
    struct pg_rows rows;
    bool good = visit_open(&visit, database, err) && pg_client_query(visit.client, sql, NULL, 0, &rows, err);
    if (good) {
        for (size_t i = 0; i < rows.count; i++) {
            add(jobs, read_job(jobs->arena, database->name, &rows, i));
        }
        pg_rows_finish(&rows);
    }
    visit_close(&visit);
    return good;
}

/* --- all of them -------------------------------------------------------------------------------------------------- */

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

void graph_jobs_gather(struct graph_jobs *jobs, const struct invocation *invocation, const struct catalog *catalog)
{
    *jobs = (struct graph_jobs){.arena = arena_create()};
    for (size_t i = 0; i < catalog->config->database_count; i++) {
        const struct config_database *database = &catalog->config->databases[i];
        struct error err;
        size_t count;
        if (!database_is_wanted(invocation, database)) {
            continue;
        }
        const struct job *const *configured = catalog_jobs_of(catalog, database->name, &count);
        for (size_t n = 0; n < count; n++) {
            add(jobs, configured[n]);
        }
        if (!invocation_has(invocation, "offline") && !add_sql_jobs(jobs, database, &err)) {
            remark(invocation, "database \"%s\": jobs made by SQL are not shown: %s", database->name, err.message);
        }
    }
    if (jobs->count > 1) {
        qsort(jobs->items, jobs->count, sizeof(const struct job *), compare_jobs);
    }
}

void graph_jobs_finish(struct graph_jobs *jobs)
{
    free(jobs->items);
    arena_destroy(jobs->arena);
    *jobs = (struct graph_jobs){0};
}

size_t graph_jobs_find(const struct graph_jobs *jobs, const char *database, const char *name)
{
    size_t low = 0;
    size_t high = jobs->count;
    while (low < high) {
        size_t middle = low + (high - low) / 2;
        int order = compare(jobs->items[middle], database, name);
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
