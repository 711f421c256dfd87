/* SPDX-License-Identifier: PostgreSQL */
/* Where a server listens: "127.0.0.1:8743", "[::1]:8743", or "unix:/run/pgchime-web/http.sock".
 * Port 0 is any that is free. */
#ifndef CHIME_HTTP_LISTEN_H
#define CHIME_HTTP_LISTEN_H

#include <stdbool.h>
#include <sys/socket.h>
#include <sys/un.h>

#include "base/error.h"

struct http_place {
    struct sockaddr_storage address;
    socklen_t size;
    bool local;    /* a socket of Unix */
    bool loopback; /* or one that only this machine reaches */
};

/* Addresses are numbers: what a name leads to may change. */
bool http_place_read(const char *text, struct http_place *place, struct error *err) CHIME_MUST_CHECK;
/* A socket that listens, or -1. One of Unix that nobody listens at any more is replaced, and may be used by our group;
 * who closes it removes its file, too. */
int http_place_listen(const struct http_place *place, struct error *err);
/* As it is written above, with the port that was taken. */
char *http_place_text(int socket); /* caller frees */

#endif
