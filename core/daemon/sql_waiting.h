/* SPDX-License-Identifier: PostgreSQL */
/* Inside core/daemon: jobs made by SQL that come after one that is not there, until it is. */
#ifndef CHIME_DAEMON_SQL_WAITING_H
#define CHIME_DAEMON_SQL_WAITING_H

#include "model/job.h"
#include "schedule/scheduler.h"

struct sql_waiting_job {
    const struct job *job;
    struct job_memory memory;
    const char *missing; /* of job->after */
    uint64_t hash;       /* of that name */
};

struct sql_waiting {
    struct sql_waiting_job *items;
    size_t count;
    size_t capacity;
};

/* Takes the job over; `missing` is one of its `after`, or equal to one, or empty. */
void sql_waiting_add(struct sql_waiting *waiting, const struct job *job, const struct job_memory *memory,
                     const char *missing);
/* One that waits for that name (NULL: any); its job is the caller's. False: there is none. */
bool sql_waiting_take(struct sql_waiting *waiting, const char *name, struct sql_waiting_job *taken);
void sql_waiting_forget(struct sql_waiting *waiting, int64_t job_id);
void sql_waiting_finish(struct sql_waiting *waiting);

#endif
