/* SPDX-License-Identifier: PostgreSQL */
/* The next slots of jobs as the ledger describes them.
 *
 * Does: read a job's schedule in the zone of the job, else of its database, and say when it is due next, or why that is
 *   not known beforehand.
 * Does not: know what the leader holds in memory: overlap, catch-up and dependencies may change what becomes of a
 *   slot. */
#ifndef CHIME_REPORT_JOB_SLOTS_H
#define CHIME_REPORT_JOB_SLOTS_H

#include "calendar/schedule.h"
#include "config/config.h"
#include "pg/rows.h"

/* As PostgreSQL writes them; NULL is null. */
struct job_calendar {
    const char *schedule;
    const char *timezone; /* options of the job, which need not be set */
    const char *dst_gap;
    const char *dst_overlap;
    const char *last_slot;
    const char *last_end;
    const char *live; /* "t", "f" */
    const char *database_now;
    const char *suspended_at;
    const char *suspended_until; /* NULL: until somebody resumes it */
    const char *jitter;          /* NULL: none */
    const char *follows;         /* "t": it waits for upstreams */
};

/* Columns for the calendar, in its order, of tables j (chime.job) and s (chime.job_status). What the leader has refused
 * is due at no time. */
#define JOB_CALENDAR_COLUMNS                                                                                   \
    "CASE WHEN j.problem IS NULL THEN j.schedule ELSE '' END, CASE WHEN j.problem IS NULL THEN j.options ->> " \
    "'timezone' END, j.options ->> 'dst_gap', j.options ->> 'dst_overlap', "                                   \
    "s.last_slot, s.last_end, s.live, clock_timestamp(), s.suspended_at, "                                     \
    "s.suspended_until, j.options ->> 'jitter', j.after <> '{}'"
/* From the row's columns beginning with `first`. */
struct job_calendar job_calendar_of_row(const struct pg_rows *rows, size_t row, size_t first);

/* The schedule, with its zone: the database's where the job has none. */
bool job_schedule(const struct job_calendar *calendar, const struct config_database *database, struct zones *zones,
                  struct schedule *schedule, struct error *err) CHIME_MUST_CHECK;
/* Slots are later than this: now, the last slot, or the end of a suspension, whichever is last. INSTANT_NEVER when that
 * is not known: an @after job that runs, a server's next start, a suspension without an end. */
instant job_slots_after(const struct job_calendar *calendar, const struct schedule *schedule);
/* The next slot; INSTANT_NEVER when there is none, it is not known, or the schedule cannot be read. */
instant job_next_slot(const struct job_calendar *calendar, const struct config_database *database, struct zones *zones);
/* The slot that was due more than a minute (and the job's jitter) ago, and neither runs nor was decided; INSTANT_NONE
 * when there is none. A job that waits for upstreams, for an event or for its own end is never late. */
instant job_late_slot(const struct job_calendar *calendar, const struct config_database *database, struct zones *zones);

#endif
