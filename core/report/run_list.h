/* SPDX-License-Identifier: PostgreSQL */
/* Runs of a database, newest first, and slots that were missed. */
#ifndef CHIME_REPORT_RUN_LIST_H
#define CHIME_REPORT_RUN_LIST_H

#include <stdint.h>

#include "config/config.h"
#include "pg/rows.h"
#include "report/output.h"
#include "report/statements.h"

/* The last run of a list, for what comes behind it: "2026-03-27T01:30:00Z,4711", or for a missed slot its job:
 * "2026-03-27T01:30:00Z,!nightly". */
struct run_cursor {
    char slot[INSTANT_TEXT_SIZE];
    char number[24];
    char *job;
};

/* False with ERROR_USAGE: that is none. Finished also then. */
bool run_cursor_read(const char *text, struct run_cursor *cursor, struct error *err) CHIME_MUST_CHECK;
void run_cursor_finish(struct run_cursor *cursor);

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
    const struct run_cursor *before;
    int64_t limit;
};

/* The history h of job j's kind k, latest slot first: by the primary key, written so that no other index looks cheaper
 * (with k.kind = h.kind, the order would be that of the index by slot), and so that the scan ends with the kind (a
 * comparison of rows ends with the job). */
#define JOB_HISTORY_BY_KEY "h.job_id = j.job_id AND h.kind >= k.kind AND h.kind <= k.kind"
#define JOB_HISTORY_LATEST "h.kind DESC, h.slot DESC"
/* Written as the indexes of what failed have it. */
#define FAILED_STATES "('failed', 'timed_out', 'lost')"

enum { RUN_LIST_SLOT = 3, RUN_LIST_STATE = 5 }; /* columns */

struct output_list *run_list_create(void);
void run_list_ask(struct question *question, const struct config_database *database, const struct run_filter *filter);
void run_list_take(struct output_list *list, const struct pg_rows *rows);
/* The list of several databases in one order. */
void run_list_sort(struct output_list *list, int64_t limit);
/* "failed,lost" as `states` has it: the words need no quotes. */
bool run_list_read_states(const char *text, struct buffer *array, struct error *err) CHIME_MUST_CHECK;

#endif
