/* SPDX-License-Identifier: PostgreSQL */
/* Commands about views: found by name in whichever database has them.
 *
 * Does: load the configuration, look through the wanted databases, refuse a name that none has (with a did-you-mean) or
 *   that several views have (with the way to tell them apart), and run a function on a connection to each view that is
 *   meant. A view that a role keeps (docs/adr/0041) is refused: the daemon's role neither reads nor runs it.
 * A name is "relation" or "schema.relation". */
#ifndef CHIME_CLI_VIEW_VISIT_H
#define CHIME_CLI_VIEW_VISIT_H

#include "cli/visit.h"

struct view_visit {
    const struct invocation *invocation;
    struct visit visit;
    const char *schema;
    const char *relation;
    const char *name;  /* schema.relation, as chime.find_view takes it */
    const char *owner; /* the role that keeps it; NULL: the daemon's */
};

typedef bool view_visit_function(struct view_visit *visit, void *data, struct error *err);

/* NULL: all views, in order. Each failure is printed, and the others are visited all the same; the status of the first
 * failure, else EXIT_OK. */
int visit_views(const struct invocation *invocation, const char *name, view_visit_function *function, void *data);
/* The one of that name, which may be a role's: for a function that only asks the ledger about it. */
int visit_view_of_anyone(const struct invocation *invocation, const char *name, view_visit_function *function,
                         void *data);

/* Adds, to an error that says that a lock was waited for in vain, what most likely holds it. */
void view_lock_hint(struct error *err);

#endif
