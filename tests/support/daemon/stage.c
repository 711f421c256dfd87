/* SPDX-License-Identifier: PostgreSQL */
#include "support/daemon/stage.h"

#include <stdlib.h>

#include "support/ledger/ledger_oracle.h"

char *output;
char *errors;

void stage_set(const char *const *settings)
{
    cluster = cluster_create(settings);
    oracle_install(cluster, NULL);
    site = site_create(cluster, "postgres", 2);
    oracle_write_load(site);
}

void stage_set_as(const char *role, int pool_size)
{
    cluster = cluster_create(NULL);
    cluster_execute_format(cluster, "CREATE ROLE %s LOGIN; GRANT CREATE ON DATABASE postgres TO %s", role, role);
    oracle_install(cluster, role);
    site = site_create(cluster, "postgres", pool_size);
    site_use_role(site, role);
    oracle_write_load(site);
}

void stage_clear(void)
{
    served_tear_down();
    free(output);
    free(errors);
}
