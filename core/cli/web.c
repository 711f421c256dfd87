/* SPDX-License-Identifier: PostgreSQL */
#include <errno.h>
#include <stdlib.h>
#include <string.h>
#include <unistd.h>

#include "base/memory.h"
#include "cli/commands.h"

#define PROGRAM "pgchime-web"
#define PATH_SIZE 4096

/* Beside this program; else wherever programs are. */
static char *find_program(const char *self)
{
    char path[PATH_SIZE];
    ssize_t length = readlink(self, path, sizeof(path) - 1);
    if (length > 0) {
        path[length] = '\0';
        char *slash = strrchr(path, '/');
        char *beside = slash != NULL ? xasprintf("%.*s/" PROGRAM, (int)(slash - path), path) : NULL;
        if (beside != NULL && access(beside, X_OK) == 0) {
            return beside;
        }
        free(beside);
    }
    return xstrdup(PROGRAM);
}

static int web_run(const struct invocation *invocation)
{
    struct error err;
    char **arguments = xcalloc((size_t)invocation->argument_count + 2, sizeof(*arguments));
    char *program = find_program(invocation->program);
    arguments[0] = program;
    for (int i = 0; i < invocation->argument_count; i++) {
        arguments[i + 1] = invocation->arguments[i];
    }
    execvp(program, arguments);
    int reason = errno;
    error_set(&err, ERROR_FAILED, "cannot start " PROGRAM ": %s", strerror(reason));
    if (reason == ENOENT) {
        error_hint(&err, "install the package " PROGRAM);
    }
    free(program);
    free((void *)arguments);
    return fail(&err);
}

const struct command command_web = {
    .name = "web",
    .arguments = "[serve|check|token NAME] [...]",
    .most = 16,
    .raw = true,
    .summary = "the page and its API: a program of its own, pgchime-web; pgchime web --help says more",
    .run = web_run,
};
