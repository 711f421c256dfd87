/* SPDX-License-Identifier: PostgreSQL */
#include "support/daemon/sql_jobs.h"

#include <stdlib.h>

#include "support/ledger/runs.h"
#include "support/process/files.h"
#include "support/process/wait.h"

#define WAIT_SECONDS 20.0

int64_t sql_jobs_make(struct cluster *cluster, const char *owner, const char *name, const char *schedule,
                      const char *command, const char *options)
{
    char *sql = files_path("INSERT INTO chime.job (name, job_name, owner, origin, schedule, command, options)"
                           " VALUES ('', '%s', '%s', 'sql', '%s', $c$%s$c$, '%s') RETURNING job_id",
                           name, owner != NULL ? owner : "postgres", schedule, command,
                           options != NULL ? options : "{}");
    int64_t job_id = cluster_integer(cluster, sql);

    free(sql);
    return job_id;
}

void sql_jobs_edit(struct cluster *cluster, const char *name, const char *assignments)
{
    cluster_execute_format(cluster, "UPDATE chime.job SET %s WHERE job_name = '%s' AND removed_at IS NULL", assignments,
                           name);
}

void sql_jobs_remove(struct cluster *cluster, const char *name)
{
    sql_jobs_edit(cluster, name, "active = false, removed_at = clock_timestamp()");
}

void sql_jobs_await(struct cluster *cluster, const char *name, int count)
{
    char *sql = files_path("SELECT count(*) >= %d FROM chime.run_history h JOIN chime.job j USING (job_id)"
                           " WHERE j.job_name = '%s'",
                           count, name);

    WAIT_SQL(cluster, sql, "t", WAIT_SECONDS);
    free(sql);
}

void sql_jobs_run(struct cluster *cluster, const char *name)
{
    char *count = files_path("SELECT count(*) FROM chime.run_history h JOIN chime.job j USING (job_id)"
                             " WHERE j.job_name = '%s'",
                             name);
    int64_t before = cluster_integer(cluster, count);

    cluster_execute_format(cluster,
                           "INSERT INTO chime.request (job_id) SELECT job_id FROM chime.job WHERE job_name = '%s'"
                           " AND removed_at IS NULL",
                           name);
    sql_jobs_await(cluster, name, (int)before + 1);
    free(count);
}

void sql_jobs_await_taken(struct cluster *cluster, const char *name)
{
    char *sql = files_path(
        "SELECT j.problem IS NOT NULL OR EXISTS (SELECT FROM chime.next_slots n WHERE n.job_id = j.job_id)"
        " FROM chime.job j WHERE j.job_name = '%s' AND j.removed_at IS NULL",
        name);

    WAIT_SQL(cluster, sql, "t", WAIT_SECONDS);
    free(sql);
}

void sql_jobs_expect(struct cluster *cluster, const char *name, const char *expression, const char *expected,
                     const char *file, int line)
{
    char *sql = files_path("SELECT %s FROM chime.run_history h JOIN chime.job j USING (job_id) WHERE j.job_name = '%s'"
                           " ORDER BY h.finished_at DESC LIMIT 1",
                           expression, name);

    runs_expect_sql(cluster, sql, expected, file, line);
    free(sql);
}
