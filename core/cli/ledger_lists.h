/* SPDX-License-Identifier: PostgreSQL */
/* Jobs and runs as several commands print them. */
#ifndef CHIME_CLI_LEDGER_LISTS_H
#define CHIME_CLI_LEDGER_LISTS_H

#include "cli/visit.h"

struct output_list *job_list_create(void);

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

/* Appends jobs of the visited database. Adds to *hidden the disabled ones that were left out; NULL: nobody asks. */
bool job_list_add(struct visit *visit, struct output_list *list, const struct job_filter *filter, size_t *hidden,
                  struct error *err) CHIME_MUST_CHECK;

/* Which runs; a NULL member asks for nothing. */
struct run_filter {
    const char *job;
    const char *states;    /* an array as PostgreSQL reads it: "{failed,lost}" */
    const char *since;     /* an instant, as PostgreSQL reads it */
    const char *since_ago; /* or so many seconds ago, by the database's clock */
    const char *until;     /* likewise */
    const char *until_ago;
    const char *kind; /* with `slot`: one run */
    const char *slot;
    int64_t limit;
};

/* The history h of job j's kind k, latest slot first: by the primary key, written so that no other index looks cheaper.
 * The one by slot would be read to its end for a kind that the job has no run of. */
#define JOB_HISTORY_BY_KEY                                                       \
    "(h.job_id, h.kind, h.slot) >= (j.job_id, k.kind, '-infinity'::timestamptz)" \
    " AND (h.job_id, h.kind, h.slot) <= (j.job_id, k.kind, 'infinity'::timestamptz)"
#define JOB_HISTORY_LATEST "h.job_id DESC, h.kind DESC, h.slot DESC"

struct output_list *run_list_create(void);
/* Appends runs of the visited database, newest first. */
bool run_list_add(struct visit *visit, struct output_list *list, const struct run_filter *filter,
                  struct error *err) CHIME_MUST_CHECK;

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

/* The list of several databases in one order. */
void run_list_sort(struct output_list *list, int64_t limit);

#endif
