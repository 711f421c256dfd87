/* SPDX-License-Identifier: PostgreSQL */
/* Jobs of a database, with their state and their next slot. */
#ifndef CHIME_REPORT_JOB_LIST_H
#define CHIME_REPORT_JOB_LIST_H

#include <stdbool.h>

#include "config/config.h"
#include "pg/rows.h"
#include "report/output.h"
#include "report/statements.h"

/* Which jobs; zeros ask for every active one. Of `failing`, `suspended` and `late` one is enough. */
struct job_filter {
    const char *name; /* also of a job that is disabled or removed */
    const char *plugin;
    const char *like; /* a pattern as of a shell: "nightly-*" */
    bool failing;
    bool suspended;
    bool late;
    bool all; /* disabled and removed ones, too */
};

struct output_list *job_list_create(void);
void job_list_ask(struct question *question, const struct config_database *database, const struct job_filter *filter);
/* Adds to *hidden the disabled ones that were left out; NULL: nobody asks. */
void job_list_take(struct output_list *list, const struct pg_rows *rows, const struct config_database *database,
                   const struct job_filter *filter, size_t *hidden);

#endif
