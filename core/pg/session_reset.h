/* SPDX-License-Identifier: PostgreSQL */
/* Making a session as good as new between two texts that know nothing of each other.
 *
 * DISCARD ALL does it, and with it goes every prepared statement and cached plan: ours too, which cost more than a
 * short run. Behind chime.perform, which cleans what it can inside its transaction and says whether anything is left
 * that it cannot, the settings are all there is to reset. */
#ifndef CHIME_PG_SESSION_RESET_H
#define CHIME_PG_SESSION_RESET_H

#include "pg/connection.h"

enum session_reset { RESET_NONE, RESET_SETTINGS, RESET_ALL };

/* Nothing is sent for RESET_NONE, and nobody called. When it fails the session is not to be used again. */
void pg_reset_session(struct pg_connection *connection, enum session_reset reset, pg_callback *callback, void *data);

#endif
