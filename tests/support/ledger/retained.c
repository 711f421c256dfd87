/* SPDX-License-Identifier: PostgreSQL */
#define _DEFAULT_SOURCE /* strdup */
#include "support/ledger/retained.h"

#include <stdlib.h>
#include <string.h>

#include "support/cluster/init_role.h"
#include "support/daemon/site.h"
#include "support/plugin/plugin_files.h"
#include "support/process/files.h"
#include "support/process/process.h"
#include "support/process/wait.h"

#define SECONDS 60

void retained_install(struct cluster *cluster)
{
    char *folder = files_make_directory();

    cluster_execute_file(cluster, PGCHIME_SOURCE_DIR "/sql/sample/0_schema.sql");
    init_role_make(cluster, RETAINED_ROLE, "postgres");
    cluster_execute(cluster,
                    "GRANT DELETE ON ALL TABLES IN SCHEMA public TO " RETAINED_ROLE ";"
                    "ALTER TABLE action_results OWNER TO " RETAINED_ROLE ";"
                    "DO $$ DECLARE p regclass; BEGIN FOR p IN SELECT relid FROM pg_partition_tree('action_results')"
                    " WHERE isleaf LOOP EXECUTE format('DROP TABLE %s', p); END LOOP; END $$");
    struct site *site = site_create(cluster, "postgres", 2);
    site_use_role(site, RETAINED_ROLE);
    plugin_put(folder, "retention");
    site_use_plugins(site, folder);
    struct daemon *daemon = site_lead(site);
    WAIT_SQL(cluster, "SELECT state FROM chime.plugin WHERE name = 'retention'", "installed", SECONDS);
    WAIT_SQL(cluster, "SELECT active FROM chime.job WHERE name = 'retention-events'", "t", SECONDS);
    site_end(daemon);
    daemon_destroy(daemon);
    site_destroy(site);
    retained_set(cluster, "{\"enforce\": \"true\", \"batch_rows\": \"100\"}");
    free(folder);
}

struct cluster *retained_create(void)
{
    static const struct cluster_template retained = {"retained", retained_install, NULL};

    return cluster_create_from(&retained, NULL);
}

void retained_set(struct cluster *cluster, const char *settings)
{
    cluster_execute_format(cluster, "UPDATE chime.plugin SET settings = settings || '%s' WHERE name = 'retention'",
                           settings);
}

static PGconn *connect_to(const struct cluster *cluster, const char *database)
{
    char *conninfo = cluster_conninfo_as(cluster, RETAINED_ROLE, database);
    PGconn *session = PQconnectdb(conninfo);

    if (PQstatus(session) != CONNECTION_OK)
        support_fail("%s: %s", conninfo, PQerrorMessage(session));
    free(conninfo);
    return session;
}

PGconn *retained_connect(const struct cluster *cluster)
{
    return connect_to(cluster, "postgres");
}

char *retained_job(struct cluster *cluster)
{
    return cluster_value(cluster, "SELECT command FROM chime.job WHERE name = 'retention-events'");
}

char *retained_run_in(struct cluster *cluster, const char *database)
{
    PGconn *session = connect_to(cluster, database);
    char *job = retained_job(cluster);
    PGresult *result = PQexec(session, job);
    char *message = strdup(PQresultErrorMessage(result));

    PQclear(result);
    PQfinish(session);
    free(job);
    return message;
}

char *retained_run(struct cluster *cluster)
{
    return retained_run_in(cluster, "postgres");
}

void retained_run_well(struct cluster *cluster)
{
    char *message = retained_run(cluster);

    if (message[0] != '\0')
        support_fail("the run failed: %s", message);
    free(message);
}

void retained_run_badly(struct cluster *cluster, const char *part)
{
    char *message = retained_run(cluster);

    if (strstr(message, part) == NULL)
        support_fail("the run says \"%s\", and nothing of \"%s\"", message, part);
    free(message);
}
