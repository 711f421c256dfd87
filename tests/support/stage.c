#include "support/stage.h"

#include <stdlib.h>

#include "support/ledger_oracle.h"

char *output;
char *errors;

void stage_set(const char *const *settings)
{
    cluster = cluster_create(settings);
    oracle_install(cluster, NULL);
    site = site_create(cluster, "postgres", 2);
    oracle_write_load(site);
}

void stage_clear(void)
{
    served_tear_down();
    free(output);
    free(errors);
}
