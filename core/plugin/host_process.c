/* SPDX-License-Identifier: PostgreSQL */
#define _GNU_SOURCE 1

#include "plugin/host_process.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/clock.h"
#include "base/kernel.h"
#include "plugin/plugins.h"

#define FRAME_LIMIT (PLUGIN_FRAME_HEADER + (size_t)PLUGIN_ANSWER_LIMIT)
#define ABOVE_ALL_TARGETS 10 /* descriptors the child moves its own to before it puts them where they belong */
#define START_FAILED 127
#define KILL_GRACE (5 * USEC_PER_SEC)
#define CHECK_EVERY (10 * USEC_PER_MSEC) /* where nothing tells that a host has ended */

/* --- in the child, between fork and exec --- */

struct start {
    const char *program;
    const char *name;
    pid_t parent;
    int file;
    int answer;
    int output;
};

static void give_up(const char *what)
{
    dprintf(STDERR_FILENO, "cannot %s: %s", what, strerror(errno));
    _exit(START_FAILED);
}

static int move_up(int descriptor)
{
    int moved = fcntl(descriptor, F_DUPFD, ABOVE_ALL_TARGETS);
    if (moved < 0) {
        _exit(START_FAILED);
    }
    return moved;
}

/* Everything of ours is close-on-exec; this is for what a library left open. */
static void close_above(int last)
{
    if (kernel_close_range((unsigned)last + 1, ~0u) == 0) {
        return;
    }
    long limit = sysconf(_SC_OPEN_MAX); /* Linux before 5.9 */
    for (int descriptor = last + 1; descriptor < limit && descriptor < 65536; descriptor++) {
        close(descriptor);
    }
}

static void place_descriptors(const struct start *start)
{
    int file = move_up(start->file);
    int answer = move_up(start->answer);
    int output = move_up(start->output);
    int empty = open("/dev/null", O_RDONLY);
    if (dup2(output, STDOUT_FILENO) < 0 || dup2(output, STDERR_FILENO) < 0) {
        _exit(START_FAILED);
    }
    if (empty < 0 || dup2(empty, STDIN_FILENO) < 0 || dup2(answer, PLUGIN_HOST_OUT) < 0 ||
        dup2(file, PLUGIN_HOST_FILE) < 0) {
        give_up("place the plugin host's descriptors");
    }
    close_above(PLUGIN_HOST_FILE);
}

