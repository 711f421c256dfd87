/* SPDX-License-Identifier: PostgreSQL */
#include "support/ledger/runs.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/process/files.h"
#include "support/process/process.h"
#include "support/process/wait.h"

#define RUN_SECONDS 30.0

void runs_ask(struct cluster *cluster, const char *job)
{
    cluster_execute_format(cluster, "INSERT INTO chime.request (job_id) SELECT job_id FROM chime.job WHERE name = '%s'",
                           job);
}

static char *ended_sql(const char *job)
{
    return files_path("SELECT count(*) FROM chime.run_history JOIN chime.job USING (job_id) WHERE name = '%s'", job);
}

void runs_await(struct cluster *cluster, const char *job, int count)
{
    char *ended = ended_sql(job);
    char *sql = files_path("SELECT (%s) >= %d", ended, count);

    WAIT_SQL(cluster, sql, "t", RUN_SECONDS);
    free(sql);
    free(ended);
}

void runs_ask_and_await(struct cluster *cluster, const char *job)
{
    char *ended = files_path("SELECT count(*) FROM chime.run_history JOIN chime.job USING (job_id)"
                             " WHERE name = '%s' AND kind = 'manual'",
                             job);
    char *sql = files_path("SELECT (%s) > %d", ended, (int)cluster_integer(cluster, ended));

    runs_ask(cluster, job);
    WAIT_SQL(cluster, sql, "t", RUN_SECONDS);
    free(sql);
    free(ended);
}

void runs_await_running(struct cluster *cluster, const char *job)
{
    char *sql = files_path("SELECT count(*) > 0 FROM chime.run r JOIN chime.job j USING (job_id)"
                           " JOIN pg_stat_activity a ON a.pid = r.pid AND a.backend_start = r.backend_start"
                           " WHERE j.name = '%s' AND a.state = 'active' AND a.query_start > r.claimed_at"
                           " AND NOT EXISTS (SELECT FROM chime.run o WHERE o.pid = r.pid AND o.run_id <> r.run_id)",
                           job);

    WAIT_SQL(cluster, sql, "t", RUN_SECONDS);
    free(sql);
}

void runs_expect_sql(struct cluster *cluster, const char *sql, const char *expected, const char *file, int line)
{
    char *found = cluster_value(cluster, sql);
    bool same = found == NULL || expected == NULL ? found == expected : strcmp(found, expected) == 0;

    if (!same)
        support_fail("%s:%d: %s\nis %s, expected %s", file, line, sql, found != NULL ? found : "NULL",
                     expected != NULL ? expected : "NULL");
    free(found);
}

void runs_expect(struct cluster *cluster, const char *job, const char *expression, const char *expected,
                 const char *file, int line)
{
    char *sql = files_path("SELECT %s FROM chime.run_history JOIN chime.job USING (job_id) WHERE name = '%s'"
                           " ORDER BY finished_at DESC LIMIT 1",
                           expression, job);

    runs_expect_sql(cluster, sql, expected, file, line);
    free(sql);
}

/* Sums the lines of a /proc file that begin with `label`. */
static long sum_lines(int pid, const char *file, const char *label)
{
    char *path = files_path("/proc/%d/%s", pid, file);
    FILE *stream = fopen(path, "re");
    char line[256];
    long sum = -1;

    if (stream == NULL)
        support_fail("%s cannot be read", path);
    while (fgets(line, sizeof(line), stream) != NULL) {
        if (strncmp(line, label, strlen(label)) == 0)
            sum = (sum < 0 ? 0 : sum) + strtol(line + strcspn(line, "0123456789"), NULL, 10);
    }
    fclose(stream);
    if (sum < 0)
        support_fail("%s has no %s", path, label);
    free(path);
    return sum;
}

long process_peak_kb(int pid)
{
    return sum_lines(pid, "status", "VmHWM:");
}

long process_private_kb(int pid)
{
    return sum_lines(pid, "smaps_rollup", "Private_");
}

long process_ticks(int pid)
{
    char *path = files_path("/proc/%d/stat", pid);
    char *text = files_read(path);
    const char *after_name = strrchr(text, ')');
    unsigned long user = 0;
    unsigned long system = 0;

    /* Fields 14 and 15; the name in parentheses is the second. */
    if (after_name == NULL ||
        sscanf(after_name, ") %*c %*d %*d %*d %*d %*d %*u %*u %*u %*u %*u %lu %lu", &user, &system) != 2)
        support_fail("%s cannot be read: %s", path, text);
    free(path);
    free(text);
    return (long)(user + system);
}
