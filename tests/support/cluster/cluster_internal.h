/* SPDX-License-Identifier: PostgreSQL */
/* Shared by cluster.c (the server), cluster_sql.c (the connection) and standby.c. Tests include cluster.h. */
#ifndef CHIME_TESTS_SUPPORT_CLUSTER_INTERNAL_H
#define CHIME_TESTS_SUPPORT_CLUSTER_INTERNAL_H

#include "support/cluster/cluster.h"

struct cluster {
    char *directory;
    char *data;
    char *log;
    char **settings;    /* ended by NULL */
    pid_t server;       /* 0: not running */
    bool killed;        /* the last one, by SIGKILL: its children hold the shared memory for a moment */
    char *database;     /* the current one */
    PGconn *connection; /* to it; NULL until needed */
    char sqlstate[6];
};

const char *cluster_program_folder(void);
struct cluster *cluster_prepare(const char *const *settings); /* all but its data: not started */
void cluster_disconnect(struct cluster *cluster);

#endif
