/* SPDX-License-Identifier: PostgreSQL */
#define _GNU_SOURCE 1

#include "loop/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/kernel.h"
#include "base/memory.h"

#define READ_SIZE 65536
#define SECRETS_DESCRIPTOR (STDERR_FILENO + 1)
#define CHECK_EVERY (20 * USEC_PER_MSEC) /* where nothing tells that it has ended */

struct child {
    struct loop *loop;
    pid_t pid;
    int process; /* -1 where the system has none */
    int output;  /* -1 once it is over */
    struct loop_watch *watch;
    struct loop_watch *process_watch;
    struct loop_timer *timer;
    struct loop_timer *check_timer;
    struct buffer collected;
    size_t limit;
    char fault[64];
    child_callback *callback;
    void *data;
};

/* It may have been stopped, or have closed its output and gone on: it ends now. */
static int reap(struct child *child)
{
    int status = 0;
    if (child->output < 0) {
        return status;
    }
    loop_watch_destroy(child->watch);
    loop_watch_destroy(child->process_watch);
    loop_timer_clear(child->timer);
    loop_timer_clear(child->check_timer);
    close(child->output);
    child->output = -1;
    if (child->process >= 0) {
        close(child->process);
    }
    kill(child->pid, SIGKILL);
    while (waitpid(child->pid, &status, 0) < 0 && errno == EINTR) {
    }
    return status;
}

static void over(struct child *child, const char *fault)
{
    int status = reap(child);
    if (fault == NULL && WIFSIGNALED(status)) {
        snprintf(child->fault, sizeof(child->fault), "signal %d ended it", WTERMSIG(status));
        fault = child->fault;
    } else if (fault == NULL && WEXITSTATUS(status) != 0) {
        snprintf(child->fault, sizeof(child->fault), "it ended with status %d", WEXITSTATUS(status));
        fault = child->fault;
    }
    child->callback(child->data, &child->collected, fault);
}

/* How much came: 0 at the end of the output, -1 when there is nothing for now. */
static ssize_t collect(struct child *child)
{
    char bytes[READ_SIZE];
    ssize_t count = read(child->output, bytes, sizeof(bytes));
    if (count > 0) {
        buffer_append(&child->collected, bytes, (size_t)count);
    }
    return count < 0 && errno != EINTR && errno != EAGAIN ? 0 : count;
}

/* What it left behind may keep its output open: what is there now is all. */
static void check_ended(void *data)
{
    struct child *child = data;
    siginfo_t info;
    memset(&info, 0, sizeof(info));
    if (waitid(P_PID, (id_t)child->pid, &info, WEXITED | WNOHANG | WNOWAIT) == 0 && info.si_pid != child->pid) {
        loop_timer_set(child->check_timer, CHECK_EVERY);
        return;
    }
    while (child->collected.length <= child->limit && collect(child) > 0) {
    }
    over(child, child->collected.length > child->limit ? "it wrote too much" : NULL);
}

static void readable(void *data, bool is_readable, bool is_writable)
{
    struct child *child = data;
    (void)is_readable;
    (void)is_writable;
    ssize_t count = collect(child);
    if (child->collected.length > child->limit) {
        over(child, "it wrote too much");
    } else if (count == 0) {
        loop_watch_set(child->watch, false, false);
        if (child->process < 0) {
            check_ended(child);
        }
    }
}

static void ended(void *data, bool is_readable, bool is_writable)
{
    (void)is_readable;
    (void)is_writable;
    check_ended(data);
}

static void too_late(void *data)
{
    over(data, "it took too long");
}

/* A file in memory with that text, read from its beginning; -1 when there can be none. */
static int file_of(const char *text)
{
    if (text == NULL) {
        return open("/dev/null", O_RDONLY | O_CLOEXEC);
    }
    int file = memfd_create("pgchime", MFD_CLOEXEC);
    size_t length = strlen(text);
    if (file >= 0 && (write(file, text, length) != (ssize_t)length || lseek(file, 0, SEEK_SET) != 0)) {
        close(file);
        return -1;
    }
    return file;
}

/* Of glibc 2.34 and later, also where what we were linked with was older. All descriptors of ours close by themselves;
 * this is for those of whoever started us. */
#pragma weak posix_spawn_file_actions_addclosefrom_np
/* NOLINTNEXTLINE(readability-redundant-declaration,readability-inconsistent-declaration-parameter-name) */
int posix_spawn_file_actions_addclosefrom_np(posix_spawn_file_actions_t *actions, int first);

