/* SPDX-License-Identifier: PostgreSQL */
/* Commands of the program on a terminal of their own, where it asks and draws. Failures fail the running test. */
#ifndef CHIME_TESTS_SUPPORT_TERMINAL_H
#define CHIME_TESTS_SUPPORT_TERMINAL_H

/* Runs a command to its end with --config CONFIGURATION before its words (NULL ends them) and `typed` typed: its exit
 * status, 128 + n after signal n. What the terminal showed goes to *shown, of which an earlier text is freed; the
 * caller frees the last. */
int terminal_run(const char *configuration, const char *const *words, const char *typed, char **shown);

#endif
