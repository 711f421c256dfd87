/* What the databases of one daemon know of each other: how many are led here, and which entry of the configuration is served where.
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
/* An entry of the configuration, known by its pointer, is connected to this database of this server and is to be served: false, with the error,
 * when an entry of another name is, or was and has lost its session for the moment. */
bool roster_admit(struct roster *roster, const void *entry, const char *name, const struct pg_server *server,
                  struct error *err) CHIME_MUST_CHECK;
void roster_absent(struct roster *roster, const void *entry); /* its session is gone */
void roster_forget(struct roster *roster, const void *entry); /* it is no entry any more */

#endif
