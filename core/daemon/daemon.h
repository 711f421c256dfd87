/* SPDX-License-Identifier: PostgreSQL */
/* `pgchime serve`: reads configuration and plugins, and serves every database until a signal or a limit ends it.
 *
 * SIGHUP, `pgchime reload` on the control socket, a file arriving in the plugin folder and new zone data read
 * everything anew (reload.h). A database that is new is served, one that is gone or whose conninfo changed is drained;
 * the others take the new catalog over with their runs under way. */
#ifndef CHIME_DAEMON_DAEMON_H
#define CHIME_DAEMON_DAEMON_H

#include <stdbool.h>

#include "base/instant.h"
#include "daemon/snapshot.h"

struct daemon_options {
    bool once;           /* end when nothing is due or live in any database */
    duration run_for;    /* end after this; 0: only by signal */
    bool keep_log_level; /* the command line chose it, the configuration does not */
};

/* Runs until the end; the exit status. SIGTERM and SIGINT drain and resign, a second one does not wait. Holds the
 * snapshot for itself as long as it needs it. */
int daemon_serve(struct snapshot *snapshot, const struct daemon_options *options);

#endif
