/* SPDX-License-Identifier: PostgreSQL */
/* Each database in a row: who leads it, and what is due, live or failing. */
#ifndef CHIME_REPORT_DATABASE_LIST_H
#define CHIME_REPORT_DATABASE_LIST_H

#include <stdbool.h>

#include "config/config.h"
#include "pg/rows.h"
#include "report/due_jobs.h"
#include "report/output.h"
#include "report/statements.h"

enum { DATABASE_LIST_SESSION = 6 }; /* column: whether somebody leads */

struct output_list *database_list_create(void);
void database_list_ask(struct question *question, const struct config_database *database);
/* One value: since what a standby has last was committed, in microseconds; NULL: it is none. */
void standby_behind_ask(struct question *question);
void database_list_take(struct output_list *list, const struct pg_rows *rows);
/* The row of one that could not be asked. */
void database_list_take_unknown(struct output_list *list, const struct config_database *database);

/* These work on the current row. */
void database_list_set_due(struct output_list *list, const struct due_jobs *due);
void database_list_set_reachable(struct output_list *list, bool reachable);
void database_list_set_problem(struct output_list *list, const char *words);

/* Rows of what keeps jobs from running as they should though the database answers, and the way out: of the database,
 * its plugins and views; of its jobs, what the ledger keeps and what fires. */
void database_problems_ask(struct question *question, const struct config_database *database);
void job_problems_ask(struct question *question);
void plugin_problems_ask(struct question *question); /* of its plugins alone */

#endif
