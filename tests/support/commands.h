/* Commands of the program, run to their end, and what they wrote. */
#ifndef CHIME_TESTS_SUPPORT_COMMANDS_H
#define CHIME_TESTS_SUPPORT_COMMANDS_H

/* Runs a command with --config CONFIGURATION before its words (NULL ends them): its exit status. What an earlier one left in
 * *output and *errors is freed; the caller frees the last. */
int commands_run(const char *configuration, const char *const *words, char **output, char **errors);
/* The same; the test fails when it ends with another status. */
void commands_expect(int status, const char *configuration, const char *const *words, char **output, char **errors);
/* The test fails unless the text has this part. */
void commands_has(const char *text, const char *part);

#endif
