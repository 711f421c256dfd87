/* SPDX-License-Identifier: PostgreSQL */
/* Jobs of a database, with their state and their next slot. */
#ifndef CHIME_REPORT_JOB_LIST_H
#define CHIME_REPORT_JOB_LIST_H

#include <stdbool.h>

#include "base/error.h"
#include "config/config.h"
#include "pg/rows.h"
#include "report/output.h"
#include "report/statements.h"

/* Which jobs; zeros ask for every active one. Of `failing`, `suspended` and `late` one is enough. */
struct job_filter {
    const char *name; /* also of a job that is disabled or removed */
    const char *plugin;
    const char *owner;
    const char *origin; /* config, plugin, sql */
    const char *like;   /* a pattern as of a shell: "nightly-*" */
    const char *part;   /* of the name, in either case */
    const char *state;  /* the word of the column */
    bool failing;
    bool suspended;
    bool late;
    bool all;          /* disabled and removed ones, too */
    const char *after; /* those whose names come later; NULL: all */
    size_t limit;      /* 0: none */
};

/* How far the list of a database is. Begins as zeros. */
struct job_page {
    char *after; /* the last job that was looked at */
    char rows[24];
    size_t taken;
    size_t hidden; /* disabled ones that were left out */
    bool ended;    /* nothing more need be asked */
    bool cut;      /* there are more than the limit */
};

/* As the page chooses among those that it shows; NULL: any. */
struct job_choice {
    const char *part; /* of the name, in either case; "": any */
    const char *plugin;
    const char *owner;
    const char *origin;
    const char *state; /* the word of the column */
};

/* The first 20 jobs d that come directly after job j. */
#define FIRST_DOWNSTREAMS                                                                                         \
    "(SELECT d.name FROM chime.job d WHERE d.after @> ARRAY[j.name] AND d.after <> '{}' AND d.removed_at IS NULL" \
    "  ORDER BY d.name LIMIT 20) d"

/* Why job j is inactive, where no plugin is the cause, with the way out. */
#define INACTIVE_WORDS                                                                                               \
    "CASE WHEN j.origin = 'sql' AND j.removed_at IS NOT NULL THEN 'it was unscheduled'"                              \
    "     WHEN j.origin = 'sql' THEN format('it is switched off: SELECT chime.alter_job(%s, active => true)', "      \
    "j.job_id)"                                                                                                      \
    "     WHEN j.removed_at IS NOT NULL THEN 'it left the configuration: write it there again, then pgchime reload'" \
    "     ELSE 'it has enabled = false in the configuration: change that, then pgchime reload' END"

/* False with ERROR_USAGE: no job is in such a state, or has such an origin. Sets `all` where only then there is one. */
bool job_filter_check(struct job_filter *filter, struct error *err) CHIME_MUST_CHECK;

/* The numbers of active jobs, a row each. */
void job_numbers_ask(struct question *question, const struct job_choice *choice);

struct output_list *job_list_create(void);
/* The next rows, which go on where the page is: asked and taken until it has ended. */
void job_list_ask(struct question *question, const struct config_database *database, const struct job_filter *filter,
                  struct job_page *page);
void job_list_take(struct output_list *list, const struct pg_rows *rows, const struct config_database *database,
                   const struct job_filter *filter, struct job_page *page);
/* Their texts are null from then on. */
void job_list_hide_commands(struct output_list *list);
/* How many active jobs come behind the page; false: SQL cannot say. */
bool job_count_ask(struct question *question, const struct config_database *database, const struct job_filter *filter,
                   const struct job_page *page);
void job_page_finish(struct job_page *page);

#endif
