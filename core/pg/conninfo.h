/* Connection parameters: the user's conninfo with our session settings behind it.
 *
 * Does: parse, add, list hosts that need resolving, put addresses in. Does not connect. */
#ifndef CHIME_PG_CONNINFO_H
#define CHIME_PG_CONNINFO_H

#include <stdbool.h>
#include <stddef.h>

#include "base/error.h"
#include "pg/connection.h"

#define CONNINFO_MAX 64

struct conninfo {
    size_t count;
    const char *keywords[CONNINFO_MAX + 1]; /* NULL-terminated, as PQconnectStartParams takes them */
    const char *values[CONNINFO_MAX + 1];
    struct arena *arena;
    char **hosts; /* the parts of `host`; NULL when none is given */
    size_t host_count;
};

/* Checks and splits; false with an error that names what libpq found wrong. */
bool conninfo_read(struct conninfo *info, const struct pg_target *target, struct error *err) CHIME_MUST_CHECK;
void conninfo_finish(struct conninfo *info);
const char *conninfo_value(const struct conninfo *info, const char *keyword); /* NULL when not given */
/* True for a name: not a socket folder, not an address. */
bool conninfo_needs_address(const struct conninfo *info, size_t host);
/* Sets hostaddr from one address per host; a NULL address leaves that host (and its port) out. False when none is left. */
bool conninfo_set_addresses(struct conninfo *info, const char *const *addresses);
/* For messages: host, port, dbname, user; never the password. Text of the arena. */
const char *conninfo_describe(const struct conninfo *info);

#endif
