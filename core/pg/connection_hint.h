/* SPDX-License-Identifier: PostgreSQL */
/* The way out of a connection that could not be made, by the words in which libpq or the server says why.
 *
 * libpq tells no SQLSTATE of a failed connection, so the words are all there is: those of an English server are known,
 * any other gets the general hint. */
#ifndef CHIME_PG_CONNECTION_HINT_H
#define CHIME_PG_CONNECTION_HINT_H

/* Borrowed, without full stop. */
const char *connection_hint(const char *message);

#endif
