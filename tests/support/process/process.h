/* SPDX-License-Identifier: PostgreSQL */
/* Child processes of the tests, and a guard that cleans up after a test however it ends.
 *
 * Check runs each test in a child of its own and kills that child at its time limit, so neither teardown functions
 * nor atexit are enough. Therefore the first thing that needs cleaning forks the *guard*: a process in a session of
 * its own that learns over a pipe what there is to clean, and does it as soon as the test's end of the pipe is
 * closed, by exit, failure, abort or kill -9. A test that exits normally waits for it. With CK_FORK=no one guard
 * serves the whole executable and works at its end.
 * A test also dies with its parent, so that a killed ctest leaves nothing running.
 *
 * Every failure here fails the running test with a message. */
#ifndef CHIME_TESTS_SUPPORT_PROCESS_H
#define CHIME_TESTS_SUPPORT_PROCESS_H

#include <stdbool.h>
#include <stddef.h>
#include <stdnoreturn.h>
#include <sys/types.h>

/* Fails the running test. */
noreturn void support_fail(const char *format, ...) __attribute__((format(printf, 1, 2)));

/* Asked when a test fails: what else there is to tell, at most `size` bytes with the final 0. */
typedef void support_witness(char *text, size_t size);
void support_use_witness(support_witness *witness);

/* How the guard ends a process: a server by an immediate shutdown, then SIGKILL; a group by SIGKILL at once. */
enum guard_kind { GUARD_SERVER, GUARD_GROUP };

void guard_process(enum guard_kind kind, pid_t pid);
void guard_forget_process(pid_t pid);   /* before it is reaped or right after */
void guard_directory(const char *path); /* removed last; at most 200 bytes */
void guard_forget_directory(const char *path);

/* A child that goes on in this program: fork, but it dies with its parent, and the guard's pipe is not its to keep
 * open. */
pid_t process_fork(void);

/* Processes started from now on live in this network namespace (a file descriptor, see network.h); -1: in the
 * test's. */
void process_use_network(int namespace);
/* Starts argv[0] (a path) in a session and process group of its own, without standard input; output goes to the files
 * named, appended. */
pid_t process_start(const char *const *argv, const char *output, const char *errors);
/* Waits for its end: 0..255 is its exit status, 128 + n is signal n; -1 when it still runs after `seconds`. */
int process_wait(pid_t pid, double seconds);
/* process_start and process_wait with a minute's time, for tools such as initdb; fails the test unless it returns 0. */
void process_must_run(const char *const *argv, const char *log);

#endif
