/* SPDX-License-Identifier: PostgreSQL */
/* Quoting for the shell, for commands that hints show. A job made by SQL may have any name. */
#ifndef CHIME_BASE_SHELL_H
#define CHIME_BASE_SHELL_H

/* The word as a shell takes it, quoted where it is not plain; chime.shell_word has the same. Caller frees. */
char *shell_word(const char *word);

#endif
