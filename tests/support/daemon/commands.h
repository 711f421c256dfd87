/* SPDX-License-Identifier: PostgreSQL */
/* Commands of the program, run to their end, and what they wrote. */
#ifndef CHIME_TESTS_SUPPORT_COMMANDS_H
#define CHIME_TESTS_SUPPORT_COMMANDS_H

#include "support/cluster/cluster.h"

/* FOLDER/pgchime.conf, in which that role serves a database of the cluster as "main"; `settings`: what else it says.
 * Its path is the caller's (free). */
char *commands_configure(const struct cluster *cluster, const char *role, const char *database, const char *folder,
                         const char *settings);
/* Runs a command with --config CONFIGURATION before its words (NULL ends them): its exit status. What an earlier one
 * left in *output and *errors is freed; the caller frees the last. */
int commands_run(const char *configuration, const char *const *words, char **output, char **errors);
/* The same; the test fails when it ends with another status. */
void commands_expect(int status, const char *configuration, const char *const *words, char **output, char **errors);
/* The test fails unless the text has this part. */
void commands_has(const char *text, const char *part);

#endif
