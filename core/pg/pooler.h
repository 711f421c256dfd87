/* SPDX-License-Identifier: PostgreSQL */
/* Finds out whether a connection pooler stands between us and the server, and names it. Leases, leadership and NOTIFY
 * need a server session of our own, and a pooler shares sessions. */
#ifndef CHIME_PG_POOLER_H
#define CHIME_PG_POOLER_H

#include "base/error.h"

/* An error that only a pooler makes is given its name and the way out; others stay as they are. */
void pooler_name(struct error *err);
/* The session that answered is not the one connected to. Returns false. */
bool pooler_refuse(struct error *err);

#endif