/* What exec would keep of the daemon's. */
static void reset_signals(void)
{
    sigset_t none;
    sigemptyset(&none);
    signal(SIGPIPE, SIG_DFL);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

static void become_host(const struct start *start)
{
    char file[16];
    snprintf(file, sizeof(file), "%d", PLUGIN_HOST_FILE);
    char *const arguments[] = {(char *)"pgchime", (char *)PLUGIN_HOST_COMMAND, file, (char *)start->name, NULL};
    char *const environment[] = {NULL};
    setpgid(0, 0);
    place_descriptors(start);
    reset_signals();
    if (prctl(PR_SET_PDEATHSIG, (unsigned long)SIGKILL) != 0) {
        give_up("tie the plugin host's life to the daemon's");
    }
    if (getppid() != start->parent) {
        _exit(START_FAILED); /* the daemon died before prctl, so the signal will not come */
    }
    execve(start->program, arguments, environment);
    dprintf(STDERR_FILENO, "cannot run the plugin host %s: %s", start->program, strerror(errno));
    _exit(START_FAILED);
}

/* --- in the daemon --- */

static void close_once(int *descriptor)
{
    if (*descriptor >= 0) {
        close(*descriptor);
        *descriptor = -1;
    }
}

static void close_pair(int pair[2])
{
    close_once(&pair[0]);
    close_once(&pair[1]);
}

static bool open_pipes(int answer[2], int output[2])
{
    if (pipe2(answer, O_CLOEXEC) != 0 || pipe2(output, O_CLOEXEC) != 0) {
        return false;
    }
    return fcntl(answer[0], F_SETFL, O_NONBLOCK) == 0 && fcntl(output[0], F_SETFL, O_NONBLOCK) == 0;
}

static void kill_group(const struct host_process *host)
{
    kill(-host->pid, SIGKILL);
    kill(host->pid, SIGKILL); /* had it left the group */
}

static bool fork_host(struct host_process *host, struct start *start, struct error *err)
{
    host->pid = fork();
    if (host->pid == 0) {
        become_host(start);
    }
    if (host->pid < 0) {
        return error_set(err, ERROR_CONFIG, "cannot start the plugin host: %s", strerror(errno));
    }
    setpgid(host->pid, host->pid); /* as the child does: whoever comes first */
    host->process = kernel_pidfd_open(host->pid);
    return true;
}

bool host_process_start(struct host_process *host, const char *program, int file, const char *name,
                        duration time_allowed, struct error *err)
{
    int answer[2] = {-1, -1};
    int output[2] = {-1, -1};
    *host = (struct host_process){.pid = -1, .process = -1, .answer = -1, .output = -1};
    if (!open_pipes(answer, output)) {
        error_set(err, ERROR_CONFIG, "cannot open a pipe to the plugin host: %s", strerror(errno));
        error_hint(err, "raise the limit of open files (LimitNOFILE)");
        close_pair(answer);
        close_pair(output);
        return false;
    }
    struct start start = {program, name, getpid(), file, answer[1], output[1]};
    bool started = fork_host(host, &start, err);
    close_once(&answer[1]);
    close_once(&output[1]);
    host->answer = answer[0];
    host->output = output[0];
    host->deadline = clock_boot() + time_allowed;
    if (!started) {
        host_process_finish(host);
    }
    return started;
}

void host_process_polls(const struct host_process *host, struct pollfd polls[static HOST_PROCESS_POLLS])
{
    polls[0] = (struct pollfd){.fd = host->process, .events = POLLIN};
    polls[1] = (struct pollfd){.fd = host->answer, .events = POLLIN};
    polls[2] = (struct pollfd){.fd = host->output, .events = POLLIN};
}

/* Keeps up to `limit` bytes in all. False when there is nothing more for now. */
static bool read_some(int *descriptor, struct buffer *kept, size_t limit)
{
    char bytes[16384];
    ssize_t got = *descriptor < 0 ? -1 : read(*descriptor, bytes, sizeof(bytes));
    if (got <= 0) {
        if (got == 0) {
            close_once(descriptor);
        }
        return false;
    }
    size_t room = limit - kept->length;
    buffer_append(kept, bytes, (size_t)got < room ? (size_t)got : room);
    return true;
}

int host_process_patience(const struct host_process *host, instant now)
{
    duration left = host->deadline > now ? host->deadline - now : 0;
    duration longest = host->process < 0 ? CHECK_EVERY : USEC_PER_MINUTE;
    return (int)((left < longest ? left : longest) / USEC_PER_MSEC) + 1;
}

static bool said_too_much(const struct host_process *host)
{
    return host->frame.length > FRAME_LIMIT;
}

/* Leaves it to be reaped. One that is not ours to wait for has ended, too: somebody else reaped it. */
static bool has_ended(const struct host_process *host)
{
    siginfo_t info;
    memset(&info, 0, sizeof(info));
    int result = waitid(P_PID, (id_t)host->pid, &info, WEXITED | WNOHANG | WNOWAIT);
    return result != 0 ? errno == ECHILD : info.si_pid == host->pid;
}

bool host_process_step(struct host_process *host, instant now)
{
    read_some(&host->answer, &host->frame, FRAME_LIMIT + 1);
    read_some(&host->output, &host->said, HOST_PROCESS_SAID_LIMIT);
    if (said_too_much(host) || has_ended(host)) {
        return true;
    }
    host->timed_out = now >= host->deadline;
    return host->timed_out;
}

static bool wait_for_end(const struct host_process *host)
{
    struct host_process killed = *host;
    killed.deadline = clock_boot() + KILL_GRACE;
    while (!has_ended(&killed)) {
        if (clock_boot() >= killed.deadline) {
            return false;
        }
        struct pollfd ended = {.fd = killed.process, .events = POLLIN};
        (void)poll(&ended, 1, host_process_patience(&killed, clock_boot()));
    }
    return true;
}

bool host_process_stop(struct host_process *host, struct error *err)
{
    /* Before it is reaped, so that its number cannot be another's. */
    kill_group(host);
    if (!wait_for_end(host)) {
        return error_set(err, ERROR_CONFIG, "its plugin host does not end even when killed");
    }
    while (!said_too_much(host) && read_some(&host->answer, &host->frame, FRAME_LIMIT + 1)) {
    }
    read_some(&host->output, &host->said, HOST_PROCESS_SAID_LIMIT);
    pid_t reaped = waitpid(host->pid, &host->status, 0);
    while (reaped < 0 && errno == EINTR) {
        reaped = waitpid(host->pid, &host->status, 0);
    }
    return reaped == host->pid ||
           error_set(err, ERROR_CONFIG, "cannot learn how its plugin host ended: %s", strerror(errno));
}

void host_process_finish(struct host_process *host)
{
    close_once(&host->process);
    close_once(&host->answer);
    close_once(&host->output);
    buffer_finish(&host->frame);
    buffer_finish(&host->said);
}
