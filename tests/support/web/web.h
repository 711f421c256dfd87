/* SPDX-License-Identifier: PostgreSQL */
/* `pgchime web` under test, and a client that says bytes to it. Failures fail the running test. */
#ifndef CHIME_TESTS_SUPPORT_WEB_H
#define CHIME_TESTS_SUPPORT_WEB_H

#include <stdbool.h>
#include <stddef.h>

#include "support/daemon/daemon.h"

struct web_server;

/* With these databases ("main: { conninfo = ...; };") and this access ("anonymous = \"view\";"), at a free port of
 * 127.0.0.1; returns when it listens. Its folder may be used for files of its configuration. */
struct web_server *web_server_start(const char *folder, const char *databases, const char *access);
void web_server_destroy(struct web_server *server); /* takes NULL */
struct daemon *web_server_daemon(const struct web_server *server);
int web_server_port(const struct web_server *server);

/* FOLDER/web.conf; listens where `listen` says. Caller frees its path. */
char *web_configure(const char *folder, const char *listen, const char *databases, const char *access);

struct web_answer {
    char *all;        /* "": the server closed without a word */
    int status;       /* 0: likewise */
    const char *body; /* "" when there is none */
    size_t length;    /* of the body */
};

/* Says the bytes and takes what comes until the server closes: so they should ask for that. */
struct web_answer web_say(const struct web_server *server, const char *bytes, size_t length);
/* GET of a target, with further lines of the head ("Cookie: a\r\n"). */
struct web_answer web_get(const struct web_server *server, const char *target, const char *lines);
struct web_answer web_post(const struct web_server *server, const char *target, const char *lines, const char *body);
void web_answer_finish(struct web_answer *answer);
/* A GET, whose status is this. Caller finishes the answer. */
struct web_answer web_expect(int status, const struct web_server *server, const char *target, const char *lines);

/* A request whose answer goes on. `lines` as above. */
struct web_stream;
struct web_stream *web_stream_open(const struct web_server *server, const char *target, const char *lines);
/* Waits until what came since the last such call has `text` in it, and returns all of it up to there; the stream's.
 * Fails the test where the server closes before, or within a minute. */
const char *web_stream_hear(struct web_stream *stream, const char *text);
/* Whether the server closed it within a minute, whatever it said before. */
bool web_stream_ends(struct web_stream *stream);
void web_stream_destroy(struct web_stream *stream); /* takes NULL */

#endif
