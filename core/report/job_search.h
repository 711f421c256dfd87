/* SPDX-License-Identifier: PostgreSQL */
/* Looking for a job by its name, in one database or in several. */
#ifndef CHIME_REPORT_JOB_SEARCH_H
#define CHIME_REPORT_JOB_SEARCH_H

#include <stdbool.h>

#include "base/error.h"
#include "config/config.h"
#include "pg/rows.h"
#include "report/statements.h"

/* Begins with its name alone. */
struct job_search {
    const char *name;
    size_t found;                           /* in so many databases */
    const struct config_database *database; /* the last one */
    char **others;                          /* names that are there, for a did-you-mean */
    size_t other_count;
    const char *refreshes; /* one of them: the name is a view's, which that job refreshes; NULL: it is no view's */
};

void job_search_ask(struct question *question, const struct job_search *search);
/* Whether the database has it. */
bool job_search_take(struct job_search *search, const struct pg_rows *rows, const struct config_database *database);
/* That it is nowhere. */
void job_search_error(const struct job_search *search, struct error *err);
void job_search_finish(struct job_search *search);

/* The number of the one that is meant in a database, and whether it is active; one row at most. One owner's job of that
 * name is ours; another role's may be beside it. */
void job_id_ask(struct question *question, const char *name);

#endif
