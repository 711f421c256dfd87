/* What the databases of one daemon know of each other: how many are led here, and on which timelines their servers have been seen.
 *
 * A free seat is left for a moment to daemons that lead fewer databases, so that several daemons share them. The moment is far
 * shorter than what a takeover may last: docs/adr/0017-several-daemons.md. */
#ifndef CHIME_DAEMON_ROSTER_H
#define CHIME_DAEMON_ROSTER_H

#include "base/error.h"
#include "base/instant.h"
#include "pg/session.h"

#define ROSTER_PAUSE_EACH (400 * USEC_PER_MSEC)
#define ROSTER_PAUSE_MAX USEC_PER_SEC

struct roster;

struct roster *roster_create(void);
void roster_destroy(struct roster *roster);
/* A database is led, or about to be; and is so no more. */
void roster_enter(struct roster *roster);
void roster_leave(struct roster *roster);
/* How long a seat is to have been free before this daemon takes it. */
duration roster_pause(const struct roster *roster);
/* An old primary that came back must not be led beside the one that took its place: whether a server (`here`) is on a lower timeline than any
 * database has been seen on, or led on before (`led`); then the error says so. */
bool roster_left_behind(struct roster *roster, const struct pg_lineage *here, const struct pg_lineage *led,
                        const struct pg_server *server, struct error *err);

#endif
