/* SPDX-License-Identifier: PostgreSQL */
#include "support/cluster/standby.h"

#include <stdlib.h>

#include "support/cluster/cluster_internal.h"
#include "support/process/files.h"
#include "support/process/process.h"
#include "support/process/wait.h"

#define STREAM_SECONDS 60.0

static void copy_primary(const struct cluster *primary, const char *target)
{
    char *program = files_path("%s/pg_basebackup", cluster_program_folder());
    char *conninfo = files_path("host=%s port=5432 user=postgres", primary->directory);
    char *log = files_path("%s.copy.log", target);
    /* -R: standby.signal and primary_conninfo */
    const char *argv[] = {program, "-D", target, "-d", conninfo, "-R", "-X", "stream", "-c", "fast", "--no-sync", NULL};

    process_must_run(argv, log);
    free(program);
    free(conninfo);
    free(log);
}

static void stream_from(struct cluster *primary, struct cluster *standby)
{
    copy_primary(primary, standby->data);
    cluster_start(standby);
    WAIT_SQL(standby, "SELECT status FROM pg_stat_wal_receiver", "streaming", STREAM_SECONDS);
}

struct cluster *standby_create(struct cluster *primary)
{
    struct cluster *standby = cluster_prepare((const char *const *)primary->settings);

    stream_from(primary, standby);
    return standby;
}

void standby_catch_up(struct cluster *primary, struct cluster *standby)
{
    char *written = cluster_value(primary, "SELECT pg_current_wal_lsn()");
    char *reached = files_path("SELECT pg_last_wal_replay_lsn() >= '%s'::pg_lsn", written);

    WAIT_SQL(standby, reached, "t", STREAM_SECONDS);
    free(written);
    free(reached);
}

void standby_detach(struct cluster *standby)
{
    cluster_execute(standby, "ALTER SYSTEM SET primary_conninfo = ''");
    cluster_execute(standby, "SELECT pg_reload_conf()");
    WAIT_SQL(standby, "SELECT count(*) FROM pg_stat_wal_receiver", "0", STREAM_SECONDS);
}

void standby_promote(struct cluster *standby)
{
    if (!cluster_true(standby, "SELECT pg_promote(true, 60)"))
        support_fail("the standby was not promoted within a minute");
    WAIT_SQL(standby, "SELECT pg_is_in_recovery()", "f", STREAM_SECONDS);
}

void standby_rejoin(struct cluster *stopped, struct cluster *primary)
{
    files_remove_tree(stopped->data);
    stream_from(primary, stopped);
}
