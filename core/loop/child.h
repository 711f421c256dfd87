/* A child process of ours whose standard output is collected without blocking the loop.
 *
 * Does: exec with an empty input, everything of ours closed, and standard error as ours; collect up to a limit; end it at the
 *   deadline; reap it.
 * Does not: judge what it wrote: an answer that was cut short has to be told from a whole one by its reader. */
#ifndef CHIME_LOOP_CHILD_H
#define CHIME_LOOP_CHILD_H

#include "base/buffer.h"
#include "base/error.h"
#include "loop/loop.h"

struct child;

/* Once, when its output ended; `fault` is NULL unless it wrote too much or took too long. The child is gone then: only child_destroy is left
 * to call, which the callback may do itself. */
typedef void child_callback(void *data, const struct buffer *output, const char *fault);

/* arguments[0] is the program's path; the list ends with NULL. NULL when it cannot be started. */
struct child *child_start(struct loop *loop, char *const *arguments, size_t limit, duration time_allowed,
                          child_callback *callback, void *data, struct error *err);
void child_destroy(struct child *child); /* ends it; takes NULL */

#endif
