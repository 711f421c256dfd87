/* SPDX-License-Identifier: PostgreSQL */
#include "support/daemon/logins.h"

#include <pwd.h>
#include <stdlib.h>
#include <unistd.h>

#include "support/process/files.h"
#include "support/process/wait.h"

const char *const logins_methods[LOGINS_METHODS] = {"trust", "peer map=any", "scram-sha-256"};

static char *password_file(const struct cluster *cluster)
{
    return files_path("%s/pgpass", cluster_directory(cluster));
}

static void write_passwords(struct cluster *cluster)
{
    char *file = password_file(cluster);

    cluster_execute(cluster,
                    "DO $$ DECLARE r name; BEGIN FOR r IN SELECT rolname FROM pg_roles WHERE rolcanlogin AND rolname <>"
                    " 'postgres' LOOP EXECUTE format('ALTER ROLE %I PASSWORD ''secret''', r); END LOOP; END $$");
    files_write(file, "*:*:*:*:secret\n");
    setenv("PGPASSFILE", file, 1);
    free(file);
}

/* pg_ident.conf: the user of this process may be each of them. */
static void write_maps(struct cluster *cluster)
{
    char *ident = files_path("%s/data/pg_ident.conf", cluster_directory(cluster));
    char *sql = files_path("SELECT string_agg(format('any %s %%s', quote_ident(rolname)), E'\\n') || E'\\n'"
                           " FROM pg_roles WHERE rolcanlogin",
                           getpwuid(geteuid())->pw_name);
    char *maps = cluster_value(cluster, sql);

    files_write(ident, maps);
    free(maps);
    free(sql);
    free(ident);
}

void logins_use(struct cluster *cluster, const char *method)
{
    char *hba = files_path("%s/data/pg_hba.conf", cluster_directory(cluster));
    char *rules = files_path("local all postgres trust\nlocal all all %s\n", method);

    write_passwords(cluster);
    write_maps(cluster);
    files_write(hba, rules);
    cluster_execute(cluster, "SELECT pg_reload_conf()");
    WAIT_SQL(cluster, "SELECT count(*) FROM pg_hba_file_rules WHERE error IS NULL", "2", 20);
    free(rules);
    free(hba);
}

char *logins_conninfo(struct cluster *cluster, const char *role, const char *database)
{
    char *base = cluster_conninfo_as(cluster, role, database);
    char *file = password_file(cluster);
    char *conninfo = files_path("%s passfile=%s", base, file);

    free(file);
    free(base);
    return conninfo;
}
