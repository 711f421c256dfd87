/* SPDX-License-Identifier: PostgreSQL */
#include "support/daemon/daemon.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "support/process/files.h"
#include "support/process/process.h"
#include "support/process/wait.h"

#define ARGUMENTS_MAX 60
#define RUN_SECONDS 180.0

struct daemon {
    pid_t pid;
    bool ended;
    int status;
    char *directory;
    char *output;
    char *errors;
};

/* --- what they said, when a test fails --------------------------------------------------------------------------- */

#define WITNESSES_MAX 8
#define SAID_MAX 3000

static struct daemon *started[WITNESSES_MAX];

static const char *last_said(const char *errors)
{
    size_t length = strlen(errors);

    return length > SAID_MAX ? errors + length - SAID_MAX : errors;
}

static void tell_all(char *text, size_t size)
{
    size_t used = 0;

    for (size_t i = 0; i < WITNESSES_MAX && used < size; i++) {
        if (started[i] == NULL)
            continue;
        char *errors = daemon_errors(started[i]);
        used += (size_t)snprintf(text + used, size - used, "\n--- pgchime %ld said:\n%s", (long)started[i]->pid,
                                 last_said(errors));
        free(errors);
    }
}

static void replace_witness(struct daemon *from, struct daemon *to)
{
    for (size_t i = 0; i < WITNESSES_MAX; i++) {
        if (started[i] == from) {
            started[i] = to;
            return;
        }
    }
}

/* --- starting ----------------------------------------------------------------------------------------------------- */

static pid_t launch(const struct daemon *daemon, const char *const *arguments)
{
    const char *program = getenv("PGCHIME_TEST_BINARY");
    const char *argv[ARGUMENTS_MAX + 2] = {program != NULL ? program : PGCHIME_BINARY};

    for (size_t i = 0; arguments[i] != NULL; i++) {
        if (i == ARGUMENTS_MAX)
            support_fail("more than %d arguments", ARGUMENTS_MAX);
        argv[i + 1] = arguments[i];
    }
    return process_start(argv, daemon->output, daemon->errors);
}

struct daemon *daemon_start(const char *const *arguments)
{
    struct daemon *daemon = calloc(1, sizeof(*daemon));

    if (daemon == NULL)
        support_fail("out of memory");
    daemon->directory = files_make_directory();
    daemon->output = files_path("%s/output", daemon->directory);
    daemon->errors = files_path("%s/errors", daemon->directory);
    daemon->pid = launch(daemon, arguments);
    guard_process(GUARD_GROUP, daemon->pid);
    replace_witness(NULL, daemon);
    support_use_witness(tell_all);
    return daemon;
}

void daemon_destroy(struct daemon *daemon)
{
    if (daemon == NULL)
        return;
    replace_witness(daemon, NULL);
    daemon_kill(daemon);
    files_remove_tree(daemon->directory);
    guard_forget_directory(daemon->directory);
    free(daemon->directory);
    free(daemon->output);
    free(daemon->errors);
    free(daemon);
}

pid_t daemon_pid(const struct daemon *daemon)
{
    return daemon->pid;
}

static bool has_ended_within(struct daemon *daemon, double seconds)
{
    if (daemon->ended)
        return true;
    daemon->status = process_wait(daemon->pid, seconds);
    if (daemon->status < 0)
        return false;
    daemon->ended = true;
    guard_forget_process(daemon->pid);
    return true;
}

bool daemon_is_running(struct daemon *daemon)
{
    return !has_ended_within(daemon, 0);
}

void daemon_signal(struct daemon *daemon, int signal)
{
    if (!daemon->ended)
        kill(daemon->pid, signal);
}

void daemon_kill(struct daemon *daemon)
{
    if (daemon->ended)
        return;
    kill(-daemon->pid, SIGKILL);
    if (!has_ended_within(daemon, RUN_SECONDS))
        support_fail("process %ld survived SIGKILL", (long)daemon->pid);
}

int daemon_wait(struct daemon *daemon, double seconds)
{
    if (has_ended_within(daemon, seconds))
        return daemon->status;
    daemon_kill(daemon);
    support_fail("pgchime %ld did not end within %g s", (long)daemon->pid, seconds);
}

char *daemon_output(const struct daemon *daemon)
{
    return files_read(daemon->output);
}

char *daemon_errors(const struct daemon *daemon)
{
    return files_read(daemon->errors);
}

bool daemon_said(const struct daemon *daemon, const char *text)
{
    char *errors = daemon_errors(daemon);
    bool found = strstr(errors, text) != NULL;

    free(errors);
    return found;
}

struct saying {
    struct daemon *daemon;
    const char *text;
};

static bool was_said(void *data)
{
    const struct saying *saying = data;

    return daemon_said(saying->daemon, saying->text);
}

void daemon_await(struct daemon *daemon, const char *text, double seconds)
{
    struct saying saying = {daemon, text};

    if (wait_until(was_said, &saying, seconds))
        return;
    support_fail("pgchime %ld did not say \"%s\" within %g s", (long)daemon->pid, text, seconds);
}

int daemon_run(const char *const *arguments, char **output, char **errors)
{
    struct daemon *daemon = daemon_start(arguments);
    int status = daemon_wait(daemon, RUN_SECONDS);

    if (output != NULL)
        *output = daemon_output(daemon);
    if (errors != NULL)
        *errors = daemon_errors(daemon);
    daemon_destroy(daemon);
    return status;
}
