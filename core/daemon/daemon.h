/* `pgchime serve`: configuration and plugins in, every database served, until a signal or a limit ends it. */
#ifndef CHIME_DAEMON_DAEMON_H
#define CHIME_DAEMON_DAEMON_H

#include <stdbool.h>

#include "base/instant.h"
#include "catalog/catalog.h"

struct daemon_options {
    bool once;        /* end when nothing is due or live in any database */
    duration run_for; /* end after this; 0: only by signal */
};

/* Runs until the end; the exit status. SIGTERM and SIGINT drain and resign, a second one does not wait. Borrows both. */
int daemon_serve(const struct config *config, const struct catalog *catalog, const struct daemon_options *options);

#endif
