/* SPDX-License-Identifier: PostgreSQL */
#include "support/cluster/stepped_cluster.h"

#include <stdio.h>
#include <stdlib.h>

#include "support/process/files.h"
#include "support/process/process.h"

static char *clock_file;
static int64_t offset_now;

void stepped_cluster_set(int64_t offset)
{
    FILE *file = fopen(clock_file, files_exist(clock_file) ? "r+e" : "we");

    if (file == NULL || fwrite(&offset, sizeof(offset), 1, file) != 1 || fclose(file) != 0)
        support_fail("%s cannot be written", clock_file);
    offset_now = offset;
}

struct cluster *stepped_cluster_create(const char *const *settings)
{
    char *folder = files_make_directory();

    free(clock_file);
    clock_file = files_path("%s/clock", folder);
    free(folder);
    stepped_cluster_set(0);
    setenv("PGCHIME_TEST_CLOCK", clock_file, 1);
    setenv("LD_PRELOAD", PGCHIME_BUILD_DIR "/tests/fixtures/stepped_clock.so", 1);
    struct cluster *cluster = cluster_create(settings);
    unsetenv("LD_PRELOAD");
    return cluster;
}

void stepped_cluster_skip_to_second(struct cluster *cluster, double second)
{
    char *sql = files_path("SELECT greatest(0, 1000000 * (%f - extract(second FROM clock_timestamp())))::bigint",
                           second);

    stepped_cluster_set(offset_now + cluster_integer(cluster, sql));
    free(sql);
}
