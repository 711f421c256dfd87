/* SPDX-License-Identifier: PostgreSQL */
#include "report/job_search.h"

#include <stdlib.h>
#include <string.h>

#include "base/memory.h"
#include "base/text.h"

/* The names of all only where this one is not among them; and whether a job refreshes a view of that name. */
static const char names_sql[] =
    "SELECT name, false FROM chime.job WHERE name = $1 UNION"
    " SELECT name, EXISTS (SELECT FROM pg_catalog.unnest(views) AS v WHERE $1 IN (v, pg_catalog.split_part(v, '.', 2)))"
    " FROM chime.job WHERE NOT EXISTS (SELECT FROM chime.job WHERE name = $1)";
static const char id_sql[] = "SELECT job_id, active FROM chime.job WHERE name = $1"
                             " ORDER BY removed_at IS NOT NULL, owner = current_user DESC, job_id LIMIT 1";

static const char *const examples[][QUESTION_PARAMETERS_MAX] = {{"example"}, {"nobody"}, {NULL}};
const struct report_statement job_names_statement = {"job_names", names_sql, 1, examples};
const struct report_statement job_id_statement = {"job_id", id_sql, 1, examples};

void job_search_ask(struct question *question, const struct job_search *search)
{
    *question = (struct question){.id = REPORT_JOB_NAMES, .parameters = {search->name}};
}

void job_id_ask(struct question *question, const char *name)
{
    *question = (struct question){.id = REPORT_JOB_ID, .parameters = {name}};
}

bool job_search_take(struct job_search *search, const struct pg_rows *rows, const struct config_database *database)
{
    bool here = false;
    search->others = xrealloc(search->others, search->other_count + rows->count + 1, sizeof(*search->others));
    for (size_t i = 0; i < rows->count; i++) {
        const char *name = pg_rows_value(rows, i, 0);
        if (strcmp(name, search->name) == 0) {
            here = true;
            search->found++;
            search->database = database;
        } else {
            search->others[search->other_count] = xstrdup(name);
            if (pg_rows_value(rows, i, 1)[0] == 't') {
                search->refreshes = search->others[search->other_count];
            }
            search->other_count++;
        }
    }
    return here;
}

/* Jobs made by SQL are known as OWNER/NAME; their makers think of them as NAME. */
static const char *somebodys_of_that_name(const struct job_search *search)
{
    for (size_t i = 0; i < search->other_count; i++) {
        const char *slash = strchr(search->others[i], '/');
        if (slash != NULL && strcmp(slash + 1, search->name) == 0) {
            return search->others[i];
        }
    }
    return NULL;
}

void job_search_error(const struct job_search *search, struct error *err)
{
    const char *nearest = somebodys_of_that_name(search);
    if (nearest == NULL) {
        nearest = nearest_word(search->name, (const char *const *)search->others, search->other_count);
    }
    error_set(err, ERROR_NOT_FOUND, "there is no job \"%s\"", search->name);
    if (search->refreshes != NULL) {
        error_hint(err, "it is a view; job \"%s\" refreshes it", search->refreshes);
    } else if (nearest != NULL) {
        error_hint(err, "did you mean \"%s\"?", nearest);
    } else {
        error_hint(err, "pgchime jobs lists them");
    }
}

void job_search_finish(struct job_search *search)
{
    for (size_t i = 0; i < search->other_count; i++) {
        free(search->others[i]);
    }
    free(search->others);
}
