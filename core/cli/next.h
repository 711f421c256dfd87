/* SPDX-License-Identifier: PostgreSQL */
/* Inside core/cli/next*.c: what is asked of `pgchime next`, and the rows that answer it. */
#ifndef CHIME_CLI_NEXT_H
#define CHIME_CLI_NEXT_H

#include "cli/command.h"
#include "report/next_list.h"

struct next_request {
    const struct invocation *invocation;
    struct next_question asked;
    struct zones *zones;
};

/* next_schedule.c, next_jobs.c: the exit status. */
int next_of_schedule(const struct next_request *request, const char *text);
int next_of_jobs(const struct next_request *request, const char *job);

/* --- next_slots.c ------------------------------------------------------------------------------------------------- */

/* For people and CSV: a row for each slot. `job` and `database` where `with_jobs`. */
struct next_rows;
struct next_rows *next_rows_create(const struct next_request *request, bool with_jobs);
void next_rows_add(struct next_rows *rows, const char *job, const char *database, const struct next_slots *slots);
void next_rows_print(struct next_rows *rows);
void next_rows_destroy(struct next_rows *rows);

/* Notes as {"at", "slot", "text"}, for programs. */
struct output_list *next_notes_list(const struct clock_notes *notes);

#endif
