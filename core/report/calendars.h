/* SPDX-License-Identifier: PostgreSQL */
/* The calendars that active jobs have: jobs of one are due next at the same slot, and late at the same.
 *
 * Does: say how many jobs have each, where its slots begin, and up to where they are decided; name its first jobs. Of
 *   the jobs it reads a narrow index and their cursors. Jobs that ran at the same slots are one row.
 * Does not: count jobs without a schedule, those that the leader cannot run, those that are suspended without an end,
 *   and @after jobs that run: when they are due is not known. */
#ifndef CHIME_REPORT_CALENDARS_H
#define CHIME_REPORT_CALENDARS_H

#include "report/job_slots.h"
#include "report/statements.h"

/* Counts of jobs that are there, by narrow indexes. */
#define ALL_JOBS_SQL                                                                 \
    "((SELECT count(*) FROM chime.job WHERE origin <> 'sql' AND removed_at IS NULL)" \
    " + (SELECT count(*) FROM chime.job WHERE origin = 'sql' AND removed_at IS NULL))"
#define IDLE_JOBS_SQL "(SELECT count(*) FROM chime.job WHERE NOT active AND removed_at IS NULL)"

/* Borrows from the answer. */
struct job_calendars {
    const char *key;
    const char *moment; /* where its slots begin; NULL: now */
    const char *name;   /* of one of its jobs */
    size_t jobs;
    bool led;                    /* for a minute, and still */
    duration work;               /* how long one run of each takes as a rule, added up */
    struct job_calendar next;    /* for job_next_slot */
    struct job_calendar decided; /* for job_late_slot */
};

void calendars_ask(struct question *question);
struct job_calendars calendars_of_row(const struct pg_rows *rows, size_t row);

/* Some of them, to ask for their jobs. */
struct calendar_choice;
struct calendar_choice *calendar_choice_create(void);
void calendar_choice_add(struct calendar_choice *choice, const struct job_calendars *calendars);
void calendar_choice_destroy(struct calendar_choice *choice);
/* The question borrows from the choice. An answer's rows: which of those added (from 0), and a name; as many as `limit`
 * for each. */
void calendar_jobs_ask(struct question *question, struct calendar_choice *choice, size_t limit);

#endif
