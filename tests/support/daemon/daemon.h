/* SPDX-License-Identifier: PostgreSQL */
/* The program under test as a child process: `pgchime serve` for a while, or any other command to its end.
 * Runs in a process group of its own, killed when the test ends, however it ends. Failures fail the running test. */
#ifndef CHIME_TESTS_SUPPORT_DAEMON_H
#define CHIME_TESTS_SUPPORT_DAEMON_H

#include <stdbool.h>
#include <sys/types.h>

struct daemon;

/* PGCHIME_BINARY (or $PGCHIME_TEST_BINARY, for an installed one) with `arguments` (ended by NULL, without the program's
 * name). The environment is the test's own. */
struct daemon *daemon_start(const char *const *arguments);
void daemon_destroy(struct daemon *daemon); /* takes NULL; kill -9 when it still runs; removes its output files */

pid_t daemon_pid(const struct daemon *daemon);
bool daemon_is_running(struct daemon *daemon);
void daemon_signal(struct daemon *daemon, int signal); /* to the process alone */
void daemon_kill(struct daemon *daemon);               /* kill -9 of its whole group; returns when it is gone */
/* 0..255: exit status, 128 + n: signal n. Past the deadline it is killed and the test fails, with its errors shown. */
int daemon_wait(struct daemon *daemon, double seconds);

char *daemon_output(const struct daemon *daemon);                /* standard output so far; caller frees */
char *daemon_errors(const struct daemon *daemon);                /* standard error so far; caller frees */
bool daemon_said(const struct daemon *daemon, const char *text); /* on standard error */

/* Waits until it said so; the test fails when it does not in time, with what it said instead shown. */
void daemon_await(struct daemon *daemon, const char *text, double seconds);

/* A whole command: its exit status; *output and *errors may be NULL, else the caller frees them. */
int daemon_run(const char *const *arguments, char **output, char **errors);

#endif
