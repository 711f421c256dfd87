/* SPDX-License-Identifier: PostgreSQL */
/* A job that was made by SQL, from its row to what the scheduler takes.
 *
 * Does: lay pg_cron's defaults under its options, read them, its schedule and its settings; say why one is refused.
 * Does not: look at other jobs (the caller resolves `after`), or at the server. */
#ifndef CHIME_CATALOG_SQL_JOB_H
#define CHIME_CATALOG_SQL_JOB_H

#include "calendar/zone.h"
#include "config/config.h"
#include "model/job.h"

/* Borrowed; JSON texts as the server writes them. */
struct sql_job_row {
    const char *name;
    const char *owner;  /* NULL: the daemon's own role */
    const char *target; /* NULL: the database that holds the job */
    bool active;
    const char *schedule;
    const char *command;
    const char *after;    /* JSON array of names */
    const char *channels; /* likewise */
    const char *views;    /* likewise, of a view of chime.keep_view; NULL: none */
    const char *options;  /* JSON object of texts; "settings" in it is another */
    const char *fault;    /* why it could not be read, so that its texts are missing; NULL: none */
    instant since;
};

/* Held by the caller. Never NULL: one that is refused is known by its name, `refused`, not active, and comes after
 * nobody; `err` says why, else its kind is ERROR_NONE. */
const struct job *sql_job_make(const struct sql_job_row *row, const struct config_database *database,
                               struct zones *zones, struct error *err);
/* A schedule that a job once had. `options`: of its zone, and how it minds changes of the clocks. False: no job had
 * slots by it. */
bool sql_job_schedule(const char *text, const char *options, const struct config_database *database,
                      struct zones *zones, struct schedule *schedule, struct error *err);
/* The same job as it is while something stands in its way; held by the caller too. */
const struct job *sql_job_refused(const struct job *job);

#endif
