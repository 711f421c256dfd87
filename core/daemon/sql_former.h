/* What was due by schedules of jobs made by SQL that ended while nothing led: edited, switched off, unscheduled.
 *
 * Does: as a leadership begins, ask for such schedules, count their slots from what is on record up to their end, have these recorded as
 *   missed; then have every job begin where its present schedule counts.
 * Does not: run any of them, whatever the job's catchup. A leader that hears of an edit needs nothing of this (sql_jobs.c). */
#ifndef CHIME_DAEMON_SQL_FORMER_H
#define CHIME_DAEMON_SQL_FORMER_H

#include <stdbool.h>

struct lead;
struct pg_reply;

/* At its end calls sql_jobs_recorded. */
void sql_former_record(struct lead *lead);
/* Whether jobs were edited since, by what changes_ask answered of all that are there: a schedule counts from later than what is on record. (Of
 * one that is gone it may for ever.) */
bool sql_former_is_behind(const struct pg_reply *reply);

#endif
