/* SPDX-License-Identifier: PostgreSQL */
/* As whom the daemon logs in for jobs that SQL made, as the ledger knows it (logins.sql).
 *
 * Does: write down what pgchime.conf says, by which SQL refuses early; ask which roles are there, and what stands in
 *   the way of each.
 * Does not: decide at a login; that is done by the configuration itself, and in the session (pg/session.h). */
#ifndef CHIME_LEDGER_LOGINS_H
#define CHIME_LEDGER_LOGINS_H

#include "config/config.h"
#include "ledger/ledger.h"

struct login {
    const char *role;
    char *user;             /* as whom its jobs log in; NULL: as itself */
    enum config_login rule; /* of pgchime.conf, as is what follows */
    int max_jobs;           /* -1: not said */
    bool exists;            /* these two are the server's answer */
    const char *problem;    /* why the daemon does not log in as it; NULL: nothing is in the way */
};

/* Instead of what was written before; CONFIG_OTHER_ROLES stands for those that are not among them. */
void logins_write(const struct ledger *ledger, const struct login *logins, size_t count, pg_callback *callback,
                  void *data);
void logins_ask(const struct ledger *ledger, const char *const *roles, size_t count, pg_callback *callback, void *data);
size_t logins_count(const struct pg_reply *reply);
struct login logins_read(const struct pg_reply *reply, size_t index); /* borrowed from the reply */

#endif
