#define _GNU_SOURCE 1

#include "loop/child.h"

#include <errno.h>
#include <fcntl.h>
#include <signal.h>
#include <spawn.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/memory.h"

#define READ_SIZE 65536

struct child {
    struct loop *loop;
    pid_t pid;
    int output; /* -1 once it is over */
    struct loop_watch *watch;
    struct loop_timer *timer;
    struct buffer collected;
    size_t limit;
    child_callback *callback;
    void *data;
};

/* It may have closed its output and gone on, or have been stopped: what it has to say is said. */
static void reap(struct child *child)
{
    if (child->output >= 0) {
        loop_watch_destroy(child->watch);
        loop_timer_clear(child->timer);
        close(child->output);
        child->output = -1;
        kill(child->pid, SIGKILL);
        while (waitpid(child->pid, NULL, 0) < 0 && errno == EINTR) {
        }
    }
}

static void over(struct child *child, const char *fault)
{
    reap(child);
    child->callback(child->data, &child->collected, fault);
}

static void readable(void *data, bool is_readable, bool is_writable)
{
    struct child *child = data;
    char bytes[READ_SIZE];
    (void)is_readable;
    (void)is_writable;
    ssize_t count = read(child->output, bytes, sizeof bytes);
    if (count > 0) {
        buffer_append(&child->collected, bytes, (size_t)count);
        if (child->collected.length > child->limit) {
            over(child, "it wrote too much");
        }
    } else if (count == 0 || (errno != EINTR && errno != EAGAIN)) {
        over(child, NULL);
    }
}

static void too_late(void *data)
{
    over(data, "it took too long");
}

/* Signals as a program expects them: ours are caught or ignored. */
static int spawn(pid_t *pid, char *const *arguments, int output)
{
    posix_spawn_file_actions_t actions;
    posix_spawnattr_t attributes;
    sigset_t defaults;
    posix_spawn_file_actions_init(&actions);
    posix_spawn_file_actions_addopen(&actions, STDIN_FILENO, "/dev/null", O_RDONLY, 0);
    posix_spawn_file_actions_adddup2(&actions, output, STDOUT_FILENO);
    posix_spawn_file_actions_addclosefrom_np(&actions, STDERR_FILENO + 1);
    posix_spawnattr_init(&attributes);
    sigemptyset(&defaults);
    sigaddset(&defaults, SIGPIPE);
    posix_spawnattr_setsigdefault(&attributes, &defaults);
    posix_spawnattr_setflags(&attributes, POSIX_SPAWN_SETSIGDEF);
    int failure = posix_spawn(pid, arguments[0], &actions, &attributes, arguments, environ);
    posix_spawnattr_destroy(&attributes);
    posix_spawn_file_actions_destroy(&actions);
    return failure;
}

struct child *child_start(struct loop *loop, char *const *arguments, size_t limit, duration time_allowed,
                          child_callback *callback, void *data, struct error *err)
{
    int ends[2];
    pid_t pid = 0;
    if (pipe2(ends, O_CLOEXEC) != 0) {
        error_set(err, ERROR_FAILED, "no pipe for %s: %s", arguments[0], strerror(errno));
        return NULL;
    }
    int failure = spawn(&pid, arguments, ends[1]);
    close(ends[1]);
    if (failure != 0) {
        close(ends[0]);
        error_set(err, ERROR_FAILED, "%s cannot be started: %s", arguments[0], strerror(failure));
        return NULL;
    }
    struct child *child = xcalloc(1, sizeof *child);
    *child = (struct child){
        .loop = loop, .pid = pid, .output = ends[0], .limit = limit, .callback = callback, .data = data};
    fcntl(child->output, F_SETFL, O_NONBLOCK);
    child->watch = loop_watch_create(loop, child->output, readable, child);
    child->timer = loop_timer_create(loop, too_late, child);
    loop_watch_set(child->watch, true, false);
    loop_timer_set(child->timer, time_allowed);
    return child;
}

void child_destroy(struct child *child)
{
    if (child != NULL) {
        reap(child);
        loop_timer_destroy(child->timer);
        buffer_finish(&child->collected);
        free(child);
    }
}
