/* SPDX-License-Identifier: PostgreSQL */
#include "support/daemon/served.h"

#include <stddef.h>

#include "support/ledger/ledger_sql.h"

struct cluster *cluster;
struct site *site;
struct daemon *served;

void served_set_up(int pool_size)
{
    cluster = ledger_sql_install(NULL);
    site = site_create(cluster, "postgres", pool_size);
}

void served_end(void)
{
    site_end(served);
    daemon_destroy(served);
    served = NULL;
}

void served_tear_down(void)
{
    daemon_destroy(served);
    site_destroy(site);
    cluster_destroy(cluster);
}
