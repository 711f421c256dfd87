/* SPDX-License-Identifier: PostgreSQL */
#include "support/cluster/pgbouncer.h"

#include <signal.h>
#include <stdlib.h>
#include <unistd.h>

#include "support/process/files.h"
#include "support/process/process.h"
#include "support/process/wait.h"

#define PROGRAM "/usr/sbin/pgbouncer"
#define START_SECONDS 20.0
#define END_SECONDS 20.0

struct pgbouncer {
    char *directory;
    char *conninfo;
    pid_t process;
};

struct pgbouncer *pgbouncer_start(struct cluster *cluster, const char *mode, const char *more)
{
    struct pgbouncer *pgbouncer = calloc(1, sizeof(*pgbouncer));

    if (pgbouncer == NULL)
        support_fail("out of memory");
    if (access(PROGRAM, X_OK) != 0)
        support_fail(PROGRAM " is missing\nHINT:  script/bootstrap installs it");
    pgbouncer->directory = files_make_directory();
    pgbouncer->conninfo = files_path("host=%s port=6432 user=postgres dbname=postgres", pgbouncer->directory);
    char *settings = files_path("%s/pgbouncer.ini", pgbouncer->directory);
    char *log = files_path("%s/pgbouncer.log", pgbouncer->directory);
    char *text = files_path("[databases]\n* = host=%s port=5432 user=postgres\n[pgbouncer]\nlisten_port = 6432\n"
                            "unix_socket_dir = %s\nauth_type = any\npool_mode = %s\n%s\n",
                            cluster_directory(cluster), pgbouncer->directory, mode, more);
    const char *argv[] = {PROGRAM, settings, NULL};
    files_write(settings, text);
    pgbouncer->process = process_start(argv, log, log);
    guard_process(GUARD_GROUP, pgbouncer->process);
    WAIT_FOR(PQping(pgbouncer->conninfo) == PQPING_OK, START_SECONDS);
    free(settings);
    free(log);
    free(text);
    return pgbouncer;
}

void pgbouncer_stop(struct pgbouncer *pgbouncer)
{
    if (pgbouncer == NULL)
        return;
    kill(pgbouncer->process, SIGKILL);
    process_wait(pgbouncer->process, END_SECONDS);
    guard_forget_process(pgbouncer->process);
    files_remove_tree(pgbouncer->directory);
    guard_forget_directory(pgbouncer->directory);
    free(pgbouncer->directory);
    free(pgbouncer->conninfo);
    free(pgbouncer);
}

const char *pgbouncer_conninfo(const struct pgbouncer *pgbouncer)
{
    return pgbouncer->conninfo;
}
