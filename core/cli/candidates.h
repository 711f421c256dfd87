/* SPDX-License-Identifier: PostgreSQL */
/* Candidates for the shells' completion of the command line.
 *
 * Does: gather words that begin with what is typed, by what the place is called in help: JOB, PLUGIN, VIEW, DATABASE,
 *   COMMAND, FORMAT, ZONE, STATE[,...], FILE, DIR, "a|b|c". Job names are asked of the databases, briefly; when none
 *   answers in time, of the configuration.
 * Does not: print anything or report errors. It leaves out what it cannot read. */
#ifndef CHIME_CLI_CANDIDATES_H
#define CHIME_CLI_CANDIDATES_H

#include "cli/command.h"

struct candidates {
    const char *typed; /* what a word has to begin with */
    const char *lead;  /* its first bytes go before each word when it is printed: "--output=" */
    size_t lead_length;
    char **words;
    char **helps; /* "" where there is none */
    size_t count;
    const char *others; /* ":files" or ":directories": the shell knows; NULL */
};

/* Leaves out a word that does not fit or is there already, or that a shell could not take. */
void candidates_add(struct candidates *candidates, const char *word, const char *help);
/* `family`: "", or "plugins ". */
void candidates_add_commands(struct candidates *candidates, const struct command *const *all, const char *family);
void candidates_add_options(struct candidates *candidates, const struct command *command); /* NULL: the global ones */
/* `invocation`: with the configuration and database that were typed. Its command may be NULL. */
void candidates_add_values(struct candidates *candidates, const char *label, const struct invocation *invocation);
void candidates_finish(struct candidates *candidates);

#endif
