/* SPDX-License-Identifier: PostgreSQL */
/* One plugin installed by the daemon over tables of a test's own, and the daemon gone again: for tests of what its
 * relations hold, which refresh by themselves at instants of their choice. Failures fail the running test. */
#ifndef CHIME_TESTS_SUPPORT_INSTALLED_H
#define CHIME_TESTS_SUPPORT_INSTALLED_H

#include "support/cluster/cluster.h"
#include "support/ledger/runs.h"

/* `tables`: a file of SQL, in the source tree. The views are populated once. From then on groups count as cheap, so
 * that tables this small are refreshed by their groups. `as_of`: installed_begin was called with it; NULL: it was not.
 * A program calls it with the same words each time: all that is made once and copied. */
struct cluster *installed_create(const char *plugin, const char *tables, const char *as_of);

/* Refreshes all views whole, as of an instant that may lie before the one they were refreshed for: time moves forward
 * only from there on. */
void installed_begin(struct cluster *cluster, const char *as_of);
/* Refreshes each view (names ended by NULL) as of an instant, which chime.as_of() is from then on. "by groups": a view
 * that could have been refreshed by its groups must have been. */
void installed_refresh(struct cluster *cluster, const char *as_of, const char *const *views);
/* The views must equal what tests/oracle/recount's module computes from the tables, and their own definitions. */
void installed_is_right(struct cluster *cluster, const char *module, const char *as_of);
/* The same, but recount must find a difference: for a fixture with a fault. */
void installed_is_wrong(struct cluster *cluster, const char *module, const char *as_of, const char *relation);

/* Executes what stands between the marks of a plugin's SQL: a channel's trigger, say. */
void installed_section(struct cluster *cluster, const char *plugin, const char *section);

/* A notification must have come on the session: its payload, caller frees. */
char *installed_heard(PGconn *session);
void installed_heard_nothing(PGconn *session);

#endif
