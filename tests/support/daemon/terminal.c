/* SPDX-License-Identifier: PostgreSQL */
#define _GNU_SOURCE /* forkpty */
#include "support/daemon/terminal.h"

#include <check.h>
#include <pty.h>
#include <stdlib.h>
#include <string.h>
#include <sys/wait.h>
#include <unistd.h>

#include "base/buffer.h"
#include "support/process/process.h"

#define WORDS_MAX 18

static void become(const char *configuration, const char *const *words)
{
    const char *program = getenv("PGCHIME_TEST_BINARY");
    const char *argv[WORDS_MAX + 4] = {program != NULL ? program : PGCHIME_BINARY, "--config", configuration};

    for (size_t i = 0; words[i] != NULL && i < WORDS_MAX; i++)
        argv[i + 3] = words[i];
    execv(argv[0], (char *const *)argv);
    _exit(127);
}

int terminal_run(const char *configuration, const char *const *words, const char *typed, char **shown)
{
    int terminal;
    int status;
    char part[4096];
    ssize_t count;
    struct buffer text = {0};
    pid_t child = forkpty(&terminal, NULL, NULL, NULL);

    ck_assert_int_ge(child, 0);
    if (child == 0)
        become(configuration, words);
    guard_process(GUARD_GROUP, child);
    ck_assert_int_eq(write(terminal, typed, strlen(typed)), (ssize_t)strlen(typed));
    while ((count = read(terminal, part, sizeof(part))) > 0) /* a terminal's end is EIO */
        buffer_append(&text, part, (size_t)count);
    free(*shown);
    *shown = buffer_take(&text);
    close(terminal);
    ck_assert_int_eq(waitpid(child, &status, 0), child);
    guard_forget_process(child);
    return WIFEXITED(status) ? WEXITSTATUS(status) : 128 + WTERMSIG(status);
}
