#include "support/pg_cron.h"

#include <stdlib.h>
#include <unistd.h>

#include "support/commands.h"
#include "support/files.h"

bool pg_cron_is_installed(void)
{
    const char *programs = getenv("PGCHIME_TEST_PGBIN");
    return programs == NULL && access("/usr/lib/postgresql/15/lib/pg_cron.so", R_OK) == 0 &&
           access("/usr/share/postgresql/15/extension/pg_cron.control", R_OK) == 0;
}

void pg_cron_make_tables(struct cluster *cluster)
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

void pg_cron_add(struct cluster *cluster, int jobid, const char *schedule)
{
    cluster_execute_format(cluster,
                           "INSERT INTO cron.job (jobid, schedule, command) VALUES (%d, $text$%s$text$, 'SELECT %d')",
                           jobid, schedule, jobid);
}

void pg_cron_migrate(struct cluster *cluster, const char *configuration)
{
    char *output = NULL;
    char *errors = NULL;
    cluster_execute(cluster, "DO $$ BEGIN"
                             " IF to_regrole('pgchime') IS NULL THEN CREATE ROLE pgchime LOGIN; END IF;"
                             " EXECUTE format('GRANT CREATE ON DATABASE %I TO pgchime', current_database()); END $$");
    commands_expect(0, configuration, (const char *const[]){"migrate", NULL}, &output, &errors);
    free(output);
    free(errors);
}

char *pg_cron_configure(struct cluster *cluster, const char *database)
{
    char *folder = files_make_directory();
    char *path = files_path("%s/pgchime.conf", folder);
    char *conninfo = cluster_conninfo_as(cluster, "pgchime", database);
    char *text = files_path("databases: { main: { conninfo = \"%s\"; }; };\n", conninfo);
    files_write(path, text);
    free(text);
    free(conninfo);
    free(folder);
    return path;
}
