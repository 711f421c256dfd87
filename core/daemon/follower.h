/* SPDX-License-Identifier: PostgreSQL */
/* What a daemon that follows has seen of the leader lock: who leads, whether that leader is silent, since when the lock
 * is free. Each change is logged once. Sends nothing. */
#ifndef CHIME_DAEMON_FOLLOWER_H
#define CHIME_DAEMON_FOLLOWER_H

#include "ledger/ledger.h"

#define FOLLOWER_SILENCE_MAX (PG_LEASE + USEC_PER_SEC) /* of a leader; the server's lease ends it before, if it can */

struct follower {
    const char *database; /* its name, for the log; borrowed */
    bool announced;       /* the ledger knows that this daemon follows */
    char leader[256];     /* the instance that was last logged to lead; "" none */
    char waits[256];      /* what commits wait for, as last seen and logged; "" they do not */
    char differs[17];     /* the leader's configuration that was last logged as another; "" none */
    struct leader_lock seen;
    instant free_since; /* by our clock, as the next one; INSTANT_NONE: it is held */
    instant sign_since; /* when seen.sign was first seen */
};

void follower_begin(struct follower *follower, const char *database);
/* The session is gone: what it saw is old. What was logged is not logged again. */
void follower_forget(struct follower *follower);
/* The lock is held by another; `configuration` is the fingerprint of ours. */
void follower_tell_leader(struct follower *follower, const struct leader_lock *lock, const char *configuration);
/* The server's lease ends a silent leader, but not one to which it could not get rid of an answer. */
bool follower_is_silent(struct follower *follower, const struct leader_lock *lock);
void follower_note_waits(struct follower *follower, const struct leader_lock *lock);
/* For how long the lock has been seen free. */
duration follower_free_for(struct follower *follower);

#endif
