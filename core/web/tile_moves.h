/* SPDX-License-Identifier: PostgreSQL */
/* Hears within a fraction of a second that a view of a plugin has other rows, while somebody follows tiles of it.
 *
 * Does: ask a database when views of each plugin changed last, four times a second, or less often where that is dear;
 *   say which plugins' changed since it was asked before.
 * Does not: know tiles, or ask anything while nobody holds it. */
#ifndef CHIME_WEB_TILE_MOVES_H
#define CHIME_WEB_TILE_MOVES_H

#include "web/session.h"

struct tile_moves;

/* The session is borrowed. `moved` is called once for each plugin. */
struct tile_moves *tile_moves_create(struct loop *loop, struct session *session,
                                     void (*moved)(void *data, const char *plugin), void *data);
void tile_moves_destroy(struct tile_moves *moves); /* before the session has gone; takes NULL */
/* One more, or one less, who wants to hear. */
void tile_moves_hold(struct tile_moves *moves);
void tile_moves_release(struct tile_moves *moves);

#endif
