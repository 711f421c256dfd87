/* What a leadership writes back of jobs made by SQL: what is wrong with one, when each is due next, and which had their only slot. */
#ifndef CHIME_DAEMON_SQL_NOTES_H
#define CHIME_DAEMON_SQL_NOTES_H

#include <stdbool.h>

#include "schedule/scheduler.h"

struct lead;
struct sql_notes;

struct sql_notes *sql_notes_create(struct lead *lead);
void sql_notes_destroy(struct sql_notes *notes); /* takes NULL */
/* Why the leader cannot run this version of it, or that nothing is wrong any more. */
void sql_notes_problem(struct lead *lead, const struct job *job, const struct job_memory *memory,
                       const struct error *err);
void sql_notes_no_problem(struct lead *lead, const struct job_memory *memory);
/* A slot of the job was decided or a run of it has ended; jobs of the catalog are passed by. */
void sql_notes_decided(struct lead *lead, const struct scheduled *scheduled);
/* Writes what has gathered: next slots once a second at most. */
void sql_notes_write(struct lead *lead);
/* Nothing waits to be written that others wait for. */
bool sql_notes_settled(const struct lead *lead);

#endif
