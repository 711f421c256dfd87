#include "support/served.h"

#include <stddef.h>

struct cluster *cluster;
struct site *site;
struct daemon *served;

void served_set_up(int pool_size)
{
    cluster = cluster_create(NULL);
    site = site_create(cluster, "postgres", pool_size);
}

void served_tear_down(void)
{
    daemon_destroy(served);
    site_destroy(site);
    cluster_destroy(cluster);
}
