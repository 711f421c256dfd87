/* SPDX-License-Identifier: PostgreSQL */
#include "support/cluster/psql.h"

#include <stdlib.h>
#include <unistd.h>

#include "support/process/files.h"
#include "support/process/process.h"

#define DEBIAN "/usr/lib/postgresql/15/bin"

const char *psql_program(void)
{
    return access(DEBIAN "/psql", X_OK) == 0 ? DEBIAN "/psql" : "/usr/bin/psql";
}

void psql_use(const struct cluster *cluster)
{
    if (access(DEBIAN "/psql", X_OK) == 0) {
        char *path = files_path(DEBIAN ":%s", getenv("PATH"));
        setenv("PATH", path, 1);
        free(path);
    }
    setenv("PGHOST", cluster_directory(cluster), 1);
    setenv("PGPORT", "5432", 1);
    setenv("PGUSER", "postgres", 1);
}

#define SAMPLE PGCHIME_SOURCE_DIR "/sql/sample/"

/* Also the file `form`, once the tables are there and empty. */
static void load_sample(const struct cluster *cluster, const char *form)
{
    char *conninfo = cluster_conninfo(cluster, "postgres");
    char *log = files_path("%s/sample.log", cluster_directory(cluster));
    const char *argv[] = {psql_program(),
                          "-XqAt",
                          "-v",
                          "ON_ERROR_STOP=1",
                          "-v",
                          "scale=0.05",
                          "-d",
                          conninfo,
                          "-f",
                          SAMPLE "0_schema.sql",
                          "-f",
                          form,
                          "-f",
                          SAMPLE "1_data.sql",
                          NULL};

    process_must_run(argv, log);
    free(log);
    free(conninfo);
}

void psql_load_sample(const struct cluster *cluster)
{
    load_sample(cluster, "/dev/null");
}

void psql_load_sample_by_month(const struct cluster *cluster)
{
    load_sample(cluster, SAMPLE "partitions.sql");
}
