/* SPDX-License-Identifier: PostgreSQL */
/* What integration tests ask of the ledger: a run now, and how it ended. Failures fail the running test. */
#ifndef CHIME_TESTS_SUPPORT_RUNS_H
#define CHIME_TESTS_SUPPORT_RUNS_H

#include "support/cluster/cluster.h"

/* A schedule that no test lives to see: such a job runs when it is asked for. */
#define NEVER_DUE "schedule = \"0 0 29 2 *\"; "

void runs_ask(struct cluster *cluster, const char *job);
/* Waits until `count` runs of the job have ended. */
void runs_await(struct cluster *cluster, const char *job, int count);
void runs_ask_and_await(struct cluster *cluster, const char *job); /* one more than have ended so far */
void runs_await_running(struct cluster *cluster,
                        const char *job); /* its text is being executed, and no other run is claimed for its session */

/* An expression over the columns of chime.run_history, of the run that ended last, must have that value (NULL: SQL
 * NULL). */
#define EXPECT_RUN(cluster, job, expression, expected) \
    runs_expect(cluster, job, expression, expected, __FILE__, __LINE__)
void runs_expect(struct cluster *cluster, const char *job, const char *expression, const char *expected,
                 const char *file, int line);
/* The first value of a query must be this. */
#define EXPECT_SQL(cluster, sql, expected) runs_expect_sql(cluster, sql, expected, __FILE__, __LINE__)
void runs_expect_sql(struct cluster *cluster, const char *sql, const char *expected, const char *file, int line);

/* Peak resident memory of a process in kB, and memory of its own alone. */
long process_peak_kb(int pid);
long process_private_kb(int pid);
long process_ticks(int pid); /* user and system time, in clock ticks */

#endif