static void close_from(posix_spawn_file_actions_t *actions, int first)
{
    if (posix_spawn_file_actions_addclosefrom_np != NULL) {
        posix_spawn_file_actions_addclosefrom_np(actions, first);
    }
}

/* Signals as a program expects them: ours are caught or ignored. */
static int spawn(pid_t *pid, const struct child_order *order, int input, int secrets, int output)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t defaults;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_adddup2(&actions, input, STDIN_FILENO);
    posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
    if (order->secrets != NULL) {
        posix_spawn_file_actions_adddup2(&actions, secrets, SECRETS_DESCRIPTOR);
    }
    close_from(&actions, SECRETS_DESCRIPTOR + (order->secrets != NULL ? 1 : 0));
    posix_spawnattr_init(&attributes);
    sigemptyset(&defaults);
    sigaddset(&defaults, SIGPIPE);
    posix_spawnattr_setsigdefault(&attributes, &defaults);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
    int failure = posix_spawn(pid, order->arguments[0], &actions, &attributes, order->arguments,
                              order->environment != NULL ? order->environment : environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return failure;
}

static void close_all(int *descriptors, size_t count)
{
    for (size_t i = 0; i < count; i++) {
        if (descriptors[i] >= 0) {
            close(descriptors[i]);
        }
    }
}

/* Above those that the child gets, so that none is overwritten before it is put in place. */
static bool move_up(int *descriptor)
{
    int moved = *descriptor >= 0 ? fcntl(*descriptor, F_DUPFD_CLOEXEC, SECRETS_DESCRIPTOR + 1) : -1;
    if (*descriptor >= 0) {
        close(*descriptor);
    }
    *descriptor = moved;
    return moved >= 0;
}

/* The end of its output that is ours; -1 when it cannot be started. */
static int start(const struct child_order *order, pid_t *pid, struct error *err)
{
    enum { READ_END, WRITE_END, INPUT, SECRETS, COUNT };
    int descriptors[COUNT] = {-1, -1, -1, -1};
    bool good = pipe2(descriptors, O_CLOEXEC) == 0;
    descriptors[INPUT] = file_of(order->input);
    descriptors[SECRETS] = file_of(order->secrets);
    good = move_up(&descriptors[WRITE_END]) && move_up(&descriptors[INPUT]) && move_up(&descriptors[SECRETS]) && good;
    if (!good) {
        error_set(err, ERROR_FAILED, "no descriptors for %s: %s", order->arguments[0], strerror(errno));
        close_all(descriptors, COUNT);
        return -1;
    }
    int failure = spawn(pid, order, descriptors[INPUT], descriptors[SECRETS], descriptors[WRITE_END]);
    close_all(descriptors + WRITE_END, COUNT - WRITE_END);
    if (failure != 0) {
        close(descriptors[READ_END]);
        error_set(err, ERROR_FAILED, "%s cannot be started: %s", order->arguments[0], strerror(failure));
        return -1;
    }
    return descriptors[READ_END];
}

struct child *child_start(struct loop *loop, const struct child_order *order, child_callback *callback, void *data,
                          struct error *err)
{
    pid_t pid = 0;
    int output = start(order, &pid, err);
    if (output < 0) {
        return NULL;
    }
    struct child *child = xcalloc(1, sizeof(*child));
    *child = (struct child){.loop = loop,
                            .pid = pid,
                            .process = kernel_pidfd_open(pid),
                            .output = output,
                            .limit = order->limit,
                            .callback = callback,
                            .data = data};
    fcntl(child->output, F_SETFL, O_NONBLOCK);
    child->watch = loop_watch_create(loop, child->output, readable, child);
    child->timer = loop_timer_create(loop, too_late, child);
    child->check_timer = loop_timer_create(loop, check_ended, child);
    loop_watch_set(child->watch, true, false);
    loop_timer_set(child->timer, order->time_allowed);
    if (child->process >= 0) {
        fcntl(child->process, F_SETFD, FD_CLOEXEC);
        child->process_watch = loop_watch_create(loop, child->process, ended, child);
        loop_watch_set(child->process_watch, true, false);
    }
    return child;
}

void child_destroy(struct child *child)
{
    if (child != NULL) {
        reap(child);
        loop_timer_destroy(child->timer);
        loop_timer_destroy(child->check_timer);
        buffer_finish(&child->collected);
        free(child);
    }
}
