/* SPDX-License-Identifier: PostgreSQL */
/* The control socket: a Unix socket to which `pgchime reload` sends its request, and from which it reads the answer.
 *
 * Does: listen where only the daemon's user and root may connect; read one line per connection; hand it over; send the
 *   answer; close. A connection that sends nothing for 5 s, or more than one line, is closed. A client that shuts down
 *   its side after the line still gets its answer.
 * Does not: know what a request means. It does not replace a socket on which another daemon listens. */
#ifndef CHIME_DAEMON_CONTROL_H
#define CHIME_DAEMON_CONTROL_H

#include "base/error.h"
#include "loop/loop.h"

#define CONTROL_REQUEST_MAX 200

struct control;
struct control_caller; /* whoever waits for an answer */

/* `caller` is to be answered exactly once, now or later. */
typedef void control_callback(void *data, const char *request, struct control_caller *caller);

/* NULL with the reason. */
struct control *control_listen(struct loop *loop, const char *path, control_callback *callback, void *data,
                               struct error *err);
/* Listens at that path from now on, and at the old one no more; whoever waits for an answer gets it. False with the
 * reason: it listens where it did. */
bool control_move(struct control *control, const char *path, struct error *err) CHIME_MUST_CHECK;
const char *control_path(const struct control *control); /* borrowed */
/* The caller may have gone: then nothing happens. */
void control_answer(struct control_caller *caller, const char *text);
void control_close(struct control *control); /* callers not answered are cut off; takes NULL */

/* --- the other side, blocking: one request, the whole answer. Caller frees. --- */
bool control_ask(const char *path, const char *request, duration patience, char **answer,
                 struct error *err) CHIME_MUST_CHECK;

#endif
