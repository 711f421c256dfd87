/* SPDX-License-Identifier: PostgreSQL */
#include "support/cluster/init_role.h"

#include <check.h>
#include <stdlib.h>

#include "support/cluster/psql.h"
#include "support/daemon/daemon.h"
#include "support/process/files.h"
#include "support/process/process.h"

static char *make_as(struct cluster *cluster, const char *user, const char *const words[])
{
    char *folder = files_make_directory();
    char *script = files_path("%s/pgchime.sql", folder);
    char *log = files_path("%s/psql.log", folder);
    char *output;
    ck_assert_int_eq(daemon_run(words, &output, NULL), 0);
    files_write(script, output);
    setenv("PGHOST", cluster_directory(cluster), 1);
    setenv("PGPORT", "5432", 1);
    setenv("PGUSER", user, 1);
    process_must_run(
        (const char *const[]){psql_program(), "-X", "-v", "ON_ERROR_STOP=1", "-d", "postgres", "-f", script, NULL},
        log);
    free(output);
    output = files_read(log);
    free(log);
    free(script);
    free(folder);
    return output;
}

void init_role_make(struct cluster *cluster, const char *role, const char *database)
{
    free(make_as(cluster, "postgres",
                 (const char *const[]){"init", "--sql", "--role", role, "--database", database, NULL}));
}

char *init_role_make_as(struct cluster *cluster, const char *user, const char *role, const char *database)
{
    return make_as(cluster, user,
                   (const char *const[]){"init", "--sql", "--with-cron", "--role", role, "--database", database, NULL});
}
