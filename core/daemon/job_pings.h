/* SPDX-License-Identifier: PostgreSQL */
/* Pings for jobs with a `ping_file`: tell an external monitor at that address when a run starts, and how it ended.
 *
 * Does: send them one after the other for each file, five a second at most for the daemon, and no run waits for one;
 *   remember the jobs whose pings do not arrive.
 * Does not: send one again. Of one file the last four wait, and of all the last two hundred: older ones are dropped and
 *   counted. */
#ifndef CHIME_DAEMON_JOB_PINGS_H
#define CHIME_DAEMON_JOB_PINGS_H

#include <jansson.h>

#include "loop/loop.h"
#include "model/job.h"
#include "model/run.h"

struct job_list;
struct job_pings;

/* A run, of a job of this database of the configuration. Nothing of it is kept. */
struct pinged_run {
    const char *database;
    const struct job *job;
    int64_t job_id;
    enum run_kind kind;
    instant slot;
};

struct job_pings *job_pings_create(struct loop *loop);
void job_pings_destroy(struct job_pings *pings);
/* Nothing, where the job has no ping_file. */
void job_pings_start(struct job_pings *pings, const struct pinged_run *run);
/* Its last attempt has ended. `message` and `reason` may be NULL. */
void job_pings_end(struct job_pings *pings, const struct pinged_run *run, enum run_state state, const char *message,
                   const char *reason);
/* What alerts find (rule ping-failing): jobs of the database whose last ping did not arrive. Caller owns it. */
json_t *job_pings_found(const struct job_pings *pings, const char *database);
/* An earlier leader, or this daemon before it was started, told so of that job, in these words: before
 * job_pings_follow. */
void job_pings_recall(struct job_pings *pings, const char *database, const char *job, const char *words);
/* The database has these jobs now: of one that has another ping_file, or none, nothing is known. */
void job_pings_follow(struct job_pings *pings, const char *database, const struct job_list *jobs);
/* Once what waits was sent, or five seconds later. */
void job_pings_drain(struct job_pings *pings, loop_callback *drained, void *data);

#endif
