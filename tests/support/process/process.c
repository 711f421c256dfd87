/* SPDX-License-Identifier: PostgreSQL */
#define _GNU_SOURCE
#include "support/process/process.h"

#include <check.h>
#include <errno.h>
#include <fcntl.h>
#include <sched.h>
#include <signal.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/prctl.h>
#include <sys/wait.h>
#include <unistd.h>

#include "support/process/files.h"
#include "support/process/wait.h"

#define GUARD_ITEMS 128
#define TOOL_SECONDS 60.0

enum note_verb { NOTE_ADD_SERVER, NOTE_ADD_GROUP, NOTE_FORGET_PROCESS, NOTE_ADD_DIRECTORY, NOTE_FORGET_DIRECTORY };

/* One message to the guard; smaller than PIPE_BUF, so it arrives whole. */
struct note {
    enum note_verb verb;
    pid_t pid;
    char path[200];
};

static struct {
    pid_t owner; /* the process that the guard watches: a forked child makes its own */
    pid_t pid;
    int pipe;
} guard;

static support_witness *asked;

void support_use_witness(support_witness *witness)
{
    asked = witness;
}

void support_fail(const char *format, ...)
{
    char text[1 << 15]; /* within suite.c's limit */
    va_list arguments;

    va_start(arguments, format);
    vsnprintf(text, sizeof(text), format, arguments);
    va_end(arguments);
    if (asked != NULL) {
        support_witness *witness = asked;
        size_t length = strlen(text);
        asked = NULL; /* it may fail itself */
        witness(text + length, sizeof(text) - length);
    }
    ck_abort_msg("%s", text);
    abort();
}

/* --- in the guard: no Check, no stdio ---------------------------------------------------------------------------- */

static bool process_is_gone(pid_t pid)
{
    char path[64];
    char text[512];
    ssize_t length;
    int file;

    snprintf(path, sizeof(path), "/proc/%ld/stat", (long)pid);
    file = open(path, O_RDONLY | O_CLOEXEC);
    if (file < 0)
        return true;
    length = read(file, text, sizeof(text) - 1);
    close(file);
    if (length <= 0)
        return true;
    text[length] = '\0';
    const char *state = strrchr(text, ')');
    return state != NULL && state[1] == ' ' && (state[2] == 'Z' || state[2] == 'X');
}

static bool process_is_gone_condition(void *data)
{
    return process_is_gone(*(const pid_t *)data);
}

static void guard_end_process(const struct note *item)
{
    pid_t pid = item->pid;

    if (item->verb == NOTE_ADD_GROUP)
        kill(-pid, SIGKILL);
    else if (kill(pid, SIGQUIT) == 0 && !wait_until(process_is_gone_condition, &pid, 5))
        kill(pid, SIGKILL);
    wait_until(process_is_gone_condition, &pid, 5);
}

static bool note_same_thing(const struct note *item, const struct note *note)
{
    if (note->verb == NOTE_FORGET_PROCESS)
        return item->verb <= NOTE_ADD_GROUP && item->pid == note->pid;
    return item->verb == NOTE_ADD_DIRECTORY && strcmp(item->path, note->path) == 0;
}

static void guard_take(struct note *items, size_t *count, const struct note *note)
{
    if (note->verb != NOTE_FORGET_PROCESS && note->verb != NOTE_FORGET_DIRECTORY) {
        if (*count < GUARD_ITEMS)
            items[(*count)++] = *note;
        return;
    }
    for (size_t i = 0; i < *count; i++) {
        if (note_same_thing(&items[i], note)) {
            memmove(&items[i], &items[i + 1], (*count - i - 1) * sizeof(*items));
            (*count)--;
            return;
        }
    }
}

/* The directories last: a server that is still running would make files in them. */
static void guard_clean(const struct note *items, size_t count)
{
    for (size_t i = count; i-- > 0;)
        if (items[i].verb != NOTE_ADD_DIRECTORY)
            guard_end_process(&items[i]);
    for (size_t i = count; i-- > 0;)
        if (items[i].verb == NOTE_ADD_DIRECTORY)
            files_remove_tree(items[i].path);
}

noreturn static void guard_run(int input)
{
    static struct note items[GUARD_ITEMS];
    size_t count = 0;
    struct note note;
    ssize_t length;
    int null = open("/dev/null", O_RDWR);

    setsid();
    prctl(PR_SET_PDEATHSIG, 0);
    signal(SIGINT, SIG_IGN);
    signal(SIGTERM, SIG_IGN);
    signal(SIGHUP, SIG_IGN);
    /* ctest waits until the test's standard output is closed everywhere */
    for (int i = 0; i < 3; i++)
        dup2(null, i);
    for (int i = 3; i < 1024; i++)
        if (i != input)
            close(i);
    while ((length = read(input, &note, sizeof(note))) == sizeof(note) || (length < 0 && errno == EINTR))
        if (length > 0)
            guard_take(items, &count, &note);
    guard_clean(items, count);
    _exit(0);
}

/* --- in the test ------------------------------------------------------------------------------------------------- */

