/* SPDX-License-Identifier: PostgreSQL */
/* A child process of ours that is fed and whose standard output is collected, without blocking the loop.
 *
 * Does: exec with an input, everything of ours closed, and standard error as ours; collect up to a limit; end it at the
 *   deadline; reap it.
 * Does not: judge what it wrote: an answer that was cut short has to be told from a whole one by its reader. */
#ifndef CHIME_LOOP_CHILD_H
#define CHIME_LOOP_CHILD_H

#include "base/buffer.h"
#include "base/error.h"
#include "loop/loop.h"

#define CHILD_SECRETS "/proc/self/fd/3" /* where the child reads child_order.secrets */

struct child;

struct child_order {
    char *const *arguments;   /* [0] is the program's path; the list ends with NULL */
    char *const *environment; /* NULL: ours */
    const char *input;        /* its standard input; NULL: empty */
    const char *secrets;      /* what no list of processes shows; NULL: none */
    size_t limit;             /* of what it writes */
    duration time_allowed;
};

/* Once, when it ended; `fault` is NULL unless it wrote too much or took too long, or did not exit with 0. The child is
 * gone then: only child_destroy is left to call, which the callback may do itself. */
typedef void child_callback(void *data, const struct buffer *output, const char *fault);

/* NULL when it cannot be started. */
struct child *child_start(struct loop *loop, const struct child_order *order, child_callback *callback, void *data,
                          struct error *err);
void child_destroy(struct child *child); /* ends it; takes NULL */

#endif
