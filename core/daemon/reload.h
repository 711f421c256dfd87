/* SPDX-License-Identifier: PostgreSQL */
/* Reading configuration and plugins anew while the daemon works.
 *
 * Does: read the files, have a child describe the plugins (not when their files are the same), build the whole catalog,
 *   and hand it over only when nothing is wrong; say what is wrong, in the log and to whoever asked.
 * Does not: touch a database, or the catalog in force.
 * A plugin file that was good and is refused now refuses the reload: a bad file never replaces a good one. A bad file
 * that is new costs only itself. A request that comes during a reload starts another reload after it, since files may
 * have changed meanwhile. */
#ifndef CHIME_DAEMON_RELOAD_H
#define CHIME_DAEMON_RELOAD_H

#include <stdbool.h>

#include "daemon/control.h"
#include "daemon/snapshot.h"
#include "loop/loop.h"

struct reload;

struct reload_handlers {
    struct snapshot *(*current)(void *data); /* borrowed */
    /* The catalog to go by from now on; held for the call. To be followed by reload_done, maybe at once. */
    void (*apply)(void *data, struct snapshot *next);
    void (*began)(void *data);            /* a round */
    void (*ended)(void *data, bool well); /* !well: refused, what was in force stays */
};

struct reload *reload_create(struct loop *loop, const struct reload_handlers *handlers, void *data);
void reload_destroy(struct reload *reload); /* answers nobody any more; takes NULL */
/* `why` for the log, static. `caller` is answered when it is done; NULL: nobody waits. */
void reload_ask(struct reload *reload, const char *why, struct control_caller *caller);
/* Every database that can has taken the catalog over. */
void reload_done(struct reload *reload);

#endif
