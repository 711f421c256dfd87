/* SPDX-License-Identifier: PostgreSQL */
/* One run: its attempts, what it waited for, the runs before and after it, and the text that it ran.
 *
 * Does not: know what kept a run from being claimed, where that was not an upstream: places and sessions leave no trace
 *   in the ledger. It says how long that took, and which of them there may have been. */
#ifndef CHIME_REPORT_RUN_DETAIL_H
#define CHIME_REPORT_RUN_DETAIL_H

#include "config/config.h"
#include "pg/rows.h"
#include "report/output.h"
#include "report/statements.h"

/* runs (as report/run_list.h has it), attempts, waits, upstreams, downstreams, definitions. */
#define RUN_DETAIL_LISTS 6

/* The lists are the caller's. */
void run_detail_lists(struct output_list *lists[static RUN_DETAIL_LISTS]);
/* `kind` and `slot` as PostgreSQL reads them; they and the job stay where they are. */
void run_detail_ask(struct question questions[static RUN_DETAIL_LISTS], const struct config_database *database,
                    const char *job, const char *kind, const char *slot);
void run_detail_take(struct output_list *const *lists, const struct pg_rows answers[static RUN_DETAIL_LISTS]);
/* Texts are null from then on. */
void run_detail_hide_commands(struct output_list *const *lists);

/* The kind and the slot of a job's run that is named by its number or its slot (the other is NULL): of numbers those of
 * its latest 10,000 runs and failures alone, so that the history is not read from one end to the other. A row at
 * most. */
void run_place_ask(struct question *question, const char *job, const char *number, const char *slot);

#endif
