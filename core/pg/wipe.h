/* Making a session as good as new between two texts that know nothing of each other.
 *
 * DISCARD ALL does it, and with it goes every prepared statement and cached plan: ours too, which cost more than a short
 * run. Behind chime.perform, which cleans what it can inside its transaction and says whether anything is left that it
 * cannot, the settings are all there is to reset. */
#ifndef CHIME_PG_WIPE_H
#define CHIME_PG_WIPE_H

#include "pg/connection.h"

enum wipe { WIPE_NONE, WIPE_SETTINGS, WIPE_ALL };

/* Nothing is sent for WIPE_NONE, and nobody called. When it fails the session is not to be used again. */
void pg_wipe(struct pg_connection *connection, enum wipe wipe, pg_callback *callback, void *data);

#endif
