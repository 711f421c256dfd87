#include "support/cron.h"

#include <stddef.h>

#include "ledger/migrate.h"
#include "support/ledger_sql.h"

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
    struct cluster *cluster = cluster_create(NULL);
    ledger_sql_migrate(cluster, 0, migrate_newest());
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
