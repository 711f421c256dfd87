/* SPDX-License-Identifier: PostgreSQL */
/* Connection parameters: the user's conninfo with our session settings behind it.
 *
 * Does: parse, add, list the hosts, choose one of them. Does not connect. */
#ifndef CHIME_PG_CONNINFO_H
#define CHIME_PG_CONNINFO_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "base/instant.h"
#include "pg/connection.h"

#define CONNINFO_MAX 64

/* NULL: not given. */
struct conninfo_host {
    const char *name; /* also a socket folder or an address */
    const char *address;
    const char *port;
};

struct conninfo {
    size_t count;
    const char *keywords[CONNINFO_MAX + 1]; /* NULL-terminated, as PQconnectStartParams takes them */
    const char *values[CONNINFO_MAX + 1];
    struct arena *arena;
    struct conninfo_host *hosts; /* as in `host`, `hostaddr` and `port`, in their order */
    size_t host_count;           /* at least 1; of one without name and address libpq knows the default */
    const char *description;
};

/* Checks and splits; false with an error that names what libpq found wrong. With several hosts, only a primary is
 * accepted unless the user says otherwise (target_session_attrs). */
bool conninfo_read(struct conninfo *info, const struct pg_target *target, struct error *err) CHIME_MUST_CHECK;
/* A conninfo by which another role connects to the same server: `base`, then what `role_conninfo` says (NULL: nothing).
 * The user is `role` unless that names another, the database `target` where it is not NULL. A host or address of the
 * role's is a place of its own: the base's go. Of the base no password goes along: it is not that role's. With
 * `role` NULL it is the base's own user, and only the database changes. Nobody's name is empty: libpq would take the
 * daemon's user for it. Caller frees; NULL with the reason. */
char *conninfo_for_role(const char *base, const char *role_conninfo, const char *role, const char *target,
                        struct error *err);
/* As whom it says to log in; NULL: it does not. Caller frees. */
char *conninfo_user(const char *conninfo);
/* Whether it says to which host, address or port. */
bool conninfo_names_host(const char *conninfo);
void conninfo_finish(struct conninfo *info);
const char *conninfo_value(const struct conninfo *info, const char *keyword); /* NULL when not given */
/* Whether a host's name is this machine's own: none, a socket folder, or what stands for itself on each machine. */
bool conninfo_is_local(const char *host);
/* True for a name: not a socket folder, not an address, and none is given beside it. */
bool conninfo_needs_address(const struct conninfo_host *host);
/* From now on the parameters name that host alone. `address` NULL: the host's own, if it has one. Texts are
 * borrowed. */
void conninfo_choose(struct conninfo *info, const struct conninfo_host *host, const char *address);
/* What `connect_timeout` says, as libpq reads it; 0 when it says nothing. */
duration conninfo_timeout(const struct conninfo *info);
/* For messages: hosts, ports, dbname, user; never the password. */
const char *conninfo_describe(const struct conninfo *info);

#endif
