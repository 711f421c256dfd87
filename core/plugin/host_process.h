/* SPDX-License-Identifier: PostgreSQL */
/* One plugin host, seen from the daemon: a child process, what it wrote, how it ended. Private to core/plugin.
 *
 * Does: start it with exactly the descriptors it is meant to have, read from it without blocking, stop it and all it
 *   started at the deadline, reap it. A process that the plugin left behind and that holds the pipes open delays
 *   nothing: the host's own end is what counts.
 * Does not: judge the answer.
 * A process that leaves the host's process group escapes the kill; the host takes its right to start any (RLIMIT_NPROC,
 * which binds everyone but root). */
#ifndef CHIME_PLUGIN_HOST_PROCESS_H
#define CHIME_PLUGIN_HOST_PROCESS_H

#include <poll.h>
#include <stdbool.h>
#include <sys/types.h>

#include "base/buffer.h"
#include "base/error.h"
#include "base/instant.h"

#define HOST_PROCESS_POLLS 3
#define HOST_PROCESS_SAID_LIMIT 1024

struct host_process {
    pid_t pid;
    int process; /* pidfd: readable once the host has ended; -1 where there is none (Linux before 5.3) */
    int answer;  /* -1 once closed */
    int output;  /* stdout and stderr; -1 once closed */
    instant deadline;
    struct buffer frame; /* never holds more than one byte above the limit */
    struct buffer said;  /* the first HOST_PROCESS_SAID_LIMIT bytes of its output */
    bool timed_out;
    int status; /* of waitpid */
};

/* Runs `program plugin-host FD NAME` on `file`, which is only borrowed. On an error nothing is left behind. */
bool host_process_start(struct host_process *host, const char *program, int file, const char *name,
                        duration time_allowed, struct error *err) CHIME_MUST_CHECK;
/* What to wait for; unused entries have descriptor -1. */
void host_process_polls(const struct host_process *host, struct pollfd polls[static HOST_PROCESS_POLLS]);
/* For how many milliseconds to wait at most before the next step. */
int host_process_patience(const struct host_process *host, instant now);
/* Reads what is there. True when the host is done: it ended, said too much, or its time is up. */
bool host_process_step(struct host_process *host, instant now);
/* Kills the whole group, reads the rest, reaps; frames and statuses stay readable. False when even that did not end
 * it (it sits in the kernel). */
bool host_process_stop(struct host_process *host, struct error *err) CHIME_MUST_CHECK;
void host_process_finish(struct host_process *host);

#endif
