/* SPDX-License-Identifier: PostgreSQL */
#include "cli/command.h"

#include <errno.h>
#include <stdarg.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>

#include "base/log.h"
#include "base/memory.h"
#include "base/text.h"

const struct command *command_find(const struct command *const *all, const char *name)
{
    for (size_t i = 0; all[i] != NULL; i++) {
        if (strcmp(all[i]->name, name) == 0) {
            return all[i];
        }
    }
    return NULL;
}

const struct command *command_of_words(const struct command *const *all, size_t count, char *const *words, size_t *used)
{
    const struct command *found = NULL;
    if (count > 1) {
        char *both = xasprintf("%s %s", words[0], words[1]);
        found = command_find(all, both);
        free(both);
    }
    *used = found != NULL ? 2 : 1;
    return found != NULL || count == 0 ? found : command_find(all, words[0]);
}

const char *command_nearest(const struct command *const *all, const char *name)
{
    const char *names[COMMANDS_MAX];
    size_t count = 0;
    for (size_t i = 0; all[i] != NULL && count < COMMANDS_MAX; i++) {
        if (!all[i]->internal) {
            names[count++] = all[i]->name;
        }
    }
    return nearest_word(name, names, count);
}

static size_t option_place(const struct command *command, const char *name)
{
    size_t place = 0;
    while (command->options[place].name != NULL && strcmp(command->options[place].name, name) != 0) {
        place++;
    }
    if (command->options[place].name == NULL) {
        fatal("command %s has no option --%s", command->name, name);
    }
    return place;
}

const char *invocation_option(const struct invocation *invocation, const char *name)
{
    return invocation->values[option_place(invocation->command, name)];
}

bool invocation_has(const struct invocation *invocation, const char *name)
{
    return invocation_option(invocation, name) != NULL;
}

bool invocation_duration(const struct invocation *invocation, const char *name, duration *length, struct error *err)
{
    const char *text = invocation_option(invocation, name);
    if (text == NULL || duration_parse(text, length, err)) {
        return true;
    }
    err->kind = ERROR_USAGE;
    return error_prefix(err, "--%s", name);
}

bool invocation_instant(const struct invocation *invocation, const char *name, char *text, const char **value,
                        struct error *err)
{
    const char *given = invocation_option(invocation, name);
    instant at;
    if (given == NULL) {
        return true;
    }
    if (!instant_parse(given, &at, err)) {
        err->kind = ERROR_USAGE;
        return error_prefix(err, "--%s", name);
    }
    *value = instant_format(at, text);
    return true;
}

/* --- saying ------------------------------------------------------------------------------------------------------- */

static void say(const char *label, const char *text)
{
    struct buffer line = {0};
    buffer_puts(&line, label);
    output_escape(&line, text);
    fprintf(stderr, "%s\n", buffer_text(&line));
    buffer_finish(&line);
}

int fail(const struct error *err)
{
    say("pgchime: ", err->message);
    if (err->hint[0] != '\0') {
        say("HINT:  ", err->hint);
    }
    return (int)err->kind;
}

void remark(const struct invocation *invocation, const char *format, ...)
{
    if (invocation->quiet) {
        return;
    }
    va_list arguments;
    va_start(arguments, format);
    char *text = xvasprintf(format, arguments);
    va_end(arguments);
    say("", text);
    free(text);
}

bool output_complete(void)
{
    if (fflush(stdout) == 0 && !ferror(stdout)) {
        return true;
    }
    struct error err;
    error_set(&err, ERROR_FAILED, "cannot write to standard output: %s", strerror(errno));
    fail(&err);
    return false;
}
