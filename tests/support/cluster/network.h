/* SPDX-License-Identifier: PostgreSQL */
/* Networks that can be cut: "machines", each a network namespace joined to the test's own by a virtual cable. The
 * server and the test live in the test's own; a daemon started on a machine reaches the server by TCP over the cable
 * alone.
 *
 * All of it belongs to a user namespace that the test makes for itself, so no privilege is needed and nothing stays
 * behind. Needs user namespaces, /sbin/ip and the kernel's veth. Failures fail the running test. */
#ifndef CHIME_TESTS_SUPPORT_NETWORK_H
#define CHIME_TESTS_SUPPORT_NETWORK_H

#include "support/cluster/cluster.h"

/* A main function calls it before anything else; ends the program with a hint when the machine has no user
 * namespaces. */
void network_enter(void);

/* cluster_create with a server that listens on every cable and trusts it; settings as there. */
struct cluster *network_cluster_create(const char *const *settings);

struct network_machine;

struct network_machine *network_machine_create(void); /* at most 200 in a test */
void network_machine_destroy(struct network_machine *machine);
/* Where it finds the server: "host=... port=... user=postgres dbname=..."; caller frees. */
char *network_conninfo(const struct network_machine *machine, int port, const char *database);
void network_live_on(const struct network_machine *machine); /* processes started from now on; NULL: beside the test */

enum network_direction { NETWORK_TO_SERVER = 1, NETWORK_FROM_SERVER = 2, NETWORK_BOTH_WAYS = 3 };

/* What goes these ways is lost without a word: no reset, no error, as when a cable is cut behind a switch. */
void network_cut(struct network_machine *machine, enum network_direction ways);
void network_heal(struct network_machine *machine); /* not cut is no fault */

#endif
