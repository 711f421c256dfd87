/* SPDX-License-Identifier: PostgreSQL */
/* A request that is to be answered, and its connection.
 *
 * Does: read heads and bodies within their limits and times, hand each request to a handler, send the answer, and read
 *   on where the connection stays.
 * Does not: accept connections (server.h), or know what is asked.
 * Ownership: a request is its connection's, and stays until it was answered: exactly once, at once or later, also when
 *   its client has gone. */
#ifndef CHIME_HTTP_REQUEST_H
#define CHIME_HTTP_REQUEST_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>
#include <sys/types.h>

#include "http/head.h"
#include "loop/loop.h"

#define HTTP_ADDRESS_SIZE 64
#define HTTP_STATUSES 600

/* Who called. */
struct http_peer {
    bool local; /* through a socket of Unix: then user and group are those of its process */
    uid_t user;
    gid_t group;
    bool loopback;
    char address[HTTP_ADDRESS_SIZE]; /* numeric; "" where it is local */
};

struct http_request;

const struct http_head *http_request_head(const struct http_request *request);
const char *http_request_body(const struct http_request *request); /* NUL behind it; its length is in the head */
const struct http_peer *http_request_peer(const struct http_request *request);

struct http_answer {
    int status;
    const char *type;   /* NULL: there is no content */
    const char *cache;  /* what Cache-Control says; NULL: private, no-cache */
    const char *fields; /* more lines, each with CR LF; NULL: none */
    const char *body;   /* copied */
    size_t length;
    bool endless; /* of http_stream_begin alone: no length is told, the end of the connection is the end */
};

void http_reply(struct http_request *request, const struct http_answer *answer);
/* An error as RFC 9457 has it; `hint` (NULL: none) names the way out. `fields` as above. */
void http_reply_problem(struct http_request *request, int status, const char *detail, const char *hint,
                        const char *fields);

/* --- an answer that goes on --------------------------------------------------------------------------------------- */

#define HTTP_STREAM_UNSENT_MAX ((size_t)64 << 10) /* bytes that wait to be sent; beyond, the connection is cut */

/* Answers with a head, and a body that is said piece by piece. The request stays until `gone` was called, once, when
 * the connection ended, or until http_stream_end. Its head can be read until then. */
void http_stream_begin(struct http_request *request, const struct http_answer *answer, void (*gone)(void *data),
                       void *data);
/* Copied. A client that takes nothing is cut once 64 KiB wait for it, or after a minute; `gone` is called later, never
 * from here. */
void http_stream_say(struct http_request *request, const char *bytes, size_t length);
/* What was said is sent, then the connection ends. `gone` is not called. */
void http_stream_end(struct http_request *request);

/* --- for the server ----------------------------------------------------------------------------------------------- */

struct http_handlers {
    void (*asked)(void *data, struct http_request *request);
    void (*gone)(void *data, struct http_request *request); /* its connection has ended, and is freed behind this */
    const char *fields;                                     /* lines of every answer, each with CR LF */
    duration head_within;                                   /* a head and its body, from when the connection is free */
    uint64_t *answered;                                     /* by status, which is below HTTP_STATUSES; borrowed */
    void *data;
};

/* Takes the socket over. Borrows the handlers. */
struct http_request *http_connection_create(struct loop *loop, int socket, const struct http_peer *peer,
                                            const struct http_handlers *handlers);
void http_connection_destroy(struct http_request *request); /* `gone` is not called */
/* Since when it waits for its client: for a request, or that it takes more of an answer; INSTANT_NEVER: it does not,
 * or is a stream. */
instant http_connection_waits(const struct http_request *request);
void http_connection_end(struct http_request *request); /* without a word; `gone` is called */

#endif
