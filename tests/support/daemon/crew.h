/* SPDX-License-Identifier: PostgreSQL */
/* Several daemons that serve one site's database, named "d1", "d2", ...: who leads.
 * Failures fail the running test. */
#ifndef CHIME_TESTS_SUPPORT_CREW_H
#define CHIME_TESTS_SUPPORT_CREW_H

#include "support/cluster/cluster.h"
#include "support/cluster/network.h"
#include "support/daemon/daemon.h"
#include "support/daemon/site.h"

struct crew;

/* Nobody is started yet. */
struct crew *crew_create(struct cluster *cluster, struct site *site, int size);
void crew_destroy(struct crew *crew); /* takes NULL; kill -9 of those that still run */
/* From its next start on the member lives on that machine (borrowed) and reaches the server's port 5432, or `port`, by
 * TCP. */
void crew_move(struct crew *crew, int member, const struct network_machine *machine, int port);

void crew_start(struct crew *crew, int member); /* at once; a member that runs is killed first */
void crew_start_all(struct crew *crew);         /* at once */
struct daemon *crew_daemon(struct crew *crew, int member);
int crew_leader(
    struct crew *crew); /* the member whose session has the leader lock; -1: none has, or the server does not answer */
int crew_await_leader(struct crew *crew, double seconds);
void crew_await_following(struct crew *crew, int member); /* it has said so since its last start */
void crew_assert_running(struct crew *crew);
void crew_end(struct crew *crew); /* SIGTERM for all that run; each ends with status 0 */

#endif
