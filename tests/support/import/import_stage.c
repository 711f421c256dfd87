/* SPDX-License-Identifier: PostgreSQL */
#include "support/import/import_stage.h"

#include <stdlib.h>

#include "support/process/files.h"

char *configuration;
char *from;

/* Its folder goes with the test. */
static char *configure(const char *database)
{
    char *folder = files_make_directory();
    char *path = commands_configure(cluster, "pgchime", database, folder, "");
    free(folder);
    return path;
}

void import_stage_migrate(void)
{
    cluster_execute(cluster, "DO $$ BEGIN"
                             " IF to_regrole('pgchime') IS NULL THEN CREATE ROLE pgchime LOGIN; END IF;"
                             " EXECUTE format('GRANT CREATE ON DATABASE %I TO pgchime', current_database()); END $$");
    ASSERT_RUN(0, "migrate");
}

void import_stage_start(void)
{
    cluster = cluster_create(NULL);
    cluster_create_database(cluster, "model");
    cluster_use(cluster, "model");
    configuration = configure("model");
    import_stage_migrate();
    import_stage_forget();
}

void import_stage_copy(const char *database, const char *model)
{
    cluster_use(cluster, "postgres");
    cluster_execute_format(cluster, "DROP DATABASE IF EXISTS %s WITH (FORCE)", database);
    cluster_execute_format(cluster, "CREATE DATABASE %s TEMPLATE %s", database, model);
    cluster_use(cluster, database);
    cluster_execute(cluster, "DO $$ BEGIN IF to_regprocedure('chime.adopt_copy()') IS NOT NULL THEN"
                             " PERFORM chime.adopt_copy(); END IF; END $$");
    cluster_use(cluster, "postgres");
}

void import_stage_aim(const char *database)
{
    cluster_use(cluster, "app");
    configuration = configure("app");
    from = cluster_conninfo(cluster, database);
}

static void forget(char **text)
{
    free(*text);
    *text = NULL;
}

void import_stage_forget(void)
{
    forget(&configuration);
    forget(&from);
    forget(&output);
    forget(&errors);
}
