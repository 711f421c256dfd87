/* SPDX-License-Identifier: PostgreSQL */
/* Who asks, and what he may see: by a token, a cookie, the process at the other end of a socket of Unix, what a proxy
 * says, or as nobody in particular.
 *
 * Does: also judge what comes from a page of somebody else: names in Host that are not ours (a name may be made to lead
 *   here), and requests that change something and were not sent by our own page.
 * Does not: know what is asked for. */
#ifndef CHIME_WEB_ACCESS_H
#define CHIME_WEB_ACCESS_H

#include "http/server.h"
#include "web/token.h"

struct access;

/* NULL with the error where what is configured lets everybody in, or nobody, or names who is not there. */
struct access *access_create(const struct web_config *config, struct error *err);
void access_destroy(struct access *access); /* takes NULL */

#define VISITOR_NAME_SIZE 64

/* Who asks: the name of the token, of the process's user, or that the proxy says; "anonymous". In UTF-8. */
struct visitor {
    enum web_role role;
    char name[VISITOR_NAME_SIZE]; /* "" where the role is WEB_NONE */
};

/* A credential that is none makes the role WEB_NONE, whatever else there is. */
struct visitor access_visitor(struct access *access, const struct http_request *request);
/* Whether Host names us. */
bool access_host_is_ours(const struct access *access, const struct http_head *head);
/* Whether a POST comes from our page, or from who showed a token with it. */
bool access_is_from_us(const struct http_head *head);
/* The fields by which a browser is known from now on, or NULL where the token is nobody's; caller frees. */
char *access_begin_session(struct access *access, const char *secret);

#endif
