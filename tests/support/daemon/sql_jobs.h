/* SPDX-License-Identifier: PostgreSQL */
/* Jobs made by SQL, for the tests: written into chime.job as the triggers of 0018 find them. Failures fail the running
 * test. */
#ifndef CHIME_TESTS_SUPPORT_SQL_JOBS_H
#define CHIME_TESTS_SUPPORT_SQL_JOBS_H

#include <stdint.h>

#include "support/cluster/cluster.h"

/* A schedule that no test lives to see. */
#define YEARLY "0 0 29 2 *"

/* Its daemon's name is OWNER/NAME. `owner` NULL: postgres; `options`: a JSON object, or NULL. The job's number. */
int64_t sql_jobs_make(struct cluster *cluster, const char *owner, const char *name, const char *schedule,
                      const char *command, const char *options);
/* `assignments`: as in UPDATE chime.job SET ... */
void sql_jobs_edit(struct cluster *cluster, const char *name, const char *assignments);
void sql_jobs_remove(struct cluster *cluster, const char *name);
/* Waits until `count` runs of it are in the history. */
void sql_jobs_await(struct cluster *cluster, const char *name, int count);
/* Asks for a run, and waits for its end. */
void sql_jobs_run(struct cluster *cluster, const char *name);
/* Waits until the leader has this version of it: its next slot is written, or what is wrong with it. */
void sql_jobs_await_taken(struct cluster *cluster, const char *name);

/* An expression over `h`, chime.run_history, of the run of it that ended last, must have that value (NULL: SQL
 * NULL). */
#define SQL_JOBS_EXPECT(cluster, name, expression, expected) \
    sql_jobs_expect(cluster, name, expression, expected, __FILE__, __LINE__)
void sql_jobs_expect(struct cluster *cluster, const char *name, const char *expression, const char *expected,
                     const char *file, int line);

#endif
