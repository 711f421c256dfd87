/* SPDX-License-Identifier: PostgreSQL */
/* The command line within the test's own process: what it printed, and its exit status. For commands that need no
 * server; the program as a process is in daemon.h. Failures fail the running test. */
#ifndef CHIME_TESTS_SUPPORT_PROGRAM_H
#define CHIME_TESTS_SUPPORT_PROGRAM_H

extern char *program_output; /* of the last call; NULL before */
extern char *program_errors;

/* `words` without the program's name, ended by NULL. The exit status. */
int program_run(const char *const *words);
#define PROGRAM(...) program_run((const char *const[]){__VA_ARGS__, NULL})
void program_forget(void); /* for a fixture's end */

/* The output, or the errors, have this part. */
void program_said(const char *part);
void program_complained(const char *part);
/* The output is this JSON, whatever its layout. */
void program_answered(const char *json);

#endif
