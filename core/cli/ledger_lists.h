/* SPDX-License-Identifier: PostgreSQL */
/* Reports of the visited database, asked and taken in one go. */
#ifndef CHIME_CLI_LEDGER_LISTS_H
#define CHIME_CLI_LEDGER_LISTS_H

#include "cli/visit.h"
#include "report/due_jobs.h"
#include "report/job_list.h"
#include "report/run_list.h"

/* Appends jobs, a page of them where the filter has a limit. */
bool job_list_add(struct visit *visit, struct output_list *list, const struct job_filter *filter, struct job_page *page,
                  struct error *err) CHIME_MUST_CHECK;
/* How many active jobs come behind a page; 0: that is not known without reading them. */
bool job_list_count_more(struct visit *visit, const struct job_filter *filter, const struct job_page *page,
                         size_t *more, struct error *err) CHIME_MUST_CHECK;
/* Appends runs, newest first. */
bool run_list_add(struct visit *visit, struct output_list *list, const struct run_filter *filter,
                  struct error *err) CHIME_MUST_CHECK;
bool due_jobs_read(struct visit *visit, struct due_jobs *due, struct error *err) CHIME_MUST_CHECK;

/* Which runs, in which states, were listed before. Begins zeroed. */
struct run_seen {
    uint64_t *before; /* by the look before this one, sorted */
    size_t before_count;
    uint64_t *now;
    size_t now_count;
    size_t now_capacity;
    bool looked;
};

/* Appends those that the look before did not find so, oldest first; of the first look the last filter->limit. */
bool run_list_add_new(struct visit *visit, struct output_list *list, const struct run_filter *filter,
                      struct run_seen *seen, struct error *err) CHIME_MUST_CHECK;
void run_seen_turn(struct run_seen *seen); /* a look has visited all databases */
void run_seen_finish(struct run_seen *seen);

#endif
