/* The words of one simple shell command, taken apart without a shell.
 *
 * Does: quotes and backslashes as sh(1) reads them; leave out redirections that only drop or join output (> /dev/null, 2>&1).
 * Does not: run anything, or guess. What would need a shell is refused with what it is: variables, substitutions, patterns, pipes, other
 *   redirections, several commands.
 * Failures: ERROR_REFUSED. */
#ifndef CHIME_CLI_SHELL_WORDS_H
#define CHIME_CLI_SHELL_WORDS_H

#include <stddef.h>

#include "base/error.h"

struct shell_words {
    char **items; /* NULL-terminated */
    size_t count;
};

/* The words are the arena's. */
bool shell_words_split(const char *text, struct arena *arena, struct shell_words *words,
                       struct error *err) CHIME_MUST_CHECK;

#endif
