/* SPDX-License-Identifier: PostgreSQL */
/* The data folders that clusters are copied from (cluster.h says where they lie). Failures fail the running test. */
#ifndef CHIME_TESTS_SUPPORT_CLUSTER_TEMPLATE_H
#define CHIME_TESTS_SUPPORT_CLUSTER_TEMPLATE_H

#include "support/cluster/cluster.h"

/* Makes the folder `target` a copy of the template; NULL: of what initdb makes. */
void cluster_template_copy(const struct cluster_template *template, const char *target);

#endif
