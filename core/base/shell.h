/* SPDX-License-Identifier: PostgreSQL */
/* Words of a shell, for commands that hints name: who makes a job by SQL names it as they like. */
#ifndef CHIME_BASE_SHELL_H
#define CHIME_BASE_SHELL_H

/* The word as a shell takes it, quoted where it is not plain; chime.shell_word has the same. Caller frees. */
char *shell_word(const char *word);

#endif
