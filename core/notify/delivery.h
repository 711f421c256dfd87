/* SPDX-License-Identifier: PostgreSQL */
/* One attempt to tell a sink something, by curl or by the sink's program, or to ping an address, without blocking the
 * loop.
 *
 * Does: read the files that the sink names, start the child, end it after half a minute, say what came of it.
 * Does not: try again. No secret goes into an argument, an environment, an error or a log. */
#ifndef CHIME_NOTIFY_DELIVERY_H
#define CHIME_NOTIFY_DELIVERY_H

#include "config/config.h"
#include "loop/loop.h"

struct notify_delivery;

/* Once, later; `problem` is NULL when it was taken. delivery_destroy is left to call, which the callback may do
 * itself. */
typedef void delivery_callback(void *data, const char *problem);

/* `body` as message.h takes it, `key` the message's own. Nothing of the sink is kept. NULL when it cannot be tried. */
struct notify_delivery *delivery_start(struct loop *loop, const struct config_sink *sink, const char *body,
                                       const char *key, delivery_callback *callback, void *data, struct error *err);

/* A POST of a text, to an address that waits for it. */
struct delivery_ping {
    const char *url;      /* NULL: it is in url_file */
    const char *url_file; /* absolute */
    const char *suffix;   /* behind the address's path; may be "" */
    const char *query;    /* NULL: none beside the address's own */
    const char *text;
};
struct notify_delivery *delivery_ping(struct loop *loop, const struct delivery_ping *ping, delivery_callback *callback,
                                      void *data, struct error *err);
/* Asked by the callback: the receiver refused what the message says, and would again. */
bool delivery_refused(const struct notify_delivery *delivery);
void delivery_destroy(struct notify_delivery *delivery); /* ends it; takes NULL */

#endif
