/* SPDX-License-Identifier: PostgreSQL */
/* A session beside a cluster's own. Failures fail the running test. */
#ifndef CHIME_TESTS_SUPPORT_SESSION_H
#define CHIME_TESTS_SUPPORT_SESSION_H

#include "support/cluster/cluster.h"

/* A statement that must work, one that is only sent, one whose end is awaited and must be good. */
void session_execute(PGconn *session, const char *sql);
void session_send(PGconn *session, const char *sql);
void session_await(PGconn *session);
/* Until the session waits for a lock. */
void session_await_blocked(struct cluster *cluster, PGconn *session);

#endif
