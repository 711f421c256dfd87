/* SPDX-License-Identifier: PostgreSQL */
#include "support/daemon/stage.h"

#include <stdlib.h>

#include "support/ledger/ledger_oracle.h"

char *output;
char *errors;

void stage_set(const char *const *settings)
{
    cluster = oracle_create(settings);
    site = site_create(cluster, "postgres", 2);
    oracle_write_load(site);
}

static const char *chosen_role;

static void install(struct cluster *made)
{
    cluster_execute_format(made, "CREATE ROLE %s LOGIN; GRANT CREATE ON DATABASE postgres TO %s", chosen_role,
                           chosen_role);
    oracle_install(made, chosen_role);
}

void stage_set_as(const char *role, int pool_size)
{
    const struct cluster_template installed = {role, install, NULL};

    chosen_role = role;
    cluster = cluster_create_from(&installed, NULL);
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
