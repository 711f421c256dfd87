/* SPDX-License-Identifier: PostgreSQL */
#include "support/import/cron.h"

#include <stdlib.h>
#include <unistd.h>

#include "ledger/migrate.h"
#include "support/ledger/ledger_sql.h"

static void make_roles(struct cluster *cluster)
{
    cluster_execute(cluster, "CREATE ROLE app LOGIN; CREATE ROLE other LOGIN; CREATE ROLE nologin;"
                             "GRANT USAGE ON SCHEMA cron TO app, other");
    cluster_create_database(cluster, "closed");
    cluster_create_database(cluster, "open");
    cluster_execute(cluster, "REVOKE CONNECT ON DATABASE closed FROM PUBLIC");
}

struct cluster *cron_create(void)
{
    struct cluster *cluster = ledger_sql_install(NULL);
    cluster_execute(cluster, migrate_cron_text());
    make_roles(cluster);
    return cluster;
}

struct cluster *cron_create_real(struct cluster *ours)
{
    static const char *const settings[] = {"shared_preload_libraries=pg_cron", "cron.database_name=postgres",
                                           "cron.host=localhost", NULL};
    if (!cluster_true(ours, "SELECT EXISTS (SELECT FROM pg_available_extensions WHERE name = 'pg_cron')")) {
        return NULL;
    }
    struct cluster *cluster = cluster_create(settings);
    cluster_execute(cluster, "CREATE EXTENSION pg_cron");
    make_roles(cluster);
    return cluster;
}

void cron_say_to_both(struct cluster *ours, const struct outcome_step *steps, size_t count)
{
    struct cluster *real = cron_create_real(ours);
    outcomes_say(ours, steps, count, 0);
    if (real != NULL) {
        outcomes_say(real, steps, count, 1);
        cluster_destroy(real);
    }
}

bool cron_extension_is_installed(void)
{
    const char *programs = getenv("PGCHIME_TEST_PGBIN");
    return programs == NULL && access("/usr/lib/postgresql/15/lib/pg_cron.so", R_OK) == 0 &&
           access("/usr/share/postgresql/15/extension/pg_cron.control", R_OK) == 0;
}

void cron_make_tables(struct cluster *cluster)
{
    cluster_execute(
        cluster,
        "CREATE SCHEMA cron;"
        "CREATE SEQUENCE cron.jobid_seq; CREATE SEQUENCE cron.runid_seq;"
        "CREATE TABLE cron.job (jobid bigint PRIMARY KEY DEFAULT nextval('cron.jobid_seq'), schedule text NOT NULL,"
        " command text NOT NULL, nodename text NOT NULL DEFAULT 'localhost', nodeport integer NOT NULL DEFAULT 5432,"
        " database text NOT NULL DEFAULT current_database(), username text NOT NULL DEFAULT current_user,"
        " active boolean NOT NULL DEFAULT true, jobname text, UNIQUE (jobname, username));"
        "CREATE TABLE cron.job_run_details (jobid bigint, runid bigint PRIMARY KEY DEFAULT nextval('cron.runid_seq'),"
        " job_pid integer, database text, username text, command text, status text, return_message text,"
        " start_time timestamptz, end_time timestamptz);"
        "GRANT SELECT ON cron.job, cron.job_run_details TO PUBLIC;"
        "ALTER TABLE cron.job ENABLE ROW LEVEL SECURITY;"
        "CREATE POLICY cron_job_policy ON cron.job USING (username = current_user)");
}

void cron_add(struct cluster *cluster, int jobid, const char *schedule)
{
    cluster_execute_format(cluster,
                           "INSERT INTO cron.job (jobid, schedule, command) VALUES (%d, $text$%s$text$, 'SELECT %d')",
                           jobid, schedule, jobid);
}
