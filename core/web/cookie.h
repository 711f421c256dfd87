/* SPDX-License-Identifier: PostgreSQL */
/* The cookie by which a browser is known once it has shown a token: NAME.UNTIL.HMAC, keyed by the token's digest.
 * So the server stores no sessions, several processes accept the same cookie, and a new token ends the sessions of the
 * old one. */
#ifndef CHIME_WEB_COOKIE_H
#define CHIME_WEB_COOKIE_H

#include "base/instant.h"
#include "web/token.h"

#define COOKIE_NAME "pgchime"
#define COOKIE_LIFE (12 * USEC_PER_HOUR)

/* Its value; caller frees. */
char *cookie_make(const struct token *token, instant now);
/* Of the field Cookie, which may have others; NULL: there is none of ours that holds. */
const struct token *cookie_find(const char *field, const struct tokens *tokens, instant now);

#endif
