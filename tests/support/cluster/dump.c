/* SPDX-License-Identifier: PostgreSQL */
#include "support/cluster/dump.h"

#include <stdlib.h>

#include "support/cluster/cluster_internal.h"
#include "support/cluster/psql.h"
#include "support/process/files.h"
#include "support/process/process.h"

#define DUMP_SECONDS 60.0

bool dump_write(const struct cluster *cluster, const char *role, const char *database, const char *option,
                const char *file)
{
    char *program = files_path("%s/pg_dump", cluster_program_folder());
    char *conninfo = cluster_conninfo_as(cluster, role, database);
    char *log = files_path("%s.log", file);
    const char *argv[] = {program, "-d", conninfo, "-f", file, option, NULL};
    int status = process_wait(process_start(argv, log, log), DUMP_SECONDS);

    free(program);
    free(conninfo);
    free(log);
    return status == 0;
}

void dump_restore(const struct cluster *cluster, const char *database, const char *file)
{
    char *conninfo = cluster_conninfo(cluster, database);
    char *log = files_path("%s.restored.log", file);
    const char *argv[] = {psql_program(), "-Xq", "-v", "ON_ERROR_STOP=1", "-d", conninfo, "-f", file, NULL};

    process_must_run(argv, log);
    free(conninfo);
    free(log);
}

void dump_copy(const struct cluster *from, const char *database, struct cluster *to, const char *copy)
{
    char *file = files_path("%s/%s.sql", cluster_directory(from), copy);

    if (!dump_write(from, "postgres", database, NULL, file))
        support_fail("pg_dump of database %s failed: %s.log", database, file);
    cluster_create_database(to, copy);
    dump_restore(to, copy, file);
    free(file);
}