static void guard_finish(void)
{
    if (guard.owner != getpid())
        return;
    close(guard.pipe);
    waitpid(guard.pid, NULL, 0);
}

static void guard_start(void)
{
    static bool registered; /* a forked child inherits the registration */
    int ends[2];

    if (guard.owner == getpid())
        return;
    if (guard.owner != 0)
        close(guard.pipe);
    prctl(PR_SET_PDEATHSIG, SIGKILL);
    if (pipe2(ends, O_CLOEXEC) != 0)
        support_fail("pipe2: %s", strerror(errno));
    guard.pid = fork();
    if (guard.pid < 0)
        support_fail("fork: %s", strerror(errno));
    if (guard.pid == 0)
        guard_run(ends[0]);
    close(ends[0]);
    guard.pipe = ends[1];
    guard.owner = getpid();
    if (!registered)
        atexit(guard_finish);
    registered = true;
}

static void guard_send(enum note_verb verb, pid_t pid, const char *path)
{
    struct note note = {.verb = verb, .pid = pid};

    if (strlen(path) >= sizeof(note.path))
        support_fail("the path %s is too long for the guard", path);
    memcpy(note.path, path, strlen(path) + 1);
    guard_start();
    if (write(guard.pipe, &note, sizeof(note)) != sizeof(note))
        support_fail("cannot reach the guard: %s", strerror(errno));
}

void guard_process(enum guard_kind kind, pid_t pid)
{
    guard_send(kind == GUARD_SERVER ? NOTE_ADD_SERVER : NOTE_ADD_GROUP, pid, "");
}

void guard_forget_process(pid_t pid)
{
    guard_send(NOTE_FORGET_PROCESS, pid, "");
}

void guard_directory(const char *path)
{
    guard_send(NOTE_ADD_DIRECTORY, 0, path);
}

void guard_forget_directory(const char *path)
{
    guard_send(NOTE_FORGET_DIRECTORY, 0, path);
}

pid_t process_fork(void)
{
    pid_t pid = fork();

    if (pid < 0)
        support_fail("fork: %s", strerror(errno));
    if (pid == 0) {
        prctl(PR_SET_PDEATHSIG, SIGKILL);
        if (guard.owner != 0)
            close(guard.pipe);
        guard.owner = 0;
    }
    return pid;
}

static int network = -1;

void process_use_network(int namespace)
{
    network = namespace;
}

static int open_appending(const char *path)
{
    return open(path, O_WRONLY | O_CREAT | O_APPEND, 0600);
}

/* Check's handler of SIGTERM ends the whole test: it must not run in a child that is signalled before it is another
 * program. */
static void forget_handlers(void)
{
    sigset_t none;

    for (int signal_number = 1; signal_number < NSIG; signal_number++)
        signal(signal_number, SIG_DFL);
    sigemptyset(&none);
    sigprocmask(SIG_SETMASK, &none, NULL);
}

noreturn static void become(const char *const *argv, const char *output, const char *errors)
{
    setsid();
    forget_handlers();
    if (dup2(open("/dev/null", O_RDONLY), 0) < 0 || dup2(open_appending(output), 1) < 0 ||
        dup2(open_appending(errors), 2) < 0)
        _exit(126);
    if (network >= 0 && setns(network, CLONE_NEWNET) != 0)
        _exit(125);
    for (int i = 3; i < 1024; i++)
        close(i);
    execv(argv[0], (char *const *)(uintptr_t)argv);
    dprintf(2, "%s: %s\n", argv[0], strerror(errno));
    _exit(127);
}

pid_t process_start(const char *const *argv, const char *output, const char *errors)
{
    sigset_t all;
    sigset_t before;
    pid_t pid;

    guard_start();
    sigfillset(&all);
    sigprocmask(SIG_BLOCK, &all, &before);
    pid = fork();
    if (pid == 0)
        become(argv, output, errors);
    sigprocmask(SIG_SETMASK, &before, NULL);
    if (pid < 0)
        support_fail("fork: %s", strerror(errno));
    return pid;
}

struct ending {
    pid_t pid;
    int status;
};

static bool process_has_ended(void *data)
{
    struct ending *ending = data;
    pid_t found = waitpid(ending->pid, &ending->status, WNOHANG);

    if (found < 0 && errno != EINTR)
        support_fail("waitpid(%ld): %s", (long)ending->pid, strerror(errno));
    return found == ending->pid;
}

int process_wait(pid_t pid, double seconds)
{
    struct ending ending = {.pid = pid};

    if (!wait_until(process_has_ended, &ending, seconds))
        return -1;
    return WIFSIGNALED(ending.status) ? 128 + WTERMSIG(ending.status) : WEXITSTATUS(ending.status);
}

void process_must_run(const char *const *argv, const char *log)
{
    pid_t pid = process_start(argv, log, log);

    guard_process(GUARD_GROUP, pid);
    int status = process_wait(pid, TOOL_SECONDS);
    if (status < 0)
        kill(-pid, SIGKILL);
    guard_forget_process(pid);
    if (status == 0)
        return;
    char *text = files_read(log);
    support_fail("%s ended with status %d:\n%s", argv[0], status, text);
}
