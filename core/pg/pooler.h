/* SPDX-License-Identifier: PostgreSQL */
/* A pooler between us and the server, told by its name: sessions are what leases, leadership and NOTIFY hang on, and a
 * pooler lends them. */
#ifndef CHIME_PG_POOLER_H
#define CHIME_PG_POOLER_H

#include "base/error.h"

/* An error that only a pooler makes is given its name and the way out; others stay as they are. */
void pooler_name(struct error *err);
/* The session that answered is not the one connected to. Returns false. */
bool pooler_refuse(struct error *err);

#endif
